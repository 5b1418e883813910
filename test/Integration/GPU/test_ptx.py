# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The PTX and SPIR-V that are written: what no result shows.

Kernels read 16 bytes at once where rows, or columns, all begin at multiples of 16
bytes, and where some that follow each other do together. A read that is too wide
fails on a device only when the address is no multiple, and one that is too narrow is
merely slow. So is what has more values at once than there are registers for. And
others' tools have to take what is written.
"""

import os
import re
import shutil
import subprocess

import onnx
import pytest

import device
from headopt import BF16, F16, F32
from lowering import Head, nhwc
from test_heads import DYNAMIC, HEADS

WIDE, NARROW = 16, 0

# Bytes of the widest read of each kernel, or 0 for single elements. What the caller
# gave may lie anywhere, so that a kernel for aligned memory has a narrow twin; what
# the head allocated, and constants, do not need one.
KERNELS = [
    # 49 is no multiple of 4, but a block has rows that begin and end at multiples.
    (Head((17, 7, 7)), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    (Head((5, 8, 8)), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    (Head((5, 2, 2)), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    # Eight halves are 16 bytes, four or twelve are some with others' rows.
    (Head((6, 4, 4), type=F16), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    (Head((6, 2, 4), type=BF16), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    (Head((6, 2, 2), type=F16), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    (Head((6, 2, 6), type=BF16), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    # From 129 numbers on, 32 lanes read a line of 128 bytes of a row; of halves, they
    # read half of one.
    (Head((2, 127)), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    (Head((2, 129)), {"pool_rows_0": NARROW}),
    (Head((2, 1023), type=F16), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    # The rows are further apart than they are long.
    (Head((5, 6, 7), (1, 3)), {"pool_rows_0": NARROW}),
    (Head((2, 1100)), {"pool_blocks_0": WIDE, "pool_blocks_1": NARROW}),
    (Head((2, 1101)), {"pool_blocks_0": NARROW}),
    (Head((2, 65536)), {"pool_blocks_0": WIDE, "pool_blocks_1": NARROW}),
    # What five pieces left of each row is not read four at a time.
    (
        Head((2, 65540)),
        {
            "pool_blocks_0": WIDE,
            "pool_rows_1": NARROW,
            "pool_blocks_2": NARROW,
            "pool_rows_3": NARROW,
        },
    ),
    # The columns decide, whatever is between them.
    (nhwc(32, 5, 5), {"pool_columns_0": WIDE, "pool_columns_1": NARROW}),
    (nhwc(30, 4, 4), {"pool_columns_0": NARROW}),
    (
        nhwc(16, 5, 5, type=F16),
        {"pool_columns_0": WIDE, "pool_columns_1": NARROW},
    ),
    (nhwc(12, 4, 4, type=F16), {"pool_columns_0": NARROW}),
    # When much is reduced, two rows of 30 are 15 times 16 bytes, and eight rows of 33
    # halves are 33 times that; what the pieces leave is read one by one.
    *(
        (
            head,
            {
                "pool_columns_0": WIDE,
                "pool_columns_1": NARROW,
                "pool_columns_2": NARROW,
                "pool_columns_3": NARROW,
            },
        )
        for head in (nhwc(30, 40, 40), nhwc(33, 40, 40, type=F16))
    ),
    # An odd number of rows, and one that is no multiple of eight.
    *(
        (head, {"pool_columns_0": NARROW, "pool_columns_1": NARROW})
        for head in (nhwc(30, 41, 41), nhwc(33, 42, 42, type=F16))
    ),
    # Layers: of 20 inputs, and of 17.
    (
        Head((20, 7, 7), layers=(9,)),
        {
            "pool_rows_0": WIDE,
            "pool_rows_1": NARROW,
            "dense_dense_2": WIDE,
            "dense_dense_3": WIDE,
            "dense_dense_4": WIDE,
        },
    ),
    (
        Head((17, 7, 7), layers=(9,)),
        {
            "pool_rows_0": WIDE,
            "pool_rows_1": NARROW,
            "dense_dense_2": NARROW,
            "dense_dense_3": NARROW,
            "dense_dense_4": NARROW,
        },
    ),
    # Extents that are not known: for rows of all lengths, of multiples of 4 first,
    # wherever they start. None go through shared memory.
    (
        Head((5, None, None)),
        {
            "pool_rows_0": WIDE,
            "pool_blocks_1": WIDE,
            "pool_blocks_2": WIDE,
            "pool_rows_3": NARROW,
            "pool_rows_4": NARROW,
            "pool_blocks_5": NARROW,
            "pool_blocks_6": NARROW,
            "pool_rows_7": NARROW,
            # What is no multiple.
            "pool_rows_8": NARROW,
            "pool_blocks_9": NARROW,
            "pool_blocks_10": NARROW,
            "pool_rows_11": NARROW,
        },
    ),
]
READ = re.compile(r"\bld\.global\S*\.v(\d)\.\w(\d+)\b")


@pytest.mark.parametrize(
    "head,expected", KERNELS, ids=[head.label() for head, _ in KERNELS]
)
def test_width_of_reads(compiled, tmp_path, head, expected):
    text = tmp_path / "head.ptx"
    model = compiled(head, device.CUDA).model
    device.compile_model(model, text, device.CUDA, "--name=head")
    _, *kernels = re.split(r"\.entry head_(\w+)", text.read_text())
    widths = {}
    for name, code in zip(kernels[::2], kernels[1::2]):
        assert "ld.global" in code
        found = [int(n) * int(bits) // 8 for n, bits in READ.findall(code)]
        widths[name] = max(found, default=NARROW)
    assert widths == expected


# --- What others' tools say -----------------------------------------------------

CHIPS = ("sm_80", "sm_90", "sm_100")
# As large as heads are: loops of several passes, of which the small heads of
# test_heads.py have none, and blocks of 1024 threads.
LARGE = [
    *(Head((256, 56, 56), type=t) for t in (F32, F16, BF16)),
    *(Head((64, 112, 112), type=t) for t in (F32, F16, BF16)),
    Head((3, 300, 300)),
    *(Head((64, 25, 25), type=t) for t in (F32, F16, BF16)),
    *(nhwc(1280, 7, 7, type=t) for t in (F32, F16, BF16)),
    *(nhwc(30, 56, 56, type=t) for t in (F32, F16, BF16)),
    Head((512, 7, 7), layers=(1000,)),
    Head((2048, 7, 7), layers=(512, 1000), softmax=True),
]
# Every third of the small ones: ptxas takes its time.
ASSEMBLED = [*(HEADS + DYNAMIC)[::3], *LARGE]


def find_ptxas():
    folders = [os.environ.get("CUDA_HOME", "") + "/bin", "/usr/local/cuda/bin"]
    return shutil.which("ptxas") or shutil.which(
        "ptxas", path=os.pathsep.join(folders)
    )


def write(head, folder, suffix, target):
    model, output = folder / "head.onnx", folder / f"head.{suffix}"
    onnx.save(head.model(), model)
    device.compile_model(model, output, target, "--name=head")
    return output


@pytest.mark.parametrize("head", ASSEMBLED, ids=Head.label)
@pytest.mark.parametrize("chip", CHIPS)
def test_registers_suffice(tmp_path, chip, head):
    """What does not fit registers goes to memory, in the innermost loop."""
    ptxas = find_ptxas()
    if not ptxas:
        pytest.skip("no ptxas here; it comes with CUDA")
    text = write(head, tmp_path, "ptx", f"cuda:{chip}")
    done = subprocess.run(
        [ptxas, f"-arch={chip}", "-v", "-o", tmp_path / "cubin", text],
        capture_output=True,
        text=True,
        timeout=device.TIME_LIMIT,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    kernels = re.findall(r"\.entry (\w+)", text.read_text())
    used = re.findall(r"Used (\d+) registers", said)
    assert len(used) == len(kernels) > 0
    assert max(int(n) for n in used) <= 128, said
    spilled = re.findall(r"(\d+) bytes (?:stack frame|spill)", said)
    assert len(spilled) == 3 * len(kernels) and set(spilled) == {"0"}, said


@pytest.mark.parametrize("lanes", (4, 32, 64))
def test_spirv_val(tmp_path, lanes):
    tool = shutil.which("spirv-val")
    if not tool:
        pytest.skip("no spirv-val here; utils/setup.sh installs it")
    for head in (*HEADS, *DYNAMIC, *LARGE):
        module = write(head, tmp_path, "spv", f"vulkan:{lanes}")
        done = subprocess.run(
            [tool, "--target-env", "vulkan1.1", module],
            capture_output=True,
            text=True,
            timeout=device.TIME_LIMIT,
            check=False,
        )
        assert done.returncode == 0, (head.label(), done.stdout + done.stderr)
