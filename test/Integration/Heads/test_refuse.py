# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Heads that must be left alone, rule by rule.

Wherever the weights allow it they are such that the rewrite would be legal but
for the one thing the test is about. Every refusal leaves the file byte for byte
as it was, names a failed rule, and gives a reason.
"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from headopt import (
    BF16,
    COLLAPSE,
    F16,
    F32,
    F64,
    Graph,
    as_matrix,
    assert_equivalent,
    assert_not_a_head,
    assert_refused,
    assert_rewritten,
    assert_sound,
    assert_true_difference,
    assert_unchanged,
    assert_well_formed,
    failed_rules,
    make_head,
    passes_checker,
    run,
    weights,
)


def refuse(directory, *labels, **spec):
    """A head of ``make_head`` that is refused by one of these rules."""
    head = make_head(**spec)
    return assert_refused(run(directory, head.model), "dense", *labels)


def equal(rows, columns, value=0.5, type=np.float32):
    """A weight of equal numbers: whatever the order of k, only the rule under
    test can object.
    """
    return np.full((rows, columns), value, type)


def small(
    build,
    weight,
    *,
    batch="N",
    extents=(3, 2, 4),
    opset=17,
    ir=None,
    type=F32,
    shape=None,
    dense="MatMul",
    **attributes,
):
    """x -> build -> MatMul or Gemm with this weight [K, O] -> y."""
    g = Graph(opset, ir, type)
    flat = build(g, g.input("x", [batch, *extents]))
    g.node(dense, [flat, g.init(weight, "weight")], "y", "dense", **attributes)
    g.output("y", shape)
    return g.model()


def flat(g, x):
    return g.node("Flatten", [x], axis=1)


# ----------------------------------------------------------------------------
# L1: what lies between the map and the dense layer is a known reordering
# ----------------------------------------------------------------------------


def test_l1_per_feature_factor(tmp_path):
    """A factor per position of the flat vector belongs to the weights: they are
    not equal any more.
    """
    factor = np.linspace(0.5, 2.0, 24, dtype=np.float32)
    head = make_head(
        collapse=lambda g, x, s: g.node(
            "Mul", [g.node("Flatten", [x], axis=1), g.init(factor)]
        )
    )
    assert_not_a_head(run(tmp_path, head.model), "dense")


@pytest.mark.parametrize(
    "type, number", [(TensorProto.BOOL, 6), (TensorProto.INT8, 257)]
)
def test_shape_arithmetic_wraps(tmp_path, type, number):
    """A target that goes through a narrow type is another number behind it: here
    1, so that nothing is split off. Read as 6, the features would lie in another
    order, in which the weight does not vary.
    """
    g = Graph()
    x = g.input("x", ["N", 3, 2, 4])
    narrow = g.node("Cast", [g.ints([number])], to=type)
    one = g.node("Cast", [narrow], to=TensorProto.INT64)
    target = g.node("Concat", [g.ints([0]), one, g.ints([-1])], axis=0)
    turned = g.node("Transpose", [g.node("Reshape", [x, target])], perm=[0, 2, 1])
    runs = np.repeat(np.random.RandomState(0).standard_normal((5, 4)), 6, axis=1)
    g.node(
        "Gemm",
        [flat(g, turned), g.init(runs.astype(np.float32))],
        "y",
        "dense",
        transB=1,
    )
    g.output("y", ["N", 5])
    result = run(tmp_path, g.model())
    assert result.head("dense")["verdict"] == "refused"
    assert_unchanged(result)


def test_l1_features_mixed_by_softmax(tmp_path):
    head = make_head(
        collapse=lambda g, x, s: g.node(
            "Softmax", [g.node("Flatten", [x], axis=1)], axis=1
        )
    )
    assert_not_a_head(run(tmp_path, head.model), "dense")


def test_l1_features_shuffled(tmp_path):
    """A Gather reorders k in a way that is no transpose."""
    order = np.random.RandomState(3).permutation(24)
    head = make_head(
        collapse=lambda g, x, s: g.node(
            "Gather", [g.node("Flatten", [x], axis=1), g.ints(order)], axis=1
        )
    )
    assert_not_a_head(run(tmp_path, head.model), "dense")


def test_l1_two_maps_joined(tmp_path):
    g = Graph()
    left, right = g.input("x", ["N", 3, 2, 2]), g.input("z", ["N", 3, 2, 2])
    joined = g.node("Concat", [flat(g, left), flat(g, right)], axis=1)
    weight = np.concatenate(
        [as_matrix(weights(4, (3, 2, 2), seed=s), [1, 2, 3]).T for s in (0, 1)]
    )
    g.node("MatMul", [joined, g.init(weight)], "y", "dense")
    g.output("y", ["N", 4])
    result = run(tmp_path, g.model())
    assert_not_a_head(result, "dense")


@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize(
    "how",
    [
        "opset6",
        "opset6-zero",
        "opset12",
        "opset13",
        "opset22",
        "constant_node",
        "graph_input",
    ],
)
def test_l1_training_dropout(tmp_path, how, position):
    """is_test is 0 when absent; training_mode counts when it is true, and when
    nobody knows.
    """
    opset = {"opset6": 6, "opset6-zero": 6, "opset12": 12, "opset22": 22}.get(
        how, 13
    )

    def collapse(g, x, s):
        def drop(value):
            if opset == 6:
                return g.node(
                    "Dropout",
                    [value],
                    **({"is_test": 0} if how == "opset6-zero" else {}),
                )
            ratio = g.init(np.array(0.5, np.float32))
            if how == "graph_input":
                return g.node(
                    "Dropout",
                    [value, ratio, g.input("training", [], TensorProto.BOOL)],
                )
            training = np.array(True)
            return g.node(
                "Dropout",
                [
                    value,
                    ratio,
                    g.constant(training)
                    if how == "constant_node"
                    else g.init(training),
                ],
            )

        inner = g.node(
            "Flatten", [drop(x) if position == "before" else x], axis=1
        )
        return drop(inner) if position == "after" else inner

    head = make_head(opset=opset, collapse=collapse)
    result = run(tmp_path, head.model)
    if position == "after":
        assert_refused(result, "dense", "L1")
    else:
        # What it drops is part of the map then, and the mean of any map is as
        # good: if rewritten, the Dropout stays where it was.
        assert_well_formed(result.report)
        if result.rewritten:
            assert [
                n for n in result.after.graph.node if n.op_type == "Dropout"
            ] == [n for n in result.before.graph.node if n.op_type == "Dropout"]
            assert_sound(result)
        else:
            assert result.unchanged


def test_l1_batch_normalisation_of_features(tmp_path):
    """Its scale is one number per k."""

    def collapse(g, x, s):
        values = [
            g.init(np.linspace(1, 2, 24, dtype=np.float32)) for _ in range(4)
        ]
        return g.node(
            "BatchNormalization", [g.node("Flatten", [x], axis=1), *values]
        )

    head = make_head(collapse=collapse, opset=13)
    assert_not_a_head(run(tmp_path, head.model), "dense")


def test_l1_slice_of_the_features(tmp_path):
    """Only the first 12 of 24: C = 3 is cut in the middle."""
    model = small(lambda g, x: g.slice(flat(g, x), 0, 12, axis=1), equal(12, 5))
    assert_not_a_head(run(tmp_path, model), "dense")


# ----------------------------------------------------------------------------
# L2: samples stay apart
# ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "axis, rows, size",
    [(0, 1, 48), (2, 6, 8), (3, 12, 4), (-4, 1, 48), (-2, 6, 8), (-1, 12, 4)],
)
def test_l2_flatten_at_another_axis(tmp_path, axis, rows, size):
    model = small(
        lambda g, x: g.node("Flatten", [x], axis=axis),
        equal(size, 5),
        batch=2,
        shape=[rows, 5],
    )
    assert_not_a_head(run(tmp_path, model), "dense")


@pytest.mark.parametrize(
    "target",
    [[1, 48], [-1, 48], [-1, 12], [4, -1], [-1, 8], [-1, 4], [6, 8]],
    ids=str,
)
def test_l2_reshape_cuts_elsewhere(tmp_path, target):
    """Two samples in a row, half a sample in a row, one channel in a row."""
    size = target[1] if target[1] > 0 else 48 // target[0]
    model = small(
        lambda g, x: g.node("Reshape", [x, g.ints(target)]),
        equal(size, 5),
        batch=2,
        shape=[48 // size, 5],
    )
    assert_not_a_head(run(tmp_path, model), "dense")


def three_by_eight():
    """[24, 5], equal in runs of eight."""
    return np.ascontiguousarray(as_matrix(weights(5, (3, 8)), [1, 2]).T)


def test_l2_m1_could_swallow_samples(tmp_path):
    """H and W are unknown: [-1, 24] takes what is there, be it six samples of
    four numbers.
    """
    model = small(
        lambda g, x: g.node("Reshape", [x, g.ints([-1, 24])]),
        three_by_eight(),
        extents=(3, "h", "w"),
    )
    assert_unchanged(run(tmp_path, model))


def test_l2_m1_could_swallow_samples_before_a_flatten(tmp_path):
    """[-1, 24, 1] and Flatten: a map of 24 channels and one position may be
    seen here, three channels may not.
    """
    model = small(
        lambda g, x: flat(g, g.node("Reshape", [x, g.ints([-1, 24, 1])])),
        three_by_eight(),
        extents=(3, "h", "w"),
    )
    assert_unchanged(run(tmp_path, model))


@pytest.mark.parametrize("target", [[-1, 24], [2, 24], [2, -1]], ids=str)
def test_l2_literal_batch_beside_unknown_extents(tmp_path, target):
    """A literal 2 is no word about the batch of the map, which is unknown as
    well.
    """
    model = small(
        lambda g, x: g.node("Reshape", [x, g.ints(target)]),
        equal(24, 5),
        extents=(3, "h", "w"),
    )
    assert_refused(run(tmp_path, model), "dense", "L1", "L2")


def test_l2_literal_batch_that_is_not_the_batch(tmp_path):
    """[4, 6] out of [2, 3, 2, 2]."""
    model = small(
        lambda g, x: g.node("Reshape", [x, g.ints([4, 6])]),
        equal(6, 5),
        batch=2,
        extents=(3, 2, 2),
        shape=[4, 5],
    )
    assert_not_a_head(run(tmp_path, model), "dense")


def test_l2_batch_moved_inside(tmp_path):
    """Transpose(perm=[1, 0, 2, 3]) makes the channels the rows; N = C hides it
    from anyone who looks at sizes.
    """

    def build(g, x):
        return g.node(
            "Flatten", [g.node("Transpose", [x], perm=[1, 0, 2, 3])], axis=1
        )

    model = small(build, equal(24, 5), batch=3, shape=[3, 5])
    assert_not_a_head(run(tmp_path, model), "dense")


def test_l2_batch_last(tmp_path):
    """[C, H, W, N] flattened as if C were the batch."""

    def build(g, x):
        return g.node(
            "Flatten", [g.node("Transpose", [x], perm=[1, 2, 3, 0])], axis=1
        )

    model = small(build, equal(24, 5), batch=3, shape=[3, 5])
    assert_not_a_head(run(tmp_path, model), "dense")


def test_l2_squeeze_without_axes_drops_the_batch(tmp_path):
    """One sample: Squeeze() takes the batch too; channels become rows."""
    model = small(
        lambda g, x: g.node("Squeeze", [x]),
        equal(8, 5),
        batch=1,
        extents=(3, 8, 1),
        shape=[3, 5],
    )
    assert_not_a_head(run(tmp_path, model), "dense")


def test_l2_batch_of_another_tensor(tmp_path):
    """The computed batch is that of z; nothing says it is that of x."""
    g = Graph()
    x, z = g.input("x", ["N", 3, "h", "w"]), g.input("z", ["M", 2])
    batch = g.slice(g.node("Shape", [z]), 0, 1)
    shaped = g.node(
        "Reshape", [x, g.node("Concat", [batch, g.ints([-1])], axis=0)]
    )
    g.node("MatMul", [shaped, g.init(equal(24, 5))], "y", "dense")
    g.output("y", [None, 5])
    assert_refused(run(tmp_path, g.model()), "dense", "L1", "L2")


def test_l2_computed_target_takes_the_channels_for_the_batch(tmp_path):
    """Concat(Shape(x)[1:2], [-1]) with as many samples as channels."""

    def build(g, x):
        rows = g.slice(g.node("Shape", [x]), 1, 2)
        turned = g.node("Transpose", [x], perm=[1, 0, 2, 3])
        return g.node(
            "Reshape", [turned, g.node("Concat", [rows, g.ints([-1])], axis=0)]
        )

    model = small(build, equal(24, 5), batch=3, shape=[3, 5])
    assert_not_a_head(run(tmp_path, model), "dense")


# ----------------------------------------------------------------------------
# L3: the weight is a constant of the file
# ----------------------------------------------------------------------------


def test_l3_weight_is_a_graph_input(tmp_path):
    head = make_head(place=lambda g, m: g.input("weight", m.shape))
    assert_refused(run(tmp_path, head.model), "dense", "L3")


@pytest.mark.parametrize("ir", [4, 8, 10])
def test_l3_weight_can_be_overridden(tmp_path, ir):
    """From IR 4 on, an initialiser that is a graph input as well is only a
    default.
    """
    head = make_head(
        opset=9, ir=ir, place=lambda g, m: g.init(m, "weight", overridable=True)
    )
    assert_refused(run(tmp_path, head.model), "dense", "L3")


@pytest.mark.parametrize("op", ["Transpose", "Identity"])
def test_l3_overridable_weight_behind_a_view(tmp_path, op):
    def place(g, m):
        return g.node(
            op,
            [
                g.init(
                    m.T if op == "Transpose" else m, "weight", overridable=True
                )
            ],
        )

    assert_refused(run(tmp_path, make_head(place=place).model), "dense", "L3")


def test_l3_overridable_bias_is_no_obstacle(tmp_path):
    """The theorem reads the weight only."""
    head = make_head()
    bias = next(
        i for i in head.model.graph.initializer if i.name.startswith("bias")
    )
    head.model.graph.input.append(
        helper.make_tensor_value_info(bias.name, bias.data_type, bias.dims)
    )
    result = run(tmp_path, head.model)
    # A default may count as a parameter or not.
    head.bias = result.head("dense")["parameters_before"] - head.weight.size
    assert head.bias in (0, 5)
    assert_rewritten(result, head)
    assert bias.name in [i.name for i in result.after.graph.input]


def test_l3_weight_is_computed(tmp_path):
    """A factor that arrives at run time."""

    def place(g, m):
        return g.node(
            "Mul", [g.init(m, "weight"), g.input("factor", [m.shape[0], 1])]
        )

    assert_refused(run(tmp_path, make_head(place=place).model), "dense", "L3")


def test_l3_weight_is_random(tmp_path):
    model = make_head(
        place=lambda g, m: g.node(
            "RandomNormal", [], shape=list(m.shape), seed=1.0
        )
    ).model
    assert_refused(run(tmp_path, model), "dense", "L3")


def test_l3_shape_of_the_constant_arrives_at_run_time(tmp_path):
    """ConstantOfShape of a graph input: nobody knows how many numbers."""
    model = make_head(
        place=lambda g, m: g.node(
            "ConstantOfShape", [g.input("shape", [2], TensorProto.INT64)]
        )
    ).model
    assert_refused(run(tmp_path, model), "dense", "L3")


def test_l3_both_operands_are_maps(tmp_path):
    g = Graph()
    x, z = g.input("x", [4, 3, 2, 2]), g.input("z", [4, 3, 2, 2])
    g.gemm([flat(g, x), flat(g, z)], "y", "dense", transB=1)
    g.output("y", [4, 4])
    assert_not_a_head(run(tmp_path, g.model()), "dense")


# ----------------------------------------------------------------------------
# L4: the pooled weight is finite
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("type", [F16, BF16, F32, F64], ids=lambda t: t.name)
def test_l4_not_finite(tmp_path, type, value):
    """One channel of one output, equal at every position, so that nothing but
    its value is wrong.
    """
    weight = weights(5, (3, 2, 4), type=type)
    weight[2, 1] = value
    refuse(tmp_path, "L4", type=type, weight=weight)


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=str)
def test_l4_everything_is_not_finite(tmp_path, value):
    refuse(tmp_path, "L4", weight=np.full((5, 3, 2, 4), value, np.float32))


def test_l4_infinities_of_both_signs(tmp_path):
    """Their sum is no number even where each of them would be."""
    weight = weights(5, (3, 2, 4))
    weight[0, 0], weight[0, 1] = np.inf, -np.inf
    refuse(tmp_path, "L4", weight=weight, dense="matmul")


def test_l4_nan_payloads(tmp_path):
    """Two NaN of different bits."""
    weight = np.full((5, 3, 2, 4), np.nan, np.float32)
    weight.view(np.uint32)[1, 1, 1, 1] += 1
    refuse(tmp_path, "L4", "L6", weight=weight)


def test_l4_alone_infinity_at_one_position(tmp_path):
    """Not equal and not finite."""
    weight = weights(5, (3, 2, 4))
    weight[2, 1, 0, 3] = np.inf
    refuse(tmp_path, "L4", "L6", weight=weight)


@pytest.mark.parametrize("dense", ["gemm_tb1", "matmul"])
@pytest.mark.parametrize("type", [F16, BF16, F32, F64], ids=lambda t: t.name)
def test_l4_sum_overflows(tmp_path, type, dense):
    """Eight times a quarter of the largest number. Keeping the 8 apart (as
    alpha, say) would be right as well.
    """
    weight = weights(5, (3, 2, 4), type=type)
    weight[1, 1] = type.numpy(type.largest / 4)
    head = make_head(type=type, weight=weight, dense=dense)
    result = run(tmp_path, head.model)
    if result.rewritten:
        assert_sound(result)
        assert_equivalent(result.before, result.after, ["dense"])
    else:
        assert_refused(result, "dense", "L4")


@pytest.mark.parametrize("type", [F16, BF16, F32, F64], ids=lambda t: t.name)
def test_l4_sum_just_fits(tmp_path, type):
    """The largest number there is, reached exactly, is finite: an eighth of it,
    eight times.
    """
    weight = weights(5, (3, 2, 4), type=type)
    weight[1, 1] = type.numpy(type.largest / 8)
    head = make_head(type=type, weight=weight)
    assert_rewritten(run(tmp_path, head.model), head)


# ----------------------------------------------------------------------------
# L5: floating point
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("dense", ["MatMul", "Gemm"])
@pytest.mark.parametrize("type", [np.int32, np.int64, np.uint32, np.uint64])
def test_l5_integers(tmp_path, type, dense):
    """The mean of integers is rounded, nobody says how."""
    g = Graph(13)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(type))
    x = g.input("x", ["N", 3, 2, 4], kind)
    g.node(
        dense,
        [flat(g, x), g.init(equal(24, 5, 2, type), "weight")],
        "y",
        "dense",
    )
    g.output("y", ["N", 5], kind)
    assert_refused(run(tmp_path, g.model()), "dense", "L5")


# ----------------------------------------------------------------------------
# L6: something does not vary
# ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dense", ["gemm_tb1", "gemm_tb0", "matmul", "matmul_add"]
)
@pytest.mark.parametrize(
    "collapse", ["flatten", "transpose_reshape", "computed_gather_m1"]
)
def test_l6_every_axis_varies(tmp_path, collapse, dense):
    head = make_head(vary=(1, 2, 3), collapse=collapse, dense=dense)
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert failed_rules(entry) == ["L6"], "every other rule holds here"
    assert_true_difference(entry, head.matrix)
    assert entry["residual"] > 0.1


@pytest.mark.parametrize("type", [F16, BF16, F32, F64], ids=lambda t: t.name)
def test_l6_by_type(tmp_path, type):
    head = make_head(vary=(1, 2, 3), type=type)
    assert_true_difference(
        assert_refused(run(tmp_path, head.model), "dense", "L6"), head.matrix
    )


@pytest.mark.parametrize(
    "order, wrong",
    [("flatten", "transpose_flatten"), ("transpose_flatten", "flatten")],
)
def test_l6_equal_in_the_other_order(tmp_path, order, wrong):
    """Equal over positions if k were read in the order it is not in; all
    extents alike.
    """
    extents = (4, 4, 4)
    head = make_head(collapse=wrong, extents=extents, outputs=4)
    weight = head.matrix.reshape(4, *extents)
    if order == "transpose_flatten":
        weight = np.ascontiguousarray(weight.transpose(0, 3, 1, 2))
    other = make_head(collapse=order, extents=extents, outputs=4, weight=weight)
    np.testing.assert_array_equal(other.matrix, head.matrix)
    result = run(tmp_path, other.model)
    # Read in the real order these weights still are equal along one or two
    # axes; pooling those is right, pooling H and W is not.
    entry = result.head("dense")
    expected = other.pooled()
    assert expected != head.pooled()
    if expected:
        assert_rewritten(result, other)
    else:
        assert_refused(result, "dense", "L6")
    assert entry["pooled_axes"] == [] or set(entry["pooled_axes"]) != {2, 3}


def test_l6_equal_in_pairs(tmp_path):
    """Each position equals its neighbour, so that only a comparison with the
    first one, or of every neighbour, sees it.
    """
    weight = weights(5, (3, 1, 4))
    weight = np.repeat(weights(5, (3, 1, 2), (1, 3)), 2, axis=3)
    assert weight.shape == (5, 3, 1, 4)
    refuse(
        tmp_path, "L6", weight=np.ascontiguousarray(weight), extents=(3, 1, 4)
    )


def test_l6_periodic(tmp_path):
    """The same row of four numbers at every height: W varies, H does not."""
    head = make_head(vary=(1, 3))
    entry = run(tmp_path, head.model).head("dense")
    assert entry["verdict"] == "rewritten" and len(entry["pooled_axes"]) == 1


@pytest.mark.parametrize(
    "name, build",
    [
        (
            "full_map_added",
            lambda g, x: g.node(
                "Add",
                [
                    g.node("Expand", [x, g.ints([1, 1, 3, 3])]),
                    g.init(np.arange(27, dtype=np.float32).reshape(1, 3, 3, 3)),
                ],
            ),
        ),
        (
            "full_map_factor",
            lambda g, x: g.node(
                "Mul",
                [
                    g.node("Expand", [x, g.ints([1, 1, 3, 3])]),
                    g.init(np.arange(9, dtype=np.float32).reshape(3, 3)),
                ],
            ),
        ),
        (
            "padded_convolution",
            lambda g, x: g.node(
                "Conv",
                [
                    g.node("Expand", [x, g.ints([1, 1, 3, 3])]),
                    g.init(
                        np.linspace(0.1, 1, 81, dtype=np.float32).reshape(
                            3, 3, 3, 3
                        )
                    ),
                ],
                pads=[1, 1, 1, 1],
            ),
        ),
        (
            "padded_mean",
            lambda g, x: g.node(
                "AveragePool",
                [g.node("Expand", [x, g.ints([1, 1, 3, 3])])],
                kernel_shape=[3, 3],
                pads=[1, 1, 1, 1],
                count_include_pad=1,
            ),
        ),
        (
            "zeros_around",
            lambda g, x: g.node("Pad", [x, g.ints([0, 0, 1, 1, 0, 0, 1, 1])]),
        ),
        (
            "joined_along_the_axis",
            lambda g, x: g.node(
                "Concat",
                [
                    g.node("Expand", [x, g.ints([1, 1, 3, 1])]),
                    g.node(
                        "Relu", [g.node("Expand", [x, g.ints([1, 1, 3, 2])])]
                    ),
                ],
                axis=3,
            ),
        ),
    ],
)
def test_l6_map_looks_constant_and_is_not(tmp_path, name, build):
    """Stretched from one position and then disturbed. The weights vary, so only
    a false proof about the map could rewrite these.
    """
    head = make_head(
        extents=(3, 3, 3),
        vary=(1, 2, 3),
        front=lambda g, s: build(g, g.input("x", [s.batch, 3, 1, 1])),
        batch=2,
    )
    result = run(tmp_path, head.model)
    if name == "joined_along_the_axis":
        # Along H it is constant: pooling that one is right.
        assert_well_formed(result.report)
        assert result.head("dense")["pooled_axes"] in ([], [2])
        if result.rewritten:
            assert_equivalent(result.before, result.after, ["dense"])
        return
    assert_refused(result, "dense", "L6")


def test_l6_interpolation_of_two_positions(tmp_path):
    """[N, 3, 1, 2] stretched to 2 x 4: constant along H only."""

    def front(g, s):
        x = g.input("x", [s.batch, 3, 1, 2])
        return g.node(
            "Resize",
            [x, "", g.init(np.array([1, 1, 2, 2], np.float32))],
            mode="linear",
        )

    head = make_head(front=front, constant=(2,), vary=(1, 2, 3), opset=13)
    result = run(tmp_path, head.model)
    assert_well_formed(result.report)
    if result.rewritten:
        assert_rewritten(result, head)
    else:
        assert_refused(result, "dense", "L6")


# ----------------------------------------------------------------------------
# L7: no extent is 0, and the sizes agree
# ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extents", [(3, 0, 4), (0, 2, 4), (3, 2, 0), (0, 0, 0)], ids=str
)
def test_l7_extent_zero(tmp_path, extents):
    model = small(
        flat, np.zeros((0, 5), np.float32), extents=extents, shape=["N", 5]
    )
    assert_not_a_head(run(tmp_path, model), "dense")


def test_l7_extent_zero_is_named(tmp_path):
    entry = assert_refused(
        run(
            tmp_path,
            small(
                flat,
                np.zeros((0, 5), np.float32),
                extents=(3, 0, 4),
                shape=["N", 5],
            ),
        ),
        "dense",
        "L7",
    )
    assert "0" in entry["reason"]


def test_l7_no_outputs(tmp_path):
    """W[24, 0]: nothing to compute, nothing to gain."""
    assert_not_a_head(
        run(
            tmp_path, small(flat, np.zeros((24, 0), np.float32), shape=["N", 0])
        ),
        "dense",
    )


@pytest.mark.parametrize(
    "extents, size",
    [
        ((2, "h", "w"), 9),
        ((4, "h", 3), 10),
        ((4, "h", 3), 30),
        ((4, "h", "w"), 2),
    ],
    ids=str,
)
def test_l7_weight_rows_do_not_fit_the_channels(tmp_path, extents, size):
    """H and W are unknown, yet no H and W give that many rows."""
    model = small(flat, equal(size, 5), extents=extents, shape=["N", 5])
    assert_refused(run(tmp_path, model), "dense", "L7")


def test_l7_weight_rows_fit_the_unknown_extents(tmp_path):
    """The counterpart: [N, 2, h, w] and 8 rows pin h * w to 4, and
    Flatten(axis=1) keeps samples apart by itself.
    """
    weight = weights(3, (2, 4))
    g = Graph()
    f = flat(g, g.input("x", ["N", 2, "h", "w"]))
    g.node(
        "MatMul",
        [f, g.init(np.ascontiguousarray(as_matrix(weight, [1, 2]).T))],
        "y",
        "dense",
    )
    g.output("y", ["N", 3])
    result = run(tmp_path, g.model())
    assert result.rewritten == ["dense"], result.head("dense")["reason"]
    assert_sound(result)
    for h, w in ((2, 2), (1, 4), (4, 1)):
        assert_equivalent(
            result.before, result.after, ["dense"], dims={"h": h, "w": w}
        )


# ----------------------------------------------------------------------------
# L8: the dense layer has a form the theorem covers
# ----------------------------------------------------------------------------


def test_l8_gemm_trans_a_on_the_flat_value(tmp_path):
    """Flatten -> Transpose -> Gemm(transA=1): the same function as a head, in a
    form that is not supported.
    """

    def build(g, x):
        return g.node("Transpose", [flat(g, x)], perm=[1, 0])

    model = small(build, equal(24, 5), dense="Gemm", transA=1, shape=["N", 5])
    assert_refused(run(tmp_path, model), "dense", "L8")


def test_l8_gemm_trans_a_mixes_samples(tmp_path):
    """As many samples as features, so that transA=1 is valid on the flat value
    itself; then k runs over samples.
    """
    model = small(
        flat, equal(24, 5), batch=24, dense="Gemm", transA=1, shape=[24, 5]
    )
    assert_refused(run(tmp_path, model), "dense", "L8", "L2")


def test_l8_dense_at_every_position(tmp_path):
    """[N, 2, H, W] -> [N, 4, 2] -> MatMul W[2, 3]: a dense layer over the last
    axis, although K equals C.
    """
    model = small(
        lambda g, x: g.node("Reshape", [x, g.ints([0, 4, 2])]),
        equal(2, 3),
        extents=(2, 2, 2),
        shape=["N", 4, 3],
    )
    assert_not_a_head(run(tmp_path, model), "dense")


def test_l8_matmul_on_the_map(tmp_path):
    """No collapse at all: MatMul over the last axis of [N, C, H, W]."""
    model = small(lambda g, x: x, equal(4, 5), shape=["N", 3, 2, 5])
    assert_not_a_head(run(tmp_path, model), "dense")


@pytest.mark.parametrize(
    "shape, answer",
    [((24,), ["N"]), ((1, 24, 5), [1, "N", 5]), ((2, 24, 5), [2, "N", 5])],
    ids=str,
)
def test_l8_weight_of_another_rank(tmp_path, shape, answer):
    """A vector, or a stack of matrices: MatMul broadcasts, a head does not."""
    model = small(flat, np.full(shape, 0.5, np.float32), shape=answer)
    assert_not_a_head(run(tmp_path, model), "dense")


def test_l8_weight_on_the_left(tmp_path):
    """W[5, 24] @ flat^T: the answer has samples as columns."""
    g = Graph()
    x = g.input("x", ["N", 3, 2, 4])
    g.node(
        "MatMul",
        [g.init(equal(5, 24)), g.node("Transpose", [flat(g, x)], perm=[1, 0])],
        "y",
        "dense",
    )
    g.output("y", [5, "N"])
    assert_not_a_head(run(tmp_path, g.model()), "dense")


def test_l8_same_name_in_another_domain(tmp_path):
    """A Gemm of someone else's domain may do anything."""
    g = Graph()
    g.imports.append(("somewhere.else", 1))
    x = g.input("x", ["N", 3, 2, 4])
    g.node(
        "Gemm",
        [flat(g, x), g.init(equal(5, 24))],
        "y",
        "dense",
        domain="somewhere.else",
        transB=1,
    )
    g.output("y", ["N", 5])
    assert_not_a_head(run(tmp_path, g.model()), "dense")


def test_l8_flatten_of_another_domain(tmp_path):
    g = Graph()
    g.imports.append(("somewhere.else", 1))
    x = g.input("x", ["N", 3, 2, 4])
    f = g.node("Flatten", [x], "f", domain="somewhere.else", axis=1)
    g.node("MatMul", [f, g.init(equal(24, 5))], "y", "dense")
    g.output("y", ["N", 5])
    assert_not_a_head(run(tmp_path, g.model()), "dense")


# ----------------------------------------------------------------------------
# L9: the new nodes can be written where they are needed
# ----------------------------------------------------------------------------


def function_model():
    """A model-local function whose body is a head; a function has no
    initialisers, and its own opset imports.
    """
    weight = np.ascontiguousarray(as_matrix(weights(5, (3, 2, 4)), [1, 2, 3]))
    body = Graph()
    f = body.node("Flatten", ["map"], axis=1)
    body.gemm([f, body.constant(weight)], "answer", "dense", transB=1)
    g = Graph()
    g.define("head", body)
    g.node("head", [g.input("x", ["N", 3, 2, 4])], "y", "call", domain="local")
    g.output("y", ["N", 5])
    return g.model()


def test_l9_head_in_a_local_function(tmp_path):
    """Handled or reported, never corrupted."""
    result = run(tmp_path, function_model())
    assert_well_formed(result.report)
    if result.rewritten:
        assert_sound(result)
        assert len(result.after.functions) == 1
        assert_equivalent(
            result.before, result.after, result.rewritten, tolerance={"y": 1e-4}
        )
    else:
        assert_unchanged(result)
        assert all(h["verdict"] == "refused" for h in result.heads)


def test_l9_function_parameter_as_weight(tmp_path):
    """Inside the function the weight is a parameter: whether it is a constant
    is the caller's affair.
    """
    body = Graph()
    f = body.node("Flatten", ["map"], axis=1)
    body.gemm([f, "w"], "answer", "dense", transB=1)
    g = Graph()
    g.define("head", body, ["map", "w"])
    weight = as_matrix(weights(5, (3, 2, 4)), [1, 2, 3])
    x = g.input("x", ["N", 3, 2, 4])
    g.node("head", [x, g.init(weight)], "y", domain="local")
    g.node("head", [x, g.input("w", [5, 24])], "z", domain="local")
    g.output("y", ["N", 5])
    g.output("z", ["N", 5])
    assert_unchanged(run(tmp_path, g.model()))


@pytest.mark.parametrize("opset", [13, 18, 21])
def test_l9_bfloat16_below_22_is_no_global_average(tmp_path, opset):
    """The schema of GlobalAveragePool takes bfloat16 from opset 22 on; below,
    the mean has to be a ReduceMean, or nothing.
    """
    head = make_head(type=BF16, opset=opset)
    result = run(tmp_path, head.model)
    if result.rewritten:
        assert "GlobalAveragePool" not in [
            n.op_type for n in result.after.graph.node
        ]
        assert passes_checker(result.after)
    else:
        assert_refused(result, "dense", "L9")


# ----------------------------------------------------------------------------
# Nothing to do
# ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "collapse", ["flatten", "reshape_m1_k", "transpose_flatten"]
)
@pytest.mark.parametrize("extents", [(6, 1, 1), (6, 1), (6, 1, 1, 1)], ids=str)
def test_unit_map_is_left_alone(tmp_path, extents, collapse):
    """H * W = 1: legal, and nothing would be gained."""
    result = run(tmp_path, make_head(extents=extents, collapse=collapse).model)
    assert_unchanged(result)
    entry = result.head("dense")
    assert entry["verdict"] == "unit"
    assert entry["parameters_after"] == entry["parameters_before"]


@pytest.mark.parametrize(
    "vary", [(1, 2, 3), (1,)], ids=["refused", "rewritten"]
)
def test_unusual_wire_form(tmp_path, vary):
    """Fields out of order, and one that this version of ONNX does not know:
    legal protobuf, and not what any writer would write back.

    Left alone, the file keeps these bytes; rewritten, it is a sound model.
    """
    head = make_head(vary=vary)
    graph, rest = onnx.ModelProto(), onnx.ModelProto()
    graph.graph.CopyFrom(head.model.graph)
    rest.CopyFrom(head.model)
    rest.ClearField("graph")
    unknown = b"\xca\x3e\x03abc"  # field 1001, three bytes
    wire = graph.SerializeToString() + unknown + rest.SerializeToString()
    assert wire != head.model.SerializeToString()
    (tmp_path / "model.onnx").write_bytes(wire)
    result = run(tmp_path, tmp_path / "model.onnx")
    if head.pooled():
        assert_rewritten(result, head)
    else:
        assert_refused(result, "dense", "L6")
    assert (tmp_path / "model.onnx").read_bytes() == wire


def test_no_head_at_all(tmp_path):
    """X[N, 8] -> Flatten -> y."""
    g = Graph()
    g.node("Flatten", [g.input("X", ["N", 8])], "y")
    g.output("y", ["N", 8])
    result = run(tmp_path, g.model())
    assert_unchanged(result)
    assert result.heads == []


def test_dense_without_a_collapse(tmp_path):
    """[N, 24] -> Gemm: no map, no head to pool."""
    model = small(lambda g, x: x, equal(24, 5), extents=(24,), shape=["N", 5])
    assert_not_a_head(run(tmp_path, model), "dense")


def test_two_dense_layers_in_a_row(tmp_path):
    """The second one's data is no map."""
    g = Graph()
    hidden = g.gemm(
        [
            flat(g, g.input("x", ["N", 3, 2, 4])),
            g.init(as_matrix(weights(6, (3, 2, 4), (1, 2, 3)), [1, 2, 3])),
        ],
        None,
        "first",
        transB=1,
    )
    g.gemm(
        [g.node("Relu", [hidden]), g.init(equal(4, 6))], "y", "second", transB=1
    )
    g.output("y", ["N", 4])
    result = run(tmp_path, g.model())
    assert_refused(result, "first", "L6")
    assert_not_a_head(result, "second")


@pytest.mark.parametrize(
    "collapse", ["flatten", *(c for c in COLLAPSE if c.startswith("computed"))]
)
def test_no_rewrite_flag(tmp_path, collapse):
    """--no-rewrite runs no pass: the head is legal, and the file stays."""
    result = run(tmp_path, make_head(collapse=collapse).model, "--no-rewrite")
    assert result.unchanged
    assert not result.rewritten
