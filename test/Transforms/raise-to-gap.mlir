// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// raise-to-gap writes what is a mean over all positions as GlobalAveragePool,
// whose value has the old name, shape and type. What is none stays as it is.
// test/Analysis/global-average.mlir has all spellings.
//
// RUN: head-opt %s --raise-to-gap --split-input-file | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --split-input-file --pass-pipeline='builtin.module(raise-to-gap)' \
// RUN:   | FileCheck %s
// RUN: head-opt %s --raise-to-gap --split-input-file --remarks-filter='.*' 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK

// Axes that are kept: the pool alone, under the old names.
// CHECK-LABEL: func.func @kept
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7x7xf32>
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[X]]) {node_name = "mean", outs = ["m"]} : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
// CHECK-NEXT:    return %[[P]]
// REMARK: [Passed] GlobalAverage{{.*}}Category:raise-to-gap{{.*}}Function=mean
func.func @kept(%x: tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32> {
  %m = onnx.ReduceMean(%x) {axes = array<i64: 2, 3>, node_name = "mean", outs = ["m"]} : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
  return %m : tensor<?x8x1x1xf32>
}

// -----

// CHECK-LABEL: func.func @dropped
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7x7xf32>
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[X]]) {node_name = "mean/pool", outs = ["mean/pool_out"]}
// CHECK-NEXT:    %[[F:.*]] = onnx.Flatten(%[[P]]) {axis = 1 : i64, node_name = "mean", outs = ["m"]} : (tensor<?x8x1x1xf32>) -> tensor<?x8xf32>
// CHECK-NEXT:    return %[[F]]
func.func @dropped(%x: tensor<?x8x7x7xf32>) -> tensor<?x8xf32> {
  %m = onnx.ReduceMean(%x) {axes = array<i64: 2, 3>, keepdims = 0 : i64, node_name = "mean", outs = ["m"]} : (tensor<?x8x7x7xf32>) -> tensor<?x8xf32>
  return %m : tensor<?x8xf32>
}

// -----

// Channels last by a Transpose: the map before it is pooled.
// CHECK-LABEL: func.func @channels_last
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7x7xf32>
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[X]])
// CHECK-NEXT:    %[[F:.*]] = onnx.Flatten(%[[P]])
// CHECK-NEXT:    return %[[F]]
func.func @channels_last(%x: tensor<?x8x7x7xf32>) -> tensor<?x8xf32> {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (tensor<?x8x7x7xf32>) -> tensor<?x7x7x8xf32>
  %m = onnx.ReduceMean(%t) {axes = array<i64: 1, 2>, keepdims = 0 : i64} : (tensor<?x7x7x8xf32>) -> tensor<?x8xf32>
  return %m : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func.func @channels_last_kept
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7x7xf32>
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[X]])
// CHECK-NEXT:    %[[T:.*]] = onnx.Transpose(%[[P]]) {node_name = "mean", outs = ["m"], perm = array<i64: 0, 2, 3, 1>} : (tensor<?x8x1x1xf32>) -> tensor<?x1x1x8xf32>
// CHECK-NEXT:    return %[[T]]
func.func @channels_last_kept(%x: tensor<?x8x7x7xf32>) -> tensor<?x1x1x8xf32> {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (tensor<?x8x7x7xf32>) -> tensor<?x7x7x8xf32>
  %m = onnx.ReduceMean(%t) {axes = array<i64: 1, 2>, node_name = "mean", outs = ["m"]} : (tensor<?x7x7x8xf32>) -> tensor<?x1x1x8xf32>
  return %m : tensor<?x1x1x8xf32>
}

// -----

// A sum and a division are one mean, and go together; one axis of three is kept,
// and axes are an input of Squeeze from opset 13 on.
// CHECK-LABEL: func.func @sum
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7x7xf32>
// CHECK:         %[[P:.*]] = onnx.GlobalAveragePool(%[[X]])
// CHECK:         %[[A:.*]] = onnx.initializer "div/squeeze_axes" dense<3>
// CHECK:         %[[S:.*]] = onnx.Squeeze(%[[P]], %[[A]]) {node_name = "div", outs = ["d"]} : {{.*}} -> tensor<?x8x1xf32>
// CHECK-NEXT:    return %[[S]]
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @sum(%x: tensor<?x8x7x7xf32>) -> tensor<?x8x1xf32> {
    %axes = onnx.initializer "axes" dense<[2]> : tensor<1xi64> -> tensor<1xi64>
    %shape = onnx.initializer "shape" dense<[0, 8, -1]> : tensor<3xi64> -> tensor<3xi64>
    %c = onnx.initializer "c" dense<49.0> : tensor<f32> -> tensor<f32>
    %r = onnx.Reshape(%x, %shape) : (tensor<?x8x7x7xf32>, tensor<3xi64>) -> tensor<?x8x49xf32>
    %s = onnx.ReduceSum(%r, %axes) : (tensor<?x8x49xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
    %d = onnx.Div(%s, %c) {node_name = "div", outs = ["d"]} : (tensor<?x8x1xf32>, tensor<f32>) -> tensor<?x8x1xf32>
    return %d : tensor<?x8x1xf32>
  }
}

// -----

// And an attribute before that. The axes are more than those of the map.
// CHECK-LABEL: func.func @more_axes
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7xf32>
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[X]]) {{.*}} -> tensor<?x8x1xf32>
// CHECK-NEXT:    %[[U:.*]] = onnx.Unsqueeze(%[[P]]) {axes = array<i64: 3>, outs = ["m"]} : (tensor<?x8x1xf32>) -> tensor<?x8x1x1xf32>
// CHECK-NEXT:    return %[[U]]
module attributes {onnx.model = {ir_version = 6 : i64, opset_imports = [{domain = "", version = 11 : i64}]}} {
  func.func @more_axes(%x: tensor<?x8x7xf32>) -> tensor<?x8x1x1xf32> {
    %u = onnx.Unsqueeze(%x) {axes = array<i64: 2>} : (tensor<?x8x7xf32>) -> tensor<?x8x1x7xf32>
    %m = onnx.ReduceMean(%u) {axes = array<i64: -1, -2>, outs = ["m"]} : (tensor<?x8x1x7xf32>) -> tensor<?x8x1x1xf32>
    return %m : tensor<?x8x1x1xf32>
  }
}

// -----

// A row for each channel of each sample.
// CHECK-LABEL: func.func @product
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x2x2xf32>
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[X]])
// CHECK-NEXT:    %[[F:.*]] = onnx.Flatten(%[[P]]) {axis = 2 : i64} : (tensor<?x8x1x1xf32>) -> tensor<?x1xf32>
// CHECK-NEXT:    return %[[F]]
func.func @product(%x: tensor<?x8x2x2xf32>) -> tensor<?x1xf32> {
  %w = onnx.initializer "w" dense<0.25> : tensor<4x1xf32> -> tensor<4x1xf32>
  %f = onnx.Flatten(%x) {axis = 2 : i64} : (tensor<?x8x2x2xf32>) -> tensor<?x4xf32>
  %m = onnx.MatMul(%f, %w) : (tensor<?x4xf32>, tensor<4x1xf32>) -> tensor<?x1xf32>
  return %m : tensor<?x1xf32>
}

// -----

// What else uses the sum keeps it.
// CHECK-LABEL: func.func @shared
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7x7xf32>
// CHECK:         %[[S:.*]] = onnx.ReduceSum(%[[X]]
// CHECK:         %[[P:.*]] = onnx.GlobalAveragePool(%[[X]])
// CHECK:         %[[F:.*]] = onnx.Flatten(%[[P]])
// CHECK:         return %[[S]], %[[F]]
func.func @shared(%x: tensor<?x8x7x7xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %axes = onnx.initializer "axes" dense<[2, 3]> : tensor<2xi64> -> tensor<2xi64>
  %c = onnx.initializer "c" dense<49.0> : tensor<f32> -> tensor<f32>
  %s = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64} : (tensor<?x8x7x7xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %d = onnx.Div(%s, %c) : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  return %s, %d : tensor<?x8xf32>, tensor<?x8xf32>
}

// -----

// The map of the second pool is the first mean, which goes.
// CHECK-LABEL: func.func @map_is_raised
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7x7xf32>
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[X]]) {outs = ["m"]}
// CHECK-NEXT:    %[[R:.*]] = onnx.GlobalAveragePool(%[[P]]) {outs = ["r"]}
// CHECK-NEXT:    return %[[R]]
func.func @map_is_raised(%x: tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32> {
  %m = onnx.ReduceMean(%x) {axes = array<i64: 2, 3>, outs = ["m"]} : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
  %i = onnx.Identity(%m) : (tensor<?x8x1x1xf32>) -> tensor<?x8x1x1xf32>
  %r = onnx.AveragePool(%i) {kernel_shape = array<i64: 1, 1>, outs = ["r"], strides = array<i64: 2, 2>} : (tensor<?x8x1x1xf32>) -> tensor<?x8x1x1xf32>
  return %r : tensor<?x8x1x1xf32>
}

// -----

// And where the second mean is written in terms of another map.
// CHECK-LABEL: func.func @map_goes
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7xf32>
// CHECK:         onnx.GlobalAveragePool
// CHECK-NOT:     onnx.ReduceMean
// CHECK-NOT:     onnx.MatMul
// CHECK:         return
func.func @map_goes(%x: tensor<?x8x7xf32>) -> tensor<?x8x1xf32> {
  %w = onnx.initializer "w" dense<1.0> : tensor<1x1xf32> -> tensor<1x1xf32>
  %m = onnx.ReduceMean(%x) {axes = array<i64: 2>, outs = ["m"]} : (tensor<?x8x7xf32>) -> tensor<?x8x1xf32>
  %n = onnx.MatMul(%m, %w) {outs = ["n"]} : (tensor<?x8x1xf32>, tensor<1x1xf32>) -> tensor<?x8x1xf32>
  %i = onnx.Identity(%n) : (tensor<?x8x1xf32>) -> tensor<?x8x1xf32>
  %r = onnx.GlobalAveragePool(%i) {outs = ["r"]} : (tensor<?x8x1xf32>) -> tensor<?x8x1xf32>
  return %r : tensor<?x8x1xf32>
}

// -----

// CHECK-LABEL: func.func @raised
// CHECK-NEXT:    onnx.GlobalAveragePool
// CHECK-NEXT:    onnx.Squeeze
// CHECK-NEXT:    return
func.func @raised(%x: tensor<?x8x7x7xf32>) -> tensor<?x8xf32> {
  %p = onnx.GlobalAveragePool(%x) : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
  %s = onnx.Squeeze(%p) {axes = array<i64: 2, 3>} : (tensor<?x8x1x1xf32>) -> tensor<?x8xf32>
  return %s : tensor<?x8xf32>
}

// -----

// What is no mean over all positions is left alone without a word.
// CHECK-LABEL: func.func @height
// CHECK-NOT:     GlobalAveragePool
// CHECK:         onnx.ReduceMean
// REMARK-NOT: Function=height
func.func @height(%x: tensor<?x8x7x7xf32>) -> tensor<?x8x1x7xf32> {
  %m = onnx.ReduceMean(%x) {axes = array<i64: 2>, node_name = "height"} : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x7xf32>
  return %m : tensor<?x8x1x7xf32>
}

// -----

// A map with its channels last, made so before the activation: a Transpose
// brings them to the front, and the pool has the old names.
// CHECK-LABEL: func.func @activation
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7x7xf32>
// CHECK-NEXT:    %[[T:.*]] = onnx.Transpose(%[[X]])
// CHECK-NEXT:    %[[R:.*]] = onnx.Relu(%[[T]])
// CHECK-NEXT:    %[[B:.*]] = onnx.Transpose(%[[R]]) {node_name = "activation/channels_first", outs = ["activation/channels_first_out"], perm = array<i64: 0, 3, 1, 2>} : (tensor<?x7x7x8xf32>) -> tensor<?x8x7x7xf32>
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[B]]) {node_name = "activation/pool", outs = ["activation/pool_out"]} : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
// CHECK-NEXT:    %[[F:.*]] = onnx.Flatten(%[[P]]) {axis = 1 : i64, node_name = "activation", outs = ["m"]} : (tensor<?x8x1x1xf32>) -> tensor<?x8xf32>
// CHECK-NEXT:    return %[[F]]
// REMARK: [Passed] GlobalAverage{{.*}}Function=activation |
func.func @activation(%x: tensor<?x8x7x7xf32>) -> tensor<?x8xf32> {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (tensor<?x8x7x7xf32>) -> tensor<?x7x7x8xf32>
  %r = onnx.Relu(%t) : (tensor<?x7x7x8xf32>) -> tensor<?x7x7x8xf32>
  %m = onnx.ReduceMean(%r) {axes = array<i64: 1, 2>, keepdims = 0 : i64, node_name = "activation", outs = ["m"]} : (tensor<?x7x7x8xf32>) -> tensor<?x8xf32>
  return %m : tensor<?x8xf32>
}

// -----

// Axes that are kept go where they were; of unknown extents too.
// CHECK-LABEL: func.func @activation_kept
// CHECK:         %[[R:.*]] = onnx.Relu
// CHECK-NEXT:    %[[B:.*]] = onnx.Transpose(%[[R]]) {{.*}}perm = array<i64: 0, 3, 1, 2>} : (tensor<?x?x?x8xf32>) -> tensor<?x8x?x?xf32>
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[B]]) {{.*}} -> tensor<?x8x1x1xf32>
// CHECK-NEXT:    %[[T:.*]] = onnx.Transpose(%[[P]]) {outs = ["m"], perm = array<i64: 0, 2, 3, 1>} : (tensor<?x8x1x1xf32>) -> tensor<?x1x1x8xf32>
// CHECK-NEXT:    return %[[T]]
func.func @activation_kept(%x: tensor<?x8x?x?xf32>) -> tensor<?x1x1x8xf32> {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (tensor<?x8x?x?xf32>) -> tensor<?x?x?x8xf32>
  %r = onnx.Relu(%t) : (tensor<?x?x?x8xf32>) -> tensor<?x?x?x8xf32>
  %m = onnx.ReduceMean(%r) {axes = array<i64: 1, 2>, outs = ["m"]} : (tensor<?x?x?x8xf32>) -> tensor<?x1x1x8xf32>
  return %m : tensor<?x1x1x8xf32>
}

// -----

// Channels in front of the samples: of the two axes that are kept
// GlobalAveragePool does not ask which is which.
// CHECK-LABEL: func.func @activation_samples_last
// CHECK:         %[[R:.*]] = onnx.Relu
// CHECK-NEXT:    %[[B:.*]] = onnx.Transpose(%[[R]]) {{.*}}perm = array<i64: 1, 3, 0, 2>} : (tensor<7x8x7x?xf32>) -> tensor<8x?x7x7xf32>
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[B]]) {{.*}} -> tensor<8x?x1x1xf32>
// CHECK-NEXT:    %[[F:.*]] = onnx.Flatten(%[[P]]) {axis = 1 : i64, outs = ["m"]} : (tensor<8x?x1x1xf32>) -> tensor<8x?xf32>
// CHECK-NEXT:    return %[[F]]
func.func @activation_samples_last(%x: tensor<?x8x7x7xf32>) -> tensor<8x?xf32> {
  %t = onnx.Transpose(%x) {perm = array<i64: 2, 1, 3, 0>} : (tensor<?x8x7x7xf32>) -> tensor<7x8x7x?xf32>
  %r = onnx.Relu(%t) : (tensor<7x8x7x?xf32>) -> tensor<7x8x7x?xf32>
  %m = onnx.ReduceMean(%r) {axes = array<i64: 0, 2>, keepdims = 0 : i64, outs = ["m"]} : (tensor<7x8x7x?xf32>) -> tensor<8x?xf32>
  return %m : tensor<8x?xf32>
}

// -----

// A height of 1 is averaged, whether the mean names it or not.
// CHECK-LABEL: func.func @activation_of_a_row
// CHECK:         %[[R:.*]] = onnx.Relu
// CHECK-NEXT:    %[[B:.*]] = onnx.Transpose(%[[R]]) {{.*}}perm = array<i64: 0, 3, 1, 2>} : (tensor<?x1x7x8xf32>) -> tensor<?x8x1x7xf32>
// CHECK-NEXT:    %[[P:.*]] = onnx.GlobalAveragePool(%[[B]]) {{.*}} -> tensor<?x8x1x1xf32>
// CHECK-NEXT:    %[[T:.*]] = onnx.Transpose(%[[P]]) {{.*}}perm = array<i64: 0, 2, 1, 3>} : (tensor<?x8x1x1xf32>) -> tensor<?x1x8x1xf32>
// CHECK-NEXT:    %[[S:.*]] = onnx.Squeeze(%[[T]]) {axes = array<i64: 3>, outs = ["m"]} : (tensor<?x1x8x1xf32>) -> tensor<?x1x8xf32>
// CHECK-NEXT:    return %[[S]]
module attributes {onnx.model = {ir_version = 6 : i64, opset_imports = [{domain = "", version = 11 : i64}]}} {
  func.func @activation_of_a_row(%x: tensor<?x8x1x7xf32>) -> tensor<?x1x8xf32> {
    %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (tensor<?x8x1x7xf32>) -> tensor<?x1x7x8xf32>
    %r = onnx.Relu(%t) : (tensor<?x1x7x8xf32>) -> tensor<?x1x7x8xf32>
    %m = onnx.ReduceMean(%r) {axes = array<i64: 2>, keepdims = 0 : i64, outs = ["m"]} : (tensor<?x1x7x8xf32>) -> tensor<?x1x8xf32>
    return %m : tensor<?x1x8xf32>
  }
}

// -----

// CHECK-LABEL: func.func @groups
// CHECK-NOT:     GlobalAveragePool
// CHECK:         onnx.ReduceMean
// REMARK: [Missed] GlobalAverage{{.*}}Function=groups{{.*}}Reason="more than two axes of the map are kept"
func.func @groups(%x: tensor<?x8x7x7xf32>) -> tensor<?x2x4xf32> {
  %shape = onnx.initializer "shape" dense<[0, 2, 4, 7, 7]> : tensor<5xi64> -> tensor<5xi64>
  %g = onnx.Reshape(%x, %shape) : (tensor<?x8x7x7xf32>, tensor<5xi64>) -> tensor<?x2x4x7x7xf32>
  %r = onnx.Relu(%g) : (tensor<?x2x4x7x7xf32>) -> tensor<?x2x4x7x7xf32>
  %m = onnx.ReduceMean(%r) {axes = array<i64: 3, 4>, keepdims = 0 : i64, node_name = "groups"} : (tensor<?x2x4x7x7xf32>) -> tensor<?x2x4xf32>
  return %m : tensor<?x2x4xf32>
}

// -----

// CHECK-LABEL: func.func @rows
// CHECK-NOT:     GlobalAveragePool
// CHECK:         onnx.ReduceMean
// REMARK: [Missed] GlobalAverage{{.*}}Function=rows{{.*}}Reason="the map has its samples and channels in one axis"
func.func @rows(%x: tensor<?x8x7x7xf32>) -> tensor<?x1xf32> {
  %f = onnx.Flatten(%x) {axis = 2 : i64} : (tensor<?x8x7x7xf32>) -> tensor<?x49xf32>
  %r = onnx.Relu(%f) : (tensor<?x49xf32>) -> tensor<?x49xf32>
  %m = onnx.ReduceMean(%r) {axes = array<i64: 1>, node_name = "rows"} : (tensor<?x49xf32>) -> tensor<?x1xf32>
  return %m : tensor<?x1xf32>
}

// -----

// CHECK-LABEL: func.func @double
// CHECK-NOT:     GlobalAveragePool
// CHECK:         onnx.ReduceMean
// REMARK: [Missed] GlobalAverage{{.*}}Function=double{{.*}}Reason="there is no GlobalAveragePool of rank 4 for f64
func.func @double(%x: tensor<?x8x7x7xf64>) -> tensor<?x8x1x1xf64> {
  %m = onnx.ReduceMean(%x) {axes = array<i64: 2, 3>, node_name = "double"} : (tensor<?x8x7x7xf64>) -> tensor<?x8x1x1xf64>
  return %m : tensor<?x8x1x1xf64>
}

// -----

// CHECK-LABEL: func.func @bfloat
// CHECK-NOT:     GlobalAveragePool
// CHECK:         onnx.ReduceMean
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @bfloat(%x: tensor<?x8x7x7xbf16>) -> tensor<?x8x1x1xbf16> {
    %m = onnx.ReduceMean(%x) {axes = array<i64: 2, 3>} : (tensor<?x8x7x7xbf16>) -> tensor<?x8x1x1xbf16>
    return %m : tensor<?x8x1x1xbf16>
  }
}

// -----

// CHECK-LABEL: func.func @split
// CHECK-NOT:     GlobalAveragePool
// CHECK:         onnx.Div
// REMARK: [Missed] GlobalAverage{{.*}}Function=split{{.*}}Reason="its result splits the axes of the map"
func.func @split(%x: tensor<?x8x7x7xf32>) -> tensor<?x4x2xf32> {
  %axes = onnx.initializer "axes" dense<[2, 3]> : tensor<2xi64> -> tensor<2xi64>
  %shape = onnx.initializer "shape" dense<[-1, 4, 2]> : tensor<3xi64> -> tensor<3xi64>
  %c = onnx.initializer "c" dense<49.0> : tensor<f32> -> tensor<f32>
  %s = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64} : (tensor<?x8x7x7xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %r = onnx.Reshape(%s, %shape) : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x4x2xf32>
  %d = onnx.Div(%r, %c) {node_name = "split"} : (tensor<?x4x2xf32>, tensor<f32>) -> tensor<?x4x2xf32>
  return %d : tensor<?x4x2xf32>
}
