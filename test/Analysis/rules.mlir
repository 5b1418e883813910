// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every rule of docs/Legality.md by its label: the remark of a head that it
// refuses. The first head passes all of them.
//
// RUN: head-opt %s --flatten-to-gap --split-input-file --remarks-filter='.*' 2>&1 \
// RUN:   | FileCheck %s --implicit-check-not='[Passed]'

// CHECK: [Passed] FlattenHead{{.*}}Function=good{{.*}}ParametersAfter=2, ParametersBefore=8, Positions=4
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @good(%x: tensor<?x2x2x2xf32>) -> tensor<?x1xf32> {
    %w = onnx.initializer "w" dense<[[1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]]> : tensor<1x8xf32> -> tensor<1x8xf32>
    %f = onnx.Flatten(%x) : (tensor<?x2x2x2xf32>) -> tensor<?x8xf32>
    %y = onnx.Gemm(%f, %w) {node_name = "good", transB = 1 : i64} : (tensor<?x8xf32>, tensor<1x8xf32>) -> tensor<?x1xf32>
    return %y : tensor<?x1xf32>
  }
}

// -----

// CHECK: [Missed] FlattenHead{{.*}}Function=view{{.*}}Reason="L1: 'drop' (Dropout) is in training mode"
func.func @view(%x: tensor<?x2x2x2xf32>) -> tensor<?x1xf32> {
  %w = onnx.initializer "w" dense<1.0> : tensor<1x8xf32> -> tensor<1x8xf32>
  %r = onnx.initializer "r" dense<0.5> : tensor<f32> -> tensor<f32>
  %t = onnx.initializer "t" dense<true> : tensor<i1> -> tensor<i1>
  %f = onnx.Flatten(%x) : (tensor<?x2x2x2xf32>) -> tensor<?x8xf32>
  %d = onnx.Dropout(%f, %r, %t) {node_name = "drop"} : (tensor<?x8xf32>, tensor<f32>, tensor<i1>) -> tensor<?x8xf32>
  %y = onnx.Gemm(%d, %w) {node_name = "view", transB = 1 : i64} : (tensor<?x8xf32>, tensor<1x8xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// CHECK: [Missed] FlattenHead{{.*}}Function=samples{{.*}}Reason="L2: axis 0 of the map [2, 2, 2, 2] is part of the 16 features: a row mixes samples"
func.func @samples(%x: tensor<2x2x2x2xf32>) -> tensor<1x1xf32> {
  %w = onnx.initializer "w" dense<1.0> : tensor<1x16xf32> -> tensor<1x16xf32>
  %f = onnx.Flatten(%x) {axis = 0 : i64} : (tensor<2x2x2x2xf32>) -> tensor<1x16xf32>
  %y = onnx.Gemm(%f, %w) {node_name = "samples", transB = 1 : i64} : (tensor<1x16xf32>, tensor<1x16xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

// CHECK: [Missed] FlattenHead{{.*}}Function=constant{{.*}}Reason="L3: the weight is not constant: it is the input
func.func @constant(%x: tensor<?x2x2x2xf32>, %w: tensor<1x8xf32>) -> tensor<?x1xf32> {
  %f = onnx.Flatten(%x) : (tensor<?x2x2x2xf32>) -> tensor<?x8xf32>
  %y = onnx.Gemm(%f, %w) {node_name = "constant", transB = 1 : i64} : (tensor<?x8xf32>, tensor<1x8xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// CHECK: [Missed] FlattenHead{{.*}}Function=finite{{.*}}Reason="L4: the sum of the weight over 4 positions is infinite
func.func @finite(%x: tensor<?x2x2x2xf32>) -> tensor<?x1xf32> {
  %w = onnx.initializer "w" dense<[[1.0, 1.0, 1.0, 1.0, 3.0e+38, 3.0e+38, 3.0e+38, 3.0e+38]]> : tensor<1x8xf32> -> tensor<1x8xf32>
  %f = onnx.Flatten(%x) : (tensor<?x2x2x2xf32>) -> tensor<?x8xf32>
  %y = onnx.Gemm(%f, %w) {node_name = "finite", transB = 1 : i64} : (tensor<?x8xf32>, tensor<1x8xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// CHECK: [Missed] FlattenHead{{.*}}Function=type{{.*}}Reason="L5: the elements are i32
func.func @type(%x: tensor<?x2x2x2xi32>) -> tensor<?x1xi32> {
  %w = onnx.initializer "w" dense<[[1, 1, 1, 1, 2, 2, 2, 2]]> : tensor<1x8xi32> -> tensor<1x8xi32>
  %f = onnx.Flatten(%x) : (tensor<?x2x2x2xi32>) -> tensor<?x8xi32>
  %y = onnx.Gemm(%f, %w) {node_name = "type", transB = 1 : i64} : (tensor<?x8xi32>, tensor<1x8xi32>) -> tensor<?x1xi32>
  return %y : tensor<?x1xi32>
}

// -----

// Along axis 3 channel 1 varies from its position [0, 1] on, along axis 2 from
// [1, 0] on: the axis that is even the longest is named.
// CHECK: [Missed] FlattenHead{{.*}}Function=invariance{{.*}}Reason="L6: the weight varies along every axis; first along axis 2, for output 0 at [1, 1, 0]: 2.000000000e+00, then 2.500000000e+00"
func.func @invariance(%x: tensor<?x2x2x2xf32>) -> tensor<?x1xf32> {
  %w = onnx.initializer "w" dense<[[1.0, 1.0, 1.0, 1.0, 2.0, 5.0, 2.5, 5.0]]> : tensor<1x8xf32> -> tensor<1x8xf32>
  %f = onnx.Flatten(%x) : (tensor<?x2x2x2xf32>) -> tensor<?x8xf32>
  %y = onnx.Gemm(%f, %w) {node_name = "invariance", transB = 1 : i64} : (tensor<?x8xf32>, tensor<1x8xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// CHECK: [Missed] FlattenHead{{.*}}Function=extents{{.*}}Reason="L7: the map has 8 features and the weight 12 rows"
func.func @extents(%x: tensor<?x2x2x2xf32>) -> tensor<?x1xf32> {
  %w = onnx.initializer "w" dense<1.0> : tensor<1x12xf32> -> tensor<1x12xf32>
  %f = onnx.Flatten(%x) : (tensor<?x2x2x2xf32>) -> tensor<?x8xf32>
  %y = onnx.Gemm(%f, %w) {node_name = "extents", transB = 1 : i64} : (tensor<?x8xf32>, tensor<1x12xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// CHECK: [Missed] FlattenHead{{.*}}Function=form{{.*}}Reason="L8: transA is set, so samples are columns"
func.func @form(%x: tensor<8x2x2x2xf32>) -> tensor<8x1xf32> {
  %w = onnx.initializer "w" dense<1.0> : tensor<1x8xf32> -> tensor<1x8xf32>
  %f = onnx.Flatten(%x) : (tensor<8x2x2x2xf32>) -> tensor<8x8xf32>
  %y = onnx.Gemm(%f, %w) {node_name = "form", transA = 1 : i64, transB = 1 : i64} : (tensor<8x8xf32>, tensor<1x8xf32>) -> tensor<8x1xf32>
  return %y : tensor<8x1xf32>
}

// -----

// CHECK: [Missed] FlattenHead{{.*}}Function=old{{.*}}Reason="L9: opset 5 is older than 6, the first that is supported"
module attributes {onnx.model = {ir_version = 3 : i64, opset_imports = [{domain = "", version = 5 : i64}]}} {
  func.func @old(%x: tensor<?x2x2x2xf32>) -> tensor<?x1xf32> {
    %w = onnx.initializer "w" dense<1.0> : tensor<1x8xf32> -> tensor<1x8xf32>
    %c = onnx.initializer "c" dense<0.0> : tensor<1xf32> -> tensor<1xf32>
    %f = onnx.Flatten(%x) : (tensor<?x2x2x2xf32>) -> tensor<?x8xf32>
    %y = onnx.Gemm(%f, %w, %c) {node_name = "old", transB = 1 : i64} : (tensor<?x8xf32>, tensor<1x8xf32>, tensor<1xf32>) -> tensor<?x1xf32>
    return %y : tensor<?x1xf32>
  }
}

// -----

// CHECK: [Missed] FlattenHead{{.*}}Function=bf16{{.*}}Reason="L9: opset 12 has no bfloat16 ReduceMean; opset 13 has"
module attributes {onnx.model = {ir_version = 7 : i64, opset_imports = [{domain = "", version = 12 : i64}]}} {
  func.func @bf16(%x: tensor<?x2x2x2xbf16>) -> tensor<?x1xbf16> {
    %w = onnx.initializer "w" dense<1.0> : tensor<8x1xbf16> -> tensor<8x1xbf16>
    %s = onnx.initializer "s" dense<[-1, 8]> : tensor<2xi64> -> tensor<2xi64>
    %f = onnx.Reshape(%x, %s) : (tensor<?x2x2x2xbf16>, tensor<2xi64>) -> tensor<?x8xbf16>
    %y = onnx.MatMul(%f, %w) {node_name = "bf16"} : (tensor<?x8xbf16>, tensor<8x1xbf16>) -> tensor<?x1xbf16>
    return %y : tensor<?x1xbf16>
  }
}
