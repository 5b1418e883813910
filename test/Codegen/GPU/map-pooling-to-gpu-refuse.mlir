// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --map-pooling-to-gpu --remark-format=emitRemark --remarks-filter=map-pooling-to-gpu -o - 2>&1 >/dev/null | FileCheck %s
// RUN: head-opt %s --split-input-file --map-pooling-to-gpu | FileCheck %s --check-prefix=IR
//
// What is left as it is, and why.

// IR-NOT: gpu.launch
// CHECK: remark: {{\[}}Missed{{\]}} NotMapped | Category:map-pooling-to-gpu | Reason="it is of float64"
// IR: func.func @double(
// IR: linalg.generic
func.func @double(%x: tensor<2x4x7xf64>) -> tensor<2x4xf64> {
  %init = arith.constant 0.0 : f64
  %empty = tensor.empty() : tensor<2x4xf64>
  %start = linalg.fill ins(%init : f64) outs(%empty : tensor<2x4xf64>) -> tensor<2x4xf64>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
                       affine_map<(d0, d1, d2) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<2x4x7xf64>) outs(%start : tensor<2x4xf64>) {
  ^bb0(%a: f64, %s: f64):
    %r = arith.addf %s, %a : f64
    linalg.yield %r : f64
  } -> tensor<2x4xf64>
  return %sum : tensor<2x4xf64>
}

// -----

// CHECK: remark: {{\[}}Missed{{\]}} NotMapped | Category:map-pooling-to-gpu | Reason="it does not start from zero"
// IR: func.func @no_start(
// IR: linalg.generic
func.func @no_start(%x: tensor<2x4x7xf32>) -> tensor<2x4xf32> {
  %init = arith.constant 1.0 : f32
  %empty = tensor.empty() : tensor<2x4xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<2x4xf32>) -> tensor<2x4xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
                       affine_map<(d0, d1, d2) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<2x4x7xf32>) outs(%start : tensor<2x4xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<2x4xf32>
  return %sum : tensor<2x4xf32>
}

// -----

// CHECK: remark: {{\[}}Missed{{\]}} NotMapped | Category:map-pooling-to-gpu | Reason="there is nothing to reduce"
// IR: func.func @nothing(
// IR: linalg.generic
func.func @nothing(%x: tensor<2x0xf32>) -> tensor<2xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                       affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<2x0xf32>) outs(%start : tensor<2xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// CHECK: remark: {{\[}}Missed{{\]}} NotMapped | Category:map-pooling-to-gpu | Reason="its result is of a type that kernels do not write"
// IR: func.func @widened(
// IR: linalg.generic
func.func @widened(%x: tensor<2x7xf32>) -> tensor<2xf64> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                       affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<2x7xf32>) outs(%start : tensor<2xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<2xf32>
  %wide = tensor.empty() : tensor<2xf64>
  %y = linalg.generic {
      indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
      iterator_types = ["parallel"]}
      ins(%sum : tensor<2xf32>) outs(%wide : tensor<2xf64>) {
  ^bb0(%a: f32, %s: f64):
    %r = arith.extf %a : f32 to f64
    linalg.yield %r : f64
  } -> tensor<2xf64>
  return %y : tensor<2xf64>
}
