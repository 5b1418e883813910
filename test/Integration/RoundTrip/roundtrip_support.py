# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How the tests of this folder and of BadInput call head-opt and judge what it did.

The tool is taken from $HEAD_OPT, or from build/bin/head-opt of this
repository. Nothing here knows what a test is about: the module starts the tool
with a time limit, remembers what a folder held before a run, and compares two
models field by field, presence and float bits included.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import importlib.util
import os
import stat
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from google.protobuf import text_format

REPOSITORY = Path(__file__).resolve().parents[3]
TOOL = Path(os.environ.get("HEAD_OPT") or REPOSITORY / "build" / "bin" / "head-opt").absolute()
ROUNDTRIP_TOOL = Path(os.environ.get("HEAD_OPT_ROUNDTRIP") or TOOL.with_name("head-opt-roundtrip")).absolute()

# One run takes some 30 ms; a run that needs this many seconds hangs.
TIME_LIMIT = 60


def load_neighbour(file_name: str):
    """Imports a module of this folder under a name no other test folder can hold."""
    path = Path(__file__).with_name(file_name)
    name = "headopt_roundtrip_" + path.stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@dataclasses.dataclass(frozen=True)
class Run:
    """What one call of the tool left behind, besides files."""

    command: tuple[str, ...]
    rc: int
    out: bytes
    err: str

    def __str__(self) -> str:
        return f"$ {' '.join(self.command)}\nexit status {self.rc}\nstderr: {self.err[:2000]}"


def run(*arguments, cwd=None, stdin: bytes | None = None, preexec_fn=None) -> Run:
    """Starts head-opt and waits for it; a missing tool or a hang fails the test."""
    if not TOOL.is_file():
        pytest.fail(f"{TOOL} is not there: build head-opt first, or set HEAD_OPT", pytrace=False)
    command = (str(TOOL), *map(str, arguments))
    feed = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            capture_output=True,
            timeout=TIME_LIMIT,
            preexec_fn=preexec_fn,
            check=False,
            **feed,
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"no end after {TIME_LIMIT} s: {' '.join(command)}", pytrace=False)
    return Run(command, done.returncode, done.stdout, done.stderr.decode("utf-8", "backslashreplace"))


def run_ok(*arguments, **options) -> Run:
    """Starts head-opt with --quiet and expects success and silence."""
    done = run(*arguments, "--quiet", **options)
    assert done.rc == 0, str(done)
    assert done.err == "", f"--quiet and success, yet stderr is not empty\n{done}"
    return done


def assert_refusal(done: Run, *names) -> str:
    """Exit status 1 and one line on standard error; returns that line.

    Each of the names must be in the line; of a tuple of names, one of them.
    """
    assert done.rc == 1, f"exit status 1 expected\n{done}"
    assert done.err.startswith("head-opt: error: "), str(done)
    assert done.err.endswith("\n") and done.err.count("\n") == 1, f"one line expected\n{done}"
    unprintable = [c for c in done.err[:-1] if ord(c) < 32 or ord(c) == 127]
    assert not unprintable, f"control characters in the message\n{done}"
    for name in names:
        choice = (name,) if isinstance(name, str) else name
        assert any(one in done.err for one in choice), f"{' or '.join(choice)} is not named\n{done}"
    return done.err


def snapshot(folder: Path) -> dict[str, tuple]:
    """Name, kind, content and modification time of everything below a folder."""
    seen = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            digest = hashlib.sha1(path.read_bytes()).hexdigest()
            what = (digest, status.st_mtime_ns, status.st_ino)
        elif stat.S_ISLNK(status.st_mode):
            what = (os.readlink(path),)
        else:
            what = (stat.S_IFMT(status.st_mode),)
        seen[str(path.relative_to(folder))] = what
    return seen


def canonical(model: onnx.ModelProto) -> bytes:
    """The bytes that stand for a message.

    Equal bytes mean the same fields set, in the same order where they repeat,
    with the same bits: a NaN equals itself, -0.0 is not 0.0, and "set to the
    default" is not "not set". Python's == on messages is blind to some of it.
    """
    return model.SerializeToString(deterministic=True)


def assert_same_model(actual: onnx.ModelProto, *expected: onnx.ModelProto) -> None:
    """Fails with a readable difference unless actual equals one of the expected models."""
    found = canonical(actual)
    if any(found == canonical(wanted) for wanted in expected):
        return

    def lines(model: onnx.ModelProto) -> list[str]:
        return [line[:200] for line in text_format.MessageToString(model).splitlines()]

    difference = list(
        difflib.unified_diff(lines(expected[0]), lines(actual), "original", "after the round trip", lineterm="", n=4)
    )
    if not difference:
        difference = ["the text forms are equal: the difference is in float bits, presence or unknown fields"]
    pytest.fail("the model has changed:\n" + "\n".join(difference[:80]), pytrace=False)


def read_model(path: Path) -> onnx.ModelProto:
    """Parses a file and leaves its external tensors external."""
    model = onnx.ModelProto()
    model.ParseFromString(path.read_bytes())
    return model


def all_tensors(message):
    """Every TensorProto anywhere inside a message."""
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        # A repeated field is a container, a singular one is a message.
        for part in [value] if hasattr(value, "ListFields") else value:
            yield from all_tensors(part)
