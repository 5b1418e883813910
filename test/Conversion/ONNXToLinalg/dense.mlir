// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dense layers: linalg.matmul in f32 and f64, a widening linalg.generic in f16
// and bf16; the bias behind it. Constants are read as they lie.
//
// RUN: head-opt %s --convert-onnx-to-linalg --split-input-file \
// RUN:   --verify-diagnostics | FileCheck %s

// CHECK-DAG:   #[[ROW:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func.func @gemm(
// CHECK-SAME:    %[[X:.*]]: tensor<?x3xf32>) -> tensor<?x2xf32>
// CHECK-DAG:     %[[W:.*]] = arith.constant dense<{{.*}}> : tensor<3x2xf32>
// CHECK-DAG:     %[[B:.*]] = arith.constant dense<{{.*}}> : tensor<2xf32>
// CHECK:         %[[INIT:.*]] = linalg.fill
// CHECK:         %[[P:.*]] = linalg.matmul ins(%[[X]], %[[W]] : tensor<?x3xf32>, tensor<3x2xf32>) outs(%[[INIT]] : tensor<?x2xf32>)
// CHECK:         %[[Y:.*]] = linalg.generic {indexing_maps = [#{{.*}}, #[[ROW]], #{{.*}}], iterator_types = ["parallel", "parallel"]} ins(%[[P]], %[[B]] : tensor<?x2xf32>, tensor<2xf32>)
// CHECK:           arith.addf
// CHECK:         return %[[Y]]
func.func @gemm(%x: tensor<?x3xf32>) -> tensor<?x2xf32> {
  %w = onnx.initializer "w" dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32> -> tensor<3x2xf32>
  %b = onnx.initializer "b" dense<[1.0, 2.0]> : tensor<2xf32> -> tensor<2xf32>
  %y = onnx.Gemm(%x, %w, %b) : (tensor<?x3xf32>, tensor<3x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// A weight that lies the other way round stays as it is.
// CHECK-DAG:   #[[A:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG:   #[[B:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG:   #[[C:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func.func @transposed(
// CHECK:         %[[W:.*]] = arith.constant dense<{{.*}}> : tensor<2x3xf32>
// CHECK:         %[[P:.*]] = linalg.matmul indexing_maps = [#[[A]], #[[B]], #[[C]]] ins(%{{.*}}, %[[W]] : tensor<?x3xf32>, tensor<2x3xf32>)
// CHECK:         return %[[P]]
func.func @transposed(%x: tensor<?x3xf32>) -> tensor<?x2xf32> {
  %w = onnx.initializer "w" dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32> -> tensor<2x3xf32>
  %none = onnx.none
  %y = onnx.Gemm(%x, %w, %none) {transB = 1 : i64} : (tensor<?x3xf32>, tensor<2x3xf32>, none) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// alpha, beta and the bias in one function per element; the sums stay in f32
// until then.
// CHECK-LABEL: func.func @half(
// CHECK-NOT:     linalg.matmul
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]{{.*}} outs(%{{.*}} : tensor<?x2xf32>)
// CHECK-NEXT:    ^bb0(%[[A:.*]]: bf16, %[[B:.*]]: bf16, %[[ACC:.*]]: f32):
// CHECK-NEXT:      %[[WA:.*]] = arith.extf %[[A]] : bf16 to f32
// CHECK-NEXT:      %[[WB:.*]] = arith.extf %[[B]] : bf16 to f32
// CHECK-NEXT:      %[[MUL:.*]] = arith.mulf %[[WA]], %[[WB]] : f32
// CHECK-NEXT:      arith.addf %[[ACC]], %[[MUL]] : f32
// CHECK:         ^bb0(%[[P:.*]]: f32, %[[C:.*]]: bf16, %{{.*}}: bf16):
// CHECK-NEXT:      %[[WC:.*]] = arith.extf %[[C]] : bf16 to f32
// CHECK-NEXT:      %[[ALPHA:.*]] = arith.constant 5.000000e-01 : f32
// CHECK-NEXT:      %[[AP:.*]] = arith.mulf %[[P]], %[[ALPHA]] : f32
// CHECK-NEXT:      %[[BETA:.*]] = arith.constant 2.000000e+00 : f32
// CHECK-NEXT:      %[[BC:.*]] = arith.mulf %[[WC]], %[[BETA]] : f32
// CHECK-NEXT:      %[[SUM:.*]] = arith.addf %[[AP]], %[[BC]] : f32
// CHECK-NEXT:      arith.truncf %[[SUM]] : f32 to bf16
func.func @half(%x: tensor<?x3xbf16>) -> tensor<?x2xbf16> {
  %w = onnx.initializer "w" dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xbf16> -> tensor<3x2xbf16>
  %b = onnx.initializer "b" dense<[1.0, 2.0]> : tensor<2xbf16> -> tensor<2xbf16>
  %y = onnx.Gemm(%x, %w, %b) {alpha = 0.5 : f32, beta = 2.0 : f32} : (tensor<?x3xbf16>, tensor<3x2xbf16>, tensor<2xbf16>) -> tensor<?x2xbf16>
  return %y : tensor<?x2xbf16>
}

// -----

// A bias that is one row: the constant loses the axis.
// CHECK-LABEL: func.func @row_bias(
// CHECK:         %[[P:.*]] = linalg.matmul
// CHECK:         %[[B:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK:         linalg.generic {{.*}} ins(%[[B]], %[[P]] : tensor<2xf32>, tensor<?x2xf32>)
func.func @row_bias(%x: tensor<?x3xf32>) -> tensor<?x2xf32> {
  %w = onnx.initializer "w" dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32> -> tensor<3x2xf32>
  %b = onnx.initializer "b" dense<[[1.0, 2.0]]> : tensor<1x2xf32> -> tensor<1x2xf32>
  %m = onnx.MatMul(%x, %w) : (tensor<?x3xf32>, tensor<3x2xf32>) -> tensor<?x2xf32>
  %y = onnx.Add(%b, %m) : (tensor<1x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// One product for all rows.
// CHECK-LABEL: func.func @rows(
// CHECK:         %[[X:.*]] = tensor.collapse_shape %{{.*}} {{\[}}[0, 1], [2]] : tensor<?x5x3xf32> into tensor<?x3xf32>
// CHECK:         %[[P:.*]] = linalg.matmul ins(%[[X]],
// CHECK:         tensor.expand_shape %[[P]] {{\[}}[0, 1], [2]] output_shape [%{{.*}}, 5, 2]
func.func @rows(%x: tensor<?x5x3xf32>, %w: tensor<3x2xf32>) -> tensor<?x5x2xf32> {
  %y = onnx.MatMul(%x, %w) : (tensor<?x5x3xf32>, tensor<3x2xf32>) -> tensor<?x5x2xf32>
  return %y : tensor<?x5x2xf32>
}

// -----

// A convolution with one window.
// CHECK-LABEL: func.func @convolution(
// CHECK-SAME:    %[[X:.*]]: tensor<?x3x2x2xf32>
// CHECK:         %[[F:.*]] = tensor.collapse_shape %[[X]] {{\[}}[0], [1, 2, 3]] : tensor<?x3x2x2xf32> into tensor<?x12xf32>
// CHECK:         %[[W:.*]] = arith.constant dense<1.000000e+00> : tensor<5x12xf32>
// CHECK:         %[[P:.*]] = linalg.matmul indexing_maps = {{.*}} ins(%[[F]], %[[W]] :
// CHECK:         tensor.expand_shape %{{.*}} {{\[}}[0], [1, 2, 3]] output_shape [%{{.*}}, 5, 1, 1]
func.func @convolution(%x: tensor<?x3x2x2xf32>) -> tensor<?x5x1x1xf32> {
  %w = onnx.initializer "w" dense<1.0> : tensor<5x3x2x2xf32> -> tensor<5x3x2x2xf32>
  %y = onnx.Conv(%x, %w) : (tensor<?x3x2x2xf32>, tensor<5x3x2x2xf32>) -> tensor<?x5x1x1xf32>
  return %y : tensor<?x5x1x1xf32>
}

// -----

func.func @many_windows(%x: tensor<?x3x4x4xf32>, %w: tensor<5x3x2x2xf32>) -> tensor<?x5x3x3xf32> {
  // expected-error@+1 {{node 'conv' (Conv) is not lowered: only a convolution with one window is lowered}}
  %y = onnx.Conv(%x, %w) {node_name = "conv"} : (tensor<?x3x4x4xf32>, tensor<5x3x2x2xf32>) -> tensor<?x5x3x3xf32>
  return %y : tensor<?x5x3x3xf32>
}

// -----

func.func @groups(%x: tensor<?x4x2x2xf32>, %w: tensor<4x2x2x2xf32>) -> tensor<?x4x1x1xf32> {
  // expected-error@+1 {{without padding, dilation or groups}}
  %y = onnx.Conv(%x, %w) {group = 2 : i64} : (tensor<?x4x2x2xf32>, tensor<4x2x2x2xf32>) -> tensor<?x4x1x1xf32>
  return %y : tensor<?x4x1x1xf32>
}

// -----

func.func @unlike(%x: tensor<?x3xf32>, %w: tensor<4x2xf32>) -> tensor<?x2xf32> {
  // expected-error@+1 {{node 'y' (MatMul) is not lowered: its operands do not fit each other}}
  %y = onnx.MatMul(%x, %w) {outs = ["y"]} : (tensor<?x3xf32>, tensor<4x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

func.func @stacks_of_unknown_height(%x: tensor<?x2x3xf32>, %w: tensor<?x3x2xf32>) -> tensor<?x2x2xf32> {
  // expected-error@+1 {{whether its operands are broadcast along axis 0 is only known at run time}}
  %y = onnx.MatMul(%x, %w) : (tensor<?x2x3xf32>, tensor<?x3x2xf32>) -> tensor<?x2x2xf32>
  return %y : tensor<?x2x2xf32>
}

// -----

func.func @bias_does_not_fit(%x: tensor<?x3xf32>, %w: tensor<3x2xf32>, %b: tensor<3xf32>) -> tensor<?x2xf32> {
  // expected-error@+1 {{its bias does not fit its result}}
  %y = onnx.Gemm(%x, %w, %b) : (tensor<?x3xf32>, tensor<3x2xf32>, tensor<3xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
