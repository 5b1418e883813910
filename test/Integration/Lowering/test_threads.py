# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Heads that are compiled with ``--threads=openmp``: the same bits as without, for
any number of threads; when there are several; and who may call them.
"""

import ctypes
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import lowering
from headopt import BF16, F16, F64
from lowering import Head, nhwc

OPENMP = "--threads=openmp"
THREADS = (1, 2, 3, 7)
# One block, several, and what is shared out by images: from 64 on with two
# threads, from 96 on with three.
BATCHES = (1, 2, 3, 8, 9, 33, 64, 97)

# Each has so much to do for one image that threads share it, but for a batch of
# several where it says so. Channels, rows and outputs that do not divide by the
# number of threads, of vectors or of panels.
DENSE = [
    Head((2048, 7, 7), layers=(1000,)),
    Head((700, 7, 7), layers=(389, 701, 5), softmax=True),
    Head((601, 3, 3), layers=(1000, 48)),
    Head((1031, 7, 7), type=F16, layers=(500, 17)),
    Head((1031, 7, 7), type=BF16, layers=(500, 17)),
    Head((300, 5, 5), type=F64, layers=(600,)),
    # Few outputs: rows are what threads share, from eight images on.
    Head((5000, 2, 2), layers=(7,)),
]
POOLS = [
    Head((5461, 7, 7)),
    Head((31, 110, 110)),
    Head((1, 600, 600)),
    nhwc(2560, 19, 19),
    nhwc(1003, 17, 17),
    nhwc(30, 110, 110),
    nhwc(5000, 9, 9, type=F16),
    Head((64, 70, 70), type=BF16),
]


def use(function, threads):
    """How many threads OpenMP has for calls from this one."""
    function.library.omp_set_num_threads(ctypes.c_int(threads))


def assert_same(compiled, head, batches, *flags, chosen=()):
    plain, threaded = compiled(head, *flags), compiled(head, OPENMP, *flags)
    features = lowering.random_features(head, max(batches), chosen)
    expected = plain.run(features)
    lowering.assert_close(expected, *lowering.reference(head, features))
    for threads in THREADS:
        use(threaded, threads)
        for batch in batches:
            result = threaded.run(features[:batch])
            assert lowering.same_bits(result, expected[:batch]), (threads, batch)
        # Also where a batch begins elsewhere.
        for first in {1, len(features) - 1} if len(batches) > 1 else ():
            result = threaded.run(features[first:])
            assert lowering.same_bits(result, expected[first:]), (threads, first)


@pytest.mark.parametrize("head", DENSE, ids=Head.label)
def test_dense(compiled, head):
    assert_same(compiled, head, BATCHES)


@pytest.mark.parametrize("head", POOLS, ids=Head.label)
def test_pools(compiled, head):
    assert_same(compiled, head, (1, 2, 3, 9, 33))


@pytest.mark.parametrize("level", lowering.vector_levels())
@pytest.mark.parametrize(
    "head",
    [DENSE[1], nhwc(1003, 17, 17), Head((1031, 7, 7), type=F16, layers=(500,))],
    ids=Head.label,
)
def test_vector_widths(compiled, head, level):
    assert_same(compiled, head, (1, 9), f"--mcpu={level}")


@pytest.mark.parametrize("spatial", ((3, 3), (40, 33)))
@pytest.mark.parametrize(
    "head",
    [Head((301, None, None), layers=(40,)), nhwc(301, None, None)],
    ids=Head.label,
)
def test_dynamic_maps(compiled, head, spatial):
    assert_same(compiled, head, (1, 3, 9), chosen=spatial)


@pytest.mark.parametrize("batch", (1, 3, 8))
def test_fixed_batch(compiled, batch):
    head = Head((700, 7, 7), layers=(700,), batch=batch)
    assert_same(compiled, head, (batch,))


@pytest.mark.parametrize("threads", (3, 7))
@pytest.mark.parametrize("head", [DENSE[1], POOLS[0], POOLS[4]], ids=Head.label)
def test_everything(compiled, monkeypatch, head, threads):
    """Guards around the buffers, NaN in other images, and the rest."""
    function = compiled(head, OPENMP)
    # The calls are made in a process of their own, where OpenMP starts anew.
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    lowering.check(function, (1, 2, 9, 33))


# --- How many -------------------------------------------------------------------

COUNT = """
    import ctypes, json, os, sys
    path, within, *sizes = sys.argv[1:]
    library = ctypes.CDLL(path)
    library.head.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    codes = []

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def call(_):
        y = bytearray(batch * outputs)
        at = ctypes.addressof(ctypes.c_char.from_buffer(y))
        codes.append(library.head(x, batch, at))

    count = lambda: len(os.listdir("/proc/self/task"))
    before, found = count(), []
    for size in sizes:
        batch, inputs, outputs = map(int, size.split(","))
        x = bytes(batch * inputs)
        if within:
            # What GCC makes of a parallel region; LLVM's runtime has it too.
            library.omp_set_max_active_levels(4)
            library.GOMP_parallel(call, None, int(within), 0)
        else:
            call(None)
        found.append(count() - before)
    assert codes == [0] * len(sizes) * int(within or 1)
    print(json.dumps(found))
"""


def count_workers(function, limit, batches, within=""):
    """The threads that there are beside the first one after each call, of a
    process of its own. They stay, so batches should grow. The calls are made
    ``within`` a region of so many threads, each of which makes them.
    """
    head = function.head
    size = head.type.numpy().itemsize
    inputs = size * int(np.prod(head.extents))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(COUNT), function.path, str(within),
         *(f"{n},{inputs},{size * head.outputs}" for n in batches)],
        capture_output=True, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": str(limit)},
    )  # fmt: skip
    return json.loads(done.stdout)


def test_number_of_threads(compiled):
    """From 1 MiB on, and a further one for each half of that."""
    # 384 KiB each.
    pool = compiled(Head((2048, 6, 8)), OPENMP)
    assert count_workers(pool, 16, (1, 2, 4, 8)) == [0, 0, 2, 5]
    assert count_workers(pool, 3, (1, 2, 4, 8)) == [0, 0, 2, 2]
    assert count_workers(pool, 1, (8, 64)) == [0, 0]
    # Little to read, weights included, and little to compute.
    small = compiled(Head((512, 7, 7), layers=(25,)), OPENMP)
    assert count_workers(small, 16, (1,)) == [0]
    # The map has 100 KiB, the weights have 8 MiB.
    dense = compiled(Head((512, 7, 7), layers=(4096,)), OPENMP)
    assert count_workers(dense, 4, (1,)) == [3]
    # A pixel in NCHW or in NHWC: one row of memory, but for the columns.
    columns = compiled(nhwc(2560, 19, 19), OPENMP)
    assert count_workers(columns, 4, (1,)) == [3]


@pytest.mark.parametrize(
    "head",
    [Head((2048, 6, 8)), Head((512, 7, 7), layers=(4096,))],
    ids=Head.label,
)
def test_no_region_within_another(compiled, head):
    """Not even where the caller lets regions be nested, and has many images."""
    function = compiled(head, OPENMP)
    assert count_workers(function, 2, (1, 8, 97), within=3) == [2] * 3


# --- Callers --------------------------------------------------------------------

CALLED = [
    Head((700, 7, 7), layers=(389, 701, 5), softmax=True),
    nhwc(1003, 17, 17),
]


@pytest.mark.parametrize("head", CALLED, ids=Head.label)
def test_callers_at_once(compiled, head):
    """Several threads that each have threads of their own."""
    function = compiled(head, OPENMP)
    batches = (1, 3, 8, 9)
    inputs = [
        lowering.random_features(head, batch, seed=10 + i)
        for i, batch in enumerate(batches)
    ]
    expected = [compiled(head).run(x) for x in inputs]
    lowering.run_at_once(
        function,
        inputs,
        expected,
        rounds=10,
        start=lambda index: use(function, 2 + index % 2),
    )


@pytest.mark.parametrize("head", CALLED, ids=Head.label)
def test_callers_in_a_parallel_region(compiled, head):
    """Each thread of the region computes its own, alone."""
    function = compiled(head, OPENMP)
    inputs = [lowering.random_features(head, 2, seed=i) for i in range(3)]
    expected = [compiled(head).run(x) for x in inputs]
    results = {}

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def body(_):
        index = function.library.omp_get_thread_num()
        results[index] = function.run(inputs[index])

    use(function, 3)
    # What GCC makes of a parallel region; LLVM's runtime has it too.
    function.library.GOMP_parallel(body, None, ctypes.c_uint(3), ctypes.c_uint(0))
    assert results, "nothing ran"
    for index, result in results.items():
        assert lowering.same_bits(result, expected[index]), index
