# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bad input ends in one line on standard error and exit status 1, and in nothing else.

After every refusal: the line names the file and what in it is at fault, no
output file and no temporary file is left, the input is as it was, and the tool
was not ended by a signal. Models that opinions differ about may be accepted;
they must not crash the tool either. Wrong usage ends with exit status 2.
"""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
from pathlib import Path

import onnx
import onnx.checker
import onnx.helper
import pytest
from google.protobuf.message import DecodeError

sys.path.insert(0, str(Path(__file__).resolve().parent))
import bad_models  # noqa: E402
from bad_models import EXTERNAL, REFUSED, TOLERATED, fixtures  # noqa: E402
from roundtrip_support import (  # noqa: E402
    assert_refusal,
    assert_same_model,
    read_model,
    run,
    run_ok,
    snapshot,
)

# The two ways to ask for work: the default pipeline to ONNX, and a plain import.
ONNX_OUT = ("-o", "out.onnx")
MLIR_OUT = ("-o", "out.mlir", "--no-rewrite")
BOTH_WAYS = (ONNX_OUT, MLIR_OUT)


def refuse(folder: Path, source, *arguments, names=(), **options) -> str:
    """Runs the tool in a folder, expects a refusal of the source and an unchanged folder."""
    before = snapshot(folder)
    done = run(source, *arguments, cwd=folder, **options)
    line = assert_refusal(done)
    prefix = f"head-opt: error: {source}:"
    assert line.startswith(prefix), f"the line does not start with {prefix!r}\n{done}"
    # A name must be in the message proper, not by chance in the path.
    for name in names:
        choice = (name,) if isinstance(name, str) else name
        assert any(one in line[len(prefix) :] for one in choice), f"{' or '.join(choice)} is not named\n{done}"
    assert snapshot(folder) == before, f"files have changed\n{done}"
    return line


def survive(folder: Path, source, *arguments, **options) -> bool:
    """Runs the tool and allows success or a clean refusal; tells which it was."""
    before = snapshot(folder)
    done = run(source, *arguments, cwd=folder, **options)
    after = snapshot(folder)
    if done.rc == 1:
        assert_refusal(done)
        assert after == before, f"files have changed\n{done}"
        return False
    assert done.rc == 0, str(done)
    written = {name: after.pop(name) for name in list(after) if name not in before}
    assert after == before, f"files have changed\n{done}"
    wanted = arguments[arguments.index("-o") + 1]
    assert set(written) <= {wanted, wanted + ".data"}, str(done)
    for name in written:
        (folder / name).unlink()
    return True


@pytest.fixture
def good(tmp_path) -> Path:
    """A valid small model in the test's folder."""
    return fixtures.by_name("plain_head").write(tmp_path)


# ---------------------------------------------------------------------------
# Models from the lists
# ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    broken = REFUSED[name]
    (tmp_path / "model.onnx").write_bytes(broken.make())
    for way in BOTH_WAYS:
        refuse(tmp_path, "model.onnx", *way, names=broken.names)


@pytest.mark.parametrize("name", [name for name in REFUSED if name.startswith("reserved_key")])
def test_reserved_key_on_standard_input(name, tmp_path):
    """What comes from there is read whole, by another way than files."""
    refuse(tmp_path, "-", *ONNX_OUT, names=("headopt.file",), stdin=REFUSED[name].make())


def test_reserved_key_in_text(tmp_path):
    entries = '["headopt.file": "", "headopt.offset": "0", "headopt.length": "16"]'
    (tmp_path / "model.onnxtxt").write_text(
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        "g (float[4] x) => (float[4] y)\n"
        f"<float[4] w = {entries}>\n"
        "{ y = Add(x, w) }\n"
    )
    for way in BOTH_WAYS:
        refuse(tmp_path, "model.onnxtxt", *way, names=("headopt.file",))


@pytest.mark.parametrize("name", TOLERATED)
def test_tolerated(name, tmp_path):
    """Refused, or accepted and then kept: what is let in must not lose anything on the way."""
    content = TOLERATED[name].make()
    (tmp_path / "model.onnx").write_bytes(content)
    for way in BOTH_WAYS:
        accepted = survive(tmp_path, "model.onnx", *way)
    if not accepted:
        return
    run_ok("model.onnx", "-o", "middle.mlir", "--no-rewrite", cwd=tmp_path)
    done = run("middle.mlir", "-o", "back.onnx", "--no-rewrite", cwd=tmp_path)
    if done.rc:
        assert_refusal(done)
        return
    wanted = onnx.ModelProto()
    try:
        wanted.ParseFromString(content)
        found = read_model(tmp_path / "back.onnx")
    except DecodeError:
        return  # deeper than Python's protobuf reads
    wanted.DiscardUnknownFields()
    found.DiscardUnknownFields()
    assert_same_model(found, wanted)


def test_two_hundred_levels_are_all_or_nothing(tmp_path):
    """More levels than Python's protobuf reads: equal bytes, or a refusal."""
    content = bad_models.nested_ifs(200)
    (tmp_path / "model.onnx").write_bytes(content)
    done = run("model.onnx", "-o", "model.mlir", "--no-rewrite", cwd=tmp_path)
    if done.rc != 0:
        assert_refusal(done)
        return
    run_ok("model.mlir", "-o", "back.onnx", "--no-rewrite", cwd=tmp_path)
    assert (tmp_path / "back.onnx").read_bytes() == content


def test_nested_ifs_are_valid(tmp_path):
    """Runs no tool: the model of the test above is sound, where Python can read it."""
    model = onnx.ModelProto.FromString(bad_models.nested_ifs(30))
    onnx.checker.check_model(model)
    assert model.SerializeToString(deterministic=True) == bad_models.nested_ifs(30)


@pytest.mark.parametrize(
    "name", ["tensor_dims_huge_without_data", "tensor_dims_overflow", "length_two_gigabytes_at_depth_1"]
)
def test_claims_of_size_cost_no_memory(name, tmp_path):
    """What a file claims to hold is not allocated before it is found there."""
    (tmp_path / "model.onnx").write_bytes(REFUSED[name].make())
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    refuse(tmp_path, "model.onnx", *ONNX_OUT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after <= max(before, 1_000_000), f"{after} KiB"


# ---------------------------------------------------------------------------
# Files that cannot be read
# ---------------------------------------------------------------------------

ENDINGS = ("onnx", "onnxtxt", "mlir", "mlirbc")


@pytest.mark.parametrize("ending", ENDINGS)
def test_missing_file(ending, tmp_path):
    for way in BOTH_WAYS:
        refuse(tmp_path, f"missing.{ending}", *way)
    refuse(tmp_path, f"no/such/folder/missing.{ending}", *ONNX_OUT)


@pytest.mark.parametrize("ending", ENDINGS)
def test_folder_as_input(ending, tmp_path):
    (tmp_path / f"model.{ending}").mkdir()
    for way in BOTH_WAYS:
        refuse(tmp_path, f"model.{ending}", *way)


@pytest.mark.parametrize("ending", ENDINGS)
def test_path_through_a_file(ending, good):
    refuse(good.parent, f"model.onnx/model.{ending}", *ONNX_OUT)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_unreadable_file(good):
    good.chmod(0)
    refuse(good.parent, "model.onnx", *ONNX_OUT)
    good.chmod(0o600)


def test_dangling_and_circular_links(tmp_path):
    (tmp_path / "dangling.onnx").symlink_to("nowhere.onnx")
    (tmp_path / "circular.onnx").symlink_to("circular.onnx")
    refuse(tmp_path, "dangling.onnx", *ONNX_OUT)
    refuse(tmp_path, "circular.onnx", *ONNX_OUT)


def test_line_breaks_in_the_file_name(tmp_path):
    """The name is part of the one line."""
    done = run("no such\nfile\x1b[1m.onnx", *ONNX_OUT, cwd=tmp_path)
    assert_refusal(done, "no such")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["onnxtxt", "mlirbc"])
def test_empty_file(ending, tmp_path):
    (tmp_path / f"empty.{ending}").touch()
    for way in BOTH_WAYS:
        refuse(tmp_path, f"empty.{ending}", *way)


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(100), b"\xff\xfe\x00"], ids=repr)
def test_bad_standard_input(content, tmp_path):
    """An empty input is an empty MLIR module, in which there is no model to write."""
    done = run("-", *ONNX_OUT, cwd=tmp_path, stdin=content)
    assert_refusal(done)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------
# Damaged files
# ---------------------------------------------------------------------------


def _small_model():
    """A model of a few hundred bytes with most of what a model may hold."""
    then = fixtures.graph([bad_models.relu("x", "t")], [], [fixtures.bare_value("t")], name="then")
    other = fixtures.graph([bad_models.relu("x", "e")], [], [fixtures.bare_value("e")], name="else")
    branch = onnx.helper.make_node("If", ["c"], ["b"], then_branch=then, else_branch=other)
    call = onnx.helper.make_node("F", ["b"], ["y"], domain="com.example", k=[1, 2])
    built = bad_models.relus(branch, call, initializers=[fixtures.raw_floats("w", (2,))])
    imports = [onnx.helper.make_opsetid("", 21)]
    made = onnx.helper.make_function("com.example", "F", ["p"], ["q"], [bad_models.relu("p", "q")], imports, ["k"])
    built.functions.append(made)
    fixtures.props(built, key="value")
    return built


def _try_each(folder: Path, contents) -> None:
    """Feeds damaged files to the tool, by turns in three ways; collects what goes wrong."""
    ways = (ONNX_OUT, MLIR_OUT, ("-o", "out.onnx", "--no-rewrite"))
    accepted = refused = 0
    for i, (label, content) in enumerate(contents):
        (folder / "model.onnx").write_bytes(content)
        try:
            if survive(folder, "model.onnx", *ways[i % 3]):
                accepted += 1
            else:
                refused += 1
        except AssertionError as failure:
            raise AssertionError(f"{label}: {failure}\nthe file, in hexadecimal: {content.hex()[:4000]}") from None
    assert refused > 0, f"{accepted} accepted, none refused"


def test_cut_off_anywhere(tmp_path):
    content = _small_model().SerializeToString()
    lengths = range(len(content)) if len(content) <= 150 else sorted({len(content) * i // 150 for i in range(150)})
    _try_each(tmp_path, ((f"the first {n} bytes", content[:n]) for n in lengths))


def test_cut_off_inside_a_large_tensor(tmp_path):
    content = fixtures.by_name("head_with_large_weight").build().SerializeToString()
    start = content.index(fixtures.raw_floats("w", (3, 256)).raw_data)
    for n in (start - 2, start - 1, start, start + 1, start + 1000, start + 3071, start + 3072):
        (tmp_path / "model.onnx").write_bytes(content[:n])
        for way in BOTH_WAYS:
            refuse(tmp_path, "model.onnx", *way)


def _damaged(content: bytes, places: list[int], count: int, seed: int):
    """Copies of a file with one to three bytes changed, inserted, removed or repeated."""
    choose = random.Random(seed)
    for i in range(count):
        changed = bytearray(content)
        done = []
        for _ in range(choose.choice((1, 1, 1, 2, 3))):
            at = choose.choice(places)
            if at >= len(changed):
                continue
            how = choose.choice(("flip", "flip", "flip", "set", "insert", "remove", "repeat", "grow"))
            if how == "flip":
                changed[at] ^= 1 << choose.randrange(8)
            elif how == "set":
                changed[at] = choose.choice((0x00, 0x7F, 0x80, 0xFF, choose.randrange(256)))
            elif how == "insert":
                changed.insert(at, choose.randrange(256))
            elif how == "remove":
                del changed[at]
            elif how == "repeat":
                changed[at:at] = changed[at : at + choose.randrange(1, 40)]
            else:
                changed[at : at + 1] = b"\xff" * 9 + b"\x01"
            done.append(f"{how} at {at}")
        yield f"seed {seed}, copy {i}: {', '.join(done)}", bytes(changed)


@pytest.mark.parametrize("name", ["small", "all_at_once", "large_tensors_everywhere"])
def test_damaged_bytes(name, tmp_path):
    """Seeded, so that a failure comes back; bytes of large tensors are left alone, they mean nothing."""
    model = _small_model() if name == "small" else fixtures.by_name(name).build()
    content = model.SerializeToString()
    places = set(range(len(content)))
    payload = fixtures.large_floats("").raw_data
    at = content.find(payload)
    while at >= 0:
        places -= set(range(at, at + len(payload)))
        at = content.find(payload, at + len(payload))
    _try_each(tmp_path, _damaged(content, sorted(places), 50, seed=len(name)))


# ---------------------------------------------------------------------------
# Damaged text and MLIR
# ---------------------------------------------------------------------------

GOOD_TEXT = """<
  ir_version: 8,
  opset_import: ["" : 17]
>
g (float[N,4] x) => (float[N,4] y)
{
  r = Relu (x)
  y = Neg (r)
}
"""


@pytest.mark.parametrize(
    "old, new",
    [
        ("=> (float[N,4] y)", "-> (float[N,4] y)"),
        ("r = Relu (x)", "r = = Relu (x)"),
        ("float[N,4] x", "flaot[N,4] x"),
        ("ir_version: 8", "ir_version: eight"),
        ("y = Neg (r)\n}", "y = Neg (r)"),
        ("Relu (x)", "Relu <axis = (x)"),
        ('"" : 17', '"unclosed : 17'),
        ("{", "\0{"),
    ],
)
def test_garbage_in_onnx_text(old, new, tmp_path):
    """The message says in which line."""
    assert old in GOOD_TEXT
    (tmp_path / "model.onnxtxt").write_text(GOOD_TEXT.replace(old, new, 1))
    for way in BOTH_WAYS:
        line = refuse(tmp_path, "model.onnxtxt", *way)
        assert re.search(r"model\.onnxtxt:\d+|line:? *\d+", line), line


def test_good_onnx_text(tmp_path):
    """The text that the tests above break is accepted when whole."""
    (tmp_path / "model.onnxtxt").write_text(GOOD_TEXT)
    run_ok("model.onnxtxt", "-o", "out.onnx", "--no-rewrite", cwd=tmp_path)
    onnx.checker.check_model(read_model(tmp_path / "out.onnx"))


def test_onnx_text_that_is_no_text(tmp_path):
    for content in (b"\xff\xfe\x80", bytes(300), bad_models.pattern(1000), b"(" * 5000, b"plain words\n" * 50):
        (tmp_path / "model.onnxtxt").write_bytes(content)
        refuse(tmp_path, "model.onnxtxt", *ONNX_OUT)


def test_onnx_text_of_a_broken_model(tmp_path):
    """Sound as text, unsound as a model: the same rules hold."""
    (tmp_path / "model.onnxtxt").write_text(GOOD_TEXT.replace("y = Neg (r)", "y = Neg (r6)"))
    for way in BOTH_WAYS:
        refuse(tmp_path, "model.onnxtxt", *way, names=("r6",))


@pytest.mark.parametrize(
    "content",
    [b"this is not MLIR", b"module {", b"\xff\xfe\x00", b"func.func @f() { return", b'"onnx.', b"(" * 5000],
    ids=range(6),
)
@pytest.mark.parametrize("ending", ["mlir", "mlirbc"])
def test_garbage_in_mlir(content, ending, tmp_path):
    (tmp_path / f"model.{ending}").write_bytes(content)
    refuse(tmp_path, f"model.{ending}", *ONNX_OUT)
    # From MLIR to MLIR the tool is an mlir-opt, whose messages show the source.
    before = snapshot(tmp_path)
    done = run(f"model.{ending}", "-o", "copy.mlir", "--no-rewrite", cwd=tmp_path)
    assert done.rc == 1 and f"model.{ending}:1:" in done.err, str(done)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("content", ["", "module {}", "module { func.func private @f() }"], ids=range(3))
def test_mlir_without_a_model(content, tmp_path):
    """Good MLIR, but nothing in it can be written as ONNX."""
    (tmp_path / "model.mlir").write_text(content)
    refuse(tmp_path, "model.mlir", *ONNX_OUT)


@pytest.mark.parametrize("kind", ["mlir", "mlirbc"])
def test_mlir_cut_off(kind, tmp_path):
    fixtures.by_name("all_at_once").write(tmp_path)
    run_ok("model.onnx", "-o", f"good.{kind}", "--no-rewrite", cwd=tmp_path)
    content = (tmp_path / f"good.{kind}").read_bytes()
    for i in range(1, 16):
        (tmp_path / f"cut.{kind}").write_bytes(content[: len(content) * i // 16])
        survive(tmp_path, f"cut.{kind}", *ONNX_OUT)


def _away(path: Path) -> None:
    path.unlink()


def _short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 3000)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [_away, _short, _empty, _folder], ids=["missing", "shorter", "empty", "a folder"])
@pytest.mark.parametrize("kind", ["mlir", "mlirbc"])
def test_the_file_that_mlir_refers_to_is_gone(change, kind, tmp_path):
    weights = fixtures.large_floats("w", 64, 64)
    model = fixtures.model(fixtures.graph([], [], [], [weights]))
    (tmp_path / "weights.onnx").write_bytes(model.SerializeToString())
    run_ok("weights.onnx", "-o", f"model.{kind}", "--no-rewrite", cwd=tmp_path)
    change(tmp_path / "weights.onnx")
    refuse(tmp_path, f"model.{kind}", *ONNX_OUT, names=("weights.onnx",))


# ---------------------------------------------------------------------------
# External data
# ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXTERNAL)
def test_external_data(name, tmp_path):
    """To the same folder and to another one; nothing is left in either.

    MLIR text does not hold the bytes, so it may do without the file.
    """
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    EXTERNAL[name].write(home)
    refuse(home, "model.onnx", *ONNX_OUT, names=("bad_tensor",))
    refuse(home, "model.onnx", "-o", "../away/out.onnx", names=("bad_tensor",))
    assert list(away.iterdir()) == []
    if not survive(home, "model.onnx", *MLIR_OUT):
        return
    # What MLIR let pass is caught when the bytes are wanted.
    run_ok("model.onnx", "-o", "middle.mlir", "--no-rewrite", cwd=home)
    refuse(home, "middle.mlir", "-o", "../away/out.onnx", names=("bad_tensor",))
    assert list(away.iterdir()) == []


@pytest.mark.parametrize("name", [n for n in EXTERNAL if n.startswith(("link_", "location_climbs", "location_abs"))])
def test_external_data_outside_is_not_even_named_in_mlir(name, tmp_path):
    """A path that leads out of the model's folder is refused at the first look."""
    (tmp_path / "home").mkdir()
    EXTERNAL[name].write(tmp_path / "home")
    refuse(tmp_path / "home", "model.onnx", *MLIR_OUT, names=("bad_tensor",))


def test_external_data_and_raw_data(tmp_path):
    for size in (16, 2048):
        (tmp_path / "w.bin").write_bytes(bytes(size))
        tensor = fixtures.external_tensor("bad_tensor", 1, (size // 4,), location="w.bin", offset=0, length=size)
        tensor.raw_data = bytes(size)
        (tmp_path / "model.onnx").write_bytes(bad_models.with_tensor(tensor).SerializeToString())
        for way in BOTH_WAYS:
            refuse(tmp_path, "model.onnx", *way, names=("bad_tensor",))


@pytest.mark.parametrize(
    "entries",
    [
        {"location": "w.bin"},
        {"location": "sub/../w.bin", "length": 2048},
        {"location": "./w.bin", "length": 2048},
        {"location": "model.onnx", "length": 2048},
        {"location": "w.bin", "offset": "", "length": "2048"},
        {"location": "w.bin", "offset": " 0", "length": "2048"},
        {"location": "w.bin", "offset": "+0", "length": "2048"},
        {"location": "w.bin", "length": "2048", "checksum": "not a digest"},
        {"location": "w.bin", "length": "2048", "unknown key": "1"},
    ],
    ids=lambda e: " ".join(f"{k}={v}" for k, v in e.items()),
)
def test_external_data_that_opinions_differ_about(entries, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(4096))
    tensor = fixtures.external_tensor("w", 1, (512,), **entries)
    (tmp_path / "model.onnx").write_bytes(bad_models.with_tensor(tensor).SerializeToString())
    for way in BOTH_WAYS:
        survive(tmp_path, "model.onnx", *way)


def test_external_data_gone_between_two_folders(tmp_path):
    """MLIR was made while the data file was there; then it went, or shrank."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "away").mkdir()
    fixture = fixtures.by_name("external_two_tensors_in_one_file")
    fixture.write(home)
    run_ok("model.onnx", "-o", "model.mlir", "--no-rewrite", cwd=home)
    _short(home / "sub" / "w.bin")
    refuse(home, "model.mlir", "-o", "../away/out.onnx", names=("w.bin",))
    (home / "sub" / "w.bin").unlink()
    refuse(home, "model.mlir", "-o", "../away/out.onnx", names=("w.bin",))
    assert list((tmp_path / "away").iterdir()) == []


# ---------------------------------------------------------------------------
# Output that cannot be written
# ---------------------------------------------------------------------------


def refuse_output(folder: Path, target, *arguments, **options) -> None:
    """Runs the tool on model.onnx and expects a refusal that names the target."""
    before = snapshot(folder)
    done = run("model.onnx", "-o", target, *arguments, cwd=folder, **options)
    assert_refusal(done, str(target))
    assert snapshot(folder) == before, f"files have changed\n{done}"


OUTPUT_ENDINGS = ("onnx", "onnxtxt", "mlir", "mlirbc")


@pytest.mark.parametrize("ending", OUTPUT_ENDINGS)
def test_target_cannot_be_made(ending, good):
    folder = good.parent
    (folder / f"folder.{ending}").mkdir()
    (folder / f"full.{ending}").mkdir()
    (folder / f"full.{ending}" / "file").touch()
    refuse_output(folder, f"no/such/folder/out.{ending}")
    refuse_output(folder, f"model.onnx/out.{ending}")
    refuse_output(folder, f"folder.{ending}")
    refuse_output(folder, f"full.{ending}")
    refuse_output(folder, "n" * 300 + "." + ending)


@pytest.mark.skipif(os.geteuid() == 0, reason="every folder is writable for root")
def test_folder_is_read_only(good):
    (good.parent / "locked").mkdir(mode=0o500)
    refuse_output(good.parent, "locked/out.onnx")


def test_report_cannot_be_written(good):
    before = snapshot(good.parent)
    for target in ("no/such/folder/report.json", "."):
        done = run("model.onnx", "-o", "out.onnx", f"--report={target}", cwd=good.parent)
        assert_refusal(done)
        assert snapshot(good.parent) == before, f"files have changed\n{done}"


def _plenty(folder: Path) -> None:
    """A model whose every output is over 64 KiB, with a weight inside and one outside the file."""
    (folder / "w.bin").write_bytes(fixtures.pattern(200_000))
    typed = fixtures.typed_tensor("typed", "FLOAT", (200, 200))
    outside = fixtures.external_tensor("outside", 2, (200_000,), location="w.bin", offset=0, length=200_000)
    inside = fixtures.raw_floats("inside", (200, 200))
    built = fixtures.model(fixtures.graph([], [], [], [typed, outside, inside]))
    (folder / "model.onnx").write_bytes(built.SerializeToString())


# Through a rewrite-free copy, an export that must be written anew, and three more kinds.
FULL_WAYS = {
    "onnx": ("model.onnx", "onnx"),
    "onnx from mlir": ("model.mlir", "onnx"),
    "mlir": ("model.onnx", "mlir"),
    "mlirbc": ("model.onnx", "mlirbc"),
}


def _fill_and_check(home: Path, target: Path, way: str, **options) -> None:
    source, ending = FULL_WAYS[way]
    if source.endswith("mlir"):
        run_ok("model.onnx", "-o", "model.mlir", "--no-rewrite", cwd=home)
    out = target / f"out.{ending}"
    for old in (None, b"what was there before"):
        if old:
            out.write_bytes(old)
        before, there = snapshot(home), snapshot(target)
        done = run(source, "-o", out, "--no-rewrite", cwd=home, **options)
        assert_refusal(done, (str(out), out.name))
        assert snapshot(home) == before and snapshot(target) == there, f"files have changed\n{done}"


@pytest.mark.parametrize("way", FULL_WAYS)
def test_disk_is_full(way, tmp_path):
    """On a file system of 64 KiB; needs the right to mount one."""
    home, disk = tmp_path / "home", tmp_path / "disk"
    home.mkdir()
    disk.mkdir()
    _plenty(home)
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if not mount or subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("cannot mount a small file system here")
    try:
        _fill_and_check(home, disk, way)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("way", FULL_WAYS)
def test_file_grows_over_the_limit(way, tmp_path):
    """The same without any rights: no file may grow over 64 KiB."""
    home, target = tmp_path / "home", tmp_path / "target"
    home.mkdir()
    target.mkdir()
    _plenty(home)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))

    _fill_and_check(home, target, way, preexec_fn=limit)


@pytest.mark.parametrize("kind", OUTPUT_ENDINGS)
def test_full_device(kind, tmp_path):
    """A device of our own like /dev/full, so that a tool that replaces its target harms nobody."""
    fixtures.by_name("uniform_head").write(tmp_path)
    device = tmp_path / "full"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        device.open("wb").close()
    except PermissionError:
        pytest.skip("needs the right to make a device node")
    refuse_output(tmp_path, "full", f"--emit={kind}", "--no-rewrite")
    refuse_output(tmp_path, "full", f"--emit={kind}")
    assert stat.S_ISCHR(device.stat().st_mode)


def test_output_is_the_input(tmp_path):
    """Allowed: a failure leaves the input whole, a success replaces it whole."""
    (tmp_path / "model.onnx").write_bytes(REFUSED["value_defined_twice"].make())
    refuse(tmp_path, "model.onnx", "-o", "model.onnx", names=("r6",))
    _plenty(tmp_path)
    content = (tmp_path / "model.onnx").read_bytes()
    run_ok("model.onnx", "-o", "model.onnx", "--no-rewrite", cwd=tmp_path)
    assert (tmp_path / "model.onnx").read_bytes() == content
    assert sorted(snapshot(tmp_path)) == ["model.onnx", "w.bin"]

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))

    run_ok("model.onnx", "-o", "model.mlirbc", "--no-rewrite", cwd=tmp_path)
    before = snapshot(tmp_path)
    assert_refusal(run("model.mlirbc", "-o", "model.onnx", "--no-rewrite", cwd=tmp_path, preexec_fn=limit))
    assert snapshot(tmp_path) == before


# ---------------------------------------------------------------------------
# Usage
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-o", "out.onnx"),
        ("model.onnx", "-o", "out.onnx", "--no-such-flag"),
        ("model.onnx", "-o", "out.onnx", "--no-rewrite=perhaps"),
        ("model.onnx", "-o", "out.onnx", "--emit=tarball"),
        ("model.onnx", "-o", "out.onnx", "--emit="),
        ("model.onnx", "-o", "out.xyz"),
        ("model.onnx", "-o", "out"),
        ("model.onnx", "-o", "out.onnx.gz"),
        ("model.onnx", "-o"),
        ("model.onnx", "model.onnx", "-o", "out.onnx"),
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments, good):
    before = snapshot(good.parent)
    done = run(*arguments, cwd=good.parent)
    assert done.rc == 2, str(done)
    assert done.err.strip(), "a usage error says what is wrong"
    assert snapshot(good.parent) == before, f"files have changed\n{done}"


def test_input_of_unknown_ending(good):
    """The name does not say what it is; the first bytes do."""
    shutil.copy(good, good.with_name("model.bin"))
    run_ok("model.bin", "-o", "out.onnx", cwd=good.parent)
    assert good.with_name("out.onnx").read_bytes() == good.read_bytes()


def test_a_second_run_after_failures(good):
    """Nothing of a failed run stays behind that could disturb the next one."""
    (good.parent / "bad.onnx").write_bytes(struct.pack("<Q", 2**64 - 1))
    refuse(good.parent, "bad.onnx", *ONNX_OUT)
    run_ok("model.onnx", "-o", "out.onnx", "--no-rewrite", cwd=good.parent)
    assert (good.parent / "out.onnx").read_bytes() == good.read_bytes()
