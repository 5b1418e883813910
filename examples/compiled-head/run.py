#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A model in two halves: ONNX Runtime runs the backbone, a compiled head the rest.

head-opt cuts the model at its last feature map, writes what lies in front as
an ONNX model, and compiles what lies behind. This program runs the one, hands
the feature maps to the other through ctypes, and compares with ONNX Runtime on
the whole model. README.md goes through it.
"""

import argparse
import ctypes
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Rounding: the head adds up in another order than ONNX Runtime does.
TOLERANCE = {np.float16: 2e-3, np.float32: 1e-5, np.float64: 1e-12}


def make_model(path):
    """Two convolutions, a global average pool and a dense layer, with random
    weights, for any number of images of 32x32.
    """
    random = np.random.default_rng(0)

    def tensor(name, *shape):
        values = random.normal(0, 0.2, shape).astype(np.float32)
        return numpy_helper.from_array(values, name)

    nodes = [
        helper.make_node("Conv", ["image", "w0", "b0"], ["c0"], strides=[2, 2]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("Conv", ["r0", "w1", "b1"], ["c1"], strides=[2, 2]),
        helper.make_node("Relu", ["c1"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w2", "b2"], ["scores"], transB=1),
        helper.make_node("Softmax", ["scores"], ["classes"], axis=1),
    ]
    weights = [tensor("w0", 16, 3, 3, 3), tensor("b0", 16),
               tensor("w1", 64, 16, 3, 3), tensor("b1", 64),
               tensor("w2", 10, 64), tensor("b2", 10)]  # fmt: skip
    image = helper.make_tensor_value_info("image", 1, ["N", 3, 32, 32])
    classes = helper.make_tensor_value_info("classes", 1, ["N", 10])
    graph = helper.make_graph(nodes, "small", [image], [classes], weights)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def session(path):
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


def load(library, dynamic):
    """The head's C function, with the types that its header gives it."""
    head = ctypes.CDLL(library).head
    head.restype = ctypes.c_int
    head.argtypes = [
        ctypes.c_void_p,  # features
        ctypes.c_int64,  # batch
        *[ctypes.c_int64] * len(dynamic),  # extents known at run time only
        ctypes.c_void_p,  # output
    ]
    return head


def call(head, features, dynamic, output):
    """Both arrays are used where they lie; nothing is copied."""
    features = np.ascontiguousarray(features)
    assert output.flags.c_contiguous
    extents = [features.shape[axis] for axis in dynamic]
    code = head(
        features.ctypes.data, len(features), *extents, output.ctypes.data
    )
    if code != 0:
        raise SystemExit(f"the head refused its arguments (code {code})")


def make_inputs(model, batch):
    """Random numbers for each input; extents without a number are the batch
    where they come first, and 64 elsewhere.
    """
    types = {"tensor(float16)": np.float16, "tensor(float)": np.float32,
             "tensor(double)": np.float64}  # fmt: skip
    random, inputs = np.random.default_rng(1), {}
    for value in model.get_inputs():
        if value.type not in types:
            raise SystemExit(f"input {value.name} is a {value.type}: not one "
                             "that this example can make up")  # fmt: skip
        shape = [
            e if isinstance(e, int) else (64 if axis else batch)
            for axis, e in enumerate(value.shape)
        ]
        values = random.standard_normal(shape).astype(types[value.type])
        inputs[value.name] = values
    return inputs


def compare(output, expected):
    """0 where they are equal up to rounding, else 1: the exit code."""
    largest = np.abs(output.astype(float) - expected.astype(float)).max()
    scale = max(1.0, np.abs(expected.astype(float)).max())
    print(f"largest difference from ONNX Runtime {largest:.3g}")
    if not largest <= TOLERANCE[expected.dtype.type] * scale:
        print("the results differ", file=sys.stderr)
        return 1
    print("the results are equal, up to rounding")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?",
                        help="default: a small one is made")  # fmt: skip
    parser.add_argument("--batch", type=int, default=4,
                        help="images (default: %(default)s)")  # fmt: skip
    parser.add_argument("--head-opt", metavar="PROGRAM",
                        default=str(ROOT / "build" / "bin" / "head-opt"),
                        help="default: build/bin/head-opt")  # fmt: skip
    parser.add_argument("--dir", type=pathlib.Path,
                        help="keep the files there")  # fmt: skip
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.dir or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        return run(args, folder)


def run(args, folder):
    model = args.model
    if model is None:
        model = str(folder / "model.onnx")
        make_model(model)

    # 1. Cut and compile.
    backbone, library = folder / "backbone.onnx", folder / "head.so"
    command = [args.head_opt, model, "-o", str(library), "--name=head",
               f"--emit-backbone={backbone}"]  # fmt: skip
    if subprocess.run(command).returncode != 0:
        return 1

    # 2. The whole model, to compare with.
    whole = session(model)
    inputs = make_inputs(whole, args.batch)
    expected = whole.run(None, inputs)[0]

    # 3. The backbone, in ONNX Runtime.
    front = session(backbone)
    wanted = {value.name for value in front.get_inputs()}
    kept = {name: value for name, value in inputs.items() if name in wanted}
    (features,) = front.run(None, kept)

    # 4. The head, compiled.
    shape = front.get_outputs()[0].shape
    dynamic = [
        axis
        for axis, extent in enumerate(shape)
        if axis > 0 and not isinstance(extent, int)
    ]
    head = load(str(library), dynamic)
    output = np.full(expected.shape, np.nan, expected.dtype)
    call(head, features, dynamic, output)

    print(f"features {features.shape}, output {output.shape}")
    return compare(output, expected)


if __name__ == "__main__":
    sys.exit(main())
