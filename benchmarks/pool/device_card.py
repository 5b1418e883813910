# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The GPU as device.py sees it: memory, stream, events and graphs by PyTorch;
copies and an empty kernel by the driver; heads as C functions. No toolkit.
"""

import ctypes
import math
import subprocess
import sys

# Everybody's inputs start at multiples of this.
ALIGNMENT = 256
# Elements that the reference widens at once: 512 MB.
PIECE = 1 << 26
# Unit roundoff and smallest number of the types that results are rounded to.
NARROW = {
    "f32": (0.0, 0.0),
    "f16": (2.0**-11, 2.0**-24),
    "bf16": (2.0**-8, 2.0**-133),
}
U32, U64 = 2.0**-24, 2.0**-53


class Unable(Exception):
    """Why an entrant does not run a case; one line."""


def fail(text):
    sys.exit(f"device.py: error: {text}")


def first_line(error):
    """Of an exception, what fits into a list."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:160]


def rounding(roundings, size):
    """g(k) of test/Integration/Lowering/lowering.py, times a size."""
    return roundings * U32 / (1 - roundings * U32) * size


def bound(type_name, length, value, size, exact):
    """How far a mean may be off, as lowering.py derives it. `size` is the mean
    of magnitudes; `exact` says that no sum is rounded, only the division. Works
    for numbers and tensors.

    >>> narrow = bound("f32", 49, 1.0, 1.0, exact=True)
    >>> narrow < 1e-6 < bound("f32", 49, 1.0, 1.0, exact=False)
    True
    """
    wide = rounding(3, abs(value)) if exact else rounding(length + 1, size)
    wide = wide + length * U64 * size  # the reference's own
    unit, smallest = NARROW[type_name]
    return wide + unit * (abs(value) + wide) + smallest / 2


class Head:
    """A compiled head: NAME_cuda of a shared library, on device memory."""

    def __init__(self, path, name):
        try:
            library = ctypes.CDLL(str(path))
            self.function = library[f"{name}_cuda"]
            self.explain = library[f"{name}_cuda_error"]
        except (OSError, AttributeError) as error:
            raise Unable(f"does not load: {first_line(error)}") from None
        self.function.restype = ctypes.c_int32
        self.function.argtypes = [
            ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        self.explain.restype = ctypes.c_char_p

    def __call__(self, features, batch, output, stream):
        """Addresses and a stream's handle, as numbers."""
        code = self.function(features, batch, output, stream)
        if code:
            raise Unable(f"code {code}: {self.explain().decode()}")


class Driver:
    """The few functions of libcuda that PyTorch does not offer as they are."""

    def __init__(self):
        self.library = ctypes.CDLL("libcuda.so.1")
        self.copy_function = self.library.cuMemcpyDtoDAsync_v2
        self.copy_function.argtypes = [
            ctypes.c_uint64, ctypes.c_uint64, ctypes.c_size_t, ctypes.c_void_p,
        ]  # fmt: skip
        self.launch_function = self.library.cuLaunchKernel
        self.launch_function.argtypes = [
            ctypes.c_void_p, *[ctypes.c_uint] * 7, *[ctypes.c_void_p] * 3,
        ]  # fmt: skip
        self.module, self.kernel = ctypes.c_void_p(), ctypes.c_void_p()

    @staticmethod
    def check(what, status):
        if status:
            raise Unable(f"{what} gave {status}")

    def copy(self, target, source, size, stream):
        status = self.copy_function(target, source, size, stream)
        self.check("cuMemcpyDtoDAsync", status)

    def load(self, ptx, name):
        """Makes `launch` launch this kernel, in the current context."""
        status = self.library.cuModuleLoadData(
            ctypes.byref(self.module), ctypes.c_char_p(ptx)
        )
        self.check("cuModuleLoadData", status)
        status = self.library.cuModuleGetFunction(
            ctypes.byref(self.kernel), self.module, name.encode()
        )
        self.check("cuModuleGetFunction", status)

    def launch(self, stream):
        status = self.launch_function(
            self.kernel, 1, 1, 1, 32, 1, 1, 0, stream, None, None
        )
        self.check("cuLaunchKernel", status)


class Card:
    """The current GPU of PyTorch. Raises Unable where there is none."""

    def __init__(self):
        try:
            import torch
        except ImportError as error:
            raise Unable(
                f"PyTorch is not there ({first_line(error)}); --measure needs "
                "python3 with torch on a machine with an NVIDIA GPU"
            ) from None
        if not torch.cuda.is_available():
            raise Unable(
                "PyTorch finds no NVIDIA GPU here; run --prepare here and "
                "--measure on a machine with one"
            )
        self.torch = torch
        self.torch.cuda.init()
        self.stream = torch.cuda.Stream()
        self.driver = Driver()
        found = torch.cuda.get_device_properties(torch.cuda.current_device())
        self.name, self.cache_bytes = found.name, found.L2_cache_size
        self.capability = found.major * 10 + found.minor
        self.types = {
            "f32": torch.float32,
            "f16": torch.float16,
            "bf16": torch.bfloat16,
        }

    @property
    def handle(self):
        """The stream, for C."""
        return self.stream.cuda_stream

    def describe(self):
        """Names and versions, as text."""
        torch = self.torch
        free, total = torch.cuda.mem_get_info()
        return {
            "card": f"{self.name}, compute capability "
            f"{self.capability / 10:.1f}, "
            f"L2 {self.cache_bytes / 2**20:.0f} MiB, "
            f"memory {total / 2**30:.1f} GiB ({free / 2**30:.1f} free)",
            "driver": read_driver_version(),
            "PyTorch": f"{torch.__version__}, CUDA {torch.version.cuda}, "
            f"cuDNN {torch.backends.cudnn.version()}",
        }

    def free_bytes(self):
        self.torch.cuda.empty_cache()
        return self.torch.cuda.mem_get_info()[0]

    def allocate(self, size):
        return self.torch.empty(
            size, dtype=self.torch.uint8, device="cuda"
        )

    def view(self, memory, start, shape, type_name):
        """A tensor in memory that `allocate` gave."""
        # No view of the whole: compiled functions need not know of that.
        kind = self.types[type_name]
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        return self.torch.empty(0, dtype=kind, device=memory.device).set_(
            memory.untyped_storage(), start // kind.itemsize, shape, strides
        )

    def forget_compiled(self):
        """PyTorch compiles each case for its own shape, and keeps only some."""
        self.torch._dynamo.reset()

    def fill(self, tensor, whole):
        """Random numbers: whole ones of -8 to 8, or any of -0.5 to 1."""
        if whole:
            tensor.random_(-8, 9)
        else:
            tensor.uniform_(-0.5, 1.0)

    def poison(self, tensor):
        tensor.fill_(math.nan)

    def reference(self, features, axes):
        """Means and means of magnitudes in double, for each image and channel.
        That of PyTorch's on the GPU, so some are compared with math.fsum.
        """
        torch = self.torch
        images = max(1, PIECE // math.prod(features.shape[1:]))
        values, sizes = [], []
        for piece in features.split(images):
            wide = piece.double()
            values.append(wide.mean(axes))
            sizes.append(wide.abs_().mean(axes))
        values, sizes = torch.cat(values), torch.cat(sizes)
        channel = 1 if axes == (2, 3) else 3
        for image, place in ((0, 0), (-1, -1), (0, -1)):
            numbers = features[image].select(channel - 1, place)
            numbers = numbers.double().flatten().tolist()
            mean = math.fsum(numbers) / len(numbers)
            if not abs(mean - values[image, place].item()) <= 1e-12:
                raise Unable("the reference on the GPU is wrong")
        return values, sizes

    def judge(self, output, reference, type_name, length, exact=False):
        """Raises Unable if a result is further off than it may be."""
        value, size = reference
        result = output.double().reshape(value.shape)
        error = (result - value).abs()
        allowed = bound(type_name, length, value, size, exact)
        wrong = ~(error <= allowed)  # also what is not a number
        count = int(wrong.sum())
        if count:
            worst = float((error / allowed).max())
            raise Unable(
                f"wrong: {count} of {wrong.numel()} results, up to "
                f"{worst:.3g} times what rounding allows"
            )

    # Clocks.

    def run(self, calls):
        """Queues calls in the stream."""
        with self.torch.cuda.stream(self.stream):
            for call in calls:
                call()

    def synchronize(self):
        self.torch.cuda.synchronize()

    def time(self, actions):
        """Seconds from the start of each action to the start of the next, on
        the GPU's clock. Actions queue work in the stream.
        """
        events = [
            self.torch.cuda.Event(enable_timing=True)
            for _ in range(len(actions) + 1)
        ]
        with self.torch.cuda.stream(self.stream):
            events[0].record()
            for action, event in zip(actions, events[1:]):
                action()
                event.record()
        self.stream.synchronize()
        return [
            first.elapsed_time(second) / 1e3
            for first, second in zip(events, events[1:])
        ]

    def capture(self, calls):
        """A function that queues all of the calls as one graph."""
        torch = self.torch
        graph = torch.cuda.CUDAGraph()
        # torch.cuda.graph would collect garbage each time, which is slow.
        torch.cuda.synchronize()
        with torch.cuda.stream(self.stream):
            try:
                graph.capture_begin(capture_error_mode="thread_local")
                try:
                    for call in calls:
                        call()
                finally:
                    graph.capture_end()
            except RuntimeError as error:
                raise Unable(f"not captured: {first_line(error)}") from None
        return graph.replay


def read_driver_version():
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version",
             "--format=csv,noheader"],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        return done.stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        pass
    try:
        with open("/proc/driver/nvidia/version", encoding="utf-8") as file:
            return first_line(file.read())
    except OSError:
        return "unknown"
