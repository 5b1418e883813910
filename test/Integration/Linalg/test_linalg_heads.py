# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random heads in linalg (``linalg_heads.py``): linalg-flatten-to-gap pools exactly
what the theorem allows, and what it leaves answers the same. Stock tools run both.

``HEADOPT_RANDOM=FIRST:LAST`` runs other seeds.
"""

import functools
import os
import re

import headopt
import linalg_run
import lowering
import numpy as np
import pytest
from linalg_heads import RandomHead

CHOSEN = os.environ.get("HEADOPT_RANDOM")
# The last two have all features pooled behind what would keep the map from that.
SEEDS = [*range(240), 1470, 2479]
if CHOSEN:
    SEEDS = [*range(*map(int, CHOSEN.split(":")))]
#: Heads that are compiled together, which is most of the time that this takes.
TOGETHER = 40

REMARK = re.compile(
    r":(\d+):\d+: remark: \[Passed\] FlattenHead .*Positions=(\d+)"
)


class Group:
    """Heads in one module, compiled before and after the pass."""

    def __init__(self, seeds, directory):
        before, after = directory / "before.mlir", directory / "after.mlir"
        self.heads = {seed: RandomHead(seed) for seed in seeds}
        texts, starts = [], {}
        for seed, head in self.heads.items():
            starts[sum(t.count("\n") for t in texts) + 1] = seed
            texts.append(head.text)
        before.write_text("".join(texts), "utf-8")
        done = headopt.invoke(
            [before, "--linalg-flatten-to-gap", "-o", after,
             "--remarks-filter=linalg-flatten-to-gap",
             "--remark-format=emitRemark"]
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.positions = dict.fromkeys(seeds, 1)
        for line, positions in REMARK.findall(done.stderr):
            seed = starts[max(s for s in starts if s <= int(line))]
            assert self.positions[seed] == 1, "one head, two remarks"
            self.positions[seed] = int(positions)
        self.libraries = [
            linalg_run.build(source, directory) for source in (before, after)
        ]

    def run(self, seed, x):
        """The answers before and after."""
        head = self.heads[seed]
        return [
            linalg_run.Function(
                library, head.name, len(head.result), head.sums.numpy
            ).call(x)
            for library in self.libraries
        ]


@pytest.fixture(scope="session")
def group(tmp_path_factory):
    @functools.cache
    def make(index):
        seeds = SEEDS[index * TOGETHER : (index + 1) * TOGETHER]
        return Group(seeds, tmp_path_factory.mktemp("heads"))

    return make


@pytest.mark.parametrize("seed", SEEDS)
def test_head(seed, group):
    together = group(SEEDS.index(seed) // TOGETHER)
    head, positions = together.heads[seed], together.positions[seed]
    what = f"{'; '.join(head.notes)}\n{head.text}"
    assert head.may_have(positions), (
        f"{positions} positions of {head.finest}, even {head.even}: {what}"
    )
    x = head.input()
    value, error = head.answer(x)
    before, after = together.run(seed, x)
    # Sums of small integers are exact.
    assert np.array_equal(before, value), what
    if head.exact:
        assert np.array_equal(after, value), what
    lowering.assert_close(after, value, error, what)


def test_seeds_have_both_verdicts():
    """And all spoilers, layers and types: else they would test less than they say."""
    if CHOSEN:
        pytest.skip("for the seeds that always run")
    heads = [RandomHead(seed) for seed in SEEDS]
    notes = " ".join(note for head in heads for note in head.notes)
    for word in ("index", "init", "map init", "parameter", "pad", "two", "squares",
                 "matmul", "contract", "batch", "generic", "axes", "conv",
                 "broadcast", "split", "moved"):  # fmt: skip
        assert re.search(rf"\b{word}\b", notes), word
    refused = sum(head.may_have(1) for head in heads)
    assert len(heads) / 5 < refused < len(heads) / 2
