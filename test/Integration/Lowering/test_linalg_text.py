# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What head-opt prints holds the weights: read again, also by stock mlir-opt and
where the model is gone, it compiles to the same head, byte for byte. And what a
reproducer says of weights that stay in their file.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import headopt

LLVM = Path(os.environ.get("LLVM_BIN", "/usr/lib/llvm-22/bin"))


def run(*arguments, folder):
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=headopt.TIME_LIMIT * 2,
    )


def tool(*arguments, folder):
    done = run(headopt.TOOL, "--quiet", *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A Flatten head whose weight, even along the positions, is 160 KiB of
    raw_data: mapped from the file, not read.
    """
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    random = np.random.default_rng(7)
    weight = np.repeat(random.standard_normal((40, 256), np.float32), 4, axis=1)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["f"]),
            helper.make_node("Gemm", ["f", "w", "b"], ["y"], "fc", transB=1),
        ],
        "head",
        [helper.make_tensor_value_info("x", 1, ["N", 256, 2, 2])],
        [helper.make_tensor_value_info("y", 1, ["N", 40])],
        [
            numpy_helper.from_array(weight, "w"),
            numpy_helper.from_array(
                random.standard_normal(40).astype(np.float32), "b"
            ),
        ],
    )
    onnx.save(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ),
        path,
    )
    return path


def compile_head(source, folder, name):
    (folder / name).mkdir()
    tool(source, "--name=head", "-o", f"{name}/head.so", folder=folder)
    return [(folder / name / file).read_bytes() for file in ("head.so", "head.h")]


@pytest.mark.parametrize("rewrite", [True, False])
@pytest.mark.parametrize("kind", ["mlir", "mlirbc"])
def test_same_head(model, tmp_path, kind, rewrite):
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(model.read_bytes())
    options = [] if rewrite else ["--no-rewrite"]
    (tmp_path / "direct").mkdir()
    tool(
        copy, *options, "--name=head", "-o", "direct/head.so", folder=tmp_path
    )
    direct = [
        (tmp_path / "direct" / file).read_bytes() for file in ("head.so", "head.h")
    ]
    tool(copy, *options, "--emit=linalg", "-o", f"l.{kind}", folder=tmp_path)
    copy.unlink()
    assert compile_head(f"l.{kind}", tmp_path, "again") == direct
    # By way of another program.
    done = run(LLVM / "mlir-opt", f"l.{kind}", "-o", "other.mlir", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert compile_head("other.mlir", tmp_path, "other") == direct


def test_run(model, tmp_path):
    tool(model, "--emit=linalg", "-o", "l.mlir", folder=tmp_path)
    direct = tool(model, "--run", "--batch=3", folder=tmp_path)
    assert direct and tool("l.mlir", "--run", "--batch=3", folder=tmp_path) == direct


def test_pipeline(model, tmp_path):
    """The same text by naming the pipeline."""
    tool(model, "--emit=linalg", "-o", "head.mlir", "--no-rewrite", folder=tmp_path)
    tool(model, "--lower-head-to-linalg", "-o", "other.mlir", folder=tmp_path)
    text = (tmp_path / "head.mlir").read_text()
    assert "dense_resource<" in text
    assert text == (tmp_path / "other.mlir").read_text()


def test_elided(model, tmp_path):
    text = tool(
        model, "--emit=linalg", "--mlir-elide-resource-strings-if-larger=100",
        folder=tmp_path,
    )
    assert "dense_resource<" in text and len(text) < 8192
    # The weights that are not there are missed.
    (tmp_path / "elided.mlir").write_text(text)
    done = run(
        headopt.TOOL, "elided.mlir", "-o", "head.so", folder=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "elided.mlir" in done.stderr
    assert not (tmp_path / "head.so").exists()


def test_reproducer(model, tmp_path):
    """Weights that are in the model's file stay there; the reproducer names it."""
    broken = onnx.load(model)
    broken.graph.node.insert(
        0, helper.make_node("LRN", ["x"], ["n"], "norm", size=3)
    )
    broken.graph.node[1].input[0] = "n"
    onnx.save(broken, tmp_path / "broken.onnx")
    message = "node 'norm' (LRN) is not lowered"
    done = run(
        headopt.TOOL, "broken.onnx", "--convert-onnx-to-linalg", "--emit=mlir",
        "--mlir-pass-pipeline-crash-reproducer=repro.mlir", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1 and message in done.stderr
    text = (tmp_path / "repro.mlir").read_text()
    assert f'#onnx.file_data<"{tmp_path / "broken.onnx"}"' in text
    (tmp_path / "elsewhere").mkdir()
    again = run(
        headopt.TOOL, tmp_path / "repro.mlir", "--run-reproducer",
        folder=tmp_path / "elsewhere",
    )  # fmt: skip
    assert again.returncode == 1 and message in again.stderr
