#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What rewriting a model costs, next to copying its file and to the peers.

Times whole processes, each a fresh one, on a VGG16 of 553 MB and on one of
2.3 GB with external data, and head-opt's import on chains of 1,000 to 100,000
nodes. Prints Markdown; ../README.md says how to read it.

Memory is sampled from outside. A child's peak, as the kernel counts it, starts
at what its parent held when it forked: so this file imports nothing large, and
models are made in other processes.
"""

import argparse
import hashlib
import os
import pathlib
import select
import shutil
import signal
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV_PYTHON = ROOT / ".deps" / "venv" / "bin" / "python"
BENCH_VENV = ROOT / ".deps" / "venv-bench"
BENCH_REQUIREMENTS = ROOT / "utils" / "requirements-bench.txt"

LARGE_GB = 2.3
CHAINS = (1_000, 10_000, 100_000)

# A peer that takes longer is listed as such.
TIME_LIMIT = 120.0
# A command this slow is timed once: its spread says little, its wait is long.
SLOW = 20.0
SAMPLE_SECONDS = 0.001

MAX_RATIO = 1.5
MAX_RESIDENT_MB = 200.0
MAX_ANONYMOUS_MB = 64.0
MAX_CHAIN_SECONDS = 1.0

ORT_SCRIPT = """
import sys
import onnxruntime as ort
options = ort.SessionOptions()
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
options.optimized_model_filepath = sys.argv[2]
if len(sys.argv) > 3:
    key = "session.optimized_model_external_initializers_"
    options.add_session_config_entry(key + "file_name", sys.argv[3])
    options.add_session_config_entry(key + "min_size_in_bytes", "1024")
ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
"""

# onnxoptimizer.optimize() fails beyond 2 GB (it does not catch what Protobuf
# raises) and takes twice as long below. This is what it should have called.
ONNXOPTIMIZER_SCRIPT = """
import sys
import onnxoptimizer
from onnxoptimizer.onnx_opt_cpp2py_export import optimize_from_path
passes = onnxoptimizer.get_fuse_and_elimination_passes()
optimize_from_path(sys.argv[1], sys.argv[2], passes, sys.argv[3])
"""

CHAIN_SCRIPT = """
import sys
import onnx
from onnx import helper
count = int(sys.argv[1])
# Every second node has a constant, as in a real model.
nodes, value = [], "x"
for i in range(count):
    inputs = [value, "one"] if i % 2 else [value]
    value = f"v{i}" if i + 1 < count else "y"
    op = "Add" if i % 2 else "Relu"
    nodes.append(helper.make_node(op, inputs, [value], f"node{i}"))
def tensor(name):
    return helper.make_tensor_value_info(name, 1, ["N", 8])
one = helper.make_tensor("one", 1, [1], [1.0])
graph = helper.make_graph(nodes, "chain", [tensor("x")], [tensor("y")], [one])
opsets = [helper.make_opsetid("", 13)]
onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8),
          sys.argv[2])
"""

VERSIONS_SCRIPT = """
import importlib.metadata, sys
print(", ".join(f"{p} {importlib.metadata.version(p)}" for p in sys.argv[1:]))
"""


class Run(NamedTuple):
    seconds: float
    resident_mb: float
    anonymous_mb: float
    # Why there is nothing to count; empty where all went well.
    trouble: str


class Command(NamedTuple):
    name: str
    argv: list[str]
    peer: bool = False
    writes: bool = True


class Result(NamedTuple):
    command: Command
    runs: list[Run]

    @property
    def trouble(self) -> str:
        return next((run.trouble for run in self.runs if run.trouble), "")

    @property
    def best(self) -> float:
        return min(run.seconds for run in self.runs)

    @property
    def median(self) -> float:
        return statistics.median(run.seconds for run in self.runs)

    @property
    def resident_mb(self) -> float:
        return max(run.resident_mb for run in self.runs)

    @property
    def anonymous_mb(self) -> float:
        return max(run.anonymous_mb for run in self.runs)


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def fail(text: str) -> None:
    sys.exit(f"run.py: error: {text}")


# --- Measuring -----------------------------------------------------------------


def memory_kib(status: int) -> tuple[int, int]:
    """(peak resident, anonymous now) from an open /proc/PID/status."""
    try:
        text = os.pread(status, 8192, 0)
    except ProcessLookupError:
        return 0, 0
    fields = dict(line.split(b":", 1) for line in text.splitlines())
    # A process that has ended, but was not waited for, has neither.
    peak = fields.get(b"VmHWM", b"0 kB").split()[0]
    anonymous = fields.get(b"RssAnon", b"0 kB").split()[0]
    return int(peak), int(anonymous)


def own_peak_kib() -> int:
    with open("/proc/self/status", "rb") as status:
        return memory_kib(status.fileno())[0]


def measure(argv: list[str], folder: pathlib.Path) -> Run:
    log_path = folder / "log.txt"
    with open(log_path, "wb") as log:
        start = time.perf_counter()
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
        )
    # From here on the child runs its own program: Popen returns after exec.
    resident = anonymous = 0
    trouble = ""
    handle = os.pidfd_open(process.pid)
    status = os.open(f"/proc/{process.pid}/status", os.O_RDONLY)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    while not poll.poll(SAMPLE_SECONDS * 1000):
        now = memory_kib(status)
        resident, anonymous = max(resident, now[0]), max(anonymous, now[1])
        if not trouble and time.perf_counter() - start > TIME_LIMIT:
            trouble = f"over {TIME_LIMIT:.0f} s"
            process.send_signal(signal.SIGKILL)
    seconds = time.perf_counter() - start
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    os.close(status)
    os.close(handle)
    # The kernel's number misses nothing, but says nothing below our own peak;
    # for what ended before the first sample it is all there is.
    if usage.ru_maxrss > own_peak_kib() or resident == 0:
        resident = usage.ru_maxrss
    if not trouble and process.returncode != 0:
        text = log_path.read_text("utf-8", errors="replace").strip()
        last = text.splitlines()[-1] if text else ""
        trouble = f"failed ({process.returncode}): {last[:120]}"
    return Run(seconds, resident * 1024 / 1e6, anonymous * 1024 / 1e6, trouble)


def measure_all(
    commands: list[Command], folder: pathlib.Path, repeats: int
) -> list[Result]:
    """Takes turns, so that a slow spell of the machine hits all alike."""
    output = folder / "out"
    results = [Result(command, []) for command in commands]
    for turn in range(repeats + 1):
        for result in results:
            runs = result.runs
            if runs and (result.trouble or result.best > SLOW):
                continue
            shutil.rmtree(output, ignore_errors=True)
            output.mkdir(parents=True)
            # Nobody pays for what an earlier command left to be written.
            os.sync()
            run = measure(result.command.argv, output)
            note(f"  {result.command.name}: "
                 f"{run.trouble or f'{run.seconds:.3f} s'}"
                 f"{' (warm-up)' if turn == 0 else ''}")  # fmt: skip
            if not run.trouble and result.command.writes:
                if not any(output.glob("out.onnx")):
                    run = run._replace(trouble="wrote no output")
            # The warm-up counts only where nothing else will.
            if turn > 0 or run.trouble or run.seconds > SLOW:
                runs.append(run)
    shutil.rmtree(output, ignore_errors=True)
    return results


# --- What is measured ----------------------------------------------------------


def make(script: list[str], path: pathlib.Path) -> None:
    if path.exists():
        return
    note(f"making {path.name}")
    # Several parts of a model, one name: the last one to appear is `path`.
    if subprocess.call([str(VENV_PYTHON), *script], stdout=sys.stderr) != 0:
        path.unlink(missing_ok=True)
        fail(f"could not make {path}")


def bench_python() -> str:
    """The interpreter of .deps/venv-bench, which is made when it is missing."""
    python = BENCH_VENV / "bin" / "python"
    stamp = BENCH_VENV / ".stamp"
    wanted = hashlib.sha256(
        BENCH_REQUIREMENTS.read_bytes() + str(BENCH_VENV).encode()
    ).hexdigest()
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return str(python)
    note("making .deps/venv-bench from utils/requirements-bench.txt")
    shutil.rmtree(BENCH_VENV, ignore_errors=True)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check",
           "--no-input", "--quiet", "--require-hashes", "--only-binary", ":all:",
           "-r", BENCH_REQUIREMENTS]  # fmt: skip
    for argv in ([VENV_PYTHON, "-m", "venv", BENCH_VENV], pip):
        if subprocess.call([str(a) for a in argv], stdout=sys.stderr) != 0:
            fail("could not make .deps/venv-bench (see above); is the network "
                 "there? --no-peers does without it")  # fmt: skip
    # Last, so that an interrupted run leaves no stamp.
    stamp.write_text(wanted, "utf-8")
    return str(python)


def commands_for(
    head_opt: str, model: pathlib.Path, peers_python: str | None
) -> list[Command]:
    data = pathlib.Path(f"{model}.data")
    external = data.exists()
    source = str(model)
    # Commands run in the folder that they write to. Copies keep the name of the
    # data, because the model names it.
    both = 'cp "$1" out.onnx' + (' && cp "$2" .' if external else "")
    synced = "sync out.onnx" + (f" {data.name}" if external else "")
    shell = ["sh", source, str(data)]
    copy = ["cp", source, "out.onnx"]
    if external:
        copy = ["sh", "-c", both, *shell]
    commands = [
        Command("`cp`", copy),
        Command("`cp`, then `sync`", ["sh", "-c", f"{both} && {synced}", *shell]),
        Command("`head-opt -o`", [head_opt, source, "-o", "out.onnx"]),
        Command("`head-opt`, report only",
                [head_opt, source, "--quiet", "--report=report.json"],
                writes=False),
    ]  # fmt: skip
    if peers_python is None:
        return commands
    bin_folder = pathlib.Path(peers_python).parent
    to = [source, "out.onnx"]
    data_name = ["out.onnx.data"] if external else []
    flag = ["--save-as-external-data"] if external else []
    return commands + [
        Command("ONNX Runtime, basic",
                [peers_python, "-c", ORT_SCRIPT, *to, *data_name], True),
        Command("onnxsim", [str(bin_folder / "onnxsim"), *to, *flag], True),
        Command("onnxslim", [str(bin_folder / "onnxslim"), *to, *flag], True),
        Command("onnxoptimizer",
                [peers_python, "-c", ONNXOPTIMIZER_SCRIPT, *to, "out.onnx.data"],
                True),
    ]  # fmt: skip


# --- Printing ------------------------------------------------------------------


def print_table(headings: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(headings) + " |")
    print("|---" + "|--:" * (len(headings) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def figures(result: Result) -> list[str]:
    return [f"{result.best:.3f}", f"{result.median:.3f}",
            f"{result.resident_mb:.0f}", f"{result.anonymous_mb:.0f}"]  # fmt: skip


class Bars:
    """The limits that head-opt has set itself, and whether it kept them."""

    def __init__(self) -> None:
        self.missed = 0

    def check(self, text: str, value: float, limit: float, unit: str) -> None:
        kept = value <= limit
        self.missed += not kept
        print(f"* {'kept' if kept else '**missed**'}: {text} "
              f"{value:.2f}{unit}, bar {limit:g}{unit}")  # fmt: skip

    def failed(self, text: str, trouble: str) -> None:
        self.missed += 1
        print(f"* **missed**: {text}: {trouble}")


def print_model(title: str, results: list[Result], bars: Bars) -> None:
    print(f"### {title}\n")
    copy, rewrite = results[0], results[2]
    if copy.trouble:
        fail(f"cp: {copy.trouble}")
    rows = []
    for result in results:
        if result.trouble:
            rows.append([result.command.name, result.trouble, *[""] * 5])
            continue
        best, median, resident, anonymous = figures(result)
        rows.append([result.command.name, best, median,
                     f"{result.median / copy.median:.2f}", resident, anonymous,
                     str(len(result.runs))])  # fmt: skip
    print_table(["command", "best s", "median s", "x `cp`", "resident MB",
                 "anonymous MB", "runs"], rows)  # fmt: skip
    for result in results[2:4]:
        name = result.command.name
        if result.trouble:
            bars.failed(name, result.trouble)
            continue
        if result is rewrite:
            bars.check(f"{name}, median wall over that of `cp`",
                       result.median / copy.median, MAX_RATIO, " x")  # fmt: skip
        bars.check(f"{name}, peak resident", result.resident_mb,
                   MAX_RESIDENT_MB, " MB")  # fmt: skip
        bars.check(f"{name}, peak anonymous", result.anonymous_mb,
                   MAX_ANONYMOUS_MB, " MB")  # fmt: skip
    print(flush=True)


def print_chains(results: list[tuple[int, Result]], bars: Bars) -> None:
    print("### Import of a chain of small nodes, report only\n")
    rows = []
    for count, result in results:
        if result.trouble:
            rows.append([f"{count:,}", result.trouble, *[""] * 4])
        else:
            per_node = f"{result.median / count * 1e6:.1f}"
            rows.append([f"{count:,}", *figures(result), per_node])
    print_table(["nodes", "best s", "median s", "resident MB", "anonymous MB",
                 "median us per node"], rows)  # fmt: skip
    for count, result in results:
        if count == 10_000:
            if result.trouble:
                bars.failed("10,000 nodes", result.trouble)
            else:
                bars.check("10,000 nodes, median wall", result.median,
                           MAX_CHAIN_SECONDS, " s")  # fmt: skip
    print(flush=True)


def print_machine(peers_python: str | None) -> None:
    cpu = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    print(f"{cpu}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GB memory, "
          f"Linux {os.uname().release}.")  # fmt: skip
    if peers_python is not None:
        peers = ["onnxruntime", "onnxsim", "onnxslim", "onnxoptimizer"]
        argv = [peers_python, "-c", VERSIONS_SCRIPT, *peers]
        print(f"Peers: {subprocess.check_output(argv, text=True).strip()}.")
    print(flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Time head-opt against cp and against other optimisers; "
        "prints Markdown."
    )
    parser.add_argument(
        "--head-opt", default=str(ROOT / "build" / "bin" / "head-opt"),
        metavar="PROGRAM", help="default: build/bin/head-opt",
    )  # fmt: skip
    parser.add_argument(
        "--dir", type=pathlib.Path, default=ROOT / "build" / "bench",
        help="for the models and what is written; 8 GB (default: build/bench)",
    )  # fmt: skip
    parser.add_argument(
        "--repeats", type=int, default=5, metavar="N",
        help="timed runs of each command, after one warm-up "
        "(default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--no-peers", action="store_true",
                        help="only cp and head-opt")  # fmt: skip
    parser.add_argument("--no-large", action="store_true",
                        help="leave the model of 2.3 GB out")  # fmt: skip
    parser.add_argument("--check", action="store_true",
                        help="exit 1 when a bar is missed")  # fmt: skip
    args = parser.parse_args()
    if args.repeats < 1:
        parser.error("--repeats must be 1 or more")

    head_opt = str(pathlib.Path(args.head_opt).resolve())
    if not os.access(head_opt, os.X_OK):
        fail(f"{args.head_opt} is not there; build it first (utils/check.sh)")
    if not VENV_PYTHON.exists():
        fail(".deps/venv is not there; run utils/setup.sh first")
    folder = args.dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    peers_python = None if args.no_peers else bench_python()

    maker = str(ROOT / "utils" / "make_vgg16.py")
    models = []
    small = folder / "vgg16.onnx"
    make([maker, str(small)], small)
    models.append(("VGG16, one file of 553 MB", small))
    if not args.no_large:
        large = folder / "vgg16-large.onnx"
        make([maker, "--external-data", "--scale-gb", str(LARGE_GB), str(large)],
             large)  # fmt: skip
        models.append((f"Wide VGG16, {LARGE_GB} GB of external data", large))
    chains = []
    for count in CHAINS:
        path = folder / f"chain{count}.onnx"
        make(["-c", CHAIN_SCRIPT, str(count), str(path)], path)
        chains.append((count, path))

    print_machine(peers_python)
    bars = Bars()
    for title, path in models:
        note(title)
        commands = commands_for(head_opt, path, peers_python)
        print_model(title, measure_all(commands, folder, args.repeats), bars)
    note("chains")
    commands = [
        Command(f"{count:,} nodes",
                [head_opt, str(path), "--quiet", "--report=report.json"],
                writes=False)
        for count, path in chains
    ]  # fmt: skip
    results = measure_all(commands, folder, args.repeats)
    print_chains(list(zip(CHAINS, results)), bars)
    return 1 if args.check and bars.missed else 0


if __name__ == "__main__":
    sys.exit(main())
