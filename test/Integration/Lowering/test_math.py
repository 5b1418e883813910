# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the lowering computes by itself: exp, tanh, log, erf and their kin by
polynomials, and conversions of f16 and bf16 by integers.

Functions are compared with double arithmetic over the whole range of f32,
conversions bit by bit with integer arithmetic written out below.
"""

import ctypes
import math

import numpy as np
import pytest

import lowering

UNITS = {
    "x86-64-v2": "vector-bits=128 fma=false converts-f16=false",
    "x86-64-v3": "vector-bits=256",
    "x86-64-v4": "vector-bits=512",
}
LEVELS = [level for level in UNITS if level in lowering.vector_levels()]
SIZES = {"f16": np.uint16, "bf16": np.uint16, "f32": np.uint32, "f64": np.uint64}


def element_wise(folder, level, source, target, body, units=None):
    """A function of arrays that does ``body`` (from %x to %y) to each number."""
    width = 64
    text, lowered = folder / "f.mlir", folder / "lowered.mlir"
    text.write_text(f"""
func.func @f(%a: tensor<?x{width}x{source}>) -> tensor<?x{width}x{target}> {{
  %axis = arith.constant 0 : index
  %n = tensor.dim %a, %axis : tensor<?x{width}x{source}>
  %e = tensor.empty(%n) : tensor<?x{width}x{target}>
  %r = linalg.generic {{indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}} ins(%a : tensor<?x{width}x{source}>) outs(%e : tensor<?x{width}x{target}>) {{
  ^bb0(%x: {source}, %o: {target}):
    {body}
    linalg.yield %y : {target}
  }} -> tensor<?x{width}x{target}>
  return %r : tensor<?x{width}x{target}>
}}
""")
    pipeline = f"lower-head-to-llvm-cpu{{{units or UNITS[level]}}}"
    library = folder / "f.so"
    for arguments in (
        (text, f"--pass-pipeline=builtin.module({pipeline})", "-o", lowered),
        (lowered, "--emit=shared", f"--mcpu={level}", "-o", library),
    ):
        done = lowering.invoke(*arguments)
        assert done.returncode == 0 and not done.stderr, done.stderr
    function = ctypes.CDLL(str(library)).f
    function.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]

    def call(bits):
        rows = -(-len(bits) // width)
        padded = np.zeros(rows * width, SIZES[source])
        padded[: len(bits)] = bits
        output = np.empty(rows * width, SIZES[target])
        assert function(padded.ctypes.data, rows, output.ctypes.data) == 0
        return output[: len(bits)]

    call.path = library
    return call


# ----------------------------------------------------------------------------
# Functions
# ----------------------------------------------------------------------------


def wanted(function, x):
    with np.errstate(all="ignore"):
        if function == "erf":
            return np.array([math.erf(v) for v in x.tolist()])
        return getattr(np, function)(x)


def units_off(got, exact):
    """How many units in the last place of f32 each result is off. Below the
    smallest normal number a unit is taken for what it is there.
    """
    with np.errstate(all="ignore"):
        rounded = exact.astype(np.float32)
        unit = np.spacing(abs(rounded)).astype(np.float64)
        tiny = float(np.finfo(np.float32).tiny)
        unit[abs(rounded) < tiny] = tiny * 2.0**-23
        off = abs(got.astype(np.float64) - exact) / unit
    same = (got == rounded) | (np.isnan(got) & np.isnan(exact))
    return np.where(same, 0.0, off)


# Every exponent, with 2048 fractions each, both signs; infinities, NaN, zeros.
EVERYWHERE = np.concatenate(
    [
        np.arange(0, 2**32, 4093, dtype=np.uint32),
        np.array(
            [0, 1 << 31, 0x7F800000, 0xFF800000, 0x7FC00000, 0x3F800000],
            np.uint32,
        ),
        # Around 1, where log changes its sign.
        np.arange(0x3F7F0000, 0x3F810000, dtype=np.uint32),
    ]
)


# What was measured on this sample, rounded up. exp is 0 where its value would be
# below the smallest normal number.
UNITS_OFF = {
    "exp": 5,
    "expm1": 5,
    "log": 2,
    "log1p": 3,
    "tanh": 6,
    "erf": 5,
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("function", UNITS_OFF)
def test_functions(tmp_path, function, level):
    call = element_wise(
        tmp_path, level, "f32", "f32", f"%y = math.{function} %x : f32"
    )
    got = call(EVERYWHERE).view(np.float32)
    with np.errstate(invalid="ignore"):
        x = EVERYWHERE.view(np.float32).astype(np.float64)
    exact = wanted(function, x)
    assert (np.isnan(got) == np.isnan(exact)).all()
    tiny = float(np.finfo(np.float32).tiny)
    off = units_off(got, exact)
    if function == "exp":
        flushed = exact < tiny
        assert (got[flushed] <= np.float32(tiny)).all()
        off[flushed] = 0
    worst = np.nanargmax(off)
    assert off[worst] <= UNITS_OFF[function], (x[worst], got[worst])


@pytest.mark.parametrize("level", LEVELS[:2])
def test_functions_of_double(tmp_path, level):
    call = element_wise(tmp_path, level, "f64", "f64", "%y = math.erf %x : f64")
    x = np.linspace(-7, 7, 1001)
    got = call(x.view(np.uint64)).view(np.float64)
    np.testing.assert_allclose(got, wanted("erf", x), rtol=1e-15)


# ----------------------------------------------------------------------------
# Conversions
# ----------------------------------------------------------------------------

HALVES = np.arange(2**16, dtype=np.uint16)
# Bits of the exponent and of the fraction.
FORMATS = {"f16": (5, 10), "bf16": (8, 7), "f32": (8, 23), "f64": (11, 52)}


def is_nan(bits, type_):
    exponent, fraction = FORMATS[type_]
    magnitude = bits.astype(object) & ((1 << exponent + fraction) - 1)
    return magnitude > ((1 << exponent) - 1) << fraction


def value_of(bits, type_):
    """Of finite numbers: (sign, integer, exponent of two), by integers alone."""
    exponent, fraction = FORMATS[type_]
    field = bits >> fraction & (1 << exponent) - 1
    whole = (bits & (1 << fraction) - 1) | ((field != 0) << fraction)
    scale = max(field, 1) - ((1 << exponent - 1) - 1) - fraction
    return bits >> exponent + fraction, whole, scale


def converted(bits, source, target):
    """One number, to nearest, ties to even. Not for NaN."""
    exponent, fraction = FORMATS[source]
    sign, whole, scale = value_of(bits, source)
    to_exponent, to_fraction = FORMATS[target]
    bias = (1 << to_exponent - 1) - 1
    infinity = ((1 << to_exponent) - 1) << to_fraction
    out = sign << to_exponent + to_fraction
    if bits >> fraction & (1 << exponent) - 1 == (1 << exponent) - 1:
        return out | infinity
    if whole == 0:
        return out
    # The last place of the result: no finer than that of subnormal numbers.
    place = max(whole.bit_length() + scale - 1 - to_fraction, 1 - bias - to_fraction)
    shift = place - scale
    if shift <= 0:
        rounded = whole << -shift
    else:
        rounded, rest = whole >> shift, whole & (1 << shift) - 1
        half = 1 << shift - 1
        rounded += rest > half or (rest == half and rounded & 1)
    # A carry goes into the exponent.
    number = rounded + (place - (1 - bias - to_fraction) << to_fraction)
    return out | min(number, infinity)


def assert_converted(got, bits, source, target):
    nan = is_nan(bits, source)
    assert (is_nan(got, target) == nan).all()
    for b, g in zip(bits[~nan].tolist(), got[~nan].tolist()):
        assert g == converted(b, source, target), f"{b:#x} became {g:#x}"


def conversion(folder, level, source, target, integers):
    operation = "extf" if FORMATS[source][1] < FORMATS[target][1] else "truncf"
    units = f"vector-bits=128 fma=false converts-f16={'false' if integers else 'true'}"
    return element_wise(
        folder,
        level,
        source,
        target,
        f"%y = arith.{operation} %x : {source} to {target}",
        units,
    )


# With integers on any processor, and with its instructions where it has them.
WAYS = [("x86-64-v2", True), *[(level, False) for level in LEVELS[1:]]]
each_way = pytest.mark.parametrize(
    ("level", "integers"), WAYS, ids=[level for level, _ in WAYS]
)


@each_way
@pytest.mark.parametrize("target", ["f32", "f64"])
@pytest.mark.parametrize("source", ["f16", "bf16"])
def test_widening(tmp_path, source, target, level, integers):
    """All 65536 numbers."""
    call = conversion(tmp_path, level, source, target, integers)
    assert_converted(call(HALVES), HALVES, source, target)


def around_ties(source, target):
    """Numbers on, next to and between those of ``target`` and halfway between
    them, for every exponent of ``source``.
    """
    exponent, fraction = FORMATS[source]
    random = np.random.default_rng(3)
    kept = fraction - FORMATS[target][1]
    fields = np.arange(1 << exponent, dtype=np.uint64) << np.uint64(fraction)
    low = [0, 1, (1 << kept - 1) - 1, 1 << kept - 1, (1 << kept - 1) + 1]
    low += [(1 << kept) - 1, 1 << kept, 3 << kept - 1, (3 << kept - 1) - 1]
    high = (1 << fraction) - (1 << kept)
    low += [high, high + (1 << kept - 1), (1 << fraction) - 1, high - 1]
    # One bit each: the ties of subnormal results.
    low += [1 << bit for bit in range(fraction)]
    low += [(1 << bit) + 1 for bit in range(1, fraction)]
    low += [(1 << fraction) - (1 << bit) for bit in range(fraction)]
    low += random.integers(0, 1 << fraction, 24).tolist()
    bits = (fields[:, None] | np.array(low, np.uint64)).reshape(-1)
    sign = np.uint64(1 << exponent + fraction)
    return np.concatenate([bits, bits | sign]).astype(SIZES[source])


@each_way
@pytest.mark.parametrize("target", ["f16", "bf16"])
@pytest.mark.parametrize("source", ["f32", "f64"])
def test_narrowing(tmp_path, source, target, level, integers):
    call = conversion(tmp_path, level, source, target, integers)
    bits = around_ties(source, target)
    if source == "f64":
        # Exponents that f32 has, and a few around them.
        field = bits >> np.uint64(52) & np.uint64(0x7FF)
        near = abs(field.astype(int) - 1023) < 155
        bits = bits[near | (field % 128 == 127)]
    assert_converted(call(bits), bits, source, target)


@pytest.mark.parametrize("type_", ["f16", "bf16"])
def test_arithmetic_of_halves(tmp_path, type_):
    """Each operation rounds, as if the processor had it."""
    call = element_wise(
        tmp_path,
        "x86-64-v2",
        type_,
        type_,
        f"%c = arith.constant 0.0 : {type_}\n    %y = arith.maximumf %x, %c : {type_}",
    )
    nan = is_nan(HALVES, type_)
    got = call(HALVES)
    assert is_nan(got[nan], type_).all()
    # Zero of either sign is zero.
    expected = np.where(HALVES[~nan] >= 0x8000, 0, HALVES[~nan])
    assert (got[~nan] & 0x7FFF == expected & 0x7FFF).all()
