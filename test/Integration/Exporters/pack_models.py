#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packs a folder of models and its expected.json into the two files here.

    pack_models.py FOLDER [--check]

Writes models.tar.xz and expected.json beside this script. The archive is the same
for the same models, whoever packs them and when: names are sorted, and it holds no
owner, no time and no permissions but 0644. With --check nothing is written, and the
exit status says whether the two files are what would be written.

Every model needs an entry in expected.json and the other way round. Files that
models name as external data are packed too.
"""

import argparse
import io
import json
import lzma
import re
import sys
import tarfile
from pathlib import Path

import onnx
from onnx.external_data_helper import uses_external_data

HERE = Path(__file__).resolve().parent
LIMIT = 4 << 20  # bytes of the archive; git keeps every version of it


def tensors(graph):
    """Every tensor of a graph and of the graphs inside it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in [attribute.g] * attribute.HasField("g") + list(
                attribute.graphs
            ):
                yield from tensors(inner)


def external_files(path):
    """The names of the files in which a model keeps data."""
    model = onnx.load(path, load_external_data=False)
    return {
        entry.value
        for tensor in tensors(model.graph)
        if uses_external_data(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    }


def pack(folder):
    """The bytes of the archive."""
    models = sorted(p.name for p in folder.glob("*.onnx"))
    names = set(models).union(*(external_files(folder / m) for m in models))
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(names):
            data = (folder / name).read_bytes()
            entry = tarfile.TarInfo(name)  # owner 0, time 0, mode 0644
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    # One stream: models of one kind share most of their bytes.
    packed = lzma.compress(
        tar.getvalue(), check=lzma.CHECK_CRC64, preset=9 | lzma.PRESET_EXTREME
    )
    if len(packed) > LIMIT:
        sys.exit(f"{len(packed)} bytes are too many; leave large models out")
    return packed


def readable(expected):
    """JSON with one line for each list of numbers or words."""
    text = json.dumps(expected, indent=2, sort_keys=True)
    short = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")
    return (
        short.sub(lambda m: "[" + re.sub(r",\s+", ", ", m[1]) + "]", text) + "\n"
    ).encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    expected = json.loads((options.folder / "expected.json").read_text())
    there = {p.name for p in options.folder.glob("*.onnx")}
    if odd := sorted(there ^ set(expected)):
        sys.exit(f"only a model, or only an entry: {', '.join(odd)}")
    files = {
        HERE / "models.tar.xz": pack(options.folder),
        HERE / "expected.json": readable(expected),
    }
    if options.check:
        stale = [p.name for p, data in files.items() if p.read_bytes() != data]
        sys.exit(f"differs: {', '.join(stale)}" if stale else 0)
    for path, data in files.items():
        path.write_bytes(data)
    print(f"{len(expected)} models, {len(files[HERE / 'models.tar.xz']):,} bytes")


if __name__ == "__main__":
    main()
