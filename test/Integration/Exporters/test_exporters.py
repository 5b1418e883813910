# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that real exporters wrote, one for each way of writing a head that matters,
against verdicts that were worked out by running the models.

What is written by hand for a test looks like what its author had in mind. These files
do not: they hold the casts, the computed shapes, the missing value_info and the odd
orders that files out there have. README.md says how they were made and judged.
"""

import math

import pytest

from corpus import (
    EXPECTED,
    assert_same_answers,
    expected_heads,
    find_entry,
)
from headopt import (
    OnnxRuntime,
    Reference,
    assert_unchanged,
    assert_well_formed,
    described,
    load,
    passes_checker,
    run,
    stretches,
)

# Heads that could be pooled (or are) and that head-opt refuses today. All of them are
# "clever" in expected.json: they take more than the theorem. Whoever makes head-opt
# prove one takes it off this list.
KNOWN_MISSES = {
    # QGemm quantises its result: pooling would move a rounding.
    ("ortquant_qop-13-torchTS_up_nearest_scale-static.onnx", "/3/Gemm_quant"),
    ("ortquant_qop-18-torchDY_expand7-dyn.onnx", "node_linear_quant"),
    ("ortquant_qop-18-torchDY_flatten_nn_uniform-static.onnx", "node_linear_quant"),
}


def test_known_misses_are_clever_heads():
    """A name that nothing has, or a head that must be proved, has no place there."""
    clever = {
        (file, head["node"])
        for verdict in ("rewritten", "unit", "pooled")
        for file, head in expected_heads(verdict)
        if head["clever"]
    }
    assert KNOWN_MISSES <= clever, KNOWN_MISSES - clever


def assert_verdict(file, expected, entry):
    """One head is judged as expected.json has it.

    That a head is `pooled` or `unit` is the same finding where its map is a global
    average, and such a head need not be listed. A head behind which there is more than
    the theorem, or an optional one, need not be listed when it is refused.
    """
    verdict = entry["verdict"] if entry else "absent"
    reason = entry and entry["reason"]
    node, wanted = expected["node"], expected["verdict"]
    if (file, node) in KNOWN_MISSES:
        assert verdict == "refused", f"{node}: {verdict}; take it off KNOWN_MISSES"
        return
    allowed = {
        "rewritten": {"rewritten"},
        "unit": {"unit", "pooled"},
        "pooled": {"pooled", "unit", "absent"},
        "refused": {"refused"},
    }[wanted]
    if wanted == "refused" and (expected["clever"] or expected.get("optional")):
        allowed = {"refused", "absent"}
    assert verdict in allowed, f"{node}: {verdict}, expected {wanted}: {reason}"
    if verdict != "rewritten":
        return
    map = expected["feature_map"]
    size = math.prod(map[1:])
    # Which of several values is called the map is free, so what is compared is the
    # run of pooled and kept stretches through the columns. Axes of extent 1 may be
    # pooled too.
    assert described(entry, size) == stretches(
        map[1:], [a in expected["pooled_axes"] for a in range(1, len(map))], size
    )
    pooled = math.prod(entry["feature_map"][a] for a in entry["pooled_axes"])
    assert pooled in expected["positions"]


@pytest.mark.parametrize("file", EXPECTED)
def test_model(tmp_path, models, file):
    result = run(tmp_path, models / file)
    assert_well_formed(result.report)
    entries = []
    for expected in EXPECTED[file]["heads"]:
        entry = find_entry(result, expected["node"])
        entries += [entry["node"]] if entry else []
        assert_verdict(file, expected, entry)
    unexpected = set(result.rewritten) - set(entries)
    assert not unexpected, f"rewritten, and no head was expected there: {unexpected}"
    if not result.rewritten:
        assert_unchanged(result)
        return
    assert not result.unchanged
    for full in (False, True):
        if passes_checker(result.before, full):
            assert passes_checker(result.after, full)
    assert_same_answers(
        result.before, result.after, result.rewritten, EXPECTED[file]["inputs"]
    )


@pytest.mark.parametrize(
    "file", dict.fromkeys(file for file, _ in expected_heads("pooled"))
)
def test_raised(tmp_path, models, file):
    """With raise-to-gap every mean over the positions of a map becomes a
    GlobalAveragePool, wherever its channels are, and the model answers as before.
    """
    result = run(tmp_path, models / file, "--raise-to-gap")
    means = [
        n.op_type
        for n in result.after.graph.node
        if n.op_type.startswith("Reduce") or "AveragePool" in n.op_type
    ]
    # A quantised one is an operator of its own.
    assert means and set(means) <= {"GlobalAveragePool", "QLinearGlobalAveragePool"}
    if result.unchanged:
        return
    for full in (False, True):
        if passes_checker(result.before, full):
            assert passes_checker(result.after, full)
    # ONNX's own evaluator wants nodes in order, as the checker does, and would take
    # minutes for a whole light model.
    runtimes = [OnnxRuntime]
    if passes_checker(result.before, False) and not file.startswith("light_"):
        runtimes += [Reference] if load(Reference, result.before) else []
    for runtime in runtimes:
        assert_same_answers(
            result.before,
            result.after,
            [],
            EXPECTED[file]["inputs"],
            runtime=runtime,
        )
