# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Broken models, made by hand or by breaking a good one.

REFUSED holds models that the tool must not accept, with the names that its
message must mention. TOLERATED holds models about which opinions differ: they
may be accepted or refused, but not crash the tool. EXTERNAL holds models whose
external data is at fault, with the files to put beside them. All three map a
name to a function, so that importing this module builds nothing.
"""

from __future__ import annotations

import dataclasses
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import AttributeProto, ModelProto, TensorProto, helper

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "RoundTrip"))
from roundtrip_support import load_neighbour  # noqa: E402

fixtures = load_neighbour("fixtures.py")
attribute, bare_value, block = (fixtures.attribute, fixtures.bare_value, fixtures.block)
external_tensor, graph, hold, model = (fixtures.external_tensor, fixtures.graph, fixtures.hold, fixtures.model)
model_bytes, number, pattern, raw_floats = (
    fixtures.model_bytes,
    fixtures.number,
    fixtures.pattern,
    fixtures.raw_floats,
)
raw_int64s, raw_tensor, value, varint = (fixtures.raw_int64s, fixtures.raw_tensor, fixtures.value, fixtures.varint)
EXAMPLE, FLOAT, BOOL = fixtures.EXAMPLE, fixtures.FLOAT, fixtures.BOOL
large_floats = fixtures.large_floats


@dataclasses.dataclass(frozen=True)
class Broken:
    """A model's bytes, and what a message about it has to name.

    A tuple among the names means: any one of these.
    """

    make: Callable[[], bytes]
    names: tuple[str | tuple[str, ...], ...] = ()


REFUSED: dict[str, Broken] = {}
TOLERATED: dict[str, Broken] = {}


def _register(table, *names):
    def register(make):
        def to_bytes() -> bytes:
            made = make()
            return made if isinstance(made, bytes) else made.SerializeToString()

        table[make.__name__] = Broken(to_bytes, names)
        return make

    return register


def refused(*names):
    return _register(REFUSED, *names)


def tolerated():
    return _register(TOLERATED)


def relu(source="x", target="y", name="") -> onnx.NodeProto:
    return helper.make_node("Relu", [source], [target], name=name)


def relus(*nodes, inputs=None, outputs=None, initializers=(), **more) -> ModelProto:
    """A model around some nodes, with x and c as inputs and y as output."""
    inputs = [value("x"), value("c", (), BOOL)] if inputs is None else inputs
    return model(graph(nodes, inputs, [value("y")] if outputs is None else outputs, initializers), EXAMPLE, **more)


# ---------------------------------------------------------------------------
# Not a model at all
# ---------------------------------------------------------------------------


@refused()
def empty_file():
    return b""


@refused()
def text():
    return b"This is not a model, but somebody gave it a model's ending.\n" * 20


@refused()
def zeros():
    return bytes(4096)


@refused()
def ones():
    return b"\xff" * 4096


@refused()
def another_file_format():
    return b"PK\x03\x04\x00\x00\x08\x08" + bytes(18) + b"archive/data.pkl" + pattern(300)


@refused()
def web_page():
    return b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n"


@refused()
def git_lfs_pointer():
    """What is left of a model when large files were not fetched."""
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 553442032\n"


@refused()
def model_without_graph():
    return number(1, 8) + block(8, number(2, 17))


# ---------------------------------------------------------------------------
# Wire format
# ---------------------------------------------------------------------------


def _wire(graph_content: bytes = b"") -> bytes:
    ends = block(11, value("x").SerializeToString()) + block(12, value("y").SerializeToString())
    return model_bytes(block(1, relu(name="n").SerializeToString()) + graph_content + ends)


def _lying_length(depth: int, claimed: int) -> bytes:
    """A length prefix that claims more than is left, so many messages deep."""
    inside = varint(1 << 3 | 2) + varint(claimed) + b"x"
    for field in (5, 1, 7)[3 - depth :]:
        inside = varint(field << 3 | 2) + varint(len(inside)) + inside
    return number(1, 8) + inside


for _depth in range(4):
    for _label, _claimed in (
        ("one_too_many", 2),
        ("two_gigabytes", 2**31 - 1),
        ("four_gigabytes", 2**32 + 1),
        ("sign_bit", 2**63),
        ("all_bits", 2**64 - 1),
    ):
        REFUSED[f"length_{_label}_at_depth_{_depth}"] = Broken(
            lambda depth=_depth, claimed=_claimed: _lying_length(depth, claimed)
        )


@refused()
def graph_length_too_large():
    content = _wire()
    at = content.index(b"\x3a")  # the graph's tag
    return content[: at + 1] + bytes([content[at + 1] + 40]) + content[at + 2 :]


@refused()
def raw_data_length_too_large():
    tensor = number(1, 512) + number(2, 1) + block(8, b"w") + varint(9 << 3 | 2) + varint(2**40) + bytes(2048)
    return model_bytes(varint(5 << 3 | 2) + varint(len(tensor)) + tensor)


@refused()
def raw_data_length_runs_past_its_tensor():
    """Enough bytes follow in the file, but they are not this tensor's."""
    tensor = number(1, 512) + number(2, 1) + block(8, b"w") + varint(9 << 3 | 2) + varint(2048) + bytes(100)
    return model_bytes(block(5, tensor)) + block(14, bytes(4096))


@refused()
def varint_of_eleven_bytes_as_tag():
    return _wire(b"\x80" * 10 + b"\x01" + b"x")


@refused()
def varint_of_eleven_bytes_as_length():
    return _wire(varint(10 << 3 | 2) + b"\x81" + b"\x80" * 9 + b"\x00" + b"d")


@refused()
def varint_of_eleven_bytes_as_value():
    return varint(5 << 3) + b"\x81" + b"\x80" * 9 + b"\x01" + _wire()


@refused()
def varint_without_end():
    return _wire() + varint(5 << 3) + b"\x80\x80"


@refused()
def fixed_numbers_cut_off():
    return _wire() + varint(100 << 3 | 1) + bytes(7)


@refused()
def wire_type_six():
    return _wire(varint(9 << 3 | 6) + b"abc")


@refused()
def wire_type_seven():
    return varint(1 << 3 | 7) + _wire()


@refused()
def field_number_zero():
    return _wire(varint(0 << 3 | 2) + b"\0")


@refused()
def group_without_end():
    return _wire() + varint(100 << 3 | 3) + number(1, 1)


@refused()
def group_without_start():
    return _wire() + varint(100 << 3 | 4)


@refused()
def group_ended_by_another():
    return _wire() + varint(100 << 3 | 3) + varint(101 << 3 | 4)


@refused()
def group_that_leaves_its_message():
    return _wire(varint(100 << 3 | 3)) + varint(100 << 3 | 4)


@tolerated()
def group_of_an_unknown_field():
    return _wire(varint(100 << 3 | 3) + number(1, 7) + varint(100 << 3 | 4))


@tolerated()
def group_instead_of_a_known_field():
    return _wire(varint(5 << 3 | 3) + block(8, b"w") + varint(5 << 3 | 4))


@tolerated()
def groups_ten_thousand_deep():
    return _wire(varint(100 << 3 | 3) * 10_000 + varint(100 << 3 | 4) * 10_000)


@refused()
def graph_is_a_number():
    return number(1, 8) + number(7, 5) + block(8, number(2, 17))


@refused("w_of_wrong_wire_type")
def raw_data_is_a_number():
    tensor = number(1, 4) + number(2, 1) + block(8, b"w_of_wrong_wire_type") + number(9, 5)
    return _wire(block(5, tensor))


@refused("w_of_wrong_wire_type")
def dims_are_fixed_numbers():
    """Protobuf knows no such field, so the tensor is a scalar with four values."""
    tensor = varint(1 << 3 | 5) + struct.pack("<I", 4) + number(2, 1) + block(8, b"w_of_wrong_wire_type")
    return _wire(block(5, tensor + block(9, bytes(16))))


@refused("w_of_wrong_wire_type")
def data_type_is_bytes():
    tensor = number(1, 4) + block(2, b"\1") + block(8, b"w_of_wrong_wire_type") + block(9, bytes(16))
    return _wire(block(5, tensor))


@refused()
def packed_floats_cut_off():
    return _wire(block(5, number(1, 2) + number(2, 1) + block(8, b"w") + block(4, bytes(7))))


@refused()
def operator_type_is_a_number():
    node = block(1, b"x") + block(2, b"y") + number(4, 7) + block(3, b"n")
    return model_bytes(block(1, node) + block(11, value("x").SerializeToString()))


@tolerated()
def ir_version_is_bytes():
    return block(1, b"\x08") + _wire()[2:]


@tolerated()
def names_are_numbers():
    return _wire(number(2, 3) + number(10, 5))


@tolerated()
def field_number_of_five_hundred_million():
    return _wire(block(2**29 - 1, b"x"))


# ---------------------------------------------------------------------------
# Depth
# ---------------------------------------------------------------------------


def nested_ifs(depth: int) -> bytes:
    """If in If in If: valid, with fields in protobuf's own order, written in linear time."""
    other_graph = block(1, block(1, b"x") + block(2, b"e") + block(4, b"Neg")) + block(2, b"e")
    other_graph += block(12, block(1, b"e"))
    kind = number(20, AttributeProto.GRAPH)
    other = block(5, block(1, b"else_branch") + block(6, other_graph) + kind)
    starts, ends, size = [], [], 0

    def wrap(start: bytes, end: bytes) -> None:
        nonlocal size
        starts.append(start)
        ends.append(end)
        size += len(start) + len(end)

    def message(field: int) -> None:
        wrap(varint(field << 3 | 2) + varint(size), b"")

    name = b"v0"
    wrap(block(1, block(1, b"x") + block(2, name) + block(4, b"Relu")), block(2, b"g") + block(12, block(1, name)))
    for level in range(1, depth + 1):
        name = b"v%d" % level
        message(6)
        wrap(block(1, b"then_branch"), kind)
        message(5)
        wrap(block(1, b"c") + block(2, name) + block(4, b"If") + other, b"")
        message(1)
        ends_here = block(12, block(1, name)) if level < depth else block(12, value(name.decode()).SerializeToString())
        inputs = b""
        if level == depth:
            inputs = block(11, value("x").SerializeToString()) + block(11, value("c", (), BOOL).SerializeToString())
        wrap(b"", block(2, b"g") + inputs + ends_here)
    content = b"".join(reversed(starts)) + b"".join(ends)
    return number(1, 8) + block(7, content) + block(8, number(2, 17))


def _nested(depth: int, core: bytes, *fields: int) -> bytes:
    """A message of one field inside itself, so many times."""
    starts, size = [], len(core)
    for _ in range(depth):
        for field in fields:
            starts.append(varint(field << 3 | 2) + varint(size))
            size += len(starts[-1])
    return b"".join(reversed(starts)) + core


@tolerated()
def ifs_two_hundred_deep():
    return nested_ifs(200)


@tolerated()
def ifs_ten_thousand_deep():
    return nested_ifs(10_000)


@tolerated()
def sequence_types_ten_thousand_deep():
    tensor = block(1, number(1, 1))
    sequences = _nested(10_000, tensor, 1, 4)
    return _wire(block(13, block(1, b"v") + block(2, sequences)))


@tolerated()
def unknown_messages_ten_thousand_deep():
    return _wire(_nested(10_000, b"", 1000))


@tolerated()
def functions_call_each_other_two_thousand_deep():
    built = relus(helper.make_node("F0", ["x"], ["y"], domain="com.example"))
    imports = [helper.make_opsetid("com.example", 1), helper.make_opsetid("", 21)]
    for i in range(2000):
        last = i == 1999
        node = helper.make_node("Relu" if last else f"F{i + 1}", ["p"], ["q"], domain="" if last else "com.example")
        built.functions.append(helper.make_function("com.example", f"F{i}", ["p"], ["q"], [node], imports))
    return built


# ---------------------------------------------------------------------------
# Tensors
# ---------------------------------------------------------------------------


def _tensor(dims, kind="FLOAT", name="bad_tensor", **data) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.DataType.Value(kind))
    tensor.dims.extend(dims)
    for field, content in data.items():
        if isinstance(content, list):
            getattr(tensor, field).extend(content)
        else:
            setattr(tensor, field, content)
    return tensor


def with_tensor(tensor: TensorProto) -> ModelProto:
    return relus(relu(name="n"), initializers=[tensor], ir=14, opset=25)


_WRONG_SIZES = {
    "raw_data_short": lambda: _tensor([4], raw_data=bytes(15)),
    "raw_data_long": lambda: _tensor([4], raw_data=bytes(17)),
    "raw_data_absent": lambda: _tensor([4]),
    "raw_data_for_no_elements": lambda: _tensor([0, 4], raw_data=bytes(4)),
    "raw_data_short_for_a_scalar": lambda: _tensor([], raw_data=bytes(3)),
    "large_raw_data_short": lambda: _tensor([1024], raw_data=bytes(4092)),
    "large_raw_data_long": lambda: _tensor([1024], raw_data=bytes(4100)),
    "large_raw_data_for_no_elements": lambda: _tensor([0], raw_data=bytes(2048)),
    "int4_short": lambda: _tensor([5], "INT4", raw_data=bytes(2)),
    "int4_long": lambda: _tensor([5], "INT4", raw_data=bytes(5)),
    "uint2_short": lambda: _tensor([9], "UINT2", raw_data=bytes(2)),
    "float6_short": lambda: _tensor([4], "FLOAT6E2M3", raw_data=bytes(2)),
    "complex128_short": lambda: _tensor([2], "COMPLEX128", raw_data=bytes(16)),
    "negative_dim": lambda: _tensor([-4], raw_data=bytes(16)),
    "two_negative_dims": lambda: _tensor([-2, -2], raw_data=bytes(16)),
    "most_negative_dim": lambda: _tensor([-(2**63)], raw_data=b""),
    "dims_overflow": lambda: _tensor([2**40, 2**40], raw_data=bytes(16)),
    "dims_overflow_to_four": lambda: _tensor([2**62 + 1, 4], raw_data=bytes(16)),
    "dims_overflow_in_bytes": lambda: _tensor([2**62], raw_data=bytes(16)),
    "dims_overflow_large": lambda: _tensor([2**32, 2**32], raw_data=bytes(2048)),
    "dims_huge_without_data": lambda: _tensor([2**40]),
    "float_data_short": lambda: _tensor([3], float_data=[1.0, 2.0]),
    "float_data_long": lambda: _tensor([3], float_data=[1.0] * 4),
    "float_data_single": lambda: _tensor([3], float_data=[1.0]),
    "float_data_odd_complex": lambda: _tensor([2], "COMPLEX64", float_data=[1.0] * 3),
    "int32_data_short": lambda: _tensor([2, 2], "INT32", int32_data=[1, 2, 3]),
    "int64_data_long": lambda: _tensor([1], "INT64", int64_data=[1, 2]),
    "double_data_short": lambda: _tensor([2], "DOUBLE", double_data=[1.0]),
    "uint64_data_short": lambda: _tensor([2], "UINT64", uint64_data=[1]),
    "string_data_short": lambda: _tensor([2], "STRING", string_data=[b"one"]),
    "string_data_long": lambda: _tensor([], "STRING", string_data=[b"one", b"two"]),
    "int64_in_float_field": lambda: _tensor([2], "INT64", float_data=[1.0, 2.0]),
    "float_in_int64_field": lambda: _tensor([2], int64_data=[1, 2]),
    "raw_and_typed": lambda: _tensor([2], raw_data=bytes(8), float_data=[0.0, 0.0]),
    "large_raw_and_typed": lambda: _tensor([512], raw_data=bytes(2048), float_data=[0.0] * 512),
    "two_typed_fields": lambda: _tensor([1], float_data=[0.0], int32_data=[0]),
    "strings_in_raw_data": lambda: _tensor([4], "STRING", raw_data=b"four"),
    "large_strings_in_raw_data": lambda: _tensor([2048], "STRING", raw_data=bytes(2048)),
    "type_undefined": lambda: _tensor([4], "UNDEFINED", raw_data=bytes(4)),
}
for _label, _make in _WRONG_SIZES.items():
    REFUSED["tensor_" + _label] = Broken(lambda make=_make: with_tensor(make()).SerializeToString(), ("bad_tensor",))


@refused("bad_tensor")
def tensor_of_type_99():
    """99 is nobody's element type; the enumeration's field is an int32, so it can be stored."""
    content = with_tensor(_tensor([4], raw_data=bytes(4))).SerializeToString()
    assert b"\x08\x04\x10\x01" in content
    return content.replace(b"\x08\x04\x10\x01", b"\x08\x04\x10\x63")


@refused("bad_tensor")
def large_tensor_of_type_99():
    tensor = _tensor([2048], raw_data=bytes(2048))
    tensor.data_type = 99
    return with_tensor(tensor)


@refused("bad_tensor")
def tensor_of_type_minus_one():
    tensor = _tensor([4], raw_data=bytes(4))
    tensor.data_type = -1
    return with_tensor(tensor)


@refused("bad_tensor")
def tensor_without_type():
    tensor = _tensor([4], raw_data=bytes(4))
    tensor.ClearField("data_type")
    return with_tensor(tensor)


@refused()
def initializer_without_name():
    return with_tensor(_tensor([1], name="", raw_data=bytes(4)))


@refused(("bad_constant", "bad_tensor"))
def tensor_short_in_a_constant():
    node = helper.make_node("Constant", [], ["k"], name="bad_constant", value=_tensor([4], raw_data=bytes(15)))
    return relus(node, relu())


@refused("bad_tensor")
def tensor_short_in_a_branch():
    then = graph([relu("bad_tensor", "t")], [], [bare_value("t")], [_tensor([4], raw_data=bytes(15))], "then")
    other = graph([relu("x", "e")], [], [bare_value("e")], name="else")
    return relus(helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other))


@refused()
def tensor_short_in_a_function():
    built = relus(relu())
    node = helper.make_node("Constant", [], ["q"], value=_tensor([1024], raw_data=bytes(4092)))
    built.functions.append(helper.make_function("com.example", "F", [], ["q"], [node], [helper.make_opsetid("", 21)]))
    return built


@refused("bad_input")
def input_of_type_99():
    return relus(relu("bad_input"), inputs=[value("bad_input", ("N", 2), 99)])


@tolerated()
def dims_overflow_times_zero():
    return with_tensor(_tensor([2**40, 2**40, 0], raw_data=b""))


@tolerated()
def input_dims_overflow():
    return relus(relu(), inputs=[value("x", (2**40, 2**40, 2**40))])


@tolerated()
def input_of_rank_ten_thousand():
    return relus(relu(), inputs=[value("x", [1] * 10_000)])


@tolerated()
def input_of_negative_dim():
    return relus(relu(), inputs=[value("x", (-5, -(2**63)))])


def _sparse(indices: list[int], dims, count: int = 2) -> ModelProto:
    built = relus(relu())
    values = helper.make_tensor("bad_sparse", FLOAT, [count], [1.0] * count)
    made = helper.make_sparse_tensor(values, raw_int64s("", (len(indices),), indices), dims)
    built.graph.sparse_initializer.append(made)
    return built


@tolerated()
def sparse_index_out_of_range():
    return _sparse([0, 2**62], [4, 5])


@tolerated()
def sparse_indices_too_few():
    return _sparse([0], [4, 5])


@tolerated()
def sparse_dims_overflow():
    return _sparse([0, 1], [2**40, 2**40])


@tolerated()
def sparse_without_values():
    built = relus(relu())
    built.graph.sparse_initializer.add().dims.append(3)
    return built


# ---------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------


def _if(then_nodes, then_output, name="branch", **then_more) -> onnx.NodeProto:
    then = graph(then_nodes, then_more.pop("inputs", ()), [bare_value(then_output)], name="then", **then_more)
    other = graph([relu("x", "e")], [], [bare_value("e")], name="else")
    return helper.make_node("If", ["c"], ["y"], name=name, then_branch=then, else_branch=other)


@refused("r6")
def value_defined_twice():
    """Found in a published model: one name for the results of two nodes."""
    nodes = [relu("x", "r5"), relu("r5", "r6", "first"), relu("r6", "r7"), relu("r5", "r6", "second")]
    return relus(*nodes, relu("r6", "y"))


@refused("r6")
def value_defined_twice_by_one_node():
    return relus(helper.make_node("Split", ["x"], ["r6", "r6"], num_outputs=2, name="split"), relu("r6"))


@refused("r6")
def initializer_twice():
    return relus(relu("r6"), initializers=[raw_floats("r6", (2,)), raw_floats("r6", (2,))])


@refused("r6")
def initializer_twice_large():
    return relus(relu("r6"), initializers=[large_floats("r6"), raw_floats("v", (2,)), large_floats("r6")])


@refused("r6")
def initializer_dense_and_sparse():
    built = relus(relu("r6"), initializers=[raw_floats("r6", (4, 5))])
    built.graph.sparse_initializer.append(fixtures._sparse("r6"))
    return built


@refused("r6")
def input_twice():
    return relus(relu("r6"), inputs=[value("r6"), value("r6")])


@refused("r6")
def result_named_like_an_input():
    return relus(relu("r6", "r6", "n"), relu("r6"), inputs=[value("r6")])


@refused("r6")
def result_named_like_an_initializer():
    return relus(relu("x", "r6", "n"), relu("r6"), initializers=[raw_floats("r6", (2,))])


@refused("r6")
def branch_result_shadows_an_outer_result():
    return relus(relu("x", "r6"), _if([relu("x", "r6", "inner")], "r6"))


@refused("r6")
def branch_result_shadows_an_input():
    return relus(_if([relu("x", "r6", "inner")], "r6"), inputs=[value("x"), value("c", (), BOOL), value("r6")])


@refused("r6")
def value_defined_twice_in_a_branch():
    return relus(_if([relu("x", "r6", "one"), relu("x", "r6", "two")], "r6"))


@refused("r6")
def value_defined_twice_in_a_function():
    built = relus(helper.make_node("F", ["x"], ["y"], domain="com.example"))
    nodes = [relu("p", "r6"), relu("p", "r6")]
    built.functions.append(
        helper.make_function("com.example", "F", ["p"], ["r6"], nodes, [helper.make_opsetid("", 21)])
    )
    return built


@tolerated()
def branch_initializer_shadows_an_outer_value():
    return relus(relu("x", "r6"), _if([relu("r6", "t")], "t", initializers=[raw_floats("r6", (2,))]))


@tolerated()
def body_input_shadows_an_outer_value():
    body = graph(
        [relu("r6", "out"), helper.make_node("Identity", ["k"], ["ko"])],
        [value("i", (), TensorProto.INT64), value("k", (), BOOL), value("r6")],
        [value("ko", (), BOOL), value("out")],
        name="body",
    )
    return relus(relu("x", "r6"), helper.make_node("Loop", ["", "c", "r6"], ["y"], body=body))


@tolerated()
def outer_result_after_the_branch_that_has_the_name():
    node = _if([relu("x", "r6")], "r6")
    return relus(node, relu("x", "r6"))


@refused("r6")
def undefined_value():
    return relus(relu("r6", "y", "reader"))


@refused("r6")
def undefined_value_in_a_branch():
    return relus(_if([relu("r6", "t", "reader")], "t"))


@refused("r6")
def undefined_output():
    return relus(relu("x", "y"), outputs=[value("y"), value("r6")])


@refused("r6")
def branch_output_undefined():
    return relus(_if([relu("x", "t")], "r6"))


@refused("r6")
def value_of_a_branch_used_outside():
    return relus(_if([relu("x", "r6")], "r6"), relu("r6", "z", "reader"))


@refused("r6")
def value_of_the_other_branch():
    then = graph([relu("x", "r6")], [], [bare_value("r6")], name="then")
    other = graph([relu("r6", "e", "reader")], [], [bare_value("e")], name="else")
    return relus(helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other))


@refused("r6")
def function_reads_the_main_graph():
    built = relus(relu("x", "r6"), helper.make_node("F", ["r6"], ["y"], domain="com.example"))
    node = helper.make_node("Add", ["p", "r6"], ["q"], name="reader")
    built.functions.append(
        helper.make_function("com.example", "F", ["p"], ["q"], [node], [helper.make_opsetid("", 21)])
    )
    return built


@refused(("r6", "self"))
def node_reads_itself():
    return relus(helper.make_node("Add", ["x", "r6"], ["r6"], name="self"), relu("r6"))


@refused(("r6", "r7", "first", "second"))
def nodes_read_each_other():
    first = helper.make_node("Add", ["x", "r7"], ["r6"], name="first")
    second = helper.make_node("Neg", ["r6"], ["r7"], name="second")
    return relus(first, second, relu("r6"))


@refused(("own_result", "branch_node", "reader"))
def branch_reads_its_own_result():
    node = _if([relu("own_result", "t", "reader")], "t", "branch_node")
    node.output[0] = "own_result"
    return relus(node, relu("own_result"))


@refused()
def cycle_of_a_thousand_nodes():
    return relus(*(relu(f"r{i}", f"r{(i + 1) % 1000}") for i in range(1000)), relu("r5"))


# ---------------------------------------------------------------------------
# Nodes and operators
# ---------------------------------------------------------------------------


@refused("odd_one", "NoSuchOperator")
def unknown_operator():
    return relus(helper.make_node("NoSuchOperator", ["x"], ["y"], name="odd_one"))


@refused("odd_one", "NoSuchOperator")
def unknown_operator_in_a_branch():
    return relus(_if([helper.make_node("NoSuchOperator", ["x"], ["t"], name="odd_one")], "t"))


@refused("NoSuchOperator")
def unknown_operator_without_node_name():
    """No node name: the result's name tells which node it is."""
    return relus(helper.make_node("NoSuchOperator", ["x"], ["y"]))


@refused("odd_one", "NoSuchOperator")
def unknown_operator_of_ml_domain():
    node = helper.make_node("NoSuchOperator", ["x"], ["y"], name="odd_one", domain="ai.onnx.ml")
    return model(graph([node], [value("x")], [value("y")]), ("ai.onnx.ml", 3))


@refused("odd_one", "Gelu")
def operator_of_a_later_opset():
    """Gelu came with opset 20: at 13 there is no such operator."""
    return relus(helper.make_node("Gelu", ["x"], ["y"], name="odd_one"), opset=13)


@refused("odd_one", "Relu")
def too_many_inputs():
    return relus(helper.make_node("Relu", ["x", "x"], ["y"], name="odd_one"))


@refused("odd_one", "Add")
def too_few_inputs():
    return relus(helper.make_node("Add", ["x"], ["y"], name="odd_one"))


@refused("odd_one", "Gemm")
def too_few_inputs_of_a_dense_layer():
    return relus(helper.make_node("Gemm", ["x"], ["y"], name="odd_one"))


@refused("odd_one", "Relu")
def too_many_outputs():
    return relus(helper.make_node("Relu", ["x"], ["y", "z"], name="odd_one"))


@refused("odd_one", "Flatten")
def no_outputs():
    return relus(helper.make_node("Flatten", ["x"], [], name="odd_one"), relu())


@refused("odd_one", "Add")
def required_input_omitted():
    return relus(helper.make_node("Add", ["x", ""], ["y"], name="odd_one"))


@refused()
def message_with_line_breaks_in_names():
    """Names from the file end up in the message, which is one line all the same."""
    node = helper.make_node("No\nSuch\r\nOperator", ["x"], ["y"], name="odd\none\u2028\x1b[31m")
    return relus(node)


@refused()
def empty_operator_type():
    return relus(helper.make_node("", ["x"], ["y"], name="odd_one"))


@tolerated()
def operator_deprecated():
    node = helper.make_node("Upsample", ["x", "s"], ["y"], name="old", mode="nearest")
    return relus(node, initializers=[raw_floats("s", (2,), [1.0, 2.0])], ir=8, opset=12)


@tolerated()
def unknown_attribute_of_a_known_operator():
    return relus(helper.make_node("Relu", ["x"], ["y"], name="odd_one", axis=1))


@tolerated()
def required_attribute_absent():
    return relus(helper.make_node("Cast", ["x"], ["y"], name="odd_one"))


@tolerated()
def attribute_twice():
    node = hold(attribute("a", "INT", i=1), attribute("a", "INT", i=2))
    return relus(node)


@tolerated()
def attribute_type_and_content_differ():
    made = AttributeProto(name="a", type=AttributeProto.INT)
    made.floats.append(1.0)
    made.s = b"text"
    return relus(hold(made))


@tolerated()
def attribute_without_type():
    return relus(hold(AttributeProto(name="a", i=3)))


@tolerated()
def attribute_without_name():
    return relus(hold(AttributeProto(type=AttributeProto.INT, i=3)))


@tolerated()
def attribute_of_type_99():
    content = relus(hold(attribute("a", "INT", i=3))).SerializeToString()
    assert b"\xa0\x01\x02" in content
    return content.replace(b"\xa0\x01\x02", b"\xa0\x01\x63")


@tolerated()
def attribute_reference_in_the_main_graph():
    made = AttributeProto(name="a", type=AttributeProto.INT, ref_attr_name="b")
    return relus(hold(made))


@tolerated()
def graph_attribute_absent():
    return relus(helper.make_node("If", ["c"], ["y"], name="odd_one"))


@tolerated()
def flatten_axis_out_of_range():
    return relus(helper.make_node("Flatten", ["x"], ["y"], axis=2**62))


@tolerated()
def transpose_permutation_out_of_range():
    return relus(helper.make_node("Transpose", ["x"], ["y"], perm=[5, -7]))


@tolerated()
def reshape_to_overflow():
    return relus(
        helper.make_node("Reshape", ["x", "s"], ["y"]), initializers=[raw_int64s("s", (3,), [2**62, 2**62, -1])]
    )


@tolerated()
def dense_layer_of_wrong_sizes():
    nodes = fixtures.head_nodes()
    weights = [raw_floats("w", (3, 9)), raw_floats("b", (4,))]
    return relus(*nodes, inputs=[value("x", ("N", 2, 2, 2))], initializers=weights)


@tolerated()
def dense_layer_of_wrong_types():
    nodes = fixtures.head_nodes()
    weights = [raw_int64s("w", (3, 8), [1] * 24), raw_floats("b", (3,))]
    return relus(*nodes, inputs=[value("x", ("N", 2, 2, 2))], initializers=weights)


@tolerated()
def dense_layer_of_wrong_ranks():
    nodes = fixtures.head_nodes()
    weights = [raw_floats("w", ()), raw_floats("b", (1, 1, 3))]
    return relus(*nodes, inputs=[value("x", ())], initializers=weights)


@tolerated()
def dense_layer_of_no_elements():
    nodes = fixtures.head_nodes()
    weights = [raw_floats("w", (0, 0)), raw_floats("b", (0,))]
    return relus(*nodes, inputs=[value("x", (0, 0, 0, 0))], initializers=weights)


# ---------------------------------------------------------------------------
# Model
# ---------------------------------------------------------------------------


@tolerated()
def no_opset_import():
    return relus(relu(), opset=None)


@tolerated()
def domain_not_imported():
    return relus(helper.make_node("Thing", ["x"], ["y"], domain="not.imported"))


@tolerated()
def opset_from_the_future():
    return relus(relu(), opset=9999)


@tolerated()
def opset_version_negative():
    return relus(relu(), opset=-3)


@tolerated()
def opset_version_huge():
    return relus(relu(), opset=2**63 - 1)


@tolerated()
def ir_version_from_the_future():
    return relus(relu(), ir=2**63 - 1)


@tolerated()
def ir_version_negative():
    return relus(relu(), ir=-1)


@tolerated()
def ir_version_absent():
    built = relus(relu())
    built.ClearField("ir_version")
    return built


@tolerated()
def graph_without_name():
    built = relus(relu())
    built.graph.ClearField("name")
    return built


@tolerated()
def input_without_name():
    return relus(relu(), inputs=[value("x"), value("")])


@tolerated()
def function_calls_itself():
    built = relus(helper.make_node("F", ["x"], ["y"], domain="com.example"))
    node = helper.make_node("F", ["p"], ["q"], domain="com.example")
    imports = [helper.make_opsetid("com.example", 1)]
    built.functions.append(helper.make_function("com.example", "F", ["p"], ["q"], [node], imports))
    return built


@tolerated()
def function_twice():
    built = relus(helper.make_node("F", ["x"], ["y"], domain="com.example"))
    made = helper.make_function("com.example", "F", ["p"], ["q"], [relu("p", "q")], [helper.make_opsetid("", 21)])
    built.functions.extend([made, made])
    return built


@tolerated()
def function_called_with_too_many_inputs():
    built = relus(helper.make_node("F", ["x", "x", "x"], ["y", "z"], domain="com.example"))
    built.functions.append(
        helper.make_function("com.example", "F", ["p"], ["q"], [relu("p", "q")], [helper.make_opsetid("", 21)])
    )
    return built


# ---------------------------------------------------------------------------
# External data
# ---------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class BrokenExternal:
    """What the tensor says about its bytes, and how its folder is prepared."""

    entries: dict[str, object]
    prepare: Callable[[Path], None]
    element_type: int = FLOAT
    dims: tuple[int, ...] = (512,)

    def write(self, folder: Path) -> Path:
        self.prepare(folder)
        tensor = external_tensor("bad_tensor", self.element_type, self.dims, **self.entries)
        path = folder / "model.onnx"
        path.write_bytes(with_tensor(tensor).SerializeToString())
        return path


def _data(size: int, name: str = "w.bin"):
    def prepare(folder: Path) -> None:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(pattern(size))

    return prepare


def _link(target: str, name: str = "w.bin", directory: bool = False):
    """Data outside the model's folder, which is itself inside the test's."""

    def prepare(folder: Path) -> None:
        outside = folder.parent / "outside"
        outside.mkdir(exist_ok=True)
        (outside / "w.bin").write_bytes(pattern(2048))
        (folder / name).symlink_to(target, target_is_directory=directory)

    return prepare


def _outside(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "w.bin").write_bytes(pattern(2048))


def _at(**entries) -> dict[str, object]:
    return {"location": "w.bin", **entries}


EXTERNAL: dict[str, BrokenExternal] = {
    "file_missing": BrokenExternal(_at(offset=0, length=2048), lambda folder: None),
    "folder_missing": BrokenExternal({"location": "no/such/folder/w.bin"}, lambda folder: None),
    "file_empty": BrokenExternal(_at(offset=0, length=2048), _data(0)),
    "file_short": BrokenExternal(_at(offset=0, length=2048), _data(2047)),
    "file_short_for_offset": BrokenExternal(_at(offset=1, length=2048), _data(2048)),
    "file_short_without_length": BrokenExternal(_at(), _data(2044)),
    "length_short": BrokenExternal(_at(offset=0, length=2044), _data(4096)),
    "length_long": BrokenExternal(_at(offset=0, length=2052), _data(4096)),
    "length_zero": BrokenExternal(_at(offset=0, length=0), _data(4096)),
    "length_negative": BrokenExternal(_at(offset=0, length=-2048), _data(4096)),
    "length_overflow": BrokenExternal(_at(offset=0, length=2**64 + 2048), _data(4096)),
    "length_all_bits": BrokenExternal(_at(offset=0, length=2**64 - 1), _data(4096)),
    "length_no_number": BrokenExternal(_at(offset=0, length="2048 bytes"), _data(4096)),
    "offset_negative": BrokenExternal(_at(offset=-1, length=2048), _data(4096)),
    "offset_beyond_the_end": BrokenExternal(_at(offset=4096, length=2048), _data(4096)),
    "offset_overflow": BrokenExternal(_at(offset=2**64, length=2048), _data(4096)),
    "offset_and_length_overflow": BrokenExternal(_at(offset=2**63 - 1024, length=2048), _data(4096)),
    "offset_and_length_wrap": BrokenExternal(_at(offset=2**64 - 2048, length=2048), _data(4096)),
    "offset_of_many_digits": BrokenExternal(_at(offset="9" * 400, length=2048), _data(4096)),
    "offset_no_number": BrokenExternal(_at(offset="zero", length=2048), _data(4096)),
    "offset_hexadecimal": BrokenExternal(_at(offset="0x10", length=2048), _data(4096)),
    "dims_overflow": BrokenExternal(_at(offset=0, length=2048), _data(4096), dims=(2**62 + 128, 4)),
    "dims_negative": BrokenExternal(_at(offset=0, length=2048), _data(4096), dims=(-512,)),
    "type_undefined": BrokenExternal(_at(offset=0, length=2048), _data(4096), element_type=0),
    "type_99": BrokenExternal(_at(offset=0, length=2048), _data(4096), element_type=99),
    "location_absent": BrokenExternal({"offset": 0, "length": 2048}, _data(4096)),
    "location_empty": BrokenExternal({"location": "", "length": 2048}, _data(4096)),
    "location_is_a_folder": BrokenExternal({"location": "sub", "length": 2048}, _data(4096, "sub/w.bin")),
    "location_is_this_folder": BrokenExternal({"location": ".", "length": 2048}, _data(4096)),
    "location_absolute": BrokenExternal({"location": "/etc/passwd"}, lambda folder: None),
    "location_absolute_device": BrokenExternal({"location": "/dev/zero", "length": 2048}, lambda folder: None),
    "location_climbs": BrokenExternal({"location": "../outside/w.bin"}, _outside),
    "location_climbs_after_going_down": BrokenExternal({"location": "sub/../../outside/w.bin"}, _outside),
    "location_climbs_with_dots_between": BrokenExternal({"location": "./.././outside//w.bin"}, _outside),
    "location_has_a_nul": BrokenExternal({"location": "w.bin\0.safe", "length": 2048}, _data(4096)),
    "location_through_a_file": BrokenExternal({"location": "w.bin/w.bin", "length": 2048}, _data(4096)),
    "location_too_long": BrokenExternal({"location": "w" * 100_000}, lambda folder: None),
    "link_to_outside": BrokenExternal(_at(), _link("../outside/w.bin")),
    "link_to_absolute": BrokenExternal(_at(), _link("/etc/passwd")),
    "link_to_outside_folder": BrokenExternal({"location": "sub/w.bin"}, _link("../outside", "sub", True)),
    "link_to_nothing": BrokenExternal(_at(), _link("nowhere")),
    "link_to_itself": BrokenExternal(_at(), _link("w.bin")),
    # A reader that simply opens a FIFO waits for ever.
    "location_is_a_fifo": BrokenExternal(_at(offset=0, length=2048), lambda folder: os.mkfifo(folder / "w.bin")),
}


# ----------------------------------------------------------------------------
# Attributes of another type than the schema's
# ----------------------------------------------------------------------------


@refused("flat", "axis")
def attribute_of_another_type():
    """Read as absent, the attribute would be lost and the default used."""
    node = helper.make_node("Flatten", ["x"], ["y"], name="flat")
    node.attribute.append(helper.make_attribute("axis", 1.5))
    return relus(node)


@refused("flat", "axis")
def attribute_that_is_a_list():
    node = helper.make_node("Flatten", ["x"], ["y"], name="flat")
    node.attribute.append(helper.make_attribute("axis", [1, 2]))
    return relus(node)


# ----------------------------------------------------------------------------
# Keys by which the tool itself says where it left a tensor's bytes
# ----------------------------------------------------------------------------


def _marked(size: int, file: str, offset: int) -> TensorProto:
    """A tensor that claims to have been left in a file, or in memory."""
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[size])
    for key, text in (("file", file), ("offset", offset), ("length", 4 * size)):
        entry = tensor.external_data.add()
        entry.key, entry.value = f"headopt.{key}", str(text)
    return tensor


@refused("headopt.file")
def reserved_key_that_names_memory():
    return relus(helper.make_node("Add", ["x", "w"], ["y"]), initializers=[_marked(4, "", 4096)])


@refused("headopt.file")
def reserved_key_that_names_a_file():
    """Any file could be read this way, wherever it is."""
    return relus(helper.make_node("Add", ["x", "w"], ["y"]), initializers=[_marked(1, "/etc/hostname", 0)])


@refused("headopt.file")
def reserved_key_in_a_long_message():
    tensor = _marked(4, "", 0)
    tensor.doc_string = "long " * 1000
    return relus(helper.make_node("Add", ["x", "w"], ["y"]), initializers=[tensor])


@refused("headopt.file")
def reserved_key_in_an_attribute():
    return relus(hold(attribute("t", "TENSOR", t=_marked(4, "", 0))))
