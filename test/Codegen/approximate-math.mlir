// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of f32 become polynomials; those of f64 stay for the C library.
// test/Integration/Lowering/test_math.py measures them.
//
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(approximate-math))' | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(func.func(approximate-math))' | FileCheck %s
// RUN: head-opt %s --split-input-file --approximate-math=fma=false | FileCheck %s --check-prefix=SPLIT --implicit-check-not=math.fma

// CHECK-LABEL: func.func @f32(
// CHECK-NOT:     math.{{exp|expm1|log|log1p|tanh|erf}} %
// CHECK:         math.fma
// CHECK-NOT:     math.{{exp|expm1|log|log1p|tanh|erf}} %
// CHECK:         return
// SPLIT-LABEL: func.func @f32(
// SPLIT:         return
func.func @f32(%x: f32, %v: vector<8xf32>) -> (f32, vector<8xf32>, f32, f32, f32, f32) {
  %a = math.exp %x : f32
  %b = math.tanh %v : vector<8xf32>
  %c = math.log %x : f32
  %d = math.erf %x : f32
  %e = math.expm1 %x : f32
  %f = math.log1p %x : f32
  return %a, %b, %c, %d, %e, %f : f32, vector<8xf32>, f32, f32, f32, f32
}

// -----

// A number below the smallest normal one is scaled for the logarithm.
// CHECK-LABEL: func.func @log(
// CHECK-SAME:    %[[X:.*]]: vector<4xf32>
// CHECK-DAG:     %[[TINY:.*]] = arith.constant dense<1.17549435E-38> : vector<4xf32>
// CHECK-DAG:     %[[SCALE:.*]] = arith.constant dense<0x4B800000> : vector<4xf32>
// CHECK:         %[[SMALL:.*]] = arith.cmpf olt, %[[X]], %[[TINY]]
// CHECK:         %[[UP:.*]] = arith.mulf %[[X]], %[[SCALE]]
// CHECK:         arith.select %[[SMALL]], %[[UP]], %[[X]]
// CHECK:         %[[Y:.*]] = arith.select %[[SMALL]], %{{.*}}, %{{.*}}
// CHECK:         return %[[Y]]
func.func @log(%x: vector<4xf32>) -> vector<4xf32> {
  %y = math.log %x : vector<4xf32>
  return %y : vector<4xf32>
}

// -----

// CHECK-LABEL: func.func @f64(
// CHECK:         math.exp
// CHECK:         math.log
// CHECK:         math.erf
// CHECK:         math.sqrt
// CHECK-NOT:     math
func.func @f64(%x: f64, %s: f32) -> (f64, f64, f64, f32) {
  %a = math.exp %x : f64
  %b = math.log %x : f64
  %c = math.erf %x : f64
  %d = math.sqrt %s : f32
  return %a, %b, %c, %d : f64, f64, f64, f32
}
