# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A model that goes through head-opt without a rewrite comes out as it went in.

Each fixture travels through MLIR text and through MLIR bytecode and must come
back equal as a protobuf message; asked for ONNX straight away, the tool must
hand the very bytes back. The rest of the file is about where bytes live:
references into the model file, external data, other folders, files over 2 GiB,
and an output that is also the input.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import stat
import struct
import sys
from pathlib import Path

import onnx
import onnx.checker
import onnx.parser
import onnx.printer
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from roundtrip_support import (  # noqa: E402
    all_tensors,
    assert_refusal,
    assert_same_model,
    canonical,
    load_neighbour,
    read_model,
    run,
    run_ok,
    snapshot,
)

fixtures = load_neighbour("fixtures.py")
by_name = fixtures.by_name


def over(list_of_fixtures):
    return pytest.mark.parametrize("fixture", list_of_fixtures, ids=lambda f: f.name)


EVERY_FIXTURE = over(fixtures.FIXTURES)
TEXT_FIXTURES = over([f for f in fixtures.FIXTURES if f.onnx_text])
EXTERNAL_FIXTURES = over([f for f in fixtures.FIXTURES if f.files()])


# ---------------------------------------------------------------------------
# Topological order
# ---------------------------------------------------------------------------


def _subgraphs(node):
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _names_read(node) -> set[str]:
    """What a node reads, with what its subgraphs capture."""
    names = {name for name in node.input if name}
    for body in _subgraphs(node):
        own = {i.name for i in body.input} | {t.name for t in body.initializer}
        read = {o.name for o in body.output}
        for inner in body.node:
            own.update(inner.output)
            read |= _names_read(inner)
        names |= read - own
    return names


def _order(nodes, strategy: str) -> list[int]:
    """A stable topological order of a list of nodes, as indices.

    "Stable" has more than one meaning when nodes must move; the strategies
    are: always the first node that is ready; passes over the list, taking all
    that is ready; and producers moved to just before their first reader. They
    agree on a list that is sorted already.
    """
    maker = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    needs = [{maker[n] for n in _names_read(node) if n in maker} for node in nodes]
    order: list[int] = []
    placed: set[int] = set()

    def place(i: int) -> None:
        order.append(i)
        placed.add(i)

    if strategy == "before the first reader":

        def visit(i: int) -> None:
            if i not in placed:
                for j in sorted(needs[i]):
                    visit(j)
                place(i)

        for i in range(len(nodes)):
            visit(i)
        return order
    while len(order) < len(nodes):
        before = len(order)
        for i in range(len(nodes)):
            if i not in placed and needs[i] <= placed:
                place(i)
                if strategy == "first that is ready":
                    break
        assert len(order) > before, "the fixture has a cycle"
    return order


def _sort(holder, strategy: str) -> None:
    """Sorts the nodes of a graph or function, subgraphs first."""
    for node in holder.node:
        for body in _subgraphs(node):
            _sort(body, strategy)
    nodes = [copy.deepcopy(node) for node in holder.node]
    del holder.node[:]
    holder.node.extend(nodes[i] for i in _order(nodes, strategy))


def expected_models(fixture) -> list[onnx.ModelProto]:
    """The original; or, where its nodes are out of order, its stable sortings."""
    original = fixture.build()
    if not fixture.unsorted:
        return [original]
    made = []
    for strategy in ("first that is ready", "passes over the list", "before the first reader"):
        candidate = copy.deepcopy(original)
        for holder in (candidate.graph, *candidate.functions):
            _sort(holder, strategy)
        assert canonical(candidate) != canonical(original)
        made.append(candidate)
    return made


# ---------------------------------------------------------------------------
# The fixtures themselves
# ---------------------------------------------------------------------------


@EVERY_FIXTURE
def test_fixture_is_what_it_says(fixture, tmp_path):
    """Runs no tool: the ONNX checker accepts the model, unless the fixture says why not."""
    path = fixture.write(tmp_path)
    assert_same_model(read_model(path), fixture.build())
    try:
        onnx.checker.check_model(str(path))
        refused = False
    except onnx.checker.ValidationError:
        refused = True
    assert refused == bool(fixture.refused_by_checker)
    sorted_copy = fixture.build()
    for holder in (sorted_copy.graph, *sorted_copy.functions):
        _sort(holder, "first that is ready")
    assert (canonical(sorted_copy) != canonical(fixture.build())) == fixture.unsorted


# ---------------------------------------------------------------------------
# Round trips of every fixture
# ---------------------------------------------------------------------------


@EVERY_FIXTURE
def test_through_mlir_text_and_bytecode(fixture, tmp_path):
    """ONNX, MLIR text, MLIR bytecode, ONNX: nothing may be lost on any of them."""
    source = fixture.write(tmp_path)
    run_ok(source, "-o", tmp_path / "model.mlir", "--no-rewrite", "--emit=mlir")
    run_ok(tmp_path / "model.mlir", "-o", tmp_path / "model.mlirbc", "--no-rewrite")
    run_ok(tmp_path / "model.mlirbc", "-o", tmp_path / "back.onnx", "--no-rewrite")
    assert_same_model(read_model(tmp_path / "back.onnx"), *expected_models(fixture))


@EVERY_FIXTURE
def test_onnx_bytes_unchanged(fixture, tmp_path):
    source = fixture.write(tmp_path)
    before = snapshot(tmp_path)
    run_ok(source, "-o", tmp_path / "copy.onnx", "--no-rewrite", "--emit=onnx")
    assert (tmp_path / "copy.onnx").read_bytes() == source.read_bytes()
    after = snapshot(tmp_path)
    assert after.pop("copy.onnx")
    assert after == before


@TEXT_FIXTURES
def test_through_onnx_text(fixture, tmp_path):
    """What ONNX's text format itself drops is dropped first; after that nothing may be."""

    def reread(model):
        return onnx.parser.parse_model(onnx.printer.to_text(model))

    original = reread(fixture.build())
    assert_same_model(reread(original), original)
    (tmp_path / "in.onnx").write_bytes(original.SerializeToString())

    run_ok(tmp_path / "in.onnx", "-o", tmp_path / "out.onnxtxt", "--no-rewrite")
    assert_same_model(onnx.parser.parse_model((tmp_path / "out.onnxtxt").read_text()), original)
    run_ok(tmp_path / "out.onnxtxt", "-o", tmp_path / "back.onnx", "--no-rewrite")
    assert_same_model(read_model(tmp_path / "back.onnx"), original)

    (tmp_path / "in.onnxtxt").write_text(onnx.printer.to_text(original))
    run_ok(tmp_path / "in.onnxtxt", "-o", tmp_path / "out.mlir", "--no-rewrite")
    run_ok(tmp_path / "out.mlir", "-o", tmp_path / "back.onnxtxt", "--no-rewrite")
    assert_same_model(onnx.parser.parse_model((tmp_path / "back.onnxtxt").read_text()), original)


@pytest.mark.parametrize("form", fixtures.WIRE_FORMS)
def test_legal_encoding_of_another_writer(form, tmp_path):
    """Other writers encode in other ways; the model is what protobuf reads from the bytes.

    For a few forms that no exporter writes, one line of refusal will do too.
    """
    content, may_refuse = fixtures.WIRE_FORMS[form]
    source = tmp_path / "model.onnx"
    source.write_bytes(content)

    def accepted(*arguments) -> bool:
        done = run(*arguments, "--quiet")
        if may_refuse and done.rc == 1:
            assert_refusal(done)
            return False
        assert done.rc == 0 and done.err == "", str(done)
        return True

    if accepted(source, "-o", tmp_path / "copy.onnx", "--no-rewrite"):
        assert (tmp_path / "copy.onnx").read_bytes() == content
    if accepted(source, "-o", tmp_path / "model.mlir", "--no-rewrite"):
        run_ok(tmp_path / "model.mlir", "-o", tmp_path / "back.onnx", "--no-rewrite")
        assert_same_model(read_model(tmp_path / "back.onnx"), onnx.ModelProto.FromString(content))


def test_fields_of_a_later_onnx_version(tmp_path):
    """Unknown fields survive a plain copy; through MLIR at least all known ones do."""
    source = tmp_path / "model.onnx"
    source.write_bytes(fixtures.with_unknown_fields())
    run_ok(source, "-o", tmp_path / "copy.onnx", "--no-rewrite")
    assert (tmp_path / "copy.onnx").read_bytes() == source.read_bytes()
    run_ok(source, "-o", tmp_path / "model.mlir", "--no-rewrite")
    run_ok(tmp_path / "model.mlir", "-o", tmp_path / "back.onnx", "--no-rewrite")
    wanted, found = read_model(source), read_model(tmp_path / "back.onnx")
    wanted.DiscardUnknownFields()
    found.DiscardUnknownFields()
    assert_same_model(found, wanted)


# ---------------------------------------------------------------------------
# Between MLIR forms, standard input, kinds of output
# ---------------------------------------------------------------------------

RICH = ("all_at_once", "large_tensors_everywhere", "odd_value_and_node_names", "function_attributes", "tensors_INT4")


@pytest.mark.parametrize("name", RICH)
def test_text_bytecode_text(name, tmp_path):
    """Text to bytecode and back is the same text, and still the same model."""
    source = by_name(name).write(tmp_path)
    run_ok(source, "-o", tmp_path / "a.mlir", "--no-rewrite")
    run_ok(tmp_path / "a.mlir", "-o", tmp_path / "b.mlirbc", "--no-rewrite")
    run_ok(tmp_path / "b.mlirbc", "-o", tmp_path / "c.mlir", "--no-rewrite")
    assert (tmp_path / "c.mlir").read_text() == (tmp_path / "a.mlir").read_text()
    run_ok(tmp_path / "c.mlir", "-o", tmp_path / "back.onnx", "--no-rewrite")
    assert_same_model(read_model(tmp_path / "back.onnx"), by_name(name).build())


@pytest.mark.parametrize("kind", ["mlir", "mlirbc"])
def test_mlir_on_standard_input(kind, tmp_path):
    source = by_name("large_tensors_everywhere").write(tmp_path)
    run_ok(source, "-o", tmp_path / f"model.{kind}", "--no-rewrite")
    feed = (tmp_path / f"model.{kind}").read_bytes()
    run_ok("-", "-o", tmp_path / "back.onnx", "--no-rewrite", cwd=tmp_path, stdin=feed)
    assert_same_model(read_model(tmp_path / "back.onnx"), read_model(source))


@pytest.mark.parametrize("name", ["plain_head", "large_tensors_everywhere"])
def test_onnx_on_standard_input(name, tmp_path):
    """The bytes of a model on standard input are copied, or refused in one line."""
    content = by_name(name).build().SerializeToString()
    done = run("-", "-o", tmp_path / "out.onnx", "--no-rewrite", "--quiet", stdin=content)
    if done.rc == 0:
        assert_same_model(read_model(tmp_path / "out.onnx"), by_name(name).build())
    else:
        assert_refusal(done)
        assert list(tmp_path.iterdir()) == []


def test_emit_names_the_kind_where_the_ending_does_not(tmp_path):
    source = by_name("plain_head").write(tmp_path)
    run_ok(source, "-o", tmp_path / "copy.bin", "--no-rewrite", "--emit=onnx")
    assert (tmp_path / "copy.bin").read_bytes() == source.read_bytes()
    run_ok(source, "-o", tmp_path / "text", "--no-rewrite", "--emit=mlir")
    assert b"onnx" in (tmp_path / "text").read_bytes()
    run_ok(source, "-o", tmp_path / "bytecode", "--no-rewrite", "--emit=mlirbc")
    assert (tmp_path / "bytecode").read_bytes().startswith(b"ML\xefR")
    run_ok(source, "-o", tmp_path / "onnx_text", "--no-rewrite", "--emit=onnxtxt")
    onnx.parser.parse_model((tmp_path / "onnx_text").read_text())


def test_without_output_nothing_is_written(tmp_path):
    source = by_name("plain_head").write(tmp_path)
    before = snapshot(tmp_path)
    done = run(source, "--no-rewrite", cwd=tmp_path)
    assert done.rc == 0, str(done)
    assert snapshot(tmp_path) == before


def test_report_is_json(tmp_path):
    source = by_name("plain_head").write(tmp_path)
    run_ok(source, "-o", tmp_path / "copy.onnx", "--no-rewrite", f"--report={tmp_path / 'report.json'}")
    assert isinstance(json.loads((tmp_path / "report.json").read_text()), dict)
    assert (tmp_path / "copy.onnx").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("ending", ["onnx", "mlir"])
def test_output_has_ordinary_permissions(ending, tmp_path):
    """A temporary file is private; what it becomes must not be."""
    source = by_name("plain_head").write(tmp_path)
    target = tmp_path / f"copy.{ending}"
    run_ok(source, "-o", target, "--no-rewrite", preexec_fn=lambda: os.umask(0o027))
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_unchanged_by_the_default_pipeline(tmp_path):
    """A model without a head: nothing is rewritten, so the bytes are the input's."""
    source = by_name("large_tensors_everywhere").write(tmp_path)
    run_ok(source, "-o", tmp_path / "copy.onnx")
    assert (tmp_path / "copy.onnx").read_bytes() == source.read_bytes()


# ---------------------------------------------------------------------------
# References into the model file
# ---------------------------------------------------------------------------


def test_large_tensors_are_referenced(tmp_path):
    """The text of a model with 4 MiB of weights is short, and so is its bytecode."""
    weights = [fixtures.raw_floats(f"w{i}", (512, 512), [float(i)] * 512 * 512) for i in range(4)]
    model = fixtures.model(fixtures.graph([], [], [], weights))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    for kind in ("mlir", "mlirbc"):
        middle = tmp_path / f"model.{kind}"
        run_ok(tmp_path / "model.onnx", "-o", middle, "--no-rewrite")
        assert middle.stat().st_size < 16_384
        run_ok(middle, "-o", tmp_path / "back.onnx", "--no-rewrite")
        assert_same_model(read_model(tmp_path / "back.onnx"), model)


@pytest.mark.parametrize("kind", ["mlir", "mlirbc"])
def test_references_hold_from_another_folder(kind, tmp_path):
    """Written under relative names in one folder, read under others from another one."""
    for folder in ("models", "text", "elsewhere"):
        (tmp_path / folder).mkdir()
    source = by_name("large_tensors_everywhere").write(tmp_path / "models")
    run_ok("model.onnx", "-o", f"../text/m.{kind}", "--no-rewrite", cwd=tmp_path / "models")
    run_ok(tmp_path / "text" / f"m.{kind}", "-o", "back.onnx", "--no-rewrite", cwd=tmp_path / "elsewhere")
    assert_same_model(read_model(tmp_path / "elsewhere" / "back.onnx"), read_model(source))
    run_ok(f"text/m.{kind}", "-o", "back.onnx", "--no-rewrite", cwd=tmp_path)
    assert_same_model(read_model(tmp_path / "back.onnx"), read_model(source))


@pytest.mark.parametrize(
    "file_name", ["two words.onnx", "q\"uo'te.onnx", "back\\slash.onnx", "ü 漢字.onnx", "new\nline.onnx", "%25@#.onnx"]
)
def test_odd_file_names(file_name, tmp_path):
    source = by_name("head_with_large_weight").write(tmp_path, file_name)
    run_ok(source, "-o", tmp_path / "m.mlir", "--no-rewrite")
    run_ok(tmp_path / "m.mlir", "-o", tmp_path / ("back " + file_name), "--no-rewrite")
    assert_same_model(read_model(tmp_path / ("back " + file_name)), read_model(source))


def test_model_beyond_two_gigabytes(tmp_path):
    """Two weights of 1.2 GB each, as holes in a sparse file: read without touching them."""
    size = 1_200_000_000
    tensors = []
    for name in (b"first", b"last"):
        fields = fixtures.number(1, size // 4) + fixtures.number(2, 1) + fixtures.block(8, name)
        tensors.append(fields + fixtures.varint(9 << 3 | 2) + fixtures.varint(size))
    small = fixtures.raw_floats("small", (2,)).SerializeToString()
    tail = fixtures.block(5, small) + fixtures.block(2, b"g")
    prefixes = [fixtures.varint(5 << 3 | 2) + fixtures.varint(len(t) + size) + t for t in tensors]
    graph_size = sum(map(len, prefixes)) + 2 * size + len(tail)
    path = tmp_path / "model.onnx"
    with path.open("wb") as out:
        out.write(fixtures.number(1, 8) + fixtures.block(8, fixtures.number(2, 17)))
        out.write(fixtures.varint(7 << 3 | 2) + fixtures.varint(graph_size))
        for prefix in prefixes:
            out.write(prefix)
            out.seek(size, os.SEEK_CUR)
        out.write(tail)
    try:
        run_ok(path, "-o", tmp_path / "model.mlir", "--no-rewrite")
        text = (tmp_path / "model.mlir").read_text()
        assert len(text) < 16_384
        assert str(size) in text and "last" in text and "small" in text
        run_ok(tmp_path / "model.mlir", "-o", tmp_path / "model.mlirbc", "--no-rewrite")
    finally:
        path.unlink()


# ---------------------------------------------------------------------------
# Output on top of the input
# ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain_head", "large_tensors_everywhere", "external_everywhere"])
def test_output_is_the_input(name, tmp_path):
    source = by_name(name).write(tmp_path)
    content = source.read_bytes()
    files = sorted(snapshot(tmp_path))
    run_ok(source, "-o", source, "--no-rewrite")
    assert source.read_bytes() == content
    assert sorted(snapshot(tmp_path)) == files
    run_ok("model.onnx", "-o", "./model.onnx", "--no-rewrite", cwd=tmp_path)
    assert source.read_bytes() == content
    assert sorted(snapshot(tmp_path)) == files


def test_output_is_the_file_that_the_text_refers_to(tmp_path):
    """The weights are read from the file that is about to be replaced."""
    source = by_name("large_tensors_everywhere").write(tmp_path)
    original = read_model(source)
    run_ok(source, "-o", tmp_path / "model.mlir", "--no-rewrite")
    run_ok(tmp_path / "model.mlir", "-o", source, "--no-rewrite")
    assert_same_model(read_model(source), original)
    assert sorted(snapshot(tmp_path)) == ["model.mlir", "model.onnx"]


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic link", "hard link"])
def test_output_is_a_link_to_the_input(link, tmp_path):
    source = by_name("large_tensors_everywhere").write(tmp_path)
    content = source.read_bytes()
    link(source, tmp_path / "other.onnx")
    run_ok(source, "-o", tmp_path / "other.onnx", "--no-rewrite")
    assert source.read_bytes() == content
    assert (tmp_path / "other.onnx").read_bytes() == content
    assert sorted(snapshot(tmp_path)) == ["model.onnx", "other.onnx"]


def test_mlir_output_is_the_input(tmp_path):
    source = by_name("all_at_once").write(tmp_path)
    run_ok(source, "-o", tmp_path / "model.mlir", "--no-rewrite")
    content = (tmp_path / "model.mlir").read_bytes()
    run_ok(tmp_path / "model.mlir", "-o", tmp_path / "model.mlir", "--no-rewrite")
    assert (tmp_path / "model.mlir").read_bytes() == content


def test_longest_file_name(tmp_path):
    """255 bytes is all a name may have: a temporary name must not be longer."""
    source = by_name("plain_head").write(tmp_path, "i" * 250 + ".onnx")
    for ending in (".onnx", ".mlir"):
        target = tmp_path / ("o" * (255 - len(ending)) + ending)
        run_ok(source, "-o", target, "--no-rewrite")
        assert target.is_file()
    assert len(list(tmp_path.iterdir())) == 3


def test_output_to_a_device(tmp_path):
    """A device is written to, not replaced by a file."""
    source = by_name("plain_head").write(tmp_path)
    null = tmp_path / "null"
    try:
        os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("needs the right to make a device node")
    run_ok(source, "-o", null, "--no-rewrite", "--emit=onnx")
    run_ok(source, "-o", null, "--no-rewrite", "--emit=mlir")
    assert stat.S_ISCHR(null.stat().st_mode)
    assert sorted(snapshot(tmp_path)) == ["model.onnx", "null"]


def test_an_existing_output_is_replaced(tmp_path):
    source = by_name("plain_head").write(tmp_path)
    (tmp_path / "out.onnx").write_bytes(b"longer than the model that replaces it" * 1000)
    run_ok(source, "-o", tmp_path / "out.onnx", "--no-rewrite")
    assert (tmp_path / "out.onnx").read_bytes() == source.read_bytes()


# ---------------------------------------------------------------------------
# External data
# ---------------------------------------------------------------------------


def external_bytes(model, folder) -> list[bytes]:
    """The bytes of every tensor, read by nothing but the ONNX rules for external data."""
    found = []
    for tensor in all_tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            found.append(tensor.SerializeToString(deterministic=True))
            continue
        entries = {e.key: e.value for e in tensor.external_data}
        content = (folder / entries["location"]).read_bytes()
        offset = int(entries.get("offset", 0))
        length = int(entries.get("length", len(content) - offset))
        assert offset + length <= len(content)
        found.append(content[offset : offset + length])
    return found


def without_external_entries(model):
    bare = copy.deepcopy(model)
    for tensor in all_tensors(bare):
        del tensor.external_data[:]
    return bare


def assert_moved(source, target) -> None:
    """Same model and same tensor bytes; the bytes lie in one file beside the target."""
    before, after = read_model(source), read_model(target)
    assert_same_model(without_external_entries(after), without_external_entries(before))
    assert external_bytes(after, target.parent) == external_bytes(before, source.parent)
    digest = hashlib.sha1((target.parent / (target.name + ".data")).read_bytes()).hexdigest()
    for tensor in all_tensors(after):
        entries = {e.key: e.value for e in tensor.external_data}
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            assert entries["location"] == target.name + ".data"
            # A checksum is of the whole file: of the new one, if it is kept.
            assert entries.get("checksum", digest) == digest
    assert sorted(p.name for p in target.parent.iterdir()) == [target.name, target.name + ".data"]
    onnx.checker.check_model(str(target))


@EXTERNAL_FIXTURES
@pytest.mark.parametrize("through", ["", "mlir", "mlirbc"], ids=["straight", "mlir", "mlirbc"])
@pytest.mark.parametrize("names", ["absolute", "bare", "another cwd"])
def test_external_data_in_the_same_folder(fixture, through, names, tmp_path):
    """The reference stays, the data file is not touched, nothing else appears."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    fixture.write(home)
    before = snapshot(home)
    prefix = {"absolute": f"{home}/", "bare": "", "another cwd": "../home/"}[names]
    cwd = home if names == "bare" else elsewhere
    start = prefix + "model.onnx"
    if through:
        run_ok(start, "-o", f"{prefix}middle.{through}", "--no-rewrite", cwd=cwd)
        start = f"{prefix}middle.{through}"
    run_ok(start, "-o", prefix + "copy.onnx", "--no-rewrite", cwd=cwd)
    assert_same_model(read_model(home / "copy.onnx"), fixture.build())
    if not through:
        assert (home / "copy.onnx").read_bytes() == (home / "model.onnx").read_bytes()
    after = snapshot(home)
    assert after.pop("copy.onnx")
    after.pop(f"middle.{through}", None)
    assert after == before
    assert list(elsewhere.iterdir()) == []


@EXTERNAL_FIXTURES
@pytest.mark.parametrize("through", ["", "mlir", "mlirbc"], ids=["straight", "mlir", "mlirbc"])
@pytest.mark.parametrize("names", ["absolute", "bare input", "bare output"])
def test_external_data_to_another_folder(fixture, through, names, tmp_path):
    """The bytes are copied beside the output, so that it loads; the source stays as it was."""
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    fixture.write(home)
    before = snapshot(home)
    to_home = {"absolute": f"{home}/", "bare input": "", "bare output": "../home/"}[names]
    to_away = {"absolute": f"{away}/", "bare input": "../away/", "bare output": ""}[names]
    cwd = {"absolute": tmp_path, "bare input": home, "bare output": away}[names]
    start = to_home + "model.onnx"
    if through:
        run_ok(start, "-o", f"{to_home}middle.{through}", "--no-rewrite", cwd=cwd)
        start = f"{to_home}middle.{through}"
    run_ok(start, "-o", to_away + "moved.onnx", "--no-rewrite", cwd=cwd)
    assert_moved(home / "model.onnx", away / "moved.onnx")
    after = snapshot(home)
    after.pop(f"middle.{through}", None)
    assert after == before


def test_external_data_twice_moved(tmp_path):
    """What was moved once is an ordinary model with external data."""
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
    source = by_name("external_everywhere").write(folders[0])
    run_ok(source, "-o", folders[1] / "m.onnx", "--no-rewrite")
    run_ok(folders[1] / "m.onnx", "-o", folders[2] / "m.onnx", "--no-rewrite")
    shutil.rmtree(folders[0])
    assert_moved(folders[1] / "m.onnx", folders[2] / "m.onnx")


def test_external_data_same_folder_by_a_detour(tmp_path):
    """One folder under three spellings is still the same folder."""
    home = tmp_path / "home"
    (home / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(home)
    fixture = by_name("external_two_tensors_in_one_file")
    fixture.write(home)
    for target in (home / "below" / ".." / "copy.onnx", tmp_path / "link" / "copy.onnx"):
        run_ok(home / "model.onnx", "-o", target, "--no-rewrite")
        assert (home / "copy.onnx").read_bytes() == (home / "model.onnx").read_bytes()
        assert not (home / "copy.onnx.data").exists()
        (home / "copy.onnx").unlink()


def test_external_data_beyond_four_gigabytes(tmp_path):
    """An offset that needs more than 32 bits, in a file of holes."""
    offset = 5_000_000_000
    with (tmp_path / "w.bin").open("wb") as data:
        data.seek(offset)
        data.write(struct.pack("<1024f", *range(1024)))
    w = fixtures.external_tensor("w", 1, (1024,), location="w.bin", offset=offset, length=4096)
    model = fixtures.model(fixtures.graph([], [], [fixtures.value("w", (1024,))], [w]))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "away").mkdir()
    try:
        run_ok(tmp_path / "model.onnx", "-o", tmp_path / "model.mlir", "--no-rewrite")
        run_ok(tmp_path / "model.mlir", "-o", tmp_path / "back.onnx", "--no-rewrite")
        assert_same_model(read_model(tmp_path / "back.onnx"), model)
        # Only the bytes that the model names are worth copying.
        run_ok(tmp_path / "model.onnx", "-o", tmp_path / "away" / "m.onnx", "--no-rewrite")
        copied = tmp_path / "away" / "m.onnx.data"
        assert copied.stat().st_blocks * 512 < 1_000_000
        assert external_bytes(read_model(tmp_path / "away" / "m.onnx"), tmp_path / "away") == [
            struct.pack("<1024f", *range(1024))
        ]
    finally:
        for path in tmp_path.rglob("*.bin"):
            path.unlink()
        for path in tmp_path.rglob("*.data"):
            path.unlink()


def test_model_named_by_a_symbolic_link(tmp_path):
    """Beside the data, so that looking from the link or from its target finds the same file."""
    by_name("external_two_tensors_in_one_file").write(tmp_path)
    (tmp_path / "link.onnx").symlink_to("model.onnx")
    run_ok(tmp_path / "link.onnx", "-o", tmp_path / "copy.onnx", "--no-rewrite")
    assert (tmp_path / "copy.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()
