// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: not head-opt %s --map-pooling-to-gpu=subgroup-size=3 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not head-opt %s --map-dense-to-gpu=block-threads=48 2>&1 | FileCheck %s --check-prefix=THREADS
// RUN: not head-opt %s --map-pooling-to-gpu='subgroup-size=64 block-threads=96' 2>&1 | FileCheck %s --check-prefix=UNIT
// RUN: not head-opt %s --map-loops-to-gpu=max-blocks=0 2>&1 | FileCheck %s --check-prefix=GRID
// RUN: not head-opt %s --map-pooling-to-gpu=max-blocks=2147483648 2>&1 | FileCheck %s --check-prefix=LARGE
// RUN: head-opt %s --map-pooling-to-gpu='subgroup-size=8 block-threads=96 max-blocks=2' | FileCheck %s
// RUN: head-opt %s --map-pooling-to-gpu=max-blocks=2147483646 --cse | FileCheck %s --check-prefix=MANY
// RUN: head-opt %s --map-pooling-to-gpu=max-blocks=2147483647 --cse | FileCheck %s --check-prefix=ALL

// SIZE: subgroup-size is 3; give 4, 8, 16, 32 or 64
// THREADS: block-threads is 48; give a multiple of 32, up to 1024
// UNIT: block-threads is 96; give a multiple of 64, up to 1024
// GRID: max-blocks is 0; give 1 or more, up to 2147483647
// LARGE: max-blocks is 2147483648; give 1 or more, up to 2147483647

// Two blocks do five tasks one after another, and wait for each other before the
// next one writes to shared memory. Of up to 96 threads 64 are a power of two, and no
// more than have eight accesses each: eight sub-groups of 8 share a row.
// CHECK-LABEL: func.func @f(
// CHECK:       gpu.launch blocks({{.*}}) in ({{.*}} = %[[BLOCKS:c2[_0-9]*]], {{.*}}) threads({{.*}}) in ({{.*}} = %c64{{.*}}) {{.*}} workgroup(%{{.*}} : memref<8xf32, #gpu.address_space<workgroup>>)
// CHECK:         scf.for %{{.*}} = %{{.*}} to %c5{{[_0-9]*}} step %[[BLOCKS]] {
// CHECK:           gpu.barrier
// CHECK:           memref.store
// CHECK:           gpu.barrier
// CHECK-NEXT:    }

// As many blocks as there are rows: how many is not known, and a block that might have
// to do several asks.
// MANY-LABEL: func.func @g(
// MANY:         %[[ROWS:.*]] = tensor.dim
// MANY:         %[[BLOCKS:.*]] = arith.minui %[[ROWS]], %c2147483646
// MANY:         gpu.launch blocks(%[[BLOCK:[a-z0-9_]*]], {{.*}}) in ({{.*}} = %[[BLOCKS]], {{.*}})
// MANY-NEXT:      scf.for %{{.*}} = %[[BLOCK]] to %[[ROWS]] step %[[BLOCKS]] {

// Unless all are launched, so that each does one.
// ALL-LABEL:  func.func @g(
// ALL:          %[[ROWS:.*]] = tensor.dim
// ALL-NOT:      arith.minui
// ALL:          gpu.launch blocks(%[[BLOCK:[a-z0-9_]*]], {{.*}}) in ({{.*}} = %[[ROWS]], {{.*}})
// ALL-NOT:        step %[[ROWS]]
// ALL:            arith.muli %[[BLOCK]], %c275
// ALL:            gpu.barrier
// ALL-NOT:        gpu.barrier
// ALL:            gpu.terminator
func.func @f(%x: tensor<5x1100xf32>) -> tensor<5xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<5xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<5xf32>) -> tensor<5xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<5x1100xf32>) outs(%zeros : tensor<5xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<5xf32>
  return %sum : tensor<5xf32>
}
func.func @g(%x: tensor<?x1100xf32>) -> tensor<?xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x1100xf32>
  %empty = tensor.empty(%n) : tensor<?xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x1100xf32>) outs(%zeros : tensor<?xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  return %sum : tensor<?xf32>
}
