#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Device IR, executed on the host: what tests need of the emulator.

    from emulator import Emulator
    e = Emulator(ir_text, "cuda", tmp_path)
    subprocess.run([program], env=e.environment(seed=3))      # a whole program
    result = e.run([x, y], [("kernel", 4, 256, [0, 1])])      # kernels alone

A program loads the stand-in driver because `environment` puts its folder into
LD_LIBRARY_PATH. `run` calls kernels through the same driver, in a process of its
own: what the emulator finds wrong ends that process with `FAILURE` and a line on
stderr. README.md beside this file has the details.
"""

import ctypes
import os
import pickle
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import retarget  # noqa: E402  (needs the path)

# Where CMake puts the stand-in drivers.
DRIVERS = Path(
    os.environ.get("HEADOPT_EMULATOR", HERE.parents[1] / "build/test/Emulator")
)
LIBRARIES = {
    "cuda": DRIVERS / "cuda/libcuda.so.1",
    "hip": DRIVERS / "hip/libamdhip64.so.6",
}
FAILURE = 99  # failureStatus in Execution.h
TIME_LIMIT = 600
# Orders of threads and blocks, with allocations at either end.
SCHEDULES = [
    {"seed": seed, "guard": guard} for seed in range(8) for guard in ("start", "end")
]


@dataclass
class Result:
    """What became of a process that ran kernels."""

    code: int
    message: str  # its stderr
    buffers: list  # the buffers afterwards, or none of them


class Emulator:
    """The kernels of one gpu.module. `kind` is "cuda" or "hip".

    `ir` is the text that the back end is given. `image` is what the program under
    test loads; only `run`, and processes with several programs whose kernels have
    the same names, need it here.
    """

    def __init__(self, ir, kind, folder, image=None, warp=None):
        self.ir, self.kind, self.image = ir, kind, image
        self.folder = Path(folder)
        self.kernels = self.folder / "kernels.so"
        retarget.retarget(ir, self.kernels, image, warp)

    def environment(self, others=(), seed=0, guard=None, log=None, fail=None):
        """Variables for a program that is to use the emulated device.

        `others` are more emulators of the same kind for the same process. `guard`
        says where an allocation lies between its guard pages, "start" or "end".
        `fail` is a text "function:number" or "function:number=status".
        """
        env = dict(os.environ)
        path = [str(LIBRARIES[self.kind].parent), env.get("LD_LIBRARY_PATH", "")]
        env["LD_LIBRARY_PATH"] = ":".join(p for p in path if p)
        env["HEADOPT_EMULATOR_KERNELS"] = ":".join(
            str(e.kernels) for e in (self, *others)
        )
        env["HEADOPT_EMULATOR_SEED"] = str(seed)
        for name, value in (("GUARD", guard), ("LOG", log), ("FAIL", fail)):
            env.pop("HEADOPT_EMULATOR_" + name, None)
            if value is not None:
                env["HEADOPT_EMULATOR_" + name] = str(value)
        return env

    def get_image(self):
        """The device binary, or what the stock back end makes of the IR."""
        if self.image is None:
            self.image = compile_image(self.ir, self.kind)
        return self.image

    def run(self, buffers, launches, **options):
        """Copies arrays to the device, launches kernels, copies them back.

        A launch is (kernel, blocks, threads, arguments). An argument is the number
        of a buffer, ("offset", buffer, bytes), or a NumPy scalar.
        """
        return self.run_schedules(buffers, launches, [options])[0]

    def run_schedules(self, buffers, launches, schedules=SCHEDULES):
        """The same with several options for `environment`, each from the start."""
        job = {
            "kind": self.kind,
            "image": self.get_image(),
            "buffers": [np.ascontiguousarray(b) for b in buffers],
            "launches": launches,
            "environments": [self.environment(**s) for s in schedules],
        }
        done = subprocess.run(
            [sys.executable, __file__],
            input=pickle.dumps(job),
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()[:4000]
        return [Result(*found) for found in pickle.loads(done.stdout)]


def compile_image(ir, kind):
    """PTX, or a code object, made of the IR by llc."""
    command = [retarget.LLVM / "llc", "-O3", "-o", "-"]
    if kind == "hip":
        command.append("-filetype=obj")
    # NVPTX takes them from the command line alone.
    for option, attribute in (("mcpu", "target-cpu"), ("mattr", "target-features")):
        found = re.search(f'"{attribute}"="([^"]*)"', ir)
        if found:
            command.append(f"-{option}={found[1]}")
    done = subprocess.run(
        [str(c) for c in command],
        input=ir.encode(),
        capture_output=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[:4000]
    return done.stdout


# The other side: a process that calls the driver.

# Functions of the two drivers, by what they do.
FUNCTIONS = {
    "cuda": {
        "load": "cuModuleLoadData",
        "function": "cuModuleGetFunction",
        "malloc": "cuMemAlloc_v2",
        "free": "cuMemFree_v2",
        "to": "cuMemcpyHtoD_v2",
        "from": "cuMemcpyDtoH_v2",
        "launch": "cuLaunchKernel",
    },
    "hip": {
        "load": "hipModuleLoadData",
        "function": "hipModuleGetFunction",
        "malloc": "hipMalloc",
        "free": "hipFree",
        "to": "hipMemcpyHtoD",
        "from": "hipMemcpyDtoH",
        "launch": "hipModuleLaunchKernel",
    },
}


class Device:
    """A driver, called through ctypes."""

    def __init__(self, kind):
        self.library = ctypes.CDLL(str(LIBRARIES[kind]))
        self.names = FUNCTIONS[kind]
        if kind == "cuda":
            context = ctypes.c_void_p()
            self.call("cuInit", 0)
            self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
            self.call("cuCtxSetCurrent", context)

    def call(self, name, *args):
        name = self.names.get(name, name)
        status = getattr(self.library, name)(*args)
        if status:
            sys.exit(f"{name} gave {status}")

    def put(self, array):
        address = ctypes.c_uint64()
        size = ctypes.c_size_t(max(array.nbytes, 1))
        self.call("malloc", ctypes.byref(address), size)
        source = array.ctypes.data_as(ctypes.c_void_p)
        self.call("to", address, source, ctypes.c_size_t(array.nbytes))
        return address

    def get(self, address, array):
        target = array.ctypes.data_as(ctypes.c_void_p)
        self.call("from", target, address, ctypes.c_size_t(array.nbytes))

    def launch(self, function, blocks, threads, slots):
        values = (ctypes.c_uint64 * max(len(slots), 1))(*slots)
        base = ctypes.addressof(values)
        params = (ctypes.c_void_p * max(len(slots), 1))(
            *(base + 8 * i for i in range(len(slots)))
        )
        self.call(
            "launch", function, blocks, 1, 1, threads, 1, 1, 0, None, params, None
        )


def to_slot(arg, addresses):
    """An argument as the 64 bits that the driver gets the address of."""
    if isinstance(arg, tuple):
        return addresses[arg[1]].value + arg[2]
    if isinstance(arg, np.generic):
        return int.from_bytes(arg.tobytes().ljust(8, b"\0"), "little")
    return addresses[arg].value


def run_job(job):
    """Calls the driver for a job; gives the buffers afterwards."""
    device = Device(job["kind"])
    module = ctypes.c_void_p()
    device.call("load", ctypes.byref(module), ctypes.c_char_p(job["image"]))
    addresses = [device.put(b) for b in job["buffers"]]
    for name, blocks, threads, args in job["launches"]:
        function = ctypes.c_void_p()
        device.call("function", ctypes.byref(function), module, name.encode())
        slots = [to_slot(arg, addresses) for arg in args]
        device.launch(function, blocks, threads, slots)
    for address, array in zip(addresses, job["buffers"]):
        device.get(address, array)
        device.call("free", address)
    return job["buffers"]


def run_apart(job, environment):
    """Runs a job in a child: its exit code, stderr and buffers."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(err.fileno(), 2)
            os.environ.clear()
            os.environ.update(environment)
            pickle.dump(run_job(job), out)
            sys.exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        err.seek(0)
        out.seek(0)
        buffers = pickle.load(out) if code == 0 else []
        return code, err.read().decode(), buffers


def main():
    job = pickle.load(sys.stdin.buffer)
    results = [run_apart(job, environment) for environment in job["environments"]]
    sys.stdout.buffer.write(pickle.dumps(results))


if __name__ == "__main__":
    main()
