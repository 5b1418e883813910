#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The heads of test_heads.py on a real device, which may be another machine's.

    on_card.py --prepare FOLDER --target cuda:sm_90     # where head-opt is
    on_card.py FOLDER                                   # where the device is

The second needs Python with NumPy, ml_dtypes, onnx and pytest, and the driver;
neither head-opt nor a compiler. It compares what test_heads.py compares: results
with the reference, within what rounding allows, and each sample's bits with those
that it has alone.
"""

import argparse
import concurrent.futures
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "Lowering"), str(HERE.parents[1] / "Emulator"),
                str(HERE.parent)]  # fmt: skip

import device  # noqa: E402  (needs the paths)
import lowering  # noqa: E402
import test_heads  # noqa: E402
from headopt import BF16, F16, F32  # noqa: E402
from lowering import Head, nhwc  # noqa: E402

# Each call is in a process of its own, which waits for the driver most of the time.
WORKERS = 8
MAPS = [(1, 1), (1, 3), (5, 5), (7, 7), (16, 8), (33, 32), (140, 120), (257, 256)]


def list_heads():
    """(head, batches) for all of them."""
    for head in test_heads.HEADS:
        yield head, (head.batch,) if head.batch != "N" else (0, 1, 3, 9, 70)
    for pixels in test_heads.ROWS:
        for type_ in (F32, F16, BF16):
            yield Head((3, pixels), type=type_), (1, 47)
    for pixels in test_heads.LONG_ROWS:
        for type_ in (F32, F16, BF16):
            yield Head((2, pixels), type=type_), (1, 2)
    for head in test_heads.HIGH_COLUMNS:
        yield head, (1, 2)
    for type_ in (F32, F16, BF16):
        yield nhwc(2048, 7, 7, type=type_), (1, 65)
        yield Head((2048, 7, 7), type=type_, layers=(1000,)), (1, 65)
        yield nhwc(512, 19, 19, type=type_), (1, 9)
    for head in test_heads.DYNAMIC:
        yield head, ()


class CardHead(device.DeviceHead):
    """A head that was compiled before, called by the machine's own driver."""

    def __init__(self, head, target, library):
        self.head, self.target, self.library = head, target, library
        self.interface = device.INTERFACES[target.split(":")[0]]
        self.function = f"head_{self.interface}"
        if self.interface != "vulkan":
            self.function += "_host"
        self.folder = library.with_suffix("")
        self.folder.mkdir(exist_ok=True)

    def environment(self, **options):
        return dict(os.environ)


def prepare(folder, target):
    folder.mkdir(parents=True)
    (folder / "target").write_text(target)
    for i, (head, _) in enumerate(list_heads()):
        library = folder / f"{i}.so"
        model = device.save(head, folder)
        device.compile_model(model, library, target, "--name=head")
        library.with_suffix(".h").unlink()
        model.unlink()
    print(f"{folder}: {i + 1} heads for {target}")


def check(function, batches):
    """What is wrong with it; empty if nothing is."""
    try:
        if batches:
            device.check(function, batches)
            return ""
        cases = []
        for spatial in MAPS:
            features = lowering.random_features(function.head, 2, spatial)
            cases.append(device.Case(features, f"{spatial}"))
        for case, output in zip(cases, function.run(cases)):
            value, error = lowering.reference(function.head, case.features)
            lowering.assert_close(output, value, error, f"{function} {case.what}")
    except AssertionError as error:
        return str(error) or "an assertion fails"
    return ""


def run(folder):
    target = (folder / "target").read_text()
    heads = list(list_heads())
    functions = [
        CardHead(head, target, folder / f"{i}.so")
        for i, (head, _) in enumerate(heads)
    ]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        wrong = list(pool.map(check, functions, (b for _, b in heads)))
    for (head, _), text in zip(heads, wrong):
        if text:
            print(f"{head.label()}: {text.splitlines()[0]}")
    count = sum(map(bool, wrong))
    print(f"{len(heads) - count} of {len(heads)} heads for {target} are right")
    return 1 if count else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--target", default="cuda:sm_80")
    args = parser.parse_args()
    if args.prepare:
        return prepare(args.folder, args.target)
    return run(args.folder)


if __name__ == "__main__":
    sys.exit(main())
