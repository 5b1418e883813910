# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights that a file computes from constants: converted, dequantised,
repeated, scaled. What counts is the numbers that the dense layer reads.

Every test states these numbers itself, with numpy, operator by operator, each
rounded once to its type. The pooled weight is compared with their sum, and both
models run. Then one number of the file moves by one unit.
"""

import math
import os
import resource
import subprocess
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from headopt import (
    BF16,
    F16,
    F32,
    F64,
    TOOL,
    TYPES,
    Graph,
    as_matrix,
    assert_equivalent,
    assert_refused,
    assert_rewritten,
    assert_sound,
    assert_true_difference,
    assert_unchanged,
    make_head,
    next_up,
    run,
    type_of,
    weights,
    wide,
)

EXTENTS, OUTPUTS = (3, 2, 4), 5
FULL = (OUTPUTS, *EXTENTS)
DENSE = ["gemm_tb1", "matmul_add"]
TRANSPOSED = {"gemm_tb1": True, "gemm_no_bias": True}


def build(write, raw, weight, **how):
    """A head whose weight is ``write(g, matrix, transposed)``, where ``matrix``
    has the numbers ``raw`` of the file, laid out as the layer reads them. The
    layer reads ``weight``; both are arrays over [output, map axes].
    """

    def place(g, m):
        transposed = m.shape[0] == weight.shape[0]
        matrix = as_matrix(raw, list(range(1, raw.ndim)))
        return write(
            g, np.array(matrix if transposed else matrix.T), transposed
        )

    return make_head(
        place=place,
        weight=weight,
        type=type_of(weight),
        extents=weight.shape[1:],
        outputs=weight.shape[0],
        **{"opset": 17, **how},
    )


def moved(raw, index):
    """The array with one number moved by one unit."""
    if raw.dtype.kind in "iu":
        more = np.array(raw)
        more[index] += 1 if more[index] < 100 else -1
        return more
    return next_up(raw, index)


def accept(directory, write, read, raw, index=(2, 1, 1, 3), **how):
    """Rewritten; with one number of the file moved, refused, and the place
    named. ``read`` gives the weight that the layer sees.
    """
    head = build(write, raw, read(raw), **how)
    result = run(directory, head.model, "--verify")
    entry = assert_rewritten(result, head)
    # Nothing of the old weight is left.
    held = {n.op_type for n in result.after.graph.node}
    assert not held & {"Cast", "DequantizeLinear", "Expand", "Tile"}, held
    twin = build(write, moved(raw, index), read(moved(raw, index)), **how)
    assert twin.weight[index] != head.weight[index]
    refused = assert_refused(
        run(directory, twin.model, name="twin.onnx", out="twin-out.onnx"),
        "dense",
        "L6",
    )
    assert_true_difference(refused, twin.matrix)
    assert refused["first_difference"]["output"] == index[0]
    return result, entry


def numbers(dtype, vary=(1,), seed=0, shape=FULL, low=-100, high=100):
    """Integers that vary along outputs and ``vary`` only."""
    kept = [e if a == 0 or a in vary else 1 for a, e in enumerate(shape)]
    random = np.random.RandomState(seed)
    few = random.randint(low, high, kept)
    return np.array(np.broadcast_to(few, shape)).astype(dtype)


def even(type=F32, **how):
    return weights(OUTPUTS, EXTENTS, type=type, **how)


# ----------------------------------------------------------------------------
# Cast
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("dense", DENSE)
@pytest.mark.parametrize(
    "source, target",
    [
        (F16, F32),
        (F32, F16),
        (F64, F32),
        (F16, F64),
        (BF16, F32),
        (F32, BF16),
        (F32, F64),
    ],
    ids=lambda t: t.name,
)
def test_cast(tmp_path, source, target, dense):
    """Weights stored in another type than they are used in. Where digits are
    lost, one step of the file's type may change nothing, so the file's number
    moves by a step of the coarser type.
    """
    raw = even(source)
    if source.eps < target.eps:
        raw = raw.astype(target.numpy).astype(source.numpy)

    def write(g, m, transposed):
        return g.node("Cast", [g.init(m, "weight")], to=target.onnx)

    def read(raw):
        return raw.astype(target.numpy)

    if source.eps >= target.eps:
        accept(tmp_path, write, read, raw, dense=dense)
        return
    head = build(write, raw, read(raw), dense=dense)
    assert_rewritten(run(tmp_path, head.model, "--verify"), head)
    step = np.array(raw)
    step[2, 1, 1, 3] *= source.numpy(1 + target.eps)
    twin = build(write, step, read(step), dense=dense)
    assert twin.weight[2, 1, 1, 3] != head.weight[2, 1, 1, 3]
    entry = assert_refused(run(tmp_path, twin.model), "dense", "L6")
    assert_true_difference(entry, twin.matrix)


@pytest.mark.parametrize("target", [F16, BF16], ids=lambda t: t.name)
def test_cast_that_rounds_a_difference_away(tmp_path, target):
    """One ulp in f32 is none in 16 bits: the layer reads equal numbers. The
    accept beside ``test_cast``, and no tolerance: those are the numbers.
    """
    raw = even().astype(target.numpy).astype(np.float32)
    raw = next_up(raw, (2, 1, 1, 3))
    weight = raw.astype(target.numpy)

    def write(g, m, transposed):
        return g.node("Cast", [g.init(m)], to=target.onnx)

    head = build(write, raw, weight)
    assert head.pooled() == {2, 3}
    assert_rewritten(run(tmp_path, head.model, "--verify"), head)


def test_cast_to_f16_ties_to_even(tmp_path):
    """Half way between two f16: the even one, from above and from below."""
    raw = even(F16).astype(np.float32)
    one = np.float32(1)
    raw[:, 0, 0] = one + np.float32(2.0**-11)  # to 1
    raw[:, 0, 1] = one
    weight = raw.astype(np.float16)
    assert (weight[:, 0] == 1).all()
    write = lambda g, m, t: g.node("Cast", [g.init(m)], to=F16.onnx)
    head = build(write, raw, weight)
    assert_rewritten(run(tmp_path, head.model, "--verify"), head)
    raw[:, 0, 0] = np.nextafter(raw[0, 0, 0, 0], np.float32(2))  # to 1 + eps
    twin = build(write, raw, raw.astype(np.float16))
    # Above the tie it is the next number: one axis varies, the other does not.
    assert twin.pooled() == {3}
    assert_rewritten(run(tmp_path, twin.model, "--verify"), twin)


def test_cast_to_f16_overflows(tmp_path):
    """Beyond f16 the weight the layer reads is infinite."""
    raw = even()
    raw[1, 1] = 1e6
    write = lambda g, m, t: g.node("Cast", [g.init(m)], to=F16.onnx)
    with np.errstate(over="ignore"):
        head = build(write, raw, raw.astype(np.float16))
    assert_refused(run(tmp_path, head.model), "dense", "L4")


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64])
def test_cast_of_integers(tmp_path, kind):
    write = lambda g, m, t: g.node("Cast", [g.init(m)], to=F32.onnx)
    low = 0 if np.dtype(kind).kind == "u" else -100
    accept(
        tmp_path,
        write,
        lambda raw: raw.astype(np.float32),
        numbers(kind, low=low),
    )


def test_cast_of_large_integers_is_rounded(tmp_path):
    """2^24 + 1 is 2^24 in f32; int64 values above 2^53 do not even fit a
    double. Equal after the Cast, whichever way it rounds, is equal; what must
    not happen is that different numbers pass.
    """
    raw = numbers(np.int64)
    raw[0, 0] = 2**24
    raw[0, 0, 1, 3] = 2**24 + 1
    write = lambda g, m, t: g.node("Cast", [g.init(m)], to=F32.onnx)
    head = build(write, raw, raw.astype(np.float32))
    result = run(tmp_path, head.model, "--verify")
    if result.rewritten:
        assert_sound(result)
        assert_equivalent(result.before, result.after, ["dense"], scale=1.0)
    twin = np.array(raw)
    twin[0, 0, 1, 3] = 2**24 + 2
    other = build(write, twin, twin.astype(np.float32))
    assert_refused(run(tmp_path, other.model), "dense", "L6")


def test_cast_to_integers_on_the_way(tmp_path):
    """f32 -> int32 -> f32 cuts digits off; it is not read, and not guessed."""

    def write(g, m, transposed):
        whole = g.node("Cast", [g.init(m)], to=TensorProto.INT32)
        return g.node("Cast", [whole], to=F32.onnx)

    raw = numbers(np.float32)
    result = run(tmp_path, build(write, raw, raw).model)
    if result.rewritten:
        assert_rewritten(result, build(write, raw, raw))
    else:
        assert_refused(result, "dense", "L3")


def test_cast_chain(tmp_path):
    """f32 -> f16 -> f32: what f16 lost stays lost."""
    raw = even(F16).astype(np.float32)
    raw = next_up(raw, (2, 1, 1, 3))

    def write(g, m, transposed):
        half = g.node("Cast", [g.init(m)], to=F16.onnx)
        return g.node("Cast", [half], to=F32.onnx)

    weight = raw.astype(np.float16).astype(np.float32)
    head = build(write, raw, weight)
    assert_rewritten(run(tmp_path, head.model, "--verify"), head)


# ----------------------------------------------------------------------------
# DequantizeLinear
# ----------------------------------------------------------------------------


def dequantised(raw, scale, zero=0, out=np.float32):
    """(q - z) s, exact in double, rounded once."""
    return ((wide(raw) - wide(zero)) * wide(scale)).astype(out)


@pytest.mark.parametrize("dense", DENSE)
@pytest.mark.parametrize("zero", [None, 0, 3, 128])
@pytest.mark.parametrize("kind", [np.int8, np.uint8], ids=["i8", "u8"])
@pytest.mark.parametrize("opset", [10, 13, 21])
def test_dequantised_per_tensor(tmp_path, kind, zero, dense, opset):
    """One scale, with or without a zero point."""
    if zero == 128 and kind is np.int8:
        zero = -128
    scale = np.float32(0.013)
    low = 0 if kind is np.uint8 else -100
    raw = numbers(kind, low=low)

    def write(g, m, transposed):
        more = [] if zero is None else [g.init(np.array(zero, kind))]
        return g.node("DequantizeLinear", [g.init(m), g.init(scale), *more])

    accept(
        tmp_path,
        write,
        lambda raw: dequantised(raw, scale, zero or 0),
        raw,
        dense=dense,
        opset=opset,
    )


@pytest.mark.parametrize("shape", [(), (1,)], ids=str)
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_dequantised_by_one_scale_with_an_axis(tmp_path, shape, axis):
    """The axis means nothing for one scale."""
    scale = np.full(shape, 0.25, np.float32)
    more = {} if axis is None else {"axis": axis}

    def write(g, m, transposed):
        return g.node("DequantizeLinear", [g.init(m), g.init(scale)], **more)

    accept(
        tmp_path, write, lambda raw: dequantised(raw, 0.25), numbers(np.int8)
    )


@pytest.mark.parametrize("dense", DENSE)
@pytest.mark.parametrize("zero", [False, True], ids=["symmetric", "shifted"])
@pytest.mark.parametrize("kind", [np.int8, np.uint8], ids=["i8", "u8"])
@pytest.mark.parametrize("negative", [False, True], ids=["axis", "from_end"])
def test_dequantised_per_output(tmp_path, kind, zero, dense, negative):
    """A scale for each output: axis 0 of [O, K], axis 1 of [K, O], which is the
    default.
    """
    scales = np.linspace(0.01, 0.05, OUTPUTS).astype(np.float32)
    zeros = np.arange(1, OUTPUTS + 1).astype(kind)
    low = 0 if kind is np.uint8 else -100
    raw = numbers(kind, low=low)

    def write(g, m, transposed):
        axis = 0 if transposed else 1
        more = [g.init(zeros)] if zero else []
        attributes = {"axis": axis - 2 if negative else axis}
        if axis == 1 and not negative:
            attributes = {}
        return g.node(
            "DequantizeLinear", [g.init(m), g.init(scales), *more], **attributes
        )

    def read(raw):
        column = lambda v: v.reshape(-1, 1, 1, 1)
        return dequantised(
            raw, column(scales), column(zeros) if zero else np.zeros(1)
        )

    accept(tmp_path, write, read, raw, dense=dense)


@pytest.mark.parametrize("dense", DENSE)
@pytest.mark.parametrize("how", ["per_channel", "per_feature"])
def test_dequantised_per_input(tmp_path, dense, how):
    """A scale for each k. Equal within a channel it changes nothing, different
    at each position it makes even numbers uneven.
    """
    random = np.random.RandomState(0)
    shape = (3, 1, 1) if how == "per_channel" else EXTENTS
    scales = np.array(
        np.broadcast_to(random.uniform(0.01, 0.05, shape), EXTENTS)
    ).astype(np.float32)

    def write(g, m, transposed):
        return g.node(
            "DequantizeLinear",
            [g.init(m), g.init(scales.reshape(-1))],
            axis=1 if transposed else 0,
        )

    read = lambda raw: dequantised(raw, scales)
    raw = numbers(np.int8)
    if how == "per_channel":
        accept(tmp_path, write, read, raw, dense=dense)
        return
    head = build(write, raw, read(raw), dense=dense)
    assert not head.pooled()
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert_true_difference(entry, head.matrix)


@pytest.mark.parametrize("opset", [19, 21, 23])
def test_dequantised_to_f16(tmp_path, opset):
    """From opset 19 on the result has the scale's type."""
    scale = np.float16(0.013)

    def write(g, m, transposed):
        return g.node("DequantizeLinear", [g.init(m), g.init(scale)])

    accept(
        tmp_path,
        write,
        lambda raw: dequantised(raw, scale, out=np.float16),
        numbers(np.int8),
        opset=opset,
    )


def test_dequantised_int32(tmp_path):
    """Biases are stored so; weights may be. int32 is not exact in f32: equal
    numbers stay equal.
    """
    scale = np.float32(2.0**-20)

    def write(g, m, transposed):
        return g.node("DequantizeLinear", [g.init(m), g.init(scale)])

    accept(
        tmp_path,
        write,
        lambda raw: dequantised(raw, scale),
        numbers(np.int32, low=-(2**20), high=2**20),
    )


@pytest.mark.parametrize("value", [np.inf, np.nan, 3e38], ids=str)
def test_dequantised_beyond_the_type(tmp_path, value):
    scale = np.float32(value)

    def write(g, m, transposed):
        return g.node("DequantizeLinear", [g.init(m), g.init(scale)])

    raw = numbers(np.int8, low=2)
    with np.errstate(over="ignore", invalid="ignore"):
        head = build(write, raw, dequantised(raw, scale))
    assert_refused(run(tmp_path, head.model), "dense", "L4", "L6")


def test_dequantised_in_blocks(tmp_path):
    """A scale for each 8 rows: not read, and the reason says so."""
    raw = numbers(np.int8)

    def write(g, m, transposed):
        scales = np.full((OUTPUTS, 3), 0.02, np.float32)
        return g.node(
            "DequantizeLinear",
            [g.init(m), g.init(scales if transposed else scales.T.copy())],
            axis=1 if transposed else 0,
            block_size=8,
        )

    head = build(write, raw, dequantised(raw, 0.02), opset=21)
    entry = assert_refused(run(tmp_path, head.model), "dense", "L3")
    assert "block" in entry["reason"], entry["reason"]


@pytest.mark.parametrize("what", ["scale", "zero"])
@pytest.mark.parametrize("how", ["input", "overridable"])
def test_dequantised_by_something_unknown(tmp_path, what, how):
    """The scale or the zero point arrives at run time."""

    def constant(g, name, value):
        if name != what:
            return g.init(value)
        kind = TensorProto.INT8 if name == "zero" else F32.onnx
        if how == "input":
            return g.input(name, [], kind)
        return g.init(value, name, overridable=True)

    def write(g, m, transposed):
        return g.node(
            "DequantizeLinear",
            [
                g.init(m),
                constant(g, "scale", np.float32(0.5)),
                constant(g, "zero", np.int8(1)),
            ],
        )

    raw = numbers(np.int8)
    head = build(write, raw, dequantised(raw, 0.5, 1))
    entry = assert_refused(run(tmp_path, head.model), "dense", "L3")
    assert what in entry["reason"], entry["reason"]


def test_quantised_and_dequantised(tmp_path):
    """A float weight through QuantizeLinear and back, as QDQ models that were
    not folded have it: refused with a reason, or right.
    """
    raw = even()
    scale = np.float32(2.0**-6)

    def write(g, m, transposed):
        zero = g.init(np.int8(0))
        q = g.node("QuantizeLinear", [g.init(m), g.init(scale), zero])
        return g.node("DequantizeLinear", [q, g.init(scale), zero])

    weight = dequantised(np.clip(np.rint(raw / scale), -128, 127), scale)
    head = build(write, raw, weight)
    result = run(tmp_path, head.model)
    if result.rewritten:
        assert_rewritten(result, head)
    else:
        entry = assert_refused(result, "dense", "L3")
        assert "QuantizeLinear" in entry["reason"]


# ----------------------------------------------------------------------------
# Expand and Tile
# ----------------------------------------------------------------------------


def repeat(op, last):
    """[O, C, 1] -> [O, C, HW] -> [O, K], or the other way round, by Expand or
    Tile; with ``last`` the channel is the fastest axis.
    """

    def write(g, m, transposed):
        c, p = (3, 8)
        few = m if transposed else m.T
        few = (
            few.reshape(OUTPUTS, p, c)[:, :1]
            if last
            else few.reshape(OUTPUTS, c, p)[:, :, :1]
        )
        shape = [OUTPUTS, p, c] if last else [OUTPUTS, c, p]
        if not transposed:
            few, shape = few.transpose(1, 2, 0), [*shape[1:], OUTPUTS]
        few = g.init(np.array(few))
        if op == "Tile":
            axis = (1 if last else 2) - (0 if transposed else 1)
            repeats = [1, 1, 1]
            repeats[axis] = p
            many = g.node("Tile", [few, g.ints(repeats)])
        else:
            many = g.node("Expand", [few, g.ints(shape)])
        return g.node("Reshape", [many, g.ints(m.shape)])

    return write


@pytest.mark.parametrize("dense", DENSE)
@pytest.mark.parametrize("last", [False, True], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("op", ["Expand", "Tile"])
def test_repeated(tmp_path, op, last, dense):
    """A weight that is equal over positions, written as [O, C] and repeated:
    what ONNX rewrites of a pooled head look like. Its twin varies by a factor
    for each k behind it.
    """
    extents = (2, 4, 3) if last else EXTENTS
    raw = weights(OUTPUTS, extents, vary=(3,) if last else (1,))
    head = build(repeat(op, last), raw, raw, dense=dense)
    result = run(tmp_path, head.model, "--verify")
    assert_rewritten(result, head)
    held = {n.op_type for n in result.after.graph.node}
    assert not held & {"Expand", "Tile", "Mul"}

    factor = np.ones(extents, np.float32)
    factor = next_up(factor, (1, 1, 2))

    def uneven(g, m, transposed):
        by = factor.reshape(1, -1) if transposed else factor.reshape(-1, 1)
        return g.node("Mul", [repeat(op, last)(g, m, transposed), g.init(by)])

    twin = build(uneven, raw, raw * factor, dense=dense)
    entry = assert_refused(run(tmp_path, twin.model), "dense", "L6")
    assert_true_difference(entry, twin.matrix)


@pytest.mark.parametrize("dense", DENSE)
def test_tiled_in_another_order(tmp_path, dense):
    """[O, 8] three times over is even along the channels, not along the
    positions. All of it is pooled over axis 1.
    """
    raw = weights(OUTPUTS, EXTENTS, vary=(2, 3))

    def write(g, m, transposed):
        if transposed:
            few, repeats = m[:, :8], [1, 3]
        else:
            few, repeats = m[:8], [3, 1]
        return g.node("Tile", [g.init(np.array(few)), g.ints(repeats)])

    head = build(write, raw, raw, dense=dense)
    entry = assert_rewritten(run(tmp_path, head.model, "--verify"), head)
    assert entry["pooled_axes"] == [1]


def test_expanded_from_one_number(tmp_path):
    """A weight of equal numbers, written as one of them."""
    raw = np.full(FULL, 0.5, np.float32)

    def write(g, m, transposed):
        return g.node("Expand", [g.init(np.float32([[0.5]])), g.ints(m.shape)])

    head = build(write, raw, raw)
    assert_rewritten(run(tmp_path, head.model, "--verify"), head)


def test_expanded_to_a_lower_rank_than_the_input(tmp_path):
    """Expand to [1] broadcasts both ways: the result keeps the input's rank."""
    raw = even()

    def write(g, m, transposed):
        return g.node("Expand", [g.init(m), g.ints([1])])

    head = build(write, raw, raw)
    assert_rewritten(run(tmp_path, head.model, "--verify"), head)


def test_expanded_to_a_shape_that_arrives_at_run_time(tmp_path):
    def write(g, m, transposed):
        one = g.init(np.float32([[0.5]]))
        return g.node("Expand", [one, g.input("shape", [2], TensorProto.INT64)])

    raw = np.full(FULL, 0.5, np.float32)
    result = run(tmp_path, build(write, raw, raw).model)
    assert_refused(result, "dense", "L3")


@pytest.mark.parametrize("how", ["expand", "filled", "dequantised"])
def test_the_file_does_not_grow(tmp_path, how):
    """A weight written as one number, or in 8 bits with two positions, takes
    less room than its pooled form in f32. Nothing is gained there: refuse, or
    write it small.
    """
    extents, outputs = (300, 1, 2), 40
    shape = (outputs, *extents)
    if how == "dequantised":
        raw = numbers(np.int8, shape=shape)
        weight = dequantised(raw, 0.25)
    else:
        raw = weight = np.full(shape, 0.5, np.float32)

    def write(g, m, transposed):
        if how == "dequantised":
            return g.node(
                "DequantizeLinear", [g.init(m), g.init(np.float32(0.25))]
            )
        if how == "expand":
            one = g.init(np.float32([[0.5]]))
            return g.node("Expand", [one, g.ints(m.shape)])
        ones = onnx.helper.make_tensor("", F32.onnx, [1], [1.0])
        many = g.node("ConstantOfShape", [g.ints(m.shape)], value=ones)
        return g.node("Mul", [many, g.init(np.float32(0.5))])

    result = run(tmp_path, build(write, raw, weight).model)
    before, after = (p.stat().st_size for p in (result.source, result.target))
    assert after <= before + 1024, f"{before} bytes became {after}"


# ----------------------------------------------------------------------------
# Arithmetic
# ----------------------------------------------------------------------------

ARITHMETIC = {
    "Mul": np.multiply,
    "Div": np.divide,
    "Add": np.add,
    "Sub": np.subtract,
}


def by_constant(op, constant, left):
    """W op c, or c op W; ``constant`` is over [output, map axes]."""

    def write(g, m, transposed):
        c = np.asarray(constant, m.dtype)
        if c.ndim:
            full = np.array(np.broadcast_to(c, FULL)).reshape(OUTPUTS, -1)
            if c.size == OUTPUTS:
                full = full[:, :1]
            c = full if transposed else full.T
        names = [g.init(m), g.init(np.array(c))]
        return g.node(op, names[::-1] if left else names)

    def read(raw):
        a, b = wide(raw), wide(np.asarray(constant, raw.dtype))
        made = ARITHMETIC[op](b, a) if left else ARITHMETIC[op](a, b)
        return np.array(np.broadcast_to(made, FULL)).astype(raw.dtype)

    return write, read


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("op", ARITHMETIC)
@pytest.mark.parametrize("what", ["number", "per_output", "per_channel"])
def test_arithmetic(tmp_path, op, what, left):
    """A scale of each output (weight normalisation), a constant factor, an
    offset.
    """
    random = np.random.RandomState(0)
    shape = {
        "number": (),
        "per_output": (OUTPUTS, 1, 1, 1),
        "per_channel": (1, 3, 1, 1),
    }[what]
    constant = np.asarray(random.uniform(0.5, 0.9, shape))
    if op == "Add":
        constant = constant * 16  # so that signs stay
    if op == "Sub" and not left:
        constant = constant * -16
    write, read = by_constant(op, constant, left)
    raw = abs(even()) if op in ("Add", "Sub") else even()
    raw = (raw * 4).astype(np.float32)
    # A step that the result cannot lose.
    step = np.array(raw)
    step[2, 1, 1, 3] *= 1.001
    head = build(write, raw, read(raw))
    assert_rewritten(run(tmp_path, head.model, "--verify"), head)
    twin = build(write, step, read(step))
    assert twin.weight[2, 1, 1, 3] != head.weight[2, 1, 1, 3]
    entry = assert_refused(run(tmp_path, twin.model), "dense", "L6")
    assert_true_difference(entry, twin.matrix)


@pytest.mark.parametrize("type", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("op", ["Mul", "Add"])
def test_arithmetic_is_rounded_to_its_type(tmp_path, type, op):
    """Products and sums that fall between two numbers of the type."""
    constant = np.float64(1.1).astype(type.numpy)
    write, read = by_constant(op, constant, False)
    raw = even(type)
    head = build(write, raw, read(raw))
    # onnx.reference and ONNX Runtime round bfloat16 as they please.
    result = run(tmp_path, head.model, "--verify")
    assert_rewritten(result, head)


@pytest.mark.parametrize("op", ["Mul", "Div", "Add", "Sub"])
def test_arithmetic_with_uneven_constants(tmp_path, op):
    """Even weights and a constant for each k."""
    constant = np.random.RandomState(0).uniform(0.5, 2, (1, *EXTENTS))
    write, read = by_constant(op, constant.astype("f"), False)
    raw = even()
    head = build(write, raw, read(raw))
    assert not head.pooled()
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert_true_difference(entry, head.matrix)


def test_uneven_weights_that_a_factor_makes_even(tmp_path):
    """W c is what the layer reads; neither W nor c is even."""
    power = np.random.RandomState(0).randint(-3, 4, (1, *EXTENTS))
    base = even()
    raw = (wide(base) * 2.0**-power).astype(np.float32)
    write, read = by_constant("Mul", 2.0**power, False)
    np.testing.assert_array_equal(read(raw), base)
    accept(tmp_path, write, read, raw)


def test_product_that_rounds_a_difference_away(tmp_path):
    """Here the file's own Mul rounds, so the layer reads equal numbers. (In
    front of the dense layer, on the features, nothing would be equal.)
    """
    random = np.random.RandomState(0)
    while True:
        w, c = random.uniform([1.6, 1.1], [1.9, 1.3]).astype(np.float32)
        if w * c > 2 and w * c == np.nextafter(w, np.float32(4)) * c:
            break
    raw = even()
    raw[2, 1] = w
    raw[2, 1, 1, 3] = np.nextafter(w, np.float32(4))
    write, read = by_constant("Mul", c, False)
    head = build(write, raw, read(raw))
    assert head.pooled() == {2, 3}
    assert_rewritten(run(tmp_path, head.model, "--verify"), head)


@pytest.mark.parametrize("op", ["Mul", "Add"])
def test_opset_6_arithmetic(tmp_path, op):
    """broadcast=1 and axis lay the constant out: left alone or right."""

    def write(g, m, transposed):
        scale = np.linspace(1, 2, OUTPUTS).astype("f")
        axis = 0 if transposed else 1
        return g.node(op, [g.init(m), g.init(scale)], broadcast=1, axis=axis)

    column = np.linspace(1, 2, OUTPUTS).astype("f").reshape(-1, 1, 1, 1)
    raw = even()
    head = build(write, raw, ARITHMETIC[op](raw, column), opset=6)
    result = run(tmp_path, head.model)
    if result.rewritten:
        assert_rewritten(result, head)
    else:
        assert_refused(result, "dense", "L3")


@pytest.mark.parametrize("op", ["Mul", "Div"])
def test_arithmetic_that_leaves_the_type(tmp_path, op):
    write, read = by_constant(op, 1e38 if op == "Mul" else 1e-38, False)
    raw = (even() * 100).astype("f")
    with np.errstate(over="ignore"):
        head = build(write, raw, read(raw))
    assert_refused(run(tmp_path, head.model), "dense", "L4", "L6")


@pytest.mark.parametrize("how", ["value_float", "value_floats", "value_int"])
def test_constant_node_of_another_kind(tmp_path, how):
    """Constant with value_float, value_floats, and value_int behind a Cast."""
    raw = even()

    def write(g, m, transposed):
        if how == "value_floats":
            flat = g.node(
                "Constant", [], value_floats=[float(v) for v in m.reshape(-1)]
            )
            return g.node("Reshape", [flat, g.ints(m.shape)])
        if how == "value_float":
            return g.node(
                "Mul", [g.init(m), g.node("Constant", [], value_float=2.0)]
            )
        two = g.node("Constant", [], value_int=2)
        return g.node("Mul", [g.init(m), g.node("Cast", [two], to=F32.onnx)])

    def read(raw):
        return raw if how == "value_floats" else raw * np.float32(2)

    accept(tmp_path, write, read, raw, opset=13)


def test_filled_and_scaled(tmp_path):
    """ConstantOfShape behind a Mul with a factor for each output."""
    scale = np.linspace(0.5, 2, OUTPUTS).astype("f")
    raw = np.full(FULL, 1, np.float32) * scale.reshape(-1, 1, 1, 1)
    one = onnx.helper.make_tensor("", F32.onnx, [1], [1.0])

    def write(g, m, transposed):
        many = g.node("ConstantOfShape", [g.ints(m.shape)], value=one)
        by = scale.reshape(-1, 1) if transposed else scale.reshape(1, -1)
        return g.node("Mul", [many, g.init(by)])

    for dense in DENSE:
        head = build(write, raw, raw, dense=dense)
        assert_rewritten(run(tmp_path / dense, head.model, "--verify"), head)


# ----------------------------------------------------------------------------
# Chains
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("dense", DENSE)
def test_long_chain(tmp_path, dense):
    """int8 -> DequantizeLinear (f32) -> Cast (f16) -> Cast (f32) -> Mul ->
    Transpose -> Identity -> Reshape.
    """
    scale, factor = np.float32(0.25), np.float32(1.5)

    def write(g, m, transposed):
        q = g.init(np.array(m.T).reshape(m.shape[1], m.shape[0], 1))
        w = g.node("DequantizeLinear", [q, g.init(scale)])
        w = g.node("Cast", [w], to=F16.onnx)
        w = g.node("Cast", [w], to=F32.onnx)
        w = g.node("Mul", [g.init(factor), w])
        w = g.node("Transpose", [w], perm=[1, 0, 2])
        return g.node("Reshape", [g.node("Identity", [w]), g.ints(m.shape)])

    def read(raw):
        w = dequantised(raw, scale).astype(np.float16).astype(np.float32)
        return w * factor

    accept(tmp_path, write, read, numbers(np.int8), dense=dense)


@pytest.mark.parametrize("view", ["Squeeze", "Unsqueeze", "Flatten"])
def test_view_behind_arithmetic(tmp_path, view):
    def write(g, m, transposed):
        if view == "Unsqueeze":
            row = g.node("Mul", [g.init(m.reshape(-1)), g.init(np.float32(2))])
            w = g.unsqueeze(row, [0])
            return g.node("Reshape", [w, g.ints(m.shape)])
        shape = [1, *m.shape] if view == "Squeeze" else [m.shape[0], 3, -1]
        w = g.node("Mul", [g.init(m.reshape(shape)), g.init(np.float32(2))])
        if view == "Squeeze":
            return g.squeeze(w, [0])
        return g.node("Flatten", [w], axis=1)

    raw = even()
    accept(tmp_path, write, lambda raw: raw * np.float32(2), raw)


@pytest.mark.parametrize("other", ["head", "node", "output"])
def test_computed_weight_has_another_user(tmp_path, other):
    """The Cast stays for whoever else reads it, and the file's numbers too."""
    g = Graph()
    raw = even(F16).reshape(OUTPUTS, -1).T.copy()
    w = g.node("Cast", [g.init(raw, "W")], "cast", to=F32.onnx)
    f = g.node("Flatten", [g.input("x", ["N", *EXTENTS])], axis=1)
    g.node("MatMul", [f, w], "y", "dense")
    g.output("y", ["N", OUTPUTS])
    if other == "head":
        z = g.input("z", ["N", *EXTENTS])
        g.node("MatMul", [g.node("Flatten", [z], axis=1), w], "v", "second")
        g.output("v", ["N", OUTPUTS])
    elif other == "node":
        g.node("MatMul", [g.input("z", ["N", 24]), w], "v")
        g.output("v", ["N", OUTPUTS])
    else:
        g.output("cast", [24, OUTPUTS])
    result = run(tmp_path, g.model(), "--verify")
    heads = ["dense", "second"] if other == "head" else ["dense"]
    assert result.rewritten == heads
    assert_sound(result)
    assert_equivalent(result.before, result.after, heads)
    kept = [n.op_type for n in result.after.graph.node]
    assert ("Cast" in kept) == (other != "head")


def test_operator_that_is_not_read(tmp_path):
    """Sqrt of a constant could be computed; it is not, and the reason names
    it.
    """
    raw = abs(even())
    head = build(lambda g, m, t: g.node("Sqrt", [g.init(m)]), raw, np.sqrt(raw))
    result = run(tmp_path, head.model)
    if result.rewritten:
        assert_rewritten(result, head)
    else:
        assert "Sqrt" in assert_refused(result, "dense", "L3")["reason"]


# ----------------------------------------------------------------------------
# Overridable initialisers
# ----------------------------------------------------------------------------

FLAGS = {
    "tool": ["--constant-initializers"],
    "pass": ["--flatten-to-gap=constant-initializers"],
    "pipeline": [
        "--pass-pipeline=builtin.module("
        "flatten-to-gap{constant-initializers=true})"
    ],
}


@pytest.mark.parametrize("dense", DENSE)
def test_overridable_names_the_option(tmp_path, dense):
    """Refused by default, and the user learns what to say."""
    raw = even()
    write = lambda g, m, t: g.init(m, "W", overridable=True)
    head = build(write, raw, raw, dense=dense, ir=8)
    result = run(tmp_path, head.model)
    entry = assert_refused(result, "dense", "L3")
    assert "'W'" in entry["reason"]
    assert "constant-initializers" in entry["reason"]
    assert "constant-initializers" in result.stderr


@pytest.mark.parametrize("how", FLAGS)
@pytest.mark.parametrize("ir", [4, 8, 10])
@pytest.mark.parametrize("dense", DENSE)
def test_overridable_by_the_users_word(tmp_path, dense, ir, how):
    """The old weight is gone, and its graph input with it."""
    raw = even()
    write = lambda g, m, t: g.init(m, "W", overridable=True)
    head = build(write, raw, raw, dense=dense, ir=ir, opset=9)
    result = run(tmp_path, head.model, "--verify", *FLAGS[how])
    assert_rewritten(result, head)
    assert [i.name for i in result.after.graph.input] == ["x"]
    assert "W" not in [i.name for i in result.after.graph.initializer]
    # Only the user's word changes: what varies is still refused.
    raw = next_up(raw, (2, 1, 1, 3))
    twin = build(write, raw, raw, dense=dense, ir=ir, opset=9)
    assert_refused(run(tmp_path, twin.model, *FLAGS[how]), "dense", "L6")


@pytest.mark.parametrize("other", ["node", "branch", "output"])
def test_overridable_that_something_else_uses(tmp_path, other):
    """Then W stays, and stays a graph input."""
    g = Graph()
    raw = even().reshape(OUTPUTS, -1).T.copy()
    w = g.init(raw, "W", overridable=True)
    f = g.node("Flatten", [g.input("x", ["N", *EXTENTS])], axis=1)
    g.node("MatMul", [f, w], "y", "dense")
    g.output("y", ["N", OUTPUTS])
    given = {}
    if other == "node":
        g.node("MatMul", [g.input("z", ["N", 24]), w], "v")
        g.output("v", ["N", OUTPUTS])
    elif other == "output":
        g.node("Identity", [w], "v")
        g.output("v", [24, OUTPUTS])
    else:
        branches = {}
        for name, op in (("then_branch", "Neg"), ("else_branch", "Abs")):
            inner = Graph(name=name)
            inner.node(op, ["W"], f"{name}_out")
            inner.output(f"{name}_out")
            branches[name] = inner.graph()
        condition = g.input("condition", [], TensorProto.BOOL)
        g.node("If", [condition], "v", **branches)
        g.output("v")
        given["condition"] = np.array(True)
    result = run(tmp_path, g.model(), "--constant-initializers", "--verify")
    assert result.rewritten == ["dense"]
    assert_sound(result)
    assert "W" in [i.name for i in result.after.graph.input]
    assert "W" in [i.name for i in result.after.graph.initializer]
    assert_equivalent(result.before, result.after, ["dense"], given=given)


def test_overridable_weight_of_two_heads(tmp_path):
    """Both use it, both are rewritten, the input goes."""
    g = Graph()
    w = g.init(even().reshape(OUTPUTS, -1).T.copy(), "W", overridable=True)
    for name in "xz":
        f = g.node("Flatten", [g.input(name, ["N", *EXTENTS])], axis=1)
        g.node("MatMul", [f, w], f"{name}_out", name)
        g.output(f"{name}_out", ["N", OUTPUTS])
    result = run(tmp_path, g.model(), "--constant-initializers", "--verify")
    assert result.rewritten == ["x", "z"]
    assert_sound(result)
    assert [i.name for i in result.after.graph.input] == ["x", "z"]
    assert_equivalent(result.before, result.after, ["x", "z"])


def test_graph_input_is_no_initialiser(tmp_path):
    """The option says nothing about inputs without a default."""
    head = make_head(place=lambda g, m: g.input("weight", m.shape))
    result = run(tmp_path, head.model, "--constant-initializers")
    assert_refused(result, "dense", "L3")


def test_option_changes_nothing_else(tmp_path):
    """Bias and other inputs with a default stay what they are."""
    head = make_head()
    model = head.model
    bias = next(i for i in model.graph.initializer if i.name.startswith("bias"))
    model.graph.input.append(
        onnx.helper.make_tensor_value_info(bias.name, bias.data_type, bias.dims)
    )
    result = run(tmp_path, model, "--constant-initializers")
    assert result.rewritten == ["dense"]
    assert bias.name in [i.name for i in result.after.graph.input]
    unchanged = run(
        tmp_path, make_head(vary=(1, 2, 3)).model, "--constant-initializers"
    )
    assert_unchanged(unchanged)


def test_scale_behind_an_overridable_scale(tmp_path):
    """DequantizeLinear whose scale may be overridden; accepted by the user's
    word, and both inputs go.
    """
    raw = numbers(np.int8)

    def write(g, m, transposed):
        return g.node(
            "DequantizeLinear",
            [
                g.init(m, "q", overridable=True),
                g.init(np.float32(0.25), "s", overridable=True),
            ],
        )

    head = build(write, raw, dequantised(raw, 0.25), ir=8)
    assert_refused(run(tmp_path, head.model), "dense", "L3")
    result = run(tmp_path, head.model, "--constant-initializers")
    assert_rewritten(result, head)
    assert [i.name for i in result.after.graph.input] == ["x"]


# ----------------------------------------------------------------------------
# Hostile files
# ----------------------------------------------------------------------------


def limited(directory, model, gibibytes=1.0, seconds=10):
    """Runs head-opt with a limit on its memory. Returns (status, resident MiB,
    seconds, what it said).
    """
    source = directory / "hostile.onnx"
    onnx.save(model, source)
    start = time.monotonic()
    size = int(gibibytes * 2**30)
    with open(directory / "said", "w+") as said:
        process = subprocess.Popen(
            [str(TOOL), str(source), "-o", str(directory / "out.onnx")],
            stdout=said,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: (
                resource.setrlimit(resource.RLIMIT_AS, (size, size)),
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
            ),
        )
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                break
            if time.monotonic() - start > seconds:
                process.kill()
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                break
            time.sleep(0.005)
        took = time.monotonic() - start
        said.seek(0)
        return process.returncode, usage.ru_maxrss / 1024, took, said.read()


def large_model(extents, outputs, write, dense="Gemm", type=F32):
    g = Graph(type=type)
    f = g.node("Flatten", [g.input("x", ["N", *extents])], axis=1)
    g.node(dense, [f, write(g, [math.prod(extents), outputs])], "y", "dense")
    g.output("y", ["N", outputs])
    return g.model()


def expand(g, shape):
    return g.node("Expand", [g.init(np.ones((1, 1), "f")), g.ints(shape)])


def filled(g, shape):
    return g.node("ConstantOfShape", [g.ints(shape)])


LARGE = {
    "expand": expand,
    "tile": lambda g, s: g.node(
        "Tile", [g.init(np.ones((1, 1), "f")), g.ints(s)]
    ),
    "cast": lambda g, s: g.node("Cast", [filled(g, s)], to=F16.onnx),
    "product": lambda g, s: g.node(
        "Mul", [filled(g, s), g.init(np.float32(2))]
    ),
    "broadcast": lambda g, s: g.node(
        "Add",
        [g.init(np.ones((s[0], 1), "f")), g.init(np.ones((1, s[1]), "f"))],
    ),
    "transpose": lambda g, s: g.node("Transpose", [expand(g, s[::-1])]),
}


@pytest.mark.parametrize("how", LARGE)
def test_a_weight_of_2_to_the_40(tmp_path, how):
    """A file of a few hundred bytes (two rows of 4 MiB for the broadcast) that
    asks for 4 TiB.
    """
    side = 2**20
    extents = (1024, 32, 32)
    type = F16 if how == "cast" else F32
    model = large_model(extents, side, LARGE[how], "MatMul", type)
    status, resident, took, said = limited(tmp_path, model)
    assert status == 0, said[-500:]
    assert "refused" in said and "L3" in said
    assert resident < 200 and took < 5


def test_a_filled_weight_of_2_to_the_40(tmp_path):
    """ConstantOfShape is one number whatever its shape, and so is its sum."""
    model = large_model((1024, 32, 32), 2**20, filled, "MatMul")
    status, resident, _, said = limited(tmp_path, model)
    assert status == 0, said[-500:]
    assert resident < 200


def test_a_weight_of_one_gibibyte_in_less(tmp_path):
    """Below the limit of 2 GiB, and above what the machine gives: an error in
    one line, no crash.
    """
    model = large_model((2**14, 1, 16), 2**10, expand, "MatMul")
    status, _, _, said = limited(tmp_path, model, 1.0)
    assert status in (0, 1), said[-500:]
    assert len(said.splitlines()) <= 3


def test_a_long_chain_is_refused_quickly(tmp_path):
    """x * x, twenty times: 2^20 readings for whoever follows both operands."""

    def write(g, shape):
        v = g.init(np.ones(shape, "f"))
        for _ in range(20):
            v = g.node("Mul", [v, v])
        return v

    for dense in ("Gemm", "MatMul"):
        model = large_model((4, 8, 8), 8, write, dense)
        status, resident, took, said = limited(tmp_path, model)
        assert status == 0, said[-500:]
        assert "rewritten" not in said
        if dense == "Gemm":
            assert "refused" in said and "L3" in said
        assert took < 2 and resident < 300


def test_a_chain_of_eight_takes_no_longer_than_one(tmp_path):
    """Within the depth that is followed, v * v has one operand: its value is
    computed once.
    """
    took = {}
    for depth in (1, 8):

        def write(g, shape):
            v = g.init(np.ones(shape, "f"))
            for _ in range(depth):
                v = g.node("Mul", [v, v])
            return v

        model = large_model((64, 8, 8), 32, write)
        status, _, took[depth], said = limited(tmp_path, model)
        assert status == 0 and "rewritten" in said, said[-500:]
    assert took[8] < 4 * took[1] + 0.1, took


def test_a_wide_expression_is_refused_quickly(tmp_path):
    """Four Sums of 400 equal operands: 400^4 ways from the weight to the
    initialiser.
    """

    def write(g, shape):
        v = g.init(np.ones(shape, "f"))
        for _ in range(4):
            v = g.node("Sum", [v] * 400)
        return v

    model = large_model((4, 2, 2), 3, write, "MatMul")
    status, _, took, said = limited(tmp_path, model, seconds=2)
    assert status == 0 and took < 2, f"{took:.1f} s, status {status}"
