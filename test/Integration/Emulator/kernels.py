# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels of test/Emulator/Inputs, lowered by stock mlir-opt, and what they
have to give.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

EMULATOR = Path(__file__).resolve().parents[2] / "Emulator"
sys.path.insert(0, str(EMULATOR))

from retarget import LLVM  # noqa: E402  (needs the path)

# Chip and size of a sub-group.
TARGETS = {
    "sm_80": ("cuda", 32),
    "gfx90a": ("hip", 64),
    "gfx1100": ("hip", 32),
}

FRONT = (
    "convert-vector-to-scf,convert-scf-to-cf,expand-strided-metadata," "lower-affine"
)
BACK = "canonicalize,cse,reconcile-unrealized-casts"


def read_kernels(size):
    """The kernels for sub-groups of this size."""
    source = (EMULATOR / "Inputs/kernels.mlir").read_text()
    source = source.replace("WAVES", str(256 // size))
    # The default cluster of the stock pass is 64 lanes for AMDGPU.
    source = source.replace("CLUSTER", "" if size == 64 else "cluster(size = 32)")
    source = source.replace("SUBGROUP", str(size))
    if size == 32:
        source = source.replace(
            "%w = gpu.subgroup_reduce add %h :",
            "%w = gpu.subgroup_reduce add %h cluster(size = 32) :",
        )
    return source


def run(command, text):
    done = subprocess.run(
        [str(c) for c in command],
        input=text,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[:4000]
    return done.stdout


def lower(source, chip):
    """The LLVM IR of the kernels, as the back end of a chip gets it."""
    if chip.startswith("sm_"):
        pipeline = (
            "test-gpu-subgroup-reduce-lowering{expand-to-shuffles},"
            f"nvvm-attach-target{{chip={chip} features=+ptx80 O=3}},{FRONT},"
            "gpu.module(convert-gpu-to-nvvm{use-bare-ptr-memref-call-conv=1},"
            f"{BACK})"
        )
        machine = ["-mtriple=nvptx64-nvidia-cuda", "-mattr=+ptx80"]
    else:
        pipeline = (
            "test-gpu-subgroup-reduce-lowering{expand-to-shuffles "
            f"target={chip}}},rocdl-attach-target{{chip={chip} O=3}},{FRONT},"
            f"gpu.module(convert-amdgpu-to-rocdl{{chipset={chip}}},"
            f"convert-gpu-to-rocdl{{chipset={chip} runtime=HIP "
            f"use-bare-ptr-memref-call-conv=1}},{BACK})"
        )
        machine = ["-mtriple=amdgcn-amd-amdhsa"]
    text = run(
        [LLVM / "mlir-opt", f"--pass-pipeline=builtin.module({pipeline})"], source
    )
    # What is inside the gpu.module, as a module of its own.
    start = text.index("{\n", text.index("gpu.module")) + 2
    end = text.rindex("}", 0, text.rindex("}"))
    text = run(
        [LLVM / "mlir-translate", "--mlir-to-llvmir"],
        "module {\n" + text[start:end] + "\n}\n",
    )
    # Without a device library; the device has an instruction.
    text = text.replace("__nv_fmaf", "llvm.fma.f32")
    return run([LLVM / "opt", "-O3", f"-mcpu={chip}", "-S", *machine], text)


def get_case(kernel, size):
    """Buffers, a launch, the number of the output buffer and its right value."""
    rng = np.random.default_rng(len(kernel))
    if kernel == "pool_block":
        x = rng.random((5, 1000), dtype=np.float32)
        y = np.zeros(5, np.float32)
        return [x, y], (kernel, 5, 256, [0, 1]), {1: x.mean(1, dtype=float)}
    if kernel == "pool_subgroup":
        waves = 256 // size
        rows = 3 * waves - 1
        x = rng.random((rows, 49), dtype=np.float32)
        y = np.zeros(rows, np.float32)
        args = [0, np.int64(rows), 1, np.float32(1 / 49)]
        return [x, y], (kernel, 3, 256, args), {1: x.mean(1, dtype=float)}
    if kernel == "pool_staged":
        x = rng.random((256, 49), dtype=np.float32)
        y = np.zeros(256, np.float32)
        mean = x.mean(1, dtype=float).reshape(2, 128)[:, ::-1].reshape(-1)
        return [x, y], (kernel, 2, 128, [0, 1]), {1: mean}
    if kernel == "neighbours":
        x = rng.integers(-99, 99, 192).astype(np.float32)
        y = np.zeros(8 * x.size, np.float32)
        right = np.empty((x.size, 8))
        for i, (count, fold) in enumerate(
            [(2, np.sum), (4, np.max), (8, np.sum), (16, np.max), (32, np.sum)]
        ):
            right[:, i] = np.repeat(fold(x.reshape(-1, count), axis=1), count)
        right[:, 5] = x[np.arange(x.size) ^ 1]
        right[:, 6] = x[np.arange(x.size) ^ 16]
        right[:, 7] = right[:, 2] + 17
        args = [0, 1, np.int32(17)]
        return [x, y], (kernel, 3, 64, args), {1: right.reshape(-1)}
    assert kernel.startswith("types")
    n = int(kernel[len("types") :])
    h = rng.random((64, 8)).astype(np.float16)
    bits = (rng.random(64, dtype=np.float32).view(np.uint32) >> 16).astype(np.uint16)
    d = rng.random((64, max(n, 1)))
    g = (bits.astype(np.uint32) << 16).view(np.float32)
    f = h[:, 5].astype(float)
    # Products of halves are exact in float, and so is the double sum.
    z = (f * f + g).astype(np.float32).astype(np.float16)
    y = np.array([1 + sum(row[:n]) for row in d])
    buffers = [h, bits, d, np.zeros(64), np.zeros(64, np.float16)]
    launch = ("types", 1, 64, [0, 1, 2, np.int64(n), 3, 4])
    return buffers, launch, {3: y, 4: z}


CASES = ["pool_block", "pool_subgroup", "pool_staged", "neighbours", "types0"]
CASES += ["types3"]
