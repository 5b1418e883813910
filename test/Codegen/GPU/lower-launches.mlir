// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --lower-launches --canonicalize | FileCheck %s
// RUN: head-opt %s --lower-launches=interface=hip | FileCheck %s --check-prefix=HIP
// RUN: head-opt %s --lower-launches=interface=vulkan | FileCheck %s --check-prefix=VULKAN
// RUN: head-opt %s --lower-launches-to-llvm | FileCheck %s --check-prefix=LLVM

// What the runtime is told. A constant that two kernels read is there once; the second
// launch of a kernel is no second kernel.
// CHECK-DAG: llvm.mlir.global internal constant @head.kernel0("first\00")
// CHECK-DAG: llvm.mlir.global internal constant @head.arguments0("pipf\00")
// CHECK-DAG: llvm.mlir.global internal constant @head.kernel1("second\00")
// CHECK-DAG: llvm.mlir.global internal constant @head.arguments1("ppp\00")
// CHECK-DAG: llvm.mlir.global internal constant @head.constant0(dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>) {{.*}}alignment = 64
// CHECK-NOT: @head.constant1
// CHECK-DAG: llvm.mlir.global internal constant @head.code("PTX\00")
// CHECK-DAG: llvm.mlir.global internal constant @head.chip("sm_80\00")
// CHECK-DAG: llvm.mlir.global internal @head.state() {{.*}}headopt.shared
// CHECK-DAG: llvm.mlir.global internal constant @head.program()

// CHECK-LABEL: func.func @head_cuda(
// CHECK-SAME:    %[[X:.*]]: !llvm.ptr, %[[N:.*]]: i64, %[[W:.*]]: i64, %[[Y:.*]]: !llvm.ptr, %[[STREAM:.*]]: !llvm.ptr) -> i32 attributes {headopt.exported}
// Batch and extent are checked, and that n * w * 4 and n * 8 bytes can be.
// CHECK:         arith.cmpi slt, %[[N]], %c0
// CHECK:         arith.cmpi slt, %[[W]], %c1
// CHECK:         %[[ROW:.*]] = "llvm.intr.smul.with.overflow"(%[[W]], %c4_i64)
// CHECK:         %[[ODD0:.*]] = llvm.extractvalue %[[ROW]][1]
// CHECK:         %[[ROWBYTES:.*]] = llvm.extractvalue %[[ROW]][0]
// CHECK:         %[[IN:.*]] = "llvm.intr.smul.with.overflow"(%[[N]], %[[ROWBYTES]])
// CHECK:         %[[ODD1:.*]] = llvm.extractvalue %[[IN]][1]
// CHECK:         arith.ori %[[ODD0]], %[[ODD1]]
// CHECK:         %[[INBYTES:.*]] = llvm.extractvalue %[[IN]][0]
// CHECK:         arith.cmpi ugt, %[[INBYTES]], %c281474976710656_i64
// CHECK:         %[[OUT:.*]] = "llvm.intr.smul.with.overflow"(%[[N]], %c8_i64)
// CHECK:         llvm.extractvalue %[[OUT]][1]
// CHECK:         %[[OUTBYTES:.*]] = llvm.extractvalue %[[OUT]][0]
// CHECK:         %[[LARGE:.*]] = arith.cmpi ugt, %[[OUTBYTES]], %c281474976710656_i64
// CHECK:         %[[SIZES:.*]] = arith.ori %{{.*}}, %[[LARGE]]
// CHECK:         %[[BAD:.*]] = arith.ori %{{.*}}, %[[SIZES]]
// CHECK:         scf.if %[[BAD]] -> (i32) {
// CHECK:           llvm.call @headopt_gpu_reject(
// CHECK:         } else {
// Two buffers of n * w * 4 and of n * 2 bytes, each rounded up to 256.
// CHECK:           %[[COUNT:.*]] = "llvm.intr.smul.with.overflow"(%[[N]], %[[W]])
// CHECK:           %[[NUMBER:.*]] = llvm.extractvalue %[[COUNT]][0]
// CHECK:           %[[PART:.*]] = "llvm.intr.smul.with.overflow"(%[[NUMBER]], %c4_i64)
// CHECK:           llvm.extractvalue %[[PART]][1]
// CHECK:           arith.addi %{{.*}}, %c255
// CHECK:           %[[FIRST:.*]] = arith.andi %{{.*}}, %c-256
// CHECK:           "llvm.intr.smul.with.overflow"(%[[N]], %c2_i64)
// CHECK:           arith.andi %{{.*}}, %c-256
// CHECK:           %[[BOTH:.*]] = arith.addi %[[FIRST]],
// The result's buffer is as long as the result.
// CHECK:           %[[SAMPLES:.*]] = arith.index_cast %[[N]] : i64 to index
// CHECK:           %[[LONG:.*]] = arith.muli %[[SAMPLES]], %c2
// CHECK:           %[[OTHER:.*]] = arith.cmpi ne, %{{.*}}, %[[LONG]]
// CHECK:           %[[ODD:.*]] = arith.ori %{{.*}}, %[[OTHER]]
// CHECK:           scf.if %[[ODD]] -> (i32) {
// CHECK:             llvm.call @headopt_gpu_reject(
// CHECK:           } else {
// CHECK:           %[[BYTES:.*]] = arith.index_cast %[[BOTH]]
// CHECK:           llvm.call @headopt_gpu_begin(%[[CALL:.*]], %{{.*}}, %[[STREAM]], %[[BYTES]])
// CHECK:           %[[SCRATCH:.*]] = llvm.call @headopt_gpu_scratch(%[[CALL]])
// The caller's memory, a number, our memory, a float.
// CHECK:           llvm.store %{{.*}}, %[[SLOTS:.*]] : i64
// CHECK:           llvm.getelementptr %[[SLOTS]][1]
// CHECK:           llvm.getelementptr %[[SLOTS]][2]
// CHECK:           llvm.getelementptr %[[SLOTS]][3]
// CHECK:           llvm.call @headopt_gpu_launch(%[[CALL]], %c0_i32, %[[N]], %[[SLOTS]])
// CHECK:           scf.if
// CHECK:             llvm.call @headopt_gpu_constant(%[[CALL]], %c0_i32)
// CHECK:             llvm.call @headopt_gpu_launch(%[[CALL]], %c1_i32,
// CHECK:           } else {
// CHECK:             llvm.call @headopt_gpu_launch(%[[CALL]], %c1_i32,
// CHECK:           llvm.call @headopt_gpu_end(%[[CALL]])

// The same on host memory has what the head has, such as its signature.
// CHECK-LABEL: func.func @head_cuda_host(
// CHECK-SAME:    %[[X:.*]]: !llvm.ptr, %[[N:.*]]: i64, %[[W:.*]]: i64, %[[Y:.*]]: !llvm.ptr) -> i32 attributes {test.kept}
// CHECK:           llvm.call @headopt_gpu_stage(
// CHECK:           scf.if
// CHECK:             func.call @head_cuda(
// CHECK:           llvm.call @headopt_gpu_unstage(
// CHECK-LABEL: func.func @head_cuda_error() -> !llvm.ptr attributes {headopt.exported}
// CHECK-NOT:   gpu.

// HIP-DAG: func.func @head_hip({{.*}}attributes {headopt.exported}
// HIP-DAG: func.func @head_hip_host(
// HIP-DAG: func.func @head_hip_error(

// Nobody else has addresses of Vulkan's memory.
// VULKAN-DAG: func.func private @head.device(
// VULKAN-DAG: func.func @head_vulkan({{.*}}attributes {test.kept}
// VULKAN-DAG: func.func @head_vulkan_error(
// VULKAN-NOT: @head_vulkan_host

// LLVM: llvm.func @head_cuda(
// LLVM-NOT: {{(func|arith|scf|cf|builtin|memref|tensor)\.}}
module attributes {gpu.container_module} {
gpu.binary @kernels {chip = "sm_80"} [#gpu.object<#nvvm.target<chip = "sm_80">, assembly = "PTX">]
func.func @head(%x: tensor<?x?xf32>) -> tensor<?x2xf32> attributes {test.kept} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c128 = arith.constant 128 : index
  %half = arith.constant 0.5 : f32
  %w = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %rows = tensor.dim %x, %c0 : tensor<?x?xf32>
  %width = tensor.dim %x, %c1 : tensor<?x?xf32>
  %count = arith.muli %rows, %width : index
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  %from = bufferization.to_buffer %flat read_only : tensor<?xf32> to memref<?xf32>
  %between = memref.alloc(%count) : memref<?xf32>
  gpu.launch_func @kernels::@first blocks in (%rows, %c1, %c1) threads in (%c128, %c1, %c1)
      args(%from : memref<?xf32>, %rows : index, %between : memref<?xf32>, %half : f32)
  %bytes = memref.alloc(%rows) : memref<?xi16>
  %outputs = arith.muli %rows, %c2 : index
  %to = memref.alloc(%outputs) : memref<?xf32>
  %weight = bufferization.to_buffer %w read_only : tensor<2xf32> to memref<2xf32>
  %many = arith.cmpi ugt, %rows, %c1 : index
  scf.if %many {
    gpu.launch_func @kernels::@second blocks in (%rows, %c1, %c1) threads in (%c128, %c1, %c1)
        args(%between : memref<?xf32>, %weight : memref<2xf32>, %to : memref<?xf32>)
  } else {
    gpu.launch_func @kernels::@second blocks in (%c1, %c1, %c1) threads in (%c128, %c1, %c1)
        args(%between : memref<?xf32>, %weight : memref<2xf32>, %to : memref<?xf32>)
  }
  %result = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  %y = tensor.expand_shape %result [[0, 1]] output_shape [%rows, 2] : tensor<?xf32> into tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
}
