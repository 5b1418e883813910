# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The benchmarks of compiled code run, compare results before they time anything,
and print what they promise. No figure is judged here.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import headopt

FOLDER = headopt.REPOSITORY / "benchmarks"

needs_google_benchmark = pytest.mark.skipif(
    not Path("/usr/include/benchmark/benchmark.h").exists(),
    reason="libbenchmark-dev is not installed",
)


def run(which, folder, *arguments, tool=headopt.TOOL):
    return subprocess.run(
        [sys.executable, str(FOLDER / which / "run.py"), "--no-peers",
         "--repeats=1", "--head-opt", str(tool), "--dir", str(folder),
         *arguments],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@needs_google_benchmark
@pytest.mark.parametrize(
    "which, only",
    [
        ("pool", "512x7x7 N... f32 N=1 "),
        ("pool", "512x7x7 NHWC bf16 N=8 warm"),
        ("head", "512-25 NCHW f(32|16) N=1 "),
    ],
)
def test_they_run(tmp_path, which, only):
    done = run(which, tmp_path, "--only", only, "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    assert "| geometric means |" in done.stdout
    cases = json.loads((tmp_path / "out.json").read_text("utf-8"))["cases"]
    assert cases
    for case in cases:
        assert case["head_opt"]["samples"] >= 3, case["head_opt"]
        assert case["read"]["median_us"] > 0 and case["of_read"] > 0


@needs_google_benchmark
def test_wrong_results_are_not_timed(tmp_path):
    """A compiler that leaves out the last bias: its time is worth nothing."""
    model, tool = tmp_path / "other.onnx", tmp_path / "other-tool"
    tool.write_text(
        "#!/bin/sh\n"
        f"exec {sys.executable} - \"$@\" <<'END'\n"
        "import subprocess, sys, onnx\n"
        "from onnx import numpy_helper\n"
        "model = onnx.load(sys.argv[1])\n"
        "for tensor in model.graph.initializer:\n"
        "    if tensor.name == 'b0':\n"
        "        zero = numpy_helper.to_array(tensor) * 0\n"
        "        tensor.CopyFrom(numpy_helper.from_array(zero, 'b0'))\n"
        f"onnx.save(model, {str(model)!r})\n"
        f"sys.exit(subprocess.call([{str(headopt.TOOL)!r}, {str(model)!r},\n"
        "                          *sys.argv[2:]]))\n"
        "END\n",
        "utf-8",
    )
    tool.chmod(0o755)
    done = run("head", tmp_path, "--only", "512-25 NCHW f32 N=1 warm", tool=tool)
    assert done.returncode == 0, done.stderr
    assert "head-opt: NCHW f32: wrong by" in done.stdout


def test_bad_options_are_one_line():
    for arguments in (["--repeats=0"], ["--only=("], ["--head-opt=/nowhere"]):
        done = subprocess.run(
            [sys.executable, str(FOLDER / "pool" / "run.py"), *arguments],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode != 0
        assert done.stderr.strip().splitlines()[-1].startswith("run.py: error:")
