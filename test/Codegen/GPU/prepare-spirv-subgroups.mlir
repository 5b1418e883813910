// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(prepare-spirv-subgroups{subgroup-size=8})))' | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --pass-pipeline='builtin.module(gpu.module(gpu.func(prepare-spirv-subgroups{subgroup-size=8})))' | FileCheck %s

gpu.module @kernels {
// Eight lanes are three steps; the threads are numbered by sub-group and lane.
// CHECK-LABEL: gpu.func @all(
// CHECK-SAME:    %[[X:.*]]: memref<?xf32>)
// CHECK:         %[[S:.*]] = gpu.subgroup_id : index
// CHECK:         %[[L:.*]] = gpu.lane_id
// CHECK:         %[[F:.*]] = arith.muli %[[S]], %c8
// CHECK:         %[[T:.*]] = arith.addi %[[F]], %[[L]]
// CHECK-NOT:     gpu.thread_id
// CHECK:         %[[V:.*]] = memref.load %[[X]][%[[T]]]
// CHECK:         %[[V1:.*]], %{{.*}} = gpu.shuffle xor %[[V]], %{{.*}}, %{{.*}} : f32
// CHECK:         %[[S1:.*]] = arith.addf %[[V]], %[[V1]] : f32
// CHECK:         %[[V2:.*]], %{{.*}} = gpu.shuffle xor %[[S1]]
// CHECK:         %[[S2:.*]] = arith.addf %[[S1]], %[[V2]]
// CHECK:         %[[V3:.*]], %{{.*}} = gpu.shuffle xor %[[S2]]
// CHECK:         %[[S3:.*]] = arith.addf %[[S2]], %[[V3]]
// CHECK-NOT:     gpu.subgroup_reduce
// CHECK:         memref.store %[[S3]], %[[X]][%[[T]]]
  gpu.func @all(%x: memref<?xf32>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %t = gpu.thread_id x
    %v = memref.load %x[%t] : memref<?xf32>
    %sum = gpu.subgroup_reduce add %v uniform : (f32) -> f32
    memref.store %sum, %x[%t] : memref<?xf32>
    gpu.return
  }

// CHECK-LABEL: gpu.func @clusters(
// CHECK:         gpu.shuffle xor
// CHECK:         arith.maximumf
// CHECK:         gpu.shuffle xor
// CHECK:         %[[M:.*]] = arith.maximumf
// CHECK-NOT:     gpu.shuffle
// CHECK:         memref.store %[[M]]
  gpu.func @clusters(%x: memref<?xf32>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %t = gpu.thread_id x
    %v = memref.load %x[%t] : memref<?xf32>
    %max = gpu.subgroup_reduce maximumf %v cluster(size = 4) : (f32) -> f32
    memref.store %max, %x[%t] : memref<?xf32>
    gpu.return
  }

// So are those of all blocks.
// CHECK-LABEL: gpu.func @global(
// CHECK:         %[[S:.*]] = gpu.subgroup_id : index
// CHECK:         %[[L:.*]] = gpu.lane_id
// CHECK:         %[[F:.*]] = arith.muli %[[S]], %c8
// CHECK:         %[[T:.*]] = arith.addi %[[F]], %[[L]]
// CHECK:         %[[B:.*]] = gpu.block_id x
// CHECK:         %[[O:.*]] = arith.muli %[[B]], %c64
// CHECK:         %[[G:.*]] = arith.addi %[[O]], %[[T]]
// CHECK-NOT:     gpu.global_id
// CHECK:         memref.load %{{.*}}[%[[G]]]
  gpu.func @global(%x: memref<?xf32>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %g = gpu.global_id x
    %v = memref.load %x[%g] : memref<?xf32>
    %sum = gpu.subgroup_reduce add %v uniform : (f32) -> f32
    memref.store %sum, %x[%g] : memref<?xf32>
    gpu.return
  }

// Where lanes do not work together, nothing changes.
// CHECK-LABEL: gpu.func @alone(
// CHECK-NEXT:    gpu.thread_id x
// CHECK-NEXT:    memref.load
// CHECK-NEXT:    memref.store
  gpu.func @alone(%x: memref<?xf32>) kernel attributes {known_block_size = array<i32: 7, 1, 1>} {
    %t = gpu.thread_id x
    %v = memref.load %x[%t] : memref<?xf32>
    memref.store %v, %x[%t] : memref<?xf32>
    gpu.return
  }

// CHECK-LABEL: gpu.func @shuffle(
// CHECK:         gpu.subgroup_id
// CHECK:         gpu.shuffle xor
  gpu.func @shuffle(%x: memref<?xf32>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %one = arith.constant 1 : i32
    %size = arith.constant 8 : i32
    %t = gpu.thread_id x
    %v = memref.load %x[%t] : memref<?xf32>
    %w, %valid = gpu.shuffle xor %v, %one, %size : f32
    memref.store %w, %x[%t] : memref<?xf32>
    gpu.return
  }
}
