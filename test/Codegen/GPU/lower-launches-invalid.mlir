// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --verify-diagnostics --lower-launches
// RUN: not head-opt %s --split-input-file --lower-launches=interface=opencl 2>&1 | FileCheck %s
//
// CHECK: lower-launches: interface is 'opencl'; give cuda, hip or vulkan

// expected-error @+1 {{lower-launches: needs a module of one function and one gpu.binary}}
module {
  func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
    return %x : tensor<?xf32>
  }
}

// -----

gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
// expected-error @+1 {{lower-launches: the result is not computed by a kernel}}
func.func @head(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  return %x : tensor<?x2xf32>
}

// -----

gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
// expected-error @+1 {{lower-launches: the first extent of the result is not that of the argument}}
func.func @head(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  %to = memref.alloc() : memref<6xf32>
  %y = bufferization.to_tensor %to restrict : memref<6xf32> to tensor<6xf32>
  %z = tensor.expand_shape %y [[0, 1]] output_shape [3, 2] : tensor<6xf32> into tensor<3x2xf32>
  return %z : tensor<3x2xf32>
}

// -----

gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
// Nobody would check that there are three columns.
// expected-error @+1 {{the extents of the feature map are not known, but a dense layer takes only certain ones}}
func.func @head(%x: tensor<2x?xf32>) -> tensor<2x3xf32> {
  %claimed = tensor.cast %x : tensor<2x?xf32> to tensor<2x3xf32>
  %to = memref.alloc() : memref<6xf32>
  %y = bufferization.to_tensor %to restrict : memref<6xf32> to tensor<6xf32>
  %z = tensor.expand_shape %y [[0, 1]] output_shape [2, 3] : tensor<6xf32> into tensor<2x3xf32>
  return %z : tensor<2x3xf32>
}

// -----

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<2xf32>) -> tensor<2xf32> {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %from = bufferization.to_buffer %x read_only : tensor<2xf32> to memref<2xf32>
  %to = memref.alloc() : memref<2xf32>
  // expected-error @+1 {{lower-launches: grids and blocks have one axis, and blocks a known number of threads}}
  gpu.launch_func @kernels::@k blocks in (%c1, %c2, %c1) threads in (%c1, %c1, %c1)
      args(%from : memref<2xf32>, %to : memref<2xf32>)
  %y = bufferization.to_tensor %to restrict : memref<2xf32> to tensor<2xf32>
  return %y : tensor<2xf32>
}
}

// -----

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<2xf32>) -> tensor<2xf32> {
  %c1 = arith.constant 1 : index
  %wide = arith.constant 1.0 : f64
  %to = memref.alloc() : memref<2xf32>
  // expected-error @+1 {{lower-launches: kernels take no arguments of type 'f64'}}
  gpu.launch_func @kernels::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
      args(%wide : f64, %to : memref<2xf32>)
  %y = bufferization.to_tensor %to restrict : memref<2xf32> to tensor<2xf32>
  return %y : tensor<2xf32>
}
}

// -----

gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %empty = tensor.empty() : tensor<2x3xf32>
  // expected-error @+1 {{cannot run on a GPU: 'linalg.add'}}
  %left = linalg.add ins(%x, %x : tensor<2x3xf32>, tensor<2x3xf32>) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %to = memref.alloc() : memref<6xf32>
  %y = bufferization.to_tensor %to restrict : memref<6xf32> to tensor<6xf32>
  %z = tensor.expand_shape %y [[0, 1]] output_shape [2, 3] : tensor<6xf32> into tensor<2x3xf32>
  return %z : tensor<2x3xf32>
}

// -----

// A number that is read from memory is not known before the first kernel runs.
module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c1 = arith.constant 1 : index
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %from = bufferization.to_buffer %x read_only : tensor<?xf32> to memref<?xf32>
  %to = memref.alloc(%n) : memref<?xf32>
  // expected-error @+1 {{cannot run on a GPU: 'memref.dim'}}
  %m = memref.dim %to, %c0 : memref<?xf32>
  gpu.launch_func @kernels::@k blocks in (%m, %c1, %c1) threads in (%c1, %c1, %c1)
      args(%from : memref<?xf32>, %to : memref<?xf32>)
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
}

// -----

// Two elements of this width would be a quarter of a byte.
module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<2xf32>) -> tensor<2xf32> {
  %c1 = arith.constant 1 : index
  %mask = arith.constant dense<[true, false]> : tensor<2xi1>
  %m = bufferization.to_buffer %mask read_only : tensor<2xi1> to memref<2xi1>
  %to = memref.alloc() : memref<2xf32>
  // expected-error @+1 {{lower-launches: buffers have no elements of type 'i1'; store-whole-bytes gives them whole bytes}}
  gpu.launch_func @kernels::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
      args(%m : memref<2xi1>, %to : memref<2xf32>)
  %y = bufferization.to_tensor %to restrict : memref<2xf32> to tensor<2xf32>
  return %y : tensor<2xf32>
}
}
