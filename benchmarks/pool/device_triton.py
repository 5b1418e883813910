# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Means over maps in Triton, as one would write them by hand: device.py's peer.

Long maps are cut into pieces, whose sums a second launch adds up. Block sizes,
warps and pieces are tried out on each case, and the fastest is timed.
"""

import triton
import triton.language as tl


@triton.jit
def add_rows(
    x, y, rows, scale,
    LENGTH: tl.constexpr, PIECE: tl.constexpr, PIECES: tl.constexpr,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """y[row, piece] = scale * sum of x[row, the piece]"""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    first = tl.program_id(1) * PIECE
    total = tl.zeros((ROWS, BLOCK), tl.float32)
    for offset in range(0, PIECE, BLOCK):
        column = offset + tl.arange(0, BLOCK)
        inside = (column < PIECE) & (first + column < LENGTH)
        total += tl.load(
            x + row[:, None] * LENGTH + (first + column)[None, :],
            mask=(row < rows)[:, None] & inside[None, :],
            other=0.0,
        ).to(tl.float32)
    mean = tl.sum(total, 1) * scale
    tl.store(
        y + row * PIECES + tl.program_id(1),
        mean.to(y.dtype.element_ty),
        mask=row < rows,
    )


@triton.jit
def add_columns(
    x, y, channels, scale,
    LENGTH: tl.constexpr, PIECE: tl.constexpr, PIECES: tl.constexpr,
    COLUMNS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """y[image, piece, c] = scale * sum of x[image, the piece, c]"""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    image = tl.program_id(1).to(tl.int64)
    first = tl.program_id(2) * PIECE
    total = tl.zeros((BLOCK, COLUMNS), tl.float32)
    for offset in range(0, PIECE, BLOCK):
        row = offset + tl.arange(0, BLOCK)
        inside = (row < PIECE) & (first + row < LENGTH)
        total += tl.load(
            x
            + image * LENGTH * channels
            + (first + row)[:, None] * channels
            + column[None, :],
            mask=inside[:, None] & (column < channels)[None, :],
            other=0.0,
        ).to(tl.float32)
    mean = tl.sum(total, 0) * scale
    tl.store(
        y + (image * PIECES + tl.program_id(2)) * channels + column,
        mean.to(y.dtype.element_ty),
        mask=column < channels,
    )


def piece_of(length, pieces, block):
    """How long a piece is, a multiple of a block, and how many there are."""
    piece = triton.cdiv(triton.cdiv(length, pieces), block) * block
    return piece, triton.cdiv(length, piece)


def row_choices(length):
    """(rows and block of a program, pieces, warps) to try."""
    block = min(triton.next_power_of_2(length), 2048)
    choices = []
    for elements, warps in ((1024, 4), (2048, 4), (4096, 8)):
        rows = max(1, elements // block)
        for pieces in (1,) if length <= 4096 else (1, 6, 24):
            choices.append((rows, block, pieces, warps))
    return list(dict.fromkeys(choices))


def column_choices(length, channels):
    choices = []
    for columns, warps in ((32, 4), (64, 4), (128, 8)):
        columns = min(columns, triton.next_power_of_2(channels))
        block = min(triton.next_power_of_2(length), 4096 // columns)
        for pieces in (1,) if length <= 64 else (1, 4, 64):
            choices.append((columns, block, pieces, warps))
    return list(dict.fromkeys(choices))


def make_rows(choice, rows, length, partial, output):
    """A call of one feature map after another, for this choice."""
    per_program, block, pieces, warps = choice
    piece, pieces = piece_of(length, pieces, block)
    grid = (triton.cdiv(rows, per_program), pieces)
    scale = 1.0 / length

    def call(x):
        if pieces == 1:
            add_rows[grid](x, output, rows, scale, length, piece, 1,
                           per_program, block, num_warps=warps)  # fmt: skip
            return output
        add_rows[grid](x, partial, rows, 1.0, length, piece, pieces,
                       per_program, block, num_warps=warps)  # fmt: skip
        last = triton.next_power_of_2(pieces)
        add_rows[(triton.cdiv(rows, 4),)](
            partial, output, rows, scale, pieces, last, 1, 4, last,
            num_warps=4,
        )  # fmt: skip
        return output

    return call


def make_columns(choice, batch, length, channels, partial, output):
    columns, block, pieces, warps = choice
    piece, pieces = piece_of(length, pieces, block)
    grid = (triton.cdiv(channels, columns), batch)
    scale = 1.0 / length

    def call(x):
        if pieces == 1:
            add_columns[(*grid, 1)](
                x, output, channels, scale, length, piece, 1, columns, block,
                num_warps=warps,
            )  # fmt: skip
            return output
        add_columns[(*grid, pieces)](
            x, partial, channels, 1.0, length, piece, pieces, columns, block,
            num_warps=warps,
        )  # fmt: skip
        last = triton.next_power_of_2(pieces)
        add_columns[(*grid, 1)](
            partial, output, channels, scale, pieces, last, 1, columns,
            last, num_warps=4,
        )  # fmt: skip
        return output

    return call
