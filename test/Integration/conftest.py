# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Integration tests: head-opt as a user runs it, its output judged by other
programs.

Run them with ``python -m pytest test/Integration``. The tool is ``$HEAD_OPT``,
or ``build/bin/head-opt``. ``headopt.py`` beside this file holds what the tests
share; pytest puts this folder on the path because of this file.
"""

import pytest

import headopt


@pytest.fixture(autouse=True, scope="session")
def the_tool():
    """Without the tool every test fails, none is skipped."""
    if not headopt.TOOL.exists():
        pytest.fail(
            "head-opt is not built: build it, or name it in HEAD_OPT",
            pytrace=False,
        )
