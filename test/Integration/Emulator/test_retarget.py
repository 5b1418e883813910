# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Device IR that retarget.py takes in every form that it can have, and IR that
it refuses: what it does not know is an error that names it.
"""

import subprocess
import sys

import kernels
import numpy as np
import pytest
from emulator import FAILURE

RETARGET = kernels.EMULATOR / "retarget.py"
KERNEL = """
target triple = "{triple}"
{before}
define {cc} void @k(ptr %x, ptr %y, i32 %n) #0 {{
{body}
  ret void
}}
{declare}
attributes #0 = {{ "target-cpu"="{chip}" }}
"""


def make(body, declare="", before="", amd=False):
    return KERNEL.format(
        body=body,
        declare=declare,
        before=before,
        triple="amdgcn-amd-amdhsa" if amd else "nvptx64-nvidia-cuda",
        cc="amdgpu_kernel" if amd else "ptx_kernel",
        chip="gfx90a" if amd else "sm_80",
    )


REFUSED = {
    "intrinsic": (
        make(
            "  %v = call i1 @llvm.nvvm.vote.all.sync(i32 -1, i1 true)",
            "declare i1 @llvm.nvvm.vote.all.sync(i32, i1)",
        ),
        ":5: intrinsic 'llvm.nvvm.vote.all.sync' is not one the emulator knows",
    ),
    "generic intrinsic": (
        make(
            "  %v = call float @llvm.exp2.f32(float 1.0)",
            "declare float @llvm.exp2.f32(float)",
        ),
        ":5: intrinsic 'llvm.exp2.f32' is not one the emulator knows",
    ),
    "device library": (
        make(
            "  %v = call float @__nv_expf(float 1.0)",
            "declare float @__nv_expf(float)",
        ),
        ":5: calls '__nv_expf', which is not defined here",
    ),
    "implicit arguments": (
        make(
            "  %p = call ptr addrspace(4) @llvm.amdgcn.implicitarg.ptr()",
            "declare ptr addrspace(4) @llvm.amdgcn.implicitarg.ptr()",
            amd=True,
        ),
        ":5: intrinsic 'llvm.amdgcn.implicitarg.ptr' is not one the emulator",
    ),
    "atomics": (
        make("  %v = atomicrmw add ptr %y, i32 1 monotonic, align 4"),
        ":5: instruction 'atomicrmw' is not supported",
    ),
    "atomic load": (
        make("  %v = load atomic i32, ptr %y monotonic, align 4"),
        ":5: '%v = load atomic",
    ),
    "address as number": (
        make("  %v = ptrtoint ptr %y to i64"),
        ":5: '%v = ptrtoint ptr %y to i64': addresses as numbers",
    ),
    "dynamic shared memory": (
        make("", before="@s = external addrspace(3) global [0 x i8], align 16"),
        ":3: global '@s' is not supported",
    ),
    "too much shared memory": (
        make(
            "  store float 1.0, ptr addrspace(3) @s, align 4",
            before="@s = internal addrspace(3) global [13000 x float] undef",
        ),
        "kernel 'k' has 52000 bytes of shared memory, more than the 49152",
    ),
    "no kernel": ("define void @f() {\n  ret void\n}\n", "the IR has no kernel"),
}


def retarget(tmp_path, ir, *options):
    (tmp_path / "k.ll").write_text(ir)
    return subprocess.run(
        [
            sys.executable,
            RETARGET,
            tmp_path / "k.ll",
            "-o",
            tmp_path / "k.so",
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path, name):
    ir, message = REFUSED[name]
    done = retarget(tmp_path, ir)
    assert done.returncode == 1
    assert done.stderr.startswith(f"retarget.py: {tmp_path}/k.ll")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "k.so").exists()


@pytest.mark.parametrize("amd", [False, True])
def test_forms(build, amd):
    """Casts between address spaces, a private array, constants, pointers that
    are chosen, memory intrinsics, an old-style barrier, an assumption.
    """
    barrier = "llvm.amdgcn.s.barrier" if amd else "llvm.nvvm.barrier0"
    thread = "llvm.amdgcn.workitem.id.x" if amd else "llvm.nvvm.read.ptx.sreg.tid.x"
    private = 5 if amd else 0
    scope = "workgroup" if amd else "block"
    space = f" addrspace({private})" if private else ""
    body = f"""
  %t = call noundef range(i32 0, 64) i32 @{thread}(), !range !0
  %a = alloca [4 x i32], align 16{',' + space if space else ''}
  call void @llvm.lifetime.start.p{private}(ptr{space} %a)
  call void @llvm.assume(i1 true) [ "align"(ptr %x, i64 16) ]
  %small = icmp ult i32 %t, 64
  call void @llvm.assume(i1 %small)
  call void @llvm.memcpy.p{private}.p0.i64(ptr{space} align 16 %a, ptr align 16 %x, i64 16, i1 false)
  %which = and i32 %t, 3
  %p = getelementptr inbounds [4 x i32], ptr{space} %a, i32 0, i32 %which
  %mine = load i32, ptr{space} %p, align 4
  %x1 = addrspacecast ptr %x to ptr addrspace(1)
  %odd = trunc i32 %t to i1
  %other = getelementptr inbounds i32, ptr addrspace(1) %x1, i64 4
  %chosen = select i1 %odd, ptr addrspace(1) %other, ptr addrspace(1) %x1
  %wide = load <2 x i32>, ptr addrspace(1) %chosen, align 8, !invariant.load !1
  %first = extractelement <2 x i32> %wide, i64 0
  %c = getelementptr inbounds [4 x i32], ptr addrspace(4) @table, i32 0, i32 %which
  %entry = load i32, ptr addrspace(4) %c, align 4
  %s = getelementptr inbounds [64 x i32], ptr addrspace(3) @s, i32 0, i32 %t
  %sum = add nuw nsw i32 %mine, %first
  %all = add nuw nsw i32 %sum, %entry
  %generic = addrspacecast ptr addrspace(3) %s to ptr
  store i32 %all, ptr %generic, align 4
  fence syncscope("{scope}") release
  call void @{barrier}()
  fence syncscope("{scope}") acquire
  %u = xor i32 %t, 63
  %back = getelementptr inbounds [64 x i32], ptr addrspacecast (ptr addrspace(3) @s to ptr), i32 0, i32 %u
  %got = load i32, ptr %back, align 4
  %least = call i32 @llvm.umin.i32(i32 %got, i32 %n)
  switch i32 %which, label %end [
    i32 0, label %end
    i32 1, label %end
  ]

end:                                              ; preds = %0, %0, %0
  %q = getelementptr inbounds nuw i32, ptr %y, i32 %t
  store i32 %least, ptr %q, align 4"""
    declare = f"""declare i32 @{thread}()
declare void @{barrier}()
declare i32 @llvm.umin.i32(i32, i32)
declare void @llvm.assume(i1)
declare void @llvm.lifetime.start.p{private}(ptr{space})
declare void @llvm.memcpy.p{private}.p0.i64(ptr{space}, ptr, i64, i1 immarg)
!0 = !{{i32 0, i32 64}}
!1 = !{{}}"""
    before = """@s = internal unnamed_addr addrspace(3) global [64 x i32] undef, align 4
@table = internal unnamed_addr addrspace(4) constant [4 x i32] [i32 1000, i32 2000, i32 3000, i32 4000], align 4"""
    ir = make(body, declare, before, amd)
    kind = "hip" if amd else "cuda"
    emulator = build.from_ir(ir, kind, lambda: ir)
    x = np.array([1, 2, 3, 4, 10, 20, 30, 40], np.int32)
    y = np.zeros(64, np.int32)
    t = np.arange(64) ^ 63
    expected = x[t % 4] + np.where(t % 2, 10, 1) + 1000 * (t % 4 + 1)
    result = emulator.run([x, y], [("k", 1, 64, [0, 1, np.int32(4000)])])
    assert result.code == 0, result.message
    assert np.array_equal(result.buffers[1], np.minimum(expected, 4000))
    # The assumption about the alignment is held to.
    result = emulator.run([x, y], [("k", 1, 64, [("offset", 0, 8), 1, np.int32(1)])])
    assert result.code == FAILURE
    assert "assumes to be 16-byte aligned" in result.message
    # And so is a copy's length.
    result = emulator.run([x[:3], y], [("k", 1, 64, [0, 1, np.int32(1)])])
    assert result.code == FAILURE
    assert "out-of-bounds load of 16 bytes" in result.message


def test_store_to_constant(build):
    ir = make(
        "  store i32 1, ptr addrspace(4) @table, align 4",
        before="@table = internal addrspace(4) constant [1 x i32] [i32 1], align 4",
    )
    emulator = build.from_ir(ir, "cuda", lambda: ir)
    emulator.image = b".version 8.0\n.target sm_80\n.visible .entry k(\n"
    buffer = np.zeros(1, np.int32)
    result = emulator.run([buffer], [("k", 1, 1, [0, 0, np.int32(1)])])
    assert result.code == FAILURE
    assert "store to a constant" in result.message
