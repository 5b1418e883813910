#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a full-size VGG16 as an ONNX model, with seeded random weights.

The network is the one of the paper (configuration D): 13 convolutions, Flatten,
then the dense layers fc6, fc7 and fc8, without the closing softmax; 138 million
weights, 553 MB. The batch size is left open.

By default the weight of fc6 is the same at all 49 positions of each channel, so
that its head is one that head-opt rewrites; with `--weights random` it is not.
Everything else about the two models is equal.

Weights are drawn a few megabytes at a time and go straight into the file, so
this needs little memory, and a file beyond 2 GB costs no more than its bytes.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

# Output channels of each convolution; "M" is a 2x2 MaxPool.
LAYERS = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M",
          512, 512, 512, "M", 512, 512, 512, "M"]  # fmt: skip
POSITIONS = 7 * 7
CHUNK_FLOATS = 4 << 20
# External tensors start on a page, so that they can be mapped in place.
ALIGNMENT = 4096
# Protobuf's limit for a message, and so for a model in one file.
LARGEST_FILE = 2**31 - 1


class Weight(NamedTuple):
    name: str
    shape: tuple[int, ...]
    deviation: float
    # How often each number is repeated along the last axis.
    repeat: int = 1

    @property
    def floats(self) -> int:
        return int(np.prod(self.shape))

    @property
    def bytes(self) -> int:
        return 4 * self.floats

    def chunks(self, seed: list[int]) -> Iterator[np.ndarray]:
        # SFC64 is NumPy's fastest generator; one per weight, so that a weight
        # does not depend on the sizes of those before it.
        random = np.random.Generator(np.random.SFC64(seed))
        left = self.floats // self.repeat
        while left > 0:
            count = min(left, max(1, CHUNK_FLOATS // self.repeat))
            chunk = random.standard_normal(count, dtype=np.float32)
            chunk *= np.float32(self.deviation)
            yield np.repeat(chunk, self.repeat) if self.repeat > 1 else chunk
            left -= count


def he(fan_in: int) -> float:
    """Keeps the scale of activations through a layer with Relu behind it."""
    return (2.0 / fan_in) ** 0.5


def network(
    fc6_width: int, uniform: bool
) -> tuple[list[onnx.NodeProto], list[Weight]]:
    nodes: list[onnx.NodeProto] = []
    weights: list[Weight] = []
    value = "input"

    def add(op: str, name: str, inputs: list[str], **attributes: object) -> str:
        nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def parameters(name: str, weight: Weight, outputs: int) -> list[str]:
        weights.extend([weight, Weight(f"{name}.bias", (outputs,), 0.01)])
        return [weight.name, f"{name}.bias"]

    channels, block, index = 3, 1, 1
    for layer in LAYERS:
        if layer == "M":
            value = add("MaxPool", f"pool{block}", [value],
                        kernel_shape=[2, 2], strides=[2, 2])  # fmt: skip
            block, index = block + 1, 1
            continue
        name = f"conv{block}_{index}"
        weight = Weight(f"{name}.weight", (layer, channels, 3, 3),
                        he(channels * 9))  # fmt: skip
        inputs = [value, *parameters(name, weight, layer)]
        value = add("Conv", name, inputs, kernel_shape=[3, 3],
                    pads=[1, 1, 1, 1], strides=[1, 1])  # fmt: skip
        value = add("Relu", f"relu{block}_{index}", [value])
        channels, index = layer, index + 1

    value = add("Flatten", "flatten", [value], axis=1)
    features = channels * POSITIONS
    for name, width in (("fc6", fc6_width), ("fc7", 4096), ("fc8", 1000)):
        deviation, repeat = he(features), 1
        if name == "fc6" and uniform:
            # 49 equal weights add up as one number does, not as 49 random ones:
            # it is the sum that has to have the right size.
            deviation, repeat = he(channels) / POSITIONS, POSITIONS
        weight = Weight(f"{name}.weight", (width, features), deviation, repeat)
        inputs = [value, *parameters(name, weight, width)]
        value = add("Gemm", name, inputs, transB=1)
        if name != "fc8":
            value = add("Relu", f"relu{name[2:]}", [value])
        features = width
    return nodes, weights


def fc6_width_for(gigabytes: float) -> int:
    """The width of fc6 that makes the weights that large in all."""
    # Each of its outputs has a row of fc6, a bias, and a column of fc7.
    per_output = 4 * (512 * POSITIONS + 1 + 4096)
    fixed = sum(w.bytes for w in network(1, True)[1]) - per_output
    width = round((gigabytes * 1e9 - fixed) / per_output)
    if width < 1:
        raise ValueError(f"too small: it takes {fixed / 1e9:.2f} GB without fc6")
    return width


def varint(number: int) -> bytes:
    result = bytearray()
    while number >= 0x80:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)


def header(message: type, field: str, length: int) -> bytes:
    """What stands before the bytes of a length-delimited Protobuf field."""
    number = message.DESCRIPTOR.fields_by_name[field].number
    return varint(number << 3 | 2) + varint(length)


def write_model(
    path: str, weights: list[Weight], nodes: list[onnx.NodeProto], seed: int,
    data: BinaryIO | None, data_name: str,
) -> None:  # fmt: skip
    """Writes the file that onnx.save would write, without holding it.

    Protobuf writes fields by number, and in all three messages around the bytes
    of a weight these come last or split the rest in two. So the parts before
    and after are left to Protobuf, and the bytes go between them.
    """
    tensors = []
    for weight in weights:
        tensor = TensorProto(
            name=weight.name, dims=weight.shape, data_type=TensorProto.FLOAT
        )
        tail = 0
        if data is None:
            tail = weight.bytes
            opening = header(TensorProto, "raw_data", tail)
        else:
            start = -(-data.tell() // ALIGNMENT) * ALIGNMENT
            data.seek(start)
            for chunk in weight.chunks([seed, len(tensors)]):
                chunk.tofile(data)
            for key, entry in (("location", data_name), ("offset", start),
                               ("length", weight.bytes)):  # fmt: skip
                tensor.external_data.add(key=key, value=str(entry))
            tensor.data_location = TensorProto.EXTERNAL
            opening = b""
        start_bytes = tensor.SerializeToString() + opening
        length = len(start_bytes) + tail
        tensors.append(
            header(onnx.GraphProto, "initializer", length) + start_bytes
        )

    def image(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = onnx.GraphProto(name="vgg16", node=nodes).SerializeToString()
    graph_end = onnx.GraphProto(
        input=[image("input", ["N", 3, 224, 224])],
        output=[image("fc8", ["N", 1000])],
    ).SerializeToString()
    length = len(graph) + sum(map(len, tensors)) + len(graph_end)
    if data is None:
        length += sum(w.bytes for w in weights)
    model = onnx.ModelProto(ir_version=8, producer_name="make_vgg16")
    model_end = onnx.ModelProto(opset_import=[helper.make_opsetid("", 13)])

    if length > LARGEST_FILE:
        raise ValueError("over 2 GB: this needs --external-data")
    with open(path, "wb") as file:
        file.write(model.SerializeToString())
        file.write(header(onnx.ModelProto, "graph", length) + graph)
        for index, (weight, tensor) in enumerate(zip(weights, tensors)):
            file.write(tensor)
            if data is None:
                for chunk in weight.chunks([seed, index]):
                    chunk.tofile(file)
        file.write(graph_end + model_end.SerializeToString())


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Write a full-size VGG16 ONNX model with random weights."
    )
    parser.add_argument("output", help="the .onnx file to write")
    parser.add_argument(
        "--weights", choices=["uniform", "random"], default="uniform",
        help="fc6: equal over the positions of a channel, or not "
        "(default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--external-data", action="store_true",
        help="put the weights into OUTPUT.data",
    )  # fmt: skip
    parser.add_argument(
        "--scale-gb", type=float, metavar="GB",
        help="widen fc6 until the weights take GB * 10^9 bytes; "
        "over 2 it needs --external-data",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    # Under another name until complete: a model cut short by Ctrl-C or a full
    # disk must not look like one.
    parts = [args.output + ".part"]
    try:
        width = 4096 if args.scale_gb is None else fc6_width_for(args.scale_gb)
        nodes, weights = network(width, args.weights == "uniform")
        if args.external_data:
            parts.append(args.output + ".data.part")
            with open(parts[1], "wb") as data:
                write_model(parts[0], weights, nodes, args.seed, data,
                            os.path.basename(args.output) + ".data")  # fmt: skip
        else:
            write_model(parts[0], weights, nodes, args.seed, None, "")
        for part in reversed(parts):
            os.replace(part, part.removesuffix(".part"))
    except (OSError, ValueError) as error:
        print(f"make_vgg16.py: {args.output}: {error}", file=sys.stderr)
        return 1
    finally:
        for part in parts:
            if os.path.exists(part):
                os.remove(part)
    print(f"{args.output}: {sum(w.floats for w in weights):,} weights, "
          f"{sum(w.bytes for w in weights) / 1e6:.0f} MB")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
