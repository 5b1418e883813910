#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the closing table of utils/demo.sh from the files that it left.

For each NAME in the folder: NAME.report.json is head-opt's report, and
NAME.measure.json, NAME.sizes.json and NAME.compare.json are what measure.py,
demo.sh and compare_outputs.py wrote.
"""

import json
import pathlib
import sys

HEADINGS = ["model", "heads", "parameters", "file", "time", "peak memory",
            "difference", "allowed"]  # fmt: skip


def size(count: float) -> str:
    for unit in ("", "K", "M", "G"):
        if count < 1000 or unit == "G":
            return f"{count:.3g}{unit}" if count < 1000 else f"{count:.0f}{unit}"
        count /= 1000
    raise AssertionError


def row(folder: pathlib.Path, name: str) -> list[str]:
    report, measure, sizes, compare = (
        json.loads((folder / f"{name}.{kind}.json").read_text("utf-8"))
        for kind in ("report", "measure", "sizes", "compare")
    )
    heads = report.get("heads", [])
    rewritten = sum(head.get("verdict") == "rewritten" for head in heads)
    before, after = (
        report.get(f"parameters_{when}") for when in ("before", "after")
    )
    parameters = "?"
    if before is not None and after is not None:
        parameters = f"{size(before)} -> {size(after)}"
    # The value that came nearest to its bound says the most.
    worst = max(
        compare["values"],
        key=lambda v: v["relative"] / v["bound"] if v["bound"] else 0.0,
    )
    return [
        name,
        f"{rewritten} of {len(heads)} rewritten",
        parameters,
        f"{size(sizes['before'])}B -> {size(sizes['after'])}B",
        f"{measure['seconds']:.2f} s",
        f"{measure['peak_mb']:.0f} MB",
        f"{worst['relative']:.1e}",
        f"{worst['bound']:.1e}",
    ]


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    table = [HEADINGS, *(row(folder, name) for name in sys.argv[2:])]
    widths = [max(map(len, column)) for column in zip(*table)]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths))
        print("  ".join(cells).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
