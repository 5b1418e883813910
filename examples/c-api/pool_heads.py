#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pools the heads of an ONNX model in this process, through head-opt's C interface.

README.md goes through it.
"""

import argparse
import ctypes
import json
import sys

import onnx

# As in headopt-c/HeadOpt.h.
BINARY, TEXT = 0, 1
NO_RESIDUAL, CONSTANT_INITIALIZERS, VERIFY = 1, 2, 4


class Error(Exception):
    """What head-opt says is wrong, in one line."""


def load(path):
    """The library, with the types of its functions."""
    library = ctypes.CDLL(path)
    handle, text, flags, size = (
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint, ctypes.c_size_t)  # fmt: skip
    error = ctypes.POINTER(ctypes.c_void_p)
    for name, result, arguments in [
        ("headoptVersion", text, []),
        ("headoptFree", None, [handle]),
        ("headoptModelImportFile", handle, [text, error]),
        ("headoptModelImportMemory", handle, [text, size, ctypes.c_int, text, error]),
        ("headoptModelDestroy", None, [handle]),
        ("headoptModelOptimize", ctypes.c_int, [handle, flags, error]),
        ("headoptModelGetNumRewritten", size, [handle]),
        # Not c_char_p: ctypes would lose the address that is to be freed.
        ("headoptModelGetReport", handle, [handle, error]),
        ("headoptModelExportFile", ctypes.c_int, [handle, text, error]),
        ("headoptModelExportMemory", ctypes.c_int,
         [handle, ctypes.c_int, error, ctypes.POINTER(size), error]),
    ]:  # fmt: skip
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Model:
    """A model in the library. Use it in a `with` statement."""

    def __init__(self, library, *, path=None, data=None, format=BINARY):
        """Imports the file `path`, or `data` as if it were that file."""
        self.library, self.handle = library, None
        name = None if path is None else str(path).encode()
        self.handle = (
            self._call("headoptModelImportFile", name)
            if data is None
            else self._call("headoptModelImportMemory", data, len(data), format, name)
        )

    def _call(self, name, *arguments):
        error = ctypes.c_void_p()
        result = getattr(self.library, name)(*arguments, ctypes.byref(error))
        if error.value:
            message = ctypes.string_at(error.value).decode(errors="replace")
            self.library.headoptFree(error)
            raise Error(message)
        return result

    def optimize(self, flags=0):
        """Pools what can be pooled; how many heads that were."""
        self._call("headoptModelOptimize", self.handle, flags)
        return self.library.headoptModelGetNumRewritten(self.handle)

    def report(self):
        text = self._call("headoptModelGetReport", self.handle)
        try:
            return json.loads(ctypes.string_at(text))
        finally:
            self.library.headoptFree(text)

    def export(self, path):
        self._call("headoptModelExportFile", self.handle, str(path).encode())

    def to_bytes(self, format=BINARY):
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        self._call("headoptModelExportMemory", self.handle, format,
                   ctypes.byref(data), ctypes.byref(size))  # fmt: skip
        try:
            return ctypes.string_at(data, size.value)
        finally:
            self.library.headoptFree(data)

    def close(self):
        self.library.headoptModelDestroy(self.handle)
        self.handle = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("output")
    parser.add_argument("--library", default="libHeadOpt.so")
    arguments = parser.parse_args()
    with open(arguments.model, "rb") as file:
        data = file.read()
    onnx.load_from_string(data)  # Python's own ONNX is there first, and at work.
    with Model(load(arguments.library), path=arguments.model, data=data) as model:
        rewritten = model.optimize(VERIFY)
        for head in model.report()["heads"]:
            print(f"{head['node']}: {head['verdict']}", head["reason"] or "")
        pooled = model.to_bytes()
    onnx.checker.check_model(onnx.load_from_string(pooled))
    with open(arguments.output, "wb") as file:
        file.write(pooled)
    print(f"{rewritten} rewritten, {len(data):,} -> {len(pooled):,} bytes")


if __name__ == "__main__":
    try:
        main()
    except (Error, OSError) as error:
        sys.exit(f"pool_heads.py: error: {error}")
