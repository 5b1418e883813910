#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes test/Transforms/Inputs/IREE: heads as IREE prints them.

    make_inputs.py [--check]

Each model of ``iree_models.FORMS`` goes through ``iree-import-onnx`` and
``iree-compile``; what that prints, less the frame of HAL and util operations, is a
function of the file. whole-module.mlir has that frame. With --check nothing is
written, and the exit status says whether the files are what would be written. Needs
utils/requirements-iree.txt:

    .deps/venv/bin/python test/Integration/IREE/make_inputs.py
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import headopt
import iree_models
import iree_tools

FOLDER = headopt.REPOSITORY / "test" / "Transforms" / "Inputs" / "IREE"

WHOLE = "whole-module"
NAMES = [*iree_models.FORMS, WHOLE]

HEADER = """\
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What IREE {version} makes of models: {what}
//
//   iree-import-onnx MODEL.onnx -o imported.mlir
//   iree-compile {options} imported.mlir
{rest}//
// Written by test/Integration/IREE/make_inputs.py.

"""


def head_of_file(what, options, rest):
    return HEADER.format(
        version=iree_tools.version(), what=what, options=" ".join(options), rest=rest
    )


def print_model(model, *options):
    with tempfile.TemporaryDirectory() as folder:
        return iree_tools.print_linalg(model, Path(folder), *options)


def make_whole():
    """A module as it is, with operations that only IREE knows."""
    options = [*iree_tools.TO_LINALG, iree_tools.GENERIC]
    text = print_model(iree_models.torch("whole", True), iree_tools.GENERIC)
    return head_of_file("what these print,", options, "") + text


def make(name):
    """The text of one file."""
    if name == WHOLE:
        return make_whole()
    first = head_of_file(
        "the functions on tensors of",
        iree_tools.TO_LINALG,
        "//\n// without the HAL and util operations round them. The models are"
        f"\n// {name!r} in iree_models.py.\n",
    )
    models = iree_models.FORMS[name]()
    return first + "\n".join(
        iree_tools.tensor_part(print_model(model)) for model in models
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    texts = {FOLDER / f"{name}.mlir": make(name) for name in NAMES}
    if arguments.check:
        there = {file: file.read_text("utf-8") for file in FOLDER.iterdir()}
        return there != texts
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in FOLDER.iterdir():
        file.unlink()
    for file, text in texts.items():
        file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
