# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Along which axes a feature map provably does not vary: operator by operator, what is
even and what only looks so.

The weights differ at every position, so a head is legal here only if its map is even.
Each case builds the map from graph inputs. An accepted case must be pooled over exactly
the axes it names, and answer as before in ONNX Runtime and in ONNX's own evaluator
(headopt.assert_rewritten). A rejected one must leave the file as it was; where its
reason is the map, L6 says so.

The map is [N, 3, 4, 5] unless a case says otherwise.
"""

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper

from corpus import assert_same_answers
from headopt import (
    F16,
    Graph,
    OnnxRuntime,
    Spec,
    assert_equivalent,
    assert_refused,
    assert_rewritten,
    assert_sound,
    assert_true_difference,
    assert_unchanged,
    make_head,
    run,
    weights,
)

# The evaluator's Sigmoid overflows on its way to 0.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

C, H, W = 3, 4, 5

ACCEPTED, REJECTED, SOUND = {}, {}, {}


def not_yet(reason):
    """Legal, and refused today. Whoever makes head-opt prove it takes the mark off."""
    return pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)


def register(table, name, front, labels=(), marks=(), **changes):
    assert name not in table, name
    table[name] = (front, labels, marks, changes)


def accepts(name=None, constant=(2, 3), marks=(), **changes):
    """The map is even along the axes ``constant``, and head-opt has to prove it."""

    def decorate(front):
        register(
            ACCEPTED,
            name or front.__name__,
            front,
            marks=marks,
            constant=constant,
            **changes,
        )
        return front

    return decorate


def rejects(name=None, labels=("L6",), marks=(), **changes):
    """The map varies along every axis, or nobody can know that it does not."""

    def decorate(front):
        register(REJECTED, name or front.__name__, front, labels, marks, **changes)
        return front

    return decorate


def sound(name=None, **changes):
    """More than head-opt has to prove: it may refuse, but what it pools must answer
    as before.
    """

    def decorate(front):
        register(SOUND, name or front.__name__, front, **changes)
        return front

    return decorate


def parameters(table):
    return [
        pytest.param(front, labels, changes, id=name, marks=marks)
        for name, (front, labels, marks, changes) in table.items()
    ]


def head_of(front, changes):
    """The head, with weights that vary along every axis of the map."""
    spec = Spec(**{"extents": (C, H, W), **changes})
    axes = tuple(range(1, spec.rank))
    return make_head(spec, front=front, vary=axes)


# ----------------------------------------------------------------------------
# Small pieces
# ----------------------------------------------------------------------------


def pixel(g, s, name="x", extents=(1, 1)):
    """A map of few positions, one by default."""
    return g.input(name, ["N", s.extents[0], *extents])


def expand(g, x, shape):
    return g.node("Expand", [x, g.ints(shape)])


def even_map(g, s, extents=(H, W)):
    """[N, C, *extents], one value for each sample and channel."""
    return expand(g, pixel(g, s, extents=[1] * len(extents)), [1, 1, *extents])


def numbers(g, shape, seed=5):
    """A constant all of whose elements differ."""
    random = np.random.RandomState(seed)
    values = random.permutation(int(np.prod(shape))) + 1 + random.rand()
    return g.init((values / values.size).reshape(shape).astype(g.type.numpy))


def resize(g, x, scales=None, sizes=None, **attributes):
    if sizes is None:
        shape = ["", g.init(np.array(scales, np.float32))]
    else:
        shape = ["", "", g.ints(sizes) if isinstance(sizes, list) else sizes]
    return g.node("Resize", [x, *shape], **attributes)


# ----------------------------------------------------------------------------
# Resize and Upsample
# ----------------------------------------------------------------------------

MODES = {
    "nearest_floor": dict(
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    ),
    "nearest_default": dict(mode="nearest"),
    "linear_half_pixel": dict(mode="linear"),
    "linear_align_corners": dict(
        mode="linear", coordinate_transformation_mode="align_corners"
    ),
    "linear_asymmetric": dict(
        mode="linear", coordinate_transformation_mode="asymmetric"
    ),
    "cubic_half_pixel": dict(mode="cubic", cubic_coeff_a=-0.75),
    "cubic_align_corners": dict(
        mode="cubic", coordinate_transformation_mode="align_corners"
    ),
}

for mode, attributes in MODES.items():

    @accepts(f"resize_{mode}_scales")
    def _(g, s, attributes=attributes):
        return resize(g, pixel(g, s), [1.0, 1.0, H, W], **attributes)

    @accepts(f"resize_{mode}_sizes", batch=2)
    def _(g, s, attributes=attributes):
        x = g.input("x", [2, C, 1, 1])
        return resize(g, x, sizes=[2, C, H, W], **attributes)

    @rejects(f"resize_{mode}_from_2")
    def _(g, s, attributes=attributes):
        x = pixel(g, s, extents=(2, 2))
        return resize(g, x, [1.0, 1.0, H / 2, W / 2], **attributes)

    @accepts(f"resize_{mode}_from_1_and_2", constant=(2,))
    def _(g, s, attributes=attributes):
        """One row of two pixels: the rows are all alike, the columns are not."""
        x = pixel(g, s, extents=(1, 2))
        return resize(g, x, [1.0, 1.0, H, W / 2], **attributes)


@accepts()
def resize_sizes_computed(g, s):
    """As torch writes interpolate(x, size=...): the batch comes from Shape."""
    x = pixel(g, s)
    start = g.slice(g.node("Shape", [x]), 0, 2)
    sizes = g.node("Concat", [start, g.ints([H, W])], axis=0)
    return resize(g, x, sizes=sizes, **MODES["nearest_floor"])


@accepts(opset=18)
def resize_axes(g, s):
    x = pixel(g, s)
    scales = g.init(np.array([H, W], np.float32))
    return g.node("Resize", [x, "", scales], mode="linear", axes=[2, 3])


@rejects(opset=18)
def resize_axes_from_2(g, s):
    x = pixel(g, s, extents=(2, 5))
    scales = g.init(np.array([H / 2], np.float32))
    return g.node("Resize", [x, "", scales], mode="linear", axes=[2])


@accepts("resize_rank_3", constant=(2,), extents=(C, 6))
def _(g, s):
    return resize(g, pixel(g, s, extents=(1,)), [1.0, 1.0, 6.0], mode="linear")


@accepts("resize_rank_5", constant=(2, 3, 4), extents=(C, 2, 3, 4))
def _(g, s):
    x = pixel(g, s, extents=(1, 1, 1))
    return resize(g, x, [1.0, 1.0, 2.0, 3.0, 4.0], mode="nearest")


@rejects()
def resize_tf_crop_and_resize(g, s):
    """The region may reach beyond the pixel, and there the map has another value."""
    region = g.init(np.array([0, 0, 0, 0, 1, 1, 3, 3], np.float32))
    return g.node(
        "Resize",
        [pixel(g, s), region, g.init(np.array([1, 1, H, W], np.float32))],
        mode="linear",
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=7.0,
    )


@rejects()
def resize_of_unknown_extents(g, s):
    """Nothing says that the input has one position; it may have all of them."""
    x = g.input("x", ["N", C, "h", "w"])
    start = g.slice(g.node("Shape", [x]), 0, 2)
    sizes = g.node("Concat", [start, g.ints([H, W])], axis=0)
    return resize(g, x, sizes=sizes, mode="nearest")


@accepts(constant=(1,))
def resize_over_channels(g, s):
    """From one channel: now it is the channels that are alike."""
    return resize(g, g.input("x", ["N", 1, H, W]), [1.0, C, 1.0, 1.0], mode="nearest")


@accepts()
def resize_to_fewer(g, s):
    """Fewer positions of an even map are even as well."""
    x = even_map(g, s, (2 * H, 2 * W))
    return resize(g, x, [1.0, 1.0, 0.5, 0.5], mode="linear")


@sound(opset=18)
def resize_antialias(g, s):
    return resize(g, pixel(g, s), [1.0, 1.0, H, W], mode="linear", antialias=1)


@sound()
def resize_cubic_exclude_outside(g, s):
    return resize(g, pixel(g, s), [1.0, 1.0, H, W], mode="cubic", exclude_outside=1)


@accepts(opset=10)
def resize_opset_10(g, s):
    scales = g.init(np.array([1, 1, H, W], np.float32))
    return g.node("Resize", [pixel(g, s), scales], mode="nearest")


@accepts("upsample_opset_9_nearest", opset=9)
def _(g, s):
    scales = g.init(np.array([1, 1, H, W], np.float32))
    return g.node("Upsample", [pixel(g, s), scales], mode="nearest")


@accepts("upsample_opset_9_linear", opset=9)
def _(g, s):
    scales = g.init(np.array([1, 1, H, W], np.float32))
    return g.node("Upsample", [pixel(g, s), scales], mode="linear")


@accepts("upsample_opset_7", opset=7)
def _(g, s):
    return g.node("Upsample", [pixel(g, s)], scales=[1.0, 1.0, float(H), float(W)])


@rejects("upsample_opset_9_from_2", opset=9)
def _(g, s):
    scales = g.init(np.array([1, 1, H / 2, W / 2], np.float32))
    return g.node("Upsample", [pixel(g, s, extents=(2, 2)), scales], mode="nearest")


# ----------------------------------------------------------------------------
# Expand and Tile
# ----------------------------------------------------------------------------


@accepts()
def expand_constant(g, s):
    return even_map(g, s)


@accepts()
def expand_of_lower_rank(g, s):
    """The shape names only the axes that grow."""
    return expand(g, pixel(g, s), [H, W])


@accepts(constant=(1, 2, 3))
def expand_every_axis(g, s):
    """One number for each sample; the channels stay, as they do for equal weights."""
    return expand(g, g.input("x", ["N", 1, 1, 1]), [1, C, H, W])


@accepts(constant=(3,))
def expand_one_axis(g, s):
    return expand(g, pixel(g, s, extents=(H, 1)), [1, 1, 1, W])


@rejects()
def expand_of_nothing(g, s):
    """Every extent is there already, so Expand repeats nothing."""
    return expand(g, pixel(g, s, extents=(H, W)), [1, 1, H, W])


@rejects()
def expand_of_unknown_extents(g, s):
    """[h, w] may be [1, 1] or [4, 5]."""
    return expand(g, g.input("x", ["N", C, "h", "w"]), [1, 1, H, W])


@accepts()
def expand_computed(g, s):
    x = pixel(g, s)
    start = g.slice(g.node("Shape", [x]), 0, 2)
    shape = g.node("Concat", [start, g.ints([H, W])], axis=0)
    return g.node("Expand", [x, shape])


def where_minus_one(g):
    """As torch writes the shape of x.expand(-1, -1, 4, 5): ones where it says -1."""
    wanted = g.constant(np.array([-1, -1, H, W], np.int64))
    ones = g.node(
        "ConstantOfShape",
        [g.constant(np.array([4], np.int64))],
        value=numpy_helper.from_array(np.array([1], np.int64)),
    )
    minus = g.node("Mul", [ones, g.constant(np.array(-1, np.int64))])
    return g.node("Where", [g.node("Equal", [wanted, minus]), ones, wanted])


@accepts()
def expand_where_minus_one(g, s):
    """As torch writes x.expand(-1, -1, 4, 5): ones where the shape says -1."""
    return g.node("Expand", [pixel(g, s), where_minus_one(g)])


@rejects()
def expand_where_minus_one_of_a_map(g, s):
    """The same spelling over a map that has its positions."""
    return g.node("Expand", [pixel(g, s, extents=(H, W)), where_minus_one(g)])


@accepts()
def expand_as_another_map(g, s):
    """x.expand_as(y): the shape is another value's, whose extents are known."""
    like = g.input("other", ["N", C, H, W])
    return g.node("Expand", [pixel(g, s), g.node("Shape", [like])])


@accepts()
def tile(g, s):
    return g.node("Tile", [pixel(g, s), g.ints([1, 1, H, W])])


@rejects()
def tile_of_two(g, s):
    """Two rows repeated twice: rows 0 and 2 are alike, rows 0 and 1 are not."""
    return g.node("Tile", [pixel(g, s, extents=(2, W)), g.ints([1, 1, 2, 1])])


@accepts(constant=(3,))
def tile_rows_of_two_columns_of_one(g, s):
    return g.node("Tile", [pixel(g, s, extents=(2, 1)), g.ints([1, 1, 2, W])])


@rejects()
def tile_of_unknown_extents(g, s):
    return g.node("Tile", [g.input("x", ["N", C, "h", W]), g.ints([1, 1, 2, 1])])


def keras_upsample(g, x, before, after):
    """Keras UpSampling2D(interpolation="nearest") of [N, h, w, C]: each axis gets a
    neighbour that Tile repeats and Reshape merges with it.
    """
    h, w, _ = before
    high, wide, channels = after
    x = g.unsqueeze(x, [2])
    x = g.node("Tile", [x, g.ints([1, 1, high // h, 1, 1])])
    x = g.node("Reshape", [x, g.ints([-1, high, w, channels])])
    x = g.unsqueeze(x, [3])
    x = g.node("Tile", [x, g.ints([1, 1, 1, wide // w, 1])])
    return g.node("Reshape", [x, g.ints([-1, high, wide, channels])])


@accepts(constant=(1, 2), extents=(H, W, C), collapse="reshape_m1_k")
def keras_rank_5(g, s):
    return keras_upsample(g, g.input("x", ["N", 1, 1, C]), (1, 1, C), s.extents)


@sound(extents=(H, 6, C), collapse="reshape_m1_k")
def keras_rank_5_from_2(g, s):
    """Not even along height and width; the repeated neighbours alone are, and pooling
    over those is legal.
    """
    return keras_upsample(g, g.input("x", ["N", 2, 2, C]), (2, 2, C), s.extents)


# ----------------------------------------------------------------------------
# Gather
# ----------------------------------------------------------------------------


def adaptive_average(g, x, indices):
    """As torch's dynamo exporter writes AdaptiveAvgPool2d: gathers the window of every
    output position, and takes the mean of each window.
    """
    x = g.node("Transpose", [x], perm=[2, 3, 0, 1])
    x = g.node("GatherND", [x, g.ints(indices)])
    x = g.node("Transpose", [x], perm=[4, 5, 0, 1, 2, 3])
    return g.mean(x, [-3, -1], keepdims=0)


def windows(height, width):
    """Indices [H, 1, W, 1, 2] of one pixel for every output position."""
    rows = np.arange(H) * height // H
    columns = np.arange(W) * width // W
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    return grid.reshape(H, 1, W, 1, 2).tolist()


@accepts()
def gather_nd_of_one_pixel(g, s):
    return adaptive_average(g, pixel(g, s), windows(1, 1))


@rejects()
def gather_nd_of_four_pixels(g, s):
    return adaptive_average(g, pixel(g, s, extents=(2, 2)), windows(2, 2))


@sound()
def gather_the_same_row(g, s):
    """x[:, :, [0, 0, 0, 0]] is even along the rows, whatever x is."""
    return g.node("Gather", [pixel(g, s, extents=(2, W)), g.ints([0] * H)], axis=2)


@rejects()
def gather_other_rows(g, s):
    x = pixel(g, s, extents=(2, W))
    return g.node("Gather", [x, g.ints([0, 0, 0, 1])], axis=2)


# ----------------------------------------------------------------------------
# Element by element, with broadcasting
# ----------------------------------------------------------------------------


@accepts()
def squeeze_excite_of_an_even_map(g, s):
    gate = g.node("Sigmoid", [pixel(g, s, "s")])
    return g.node("Mul", [even_map(g, s), gate])


@rejects()
def squeeze_excite_of_a_real_map(g, s):
    x = pixel(g, s, extents=(H, W))
    gate = g.node("Sigmoid", [g.node("GlobalAveragePool", [x])])
    return g.node("Mul", [x, gate])


@accepts()
def two_even_maps(g, s):
    other = g.node("Tile", [pixel(g, s, "other"), g.ints([1, 1, H, W])])
    return g.node("Max", [even_map(g, s), other, pixel(g, s, "z")])


@accepts(constant=(2,))
def even_along_rows_and_even_along_both(g, s):
    """The sum of two maps is even only where both are."""
    row = pixel(g, s, "row", extents=(1, W))
    return g.node("Add", [even_map(g, s), row])


@rejects()
def even_along_rows_and_even_along_columns(g, s):
    """Each is even along one axis, their sum along none."""
    row = pixel(g, s, "row", extents=(1, W))
    column = pixel(g, s, "column", extents=(H, 1))
    return g.node("Add", [row, column])


ADDED = {
    "per_channel": ((1, C, 1, 1), (2, 3)),
    "per_channel_without_batch": ((C, 1, 1), (2, 3)),
    "scalar": ((), (2, 3)),
    "per_row": ((1, 1, H, 1), (3,)),
    "per_column_rank_1": ((W,), (2,)),
    "per_channel_and_row": ((C, H, 1), (3,)),
}
for what, (shape, constant) in ADDED.items():

    @accepts(f"add_{what}", constant=constant)
    def _(g, s, shape=shape):
        return g.node("Add", [even_map(g, s), numbers(g, shape)])

    @accepts(f"mul_{what}_first", constant=constant)
    def _(g, s, shape=shape):
        return g.node("Mul", [numbers(g, shape), even_map(g, s)])


VARYING = {
    "position": (1, C, H, W),
    "position_without_batch": (C, H, W),
    "position_of_every_channel": (H, W),
    "position_of_every_channel_rank_4": (1, 1, H, W),
}
for what, shape in VARYING.items():

    @rejects(f"add_{what}")
    def _(g, s, shape=shape):
        return g.node("Add", [even_map(g, s), numbers(g, shape)])


@rejects()
def add_a_computed_position(g, s):
    """The constant is made by nodes: Range over the columns and Range over rows."""
    ramp = g.node("Range", [g.init(np.array(v, np.int64)) for v in (0, H * W, 1)])
    ramp = g.node("Cast", [ramp], to=TensorProto.FLOAT)
    ramp = g.node("Reshape", [ramp, g.ints([1, 1, H, W])])
    return g.node("Add", [even_map(g, s), ramp])


@rejects()
def where_by_position(g, s):
    mask = g.init(np.arange(H * W).reshape(H, W) % 3 == 0)
    zero = g.init(np.array(0, np.float32))
    return g.node("Where", [mask, even_map(g, s), zero])


@accepts()
def prelu_per_channel(g, s):
    return g.node("PRelu", [even_map(g, s), numbers(g, (C, 1, 1))])


@rejects()
def prelu_per_position(g, s):
    return g.node("PRelu", [even_map(g, s), numbers(g, (C, H, W))])


@rejects(opset=6, extents=(4, 3, 4))
def prelu_opset_6(g, s):
    """Below opset 7 nothing is said of broadcasting, only that a slope of one number is
    shared across channels. So a slope of rank 1 is one number for each channel, and
    behind it equal channels are no longer equal.
    """
    x = g.node("Tile", [g.input("x", ["N", 1, 3, 4]), g.ints([1, 4, 1, 1])])
    return g.node("PRelu", [x, numbers(g, (4,))])


@accepts()
def activations(g, s):
    x = g.node("Relu", [even_map(g, s)])
    x = g.node("Identity", [g.node("LeakyRelu", [x], alpha=0.5)])
    limits = [g.init(np.array(v, np.float32)) for v in (-3, 3)]
    return g.node("Clip", [x, *limits])


@accepts(marks=not_yet("constants are judged by their shape, not their elements"))
def add_a_constant_that_is_even(g, s):
    """[1, C, H, W] in the file, but the same number at every position."""
    even = np.broadcast_to(np.arange(1, C + 1).reshape(1, C, 1, 1), (1, C, H, W))
    return g.node("Add", [even_map(g, s), g.init(even.astype(np.float32))])


@accepts()
def add_constant_of_shape(g, s):
    """Zeros of the shape that is wanted, the way some exporters write Expand."""
    zeros = g.node("ConstantOfShape", [g.ints([1, C, H, W])])
    return g.node("Add", [pixel(g, s), zeros])


@rejects()
def centred_map(g, s):
    """x - mean(x): the mean is even, the map is not."""
    x = pixel(g, s, extents=(H, W))
    return g.node("Sub", [x, g.mean(x, [2, 3])])


@rejects(labels=())
def expand_by_a_graph_input(g, s):
    """The caller chooses what is repeated, or nothing; extents are not known."""
    shape = g.input("shape", [4], TensorProto.INT64)
    return g.node("Expand", [g.input("x", ["N", C, "h", "w"]), shape])


@sound(extents=(C, W, H))
def reshape_across_rows_and_columns(g, s):
    """Columns are even, rows are not, and then both are cut anew: what was even along
    the columns is even along neither axis of the result, and pooling is over the
    columns as they were.
    """
    x = expand(g, pixel(g, s, extents=(H, 1)), [1, 1, 1, W])
    return g.node("Reshape", [x, g.ints([-1, C, W, H])])


@rejects(extents=(C, W, H))
def reshape_across_rows_and_columns_then_add(g, s):
    """As before, but a constant for every new row keeps the old axes out of reach."""
    x = expand(g, pixel(g, s, extents=(H, 1)), [1, 1, 1, W])
    x = g.node("Reshape", [x, g.ints([-1, C, W, H])])
    return g.node("Add", [x, numbers(g, (W, 1))])


@accepts()
def reshape_of_an_even_map(g, s):
    """Both axes are even, so it does not matter where one ends."""
    x = even_map(g, s, (2, H * W // 2))
    return g.node("Relu", [g.node("Reshape", [x, g.ints([-1, C, H, W])])])


@sound()
def slice_of_an_even_map(g, s):
    return g.slice(even_map(g, s, (H + 1, W)), 1, H + 1, axis=2)


# ----------------------------------------------------------------------------
# Pooling, convolution, padding
# ----------------------------------------------------------------------------

HALVE = dict(kernel_shape=[2, 2], strides=[2, 2])
SAME = dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])


@accepts()
def average_pool(g, s):
    return g.node("AveragePool", [even_map(g, s, (2 * H, 2 * W))], **HALVE)


@accepts()
def average_pool_include_pad_without_pads(g, s):
    x = even_map(g, s, (2 * H, 2 * W))
    return g.node("AveragePool", [x], count_include_pad=1, **HALVE)


@accepts()
def max_pool(g, s):
    return g.node("MaxPool", [even_map(g, s, (2 * H, 2 * W))], **HALVE)


@rejects()
def average_pool_of_a_real_map(g, s):
    x = pixel(g, s, extents=(2 * H, 2 * W))
    return g.node("AveragePool", [x], **HALVE)


@rejects()
def average_pool_pads_counted(g, s):
    """At the border the zeros outside count."""
    return g.node("AveragePool", [even_map(g, s)], count_include_pad=1, **SAME)


@accepts()
def average_pool_pads_not_counted(g, s):
    return g.node("AveragePool", [even_map(g, s)], count_include_pad=0, **SAME)


@accepts(constant=(2,))
def average_pool_pads_counted_along_columns(g, s):
    pads = dict(kernel_shape=[1, 3], pads=[0, 1, 0, 1])
    return g.node("AveragePool", [even_map(g, s)], count_include_pad=1, **pads)


@rejects()
def average_pool_auto_pads_counted(g, s):
    """Padding goes by another name."""
    pads = dict(kernel_shape=[3, 3], auto_pad="SAME_UPPER")
    return g.node("AveragePool", [even_map(g, s)], count_include_pad=1, **pads)


@accepts()
def average_pool_auto_pads_not_counted(g, s):
    pads = dict(kernel_shape=[3, 3], auto_pad="SAME_UPPER")
    return g.node("AveragePool", [even_map(g, s)], **pads)


@sound(extents=(C, 4, 3))
def average_pool_ceil_mode(g, s):
    """The last window reaches beyond the map without any padding."""
    x = even_map(g, s, (7, 5))
    return g.node("AveragePool", [x], ceil_mode=1, **HALVE)


@sound(extents=(C, 4, 3), opset=19)
def average_pool_ceil_mode_include_pad(g, s):
    x = even_map(g, s, (7, 5))
    return g.node("AveragePool", [x], ceil_mode=1, count_include_pad=1, **HALVE)


@accepts()
def max_pool_pads(g, s):
    """Padding of a MaxPool never wins."""
    return g.node("MaxPool", [even_map(g, s)], **SAME)


@rejects()
def lp_pool_pads(g, s):
    """The p-norm of fewer elements is smaller."""
    return g.node("LpPool", [even_map(g, s)], p=2, **SAME)


@rejects()
def max_pool_dilated_pads(g, s):
    """Windows of a dilated pool may jump over the map into the padding."""
    wide = dict(kernel_shape=[2, 2], dilations=[2, 2], pads=[1, 1, 1, 1])
    return g.node("MaxPool", [even_map(g, s)], **wide)


@accepts()
def conv_unpadded(g, s):
    x = even_map(g, s, (H + 2, W + 2))
    return g.node("Conv", [x, numbers(g, (C, C, 3, 3)), numbers(g, (C,))])


@accepts()
def conv_depthwise_unpadded(g, s):
    x = even_map(g, s, (H + 2, W + 2))
    return g.node("Conv", [x, numbers(g, (C, 1, 3, 3))], group=C)


@rejects()
def conv_padded(g, s):
    kernel = numbers(g, (C, C, 3, 3))
    return g.node("Conv", [even_map(g, s), kernel], pads=[1, 1, 1, 1])


@rejects()
def conv_padded_at_one_end(g, s):
    kernel = numbers(g, (C, C, 2, 2))
    return g.node("Conv", [even_map(g, s), kernel], pads=[0, 0, 1, 1])


@rejects()
def conv_auto_padded(g, s):
    kernel = numbers(g, (C, C, 3, 3))
    return g.node("Conv", [even_map(g, s), kernel], auto_pad="SAME_LOWER")


@accepts(constant=(2,))
def conv_padded_along_columns(g, s):
    kernel = numbers(g, (C, C, 1, 3))
    return g.node("Conv", [even_map(g, s), kernel], pads=[0, 1, 0, 1])


@rejects()
def conv_transpose(g, s):
    """Each output adds up another number of inputs."""
    x = even_map(g, s, (2, 3))
    return g.node("ConvTranspose", [x, numbers(g, (C, C, 2, 1))], strides=[2, 2])


@rejects("conv_transpose_overlapping")
def _(g, s):
    x = even_map(g, s, (H - 1, W - 1))
    return g.node("ConvTranspose", [x, numbers(g, (C, C, 2, 2))])


@rejects()
def pad(g, s):
    x = even_map(g, s, (H - 1, W - 1))
    return g.node("Pad", [x, g.ints([0, 0, 0, 0, 0, 0, 1, 1])])


@rejects(opset=9)
def pad_opset_9(g, s):
    x = g.node("Tile", [pixel(g, s), g.ints([1, 1, H - 2, W - 2])])
    return g.node("Pad", [x], pads=[0, 0, 1, 1, 0, 0, 1, 1], value=1.0)


@sound()
def pad_edge(g, s):
    x = even_map(g, s, (H - 2, W - 2))
    return g.node("Pad", [x, g.ints([0, 0, 1, 1, 0, 0, 1, 1])], mode="edge")


@sound()
def pad_along_columns(g, s):
    x = even_map(g, s, (H, W - 1))
    return g.node("Pad", [x, g.ints([0, 0, 0, 0, 0, 0, 0, 1])])


# ----------------------------------------------------------------------------
# Several values into one, and axes that change places
# ----------------------------------------------------------------------------


@accepts(extents=(2 * C, H, W))
def concat_of_even_maps(g, s):
    x = expand(g, g.input("x", ["N", C, 1, 1]), [1, 1, H, W])
    y = expand(g, g.input("other", ["N", C, 1, 1]), [1, 1, H, W])
    return g.node("Concat", [x, y], axis=1)


@rejects(extents=(2 * C, H, W))
def concat_of_an_even_and_a_real_map(g, s):
    x = expand(g, g.input("x", ["N", C, 1, 1]), [1, 1, H, W])
    return g.node("Concat", [x, g.input("other", ["N", C, H, W])], axis=1)


@accepts(constant=(3,))
def concat_of_rows(g, s):
    """Two even maps on top of each other: rows differ where they meet."""
    x = expand(g, pixel(g, s), [1, 1, 2, W])
    y = expand(g, pixel(g, s, "other"), [1, 1, 2, W])
    return g.node("Concat", [x, y], axis=2)


@accepts()
def transpose_of_positions(g, s):
    return g.node("Transpose", [even_map(g, s, (W, H))], perm=[0, 1, 3, 2])


@accepts(constant=(1, 3), extents=(H, C, W))
def transpose_moves_the_channels(g, s):
    x = expand(g, g.input("x", ["N", C, 1, 1]), [1, 1, H, W])
    return g.node("Transpose", [x], perm=[0, 2, 1, 3])


@rejects(extents=(C, 4, 6))
def depth_to_space(g, s):
    """Neighbours come from different channels."""
    x = expand(g, g.input("x", ["N", 4 * C, 1, 1]), [1, 1, 2, 3])
    return g.node("DepthToSpace", [x], blocksize=2)


@rejects()
def reshape_channels_into_columns(g, s):
    """[N, 60, 1, 1] read as [N, 3, 4, 5]: every number is another."""
    x = g.input("x", ["N", C * H * W, 1, 1])
    return g.node("Reshape", [x, g.ints([-1, C, H, W])])


@accepts(constant=(3,))
def reshape_channels_into_rows(g, s):
    """[N, 12, 1, 1] repeated to [N, 12, 1, 5], rows made of channels."""
    x = expand(g, g.input("x", ["N", C * H, 1, 1]), [1, 1, 1, W])
    return g.node("Reshape", [x, g.ints([-1, C, H, W])])


@accepts(constant=(2,))
def matmul_over_columns(g, s):
    """The last axis is summed and made anew, the rows stay alike."""
    return g.node("MatMul", [even_map(g, s, (H, 7)), numbers(g, (7, W))])


@rejects()
def cum_sum(g, s):
    """Sums of 1, 2, 3 ... equal numbers, along both axes."""
    x = g.node("CumSum", [even_map(g, s), g.init(np.array(2, np.int64))])
    return g.node("CumSum", [x, g.init(np.array(3, np.int64))])


@rejects()
def trilu(g, s):
    return g.node("Trilu", [even_map(g, s)])


@rejects(batch=1)
def scatter_elements(g, s):
    """One element of every sample and channel is another."""
    index = g.init(np.zeros((1, C, 1, 1), np.int64))
    new = g.init(np.ones((1, C, 1, 1), np.float32))
    x = expand(g, g.input("x", [1, C, 1, 1]), [1, 1, H, W])
    return g.node("ScatterElements", [x, index, new], axis=2)


@rejects(batch=1)
def grid_sample(g, s):
    """An even map sampled beyond its border, where there are zeros."""
    grid = np.linspace(-2, 2, 2 * H * W).reshape(1, H, W, 2).astype(np.float32)
    x = expand(g, g.input("x", [1, C, 1, 1]), [1, 1, H, W])
    return g.node("GridSample", [x, g.init(grid)])


# ----------------------------------------------------------------------------
# Normalisation, dropout, quantisation
# ----------------------------------------------------------------------------


@accepts()
def batch_normalization(g, s):
    four = [numbers(g, (C,), seed) for seed in range(4)]
    return g.node("BatchNormalization", [even_map(g, s), *four])


@rejects()
def layer_normalization_over_features(g, s):
    """Scale and bias for every feature of the map."""
    scale = [numbers(g, (C, H, W), seed) for seed in (1, 2)]
    return g.node("LayerNormalization", [even_map(g, s), *scale], axis=1)


@accepts(
    constant=(1, 2),
    extents=(H, W, C),
)
def layer_normalization_over_channels(g, s):
    """As channels-last nets have it: every position by itself, in the same way."""
    x = expand(g, g.input("x", ["N", 1, 1, C]), [1, H, W, 1])
    scale = [numbers(g, (C,), seed) for seed in (1, 2)]
    return g.node("LayerNormalization", [x, *scale], axis=-1)


@accepts()
def softmax_over_channels(g, s):
    return g.node("Softmax", [even_map(g, s)], axis=1)


def dropout(g, s, training):
    ratio = g.init(np.array(0.5, np.float32))
    return g.node("Dropout", [even_map(g, s), ratio, g.init(np.array(training))])


@rejects(labels=("L1", "L6"))
def dropout_in_training(g, s):
    """It drops positions one by one."""
    return dropout(g, s, True)


@rejects(labels=("L1", "L6"))
def dropout_that_callers_may_let_train(g, s):
    """The flag is an initialiser, false, and a graph input too: callers may set it."""
    ratio = g.init(np.array(0.5, np.float32))
    training = g.init(np.array(False), "training", overridable=True)
    return g.node("Dropout", [even_map(g, s), ratio, training])


@rejects()
def bernoulli(g, s):
    """Draws for every position."""
    return g.node("Bernoulli", [g.node("Sigmoid", [even_map(g, s)])])


@rejects()
def second_result_of_max_pool(g, s):
    """Indices into an even map are not even."""
    names = ["pooled", "indices"]
    g.node("MaxPool", [even_map(g, s)], names, **SAME)
    return g.node("Cast", ["indices"], to=TensorProto.FLOAT)


@accepts()
def dropout_in_inference(g, s):
    return dropout(g, s, False)


@rejects(labels=("L1", "L6"))
def dropout_that_may_train(g, s):
    """Callers decide by an input."""
    ratio = g.init(np.array(0.5, np.float32))
    training = g.input("training", [], TensorProto.BOOL)
    return g.node("Dropout", [even_map(g, s), ratio, training])


@rejects(labels=("L1", "L6"))
def random_noise(g, s):
    x = even_map(g, s)
    return g.node("Add", [x, g.node("RandomNormalLike", [x])])


def quantised(g, s, axis, extent):
    """Through int8 and back, with a scale for every slice along ``axis``."""
    scale = g.init((np.arange(1, extent + 1) / 16).astype(np.float32))
    zero = g.init(np.zeros(extent, np.int8))
    x = g.node("QuantizeLinear", [even_map(g, s), scale, zero], axis=axis)
    return g.node("DequantizeLinear", [x, scale, zero], axis=axis)


@accepts()
def quantised_per_tensor(g, s):
    scale, zero = g.init(np.array(0.25, np.float32)), g.init(np.array(0, np.int8))
    x = g.node("QuantizeLinear", [even_map(g, s), scale, zero])
    return g.node("DequantizeLinear", [x, scale, zero])


@accepts()
def quantised_per_channel(g, s):
    return quantised(g, s, 1, C)


@accepts(constant=(3,))
def quantised_per_row(g, s):
    """Every row is rounded to other steps."""
    return quantised(g, s, 2, H)


# ----------------------------------------------------------------------------


@pytest.mark.parametrize("front, labels, changes", parameters(ACCEPTED))
def test_accepted(tmp_path, front, labels, changes):
    head = head_of(front, changes)
    assert_rewritten(run(tmp_path, head.model), head)


@pytest.mark.parametrize(
    "front, labels, changes",
    [
        p
        for p in parameters(ACCEPTED)
        if p.id.split("_")[0] in ("expand", "add", "tile")
    ],
)
def test_accepted_channels_last(tmp_path, front, labels, changes):
    """The same in the order of channels-last heads."""
    head = head_of(front, {**changes, "collapse": "transpose_flatten"})
    assert_rewritten(run(tmp_path, head.model), head)


@pytest.mark.parametrize("front, labels, changes", parameters(REJECTED))
def test_rejected(tmp_path, front, labels, changes):
    head = head_of(front, changes)
    assert_refused(run(tmp_path, head.model), "dense", *labels)


@pytest.mark.parametrize("front, labels, changes", parameters(SOUND))
def test_sound(tmp_path, front, labels, changes):
    head = head_of(front, changes)
    result = run(tmp_path, head.model)
    if not result.rewritten:
        assert_unchanged(result)
        return
    assert_sound(result)
    assert_equivalent(result.before, result.after, ["dense"])


def test_half_precision(tmp_path):
    """The element type makes no difference to what is even."""
    for front in (expand_constant, conv_unpadded, average_pool):
        head = head_of(front, {"constant": (2, 3), "type": F16})
        assert_rewritten(run(tmp_path, head.model), head)


def test_overridable_reshape(tmp_path):
    """From IR 4 on, an initialiser that is a graph input too is a default. Here it
    says where rows end, so with another value the old model reads the map in another
    order, and so must the new one.
    """

    def front(g, s):
        target = g.init(np.array([0, 3, 4, 5], np.int64), "target", overridable=True)
        x = g.node("Reshape", [g.input("x", ["N", 12, 5]), target])
        return g.node("Transpose", [x], perm=[0, 2, 1, 3])

    model = make_head(front=front, extents=(4, 3, 5), vary=(1,)).model
    result = run(tmp_path, model)
    x = np.random.RandomState(1).standard_normal((2, 12, 5)).astype(np.float32)
    for target in ([0, 3, 4, 5], [0, 2, 6, 5]):
        feeds = {"x": x, "target": np.array(target, np.int64)}
        old = OnnxRuntime(result.before)(feeds)["y"]
        try:
            new = OnnxRuntime(result.after)(feeds)["y"]
        except Exception as error:
            raise AssertionError(f"target {target}: {error}") from error
        np.testing.assert_allclose(new, old, rtol=1e-3, atol=1e-4)


def full_map_layer(g, s, x, weight, form):
    """A dense layer that takes the map as it is."""
    if form == "conv":
        g.node("Conv", [x, g.init(weight)], "y", "dense")
        g.output("y", ["N", len(weight), 1, 1])
    else:
        equation = "nchw,kchw->nk"
        g.node("Einsum", [x, g.init(weight)], "y", "dense", equation=equation)
        g.output("y", ["N", len(weight)])
    return g.model()


@pytest.mark.parametrize("form", ["conv", "einsum"])
def test_full_map_layers(tmp_path, form):
    """A Conv as large as its map and an Einsum, on an even map, on a real one, and on
    both side by side.
    """
    s = Spec(extents=(C, H, W))
    arbitrary = weights(5, (C, H, W), (1, 2, 3))
    partly = weights(5, (2 * C, H, W), (1, 2, 3))
    partly[:, C:] = partly[:, C:, :1, :1]
    for name, front, weight, pooled in (
        ("even", lambda g: even_map(g, s), arbitrary, [2, 3]),
        ("real", lambda g: pixel(g, s, extents=(H, W)), arbitrary, []),
        ("mixed", lambda g: side_by_side(g, s, "er"), partly, [2, 3]),
        ("swapped", lambda g: side_by_side(g, s, "re"), partly, []),
    ):
        g = Graph(17)
        model = full_map_layer(g, s, front(g), weight, form)
        result = run(tmp_path / name, model)
        if not pooled:
            assert_refused(result, "dense", "L6")
            continue
        entry = result.head("dense")
        assert entry["verdict"] == "rewritten", f"{name}: {entry['reason']}"
        assert entry["pooled_axes"] == pooled
        shapes = {
            i.name: [d.dim_value or 3 for d in i.type.tensor_type.shape.dim]
            for i in result.before.graph.input
        }
        assert_same_answers(result.before, result.after, ["dense"], shapes)


# ----------------------------------------------------------------------------
# Channel by channel
# ----------------------------------------------------------------------------

# An even and a real map side by side. Where the weights of the real map's channels do
# not vary along height and width, each term of the sum is free of positions: for every
# channel the map or the weight is even, and the proof needs no more than that.


def side_by_side(g, s, order="er"):
    """The channels of even (e) and of real (r) maps, C of each."""
    parts = []
    for i, kind in enumerate(order):
        if kind == "e":
            x = expand(g, g.input(f"e{i}", ["N", C, 1, 1]), [1, 1, H, W])
        else:
            x = g.input(f"r{i}", ["N", C, H, W])
        parts.append(x)
    return g.node("Concat", parts, axis=1)


def mixed(front, order="er", even="r", **changes):
    """The head whose weights are even in the channels of ``even`` maps alone."""
    changes = {"extents": (len(order) * C, H, W), "constant": (2, 3), **changes}
    spec = Spec(front=front, vary=(1, 2, 3), **changes)
    weight = np.array(make_head(spec).weight)
    for i, kind in enumerate(order):
        if kind in even:
            own = weight[:, i * C : (i + 1) * C]
            own[:] = own[:, :, :1, :1]
    return make_head(spec, weight=weight)


@pytest.mark.parametrize("order", ["er", "re", "rer", "ere"])
@pytest.mark.parametrize("collapse", ["flatten", "transpose_flatten"])
@pytest.mark.parametrize("dense", ["gemm_tb1", "gemm_tb0", "matmul_add"])
def test_by_channel(tmp_path, order, collapse, dense):
    """Pooled; and still so where a weight of an even map moves, but refused where one
    of a real map does, with the place named.
    """
    head = mixed(
        lambda g, s: side_by_side(g, s, order), order, collapse=collapse, dense=dense
    )
    assert_rewritten(run(tmp_path, head.model), head)
    for part, kind in enumerate(order):
        index = (2, part * C + 1, 2, 3)
        twin = head.twin(index)
        result = run(tmp_path, twin.model)
        if kind == "e":
            assert_rewritten(result, twin)
            continue
        entry = assert_refused(result, "dense", "L6")
        output, k = assert_true_difference(entry, twin.matrix)
        moved = np.flatnonzero((twin.matrix != head.matrix)[output])
        assert (output, [k]) == (index[0], moved.tolist()), entry["first_difference"]


KEEPS_CHANNELS = {
    "relu": lambda g, x: g.node("Relu", [x]),
    "scaled_per_channel": lambda g, x: g.node("Mul", [x, numbers(g, (2 * C, 1, 1))]),
    "max_pool_pads": lambda g, x: g.node("MaxPool", [x], **SAME),
    "dropout_in_inference": lambda g, x: dropout_of(g, x, False),
}


@pytest.mark.parametrize("step", KEEPS_CHANNELS.values(), ids=KEEPS_CHANNELS)
def test_by_channel_behind(tmp_path, step):
    """What treats every channel by itself leaves even channels even."""
    head = mixed(lambda g, s: step(g, side_by_side(g, s)))
    assert_rewritten(run(tmp_path, head.model), head)


def shuffle(g, x):
    x = g.node("Reshape", [x, g.ints([0, 2, C, H, W])])
    x = g.node("Transpose", [x], perm=[0, 2, 1, 3, 4])
    return g.node("Reshape", [x, g.ints([0, 2 * C, H, W])])


def pad_channels(g, x):
    x = g.slice(x, 0, 2 * C - 1, axis=1)
    return g.node("Pad", [x, g.ints([0, 1, 0, 0, 0, 0, 0, 0])])


def roll(g, x):
    parts = [g.slice(x, 1, 2 * C, axis=1), g.slice(x, 0, 1, axis=1)]
    return g.node("Concat", parts, axis=1)


MIXES_CHANNELS = {
    "conv_1x1": lambda g, x: g.node("Conv", [x, numbers(g, (2 * C, 2 * C, 1, 1))]),
    "conv_1x1_grouped": lambda g, x: g.node(
        "Conv", [x, numbers(g, (2 * C, 2, 1, 1))], group=C
    ),
    "channel_shuffle": shuffle,
    "channels_reversed": lambda g, x: g.node(
        "Gather", [x, g.ints(list(range(2 * C))[::-1])], axis=1
    ),
    "channels_rolled": roll,
    "channels_padded_in_front": pad_channels,
    "softmax_over_channels": lambda g, x: g.node("Softmax", [x], axis=1),
    "lrn": lambda g, x: g.node("LRN", [x], size=3),
    "position_added": lambda g, x: g.node("Add", [x, numbers(g, (H, W))]),
    "map_multiplied": lambda g, x: g.node("Mul", [x, g.input("gate", ["N", 1, H, W])]),
    "parts_the_other_way_round_added": lambda g, x: g.node(
        "Add", [x, roll_by_half(g, x)]
    ),
    "average_pool_pads_counted": lambda g, x: g.node(
        "AveragePool", [x], count_include_pad=1, **SAME
    ),
    "dropout_in_training": lambda g, x: dropout_of(g, x, True),
    "transpose_of_rows_and_channels": lambda g, x: g.node(
        "Transpose",
        [g.node("Reshape", [x, g.ints([0, H, 2 * C, W])])],
        perm=[0, 2, 1, 3],
    ),
}


def roll_by_half(g, x):
    parts = [g.slice(x, C, 2 * C, axis=1), g.slice(x, 0, C, axis=1)]
    return g.node("Concat", parts, axis=1)


def dropout_of(g, x, training):
    ratio = g.init(np.array(0.5, np.float32))
    return g.node("Dropout", [x, ratio, g.init(np.array(training))])


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(step, id=name)
        for name, step in MIXES_CHANNELS.items()
    ],
)
def test_by_channel_mixed_behind(tmp_path, step):
    """The weights fit the channels as they were side by side; behind this operator
    channels are others, or no longer even.
    """
    head = mixed(lambda g, s: step(g, side_by_side(g, s)), constant=())
    assert_refused(run(tmp_path, head.model), "dense", "L6")


def test_by_channel_of_unknown_extents(tmp_path):
    """Height and width only known to be the same: sound, if it is accepted."""

    def front(g, s):
        real = g.input("r", ["N", C, "h", "w"])
        even = g.node("Expand", [g.input("e", ["N", C, 1, 1]), g.node("Shape", [real])])
        return g.node("Concat", [even, real], axis=1)

    for even in ("r", "", "e"):
        result = run(tmp_path, mixed(front, even=even).model)
        if result.rewritten:
            assert even == "r"
            assert_sound(result)
            dims = {"h": H, "w": W}
            assert_equivalent(result.before, result.after, ["dense"], dims=dims)


def test_by_channel_along_one_axis(tmp_path):
    """The even map is even along the rows alone, so the columns stay."""

    def front(g, s):
        even = expand(g, g.input("e", ["N", C, 1, W]), [1, 1, H, 1])
        return g.node("Concat", [even, g.input("r", ["N", C, H, W])], axis=1)

    head = mixed(front, constant=(2,))
    assert_rewritten(run(tmp_path, head.model), head)


def test_by_row(tmp_path):
    """The same with rows in the place of channels: two rows are even along the
    columns, and the weights are in the other two.
    """

    def front(g, s):
        even = expand(g, g.input("e", ["N", C, 2, 1]), [1, 1, 1, W])
        return g.node("Concat", [even, g.input("r", ["N", C, 2, W])], axis=2)

    spec = Spec(extents=(C, 4, W), front=front, vary=(1, 2, 3), constant=(3,))
    weight = np.array(make_head(spec).weight)
    weight[:, :, 2:] = weight[:, :, 2:, :1]
    head = make_head(spec, weight=weight)
    assert_rewritten(run(tmp_path, head.model), head)
    weight = np.array(make_head(spec).weight)
    weight[:, :, :2] = weight[:, :, :2, :1]
    assert_refused(run(tmp_path, make_head(spec, weight=weight).model), "dense", "L6")
