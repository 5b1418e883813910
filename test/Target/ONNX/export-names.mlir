// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How values are called in ONNX, which knows them by nothing else: an unnamed
// value that is an output has the name that the output is declared with, unless
// another value has it; graphs side by side may use the same names.
//
// RUN: head-opt %s --emit=onnxtxt | FileCheck %s

// CHECK:      g (float[2] x, bool c, float[2] d) => (float[2] y, float[2] z)
// CHECK-NEXT:   <float[2] value_0 =  {1,1}, float[2] d =  {2,2}>
// CHECK:        y = Add (x, value_0)
// CHECK:        z = If (c) <then_branch: graph = then () => (float[2] inner) {
// CHECK-NEXT:      inner = Relu (d)
// CHECK-NEXT:   }, else_branch: graph = else () => (float[2] inner) {
// CHECK-NEXT:      inner = Relu (y)
// CHECK-NEXT:   }>
// CHECK:      f (a) => (b)
// CHECK:        b = Relu (a)
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}, {domain = "local", version = 1 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}, %c: tensor<i1> {onnx.name = "c"}, %d: tensor<2xf32> {onnx.name = "d"}) -> (tensor<2xf32> {onnx.name = "y"}, tensor<2xf32> {onnx.name = "z"}) attributes {onnx.graph = {name = "g"}} {
    %w = onnx.initializer "" dense<1.0> : tensor<2xf32> -> tensor<2xf32>
    %default = onnx.initializer "d" dense<2.0> : tensor<2xf32> default_of %d : tensor<2xf32> -> tensor<2xf32>
    %y = onnx.Add(%x, %w) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %z = onnx.node "If"(%c) {
      %inner = onnx.Relu(%default) {outs = ["inner"]} : (tensor<2xf32>) -> tensor<2xf32>
      onnx.yield %inner : tensor<2xf32> {outputs = [{name = "inner"}]}
    }, {
      %inner = onnx.Relu(%y) {outs = ["inner"]} : (tensor<2xf32>) -> tensor<2xf32>
      onnx.yield %inner : tensor<2xf32> {outputs = [{name = "inner"}]}
    } attributes {attr_order = ["then_branch", "else_branch"], graphs = [{attr = "then_branch", name = "then"}, {attr = "else_branch", name = "else"}], outs = ["z"]} : (tensor<i1>) -> tensor<2xf32>
    return %y, %z : tensor<2xf32>, tensor<2xf32>
  }
  func.func private @f(%a: !onnx.unknown {onnx.name = "a"}) -> (!onnx.unknown {onnx.name = "b"}) attributes {onnx.function = {domain = "local", name = "f", opset_imports = [{domain = "", version = 17 : i64}]}} {
    %b = onnx.Relu(%a) : (!onnx.unknown) -> !onnx.unknown
    return %b : !onnx.unknown
  }
}
