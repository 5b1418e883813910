// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cut-at-feature-map makes the map that outline-head starts at an output, and
// removes the head with all that only it needed.
//
// RUN: head-opt %s --cut-at-feature-map --split-input-file --verify-diagnostics \
// RUN:   | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --split-input-file --verify-diagnostics \
// RUN:   --pass-pipeline='builtin.module(cut-at-feature-map)' | FileCheck %s
// RUN: not head-opt %s --cut-at-feature-map --split-input-file --remarks-filter='.*' 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK

// Initializers, value_info, inputs and functions that only the head, or what is
// behind it, used go; what nothing used stays, and so does all else.
// CHECK:       module attributes {onnx.model = {ir_version = 8 : i64
// CHECK-SAME:    rest = "producer_name: \22me\22"
// CHECK-LABEL: func.func @main_graph
// CHECK-SAME:    (%[[X:.*]]: tensor<?x3x7x7xf32> {onnx.dim_params = ["N", "", "", ""], onnx.name = "x"},
// CHECK-SAME:     %{{.*}}: tensor<f32> {onnx.name = "unused"})
// CHECK-SAME:    -> (tensor<?x8x7x7xf32> {onnx.dim_params = ["N", "", "", ""], onnx.info = "doc_string: \22d\22", onnx.name = "map"})
// CHECK-SAME:    {onnx.graph = {name = "g", rest = "doc_string: \22doc\22", value_info = [{name = "c", type = tensor<?x8x7x7xf32>}]}}
// CHECK-NEXT:    onnx.initializer "idle"
// CHECK-NEXT:    %[[K:.*]] = onnx.initializer "k"
// CHECK-NEXT:    %[[C:.*]] = onnx.Conv(%[[X]], %[[K]])
// CHECK-NEXT:    %[[M:.*]] = onnx.node "act"(%[[C]])
// CHECK-NEXT:    return %[[M]] : tensor<?x8x7x7xf32>
// CHECK:       func.func private @"d::act"
// CHECK:       func.func private @"d::idle"
// CHECK-NOT:   func.func
// REMARK: [Passed] CutAtFeatureMap{{.*}}Category:cut-at-feature-map{{.*}}cut the model at 'map'
// expected-warning @below {{the output 'p' depends on the head but is not its result}}
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}, {domain = "d", version = 1 : i64}], rest = "producer_name: \22me\22"}} {
  func.func @main_graph(%x: tensor<?x3x7x7xf32> {onnx.dim_params = ["N", "", "", ""], onnx.name = "x"}, %t: tensor<f32> {onnx.name = "temperature"}, %u: tensor<f32> {onnx.name = "unused"}) -> (tensor<?x3xf32> {onnx.name = "p"}) attributes {onnx.graph = {name = "g", rest = "doc_string: \22doc\22", value_info = [{name = "c", type = tensor<?x8x7x7xf32>}, {dim_params = ["N", "", "", ""], info = "doc_string: \22d\22", name = "map", type = tensor<?x8x7x7xf32>}, {name = "f", type = tensor<?x8xf32>}, {name = "v", type = tensor<8x3xf32>}]}} {
    %i = onnx.initializer "idle" dense<1.0> : tensor<f32> -> tensor<f32>
    %k = onnx.initializer "k" dense<1.0> : tensor<8x3x1x1xf32> -> tensor<8x3x1x1xf32>
    %v = onnx.initializer "v" dense<1.0> : tensor<8x3xf32> -> tensor<8x3xf32>
    %c = onnx.Conv(%x, %k) {outs = ["c"]} : (tensor<?x3x7x7xf32>, tensor<8x3x1x1xf32>) -> tensor<?x8x7x7xf32>
    %m = onnx.node "act"(%c) attributes {domain = "d", outs = ["map"]} : (tensor<?x8x7x7xf32>) -> tensor<?x8x7x7xf32>
    %p = onnx.GlobalAveragePool(%m) : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
    %s = onnx.Shape(%p) : (tensor<?x8x1x1xf32>) -> tensor<4xi64>
    %z = onnx.initializer "zero" dense<0> : tensor<1xi64> -> tensor<1xi64>
    %minus = onnx.initializer "minus" dense<-1> : tensor<1xi64> -> tensor<1xi64>
    %n = onnx.Gather(%s, %z) {axis = 0 : i64} : (tensor<4xi64>, tensor<1xi64>) -> tensor<1xi64>
    %r = onnx.Concat(%n, %minus) {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
    %f = onnx.Reshape(%p, %r) {outs = ["f"]} : (tensor<?x8x1x1xf32>, tensor<2xi64>) -> tensor<?x8xf32>
    %b = onnx.Gemm(%f, %v) : (tensor<?x8xf32>, tensor<8x3xf32>) -> tensor<?x3xf32>
    %o = onnx.node "scale"(%b, %t) attributes {domain = "d", outs = ["p"]} : (tensor<?x3xf32>, tensor<f32>) -> tensor<?x3xf32>
    return %o : tensor<?x3xf32>
  }
  func.func private @"d::act"(%x: !onnx.unknown {onnx.name = "x"}) -> (!onnx.unknown {onnx.name = "y"}) attributes {onnx.function = {domain = "d", name = "act", opset_imports = [{domain = "", version = 17 : i64}]}} {
    %y = onnx.Relu(%x) {outs = ["y"]} : (!onnx.unknown) -> !onnx.unknown
    return %y : !onnx.unknown
  }
  func.func private @"d::scale"(%x: !onnx.unknown {onnx.name = "x"}, %t: !onnx.unknown {onnx.name = "t"}) -> (!onnx.unknown {onnx.name = "y"}) attributes {onnx.function = {domain = "d", name = "scale", opset_imports = [{domain = "", version = 17 : i64}]}} {
    %y = onnx.Mul(%x, %t) {outs = ["y"]} : (!onnx.unknown, !onnx.unknown) -> !onnx.unknown
    return %y : !onnx.unknown
  }
  func.func private @"d::idle"(%x: !onnx.unknown {onnx.name = "x"}) -> (!onnx.unknown {onnx.name = "y"}) attributes {onnx.function = {domain = "d", name = "idle", opset_imports = [{domain = "", version = 17 : i64}]}} {
    %y = onnx.Relu(%x) {outs = ["y"]} : (!onnx.unknown) -> !onnx.unknown
    return %y : !onnx.unknown
  }
}

// -----

// Outputs that do not depend on the head stay, in their places. The mean may be
// in any spelling that can be lowered.
// CHECK-LABEL: func.func @others
// CHECK-SAME:    (%[[X:.*]]: tensor<?x2x3x3xf32> {onnx.name = "x"})
// CHECK-SAME:    -> (tensor<?x2x3x3xf32> {onnx.name = "negative"}, tensor<?x2x3x3xf32> {onnx.name = "map"})
// CHECK-NEXT:    %[[M:.*]] = onnx.Relu(%[[X]]) {outs = ["map"]}
// CHECK-NEXT:    %[[N:.*]] = onnx.Neg(%[[M]]) {outs = ["negative"]}
// CHECK-NEXT:    return %[[N]], %[[M]]
func.func @others(%x: tensor<?x2x3x3xf32> {onnx.name = "x"}) -> (tensor<?x2x3x3xf32> {onnx.name = "negative"}, tensor<?x2x1x1xf32> {onnx.name = "y"}) {
  %m = onnx.Relu(%x) {outs = ["map"]} : (tensor<?x2x3x3xf32>) -> tensor<?x2x3x3xf32>
  %n = onnx.Neg(%m) {outs = ["negative"]} : (tensor<?x2x3x3xf32>) -> tensor<?x2x3x3xf32>
  %p = onnx.AveragePool(%m) {kernel_shape = array<i64: 3, 3>} : (tensor<?x2x3x3xf32>) -> tensor<?x2x1x1xf32>
  %y = onnx.Sigmoid(%p) {outs = ["y"]} : (tensor<?x2x1x1xf32>) -> tensor<?x2x1x1xf32>
  return %n, %y : tensor<?x2x3x3xf32>, tensor<?x2x1x1xf32>
}

// -----

// A mean that is spelled as what cannot be lowered: raise-to-gap would help.
// expected-error @below {{is a convolution whose kernel is not the whole map}}
module {
  func.func @convolution(%x: tensor<?x2x3x3xf32> {onnx.name = "x"}) -> (tensor<?x2x1x1xf32> {onnx.name = "y"}) {
    %w = onnx.initializer "w" dense<0.11111111> : tensor<2x1x3x3xf32> -> tensor<2x1x3x3xf32>
    %m = onnx.Relu(%x) {outs = ["map"]} : (tensor<?x2x3x3xf32>) -> tensor<?x2x3x3xf32>
    %y = onnx.Conv(%m, %w) {group = 2 : i64} : (tensor<?x2x3x3xf32>, tensor<2x1x3x3xf32>) -> tensor<?x2x1x1xf32>
    return %y : tensor<?x2x1x1xf32>
  }
}

// -----

// The map is the graph's input, or an output already; a value without a name
// gets one.
// CHECK-LABEL: func.func @input
// CHECK-SAME:    (%[[X:.*]]: tensor<?x2x3x3xf32> {onnx.name = "x"}) -> (tensor<?x2x3x3xf32> {onnx.name = "x"})
// CHECK-NEXT:    return %[[X]]
func.func @input(%x: tensor<?x2x3x3xf32> {onnx.name = "x"}) -> (tensor<?x2x1x1xf32> {onnx.name = "y"}) {
  %y = onnx.GlobalAveragePool(%x) {outs = ["y"]} : (tensor<?x2x3x3xf32>) -> tensor<?x2x1x1xf32>
  return %y : tensor<?x2x1x1xf32>
}

// -----

// CHECK-LABEL: func.func @output
// CHECK-SAME:    -> (tensor<?x2x3x3xf32> {onnx.name = "map"}) {
func.func @output(%x: tensor<?x2x3x3xf32>) -> (tensor<?x2x1x1xf32> {onnx.name = "y"}, tensor<?x2x3x3xf32> {onnx.name = "map"}) {
  %m = onnx.Relu(%x) {outs = ["map"]} : (tensor<?x2x3x3xf32>) -> tensor<?x2x3x3xf32>
  %y = onnx.GlobalAveragePool(%m) {outs = ["y"]} : (tensor<?x2x3x3xf32>) -> tensor<?x2x1x1xf32>
  return %y, %m : tensor<?x2x1x1xf32>, tensor<?x2x3x3xf32>
}

// -----

// CHECK-LABEL: func.func @unnamed
// CHECK-SAME:    -> (tensor<?x2x3x3xf32> {onnx.name = "feature_map"}) {
func.func @unnamed(%x: tensor<?x2x3x3xf32>) -> (tensor<?x2x1x1xf32> {onnx.name = "y"}) {
  %m = onnx.Relu(%x) : (tensor<?x2x3x3xf32>) -> tensor<?x2x3x3xf32>
  %y = onnx.GlobalAveragePool(%m) {outs = ["y"]} : (tensor<?x2x3x3xf32>) -> tensor<?x2x1x1xf32>
  return %y : tensor<?x2x1x1xf32>
}

// -----

// A branch behind the head goes with it.
// CHECK-LABEL: func.func @branch
// CHECK-SAME:    (%[[X:.*]]: tensor<?x2x3x3xf32> {onnx.name = "x"}) -> (tensor<?x2x3x3xf32> {onnx.name = "map"})
// CHECK-NEXT:    %[[M:.*]] = onnx.Relu(%[[X]])
// CHECK-NEXT:    return %[[M]]
// expected-warning @below {{the output 'b' depends on the head but is not its result, 'y'; neither the backbone nor the head gives it}}
module {
  func.func @branch(%c: tensor<i1> {onnx.name = "c"}, %x: tensor<?x2x3x3xf32> {onnx.name = "x"}) -> (tensor<?x2x1x1xf32> {onnx.name = "y"}, tensor<?x2x1x1xf32> {onnx.name = "b"}) {
    %w = onnx.initializer "w" dense<1.0> : tensor<f32> -> tensor<f32>
    %m = onnx.Relu(%x) {outs = ["map"]} : (tensor<?x2x3x3xf32>) -> tensor<?x2x3x3xf32>
    %y = onnx.GlobalAveragePool(%m) {outs = ["y"]} : (tensor<?x2x3x3xf32>) -> tensor<?x2x1x1xf32>
    %b = onnx.node "If"(%c) {
      %a = onnx.Add(%y, %w) : (tensor<?x2x1x1xf32>, tensor<f32>) -> tensor<?x2x1x1xf32>
      onnx.yield %a : tensor<?x2x1x1xf32>
    }, {
      onnx.yield %y : tensor<?x2x1x1xf32>
    } attributes {graphs = [{attr = "else_branch", name = "else"}, {attr = "then_branch", name = "then"}], outs = ["b"]} : (tensor<i1>) -> tensor<?x2x1x1xf32>
    return %y, %b : tensor<?x2x1x1xf32>, tensor<?x2x1x1xf32>
  }
}

// -----

// expected-error @below {{the model has no head: no map is averaged over its positions or flattened into a dense layer; give a model in which one is}}
module {
  func.func @none(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %y = onnx.Relu(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
}
