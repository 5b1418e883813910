// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --map-head-to-gpu -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir --implicit-check-not=linalg. --implicit-check-not=affine.
// RUN: FileCheck %s --input-file=%t.mlir --check-prefix=KERNELS
// RUN: head-opt %t.mlir | diff - %t.mlir
// RUN: head-opt %s --map-head-to-gpu=subgroup-size=64 | FileCheck %s --check-prefix=WAVE64
// RUN: head-opt %s --map-head-to-gpu=max-blocks=7 | FileCheck %s --check-prefix=GRID
// RUN: not head-opt %s --map-head-to-gpu=subgroup-size=5 2>&1 | FileCheck %s --check-prefix=SIZE
//
// A whole head: a pool, a layer, and two of softmax's steps.

// All work is done by kernels of one module. What is between them is the head's own
// memory, whose alignment nobody has to check, as that of the features; the mean is
// divided, and the bias added, where the sums are. Constants that are tensors are arguments; numbers are not.
// CHECK:       module attributes {gpu.container_module}
// CHECK:         func.func @head(%[[X:.*]]: tensor<?x8x7x7xf32>) -> tensor<?x3xf32> attributes {test.kept}
// CHECK-DAG:       %[[N:.*]] = tensor.dim %[[X]], %c0
// CHECK-DAG:       %[[W:.*]] = arith.constant dense_resource<columns{{.*}}> : tensor<3x8xf32>
// CHECK:           %[[POOLED:.*]] = memref.alloc(%{{.*}}) {alignment = 16 : i64} : memref<?xf32>
// CHECK:           memref.extract_aligned_pointer_as_index
// CHECK-NOT:       memref.extract_aligned_pointer_as_index
// CHECK:           scf.if
// CHECK:             gpu.launch_func @head_kernels::@head_pool_rows_0 blocks in (%[[BLOCKS:.*]], %c1, %c1) threads in (%c128, %c1, %c1) args(%{{.*}} : index, %{{.*}} : memref<?xvector<4xf32>>, %[[FROM:.*]] : memref<?xf32>, %[[POOLED]] : memref<?xf32>, %{{.*}} : index, %[[BLOCKS]] : index)
// CHECK:           } else {
// CHECK:             gpu.launch_func @head_kernels::@head_pool_rows_1 blocks in (%{{.*}}, %c1, %c1) threads in (%c128, %c1, %c1) args(%{{.*}} : index, %[[FROM]] : memref<?xf32>, %[[POOLED]] : memref<?xf32>,
// CHECK:           %[[WIDE:.*]] = builtin.unrealized_conversion_cast %[[POOLED]] : memref<?xf32> to memref<?xvector<4xf32>>
// CHECK:           scf.if
// CHECK:             gpu.launch_func @head_kernels::@head_dense_dense_3 {{.*}} args(%{{.*}} : index, %{{.*}} : memref<6xvector<4xf32>>, %[[WIDE]] : memref<?xvector<4xf32>>, %{{.*}} : memref<3xf32>, %[[LAYER:.*]] : memref<?xf32>,
// CHECK:             scf.if
// CHECK:               gpu.launch_func @head_kernels::@head_dense_dense_4
// CHECK:             } else {
// CHECK:               gpu.launch_func @head_kernels::@head_dense_dense_5
// CHECK:           gpu.launch_func @head_kernels::@head_pool_rows_2 {{.*}} %{{.*}} : memref<?xvector<4xf32>>, %[[LAYER]] : memref<?xf32>, %[[MAX:.*]] : memref<?xf32>
// CHECK:           gpu.launch_func @head_kernels::@head_loops_loops_6 {{.*}} %[[LAYER]] : memref<?xf32>, %[[MAX]] : memref<?xf32>, %[[RESULT:.*]] : memref<?xf32>
// CHECK-NOT:       gpu.launch
// CHECK:           bufferization.to_tensor %[[RESULT]] restrict
// CHECK:           return

// Kernels have bounds of blocks, buffers and indices for arguments, and no operations
// but those that all back ends take; exp is a polynomial.
// KERNELS:       gpu.module @head_kernels {
// KERNELS-NOT:     gpu.module
// KERNELS:         gpu.func @head_pool_rows_0(%{{.*}}: index, %{{.*}}: memref<?xvector<4xf32>>, %{{.*}}: memref<?xf32>, %{{.*}}: memref<?xf32>, %{{.*}}: index, %{{.*}}: index) workgroup(%{{.*}} : memref<1568xf32, #gpu.address_space<workgroup>>) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// KERNELS:           %[[AREA:.*]] = arith.constant 4.900000e+01 : f32
// KERNELS:           gpu.subgroup_reduce add %{{.*}} cluster(size = 4)
// KERNELS:           arith.divf %{{.*}}, %[[AREA]]
// KERNELS:         gpu.func @head_pool_rows_1(%{{.*}}: index, %{{.*}}: memref<?xf32>, %{{.*}}: memref<?xf32>, %{{.*}}: index, %{{.*}}: index) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// KERNELS:         gpu.func @head_dense_dense_3({{.*}}) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// KERNELS:         gpu.func @head_dense_dense_4({{.*}}) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// KERNELS:         gpu.func @head_dense_dense_5({{.*}}) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// KERNELS:         gpu.func @head_pool_rows_2({{.*}}) workgroup({{.*}}) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// KERNELS:           arith.maximumf
// KERNELS:         gpu.func @head_loops_loops_6(%{{.*}}: index, %{{.*}}: memref<?xf32>, %{{.*}}: memref<?xf32>, %{{.*}}: memref<?xf32>, %{{.*}}: index, %{{.*}}: index) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// KERNELS-NOT:       {{math.exp|affine\.|tensor|memref.dim|gpu.(block|grid)_dim|linalg|func.call}}
// KERNELS:           math.fma
// KERNELS:           gpu.return
// KERNELS-NOT:     gpu.func

// A sub-group of 64 computes one column.
// WAVE64:       gpu.func @head_dense_dense_3(
// WAVE64:         arith.divui %{{.*}}, %c64
// WAVE64:         gpu.subgroup_reduce add %{{[a-z0-9_]*}} : (f32) -> f32

// GRID:         arith.minui %{{.*}}, %c7{{[_0-9]*}}
// GRID:         gpu.launch_func @head_kernels::@head_pool_rows_0
// GRID-NOT:     65535

// SIZE: subgroup-size is 5; give 4, 8, 16, 32 or 64
#rows = affine_map<(m, n) -> (m, n)>
func.func @head(%x: tensor<?x8x7x7xf32>) -> tensor<?x3xf32> attributes {test.kept} {
  %zero = arith.constant 0.0 : f32
  %area = arith.constant 49.0 : f32
  %c0 = arith.constant 0 : index
  %w = arith.constant dense_resource<weight> : tensor<8x3xf32>
  %bias = arith.constant dense<[0.5, -0.5, 0.25]> : tensor<3xf32>
  %n = tensor.dim %x, %c0 : tensor<?x8x7x7xf32>
  %pooled = tensor.empty(%n) : tensor<?x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%pooled : tensor<?x8xf32>) -> tensor<?x8xf32>
  %sums = linalg.generic {indexing_maps = [affine_map<(n, c, h, w) -> (n, c, h, w)>, affine_map<(n, c, h, w) -> (n, c)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x : tensor<?x8x7x7xf32>) outs(%zeros : tensor<?x8xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<?x8xf32>
  %means = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]}
      ins(%sums : tensor<?x8xf32>) outs(%pooled : tensor<?x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.divf %a, %area : f32
    linalg.yield %r : f32
  } -> tensor<?x8xf32>
  %empty = tensor.empty(%n) : tensor<?x3xf32>
  %start = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x3xf32>) -> tensor<?x3xf32>
  %products = linalg.matmul ins(%means, %w : tensor<?x8xf32>, tensor<8x3xf32>) outs(%start : tensor<?x3xf32>) -> tensor<?x3xf32>
  %y = linalg.generic {indexing_maps = [#rows, affine_map<(m, n) -> (n)>, #rows], iterator_types = ["parallel", "parallel"]}
      ins(%products, %bias : tensor<?x3xf32>, tensor<3xf32>) outs(%empty : tensor<?x3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.addf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x3xf32>
  %maxima = tensor.empty(%n) : tensor<?xf32>
  %low = arith.constant 0xFF800000 : f32
  %lows = linalg.fill ins(%low : f32) outs(%maxima : tensor<?xf32>) -> tensor<?xf32>
  %max = linalg.generic {indexing_maps = [#rows, affine_map<(m, n) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%y : tensor<?x3xf32>) outs(%lows : tensor<?xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.maximumf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %z = linalg.generic {indexing_maps = [#rows, affine_map<(m, n) -> (m)>, #rows], iterator_types = ["parallel", "parallel"]}
      ins(%y, %max : tensor<?x3xf32>, tensor<?xf32>) outs(%empty : tensor<?x3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %r = math.exp %d : f32
    linalg.yield %r : f32
  } -> tensor<?x3xf32>
  return %z : tensor<?x3xf32>
}
{-#
  dialect_resources: { builtin: { weight: "0x040000000000803F000000400000404000008040000000410000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F" } }
#-}
