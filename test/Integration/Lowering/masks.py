# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Heads with booleans, for processors and for GPUs. A boolean takes a byte in memory,
and a vector of eight takes a byte as well, so that code which reads masks in vectors
could read the wrong ones.

Every number is small and whole and there are four positions, so that means and sums are
exact and the answers must be ONNX Runtime's, bit by bit, unless there is a softmax.
"""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from headopt import F32, Type

CHANNELS, OUTPUTS = 19, 37  # whole vectors and a rest, of 4, 8 and 16 numbers
BATCHES = (11, 3, 1)  # 8 + 2 + 1
random = np.random.RandomState(5)


def booleans(*shape):
    return random.randint(0, 2, shape).astype(bool)


def whole(*shape):
    return random.randint(-4, 5, shape).astype(np.float32)


def every_pattern():
    """Eight outputs for each pattern of eight booleans, and a rest."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)).astype(bool)
    return np.concatenate([bits, [True, False, False, True, True]])


def typed(name, values):
    """With a number for each boolean in place of bytes."""
    return helper.make_tensor(name, TensorProto.BOOL, values.shape, values.tolist())


CONSTANTS = {
    "w": whole(CHANNELS, OUTPUTS),
    "wide": whole(CHANNELS, len(every_pattern())),
    "patterns": every_pattern(),
    "outputs": booleans(OUTPUTS),
    "numbers": typed("numbers", booleans(OUTPUTS)),
    "row": booleans(1, OUTPUTS),
    "channels": booleans(CHANNELS),
    "one": np.array([True]),
    "none": np.array(False),
    "all": np.ones(OUTPUTS, bool),
    "low": np.float32(-7),
    "zero": np.float32(0),
    "lows": whole(OUTPUTS),
    "last": np.array([1]),
}


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(), [output], **attributes)


POOLED = [node("GlobalAveragePool", "x", "p"), node("Flatten", "p", "f")]
DENSE = [*POOLED, node("Gemm", "f w", "d")]
GREATER = [*DENSE, node("Greater", "d lows", "g")]
CASES = {
    "behind dense": [*DENSE, node("Where", "outputs d low", "y")],
    "every pattern": [
        *POOLED,
        node("MatMul", "f wide", "d"),
        node("Where", "patterns d low", "y"),
    ],
    "the other way": [*DENSE, node("Where", "outputs low d", "y")],
    "two numbers": [*DENSE, node("Where", "outputs d lows", "y")],
    "of numbers": [*DENSE, node("Where", "numbers d low", "y")],
    "of a row": [*DENSE, node("Where", "row d low", "y")],
    "for all": [*DENSE, node("Where", "one d low", "y")],
    "for none": [*DENSE, node("Where", "none lows d", "y")],
    "all the same": [*DENSE, node("Where", "all d low", "y")],
    "behind an activation": [
        *DENSE,
        node("Relu", "d", "r"),
        node("Where", "outputs r low", "y"),
    ],
    "behind the pool": [*POOLED, node("Where", "channels f low", "y")],
    "between": [
        *POOLED,
        node("Where", "channels f low", "m"),
        node("Gemm", "m w", "y"),
    ],
    "behind a softmax": [
        *DENSE,
        node("Softmax", "d", "s", axis=1),
        node("Where", "outputs s low", "y"),
    ],
    "in a softmax": [
        *DENSE,
        node("Where", "outputs d low", "m"),
        node("Softmax", "m", "y", axis=1),
    ],
    "computed": [*GREATER, node("Where", "g d low", "y")],
    "computed twice": [
        *GREATER,
        node("Cast", "g", "c", to=1),
        node("Where", "g d c", "y"),
    ],
    "of rows": [
        *DENSE,
        node("ReduceSum", "d last", "s", keepdims=1),
        node("Greater", "s zero", "g"),
        node("Where", "g d low", "y"),
    ],
}
# How many times 2^-24 of its size an answer is off: what a softmax is given is exact;
# exp, of one and in the sum, is off by at most 4 each, and 36 additions and a division
# are rounded. Below the smallest normal number exp is 0.
SOFTMAX_ULPS = 4 + 4 + OUTPUTS
SMALLEST = 2.0**-126


def initializer(name):
    value = CONSTANTS[name]
    if isinstance(value, onnx.TensorProto):
        return value
    return numpy_helper.from_array(value, name)


@dataclass(frozen=True)
class MaskHead:
    """One of the cases, as tests of GPUs take heads (see lowering.Head)."""

    case: str
    type: Type = F32
    dynamic: tuple = ()

    def label(self):
        return self.case

    @property
    def outputs(self):
        """How many numbers the result of a sample has."""
        shape = self.model().graph.output[0].type.tensor_type.shape
        return shape.dim[1].dim_value

    def model(self):
        nodes = CASES[self.case]
        read = {name for n in nodes for name in n.input}
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", 1, ["N", CHANNELS, 2, 2])],
            [onnx.ValueInfoProto(name="y")],
            [initializer(name) for name in CONSTANTS if name in read],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10
        )
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)

    def check(self, features, output):
        """Against ONNX Runtime, which may be off as well."""
        session = ort.InferenceSession(self.model().SerializeToString())
        [expected] = session.run(["y"], {"x": features})
        if len(features) == max(BATCHES):
            assert len(np.unique(expected)) > 1
        relative, absolute = 0, 0
        if "softmax" in self.case:
            relative, absolute = 2 * SOFTMAX_ULPS * 2.0**-24, SMALLEST
        np.testing.assert_allclose(
            output, expected, rtol=relative, atol=absolute
        )


def features(batch):
    """Whole numbers."""
    values = np.random.RandomState(batch).randint(-9, 10, (batch, CHANNELS, 2, 2))
    return values.astype(np.float32)


# What no node of a head makes, but a linalg file may hold: booleans that two operations
# read, that a reduction joins, that a body picks out by itself, and numbers of few bits.
LINALG = """
#id = affine_map<(n, o) -> (n, o)>
#column = affine_map<(n, o) -> (o)>
#row = affine_map<(n, o) -> (n)>
func.func @head(%x: tensor<?x37xf32>) -> tensor<?x37xf32> {
  %zero = arith.constant 0.0 : f32
  %false = arith.constant false
  %c0 = arith.constant 0 : index
  %mask = arith.constant dense<[MASK]> : tensor<37xi1>
  %shift = arith.constant dense<[SHIFT]> : tensor<37xi4>
  %n = tensor.dim %x, %c0 : tensor<?x37xf32>
  %empty = tensor.empty(%n) : tensor<?x37xi1>
  %positive = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x37xf32>) outs(%empty : tensor<?x37xi1>) {
  ^bb0(%v: f32, %o: i1):
    %g = arith.cmpf ogt, %v, %zero : f32
    linalg.yield %g : i1
  } -> tensor<?x37xi1>
  %both = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]} ins(%positive, %mask : tensor<?x37xi1>, tensor<37xi1>) outs(%empty : tensor<?x37xi1>) {
  ^bb0(%p: i1, %m: i1, %o: i1):
    %a = arith.andi %p, %m : i1
    linalg.yield %a : i1
  } -> tensor<?x37xi1>
  %rows = tensor.empty(%n) : tensor<?xi1>
  %no = linalg.fill ins(%false : i1) outs(%rows : tensor<?xi1>) -> tensor<?xi1>
  %any = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%both : tensor<?x37xi1>) outs(%no : tensor<?xi1>) {
  ^bb0(%p: i1, %o: i1):
    %a = arith.ori %p, %o : i1
    linalg.yield %a : i1
  } -> tensor<?xi1>
  %result = tensor.empty(%n) : tensor<?x37xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #row, #column, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %both, %any, %shift : tensor<?x37xf32>, tensor<?x37xi1>, tensor<?xi1>, tensor<37xi4>) outs(%result : tensor<?x37xf32>) {
  ^bb0(%v: f32, %b: i1, %a: i1, %s: i4, %o: f32):
    %c = linalg.index 1 : index
    %c36 = arith.constant 36 : index
    %back = arith.subi %c36, %c : index
    %m = tensor.extract %mask[%back] : tensor<37xi1>
    %low = arith.sitofp %s : i4 to f32
    %number = arith.uitofp %a : i1 to f32
    %t = arith.select %b, %v, %low : f32
    %u = arith.select %m, %t, %number : f32
    linalg.yield %u : f32
  } -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}
"""
SHIFT = np.arange(37) % 16 - 8


@dataclass(frozen=True)
class LinalgHead:
    """That text, from a row of 37 numbers to one."""

    bits: int = 4
    type: Type = F32
    dynamic: tuple = ()
    outputs: int = 37

    def label(self):
        return f"linalg with i{self.bits}"

    def text(self):
        mask = ", ".join("true" if m else "false" for m in CONSTANTS["outputs"])
        shift = ", ".join(map(str, SHIFT))
        text = LINALG.replace("i4", f"i{self.bits}")
        return text.replace("MASK", mask).replace("SHIFT", shift)

    def features(self):
        """Some rows have no number that counts."""
        rows = np.random.RandomState(2).randint(-9, 10, (11, 37))
        rows[3:5] = -abs(rows[3:5])
        return rows.astype(np.float32)

    def check(self, x, output):
        mask = CONSTANTS["outputs"]
        both = (x > 0) & mask
        any_ = both.any(1, keepdims=True)
        assert any_.any() and not any_.all()
        answer = np.where(mask[::-1], np.where(both, x, SHIFT), any_)
        np.testing.assert_array_equal(output, answer)
