// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MLIR as ONNX: text that is checked here, and a binary file that is checked as
// MLIR. Values that have no name get one that is free.
//
// RUN: split-file %s %t
// RUN: head-opt %t/model.mlir --emit=onnxtxt | FileCheck %s --match-full-lines --strict-whitespace
// RUN: head-opt %t/model.mlir -o %t/model.onnxtxt
// RUN: head-opt %t/model.onnxtxt --no-rewrite -o %t/again.mlir
// RUN: head-opt %t/again.mlir -o %t/again.onnxtxt
// RUN: diff %t/model.onnxtxt %t/again.onnxtxt
// RUN: head-opt %t/model.mlir -o %t/model.onnx
// RUN: head-opt %t/model.onnx --no-rewrite --emit=mlir | FileCheck %s --check-prefix=BINARY
// RUN: head-opt %t/elements.mlir -o %t/elements.onnx
// RUN: head-opt %t/elements.onnx --no-rewrite --emit=mlir | FileCheck %s --check-prefix=ELEMENTS

//      CHECK:<
// CHECK-NEXT:   ir_version: 10,
// CHECK-NEXT:   opset_import: ["" : 21, "local" : 1],
// CHECK-NEXT:   producer_name: "lit",
// CHECK-NEXT:   model_version: 3,
// CHECK-NEXT:   doc_string: "of the model",
// CHECK-NEXT:   metadata_props: ["license": "none"]
// CHECK-NEXT:>
// `b` may be overridden: it is both an input and an initializer. `value_0` is
// taken.
// CHECK-NEXT:everything (float[N,3] x, float[3] b, bool value_1, map(int64, string) m, seq(uint8[?]) s, optional(double[]) o,  u) => (float[N,3] y, float[?,3] value_6, float[3] b){{ ?}}
// CHECK-NEXT:   <float[3] b =  {1,2,3}, int64[2] shape =  {0,-1}, string[2] words = {"one", "two"}, bool t =  {1}, float[N,3] inner>
// CHECK-NEXT:{
// CHECK-NEXT:   [first] inner = Relu (x)
// CHECK-NEXT:   y = If (value_1) <then_branch: graph = then_graph () => (float[N,3] q) {
// CHECK-NEXT:      q = Add (inner, b)
// CHECK-NEXT:   }, else_branch: graph = else_graph () => ( e){{ ?}}
// CHECK-NEXT:      <float k =  {2}>
// CHECK-NEXT:{
// CHECK-NEXT:      e = Clip (inner, "", k)
// CHECK-NEXT:   }>
// CHECK-NEXT:   value_2, mask = Dropout (x, "", t)
// CHECK-NEXT:   value_3 = Reshape (value_2, shape)
// CHECK-NEXT:   value_4, "", value_5 = local.Split <mode: string = "low", axes: ints = [1, 2], alpha: float = 0.5> (value_3)
// CHECK-NEXT:   value_6 = local.twice <factor: float = 2> (value_5)
// CHECK-NEXT:   value_0 = Relu (value_6)
// CHECK-NEXT:}
// CHECK-NEXT:<
// CHECK-NEXT:  domain: "local",
// CHECK-NEXT:  opset_import: ["" : 20]
// CHECK-NEXT:>
// CHECK-NEXT:twice <factor>(a) => (v)
// CHECK-NEXT:{
// CHECK-NEXT:   f = Constant <value_float: float = @factor> ()
// CHECK-NEXT:   u = Mul (a, f)
// CHECK-NEXT:   v = Identity (u)
// CHECK-NEXT:}

// ONNX text has no doc strings of graphs, nodes, values and functions; the
// binary file has.
// BINARY:      module attributes {onnx.model = {ir_version = 10 : i64,
// BINARY-SAME:   rest = "producer_name: \22lit\22 model_version: 3 doc_string: \22of the model\22 metadata_props { key: \22license\22 value: \22none\22 }"}}
// BINARY-NEXT: func.func @main_graph(
// BINARY-SAME:   %[[B:[^:]*]]: tensor<3xf32> {onnx.name = "b"}, %{{[^:]*}}: tensor<i1> {onnx.name = "value_1"}
// BINARY-SAME:   !onnx.unknown {onnx.info = "type { map_type { key_type: 7 value_type { tensor_type { elem_type: 8 shape { } } } } } doc_string: \22of the value\22", onnx.name = "m"}
// BINARY-SAME:   -> (tensor<?x3xf32> {onnx.dim_params = ["N", ""], onnx.name = "y"}, tensor<?x3xf32> {onnx.name = "value_6"}, tensor<3xf32> {onnx.name = "b"})
// BINARY-SAME:   onnx.graph = {name = "everything", rest = "doc_string: \22of the graph\22", value_info = [{dim_params = ["N", ""], name = "inner", type = tensor<?x3xf32>}]}
// BINARY:        %[[NONE:.*]] = onnx.none
// BINARY:        %[[DB:.*]] = onnx.initializer "b" dense<[1.000000e+00, 2.000000e+00, 3.000000e+00]> : tensor<3xf32> default_of %[[B]]
// BINARY:        onnx.Relu(%{{.*}}) {node_name = "first", outs = ["inner"], rest = "doc_string: \22of the node\22"}
// BINARY:        onnx.node "If"
// BINARY-NEXT:     onnx.Add(%{{.*}}, %[[DB]]) {outs = ["q"]}
// BINARY:        } attributes {attr_order = ["then_branch", "else_branch"], graphs = [{attr = "then_branch", name = "then_graph", rest = "doc_string: \22of the subgraph\22"}, {attr = "else_branch", name = "else_graph"}], outs = ["y"]}
// BINARY:        onnx.Dropout(%{{.*}}, %[[NONE]], %{{.*}}) {outs = ["value_2", "mask"]}
// A function's symbol is made from its name.
// BINARY:      func.func private @"local::twice"
// BINARY-SAME:   onnx.function = {domain = "local", name = "twice", opset_imports = [{domain = "", version = 20 : i64}], rest = "attribute: \22factor\22 doc_string: \22of the function\22"}

// A resource becomes part of the model; the other tensors are as they were.
//      ELEMENTS: onnx.initializer "resource" dense<[1, 2]> : tensor<2xi32> -> tensor<2xi32>
// ELEMENTS-NEXT: onnx.initializer "f8" dense<[1.000000e+00, -2.000000e+00]> : tensor<2xf8E4M3FN> -> tensor<2xf8E4M3FN>
// ELEMENTS-NEXT: onnx.initializer "f4" #onnx.tensor<elements = dense<[1.000000e+00, -2.000000e+00, 3.000000e+00]> : tensor<3xf4E2M1FN>, typed = true> : tensor<3xf4E2M1FN> -> tensor<3xf4E2M1FN>
// ELEMENTS-NEXT: onnx.initializer "i4" #onnx.tensor<elements = dense<[1, -2, 3]> : tensor<3xi4>, typed = true> : tensor<3xi4> -> tensor<3xi4>
// ELEMENTS-NEXT: onnx.initializer "u16" #onnx.tensor<elements = dense<[1, 65535]> : tensor<2xui16>, typed = true> : tensor<2xui16> -> tensor<2xui16>
// ELEMENTS-NEXT: onnx.initializer "f16" dense<1.000000e+00> : tensor<2xf16> -> tensor<2xf16>
// ELEMENTS-NEXT: onnx.initializer "f16t" #onnx.tensor<elements = dense<1.000000e+00> : tensor<2xf16>, typed = true> : tensor<2xf16> -> tensor<2xf16>
// ELEMENTS-NEXT: onnx.initializer "i8" #onnx.tensor<elements = dense<-3> : tensor<2xi8>, typed = true> : tensor<2xi8> -> tensor<2xi8>
// ELEMENTS-NEXT: onnx.initializer "proto" #onnx.proto<"dims: 1 data_type: 9 int32_data: 2"> -> tensor<1xi1>
// ELEMENTS-NEXT: onnx.initializer "f64" dense<1.000000e-01> : tensor<f64> -> tensor<f64>
// ELEMENTS-NEXT: onnx.initializer "nan" dense<[0x7FC00000, 0x7F800000]> : tensor<2xf32> -> tensor<2xf32>
// ELEMENTS-NEXT: onnx.initializer "c" dense<(1.000000e+00,2.000000e+00)> : tensor<1xcomplex<f32>> -> tensor<1xcomplex<f32>>
// ELEMENTS-NEXT: onnx.initializer "u64" dense<18446744073709551615> : tensor<1xui64> -> tensor<1xui64>
// ELEMENTS-NEXT: onnx.initializer "none" dense<> : tensor<0x2xf32> -> tensor<0x2xf32>
// ELEMENTS-NEXT: onnx.initializer "b" dense<true> : tensor<3xi1> -> tensor<3xi1>
// ELEMENTS-NEXT: onnx.initializer "bf" dense<1.000000e+00> : tensor<3xbf16> -> tensor<3xbf16>
// ELEMENTS-NEXT: onnx.initializer "f6" dense<[1.250000e-01, 7.500000e+00]> : tensor<2xf6E2M3FN> -> tensor<2xf6E2M3FN>

//--- model.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}, {domain = "local", version = 1 : i64}], rest = "producer_name: \22lit\22 model_version: 3 doc_string: \22of the model\22 metadata_props { key: \22license\22 value: \22none\22 }"}} {
  func.func @main_graph(%x: tensor<?x3xf32> {onnx.dim_params = ["N", ""], onnx.name = "x"}, %b: tensor<3xf32> {onnx.name = "b"}, %c: tensor<i1>, %m: !onnx.unknown {onnx.info = "type { map_type { key_type: 7 value_type { tensor_type { elem_type: 8 shape { } } } } } doc_string: \22of the value\22", onnx.name = "m"}, %s: !onnx.sequence<tensor<?xui8>> {onnx.name = "s"}, %o: !onnx.optional<tensor<*xf64>> {onnx.name = "o"}, %u: !onnx.unknown {onnx.name = "u"})
      -> (tensor<?x3xf32> {onnx.dim_params = ["N", ""], onnx.name = "y"}, tensor<?x3xf32>, tensor<3xf32>)
      attributes {onnx.graph = {name = "everything", rest = "doc_string: \22of the graph\22", value_info = [{dim_params = ["N", ""], name = "inner", type = tensor<?x3xf32>}]}} {
    %none = onnx.none
    %db = onnx.initializer "b" dense<[1.0, 2.0, 3.0]> : tensor<3xf32> default_of %b : tensor<3xf32> -> tensor<3xf32>
    %shape = onnx.initializer "shape" #onnx.tensor<elements = dense<[0, -1]> : tensor<2xi64>, typed = true> -> tensor<2xi64>
    %words = onnx.initializer "words" dense<["one", "two"]> : tensor<2x!onnx.string> -> tensor<2x!onnx.string>
    %t = onnx.initializer "t" #onnx.tensor<elements = dense<true> : tensor<i1>, typed = true> -> tensor<i1>
    %r = onnx.Relu(%x) {node_name = "first", outs = ["inner"], rest = "doc_string: \22of the node\22"} : (tensor<?x3xf32>) -> tensor<?x3xf32>
    %y = onnx.node "If"(%c) {
      %q = onnx.Add(%r, %db) {outs = ["q"]} : (tensor<?x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
      onnx.yield %q : tensor<?x3xf32> {outputs = [{dim_params = ["N", ""], name = "q"}]}
    }, {
      %k = onnx.initializer "k" #onnx.tensor<elements = dense<2.0> : tensor<f32>, typed = true> -> tensor<f32>
      %e = onnx.node "Clip"(%r, %none, %k) attributes {outs = ["e"]} : (tensor<?x3xf32>, none, tensor<f32>) -> tensor<?x3xf32>
      onnx.yield %e : tensor<?x3xf32> {outputs = [{info = "", name = "e"}]}
    } attributes {attr_order = ["then_branch", "else_branch"], graphs = [{attr = "then_branch", name = "then_graph", rest = "doc_string: \22of the subgraph\22"}, {attr = "else_branch", name = "else_graph"}], outs = ["y"]} : (tensor<i1>) -> tensor<?x3xf32>
    %d, %mask = onnx.Dropout(%x, %none, %t) {outs = ["", "mask"]} : (tensor<?x3xf32>, none, tensor<i1>) -> (tensor<?x3xf32>, tensor<?x3xi1>)
    %0 = onnx.Reshape(%d, %shape) : (tensor<?x3xf32>, tensor<2xi64>) -> tensor<?x3xf32>
    %1:3 = onnx.node "Split"(%0) attributes {attr_order = ["mode", "axes", "alpha"], domain = "local", node_attrs = {alpha = 0.5 : f32, axes = array<i64: 1, 2>, mode = "low"}} : (tensor<?x3xf32>) -> (!onnx.unknown, none, !onnx.unknown)
    %z = onnx.node "twice"(%1#2) attributes {domain = "local", node_attrs = {factor = 2.0 : f32}} : (!onnx.unknown) -> tensor<?x3xf32>
    %unused = onnx.Relu(%z) {outs = ["value_0"]} : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y, %z, %db : tensor<?x3xf32>, tensor<?x3xf32>, tensor<3xf32>
  }
  func.func private @anything(%a: !onnx.unknown {onnx.name = "a"}) -> (!onnx.unknown {onnx.name = "v"})
      attributes {onnx.function = {domain = "local", name = "twice", opset_imports = [{domain = "", version = 20 : i64}], rest = "attribute: \22factor\22 doc_string: \22of the function\22"}} {
    %f = onnx.node "Constant"() attributes {node_attrs = {value_float = #onnx.proto<"type: FLOAT ref_attr_name: \22factor\22">}, outs = ["f"]} : () -> !onnx.unknown
    %u = onnx.node "Mul"(%a, %f) attributes {outs = ["u"]} : (!onnx.unknown, !onnx.unknown) -> !onnx.unknown
    %v = onnx.Identity(%u) {outs = ["v"]} : (!onnx.unknown) -> !onnx.unknown
    return %v : !onnx.unknown
  }
}
//--- elements.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}]}} {
  func.func @main_graph() -> (tensor<2xi32> {onnx.name = "resource"}) attributes {onnx.graph = {name = "elements"}} {
    %0 = onnx.initializer "resource" dense_resource<blob> : tensor<2xi32> -> tensor<2xi32>
    %1 = onnx.initializer "f8" dense<[1.0, -2.0]> : tensor<2xf8E4M3FN> -> tensor<2xf8E4M3FN>
    %2 = onnx.initializer "f4" #onnx.tensor<elements = dense<[1.0, -2.0, 3.0]> : tensor<3xf4E2M1FN>, typed = true> -> tensor<3xf4E2M1FN>
    %3 = onnx.initializer "i4" #onnx.tensor<elements = dense<[1, -2, 3]> : tensor<3xi4>, typed = true> -> tensor<3xi4>
    %4 = onnx.initializer "u16" #onnx.tensor<elements = dense<[1, 65535]> : tensor<2xui16>, typed = true> -> tensor<2xui16>
    %5 = onnx.initializer "f16" dense<1.0> : tensor<2xf16> -> tensor<2xf16>
    %6 = onnx.initializer "f16t" #onnx.tensor<elements = dense<1.0> : tensor<2xf16>, typed = true> -> tensor<2xf16>
    %7 = onnx.initializer "i8" #onnx.tensor<elements = dense<-3> : tensor<2xi8>, typed = true> -> tensor<2xi8>
    %8 = onnx.initializer "proto" #onnx.proto<"dims: 1 data_type: 9 int32_data: 2"> -> tensor<1xi1>
    %9 = onnx.initializer "f64" dense<0.1> : tensor<f64> -> tensor<f64>
    %10 = onnx.initializer "nan" dense<[0x7FC00000, 0x7F800000]> : tensor<2xf32> -> tensor<2xf32>
    %11 = onnx.initializer "c" dense<(1.0, 2.0)> : tensor<1xcomplex<f32>> -> tensor<1xcomplex<f32>>
    %12 = onnx.initializer "u64" dense<18446744073709551615> : tensor<1xui64> -> tensor<1xui64>
    %13 = onnx.initializer "none" dense<> : tensor<0x2xf32> -> tensor<0x2xf32>
    %14 = onnx.initializer "b" dense<true> : tensor<3xi1> -> tensor<3xi1>
    %15 = onnx.initializer "bf" dense<1.0> : tensor<3xbf16> -> tensor<3xbf16>
    %16 = onnx.initializer "f6" dense<[0.125, 7.5]> : tensor<2xf6E2M3FN> -> tensor<2xf6E2M3FN>
    return %0 : tensor<2xi32>
  }
}
{-#
  dialect_resources: {
    builtin: {
      blob: "0x040000000100000002000000"
    }
  }
#-}
