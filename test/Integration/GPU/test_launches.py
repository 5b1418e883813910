# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a head asks of the driver: which kernels it starts, with which blocks and
arguments, what it copies and what it keeps. All of it is read from the log of the
emulator; the geometry that is expected is worked out here, apart from the compiler.
"""

import re
from dataclasses import dataclass, field

import pytest

import device
import lowering
from device import CUDA, GFX9, Case
from headopt import BF16, F16
from lowering import Head, nhwc

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


def launch(kernel, tasks, threads, arguments, lanes):
    """Each block of CUDA's has one task; others' are told how many tasks and blocks
    there are, and could do several.
    """
    if lanes == TARGETS[CUDA]:
        return kernel, tasks, threads, arguments
    return kernel, tasks, threads, f"{arguments} {tasks} {tasks}"


def short_rows_and_layer(n, lanes):
    """Rows of 196 bytes by way of shared memory, where the kernel that reads them 16
    bytes at a time has the last ones to read one by one, too; 17 is no multiple of 4.
    """
    of_row, rows = device.staged(49, 4, lanes)
    t = ceil(17 * n, rows)
    kernel, d = dense(2, n, 9, lanes)
    bias = up(9 * 17)
    return [
        launch(
            "head_pool_rows_0",
            t,
            rows * of_row,
            f"{17 * n} features features scratch",
            lanes,
        ),
        launch(
            f"head_dense_dense_{kernel}",
            d,
            128,
            f"{n} constants scratch constants+{bias} output",
            lanes,
        ),
    ]


def block_rows_and_softmax(n, lanes):
    """A block for each row of 1200, of 64 threads, which are more than eight accesses
    of 16 bytes for each; then a maximum, and a sum, for each sample's row of nine, by
    way of shared memory: what is the head's own is always aligned.
    """
    kernel, d = dense(4, n, 9, lanes)
    bias = up(9 * 6)
    layer = up(6 * n)
    maxima = layer + up(9 * n)
    powers = maxima + up(n)
    sums = powers + up(9 * n)
    of_row, rows = device.staged(9, 4, lanes)
    t, p = ceil(n, rows), ceil(9 * n, 128)
    return [
        launch("head_pool_blocks_0", 6 * n, 64, "features scratch", lanes),
        launch(
            f"head_dense_dense_{kernel}",
            d,
            128,
            f"{n} constants scratch constants+{bias} scratch+{layer}",
            lanes,
        ),
        launch(
            "head_pool_rows_2",
            t,
            rows * of_row,
            f"{n} scratch+{layer} scratch+{layer} scratch+{maxima}",
            lanes,
        ),
        launch(
            "head_loops_loops_7",
            p,
            128,
            f"{9 * n} scratch+{layer} scratch+{maxima} scratch+{powers}",
            lanes,
        ),
        launch(
            "head_pool_rows_3",
            t,
            rows * of_row,
            f"{n} scratch+{powers} scratch+{powers} scratch+{sums}",
            lanes,
        ),
        launch(
            "head_loops_loops_8",
            p,
            128,
            f"{9 * n} scratch+{powers} scratch+{sums} output",
            lanes,
        ),
    ]


def long_rows(n, lanes):
    """17000 are 4250 accesses, for which 1024 threads are the most there are."""
    return [launch("head_pool_blocks_0", 2 * n, 1024, "features output", lanes)]


def rows_in_pieces(n, lanes):
    """Five pieces, up to 16384 long, of each row of 66000: eight accesses for each of
    512 threads. Then a lane for each row.
    """
    t, r = 2 * 5 * n, ceil(2 * n, 128)
    return [
        launch("head_pool_blocks_0", t, 512, "features scratch", lanes),
        launch("head_pool_rows_1", r, 128, f"{2 * n} scratch output", lanes),
    ]


def columns(n, lanes):
    """16 of 30 columns for each block; 16 threads share 49 rows, up to four each."""
    t = 2 * n
    return [launch("head_pool_columns_0", t, 16 * 16, "features output", lanes)]


def join_rest(kernel, tasks, lanes, width, rows):
    """What pieces of columns left: up to four rows for each thread, or fewer where
    there were less threads than a sub-group.
    """
    depth = 1 << (ceil(rows, 4) - 1).bit_length()
    threads = width * max(lanes // width, depth)
    return launch(kernel, tasks, threads, "scratch output", lanes)


def columns_in_pieces(n, lanes):
    """20 pieces, up to 256 high, of 5000: 64 threads for the one access that a row
    is. Then eight threads, or a sub-group's, for each of four columns.
    """
    t = 20 * n
    return [
        launch("head_pool_columns_0", t, 64, "features scratch", lanes),
        join_rest("head_pool_columns_1", n, lanes, 4, 20),
    ]


def columns_in_pieces_of_pairs(n, lanes):
    """Two rows of 30 are 15 accesses: four pieces, up to 256 high, of 800 pairs. Each
    leaves two numbers for each column.
    """
    t = 4 * n
    return [
        launch("head_pool_columns_0", t, 16 * 64, "features scratch", lanes),
        join_rest("head_pool_columns_1", 2 * n, lanes, 16, 4 * 2),
    ]


def columns_in_one_piece(n, lanes):
    """Eight rows of three halves are three accesses, and 1600 rows are 200 times
    that: one piece, and yet eight numbers for each column are left.
    """
    return [
        launch("head_pool_columns_0", n, 4 * 64, "features scratch", lanes),
        join_rest("head_pool_columns_1", n, lanes, 4, 8),
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
    (Head((2, 17000)), long_rows, lambda n: 0, 0),
    # For both ways to read what is aligned or not, though one is taken.
    (Head((2, 66000)), rows_in_pieces, lambda n: 2 * up(10 * n), 0),
    (nhwc(30, 7, 7), columns, lambda n: 0, 0),
    (nhwc(4, 5000, 1), columns_in_pieces, lambda n: 2 * up(80 * n), 0),
    (
        nhwc(30, 40, 40),
        columns_in_pieces_of_pairs,
        lambda n: 2 * up(4 * 2 * 30 * n),
        0,
    ),
    (
        nhwc(3, 40, 40, type=F16),
        columns_in_one_piece,
        lambda n: 2 * up(8 * 3 * n),
        0,
    ),
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
        element = case.features.itemsize
        assert run.sizes["output"] == batch * head.outputs * element
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
    function, lanes = compiled(Head((5, None, None)), target), TARGETS[target]
    rows = 5 * batch
    t = ceil(rows, 128 // lanes)
    for extents, launches in (
        # No multiple of four; then 16 accesses of 16 bytes.
        ((7, 7), [("head_pool_rows_8", t, 128, f"{rows} 49 features 49 output")]),
        ((8, 8), [("head_pool_rows_0", t, 128, f"{rows} 16 features 64 output")]),
        # The most that one block has.
        (
            (256, 256),
            [("head_pool_blocks_1", rows, 256, "16384 features 65536 output")],
        ),
        # Pieces of 4096 accesses, so that their threads are known.
        (
            (260, 256),
            [
                ("head_pool_blocks_2", 5 * rows, 512, "5 16640 features scratch"),
                ("head_pool_rows_3", t, 128, f"{rows} 5 scratch 66560 output"),
            ],
        ),
    ):
        features = lowering.random_features(function.head, batch, extents)
        (run,), remarks = follow(function, Case(features), calls=1)
        wanted = [launch(*fields, lanes) for fields in launches]
        assert run.launches() == wanted, extents
        assert not remarks


# --- The function on device memory ----------------------------------------------


@pytest.mark.parametrize("shift", (0, 4, 16))
@pytest.mark.parametrize("target", TARGETS)
def test_device_memory(compiled, target, shift):
    """Nothing is copied or waited for; whether 16 bytes can be read at once depends
    on where the features are.
    """
    lanes, before = TARGETS[target], f"+{shift}" if shift else ""
    aligned = shift % 16 == 0
    from_here = f"features{before}"
    of_row, rows = device.staged(49, 4, lanes)
    for head, threads, arguments in (
        (Head((3, 8, 8)), 128, f"6 {from_here} output"),
        (
            Head((3, 7, 7)),
            of_row * rows,
            f"6 {from_here} {from_here} output"
            if aligned
            else f"6 {from_here} output",
        ),
    ):
        function = compiled(head, target)
        features = lowering.random_features(head, 2)
        log = function.folder / "log"
        log.unlink(missing_ok=True)
        output = function.run_on_device(features, shift, log=log)
        value, error = lowering.reference(head, features)
        lowering.assert_close(output, value, error)
        calls, remarks = read_log(log)
        # The program's own buffers are the first two.
        run = Run(calls, {"buffer1": "features", "buffer2": "output"})
        kernel = f"head_pool_rows_{int(not aligned)}"
        assert run.launches() == [launch(kernel, 1, threads, arguments, lanes)]
        assert not {"copy to", "copy from", "wait", "create stream"} & {
            call.what for call in calls
        }
        assert not remarks


# Samples of an odd number of elements, so that hardly one of a batch starts at a
# multiple of 16 bytes; 17 rows for each are whole tiles and parts of one.
ANYWHERE = [
    Head((17, 7, 7)),
    Head((17, 7, 7), type=F16),
    Head((17, 7, 7), type=BF16),
    # One lane for each row, and as many as there are.
    Head((129, 3, 3), type=F16),
    Head((9, 31, 33), type=F16),
    # Rows that are read where they are.
    Head((3, 19, 19)),
    Head((3, 35, 31), type=F16),
    nhwc(33, 7, 7),
    nhwc(33, 7, 7, type=F16),
    # Put together: two pieces of 257 times four rows, one of 129 times eight, two of
    # 257 times eight. And what cannot be.
    nhwc(3, 1028),
    nhwc(3, 1032, type=F16),
    nhwc(5, 2056, type=BF16),
    nhwc(3, 1031, type=F16),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("head", ANYWHERE, ids=Head.label)
def test_place_does_not_change_bits(compiled, target, head):
    """A sample's bits are the same in a batch and alone, there where it is in the
    batch, and wherever that begins.
    """
    function = compiled(head, target)
    features = lowering.random_features(head, 9)
    whole = function.run_on_device(features)
    value, error = lowering.reference(head, features)
    lowering.assert_close(whole, value, error)
    size = features.itemsize
    for shift, alone in ((0, True), (size, False), (16 - size, True)):
        output = function.run_on_device(features, shift, alone)
        assert output.tobytes() == whole.tobytes(), (shift, alone)
