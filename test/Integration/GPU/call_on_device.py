#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls a compiled head on memory of the device, as a program that has its features
there, in a process of its own.

    call_on_device.py KIND LIBRARY FUNCTION BYTES CALLS FEATURES.npy OUTPUT.npy

KIND is "cuda" or "hip". The features begin BYTES behind the start of their buffer.
CALLS is "batch" for one call, or "alone" for one of each sample, where it lies.
OUTPUT has the shape of the result, and gets it. Exits with the head's code.
"""

import ctypes
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Emulator"))

from emulator import Device  # noqa: E402  (needs the path)


def main():
    kind, library, function, bytes_before, calls, source, target = sys.argv[1:]
    driver, before = Device(kind), int(bytes_before)
    features, output = np.load(source), np.load(target)
    padding = np.zeros(before, np.uint8)
    given = driver.put(np.concatenate([padding, features.reshape(-1).view(np.uint8)]))
    found = driver.put(output)
    head = ctypes.CDLL(library)[function]
    of_call = 1 if calls == "alone" else len(features)
    for first in range(0, len(features), of_call):
        code = head(
            ctypes.c_void_p(given.value + before + features[:first].nbytes),
            ctypes.c_int64(of_call),
            ctypes.c_void_p(found.value + output[:first].nbytes),
            None,  # the stream
        )
        if code:
            sys.exit(code)
    driver.get(found, output)
    for address in (given, found):
        driver.call("free", address)
    np.save(target, output)


if __name__ == "__main__":
    main()
