# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Heads that are pooled already, in every spelling: what is a global average is
counted and left alone, what looks like one is not taken for one, and what
``raise-to-gap`` makes of each answers as before.
"""

import numpy as np
import onnx
import pytest
from headopt import (
    BF16,
    F16,
    F32,
    F64,
    Graph,
    OnnxRuntime,
    Reference,
    assert_sound,
    assert_unchanged,
    load,
    make_feeds,
    run,
    wide,
)
from onnx import TensorProto

F = np.float32
CHANNELS = 3


# ----------------------------------------------------------------------------
# Building and judging
# ----------------------------------------------------------------------------


def build(
    pool,
    opset=17,
    shape=("N", CHANNELS, 3, 4),
    width=CHANNELS,
    type=F32,
    relu=True,
    head=True,
    output=None,
):
    """x -> Relu -> pool -> [Flatten ->] Gemm with weights that vary."""
    g = Graph(opset, type=type)
    x = g.input("x", list(shape))
    if relu:
        x = g.node("Relu", [x])
    p = pool(g, x)
    g.nodes[-1].name = "last"
    if not head:
        g.nodes[-1].output[0] = "y"
        g.output("y", output)
        return g.model()
    f = g.node("Flatten", [p])
    weight = np.random.RandomState(0).standard_normal((5, width))
    bias = np.arange(5)
    g.gemm(
        [f, g.init(weight.astype(type.numpy)), g.init(bias.astype(type.numpy))],
        "y",
        "dense",
        transB=1,
    )
    g.output("y", [None, 5])
    return g.model()


def operators(model):
    return [n.op_type for n in model.graph.node]


def assert_same_answers(before, after, dims=None, given=None):
    """Both models answer alike, in ONNX Runtime without optimisations and in
    ONNX's own evaluator; what differs is the order of sums and the rounding of
    one factor.
    """
    ran = 0
    for kind in (OnnxRuntime, Reference):
        old = load(kind, before)
        if old is None:
            continue
        new = load(kind, after)
        assert new is not None, (
            f"{kind.name} takes the old model and not the new one"
        )
        for what, feeds in make_feeds(before, dims, given, large=100.0):
            try:
                p = old(feeds)
            except Exception:
                if kind is Reference:
                    break
                raise
            q = new(feeds)
            for name in (o.name for o in before.graph.output):
                a, b = p[name], q[name]
                where = f"{kind.name}, {what}, {name}"
                assert a.shape == b.shape and a.dtype == b.dtype, where
                eps = float(np.finfo(a.dtype).eps)
                largest = max(np.abs(wide(v)).max() for v in feeds.values())
                # Terms of a dense output: weights below 4, and few of them.
                bound = 64 * eps * (largest + 1) + 16 * eps * np.abs(wide(a))
                assert (np.abs(wide(a) - wide(b)) <= bound).all(), (
                    f"{where}: off by {np.abs(wide(a) - wide(b)).max():.3g}"
                )
            ran += 1
    assert ran, "no runtime takes the old model"


def assert_pooled(directory, model, **same):
    """Counted as pooled and left alone; raised, it is one GlobalAveragePool and
    answers as before.
    """
    result = run(directory, model)
    assert_unchanged(result)
    assert result.head("dense")["verdict"] == "pooled", result.head("dense")
    assert result.report["heads_already_pooled"] == 1
    assert [h["node"] for h in result.heads] == ["dense"]
    return assert_raised(directory, model, **same)


def assert_raised(directory, model, **same):
    result = run(directory, model, "--raise-to-gap", out="raised.onnx")
    after = result.after
    assert_sound(result)
    assert "GlobalAveragePool" in operators(after)
    assert not set(operators(after)) & {
        "AveragePool",
        "Conv",
        "Div",
        "MatMul",
        "Mul",
        "ReduceMean",
        "ReduceProd",
        "ReduceSum",
    }, operators(after)
    # The value that was the mean has its name, and so has its node.
    old = next(n for n in result.before.graph.node if n.name == "last")
    new = next(n for n in after.graph.node if n.name == "last")
    assert list(old.output) == list(new.output)
    assert_same_answers(result.before, after, **same)
    # A second run finds nothing to do.
    again = run(directory, result.target, "--raise-to-gap", out="again.onnx")
    assert again.unchanged
    return after


def assert_not_raised(directory, model):
    """It is no global average: neither counted nor written as one."""
    result = run(directory, model)
    assert result.report["heads_already_pooled"] == 0, result.heads
    raised = run(directory, model, "--raise-to-gap", out="raised.onnx")
    assert raised.unchanged
    return result


# ----------------------------------------------------------------------------
# Spellings
# ----------------------------------------------------------------------------


def total(g, x, axes, keepdims=1):
    if g.opset < 13:
        return g.node("ReduceSum", [x], axes=axes, keepdims=keepdims)
    return g.node("ReduceSum", [x, g.ints(axes)], keepdims=keepdims)


def number(g, value, shape=()):
    return g.init(np.full(shape, value, g.type.numpy))


def average_pool(**attributes):
    return lambda g, x: g.node("AveragePool", [x], **attributes)


def channels_last(pool):
    return lambda g, x: pool(g, g.node("Transpose", [x], perm=[0, 2, 3, 1]))


def activated_last(pool, activation="Tanh"):
    """Channels last already where the activation is: the map of the mean has no
    other layout.
    """
    return channels_last(lambda g, x: pool(g, g.node(activation, [x])))


def flat_positions(g, x):
    return g.node("Reshape", [x, g.ints([0, CHANNELS, -1])])


def computed_positions(g, x, start=2, end=4):
    axes = [g.slice(g.node("Shape", [x]), start, end)]
    count = g.node("ReduceProd", axes, keepdims=0)
    return g.node("Cast", [count], to=g.type.onnx)


def depthwise(value, shape=(3, 4), bias=None, **attributes):
    def pool(g, x):
        kernel = g.init(np.full((CHANNELS, 1, *shape), value, g.type.numpy))
        inputs = [x, kernel]
        if bias is not None:
            inputs.append(g.init(np.full(CHANNELS, bias, g.type.numpy)))
        return g.node("Conv", inputs, group=CHANNELS, **attributes)

    return pool


SPELLINGS = {
    "attribute": (13, lambda g, x: g.mean(x, [2, 3])),
    "negative": (17, lambda g, x: g.mean(x, [-2, -1])),
    "input": (18, lambda g, x: g.mean(x, [-1, -2], keepdims=0)),
    "noop-flag": (
        18,
        lambda g, x: g.node(
            "ReduceMean", [x, g.ints([2, 3])], noop_with_empty_axes=1
        ),
    ),
    "two-means": (
        13,
        lambda g, x: g.mean(g.mean(x, [3], keepdims=0), [2], keepdims=0),
    ),
    "two-means-kept": (18, lambda g, x: g.mean(g.mean(x, [2]), [3])),
    "merged": (13, lambda g, x: g.mean(flat_positions(g, x), [2])),
    "channels-last": (
        13,
        channels_last(lambda g, x: g.mean(x, [1, 2], keepdims=0)),
    ),
    "channels-last-kept": (18, channels_last(lambda g, x: g.mean(x, [1, 2]))),
    "channels-last-negative": (
        18,
        channels_last(lambda g, x: g.mean(x, [-3, -2], keepdims=0)),
    ),
    "activated-last": (
        13,
        activated_last(lambda g, x: g.mean(x, [1, 2], keepdims=0)),
    ),
    "activated-last-kept": (
        18,
        activated_last(lambda g, x: g.mean(x, [1, 2]), "LeakyRelu"),
    ),
    "activated-last-two-means": (
        13,
        activated_last(lambda g, x: g.mean(g.mean(x, [2]), [1])),
    ),
    "activated-last-sum-div": (
        18,
        activated_last(
            lambda g, x: g.node("Div", [total(g, x, [1, 2], 0), number(g, 12)])
        ),
    ),
    "activated-last-merged": (
        13,
        channels_last(
            lambda g, x: g.mean(
                g.node(
                    "Tanh",
                    [g.node("Reshape", [x, g.ints([0, -1, CHANNELS])])],
                ),
                [1],
                keepdims=0,
            )
        ),
    ),
    "window": (11, average_pool(kernel_shape=[3, 4])),
    "window-strides": (11, average_pool(kernel_shape=[3, 4], strides=[3, 4])),
    "window-valid": (
        11,
        average_pool(kernel_shape=[3, 4], auto_pad="VALID", strides=[2, 2]),
    ),
    "rows-then-columns": (
        13,
        lambda g, x: g.node(
            "AveragePool",
            [g.node("AveragePool", [x], kernel_shape=[3, 1])],
            kernel_shape=[1, 4],
        ),
    ),
    "sum-div": (
        11,
        lambda g, x: g.node("Div", [total(g, x, [2, 3]), number(g, 12)]),
    ),
    "sum-div-dropped": (
        18,
        lambda g, x: g.node(
            "Div", [total(g, x, [-1, -2], keepdims=0), number(g, 12, [1])]
        ),
    ),
    "sum-mul": (
        13,
        lambda g, x: g.node("Mul", [total(g, x, [2, 3]), number(g, 1 / 12)]),
    ),
    "mul-sum": (
        13,
        lambda g, x: g.node("Mul", [number(g, 1 / 12), total(g, x, [2, 3])]),
    ),
    "sum-div-twice": (
        13,
        lambda g, x: g.node(
            "Div",
            [
                total(g, g.node("Div", [total(g, x, [3]), number(g, 4)]), [2]),
                number(g, 3),
            ],
        ),
    ),
    "sum-div-computed": (
        13,
        lambda g, x: g.node(
            "Div", [total(g, x, [2, 3]), computed_positions(g, x)]
        ),
    ),
    "depthwise": (11, depthwise(1 / 12)),
    "depthwise-bias": (11, depthwise(1 / 12, bias=0)),
    "matmul": (
        13,
        lambda g, x: g.node(
            "MatMul", [flat_positions(g, x), number(g, 1 / 12, [12, 1])]
        ),
    ),
    "matmul-vector": (
        13,
        lambda g, x: g.node(
            "MatMul", [flat_positions(g, x), number(g, 1 / 12, [12])]
        ),
    ),
    "matmul-row": (
        13,
        channels_last(
            lambda g, x: g.node(
                "MatMul",
                [
                    number(g, 1 / 12, [1, 12]),
                    g.node("Reshape", [x, g.ints([0, -1, CHANNELS])]),
                ],
            )
        ),
    ),
    "between": (
        13,
        lambda g, x: g.mean(
            g.node("Cast", [g.node("Identity", [x])], to=g.type.onnx), [2, 3]
        ),
    ),
}


@pytest.mark.parametrize("how", SPELLINGS)
def test_spelling(tmp_path, how):
    opset, pool = SPELLINGS[how]
    assert_pooled(tmp_path, build(pool, opset))


@pytest.mark.parametrize(
    "how", ["attribute", "sum-div", "channels-last", "activated-last", "window"]
)
def test_batch_of_one(tmp_path, how):
    """An extent of 1 is no axis that could be told from another."""
    opset, pool = SPELLINGS[how]
    assert_pooled(tmp_path, build(pool, opset, shape=(1, CHANNELS, 3, 4)))


@pytest.mark.parametrize(
    "how",
    ["attribute", "input", "two-means", "sum-div-computed", "activated-last"],
)
def test_unknown_extents(tmp_path, how):
    opset, pool = SPELLINGS[how]
    model = build(pool, opset, shape=("N", CHANNELS, "H", "W"))
    assert_pooled(tmp_path, model, dims={"H": 3, "W": 4})


@pytest.mark.parametrize("extents", [(7,), (2, 3, 4)], ids=["1d", "3d"])
def test_rank(tmp_path, extents):
    axes = list(range(2, 2 + len(extents)))
    model = build(
        lambda g, x: g.mean(x, axes), 13, shape=("N", CHANNELS, *extents)
    )
    assert_pooled(tmp_path, model)


@pytest.mark.parametrize("extents", [(7,), (2, 3, 4)], ids=["1d", "3d"])
def test_rank_channels_last(tmp_path, extents):
    """The Transpose that is written has the rank of the map."""
    rank = 2 + len(extents)

    def pool(g, x):
        last = g.node("Transpose", [x], perm=[0, *range(2, rank), 1])
        axes = list(range(1, rank - 1))
        return g.mean(g.node("Tanh", [last]), axes, keepdims=0)

    model = build(pool, 13, shape=("N", CHANNELS, *extents))
    after = assert_pooled(tmp_path, model)
    assert operators(after) == [
        "Relu",
        "Transpose",
        "Tanh",
        "Transpose",
        "GlobalAveragePool",
        "Flatten",
        "Flatten",
        "Gemm",
    ]


@pytest.mark.parametrize("how", ["groups", "rows"])
def test_map_without_such_axes_stays(tmp_path, how):
    """It is a mean, but GlobalAveragePool keeps two axes, and the map behind
    the activation has three that are kept, or one.
    """

    def pool(g, x):
        if how == "groups":
            target, axes = [0, CHANNELS, 2, 3, 4], [3, 4]
        else:
            target, axes = [-1, 12], [1]
        map = g.node("Reshape", [x, g.ints(target)])
        mean = g.mean(g.node("Tanh", [map]), axes, keepdims=0)
        return g.node("Reshape", [mean, g.ints([-1, 2 * CHANNELS])])

    model = build(pool, 13, ("N", 2 * CHANNELS, 3, 4), width=2 * CHANNELS)
    assert run(tmp_path, model).head("dense")["verdict"] == "pooled"
    assert run(tmp_path, model, "--raise-to-gap").unchanged


def test_rank_of_six_stays(tmp_path):
    """It is a mean, but runtimes have no such GlobalAveragePool."""
    model = build(
        lambda g, x: g.mean(x, [2, 3, 4, 5]),
        13,
        shape=("N", CHANNELS, 2, 2, 2, 2),
    )
    assert run(tmp_path, model).head("dense")["verdict"] == "pooled"
    assert run(tmp_path, model, "--raise-to-gap").unchanged


@pytest.mark.parametrize(
    "type, opset, raised",
    [(F16, 17, True), (F64, 17, False), (BF16, 17, False), (BF16, 22, True)],
    ids=["f16", "f64", "bf16-17", "bf16-22"],
)
@pytest.mark.parametrize("how", ["mean", "div", "mul"])
def test_element_type(tmp_path, how, type, opset, raised):
    """GlobalAveragePool takes bfloat16 from opset 22 on, and runtimes have no
    kernel for double.
    """

    def pool(g, x):
        if how == "mean":
            return g.mean(x, [2, 3])
        if how == "div":
            return g.node("Div", [total(g, x, [2, 3]), number(g, 12)])
        return g.node("Mul", [total(g, x, [2, 3]), number(g, 1 / 12)])

    model = build(pool, opset, type=type, relu=False)
    result = run(tmp_path, model)
    assert result.head("dense")["verdict"] == "pooled"
    result = run(tmp_path, model, "--raise-to-gap", out="raised.onnx")
    assert result.unchanged != raised
    if not raised:
        return
    assert "GlobalAveragePool" in operators(result.after)
    assert_sound(result)
    if type is F16:
        # How 16 bits are added up is up to the runtime: compare with double.
        for kind in (OnnxRuntime, Reference):
            new = load(kind, result.after)
            if new is None:
                continue
            x = np.random.RandomState(3).standard_normal([2, CHANNELS, 3, 4])
            x = x.astype(type.numpy)
            held = {
                i.name: onnx.numpy_helper.to_array(i)
                for i in result.after.graph.initializer
            }
            gemm = next(n for n in result.after.graph.node if n.name == "dense")
            weight, bias = (wide(held[n]) for n in gemm.input[1:])
            expected = wide(x).mean(axis=(2, 3)) @ weight.T + bias
            assert np.abs(wide(new({"x": x})["y"]) - expected).max() < 0.02


def test_other_users_keep_the_sum(tmp_path):
    """The sum is an output too: it stays, beside the pool."""
    g = Graph(17)
    x = g.node("Relu", [g.input("x", ["N", CHANNELS, 3, 4])])
    s = g.node("ReduceSum", [x, g.ints([2, 3])], "sum", keepdims=0)
    g.node("Div", [s, number(g, 12)], "mean", "last")
    g.output("sum", ["N", CHANNELS])
    g.output("mean", ["N", CHANNELS])
    result = run(tmp_path, g.model(), "--raise-to-gap")
    assert operators(result.after) == [
        "Relu",
        "ReduceSum",
        "GlobalAveragePool",
        "Flatten",
    ]
    assert_sound(result)
    assert_same_answers(result.before, result.after)


def test_value_info_and_doc_string_stay(tmp_path):
    """The mean keeps its name, so what the file says of it stays true."""
    model = build(lambda g, x: g.mean(x, [2, 3], keepdims=0, output="m"), 13)
    mean = next(n for n in model.graph.node if n.name == "last")
    mean.doc_string = "the mean"
    model.graph.value_info.append(
        onnx.helper.make_tensor_value_info(
            "m", TensorProto.FLOAT, ["N", CHANNELS]
        )
    )
    after = assert_raised(tmp_path, model)
    assert [v.name for v in after.graph.value_info] == ["m"]
    assert next(n for n in after.graph.node if n.name == "last").doc_string == (
        "the mean"
    )


def test_mean_in_a_branch(tmp_path):
    """In a subgraph the map is a value of the graph around it."""
    g = Graph(17)
    g.node("Relu", [g.input("x", ["N", CHANNELS, 3, 4])], "map")
    g.input("c", [], TensorProto.BOOL)

    def branch(keepdims):
        b = Graph(17, name=f"b{keepdims}")
        m = b.mean("map", [2, 3], keepdims=keepdims)
        b.node("Flatten", [m], f"out{keepdims}")
        b.output(f"out{keepdims}", ["N", CHANNELS])
        return b.graph()

    g.node("If", ["c"], "y", then_branch=branch(0), else_branch=branch(1))
    g.output("y", ["N", CHANNELS])
    result = run(tmp_path, g.model(), "--raise-to-gap")
    for a in result.after.graph.node[-1].attribute:
        assert operators(onnx.helper.make_model(a.g))[0] == "GlobalAveragePool"
    assert_sound(result)
    for value in (False, True):
        assert_same_answers(
            result.before, result.after, given={"c": np.array(value)}
        )


def test_mean_in_a_function(tmp_path):
    """The values of a function have whatever rank its calls give them: nothing
    is proved, and nothing is rewritten.
    """
    g = Graph(17)
    g.functions.append(
        onnx.helper.make_function(
            "local",
            "pool",
            ["map"],
            ["m"],
            [
                onnx.helper.make_node(
                    "ReduceMean", ["map"], ["m"], axes=[2, 3], keepdims=0
                )
            ],
            [onnx.helper.make_opsetid("", 17)],
        )
    )
    g.imports.append(("local", 1))
    x = g.node("Relu", [g.input("x", ["N", CHANNELS, 3, 4])])
    g.node("pool", [x], "y", domain="local")
    g.output("y", ["N", CHANNELS])
    assert run(tmp_path, g.model(), "--raise-to-gap").unchanged


def test_ir_3(tmp_path):
    """Opset 8: Squeeze has its axes as an attribute, and no constant is new."""
    g = Graph(8, ir=3)
    x = g.node("Relu", [g.input("x", ["N", CHANNELS, 3, 4])])
    r = g.node("Reshape", [x, g.ints([0, CHANNELS, -1])])
    g.node("ReduceMean", [r], "y", "last", axes=[2], keepdims=1)
    g.output("y", ["N", CHANNELS, 1])
    after = assert_raised(tmp_path, g.model())
    assert operators(after) == ["Relu", "GlobalAveragePool", "Squeeze"]


# ----------------------------------------------------------------------------
# D7: a window over the whole map is not always the mean
# ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attributes, answer, is_mean",
    [
        (dict(kernel_shape=[5, 5], pads=[1] * 4), 5.0, True),
        (
            dict(kernel_shape=[5, 5], pads=[1] * 4, count_include_pad=1),
            1.8,
            False,
        ),
        (dict(kernel_shape=[3, 3], strides=[3, 3], pads=[1] * 4), 3.0, False),
        (
            dict(
                kernel_shape=[3, 3],
                strides=[3, 3],
                pads=[1] * 4,
                count_include_pad=1,
            ),
            1.3333,
            False,
        ),
        (
            dict(kernel_shape=[3, 3], strides=[3, 3], auto_pad="SAME_UPPER"),
            5.0,
            True,
        ),
        # Windows that hang over without pads, or on one side only.
        (dict(kernel_shape=[4, 4], strides=[4, 4], ceil_mode=1), 5.0, True),
        (dict(kernel_shape=[4, 4], pads=[0, 0, 1, 1]), 5.0, True),
        (
            dict(kernel_shape=[4, 4], pads=[0, 0, 1, 1], count_include_pad=1),
            45 / 16,
            False,
        ),
        (
            dict(kernel_shape=[5, 5], strides=[5, 5], auto_pad="SAME_LOWER"),
            5.0,
            True,
        ),
        (dict(kernel_shape=[3, 3], count_include_pad=1), 5.0, True),
        (dict(kernel_shape=[2, 2], strides=[2, 2]), 3.0, False),
    ],
    ids=[
        "pads",
        "pads-counted",
        "pads-cut",
        "pads-cut-counted",
        "same",
        "ceil",
        "one-sided",
        "one-sided-counted",
        "same-lower",
        "counted-without-pads",
        "small",
    ],
)
def test_d07_average_pool(tmp_path, attributes, answer, is_mean):
    """A result of 1x1 alone says nothing; x is 1 ... 9, whose mean is 5."""
    model = build(
        average_pool(**attributes),
        11,
        shape=(1, 1, 3, 3),
        relu=False,
        head=False,
        output=[1, 1, 1, 1],
    )
    x = np.arange(1, 10, dtype=F).reshape(1, 1, 3, 3)
    assert OnnxRuntime(model)({"x": x})["y"].ravel() == pytest.approx(
        [answer], abs=1e-4
    )
    if is_mean:
        after = assert_raised(tmp_path, model)
        assert operators(after) == ["GlobalAveragePool"]
        assert OnnxRuntime(after)({"x": x})["y"] == pytest.approx(5.0)
    else:
        assert run(tmp_path, model, "--raise-to-gap").unchanged
    # In a head: the rule on maps of one position may fire, but only a mean is
    # called one. (With one channel the dense layer has one feature.)
    head = build(average_pool(**attributes), 11, (1, 1, 3, 3), width=1)
    result = run(tmp_path, head, name="head.onnx", out="head-out.onnx")
    assert_unchanged(result)
    assert result.head("dense")["verdict"] == ("pooled" if is_mean else "unit")


def test_d07_dilations(tmp_path):
    """Opset 19: a window of 2 x 2 with dilations of 2 sees the corners."""
    pool = average_pool(kernel_shape=[2, 2], dilations=[2, 2])
    model = build(
        pool, 19, (1, 1, 3, 3), relu=False, head=False, output=[1, 1, 1, 1]
    )
    x = np.square(np.arange(1, 10, dtype=F)).reshape(1, 1, 3, 3)
    assert OnnxRuntime(model)({"x": x})["y"].ravel() == pytest.approx([35.0])
    assert run(tmp_path, model, "--raise-to-gap").unchanged
    assert_not_raised(tmp_path, build(pool, 19, (1, 1, 3, 3), width=1))


def test_d07_opset_6_does_not_say_what_counts(tmp_path):
    """count_include_pad came with opset 7."""
    pool = average_pool(kernel_shape=[5, 5], pads=[1] * 4)
    assert_not_raised(tmp_path, build(pool, 6, (1, 1, 3, 3), width=1))
    pool = average_pool(kernel_shape=[3, 3])
    assert_pooled(tmp_path, build(pool, 6, (1, 1, 3, 3), width=1))


# ----------------------------------------------------------------------------
# D14 and its kin: other axes
# ----------------------------------------------------------------------------

NOT_POOLED = {
    "channels": (13, 4, lambda g, x: g.mean(x, [1, 2], keepdims=0)),
    "channels-input": (18, 4, lambda g, x: g.mean(x, [1, 2], keepdims=0)),
    "samples": (13, CHANNELS, lambda g, x: g.mean(x, [0, 2, 3])),
    "all": (13, 1, lambda g, x: g.node("ReduceMean", [x])),
    "all-18": (18, 1, lambda g, x: g.node("ReduceMean", [x])),
    "empty": (18, 1, lambda g, x: g.node("ReduceMean", [x, g.ints([])])),
    "noop": (
        18,
        36,
        lambda g, x: g.node(
            "ReduceMean", [x, g.ints([])], noop_with_empty_axes=1
        ),
    ),
    "run-time-axes": (
        18,
        CHANNELS,
        lambda g, x: g.node(
            "ReduceMean", [x, g.input("axes", [2], TensorProto.INT64)]
        ),
    ),
    "height": (13, 12, lambda g, x: g.mean(x, [2])),
    "transposed-channels": (
        13,
        3,
        channels_last(lambda g, x: g.mean(x, [2, 3], keepdims=0)),
    ),
    "sum": (13, CHANNELS, lambda g, x: total(g, x, [2, 3])),
    "sum-div-11": (
        13,
        CHANNELS,
        lambda g, x: g.node("Div", [total(g, x, [2, 3]), number(g, 11)]),
    ),
    "sum-mul-neighbour": (
        13,
        CHANNELS,
        lambda g, x: g.node(
            "Mul",
            [total(g, x, [2, 3]), number(g, np.nextafter(F(1 / 12), F(1)))],
        ),
    ),
    "sum-div-computed-height": (
        13,
        CHANNELS,
        lambda g, x: g.node(
            "Div", [total(g, x, [2, 3]), computed_positions(g, x, 2, 3)]
        ),
    ),
    "depthwise-sum": (11, CHANNELS, depthwise(1.0)),
    "depthwise-bias": (11, CHANNELS, depthwise(1 / 12, bias=1)),
    "depthwise-neighbour": (
        11,
        CHANNELS,
        depthwise(np.nextafter(F(1 / 12), F(0))),
    ),
    "matmul-two-columns": (
        13,
        2 * CHANNELS,
        lambda g, x: g.node(
            "MatMul", [flat_positions(g, x), number(g, 1 / 12, [12, 2])]
        ),
    ),
}


@pytest.mark.parametrize("how", NOT_POOLED)
def test_not_pooled(tmp_path, how):
    opset, width, pool = NOT_POOLED[how]
    assert_not_raised(tmp_path, build(pool, opset, width=width))


def test_one_weight_of_a_kernel_moved(tmp_path):
    """One unit in the last place anywhere: no mean any more."""
    for place in range(CHANNELS * 12):
        kernel = np.full((CHANNELS, 1, 3, 4), 1 / 12, F)
        kernel.ravel()[place] = np.nextafter(F(1 / 12), F(1))
        model = build(
            lambda g, x: g.node("Conv", [x, g.init(kernel)], group=CHANNELS),
            11,
        )
        assert_not_raised(tmp_path, model)


def test_overridable_divisor(tmp_path):
    """What callers may override is not known."""

    def pool(g, x):
        count = g.init(np.array(12, F), overridable=True)
        return g.node("Div", [total(g, x, [2, 3]), count])

    assert_not_raised(tmp_path, build(pool, 13))


@pytest.mark.parametrize("opset", [13, 18])
def test_integers_are_not_averaged(tmp_path, opset):
    """A mean of integers is rounded; so is a quotient."""
    g = Graph(opset)
    x = g.input("x", ["N", CHANNELS, 3, 4], TensorProto.INT32)
    g.mean(x, [2, 3], output="y")
    s = total(g, x, [2, 3])
    g.node("Div", [s, g.init(np.array(12, np.int32))], "z")
    for name in "yz":
        g.output(name, ["N", CHANNELS, 1, 1], TensorProto.INT32)
    assert run(tmp_path, g.model(), "--raise-to-gap").unchanged
