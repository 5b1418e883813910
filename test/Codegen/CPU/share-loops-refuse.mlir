// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions that stay as they are, however little work is enough.
//
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(share-loops{parallel-bytes=1 stack-bytes=64})' | FileCheck %s --implicit-check-not=omp --implicit-check-not=.part

// Nobody says that the iterations are independent; each needs the one before it.
// CHECK-LABEL: func.func @dependent(
func.func @dependent(%y: memref<256xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  scf.for %i = %c1 to %c256 step %c1 {
    %b = arith.subi %i, %c1 : index
    %v = memref.load %y[%b] : memref<256xf32>
    memref.store %v, %y[%i] : memref<256xf32>
  }
  return
}

// -----

// An independent loop within another one is not where threads could part.
// CHECK-LABEL: func.func @inner(
func.func @inner(%y: memref<256xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  scf.for %k = %c0 to %c256 step %c1 {
    scf.for %i = %c0 to %c256 step %c1 {
      %v = memref.load %y[%i] : memref<256xf32>
      memref.store %v, %y[%i] : memref<256xf32>
    } {headopt.independent = 0 : i64}
  }
  return
}

// -----

// The loop's own buffer is too large for a thread's stack.
// CHECK-LABEL: func.func @large(
func.func @large(%y: memref<256xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  %b = memref.alloc() : memref<17xf32>
  scf.for %i = %c0 to %c256 step %c1 {
    %v = memref.load %y[%i] : memref<256xf32>
    memref.store %v, %b[%c0] : memref<17xf32>
    %w = memref.load %b[%c0] : memref<17xf32>
    memref.store %w, %y[%i] : memref<256xf32>
  } {headopt.independent = 0 : i64}
  return
}

// -----

// A function's result has one value, and a loop's could be one of several.
// CHECK-LABEL: func.func @result(
// CHECK-LABEL: func.func @carried(
func.func @result(%y: memref<256xf32>) -> i32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  %z = arith.constant 0 : i32
  %f = arith.constant 0.0 : f32
  scf.for %i = %c0 to %c256 step %c1 {
    memref.store %f, %y[%i] : memref<256xf32>
  } {headopt.independent = 0 : i64}
  return %z : i32
}
func.func @carried(%y: memref<256xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  %f = arith.constant 0.0 : f32
  %s = scf.for %i = %c0 to %c256 step %c1 iter_args(%a = %f) -> (f32) {
    %v = memref.load %y[%i] : memref<256xf32>
    %n = arith.addf %a, %v : f32
    scf.yield %n : f32
  } {headopt.independent = 0 : i64}
  memref.store %s, %y[%c0] : memref<256xf32>
  return
}

// -----

// What the first thread alone would have, all would need.
// CHECK-LABEL: func.func @needed(
func.func @needed(%y: memref<256xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  %f = arith.constant 0.0 : f32
  %s = scf.for %i = %c0 to %c256 step %c1 iter_args(%a = %f) -> (f32) {
    memref.store %a, %y[%i] : memref<256xf32>
    %v = memref.load %y[%i] : memref<256xf32>
    scf.yield %v : f32
  }
  scf.for %i = %c0 to %c256 step %c1 {
    memref.store %s, %y[%i] : memref<256xf32>
  } {headopt.independent = 0 : i64}
  return
}

// -----

// Nobody knows whether the loop's own buffer fits on a stack.
// CHECK-LABEL: func.func @unknown_size(
func.func @unknown_size(%y: memref<256xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  %b = memref.alloc(%n) : memref<?xf32>
  scf.for %i = %c0 to %c256 step %c1 {
    %v = memref.load %y[%i] : memref<256xf32>
    memref.store %v, %b[%c0] : memref<?xf32>
    %w = memref.load %b[%c0] : memref<?xf32>
    memref.store %w, %y[%i] : memref<256xf32>
  } {headopt.independent = 0 : i64}
  return
}

// -----

// Where a buffer goes under another name, it is not known who uses it.
// CHECK-LABEL: func.func @either(
func.func @either(%y: memref<256xf32>, %z: memref<16xf32>, %which: i1) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  %b = memref.alloc() : memref<16xf32>
  %e = arith.select %which, %b, %z : memref<16xf32>
  scf.for %i = %c0 to %c256 step %c1 {
    %v = memref.load %y[%i] : memref<256xf32>
    memref.store %v, %e[%c0] : memref<16xf32>
    %w = memref.load %e[%c0] : memref<16xf32>
    memref.store %w, %y[%i] : memref<256xf32>
  } {headopt.independent = 0 : i64}
  return
}
