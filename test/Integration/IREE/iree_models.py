# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small models with the heads that torch and Keras write, and what their answers
may differ by.

``FORMS`` has the models of each file in test/Transforms/Inputs/IREE; they are the
functions in it. All numbers in them are multiples of 1/8 (but for the weights that
were moved by one unit in the last place), so that with whole inputs nothing before
the dense layer rounds.
"""

from dataclasses import dataclass

import headopt
import numpy as np
from headopt import F16, F32, Graph
from onnx import helper

CHANNELS, HEIGHT, WIDTH, OUTPUTS = 4, 2, 3, 3
SIZE = CHANNELS * HEIGHT * WIDTH


def eighths(shape, seed, type=F32):
    """Odd multiples of 1/8 between -2 and 2, none of them zero."""
    random = np.random.default_rng(seed)
    return (random.integers(-8, 8, shape) / 4 + 0.125).astype(type.numpy)


def weight(even, type=F32, nhwc=False):
    """[outputs, k]: the same at all positions, or at all but one, and there off
    by one unit in the last place.
    """
    array = np.broadcast_to(
        eighths((OUTPUTS, CHANNELS, 1, 1), 1, type),
        (OUTPUTS, CHANNELS, HEIGHT, WIDTH),
    )
    if not even:
        array = headopt.next_up(array, (1, 2, 1, 1))
    return headopt.as_matrix(array, [2, 3, 1] if nhwc else [1, 2, 3])


class Model:
    """Collects the nodes of one model. Its input is an image of 3 channels, and
    ``map`` a feature map.
    """

    def __init__(self, name, type=F32, batch="N", extents=(HEIGHT, WIDTH)):
        self.g = Graph(type=type, name=name)
        self.type, self.batch = type, batch
        self.x = self.g.input("x", [batch, 3, *extents])

    def map(self, relu=True):
        kernel = self.g.init(eighths((CHANNELS, 3, 1, 1), 2, self.type))
        bias = self.g.init(eighths((CHANNELS,), 3, self.type))
        c = self.g.node("Conv", [self.x, kernel, bias], kernel_shape=[1, 1])
        return self.g.node("Relu", [c]) if relu else c

    def bias(self):
        return self.g.init(eighths((OUTPUTS,), 4, self.type), "bias")

    def gemm(self, f, w):
        """The dense layer as torch writes it."""
        w = self.g.init(w, "weight")
        self.g.gemm([f, w, self.bias()], "y", transB=1)
        return self.done()

    def matmul(self, f, w):
        """The dense layer as Keras writes it."""
        w = self.g.init(np.ascontiguousarray(w.T), "weight")
        self.g.add(self.g.node("MatMul", [f, w]), self.bias(), "y")
        return self.done()

    def done(self):
        self.g.output("y", [self.batch, OUTPUTS])
        return self.g.model()


def torch(name, even, type=F32, batch="N", extents=(HEIGHT, WIDTH)):
    """Conv > Relu > Flatten > Gemm."""
    m = Model(name, type, batch, extents)
    return m.gemm(m.g.node("Flatten", [m.map()]), weight(even, type))


def keras(name, even, collapse="transpose_flatten"):
    """Conv > Transpose > a collapse > MatMul > Add."""
    m = Model(name)
    spec = headopt.Spec(extents=(CHANNELS, HEIGHT, WIDTH))
    f = headopt.COLLAPSE[collapse][0](m.g, m.map(relu=False), spec)
    return m.matmul(f, weight(even, nhwc=True))


def relu_behind(name, even):
    """The activation stands behind the flatten."""
    m = Model(name)
    f = m.g.node("Flatten", [m.map(relu=False)])
    return m.gemm(m.g.node("Relu", [f]), weight(even))


def branches_behind(name, even):
    """LeakyRelu, which IREE writes as two branches that join again, and a clip
    whose limits are tensors of rank 0.
    """
    m = Model(name)
    f = m.g.node("Flatten", [m.map(relu=False)])
    f = m.g.node("LeakyRelu", [f], alpha=0.125)
    low, high = (m.g.init(np.float32(v)) for v in (-4, 24))
    return m.gemm(m.g.node("Clip", [f, low, high]), weight(even))


def factors_behind(name, even):
    """The flattened map times a vector: the same factor at all positions of a
    channel, or not.
    """
    m = Model(name)
    factors = np.repeat(eighths(CHANNELS, 5), HEIGHT * WIDTH)
    if not even:
        factors = headopt.next_up(factors, 10)
    f = m.g.node("Flatten", [m.map()])
    f = m.g.node("Mul", [f, m.g.init(factors)])
    return m.gemm(f, weight(True))


def pooled(name):
    """Conv > Relu > GlobalAveragePool > Flatten > Gemm."""
    m = Model(name)
    f = m.g.node("Flatten", [m.g.node("GlobalAveragePool", [m.map()])])
    return m.gemm(f, weight(True)[:, :: HEIGHT * WIDTH])


def broadcast(name, even):
    """A map of one position, broadcast: it does not vary, so any weight is even."""
    m = Model(name, batch=2, extents=(1, 1))
    target = m.g.ints([1, 1, HEIGHT, WIDTH])
    f = m.g.node("Flatten", [m.g.node("Expand", [m.map(), target])])
    return m.gemm(f, weight(even))


def einsum(name, even):
    """The contraction of the map itself."""
    m = Model(name)
    w = weight(even).reshape(OUTPUTS, CHANNELS, HEIGHT, WIDTH)
    inputs = [m.map(), m.g.init(w, "weight")]
    y = m.g.node("Einsum", inputs, equation="nchw,kchw->nk")
    m.g.add(y, m.bias(), "y")
    return m.done()


def kernel(name, even):
    """A convolution of one window."""
    m = Model(name)
    w = weight(even).reshape(OUTPUTS, CHANNELS, HEIGHT, WIDTH)
    inputs = [m.map(), m.g.init(w, "weight"), m.bias()]
    c = m.g.node("Conv", inputs, kernel_shape=[HEIGHT, WIDTH])
    m.g.node("Flatten", [c], "y")
    return m.done()


def rank3(name, even):
    """A MatMul of rank 3, for which IREE broadcasts the weight over the batch."""
    m = Model(name)
    f = m.g.node("Reshape", [m.map(), m.g.ints([-1, 1, SIZE])])
    w = m.g.init(np.ascontiguousarray(weight(even).T), "weight")
    y = m.g.node("MatMul", [f, w])
    y = m.g.node("Reshape", [y, m.g.ints([-1, OUTPUTS])])
    m.g.add(y, m.bias(), "y")
    return m.done()


def both(make, **options):
    return [make("even", True, **options), make("uneven", False, **options)]


FORMS = {
    "nchw": lambda: both(torch, batch=2),
    "batch": lambda: both(torch),
    "f16": lambda: both(torch, type=F16),
    "extents": lambda: both(torch, extents=("H", "W")),
    "nhwc": lambda: both(keras),
    "computed-shape": lambda: both(keras, collapse="transpose_reshape_computed"),
    "relu-behind": lambda: both(relu_behind),
    "branches-behind": lambda: both(branches_behind),
    "factors-behind": lambda: both(factors_behind),
    "broadcast": lambda: both(broadcast),
    "einsum": lambda: both(einsum),
    "kernel": lambda: both(kernel),
    "rank3": lambda: both(rank3),
    "pooled": lambda: [pooled("pooled")],
}


# ----------------------------------------------------------------------------
# What a model answers
# ----------------------------------------------------------------------------


@dataclass
class Answer:
    """What ONNX Runtime answers for an input, and how far from it the same head
    may be when it is computed otherwise, pooled or not.
    """

    y: np.ndarray
    bound: np.ndarray

    def assert_close(self, y):
        assert y.dtype == self.y.dtype and y.shape == self.y.shape
        off = np.abs(headopt.wide(y) - headopt.wide(self.y))
        # Written so that a NaN fails.
        assert (off <= self.bound).all(), (off, self.bound)


def answer(model, x, weight="weight", bias="bias"):
    """Asks ONNX Runtime. The flattened map must come out the same in all
    implementations; then ``headopt.dense_bound`` is what is left to be off.
    """
    constants = headopt.constants_of(model)
    (dense,) = [n for n in model.graph.node if weight in n.input]
    values = headopt.OnnxRuntime(
        headopt.with_outputs(model, [dense.input[0]])
    )({"x": x})
    # Everything as one Gemm, for the bound.
    w, y = constants[weight], values[model.graph.output[0].name]
    parts = {
        "f": values[dense.input[0]].reshape(len(x), -1),
        "w": w if dense.op_type == "MatMul" else w.reshape(len(w), -1).T,
        "c": constants.get(bias, np.zeros(1)),
        "y": y,
    }
    whole = helper.make_node("Gemm", ["f", "w", "c"], ["y"])
    bound = headopt.dense_bound(
        whole, parts, headopt.OnnxRuntime.accumulates_in
    )
    return Answer(y, bound)


def whole_inputs(model):
    """Inputs of whole numbers: all over, and a few at a time, so that a position
    that is taken twice or for another shows. If the batch is free, one of one
    sample, and all others in one batch.
    """
    (x,) = headopt.free_inputs(model)
    free = {"N": 2, "H": HEIGHT, "W": WIDTH}
    dims = x.type.tensor_type.shape.dim
    shape = [d.dim_value or free[d.dim_param] for d in dims]
    dtype = helper.tensor_dtype_to_np_dtype(x.type.tensor_type.elem_type)
    random = np.random.default_rng(11)
    place = np.arange(np.prod(shape[1:])).reshape(shape[1:])
    inputs = [
        random.integers(-6, 7, shape),
        random.integers(1, 7, shape),
        *(np.stack([4 * (place % 7 == i + n) for i in range(2)]) for n in (0, 2, 4)),
    ]
    if dims[0].dim_param:
        inputs = [inputs[0][:1], np.concatenate(inputs)]
    return [array.astype(dtype) for array in inputs]
