# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What real exporters wrote, cut in two: the backbone in ONNX Runtime, the compiled head
through its C interface, answer as the whole model in ONNX Runtime does.

How far they may lie apart
==========================

Backbone and whole model run the same nodes with every optimisation off, so the head
sees the very map. What is left is the rounding of the head's own nodes, which are those
that the backbone lacks. Each of them may be off by

* a product: ``corpus.bound_of``, for sums in any order and a mean that is taken first;
* a mean of m numbers: (m + 8) eps max |x|, again for any order;
* anything else: 4 eps of its result, for a vectorised function. That holds for 16 bits
  too, where a node's result may be narrowed or kept wide.

The model itself says how far such errors reach: it is run with all of them added, in
several directions (``corpus.shifted``), and the largest distance from its answer, four
times, is the bound, with 64 eps of the largest answer for what lies behind. A model that
quantises inside the head may go to either neighbouring step of an 8-bit scale.

Models without a head that can be outlined are in ``test_backbone.REFUSED``.
"""

import ctypes
import math
import re
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import headopt
import lowering
from headopt import BF16, F16, OnnxRuntime, Reference, type_of, wide, with_outputs
from test_backbone import ENDS_EARLY, REFUSED, call, has_halves, models  # noqa: F401

import corpus  # test_backbone knows the way

# Heads that are outlined and cannot be lowered, and what the error says.
UNKNOWN_EXTENTS = "the extents of the feature map are not known, but a dense layer"
NOT_LOWERED = {
    # Height and width are free, and the model works for one of them.
    "kerasTorch-13-flatten_dense_channels_last-static.onnx": UNKNOWN_EXTENTS,
    "kerasTorch-13-flatten_dropout_dense_channels_first-static.onnx": UNKNOWN_EXTENTS,
    "kerasTorch-18-flatten_dropout_dense_channels_last-dyn.onnx": UNKNOWN_EXTENTS,
    "kerasTorch-18-reshape_m1_dense_channels_first-static.onnx": UNKNOWN_EXTENTS,
    "kerasTorch-18-reshape_m1_dense_channels_last-dyn.onnx": UNKNOWN_EXTENTS,
    "kerasTorch-20-flatten_dense_channels_first-dyn.onnx": UNKNOWN_EXTENTS,
    "kerasTorch-20-hw1_flatten_dense_channels_last-dyn.onnx": UNKNOWN_EXTENTS,
    "kerasTorch-20-hw1_flatten_dense_channels_last-static.onnx": UNKNOWN_EXTENTS,
}

# The value that a head ends with, where that is not the first output.
ENDS = {
    **ENDS_EARLY,
    "onet.onnx": "softmax_2",
    "rnet.onnx": "softmax_1",
    "torchDY-23-two_heads_shared_flatten-dyn.onnx": "linear_1",
}

PRODUCTS = ("Gemm", "MatMul", "Conv", "Einsum")
MEANS = ("GlobalAveragePool", "AveragePool", "ReduceMean", "ReduceSum")


def extents(header, name):
    """(element type, extents as text) of an array in the header's comment."""
    line = re.search(rf"^ \* {name} +(\w+)((?:\[\w+\])+)$", header, re.M)
    return headopt.TYPES[line[1]], re.findall(r"\[(\w+)\]", line[2])


class Call(lowering.Call):
    """A call of a head whose output may be of another type than its features."""

    def __init__(self, function, features, at):
        super().__init__(function, features, at)
        size = np.dtype(function.type.numpy).itemsize
        self.output = lowering.Guarded(math.prod(self.shape) * size, at)
        self.output.data[:] = 0xFF


class Compiled:
    """A compiled head of which only the header tells the shapes."""

    def __init__(self, path):
        header = path.with_suffix(".h").read_text()
        self.in_type, self.inputs = extents(header, "features")
        self.type, self.outputs = extents(header, "output")
        self.free = [i for i, e in enumerate(self.inputs) if i and not e.isdigit()]
        self.fixed = self.inputs[0].isdigit()
        self.head = SimpleNamespace(
            type=self.type, outputs=math.prod(map(int, self.outputs[1:]))
        )
        self.call = ctypes.CDLL(str(path)).head
        self.call.restype = ctypes.c_int
        self.call.argtypes = [
            ctypes.c_void_p,
            *[ctypes.c_int64] * (1 + len(self.free)),
            ctypes.c_void_p,
        ]

    def chosen(self, features):
        return [features.shape[axis] for axis in self.free]


def run_compiled(path, features):
    """The answer for ``features`` between guards, after the same for each image alone
    and, where the batch is free, for none.
    """
    head = Compiled(path)
    assert features.dtype == head.in_type.numpy and features.ndim == len(head.inputs)
    for given, extent in zip(head.inputs, features.shape):
        assert given == str(extent) or not given.isdigit()
    calls = [Call(head, features, at) for at in ("end", "start")]
    if not head.fixed:
        alone = range(0 if len(features) > 1 else 1, len(features))
        calls += [Call(head, features[i : i + 1], "end") for i in alone]
        calls.append(Call(head, features[:0], "end"))
    first, again, *rest = lowering.run_guarded(calls)
    assert lowering.same_bits(first, again)
    assert all(lowering.same_bits(r[0], first[i]) for i, r in enumerate(rest[:-1]))
    if not head.fixed:
        size = [ctypes.c_int64(e) for e in head.chosen(features)]
        assert head.call(None, -1, *size, None) == 1
    return first.reshape(len(features), *map(int, head.outputs[1:]))


def bound(kind, whole, backbone, result, feeds):
    """The answer of the whole model and how far off another one may be."""
    there = {o for n in backbone.graph.node for o in n.output}
    nodes = [n for n in whole.graph.node if not there & set(n.output)]
    names = [n.output[0] for n in nodes]
    made = {o for n in whole.graph.node for o in n.output if o}
    operands = [i for n in nodes for i in n.input[:2] if i in made]
    wanted = list(dict.fromkeys([*names, *operands, result]))
    held = {i.name: numpy_helper.to_array(i) for i in whole.graph.initializer}
    values = {**held, **feeds, **kind(with_outputs(whole, wanted))(feeds)}
    errors, constant = {}, {*held, ""}
    for node, name in zip(nodes, names):
        y = values[name]
        # What is computed from constants alone is the same for both.
        if constant.issuperset(node.input):
            constant.update(node.output)
            continue
        if type_of(y) is None:
            continue
        eps = kind.accumulates_in(type_of(y))
        if node.op_type in PRODUCTS:
            a, b = (values[i] for i in node.input[:2])
            errors[name] = corpus.bound_of(node, a, b, y, kind.accumulates_in)
            continue
        errors[name] = 4 * type_of(y).eps * np.abs(wide(y))
        if node.op_type in MEANS and y.size:
            x = np.abs(wide(values[node.input[0]]))
            errors[name] = errors[name] + (x.size / y.size + 8) * eps * x.max()
    places = {name: values[name] for name in errors}
    moved = kind(corpus.shifted(with_outputs(whole, [result]), places))
    answer, reach = values[result], 0.0
    random = np.random.RandomState(9)
    either = [lambda shape: random.choice([-1.0, 1.0], shape)] * 2
    for signs in (np.ones, lambda shape: -np.ones(shape), *either):
        shifts = {
            f"{name}/shift": np.asarray(e * signs(e.shape)).astype(values[name].dtype)
            for name, e in errors.items()
        }
        distance = wide(moved({**feeds, **shifts})[result]) - wide(answer)
        reach = max(reach, corpus.largest(distance))
    size = corpus.largest(wide(answer))
    error = 4 * reach + 64 * type_of(answer).eps * size
    quantised = any(n.op_type == "QuantizeLinear" for n in nodes)
    if quantised:
        error += 2 * size / 127
    # A bound that lets anything through would judge nothing. The reference evaluator,
    # which stands in for ONNX Runtime in bf16, may add up in 16 bits and earns no better.
    coarse = quantised or has_halves(whole) or type_of(answer) is F16
    if not has_splats(whole) and type_of(answer) is not BF16:
        loosest = (0.3 if coarse else 0.02) * size
        assert error <= loosest, f"a bound of {error:.3g} for {size:.3g}"
    return answer, error


def has_splats(model):
    """Whether the weights are splats (the "light" models of ONNX's zoo). All logits are
    then the same large number, which any softmax makes 1 / 1000: there the bound says
    little, and what the test says is that the head runs and stays between its guards.
    """
    return any(n.op_type == "ConstantOfShape" for n in model.graph.node)


@pytest.mark.parametrize(
    "file", [f for f in corpus.EXPECTED if f not in REFUSED and f not in NOT_LOWERED]
)
def test_exporters(models, tmp_path, file):  # noqa: F811
    source, library = models / file, tmp_path / "head.so"
    call(
        source,
        "-o",
        library,
        f"--emit-backbone={tmp_path / 'b.onnx'}",
        "--mcpu=native",
        "--name=head",
    )
    whole, backbone = onnx.load(source), onnx.load(tmp_path / "b.onnx")
    kept = {i.name for i in backbone.graph.input}
    there = {o for n in backbone.graph.node for o in n.output} | kept
    ends = [o.name for o in whole.graph.output if o.name not in there]
    result = ENDS.get(file) or ends[0]
    kind = next(
        k
        for k in (OnnxRuntime, Reference)
        if headopt.load(k, with_outputs(whole, [result]))
    )
    feeds = corpus.feeds_of(whole, corpus.EXPECTED[file]["inputs"], seed=1)
    [end] = backbone.graph.output
    features = kind(backbone)({k: v for k, v in feeds.items() if k in kept})[end.name]
    found = run_compiled(library, features)
    answer, error = bound(kind, whole, backbone, result, feeds)
    assert (found.shape, found.dtype) == (answer.shape, answer.dtype)
    off = corpus.largest(wide(found) - wide(answer))
    assert off <= error, f"off by {off:.3g}, allowed {error:.3g}"


@pytest.mark.parametrize("file", NOT_LOWERED)
def test_not_lowered(models, tmp_path, file):  # noqa: F811
    said = call(models / file, "-o", tmp_path / "head.so", rc=1)
    [line] = said.splitlines()
    assert line.startswith(f"head-opt: error: {models / file}: ")
    assert NOT_LOWERED[file] in line
    assert not list(tmp_path.iterdir())
