// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Conversions of halves by integers. test/Integration/Lowering/test_math.py runs all
// numbers through them.
//
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(expand-half))' | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(func.func(expand-half))' | FileCheck %s
// RUN: head-opt %s --split-input-file --expand-half=f16 | FileCheck %s --check-prefixes=CHECK,F16
// RUN: head-opt %s --split-input-file --expand-half=narrow-f16 | FileCheck %s --check-prefixes=CHECK,NARROW

// CHECK-LABEL: func.func @widen_bf16(
// CHECK-SAME:    %[[X:.*]]: vector<4xbf16>
// CHECK:         %[[I:.*]] = arith.bitcast %[[X]] : vector<4xbf16> to vector<4xi16>
// CHECK:         %[[W:.*]] = arith.extui %[[I]] : vector<4xi16> to vector<4xi32>
// CHECK:         %[[S:.*]] = arith.shli %[[W]], %{{.*}}
// CHECK:         %[[Y:.*]] = arith.bitcast %[[S]] : vector<4xi32> to vector<4xf32>
// CHECK:         return %[[Y]]
func.func @widen_bf16(%x: vector<4xbf16>) -> vector<4xf32> {
  %y = arith.extf %x : vector<4xbf16> to vector<4xf32>
  return %y : vector<4xf32>
}

// -----

// A number that was cut out of a word of 32 bits stays in it: what is above the number is
// shifted out, whatever it is.
// CHECK-LABEL: func.func @widen_bf16_of_word(
// CHECK-SAME:    %[[X:.*]]: vector<4xi32>
// CHECK-NEXT:    %[[N:.*]] = arith.constant dense<16> : vector<4xi32>
// CHECK-NEXT:    %[[S:.*]] = arith.shli %[[X]], %[[N]] : vector<4xi32>
// CHECK-NEXT:    %[[Y:.*]] = arith.bitcast %[[S]] : vector<4xi32> to vector<4xf32>
// CHECK-NEXT:    return %[[Y]]
func.func @widen_bf16_of_word(%x: vector<4xi32>) -> vector<4xf32> {
  %i = arith.trunci %x : vector<4xi32> to vector<4xi16>
  %h = arith.bitcast %i : vector<4xi16> to vector<4xbf16>
  %y = arith.extf %h : vector<4xbf16> to vector<4xf32>
  return %y : vector<4xf32>
}

// -----

// Every other number of a vector is half of each of its words: a shift for the first of
// two, a mask for the second one.
// CHECK-LABEL: func.func @widen_every_other_bf16(
// CHECK-SAME:    %[[X:.*]]: vector<8xbf16>
// CHECK-DAG:     %[[MASK:.*]] = arith.constant dense<-65536> : vector<4xi32>
// CHECK-DAG:     %[[N:.*]] = arith.constant dense<16> : vector<4xi32>
// CHECK-NOT:     vector.deinterleave
// CHECK:         %[[W:.*]] = vector.bitcast %[[X]] : vector<8xbf16> to vector<4xi32>
// CHECK:         %[[S:.*]] = arith.shli %[[W]], %[[N]] : vector<4xi32>
// CHECK:         %[[EVEN:.*]] = arith.bitcast %[[S]] : vector<4xi32> to vector<4xf32>
// CHECK:         %[[W:.*]] = vector.bitcast %[[X]] : vector<8xbf16> to vector<4xi32>
// CHECK:         %[[A:.*]] = arith.andi %[[W]], %[[MASK]] : vector<4xi32>
// CHECK:         %[[ODD:.*]] = arith.bitcast %[[A]] : vector<4xi32> to vector<4xf32>
// CHECK:         return %[[EVEN]], %[[ODD]]
func.func @widen_every_other_bf16(%x: vector<8xbf16>) -> (vector<4xf32>, vector<4xf32>) {
  %even, %odd = vector.deinterleave %x : vector<8xbf16> -> vector<4xbf16>
  %y = arith.extf %even : vector<4xbf16> to vector<4xf32>
  %z = arith.extf %odd : vector<4xbf16> to vector<4xf32>
  return %y, %z : vector<4xf32>, vector<4xf32>
}

// -----

// f16 have no such words.
// CHECK-LABEL: func.func @widen_every_other_f16(
// CHECK:         vector.deinterleave
func.func @widen_every_other_f16(%x: vector<8xf16>) -> vector<4xf32> {
  %even, %odd = vector.deinterleave %x : vector<8xf16> -> vector<4xf16>
  %y = arith.extf %even : vector<4xf16> to vector<4xf32>
  return %y : vector<4xf32>
}

// -----

// Of other words it is cut out.
// CHECK-LABEL: func.func @widen_bf16_of_long_word(
// CHECK-SAME:    %[[X:.*]]: i64
// CHECK:         %[[I:.*]] = arith.trunci %[[X]] : i64 to i16
// CHECK:         %[[W:.*]] = arith.extui %{{.*}} : i16 to i32
// CHECK:         %[[S:.*]] = arith.shli %[[W]], %{{.*}} : i32
// CHECK:         %[[Y:.*]] = arith.bitcast %[[S]] : i32 to f32
// CHECK:         return %[[Y]]
func.func @widen_bf16_of_long_word(%x: i64) -> f32 {
  %i = arith.trunci %x : i64 to i16
  %h = arith.bitcast %i : i16 to bf16
  %y = arith.extf %h : bf16 to f32
  return %y : f32
}

// -----

// CHECK-LABEL: func.func @narrow_bf16(
// CHECK-NOT:     arith.truncf
// CHECK:         arith.cmpf uno
// CHECK:         arith.bitcast %{{.*}} : i16 to bf16
func.func @narrow_bf16(%x: f32) -> bf16 {
  %y = arith.truncf %x : f32 to bf16
  return %y : bf16
}

// -----

// Only where the target has no instruction.
// CHECK-LABEL: func.func @f16(
// F16-NOT:       arith.extf
// F16-NOT:       arith.truncf
// F16:           return
// NARROW:        arith.extf %{{.*}} : f16 to f32
// NARROW-NOT:    arith.truncf
// NARROW:        return
func.func @f16(%x: f16, %z: f32) -> (f32, f16) {
  %y = arith.extf %x : f16 to f32
  %n = arith.truncf %z : f32 to f16
  return %y, %n : f32, f16
}

// -----

// From and to f64 by way of f32: widening is exact; narrowing rounds to odd first.
// CHECK-LABEL: func.func @f64(
// CHECK:         arith.extf %{{.*}} : f32 to f64
// CHECK:         %[[N:.*]] = arith.truncf %{{.*}} : f64 to f32
// CHECK:         arith.extf %[[N]] : f32 to f64
// CHECK:         arith.cmpf ueq
// CHECK-NOT:     f64 to bf16
func.func @f64(%x: bf16, %z: f64) -> (f64, bf16) {
  %y = arith.extf %x : bf16 to f64
  %n = arith.truncf %z : f64 to bf16
  return %y, %n : f64, bf16
}

// -----

// No instruction narrows f64 to f16 at once.
// CHECK-LABEL: func.func @f64_to_f16(
// CHECK-NOT:     f64 to f16
// CHECK:         arith.truncf %{{.*}} : f64 to f32
func.func @f64_to_f16(%z: f64) -> f16 {
  %n = arith.truncf %z : f64 to f16
  return %n : f16
}

// -----

// CHECK-LABEL: func.func @others(
// CHECK-NEXT:    arith.extf
// CHECK-NEXT:    arith.truncf
// CHECK-NEXT:    return
func.func @others(%x: f32, %z: f64) -> (f64, f32) {
  %y = arith.extf %x : f32 to f64
  %n = arith.truncf %z : f64 to f32
  return %y, %n : f64, f32
}
