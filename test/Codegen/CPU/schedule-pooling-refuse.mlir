// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is no pooling, or none that is scheduled, stays as it is.
//
// RUN: head-opt %s --split-input-file --schedule-pooling=vector-bits=512 | FileCheck %s --implicit-check-not=vector.

// It does not start from zero.
// CHECK-LABEL: func.func @starts_at_one(
// CHECK:         linalg.generic
func.func @starts_at_one(%x: tensor<2x8xf32>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 1.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x8xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// Other operations than additions.
// CHECK-LABEL: func.func @largest(
// CHECK:         linalg.generic
func.func @largest(%x: tensor<2x8xf32>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x8xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.maximumf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// CHECK-LABEL: func.func @product(
// CHECK:         linalg.generic
func.func @product(%x: tensor<2x8xf32>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x8xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.mulf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// CHECK-LABEL: func.func @accumulator_twice(
// CHECK:         linalg.generic
func.func @accumulator_twice(%x: tensor<2x8xf32>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x8xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %t = arith.addf %o, %i : f32
    %s = arith.addf %t, %o : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// The element depends on where it lies.
// CHECK-LABEL: func.func @index(
// CHECK:         linalg.generic
func.func @index(%x: tensor<2x8xf32>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x8xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %n = linalg.index 1 : index
    %c = arith.index_cast %n : index to i32
    %f = arith.sitofp %c : i32 to f32
    %q = arith.mulf %f, %i : f32
    %s = arith.addf %o, %q : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// Kept axes in another order.
// CHECK-LABEL: func.func @reordered(
// CHECK:         linalg.generic
func.func @reordered(%x: tensor<2x3x8xf32>, %init: tensor<3x2xf32>, %like: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (b, a)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<2x3x8xf32>) outs(%fill : tensor<3x2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<3x2xf32>
  return %sum : tensor<3x2xf32>
}

// -----

// Integers.
// CHECK-LABEL: func.func @integers(
// CHECK:         linalg.generic
func.func @integers(%x: tensor<2x8xi32>, %init: tensor<2xi32>, %like: tensor<2xi32>) -> tensor<2xi32> {
  %zero = arith.constant 0 : i32
  %fill = linalg.fill ins(%zero : i32) outs(%init : tensor<2xi32>) -> tensor<2xi32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x8xi32>) outs(%fill : tensor<2xi32>) {
  ^bb0(%i: i32, %o: i32):
    %s = arith.addi %o, %i : i32
    linalg.yield %s : i32
  } -> tensor<2xi32>
  return %sum : tensor<2xi32>
}

// -----

// Sums in half precision, and formats that are no whole bytes or no powers of two.
// CHECK-LABEL: func.func @half_sums(
// CHECK:         linalg.generic
func.func @half_sums(%x: tensor<2x8xf16>, %init: tensor<2xf16>, %like: tensor<2xf16>) -> tensor<2xf16> {
  %zero = arith.constant 0.0 : f16
  %fill = linalg.fill ins(%zero : f16) outs(%init : tensor<2xf16>) -> tensor<2xf16>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x8xf16>) outs(%fill : tensor<2xf16>) {
  ^bb0(%i: f16, %o: f16):
    %s = arith.addf %o, %i : f16
    linalg.yield %s : f16
  } -> tensor<2xf16>
  return %sum : tensor<2xf16>
}

// -----

// CHECK-LABEL: func.func @small(
// CHECK:         linalg.generic
func.func @small(%x: tensor<2x8xf4E2M1FN>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x8xf4E2M1FN>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f4E2M1FN, %o: f32):
    %w = arith.extf %i : f4E2M1FN to f32
    %s = arith.addf %o, %w : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// CHECK-LABEL: func.func @large(
// CHECK:         linalg.generic
func.func @large(%x: tensor<2x9xf80>, %init: tensor<2xf80>, %like: tensor<2xf80>) -> tensor<2xf80> {
  %zero = arith.constant 0.0 : f80
  %fill = linalg.fill ins(%zero : f80) outs(%init : tensor<2xf80>) -> tensor<2xf80>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x9xf80>) outs(%fill : tensor<2xf80>) {
  ^bb0(%i: f80, %o: f80):
    %s = arith.addf %o, %i : f80
    linalg.yield %s : f80
  } -> tensor<2xf80>
  return %sum : tensor<2xf80>
}

// -----

// Nothing to add, and nothing to add up.
// CHECK-LABEL: func.func @nothing(
// CHECK:         linalg.generic
func.func @nothing(%x: tensor<2x0xf32>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x0xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// CHECK-LABEL: func.func @unit(
// CHECK:         linalg.generic
func.func @unit(%x: tensor<2x1xf32>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x1xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// Two inputs.
// CHECK-LABEL: func.func @two(
// CHECK:         linalg.generic
func.func @two(%x: tensor<2x8xf32>, %y: tensor<2x8xf32>, %init: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x, %y : tensor<2x8xf32>, tensor<2x8xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %p = arith.mulf %i, %j : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// An element-wise operation is no sum.
// CHECK-LABEL: func.func @elementwise(
// CHECK:         linalg.generic
func.func @elementwise(%x: tensor<2x8xf32>, %init: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x8xf32>) outs(%init : tensor<2x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<2x8xf32>
  return %y : tensor<2x8xf32>
}
