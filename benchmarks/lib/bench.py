# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What pool/run.py and head/run.py share: options, the environment, rounds in
which all entrants take turns, and the tables.

Standard library only until ``enter`` has started the interpreter that has
numpy and the peers.
"""

import argparse
import hashlib
import json
import math
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / ".deps" / "venv"
PEERS_VENV = ROOT / ".deps" / "venv-peers"
PEERS_REQUIREMENTS = ROOT / "utils" / "requirements-peers.txt"
ENTERED = "HEADOPT_BENCH_ENTERED"

# A batch of calls is repeated to about this time; a round has this many.
BATCH_SECONDS = 0.002
BATCHES = 10
READ_BATCHES = 5
EMPTY_BATCHES = 3
# Behind a flush a batch is one call, and most of the time goes into flushing.
FLUSHED_CALLS = 15
# What one entrant may take of a round. At least three batches, all the same.
ROUND_SECONDS = 0.06
# With several threads: until an entrant's workers have stopped spinning.
PAUSE_SECONDS = 0.3


def note(text):
    print(text, file=sys.stderr, flush=True)


def fail(text):
    sys.exit(f"run.py: error: {text}")


# --- Options and environment ----------------------------------------------------


def parse(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick", action="store_true",
        help="f32, batch 1 and 8, two rounds: a first look",
    )  # fmt: skip
    parser.add_argument(
        "--repeats", type=int, metavar="N",
        help="rounds in which everybody takes a turn (default: 7)",
    )  # fmt: skip
    parser.add_argument(
        "--only", metavar="REGEX", default="",
        help="cases whose label matches, such as '2048x7x7 NCHW f32 .* cold'",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N",
        help="threads of each entrant (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--no-peers", action="store_true",
        help="only head-opt and reading; needs no network",
    )  # fmt: skip
    parser.add_argument(
        "--no-head-opt", action="store_true",
        help="only the peers and reading",
    )  # fmt: skip
    parser.add_argument(
        "--json", type=pathlib.Path, metavar="FILE",
        help="write all figures there too",
    )  # fmt: skip
    parser.add_argument(
        "--head-opt", default=str(ROOT / "build" / "bin" / "head-opt"),
        metavar="PROGRAM", help="default: build/bin/head-opt",
    )  # fmt: skip
    parser.add_argument(
        "--mcpu", metavar="CPU",
        help="for head-opt (default: what it does by itself)",
    )  # fmt: skip
    parser.add_argument(
        "--dir", type=pathlib.Path, default=ROOT / "build" / "bench",
        help="for what is compiled (default: build/bench)",
    )  # fmt: skip
    args = parser.parse_args()
    if args.repeats is None:
        args.repeats = 2 if args.quick else 7
    if args.repeats < 1 or args.threads < 1:
        parser.error("--repeats and --threads must be 1 or more")
    if args.no_peers and args.no_head_opt:
        parser.error("nobody is left to run")
    try:
        re.compile(args.only)
    except re.error as error:
        parser.error(f"--only: {error}")
    if not args.no_head_opt and not os.access(args.head_opt, os.X_OK):
        fail(f"{args.head_opt} is not there; build it first (utils/check.sh)")
    return args


def peers_python():
    """The interpreter of .deps/venv-peers, which is made when it is missing."""
    python = PEERS_VENV / "bin" / "python"
    stamp = PEERS_VENV / ".stamp"
    wanted = hashlib.sha256(
        PEERS_REQUIREMENTS.read_bytes() + str(PEERS_VENV.resolve()).encode()
    ).hexdigest()
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    note("making .deps/venv-peers from utils/requirements-peers.txt (900 MB)")
    shutil.rmtree(PEERS_VENV, ignore_errors=True)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check",
           "--no-input", "--quiet", "--require-hashes", "--only-binary", ":all:",
           "-r", PEERS_REQUIREMENTS]  # fmt: skip
    maker = VENV / "bin" / "python"
    for argv in ([maker, "-m", "venv", PEERS_VENV], pip):
        if subprocess.call([str(a) for a in argv], stdout=sys.stderr) != 0:
            fail("could not make .deps/venv-peers (see above); is the network "
                 "there? --no-peers does without it")  # fmt: skip
    # Last, so that an interrupted run leaves no stamp.
    stamp.write_text(wanted, "utf-8")
    return python


def enter(args):
    """Starts this program again, with the interpreter that has what it needs."""
    if os.environ.get(ENTERED):
        return
    if not (VENV / "bin" / "python").exists():
        fail(".deps/venv is not there; run utils/setup.sh first")
    python = VENV / "bin" / "python" if args.no_peers else peers_python()
    environment = dict(os.environ)
    environment[ENTERED] = "1"
    environment["OMP_NUM_THREADS"] = str(args.threads)
    os.execve(
        python, [str(python), os.path.abspath(sys.argv[0]), *sys.argv[1:]],
        environment,
    )  # fmt: skip


# --- Measuring ------------------------------------------------------------------


class Timed:
    """One entrant in one case: what it took, or why it took nothing."""

    def __init__(self, entrant):
        self.entrant, self.entry = entrant, None
        self.trouble, self.samples = "", []
        self.iterations = self.batches = 1
        self.empty = None  # Timed too: a peer with nothing to do
        self.empty_samples = []

    @property
    def name(self):
        return self.entrant.name

    @property
    def median(self):
        return statistics.median(self.samples) if self.samples else math.nan

    @property
    def fixed(self):
        """What calling it costs, with nothing to do."""
        samples = self.empty_samples
        return statistics.median(samples) if samples else 0.0

    @property
    def net(self):
        """The median without the fixed cost; never less than a tenth of it."""
        return max(self.median - self.fixed, self.median / 10)

    def take_turn(self):
        # The first batch finds the caches as somebody else left them.
        _, *samples = self.entry.time(self.iterations, self.batches + 1)
        self.samples += samples
        if self.empty is not None:
            entry, iterations = self.empty.entry, self.empty.iterations
            _, *samples = entry.time(iterations, EMPTY_BATCHES + 1)
            self.empty_samples += samples

    @property
    def spread(self):
        """Half of what the middle half of the samples spans, of the median."""
        if len(self.samples) < 4:
            return math.nan
        low, _, high = statistics.quantiles(self.samples, n=4)
        return (high - low) / 2 / self.median

    def record(self):
        if self.trouble:
            return {"trouble": self.trouble}
        return {
            "median_us": self.median * 1e6,
            "net_us": self.net * 1e6,
            "empty_us": self.fixed * 1e6,
            "best_us": min(self.samples) * 1e6,
            "spread": none_for_nan(self.spread),
            "samples": len(self.samples),
        }


def calibrate(timed, case):
    """How many calls make a batch, and how many batches a round."""
    entry, iterations = timed.entry, 1
    if case.mode == "flush":
        timed.iterations, timed.batches = 1, FLUSHED_CALLS
        return
    while True:
        seconds = entry.time(iterations, 1)[0] * iterations
        if seconds >= BATCH_SECONDS:
            break
        iterations *= 2
    limit = BATCHES if timed.entrant.counts else READ_BATCHES
    timed.iterations = iterations
    timed.batches = max(3, min(limit, int(ROUND_SECONDS / seconds)))


def check(timed, case, features):
    """Throws out who computes something else."""
    import numpy as np

    result = timed.entry.result()
    if result is None:
        return
    expected = case.expected(features)
    result = np.asarray(result).astype(np.float64).reshape(expected.shape)
    error = np.abs(result - expected).max()
    if not error <= case.tolerance:
        timed.trouble = f"wrong by {error:.2g}"


def start(case, entrants, inputs):
    """Everybody, ready to run the case or with the reason why not."""
    from entrants import Unable

    buffers = inputs.take(case)
    everybody = [Timed(entrant) for entrant in entrants]
    for timed in everybody:
        try:
            timed.entry = timed.entrant.start(case, buffers)
        except Unable as reason:
            timed.trouble = str(reason)
            continue
        check(timed, case, buffers[0])
        if not timed.trouble:
            calibrate(timed, case)
    return everybody


def run_case(case, entrants, inputs, empties, args):
    everybody = start(case, entrants, inputs)
    for timed in everybody:
        timed.empty = empties.get((timed.name, case.mode))
    running = [timed for timed in everybody if not timed.trouble]
    for turn in range(args.repeats):
        # Nobody always follows the same one.
        shift = turn % max(1, len(running))
        for timed in running[shift:] + running[:shift]:
            timed.take_turn()
            if args.threads > 1 and timed.entrant.counts:
                time.sleep(PAUSE_SECONDS)
    for timed in everybody:
        if timed.entry is not None:
            timed.entry.close()
            timed.entry = None
    return everybody


def start_empty(entrants, inputs, modes):
    """Each peer with a model that has nothing to do, by mode."""
    from cases import EmptyCase

    peers = [entrant for entrant in entrants if entrant.peer]
    empties = {}
    for mode in modes:
        for timed in start(EmptyCase(mode=mode), peers, inputs):
            if timed.trouble:
                fail(f"{timed.name}: empty model: {timed.trouble}")
            empties[timed.name, mode] = timed
    return empties


# --- Printing -------------------------------------------------------------------


def print_table(headings, rows, left=1):
    """Markdown; the first ``left`` columns are words."""
    print("| " + " | ".join(headings) + " |")
    print("|" + "---|" * left + "--:|" * (len(headings) - left))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def number(value):
    """Three digits."""
    if math.isnan(value):
        return "-"
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{min(digits, 3)}f}"


def percent(value):
    return "?" if math.isnan(value) else f"{value:.0%}"


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


def print_machine(entrants, args):
    cpu = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    load = os.getloadavg()[0]
    names = [e.name for e in entrants if e.counts]
    print(f"{cpu}, {len(os.sched_getaffinity(0))} cores, Linux "
          f"{os.uname().release}; load {load:.1f}; {args.threads} thread"
          f"{'s' if args.threads > 1 else ''}, {args.repeats} rounds.")  # fmt: skip
    print(f"Entrants: {', '.join(names)}.\n", flush=True)


class Row:
    """A case and what everybody took for it."""

    def __init__(self, case, everybody, load):
        self.case, self.load = case, load
        self.ours = next(
            (t for t in everybody if t.entrant.counts and not t.entrant.peer),
            None,
        )
        self.peers = [t for t in everybody if t.entrant.peer]
        reads = [t for t in everybody if not t.entrant.counts]
        self.read = min(reads, key=lambda t: t.median)

    @property
    def bytes(self):
        """What has to be read."""
        return self.case.feature_bytes + self.case.weight_bytes

    @property
    def best_peer(self):
        able = [t for t in self.peers if not t.trouble]
        return min(able, key=lambda t: t.net) if able else None

    @property
    def ran(self):
        return self.ours is not None and not self.ours.trouble

    def ratio(self, raw=False):
        """Ours over the best peer; below 1 is good."""
        if not self.ran or self.best_peer is None:
            return math.nan
        if raw:
            best = min(t.median for t in self.peers if not t.trouble)
            return self.ours.median / best
        return self.ours.median / self.best_peer.net

    @property
    def of_read(self):
        """Speed of reading reached, of what plain reading reaches."""
        return self.read.median / self.ours.median if self.ran else math.nan

    def cells(self):
        case, gb = self.case, self.bytes / 1e9
        cells = [
            f"{case.name} {case.layout} {case.type}", case.mode,
            str(case.batch), number(self.bytes / 1e6),
            f"{number(self.read.median * 1e6)} ({gb / self.read.median:.0f})",
        ]  # fmt: skip
        if self.ours is not None:
            if self.ran:
                cells += [
                    f"{number(self.ours.median * 1e6)} "
                    f"({gb / self.ours.median:.0f})",
                    f"{self.of_read:.0%}",
                    percent(self.ours.spread),
                ]
            else:
                cells += [self.ours.trouble[:60], "-", "-"]
        for timed in self.peers:
            cells.append(
                "-" if timed.trouble else
                f"{number(timed.net * 1e6)} ({number(timed.median * 1e6)}, "
                f"±{percent(timed.spread)})"
            )  # fmt: skip
        if self.ours is not None and self.peers:
            ratio = self.ratio()
            cells.append("-" if math.isnan(ratio) else f"{ratio:.2f}")
        return cells

    def record(self):
        case = self.case
        record = {
            "case": case.name, "layout": case.layout, "type": case.type,
            "batch": case.batch, "mode": case.mode, "bytes": self.bytes,
            "load": self.load,
            "read": {"way": self.read.name, **self.read.record()},
            "peers": {t.name: t.record() for t in self.peers},
        }  # fmt: skip
        if self.ours is not None:
            record["head_opt"] = self.ours.record()
            record["of_read"] = none_for_nan(self.of_read)
            record["ratio_net"] = none_for_nan(self.ratio())
            record["ratio_raw"] = none_for_nan(self.ratio(raw=True))
        return record


def none_for_nan(value):
    return None if math.isnan(value) else value


def headings(rows):
    row = rows[0]
    names = ["case", "mode", "N", "MB", "read us (GB/s)"]
    if row.ours is not None:
        names += ["head-opt us (GB/s)", "of read", "±"]
    names += [f"{t.name}: net us (raw)" for t in row.peers]
    if row.ours is not None and row.peers:
        names.append("ours / best")
    return names


def print_summary(rows):
    """Geometric means, by mode and over all."""
    table = []
    groups = {}
    for row in rows:
        key = f"{row.case.layout} {row.case.type} {row.case.mode}"
        groups.setdefault(key, []).append(row)
    for name, members in [*groups.items(), ("all", rows)]:
        compared = [r for r in members if not math.isnan(r.ratio())]
        ran = [r for r in members if r.ran]
        if not ran:
            continue
        cells = [name, str(len(ran)),
                 f"{geometric_mean([r.of_read for r in ran]):.0%}"]  # fmt: skip
        if compared:
            ratios = [r.ratio() for r in compared]
            cells += [
                f"{geometric_mean(ratios):.2f}",
                f"{geometric_mean([r.ratio(raw=True) for r in compared]):.2f}",
                f"{max(ratios):.2f}",
                str(sum(ratio > 1 for ratio in ratios)),
            ]
        else:
            cells += ["-"] * 4
        table.append(cells)
    if table:
        print_table(
            ["geometric means", "cases", "of read", "ours / best peer, net",
             "raw", "worst", "cases behind"], table)  # fmt: skip


def print_empty(rows):
    """What the peers took for nothing: the medians over all cases."""
    costs = {}
    for row in rows:
        for timed in row.peers:
            if not timed.trouble:
                key = f"{timed.name}, {row.case.mode}"
                costs.setdefault(key, []).append(timed.fixed)
    if costs:
        print("An empty model, us: " + "; ".join(
            f"{key} {number(statistics.median(values) * 1e6)}"
            for key, values in costs.items()) + ".\n", flush=True)  # fmt: skip


# --- The whole ------------------------------------------------------------------


def main(args, all_cases):
    """Times the cases, prints the tables, and writes the JSON."""
    import entrants as everyone
    from cases import Inputs

    cases = [c for c in all_cases if re.search(args.only, c.label)]
    if args.quick:
        cases = [c for c in cases if c.type == "f32" and c.batch <= 8]
    if not cases:
        fail("no case matches")
    folder = args.dir.resolve() / "lowering"
    folder.mkdir(parents=True, exist_ok=True)
    harness = everyone.Harness(folder)
    inputs = Inputs(harness.allocate)
    entrants = [
        everyone.Read(harness, args.threads, index, name)
        for index, name in enumerate(harness.read_variants())
    ]
    if not args.no_head_opt:
        flags = [f"--mcpu={args.mcpu}"] if args.mcpu else []
        if args.threads > 1:
            flags.append("--threads=openmp")
        entrants.append(
            everyone.Compiled(
                harness, str(pathlib.Path(args.head_opt).resolve()), flags, folder
            )
        )
    if not args.no_peers:
        entrants += [
            peer(harness, args.threads, folder, inputs)
            for peer in everyone.PEERS.values()
        ]
    print_machine(entrants, args)
    modes = list(dict.fromkeys(case.mode for case in cases))
    empties = start_empty(entrants, inputs, modes)
    rows = []
    for index, case in enumerate(cases, 1):
        note(f"[{index}/{len(cases)}] {case.label}")
        load = os.getloadavg()[0]
        everybody = run_case(case, entrants, inputs, empties, args)
        rows.append(Row(case, everybody, load))
        if args.json:
            write_json(args, rows)
    print_table(headings(rows), [row.cells() for row in rows], left=2)
    print_summary(rows)
    print_empty(rows)
    troubles = {
        f"{t.name}: {row.case.layout} {row.case.type}: {t.trouble}"
        for row in rows
        for t in [*row.peers, row.ours]
        if t is not None and t.trouble
    }
    for trouble in sorted(troubles):
        print(f"* {trouble}")
    return 0


def write_json(args, rows):
    record = {
        "threads": args.threads,
        "repeats": args.repeats,
        "cases": [row.record() for row in rows],
    }
    args.json.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
