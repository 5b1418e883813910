# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled averages over a grid of shapes, on both sides of every length at which
a vector, a block or a schedule could end.

One head is compiled for each test, and ``lowering.check`` tries everything on it.
``lowering.py`` derives how far a result may be off.
"""

import ctypes
import mmap

import numpy as np
import pytest

import headopt
import lowering
from headopt import BF16, F16, F32, F64
from lowering import Head, nhwc

# Pixels, as H and W, with numbers of channels that share no factor with them.
MAPS = {
    1: (1, 1),
    2: (1, 2),
    3: (3, 1),
    7: (1, 7),
    8: (2, 4),
    9: (3, 3),
    15: (3, 5),
    16: (4, 4),
    17: (1, 17),
    25: (5, 5),
    31: (31, 1),
    32: (4, 8),
    33: (3, 11),
    49: (7, 7),
    64: (8, 8),
    65: (5, 13),
    127: (1, 127),
    128: (8, 16),
    129: (3, 43),
    361: (19, 19),
}
CHANNELS = (17, 33, 16, 30, 1, 15, 3)
FEW = (1, 7, 16, 17, 49, 65)

GRID = [
    make(CHANNELS[(index + shift) % len(CHANNELS)], MAPS[pixels])
    for index, pixels in enumerate(MAPS)
    for shift, make in (
        (0, lambda c, m: Head((c, *m))),
        (3, lambda c, m: nhwc(c, *m)),
    )
    # To head-opt a mean over axes of extent 1 is a view, so this is no head.
    if pixels > 1 or shift == 0
]
OTHER_TYPES = [
    make(CHANNELS[(index + shift) % len(CHANNELS)], MAPS[pixels], type_)
    for type_ in (F16, BF16, F64)
    for index, pixels in enumerate(FEW)
    for shift, make in (
        (1, lambda c, m, t: Head((c, *m), type=t)),
        (2, lambda c, m, t: nhwc(c, *m, type=t)),
    )
    if pixels > 1 or shift == 1
]
# Halves: vectors of twice as many elements, rows that come as many at a time as
# there are lanes, wide columns two rows at a time. Each with another version.
HALF_ROWS = (2, 5, 9, 15, 31, 33, 63, 65, 127, 129, 255, 257, 361)
HALF_COLUMNS = (2, 15, 31, 33, 63, 65, 127, 129, 130, 257, 515, 1029)
HALVES = [
    make(extent, type_)
    for type_ in (F16, BF16)
    for make, extents in (
        (lambda e, t: Head((2 * e % 37 + 1, 1, e), type=t), HALF_ROWS),
        (lambda e, t: nhwc(e, 1, e % 6 + 2, type=t), HALF_COLUMNS),
    )
    for extent in extents
]
OTHER_AXES = [
    Head((17, 49)),  # 1-D
    Head((3, 2, 5, 7)),  # 3-D
    Head((5, 6, 7), (1, 3)),  # over axes that are not neighbours
    Head((19, 16), (1,)),  # 1-D, channels last
    Head((2, 3, 4, 17), (1, 2, 3), type=F16),  # 3-D, channels last
    # A map that keeps two axes is a head only in front of a dense layer.
    Head((5, 6, 7), (2,), layers=(9,)),  # over H: neither first nor last
    Head((5, 6, 7), (3,), layers=(9,)),  # over W
    Head((33, 4, 3), (1,), layers=(9,)),  # over the channels
    Head((6, 7, 9), (2,), type=BF16, layers=(5,)),
    Head((3, 2, 5, 7), (3,), type=F16, layers=(5,)),
]


# Python names it from 3.13 on.
MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)


def ids(heads):
    return pytest.mark.parametrize("head", heads, ids=Head.label)


@ids(GRID)
def test_grid(compiled, head):
    lowering.check(compiled(head))


@ids([Head((3, 220, 220)), nhwc(3, 220, 220)])
def test_large_maps(compiled, head):
    lowering.check(compiled(head), batches=(0, 1, 2, 3))


@ids(OTHER_TYPES)
def test_types(compiled, head):
    lowering.check(compiled(head))


@pytest.mark.parametrize(
    "head, shift",
    [(head, shift) for shift, head in enumerate(HALVES)],
    ids=[head.label() for head in HALVES],
)
def test_halves(compiled, head, shift):
    levels = lowering.vector_levels()
    level = levels[shift % len(levels)]
    lowering.check(compiled(head, f"--mcpu={level}"))


@ids(OTHER_AXES)
def test_axes(compiled, head):
    lowering.check(compiled(head))


@pytest.mark.parametrize("level", lowering.vector_levels())
@ids(
    [
        Head((17, 7, 7)),
        Head((5, 5, 7), type=F16),
        Head((3, 5, 5), type=BF16),
        nhwc(33, 5, 5),
        Head((2, None, None)),
    ]
)
def test_vector_widths(compiled, head, level):
    chosen = [5] * len(head.dynamic)
    lowering.check(
        compiled(head, f"--mcpu={level}"), batches=(1, 3, 8), chosen=chosen
    )


@pytest.mark.parametrize("level", lowering.vector_levels())
def test_tail_lanes_leave_the_neighbour_alone(compiled, level):
    """D10: with NaN in the rows around it, a row of ones has the mean 1."""
    for head in (Head((3, 5, 5)), nhwc(3, 5, 5)):
        x = np.full((1, 3, 25), np.nan, np.float32)
        x[:, 1] = 1.0
        if head.axes is not None:
            x = x.transpose(0, 2, 1)
        function = compiled(head, f"--mcpu={level}")
        y = function.run(x.reshape(1, *head.extents))
        assert y[0, 1] == 1.0 and np.isnan(y[0, [0, 2]]).all()


# --- Extents that are known at run time only ------------------------------------

DYNAMIC = [
    make(channels, type_)
    for channels, type_ in ((17, F32), (3, F16), (1, F32), (5, F64), (4, BF16))
    for make in (
        lambda c, t: Head((c, None, None), type=t),
        lambda c, t: nhwc(c, None, None, type=t),
    )
]


@ids(DYNAMIC)
def test_dynamic_maps(compiled, head):
    """D8: one library for all maps; each is divided by its own size."""
    function = compiled(head)
    lowering.check(function, batches=(0, 1, 3, 9), chosen=(3, 5))
    for spatial in ((2, 2), (1, 1), (1, 3), (4, 4), (1, 17), (7, 7), (16, 8)):
        for batch in (1, 2):
            features = lowering.whole_features(head, batch, spatial)
            (result,) = lowering.run_guarded(
                [lowering.Call(function, features, what=f"{spatial}")]
            )
            lowering.assert_close(
                result,
                *lowering.reference(head, features, exact_sums=True),
                f"map {spatial}",
            )


@ids([Head((4, None)), Head((4, None, 5), (2,), layers=(3,)),
      Head((3, 5, None))])  # fmt: skip
def test_one_dynamic_axis(compiled, head):
    lowering.check(compiled(head), batches=(1, 2, 9), chosen=(33,))


# --- Numbers --------------------------------------------------------------------


def mean_of(compiled, head, rows):
    x = np.array(rows, head.type.numpy).reshape(1, *head.extents)
    return compiled(head).run(x)[0, 0]


def test_half_precision_sums_are_wide(compiled):
    """D9: in f16 itself, this sum stops at 2048."""
    ones = np.ones((64, 64))
    assert mean_of(compiled, Head((1, 64, 64), type=F16), ones) == 1.0
    assert mean_of(compiled, nhwc(1, 64, 64, type=F16), ones) == 1.0
    assert mean_of(compiled, Head((1, 64, 64), type=BF16), ones) == 1.0


def test_half_precision_sums_do_not_overflow(compiled):
    """D9: four times 30000 is infinite in f16."""
    head = Head((1, 2, 2), type=F16)
    # The nearest to 30000 that f16 has.
    assert mean_of(compiled, head, [30000.0] * 4) == np.float16(30000.0)


def test_half_precision_results_are_not_bfloat16(compiled):
    """The next number above 1 in f16 is 1 in bfloat16."""
    up = 1.0009765625
    head = Head((1, 2, 2), type=F16)
    assert mean_of(compiled, head, [up] * 4) == np.float16(up)


def test_results_are_rounded_once_and_to_even(compiled):
    """Means between two numbers of the type, to either side and half way."""
    for type_ in (F16, BF16):
        step = type_.eps
        for first, wanted in (
            (1.0, 1.0),  # half way, 1 is even
            (1.0 + step, 1.0 + 2 * step),  # half way, the upper one is even
        ):
            head = Head((1, 1, 2), type=type_)
            got = mean_of(compiled, head, [first, first + step])
            assert got == np.array(wanted, type_.numpy), (type_.name, first)
    head = Head((1, 2, 2), type=F16)
    got = mean_of(compiled, head, [1.0, 1.0, 1.0 + F16.eps, 1.0 + F16.eps * 2])
    assert got == np.float16(1.0 + F16.eps)


def test_one_large_number_does_not_swallow_a_map(compiled):
    """ONNX Runtime issue 12043: a single running sum of 2^24 and 255 ones stays
    at 2^24. The bound is the one that was asked for there.
    """
    rows = np.ones(256)
    rows[0] = 2.0**24
    got = mean_of(compiled, Head((1, 16, 16)), rows)
    exact = (2.0**24 + 255) / 256
    assert abs(float(got) - exact) <= 4e-6 * exact


@ids([Head((3, 7, 7)), nhwc(3, 7, 7), Head((3, 7, 7), type=F16)])
def test_infinities_and_denormals(compiled, head):
    smallest = {"f32": 2.0**-149, "f16": 2.0**-24}[head.type.name]
    axes = head.pooled
    x = np.zeros((4, *head.extents), head.type.numpy)
    planes = np.moveaxis(x, axes, (2, 3))  # a view, N, C, H, W
    planes[0, :, 0, 0] = np.inf
    planes[1, :, 0, 0], planes[1, :, 6, 6] = np.inf, -np.inf
    planes[2] = smallest
    planes[3] = -0.0
    y = headopt.wide(compiled(head).run(x))
    assert (y[0] == np.inf).all() and np.isnan(y[1]).all()
    assert (y[2] == smallest).all(), "denormal numbers count"
    assert (y[3] == 0.0).all()


def test_every_pixel_counts_once(compiled):
    """A single 1 at each position in turn."""
    for head in (Head((1, 5, 13)), nhwc(1, 5, 13)):
        pixels = np.eye(65, dtype=np.float32).reshape(65, *head.extents)
        y = compiled(head).run(pixels)
        assert (np.abs(y * 65 - 1) <= 4 * headopt.F32.eps).all()


# --- Size -----------------------------------------------------------------------


def test_hundred_thousand_channels(compiled):
    lowering.check(compiled(Head((100_000, 1, 2))), batches=(1, 2, 3))


def test_addresses_beyond_32_bits(compiled):
    """More elements than 2^31, most of them on pages that nobody wrote to: they cost no
    memory, and the last channel shows whether it was reached.
    """
    head = Head((32768, 257, 257), type=F16)
    function = compiled(head)
    pixels = 257 * 257
    size = 32768 * pixels * 2
    assert size // 2 > 2**31
    features = mmap.mmap(
        -1,
        size,
        flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE,
    )
    x = np.frombuffer(features, np.float16)
    x[-pixels:] = 3.0
    y = np.full(32768, np.nan, np.float16)
    address = ctypes.addressof(ctypes.c_char.from_buffer(features))
    assert function.call(address, 1, y.ctypes.data) == 0
    assert (y[:-1] == 0).all() and y[-1] == 3.0
