# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Booleans in heads. One takes a byte in memory, and a vector of eight takes a byte as
well, so that code which reads masks in vectors reads the wrong ones.

Every number is small and whole and there are four positions, so that means and sums are
exact and the answers must be ONNX Runtime's.
"""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

import headopt

BATCH = 11  # 8 + 2 + 1
CHANNELS, OUTPUTS = 19, 37  # whole vectors and a rest, of 4, 8 and 16 numbers
random = np.random.RandomState(5)


def booleans(*shape):
    return random.randint(0, 2, shape).astype(bool)


def whole(*shape):
    return random.randint(-4, 5, shape).astype(np.float32)


CONSTANTS = {
    "w": whole(CHANNELS, OUTPUTS),
    "outputs": booleans(OUTPUTS),
    "channels": booleans(CHANNELS),
    "one": np.array([True]),
    "low": np.float32(-7),
    "lows": whole(OUTPUTS),
    "last": np.array([1]),
}


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(), [output], **attributes)


POOLED = [node("GlobalAveragePool", "x", "p"), node("Flatten", "p", "f")]
DENSE = [*POOLED, node("Gemm", "f w", "d")]
CASES = {
    "behind dense": [*DENSE, node("Where", "outputs d low", "y")],
    "two numbers": [*DENSE, node("Where", "outputs d lows", "y")],
    "behind an activation": [
        *DENSE,
        node("Relu", "d", "r"),
        node("Where", "outputs r low", "y"),
    ],
    "for all": [*DENSE, node("Where", "one d low", "y")],
    "behind the pool": [*POOLED, node("Where", "channels f low", "y")],
    "between": [
        *POOLED,
        node("Where", "channels f low", "m"),
        node("Gemm", "m w", "y"),
    ],
    "computed": [
        *DENSE,
        node("Greater", "d lows", "g"),
        node("Where", "g d low", "y"),
    ],
    "computed twice": [
        *DENSE,
        node("Greater", "d lows", "g"),
        node("Cast", "g", "c", to=1),
        node("Where", "g d c", "y"),
    ],
    "of rows": [
        *DENSE,
        node("ReduceSum", "d last", "s", keepdims=1),
        node("Greater", "s low", "g"),
        node("Where", "g d low", "y"),
    ],
}


def make_model(nodes):
    read = {name for n in nodes for name in n.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, ["N", CHANNELS, 2, 2])],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(v, k) for k, v in CONSTANTS.items() if k in read],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10
    )
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


@pytest.fixture(scope="module")
def features():
    return random.randint(-9, 10, (BATCH, CHANNELS, 2, 2)).astype(np.float32)


@pytest.mark.parametrize("cpu", ["x86-64-v2", "x86-64-v3", "native"])
@pytest.mark.parametrize("case", CASES)
def test_mask(tmp_path, features, case, cpu):
    model = make_model(CASES[case])
    onnx.save(model, tmp_path / "model.onnx")
    np.save(tmp_path / "x.npy", features)
    done = headopt.invoke(
        ["model.onnx", "--run", "--input=x.npy", "-o", "y.npy", f"--mcpu={cpu}"],
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    session = ort.InferenceSession(model.SerializeToString())
    [expected] = session.run(["y"], {"x": features})
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)


@pytest.mark.parametrize("target", ["cuda:sm_80", "rocm:gfx90a", "vulkan:8"])
def test_kernels_have_no_masks(tmp_path, target):
    """They are refused, not read as something else."""
    onnx.save(make_model(CASES["behind dense"]), tmp_path / "model.onnx")
    done = headopt.invoke(
        ["model.onnx", f"--target={target}", "-o", "head.so"], cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr
    assert "kernels have no numbers of type i1" in done.stderr
    assert not (tmp_path / "head.so").exists()
