# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The heads in test/Transforms/Inputs/IREE are what IREE prints today."""

import make_inputs
import pytest


@pytest.mark.parametrize("name", make_inputs.NAMES)
def test_up_to_date(name):
    text = (make_inputs.FOLDER / f"{name}.mlir").read_text("utf-8")
    assert text == make_inputs.make(name), "run make_inputs.py"


def test_no_other_files():
    names = {file.stem for file in make_inputs.FOLDER.iterdir()}
    assert names == set(make_inputs.NAMES)
