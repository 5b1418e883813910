# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One weight moved by one unit in the last place, or one element of the map that
differs from its neighbours, turns every accepted head into a refused one.

The theorem has no tolerance, so this is the property that tells a proof from a guess:
whoever accepts a head for its looks (an operator that usually means an even map, a few
weights looked at) accepts the changed one too. Heads whose weight is even must also be
refused with the place of that very weight.

The expected place is worked out here from the weight's own layout and from what
docs/Report.md says: a difference is to the neighbour before, and of several axes along
which the weight varies the one counts that is even the longest in the file.
"""

import zlib

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from corpus import (
    EXPECTED,
    all_values,
    assert_same_answers,
    expected_heads,
    feeds_of,
    find_entry,
    insert_behind,
    named,
    producers,
)
from headopt import (
    BF16,
    TYPES,
    Graph,
    Reference,
    OnnxRuntime,
    assert_refused,
    attribute,
    bits,
    find_node,
    flat_index,
    make_head,
    run,
    type_of,
    weights,
)
from test_exporters import KNOWN_MISSES


def accepted(by):
    return [
        pytest.param(file, head, id=named(file, head))
        for file, head in expected_heads("rewritten")
        if head["by"] == by and (file, head["node"]) not in KNOWN_MISSES
    ]


# ----------------------------------------------------------------------------
# The weight: where it is, and how it is moved
# ----------------------------------------------------------------------------


def fold(model, name):
    """The value of a constant expression, by ONNX Runtime: ONNX's own evaluator has
    no DequantizeLinear below opset 19.
    """
    made = producers(model.graph)
    needed, ahead = [], [name]
    while ahead:
        node = made.get(ahead.pop())
        if node is not None and node not in needed:
            needed.append(node)
            ahead += [i for i in node.input if i]
    graph = helper.make_graph(
        [n for n in model.graph.node if n in needed],
        "weight",
        [],
        [onnx.ValueInfoProto(name=name)],
        model.graph.initializer,
    )
    # Below IR 4 initialisers would have to be inputs too.
    ir = max(4, model.ir_version)
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=ir)
    return OnnxRuntime(part)({})[name]


def constant_parts(model, node):
    """[(name, array)] of what the weight of a dense node can be changed at: itself
    (folded, where it is computed), and the stored integers where it is dequantised.
    """
    stored = {i.name: i for i in model.graph.initializer}
    name = node.input[1]
    if name in stored:
        return [(name, numpy_helper.to_array(stored[name]))]
    parts = [(name, fold(model, name))]
    source = producers(model.graph)[name]
    if source.op_type == "DequantizeLinear" and source.input[0] in stored:
        stem = source.input[0]
        parts.append((stem, numpy_helper.to_array(stored[stem])))
    return parts


def moved(array, index):
    """A copy with one element moved by the least step that its type has."""
    new = np.array(array, order="C")
    if type_of(new) is not None:
        # Away from zero; a zero becomes the smallest subnormal.
        bits(new)[index] += 1
        assert np.isfinite(new[index].astype(np.float64))
    else:
        limit = ml_dtypes.iinfo(new.dtype).max
        new[index] += -1 if new[index] == limit else 1
    assert new[index] != array[index]
    return new


def with_constant(model, name, array):
    """A copy of the model in which ``name`` is an initialiser of these elements."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    for i, tensor in enumerate(graph.initializer):
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(array, name))
            return changed
    del graph.node[:]
    graph.node.extend(n for n in model.graph.node if name not in n.output)
    graph.initializer.append(numpy_helper.from_array(array, name))
    return changed


class Layout:
    """How the elements of a weight lie in the file, against [output, map axes]."""

    def __init__(self, node, extents):
        rows = node.op_type in ("Conv", "Einsum") or attribute(node, "transB", 0)
        self.outputs_first, self.extents = bool(rows), tuple(extents)

    def spread(self, array):
        """A view over [output, map axes]."""
        if self.outputs_first:
            return array.reshape(-1, *self.extents)
        return np.moveaxis(array.reshape(*self.extents, -1), -1, 0)

    def place(self, shape, output, position):
        """The index into the file's array."""
        k = int(np.ravel_multi_index(position, self.extents))
        if not self.outputs_first:
            return (k, output)
        count = int(np.prod(self.extents))
        return np.unravel_index(output * count + k, shape)

    def first_differences(self, array):
        """{map axis: (output, position)} of the first weight in the file that differs
        from its neighbour before it along that axis.
        """
        weight = np.ascontiguousarray(self.spread(array))
        if type_of(weight) is not None:
            weight = bits(weight)
        found = {}
        for axis in range(1, weight.ndim):
            ahead = [slice(None)] * weight.ndim
            behind = list(ahead)
            ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
            where = np.argwhere(weight[tuple(ahead)] != weight[tuple(behind)])
            if len(where):
                where[:, axis] += 1
                first = min(where.tolist(), key=self.file_index)
                found[axis] = (first[0], tuple(first[1:]))
        return found

    def file_index(self, index):
        output, *position = index
        return (output, *position) if self.outputs_first else (*position, output)

    def expected(self, array):
        """The places a refusal may name: those of the axes that are even the longest,
        as {(axis, output, position)}.
        """
        found = self.first_differences(array)
        assert len(found) == sum(e > 1 for e in self.extents), "an axis is still even"
        longest = max(self.file_index((o, *p)) for o, p in found.values())
        return {
            (axis, o, p)
            for axis, (o, p) in found.items()
            if self.file_index((o, *p)) == longest
        }

    def stride(self, axis):
        return int(np.prod(self.extents[axis:], dtype=np.int64))


def strides_of(entry):
    """{axis: stride in K} of the map that a report describes."""
    strides, step = {}, 1
    for axis in reversed(entry["axes_order"]):
        strides[axis], step = step, step * entry["feature_map"][axis]
    return strides


def assert_place(entry, layout, array):
    """``first_difference`` and the reason name one of the expected places.

    The report is free to describe another value as the map (before a Transpose, for
    instance), so axis and position are compared as column and stride in K, which no
    choice of the map changes.
    """
    difference = entry["first_difference"]
    assert difference, f"no place is named: {entry['reason']}"
    axis, position = difference["axis"], difference["position"]
    weight = layout.spread(array)
    named = (
        strides_of(entry)[axis],
        difference["output"],
        flat_index(entry, position),
    )
    expected = {
        (layout.stride(a), o, int(np.ravel_multi_index(p, layout.extents))): (a, o, p)
        for a, o, p in layout.expected(array)
    }
    assert named in expected, f"(stride, output, k) {named} is named, not {expected}"
    a, o, p = expected[named]
    before = list(p)
    before[a - 1] -= 1
    values = [float(weight[(o, *before)]), float(weight[(o, *p)])]
    assert [float(v) for v in difference["values"]] == values
    at = f"along axis {axis}, for output {difference['output']} at {position}:"
    assert at in entry["reason"], entry["reason"]


def touches(place, axis, index):
    """Whether a difference along ``axis`` at ``place`` is one to the weight at
    ``index``: that weight itself, or its neighbour behind it.
    """
    output, position = place
    behind = list(index[1:])
    behind[axis - 1] += 1
    return output == index[0] and tuple(position) in (tuple(index[1:]), tuple(behind))


def telling_index(layout, array, seed):
    """A pseudo-random [output, position] whose change is what the report must name:
    not one among the first weights, where an axis that varies anyway may be even for
    longer than the changed one.
    """
    random = np.random.RandomState(seed)
    shape = layout.spread(array).shape
    for _ in range(100):
        index = tuple(int(random.randint(n)) for n in shape)
        new = moved(array, layout.place(array.shape, index[0], index[1:]))
        if all(touches((o, p), a, index) for a, o, p in layout.expected(new)):
            return index
    raise AssertionError("no such place")


# ----------------------------------------------------------------------------
# Heads of the corpus
# ----------------------------------------------------------------------------


def is_filled(model, node):
    """Whether the weight is one number, spread by ConstantOfShape (VGG19, AlexNet
    and ZFNet as the ONNX package has them).
    """
    source = producers(model.graph).get(node.input[1])
    return source is not None and source.op_type == "ConstantOfShape"


@pytest.mark.parametrize("where", ["somewhere", "last"])
@pytest.mark.parametrize("file, head", accepted("weights"))
def test_weight(tmp_path, models, file, head, where):
    model = onnx.load(models / file)
    node = find_node(model.graph, head["node"])
    layout = Layout(node, head["feature_map"][1:])
    if is_filled(model, node):
        filled_weight(tmp_path, model, node, layout, where)
        return
    for i, (name, array) in enumerate(constant_parts(model, node)):
        shape = layout.spread(array).shape
        if where == "last":
            index = tuple(n - 1 for n in shape)
        else:
            index = telling_index(layout, array, zlib.crc32(file.encode()))
        new = moved(array, layout.place(array.shape, index[0], index[1:]))
        same = with_constant(model, name, array)
        result = run(tmp_path / f"same{i}", same)
        assert find_entry(result, head["node"])["verdict"] == "rewritten", (
            "spelled as an initialiser, the weight must still be even"
        )
        result = run(tmp_path / f"changed{i}", with_constant(model, name, new))
        entry = assert_refused(result, find_entry(result, head["node"])["node"], "L6")
        seen = new
        if name != node.input[1]:  # the report speaks of what is multiplied
            seen = fold(result.before, node.input[1])
        assert_place(entry, layout, seen)


def filled_weight(directory, model, node, layout, where):
    """The weight as an initialiser would be up to 411 MB, so it goes to a file beside
    the model, and nothing here reads it as a whole. It is one number everywhere else,
    so the named place is the changed one, whatever the axis.
    """
    name = node.input[1]
    source = producers(model.graph)[name]
    fill = numpy_helper.to_array(attribute(source, "value", None)).reshape(1)
    shape = fold(model, source.input[0]).tolist()
    outputs = shape[0] if layout.outputs_first else shape[-1]
    if where == "last":
        index = (outputs - 1, *(n - 1 for n in layout.extents))
    else:
        random = np.random.RandomState(outputs)
        index = (
            int(random.randint(outputs)),
            *(int(random.randint(1, n)) for n in layout.extents),
        )
    new = moved(fill, 0)
    place = np.ravel_multi_index(layout.place(shape, index[0], index[1:]), shape)
    data = directory / "weight.bin"
    with data.open("wb") as out:
        row = np.repeat(fill, shape[1]).tobytes()
        for _ in range(shape[0]):
            out.write(row)
        out.seek(int(place) * fill.itemsize)
        out.write(new.tobytes())
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.node[:]
    changed.graph.node.extend(n for n in model.graph.node if name not in n.output)
    tensor = changed.graph.initializer.add(
        name=name, dims=shape, data_type=helper.np_dtype_to_tensor_dtype(fill.dtype)
    )
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=data.name)
    if changed.ir_version < 4:
        changed.graph.input.append(
            helper.make_tensor_value_info(name, tensor.data_type, shape)
        )
    source = directory / "model.onnx"
    source.write_bytes(changed.SerializeToString())
    # The residual reads the whole weight once more, and other tests have it.
    result = run(directory, source, "--no-residual")
    data.unlink()
    assert result.unchanged
    entry = find_entry_by_name(result, node)
    assert entry["verdict"] == "refused"
    assert {r["label"]: r["outcome"] for r in entry["rules"]}["L6"] == "fail"
    difference = entry["first_difference"]
    named = (difference["output"], flat_index(entry, difference["position"]))
    assert named == (index[0], np.ravel_multi_index(index[1:], layout.extents))
    assert [float(v) for v in difference["values"]] == [float(fill[0]), float(new[0])]
    assert str(difference["position"]) in entry["reason"]


def find_entry_by_name(result, node):
    """As corpus.find_entry, which loads the model with its external data."""
    return next(h for h in result.heads if h["node"] in (node.name, node.output[0]))


def map_value(model, node, extents, values):
    """The float value nearest to the dense layer at which the axes of the map are
    apart, found by the shapes that the model has when it runs.
    """
    made = producers(model.graph)
    name = node.input[0]
    while True:
        value = values[name]
        if value.shape[1:] == tuple(extents) and type_of(value) is not None:
            return name
        assert name in made, f"no value of shape {extents} in front of {node.name}"
        name = made[name].input[0]


@pytest.mark.parametrize("file, head", accepted("map"))
def test_map(tmp_path, models, file, head):
    """Behind the map comes an Add. Of a constant that differs between channels only,
    the map stays even, and the head accepted: it is not the Add that is refused. Of a
    constant with one element that is not zero, it must be refused.
    """
    model = onnx.load(models / file)
    node = find_node(model.graph, head["node"])
    extents = head["feature_map"][1:]
    values = all_values(model, feeds_of(model, EXPECTED[file]["inputs"], 1))
    name = map_value(model, node, extents, values)
    type = values[name].dtype
    kept = [1] + [
        1 if a in head["pooled_axes"] else n for a, n in enumerate(extents, 1)
    ]
    even = np.arange(1, np.prod(kept) + 1).reshape(kept).astype(type)
    result = run(tmp_path / "even", insert_behind(model, name, "Add", even))
    entry = find_entry(result, head["node"])
    assert entry["verdict"] == "rewritten", entry["reason"]
    random = np.random.RandomState(zlib.crc32(file.encode()))
    places = [
        (0, *(int(random.randint(n)) for n in extents)),
        (0, *(n - 1 for n in extents)),
    ]
    for i, place in enumerate(places):
        constant = np.zeros((1, *extents), type)
        constant[place] = 1
        changed = insert_behind(model, name, "Add", constant)
        result = run(tmp_path / f"varies{i}", changed)
        entry = find_entry(result, head["node"])
        assert_refused(result, entry["node"], "L6")


# ----------------------------------------------------------------------------
# Synthetic heads
# ----------------------------------------------------------------------------

EXTENTS = {3: (3, 4), 4: (3, 2, 4), 5: (2, 3, 2, 4)}
OUTPUTS = 5
LETTERS = "cdhw"


def opset_of(type):
    return 22 if type is BF16 else 17


def matrix_head(dense):
    def build(type, extents, weight):
        return make_head(
            dense=dense, type=type, extents=extents, weight=weight, opset=opset_of(type)
        ).model

    return build


def full_conv(type, extents, weight):
    """x[N, C, ...] -> Conv with a kernel as large as the map -> y[N, O, 1, ...]."""
    g = Graph(opset_of(type), type=type)
    bias = g.init((np.arange(1, OUTPUTS + 1) / 8).astype(type.numpy))
    x = g.input("x", ["N", *extents])
    g.node("Conv", [x, g.init(weight, "weight"), bias], "y", "dense")
    g.output("y", ["N", OUTPUTS, *[1] * (len(extents) - 1)])
    return g.model()


def einsum(type, extents, weight):
    """x[N, C, ...] -> Einsum over every axis but the first -> y[N, O]."""
    axes = LETTERS[0] + LETTERS[len(LETTERS) - len(extents) + 1 :]
    g = Graph(opset_of(type), type=type)
    x = g.input("x", ["N", *extents])
    equation = f"n{axes},k{axes}->nk"
    g.node("Einsum", [x, g.init(weight, "weight")], "y", "dense", equation=equation)
    g.output("y", ["N", OUTPUTS])
    return g.model()


FORMS = {
    "gemm_tb1": matrix_head("gemm_tb1"),
    "gemm_tb0": matrix_head("gemm_tb0"),
    "matmul": matrix_head("matmul"),
    "full_conv": full_conv,
    "einsum": einsum,
}


def answers(result, form, extents):
    """The accepted head answers as before, in every runtime that has its types. Heads
    of two axes are compared in test/Integration/Heads.
    """
    if form not in ("full_conv", "einsum"):
        return
    shapes = {"x": [3, *extents]}
    ran = 0
    for runtime in (OnnxRuntime, Reference):
        try:
            x = feeds_of(result.before, shapes, 1)
            runtime(result.before)(x)
        except Exception:
            continue  # no kernel for this type
        assert_same_answers(
            result.before, result.after, ["dense"], shapes, runtime=runtime
        )
        ran += 1
    assert ran, "no runtime takes the old model"


@pytest.mark.parametrize(
    "form, type",
    [
        pytest.param(form, type, id=f"{form}-{type.name}")
        for form in FORMS
        for type in TYPES.values()
        if (form, type) != ("einsum", BF16)  # Einsum has no bfloat16
    ],
)
@pytest.mark.parametrize("rank", EXTENTS, ids=lambda rank: f"rank{rank}")
def test_synthetic(tmp_path, form, rank, type):
    """The same for every element type, rank and form of the dense layer."""
    extents = EXTENTS[rank]
    even = weights(OUTPUTS, extents, (1,), type)
    result = run(tmp_path, FORMS[form](type, extents, even))
    entry = result.head("dense")
    assert entry["verdict"] == "rewritten", entry["reason"]
    assert entry["pooled_axes"] == list(range(2, rank))
    answers(result, form, extents)
    layout = Layout(find_node(result.before.graph, "dense"), extents)
    random = np.random.RandomState(rank)
    indices = [tuple(0 for _ in even.shape), tuple(n - 1 for n in even.shape)]
    indices += [tuple(int(random.randint(n)) for n in even.shape) for _ in range(2)]
    for index in indices:
        model = FORMS[form](type, extents, moved(even, index))
        result = run(tmp_path, model)
        entry = assert_refused(result, "dense", "L6")
        stored = next(i for i in model.graph.initializer if i.name == "weight")
        assert_place(entry, layout, numpy_helper.to_array(stored))
