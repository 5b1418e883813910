# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every model of ONNX's own backend test suite survives the round trip.

The models are collected once per build folder. head-opt-roundtrip imports,
prints, parses and exports all of them in one process and compares messages;
a few are checked again through the real tool, and from outside.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from roundtrip_support import (  # noqa: E402
    REPOSITORY,
    ROUNDTRIP_TOOL,
    assert_same_model,
    load_neighbour,
    read_model,
    run_ok,
)

collector = load_neighbour("collect_backend_models.py")

FOLDER = REPOSITORY / "build" / "test" / "backend-models"

# One of each sort: a subgraph, a sequence, strings, a sub-byte type, an expanded function, a file.
SAMPLE = (
    "node-test_if_seq.onnx",
    "node-test_loop11.onnx",
    "node-test_scan9_sum.onnx",
    "node-test_string_split_basic.onnx",
    "node-test_quantizelinear_int4.onnx",
    "node-test_gridsample.onnx",
    "node-test_layer_normalization_2d_axis0_expanded.onnx",
    "node-test_optional_get_element_optional_tensor.onnx",
    "file-backend-test-data-simple-test_sequence_model1-model.onnx",
    "file-backend-test-data-pytorch-operator-test_operator_flatten-model.onnx",
)


@pytest.fixture(scope="module")
def models() -> Path:
    """The folder of models, made in another process: building the cases draws random numbers."""
    if not collector.summary(FOLDER):
        FOLDER.parent.mkdir(parents=True, exist_ok=True)
        script = Path(__file__).with_name("collect_backend_models.py")
        subprocess.run([sys.executable, str(script), str(FOLDER)], check=True, stdout=subprocess.DEVNULL, timeout=600)
    return FOLDER


def test_all_models_are_there(models):
    counts = collector.summary(models)
    assert len(list(models.glob("*.onnx"))) == counts["node"] + counts["file"]
    known = collector.EXPECTED.get(onnx.__version__)
    if known:
        assert {key: counts[key] for key in known} == known
    else:
        assert counts["node"] > 1500 and counts["file"] > 100


def test_every_model_survives(models, tmp_path):
    if not ROUNDTRIP_TOOL.is_file():
        pytest.fail(f"{ROUNDTRIP_TOOL} is not there: build it first, or set HEAD_OPT_ROUNDTRIP", pytrace=False)
    sources = sorted(models.glob("*.onnx"))
    done = subprocess.run(
        [str(ROUNDTRIP_TOOL), str(tmp_path), *map(str, sources)],
        capture_output=True, text=True, errors="replace", timeout=600, check=False,
    )  # fmt: skip
    tail = (done.stdout + done.stderr)[-6000:]
    last = re.findall(r"(\d+) passed, (\d+) failed", done.stdout)
    assert last, f"no summary line, exit status {done.returncode}\n{tail}"
    assert done.returncode == 0 and last[-1] == (str(len(sources)), "0"), tail
    different = []
    for source in sources:
        try:
            assert_same_model(read_model(tmp_path / source.name), read_model(source))
        except AssertionError:
            different.append(source.name)
    assert not different


@pytest.mark.parametrize("name", SAMPLE)
def test_sample_through_the_tool(name, models, tmp_path):
    source = models / name
    run_ok(source, "-o", tmp_path / "model.mlir", "--no-rewrite")
    run_ok(tmp_path / "model.mlir", "-o", tmp_path / "back.onnx", "--no-rewrite")
    assert_same_model(read_model(tmp_path / "back.onnx"), read_model(source))
