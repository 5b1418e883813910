# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the report teaches whose head is refused: how far the weights are from
even along each axis, what the layer is exactly, what a pooled head would take.

All of it is checked: the numbers with numpy, and the convolution by building
and running it.
"""

import math
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from headopt import (
    BF16,
    F16,
    F32,
    F64,
    REPOSITORY,
    Graph,
    OnnxRuntime,
    as_matrix,
    assert_refused,
    assert_equivalent,
    assert_sound,
    assert_unchanged,
    make_head,
    run,
    weights,
    wide,
)

EVERY = {3: (3, 8), 4: (3, 2, 4), 5: (3, 2, 2, 3)}


def residual(weight, axes):
    """||W - mean W|| / ||W|| over axes of [O, a1, ..., ar], in double."""
    w = wide(weight)
    off = w - w.mean(axis=tuple(axes), keepdims=True)
    return np.linalg.norm(off) / np.linalg.norm(w)


def assert_residuals(entry, weight, channel=1):
    """Of each axis alone, and of all but the channels together; ``weight`` is
    over the axes of the reported map.
    """
    extents = weight.shape
    assert tuple(entry["feature_map"][1:]) == extents[1:]
    listed = {r["axis"]: r["residual"] for r in entry["residual_by_axis"]}
    assert list(listed) == [a for a in range(1, weight.ndim) if extents[a] > 1]
    for axis, value in listed.items():
        assert value == pytest.approx(residual(weight, [axis]), rel=1e-6)
    others = [a for a in range(1, weight.ndim) if a != channel]
    assert entry["residual"] == pytest.approx(
        residual(weight, others), rel=1e-6
    )


# ----------------------------------------------------------------------------
# residual_by_axis
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("type", [F16, BF16, F32, F64], ids=lambda t: t.name)
@pytest.mark.parametrize("rank", EVERY)
@pytest.mark.parametrize("dense", ["gemm_tb1", "matmul_add"])
def test_residual_of_each_axis(tmp_path, rank, type, dense):
    """Every axis varies; how much, each for itself."""
    extents = EVERY[rank]
    head = make_head(
        extents=extents, vary=tuple(range(1, rank)), type=type, dense=dense
    )
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert_residuals(entry, head.weight)


@pytest.mark.parametrize(
    "perm", [(0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2)], ids=str
)
def test_residual_in_another_order(tmp_path, perm):
    """k runs through the axes in another order; the axes are the map's."""
    head = make_head(collapse="perm", perm=perm, vary=(1, 2, 3))
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert entry["feature_map"] == [None, 3, 2, 4]
    assert_residuals(entry, head.weight)


def test_residual_of_a_map_with_unit_axes(tmp_path):
    """An axis of one position has no residual."""
    head = make_head(extents=(3, 1, 4), vary=(1, 2, 3))
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert [r["axis"] for r in entry["residual_by_axis"]] == [1, 3]
    assert_residuals(entry, head.weight)


def test_residual_tells_which_axis_is_nearly_even(tmp_path):
    """One ulp along the width and noise along the height: the report shows
    which of them retraining would have to flatten.
    """
    weight = weights(5, (3, 2, 4), vary=(1, 2))
    weight[..., 3] *= np.float32(1 + 2.0**-20)
    head = make_head(weight=weight)
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    by_axis = {r["axis"]: r["residual"] for r in entry["residual_by_axis"]}
    assert 0 < by_axis[3] < 1e-5 < 0.1 < by_axis[2]
    assert by_axis[3] == pytest.approx(residual(weight, [3]), rel=1e-4)


def test_residual_beyond_the_first_piece(tmp_path):
    """A weight of several pieces of any size, with its noise at the end."""
    weight = weights(8, (32, 24, 24))
    weight[7, 31, 23, 20:] *= 2
    head = make_head(weight=weight, extents=(32, 24, 24), outputs=8)
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert_residuals(entry, weight)


def test_residual_can_be_switched_off(tmp_path):
    head = make_head(vary=(1, 2, 3))
    result = run(tmp_path, head.model, "--no-residual")
    entry = assert_refused(result, "dense", "L6")
    assert entry["residual"] is None and entry["residual_by_axis"] == []


def test_only_refused_heads_have_residuals(tmp_path):
    for changes in ({}, {"extents": (6, 1, 1)}, {"vary": (1, 2)}):
        entry = run(tmp_path, make_head(**changes).model).head("dense")
        assert entry["residual_by_axis"] == [] and entry["alternatives"] == []


def test_residual_of_a_scaled_weight(tmp_path):
    """With factors in front of the layer it is the product that matters."""
    scale = np.linspace(0.5, 2, 24).astype("f")
    head = make_head(
        collapse=lambda g, x, s: g.node(
            "Mul", [g.node("Flatten", [x], axis=1), g.init(scale)]
        )
    )
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert_residuals(entry, wide(head.weight) * wide(scale).reshape(3, 2, 4))


def test_residual_of_a_dequantised_weight(tmp_path):
    """Of the numbers that the layer reads, not of those in the file."""
    raw = np.random.RandomState(0).randint(-100, 100, (5, 3, 2, 4))
    raw = raw.astype(np.int8)
    weight = ((wide(raw) - 17) * 0.25).astype("f")

    def place(g, m):
        matrix = as_matrix(raw, [1, 2, 3])
        zero = g.init(np.int8(17))
        return g.node(
            "DequantizeLinear", [g.init(matrix), g.init(np.float32(0.25)), zero]
        )

    head = make_head(place=place, weight=weight)
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert_residuals(entry, weight)


@pytest.mark.parametrize("kind", [np.int8, np.uint8], ids=["i8", "u8"])
@pytest.mark.parametrize(
    "zero",
    [
        0,
        100,
    ],
)
def test_residual_of_integers(tmp_path, kind, zero):
    """Of the weight less its zero point, which is what is multiplied."""
    weight = np.random.RandomState(0).randint(0, 100, (5, 3, 2, 4))
    weight = weight.astype(kind)
    g = Graph()
    f = g.node("Flatten", [g.input("x", ["N", 3, 2, 4])], axis=1)
    g.node("DynamicQuantizeLinear", [f], ["q", "s", "z"])
    matrix = g.init(as_matrix(weight, [1, 2, 3]).T.copy())
    operands = ["q", matrix, "z", g.init(np.array(zero, kind))]
    g.node("MatMulInteger", operands, "y", "dense")
    g.output("y", ["N", 5], TensorProto.INT32)
    entry = assert_refused(run(tmp_path, g.model()), "dense", "L6")
    assert_residuals(entry, wide(weight) - zero)


# ----------------------------------------------------------------------------
# alternatives
# ----------------------------------------------------------------------------


def conv_of(line):
    """(kernel, channels, outputs) of the line about the convolution."""
    found = re.fullmatch(
        r"exactly as it is: a convolution with a ([\dx]+) kernel, without "
        r"padding, ([\d,]+) -> ([\d,]+) channels",
        line,
    )
    assert found, line
    kernel = [int(n) for n in found.group(1).split("x")]
    return kernel, *(int(n.replace(",", "")) for n in found.groups()[1:])


def keras_of(line):
    """(axes, outputs)"""
    found = re.fullmatch(
        r"to retrain pooled in Keras: GlobalAveragePooling(\d)D\(\) in place "
        r"of Flatten\(\), then Dense\(([\d,]+)\)",
        line,
    )
    assert found, line
    return int(found.group(1)), int(found.group(2).replace(",", ""))


def torch_of(line):
    """(axes, channels, outputs)"""
    found = re.fullmatch(
        r"to retrain pooled in PyTorch: nn\.AdaptiveAvgPool(\d)d\(1\) before "
        r"nn\.Flatten\(\), then nn\.Linear\(([\d,]+), ([\d,]+)\)",
        line,
    )
    assert found, line
    return int(found.group(1)), *(
        int(n.replace(",", "")) for n in found.groups()[1:]
    )


def assert_alternatives(entry, kernel, channels, outputs):
    """Three lines with the right numbers."""
    lines = entry["alternatives"]
    assert len(lines) == 3, lines
    axes = len(kernel)
    assert conv_of(lines[0]) == (list(kernel), channels, outputs)
    assert keras_of(lines[1]) == (axes, outputs)
    assert torch_of(lines[2]) == (axes, channels, outputs)


def assert_is_that_convolution(model, head, kernel, turn=None):
    """The layer's matrix, reshaped to that kernel, in a Conv without padding
    gives the layer's answers. ``turn`` brings the map to [N, C, ...].
    """
    g = Graph(type=head.spec.type)
    x = g.input("x", ["N", *head.spec.extents])
    w = head.weight  # over the axes of the map
    if turn is not None:
        x = g.node("Transpose", [x], perm=[0, *turn])
        w = w.transpose([0, *turn])
    assert list(w.shape[2:]) == list(kernel)
    y = g.node("Conv", [x, g.init(np.ascontiguousarray(w))])
    y = g.node("Reshape", [y, g.ints([0, -1])])
    bias = next(
        (i for i in model.graph.initializer if i.name.startswith("bias")), None
    )
    if bias is not None:
        y = g.node("Add", [y, g.init(onnx.numpy_helper.to_array(bias))])
    g.node("Identity", [y], "y")
    g.output("y", ["N", head.spec.outputs])
    feeds = {
        "x": np.random.RandomState(0)
        .standard_normal((3, *head.spec.extents))
        .astype(head.spec.type.numpy)
    }
    old, new = (OnnxRuntime(m)(feeds)["y"] for m in (model, g.model()))
    size = head.spec.size
    limit = (
        2 * (size + 8) * head.spec.type.eps * size * abs(head.weight).max() * 5
    )
    assert (abs(old - new) <= limit).all(), (old, new)


@pytest.mark.parametrize("rank", EVERY)
@pytest.mark.parametrize(
    "dense", ["gemm_tb1", "gemm_tb0", "matmul", "matmul_add"]
)
def test_the_layer_is_that_convolution(tmp_path, rank, dense):
    """The claim holds for any weight: kernel, channels and outputs are enough
    to build it.
    """
    extents = EVERY[rank]
    head = make_head(extents=extents, vary=tuple(range(1, rank)), dense=dense)
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert_alternatives(entry, extents[1:], extents[0], 5)
    assert_is_that_convolution(head.model, head, extents[1:])


@pytest.mark.parametrize("collapse", ["transpose_flatten", "transpose_reshape"])
def test_the_layer_is_that_convolution_in_another_order(tmp_path, collapse):
    """The map is [N, C, H, W], k runs channels last: the same convolution with
    its weight in the map's order.
    """
    head = make_head(vary=(1, 2, 3), collapse=collapse)
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert_alternatives(entry, (2, 4), 3, 5)
    assert_is_that_convolution(head.model, head, (2, 4))


def test_large_numbers_have_separators(tmp_path):
    """1,024 channels and 1,000 outputs, and nothing a language would not
    parse: Dense(1,000) are two arguments.
    """
    head = make_head(
        extents=(1024, 1, 2), outputs=1000, vary=(1, 2, 3), dense="matmul"
    )
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert_alternatives(entry, (1, 2), 1024, 1000)


def test_code_can_be_pasted(tmp_path):
    """nn.Linear(1,024, 1,000) has four arguments in Python."""
    head = make_head(
        extents=(1024, 1, 2), outputs=1000, vary=(1, 2, 3), dense="matmul"
    )
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    text = " ".join(entry["alternatives"])
    assert "Dense(1000)" in text and "nn.Linear(1024, 1000)" in text, text


@pytest.mark.parametrize(
    "extents", [(2, 2, 1, 3, 2), (3, "h", 4), (3, 2, "w")], ids=str
)
def test_no_convolution_to_name(tmp_path, extents):
    """Four spatial axes, or an extent nobody knows: no line is better than a
    wrong one.
    """
    known = [e if isinstance(e, int) else 2 for e in extents]
    matrix = weights(5, known, tuple(range(1, len(known) + 1))).reshape(5, -1)
    g = Graph()
    f = g.node("Flatten", [g.input("x", ["N", *extents])], axis=1)
    g.gemm([f, g.init(matrix)], "y", "dense", transB=1)
    g.output("y", ["N", 5])
    entry = assert_refused(run(tmp_path, g.model()), "dense", "L6")
    assert entry["alternatives"] == []


def test_alternatives_only_for_uneven_weights(tmp_path):
    """Where another rule failed alone, the weights are not the problem."""
    head = make_head(place=lambda g, m: g.input("weight", m.shape))
    entry = assert_refused(run(tmp_path, head.model), "dense", "L3")
    assert entry["alternatives"] == []
    weight = weights(5, (3, 2, 4))
    weight[1, 1] = np.nan
    entry = assert_refused(
        run(tmp_path, make_head(weight=weight).model), "dense", "L4"
    )
    assert entry["alternatives"] == []


def conv_head(weight, group=1, bias=True):
    g = Graph()
    extents = (weight.shape[1] * group, *weight.shape[2:])
    operands = [g.input("x", ["N", *extents]), g.init(weight)]
    if bias:
        operands.append(g.init(np.zeros(len(weight), "f")))
    g.node("Conv", operands, "y", "dense", group=group)
    g.output("y", [None] * weight.ndim)
    return g.model()


def test_a_convolution_is_not_told_that_it_is_one(tmp_path):
    """Two lines, about retraining."""
    weight = weights(5, (3, 2, 4), (1, 2, 3))
    entry = assert_refused(run(tmp_path, conv_head(weight)), "dense", "L6")
    lines = entry["alternatives"]
    assert len(lines) == 2
    assert keras_of(lines[0]) == (2, 5) and torch_of(lines[1]) == (2, 3, 5)
    assert entry["if_pooled"] == 5 * 3 + 5
    assert_residuals(entry, weight)


@pytest.mark.parametrize(
    "group, own, outputs", [(6, 1, 6), (2, 3, 4)], ids=["depthwise", "grouped"]
)
def test_a_convolution_in_groups_if_pooled(tmp_path, group, own, outputs):
    """Pooled, each output keeps the weights of its own channels: O * C / g,
    which is what an accepted one has.
    """
    uneven = weights(outputs, (own, 2, 4), (1, 2, 3))
    entry = run(tmp_path, conv_head(uneven, group)).head("dense")
    assert entry["verdict"] == "refused"
    even = weights(outputs, (own, 2, 4), (1,))
    accepted = run(tmp_path, conv_head(even, group)).head("dense")
    assert accepted["parameters_after"] == outputs * own + outputs
    assert entry["if_pooled"] == accepted["parameters_after"]


def test_a_convolution_in_groups_is_no_linear(tmp_path):
    """Dense(12) for 4 outputs in two groups of three channels would be another
    layer: say the right number, or nothing.
    """
    weight = weights(4, (3, 2, 4), (1, 2, 3))
    entry = assert_refused(run(tmp_path, conv_head(weight, 2)), "dense", "L6")
    for line in entry["alternatives"]:
        numbers = re.search(r"(?:Dense|Linear)\((.*)\)", line)
        assert not numbers or numbers.group(1).split(", ")[-1] == "4", line


# ----------------------------------------------------------------------------
# if_pooled: which axis has the channels
# ----------------------------------------------------------------------------


def channels_last(op, tail, extents=(3, 4, 6), outputs=5, channels=7):
    """image -> ``op`` (channels first) -> Transpose -> ``tail`` -> Flatten ->
    Gemm: the map is [N, H, W, C]. Returns (model, extents of the map).
    """
    g = Graph(13)
    spatial = len(extents) - 1
    x = g.input("x", ["N", *extents])
    random = np.random.RandomState(0)
    if op == "Conv":
        shape = (channels, extents[0], *[1] * spatial)
        kernel = random.standard_normal(shape).astype("f")
        v = g.node("Conv", [x, g.init(kernel)])
    elif op == "BatchNormalization":
        channels = extents[0]
        c = [g.init(np.ones(channels, "f")) for _ in range(4)]
        v = g.node("BatchNormalization", [x, *c])
    elif op == "input":
        channels, v = extents[0], x
    else:
        channels = extents[0]
        v = g.node(op, [x], kernel_shape=[1] * spatial)
    last = [0, *range(2, spatial + 2), 1]
    v = g.node("Transpose", [v], perm=last)
    bias = np.linspace(0, 1, channels).astype("f")
    if "bias" in tail:
        # One number for each channel: the map begins behind it.
        v = g.node("Add", [v, g.init(bias)])
    if "scale" in tail:
        v = g.node("Mul", [g.init(bias), v])
    if "relu" in tail:
        v = g.node("Relu", [v])
    shape = (*extents[1:], channels)
    matrix = random.standard_normal((outputs, math.prod(shape))).astype("f")
    f = g.node("Flatten", [v], axis=1)
    operands = [f, g.init(matrix), g.init(np.zeros(outputs, "f"))]
    g.gemm(operands, "y", "dense", transB=1)
    g.output("y", ["N", outputs])
    return g.model(), shape, matrix.reshape(outputs, *shape)


@pytest.mark.parametrize("tail", ["bias", "bias relu", "scale bias relu"])
@pytest.mark.parametrize(
    "op", ["Conv", "BatchNormalization", "MaxPool", "AveragePool"]
)
def test_channels_last_behind_a_convolution(tmp_path, op, tail):
    """The channels are the last axis of the map, whatever its extents say:
    traced back to axis 1 of the convolution.
    """
    model, shape, weight = channels_last(op, tail)
    entry = assert_refused(run(tmp_path, model), "dense", "L6")
    assert entry["feature_map"][1:] == list(shape)
    channels = shape[-1]
    assert entry["if_pooled"] == 5 * channels + 5
    assert_alternatives(entry, shape[:-1], channels, 5)
    assert_residuals(entry, weight, channel=3)


@pytest.mark.parametrize("extents", [(3, 9), (3, 2, 2, 3)], ids=["1d", "3d"])
def test_channels_last_of_another_rank(tmp_path, extents):
    model, shape, weight = channels_last("Conv", "bias relu", extents)
    entry = assert_refused(run(tmp_path, model), "dense", "L6")
    assert entry["if_pooled"] == 5 * 7 + 5
    assert_alternatives(entry, shape[:-1], 7, 5)
    assert_residuals(entry, weight, channel=len(extents))


def test_the_convolution_of_a_map_with_channels_last(tmp_path):
    """The named convolution, built for [N, H, W, C]: a Transpose in front."""
    _, shape, weight = channels_last("Conv", "bias")
    head = make_head(
        extents=shape, weight=np.ascontiguousarray(weight), vary=(1, 2, 3)
    )
    assert_is_that_convolution(head.model, head, shape[:-1], turn=(3, 1, 2))


@pytest.mark.parametrize("tail", ["bias", "bias relu"])
def test_channels_are_not_guessed(tmp_path, tail):
    """Nothing says where the channels are when the map is an input."""
    model, shape, _ = channels_last("input", tail)
    entry = assert_refused(run(tmp_path, model), "dense", "L6")
    assert entry["feature_map"][1:] == list(shape)
    assert entry["if_pooled"] == 5 * shape[0] + 5


@pytest.mark.parametrize("between", ["relu", "quantised", "dropout", "sum"])
def test_channels_first_behind_more(tmp_path, between):
    """The usual order, through what stands between convolution and head."""
    g = Graph(13)
    x = g.input("x", ["N", 2, 4, 6])
    kernel = np.random.RandomState(0).standard_normal((7, 2, 1, 1)).astype("f")
    v = g.node("Conv", [x, g.init(kernel)])
    if between == "relu":
        v = g.node("Relu", [v])
    elif between == "quantised":
        s, z = g.init(np.float32(0.1)), g.init(np.int8(0))
        v = g.node("QuantizeLinear", [v, s, z])
        v = g.node("DequantizeLinear", [v, s, z])
    elif between == "dropout":
        v = g.node("Dropout", [v])
    else:
        v = g.node("Add", [v, g.node("Conv", [x, g.init(kernel * 2)])])
    weight = weights(5, (7, 4, 6), (1, 2, 3))
    f = g.node("Flatten", [v], axis=1)
    g.gemm([f, g.init(weight.reshape(5, -1))], "y", "dense", transB=1)
    g.output("y", ["N", 5])
    entry = assert_refused(run(tmp_path, g.model()), "dense", "L6")
    assert entry["if_pooled"] == 5 * 7
    assert_alternatives(entry, (4, 6), 7, 5)
    assert_residuals(entry, weight)


# ----------------------------------------------------------------------------
# The table
# ----------------------------------------------------------------------------


def indented(text):
    return [line[2:] for line in text.splitlines() if line.startswith("  ")]


def test_table_lists_the_alternatives(tmp_path):
    """The lines of the JSON, under the rows, with the node's name in front."""
    result = run(tmp_path, make_head(vary=(1, 2, 3)).model)
    entry = result.head("dense")
    assert indented(result.stderr) == [
        f"dense, {line}" for line in entry["alternatives"]
    ]
    assert len(entry["alternatives"]) == 3


def test_table_of_several_heads(tmp_path):
    """Three lines for each refused head, none for the others, in order."""
    g = Graph()
    for name, vary in (("a", (1, 2, 3)), ("b", (1,)), ("c", (1, 2, 3))):
        f = g.node("Flatten", [g.input(f"{name}_x", ["N", 3, 2, 4])], axis=1)
        matrix = weights(5, (3, 2, 4), vary).reshape(5, -1)
        g.gemm([f, g.init(matrix)], f"{name}_y", name, transB=1)
        g.output(f"{name}_y", ["N", 5])
    result = run(tmp_path, g.model())
    assert result.rewritten == ["b"]
    expected = [
        f"{name}, {line}"
        for name in "ac"
        for line in result.head(name)["alternatives"]
    ]
    assert indented(result.stderr) == expected and len(expected) == 6


def test_table_is_silent_about_accepted_heads(tmp_path):
    for changes in ({}, {"extents": (6, 1, 1)}):
        result = run(tmp_path, make_head(**changes).model)
        assert indented(result.stderr) == []


def test_quiet_is_silent(tmp_path):
    result = run(tmp_path, make_head(vary=(1, 2, 3)).model, "--quiet")
    assert (
        result.stderr == "" and len(result.head("dense")["alternatives"]) == 3
    )


def test_odd_names_stay_on_one_line(tmp_path):
    """A node called after a line break does not make a row of its own."""
    head = make_head(vary=(1, 2, 3), name="two\nlines\t\x1b[31m")
    result = run(tmp_path, head.model)
    assert len(indented(result.stderr)) == 3
    assert "\x1b" not in result.stderr and "\t" not in result.stderr


def test_every_field_is_documented(tmp_path):
    """docs/Report.md names each field of the report."""
    text = (REPOSITORY / "docs" / "Report.md").read_text()
    result = run(tmp_path, make_head(vary=(1, 2, 3)).model)
    entry = result.head("dense")
    fields = {*result.report, *entry, *entry["first_difference"]}
    fields |= {*entry["rules"][0], *entry["residual_by_axis"][0]}
    missing = [f for f in fields if f"`{f}`" not in text]
    assert not missing


# ----------------------------------------------------------------------------
# D20: what people ask
# ----------------------------------------------------------------------------

D20 = dict(extents=(512, 7, 7), outputs=25)


def d20_weight(vary):
    """The whole of it would take a second to write from permutations."""
    shape = [25] + [e if a in vary else 1 for a, e in enumerate((512, 7, 7), 1)]
    few = np.random.RandomState(0).standard_normal(shape).astype("f")
    return np.ascontiguousarray(np.broadcast_to(few, (25, 512, 7, 7)))


def test_d20_legal(tmp_path):
    """C = 512, 7x7, O = 25: 627,225 -> 12,825 with the bias, in JSON and in
    the table; and the file shrinks accordingly.
    """
    head = make_head(weight=d20_weight((1,)), **D20)
    result = run(tmp_path, head.model)
    assert result.rewritten == ["dense"]
    entry = result.head("dense")
    assert_sound(result)
    # onnx.reference takes 9 s for it.
    assert_equivalent(
        result.before, result.after, ["dense"], runtimes=(OnnxRuntime,)
    )
    assert entry["parameters_before"] == 25 * (512 * 49) + 25 == 627225
    assert entry["parameters_after"] == 25 * 512 + 25 == 12825
    assert "627,225 -> 12,825" in result.stderr
    saved = result.report["bytes_before"] - result.report["bytes_after"]
    assert abs(saved - 4 * 25 * 512 * 48) < 1024
    assert "25088 -> 25" in result.stderr


def test_d20_refused(tmp_path):
    """The same numbers as what a pooled head would take, the residual, and
    what to change.
    """
    head = make_head(weight=d20_weight((1, 2, 3)), **D20)
    result = run(tmp_path, head.model)
    entry = assert_refused(result, "dense", "L6")
    assert entry["parameters_before"] == entry["parameters_after"] == 627225
    assert entry["if_pooled"] == 12825
    assert "12,825 instead of 627,225 parameters" in result.stderr
    assert_alternatives(entry, (7, 7), 512, 25)
    assert_residuals(entry, head.weight)
    assert f"residual {entry['residual']:.3f}" in result.stderr


def test_d20_one_position(tmp_path):
    """No difference at 1x1."""
    head = make_head(extents=(512, 1, 1), outputs=25)
    result = run(tmp_path, head.model)
    assert_unchanged(result)
    entry = result.head("dense")
    assert entry["verdict"] == "unit"
    numbers = [
        entry[k] for k in ("parameters_before", "parameters_after", "if_pooled")
    ]
    assert numbers == [12825] * 3
    assert "nothing to gain" in result.stderr and "12,825" in result.stderr
