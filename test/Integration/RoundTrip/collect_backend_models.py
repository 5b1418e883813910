#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes every model of the ONNX package's backend test suite into one folder.

    collect_backend_models.py FOLDER

Two sources: the node tests, which exist as Python code and are built here, and
the model files that the package brings along. The folder is filled under
another name and renamed when complete, so a folder that exists is a whole one.
Its summary.json says which ONNX version it is from and how many models it
holds; a folder that is already from the installed version is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import warnings
from pathlib import Path

import onnx

SUMMARY = "summary.json"

# What onnx 1.23.2 is known to hold.
EXPECTED = {"1.23.2": {"node": 1884, "file": 149}}


def summary(folder: Path) -> dict | None:
    """The summary of a complete folder of the installed ONNX version, or None."""
    try:
        found = json.loads((folder / SUMMARY).read_text())
    except (OSError, ValueError):
        return None
    return found if found.get("onnx") == onnx.__version__ else None


def node_models():
    """Name and bytes of each node test's model."""
    import numpy
    from onnx.backend.test.case.node import collect_testcases

    # Building the cases computes their expected values, overflows included.
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    for case in cases:
        yield case.name, case.model.SerializeToString()


def file_models():
    """Name and path of each model file in the package."""
    package = Path(onnx.__file__).parent
    for path in sorted(package.rglob("*.onnx")):
        yield "-".join(path.relative_to(package).with_suffix("").parts), path


def collect(folder: Path) -> dict:
    """Fills the folder unless it is complete; returns its summary."""
    done = summary(folder)
    if done:
        return done
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    building.mkdir(parents=True)
    try:
        counts = {"onnx": onnx.__version__, "node": 0, "file": 0}
        for name, content in node_models():
            with (building / f"node-{name}.onnx").open("xb") as out:
                out.write(content)
            counts["node"] += 1
        for name, path in file_models():
            with (building / f"file-{name}.onnx").open("xb") as out:
                out.write(path.read_bytes())
            counts["file"] += 1
        (building / SUMMARY).write_text(json.dumps(counts))
        shutil.rmtree(folder, ignore_errors=True)
        try:
            building.rename(folder)
        except OSError:
            # Another process was faster; its folder is as good.
            if not summary(folder):
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return counts


def main() -> int:
    if len(sys.argv) != 2:
        print(f"usage: {Path(sys.argv[0]).name} FOLDER", file=sys.stderr)
        return 2
    counts = collect(Path(sys.argv[1]))
    print(f"{counts['node']} node models and {counts['file']} model files of onnx {counts['onnx']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
