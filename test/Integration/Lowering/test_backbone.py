# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A model cut in two at its feature map: what ``--emit-backbone`` writes, followed by
what ``outline-head`` leaves, answers as the whole model does.

Both parts are ONNX models here, so that ONNX Runtime judges them; the head's lowering
has tests of its own.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import headopt
from headopt import COLLAPSE, DENSE, F16, PLACE, Graph, OnnxRuntime, Reference
from headopt import load, make_head, passes_checker, wide

sys.path.append(str(Path(__file__).resolve().parents[1] / "Exporters"))
import corpus  # noqa: E402

# Models without a head that can be outlined, and what the error says.
NO_HEAD = "the model has no head: no map is averaged"
REFUSED = {
    "ortquant_dynS8pc-13-tf2onnx_flatten_dense-dyn.onnx": "(DynamicQuantizeLinear) is",
    "ortquant_dynS8pc-13-tf2onnx_flatten_dense_uniform-static.onnx": "no product of fl",
    "ortquant_dynS8pc-18-torchDY_expand7-dyn.onnx": "is no product of floating point",
    "ortquant_dynS8pc-18-torchDY_flatten_nn-static.onnx": "(DynamicQuantizeLinear) is",
    "ortquant_dynU8-13-torchTS_flatten_nn-static.onnx": "(DynamicQuantizeLinear) is",
    "ortquant_dynU8-13-torchTS_up_nearest_scale-static.onnx": "no product of floating",
    "ortquant_dynU8-18-torchDY_flatten_nn_uniform-dyn.onnx": "no product of floating",
    "ortquant_qop-13-tf2onnx_flatten_dense-static.onnx": "(QGemm) is not among",
    "ortquant_qop-13-tf2onnx_gap_dense-dyn.onnx": NO_HEAD,
    "ortquant_qop-13-torchTS_up_nearest_scale-static.onnx": "(QGemm) is not among",
    "ortquant_qop-13-torchTS_view_size0_m1-static.onnx": "(QGemm) is not among",
    "ortquant_qop-18-torchDY_expand7-dyn.onnx": "(QGemm) is not among",
    "ortquant_qop-18-torchDY_flatten_nn_uniform-static.onnx": "(QGemm) is not among",
    "pnet.onnx": NO_HEAD,
    "torchDY-23-aap7_from7_vgg_uniform-dyn.onnx": "pools windows that are not the whole",
    "tf2onnx-18-gmp_dense-dyn.onnx": NO_HEAD,
    "tf2onnx-18-gmp_dense-static.onnx": NO_HEAD,
    "torchDY-18-aap7_from1_vgg-dyn_keep_initializers_as_inputs.onnx": "also a graph in",
    "torchDY-18-flatten_weightnorm-dyn_optimize.onnx": "has a weight that is not const",
    "torchDY-18-gmp_amax-dyn.onnx": NO_HEAD,
    "torchDY-18-gmp_amax-static.onnx": NO_HEAD,
    "torchDY-23-einsum_nchw_kchw-dyn.onnx": "(Einsum) is not among the operators",
    "torchTS-11-reshape_n_prod-static_keep_initializers_as_inputs.onnx": "also a graph",
    "torchTS-13-expand7-dyn_export_params.onnx": "which callers give",
    "torchTS-13-flatten_dropout_fc-static_export_params.onnx": "which callers give",
    "torchTS-13-flatten_dropout_fc_TRAIN-static.onnx": "is in training mode",
    "torchTS-13-flatten_weightnorm-static_do_constant_folding.onnx": "not constant",
    "torchTS-13-nhwc_permute_flatten-static_export_params.onnx": "which callers give",
    "torchTS-13-reshape_n_prod-dyn_export_params.onnx": "which callers give",
    "torchTS-13-reshape_n_prod-static_export_params.onnx": "which callers give",
    "torchTS-13-view_size0_m1-dyn_export_params.onnx": "which callers give",
    "torchTS-17-einsum_nchw_kchw-dyn.onnx": "(Einsum) is not among the operators",
    "torchTS-17-flatten_l2norm_fc-dyn.onnx": "(ReduceL2) is not among the operators",
    "torchTS-17-gmp_amax-dyn.onnx": NO_HEAD,
    "torchTS-17-gmp_amax-static.onnx": NO_HEAD,
}

# Heads that do not reach the graph's output, and the value they end with: the dense
# layer behind the mean is quantised, or another head comes after.
ENDS_EARLY = {
    "ortquant_dynS8pc-18-torchDY_gap_mean23-dyn.onnx": "mean",
    "ortquant_dynU8-13-tf2onnx_gap_dense-static.onnx": "functional_19_1/"
    "global_average_pooling2d_5_1/Mean_Squeeze__4264:0",
    "ortquant_qop-18-torchDY_gap_mean23-dyn.onnx": "mean",
}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    return corpus.unpack(tmp_path_factory.mktemp("models"))


def call(*arguments, rc=0):
    done = headopt.invoke([*arguments, "--quiet"])
    assert done.returncode == rc, done.stderr
    return done.stderr


def split(source, folder, *flags, ending=".onnx"):
    """(backbone, head) of the model in ``source``."""
    backbone, head = folder / f"backbone{ending}", folder / "head.onnx"
    call(source, f"--emit-backbone={backbone}", *flags)
    outline = "outline-head"
    if "--constant-initializers" in flags:
        outline += "{constant-initializers}"
    call(
        source,
        f"--pass-pipeline=builtin.module(flatten-to-gap,{outline})",
        "-o",
        head,
        *flags,
    )
    return onnx.load(backbone), onnx.load(head)


def assert_sound(whole, backbone, head):
    """Both parts are models that fit each other, and hold nothing without a use."""
    full = passes_checker(whole)
    for part in (backbone, head):
        onnx.checker.check_model(part, full_check=full)
    [map], [result] = head.graph.input, head.graph.output
    outputs = [o.name for o in backbone.graph.output]
    assert map.name in outputs
    assert map.type == backbone.graph.output[outputs.index(map.name)].type
    old = set(headopt.dead_values(whole))
    assert not set(headopt.dead_values(backbone)) - old
    assert not headopt.dead_values(head)
    names = {o for n in backbone.graph.node for o in n.output}
    assert {v.name for v in backbone.graph.value_info} <= names | {
        v.name for v in whole.graph.value_info
    } - {o for n in whole.graph.node for o in n.output}
    assert map.name not in {v.name for v in backbone.graph.value_info}
    kept = {i.name for i in backbone.graph.input}
    read = {i for n in backbone.graph.node for i in n.input} | set(outputs)
    unread = {i.name for i in whole.graph.input} - {
        i for n in whole.graph.node for i in n.input
    }
    assert kept <= read | unread
    return map.name, result.name


def assert_fits(whole, backbone, head, feeds, loose=1.0):
    map, result = assert_sound(whole, backbone, head)
    kinds = [
        k
        for k in (OnnxRuntime, Reference)
        if load(k, headopt.with_outputs(whole, [result]))
    ][:1]
    assert kinds, "no runtime takes the model"
    [kind] = kinds
    wanted = kind(headopt.with_outputs(whole, [result]))(feeds)[result]
    kept = {i.name for i in backbone.graph.input}
    there = kind(backbone)({k: v for k, v in feeds.items() if k in kept})
    found = kind(head)({map: there[map]})[result]
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    # Sums of a few hundred products, in another order where the head was pooled or
    # its mean spelled anew. A cut at the wrong value is off by a factor.
    eps = headopt.type_of(wanted).eps * loose
    bound = 64 * eps * max(1.0, np.abs(wide(wanted)).max())
    assert np.abs(wide(found) - wide(wanted)).max() <= bound


def has_halves(model):
    return any(
        v.type.tensor_type.elem_type == F16.onnx for v in model.graph.value_info
    ) or any(i.data_type == F16.onnx for i in model.graph.initializer)


@pytest.mark.parametrize("file", [f for f in corpus.EXPECTED if f not in REFUSED])
def test_exporters(models, tmp_path, file):
    whole = onnx.load(models / file)
    backbone, head = split(models / file, tmp_path)
    assert len(backbone.graph.output) == 1
    ends = [o.name for o in whole.graph.output]
    assert head.graph.output[0].name in [ENDS_EARLY.get(file)] + (
        [] if file in ENDS_EARLY else ends
    )
    feeds = corpus.feeds_of(whole, corpus.EXPECTED[file]["inputs"], seed=1)
    # Inside, 16 bits have their own rounding, whatever the output's type is.
    assert_fits(whole, backbone, head, feeds, 2.0**13 if has_halves(whole) else 1.0)


@pytest.mark.parametrize("file", REFUSED)
def test_refused(models, tmp_path, file):
    for said in (
        call(models / file, f"--emit-backbone={tmp_path / 'b.onnx'}", rc=1),
        call(
            models / file,
            "--flatten-to-gap",
            "--outline-head",
            "-o",
            tmp_path / "h.onnx",
            rc=1,
        ),
    ):
        [line] = said.splitlines()
        assert line.startswith(f"head-opt: error: {models / file}: ")
        assert REFUSED[file] in line
    assert not list(tmp_path.iterdir())


def by_hand(folder, head):
    source = folder / "model.onnx"
    onnx.save(head.model, source)
    backbone, rest = split(source, folder)
    for _, feeds in headopt.make_feeds(head.model, seeds=(1,)):
        assert_fits(head.model, backbone, rest, feeds)
    return backbone, rest


def relu(g, s):
    return g.node("Relu", [g.input("x", [s.batch, *s.extents])], "map")


@pytest.mark.parametrize("vary", [(1,), (1, 2, 3)], ids=["pooled", "flattened"])
@pytest.mark.parametrize("batch", ["N", 3])
@pytest.mark.parametrize("collapse", COLLAPSE)
def test_collapse(tmp_path, collapse, batch, vary):
    if batch == "N" and COLLAPSE[collapse][2] != "any":
        pytest.skip("it names the batch")
    head = make_head(
        collapse=collapse,
        batch=batch,
        vary=vary,
        opset=max(17, COLLAPSE[collapse][1]),
        perm=(0, 2, 3, 1) if collapse == "perm" else None,
        front=relu,
    )
    backbone, rest = by_hand(tmp_path, head)
    # What acts on each element before the map is flattened is left to the backbone.
    nodes = [n.op_type for n in backbone.graph.node]
    assert nodes[0] == "Relu" and set(nodes) <= {"Relu", "Identity", "Cast"}
    # Extents stay as dynamic as they were.
    dims = rest.graph.input[0].type.tensor_type.shape.dim
    assert (dims[0].dim_param or dims[0].dim_value) == batch
    assert [d.dim_value for d in dims[1:]] == list(head.spec.extents)


@pytest.mark.parametrize("dense", DENSE)
def test_dense(tmp_path, dense):
    by_hand(tmp_path, make_head(dense=dense, vary=(1, 2, 3), front=relu))


@pytest.mark.parametrize("place", PLACE)
def test_place(tmp_path, place):
    opset = max(17, PLACE[place][1])
    by_hand(tmp_path, make_head(place=place, opset=opset, vary=(1, 2, 3)))


def test_map_is_the_input(tmp_path):
    backbone, _ = by_hand(tmp_path, make_head(vary=(1, 2, 3)))
    assert not backbone.graph.node
    assert backbone.graph.input[0] == backbone.graph.output[0]


# ----------------------------------------------------------------------------
# What the file says
# ----------------------------------------------------------------------------


def make_rich():
    """A model that says more than nodes: documents, metadata, a function for each
    part, data that nothing uses.
    """
    g = Graph(17, name="rich")
    x = g.input("x", ["N", 3, 4, 4])
    k = g.init(np.ones((2, 3, 1, 1), np.float32), "k")
    g.init(np.ones(3, np.float32), "idle")
    c = g.node("Conv", [x, k], "c", name="conv")
    m = g.node("act", [c], "map", domain="d")
    f = g.node("Flatten", [m], "f", axis=1)
    w = np.arange(32 * 5, dtype=np.float32).reshape(32, 5) / 100
    y = g.node("MatMul", [f, g.init(w, "w")], "y")
    g.node("behind", [y], "z", domain="d")
    g.output("z", ["N", 5])
    g.imports.append(("d", 1))
    opsets = [helper.make_opsetid("", 17)]
    for name, op in (("act", "Relu"), ("behind", "Neg"), ("idle", "Abs")):
        node = helper.make_node(op, ["a"], ["b"])
        g.functions.append(
            helper.make_function("d", name, ["a"], ["b"], [node], opsets)
        )
    model = g.model()
    model.doc_string, model.producer_name = "a model", "me"
    model.graph.doc_string = "a graph"
    model.metadata_props.add(key="author", value="me")
    info = helper.make_tensor_value_info("map", 1, ["N", 2, 4, 4], "the map")
    model.graph.value_info.extend(
        [helper.make_tensor_value_info("c", 1, ["N", 2, 4, 4]), info]
        + [helper.make_tensor_value_info("f", 1, ["N", 32])]
    )
    return model


def test_nothing_else_is_lost(tmp_path):
    whole = make_rich()
    source = tmp_path / "rich.onnx"
    onnx.save(whole, source)
    call(source, f"--emit-backbone={tmp_path / 'b.onnx'}")
    found = onnx.load(tmp_path / "b.onnx")
    wanted = onnx.ModelProto()
    wanted.CopyFrom(whole)
    graph = wanted.graph
    del graph.node[2:], graph.output[:]
    graph.output.append(graph.value_info[1])
    del graph.value_info[1:]
    keep = [i for i in graph.initializer if i.name in ("k", "idle")]
    del graph.initializer[:]
    graph.initializer.extend(keep)
    functions = [f for f in wanted.functions if f.name != "behind"]
    del wanted.functions[:]
    wanted.functions.extend(functions)
    assert found == wanted


def test_warns_of_lost_outputs(tmp_path):
    onnx.save(make_rich(), tmp_path / "rich.onnx")
    said = call(tmp_path / "rich.onnx", f"--emit-backbone={tmp_path / 'b.onnx'}")
    [line] = said.splitlines()
    assert line.startswith("head-opt: warning: ") and "the output 'z'" in line


def test_text(tmp_path):
    head = make_head(vary=(1, 2, 3), front=relu)
    onnx.save(head.model, tmp_path / "model.onnx")
    text = tmp_path / "b.onnxtxt"
    call(tmp_path / "model.onnx", f"--emit-backbone={text}")
    backbone = onnx.parser.parse_model(text.read_text())
    assert backbone.graph.output[0].name == "map"


def test_beside_an_output(tmp_path):
    head = make_head(front=relu)
    onnx.save(head.model, tmp_path / "model.onnx")
    call(
        tmp_path / "model.onnx",
        f"--emit-backbone={tmp_path / 'b.onnx'}",
        "-o",
        tmp_path / "out.onnx",
    )
    assert onnx.load(tmp_path / "out.onnx").graph.output[0].name == "y"
    assert onnx.load(tmp_path / "b.onnx").graph.output[0].name == "map"


@pytest.mark.parametrize("folder", [".", "elsewhere"])
def test_external_data(tmp_path, folder):
    """Weights of the backbone outside the file; those of the head do not come along."""
    g = Graph(17)
    x = g.input("x", ["N", 16, 3, 3])
    k = np.random.RandomState(0).standard_normal((64, 16, 1, 1)).astype(np.float32)
    m = g.node("Conv", [x, g.init(k, "k")], "map")
    w = np.random.RandomState(1).standard_normal((576, 5)).astype(np.float32)
    f = g.node("Flatten", [m], axis=1)
    g.node("MatMul", [f, g.init(w, "w")], "y")
    g.output("y", ["N", 5])
    model = g.model()
    source = tmp_path / "model.onnx"
    onnx.save(
        model, source, save_as_external_data=True, location="w.bin", size_threshold=0
    )
    (tmp_path / folder).mkdir(exist_ok=True)
    target = tmp_path / folder / "b.onnx"
    call(source, f"--emit-backbone={target}")
    backbone = onnx.load(target)
    [weight] = backbone.graph.initializer
    assert (numpy_helper.to_array(weight) == k).all()


def test_data_outside_is_kept(tmp_path):
    """No output replaces the file that holds a model's weights, nor, of an MLIR
    file, the model that holds them; but for that model itself.
    """
    model = make_head(vary=(1, 2, 3), front=relu).model
    weights = tmp_path / "weights.bin"
    onnx.save(
        model, tmp_path / "m.onnx", save_as_external_data=True,
        location=weights.name, size_threshold=0,
    )  # fmt: skip
    (tmp_path / "link").symlink_to(weights)
    call(tmp_path / "m.onnx", "--no-rewrite", "-o", tmp_path / "m.mlir")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for source, *arguments in (
        ("m.onnx", "--emit=onnx", "-o", "weights.bin"),
        ("m.onnx", "--emit=onnx", "-o", "link"),
        ("m.onnx", "--report=weights.bin"),
        ("m.onnx", "-o", "head.o", "--emit-header=link"),
        ("m.mlir", "-o", "head.o", "--emit-header=weights.bin"),
    ):
        done = headopt.invoke([source, *arguments, "--quiet"], cwd=tmp_path)
        assert done.returncode == 2, done
        [line] = done.stderr.splitlines()
        assert " would replace the model's data '" in line, line
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    # Back to where it came from.
    call(tmp_path / "m.mlir", "-o", tmp_path / "m.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "m.onnx"))


@pytest.mark.parametrize("ir", [3, 8])
def test_initializers_that_are_inputs(tmp_path, ir):
    """Before IR version 4 they are constants; later only if the user says so."""
    g = Graph(8, ir=ir)
    m = g.node("Relu", [g.input("x", ["N", 2, 3, 3])], "map")
    w = np.random.RandomState(1).standard_normal((18, 5)).astype(np.float32)
    f = g.node("Flatten", [m], axis=1)
    g.node("MatMul", [f, g.init(w, "w", overridable=True)], "y")
    g.output("y", ["N", 5])
    model = g.model()
    source = tmp_path / "model.onnx"
    onnx.save(model, source)
    if ir >= 4:
        said = call(source, f"--emit-backbone={tmp_path / 'b.onnx'}", rc=1)
        assert "constant-initializers" in said
    flags = ["--constant-initializers"] if ir >= 4 else []
    backbone, head = split(source, tmp_path, *flags)
    assert [i.name for i in backbone.graph.input] == ["x"]
    x = np.random.RandomState(2).standard_normal((3, 2, 3, 3)).astype(np.float32)
    assert_fits(model, backbone, head, {"x": x})


# ----------------------------------------------------------------------------
# Usage
# ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, flags, what",
    [
        ("model.onnx", ["--emit-backbone=b.mlir"], "end it in .onnx or .onnxtxt"),
        ("model.onnx", ["--emit-backbone=b.onnx", "-o", "b.onnx"], "different files"),
        ("model.mlir", ["--emit-backbone=b.onnx"], "takes ONNX models"),
    ],
)
def test_usage(tmp_path, name, flags, what):
    onnx.save(make_head().model, tmp_path / "model.onnx")
    (tmp_path / "model.mlir").write_text("module {}\n")
    done = headopt.invoke([name, *flags], cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("head-opt: error: ") and what in line
    assert not (tmp_path / "b.onnx").exists()
