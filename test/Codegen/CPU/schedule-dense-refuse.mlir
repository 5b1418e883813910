// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is no product with a constant stays as it is.
//
// RUN: head-opt %s --split-input-file --schedule-dense=vector-bits=512 | FileCheck %s --implicit-check-not=vector.

// The rows of a tile are known.
// CHECK-LABEL: func.func @rows_unknown(
// CHECK:         linalg.matmul
func.func @rows_unknown(%x: tensor<?x2xf32>, %init: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// -----

// The right side is no constant.
// CHECK-LABEL: func.func @not_constant(
// CHECK:         linalg.matmul
func.func @not_constant(%x: tensor<2x2xf32>, %w: tensor<2x3xf32>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @batch(
// CHECK:         linalg.batch_matmul
func.func @batch(%x: tensor<5x2x2xf32>, %init: tensor<5x2x3xf32>) -> tensor<5x2x3xf32> {
  %w = arith.constant dense<1.0> : tensor<5x2x3xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<5x2x3xf32>) -> tensor<5x2x3xf32>
  %y = linalg.batch_matmul ins(%x, %w : tensor<5x2x2xf32>, tensor<5x2x3xf32>) outs(%fill : tensor<5x2x3xf32>) -> tensor<5x2x3xf32>
  return %y : tensor<5x2x3xf32>
}

// -----

// CHECK-LABEL: func.func @transposed_result(
// CHECK:         linalg.generic
func.func @transposed_result(%x: tensor<2x2xf32>, %init: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = arith.constant dense<1.0> : tensor<2x3xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (n, m)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<2x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<3x2xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %p = arith.mulf %i, %j : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// CHECK-LABEL: func.func @starts_at_one(
// CHECK:         linalg.matmul
func.func @starts_at_one(%x: tensor<2x2xf32>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %zero = arith.constant 1.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @largest(
// CHECK:         linalg.generic
func.func @largest(%x: tensor<2x2xf32>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<2x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<2x3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %p = arith.mulf %i, %j : f32
    %s = arith.maximumf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @nothing(
// CHECK:         linalg.matmul
func.func @nothing(%x: tensor<0x2xf32>, %init: tensor<0x3xf32>) -> tensor<0x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<0x3xf32>) -> tensor<0x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<0x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<0x3xf32>) -> tensor<0x3xf32>
  return %y : tensor<0x3xf32>
}

// -----

// Sums in half precision.
// CHECK-LABEL: func.func @half_sums(
// CHECK:         linalg.matmul
func.func @half_sums(%x: tensor<2x2xf16>, %init: tensor<2x3xf16>) -> tensor<2x3xf16> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf16>
  %zero = arith.constant 0.0 : f16
  %fill = linalg.fill ins(%zero : f16) outs(%init : tensor<2x3xf16>) -> tensor<2x3xf16>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf16>, tensor<2x3xf16>) outs(%fill : tensor<2x3xf16>) -> tensor<2x3xf16>
  return %y : tensor<2x3xf16>
}

// -----

// CHECK-LABEL: func.func @large(
// CHECK:         linalg.matmul
func.func @large(%x: tensor<2x2xf80>, %init: tensor<2x3xf80>) -> tensor<2x3xf80> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf80>
  %zero = arith.constant 0.0 : f80
  %fill = linalg.fill ins(%zero : f80) outs(%init : tensor<2x3xf80>) -> tensor<2x3xf80>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf80>, tensor<2x3xf80>) outs(%fill : tensor<2x3xf80>) -> tensor<2x3xf80>
  return %y : tensor<2x3xf80>
}
