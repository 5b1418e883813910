# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers of bf16 by AVX512-BF16's instruction, which multiplies pairs: widths on both
sides of pairs, vectors and panels; numbers that it flushes or that are none; which
version runs. ``lowering.py`` derives how far a result may be off.
"""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import headopt
import lowering
from headopt import BF16
from lowering import BF16_LEVEL, Head, nhwc

LLVM = Path("/usr/lib/llvm-22/bin")
FLAG = f"--mcpu={BF16_LEVEL}"
BATCHES = (*range(10), 33)
TINY = 2.0**-126

needs_bf16 = pytest.mark.skipif(
    BF16_LEVEL not in lowering.vector_levels(),
    reason="this machine has no AVX512-BF16",
)


def has_instruction(path):
    """Whether code multiplies pairs of bf16."""
    done = subprocess.run(
        [LLVM / "llvm-objdump", "-d", "--no-show-raw-insn", path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return "vdpbf16ps" in done.stdout


# ----------------------------------------------------------------------------
# Results
# ----------------------------------------------------------------------------

# Inputs, outputs.
WIDTHS = [
    (1, 1),
    (1, 17),
    (2, 3),
    (3, 16),
    (15, 15),
    (16, 48),
    (17, 33),
    (33, 49),
    (64, 47),
    (65, 97),
    (31, 100),
    (513, 25),
]


@needs_bf16
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_grid(compiled, widths):
    head = Head((widths[0], 3, 5), type=BF16, layers=widths[1:])
    function = compiled(head, FLAG)
    # The one weight of the first is a constant in a plain multiplication.
    assert has_instruction(function.path) == (widths != (1, 1))
    lowering.check(function, BATCHES)


@needs_bf16
@pytest.mark.parametrize(
    "head",
    [
        Head((21, 3, 3), type=BF16, layers=(17, 15, 4), softmax=True),
        nhwc(19, 3, 5, type=BF16, layers=(33, 7)),
        Head((23, 7, 7), type=BF16, layers=(19,), dense="matmul"),
        Head((9, None, None), type=BF16, layers=(5,)),
    ],
    ids=Head.label,
)
def test_heads(compiled, head):
    lowering.check(
        compiled(head, FLAG), BATCHES, chosen=(4, 3) if head.dynamic else ()
    )


@needs_bf16
@pytest.mark.parametrize("widths", ((16, 9), (33, 48), (47, 100)), ids=str)
def test_every_weight_counts_once(compiled, widths):
    """Small integers and maps of 16 pixels whose sums are multiples of 16: every
    step is exact, in any order; so is the result, which bf16 has too.
    """
    head = Head((widths[0], 4, 4), type=BF16, layers=widths[1:], integers=True)
    features = lowering.whole_features(head, 9).astype(np.int64)
    features[:, :, 3, 3] += -features.sum(axis=(2, 3)) % 16
    features = features.astype(BF16.numpy)
    exact, _ = lowering.reference(head, features)
    result = compiled(head, FLAG).run(features)
    assert np.array_equal(result, exact.astype(BF16.numpy))


@needs_bf16
def test_versions_share_bits_within_one(compiled):
    """Threads, and the choice at run time, change nothing."""
    head = Head((1024, 7, 7), type=BF16, layers=(67,))
    features = lowering.random_features(head, 43)
    expected = compiled(head, FLAG).run(features)
    for flags in ((), (FLAG, "--threads=openmp"), ("--threads=openmp",)):
        for batch in (1, 5, 8, 43):
            result = compiled(head, *flags).run(features[:batch])
            assert lowering.same_bits(result, expected[:batch]), (flags, batch)


@needs_bf16
@pytest.mark.parametrize("widths", ((16, 18), (17, 18)), ids=str)
def test_infinity_and_nan(compiled, widths):
    """In the last element, which is beside nothing where the width is odd."""
    head = Head((widths[0], 2, 2), type=BF16, layers=widths[1:])
    function = compiled(head, FLAG)
    weight, _ = head.weights()[0]
    clean = lowering.random_features(head, 9)
    expected = function.run(clean)
    for what in (np.inf, -np.inf, np.nan):
        features = np.array(clean)
        features[4, -1, 1, 1] = what
        result = function.run(features)
        last = headopt.wide(weight)[:, -1] * what
        assert np.array_equal(headopt.wide(result[4]), last, equal_nan=True)
        others = np.arange(9) != 4
        assert lowering.same_bits(result[others], expected[others])


def run_dense(tmp_path, values, weight, flag):
    """values @ weight, as a head that pools maps of one pixel."""
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 22]>\n'
        f"head (bfloat16[N,{weight.shape[0]},1,1] x) => "
        f"(bfloat16[N,{weight.shape[1]}] y) {{\n"
        "  p = GlobalAveragePool (x)\n"
        "  f = Flatten <axis = 1> (p)\n"
        "  y = MatMul (f, w)\n}"
    )
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    onnx.save(model, tmp_path / "m.onnx")
    path = tmp_path / f"{flag[-4:]}.so"
    done = lowering.invoke(
        tmp_path / "m.onnx", "-o", path, "--name=head", flag
    )
    assert done.returncode == 0, done.stderr
    call = ctypes.CDLL(str(path)).head
    call.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    output = np.empty((len(values), weight.shape[1]), BF16.numpy)
    assert call(values.ctypes.data, len(values), output.ctypes.data) == 0
    return headopt.wide(output)


@needs_bf16
def test_numbers_below_the_smallest_normal_one(tmp_path):
    """The bound is for what is flushed, and other versions flush nothing."""
    x = np.array([[TINY / 4, 2.0**-120, 1.0], [TINY, 1.0, 0.0]], BF16.numpy)
    w = np.array([[1.0, 4.0], [2.0**-10, TINY / 2], [0.0, TINY]], BF16.numpy)
    exact = headopt.wide(x) @ headopt.wide(w)
    other = run_dense(tmp_path, x, w, "--mcpu=x86-64-v4")
    assert np.array_equal(other, exact.astype(BF16.numpy).astype(float))
    result = run_dense(tmp_path, x, w, FLAG)
    bound = lowering.flushing(abs(headopt.wide(x)), headopt.wide(w).T, BF16)
    assert (abs(result - exact) <= bound).all()
    # What is large enough is not touched.
    assert result[0, 1] == TINY and result[1, 0] == 2.0**-10


# ----------------------------------------------------------------------------
# Which version runs
# ----------------------------------------------------------------------------

DRIVER = r"""
#include <stdio.h>
#include "head.h"
extern int version __asm__("head.version");
int main(void) {
  static uint16_t x[36], y[5];
  if (head(x, 1, y))
    return 1;
  printf("%d", version);
  return 0;
}
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A program that prints which of the four versions ran."""
    folder = tmp_path_factory.mktemp("versions")
    head = Head((9, 2, 2), type=BF16, layers=(5,))
    onnx.save(head.model(), folder / "head.onnx")
    done = lowering.invoke(folder / "head.onnx", "-o", folder / "head.o")
    assert done.returncode == 0, done.stderr
    (folder / "driver.c").write_text(DRIVER)
    for command in (
        [LLVM / "llvm-objcopy", "--globalize-symbol=head.version", "head.o"],
        ["gcc", "-static", "driver.c", "head.o", "-lm", "-o", "driver"],
    ):
        subprocess.run(command, check=True, cwd=folder)
    return folder / "driver"


def printed(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_the_best_version_runs(driver):
    assert printed(driver) == len(lowering.vector_levels())


@pytest.mark.parametrize(
    "cpu, version", [("Nehalem", 1), ("Haswell", 2), ("Haswell,level=6", 1)]
)
def test_the_version_fits_an_emulated_processor(driver, cpu, version):
    qemu = shutil.which("qemu-x86_64")
    if not qemu:
        pytest.skip("there is no qemu-x86_64 (Debian: qemu-user)")
    assert printed(qemu, "-cpu", cpu, driver) == version
