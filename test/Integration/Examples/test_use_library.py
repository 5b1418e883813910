# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `cmake --install` copies can be used from outside: the example of
examples/use-library is built against it and does what head-opt does.
"""

import os
import re
import subprocess

import onnx
import pytest
from conftest import flatten_head

import headopt

EXAMPLE = headopt.REPOSITORY / "examples" / "use-library"


def run(*command, **options):
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True, text=True, timeout=300, **options,
    )  # fmt: skip


def configure(installed, build, *arguments, source=EXAMPLE):
    # Protobuf and ONNX must not be needed: they cannot be found.
    return run(
        installed.cmake, "-G", installed.generator, "-S", source, "-B", build,
        f"-DCMAKE_PREFIX_PATH={installed.prefix}", "-DCMAKE_BUILD_TYPE=Debug",
        "-DCMAKE_DISABLE_FIND_PACKAGE_Protobuf=ON",
        "-DCMAKE_DISABLE_FIND_PACKAGE_ONNX=ON",
        "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror"
        + (" -fsanitize=address,undefined" if installed.sanitize else ""),
        *arguments,
    )  # fmt: skip


@pytest.fixture(scope="module")
def program(installed, tmp_path_factory):
    build = tmp_path_factory.mktemp("use-library")
    configured = configure(installed, build)
    assert configured.returncode == 0, configured.stderr
    built = run(installed.cmake, "--build", build)
    assert built.returncode == 0, built.stdout + built.stderr
    return build / "pool-heads"


def test_it_writes_what_head_opt_writes(program, tmp_path):
    model, ours, theirs = (tmp_path / n for n in ("m.onnx", "ours.onnx", "theirs.onnx"))
    onnx.save(flatten_head(), model)
    done = run(program, model, ours)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "fc: 1280 -> 80 parameters\n"
    tool = run(headopt.TOOL, model, "-o", theirs, "--raise-to-gap",
               "--flatten-to-gap", "--require-rewrite")  # fmt: skip
    assert tool.returncode == 0, tool.stderr
    assert ours.read_bytes() == theirs.read_bytes() != model.read_bytes()


def test_verdicts(program, tmp_path):
    model = tmp_path / "m.onnx"
    onnx.save(flatten_head(pooled=False), model)
    done = run(program, model, tmp_path / "out.onnx")
    assert done.returncode == 0 and done.stdout.startswith("fc: refused: "), done


def test_errors(program, tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"\x08")
    for model, message in ((bad, "bad.onnx"), (tmp_path / "none.onnx", "No such file")):
        done = run(program, model, tmp_path / "out.onnx")
        assert done.returncode == 1 and message in done.stderr, done
        assert not (tmp_path / "out.onnx").exists()


def test_the_missing_package_is_named(installed, tmp_path):
    done = configure(installed, tmp_path, "-DCMAKE_DISABLE_FIND_PACKAGE_MLIR=ON")
    message = " ".join(done.stderr.split())
    assert done.returncode != 0
    assert "install llvm-22-dev, libmlir-22-dev and mlir-22-tools" in message
    assert "or set MLIR_DIR" in message


def test_another_version_is_refused(installed, tmp_path):
    text = (EXAMPLE / "CMakeLists.txt").read_text("utf-8")
    assert "find_package(HeadOpt 0.1 REQUIRED)" in text
    project = tmp_path / "CMakeLists.txt"
    project.write_text(text.replace("HeadOpt 0.1", "HeadOpt 99.1"), "utf-8")
    done = configure(installed, tmp_path / "build", source=tmp_path)
    assert done.returncode != 0 and '"99.1"' in done.stderr


def test_the_installed_tool_runs(installed, tmp_path):
    model = tmp_path / "m.onnx"
    onnx.save(flatten_head(), model)
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    done = run(installed.prefix / "bin" / "head-opt", model, env=environment)
    assert done.returncode == 0 and "rewritten" in done.stderr, done.stderr
    # Its own library, not that of the build tree.
    needed = run("ldd", installed.prefix / "bin" / "head-opt", env=environment).stdout
    (path,) = re.findall(r"libHeadOpt\.so => (.+) \(", needed)
    assert os.path.realpath(path) == str(installed.library.resolve())


# Two requests and a notice, as an editor sends them.
SESSION = """\
{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"processId":1,"capabilities":{}}}
// -----
{"jsonrpc":"2.0","id":1,"method":"shutdown"}
// -----
{"jsonrpc":"2.0","method":"exit"}
"""
REDUCE = "--opt-reduction-pass=opt-pass=cse test=/bin/false"


@pytest.mark.parametrize(
    "tool, arguments, given, found",
    [
        ("head-opt-lsp-server", ["-lit-test"], SESSION, "hoverProvider"),
        ("head-opt-reduce", ["-", REDUCE], "module {}", "module {"),
    ],
)
def test_the_tools_beside_it_run(installed, tool, arguments, given, found):
    program = installed.prefix / "bin" / tool
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    done = run(program, *arguments, input=given, env=environment)
    assert done.returncode == 0 and found in done.stdout, done
    needed = run("ldd", program, env=environment).stdout
    (path,) = re.findall(r"libHeadOpt\.so => (.+) \(", needed)
    assert os.path.realpath(path) == str(installed.library.resolve())
    assert "not found" not in needed
    folders = re.findall(r"RUNPATH\)\s+Library runpath: \[(.*)\]",
                         run("readelf", "-d", program).stdout)  # fmt: skip
    assert folders and folders[0].split(":")[0] == "$ORIGIN/../lib", folders


def test_no_paths_of_this_machine(installed):
    folders = {str(headopt.REPOSITORY), str(headopt.TOOL.parents[1])}
    files = [path for path in installed.prefix.rglob("*") if path.is_file()]
    assert len(files) > 40
    for path in files:
        for folder in folders:
            # Debug information says where sources were; nothing reads files there.
            if installed.sanitize and path.suffix in ("", ".so"):
                continue
            assert folder.encode() not in path.read_bytes(), (path, folder)


def test_headers_are_complete(installed):
    """Each header of ours that an installed one includes is there, and none is of
    ONNX or protobuf."""
    include = installed.prefix / "include"
    headers = [*include.rglob("*.h"), *include.rglob("*.inc")]
    assert include / "headopt-c" / "HeadOpt.h" in headers
    seen = 0
    for header in headers:
        for name in re.findall(r'#include ["<]([^">]+)[">]', header.read_text("utf-8")):
            assert not name.startswith(("onnx/", "google/")), (header, name)
            if name.startswith("headopt"):
                assert (include / name).is_file(), (header, name)
                seen += 1
    assert seen > 30
