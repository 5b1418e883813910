// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --lower-launches --canonicalize | FileCheck %s
//
// What may be asked of the memory that there is before kernels run: how long it is.
// Vectors are as large as their elements together.

// CHECK-LABEL: func.func @head_cuda(
// CHECK-SAME:    %{{.*}}: !llvm.ptr, %[[N:[a-z0-9]*]]: i64
// CHECK:           %[[VECTORS:.*]] = "llvm.intr.smul.with.overflow"(%[[N]], %c16_i64)
// CHECK:           %[[BYTES:.*]] = llvm.extractvalue %[[VECTORS]][0]
// CHECK:           %[[SIZE:.*]] = arith.index_cast %[[BYTES]]
// CHECK:           arith.addi %[[SIZE]], %c255
// CHECK:           llvm.call @headopt_gpu_launch(%{{.*}}, %c0_i32, %[[N]], %{{.*}})
module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %from = bufferization.to_buffer %x read_only : tensor<?xf32> to memref<?xf32>
  %m = memref.dim %from, %c0 : memref<?xf32>
  %vectors = memref.alloc(%m) : memref<?xvector<4xf32>>
  %to = memref.alloc(%n) : memref<?xf32>
  %k = memref.dim %to, %c0 : memref<?xf32>
  gpu.launch_func @kernels::@k blocks in (%k, %c1, %c1) threads in (%c1, %c1, %c1)
      args(%from : memref<?xf32>, %vectors : memref<?xvector<4xf32>>, %to : memref<?xf32>)
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
}
