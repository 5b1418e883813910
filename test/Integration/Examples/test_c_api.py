# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C interface, through examples/c-api, in a process that has ONNX and protobuf
of its own: this one, or one that the test starts.
"""

import ctypes
import importlib.util
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from conftest import flatten_head
from onnx import numpy_helper

import headopt

PROGRAM = headopt.REPOSITORY / "examples" / "c-api" / "pool_heads.py"


def run_program(installed, *arguments):
    return subprocess.run(
        [sys.executable, str(PROGRAM), "--library", str(installed.library),
         *map(str, arguments)],
        capture_output=True, text=True, timeout=120, env=installed.environment(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("pool_heads", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def library(installed, example):
    if installed.sanitize:
        pytest.skip("Python is not sanitised; the tests of the program cover that")
    return example.load(str(installed.library))


def tool(model, output, *options):
    done = subprocess.run(
        [str(headopt.TOOL), str(model), "-o", str(output), "--quiet", *options],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return output.read_bytes()


def test_the_example(installed, tmp_path):
    model, output = tmp_path / "m.onnx", tmp_path / "out.onnx"
    onnx.save(flatten_head(), model)
    done = run_program(installed, model, output)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].strip() == "fc: rewritten"
    assert done.stdout.splitlines()[1].startswith("1 rewritten, ")
    assert output.read_bytes() == tool(model, tmp_path / "tool.onnx")


def test_the_example_says_what_is_wrong(installed, tmp_path):
    done = run_program(installed, tmp_path / "none.onnx", tmp_path / "out.onnx")
    assert done.returncode == 1 and "No such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_files_and_report(library, example, tmp_path):
    path, output, report = (tmp_path / n for n in ("m.onnx", "out.onnx", "r.json"))
    onnx.save(flatten_head(), path)
    expected = tool(path, output, f"--report={report}")
    output.unlink()
    with example.Model(library, path=path) as model:
        assert model.optimize() == 1
        before = model.report()
        assert before["output"] is None and before["bytes_after"] is None
        model.export(output)
        assert model.report() == json.loads(report.read_text("utf-8"))
        assert model.to_bytes() == output.read_bytes() == expected
        text = model.to_bytes(example.TEXT)
    assert text == tool(path, tmp_path / "out.onnxtxt")
    with example.Model(library, data=text, format=example.TEXT) as model:
        assert model.optimize() == 0
        assert [h["verdict"] for h in model.report()["heads"]] == ["pooled"]


@pytest.mark.parametrize("to_file", (False, True))
def test_unchanged_models_keep_their_bytes(library, example, tmp_path, to_file):
    # A field that ONNX does not know, at the end, would not survive otherwise.
    data = flatten_head(pooled=False).SerializeToString() + b"\x98\x3f\x01"
    with example.Model(library, data=data) as model:
        assert model.optimize() == 0
        if to_file:
            model.export(tmp_path / "out.onnx")
        result = (tmp_path / "out.onnx").read_bytes() if to_file else model.to_bytes()
    assert result == data


def test_a_file_is_replaced_by_what_is_made_of_it(library, example, tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save(flatten_head(), path)
    expected = tool(path, tmp_path / "out.onnx")
    with example.Model(library, path=path) as model:
        model.optimize()
        model.export(path)
    assert path.read_bytes() == expected


def external(folder):
    path = folder / "m.onnx"
    onnx.save_model(flatten_head(), path, save_as_external_data=True,
                    location="m.data", size_threshold=0)  # fmt: skip
    return path


def test_external_data(library, example, tmp_path):
    path = external(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with example.Model(library, data=path.read_bytes(), path=path) as model:
        assert model.optimize() == 1
        model.export(tmp_path / "elsewhere" / "out.onnx")
    weight = onnx.load(tmp_path / "elsewhere" / "out.onnx").graph.initializer[0]
    assert numpy_helper.to_array(weight).shape == (5, 16)
    path = external(tmp_path)
    with pytest.raises(example.Error, match="'/nowhere/m.data' is missing"):
        example.Model(library, data=path.read_bytes(), path="/nowhere/m.onnx")


def test_flags(library, example):
    model = flatten_head()
    model.graph.input.append(
        onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [5, 256])
    )
    data = model.SerializeToString()
    for flags, count in ((0, 0), (example.CONSTANT_INITIALIZERS, 1)):
        with example.Model(library, data=data) as model:
            assert model.optimize(flags | example.VERIFY) == count
    data = flatten_head(pooled=False).SerializeToString()
    for flags, known in ((0, True), (example.NO_RESIDUAL, False)):
        with example.Model(library, data=data) as model:
            model.optimize(flags)
            head = model.report()["heads"][0]
            assert (head["residual"] is not None) == known


def test_errors_are_one_line(library, example, tmp_path):
    truncated = flatten_head().SerializeToString()[:-7]
    (tmp_path / "cut.onnx").write_bytes(truncated)
    for arguments, message in [
        ({"path": tmp_path / "none.onnx"}, "none.onnx: No such file or directory"),
        ({"path": tmp_path}, ": is a directory; name the model in it"),
        ({"path": tmp_path / "cut.onnx"}, "cut.onnx: "),
        ({"data": truncated}, "<memory>: "),
        ({"data": truncated, "path": "a\nb.onnx"}, "a b.onnx: "),
        ({"data": b""}, "<memory>: is empty"),
        ({"data": b"x", "format": 7}, "there is no format 7"),
        ({}, "no path was given"),
    ]:
        with pytest.raises(example.Error) as caught:
            example.Model(library, **arguments)
        text = str(caught.value)
        assert message in text and "\n" not in text, text


def test_misuse(library, example, tmp_path):
    data = flatten_head().SerializeToString()
    with example.Model(library, data=data) as model:
        with pytest.raises(example.Error, match="optimise it first"):
            model.report()
        with pytest.raises(example.Error, match="no flags 40"):
            model.optimize(64)
        assert model.optimize() == 1
        with pytest.raises(example.Error, match="optimised already"):
            model.optimize()
        with pytest.raises(example.Error, match="end it in .onnx or .onnxtxt"):
            model.export(tmp_path / "out.tflite")
        with pytest.raises(example.Error, match="cannot write '.*nowhere"):
            model.export(tmp_path / "nowhere" / "out.onnx")
        with pytest.raises(example.Error, match="there is no format -1"):
            model.to_bytes(-1)
        # None of that spoilt it.
        assert len(model.to_bytes()) < len(data)
    assert not list(tmp_path.iterdir())


def test_nulls(library, example):
    error = ctypes.c_void_p()
    ref = ctypes.byref(error)

    def message():
        text = ctypes.string_at(error.value).decode()
        library.headoptFree(error)
        return text

    assert library.headoptModelImportFile(None, ref) is None
    assert message() == "no path was given"
    assert library.headoptModelImportMemory(None, 3, 0, b"m", ref) is None
    assert message() == "m: no bytes were given"
    assert library.headoptModelOptimize(None, 0, ref) == 1
    assert message().startswith("there is no model")
    assert library.headoptModelGetReport(None, ref) is None
    assert message().startswith("there is no model")
    assert library.headoptModelExportFile(None, b"a.onnx", ref) == 1
    assert message().startswith("there is no model")
    assert library.headoptModelGetNumRewritten(None) == 0
    library.headoptModelDestroy(None)
    library.headoptFree(None)
    # Nobody has to listen to errors.
    assert library.headoptModelImportFile(b"/nowhere/m.onnx", None) is None
    with example.Model(library, data=flatten_head().SerializeToString()) as model:
        assert library.headoptModelExportFile(model.handle, None, ref) == 1
        assert message() == "no path was given"
        size = ctypes.c_size_t(7)
        assert library.headoptModelExportMemory(
            model.handle, 0, None, ctypes.byref(size), ref)  # fmt: skip
        assert message().startswith("there is no place") and size.value == 0


def test_onnx_of_this_process_is_not_disturbed(library, example):
    """Both ONNX libraries and both protobufs work, one after the other."""
    x = np.random.default_rng(1).normal(size=(2, 16, 4, 4)).astype(np.float32)

    def answer(data):
        session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x})[0]

    for _ in range(3):
        before = flatten_head()
        inferred = onnx.shape_inference.infer_shapes(before, strict_mode=True)
        assert [v.name for v in inferred.graph.value_info] == ["r", "f"]
        with example.Model(library, data=before.SerializeToString()) as model:
            assert model.optimize(example.VERIFY) == 1
            data = model.to_bytes()
        after = onnx.load_from_string(data)
        onnx.checker.check_model(after, full_check=True)
        np.testing.assert_allclose(
            answer(data), answer(before.SerializeToString()), rtol=1e-4, atol=1e-5
        )
        with pytest.raises(onnx.checker.ValidationError):
            onnx.checker.check_model(onnx.ModelProto())


def test_another_library_on_the_same_protobuf(installed, tmp_path):
    """Protobuf ends a process in which two libraries bring the same message."""
    proto = (Path(onnx.__file__).parent / "onnx-ml.proto").read_text("utf-8")
    # With descriptions, as C++ has them; the package leaves them out.
    proto = proto.replace("option optimize_for = LITE_RUNTIME;", "")
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "onnx-ml.proto").write_text(proto, "utf-8")
    for command in (
        ["protoc", "--cpp_out=.", "onnx/onnx-ml.proto"],
        ["c++", "-O0", "-fPIC", "-shared", "-I.", "onnx/onnx-ml.pb.cc", "-lprotobuf",
         "-o", "libother.so"],
    ):  # fmt: skip
        subprocess.run(command, check=True, cwd=tmp_path)
    for first, second in ((tmp_path / "libother.so", installed.library),
                          (installed.library, tmp_path / "libother.so")):  # fmt: skip
        script = f"import ctypes\nfor p in {[str(first), str(second)]}: ctypes.CDLL(p)"
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True,
            env=installed.environment(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_threads(library, example):
    """Threads with models of their own get what one thread gets."""

    def work(i):
        data = flatten_head(pooled=i % 3 != 0, name=f"fc{i}").SerializeToString()
        with example.Model(library, data=data) as model:
            model.optimize(example.VERIFY)
            return model.to_bytes(), model.report()

    alone = [work(i) for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(24))) == alone


def test_version(library):
    text = (headopt.REPOSITORY / "CMakeLists.txt").read_text("utf-8")
    assert f"VERSION {library.headoptVersion().decode()} " in text


def test_the_binding_has_all_functions(library, example):
    header = (
        headopt.REPOSITORY / "include" / "headopt-c" / "HeadOpt.h"
    ).read_text("utf-8")  # fmt: skip
    for name in set(re.findall(r"\b(headopt[A-Z]\w*)\(", header)):
        assert getattr(library, name).argtypes is not None, name
