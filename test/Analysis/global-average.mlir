// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every spelling of a mean over all positions (docs/Legality.md, "Already
// pooled"), and what looks like one and is none. Nodes of the first kind are
// called yes_..., and raise-to-gap says that it wrote them anew; of the others,
// called no_..., it says nothing.
//
// RUN: head-opt %s --raise-to-gap --remarks-filter='.*' 2>&1 \
// RUN:   | FileCheck %s --implicit-check-not='Function=no_'

!map = tensor<?x8x7x7xf32>
!last = tensor<?x7x7x8xf32>
!kept = tensor<?x8x1x1xf32>
!value = tensor<?x8xf32>

//===----------------------------------------------------------------------===//
// ReduceMean
//===----------------------------------------------------------------------===//

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_attribute |
func.func @yes_attribute(%x: !map) -> !kept {
  %y = onnx.ReduceMean(%x) {axes = array<i64: 2, 3>, node_name = "yes_attribute"} : (!map) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_negative |
func.func @yes_negative(%x: !map) -> !value {
  %y = onnx.ReduceMean(%x) {axes = array<i64: -1, -2>, keepdims = 0 : i64, node_name = "yes_negative"} : (!map) -> !value
  return %y : !value
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_input |
func.func @yes_input(%x: !map) -> !value {
  %a = onnx.initializer "a" dense<[-1, 2]> : tensor<2xi64> -> tensor<2xi64>
  %y = onnx.ReduceMean(%x, %a) {keepdims = 0 : i64, node_name = "yes_input"} : (!map, tensor<2xi64>) -> !value
  return %y : !value
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_two |
func.func @yes_two(%x: !map) -> !value {
  %h = onnx.ReduceMean(%x) {axes = array<i64: 3>, keepdims = 0 : i64, node_name = "no_width"} : (!map) -> tensor<?x8x7xf32>
  %y = onnx.ReduceMean(%h) {axes = array<i64: 2>, keepdims = 0 : i64, node_name = "yes_two"} : (tensor<?x8x7xf32>) -> !value
  return %y : !value
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_unknown_extents |
func.func @yes_unknown_extents(%x: tensor<?x8x?x?xf32>) -> !kept {
  %y = onnx.ReduceMean(%x) {axes = array<i64: 2, 3>, node_name = "yes_unknown_extents"} : (tensor<?x8x?x?xf32>) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_volume |
func.func @yes_volume(%x: tensor<?x8x2x3x4xf32>) -> !value {
  %y = onnx.ReduceMean(%x) {axes = array<i64: 2, 3, 4>, keepdims = 0 : i64, node_name = "yes_volume"} : (tensor<?x8x2x3x4xf32>) -> !value
  return %y : !value
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_merged |
func.func @yes_merged(%x: !map) -> !value {
  %s = onnx.initializer "s" dense<[0, 8, -1]> : tensor<3xi64> -> tensor<3xi64>
  %r = onnx.Reshape(%x, %s) : (!map, tensor<3xi64>) -> tensor<?x8x49xf32>
  %y = onnx.ReduceMean(%r) {axes = array<i64: 2>, keepdims = 0 : i64, node_name = "yes_merged"} : (tensor<?x8x49xf32>) -> !value
  return %y : !value
}

// Empty axes: nothing is reduced, or everything is.
// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_noop |
func.func @yes_noop(%x: !map) -> !kept {
  %a = onnx.initializer "a" dense<[]> : tensor<0xi64> -> tensor<0xi64>
  %n = onnx.ReduceMean(%x, %a) {noop_with_empty_axes = 1 : i64, node_name = "no_noop"} : (!map, tensor<0xi64>) -> !map
  %y = onnx.ReduceMean(%n) {axes = array<i64: 2, 3>, node_name = "yes_noop"} : (!map) -> !kept
  return %y : !kept
}

func.func @no_empty_axes(%x: !map) -> tensor<1x1x1x1xf32> {
  %a = onnx.initializer "a" dense<[]> : tensor<0xi64> -> tensor<0xi64>
  %y = onnx.ReduceMean(%x, %a) {node_name = "no_empty_axes"} : (!map, tensor<0xi64>) -> tensor<1x1x1x1xf32>
  return %y : tensor<1x1x1x1xf32>
}

func.func @no_axes(%x: !map) -> tensor<1x1x1x1xf32> {
  %y = onnx.ReduceMean(%x) {node_name = "no_axes"} : (!map) -> tensor<1x1x1x1xf32>
  return %y : tensor<1x1x1x1xf32>
}

func.func @no_unknown_axes(%x: !map, %a: tensor<2xi64>) -> tensor<?x?x?x?xf32> {
  %y = onnx.ReduceMean(%x, %a) {node_name = "no_unknown_axes"} : (!map, tensor<2xi64>) -> tensor<?x?x?x?xf32>
  return %y : tensor<?x?x?x?xf32>
}

func.func @no_height(%x: !map) -> tensor<?x8x1x7xf32> {
  %y = onnx.ReduceMean(%x) {axes = array<i64: 2>, node_name = "no_height"} : (!map) -> tensor<?x8x1x7xf32>
  return %y : tensor<?x8x1x7xf32>
}

func.func @no_channels(%x: !map) -> tensor<?x1x1x7xf32> {
  %y = onnx.ReduceMean(%x) {axes = array<i64: 1, 2>, node_name = "no_channels"} : (!map) -> tensor<?x1x1x7xf32>
  return %y : tensor<?x1x1x7xf32>
}

func.func @no_samples(%x: !map) -> tensor<1x8x1x1xf32> {
  %y = onnx.ReduceMean(%x) {axes = array<i64: 0, 2, 3>, node_name = "no_samples"} : (!map) -> tensor<1x8x1x1xf32>
  return %y : tensor<1x8x1x1xf32>
}

func.func @no_maximum(%x: !map) -> tensor<?x1x1x1xf32> {
  %h = onnx.ReduceMax(%x) {axes = array<i64: 3>} : (!map) -> tensor<?x8x7x1xf32>
  %y = onnx.ReduceMean(%h) {axes = array<i64: 1, 2>, node_name = "no_maximum"} : (tensor<?x8x7x1xf32>) -> tensor<?x1x1x1xf32>
  return %y : tensor<?x1x1x1xf32>
}

func.func @no_integers(%x: tensor<?x8x7x7xi32>) -> tensor<?x8x1x1xi32> {
  %y = onnx.ReduceMean(%x) {axes = array<i64: 2, 3>, node_name = "no_integers"} : (tensor<?x8x7x7xi32>) -> tensor<?x8x1x1xi32>
  return %y : tensor<?x8x1x1xi32>
}

//===----------------------------------------------------------------------===//
// Where the channels are
//===----------------------------------------------------------------------===//

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_channels_last |
func.func @yes_channels_last(%x: !map) -> !value {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (!map) -> !last
  %y = onnx.ReduceMean(%t) {axes = array<i64: 1, 2>, keepdims = 0 : i64, node_name = "yes_channels_last"} : (!last) -> !value
  return %y : !value
}

func.func @no_channels_last(%x: !map) -> tensor<?x7xf32> {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (!map) -> !last
  %y = onnx.ReduceMean(%t) {axes = array<i64: 2, 3>, keepdims = 0 : i64, node_name = "no_channels_last"} : (!last) -> tensor<?x7xf32>
  return %y : tensor<?x7xf32>
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_there_and_back |
func.func @yes_there_and_back(%x: !map) -> !kept {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (!map) -> !last
  %r = onnx.Relu(%t) : (!last) -> !last
  %b = onnx.Transpose(%r) {perm = array<i64: 0, 3, 1, 2>} : (!last) -> !map
  %y = onnx.ReduceMean(%b) {axes = array<i64: 2, 3>, node_name = "yes_there_and_back"} : (!map) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_behind_activation |
func.func @yes_behind_activation(%x: !map) -> !value {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (!map) -> !last
  %r = onnx.Relu(%t) : (!last) -> !last
  %y = onnx.ReduceMean(%r) {axes = array<i64: 1, 2>, keepdims = 0 : i64, node_name = "yes_behind_activation"} : (!last) -> !value
  return %y : !value
}

// Axes 2 and 3 are not those that they were.
func.func @no_behind_activation(%x: !map) -> tensor<?x7xf32> {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (!map) -> !last
  %r = onnx.Relu(%t) : (!last) -> !last
  %y = onnx.ReduceMean(%r) {axes = array<i64: 2, 3>, keepdims = 0 : i64, node_name = "no_behind_activation"} : (!last) -> tensor<?x7xf32>
  return %y : tensor<?x7xf32>
}

func.func @no_merged_channels(%x: !map) -> tensor<?x49x1xf32> {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (!map) -> !last
  %s = onnx.initializer "s" dense<[0, 49, 8]> : tensor<3xi64> -> tensor<3xi64>
  %r = onnx.Reshape(%t, %s) : (!last, tensor<3xi64>) -> tensor<?x49x8xf32>
  %y = onnx.ReduceMean(%r) {axes = array<i64: 2>, node_name = "no_merged_channels"} : (tensor<?x49x8xf32>) -> tensor<?x49x1xf32>
  return %y : tensor<?x49x1xf32>
}

func.func @no_part_of_channels(%x: !map) -> tensor<?x4xf32> {
  %s = onnx.initializer "s" dense<[0, 4, 2, 7, 7]> : tensor<5xi64> -> tensor<5xi64>
  %r = onnx.Reshape(%x, %s) : (!map, tensor<5xi64>) -> tensor<?x4x2x7x7xf32>
  %y = onnx.ReduceMean(%r) {axes = array<i64: 2, 3, 4>, keepdims = 0 : i64, node_name = "no_part_of_channels"} : (tensor<?x4x2x7x7xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// A pool itself says that channels are axis 1.
// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_pool_decides |
func.func @yes_pool_decides(%x: !last) -> !kept {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 3, 1, 2>} : (!last) -> !map
  %i = onnx.Identity(%t) : (!map) -> !map
  %y = onnx.AveragePool(%i) {kernel_shape = array<i64: 7, 7>, node_name = "yes_pool_decides"} : (!map) -> !kept
  return %y : !kept
}

//===----------------------------------------------------------------------===//
// ReduceSum
//===----------------------------------------------------------------------===//

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_div |
func.func @yes_div(%x: !map) -> !kept {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>, node_name = "no_sum"} : (!map) -> !kept
  %c = onnx.initializer "c" dense<49.0> : tensor<f32> -> tensor<f32>
  %y = onnx.Div(%s, %c) {node_name = "yes_div"} : (!kept, tensor<f32>) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_div_axes |
func.func @yes_div_axes(%x: !map) -> !kept {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>, node_name = "no_sum"} : (!map) -> !kept
  %c = onnx.initializer "c" dense<49.0> : tensor<1x1x1x1xf32> -> tensor<1x1x1x1xf32>
  %y = onnx.Div(%s, %c) {node_name = "yes_div_axes"} : (!kept, tensor<1x1x1x1xf32>) -> !kept
  return %y : !kept
}

// The f32 that is nearest to 1 / 49, and its neighbour.
// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_mul |
func.func @yes_mul(%x: !map) -> !kept {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>, node_name = "no_sum"} : (!map) -> !kept
  %c = onnx.initializer "c" dense<0.0204081628> : tensor<f32> -> tensor<f32>
  %y = onnx.Mul(%s, %c) {node_name = "yes_mul"} : (!kept, tensor<f32>) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_mul_swapped |
func.func @yes_mul_swapped(%x: !map) -> !kept {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>, node_name = "no_sum"} : (!map) -> !kept
  %c = onnx.initializer "c" dense<0.0204081628> : tensor<f32> -> tensor<f32>
  %y = onnx.Mul(%c, %s) {node_name = "yes_mul_swapped"} : (tensor<f32>, !kept) -> !kept
  return %y : !kept
}

func.func @no_mul_neighbour(%x: !map) -> !kept {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>, node_name = "no_sum"} : (!map) -> !kept
  %c = onnx.initializer "c" dense<0.0204081647> : tensor<f32> -> tensor<f32>
  %y = onnx.Mul(%s, %c) {node_name = "no_mul_neighbour"} : (!kept, tensor<f32>) -> !kept
  return %y : !kept
}

func.func @no_div_48(%x: !map) -> !kept {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>, node_name = "no_sum"} : (!map) -> !kept
  %c = onnx.initializer "c" dense<48.0> : tensor<f32> -> tensor<f32>
  %y = onnx.Div(%s, %c) {node_name = "no_div_48"} : (!kept, tensor<f32>) -> !kept
  return %y : !kept
}

func.func @no_div_fraction(%x: !map) -> !kept {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>, node_name = "no_sum"} : (!map) -> !kept
  %c = onnx.initializer "c" dense<49.5> : tensor<f32> -> tensor<f32>
  %y = onnx.Div(%s, %c) {node_name = "no_div_fraction"} : (!kept, tensor<f32>) -> !kept
  return %y : !kept
}

func.func @no_mul_49(%x: !map) -> !kept {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>, node_name = "no_sum"} : (!map) -> !kept
  %c = onnx.initializer "c" dense<49.0> : tensor<f32> -> tensor<f32>
  %y = onnx.Mul(%s, %c) {node_name = "no_mul_49"} : (!kept, tensor<f32>) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_inner |
func.func @no_div_twice(%x: !map) -> !kept {
  %s = onnx.ReduceMean(%x) {axes = array<i64: 2, 3>, node_name = "yes_inner"} : (!map) -> !kept
  %c = onnx.initializer "c" dense<49.0> : tensor<f32> -> tensor<f32>
  %y = onnx.Div(%s, %c) {node_name = "no_div_twice"} : (!kept, tensor<f32>) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_mul_first |
func.func @yes_mul_first(%x: !map) -> !kept {
  %c = onnx.initializer "c" dense<0.0204081628> : tensor<f32> -> tensor<f32>
  %m = onnx.Mul(%x, %c) : (!map, tensor<f32>) -> !map
  %y = onnx.ReduceSum(%m) {axes = array<i64: 2, 3>, node_name = "yes_mul_first"} : (!map) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_each |
func.func @yes_each(%x: !map) -> !kept {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 3>} : (!map) -> tensor<?x8x7x1xf32>
  %c = onnx.initializer "c" dense<0.142857149> : tensor<f32> -> tensor<f32>
  %m = onnx.Mul(%s, %c) : (tensor<?x8x7x1xf32>, tensor<f32>) -> tensor<?x8x7x1xf32>
  %t = onnx.ReduceSum(%m) {axes = array<i64: 2>} : (tensor<?x8x7x1xf32>) -> !kept
  %d = onnx.initializer "d" dense<7.0> : tensor<f32> -> tensor<f32>
  %y = onnx.Div(%t, %d) {node_name = "yes_each"} : (!kept, tensor<f32>) -> !kept
  return %y : !kept
}

func.func @no_divided_by_input(%x: !map, %c: tensor<f32>) -> !kept {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>, node_name = "no_sum"} : (!map) -> !kept
  %y = onnx.Div(%s, %c) {node_name = "no_divided_by_input"} : (!kept, tensor<f32>) -> !kept
  return %y : !kept
}

func.func @no_quotient(%x: !map) -> !kept {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>, node_name = "no_sum"} : (!map) -> !kept
  %c = onnx.initializer "c" dense<49.0> : tensor<f32> -> tensor<f32>
  %y = onnx.Div(%c, %s) {node_name = "no_quotient"} : (tensor<f32>, !kept) -> !kept
  return %y : !kept
}

func.func @no_integer_quotient(%x: tensor<?x8x7x7xi32>) -> tensor<?x8x1x1xi32> {
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>} : (tensor<?x8x7x7xi32>) -> tensor<?x8x1x1xi32>
  %c = onnx.initializer "c" dense<49> : tensor<i32> -> tensor<i32>
  %y = onnx.Div(%s, %c) {node_name = "no_integer_quotient"} : (tensor<?x8x1x1xi32>, tensor<i32>) -> tensor<?x8x1x1xi32>
  return %y : tensor<?x8x1x1xi32>
}

// Divided by the extents that the map has in a run.
// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_computed |
func.func @yes_computed(%x: tensor<?x8x?x?xf32>) -> !kept {
  %h = onnx.Shape(%x) : (tensor<?x8x?x?xf32>) -> tensor<4xi64>
  %b = onnx.initializer "b" dense<2> : tensor<1xi64> -> tensor<1xi64>
  %e = onnx.initializer "e" dense<4> : tensor<1xi64> -> tensor<1xi64>
  %l = onnx.Slice(%h, %b, %e) : (tensor<4xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  %p = onnx.ReduceProd(%l) {keepdims = 0 : i64} : (tensor<2xi64>) -> tensor<i64>
  %c = onnx.Cast(%p) {to = 1 : i64} : (tensor<i64>) -> tensor<f32>
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>} : (tensor<?x8x?x?xf32>) -> tensor<?x8x1x1xf32>
  %y = onnx.Div(%s, %c) {node_name = "yes_computed"} : (tensor<?x8x1x1xf32>, tensor<f32>) -> tensor<?x8x1x1xf32>
  return %y : !kept
}

func.func @no_computed_height(%x: tensor<?x8x?x?xf32>) -> !kept {
  %h = onnx.Shape(%x) : (tensor<?x8x?x?xf32>) -> tensor<4xi64>
  %b = onnx.initializer "b" dense<2> : tensor<1xi64> -> tensor<1xi64>
  %e = onnx.initializer "e" dense<3> : tensor<1xi64> -> tensor<1xi64>
  %l = onnx.Slice(%h, %b, %e) : (tensor<4xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %p = onnx.ReduceProd(%l) {keepdims = 0 : i64} : (tensor<1xi64>) -> tensor<i64>
  %c = onnx.Cast(%p) {to = 1 : i64} : (tensor<i64>) -> tensor<f32>
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>} : (tensor<?x8x?x?xf32>) -> tensor<?x8x1x1xf32>
  %y = onnx.Div(%s, %c) {node_name = "no_computed_height"} : (tensor<?x8x1x1xf32>, tensor<f32>) -> tensor<?x8x1x1xf32>
  return %y : !kept
}

// Which f16 may not hold.
func.func @no_computed_half(%x: tensor<?x8x?x?xf16>) -> tensor<?x8x1x1xf16> {
  %h = onnx.Shape(%x) : (tensor<?x8x?x?xf16>) -> tensor<4xi64>
  %b = onnx.initializer "b" dense<2> : tensor<1xi64> -> tensor<1xi64>
  %e = onnx.initializer "e" dense<4> : tensor<1xi64> -> tensor<1xi64>
  %l = onnx.Slice(%h, %b, %e) : (tensor<4xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  %p = onnx.ReduceProd(%l) {keepdims = 0 : i64} : (tensor<2xi64>) -> tensor<i64>
  %c = onnx.Cast(%p) {to = 10 : i64} : (tensor<i64>) -> tensor<f16>
  %s = onnx.ReduceSum(%x) {axes = array<i64: 2, 3>} : (tensor<?x8x?x?xf16>) -> tensor<?x8x1x1xf16>
  %y = onnx.Div(%s, %c) {node_name = "no_computed_half"} : (tensor<?x8x1x1xf16>, tensor<f16>) -> tensor<?x8x1x1xf16>
  return %y : tensor<?x8x1x1xf16>
}

//===----------------------------------------------------------------------===//
// AveragePool
//===----------------------------------------------------------------------===//

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_window |
func.func @yes_window(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {kernel_shape = array<i64: 7, 7>, node_name = "yes_window"} : (!map) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_strides |
func.func @yes_strides(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {strides = array<i64: 3, 7>, kernel_shape = array<i64: 7, 7>, node_name = "yes_strides"} : (!map) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_count_without_pad |
func.func @yes_count_without_pad(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {count_include_pad = 1 : i64, kernel_shape = array<i64: 7, 7>, node_name = "yes_count_without_pad"} : (!map) -> !kept
  return %y : !kept
}

// A window that hangs over: the divisor is the number of real positions.
// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_pads |
func.func @yes_pads(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {pads = array<i64: 1, 1, 1, 1>, kernel_shape = array<i64: 9, 9>, node_name = "yes_pads"} : (!map) -> !kept
  return %y : !kept
}

func.func @no_pads_counted(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {count_include_pad = 1 : i64, pads = array<i64: 1, 1, 1, 1>, kernel_shape = array<i64: 9, 9>, node_name = "no_pads_counted"} : (!map) -> !kept
  return %y : !kept
}

func.func @no_pads_cover_a_part(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 7, 7>, kernel_shape = array<i64: 7, 7>, node_name = "no_pads_cover_a_part"} : (!map) -> !kept
  return %y : !kept
}

func.func @no_pads_cover_a_part_counted(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {count_include_pad = 1 : i64, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 7, 7>, kernel_shape = array<i64: 7, 7>, node_name = "no_pads_cover_a_part_counted"} : (!map) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_same |
func.func @yes_same(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {auto_pad = "SAME_UPPER", strides = array<i64: 7, 7>, kernel_shape = array<i64: 7, 7>, node_name = "yes_same"} : (!map) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_same_lower |
func.func @yes_same_lower(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {auto_pad = "SAME_LOWER", strides = array<i64: 9, 9>, kernel_shape = array<i64: 9, 9>, node_name = "yes_same_lower"} : (!map) -> !kept
  return %y : !kept
}

func.func @no_same_many(%x: !map) -> !map {
  %y = onnx.AveragePool(%x) {auto_pad = "SAME_UPPER", kernel_shape = array<i64: 7, 7>, node_name = "no_same_many"} : (!map) -> !map
  return %y : !map
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_valid |
func.func @yes_valid(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {auto_pad = "VALID", kernel_shape = array<i64: 7, 7>, node_name = "yes_valid"} : (!map) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_ceil |
func.func @yes_ceil(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {ceil_mode = 1 : i64, strides = array<i64: 8, 8>, kernel_shape = array<i64: 8, 8>, node_name = "yes_ceil"} : (!map) -> !kept
  return %y : !kept
}

func.func @no_ceil_counted(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {ceil_mode = 1 : i64, count_include_pad = 1 : i64, strides = array<i64: 8, 8>, kernel_shape = array<i64: 8, 8>, node_name = "no_ceil_counted"} : (!map) -> !kept
  return %y : !kept
}

func.func @no_ceil_part(%x: !map) -> tensor<?x8x2x2xf32> {
  %y = onnx.AveragePool(%x) {ceil_mode = 1 : i64, strides = array<i64: 6, 6>, kernel_shape = array<i64: 6, 6>, node_name = "no_ceil_part"} : (!map) -> tensor<?x8x2x2xf32>
  return %y : tensor<?x8x2x2xf32>
}

// Corners and what lies between: not all.
func.func @no_dilations(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {dilations = array<i64: 2, 2>, kernel_shape = array<i64: 4, 4>, node_name = "no_dilations"} : (!map) -> !kept
  return %y : !kept
}

func.func @no_small(%x: !map) -> !kept {
  %y = onnx.AveragePool(%x) {strides = array<i64: 7, 7>, kernel_shape = array<i64: 2, 2>, node_name = "no_small"} : (!map) -> !kept
  return %y : !kept
}

func.func @no_rows(%x: !map) -> tensor<?x8x1x7xf32> {
  %y = onnx.AveragePool(%x) {kernel_shape = array<i64: 7, 1>, node_name = "no_rows"} : (!map) -> tensor<?x8x1x7xf32>
  return %y : tensor<?x8x1x7xf32>
}

func.func @no_unknown_map(%x: tensor<?x8x?x?xf32>) -> tensor<?x8x?x?xf32> {
  %y = onnx.AveragePool(%x) {kernel_shape = array<i64: 7, 7>, node_name = "no_unknown_map"} : (tensor<?x8x?x?xf32>) -> tensor<?x8x?x?xf32>
  return %y : tensor<?x8x?x?xf32>
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_rows_then_columns |
func.func @yes_rows_then_columns(%x: !map) -> !kept {
  %r = onnx.AveragePool(%x) {kernel_shape = array<i64: 7, 1>} : (!map) -> tensor<?x8x1x7xf32>
  %y = onnx.AveragePool(%r) {kernel_shape = array<i64: 1, 7>, node_name = "yes_rows_then_columns"} : (tensor<?x8x1x7xf32>) -> !kept
  return %y : !kept
}

//===----------------------------------------------------------------------===//
// Convolutions and products
//===----------------------------------------------------------------------===//

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_depthwise |
func.func @yes_depthwise(%x: !map) -> !kept {
  %w = onnx.initializer "w" dense<0.0204081628> : tensor<8x1x7x7xf32> -> tensor<8x1x7x7xf32>
  %y = onnx.Conv(%x, %w) {group = 8 : i64, node_name = "yes_depthwise"} : (!map, tensor<8x1x7x7xf32>) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_zero_bias |
func.func @yes_zero_bias(%x: !map) -> !kept {
  %w = onnx.initializer "w" dense<0.0204081628> : tensor<8x1x7x7xf32> -> tensor<8x1x7x7xf32>
  %b = onnx.initializer "b" dense<0.0> : tensor<8xf32> -> tensor<8xf32>
  %y = onnx.Conv(%x, %w, %b) {group = 8 : i64, node_name = "yes_zero_bias"} : (!map, tensor<8x1x7x7xf32>, tensor<8xf32>) -> !kept
  return %y : !kept
}

func.func @no_bias(%x: !map) -> !kept {
  %w = onnx.initializer "w" dense<0.0204081628> : tensor<8x1x7x7xf32> -> tensor<8x1x7x7xf32>
  %b = onnx.initializer "b" dense<1.0> : tensor<8xf32> -> tensor<8xf32>
  %y = onnx.Conv(%x, %w, %b) {group = 8 : i64, node_name = "no_bias"} : (!map, tensor<8x1x7x7xf32>, tensor<8xf32>) -> !kept
  return %y : !kept
}

func.func @no_sum_of_positions(%x: !map) -> !kept {
  %w = onnx.initializer "w" dense<1.0> : tensor<8x1x7x7xf32> -> tensor<8x1x7x7xf32>
  %y = onnx.Conv(%x, %w) {group = 8 : i64, node_name = "no_sum_of_positions"} : (!map, tensor<8x1x7x7xf32>) -> !kept
  return %y : !kept
}

func.func @no_neighbour(%x: !map) -> !kept {
  %w = onnx.initializer "w" dense<0.0204081647> : tensor<8x1x7x7xf32> -> tensor<8x1x7x7xf32>
  %y = onnx.Conv(%x, %w) {group = 8 : i64, node_name = "no_neighbour"} : (!map, tensor<8x1x7x7xf32>) -> !kept
  return %y : !kept
}

func.func @no_full(%x: !map) -> !kept {
  %w = onnx.initializer "w" dense<0.0204081628> : tensor<8x8x7x7xf32> -> tensor<8x8x7x7xf32>
  %y = onnx.Conv(%x, %w) {group = 1 : i64, node_name = "no_full"} : (!map, tensor<8x8x7x7xf32>) -> !kept
  return %y : !kept
}

func.func @no_two_each(%x: !map) -> tensor<?x16x1x1xf32> {
  %w = onnx.initializer "w" dense<0.0204081628> : tensor<16x1x7x7xf32> -> tensor<16x1x7x7xf32>
  %y = onnx.Conv(%x, %w) {group = 8 : i64, node_name = "no_two_each"} : (!map, tensor<16x1x7x7xf32>) -> tensor<?x16x1x1xf32>
  return %y : tensor<?x16x1x1xf32>
}

func.func @no_small_kernel(%x: !map) -> !kept {
  %w = onnx.initializer "w" dense<0.04> : tensor<8x1x5x5xf32> -> tensor<8x1x5x5xf32>
  %y = onnx.Conv(%x, %w) {strides = array<i64: 7, 7>, group = 8 : i64, node_name = "no_small_kernel"} : (!map, tensor<8x1x5x5xf32>) -> !kept
  return %y : !kept
}

func.func @no_dilated_kernel(%x: !map) -> !kept {
  %w = onnx.initializer "w" dense<0.0625> : tensor<8x1x4x4xf32> -> tensor<8x1x4x4xf32>
  %y = onnx.Conv(%x, %w) {dilations = array<i64: 2, 2>, group = 8 : i64, node_name = "no_dilated_kernel"} : (!map, tensor<8x1x4x4xf32>) -> !kept
  return %y : !kept
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_matmul |
func.func @yes_matmul(%x: !map) -> tensor<?x8x1xf32> {
  %s = onnx.initializer "s" dense<[0, 8, 49]> : tensor<3xi64> -> tensor<3xi64>
  %r = onnx.Reshape(%x, %s) : (!map, tensor<3xi64>) -> tensor<?x8x49xf32>
  %w = onnx.initializer "w" dense<0.0204081628> : tensor<49x1xf32> -> tensor<49x1xf32>
  %y = onnx.MatMul(%r, %w) {node_name = "yes_matmul"} : (tensor<?x8x49xf32>, tensor<49x1xf32>) -> tensor<?x8x1xf32>
  return %y : tensor<?x8x1xf32>
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_matmul_vector |
func.func @yes_matmul_vector(%x: !map) -> !value {
  %s = onnx.initializer "s" dense<[0, 8, 49]> : tensor<3xi64> -> tensor<3xi64>
  %r = onnx.Reshape(%x, %s) : (!map, tensor<3xi64>) -> tensor<?x8x49xf32>
  %w = onnx.initializer "w" dense<0.0204081628> : tensor<49xf32> -> tensor<49xf32>
  %y = onnx.MatMul(%r, %w) {node_name = "yes_matmul_vector"} : (tensor<?x8x49xf32>, tensor<49xf32>) -> !value
  return %y : !value
}

func.func @no_matmul_sum(%x: !map) -> tensor<?x8x1xf32> {
  %s = onnx.initializer "s" dense<[0, 8, 49]> : tensor<3xi64> -> tensor<3xi64>
  %r = onnx.Reshape(%x, %s) : (!map, tensor<3xi64>) -> tensor<?x8x49xf32>
  %w = onnx.initializer "w" dense<1.0> : tensor<49x1xf32> -> tensor<49x1xf32>
  %y = onnx.MatMul(%r, %w) {node_name = "no_matmul_sum"} : (tensor<?x8x49xf32>, tensor<49x1xf32>) -> tensor<?x8x1xf32>
  return %y : tensor<?x8x1xf32>
}

func.func @no_matmul_two(%x: !map) -> tensor<?x8x2xf32> {
  %s = onnx.initializer "s" dense<[0, 8, 49]> : tensor<3xi64> -> tensor<3xi64>
  %r = onnx.Reshape(%x, %s) : (!map, tensor<3xi64>) -> tensor<?x8x49xf32>
  %w = onnx.initializer "w" dense<0.0204081628> : tensor<49x2xf32> -> tensor<49x2xf32>
  %y = onnx.MatMul(%r, %w) {node_name = "no_matmul_two"} : (tensor<?x8x49xf32>, tensor<49x2xf32>) -> tensor<?x8x2xf32>
  return %y : tensor<?x8x2xf32>
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_matmul_row |
func.func @yes_matmul_row(%x: !map) -> tensor<?x1x8xf32> {
  %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (!map) -> !last
  %s = onnx.initializer "s" dense<[0, 49, 8]> : tensor<3xi64> -> tensor<3xi64>
  %r = onnx.Reshape(%t, %s) : (!last, tensor<3xi64>) -> tensor<?x49x8xf32>
  %w = onnx.initializer "w" dense<0.0204081628> : tensor<1x49xf32> -> tensor<1x49xf32>
  %y = onnx.MatMul(%w, %r) {node_name = "yes_matmul_row"} : (tensor<1x49xf32>, tensor<?x49x8xf32>) -> tensor<?x1x8xf32>
  return %y : tensor<?x1x8xf32>
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_gemm |
func.func @yes_gemm(%x: !map) -> tensor<?x1xf32> {
  %r = onnx.Flatten(%x) {axis = 2 : i64} : (!map) -> tensor<?x49xf32>
  %w = onnx.initializer "w" dense<0.0204081628> : tensor<1x49xf32> -> tensor<1x49xf32>
  %y = onnx.Gemm(%r, %w) {node_name = "yes_gemm", transB = 1 : i64} : (tensor<?x49xf32>, tensor<1x49xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_gemm_alpha |
func.func @yes_gemm_alpha(%x: !map) -> tensor<?x1xf32> {
  %r = onnx.Flatten(%x) {axis = 2 : i64} : (!map) -> tensor<?x49xf32>
  %w = onnx.initializer "w" dense<1.0> : tensor<1x49xf32> -> tensor<1x49xf32>
  %y = onnx.Gemm(%r, %w) {alpha = 0.0204081628 : f32, node_name = "yes_gemm_alpha", transB = 1 : i64} : (tensor<?x49xf32>, tensor<1x49xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

func.func @no_gemm_alpha(%x: !map) -> tensor<?x1xf32> {
  %r = onnx.Flatten(%x) {axis = 2 : i64} : (!map) -> tensor<?x49xf32>
  %w = onnx.initializer "w" dense<0.0204081628> : tensor<1x49xf32> -> tensor<1x49xf32>
  %y = onnx.Gemm(%r, %w) {alpha = 2.0 : f32, node_name = "no_gemm_alpha", transB = 1 : i64} : (tensor<?x49xf32>, tensor<1x49xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

//===----------------------------------------------------------------------===//
// Between
//===----------------------------------------------------------------------===//

// CHECK: [Passed] GlobalAverage{{.*}}Function=yes_between |
func.func @yes_between(%x: !map) -> !kept {
  %i = onnx.Identity(%x) : (!map) -> !map
  %c = onnx.Cast(%i) {to = 1 : i64} : (!map) -> !map
  %h = onnx.ReduceMean(%c) {axes = array<i64: 2>} : (!map) -> tensor<?x8x1x7xf32>
  %j = onnx.Identity(%h) : (tensor<?x8x1x7xf32>) -> tensor<?x8x1x7xf32>
  %y = onnx.ReduceMean(%j) {axes = array<i64: 3>, node_name = "yes_between"} : (tensor<?x8x1x7xf32>) -> !kept
  return %y : !kept
}

func.func @no_activation_between(%x: !map) -> tensor<?x1x1x7xf32> {
  %h = onnx.ReduceMean(%x) {axes = array<i64: 1>} : (!map) -> tensor<?x1x7x7xf32>
  %r = onnx.Relu(%h) : (tensor<?x1x7x7xf32>) -> tensor<?x1x7x7xf32>
  %y = onnx.ReduceMean(%r) {axes = array<i64: 2>, node_name = "no_activation_between"} : (tensor<?x1x7x7xf32>) -> tensor<?x1x1x7xf32>
  return %y : tensor<?x1x1x7xf32>
}
