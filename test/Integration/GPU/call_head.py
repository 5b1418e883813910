#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls a compiled head on host memory, in a process of its own: a driver that
stands in for a real one ends the process when a kernel does what it must not.

    call_head.py LIBRARY FUNCTION CASES.npz RESULTS.npz

CASES has arrays named features0, output0 (shape and type of the result),
features1 ... ; the batch of case i is batch<i>, its dynamic extents are the numbers of
extents<i>.
RESULTS gets output<i> and code<i>, and error<i>, the text of the error function.
"""

import ctypes
import sys

import numpy as np


def main():
    path, name, cases, results = sys.argv[1:]
    library = ctypes.CDLL(path)
    function = library[name]
    function.restype = ctypes.c_int
    explain = library[name.removesuffix("_host") + "_error"]
    explain.restype = ctypes.c_char_p
    found = {}
    with np.load(cases) as given:
        for i in range(sum(key.startswith("features") for key in given)):
            features = np.ascontiguousarray(given[f"features{i}"])
            output = np.array(given[f"output{i}"])
            # Bytes that no result has: what is not written shows.
            output.view(np.uint8)[...] = 0xFF
            extents = given[f"extents{i}"].tolist()
            code = function(
                ctypes.c_void_p(features.ctypes.data),
                *(ctypes.c_int64(n) for n in (given[f"batch{i}"], *extents)),
                ctypes.c_void_p(output.ctypes.data),
            )
            found[f"output{i}"], found[f"code{i}"] = output, code
            found[f"error{i}"] = np.array(explain().decode())
    np.savez(results, **found)


if __name__ == "__main__":
    main()
