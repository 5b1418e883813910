// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A weight whose data was left out of the text.
//
// RUN: head-opt %s --schedule-dense --verify-diagnostics

func.func @elided(%x: tensor<2x2xf32>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense_resource<__elided__> : tensor<2x3xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  // expected-error@+1 {{schedule-dense: the weight's data is missing or of another size than its type}}
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
