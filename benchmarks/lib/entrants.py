# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Who runs a case: head-opt's compiled head, plain reading of the same bytes,
and the peers, each called in the cheapest way that it offers.

An entrant's ``start`` returns an ``Entry`` for a case, or raises ``Unable``.
``peer`` says that others made it, ``counts`` that it computes something.
"""

import ctypes
import functools
import importlib.metadata
import itertools
import os
import pathlib
import subprocess
import time

import numpy as np
from cases import TYPES, EmptyCase, digest

HERE = pathlib.Path(__file__).resolve().parent


class Unable(Exception):
    """Why an entrant does not run a case."""


# --- The native part ------------------------------------------------------------


class Job(ctypes.Structure):
    """As in harness.cpp."""

    _fields_ = [
        ("head", ctypes.c_void_p),
        ("read_variant", ctypes.c_int32),
        ("threads", ctypes.c_int32),
        ("features", ctypes.POINTER(ctypes.c_void_p)),
        ("feature_count", ctypes.c_int64),
        ("next", ctypes.c_int64),
        ("batch", ctypes.c_int64),
        ("output", ctypes.c_void_p),
        ("feature_bytes", ctypes.c_int64),
        ("weights", ctypes.c_void_p),
        ("weight_bytes", ctypes.c_int64),
        ("flush", ctypes.c_int64),
    ]


class Harness:
    """harness.cpp, compiled when it is newer than what was compiled before."""

    def __init__(self, folder):
        source, library = HERE / "harness.cpp", folder / "libharness.so"
        if (
            not library.exists()
            or library.stat().st_mtime < source.stat().st_mtime
        ):
            command = [os.environ.get("CXX", "c++"), "-std=c++17", "-O3",
                       "-Wall", "-Wextra", "-fPIC", "-shared", str(source),
                       "-o", str(library), "-lbenchmark", "-lpthread", "-ldl"]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                hint = (
                    "; is Google Benchmark there? run: "
                    "apt-get install libbenchmark-dev"
                    if "benchmark" in done.stderr
                    else ""
                )
                raise SystemExit(
                    f"{done.stderr}run.py: error: could not compile "
                    f"benchmarks/lib/harness.cpp{hint}"
                )
        self.library = ctypes.CDLL(str(library))
        self.library.harness_allocate.restype = ctypes.c_void_p
        self.library.harness_allocate.argtypes = [ctypes.c_int64]
        self.library.harness_load.restype = ctypes.c_void_p
        self.library.harness_load.argtypes = [ctypes.c_char_p] * 2
        self.library.harness_read_variant.restype = ctypes.c_char_p
        self.library.harness_time.argtypes = [
            ctypes.POINTER(Job),
            ctypes.c_int64,
            ctypes.c_int32,
            ctypes.POINTER(ctypes.c_double),
        ]

    def allocate(self, size):
        """Memory in large pages, kept until the process ends."""
        address = self.library.harness_allocate(size)
        if not address:
            raise SystemExit(
                f"run.py: error: no memory for inputs ({size >> 20} MiB)"
            )
        return (ctypes.c_uint8 * size).from_address(address)

    def flush(self):
        self.library.harness_flush()

    def load(self, path, symbol):
        return self.library.harness_load(os.fsencode(path), symbol.encode())

    def read_variants(self):
        name, names = self.library.harness_read_variant, []
        while (found := name(len(names))) is not None:
            names.append(found.decode())
        return names

    def time(self, job, iterations, batches):
        seconds = (ctypes.c_double * batches)()
        count = self.library.harness_time(
            ctypes.byref(job), iterations, batches, seconds
        )
        return list(seconds[:count])


class Entry:
    """An entrant that is ready to run one case."""

    def result(self):
        """What it makes of the first input, or None where there is nothing to
        compare.
        """

    def time(self, iterations, batches):
        """Seconds of a call, one number for each batch of calls."""
        raise NotImplementedError

    def close(self):
        pass


class NativeEntry(Entry):
    def __init__(self, harness, case, inputs, **fields):
        self.harness = harness
        pointers = (ctypes.c_void_p * len(inputs))(
            *[i.ctypes.data for i in inputs]
        )
        self.output = np.empty(case.output_shape, case.numpy)
        self.output.view(np.uint8)[...] = 0xFF
        self.keep = inputs, pointers
        self.job = Job(
            features=pointers,
            feature_count=len(inputs),
            batch=case.batch,
            output=self.output.ctypes.data,
            feature_bytes=case.feature_bytes,
            flush=case.mode == "flush",
            threads=1,
            **fields,
        )

    def result(self):
        if not self.job.head:
            return None
        self.job.next = 0
        self.harness.time(self.job, 1, 1)
        return self.output

    def time(self, iterations, batches):
        return self.harness.time(self.job, iterations, batches)


class Read:
    """Reads input and weights and adds nothing up: the machine's limit."""

    peer = counts = False

    def __init__(self, harness, threads, variant, name):
        self.harness, self.threads, self.variant = harness, threads, variant
        self.name = f"read: {name}"
        self.weights = None

    def start(self, case, inputs):
        fields = {"read_variant": self.variant}
        if case.weight_bytes:
            self.weights = weights_for(self.harness, case.weight_bytes)
            fields["weights"] = self.weights
            fields["weight_bytes"] = case.weight_bytes
        entry = NativeEntry(self.harness, case, inputs, **fields)
        entry.job.threads = self.threads
        return entry


@functools.cache
def weight_memory(harness):
    memory = harness.allocate(64 << 20)
    ctypes.memset(memory, 1, len(memory))
    return memory


def weights_for(harness, size):
    memory = weight_memory(harness)
    assert size <= len(memory)
    return ctypes.addressof(memory)


class Compiled:
    """The head as head-opt compiles it: one shared library for any batch."""

    name = "head-opt"
    peer, counts = False, True

    def __init__(self, harness, tool, flags, folder):
        self.harness, self.tool, self.flags = harness, tool, flags
        self.folder = folder
        # Another tool, another library.
        status = os.stat(tool)
        self.stamp = f"{status.st_mtime_ns:x}"

    def start(self, case, inputs):
        model = case.model("N")
        key = f"{digest(model)}-{self.stamp}-{'-'.join(self.flags)}"
        library = self.folder / f"{key.replace('/', '_')}.so"
        if not library.exists():
            source = library.with_suffix(".onnx")
            source.write_bytes(model.SerializeToString())
            command = [self.tool, str(source), "-o", str(library), "--quiet",
                       "--name=head", *self.flags]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True)
            source.unlink()
            if done.returncode != 0 or not library.exists():
                lines = done.stderr.strip().splitlines() or ["wrote nothing"]
                raise Unable(lines[-1])
        head = self.harness.load(library, "head")
        if not head:
            raise Unable("the library does not load")
        return NativeEntry(self.harness, case, inputs, head=head)


# --- The peers ------------------------------------------------------------------


class PeerEntry(Entry):
    """Calls made ready, one for each input; used in turn.

    ``wake`` is a call of an empty model. Behind a flush it comes first, outside
    the clock: the runtime's own code and threads are awake then, and what is
    timed is cold in the map and in the weights only.
    """

    def __init__(self, harness, case, calls, output, wake):
        self.harness, self.flush = harness, case.mode == "flush"
        self.wake = wake
        self.first, self.output = calls[0], output
        self.turns = itertools.cycle(calls)

    def result(self):
        self.first()
        return self.output()

    def time(self, iterations, batches):
        clock, seconds = time.perf_counter_ns, []
        for _ in range(batches):
            calls = list(itertools.islice(self.turns, iterations))
            if self.flush:
                total = 0
                for call in calls:
                    self.harness.flush()
                    self.wake()
                    start = clock()
                    call()
                    total += clock() - start
            else:
                start = clock()
                for call in calls:
                    call()
                total = clock() - start
            seconds.append(total / iterations / 1e9)
        return seconds

    def close(self):
        self.first = self.turns = self.output = None


class Peer:
    peer = counts = True

    def __init__(self, harness, threads, folder, inputs):
        self.harness, self.threads, self.folder = harness, threads, folder
        self.wake = None
        self.set_up()
        empty = EmptyCase()
        entry = self.start(empty, inputs.take(empty))
        self.wake, self.keep_awake = entry.first, entry

    def entry(self, case, calls, output, *keep):
        entry = PeerEntry(self.harness, case, calls, output, self.wake)
        entry.keep = keep
        return entry


class OnnxRuntime(Peer):
    """Inputs and output bound once; a call is one run_with_iobinding."""

    def set_up(self):
        import onnxruntime as ort

        ort.set_default_logger_severity(4)
        self.ort = ort
        self.name = f"ONNX Runtime {ort.__version__}"

    def start(self, case, inputs):
        ort = self.ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        model = case.model(case.batch).SerializeToString()
        try:
            session = ort.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise Unable(first_line(error)) from None
        element = TYPES[case.type][1]
        output = np.empty(case.output_shape, case.numpy)
        calls = []
        for features in inputs:
            binding = session.io_binding()
            binding.bind_input(
                "x", "cpu", 0, element, features.shape, features.ctypes.data
            )
            binding.bind_output(
                "y", "cpu", 0, element, output.shape, output.ctypes.data
            )
            # One layer below session.run_with_iobinding.
            calls.append(
                functools.partial(
                    session._sess.run_with_iobinding, binding._iobinding, None
                )
            )
        return self.entry(case, calls, lambda: output, session, inputs)


class OpenVino(Peer):
    """One infer request whose input tensor is the caller's memory; with several
    inputs, a call also sets the tensor.
    """

    def set_up(self):
        import openvino as ov

        self.ov = ov
        self.core = ov.Core()
        self.name = f"OpenVINO {ov.__version__.split('-')[0]}"

    def start(self, case, inputs):
        ov = self.ov
        config = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": str(self.threads),
        }
        if case.type == "f32":
            # Where it can, it would compute in bfloat16.
            config["INFERENCE_PRECISION_HINT"] = "f32"
        try:
            model = self.core.read_model(
                case.model(case.batch).SerializeToString()
            )
            compiled = self.core.compile_model(model, "CPU", config)
            request = compiled.create_infer_request()
            tensors = [self.tensor(case, features) for features in inputs]
            request.set_input_tensor(tensors[0])
        except Exception as error:
            raise Unable(first_line(error)) from None
        # The layer above this one copies the output, and start_async goes
        # through another thread.
        run = functools.partial(
            super(ov.InferRequest, request).infer,
            {},
            share_outputs=True,
            decode_strings=False,
        )
        set_input = request.set_input_tensor

        def run_with(tensor):
            set_input(tensor)
            run()

        calls = [run]
        if len(tensors) > 1:
            calls = [functools.partial(run_with, t) for t in tensors]
        def output():
            data = request.get_output_tensor().data
            return data.view(case.numpy).reshape(case.output_shape)

        return self.entry(case, calls, output, compiled, tensors, inputs)

    def tensor(self, case, features):
        if case.type == "bf16":
            return self.ov.Tensor(
                features.view(np.int16), features.shape, self.ov.Type.bf16
            )
        return self.ov.Tensor(features, shared_memory=True)


class Iree(Peer):
    """Compiled for this processor with -O3; arguments packed once."""

    def set_up(self):
        import iree.runtime as rt

        self.rt = rt
        self.version = importlib.metadata.version("iree-base-compiler")
        self.name = f"IREE {self.version}"
        if self.threads == 1:
            self.device = rt.get_device("local-sync")
        else:
            rt.flags.parse_flags(f"--task_topology_group_count={self.threads}")
            self.device = rt.get_device("local-task")
        self.instance = rt.VmInstance()

    def start(self, case, inputs):
        rt = self.rt
        try:
            module = rt.VmModule.mmap(self.instance, str(self.compiled(case)))
            hal = rt.create_hal_module(self.instance, self.device)
            context = rt.VmContext(self.instance, [hal, module])
            function = module.lookup_function("head")
            lists = [self.pack(case, features) for features in inputs]
        except Unable:
            raise
        except Exception as error:
            raise Unable(first_line(error)) from None
        invoke, results, last = context.invoke, rt.VmVariantList, [None]

        def run(arguments):
            last[0] = output = results(1)
            invoke(function, arguments, output)

        def output():
            view = last[0].get_as_object(0, rt.HalBufferView)
            # asarray knows no bfloat16; words of its width are as good.
            words = np.dtype(f"int{case.numpy.itemsize * 8}")
            data = view.map().asarray(list(case.output_shape), words)
            return data.copy().view(case.numpy)

        calls = [functools.partial(run, arguments) for arguments in lists]
        return self.entry(case, calls, output, context, lists, inputs)

    def pack(self, case, features):
        rt = self.rt
        types = rt.HalElementType
        element = {
            "f32": types.FLOAT_32,
            "f16": types.FLOAT_16,
            "bf16": types.BFLOAT_16,
        }[case.type]
        buffer = self.device.allocator.import_host_allocation(
            features.view(np.uint8),
            rt.MemoryType.HOST_LOCAL | rt.MemoryType.DEVICE_VISIBLE,
            rt.BufferUsage.DEFAULT,
        )
        view = rt.HalBufferView(buffer, list(features.shape), element)
        arguments = rt.VmVariantList(1)
        arguments.push_ref(view)
        return arguments

    def compiled(self, case):
        import iree.compiler as ireec
        import onnx
        from iree.compiler import ir
        from iree.compiler.extras import onnx_importer

        model = case.model(case.batch)
        path = self.folder / f"iree-{self.version}-{digest(model)}.vmfb"
        if path.exists():
            return path
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        with ir.Context() as context:
            info = onnx_importer.ModelInfo(model)
            module = info.create_module(context=context).operation
            onnx_importer.NodeImporter.define_function(
                info.main_graph, module
            ).import_all()
            text = module.get_asm()
        flags = ["--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3"]
        try:
            binary = ireec.compile_str(
                text,
                input_type="onnx",
                target_backends=["llvm-cpu"],
                extra_args=flags,
            )
        except Exception as error:
            raise Unable(first_line(error)) from None
        path.write_bytes(binary)
        return path


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "iree": Iree}


def first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    wanted = next((line for line in lines if "rror" in line), lines[0])
    return wanted[:160]
