// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chains of element-wise operations, and what stands before a reduction, become one
// operation each; what would be computed more than once does not.
//
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(fuse-elementwise))' | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(func.func(fuse-elementwise))' | FileCheck %s

// CHECK-LABEL: func.func @chain(
// CHECK:         linalg.generic
// CHECK:           math.exp
// CHECK:           arith.negf
// CHECK-NOT:     linalg.generic
#map = affine_map<(a, b) -> (a, b)>
func.func @chain(%x: tensor<2x8xf32>, %e: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %y = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<2x8xf32>
  %z = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.negf %i : f32
    linalg.yield %r : f32
  } -> tensor<2x8xf32>
  return %z : tensor<2x8xf32>
}

// -----

// A sum, and any other reduction, reads each element once.
// CHECK-LABEL: func.func @sum(
// CHECK:         linalg.generic
// CHECK:           math.exp
// CHECK:           arith.addf
// CHECK-NOT:     linalg.generic
#map = affine_map<(a, b) -> (a, b)>
#out = affine_map<(a, b) -> (a)>
func.func @sum(%x: tensor<8x8xf32>, %e: tensor<8x8xf32>, %s: tensor<8xf32>) -> (tensor<8xf32>) {
  %y = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<8x8xf32>
  %z = linalg.generic {indexing_maps = [#map, #out], iterator_types = ["parallel", "reduction"]} ins(%y : tensor<8x8xf32>) outs(%s : tensor<8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.addf %o, %i : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  return %z : tensor<8xf32>
}

// -----

// In any order of loops.
// CHECK-LABEL: func.func @largest(
// CHECK:         linalg.generic
// CHECK:           math.exp
// CHECK:           arith.maximumf
// CHECK-NOT:     linalg.generic
#map = affine_map<(a, b) -> (a, b)>
#out = affine_map<(a, b) -> (b)>
func.func @largest(%x: tensor<8x8xf32>, %e: tensor<8x8xf32>, %s: tensor<8xf32>) -> (tensor<8xf32>) {
  %y = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<8x8xf32>
  %z = linalg.generic {indexing_maps = [#map, #out], iterator_types = ["reduction", "parallel"]} ins(%y : tensor<8x8xf32>) outs(%s : tensor<8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.maximumf %o, %i : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  return %z : tensor<8xf32>
}

// -----

// Somebody else needs it.
// CHECK-LABEL: func.func @two_uses(
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT:     linalg.generic
#map = affine_map<(a, b) -> (a, b)>
#out = affine_map<(a, b) -> (a)>
func.func @two_uses(%x: tensor<8x8xf32>, %e: tensor<8x8xf32>, %s: tensor<8xf32>) -> (tensor<8x8xf32>, tensor<8xf32>) {
  %y = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<8x8xf32>
  %z = linalg.generic {indexing_maps = [#map, #out], iterator_types = ["parallel", "reduction"]} ins(%y : tensor<8x8xf32>) outs(%s : tensor<8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.addf %o, %i : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  return %y, %z : tensor<8x8xf32>, tensor<8xf32>
}

// -----

// A matrix product would compute its left side once for each column.
// CHECK-LABEL: func.func @product(
// CHECK:         linalg.generic
// CHECK:           math.exp
// CHECK:         linalg.generic
// CHECK-NOT:       math.exp
// CHECK:           arith.mulf
#map = affine_map<(a, b) -> (a, b)>
func.func @product(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>, %e: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %y = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<8x8xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%y, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %p = arith.mulf %i, %j : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<8x8xf32>
  return %z : tensor<8x8xf32>
}

// -----

// What is broadcast would be computed once for each element that it goes to.
// CHECK-LABEL: func.func @broadcast(
// CHECK-COUNT-2: linalg.generic
func.func @broadcast(%x: tensor<8xf32>, %s: tensor<8xf32>, %e: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(a) -> (a)>, affine_map<(a) -> (a)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%s : tensor<8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.negf %i : f32
    linalg.yield %r : f32
  } -> tensor<8x8xf32>
  return %z : tensor<8x8xf32>
}
