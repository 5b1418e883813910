# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program in C that loads libcuda.so.1 and finds the emulator: what it sees of
errors, streams and memory, and what the log says of it.
"""

import os
import re
import signal
import subprocess

import kernels
import pytest
from emulator import FAILURE, Emulator


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("driver")
    source = kernels.EMULATOR / "Inputs/driver.c"
    command = [os.environ.get("CC", "cc"), "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
    kernels.run([*command, source, "-o", folder / "driver", "-lm", "-ldl"], "")
    return folder / "driver"


def call(program, emulator, tmp_path, mode, **options):
    image = tmp_path / "image.ptx"
    image.write_bytes(emulator.get_image())
    log = tmp_path / "log"
    done = subprocess.run(
        [program, mode, image],
        env=emulator.environment(log=log, **options),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return done, log.read_text()


@pytest.mark.parametrize("seed", range(4))
def test_program(build, program, tmp_path, seed):
    done, log = call(program, build("sm_80"), tmp_path, "run", seed=seed)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert (
        "cuLaunchKernel kernel=pool_block grid=5,1,1 block=256,1,1 stream=stream1 "
        "args=buffer1,buffer2 -> 0\n" in log
    )
    assert "cuMemAllocAsync bytes=20000 stream=stream1 -> 0 buffer1\n" in log
    assert "cuModuleGetFunction name=nothing -> 500\n" in log
    assert "leak" not in log and "undone" not in log


def test_leak(build, program, tmp_path):
    done, log = call(program, build("sm_80"), tmp_path, "leak")
    assert done.returncode == 0, done.stdout
    assert log.endswith("leak: buffer2 of 20 bytes\n")


def test_program_that_does_not_wait(build, program, tmp_path):
    """It finds what was there before; nothing was done yet."""
    done, log = call(program, build("sm_80"), tmp_path, "impatient")
    assert (done.returncode, done.stdout) == (0, "0\n")
    assert re.search(r"undone: \d+ operations that nobody waited for\n$", log)


def test_program_that_touches_device_memory(build, program, tmp_path):
    done, _ = call(program, build("sm_80"), tmp_path, "touch")
    assert done.returncode == -signal.SIGSEGV


def test_memory_freed_before_a_launch(build, program, tmp_path):
    done, _ = call(program, build("sm_80"), tmp_path, "free")
    assert done.returncode == FAILURE
    assert "out-of-bounds load of 16 bytes" in done.stderr


@pytest.mark.parametrize(
    "fail,status",
    [("cuMemAlloc:1", 2), ("cuMemAlloc_v2:1=999", 999), ("cuMemAlloc:0=801", 801)],
)
def test_failure_to_order(build, program, tmp_path, fail, status):
    done, log = call(program, build("sm_80"), tmp_path, "fail", fail=fail)
    assert (done.returncode, done.stdout) == (0, f"{status}\n")
    assert f"cuMemAlloc bytes=20 -> {status}\n" in log
    done, _ = call(program, build("sm_80"), tmp_path, "fail", fail="cuMemAlloc:2")
    assert done.stdout == "0\n"


def test_two_libraries_with_the_same_names(build, program, tmp_path):
    """The image says which is which."""
    right = build("sm_80")
    other = build(
        "sm_80",
        lambda s: s.replace(
            "%rcp = arith.constant 0.001", "%rcp = arith.constant 0.002"
        ),
    )
    for i, first in enumerate((right, other)):
        twins = [
            Emulator(e.ir, "cuda", _new(tmp_path, f"{i}{j}"), e.get_image())
            for j, e in enumerate((first, other if first is right else right))
        ]
        done = subprocess.run(
            [program, "run", _write(tmp_path, right.get_image())],
            env=twins[0].environment(others=twins[1:]),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_code_object_of_other_kernels(build, tmp_path):
    """Where the image is given, its bytes decide, not the names of its kernels."""
    right = build("gfx90a")
    buffers, launch, _ = kernels.get_case("pool_block", 64)
    for name, image, code in (
        ("same", right.get_image(), 0),
        ("other", build("gfx1100").get_image(), 1),
    ):
        emulator = Emulator(right.ir, "hip", _new(tmp_path, name), image)
        emulator.image = right.get_image()
        result = emulator.run(buffers, [launch])
        assert result.code == code, result.message
        assert code == 0 or result.message == "hipModuleLoadData gave 200\n"


def _new(folder, name):
    (folder / name).mkdir()
    return folder / name


def _write(folder, data):
    (folder / "image.ptx").write_bytes(data)
    return folder / "image.ptx"
