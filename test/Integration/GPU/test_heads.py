# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Heads for GPUs over a grid of shapes, called through their C interface. The
stand-in drivers run the very device code that the back ends are given;
``lowering.py`` derives how far a result may be off.
"""

import os
import subprocess

import numpy as np
import onnx
import pytest

import device
import headopt
import lowering
from device import CUDA, EMULATED, GFX9, VULKAN, Case
from headopt import BF16, F16, F32, F64
from lowering import Head, nhwc

TARGETS = (*EMULATED, *VULKAN)

# Rows on both sides of what lanes, accesses of 16 bytes and passes of a loop take, of
# where rows stop going through shared memory (128 numbers, or 256 halves, of which a
# sub-group of 64 reads a line), of where a block takes over from a sub-group (1024),
# and pieces of rows from whole ones (65536). The remainder by three decides the type.
ROWS = (1, 2, 3, 4, 25, 31, 32, 33, 49, 64, 126, 127, 128, 129, 255, 256, 257)
ROWS += (361, 363, 1022, 1023, 1024, 1025, 1028)
LONG_ROWS = (4097, 8192, 16385, 65535, 65536, 65537, 65540)
# On both sides of where columns are in pieces (1024), of one piece and two (256 rows),
# and of rows that are put together: four of three numbers, eight of three halves, two
# of six numbers, four of six halves; all that fit, one more, and such that do not.
HIGH_COLUMNS = [
    *(nhwc(3, height) for height in (1023, 1024, 1025, 1028, 2044, 2048, 2052)),
    *(nhwc(4, height) for height in (1024, 1025, 1281, 5121)),
    *(nhwc(6, height) for height in (1025, 1026)),
    *(nhwc(3, height, type=F16) for height in (1024, 1025, 1032, 2048, 2056)),
    *(nhwc(6, height, type=F16) for height in (1026, 1028)),
    *(nhwc(5, height, type=BF16) for height in (1031, 1032, 2056)),
    nhwc(8, 1025, type=BF16),
    nhwc(67, 1028),
]
HEADS = [
    Head((17, 7, 7)),
    Head((5, 1, 1)),
    Head((3, 32, 32)),
    nhwc(17, 7, 7),
    nhwc(32, 5, 5),
    nhwc(3, 3, 43),
    Head((5, 6, 7), (1, 3)),
    Head((5, 6, 7), (2,), layers=(9,)),
    Head((33, 4, 3), (1,), layers=(9,)),
    Head((17, 7, 7), type=F16),
    Head((6, 4, 4), type=F16),
    Head((5, 3, 11), type=BF16),
    Head((6, 4, 4), type=BF16),
    nhwc(16, 5, 5, type=F16),
    nhwc(5, 5, 5, type=BF16),
    Head((30, 7, 7), layers=(25,)),
    Head((64, 7, 7), layers=(33,), dense="matmul"),
    Head((64, 3, 3), layers=(32, 17, 3), softmax=True),
    Head((32, 3, 3), layers=(17, 4), softmax=True, type=F16),
    Head((20, 3, 3), layers=(16, 5), softmax=True, type=BF16),
    Head((17, 3, 3), layers=(9,), batch=2),
]
DYNAMIC = [
    Head((5, None, None)),
    nhwc(4, None, None),
    Head((6, None, None), type=F16),
    nhwc(3, None, None, type=BF16),
    Head((17, None, None), layers=(9,)),
]


def ids(heads):
    return pytest.mark.parametrize("head", heads, ids=Head.label)


@pytest.fixture(autouse=True)
def _device_is_there(request):
    call = getattr(request.node, "callspec", None)
    target = call.params.get("target", "") if call else ""
    if target.startswith("vulkan"):
        device.require_vulkan()


@pytest.mark.parametrize("target", TARGETS)
@ids(HEADS)
def test_grid(compiled, head, target):
    batches = (head.batch,) if head.batch != "N" else (0, 1, 3, 9)
    device.check(compiled(head, target), batches)


@pytest.mark.parametrize("target", (CUDA, GFX9, "vulkan:8"))
@pytest.mark.parametrize("pixels", ROWS)
def test_rows(compiled, pixels, target):
    """With so many rows that every tile of them is full once, and one that is not."""
    type_ = (F32, F16, BF16)[pixels % 3]
    device.check(compiled(Head((3, pixels), type=type_), target), (1, 47))


@pytest.mark.parametrize("target", (CUDA, GFX9, "vulkan:8"))
@pytest.mark.parametrize("pixels", LONG_ROWS)
def test_long_rows(compiled, pixels, target):
    device.check(compiled(Head((2, pixels)), target), (1, 2))


@pytest.mark.parametrize("target", (CUDA, GFX9, "vulkan:8"))
@ids(HIGH_COLUMNS)
def test_high_columns(compiled, head, target):
    device.check(compiled(head, target), (1, 2))


@pytest.mark.parametrize("target", (CUDA, GFX9, "vulkan:8"))
@ids(DYNAMIC)
def test_dynamic_maps(compiled, head, target):
    """One library for all maps; each is divided by its own size."""
    function = compiled(head, target)
    maps = [(1, 1), (1, 3), (5, 5), (7, 7), (4, 4), (16, 8), (33, 32)]
    if not head.layers and head.axes is None and head.type is F32:
        maps += [(140, 120), (257, 256), (260, 256)]
    cases = []
    for spatial in maps:
        features = lowering.whole_features(head, 2, spatial)
        cases.append(Case(features, f"whole numbers, {spatial}"))
    for case, output in zip(cases, function.run(cases)):
        value, error = lowering.reference(
            head, case.features, exact_sums=not head.layers
        )
        lowering.assert_close(output, value, error, f"{function} {case.what}")


@pytest.mark.parametrize("target", (CUDA, GFX9, "vulkan:4", "vulkan:16"))
@ids([Head((1, 49)), Head((1, 33)), Head((1, 64)), nhwc(1, 49),
      Head((1, 1100))])  # fmt: skip
def test_every_pixel_counts_once(compiled, head, target):
    """D17: a single 1 at each position in turn."""
    pixels = head.extents[0] if head.axes is not None else head.extents[1]
    ones = np.eye(pixels, dtype=np.float32).reshape(pixels, *head.extents)
    (sums,) = compiled(head, target).run([Case(ones)])
    assert (np.abs(sums * pixels - 1) <= 4 * F32.eps).all()


@pytest.mark.parametrize("target", (CUDA, GFX9, "vulkan:8"))
def test_numbers_that_are_none(compiled, target):
    """NaN in the rows around it leaves a row alone, infinity stays."""
    for head in (Head((3, 25)), nhwc(3, 25), Head((3, 5, 5), type=F16)):
        x = np.full((1, 3, 25), np.nan, head.type.numpy)
        x[:, 1] = 1.0
        y = x.copy()
        y[:, 0], y[:, 2] = 0, 0
        y[:, 0, 7] = np.inf
        if head.axes is not None:
            x, y = x.transpose(0, 2, 1), y.transpose(0, 2, 1)
        first, second = compiled(head, target).run(
            [Case(z.reshape(1, *head.extents)) for z in (x, y)]
        )
        assert first[0, 1] == 1.0 and np.isnan(first[0, [0, 2]]).all()
        assert second[0, 0] == np.inf and second[0, 2] == 0


@pytest.mark.parametrize("target", EMULATED)
@ids([Head((6, 2000), layers=(9,)), Head((17, 7, 7)), Head((6, 255), type=F16),
      nhwc(3, 1028), nhwc(5, 1032, type=F16)])  # fmt: skip
def test_schedules_do_not_matter(compiled, head, target):
    """D18: whatever runs first, the bits are the same, and memory is only touched
    where it is the head's.
    """
    function = compiled(head, target)
    case = Case(lowering.random_features(head, 3))
    wanted = None
    for seed in range(6):
        for guard in ("start", "end"):
            (got,) = function.run([case], seed=seed, guard=guard)
            wanted = got.tobytes() if wanted is None else wanted
            assert got.tobytes() == wanted, f"seed {seed}"


# --- What goes wrong ------------------------------------------------------------


@pytest.mark.parametrize("target", (CUDA, GFX9))
def test_failures_of_the_driver(compiled, target):
    head = Head((5, 7, 7), layers=(3,))
    function = compiled(head, target)
    case = Case(lowering.random_features(head, 2))
    prefix = "cu" if target == CUDA else "hip"
    name = {"cu": "cuLaunchKernel", "hip": "hipModuleLaunchKernel"}[prefix]
    done, results = function.start([case, case], fail=f"{name}:1")
    assert done.returncode == 0, done.stderr
    with np.load(results) as found:
        assert found["code0"] == 3 and name in str(found["error0"])
        # The next call is as if nothing had been.
        assert found["code1"] == 0


@pytest.mark.parametrize("target", (CUDA, GFX9, "vulkan:8"))
def test_bad_arguments(compiled, target):
    head = Head((17, 3, 3), layers=(9,), batch=2)
    function = compiled(head, target)
    done, results = function.start(
        [Case(np.zeros((3, 17, 3, 3), np.float32))]
    )
    assert done.returncode == 0, done.stderr
    with np.load(results) as found:
        assert found["code0"] == 1 and "batch" in str(found["error0"])
        assert (found["output0"] == 0xFFFFFFFF).all(), "nothing is written"


@pytest.mark.parametrize("target", (CUDA, GFX9, "vulkan:8"))
def test_batches_that_no_memory_holds(compiled, target):
    """Their numbers of bytes do not fit 64 bits, or are those of a small batch."""
    head = Head((4, 7), layers=())
    function = compiled(head, target)
    features = np.zeros((2, 4, 7), np.float32)
    batches = [2**62, 2**62 + 1, 2**60, 2**50, -1, -(2**62) + 1]
    done, results = function.start([Case(features, batch=n) for n in batches])
    assert done.returncode == 0, done.stderr
    with np.load(results) as found:
        for i in range(len(batches)):
            assert found[f"code{i}"] == 1 and "batch" in str(found[f"error{i}"])
            assert (found[f"output{i}"] == 0xFFFFFFFF).all(), "nothing is written"


@pytest.mark.parametrize("target", (CUDA, GFX9, "vulkan:8"))
def test_extents_that_no_memory_holds(compiled, target):
    """Such are refused before anything is copied, as batches are; what has a size, and
    no room on the device, is out of memory.
    """
    function = compiled(Head((5, None, None)), target)
    features = np.zeros((1, 5, 7, 7), np.float32)
    output = np.zeros((1, 5), np.float32)
    pairs = [(2**31, 2**31), (2**62, 2**62), (2**62, 4), (7, 0), (7, -1)]
    calls = [(features, output, pair, 1) for pair in pairs]
    calls += [(features, output, (7, 7), batch) for batch in (2**62 + 1, 2**36, 1)]
    codes = [1] * len(pairs) + [1, 4, 0]
    done, results = device.call_library(
        function.library,
        function.function,
        calls,
        function.folder,
        function.environment(),
    )
    assert done.returncode == 0, done.stderr
    with np.load(results) as found:
        assert [int(found[f"code{i}"]) for i in range(len(calls))] == codes
        for i, code in enumerate(codes):
            assert code != 1 or "extent" in str(found[f"error{i}"])
            written = (found[f"output{i}"] != 0xFFFFFFFF).any()
            assert written == (code == 0), "nothing is written after an error"


def run_tool(*arguments, **environment):
    return subprocess.run(
        [headopt.TOOL, *arguments],
        capture_output=True,
        text=True,
        timeout=device.TIME_LIMIT,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--target=cuda:sm_1"], "sm_1"),
        (["--target=rocm"], "rocm"),
        (["--target=vulkan:3"], "vulkan"),
        (["--target=cuda", "--mcpu=native"], "--mcpu is for processors"),
        (["--target=cuda", "--threads=openmp"], "--threads is for processors"),
        (
            ["--target=vulkan", "--emit=ptx"],
            "not for --target=vulkan; give --emit=asm, spirv, obj or shared",
        ),
        (
            ["--target=cuda", "--emit=spirv"],
            "not for --target=cuda; give --emit=ptx, cubin, llvm, obj or shared",
        ),
        (["--target=cuda", "--emit=ptx", "--emit-header=x.h"], "--emit-header"),
        (["--target=vulkan", "--emit=spirv", "--emit-header=x.h"], "--emit-h"),
        (["--emit=ptx"], "--target=cuda:sm_80"),
        (["--target=vulkan", "--emit=llvm"], "SPIR-V"),
    ],
)
def test_bad_options(compiled, tmp_path, arguments, said):
    model, output = compiled(Head((5, 7, 7)), CUDA).model, tmp_path / "x.so"
    done = run_tool(model, "-o", output, *arguments)
    assert done.returncode != 0 and not output.exists()
    assert said in done.stderr and len(done.stderr.splitlines()) == 1


def test_double_precision_is_refused(tmp_path):
    onnx.save(Head((5, 7, 7), type=F64).model(), tmp_path / "head.onnx")
    output = tmp_path / "head.so"
    done = run_tool(
        tmp_path / "head.onnx", "-o", output, "--target=cuda", "--quiet"
    )
    assert done.returncode != 0 and not output.exists()
    assert "f64" in done.stderr and len(done.stderr.splitlines()) == 1


def test_run_without_a_driver(compiled):
    """No driver is one line that says so."""
    model = compiled(Head((5, 7, 7)), CUDA).model
    done = run_tool(model, "--run", "--target=cuda", "--quiet")
    if done.returncode == 0:
        pytest.skip("there is a GPU here")
    assert "libcuda.so.1" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_run_on_a_device_compares_with_this_one(compiled):
    device.require_vulkan()
    model = compiled(Head((5, 7, 7), layers=(3,)), "vulkan:8").model
    done = run_tool(
        model,
        "--run",
        "--target=vulkan:8",
        "--quiet",
        "--batch=2",
        LP_NATIVE_VECTOR_WIDTH="256",
        HEADOPT_VULKAN_DEVICE="llvmpipe",
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert "largest difference" in done.stderr


# --- What is written ------------------------------------------------------------

PROGRAM = """
#include "%(name)s.h"
#include <stdio.h>

int main(void) {
  float features[2 * 5 * 7 * 7], output[2 * 3];
  for (int i = 0; i < 2 * 5 * 7 * 7; ++i)
    features[i] = (float)(i %% 7);
  int code = %(function)s(features, 2, output);
  if (code) {
    fprintf(stderr, "%%s\\n", %(error)s());
    return code;
  }
  for (int i = 0; i < 2 * 3; ++i)
    printf("%%.9g\\n", (double)output[i]);
  return 0;
}
"""


@pytest.mark.parametrize("language", ("c", "c++"))
@pytest.mark.parametrize("target", (CUDA, GFX9, "vulkan:8"))
def test_object_in_a_program(compiled, tmp_path, target, language):
    """An object with the runtime in it, its header, and a program of C or C++."""
    head = Head((5, 7, 7), layers=(3,))
    function = compiled(head, target)
    device.compile_model(
        function.model, tmp_path / "head.o", target, "--name=head"
    )
    source = tmp_path / ("main.c" if language == "c" else "main.cpp")
    source.write_text(
        PROGRAM
        % {
            "name": "head",
            "function": function.function,
            "error": f"head_{function.interface}_error",
        }
    )
    compiler, standard = {
        "c": ("cc", "-std=c11"),
        "c++": ("c++", "-std=c++17"),
    }[language]
    subprocess.run(
        [compiler, standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        + [source, tmp_path / "head.o", "-o", tmp_path / "program"],
        check=True,
    )
    done = subprocess.run(
        [tmp_path / "program"],
        env=function.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    features = (np.arange(2 * 5 * 7 * 7) % 7).astype(np.float32)
    value, error = lowering.reference(head, features.reshape(2, 5, 7, 7))
    got = np.array(done.stdout.split(), np.float32).reshape(2, 3)
    lowering.assert_close(got, value, error)
