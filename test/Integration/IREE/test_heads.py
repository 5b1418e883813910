# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Heads that ``head-opt --emit=linalg`` writes, compiled and run by IREE behind
the backbone in ONNX Runtime: together they answer what the whole model does.
"""

import headopt
import iree_models
import iree_tools
import numpy as np
import onnx
import pytest
from headopt import F16, F32

SHAPE = (3, iree_models.HEIGHT, iree_models.WIDTH)

#: The model, and the verdict that its head must get.
CASES = {
    "pooled": (iree_models.pooled("m"), "pooled"),
    "flatten": (iree_models.torch("m", True), "rewritten"),
    "transpose": (iree_models.keras("m", True), "rewritten"),
    "relu behind": (iree_models.relu_behind("m", True), "rewritten"),
    "f16": (iree_models.torch("m", True, type=F16), "rewritten"),
    "uneven": (iree_models.torch("m", False), "refused"),
    "uneven f16": (iree_models.torch("m", False, type=F16), "refused"),
}


@pytest.mark.parametrize("case", CASES)
def test_answers_like_the_model(case, tmp_path):
    model, verdict = CASES[case]
    onnx.save(model, tmp_path / "model.onnx")
    done = headopt.invoke(
        ["model.onnx", "--emit=linalg", "-o", "head.mlir", "--name=head",
         "--emit-backbone=backbone.onnx", "--report=report.json"], tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "head.mlir").read_text("utf-8")
    assert f'"{verdict}"' in (tmp_path / "report.json").read_text("utf-8")
    # The weight that is left, one way round or the other.
    k = iree_models.SIZE if verdict == "refused" else iree_models.CHANNELS
    shapes = f"{iree_models.OUTPUTS}x{k}", f"{k}x{iree_models.OUTPUTS}"
    assert any("dense<" in line and f": tensor<{shape}x" in line
               for line in text.splitlines() for shape in shapes)  # fmt: skip

    backbone = headopt.OnnxRuntime(onnx.load(tmp_path / "backbone.onnx"))
    head = iree_tools.Compiled(tmp_path / "head.mlir")
    type = F16 if "f16" in case else F32
    random = np.random.default_rng(3)
    for batch in (1, 3):
        x = random.standard_normal((batch, *SHAPE)).astype(type.numpy)
        (features,) = backbone({"x": x}).values()
        iree_models.answer(model, x).assert_close(head("head", features))
