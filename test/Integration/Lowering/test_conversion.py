# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What convert-onnx-to-linalg writes computes what the model computes.

Each case is a small model. It is converted, lowered by stock MLIR, run, and
compared with the answer in double of ONNX's reference evaluator (or of numpy,
where the evaluator does not know an old opset). ONNX Runtime, where it takes
the model, has to agree with that answer too, so that a case cannot expect the
wrong thing.

The bound: with u the unit roundoff of the type that is computed in (f32 for the
16-bit types), v that of the result and ``terms`` the number of roundings in a
row, an answer may be off by ``terms * u * scale + v * |exact|``; ``scale`` is what
the roundings are relative to: the sum of the magnitudes for sums, else |exact|.
"""

import itertools
from dataclasses import dataclass, field

import headopt
import numpy as np
import pytest
from headopt import BF16, F16, F32, F64, TYPES
from linalg_run import Compiled, convert, in_double, parse

random = np.random.RandomState(5)


def numbers(*shape, low=-2.0, high=2.0, seed=1):
    return np.random.RandomState(seed).uniform(low, high, shape)


@dataclass
class Case:
    """A model and how far its answer may be off."""

    text: str
    constants: dict = field(default_factory=dict)
    opset: int = 17
    types: tuple = (F32,)
    dims: tuple = ({"N": 0}, {"N": 1}, {"N": 3})
    # Of the feeds in double, by name.
    scale: object = None
    terms: int = 4
    exact: object = None
    low: float = -2.0
    high: float = 2.0
    # ONNX Runtime differs from the specification here.
    no_runtime: bool = False

    def model(self, type):
        return parse(self.text, self.constants, self.opset, type)


def make_feeds(model, dims, case, seed):
    feeds = {}
    generator = np.random.RandomState(seed)
    for i in headopt.free_inputs(model):
        t = i.type.tensor_type
        shape = [
            d.dim_value if d.HasField("dim_value") else dims[d.dim_param]
            for d in t.shape.dim
        ]
        dtype = headopt.helper.tensor_dtype_to_np_dtype(t.elem_type)
        if headopt.type_of(np.zeros(0, dtype)):
            value = generator.uniform(case.low, case.high, shape).astype(dtype)
        elif dtype == bool:
            value = generator.randint(0, 2, shape).astype(bool)
        else:
            info = np.iinfo(dtype)
            value = generator.randint(
                max(info.min, -1000), min(info.max, 1000) + 1, shape
            ).astype(dtype)
        feeds[i.name] = np.asarray(value)
    return feeds


def widened(feeds):
    return {
        k: headopt.wide(v) if headopt.type_of(v) else v
        for k, v in feeds.items()
    }


def bound_of(case, exact, feeds, type):
    compute = F32 if type in (F16, BF16) else type
    scale = (
        np.abs(exact) if case.scale is None else case.scale(**widened(feeds))
    )
    least = {F16: 2.0**-24, BF16: 2.0**-133, F32: 2.0**-149, F64: 0.0}[type]
    return (
        case.terms * compute.eps / 2 * scale
        + type.eps / 2 * (np.abs(exact) + case.terms * compute.eps * scale)
        + least
    )


def fits(declared, shape):
    """The shape is one that the model declares."""
    dims = declared.type.tensor_type.shape.dim
    return len(dims) == len(shape) and all(
        not d.HasField("dim_value") or d.dim_value == e
        for d, e in zip(dims, shape)
    )


def check(case, type, directory):
    model = case.model(type)
    compiled = Compiled(model, directory)
    reference = headopt.Reference(in_double(model))
    runtime = None
    if type is not BF16 and not case.no_runtime:
        runtime = headopt.load(headopt.OnnxRuntime, model)
    output = model.graph.output[0].name
    for seed, dims in enumerate(case.dims):
        feeds = make_feeds(model, dims, case, seed)
        ours = compiled(feeds)
        if 0 in dims.values():
            assert ours.size == 0 and fits(model.graph.output[0], ours.shape)
            continue
        exact = (
            case.exact(**widened(feeds))
            if case.exact
            else reference(widened(feeds))[output]
        )
        assert ours.shape == exact.shape, f"{dims}: {ours.shape}"
        result = headopt.type_of(ours)
        others = {"head-opt": ours}
        if runtime:
            others["ONNX Runtime"] = runtime(feeds)[output]
        for name, answer in others.items():
            assert answer.dtype == ours.dtype
            if result is None:
                assert (answer == exact).all(), f"{name}, {dims}"
                continue
            bound = np.broadcast_to(
                bound_of(case, exact, feeds, result), exact.shape
            )
            if name != "head-opt":
                # It may sum in its own type, and approximate functions.
                bound = bound * (4 if result in (F32, F64) else 64) + 1e-5
            off = np.abs(headopt.wide(answer) - exact)
            bad = ~(off <= bound) & ~(
                np.isnan(headopt.wide(answer)) & np.isnan(exact)
            ) & ~(headopt.wide(answer) == exact)
            assert not bad.any(), (
                f"{name}, {dims}: {answer[bad][:4]} for {exact[bad][:4]}, "
                f"allowed {bound[bad][:4]}"
            )
    return runtime is not None


def cases(table):
    """Test parameters: each case in each of its types."""
    return [
        pytest.param(case, type, id=f"{name}-{type.name}")
        for name, case in table.items()
        for type in case.types
    ]


ALL = tuple(TYPES.values())
FLOATS = (F32, F64)
HALVES = (F16, BF16)

# ----------------------------------------------------------------------------
# Means and sums
# ----------------------------------------------------------------------------


def mean_scale(*axes, keepdims=True):
    return lambda x: np.abs(x).mean(axis=axes, keepdims=keepdims)


MAP = {"N": 2, "h": 3, "w": 5}
POOLING = {
    "gap": Case(
        "g (T[N,3,4,5] x) => (T[N,3,1,1] y) { y = GlobalAveragePool(x) }",
        opset=22,
        types=ALL,
        scale=mean_scale(2, 3),
        terms=24,
    ),
    "gap_dynamic": Case(
        "g (T[N,2,h,w] x) => (T[N,2,1,1] y) { y = GlobalAveragePool(x) }",
        opset=22,
        types=ALL,
        dims=(
            {"N": 1, "h": 2, "w": 2},
            {"N": 3, "h": 3, "w": 5},
            {"N": 0, "h": 7, "w": 1},
        ),
        scale=mean_scale(2, 3),
        terms=20,
    ),
    "gap_1d": Case(
        "g (T[N,3,9] x) => (T[N,3,1] y) { y = GlobalAveragePool(x) }",
        scale=mean_scale(2),
        terms=12,
    ),
    "gap_3d": Case(
        "g (T[N,3,2,3,2] x) => (T[N,3,1,1,1] y) { y = GlobalAveragePool(x) }",
        scale=mean_scale(2, 3, 4),
        terms=16,
    ),
    "gmp": Case(
        "g (T[N,3,4,5] x) => (T[N,3,1,1] y) { y = GlobalMaxPool(x) }",
        opset=22,
        types=ALL,
        terms=0,
    ),
    "mean_attribute": Case(
        "g (T[N,3,4,5] x) => (T[N,3] y)"
        " { y = ReduceMean<axes=[-1,2],keepdims=0>(x) }",
        opset=13,
        types=ALL,
        scale=mean_scale(2, 3, keepdims=False),
        terms=24,
    ),
    "mean_input": Case(
        "g (T[N,3,4,5] x) => (T[N,3] y) <int64[2] a = {-1,-2}>"
        " { y = ReduceMean<keepdims=0>(x, a) }",
        opset=18,
        types=ALL,
        scale=mean_scale(2, 3, keepdims=False),
        terms=24,
    ),
    "mean_keepdims": Case(
        "g (T[N,4,5,3] x) => (T[N,1,1,3] y) <int64[2] a = {1,2}>"
        " { y = ReduceMean(x, a) }",
        opset=18,
        scale=mean_scale(1, 2),
        terms=24,
    ),
    "mean_all": Case(
        "g (T[N,4,5] x) => (T[] y) { y = ReduceMean<keepdims=0>(x) }",
        dims=({"N": 1}, {"N": 3}),
        scale=mean_scale(0, 1, 2, keepdims=False),
        terms=64,
    ),
    "mean_noop": Case(
        "g (T[N,4] x) => (T[N,4] y)"
        " { y = ReduceMean<noop_with_empty_axes=1>(x) }",
        opset=18,
        terms=0,
    ),
    "mean_dynamic": Case(
        "g (T[N,h,w,2] x) => (T[N,2] y)"
        " { y = ReduceMean<axes=[1,2],keepdims=0>(x) }",
        dims=({"N": 1, "h": 2, "w": 2}, {"N": 2, "h": 3, "w": 5}),
        scale=mean_scale(1, 2, keepdims=False),
        terms=20,
    ),
    "sum": Case(
        "g (T[N,3,4,5] x) => (T[N,3] y) <int64[2] a = {2,3}>"
        " { y = ReduceSum<keepdims=0>(x, a) }",
        types=ALL,
        scale=lambda x: np.abs(x).sum(axis=(2, 3)),
        terms=24,
    ),
    "sum_integers": Case(
        "g (int32[N,3] x) => (int32[N] y) <int64[1] a = {1}>"
        " { y = ReduceSum<keepdims=0>(x, a) }",
    ),
    "max": Case(
        "g (T[N,3,4,5] x) => (T[N,3] y)"
        " { y = ReduceMax<axes=[2,3],keepdims=0>(x) }",
        types=FLOATS,
        terms=0,
    ),
    "min": Case(
        "g (T[N,3,4,5] x) => (T[N,3] y)"
        " { y = ReduceMin<axes=[2,3],keepdims=0>(x) }",
        types=FLOATS,
        terms=0,
    ),
}


def window(shape, result, attributes, opset=22, **more):
    return Case(
        f"g (T[N,2,{shape}] x) => (T[N,2,{result}] y)"
        f" {{ y = AveragePool<{attributes}>(x) }}",
        opset=opset,
        terms=24,
        scale=lambda x: 2.0,
        **more,
    )


POOLING |= {
    "window_whole": window("3,3", "1,1", "kernel_shape=[3,3]", types=ALL),
    "window_whole_strides": window(
        "3,4", "1,1", "kernel_shape=[3,4],strides=[2,5]"
    ),
    # D7
    "window_pads": window(
        "3,3", "1,1", "kernel_shape=[5,5],pads=[1,1,1,1]", types=ALL
    ),
    "window_pads_count": window(
        "3,3",
        "1,1",
        "kernel_shape=[5,5],pads=[1,1,1,1],count_include_pad=1",
    ),
    "window_corner": window(
        "3,3", "1,1", "kernel_shape=[3,3],strides=[3,3],pads=[1,1,1,1]"
    ),
    "window_corner_count": window(
        "3,3",
        "1,1",
        "kernel_shape=[3,3],strides=[3,3],pads=[1,1,1,1],count_include_pad=1",
    ),
    "window_same": window(
        "3,3", "1,1", 'kernel_shape=[3,3],strides=[3,3],auto_pad="SAME_UPPER"'
    ),
    "window_same_upper": window(
        "5,6", "3,3", 'kernel_shape=[2,3],strides=[2,2],auto_pad="SAME_UPPER"'
    ),
    "window_same_lower": window(
        "5,6", "3,3", 'kernel_shape=[2,3],strides=[2,2],auto_pad="SAME_LOWER"'
    ),
    "window_valid": window(
        "5,6", "2,2", 'kernel_shape=[2,3],strides=[2,2],auto_pad="VALID"'
    ),
    "window_dilated": window(
        "3,3", "1,1", "kernel_shape=[2,2],dilations=[2,2]"
    ),
    "window_slides": window(
        "5,6", "4,3", "kernel_shape=[2,2],strides=[1,2]", types=ALL
    ),
    "window_slides_pads": window(
        "5,6",
        "3,3",
        "kernel_shape=[3,2],strides=[2,2],pads=[1,0,1,1]",
        types=(F32, F16),
    ),
    "window_dynamic": window(
        "h,w",
        "oh,ow",
        "kernel_shape=[2,3],strides=[2,1],pads=[1,1,0,1]",
        dims=({"N": 1, "h": 4, "w": 3}, {"N": 2, "h": 7, "w": 4}),
    ),
    "window_ceil_exact": window(
        "4,4", "2,2", "kernel_shape=[2,2],strides=[2,2],ceil_mode=1"
    ),
    "window_1d": window("7", "3", "kernel_shape=[3],strides=[2]"),
}


@pytest.mark.parametrize("case, type", cases(POOLING))
def test_pooling(case, type, tmp_path):
    check(case, type, tmp_path)


# ----------------------------------------------------------------------------
# Dense layers
# ----------------------------------------------------------------------------

W, WT, C = numbers(6, 4), numbers(4, 6, seed=2), numbers(4, seed=3)


def dense(expression, scale, *types, inputs="T[N,6] x", output="T[N,4]", **more):
    return Case(
        f"g ({inputs}) => ({output} y) {{ {expression} }}",
        {"W": W, "V": WT, "C": C, "S": np.array(1.5), "R": numbers(1, 4)},
        types=types or FLOATS,
        scale=scale,
        terms=12,
        **more,
    )


def plain(x):
    return np.abs(x) @ np.abs(W) + 2


def transposed(x):
    return np.abs(x) @ np.abs(WT.T) + 2


STACK = numbers(3, 6, 4, seed=8)
DENSE = {
    "gemm": dense("y = Gemm(x, W, C)", plain, *ALL),
    "gemm_no_bias": dense("y = Gemm(x, W)", plain, *ALL),
    "gemm_trans_b": dense("y = Gemm<transB=1>(x, V, C)", transposed, *ALL),
    "gemm_trans_a": dense(
        "y = Gemm<transA=1>(x, W, C)",
        lambda x: plain(x.T),
        inputs="T[6,N] x",
    ),
    "gemm_trans_both": dense(
        "y = Gemm<transA=1,transB=1>(x, V)",
        lambda x: transposed(x.T),
        *ALL,
        inputs="T[6,N] x",
    ),
    # D4
    "gemm_alpha_beta": dense(
        "y = Gemm<alpha=0.5,beta=2.0,transB=1>(x, V, C)",
        lambda x: transposed(x) * 2,
        *ALL,
    ),
    "gemm_alpha_zero": dense(
        "y = Gemm<alpha=0.0,beta=2.0>(x, W, C)", plain
    ),
    "gemm_beta_zero": dense("y = Gemm<beta=0.0>(x, W, C)", plain),
    "gemm_scalar_bias": dense("y = Gemm(x, W, S)", plain),
    "gemm_row_bias": dense("y = Gemm(x, W, R)", plain),
    "gemm_column_bias": dense(
        "y = Gemm(x, W, c)",
        lambda x, c: plain(x),
        inputs="T[N,6] x, T[N,1] c",
    ),
    "gemm_weights_given": dense(
        "y = Gemm(x, w, b)",
        lambda x, w, b: np.abs(x) @ np.abs(w) + np.abs(b),
        inputs="T[N,6] x, T[6,4] w, T[4] b",
    ),
    "matmul": dense("y = MatMul(x, W)", plain, *ALL),
    "matmul_add": dense("m = MatMul(x, W) y = Add(m, C)", plain, *FLOATS),
    "add_matmul": dense("m = MatMul(x, W) y = Add(C, m)", plain, *FLOATS),
    "matmul_transposed": dense(
        "w = Transpose(V) y = MatMul(x, w)", transposed, *ALL
    ),
    "matmul_cast": dense("w = Identity(W) y = MatMul(x, w)", plain),
    "matmul_rank3": dense(
        "y = MatMul(x, W)", plain, inputs="T[N,3,6] x", output="T[N,3,4]"
    ),
    "matmul_rank4": dense(
        "y = MatMul(x, W)",
        plain,
        inputs="T[N,2,1,6] x",
        output="T[N,2,1,4]",
    ),
    "matmul_vector": dense(
        "y = MatMul(x, v)",
        lambda x, v: np.abs(x) @ np.abs(v) + 1,
        *ALL,
        inputs="T[N,6] x, T[6] v",
        output="T[N]",
    ),
    "vector_matmul": dense(
        "y = MatMul(x, W)",
        plain,
        inputs="T[6] x",
        output="T[4]",
        dims=({},),
    ),
    "vector_vector": dense(
        "y = MatMul(x, v)",
        lambda x, v: np.abs(x) @ np.abs(v),
        inputs="T[6] x, T[6] v",
        output="T[]",
        dims=({},),
    ),
    "batched": dense(
        "y = MatMul(x, v)",
        lambda x, v: np.abs(x) @ np.abs(v),
        *ALL,
        inputs="T[N,3,2,6] x, T[1,3,6,4] v",
        output="T[N,3,2,4]",
    ),
    "batched_of_both": dense(
        "t = Transpose<perm=[0,2,1]>(x) y = MatMul(x, t)",
        lambda x: np.abs(x) @ np.abs(x).transpose(0, 2, 1),
        inputs="T[N,2,6] x",
        output="T[N,2,2]",
    ),
    "matrix_by_stack": dense(
        "y = MatMul(x, v)",
        lambda x, v: np.abs(x) @ np.abs(v),
        inputs="T[N,6] x, T[3,6,4] v",
        output="T[3,N,4]",
    ),
    "conv_1x1": dense(
        "y = Conv(x, K, C)",
        lambda x: np.full((1, 4, 1, 1), 40.0),
        *FLOATS,
        inputs="T[N,6,1,1] x",
        output="T[N,4,1,1]",
    ),
    "conv_whole": dense(
        "y = Conv(x, L, C)",
        lambda x: np.full((1, 4, 1, 1), 40.0),
        *FLOATS,
        inputs="T[N,3,1,2] x",
        output="T[N,4,1,1]",
    ),
    "integers": Case(
        "g (int32[N,6] x, int32[6,4] w) => (int32[N,4] y)"
        " { y = MatMul(x, w) }"
    ),
}
DENSE["conv_1x1"].constants["K"] = WT.reshape(4, 6, 1, 1)
DENSE["conv_whole"].constants["L"] = WT.reshape(4, 3, 1, 2)


@pytest.mark.parametrize("case, type", cases(DENSE))
def test_dense(case, type, tmp_path):
    check(case, type, tmp_path)


# ----------------------------------------------------------------------------
# Functions per element
# ----------------------------------------------------------------------------


def unary(call, types=(F32,), opset=17, terms=6, scale=None, **more):
    return Case(
        f"g (T[N,5] x) => (T[N,5] y) {{ y = {call} }}",
        opset=opset,
        types=types,
        terms=terms,
        scale=scale or (lambda x: 4.0),
        dims=({"N": 3}, {"N": 1}),
        **more,
    )


def erf(x):
    from math import erf as one

    return np.vectorize(one, otypes=[float])(x)


UNARY = {
    "relu": unary("Relu(x)", ALL, terms=0),
    "leaky_relu": unary("LeakyRelu<alpha=0.125>(x)", ALL),
    "leaky_relu_default": unary("LeakyRelu(x)"),
    "sigmoid": unary("Sigmoid(x)", ALL),
    "sigmoid_far": unary("Sigmoid(x)", low=-200.0, high=200.0),
    "hard_sigmoid": unary("HardSigmoid(x)", FLOATS),
    "hard_sigmoid_attributes": unary(
        "HardSigmoid<alpha=0.3,beta=0.4>(x)", low=-5.0, high=5.0
    ),
    "hard_swish": unary("HardSwish(x)", low=-5.0, high=5.0),
    "tanh": unary("Tanh(x)", ALL),
    "erf": unary("Erf(x)", (F32, F16)),
    "exp": unary("Exp(x)", FLOATS),
    "log": unary("Log(x)", FLOATS, low=0.1),
    "sqrt": unary("Sqrt(x)", ALL, low=0.1, scale=None),
    "abs": unary("Abs(x)", FLOATS, terms=0),
    "neg": unary("Neg(x)", FLOATS, terms=0),
    "sign": unary("Sign(x)", terms=0),
    "acos": unary("Acos(x)", low=-1.0, high=1.0),
    "asin": unary("Asin(x)", low=-1.0, high=1.0),
    "atan": unary("Atan(x)"),
    "ceil": unary("Ceil(x)", terms=0),
    "floor": unary("Floor(x)", terms=0),
    "round": unary("Round(x)", terms=0, low=-9.0, high=9.0),
    "reciprocal": unary("Reciprocal(x)", low=0.5),
    "cos": unary("Cos(x)"),
    "sin": unary("Sin(x)"),
    "elu": unary("Elu<alpha=0.7>(x)", FLOATS),
    "celu": unary("Celu<alpha=0.7>(x)"),
    "selu": unary("Selu(x)", FLOATS),
    "softplus": unary("Softplus(x)", FLOATS),
    "softplus_far": unary(
        "Softplus(x)", low=-150.0, high=150.0, scale=lambda x: np.abs(x) + 1
    ),
    "softsign": unary("Softsign(x)"),
    "mish": unary("Mish(x)", opset=18),
    "gelu": unary("Gelu(x)", opset=20),
    "gelu_tanh": unary('Gelu<approximate="tanh">(x)', opset=20, terms=12),
    "thresholded_relu": unary("ThresholdedRelu<alpha=0.5>(x)", terms=0),
    "swish": unary(
        "Swish<alpha=1.5>(x)",
        opset=24,
        exact=lambda x: x / (1 + np.exp(-1.5 * x)),
        no_runtime=True,
    ),
    "clip": unary("Clip(x, a, b)", ALL, terms=0),
    "clip_low": unary("Clip(x, a)", terms=0),
    "clip_high": unary('Clip(x, "", b)', terms=0),
    "clip_attributes": unary(
        "Clip<min=-0.5,max=1.25>(x)",
        opset=6,
        terms=0,
        exact=lambda x: np.clip(x, -0.5, 1.25),
    ),
    "clip_crossed": unary(
        "Clip(x, b, a)", terms=0, exact=lambda x: np.full_like(x, -0.5)
    ),
    "pow": unary("Pow(x, b)", low=0.1),
    "pow_integer": unary("Pow(x, n)", scale=lambda x: 40.0, low=0.3),
    "pow_two": unary("Pow(x, p)", (F32, F16)),
    "identity": unary("Identity(x)", ALL, terms=0),
    "dropout": unary("Dropout(x)", ALL, terms=0),
    "dropout_old": unary(
        "Dropout<is_test=1>(x)", opset=6, terms=0, exact=lambda x: x
    ),
    "dropout_ratio": unary("Dropout(x, r)", terms=0),
}
for each in UNARY.values():
    each.constants.update(
        a=np.array(-0.5), b=np.array(1.25), r=np.array(0.25, np.float32), p=np.array(2.0), n=np.array(-3)
    )
    each.constants = {
        k: v
        for k, v in each.constants.items()
        if f", {k}" in each.text or f"({k}," in each.text
    }


@pytest.mark.parametrize("case, type", cases(UNARY))
def test_unary(case, type, tmp_path):
    check(case, type, tmp_path)


def binary(call, left, right, result="N,4", dims=None, **more):
    return Case(
        f"g (T[{left}] a, T[{right}] b) => (T[{result}] y) {{ y = {call} }}",
        dims=dims or ({"N": 1}, {"N": 3}, {"N": 0}),
        terms=more.pop("terms", 2),
        **more,
    )


MEET = tuple(
    {"N": n, "M": m} for n, m in ((3, 3), (1, 3), (3, 1), (1, 1), (0, 1))
)
BINARY = {
    "add": binary("Add(a, b)", "N,4", "N,4", types=ALL),
    "sub": binary("Sub(a, b)", "N,4", "4", types=ALL),
    "mul": binary("Mul(a, b)", "N,4", "1,4", types=ALL),
    "div": binary("Div(a, b)", "N,4", "N,1", types=ALL),
    "scalar": binary("Mul(a, b)", "", "N,4", types=FLOATS),
    "one": binary("Mul(a, b)", "1", "N,4"),
    "column": binary("Add(a, b)", "3,1", "N,1,4", "N,3,4"),
    "longer": binary("Add(a, b)", "N,3,4", "3,4", "N,3,4"),
    "outer": binary("Mul(a, b)", "N,1", "1,4"),
    # Which extents are 1 only the run knows.
    "meet": binary("Add(a, b)", "N,4", "M,4", "K,4", dims=MEET, types=ALL),
    "meet_number": binary(
        "Add(a, b)",
        "N,4",
        "M,4",
        "M,4",
        dims=({"N": 1, "M": 3}, {"N": 3, "M": 3}),
    ),
    "meet_three": binary(
        "Sub(a, b)",
        "N,3",
        "2,M",
        "2,3",
        dims=({"N": 1, "M": 1}, {"N": 2, "M": 3}, {"N": 1, "M": 3}),
    ),
    "max": binary("Max(a, b)", "N,4", "4", types=FLOATS, terms=0),
    "min": binary("Min(a, b)", "N,4", "4", types=FLOATS, terms=0),
    "sum": binary("Sum(a, b, a)", "N,4", "4"),
    "mean": binary("Mean(a, b, b)", "N,4", "4", terms=4, scale=lambda a, b: 2.0),
    "pow": binary("Pow(a, b)", "N,4", "4", low=0.2, terms=4),
    "prelu": binary("PRelu(a, b)", "N,4", "4", types=(F32, F16)),
    "prelu_channels": binary("PRelu(a, b)", "N,3,2", "3,1", "N,3,2"),
    "sum_scale": binary("Sum(a, b)", "N,4", "N,4", types=(F16,)),
    "add_old": binary(
        "Add<broadcast=1,axis=1>(a, b)",
        "N,3,2",
        "3",
        "N,3,2",
        opset=6,
        exact=lambda a, b: a + b[:, None],
    ),
    "add_old_suffix": binary(
        "Add<broadcast=1>(a, b)",
        "N,3,2",
        "2",
        "N,3,2",
        opset=6,
        exact=lambda a, b: a + b,
    ),
    "add_old_same": binary(
        "Add(a, b)", "N,4", "N,4", opset=6, exact=lambda a, b: a + b
    ),
}
for each in BINARY.values():
    if each.scale is None:
        each.scale = lambda a, b: 4.0


@pytest.mark.parametrize("case, type", cases(BINARY))
def test_binary(case, type, tmp_path):
    check(case, type, tmp_path)


TYPED = {
    "greater": "g (float[N,4] a, float[4] b) => (bool[N,4] y) { y = Greater(a, b) }",
    "less": "g (float[N,4] a, float[4] b) => (bool[N,4] y) { y = Less(a, b) }",
    "equal": "g (int32[N,4] a, int32[4] b) => (bool[N,4] y) { y = Equal(a, b) }",
    "where": "g (bool[N,4] c, float[4] a, float[N,1] b) => (float[N,4] y)"
    " { y = Where(c, a, b) }",
    "where_halves": "g (bool[N,4] c, float16[4] a, float16[N,1] b) =>"
    " (float16[N,4] y) { y = Where(c, a, b) }",
    "add_integers": "g (int64[N,4] a, int64[4] b) => (int64[N,4] y)"
    " { y = Add(a, b) }",
    "max_unsigned": "g (uint8[N,4] a, uint8[4] b) => (uint8[N,4] y)"
    " { y = Max(a, b) }",
    "min_signed": "g (int8[N,4] a, int8[4] b) => (int8[N,4] y)"
    " { y = Min(a, b) }",
    "relu_integers": "g (int32[N,4] a) => (int32[N,4] y) { y = Relu(a) }",
    "clip_integers": "g (int32[N,4] a) => (int32[N,4] y)"
    " <int32 l = {-7}, int32 h = {9}> { y = Clip(a, l, h) }",
    "abs_integers": "g (int32[N,4] a) => (int32[N,4] y) { y = Abs(a) }",
    "to_int": "g (float[N,4] a) => (int32[N,4] y) { y = Cast<to=6>(a) }",
    "to_bool": "g (float[N,4] a) => (bool[N,4] y) { y = Cast<to=9>(a) }",
    "to_float": "g (int64[N,4] a) => (float[N,4] y) { y = Cast<to=1>(a) }",
    "from_unsigned": "g (uint8[N,4] a) => (float[N,4] y) { y = Cast<to=1>(a) }",
    "from_bool": "g (bool[N,4] a) => (float[N,4] y) { y = Cast<to=1>(a) }",
    "to_half": "g (float[N,4] a) => (float16[N,4] y) { y = Cast<to=10>(a) }",
    "from_half": "g (float16[N,4] a) => (float[N,4] y) { y = Cast<to=1>(a) }",
    "double_to_half": "g (double[N,4] a) => (float16[N,4] y)"
    " { y = Cast<to=10>(a) }",
    "widen_unsigned": "g (uint8[N,4] a) => (int32[N,4] y) { y = Cast<to=6>(a) }",
    "int_to_half": "g (int32[N,4] a) => (float16[N,4] y)"
    " { y = Cast<to=10>(a) }",
}


@pytest.mark.parametrize("text", TYPED.values(), ids=TYPED.keys())
def test_types(text, tmp_path):
    """Where nothing is rounded, or once: bit for bit as the evaluator."""
    case = Case(text, dims=({"N": 1}, {"N": 3}))
    model = case.model(F32)
    compiled, reference = Compiled(model, tmp_path), headopt.Reference(model)
    for seed, dims in enumerate(case.dims):
        feeds = make_feeds(model, dims, case, seed)
        expected = reference(feeds)["y"]
        answer = compiled(feeds)
        assert answer.dtype == expected.dtype
        assert answer.tobytes() == expected.tobytes(), (answer, expected)


SPECIAL = np.array(
    [[np.nan, np.inf, -np.inf, -0.0, 3e38]], dtype=np.float32
)


@pytest.mark.parametrize(
    "call, expected",
    {
        "Relu(x)": [np.nan, np.inf, 0, 0, 3e38],
        "Abs(x)": [np.nan, np.inf, np.inf, 0, 3e38],
        "LeakyRelu<alpha=0.5>(x)": [np.nan, np.inf, -np.inf, 0, 3e38],
        "Sigmoid(x)": [np.nan, 1, 0, 0.5, 1],
        "Tanh(x)": [np.nan, 1, -1, 0, 1],
        "Softplus(x)": [np.nan, np.inf, 0, np.log(2), 3e38],
        "HardSigmoid(x)": [np.nan, 1, 0, 0.5, 1],
        "Elu(x)": [np.nan, np.inf, -1, 0, 3e38],
        "Clip(x, l, h)": [np.nan, 2, -2, 0, 2],
        "Max(x, l)": [np.nan, np.inf, -2, 0, 3e38],
        "Sign(x)": [np.nan, 1, -1, 0, 1],
    }.items(),
    ids=str,
)
def test_special_numbers(call, expected, tmp_path):
    model = parse(
        f"g (float[N,5] x) => (float[N,5] y) {{ y = {call} }}",
        {
            k: np.array(v)
            for k, v in dict(l=-2.0, h=2.0).items()
            if f", {k}" in call
        },
    )
    answer = Compiled(model, tmp_path)({"x": SPECIAL})
    np.testing.assert_allclose(
        answer, np.array([expected], np.float32), rtol=1e-6
    )


# ----------------------------------------------------------------------------
# Normalisation
# ----------------------------------------------------------------------------


def softmax(x, *axes):
    shifted = np.exp(x - x.max(axis=axes, keepdims=True))
    return shifted / shifted.sum(axis=axes, keepdims=True)


def norm(call, opset=17, types=(F32,), shape="N,5", **more):
    more.setdefault("terms", 16)
    return Case(
        f"g (T[{shape}] x) => (T[{shape}] y) {{ y = {call} }}",
        opset=opset,
        types=types,
        **more,
    )


CHANNELS = {
    "s": numbers(3, low=0.5),
    "b": numbers(3, seed=2),
    "m": numbers(3, seed=3),
    "v": numbers(3, low=0.25, seed=4),
}


def batch_norm(x):
    s, b, m, v = (
        c.astype(np.float32)[:, None, None] for c in CHANNELS.values()
    )
    return (x - m) / np.sqrt(v + 1e-5) * s + b


BATCH_NORM = "BatchNormalization(x, s, b, m, v)"
ten = {"scale": lambda x: 10.0}
ROWS = {"S": numbers(5), "B": numbers(5, seed=2)}
NORMALIZATION = {
    "softmax": norm("Softmax(x)", types=ALL),
    "softmax_axis": norm("Softmax<axis=1>(x)", shape="N,5,2"),
    "softmax_batch": norm(
        "Softmax<axis=0>(x)", dims=({"N": 3}, {"N": 1})
    ),
    "softmax_large": norm("Softmax(x)", low=-1e4, high=1e4),
    "softmax_old": norm(
        "Softmax(x)",
        opset=11,
        shape="N,3,2",
        types=FLOATS,
        exact=lambda x: softmax(x, 1, 2),
        dims=({"N": 3}, {"N": 1}),
    ),
    "softmax_old_axis": norm(
        "Softmax<axis=2>(x)",
        opset=11,
        shape="N,3,2",
        exact=lambda x: softmax(x, 2),
        dims=({"N": 3}, {"N": 1}),
    ),
    "softmax_old_zero": norm(
        "Softmax<axis=0>(x)",
        opset=11,
        shape="N,3",
        exact=lambda x: softmax(x, 0, 1),
        dims=({"N": 3}, {"N": 1}),
    ),
    "log_softmax": norm("LogSoftmax(x)", types=ALL, **ten),
    "log_softmax_old": norm(
        "LogSoftmax(x)",
        opset=11,
        shape="N,3,2",
        exact=lambda x: np.log(softmax(x, 1, 2)),
        dims=({"N": 3}, {"N": 1}),
        **ten,
    ),
    "batch_norm": norm(
        BATCH_NORM, constants=CHANNELS, types=ALL, shape="N,3,2,2", **ten
    ),
    "batch_norm_rows": norm(
        BATCH_NORM, constants=CHANNELS, shape="N,3", types=FLOATS, **ten
    ),
    "batch_norm_epsilon": norm(
        "BatchNormalization<epsilon=0.5>(x, s, b, m, v)",
        constants=CHANNELS,
        shape="N,3,2,2",
        **ten,
    ),
    "layer_norm": norm(
        "LayerNormalization(x, S, B)", constants=ROWS, types=ALL, **ten
    ),
    "layer_norm_axis": norm(
        "LayerNormalization<axis=1,epsilon=0.1>(x, S)",
        constants={"S": numbers(3, 5)},
        shape="N,3,5",
        types=FLOATS,
        **ten,
    ),
    # The evaluator trains here.
    "batch_norm_old": norm(
        BATCH_NORM,
        constants=CHANNELS,
        shape="N,3,2,2",
        opset=9,
        exact=batch_norm,
        **ten,
    ),
}


@pytest.mark.parametrize("case, type", cases(NORMALIZATION))
def test_normalization(case, type, tmp_path):
    check(case, type, tmp_path)


# ----------------------------------------------------------------------------
# Quantisation
# ----------------------------------------------------------------------------

INT8 = {"int8": np.int8, "uint8": np.uint8}


@pytest.mark.parametrize("zero", [None, -3, 7])
@pytest.mark.parametrize("per_axis", [False, True])
@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16"])
def test_quantize(kind, per_axis, zero, tmp_path):
    """Ties to even, saturated: bit for bit as the evaluator."""
    dtype = np.dtype(kind)
    if zero is None and kind != "uint8":
        pytest.skip("without a zero point the type is uint8")
    if zero is not None and dtype.kind == "u":
        zero = abs(zero)
    scale = np.array([0.5, 0.25, 1.0, 2.0], np.float32)
    constants = {"s": scale if per_axis else scale[0]}
    if zero is not None:
        constants["z"] = np.full(4 if per_axis else (), zero, dtype)
    operands = ", ".join(constants)
    model = parse(
        f"g (float[N,4,9] x) => ({kind}[N,4,9] y)"
        f" {{ y = QuantizeLinear<axis=1>(x, {operands}) }}",
        constants,
        opset=21,
    )
    # Beyond 2^31 the evaluator wraps round.
    row = [-1e6, -70.25, -1.25, -0.25, 0.25, 0.75, 1.25, 63.75, 1e6]
    x = np.broadcast_to(np.array(row, np.float32), (2, 4, 9))
    answer = Compiled(model, tmp_path)({"x": x})
    expected = headopt.Reference(model)({"x": x})["y"]
    assert answer.dtype == expected.dtype == dtype
    assert (answer == expected).all(), (answer, expected)
    runtime = headopt.load(headopt.OnnxRuntime, model)
    assert (answer == runtime({"x": x})["y"]).all()


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("type", [F32, F16, BF16], ids=lambda t: t.name)
@pytest.mark.parametrize("kind", ["int8", "uint8", "int32"])
def test_dequantize(kind, type, given, tmp_path):
    """Of the data, along an axis, with a zero point; also of a weight."""
    dtype = np.dtype(kind)
    constants = {
        "s": np.array([0.5, 0.3, 1.0, 2.0]),
        "z": np.array([1, 0, 3, 100] if kind != "int32" else [0] * 4, dtype),
    }
    info = np.iinfo(np.int16 if kind == "int32" else dtype)
    x = np.random.RandomState(3).randint(info.min, info.max, (2, 4, 3))
    x = x.astype(dtype)
    if not given:
        constants["x"] = x
    model = parse(
        f"g ({kind}[2,4,3] x) => (T[2,4,3] y)"
        " { y = DequantizeLinear<axis=1>(x, s, z) }"
        if given
        else "g (T[N,4,3] i) => (T[2,4,3] y)"
        " { w = DequantizeLinear<axis=1>(x, s, z) o = Sub(i, i)"
        " y = Add(w, o) }",
        constants,
        opset=21,
        type=type,
    )
    feeds = {"x": x} if given else {"i": np.ones((1, 4, 3), type.numpy)}
    answer = Compiled(model, tmp_path)(feeds)
    s = constants["s"].astype(type.numpy).astype(np.float64)[:, None]
    exact = (x.astype(np.float64) - constants["z"][:, None]) * s
    off = np.abs(headopt.wide(answer) - exact)
    assert (off <= np.abs(exact) * (type.eps / 2 + 2 * F32.eps)).all()


# ----------------------------------------------------------------------------
# Views
# ----------------------------------------------------------------------------


def view(call, source, target, dims=None, constants=None, opset=17, types=(F32,)):
    return Case(
        f"g (T[{source}] x) => (T[{target}] y) {{ {call} }}",
        constants or {},
        opset=opset,
        types=types,
        dims=dims or ({"N": 1}, {"N": 3}, {"N": 0}),
        terms=0,
    )


def reshape(target, source, result, dims=None, **attributes):
    extra = "".join(f"<{k}={v}>" for k, v in attributes.items())
    return view(
        f"y = Reshape{extra}(x, t)",
        source,
        result,
        dims,
        {"t": np.array(target, np.int64)},
    )


HW = ({"N": 1, "h": 2, "w": 2}, {"N": 3, "h": 3, "w": 5})
FOUR = ({"N": 1, "h": 2, "w": 2}, {"N": 3, "h": 4, "w": 1})
VIEWS = {
    "flatten": view("y = Flatten(x)", "N,3,2,2", "N,12", types=ALL),
    "flatten_0": view(
        "y = Flatten<axis=0>(x)", "N,3,2", "1,K", ({"N": 3}, {"N": 1})
    ),
    "flatten_2": view("y = Flatten<axis=2>(x)", "N,3,2,2", "K,4"),
    "flatten_negative": view("y = Flatten<axis=-3>(x)", "N,3,2,2", "N,12"),
    "flatten_rank": view("y = Flatten<axis=3>(x)", "N,3,2", "K,1"),
    "flatten_dynamic": view("y = Flatten(x)", "N,2,h,w", "N,K", HW),
    "reshape_0_m1": reshape([0, -1], "N,3,2,2", "N,12"),
    "reshape_m1_k": reshape([-1, 12], "N,3,2,2", "N,12"),
    "reshape_0_k": reshape([0, 12], "N,3,2,2", "N,12"),
    "reshape_splits": reshape([0, 2, 6], "N,12", "N,2,6"),
    "reshape_merges": reshape([0, 0, -1], "N,3,2,2", "N,3,4"),
    "reshape_regroups": reshape([-1, 4, 3], "N,3,2,2", "N,4,3"),
    "reshape_mixes": reshape([-1, 8], "N,2,h,w", "K,8", FOUR),
    "reshape_mixes_samples": reshape(
        [-1, 4], "N,6", "K,4", ({"N": 2}, {"N": 4})
    ),
    "reshape_ones": reshape([-1, 1, 3, 1], "N,3,1,1", "N,1,3,1"),
    "reshape_dynamic": reshape([0, -1], "N,2,h,w", "N,K", HW),
    "reshape_1d": reshape([-1], "N,3,2", "K"),
    "reshape_scalar": reshape([], "1,1", "", ({},)),
    "reshape_from_scalar": reshape([1, 1], "", "1,1", ({},)),
    "reshape_computed": view(
        "s = Shape(x) n = Gather(s, i) u = Unsqueeze(n, a)"
        " m = Constant<value_ints=[-1]>() t = Concat<axis=0>(u, m)"
        " y = Reshape(x, t)",
        "N,3,2,2",
        "N,K",
        constants={"i": np.array(0), "a": np.array([0])},
        dims=({"N": 1}, {"N": 3}),
    ),
    "squeeze": view(
        "y = Squeeze(x, a)",
        "N,3,1,1",
        "N,3",
        constants={"a": np.array([2, -1])},
        types=ALL,
    ),
    "squeeze_attribute": view(
        "y = Squeeze<axes=[2,3]>(x)", "N,3,1,1", "N,3", opset=11
    ),
    "squeeze_all": view("y = Squeeze(x)", "1,3,1,2", "3,2", ({},)),
    "squeeze_dynamic": view(
        "y = Squeeze(x, a)",
        "N,3",
        "3",
        ({"N": 1},),
        constants={"a": np.array([0])},
    ),
    "unsqueeze": view(
        "y = Unsqueeze(x, a)",
        "N,3",
        "N,1,3,1",
        constants={"a": np.array([-1, 1])},
    ),
    "unsqueeze_attribute": view(
        "y = Unsqueeze<axes=[0,2]>(x)", "N,3", "1,N,1,3", opset=11
    ),
    "transpose": view(
        "y = Transpose<perm=[0,2,3,1]>(x)", "N,3,2,4", "N,2,4,3", types=ALL
    ),
    "transpose_default": view("y = Transpose(x)", "N,3,2", "2,3,N"),
    "transpose_ones": view(
        "y = Transpose<perm=[0,2,3,1]>(x)", "N,3,1,1", "N,1,1,3"
    ),
}


@pytest.mark.parametrize("case, type", cases(VIEWS))
def test_views(case, type, tmp_path):
    check(case, type, tmp_path)


# ----------------------------------------------------------------------------
# Whole heads and single cases
# ----------------------------------------------------------------------------


def test_d8_dynamic_map(tmp_path):
    """One conversion, maps of two sizes: the divisor is the run's H * W."""
    model = parse(
        'g (float[N,2,h,w] x) => (float[N,2,1,1] y) { y = GlobalAveragePool(x) }'
    )
    compiled = Compiled(model, tmp_path)
    for h, w in itertools.product((2, 3), (2, 5)):
        x = np.arange(2 * h * w, dtype=np.float32).reshape(1, 2, h, w)
        answer = compiled({"x": x})
        assert (answer == x.mean(axis=(2, 3), keepdims=True)).all()


@pytest.mark.parametrize(
    "name, x, expected",
    [
        ("ones", np.ones((1, 1, 64, 64)), 1.0),
        ("large", np.full((1, 1, 2, 2), 30000.0), 30000.0),
        ("rounded_once", np.full((1, 1, 2, 2), 1.0009765625), 1.0009765625),
        (
            "narrowed_last",
            np.array([1.0, 1.0, 1.0, 1.00390625]).reshape(1, 1, 2, 2),
            1.0009765625,
        ),
    ],
)
@pytest.mark.parametrize(
    "call",
    ["GlobalAveragePool(x)", "ReduceMean<axes=[2,3]>(x)"],
    ids=["gap", "mean"],
)
def test_d9_half_means(name, x, expected, call, tmp_path):
    """Widen, sum, divide, narrow once."""
    model = parse(
        f"g (float16[N,1,h,w] x) => (float16[N,1,1,1] y) {{ y = {call} }}"
    )
    answer = Compiled(model, tmp_path)({"x": x.astype(np.float16)})
    assert answer.item() == expected


@pytest.mark.parametrize("side", [4, 5, 7])
@pytest.mark.parametrize("last", [False, True], ids=["nchw", "nhwc"])
def test_d10_neighbours(side, last, tmp_path):
    """NaN in neighbouring rows stays there."""
    x = np.full((3, 3, side, side), np.nan, np.float32)
    x[:, 1] = 1
    axes = [1, 2] if last else [2, 3]
    shape = f"N,{side},{side},3" if last else f"N,3,{side},{side}"
    model = parse(
        f"g (float[{shape}] x) => (float[N,3] y)"
        f" {{ y = ReduceMean<axes={axes},keepdims=0>(x) }}"
    )
    x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if last else x
    answer = Compiled(model, tmp_path)({"x": x})
    assert (answer[:, 1] == 1).all()
    assert np.isnan(answer[:, [0, 2]]).all()


HEADS = {
    "resnet": (
        "g (T[N,8,4,3] x) => (T[N,5] y) {"
        " p = GlobalAveragePool(x) f = Flatten(p) y = Gemm<transB=1>(f, W, B) }"
    ),
    "mobilenet": (
        "g (T[N,8,4,3] x) => (T[N,5] y) {"
        " r = Clip(x, l, h) m = ReduceMean<axes=[2,3],keepdims=0>(r)"
        " d = Dropout(m) t = Transpose(W) a = MatMul(d, t) y = Add(a, B) }"
    ),
    "softmax": (
        "g (T[N,8,4,3] x) => (T[N,5] y) {"
        " p = GlobalAveragePool(x) q = Squeeze(p, axes)"
        " g = Gemm<transB=1>(q, W, B) y = Softmax<axis=1>(g) }"
    ),
    "two_layers": (
        "g (T[N,8,4,3] x) => (T[N,5] y) {"
        " p = GlobalAveragePool(x) f = Flatten(p) g = Gemm<transB=1>(f, W, B)"
        " r = Relu(g) s = Gemm(r, U) n = BatchNormalization(s, B, B, B, V)"
        " a = Add(n, g) y = Sigmoid(a) }"
    ),
}


@pytest.mark.parametrize("type", FLOATS + HALVES, ids=lambda t: t.name)
@pytest.mark.parametrize("name", HEADS)
def test_heads(name, type, tmp_path):
    constants = {
        "W": numbers(5, 8),
        "B": numbers(5, seed=2),
        "U": numbers(5, 5, seed=4),
        "V": numbers(5, low=0.5, seed=5),
        "l": np.array(0.0),
        "h": np.array(6.0),
        "axes": np.array([2, 3], np.int64),
    }
    text = HEADS[name]
    used = {
        k: v
        for k, v in constants.items()
        if f", {k}" in text or f"({k})" in text
    }
    # Each node rounds once to the type; none of these magnifies by over 30.
    eps = type.eps / F32.eps if type in HALVES else 1
    case = Case(
        text,
        used,
        # GlobalAveragePool takes bf16 from 22 on, ReduceMean axes before 18.
        opset=13 if "axes=" in text else 22,
        types=(type,),
        scale=lambda x: 30.0 * eps,
        terms=32,
    )
    check(case, type, tmp_path)


def test_large_constants(tmp_path):
    """From 1 KiB on constants are resources, in order and complete."""
    w = np.arange(64 * 32, dtype=np.float64).reshape(64, 32)
    model = parse(
        "g (T[N,64] x) => (T[N,32] y) { y = MatMul(x, W) }", {"W": w}
    )
    _, target = convert(model, tmp_path)
    assert 'dense_resource<W>' in target.read_text()
    x = np.eye(64, dtype=np.float32)
    assert (Compiled(model, tmp_path)({"x": x}) == w).all()


def test_external_weight(tmp_path):
    """A weight in another file is read from there."""
    w = numbers(64, 32).astype(np.float32)
    model = parse(
        "g (T[N,64] x) => (T[N,32] y) { y = MatMul(x, W) }",
        {"W": w},
    )
    headopt.onnx.external_data_helper.convert_model_to_external_data(
        model, location="weights.bin", size_threshold=0
    )
    headopt.onnx.save(model, tmp_path / "model.onnx")
    model = headopt.onnx.load(tmp_path / "model.onnx", load_external_data=False)
    answer = Compiled(model, tmp_path)({"x": np.eye(64, dtype=np.float32)})
    assert (answer == w).all()


def test_initializer_that_callers_override(tmp_path):
    """D6: it is no constant, so nothing may be computed with its default."""
    model = parse("g (T[N,6] x, T[6,4] W) => (T[N,4] y) { y = MatMul(x, W) }")
    model.graph.initializer.append(
        headopt.make_tensor(W.astype(np.float32), "W")
    )
    done, _ = convert(model, tmp_path, check=False)
    assert done.returncode != 0
    assert "callers may override" in done.stderr


def test_inputs_of_unknown_rank(tmp_path):
    model = parse("g (T[N,6] x) => (T[N,6] y) { y = Relu(x) }")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    model.graph.output[0].type.tensor_type.ClearField("shape")
    done, _ = convert(model, tmp_path, check=False)
    assert done.returncode != 0 and len(done.stderr.splitlines()) == 1
    assert "how many axes 'x' has is not known" in done.stderr
