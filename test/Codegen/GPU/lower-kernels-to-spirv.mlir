// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The whole pipeline; the unit test vulkan runs kernels that come out of it.
//
// RUN: head-opt %s --lower-kernels-to-spirv=subgroup-size=8 | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --pass-pipeline='builtin.module(lower-kernels-to-spirv{subgroup-size=8})' | FileCheck %s
// RUN: head-opt %s --lower-kernels-to-spirv | FileCheck %s --check-prefix=DEFAULT
// 32 lanes are five steps.
// DEFAULT-COUNT-5: spirv.GroupNonUniformShuffleXor
// DEFAULT-NOT:     spirv.GroupNonUniformShuffleXor

// What launches them stays.
// CHECK:      gpu.launch_func @kernels::@copy
// Both are entry points of one module, which asks for no more than they use.
// CHECK:      spirv.module @__spv__kernels Logical GLSL450 requires
// CHECK-SAME:   #spirv.vce<v1.3, [Shader, StorageBuffer16BitAccess, GroupNonUniformShuffle, Int16, Float16, Matrix, GroupNonUniform], [SPV_KHR_storage_buffer_storage_class, SPV_KHR_16bit_storage]>
// CHECK-DAG:  spirv.GlobalVariable @pool_arg_0 bind(0, 0) : !spirv.ptr<!spirv.struct<(!spirv.rtarray<vector<4xf32>, stride=16> [0])>, StorageBuffer>
// CHECK-DAG:  spirv.GlobalVariable @pool_arg_1 bind(0, 1) : !spirv.ptr<!spirv.struct<(i32 [0])>, StorageBuffer>
// CHECK-DAG:  spirv.GlobalVariable @pool_arg_2 bind(0, 2) : !spirv.ptr<!spirv.struct<(f32 [0])>, StorageBuffer>
// CHECK-DAG:  spirv.GlobalVariable @pool_arg_3 bind(0, 3) : !spirv.ptr<!spirv.struct<(!spirv.rtarray<f16, stride=2> [0])>, StorageBuffer>
// CHECK-DAG:  spirv.GlobalVariable @{{.*}} : !spirv.ptr<!spirv.struct<(!spirv.array<8 x f32>)>, Workgroup>
// CHECK:      spirv.func @pool()
// CHECK:        spirv.GL.Fma
// CHECK:        spirv.GL.Sqrt
// CHECK:        spirv.GroupNonUniformShuffleXor <Subgroup>
// CHECK:        spirv.ControlBarrier <Workgroup>, <Workgroup>, <AcquireRelease|WorkgroupMemory>
// Rounding to f16 is not left to the device.
// CHECK-NOT:    spirv.FConvert {{.*}} : f32 to f16
// CHECK:      spirv.EntryPoint "GLCompute" @pool
// CHECK:      spirv.ExecutionMode @pool "LocalSize", 64, 1, 1
// CHECK:      spirv.EntryPoint "GLCompute" @copy
// CHECK:      spirv.ExecutionMode @copy "LocalSize", 32, 1, 1
module attributes {gpu.container_module} {
  func.func @head(%x: memref<?xf32>, %y: memref<?xf32>, %blocks: index) {
    %c1 = arith.constant 1 : index
    %c32 = arith.constant 32 : index
    gpu.launch_func @kernels::@copy blocks in (%blocks, %c1, %c1) threads in (%c32, %c1, %c1)
        args(%x: memref<?xf32>, %y: memref<?xf32>)
    return
  }
  gpu.module @kernels {
    gpu.func @pool(%x: memref<?xvector<4xf32>>, %n: index, %scale: f32, %y: memref<?xf16>)
        workgroup(%sums: memref<8xf32, #gpu.address_space<workgroup>>)
        kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c8 = arith.constant 8 : index
      %t = gpu.thread_id x
      %v = memref.load %x[%t] : memref<?xvector<4xf32>>
      %e = vector.extract %v[1] : f32 from vector<4xf32>
      %f = math.fma %e, %scale, %e : f32
      %g = math.sqrt %f : f32
      %s = gpu.subgroup_reduce add %g : (f32) -> f32
      %i = arith.divui %t, %c8 : index
      memref.store %s, %sums[%i] : memref<8xf32, #gpu.address_space<workgroup>>
      gpu.barrier
      %r = memref.load %sums[%c0] : memref<8xf32, #gpu.address_space<workgroup>>
      %h = arith.truncf %r : f32 to f16
      memref.store %h, %y[%n] : memref<?xf16>
      gpu.return
    }
    gpu.func @copy(%x: memref<?xf32>, %y: memref<?xf32>)
        kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
      %t = gpu.thread_id x
      %v = memref.load %x[%t] : memref<?xf32>
      memref.store %v, %y[%t] : memref<?xf32>
      gpu.return
    }
  }
}
