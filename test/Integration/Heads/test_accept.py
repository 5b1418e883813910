# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Heads that must be rewritten, in every spelling: of the collapse, the dense
layer, the weight, the element type, the rank, the opset.

Each test expects the whole of what a rewrite promises
(``headopt.assert_rewritten``), and then moves one weight by one unit in the
last place and expects a refusal that names the place, with the file untouched
(``headopt.assert_ulp_refused``).
"""

import numpy as np
import onnx
import pytest

from headopt import (
    BF16,
    COLLAPSE,
    DENSE,
    F16,
    F32,
    PLACE,
    TYPES,
    accept,
    assert_refused,
    assert_rewritten,
    assert_true_difference,
    assert_ulp_refused,
    find_node,
    invoke,
    make_head,
    make_tensor,
    run,
)

CHANNELS_LAST = (
    "transpose_flatten",
    "transpose_reshape",
    "transpose_reshape_computed",
)


def batches(names):
    """(collapse, batch) for a dynamic batch, two samples and one, as far as the
    spelling goes with each.
    """
    return [
        (c, b)
        for c in names
        for b in ("N", 2, 1)
        if b != "N" or COLLAPSE[c][2] == "any"
    ]


def axes(values):
    return "varies_along_" + "_".join(map(str, values)) if values else "equal"


@pytest.mark.parametrize(
    "collapse, batch", batches(c for c in COLLAPSE if c != "perm")
)
def test_collapse(tmp_path, collapse, batch):
    accept(
        tmp_path,
        collapse=collapse,
        batch=batch,
        opset=max(13, COLLAPSE[collapse][1]),
    )


@pytest.mark.parametrize("order", ["flatten", "transpose_flatten"])
@pytest.mark.parametrize("dense", DENSE)
def test_dense(tmp_path, dense, order):
    accept(tmp_path, dense=dense, collapse=order)


@pytest.mark.parametrize("dense", ["gemm_tb1", "gemm_tb0", "matmul_add"])
@pytest.mark.parametrize("place", PLACE)
def test_weight_place(tmp_path, place, dense):
    accept(tmp_path, place=place, dense=dense)


@pytest.mark.parametrize("place", PLACE)
def test_weight_place_channels_last(tmp_path, place):
    accept(tmp_path, place=place, dense="matmul", collapse="transpose_reshape")


@pytest.mark.parametrize("dense", ["gemm_tb1", "gemm_tb0", "matmul"])
@pytest.mark.parametrize("value", [0.5, 0.1, -3.0, 0.0])
def test_constant_of_shape(tmp_path, dense, value):
    """Its weights are equal by construction, so axis 1 stays and the rest is
    pooled. The twin holds the same numbers in an initialiser.
    """
    fill = make_tensor(np.array([value], np.float32), "")

    def place(g, m):
        return g.node("ConstantOfShape", [g.ints(m.shape)], value=fill)

    same = {"dense": dense, "weight": np.full((5, 3, 2, 4), value, np.float32)}
    head = make_head(place=place, **same)
    assert_rewritten(run(tmp_path, head.model), head)
    assert_ulp_refused(tmp_path, make_head(**same))


def test_constant_of_shape_without_value(tmp_path):
    """The value is 0 when the attribute is absent."""
    head = make_head(
        weight=np.zeros((5, 3, 2, 4), np.float32),
        place=lambda g, m: g.node("ConstantOfShape", [g.ints(m.shape)]),
    )
    assert_rewritten(run(tmp_path, head.model), head)


@pytest.mark.parametrize(
    "place", ["raw", "typed", "constant_node", "behind_transpose"]
)
@pytest.mark.parametrize(
    "dense", ["gemm_tb1", "gemm_alpha_beta", "matmul", "matmul_add"]
)
@pytest.mark.parametrize("type", TYPES.values(), ids=TYPES)
def test_element_type(tmp_path, type, dense, place):
    accept(tmp_path, type=type, dense=dense, place=place)


@pytest.mark.parametrize("opset", [13, 17, 18, 21, 22, 24])
@pytest.mark.parametrize("type", TYPES.values(), ids=TYPES)
def test_element_type_and_opset(tmp_path, type, opset):
    """ReduceMean takes bfloat16 from opset 13 on, GlobalAveragePool from 22
    only.
    """
    accept(tmp_path, type=type, opset=opset)


@pytest.mark.parametrize("type", [F16, BF16, F32], ids=["f16", "bf16", "f32"])
def test_pooled_weight_is_rounded_once(tmp_path, type):
    """35 positions: 35 w is no number of the type, and adding w up 35 times in
    the type ends elsewhere than rounding the exact sum.
    """
    accept(tmp_path, type=type, extents=(2, 5, 7), outputs=4)


@pytest.mark.parametrize(
    "collapse",
    [
        "flatten",
        "reshape_m1_k",
        "transpose_flatten",
        "computed_gather_m1",
        "computed_product",
    ],
)
@pytest.mark.parametrize(
    "extents",
    [(3, 8), (3, 2, 4), (3, 2, 2, 2), (2, 2, 1, 3, 2)],
    ids=["rank3", "rank4", "rank5", "rank6"],
)
def test_rank(tmp_path, extents, collapse):
    accept(tmp_path, extents=extents, collapse=collapse)


@pytest.mark.parametrize("opset", range(6, 27))
def test_opset_flatten_gemm(tmp_path, opset):
    accept(tmp_path, opset=opset)


@pytest.mark.parametrize("opset", range(6, 27))
def test_opset_reshape_matmul_add(tmp_path, opset):
    accept(tmp_path, opset=opset, collapse="reshape_m1_k", dense="matmul_add")


@pytest.mark.parametrize("opset", range(6, 27))
def test_opset_reduce_mean(tmp_path, opset):
    """Pooling over one axis takes ReduceMean, whose axes are an attribute below
    opset 18 and an input from there on.
    """
    accept(tmp_path, opset=opset, vary=(1, 2), dense="matmul")


@pytest.mark.parametrize("opset", range(6, 27))
def test_opset_squeeze(tmp_path, opset):
    """Squeeze and Unsqueeze carry their axes as an attribute below opset 13 and
    as an input from there on.
    """
    accept(tmp_path, opset=opset, collapse="unsqueeze_squeeze_flatten")


@pytest.mark.parametrize("ir", [3, 4, 7, 8, 10])
@pytest.mark.parametrize("collapse", ["flatten", "transpose_reshape"])
def test_ir_version(tmp_path, ir, collapse):
    """The IR version stays. At IR 3 every initialiser is a graph input as well,
    and constant all the same.
    """
    accept(tmp_path, opset=8, ir=ir, collapse=collapse, dense="matmul_add")


@pytest.mark.parametrize("batch", ["N", 2, 1])
@pytest.mark.parametrize(
    "collapse",
    ["flatten", "transpose_flatten", "reshape_m1_k", "computed_gather_m1"],
)
@pytest.mark.parametrize("vary", [(1, 2), (1, 3), (2, 3), (2,), (3,)], ids=axes)
def test_pools_what_does_not_vary(tmp_path, vary, collapse, batch):
    """Which axes are pooled follows from the weights: the width alone, the
    height alone, even the channels.
    """
    accept(tmp_path, vary=vary, collapse=collapse, batch=batch)


@pytest.mark.parametrize("collapse", ["flatten", *CHANNELS_LAST])
def test_equal_weights(tmp_path, collapse):
    """When every axis qualifies, axis 1 stays."""
    _, _, entry = accept(tmp_path, vary=(), collapse=collapse)
    assert 1 not in entry["pooled_axes"]


PERMUTATIONS = [
    (0, 1, 2, 3),
    (0, 1, 3, 2),
    (0, 2, 1, 3),
    (0, 2, 3, 1),
    (0, 3, 1, 2),
    (0, 3, 2, 1),
]


@pytest.mark.parametrize(
    "perm", PERMUTATIONS, ids=lambda p: "".join(map(str, p))
)
@pytest.mark.parametrize("vary", [(1,), (3,), (1, 3)], ids=axes)
def test_weight_order(tmp_path, perm, vary):
    """The channel comes first, last or in the middle of k; so may any other
    axis.
    """
    accept(tmp_path, collapse="perm", perm=perm, vary=vary)


@pytest.mark.parametrize(
    "perm", PERMUTATIONS, ids=lambda p: "".join(map(str, p))
)
def test_weight_order_of_equal_extents(tmp_path, perm):
    """A cube of a map, and as many samples and outputs: no extent gives away
    which axis is which.
    """
    accept(
        tmp_path,
        collapse="perm",
        perm=perm,
        extents=(3, 3, 3),
        outputs=3,
        batch=3,
    )


def test_axes_order_of_the_report(tmp_path):
    """[N, C, H, W] read channels last: slowest H, then W, then C."""
    _, _, entry = accept(tmp_path, collapse="transpose_flatten")
    order = [entry["feature_map"][a] for a in entry["axes_order"]]
    assert order == [2, 4, 3]
    assert [entry["feature_map"][a] for a in sorted(entry["pooled_axes"])] == [
        2,
        4,
    ]


@pytest.mark.parametrize(
    "index",
    [(0, 0, 0, 0), (4, 2, 1, 3), (2, 1, 0, 3), (3, 0, 1, 0), (1, 2, 1, 2)],
    ids=str,
)
@pytest.mark.parametrize("collapse", ["flatten", "transpose_reshape"])
def test_one_ulp_anywhere(tmp_path, collapse, index):
    """The moved weight is one of the two that are named, wherever it is: the
    first number of the file, the last, one in between.
    """
    head = make_head(collapse=collapse)
    twin = head.twin(index)
    entry = assert_refused(run(tmp_path, twin.model), "dense", "L6")
    output, _ = assert_true_difference(entry, twin.matrix)
    assert output == index[0]
    assert float(twin.weight[index]) in [
        float(v) for v in entry["first_difference"]["values"]
    ]


@pytest.mark.parametrize("type", TYPES.values(), ids=TYPES)
def test_one_ulp_of_zero(tmp_path, type):
    """The smallest subnormal among zeros is a difference."""
    assert_ulp_refused(
        tmp_path,
        make_head(type=type, weight=np.zeros((5, 3, 2, 4), type.numpy)),
    )


def test_a_large_weight_is_compared_to_its_last_number(tmp_path):
    """Above any chunk size, with the difference in the very last row."""
    head = make_head(extents=(64, 16, 16), outputs=9, batch=1)
    assert_rewritten(run(tmp_path, head.model), head)
    assert_ulp_refused(tmp_path, head, index=(8, 63, 15, 15))


def dropout(position, inputs, mask, attributes):
    """Flatten with a Dropout before or after it."""

    def build(g, x, s):
        def drop(value):
            more = [
                ""
                if i is None
                else g.init(
                    np.array(i, np.bool_ if isinstance(i, bool) else np.float32)
                )
                for i in inputs
            ]
            return g.node(
                "Dropout",
                [value, *more],
                [g.fresh("kept"), g.fresh("mask")] if mask else None,
                **attributes,
            )

        flat = g.node(
            "Flatten", [drop(x) if position == "before" else x], axis=1
        )
        return drop(flat) if position == "after" else flat

    return build


@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize(
    "opset, attributes, inputs, mask",
    [
        pytest.param(6, {"is_test": 1}, [], False, id="opset6"),
        pytest.param(
            6, {"is_test": 1, "ratio": 0.3}, [], True, id="opset6-mask"
        ),
        pytest.param(7, {"ratio": 0.3}, [], False, id="opset7"),
        pytest.param(7, {}, [], True, id="opset7-mask"),
        pytest.param(10, {"ratio": 0.3}, [], True, id="opset10-mask"),
        pytest.param(11, {"ratio": 0.3}, [], False, id="opset11"),
        pytest.param(12, {}, [], False, id="opset12"),
        pytest.param(12, {}, [0.3], True, id="opset12-ratio-mask"),
        pytest.param(13, {"seed": 1}, [0.3, False], False, id="opset13-off"),
        pytest.param(
            13, {}, [None, False], True, id="opset13-no-ratio-off-mask"
        ),
        pytest.param(22, {}, [0.3, False], True, id="opset22-off-mask"),
    ],
)
def test_inference_dropout(tmp_path, opset, attributes, inputs, mask, position):
    """A Dropout that drops nothing: by attribute below opset 7, always from 7
    to 11, by its training_mode input from 12 on.
    """
    accept(
        tmp_path,
        opset=opset,
        collapse=dropout(position, inputs, mask, attributes),
    )


def test_unit_axis_is_squeezed(tmp_path):
    """[N, C, H, 1] -> Squeeze -> Flatten: a unit axis more or less changes
    nothing.
    """
    accept(
        tmp_path,
        extents=(3, 5, 1),
        collapse=lambda g, x, s: g.node("Flatten", [g.squeeze(x, [3])], axis=1),
    )


def test_squeeze_is_the_collapse(tmp_path):
    """[N, 1, 1, L] -> Squeeze([1, 2]): no Flatten at all. Weights equal along
    L, so every axis qualifies and axis 1 of the map stays.
    """
    head = make_head(
        extents=(1, 1, 6),
        vary=(),
        collapse=lambda g, x, s: g.squeeze(x, [1, 2]),
    )
    result = run(tmp_path, head.model)
    # On [N, L] the axis that stays is L itself: then there is nothing to pool.
    # Both readings are right, a wrong sum is not.
    if result.rewritten:
        assert_rewritten(result, head)
    else:
        assert result.unchanged


def test_squeeze_without_axes(tmp_path):
    """Two samples: only the unit axis goes."""
    accept(
        tmp_path,
        extents=(3, 5, 1),
        batch=2,
        collapse=lambda g, x, s: g.node(
            "Flatten", [g.node("Squeeze", [x])], axis=1
        ),
    )


def test_unit_channel(tmp_path):
    """[N, 1, H, W] with one weight per output: the sum over the whole map."""
    accept(tmp_path, extents=(1, 2, 4), vary=())


def test_cast_between_flatten_and_dense(tmp_path):
    """A 16-bit map, cast behind Flatten to the type of the dense layer:
    averaging before the cast would round to 16 bits.
    """

    def front(g, s):
        return g.input("x", [s.batch, *s.extents], F16.onnx)

    accept(
        tmp_path,
        front=front,
        collapse=lambda g, x, s: g.node(
            "Cast", [g.node("Flatten", [x], axis=1)], to=F32.onnx
        ),
    )


def test_small_network(tmp_path):
    """Convolution and Relu in front, Softmax behind; what is not the head stays
    bit by bit.
    """

    def front(g, s):
        image = g.input("x", [s.batch, 2, 4, 6])
        kernel = g.init(
            np.random.RandomState(5)
            .standard_normal((3, 2, 3, 3))
            .astype(np.float32),
            "kernel",
        )
        return g.node(
            "Relu",
            [g.node("Conv", [image, kernel], "conv_out", "conv")],
            "map",
            "relu",
        )

    head, result, entry = accept(tmp_path, front=front, batch=2)
    for name in ("conv", "relu"):
        assert (
            find_node(result.after.graph, name).SerializeToString()
            == find_node(result.before.graph, name).SerializeToString()
        )
    assert (
        entry["feature_map"] == [2, 3, 2, 4]
        and entry["pooled_axes"] == [2, 3]
        and entry["axes_order"] == [1, 2, 3]
    )


def test_channels_last_map_without_a_transpose(tmp_path):
    """[N, H, W, C] as it stands: the first two axes are pooled, and no axis is
    guessed to be the channel.
    """
    _, result, entry = accept(tmp_path, extents=(2, 4, 3), vary=(3,))
    assert entry["pooled_axes"] == [1, 2]
    assert [n.op_type for n in result.after.graph.node].count(
        "GlobalAveragePool"
    ) == 0


def test_names_stay(tmp_path):
    """The dense node keeps its name and its output; a nameless node is reported
    by its output.
    """
    _, result, _ = accept(tmp_path)
    assert find_node(result.after.graph, "dense").output == ["y"]
    head = make_head(name="")
    result = run(tmp_path, head.model)
    assert result.head("y")["verdict"] == "rewritten"
    assert [n.name for n in result.after.graph.node if n.op_type == "Gemm"] == [
        ""
    ]
    assert onnx.load(result.target).graph.output[0].name == "y"


def test_large_pooled_weight(tmp_path):
    """A pooled weight of 64 KiB or more is a resource, written without protobuf:
    it arrives whole in ONNX, and by way of MLIR text and ONNX text.
    """
    head = make_head(extents=(512, 2, 2), outputs=40)
    result = run(tmp_path, head.model)
    assert_rewritten(result, head)
    mlir, text = tmp_path / "out.mlir", tmp_path / "out.onnxtxt"
    for target, source in (
        (mlir, result.source),
        (text, mlir),
        (tmp_path / "again.onnx", text),
    ):
        done = invoke([source, "-o", target, *([] if source == result.source else ["--no-rewrite"])])
        assert done.returncode == 0, done.stderr
    again = onnx.load(tmp_path / "again.onnx")
    assert [onnx.numpy_helper.to_array(i).tolist() for i in again.graph.initializer] == [
        onnx.numpy_helper.to_array(i).tolist() for i in result.after.graph.initializer
    ]
