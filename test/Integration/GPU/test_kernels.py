# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels alone, on the emulator: blocks and grids of other sizes than heads have,
and kernels with a mistake in them, which have to be caught. Otherwise nothing would
say that the tests of whole heads could fail.
"""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import device
import headopt
from emulator import FAILURE, SCHEDULES, Emulator

COMPILE = Path(headopt.TOOL).parent / "headopt-compile-device"
KINDS = {"cuda:sm_80": "cuda", "rocm:gfx90a": "hip", "rocm:gfx1100": "hip"}
SUBGROUPS = {"cuda:sm_80": 32, "rocm:gfx90a": 64, "rocm:gfx1100": 32}

# A mean over the last axis of RxL, or over the middle one of 1xLxC.
REDUCTION = """
func.func @f(%x: tensor<{input}xf32>) -> tensor<{output}xf32> {{
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<{output}xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<{output}xf32>)
      -> tensor<{output}xf32>
  %sum = linalg.generic {{indexing_maps = [affine_map<{loops} -> {loops}>,
      affine_map<{loops} -> {kept}>], iterator_types = [{kinds}]}}
      ins(%x : tensor<{input}xf32>) outs(%zeros : tensor<{output}xf32>) {{
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  }} -> tensor<{output}xf32>
  return %sum : tensor<{output}xf32>
}}
"""


def sum_rows(rows, length):
    return REDUCTION.format(
        input=f"{rows}x{length}",
        output=str(rows),
        loops="(i, j)",
        kept="(i)",
        kinds='"parallel", "reduction"',
    )


def sum_columns(maps, length, columns):
    return REDUCTION.format(
        input=f"{maps}x{length}x{columns}",
        output=f"{maps}x{columns}",
        loops="(n, i, j)",
        kept="(n, j)",
        kinds='"parallel", "reduction", "parallel"',
    )


class Kernels:
    """What a function's work becomes: device code, buffers, launches."""

    def __init__(self, text, target, folder, aligned=True, **options):
        source = folder / "f.mlir"
        source.write_text(text)
        options.setdefault("subgroup_size", SUBGROUPS[target])
        spelled = " ".join(
            f"{name.replace('_', '-')}={value}"
            for name, value in options.items()
        )
        self.kind = KINDS[target]
        mapped = self.run(
            headopt.TOOL, source, f"--map-head-to-gpu={spelled}", "-o", "-"
        )
        kernels = folder / "kernels.mlir"
        kernels.write_text(mapped)
        self.ir = self.run(COMPILE, kernels, target, "llvm")
        self.folder = folder
        self.read_host(mapped.split("gpu.module")[0], aligned)

    @staticmethod
    def run(*command):
        done = subprocess.run(
            [str(c) for c in command],
            capture_output=True,
            text=True,
            timeout=device.TIME_LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stderr[:2000]
        return done.stdout

    def read_host(self, host, aligned):
        """The launches of the branch for memory that is aligned, or is not."""
        if "} else {" in host:
            first, second = host.split("} else {")
            before = first[: first.index("scf.if")]
            chosen = first[first.index("scf.if") :] if aligned else second
            host = before + chosen
        buffers, self.sizes = {}, []
        for name, op, extent in re.findall(
            r"(%\w+) = (bufferization\.to_buffer|memref\.alloc).*memref<(\d+)x",
            host,
        ):
            buffers[name] = len(self.sizes)
            self.sizes.append(int(extent))
        for name, source in re.findall(
            r"(%\w+) = builtin\.unrealized_conversion_cast (%\w+)", host
        ):
            buffers[name] = buffers[source]
        self.launches = []
        for kernel, blocks, threads, args in re.findall(
            r"gpu\.launch_func\s+@\w+::@(\w+) blocks in \(%c(\d+)\w*, .*?"
            r"threads in \(%c(\d+)\w*, .*?args\((.*?)\)",
            host,
        ):
            names = [arg.split(":")[0].strip() for arg in args.split(", ")]
            self.launches.append(
                (kernel, int(blocks), int(threads), [buffers[n] for n in names])
            )
        assert self.launches, host

    def compute(self, values, ir=None, schedules=SCHEDULES[:1], shift=0):
        """The results of the kernels for each schedule."""
        buffers = [np.full(size, np.nan, np.float32) for size in self.sizes]
        buffers[0] = np.concatenate(
            [np.zeros(shift // 4, np.float32), values.astype(np.float32).ravel()]
        )
        launches = self.launches
        if shift:
            launches = [
                (k, b, t, [("offset", a, shift) if a == 0 else a for a in args])
                for k, b, t, args in launches
            ]
        emulator = Emulator(ir or self.ir, self.kind, self.folder)
        return emulator.run_schedules(buffers, launches, schedules)


def output_of(result):
    """The result's buffer, of one run or of the only one of several."""
    if isinstance(result, list):
        (result,) = result
    assert result.code == 0, result.message
    return result.buffers[1]


@pytest.mark.parametrize("threads", (32, 64, 96, 160, 256))
@pytest.mark.parametrize("target", KINDS)
def test_one_in_every_place(tmp_path, target, threads):
    """D17: a 1 at each position in turn; the block's kernel, which begins at rows
    of more than 1024, with one to eight sub-groups, three and five among them.
    """
    if threads % SUBGROUPS[target]:
        pytest.skip("no multiple of the sub-group")
    for length in (1025, 1024 + threads - 1, 1024 + threads + 1):
        kernels = Kernels(
            sum_rows(length, length), target, tmp_path, block_threads=threads
        )
        assert kernels.launches[0][2] == threads
        got = output_of(kernels.compute(np.eye(length)))[:length]
        assert (got == 1).all()


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("length", (31, 32, 33, 49, 63, 64, 65, 95, 97, 160, 257))
def test_one_in_every_place_of_short_rows(tmp_path, target, length):
    kernels = Kernels(sum_rows(length, length), target, tmp_path)
    got = output_of(kernels.compute(np.eye(length)))[:length]
    assert (got == 1).all()


@pytest.mark.parametrize("threads", (32, 96, 256))
@pytest.mark.parametrize("target", KINDS)
def test_one_in_every_place_of_columns(tmp_path, target, threads):
    if threads % SUBGROUPS[target]:
        pytest.skip("no multiple of the sub-group")
    for columns in (3, 30, 33):
        kernels = Kernels(
            sum_columns(49, 49, columns), target, tmp_path, block_threads=threads
        )
        values = np.repeat(np.eye(49)[:, :, None], columns, axis=2)
        assert (output_of(kernels.compute(values))[: 49 * columns] == 1).all()


# Kernels that use shared memory, with blocks that do several tasks each.
SHARED = {
    "blocks": sum_rows(5, 1100),
    "pieces": sum_rows(2, 17000),
    # Enough tasks that LLVM keeps their loop, whose last barrier is for the next.
    "columns": sum_columns(40, 50, 5),
}
BARRIERS = (
    r"^.*call void @llvm\.nvvm\.barrier[^\n]*\n"
    r"|^.*call void @llvm\.amdgcn\.s\.barrier[^\n]*\n"
)


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("target", KINDS)
def test_barriers(tmp_path, target, name):
    """D18: with one or two blocks for all tasks, shared memory is used again and
    again. All orders give the same bits, and no barrier can be left out.
    """
    for blocks in (1, 2):
        kernels = Kernels(
            SHARED[name],
            target,
            tmp_path,
            aligned=False,
            block_threads=128,
            max_blocks=blocks,
        )
        values = np.random.default_rng(3).uniform(-1, 1, kernels.sizes[0])
        results = kernels.compute(values, schedules=SCHEDULES)
        bits = {output_of(result).tobytes() for result in results}
        assert len(bits) == 1
    # Only kernels of the launches: others are for aligned memory.
    used = {launch[0] for launch in kernels.launches}
    removed = 0
    for found in re.finditer(BARRIERS, kernels.ir, re.MULTILINE):
        before = kernels.ir[: found.start()]
        function = re.findall(r"^define .*?@(\w+)\(", before, re.MULTILINE)[-1]
        if function not in used:
            continue
        broken = before + kernels.ir[found.end() :]
        results = kernels.compute(values, broken, SCHEDULES[:6])
        assert any(result.code == FAILURE for result in results), (
            f"{function}: barrier {removed} is missed by nobody"
        )
        removed += 1
    assert removed >= 2


@pytest.mark.parametrize("target", KINDS)
def test_misaligned_vectors(tmp_path, target):
    """The kernel for aligned memory reads 16 bytes at once; on other memory that
    is caught, and the kernel that the host picks for it is right, and adds in the
    same order.
    """
    text, values = sum_rows(6, 64), np.arange(6 * 64) % 5
    (tmp_path / "wide").mkdir()
    (tmp_path / "narrow").mkdir()
    wide = Kernels(text, target, tmp_path / "wide")
    narrow = Kernels(text, target, tmp_path / "narrow", aligned=False)
    wanted = values.reshape(6, 64).sum(1)
    assert (output_of(wide.compute(values))[:6] == wanted).all()
    assert wide.compute(values, shift=4)[0].code == FAILURE
    assert (output_of(narrow.compute(values, shift=4))[:6] == wanted).all()
    uneven = np.random.default_rng(5).standard_normal(6 * 64)
    assert (
        output_of(narrow.compute(uneven, shift=4))[:6].tobytes()
        == output_of(wide.compute(uneven))[:6].tobytes()
    )


@pytest.mark.parametrize(
    "text, shape",
    [
        (sum_rows(2, 1100), (2, 1100)),
        (sum_rows(2, 17000), (2, 17000)),
        (sum_columns(2, 50, 8), (2, 50, 8)),
    ],
    ids=("blocks", "pieces", "columns"),
)
def test_memory_does_not_change_bits(tmp_path, text, shape):
    values = np.random.default_rng(6).standard_normal(shape)
    wide = Kernels(text, "cuda:sm_80", tmp_path)
    narrow = Kernels(text, "cuda:sm_80", tmp_path, aligned=False)
    assert {launch[0] for launch in wide.launches}.isdisjoint(
        launch[0] for launch in narrow.launches
    )
    results = [wide.compute(values), narrow.compute(values, shift=4)]
    # Buffers of the kernels that did not run are among them, too.
    used = [
        [r.tobytes() for r in result[0].buffers[1:] if not np.isnan(r).all()]
        for result in results
    ]
    assert all(result[0].code == 0 for result in results)
    assert used[0] == used[1] and used[0]
