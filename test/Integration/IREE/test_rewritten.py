# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""linalg-flatten-to-gap on heads that IREE printed, which IREE then compiles: before
and after, they answer what ONNX Runtime does.
"""

import headopt
import iree_models
import iree_tools
import make_inputs
import pytest

#: What is not pooled, even or not.
LEFT_ALONE = {"pooled", "branches-behind", "factors-behind", "rank3"}


@pytest.mark.parametrize("form", iree_models.FORMS)
def test_same_answers(form, tmp_path):
    before, after = tmp_path / "before.mlir", tmp_path / "after.mlir"
    source = make_inputs.FOLDER / f"{form}.mlir"
    for target, options in (before, []), (after, ["--linalg-flatten-to-gap"]):
        done = headopt.invoke([source, *options, "-o", target])
        assert done.returncode == 0, done.stderr
    changed = before.read_text("utf-8") != after.read_text("utf-8")
    assert changed == (form not in LEFT_ALONE)

    programs = iree_tools.Compiled(before), iree_tools.Compiled(after)
    for model in iree_models.FORMS[form]():
        for x in iree_models.whole_inputs(model):
            expected = iree_models.answer(model, x)
            for program in programs:
                expected.assert_close(program(model.graph.name, x))
