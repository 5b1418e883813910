# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Dense layers that are no Gemm and no MatMul of floats: convolutions whose
kernel is the whole map, Einsum, quantised layers; and what may stand between
the collapse and the layer.

Layers of integers are judged bit by bit.
"""

import math
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from headopt import (
    F16,
    F32,
    F64,
    REPOSITORY,
    Graph,
    OnnxRuntime,
    Reference,
    accept,
    as_matrix,
    assert_not_a_head,
    assert_refused,
    assert_rewritten,
    assert_sound,
    assert_unchanged,
    assert_well_formed,
    attribute,
    bits,
    constant_value,
    find_node,
    load,
    make_feeds,
    make_head,
    next_up,
    producer,
    run,
    type_of,
    weights,
    wide,
    with_outputs,
)


# Functions are fed with numbers beyond their range, too.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def compare(
    result, bound=None, exact=(), data=None, dims=None, given=None, large=1e3
):
    """Both models in both runtimes. Outputs in ``exact`` (all without a
    ``bound``) do not change by a bit; the others lie within ``bound(values,
    kind, name)``, which gets the old model's values, those in ``data`` too.
    """
    before, after = result.before, result.after
    ran = []
    for kind in (OnnxRuntime, Reference):
        tapped = before
        if data and kind is OnnxRuntime:
            tapped = with_outputs(before, [data])
        old = load(kind, tapped)
        if old is None:
            continue
        new = load(kind, after)
        assert new is not None, f"{kind.name} takes the old model only"
        for what, feeds in make_feeds(before, dims, given, large):
            try:
                p = old(feeds)
            except Exception:
                if kind is Reference:
                    break
                raise
            q = new(feeds)
            for output in before.graph.output:
                a, b = p[output.name], q[output.name]
                where = f"{kind.name}, {what}, {output.name}"
                assert a.shape == b.shape and a.dtype == b.dtype, where
                if bound is None or output.name in exact:
                    assert a.tobytes() == b.tobytes(), (
                        f"{where}: {a} became {b}"
                    )
                    continue
                assert np.isfinite(wide(a)).all(), where
                limit = bound({**feeds, **p}, kind, output.name)
                off = abs(wide(a) - wide(b))
                assert (off <= limit).all(), (
                    f"{where}: off by {off.max():.3g}, allowed "
                    f"{np.max(limit):.3g}"
                )
            ran.append(kind.name)
    assert ran, "no runtime takes the old model"
    return ran


def product_bound(weight, features, data, bias=1.0):
    """For y = sum of ``features`` products: as ``headopt.dense_bound``, with
    sum_k |W| |f| <= K max |W| max |f|. Pooling over the wrong axes is off by
    10^4 times that.
    """

    def bound(values, kind, name):
        type = type_of(weight)
        y, f = abs(wide(values[name])), abs(wide(values[data])).max()
        spread = features * abs(wide(weight)).max() * f
        return spread * (
            (features + 8) * kind.accumulates_in(type) + 8 * type.eps
        ) + 8 * type.eps * (y + bias)

    return bound


def even_axes(weight, first=1):
    """Axes of a weight along which it does not vary."""
    return [
        a
        for a in range(first, weight.ndim)
        if (bits(weight) == bits(weight.take([0], a))).all()
    ]


# ----------------------------------------------------------------------------
# Convolutions
# ----------------------------------------------------------------------------


def conv_model(
    weight,
    group=1,
    bias=True,
    batch="N",
    front=None,
    place=None,
    opset=17,
    extra=None,
    spatial=None,
    **attributes,
):
    """x -> Conv -> y, with the kernel ``weight``."""
    g = Graph(opset, type=type_of(weight))
    channels = weight.shape[1] * group
    extents = [channels, *(spatial or weight.shape[2:])]
    x = front(g, extents) if front else g.input("x", [batch, *extents])
    w = place(g, weight) if place else g.init(weight, "W")
    operands = [x, w]
    if bias:
        values = np.arange(1, len(weight) + 1) / 8
        operands.append(g.init(values.astype(weight.dtype), "B"))
    if group != 1:
        attributes["group"] = group
    g.node("Conv", operands, "y", "dense", **attributes)
    g.output("y", [None] * weight.ndim)
    if extra:
        extra(g)
    return g.model()


def accept_conv(directory, weight, axes, group=1, bias=True, **how):
    """Pooled over exactly ``axes`` of [N, C, ...]; with one weight moved by
    one unit in the last place, refused.
    """
    model = conv_model(weight, group, bias, **how)
    result = run(directory, model, "--verify")
    assert_well_formed(result.report)
    entry = result.head("dense")
    assert entry["verdict"] == "rewritten", entry["reason"]
    assert entry["op"] == "Conv" and entry["pooled_axes"] == list(axes)
    shape = [weight.shape[1] * group, *weight.shape[2:]]
    assert entry["feature_map"][1:] == shape
    extra = len(weight) if bias else 0
    kept = weight.size // math.prod(shape[a - 1] for a in axes)
    assert entry["parameters_before"] == weight.size + extra
    assert entry["parameters_after"] == kept + extra
    assert_sound(result)
    # The node is the same but for its data, its kernel and the kernel's shape.
    old = find_node(result.before.graph, "dense")
    new = find_node(result.after.graph, "dense")
    kernel = constant_value(result.after.graph, new.input[1])
    assert kernel.shape == tuple(
        1 if a in axes else e for a, e in enumerate(weight.shape)
    )
    assert list(new.output) == list(old.output)
    assert list(new.input[2:]) == list(old.input[2:])
    same = [a for a in new.attribute if a.name != "kernel_shape"]
    assert same == [a for a in old.attribute if a.name != "kernel_shape"]
    written = attribute(new, "kernel_shape", None)
    assert written is None or tuple(written) == kernel.shape[2:]
    pool = producer(result.after.graph, new.input[0])
    whole = list(axes) == list(range(2, weight.ndim))
    type = type_of(weight)
    expected = (
        "GlobalAveragePool" if whole and type is not F64 else "ReduceMean"
    )
    assert pool.op_type == expected, pool
    # Sums of equal numbers are exact in double.
    total = wide(weight).sum(axis=tuple(axes), keepdims=True)
    assert (kernel == total.astype(weight.dtype)).all()
    features = weight[0].size
    compare(
        result, product_bound(weight, features, old.input[0]), data=old.input[0]
    )

    index = tuple(
        e - 1 if a in axes else e // 2 for a, e in enumerate(weight.shape)
    )
    twin = next_up(weight, index)
    model = conv_model(twin, group, bias, **how)
    refused = assert_refused(
        run(directory, model, name="twin.onnx", out="twin-out.onnx"),
        "dense",
        "L6",
    )
    difference = refused["first_difference"]
    assert sorted(map(float, difference["values"])) == sorted(
        [float(weight[index]), float(twin[index])]
    )
    # In the order in which the layer runs through the axes: in groups the
    # channels belong to the outputs, and are listed last.
    place = [difference["position"][a - 1] for a in refused["axes_order"]]
    if group == 1:
        assert difference["output"] == index[0] and place == list(index[1:])
    else:
        assert place[:-1] == list(index[2:])
    return result


def kernel(outputs, extents, vary=(1,), type=F32, seed=0):
    return weights(outputs, extents, vary, type, seed)


@pytest.mark.parametrize("bias", [False, True], ids=["plain", "bias"])
@pytest.mark.parametrize(
    "extents",
    [(3, 8), (3, 2, 4), (3, 2, 2, 3)],
    ids=["rank3", "rank4", "rank5"],
)
def test_conv(tmp_path, extents, bias):
    """A kernel as large as the map has one window: a dense layer."""
    axes = range(2, len(extents) + 1)
    accept_conv(tmp_path, kernel(5, extents), axes, bias=bias)


@pytest.mark.parametrize("type", [F16, F32, F64], ids=lambda t: t.name)
def test_conv_type(tmp_path, type):
    accept_conv(tmp_path, kernel(5, (3, 2, 4), type=type), (2, 3))


@pytest.mark.parametrize(
    "attributes",
    [
        {"strides": [2, 3]},
        {"strides": [1, 1], "kernel_shape": [2, 4]},
        {"group": 1},
        {"auto_pad": "VALID"},
        {"auto_pad": "NOTSET"},
        {"pads": [0, 0, 0, 0]},
        {"dilations": [1, 1], "strides": [7, 7]},
    ],
    ids=str,
)
def test_conv_attributes(tmp_path, attributes):
    """What one window does not depend on."""
    attributes = dict(attributes)
    attributes.pop("group", None)
    accept_conv(tmp_path, kernel(5, (3, 2, 4)), (2, 3), **attributes)


@pytest.mark.parametrize("opset", [6, 11, 13, 18, 22])
def test_conv_opset(tmp_path, opset):
    """Pooling over one axis takes ReduceMean with kept dims."""
    weight = kernel(5, (3, 2, 4), (1, 2))
    accept_conv(tmp_path, weight, (3,), opset=opset)


@pytest.mark.parametrize(
    "vary, axes",
    [
        ((1, 2), (3,)),
        ((1, 3), (2,)),
        ((2, 3), (1,)),
        ((3,), (1, 2)),
        ((2,), (1, 3)),
        ((), (2, 3)),
    ],
    ids=str,
)
def test_conv_axes(tmp_path, vary, axes):
    """Along W only, H only, even the channels; when all qualify, axis 1
    stays.
    """
    accept_conv(tmp_path, kernel(5, (3, 2, 4), vary), axes)


@pytest.mark.parametrize("batch", [1, 2])
def test_conv_batch(tmp_path, batch):
    accept_conv(tmp_path, kernel(5, (3, 2, 4)), (2, 3), batch=batch)


@pytest.mark.parametrize("bias", [False, True], ids=["plain", "bias"])
@pytest.mark.parametrize(
    "group, own, outputs, vary, axes",
    [
        (6, 1, 6, (1,), (2, 3)),
        (6, 1, 12, (1,), (2, 3)),
        (6, 1, 6, (1, 2), (3,)),
        (2, 3, 4, (1,), (2, 3)),
        (2, 3, 4, (1, 3), (2,)),
        # Equal along its channels too; these are no axis of the features.
        (2, 3, 4, (), (2, 3)),
        (2, 3, 4, (3,), (2,)),
    ],
    ids=str,
)
def test_conv_in_groups(tmp_path, group, own, outputs, vary, axes, bias):
    """Depthwise, with a multiplier, and grouped: only spatial axes go."""
    weight = kernel(outputs, (own, 2, 4), vary)
    accept_conv(tmp_path, weight, axes, group, bias)


def test_conv_in_groups_varies(tmp_path):
    """Even along the channels alone is no ground to pool in groups."""
    weight = kernel(4, (3, 2, 4), (2, 3))
    result = run(tmp_path, conv_model(weight, 2))
    assert_refused(result, "dense", "L6")


def test_conv_of_a_transposed_map(tmp_path):
    """[N, H, W, C] turned for the convolution, as tf2onnx writes it."""

    def front(g, extents):
        c, h, w = extents
        x = g.input("x", ["N", h, w, c])
        return g.node("Transpose", [x], "map", perm=[0, 3, 1, 2])

    accept_conv(tmp_path, kernel(5, (3, 2, 4)), (2, 3), front=front)


def test_conv_of_a_reshaped_map(tmp_path):
    """[N, K] brought back to [N, C, H, W]."""

    def front(g, extents):
        x = g.input("x", ["N", math.prod(extents)])
        return g.node("Reshape", [x, g.ints([0, *extents])], "map")

    accept_conv(tmp_path, kernel(5, (3, 2, 4)), (2, 3), front=front)


@pytest.mark.parametrize("how", ["dequantised", "cast", "scaled"])
def test_conv_of_a_computed_kernel(tmp_path, how):
    """int8 per output, f16, a factor for each output (folded batch
    normalisation).
    """
    base = np.rint(kernel(5, (3, 2, 4)) * 100).astype("f")
    scales = np.linspace(0.25, 1, 5).astype(np.float16).astype("f")
    column = scales.reshape(5, 1, 1, 1)

    def place(g, w):
        if how == "dequantised":
            q = g.init(base.astype(np.int8))
            return g.node("DequantizeLinear", [q, g.init(scales)], axis=0)
        if how == "cast":
            return g.node(
                "Cast", [g.init(base.astype(np.float16))], to=F32.onnx
            )
        return g.node("Mul", [g.init(base), g.init(column)])

    weight = base if how == "cast" else base * column
    result = run(tmp_path, conv_model(weight, place=place), "--verify")
    assert result.rewritten == ["dense"], result.head("dense")["reason"]
    assert_sound(result)
    compare(result, product_bound(weight, 24, "x"))


@pytest.mark.parametrize(
    "attributes",
    [
        {"pads": [0, 1, 0, 0]},
        {"pads": [1, 1, 1, 1]},
        {"dilations": [2, 2], "pads": [1, 2, 1, 2]},
        {"auto_pad": "SAME_UPPER"},
        {"auto_pad": "SAME_LOWER", "strides": [2, 4]},
    ],
    ids=str,
)
def test_conv_with_several_or_padded_windows(tmp_path, attributes):
    """A window that hangs over the map sees zeros, which the mean does not.
    The kernel is even, so that nothing else could object.
    """
    if attributes.get("auto_pad"):
        attributes = {"kernel_shape": [2, 4], **attributes}
    model = conv_model(kernel(5, (3, 2, 4)), **attributes)
    assert_not_a_head(run(tmp_path, model), "dense")


@pytest.mark.parametrize(
    "spatial", [(2, 5), (3, 4), (4, 8), ("h", "w"), (2, "w")], ids=str
)
def test_conv_with_a_larger_map(tmp_path, spatial):
    """Several windows, or nobody knows how many."""
    model = conv_model(kernel(5, (3, 2, 4)), spatial=spatial)
    result = run(tmp_path, model)
    assert_unchanged(result)
    assert result.heads == []


def test_conv_of_one_position(tmp_path):
    """A 1x1 kernel on a 1x1 map is a dense layer, and has nothing to pool."""
    result = run(tmp_path, conv_model(kernel(5, (3, 1, 1))))
    assert_not_a_head_to_pool(result)


def assert_not_a_head_to_pool(result):
    assert_unchanged(result)
    assert all(h["verdict"] in ("unit", "refused") for h in result.heads)


def test_conv_shares_its_kernel(tmp_path):
    """The same kernel slides over a larger map elsewhere: that one keeps it."""

    def extra(g):
        z = g.input("z", ["N", 3, 5, 6])
        g.node("Conv", [z, "W"], "v", "sliding")
        g.output("v", [None] * 4)

    weight = kernel(5, (3, 2, 4))
    result = run(tmp_path, conv_model(weight, extra=extra), "--verify")
    assert result.rewritten == ["dense"]
    assert_sound(result)
    assert find_node(result.after.graph, "sliding").input[1] == "W"
    compare(result, product_bound(weight, 24, "x"), exact=("v",))


def test_conv_and_gemm_share_a_weight(tmp_path):
    """[O, C, H, W] for the convolution, reshaped to [O, K] for a Gemm."""

    def extra(g):
        f = g.node("Flatten", ["x"], axis=1)
        w = g.node("Reshape", ["W", g.ints([5, -1])])
        g.gemm([f, w], "v", "second", transB=1)
        g.output("v", ["N", 5])

    weight = kernel(5, (3, 2, 4))
    model = conv_model(weight, extra=extra, opset=11)
    result = run(tmp_path, model, "--verify")
    assert result.rewritten == ["dense", "second"]
    assert_sound(result)
    assert "W" not in [i.name for i in result.after.graph.initializer]
    compare(result, product_bound(weight, 24, "x"))


def test_conv_second_run(tmp_path):
    """What is left is a convolution of one position."""
    result = run(tmp_path, conv_model(kernel(5, (3, 2, 4))))
    again = run(tmp_path / "again", result.target)
    assert_not_a_head_to_pool(again)


def test_conv_even_map(tmp_path):
    """The map does not vary, the kernel does."""

    def front(g, extents):
        x = g.input("x", ["N", 3, 1, 1])
        return g.node("Expand", [x, g.ints([1, *extents])], "map")

    weight = kernel(5, (3, 2, 4), (1, 2, 3))
    result = run(tmp_path, conv_model(weight, front=front), "--verify")
    assert result.rewritten == ["dense"], result.head("dense")["reason"]
    assert result.head("dense")["pooled_axes"] == [2, 3]
    assert_sound(result)
    compare(result, product_bound(weight, 24, "x"))


# ----------------------------------------------------------------------------
# Einsum
# ----------------------------------------------------------------------------


def einsum_model(equation, weight, labels="chw", bias=None, opset=17):
    """An Einsum over [N, C, ...]; ``weight`` is over [k, c, h, w] and written
    as the equation wants it.
    """
    g = Graph(opset, type=type_of(weight))
    left, output = equation.replace(" ", "").lower().split("->")
    first, second = left.split(",")
    map_first = "n" in first
    mine = second if map_first else first
    order = [("k" + labels).index(c) for c in mine]
    w = g.init(weight.transpose(order).copy(), "W")
    x = g.input("x", ["N", *weight.shape[1:]])
    operands = [x, w] if map_first else [w, x]
    shape = [{"n": "N", "k": weight.shape[0]}[c] for c in output]
    out = "product" if bias is not None else "y"
    g.node("Einsum", operands, out, "dense", equation=equation)
    if bias is not None:
        g.node("Add", [out, g.init(bias)], "y")
    g.output("y", shape)
    return g.model()


@pytest.mark.parametrize(
    "equation",
    [
        "nchw,kchw->nk",
        "kchw,nchw->nk",
        "nchw,whck->kn",
        "nchw,hwck->nk",
        "nchw,chwk->kn",
        " n c h w , k c h w -> n k ",
        "NCHW,KCHW->NK",
    ],
    ids=str,
)
@pytest.mark.parametrize("vary", [(1,), (1, 2), (3,)], ids=str)
def test_einsum(tmp_path, equation, vary):
    """Any order of labels, the weight first or second, any axis even."""
    weight = kernel(5, (3, 2, 4), vary)
    result = run(tmp_path, einsum_model(equation, weight), "--verify")
    entry = result.head("dense")
    assert entry["verdict"] == "rewritten", entry["reason"]
    axes = [a for a in (1, 2, 3) if a not in vary]
    assert entry["pooled_axes"] == axes
    kept = weight.size // math.prod(weight.shape[a] for a in axes)
    assert entry["parameters_before"] == weight.size
    assert entry["parameters_after"] == kept
    assert_sound(result)
    old, new = (
        find_node(m.graph, "dense") for m in (result.before, result.after)
    )
    assert old.attribute == new.attribute and old.output == new.output
    compare(result, product_bound(weight, 24, "x"))

    index = (2, *(2 if a == 1 else weight.shape[a] - 1 for a in (1, 2, 3)))
    twin = next_up(weight, index)
    refused = assert_refused(
        run(tmp_path / "twin", einsum_model(equation, twin)), "dense", "L6"
    )
    difference = refused["first_difference"]
    assert difference["output"] == 2
    named = (2, *difference["position"])
    assert float(twin[named]) in map(float, difference["values"])
    assert {float(weight[index]), float(twin[index])} >= set(
        map(float, difference["values"])
    ) or len(vary) > 1


@pytest.mark.parametrize("rank", [3, 5])
def test_einsum_rank(tmp_path, rank):
    labels = "cdhw"[: rank - 1]
    extents = (3, 2, 2, 3)[: rank - 1]
    weight = kernel(5, extents)
    model = einsum_model(f"n{labels},k{labels}->nk", weight, labels)
    result = run(tmp_path, model, "--verify")
    assert result.rewritten == ["dense"], result.heads
    assert result.head("dense")["pooled_axes"] == list(range(2, rank))
    assert_sound(result)
    compare(result, product_bound(weight, math.prod(extents), "x"))


@pytest.mark.parametrize("type", [F32, F64], ids=lambda t: t.name)
def test_einsum_type_and_bias(tmp_path, type):
    """An Add behind it is the bias, and counted."""
    weight = kernel(5, (3, 2, 4), type=type)
    bias = np.arange(5).astype(type.numpy)
    model = einsum_model("nchw,kchw->nk", weight, bias=bias)
    result = run(tmp_path, model, "--verify")
    entry = result.head("dense")
    assert entry["verdict"] == "rewritten"
    assert (entry["parameters_before"], entry["parameters_after"]) == (125, 20)
    assert_sound(result)
    compare(result, product_bound(weight, 24, "x", 5.0))


@pytest.mark.parametrize(
    "equation, shape, answer",
    [
        ("n...,k...->nk", (5, 3, 2, 4), ["N", 5]),
        ("nchw,kchw->nkw", (5, 3, 2, 4), ["N", 5, 4]),
        ("nchw,kchw->nkchw", (5, 3, 2, 4), ["N", 5, 3, 2, 4]),
        ("nchw,kc->nk", (5, 3), ["N", 5]),
        ("nchw,kc->nkhw", (5, 3), ["N", 5, 2, 4]),
        ("nchw,kchw->k", (5, 3, 2, 4), [5]),
        ("nchw,chw->n", (3, 2, 4), ["N"]),
        ("nchw,kchw", (5, 3, 2, 4), [5, "N"]),
        ("nchw,nkchw->nk", (2, 5, 3, 2, 4), [2, 5]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_einsum_that_is_no_head(tmp_path, equation, shape, answer):
    """Axes that stay, are summed without a weight, or mix samples."""
    g = Graph()
    batch = 2 if shape[0] == 2 else "N"
    x = g.input("x", [batch, 3, 2, 4])
    w = g.init(np.full(shape, 0.5, "f"))
    g.node("Einsum", [x, w], "y", "dense", equation=equation)
    g.output("y", answer)
    assert_not_a_head(run(tmp_path, g.model()), "dense")


def test_einsum_of_three(tmp_path):
    g = Graph()
    x = g.input("x", ["N", 3, 2, 4])
    w, v = g.init(np.full((5, 3, 2, 4), 0.5, "f")), g.init(np.ones(5, "f"))
    g.node("Einsum", [x, w, v], "y", "dense", equation="nchw,kchw,k->nk")
    g.output("y", ["N", 5])
    assert_not_a_head(run(tmp_path, g.model()), "dense")


def test_einsum_sees_a_stretched_axis(tmp_path):
    """An extent of 1 in the weight stretches in an Einsum: the weight is even
    along H by being written once. Left alone, or right.
    """
    g = Graph()
    x = g.input("x", ["N", 3, 2, 4])
    w = kernel(5, (3, 1, 4), (1, 3))
    g.node("Einsum", [x, g.init(w)], "y", "dense", equation="nchw,kchw->nk")
    g.output("y", ["N", 5])
    try:
        model = g.model()
    except onnx.shape_inference.InferenceError:
        return  # no valid model then
    result = run(tmp_path, model)
    if result.rewritten and load(OnnxRuntime, result.before):
        compare(result, product_bound(w, 24, "x"))


def test_einsum_of_the_flat_value(tmp_path):
    """A matrix product in its notation, behind a Flatten."""
    g = Graph()
    f = g.node("Flatten", [g.input("x", ["N", 3, 2, 4])], axis=1)
    weight = kernel(5, (3, 2, 4)).reshape(5, -1)
    g.node("Einsum", [f, g.init(weight)], "y", "dense", equation="nd,kd->nk")
    g.output("y", ["N", 5])
    result = run(tmp_path, g.model(), "--verify")
    assert_well_formed(result.report)
    if result.rewritten:
        assert_sound(result)
        compare(result, product_bound(weight, 24, "x"))
    else:
        assert_unchanged(result)


# ----------------------------------------------------------------------------
# MatMulInteger
# ----------------------------------------------------------------------------


def integers(kind, vary=(1,), outputs=5, extents=(3, 2, 4), seed=0):
    """A weight over [o, c, h, w] of 8-bit numbers."""
    shape = [outputs] + [
        e if a in vary else 1 for a, e in enumerate(extents, 1)
    ]
    low, high = (0, 256) if kind == np.uint8 else (-128, 128)
    few = np.random.RandomState(seed).randint(low, high, shape)
    full = np.broadcast_to(few, (outputs, *extents))
    return np.array(full).astype(kind)


def integer_model(
    weight,
    zero=None,
    after=True,
    front=None,
    scaled=True,
    outputs=(("dense", 0),),
    extra=None,
    collapse=None,
):
    """x -> Flatten -> DynamicQuantizeLinear -> MatMulInteger -> y (int32), and
    the float answer z; with ``after`` false the Flatten comes behind.
    """
    g = Graph()
    extents = weight.shape[1:]
    x = front(g, extents) if front else g.input("x", ["N", *extents])
    parts = [g.fresh("q"), "scale", "zero"]
    flatten = collapse or (lambda g, v: g.node("Flatten", [v], axis=1))
    if after:
        g.node("DynamicQuantizeLinear", [flatten(g, x)], parts)
        q = parts[0]
    else:
        g.node("DynamicQuantizeLinear", [x], parts)
        q = flatten(g, parts[0])
    for name, seed in outputs:
        w = np.roll(weight, seed, 0)
        matrix = as_matrix(w, [1, 2, 3][: len(extents)]).T.copy()
        operands = [q, g.init(matrix), parts[2]]
        if zero is not None:
            operands.append(g.init(zero))
        y = g.node("MatMulInteger", operands, f"{name}_y", name)
        g.output(y, ["N", len(weight)], TensorProto.INT32)
        if scaled:
            f = g.node("Cast", [y], to=F32.onnx)
            g.node("Mul", [f, parts[1]], f"{name}_z")
            g.output(f"{name}_z", ["N", len(weight)])
    if extra:
        extra(g)
    return g.model()


def accept_integer(directory, weight, axes=(2, 3), names=("dense",), **how):
    # Behind the quantisation --verify has a test of its own.
    flags = ["--verify"] if how.get("after", True) else []
    result = run(directory, integer_model(weight, **how), *flags)
    assert_well_formed(result.report)
    assert result.rewritten == list(names), [h["reason"] for h in result.heads]
    for name in names:
        entry = result.head(name)
        assert entry["op"] == "MatMulInteger"
        assert entry["pooled_axes"] == list(axes)
        kept = weight.size // math.prod(weight.shape[a] for a in axes)
        assert entry["parameters_before"] == weight.size
        assert entry["parameters_after"] == kept
        node = find_node(result.after.graph, name)
        assert node.op_type == "MatMul" and node.output[0] == f"{name}_y"
    assert_sound(result)
    # Every bit.
    compare(result)
    index = (len(weight) // 2, *(e - 1 for e in weight.shape[1:]))
    twin = np.array(weight)
    twin[index] ^= 1
    refused = run(directory / "twin", integer_model(twin, **how))
    entry = assert_refused(refused, names[0], "L6")
    assert float(twin[index]) in map(float, entry["first_difference"]["values"])
    return result


ZEROS = {
    "none": lambda kind: None,
    "scalar": lambda kind: np.array(3 if kind == np.int8 else 131, kind),
    "one": lambda kind: np.array([5], kind),
    "per_column": lambda kind: np.array([0, 1, 127, 7, 100], kind),
}


@pytest.mark.parametrize("after", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("zero", ZEROS)
@pytest.mark.parametrize("kind", [np.uint8, np.int8], ids=["u8", "i8"])
def test_integer(tmp_path, kind, zero, after):
    """Flatten before or after the quantisation, weights of both kinds, zero
    points for all outputs and for each. Integers: nothing may be rounded.
    """
    accept_integer(
        tmp_path, integers(kind), zero=ZEROS[zero](kind), after=after
    )


def test_integer_verified_behind_the_quantisation(tmp_path):
    """DynamicQuantizeLinear, then Flatten: --verify runs such a head too."""
    model = integer_model(integers(np.int8), after=False)
    run(tmp_path, model, "--verify", "--require-rewrite")


@pytest.mark.parametrize(
    "extents, vary, axes",
    [
        ((3, 8), (1,), (2,)),
        ((8, 3), (2,), (1,)),
        ((3, 2, 4), (1, 2), (3,)),
        ((3, 4, 2), (1, 3), (2,)),
        ((4, 2, 3), (2, 3), (1,)),
    ],
    ids=str,
)
def test_integer_axes(tmp_path, extents, vary, axes):
    accept_integer(tmp_path, integers(np.int8, vary, extents=extents), axes)


def test_integer_equal_weights(tmp_path):
    """When all axes qualify, axis 1 stays."""
    weight = np.full((5, 3, 2, 4), 7, np.int8)
    accept_integer(tmp_path, weight, zero=np.int8(-3))


@pytest.mark.parametrize("after", [True, False], ids=["before", "after"])
def test_integer_two_heads(tmp_path, after):
    """Two layers share the quantised value and its zero point."""
    heads = (("first", 0), ("second", 1))
    accept_integer(
        tmp_path,
        integers(np.int8),
        names=("first", "second"),
        outputs=heads,
        after=after,
    )


@pytest.mark.parametrize(
    "after",
    [
        True,
        False,
    ],
    ids=["before", "after"],
)
def test_integer_scale_is_a_graph_output(tmp_path, after):
    """The quantisation is repeated on the map; scale and zero point are graph
    outputs and keep their names and their bits.
    """

    def extra(g):
        g.output("scale", [])
        g.output("zero", [], TensorProto.UINT8)

    accept_integer(tmp_path, integers(np.uint8), extra=extra, after=after)


@pytest.mark.parametrize("after", [True, False], ids=["before", "after"])
def test_integer_quantised_value_is_a_graph_output(tmp_path, after):
    """The old nodes stay for it."""

    def extra(g):
        name = next(
            n.output[0]
            for n in g.nodes
            if n.op_type == ("DynamicQuantizeLinear" if after else "Flatten")
        )
        g.output(name, ["N", 24], TensorProto.UINT8)

    accept_integer(tmp_path, integers(np.uint8), extra=extra, after=after)


def test_integer_one_head_of_two(tmp_path):
    """The other one's weights vary: it keeps the old value."""
    g = Graph()
    f = g.node("Flatten", [g.input("x", ["N", 3, 2, 4])], axis=1)
    g.node("DynamicQuantizeLinear", [f], ["q", "scale", "zero"])
    for name, vary in (("even", (1,)), ("uneven", (1, 2, 3))):
        w = as_matrix(integers(np.int8, vary), [1, 2, 3]).T.copy()
        g.node("MatMulInteger", ["q", g.init(w), "zero"], f"{name}_y", name)
        g.output(f"{name}_y", ["N", 5], TensorProto.INT32)
    result = run(tmp_path, g.model(), "--verify")
    assert result.rewritten == ["even"]
    assert "L6" in [
        r["label"]
        for r in result.head("uneven")["rules"]
        if r["outcome"] == "fail"
    ]
    assert_sound(result)
    compare(result)


def test_integer_transposed_map(tmp_path):
    """Channels last behind a Transpose."""

    def front(g, extents):
        h, w, c = extents
        x = g.input("x", ["N", c, h, w])
        return g.node("Transpose", [x], perm=[0, 2, 3, 1])

    weight = integers(np.int8, (3,), extents=(2, 4, 3))
    result = run(tmp_path, integer_model(weight, front=front), "--verify")
    assert result.rewritten == ["dense"]
    assert result.head("dense")["parameters_after"] == 15
    assert_sound(result)
    compare(result)


@pytest.mark.parametrize("positions", [2, 3])
def test_integer_with_few_positions(tmp_path, positions):
    """int32 takes four times the room of int8: with 2 or 3 positions the
    pooled weight would be larger.
    """
    weight = integers(np.int8, extents=(6, 1, positions))
    result = run(tmp_path, integer_model(weight))
    entry = assert_refused(result, "dense", "L9")
    assert "32" in entry["reason"] and str(positions) in entry["reason"]


def test_integer_with_four_positions(tmp_path):
    """The accept beside it."""
    accept_integer(tmp_path, integers(np.int8, extents=(6, 2, 2)))


@pytest.mark.parametrize("vary", [(1, 2, 3), (1, 3), (2, 3)], ids=str)
@pytest.mark.parametrize("how", ["Resize", "Expand"])
def test_integer_even_map(tmp_path, how, vary):
    """An upsampled 1x1 map, weights that vary: its largest value is its only
    one.
    """

    def front(g, extents):
        x = g.input("x", ["N", 3, 1, 1])
        if how == "Expand":
            return g.node("Expand", [x, g.ints([1, *extents])])
        sizes = g.init(np.array([1, 1, *extents[1:]], np.float32))
        return g.node("Resize", [x, "", sizes], mode="nearest")

    weight = integers(np.int8, vary)
    zero = np.array([1, 2, 3, 4, 5], np.int8)
    model = integer_model(weight, front=front, zero=zero)
    result = run(tmp_path, model, "--verify")
    assert result.rewritten == ["dense"], result.head("dense")["reason"]
    assert_sound(result)
    compare(result)


def test_integer_partly_even_map(tmp_path):
    """Along H the map does not vary, along W the weight does not: a largest
    value along one, a sum along the other.
    """

    def front(g, extents):
        x = g.input("x", ["N", 3, 1, 4])
        return g.node("Expand", [x, g.ints([1, *extents])])

    weight = integers(np.int8, (1, 2))
    result = run(tmp_path, integer_model(weight, front=front), "--verify")
    assert result.rewritten == ["dense"], result.head("dense")["reason"]
    assert result.head("dense")["pooled_axes"] == [2, 3]
    assert_sound(result)
    compare(result)


def static_model(weight, kind=np.uint8, zero=None, weight_zero=None):
    """Data that arrives quantised, with a zero point from the file."""
    g = Graph()
    kinds = {np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}
    x = g.input("x", ["N", *weight.shape[1:]], kinds[kind])
    f = g.node("Flatten", [x], axis=1)
    matrix = g.init(as_matrix(weight, [1, 2, 3]).T.copy())
    zeros = [
        "" if z is None else z if isinstance(z, str) else g.init(z)
        for z in (zero, weight_zero)
    ]
    for z in zeros:
        if z == "zero_in":
            g.input(z, [], kinds[kind])
        if z == "weight_zero_in":
            g.input(z, [], TensorProto.INT8)
        if z == "rows":
            g.input(z, ["N"], kinds[kind])
    while zeros and not zeros[-1]:
        zeros.pop()
    g.node("MatMulInteger", [f, matrix, *zeros], "y", "dense")
    g.output("y", ["N", len(weight)], TensorProto.INT32)
    return g.model()


def integer_feeds(model, zero=None):
    """All 8-bit numbers, and the extremes."""
    dtype = np.uint8
    for i in model.graph.input:
        if i.name == "x" and i.type.tensor_type.elem_type == TensorProto.INT8:
            dtype = np.int8
    info = np.iinfo(dtype)
    random = np.random.RandomState(0)
    for values in (
        random.randint(info.min, info.max + 1, (3, 3, 2, 4)),
        np.full((3, 3, 2, 4), info.min),
        np.full((3, 3, 2, 4), info.max),
    ):
        feeds = {"x": values.astype(dtype)}
        if zero is not None:
            feeds["zero_in"] = np.array(zero, dtype)
        yield feeds


@pytest.mark.parametrize("zero", ["none", "scalar", "one", "input"])
@pytest.mark.parametrize("kind", [np.uint8, np.int8], ids=["u8", "i8"])
def test_integer_static(tmp_path, kind, zero):
    """A zero point from the file, none at all, and one that arrives at run
    time: it is subtracted before the sum in any case.
    """
    value = {
        "none": None,
        "scalar": np.array(100, kind),
        "one": np.array([100], kind),
        "input": "zero_in",
    }[zero]
    weight = integers(np.int8)
    result = run(tmp_path, static_model(weight, kind, value), "--verify")
    assert result.rewritten == ["dense"], result.head("dense")["reason"]
    assert_sound(result)
    ran = 0
    for runtime in (OnnxRuntime, Reference):
        old = load(runtime, result.before)
        if old is None:
            continue
        new = load(runtime, result.after)
        for feeds in integer_feeds(
            result.before, 77 if zero == "input" else None
        ):
            assert (old(feeds)["y"] == new(feeds)["y"]).all()
            ran += 1
    assert ran


def test_integer_sums_wrap_around(tmp_path):
    """255 * 255 * 2^17 is beyond int32: both heads answer modulo 2^32."""
    extents = (1, 2**9, 2**8)
    g = Graph()
    x = g.input("x", ["N", *extents], TensorProto.UINT8)
    f = g.node("Flatten", [x], axis=1)
    w = np.full((2**17, 2), 255, np.uint8)
    w[:, 1] = 254
    g.node("MatMulInteger", [f, g.init(w)], "y", "dense")
    g.output("y", ["N", 2], TensorProto.INT32)
    result = run(tmp_path, g.model())
    feeds = {"x": np.full((1, *extents), 255, np.uint8)}
    old, new = (
        OnnxRuntime(m)(feeds)["y"] for m in (result.before, result.after)
    )
    assert (old == new).all(), (old, new)


def test_integer_zero_point_for_each_sample(tmp_path):
    """[N] zero points of the data: not read, and said so."""
    model = static_model(integers(np.int8), zero="rows")
    entry = assert_refused(run(tmp_path, model), "dense", "L8")
    assert "sample" in entry["reason"]


def test_integer_zero_point_of_the_weight_arrives_at_run_time(tmp_path):
    zero = np.array(3, np.uint8)
    model = static_model(
        integers(np.int8), zero=zero, weight_zero="weight_zero_in"
    )
    entry = assert_refused(run(tmp_path, model), "dense", "L3")
    assert "weight_zero_in" in entry["reason"]


def test_integer_weight_is_shared(tmp_path):
    """The 8-bit weight serves another layer as well, and stays for it."""
    g = Graph()
    w = as_matrix(integers(np.int8), [1, 2, 3]).T.copy()
    g.init(w, "W")
    f = g.node("Flatten", [g.input("x", ["N", 3, 2, 4])], axis=1)
    g.node("DynamicQuantizeLinear", [f], ["q", "scale", "zero"])
    g.node("MatMulInteger", ["q", "W", "zero"], "y", "dense")
    g.output("y", ["N", 5], TensorProto.INT32)
    other = g.input("z", ["N", 24])
    parts = ["q2", "scale2", "zero2"]
    g.node("DynamicQuantizeLinear", [other], parts)
    g.node("MatMulInteger", ["q2", "W", "zero2"], "v", "plain")
    g.output("v", ["N", 5], TensorProto.INT32)
    result = run(tmp_path, g.model(), "--verify")
    assert result.rewritten == ["dense"]
    assert find_node(result.after.graph, "plain").input[1] == "W"
    assert_sound(result)
    compare(result)


# ----------------------------------------------------------------------------
# Layers that round their result
# ----------------------------------------------------------------------------


def rounding_model(op):
    """A quantised layer with even weights: only its form is in the way."""
    g = Graph(17)
    x = g.input("x", ["N", 3, 2, 4], TensorProto.UINT8)
    f = g.node("Flatten", [x], axis=1)
    w = as_matrix(integers(np.int8), [1, 2, 3])
    scale, zero = g.init(np.float32(0.02)), g.init(np.uint8(128))
    wide_scale, none = g.init(np.float32(0.5)), g.init(np.int8(0))
    if op == "QLinearMatMul":
        matrix = g.init(w.T.copy())
        operands = [f, scale, zero, matrix, scale, none, wide_scale, zero]
        g.node(op, operands, "y", "dense")
    else:
        g.imports.append(("com.microsoft", 1))
        operands = [
            f,
            scale,
            zero,
            g.init(w),
            scale,
            none,
            "",
            wide_scale,
            zero,
        ]
        g.node(op, operands, "y", "dense", "com.microsoft", transB=1)
    g.output("y", ["N", 5], TensorProto.UINT8)
    return g.model()


@pytest.mark.parametrize("op", ["QLinearMatMul", "QGemm"])
def test_layer_that_rounds_its_result(tmp_path, op):
    """The rounded result of a pooled layer may be another number: refused, and
    the reason says why. The file is the same to the byte.
    """
    result = run(tmp_path, rounding_model(op))
    entry = assert_refused(result, "dense", "L8")
    assert entry["op"].endswith(op) and "round" in entry["reason"]
    assert load(OnnxRuntime, result.before) is not None


def test_gemm_of_another_quantised_domain(tmp_path):
    """QGemm of someone else is another operator."""
    model = rounding_model("QGemm")
    model.opset_import.append(helper.make_opsetid("elsewhere", 1))
    find_node(model.graph, "dense").domain = "elsewhere"
    assert_not_a_head(run(tmp_path, model), "dense")


# ----------------------------------------------------------------------------
# QDQ: quantised values in float form
# ----------------------------------------------------------------------------


def qdq_model(kind, weight_kind, weight, per_output=False, flatten="between"):
    """x -> Q -> DQ -> Flatten -> Q -> DQ -> Gemm -> Q -> DQ -> y, the weight
    and the bias behind DequantizeLinear too; as ONNX Runtime's static
    quantisation writes it.
    """
    g = Graph(13)
    dtype = np.uint8 if kind == "u8" else np.int8
    zero = g.init(np.array(120 if kind == "u8" else -3, dtype))

    def round_trip(v, scale, out=None):
        s = g.init(np.float32(scale))
        q = g.node("QuantizeLinear", [v, s, zero])
        return g.node("DequantizeLinear", [q, s, zero], out)

    v = round_trip(g.input("x", ["N", 3, 2, 4]), 0.02)
    if flatten == "between":
        v = round_trip(g.node("Flatten", [v], axis=1), 0.02, "flat")
    else:
        v = g.node("Flatten", [round_trip(v, 0.02)], "flat", axis=1)
    scales = (
        np.linspace(0.01, 0.05, 5).astype("f")
        if per_output
        else np.float32(0.03)
    )
    zeros = np.zeros(5 if per_output else (), weight_kind)
    if weight_kind == np.uint8:
        zeros = zeros + np.uint8(7)
    matrix = g.init(as_matrix(weight, [1, 2, 3]))
    more = {"axis": 0} if per_output else {}
    w = g.node(
        "DequantizeLinear",
        [matrix, g.init(scales), g.init(zeros)],
        "w",
        **more,
    )
    b = g.node(
        "DequantizeLinear",
        [g.init(np.arange(5, dtype=np.int32)), g.init(np.float32(0.0006))],
    )
    g.gemm([v, w, b], "product", "dense", transB=1)
    round_trip("product", 0.25, "y")
    g.output("product", ["N", 5])
    g.output("y", ["N", 5])
    return g.model()


@pytest.mark.parametrize("flatten", ["between", "last"])
@pytest.mark.parametrize("per_output", [False, True], ids=["tensor", "output"])
@pytest.mark.parametrize("weight_kind", [np.uint8, np.int8], ids=["u8", "i8"])
@pytest.mark.parametrize("kind", ["u8", "i8"])
def test_qdq(tmp_path, kind, weight_kind, per_output, flatten):
    """Per-tensor quantisation between map and layer acts on each element
    alone. The result may land on the other side of a rounding: one step.
    """
    weight = integers(weight_kind)
    how = dict(per_output=per_output, flatten=flatten)
    model = qdq_model(kind, weight_kind, weight, **how)
    result = run(tmp_path, model, "--verify")
    entry = result.head("dense")
    assert entry["verdict"] == "rewritten", entry["reason"]
    assert entry["pooled_axes"] == [2, 3]
    assert (entry["parameters_before"], entry["parameters_after"]) == (125, 20)
    assert_sound(result)
    w = np.full(1, 256 * 0.05, np.float32)
    inner = product_bound(w, 24, "flat")

    def bound(values, runtime, name):
        limit = inner(values, runtime, "product")
        return limit if name == "product" else np.full(limit.shape, 0.2501)

    compare(result, bound, data="flat")
    twin = np.array(weight)
    twin[2, 1, 1, 3] ^= 1
    assert_refused(
        run(tmp_path / "twin", qdq_model(kind, weight_kind, twin, **how)),
        "dense",
        "L6",
    )


@pytest.mark.parametrize("op", ["QuantizeLinear", "DequantizeLinear"])
def test_qdq_per_feature(tmp_path, op):
    """A scale for each feature between Flatten and the layer."""

    def collapse(g, x, s):
        f = g.node("Flatten", [x], axis=1)
        one, each = g.init(np.float32(0.1)), g.init(np.full(24, 0.1, "f"))
        zero, zeros = g.init(np.uint8(0)), g.init(np.zeros(24, np.uint8))
        first = op == "QuantizeLinear"
        q = g.node(
            "QuantizeLinear", [f, each, zeros] if first else [f, one, zero]
        )
        return g.node(
            "DequantizeLinear", [q, one, zero] if first else [q, each, zeros]
        )

    entry = assert_refused(
        run(tmp_path, make_head(collapse=collapse).model), "dense", "L1"
    )
    assert op in entry["reason"]


# ----------------------------------------------------------------------------
# Gather as a view
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [(3, 2), (2, 2), (-1, -1)], ids=str)
@pytest.mark.parametrize("index", [0, -1])
@pytest.mark.parametrize("shape", [(), (1,)], ids=["scalar", "list"])
def test_gather_of_the_only_position(tmp_path, shape, index, axes):
    """[N, C, 1, 1][:, :, 0, 0] is a Squeeze: nothing to gain, and listed."""

    def collapse(g, x, s):
        i = g.init(np.full(shape, index, np.int64))
        for axis in axes:
            x = g.node("Gather", [x, i], axis=axis)
        return g.node("Flatten", [x], axis=1) if shape else x

    head = make_head(extents=(6, 1, 1), collapse=collapse)
    result = run(tmp_path, head.model)
    assert_unchanged(result)
    assert result.head("dense")["verdict"] == "unit"


@pytest.mark.parametrize("shape", [(), (1,)], ids=["scalar", "list"])
def test_gather_of_a_corner(tmp_path, shape):
    """[N, C, 7, 7][:, :, 0, 0] takes one position of 49; the layer has C
    weights and no map. Not a head, whatever the weights are.
    """
    g = Graph()
    x = g.input("x", ["N", 6, 7, 7])
    i = g.init(np.zeros(shape, np.int64))
    v = g.node("Gather", [x, i], axis=2)
    v = g.node("Gather", [v, i], axis=3 if shape else 2)
    if shape:
        v = g.node("Flatten", [v], axis=1)
    g.node("MatMul", [v, g.init(np.full((6, 5), 0.5, "f"))], "y", "dense")
    g.output("y", ["N", 5])
    result = run(tmp_path, g.model())
    assert_unchanged(result)
    assert all(h["verdict"] == "unit" for h in result.heads)
    if not shape:
        assert result.heads == []


def test_gather_of_one_axis(tmp_path):
    """[N, C, L, 1] with the last axis taken off, then Flatten: a head."""

    def collapse(g, x, s):
        v = g.node("Gather", [x, g.init(np.array(0, np.int64))], axis=3)
        return g.node("Flatten", [v], axis=1)

    accept(tmp_path, extents=(3, 5, 1), collapse=collapse)


def test_gather_index_may_be_overridden(tmp_path):
    """Of an axis of extent 1 only 0 and -1 are valid: a view or refused, and
    the answers stay.
    """

    def collapse(g, x, s):
        i = g.init(np.array(0, np.int64), "i", overridable=True)
        return g.node("Flatten", [g.node("Gather", [x, i], axis=3)], axis=1)

    result = run(
        tmp_path, make_head(extents=(3, 5, 1), collapse=collapse).model
    )
    assert_well_formed(result.report)
    if not result.rewritten:
        assert_unchanged(result)


# ----------------------------------------------------------------------------
# Per-element operators between the collapse and the layer
# ----------------------------------------------------------------------------

DIALECT = "include/headopt/Dialect/ONNX/IR/ONNXOps.td"
UNARY = sorted(
    re.findall(r'ONNX_Unary<"(\w+)"', (REPOSITORY / DIALECT).read_text())
)


def first_opset(op):
    """The first opset from 6 on that has the operator."""
    return next(
        version
        for version in range(6, onnx.defs.onnx_opset_version() + 1)
        if has(op, version)
    )


def has(op, version):
    try:
        onnx.defs.get_schema(op, version, "")
        return True
    except onnx.defs.SchemaError:
        return False


def middle(g, s):
    """A map of numbers from 0.2 to 0.8, where every function is smooth and has
    a value.
    """
    x = g.node("Sigmoid", [g.input("x", [s.batch, *s.extents])])
    x = g.node("Mul", [x, g.init(np.array([0.6], s.type.numpy))])
    return g.node("Add", [x, g.init(np.array([0.2], s.type.numpy))])


def flat(g, x):
    return g.node("Flatten", [x], axis=1)


def test_the_list_of_operators():
    """The dialect has them where this test looks."""
    assert len(UNARY) >= 30 and "Relu" in UNARY


@pytest.mark.parametrize("op", UNARY)
def test_unary(tmp_path, op):
    """Each function of one element: the mean is of what it returns."""
    opset = max(17, first_opset(op))
    head, result, _ = accept(
        tmp_path,
        opset=opset,
        front=middle,
        collapse=lambda g, x, s: g.node(op, [flat(g, x)]),
    )
    ops = [n.op_type for n in result.after.graph.node]
    pool = ops.index("GlobalAveragePool")
    assert op in ops[:pool] and op not in ops[pool:]


@pytest.mark.parametrize("op", UNARY)
def test_unary_verified(tmp_path, op):
    """--verify knows every function that head-opt moves, and its numbers do
    not end where the function does.
    """
    head = make_head(
        opset=max(17, first_opset(op)),
        collapse=lambda g, x, s: g.node(op, [flat(g, x)]),
    )
    run(tmp_path, head.model, "--verify", "--require-rewrite")


@pytest.mark.parametrize("op", [op for op in UNARY if first_opset(op) < 13])
def test_unary_at_its_first_opset(tmp_path, op):
    opset = max(first_opset(op), 7)
    head = make_head(
        opset=opset,
        front=middle,
        collapse=lambda g, x, s: g.node(op, [flat(g, x)]),
    )
    assert_rewritten(run(tmp_path, head.model), head)


@pytest.mark.parametrize(
    "op, attributes, opset",
    [
        ("LeakyRelu", {"alpha": 0.3}, 17),
        ("Elu", {"alpha": 0.5}, 17),
        ("Celu", {"alpha": 0.5}, 17),
        ("Selu", {"alpha": 1.5, "gamma": 1.1}, 17),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.1}, 17),
        ("ThresholdedRelu", {"alpha": 0.4}, 17),
        ("Gelu", {"approximate": "tanh"}, 20),
        ("Gelu", {"approximate": "none"}, 20),
        ("Clip", {"min": -0.5, "max": 0.5}, 6),
        ("Clip", {"min": 0.0}, 8),
        ("Clip", {"max": 6.0}, 10),
        ("Clip", {}, 13),
    ],
    ids=str,
)
def test_unary_attributes(tmp_path, op, attributes, opset):
    """The repeated operator keeps its attributes."""
    head = make_head(
        opset=opset,
        collapse=lambda g, x, s: g.node(op, [flat(g, x)], **attributes),
    )
    result = run(tmp_path, head.model, "--verify")
    assert_rewritten(result, head)
    repeated = next(n for n in result.after.graph.node if n.op_type == op)
    for name, value in attributes.items():
        got = attribute(repeated, name, None)
        got = got.decode() if isinstance(got, bytes) else got
        assert got == pytest.approx(value)


CLIPS = {
    "both": (0.0, 6.0),
    "low": (-0.5,),
    "high": (None, 0.5),
}


@pytest.mark.parametrize("bounds", CLIPS)
@pytest.mark.parametrize("opset", [11, 13, 21])
@pytest.mark.parametrize("where", ["initialiser", "constant", "input"])
def test_clip(tmp_path, bounds, opset, where):
    """Bounds as inputs, from 11 on; also when they arrive at run time."""

    def collapse(g, x, s):
        names = []
        for i, b in enumerate(CLIPS[bounds]):
            value = None if b is None else np.array(b, np.float32)
            if b is None:
                names.append("")
            elif where == "input":
                names.append(g.input(f"bound{i}", []))
            else:
                names.append(
                    g.init(value)
                    if where == "initialiser"
                    else g.constant(value)
                )
        return g.node("Clip", [flat(g, x), *names])

    head = make_head(opset=opset, collapse=collapse)
    result = run(tmp_path, head.model)
    entry = result.head("dense")
    assert entry["verdict"] == "rewritten", entry["reason"]
    assert entry["pooled_axes"] == [2, 3]
    assert_sound(result)
    given = {
        f"bound{i}": np.array(b, np.float32)
        for i, b in enumerate(CLIPS[bounds])
        if b is not None
    }
    compare(
        result,
        product_bound(head.weight, 24, "x"),
        given=given if where == "input" else None,
    )


def number(g, value=0.5, shape=()):
    return g.init(np.full(shape, value, g.type.numpy))


SCALAR = {
    "add": lambda g, f, s: g.node("Add", [f, number(g, shape=s)]),
    "add_left": lambda g, f, s: g.node("Add", [number(g, shape=s), f]),
    "sub": lambda g, f, s: g.node("Sub", [f, number(g, shape=s)]),
    "sub_left": lambda g, f, s: g.node("Sub", [number(g, shape=s), f]),
    "mul": lambda g, f, s: g.node("Mul", [f, number(g, shape=s)]),
    "div": lambda g, f, s: g.node("Div", [f, number(g, 3.0, s)]),
    "div_left": lambda g, f, s: g.node("Div", [number(g, shape=s), f]),
    "pow": lambda g, f, s: g.node("Pow", [f, number(g, 2.0, s)]),
    "pow_left": lambda g, f, s: g.node("Pow", [number(g, 2.0, s), f]),
    "prelu": lambda g, f, s: g.node("PRelu", [f, number(g, 0.25, s)]),
    "max": lambda g, f, s: g.node("Max", [f, number(g, shape=s)]),
    "max_left": lambda g, f, s: g.node("Max", [number(g, shape=s), f]),
    "min": lambda g, f, s: g.node("Min", [f, number(g, shape=s)]),
    "max_of_three": lambda g, f, s: g.node(
        "Max", [number(g, 0.3, s), f, number(g, 0.4, s)]
    ),
    "sum": lambda g, f, s: g.node("Sum", [f, number(g, shape=s)]),
    "mean": lambda g, f, s: g.node("Mean", [f, number(g, shape=s)]),
    "sum_alone": lambda g, f, s: g.node("Sum", [f]),
    "where": lambda g, f, s: g.node(
        "Where", [g.init(np.full(s, True)), f, number(g, shape=s)]
    ),
    "threshold": lambda g, f, s: g.node(
        "Where",
        [
            g.node("Greater", [f, number(g, shape=s)]),
            number(g, 2.0, s),
            number(g, -1.0, s),
        ],
    ),
    "mask": lambda g, f, s: g.node(
        "Cast", [g.node("Less", [f, number(g, shape=s)])], to=F32.onnx
    ),
}


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=["0", "1", "1x1"])
@pytest.mark.parametrize("how", SCALAR)
def test_with_a_single_number(tmp_path, how, shape):
    """Two operands, one of them a number: still a function of one element."""
    head = make_head(
        front=middle,
        collapse=lambda g, x, s: SCALAR[how](g, flat(g, x), shape),
    )
    result = run(tmp_path, head.model)
    entry = result.head("dense")
    assert entry["verdict"] == "rewritten", entry["reason"]
    assert entry["pooled_axes"] == [2, 3]
    assert_sound(result)
    # |f| <= 10 for every function here.
    weight = np.full(1, 10, "f")
    compare(result, product_bound(weight, 24, "x"), large=8.0)
    if not shape:
        twin = head.twin((2, 1, 1, 3))
        assert_refused(run(tmp_path / "twin", twin.model), "dense", "L6")


@pytest.mark.parametrize("how", SCALAR)
def test_with_a_single_number_verified(tmp_path, how):
    """--verify knows what head-opt rewrites."""
    head = make_head(
        front=middle, collapse=lambda g, x, s: SCALAR[how](g, flat(g, x), ())
    )
    run(tmp_path, head.model, "--verify", "--require-rewrite")


def test_a_number_with_three_axes(tmp_path):
    """[1, 1, 1] gives the flat value a third axis; no dense layer follows."""
    g = Graph()
    f = flat(g, g.input("x", ["N", 3, 2, 4]))
    f = g.node("Mul", [f, number(g, shape=(1, 1, 1))])
    w = kernel(5, (3, 2, 4)).reshape(5, -1).T.copy()
    g.node("MatMul", [f, g.init(w)], "y", "dense")
    g.output("y", [1, "N", 5])
    assert_unchanged(run(tmp_path, g.model()))


PER_FEATURE = {
    "prelu": lambda g, f: g.node(
        "PRelu", [f, g.init(np.linspace(0.1, 0.9, 24).astype("f"))]
    ),
    "even_prelu": lambda g, f: g.node(
        "PRelu", [f, g.init(np.full(24, 0.25, "f"))]
    ),
    "pow": lambda g, f: g.node(
        "Pow", [f, g.init(np.linspace(1, 2, 24).astype("f"))]
    ),
    "max": lambda g, f: g.node(
        "Max", [f, g.init(np.linspace(0, 1, 24).astype("f"))]
    ),
    "min": lambda g, f: g.node(
        "Min", [f, g.init(np.linspace(0, 1, 24).astype("f"))]
    ),
    "where": lambda g, f: g.node(
        "Where", [g.init(np.arange(24) % 2 == 0), f, number(g)]
    ),
    "add_itself": lambda g, f: g.node("Add", [f, f]),
    "mul_itself": lambda g, f: g.node("Mul", [f, g.node("Sigmoid", [f])]),
    "add_two_maps": lambda g, f: g.node(
        "Add", [f, flat(g, g.input("z", ["N", 3, 2, 4]))]
    ),
    "max_two_maps": lambda g, f: g.node(
        "Max", [f, flat(g, g.input("z", ["N", 3, 2, 4]))]
    ),
}


@pytest.mark.parametrize("how", PER_FEATURE)
def test_with_a_number_for_each_feature(tmp_path, how):
    """Another function at each position, or two maps. Some of them could be
    pooled; none is, and none is without a reason.
    """
    head = make_head(collapse=lambda g, x, s: PER_FEATURE[how](g, flat(g, x)))
    result = run(tmp_path, head.model)
    entry = assert_refused(result, "dense", "L1")
    node = next(
        n
        for n in result.before.graph.node
        if n.op_type.lower() == how.replace("even_", "").split("_")[0]
    )
    assert f"({node.op_type})" in entry["reason"], entry["reason"]


@pytest.mark.parametrize(
    "how", ["clip_relu", "cast_chain", "quantised", "number_between"]
)
def test_several_operators_between(tmp_path, how):
    """A chain, all of it repeated on the map in order."""

    def collapse(g, x, s):
        f = flat(g, x)
        if how == "clip_relu":
            return g.node("Relu", [g.node("Clip", [f, number(g, -1.0)])])
        if how == "cast_chain":
            f = g.node("Cast", [f], to=TensorProto.INT32)
            return g.node("Cast", [f], to=F32.onnx)
        if how == "quantised":
            scale, zero = number(g, 0.05), g.init(np.int8(3))
            q = g.node("QuantizeLinear", [f, scale, zero])
            return g.node(
                "Relu", [g.node("DequantizeLinear", [q, scale, zero])]
            )
        f = g.node("Add", [g.node("Tanh", [f]), number(g, 1.0)])
        return g.node("Sqrt", [g.node("Mul", [f, number(g, 0.5)])])

    head = make_head(collapse=collapse, opset=13)
    result = run(tmp_path, head.model, "--verify")
    entry = result.head("dense")
    assert entry["verdict"] == "rewritten", entry["reason"]
    assert_sound(result)
    compare(result, product_bound(np.full(1, 8, "f"), 24, "x", 8.0))
    assert_refused(
        run(tmp_path / "twin", head.twin((2, 1, 1, 3)).model), "dense", "L6"
    )
