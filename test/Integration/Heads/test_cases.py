# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Faults that other ONNX tools had around this rewrite, each as a test of
head-opt.

A test is named after its case: D1, D2 ... in the order of the list the project
keeps, ``more`` for the short ones. Each docstring says what went wrong
elsewhere. Numbers are judged in two runtimes; ``headopt.assert_equivalent``
demands equal bits of everything that does not depend on a rewritten head.
"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference.op_run import OpRun

from headopt import (
    COLLAPSE,
    F16,
    Graph,
    OnnxRuntime,
    Reference,
    assert_dense_kept,
    assert_equivalent,
    assert_not_a_head,
    assert_refused,
    assert_rewritten,
    assert_sound,
    assert_unchanged,
    assert_well_formed,
    constant_value,
    find_node,
    from_matrix,
    graphs,
    invoke,
    make_head,
    passes_checker,
    pooling_node,
    run,
    wide,
)

F = np.float32


def blocks(rows, outputs, length, seed=0):
    """W[rows, outputs] in which row k depends on k div length."""
    few = (
        np.random.RandomState(seed)
        .standard_normal((-(-rows // length), outputs))
        .astype(F)
    )
    return np.ascontiguousarray(np.repeat(few, length, axis=0)[:rows])


def cycles(rows, outputs, period, seed=0):
    """W[rows, outputs] in which row k depends on k mod period."""
    few = (
        np.random.RandomState(seed).standard_normal((period, outputs)).astype(F)
    )
    return np.ascontiguousarray(np.tile(few, (-(-rows // period), 1))[:rows])


def flat(g, x, output=None):
    return g.node("Flatten", [x], output, axis=1)


def verdicts(result):
    return {h["node"]: (h["verdict"], h["reason"]) for h in result.heads}


def expect_rewritten(result, *names, **how):
    """These heads and no others were rewritten, and the model answers as
    before.
    """
    assert_well_formed(result.report)
    assert sorted(result.rewritten) == sorted(names), verdicts(result)
    assert_sound(result)
    for name in names:
        assert_dense_kept(result, name)
    assert_equivalent(result.before, result.after, list(names), **how)


def ask(model, feeds, runtime=Reference):
    """What the model answers, in the order of its outputs."""
    answers = runtime(model)(feeds)
    return [answers[o.name] for o in model.graph.output]


# ----------------------------------------------------------------------------
# D1: the order of k
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("extents", [(2, 2, 3), (3, 2, 2), (2, 3, 4)], ids=str)
@pytest.mark.parametrize(
    "perm",
    [(0, 1, 2, 3), (0, 2, 3, 1), (0, 1, 3, 2)],
    ids=lambda p: "".join(map(str, p)),
)
@pytest.mark.parametrize("equal_in", ["nhwc", "nchw"])
def test_d01_channel_order_after_flatten(tmp_path, equal_in, perm, extents):
    """The flat vector had the same numbers in another order, and the dense
    layer was not told.

    Which axes the weights leave constant is worked out from the real order; the
    wrong order gives another answer each time.
    """
    c, hw = extents[0], extents[1] * extents[2]
    size, order = c * hw, list(perm[1:])
    matrix = cycles(size, 3, c) if equal_in == "nhwc" else blocks(size, 3, hw)
    weight = from_matrix(np.ascontiguousarray(matrix.T), extents, order)
    head = make_head(
        collapse="perm",
        perm=perm,
        extents=extents,
        outputs=3,
        weight=weight,
        dense="matmul",
    )
    np.testing.assert_array_equal(head.matrix.T, matrix)
    result = run(tmp_path, head.model)
    right = (equal_in == "nhwc") == (order[-1] == 1)
    assert (head.pooled() == {2, 3}) == right
    if head.pooled():
        assert_rewritten(result, head)
    else:
        assert_refused(result, "dense", "L6")


@pytest.mark.parametrize(
    "perm", [(0, 1, 2, 3), (0, 2, 3, 1)], ids=["plain", "turned"]
)
def test_d01_refused_in_the_wrong_order(tmp_path, perm):
    """[N, 3, 2, 2], equal over positions in the order k is not in: then every
    axis varies.
    """
    matrix = blocks(12, 3, 4) if perm[1] == 2 else cycles(12, 3, 3)
    weight = from_matrix(
        np.ascontiguousarray(matrix.T), (3, 2, 2), list(perm[1:])
    )
    head = make_head(
        collapse="perm",
        perm=perm,
        extents=(3, 2, 2),
        outputs=3,
        weight=weight,
        dense="matmul",
    )
    assert head.pooled() == set()
    assert_refused(run(tmp_path, head.model), "dense", "L6")


# ----------------------------------------------------------------------------
# D2: inner values that are graph outputs
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("extra", ["flat", "product", "map", "all"])
def test_d02_inner_value_is_a_graph_output(tmp_path, extra):
    """Only nodes were counted as users, so the value vanished."""
    g = Graph()
    x = g.node("Relu", [g.input("x", ["N", 2, 2, 2])], "r")
    f = flat(g, x, "f")
    m = g.node("MatMul", [f, g.init(blocks(8, 3, 4), "W")], "m", "dense")
    g.add(m, g.init(np.array([1, 2, 3], F), "b"), "y")
    g.output("y", ["N", 3])
    for name, value, shape in (
        ("flat", "f", ["N", 8]),
        ("product", "m", ["N", 3]),
        ("map", "r", ["N", 2, 2, 2]),
    ):
        if extra in (name, "all"):
            g.output(value, shape)
    result = run(tmp_path, g.model())
    # The flat value and the map answer bit for bit; so does the product when
    # its head was left alone.
    if extra == "map":
        expect_rewritten(result, "dense")
    elif result.rewritten:
        assert_sound(result)
        assert_equivalent(result.before, result.after, ["dense"])
    else:
        assert_unchanged(result)
    kept = {n.op_type for n in result.after.graph.node}
    assert ("Flatten" in kept) or extra == "map"


def test_d02_flat_value_has_another_user(tmp_path):
    """The old Flatten stays for whoever else reads it."""
    g = Graph()
    f = flat(g, g.input("x", ["N", 2, 2, 2]))
    g.node("MatMul", [f, g.init(blocks(8, 3, 4))], "y", "dense")
    g.node("Tanh", [f], "z")
    g.output("y", ["N", 3])
    g.output("z", ["N", 8])
    expect_rewritten(run(tmp_path, g.model()), "dense")


def test_d02_only_node_between_input_and_output(tmp_path):
    """A Flatten as the only node: input and output names were exchanged or
    lost.
    """
    g = Graph()
    g.node("Flatten", [g.input("X", ["N", 8])], "y")
    g.output("y", ["N", 8])
    result = run(tmp_path, g.model())
    assert_unchanged(result)
    assert [i.name for i in result.after.graph.input] == ["X"] and [
        o.name for o in result.after.graph.output
    ] == ["y"]


def test_d02_map_is_graph_input_and_output_at_once(tmp_path):
    g = Graph()
    x = g.input("x", ["N", 2, 2, 2])
    g.node("MatMul", [flat(g, x), g.init(blocks(8, 3, 4))], "y", "dense")
    g.output("y", ["N", 3])
    g.node("Identity", [x], "again")
    g.output("again", ["N", 2, 2, 2])
    expect_rewritten(run(tmp_path, g.model()), "dense")


# ----------------------------------------------------------------------------
# D3: shared initialisers
# ----------------------------------------------------------------------------


def test_d03_shared_initialiser(tmp_path):
    """The weight also serves a plain MatMul: that one was handed the new
    tensor.
    """
    g = Graph()
    weight = g.init(blocks(8, 3, 4), "W")
    g.node(
        "MatMul", [flat(g, g.input("x", ["N", 2, 2, 2])), weight], "y", "dense"
    )
    g.node("MatMul", [g.input("z", ["N", 8]), weight], "plain_out", "plain")
    g.output("y", ["N", 3])
    g.output("plain_out", ["N", 3])
    result = run(tmp_path, g.model())
    expect_rewritten(result, "dense")
    old, new = (
        {i.name: i for i in m.graph.initializer}
        for m in (result.before, result.after)
    )
    assert new["W"] == old["W"]
    assert find_node(result.after.graph, "plain").input[1] == "W"


def test_d03_two_heads_pool_it_differently(tmp_path):
    """The same tensor in two heads whose maps have other extents: a cache by
    name gives one of them the wrong weight.
    """
    g = Graph()
    weight = g.init(blocks(8, 3, 4), "W")
    g.node(
        "MatMul", [flat(g, g.input("x", ["N", 2, 2, 2])), weight], "y", "first"
    )
    g.node(
        "MatMul", [flat(g, g.input("z", ["N", 4, 1, 2])), weight], "v", "second"
    )
    g.output("y", ["N", 3])
    g.output("v", ["N", 3])
    result = run(tmp_path, g.model())
    expect_rewritten(result, "first", "second")
    assert "W" not in [i.name for i in result.after.graph.initializer]
    after = {h["node"]: h["parameters_after"] for h in result.heads}
    assert after == {"first": 2 * 3, "second": 4 * 3}


def test_d03_two_equal_heads(tmp_path):
    """Both pool it alike; whether they share the new weight is free."""
    g = Graph()
    weight = g.init(blocks(8, 3, 4), "W")
    for x, y in (("x", "y"), ("z", "v")):
        g.node(
            "MatMul",
            [flat(g, g.input(x, ["N", 2, 2, 2])), weight],
            y,
            f"dense_{y}",
        )
        g.output(y, ["N", 3])
    expect_rewritten(run(tmp_path, g.model()), "dense_y", "dense_v")


def test_d03_one_head_legal_one_refused(tmp_path):
    """Equal in runs of six: over the 2 x 3 positions of one map, and along no
    axis of the other.
    """
    g = Graph()
    weight = g.init(blocks(12, 3, 6), "W")
    g.node(
        "MatMul", [flat(g, g.input("x", ["N", 2, 2, 3])), weight], "y", "legal"
    )
    g.node(
        "MatMul", [flat(g, g.input("z", ["N", 3, 4])), weight], "v", "illegal"
    )
    g.output("y", ["N", 3])
    g.output("v", ["N", 3])
    result = run(tmp_path, g.model())
    expect_rewritten(result, "legal")
    assert result.head("illegal")["verdict"] == "refused"
    assert "W" in [i.name for i in result.after.graph.initializer]


def test_d03_weight_is_a_graph_output_too(tmp_path):
    g = Graph()
    g.node(
        "MatMul",
        [flat(g, g.input("x", ["N", 2, 2, 2])), g.init(blocks(8, 3, 4), "W")],
        "y",
        "dense",
    )
    g.output("y", ["N", 3])
    g.output("W", [8, 3])
    expect_rewritten(run(tmp_path, g.model()), "dense")


def test_d03_one_flat_value_two_heads(tmp_path):
    """Two classifiers on one Flatten: both pooled, one Flatten gone."""
    g = Graph()
    f = flat(g, g.input("x", ["N", 2, 2, 2]))
    for y, outputs in (("y", 3), ("v", 5)):
        g.gemm(
            [f, g.init(np.ascontiguousarray(blocks(8, outputs, 4, outputs).T))],
            y,
            f"dense_{y}",
            transB=1,
        )
        g.output(y, ["N", outputs])
    expect_rewritten(run(tmp_path, g.model()), "dense_y", "dense_v")


def test_d03_weight_and_bias_are_one_tensor(tmp_path):
    """The bias of the second layer is the weight of the first; only the one in
    the head may change.
    """
    g = Graph()
    weight = g.init(blocks(8, 3, 4), "W")
    x = g.input("x", [8, 2, 2, 2])
    m = g.node("MatMul", [flat(g, x), weight], None, "dense")
    g.add(m, weight, "y")
    g.output("y", [8, 3])
    result = run(tmp_path, g.model())
    expect_rewritten(result, "dense")
    assert "W" in [i.name for i in result.after.graph.initializer]


# ----------------------------------------------------------------------------
# D4: alpha and beta
# ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "alpha, beta", [(0.5, 2.0), (0.0, 2.0), (0.5, 0.0), (-1.5, 1.0), (0.0, 0.0)]
)
def test_d04_gemm_factors_are_used_once(tmp_path, alpha, beta):
    """beta was lost in one place and applied twice in another."""
    g = Graph()
    weight, bias = blocks(8, 3, 4).T.copy(), np.array([1, 2, 3], F)
    g.gemm(
        [flat(g, g.input("x", ["N", 2, 2, 2])), g.init(weight), g.init(bias)],
        "y",
        "dense",
        alpha=alpha,
        beta=beta,
        transB=1,
    )
    g.output("y", ["N", 3])
    result = run(tmp_path, g.model())
    expect_rewritten(result, "dense")
    x = np.random.RandomState(1).standard_normal((3, 2, 2, 2)).astype(F)
    closed = alpha * wide(x).reshape(3, 8) @ wide(weight).T + beta * wide(bias)
    for runtime in (OnnxRuntime, Reference):
        np.testing.assert_allclose(
            ask(result.after, {"x": x}, runtime)[0], closed, rtol=0, atol=4e-6
        )


def test_d04_add_behind_beta_zero(tmp_path):
    """Gemm(beta=0) and an Add: the Add got lost with the bias."""
    g = Graph()
    operands = [
        flat(g, g.input("x", ["N", 2, 2, 2])),
        g.init(blocks(8, 3, 4).T.copy()),
        g.init(np.array([7, 8, 9], F)),
    ]
    m = g.gemm(operands, None, "dense", beta=0.0, transB=1)
    g.add(m, g.init(np.array([1, 2, 3], F)), "y")
    g.output("y", ["N", 3])
    result = run(tmp_path, g.model())
    expect_rewritten(result, "dense")
    np.testing.assert_array_equal(
        ask(result.after, {"x": np.zeros((1, 2, 2, 2), F)})[0], [[1, 2, 3]]
    )


def test_d04_trans_a(tmp_path):
    """[8, N] with transA=1: the samples are columns."""
    g = Graph()
    g.gemm(
        [g.input("x", [8, "N"]), g.init(np.ones((8, 3), F))],
        "y",
        "dense",
        transA=1,
    )
    g.output("y", ["N", 3])
    assert_not_a_head(run(tmp_path, g.model()), "dense")


# ----------------------------------------------------------------------------
# D5: shapes of the bias
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("swapped", [False, True], ids=["m_plus_b", "b_plus_m"])
@pytest.mark.parametrize(
    "outputs, bias, batch, answer",
    [
        pytest.param(3, (1, 1, 3), "N", [1, "N", 3], id="answer-of-rank-3"),
        pytest.param(1, (1, 4), "N", ["N", 4], id="one-output-made-four"),
        pytest.param(3, (2, 1), 2, [2, 3], id="one-number-per-sample"),
        pytest.param(3, (), "N", ["N", 3], id="scalar"),
        pytest.param(3, (1,), "N", ["N", 3], id="one-number"),
        pytest.param(3, (1, 3), "N", ["N", 3], id="row"),
        pytest.param(3, (2, 3), 2, [2, 3], id="whole"),
    ],
)
def test_d05_bias_shape(tmp_path, outputs, bias, batch, answer, swapped):
    """The Add became the C of a Gemm, which broadcasts one way only: load
    errors, or an answer of another rank.
    """
    g = Graph()
    m = g.node(
        "MatMul",
        [
            flat(g, g.input("x", [batch, 2, 2, 2])),
            g.init(blocks(8, outputs, 4)),
        ],
        None,
        "dense",
    )
    b = g.init(
        np.arange(1, np.prod(bias, dtype=int) + 1, dtype=F).reshape(bias)
    )
    g.node("Add", [b, m] if swapped else [m, b], "y")
    g.output("y", answer)
    result = run(tmp_path, g.model())
    expect_rewritten(
        result, "dense", dims={"N": 3}
    ) if batch == "N" else expect_rewritten(result, "dense")
    assert [
        n.op_type
        for n in result.after.graph.node
        if n.op_type in ("MatMul", "Gemm", "Add")
    ] == ["MatMul", "Add"]


def test_d05_bias_is_a_graph_input(tmp_path):
    g = Graph()
    m = g.node(
        "MatMul",
        [flat(g, g.input("x", ["N", 2, 2, 2])), g.init(blocks(8, 3, 4))],
        None,
        "dense",
    )
    g.node("Add", [m, g.input("b", [3])], "y")
    g.output("y", ["N", 3])
    expect_rewritten(run(tmp_path, g.model()), "dense")


# ----------------------------------------------------------------------------
# D6: initialisers that are graph inputs
# ----------------------------------------------------------------------------


def test_d06_overridable_weight(tmp_path):
    """IR 8: callers feed their own weight. It was folded away, and theirs
    ignored.
    """
    head = make_head(
        dense="matmul",
        ir=8,
        place=lambda g, m: g.init(m, "W", overridable=True),
    )
    result = run(tmp_path, head.model)
    assert_refused(result, "dense", "L3")
    x = np.ones((2, 3, 2, 4), F)
    weight = np.ascontiguousarray(head.matrix.T)
    once, twice = (
        ask(result.after, {"x": x, "W": w}, OnnxRuntime)[0]
        for w in (weight, 2 * weight)
    )
    np.testing.assert_allclose(2 * once, twice, rtol=1e-6)
    assert np.abs(once).max() > 0.1


@pytest.mark.parametrize("vary", [(1,), (1, 2)], ids=["global", "width_only"])
def test_d06_ir_3_lists_every_initialiser(tmp_path, vary):
    """IR 3: all initialisers are listed and constant. Every new one has to be
    listed too, or the checker turns the file down.
    """
    head = make_head(opset=8, dense="matmul_add", vary=vary)
    assert head.model.ir_version == 3
    result = run(tmp_path, head.model)
    assert_rewritten(result, head)
    assert {i.name for i in result.after.graph.initializer} <= {
        i.name for i in result.after.graph.input
    }
    assert [i.name for i in result.after.graph.input][0] == "x"


# ----------------------------------------------------------------------------
# D8: dynamic sizes
# ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "collapse",
    [c for c in COLLAPSE if c.startswith("computed") or c.endswith("computed")],
)
def test_d08a_dynamic_batch_stays_dynamic(tmp_path, collapse):
    """A dynamic dim was frozen to whatever a trial run had."""
    head = make_head(collapse=collapse, extents=(2, 2, 2))
    result = run(tmp_path, head.model)
    assert_rewritten(result, head)
    for value in (*result.after.graph.input, *result.after.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "N"
    for n in (1, 3, 8):
        assert_equivalent(
            result.before, result.after, ["dense"], dims={"N": n}, seeds=(n,)
        )


def test_d08a_value_info_keeps_its_dim_param(tmp_path):
    g = Graph()
    x = g.node("Relu", [g.input("x", ["N", 2, 2, 2])], "r")
    f = flat(g, x, "f")
    m = g.node("MatMul", [f, g.init(blocks(8, 3, 4))], "m", "dense")
    g.node("Relu", [m], "y")
    g.output("y", ["N", 3])
    for name, shape in (
        ("r", ["N", 2, 2, 2]),
        ("f", ["N", 8]),
        ("m", ["N", 3]),
    ):
        g.value_info.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        )
    result = run(tmp_path, g.model())
    expect_rewritten(result, "dense")
    kept = {v.name: v for v in result.after.graph.value_info}
    for v in result.before.graph.value_info:
        if v.name in ("r", "m"):
            assert kept[v.name] == v
    assert "f" not in kept


@pytest.mark.parametrize(
    "extents",
    [(2, "h", "w"), (2, None, None), (2, "h", 2), (2, 2, "w"), (2, "h", "h")],
    ids=str,
)
@pytest.mark.parametrize("collapse", ["Flatten", "Reshape 0"])
def test_d08c_the_weight_pins_the_positions(tmp_path, collapse, extents):
    """K = 8 and C = 2 leave four positions, whatever H and W are; each of these
    collapses keeps samples apart by itself.
    """
    g = Graph()
    x = g.input("x", ["N", *extents])
    if collapse == "Flatten":
        f = flat(g, x)
    elif collapse == "Reshape 0":
        f = g.node("Reshape", [x, g.ints([0, -1])])
    else:
        batch = g.node(
            "Gather",
            [g.node("Shape", [x]), g.init(np.array(0, np.int64))],
            axis=0,
        )
        f = g.node(
            "Reshape",
            [
                x,
                g.node(
                    "Concat", [g.unsqueeze(batch, [0]), g.ints([-1])], axis=0
                ),
            ],
        )
    g.node("MatMul", [f, g.init(blocks(8, 3, 4))], "y", "dense")
    g.output("y", ["N", 3])
    result = run(tmp_path, g.model())
    assert_well_formed(result.report)
    assert result.rewritten == ["dense"], verdicts(result)
    assert_sound(result)
    assert result.head("dense")["parameters_after"] == 6
    for h, w in (
        ((2, 2),)
        if 2 in extents[1:] or extents[1] == extents[2] == "h"
        else ((2, 2), (1, 4), (4, 1))
    ):
        x = np.random.RandomState(h).standard_normal((3, 2, h, w)).astype(F)
        for runtime in (OnnxRuntime, Reference):
            old, new = (
                ask(m, {"x": x}, runtime)[0]
                for m in (result.before, result.after)
            )
            np.testing.assert_allclose(old, new, rtol=0, atol=4e-6)


def test_d08c_one_ulp_with_unknown_extents(tmp_path):
    """The four positions are one stretch of k; the place is named in it, and
    nothing is made up about H and W.
    """
    weight = blocks(8, 3, 4)
    weight[7, 1] = np.nextafter(weight[7, 1], F(np.inf))
    g = Graph()
    g.node(
        "MatMul",
        [flat(g, g.input("x", ["N", 2, "h", "w"])), g.init(weight)],
        "y",
        "dense",
    )
    g.output("y", ["N", 3])
    entry = assert_refused(run(tmp_path, g.model()), "dense", "L6")
    assert entry["first_difference"]["output"] == 1
    assert sorted(entry["first_difference"]["values"]) == sorted(
        [float(weight[6, 1]), float(weight[7, 1])]
    )


def test_d08c_reshape_could_mix_samples(tmp_path):
    g = Graph()
    f = g.node("Reshape", [g.input("x", ["N", 2, "h", "w"]), g.ints([-1, 8])])
    g.node("MatMul", [f, g.init(blocks(8, 3, 4))], "y", "dense")
    g.output("y", [None, 3])
    assert_refused(run(tmp_path, g.model()), "dense", "L1", "L2")


# ----------------------------------------------------------------------------
# D9: the fold in a narrow type
# ----------------------------------------------------------------------------


def test_d09_f16_sum_of_weights_overflows(tmp_path):
    """49 times 2000 is no f16. Keeping the 49 apart is right, refusing is
    right, infinity is not.
    """
    head = make_head(
        type=F16,
        extents=(2, 7, 7),
        outputs=3,
        weight=np.full((3, 2, 7, 7), 2000, np.float16),
    )
    result = run(tmp_path, head.model)
    if result.rewritten:
        assert_sound(result)
        x = np.full((1, 2, 7, 7), 2.0**-8, np.float16)
        for runtime in (OnnxRuntime, Reference):
            old, new = (
                ask(m, {"x": x}, runtime)[0]
                for m in (result.before, result.after)
            )
            np.testing.assert_allclose(wide(old), wide(new), rtol=2.0**-8)
    else:
        assert_refused(result, "dense", "L4")


def test_d09_f16_sum_of_weights_fits(tmp_path):
    """49 times 1300 is 63700, which f16 rounds to 63712."""
    head = make_head(
        type=F16,
        extents=(2, 7, 7),
        outputs=3,
        weight=np.full((3, 2, 7, 7), 1300, np.float16),
    )
    result = run(tmp_path, head.model)
    assert result.rewritten == ["dense"], verdicts(result)
    assert_sound(result)
    weight = constant_value(
        result.after.graph, assert_dense_kept(result, "dense").input[1]
    )
    assert weight.dtype == np.float16 and (weight == np.float16(63712)).all()
    assert_equivalent(result.before, result.after, ["dense"], scale=2.0**-7)


def test_d09_condition_names_the_pooled_sum(tmp_path):
    """Four times 3e38 overflows where four products with 0.1 do not: the
    rewrite is exact only while that sum is finite.
    """
    head = make_head(
        extents=(1, 2, 2),
        outputs=1,
        weight=np.full((1, 1, 2, 2), 0.1, F),
        dense="matmul",
    )
    result = run(tmp_path, head.model)
    assert_rewritten(result, head)
    assert "finite" in result.head("dense")["condition"].lower()


# ----------------------------------------------------------------------------
# D12: Flatten's axis
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [2, 1])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, 3, 4, -4, -3, -2, -1])
def test_d12_flatten_axis(tmp_path, axis, batch):
    """axis runs from -r to r; r and below 0 were normalised wrongly."""
    cut = 1 if axis is None else axis + 4 if axis < 0 else axis
    shape = [batch, 3, 2, 2]
    rows, columns = (
        int(np.prod(shape[:cut], dtype=int)),
        int(np.prod(shape[cut:], dtype=int)),
    )
    g = Graph(13)
    f = g.node(
        "Flatten",
        [g.input("x", shape)],
        **({} if axis is None else {"axis": axis}),
    )
    g.node("MatMul", [f, g.init(np.full((columns, 3), 0.5, F))], "y", "dense")
    g.output("y", [rows, 3])
    result = run(tmp_path, g.model())
    if cut == 1:
        expect_rewritten(result, "dense")
    elif cut == 0 and batch == 1 and result.rewritten:
        expect_rewritten(result, "dense")
    else:
        assert_not_a_head(result, "dense")
        x = np.random.RandomState(0).standard_normal(shape).astype(F)
        assert ask(result.after, {"x": x}, OnnxRuntime)[0].shape == (rows, 3)


def test_d12_negative_axis_below_opset_11(tmp_path):
    """Not allowed there: a clean error, no output."""
    g = Graph(9)
    f = g.node("Flatten", [g.input("x", [2, 3, 2, 2])], axis=1)
    g.node("MatMul", [f, g.init(np.full((12, 3), 0.5, F))], "y", "dense")
    g.output("y", [2, 3])
    model = g.model()
    model.graph.node[0].attribute[0].i = -3
    assert not passes_checker(model)
    run(tmp_path, model, rc=1)


# ----------------------------------------------------------------------------
# D13: Transposes that are none
# ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "turn",
    ["none", "identity", "swap", "default", "transB", "swap_transB", "twice"],
)
@pytest.mark.parametrize(
    "equal_along_k", [True, False], ids=["rows_equal", "columns_equal"]
)
def test_d13_transpose_of_a_square_weight(tmp_path, equal_along_k, turn):
    """The operator's name was read, its perm was not. 4 x 4, so that no shape
    objects.
    """
    column = np.array([0.5, -1.25, 2.0, 0.75], F)
    weight = np.ascontiguousarray(
        np.broadcast_to(column if equal_along_k else column[:, None], (4, 4))
    )
    g = Graph()
    f = flat(g, g.input("x", [4, 1, 2, 2]))
    w = g.init(weight, "W")
    if turn == "identity":
        w = g.node("Transpose", [w], perm=[0, 1])
    elif turn in ("swap", "swap_transB"):
        w = g.node("Transpose", [w], perm=[1, 0])
    elif turn == "default":
        w = g.node("Transpose", [w])
    elif turn == "twice":
        w = g.node("Transpose", [g.node("Transpose", [w])], perm=[1, 0])
    g.gemm([f, w], "y", "dense", transB=int(turn in ("transB", "swap_transB")))
    g.output("y", [4, 4])
    result = run(tmp_path, g.model())
    if equal_along_k == (turn in ("none", "identity", "swap_transB", "twice")):
        expect_rewritten(result, "dense")
    else:
        assert_refused(result, "dense", "L6")


@pytest.mark.parametrize("perm", [[0, 1], [1, 0], None], ids=str)
def test_d13_transpose_of_the_flat_value(tmp_path, perm):
    """The same on the data side: a real transpose of [4, 4] makes samples of
    features.
    """
    g = Graph()
    f = g.node(
        "Transpose",
        [flat(g, g.input("x", [4, 1, 2, 2]))],
        **({"perm": perm} if perm else {}),
    )
    g.gemm([f, g.init(np.full((4, 3), 0.5, F))], "y", "dense")
    g.output("y", [4, 3])
    result = run(tmp_path, g.model())
    if perm == [0, 1]:
        expect_rewritten(result, "dense")
    else:
        assert_not_a_head(result, "dense")


# ----------------------------------------------------------------------------
# D14: heads that are pooled already
# ----------------------------------------------------------------------------


def pooled_head(opset, pool, batch="N", width=3):
    """[N, 3, 2, 4] -> pool -> Gemm with weights that vary."""
    g = Graph(opset)
    x = g.node("Relu", [g.input("x", [batch, 3, 2, 4])])
    f = pool(g, x)
    weight = np.random.RandomState(0).standard_normal((5, width)).astype(F)
    g.gemm(
        [f, g.init(weight), g.init(np.arange(5, dtype=F))],
        "y",
        "dense",
        transB=1,
    )
    g.output("y", [None, 5])
    return g.model()


POOLED = {
    "opset13-attribute": (
        13,
        lambda g, x: flat(g, g.node("ReduceMean", [x], axes=[2, 3])),
    ),
    "opset17-negative": (
        17,
        lambda g, x: flat(g, g.node("ReduceMean", [x], axes=[-2, -1])),
    ),
    "opset18-input": (
        18,
        lambda g, x: g.node("ReduceMean", [x, g.ints([-1, -2])], keepdims=0),
    ),
    "opset18-constant": (
        18,
        lambda g, x: flat(
            g, g.node("ReduceMean", [x, g.constant(np.array([2, 3], np.int64))])
        ),
    ),
    "opset11-keepdims0": (
        11,
        lambda g, x: g.node("ReduceMean", [x], axes=[3, 2], keepdims=0),
    ),
    "global-flatten": (
        17,
        lambda g, x: flat(g, g.node("GlobalAveragePool", [x])),
    ),
    "global-squeeze": (
        17,
        lambda g, x: g.squeeze(g.node("GlobalAveragePool", [x]), [2, 3]),
    ),
    "global-reshape": (
        17,
        lambda g, x: g.node(
            "Reshape", [g.node("GlobalAveragePool", [x]), g.ints([-1, 3])]
        ),
    ),
}


@pytest.mark.parametrize("how", POOLED)
def test_d14_already_pooled(tmp_path, how):
    """ReduceMean's axes are an attribute up to opset 17; looked for in one
    place only, everything was reduced.
    """
    opset, pool = POOLED[how]
    result = run(tmp_path, pooled_head(opset, pool))
    assert_unchanged(result)
    assert result.head("dense")["verdict"] == "pooled"
    assert result.report["heads_already_pooled"] == 1


def test_d14_mean_over_other_axes(tmp_path):
    """axes=[1, 2] on [N, C, H, W] leaves the width: nothing to rename, nothing
    to rewrite.
    """
    result = run(
        tmp_path,
        pooled_head(
            13,
            lambda g, x: g.node("ReduceMean", [x], axes=[1, 2], keepdims=0),
            width=4,
        ),
    )
    assert_unchanged(result)


def test_d14_mean_over_the_batch_too(tmp_path):
    """Without axes the samples are averaged as well."""
    result = run(
        tmp_path,
        pooled_head(
            13, lambda g, x: flat(g, g.node("ReduceMean", [x])), width=1
        ),
    )
    assert_unchanged(result)
    assert all(h["verdict"] != "pooled" for h in result.heads)


def test_d14_axes_arrive_at_run_time(tmp_path):
    def pool(g, x):
        return flat(
            g,
            g.node("ReduceMean", [x, g.input("axes", [2], TensorProto.INT64)]),
        )

    result = run(tmp_path, pooled_head(18, pool))
    assert_unchanged(result)
    assert all(h["verdict"] != "pooled" for h in result.heads)


def test_d14_noop_with_empty_axes(tmp_path):
    """Empty axes and the attribute: no reduction at all, so this is a plain
    head with weights that vary.
    """

    def pool(g, x):
        return flat(
            g, g.node("ReduceMean", [x, g.ints([])], noop_with_empty_axes=1)
        )

    result = run(tmp_path, pooled_head(18, pool, width=24))
    assert_unchanged(result)
    assert all(h["verdict"] != "pooled" for h in result.heads)


def test_d14_mean_of_the_height_only(tmp_path):
    """Pooled along H already; the weights do not vary along W, so the rest can
    be pooled too.
    """
    g = Graph(17)
    f = flat(g, g.node("ReduceMean", [g.input("x", ["N", 3, 2, 4])], axes=[2]))
    g.gemm([f, g.init(blocks(12, 5, 4).T.copy())], "y", "dense", transB=1)
    g.output("y", ["N", 5])
    expect_rewritten(run(tmp_path, g.model()), "dense")


# ----------------------------------------------------------------------------
# D15: nothing else is lost
# ----------------------------------------------------------------------------


class Vendor(OpRun):
    """The custom operator of the model below, so that the reference evaluator
    can run it.
    """

    op_domain = "vendor.example"

    def _run(self, x, strength=None):
        return (x * strength,)


def densified(model):
    """A copy with the sparse initialiser of ``rich_model`` written out."""
    dense = onnx.ModelProto()
    dense.CopyFrom(model)
    (sparse,) = dense.graph.sparse_initializer
    values = np.zeros(list(sparse.dims), F)
    values[numpy_helper.to_array(sparse.indices)] = numpy_helper.to_array(
        sparse.values
    )
    dense.graph.initializer.append(
        numpy_helper.from_array(values, sparse.values.name)
    )
    del dense.graph.sparse_initializer[:]
    return dense


def rich_model(legal=True):
    """A head among everything a model can carry; ``legal`` says whether its
    weights allow the rewrite.
    """
    g = Graph(17, ir=8, name="rich")
    g.imports += [("local", 1), ("vendor.example", 3), ("ai.onnx.ml", 3)]
    body = [helper.make_node("Mul", ["a", "a"], ["b"], doc_string="a square")]
    square = helper.make_function(
        "local", "Square", ["a"], ["b"], body, [helper.make_opsetid("", 17)]
    )
    square.doc_string = "squares"
    g.functions.append(square)
    x = g.input("x", ["N", 2, 2, 2])
    side = g.input("side", ["N", 4])
    r = g.node("Relu", [x], "r", "front")
    f = flat(g, r, "f")
    weight = (
        blocks(8, 3, 4)
        if legal
        else np.random.RandomState(0).standard_normal((8, 3)).astype(F)
    )
    m = g.node("MatMul", [f, g.init(weight, "W")], "m", "dense")
    g.add(m, g.init(np.array([1, 2, 3], F), "b"), "y", "bias")
    g.output("y", ["N", 3])
    s = g.node("Square", [side], "s", "call", domain="local")
    t = g.node("Add", [s, "sparse"], "t", "add_sparse")
    g.node("Vendor", [t], "v", "custom", domain="vendor.example", strength=2.0)
    g.output("v", ["N", 4])
    for name, shape in (
        ("r", ["N", 2, 2, 2]),
        ("f", ["N", 8]),
        ("m", ["N", 3]),
        ("s", ["N", 4]),
    ):
        g.value_info.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        )
    g.value_info[0].doc_string = "after Relu"
    model = helper.make_model(
        g.graph(),
        functions=g.functions,
        opset_imports=[helper.make_opsetid(*i) for i in g.imports],
        ir_version=8,
    )
    values = helper.make_tensor("sparse", TensorProto.FLOAT, [2], [1.0, -1.0])
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(
            values,
            helper.make_tensor("sparse_at", TensorProto.INT64, [2], [0, 3]),
            [4],
        )
    )
    (
        model.doc_string,
        model.graph.doc_string,
        model.graph.input[0].doc_string,
    ) = "of the model", "of the graph", "of the input"
    (
        model.model_version,
        model.domain,
        model.producer_name,
        model.producer_version,
    ) = 7, "example.domain", "someone", "0.1"
    helper.set_model_props(model, {"author": "someone", "empty": ""})
    note = model.graph.quantization_annotation.add(tensor_name="r")
    note.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="b")
    for i, node in enumerate(model.graph.node):
        node.doc_string = f"of node {i}"
        node.metadata_props.add(key="place", value=str(i))
    onnx.checker.check_model(
        model
    )  # its strict shape inference has no rule for Add with a sparse operand
    return model


def test_d15_nothing_else_is_lost(tmp_path):
    """Doc strings, metadata, functions, sparse tensors, domains were dropped on
    the way through.
    """
    result = run(tmp_path, rich_model())
    assert result.rewritten == ["dense"], verdicts(result)
    assert_sound(result)
    before, after = result.before, result.after
    for f in before.DESCRIPTOR.fields:
        if f.name != "graph":
            assert getattr(after, f.name) == getattr(before, f.name), f.name
    b, a = before.graph, after.graph
    for f in b.DESCRIPTOR.fields:
        if f.name not in ("node", "initializer", "value_info"):
            assert getattr(a, f.name) == getattr(b, f.name), f.name
    # Every node but the Flatten is there, in the old order, and equal but for
    # two inputs of the dense layer.
    new = {n.name: n for n in a.node if n.name}
    survivors = [n for n in b.node if n.op_type != "Flatten"]
    for node in survivors:
        if node.name != "dense":
            assert new[node.name] == node
    assert_dense_kept(result, "dense")
    order = [n.name for n in a.node if n.name in {s.name for s in survivors}]
    assert order == [n.name for n in survivors]
    old_tensors, new_tensors = (
        {i.name: i for i in g.initializer} for g in (b, a)
    )
    assert new_tensors["b"] == old_tensors["b"] and "W" not in new_tensors
    old_info, new_info = ({v.name: v for v in g.value_info} for g in (b, a))
    for name in ("r", "m", "s"):
        assert new_info[name] == old_info[name]
    assert "f" not in new_info or "f" in [o for n in a.node for o in n.output]
    # And it runs. The evaluator has no sparse tensors, so both models get the
    # same numbers as a dense one for that.
    assert_equivalent(
        densified(before), densified(after), ["dense"], ops=[Vendor]
    )


def test_d15_refused_model_is_the_same_file(tmp_path):
    result = run(tmp_path, rich_model(legal=False))
    assert_refused(result, "dense", "L6")


def external_model(directory, legal=True):
    """Two tensors of 4 KiB and more in sub/w.bin, at offsets; the head uses the
    second.
    """
    sub = directory / "sub"
    sub.mkdir(parents=True)
    other = np.random.RandomState(1).standard_normal((32, 32)).astype(F)
    weight = (
        blocks(32 * 4 * 4, 3, 16)
        if legal
        else np.random.RandomState(2).standard_normal((512, 3)).astype(F)
    )
    g = Graph()
    g.node(
        "MatMul",
        [flat(g, g.input("x", ["N", 32, 4, 4])), g.init(weight, "W")],
        "y",
        "dense",
    )
    g.node(
        "MatMul",
        [g.input("z", ["N", 32]), g.init(other, "other")],
        "v",
        "plain",
    )
    g.output("y", ["N", 3])
    g.output("v", ["N", 32])
    model = g.model()
    blob = b"\xaa" * 64
    for tensor in (model.graph.initializer[1], model.graph.initializer[0]):
        data = tensor.raw_data
        onnx.external_data_helper.set_external_data(
            tensor, "sub/w.bin", offset=len(blob), length=len(data)
        )
        tensor.ClearField("raw_data")
        blob += data + b"\xbb" * 32
    (sub / "w.bin").write_bytes(blob)
    onnx.save(model, directory / "model.onnx")
    onnx.checker.check_model(str(directory / "model.onnx"), full_check=True)
    return directory / "model.onnx"


def answers(path):
    """What a file with external data answers in ONNX Runtime, which reads it
    from where the file says.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = (
        ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    )
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    random = np.random.RandomState(0)
    return session.run(
        None,
        {
            "x": random.standard_normal((2, 32, 4, 4)).astype(F),
            "z": random.standard_normal((2, 32)).astype(F),
        },
    )


@pytest.mark.parametrize("legal", [True, False], ids=["rewritten", "refused"])
@pytest.mark.parametrize(
    "where", ["other_cwd", "bare_name", "other_folder", "relative_folder"]
)
def test_d15_external_data(tmp_path, where, legal):
    """The data file was looked for in the working directory, left behind, or a
    bare file name crashed the tool.
    """
    source = external_model(tmp_path / "models", legal)
    kept = {
        p: p.read_bytes() for p in (source, source.parent / "sub" / "w.bin")
    }
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    target, arguments, cwd = {
        "other_cwd": (
            source.parent / "out.onnx",
            [source, "-o", source.parent / "out.onnx"],
            elsewhere,
        ),
        "bare_name": (
            source.parent / "out.onnx",
            ["model.onnx", "-o", "out.onnx"],
            source.parent,
        ),
        "other_folder": (
            elsewhere / "out.onnx",
            [source, "-o", elsewhere / "out.onnx"],
            tmp_path,
        ),
        "relative_folder": (
            elsewhere / "deep" / "out.onnx",
            ["../models/model.onnx", "-o", "deep/out.onnx"],
            elsewhere,
        ),
    }[where]
    done = invoke([*arguments, f"--report={tmp_path / 'r.json'}"], cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert {p: p.read_bytes() for p in kept} == kept, "the input was touched"
    onnx.checker.check_model(str(target), full_check=True)
    old, new = answers(source), answers(target)
    np.testing.assert_allclose(old[0], new[0], rtol=0, atol=1e-4)
    np.testing.assert_array_equal(old[1], new[1])
    assert (
        len(onnx.load(target, load_external_data=False).graph.initializer) == 2
    )
    assert (target.read_bytes() == kept[source]) == (
        not legal
    ) or where.endswith("folder")


@pytest.mark.parametrize("location", ["../secret.bin", "sub/../../secret.bin"])
def test_d15_external_data_outside_is_refused(tmp_path, location):
    """A file name that climbs out of the model's folder is not followed."""
    source = external_model(tmp_path / "models")
    (tmp_path / "secret.bin").write_bytes(bytes(1 << 16))
    model = onnx.load(source, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    source.write_bytes(model.SerializeToString())
    run(tmp_path / "models", source, rc=1)


def test_d15_external_data_is_missing(tmp_path):
    source = external_model(tmp_path / "models")
    (source.parent / "sub" / "w.bin").unlink()
    run(tmp_path / "models", source, rc=1)


def test_d15_same_path_in_and_out(tmp_path):
    """The output replaces the input."""
    head = make_head()
    path = tmp_path / "model.onnx"
    onnx.save(head.model, path)
    done = invoke([path, "-o", path, f"--report={tmp_path / 'r.json'}"])
    assert done.returncode == 0, done.stderr
    after = onnx.load(path)
    onnx.checker.check_model(after, full_check=True)
    assert (
        pooling_node(after.graph, find_node(after.graph, "dense")).op_type
        == "GlobalAveragePool"
    )
    assert_equivalent(head.model, after, ["dense"])


# ----------------------------------------------------------------------------
# D16: names
# ----------------------------------------------------------------------------


def nameless_model(main="unrelated", inner="inner_unrelated", given="x0"):
    """Two legal heads, and one in a branch of an If; no node has a name, three
    values have the names that are asked for.
    """
    then = Graph(name="then")
    then.node("Tanh", ["third"], inner)
    branch = then.gemm(
        [
            flat(then, "third", "branch_flat"),
            then.init(blocks(8, 3, 4, 3).T.copy(), "branch_w"),
        ],
        "branch_y",
        transB=1,
    )
    then.node("ReduceMean", [inner], "branch_mean", axes=[1, 2, 3], keepdims=0)
    then.node(
        "Unsqueeze",
        ["branch_mean", then.ints([1], "branch_axes")],
        "branch_column",
    )
    then.node("Add", [branch, "branch_column"], "then_out")
    then.output("then_out")
    other = Graph(name="else")
    other.node(
        "Gemm",
        [
            flat(other, "third", "else_flat"),
            other.init(
                np.random.RandomState(9).standard_normal((8, 3)).astype(F),
                "else_w",
            ),
        ],
        "else_out",
    )
    other.output("else_out")

    g = Graph()
    x, z = g.input(given, ["N", 2, 2, 2]), g.input("z0", ["N", 2, 2, 2])
    g.input("third", ["N", 2, 2, 2])
    condition = g.input("condition", [], TensorProto.BOOL)
    g.gemm(
        [flat(g, x, "f1"), g.init(blocks(8, 3, 4, 1).T.copy(), "w1")],
        "y1",
        transB=1,
    )
    g.node("Tanh", [x], main)
    g.node("MatMul", [flat(g, z, "f2"), g.init(blocks(8, 3, 4, 2), "w2")], "y2")
    g.node(
        "If",
        [condition],
        "y3",
        then_branch=then.graph(),
        else_branch=other.graph(),
    )
    g.node("Neg", [main], "y4")
    for y in ("y1", "y2"):
        g.output(y, ["N", 3])
    g.output("y3")
    g.output("y4", ["N", 2, 2, 2])
    return g.model()


def value_names(model):
    return {
        name
        for graph in graphs(model.graph)
        for name in [o for n in graph.node for o in n.output]
        + [i.name for i in graph.initializer]
        + [i.name for i in graph.input]
    }


def check_nameless(result):
    assert {"y1", "y2"} <= set(result.rewritten), verdicts(result)
    assert_sound(result)
    seen = set()
    for graph in graphs(result.after.graph):
        for name in [o for n in graph.node for o in n.output if o] + [
            i.name for i in graph.initializer
        ]:
            assert name not in seen, f"{name} is defined twice"
            seen.add(name)
    main = [h for h in result.rewritten if h in ("y1", "y2")]
    for condition in (True, False):
        given = {"condition": np.array(condition)}
        assert_equivalent(
            result.before,
            result.after,
            main,
            given=given,
            tolerance={"y3": 1e-5},
            scale=1.0,
        )


def test_d16_names_do_not_collide(tmp_path):
    """Invented names met existing ones, and a map keyed by the empty node name
    put nodes into the wrong graph.

    Each name the tool invents is given to an existing value of the main graph,
    of a branch, and to a graph input, and the tool runs again.
    """
    first = run(tmp_path, nameless_model(), name="first.onnx")
    check_nameless(first)
    invented = sorted(value_names(first.after) - value_names(first.before))
    assert len(invented) >= 4, "two heads were rewritten without new values?"
    for turn in range(len(invented)):
        main, inner, given = (
            invented[(turn + i) % len(invented)] for i in range(3)
        )
        again = run(
            tmp_path,
            nameless_model(main, inner, given),
            name=f"turn{turn}.onnx",
        )
        check_nameless(again)


def test_d16_head_in_a_branch(tmp_path):
    """The head inside the If is rewritten, or listed as refused; it is not
    corrupted either way.
    """
    result = run(tmp_path, nameless_model())
    check_nameless(result)
    if "branch_y" not in result.rewritten:
        assert all(
            h["verdict"] == "refused"
            for h in result.heads
            if h["node"] == "branch_y"
        )
    assert "else_out" not in result.rewritten, "those weights vary"


def test_d16_branch_uses_the_weight_of_the_outer_graph(tmp_path):
    """The branch reads W of the main graph: it stays although no node of the
    main graph uses it any more.
    """
    then, other = Graph(name="then"), Graph(name="else")
    then.node("MatMul", ["z", "W"], "then_out")
    then.output("then_out")
    other.node("Neg", [other.node("MatMul", ["z", "W"], "product")], "else_out")
    other.output("else_out")
    g = Graph()
    g.node(
        "MatMul",
        [flat(g, g.input("x", ["N", 2, 2, 2])), g.init(blocks(8, 3, 4), "W")],
        "y",
        "dense",
    )
    g.input("z", ["N", 8])
    g.node(
        "If",
        [g.input("condition", [], TensorProto.BOOL)],
        "v",
        then_branch=then.graph(),
        else_branch=other.graph(),
    )
    g.output("y", ["N", 3])
    g.output("v")
    result = run(tmp_path, g.model())
    expect_rewritten(result, "dense", given={"condition": np.array(True)})
    assert "W" in [i.name for i in result.after.graph.initializer]


def test_d16_flat_value_is_read_by_a_branch(tmp_path):
    """The Flatten of the main graph has its other user inside an If."""
    then, other = Graph(name="then"), Graph(name="else")
    then.node("Tanh", ["f"], "then_out")
    then.output("then_out")
    other.node("Neg", ["f"], "else_out")
    other.output("else_out")
    g = Graph()
    f = flat(g, g.input("x", ["N", 2, 2, 2]), "f")
    g.node("MatMul", [f, g.init(blocks(8, 3, 4))], "y", "dense")
    g.node(
        "If",
        [g.input("condition", [], TensorProto.BOOL)],
        "v",
        then_branch=then.graph(),
        else_branch=other.graph(),
    )
    g.output("y", ["N", 3])
    g.output("v")
    result = run(tmp_path, g.model())
    expect_rewritten(result, "dense", given={"condition": np.array(False)})
    assert "f" in [o for n in result.after.graph.node for o in n.output]


def test_d16_several_heads_in_one_model(tmp_path):
    """Twelve heads, all nameless: every new value has a name of its own."""
    g = Graph()
    for i in range(12):
        g.gemm(
            [
                flat(g, g.input(f"x{i}", ["N", 2, 2, 2])),
                g.init(blocks(8, 3, 4, i).T.copy()),
            ],
            f"y{i}",
            transB=1,
        )
        g.output(f"y{i}", ["N", 3])
    result = run(tmp_path, g.model())
    expect_rewritten(result, *(f"y{i}" for i in range(12)))


# ----------------------------------------------------------------------------
# The short ones
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True])
def test_more_dropout_mask_is_a_graph_output(tmp_path, training):
    """The mask lost its node; it has to stay, and to stay all true."""
    g = Graph(13)
    f = flat(g, g.input("x", ["N", 2, 2, 2]))
    kept = g.node(
        "Dropout",
        [f, g.init(np.array(0.5, F)), g.init(np.array(training))],
        ["kept", "mask"],
    )
    g.node("MatMul", [kept, g.init(blocks(8, 3, 4))], "y", "dense")
    g.output("y", ["N", 3])
    g.output("mask", ["N", 8], TensorProto.BOOL)
    result = run(tmp_path, g.model())
    if training:
        assert_refused(result, "dense", "L1")
        return
    expect_rewritten(result, "dense")
    mask = ask(result.after, {"x": np.ones((2, 2, 2, 2), F)}, OnnxRuntime)[1]
    assert mask.shape == (2, 8) and mask.all()


def test_more_matmul_without_add_stays_matmul_at_opset_9(tmp_path):
    """A Gemm without C is legal from opset 11 on only; so is nothing else that
    would raise the opset.
    """
    head = make_head(opset=9, dense="matmul")
    result = run(tmp_path, head.model)
    assert_rewritten(result, head)
    assert "Gemm" not in [n.op_type for n in result.after.graph.node]
    assert (
        result.after.opset_import[0].version == 9
        and result.after.ir_version == head.model.ir_version
    )


@pytest.mark.parametrize(
    "dense", ["gemm_no_bias", "gemm_empty_bias", "gemm_scalar_bias"]
)
def test_more_gemm_without_bias(tmp_path, dense):
    """No C, an empty name as C, a C of rank 0: each crashed a matcher."""
    head = make_head(dense=dense)
    assert_rewritten(run(tmp_path, head.model), head)


def test_more_allowzero_of_a_flatten(tmp_path):
    """[0, -1] is a Flatten while allowzero is 0."""
    for collapse in (
        lambda g, x, s: g.node("Reshape", [x, g.ints([0, -1])], allowzero=0),
        lambda g, x, s: g.node("Reshape", [x, g.ints([0, 24])]),
    ):
        head = make_head(collapse=collapse)
        assert_rewritten(run(tmp_path, head.model), head)


def test_more_allowzero_is_literal(tmp_path):
    """[0, 24] with allowzero=1 asks for an empty batch. Nothing else may be
    made of it, and nothing has to be.
    """
    g = Graph(17)
    f = g.node(
        "Reshape", [g.input("x", ["N", 3, 2, 4]), g.ints([0, 24])], allowzero=1
    )
    g.node("MatMul", [f, g.init(np.full((24, 5), 0.5, F))], "y", "dense")
    g.output("y")
    model = g.model()
    result = run(tmp_path, model)
    assert_not_a_head(result, "dense")


@pytest.mark.parametrize(
    "collapse", ["flatten", "reshape_m1_k", "transpose_flatten"]
)
@pytest.mark.parametrize("vary", [(1,), (1, 2)], ids=["global", "width_only"])
def test_more_empty_batch(tmp_path, collapse, vary):
    """N = 0 ran before and has to run after: [0, O]."""
    head = make_head(collapse=collapse, vary=vary)
    result = run(tmp_path, head.model)
    assert_rewritten(result, head)
    for model in (result.before, result.after):
        assert ask(model, {"x": np.zeros((0, 3, 2, 4), F)}, OnnxRuntime)[
            0
        ].shape == (0, 5)


@pytest.mark.parametrize(
    "elsewhere", [False, True], ids=["alone", "used_elsewhere"]
)
def test_more_weight_behind_reshape(tmp_path, elsewhere):
    """CNTK's form: [2, 2, 2, 3] behind Reshape([8, 3]). The constant dangled
    once its parent was gone.
    """
    g = Graph()
    parent = g.init(blocks(8, 3, 4).reshape(2, 2, 2, 3), "P")
    weight = g.node("Reshape", [parent, g.ints([8, 3])])
    g.node(
        "MatMul", [flat(g, g.input("x", ["N", 2, 2, 2])), weight], "y", "dense"
    )
    g.output("y", ["N", 3])
    if elsewhere:
        g.node("Exp", [parent], "e")
        g.output("e", [2, 2, 2, 3])
    result = run(tmp_path, g.model())
    expect_rewritten(result, "dense")
    assert (
        "P" in [i.name for i in result.after.graph.initializer]
    ) == elsewhere


def test_more_dense_per_position(tmp_path):
    """MatMul on rank 3 is no Gemm, although K equals C."""
    g = Graph()
    f = g.node("Reshape", [g.input("x", ["N", 2, 2, 2]), g.ints([0, 4, 2])])
    g.node("MatMul", [f, g.init(np.full((2, 3), 0.5, F))], "y", "dense")
    g.output("y", ["N", 4, 3])
    assert_not_a_head(run(tmp_path, g.model()), "dense")


@pytest.mark.parametrize("opset", [11, 13])
def test_more_softmax_behind_the_head(tmp_path, opset):
    """Softmax below opset 13 flattens what follows axis 1; the answer has to
    stay [N, O].
    """
    g = Graph(opset)
    m = g.node(
        "MatMul",
        [flat(g, g.input("x", ["N", 2, 2, 2])), g.init(blocks(8, 3, 4))],
        None,
        "dense",
    )
    g.node("Softmax", [m], "y", axis=1)
    g.output("y", ["N", 3])
    expect_rewritten(run(tmp_path, g.model()), "dense")


@pytest.mark.parametrize("opset", [11, 13])
def test_more_softmax_in_front_of_nothing(tmp_path, opset):
    """GlobalAveragePool -> Flatten -> Softmax: without a dense layer there is
    no head, and the Flatten stays.
    """
    g = Graph(opset)
    g.node(
        "Softmax",
        [flat(g, g.node("GlobalAveragePool", [g.input("x", ["N", 3, 2, 2])]))],
        "y",
        axis=1,
    )
    g.output("y", ["N", 3])
    assert_unchanged(run(tmp_path, g.model()))


def test_more_nodes_stay_in_topological_order(tmp_path):
    """Users of the new values stand where they stood: far from the Flatten,
    with unrelated nodes in between, one of them behind a head.
    """
    g = Graph()
    x = g.input("x", ["N", 2, 2, 2])
    f = flat(g, x)
    other = g.input("other", ["N", 3])
    for _ in range(3):
        other = g.node("Neg", [other])
    z = g.node("Relu", [x])
    first = g.node("MatMul", [f, g.init(blocks(8, 3, 4))], "m1", "first")
    mixed = g.node("Add", [first, other], "mixed")
    second = g.node(
        "MatMul", [flat(g, z), g.constant(blocks(8, 3, 4, 5))], "m2", "second"
    )
    g.node("Add", [mixed, second], "y")
    g.output("y", ["N", 3])
    result = run(tmp_path, g.model())
    expect_rewritten(result, "first", "second")
    known = {i.name for i in result.after.graph.input} | {
        i.name for i in result.after.graph.initializer
    }
    for node in result.after.graph.node:
        assert set(node.input) - {""} <= known, (
            f"{node.op_type} stands before {set(node.input) - known}"
        )
        known |= set(node.output)


def test_more_minus_zero(tmp_path):
    """-0.0 among zeros. Bits differ, numbers do not: either verdict, as long as
    the answer stays.
    """
    weight = np.zeros((5, 3, 2, 4), F)
    weight[2, 1, 1, 2] = -0.0
    result = run(tmp_path, make_head(weight=weight).model)
    if result.rewritten:
        assert_sound(result)
        assert_equivalent(result.before, result.after, ["dense"])
    else:
        assert_refused(result, "dense", "L6")


def test_more_zero_times_infinity_is_not_folded(tmp_path):
    """All-zero weights: 0 * x stays in the file, so that NaN in the map still
    shows.
    """
    head = make_head(weight=np.zeros((5, 3, 2, 4), F), dense="matmul")
    result = run(tmp_path, head.model)
    assert_rewritten(result, head)
    x = np.ones((1, 3, 2, 4), F)
    x[0, 1, 1, 1] = np.nan
    for model in (result.before, result.after):
        assert np.isnan(ask(model, {"x": x}, Reference)[0]).all()


@pytest.mark.parametrize("per_channel", [False, True])
def test_more_quantised_map(tmp_path, per_channel):
    """Quantize and Dequantize between Flatten and the dense layer. Per tensor
    they may move in front of the mean; per k they may not.
    """
    g = Graph(13)
    f = flat(g, g.input("x", ["N", 3, 2, 4]))
    if per_channel:
        scale, zero = (
            g.init(np.linspace(0.01, 0.05, 24, dtype=F)),
            g.init(np.zeros(24, np.int8)),
        )
    else:
        scale, zero = g.init(np.array(0.03, F)), g.init(np.array(5, np.int8))
    q = g.node("QuantizeLinear", [f, scale, zero])
    d = g.node("DequantizeLinear", [q, scale, zero])
    g.gemm([d, g.init(as_matrix_of_runs())], "y", "dense", transB=1)
    g.output("y", ["N", 5])
    result = run(tmp_path, g.model())
    assert_well_formed(result.report)
    if per_channel or not result.rewritten:
        assert_not_a_head(result, "dense")
    else:
        assert_sound(result)
        assert_equivalent(result.before, result.after, ["dense"])


def as_matrix_of_runs():
    return np.ascontiguousarray(blocks(24, 5, 8).T)


def test_more_integer_mean(tmp_path):
    """The mean of two INT32_MAX has no agreed answer."""
    g = Graph(13)
    x = g.input("x", ["N", 2, 2, 2], TensorProto.INT32)
    g.node(
        "MatMul",
        [flat(g, x), g.init(np.full((8, 3), 2, np.int32))],
        "y",
        "dense",
    )
    g.output("y", ["N", 3], TensorProto.INT32)
    assert_refused(run(tmp_path, g.model()), "dense", "L5")


def test_more_second_run_finds_nothing(tmp_path):
    """What was rewritten is pooled now: the second run leaves the file as it
    is.
    """
    first = run(tmp_path, make_head().model)
    assert first.rewritten
    second = run(tmp_path, first.target, out="again.onnx")
    assert_unchanged(second)
    assert second.head("dense")["verdict"] == "pooled"
    assert second.report["heads_already_pooled"] == 1
