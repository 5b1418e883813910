// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --map-loops-to-gpu | FileCheck %s
//
// A thread for each element of a result; test/Integration/GPU runs such kernels.

#nc = affine_map<(n, c) -> (n, c)>
#cn = affine_map<(n, c) -> (c, n)>
#n = affine_map<(n, c) -> (n)>

// Softmax's second step: one number of each row for all of them.
// CHECK-LABEL: func.func @broadcast(
// CHECK:         gpu.launch {{.*}} threads({{.*}}) in ({{.*}} = %c128{{.*}}) {{.*}}function(@broadcast_loops_loops_0)
// CHECK:           arith.cmpi ult
// CHECK:           scf.if
// CHECK:             memref.load {{.*}} : memref<?xf32>
// CHECK:             memref.load {{.*}} : memref<?xf32>
// CHECK:             arith.subf
// CHECK:             memref.store
// CHECK-NOT:     linalg.generic
func.func @broadcast(%x: tensor<?x25xf32>, %max: tensor<?xf32>) -> tensor<?x25xf32> {
  %c0 = arith.constant 0 : index
  %rows = tensor.dim %x, %c0 : tensor<?x25xf32>
  %empty = tensor.empty(%rows) : tensor<?x25xf32>
  %y = linalg.generic {indexing_maps = [#nc, #n, #nc], iterator_types = ["parallel", "parallel"]}
      ins(%x, %max : tensor<?x25xf32>, tensor<?xf32>) outs(%empty : tensor<?x25xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.subf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x25xf32>
  return %y : tensor<?x25xf32>
}

// CHECK-LABEL: func.func @transpose(
// CHECK:         gpu.launch {{.*}} function(@transpose_loops_loops_0)
// CHECK:           memref.load {{.*}} : memref<12xi64>
// CHECK:           memref.store {{.*}} : memref<12xi64>
func.func @transpose(%x: tensor<3x4xi64>) -> tensor<4x3xi64> {
  %empty = tensor.empty() : tensor<4x3xi64>
  %y = linalg.transpose ins(%x : tensor<3x4xi64>) outs(%empty : tensor<4x3xi64>) permutation = [1, 0]
  return %y : tensor<4x3xi64>
}

// What is reduced is a loop of the thread, which starts from the number that the
// result is filled with; that needs no memory.
// CHECK-LABEL: func.func @reduction(
// CHECK:         %[[START:.*]] = arith.constant 1.000000e+00 : f32
// CHECK:         gpu.launch {{.*}} function(@reduction_loops_loops_0)
// CHECK:           scf.for %{{.*}} = %c0{{[_0-9]*}} to %c4{{[_0-9]*}} step %c1{{[_0-9]*}} iter_args(%{{.*}} = %[[START]])
// CHECK:             arith.mulf
// CHECK-NOT:     gpu.launch
func.func @reduction(%x: tensor<3x4xf32>) -> tensor<3xf32> {
  %one = arith.constant 1.0 : f32
  %empty = tensor.empty() : tensor<3xf32>
  %ones = linalg.fill ins(%one : f32) outs(%empty : tensor<3xf32>) -> tensor<3xf32>
  %y = linalg.generic {indexing_maps = [#nc, #n], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x4xf32>) outs(%ones : tensor<3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.mulf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// A body that reads a tensor by itself, where its indices say.
// CHECK-LABEL: func.func @reads_by_itself(
// CHECK:         %[[FROM:.*]] = bufferization.to_buffer %{{.*}} read_only : tensor<12xf32> to memref<12xf32>
// CHECK:         gpu.launch {{.*}} function(@reads_by_itself_loops_loops_0)
// CHECK-NOT:       linalg.index
// CHECK-NOT:       tensor.extract
// CHECK:           memref.load %[[FROM]]
func.func @reads_by_itself(%x: tensor<3x4xf32>) -> tensor<4x3xf32> {
  %empty = tensor.empty() : tensor<4x3xf32>
  %y = linalg.generic {indexing_maps = [#nc], iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<4x3xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %r = tensor.extract %x[%j, %i] : tensor<3x4xf32>
    linalg.yield %r : f32
  } -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// The last number of each row: the accumulator is not read, but carried.
// CHECK-LABEL: func.func @last(
// CHECK:         gpu.launch
// CHECK:           %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK:           scf.for {{.*}} iter_args(%{{.*}} = %[[ZERO]]) -> (f32)
func.func @last(%x: tensor<?x5xf32>, %init: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %d = tensor.dim %x, %c0 : tensor<?x5xf32>
  %e = tensor.empty(%d) : tensor<?xf32>
  %r = linalg.generic {indexing_maps = [#nc, #n], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x5xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// Over nothing, the result is what was there.
// CHECK-LABEL: func.func @over_any(
// CHECK-SAME:    %{{.*}}: tensor<3x?xf32>, %[[Z:.*]]: tensor<3xf32>)
// CHECK:         %[[START:.*]] = bufferization.to_buffer %[[Z]] read_only
// CHECK:         gpu.launch {{.*}} function(@over_any_loops_loops_0)
// CHECK:           %[[FIRST:.*]] = memref.load %[[START]]
// CHECK:           scf.for {{.*}} iter_args(%{{.*}} = %[[FIRST]])
func.func @over_any(%x: tensor<3x?xf32>, %z: tensor<3xf32>) -> tensor<3xf32> {
  %y = linalg.generic {indexing_maps = [#nc, #n], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x?xf32>) outs(%z : tensor<3xf32>) {
  ^bb0(%a: f32, %s: f32):
    linalg.yield %a : f32
  } -> tensor<3xf32>
  return %y : tensor<3xf32>
}
