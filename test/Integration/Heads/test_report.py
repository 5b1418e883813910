# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What head-opt tells the user: the report, the table, the exit status. The
numbers are counted by hand or by numpy.
"""

import json
import re

import numpy as np
import onnx
import pytest

from headopt import (
    F16,
    F32,
    F64,
    RULES,
    Graph,
    assert_refused,
    assert_rewritten,
    assert_unchanged,
    assert_well_formed,
    find_node,
    invoke,
    make_head,
    pooling_node,
    run,
    weights,
    wide,
)

F = np.float32


def residual(weight, axes=(2, 3)):
    """||W - mean_P W|| / ||W|| in double, over the axes of [O, C, ...]."""
    w = wide(weight)
    return np.linalg.norm(
        w - w.mean(axis=tuple(axes), keepdims=True)
    ) / np.linalg.norm(w)


def three_heads():
    """One head of each kind: legal, refused, and with nothing to gain."""
    g = Graph()
    for name, extents, vary in (
        ("legal", (3, 2, 4), (1,)),
        ("varied", (3, 2, 4), (1, 2, 3)),
        ("single", (6, 1, 1), (1,)),
    ):
        f = g.node("Flatten", [g.input(f"{name}_map", ["N", *extents])], axis=1)
        matrix = weights(5, extents, vary).reshape(5, -1)
        g.gemm(
            [f, g.init(matrix), g.init(np.zeros(5, F))],
            f"{name}_out",
            name,
            transB=1,
        )
        g.output(f"{name}_out", ["N", 5])
    return g.model()


def rows(text, name):
    """The rows of this head, with digit groups joined: 12,825 is 12825. Lines
    with alternatives are indented, and no rows.
    """
    joined = re.sub(r"(?<=\d)[,'_  ](?=\d{3}\b)", "", text)
    return [
        line
        for line in joined.splitlines()
        if re.search(rf"\b{name}\b", line) and not line.startswith("  ")
    ]


# ----------------------------------------------------------------------------
# Numbers
# ----------------------------------------------------------------------------


def test_counts_of_a_large_head(tmp_path):
    """512 channels, 7 x 7 positions, 25 classes: 512 * 49 * 25 + 25 = 627,225
    becomes 512 * 25 + 25 = 12,825.
    """
    head = make_head(extents=(512, 7, 7), outputs=25, batch=1)
    result = run(tmp_path, head.model)
    assert_rewritten(result, head)
    entry = result.head("dense")
    assert (
        entry["parameters_before"],
        entry["parameters_after"],
        entry["if_pooled"],
    ) == (627_225, 12_825, 12_825)
    assert (
        entry["feature_map"] == [1, 512, 7, 7]
        and entry["axes_order"] == [1, 2, 3]
        and entry["pooled_axes"] == [2, 3]
    )
    assert entry["op"] == "Gemm"
    report = result.report
    assert (report["parameters_before"], report["parameters_after"]) == (
        627_225,
        12_825,
    )
    assert (
        report["bytes_before"] == result.source.stat().st_size
        and report["bytes_after"] == result.target.stat().st_size
    )
    saved = report["bytes_before"] - report["bytes_after"]
    assert abs(saved - 4 * (627_225 - 12_825)) < 1024
    assert report["heads_already_pooled"] == 0
    (row,) = rows(result.stderr, "dense")
    assert "627225" in row and "12825" in row and "rewritten" in row


def test_counts_of_a_large_refused_head(tmp_path):
    """The same head with weights that vary: what it has, and what a pooled head
    would have.
    """
    head = make_head(extents=(512, 7, 7), outputs=25, batch=1, vary=(1, 2, 3))
    result = run(tmp_path, head.model)
    entry = assert_refused(result, "dense", "L6")
    assert (
        entry["parameters_before"],
        entry["parameters_after"],
        entry["if_pooled"],
    ) == (627_225, 627_225, 12_825)
    assert entry["residual"] == pytest.approx(residual(head.weight), rel=1e-6)
    (row,) = rows(result.stderr, "dense")
    assert "627225" in row and "refused" in row and "L6" in row


@pytest.mark.parametrize(
    "dense, bias",
    [
        ("gemm_tb1", 5),
        ("gemm_no_bias", 0),
        ("gemm_scalar_bias", 1),
        ("matmul", 0),
        ("matmul_add", 5),
        ("add_matmul", 5),
    ],
)
def test_counts_include_the_bias(tmp_path, dense, bias):
    """An Add behind MatMul is the bias of that dense layer."""
    entry = run(tmp_path, make_head(dense=dense).model).head("dense")
    assert (
        entry["parameters_before"],
        entry["parameters_after"],
        entry["if_pooled"],
    ) == (120 + bias, 15 + bias, 15 + bias)
    assert entry["op"] == ("Gemm" if dense.startswith("gemm") else "MatMul")


def test_counts_of_the_model(tmp_path):
    """The model's numbers are of all its tensors: what one head lost, the model
    lost.
    """
    result = run(tmp_path, three_heads())
    report = result.report
    heads = {h["node"]: h for h in result.heads}
    assert {n: h["verdict"] for n, h in heads.items()} == {
        "legal": "rewritten",
        "varied": "refused",
        "single": "unit",
    }
    assert [
        heads[n]["parameters_before"] for n in ("legal", "varied", "single")
    ] == [125, 125, 35]
    assert [
        heads[n]["parameters_after"] for n in ("legal", "varied", "single")
    ] == [20, 125, 35]
    assert [heads[n]["if_pooled"] for n in ("legal", "varied", "single")] == [
        20,
        20,
        35,
    ]
    assert (report["parameters_before"], report["parameters_after"]) == (
        285,
        180,
    )
    assert (
        report["bytes_before"] == result.source.stat().st_size
        and report["bytes_after"] == result.target.stat().st_size
    )


def test_partly_pooled_head(tmp_path):
    """Pooled along W only: 5 * 3 * 2 weights stay."""
    entry = run(tmp_path, make_head(vary=(1, 2), dense="matmul").model).head(
        "dense"
    )
    assert (entry["parameters_before"], entry["parameters_after"]) == (120, 30)


@pytest.mark.parametrize("type", [F16, F32, F64], ids=lambda t: t.name)
@pytest.mark.parametrize(
    "extents",
    [(3, 2, 4), (3, 8), (2, 2, 3, 2)],
    ids=["rank4", "rank3", "rank5"],
)
def test_residual(tmp_path, extents, type):
    """How far the weights are from their mean over the positions; 0 would mean
    that nothing is lost by pooling.
    """
    head = make_head(
        extents=extents, vary=tuple(range(1, len(extents) + 1)), type=type
    )
    entry = assert_refused(run(tmp_path, head.model), "dense", "L6")
    assert entry["residual"] == pytest.approx(
        residual(head.weight, range(2, len(extents) + 1)), rel=1e-6
    )


def test_residual_of_one_ulp_is_not_zero(tmp_path):
    head = make_head()
    twin = head.twin((2, 1, 1, 3))
    entry = assert_refused(run(tmp_path, twin.model), "dense", "L6")
    assert 0 < entry["residual"] < 1e-6
    assert entry["residual"] == pytest.approx(residual(twin.weight), rel=1e-3)


def test_residual_can_be_switched_off(tmp_path):
    head = make_head(vary=(1, 2, 3))
    entry = assert_refused(
        run(tmp_path, head.model, "--no-residual"), "dense", "L6"
    )
    assert entry["residual"] is None


def test_residual_is_not_needed_for_a_rewrite(tmp_path):
    head = make_head()
    assert_rewritten(run(tmp_path, head.model, "--no-residual"), head)


def test_first_difference_is_the_first(tmp_path):
    """Two weights moved: the one that comes first in the file is named."""
    head = make_head()
    weight = head.weight.copy()
    weight[1, 2, 1, 3] *= 2
    weight[4, 0, 1, 3] *= 2
    twin = make_head(weight=weight)
    entry = assert_refused(run(tmp_path, twin.model), "dense", "L6")
    d = entry["first_difference"]
    assert (
        d["output"] == 1 and d["position"] == [2, 1, 3] and d["axis"] in (2, 3)
    )
    assert sorted(map(float, d["values"])) == sorted(
        [float(head.weight[1, 2, 1, 3]), float(weight[1, 2, 1, 3])]
    )
    assert "L6" in [
        r["label"] for r in entry["rules"] if r["outcome"] == "fail"
    ]


# ----------------------------------------------------------------------------
# Verdicts
# ----------------------------------------------------------------------------


def test_every_rule_is_listed(tmp_path):
    """Of an accepted head and of one that failed in one place: nine rules each,
    with their outcomes.
    """
    for changes, failed in (({}, []), ({"vary": (1, 2, 3)}, ["L6"])):
        entry = run(tmp_path, make_head(**changes).model).head("dense")
        assert [r["label"] for r in entry["rules"]] == list(RULES)
        assert [
            r["label"] for r in entry["rules"] if r["outcome"] == "fail"
        ] == failed
        # Without pooled axes there is no pooled weight to ask L4 about.
        skipped = [
            r["label"] for r in entry["rules"] if r["outcome"] == "skipped"
        ]
        assert skipped in ([], ["L4"]) if failed else not skipped


def test_two_rules_fail_at_once(tmp_path):
    """Not only the first one is told: integers, and weights that vary."""
    g = Graph(13)
    kind = onnx.TensorProto.INT32
    f = g.node("Flatten", [g.input("x", ["N", 3, 2, 4], kind)], axis=1)
    g.node(
        "MatMul",
        [f, g.init(np.arange(120, dtype=np.int32).reshape(24, 5))],
        "y",
        "dense",
    )
    g.output("y", ["N", 5], kind)
    entry = assert_refused(run(tmp_path, g.model()), "dense", "L5")
    outcomes = {r["label"]: r["outcome"] for r in entry["rules"]}
    assert outcomes["L5"] == "fail" and outcomes["L6"] in ("fail", "skipped")


def test_unit_head(tmp_path):
    head = make_head(extents=(6, 1, 1))
    result = run(tmp_path, head.model)
    assert_unchanged(result)
    entry = result.head("dense")
    assert entry["verdict"] == "unit"
    assert (
        entry["parameters_before"]
        == entry["parameters_after"]
        == entry["if_pooled"]
        == 35
    )
    assert (
        rows(result.stderr, "dense")
        and "unit" in rows(result.stderr, "dense")[0]
    )


def test_pooled_head(tmp_path):
    head = make_head(
        collapse=lambda g, x, s: g.node(
            "Flatten", [g.node("GlobalAveragePool", [x])], axis=1
        ),
        place=lambda g, m: g.init(m[:, :3].copy()),
    )
    result = run(tmp_path, head.model)
    assert_unchanged(result)
    entry = result.head("dense")
    assert (
        entry["verdict"] == "pooled"
        and result.report["heads_already_pooled"] == 1
    )
    assert entry["parameters_before"] == entry["parameters_after"] == 20


def test_refusal_says_why(tmp_path):
    """The reason of a weight that can be overridden speaks of the weight."""
    head = make_head(place=lambda g, m: g.init(m, "weight", overridable=True))
    result = run(tmp_path, head.model)
    entry = assert_refused(result, "dense", "L3")
    assert "weight" in entry["reason"].lower()
    assert any("L3" in row for row in rows(result.stderr, "dense"))


def test_dynamic_dims_are_null(tmp_path):
    assert run(tmp_path, make_head(batch="N").model).head("dense")[
        "feature_map"
    ] == [None, 3, 2, 4]
    assert run(tmp_path, make_head(batch=2).model).head("dense")[
        "feature_map"
    ] == [2, 3, 2, 4]


def test_report_names_the_files(tmp_path):
    result = run(tmp_path, make_head().model)
    assert result.report["input"].endswith("model.onnx") and result.report[
        "output"
    ].endswith("out.onnx")


def test_odd_names_are_escaped(tmp_path):
    """Quotes, backslashes, a line break, letters of other alphabets: the report
    stays JSON and the table stays one row per head.
    """
    name = 'a"b\\c\nd/ü:0'
    head = make_head(name=name)
    result = run(tmp_path, head.model)
    assert_rewritten(result, head)
    assert result.head(name)["verdict"] == "rewritten"
    assert (
        len(
            [line for line in result.stderr.splitlines() if "rewritten" in line]
        )
        <= 2
    )


# ----------------------------------------------------------------------------
# The command line
# ----------------------------------------------------------------------------


def test_table_has_a_row_per_head(tmp_path):
    result = run(tmp_path, three_heads())
    for name, verdict, number in (
        ("legal", "rewritten", "125"),
        ("varied", "refused", "125"),
        ("single", "unit", "35"),
    ):
        found = rows(result.stderr, name)
        assert len(found) == 1, (
            f"{len(found)} rows for {name}:\n{result.stderr}"
        )
        assert verdict in found[0] and number in found[0]
    assert "20" in rows(result.stderr, "legal")[0]
    assert result.stdout == ""


def test_quiet_is_silent(tmp_path):
    result = run(tmp_path, three_heads(), "--quiet")
    assert result.stderr == "" and result.stdout == ""
    assert result.rewritten == ["legal"]


def test_quiet_still_tells_errors(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"\xff not a model")
    run(tmp_path, tmp_path / "broken.onnx", "--quiet", rc=1)


@pytest.mark.parametrize(
    "changes, status",
    [({}, 0), ({"vary": (1, 2, 3)}, 3), ({"extents": (6, 1, 1)}, 3)],
    ids=["rewritten", "refused", "unit"],
)
def test_require_rewrite(tmp_path, changes, status):
    result = run(
        tmp_path, make_head(**changes).model, "--require-rewrite", rc=status
    )
    assert bool(result.rewritten) == (status == 0)


def test_require_rewrite_without_a_head(tmp_path):
    g = Graph()
    g.node("Relu", [g.input("x", ["N", 8])], "y")
    g.output("y", ["N", 8])
    run(tmp_path, g.model(), "--require-rewrite", rc=3)


def test_no_output_writes_nothing(tmp_path):
    onnx.save(make_head().model, tmp_path / "model.onnx")
    done = invoke([tmp_path / "model.onnx", f"--report={tmp_path / 'r.json'}"])
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "model.onnx",
        "r.json",
    ]
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["heads"][0]["verdict"] == "rewritten" and report[
        "output"
    ] in (None, "")
    assert rows(done.stderr, "dense")


@pytest.mark.parametrize(
    "arguments",
    [[], ["--no-such-flag"], ["MODEL", "--emit=nonsense"], ["MODEL", "MODEL"]],
    ids=str,
)
def test_bad_usage(tmp_path, arguments):
    onnx.save(make_head().model, tmp_path / "model.onnx")
    done = invoke(
        [str(tmp_path / "model.onnx") if a == "MODEL" else a for a in arguments]
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip()


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 64, b"\x08\x07:\xff\xff\xff\xff\x0f", b"not a model\n"],
    ids=["empty", "zeros", "cut", "text"],
)
def test_bad_input(tmp_path, content):
    (tmp_path / "broken.onnx").write_bytes(content)
    run(tmp_path, tmp_path / "broken.onnx", rc=1)


def test_missing_input(tmp_path):
    run(tmp_path, tmp_path / "absent.onnx", rc=1)


def test_output_folder_does_not_exist(tmp_path):
    onnx.save(make_head().model, tmp_path / "model.onnx")
    done = invoke(
        [tmp_path / "model.onnx", "-o", tmp_path / "absent" / "out.onnx"]
    )
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) >= 1
    assert "head-opt: error:" in done.stderr


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"type": F16},
        {"type": F64},
        {"vary": (1, 2)},
        {"collapse": "transpose_reshape"},
    ],
    ids=["f32", "f16", "f64", "width", "nhwc"],
)
def test_verify_prints_difference_and_bound(tmp_path, changes):
    """--verify runs both heads and prints how far apart they are, and how far
    they may be.
    """
    head = make_head(**changes)
    result = run(tmp_path, head.model, "--verify")
    assert_rewritten(result, head)
    number = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
    said = result.stderr + result.stdout
    lines = [
        line
        for line in said.splitlines()
        if re.search("difference", line, re.I)
        and re.search("bound", line, re.I)
    ]
    assert lines, f"no line with the difference and the bound:\n{said}"
    difference = float(
        re.search(rf"difference\D*?({number})", lines[0], re.I).group(1)
    )
    bound = float(re.search(rf"bound\D*?({number})", lines[0], re.I).group(1))
    assert 0 <= difference <= bound and bound > 0


def test_verify_without_a_rewrite(tmp_path):
    result = run(tmp_path, make_head(vary=(1, 2, 3)).model, "--verify")
    assert_unchanged(result)


# ----------------------------------------------------------------------------
# ONNX's text format
# ----------------------------------------------------------------------------

TEXT = """<ir_version: 8, opset_import: ["" : 17]>
head (float[N, 2, 1, 2] x) => (float[N, 3] y)
<float[3, 4] w = {1, 1, 2, 2, -1, -1, 4, 4, 0.5, 0.5, 0, 0},
 float[3] b = {1, 2, 3}>
{
   f = Flatten <axis: int = 1> (x)
   y = Gemm <transB: int = 1> (f, w, b)
}
"""


def test_text_in(tmp_path):
    (tmp_path / "model.onnxtxt").write_text(TEXT)
    done = invoke(
        [
            tmp_path / "model.onnxtxt",
            "-o",
            tmp_path / "out.onnx",
            f"--report={tmp_path / 'r.json'}",
        ]
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert_well_formed(report)
    assert [h["node"] for h in report["heads"]] == ["y"] and report["heads"][0][
        "pooled_axes"
    ] == [2, 3]
    after = onnx.load(tmp_path / "out.onnx")
    onnx.checker.check_model(after, full_check=True)
    dense = find_node(after.graph, "y")
    assert pooling_node(after.graph, dense).op_type == "GlobalAveragePool"
    weight = next(
        onnx.numpy_helper.to_array(i)
        for i in after.graph.initializer
        if i.name == dense.input[1]
    )
    np.testing.assert_array_equal(weight, [[2, 4], [-2, 8], [1, 0]])


@pytest.mark.parametrize("how", ["ending", "emit"])
def test_text_out(tmp_path, how):
    onnx.save(make_head().model, tmp_path / "model.onnx")
    target = tmp_path / ("out.onnxtxt" if how == "ending" else "out.any")
    done = invoke(
        [
            tmp_path / "model.onnx",
            "-o",
            target,
            *(["--emit=onnxtxt"] if how == "emit" else []),
        ]
    )
    assert done.returncode == 0, done.stderr
    after = onnx.parser.parse_model(target.read_text())
    onnx.checker.check_model(after, full_check=True)
    assert "GlobalAveragePool" in [n.op_type for n in after.graph.node]


@pytest.mark.parametrize("emit, start", [("mlir", b""), ("mlirbc", b"ML\xefR")])
def test_other_outputs(tmp_path, emit, start):
    onnx.save(make_head().model, tmp_path / "model.onnx")
    done = invoke(
        [
            tmp_path / "model.onnx",
            "-o",
            tmp_path / f"out.{emit}",
            f"--emit={emit}",
        ]
    )
    assert done.returncode == 0, done.stderr
    content = (tmp_path / f"out.{emit}").read_bytes()
    assert content and content.startswith(start)
