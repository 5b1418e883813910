# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of heads for GPUs share: compiling them, and calling them through
their C interface and the drivers that stand in for real ones.
"""

import itertools
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

import headopt
import lowering
from emulator import Emulator

HERE = Path(__file__).resolve().parent
TIME_LIMIT = 600
# One of each kind of kernel that there is: shuffles of 32 lanes, DPP and shuffles
# of 64 and 32, and what Vulkan's drivers have.
CUDA, GFX9, GFX11 = "cuda:sm_80", "rocm:gfx90a", "rocm:gfx1100"
EMULATED = (CUDA, GFX9, GFX11)
VULKAN = ("vulkan:4", "vulkan:8", "vulkan:16")
INTERFACES = {"cuda": "cuda", "rocm": "hip", "vulkan": "vulkan"}


@dataclass
class Case:
    """One call of a head."""

    features: np.ndarray
    what: str = ""
    #: What the head is told; None: the number of samples.
    batch: int | None = None


class Compiler:
    def __init__(self, folder):
        self.folder, self.heads = folder, {}
        self.numbers = itertools.count()

    def __call__(self, head, target):
        if (head, target) not in self.heads:
            folder = self.folder / f"head{next(self.numbers)}"
            folder.mkdir()
            self.heads[head, target] = DeviceHead(head, target, folder)
        return self.heads[head, target]


def compile_model(model, output, target, *flags):
    """head-opt's process, which must succeed."""
    done = subprocess.run(
        [headopt.TOOL, model, "-o", output, f"--target={target}", *flags],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 0 and output.exists(), (
        f"head-opt failed for {target}: {done.stderr.strip()}"
    )
    return done


def call_library(library, function, calls, folder, environment):
    """Calls a function of a head in a process of its own, once for each of
    (features, an array like the output, dynamic extents), and the batch if it is not
    that of the features: the process, and the file with the results.
    """
    given = {}
    for i, (features, output, extents, *batch) in enumerate(calls):
        # The bits alone: NumPy's files know no bfloat16.
        given[f"features{i}"] = np.ascontiguousarray(features).view(
            np.dtype(f"u{features.dtype.itemsize}")
        )
        given[f"output{i}"] = output.view(np.dtype(f"u{output.dtype.itemsize}"))
        given[f"extents{i}"] = np.array(extents, np.int64)
        given[f"batch{i}"] = np.array(*batch or (len(features),), np.int64)
    source, target = folder / "cases.npz", folder / "results.npz"
    np.savez(source, **given)
    target.unlink(missing_ok=True)
    done = subprocess.run(
        [
            sys.executable,
            HERE / "call_head.py",
            library,
            function,
            source,
            target,
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    return done, target


def save(head, folder):
    """The file that holds the head: a model, or linalg where that has a text."""
    if hasattr(head, "text"):
        path = folder / "head.mlir"
        path.write_text(head.text())
    else:
        path = folder / "head.onnx"
        onnx.save(head.model(), path)
    return path


class DeviceHead:
    """A head compiled for a target."""

    def __init__(self, head, target, folder):
        self.head, self.target, self.folder = head, target, folder
        self.interface = INTERFACES[target.split(":")[0]]
        self.model, self.library = save(head, folder), folder / "head.so"
        compile_model(self.model, self.library, target, "--name=head")
        self.function = f"head_{self.interface}"
        self.emulator = None
        if self.interface == "vulkan":
            return
        self.function += "_host"
        code = folder / "kernels.ll"
        compile_model(
            self.model, code, target, "--name=head", "--emit=llvm"
        )
        self.emulator = Emulator(code.read_text(), self.interface, folder)

    def __repr__(self):
        return f"<{self.head.label()} for {self.target}>"

    def environment(self, **options):
        if self.emulator:
            return self.emulator.environment(**options)
        lanes = int(self.target.split(":")[1])
        return {
            **os.environ,
            "LP_NATIVE_VECTOR_WIDTH": str(32 * lanes),
            "HEADOPT_VULKAN_DEVICE": "llvmpipe",
        }

    def start(self, cases, **options):
        """Calls the head once for each case: the process, and its results."""
        size = np.dtype(self.head.type.numpy).itemsize
        calls = []
        for case in cases:
            features = case.features
            output = np.zeros((len(features), self.head.outputs), f"u{size}")
            extents = [features.shape[axis] for axis in self.head.dynamic]
            batch = len(features) if case.batch is None else case.batch
            calls.append((features, output, extents, batch))
        return call_library(
            self.library,
            self.function,
            calls,
            self.folder,
            self.environment(**options),
        )

    def run(self, cases, **options):
        """The outputs, where every call succeeds."""
        done, target = self.start(cases, **options)
        assert done.returncode == 0, f"{self}: {done.stderr.strip()[-2000:]}"
        outputs = []
        with np.load(target) as found:
            for i, case in enumerate(cases):
                assert found[f"code{i}"] == 0, (
                    f"{self}, {case.what}: {found[f'error{i}']}"
                )
                outputs.append(found[f"output{i}"].view(self.head.type.numpy))
        return outputs


    def run_on_device(self, features, shift=0, alone=False, **options):
        """The output for features in the device's memory, `shift` bytes behind where
        it was allocated; `alone`: from a call for each sample, where it lies.
        """
        given, found = self.folder / "features.npy", self.folder / "output.npy"
        # The bits alone, as in call_library.
        bits = np.dtype(f"u{features.itemsize}")
        np.save(given, features.view(bits))
        # Of which no result has all bits set.
        np.save(found, ~np.zeros((len(features), self.head.outputs), bits))
        done = subprocess.run(
            [
                sys.executable,
                HERE / "call_on_device.py",
                self.interface,
                self.library,
                f"head_{self.interface}",
                str(shift),
                "alone" if alone else "batch",
                given,
                found,
            ],
            env=self.environment(**options),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
        assert done.returncode == 0, f"{self}: {done.stderr.strip()[-2000:]}"
        return np.load(found).view(self.head.type.numpy)


def staged(length, element, subgroup):
    """Lanes for each row of so many elements (of 2 or 4 bytes) that goes through
    shared memory, and how many rows do at a time.
    """
    row = length * element
    # 48 bytes for each lane, to the nearest power of two; a word is one lane's.
    lanes = 2 ** max(round(math.log2(row / 48)), 0)
    lanes = min(max(lanes, 4 // element), subgroup)
    # As many as start at a multiple of 16 bytes, and give all lanes work.
    least = max(16 // math.gcd(row, 16), subgroup // lanes)
    rows = max(128 // lanes, least)
    while rows > least and rows * row > 16384:
        rows //= 2
    return lanes, rows


def check(function, batches=(0, 1, 3, 9), chosen=(), **options):
    """Whole numbers, whose sums are exact in any order, and random ones; every
    sample alone gives the bits that it gives in a batch.
    """
    head = function.head
    cases = []
    for batch in batches:
        for make in (lowering.whole_features, lowering.random_features):
            cases.append(
                Case(make(head, batch, chosen), f"{make.__name__} {batch}")
            )
    largest = cases[-1].features
    alone = 0 if isinstance(head.batch, int) else min(3, len(largest))
    for sample in range(alone):
        cases.append(
            Case(largest[sample : sample + 1], f"sample {sample} alone")
        )
    outputs = function.run(cases, **options)
    for case, output in zip(cases, outputs):
        if not len(case.features):
            continue
        exact = case.what.startswith("whole") and not head.layers
        value, error = lowering.reference(head, case.features, exact)
        lowering.assert_close(output, value, error, f"{function} {case.what}")
    batch = outputs[2 * len(batches) - 1]
    for sample, alone in enumerate(outputs[2 * len(batches) :]):
        assert alone.tobytes() == batch[sample : sample + 1].tobytes(), (
            f"{function}: sample {sample} depends on its batch"
        )


def require_vulkan():
    """Skips where there is no software device."""
    if not Path("/usr/share/vulkan/icd.d").exists() or not any(
        Path("/usr/share/vulkan/icd.d").glob("lvp_icd*")
    ):
        pytest.skip("no lavapipe here; utils/setup.sh installs it")
