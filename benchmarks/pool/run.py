#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Global average pools: head-opt's compiled code, plain reading of the same
bytes, and the peers, in turns. Prints Markdown; README.md says how to read it.

With --device, the same on a GPU: see device.py.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import bench  # noqa: E402

MAPS = [
    (512, 7, 7),  # VGG16
    (2048, 7, 7),  # ResNet-50
    (1280, 7, 7),  # MobileNetV2
    (768, 7, 7),  # ConvNeXt
    (2560, 19, 19),  # EfficientNet-B7
    (30, 220, 220),  # few channels, large maps
]


def cases():
    from cases import Case

    return [
        Case("x".join(map(str, extents)), extents[0], extents[1:], layout,
             type_name, batch, mode)
        for type_name in ("f32", "f16", "bf16")
        for layout in ("NCHW", "NHWC")
        for mode in ("warm", "cold")
        for extents in MAPS
        for batch in (1, 8, 64)
    ]  # fmt: skip


if __name__ == "__main__":
    if "--device" in sys.argv[1:]:
        import device

        sys.exit(device.main([a for a in sys.argv[1:] if a != "--device"]))
    arguments = bench.parse("Time global average pools; prints Markdown.")
    bench.enter(arguments)
    sys.exit(bench.main(arguments, cases()))
