# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What device.py prints: medians, shares and ratios, as Markdown and as JSON.

Standard library only, and no GPU: tests can give it any figures.
"""

import json
import math
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from bench import (  # noqa: E402  (needs the path)
    geometric_mean,
    none_for_nan,
    number,
    percent,
    print_table,
)

OURS, COPY = "head-opt", "copy"
# Inputs of so many times the L2 are read from memory, whatever came before.
LARGE = 4
# Bytes of features that hardly take longer to read than a kernel to start.
SMALL = 512 << 10
COPY_BAR, PEER_BAR = 0.9, 1.2


class Figures:
    """What one entrant took in one case, in seconds, or why it took nothing.

    >>> f = Figures("x", replays=[1.0, 2.0, 2.0, 3.0], calls=[4.0])
    >>> f.device, f.call, round(f.spread, 2)
    (2.0, 4.0, 0.38)
    >>> math.isnan(Figures("y", trouble="no").device)
    True
    """

    def __init__(self, name, kind="", replays=(), calls=(), trouble=""):
        self.name, self.kind = name, kind
        self.replays, self.calls = list(replays), list(calls)
        self.trouble = trouble
        self.detail = ""

    @property
    def device(self):
        """By replaying a graph of calls: what the GPU takes."""
        return statistics.median(self.replays) if self.replays else math.nan

    @property
    def call(self):
        """By calling it from Python, one call after another."""
        return statistics.median(self.calls) if self.calls else math.nan

    @property
    def spread(self):
        """Half of what the middle half of the replays spans, of the median."""
        if len(self.replays) < 4:
            return math.nan
        low, _, high = statistics.quantiles(self.replays, n=4)
        return (high - low) / 2 / self.device

    def record(self):
        found = {"kind": self.kind}
        if self.trouble:
            found["trouble"] = self.trouble
        if self.detail:
            found["detail"] = self.detail
        for key, value in (("device", self.device), ("call", self.call)):
            if not math.isnan(value):
                found[f"{key}_us"] = value * 1e6
        if self.replays:
            found["best_us"] = min(self.replays) * 1e6
            found["spread"] = none_for_nan(self.spread)
            found["samples"] = len(self.replays)
        return found


class Row:
    """One case, and what everybody took."""

    def __init__(self, case, figures):
        self.case = case
        self.figures = {f.name: f for f in figures}

    def get(self, name):
        return self.figures.get(name) or Figures(name, trouble="not run")

    @property
    def ours(self):
        return self.get(OURS)

    def best(self, kinds, clock="device"):
        """The fastest peer of these kinds, or None."""
        peers = [
            f
            for f in self.figures.values()
            if f.kind in kinds and not math.isnan(getattr(f, clock))
        ]
        return min(peers, key=lambda f: getattr(f, clock), default=None)

    def ratio(self, kinds, clock="device"):
        """The best peer's time over ours: above 1, we are faster."""
        peer = self.best(kinds, clock)
        if peer is None:
            return math.nan
        return getattr(peer, clock) / getattr(self.ours, clock)

    @property
    def rate(self):
        """Bytes a second, read and written."""
        case = self.case
        return (case.feature_bytes + case.output_bytes) / self.ours.device

    @property
    def of_copy(self):
        """Of what a copy reaches that reads half of the features' bytes and
        writes as many.
        """
        return self.rate / (self.case.feature_bytes / self.get(COPY).device)

    def record(self):
        return {
            "case": self.case.label,
            "feature_bytes": self.case.feature_bytes,
            "output_bytes": self.case.output_bytes,
            "of_copy": none_for_nan(self.of_copy),
            "entrants": {n: f.record() for n, f in self.figures.items()},
        }


# Peers by kind.
PYTORCH = ("pytorch",)
BOTH_PYTORCH = ("pytorch", "compiled")
BAR_PEERS = ("pytorch", "compiled", "triton")
ALL_PEERS = (*BAR_PEERS, "cudnn")


def microseconds(seconds):
    return number(seconds * 1e6)


def times(value):
    return "-" if math.isnan(value) else f"{value:.2f}"


def print_rows(rows, peers):
    headings = ["case", "best peer", "us", "±", "GB/s", "of copy", "x best"]
    headings += [f"{name} us" for name in peers]
    headings += ["copy us", "call us", "x best call"]
    cells = []
    for row in rows:
        best = row.best(ALL_PEERS)
        cells.append(
            [
                row.case.label,
                best.name if best else "-",
                microseconds(row.ours.device),
                percent(row.ours.spread),
                number(row.rate / 1e9),
                percent(row.of_copy),
                times(row.ratio(ALL_PEERS)),
                *(microseconds(row.get(name).device) for name in peers),
                microseconds(row.get(COPY).device),
                microseconds(row.ours.call),
                times(row.ratio(ALL_PEERS, "call")),
            ]
        )
    print_table(headings, cells, left=2)


def known(values):
    """(value, row) pairs whose value is a number."""
    return [(value, row) for value, row in values if not math.isnan(value)]


def say_mean(what, pairs):
    if not pairs:
        print(f"* {what}: nothing measured")
        return
    least, row = min(pairs, key=lambda pair: pair[0])
    mean = geometric_mean([value for value, _ in pairs])
    print(
        f"* {what}: geometric mean {mean:.2f}, least {least:.2f} "
        f"({row.case.label}), of {len(pairs)} cases"
    )


def say_behind(what, pairs):
    behind = sorted(
        ((v, r) for v, r in pairs if v < 1), key=lambda pair: pair[0]
    )
    text = f"* {what}: {len(behind)} of {len(pairs)} cases"
    if behind:
        text += ": " + "; ".join(f"{r.case.label} ({v:.2f})" for v, r in behind)
    print(text)


def print_summary(rows, about):
    """Means and counts, with the bars that head-opt has set itself."""
    cache_bytes = about["cache_bytes"]

    def ratios(kinds, chosen=rows, clock="device"):
        return known([(row.ratio(kinds, clock), row) for row in chosen])

    large = [r for r in rows if r.case.feature_bytes >= LARGE * cache_bytes]
    shares = known([(row.of_copy, row) for row in large])
    say_mean(
        f"of copy, features of at least {LARGE} times the L2 "
        f"(bar: {COPY_BAR})", shares,
    )  # fmt: skip
    if shares:
        below = sum(value < COPY_BAR for value, _ in shares)
        print(f"  * below the bar: {below} of {len(shares)} cases")
    empty = about["empty"]["device_us"] / 1e6
    say_mean(
        f"empty kernel's time over head-opt's, features of up to "
        f"{SMALL >> 10} KiB",
        known([(empty / r.ours.device, r) for r in rows
               if r.case.feature_bytes <= SMALL]),
    )  # fmt: skip
    say_mean(
        "best of PyTorch, compiled and Triton over head-opt "
        f"(bar: {PEER_BAR})", ratios(BAR_PEERS),
    )  # fmt: skip
    say_mean("the same with cuDNN", ratios(ALL_PEERS))
    for mode in ("warm", "cold"):
        for layout in ("NCHW", "NHWC"):
            chosen = [
                r
                for r in rows
                if (r.case.mode, r.case.layout) == (mode, layout)
            ]
            say_mean(f"{layout}, {mode}", ratios(BAR_PEERS, chosen))
    say_mean(
        "called from Python, best of PyTorch, compiled and Triton",
        ratios(BAR_PEERS, clock="call"),
    )
    say_behind("behind PyTorch (bar: none)", ratios(PYTORCH))
    say_behind("behind PyTorch, compiled or not", ratios(BOTH_PYTORCH))
    say_behind("behind PyTorch, called", ratios(PYTORCH, clock="call"))
    print_troubles(rows)
    print(flush=True)


def print_troubles(rows):
    """Who was not timed, and why; one line for each reason."""
    troubles = {}
    for row in rows:
        for figures in row.figures.values():
            if figures.trouble:
                key = figures.name, figures.trouble
                troubles.setdefault(key, []).append(row.case.label)
    if not troubles:
        return
    print("\nNot timed, or not all of it:\n")
    for (name, trouble), labels in troubles.items():
        more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
        print(f"* {name}: {trouble} ({', '.join(labels[:3])}{more})")


def print_report(about, rows, peers, left_out):
    """`about`: what was measured on as `text` by name, the L2's bytes, and
    what an empty kernel took.
    """
    for key, value in about["text"].items():
        print(f"* {key}: {value}")
    print()
    print_rows(rows, peers)
    print_summary(rows, about)
    if left_out:
        print("Left out:\n")
        for label, reason in left_out:
            print(f"* {label}: {reason}")
    if any(row.ours.trouble for row in rows):
        print("\nhead-opt is wrong or fails in some cases; see above")


def write_json(path, about, rows, left_out):
    text = json.dumps(
        {
            **about,
            "rows": [row.record() for row in rows],
            "left_out": [list(pair) for pair in left_out],
        },
        indent=1,
    )
    path.write_text(text + "\n", "utf-8")
