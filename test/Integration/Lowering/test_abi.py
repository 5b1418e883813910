# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a program that calls a compiled head may rely on: the header, the return
codes, the names, the stack, the memory, and calls from many threads.
"""

import ctypes
import re
import resource
import shutil
import subprocess
import threading

import numpy as np
import onnx
import pytest

import lowering
from headopt import BF16, F16, F32, F64
from lowering import Head, nhwc

C_TYPES = {"f32": "float", "f64": "double", "f16": "uint16_t", "bf16": "uint16_t"}
STACK = 64 << 10
OPENMP = "--threads=openmp"
HEAD = Head((17, 7, 7), layers=(5,))


def save(head, folder, name="model.onnx"):
    path = folder / name
    onnx.save(head.model(), path)
    return path


def tool(name):
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not there")
    return found


def output_of(*command):
    return subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True
    ).stdout


# --- Return codes ---------------------------------------------------------------


def raw_call(function, features, batch, output, *extents):
    return function.call(
        None if features is None else features.ctypes.data,
        batch,
        *extents,
        None if output is None else output.ctypes.data,
    )


@pytest.mark.parametrize("head", [HEAD, Head((17, 7, 7))], ids=Head.label)
def test_return_codes(compiled, head):
    function = compiled(head)
    x = lowering.random_features(head, 2)
    y = np.full((2, head.outputs), 7.0, np.float32)
    assert raw_call(function, x, -1, y) == 1
    assert raw_call(function, x, -(2**62), y) == 1
    assert raw_call(function, None, 2, y) == 1
    assert raw_call(function, x, 2, None) == 1
    assert (y == 7.0).all(), "a refused call wrote"
    assert raw_call(function, None, 0, None) == 0
    assert raw_call(function, x, 0, y) == 0
    assert (y == 7.0).all(), "a batch of none wrote"
    assert raw_call(function, x, 2, y) == 0


def test_return_codes_of_dynamic_extents(compiled):
    head = Head((3, None, None))
    function = compiled(head)
    x = lowering.random_features(head, 2, (3, 5))
    y = np.full((2, 3), 7.0, np.float32)
    for extents in ((0, 5), (3, 0), (-3, 5), (3, -5), (-3, -5)):
        assert raw_call(function, x, 2, y, *extents) == 1, extents
    assert (y == 7.0).all()
    assert raw_call(function, x, 2, y, 3, 5) == 0


def test_return_codes_of_a_fixed_batch(compiled):
    head = Head((17, 3, 3), layers=(5,), batch=3)
    function = compiled(head)
    x = lowering.random_features(head, 4)
    y = np.full((4, 5), 7.0, np.float32)
    for batch in (-1, 0, 1, 2, 4):
        assert raw_call(function, x, batch, y) == 1, batch
    assert (y == 7.0).all()
    assert raw_call(function, x, 3, y) == 0
    assert (y[3] == 7.0).all()


# --- Header and names -----------------------------------------------------------


@pytest.mark.parametrize("type_", (F32, F64, F16, BF16), ids=lambda t: t.name)
def test_header_declares_the_function(compiled, type_):
    function = compiled(Head((5, 5, 7), type=type_, layers=(3,)))
    text = " ".join(function.header.read_text("utf-8").split())
    c_type = C_TYPES[type_.name]
    wanted = (
        rf"int head\(const {c_type} \*\s?\w+, int64_t \w+, {c_type} \*\s?\w+\);"
    )
    assert re.search(wanted, text), text


def test_header_declares_dynamic_extents(compiled):
    for head, count in ((Head((3, None, None)), 2), (Head((4, None)), 1)):
        text = " ".join(compiled(head).header.read_text("utf-8").split())
        integers = r"int64_t \w+, " * (1 + count)
        wanted = rf"int head\(const float \*\s?\w+, {integers}float \*\s?\w+\);"
        assert re.search(wanted, text), text


C_PROGRAM = """
#include "head.h"
#include "head.h"
#include <stdio.h>
static float x[2 * 17 * 49], y[2 * 5];
int main(void) {
  int i, code;
  for (i = 0; i < 2 * 17 * 49; ++i)
    x[i] = (float)(i % 13) - 6.0f;
  code = head(x, 2, y);
  for (i = 0; i < 2 * 5; ++i)
    printf("%.9g\\n", y[i]);
  return code;
}
"""


@pytest.mark.parametrize("kind", ("object", "shared"))
@pytest.mark.parametrize("language", ("c", "c++"))
def test_programs_link_it(compiled, tmp_path, kind, language):
    """With all warnings as errors, as C99 and as C++11; the object needs nothing
    but libm.
    """
    model = save(HEAD, tmp_path)
    library = tmp_path / ("head.o" if kind == "object" else "libhead.so")
    done = lowering.invoke(
        model, "-o", library, "--name=head",
        f"--emit-header={tmp_path / 'head.h'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    source = tmp_path / f"main.{'c' if language == 'c' else 'cpp'}"
    source.write_text(C_PROGRAM, "utf-8")
    compiler = tool("cc" if language == "c" else "c++")
    standard = "c99" if language == "c" else "c++11"
    program = tmp_path / "main"
    output_of(
        compiler, f"-std={standard}", "-pedantic", "-Wall", "-Wextra", "-Werror",
        source, library, "-lm", f"-Wl,-rpath,{tmp_path}", "-o", program,
    )  # fmt: skip
    printed = np.array(output_of(program).split(), np.float32).reshape(2, 5)
    x = (np.arange(2 * 17 * 49) % 13 - 6).astype(np.float32)
    x = x.reshape(2, 17, 7, 7)
    lowering.assert_close(printed, *lowering.reference(HEAD, x))
    assert lowering.same_bits(printed, compiled(HEAD).run(x))


def test_the_library_is_small_and_alone(compiled):
    """One name to the outside, no library of LLVM's or MLIR's, no executable
    stack, no text that must be relocated.
    """
    function = compiled(HEAD)
    nm, readelf = tool("nm"), tool("readelf")
    names = [
        line.split()[-1]
        for line in output_of(nm, "-D", "--defined-only", function.path).splitlines()
    ]
    assert names == ["head"]
    dynamic = output_of(readelf, "-d", "-W", function.path)
    needed = set(re.findall(r"NEEDED.*\[(.*?)\]", dynamic))
    # The loader's own library has the address of thread-local memory.
    needed = {name for name in needed if not name.startswith("ld-linux")}
    assert needed <= {"libc.so.6", "libm.so.6"}, needed
    assert "TEXTREL" not in dynamic
    segments = output_of(readelf, "-l", "-W", function.path)
    for line in segments.splitlines():
        if "GNU_STACK" in line:
            assert " RWE " not in line
        if "LOAD" in line:
            assert not ("W" in line.split()[-2] and "E" in line.split()[-2])


@pytest.mark.parametrize(
    "stem, name",
    [("head", "head"), ("resnet-50.v2", "resnet_50_v2"), ("7x7", None)],
)
def test_default_name(tmp_path, stem, name):
    """A C identifier made from the output's name."""
    library = tmp_path / f"{stem}.so"
    done = lowering.invoke(save(HEAD, tmp_path), "-o", library)
    assert done.returncode == 0, done.stderr
    listed = output_of(tool("nm"), "-D", "--defined-only", library).split()
    assert re.fullmatch(r"[A-Za-z_]\w*", listed[-1], re.ASCII), listed
    if name:
        assert listed[-1] == name
    assert listed[-1] + "(" in (tmp_path / f"{stem}.h").read_text("utf-8")


def test_two_heads_in_one_program(tmp_path):
    """Their names do not clash, inside or out."""
    cc, objects, calls = tool("cc"), [], []
    for index, outputs in enumerate((3, 5)):
        head = Head((17, 7, 7), layers=(outputs,))
        path = tmp_path / f"head{index}.o"
        model = save(head, tmp_path, f"{index}.onnx")
        done = lowering.invoke(model, "-o", path, f"--name=head{index}")
        assert done.returncode == 0, done.stderr
        objects.append(path)
        calls.append(f"head{index}(x, 1, y)")
    source = tmp_path / "main.c"
    source.write_text(
        '#include "head0.h"\n#include "head1.h"\n'
        "static float x[17 * 49], y[8];\n"
        f"int main(void) {{ return {' | '.join(calls)}; }}\n",
        "utf-8",
    )
    program = tmp_path / "main"
    output_of(cc, "-Wall", "-Werror", source, *objects, "-lm", "-o", program)
    output_of(program)


# --- Stack, memory, threads -----------------------------------------------------

SHIM = r"""
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
typedef int (*head_t)(const void *, int64_t, void *);
struct call { head_t head; const void *x; int64_t batch; void *y; int code; };
static void *work(void *argument) {
  struct call *call = argument;
  call->code = call->head(call->x, call->batch, call->y);
  return 0;
}
/* The head's return code from a thread with a stack of that size; -1 when there
   is no such thread. */
int on_stack(head_t head, const void *x, int64_t batch, void *y, int64_t size) {
  struct call call = {head, x, batch, y, -1};
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  if (pthread_attr_setstacksize(&attributes, size) ||
      pthread_create(&thread, &attributes, work, &call))
    return -1;
  pthread_join(thread, 0);
  pthread_attr_destroy(&attributes);
  return call.code;
}
/* The sum of the return codes of that many calls. */
int64_t many(head_t head, const void *x, int64_t batch, void *y, int64_t count) {
  int64_t sum = 0;
  while (count-- > 0)
    sum += head(x, batch, y);
  return sum;
}
"""


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shim")
    source, library = folder / "shim.c", folder / "shim.so"
    source.write_text(SHIM, "utf-8")
    output_of(tool("cc"), "-O1", "-shared", "-fPIC", source, "-o", library,
              "-lpthread")  # fmt: skip
    loaded = ctypes.CDLL(str(library))
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    for function in (loaded.on_stack, loaded.many):
        function.argtypes = [pointer, pointer, integer, pointer, integer]
    loaded.many.restype = integer
    return loaded


def address(function):
    return ctypes.cast(function.call, ctypes.c_void_p).value


@pytest.mark.parametrize("flags", ((), (OPENMP,)), ids=("plain", "openmp"))
@pytest.mark.parametrize(
    "head",
    [
        Head((100_000, 1, 2)),
        Head((100_000, 1, 2), layers=(3,)),
        nhwc(100_000, 1, 2),
        # Several threads have enough to do.
        nhwc(2560, 19, 19),
        Head((512, 7, 7), layers=(1024, 512, 3), softmax=True),
        Head((64, 7, 7), layers=(512, 512, 3), softmax=True),
        Head((33, 19, 19), type=BF16, layers=(65,)),
    ],
    ids=Head.label,
)
def test_small_stack(compiled, shim, head, flags):
    """A thread with 64 KiB; what a head needs beyond is not on the stack."""
    function = compiled(head, *flags)
    for batch in (1, 9):
        x = lowering.random_features(head, batch)
        y = np.zeros((batch, head.outputs), head.type.numpy)
        code = shim.on_stack(
            address(function), x.ctypes.data, batch, y.ctypes.data, STACK
        )
        assert code == 0
        assert lowering.same_bits(y, function.run(x))


@pytest.mark.parametrize(
    "head, flags, calls",
    # Starting threads is slow where there is one processor for several.
    [(HEAD, (), 100_000), (Head((17, 7, 7)), (), 100_000),
     (HEAD, (OPENMP,), 2_000),
     (Head((1024, 7, 7), layers=(500, 40)), (OPENMP,), 400)],
    ids=("head", "pool", "openmp", "shared"),
)  # fmt: skip
def test_memory_stays_flat(compiled, shim, head, flags, calls):
    """Many calls, and not a page more."""
    function = compiled(head, *flags)
    x = lowering.random_features(head, 9)
    y = np.zeros((9, head.outputs), np.float32)

    def repeat(batch, count):
        return shim.many(
            address(function), x.ctypes.data, batch, y.ctypes.data, count
        )

    assert repeat(1, 1000) == repeat(9, 100) == 0
    before = resident_kib()
    assert repeat(1, calls) == repeat(9, calls // 100) == 0
    assert resident_kib() - before < 512


def resident_kib():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


@pytest.mark.parametrize(
    "head",
    [
        HEAD,
        Head((64, 7, 7), layers=(32, 17, 3), softmax=True),
        nhwc(33, 5, 5),
        Head((16, 3, 3), type=F16, layers=(9,)),
    ],
    ids=Head.label,
)
def test_threads_at_once(compiled, head):
    """Several threads in the same function, each with its own buffers."""
    function = compiled(head)
    batches = (1, 3, 8, 9)
    inputs = [
        lowering.random_features(head, batch, seed=10 + i)
        for i, batch in enumerate(batches)
    ]
    expected = [function.run(x) for x in inputs]
    lowering.run_at_once(function, inputs, expected, rounds=300)


def test_threads_come_and_go(compiled):
    """Scratch belongs to a thread and goes with it."""
    function = compiled(Head((2048, 7, 7), layers=(512, 10)))
    x = lowering.random_features(function.head, 8)
    expected = function.run(x)
    before = None
    for turn in range(60):
        results = []
        thread = threading.Thread(target=lambda: results.append(function.run(x)))
        thread.start()
        thread.join()
        assert lowering.same_bits(results[0], expected)
        if turn == 20:
            before = resident_kib()
    # Of the last 39 threads, each with more than 300 KiB of scratch, the process
    # would otherwise keep 12 MiB; what malloc keeps for itself is much less.
    assert resident_kib() - before < 4096


# --- Files ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ("head.so", "head.o", "head.s", "head.ll"))
def test_endings(tmp_path, name):
    path = tmp_path / name
    done = lowering.invoke(save(HEAD, tmp_path), "-o", path)
    assert done.returncode == 0, done.stderr
    start = path.read_bytes()[:4]
    assert (start == b"\x7fELF") == (name[-2:] in ("so", ".o"))
    # The header comes with what can be linked.
    assert (tmp_path / "head.h").exists() == (name[-2:] in ("so", ".o"))


def test_same_input_same_output(tmp_path):
    """Byte for byte, wherever the files lie."""
    results = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        model = save(HEAD, folder)
        done = lowering.invoke(model, "-o", folder / "head.o")
        assert done.returncode == 0, done.stderr
        results.append((folder / "head.o").read_bytes())
    assert results[0] == results[1]
    assert str(tmp_path).encode() not in results[0]


def test_run(tmp_path, compiled):
    """--run gives what the library gives."""
    x = lowering.random_features(HEAD, 3)
    np.save(tmp_path / "x.npy", x)
    done = lowering.invoke(
        save(HEAD, tmp_path), "--run", f"--input={tmp_path / 'x.npy'}",
        "-o", tmp_path / "y.npy",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = np.load(tmp_path / "y.npy")
    assert lowering.same_bits(result.reshape(3, -1), compiled(HEAD).run(x))


def no_head(folder):
    text = (
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        "g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }"
    )
    path = folder / "model.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    return path


@pytest.mark.parametrize(
    "make, flags",
    [
        (no_head, ()),
        (lambda f: save(HEAD, f), ("--mcpu=no-such-cpu",)),
        (lambda f: save(HEAD, f), ("--name=not-a-name",)),
        (lambda f: save(HEAD, f), ("--name=int",)),
        (lambda f: save(HEAD, f), ("--target=no-such-target",)),
    ],
    ids=("no-head", "mcpu", "name", "keyword", "target"),
)
def test_errors_are_one_line_and_leave_nothing(tmp_path, make, flags):
    model = make(tmp_path)
    done = lowering.invoke(model, "-o", tmp_path / "head.so", *flags)
    assert done.returncode in (1, 2)
    lines = done.stderr.strip().splitlines()
    assert len([line for line in lines if "error:" in line]) == 1, done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"model.onnx"}
