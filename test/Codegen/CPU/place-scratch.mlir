// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Buffers of static size: on the stack, or in one global where a function has too many.
//
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(place-scratch)' | FileCheck %s --implicit-check-not="memref.alloc(" --implicit-check-not=memref.dealloc
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(place-scratch)' | FileCheck %s --implicit-check-not="memref.alloc(" --implicit-check-not=memref.dealloc
// RUN: head-opt %s --split-input-file --place-scratch=stack-bytes=100 | FileCheck %s --check-prefix=GLOBAL --implicit-check-not="memref.alloc("

// Rounded up to 64 bytes, and as large as the larger function needs.
// CHECK-LABEL: func.func @one(
// CHECK:         %[[M:.*]] = memref.alloca() {alignment = 64 : i64} : memref<192xi8>
// CHECK:         memref.view %[[M]][%c0{{.*}}][] : memref<192xi8> to memref<5xf32>
// CHECK:         memref.view %[[M]][%c64{{.*}}][] : memref<192xi8> to memref<20xf32>
// CHECK-LABEL: func.func @two(
// CHECK:         %[[M:.*]] = memref.alloca() {alignment = 64 : i64} : memref<192xi8>
// CHECK:         memref.view %[[M]][%c0{{.*}}][] : memref<192xi8> to memref<3xindex>
// GLOBAL:      memref.global "private" @scratch : memref<192xi8> = uninitialized {alignment = 64 : i64}
// GLOBAL-LABEL: func.func @one(
// GLOBAL:         memref.get_global @scratch
// GLOBAL-LABEL: func.func @two(
// GLOBAL:         memref.get_global @scratch
func.func @one(%x: f32) {
  %c = arith.constant 0 : index
  %a = memref.alloc() {alignment = 64 : i64} : memref<5xf32>
  %b = memref.alloc() : memref<20xf32>
  memref.store %x, %a[%c] : memref<5xf32>
  memref.store %x, %b[%c] : memref<20xf32>
  return
}
func.func @two(%x: index) {
  %c = arith.constant 0 : index
  %a = memref.alloc() : memref<3xindex>
  memref.store %x, %a[%c] : memref<3xindex>
  memref.dealloc %a : memref<3xindex>
  return
}

// -----

// No byte at all is no allocation either.
// CHECK-LABEL: func.func @empty(
// CHECK:         memref.view {{.*}} to memref<0xf32>
func.func @empty() -> memref<0xf32> {
  %a = memref.alloc() : memref<0xf32>
  return %a : memref<0xf32>
}

// -----

// The name is taken.
// GLOBAL-LABEL: func.func @taken(
// GLOBAL:         memref.get_global @[[NAME:scratch_.*]] :
memref.global "private" @scratch : memref<1xf32> = dense<1.0>
func.func @taken() -> memref<50xf32> {
  %a = memref.alloc() : memref<50xf32>
  return %a : memref<50xf32>
}

// -----

// Nothing to do.
// CHECK-LABEL: func.func @none(
// CHECK-NEXT:    return
func.func @none() {
  return
}
