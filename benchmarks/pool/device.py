#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Global average pools on an NVIDIA GPU: head-opt's kernels, copies of as many
bytes, PyTorch, compiled PyTorch, Triton and cuDNN, in turns. Prints Markdown;
README.md says how to read it.

`--prepare` compiles the pools; `--measure` needs a GPU and Python with PyTorch,
but neither head-opt nor a CUDA toolkit. run.py --device calls this.
"""

import argparse
import functools
import gc
import importlib.util
import itertools
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]

import device_report as report  # noqa: E402  (needs the path)
from bench import ROOT, VENV, note  # noqa: E402
from device_card import (  # noqa: E402
    ALIGNMENT,
    Card,
    Head,
    Unable,
    fail,
    first_line,
)

FOLDER = ROOT / "build" / "device-pool"
MANIFEST, FORMAT = "manifest.json", 1
TYPE_BYTES = {"f32": 4, "f16": 2, "bf16": 2}
BATCHES = (1, 64, 1024)
# Cold runs rotate through inputs of so many times the L2.
ROTATION = 4
# A graph of calls takes about this long, and a round of replays that.
GRAPH_SECONDS, ROUND_SECONDS, SLOW_SECONDS = 0.002, 0.008, 0.05
MOST_CALLS = 1000
# Calls from Python, one after another, timed together.
CALLS_SECONDS, MOST_QUEUED = 0.002, 50
EMPTY_CALLS = 1000
BIG_COPY = 1 << 30
# Of the free memory, what inputs take; copies get half as much.
MEMORY_SHARE = 0.5
# Kinds of peers that are compiled for each case.
COMPILED = ("compiled", "triton")
# Compiling peers ahead of time, in processes beside each other.
WORKERS, WORKER_BYTES, WORKER_SECONDS = 12, 1 << 30, 150


@dataclass(frozen=True)
class DeviceCase:
    """One row of the table.

    >>> case = DeviceCase("512x7x7", 512, (7, 7), "NHWC", "f16", 64, "cold")
    >>> case.label, case.feature_bytes, case.shape
    ('512x7x7 NHWC f16 N=64 cold', 3211264, (64, 7, 7, 512))
    """

    name: str
    channels: int
    spatial: tuple
    layout: str
    type: str
    batch: int
    mode: str
    library: str = ""

    @property
    def label(self):
        return (
            f"{self.name} {self.layout} {self.type} N={self.batch} {self.mode}"
        )

    @property
    def shape(self):
        if self.layout == "NCHW":
            return (self.batch, self.channels, *self.spatial)
        return (self.batch, *self.spatial, self.channels)

    @property
    def length(self):
        return math.prod(self.spatial)

    @property
    def feature_bytes(self):
        return math.prod(self.shape) * TYPE_BYTES[self.type]

    @property
    def output_bytes(self):
        return self.batch * self.channels * TYPE_BYTES[self.type]

    def inputs(self, cache_bytes):
        """How many inputs a run rotates through."""
        if self.mode == "warm":
            return 1
        return max(2, -(-ROTATION * cache_bytes // self.feature_bytes))


def aligned(size):
    return -(-size // ALIGNMENT) * ALIGNMENT


# --- Compiling, where head-opt is ---------------------------------------------


def prepare(args, folder):
    """Compiles all pools into the folder; leaves nothing behind on an error."""
    if importlib.util.find_spec("onnx") is None:
        prepare_elsewhere(args, folder)
        return
    if not os.access(args.head_opt, os.X_OK):
        fail(f"{args.head_opt} is not there; build it first (utils/check.sh)")
    if folder.exists() and not (folder / MANIFEST).exists():
        fail(f"{folder}: is there and was not made by --prepare; "
             "give another folder")  # fmt: skip
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = pathlib.Path(tempfile.mkdtemp(dir=folder.parent, prefix=".device-"))
    try:
        made.chmod(0o755)
        size = compile_pools(args, made)
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    except OSError as error:
        fail(f"{folder}: {error.strerror}")
    finally:
        shutil.rmtree(made, ignore_errors=True)
    note(f"{folder}: compiled for {args.chip}, {size / 2**20:.1f} MiB")


def prepare_elsewhere(args, folder):
    """The same in .deps/venv, which has onnx."""
    python = VENV / "bin" / "python"
    if not python.exists():
        fail("--prepare needs onnx: .deps/venv is not there; "
             "run utils/setup.sh first")  # fmt: skip
    done = subprocess.run(
        [python, HERE / "device.py", "--prepare", folder, "--chip", args.chip,
         "--head-opt", args.head_opt],
        check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.returncode)


def compile_pools(args, folder):
    """Libraries, the head of a PTX file with an empty kernel, and a list."""
    from cases import Case
    from run import MAPS

    heads, header = [], None
    for extents, layout, type_name in itertools.product(
        MAPS, ("NCHW", "NHWC"), TYPE_BYTES
    ):
        name = "x".join(map(str, extents))
        case = Case(name, extents[0], extents[1:], layout, type_name)
        file = f"{name}-{layout}-{type_name}"
        model = folder / "model.onnx"
        model.write_bytes(case.model("N").SerializeToString())
        call_head_opt(args, model, folder / f"{file}.so")
        if header is None:
            call_head_opt(args, model, folder / "one.ptx", "--emit=ptx")
            text = (folder / "one.ptx").read_text("utf-8")
            header = re.findall(r"^\.(?:version|target).*$", text, re.M)
            (folder / "one.ptx").unlink()
        model.unlink()
        heads.append(
            {"name": name, "channels": extents[0], "spatial": extents[1:],
             "layout": layout, "type": type_name, "library": f"{file}.so"}
        )  # fmt: skip
    for unwanted in folder.glob("*.h"):
        unwanted.unlink()
    (folder / "empty.ptx").write_text(
        "\n".join([*header, ".address_size 64",
                   ".visible .entry empty() { ret; }", ""]),
        "utf-8",
    )  # fmt: skip
    manifest = {
        "format": FORMAT,
        "chip": args.chip,
        "head_opt": read_commit(),
        "heads": heads,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
    return sum(file.stat().st_size for file in folder.iterdir())


def read_commit():
    """Of this checkout, where it is one."""
    try:
        return subprocess.run(
            ["git", "-C", ROOT, "describe", "--always", "--dirty",
             "--exclude=*"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "an unknown commit"


def call_head_opt(args, model, output, *flags):
    command = [args.head_opt, model, "-o", output, "--name=head", "--quiet",
               f"--target=cuda:{args.chip}", *flags]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not output.exists():
        lines = done.stderr.strip().splitlines() or ["wrote nothing"]
        fail(lines[-1].removeprefix("head-opt: error: "))


# --- Measuring, where the GPU is ----------------------------------------------


def read_manifest(folder):
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        if manifest["format"] != FORMAT:
            raise ValueError
    except OSError:
        fail(f"{folder}: there is no {MANIFEST}; run --prepare first")
    except (ValueError, KeyError, TypeError):
        fail(f"{folder}/{MANIFEST}: is of another version; run --prepare again")
    return manifest


def make_cases(manifest, args):
    """Larger shares of what matters first: a run with --limit may not end."""
    cases = [
        DeviceCase(
            head["name"], head["channels"], tuple(head["spatial"]),
            head["layout"], head["type"], batch, mode, head["library"],
        )
        for type_name, mode, batch in itertools.product(
            TYPE_BYTES, ("cold", "warm"), BATCHES
        )
        for head in manifest["heads"]
        if head["type"] == type_name
    ]  # fmt: skip
    if args.quick:
        cases = [c for c in cases if c.type == "f32" and c.batch <= 64]
    cases = [c for c in cases if re.search(args.only, c.label)]
    if not cases:
        fail("--only: no case matches")
    return cases


class Memory:
    """Inputs, and where copies of them go; made once, shared by all cases."""

    def __init__(self, card, cases):
        self.card, self.filled = card, None
        wanted = max(self.needed(case) for case in cases)
        self.size = min(wanted, int(card.free_bytes() * MEMORY_SHARE))
        self.size = self.size // (4 * ALIGNMENT) * (4 * ALIGNMENT)
        self.inputs = card.allocate(self.size)
        self.copies = card.allocate(self.size // 2 + ALIGNMENT)

    def needed(self, case):
        count = case.inputs(self.card.cache_bytes)
        return count * aligned(case.feature_bytes)

    def take(self, case):
        """The features of a case, filled, one after another."""
        if self.filled != case.type:
            size = TYPE_BYTES[case.type]
            whole = self.card.view(
                self.inputs, 0, (self.size // size,), case.type
            )
            self.card.fill(whole, whole=False)
            self.filled = case.type
        step = aligned(case.feature_bytes)
        return [
            self.card.view(self.inputs, i * step, case.shape, case.type)
            for i in range(case.inputs(self.card.cache_bytes))
        ]

    def copy_calls(self, features, case):
        """Copies that read half of the features and write as many bytes."""
        card, size = self.card, case.feature_bytes // 2
        step = aligned(case.feature_bytes) // 2
        target = self.copies.data_ptr()
        return [
            functools.partial(
                card.driver.copy, target + i * step, x.data_ptr(), size,
                card.handle,
            )
            for i, x in enumerate(features)
        ]  # fmt: skip


class Turn:
    """An entrant that is ready: calls for each input, and what they took."""

    def __init__(self, card, figures, calls, keep=None):
        self.card, self.figures, self.keep = card, figures, keep
        self.calls = itertools.cycle(calls)
        card.run(itertools.islice(self.calls, 2))
        card.synchronize()
        once = card.time([next(self.calls)])[0]
        few = 1 if once > SLOW_SECONDS else 5
        seconds = card.time([self.queue(few)])[0] / few
        self.queued = clamp(CALLS_SECONDS / seconds, 1, MOST_QUEUED)
        self.graph, self.replays = None, 0
        count = clamp(GRAPH_SECONDS / seconds, 1, MOST_CALLS)
        self.graph_calls = -(-count // len(calls)) * len(calls)
        try:
            self.graph = card.capture(
                list(itertools.islice(self.calls, self.graph_calls))
            )
        except Unable as reason:
            figures.trouble = str(reason)
            return
        seconds = card.time([self.graph])[0]
        if seconds < SLOW_SECONDS:
            self.replays = clamp(ROUND_SECONDS / seconds, 3, 10)
        else:
            self.replays = 1

    def queue(self, count):
        """A function that makes so many calls."""
        calls = list(itertools.islice(self.calls, count))

        def run():
            for call in calls:
                call()

        return run

    def take(self):
        """One round. The first of several finds the caches as others left
        them, and does not count.
        """
        if self.graph:
            first = 1 if self.replays > 1 else 0
            seconds = self.card.time([self.graph] * (self.replays + first))
            self.figures.replays += [
                s / self.graph_calls for s in seconds[first:]
            ]
        batches = [self.queue(self.queued) for _ in range(3)]
        _, *seconds = self.card.time(batches)
        self.figures.calls += [s / self.queued for s in seconds]


def clamp(value, low, high):
    return max(low, min(high, round(value)))


def start_ours(card, case, features, folder):
    """Calls of the head's C function, with results that are right."""
    head = Head(folder / case.library, "head")
    shape = (case.batch, case.channels)
    output = card.view(
        card.allocate(aligned(case.output_bytes)), 0, shape, case.type
    )
    calls = [
        functools.partial(
            head, x.data_ptr(), case.batch, output.data_ptr(), card.handle
        )
        for x in features
    ]
    axes = (2, 3) if case.layout == "NCHW" else (1, 2)
    # Sums of whole numbers are exact in any order, so the bound is narrow.
    for whole in (True, False):
        card.fill(features[0], whole=whole)
        reference = card.reference(features[0], axes)
        card.poison(output)
        card.synchronize()
        card.run(calls[:1])
        card.synchronize()
        card.judge(output, reference, case.type, case.length, exact=whole)
    return calls, reference, output


def start_peer(card, peer, case, features, reference):
    """Calls of a peer, with results that are right."""
    call = peer.start(card, case, features[0])
    results = []
    card.run([lambda: results.append(call(features[0]))])
    card.synchronize()
    card.judge(results.pop(), reference, case.type, case.length)
    return [functools.partial(call, x) for x in features]


def measure_case(card, case, peers, memory, folder, repeats):
    """Everybody in turns: a row of the table."""
    features = memory.take(case)
    everybody, turns = [report.Figures(report.OURS)], []
    try:
        calls, reference, output = start_ours(card, case, features, folder)
        turns.append(Turn(card, everybody[0], calls, output))
    except Unable as reason:
        everybody[0].trouble = str(reason)
        card.synchronize()
        return report.Row(case, everybody)
    everybody.append(report.Figures(report.COPY))
    turns.append(Turn(card, everybody[1], memory.copy_calls(features, case)))
    card.forget_compiled()
    for peer in peers:
        figures = report.Figures(peer.name, peer.kind)
        everybody.append(figures)
        try:
            calls = start_peer(card, peer, case, features, reference)
            turns.append(Turn(card, figures, calls))
        except Exception as error:  # others' code may raise what it likes
            figures.trouble = first_line(error)
            card.synchronize()
        else:
            figures.detail = getattr(peer, "detail", "")
    gc.disable()  # a pause would be somebody's time
    try:
        for number in range(repeats):
            shift = number % len(turns)
            for turn in turns[shift:] + turns[:shift]:
                turn.take()
    finally:
        gc.enable()
    return report.Row(case, everybody)


def measure_empty(card, folder, memory):
    """What a launch takes, and the rate of one large copy: as text and
    figures.
    """
    card.driver.load((folder / "empty.ptx").read_bytes(), "empty")
    launch = functools.partial(card.driver.launch, card.handle)
    card.run([launch] * 10)
    card.synchronize()
    graph = card.capture([launch] * EMPTY_CALLS)
    figures = report.Figures("empty")
    figures.replays = [s / EMPTY_CALLS for s in card.time([graph] * 10)[1:]]

    def queue():
        for _ in range(EMPTY_CALLS):
            launch()

    figures.calls = [s / EMPTY_CALLS for s in card.time([queue] * 6)[1:]]
    size = min(BIG_COPY, memory.size // 2)
    copy = functools.partial(
        card.driver.copy, memory.copies.data_ptr(), memory.inputs.data_ptr(),
        size, card.handle,
    )  # fmt: skip
    big = report.Figures("copy", replays=card.time([copy] * 12)[2:])
    text = {
        "empty kernel": f"{report.microseconds(figures.device)} us in a graph, "
        f"{report.microseconds(figures.call)} us called from Python",
        "copy": f"{2 * size / big.device / 1e9:.0f} GB/s read and written, "
        f"± {report.percent(big.spread)}, of {size / 2**20:.0f} MiB",
    }
    return text, {"empty": figures.record(), "big_copy": big.record(),
                  "big_copy_bytes": size}  # fmt: skip


def compile_ahead(args, cases, card):
    """Peers are compiled case by case, which would take most of the time:
    processes beside each other fill the caches on disk that PyTorch and Triton
    keep. Whatever goes wrong there shows up again when it is measured.
    """
    room = card.free_bytes() // (4 * WORKER_BYTES)
    count = min(WORKERS, (os.cpu_count() or 1) - 2, room, len(cases))
    if count < 2:
        return
    note(f"compiling peers in {count} processes")
    command = [sys.executable, HERE / "device.py", "--measure", args.measure,
               "--only", args.only, "--peers", args.peers,
               *["--quick"] * args.quick]  # fmt: skip
    environment = {**os.environ, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    workers = [
        subprocess.Popen(
            [*command, "--share", f"{i}/{count}"], env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for i in range(count)
    ]  # fmt: skip
    end = time.monotonic() + WORKER_SECONDS
    for worker in workers:
        try:
            worker.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def work_ahead(card, cases, share):
    """The part of one of those processes."""
    from device_peers import make_peers

    number, count = map(int, share.split("/"))
    peers, _ = make_peers(card)
    peers = [p for p in peers if re.search(args.peers, p.name)]
    turn = itertools.cycle(range(count))
    for case in dict.fromkeys(
        DeviceCase(**{**vars(case), "mode": "warm"}) for case in cases
    ):
        # Large inputs in one process alone, lest memory runs out.
        mine = 0 if case.feature_bytes > WORKER_BYTES else next(turn)
        if mine != number:
            continue
        memory = card.allocate(aligned(case.feature_bytes))
        features = card.view(memory, 0, case.shape, case.type)
        card.fill(features, whole=False)
        card.synchronize()
        card.forget_compiled()
        for peer in peers:
            if peer.kind not in COMPILED:
                continue
            try:
                call = peer.start(card, case, features)
                card.run([lambda call=call, x=features: call(x)])
                card.synchronize()
            except Exception as error:
                note(f"{case.label}, {peer.name}: {first_line(error)}")
        del memory, features
        card.free_bytes()


def measure(args, card):
    """The whole run; 0 where head-opt was right everywhere."""
    start = time.monotonic()
    folder = args.measure
    manifest = read_manifest(folder)
    cases = make_cases(manifest, args)
    wanted = int(re.match(r"sm_(\d+)", manifest["chip"])[1])
    if wanted > card.capability:
        fail(f"{folder}: is for {manifest['chip']}, and this card is "
             f"sm_{card.capability}; run --prepare with --chip "
             f"sm_{card.capability}")  # fmt: skip
    if args.share:
        work_ahead(card, cases, args.share)
        return 0
    peers, missing = [], {}
    if not args.no_peers:
        from device_peers import make_peers

        peers, missing = make_peers(card)
        peers = [p for p in peers if re.search(args.peers, p.name)]
    if any(peer.kind in COMPILED for peer in peers):
        compile_ahead(args, cases, card)
    text = {**card.describe(), "head-opt": f"{manifest['head_opt']}, "
            f"for {manifest['chip']}"}  # fmt: skip
    for peer in peers:
        if hasattr(peer, "version"):
            text[peer.name] = peer.version
    for name, reason in missing.items():
        text[f"without {name}"] = reason
    memory = Memory(card, cases)
    more, figures = measure_empty(card, folder, memory)
    about = {"text": {**text, **more}, "cache_bytes": card.cache_bytes,
             **figures}  # fmt: skip
    rows, left_out = [], []
    for index, case in enumerate(cases):
        if memory.needed(case) > memory.size:
            left_out.append(
                (case.label, f"needs {memory.needed(case) / 2**30:.1f} GiB of "
                 f"inputs; {memory.size / 2**30:.1f} are there")
            )  # fmt: skip
            continue
        if args.limit and time.monotonic() - start > args.limit:
            left_out += [(c.label, "no time left") for c in cases[index:]]
            break
        try:
            rows.append(
                measure_case(card, case, peers, memory, folder, args.repeats)
            )
        except (Unable, RuntimeError) as error:
            # The context may be of no more use: what there is gets printed.
            left_out += [(case.label, f"failed: {first_line(error)}")]
            left_out += [(c.label, "not run") for c in cases[index + 1 :]]
            break
        note(f"{time.monotonic() - start:5.0f} s  {case.label}")
        if args.json:
            report.write_json(args.json, about, rows, left_out)
    about["text"]["this run"] = f"{time.monotonic() - start:.0f} s"
    report.print_report(about, rows, [p.name for p in peers], left_out)
    if args.json:
        report.write_json(args.json, about, rows, left_out)
    failed = any(reason.startswith("failed") for _, reason in left_out)
    return 1 if failed or any(row.ours.trouble for row in rows) else 0


# --- Options ------------------------------------------------------------------


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="run.py --device",
        description="Time global average pools on an NVIDIA GPU; prints "
        "Markdown. Without --prepare or --measure: both, in build/device-pool.",
    )
    folder = {"type": pathlib.Path, "metavar": "FOLDER"}
    parser.add_argument(
        "--prepare", **folder,
        help="only compile the pools there; needs head-opt, and no GPU",
    )  # fmt: skip
    parser.add_argument(
        "--measure", **folder,
        help="measure what was compiled there; needs Python with torch",
    )  # fmt: skip
    parser.add_argument(
        "--chip", metavar="sm_XX",
        help="for --prepare (default: this machine's card, else sm_80)",
    )  # fmt: skip
    parser.add_argument(
        "--head-opt", default=str(ROOT / "build" / "bin" / "head-opt"),
        metavar="PROGRAM", help="default: build/bin/head-opt",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true",
        help="f32, batch 1 and 64: a first look",
    )  # fmt: skip
    parser.add_argument(
        "--repeats", type=int, default=3, metavar="N",
        help="rounds in which everybody takes a turn (default: 3)",
    )  # fmt: skip
    parser.add_argument(
        "--only", metavar="REGEX", default="",
        help="cases whose label matches, such as '2048x7x7 NCHW f32 .* cold'",
    )  # fmt: skip
    parser.add_argument(
        "--no-peers", action="store_true", help="only head-opt and copies"
    )
    parser.add_argument(
        "--peers", metavar="REGEX", default="",
        help="peers whose name matches, such as '^(mean|triton)$'",
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=float, metavar="SECONDS",
        help="start no case after that; what is left out is listed",
    )  # fmt: skip
    parser.add_argument(
        "--json", type=pathlib.Path, metavar="FILE",
        help="write all figures there too, after each case",
    )  # fmt: skip
    parser.add_argument("--share", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.repeats < 1:
        parser.error("--repeats must be 1 or more")
    if args.prepare and args.measure:
        parser.error("--prepare and --measure: give one of them, or neither")
    for name in ("only", "peers"):
        try:
            re.compile(getattr(args, name))
        except re.error as error:
            parser.error(f"--{name}: {error}")
    if args.json and not args.json.resolve().parent.is_dir():
        parser.error(f"--json: {args.json.parent} is not there")
    return args


def main(argv):
    args = parse(argv)
    if args.prepare:
        args.chip = args.chip or "sm_80"
        prepare(args, args.prepare)
        return 0
    if args.measure:
        read_manifest(args.measure)
    try:
        card = Card()
    except (Unable, OSError) as reason:
        fail(first_line(reason))
    if not args.measure:
        args.chip = args.chip or f"sm_{card.capability}"
        prepare(args, FOLDER)
        args.measure = FOLDER
    try:
        return measure(args, card)
    except (Unable, RuntimeError) as error:
        fail(first_line(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
