// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// flatten-to-gap pools a head with even weights, and leaves the others alone.
//
// RUN: head-opt %s --flatten-to-gap --split-input-file | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(flatten-to-gap)' | FileCheck %s

// CHECK-LABEL: func.func @even
// CHECK-SAME:    %[[X:.*]]: tensor<?x2x2x2xf32>
// CHECK:         %[[W:.*]] = onnx.initializer "fc/pooled_weight"
// CHECK-SAME:      tensor<1x2xf32>
// CHECK:         %[[P:.*]] = onnx.GlobalAveragePool(%[[X]])
// CHECK:         %[[F:.*]] = onnx.Flatten(%[[P]])
// CHECK:         onnx.Gemm(%[[F]], %[[W]])
// CHECK-SAME:      transB = 1
func.func @even(%x: tensor<?x2x2x2xf32>) -> tensor<?x1xf32> {
  %w = onnx.initializer "w" dense<[[1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]]> : tensor<1x8xf32> -> tensor<1x8xf32>
  %f = onnx.Flatten(%x) : (tensor<?x2x2x2xf32>) -> tensor<?x8xf32>
  %y = onnx.Gemm(%f, %w) {node_name = "fc", outs = ["y"], transB = 1 : i64} : (tensor<?x8xf32>, tensor<1x8xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// CHECK-LABEL: func.func @uneven
// CHECK-NOT:     GlobalAveragePool
// CHECK:         onnx.Flatten
func.func @uneven(%x: tensor<?x2x2x2xf32>) -> tensor<?x1xf32> {
  %w = onnx.initializer "w" dense<[[1.0, 3.0, 2.0, 1.0, 2.0, 5.0, 4.0, 2.0]]> : tensor<1x8xf32> -> tensor<1x8xf32>
  %f = onnx.Flatten(%x) : (tensor<?x2x2x2xf32>) -> tensor<?x8xf32>
  %y = onnx.Gemm(%f, %w) {node_name = "fc", outs = ["y"], transB = 1 : i64} : (tensor<?x8xf32>, tensor<1x8xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}
