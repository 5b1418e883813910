# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where heads sit: several on one map, sharing weights, inside If, Loop and
Scan, and in model-local functions.

A head in an inner graph may be rewritten or left alone; what is never right is
another answer, a name that exists twice, or a value that is gone. So the models
run before and after, whatever the verdict; where a verdict is clear, it is
asked for.
"""

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper

from headopt import (
    F32,
    Graph,
    OnnxRuntime,
    Reference,
    as_matrix,
    assert_sound,
    assert_well_formed,
    graphs,
    load,
    make_feeds,
    next_up,
    run,
    weights,
    wide,
)

EXTENTS, OUTPUTS, SIZE = (3, 2, 4), 5, 24
EVEN = weights(OUTPUTS, EXTENTS)
UNEVEN = weights(OUTPUTS, EXTENTS, (1, 2, 3))


class Inner(Graph):
    """An inner graph: its values have names of their own, since it sees those
    of the graphs around it.
    """

    def __init__(self, name, opset=17, ir=None):
        super().__init__(opset, ir, name=name)

    def fresh(self, stem="v"):
        return f"{self.name}_{super().fresh(stem)}"


def matrix(weight=EVEN):
    """[K, O]"""
    return as_matrix(weight, [1, 2, 3]).T.copy()


def flat(g, x, output=None):
    return g.node("Flatten", [x], output, axis=1)


def compare(result, exact=(), dims=None, given=None, times=1, runtimes=None):
    """Every output of both models within K max |W| max |x| of a rounding each
    (see ``headopt.dense_bound``), ``times`` over where heads are added up;
    ``exact`` ones do not change by a bit.
    """
    ran = 0
    before, after = result.before, result.after
    largest = max(abs(EVEN).max(), abs(UNEVEN).max(), 1.0) * 2
    for kind in runtimes or (OnnxRuntime, Reference):
        old = load(kind, before)
        if old is None:
            continue
        new = load(kind, after)
        assert new is not None, f"{kind.name} takes the old model only"
        u = (SIZE + 8) * kind.accumulates_in(F32) + 8 * F32.eps
        for what, feeds in make_feeds(before, dims, given, 1e3):
            try:
                p = old(feeds)
            except Exception:
                if kind is Reference:
                    break  # it does not know the operator, or not so
                raise
            q = new(feeds)
            x = max(
                [1.0]
                + [
                    abs(wide(v)).max()
                    for v in feeds.values()
                    if v.dtype == np.float32 and v.size
                ]
            )
            for output in before.graph.output:
                a, b = p[output.name], q[output.name]
                where = f"{kind.name}, {what}, {output.name}"
                assert a.shape == b.shape and a.dtype == b.dtype, where
                if output.name in exact:
                    assert a.tobytes() == b.tobytes(), where
                    continue
                limit = times * (SIZE * largest * x * u) + 8 * F32.eps * (
                    abs(a) + 5
                )
                assert np.isfinite(a).all(), where
                assert (abs(a - b) <= limit).all(), (
                    f"{where}: off by {abs(a - b).max():.3g}, allowed "
                    f"{limit.max():.3g}"
                )
            ran += 1
    assert ran, "no runtime takes the old model"


def judge(result, names=None, **how):
    """Sound, and the same answers. ``names`` are all that is rewritten; None
    where rewriting or not is the tool's choice.
    """
    assert_well_formed(result.report)
    if names is not None:
        assert sorted(result.rewritten) == sorted(names), [
            (h["node"], h["verdict"], h["reason"]) for h in result.heads
        ]
    if not result.rewritten:
        assert result.unchanged
    assert_sound(result)
    for graph in graphs(result.after.graph):
        made = [o for n in graph.node for o in n.output if o]
        made += [i.name for i in graph.initializer]
        assert len(made) == len(set(made)), "a name is made twice"
    compare(result, **how)


# ----------------------------------------------------------------------------
# Several heads
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_heads_on_one_map(tmp_path, shared):
    """Three layers on one map, through one Flatten or one each; pooled over
    other axes each, and one refused.
    """
    g = Graph()
    x = g.node("Relu", [g.input("x", ["N", *EXTENTS])], "map")
    f = flat(g, x) if shared else None
    for name, vary in (
        ("both", (1,)),
        ("height", (1, 3)),
        ("width", (1, 2)),
        ("none", (1, 2, 3)),
    ):
        w = g.init(matrix(weights(OUTPUTS, EXTENTS, vary, seed=len(name))))
        g.node("MatMul", [f or flat(g, x), w], f"{name}_y", name)
        g.output(f"{name}_y", ["N", OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    judge(result, ["both", "height", "width"], exact=["none_y"])
    axes = {h["node"]: h["pooled_axes"] for h in result.heads}
    assert axes == {"both": [2, 3], "height": [2], "width": [3], "none": []}
    kept = [n.op_type for n in result.after.graph.node]
    assert kept.count("Flatten") >= 2 and kept.count("Relu") == 1


def test_two_orders_of_one_map(tmp_path):
    """Channels first and channels last of the same map, the same matrix: even
    in one order only.
    """
    g = Graph()
    x = g.input("x", ["N", 4, 2, 2])
    w = matrix(weights(OUTPUTS, (4, 2, 2)))
    last = g.node("Transpose", [x], perm=[0, 2, 3, 1])
    for name, value in (("first", x), ("last", last)):
        g.node("MatMul", [flat(g, value), g.init(w)], f"{name}_y", name)
        g.output(f"{name}_y", ["N", OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    assert "first" in result.rewritten
    assert result.head("first")["pooled_axes"] == [2, 3]
    # 16 rows in runs of four: read channels last, runs are of channels.
    assert result.head("last")["pooled_axes"] in ([], [1])
    judge(result)


@pytest.mark.parametrize("other", ["head", "gemm", "transposed", "plain"])
def test_heads_share_a_weight(tmp_path, other):
    """The same weight twice: by another head, by a Gemm that reads it
    transposed, by a layer that is no head.
    """
    g = Graph()
    g.init(matrix(), "W")
    x = g.input("x", ["N", *EXTENTS])
    z = g.input("z", ["N", *EXTENTS])
    g.node("MatMul", [flat(g, x), "W"], "y", "dense")
    g.output("y", ["N", OUTPUTS])
    names = ["dense", "second"]
    if other == "head":
        g.node("MatMul", [flat(g, z), "W"], "v", "second")
    elif other == "gemm":
        g.gemm([flat(g, z), "W"], "v", "second", alpha=0.5)
    elif other == "transposed":
        w = g.node("Transpose", ["W"], perm=[1, 0])
        g.gemm([flat(g, z), w], "v", "second", transB=1)
    else:
        row = g.node("Reshape", [z, g.ints([-1, SIZE])])
        row = g.node("Gather", [row, g.ints(np.arange(SIZE)[::-1])], axis=1)
        g.node("MatMul", [row, "W"], "v", "second")
        names = ["dense"]
    g.output("v", ["N", OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    judge(result, names)
    held = [i.name for i in result.after.graph.initializer]
    assert ("W" in held) == (other == "plain")


def test_heads_behind_each_other(tmp_path):
    """The answer of one head becomes the map of another."""
    g = Graph()
    x = g.input("x", ["N", *EXTENTS])
    first = weights(SIZE, EXTENTS)
    y = g.gemm([flat(g, x), g.init(matrix(first))], "a", "first")
    again = g.node("Reshape", [y, g.ints([-1, *EXTENTS])])
    w = g.init(matrix() / SIZE)
    g.node("MatMul", [flat(g, again), w], "y", "second")
    g.output("y", ["N", OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    judge(result, ["first", "second"], times=SIZE)


# ----------------------------------------------------------------------------
# If
# ----------------------------------------------------------------------------


def branch(g, name, weight, where, value, dense="MatMul", output=None):
    """A branch whose answer is a head of ``value``, with its weight inside or
    in the graph ``g`` around it.
    """
    inner = Inner(name, g.opset, g.ir)
    key = f"{name}_w"
    if where == "outer":
        w = g.init(matrix(weight), key)
    elif where == "constant":
        w = inner.constant(matrix(weight), key)
    else:
        w = inner.init(matrix(weight), key)
    inner.node(
        dense, [flat(inner, value, f"{name}_f"), w], f"{name}_out", f"{name}_d"
    )
    inner.output(f"{name}_out")
    return inner


def conditional(then, other, build=None):
    g = Graph()
    g.input("x", ["N", *EXTENTS])
    if build:
        build(g)
    g.node(
        "If",
        [g.input("condition", [], TensorProto.BOOL)],
        "y",
        then_branch=then(g).graph(),
        else_branch=other(g).graph(),
    )
    g.output("y")
    return g


def both(result, names=None, **how):
    for condition in (True, False):
        judge(result, names, given={"condition": np.array(condition)}, **how)


@pytest.mark.parametrize("dense", ["MatMul", "Gemm"])
@pytest.mark.parametrize("where", ["inner", "outer", "constant"])
def test_head_in_each_branch(tmp_path, where, dense):
    """A captured map, weights inside or outside."""
    g = conditional(
        lambda g: branch(g, "a", EVEN, where, "x", dense),
        lambda g: branch(g, "b", EVEN[::-1], where, "x", dense),
    )
    result = run(tmp_path, g.model(), "--verify")
    both(result, ["a_d", "b_d"])
    # The twin: one weight of one branch moved.
    twin = next_up(EVEN, (2, 1, 1, 3))
    g = conditional(
        lambda g: branch(g, "a", twin, where, "x", dense),
        lambda g: branch(g, "b", EVEN[::-1], where, "x", dense),
    )
    result = run(tmp_path / "twin", g.model(), "--verify")
    both(result, ["b_d"])
    assert result.head("a_d")["first_difference"]["output"] == 2


@pytest.mark.parametrize("where", ["inner", "outer"])
def test_map_is_made_in_the_branch(tmp_path, where):
    """Its shape has to be known there."""

    def then(g):
        inner = Inner("a")
        x = inner.node("Relu", [inner.node("Neg", ["x"])])
        w = matrix()
        w = g.init(w, "w") if where == "outer" else inner.init(w, "w")
        inner.node("MatMul", [flat(inner, x), w], "a_out", "a_d")
        inner.output("a_out")
        return inner

    g = conditional(then, lambda g: branch(g, "b", UNEVEN, "inner", "x"))
    result = run(tmp_path, g.model(), "--verify")
    both(result, ["a_d"])


def layer(name, value, weight):
    """A branch of one layer, on a flat value of the outer graph."""

    def make(g):
        b = Inner(name)
        b.node("MatMul", [value, b.init(matrix(weight))], f"{name}_out", name)
        b.output(f"{name}_out")
        return b

    return make


@pytest.mark.parametrize("used", ["branch", "both", "output"])
def test_flat_value_is_captured(tmp_path, used):
    """The Flatten is in the outer graph; it goes only when nobody reads it."""

    def build(g):
        flat(g, "x", "f")
        if used == "both":
            g.node("MatMul", ["f", g.init(matrix())], "z", "outer")
            g.output("z", ["N", OUTPUTS])
        if used == "output":
            g.output("f", ["N", SIZE])

    g = conditional(
        layer("a", "f", EVEN), layer("b", "f", EVEN[::-1]), build
    )
    result = run(tmp_path, g.model(), "--verify")
    names = (["outer"] if used == "both" else []) + ["a", "b"]
    both(result, names, exact=["f"])
    made = [o for n in result.after.graph.node for o in n.output]
    assert ("f" in made) == (used == "output")


def test_function_between_is_captured(tmp_path):
    """Flatten and Tanh in the outer graph, the layer in the branch: the
    repeated Tanh has to be where the map is, or in the branch.
    """

    def build(g):
        g.node("Tanh", [flat(g, "x", "f")], "t")

    g = conditional(layer("a", "t", EVEN), layer("b", "t", UNEVEN), build)
    result = run(tmp_path, g.model(), "--verify")
    both(result, ["a"])


@pytest.mark.parametrize("even", [True, False], ids=["even", "uneven"])
def test_scaled_value_is_captured(tmp_path, even):
    """Scale and shift in the outer graph, the layer in the branch."""
    scale = np.repeat(np.float32([1.5, 0.75, 1.25]), 8)
    if not even:
        scale = np.linspace(0.5, 1.5, SIZE).astype("f")

    def build(g):
        s = g.node("Mul", [flat(g, "x", "f"), g.init(scale)])
        g.node("Add", [s, g.init(np.linspace(-1, 1, SIZE).astype("f"))], "t")

    g = conditional(layer("a", "t", EVEN), layer("b", "t", UNEVEN), build)
    result = run(tmp_path, g.model(), "--verify")
    both(result, ["a"] if even else [], times=3)


def test_same_names_in_both_branches(tmp_path):
    """Sibling graphs may use the same names; both heads are called dense."""

    def make(weight):
        def inner(g):
            b = Inner("inner")
            w = b.init(matrix(weight), "w")
            b.node("MatMul", [flat(b, "x", "f"), w], "out", "dense")
            b.output("out")
            return b

        return inner

    g = conditional(make(EVEN), make(EVEN[::-1]))
    result = run(tmp_path, g.model(), "--verify")
    both(result, ["dense", "dense"])


def test_a_weight_of_both_branches_and_the_outer_graph(tmp_path):
    """One initialiser, three heads; it goes when the last is rewritten, and
    stays while one is refused.
    """
    for refused in (False, True):

        def build(g):
            g.init(matrix(), "W")
            f = flat(g, "x")
            if refused:
                f = g.node("Softmax", [f], axis=1)
            g.node("MatMul", [f, "W"], "z", "outer")
            g.output("z", ["N", OUTPUTS])

        def inner(name):
            def make(g):
                b = Inner(name)
                b.node("MatMul", [flat(b, "x"), "W"], f"{name}_out", name)
                b.output(f"{name}_out")
                return b

            return make

        g = conditional(inner("a"), inner("b"), build)
        result = run(tmp_path / str(refused), g.model(), "--verify")
        both(result, ([] if refused else ["outer"]) + ["a", "b"])
        held = [i.name for i in result.after.graph.initializer]
        assert ("W" in held) == refused


def test_if_in_an_if(tmp_path):
    """Two levels down, map and weight captured over both."""

    def build(g):
        g.init(matrix(), "W")

    def nested(g):
        outer = Inner("outer")
        deep = Inner("deep")
        deep.node("MatMul", [flat(deep, "x"), "W"], "deep_out", "deep_d")
        deep.output("deep_out")
        plain = branch(outer, "plain", UNEVEN, "inner", "x")
        outer.node(
            "If",
            ["condition"],
            "outer_out",
            then_branch=deep.graph(),
            else_branch=plain.graph(),
        )
        outer.output("outer_out")
        return outer

    g = conditional(nested, lambda g: branch(g, "b", EVEN, "inner", "x"), build)
    result = run(tmp_path, g.model(), "--verify")
    both(result, ["deep_d", "b_d"])


def test_branch_answers_with_the_flat_value_too(tmp_path):
    """The flat value is an output of the branch: it stays."""

    def make(name, weight):
        def inner(g):
            b = Inner(name)
            f = flat(b, "x", f"{name}_f")
            b.node("MatMul", [f, b.init(matrix(weight))], f"{name}_out", name)
            b.output(f"{name}_out")
            b.output(f"{name}_f")
            return b

        return inner

    g = Graph()
    g.input("x", ["N", *EXTENTS])
    g.node(
        "If",
        [g.input("condition", [], TensorProto.BOOL)],
        ["y", "f"],
        then_branch=make("a", EVEN)(g).graph(),
        else_branch=make("b", UNEVEN)(g).graph(),
    )
    g.output("y")
    g.output("f")
    result = run(tmp_path, g.model(), "--verify")
    both(result, ["a"], exact=["f"])


# ----------------------------------------------------------------------------
# Loop
# ----------------------------------------------------------------------------


def loop_body(states, step):
    """A Loop body: ``step(body)`` returns the new states and what is
    collected.
    """
    body = Inner("body")
    body.input("i", [], TensorProto.INT64)
    body.input("go", [], TensorProto.BOOL)
    for name, shape in states:
        body.input(name, shape)
    body.node("Identity", ["go"], "go_out")
    body.output("go_out", [], TensorProto.BOOL)
    for name, shape in step(body):
        body.output(name, shape)
    return body


def looped(body, states, answers, build=None, times=3):
    g = Graph()
    g.input("x", ["N", *EXTENTS])
    if build:
        build(g)
    g.node(
        "Loop",
        [g.init(np.array(times, np.int64)), "", *states],
        answers,
        body=body.graph(),
    )
    for name in answers:
        g.output(name, None if name != "maps" else ["N", *EXTENTS])
    return g


@pytest.mark.parametrize("where", ["inner", "outer", "constant"])
@pytest.mark.parametrize("weight", ["even", "uneven"])
def test_head_in_a_loop(tmp_path, where, weight):
    """A captured map, its answers added up over three turns."""
    numbers = matrix(EVEN if weight == "even" else UNEVEN)

    def step(body):
        w = "W"
        if where == "inner":
            body.init(numbers, "W")
        if where == "constant":
            body.constant(numbers, "W")
        y = body.node("MatMul", [flat(body, "x"), w], "p", "dense")
        body.node("Add", ["sum", y], "sum_out")
        return [("sum_out", ["N", OUTPUTS])]

    def build(g):
        if where == "outer":
            g.init(numbers, "W")
        g.input("start", ["N", OUTPUTS])

    body = loop_body([("sum", ["N", OUTPUTS])], step)
    g = looped(body, ["start"], ["y"], build)
    result = run(tmp_path, g.model(), "--verify")
    judge(result, ["dense"] if weight == "even" else [], times=3)


@pytest.mark.parametrize("where", ["inner", "outer"])
def test_map_is_carried_by_a_loop(tmp_path, where):
    """The map itself changes from turn to turn."""

    def step(body):
        if where == "inner":
            body.init(matrix(), "W")
        y = body.node("MatMul", [flat(body, "m"), "W"], "p", "dense")
        body.node("Tanh", ["m"], "m_out")
        body.node("Add", ["sum", y], "sum_out")
        return [("m_out", ["N", *EXTENTS]), ("sum_out", ["N", OUTPUTS])]

    def build(g):
        if where == "outer":
            g.init(matrix(), "W")
        g.input("start", ["N", OUTPUTS])

    body = loop_body([("m", ["N", *EXTENTS]), ("sum", ["N", OUTPUTS])], step)
    g = looped(body, ["x", "start"], ["maps", "y"], build)
    result = run(tmp_path, g.model(), "--verify")
    judge(result, ["dense"], exact=["maps"], times=3)


def test_even_map_is_lost_in_a_loop(tmp_path):
    """The first map of the loop does not vary; the ones after it do. A proof
    about the first is none about the others.
    """

    def step(body):
        y = body.node(
            "MatMul", [flat(body, "m"), body.init(matrix(UNEVEN))], "p", "dense"
        )
        body.node("Add", ["m", "x"], "m_out")
        body.node("Add", ["sum", y], "sum_out")
        return [("m_out", ["N", *EXTENTS]), ("sum_out", ["N", OUTPUTS])]

    def build(g):
        one = g.input("one", ["N", 3, 1, 1])
        g.node("Expand", [one, g.ints([1, *EXTENTS])], "first")
        g.input("start", ["N", OUTPUTS])

    body = loop_body([("m", ["N", *EXTENTS]), ("sum", ["N", OUTPUTS])], step)
    g = looped(body, ["first", "start"], ["maps", "y"], build)
    result = run(tmp_path, g.model(), "--verify")
    judge(result, [], exact=["maps", "y"])


def test_weight_is_carried_by_a_loop(tmp_path):
    """Inside the body the weight is an input, whatever it starts with."""

    def step(body):
        y = body.node("MatMul", [flat(body, "x"), "w"], "p", "dense")
        body.node("Add", ["w", body.init(matrix(UNEVEN))], "w_out")
        body.node("Add", ["sum", y], "sum_out")
        return [("w_out", [SIZE, OUTPUTS]), ("sum_out", ["N", OUTPUTS])]

    def build(g):
        g.init(matrix(), "W")
        g.input("start", ["N", OUTPUTS])

    body = loop_body([("w", [SIZE, OUTPUTS]), ("sum", ["N", OUTPUTS])], step)
    g = looped(body, ["W", "start"], ["v", "y"], build)
    result = run(tmp_path, g.model(), "--verify")
    judge(result, [], exact=["v", "y"])


def test_loop_collects_the_answers(tmp_path):
    """A scan output of the Loop: [turns, N, O]."""

    def step(body):
        body.node("MatMul", [flat(body, "m"), "W"], "p", "dense")
        body.node("Tanh", ["m"], "m_out")
        return [("m_out", ["N", *EXTENTS]), ("p", ["N", OUTPUTS])]

    body = loop_body([("m", ["N", *EXTENTS])], step)
    g = Graph()
    g.input("x", ["N", *EXTENTS])
    g.init(matrix(), "W")
    turns = g.init(np.array(3, np.int64))
    g.node("Loop", [turns, "", "x"], ["maps", "y"], body=body.graph())
    g.output("maps", ["N", *EXTENTS])
    g.output("y", [None, "N", OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    judge(result, ["dense"], exact=["maps"])


def test_if_in_a_loop(tmp_path):
    """A branch in a body; map, weight and condition come from outside."""

    def step(body):
        then = Inner("then")
        then.node("MatMul", [flat(then, "x"), "W"], "then_out", "dense")
        then.output("then_out")
        other = Inner("other")
        other.node("Identity", ["sum"], "other_out")
        other.output("other_out")
        p = body.node(
            "If",
            ["condition"],
            "p",
            then_branch=then.graph(),
            else_branch=other.graph(),
        )
        body.node("Add", ["sum", p], "sum_out")
        return [("sum_out", ["N", OUTPUTS])]

    def build(g):
        g.init(matrix(), "W")
        g.input("start", ["N", OUTPUTS])
        g.input("condition", [], TensorProto.BOOL)

    body = loop_body([("sum", ["N", OUTPUTS])], step)
    g = looped(body, ["start"], ["y"], build)
    result = run(tmp_path, g.model(), "--verify")
    both(result, ["dense"], times=8)


# ----------------------------------------------------------------------------
# Scan
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["inner", "outer"])
@pytest.mark.parametrize("weight", ["even", "uneven"])
def test_head_in_a_scan(tmp_path, where, weight):
    """One map for each step of a sequence."""
    numbers = matrix(EVEN if weight == "even" else UNEVEN)
    body = Inner("body")
    body.input("sum", ["N", OUTPUTS])
    body.input("m", ["N", *EXTENTS])
    if where == "inner":
        body.init(numbers, "W")
    y = body.node("MatMul", [flat(body, "m"), "W"], "p", "dense")
    body.node("Add", ["sum", y], "sum_out")
    body.output("sum_out", ["N", OUTPUTS])
    body.output("p", ["N", OUTPUTS])
    g = Graph()
    if where == "outer":
        g.init(numbers, "W")
    start = g.input("start", ["N", OUTPUTS])
    x = g.input("x", [4, "N", *EXTENTS])
    g.node("Scan", [start, x], ["s", "y"], body=body.graph(), num_scan_inputs=1)
    g.output("s", ["N", OUTPUTS])
    g.output("y", [4, "N", OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    names = ["dense"] if weight == "even" else []
    judge(result, names, times=4)


def test_captured_map_in_a_scan(tmp_path):
    """The map is captured; the scanned value is something else."""
    body = Inner("body")
    body.input("factor", ["N", 1])
    y = body.node(
        "MatMul", [flat(body, "x"), body.init(matrix())], "p", "dense"
    )
    body.node("Mul", [y, "factor"], "q")
    body.output("q", ["N", OUTPUTS])
    g = Graph()
    g.input("x", ["N", *EXTENTS])
    factors = g.init(np.linspace(0.5, 1, 4).reshape(4, 1, 1).astype("f"))
    g.node("Scan", [factors], "y", body=body.graph(), num_scan_inputs=1)
    g.output("y", [4, "N", OUTPUTS])
    body.inputs[0].type.tensor_type.shape.dim[0].dim_value = 1
    result = run(tmp_path, g.model(), "--verify")
    judge(result)


# ----------------------------------------------------------------------------
# Model-local functions
# ----------------------------------------------------------------------------


def by_reference(node, name, kind):
    """Gives the node an attribute that the caller of its function sets."""
    attribute = AttributeProto()
    attribute.name = attribute.ref_attr_name = name
    attribute.type = kind
    node.attribute.append(attribute)


def described(function, extents=EXTENTS):
    """From IR 10 on a function may say what its values are: the one way to
    know a map in it.
    """
    if any("shaped" in n.output for n in function.node):
        function.value_info.append(
            helper.make_tensor_value_info("shaped", F32.onnx, ["N", *extents])
        )
    return function


def function_model(
    body,
    calls=({},),
    inputs=("map",),
    attributes=(),
    defaults=(),
    shape=EXTENTS,
    answer=None,
):
    """The nodes of ``body`` as a function, called once for each of ``calls``
    (its attributes).
    """
    g = Graph(body.opset, 10)
    described(g.define("head", body, inputs, attributes, defaults), shape)
    g.input("x", ["N", *shape])
    for i, call in enumerate(calls):
        g.node("head", ["x"], f"y{i}", f"call{i}", "local", **call)
        g.output(f"y{i}", answer or ["N", OUTPUTS])
    return g.model()


def shaped(body, extents=EXTENTS):
    """Inside a function shapes are unknown; a Reshape with value_info (see
    ``described``) makes one known.
    """
    target = body.constant(np.array([-1, *extents], np.int64))
    return body.node("Reshape", ["map", target], "shaped")


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "reshaped"])
@pytest.mark.parametrize("weight", ["even", "uneven"])
@pytest.mark.parametrize("calls", [1, 2])
def test_head_in_a_function(tmp_path, weight, known, calls):
    """Rewritten or refused; uneven weights never."""
    body = Graph()
    x = shaped(body) if known else "map"
    w = body.constant(matrix(EVEN if weight == "even" else UNEVEN))
    body.node("MatMul", [flat(body, x), w], "answer", "dense")
    result = run(tmp_path, function_model(body, [{}] * calls), "--verify")
    even = ["dense"] if known else None
    judge(result, [] if weight == "uneven" else even)
    assert len(result.after.functions) == 1


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "reshaped"])
def test_function_of_several_shapes(tmp_path, known):
    """One function, maps of other extents: what holds of one call need not
    hold of the other.
    """
    body = Graph()
    x = shaped(body) if known else "map"
    body.node(
        "MatMul", [flat(body, x), body.constant(matrix())], "answer", "dense"
    )
    g = Graph(ir=10)
    described(g.define("head", body))
    for i, extents in enumerate([(3, 2, 4), (6, 2, 2), (24, 1, 1), (2, 3, 4)]):
        g.input(f"x{i}", ["N", *extents])
        g.node("head", [f"x{i}"], f"y{i}", domain="local")
        g.output(f"y{i}", ["N", OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    judge(result)


ALPHA = (0.5, -2.0)


@pytest.mark.parametrize("shift", [False, True], ids=["plain", "shifted"])
@pytest.mark.parametrize("how", ["attribute", "default"])
def test_alpha_by_reference(tmp_path, shift, how):
    """Gemm's alpha is the caller's: it multiplies the weight, and a shift that
    moves behind the layer.
    """
    body = Graph()
    f = flat(body, shaped(body))
    if shift:
        c = body.constant(np.linspace(-1, 1, SIZE).astype("f"))
        f = body.node("Add", [f, c])
    body.gemm([f, body.constant(matrix())], "answer", "dense")
    by_reference(body.nodes[-1], "alpha", AttributeProto.FLOAT)
    if how == "default":
        defaults = [helper.make_attribute("alpha", -2.0)]
        model = function_model(body, [{}, {"alpha": 0.5}], defaults=defaults)
    else:
        model = function_model(
            body, [{"alpha": a} for a in ALPHA], attributes=["alpha"]
        )
    result = run(tmp_path, model, "--verify")
    judge(result, times=2)


def square(weight=None):
    """[24, 24]; even when read one way, uneven when read the other."""
    return weights(SIZE, EXTENTS).reshape(SIZE, SIZE)


@pytest.mark.parametrize("even_as", [0, 1])
def test_trans_b_by_reference(tmp_path, even_as):
    """A square weight that is even when transB is 1 (or 0), and a caller who
    says the other.
    """
    body = Graph()
    w = square() if even_as else square().T.copy()
    f = flat(body, shaped(body))
    body.gemm([f, body.constant(w)], "answer", "dense")
    by_reference(body.nodes[-1], "transB", AttributeProto.INT)
    model = function_model(
        body,
        [{"transB": 0}, {"transB": 1}],
        attributes=["transB"],
        answer=["N", SIZE],
    )
    result = run(tmp_path, model, "--verify")
    judge(result)


def test_flatten_axis_by_reference(tmp_path):
    """The caller cuts behind axis 1, or somewhere else."""
    body = Graph()
    x = shaped(body, (2, 2, 2))
    body.node("Flatten", [x], "f")
    by_reference(body.nodes[-1], "axis", AttributeProto.INT)
    w = np.full((4, OUTPUTS), 0.5, "f")
    body.node("MatMul", ["f", body.constant(w)], "answer", "dense")
    model = function_model(
        body,
        [{"axis": 2}],
        attributes=["axis"],
        shape=(2, 2, 2),
        answer=[None, OUTPUTS],
    )
    result = run(tmp_path, model, "--verify")
    judge(result)


@pytest.mark.parametrize("perm", [[0, 1, 2, 3], [0, 2, 3, 1]], ids=str)
def test_perm_by_reference(tmp_path, perm):
    """The caller says in which order k runs."""
    extents = (2, 2, 2)
    body = Graph()
    body.node("Transpose", [shaped(body, extents)], "t")
    by_reference(body.nodes[-1], "perm", AttributeProto.INTS)
    w = matrix(weights(OUTPUTS, extents))
    body.node("MatMul", [flat(body, "t"), body.constant(w)], "answer", "dense")
    model = function_model(
        body, [{"perm": perm}], attributes=["perm"], shape=extents
    )
    result = run(tmp_path, model, "--verify")
    judge(result)


@pytest.mark.parametrize("name", ["epsilon", "training_mode"])
def test_normalisation_by_reference(tmp_path, name):
    """BatchNormalization of the features with an epsilon of 1, or a mode, that
    the caller gives.
    """
    body = Graph()
    f = flat(body, shaped(body))
    c = [
        body.constant(np.repeat(np.float32(v), 8))
        for v in ([1, 2, 3], [0, 1, 0], [1, 0, 1], [1, 2, 1])
    ]
    outputs = ["n"] if name == "epsilon" else ["n", "mean", "var"]
    body.node("BatchNormalization", [f, *c], outputs)
    kind = AttributeProto.FLOAT if name == "epsilon" else AttributeProto.INT
    by_reference(body.nodes[-1], name, kind)
    body.node("MatMul", ["n", body.constant(matrix())], "answer", "dense")
    value = 1.0 if name == "epsilon" else 1
    model = function_model(body, [{name: value}], attributes=[name])
    result = run(tmp_path, model, "--verify")
    judge(result, [] if name == "training_mode" else None, times=4)


@pytest.mark.parametrize(
    "name, kind, value, answer",
    [
        ("pads", AttributeProto.INTS, [1, 1, 1, 1], [None, OUTPUTS, 3, 3]),
        (
            "auto_pad",
            AttributeProto.STRING,
            "SAME_UPPER",
            [None, OUTPUTS, 2, 4],
        ),
        ("group", AttributeProto.INT, 1, [None, OUTPUTS, 1, 1]),
    ],
)
def test_convolution_by_reference(tmp_path, name, kind, value, answer):
    """Padding that only the caller knows of: a padded window sees zeros."""
    body = Graph()
    x = shaped(body)
    body.node("Conv", [x, body.constant(EVEN)], "answer", "dense")
    by_reference(body.nodes[-1], name, kind)
    model = function_model(
        body, [{name: value}], attributes=[name], answer=answer
    )
    result = run(tmp_path, model, "--verify")
    judge(result, [] if name != "group" else None)


@pytest.mark.parametrize("op", ["LeakyRelu", "Clip"])
def test_function_between_by_reference(tmp_path, op):
    """A slope that the caller gives: repeated on the map, it still has to be
    the caller's.
    """
    body = Graph(10)
    body.node(op, [flat(body, shaped(body))], "r")
    name = "alpha" if op == "LeakyRelu" else "max"
    by_reference(body.nodes[-1], name, AttributeProto.FLOAT)
    body.node("MatMul", ["r", body.constant(matrix())], "answer", "dense")
    model = function_model(body, [{name: 0.5}, {name: 0.25}], attributes=[name])
    result = run(tmp_path, model, "--verify")
    judge(result)


@pytest.mark.parametrize("what", ["value", "to"])
def test_constant_by_reference(tmp_path, what):
    """The weight itself, or the type it is cast to, is the caller's."""
    body = Graph()
    f = flat(body, shaped(body))
    if what == "value":
        body.node("Constant", [], "w")
        by_reference(body.nodes[-1], "value", AttributeProto.TENSOR)
        call = {"value": onnx.numpy_helper.from_array(matrix(), "")}
    else:
        body.node("Cast", [body.constant(matrix().astype(np.float16))], "w")
        by_reference(body.nodes[-1], "to", AttributeProto.INT)
        call = {"to": F32.onnx}
    body.node("MatMul", [f, "w"], "answer", "dense")
    model = function_model(body, [call], attributes=[what])
    result = run(tmp_path, model, "--verify")
    judge(result)


def test_head_in_a_branch_of_a_function(tmp_path):
    """An If inside of a function: no initialisers in the function, some in the
    branch.
    """
    body = Graph()
    x = shaped(body)
    branches = {}
    for name, weight in (("then_branch", EVEN), ("else_branch", UNEVEN)):
        inner = Inner(name)
        w = inner.init(matrix(weight), f"{name}_w")
        inner.node(
            "MatMul", [flat(inner, x, f"{name}_f"), w], f"{name}_out", name
        )
        inner.output(f"{name}_out")
        branches[name] = inner.graph()
    body.node("If", ["condition"], "answer", **branches)
    g = Graph(ir=10)
    described(g.define("head", body, ["map", "condition"]))
    g.input("x", ["N", *EXTENTS])
    c = g.input("condition", [], TensorProto.BOOL)
    g.node("head", ["x", c], "y", domain="local")
    g.output("y", ["N", OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    for condition in (True, False):
        judge(result, given={"condition": np.array(condition)})
    assert "else_branch" not in result.rewritten


def test_function_that_calls_a_function(tmp_path):
    """The inner one has the layer, the outer one the Flatten."""
    layer, outer = Graph(), Graph()
    layer.node("MatMul", ["f", layer.constant(matrix())], "p", "dense")
    outer.node("layer", [flat(outer, shaped(outer))], "answer", domain="local")
    g = Graph(ir=10)
    g.imports.append(("local", 1))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    g.functions.append(
        helper.make_function(
            "local", "layer", ["f"], ["p"], layer.nodes, opsets
        )
    )
    function = helper.make_function(
        "local", "head", ["map"], ["answer"], outer.nodes, opsets
    )
    g.functions.append(described(function))
    g.input("x", ["N", *EXTENTS])
    g.node("head", ["x"], "y", domain="local")
    g.output("y", ["N", OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    judge(result)


def test_function_makes_the_map(tmp_path):
    """The head is in the main graph, its map comes out of a function: the
    function is nobody's business.
    """
    body = Graph()
    body.node("Relu", ["map"], "answer")
    g = Graph()
    g.define("front", body)
    x = g.input("x", ["N", *EXTENTS])
    m = g.node("front", [x], "m", domain="local")
    g.node("MatMul", [flat(g, m), g.init(matrix())], "y", "dense")
    g.output("y", ["N", OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    judge(result)
    assert result.before.functions == result.after.functions


def test_function_named_like_an_operator(tmp_path):
    """A local Flatten and a local Relu, in a domain of their own, are what
    their bodies say.
    """
    body = Graph()
    body.node("Transpose", ["map"], "t", perm=[0, 3, 2, 1])
    body.node("Flatten", ["t"], "answer", axis=1)
    g = Graph()
    g.define("Flatten", body)
    x = g.input("x", ["N", 2, 2, 2])
    f = g.node("Flatten", [x], "f", domain="local")
    w = matrix(weights(OUTPUTS, (2, 2, 2)))
    g.node("MatMul", [f, g.init(w)], "y", "dense")
    g.output("y", ["N", OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    judge(result, [])


def test_parameters_of_a_function_are_counted(tmp_path):
    """120 weights in the function become 15; the model has no others."""
    body = Graph()
    body.node(
        "MatMul",
        [flat(body, shaped(body)), body.constant(matrix())],
        "answer",
        "dense",
    )
    report = run(tmp_path, function_model(body)).report
    counts = report["parameters_before"], report["parameters_after"]
    assert counts == (SIZE * OUTPUTS, 3 * OUTPUTS)
