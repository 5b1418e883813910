// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums and means: one linalg.generic that sums, one that divides and narrows,
// and the axes that are kept behind both.
//
// RUN: head-opt %s --convert-onnx-to-linalg --split-input-file \
// RUN:   --verify-diagnostics | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --pass-pipeline='builtin.module(convert-onnx-to-linalg)' \
// RUN:   --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-DAG:   #[[ALL:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
// CHECK-DAG:   #[[KEPT:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1)>
// CHECK-DAG:   #[[SAME:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func.func @global_average(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
// CHECK:         %[[N:.*]] = tensor.dim %[[X]], %{{.*}}
// CHECK:         %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK:         %[[EMPTY:.*]] = tensor.empty(%[[N]]) : tensor<?x8xf32>
// CHECK:         %[[INIT:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%[[EMPTY]] : tensor<?x8xf32>)
// CHECK:         %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[ALL]], #[[KEPT]]], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%[[X]] : tensor<?x8x7x7xf32>) outs(%[[INIT]] : tensor<?x8xf32>)
// CHECK-NEXT:    ^bb0(%[[IN:.*]]: f32, %[[ACC:.*]]: f32):
// CHECK-NEXT:      %[[ADD:.*]] = arith.addf %[[ACC]], %[[IN]] : f32
// CHECK-NEXT:      linalg.yield %[[ADD]]
// CHECK:         %[[MEAN:.*]] = linalg.generic {indexing_maps = [#[[SAME]], #[[SAME]]], iterator_types = ["parallel", "parallel"]} ins(%[[SUM]] : tensor<?x8xf32>)
// CHECK-NEXT:    ^bb0(%[[IN:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT:      %[[COUNT:.*]] = arith.constant 4.900000e+01 : f32
// CHECK-NEXT:      %[[DIV:.*]] = arith.divf %[[IN]], %[[COUNT]] : f32
// CHECK-NEXT:      linalg.yield %[[DIV]]
// CHECK:         %[[Y:.*]] = tensor.expand_shape %[[MEAN]] {{\[}}[0], [1, 2, 3]] output_shape [%{{.*}}, 8, 1, 1]
// CHECK:         return %[[Y]]
func.func @global_average(%x: tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32> {
  %y = onnx.GlobalAveragePool(%x) : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
  return %y : tensor<?x8x1x1xf32>
}

// -----

// Widened first, narrowed last and once.
// CHECK-LABEL: func.func @half(
// CHECK:         linalg.fill ins(%{{.*}} : f32) outs(%{{.*}} : tensor<?x8xf32>)
// CHECK:         ^bb0(%[[IN:.*]]: f16, %[[ACC:.*]]: f32):
// CHECK-NEXT:      %[[WIDE:.*]] = arith.extf %[[IN]] : f16 to f32
// CHECK-NEXT:      arith.addf %[[ACC]], %[[WIDE]] : f32
// CHECK:         ^bb0(%[[IN:.*]]: f32, %{{.*}}: f16):
// CHECK:           %[[DIV:.*]] = arith.divf %[[IN]], %{{.*}} : f32
// CHECK-NEXT:      %[[NARROW:.*]] = arith.truncf %[[DIV]] : f32 to f16
// CHECK-NEXT:      linalg.yield %[[NARROW]]
// CHECK-NOT:     arith.truncf
func.func @half(%x: tensor<?x8x7x7xf16>) -> tensor<?x8xf16> {
  %y = onnx.ReduceMean(%x) {axes = array<i64: 2, 3>, keepdims = 0 : i64} : (tensor<?x8x7x7xf16>) -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

// -----

// The divisor is the run's H * W.
// CHECK-LABEL: func.func @dynamic(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x?x?xf64>
// CHECK:         %[[H:.*]] = tensor.dim %[[X]], %c2
// CHECK:         %[[W:.*]] = tensor.dim %[[X]], %c3
// CHECK:         %[[HW:.*]] = arith.muli %[[H]], %[[W]] : index
// CHECK:         %[[INT:.*]] = arith.index_cast %[[HW]] : index to i64
// CHECK:         %[[COUNT:.*]] = arith.sitofp %[[INT]] : i64 to f64
// CHECK:         arith.divf %{{.*}}, %[[COUNT]] : f64
func.func @dynamic(%x: tensor<?x8x?x?xf64>) -> tensor<?x8x1x1xf64> {
  %y = onnx.GlobalAveragePool(%x) : (tensor<?x8x?x?xf64>) -> tensor<?x8x1x1xf64>
  return %y : tensor<?x8x1x1xf64>
}

// -----

// Channels last: the kept axes in order.
// CHECK-DAG:   #[[KEPT:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d3)>
// CHECK-LABEL: func.func @channels_last(
// CHECK:         linalg.generic {indexing_maps = [#{{.*}}, #[[KEPT]]], iterator_types = ["parallel", "reduction", "reduction", "parallel"]}
// CHECK:         tensor.expand_shape %{{.*}} {{\[}}[0], [1, 2, 3]] output_shape [%{{.*}}, 1, 1, 8]
func.func @channels_last(%x: tensor<?x7x7x8xf32>) -> tensor<?x1x1x8xf32> {
  %axes = onnx.initializer "axes" dense<[-2, 1]> : tensor<2xi64> -> tensor<2xi64>
  %y = onnx.ReduceMean(%x, %axes) : (tensor<?x7x7x8xf32>, tensor<2xi64>) -> tensor<?x1x1x8xf32>
  return %y : tensor<?x1x1x8xf32>
}

// -----

// No axes: all of them, or, when the node says so, none.
// CHECK-LABEL: func.func @no_axes(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8xf32>
// CHECK:         linalg.generic {{.*}} iterator_types = ["reduction", "reduction"]
// CHECK:         return %{{.*}}, %[[X]]
func.func @no_axes(%x: tensor<?x8xf32>) -> (tensor<f32>, tensor<?x8xf32>) {
  %y = onnx.ReduceSum(%x) {keepdims = 0 : i64} : (tensor<?x8xf32>) -> tensor<f32>
  %z = onnx.ReduceSum(%x) {noop_with_empty_axes = 1 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y, %z : tensor<f32>, tensor<?x8xf32>
}

// -----

// One window over the whole map is a mean over its axes; padding does not
// count, so it changes nothing.
// CHECK-LABEL: func.func @whole_window(
// CHECK-NOT:     tensor.pad
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction", "reduction"]
// CHECK:         arith.constant 9.000000e+00 : f32
func.func @whole_window(%x: tensor<?x8x3x3xf32>) -> tensor<?x8x1x1xf32> {
  %y = onnx.AveragePool(%x) {kernel_shape = array<i64: 5, 5>, pads = array<i64: 1, 1, 1, 1>} : (tensor<?x8x3x3xf32>) -> tensor<?x8x1x1xf32>
  return %y : tensor<?x8x1x1xf32>
}

// -----

// Where padding counts, it does in the divisor alone.
// CHECK-LABEL: func.func @whole_window_counts(
// CHECK-NOT:     tensor.pad
// CHECK:         arith.constant 2.500000e+01 : f32
func.func @whole_window_counts(%x: tensor<?x8x3x3xf32>) -> tensor<?x8x1x1xf32> {
  %y = onnx.AveragePool(%x) {count_include_pad = 1 : i64, kernel_shape = array<i64: 5, 5>, pads = array<i64: 1, 1, 1, 1>} : (tensor<?x8x3x3xf32>) -> tensor<?x8x1x1xf32>
  return %y : tensor<?x8x1x1xf32>
}

// -----

// CHECK-DAG:   #[[IN:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2 * 2 + d4, d3 + d5)>
// CHECK-DAG:   #[[WINDOW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d4, d5)>
// CHECK-LABEL: func.func @windows(
// CHECK:         tensor.pad %{{.*}} low[0, 0, 1, 0] high[0, 0, 1, 0]
// CHECK:         linalg.generic {indexing_maps = [#[[IN]], #[[WINDOW]], #{{.*}}]
// CHECK:         linalg.index 2
// CHECK:         arith.maxsi
// CHECK:         arith.minsi
// CHECK:         arith.divf
func.func @windows(%x: tensor<?x8x7x7xf32>) -> tensor<?x8x4x6xf32> {
  %y = onnx.AveragePool(%x) {kernel_shape = array<i64: 3, 2>, pads = array<i64: 1, 0, 1, 0>, strides = array<i64: 2, 1>} : (tensor<?x8x7x7xf32>) -> tensor<?x8x4x6xf32>
  return %y : tensor<?x8x4x6xf32>
}

// -----

// The last window ends at the edge: whether sizes are rounded up does not
// matter.
// CHECK-LABEL: func.func @ceil_without_effect(
// CHECK:         linalg.generic
func.func @ceil_without_effect(%x: tensor<?x8x4x4xf32>) -> tensor<?x8x2x2xf32> {
  %y = onnx.AveragePool(%x) {ceil_mode = 1 : i64, kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<?x8x4x4xf32>) -> tensor<?x8x2x2xf32>
  return %y : tensor<?x8x2x2xf32>
}

// -----

func.func @ceil(%x: tensor<?x8x5x5xf32>) -> tensor<?x8x3x3xf32> {
  // expected-error@+1 {{node 'pool' (AveragePool) is not lowered: its windows may hang over the edge (ceil_mode is 1)}}
  %y = onnx.AveragePool(%x) {ceil_mode = 1 : i64, kernel_shape = array<i64: 2, 2>, node_name = "pool", strides = array<i64: 2, 2>} : (tensor<?x8x5x5xf32>) -> tensor<?x8x3x3xf32>
  return %y : tensor<?x8x3x3xf32>
}

// -----

func.func @dynamic_same(%x: tensor<?x8x?x5xf32>) -> tensor<?x8x?x3xf32> {
  // expected-error@+1 {{its auto_pad depends on extents that only a run knows; give the map its extents}}
  %y = onnx.AveragePool(%x) {auto_pad = "SAME_UPPER", kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<?x8x?x5xf32>) -> tensor<?x8x?x3xf32>
  return %y : tensor<?x8x?x3xf32>
}

// -----

func.func @dilated_edge(%x: tensor<?x8x5x5xf32>) -> tensor<?x8x5x5xf32> {
  // expected-error@+1 {{of its dilated windows some may lie in the padding alone}}
  %y = onnx.AveragePool(%x) {dilations = array<i64: 2, 2>, kernel_shape = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>} : (tensor<?x8x5x5xf32>) -> tensor<?x8x5x5xf32>
  return %y : tensor<?x8x5x5xf32>
}

// -----

func.func @axes_given_at_run_time(%x: tensor<?x8x5x5xf32>, %axes: tensor<2xi64>) -> tensor<?x?x?x?xf32> {
  // expected-error@+1 {{its axes are not known, or none of its input}}
  %y = onnx.ReduceMean(%x, %axes) : (tensor<?x8x5x5xf32>, tensor<2xi64>) -> tensor<?x?x?x?xf32>
  return %y : tensor<?x?x?x?xf32>
}

// -----

func.func @integers(%x: tensor<?x8xi32>) -> tensor<?x1xi32> {
  // expected-error@+1 {{node 'ReduceMean' (ReduceMean) is not lowered: it is of integers}}
  %y = onnx.ReduceMean(%x) {axes = array<i64: 1>} : (tensor<?x8xi32>) -> tensor<?x1xi32>
  return %y : tensor<?x1xi32>
}

// -----

func.func @no_map(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{its input is no map of floating-point numbers}}
  %y = onnx.GlobalAveragePool(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
