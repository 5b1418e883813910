# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where heads end: before the first node that cannot be compiled. A batch of any size
is computed in blocks, so that also is a node that makes a sample from others; a fixed
batch is one block, and the head goes on.

Each case says which value its head ends with, for a batch of any size and for a fixed
one, and the compiled head answers what ONNX Runtime says that value is.
"""

import re

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import headopt

BATCH = 3  # two blocks: 2 + 1
random = np.random.RandomState(11)


def weights(*shape):
    return random.uniform(-1, 1, shape).astype(np.float32)


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def relu(value, output="y"):
    return node("Relu", value, output)


CONSTANTS = {
    "w": weights(4, 5),
    "bias": weights(5),
    "row": weights(1, 5),
    "rows": weights(BATCH, 5),
    "five": np.abs(weights(5)),
    "kernel": weights(4, 4, 1, 1),
    "first": np.array([0]),
    "second": np.array([1]),
    "double": np.float64(3),
    "halves": np.array([-1, 2]),
    "back": np.array([-1, 4]),
    "scale": np.float32(0.01),
    "scales": np.abs(weights(BATCH)),
    "zeros": np.zeros(BATCH, np.int8),
}
POOLED = [node("GlobalAveragePool", "x", "p"), node("Flatten", "p", "f")]
DENSE = [*POOLED, node("Gemm", "f w bias", "d")]


def softmax(axis):
    return [*DENSE, node("Softmax", "d", "y", axis=axis)]


def turned(axis):
    return [
        *DENSE,
        node("Transpose", "d", "t"),
        node("Softmax", "t", "s", axis=axis),
        node("Transpose", "s", "y"),
    ]


def halved(axis):
    return [
        *POOLED,
        node("Reshape", "f halves", "r"),
        node("Softmax", "r", "s", axis=axis),
        node("Reshape", "s back", "y"),
    ]


# Name: nodes, opset, the end for any batch, the end for a fixed one.
CASES = {
    "softmax of classes": (softmax(1), 17, "y", "y"),
    "softmax of samples": (softmax(0), 17, "d", "y"),
    "softmax of samples, from the end": (softmax(-2), 17, "d", "y"),
    "softmax of all, as it was": (softmax(0), 11, "d", "y"),
    "softmax of classes, as it was": (softmax(1), 11, "y", "y"),
    "log softmax of samples": (
        [*DENSE, node("LogSoftmax", "d", "y", axis=0)],
        17,
        "d",
        "y",
    ),
    "samples become columns": (turned(0), 17, "d", "y"),
    "samples become columns and are mixed": (turned(1), 17, "d", "y"),
    "samples are halved": (halved(1), 17, "y", "y"),
    "halves are mixed": (halved(0), 17, "f", "y"),
    "mean of samples": (
        [*DENSE, node("ReduceMean", "d", "m", axes=[0]), node("Sub", "d m", "y")],
        17,
        "d",
        "y",
    ),
    "mean of classes": (
        [*DENSE, node("ReduceMean", "d", "m", axes=[1]), node("Sub", "d m", "y")],
        17,
        "y",
        "y",
    ),
    "normalised over all": (
        [*DENSE, node("LayerNormalization", "d five", "y", axis=-1)],
        17,
        "y",
        "y",
    ),
    "a row for each sample": ([*DENSE, node("Add", "d rows", "y")], 17, "d", "y"),
    "one row": ([*DENSE, node("Add", "d row", "y")], 17, "y", "y"),
    "a bias for each sample": ([*POOLED, node("Gemm", "f w rows", "y")], 17, "f", "y"),
    "one bias": ([*POOLED, node("Gemm", "f w row", "y")], 17, "y", "y"),
    "scales of samples": (
        [
            *DENSE,
            node("QuantizeLinear", "d scales zeros", "q", axis=0),
            node("DequantizeLinear", "q scales zeros", "y", axis=0),
        ],
        17,
        "d",
        "y",
    ),
    "one scale": (
        [
            *DENSE,
            node("QuantizeLinear", "d scale", "q"),
            node("DequantizeLinear", "q scale", "y"),
        ],
        17,
        "y",
        "y",
    ),
    # Samples are no longer along the first axis.
    "turned": ([*DENSE, node("Transpose", "d", "y")], 17, "d", "d"),
    "an axis before": ([*DENSE, node("Unsqueeze", "d first", "y")], 17, "d", "d"),
    "an axis behind": ([*DENSE, node("Unsqueeze", "d second", "y")], 17, "y", "y"),
    "one row of all": ([*DENSE, node("Flatten", "d", "y", axis=0)], 17, "d", "d"),
    # Axes of extent 1 are dropped, and the batch may be 1.
    "axes that only a run knows": (
        [POOLED[0], node("Squeeze", "p", "y")],
        17,
        "p",
        "y",
    ),
    "exponents of another type": (
        [*DENSE, node("Pow", "d double", "y")],
        17,
        "d",
        "d",
    ),
    "mean of integers": (
        [
            *DENSE,
            node("Cast", "d", "i", to=6),
            node("ReduceMean", "i", "m", axes=[1]),
            node("Cast", "m", "y", to=1),
        ],
        17,
        "d",
        "d",
    ),
    "4-bit numbers": (
        [
            *DENSE,
            node("QuantizeLinear", "d scale", "q", output_dtype=22),
            node("DequantizeLinear", "q scale", "y"),
        ],
        21,
        "d",
        "d",
    ),
    # Nothing pads one element, and it has no gaps.
    "padded to the same size": (
        [POOLED[0], node("Conv", "p kernel", "y", auto_pad="SAME_UPPER")],
        17,
        "y",
        "y",
    ),
    "dilated": (
        [POOLED[0], node("Conv", "p kernel", "y", dilations=[2, 2])],
        17,
        "y",
        "y",
    ),
    # What no output needs is no part of the head.
    "idle nodes": (
        [*DENSE, node("Sigmoid", "d", "idle"), node("Neg", "idle", "idler"), relu("d")],
        17,
        "y",
        "y",
    ),
}


def make_model(nodes, opset, batch):
    read = {name for n in nodes for name in n.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [batch, 4, 3, 3])],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(v, k) for k, v in CONSTANTS.items() if k in read],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10
    )
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


@pytest.mark.parametrize("batch", ["N", BATCH])
@pytest.mark.parametrize("case", CASES)
def test_ends(tmp_path, case, batch):
    nodes, opset, *ends = CASES[case]
    end = ends[0 if batch == "N" else 1]
    model = make_model(nodes, opset, batch)
    onnx.save(model, tmp_path / "model.onnx")
    x = np.random.RandomState(3).uniform(-2, 2, (BATCH, 4, 3, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    done = headopt.invoke(
        ["model.onnx", "--run", "--input=x.npy", "-o", "y.npy", "--mcpu=native"],
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    done = headopt.invoke(
        ["model.onnx", "--outline-head", "--emit=mlir", "--quiet"], cwd=tmp_path
    )
    [found] = re.findall(r'-> \(tensor<.*onnx\.name = "(\w+)"', done.stdout)
    assert found == end

    runtime = headopt.OnnxRuntime(headopt.with_outputs(model, [end]))
    wanted = runtime({"x": x})[end]
    found = np.load(tmp_path / "y.npy")
    assert found.shape == wanted.shape
    # In units of u = 2^-24: a mean of nine numbers up to 2 is off by 10 * 2, and four
    # products with weights up to 1 make that 4 * (20 + 7 * 2) = 136 at most, where all
    # has its largest value; a Softmax moves no further than what it is given. Random
    # numbers are well below that. (Quotients by a scale are not near a tie here.)
    assert np.abs(found - wanted).max() <= 136 * 2.0**-24 * max(1, np.abs(wanted).max())


@pytest.mark.parametrize("type_", [np.int32, np.int64, np.uint8], ids=lambda t: t.__name__)
def test_quotients_that_are_no_numbers(tmp_path, type_):
    """What x / 0 is, ONNX does not say, nor -1 of the least number; the head does not
    end the program that calls it.
    """
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(type_))
    least = np.full(4, np.iinfo(type_).min, type_)
    nodes = [
        *POOLED,
        node("Cast", "f", "i", to=kind),
        node("Div", "least i", "q"),
        node("Cast", "q", "y", to=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, ["N", 4, 1, 1])],
        [helper.make_tensor_value_info("y", 1, ["N", 4])],
        [numpy_helper.from_array(least, "least")],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(model, tmp_path / "model.onnx")
    x = np.array([0, 2, 3, 0 if type_ is np.uint8 else -1], np.float32)
    np.save(tmp_path / "x.npy", x.reshape(1, 4, 1, 1))
    done = headopt.invoke(
        ["model.onnx", "--run", "--input=x.npy", "-o", "y.npy", "--mcpu=native"],
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    # Towards zero, as in C.
    wanted = np.trunc(least[0] / x[1:3].astype(np.longdouble)).astype(np.float32)
    assert np.array_equal(np.load(tmp_path / "y.npy")[0, 1:3], wanted)


@pytest.mark.parametrize("scales, statistics", [("f8", "f8"), ("f4", "f8"), ("f8", "f4")])
def test_batch_normalization_with_other_types(tmp_path, scales, statistics):
    """Opset 15 gives scale and bias, and mean and variance, types of their own."""
    random = np.random.RandomState(4)
    scale, bias, mean = random.uniform(0.5, 2, (3, 4))
    variance = random.uniform(0.5, 2, 4)
    if scales == statistics == "f8":
        # No numbers of f32, but their quotient, the factor, is one.
        scale[0], variance[0] = 1e60, 1e120
    parameters = {
        "s": scale.astype(scales), "b": bias.astype(scales),
        "m": mean.astype(statistics), "v": variance.astype(statistics),
    }  # fmt: skip
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("BatchNormalization", ["p", *parameters], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", 1, ["N", 4, 3, 3])],
        [helper.make_tensor_value_info("y", 1, ["N", 4, 1, 1])],
        [numpy_helper.from_array(v, k) for k, v in parameters.items()],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 15)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, tmp_path / "model.onnx")
    x = random.uniform(0, 1, (3, 4, 3, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    done = headopt.invoke(
        ["model.onnx", "--run", "--input=x.npy", "-o", "y.npy"], cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "y.npy")
    assert found.dtype == np.float32
    s, b, m, v = (p.astype(float) for p in parameters.values())
    factor = s / np.sqrt(v + 1e-5)
    centred = x.astype(float).mean(axis=(2, 3)) - m
    wanted = centred * factor + b
    # In units of u = 2^-24: a mean of nine numbers up to 1 is off by 9; m and b are
    # rounded, and so are factor, difference, product and sum.
    bound = factor * (10 + np.abs(m) + 4 * np.abs(centred)) + np.abs(b) + 2 * np.abs(wanted)
    assert (np.abs(found[:, :, 0, 0] - wanted) <= bound * 2.0**-24).all()
