# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a head asks of the driver: which kernels it starts, with which blocks and
arguments, what it copies and what it keeps. All of it is read from the log of the
emulator; the geometry that is expected is worked out here, apart from the compiler.
"""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import device
import lowering
from device import CUDA, GFX9, Case
from lowering import Head, nhwc

HERE = Path(__file__).resolve().parent
TARGETS = {CUDA: 32, GFX9: 64}  # and lanes of a sub-group
# The driver's functions, by what they do.
NAMES = {
    "cuMemAlloc": "allocate",
    "hipMalloc": "allocate",
    "cuMemAllocAsync": "allocate in stream",
    "hipMallocAsync": "allocate in stream",
    "cuMemFreeAsync": "free",
    "hipFreeAsync": "free",
    "cuMemcpyHtoDAsync": "copy to",
    "hipMemcpyHtoDAsync": "copy to",
    "cuMemcpyDtoHAsync": "copy from",
    "hipMemcpyDtoHAsync": "copy from",
    "cuLaunchKernel": "launch",
    "hipModuleLaunchKernel": "launch",
    "cuModuleLoadDataEx": "load",
    "hipModuleLoadData": "load",
    "cuStreamCreate": "create stream",
    "hipStreamCreateWithFlags": "create stream",
    "cuStreamSynchronize": "wait",
    "hipStreamSynchronize": "wait",
    "cuStreamDestroy": "destroy stream",
    "hipStreamDestroy": "destroy stream",
}


@dataclass
class Call:
    """One call of the driver."""

    what: str
    fields: dict
    made: str  # the buffer or stream that it gave


def read_log(path):
    """The calls that matter, and the lines at the end that are none."""
    calls, remarks = [], []
    for line in path.read_text().splitlines():
        found = re.fullmatch(r"(\w+)(( \w+=\S*)*) -> 0 ?(\w*)", line)
        if not found:
            remarks.append(line)
        elif found[1] in NAMES:
            fields = dict(pair.split("=") for pair in found[2].split())
            calls.append(Call(NAMES[found[1]], fields, found[4]))
    return calls, remarks


@dataclass
class Run:
    """What one call of a head asked for, with names for its memory."""

    calls: list
    roles: dict
    sizes: dict = field(default_factory=dict)

    def __post_init__(self):
        """Memory is told apart by what it is used for."""
        copied_to = [c for c in self.calls if c.what == "copy to"]
        if copied_to:
            self.roles[copied_to[0].fields["to"]] = "features"
        for call in self.calls:
            if call.what == "copy from":
                self.roles[call.fields["from"]] = "output"
            elif call.what == "allocate":
                self.roles.setdefault(call.made, "constants")
        for call in self.calls:
            if call.what.startswith("allocate"):
                role = self.roles.setdefault(call.made, "scratch")
                self.sizes[role] = int(call.fields["bytes"])

    def name(self, argument):
        buffer, plus, offset = argument.partition("+")
        return self.roles.get(buffer, buffer) + plus + offset

    def whats(self):
        return [c.what for c in self.calls]

    def launches(self):
        """(kernel, blocks, threads, arguments)"""
        launches = []
        for call in self.calls:
            if call.what != "launch":
                continue
            grid = call.fields["grid"].split(",")
            block = call.fields["block"].split(",")
            assert grid[1:] == block[1:] == ["1", "1"]
            args = [self.name(a) for a in call.fields["args"].split(",")]
            launches.append(
                (call.fields["kernel"], int(grid[0]), int(block[0]), " ".join(args))
            )
        return launches


def follow(function, case, calls=2):
    """What `calls` calls of a head ask for, one after another."""
    log = function.folder / "log"
    log.unlink(missing_ok=True)
    outputs = function.run([case] * calls, log=log)
    if len(case.features):
        value, error = lowering.reference(function.head, case.features)
        for output in outputs:
            lowering.assert_close(output, value, error)
    found, remarks = read_log(log)
    ends = [i + 1 for i, c in enumerate(found) if c.what == "destroy stream"]
    roles = {}
    runs = [
        Run(found[start:end], roles) for start, end in zip([0, *ends], ends)
    ]
    assert len(runs) == calls and ends[-1] == len(found)
    return runs, remarks


# --- What is expected -----------------------------------------------------------


def ceil(a, b):
    return -(-a // b)


def up(count, element=4):
    """Bytes of a part of the scratch memory, or of the constants."""
    return ceil(count * element, 256) * 256


def dense(first, n, columns, lanes):
    """Kernel, and blocks of four or two sub-groups."""
    of_block = 128 // lanes
    if n == 1:
        return first, ceil(columns, of_block)
    if n <= 8:
        return first + 1, ceil(columns, of_block)
    return first + 2, ceil(n, 8) * ceil(columns, 4 * of_block)


def short_rows_and_layer(n, lanes):
    """Rows of 49, eight lanes each; 17 is no multiple of four."""
    t = ceil(17 * n, 128 // 8)
    kernel, d = dense(1, n, 9, lanes)
    bias = up(9 * 17)
    return [
        ("head_pool_rows_0", t, 128, f"{17 * n} features scratch {t} {t}"),
        (
            f"head_dense_dense_{kernel}",
            d,
            128,
            f"{n} constants scratch constants+{bias} output {d} {d}",
        ),
    ]


def block_rows_and_softmax(n, lanes):
    """A block for each row of 1200; then a maximum, and a sum, for each sample."""
    kernel, d = dense(4, n, 9, lanes)
    bias = up(9 * 6)
    layer = up(6 * n)
    maxima = layer + up(9 * n)
    powers = maxima + up(n)
    sums = powers + up(9 * n)
    # Two lanes for each row of nine.
    t, p = ceil(n, 128 // 2), ceil(9 * n, 128)
    return [
        ("head_pool_blocks_0", 6 * n, 256, f"features scratch {6 * n} {6 * n}"),
        (
            f"head_dense_dense_{kernel}",
            d,
            128,
            f"{n} constants scratch constants+{bias} scratch+{layer} {d} {d}",
        ),
        (
            "head_pool_rows_2",
            t,
            128,
            f"{n} scratch+{layer} scratch+{maxima} {t} {t}",
        ),
        (
            "head_loops_loops_7",
            p,
            128,
            f"{9 * n} scratch+{layer} scratch+{maxima} scratch+{powers} {p} {p}",
        ),
        (
            "head_pool_rows_3",
            t,
            128,
            f"{n} scratch+{powers} scratch+{sums} {t} {t}",
        ),
        (
            "head_loops_loops_8",
            p,
            128,
            f"{9 * n} scratch+{powers} scratch+{sums} output {p} {p}",
        ),
    ]


def rows_in_pieces(n, lanes):
    """Three pieces, up to 8192 long, of each row of 17000; a lane for each row."""
    t, r = 2 * 3 * n, ceil(2 * n, 128)
    return [
        ("head_pool_blocks_0", t, 256, f"features scratch {t} {t}"),
        ("head_pool_rows_1", r, 128, f"{2 * n} scratch output {r} {r}"),
    ]


def columns(n, lanes):
    return [("head_pool_columns_0", n, 256, f"features output {n} {n}")]


def columns_in_pieces(n, lanes):
    """Five pieces, up to 1024 high, of 5000."""
    return [
        ("head_pool_columns_0", 5 * n, 256, f"features scratch {5 * n} {5 * n}"),
        ("head_pool_columns_1", n, 256, f"scratch output {n} {n}"),
    ]


# The head, its launches, and how large scratch memory and constants are.
HEADS = [
    (
        Head((17, 7, 7), layers=(9,)),
        short_rows_and_layer,
        lambda n: up(17 * n),
        up(9 * 17) + up(9),
    ),
    (
        Head((6, 1200), layers=(9,), softmax=True),
        block_rows_and_softmax,
        lambda n: up(6 * n) + 2 * up(9 * n) + 2 * up(n),
        up(9 * 6) + up(9),
    ),
    # For both ways to read rows, though one is taken.
    (Head((2, 17000)), rows_in_pieces, lambda n: 2 * up(6 * n), 0),
    (nhwc(30, 7, 7), columns, lambda n: 0, 0),
    (nhwc(4, 5000, 1), columns_in_pieces, lambda n: 2 * up(20 * n), 0),
]


@pytest.mark.parametrize("batch", (1, 8, 9))
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "head,expected,scratch,constants", HEADS, ids=[h[0].label() for h in HEADS]
)
def test_launches(compiled, target, head, expected, scratch, constants, batch):
    function = compiled(head, target)
    case = Case(lowering.random_features(head, batch))
    runs, remarks = follow(function, case)
    for run in runs:
        assert run.launches() == expected(batch, TARGETS[target])
        assert run.sizes["features"] == case.features.nbytes
        assert run.sizes["output"] == batch * head.outputs * 4
        assert run.sizes.get("scratch", 0) == scratch(batch)
    assert runs[0].sizes.get("constants", 0) == constants
    # What is left at the end is what the runtime keeps, and nothing else is said.
    kept = [b for b, role in runs[0].roles.items() if role == "constants"]
    assert remarks == [f"leak: {b} of {constants} bytes" for b in kept]
    assert bool(kept) == bool(constants)


@pytest.mark.parametrize("target", TARGETS)
def test_order(compiled, target):
    """The features are there before the first kernel, the code and the constants
    once for all calls; then one stream has it all, and everything is given back.
    """
    head = Head((17, 7, 7), layers=(9,))
    case = Case(lowering.random_features(head, 3))
    runs, _ = follow(compiled(head, target), case, calls=3)
    first = ["create stream"] + ["allocate in stream"] * 2 + ["copy to"]
    # The weight and the bias, in one buffer.
    once = ["load", "allocate", "copy to", "copy to", "wait"]
    rest = ["allocate in stream", "launch", "launch", "free", "copy from"]
    rest += ["wait", "free", "free", "destroy stream"]
    assert runs[0].whats() == first + once + rest
    for run in runs[1:]:
        assert run.whats() == first + rest
    for run in runs:
        (stream,) = (c.made for c in run.calls if c.what == "create stream")
        used = {c.fields["stream"] for c in run.calls if "stream" in c.fields}
        assert used == {stream}
        freed = [run.name(c.fields["address"]) for c in run.calls if c.what == "free"]
        assert freed[0] == "scratch" and set(freed[1:]) == {"features", "output"}
        sizes = [int(c.fields["bytes"]) for c in run.calls if c.what == "copy to"]
        assert sizes[0] == case.features.nbytes
        assert sizes[1:] == ([9 * 17 * 4, 9 * 4] if run is runs[0] else [])
        (size,) = (c.fields["bytes"] for c in run.calls if c.what == "copy from")
        assert int(size) == 3 * 9 * 4


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_launched_for_no_samples(compiled, target):
    for head in (Head((17, 7, 7), layers=(9,)), nhwc(4, 5000, 1)):
        case = Case(lowering.random_features(head, 0))
        runs, remarks = follow(compiled(head, target), case)
        for run in runs:
            assert not run.launches()
            assert "create stream" in run.whats()
        # What the runtime keeps, as after any call.
        assert len(remarks) == len(head.layers)
        assert all(remark.startswith("leak: ") for remark in remarks)


@pytest.mark.parametrize("batch", (1, 9))
@pytest.mark.parametrize("target", TARGETS)
def test_maps_of_any_size(compiled, target, batch):
    """One library: the map's extents choose the kernels and are their arguments."""
    function = compiled(Head((5, None, None)), target)
    rows = 5 * batch
    t = ceil(rows, 128 // TARGETS[target])
    for extents, launches in (
        # No multiple of four; then 16 accesses of 16 bytes.
        (
            (7, 7),
            [("head_pool_rows_8", t, 128, f"{rows} 49 features 49 output {t} {t}")],
        ),
        (
            (8, 8),
            [("head_pool_rows_0", t, 128, f"{rows} 16 features 64 output {t} {t}")],
        ),
        (
            (33, 32),
            [
                (
                    "head_pool_blocks_1",
                    rows,
                    256,
                    f"264 features 1056 output {rows} {rows}",
                )
            ],
        ),
        (
            (140, 120),
            [
                (
                    "head_pool_blocks_2",
                    3 * rows,
                    256,
                    f"3 4200 features scratch {3 * rows} {3 * rows}",
                ),
                (
                    "head_pool_rows_3",
                    t,
                    128,
                    f"{rows} 3 scratch 16800 output {t} {t}",
                ),
            ],
        ),
    ):
        features = lowering.random_features(function.head, batch, extents)
        (run,), remarks = follow(function, Case(features), calls=1)
        assert run.launches() == launches, extents
        assert not remarks


# --- The function on device memory ----------------------------------------------


@pytest.mark.parametrize("shift", (0, 4, 16))
@pytest.mark.parametrize("target", TARGETS)
def test_device_memory(compiled, tmp_path, target, shift):
    """Nothing is copied or waited for; whether 16 bytes can be read at once depends
    on where the features are.
    """
    head = Head((3, 8, 8))
    function = compiled(head, target)
    features = lowering.random_features(head, 2)
    given, found = tmp_path / "features.npy", tmp_path / "output.npy"
    np.save(given, features)
    np.save(found, np.full((2, 3), np.nan, np.float32))
    log = tmp_path / "log"
    done = subprocess.run(
        [
            sys.executable,
            HERE / "call_on_device.py",
            function.interface,
            function.library,
            f"head_{function.interface}",
            str(shift),
            given,
            found,
        ],
        env=function.environment(log=log),
        capture_output=True,
        text=True,
        timeout=device.TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    value, error = lowering.reference(head, features)
    lowering.assert_close(np.load(found), value, error)
    calls, remarks = read_log(log)
    before = f"+{shift}" if shift else ""
    kernel = f"head_pool_rows_{int(shift % 16 != 0)}"
    # The program's own buffers are the first two.
    run = Run(calls, {"buffer1": "features", "buffer2": "output"})
    assert run.launches() == [(kernel, 1, 128, f"6 features{before} output 1 1")]
    assert not {"copy to", "copy from", "wait", "create stream"} & {
        call.what for call in calls
    }
    assert not remarks
