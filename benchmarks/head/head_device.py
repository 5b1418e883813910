#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole heads on an NVIDIA GPU, next to PyTorch as it is and compiled, in
turns. Prints Markdown; README.md says how to read it.

`--prepare` compiles the heads; `--measure` needs a GPU and Python with PyTorch,
ml_dtypes and onnx, but neither head-opt nor a CUDA toolkit.
"""

import argparse
import itertools
import json
import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "pool"), str(HERE.parent / "lib")]

from run import HEADS  # noqa: E402  (needs the path, and comes before device's)

import device  # noqa: E402
import device_report as report  # noqa: E402
from bench import ROOT, VENV, geometric_mean, note, print_table  # noqa: E402
from device_card import Card, Head, Unable, first_line  # noqa: E402

BATCHES = (1, 8, 64, 1024)
LIST = "heads.json"
PEERS = ("PyTorch", "compiled PyTorch")


def label(widths, type_name):
    return f"{'-'.join(map(str, widths))} {type_name}"


def make_case(widths, type_name, batch=1):
    from cases import Case

    return Case(
        "-".join(map(str, widths)), widths[0], (7, 7), "NCHW", type_name,
        batch, layers=tuple(widths[1:]),
    )  # fmt: skip


def prepare(args, folder):
    """Compiles all heads that match into a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    heads = []
    for type_name, widths in itertools.product(("f32", "f16", "bf16"), HEADS):
        if not re.search(args.only, label(widths, type_name)):
            continue
        library = f"{'-'.join(map(str, widths))}-{type_name}.so"
        model = folder / "model.onnx"
        model.write_bytes(
            make_case(widths, type_name).model("N").SerializeToString()
        )
        device.call_head_opt(args, model, folder / library)
        model.unlink()
        heads.append({"widths": widths, "type": type_name, "library": library})
    for unwanted in folder.glob("*.h"):
        unwanted.unlink()
    (folder / LIST).write_text(
        json.dumps({"chip": args.chip, "head_opt": device.read_commit(),
                    "heads": heads}),
        "utf-8",
    )  # fmt: skip


class Layers:
    """The same head in PyTorch."""

    def __init__(self, card, case):
        self.torch = card.torch
        kind = card.types[case.type]
        self.weights = [
            [
                card.torch.from_numpy(array.astype("float32")).to("cuda", kind)
                for array in pair
            ]
            for pair in case.weights()
        ]

    def __call__(self, x):
        nn, value = self.torch.nn.functional, x.mean((2, 3))
        for index, (weight, bias) in enumerate(self.weights):
            value = nn.linear(value, weight, bias)
            if index + 1 < len(self.weights):
                value = nn.relu(value)
        return nn.softmax(value, 1) if len(self.weights) > 1 else value


def to_card(card, array, type_name):
    """A numpy array's bytes as a tensor on the card."""
    raw = card.torch.from_numpy(array.view("uint8").reshape(-1)).cuda()
    return raw.view(card.types[type_name]).reshape(array.shape)


def judge(card, head, case, features):
    """Raises Unable if results are wrong, or a sample's bits depend on its
    place in the batch or on where memory starts.
    """
    import numpy as np

    torch = card.torch
    wanted = case.expected(features)
    tensor = to_card(card, features, case.type)
    outputs = wanted.shape[1]
    first = None
    for batch, turned in itertools.product((1, 7, 8, 9, 64), (False, True)):
        x = tensor[:batch]
        x = x.flip(0).contiguous() if turned else x
        shift = case.numpy.itemsize if turned else 0
        memory = torch.zeros(
            x.numel() * x.element_size() + shift, dtype=torch.uint8,
            device="cuda",
        )  # fmt: skip
        memory[shift:] = x.reshape(-1).view(torch.uint8)
        y = torch.full(
            (batch, outputs), float("nan"), dtype=x.dtype, device="cuda"
        )
        torch.cuda.synchronize()
        card.run([lambda m=memory, s=shift, n=batch, y=y: head(
            m.data_ptr() + s, n, y.data_ptr(), card.handle)])  # fmt: skip
        torch.cuda.synchronize()
        y = y.flip(0) if turned else y
        error = np.abs(y.double().cpu().numpy() - wanted[:batch]).max()
        if not error <= case.tolerance:
            raise Unable(f"wrong: by {error:.3g} in a batch of {batch}")
        bits = y[0].view(torch.uint8).cpu()
        first = bits if first is None else first
        if not torch.equal(first, bits):
            raise Unable(f"other bits in a batch of {batch}")


def measure_head(card, entry, folder, repeats, compiled):
    """The rows of one head."""
    import numpy as np

    widths, type_name = entry["widths"], entry["type"]
    case = make_case(widths, type_name)
    head = Head(folder / entry["library"], "head")
    random = np.random.default_rng(1)
    shape = (max(BATCHES), *case.extents)
    features = random.uniform(-0.5, 1, shape).astype(case.numpy)
    judge(card, head, case, features[:64])
    layers = Layers(card, case)
    tensor = to_card(card, features, type_name)
    rows = []
    for batch in BATCHES:
        x = tensor[:batch]
        y = card.torch.empty(
            (batch, widths[-1]), dtype=x.dtype, device="cuda"
        )
        card.forget_compiled()
        functions = [lambda x=x, n=batch, y=y: head(
            x.data_ptr(), n, y.data_ptr(), card.handle)]  # fmt: skip
        functions.append(lambda x=x: layers(x))
        if compiled:
            fast = card.torch.compile(lambda x: layers(x), dynamic=False)
            functions.append(lambda x=x, f=fast: f(x))
        turns, everybody = [], []
        with card.torch.no_grad():
            for name, call in zip((report.OURS, *PEERS), functions):
                figures = report.Figures(name)
                everybody.append(figures)
                try:
                    turns.append(device.Turn(card, figures, [call]))
                except Exception as error:  # others' code may raise anything
                    figures.trouble = first_line(error)
                    card.synchronize()
            for _ in range(repeats):
                for turn in turns:
                    turn.take()
        rows.append((batch, everybody))
    return rows


def measure(args, card):
    listed = json.loads((args.measure / LIST).read_text("utf-8"))
    print(f"* head-opt: {listed['head_opt']}, for {listed['chip']}")
    for name, value in card.describe().items():
        print(f"* {name}: {value}")
    table, ratios, wrong = [], [], 0
    for entry in listed["heads"]:
        name = label(entry["widths"], entry["type"])
        if not re.search(args.only, name):
            continue
        try:
            rows = measure_head(
                card, entry, args.measure, args.repeats, args.compiled
            )
        except Unable as reason:
            table.append([name, str(reason)] + ["-"] * 5)
            wrong += 1
            card.synchronize()
            continue
        note(name)
        for batch, (ours, *peers) in rows:
            best = min(peer.device for peer in peers)
            ratios.append((best / ours.device, f"{name} N={batch}"))
            table.append(
                [f"{name} N={batch}", report.microseconds(ours.device),
                 report.percent(ours.spread),
                 *(report.microseconds(peer.device) for peer in peers),
                 f"{best / ours.device:.2f}"]
            )  # fmt: skip
    names = PEERS if args.compiled else PEERS[:1]
    print()
    print_table(["head", "us", "±", *(f"{n} us" for n in names), "x best"],
                table)  # fmt: skip
    if ratios:
        behind = [f"{name} ({x:.2f})" for x, name in sorted(ratios) if x < 1]
        print(f"\n* the best of them over head-opt: geometric mean "
              f"{geometric_mean([x for x, _ in ratios]):.2f}")  # fmt: skip
        print(f"* behind: {len(behind)} of {len(ratios)} cases: "
              f"{'; '.join(behind)}")  # fmt: skip
    return 1 if wrong else 0


def main(argv):
    parser = argparse.ArgumentParser(
        description="Time whole heads on an NVIDIA GPU; prints Markdown."
    )
    folder = {"type": pathlib.Path, "metavar": "FOLDER"}
    step = parser.add_mutually_exclusive_group(required=True)
    step.add_argument(
        "--prepare", **folder,
        help="compile the heads into this folder, which is made anew",
    )  # fmt: skip
    step.add_argument(
        "--measure", **folder, help="measure what was compiled there"
    )
    parser.add_argument("--chip", metavar="sm_XX", default="sm_80")
    parser.add_argument(
        "--head-opt", default=str(ROOT / "build" / "bin" / "head-opt"),
        metavar="PROGRAM", help="default: build/bin/head-opt",
    )  # fmt: skip
    parser.add_argument(
        "--only", metavar="REGEX", default="",
        help="heads whose label matches, such as '2048-1000 f16'",
    )  # fmt: skip
    parser.add_argument(
        "--repeats", type=int, metavar="N", default=3,
        help="rounds in which everybody takes a turn (default: 3)",
    )  # fmt: skip
    parser.add_argument(
        "--compiled", action="store_true", help="compile PyTorch's heads, too"
    )
    args = parser.parse_args(argv)
    if args.prepare:
        prepare(args, args.prepare)
        return 0
    try:
        return measure(args, Card())
    except (Unable, OSError) as reason:
        device.fail(first_line(reason))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
