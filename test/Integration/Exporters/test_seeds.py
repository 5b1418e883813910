# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The heads that people asked about, and the models that anyone can fetch: the
verdict, every number and the whole table, word for word.

The other tests ask whether a verdict is right. Here the answer itself is
pinned, because it is what a user reads: a table that says 25088 -> 4096 and
102,764,544 -> 2,101,248 is the product. The numbers are those of the layers'
sizes, worked out in the test, never copied from what head-opt prints.

* the nine light models of the ``onnx`` package: published networks whose
  weights are ConstantOfShape nodes;
* small published models with trained weights, which must be refused;
* five heads from questions: Keras VGG16 and MobileNet, GoogLeNet, a
  220x220x30 map, and a Flatten head of 628,876 parameters.
"""

import math
from pathlib import Path

import numpy as np
import onnx
import pytest

from corpus import feeds_of, producers
from headopt import (
    F32,
    Graph,
    OnnxRuntime,
    assert_dense_kept,
    assert_equivalent,
    assert_sound,
    assert_true_difference,
    assert_unchanged,
    assert_well_formed,
    constant_value,
    failed_rules,
    find_node,
    next_up,
    run,
    wide,
    with_outputs,
)

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
POOLED = "the map is a global average already"


# ----------------------------------------------------------------------------
# What head-opt says
# ----------------------------------------------------------------------------


def table(*rows):
    """The lines of a table as docs/Report.md has it: columns as wide as their
    longest cell, two blanks between them, the last one not padded.
    """
    rows = [("head", "feature map", "K -> O", "verdict", "why"), *rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join([*(c.ljust(w) for c, w in zip(row[:4], widths)), row[4]])
        for row in rows
    ]


def last_line(result, before, after=None):
    """The line for the model, with these numbers of parameters."""
    change = f"{before:,}" if after is None else f"{before:,} -> {after:,}"
    sizes = [p.stat().st_size for p in (result.source, result.target)]
    return (
        f"{result.source}: {change} parameters, "
        f"{sizes[0]:,} -> {sizes[1]:,} bytes"
    )


def assert_says(result, rows, before, after=None, notes=()):
    """The table is this one to the last character, and the report's totals are
    those of its last line.
    """
    expected = [*table(*rows), *notes, last_line(result, before, after)]
    assert result.stderr.splitlines() == expected
    assert result.report["parameters_before"] == before
    assert result.report["parameters_after"] == (after or before)
    pooled = [r for r in rows if r[3] == "pooled"]
    assert result.report["heads_already_pooled"] == len(pooled)
    assert len(result.heads) == len(rows)


def assert_entry(entry, **expected):
    """Those fields of a head's entry have those values."""
    assert {key: entry[key] for key in expected} == expected


def alternatives(kernel, dims, channels, outputs):
    """The three lines of docs/Report.md for a head that L6 refuses."""
    return [
        f"exactly as it is: a convolution with a {kernel} kernel, without "
        f"padding, {channels} -> {outputs} channels",
        f"to retrain pooled in Keras: GlobalAveragePooling{dims}D() in place "
        f"of Flatten(), then Dense({outputs})",
        f"to retrain pooled in PyTorch: nn.AdaptiveAvgPool{dims}d(1) before "
        f"nn.Flatten(), then nn.Linear({channels}, {outputs})",
    ]


def refusal(entry, position, residual, pooled):
    """The cell ``why`` of a refusal by L6, and the reason in it, from the place
    in the report.
    """
    place = entry["first_difference"]
    first, second = (f"{v:.9e}" for v in place["values"])
    reason = (
        f"the weight varies along every axis; first along axis "
        f"{place['axis']}, for output {place['output']} at {position}: "
        f"{first}, then {second}"
    )
    assert entry["reason"] == reason and position == str(place["position"])
    return (
        f"L6: {reason} (residual {residual}); pooled: {pooled:,} instead of "
        f"{entry['parameters_before']:,} parameters"
    )


def spread(weight, axes):
    """``||W - mean W|| / ||W||`` over these axes, in double."""
    w = wide(weight)
    return float(
        np.linalg.norm(w - w.mean(axis=axes, keepdims=True))
        / np.linalg.norm(w)
    )


def assert_residuals(entry, weight, spatial):
    """The residuals of the report are those of the weight [O, map axes]."""
    close = dict(rel=1e-6)
    assert entry["residual"] == pytest.approx(spread(weight, spatial), **close)
    assert {
        r["axis"]: r["residual"] for r in entry["residual_by_axis"]
    } == pytest.approx(
        {a: spread(weight, a) for a in range(1, weight.ndim)}, **close
    )


def assert_kept_as_it_is(result):
    """Nothing is rewritten, and the file is the same to the byte."""
    assert_well_formed(result.report)
    assert_unchanged(result)


# ----------------------------------------------------------------------------
# The light models
# ----------------------------------------------------------------------------

# file: (node, map, outputs, verdict, parameters of the whole model before).
# None where the network ends in something that is no Flatten -> Dense head.
LIGHT_MODELS = {
    "bvlc_alexnet": ("n16", (256, 6, 6), 4096, "rewritten", 60_965_224),
    "densenet121": None,  # GlobalAveragePool, then a 1x1 convolution
    "inception_v1": ("n142", (1024, 1, 1), 1000, "pooled", 6_998_552),
    "inception_v2": ("n507", (1024, 1, 1), 1000, "pooled", 11_234_792),
    "resnet50": ("n174", (2048, 1, 1), 1000, "pooled", 25_610_153),
    "shufflenet": ("n201", (544, 1, 1), 1000, "pooled", 1_420_152),
    "squeezenet": None,  # a 1x1 convolution, then GlobalAveragePool
    "vgg19": ("n38", (512, 7, 7), 4096, "rewritten", 143_667_240),
    "zfnet512": ("n16", (512, 6, 6), 4096, "rewritten", 87_250_537),
}


def test_every_light_model_is_here():
    """A release of ``onnx`` with a tenth model must not pass unnoticed."""
    found = {
        f.stem.removeprefix("light_") for f in LIGHT.glob("light_*.onnx")
    }
    assert found == set(LIGHT_MODELS)


def element_count(model):
    """Floating-point elements of the model's constants, counted from the file:
    initialisers, Constant nodes, ConstantOfShape nodes.
    """
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
    total = sum(
        math.prod(i.dims)
        for i in model.graph.initializer
        if i.data_type in floats
    )
    for node in model.graph.node:
        if node.op_type in ("Constant", "ConstantOfShape"):
            array = constant_value(model.graph, node.output[0])
            total += array.size if array.dtype.kind == "f" else 0
    return total


@pytest.mark.parametrize("name", LIGHT_MODELS)
def test_light_model(tmp_path, name):
    """The published networks: three have a Flatten head whose (made-up) weight
    is even and is pooled, four have pooled already, two have no such head.
    """
    source = LIGHT / f"light_{name}.onnx"
    result = run(tmp_path, source)
    assert_well_formed(result.report)
    if LIGHT_MODELS[name] is None:
        assert result.stderr == f"{source}: no Flatten -> Dense head\n"
        assert result.heads == []
        assert_kept_as_it_is(result)
        return
    node, map, outputs, verdict, total = LIGHT_MODELS[name]
    assert total == element_count(result.before)
    size, channels = math.prod(map), map[0]
    before, small = (n * outputs + outputs for n in (size, channels))
    (entry,) = result.heads
    assert_entry(
        entry,
        node=node,
        op="Gemm",
        feature_map=[1, *map],
        axes_order=[1, 2, 3],
        verdict=verdict,
        reason=None,
        first_difference=None,
        alternatives=[],
        parameters_before=before,
        parameters_after=small,
        if_pooled=small,
        pooled_axes=[2, 3] if verdict == "rewritten" else [],
    )
    row = (
        f"{node} (Gemm)",
        f"1x{map[0]}x{map[1]}x{map[2]}",
        f"{size} -> {outputs}",
        verdict,
    )
    if verdict == "pooled":
        assert_says(result, [(*row, POOLED)], total)
        assert_kept_as_it_is(result)
        return
    why = f"mean over axes 2,3: {before:,} -> {small:,} parameters"
    assert_says(result, [(*row, why)], total, total - before + small)
    assert element_count(result.after) == total - before + small
    assert_sound(result)
    dense = assert_dense_kept(result, node)
    weight = constant_value(result.after.graph, dense.input[1])
    assert sorted(weight.shape) == sorted([outputs, channels])
    old = find_node(result.before.graph, node).input[1]
    number = wide(constant_value(result.before.graph, old)).flat[0]
    assert (weight == np.float32(number * (size // channels))).all()
    assert_same_head(result, node)


def assert_same_head(result, node):
    """Both networks answer alike, at the head and at the end.

    All weights of a light model are one number, so that every output of a head
    is the same sum: compared with a few hundred units in the last place, far
    above what the order of 25,088 products of one sign makes here, and far
    below the 1 / 49 of a position that is missed.
    """
    value = find_node(result.before.graph, node).output[0]
    shapes = {
        i.name: [d.dim_value for d in i.type.tensor_type.shape.dim]
        for i in result.before.graph.input
    }
    feeds = feeds_of(result.before, shapes, 1)
    feeds = {name: np.abs(array) for name, array in feeds.items()}
    old, new = (
        OnnxRuntime(with_outputs(m, [value]))(feeds)
        for m in (result.before, result.after)
    )
    assert list(old) == list(new)
    assert np.abs(old[value]).max() > 0
    for name in old:
        np.testing.assert_allclose(new[name], old[name], 2e-5, err_msg=name)


# ----------------------------------------------------------------------------
# Small published models
# ----------------------------------------------------------------------------


def response(model, map, extents, value):
    """What ``value`` answers to each element of one sample of ``map`` alone, as
    an array [outputs, *extents]: the weight of the layer over the map, found by
    running the nodes between the two. It knows nothing of views and columns.
    """
    made, needed, ahead = producers(model.graph), [], [value]
    while ahead:
        node = made.get(name := ahead.pop())
        if name != map and node is not None and node not in needed:
            needed.append(node)
            ahead += node.input
    size = math.prod(extents)
    graph = onnx.helper.make_graph(
        [n for n in model.graph.node if n in needed],
        "head",
        [
            onnx.helper.make_tensor_value_info(
                map, onnx.TensorProto.FLOAT, [size, *extents]
            )
        ],
        [onnx.ValueInfoProto(name=value)],
        model.graph.initializer,
    )
    part = onnx.helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
    each = np.eye(size, dtype=np.float32).reshape(size, *extents)
    return OnnxRuntime(part)({map: each})[value].T.reshape(-1, *extents)


@pytest.mark.parametrize(
    "file, node, map, channels, outputs, residuals, values, total",
    [
        (
            "rnet.onnx",
            "dense",
            "p_re_lu_5/add:0",
            64,
            128,
            ("0.809", 0.993, 0.642, 0.637),
            ("1.665089466e-02", "6.715237629e-03"),
            100_178,
        ),
        (
            "onet.onnx",
            "dense_3",
            "p_re_lu_10/add:0",
            128,
            256,
            ("0.818", 0.993, 0.630, 0.664),
            ("1.219501439e-02", "5.765349604e-03"),
            389_040,
        ),
    ],
    ids=["rnet", "onet"],
)
def test_mtcnn(
    tmp_path,
    models,
    file,
    node,
    map,
    channels,
    outputs,
    residuals,
    values,
    total,
):
    """RNet and ONet of MTCNN: a trained head on a 3x3 map behind a Transpose.
    It must be refused, and the report says what a pooled head would have.

    The Transpose puts the channels last, so that the next position along axis 2
    is 3 * channels columns on; the report names axes of the map, not columns.
    The dense layers behind it see no map and are not listed.
    """
    result = run(tmp_path, models / file)
    entry = result.head(node)
    size = 9 * channels
    before, pooled = (n * outputs + outputs for n in (size, channels))
    assert_entry(
        entry,
        op="MatMul",
        feature_map=[None, channels, 3, 3],
        axes_order=[2, 3, 1],
        verdict="refused",
        pooled_axes=[],
        parameters_before=before,
        parameters_after=before,
        if_pooled=pooled,
        alternatives=alternatives("3x3", 2, channels, outputs),
    )
    assert failed_rules(entry) == ["L6"]
    dense = find_node(result.before.graph, node)
    matrix = constant_value(result.before.graph, dense.input[1]).T
    assert assert_true_difference(entry, matrix) == (0, 3 * channels)
    weight = response(result.before, map, (channels, 3, 3), dense.output[0])
    place = entry["first_difference"]
    assert place["position"] == [0, 1, 0]
    assert place["values"] == [weight[0, 0, 0, 0], weight[0, 0, 1, 0]]
    assert_residuals(entry, weight, (2, 3))
    residual, *by_axis = residuals
    assert (f"{entry['residual']:.3f}", entry["residual_by_axis"]) == (
        residual,
        [
            {"axis": axis, "residual": pytest.approx(number, abs=5e-4)}
            for axis, number in enumerate(by_axis, 1)
        ],
    )
    assert_says(
        result,
        [
            (
                f"{node} (MatMul)",
                f"?x{channels}x3x3",
                f"{size} -> {outputs}",
                "refused",
                "L6: the weight varies along every axis; first along axis 2, "
                f"for output 0 at [0, 1, 0]: {values[0]}, then {values[1]} "
                f"(residual {residual}); pooled: {pooled:,} instead of "
                f"{before:,} parameters",
            )
        ],
        element_count(result.before),
        notes=[
            f"  {node}, exactly as it is: a convolution with a 3x3 kernel, "
            f"without padding, {channels} -> {outputs} channels",
            f"  {node}, to retrain pooled in Keras: GlobalAveragePooling2D() "
            f"in place of Flatten(), then Dense({outputs})",
            f"  {node}, to retrain pooled in PyTorch: nn.AdaptiveAvgPool2d(1) "
            f"before nn.Flatten(), then nn.Linear({channels}, {outputs})",
        ],
    )
    assert element_count(result.before) == total
    assert_kept_as_it_is(result)


@pytest.mark.parametrize("size", [(48, 192), (128, 320)], ids=str)
def test_rapidocr_cls(tmp_path, models, size):
    """The text direction classifier of PaddleOCR, for inputs of any height and
    width: pooled already, and the target of the Reshape to [N, 200] is computed.
    That the features are the means of the map is seen by running it.
    """
    result = run(tmp_path, models / "ch_ppocr_mobile_v2.0_cls_infer.onnx")
    (entry,) = result.heads
    assert_entry(
        entry,
        node="MatMul@0",
        op="MatMul",
        feature_map=[None, 200, 1, 1],
        axes_order=[1, 2, 3],
        verdict="pooled",
        pooled_axes=[],
        parameters_before=200 * 2 + 2,
        parameters_after=200 * 2 + 2,
        if_pooled=200 * 2 + 2,
        residual=None,
        first_difference=None,
        alternatives=[],
    )
    assert failed_rules(entry) == []
    assert_says(
        result,
        [("MatMul@0 (MatMul)", "?x200x1x1", "200 -> 2", "pooled", POOLED)],
        element_count(result.before),
    )
    assert element_count(result.before) == 133_700
    assert_kept_as_it_is(result)

    graph = result.before.graph
    dense = find_node(graph, "MatMul@0")
    pool = find_node(graph, "GlobalAveragePool@9")
    names = [pool.input[0], dense.input[0], dense.output[0]]
    feeds = feeds_of(result.before, {"x": [3, 3, *size]}, 1)
    answer = OnnxRuntime(with_outputs(result.before, names))(feeds)
    map, features, logits = (wide(answer[name]) for name in names)
    assert map.shape == (3, 200, math.ceil(size[0] / 32) // 2, size[1] // 4)
    # The map varies, or the mean would say nothing.
    assert map.std(axis=(2, 3)).max() > 0.05
    np.testing.assert_allclose(features, map.mean(axis=(2, 3)), 1e-5, 1e-6)
    weight = wide(constant_value(graph, dense.input[1]))
    assert weight.shape == (200, 2)
    np.testing.assert_allclose(logits, features @ weight, 1e-4, 1e-5)


def test_hey_rhasspy(tmp_path, models):
    """A wake word model: its input [1, 16, 96] is flattened as it stands. Which
    axis holds the channels is not known without a convolution; axis 1 is taken,
    and the head is refused for both.
    """
    result = run(tmp_path, models / "hey_rhasspy_v0.1.onnx")
    entry = result.head("/1/Gemm")
    assert_entry(
        entry,
        op="Gemm",
        feature_map=[1, 16, 96],
        axes_order=[1, 2],
        verdict="refused",
        pooled_axes=[],
        parameters_before=1536 * 32 + 32,
        parameters_after=1536 * 32 + 32,
        if_pooled=16 * 32 + 32,
    )
    assert failed_rules(entry) == ["L6"]
    node = find_node(result.before.graph, "/1/Gemm")
    matrix = constant_value(result.before.graph, node.input[1])
    assert assert_true_difference(entry, matrix) == (0, 96)
    assert_residuals(entry, matrix.reshape(32, 16, 96), (2,))
    assert (f"{entry['residual']:.3f}", entry["residual_by_axis"]) == (
        "0.995",
        [
            {"axis": 1, "residual": pytest.approx(0.899, abs=5e-4)},
            {"axis": 2, "residual": pytest.approx(0.995, abs=5e-4)},
        ],
    )
    notes = alternatives("96", 1, 16, 32)
    assert entry["alternatives"] == notes
    assert_says(
        result,
        [
            (
                "/1/Gemm (Gemm)",
                "1x16x96",
                "1536 -> 32",
                "refused",
                "L6: the weight varies along every axis; first along axis 1, "
                "for output 0 at [1, 0]: 4.653751105e-02, then "
                "-4.693184048e-03 (residual 0.995); pooled: 544 instead of "
                "49,184 parameters",
            )
        ],
        element_count(result.before),
        notes=[f"  /1/Gemm, {note}" for note in notes],
    )
    assert element_count(result.before) == 50_405
    assert_kept_as_it_is(result)


def test_pnet(tmp_path, models):
    """PNet of MTCNN is convolutions to the end: no row, one line."""
    result = run(tmp_path, models / "pnet.onnx")
    assert result.stderr == f"{result.source}: no Flatten -> Dense head\n"
    assert result.heads == []
    total = element_count(result.before)
    assert result.report["parameters_before"] == total
    assert_kept_as_it_is(result)


# ----------------------------------------------------------------------------
# Five heads from questions
# ----------------------------------------------------------------------------


def random_array(*shape, seed=0, scale=1.0):
    """Trained weights as far as head-opt is concerned: no two are equal."""
    values = np.random.RandomState(seed).standard_normal(shape) * scale
    return values.astype(np.float32)


def even_matrix(positions, channels, outputs, seed=0):
    """A weight [K, O] for a map with channels last, even over its positions."""
    base = random_array(channels, outputs, seed=seed, scale=0.1)
    return np.ascontiguousarray(np.tile(base, (positions, 1)))


def backbone(g, size, channels, kernel=3):
    """A convolution with ReLU that makes a map [N, channels, size, size]."""
    x = g.input("x", ["N", 3, size, size])
    weight = random_array(channels, 3, kernel, kernel, seed=7, scale=0.2)
    pads = [kernel // 2] * 4
    y = g.node("Conv", [x, g.init(weight)], name="conv", pads=pads)
    return g.node("Relu", [y])


def last(g, x):
    """Channels last, as a Keras model flattens its map."""
    return g.node("Transpose", [x], perm=[0, 2, 3, 1])


def flatten_gemm(g, x, weight, bias, output=None, name="dense"):
    flat = g.node("Flatten", [x], axis=1)
    return g.gemm([flat, g.init(weight), g.init(bias)], output, name)


def reshape_matmul_add(g, x, weight, bias, output=None, name="dense"):
    """As tf2onnx writes Flatten and Dense for a batch of any size."""
    batch = g.node("Cast", [g.node("Shape", [x])], to=6)
    batch = g.node("Slice", [batch, *map(g.ints, ([0], [1], [0]))])
    size = g.init(np.array([len(weight)], np.int32))
    shape = g.node("Concat", [batch, size], axis=0)
    flat = g.node("Reshape", [x, g.node("Cast", [shape], to=7)])
    y = g.node("MatMul", [flat, g.init(weight)], name=name)
    return g.add(y, g.init(bias), output)


SPELLINGS = {"Gemm": flatten_gemm, "MatMul": reshape_matmul_add}


def float_count(g):
    return sum(
        math.prod(i.dims)
        for i in g.initializers
        if i.data_type == onnx.TensorProto.FLOAT
    )


def assert_pooled_exactly(result, entry, before, after, bias):
    """The head is rewritten, the file is sound, and the new weight is the old
    one's sum over the positions: [channels, O] from [K, O].
    """
    assert_well_formed(result.report)
    assert_entry(
        entry,
        verdict="rewritten",
        parameters_before=before,
        parameters_after=after,
        if_pooled=after,
        first_difference=None,
        reason=None,
        alternatives=[],
    )
    assert_sound(result)
    node = assert_dense_kept(result, entry["node"])
    old, new = (
        constant_value(m.graph, find_node(m.graph, node.name).input[1])
        for m in (result.before, result.after)
    )
    assert new.size + bias == after and new.shape[1] == old.shape[1]
    summed = wide(old).reshape(-1, *new.shape).sum(axis=0)
    assert np.array_equal(new, summed.astype(np.float32))


def vgg16(spelling, weight, bias):
    g = Graph()
    map = last(g, backbone(g, 7, 512))
    SPELLINGS[spelling](g, map, weight, bias, g.output("y", ["N", 25]))
    return g.model(), float_count(g)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_vgg16_trained(tmp_path, spelling):
    """Keras' VGG16 base (7x7x512) with Flatten and a trained Dense(25): 627,225
    parameters, which stay. The report says that 12,825 would do if trained
    anew, and how.
    """
    weight = random_array(25_088, 25)
    model, total = vgg16(spelling, weight, random_array(25))
    result = run(tmp_path, model)
    entry = result.head("dense")
    assert_entry(
        entry,
        op=spelling,
        feature_map=[None, 512, 7, 7],
        axes_order=[2, 3, 1],
        verdict="refused",
        parameters_before=627_225,
        parameters_after=627_225,
        if_pooled=12_825,
        alternatives=alternatives("7x7", 2, 512, 25),
    )
    assert failed_rules(entry) == ["L6"]
    assert assert_true_difference(entry, weight.T) == (0, 512 * 7)
    spread_out = weight.T.reshape(25, 7, 7, 512).transpose(0, 3, 1, 2)
    assert_residuals(entry, spread_out, (2, 3))
    # Of 49 independent numbers the mean is 1 / 7 as long: sqrt(48 / 49).
    assert entry["residual"] == pytest.approx(math.sqrt(48 / 49), abs=1e-3)
    why = refusal(entry, "[0, 1, 0]", "0.990", 12_825)
    assert_says(
        result,
        [
            (
                f"dense ({spelling})",
                "?x512x7x7",
                "25088 -> 25",
                "refused",
                why,
            )
        ],
        total,
        notes=[f"  dense, {a}" for a in entry["alternatives"]],
    )
    assert_kept_as_it_is(result)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_vgg16_even(tmp_path, spelling):
    """The same head with a weight that is even over the positions: pooled to
    512 -> 25, 12,825 parameters, with the same answers.
    """
    weight = even_matrix(49, 512, 25)
    model, total = vgg16(spelling, weight, random_array(25))
    result = run(tmp_path, model)
    entry = result.head("dense")
    assert_entry(
        entry,
        op=spelling,
        feature_map=[None, 512, 7, 7],
        axes_order=[2, 3, 1],
        pooled_axes=[2, 3],
    )
    assert_pooled_exactly(result, entry, 627_225, 12_825, 25)
    assert_says(
        result,
        [
            (
                f"dense ({spelling})",
                "?x512x7x7",
                "25088 -> 25",
                "rewritten",
                "mean over axes 2,3: 627,225 -> 12,825 parameters",
            )
        ],
        total,
        total - 627_225 + 12_825,
    )
    # Reading the map position by position is what pooling replaces.
    ops = [n.op_type for n in result.after.graph.node]
    assert ops.count("GlobalAveragePool") == 1 and "Transpose" not in ops
    assert_equivalent(
        result.before, result.after, ["dense"], {"N": 2}, seeds=(1,)
    )


@pytest.mark.parametrize("spelling", ["ReduceMean", "GlobalAveragePool"])
def test_mobilenet_head(tmp_path, spelling):
    """Keras' MobileNet base with GlobalAveragePooling2D and Dense 1024, 1024,
    512, 3: the first is pooled already, the others never saw a map and have no
    row.
    """
    g = Graph()
    map = backbone(g, 7, 1024)
    if spelling == "ReduceMean":
        y = g.mean(last(g, map), [1, 2], keepdims=0)
    else:
        y = g.squeeze(g.node("GlobalAveragePool", [map]), [2, 3])
    sizes = [1024, 1024, 1024, 512, 3]
    for i, (k, o) in enumerate(zip(sizes, sizes[1:])):
        operands = [y, g.init(random_array(k, o)), g.init(random_array(o))]
        if o == 3:
            y = g.gemm(operands, name=f"dense_{i}")
            g.node("Softmax", [y], g.output("y", ["N", 3]), axis=1)
        else:
            y = g.node("Relu", [g.gemm(operands, name=f"dense_{i}")])
    result = run(tmp_path, g.model())
    (entry,) = result.heads
    size = 1024 * 1024 + 1024
    assert_entry(
        entry,
        node="dense_0",
        op="Gemm",
        verdict="pooled",
        pooled_axes=[],
        reason=None,
        parameters_before=size,
        parameters_after=size,
        if_pooled=size,
        alternatives=[],
    )
    # A mean that drops its axes leaves no map to name.
    extents = [] if spelling == "ReduceMean" else [None, 1024, 1, 1]
    assert entry["feature_map"] == extents
    shown = "?x1024x1x1" if extents else "?"
    assert_says(
        result,
        [("dense_0 (Gemm)", shown, "1024 -> 1024", "pooled", POOLED)],
        float_count(g),
    )
    assert_kept_as_it_is(result)


def average_pool_head(size, channels, outputs, transposed):
    """Convolution, AveragePool with a window as large as the map, Flatten and
    Gemm; the 1x1 map's channels are put last if ``transposed``.
    """
    g = Graph()
    map = backbone(g, size, channels, kernel=1)
    y = g.node("AveragePool", [map], name="pool", kernel_shape=[size, size])
    y = last(g, y) if transposed else y
    weight = random_array(channels, outputs)
    bias = random_array(outputs)
    flatten_gemm(g, y, weight, bias, g.output("y", ["N", outputs]))
    return g


@pytest.mark.parametrize(
    "size, channels, outputs, transposed",
    [(7, 1024, 1000, False), (220, 30, 5, True)],
    ids=["googlenet", "220x220x30"],
)
def test_average_pool_head(tmp_path, size, channels, outputs, transposed):
    """GoogLeNet's 7x7x1024 map under AveragePool 7x7, and a 220x220x30 map
    under AveragePool 220x220: a global average by another name. The file stays
    as it is; with --raise-to-gap the pool is a GlobalAveragePool and every
    other node is what it was.
    """
    g = average_pool_head(size, channels, outputs, transposed)
    model = g.model()
    result = run(tmp_path, model)
    (entry,) = result.heads
    count = channels * outputs + outputs
    assert_entry(
        entry,
        node="dense",
        op="Gemm",
        verdict="pooled",
        pooled_axes=[],
        reason=None,
        parameters_before=count,
        parameters_after=count,
        if_pooled=count,
        alternatives=[],
    )
    assert entry["feature_map"] == [None, channels, 1, 1]
    assert entry["axes_order"] == [1, 2, 3]
    assert_says(
        result,
        [
            (
                "dense (Gemm)",
                f"?x{channels}x1x1",
                f"{channels} -> {outputs}",
                "pooled",
                POOLED,
            )
        ],
        float_count(g),
    )
    assert_kept_as_it_is(result)

    raised = run(tmp_path / "raised", model, "--raise-to-gap")
    assert raised.stderr == "" and raised.heads == []
    assert_sound(raised)
    old, new = (
        [n.op_type for n in m.graph.node] for m in (model, raised.after)
    )
    assert new == [o.replace("AveragePool", "GlobalAveragePool") for o in old]
    pool = next(n for n in raised.after.graph.node if "Pool" in n.op_type)
    assert not pool.attribute
    before = OnnxRuntime(with_outputs(model, [pool.output[0]]))
    after = OnnxRuntime(with_outputs(raised.after, [pool.output[0]]))
    feeds = feeds_of(model, {"x": [2, 3, size, size]}, 1)
    p, q = before(feeds), after(feeds)
    # Sums of 49 or 48,400 non-negative numbers, in whatever order a kernel
    # takes: random rounding makes about sqrt(48,400) eps / 2 = 1.3e-5 of it.
    close = 1e-4
    np.testing.assert_allclose(q[pool.output[0]], p[pool.output[0]], close)
    reach = np.abs(p[pool.output[0]]).reshape(2, -1) @ np.abs(
        constant_value(model.graph, find_node(model.graph, "dense").input[1])
    )
    assert (np.abs(wide(p["y"]) - wide(q["y"])) <= 2 * close * reach).all()


def flat_220(weight):
    """All of a 220x220x30 map into Dense(2). The convolution copies each of its
    three inputs ten times, so that a map of small whole numbers can be had.
    """
    g = Graph()
    x = g.input("x", ["N", 3, 220, 220])
    copies = np.tile(np.eye(3, dtype=np.float32), (10, 1)).reshape(30, 3, 1, 1)
    map = last(g, g.node("Conv", [x, g.init(copies)], name="conv"))
    y = g.output("y", ["N", 2])
    flatten_gemm(g, map, weight, random_array(2), y)
    return g


def test_flatten_of_220x220x30(tmp_path):
    """K = 1,452,000: 2,904,002 parameters become 62, and one weight of those
    that moved by one unit in the last place is found, the last one too.

    On a map of zeros and ones with weights of 1 and 2 every sum in the old head
    is exact in float (the bias is added last), so that the new one is held to a
    few units in the last place; over so many summands the usual bound would let
    a missed row of positions pass.
    """
    positions, before, after = 220 * 220, 2_904_002, 62
    assert positions * 30 == 1_452_000
    random = np.random.RandomState(3)
    base = (random.choice([1.0, 2.0], (30, 2)) * [1, -1]).astype(np.float32)
    base[1] = [1.0, -2.0]  # so that output 1 of the twin is known below
    weight = np.ascontiguousarray(np.tile(base, (positions, 1)))
    g = flat_220(weight)
    total = float_count(g)
    assert total == 90 + before
    result = run(tmp_path, g.model())
    (entry,) = result.heads
    assert_entry(
        entry,
        node="dense",
        op="Gemm",
        feature_map=[None, 30, 220, 220],
        axes_order=[2, 3, 1],
        pooled_axes=[2, 3],
    )
    assert_pooled_exactly(result, entry, before, after, 2)
    row = ("dense (Gemm)", "?x30x220x220", "1452000 -> 2")
    why = "mean over axes 2,3: 2,904,002 -> 62 parameters"
    assert_says(result, [(*row, "rewritten", why)], total, 152)
    ones = random.randint(0, 2, (1, 3, 220, 220)).astype(np.float32)
    p, q = (OnnxRuntime(m)({"x": ones})["y"] for m in (g.model(), result.after))
    sums = np.tile(ones.sum(axis=(2, 3), dtype=np.float64), 10)
    bias = find_node(result.before.graph, "dense").input[2]
    bias = wide(constant_value(result.before.graph, bias))
    exact = sums @ wide(base) + bias
    reach = sums @ np.abs(wide(base))
    assert (np.abs(p - exact) <= F32.eps * np.abs(exact)).all()
    assert (np.abs(q - exact) <= 32 * F32.eps * reach).all()
    # So close that one row of positions too few would show.
    one_row = np.tile(ones[:, :, 0].sum(axis=2), 10) @ base
    assert (64 * F32.eps * reach < np.abs(one_row)).all()

    at = (len(weight) - 30 + 1, 1)  # last position, channel 1, output 1
    moved = next_up(weight, at)
    twin = run(tmp_path / "twin", flat_220(moved).model())
    (entry,) = twin.heads
    assert_entry(
        entry,
        verdict="refused",
        parameters_before=before,
        parameters_after=before,
        if_pooled=after,
        alternatives=alternatives("220x220", 2, 30, 2),
    )
    assert failed_rules(entry) == ["L6"]
    place = entry["first_difference"]
    assert place == {
        "axis": 2,
        "output": 1,
        "position": [1, 219, 219],
        "values": [-2.0, float(moved[at])],
    }
    # One unit in the last place of one weight among 2,904,000.
    off = abs(float(moved[at]) + 2.0) / np.linalg.norm(wide(weight))
    parts = {r["axis"]: r["residual"] for r in entry["residual_by_axis"]}
    assert entry["residual"] == pytest.approx(
        off * math.sqrt(1 - 1 / positions), rel=1e-4
    )
    for axis in (2, 3):
        assert parts[axis] == pytest.approx(
            off * math.sqrt(1 - 1 / 220), rel=1e-4
        )
    # 0.000 would read as if the weight were even.
    why = refusal(entry, "[1, 219, 219]", "9.0e-11", after)
    assert_says(
        twin,
        [(*row, "refused", why)],
        total,
        notes=[f"  dense, {a}" for a in entry["alternatives"]],
    )
    assert_kept_as_it_is(twin)


# ----------------------------------------------------------------------------
# 628,876 parameters, and 14,476
# ----------------------------------------------------------------------------


def question(weight, layout):
    """7x7x512 -> Flatten -> Dense(25) -> Dense(38) -> Dense(17).

    The question gives 628,876 trainable parameters with Flatten and 14,476 with
    global pooling. 512 n 48 = 614,400 gives n = 25 for the first layer, and
    leaves 1,651 for those behind it; two more of n and m outputs have
    (n + 1) (26 + m) = 1,651 + 26 = 3 * 13 * 43, which 38 and 17 solve.
    The map is the graph's input: the base is not trained, and not counted.
    """
    g = Graph()
    if layout == "channels last":
        map = g.input("map", ["N", 7, 7, 512])
    else:
        map = last(g, g.input("map", ["N", 512, 7, 7]))
    y = flatten_gemm(g, map, weight, random_array(25), name="dense")
    for i, (k, o) in enumerate([(25, 38), (38, 17)], 1):
        y = g.node("Relu", [y])
        operands = [y, g.init(random_array(k, o)), g.init(random_array(o))]
        y = g.gemm(operands, name=f"dense_{i}")
    g.node("Softmax", [y], g.output("y", ["N", 17]), axis=1)
    assert float_count(g) == 628_876
    return g.model()


@pytest.mark.parametrize(
    "layout, extents, order, axes",
    [
        ("channels last", "?x7x7x512", [1, 2, 3], [1, 2]),
        ("channels first", "?x512x7x7", [2, 3, 1], [2, 3]),
    ],
    ids=["nhwc", "nchw"],
)
def test_question_even(tmp_path, layout, extents, order, axes):
    """The whole model goes from 628,876 to 14,476, as in the question."""
    result = run(tmp_path, question(even_matrix(49, 512, 25), layout))
    (entry,) = result.heads
    assert_pooled_exactly(result, entry, 627_225, 12_825, 25)
    assert_entry(entry, node="dense", op="Gemm", pooled_axes=axes)
    assert entry["axes_order"] == order
    positions = ",".join(str(a) for a in axes)
    why = f"mean over axes {positions}: 627,225 -> 12,825 parameters"
    assert_says(
        result,
        [("dense (Gemm)", extents, "25088 -> 25", "rewritten", why)],
        628_876,
        14_476,
    )
    assert element_count(result.after) == 14_476
    assert_same_logits(result)


def assert_same_logits(result):
    """The head's 25 numbers agree within the rounding of 25,088 products, and
    the model's answer with them.
    """
    head = find_node(result.before.graph, "dense")
    flat, value = head.input[0], head.output[0]
    (value_info,) = result.before.graph.input
    shape = [d.dim_value or 3 for d in value_info.type.tensor_type.shape.dim]
    for seed in (1, 2):
        feeds = feeds_of(result.before, {"map": shape}, seed)
        p = OnnxRuntime(with_outputs(result.before, [flat, value]))(feeds)
        q = OnnxRuntime(with_outputs(result.after, [value]))(feeds)
        weight = constant_value(result.before.graph, head.input[1])
        bias = constant_value(result.before.graph, head.input[2])
        exact = wide(p[flat]) @ wide(weight) + wide(bias)
        # Rounding of random sign: the root of a sum of squares, generously.
        reach = np.sqrt(wide(p[flat]) ** 2 @ wide(weight) ** 2)
        for y in (p[value], q[value]):
            assert (np.abs(y - exact) <= 256 * F32.eps * reach).all()
        np.testing.assert_allclose(q["y"], p["y"], 1e-3, 1e-5)


def test_question_trained(tmp_path):
    """Trained weights stay, all 628,876 of them; what a pooled head would have
    is the difference that the question asks about.
    """
    weight = random_array(25_088, 25)
    result = run(tmp_path, question(weight, "channels first"))
    (entry,) = result.heads
    assert_entry(
        entry,
        node="dense",
        op="Gemm",
        feature_map=[None, 512, 7, 7],
        axes_order=[2, 3, 1],
        verdict="refused",
        parameters_before=627_225,
        parameters_after=627_225,
        if_pooled=12_825,
        alternatives=alternatives("7x7", 2, 512, 25),
    )
    assert 628_876 - 627_225 + entry["if_pooled"] == 14_476
    assert assert_true_difference(entry, weight.T) == (0, 512 * 7)
    why = refusal(entry, "[0, 1, 0]", "0.990", 12_825)
    assert_says(
        result,
        [("dense (Gemm)", "?x512x7x7", "25088 -> 25", "refused", why)],
        628_876,
        notes=[f"  dense, {a}" for a in entry["alternatives"]],
    )
    assert_kept_as_it_is(result)
