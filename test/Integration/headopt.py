# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the integration tests share: small ONNX models, a call of head-opt, and
the judge that compares two models.

Three parts:

* ``Graph`` and ``make_head`` build models. ``make_head`` takes the way a head
  is spelled apart: how the map is collapsed (``COLLAPSE``), how the dense layer
  is written (``DENSE``), where its weight lives (``PLACE``). The weight is
  given as an array over the axes of the feature map, so that the matrix in the
  file follows from the order in which the map is flattened, never the other way
  round.
* ``run`` calls the tool and returns everything it left behind.
* ``assert_rewritten``, ``assert_refused``, ``assert_equivalent`` ... judge it.

The tool under test is ``$HEAD_OPT``, or ``build/bin/head-opt`` of this
checkout.
"""

import copy
import json
import math
import os
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

ort.set_default_logger_severity(4)

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = Path(
    os.environ.get("HEAD_OPT") or REPOSITORY / "build" / "bin" / "head-opt"
).absolute()
TIME_LIMIT = 60  # seconds; a run takes about 30 ms

RULES = {
    "L1": "view",
    "L2": "samples stay apart",
    "L3": "constant weight",
    "L4": "finite pooled weight",
    "L5": "floating point",
    "L6": "an axis that does not vary",
    "L7": "extents agree",
    "L8": "dense form",
    "L9": "new nodes can be written",
}


# ----------------------------------------------------------------------------
# Element types
# ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Type:
    """A floating-point element type: its ONNX number, its numpy type, and the
    distance from 1 to the next number.
    """

    name: str
    onnx: int
    numpy: type
    eps: float
    largest: float


F16 = Type("f16", TensorProto.FLOAT16, np.float16, 2.0**-10, 65504.0)
BF16 = Type(
    "bf16",
    TensorProto.BFLOAT16,
    ml_dtypes.bfloat16,
    2.0**-7,
    float(ml_dtypes.finfo(ml_dtypes.bfloat16).max),
)
F32 = Type(
    "f32",
    TensorProto.FLOAT,
    np.float32,
    2.0**-23,
    float(np.finfo(np.float32).max),
)
F64 = Type(
    "f64",
    TensorProto.DOUBLE,
    np.float64,
    2.0**-52,
    float(np.finfo(np.float64).max),
)
TYPES = {t.name: t for t in (F16, BF16, F32, F64)}


def type_of(array):
    """The floating-point ``Type`` of an array, None for any other type."""
    return next(
        (t for t in TYPES.values() if np.dtype(t.numpy) == array.dtype), None
    )


def wide(array):
    """The array in double; exact for every type the tests use."""
    return np.asarray(array).astype(np.float64)


def bits(array):
    """The array as unsigned integers of its width, so that comparing means
    comparing bits.
    """
    array = np.ascontiguousarray(array)
    return array.view(
        {2: np.uint16, 4: np.uint32, 8: np.uint64}[array.dtype.itemsize]
    )


def next_up(array, index):
    """A copy in which the element at ``index`` moved by one unit in the last
    place, away from zero.
    """
    moved = np.array(array, order="C")
    bits(moved)[index] += 1
    assert np.isfinite(wide(moved[index])) and moved[index] != array[index]
    return moved


# ----------------------------------------------------------------------------
# Building models
# ----------------------------------------------------------------------------


class Graph:
    """Collects nodes and tensors, and writes each operator the way the given
    opset wants it.
    """

    def __init__(self, opset=17, ir=None, type=F32, name="g"):
        self.opset, self.type, self.name = opset, type, name
        self.ir = ir or helper.find_min_ir_version_for(
            [helper.make_opsetid("", opset)]
        )
        (
            self.nodes,
            self.inputs,
            self.outputs,
            self.initializers,
            self.value_info,
        ) = [], [], [], [], []
        self.overridable, self.functions, self.imports, self.count = (
            [],
            [],
            [("", opset)],
            0,
        )

    def fresh(self, stem="v"):
        self.count += 1
        return f"{stem}_{self.count}"

    def input(self, name, shape, type=None):
        self.inputs.append(
            helper.make_tensor_value_info(name, type or self.type.onnx, shape)
        )
        return name

    def output(self, name, shape=None, type=None):
        # The checker wants a shape, if only its rank.
        shape = ["rows", "columns"] if shape is None else shape
        self.outputs.append(
            helper.make_tensor_value_info(name, type or self.type.onnx, shape)
        )
        return name

    def init(self, array, name=None, typed=False, overridable=False):
        """An initialiser: raw_data, or with ``typed`` the field of its type.
        ``overridable`` lists it as a graph input too.
        """
        name = name or self.fresh("c")
        self.initializers.append(make_tensor(array, name, typed))
        if overridable:
            self.overridable.append(name)
        return name

    def ints(self, values, name=None):
        return self.init(np.array(values, np.int64), name)

    def constant(self, array, name=None):
        """A Constant node with the attribute ``value``."""
        return self.node("Constant", [], name, value=make_tensor(array, ""))

    def node(self, op, inputs, output=None, name="", domain="", **attributes):
        """Adds a node; ``output`` is a name, a list of names, or None for a
        made-up one. Returns the first output's name.
        """
        outputs = (
            [output or self.fresh(op.lower())]
            if output is None or isinstance(output, str)
            else output
        )
        self.nodes.append(
            helper.make_node(
                op, inputs, outputs, name=name, domain=domain, **attributes
            )
        )
        return outputs[0]

    # Operators whose spelling changed between opsets.

    def squeeze(self, x, axes, output=None):
        if self.opset < 13:
            return self.node("Squeeze", [x], output, axes=axes)
        return self.node("Squeeze", [x, self.ints(axes)], output)

    def unsqueeze(self, x, axes, output=None):
        if self.opset < 13:
            return self.node("Unsqueeze", [x], output, axes=axes)
        return self.node("Unsqueeze", [x, self.ints(axes)], output)

    def slice(self, x, start, end, axis=0):
        if self.opset < 10:
            return self.node(
                "Slice", [x], starts=[start], ends=[end], axes=[axis]
            )
        return self.node(
            "Slice",
            [x, self.ints([start]), self.ints([end]), self.ints([axis])],
        )

    def mean(self, x, axes, keepdims=1, output=None):
        if self.opset < 18:
            return self.node(
                "ReduceMean", [x], output, axes=axes, keepdims=keepdims
            )
        return self.node(
            "ReduceMean", [x, self.ints(axes)], output, keepdims=keepdims
        )

    def add(self, a, b, output=None, name=""):
        """a + b, where b broadcasts to a."""
        return self.node(
            "Add",
            [a, b],
            output,
            name,
            **({"broadcast": 1} if self.opset < 7 else {}),
        )

    def gemm(self, inputs, output=None, name="", **attributes):
        if self.opset < 7 and len(inputs) == 3:
            attributes["broadcast"] = 1
        return self.node("Gemm", inputs, output, name, **attributes)

    def define(self, name, body, inputs=("map",), attributes=(), defaults=()):
        """The model-local function local::name with the nodes of ``body``, whose
        result is called answer.
        """
        self.imports.append(("local", 1))
        function = helper.make_function(
            "local",
            name,
            list(inputs),
            ["answer"],
            body.nodes,
            [helper.make_opsetid("", body.opset)],
            list(attributes),
            list(defaults),
        )
        self.functions.append(function)
        return function

    def graph(self):
        """The GraphProto, as a subgraph wants it."""
        return helper.make_graph(
            self.nodes,
            self.name,
            self.inputs,
            self.outputs,
            self.initializers,
            value_info=self.value_info,
        )

    def model(self):
        """The model, checked: a test never runs on a file that onnx.checker
        would turn down.
        """
        listed = [
            i
            for i in self.initializers
            if self.ir < 4 or i.name in self.overridable
        ]
        graph = self.graph()
        graph.input.extend(
            helper.make_tensor_value_info(i.name, i.data_type, i.dims)
            for i in listed
        )
        imports = [helper.make_opsetid(d, v) for d, v in self.imports]
        model = helper.make_model(
            graph,
            opset_imports=imports,
            ir_version=self.ir,
            functions=self.functions,
            producer_name="tests",
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def make_tensor(array, name, typed=False):
    if not typed:
        return numpy_helper.from_array(np.array(array, order="C"), name)
    tensor = helper.make_tensor(
        name,
        helper.np_dtype_to_tensor_dtype(array.dtype),
        array.shape,
        array.flatten(),
    )
    assert not tensor.HasField("raw_data")
    return tensor


def weights(outputs, extents, vary=(1,), type=F32, seed=0):
    """An array over [output, map axes] that varies along the outputs and the
    map axes ``vary`` (1 is the first after the batch).

    All numbers differ, so that no axis is constant by accident.
    """
    shape = [outputs] + [
        e if axis in vary else 1 for axis, e in enumerate(extents, 1)
    ]
    random = np.random.RandomState(seed)
    values = (
        random.permutation(math.prod(shape))
        + 1.0
        + 0.25 * random.rand(math.prod(shape))
    )
    values = (
        values / values.size * random.choice([-1.0, 1.0], values.size)
    ).reshape(shape)
    return np.ascontiguousarray(
        np.broadcast_to(values, [outputs, *extents])
    ).astype(type.numpy)


@dataclass
class Spec:
    """How a head is to be written; see ``make_head``."""

    opset: int = 17
    ir: int = None
    type: Type = F32
    batch: object = "N"
    extents: tuple = (3, 2, 4)
    outputs: int = 5
    collapse: object = (
        "flatten"  # a name in COLLAPSE, or a function like those there
    )
    dense: str = "gemm_tb1"
    place: object = "raw"  # a name in PLACE, or a function like those there
    vary: tuple = (1,)
    weight: np.ndarray = (
        None  # over [output, map axes]; made from ``vary`` when absent
    )
    name: str = "dense"
    # For the collapse "perm": a transpose of the whole map, batch first.
    perm: tuple = None
    # Makes the map from graph inputs; without it, the map is the input x.
    front: object = None
    constant: tuple = ()  # axes along which what ``front`` makes cannot vary

    @property
    def rank(self):
        return len(self.extents) + 1

    @property
    def size(self):
        return math.prod(self.extents)


@dataclass
class Head:
    """A model with one head, and what there is to know about it."""

    model: onnx.ModelProto
    spec: Spec
    weight: np.ndarray  # over [output, map axes]
    order: list  # map axes from slowest to fastest in the flattened order
    bias: int  # elements of the bias

    @property
    def matrix(self):
        """The weight as [output, k]."""
        return as_matrix(self.weight, self.order)

    @property
    def parameters(self):
        return self.weight.size + self.bias

    def pooled(self):
        """The axes over which the theorem pools: the weight is constant along
        them (asked of the array itself), or the map is.
        """
        axes = {
            a
            for a in range(1, self.weight.ndim)
            if (bits(self.weight) == bits(self.weight.take([0], a))).all()
        }
        axes |= set(self.spec.constant)
        return axes - {1} if len(axes) == self.weight.ndim - 1 else axes

    def twin(self, index):
        """The same head with one weight moved by one unit in the last place."""
        return make_head(self.spec, weight=next_up(self.weight, index))


def as_matrix(weight, order):
    return np.ascontiguousarray(weight.transpose([0, *order])).reshape(
        weight.shape[0], -1
    )


def from_matrix(matrix, extents, order):
    """The other way round: the array over [output, map axes] whose matrix [O,
    K] is this one.
    """
    spread = matrix.reshape(len(matrix), *(extents[a - 1] for a in order))
    return np.ascontiguousarray(
        spread.transpose(
            [0, *(1 + order.index(a) for a in range(1, len(order) + 1))]
        )
    )


# How the map becomes [N, K]. Each takes the graph, the map's name and the spec,
# and returns the flat value's name. The second entry is the first opset in
# which the spelling exists; the third what it needs of the batch.

COLLAPSE = {}


def plain(s):
    return list(range(1, s.rank))


def collapse(since=6, batch="any", order=None):
    def register(build):
        COLLAPSE[build.__name__] = (build, since, batch, order or plain)
        return build

    return register


def nhwc(s):
    return [*range(2, s.rank), 1]


def reshape(g, x, shape, **attributes):
    return g.node("Reshape", [x, g.ints(shape)], **attributes)


@collapse()
def flatten(g, x, s):
    return g.node("Flatten", [x], axis=1)


@collapse()
def flatten_default(g, x, s):
    return g.node("Flatten", [x])


@collapse(since=11)
def flatten_negative(g, x, s):
    return g.node("Flatten", [x], axis=1 - s.rank)


@collapse()
def reshape_m1_k(g, x, s):
    return reshape(g, x, [-1, s.size])


@collapse()
def reshape_0_m1(g, x, s):
    return reshape(g, x, [0, -1])


@collapse()
def reshape_0_k(g, x, s):
    return reshape(g, x, [0, s.size])


@collapse(batch="static")
def reshape_n_k(g, x, s):
    return reshape(g, x, [s.batch, s.size])


@collapse(batch="static")
def reshape_n_m1(g, x, s):
    return reshape(g, x, [s.batch, -1])


@collapse(since=14)
def reshape_allowzero_m1_k(g, x, s):
    return reshape(g, x, [-1, s.size], allowzero=1)


@collapse(since=14, batch="static")
def reshape_allowzero_n_k(g, x, s):
    return reshape(g, x, [s.batch, s.size], allowzero=1)


@collapse(since=14, batch="static")
def reshape_allowzero_n_m1(g, x, s):
    return reshape(g, x, [s.batch, -1], allowzero=1)


@collapse()
def reshape_by_constant_node(g, x, s):
    return g.node("Reshape", [x, g.constant(np.array([-1, s.size], np.int64))])


@collapse()
def reshape_twice(g, x, s):
    return reshape(g, reshape(g, x, [0, s.extents[0], -1]), [0, -1])


@collapse()
def reshape_merges_then_flatten(g, x, s):
    return g.node("Flatten", [reshape(g, x, [0, -1, s.extents[-1]])], axis=1)


@collapse()
def reshape_splits_then_flatten(g, x, s):
    return g.node(
        "Flatten",
        [reshape(g, x, [*[0] * (s.rank - 1), 2, s.extents[-1] // 2])],
        axis=1,
    )


@collapse()
def unsqueeze_squeeze_flatten(g, x, s):
    return g.node(
        "Flatten", [g.squeeze(g.unsqueeze(x, [s.rank]), [s.rank])], axis=1
    )


@collapse()
def unsqueeze_flatten(g, x, s):
    return g.node("Flatten", [g.unsqueeze(x, [1, s.rank])], axis=1)


@collapse(order=nhwc)
def transpose_flatten(g, x, s):
    return g.node(
        "Flatten", [g.node("Transpose", [x], perm=[0, *nhwc(s)])], axis=1
    )


@collapse(order=nhwc)
def transpose_reshape(g, x, s):
    return reshape(
        g, g.node("Transpose", [x], perm=[0, *nhwc(s)]), [-1, s.size]
    )


@collapse(order=nhwc)
def transpose_reshape_computed(g, x, s):
    """As tf2onnx writes it: the batch comes from the shape of the map before
    the Transpose, and travels as int32.
    """
    turned = g.node("Transpose", [x], perm=[0, *nhwc(s)])
    shape = g.node(
        "Gather", [g.node("Shape", [x]), g.ints([0, *nhwc(s)])], axis=0
    )
    first = g.slice(g.node("Cast", [shape], to=TensorProto.INT32), 0, 1)
    target = g.node(
        "Concat", [first, g.init(np.array([s.size], np.int32))], axis=0
    )
    return g.node(
        "Reshape", [turned, g.node("Cast", [target], to=TensorProto.INT64)]
    )


@collapse()
def transpose_there_and_back(g, x, s):
    there = g.node("Transpose", [x], perm=[0, *nhwc(s)])
    return g.node(
        "Flatten",
        [
            g.node(
                "Transpose",
                [there],
                perm=[0, s.rank - 1, *range(1, s.rank - 1)],
            )
        ],
        axis=1,
    )


@collapse()
def transpose_identity_flatten(g, x, s):
    return g.node(
        "Flatten", [g.node("Transpose", [x], perm=list(range(s.rank)))], axis=1
    )


@collapse(order=lambda s: list(s.perm[1:]))
def perm(g, x, s):
    return g.node(
        "Flatten", [g.node("Transpose", [x], perm=list(s.perm))], axis=1
    )


@collapse()
def identity_flatten_identity(g, x, s):
    return g.node(
        "Identity", [g.node("Flatten", [g.node("Identity", [x])], axis=1)]
    )


@collapse(since=7)
def computed_gather_m1(g, x, s):
    batch = g.node(
        "Gather", [g.node("Shape", [x]), g.init(np.array(0, np.int64))], axis=0
    )
    return g.node(
        "Reshape",
        [x, g.node("Concat", [g.unsqueeze(batch, [0]), g.ints([-1])], axis=0)],
    )


@collapse(since=7)
def computed_gather_k(g, x, s):
    batch = g.node(
        "Gather", [g.node("Shape", [x]), g.init(np.array(0, np.int64))], axis=0
    )
    return g.node(
        "Reshape",
        [
            x,
            g.node(
                "Concat", [g.unsqueeze(batch, [0]), g.ints([s.size])], axis=0
            ),
        ],
    )


@collapse(since=7)
def computed_slice_m1(g, x, s):
    return g.node(
        "Reshape",
        [
            x,
            g.node(
                "Concat",
                [g.slice(g.node("Shape", [x]), 0, 1), g.ints([-1])],
                axis=0,
            ),
        ],
    )


@collapse(since=15)
def computed_shape_range_k(g, x, s):
    batch = g.node("Shape", [x], start=0, end=1)
    return g.node(
        "Reshape", [x, g.node("Concat", [batch, g.ints([s.size])], axis=0)]
    )


@collapse(since=7)
def computed_product(g, x, s):
    """As torch writes x.view(x.size(0), x.size(1) * x.size(2) * ...)."""
    dims = [
        g.node(
            "Gather",
            [g.node("Shape", [x]), g.init(np.array(a, np.int64))],
            axis=0,
        )
        for a in range(s.rank)
    ]
    product = dims[1]
    for dim in dims[2:]:
        product = g.node("Mul", [product, dim])
    return g.node(
        "Reshape",
        [
            x,
            g.node(
                "Concat",
                [g.unsqueeze(dims[0], [0]), g.unsqueeze(product, [0])],
                axis=0,
            ),
        ],
    )


@collapse()
def cast_to_its_own_type(g, x, s):
    return g.node("Flatten", [g.node("Cast", [x], to=s.type.onnx)], axis=1)


@collapse()
def relu_between(g, x, s):
    """A per-element op between Flatten and the dense layer; the mean is of what
    it returns.
    """
    return g.node("Relu", [g.node("Flatten", [x], axis=1)])


# How the dense layer is written. Each takes the graph, the flat value, a maker
# of the weight, the spec and the names of the node and of the model's output,
# and returns the number of bias elements. ``make(transposed)`` writes the
# weight as [K, O], transposed as [O, K].

DENSE = {}


def dense(since=6):
    def register(build):
        DENSE[build.__name__] = (build, since)
        return build

    return register


def make_bias(g, s, shape=None):
    shape = (s.outputs,) if shape is None else shape
    return g.init(
        (np.arange(1, math.prod(shape) + 1).reshape(shape) / 8).astype(
            s.type.numpy
        ),
        g.fresh("bias"),
    )


@dense()
def gemm_tb1(g, f, make, s, y):
    g.gemm([f, make(True), make_bias(g, s)], y, s.name, transB=1)
    return s.outputs


@dense()
def gemm_tb0(g, f, make, s, y):
    g.gemm([f, make(False), make_bias(g, s)], y, s.name)
    return s.outputs


@dense()
def gemm_alpha_beta(g, f, make, s, y):
    g.gemm(
        [f, make(True), make_bias(g, s)],
        y,
        s.name,
        alpha=0.5,
        beta=2.0,
        transB=1,
    )
    return s.outputs


@dense()
def gemm_alpha_negative(g, f, make, s, y):
    g.gemm([f, make(False), make_bias(g, s)], y, s.name, alpha=-3.0, beta=0.25)
    return s.outputs


@dense()
def gemm_beta_zero(g, f, make, s, y):
    g.gemm([f, make(True), make_bias(g, s)], y, s.name, beta=0.0, transB=1)
    return s.outputs


@dense(since=11)
def gemm_no_bias(g, f, make, s, y):
    g.gemm([f, make(True)], y, s.name, transB=1)
    return 0


@dense(since=11)
def gemm_empty_bias(g, f, make, s, y):
    g.gemm([f, make(True), ""], y, s.name, alpha=2.0, transB=1)
    return 0


@dense(since=7)
def gemm_scalar_bias(g, f, make, s, y):
    g.gemm([f, make(True), make_bias(g, s, ())], y, s.name, transB=1)
    return 1


@dense(since=7)
def gemm_row_bias(g, f, make, s, y):
    g.gemm([f, make(False), make_bias(g, s, (1, s.outputs))], y, s.name)
    return s.outputs


@dense()
def matmul(g, f, make, s, y):
    g.node("MatMul", [f, make(False)], y, s.name)
    return 0


@dense()
def matmul_add(g, f, make, s, y):
    g.add(g.node("MatMul", [f, make(False)], None, s.name), make_bias(g, s), y)
    return s.outputs


@dense(since=7)
def add_matmul(g, f, make, s, y):
    g.node(
        "Add",
        [make_bias(g, s), g.node("MatMul", [f, make(False)], None, s.name)],
        y,
    )
    return s.outputs


# Where the weight lives. Each takes the graph and the matrix as the dense layer
# reads it, and returns a value's name.

PLACE = {}


def place(since=6):
    def register(build):
        PLACE[build.__name__] = (build, since)
        return build

    return register


@place()
def raw(g, m):
    return g.init(m, "weight")


@place()
def typed(g, m):
    return g.init(m, "weight", typed=True)


@place()
def constant_node(g, m):
    return g.constant(m, "weight")


@place()
def behind_transpose(g, m):
    return g.node("Transpose", [g.init(m.T, "weight")], perm=[1, 0])


@place()
def behind_default_transpose(g, m):
    return g.node("Transpose", [g.init(m.T, "weight")])


@place()
def behind_identity_transpose(g, m):
    return g.node("Transpose", [g.init(m, "weight")], perm=[0, 1])


@place()
def behind_reshape(g, m):
    return g.node(
        "Reshape",
        [g.init(m.reshape(m.shape[0] // 1, -1, 1), "weight"), g.ints(m.shape)],
    )


@place()
def behind_reshape_m1(g, m):
    return g.node(
        "Reshape", [g.init(m.reshape(-1), "weight"), g.ints([m.shape[0], -1])]
    )


@place()
def behind_identity(g, m):
    return g.node("Identity", [g.init(m, "weight")])


@place()
def behind_transposed_constant(g, m):
    return g.node(
        "Transpose",
        [g.node("Identity", [g.constant(m.T, "weight")])],
        perm=[1, 0],
    )


def make_head(spec=None, **changes):
    """A model of one head: x -> collapse -> dense -> y, written as the spec
    says.
    """
    s = replace(spec or Spec(), **changes)
    build, since, batch, order = (
        COLLAPSE[s.collapse]
        if isinstance(s.collapse, str)
        else (s.collapse, 6, "any", plain)
    )
    assert s.opset >= since and (batch == "any" or isinstance(s.batch, int)), (
        s.collapse,
        s.opset,
        s.batch,
    )
    g = Graph(s.opset, s.ir, s.type)
    weight = (
        weights(s.outputs, s.extents, s.vary, s.type)
        if s.weight is None
        else s.weight
    )
    assert weight.shape == (s.outputs, *s.extents) and weight.dtype == np.dtype(
        s.type.numpy
    )
    matrix = as_matrix(weight, order(s))
    x = s.front(g, s) if s.front else g.input("x", [s.batch, *s.extents])
    flat = build(g, x, s)
    write, since = DENSE[s.dense]
    assert s.opset >= since
    keep, since = PLACE[s.place] if isinstance(s.place, str) else (s.place, 6)
    assert s.opset >= since
    bias = write(
        g,
        flat,
        lambda transposed: keep(
            g, matrix if transposed else np.ascontiguousarray(matrix.T)
        ),
        s,
        "y",
    )
    g.output("y", [s.batch, s.outputs])
    return Head(g.model(), s, weight, order(s), bias)


# ----------------------------------------------------------------------------
# Calling the tool
# ----------------------------------------------------------------------------


@dataclass
class Result:
    """One run of head-opt: its exit status, what it said, and the files."""

    rc: int
    stdout: str
    stderr: str
    source: Path
    target: Path
    report: dict = None
    _models: dict = field(default_factory=dict)

    def _load(self, path):
        if path not in self._models:
            self._models[path] = onnx.load(path)
        return self._models[path]

    @property
    def before(self):
        return self._load(self.source)

    @property
    def after(self):
        return self._load(self.target)

    @property
    def unchanged(self):
        return self.source.read_bytes() == self.target.read_bytes()

    @property
    def heads(self):
        return self.report["heads"]

    def head(self, name):
        """The report's entry of one dense node."""
        found = [h for h in self.heads if h["node"] == name]
        assert len(found) == 1, (
            f"{len(found)} entries for {name!r} among "
            f"{[h['node'] for h in self.heads]}"
        )
        return found[0]

    @property
    def rewritten(self):
        return [h["node"] for h in self.heads if h["verdict"] == "rewritten"]


def not_json(word):
    raise AssertionError(f"the report holds {word}, which is no JSON")


def invoke(arguments, cwd=None):
    """Runs the tool itself; everything else here goes through this."""
    return subprocess.run(
        [str(TOOL), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIME_LIMIT,
    )


def run(directory, model, *flags, name="model.onnx", out="out.onnx", rc=0):
    """Runs head-opt on a model (a proto, or the path of a file) in
    ``directory``, and expects the exit status ``rc``.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    if isinstance(model, onnx.ModelProto):
        source = directory / name
        onnx.save(model, source)
    else:
        source = Path(model)
    target, report = directory / out, directory / "report.json"
    for stale in (target, report):
        stale.unlink(missing_ok=True)
    done = invoke([source, "-o", target, f"--report={report}", *flags])
    said = f"exit {done.returncode}, expected {rc}\n{done.stderr}"
    assert done.returncode == rc, said
    result = Result(done.returncode, done.stdout, done.stderr, source, target)
    if rc == 1:
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("head-opt: error: "), (
            f"an error is one line: {done.stderr!r}"
        )
        assert source.name in lines[0], (
            f"the error does not name the file: {lines[0]!r}"
        )
        assert not target.exists(), "an output was left behind by a failed run"
    if report.exists():
        result.report = json.loads(report.read_text(), parse_constant=not_json)
    elif rc in (0, 3):
        raise AssertionError("no report was written")
    return result


# ----------------------------------------------------------------------------
# Judging: the report
# ----------------------------------------------------------------------------

FIELDS = {
    "node": str,
    "op": str,
    "feature_map": list,
    "axes_order": list,
    "pooled_axes": list,
    "verdict": str,
    "rules": list,
    "reason": (str, type(None)),
    "residual": (int, float, type(None)),
    "first_difference": (dict, type(None)),
    "parameters_before": int,
    "parameters_after": int,
    "if_pooled": (int, type(None)),
    "condition": (str, type(None)),
}


def assert_well_formed(report):
    """Every field the report promises is there, with the right type, and the
    parts do not contradict each other.
    """
    for key in (
        "input",
        "output",
        "parameters_before",
        "parameters_after",
        "bytes_before",
        "bytes_after",
        "heads_already_pooled",
        "heads",
    ):
        assert key in report, f"the report lacks {key!r}"
    for h in report["heads"]:
        for key, kind in FIELDS.items():
            assert key in h and isinstance(h[key], kind), (
                f"{h.get('node')}: {key} is {h.get(key, 'absent')!r}"
            )
        assert h["verdict"] in ("rewritten", "unit", "pooled", "refused"), h[
            "verdict"
        ]
        for rule in h["rules"]:
            assert (
                rule["label"] in RULES
                and rule["outcome"] in ("pass", "fail", "skipped")
                and rule["text"]
            ), rule
        failed = [r["label"] for r in h["rules"] if r["outcome"] == "fail"]
        if h["verdict"] == "rewritten":
            assert not failed and {r["label"] for r in h["rules"]} == set(
                RULES
            ), f"{h['node']}: rewritten with {h['rules']}"
            assert h["pooled_axes"] and h["condition"], h
        if h["verdict"] == "refused":
            assert failed and h["reason"], (
                f"{h['node']}: refused without a failed rule or a reason: {h}"
            )
            assert h["parameters_after"] == h["parameters_before"]


def failed_rules(entry):
    return [r["label"] for r in entry["rules"] if r["outcome"] == "fail"]


def stretches(extents, pooled, size):
    """The flattened order as [(extent, pooled)], slowest first, without unit
    axes, neighbours of one kind merged.

    It says the same about [N, C, H, W] read in the order 2, 3, 1 and about [N,
    H, W, C] read as it stands, so a test does not depend on which of several
    equal values a tool calls the feature map. One unknown stretch is filled in
    from ``size``.
    """
    merged = []
    for extent, flag in zip(extents, pooled):
        if extent == 1:
            continue
        if merged and merged[-1][1] == flag:
            last = merged[-1][0]
            merged[-1][0] = (
                None if extent is None or last is None else last * extent
            )
        else:
            merged.append([extent, flag])
    known = math.prod(e for e, _ in merged if e is not None)
    return [(size // known if e is None else e, f) for e, f in merged]


def described(entry, size):
    """``stretches`` of what a report says."""
    shape, order = entry["feature_map"], entry["axes_order"]
    assert sorted(order) == list(range(1, len(shape))), (
        f"axes_order {order} does not list the axes of {shape}"
    )
    assert set(entry["pooled_axes"]) <= set(order), entry
    return stretches(
        [shape[a] for a in order],
        [a in entry["pooled_axes"] for a in order],
        size,
    )


def flat_index(entry, position):
    """The index into K that a position in the reported feature map has."""
    shape, order = entry["feature_map"], entry["axes_order"]
    assert len(position) == len(order), f"position {position} in a map {shape}"
    index = 0
    for axis in order:
        assert 0 <= position[axis - 1] < shape[axis], (
            f"position {position} lies outside {shape}"
        )
        index = index * shape[axis] + position[axis - 1]
    return index


def assert_true_difference(entry, matrix):
    """What ``first_difference`` says holds of the weight [O, K]: those two
    numbers, one step apart along that axis.
    """
    d = entry["first_difference"]
    assert d is not None, (
        f"{entry['node']}: refused for its weights, but no place is named"
    )
    k = flat_index(entry, d["position"])
    seen = {float(v) for v in d["values"]}
    assert len(d["values"]) == 2 and len(seen) == 2, d
    assert float(matrix[d["output"], k]) in seen, (
        f"{d} but the weight there is {matrix[d['output'], k]}"
    )
    along = []
    for i in range(entry["feature_map"][d["axis"]]):
        position = list(d["position"])
        position[d["axis"] - 1] = i
        along.append(float(matrix[d["output"], flat_index(entry, position)]))
    assert seen <= set(along), (
        f"{d} but along that axis the weights are {along}"
    )
    return d["output"], k


# ----------------------------------------------------------------------------
# Judging: the file
# ----------------------------------------------------------------------------


def graphs(graph):
    """The graph and every graph inside it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] * attribute.HasField("g") + list(
                attribute.graphs
            ):
                yield from graphs(inner)


def passes_checker(model, full=True):
    """Whether onnx.checker takes the model; ``full`` adds strict shape
    inference.
    """
    try:
        onnx.checker.check_model(model, full_check=full)
        return True
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False


def dead_values(model):
    """Outputs of nodes and initialisers that nothing uses."""
    used = {o.name for g in graphs(model.graph) for o in g.output} | {
        i for g in graphs(model.graph) for n in g.node for i in n.input
    }
    made = {
        n.output[0]
        for g in graphs(model.graph)
        for n in g.node
        if not used & set(n.output)
    }
    return made | {
        i.name
        for g in graphs(model.graph)
        for i in g.initializer
        if i.name not in used
    }


def assert_sound(result):
    """What holds of every output, whatever was rewritten.

    The checker passes it where it passed the input; graph inputs (apart from
    listed initialisers) and outputs, opset imports and IR version are as they
    were; it is not larger than the input by more than 1 KiB; it has no dead
    node or initialiser and no value_info of a value that is gone, unless the
    input had them.
    """
    before, after = result.before, result.after
    for full in (False, True):
        if passes_checker(before, full):
            onnx.checker.check_model(after, full_check=full)
    assert [o.SerializeToString() for o in after.graph.output] == [
        o.SerializeToString() for o in before.graph.output
    ]
    held = {i.name for m in (before, after) for i in m.graph.initializer}
    inputs = [
        [i.SerializeToString() for i in m.graph.input if i.name not in held]
        for m in (before, after)
    ]
    assert inputs[0] == inputs[1], "graph inputs changed"
    assert [(o.domain, o.version) for o in after.opset_import] == [
        (o.domain, o.version) for o in before.opset_import
    ]
    assert after.ir_version == before.ir_version
    assert result.target.stat().st_size <= result.source.stat().st_size + 1024
    assert dead_values(after) <= dead_values(before), (
        f"left behind: {dead_values(after) - dead_values(before)}"
    )
    for a, b in zip(graphs(after.graph), graphs(before.graph)):
        there = (
            {o for n in a.node for o in n.output}
            | {i.name for i in a.input}
            | {i.name for i in a.initializer}
        )
        stale = {v.name for v in a.value_info} - there
        assert stale <= {v.name for v in b.value_info} - {
            o for n in b.node for o in n.output
        }, f"value_info of nothing: {stale}"
    if before.ir_version < 4:
        assert {i.name for i in after.graph.initializer} <= {
            i.name for i in after.graph.input
        }


def find_node(graph, name):
    """The node of that name, or the nameless one whose first output it is."""
    for node in graph.node:
        if node.name == name:
            return node
    return next(n for n in graph.node if not n.name and n.output[0] == name)


def producer(graph, value):
    return next((n for n in graph.node if value in n.output), None)


def constant_value(graph, name):
    """The array behind an initialiser or a Constant node."""
    tensor = next((i for i in graph.initializer if i.name == name), None)
    if tensor is None:
        node = producer(graph, name)
        if node is not None and node.op_type == "ConstantOfShape":
            fill = next(
                (a.t for a in node.attribute if a.name == "value"), None
            )
            number = (
                np.zeros(1, np.float32)
                if fill is None
                else numpy_helper.to_array(fill)
            )
            return np.full(constant_value(graph, node.input[0]), number[0])
        assert node is not None and node.op_type == "Constant", (
            f"{name} is not a constant"
        )
        tensor = next(a.t for a in node.attribute if a.name == "value")
    return numpy_helper.to_array(tensor)


def assert_dense_kept(result, name):
    """The dense node is the one that was there, but for its data input and its
    weight.
    """
    old, new = (
        find_node(result.before.graph, name),
        find_node(result.after.graph, name),
    )
    same = copy.deepcopy(new)
    same.input[0], same.input[1] = old.input[0], old.input[1]
    assert same.SerializeToString() == old.SerializeToString(), (
        f"the dense node changed:\n{old}\n{new}"
    )
    assert new.input[0] != old.input[0] and new.input[1] != old.input[1]
    return new


VIEWS = (
    "Flatten",
    "Reshape",
    "Squeeze",
    "Identity",
    "Cast",
    "Dropout",
    "Transpose",
    "Unsqueeze",
)


def pooling_node(graph, node):
    """The pool in front of a dense node, through the views that follow it."""
    at = producer(graph, node.input[0])
    while at is not None and at.op_type in VIEWS:
        at = producer(graph, at.input[0])
    return at


def assert_emission(result, entry, type, opset):
    """GlobalAveragePool for all axes from 2 up, ReduceMean for anything else,
    for double, and for bfloat16 below opset 22.

    Above rank 5 it is ReduceMean as well: ONNX Runtime has no GlobalAveragePool
    there.
    """
    rank = len(entry["feature_map"])
    whole = (
        sorted(entry["pooled_axes"]) == list(range(2, rank)) and 2 < rank <= 5
    )
    fits = type is not F64 and not (type is BF16 and opset < 22) and rank <= 5
    expected = "GlobalAveragePool" if whole and fits else "ReduceMean"
    pool = pooling_node(
        result.after.graph, find_node(result.after.graph, entry["node"])
    )
    assert pool is not None and pool.op_type == expected, (
        f"expected {expected}, got {pool}"
    )
    return pool


# ----------------------------------------------------------------------------
# Judging: the numbers
# ----------------------------------------------------------------------------


class OnnxRuntime:
    """A model in ONNX Runtime with every optimisation off: its optimised levels
    are no oracle for each other.
    """

    name = "ONNX Runtime"

    def __init__(self, model):
        options = ort.SessionOptions()
        options.graph_optimization_level = (
            ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        )
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self.session = ort.InferenceSession(
            model.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
        self.outputs = [o.name for o in self.session.get_outputs()]

    def __call__(self, feeds):
        return dict(zip(self.outputs, self.session.run(None, feeds)))

    @staticmethod
    def accumulates_in(type):
        return min(type.eps, F32.eps)


class Dropout(OpRun):
    """Dropout as opset 6 has it, which the reference evaluator does not know;
    in inference it is the identity.
    """

    op_domain = ""

    def _run(self, x, is_test=0, **attributes):
        assert is_test, "a training Dropout has no one answer"
        return (
            (x, np.ones(x.shape, x.dtype))
            if len(self.onnx_node.output) > 1
            else (x,)
        )


class Reference:
    """A model in ONNX's own evaluator, which may add up in 16 bits."""

    name = "onnx.reference"

    def __init__(self, model, ops=()):
        old = next(o.version for o in model.opset_import if not o.domain) < 7
        self.evaluator = ReferenceEvaluator(
            model, new_ops=[*ops, *[Dropout] * old] or None
        )

    def __call__(self, feeds):
        return {
            k: v
            for k, v in self.evaluator.run(
                None, feeds, intermediate=True
            ).items()
            if isinstance(v, np.ndarray)
        }

    @staticmethod
    def accumulates_in(type):
        return type.eps


def with_outputs(model, names):
    """A copy of the model that also answers with these inner values."""
    there = {o.name for o in model.graph.output}
    more = onnx.ModelProto()
    more.CopyFrom(model)
    more.graph.output.extend(
        onnx.ValueInfoProto(name=n)
        for n in dict.fromkeys(names)
        if n not in there
    )
    return more


def load(kind, model, ops=()):
    """A runnable model, or None when that runtime does not take the file."""
    try:
        return (
            OnnxRuntime(model) if kind is OnnxRuntime else Reference(model, ops)
        )
    except Exception:
        return None


def free_inputs(model):
    held = {i.name for i in model.graph.initializer}
    return [i for i in model.graph.input if i.name not in held]


def make_feeds(
    model, dims=None, given=None, large=1.0, seeds=(1, 2), scale=1.0
):
    """Yields (what, feeds): random numbers, and the inputs that break sloppy
    rewrites.

    Zeros (a bias that got lost or doubled shows alone); ones; ``large`` values
    of both signs (their sums must stay finite); a single 1 at a random place of
    each sample (an order of axes that got mixed up shows).
    """
    given, dims = given or {}, {"N": 3, **(dims or {})}
    shapes = {}
    for i in free_inputs(model):
        shape = [
            dims[d.dim_param] if d.dim_param else d.dim_value
            for d in i.type.tensor_type.shape.dim
        ]
        shapes[i.name] = (
            shape,
            helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type),
        )

    def fill(make, factor=scale):
        return {
            n: given[n]
            if n in given
            else np.asarray(make(s) * factor).astype(t)
            for n, (s, t) in shapes.items()
        }

    def one_hot(random, shape):
        x = np.zeros(shape)
        flat = (
            x.reshape(shape[0], -1)
            if len(shape) > 1 and x.size
            else x.reshape(1, -1)
        )
        if x.size:
            flat[
                np.arange(len(flat)),
                random.randint(0, flat.shape[1], len(flat)),
            ] = 1
        return x

    for seed in seeds:
        yield (
            f"random {seed}",
            fill(np.random.RandomState(seed).standard_normal),
        )
    yield "zeros", fill(np.zeros)
    yield "ones", fill(np.ones)
    random = np.random.RandomState(7)
    yield (
        "large, both signs",
        fill(
            lambda s: (
                random.choice([-1.0, 1.0], s) * random.uniform(0.5, 1.0, s)
            ),
            large,
        ),
    )
    yield "one-hot", fill(lambda s: one_hot(random, s))
    yield "another one-hot", fill(lambda s: one_hot(random, s))


def attribute(node, name, default):
    return next(
        (
            helper.get_attribute_value(a)
            for a in node.attribute
            if a.name == name
        ),
        default,
    )


def dense_bound(node, values, accumulator):
    """How far a head's output may lie from the old one, element by element.

    With u = eps / 2 of the element type, u' = eps' / 2 of the type sums are
    kept in, f the flattened map, w the weights, P positions pooled, S = |alpha|
    * sum_k |w[o,k]| |f[n,k]|:

    * old head: K products and K - 1 additions, each off by at most u' of what
      was added up: at most (K + 1) u' S (first order);
    * new head: the pooled weight was rounded once, u |w'| |mean f| <= u S,
      because |w'| = P |w| and |mean f| <= mean |f|; the mean is off by at most
      (P + 1) u' of mean |f| for its sum and its division, and by u for its own
      rounding; the dense layer over C values by (C + 1) u' S. As P + C <= K +
      1, that is at most (K + 5) u' S + 2 u S;
    * both: alpha and beta * c are multiplied and added, and the result is
      rounded to the element type: at most 3 u (S + |beta c| + |y|).

    In all at most (2 K + 6) u' S + 8 u S + 6 u (|beta c| + |y|). The bound used
    is a little rounder:

        sum_k |W| |f| ((K + 8) eps' + 8 eps)
            + 8 eps (|y| + |beta c|) + K * smallest

    where the last term is for subnormal results. It holds as well where it is
    the map that does not vary: then |w'| <= sum_P |w| and mean f = f. A head
    that pools the wrong axes, misses a position or uses a factor twice is off
    by a multiple of |w| |f|, which is 10^4 times that in f32 at the sizes used
    here.
    """
    y = wide(values[node.output[0]])
    type = type_of(values[node.output[0]])
    f, w = (
        np.abs(wide(values[node.input[0]])),
        np.abs(wide(values[node.input[1]])),
    )
    c, alpha = 0.0, 1.0
    if node.op_type == "Gemm":
        f = f.T if attribute(node, "transA", 0) else f
        w = w.T if attribute(node, "transB", 0) else w
        alpha = abs(attribute(node, "alpha", 1.0))
        if len(node.input) > 2 and node.input[2]:
            c = np.abs(
                attribute(node, "beta", 1.0) * wide(values[node.input[2]])
            )
    size = w.shape[0]
    spread = alpha * (f @ w)
    smallest = float(ml_dtypes.finfo(type.numpy).smallest_subnormal)
    return (
        spread * ((size + 8) * accumulator(type) + 8 * type.eps)
        + 8 * type.eps * (np.abs(y) + c)
        + size * smallest
    )


PASSED_ON = (
    "Relu",
    "Identity",
    "Clip",
    "Neg",
    "Abs",
    "Dropout",
    "Sigmoid",
    "Tanh",
)  # none of them stretches a distance
MOVED = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose")


def spread_bounds(model, heads, values, accumulator):
    """A bound for every value that a rewritten head reaches; a value that is
    not among them must not change by a bit.
    """
    bounds = {}
    for node in model.graph.node:
        reached = [i for i in node.input if i in bounds]
        out = node.output[0]
        if node.name in heads or (not node.name and out in heads):
            assert not reached, (
                "a head behind a head has no bound here: pass tolerance"
            )
            bounds[out] = dense_bound(node, values, accumulator)
        elif reached:
            y = wide(values[out])
            if node.op_type in ("Add", "Sub"):
                eps = type_of(values[out]).eps
                bounds[out] = np.broadcast_to(
                    sum(bounds[i] for i in reached), y.shape
                ) + 4 * eps * np.abs(y)
            elif node.op_type in PASSED_ON:
                bounds[out] = bounds[reached[0]] + 4 * type_of(
                    values[out]
                ).eps * np.abs(y)
            elif node.op_type == "Softmax":
                bounds[out] = (
                    np.broadcast_to(bounds[reached[0]].max(), y.shape)
                    + 8 * type_of(values[out]).eps
                )
            elif node.op_type in MOVED:
                bounds[out] = np.broadcast_to(bounds[reached[0]].max(), y.shape)
            elif node.op_type in ("Shape", "Size"):
                continue
            else:
                raise AssertionError(
                    f"no bound for {node.op_type} behind a head"
                )
    return bounds


def constants_of(model):
    found = {
        i.name: numpy_helper.to_array(i)
        for i in model.graph.initializer
        if not i.external_data
    }
    for node in model.graph.node:
        if node.op_type == "Constant":
            found.update(
                {
                    node.output[0]: numpy_helper.to_array(a.t)
                    for a in node.attribute
                    if a.name == "value"
                }
            )
    return found


def assert_equivalent(
    before,
    after,
    heads,
    dims=None,
    given=None,
    ops=(),
    tolerance=None,
    seeds=(1, 2),
    runtimes=(OnnxRuntime, Reference),
    scale=None,
):
    """Both models answer alike: the rewritten heads and what depends on them
    within ``dense_bound``, everything else bit for bit.

    Runs in ONNX Runtime where it takes the old model, and in the reference
    evaluator where that does; at least one must. A runtime that takes the old
    model must take the new one. ``dims`` are sizes of dynamic dims, ``given``
    inputs that are not to be made up, ``tolerance`` absolute bounds of graph
    outputs whose heads sit in inner graphs, ``scale`` a factor for all inputs
    that are made up.
    """
    names = [o.name for o in before.graph.output]
    assert names == [o.name for o in after.graph.output]
    dense = [
        n
        for n in before.graph.node
        if n.name in heads or (not n.name and n.output[0] in heads)
    ]
    assert len(dense) == len(heads) or tolerance, (
        f"{heads} are not all nodes of the main graph"
    )
    constants = constants_of(before)
    inner = {o for n in before.graph.node for o in n.output}
    # What the bound reads: operands and outputs of the heads, and everything
    # that depends on a head.
    watched, after_head = [], set()
    for n in before.graph.node:
        if n in dense or after_head & set(n.input):
            after_head.add(n.output[0])
            watched += [
                v
                for v in [*n.input, n.output[0]]
                if v in inner and v not in constants
            ]
    shared = [n.output[0] for n in dense]
    ran = []
    for kind in runtimes:
        old = load(
            kind,
            with_outputs(before, watched) if kind is OnnxRuntime else before,
            ops,
        )
        if old is None:
            continue
        new = load(
            kind,
            with_outputs(after, shared) if kind is OnnxRuntime else after,
            ops,
        )
        assert new is not None, (
            f"{kind.name} takes the old model and not the new one"
        )
        large = scale or large_scale(before, dense, constants)
        for what, feeds in make_feeds(
            before, dims, given, large, seeds, scale or 1.0
        ):
            try:
                p = old(feeds)
            except Exception:
                if kind is Reference:
                    break  # an operator that evaluator does not have
                raise
            q = new(feeds)
            values = {**constants, **feeds, **p}
            bounds = spread_bounds(before, heads, values, kind.accumulates_in)
            for name in dict.fromkeys(shared + names):
                a, b = p[name], q[name]
                where = f"{kind.name}, {what}, {name}"
                assert a.shape == b.shape and a.dtype == b.dtype, (
                    f"{where}: {a.dtype}{a.shape} became {b.dtype}{b.shape}"
                )
                bound = bounds.get(name, (tolerance or {}).get(name))
                if bound is None:
                    assert a.tobytes() == b.tobytes(), (
                        f"{where}: no head is behind it, and it changed"
                    )
                    continue
                assert np.isfinite(wide(a)).all(), (
                    f"{where}: the old model answers with {a}"
                )
                off = np.abs(wide(a) - wide(b))
                worst = (
                    np.unravel_index(np.argmax(off - bound), off.shape)
                    if off.size
                    else ()
                )
                assert (off <= bound).all(), (
                    f"{where}: off by {off[worst]:.3g} at {worst}, allowed "
                    f"{np.broadcast_to(bound, off.shape)[worst]:.3g}"
                )
            ran.append((kind.name, what))
    assert ran, "no runtime takes the old model"
    return ran


def large_scale(model, dense, constants):
    """Map values near the limit of their type that keep every sum of a head
    finite, in the old form and in the new one.
    """
    numbers = [wide(v) for v in constants.values() if type_of(v) and v.size]
    largest = max([1.0, *(float(np.abs(v).max()) for v in numbers)])
    size = max([4096, *(v.size for v in numbers)])
    alpha = max([1.0, *(abs(attribute(n, "alpha", 1.0)) for n in dense)])
    limits = [
        t.largest
        for i in free_inputs(model)
        for t in TYPES.values()
        if t.onnx == i.type.tensor_type.elem_type
    ]
    return min(limits, default=1.0) / (4 * size * largest * alpha)


# ----------------------------------------------------------------------------
# Judging: whole verdicts
# ----------------------------------------------------------------------------


def assert_rewritten(result, head):
    """A head built by ``make_head`` was pooled over exactly the axes the
    theorem allows, and everything around it is as it should be.
    """
    assert_well_formed(result.report)
    entry = result.head(head.spec.name)
    assert entry["verdict"] == "rewritten", (
        f"{entry['verdict']}: {entry['reason']}"
    )
    assert result.rewritten == [head.spec.name]
    pooled, size, type = head.pooled(), head.weight[0].size, head.spec.type
    assert described(entry, size) == stretches(
        [head.weight.shape[a] for a in head.order],
        [a in pooled for a in head.order],
        size,
    )
    assert entry["first_difference"] is None and (
        entry["residual"] in (None, 0) or head.spec.constant
    )
    kept = head.weight.size // math.prod(head.weight.shape[a] for a in pooled)
    assert (entry["parameters_before"], entry["parameters_after"]) == (
        head.parameters,
        kept + head.bias,
    )
    assert_sound(result)
    node = assert_dense_kept(result, head.spec.name)
    assert_emission(result, entry, type, head.spec.opset)
    weight = constant_value(result.after.graph, node.input[1])
    assert (
        weight.shape
        == (
            (head.spec.outputs, -1)
            if attribute(node, "transB", 0)
            else (-1, head.spec.outputs)
        )
        or weight.size == kept
    )
    expected = wide(head.weight).sum(axis=tuple(pooled))
    # The order of the kept axes is judged by running the model; which numbers
    # there are is judged here. The sum of equal numbers is exact in double,
    # that of others may end on the other side of a rounding.
    exact = not head.spec.constant and type is not F64
    close = dict(rtol=0 if exact else 2 * type.eps, atol=0)
    np.testing.assert_allclose(
        np.sort(wide(weight).ravel()),
        np.sort(wide(expected.astype(type.numpy)).ravel()),
        **close,
    )
    assert_equivalent(result.before, result.after, [head.spec.name])
    return entry


def assert_unchanged(result):
    """Nothing was rewritten: the output is the input, byte for byte."""
    assert_well_formed(result.report)
    assert not result.rewritten, f"rewritten: {result.rewritten}"
    assert result.unchanged, (
        "nothing was rewritten, but the output is not the input byte for byte"
    )
    assert result.report["bytes_before"] == result.report["bytes_after"]
    assert (
        result.report["parameters_before"] == result.report["parameters_after"]
    )


def assert_refused(result, name, *labels):
    """The head is listed as refused, one of the rules ``labels`` failed (any
    rule when none is given), and the file is untouched.
    """
    assert_unchanged(result)
    entry = result.head(name)
    assert entry["verdict"] == "refused", (
        f"{entry['verdict']}, expected a refusal"
    )
    if labels:
        assert set(labels) & set(failed_rules(entry)), (
            f"expected {' or '.join(labels)} to fail, not "
            f"{failed_rules(entry)}: {entry['reason']}"
        )
    return entry


def assert_not_a_head(result, name):
    """Nothing was rewritten; the node is refused or not listed at all."""
    assert_unchanged(result)
    assert all(
        h["verdict"] == "refused" for h in result.heads if h["node"] == name
    ), result.heads


def assert_ulp_refused(directory, head, index=None):
    """The twin of an accepted head, one weight moved by one unit in the last
    place, is refused and the place is named.

    The moved weight is the last along every pooled axis, so it is the only one
    there that differs from the others, and a comparison with the neighbour and
    one with the first both end at it. The place has to be that weight where one
    axis is kept. Where more are kept, an axis that never was pooled may be the
    one the report looks at; then it only has to name a difference that exists.
    """
    pooled = head.pooled()
    if index is None:
        last = [
            head.weight.shape[a] - 1
            if a in pooled
            else head.weight.shape[a] // 2
            for a in range(1, head.weight.ndim)
        ]
        index = (head.spec.outputs // 2, *last)
    twin = head.twin(index)
    result = run(directory, twin.model, name="twin.onnx", out="twin-out.onnx")
    entry = assert_refused(result, head.spec.name, "L6")
    named = assert_true_difference(entry, twin.matrix)
    if (
        sum(
            e > 1
            for a, e in enumerate(head.weight.shape)
            if a and a not in pooled
        )
        <= 1
    ):
        changed = np.flatnonzero(
            (bits(head.matrix) != bits(twin.matrix))[index[0]]
        )
        assert named == (index[0], changed[0]), (
            f"output {index[0]}, k {changed[0]} was moved, and "
            f"{entry['first_difference']} is named"
        )
        values = sorted(float(v) for v in entry["first_difference"]["values"])
        assert values == sorted(
            [float(head.weight[index]), float(twin.weight[index])]
        )
    return entry


def accept(directory, *args, **changes):
    """Builds a head, expects it rewritten, and its one-ulp twin refused."""
    head = make_head(*args, **changes)
    result = run(directory, head.model)
    entry = assert_rewritten(result, head)
    assert_ulp_refused(directory, head)
    return head, result, entry
