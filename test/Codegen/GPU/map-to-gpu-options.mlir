// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: not head-opt %s --map-pooling-to-gpu=subgroup-size=3 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not head-opt %s --map-dense-to-gpu=block-threads=48 2>&1 | FileCheck %s --check-prefix=THREADS
// RUN: not head-opt %s --map-pooling-to-gpu='subgroup-size=64 block-threads=96' 2>&1 | FileCheck %s --check-prefix=UNIT
// RUN: not head-opt %s --map-loops-to-gpu=max-blocks=0 2>&1 | FileCheck %s --check-prefix=GRID
// RUN: head-opt %s --map-pooling-to-gpu='subgroup-size=8 block-threads=96 max-blocks=2' | FileCheck %s

// SIZE: subgroup-size is 3; give 4, 8, 16, 32 or 64
// THREADS: block-threads is 48; give a multiple of 32, up to 1024
// UNIT: block-threads is 96; give a multiple of 64, up to 1024
// GRID: max-blocks is 0; give 1 or more

// Two blocks do five tasks one after another, and wait for each other before the
// next one writes to shared memory: 12 sub-groups of 8 share a row.
// CHECK:       gpu.launch blocks({{.*}}) in ({{.*}} = %[[BLOCKS:c2[_0-9]*]], {{.*}}) threads({{.*}}) in ({{.*}} = %c96{{.*}}) {{.*}} workgroup(%{{.*}} : memref<12xf32, #gpu.address_space<workgroup>>)
// CHECK:         scf.for %{{.*}} = %{{.*}} to %c5{{[_0-9]*}} step %[[BLOCKS]] {
// CHECK:           gpu.barrier
// CHECK:           memref.store
// CHECK:           gpu.barrier
// CHECK-NEXT:    }
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
