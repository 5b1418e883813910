# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Scales and shifts of the features between the collapse and the dense layer:
Mul, Div, Add, Sub and BatchNormalization with a number for each feature.

They are a part of the weight: with g = s f + t, sum_k W g is sum_k (W s) f plus
a constant for each output. So what has to be even is W s, and t may be
anything. The tests state the exact products themselves, and judge the numbers
with a bound of their own, since the old head rounds between the two steps.
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from headopt import (
    F16,
    F32,
    F64,
    Graph,
    OnnxRuntime,
    Reference,
    assert_emission,
    assert_not_a_head,
    assert_refused,
    assert_sound,
    assert_unchanged,
    assert_well_formed,
    attribute,
    constant_value,
    constants_of,
    described,
    failed_rules,
    find_node,
    flat_index,
    large_scale,
    load,
    make_feeds,
    make_head,
    next_up,
    producer,
    run,
    stretches,
    weights,
    wide,
    with_outputs,
)

# Sigmoid is fed with numbers beyond its range, too.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

FLAT = "flat_value"  # what the scales and shifts act on


# ----------------------------------------------------------------------------
# Building: a head with a tail
# ----------------------------------------------------------------------------


@dataclass
class Step:
    """One operator, with arrays over the axes of the map (or one number).

    ``op`` is an operator's name; with ``left`` the constant is its first
    operand. For BatchNormalization ``values`` are scale, B, mean and var.
    """

    op: str
    values: tuple
    left: bool = False
    row: bool = False  # [1, K] instead of [K]
    attributes: dict = field(default_factory=dict)

    def write(self, g, x, extents):
        names = []
        for value in self.values:
            value = np.asarray(value, self.dtype(g))
            if value.ndim:
                value = np.broadcast_to(value, extents).reshape(-1)
                value = value[None] if self.row else value
            names.append(g.init(np.ascontiguousarray(value)))
        operands = [*names, x] if self.left else [x, *names]
        return g.node(self.op, operands, **self.attributes)

    def dtype(self, g):
        return g.type.numpy

    def apply(self, s, t, size, extents):
        """(s, t, size) of the features after it, in double: g = s f + t, and
        what was added up to give t.
        """
        c = [np.broadcast_to(wide(v), extents).reshape(-1) for v in self.values]
        if self.op == "BatchNormalization":
            epsilon = np.float64(
                np.float32(self.attributes.get("epsilon", 1e-5))
            )
            factor = c[0] / np.sqrt(c[3] + epsilon)
            return (
                s * factor,
                (t - c[2]) * factor + c[1],
                abs(factor) * (size + abs(c[2])) + abs(c[1]),
            )
        if self.op == "Mul":
            return s * c[0], t * c[0], size * abs(c[0])
        if self.op == "Div":
            return s / c[0], t / c[0], size / abs(c[0])
        sign = -1 if self.op == "Sub" and not self.left else 1
        turn = -1 if self.op == "Sub" and self.left else 1
        return turn * s, turn * t + sign * c[0], size + abs(c[0])


def mul(value, **how):
    return Step("Mul", (value,), **how)


def div(value, **how):
    return Step("Div", (value,), **how)


def add(value, **how):
    return Step("Add", (value,), **how)


def sub(value, **how):
    return Step("Sub", (value,), **how)


def bn(scale, bias, mean, var, **attributes):
    return Step(
        "BatchNormalization",
        (scale, bias, mean, var),
        attributes=attributes,
    )


def per_channel(channels, rank, axis=1, seed=0, type=F32):
    """A number for each channel, shaped to broadcast over [a1, ..., ar]."""
    shape = [1] * rank
    shape[axis - 1] = channels
    values = np.random.RandomState(seed).uniform(0.5, 2.0, channels)
    return values.reshape(shape).astype(type.numpy)


def per_feature(extents, seed=0, type=F32, low=-2.0, high=2.0):
    """A number of its own for each feature."""
    random = np.random.RandomState(seed)
    return random.uniform(low, high, extents).astype(type.numpy)


def make(steps, between=None, **changes):
    """A head of ``make_head`` with these steps before its dense layer;
    ``between`` adds a node in front of the last step.
    """

    def collapse(g, x, s):
        value = g.node("Flatten", [x], FLAT, axis=1)
        for i, step in enumerate(steps):
            if between and i == len(steps) - 1:
                value = between(g, value)
            value = step.write(g, value, s.extents)
        return value

    return make_head(collapse=collapse, **changes)


# ----------------------------------------------------------------------------
# Judging
# ----------------------------------------------------------------------------


def tail_of(steps, extents):
    size = math.prod(extents)
    s, t, added = np.ones(size), np.zeros(size), np.zeros(size)
    for step in steps:
        s, t, added = step.apply(s, t, added, extents)
    return s, t, added


def bound(head, steps, flat, y, accumulator, alpha, added):
    """How far the outputs may lie apart.

    With g = s f + t, M = |s| |f| + (what was added up to t), S = |alpha| sum_k
    |W| M and u = eps / 2: the old head rounds g at most 6 times for each of its
    m operators (BatchNormalization has the most), m 6 u S, and its sum by (K +
    1) u' S. The new one rounds W s and the shift once each and the mean twice,
    4 u S, and its sum by (K + 1) u' S. Bias, alpha and the last Add come to 8 u
    (|y| + |c|). Features below the range of the type are off by the smallest
    number.
    """
    s, _, size = tail_of(steps, head.spec.extents)
    type, w = head.spec.type, np.abs(wide(head.matrix)).T
    smallest = float(np.finfo(type.numpy).smallest_subnormal)
    spread = abs(alpha) * (((np.abs(flat) * np.abs(s)) + size) @ w)
    count = len(w)
    return (
        spread * ((count + 8) * accumulator + (8 + 3 * len(steps)) * type.eps)
        + 8 * type.eps * (np.abs(y) + added)
        + smallest * (count + abs(alpha) * w.sum(0))
    )


def assert_same_answers(result, head, steps, given=None):
    """Both models in both runtimes, on numbers that show what went wrong."""
    before, after, type = result.before, result.after, head.spec.type
    dense = find_node(before.graph, head.spec.name)
    alpha = attribute(dense, "alpha", 1.0)
    # At most 5 / 8 each, twice (``make_bias``; beta is at most 2).
    added = 2.0
    ran = 0
    kinds = [OnnxRuntime, Reference]
    normalised = any(s.op == "BatchNormalization" for s in steps)
    if normalised and head.spec.opset < 14:
        # onnx.reference normalises by the statistics of the batch there.
        kinds.pop()
    for kind in kinds:
        tapped = with_outputs(before, [FLAT]) if kind is OnnxRuntime else before
        old = load(kind, tapped)
        if old is None:
            continue
        new = load(kind, after)
        assert new is not None, f"{kind.name} takes the old model only"
        large = large_scale(before, [dense], constants_of(before)) / 64
        for what, feeds in make_feeds(before, None, given, large):
            p, q = old(feeds), new(feeds)
            y, z = wide(p["y"]), wide(q["y"])
            assert np.isfinite(y).all(), f"{kind.name}, {what}"
            limit = bound(
                head,
                steps,
                wide(p[FLAT]),
                y,
                kind.accumulates_in(type),
                alpha,
                added,
            )
            assert y.shape == z.shape
            assert (abs(y - z) <= limit).all(), (
                f"{kind.name}, {what}: off by {abs(y - z).max():.3g}, allowed "
                f"{limit.flat[abs(y - z).argmax()]:.3g}"
            )
            ran += 1
    assert ran, "no runtime takes the model"


def assert_folded(directory, head, steps, axes, shifted, opset=17):
    """The head is pooled over exactly ``axes``, its scales are in the weight,
    its shifts in one Add that has the old output's name.
    """
    result = run(directory, head.model, "--verify")
    assert_well_formed(result.report)
    entry = result.head(head.spec.name)
    assert entry["verdict"] == "rewritten", entry["reason"]
    extents = head.weight.shape
    assert described(entry, head.spec.size) == stretches(
        [extents[a] for a in head.order],
        [a in axes for a in head.order],
        head.spec.size,
    )
    kept = head.weight.size // math.prod(extents[a] for a in axes)
    assert (entry["parameters_before"], entry["parameters_after"]) == (
        head.parameters,
        kept + head.bias,
    )
    assert_sound(result)
    assert_emission(result, entry, head.spec.type, opset)
    old = find_node(result.before.graph, head.spec.name)
    new = find_node(result.after.graph, head.spec.name)
    assert new.op_type == old.op_type
    assert list(new.input[2:]) == list(old.input[2:])
    assert list(new.attribute) == list(old.attribute)
    if shifted:
        last = producer(result.after.graph, old.output[0])
        assert last.op_type == "Add" and new.output[0] in last.input
        assert new.output[0] != old.output[0]
    else:
        assert new.output == old.output
    # The weight is the sum of the products, rounded once.
    s, _, _ = tail_of(steps, head.spec.extents)
    products = wide(head.weight) * s.reshape(head.spec.extents)
    expected = products.sum(axis=tuple(axes))
    np.testing.assert_allclose(
        np.sort(wide(constant_value(result.after.graph, new.input[1])).ravel()),
        np.sort(expected.ravel()),
        rtol=2 * head.spec.type.eps,
        atol=0,
    )
    assert_same_answers(result, head, steps)
    left = {n.op_type for n in result.after.graph.node}
    for step in steps:
        assert step.op not in left or step.op == "Add", f"{step.op} stayed"
    return result


def assert_place_named(directory, head, steps, index, axes, moved="weight"):
    """One number at ``index`` moved: refused by L6, and that place is named."""
    result = run(directory, head.model, name="twin.onnx", out="twin-out.onnx")
    entry = assert_refused(result, head.spec.name, "L6")
    assert failed_rules(entry) == ["L6"]
    difference = entry["first_difference"]
    assert difference is not None, entry["reason"]
    if moved == "weight":
        assert difference["output"] == index[0]
    k = flat_index(entry, difference["position"])
    at = np.ravel_multi_index(index[1:], head.weight.shape[1:])
    assert k == at, f"{index} was moved, {difference} is named"
    s, _, _ = tail_of(steps, head.spec.extents)
    product = float(head.matrix[difference["output"], k]) * s[k]
    assert any(
        math.isclose(float(v), product, rel_tol=1e-12)
        for v in difference["values"]
    ), difference
    return entry


def accept(
    directory, steps, axes=(2, 3), shifted=False, between=None, twin=True, **how
):
    """Folded, and refused when one weight moves by one unit in the last place:
    the last along every pooled axis.
    """
    head = make(steps, between, **how)
    result = assert_folded(
        directory, head, steps, axes, shifted, how.get("opset", 17)
    )
    if twin:
        extents = head.weight.shape
        index = (
            head.spec.outputs // 2,
            *(
                extents[a] - 1 if a in axes else extents[a] // 2
                for a in range(1, len(extents))
            ),
        )
        moved = make(
            steps, between, **{**how, "weight": next_up(head.weight, index)}
        )
        assert_place_named(directory, moved, steps, index, axes)
    return head, result


def refuse(directory, steps, *labels, between=None, **how):
    head = make(steps, between, **how)
    result = run(directory, head.model, "--verify")
    return assert_refused(result, "dense", *labels)


EXTENTS = (3, 2, 4)
EVEN = per_channel(3, 3)
UNEVEN = per_feature(EXTENTS)
DENSE = ["gemm_tb1", "gemm_tb0", "gemm_no_bias", "matmul", "matmul_add"]


# ----------------------------------------------------------------------------
# One operator
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("dense", DENSE)
@pytest.mark.parametrize("row", [False, True], ids=["K", "1K"])
@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_scale_per_channel(tmp_path, left, row, dense):
    """Even weights times a factor for each channel are even weights."""
    accept(tmp_path, [mul(EVEN, left=left, row=row)], dense=dense)


@pytest.mark.parametrize("dense", DENSE)
def test_divisor_per_channel(tmp_path, dense):
    """1 / d has no exact double; equal d give equal quotients all the same."""
    accept(tmp_path, [div(EVEN)], dense=dense)


@pytest.mark.parametrize("dense", DENSE)
@pytest.mark.parametrize("op", ["Add", "Sub"])
@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_shift_of_each_feature(tmp_path, op, left, dense):
    """A shift is never asked to be even: it ends in a constant for each
    output. c - f also turns the sign of the weight.
    """
    step = Step(op, (UNEVEN,), left=left)
    accept(tmp_path, [step], shifted=True, dense=dense)


def test_shift_by_zero_needs_no_add(tmp_path):
    accept(tmp_path, [add(np.zeros(EXTENTS, np.float32))])


@pytest.mark.parametrize("dense", ["gemm_tb1", "matmul_add"])
@pytest.mark.parametrize("epsilon", [None, 1e-3, 0.5])
def test_batch_normalisation(tmp_path, epsilon, dense):
    """scale / sqrt(var + epsilon) has to be even; bias and mean may be
    anything.
    """
    more = {} if epsilon is None else {"epsilon": epsilon}
    step = bn(
        EVEN,
        per_feature(EXTENTS, 1),
        per_feature(EXTENTS, 2),
        per_channel(3, 3, seed=3),
        **more,
    )
    accept(tmp_path, [step], shifted=True, dense=dense)


@pytest.mark.parametrize("opset", [7, 9, 13, 14, 15, 17, 21])
def test_batch_normalisation_by_opset(tmp_path, opset):
    """Inference is the only mode from 7 to 13, and the default from 14 on."""
    step = bn(EVEN, UNEVEN, UNEVEN, EVEN)
    accept(tmp_path, [step], shifted=True, opset=opset)


@pytest.mark.parametrize("opset", [7, 13, 18, 22])
def test_scale_and_shift_by_opset(tmp_path, opset):
    accept(tmp_path, [mul(EVEN), add(UNEVEN)], shifted=True, opset=opset)


@pytest.mark.parametrize(
    "step",
    [
        mul(UNEVEN),
        mul(UNEVEN, left=True),
        div(UNEVEN),
        bn(UNEVEN, EVEN, EVEN, EVEN),
        bn(EVEN, EVEN, EVEN, abs(UNEVEN)),
    ],
    ids=["mul", "mul_left", "div", "bn_scale", "bn_var"],
)
@pytest.mark.parametrize("dense", ["gemm_tb1", "matmul_add"])
def test_uneven_scale(tmp_path, step, dense):
    """A factor for each position makes the effective weights uneven."""
    entry = refuse(tmp_path, [step], "L6", dense=dense)
    assert failed_rules(entry) == ["L6"], entry["reason"]


@pytest.mark.parametrize("index", [(0, 0, 0), (2, 1, 3), (1, 0, 2)], ids=str)
@pytest.mark.parametrize("op", ["Mul", "Div", "scale", "var"])
def test_one_ulp_of_one_scale(tmp_path, op, index):
    """The weights stay even, one factor moves by one unit in the last place."""
    moved = next_up(np.array(np.broadcast_to(EVEN, EXTENTS)), index)
    step = {
        "Mul": mul(moved),
        "Div": div(moved),
        "scale": bn(moved, UNEVEN, UNEVEN, EVEN),
        "var": bn(EVEN, UNEVEN, UNEVEN, moved),
    }[op]
    refuse(tmp_path, [step], "L6")


def test_one_ulp_of_one_scale_is_named(tmp_path):
    """The place is the feature whose factor moved."""
    moved = next_up(np.array(np.broadcast_to(EVEN, EXTENTS)), (2, 1, 3))
    steps = [mul(moved)]
    head = make(steps)
    assert_place_named(
        tmp_path, head, steps, (0, 2, 1, 3), (2, 3), moved="scale"
    )


def test_one_ulp_of_a_shift_changes_nothing(tmp_path):
    moved = next_up(np.array(np.broadcast_to(EVEN, EXTENTS)), (2, 1, 3))
    accept(tmp_path, [add(moved)], shifted=True)


def test_scale_zero(tmp_path):
    """A channel that is switched off stays switched off. (0 times infinity is
    NaN in both heads.)
    """
    accept(tmp_path, [mul(EVEN * np.float32([0, 1, 1]).reshape(3, 1, 1))])


@pytest.mark.parametrize("value", [np.inf, np.nan], ids=str)
@pytest.mark.parametrize("op", ["Mul", "Add"])
def test_not_finite(tmp_path, op, value):
    """Infinite scales end in the weight, infinite shifts in the constant."""
    numbers = np.array(np.broadcast_to(EVEN, EXTENTS))
    numbers[1] = value
    refuse(tmp_path, [Step(op, (numbers,))], "L4", "L6")


def test_division_by_zero(tmp_path):
    numbers = np.array(np.broadcast_to(EVEN, EXTENTS))
    numbers[1] = 0
    refuse(tmp_path, [div(numbers)], "L4")


# ----------------------------------------------------------------------------
# Exact products
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["Mul", "Div"])
@pytest.mark.parametrize("type", [F16, F32, F64], ids=lambda t: t.name)
def test_product_is_even_although_neither_is(tmp_path, type, op):
    """Powers of two at each position, and weights that undo them: no rounding
    anywhere, so that the products are even.
    """
    power = np.random.RandomState(3).randint(-2, 3, EXTENTS)
    factor = (2.0**power).astype(type.numpy)
    scale = factor if op == "Mul" else (1 / factor).astype(type.numpy)
    base = weights(5, EXTENTS, type=type)
    weight = (wide(base) / wide(factor)).astype(type.numpy)
    np.testing.assert_array_equal(wide(weight) * wide(factor), wide(base))
    accept(tmp_path, [Step(op, (scale,))], weight=weight, type=type)


def test_two_scales_undo_each_other(tmp_path):
    """Uneven powers of two, and their inverses two nodes later."""
    power = np.random.RandomState(4).randint(-3, 4, EXTENTS)
    up, down = (2.0**power).astype("f"), (2.0**-power).astype("f")
    accept(tmp_path, [mul(up), add(UNEVEN), mul(down)], shifted=True)


def test_two_scales_nearly_undo_each_other(tmp_path):
    """s and then 1 / s, rounded: 1 to within an ulp, and not even."""
    refuse(tmp_path, [mul(abs(UNEVEN)), div(abs(UNEVEN))], "L6")


@pytest.mark.parametrize(
    "step",
    [
        mul(per_channel(3, 3, type=F64)),
        div(per_channel(3, 3, type=F64)),
        mul(np.float64(1.1) * np.ones(EXTENTS)),
    ],
    ids=["mul", "div", "one_number"],
)
@pytest.mark.parametrize("dense", ["gemm_tb1", "matmul_add"])
def test_double_products_are_rounded(tmp_path, step, dense):
    """Equal factors give equal products, rounded or not; which of the weights
    differ is still to be asked of the weights.
    """
    accept(tmp_path, [step], type=F64, dense=dense, twin=False)


def doubles_of_one_product():
    """(w, s), (v, t), all different, with w s and v t different numbers that
    round to the same double. 1 / s and 1 / t are exact enough to use as well.
    """
    random = np.random.RandomState(0)
    while True:
        w, s = random.uniform(1.5, 2, 2)
        v = random.uniform(1.5, 2)
        t = w * s / v
        if w * s == v * t and Fraction(w) * Fraction(s) != Fraction(
            v
        ) * Fraction(t):
            return (w, s), (v, t)


@pytest.mark.parametrize("op", ["Mul", "Div"])
def test_products_equal_only_after_rounding(tmp_path, op):
    """Both factors differ, the doubles of their products do not: equal by
    chance, and another function.
    """
    (w, s), (v, t) = doubles_of_one_product()
    weight = np.full((1, 2, 1, 2), w)
    weight[..., 1] = v
    weight[:, 1] *= 2  # exact, and the channels differ
    scale = np.broadcast_to([s, t], (2, 1, 2)).copy()
    if op == "Div":
        # A quotient by a power of two is exact; these are not.
        scale = 1 / scale
    refuse(
        tmp_path,
        [Step(op, (scale,))],
        "L6",
        type=F64,
        weight=weight,
        outputs=1,
        extents=(2, 1, 2),
    )


def weight_lost_in_the_product():
    """(w, s): w and the next double after it have the same product with s."""
    random = np.random.RandomState(1)
    while True:
        w, s = random.uniform(1.6, 1.9), random.uniform(1.1, 1.3)
        if w * s > 2 and w * s == np.nextafter(w, 4) * s:
            return w, s


@pytest.mark.parametrize("op", ["Mul", "BatchNormalization"])
@pytest.mark.parametrize("dense", ["gemm_tb1", "matmul"])
def test_one_ulp_of_a_double_weight_under_an_even_scale(tmp_path, op, dense):
    """One weight moved by one ulp, the product with its even factor rounds to
    what its neighbours have. The weight varies all the same.
    """
    w, s = weight_lost_in_the_product()
    weight = weights(5, EXTENTS, type=F64)
    weight[2, 1] = w
    weight[2, 1, 1, 3] = np.nextafter(w, 4)
    scale = per_channel(3, 3, type=F64)
    scale[1] = s
    step = mul(scale)
    if op == "BatchNormalization":
        # sqrt(1 - e + e) is 1.
        ones, zeros = np.ones(EXTENTS), np.zeros(EXTENTS)
        var = ones - np.float64(np.float32(1e-5))
        step = bn(scale, zeros, zeros, var)
    refuse(tmp_path, [step], "L6", type=F64, weight=weight, dense=dense)


def test_products_below_the_range_of_double(tmp_path):
    """2^-600 and 3 * 2^-600, each times 2^-500: different weights whose
    products are both 0 in double. x may be 2^900, so the head is not 0.
    """
    weight = np.full((1, 2, 1, 2), 2.0**-600)
    weight[..., 1] *= 3
    weight[:, 1] *= 2
    refuse(
        tmp_path,
        [mul(np.full((2, 1, 2), 2.0**-500))],
        "L4",
        "L6",
        type=F64,
        weight=weight,
        outputs=1,
        extents=(2, 1, 2),
    )


@pytest.mark.parametrize(
    "type, weight, scale, x",
    [
        (F32, 2.0**-80, 2.0**-80, 2.0**100),
        (F16, 2.0**-9, 2.0**-12, 2.0**12),
        (F16, 1.3e-3, 1 / 255, 255.0),
    ],
    ids=["f32", "f16", "f16_pixels"],
)
def test_pooled_weight_below_the_range(tmp_path, type, weight, scale, x):
    """Weight and scale are ordinary numbers, their product is below the normal
    range of the type, where digits are lost: a weight of 0 is another function.
    255 * (x / 255) * w is a head that exists, in f16.

    Refused, or as near as rounding allows. The map is equal everywhere, so the
    exact answer is known.
    """
    extents = (1, 1, 3)
    value = np.full((2, *extents), weight).astype(type.numpy)
    step = mul(np.full(extents, scale, type.numpy))
    head = make([step], weight=value, outputs=2, extents=extents, type=type)
    result = run(tmp_path, head.model)
    if not result.rewritten:
        assert_refused(result, "dense", "L4")
        return
    feeds = {"x": np.full((1, *extents), x, type.numpy)}
    old = wide(Reference(result.before)(feeds)["y"])
    new = wide(Reference(result.after)(feeds)["y"])
    bias = np.array([1, 2]) / 8
    product = wide(value[0, 0, 0, 0]) * wide(type.numpy(scale)) * wide(x) * 3
    # Each of the 3 products and 3 sums and the bias is rounded.
    limit = 16 * type.eps * (abs(product) + bias)
    assert (abs(old - bias - product) <= limit).all()
    assert (abs(new - bias - product) <= limit).all(), (
        f"{old} became {new}, exactly it is {bias + product}"
    )


@pytest.mark.parametrize(
    "type, weight, scale, x",
    [
        (F32, 2.0**-80, 2.0**-80, 2.0**100),
        (F16, 2.0**-9, 2.0**-12, 2.0**12),
        (F16, 1e-3, 1.093e-4, 1e3),
    ],
    ids=["f32", "f16_power_of_two", "f16"],
)
def test_pooled_weight_below_the_range_without_bias(
    tmp_path, type, weight, scale, x
):
    """The same without a bias to hide behind: 0 is off by everything."""
    extents = (1, 1, 3)
    head = make(
        [mul(np.full(extents, scale, type.numpy))],
        weight=np.full((2, *extents), weight, type.numpy),
        outputs=2,
        extents=extents,
        type=type,
        dense="matmul",
    )
    result = run(tmp_path, head.model)
    if not result.rewritten:
        assert_refused(result, "dense", "L4")
        return
    feeds = {"x": np.full((1, *extents), x, type.numpy)}
    old = wide(Reference(result.before)(feeds)["y"])
    new = wide(Reference(result.after)(feeds)["y"])
    assert (old != 0).all()
    assert (abs(new - old) <= 16 * type.eps * abs(old)).all(), (old, new)


def test_verify_holds_where_the_product_is_small(tmp_path):
    """--verify must not fail on a head that head-opt rewrites itself."""
    head = make(
        [mul(np.full((1, 1, 4), 1e-3, np.float16))],
        weight=np.full((2, 1, 1, 4), 1e-3, np.float16),
        outputs=2,
        extents=(1, 1, 4),
        type=F16,
    )
    run(tmp_path, head.model, "--verify")


# ----------------------------------------------------------------------------
# Element types, ranks, layouts
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("type", [F16, F32, F64], ids=lambda t: t.name)
@pytest.mark.parametrize("dense", ["gemm_tb1", "gemm_alpha_beta", "matmul_add"])
def test_element_type(tmp_path, type, dense):
    """Scales and shifts of the model's own type. (A double weight is moved by
    one ulp in a test of its own.)
    """
    steps = [
        mul(per_channel(3, 3, type=type)),
        add(per_feature(EXTENTS, type=type)),
    ]
    accept(
        tmp_path,
        steps,
        shifted=True,
        type=type,
        dense=dense,
        twin=type is not F64,
    )


def test_f16_shift_overflows(tmp_path):
    """sum_k t W is beyond f16 although each product is not."""
    step = add(np.full(EXTENTS, 4000, np.float16))
    weight = np.full((5, *EXTENTS), 1.0, np.float16)
    entry = refuse(tmp_path, [step], "L4", weight=weight, type=F16)
    assert "add" in entry["reason"] or "shift" in entry["reason"]


def test_f16_shift_fits(tmp_path):
    """The accept beside it: 24 * 2000 < 65504. All features are equal, so axis
    1 stays.
    """
    steps = [add(np.full(EXTENTS, 2000, np.float16))]
    weight = np.full((5, *EXTENTS), 1.0, np.float16)
    head = make(steps, weight=weight, type=F16)
    assert_folded(tmp_path, head, steps, (2, 3), True)


def test_f16_scaled_weight_overflows(tmp_path):
    """W s is beyond f16."""
    step = mul(np.full(EXTENTS, 300, np.float16))
    weight = weights(5, EXTENTS, type=F16)
    weight[1, 1] = 250
    refuse(tmp_path, [step], "L4", weight=weight, type=F16)


@pytest.mark.parametrize(
    "extents, vary, axes",
    [
        ((6, 8), (1,), (2,)),
        ((8, 6), (2,), (1,)),
        ((3, 2, 2, 3), (1,), (2, 3, 4)),
        ((3, 2, 4), (1, 2), (3,)),
        ((3, 2, 4), (1, 3), (2,)),
    ],
    ids=["NCL", "NLD", "rank5", "width", "height"],
)
def test_rank_and_axes(tmp_path, extents, vary, axes):
    """Sequences with channels first and last, volumes, one axis alone."""
    shape = [e if a in vary else 1 for a, e in enumerate(extents, 1)]
    scale = per_feature(shape, 5, low=0.5)
    steps = [mul(scale), sub(per_feature(extents, 6))]
    accept(tmp_path, steps, axes, True, extents=extents, vary=vary)


def nhwc(g, s):
    """[N, C, H, W], turned to [N, H, W, C]."""
    h, w, c = s.extents
    return g.node(
        "Transpose", [g.input("x", [s.batch, c, h, w])], perm=[0, 2, 3, 1]
    )


@pytest.mark.parametrize("front", [None, nhwc], ids=["nhwc", "transposed"])
def test_channels_last(tmp_path, front):
    """The factors cycle with the channel, which is the fastest axis."""
    extents, vary = (2, 4, 3), (3,)
    steps = [
        bn(
            per_channel(3, 3, axis=3),
            per_feature(extents, 1),
            per_feature(extents, 2),
            per_channel(3, 3, axis=3, seed=4),
        )
    ]
    head = make(steps, extents=extents, vary=vary, front=front)
    assert_folded_over_any_map(tmp_path, head, steps)
    # Factors of the slowest axis are not even here.
    twin = make(
        [mul(per_channel(2, 3, axis=1))],
        extents=extents,
        vary=(3,),
        front=front,
    )
    entry = run(tmp_path, twin.model).head("dense")
    assert entry["verdict"] == "rewritten" and len(entry["pooled_axes"]) == 1


def assert_folded_over_any_map(directory, head, steps):
    """Like ``assert_folded``; the map is before or after the Transpose."""
    result = run(directory, head.model, "--verify")
    entry = result.head("dense")
    assert entry["verdict"] == "rewritten", entry["reason"]
    assert described(entry, 24) == [(8, True), (3, False)]
    assert entry["parameters_after"] == 5 * 3 + head.bias
    assert_sound(result)
    assert_same_answers(result, head, steps)


def test_batch_of_one_and_two(tmp_path):
    for batch in (1, 2):
        accept(
            tmp_path / str(batch),
            [mul(EVEN, row=True), add(UNEVEN, row=True)],
            shifted=True,
            batch=batch,
        )


def test_one_number_beside_numbers_of_features(tmp_path):
    """Single numbers behind numbers for each feature are folded along; before
    them they belong to the map.
    """
    accept(
        tmp_path / "behind",
        [mul(EVEN), mul(np.float32(0.25)), add(np.float32(1.5)), div(EVEN)],
        shifted=True,
    )

    def collapse(g, x, s):
        f = g.node("Flatten", [x], axis=1)
        f = g.node("Mul", [f, g.init(np.float32(0.25))], FLAT)
        return mul(EVEN).write(g, f, s.extents)

    head = make_head(collapse=collapse)
    assert_same_answers(
        run(tmp_path / "before", head.model, "--verify", "--require-rewrite"),
        head,
        [mul(EVEN)],
    )


@pytest.mark.parametrize("op", ["Mul", "Add", "Sub", "Div"])
def test_numbers_of_samples(tmp_path, op):
    """[N, 1], a factor for each sample, and [N, K], one for each element, are
    no affine map of the features.
    """
    for i, shape in enumerate(([3, 1], [3, 24])):

        def collapse(g, x, s):
            return g.node(
                op,
                [
                    g.node("Flatten", [x], axis=1),
                    g.init(
                        np.linspace(1, 2, math.prod(shape))
                        .reshape(shape)
                        .astype("f")
                    ),
                ],
            )

        head = make_head(collapse=collapse, batch=3)
        assert_refused(run(tmp_path / str(i), head.model), "dense", "L1")


def test_constant_divided_by_the_features(tmp_path):
    """c / f is no affine map."""
    head = make([div(EVEN, left=True)])
    assert_not_a_head(run(tmp_path, head.model), "dense")


def test_a_column_of_features_is_stretched(tmp_path):
    """[N, 1] times [K] is [N, K]: the map has one feature, the weight K rows.
    The sum over K of W s is right, a mean over K positions would not be.
    """
    g = Graph()
    f = g.node("Flatten", [g.input("x", ["N", 1, "h", "w"])], axis=1)
    scaled = g.node("Mul", [f, g.init(np.full(8, 0.5, "f"))])
    g.node("MatMul", [scaled, g.init(np.full((8, 3), 0.25, "f"))], "y", "dense")
    g.output("y", ["N", 3])
    result = run(tmp_path, g.model())
    for h, w in ((1, 1), (2, 4)):
        feeds = {"x": np.random.RandomState(0).rand(2, 1, h, w).astype("f")}
        old, new = (
            OnnxRuntime(m)(feeds)["y"] for m in (result.before, result.after)
        )
        np.testing.assert_allclose(new, old, rtol=1e-5)


def test_even_map_under_uneven_scales(tmp_path):
    """The map does not vary: nothing is asked of W s, its sum is right."""

    def front(g, s):
        x = g.input("x", [s.batch, 3, 1, 1])
        return g.node("Expand", [x, g.ints([1, 3, 2, 4])])

    steps = [mul(UNEVEN), add(UNEVEN)]
    head = make(steps, front=front, vary=(1, 2, 3))
    result = run(tmp_path, head.model, "--verify")
    entry = result.head("dense")
    assert entry["verdict"] == "rewritten", entry["reason"]
    assert entry["pooled_axes"] == [2, 3]
    assert_sound(result)
    assert_same_answers(result, head, steps)


# ----------------------------------------------------------------------------
# The dense layer's own factors
# ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dense", ["gemm_alpha_beta", "gemm_alpha_negative", "gemm_beta_zero"]
)
def test_alpha_multiplies_the_shift_once(tmp_path, dense):
    """y = alpha W (s f + t) + beta b. Forgetting alpha, or using it twice, is
    off by a multiple of the shift.
    """
    accept(tmp_path, [mul(EVEN), add(UNEVEN)], shifted=True, dense=dense)


def test_the_shift_alone(tmp_path):
    """A map of zeros: y is alpha sum_k t W + beta b, computed by numpy."""
    head = make([add(UNEVEN)], dense="gemm_alpha_negative")
    result = run(tmp_path, head.model)
    assert result.rewritten == ["dense"]
    y = OnnxRuntime(result.after)({"x": np.zeros((1, *EXTENTS), "f")})["y"]
    expected = -3.0 * wide(head.matrix) @ wide(UNEVEN).reshape(-1)
    np.testing.assert_allclose(
        y[0], expected + 0.25 * np.arange(1, 6) / 8, rtol=1e-5, atol=1e-5
    )


# ----------------------------------------------------------------------------
# What may stand between
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["Relu", "Tanh", "Neg"])
def test_function_after_the_scale(tmp_path, op):
    """Relu(s f) is no affine map; the reason names what is in the way."""
    entry = refuse(
        tmp_path,
        [mul(EVEN), mul(np.float32(1.0))],
        "L1",
        between=lambda g, x: g.node(op, [x]),
    )
    assert "(Mul)" in entry["reason"], entry["reason"]


@pytest.mark.parametrize("op", ["Relu", "Tanh", "Sigmoid"])
def test_function_before_the_scale(tmp_path, op):
    """The accept beside it: s Relu(f). The function moves before the pool."""

    def collapse(g, x, s):
        f = g.node(op, [g.node("Flatten", [x], axis=1)], FLAT)
        return mul(EVEN).write(g, f, s.extents)

    head = make_head(collapse=collapse)
    assert_folded(tmp_path, head, [mul(EVEN)], (2, 3), False)


@pytest.mark.parametrize("op", ["Identity", "Dropout"])
def test_nothing_between(tmp_path, op):
    accept(
        tmp_path,
        [mul(EVEN), add(UNEVEN)],
        shifted=True,
        between=lambda g, x: g.node(op, [x]),
    )


def test_cast_to_another_type_between(tmp_path):
    """f16 features, scaled in f16, then cast: the product is rounded to f16
    before the layer sees it. Left alone.
    """

    def collapse(g, x, s):
        f = g.node("Flatten", [x], axis=1)
        scale = g.init(np.full(24, 0.5, np.float16))
        return g.node("Cast", [g.node("Mul", [f, scale])], to=F32.onnx)

    head = make_head(
        collapse=collapse,
        front=lambda g, s: g.input("x", ["N", *s.extents], F16.onnx),
    )
    assert_refused(run(tmp_path, head.model), "dense", "L1")


@pytest.mark.parametrize("opset", [14, 15, 17])
def test_batch_normalisation_in_training(tmp_path, opset):
    """With training_mode the statistics are those of the batch."""
    step = bn(EVEN, EVEN, EVEN, EVEN, training_mode=1)
    head = make_head(
        opset=opset,
        collapse=lambda g, x, s: g.node(
            "BatchNormalization",
            [
                g.node("Flatten", [x], axis=1),
                *(
                    g.init(np.broadcast_to(EVEN, EXTENTS).reshape(-1))
                    for _ in step.values
                ),
            ],
            ["bn_out", "bn_mean", "bn_var"],
            training_mode=1,
        ),
    )
    entry = assert_refused(run(tmp_path, head.model), "dense", "L1")
    assert "BatchNormalization" in entry["reason"]


def test_batch_normalisation_of_the_map(tmp_path):
    """In front of Flatten it belongs to the map and stays where it is."""

    def front(g, s):
        values = [g.init(np.linspace(1, 2, 3).astype("f")) for _ in range(4)]
        x = g.input("x", [s.batch, *s.extents])
        return g.node("BatchNormalization", [x, *values])

    result = run(tmp_path, make_head(front=front).model, "--verify")
    assert result.rewritten == ["dense"]
    kept = [n.op_type for n in result.after.graph.node]
    assert "BatchNormalization" in kept and "Add" not in kept


@pytest.mark.parametrize("where", ["input", "computed", "overridable"])
def test_scale_is_not_constant(tmp_path, where):
    """Nobody knows the factors before the model runs."""

    def collapse(g, x, s):
        f = g.node("Flatten", [x], axis=1)
        if where == "input":
            scale = g.input("scale", [24])
        elif where == "overridable":
            scale = g.init(np.full(24, 0.5, "f"), "scale", overridable=True)
        else:
            scale = g.node("Abs", [g.input("scale", [24])])
        return g.node("Mul", [f, scale])

    assert_refused(
        run(tmp_path, make_head(collapse=collapse).model), "dense", "L1"
    )


def test_overridable_scale_by_the_users_word(tmp_path):
    """The accept beside it; the input goes with the factors."""

    def collapse(g, x, s):
        f = g.node("Flatten", [x], axis=1)
        scale = np.broadcast_to(EVEN, EXTENTS).reshape(-1)
        return g.node("Mul", [f, g.init(scale, "scale", overridable=True)])

    head = make_head(collapse=collapse)
    result = run(tmp_path, head.model, "--verify", "--constant-initializers")
    assert result.rewritten == ["dense"]
    assert [i.name for i in result.after.graph.input] == ["x"]
    assert_sound(result)


@pytest.mark.parametrize(
    "how", ["cast", "dequantised", "expanded", "constant", "product"]
)
def test_scale_is_computed_from_constants(tmp_path, how):
    """Factors are read as weights are."""
    even = np.array(np.broadcast_to(EVEN, EXTENTS)).reshape(-1)

    def write(g):
        if how == "cast":
            return g.node(
                "Cast", [g.init(even.astype(np.float16))], to=F32.onnx
            )
        if how == "dequantised":
            return g.node(
                "DequantizeLinear",
                [
                    g.init(np.repeat(np.int8([3, -5, 7]), 8)),
                    g.init(np.float32(0.25)),
                ],
            )
        if how == "expanded":
            one = g.init(np.float32([0.75]))
            return g.node("Expand", [one, g.ints([24])])
        if how == "constant":
            return g.constant(even)
        return g.node("Mul", [g.init(even), g.init(np.float32(2))])

    head = make_head(
        collapse=lambda g, x, s: g.node(
            "Mul", [g.node("Flatten", [x], axis=1), write(g)]
        )
    )
    result = run(tmp_path, head.model, "--verify")
    assert result.rewritten == ["dense"], result.head("dense")["reason"]
    assert result.head("dense")["pooled_axes"] == [2, 3]
    assert_sound(result)
    for _, feeds in make_feeds(result.before):
        old, new = (
            OnnxRuntime(m)(feeds)["y"] for m in (result.before, result.after)
        )
        np.testing.assert_allclose(new, old, rtol=1e-4, atol=1e-4)


# ----------------------------------------------------------------------------
# Who else reads it
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("extra", ["scaled", "flat", "both"])
def test_inner_value_is_a_graph_output(tmp_path, extra):
    """The old operators stay for whoever reads them, bit for bit."""
    g = Graph()
    f = g.node("Flatten", [g.input("x", ["N", *EXTENTS])], "f", axis=1)
    scale = np.broadcast_to(EVEN, EXTENTS).reshape(-1)
    s = g.node("Add", [g.node("Mul", [f, g.init(scale)]), g.init(scale)], "s")
    g.gemm(
        [s, g.init(weights(5, EXTENTS).reshape(5, -1))], "y", "dense", transB=1
    )
    g.output("y", ["N", 5])
    for name, value in (("flat", "f"), ("scaled", "s")):
        if extra in (name, "both"):
            g.output(value, ["N", 24])
    result = run(tmp_path, g.model(), "--verify")
    assert result.rewritten == ["dense"]
    assert_sound(result)
    for _, feeds in make_feeds(result.before):
        old, new = (
            OnnxRuntime(m)(feeds) for m in (result.before, result.after)
        )
        for name in old:
            if name == "y":
                np.testing.assert_allclose(
                    new["y"], old["y"], rtol=1e-4, atol=1e-4
                )
            else:
                assert new[name].tobytes() == old[name].tobytes()


@pytest.mark.parametrize("uneven", [False, True], ids=["both", "one"])
def test_two_heads_share_the_scaled_value(tmp_path, uneven):
    """Two layers read s f + t, one of them with an alpha; when one is refused,
    the operators stay for it.
    """
    g = Graph()
    f = g.node("Flatten", [g.input("x", ["N", *EXTENTS])], axis=1)
    scale = np.broadcast_to(EVEN, EXTENTS).reshape(-1)
    s = g.node(
        "Add",
        [g.node("Mul", [f, g.init(scale)]), g.init(UNEVEN.reshape(-1))],
        "s",
    )
    first = weights(5, EXTENTS, seed=1).reshape(5, -1)
    vary = (1, 2, 3) if uneven else (1,)
    second = weights(4, EXTENTS, vary, seed=2).reshape(4, -1)
    g.gemm([s, g.init(first)], "y", "first", transB=1, alpha=0.5)
    g.node("MatMul", [s, g.init(second.T.copy())], "z", "second")
    g.output("y", ["N", 5])
    g.output("z", ["N", 4])
    result = run(tmp_path, g.model(), "--verify")
    assert result.rewritten == (["first"] if uneven else ["first", "second"])
    assert_sound(result)
    kept = [n.op_type for n in result.after.graph.node]
    assert ("Mul" in kept) == uneven
    for _, feeds in make_feeds(result.before):
        old, new = (
            OnnxRuntime(m)(feeds) for m in (result.before, result.after)
        )
        np.testing.assert_allclose(new["y"], old["y"], rtol=1e-4, atol=1e-4)
        if uneven:
            assert new["z"].tobytes() == old["z"].tobytes()
        else:
            np.testing.assert_allclose(new["z"], old["z"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dense", ["Gemm", "MatMul", "MatMulAdd"])
def test_result_keeps_its_name(tmp_path, dense):
    """The result is a graph output and read by another node as well: both get
    the shifted one.
    """
    g = Graph()
    f = g.node("Flatten", [g.input("x", ["N", *EXTENTS])], axis=1)
    s = g.node("Sub", [f, g.init(UNEVEN.reshape(-1))])
    matrix = g.init(weights(5, EXTENTS).reshape(5, -1).T.copy())
    if dense == "MatMulAdd":
        product = g.node("MatMul", [s, matrix], "p", "dense")
        g.add(product, g.init(np.arange(5, dtype="f")), "answer")
        g.output("p", ["N", 5])
    else:
        g.node(dense, [s, matrix], "answer", "dense")
    g.output("answer", ["N", 5])
    g.node("Relu", ["answer"], "relu")
    g.output("relu", ["N", 5])
    result = run(tmp_path, g.model(), "--verify")
    assert result.rewritten == ["dense"], result.head("dense")["reason"]
    assert_sound(result)
    for _, feeds in make_feeds(result.before):
        old, new = (
            OnnxRuntime(m)(feeds) for m in (result.before, result.after)
        )
        assert list(old) == list(new)
        for name in old:
            np.testing.assert_allclose(
                new[name], old[name], rtol=1e-4, atol=1e-4
            )


def test_shift_and_the_name_is_taken(tmp_path):
    """The names the tool would invent are there already."""
    steps = [add(UNEVEN)]
    first = run(tmp_path, make(steps).model)
    invented = {o for n in first.after.graph.node for o in n.output} | {
        i.name for i in first.after.graph.initializer
    }
    invented -= {o for n in first.before.graph.node for o in n.output}
    for name in sorted(
        invented - {i.name for i in first.before.graph.initializer}
    ):

        def collapse(g, x, s):
            g.output(g.node("Tanh", [x], name), ["N", *EXTENTS])
            return steps[0].write(
                g, g.node("Flatten", [x], FLAT, axis=1), EXTENTS
            )

        result = run(tmp_path, make_head(collapse=collapse).model)
        assert result.rewritten == ["dense"]
        assert_sound(result)
        onnx.checker.check_model(result.after, full_check=True)


# ----------------------------------------------------------------------------
# Opset 6: Add and Mul do not broadcast by themselves
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("how", ["broadcast", "axis", "full"])
def test_opset_6(tmp_path, op, how):
    """Left alone, or rewritten soundly: never wrong."""
    batch = 1 if how == "full" else "N"

    def collapse(g, x, s):
        value = np.array(np.broadcast_to(EVEN, EXTENTS)).reshape(-1)
        more = {}
        if how == "full":
            value = value[None]
        else:
            more["broadcast"] = 1
        if how == "axis":
            more["axis"] = 1
        f = g.node("Flatten", [x], FLAT, axis=1)
        return g.node(op, [f, g.init(value)], **more)

    head = make_head(opset=6, batch=batch, collapse=collapse)
    result = run(tmp_path, head.model)
    assert_well_formed(result.report)
    if result.rewritten:
        assert_sound(result)
        assert_same_answers(result, head, [Step(op, (EVEN,))])
    else:
        assert_refused(result, "dense")


@pytest.mark.parametrize("mode", [{}, {"is_test": 0}, {"is_test": 1}], ids=str)
def test_opset_6_batch_normalisation(tmp_path, mode):
    """is_test is 0 when absent, and then the statistics are the batch's. A
    shift has no Add to go to at this opset.
    """
    head = make_head(
        opset=6,
        collapse=lambda g, x, s: g.node(
            "BatchNormalization",
            [
                g.node("Flatten", [x], FLAT, axis=1),
                *(
                    g.init(np.array(np.broadcast_to(v, EXTENTS)).reshape(-1))
                    for v in (EVEN, EVEN, EVEN, EVEN)
                ),
            ],
            **mode,
        ),
    )
    result = run(tmp_path, head.model)
    labels = ("L9",) if mode == {"is_test": 1} else ("L1",)
    assert_refused(result, "dense", *labels)


# ----------------------------------------------------------------------------
# Inner graphs
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("constants", ["inner", "outer"])
@pytest.mark.parametrize("ir", [3, 8])
def test_in_a_branch(tmp_path, constants, ir):
    """Scale, shift and weight inside the branch or outside of it; the branch's
    output keeps its name.
    """
    opset = 8 if ir == 3 else 17
    g = Graph(opset, ir)
    g.input("x", ["N", *EXTENTS])
    scale = np.array(np.broadcast_to(EVEN, EXTENTS)).reshape(-1)
    matrix = weights(5, EXTENTS).reshape(5, -1).T.copy()
    then = Graph(opset, ir, name="then")

    def write(value, name):
        if constants == "outer":
            return g.init(value, name)
        return then.constant(value, name) if ir == 3 else then.init(value, name)

    f = then.node("Flatten", ["x"], axis=1)
    s = then.node("Mul", [f, write(scale, "scale")])
    t = then.node("Add", [s, write(UNEVEN.reshape(-1), "shift")])
    then.node("MatMul", [t, write(matrix, "W")], "then_out", "dense")
    then.output("then_out")
    other = Graph(opset, ir, name="else")
    other.node(
        "ReduceMean",
        [other.node("Flatten", ["x"], axis=1)],
        "m",
        axes=[1],
        keepdims=1,
    )
    five = np.ones((1, 5), "f")
    other.node(
        "MatMul",
        ["m", other.constant(five) if ir == 3 else other.init(five)],
        "else_out",
    )
    other.output("else_out")
    g.node(
        "If",
        [g.input("condition", [], TensorProto.BOOL)],
        "y",
        then_branch=then.graph(),
        else_branch=other.graph(),
    )
    g.output("y")
    result = run(tmp_path, g.model(), "--verify")
    assert result.rewritten == ["dense"], [h["reason"] for h in result.heads]
    assert_sound(result)
    node = next(n for n in result.after.graph.node if n.op_type == "If")
    inner = next(a.g for a in node.attribute if a.name == "then_branch")
    assert [o.name for o in inner.output] == ["then_out"]
    assert producer(inner, "then_out").op_type == "Add"
    for condition in (True, False):
        given = {"condition": np.array(condition)}
        for _, feeds in make_feeds(result.before, given=given):
            old, new = (
                OnnxRuntime(m)(feeds)["y"]
                for m in (result.before, result.after)
            )
            if condition:
                np.testing.assert_allclose(new, old, rtol=1e-4, atol=1e-4)
            else:
                assert new.tobytes() == old.tobytes()


@pytest.mark.parametrize("uneven", [False, True], ids=["even", "uneven"])
def test_in_a_local_function(tmp_path, uneven):
    """Handled or left alone, never corrupted; uneven factors are never
    rewritten.
    """
    body = Graph()
    scale = UNEVEN if uneven else np.array(np.broadcast_to(EVEN, EXTENTS))
    f = body.node("Flatten", ["map"], axis=1)
    s = body.node("Mul", [f, body.constant(scale.reshape(-1))])
    s = body.node("Add", [s, body.constant(UNEVEN.reshape(-1))])
    matrix = weights(5, EXTENTS).reshape(5, -1)
    body.gemm([s, body.constant(matrix)], "answer", "dense", transB=1)
    g = Graph()
    g.define("head", body)
    g.node("head", [g.input("x", ["N", *EXTENTS])], "y", domain="local")
    g.output("y", ["N", 5])
    result = run(tmp_path, g.model(), "--verify")
    assert_well_formed(result.report)
    if uneven:
        assert_unchanged(result)
    if not result.rewritten:
        assert_unchanged(result)
        return
    assert_sound(result)
    for _, feeds in make_feeds(result.before):
        old, new = (
            OnnxRuntime(m)(feeds)["y"] for m in (result.before, result.after)
        )
        np.testing.assert_allclose(new, old, rtol=1e-4, atol=1e-4)
