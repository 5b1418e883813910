# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The models that real exporters wrote, and the judge that compares one of them with
what head-opt made of it. README.md says where models and verdicts are from.
"""

import json
import math
import tarfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from headopt import (
    OnnxRuntime,
    attribute,
    find_node,
    free_inputs,
    type_of,
    wide,
    with_outputs,
)

HERE = Path(__file__).resolve().parent
EXPECTED = json.loads((HERE / "expected.json").read_text())


def unpack(folder):
    """Writes all models into a folder that exists."""
    with tarfile.open(HERE / "models.tar.xz") as archive:
        for entry in archive:
            (folder / entry.name).write_bytes(archive.extractfile(entry).read())
    return folder


def expected_heads(verdict):
    """[(file, head)] of that verdict."""
    return [
        (file, head)
        for file, entry in EXPECTED.items()
        for head in entry["heads"]
        if head["verdict"] == verdict
    ]


def named(file, head):
    """A pytest id."""
    return file.removesuffix(".onnx") + "-" + head["op"]


def find_entry(result, node):
    """The report's entry of a node that expected.json names, None where the report
    has none. Either may call it by its first output.
    """
    names = {node}
    found = [
        n for n in result.before.graph.node if node in (n.name, *n.output[:1]) if node
    ]
    for n in found:
        names |= {n.name, n.output[0]} - {""}
    entries = [h for h in result.heads if h["node"] in names]
    assert len(entries) <= 1, f"{node} is listed {len(entries)} times"
    return entries[0] if entries else None


def producers(graph):
    return {o: n for n in graph.node for o in n.output if o}


def feeds_of(model, shapes, seed):
    """Random numbers for every graph input. Inputs after the first that are matrices
    or smaller are weights of a model without parameters, and small.
    """
    random = np.random.RandomState(seed)
    feeds = {}
    for value in free_inputs(model):
        shape = shapes[value.name]
        factor = 0.1 if feeds and len(shape) <= 2 else 1.0
        type = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        feeds[value.name] = (random.standard_normal(shape) * factor).astype(type)
    return feeds


def spread_of(node, data, weight):
    """(sum_k |W[o,k]| |f[n,k]| for every element of the output, K) of a dense layer
    of any form that head-opt takes.
    """
    f = np.abs(wide(data))
    if node.op_type == "Conv":  # its kernel is the map
        over = list(range(1, f.ndim))
        sums = np.tensordot(f, np.abs(wide(weight)), [over, over])
        return sums.reshape(sums.shape + (1,) * (f.ndim - 2)), weight[0].size
    if node.op_type == "Einsum":
        equation = attribute(node, "equation", b"").decode().replace(" ", "")
        terms, result = equation.split("->")
        extents = dict(zip(terms.replace(",", ""), [*f.shape, *weight.shape]))
        summed = math.prod(n for axis, n in extents.items() if axis not in result)
        return np.einsum(equation, f, np.abs(wide(weight))), summed
    assert node.op_type in ("Gemm", "MatMul"), node.op_type
    f = f.T if attribute(node, "transA", 0) else f
    rows = weight if attribute(node, "transB", 0) else weight.T  # [O, K]
    alpha = abs(attribute(node, "alpha", 1.0))
    # A few rows at a time: the weights of VGG19 are 411 MB, and twice that in double.
    blocks = np.array_split(rows, max(1, rows.size >> 24))
    sums = [f @ np.abs(wide(block)).T * alpha for block in blocks]
    return np.concatenate(sums, axis=1), rows.shape[1]


def bound_of(node, data, weight, output, accumulates_in):
    """How far a pooled head may lie from the old one, for each element.

    Derived in headopt.dense_bound for a matrix of weights; nothing there depends on
    the weight being a matrix, only on K summands. In short, with eps of the element
    type, eps' of the type in which sums are kept (float for 16 bits), and
    S = sum_k |W| |f|:

    * a sum of n numbers in any order is off by at most (n - 1) eps' / 2 of the sum of
      their absolute values. The old head adds K products, the new one P values for a
      mean and then K / P products: at most (2 K + 6) eps' / 2 of S together;
    * the new weight and the mean are each rounded once to the element type, which is
      at most eps / 2 of S each. A map that is even only up to the rounding of an
      interpolation (cubic: 16 products with coefficients whose absolute values sum
      to less than 2) adds a few eps of S;
    * the results are rounded when they are written, and when the bias is added.

    (K + 8) eps' S + 8 eps (S + |y|) is above all of that. A head that is pooled over
    an axis too many, misses a position or has its weights in another order is off by
    a multiple of |W| |f|: 1e4 times that in float at K = 400.
    """
    sums, size = spread_of(node, data, weight)
    type = type_of(output)
    kept_in, eps = accumulates_in(type), type.eps
    return sums * ((size + 8) * kept_in + 8 * eps) + 8 * eps * np.abs(wide(output))


def shifted(model, values):
    """The model, with every one of these values (name -> array of its type and shape)
    moved by a new graph input of the name NAME/shift.
    """
    moved = onnx.ModelProto()
    moved.CopyFrom(model)
    del moved.graph.node[:]
    for node in model.graph.node:
        new = moved.graph.node.add()
        new.CopyFrom(node)
        for i, name in enumerate(node.output):
            if name not in values:
                continue
            new.output[i] = f"{name}/before"
            add = helper.make_node("Add", [f"{name}/before", f"{name}/shift"], [name])
            moved.graph.node.append(add)
            type = helper.np_dtype_to_tensor_dtype(values[name].dtype)
            moved.graph.input.append(
                helper.make_tensor_value_info(f"{name}/shift", type, values[name].shape)
            )
    return moved


def largest(array):
    return float(np.abs(array).max(initial=0.0))


def assert_same_answers(
    before, after, heads, shapes, seeds=(1, 2), runtime=OnnxRuntime
):
    """Both models answer alike, in ONNX Runtime with every optimisation off.

    Each rewritten head within ``bound_of``; one that answers with integers, bit for
    bit. Graph outputs within four times of what the old model itself answers when its
    heads are moved by that bound, in either direction and with random signs: what
    lies behind a head is nearly linear over so short a distance, and four directions
    are not all of them. To this come 64 eps of the largest number for the rounding
    behind the head, and, where the model quantises, two steps of an 8-bit scale,
    since a value that lies between two steps may go to either.
    """
    assert [o.name for o in before.graph.output] == [o.name for o in after.graph.output]
    outputs = [o.name for o in before.graph.output]
    made = producers(before.graph)
    held = {i.name: i for i in before.graph.initializer}
    dense = [find_node(before.graph, name) for name in heads]
    watched = [n.output[0] for n in dense]
    operands = [i for n in dense for i in n.input[:2] if i in made]
    quantised = any(
        n.op_type in ("QuantizeLinear", "DynamicQuantizeLinear")
        for n in before.graph.node
    )
    old = runtime(with_outputs(before, watched + operands))
    new = runtime(with_outputs(after, watched))
    sensitive = None
    for seed in seeds:
        feeds = feeds_of(before, shapes, seed)
        p, q = old(feeds), new(feeds)
        values = {**feeds, **p}
        bounds = {}
        for node in dense:
            name = node.output[0]
            a, b = p[name], q[name]
            assert a.shape == b.shape and a.dtype == b.dtype, (
                f"{name}: {a.dtype}{a.shape} became {b.dtype}{b.shape}"
            )
            if type_of(a) is None:
                assert np.array_equal(a, b), f"{name}: integers differ"
                continue
            data, weight = (
                values[i] if i in values else numpy_helper.to_array(held[i])
                for i in node.input[:2]
            )
            bounds[name] = bound_of(node, data, weight, a, runtime.accumulates_in)
            off = np.abs(wide(a) - wide(b))
            assert (off <= bounds[name]).all(), (
                f"{name}: off by {off.max():.3g}, allowed {bounds[name].max():.3g}"
            )
        reach = dict.fromkeys(outputs, 0.0)
        if bounds:
            sensitive = sensitive or runtime(
                shifted(before, {name: p[name] for name in bounds})
            )
            random = np.random.RandomState(9)
            for signs in (
                lambda shape: np.ones(shape),
                lambda shape: -np.ones(shape),
                lambda shape: random.choice([-1.0, 1.0], shape),
                lambda shape: random.choice([-1.0, 1.0], shape),
            ):
                shifts = {
                    f"{name}/shift": (b * signs(b.shape)).astype(p[name].dtype)
                    for name, b in bounds.items()
                }
                answer = sensitive({**feeds, **shifts})
                for name in outputs:
                    moved = largest(wide(answer[name]) - wide(p[name]))
                    reach[name] = max(reach[name], moved)
        for name in outputs:
            a, b = p[name], q[name]
            assert a.shape == b.shape and a.dtype == b.dtype, (
                f"{name}: {a.dtype}{a.shape} became {b.dtype}{b.shape}"
            )
            if type_of(a) is None:
                assert np.array_equal(a, b), f"{name}: integers differ"
                continue
            bound = 4 * reach[name] + 64 * type_of(a).eps * largest(wide(a))
            if quantised:
                bound += 2 * largest(wide(a)) / 127
            off = largest(wide(a) - wide(b))
            assert off <= bound, f"{name}: off by {off:.3g}, allowed {bound:.3g}"


def insert_behind(model, value, op, other):
    """A copy of the model in which everything that used ``value`` uses
    op(value, other) instead; graph outputs of that name stay what they were.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.node[:]
    name = f"{value}/changed"

    def rename(graph):
        for node in graph.node:
            for i, used in enumerate(node.input):
                if used == value:
                    node.input[i] = name
            for inner in node.attribute:
                for body in [inner.g] * inner.HasField("g") + list(inner.graphs):
                    rename(body)

    constant = f"{value}/other"
    changed.graph.initializer.append(numpy_helper.from_array(other, constant))
    if changed.ir_version < 4:
        type = helper.np_dtype_to_tensor_dtype(other.dtype)
        changed.graph.input.append(
            helper.make_tensor_value_info(constant, type, other.shape)
        )
    for node in model.graph.node:
        changed.graph.node.append(node)
    rename(changed.graph)
    at = next(i for i, n in enumerate(model.graph.node) if value in n.output)
    changed.graph.node.insert(at + 1, helper.make_node(op, [value, constant], [name]))
    return changed


def all_values(model, feeds):
    """Every value of the main graph, as ONNX Runtime computes it."""
    names = [o for n in model.graph.node for o in n.output if o]
    return {**feeds, **OnnxRuntime(with_outputs(model, names))(feeds)}
