#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole heads, from the 7x7 feature map to the classes: head-opt's compiled
code, plain reading of map and weights, and the peers, in turns. Prints
Markdown; README.md says how to read it.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import bench  # noqa: E402

HEADS = [
    (512, 4096),  # VGG16, its first dense layer pooled
    (512, 25),  # VGG16 features, a small set of classes
    (2048, 1000),  # ResNet-50
    (1280, 1000),  # MobileNetV2
    (768, 1000),  # ConvNeXt
    (1024, 1000),  # GoogLeNet
    (1280, 1024, 1024, 512, 3),  # a retrained MobileNet, Relu and Softmax
]


def cases():
    from cases import Case

    return [
        Case("-".join(map(str, widths)), widths[0], (7, 7), "NCHW",
             type_name, batch, mode, layers=widths[1:])
        for type_name in ("f32", "f16", "bf16")
        for mode in ("warm", "flush")
        for widths in HEADS
        for batch in (1, 8, 64)
    ]  # fmt: skip


if __name__ == "__main__":
    arguments = bench.parse("Time whole heads; prints Markdown.")
    bench.enter(arguments)
    sys.exit(bench.main(arguments, cases()))
