// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --specialize-batch --verify-diagnostics
//
// RUN: not head-opt %S/Inputs/copy.mlir --specialize-batch=sizes=8,4 2>&1 | FileCheck %s --check-prefix=SIZES
// RUN: not head-opt %S/Inputs/copy.mlir --specialize-batch=sizes=4,4,1 2>&1 | FileCheck %s --check-prefix=SIZES
// RUN: not head-opt %S/Inputs/copy.mlir --specialize-batch=sizes=1,0,1 2>&1 | FileCheck %s --check-prefix=SIZES
// RUN: not head-opt %S/Inputs/copy.mlir --specialize-batch=sizes=0 2>&1 | FileCheck %s --check-prefix=SIZES
// SIZES: error: specialize-batch: sizes must fall and end with 1

// expected-error@+1 {{specialize-batch: needs a module of one function}}
module {
  func.func @a(%x: tensor<?xf32>) -> tensor<?xf32> {
    return %x : tensor<?xf32>
  }
  func.func @b(%x: tensor<?xf32>) -> tensor<?xf32> {
    return %x : tensor<?xf32>
  }
}

// -----

// expected-error@+1 {{specialize-batch: needs a function of one block from one tensor to another}}
func.func private @external(tensor<?xf32>) -> tensor<?xf32>

// -----

// expected-error@+1 {{specialize-batch: needs a function of one block from one tensor to another}}
func.func @two(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  return %x : tensor<?xf32>
}

// -----

// expected-error@+1 {{specialize-batch: needs a function from one tensor with a batch to another}}
func.func @number(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}

// -----

// expected-error@+1 {{specialize-batch: needs a function from one tensor with a batch to another}}
func.func @memref(%x: memref<4xf32>) -> memref<4xf32> {
  return %x : memref<4xf32>
}

// -----

// expected-error@+1 {{specialize-batch: the first extent of the result is not that of the argument}}
func.func @other(%x: tensor<?x4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  return %e : tensor<4xf32>
}

// -----

// expected-error@+1 {{specialize-batch: the result has an extent besides the batch that is not known; give the model static shapes}}
func.func @unknown(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  return %x : tensor<?x?xf32>
}
