# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Booleans in heads for GPUs; masks.py of the tests for processors says what can go
wrong.
"""

import pytest

import device
import headopt
import masks
from device import CUDA, GFX9, Case
from masks import LinalgHead, MaskHead

TARGETS = (CUDA, GFX9, "vulkan:8")


@pytest.fixture(autouse=True)
def _device_is_there(request):
    if request.node.callspec.params["target"].startswith("vulkan"):
        device.require_vulkan()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", masks.CASES)
def test_mask(compiled, case, target):
    head = MaskHead(case)
    cases = [Case(masks.features(batch)) for batch in masks.BATCHES]
    outputs = compiled(head, target).run(cases)
    for call, output in zip(cases, outputs):
        head.check(call.features, output)


@pytest.mark.parametrize(
    "target, bits", [(CUDA, 4), (GFX9, 4), ("vulkan:8", 8)]
)
def test_linalg(compiled, target, bits):
    head = LinalgHead(bits)
    [output] = compiled(head, target).run([Case(head.features())])
    head.check(head.features(), output)


@pytest.mark.parametrize("target", ["vulkan:8"])
def test_vulkan_has_no_nibbles(tmp_path, target):
    source, library = tmp_path / "head.mlir", tmp_path / "head.so"
    source.write_text(LinalgHead(bits=4).text())
    done = headopt.invoke([source, "-o", library, f"--target={target}"])
    assert done.returncode == 1
    assert "SPIR-V has no numbers of type 'i4'" in done.stderr
    assert not library.exists()
