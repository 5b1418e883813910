# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""IREE's tools: import a model, print it as linalg, compile, run.

They are those in the folder ``$IREE_BIN``, or beside the interpreter that runs
this.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

import headopt

BIN = Path(os.environ.get("IREE_BIN") or Path(sys.executable).parent)
TOOLS = ("iree-import-onnx", "iree-compile", "iree-run-module")

#: What importing a model takes, up to what IREE calls its input: linalg on
#: tensors, before anything of IREE's own has been done to it.
TO_LINALG = ("--compile-to=input",)

#: In the form in which MLIR reads operations that it does not know.
GENERIC = "--mlir-print-op-generic"

#: Code for any x86-64 or AArch64, run by one thread.
TO_CODE = (
    "--iree-hal-target-device=local",
    "--iree-hal-local-target-device-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=generic",
)


def missing_tools():
    return [tool for tool in TOOLS if not os.access(BIN / tool, os.X_OK)]


def call(tool, *arguments):
    """Runs a tool that must succeed; its standard output."""
    done = subprocess.run(
        [str(BIN / tool), *map(str, arguments)],
        capture_output=True, text=True, timeout=headopt.TIME_LIMIT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{tool}: {done.stderr[:4000]}"
    return done.stdout


def version():
    found = re.search(r"IREE compiler version (\S+)", call("iree-compile", "--version"))
    return found[1]


def print_linalg(model, directory, *options):
    """What IREE makes of a model: linalg on tensors in a function of its own."""
    source, imported = directory / "model.onnx", directory / "imported.mlir"
    source.write_bytes(model.SerializeToString())
    call("iree-import-onnx", source, "-o", imported)
    return call("iree-compile", *TO_LINALG, *options, imported)


def tensor_part(text):
    """The function on tensors inside what ``print_linalg`` returns, as text that
    stock MLIR parses. Nothing but the frame is touched:

    * the function on buffers and fences becomes one on tensors;
    * what waits for, wraps and unwraps its argument and result goes.

    Only functions of one argument and one result are known.
    """
    (name, body), *more = re.findall(
        r"^  util\.func public @(\S+)\$async\(%arg0: !hal\.buffer_view, "
        r"%arg1: !hal\.fence, %arg2: !hal\.fence\) -> !hal\.buffer_view .*?\{\n"
        r"(.*?)^  \}$",
        text,
        re.DOTALL | re.MULTILINE,
    )
    assert not more, "one function is all that is known here"
    argument, type = re.search(
        r"^ *(%\w+) = hal\.tensor\.import .*: !hal\.buffer_view -> "
        r"(tensor<\S+?>)(?:\{.*\})?$",
        body,
        re.MULTILINE,
    ).groups()
    inner, value, result = re.fullmatch(
        r"(.*?)^ *%\w+ = hal\.tensor\.barrier join\((%\S+) : (tensor<\S+>)\).*",
        body,
        re.DOTALL | re.MULTILINE,
    ).groups()
    lines = [
        re.sub(rf"{argument}(?!\w)", "%arg0", line[2:])
        for line in inner.splitlines()
        if not re.search(r"= hal\.(tensor\.import|buffer_view\.dim) ?", line)
    ]
    lines = [
        f"func.func @{name}(%arg0: {type}) -> {result} {{",
        *(line.rstrip() for line in lines),
        f"  return {value} : {result}",
        "}",
    ]
    foreign = [l for l in lines if re.search(r"\b(hal|util|flow|iree\w*)\.", l)]
    assert not foreign, f"an operation of IREE's own is left: {foreign[0]}"
    return "\n".join(lines) + "\n"


class Compiled:
    """A file of functions on tensors, compiled by IREE for this processor."""

    def __init__(self, source):
        self.module = Path(source).with_suffix(".vmfb")
        call("iree-compile", *TO_CODE, source, "-o", self.module)

    def __call__(self, name, x):
        """The result of a function of one argument."""
        argument = self.module.with_suffix(".in.npy")
        result = self.module.with_suffix(".out.npy")
        np.save(argument, x)
        result.unlink(missing_ok=True)
        call(
            "iree-run-module", f"--module={self.module}", "--device=local-sync",
            f"--function={name}", f"--input=@{argument}", f"--output=@{result}",
        )  # fmt: skip
        return np.load(result)
