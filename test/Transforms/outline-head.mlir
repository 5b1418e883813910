// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// outline-head leaves one function: from the map that is pooled or flattened to
// the last value that depends on it and constants alone and can be lowered.
//
// RUN: head-opt %s --outline-head --split-input-file --verify-diagnostics \
// RUN:   | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --split-input-file --verify-diagnostics \
// RUN:   --pass-pipeline='builtin.module(outline-head)' | FileCheck %s
// RUN: not head-opt %s --outline-head --split-input-file --remarks-filter='.*' 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK

// Several dense layers are one head; the backbone and the other function go.
// CHECK:       module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
// CHECK-LABEL: func.func @head
// CHECK-SAME:    (%[[X:.*]]: tensor<?x8x7x7xf32> {onnx.dim_params = ["N", "", "", ""], onnx.name = "map"})
// CHECK-SAME:      -> (tensor<?x3xf32> {onnx.dim_params = ["N", ""], onnx.name = "p"})
// CHECK-SAME:      attributes {onnx.graph = {name = "head"}}
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[X]])
// CHECK-NEXT:    %[[F:.*]] = onnx.Flatten(%[[P]]) {axis = 1 : i64, outs = ["f"]}
// CHECK-NEXT:    %[[V:.*]] = onnx.initializer "v"
// CHECK-NEXT:    %[[A:.*]] = onnx.Gemm(%[[F]], %[[V]])
// CHECK-NEXT:    %[[R:.*]] = onnx.Relu(%[[A]])
// CHECK-NEXT:    %[[W:.*]] = onnx.initializer "w"
// CHECK-NEXT:    %[[B:.*]] = onnx.Gemm(%[[R]], %[[W]])
// CHECK-NEXT:    %[[S:.*]] = onnx.Softmax(%[[B]])
// CHECK-NEXT:    return %[[S]]
// CHECK-NOT:     func.func
// REMARK: [Passed] OutlineHead{{.*}}Category:outline-head{{.*}}Nodes=6, Remark="outlined the head"
// REMARK-NOT: HeadEnds
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}], rest = "producer_name: \22me\22"}} {
  func.func @main_graph(%x: tensor<?x3x7x7xf32> {onnx.dim_params = ["N", "", "", ""], onnx.name = "x"}) -> (tensor<?x3xf32> {onnx.dim_params = ["N", ""], onnx.name = "p"}) attributes {onnx.graph = {name = "g"}} {
    %k = onnx.initializer "k" dense<1.0> : tensor<8x3x1x1xf32> -> tensor<8x3x1x1xf32>
    %v = onnx.initializer "v" dense<1.0> : tensor<8x4xf32> -> tensor<8x4xf32>
    %w = onnx.initializer "w" dense<1.0> : tensor<4x3xf32> -> tensor<4x3xf32>
    %c = onnx.Conv(%x, %k) {outs = ["map"]} : (tensor<?x3x7x7xf32>, tensor<8x3x1x1xf32>) -> tensor<?x8x7x7xf32>
    %p = onnx.GlobalAveragePool(%c) : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
    %f = onnx.Flatten(%p) {axis = 1 : i64, outs = ["f"]} : (tensor<?x8x1x1xf32>) -> tensor<?x8xf32>
    %a = onnx.Gemm(%f, %v) : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
    %r = onnx.Relu(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %b = onnx.Gemm(%r, %w) : (tensor<?x4xf32>, tensor<4x3xf32>) -> tensor<?x3xf32>
    %s = onnx.Softmax(%b) {outs = ["p"]} : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %s : tensor<?x3xf32>
  }
  func.func private @"d::f"(%x: !onnx.unknown {onnx.name = "x"}) -> (!onnx.unknown {onnx.name = "y"}) attributes {onnx.function = {domain = "d", name = "f"}} {
    %y = onnx.Relu(%x) {outs = ["y"]} : (!onnx.unknown) -> !onnx.unknown
    return %y : !onnx.unknown
  }
}

// -----

// A flattened map; what acts on its elements before belongs to the backbone. A
// weight that is computed from constants comes along.
// CHECK-LABEL: func.func @head
// CHECK-SAME:    %[[X:.*]]: tensor<?x2x2x2xf32>
// CHECK-NEXT:    %[[F:.*]] = onnx.Flatten(%[[X]])
// CHECK-NEXT:    %[[W:.*]] = onnx.initializer "w"
// CHECK-NEXT:    %[[T:.*]] = onnx.Transpose(%[[W]])
// CHECK-NEXT:    %[[Y:.*]] = onnx.MatMul(%[[F]], %[[T]])
// CHECK-NEXT:    return %[[Y]]
func.func @flattened(%x: tensor<?x2x2x2xf32>) -> tensor<?x3xf32> {
  %w = onnx.initializer "w" dense<"0x0000803F000000400000404000008040000080400000404000000040000080BF0000803F000000400000404000008040000080400000404000000040000080BF0000803F000000400000404000008040000080400000404000000040000080BF"> : tensor<3x8xf32> -> tensor<3x8xf32>
  %t = onnx.Transpose(%w) : (tensor<3x8xf32>) -> tensor<8x3xf32>
  %r = onnx.Relu(%x) : (tensor<?x2x2x2xf32>) -> tensor<?x2x2x2xf32>
  %f = onnx.Flatten(%r) {axis = 1 : i64} : (tensor<?x2x2x2xf32>) -> tensor<?x8xf32>
  %y = onnx.MatMul(%f, %t) : (tensor<?x8xf32>, tensor<8x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// -----

// Targets that are computed from extents: a Flatten, a constant target.
// CHECK-LABEL: func.func @head
// CHECK-SAME:    %[[X:.*]]: tensor<?x2x2x2xf32>) -> tensor<?x1x3xf32>
// CHECK-NEXT:    %[[F:.*]] = onnx.Flatten(%[[X]]) {axis = 1 : i64, node_name = "view", outs = ["f"]} : (tensor<?x2x2x2xf32>) -> tensor<?x8xf32>
// CHECK:         %[[Y:.*]] = onnx.MatMul(%[[F]]
// CHECK-NEXT:    %[[S:.*]] = onnx.Constant() {value = dense<[0, 1, 3]> : tensor<3xi64>}
// CHECK-NEXT:    %[[Z:.*]] = onnx.Reshape(%[[Y]], %[[S]]) {node_name = "again"} : (tensor<?x3xf32>, tensor<3xi64>) -> tensor<?x1x3xf32>
// CHECK-NEXT:    return %[[Z]]
func.func @computed(%x: tensor<?x2x2x2xf32>) -> tensor<?x?x?xf32> {
  %w = onnx.initializer "w" dense<[[1.0, 2.0, 3.0], [1.0, 2.0, 4.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]> : tensor<8x3xf32> -> tensor<8x3xf32>
  %zero = onnx.initializer "zero" dense<0> : tensor<1xi64> -> tensor<1xi64>
  %minus = onnx.initializer "minus" dense<-1> : tensor<1xi64> -> tensor<1xi64>
  %one = onnx.initializer "one" dense<1> : tensor<1xi64> -> tensor<1xi64>
  %s = onnx.Shape(%x) : (tensor<?x2x2x2xf32>) -> tensor<4xi64>
  %n = onnx.Gather(%s, %zero) {axis = 0 : i64} : (tensor<4xi64>, tensor<1xi64>) -> tensor<1xi64>
  %t = onnx.Concat(%n, %minus) {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  %f = onnx.Reshape(%x, %t) {node_name = "view", outs = ["f"]} : (tensor<?x2x2x2xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  %y = onnx.MatMul(%f, %w) : (tensor<?x?xf32>, tensor<8x3xf32>) -> tensor<?x3xf32>
  %u = onnx.Concat(%n, %one, %minus) {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<3xi64>
  %z = onnx.Reshape(%y, %u) {node_name = "again"} : (tensor<?x3xf32>, tensor<3xi64>) -> tensor<?x?x?xf32>
  return %z : tensor<?x?x?xf32>
}

// -----

// A number of positions that is computed becomes a constant. Extents that only
// a run knows stay so.
// CHECK-LABEL: func.func @head
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x5x5xf64>) -> tensor<?x8xf64>
// CHECK:         %[[S:.*]] = onnx.ReduceSum(%[[X]],
// CHECK-NEXT:    %[[C:.*]] = onnx.Constant() {value = dense<2.500000e+01> : tensor<f64>}
// CHECK-NEXT:    %[[M:.*]] = onnx.Div(%[[S]], %[[C]])
// CHECK-NEXT:    return %[[M]]
func.func @count(%x: tensor<?x8x5x5xf64>) -> tensor<?x8xf64> {
  %axes = onnx.initializer "axes" dense<[2, 3]> : tensor<2xi64> -> tensor<2xi64>
  %s = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64} : (tensor<?x8x5x5xf64>, tensor<2xi64>) -> tensor<?x8xf64>
  %e = onnx.Shape(%x) : (tensor<?x8x5x5xf64>) -> tensor<4xi64>
  %i = onnx.Constant() {value = dense<2> : tensor<i64>} : () -> tensor<i64>
  %j = onnx.Constant() {value = dense<3> : tensor<i64>} : () -> tensor<i64>
  %h = onnx.Gather(%e, %i) {axis = 0 : i64} : (tensor<4xi64>, tensor<i64>) -> tensor<i64>
  %w = onnx.Gather(%e, %j) {axis = 0 : i64} : (tensor<4xi64>, tensor<i64>) -> tensor<i64>
  %n = onnx.Mul(%h, %w) : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %c = onnx.Cast(%n) {to = 11 : i64} : (tensor<i64>) -> tensor<f64>
  %m = onnx.Div(%s, %c) : (tensor<?x8xf64>, tensor<f64>) -> tensor<?x8xf64>
  return %m : tensor<?x8xf64>
}

// -----

// Channels last, which nothing says: a mean over all but samples and one axis.
// CHECK-LABEL: func.func @head
// CHECK-SAME:    %[[X:.*]]: tensor<?x7x7x8xf32>) -> tensor<?x8xf32>
// CHECK-NEXT:    %[[M:.*]] = onnx.ReduceMean(%[[X]])
// CHECK-NEXT:    return %[[M]]
func.func @channels_last(%x: tensor<?x7x7x8xf32>) -> tensor<?x8xf32> {
  %m = onnx.ReduceMean(%x) {axes = array<i64: 1, 2>, keepdims = 0 : i64} : (tensor<?x7x7x8xf32>) -> tensor<?x8xf32>
  return %m : tensor<?x8xf32>
}

// -----

// The head ends before what cannot be lowered; the logits are an output too.
// CHECK-LABEL: func.func @head
// CHECK:         onnx.GlobalAveragePool
// CHECK:         onnx.Conv
// CHECK-NEXT:    %[[S:.*]] = onnx.Sigmoid
// CHECK-NEXT:    return %[[S]]
// REMARK: [Missed] HeadEnds{{.*}}Function=prob{{.*}}the head ends here: 'best' (ArgMax) is not among the operators that are lowered
// REMARK: [Analysis] NeededOutside{{.*}}the inner value 'logits' is needed outside the head
func.func @ends(%x: tensor<?x8x7x7xf32>) -> (tensor<?x3x1x1xf32>, tensor<?x1x1x1xi64>) {
  %w = onnx.initializer "w" dense<1.0> : tensor<3x8x1x1xf32> -> tensor<3x8x1x1xf32>
  %p = onnx.GlobalAveragePool(%x) : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
  %y = onnx.Conv(%p, %w) {outs = ["logits"]} : (tensor<?x8x1x1xf32>, tensor<3x8x1x1xf32>) -> tensor<?x3x1x1xf32>
  %s = onnx.Sigmoid(%y) {node_name = "prob"} : (tensor<?x3x1x1xf32>) -> tensor<?x3x1x1xf32>
  %b = onnx.node "ArgMax"(%s) attributes {node_attrs = {axis = 1 : i64}, node_name = "best"} : (tensor<?x3x1x1xf32>) -> tensor<?x1x1x1xi64>
  return %y, %b : tensor<?x3x1x1xf32>, tensor<?x1x1x1xi64>
}

// -----

// Two heads: the last one. Squeeze and excitation before it is none.
// CHECK-LABEL: func.func @head
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7x7xf32> {onnx.name = "scaled"}
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[X]])
// CHECK-NEXT:    %[[F:.*]] = onnx.Flatten(%[[P]])
// CHECK-NEXT:    onnx.initializer "v"
// CHECK-NEXT:    onnx.Gemm
// CHECK-NEXT:    return
// REMARK: [Analysis] OtherHeads{{.*}}the model has 1 other head(s)
func.func @last(%x: tensor<?x8x7x7xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>) {
  %v = onnx.initializer "v" dense<1.0> : tensor<8x3xf32> -> tensor<8x3xf32>
  %w = onnx.initializer "w" dense<2.0> : tensor<392x3xf32> -> tensor<392x3xf32>
  %f = onnx.Flatten(%x) {axis = 1 : i64} : (tensor<?x8x7x7xf32>) -> tensor<?x392xf32>
  %a = onnx.Gemm(%f, %w) : (tensor<?x392xf32>, tensor<392x3xf32>) -> tensor<?x3xf32>
  %q = onnx.GlobalAveragePool(%x) : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
  %s = onnx.Sigmoid(%q) : (tensor<?x8x1x1xf32>) -> tensor<?x8x1x1xf32>
  %m = onnx.Mul(%x, %s) {outs = ["scaled"]} : (tensor<?x8x7x7xf32>, tensor<?x8x1x1xf32>) -> tensor<?x8x7x7xf32>
  %p = onnx.GlobalAveragePool(%m) : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
  %g = onnx.Flatten(%p) {axis = 1 : i64} : (tensor<?x8x1x1xf32>) -> tensor<?x8xf32>
  %b = onnx.Gemm(%g, %v) : (tensor<?x8xf32>, tensor<8x3xf32>) -> tensor<?x3xf32>
  return %a, %b : tensor<?x3xf32>, tensor<?x3xf32>
}

// -----

// A fixed batch stays, and a map that is the graph's input. Quantised values
// inside are the head's own.
// CHECK-LABEL: func.func @head
// CHECK-SAME:    %[[X:.*]]: tensor<2x8x7x7xf32>) -> tensor<2x3xf32>
// CHECK-NEXT:    onnx.GlobalAveragePool(%[[X]])
// CHECK:         onnx.QuantizeLinear
// CHECK:         onnx.DequantizeLinear
// CHECK:         onnx.Flatten
// CHECK:         onnx.Gemm
func.func @quantised(%x: tensor<2x8x7x7xf32>) -> tensor<2x3xf32> {
  %v = onnx.initializer "v" dense<1.0> : tensor<8x3xf32> -> tensor<8x3xf32>
  %s = onnx.initializer "s" dense<0.5> : tensor<f32> -> tensor<f32>
  %z = onnx.initializer "z" dense<3> : tensor<ui8> -> tensor<ui8>
  %p = onnx.GlobalAveragePool(%x) : (tensor<2x8x7x7xf32>) -> tensor<2x8x1x1xf32>
  %q = onnx.QuantizeLinear(%p, %s, %z) : (tensor<2x8x1x1xf32>, tensor<f32>, tensor<ui8>) -> tensor<2x8x1x1xui8>
  %d = onnx.DequantizeLinear(%q, %s, %z) : (tensor<2x8x1x1xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x8x1x1xf32>
  %f = onnx.Flatten(%d) {axis = 1 : i64} : (tensor<2x8x1x1xf32>) -> tensor<2x8xf32>
  %y = onnx.Gemm(%f, %v) : (tensor<2x8xf32>, tensor<8x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// expected-error @below {{the model has no head: no map is averaged over its positions or flattened into a dense layer; give a model in which one is}}
module {
  func.func @none(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %y = onnx.Relu(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
}

// -----

// A normalisation's mean and variance are none.
// expected-error @below {{the model has no head: maps are averaged only to scale them}}
module {
  func.func @normalised(%x: tensor<?x8x7xf32>) -> tensor<?x8x7xf32> {
    %two = onnx.initializer "two" dense<2.0> : tensor<f32> -> tensor<f32>
    %m = onnx.ReduceMean(%x) {axes = array<i64: 2>} : (tensor<?x8x7xf32>) -> tensor<?x8x1xf32>
    %d = onnx.Sub(%x, %m) : (tensor<?x8x7xf32>, tensor<?x8x1xf32>) -> tensor<?x8x7xf32>
    %s = onnx.Pow(%d, %two) : (tensor<?x8x7xf32>, tensor<f32>) -> tensor<?x8x7xf32>
    %v = onnx.ReduceMean(%s) {axes = array<i64: 2>} : (tensor<?x8x7xf32>) -> tensor<?x8x1xf32>
    %r = onnx.Sqrt(%v) : (tensor<?x8x1xf32>) -> tensor<?x8x1xf32>
    %y = onnx.Div(%d, %r) : (tensor<?x8x7xf32>, tensor<?x8x1xf32>) -> tensor<?x8x7xf32>
    return %y : tensor<?x8x7xf32>
  }
}

// -----

// expected-error @below {{the head 'dense' (Gemm) is inside a branch, a loop body or a model-local function; inline that first}}
module {
  func.func @inner(%c: tensor<i1>, %x: tensor<?x2x2x1xf32>) -> tensor<?x1xf32> {
    %w = onnx.initializer "w" dense<[[1.0], [2.0], [3.0], [4.0]]> : tensor<4x1xf32> -> tensor<4x1xf32>
    %y = onnx.node "If"(%c) {
      %f = onnx.Flatten(%x) {axis = 1 : i64} : (tensor<?x2x2x1xf32>) -> tensor<?x4xf32>
      %b = onnx.Gemm(%f, %w) {node_name = "dense"} : (tensor<?x4xf32>, tensor<4x1xf32>) -> tensor<?x1xf32>
      onnx.yield %b : tensor<?x1xf32>
    }, {
      %g = onnx.Flatten(%x) {axis = 1 : i64} : (tensor<?x2x2x1xf32>) -> tensor<?x4xf32>
      %b = onnx.Gemm(%g, %w) : (tensor<?x4xf32>, tensor<4x1xf32>) -> tensor<?x1xf32>
      onnx.yield %b : tensor<?x1xf32>
    } attributes {graphs = [{attr = "else_branch", name = "else"}, {attr = "then_branch", name = "then"}]} : (tensor<i1>) -> tensor<?x1xf32>
    return %y : tensor<?x1xf32>
  }
}

// -----

// Bounds of a Clip are single numbers, and no row.
// CHECK-LABEL: func.func @head
// CHECK-NOT:     onnx.Clip
// CHECK:         return
module {
  func.func @bounds(%x: tensor<3x4x2x2xf32>) -> tensor<3x4xf32> {
    %p = onnx.GlobalAveragePool(%x) : (tensor<3x4x2x2xf32>) -> tensor<3x4x1x1xf32>
    %f = onnx.Flatten(%p) : (tensor<3x4x1x1xf32>) -> tensor<3x4xf32>
    %m = onnx.ReduceMean(%f) {axes = array<i64: 1>} : (tensor<3x4xf32>) -> tensor<3x1xf32>
    %y = onnx.Clip(%f, %m) : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
    return %y : tensor<3x4xf32>
  }
}

// -----

// A product whose type the file does not say, and inference did not find.
// expected-error @below {{the head 'dense' (Gemm) cannot be outlined: 'dense' (Gemm) has a result whose rank or element type is not known}}
module {
  func.func @untyped(%x: tensor<?x2x2x1xf32>) -> !onnx.unknown {
    %w = onnx.initializer "w" dense<1.0> : tensor<4x1xf32> -> tensor<4x1xf32>
    %f = onnx.Flatten(%x) {axis = 1 : i64} : (tensor<?x2x2x1xf32>) -> tensor<?x4xf32>
    %y = onnx.Gemm(%f, %w) {node_name = "dense"} : (tensor<?x4xf32>, tensor<4x1xf32>) -> !onnx.unknown
    return %y : !onnx.unknown
  }
}

// -----

// expected-error @below {{the head 'dense' (Gemm) cannot be outlined: 'dense' (Gemm) has a weight that is not constant: it is the input 'w', which callers give}}
module {
  func.func @weight(%x: tensor<?x2x2x1xf32>, %w: tensor<4x1xf32> {onnx.name = "w"}) -> tensor<?x1xf32> {
    %f = onnx.Flatten(%x) {axis = 1 : i64} : (tensor<?x2x2x1xf32>) -> tensor<?x4xf32>
    %y = onnx.Gemm(%f, %w) {node_name = "dense"} : (tensor<?x4xf32>, tensor<4x1xf32>) -> tensor<?x1xf32>
    return %y : tensor<?x1xf32>
  }
}

// -----

// expected-error @below {{the head 'dense' (Gemm) cannot be outlined: 'norm' (LpNormalization) is not among the operators that are lowered}}
module {
  func.func @between(%x: tensor<?x2x2x1xf32>) -> tensor<?x1xf32> {
    %w = onnx.initializer "w" dense<[[1.0], [2.0], [3.0], [4.0]]> : tensor<4x1xf32> -> tensor<4x1xf32>
    %f = onnx.Flatten(%x) {axis = 1 : i64} : (tensor<?x2x2x1xf32>) -> tensor<?x4xf32>
    %n = onnx.node "LpNormalization"(%f) attributes {node_name = "norm"} : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %y = onnx.Gemm(%n, %w) {node_name = "dense"} : (tensor<?x4xf32>, tensor<4x1xf32>) -> tensor<?x1xf32>
    return %y : tensor<?x1xf32>
  }
}

// -----

// A normalisation over features, as ConvNeXt has it, is part of the head.
// CHECK-LABEL: func.func @head
// CHECK:         onnx.GlobalAveragePool
// CHECK:         onnx.LayerNormalization
// CHECK:         onnx.Gemm
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @convnext(%x: tensor<?x4x7x7xf32>) -> tensor<?x1xf32> {
    %s = onnx.initializer "s" dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32> -> tensor<4xf32>
    %w = onnx.initializer "w" dense<[[1.0], [2.0], [3.0], [4.0]]> : tensor<4x1xf32> -> tensor<4x1xf32>
    %c = onnx.Relu(%x) : (tensor<?x4x7x7xf32>) -> tensor<?x4x7x7xf32>
    %p = onnx.GlobalAveragePool(%c) : (tensor<?x4x7x7xf32>) -> tensor<?x4x1x1xf32>
    %f = onnx.Flatten(%p) {axis = 1 : i64} : (tensor<?x4x1x1xf32>) -> tensor<?x4xf32>
    %n = onnx.LayerNormalization(%f, %s) : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    %y = onnx.Gemm(%n, %w) : (tensor<?x4xf32>, tensor<4x1xf32>) -> tensor<?x1xf32>
    return %y : tensor<?x1xf32>
  }
}

// -----

// Before opset 7 the slope is broadcast as it is not now: the head ends before.
// CHECK-LABEL: func.func @head
// CHECK:         %[[Y:.*]] = onnx.Gemm
// CHECK-NEXT:    return %[[Y]]
module attributes {onnx.model = {ir_version = 3 : i64, opset_imports = [{domain = "", version = 6 : i64}]}} {
  func.func @prelu(%x: tensor<?x2x7x7xf32>) -> tensor<?x2xf32> {
    %s = onnx.initializer "s" dense<0.5> : tensor<2xf32> -> tensor<2xf32>
    %w = onnx.initializer "w" dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> -> tensor<2x2xf32>
    %b = onnx.initializer "b" dense<0.0> : tensor<2xf32> -> tensor<2xf32>
    %c = onnx.Relu(%x) : (tensor<?x2x7x7xf32>) -> tensor<?x2x7x7xf32>
    %p = onnx.GlobalAveragePool(%c) : (tensor<?x2x7x7xf32>) -> tensor<?x2x1x1xf32>
    %f = onnx.Flatten(%p) {axis = 1 : i64} : (tensor<?x2x1x1xf32>) -> tensor<?x2xf32>
    %y = onnx.Gemm(%f, %w, %b) : (tensor<?x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
    %r = onnx.PRelu(%y, %s) : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
    return %r : tensor<?x2xf32>
  }
}
