// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// linalg-flatten-to-gap leaves alone what is not proved, and says why.
//
// RUN: head-opt %s --linalg-flatten-to-gap --split-input-file | FileCheck %s --implicit-check-not=arith.divf
// RUN: head-opt %s --linalg-flatten-to-gap --split-input-file --verify-diagnostics \
// RUN:   --remarks-filter=linalg-flatten-to-gap --remark-format=emitRemark > /dev/null

// CHECK-LABEL: func.func @uneven
// CHECK:         linalg.matmul {{.*}}tensor<8x1xf32>
func.func @uneven(%x: tensor<?x2x2x2xf32>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %w = arith.constant dense<[[1.0], [3.0], [2.0], [1.0], [2.0], [5.0], [4.0], [2.0]]> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x2x2x2xf32> into tensor<?x8xf32>
  // expected-remark @below {{L6: the weight varies along every axis; first along axis 1, for output 0 at [1, 0, 0]: 1.000000000e+00, then 2.000000000e+00}}
  %y = linalg.matmul ins(%f, %w : tensor<?x8xf32>, tensor<8x1xf32>) outs(%b : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// CHECK-LABEL: func.func @argument
// CHECK:         linalg.matmul {{.*}}tensor<8x1xf32>
func.func @argument(%x: tensor<?x2x2x2xf32>, %w: tensor<8x1xf32>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x2x2x2xf32> into tensor<?x8xf32>
  // expected-remark @below {{L3: the weight is not constant: it is an argument, which callers give}}
  %y = linalg.matmul ins(%f, %w : tensor<?x8xf32>, tensor<8x1xf32>) outs(%b : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// A flatten that takes samples along.

// CHECK-LABEL: func.func @mixed
// CHECK:         linalg.matmul {{.*}}tensor<8x1xf32>
func.func @mixed(%x: tensor<4x2x2x2xf32>, %b: tensor<4x1xf32>) -> tensor<4x1xf32> {
  %w = arith.constant dense<1.0> : tensor<8x1xf32>
  %e = tensor.empty() : tensor<2x4x2x2xf32>
  %t = linalg.transpose ins(%x : tensor<4x2x2x2xf32>) outs(%e : tensor<2x4x2x2xf32>) permutation = [1, 0, 2, 3]
  %s = tensor.collapse_shape %t [[0, 1, 2, 3]] : tensor<2x4x2x2xf32> into tensor<32xf32>
  %f = tensor.expand_shape %s [[0, 1]] output_shape [4, 8] : tensor<32xf32> into tensor<4x8xf32>
  // expected-remark @below {{L2: axis 0 of the map [2, 4, 2, 2] is part of the 8 features: a row mixes samples}}
  %y = linalg.matmul ins(%f, %w : tensor<4x8xf32>, tensor<8x1xf32>) outs(%b : tensor<4x1xf32>) -> tensor<4x1xf32>
  return %y : tensor<4x1xf32>
}

// -----

// A parameter for each feature stands behind the flatten.

// CHECK-LABEL: func.func @per_feature
// CHECK:         linalg.matmul {{.*}}tensor<8x1xf32>
func.func @per_feature(%x: tensor<3x2x2x2xf32>, %p: tensor<8xf32>, %b: tensor<3x1xf32>) -> tensor<3x1xf32> {
  %w = arith.constant dense<1.0> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %e = tensor.empty() : tensor<3x8xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (k)>, affine_map<(n, k) -> (n, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%f, %p : tensor<3x8xf32>, tensor<8xf32>) outs(%e : tensor<3x8xf32>) {
  ^bb0(%in: f32, %l: f32, %out: f32):
    %m = arith.maximumf %in, %l : f32
    linalg.yield %m : f32
  } -> tensor<3x8xf32>
  // expected-remark @below {{L1: linalg.generic between map and dense layer is not known to act on each element alone and in the same way}}
  %y = linalg.matmul ins(%r, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// -----

// What is computed depends on where the element is.

// CHECK-LABEL: func.func @index
// CHECK:         linalg.matmul {{.*}}tensor<8x1xf32>
func.func @index(%x: tensor<3x2x2x2xf32>, %b: tensor<3x1xf32>) -> tensor<3x1xf32> {
  %w = arith.constant dense<1.0> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %e = tensor.empty() : tensor<3x8xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%f : tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %k = linalg.index 1 : index
    %i = arith.index_cast %k : index to i32
    %s = arith.sitofp %i : i32 to f32
    %m = arith.mulf %in, %s : f32
    linalg.yield %m : f32
  } -> tensor<3x8xf32>
  // expected-remark @below {{L1: linalg.generic between map and dense layer is not known to act on each element alone}}
  %y = linalg.matmul ins(%r, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// -----

// The start of the sums is read: a parameter for each element.

// CHECK-LABEL: func.func @reads_init
// CHECK:         linalg.matmul {{.*}}tensor<8x1xf32>
func.func @reads_init(%x: tensor<3x2x2x2xf32>, %p: tensor<3x8xf32>, %b: tensor<3x1xf32>) -> tensor<3x1xf32> {
  %w = arith.constant dense<1.0> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%f : tensor<3x8xf32>) outs(%p : tensor<3x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %m = arith.addf %in, %out : f32
    linalg.yield %m : f32
  } -> tensor<3x8xf32>
  // expected-remark @below {{L1: linalg.generic between map and dense layer is not known to act on each element alone}}
  %y = linalg.matmul ins(%r, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// -----

// MLIR calls this a contraction, for it looks through functions of one argument.
// It is no sum of products of the map.

// CHECK-LABEL: func.func @of_exponentials
// CHECK:         tensor<2x2x2x1xf32>
func.func @of_exponentials(%x: tensor<?x2x2x2xf32>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %w = arith.constant dense<1.0> : tensor<2x2x2x1xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(n, o, c, h, w) -> (n, c, h, w)>, affine_map<(n, o, c, h, w) -> (c, h, w, o)>,
                       affine_map<(n, o, c, h, w) -> (n, o)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<?x2x2x2xf32>, tensor<2x2x2x1xf32>) outs(%b : tensor<?x1xf32>) {
  ^bb0(%in: f32, %k: f32, %out: f32):
    %e = math.exp %in : f32
    %m = arith.mulf %e, %k : f32
    %a = arith.addf %out, %m : f32
    linalg.yield %a : f32
  } -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// The accumulators take no sums but maxima.

// CHECK-LABEL: func.func @maxima
// CHECK:         tensor<2x2x2x1xf32>
func.func @maxima(%x: tensor<?x2x2x2xf32>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %w = arith.constant dense<1.0> : tensor<2x2x2x1xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(n, o, c, h, w) -> (n, c, h, w)>, affine_map<(n, o, c, h, w) -> (c, h, w, o)>,
                       affine_map<(n, o, c, h, w) -> (n, o)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<?x2x2x2xf32>, tensor<2x2x2x1xf32>) outs(%b : tensor<?x1xf32>) {
  ^bb0(%in: f32, %k: f32, %out: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.maximumf %out, %m : f32
    linalg.yield %a : f32
  } -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// Integers: a mean of them is none.

// CHECK-LABEL: func.func @integers
// CHECK:         linalg.matmul {{.*}}tensor<8x1xi8>
func.func @integers(%x: tensor<?x2x2x2xi8>, %b: tensor<?x1xi32>) -> tensor<?x1xi32> {
  %w = arith.constant dense<1> : tensor<8x1xi8>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x2x2x2xi8> into tensor<?x8xi8>
  // expected-remark @below {{L5: the elements are i8; sums and means of them are not exact}}
  %y = linalg.matmul ins(%f, %w : tensor<?x8xi8>, tensor<8x1xi8>) outs(%b : tensor<?x1xi32>) -> tensor<?x1xi32>
  return %y : tensor<?x1xi32>
}

// -----

// The sum of the weight is no number of its type.

// CHECK-LABEL: func.func @overflow
// CHECK:         linalg.matmul {{.*}}tensor<8x1xf16>
func.func @overflow(%x: tensor<?x2x2x2xf16>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %w = arith.constant dense<3.0e4> : tensor<8x1xf16>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x2x2x2xf16> into tensor<?x8xf16>
  // expected-remark @below {{L4: the sum of the weight over 4 positions is infinite at [0, 0] of the pooled weight}}
  %y = linalg.matmul ins(%f, %w : tensor<?x8xf16>, tensor<8x1xf16>) outs(%b : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// Samples are columns.

// CHECK-LABEL: func.func @columns
// CHECK:         tensor<8x1xf32>
func.func @columns(%x: tensor<2x2x2x3xf32>, %b: tensor<1x3xf32>) -> tensor<1x3xf32> {
  %w = arith.constant dense<1.0> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0, 1, 2], [3]] : tensor<2x2x2x3xf32> into tensor<8x3xf32>
  %e = tensor.empty() : tensor<1x8xf32>
  %t = linalg.transpose ins(%w : tensor<8x1xf32>) outs(%e : tensor<1x8xf32>) permutation = [1, 0]
  // expected-remark @below {{L2: axis 0 of the map [2, 2, 2, 3] is part of the 8 features: a row mixes samples}}
  %y = linalg.matmul ins(%t, %f : tensor<1x8xf32>, tensor<8x3xf32>) outs(%b : tensor<1x3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// -----

// One position: nothing to gain.

// CHECK-LABEL: func.func @unit
// CHECK:         tensor.collapse_shape
func.func @unit(%x: tensor<?x8x1x1xf32>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %w = arith.constant dense<1.0> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x8x1x1xf32> into tensor<?x8xf32>
  // expected-remark @below {{the map has one position: nothing to gain}}
  %y = linalg.matmul ins(%f, %w : tensor<?x8xf32>, tensor<8x1xf32>) outs(%b : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// Layers for each position, and the product of two computed values, are no heads:
// nothing is said of them.

// CHECK-LABEL: func.func @no_heads
// CHECK:         linalg.batch_matmul
// CHECK:         linalg.matmul
// CHECK:         linalg.matmul
func.func @no_heads(%x: tensor<2x4x8xf32>, %w: tensor<2x8x1xf32>, %b: tensor<2x4x1xf32>,
                    %q: tensor<?x8xf32>, %k: tensor<8x?xf32>, %p: tensor<?x?xf32>,
                    %r: tensor<8x1xf32>) -> (tensor<2x4x1xf32>, tensor<?x?xf32>, tensor<8x1xf32>) {
  %0 = linalg.batch_matmul ins(%x, %w : tensor<2x4x8xf32>, tensor<2x8x1xf32>) outs(%b : tensor<2x4x1xf32>) -> tensor<2x4x1xf32>
  %1 = linalg.matmul ins(%q, %k : tensor<?x8xf32>, tensor<8x?xf32>) outs(%p : tensor<?x?xf32>) -> tensor<?x?xf32>
  %c = arith.constant dense<1.0> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0, 1], [2]] : tensor<2x4x8xf32> into tensor<8x8xf32>
  %2 = linalg.matmul ins(%f, %c : tensor<8x8xf32>, tensor<8x1xf32>) outs(%r : tensor<8x1xf32>) -> tensor<8x1xf32>
  return %0, %1, %2 : tensor<2x4x1xf32>, tensor<?x?xf32>, tensor<8x1xf32>
}

// -----

// Convolutions of which the kernel is a part of the map: with several windows,
// with one that leaves a row out, and with one that skips rows.

// CHECK-LABEL: func.func @windows
// CHECK:         tensor<1x2x2x2xf32>
// CHECK:         tensor<1x2x2x2xf32>
// CHECK:         tensor<1x2x2x2xf32>
func.func @windows(%x: tensor<3x2x3x3xf32>, %b: tensor<3x1x2x2xf32>, %o: tensor<3x1x1x1xf32>)
    -> (tensor<3x1x2x2xf32>, tensor<3x1x1x1xf32>, tensor<3x1x1x1xf32>) {
  %w = arith.constant dense<1.0> : tensor<1x2x2x2xf32>
  %0 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<3x2x3x3xf32>, tensor<1x2x2x2xf32>) outs(%b : tensor<3x1x2x2xf32>) -> tensor<3x1x2x2xf32>
  %1 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<2> : tensor<2xi64>}
      ins(%x, %w : tensor<3x2x3x3xf32>, tensor<1x2x2x2xf32>) outs(%o : tensor<3x1x1x1xf32>) -> tensor<3x1x1x1xf32>
  %2 = linalg.conv_2d_nchw_fchw {dilations = dense<2> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<3x2x3x3xf32>, tensor<1x2x2x2xf32>) outs(%o : tensor<3x1x1x1xf32>) -> tensor<3x1x1x1xf32>
  return %0, %1, %2 : tensor<3x1x2x2xf32>, tensor<3x1x1x1xf32>, tensor<3x1x1x1xf32>
}
