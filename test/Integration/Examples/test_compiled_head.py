# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The example of examples/compiled-head runs, on its own model and on others, and
notices when results differ.
"""

import importlib.util
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import headopt

PROGRAM = headopt.REPOSITORY / "examples" / "compiled-head" / "run.py"


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(PROGRAM), "--head-opt", str(headopt.TOOL),
         *map(str, arguments)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def model_with(folder, head, shape="N,3,12,12", result="N,5", **weights):
    """A convolution to 8 channels of 10x10, and a head in ONNX's text format."""
    text = (
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        f"model (float[{shape}] image) => (float[{result}] y) {{\n"
        "  c = Conv (image, wc)\n"
        "  features = Relu (c)\n"
        f"  {head}\n}}"
    )
    model = onnx.parser.parse_model(text)
    random = np.random.default_rng(3)
    weights = {"wc": random.normal(0, 0.3, (8, 3, 3, 3)), **weights}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(w, np.float32), name)
        for name, w in weights.items()
    )
    onnx.checker.check_model(model, full_check=True)
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def pooled(folder, **changes):
    random = np.random.default_rng(4)
    return model_with(
        folder,
        "p = GlobalAveragePool (features)\n  f = Flatten (p)\n"
        "  y = Gemm <transB = 1> (f, w, b)",
        w=random.normal(0, 1, (5, 8)),
        b=random.normal(0, 1, 5),
        **changes,
    )


def flattened(folder):
    """A Flatten head whose weight does not vary over the map: pooled first."""
    rows = np.random.default_rng(4).normal(0, 0.1, (5, 8, 1, 1))
    return model_with(
        folder,
        "f = Flatten (features)\n  y = Gemm <transB = 1> (f, w)",
        w=np.broadcast_to(rows, (5, 8, 10, 10)).reshape(5, 800),
    )


def channels_last(folder):
    return model_with(
        folder,
        "t = Transpose <perm = [0, 2, 3, 1]> (features)\n"
        "  p = ReduceMean <axes = [1, 2], keepdims = 0> (t)\n"
        "  y = MatMul (p, w)",
        w=np.random.default_rng(4).normal(0, 1, (8, 5)),
    )


def any_size(folder):
    return pooled(folder, shape="N,3,h,w")


def test_its_own_model(tmp_path):
    done = run("--dir", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "equal" in done.stdout
    names = {"model.onnx", "backbone.onnx", "head.so", "head.h"}
    assert {path.name for path in tmp_path.iterdir()} == names
    # The backbone has no head any more, and the model still has.
    operators = [n.op_type for n in onnx.load(tmp_path / "backbone.onnx").graph.node]
    assert operators == ["Conv", "Relu", "Conv", "Relu"]


@pytest.mark.parametrize("batch", (1, 9))
@pytest.mark.parametrize(
    "make", (pooled, flattened, channels_last, any_size), ids=lambda m: m.__name__
)
def test_other_models(tmp_path, make, batch):
    done = run(make(tmp_path), "--batch", batch)
    assert done.returncode == 0, done.stderr
    assert "equal" in done.stdout


@pytest.fixture(scope="module")
def example():
    """The example's functions."""
    spec = importlib.util.spec_from_file_location("example", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("wrong", (1e-3, -1e-3, np.nan))
def test_it_notices_a_difference(example, wrong):
    expected = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 4)
    assert example.compare(expected + np.float32(1e-7), expected) == 0
    output = expected.copy()
    output[1, 2] += wrong
    assert example.compare(output, expected) == 1


def test_it_notices_a_refused_call(example):
    features = np.zeros((1, 3), np.float32)
    with pytest.raises(SystemExit, match="code 1"):
        example.call(lambda *_: 1, features, [], features)


def test_a_model_without_a_head(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(
        onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["" : 17]>\n'
            "g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }"
        ),
        path,
    )
    done = run(path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
