# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Unpacks the models once for each process that runs tests."""

import pytest

from corpus import unpack


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The folder with the models of expected.json."""
    return unpack(tmp_path_factory.mktemp("models"))
