// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --verify-diagnostics --map-loops-to-gpu

func.func @double(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  // expected-error @+1 {{cannot run on a GPU: kernels have no numbers of type f64}}
  %y = linalg.exp ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>) -> tensor<4xf64>
  return %y : tensor<4xf64>
}

// -----

func.func @call(%x: tensor<4xf32>) -> tensor<4xf32> {
  %empty = tensor.empty() : tensor<4xf32>
  // expected-error @+1 {{cannot run on a GPU: its body has func.call}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%empty : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = func.call @f(%a) : (f32) -> f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @f(f32) -> f32

// -----

// What the body reads by itself is memory as well.
func.func @booleans(%m: tensor<4xi1>) -> tensor<4xf32> {
  %one = arith.constant 1.0 : f32
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4xf32>
  // expected-error @+1 {{cannot run on a GPU: kernels have no numbers of type i1}}
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      outs(%empty : tensor<4xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %b = tensor.extract %m[%i] : tensor<4xi1>
    %r = arith.select %b, %one, %zero : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @no_loop_nest(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %empty = tensor.empty() : tensor<3x4xf32>
  // expected-error @+1 {{cannot run on a GPU: it is no loop nest; write it as linalg.generic}}
  %y = linalg.softmax dimension(1) ins(%x : tensor<3x4xf32>) outs(%empty : tensor<3x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
