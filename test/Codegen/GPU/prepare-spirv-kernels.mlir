// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(gpu.module(prepare-spirv-kernels{subgroup-size=8}))' | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(gpu.module(prepare-spirv-kernels{subgroup-size=8}))' | FileCheck %s

// CHECK:       gpu.module @kernels attributes {spirv.target_env = #spirv.target_env<#spirv.vce<v1.3, [Shader,
// CHECK-SAME:    api=Vulkan, #spirv.resource_limits<subgroup_size = 8>>
// CHECK:       gpu.func @shared(%{{.*}}: memref<?xf32>, %{{.*}}: index, %{{.*}}: memref<?xvector<4xi32>>) kernel
// CHECK-SAME:    spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [256, 1, 1]>
// The first one was shared first.
// CHECK-DAG:     %[[A:.*]] = memref.alloc() : memref<8xf32, #spirv.storage_class<Workgroup>>
// CHECK-DAG:     %[[B:.*]] = memref.alloc() : memref<2xvector<4xf32>, #spirv.storage_class<Workgroup>>
// CHECK:         memref.load %[[A]][%{{.*}}] : memref<8xf32, #spirv.storage_class<Workgroup>>
// CHECK:         memref.store %{{.*}}, %[[B]][%{{.*}}] : memref<2xvector<4xf32>, #spirv.storage_class<Workgroup>>
gpu.module @kernels {
  gpu.func @shared(%x: memref<?xf32>, %n: index, %y: memref<?xvector<4xi32>>)
      workgroup(%a: memref<8xf32, #gpu.address_space<workgroup>>,
                %b: memref<2xvector<4xf32>, #gpu.address_space<workgroup>>)
      kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %zeros = arith.constant dense<0.0> : vector<4xf32>
    %v = memref.load %a[%c0] : memref<8xf32, #gpu.address_space<workgroup>>
    memref.store %v, %x[%n] : memref<?xf32>
    memref.store %zeros, %b[%c0] : memref<2xvector<4xf32>, #gpu.address_space<workgroup>>
    gpu.return
  }
// CHECK:       gpu.func @plain
// CHECK-SAME:    spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [64, 1, 1]>
  gpu.func @plain(%h: memref<7xf16>, %i: i32, %f: f32, %b: memref<?xi8>, %d: memref<?xvector<2xf64>>)
      kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}
