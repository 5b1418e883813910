# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From the LLVM dialect to code that runs: each kind of output is linked, loaded
and called as its users do, and every failure is one line.

The kernel is ``test/Target/Native/Inputs/dense.mlir``, a dense layer [N, 8] ->
[N, 4] written by hand; others are made up below.
"""

import ctypes
import os
import resource
import shutil
import subprocess
import threading
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import headopt

KERNEL = headopt.REPOSITORY / "test" / "Target" / "Native" / "Inputs" / "dense.mlir"
LLVM = Path("/usr/lib/llvm-22/bin")

WEIGHT = np.array(
    [
        [1, 2, 3, 4, 5, 6, 7, 8],
        [-1, 0.5, -0.5, 0.25, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 1],
        [0.5] * 8,
    ],
    np.float32,
)
BIAS = np.array([0, 10, 20, 30], np.float32)

# Copies its input. The type of an element is {0}, its bytes {1}.
COPY = """
llvm.func @copy(%f: !llvm.ptr, %batch: i64, %o: !llvm.ptr) -> i32
    attributes {{headopt.signature = {{element = {0}, features = [-1, 2, 3], output = [-1, 2, 3]}}}} {{
  %zero = llvm.mlir.constant(0 : i32) : i32
  %sample = llvm.mlir.constant({1} : i64) : i64
  %size = llvm.mul %batch, %sample : i64
  "llvm.intr.memcpy"(%o, %f, %size) <{{isVolatile = false}}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
  llvm.return %zero : i32
}}
"""

# Copies [N, 2, H, 3, W] to [N, H, 6, W].
DYNAMIC = """
llvm.func @copy(%f: !llvm.ptr, %batch: i64, %h: i64, %w: i64, %o: !llvm.ptr) -> i32
    attributes {headopt.signature = {element = f32, features = [-1, 2, -1, 3, -1],
                                     output = [-1, -3, 6, -5]}} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %sample = llvm.mlir.constant(24 : i64) : i64
  %0 = llvm.mul %batch, %sample : i64
  %1 = llvm.mul %0, %h : i64
  %2 = llvm.mul %1, %w : i64
  "llvm.intr.memcpy"(%o, %f, %2) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
  llvm.return %zero : i32
}
"""

# exp of one number for each sample: needs libm, and scratch memory.
EXP = """
llvm.mlir.global private @scratch() : !llvm.array<1 x f32> {
  %0 = llvm.mlir.undef : !llvm.array<1 x f32>
  llvm.return %0 : !llvm.array<1 x f32>
}
llvm.func @head(%f: !llvm.ptr, %batch: i64, %o: !llvm.ptr) -> i32
    attributes {headopt.signature = {element = f32, features = [-1, 1], output = [-1, 1]}} {
  %zero = llvm.mlir.constant(0 : i64) : i64
  %one = llvm.mlir.constant(1 : i64) : i64
  %done = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^head(%zero : i64)
^head(%i: i64):
  %more = llvm.icmp "slt" %i, %batch : i64
  llvm.cond_br %more, ^body, ^end
^body:
  %scratch = llvm.mlir.addressof @scratch : !llvm.ptr
  %from = llvm.getelementptr %f[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %x = llvm.load %from : !llvm.ptr -> f32
  %y = llvm.intr.exp(%x) : (f32) -> f32
  llvm.store volatile %y, %scratch : f32, !llvm.ptr
  %z = llvm.load volatile %scratch : !llvm.ptr -> f32
  %to = llvm.getelementptr %o[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  llvm.store %z, %to : f32, !llvm.ptr
  %next = llvm.add %i, %one : i64
  llvm.br ^head(%next : i64)
^end:
  llvm.return %done : i32
}
"""

# A parallel loop. The scratch memory whose address is taken before it is that of
# the caller, for all threads.
OPENMP = """
llvm.mlir.global private @scratch() : !llvm.array<1 x f32> {
  %0 = llvm.mlir.undef : !llvm.array<1 x f32>
  llvm.return %0 : !llvm.array<1 x f32>
}
llvm.func @head(%f: !llvm.ptr, %batch: i64, %o: !llvm.ptr) -> i32
    attributes {headopt.signature = {element = f32, features = [-1, 1], output = [-1, 1]}} {
  %zero = llvm.mlir.constant(0 : i64) : i64
  %one = llvm.mlir.constant(1 : i64) : i64
  %done = llvm.mlir.constant(0 : i32) : i32
  %factor = llvm.mlir.constant(3.0 : f32) : f32
  %scratch = llvm.mlir.addressof @scratch : !llvm.ptr
  llvm.store %factor, %scratch : f32, !llvm.ptr
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : i64 = (%zero) to (%batch) step (%one) {
        %from = llvm.getelementptr %f[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
        %x = llvm.load %from : !llvm.ptr -> f32
        %k = llvm.load %scratch : !llvm.ptr -> f32
        %y = llvm.fmul %x, %k : f32
        %to = llvm.getelementptr %o[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
        llvm.store %y, %to : f32, !llvm.ptr
        omp.yield
      }
    }
    omp.terminator
  }
  llvm.return %done : i32
}
"""

# Calls the dense layer from C and prints what it answers, and which version ran
# where there are several.
DRIVER = r"""
#include "dense.h"
#include <stdio.h>
#ifdef VERSIONS
extern int version __asm__("dense.version");
#else
static int version;
#endif
int main(void) {
  float x[16], y[8];
  for (int i = 0; i < 16; ++i)
    x[i] = (float)i;
  if (dense(x, 2, y) || dense(x, -1, y) != 1 || dense(0, 2, y) != 1 ||
      dense(x, 2, 0) != 1 || dense(0, 0, 0) != 0)
    return 1;
  printf("%d", version);
  for (int i = 0; i < 8; ++i)
    printf(" %g", y[i]);
  return 0;
}
"""
ANSWER = np.arange(16, dtype=np.float32).reshape(2, 8) @ WEIGHT.T + BIAS


def tool(*args, env=None, **kwargs):
    return subprocess.run(
        [headopt.TOOL, *args],
        capture_output=True,
        text=True,
        timeout=headopt.TIME_LIMIT,
        env={**os.environ, **(env or {})},
        **kwargs,
    )


def build(*args, **kwargs):
    result = tool(*args, **kwargs)
    assert result.returncode == 0 and not result.stderr, result.stderr


def refuse(*args, code=1, **kwargs):
    """The one line of error, without its start."""
    result = tool(*args, **kwargs)
    assert result.returncode == code, result.stderr
    assert not result.stdout
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("head-opt: error: "), lines
    return lines[0].removeprefix("head-opt: error: ")


def run_command(*args, **kwargs):
    result = subprocess.run(
        [str(a) for a in args], capture_output=True, text=True, **kwargs
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def write(directory, text, name="kernel.mlir"):
    path = directory / name
    path.write_text(text)
    return path


def load(path, name="dense"):
    function = getattr(ctypes.CDLL(str(path)), name)
    function.restype = ctypes.c_int
    function.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    return function


def call(function, features, outputs):
    result = np.full((len(features), outputs), np.nan, np.float32)
    assert (
        function(features.ctypes.data, len(features), result.ctypes.data) == 0
    )
    return result


def needed(path):
    """The libraries that a shared library asks for."""
    lines = run_command(LLVM / "llvm-readelf", "-d", path).splitlines()
    return [
        line.split("[")[1].rstrip("]") for line in lines if "(NEEDED)" in line
    ]


def expected_version():
    """1, 2 or 3 for v2, v3, v4, from what the kernel says of this machine."""
    flags = next(
        line.split(":")[1].split()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("flags")
    )
    has = set(flags).issuperset
    if not has({"avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"}):
        return 1
    return (
        3
        if has({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})
        else 2
    )


def parse(printed):
    version, *values = printed.split()
    np.testing.assert_array_equal(
        np.array(values, np.float32), ANSWER.ravel()
    )
    return int(version)


# ----------------------------------------------------------------------------
# Every kind of output, called
# ----------------------------------------------------------------------------

CPUS = [[], ["--mcpu=x86-64-v2"], ["--mcpu=x86-64-v3"], ["--mcpu=native"]]


@pytest.mark.parametrize("cpu", CPUS, ids=str)
@pytest.mark.parametrize("kind", ["shared", "obj", "asm", "llvm"])
def test_each_kind_is_called(tmp_path, kind, cpu):
    if cpu == ["--mcpu=x86-64-v3"] and expected_version() < 2:
        pytest.skip("this machine has no AVX2")
    code = tmp_path / f"k.{kind}"
    build(KERNEL, f"--emit={kind}", "-o", code, *cpu)
    library = tmp_path / "k.so"
    if kind == "shared":
        library = code
    else:
        if kind == "llvm":
            run_command(
                LLVM / "llc", "-O3", "-filetype=obj", "-relocation-model=pic",
                code, "-o", tmp_path / "k.o",
            )
        elif kind == "asm":
            run_command(
                "gcc", "-c", "-x", "assembler", code, "-o", tmp_path / "k.o"
            )
        else:
            code.rename(tmp_path / "k.o")
        run_command("gcc", "-shared", tmp_path / "k.o", "-o", library)
    function = load(library)
    random = np.random.RandomState(0)
    for batch in (0, 1, 2, 7):
        features = random.rand(batch, 8).astype(np.float32)
        np.testing.assert_allclose(
            call(function, features, 4), features @ WEIGHT.T + BIAS, rtol=1e-6
        )
    result = np.zeros((1, 4), np.float32)
    assert function(None, 1, result.ctypes.data) == 1
    assert function(result.ctypes.data, -1, result.ctypes.data) == 1
    assert not result.any()


def test_nothing_of_llvm_is_needed(tmp_path):
    build(KERNEL, "-o", tmp_path / "k.so")
    # Where __tls_get_addr is; every process has it.
    assert needed(tmp_path / "k.so") == ["ld-linux-x86-64.so.2"]
    kernel = write(tmp_path, EXP)
    build(kernel, "-o", tmp_path / "exp.so")
    assert needed(tmp_path / "exp.so") == ["libm.so.6", "ld-linux-x86-64.so.2"]
    assert "Needs libm (-lm)." in (tmp_path / "exp.h").read_text()


def test_threads_have_scratch_of_their_own(tmp_path):
    build(KERNEL, "-o", tmp_path / "k.so")
    function = load(tmp_path / "k.so")
    wrong = []

    def work(seed):
        random = np.random.RandomState(seed)
        for _ in range(200):
            features = random.rand(50, 8).astype(np.float32)
            got = call(function, features, 4)
            if not np.allclose(got, features @ WEIGHT.T + BIAS, rtol=1e-5):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=[s]) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_large_weights_arrive_whole(tmp_path):
    """Two megabytes that LLVM never sees, and a splat, bit for bit."""
    weight = np.random.RandomState(0).bytes(1 << 21)
    kernel = write(
        tmp_path,
        """
llvm.mlir.global private constant @w(dense_resource<w> : tensor<262144x2xf32>)
    : !llvm.array<262144 x array<2 x f32>>
llvm.mlir.global private constant @splat(dense<1.5> : tensor<300000xf64>)
    : !llvm.array<300000 x f64>
llvm.func @head(%f: !llvm.ptr, %batch: i64, %o: !llvm.ptr) -> i32
    attributes {headopt.signature = {element = f32, features = [-1, 1], output = [-1, 1124288]}} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %size = llvm.mlir.constant(2097152 : i64) : i64
  %splat_size = llvm.mlir.constant(2400000 : i64) : i64
  %w = llvm.mlir.addressof @w : !llvm.ptr
  %splat = llvm.mlir.addressof @splat : !llvm.ptr
  %o2 = llvm.getelementptr %o[%size] : (!llvm.ptr, i64) -> !llvm.ptr, i8
  "llvm.intr.memcpy"(%o, %w, %size) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
  "llvm.intr.memcpy"(%o2, %splat, %splat_size) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
  llvm.return %zero : i32
}
{-# dialect_resources: {builtin: {w: "0x04000000"""
        + weight.hex()
        + '"}} #-}\n',
    )
    build(kernel, "-o", tmp_path / "k.so")
    result = call(
        load(tmp_path / "k.so", "head"),
        np.zeros((1, 1), np.float32),
        (2097152 + 2400000) // 4,
    ).tobytes()
    assert result[: 1 << 21] == weight
    assert (np.frombuffer(result[1 << 21 :], np.float64) == 1.5).all()
    assert "Weights: 4497152 bytes" in (tmp_path / "k.h").read_text()
    assert (tmp_path / "k.so").stat().st_size < 4_600_000


def test_openmp(tmp_path):
    kernel = write(tmp_path, OPENMP)
    build(kernel, "-o", tmp_path / "k.o")
    header = (tmp_path / "k.h").read_text()
    assert "threads: OpenMP" in header and "Needs libomp." in header
    result = tool(kernel, "-o", tmp_path / "k.so")
    if result.returncode:
        assert "could not link the head: " in result.stderr
        pytest.skip("there is no libomp.so.5 to link (Debian: libomp5)")
    assert "libomp.so.5" in needed(tmp_path / "k.so")
    # In another process: OpenMP's threads stay.
    features = np.random.RandomState(0).rand(1000, 1).astype(np.float32)
    np.save(tmp_path / "x.npy", features)
    build(
        kernel, "--run", f"--input={tmp_path}/x.npy", "-o", tmp_path / "y.npy",
        env={"OMP_NUM_THREADS": "4"},
    )
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), features * 3)


# ----------------------------------------------------------------------------
# From C
# ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "compiler",
    [
        ["gcc", "-std=c99"],
        ["gcc", "-std=c17"],
        ["g++", "-std=c++11", "-xc++"],
        ["g++", "-std=c++20", "-xc++"],
    ],
    ids=lambda c: c[1],
)
def test_the_header_compiles(tmp_path, compiler):
    build(KERNEL, "-o", tmp_path / "dense.o")
    write(tmp_path, DYNAMIC)
    build(tmp_path / "kernel.mlir", "-o", tmp_path / "copy.o")
    source = write(
        tmp_path,
        '#include "dense.h"\n#include "dense.h"\n#include "copy.h"\n'
        "int use(const float *x, float *y);\n"
        "int use(const float *x, float *y) "
        "{ return dense(x, 1, y) + copy(x, 1, 2, 3, y); }\n",
        "use.c",
    )
    run_command(
        *compiler, "-Wall", "-Wextra", "-pedantic", "-Werror", "-c", source,
        "-o", tmp_path / "use.o",
    )


def make_driver(tmp_path, compiler="gcc", flags=(), versions=False):
    code = tmp_path / "dense.o"
    build(KERNEL, "-o", code, *flags)
    if versions:
        run_command(
            LLVM / "llvm-objcopy", "--globalize-symbol=dense.version", code
        )
    source = write(tmp_path, DRIVER, "driver.c")
    program = tmp_path / "driver"
    run_command(
        compiler, "-Wall", "-Werror", "-static", *["-DVERSIONS"] * versions,
        source, code, "-o", program,
    )
    return program


def test_the_version_that_runs_is_the_best_here(tmp_path):
    program = make_driver(tmp_path, versions=True)
    assert parse(run_command(program)) == expected_version()


@pytest.mark.parametrize(
    "cpu, version",
    [
        ("Nehalem", 1),
        ("SandyBridge", 1),  # AVX, not AVX2
        ("Haswell", 2),
        ("Haswell,-avx2", 1),
        ("Haswell,-fma", 1),
        ("Haswell,-bmi2", 1),
        ("Haswell,-abm", 1),
        ("Haswell,-movbe", 1),
        ("Haswell,-xsave", 1),  # the system does not save ymm registers
        ("Haswell,level=6", 1),  # no leaf 7 to ask
    ],
)
def test_the_version_fits_an_emulated_processor(tmp_path, cpu, version):
    qemu = shutil.which("qemu-x86_64")
    if not qemu:
        pytest.skip("there is no qemu-x86_64 (Debian: qemu-user)")
    program = make_driver(tmp_path, versions=True)
    assert parse(run_command(qemu, "-cpu", cpu, program)) == version


def test_aarch64(tmp_path):
    """Objects are made without any tool; running them takes GCC and QEMU."""
    flags = ["--target=aarch64-linux-gnu"]
    build(KERNEL, "-o", tmp_path / "dense.o", *flags)
    for program in ("aarch64-linux-gnu-gcc", "qemu-aarch64"):
        if not shutil.which(program):
            pytest.skip(
                f"there is no {program} (Debian: gcc-aarch64-linux-gnu, "
                "libc6-dev-arm64-cross, qemu-user)"
            )
    program = make_driver(tmp_path, "aarch64-linux-gnu-gcc", flags)
    assert parse(run_command("qemu-aarch64", program)) == 0


def test_aarch64_shared(tmp_path):
    compiler = shutil.which("aarch64-linux-gnu-gcc")
    linkers = [compiler, shutil.which("ld.lld")]
    if not any(linkers):
        pytest.skip("there is no linker for AArch64 (Debian: lld)")
    library = tmp_path / "libdense.so"
    build(KERNEL, "-o", library, "--target=aarch64-linux-gnu", "--name=dense")
    assert "AArch64" in run_command(LLVM / "llvm-readelf", "-h", library)
    if not compiler or not shutil.which("qemu-aarch64"):
        pytest.skip(
            "there is no aarch64-linux-gnu-gcc or qemu-aarch64 to run it"
        )
    (tmp_path / "libdense.h").rename(tmp_path / "dense.h")
    source = write(tmp_path, DRIVER, "driver.c")
    run_command(
        compiler, source, library, f"-Wl,-rpath,{tmp_path}", "-o",
        tmp_path / "driver",
    )
    printed = run_command(
        "qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", tmp_path / "driver"
    )
    assert parse(printed) == 0


# ----------------------------------------------------------------------------
# Linkers
# ----------------------------------------------------------------------------


def only(tmp_path, *programs):
    """A PATH with nothing but these programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in programs:
        (folder / Path(program).name).symlink_to(program)
    return {"PATH": str(folder)}


@pytest.mark.parametrize("kernel", ["dense", "exp"])
def test_lld_links_where_there_is_no_compiler(tmp_path, kernel):
    lld = shutil.which("ld.lld")
    if not lld:
        pytest.skip("there is no ld.lld (Debian: lld)")
    source = KERNEL if kernel == "dense" else write(tmp_path, EXP)
    library = tmp_path / "k.so"
    build(source, "-o", library, env=only(tmp_path, lld))
    allowed = {"libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2"}
    assert set(needed(library)) <= allowed
    assert "k.so" in run_command(LLVM / "llvm-readelf", "-d", library)
    if kernel == "dense":
        features = np.random.RandomState(0).rand(3, 8).astype(np.float32)
        np.testing.assert_allclose(
            call(load(library), features, 4),
            features @ WEIGHT.T + BIAS,
            rtol=1e-6,
        )
    else:
        features = np.random.RandomState(0).rand(3, 1).astype(np.float32)
        np.testing.assert_allclose(
            call(load(library, "head"), features, 1),
            np.exp(features),
            rtol=1e-6,
        )


def test_lld_says_what_it_lacks(tmp_path):
    lld = shutil.which("ld.lld")
    if not lld:
        pytest.skip("there is no ld.lld (Debian: lld)")
    if Path("/usr/riscv64-linux-gnu").exists():
        pytest.skip("there are libraries for RISC-V here")
    kernel = write(tmp_path, EXP)
    line = refuse(
        kernel, "-o", tmp_path / "k.so", "--target=riscv64-linux-gnu",
        env=only(tmp_path, lld),
    )
    assert "the head needs libm.so.6 of riscv64-unknown-linux-gnu" in line
    assert "use --emit=obj" in line
    assert not (tmp_path / "k.so").exists()


# ----------------------------------------------------------------------------
# --run
# ----------------------------------------------------------------------------


def run_head(tmp_path, kernel, features, **kwargs):
    np.save(tmp_path / "x.npy", features)
    build(
        kernel, "--run", f"--input={tmp_path / 'x.npy'}", "-o",
        tmp_path / "y.npy", **kwargs,
    )
    return np.load(tmp_path / "y.npy")


def test_run_on_a_file(tmp_path):
    features = np.random.RandomState(0).rand(5, 8).astype(np.float32)
    result = run_head(tmp_path, KERNEL, features)
    assert result.dtype == np.float32
    np.testing.assert_allclose(
        result, features @ WEIGHT.T + BIAS, rtol=1e-6
    )
    printed = tool(KERNEL, "--run", f"--input={tmp_path}/x.npy").stdout
    np.testing.assert_array_equal(
        np.array([line.split() for line in printed.splitlines()], np.float32),
        result,
    )
    # Nothing but the result is left behind.
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.npy", "y.npy"]


@pytest.mark.parametrize(
    "element, type", [("f16", np.float16), ("f32", np.float32), ("f64", float)]
)
def test_run_on_each_type(tmp_path, element, type):
    kernel = write(tmp_path, COPY.format(element, 6 * np.dtype(type).itemsize))
    features = np.random.RandomState(0).rand(4, 2, 3).astype(type)
    result = run_head(tmp_path, kernel, features)
    assert result.dtype == type
    np.testing.assert_array_equal(result, features)
    assert run_head(tmp_path, kernel, features[:0]).shape == (0, 2, 3)


def test_run_on_bfloat16(tmp_path):
    kernel = write(tmp_path, COPY.format("bf16", 12))
    features = (
        np.random.RandomState(0).rand(4, 2, 3).astype(ml_dtypes.bfloat16)
    )
    # numpy has no such type: bits, or what ml_dtypes makes of it.
    for spelled in (features.view(np.uint16), features):
        result = run_head(tmp_path, kernel, spelled)
        assert result.dtype == np.uint16
        np.testing.assert_array_equal(result, features.view(np.uint16))


def test_run_with_dynamic_extents(tmp_path):
    kernel = write(tmp_path, DYNAMIC)
    features = np.random.RandomState(0).rand(2, 2, 4, 3, 5).astype(np.float32)
    result = run_head(tmp_path, kernel, features)
    assert result.shape == (2, 4, 6, 5)
    np.testing.assert_array_equal(result.ravel(), features.ravel())


def test_run_is_the_same_each_time(tmp_path):
    kernel = write(tmp_path, COPY.format("f32", 24))
    first, second = (
        tool(kernel, "--run", "--batch=100").stdout for _ in range(2)
    )
    assert first == second
    values = np.array(first.split(), np.float32)
    assert values.size == 600 and np.unique(values).size > 590
    assert values.min() >= -1 and values.max() < 1
    assert abs(values.mean()) < 0.1


@pytest.mark.parametrize(
    "array, message",
    [
        (np.zeros((2, 7), np.float32), "the input is 2x7, the head takes ?x8"),
        (np.zeros(8, np.float32), "the input is 8, the head takes ?x8"),
        (
            np.zeros((1, 8, 1), np.float32),
            "the input is 1x8x1, the head takes ?x8",
        ),
        (
            np.float32(1),
            "the input is a single number, the head takes ?x8; save an array of "
            "that shape",
        ),
        (np.zeros((2, 8)), "has elements '<f8', the head takes f32 ('<f4')"),
        (np.zeros((2, 8), np.int32), "has elements '<i4', the head takes f32"),
        (np.zeros((2, 8), ">f4"), "has elements '>f4', the head takes f32"),
        (np.zeros((8, 2), np.float32).T, "is in Fortran order"),
        (np.array([object()]), "has elements '|O'"),
    ],
    # Not the arrays: one of them prints as an address.
    ids=lambda value: value if isinstance(value, str) else value.dtype.str,
)
def test_run_refuses_other_inputs(tmp_path, array, message):
    path = tmp_path / "x.npy"
    np.save(path, array)
    line = refuse(
        KERNEL, "--run", f"--input={path}", "-o", tmp_path / "y.npy"
    )
    assert line.startswith(f"{path}: {message}")
    assert not (tmp_path / "y.npy").exists()


def test_run_refuses_damaged_files(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((2, 8), np.float32))
    whole = path.read_bytes()
    large = whole.replace(
        b"(2, 8), }" + b" " * 20, b"(4611686018427387904, 8), }  "
    )
    for message, content in [
        ("is no .npy file", b""),
        ("is cut short in its header", whole[:60]),
        ("is cut short: its header promises", whole[:-1]),
        ("is cut short: its header promises", large),
        ("has more bytes than its header says", whole + b"x"),
        ("has a header that names no", whole.replace(b"(2, 8)", b"(2, x)")),
        ("is of a version of .npy", whole.replace(b"NUMPY\1", b"NUMPY\7")),
    ]:
        assert content != whole
        path.write_bytes(content)
        line = refuse(
            KERNEL, "--run", f"--input={path}", "-o", tmp_path / "y.npy"
        )
        assert line.startswith(f"{path}: {message}"), message
        # What to do about it.
        assert "numpy.save" in line
        assert not (tmp_path / "y.npy").exists()


def test_run_refuses_files_that_are_not_there(tmp_path):
    assert "No such file" in refuse(
        KERNEL, "--run", f"--input={tmp_path}/none.npy"
    )
    assert "s a directory" in refuse(KERNEL, "--run", f"--input={tmp_path}")


def test_run_refuses_code_for_other_processors():
    """No processor has all that is of AMD's making and all of Intel's."""
    refused = 0
    for cpu in ("znver5", "sapphirerapids"):
        result = tool(KERNEL, "--run", f"--mcpu={cpu}")
        if result.returncode:
            assert result.returncode == 2
            assert "head-opt: error: this machine has no '" in result.stderr
            assert f"which {cpu} has; choose --mcpu=native" in result.stderr
            refused += 1
    assert refused


def test_run_refuses_wrong_usage(tmp_path):
    for args, message in {
        ("--run", "-o", "y.txt"): "--run writes .npy files",
        ("--run", "--batch=-1"): "--batch is a number of feature maps",
        ("--run", "--batch=1", "--input=x"): "the batch is that of --input",
        ("--run", "--emit-header=x.h"): "--emit-header goes with code",
    }.items():
        assert message in refuse(KERNEL, *args, code=2, cwd=tmp_path)


# ----------------------------------------------------------------------------
# Disks and folders
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["shared", "obj", "asm", "llvm"])
def test_full_disk(tmp_path, kind):
    line = refuse(KERNEL, f"--emit={kind}", "-o", "/dev/full")
    assert line == "cannot write '/dev/full': No space left on device"
    if kind in ("shared", "obj"):
        # The header is known to be writable before the code gets its name.
        code = tmp_path / "k"
        line = refuse(
            KERNEL, f"--emit={kind}", "-o", code, "--emit-header=/dev/full"
        )
        assert "/dev/full" in line
        assert not code.exists()


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))


@pytest.mark.parametrize("kind", ["shared", "obj", "asm", "llvm"])
def test_files_that_may_not_grow(tmp_path, kind):
    (tmp_path / "tmp").mkdir()
    line = refuse(
        KERNEL, f"--emit={kind}", "-o", tmp_path / "k",
        env={"TMPDIR": str(tmp_path / "tmp")}, preexec_fn=limit_files,
    )
    assert "cannot write" in line and "File too large" in line
    assert [p.name for p in tmp_path.iterdir()] == ["tmp"]
    assert not list((tmp_path / "tmp").iterdir())


def test_folders_that_are_not_there(tmp_path):
    for args in (
        ["-o", tmp_path / "none" / "k.so"],
        ["-o", tmp_path / "k.o", f"--emit-header={tmp_path}/none/k.h"],
        ["--run", "-o", tmp_path / "none" / "y.npy"],
    ):
        assert "No such file or directory" in refuse(KERNEL, *args)
        assert not list(tmp_path.iterdir())
    line = refuse(KERNEL, "-o", tmp_path / "k.so", env={"TMPDIR": "/none"})
    assert "cannot make a temporary folder in '/none'" in line
    assert "set TMPDIR" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folders_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o555)
    try:
        assert "Permission denied" in refuse(KERNEL, "-o", tmp_path / "k.so")
    finally:
        tmp_path.chmod(0o755)


def test_a_failure_leaves_what_was_there(tmp_path):
    code, header = tmp_path / "k.so", tmp_path / "k.h"
    code.write_text("old code")
    header.write_text("old header")
    refuse(KERNEL, "-o", code, env=only(tmp_path, "/bin/true"))
    assert code.read_text() == "old code"
    assert header.read_text() == "old header"
    build(KERNEL, "-o", code)
    assert code.read_bytes().startswith(b"\x7fELF")
    assert "int dense(" in header.read_text()


def test_standard_output(tmp_path):
    result = subprocess.run(
        [headopt.TOOL, KERNEL, "--emit=obj"], capture_output=True
    )
    assert result.returncode == 0 and not result.stderr
    build(KERNEL, "-o", tmp_path / "k.o")
    assert result.stdout == (tmp_path / "k.o").read_bytes()
