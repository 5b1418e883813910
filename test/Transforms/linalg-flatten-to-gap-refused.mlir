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

// -----

// Only the first slice of the weight is read, and only the first of the data: the
// other numbers are no part of the layer.

// CHECK-LABEL: func.func @slices
// CHECK:         tensor<2x8x1xf32>
// CHECK:         tensor<8x1xf32>
func.func @slices(%x: tensor<3x2x2x2xf32>, %z: tensor<3x4x8xf32>, %b: tensor<3x1xf32>) -> (tensor<3x1xf32>, tensor<3x1xf32>) {
  %w = arith.constant dense<[[[1.0], [1.0], [1.0], [1.0], [2.0], [2.0], [2.0], [2.0]],
                             [[3.0], [3.0], [3.0], [3.0], [4.0], [4.0], [4.0], [4.0]]]> : tensor<2x8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %0 = linalg.generic {
      indexing_maps = [affine_map<(n, o, k) -> (n, k)>, affine_map<(n, o, k) -> (0, k, o)>, affine_map<(n, o, k) -> (n, o)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%f, %w : tensor<3x8xf32>, tensor<2x8x1xf32>) outs(%b : tensor<3x1xf32>) {
  ^bb0(%in: f32, %k: f32, %out: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %out, %m : f32
    linalg.yield %a : f32
  } -> tensor<3x1xf32>
  %v = arith.constant dense<1.0> : tensor<8x1xf32>
  %e = tensor.empty() : tensor<4x3x8xf32>
  %t = linalg.transpose ins(%z : tensor<3x4x8xf32>) outs(%e : tensor<4x3x8xf32>) permutation = [1, 0, 2]
  %1 = linalg.generic {
      indexing_maps = [affine_map<(n, o, k) -> (0, n, k)>, affine_map<(n, o, k) -> (k, o)>, affine_map<(n, o, k) -> (n, o)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%t, %v : tensor<4x3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) {
  ^bb0(%in: f32, %k: f32, %out: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %out, %m : f32
    linalg.yield %a : f32
  } -> tensor<3x1xf32>
  return %0, %1 : tensor<3x1xf32>, tensor<3x1xf32>
}

// -----

// An axis stands before the samples, and the layer takes several axes of the map.

// CHECK-LABEL: func.func @behind
// CHECK:         tensor<2x2x2x1xf32>
func.func @behind(%x: tensor<3x2x2x2xf32>, %b: tensor<3x1xf32>) -> tensor<3x1xf32> {
  %w = arith.constant dense<1.0> : tensor<2x2x2x1xf32>
  %f = tensor.expand_shape %x [[0, 1], [2], [3], [4]] output_shape [1, 3, 2, 2, 2] : tensor<3x2x2x2xf32> into tensor<1x3x2x2x2xf32>
  // expected-remark @below {{L8: samples are not the first axis of the data}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(n, o, c, h, w) -> (0, n, c, h, w)>, affine_map<(n, o, c, h, w) -> (c, h, w, o)>,
                       affine_map<(n, o, c, h, w) -> (n, o)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%f, %w : tensor<1x3x2x2x2xf32>, tensor<2x2x2x1xf32>) outs(%b : tensor<3x1xf32>) {
  ^bb0(%in: f32, %k: f32, %out: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %out, %m : f32
    linalg.yield %a : f32
  } -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// -----

// Bodies that do more than add products: fewer steps would be fewer calls; one
// subtracts; one adds squares.

func.func private @count(f32)

// CHECK-LABEL: func.func @bodies
// CHECK-COUNT-3: tensor<8x1xf32>) outs
func.func @bodies(%x: tensor<3x2x2x2xf32>, %b: tensor<3x1xf32>) -> (tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>) {
  %w = arith.constant dense<1.0> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %0 = linalg.generic {
      indexing_maps = [affine_map<(n, o, k) -> (n, k)>, affine_map<(n, o, k) -> (k, o)>, affine_map<(n, o, k) -> (n, o)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%f, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) {
  ^bb0(%in: f32, %k: f32, %out: f32):
    func.call @count(%in) : (f32) -> ()
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %out, %m : f32
    linalg.yield %a : f32
  } -> tensor<3x1xf32>
  %1 = linalg.generic {
      indexing_maps = [affine_map<(n, o, k) -> (n, k)>, affine_map<(n, o, k) -> (k, o)>, affine_map<(n, o, k) -> (n, o)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%f, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) {
  ^bb0(%in: f32, %k: f32, %out: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.subf %out, %m : f32
    linalg.yield %a : f32
  } -> tensor<3x1xf32>
  %2 = linalg.generic {
      indexing_maps = [affine_map<(n, o, k) -> (n, k)>, affine_map<(n, o, k) -> (k, o)>, affine_map<(n, o, k) -> (n, o)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%f, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) {
  ^bb0(%in: f32, %k: f32, %out: f32):
    %m = arith.mulf %in, %in : f32
    %a = arith.addf %out, %m : f32
    linalg.yield %a : f32
  } -> tensor<3x1xf32>
  return %0, %1, %2 : tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>
}

// -----

// linalg.map says that it does not read its init; its body may.

// CHECK-LABEL: func.func @map_reads_init
// CHECK:         linalg.matmul {{.*}}tensor<8x1xf32>
func.func @map_reads_init(%x: tensor<3x2x2x2xf32>, %p: tensor<3x8xf32>, %b: tensor<3x1xf32>) -> tensor<3x1xf32> {
  %w = arith.constant dense<1.0> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %r = linalg.map ins(%f : tensor<3x8xf32>) outs(%p : tensor<3x8xf32>) (%in: f32, %out: f32) {
    %m = arith.addf %in, %out : f32
    linalg.yield %m : f32
  }
  // expected-remark @below {{L1: linalg.map between map and dense layer is not known to act on each element alone}}
  %y = linalg.matmul ins(%r, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// -----

// What is computed depends on memory, which may change meanwhile.

// CHECK-LABEL: func.func @memory
// CHECK:         linalg.matmul {{.*}}tensor<8x1xf32>
func.func @memory(%x: tensor<3x2x2x2xf32>, %p: memref<f32>, %b: tensor<3x1xf32>) -> tensor<3x1xf32> {
  %w = arith.constant dense<1.0> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %e = tensor.empty() : tensor<3x8xf32>
  %r = linalg.map ins(%f : tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) (%in: f32, %out: f32) {
    %v = memref.load %p[] : memref<f32>
    %m = arith.addf %in, %v : f32
    linalg.yield %m : f32
  }
  // expected-remark @below {{L1: linalg.map between map and dense layer is not known to act on each element alone}}
  %y = linalg.matmul ins(%r, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// -----

// Maps that are made of a broadcast and vary all the same: by the init that the body
// reads, by the init that stays where a loop takes no step, and by padding; and one
// that nobody has written to.

// CHECK-LABEL: func.func @uneven_maps
// CHECK-COUNT-4: linalg.matmul {{.*}}tensor<8x1xf32>
func.func @uneven_maps(%s: tensor<3x2xf32>, %x: tensor<3x2x2x2xf32>, %none: tensor<0xf32>, %b: tensor<3x1xf32>)
    -> (tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>) {
  %w = arith.constant dense<[[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]]> : tensor<8x1xf32>
  %e = tensor.empty() : tensor<3x2x2x2xf32>
  %even = linalg.broadcast ins(%s : tensor<3x2xf32>) outs(%e : tensor<3x2x2x2xf32>) dimensions = [2, 3]
  %m0 = linalg.map ins(%even : tensor<3x2x2x2xf32>) outs(%x : tensor<3x2x2x2xf32>) (%in: f32, %out: f32) {
    %a = arith.addf %in, %out : f32
    linalg.yield %a : f32
  }
  %f0 = tensor.collapse_shape %m0 [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  // expected-remark @below {{L6: the weight varies along every axis}}
  %0 = linalg.matmul ins(%f0, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  %m1 = linalg.generic {
      indexing_maps = [affine_map<(n, c, h, w, k) -> (n, c, h, w)>, affine_map<(n, c, h, w, k) -> (k)>,
                       affine_map<(n, c, h, w, k) -> (n, c, h, w)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%even, %none : tensor<3x2x2x2xf32>, tensor<0xf32>) outs(%x : tensor<3x2x2x2xf32>) {
  ^bb0(%in: f32, %k: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<3x2x2x2xf32>
  %f1 = tensor.collapse_shape %m1 [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  // expected-remark @below {{L6: the weight varies along every axis}}
  %1 = linalg.matmul ins(%f1, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  %zero = arith.constant 0.0 : f32
  %one = tensor.expand_shape %s [[0], [1, 2, 3]] output_shape [3, 2, 1, 1] : tensor<3x2xf32> into tensor<3x2x1x1xf32>
  %m2 = tensor.pad %one low[0, 0, 1, 1] high[0, 0, 0, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<3x2x1x1xf32> to tensor<3x2x2x2xf32>
  %f2 = tensor.collapse_shape %m2 [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  // expected-remark @below {{L6: the weight varies along every axis}}
  %2 = linalg.matmul ins(%f2, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  %f3 = tensor.collapse_shape %e [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  // expected-remark @below {{L6: the weight varies along every axis}}
  %3 = linalg.matmul ins(%f3, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  return %0, %1, %2, %3 : tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>
}

// -----

// Constants that hold no numbers that could be read.

// CHECK-LABEL: func.func @unreadable
// CHECK-COUNT-3: linalg.matmul {{.*}}tensor<8x1xf32>
func.func @unreadable(%x: tensor<3x2x2x2xf32>, %b: tensor<3x1xf32>) -> (tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>) {
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %w0 = arith.constant sparse<[[0, 0], [1, 0]], [1.0, 2.0]> : tensor<8x1xf32>
  // expected-remark @below {{L3: the weight is not constant: it is computed by arith.constant}}
  %0 = linalg.matmul ins(%f, %w0 : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  %p = ub.poison : f32
  %e = tensor.empty() : tensor<8x1xf32>
  %w1 = linalg.fill ins(%p : f32) outs(%e : tensor<8x1xf32>) -> tensor<8x1xf32>
  // expected-remark @below {{L3: the weight is not constant: it is computed by linalg.fill}}
  %1 = linalg.matmul ins(%f, %w1 : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  %w2 = arith.constant dense_resource<missing> : tensor<8x1xf32>
  // expected-remark @below {{L3: the resource 'missing' has no data}}
  %2 = linalg.matmul ins(%f, %w2 : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  return %0, %1, %2 : tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>
}

// -----

// An encoding says something of the numbers' places that the new tensors would not.

// CHECK-LABEL: func.func @encoded
// CHECK-COUNT-2: linalg.matmul {{.*}}tensor<8x1xf32
func.func @encoded(%x: tensor<3x2x2x2xf32>, %b: tensor<3x1xf32>) -> (tensor<3x1xf32>, tensor<3x1xf32>) {
  %w = arith.constant dense<1.0> : tensor<8x1xf32>
  %v = arith.constant dense<1.0> : tensor<8x1xf32, "packed">
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  // expected-remark @below {{L8: its tensors have encodings}}
  %0 = linalg.matmul ins(%f, %v : tensor<3x8xf32>, tensor<8x1xf32, "packed">) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  %g = tensor.cast %f : tensor<3x8xf32> to tensor<3x8xf32, "packed">
  // expected-remark @below {{L8: its tensors have encodings}}
  %1 = linalg.matmul ins(%g, %w : tensor<3x8xf32, "packed">, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  return %0, %1 : tensor<3x1xf32>, tensor<3x1xf32>
}

// -----

// Types that leave extents open and contradict each other: these fail when they run.

// CHECK-LABEL: func.func @contradictions
// CHECK:         tensor<4x8xf32>
// CHECK:         tensor<8x?xf32>
func.func @contradictions(%x: tensor<3x2x2x2xf32>, %b: tensor<4x1xf32>, %c: tensor<3x2xf32>) -> (tensor<4x1xf32>, tensor<3x2xf32>) {
  %w = arith.constant dense<1.0> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %open = tensor.cast %f : tensor<3x8xf32> to tensor<?x8xf32>
  %g = tensor.cast %open : tensor<?x8xf32> to tensor<4x8xf32>
  // expected-remark @below {{L1: tensor.cast: its result has other extents than its operand}}
  %0 = linalg.matmul ins(%g, %w : tensor<4x8xf32>, tensor<8x1xf32>) outs(%b : tensor<4x1xf32>) -> tensor<4x1xf32>
  %v = tensor.cast %w : tensor<8x1xf32> to tensor<8x?xf32>
  // expected-remark @below {{L8: the type of the weight leaves extents open}}
  %1 = linalg.matmul ins(%f, %v : tensor<3x8xf32>, tensor<8x?xf32>) outs(%c : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %0, %1 : tensor<4x1xf32>, tensor<3x2xf32>
}

// -----

// Weights without rows or without outputs, of maps whose extents are known and not;
// and one whose elements cannot be counted.

// CHECK-LABEL: func.func @counts
// CHECK-COUNT-3: linalg.matmul
func.func @counts(%x: tensor<?x2x?x?xf32>, %y: tensor<?x2x0x2xf32>, %z: tensor<?x4611686018427387904x2x2xf32>, %b: tensor<?x1xf32>, %c: tensor<?x0xf32>)
    -> (tensor<?x0xf32>, tensor<?x1xf32>, tensor<?x1xf32>, tensor<?x1xf32>) {
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x2x?x?xf32> into tensor<?x?xf32>
  %w0 = arith.constant dense<> : tensor<8x0xf32>
  // expected-remark @below {{L7: the weight has no elements}}
  %0 = linalg.matmul ins(%f, %w0 : tensor<?x?xf32>, tensor<8x0xf32>) outs(%c : tensor<?x0xf32>) -> tensor<?x0xf32>
  %w1 = arith.constant dense<> : tensor<0x1xf32>
  // expected-remark @below {{L7: the weight has no elements}}
  %1 = linalg.matmul ins(%f, %w1 : tensor<?x?xf32>, tensor<0x1xf32>) outs(%b : tensor<?x1xf32>) -> tensor<?x1xf32>
  %g = tensor.collapse_shape %y [[0], [1, 2, 3]] : tensor<?x2x0x2xf32> into tensor<?x0xf32>
  // expected-remark @below {{L7: the weight has no elements}}
  %2 = linalg.matmul ins(%g, %w1 : tensor<?x0xf32>, tensor<0x1xf32>) outs(%b : tensor<?x1xf32>) -> tensor<?x1xf32>
  %w3 = arith.constant dense<1.0> : tensor<4611686018427387904x2x2x1xf32>
  // expected-remark @below {{L7: the weight has more elements than can be counted}}
  %3 = linalg.generic {
      indexing_maps = [affine_map<(n, o, c, h, w) -> (n, c, h, w)>, affine_map<(n, o, c, h, w) -> (c, h, w, o)>,
                       affine_map<(n, o, c, h, w) -> (n, o)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%z, %w3 : tensor<?x4611686018427387904x2x2xf32>, tensor<4611686018427387904x2x2x1xf32>) outs(%b : tensor<?x1xf32>) {
  ^bb0(%in: f32, %k: f32, %out: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %out, %m : f32
    linalg.yield %a : f32
  } -> tensor<?x1xf32>
  return %0, %1, %2, %3 : tensor<?x0xf32>, tensor<?x1xf32>, tensor<?x1xf32>, tensor<?x1xf32>
}

// -----

// Code that is never reached may compute a value from itself.

// CHECK-LABEL: func.func @circles
// CHECK-COUNT-2: linalg.matmul
func.func @circles(%x: tensor<3x2x2x2xf32>, %b: tensor<3x1xf32>) {
  return
^never:
  %c = arith.constant dense<1.0> : tensor<8x1xf32>
  %w = tensor.cast %w : tensor<8x1xf32> to tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  // expected-remark @below {{L3: the weight is not constant: it is computed from itself}}
  %0 = linalg.matmul ins(%f, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  %g = tensor.cast %g : tensor<3x8xf32> to tensor<3x8xf32>
  %1 = linalg.matmul ins(%g, %c : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  return
}
