# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lowered heads, compiled by head-opt and called through their C interface.

``lowering.py`` beside this file holds what the tests share; pytest puts this
folder on the path because of this file.
"""

import pytest

import lowering


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """Compiles a head once, however many tests ask for it."""
    return lowering.Compiler(tmp_path_factory.mktemp("heads"))
