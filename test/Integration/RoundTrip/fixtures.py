# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small models, each of which holds one thing that a round trip could lose.

FIXTURES lists them. A fixture builds its ModelProto on demand and brings the
external data files the model names. It also says when the ONNX checker refuses
the model although files like it exist; test_roundtrip.py holds it to that.

WIRE_FORMS lists byte strings: models whose encoding is legal but not the one
that protobuf itself would write.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import struct
from collections.abc import Callable

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, helper

FLOAT = TensorProto.FLOAT
INT64 = TensorProto.INT64
BOOL = TensorProto.BOOL

# raw_data of this many bytes and more is referenced, not copied, in MLIR text.
LARGE = 1024


@dataclasses.dataclass(frozen=True)
class Fixture:
    """One model and what is known about it."""

    name: str
    build: Callable[[], ModelProto]
    # Why onnx.checker refuses the model; empty where it accepts it.
    refused_by_checker: str = ""
    # Some list of nodes is not in topological order.
    unsorted: bool = False
    # ONNX's text format holds the model, once read back, without further loss.
    onnx_text: bool = False
    # External data: file name, relative to the model, and content.
    files: Callable[[], dict[str, bytes]] = dict

    def write(self, folder, file_name: str = "model.onnx"):
        """Puts the model and its data files into a folder; returns the model's path."""
        for name, content in self.files().items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        path = folder / file_name
        path.write_bytes(self.build().SerializeToString())
        return path


FIXTURES: list[Fixture] = []


def fixture(**facts):
    """Registers a function that builds a model; its name is the fixture's."""

    def register(build):
        FIXTURES.append(Fixture(build.__name__, build, **facts))
        return build

    return register


def by_name(name: str) -> Fixture:
    return next(f for f in FIXTURES if f.name == name)


# ---------------------------------------------------------------------------
# Building blocks
# ---------------------------------------------------------------------------


def pattern(size: int, step: int = 37, start: int = 11) -> bytes:
    """Bytes without a short period, the same in every run."""
    return bytes((start + step * i + i // 251) & 255 for i in range(size))


def value(name: str, dims=("N", 2), element_type: int = FLOAT):
    return helper.make_tensor_value_info(name, element_type, dims)


def bare_value(name: str):
    """A ValueInfoProto with a name and nothing else, as subgraphs often have."""
    info = onnx.ValueInfoProto()
    info.name = name
    return info


def raw_tensor(name: str, element_type: int, dims, data: bytes) -> TensorProto:
    tensor = TensorProto()
    tensor.dims.extend(dims)
    tensor.data_type = element_type
    tensor.name = name
    tensor.raw_data = data
    return tensor


def raw_floats(name: str, dims, values=None) -> TensorProto:
    count = math.prod(dims)
    values = [0.5 * i - 3 for i in range(count)] if values is None else values
    return raw_tensor(name, FLOAT, dims, struct.pack(f"<{count}f", *values))


def raw_int64s(name: str, dims, values) -> TensorProto:
    return raw_tensor(name, INT64, dims, struct.pack(f"<{len(values)}q", *values))


def raw_bool(name: str, truth: bool) -> TensorProto:
    return raw_tensor(name, BOOL, (), b"\1" if truth else b"\0")


def large_floats(name: str, rows: int = 24, columns: int = 16) -> TensorProto:
    return raw_floats(name, (rows, columns), [((7 * i) % 101) * 0.25 - 9 for i in range(rows * columns)])


def external_tensor(name: str, element_type: int, dims, **entries) -> TensorProto:
    """A tensor whose bytes are elsewhere; the entries keep the order given."""
    tensor = TensorProto()
    tensor.dims.extend(dims)
    tensor.data_type = element_type
    tensor.name = name
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in entries.items():
        entry = tensor.external_data.add()
        entry.key = key
        entry.value = str(text)
    return tensor


def graph(nodes=(), inputs=(), outputs=(), initializers=(), name="main_graph", **more) -> GraphProto:
    return helper.make_graph(list(nodes), name, list(inputs), list(outputs), initializer=list(initializers), **more)


def model(main: GraphProto, *domains, ir: int = 10, opset: int | None = 21) -> ModelProto:
    """A model without producer or version; domains are further (name, version) pairs."""
    built = ModelProto()
    built.ir_version = ir
    built.graph.CopyFrom(main)
    for domain, version in ([("", opset)] if opset is not None else []) + list(domains):
        wanted = built.opset_import.add()
        wanted.domain = domain
        wanted.version = version
    return built


EXAMPLE = ("com.example", 1)


def hold(*attributes: AttributeProto, name: str = "hold", inputs=("x",), outputs=("y",)) -> NodeProto:
    """A node of an unknown domain that carries attributes."""
    node = helper.make_node("Hold", list(inputs), list(outputs), name=name, domain="com.example")
    node.attribute.extend(attributes)
    return node


def holder(*attributes: AttributeProto, **more) -> ModelProto:
    return model(graph([hold(*attributes)], [value("x")], [value("y")]), EXAMPLE, **more)


def attribute(name: str, kind: str, **content) -> AttributeProto:
    """An AttributeProto with exactly the fields given, lists included."""
    built = AttributeProto()
    built.name = name
    built.type = AttributeProto.AttributeType.Value(kind)
    for field, given in content.items():
        if isinstance(given, (list, tuple, range)):
            getattr(built, field).extend(given)
        elif hasattr(given, "CopyFrom"):
            getattr(built, field).CopyFrom(given)
        else:
            setattr(built, field, given)
    return built


def props(message, **entries) -> None:
    """Adds metadata_props to any message that has them."""
    for key, text in entries.items():
        entry = message.metadata_props.add()
        entry.key = key
        entry.value = text


def add_to(text_entries, *pairs) -> None:
    for key, text in pairs:
        entry = text_entries.add()
        entry.key = key
        entry.value = text


def head_nodes() -> list[NodeProto]:
    """Flatten and a dense layer: something a rewrite would look at."""
    return [
        helper.make_node("Flatten", ["x"], ["flat"], name="flatten", axis=1),
        helper.make_node("Gemm", ["flat", "w", "b"], ["y"], name="dense", transB=1),
    ]


def head(w: TensorProto | None = None, **more) -> ModelProto:
    w = w if w is not None else raw_floats("w", (3, 8))
    return model(
        graph(head_nodes(), [value("x", ("N", 2, 2, 2))], [value("y", ("N", 3))], [w, raw_floats("b", (3,))]), **more
    )


# ---------------------------------------------------------------------------
# Plain graphs
# ---------------------------------------------------------------------------


@fixture(onnx_text=True)
def plain_relu():
    return model(graph([helper.make_node("Relu", ["x"], ["y"])], [value("x")], [value("y")]))


@fixture()
def plain_head():
    return head()


@fixture(onnx_text=True)
def head_with_large_weight():
    return head(raw_floats("w", (3, 8 * 32)))


@fixture(onnx_text=True)
def uniform_head():
    """A head that the default pipeline would rewrite; --no-rewrite must not."""
    return head(raw_floats("w", (3, 8), [float(o + (k // 4)) for o in range(3) for k in range(8)]))


@fixture()
def empty_graph():
    return model(graph())


@fixture()
def graph_without_nodes():
    return model(graph([], [value("x")], [value("x")]))


@fixture()
def graph_without_inputs():
    node = helper.make_node("Constant", [], ["y"], value=raw_floats("", (2, 2)))
    return model(graph([node], [], [value("y", (2, 2))]))


@fixture()
def graph_without_outputs():
    return model(graph([helper.make_node("Relu", ["x"], ["y"])], [value("x")], []))


@fixture()
def initializer_as_output():
    return model(graph([], [], [value("w", (3,)), value("v", (2,))], [raw_floats("v", (2,)), raw_floats("w", (3,))]))


@fixture()
def large_initializer_as_output():
    return model(graph([], [], [value("w", (24, 16))], [large_floats("w")]))


@fixture(onnx_text=True)
def input_as_output():
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    return model(graph(nodes, [value("x"), value("z")], [value("z"), value("y"), value("x")]))


@fixture()
def same_value_twice_as_output():
    return model(graph([helper.make_node("Relu", ["x"], ["y"])], [value("x")], [value("y"), value("y"), value("x")]))


@fixture(onnx_text=True)
def inner_value_as_output():
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Abs", ["r"], ["y"])]
    return model(graph(nodes, [value("x")], [value("y"), value("r")]))


@fixture()
def unused_initializers():
    kept = [raw_floats("unused_first", (3,)), large_floats("unused_large"), raw_floats("w", (2,))]
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    return model(graph(nodes, [value("x")], [value("y")], [*kept, raw_int64s("unused_last", (0,), [])]))


@fixture()
def unused_nodes():
    nodes = [
        helper.make_node("Relu", ["x"], ["dead"]),
        helper.make_node("Abs", ["x"], ["y"]),
        helper.make_node("Abs", ["x"], ["the_same_again"]),
        helper.make_node("Constant", [], ["dead_constant"], value=raw_floats("", ())),
    ]
    return model(graph(nodes, [value("x")], [value("y")]))


@fixture()
def initializer_is_overridable():
    """IR 4 and later: an input with a default, listed in another order than the initialisers."""
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"])]
    inputs = [value("b", (3,)), value("x"), value("w", (2, 3))]
    return model(graph(nodes, inputs, [value("y", ("N", 3))], [raw_floats("w", (2, 3)), raw_floats("b", (3,))]))


@fixture(onnx_text=True)
def ir3_initializers_are_inputs():
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"])]
    inputs = [value("x"), value("w", (2, 3)), value("b", (3,))]
    built = graph(nodes, inputs, [value("y", ("N", 3))], [raw_floats("b", (3,)), raw_floats("w", (2, 3))])
    return model(built, ir=3, opset=9)


@fixture()
def ir3_large_initializer_is_input():
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    built = graph(nodes, [value("w", (24, 16)), value("x", ("N", 24))], [value("y", ("N", 16))], [large_floats("w")])
    return model(built, ir=3, opset=7)


@fixture()
def one_operand_twice():
    nodes = [helper.make_node("Add", ["x", "x"], ["s"]), helper.make_node("Sum", ["s", "x", "s", "s"], ["y"])]
    return model(graph(nodes, [value("x")], [value("y")]))


@fixture(onnx_text=True)
def many_results():
    names = [f"part_{i}" for i in range(70)]
    nodes = [helper.make_node("Split", ["x"], names, axis=0, num_outputs=70)]
    return model(graph(nodes, [value("x", (70, 2))], [value(names[69], (1, 2)), value(names[0], (1, 2))]))


@fixture()
def node_without_results():
    sink = helper.make_node("Print", ["x"], [], domain="com.example", name="sink")
    return model(graph([sink, helper.make_node("Relu", ["x"], ["y"])], [value("x")], [value("y")]), EXAMPLE)


@fixture(refused_by_checker="a node with neither inputs nor outputs")
def node_without_inputs_and_results():
    marker = helper.make_node("Marker", [], [], domain="com.example")
    return model(graph([marker, helper.make_node("Relu", ["x"], ["y"])], [value("x")], [value("y")]), EXAMPLE)


# ---------------------------------------------------------------------------
# Names, domains, presence of a field against its default
# ---------------------------------------------------------------------------

# Names that a text format, a symbol table or a map keyed by name could trip over.
ODD_NAMES = (
    "two words",
    ' "quoted" ',
    "'single'",
    "back\\slash",
    "ends with a backslash\\",
    "\\22escaped\\n",
    "new\nline",
    "carriage\rreturn\ttab",
    "ünï-çødé 漢字 🙂",
    "zero\u200bwidth \ufeff mark",
    "nul\0inside",
    "bell\x07 delete\x7f",
    "%0",
    "%arg0",
    "@main_graph",
    "^bb0",
    "#onnx.attr",
    "!onnx.type",
    "0",
    "-1",
    "1e5",
    " ",
    "//comment",
    "/* open",
    "{}[]()<>",
    "a:0",
    "/layer1/conv/Conv_output_0",
    "A",
    "a",
    "a_b",
    "a.b",
    "a-b",
    "true",
    "dense<0.0>",
    "main_graph",
    "none",
    "x" * 10_000,
)


@fixture()
def odd_value_and_node_names():
    nodes = []
    last = ODD_NAMES[0]
    for name in ODD_NAMES[1:]:
        nodes.append(helper.make_node("Relu", [last], [name], name=name))
        last = name
    return model(graph(nodes, [value(ODD_NAMES[0])], [value(last), value(ODD_NAMES[3])], name='odd "graph"\n%0 \\'))


@fixture()
def odd_input_output_and_initializer_names():
    inputs = [value("in " + name, ("batch " + name, 2)) for name in ODD_NAMES]
    weights = [raw_floats("w " + name, (2,)) for name in ODD_NAMES]
    nodes = [helper.make_node("Add", ["in " + name, "w " + name], ["out " + name]) for name in ODD_NAMES]
    return model(graph(nodes, inputs, [value("out " + name) for name in ODD_NAMES], weights))


@fixture()
def odd_operator_domain_and_attribute_names():
    names = [name for name in ODD_NAMES if len(name) < 1000]
    nodes = []
    for i, name in enumerate(names):
        node = helper.make_node(name, ["x"], [f"y{i}"], name=name, domain=name)
        node.attribute.extend([attribute(name, "INT", i=i), attribute(name + "'", "STRING", s=name.encode())])
        nodes.append(node)
    return model(graph(nodes, [value("x")], [value("y0")]), *((name, i) for i, name in enumerate(names)))


@fixture()
def odd_function_names():
    names = [name for name in ODD_NAMES if len(name) < 1000]
    functions, nodes = [], []
    for i, name in enumerate(names):
        body = helper.make_node("Selu", [name], ["out " + name], name=name)
        body.attribute.add(name="alpha", ref_attr_name=name, type=AttributeProto.FLOAT)
        made = helper.make_function(
            "domain " + name, name, [name], ["out " + name], [body], [helper.make_opsetid("", 21)], [name]
        )
        made.doc_string = name
        functions.append(made)
        call = helper.make_node(name, ["x"], [f"y{i}"], domain="domain " + name)
        call.attribute.append(attribute(name, "FLOAT", f=float(i)))
        nodes.append(call)
    built = model(graph(nodes, [value("x")], [value("y0")]), *(("domain " + name, 1) for name in names))
    built.functions.extend(functions)
    return built


@fixture()
def odd_free_text():
    built = plain_relu()
    for i, name in enumerate(ODD_NAMES):
        props(built, **{f"{name}{i}": name})
        props(built.graph.node[0], **{name: name})
    text = "\n".join(ODD_NAMES) + "\n\n  \t"
    built.doc_string = built.graph.doc_string = built.graph.node[0].doc_string = text
    built.producer_name = built.producer_version = built.domain = "odd \n\"'\\%@"
    return built


@fixture(onnx_text=True)
def number_names():
    """What older PyTorch exporters write: every value is named by a number."""
    nodes = [helper.make_node("Relu", [str(i)], [str(i + 1)]) for i in range(12)]
    return model(graph(nodes, [value("0")], [value("12")]))


@fixture()
def very_long_names():
    long = "layer/" * 20_000
    nodes = [helper.make_node("Relu", ["x" + long], ["y" + long], name=long)]
    return model(graph(nodes, [value("x" + long)], [value("y" + long)], name=long))


@fixture()
def nameless_nodes():
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    return model(graph(nodes, [value("x")], [value("y")]))


@fixture()
def one_name_for_all_nodes():
    nodes = [helper.make_node("Relu", ["x"], ["a"], name="n"), helper.make_node("Relu", ["a"], ["y"], name="n")]
    return model(graph(nodes, [value("x")], [value("y")]))


@fixture()
def node_named_like_a_value():
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="x"), helper.make_node("Relu", ["y"], ["z"], name="z")]
    return model(graph(nodes, [value("x")], [value("z")], name="x"))


@fixture()
def empty_strings_set_and_not_set():
    """Every optional string once absent and once set to the empty string."""
    absent = helper.make_node("Relu", ["x"], ["a"])
    empty = helper.make_node("Relu", ["a"], ["b"])
    empty.name = empty.domain = empty.doc_string = empty.overload = ""
    built = model(graph([absent, empty], [value("x")], [value("b")]), opset=None)
    built.graph.doc_string = built.graph.input[0].doc_string = ""
    built.doc_string = built.producer_name = built.producer_version = built.domain = ""
    built.model_version = 0
    built.opset_import.add().version = 21  # no domain
    props(built, empty="")
    built.metadata_props.add().key = "without a value"
    built.graph.metadata_props.add()
    return built


@fixture()
def tensor_fields_set_and_not_set():
    bare = raw_floats("bare", (2,))
    full = raw_floats("full", (2,))
    full.doc_string = ""
    full.data_location = TensorProto.DEFAULT
    empty_raw = raw_tensor("empty_raw", FLOAT, (0,), b"")
    no_data = raw_tensor("no_data", FLOAT, (0,), b"")
    no_data.ClearField("raw_data")
    unnamed = raw_floats("", (2,))
    unnamed.ClearField("name")
    named = raw_floats("named", (2,))
    named_empty = raw_floats("", (2,))
    nodes = [
        hold(
            attribute("unnamed", "TENSOR", t=unnamed),
            attribute("named", "TENSOR", t=named),
            attribute("named_empty", "TENSOR", t=named_empty),
        )
    ]
    return model(graph(nodes, [value("x")], [value("y")], [bare, full, empty_raw, no_data]), EXAMPLE)


@fixture()
def attribute_fields_set_and_not_set():
    """proto3 writers leave a zero out; proto2 writers do not."""
    made = [attribute(f"no_{kind}", kind) for kind in ("FLOAT", "INT", "STRING", "INTS", "GRAPHS", "TENSOR", "GRAPH")]
    made += [attribute("zero", "INT", i=0), attribute("zero_f", "FLOAT", f=0.0), attribute("empty", "STRING", s=b"")]
    made[0].doc_string = ""
    made[1].ref_attr_name = ""
    return holder(*made)


@fixture()
def type_fields_set_and_not_set():
    def info(name, **fields):
        made = onnx.ValueInfoProto(name=name)
        made.type.CopyFrom(TypeProto(**fields))
        return made

    tensor = TypeProto.Tensor
    empty_shape = onnx.TensorShapeProto()
    infos = [
        bare_value("no_type"),
        info("empty_type"),
        info("only_denotation", denotation="TENSOR"),
        info("empty_denotation", denotation="", tensor_type=tensor(elem_type=1)),
        info("no_element_type", tensor_type=tensor()),
        info("undefined_element", tensor_type=tensor(elem_type=0)),
        info("no_shape", tensor_type=tensor(elem_type=1)),
        info("scalar", tensor_type=tensor(elem_type=1, shape=empty_shape)),
        info("no_element_but_shape", tensor_type=tensor(shape=empty_shape)),
        info("empty_sequence", sequence_type=TypeProto.Sequence()),
        info("empty_map", map_type=TypeProto.Map()),
        info("empty_optional", optional_type=TypeProto.Optional()),
        info("empty_opaque", opaque_type=TypeProto.Opaque()),
        info("empty_sparse", sparse_tensor_type=TypeProto.SparseTensor()),
    ]
    nodes = [hold(outputs=[i.name for i in infos] + ["y"])]
    return model(graph(nodes, [value("x")], [value("y")], value_info=infos), EXAMPLE)


@fixture(onnx_text=True)
def unknown_domains():
    nodes = [
        helper.make_node("Thing", ["x"], ["a"], domain="com.example", name="thing", mode="fast"),
        helper.make_node("Relu", ["a"], ["b"], domain="org.other"),
        helper.make_node("Flatten", ["b"], ["c"], domain="com.example", axis=7),
        helper.make_node("Gelu", ["c"], ["y"], domain="com.microsoft"),
    ]
    return model(
        graph(nodes, [value("x")], [value("y")]), ("org.other", 3), ("com.microsoft", 1), ("com.example", 12345)
    )


@fixture()
def known_extra_domains():
    nodes = [
        helper.make_node("Binarizer", ["x"], ["a"], domain="ai.onnx.ml", threshold=0.5),
        helper.make_node("Relu", ["a"], ["y"]),
    ]
    return model(
        graph(nodes, [value("x")], [value("y")]),
        ("ai.onnx.ml", 3),
        ("", 17),
        ("ai.onnx.preview.training", 1),
        ("unused.domain", 9),
        opset=None,
    )


@fixture(refused_by_checker="the checker finds no operator under this spelling of the default domain")
def default_domain_spelled_out():
    nodes = [helper.make_node("Relu", ["x"], ["a"], domain="ai.onnx"), helper.make_node("Relu", ["a"], ["y"])]
    return model(graph(nodes, [value("x")], [value("y")]), ("ai.onnx", 17), opset=None)


@fixture()
def opset_imports_repeated_and_unsorted():
    """The order is kept, and of two entries for one domain both stay."""
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    return model(
        graph(nodes, [value("x")], [value("y")]),
        ("z.last", 2),
        ("", 17),
        ("a.first", 1),
        ("z.last", 1),
        ("", 17),
        ("a.first", 1),
        opset=None,
    )


@fixture(onnx_text=True)
def producer_and_versions():
    built = plain_relu()
    built.producer_name = "a producer"
    built.producer_version = "1.2.3+local"
    built.domain = "com.example.models"
    built.model_version = -(2**63)
    built.doc_string = "Model\n=====\n"
    return built


# ---------------------------------------------------------------------------
# Optional inputs and outputs
# ---------------------------------------------------------------------------


@fixture(onnx_text=True)
def omitted_inputs():
    nodes = [
        helper.make_node("Clip", ["x", "", "high"], ["a"], name="in_the_middle"),
        helper.make_node("Clip", ["a", "", ""], ["b"], name="trailing_but_spelled"),
        helper.make_node("Clip", ["b"], ["c"], name="trailing_and_absent"),
        helper.make_node("Clip", ["c", ""], ["d"], name="one_spelled_one_absent"),
        helper.make_node("Thing", ["", "d", "", "", "d", ""], ["y"], domain="com.example"),
        helper.make_node("Thing", ["", ""], ["z"], domain="com.example"),
    ]
    return model(graph(nodes, [value("x")], [value("y"), value("z")], [raw_floats("high", ())]), EXAMPLE)


@fixture(onnx_text=True)
def omitted_outputs():
    w, r = raw_floats("w", (1, 16, 2)), raw_floats("r", (1, 16, 4))
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r"], ["", "", "cell"], name="leading", hidden_size=4),
        helper.make_node("LSTM", ["x", "w", "r", "", "", ""], ["all", "", ""], name="trailing", hidden_size=4),
        helper.make_node("LSTM", ["x", "w", "r"], ["first"], name="absent", hidden_size=4),
        helper.make_node("Dropout", ["all"], ["y", ""]),
        helper.make_node("Thing", ["x"], ["", "in_between", ""], domain="com.example"),
        helper.make_node("Thing", ["x"], ["", ""], domain="com.example"),
    ]
    outputs = [value("y", None), value("cell", None)]
    for info in outputs:
        info.type.tensor_type.shape.SetInParent()
    return model(graph(nodes, [value("x", (5, "N", 2))], outputs, [w, r]), EXAMPLE)


# ---------------------------------------------------------------------------
# Text and metadata at every place that can hold them
# ---------------------------------------------------------------------------


def _everything_once() -> ModelProto:
    """A model with one of each message that has a doc_string or metadata_props."""
    body = graph([helper.make_node("Neg", ["x"], ["inner"], name="inner_node")], [], [bare_value("inner")], name="then")
    body.initializer.append(raw_floats("inner_weight", (2,)))
    other = graph([helper.make_node("Abs", ["x"], ["other"])], [], [bare_value("other")], name="else")
    nodes = [
        helper.make_node("If", ["c"], ["a"], name="branch", then_branch=body, else_branch=other),
        helper.make_node("Add", ["a", "w"], ["b"], name="add"),
        helper.make_node("Twice", ["b"], ["y"], name="call", domain="com.example"),
        helper.make_node("Constant", [], ["k"], name="constant", value=raw_floats("const_tensor", (2,))),
    ]
    built = model(
        graph(
            nodes,
            [value("x"), value("c", (), BOOL)],
            [value("y")],
            [raw_floats("w", (2,)), large_floats("large")],
            value_info=[value("a"), value("b")],
        ),
        EXAMPLE,
    )
    built.graph.sparse_initializer.append(_sparse("sparse"))
    built.functions.append(
        helper.make_function(
            "com.example",
            "Twice",
            ["p"],
            ["q"],
            [helper.make_node("Add", ["p", "p"], ["q"], name="function_node")],
            [helper.make_opsetid("", 21)],
            value_info=[value("q")],
        )
    )
    return built


def _each_message(message):
    yield message
    for field, content in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in [content] if hasattr(content, "ListFields") else content:
                yield from _each_message(part)


@fixture()
def doc_strings_everywhere():
    built = _everything_once()
    count = 0
    for message in _each_message(built):
        if "doc_string" in message.DESCRIPTOR.fields_by_name:
            count += 1
            message.doc_string = f'doc {count}: "quoted"\n\tsecond line of {message.DESCRIPTOR.name}\n'
    assert count > 25
    return built


@fixture()
def metadata_everywhere():
    built = _everything_once()
    count = 0
    for message in list(_each_message(built)):
        if "metadata_props" in message.DESCRIPTOR.fields_by_name:
            count += 1
            # Neither sorted, nor unique outside the model itself.
            props(message, zeta=f"{message.DESCRIPTOR.name} {count}", alpha="", **{"key with space": "1"})
            if not isinstance(message, ModelProto):
                props(message, alpha="again")
    assert count > 20
    return built


# ---------------------------------------------------------------------------
# Value information and types
# ---------------------------------------------------------------------------


@fixture()
def value_info_in_odd_places():
    """Not sorted, for values that do not exist, for inputs, outputs and initialisers."""
    nodes = [helper.make_node("Add", ["x", "w"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    infos = [
        value("nowhere", ("K", 9)),
        value("w", (2,)),
        value("a"),
        value("x", (7, 2)),
        value("y"),
        value("also_nowhere", (), INT64),
    ]
    return model(graph(nodes, [value("x")], [value("y")], [raw_floats("w", (2,))], value_info=infos))


@fixture()
def value_info_twice():
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    return model(graph(nodes, [value("x")], [value("y")], value_info=[value("a"), value("a", (3, 2)), value("a")]))


@fixture()
def value_info_disagrees():
    """Wrong or narrower statements are the model's, not ours to correct."""
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    return model(graph(nodes, [value("x", ("N", 2))], [value("y", (4, 5, 6))], value_info=[value("a", (7,), INT64)]))


@fixture(onnx_text=True)
def dimensions_of_every_kind():
    info = value("x", ("N", 2, None, "h/2 + 1", 0))
    dims = info.type.tensor_type.shape.dim
    dims[0].denotation = "DATA_BATCH"
    dims[1].denotation = "DATA_CHANNEL"
    dims[2].denotation = "DATA_FEATURE"
    dims[3].denotation = ""
    dims.add().dim_param = ""
    dims.add().dim_param = 'a "dim"\n'
    dims.add().dim_value = 2**63 - 1
    info.type.denotation = "IMAGE"
    minus = value("minus", (-1, 3))
    return model(graph([helper.make_node("Relu", ["x"], ["y"])], [info, minus], [value("y", ("N", 2, None, "W", 0))]))


@fixture(refused_by_checker="the checker wants a shape on graph inputs and outputs")
def unknown_rank():
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    return model(graph(nodes, [value("x", None)], [value("y", None)], value_info=[value("a", None)]))


@fixture()
def unknown_rank_inside():
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    return model(graph(nodes, [value("x")], [value("y")], value_info=[value("a", None)]))


@fixture()
def non_tensor_types():
    tensor = helper.make_tensor_type_proto
    sequence = helper.make_sequence_type_proto
    optional = helper.make_optional_type_proto
    mapping = helper.make_map_type_proto
    opaque = TypeProto(opaque_type=TypeProto.Opaque(domain="com.example", name="Handle <1>"), denotation="HANDLE")
    bare_opaque = TypeProto(opaque_type=TypeProto.Opaque(name="Handle"))
    types = {
        "sequence": sequence(tensor(FLOAT, ("N", 2))),
        "sequence_of_sequences": sequence(sequence(tensor(INT64, None))),
        "optional_tensor": optional(tensor(FLOAT, ())),
        "optional_sequence": optional(sequence(tensor(TensorProto.STRING, (None,)))),
        "string_map": mapping(TensorProto.STRING, tensor(FLOAT, (1,))),
        "map_of_maps": mapping(INT64, mapping(TensorProto.INT8, sequence(tensor(FLOAT, None)))),
        "sequence_of_maps": sequence(mapping(INT64, tensor(FLOAT, ()))),
        "sparse_tensor": helper.make_sparse_tensor_type_proto(FLOAT, ("N", 5)),
        "opaque": opaque,
        "bare_opaque": bare_opaque,
        "sequence_of_opaque": sequence(opaque),
    }
    types["sequence"].denotation = "outer"
    types["sequence"].sequence_type.elem_type.denotation = "inner"
    inputs = [helper.make_value_info(name, kind, "a " + name) for name, kind in types.items()]
    outputs = [helper.make_value_info(name + "_out", kind) for name, kind in types.items()]
    nodes = [hold(inputs=list(types), outputs=[name + "_out" for name in types])]
    infos = [helper.make_value_info(name + "_info", kind) for name, kind in types.items()]
    return model(graph(nodes, inputs, outputs, value_info=infos), EXAMPLE)


@fixture()
def sequence_and_optional_operators():
    nodes = [
        helper.make_node("SequenceConstruct", ["x", "x"], ["s"]),
        helper.make_node("SequenceAt", ["s", "i"], ["y"]),
        helper.make_node("Optional", ["s"], ["o"]),
        helper.make_node("Optional", [], ["none"], type=helper.make_tensor_type_proto(FLOAT, ["N", 2])),
        helper.make_node("OptionalGetElement", ["o"], ["back"]),
    ]
    return model(graph(nodes, [value("x")], [value("y")], [raw_int64s("i", (), [1])]))


@fixture()
def values_of_every_element_type():
    kinds = [kind for kind in TensorProto.DataType.values() if kind != TensorProto.UNDEFINED]
    inputs = [value(f"x{kind}", ("N", kind), kind) for kind in kinds]
    outputs = [value(f"y{kind}", (), kind) for kind in kinds]
    nodes = [helper.make_node("Thing", [f"x{k}"], [f"y{k}"], domain="com.example") for k in kinds]
    return model(graph(nodes, inputs, outputs), EXAMPLE, ir=14)


# ---------------------------------------------------------------------------
# Attributes
# ---------------------------------------------------------------------------

ODD_FLOATS = (
    math.nan,
    -math.nan,
    math.inf,
    -math.inf,
    0.0,
    -0.0,
    1e-45,  # the smallest denormal
    -1.1754942e-38,  # the largest denormal
    3.4028234663852886e38,
    0.1,
    -1.0,
    16777217.0,
)
ODD_INTS = (0, 1, -1, 2**63 - 1, -(2**63), 2**31, -(2**31) - 1, 2**53 + 1)
ODD_STRINGS = (b"", b"text", b"\xff\xfe\x00\x80", "ünï 🙂".encode(), b'"\\\n%\x00', b" ", b"\x00")


@fixture()
def attributes_float():
    return holder(
        *(attribute(f"f{i}", "FLOAT", f=f) for i, f in enumerate(ODD_FLOATS)),
        attribute("all", "FLOATS", floats=ODD_FLOATS),
        attribute("none", "FLOATS"),
        attribute("one", "FLOATS", floats=[1.0]),
        attribute("equal", "FLOATS", floats=[2.5] * 9),
        attribute("many", "FLOATS", floats=[i / 7 for i in range(3000)]),
    )


@fixture()
def attributes_nan_payloads():
    """Signalling and quiet NaN with payloads, put in as bits: no conversion may touch them."""
    bits = (0x7FC00000, 0xFFC00000, 0x7F800001, 0x7FC12345, 0xFFFFFFFF, 0x7FBFFFFF)
    made = []
    for i, word in enumerate(bits):
        f = AttributeProto.FromString(b"\x15" + struct.pack("<I", word))
        f.name = f"f{i}"
        f.type = AttributeProto.FLOAT
        made.append(f)
    packed = b"".join(struct.pack("<I", word) for word in bits)
    several = AttributeProto.FromString(b"\x3a" + bytes([len(packed)]) + packed)
    several.name = "several"
    several.type = AttributeProto.FLOATS
    typed = TensorProto.FromString(b"\x22" + bytes([len(packed)]) + packed)
    typed.data_type = FLOAT
    typed.dims.append(len(bits))
    splat = TensorProto.FromString(b"\x22\x08" + struct.pack("<II", 0x7F800001, 0x7F800001))
    splat.data_type = FLOAT
    splat.dims.append(2)
    raw = raw_tensor("", FLOAT, (len(bits),), packed)
    return holder(*made, several, attribute("tensors", "TENSORS", tensors=[typed, splat, raw]))


@fixture()
def attributes_int():
    return holder(
        *(attribute(f"i{k}", "INT", i=i) for k, i in enumerate(ODD_INTS)),
        attribute("all", "INTS", ints=ODD_INTS),
        attribute("none", "INTS"),
        attribute("one", "INTS", ints=[0]),
        attribute("equal", "INTS", ints=[-1] * 9),
        attribute("many", "INTS", ints=range(-1500, 1500)),
    )


@fixture()
def attributes_string():
    return holder(
        *(attribute(f"s{k}", "STRING", s=s) for k, s in enumerate(ODD_STRINGS)),
        attribute("all", "STRINGS", strings=ODD_STRINGS),
        attribute("none", "STRINGS"),
        attribute("one_empty", "STRINGS", strings=[b""]),
        attribute("long", "STRING", s=pattern(5000)),
        attribute("every_byte", "STRING", s=bytes(range(256))),
    )


@fixture()
def attributes_tensor():
    return holder(
        attribute("small", "TENSOR", t=raw_floats("named", (2, 2))),
        attribute("large", "TENSOR", t=large_floats("")),
        attribute("none", "TENSORS"),
        attribute(
            "list",
            "TENSORS",
            tensors=[large_floats("first"), raw_int64s("", (), [5]), large_floats("last"), raw_floats("", (0, 4))],
        ),
    )


@fixture()
def attributes_graph():
    def small(name):
        return graph([helper.make_node("Neg", ["p"], ["q"])], [value("p")], [value("q")], [large_floats("k")], name)

    return holder(
        attribute("one", "GRAPH", g=small("one")),
        attribute("none", "GRAPHS"),
        attribute("list", "GRAPHS", graphs=[small("first"), graph(name="empty"), small("last")]),
        attribute("after", "INT", i=3),
    )


@fixture()
def attributes_type():
    tensor = helper.make_tensor_type_proto
    return holder(
        attribute("one", "TYPE_PROTO", tp=tensor(FLOAT, ["N", None, 3])),
        attribute("empty", "TYPE_PROTO", tp=TypeProto()),
        attribute("none", "TYPE_PROTOS"),
        attribute(
            "list",
            "TYPE_PROTOS",
            type_protos=[
                helper.make_sequence_type_proto(tensor(INT64, None)),
                helper.make_map_type_proto(INT64, tensor(FLOAT, [])),
                tensor(TensorProto.BFLOAT16, [0]),
            ],
        ),
    )


def _sparse(name: str, element_type: int = FLOAT, linear: bool = True) -> onnx.SparseTensorProto:
    """Three values in a 4x5 tensor, indexed in one of the two ways."""
    values = helper.make_tensor(name, element_type, [3], [1.5, -2.0, 0.25])
    if linear:
        indices = raw_int64s("", (3,), [1, 7, 19])
    else:
        indices = helper.make_tensor(name + "_indices", INT64, [3, 2], [0, 1, 1, 2, 3, 4])
    return helper.make_sparse_tensor(values, indices, [4, 5])


def _large_sparse(name: str) -> onnx.SparseTensorProto:
    count = 400
    values = raw_floats(name, (count,))
    indices = raw_int64s(name + "_indices", (count,), [3 * i for i in range(count)])
    return helper.make_sparse_tensor(values, indices, [40, 30])


@fixture()
def attributes_sparse_tensor():
    return holder(
        attribute("one", "SPARSE_TENSOR", sparse_tensor=_sparse("")),
        attribute("none", "SPARSE_TENSORS"),
        attribute("list", "SPARSE_TENSORS", sparse_tensors=[_sparse("a", linear=False), _large_sparse("b")]),
    )


@fixture()
def attributes_unsorted():
    names = ["zz", "a", "Z", "m", "A", "_", "10", "9", "axis", "onnx.name", "sym_name", "operand_segment_sizes"]
    return holder(*(attribute(name, "INT", i=k) for k, name in enumerate(names)))


@fixture(onnx_text=True)
def known_operator_attributes_unsorted_and_default():
    """Explicit defaults are not absent ones, and their order is the file's."""
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv")
    node.attribute.extend(
        [
            attribute("strides", "INTS", ints=[1, 1]),
            attribute("pads", "INTS", ints=[0, 0, 0, 0]),
            attribute("auto_pad", "STRING", s=b"NOTSET"),
            attribute("group", "INT", i=1),
            attribute("dilations", "INTS", ints=[1, 1]),
        ]
    )
    bare = helper.make_node("Conv", ["y", "w"], ["z"], name="bare")
    bare.attribute.append(attribute("__internal", "STRING", s=b"kept"))
    return model(
        graph([node, bare], [value("x", ("N", 2, 5, 5))], [value("z", ("N", 2, 1, 1))], [raw_floats("w", (2, 2, 3, 3))])
    )


@fixture(onnx_text=True)
def head_operators_with_every_attribute():
    """The operators that have an op of their own, each with and without its attributes."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["gap"]),
        helper.make_node("AveragePool", ["x"], ["ap"], kernel_shape=[2, 2], ceil_mode=0, count_include_pad=1),
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("Transpose", ["x"], ["t_bare"]),
        helper.make_node("Reshape", ["x", "shape"], ["r"], allowzero=0),
        helper.make_node("Reshape", ["x", "shape"], ["r_bare"]),
        helper.make_node("Flatten", ["x"], ["f_bare"]),
        helper.make_node("Flatten", ["x"], ["f"], axis=-3),
        helper.make_node("Squeeze", ["gap", "axes"], ["sq"]),
        helper.make_node("Squeeze", ["gap"], ["sq_bare"]),
        helper.make_node("Unsqueeze", ["sq", "axes"], ["un"]),
        helper.make_node("ReduceMean", ["x", "axes"], ["rm"], keepdims=0, noop_with_empty_axes=0),
        helper.make_node("ReduceMean", ["x"], ["rm_bare"]),
        helper.make_node("Cast", ["x"], ["cast"], to=TensorProto.DOUBLE, saturate=1),
        helper.make_node("Dropout", ["f", "ratio", "training"], ["drop", "mask"], seed=7),
        helper.make_node("Gemm", ["f", "w"], ["g"], alpha=0.5, beta=2.0, transA=0, transB=1),
        helper.make_node("Gemm", ["f", "w2", ""], ["g_bare"]),
        helper.make_node("MatMul", ["f", "w2"], ["m"]),
        helper.make_node("Add", ["b", "m"], ["y"]),
        helper.make_node("Constant", [], ["c1"], value_int=3),
        helper.make_node("Constant", [], ["c2"], value_floats=[1.0, -0.0]),
        helper.make_node("Constant", [], ["c3"], value_string="text"),
        helper.make_node("Constant", [], ["c4"], value_strings=["a", ""]),
        helper.make_node("Constant", [], ["c5"], value_ints=[2**63 - 1]),
        helper.make_node("Constant", [], ["c6"], value_float=0.1),
        helper.make_node("ConstantOfShape", ["shape"], ["cs"], value=raw_floats("value", (1,), [math.nan])),
        helper.make_node("ConstantOfShape", ["shape"], ["cs_bare"]),
        helper.make_node("QuantizeLinear", ["x", "scale"], ["q"], axis=0, saturate=0, output_dtype=TensorProto.INT8),
        helper.make_node("DequantizeLinear", ["q", "scale"], ["dq"], block_size=0),
        helper.make_node("Relu", ["x"], ["relu"]),
        helper.make_node("Identity", ["x"], ["id"]),
        helper.make_node("Concat", ["x", "x"], ["cat"], axis=-1),
        helper.make_node("Softmax", ["m"], ["soft"], axis=-1),
        helper.make_node("Shape", ["x"], ["sh"], start=1, end=-1),
        helper.make_node("Expand", ["un", "shape4"], ["ex"]),
        helper.make_node("Tile", ["x", "shape4"], ["tile"]),
        helper.make_node("Resize", ["x", "", "scales"], ["rs"], mode="nearest", nearest_mode="floor"),
        helper.make_node("BatchNormalization", ["x", "c2v", "c2v", "c2v", "c2v"], ["bn"], momentum=0.25),
    ]
    initializers = [
        raw_int64s("shape", (2,), [0, -1]),
        raw_int64s("shape4", (4,), [1, 2, 2, 2]),
        raw_int64s("axes", (2,), [2, 3]),
        raw_floats("ratio", (), [0.5]),
        raw_bool("training", False),
        raw_floats("w", (3, 8)),
        raw_floats("w2", (8, 3)),
        raw_floats("b", (3,)),
        raw_floats("scale", (), [0.5]),
        raw_floats("scales", (4,), [1.0, 1.0, 2.0, 2.0]),
        raw_floats("c2v", (2,)),
    ]
    return model(graph(nodes, [value("x", ("N", 2, 2, 2))], [value("y", ("N", 3))], initializers))


# ---------------------------------------------------------------------------
# Tensors of every element type
# ---------------------------------------------------------------------------

# Bits per element, and the field that holds elements outside raw_data.
ELEMENT_TYPES = {
    "FLOAT": (32, "float_data"),
    "UINT8": (8, "int32_data"),
    "INT8": (8, "int32_data"),
    "UINT16": (16, "int32_data"),
    "INT16": (16, "int32_data"),
    "INT32": (32, "int32_data"),
    "INT64": (64, "int64_data"),
    "STRING": (0, "string_data"),
    "BOOL": (8, "int32_data"),
    "FLOAT16": (16, "int32_data"),
    "DOUBLE": (64, "double_data"),
    "UINT32": (32, "uint64_data"),
    "UINT64": (64, "uint64_data"),
    "COMPLEX64": (64, "float_data"),
    "COMPLEX128": (128, "double_data"),
    "BFLOAT16": (16, "int32_data"),
    "FLOAT8E4M3FN": (8, "int32_data"),
    "FLOAT8E4M3FNUZ": (8, "int32_data"),
    "FLOAT8E5M2": (8, "int32_data"),
    "FLOAT8E5M2FNUZ": (8, "int32_data"),
    "UINT4": (4, "int32_data"),
    "INT4": (4, "int32_data"),
    "FLOAT4E2M1": (4, "int32_data"),
    "FLOAT8E8M0": (8, "int32_data"),
    "UINT2": (2, "int32_data"),
    "INT2": (2, "int32_data"),
    "FLOAT6E2M3": (6, "int32_data"),
    "FLOAT6E3M2": (6, "int32_data"),
}
assert set(ELEMENT_TYPES) == set(TensorProto.DataType.keys()) - {"UNDEFINED"}


def raw_elements(kind: str, count: int, same: bool = False) -> bytes:
    """The packed bytes of some elements; unused bits of the last byte are zero."""
    bits = ELEMENT_TYPES[kind][0]
    if kind == "BOOL":
        return bytes(1 if same or i % 3 == 0 else 0 for i in range(count))
    if same:
        one = int.from_bytes(pattern(16, start=0x61), "little") & ((1 << bits) - 1)
        return sum(one << (bits * i) for i in range(count)).to_bytes((bits * count + 7) // 8, "little")
    size = (bits * count + 7) // 8
    data = bytearray(pattern(size))
    if bits * count % 8:
        data[-1] &= (1 << (bits * count % 8)) - 1
    return bytes(data)


def typed_elements(kind: str, count: int, same: bool = False) -> list:
    """The entries of the typed field for some elements."""
    bits, field = ELEMENT_TYPES[kind]
    if kind == "STRING":
        return [ODD_STRINGS[1 if same else i % len(ODD_STRINGS)] for i in range(count)]
    if field in ("float_data", "double_data"):
        entries = count * (2 if kind.startswith("COMPLEX") else 1)
        return [-2.75 if same else ODD_FLOATS[(5 * i) % len(ODD_FLOATS)] for i in range(entries)]
    if kind == "BOOL":
        return [1 if same else i % 2 for i in range(count)]
    per_entry = {4: 2, 2: 4}.get(bits, 1)
    entries = (count + per_entry - 1) // per_entry
    if kind in ("INT8", "INT16", "INT32", "INT64"):
        extremes = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, -1, 0, 1, 7]
    else:
        width = bits * per_entry
        extremes = [(1 << width) - 1, 0, 1, 1 << (width - 1), (1 << (width - 1)) - 1, 3]
        if bits in (4, 2):
            unused = (per_entry - count % per_entry) % per_entry
            made = [extremes[4 if same else i % len(extremes)] for i in range(entries)]
            if unused and made:
                made[-1] &= (1 << (bits * (per_entry - unused))) - 1
            return made
    return [extremes[3 if same else i % len(extremes)] for i in range(entries)]


def typed_tensor(name: str, kind: str, dims, same: bool = False) -> TensorProto:
    tensor = TensorProto()
    tensor.name = name
    tensor.data_type = TensorProto.DataType.Value(kind)
    tensor.dims.extend(dims)
    getattr(tensor, ELEMENT_TYPES[kind][1]).extend(typed_elements(kind, math.prod(dims), same))
    return tensor


def tensors_of_type(kind: str) -> list[TensorProto]:
    """Scalars, empties, odd counts, splats, small and large ones, raw and typed."""
    shapes = {"scalar": (), "one": (1,), "odd": (7,), "matrix": (3, 5), "ones": (1, 1, 1), "none": (2, 0, 3)}
    made = [typed_tensor(f"typed_{label}", kind, dims) for label, dims in shapes.items()]
    made += [
        typed_tensor("typed_splat", kind, (3, 3), same=True),
        typed_tensor("typed_large", kind, (37, 41)),
        typed_tensor("typed_large_splat", kind, (37, 41), same=True),
    ]
    if kind == "STRING":
        return made
    number = TensorProto.DataType.Value(kind)
    bits = ELEMENT_TYPES[kind][0]
    for label, dims in shapes.items():
        made.append(raw_tensor(f"raw_{label}", number, dims, raw_elements(kind, math.prod(dims))))
    # As many elements as fill the threshold, one fewer, one more, and far more.
    fill = LARGE * 8 // bits
    for label, count, same in (
        ("below", fill - 1, False),
        ("filled", fill, False),
        ("above", fill + 1, False),
        ("large", 3 * fill + 5, False),
        ("small_splat", 5, True),
        ("large_splat", fill + 3, True),
    ):
        made.append(raw_tensor(f"raw_{label}", number, (count,), raw_elements(kind, count, same)))
    made.append(raw_tensor("raw_large_zeros", number, (5, fill), bytes((5 * fill * bits + 7) // 8)))
    return made


def _element_type_model(kind: str) -> ModelProto:
    """The tensors as initialisers, and again as an attribute."""
    tensors = tensors_of_type(kind)
    nodes = [hold(attribute("tensors", "TENSORS", tensors=tensors), inputs=["raw_odd", "typed_odd"])]
    if kind == "STRING":
        nodes[0].input[:] = ["typed_odd"]
    number = TensorProto.DataType.Value(kind)
    return model(graph(nodes, [], [value("y", (), number)], tensors), EXAMPLE, ir=14, opset=25)


for _kind in ELEMENT_TYPES:
    FIXTURES.append(Fixture(f"tensors_{_kind}", functools.partial(_element_type_model, _kind)))


@fixture()
def tensors_not_canonical():
    """Accepted files whose bits a decoder would tidy up: none of it may be tidied up."""
    number = TensorProto.DataType.Value
    int8_as_byte = typed_tensor("int8_as_byte", "INT8", (3,))
    int8_as_byte.int32_data[:] = [255, 128, 127]
    wide_bool = typed_tensor("wide_bool", "BOOL", (3,))
    wide_bool.int32_data[:] = [2, -1, 256]
    wide_half = typed_tensor("wide_half", "FLOAT16", (2,))
    wide_half.int32_data[:] = [-1, 0x13C00]
    wide_uint32 = typed_tensor("wide_uint32", "UINT32", (2,))
    wide_uint32.uint64_data[:] = [2**64 - 1, 2**32]
    return model(
        graph(
            [],
            [],
            [],
            [
                int8_as_byte,
                wide_bool,
                wide_half,
                wide_uint32,
                raw_tensor("bool_byte_two", BOOL, (4,), b"\2\1\0\xff"),
                raw_tensor("bool_all_two", BOOL, (4,), b"\2\2\2\2"),
                raw_tensor("padding_4", number("INT4"), (3,), b"\x21\xf3"),
                raw_tensor("padding_4u", number("UINT4"), (1,), b"\xf3"),
                raw_tensor("padding_2", number("INT2"), (5,), b"\xe4\xff"),
                raw_tensor("padding_large", number("UINT4"), (2 * LARGE + 1,), pattern(LARGE) + b"\xff"),
            ],
        ),
        ir=14,
        opset=25,
    )


@fixture()
def tensor_segments():
    tensor = raw_floats("w", (2,))
    tensor.segment.begin = 0
    tensor.segment.end = 2
    return model(graph([], [], [], [tensor]))


@fixture()
def large_tensors_everywhere():
    """Bytes that are referenced: in subgraphs, constants, lists, functions and sparse tensors."""
    inner = graph(
        [
            helper.make_node("Constant", [], ["ik"], value=large_floats("constant_in_branch")),
            helper.make_node("MatMul", ["x", "iw"], ["im"]),
            helper.make_node("Add", ["im", "ik"], ["inner"]),
        ],
        [],
        [bare_value("inner")],
        [large_floats("iw")],
        "then",
    )
    other = graph([helper.make_node("MatMul", ["x", "w"], ["other"])], [], [bare_value("other")], name="else")
    nodes = [
        helper.make_node("If", ["c"], ["a"], then_branch=inner, else_branch=other),
        helper.make_node("Constant", [], ["k"], value=large_floats("constant")),
        helper.make_node("Constant", [], ["sk"], sparse_value=_large_sparse("constant_sparse")),
        hold(attribute("list", "TENSORS", tensors=[large_floats("l0"), large_floats("l1")]), inputs=["a"]),
    ]
    main = graph(nodes, [value("x", ("N", 24)), value("c", (), BOOL)], [value("y")], [large_floats("w")])
    main.sparse_initializer.append(_large_sparse("sparse"))
    built = model(main, EXAMPLE)
    body = helper.make_node("Constant", [], ["q"], value=large_floats("constant_in_function"))
    built.functions.append(
        helper.make_function("com.example", "Weights", [], ["q"], [body], [helper.make_opsetid("", 21)])
    )
    built.training_info.add().algorithm.CopyFrom(graph([], [], [], [large_floats("state")], "algorithm"))
    return built


@fixture()
def large_tensors_unaligned():
    """Odd name lengths move the bytes of the weights to every alignment."""
    weights = [large_floats("w" * (i + 1), 17 + i, 16) for i in range(9)]
    return model(graph([], [], [], weights))


@fixture()
def equal_large_tensors():
    return model(graph([], [], [], [large_floats("one"), large_floats("two"), large_floats("three")]))


# ---------------------------------------------------------------------------
# Sparse tensors, quantisation annotations, training information, devices
# ---------------------------------------------------------------------------


@fixture()
def sparse_initializers():
    nodes = [helper.make_node("Add", ["x", "linear"], ["a"]), helper.make_node("Add", ["a", "pairs"], ["y"])]
    main = graph(nodes, [value("x", (4, 5))], [value("y", (4, 5))], [raw_floats("dense", (4, 5))])
    double = helper.make_sparse_tensor(
        helper.make_tensor("typed", TensorProto.DOUBLE, [2], [1.0, -0.0]),
        helper.make_tensor("", INT64, [2], [0, 5]),
        [2, 3],
    )
    empty = helper.make_sparse_tensor(
        helper.make_tensor("nothing", FLOAT, [0], []), helper.make_tensor("", INT64, [0], []), [2**40, 3]
    )
    bare = onnx.SparseTensorProto()
    bare.values.CopyFrom(helper.make_tensor("no_indices", FLOAT, [0], []))
    bare.dims.extend([7])
    main.sparse_initializer.extend(
        [_sparse("pairs", linear=False), _sparse("linear"), double, empty, bare, _large_sparse("large")]
    )
    return model(main, ir=11)


@fixture()
def sparse_constant():
    nodes = [
        helper.make_node("Constant", [], ["s"], sparse_value=_sparse("")),
        helper.make_node("Add", ["x", "s"], ["y"]),
    ]
    return model(graph(nodes, [value("x", (4, 5))], [value("y", (4, 5))]))


@fixture()
def quantization_annotations():
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    main = graph(nodes, [value("x")], [value("y")], [raw_floats("a_scale", ()), raw_tensor("a_zero", 2, (), b"\x80")])
    for name in ("a", "y", "absent", "a", "x"):
        note = main.quantization_annotation.add(tensor_name=name)
        add_to(
            note.quant_parameter_tensor_names,
            ("ZERO_POINT_TENSOR", name + "_zero"),
            ("SCALE_TENSOR", name + "_scale"),
            ("own key", ""),
        )
    main.quantization_annotation.add()
    return model(main)


@fixture()
def training_information():
    built = model(
        graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"], name="forward")],
            [value("x")],
            [value("y", ("N", 3))],
            [raw_floats("w", (2, 3))],
        ),
        ("ai.onnx.preview.training", 1),
    )
    first = built.training_info.add()
    first.initialization.CopyFrom(
        graph(
            [helper.make_node("RandomNormal", [], ["start"], shape=[2, 3], scale=0.1)],
            [],
            [value("start", (2, 3))],
            name="initialization",
        )
    )
    # The algorithm reads w and y of the inference graph.
    step = [
        helper.make_node("Sub", ["y", "label"], ["difference"]),
        helper.make_node("ReduceMean", ["difference"], ["loss"], keepdims=0),
        helper.make_node("Mul", ["w", "rate"], ["w_next"]),
    ]
    first.algorithm.CopyFrom(
        graph(
            step,
            [value("label", ("N", 3))],
            [value("loss", ()), value("w_next", (2, 3))],
            [raw_floats("rate", (), [0.5])],
            "algorithm",
        )
    )
    add_to(first.initialization_binding, ("w", "start"))
    add_to(first.update_binding, ("w", "w_next"), ("rate", "loss"))
    second = built.training_info.add()
    add_to(second.update_binding, ("", ""))
    built.training_info.add()
    return built


@fixture()
def device_configurations():
    built = plain_relu()
    built.ir_version = 11
    built.graph.node[0].name = "relu"
    for name, count, devices in (("two", 2, ["gpu 0", "gpu 1"]), ("none", 0, []), ("bare", 3, [])):
        made = built.configuration.add(name=name, num_devices=count)
        made.device.extend(devices)
    placed = built.graph.node[0].device_configurations.add(configuration_id="two", pipeline_stage=0)
    spec = placed.sharding_spec.add(tensor_name="x")
    spec.device.extend([-1, 1])
    spec.index_to_device_group_map.add(key=-1, value=[0, 1])
    spec.index_to_device_group_map.add(key=5)
    split = spec.sharded_dim.add(axis=-2)
    split.simple_sharding.add(dim_param="N", num_shards=2)
    split.simple_sharding.add(dim_value=6, num_shards=3)
    split.simple_sharding.add(num_shards=0)
    placed.sharding_spec.add()
    built.graph.node[0].device_configurations.add(configuration_id="bare", pipeline_stage=-7)
    return built


# ---------------------------------------------------------------------------
# Subgraphs
# ---------------------------------------------------------------------------


def _if(condition: str, then: GraphProto, other: GraphProto, outputs, name: str = "") -> NodeProto:
    return helper.make_node("If", [condition], list(outputs), name=name, then_branch=then, else_branch=other)


def _branch(name: str, *nodes: NodeProto, outputs, initializers=()) -> GraphProto:
    return graph(nodes, [], [bare_value(output) for output in outputs], initializers, name)


@fixture(onnx_text=True)
def captured_values_in_if():
    """Two levels deep: an input, an initialiser, a result of the middle and of the outer graph."""
    innermost = _branch(
        "innermost",
        helper.make_node("Add", ["middle", "outer"], ["i0"]),
        helper.make_node("Mul", ["i0", "w"], ["i1"]),
        helper.make_node("Sub", ["i1", "x"], ["i2"]),
        outputs=["i2"],
    )
    plain = _branch("plain", helper.make_node("Identity", ["outer"], ["p"]), outputs=["p"])
    then = _branch(
        "then",
        helper.make_node("Neg", ["x"], ["middle"]),
        _if("c2", innermost, plain, ["t"], "inner_if"),
        outputs=["t"],
    )
    other = _branch("else", helper.make_node("Add", ["x", "w"], ["e"]), outputs=["e"])
    nodes = [helper.make_node("Relu", ["x"], ["outer"]), _if("c", then, other, ["y"], "outer_if")]
    inputs = [value("x"), value("c", (), BOOL), value("c2", (), BOOL)]
    return model(graph(nodes, inputs, [value("y")], [raw_floats("w", (2,))]))


@fixture(onnx_text=True)
def captured_values_in_loop():
    body_inner = graph(
        [
            helper.make_node("Add", ["acc_in2", "acc_in"], ["s"]),
            helper.make_node("Add", ["s", "x"], ["acc_out2"]),
            helper.make_node("Identity", ["keep2"], ["keep2_out"]),
        ],
        [value("i2", (), INT64), value("keep2", (), BOOL), bare_value("acc_in2")],
        [value("keep2_out", (), BOOL), bare_value("acc_out2")],
        name="inner_body",
    )
    body = graph(
        [
            helper.make_node("Loop", ["trips", "", "acc_in"], ["acc_out"], body=body_inner),
            helper.make_node("Identity", ["keep"], ["keep_out"]),
            helper.make_node("Mul", ["acc_out", "w"], ["scan"]),
        ],
        [value("i", (), INT64), value("keep", (), BOOL), value("acc_in")],
        [value("keep_out", (), BOOL), value("acc_out"), value("scan")],
        name="body",
    )
    nodes = [helper.make_node("Loop", ["trips", "go", "x"], ["last", "all"], name="loop", body=body)]
    return model(
        graph(
            nodes,
            [value("x")],
            [value("last"), value("all", (None, "N", 2))],
            [raw_int64s("trips", (), [3]), raw_bool("go", True), raw_floats("w", (2,))],
        )
    )


@fixture(onnx_text=True)
def captured_values_in_scan():
    inner = _branch("inner", helper.make_node("Add", ["state", "w"], ["in_then"]), outputs=["in_then"])
    outer = _branch("outer", helper.make_node("Add", ["step", "r"], ["in_else"]), outputs=["in_else"])
    body = graph(
        [_if("c", inner, outer, ["next"]), helper.make_node("Identity", ["next"], ["row"])],
        [value("state", (2,)), value("step", (2,))],
        [value("next", (2,)), value("row", (2,))],
        name="scan_body",
    )
    nodes = [
        helper.make_node("Relu", ["w"], ["r"]),
        helper.make_node("Scan", ["w", "x"], ["last", "rows"], body=body, num_scan_inputs=1, scan_input_directions=[1]),
    ]
    inputs = [value("x"), value("c", (), BOOL)]
    return model(graph(nodes, inputs, [value("last", (2,)), value("rows")], [raw_floats("w", (2,))]))


@fixture(refused_by_checker="a subgraph output must be a value of the subgraph")
def branch_outputs_outer_value():
    then = _branch("then", outputs=["r", "x"])
    other = _branch("else", helper.make_node("Neg", ["r"], ["n"]), outputs=["n", "w"])
    nodes = [helper.make_node("Relu", ["x"], ["r"]), _if("c", then, other, ["y", "z"])]
    inputs = [value("x"), value("c", (), BOOL)]
    return model(graph(nodes, inputs, [value("y"), value("z")], [raw_floats("w", (2,))]))


@fixture()
def branch_outputs_own_initializer():
    then = _branch("then", outputs=["tw", "tw"], initializers=[raw_floats("tw", (2, 2))])
    other = _branch("else", outputs=["ew", "large"], initializers=[large_floats("large"), raw_floats("ew", (2, 2))])
    nodes = [_if("c", then, other, ["y", "z"])]
    return model(graph(nodes, [value("c", (), BOOL)], [value("y", (2, 2)), value("z", (None, None))]))


@fixture()
def one_name_in_two_branches():
    """Sibling scopes may use one name; the result of the If may have it as well elsewhere."""
    weight = raw_floats("k", (2,))
    then = _branch("body", helper.make_node("Add", ["x", "k"], ["t"], name="n"), outputs=["t"], initializers=[weight])
    other = _branch("body", helper.make_node("Sub", ["x", "k"], ["t"], name="n"), outputs=["t"], initializers=[weight])
    nodes = [_if("c", then, other, ["y"], "n"), _if("c", other, then, ["z"], "n")]
    return model(graph(nodes, [value("x"), value("c", (), BOOL)], [value("y"), value("z")], name="body"))


@fixture()
def subgraph_details():
    """Everything a graph may hold, in a graph that is not the main one."""
    then = graph(
        [helper.make_node("Add", ["x", "tw"], ["t"], name="t_node"), helper.make_node("Relu", ["t"], ["t2"])],
        [],
        [value("t2")],
        [raw_floats("tw", (2,)), raw_floats("unused_in_branch", (3,))],
        "then",
        doc_string="the then branch",
        value_info=[value("t"), value("not_there", (5,))],
    )
    then.sparse_initializer.append(_sparse("branch_sparse"))
    note = then.quantization_annotation.add(tensor_name="t")
    add_to(note.quant_parameter_tensor_names, ("SCALE_TENSOR", "s"))
    props(then, key="of the branch")
    other = _branch("else", helper.make_node("Abs", ["x"], ["e"]), outputs=["e"])
    return model(graph([_if("c", then, other, ["y"])], [value("x"), value("c", (), BOOL)], [value("y")]))


@fixture()
def subgraph_of_unknown_operator():
    """What a graph attribute of an unknown operator means is unknown: its inputs are kept."""
    body = graph(
        [helper.make_node("Add", ["p", "x"], ["q"])], [value("p"), bare_value("p2")], [bare_value("q")], name="body"
    )
    node = hold(attribute("z", "INT", i=1), attribute("body", "GRAPH", g=body), attribute("a", "INT", i=2))
    return model(graph([node], [value("x")], [value("y")]), EXAMPLE)


@fixture()
def if_inside_if_thirty_deep():
    """As deep as protobuf's own limit of a hundred nested messages lets everyone read."""
    body = _branch("leaf", helper.make_node("Relu", ["x"], ["v0"]), outputs=["v0"])
    for depth in range(1, 30):
        other = _branch(f"else{depth}", helper.make_node("Neg", ["x"], [f"e{depth}"]), outputs=[f"e{depth}"])
        body = _branch(f"then{depth}", _if("c", body, other, [f"v{depth}"]), outputs=[f"v{depth}"])
    other = _branch("else", helper.make_node("Neg", ["x"], ["e"]), outputs=["e"])
    return model(graph([_if("c", body, other, ["y"])], [value("x"), value("c", (), BOOL)], [value("y")]))


# ---------------------------------------------------------------------------
# Order of nodes
# ---------------------------------------------------------------------------


@fixture(unsorted=True, refused_by_checker="nodes are not in topological order")
def nodes_in_reverse():
    nodes = [helper.make_node("Relu", [f"v{i}"], [f"v{i + 1}"], name=f"n{i}") for i in range(5)]
    return model(graph(reversed(nodes), [value("v0")], [value("v5")]))


@fixture(unsorted=True, refused_by_checker="nodes are not in topological order")
def one_node_too_early():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="first"),
        helper.make_node("Add", ["a", "late"], ["y"], name="too_early"),
        helper.make_node("Neg", ["x"], ["free"], name="free"),
        helper.make_node("Abs", ["a"], ["late"], name="late"),
        helper.make_node("Neg", ["y"], ["z"], name="after"),
    ]
    return model(graph(nodes, [value("x")], [value("z"), value("free")]))


@fixture(unsorted=True, refused_by_checker="nodes are not in topological order")
def captured_value_defined_later():
    """The If stands before the node whose result only its branch reads."""
    then = _branch("then", helper.make_node("Add", ["late", "x"], ["t"]), outputs=["t"])
    other = _branch("else", helper.make_node("Neg", ["x"], ["e"]), outputs=["e"])
    nodes = [_if("c", then, other, ["y"], "early_if"), helper.make_node("Relu", ["x"], ["late"], name="late")]
    return model(graph(nodes, [value("x"), value("c", (), BOOL)], [value("y")]))


@fixture(unsorted=True, refused_by_checker="nodes are not in topological order")
def nodes_in_reverse_in_a_branch():
    then = _branch(
        "then", helper.make_node("Abs", ["t0"], ["t1"]), helper.make_node("Neg", ["x"], ["t0"]), outputs=["t1"]
    )
    other = _branch("else", helper.make_node("Neg", ["x"], ["e"]), outputs=["e"])
    return model(graph([_if("c", then, other, ["y"])], [value("x"), value("c", (), BOOL)], [value("y")]))


@fixture(unsorted=True, refused_by_checker="nodes are not in topological order")
def nodes_in_reverse_in_a_function():
    built = model(
        graph([helper.make_node("Two", ["x"], ["y"], domain="com.example")], [value("x")], [value("y")]), EXAMPLE
    )
    body = [helper.make_node("Abs", ["q0"], ["q"]), helper.make_node("Neg", ["p"], ["q0"])]
    built.functions.append(
        helper.make_function("com.example", "Two", ["p"], ["q"], body, [helper.make_opsetid("", 21)])
    )
    return built


# ---------------------------------------------------------------------------
# Model-local functions
# ---------------------------------------------------------------------------


def _function(name, inputs, outputs, nodes, domain="com.example", opsets=(("", 21),), **more):
    imports = [helper.make_opsetid(d, v) for d, v in opsets]
    return helper.make_function(domain, name, list(inputs), list(outputs), list(nodes), imports, **more)


def _with_functions(built: ModelProto, *functions) -> ModelProto:
    built.functions.extend(functions)
    return built


def _call(function, inputs=("x",), outputs=("y",), domain="com.example", **more) -> NodeProto:
    return helper.make_node(function, list(inputs), list(outputs), domain=domain, **more)


@fixture(onnx_text=True)
def function_plain():
    body = [helper.make_node("Relu", ["p"], ["r"]), helper.make_node("Neg", ["r"], ["q"], name="n")]
    return _with_functions(
        model(graph([_call("F", name="call")], [value("x")], [value("y")]), EXAMPLE, ir=8, opset=17),
        _function("F", ["p"], ["q"], body, opsets=[("", 17)]),
    )


@fixture()
def function_attributes():
    """Attributes without and with defaults, references of every kind, also inside a subgraph."""
    kinds = ("FLOAT", "INT", "STRING", "TENSOR", "FLOATS", "INTS", "STRINGS", "TENSORS", "TYPE_PROTO")
    inner = helper.make_node("Hold", ["p"], ["t"], domain="com.example")
    inner.attribute.add(name="in_branch", ref_attr_name="i", type=AttributeProto.INT)
    holding = helper.make_node("Hold", ["p"], ["h"], domain="com.example")
    for kind in kinds:
        made = holding.attribute.add(name=kind.lower(), ref_attr_name="the " + kind, type=kind)
        made.doc_string = "refers to " + kind
    body = [
        holding,
        helper.make_node("Constant", [], ["c"], value=raw_bool("", True)),
        _if(
            "c",
            _branch("then", inner, outputs=["t"]),
            _branch("else", helper.make_node("Neg", ["h"], ["e"]), outputs=["e"]),
            ["q"],
        ),
    ]
    function = _function(
        "F",
        ["p"],
        ["q"],
        body,
        opsets=[("", 21), EXAMPLE],
        attributes=["the " + kind for kind in kinds] + ["i"],
        attribute_protos=[
            attribute("z_default", "INT", i=0),
            attribute("a_default", "TENSOR", t=large_floats("default")),
            attribute("nan_default", "FLOAT", f=math.nan),
            attribute("empty_default", "INTS"),
        ],
    )
    calls = [_call("F", outputs=["a"], i=1), _call("F", ["a"], i=-1, z_default=5)]
    return _with_functions(model(graph(calls, [value("x")], [value("y")]), EXAMPLE, ir=9), function)


@fixture()
def function_overloads():
    """One domain and name, told apart by the overload alone."""
    nodes = [_call("F", outputs=["a"]), _call("F", ["a"], ["b"], overload="two"), _call("F", ["b"], ["c"])]
    nodes.append(_call("F", ["c"], ["y"], overload='odd "overload"\n'))
    nodes[2].overload = ""
    functions = [
        _function("F", ["p"], ["q"], [helper.make_node("Neg", ["p"], ["q"])], overload="two"),
        _function("F", ["p"], ["q"], [helper.make_node("Relu", ["p"], ["q"])]),
        _function("F", ["p"], ["q"], [helper.make_node("Abs", ["p"], ["q"])], overload='odd "overload"\n'),
        _function("F", ["p"], ["q"], [helper.make_node("Abs", ["p"], ["q"])], domain="com.other", overload="two"),
    ]
    return _with_functions(model(graph(nodes, [value("x")], [value("y")]), EXAMPLE, ("com.other", 1)), *functions)


@fixture(onnx_text=True)
def function_nested_calls():
    """Callers before and after their callees, other domains and opset versions inside."""
    outer = _function(
        "Outer",
        ["p"],
        ["q"],
        [_call("Middle", ["p"], ["r"], "org.other"), _call("Inner", ["r"], ["q"])],
        opsets=[("org.other", 1), EXAMPLE],
    )
    middle = _function(
        "Middle",
        ["p"],
        ["q"],
        [helper.make_node("Relu", ["p"], ["r"]), _call("Inner", ["r"], ["q"], overload="fast")],
        domain="org.other",
        opsets=[("", 20), EXAMPLE, ("unused.in.function", 4)],
    )
    inner = _function("Inner", ["p"], ["q"], [helper.make_node("Neg", ["p"], ["q"])])
    fast = _function("Inner", ["p"], ["q"], [helper.make_node("Abs", ["p"], ["q"])], overload="fast")
    nodes = [
        _call("Outer", outputs=["a"]),
        _if(
            "c",
            _branch("then", _call("Middle", ["a"], ["t"], "org.other"), outputs=["t"]),
            _branch("else", _call("Outer", ["a"], ["e"]), outputs=["e"]),
            ["y"],
        ),
    ]
    built = model(
        graph(nodes, [value("x"), value("c", (), BOOL)], [value("y")]), EXAMPLE, ("org.other", 1), ("com.other", 1)
    )
    return _with_functions(built, inner, outer, middle, fast)


@fixture()
def function_details():
    """Text, metadata, value information, omitted and unused values, names of the main graph."""
    body = [
        helper.make_node("Clip", ["x", "", "limit"], ["y"], name="clip"),
        helper.make_node("Dropout", ["y"], ["w", ""]),
        helper.make_node("Neg", ["x"], ["unused_result"]),
    ]
    body[0].doc_string = "inside a function"
    props(body[0], inside="yes")
    made = _function(
        "F",
        ["x", "limit", "unused"],
        ["w", "y"],
        body,
        doc_string="says what F does",
        value_info=[value("y"), value("not_there", (3,)), value("limit", ())],
    )
    props(made, origin="test", empty="")
    nodes = [_call("F", ["x", "", "x"], ["y", ""]), _call("F", ["x"], ["w"])]
    return _with_functions(model(graph(nodes, [value("x")], [value("y"), value("w")], name="F"), EXAMPLE), made)


@fixture()
def function_output_is_input():
    made = _function("F", ["p", "p2"], ["p2", "q"], [helper.make_node("Neg", ["p"], ["q"])])
    nodes = [_call("F", ["x", "x"], ["y", "z"])]
    return _with_functions(model(graph(nodes, [value("x")], [value("y"), value("z")]), EXAMPLE), made)


@fixture()
def function_without_body():
    made = _function("F", [], [], [])
    return _with_functions(plain_relu(), made, _function("G", ["p"], ["p"], [], opsets=[]))


@fixture()
def function_shadows_an_operator():
    """A function called Relu in the default domain, and in one that only looks like it."""
    made = [
        _function("Relu", ["p"], ["q"], [helper.make_node("Neg", ["p"], ["q"])], domain=""),
        _function("Relu", ["p"], ["q"], [helper.make_node("Abs", ["p"], ["q"])], domain="com.example"),
    ]
    nodes = [helper.make_node("Relu", ["x"], ["a"]), _call("Relu", ["a"])]
    return _with_functions(model(graph(nodes, [value("x")], [value("y")]), EXAMPLE), *made)


@fixture()
def function_never_called():
    made = _function("F", ["p"], ["q"], [helper.make_node("Neg", ["p"], ["q"])], domain="not.imported")
    return _with_functions(plain_relu(), made)


# ---------------------------------------------------------------------------
# Everything of case D15 at once
# ---------------------------------------------------------------------------


@fixture()
def all_at_once():
    """What optimisers were seen to lose, in one model with a head."""
    nodes = [
        helper.make_node("Add", ["x", "sparse"], ["shifted"], name="add_sparse"),
        helper.make_node("Thing", ["shifted"], ["t"], domain="com.example", name="custom"),
        helper.make_node("F", ["t"], ["f"], domain="com.local", name="call"),
        helper.make_node("MatMul", ["f", "w"], ["y"], name="dense"),
    ]
    nodes[0].doc_string = "adds a sparse tensor"
    inputs = [value("x", (4, 5))]
    inputs[0].doc_string = "the input"
    main = graph(
        nodes,
        inputs,
        [value("y", (4, 3))],
        [raw_floats("w", (5, 3))],
        doc_string="the graph",
        value_info=[value("shifted", (4, 5)), value("f", ("rows", 5))],
    )
    main.sparse_initializer.append(_sparse("sparse"))
    built = model(main, EXAMPLE, ("com.local", 1), ("unused", 3), ir=8, opset=17)
    built.doc_string = "the model"
    built.model_version = 7
    built.domain = "org.example"
    built.producer_name = "producer"
    props(built, licence="none")
    return _with_functions(
        built,
        _function("F", ["p"], ["q"], [helper.make_node("Relu", ["p"], ["q"])], domain="com.local", opsets=[("", 17)]),
    )


# ---------------------------------------------------------------------------
# Versions
# ---------------------------------------------------------------------------


def _ir_version_model(version: int) -> ModelProto:
    w = raw_floats("w", (2, 3))
    inputs = [value("x")] + ([value("w", (2, 3))] if version <= 3 else [])
    main = graph([helper.make_node("MatMul", ["x", "w"], ["y"])], inputs, [value("y", ("N", 3))], [w])
    return model(main, ir=version, opset=None if version < 3 else 7)


def _opset_model(version: int) -> ModelProto:
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"], axis=1),
        helper.make_node("MatMul", ["f", "w"], ["m"]),
        helper.make_node("Softmax", ["m"], ["y"], axis=1),
    ]
    inputs = [value("x", ("N", 2, 2, 2)), value("w", (8, 3))]
    main = graph(nodes, inputs, [value("y", ("N", 3))], [raw_floats("w", (8, 3))])
    return model(main, ir=3 if version < 9 else 8, opset=version)


for _version in range(1, 15):
    FIXTURES.append(Fixture(f"ir_version_{_version}", functools.partial(_ir_version_model, _version)))
for _version in range(1, onnx.defs.onnx_opset_version() + 1):
    FIXTURES.append(Fixture(f"opset_{_version}", functools.partial(_opset_model, _version)))


@fixture()
def opset_1_legacy_attributes():
    """Operators whose oldest form has attributes that later forms lack."""
    nodes = [
        helper.make_node("Add", ["x", "w"], ["a"], broadcast=1, axis=1),
        helper.make_node("Relu", ["a"], ["r"], consumed_inputs=[0]),
        helper.make_node("Reshape", ["r"], ["s"], shape=[0, -1]),
        helper.make_node("Dropout", ["s"], ["d"], is_test=1, ratio=0.25),
        helper.make_node("Cast", ["d"], ["y"], to="DOUBLE"),
    ]
    inputs = [value("x", ("N", 2)), value("w", (2,))]
    outputs = [value("y", ("N", 2), TensorProto.DOUBLE)]
    return model(graph(nodes, inputs, outputs, [raw_floats("w", (2,))]), ir=3, opset=1)


# ---------------------------------------------------------------------------
# External data
# ---------------------------------------------------------------------------


def _two_in_one_file() -> dict[str, bytes]:
    return {"sub/w.bin": b"head" * 16 + pattern(4096) + bytes(40) + pattern(12, step=5) + b"tail"}


@fixture(files=_two_in_one_file)
def external_two_tensors_in_one_file():
    """Offsets, a checksum, a tensor below and one above the size that matters inside a file."""
    digest = hashlib.sha1(_two_in_one_file()["sub/w.bin"]).hexdigest()
    w = external_tensor("w", FLOAT, (8, 128), location="sub/w.bin", offset=64, length=4096, checksum=digest)
    b = external_tensor("b", FLOAT, (3,), length=12, offset=64 + 4096 + 40, location="sub/w.bin")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Relu", ["b"], ["r"])]
    return model(graph(nodes, [value("x", ("N", 8))], [value("m", ("N", 128)), value("r", (3,))], [w, b]))


def _whole_file() -> dict[str, bytes]:
    return {"model.onnx.data": pattern(4800)}


@fixture(files=_whole_file)
def external_without_offset_and_length():
    """Under the name that PyTorch gives its data file."""
    w = external_tensor("w", FLOAT, (1200,), location="model.onnx.data")
    return model(graph([], [], [value("w", (1200,))], [w]))


def _two_files() -> dict[str, bytes]:
    return {"a b.bin": pattern(2000), "ü/deep/er.bin": pattern(3000, step=41), "empty.bin": b""}


@fixture(files=_two_files)
def external_everywhere():
    """Two files, in subgraphs, attributes, lists, functions, sparse tensors; empty tensors too."""
    in_constant = external_tensor("", FLOAT, (25,), location="a b.bin", offset=0, length=100)
    in_branch = external_tensor("tw", FLOAT, (500,), location="ü/deep/er.bin", offset=1000)
    in_list = [
        external_tensor("", TensorProto.UINT8, (1500,), location="a b.bin", offset=500, length=1500),
        raw_floats("", (2,)),
        external_tensor("", TensorProto.INT4, (3,), location="ü/deep/er.bin", offset=2998, length=2),
    ]
    nothing = external_tensor("nothing", FLOAT, (0, 5), location="empty.bin", offset=0, length=0)
    then = _branch("then", helper.make_node("Relu", ["tw"], ["t"]), outputs=["t"], initializers=[in_branch])
    other = _branch("else", helper.make_node("Relu", ["x"], ["e"]), outputs=["e"])
    nodes = [
        helper.make_node("Constant", [], ["k"], value=in_constant),
        _if("c", then, other, ["a"]),
        hold(attribute("list", "TENSORS", tensors=in_list), inputs=["a"]),
    ]
    main = graph(nodes, [value("x"), value("c", (), BOOL)], [value("y")], [nothing, large_floats("inside")])
    built = model(main, EXAMPLE)
    body = helper.make_node("Constant", [], ["q"], value=in_constant)
    return _with_functions(built, _function("F", [], ["q"], [body]))


# ---------------------------------------------------------------------------
# Legal encodings that protobuf does not write itself
# ---------------------------------------------------------------------------


def varint(number: int, padding: int = 0) -> bytes:
    """A base-128 number, with so many needless bytes at its end."""
    out = bytearray()
    number &= (1 << 64) - 1
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    for _ in range(padding):
        out[-1] |= 128
        out.append(0)
    return bytes(out)


def block(field: int, content: bytes, padding: int = 0) -> bytes:
    """A length-delimited field."""
    return varint(field << 3 | 2, padding) + varint(len(content), padding) + content


def number(field: int, content: int, padding: int = 0) -> bytes:
    """A varint field."""
    return varint(field << 3, padding) + varint(content, padding)


def model_bytes(graph_content: bytes, padding: int = 0) -> bytes:
    """A model of IR 8 and opset 17 around the content of a graph."""
    return (
        number(1, 8, padding)
        + block(7, graph_content + block(2, b"g", padding), padding)
        + block(8, number(2, 17, padding), padding)
    )


def _tensor_bytes(*fields: bytes, name: bytes = b"w") -> bytes:
    return block(5, b"".join(fields) + block(8, name))


_FLOATS_4 = struct.pack("<4f", 1, 2, -3, 0.5)
_RAW_LARGE = pattern(2048)


def _unpacked() -> bytes:
    """Packable lists, one tag for each entry."""
    tensor = b"".join(number(1, d) for d in (2, 2)) + number(2, 1)
    tensor += b"".join(b"\x25" + _FLOATS_4[i : i + 4] for i in range(0, 16, 4))
    return model_bytes(_tensor_bytes(tensor))


def _packed_where_unpacked_is_usual() -> bytes:
    dims = block(1, varint(2) + varint(2))
    tensor = dims + number(2, 1) + block(9, _FLOATS_4)
    axes = block(1, b"ints") + number(20, AttributeProto.INTS) + block(8, varint(-1) + varint(3))
    node = block(1, b"x") + block(2, b"y") + block(4, b"Hold") + block(5, axes) + block(7, b"com.example")
    main = block(1, node) + _tensor_bytes(tensor) + block(11, value("x").SerializeToString())
    return model_bytes(main) + block(8, block(1, b"com.example") + number(2, 1))


def _fields_in_reverse() -> bytes:
    tensor = block(9, _RAW_LARGE) + block(8, b"w") + number(2, 1) + number(1, 8) + number(1, 64)
    main = block(2, b"g") + block(5, tensor)
    return block(8, number(2, 17)) + block(7, main) + number(1, 8)


def _split_messages() -> bytes:
    """One message in several pieces: the pieces are merged."""
    first = _tensor_bytes(number(1, 512), number(2, 1), block(9, _RAW_LARGE))
    second = block(2, b"g") + _tensor_bytes(number(1, 4), number(2, 1), block(9, _FLOATS_4), name=b"v")
    return number(1, 8) + block(7, first) + block(8, number(2, 17)) + block(7, second)


def _fields_twice() -> bytes:
    """The last one holds."""
    tensor = _tensor_bytes(number(1, 4), number(2, 7), number(2, 1), block(8, b"not this"), block(9, _FLOATS_4))
    return number(1, 3) + block(2, b"nobody") + model_bytes(tensor + block(2, b"not this")) + block(2, b"me")


def _raw_data_twice(first: bytes, second: bytes) -> bytes:
    return model_bytes(_tensor_bytes(number(1, len(second) // 4), number(2, 1), block(9, first), block(9, second)))


def _needless_bytes() -> bytes:
    tensor = number(1, 512, 2) + number(2, 1, 1) + block(9, _RAW_LARGE, 2) + block(8, b"w", 1)
    return model_bytes(block(5, tensor, 2), 1)


# Name, bytes, and whether a clean refusal is as good as a faithful copy.
WIRE_FORMS: dict[str, tuple[bytes, bool]] = {
    "unpacked_lists": (_unpacked(), False),
    "packed_lists": (_packed_where_unpacked_is_usual(), False),
    "fields_in_reverse": (_fields_in_reverse(), False),
    "messages_in_pieces": (_split_messages(), False),
    "fields_twice": (_fields_twice(), False),
    "needless_varint_bytes": (_needless_bytes(), False),
    "raw_data_small_after_large": (_raw_data_twice(_RAW_LARGE, _FLOATS_4), True),
    "raw_data_large_after_small": (_raw_data_twice(_FLOATS_4, _RAW_LARGE), True),
    "raw_data_large_after_large": (_raw_data_twice(_RAW_LARGE, _RAW_LARGE[::-1]), True),
    "names_not_utf8": (
        model_bytes(_tensor_bytes(number(1, 4), number(2, 1), block(9, _FLOATS_4), name=b"\xff\xfe w")),
        True,
    ),
}


def with_unknown_fields() -> bytes:
    """A model with fields of some later version of ONNX at several levels."""
    future = block(1000, b"later") + number(1001, 5) + b"\xd5\x3e" + b"\0\0\x80\x3f"
    tensor = _tensor_bytes(number(1, 4), number(2, 1), block(9, _FLOATS_4), future)
    large = _tensor_bytes(number(1, 512), number(2, 1), block(9, _RAW_LARGE), future, name=b"large")
    node = block(1, b"x") + block(2, b"y") + block(4, b"Relu") + future
    relu = plain_relu()
    ends = block(11, relu.graph.input[0].SerializeToString()) + block(12, relu.graph.output[0].SerializeToString())
    return model_bytes(block(1, node) + tensor + large + ends + future) + future
