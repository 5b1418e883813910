# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is timed: feature maps, the heads behind them, as ONNX models, with the
inputs and the results they must give.
"""

import hashlib
import math
from dataclasses import dataclass

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper, numpy_helper

# Numpy type, ONNX type, and the difference from the result in double at which
# an entrant is thrown out. It is there to catch nonsense; rounding is for tests.
TYPES = {
    "f32": (np.float32, TensorProto.FLOAT, 1e-4),
    "f16": (np.float16, TensorProto.FLOAT16, 4e-3),
    "bf16": (ml_dtypes.bfloat16, TensorProto.BFLOAT16, 3e-2),
}
# Inputs that a cold run rotates through, in bytes.
ROTATION = 512 << 20
# Peers make something for each input.
MOST_INPUTS = 6000


@dataclass(frozen=True)
class Case:
    """One row of a table: a head, a batch, and where the input comes from."""

    name: str
    channels: int
    spatial: tuple  # H, W
    layout: str = "NCHW"
    type: str = "f32"
    batch: int = 1
    # warm: one input again and again. cold: inputs in turn, shuffled, that
    # fill far more than the caches. flush: one, pushed out before each call.
    mode: str = "warm"
    layers: tuple = ()  # outputs of the dense layers behind the pool

    @property
    def label(self):
        return (
            f"{self.name} {self.layout} {self.type} N={self.batch} {self.mode}"
        )

    @property
    def numpy(self):
        return np.dtype(TYPES[self.type][0])

    @property
    def tolerance(self):
        return TYPES[self.type][2]

    @property
    def extents(self):
        if self.layout == "NCHW":
            return (self.channels, *self.spatial)
        return (*self.spatial, self.channels)

    @property
    def shape(self):
        return (self.batch, *self.extents)

    @property
    def feature_bytes(self):
        return math.prod(self.shape) * self.numpy.itemsize

    @property
    def weight_bytes(self):
        widths = (self.channels, *self.layers)
        count = sum(k * o + o for k, o in zip(widths, widths[1:]))
        return count * self.numpy.itemsize

    @property
    def outputs(self):
        return self.layers[-1] if self.layers else self.channels

    @property
    def output_shape(self):
        if self.layers or self.layout == "NHWC":
            return (self.batch, self.outputs)
        return (self.batch, self.channels, 1, 1)

    @property
    def output_bytes(self):
        return self.batch * self.outputs * self.numpy.itemsize

    def weights(self):
        """Weight [outputs, inputs] and bias of each dense layer; the same in
        each run.
        """
        random = np.random.default_rng(len(self.layers) + self.channels)
        result, width = [], self.channels
        for outputs in self.layers:
            weight = random.standard_normal((outputs, width)) / width**0.5
            bias = random.standard_normal(outputs) * 0.1
            result.append((weight.astype(self.numpy), bias.astype(self.numpy)))
            width = outputs
        return result

    def model(self, batch):
        """The ONNX model, for that many images or, given a name, for any
        number.
        """
        return make_model(self, batch)

    def expected(self, features):
        """What the head makes of ``features``, in double."""
        axes = (2, 3) if self.layout == "NCHW" else (1, 2)
        value = features.astype(np.float64).mean(axis=axes)
        weights = self.weights()
        for index, (weight, bias) in enumerate(weights):
            value = value @ weight.astype(np.float64).T + bias.astype(float)
            if index + 1 < len(weights):
                value = np.maximum(value, 0.0)
        if len(weights) > 1:
            value = np.exp(value - value.max(axis=1, keepdims=True))
            value /= value.sum(axis=1, keepdims=True)
        return value


def make_model(case, batch):
    """Pool, and if there are layers: Flatten, Gemm, Relu, ..., Softmax behind
    the last one where there are several, as in the MobileNets that people
    retrain.
    """
    _, element, _ = TYPES[case.type]
    # Before opset 22 pools know no bfloat16.
    opset = 22 if case.type == "bf16" else 17
    nodes, tensors = [], []
    pooled = "f0" if case.layers else "y"
    if case.layout == "NCHW":
        mean = "p" if case.layers else "y"
        nodes.append(helper.make_node("GlobalAveragePool", ["x"], [mean]))
        if case.layers:
            nodes.append(helper.make_node("Flatten", [mean], [pooled], axis=1))
    elif opset < 18:
        nodes.append(
            helper.make_node(
                "ReduceMean", ["x"], [pooled], axes=[1, 2], keepdims=0
            )
        )
    else:
        tensors.append(numpy_helper.from_array(np.array([1, 2]), "axes"))
        nodes.append(
            helper.make_node("ReduceMean", ["x", "axes"], [pooled], keepdims=0)
        )
    weights = case.weights()
    for index, (weight, bias) in enumerate(weights):
        last = index + 1 == len(weights)
        tensors.append(numpy_helper.from_array(weight, f"w{index}"))
        tensors.append(numpy_helper.from_array(bias, f"b{index}"))
        output = "y" if last and len(weights) == 1 else f"g{index}"
        nodes.append(
            helper.make_node(
                "Gemm",
                [f"f{index}", f"w{index}", f"b{index}"],
                [output],
                transB=1,
            )
        )
        if not last:
            nodes.append(helper.make_node("Relu", [output], [f"f{index + 1}"]))
        elif len(weights) > 1:
            nodes.append(helper.make_node("Softmax", [output], ["y"], axis=1))
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("x", element, [batch, *case.extents])],
        [
            helper.make_tensor_value_info(
                "y", element, [batch, *case.output_shape[1:]]
            )
        ],
        tensors,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
    )


def empty_model():
    """A model with nothing to do: what calling a runtime costs by itself."""
    value = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in "xy"
    ]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])], "head", value[:1], value[1:]
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )


@dataclass(frozen=True)
class EmptyCase(Case):
    """Calls of ``empty_model``; in the modes of the other cases, because what a
    call costs depends on them.
    """

    name: str = "empty"
    channels: int = 1
    spatial: tuple = ()

    @property
    def extents(self):
        return ()

    @property
    def output_shape(self):
        return (1,)

    def model(self, batch):
        return empty_model()

    def expected(self, features):
        return np.maximum(features.astype(np.float64), 0.0)


def digest(model):
    return hashlib.sha256(model.SerializeToString()).hexdigest()[:16]


class Inputs:
    """The buffers of one case, in one arena for all cases and entrants."""

    SIZE = 1 << 30
    PAGE = 4096

    def __init__(self, allocate):
        self.memory = np.frombuffer(allocate(self.SIZE), np.uint8)
        self.filled = None

    def fill(self, type_name):
        if self.filled == type_name:
            return
        element = np.dtype(TYPES[type_name][0])
        # An odd number of values, repeated: no two rows start alike.
        random = np.random.default_rng(1)
        period = random.uniform(-1.0, 1.0, 1_000_003).astype(element)
        words = np.dtype(f"u{element.itemsize}")
        target = self.memory.view(words)
        for start in range(0, target.size, period.size):
            stop = min(start + period.size, target.size)
            target[start:stop] = period.view(words)[: stop - start]
        self.filled = type_name

    def take(self, case):
        """The inputs of the case, in the order in which they are used."""
        self.fill(case.type)
        stride = -(-case.feature_bytes // self.PAGE) * self.PAGE
        count = 1
        if case.mode == "cold":
            count = max(2, min(ROTATION // stride, MOST_INPUTS))
        assert count * stride <= self.SIZE
        order = np.random.default_rng(2).permutation(count)
        return [
            self.memory[i * stride : i * stride + case.feature_bytes]
            .view(case.numpy)
            .reshape(case.shape)
            for i in order
        ]
