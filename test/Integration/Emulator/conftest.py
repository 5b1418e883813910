# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The emulator of test/Emulator, on kernels that stock mlir-opt lowers.

``kernels.py`` beside this file holds what the tests share; pytest puts this
folder on the path because of this file.
"""

import emulator_build
import kernels
import pytest


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Lowers and retargets kernels once, however many tests ask for them."""
    return emulator_build.Builder(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(params=kernels.TARGETS)
def chip(request):
    return request.param
