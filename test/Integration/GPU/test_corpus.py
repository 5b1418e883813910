# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Heads of what real exporters wrote, for GPUs. All that a processor runs become
kernels, but for f64; every eighth is run on the emulated driver of CUDA, behind the
backbone in ONNX Runtime, and answers as the whole model does there.
``Lowering/test_exporters.py`` says how far they may lie apart.
"""

import numpy as np
import onnx
import pytest

import device
import headopt
from device import CUDA
from emulator import Emulator
from headopt import OnnxRuntime, Reference, wide, with_outputs
from test_backbone import REFUSED, call, models  # noqa: F401
from test_exporters import ENDS, NOT_LOWERED, bound, extents

import corpus

LOWERED = [f for f in corpus.EXPECTED if f not in REFUSED and f not in NOT_LOWERED]
# Heads of f64.
NO_KERNELS = {"torchDY-18-fp64_flatten-static.onnx": "kernels have no numbers of type f64"}


@pytest.mark.parametrize("file", LOWERED)
def test_kernels(models, tmp_path, file):  # noqa: F811
    if file in NO_KERNELS:
        said = call(
            models / file, "-o", tmp_path / "head.ptx", f"--target={CUDA}", rc=1
        )
        assert NO_KERNELS[file] in said
        assert not list(tmp_path.iterdir())
        return
    call(models / file, "-o", tmp_path / "head.ptx", f"--target={CUDA}")
    assert ".visible .entry" in (tmp_path / "head.ptx").read_text()


@pytest.mark.parametrize(
    "file", [f for f in LOWERED if f not in NO_KERNELS][::8]
)
def test_answers(models, tmp_path, file):  # noqa: F811
    source, library = models / file, tmp_path / "head.so"
    target = [f"--target={CUDA}", "--name=head"]
    call(
        source, "-o", library, f"--emit-backbone={tmp_path / 'b.onnx'}", *target
    )
    code = tmp_path / "kernels.ll"
    call(source, "-o", code, *target)
    whole, backbone = onnx.load(source), onnx.load(tmp_path / "b.onnx")
    kept = {i.name for i in backbone.graph.input}
    there = {o for n in backbone.graph.node for o in n.output} | kept
    ends = [o.name for o in whole.graph.output if o.name not in there]
    result = ENDS.get(file) or ends[0]
    kind = next(
        k
        for k in (OnnxRuntime, Reference)
        if headopt.load(k, with_outputs(whole, [result]))
    )
    feeds = corpus.feeds_of(whole, corpus.EXPECTED[file]["inputs"], seed=1)
    [end] = backbone.graph.output
    features = kind(backbone)({k: v for k, v in feeds.items() if k in kept})[end.name]
    answer, error = bound(kind, whole, backbone, result, feeds)

    _, inputs = extents(library.with_suffix(".h").read_text(), "features")
    chosen = [
        size
        for axis, (size, given) in enumerate(zip(features.shape, inputs))
        if axis and not given.isdigit()
    ]
    emulator = Emulator(code.read_text(), "cuda", tmp_path)
    done, results = device.call_library(
        library,
        "head_cuda_host",
        [(features, np.zeros_like(answer), chosen)],
        tmp_path,
        emulator.environment(),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(results) as found:
        assert found["code0"] == 0, found["error0"]
        output = found["output0"].view(answer.dtype)
    off = corpus.largest(wide(output) - wide(answer))
    assert off <= error, f"off by {off:.3g}, allowed {error:.3g}"
