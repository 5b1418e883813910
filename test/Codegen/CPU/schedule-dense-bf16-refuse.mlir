// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is not wholly of bf16 is widened, also where there are instructions for
// pairs of bf16.
//
// RUN: head-opt %s --split-input-file --schedule-dense="vector-bits=512 bf16-dot" | FileCheck %s --implicit-check-not=x86vector.

// CHECK-LABEL: func.func @wide_rows(
// CHECK:         arith.constant dense_resource<packed_weight> : tensor<16xi32>
// CHECK:         arith.shli
// CHECK:         vector.fma {{.*}} : vector<16xf32>
// CHECK:         arith.andi
// CHECK:         vector.fma {{.*}} : vector<16xf32>
func.func @wide_rows(%x: tensor<2x2xf32>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xbf16>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x3xbf16>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @wide_weight(
// CHECK:         arith.constant dense_resource<packed_weight> : tensor<32xf32>
// CHECK:         vector.fma
func.func @wide_weight(%x: tensor<2x2xbf16>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xbf16>, tensor<2x3xf32>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// Sums of f64.
// CHECK-LABEL: func.func @wide_sums(
// CHECK:         arith.constant dense_resource<packed_weight> : tensor<16xi32>
// CHECK:         arith.extf {{.*}} : vector<8xf32> to vector<8xf64>
// CHECK:         vector.fma {{.*}} : vector<8xf64>
func.func @wide_sums(%x: tensor<2x2xbf16>, %init: tensor<2x3xf64>) -> tensor<2x3xf64> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xbf16>
  %zero = arith.constant 0.0 : f64
  %fill = linalg.fill ins(%zero : f64) outs(%init : tensor<2x3xf64>) -> tensor<2x3xf64>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xbf16>, tensor<2x3xbf16>) outs(%fill : tensor<2x3xf64>) -> tensor<2x3xf64>
  return %y : tensor<2x3xf64>
}

// -----

// CHECK-LABEL: func.func @f16(
// CHECK:         arith.constant dense_resource<packed_weight> : tensor<32xf16>
// CHECK:         vector.fma {{.*}} : vector<16xf32>
func.func @f16(%x: tensor<2x2xf16>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf16>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf16>, tensor<2x3xf16>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
