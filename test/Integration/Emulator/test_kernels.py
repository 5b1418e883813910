# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels that are right give what they have to, in whatever order threads and
blocks run, and wherever allocations lie.
"""

import kernels
import numpy as np
import pytest


@pytest.mark.parametrize("kernel", kernels.CASES)
def test_results(build, chip, kernel):
    emulator = build(chip)
    buffers, launch, right = kernels.get_case(kernel, kernels.TARGETS[chip][1])
    results = emulator.run_schedules(buffers, [launch])
    assert [r.message for r in results] == [""] * len(results)
    assert {r.code for r in results} == {0}
    for number, expected in right.items():
        found = [r.buffers[number] for r in results]
        # Sums of up to 1000 numbers below one, in any order.
        np.testing.assert_allclose(found[0], expected, rtol=1e-6)
        assert len({f.tobytes() for f in found}) == 1


def test_inputs_stay(build, chip):
    emulator = build(chip)
    buffers, launch, _ = kernels.get_case("pool_staged", kernels.TARGETS[chip][1])
    result = emulator.run(buffers, [launch])
    assert np.array_equal(result.buffers[0], buffers[0])


def test_launches_follow_each_other(build, chip):
    """What a launch wrote, the next one reads: no race."""
    emulator = build(chip)
    size = kernels.TARGETS[chip][1]
    buffers, first, right = kernels.get_case("pool_staged", size)
    pooled = buffers[1].size
    buffers.append(np.zeros(pooled // 49, np.float32))
    args = [1, np.int64(pooled // 49), 2, np.float32(1 / 49)]
    second = ("pool_subgroup", 2, 256, args)
    result = emulator.run(buffers, [first, second, second])
    assert result.code == 0, result.message
    rows = right[1][: pooled // 49 * 49].reshape(-1, 49)
    np.testing.assert_allclose(result.buffers[2], rows.mean(1), rtol=1e-6)
