# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The snippets of docs/Integration.md do what the page says.

Code of other languages goes into the file that the next commands name; those of
C++ are parts of examples/use-library, which test_use_library.py builds.
"""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from conftest import flatten_head

import headopt

sys.path.insert(0, str(headopt.REPOSITORY / "test" / "Integration" / "IREE"))

import iree_models  # noqa: E402  (needs the path)
import iree_tools  # noqa: E402

PAGE = (headopt.REPOSITORY / "docs" / "Integration.md").read_text("utf-8")
SNIPPETS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def snippets(language):
    return [text for name, text in SNIPPETS if name == language]


@pytest.fixture
def folder(tmp_path):
    onnx.save(flatten_head(), tmp_path / "model.onnx")
    return tmp_path


@pytest.fixture
def sh(installed, folder):
    """Runs a snippet in `folder`, with the installed copy."""
    # PREFIX stands in the page without quotes.
    prefix = folder / "prefix"
    prefix.symlink_to(installed.prefix, target_is_directory=True)
    path = f"{prefix / 'bin'}:{os.environ['PATH']}:{iree_tools.BIN}"
    environment = installed.environment() | {"PREFIX": str(prefix), "PATH": path}

    def run(text, program=("bash", "-euc"), **options):
        done = subprocess.run(
            [*program, text], cwd=folder, env=environment,
            capture_output=True, text=True, timeout=120, **options,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def pooled(folder):
    model = onnx.load(folder / "pooled.onnx")
    return [n.op_type for n in model.graph.node].count("GlobalAveragePool") == 1


def find(language, part):
    (text,) = [text for text in snippets(language) if part in text]
    return text


def test_all_snippets_are_here():
    kinds = [name for name, _ in SNIPPETS]
    assert kinds == [
        "sh", "sh", "sh", "sh", "cmake", "sh", "cpp", "cpp", "c", "sh", "python"
    ]  # fmt: skip


def test_the_tool(sh, folder):
    sh(find("sh", "--report"))
    assert pooled(folder) and (folder / "report.json").exists()


def test_the_plugin(sh, folder):
    sh(find("sh", "flatten-to-gap)' model.mlir"))
    assert pooled(folder)


needs_iree = pytest.mark.skipif(
    bool(iree_tools.missing_tools()), reason=f"no IREE in {iree_tools.BIN}"
)


@pytest.fixture
def answer(folder):
    """What the model answers for some input, which it saves."""
    x = np.random.default_rng(2).standard_normal((3, 16, 4, 4), np.float32)
    np.save(folder / "x.npy", x)
    return iree_models.answer(onnx.load(folder / "model.onnx"), x, weight="w")


@needs_iree
def test_linalg_inside_iree(sh, folder, answer):
    sh(find("sh", "--compile-from"))
    before = (folder / "input.mlir").read_text("utf-8")
    after = (folder / "pooled.mlir").read_text("utf-8")
    assert "5x256x" in before and "5x256x" not in after and "<16x5x" in after
    sh("iree-run-module --module=model.vmfb --function=g --input=@x.npy"
       " --output=@y.npy")  # fmt: skip
    answer.assert_close(np.load(folder / "y.npy"))


@needs_iree
def test_linalg_for_iree(sh, folder, answer):
    head, *rest = find("sh", "--emit=linalg").splitlines()
    sh(head)
    backbone = headopt.OnnxRuntime(onnx.load(folder / "backbone.onnx"))
    (features,) = backbone({"x": np.load(folder / "x.npy")}).values()
    np.save(folder / "features.npy", features)
    sh("\n".join(rest))
    answer.assert_close(np.load(folder / "y.npy"))


def test_cpp_is_the_example():
    source = headopt.REPOSITORY / "examples" / "use-library"
    for text in snippets("cpp"):
        assert text in (source / "pool-heads.cpp").read_text("utf-8")
    for text in snippets("cmake"):
        assert text in (source / "CMakeLists.txt").read_text("utf-8")


def test_cmake_finds_it(sh, folder):
    example = headopt.REPOSITORY / "examples" / "use-library"
    shutil.copytree(example, folder / "project")
    sh(find("sh", "cmake"))
    cache = (folder / "project" / "build" / "CMakeCache.txt").read_text("utf-8")
    assert "prefix/lib/cmake/HeadOpt" in cache


def test_c(sh, folder, installed):
    if installed.sanitize:
        pytest.skip("programs of the page are not sanitised")
    (folder / "pool.c").write_text(snippets("c")[0], "utf-8")
    flags = "cc -std=c99 -pedantic -Wall -Wextra -Wstrict-prototypes -Werror"
    assert sh(find("sh", "cc ").replace("cc", flags, 1)) == "1 heads pooled\n"
    assert pooled(folder)


def test_python(sh, folder):
    (folder / "examples").symlink_to(headopt.REPOSITORY / "examples")
    output = sh(snippets("python")[0], program=(sys.executable, "-c"))
    assert output == "1 heads pooled\n"
