# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where kernels read 16 bytes at once, in the PTX that is written: exactly in those
whose rows, or columns, all begin at multiples of 16 bytes. A read that is too wide
fails on a device only when the address is no multiple, and one that is too narrow
is merely slow.
"""

import re

import pytest

import device
from headopt import BF16, F16
from lowering import Head, nhwc

WIDE, NARROW = 16, 0

# Bytes of the widest read of each kernel, or 0 for single elements. What the caller
# gave may lie anywhere, so that a kernel for aligned memory has a narrow twin; what
# the head allocated, and constants, do not need one.
KERNELS = [
    # 49 is no multiple of 4.
    (Head((17, 7, 7)), {"pool_rows_0": NARROW}),
    (Head((5, 8, 8)), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    (Head((5, 2, 2)), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    # Eight halves are 16 bytes, four or twelve are not.
    (Head((6, 4, 4), type=F16), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    (Head((6, 2, 4), type=BF16), {"pool_rows_0": WIDE, "pool_rows_1": NARROW}),
    (Head((6, 2, 2), type=F16), {"pool_rows_0": NARROW}),
    (Head((6, 2, 6), type=BF16), {"pool_rows_0": NARROW}),
    (Head((2, 1100)), {"pool_blocks_0": WIDE, "pool_blocks_1": NARROW}),
    (Head((2, 1101)), {"pool_blocks_0": NARROW}),
    # What three pieces left of each row is not read four at a time.
    (
        Head((2, 17000)),
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
    # Layers: of 20 inputs, and of 17.
    (
        Head((20, 7, 7), layers=(9,)),
        {
            "pool_rows_0": NARROW,
            "dense_dense_1": WIDE,
            "dense_dense_2": WIDE,
            "dense_dense_3": WIDE,
        },
    ),
    (
        Head((17, 7, 7), layers=(9,)),
        {
            "pool_rows_0": NARROW,
            "dense_dense_1": NARROW,
            "dense_dense_2": NARROW,
            "dense_dense_3": NARROW,
        },
    ),
    # Extents that are not known: for rows of all lengths, of multiples of 4 first.
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
