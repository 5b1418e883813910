# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of lowered heads share: heads as ONNX models, the compiled
function, guarded memory, and what a head may answer.

How far a result may be off
===========================

Let u be the unit roundoff of the type in which sums are kept (2^-24; 2^-53 for
f64), and g(k) = k u / (1 - k u). Adding m numbers takes m - 1 additions, and
whatever their order, no number takes part in more than m - 1 of them; so the
sum of x_1..x_m that a machine finds is off by at most g(m - 1) sum |x_i|
(Higham, Accuracy and Stability of Numerical Algorithms, 4.2). Nothing here
depends on the order, so any vector width and any tree may be used.

*Mean.* Dividing is one more rounding, multiplying by a rounded 1/m two:

    e_mean = g(m + 1) mean |x_i|

*Dense.* sum_k w_k p_k + b with p_k off by e_k: K products, K additions (fused or
not), and two factors (alpha, beta) that may cost a rounding each:

    e_dense = g(K + 3) (sum |w_k| (|p_k| + e_k) + |b|) + sum |w_k| e_k

*Dense, bf16 by AVX512-BF16.* vdpbf16ps adds two products to each sum, one after the
other, each by one fused operation, rounded to nearest (Intel's manual; the same on
AMD's processors). Whichever way it would round, a product takes part in no more than
one multiplication and K additions, so g(K + 3) holds; a zero beside a last element
that is alone changes nothing. But a number below t = 2^-126, the smallest normal one,
counts as 0 where it is a factor, and becomes 0 where it is a result. The first changes
a product by at most t |w_k| or t (|p_k| + e_k), and t^2 if both are so small, the
second each sum by at most t, or 2 t if products were rounded by themselves. Together,
and with what additions make of it,

    e_flushed = (1 + g(K)) t (3 K + sum (|w_k| + |p_k| + e_k))

which is added for bf16, whatever computes it.

*Narrowing* to f16 or bf16, of unit roundoff v and smallest number t, adds
v (|value| + e) + t / 2. A node's result may be narrowed (that is ONNX), or kept
wide where nodes are fused; the bound holds for both, since both are closer than
it says to the value in exact arithmetic.

*Relu* moves no two numbers apart.

*Softmax* of z with errors up to e in all elements: each exponential of
z_i - max z has an exponent off by at most 2 e + 2 u |z_i - max z|, its own error is
taken as 4 u (four units: a vectorised exponential), the sum of O of them and
the division cost g(O + 1). All errors are relative, so together, to first order

    e_softmax = value (expm1(2 (2 e + 2 u max |z_i - max z|) + 8 u) + g(O + 3))

and a number below the smallest normal one may be flushed to zero.

The reference is computed in 80-bit numbers, whose own error does not count.
"""

import ctypes
import itertools
import math
import mmap
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

import headopt
from headopt import BF16, F32, F64

TIME_LIMIT = 120  # seconds; compiling takes well below one
NAMES = {"f16": "float16", "bf16": "bfloat16", "f32": "float", "f64": "double"}
PAGE = mmap.PAGESIZE
PROT_NONE = 0
CANARY = 0xA5
# The version that only heads with layers of bf16 have.
BF16_LEVEL = "x86-64-v4+avx512bf16"
# Batches on both sides of where a schedule could change.
BATCHES = (0, 1, 2, 3, 7, 8, 9, 33)


# ----------------------------------------------------------------------------
# Heads
# ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """A feature map of these extents (behind the batch; None: known at run time
    only), averaged over some axes, and dense layers behind that.
    """

    extents: tuple
    axes: tuple = None  # counted with the batch; None: all behind the channels
    type: headopt.Type = F32
    layers: tuple = ()  # outputs of each
    softmax: bool = False
    batch: object = "N"
    seed: int = 0
    # How a layer is written: "gemm" (weight [O, K]) or "matmul" ([K, O], Add).
    dense: str = "gemm"
    integers: bool = False  # weights that leave sums of integers exact

    @property
    def pooled(self):
        if self.axes is None:
            return tuple(range(2, len(self.extents) + 1))
        return self.axes

    @property
    def kept(self):
        return tuple(
            axis
            for axis in range(1, len(self.extents) + 1)
            if axis not in self.pooled
        )

    @property
    def features(self):
        """How many numbers of an image are left behind the pool."""
        return math.prod(self.extents[axis - 1] for axis in self.kept)

    @property
    def outputs(self):
        return self.layers[-1] if self.layers else self.features

    @property
    def dynamic(self):
        return tuple(i for i, e in enumerate(self.extents, 1) if e is None)

    def weights(self):
        """(weight [outputs, inputs], bias) of each layer."""
        random = np.random.default_rng(1000 + self.seed)
        width, result = self.features, []
        for outputs in self.layers:
            if self.integers:
                weight = random.integers(-2, 3, (outputs, width))
                bias = random.integers(-3, 4, outputs)
            else:
                weight = random.uniform(-1, 1, (outputs, width)) / width**0.5
                bias = random.uniform(-1, 1, outputs)
            result.append(
                (weight.astype(self.type.numpy), bias.astype(self.type.numpy))
            )
            width = outputs
        return result

    def model(self):
        """The model in ONNX's text format, with the weights as initialisers."""
        # Pools know bfloat16 from opset 22 on.
        opset = 22 if self.type is BF16 else 17
        name = NAMES[self.type.name]
        shape = [str(self.batch)] + [
            f"d{i}" if e is None else str(e)
            for i, e in enumerate(self.extents, 1)
        ]
        lines, tensors = [], []
        value = "f0" if self.layers else "y"
        if self.axes is None:
            result = [*shape[:2]] + ["1"] * (len(shape) - 2)
            mean = "p" if self.layers else "y"
            lines.append(f"{mean} = GlobalAveragePool (x)")
            if self.layers:
                lines.append(f"{value} = Flatten <axis = 1> (p)")
        else:
            result = [shape[0]] + [shape[axis] for axis in self.kept]
            mean = "p" if self.layers and len(self.kept) > 1 else value
            listed = ", ".join(map(str, self.axes))
            if opset < 18:
                lines.append(
                    f"{mean} = ReduceMean <axes = [{listed}], keepdims = 0> (x)"
                )
            else:
                lines.append(
                    f"axes = Constant <value = int64[{len(self.axes)}] "
                    f"{{{listed}}}> ()"
                )
                lines.append(f"{mean} = ReduceMean <keepdims = 0> (x, axes)")
            if mean == "p":
                lines.append(f"{value} = Flatten <axis = 1> (p)")
        for index, (weight, bias) in enumerate(self.weights()):
            last = index + 1 == len(self.layers)
            target = (
                ("z" if self.softmax else "y") if last else f"g{index}"
            )
            w, b = f"w{index}", f"b{index}"
            tensors.append(numpy_helper.from_array(bias, b))
            if self.dense == "gemm":
                tensors.append(numpy_helper.from_array(weight, w))
                lines.append(
                    f"{target} = Gemm <transB = 1> (f{index}, {w}, {b})"
                )
            else:
                matrix = np.ascontiguousarray(weight.T)
                tensors.append(numpy_helper.from_array(matrix, w))
                lines.append(f"m{index} = MatMul (f{index}, {w})")
                lines.append(f"{target} = Add (m{index}, {b})")
            if not last:
                lines.append(f"f{index + 1} = Relu (g{index})")
        if self.softmax:
            lines.append("y = Softmax <axis = 1> (z)")
        if self.layers:
            result = [shape[0], str(self.outputs)]
        body = "\n  ".join(lines)
        text = (
            f'<ir_version: 8, opset_import: ["" : {opset}]>\n'
            f"head ({name}[{','.join(shape)}] x) => "
            f"({name}[{','.join(result)}] y) {{\n  {body}\n}}"
        )
        model = onnx.parser.parse_model(text)
        model.graph.initializer.extend(tensors)
        onnx.checker.check_model(model, full_check=True)
        return model

    def label(self):
        """For the name of a test."""
        parts = ["x".join("d" if e is None else str(e) for e in self.extents)]
        if self.axes is not None:
            parts.append("over" + "".join(map(str, self.axes)))
        parts += [str(outputs) for outputs in self.layers]
        return "-".join([*parts, self.type.name])


def nhwc(channels, *spatial, **fields):
    """A head whose channels come last."""
    axes = tuple(range(1, len(spatial) + 1))
    return Head((*spatial, channels), axes, **fields)


# ----------------------------------------------------------------------------
# What a head may answer
# ----------------------------------------------------------------------------


def unit(type_):
    """Unit roundoff of a type."""
    return type_.eps / 2


def accumulator(type_):
    return unit(F64 if type_ is F64 else F32)


def gamma(count, type_):
    u = accumulator(type_)
    return count * u / (1 - count * u)


def narrowing(value, error, type_):
    """What rounding a value to ``type_`` adds, if sums are kept wider."""
    if type_ in (F32, F64):
        return 0.0
    smallest = float({"f16": 2.0**-24, "bf16": 2.0**-133}[type_.name])
    return unit(type_) * (abs(value) + error) + smallest / 2


def means(head, features, exact_sums=False):
    """The averages [N, features] and how far off each may be. Where all sums are
    exact in any order, only dividing rounds.
    """
    x = np.asarray(features).astype(np.longdouble)
    count = math.prod(x.shape[axis] for axis in head.pooled)
    rows = len(x)
    value = x.mean(axis=head.pooled).reshape(rows, -1)
    size = abs(x).mean(axis=head.pooled).reshape(rows, -1)
    error = gamma(2 if exact_sums else count + 1, head.type) * size
    return value, error + narrowing(value, error, head.type)


def flushing(size, weight, type_):
    """What a layer of bf16 may lose by flushing numbers below the smallest normal
    one to zero; ``size`` [N, K] is how large its inputs are, ``weight`` [O, K].
    """
    if type_ is not BF16:
        return 0.0
    inner = weight.shape[1]
    sums = size.sum(axis=1)[:, None] + abs(weight).sum(axis=1)
    return (1 + gamma(inner, type_)) * 2.0**-126 * (3 * inner + sums)


def reference(head, features, exact_sums=False):
    """What the head answers for ``features``, [N, outputs], and the bound."""
    value, error = means(head, features, exact_sums)
    weights = head.weights()
    for index, (weight, bias) in enumerate(weights):
        w, b = (a.astype(np.longdouble) for a in (weight, bias))
        carried = error @ abs(w).T + flushing(abs(value) + error, w, head.type)
        size = (abs(value) + error) @ abs(w).T + abs(b)
        value = value @ w.T + b
        error = gamma(w.shape[1] + 3, head.type) * size + carried
        error += narrowing(value, error, head.type)
        if index + 1 < len(weights):
            value = np.maximum(value, 0)
    if head.softmax:
        value, error = softmax(value, error, head.type)
    return value, error


def softmax(z, error, type_):
    u = accumulator(type_)
    z = z - z.max(axis=1, keepdims=True)
    largest = error.max(axis=1, keepdims=True)
    exponent = 2 * largest + 2 * u * abs(z).max(axis=1, keepdims=True)
    value = np.exp(z)
    value /= value.sum(axis=1, keepdims=True)
    error = value * (
        np.expm1(2 * exponent + 8 * u) + gamma(z.shape[1] + 3, type_)
    )
    tiny = float(np.finfo(np.float32 if type_ is not F64 else float).tiny)
    return value, error + narrowing(value, error, type_) + tiny


def assert_close(output, value, error, what=""):
    got = headopt.wide(output).astype(np.longdouble)
    off = abs(got - value)
    bad = ~(off <= error)  # NaN is bad too
    if bad.any():
        at = tuple(map(int, np.argwhere(bad)[0]))
        raise AssertionError(
            f"{what}: {int(bad.sum())} of {bad.size} results are off, the first "
            f"at {at}: {float(got[at])!r}, exact {float(value[at])!r}, allowed "
            f"{float(error[at]):.3g}, off by {float(off[at]):.3g}"
        )


# ----------------------------------------------------------------------------
# Features
# ----------------------------------------------------------------------------


def extents_of(head, chosen=()):
    """The extents with those given that are known at run time only."""
    given = iter(chosen)
    return tuple(next(given) if e is None else e for e in head.extents)


def random_features(head, batch, chosen=(), seed=1):
    shape = (batch, *extents_of(head, chosen))
    values = np.random.default_rng(seed).uniform(-1, 1, shape)
    return values.astype(head.type.numpy)


def whole_features(head, batch, chosen=(), seed=2):
    """Integers from 1 to 7: every sum of them is exact, and every one that is
    missed or taken twice shows.
    """
    shape = (batch, *extents_of(head, chosen))
    values = np.random.default_rng(seed).integers(1, 8, shape)
    return values.astype(head.type.numpy)


# ----------------------------------------------------------------------------
# Compiling
# ----------------------------------------------------------------------------


def invoke(*arguments, cwd=None):
    return subprocess.run(
        [str(headopt.TOOL), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        cwd=cwd,
    )


class Compiler:
    def __init__(self, folder):
        self.folder, self.heads = folder, {}
        self.numbers = itertools.count()

    def __call__(self, head, *flags):
        if (head, flags) not in self.heads:
            stem = self.folder / f"head{next(self.numbers)}"
            self.heads[head, flags] = Function(head, stem, flags)
        return self.heads[head, flags]


class Function:
    """A head's compiled function."""

    def __init__(self, head, stem, flags=()):
        self.head = head
        self.model = stem.with_suffix(".onnx")
        self.path = stem.with_suffix(".so")
        self.header = stem.with_suffix(".h")
        onnx.save(head.model(), self.model)
        done = invoke(self.model, "-o", self.path, "--name=head", *flags)
        assert done.returncode == 0 and self.path.exists(), (
            f"head-opt failed on {head.label()} {' '.join(flags)}: "
            f"{done.stderr.strip()}"
        )
        # Local: each library has a symbol of the same name.
        self.library = ctypes.CDLL(str(self.path))
        self.call = self.library.head
        self.call.restype = ctypes.c_int
        self.call.argtypes = (
            [ctypes.c_void_p]
            + [ctypes.c_int64] * (1 + len(head.dynamic))
            + [ctypes.c_void_p]
        )

    def __repr__(self):
        return f"<{self.head.label()}>"

    def chosen(self, features):
        return [features.shape[axis] for axis in self.head.dynamic]

    def run(self, features):
        """A plain call: the output, [N, outputs]."""
        features = np.ascontiguousarray(features)
        output = np.empty(
            (len(features), self.head.outputs), self.head.type.numpy
        )
        output.view(np.uint8)[...] = 0xFF
        code = self.call(
            features.ctypes.data,
            len(features),
            *self.chosen(features),
            output.ctypes.data,
        )
        assert code == 0
        return output


# ----------------------------------------------------------------------------
# Guarded calls
# ----------------------------------------------------------------------------

libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Guarded:
    """Memory between two pages that nobody may touch. It touches the second one
    (``at`` "end") or the first ("start"); what is left of its pages is filled.
    """

    def __init__(self, size, at):
        pages = max(1, -(-size // PAGE))
        self.map = mmap.mmap(-1, (pages + 2) * PAGE)
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.inside = pages * PAGE
        self.offset = PAGE + (self.inside - size if at == "end" else 0)
        self.size = size
        self.bytes = np.frombuffer(self.map, np.uint8)
        self.bytes[PAGE : PAGE + self.inside] = CANARY
        self.protect(0, PAGE, PROT_NONE)
        self.protect(PAGE + self.inside, PAGE, PROT_NONE)

    def protect(self, offset, size, how):
        if libc.mprotect(self.base + offset, size, how) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")

    def make_read_only(self):
        self.protect(PAGE, self.inside, mmap.PROT_READ)

    @property
    def address(self):
        return self.base + self.offset

    @property
    def data(self):
        return self.bytes[self.offset : self.offset + self.size]

    def intact(self):
        """Whether nothing was written around the data."""
        before = self.bytes[PAGE : self.offset]
        after = self.bytes[self.offset + self.size : PAGE + self.inside]
        return bool((before == CANARY).all() and (after == CANARY).all())


class Call:
    """One call on guarded memory: read-only features, an output of NaNs."""

    def __init__(self, function, features, at="end", what=""):
        head = function.head
        features = np.ascontiguousarray(features)
        self.function, self.what = function, f"{what} N={len(features)} at {at}"
        self.batch, self.chosen = len(features), function.chosen(features)
        self.features = Guarded(features.nbytes, at)
        self.features.data[:] = features.reshape(-1).view(np.uint8)
        self.features.make_read_only()
        self.shape = (len(features), head.outputs)
        self.output = Guarded(
            math.prod(self.shape) * features.dtype.itemsize, at
        )
        self.output.data[:] = 0xFF

    def __call__(self):
        return self.function.call(
            self.features.address, self.batch, *self.chosen, self.output.address
        )

    def result(self):
        assert self.output.intact(), f"{self.what}: wrote around the output"
        return (
            self.output.data.view(self.function.head.type.numpy)
            .reshape(self.shape)
            .copy()
        )


def run_guarded(calls):
    """Makes the calls in a process of their own, so that one that touches a guard
    fails a test and ends nothing else. Returns the results.
    """
    codes = np.frombuffer(mmap.mmap(-1, max(1, len(calls)) * 4), np.int32)
    codes[:] = -1
    child = os.fork()
    if child == 0:
        try:
            for index, call in enumerate(calls):
                codes[index] = call()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        done = int((codes != -1).sum())
        raise AssertionError(
            f"{calls[done].what}: {name}: touched memory that it must not"
        )
    for call, code in zip(calls, codes):
        assert code == 0, f"{call.what}: returned {code}"
    return [call.result() for call in calls]


# ----------------------------------------------------------------------------
# Everything about one head
# ----------------------------------------------------------------------------


def same_bits(a, b):
    return np.array_equal(headopt.bits(a), headopt.bits(b))


def run_at_once(function, inputs, expected, rounds, start=lambda index: None):
    """Calls the function by a thread for each input, again and again, all at once;
    every result must have the expected bits. `start`: what each thread does first.
    """
    barrier, wrong = threading.Barrier(len(inputs)), []

    def work(index):
        start(index)
        barrier.wait()
        for _ in range(rounds):
            result = function.run(inputs[index])
            if not same_bits(result, expected[index]):
                wrong.append(index)
                return

    threads = [
        threading.Thread(target=work, args=(index,))
        for index in range(len(inputs))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, f"batches {[len(inputs[i]) for i in wrong]} changed"


def check(function, batches=BATCHES, chosen=()):
    """All that holds for any head, by some forty calls: results within the bound
    and free of guards, whatever lies around; images that do not see one another;
    the same bits alone, in any batch, and again.
    """
    head, most = function.head, max(batches)
    x = random_features(head, most, chosen)
    value, error = reference(head, x)
    calls = {}
    for batch in batches:
        for at in ("end", "start"):
            calls["batch", batch, at] = Call(function, x[:batch], at, "batch")
    alone = sorted({0, most // 2, most - 1})
    for index in alone:
        item = x[index : index + 1]
        calls["alone", index] = Call(function, item, "end", f"image {index}")
    whole = {n: whole_features(head, n, chosen) for n in (1, min(9, most))}
    for batch, features in whole.items():
        calls["whole", batch] = Call(function, features, "start", "integers")
    calls["again"] = calls["batch", most, "end"]
    stained = {}
    if most >= 3:
        stained = stain(head, x[:3])
        for key, features in stained.items():
            calls["stained", key] = Call(function, features, "end", f"{key}")
    results = dict(zip(calls, run_guarded(list(calls.values()))))

    for batch in batches:
        for at in ("end", "start"):
            result = results["batch", batch, at]
            assert_close(
                result, value[:batch], error[:batch], f"batch of {batch}"
            )
            assert same_bits(result, results["batch", most, "end"][:batch]), (
                f"a batch of {batch} has other bits than the start of {most}"
            )
    for index in alone:
        assert same_bits(
            results["alone", index][0], results["batch", most, "end"][index]
        ), f"image {index} alone has other bits than in a batch of {most}"
    for batch, features in whole.items():
        assert_close(
            results["whole", batch],
            *reference(head, features, exact_sums=True),
            f"integers, batch of {batch}",
        )
    clean = results["batch", most, "end"][:3]
    for key in stained:
        assert_unstained(head, key, results["stained", key], clean)


def stain(head, x):
    """Copies of three images with NaN around what must not see it: the first
    and the last image, and all features of the middle one but one.
    """
    around = np.array(x)
    around[[0, 2]] = np.nan
    cases = {"images": around}
    if not head.layers:
        kept = [x.shape[axis] for axis in head.kept]
        for feature in sorted({0, math.prod(kept) // 2, math.prod(kept) - 1}):
            only = np.full_like(x, np.nan)
            index = [slice(None)] * x.ndim
            index[0] = 1
            for axis, at in zip(head.kept, np.unravel_index(feature, kept)):
                index[axis] = at
            only[tuple(index)] = x[tuple(index)]
            cases["feature", feature] = only
    return cases


def assert_unstained(head, key, result, clean):
    if key == "images":
        assert same_bits(result[1], clean[1]), "an image sees its neighbours"
        if not head.layers:
            assert np.isnan(headopt.wide(result[[0, 2]])).all()
        return
    feature = key[1]
    assert same_bits(result[1, feature], clean[1, feature]), (
        f"feature {feature} sees its neighbours"
    )
    others = np.delete(headopt.wide(result).reshape(-1), head.outputs + feature)
    assert np.isnan(others).all(), "a feature lost a NaN"


def vector_levels():
    """The versions for x86-64 that this machine runs, as --mcpu names them."""
    flags = set()
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("flags"):
            flags = set(line.split(":", 1)[1].split())
            break
    needed = {
        "x86-64-v2": {"sse4_2", "ssse3", "popcnt", "cx16"},
        "x86-64-v3": {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe", "abm"},
        "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
        BF16_LEVEL: {"avx512_bf16"},
    }
    levels = []
    for level, wanted in needed.items():
        if not wanted <= flags:
            break
        levels.append(level)
    return levels
