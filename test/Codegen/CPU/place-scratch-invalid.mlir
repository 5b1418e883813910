// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --place-scratch --verify-diagnostics

func.func @dynamic(%n: index) -> memref<?xf32> {
  // expected-error@+1 {{place-scratch: the size of an intermediate result is not known, or it is made in a loop; give the model static shapes}}
  %a = memref.alloc(%n) : memref<?xf32>
  return %a : memref<?xf32>
}

// -----

func.func @loop(%n: index, %x: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    // expected-error@+1 {{place-scratch: the size of an intermediate result is not known, or it is made in a loop; give the model static shapes}}
    %a = memref.alloc() : memref<4xf32>
    memref.store %x, %a[%c0] : memref<4xf32>
  }
  return
}

// -----

func.func @aligned() {
  // expected-error@+1 {{place-scratch: needs buffers of numbers, contiguous, aligned to 64 at most, and in the default memory space}}
  %a = memref.alloc() {alignment = 128 : i64} : memref<4xf32>
  return
}

// -----

func.func @space() {
  // expected-error@+1 {{place-scratch: needs buffers of numbers, contiguous, aligned to 64 at most, and in the default memory space}}
  %a = memref.alloc() : memref<4xf32, 1>
  return
}

// -----

func.func @strided() {
  // expected-error@+1 {{place-scratch: needs buffers of numbers, contiguous, aligned to 64 at most, and in the default memory space}}
  %a = memref.alloc() : memref<4x4xf32, strided<[8, 1]>>
  return
}

// -----

func.func @vectors() {
  // expected-error@+1 {{place-scratch: needs buffers of numbers, contiguous, aligned to 64 at most, and in the default memory space}}
  %a = memref.alloc() : memref<4xvector<4xf32>>
  return
}
