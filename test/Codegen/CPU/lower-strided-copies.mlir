// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies between buffers with gaps become operations on elements; blocks of memory are
// copied as they are. test/Integration/Lowering/test_random_reductions.py runs slices.
//
// RUN: head-opt %s --pass-pipeline='builtin.module(lower-strided-copies)' | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --pass-pipeline='builtin.module(lower-strided-copies)' | FileCheck %s

// CHECK-LABEL: func.func @from_gaps(
// CHECK-SAME:    %[[X:[^:]*]]: memref<6x7xf32, strided<[9, 1], offset: 10>>, %[[Y:[^:]*]]: memref<6x7xf32>
// CHECK-NEXT:    linalg.copy ins(%[[X]] : {{.*}}) outs(%[[Y]] : memref<6x7xf32>)
// CHECK-NEXT:    return
func.func @from_gaps(%x: memref<6x7xf32, strided<[9, 1], offset: 10>>, %y: memref<6x7xf32>) {
  memref.copy %x, %y : memref<6x7xf32, strided<[9, 1], offset: 10>> to memref<6x7xf32>
  return
}

// CHECK-LABEL: func.func @to_gaps(
// CHECK-NEXT:    linalg.copy
func.func @to_gaps(%x: memref<6xf32>, %y: memref<6xf32, strided<[2]>>) {
  memref.copy %x, %y : memref<6xf32> to memref<6xf32, strided<[2]>>
  return
}

// Gaps that are known at run time only.
// CHECK-LABEL: func.func @unknown_gaps(
// CHECK-NEXT:    linalg.copy
func.func @unknown_gaps(%x: memref<6x7xf32, strided<[?, 1], offset: ?>>, %y: memref<6x7xf32>) {
  memref.copy %x, %y : memref<6x7xf32, strided<[?, 1], offset: ?>> to memref<6x7xf32>
  return
}

// CHECK-LABEL: func.func @block(
// CHECK-NEXT:    memref.copy
func.func @block(%x: memref<?x7xf32>, %y: memref<?x7xf32>) {
  memref.copy %x, %y : memref<?x7xf32> to memref<?x7xf32>
  return
}

// CHECK-LABEL: func.func @block_somewhere(
// CHECK-NEXT:    memref.copy
func.func @block_somewhere(%x: memref<6x7xf32, strided<[7, 1], offset: ?>>, %y: memref<6x7xf32>) {
  memref.copy %x, %y : memref<6x7xf32, strided<[7, 1], offset: ?>> to memref<6x7xf32>
  return
}
