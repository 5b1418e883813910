# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""IREE as a second compiler for what head-opt writes, and as a source of heads in
linalg. Its tools come with utils/requirements-iree.txt; without them the tests
here are skipped.
"""

import pytest

import iree_tools


@pytest.fixture(autouse=True, scope="session")
def the_compiler():
    missing = iree_tools.missing_tools()
    if missing:
        pytest.skip(f"{', '.join(missing)} not in {iree_tools.BIN}: no IREE there")
