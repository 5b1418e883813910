// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// QuantizeLinear and DequantizeLinear.
//
// RUN: head-opt %s --convert-onnx-to-linalg --split-input-file \
// RUN:   --verify-diagnostics | FileCheck %s

// To nearest, ties to even, held in range before it becomes an integer.
// CHECK-LABEL: func.func @quantize(
// CHECK-SAME:    -> tensor<?x4xi8>
// CHECK:           arith.divf
// CHECK-NEXT:      %[[ROUND:.*]] = math.roundeven
// CHECK:           arith.constant 0.000000e+00 : f32
// CHECK:           arith.constant 2.550000e+02 : f32
// CHECK:           %[[INT:.*]] = arith.fptosi %{{.*}} : f32 to i32
// CHECK-NEXT:      arith.trunci %[[INT]] : i32 to i8
func.func @quantize(%x: tensor<?x4xf32>) -> tensor<?x4xui8> {
  %s = onnx.initializer "s" dense<0.5> : tensor<f32> -> tensor<f32>
  %y = onnx.QuantizeLinear(%x, %s) : (tensor<?x4xf32>, tensor<f32>) -> tensor<?x4xui8>
  return %y : tensor<?x4xui8>
}

// -----

// CHECK-DAG:   #[[CHANNEL:.*]] = affine_map<(d0, d1, d2) -> (d1)>
// CHECK-LABEL: func.func @dequantize(
// CHECK:         linalg.generic {indexing_maps = [#{{.*}}, #[[CHANNEL]], #[[CHANNEL]], #{{.*}}]
// CHECK-NEXT:    ^bb0(%[[X:.*]]: i8, %[[S:.*]]: f32, %[[Z:.*]]: i8, %{{.*}}: f32):
// CHECK-NEXT:      %[[WX:.*]] = arith.extui %[[X]] : i8 to i32
// CHECK-NEXT:      %[[WZ:.*]] = arith.extui %[[Z]] : i8 to i32
// CHECK-NEXT:      %[[D:.*]] = arith.subi %[[WX]], %[[WZ]] : i32
// CHECK-NEXT:      %[[F:.*]] = arith.sitofp %[[D]] : i32 to f32
// CHECK-NEXT:      arith.mulf %[[F]], %[[S]] : f32
func.func @dequantize(%x: tensor<?x2x3xui8>, %s: tensor<2xf32>, %z: tensor<2xui8>) -> tensor<?x2x3xf32> {
  %y = onnx.DequantizeLinear(%x, %s, %z) : (tensor<?x2x3xui8>, tensor<2xf32>, tensor<2xui8>) -> tensor<?x2x3xf32>
  return %y : tensor<?x2x3xf32>
}

// -----

// A quantised weight is a plain constant.
// CHECK-LABEL: func.func @weight(
// CHECK:         %[[W:.*]] = arith.constant dense<{{\[}}[2.000000e+00, 4.000000e+00], [6.000000e+00, 8.000000e+00]]> : tensor<2x2xf32>
// CHECK-NOT:     arith.mulf
// CHECK:         linalg.matmul ins(%{{.*}}, %[[W]] :
func.func @weight(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %q = onnx.initializer "q" dense<[[1, 2], [3, 4]]> : tensor<2x2xi8> -> tensor<2x2xi8>
  %s = onnx.initializer "s" dense<2.0> : tensor<f32> -> tensor<f32>
  %w = onnx.DequantizeLinear(%q, %s) : (tensor<2x2xi8>, tensor<f32>) -> tensor<2x2xf32>
  %y = onnx.MatMul(%x, %w) : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

func.func @blocks(%x: tensor<?x4xi8>, %s: tensor<?x2xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{node 'DequantizeLinear' (DequantizeLinear) is not lowered: it quantises in blocks}}
  %y = onnx.DequantizeLinear(%x, %s) {axis = 1 : i64, block_size = 2 : i64} : (tensor<?x4xi8>, tensor<?x2xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Whether the quotient is rounded to 16 bits differs between opsets.
func.func @half(%x: tensor<?x4xf16>, %s: tensor<f16>) -> tensor<?x4xui8> {
  // expected-error@+1 {{its types are not lowered}}
  %y = onnx.QuantizeLinear(%x, %s) : (tensor<?x4xf16>, tensor<f16>) -> tensor<?x4xui8>
  return %y : tensor<?x4xui8>
}

// -----

func.func @scales_of_another_axis(%x: tensor<?x4xf32>, %s: tensor<3xf32>) -> tensor<?x4xui8> {
  // expected-error@+1 {{its scales or zero points do not fit its axis}}
  %y = onnx.QuantizeLinear(%x, %s) : (tensor<?x4xf32>, tensor<3xf32>) -> tensor<?x4xui8>
  return %y : tensor<?x4xui8>
}
