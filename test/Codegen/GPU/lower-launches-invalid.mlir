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

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  // There is no memory to read before kernels run.
  // expected-error @+1 {{cannot run on a GPU: 'tensor.extract'}}
  %first = tensor.extract %x[%c0] : tensor<?xf32>
  %to = memref.alloc(%n) : memref<?xf32>
  gpu.launch_func @kernels::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
      args(%first : f32, %to : memref<?xf32>)
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

// -----

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %at = arith.constant 3 : index
  // expected-error @+1 {{cannot run on a GPU: an extent that does not come from the feature map}}
  %none = tensor.dim %x, %at : tensor<?xf32>
  %to = memref.alloc(%n) : memref<?xf32>
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
}

// -----

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %to = memref.alloc(%n) : memref<?xf32>
  // expected-error @+1 {{cannot run on a GPU: a buffer of 'memref<?x4xf32>'; buffers have one axis, no layout, and numbers of whole bytes or vectors of them}}
  %t = memref.alloc(%n) : memref<?x4xf32>
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
}

// -----

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %to = memref.alloc(%n) : memref<?xf32>
  // expected-error @+1 {{cannot run on a GPU: a buffer of 'memref<?xi1>'; buffers have one axis, no layout, and numbers of whole bytes or vectors of them}}
  %t = memref.alloc(%n) : memref<?xi1>
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
}

// -----

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %to = memref.alloc(%n) : memref<?xf32>
  // expected-error @+1 {{cannot run on a GPU: a buffer of 'memref<?xf32, strided<[2]>>'; buffers have one axis, no layout, and numbers of whole bytes or vectors of them}}
  %t = memref.alloc(%n) : memref<?xf32, strided<[2]>>
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
}

// -----

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %to = memref.alloc(%n) : memref<?xf32>
  // expected-error @+1 {{cannot run on a GPU: a buffer of 'memref<?xvector<3xf32>>'; buffers have one axis, no layout, and numbers of whole bytes or vectors of them}}
  %t = memref.alloc(%n) : memref<?xvector<3xf32>>
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
}

// -----

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %to = memref.alloc(%n) : memref<?xf32>
  // expected-error @+1 {{cannot run on a GPU: a buffer of 'memref<?xindex>'; buffers have one axis, no layout, and numbers of whole bytes or vectors of them}}
  %t = memref.alloc(%n) : memref<?xindex>
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
}

// -----

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %to = memref.alloc(%n) : memref<?xf32>
  // expected-error @+1 {{cannot run on a GPU: a buffer of 'memref<?xf32, 3>'; buffers have one axis, no layout, and numbers of whole bytes or vectors of them}}
  %t = memref.alloc(%n) : memref<?xf32, 3>
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
}

// -----

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %c2 = arith.constant 2 : index
  %to = memref.alloc(%n) : memref<?xf32>
  gpu.launch_func @kernels::@k blocks in (%n, %c1, %c1) threads in (%c1, %c1, %c1)
      args(%to : memref<?xf32>)
  // expected-error @+1 {{lower-launches: kernel 'k' is launched before with other blocks or arguments; make it two kernels}}
  gpu.launch_func @kernels::@k blocks in (%n, %c1, %c1) threads in (%c2, %c1, %c1)
      args(%to : memref<?xf32>)
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
}

// -----

module attributes {gpu.container_module} {
gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
func.func @head(%x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{lower-launches: a buffer of 'memref<10xf32>' is not as long as the result, which is 'tensor<?xf32>'}}
  %to = memref.alloc() : memref<10xf32>
  %ten = bufferization.to_tensor %to restrict : memref<10xf32> to tensor<10xf32>
  %y = tensor.cast %ten : tensor<10xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
}

// -----

gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
// expected-error @+1 {{lower-launches: 'tensor<?x4611686018427387904x2xf32>' is larger than any device's memory}}
func.func @head(%x: tensor<?x4611686018427387904x2xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4611686018427387904x2xf32>
  %to = memref.alloc(%n) : memref<?xf32>
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
// expected-error @+1 {{lower-launches: 'tensor<?xindex>' is no tensor of numbers}}
func.func @head(%x: tensor<?xindex>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xindex>
  %to = memref.alloc(%n) : memref<?xf32>
  %y = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}
