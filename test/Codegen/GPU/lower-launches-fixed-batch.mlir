// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --lower-launches --canonicalize | FileCheck %s
//
// A head for batches of two only, whose functions refuse all others; so all sizes are
// known: two parts of the memory that is asked for, of 12 and of 260 bytes, begin at
// multiples of 256, and three constants are one that two launches read, and another.

// CHECK-DAG:   llvm.mlir.global internal constant @head.arguments0("pppw\00")
// CHECK-DAG:   llvm.mlir.global internal constant @head.arguments1("ppp\00")
// CHECK-DAG:   @head.constant0(dense<{{.*}}> : tensor<3xf16>)
// CHECK-DAG:   @head.constant1(dense<{{.*}}> : tensor<2x2xf32>)
// CHECK-LABEL: func.func @head_cuda(
// CHECK-SAME:    %[[X:.*]]: !llvm.ptr, %[[N:.*]]: i64, %[[Y:.*]]: !llvm.ptr, %[[STREAM:.*]]: !llvm.ptr) -> i32
// CHECK:         arith.cmpi ne, %[[N]], %c2_i64
// CHECK:           llvm.call @headopt_gpu_reject(
// CHECK:           %[[FROM:.*]] = llvm.ptrtoint %[[X]]
// CHECK:           %[[TO:.*]] = llvm.ptrtoint %[[Y]]
// CHECK:           llvm.call @headopt_gpu_begin(%[[CALL:.*]], %{{.*}}, %[[STREAM]], %c768_i64)
// CHECK:           %[[FIRST:.*]] = llvm.call @headopt_gpu_scratch(%[[CALL]])
// CHECK:           %[[SECOND:.*]] = arith.addi %[[FIRST]], %c256_i64
// CHECK:           %[[HALVES:.*]] = llvm.call @headopt_gpu_constant(%[[CALL]], %c0_i32)
// CHECK:           llvm.store %[[FROM]], %[[SLOTS:.*]] : i64
// CHECK:           %[[SLOT1:.*]] = llvm.getelementptr %[[SLOTS]][1]
// CHECK:           llvm.store %[[HALVES]], %[[SLOT1]]
// CHECK:           %[[SLOT2:.*]] = llvm.getelementptr %[[SLOTS]][2]
// CHECK:           llvm.store %[[FIRST]], %[[SLOT2]]
// CHECK:           %[[SLOT3:.*]] = llvm.getelementptr %[[SLOTS]][3]
// CHECK:           llvm.store %c7_i64, %[[SLOT3]]
// CHECK:           llvm.call @headopt_gpu_launch(%[[CALL]], %c0_i32, %c5_i64, %[[SLOTS]])
// CHECK:           %[[AGAIN:.*]] = llvm.call @headopt_gpu_constant(%[[CALL]], %c0_i32)
// CHECK:           llvm.store %[[AGAIN]],
// CHECK:           llvm.store %[[SECOND]],
// CHECK:           llvm.call @headopt_gpu_launch(%[[CALL]], %c1_i32, %c1_i64, %[[SLOTS]])
// CHECK:           llvm.call @headopt_gpu_constant(%[[CALL]], %c1_i32)
// CHECK:           llvm.store %[[TO]],
// CHECK:           llvm.call @headopt_gpu_launch(%[[CALL]], %c1_i32, %c1_i64, %[[SLOTS]])
// CHECK:           llvm.call @headopt_gpu_end(%[[CALL]])
// CHECK-LABEL: func.func @head_cuda_host(
// CHECK:         arith.cmpi ne, %{{.*}}, %c2_i64
// CHECK:           llvm.call @headopt_gpu_reject(
module attributes {gpu.container_module} {
gpu.binary @kernels {chip = "sm_80"} [#gpu.object<#nvvm.target<chip = "sm_80">, assembly = "PTX">]
func.func @head(%x: tensor<2x3xf16>) -> tensor<2x2xf32> {
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %c128 = arith.constant 128 : index
  %seven = arith.constant 7 : i32
  %halves = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf16>
  %same = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf16>
  %other = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<2x3xf16> into tensor<6xf16>
  %from = bufferization.to_buffer %flat read_only : tensor<6xf16> to memref<6xf16>
  %a = bufferization.to_buffer %halves read_only : tensor<3xf16> to memref<3xf16>
  %b = bufferization.to_buffer %same read_only : tensor<3xf16> to memref<3xf16>
  %line = tensor.collapse_shape %other [[0, 1]] : tensor<2x2xf32> into tensor<4xf32>
  %c = bufferization.to_buffer %line read_only : tensor<4xf32> to memref<4xf32>
  %first = memref.alloc() : memref<6xi16>
  gpu.launch_func @kernels::@first blocks in (%c5, %c1, %c1) threads in (%c128, %c1, %c1)
      args(%from : memref<6xf16>, %a : memref<3xf16>, %first : memref<6xi16>, %seven : i32)
  %second = memref.alloc() : memref<65xf32>
  %to = memref.alloc() : memref<4xf32>
  gpu.launch_func @kernels::@second blocks in (%c1, %c1, %c1) threads in (%c128, %c1, %c1)
      args(%first : memref<6xi16>, %b : memref<3xf16>, %second : memref<65xf32>)
  gpu.launch_func @kernels::@second blocks in (%c1, %c1, %c1) threads in (%c128, %c1, %c1)
      args(%second : memref<65xf32>, %c : memref<4xf32>, %to : memref<4xf32>)
  %result = bufferization.to_tensor %to restrict : memref<4xf32> to tensor<4xf32>
  %y = tensor.expand_shape %result [[0, 1]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}
}
