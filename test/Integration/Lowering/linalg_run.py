# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs linalg on tensors, as convert-onnx-to-linalg writes it, with stock tools
alone: mlir-opt bufferizes and lowers it to loops, llc compiles it, ctypes calls it.

Slow code, but code that has nothing of our own schedules in it.
"""

import ctypes
import itertools
import os
import subprocess
from pathlib import Path

import headopt
import numpy as np
import onnx
from headopt import BF16, F16, F32, F64

LLVM = Path(os.environ.get("LLVM_BIN", "/usr/lib/llvm-22/bin"))
SYMBOL = "main_graph"  # what the importer calls the main graph

PIPELINE = [
    "--canonicalize",
    "--cse",
    "--one-shot-bufferize=bufferize-function-boundaries "
    "function-boundary-type-conversion=identity-layout-map",
    "--buffer-deallocation-pipeline",
    "--convert-bufferization-to-memref",
    "--llvm-request-c-wrappers",
    "--convert-linalg-to-loops",
    "--expand-strided-metadata",
    "--lower-affine",
    "--convert-scf-to-cf",
    # llc would call a function of libgcc for bf16.
    "--arith-expand=include-bf16=true",
    "--convert-math-to-llvm",
    "--convert-math-to-libm",
    "--finalize-memref-to-llvm",
    "--convert-arith-to-llvm",
    "--convert-index-to-llvm",
    "--convert-func-to-llvm",
    "--convert-cf-to-llvm",
    "--reconcile-unrealized-casts",
]


def convert(model, directory, check=True):
    """``head-opt --convert-onnx-to-linalg`` of a model: the process, and the
    file it wrote.
    """
    source, target = directory / "model.onnx", directory / "linalg.mlir"
    source.write_bytes(model.SerializeToString())
    done = subprocess.run(
        [headopt.TOOL, source, "--convert-onnx-to-linalg", "-o", target],
        capture_output=True,
        text=True,
        timeout=headopt.TIME_LIMIT,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done, target


def pipe(*commands):
    """Runs commands, each on the output of the one before."""
    data = None
    for command in commands:
        done = subprocess.run(
            [str(c) for c in command],
            input=data,
            capture_output=True,
            timeout=headopt.TIME_LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()[:4000]
        data = done.stdout
    return data


def memref(rank):
    """MLIR's descriptor of a memref."""

    class Descriptor(ctypes.Structure):
        _fields_ = [
            ("allocated", ctypes.c_void_p),
            ("aligned", ctypes.c_void_p),
            ("offset", ctypes.c_int64),
            ("sizes", ctypes.c_int64 * rank),
            ("strides", ctypes.c_int64 * rank),
        ]

    return Descriptor


#: A library that is loaded already is not loaded again under its name.
_numbers = itertools.count()


def build(source, directory):
    """Compiles a file of linalg; the library, loaded."""
    number = next(_numbers)
    code = directory / f"code{number}.o"
    library = directory / f"code{number}.so"
    pipe(
        [LLVM / "mlir-opt", source, *PIPELINE],
        [LLVM / "mlir-translate", "--mlir-to-llvmir"],
        [
            LLVM / "llc",
            "-O1",
            "-mcpu=native",
            "-relocation-model=pic",
            "-filetype=obj",
            "-o",
            code,
        ],
        # The library has memrefCopy, for copies into padded maps.
        [
            "gcc",
            "-shared",
            code,
            "-o",
            library,
            "-lm",
            "-Wl,--as-needed",
            f"-L{LLVM.parent / 'lib'}",
            f"-Wl,-rpath,{LLVM.parent / 'lib'}",
            "-lmlir_c_runner_utils",
        ],
    )
    return ctypes.CDLL(str(library))


class Function:
    """A function of a library of ``build``, on arrays, with one result."""

    def __init__(self, library, symbol, rank, dtype):
        self.rank, self.dtype = rank, np.dtype(dtype)
        self.library = library
        self.function = library[f"_mlir_ciface_{symbol}"]
        self.function.restype = None
        self.free = ctypes.CDLL(None).free
        self.free.argtypes, self.free.restype = [ctypes.c_void_p], None

    def call(self, *inputs):
        # Inputs may be written to by what stock bufferization makes.
        arrays = [np.array(i, order="C") for i in inputs]
        arguments = []
        for array in arrays:
            descriptor = memref(array.ndim)()
            descriptor.allocated = descriptor.aligned = array.ctypes.data
            descriptor.sizes[:] = array.shape
            strides = [s // array.itemsize for s in array.strides]
            descriptor.strides[:] = strides
            arguments.append(descriptor)
        dtype = self.dtype
        result = memref(self.rank)()
        self.function(
            ctypes.byref(result), *[ctypes.byref(a) for a in arguments]
        )
        shape = list(result.sizes)
        count = int(np.prod(shape, dtype=np.int64))
        if count == 0:
            answer = np.zeros(shape, dtype)
        else:
            raw = (ctypes.c_char * (count * dtype.itemsize)).from_address(
                result.aligned + result.offset * dtype.itemsize
            )
            flat = np.frombuffer(bytes(raw), dtype)
            expected = np.zeros(shape, dtype).strides
            assert [
                s * dtype.itemsize for s in result.strides
            ] == list(expected) or 1 in shape, "not contiguous"
            answer = flat.reshape(shape)
        if not any(a.ctypes.data == result.allocated for a in arrays):
            self.free_if_heap(result)
        return answer

    def free_if_heap(self, result):
        """Frees a result, unless it is one of the library's constants."""
        if result.allocated and result.allocated != 0xDEADBEEF:
            self.free(result.allocated)


class Compiled(Function):
    """A model's main graph as a function of arrays."""

    def __init__(self, model, directory):
        self.names = [i.name for i in headopt.free_inputs(model)]
        outputs = [o.type.tensor_type for o in model.graph.output]
        assert len(outputs) == 1, "one result is all that is called here"
        _, source = convert(model, directory)
        super().__init__(
            build(source, directory),
            SYMBOL,
            len(outputs[0].shape.dim),
            onnx.helper.tensor_dtype_to_np_dtype(outputs[0].elem_type),
        )

    def __call__(self, feeds):
        return self.call(*[feeds[n] for n in self.names])


#: ONNX's text format names element types so.
TEXT = {
    F16: "float16",
    BF16: "bfloat16",
    F32: "float",
    F64: "double",
}


def parse(text, constants=None, opset=17, type=F32, ir=10):
    """A model from a graph in ONNX's text format, in which T is an element
    type. ``constants`` become initializers; floating-point ones of ``type``.
    """
    body = text.replace("T[", TEXT[type] + "[")
    model = onnx.parser.parse_model(
        f'<ir_version: {ir}, opset_import: ["" : {opset}]>\n' + body
    )
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.SetInParent()  # T[] is a scalar
    for name, value in (constants or {}).items():
        value = np.asarray(value)
        if value.dtype == np.float64:
            value = value.astype(type.numpy)
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(value, name)
        )
    onnx.checker.check_model(model, full_check=True)
    return model


def in_double(model):
    """The model with double in the place of every floating-point type, so that
    the reference evaluator's answer is as good as exact.
    """
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    small = {t.onnx for t in (F16, BF16, F32)}

    def tensor(t):
        if t.data_type in small:
            value = onnx.numpy_helper.to_array(t)
            t.CopyFrom(
                onnx.numpy_helper.from_array(
                    value.astype(np.float64), t.name
                )
            )

    for value in [*wide.graph.input, *wide.graph.output]:
        if value.type.tensor_type.elem_type in small:
            value.type.tensor_type.elem_type = F64.onnx
    del wide.graph.value_info[:]
    for t in wide.graph.initializer:
        tensor(t)
    for node in wide.graph.node:
        for a in node.attribute:
            if a.type == onnx.AttributeProto.TENSOR:
                tensor(a.t)
            if node.op_type == "Cast" and a.name == "to" and a.i in small:
                a.i = F64.onnx
    return wide
