# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operations across lanes, one by one, against what the ISA manuals say of them.

Each is a kernel of one block, in which lane i gives 100 + i and stores what it
gets.
"""

import numpy as np
import pytest
from emulator import FAILURE

NVPTX = """
target triple = "nvptx64-nvidia-cuda"
define ptx_kernel void @k(ptr %y) #0 {{
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %v = add i32 %lane, 100
{body}
  %p = getelementptr i32, ptr %y, i32 %t
  store i32 %r, ptr %p, align 4
  ret void
}}
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
{declare}
attributes #0 = {{ "nvvm.reqntid"="{threads},1,1" "target-cpu"="sm_80" }}
"""
AMDGPU = """
target triple = "amdgcn-amd-amdhsa"
define amdgpu_kernel void @k(ptr %y) #0 !reqd_work_group_size !0 {{
  %t = call i32 @llvm.amdgcn.workitem.id.x()
  %below = call i32 @llvm.amdgcn.mbcnt.lo(i32 -1, i32 100)
  %v = call i32 @llvm.amdgcn.mbcnt.hi(i32 -1, i32 %below)
{body}
  %p = getelementptr i32, ptr %y, i32 %t
  store i32 %r, ptr %p, align 4
  ret void
}}
declare i32 @llvm.amdgcn.workitem.id.x()
declare i32 @llvm.amdgcn.mbcnt.lo(i32, i32)
declare i32 @llvm.amdgcn.mbcnt.hi(i32, i32)
{declare}
attributes #0 = {{ "target-cpu"="{chip}" }}
!0 = !{{i32 {threads}, i32 1, i32 1}}
"""


def run(build, ir, kind, threads, **options):
    emulator = build.from_ir(ir, kind, lambda: ir)
    if kind == "cuda":
        # Not all of this is for the chip, and the back end is not what is tested.
        emulator.image = b".version 8.0\n.target sm_80\n.visible .entry k(\n"
    result = emulator.run(
        [np.zeros(threads, np.int32)], [("k", 1, threads, [0])], **options
    )
    return result


def check(build, ir, kind, expected):
    result = run(build, ir, kind, len(expected), seed=4)
    assert result.code == 0, result.message
    assert result.buffers[0].tolist() == list(expected)


def nvptx(name, args, result="i32", threads=64):
    """A kernel whose result is what an intrinsic gives."""
    kinds = ", ".join(a.split()[0] for a in args)
    call = f"call {result} @llvm.nvvm.{name}({', '.join(args)})"
    if result == "i32":
        body = f"  %r = {call}"
    else:
        # What the predicate says is 1000 more.
        body = f"""  %pair = {call}
  %got = extractvalue {result} %pair, 0
  %in = extractvalue {result} %pair, 1
  %more = select i1 %in, i32 1000, i32 0
  %r = add i32 %got, %more"""
    return NVPTX.format(
        body=body,
        declare=f"declare {result} @llvm.nvvm.{name}({kinds})",
        threads=threads,
    )


def per_warp(function, warp=32, threads=64):
    """A result for each lane, by a function of its number."""
    return [function(t % warp) for t in range(threads)]


# Mode, b, c and what lane i gets, as the pseudocode in the PTX ISA has it. c is
# the clamp, and the mask of segments from bit 8.
WIDTH8 = (32 - 8) << 8
SHUFFLES = [
    ("bfly", 1, 31, lambda i: (i ^ 1, True)),
    ("bfly", 16, 31, lambda i: (i ^ 16, True)),
    ("bfly", 8, 7 | WIDTH8, lambda i: (i ^ 8, True) if i & 8 else (i, False)),
    ("down", 3, 31, lambda i: (i + 3, True) if i < 29 else (i, False)),
    ("down", 3, 7 | WIDTH8, lambda i: (i + 3, True) if i % 8 < 5 else (i, False)),
    ("up", 3, 0, lambda i: (i - 3, True) if i >= 3 else (i, False)),
    ("up", 3, WIDTH8, lambda i: (i - 3, True) if i % 8 >= 3 else (i, False)),
    ("idx", 5, 31, lambda i: (5, True)),
    ("idx", 13, 7 | WIDTH8, lambda i: (i // 8 * 8 + 5, True)),
]


@pytest.mark.parametrize("case", SHUFFLES, ids=lambda c: f"{c[0]}-{c[1]}-{c[2]}")
def test_shuffles(build, case):
    mode, b, c, source = case
    args = ["i32 -1", "i32 %v", f"i32 {b}", f"i32 {c}"]
    plain = nvptx(f"shfl.sync.{mode}.i32", args)
    check(build, plain, "cuda", per_warp(lambda i: 100 + source(i)[0]))
    pair = nvptx(f"shfl.sync.{mode}.i32p", args, "{ i32, i1 }")
    check(
        build,
        pair,
        "cuda",
        per_warp(lambda i: 100 + source(i)[0] + 1000 * source(i)[1]),
    )


REDUCTIONS = [
    ("add", sum(range(100, 132))),
    ("umin", 100),
    ("umax", 131),
    ("min", 100),
    ("max", 131),
    ("and", 100 & 96),
    ("or", 127 | 128),
    ("xor", 0),
]


@pytest.mark.parametrize("name,expected", REDUCTIONS)
def test_redux(build, name, expected):
    ir = nvptx(f"redux.sync.{name}", ["i32 %v", "i32 -1"])
    if name == "and":
        expected = int(np.bitwise_and.reduce(np.arange(100, 132)))
    if name == "or":
        expected = int(np.bitwise_or.reduce(np.arange(100, 132)))
    check(build, ir, "cuda", [expected] * 64)


def test_mask_that_does_not_name_a_lane(build):
    ir = nvptx("shfl.sync.bfly.i32", ["i32 65535", "i32 %v", "i32 1", "i32 31"])
    result = run(build, ir, "cuda", 64)
    assert result.code == FAILURE
    assert "whose mask does not name it" in result.message


def test_lane_that_is_not_there(build):
    """Of a sub-group that the block does not fill."""
    args = ["i32 -1", "i32 %v", "i32 16", "i32 31"]
    ir = nvptx("shfl.sync.bfly.i32", args, threads=40)
    result = run(build, ir, "cuda", 40)
    assert result.code == FAILURE
    assert "takes no part" in result.message


def amdgpu(name, args, chip="gfx90a", body=None, threads=64, result="i32"):
    kinds = ", ".join(a.split()[0] for a in args)
    call = f"call {result} @llvm.amdgcn.{name}({', '.join(args)})"
    return AMDGPU.format(
        body=body.format(call=call) if body else f"  %r = {call}",
        declare=f"declare {result} @llvm.amdgcn.{name}({kinds})",
        chip=chip,
        threads=threads,
    )


def dpp(control, rows=15, banks=15, bound="true", chip="gfx90a"):
    args = ["i32 7", "i32 %v", f"i32 {control}", f"i32 {rows}", f"i32 {banks}"]
    return amdgpu("update.dpp.i32", [*args, f"i1 {bound}"], chip)


def in_row(function):
    """From the place in a row of 16 to the lane."""
    return lambda i: (
        None if function(i % 16) is None else i // 16 * 16 + function(i % 16)
    )


# Control, chip, and the lane that lane i reads, or None.
CONTROLS = {
    "quad_perm": (0b00011011, "gfx90a", lambda i: i // 4 * 4 + 3 - i % 4),
    "row_shl:3": (0x103, "gfx90a", in_row(lambda i: i + 3 if i < 13 else None)),
    "row_shr:3": (0x113, "gfx90a", in_row(lambda i: i - 3 if i >= 3 else None)),
    "row_ror:3": (0x123, "gfx90a", in_row(lambda i: (i - 3) % 16)),
    "wave_shl:1": (0x130, "gfx90a", lambda i: i + 1 if i < 63 else None),
    "wave_rol:1": (0x134, "gfx90a", lambda i: (i + 1) % 64),
    "wave_shr:1": (0x138, "gfx90a", lambda i: i - 1 if i else None),
    "wave_ror:1": (0x13C, "gfx90a", lambda i: (i - 1) % 64),
    "row_mirror": (0x140, "gfx90a", in_row(lambda i: 15 - i)),
    "row_half_mirror": (0x141, "gfx90a", lambda i: i // 8 * 8 + 7 - i % 8),
    "row_bcast:15": (0x142, "gfx90a", lambda i: i // 16 * 16 - 1 if i > 15 else None),
    "row_bcast:31": (0x143, "gfx90a", lambda i: 31 if i > 31 else None),
    "row_share:5": (0x155, "gfx1100", in_row(lambda i: 5)),
    "row_xmask:6": (0x166, "gfx1100", in_row(lambda i: i ^ 6)),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_dpp(build, name):
    control, chip, source = CONTROLS[name]
    warp = 64 if chip == "gfx90a" else 32

    def got(t, other):
        lane = source(t % warp)
        return other if lane is None else 100 + lane

    for bound, other in (("true", 0), ("false", 7)):
        ir = dpp(control, bound=bound, chip=chip)
        check(build, ir, "hip", [got(t, other) for t in range(64)])
    # Only rows 1 and 3, and in these only banks 0 and 2.
    ir = dpp(control, rows=10, banks=5, chip=chip)
    check(
        build,
        ir,
        "hip",
        [got(t, 0) if t % warp // 16 % 2 and t // 4 % 2 == 0 else 7 for t in range(64)],
    )


def test_unknown_dpp_control(build):
    ir = dpp(0x170)
    emulator = build.from_ir(ir, "hip", lambda: ir)
    # The back end does not know it either: an image of another kernel's.
    emulator.image = build.from_ir(dpp(0x140), "hip", lambda: dpp(0x140)).get_image()
    result = run(build, ir, "hip", 64)
    assert result.code == FAILURE
    assert "DPP control 368" in result.message


def test_permlanes(build):
    low, high = 0x76543210, 0x01234567
    lanes = [0, 1, 2, 3, 4, 5, 6, 7, 7, 6, 5, 4, 3, 2, 1, 0]
    args = ["i32 7", "i32 %v", f"i32 {low}", f"i32 {high}", "i1 true", "i1 false"]
    for name, cross in (("permlane16", 0), ("permlanex16", 16)):
        ir = amdgpu(f"{name}.i32", args, "gfx1100")
        check(
            build,
            ir,
            "hip",
            [100 + (t % 32 // 16 * 16 ^ cross) + lanes[t % 16] for t in range(64)],
        )


def test_swaps(build):
    """Odd rows of the first and even rows of the second change places."""
    args = ["i32 %v", "i32 %w", "i1 false", "i1 false"]
    for rows in (16, 32):
        for part in (0, 1):
            ir = amdgpu(
                f"permlane{rows}.swap",
                args,
                "gfx950",
                body="  %w = add i32 %v, 1000\n  %two = {call}\n"
                f"  %r = extractvalue {{{{ i32, i32 }}}} %two, {part}",
                result="{ i32, i32 }",
            )

            def got(t, rows=rows, part=part):
                odd = t // rows % 2
                if part == 0:
                    return 100 + t if not odd else 1100 + t - rows
                return 1100 + t if odd else 100 + t + rows

            check(build, ir, "hip", [got(t) for t in range(64)])


def test_reads(build):
    ir = amdgpu("readlane.i32", ["i32 %v", "i32 37"])
    check(build, ir, "hip", [137] * 64)
    ir = amdgpu("readfirstlane.i32", ["i32 %v"], "gfx1100")
    check(build, ir, "hip", [100] * 64)
    ir = amdgpu("wavefrontsize", [], "gfx1100")
    check(build, ir, "hip", [32] * 64)


def test_packet(build):
    """Threads of the whole grid, and of a block."""
    body = """  %q = {call}
  %qx = getelementptr i8, ptr addrspace(4) %q, i64 12
  %grid = load i32, ptr addrspace(4) %qx, align 4
  %qb = getelementptr i8, ptr addrspace(4) %q, i64 4
  %half = load i16, ptr addrspace(4) %qb, align 2
  %block = zext i16 %half to i32
  %scaled = mul i32 %block, 1000
  %r = add i32 %scaled, %grid"""
    ir = amdgpu("dispatch.ptr", [], body=body, result="ptr addrspace(4)")
    emulator = build.from_ir(ir, "hip", lambda: ir)
    result = emulator.run([np.zeros(64, np.int32)], [("k", 1, 64, [0])])
    assert result.code == 0, result.message
    assert result.buffers[0].tolist() == [64064] * 64


def test_readlane_beyond(build):
    result = run(
        build, amdgpu("readlane.i32", ["i32 %v", "i32 37"], "gfx1100"), "hip", 64
    )
    assert result.code == FAILURE
    assert "reads lane 37, which its sub-group has not" in result.message


def test_bpermute(build):
    body = "  %other = xor i32 %v, 77\n  %byte = shl i32 %other, 2\n  %r = {call}"
    ir = amdgpu("ds.bpermute", ["i32 %byte", "i32 %v"], body=body)
    check(build, ir, "hip", [100 + ((100 + t) ^ 77) % 64 for t in range(64)])


# Pattern, and the lane that lane i of 32 reads.
SWIZZLES = {
    "and-or-xor": (0b00101_00010_11000, lambda i: ((i & 24) | 2) ^ 5),
    "broadcast 31": (0x3E0, lambda i: 31),
    "quads": (0x8000 | 0b00011011, lambda i: i // 4 * 4 + 3 - i % 4),
}


@pytest.mark.parametrize("name", SWIZZLES)
def test_swizzle(build, name):
    pattern, source = SWIZZLES[name]
    ir = amdgpu("ds.swizzle", ["i32 %v", f"i32 {pattern}"])
    check(build, ir, "hip", [100 + t // 32 * 32 + source(t % 32) for t in range(64)])
