# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Booleans in heads for processors; masks.py says what can go wrong."""

import shutil
import subprocess

import numpy as np
import onnx
import pytest

import headopt
import lowering
import masks
from masks import MaskHead

DRIVER = """\
#include "head.h"
#include <stdio.h>
static float x[%(inputs)d], y[%(outputs)d];
int main(void) {
  if (fread(x, sizeof(x), 1, stdin) != 1 || head(x, %(batch)d, y) != 0)
    return 1;
  return fwrite(y, sizeof(y), 1, stdout) != 1;
}
"""


def compile_head(head, folder, *flags):
    onnx.save(head.model(), folder / "model.onnx")
    done = headopt.invoke(["model.onnx", "--name=head", *flags], cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("cpu", [*lowering.vector_levels(), "native"])
@pytest.mark.parametrize("case", masks.CASES)
def test_mask(tmp_path, case, cpu):
    head = MaskHead(case)
    for batch in masks.BATCHES:
        features = masks.features(batch)
        np.save(tmp_path / "x.npy", features)
        flags = ["--run", "--input=x.npy", "-o", "y.npy", f"--mcpu={cpu}"]
        compile_head(head, tmp_path, *flags)
        head.check(features, np.load(tmp_path / "y.npy"))


@pytest.mark.parametrize("case", masks.CASES)
def test_mask_on_aarch64(tmp_path, case):
    compiler, qemu = "aarch64-linux-gnu-gcc", "qemu-aarch64"
    for program in (compiler, qemu):
        if not shutil.which(program):
            pytest.skip(
                f"there is no {program} (Debian: gcc-aarch64-linux-gnu, "
                "libc6-dev-arm64-cross, qemu-user)"
            )
    head, batch = MaskHead(case), masks.BATCHES[0]
    compile_head(head, tmp_path, "-o", "head.o", "--target=aarch64-linux-gnu")
    features = masks.features(batch)
    sizes = {
        "inputs": features.size,
        "outputs": batch * head.outputs,
        "batch": batch,
    }
    (tmp_path / "driver.c").write_text(DRIVER % sizes)
    subprocess.run(
        [compiler, "-static", "driver.c", "head.o", "-lm", "-o", "driver"],
        cwd=tmp_path,
        check=True,
    )
    done = subprocess.run(
        [qemu, tmp_path / "driver"],
        input=features.tobytes(),
        stdout=subprocess.PIPE,
        timeout=headopt.TIME_LIMIT,
        check=True,
    )
    head.check(features, np.frombuffer(done.stdout, "f4").reshape(batch, -1))


@pytest.mark.parametrize("cpu", [*lowering.vector_levels(), "native"])
def test_linalg(tmp_path, cpu):
    head = masks.LinalgHead()
    (tmp_path / "head.mlir").write_text(head.text())
    np.save(tmp_path / "x.npy", head.features())
    done = headopt.invoke(
        ["head.mlir", "--run", "--input=x.npy", "-o", "y.npy", f"--mcpu={cpu}"],
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    head.check(head.features(), np.load(tmp_path / "y.npy"))
