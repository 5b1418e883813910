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
from headopt import BF16, F16, F32

COMPILE = Path(headopt.TOOL).parent / "headopt-compile-device"
KINDS = {"cuda:sm_80": "cuda", "rocm:gfx90a": "hip", "rocm:gfx1100": "hip"}
SUBGROUPS = {"cuda:sm_80": 32, "rocm:gfx90a": 64, "rocm:gfx1100": 32}
TYPES = (F32, F16, BF16)
NUMPY = {type_.name: type_.numpy for type_ in TYPES}
# At the end of its allocation, behind which nothing can be read.
AT_END = [{"seed": 0, "guard": "end"}]

# A sum over the last axis of RxL, or over the middle one of 1xLxC.
REDUCTION = """
func.func @f(%x: tensor<{input}x{type}>) -> tensor<{output}xf32> {{
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<{output}xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<{output}xf32>)
      -> tensor<{output}xf32>
  %sum = linalg.generic {{indexing_maps = [affine_map<{loops} -> {loops}>,
      affine_map<{loops} -> {kept}>], iterator_types = [{kinds}]}}
      ins(%x : tensor<{input}x{type}>) outs(%zeros : tensor<{output}xf32>) {{
  ^bb0(%a: {type}, %s: f32):
    {widen}
    %r = arith.addf %s, {number} : f32
    linalg.yield %r : f32
  }} -> tensor<{output}xf32>
  return %sum : tensor<{output}xf32>
}}
"""


def reduction(type_, **fields):
    widen, number = "", "%a"
    if type_ is not F32:
        widen, number = f"%w = arith.extf %a : {type_.name} to f32", "%w"
    return REDUCTION.format(type=type_.name, widen=widen, number=number, **fields)


def sum_rows(rows, length, type_=F32):
    return reduction(
        type_,
        input=f"{rows}x{length}",
        output=str(rows),
        loops="(i, j)",
        kept="(i)",
        kinds='"parallel", "reduction"',
    )


def sum_columns(maps, length, columns, type_=F32):
    return reduction(
        type_,
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
        buffers, self.sizes, self.types = {}, [], []
        for name, op, extent, element in re.findall(
            r"(%\w+) = (bufferization\.to_buffer|memref\.alloc).*memref<(\d+)x(\w+)>",
            host,
        ):
            buffers[name] = len(self.sizes)
            self.sizes.append(int(extent))
            self.types.append(NUMPY[element])
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
        buffers = [
            np.full(size, np.nan, type_)
            for size, type_ in zip(self.sizes, self.types)
        ]
        type_ = np.dtype(self.types[0])
        buffers[0] = np.concatenate(
            [np.zeros(shift // type_.itemsize, type_), values.astype(type_).ravel()]
        ).view(f"u{type_.itemsize}")
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


@pytest.mark.parametrize("threads", (32, 64, 96, 256, 1024))
@pytest.mark.parametrize("target", KINDS)
def test_one_in_every_place(tmp_path, target, threads):
    """D17: a 1 at each position in turn; the block's kernel, which begins at rows
    of more than 1024, with one to eight sub-groups: at most as many threads as are
    allowed, rounded down, and no more than have eight accesses each, rounded up.
    """
    if threads % SUBGROUPS[target]:
        pytest.skip("no multiple of the sub-group")
    of_block = {96: 64, 1024: 256}.get(threads, threads)
    for length in (1025, 1024 + of_block - 1, 1024 + of_block + 1):
        kernels = Kernels(
            sum_rows(length, length), target, tmp_path, block_threads=threads
        )
        assert kernels.launches[0][2] == of_block
        got = output_of(kernels.compute(np.eye(length)))[:length]
        assert (got == 1).all()


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("length", (32, 64, 129, 160, 257))
def test_one_in_every_place_of_short_rows(tmp_path, target, length):
    """Rows that are read where they are: they start at multiples of 16 bytes, or all
    lanes of a sub-group have to do with one.
    """
    kernels = Kernels(sum_rows(length, length), target, tmp_path)
    got = output_of(kernels.compute(np.eye(length)))[:length]
    assert (got == 1).all()


def get_staged(target, element):
    """Lengths of rows that go through shared memory, up to the longest one."""
    # Eight elements for each lane, and 128 bytes for all, are too many.
    longest = 8 * 64 // element - 1
    if 128 // element > SUBGROUPS[target]:
        longest = 1023
    return 1, 7, 49, longest


def round_up(number, unit):
    return -(-number // unit) * unit


@pytest.mark.parametrize("type_", TYPES, ids=lambda t: t.name)
@pytest.mark.parametrize("target", KINDS)
def test_one_in_every_place_of_staged_rows(tmp_path, target, type_):
    """In whole tiles, and with one row behind them, which is read where it is."""
    element = np.dtype(type_.numpy).itemsize
    for length in get_staged(target, element):
        lanes, of_tile = device.staged(length, element, SUBGROUPS[target])
        tiles = -(-length // of_tile)
        for blocks, rows in ((tiles, tiles * of_tile), (tiles + 1, tiles * of_tile + 1)):
            kernels = Kernels(sum_rows(rows, length, type_), target, tmp_path)
            (launch,) = kernels.launches
            assert launch[1:3] == (blocks, lanes * of_tile), length
            # The features are there twice.
            assert launch[3] == ([0, 1] if rows % of_tile == 0 else [0, 0, 1])
            ones = np.eye(length)[np.arange(rows) % length]
            got = output_of(kernels.compute(ones, schedules=AT_END))[:rows]
            assert (got == 1).all(), (length, rows)


@pytest.mark.parametrize("type_", TYPES, ids=lambda t: t.name)
@pytest.mark.parametrize("target", KINDS)
def test_tiles_do_not_change_bits(tmp_path, target, type_):
    """A row has the same bits in a whole tile, in a part of one, and in memory that
    starts anywhere.
    """
    element = np.dtype(type_.numpy).itemsize
    for length in get_staged(target, element)[2:]:
        _, of_tile = device.staged(length, element, SUBGROUPS[target])
        rows = 2 * of_tile
        random = np.random.default_rng(7)
        # So far apart that sums of halves in f32 are rounded, too.
        scale = np.exp2(random.integers(-12, 13, (rows, length)))
        values = random.uniform(-1, 1, (rows, length)) * scale
        whole = Kernels(sum_rows(rows, length, type_), target, tmp_path)
        wanted = output_of(whole.compute(values))
        # No sum may be what it is by chance.
        assert len(np.unique(wanted)) == rows
        text = sum_rows(rows - 1, length, type_)
        for aligned, shift in ((True, 0), (False, 0), (False, element)):
            kernels = Kernels(text, target, tmp_path, aligned)
            got = output_of(kernels.compute(values[1:], shift=shift))
            assert got.tobytes() == wanted[1:].tobytes(), (length, aligned, shift)


@pytest.mark.parametrize("threads", (32, 96, 256))
@pytest.mark.parametrize("target", KINDS)
def test_one_in_every_place_of_columns(tmp_path, target, threads):
    """A block has up to 16 accesses beside each other: 3, 16 and 14, 16 and 16 and 1;
    four numbers each in the last case.
    """
    if threads % SUBGROUPS[target]:
        pytest.skip("no multiple of the sub-group")
    for columns, blocks in ((3, 1), (30, 2), (33, 3), (68, 2)):
        kernels = Kernels(
            sum_columns(49, 49, columns), target, tmp_path, block_threads=threads
        )
        assert kernels.launches[0][1] == 49 * blocks
        values = np.repeat(np.eye(49)[:, :, None], columns, axis=2)
        (result,) = kernels.compute(values, schedules=AT_END)
        assert (output_of(result)[: 49 * columns] == 1).all()


@pytest.mark.parametrize(
    "height, columns, type_",
    [(1028, 3, F32), (1030, 6, F32), (1032, 3, F16), (2048, 5, BF16), (2056, 5, F16)],
)
@pytest.mark.parametrize("target", KINDS)
def test_rows_that_are_put_together(tmp_path, target, height, columns, type_):
    """As many as are a multiple of 16 bytes, to one piece or to two. Whole numbers,
    of which each row has others.
    """
    values = np.random.default_rng(8).integers(-99, 99, (3, height, columns))
    text = sum_columns(3, height, columns, type_)
    for aligned in (True, False):
        kernels = Kernels(text, target, tmp_path, aligned)
        assert len(kernels.launches) == 2
        shift = 0 if aligned else np.dtype(type_.numpy).itemsize
        (result,) = kernels.compute(values, shift=shift, schedules=AT_END)
        got = output_of(result)[: 3 * columns].reshape(3, columns)
        assert (got == values.sum(1)).all(), aligned


# Kernels that use shared memory, with blocks of 128 threads that do several tasks
# each, and how they read: eight elements for each thread are 1024, or four times that
# where there are several in an access.
SHARED = {
    "rows": (sum_rows(100, 49), True),
    "halves": (sum_rows(200, 49, F16), True),
    "blocks": (sum_rows(5, 2101), False),
    "pieces": (sum_rows(2, 66000), False),
    # Enough tasks that LLVM keeps their loop, whose last barrier is for the next.
    "columns": (sum_columns(40, 50, 5), False),
    "high columns": (sum_columns(20, 1028, 3), True),
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
    text, aligned = SHARED[name]
    for blocks in (1, 2):
        kernels = Kernels(
            text,
            target,
            tmp_path,
            aligned,
            block_threads=128,
            max_blocks=blocks,
        )
        values = np.random.default_rng(3).uniform(-1, 1, kernels.sizes[0])
        results = kernels.compute(values, schedules=SCHEDULES)
        bits = {output_of(result).tobytes() for result in results}
        assert len(bits) == 1
    # Only kernels of the launches: others are for memory elsewhere.
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
        (sum_rows(2, 66000), (2, 66000)),
        (sum_columns(2, 50, 8), (2, 50, 8)),
        (sum_columns(2, 1028, 3), (2, 1028, 3)),
    ],
    ids=("blocks", "pieces", "columns", "columns together"),
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
