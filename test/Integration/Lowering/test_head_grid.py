# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled heads over a grid of widths and batches: pool, dense layers, Relu,
Softmax. ``lowering.py`` derives how far a result may be off; ``lowering.check``
says what is tried on each.
"""

import numpy as np
import pytest

import lowering
from headopt import BF16, F16, F64
from lowering import Head, nhwc

# Batches around 64 too: that is where a larger tile would begin.
BATCHES = (0, 1, 2, 3, 7, 8, 9, 33, 63, 64, 65)

# Channels in, outputs: each on both sides of the vectors, and of tiles of 8, 16
# and 48 outputs.
WIDTHS = [
    (1, 1),
    (1, 17),
    (3, 2),
    (15, 16),
    (16, 15),
    (17, 17),
    (30, 3),
    (33, 33),
    (64, 47),
    (65, 48),
    (31, 49),
    (16, 64),
    (17, 96),
    (33, 97),
    (128, 100),
    (512, 25),
]


def ids(heads):
    return pytest.mark.parametrize("head", heads, ids=Head.label)


@ids([Head((k, 7, 7), layers=(o,), seed=i) for i, (k, o) in enumerate(WIDTHS)])
def test_grid(compiled, head):
    lowering.check(compiled(head), BATCHES)


@ids(
    [
        nhwc(17, 3, 5, layers=(33,)),
        nhwc(64, 7, 7, layers=(10,)),
        Head((33, 1, 1), layers=(17,)),
        Head((16, 1, 17), layers=(9,)),
        Head((5, 2, 3, 4), layers=(6,)),
        Head((12, 9), layers=(5,)),
        Head((4, 5, 3), (2,), layers=(7,)),
    ]
)
def test_maps(compiled, head):
    lowering.check(compiled(head))


@pytest.mark.parametrize("type_", (F16, BF16, F64), ids=lambda t: t.name)
@pytest.mark.parametrize("widths", ((17, 33), (64, 16), (33, 100), (1, 3)))
def test_types(compiled, type_, widths):
    head = Head((widths[0], 3, 5), type=type_, layers=widths[1:])
    lowering.check(compiled(head))


@pytest.mark.parametrize("level", lowering.vector_levels())
@ids(
    [
        Head((33, 7, 7), layers=(49,)),
        Head((16, 5, 5), type=F16, layers=(17,)),
        Head((17, 5, 5), type=BF16, layers=(9,)),
    ]
)
def test_vector_widths(compiled, head, level):
    lowering.check(compiled(head, f"--mcpu={level}"), batches=(1, 3, 8, 33))


@ids([Head((24, 7, 7), layers=(19,), dense="matmul"),
      nhwc(24, 7, 7, layers=(19,), dense="matmul", type=F16)])  # fmt: skip
def test_matmul_and_add(compiled, head):
    lowering.check(compiled(head))


@ids(
    [
        Head((64, 7, 7), layers=(32, 17, 3), softmax=True),
        Head((33, 7, 7), layers=(10,), softmax=True),
        Head((33, 3, 3), layers=(17, 4), softmax=True, type=F16),
        Head((20, 3, 3), layers=(16, 5), softmax=True, type=BF16),
        Head((20, 3, 3), layers=(16, 5), softmax=True, type=F64),
        Head((1280, 7, 7), layers=(1024, 1024, 512, 3), softmax=True),
    ]
)
def test_chains(compiled, head):
    batches = (1, 3, 8, 9) if head.extents[0] > 1000 else BATCHES
    lowering.check(compiled(head), batches)


@ids([Head((17, None, None), layers=(9,)),
      nhwc(16, None, None, layers=(5,), type=F16)])  # fmt: skip
def test_dynamic_maps(compiled, head):
    for spatial in ((7, 7), (1, 1), (3, 5)):
        lowering.check(compiled(head), batches=(1, 3, 9), chosen=spatial)


@pytest.mark.parametrize("batch", (1, 3, 8))
def test_fixed_batch(compiled, batch):
    head = Head((17, 3, 3), layers=(5,), batch=batch)
    function = compiled(head)
    features = lowering.random_features(head, batch)
    (result,) = lowering.run_guarded([lowering.Call(function, features)])
    lowering.assert_close(result, *lowering.reference(head, features))


@pytest.mark.parametrize("widths", ((16, 9), (33, 48), (48, 100)))
def test_every_weight_counts_once(compiled, widths):
    """Small integers and maps of 16 pixels whose sums are multiples of 16: every
    step is exact, in any order, so the result is too.
    """
    head = Head((widths[0], 4, 4), layers=widths[1:], integers=True)
    features = lowering.whole_features(head, 65)
    sums = features.sum(axis=(2, 3))
    features[:, :, 3, 3] += -sums % 16
    exact, _ = lowering.reference(head, features)
    function = compiled(head)
    for batch in BATCHES:
        result = function.run(features[:batch])
        assert np.array_equal(result, exact[:batch].astype(np.float32)), batch


def test_softmax_of_large_numbers(compiled):
    """exp overflows beyond 88 in f32; the largest element is subtracted first."""
    head = Head((8, 2, 2), layers=(8,), softmax=True, integers=True)
    x = np.zeros((3, 8, 2, 2), np.float32)
    x[0], x[1, 0], x[2] = 1e4, 1e30, -1e4
    y = compiled(head).run(x)
    assert np.isfinite(y).all()
    assert np.allclose(y.sum(axis=1), 1.0, atol=1e-6)


@ids([Head((100_000, 1, 2), layers=(3,))])
def test_hundred_thousand_channels(compiled, head):
    lowering.check(compiled(head), batches=(1, 3, 8))


def test_wide_outputs(compiled):
    lowering.check(compiled(Head((9, 2, 2), layers=(5003,))), batches=(1, 3, 9))
