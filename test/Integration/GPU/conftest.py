# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Heads for GPUs, run without one: the emulator stands in for the drivers of CUDA
and HIP, and Mesa's lavapipe for a device with Vulkan.
"""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
# lowering.py has the heads, and how far a result may be off.
sys.path.insert(0, str(HERE.parent / "Lowering"))
sys.path.insert(0, str(HERE.parents[1] / "Emulator"))

import device  # noqa: E402  (needs the paths)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """Compiles a head once for a target, however many tests ask for it."""
    return device.Compiler(tmp_path_factory.mktemp("heads"))
