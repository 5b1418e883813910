# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of installed copies share."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import headopt


@dataclass(frozen=True)
class Installed:
    """A copy of what the build tree installs."""

    prefix: Path
    cmake: str
    generator: str
    sanitize: bool

    @property
    def library(self):
        return self.prefix / "lib" / "libHeadOpt.so"

    def environment(self):
        """For programs that load the library and are not sanitised themselves."""
        if not self.sanitize:
            return dict(os.environ)
        runtime = subprocess.run(
            ["c++", "-print-file-name=libasan.so"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        return {**os.environ, "LD_PRELOAD": runtime,
                "ASAN_OPTIONS": "detect_leaks=0:allow_user_poisoning=0"}  # fmt: skip


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    build = headopt.TOOL.parents[1]
    cache = {}
    for line in (build / "CMakeCache.txt").read_text("utf-8").splitlines():
        name, _, value = line.partition("=")
        cache[name.partition(":")[0]] = value
    prefix = tmp_path_factory.mktemp("install") / "pre fix"
    done = subprocess.run(
        [cache["CMAKE_COMMAND"], "--install", str(build), "--prefix", str(prefix)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Installed(prefix, cache["CMAKE_COMMAND"], cache["CMAKE_GENERATOR"],
                     cache.get("HEADOPT_SANITIZE") == "ON")  # fmt: skip


def flatten_head(pooled=True, name="fc"):
    """A Flatten head whose weight does not vary over the map, or does."""
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        "g (float[N,16,4,4] x) => (float[N,5] y) {\n"
        "  r = Relu (x)\n"
        "  f = Flatten (r)\n"
        f"  [{name}] y = Gemm <transB = 1> (f, w)\n}}"
    )
    random = np.random.default_rng(5)
    weight = random.normal(size=(5, 16, 1) if pooled else (5, 16, 16))
    weight = np.broadcast_to(weight, (5, 16, 16)).reshape(5, 256)
    model.graph.initializer.append(
        numpy_helper.from_array(weight.astype(np.float32), "w")
    )
    return model
