# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Who runs a pool on the GPU beside head-opt: PyTorch, compiled PyTorch,
Triton and cuDNN. A peer's `start` gives a function of a feature map, which
queues the work in the current stream and returns the result; or it raises.
"""

import ctypes
import math
import re

from device_card import Unable, first_line

# What one choice of Triton's block sizes may take while it is tried out.
TRY_CALLS = 20


def mean_axes(case):
    return (2, 3) if case.layout == "NCHW" else (1, 2)


def as_nchw(x, case):
    """What PyTorch calls channels_last has this shape, too."""
    return x if case.layout == "NCHW" else x.permute(0, 3, 1, 2)


class PyTorch:
    """One of PyTorch's functions, as it is or compiled."""

    def __init__(self, torch, name, compiled):
        self.torch, self.function_name, self.compiled = torch, name, compiled
        self.kind = "compiled" if compiled else "pytorch"
        self.name = f"compiled {name}" if compiled else name

    def make(self, case):
        axes, extents = mean_axes(case), case.spatial
        nn = self.torch.nn.functional
        if self.function_name == "mean":
            return lambda x: x.mean(axes)
        if self.function_name == "adaptive":
            return lambda x: nn.adaptive_avg_pool2d(as_nchw(x, case), 1)
        return lambda x: nn.avg_pool2d(as_nchw(x, case), extents)

    def start(self, card, case, features):
        function = self.make(case)
        if not self.compiled:
            return function
        return self.torch.compile(function, dynamic=False, fullgraph=True)


class Triton:
    name = kind = "triton"

    def __init__(self, module, version):
        self.module, self.version = module, version

    def choices(self, case):
        """(choice, function that makes the call), without those that cut up
        what has programs enough.
        """
        module = self.module
        length = math.prod(case.spatial)
        if case.layout == "NCHW":
            rows = case.batch * case.channels
            for choice in module.row_choices(length):
                if choice[2] == 1 or rows // choice[0] < 2048:
                    yield choice, rows * choice[2], (
                        lambda partial, output, choice=choice: module.make_rows(
                            choice, rows, length, partial, output
                        )
                    )
            return
        for choice in module.column_choices(length, case.channels):
            programs = case.batch * -(-case.channels // choice[0])
            if choice[2] == 1 or programs < 2048:
                yield choice, case.batch * case.channels * choice[2], (
                    lambda partial, output, choice=choice: module.make_columns(
                        choice, case.batch, length, case.channels,
                        partial, output,
                    )
                )  # fmt: skip

    def start(self, card, case, features):
        torch, found = card.torch, []
        output = torch.empty(
            (case.batch, case.channels), dtype=features.dtype,
            device=features.device,
        )  # fmt: skip
        for choice, sums, make in self.choices(case):
            partial = torch.empty(
                sums, dtype=torch.float32, device=features.device
            )
            call = make(partial, output)
            card.run([lambda: call(features)] * 2)
            graph = card.capture([lambda: call(features)] * TRY_CALLS)
            found.append((min(card.time([graph] * 3)), choice, call))
        _, choice, call = min(found, key=lambda one: one[0])
        self.detail = "(rows or columns, block, pieces, warps) = " + str(choice)
        return call


class CuDNN:
    """cudnnPoolingForward with the map as window. (PyTorch's own pools do not
    use it.)
    """

    name = kind = "cudnn"
    TYPES = {"f32": 0, "f16": 2, "bf16": 9}
    LAYOUTS = {"NCHW": 0, "NHWC": 1}
    AVERAGE, KEEP_NAN = 2, 1  # excluding padding, of which there is none

    def __init__(self, library):
        self.library = library
        self.handle = ctypes.c_void_p()
        self.call("cudnnCreate", ctypes.byref(self.handle))
        library.cudnnGetVersion.restype = ctypes.c_size_t
        self.version = str(library.cudnnGetVersion())
        self.forward = library.cudnnPoolingForward
        self.forward.argtypes = [ctypes.c_void_p] * 8

    def call(self, name, *args):
        status = getattr(self.library, name)(*args)
        if status:
            explain = self.library.cudnnGetErrorString
            explain.restype = ctypes.c_char_p
            raise Unable(f"{name}: {explain(status).decode()}")

    def make(self, name, set_name, *args):
        made = ctypes.c_void_p()
        self.call(f"cudnnCreate{name}", ctypes.byref(made))
        self.call(set_name, made, *args)
        return made

    def start(self, card, case, features):
        height, width = case.spatial
        kind = self.LAYOUTS[case.layout], self.TYPES[case.type]
        shape = case.batch, case.channels

        def tensor(*extents):
            return self.make(
                "TensorDescriptor", "cudnnSetTensor4dDescriptor",
                *kind, *shape, *extents,
            )  # fmt: skip

        source, target = tensor(height, width), tensor(1, 1)
        pool = self.make(
            "PoolingDescriptor", "cudnnSetPooling2dDescriptor",
            self.AVERAGE, self.KEEP_NAN, height, width, 0, 0, height, width,
        )  # fmt: skip
        self.call("cudnnSetStream", self.handle, ctypes.c_void_p(card.handle))
        one, zero = ctypes.c_float(1.0), ctypes.c_float(0.0)
        factors = ctypes.addressof(one), ctypes.addressof(zero)
        output = card.torch.empty(
            shape, dtype=features.dtype, device=features.device
        )
        address = output.data_ptr()

        def call(x, keep=(one, zero)):
            status = self.forward(
                self.handle, pool, factors[0], source, x.data_ptr(),
                factors[1], target, address,
            )  # fmt: skip
            if status:
                raise Unable(f"cudnnPoolingForward gave {status}")
            return output

        return call


def find_cudnn():
    """The one that PyTorch has loaded; else one that the system knows."""
    names = ["libcudnn.so.9", "libcudnn.so.8"]
    with open("/proc/self/maps", encoding="utf-8") as file:
        found = re.findall(r"(/\S*/libcudnn\.so\S*)", file.read())
    for name in [*found, *names]:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise Unable("there is no libcudnn.so")


def make_peers(card):
    """All that are there, and why others are not: (peers, {name: reason})."""
    torch, missing = card.torch, {}
    peers = [
        PyTorch(torch, name, compiled=False)
        for name in ("mean", "adaptive", "avg_pool2d")
    ]
    try:
        import device_triton

        peers.append(
            Triton(device_triton, device_triton.triton.__version__)
        )
        peers[3:3] = [
            PyTorch(torch, name, compiled=True)
            for name in ("mean", "adaptive")
        ]
    except ImportError as error:
        missing["triton, compiled PyTorch"] = first_line(error)
    try:
        peers.append(CuDNN(find_cudnn()))
    except Unable as reason:
        missing["cudnn"] = str(reason)
    return peers, missing
