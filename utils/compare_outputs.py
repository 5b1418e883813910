#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a model and its rewritten form on the same inputs and compares.

Both run in ONNX Runtime with its own optimisations off, on one seeded random
input. Compared are the outputs of the graph and, because a closing softmax hides
almost everything, the output of every dense layer that both models have under
one name. Exit status 0: all agree; 1: they do not, or could not be run.

The bound. Let u be the unit roundoff of a value's type. A sum of K products in
any order has an error of at most K u S (to first order), S = sum |w_k x_k|. Both
models compute such a sum, the rewritten one a shorter one, so they differ by at
most 2 K u S. S is not to be had from a model's outputs; max|y| stands in for it.
It is smaller than S by up to sqrt(K) where the signs of the terms are random,
but roundings have random signs as well: they add up to sqrt(K) u S, not K u S.
So the two cancel, and 2 K u max|y| is what is asked for. A dense layer behind
another passes on the difference it gets, at about the same size relative to its
output, and adds its own: the terms of all dense layers up to a value are added.
What comes before the first one is the same in both models, in the same order; a
model without any must give equal outputs, unless --bound says otherwise.

For the head of VGG16 (K = 25088) that is 0.003 of the largest output. A wrong
rewrite is off by about 1.
"""

import argparse
import json
import os
import sys
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime as ort

DENSE_OPS = {"Gemm", "MatMul", "FusedGemm", "FusedMatMul"}

NUMPY_TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64,
    "tensor(float16)": np.float16, "tensor(bool)": np.bool_,
    "tensor(int8)": np.int8, "tensor(uint8)": np.uint8,
    "tensor(int16)": np.int16, "tensor(uint16)": np.uint16,
    "tensor(int32)": np.int32, "tensor(uint32)": np.uint32,
    "tensor(int64)": np.int64, "tensor(uint64)": np.uint64,
}  # fmt: skip


class Dense(NamedTuple):
    data: str
    trans_a: bool


class Graph(NamedTuple):
    outputs: list[str]
    # By the name of their output, in the graph's order.
    dense: dict[str, Dense]


class Failure(Exception):
    """Ends the program with one line."""


def read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from error


def read_graph(path: str, model_bytes: bytes) -> Graph:
    try:
        graph = onnx.ModelProto.FromString(model_bytes).graph
    except Exception as error:  # Protobuf's own type has no stable home.
        raise Failure(f"{path}: not an ONNX model ({error})") from error
    layers = {}
    for node in graph.node:
        if node.op_type in DENSE_OPS:
            trans_a = any(a.name == "transA" and a.i for a in node.attribute)
            layers[node.output[0]] = Dense(node.input[0], trans_a)
    return Graph([output.name for output in graph.output], layers)


def run(
    path: str, model_bytes: bytes, extra: list[str], seed: int, batch: int
) -> dict[str, np.ndarray]:
    """Runs a model for its outputs, and for the values in `extra`."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    # The model goes in as bytes, so say where its external data lies.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path",
        os.path.dirname(os.path.abspath(path)),
    )
    providers = ["CPUExecutionProvider"]
    # Protobuf merges messages that stand one behind the other, so asking for
    # more outputs needs no copy of a large model, just bytes at its end.
    more = onnx.ModelProto()
    more.graph.output.extend(onnx.ValueInfoProto(name=name) for name in extra)
    try:
        session = ort.InferenceSession(
            model_bytes + more.SerializeToString(), options, providers
        )
        random = np.random.default_rng(seed)
        feeds = {}
        for tensor in session.get_inputs():
            if tensor.type not in NUMPY_TYPES:
                raise Failure(f"{path}: no random values for input "
                              f"{tensor.name} of type {tensor.type}")  # fmt: skip
            shape = [d if isinstance(d, int) else batch for d in tensor.shape]
            dtype = NUMPY_TYPES[tensor.type]
            if np.issubdtype(dtype, np.floating):
                values = random.standard_normal(shape)
            else:
                values = random.integers(0, 2, shape)
            feeds[tensor.name] = np.asarray(values, dtype)
        names = [output.name for output in session.get_outputs()]
        results = session.run(names, feeds)
    except Failure:
        raise
    except Exception as error:  # ONNX Runtime's errors share no base class.
        line = " ".join(str(error).split())
        raise Failure(f"{path}: ONNX Runtime: {line[:300]}") from error
    return dict(zip(names, results))


def unit_roundoff(dtype: np.dtype) -> float:
    if not np.issubdtype(dtype, np.floating):
        return 0.0
    return float(np.finfo(dtype).eps) / 2


def compare(
    a_path: str, b_path: str, seed: int, batch: int, bound: float | None
) -> list[dict]:
    a_bytes, b_bytes = read(a_path), read(b_path)
    a, b = read_graph(a_path, a_bytes), read_graph(b_path, b_bytes)
    for name in a.outputs:
        if name not in b.outputs:
            raise Failure(f"{b_path}: has no output {name}, {a_path} has")
    shared = [name for name in a.dense if name in b.dense]

    # The data input of a dense layer is asked for as well: its size is K.
    wanted = [*a.dense, *(layer.data for layer in a.dense.values())]
    extra = [n for n in dict.fromkeys(wanted) if n not in a.outputs]
    a_values = run(a_path, a_bytes, extra, seed, batch)
    del a_bytes
    # Up to each dense layer, and at the end: the sum of 2 K u.
    total = 0.0
    bounds = {}
    for name, layer in a.dense.items():
        terms = a_values[layer.data].shape[0 if layer.trans_a else -1]
        total += 2 * terms * unit_roundoff(a_values[name].dtype)
        bounds[name] = total

    names = list(dict.fromkeys([*shared, *a.outputs]))
    a_values = {name: a_values[name] for name in names}
    extra = [name for name in shared if name not in b.outputs]
    b_values = run(b_path, b_bytes, extra, seed, batch)
    rows = []
    for name in names:
        x, y = np.asarray(a_values[name]), np.asarray(b_values[name])
        if (x.shape, x.dtype) != (y.shape, y.dtype):
            raise Failure(f"{name}: {x.dtype}{list(x.shape)} in {a_path}, "
                          f"{y.dtype}{list(y.shape)} in {b_path}")  # fmt: skip
        if not np.issubdtype(x.dtype, np.number) and x.dtype != np.bool_:
            raise Failure(f"{name}: cannot compare values of type {x.dtype}")
        wide_a, wide_b = x.astype(np.float64), y.astype(np.float64)
        finite = bool(np.isfinite(wide_a).all() and np.isfinite(wide_b).all())
        largest = float(np.abs(wide_a).max(initial=0.0))
        with np.errstate(invalid="ignore"):
            difference = float(np.abs(wide_a - wide_b).max(initial=0.0))
        factor = bounds.get(name, total) if bound is None else bound
        rows.append({
            "name": name,
            "largest": largest,
            "difference": difference,
            "relative": difference / largest if largest > 0 else difference,
            "bound": factor,
            # Infinities and NaNs compare as anything one likes.
            "agrees": finite and difference <= factor * largest,
            "finite": finite,
        })  # fmt: skip
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Compare the outputs of two ONNX models on random inputs."
    )
    parser.add_argument("a", metavar="A.onnx", help="the original model")
    parser.add_argument("b", metavar="B.onnx", help="the rewritten model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--batch", type=int, default=2, metavar="N",
        help="what open dimensions are set to (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--bound", type=float, metavar="X",
        help="allow differences of X times the largest output, instead of what "
        "the sizes of the dense layers allow",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="also write the result")
    args = parser.parse_args()

    try:
        rows = compare(args.a, args.b, args.seed, args.batch, args.bound)
    except Failure as failure:
        print(f"compare_outputs.py: error: {failure}", file=sys.stderr)
        return 1
    width = max([5, *(len(row["name"]) for row in rows)])
    print(f"{'value':{width}}  {'max |y|':>10}  {'max diff':>10}  "
          f"{'relative':>10}  {'bound':>10}")  # fmt: skip
    for row in rows:
        verdict = "ok" if row["agrees"] else "DIFFERS"
        if not row["finite"]:
            verdict = "NOT FINITE"
        print(f"{row['name']:{width}}  {row['largest']:10.3e}  "
              f"{row['difference']:10.3e}  {row['relative']:10.3e}  "
              f"{row['bound']:10.3e}  {verdict}")  # fmt: skip
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"values": rows}, file, indent=1)
    return 0 if all(row["agrees"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
