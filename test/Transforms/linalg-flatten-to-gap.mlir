// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// linalg-flatten-to-gap pools heads whose weight or map does not vary, however
// the map is laid out and the layer is written.
//
// RUN: head-opt %s --linalg-flatten-to-gap --split-input-file | FileCheck %s
// RUN: mlir-opt %s --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(linalg-flatten-to-gap)' | FileCheck %s

// CHECK-DAG: #[[ALL:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
// CHECK-DAG: #[[KEPT:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1)>
// CHECK-LABEL: func.func @nchw
// CHECK-SAME:    %[[X:.*]]: tensor<?x2x2x2xf32>, %[[B:.*]]: tensor<?x1xf32>
// CHECK-NOT:     tensor.collapse_shape
// CHECK:         %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[ALL]], #[[KEPT]]]
// CHECK-SAME:      ins(%[[X]]
// CHECK:           arith.addf
// CHECK:         %[[MEAN:.*]] = linalg.generic
// CHECK-SAME:      ins(%[[SUM]]
// CHECK:           arith.divf %{{.*}}, %[[COUNT:.*]] : f32
// CHECK:         %[[W:.*]] = arith.constant dense<{{\[}}[4.000000e+00], [8.000000e+00]]>
// CHECK:         %[[Y:.*]] = linalg.matmul ins(%[[MEAN]], %[[W]] : tensor<?x2xf32>, tensor<2x1xf32>) outs(%[[B]]
// CHECK:         return %[[Y]]
func.func @nchw(%x: tensor<?x2x2x2xf32>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %w = arith.constant dense<[[1.0], [1.0], [1.0], [1.0], [2.0], [2.0], [2.0], [2.0]]> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x2x2x2xf32> into tensor<?x8xf32>
  %y = linalg.matmul ins(%f, %w : tensor<?x8xf32>, tensor<8x1xf32>) outs(%b : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// Channels last; the weight is transposed, and views stand before it.

// CHECK-DAG: #[[KEPT:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d3)>
// CHECK-LABEL: func.func @nhwc
// CHECK:         linalg.generic {indexing_maps = [#{{.*}}, #[[KEPT]]]
// CHECK:         %[[W:.*]] = arith.constant dense<{{\[}}[4.000000e+00], [8.000000e+00]]>
// CHECK:         linalg.matmul ins(%{{.*}}, %[[W]] : tensor<?x2xf32>, tensor<2x1xf32>)
func.func @nhwc(%x: tensor<?x2x2x2xf32>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %w = arith.constant dense<[[[[1.0, 2.0], [1.0, 2.0]], [[1.0, 2.0], [1.0, 2.0]]]]> : tensor<1x2x2x2xf32>
  %flat = tensor.collapse_shape %w [[0], [1, 2, 3]] : tensor<1x2x2x2xf32> into tensor<1x8xf32>
  %e = tensor.empty() : tensor<8x1xf32>
  %t = linalg.transpose ins(%flat : tensor<1x8xf32>) outs(%e : tensor<8x1xf32>) permutation = [1, 0]
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x2x2x2xf32> into tensor<?x8xf32>
  %y = linalg.matmul ins(%f, %t : tensor<?x8xf32>, tensor<8x1xf32>) outs(%b : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// A transpose on the way, as a generic operation: the map before it is pooled.

// CHECK-LABEL: func.func @transposed
// CHECK-SAME:    %[[X:.*]]: tensor<3x2x2x2xf32>
// CHECK:         linalg.generic {{.*}} ins(%[[X]] : tensor<3x2x2x2xf32>) outs(%{{.*}} : tensor<3x2xf32>)
// CHECK:         linalg.matmul {{.*}}tensor<2x1xf32>
func.func @transposed(%x: tensor<3x2x2x2xf32>, %b: tensor<3x1xf32>) -> tensor<3x1xf32> {
  %w = arith.constant dense<[[1.0], [2.0], [1.0], [2.0], [1.0], [2.0], [1.0], [2.0]]> : tensor<8x1xf32>
  %e = tensor.empty() : tensor<3x2x2x2xf32>
  %t = linalg.generic {
      indexing_maps = [affine_map<(n, h, w, c) -> (n, c, h, w)>, affine_map<(n, h, w, c) -> (n, h, w, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x : tensor<3x2x2x2xf32>) outs(%e : tensor<3x2x2x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<3x2x2x2xf32>
  %f = tensor.collapse_shape %t [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %y = linalg.matmul ins(%f, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// -----

// What maps each element alone is repeated on the map. Halves are summed in f32.

// CHECK-LABEL: func.func @relu
// CHECK-SAME:    %[[X:.*]]: tensor<?x2x2x2xf16>, %[[LIMIT:.*]]: tensor<f16>
// CHECK:         %[[R:.*]] = linalg.generic
// CHECK-SAME:      ins(%[[X]], %[[LIMIT]] : tensor<?x2x2x2xf16>, tensor<f16>) outs(%{{.*}} : tensor<?x2x2x2xf16>)
// CHECK:           arith.maximumf
// CHECK:         linalg.generic {{.*}} ins(%[[R]] : tensor<?x2x2x2xf16>) outs(%{{.*}} : tensor<?x2xf32>)
// CHECK:           arith.extf
// CHECK:           arith.addf {{.*}} : f32
// CHECK:           arith.divf {{.*}} : f32
// CHECK:           arith.truncf
// CHECK:         linalg.matmul {{.*}}tensor<?x2xf16>, tensor<2x1xf16>
func.func @relu(%x: tensor<?x2x2x2xf16>, %limit: tensor<f16>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %w = arith.constant dense<[[1.0], [1.0], [1.0], [1.0], [2.0], [2.0], [2.0], [2.0]]> : tensor<8x1xf16>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x2x2x2xf16> into tensor<?x8xf16>
  %c0 = arith.constant 0 : index
  %n = tensor.dim %f, %c0 : tensor<?x8xf16>
  %e = tensor.empty(%n) : tensor<?x8xf16>
  %r = linalg.generic {
      indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> ()>, affine_map<(n, k) -> (n, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%f, %limit : tensor<?x8xf16>, tensor<f16>) outs(%e : tensor<?x8xf16>) {
  ^bb0(%in: f16, %l: f16, %out: f16):
    %m = arith.maximumf %in, %l : f16
    linalg.yield %m : f16
  } -> tensor<?x8xf16>
  %y = linalg.matmul ins(%r, %w : tensor<?x8xf16>, tensor<8x1xf16>) outs(%b : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// The layer contracts the map itself; only the axis that the weight does not vary
// along goes, and the order of the operands is free.

// CHECK-LABEL: func.func @contraction
// CHECK:         %[[M:.*]] = tensor.expand_shape %{{.*}} {{\[}}[0, 1, 2], [3]] output_shape [%{{.*}}, 1, 1, 2]
// CHECK:         %[[W:.*]] = arith.constant dense<{{.*}}[2.000000e+00, 4.000000e+00]
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%[[W]], %[[M]] : tensor<1x1x1x2xf32>, tensor<?x1x1x2xf32>)
func.func @contraction(%x: tensor<?x1x2x2xf32>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %w = arith.constant dense<[[[[1.0, 2.0], [1.0, 2.0]]]]> : tensor<1x1x2x2xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(n, o, c, h, w) -> (o, c, h, w)>, affine_map<(n, o, c, h, w) -> (n, c, h, w)>,
                       affine_map<(n, o, c, h, w) -> (n, o)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %x : tensor<1x1x2x2xf32>, tensor<?x1x2x2xf32>) outs(%b : tensor<?x1xf32>) {
  ^bb0(%k: f32, %in: f32, %out: f32):
    %m = arith.mulf %k, %in : f32
    %a = arith.addf %m, %out : f32
    linalg.yield %a : f32
  } -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// A map that is broadcast does not vary along its last axes, whatever the weight.

// CHECK-LABEL: func.func @broadcast
// CHECK:         %[[W:.*]] = arith.constant dense<{{\[}}[1.000000e+01], [2.600000e+01]]>
// CHECK:         linalg.matmul {{.*}}tensor<2x1xf32>
func.func @broadcast(%x: tensor<3x2xf32>, %b: tensor<3x1xf32>) -> tensor<3x1xf32> {
  %w = arith.constant dense<[[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]]> : tensor<8x1xf32>
  %e = tensor.empty() : tensor<3x2x2x2xf32>
  %m = linalg.broadcast ins(%x : tensor<3x2xf32>) outs(%e : tensor<3x2x2x2xf32>) dimensions = [2, 3]
  %f = tensor.collapse_shape %m [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %y = linalg.matmul ins(%f, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%b : tensor<3x1xf32>) -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// -----

// The weight's rows say how many positions a map of unknown extents has.

// CHECK-LABEL: func.func @unknown
// CHECK:           %[[COUNT:.*]] = arith.constant 4.000000e+00 : f32
// CHECK-NEXT:      arith.divf %{{.*}}, %[[COUNT]]
// CHECK:         linalg.matmul {{.*}}tensor<2x1xf32>
func.func @unknown(%x: tensor<?x2x?x?xf32>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %w = arith.constant dense<[[1.0], [1.0], [1.0], [1.0], [2.0], [2.0], [2.0], [2.0]]> : tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x2x?x?xf32> into tensor<?x?xf32>
  %k = tensor.cast %f : tensor<?x?xf32> to tensor<?x8xf32>
  %y = linalg.matmul ins(%k, %w : tensor<?x8xf32>, tensor<8x1xf32>) outs(%b : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// A weight of one number, and a flattened map that something else reads as well.

// CHECK-LABEL: func.func @shared
// CHECK:         %[[F:.*]] = tensor.collapse_shape
// CHECK:         %[[W:.*]] = arith.constant dense<6.000000e+00> : tensor<2x1xf32>
// CHECK:         %[[Y:.*]] = linalg.matmul {{.*}}%[[W]]
// CHECK:         return %[[Y]], %[[F]]
func.func @shared(%x: tensor<?x2x4xf32>, %b: tensor<?x1xf32>) -> (tensor<?x1xf32>, tensor<?x8xf32>) {
  %number = arith.constant 1.5 : f32
  %e = tensor.empty() : tensor<8x1xf32>
  %w = linalg.fill ins(%number : f32) outs(%e : tensor<8x1xf32>) -> tensor<8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2]] : tensor<?x2x4xf32> into tensor<?x8xf32>
  %y = linalg.matmul ins(%f, %w : tensor<?x8xf32>, tensor<8x1xf32>) outs(%b : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y, %f : tensor<?x1xf32>, tensor<?x8xf32>
}

// -----

// A batch of one product, as Einsum and TOSA's matmul become.

// CHECK-LABEL: func.func @one_product
// CHECK:         %[[D:.*]] = tensor.expand_shape %{{.*}} {{\[}}[0, 1], [2]] output_shape [1, %{{.*}}, 2] : tensor<?x2xf32> into tensor<1x?x2xf32>
// CHECK:         %[[W:.*]] = arith.constant dense<{{\[}}{{\[}}[4.000000e+00], [8.000000e+00]]]>
// CHECK:         linalg.batch_matmul ins(%[[D]], %[[W]] : tensor<1x?x2xf32>, tensor<1x2x1xf32>)
func.func @one_product(%x: tensor<?x2x2x2xf32>, %b: tensor<1x?x1xf32>) -> tensor<1x?x1xf32> {
  %w = arith.constant dense<[[[1.0], [1.0], [1.0], [1.0], [2.0], [2.0], [2.0], [2.0]]]> : tensor<1x8x1xf32>
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x2x2x2xf32> into tensor<?x8xf32>
  %c0 = arith.constant 0 : index
  %n = tensor.dim %f, %c0 : tensor<?x8xf32>
  %p = tensor.expand_shape %f [[0, 1], [2]] output_shape [1, %n, 8] : tensor<?x8xf32> into tensor<1x?x8xf32>
  %y = linalg.batch_matmul ins(%p, %w : tensor<1x?x8xf32>, tensor<1x8x1xf32>) outs(%b : tensor<1x?x1xf32>) -> tensor<1x?x1xf32>
  return %y : tensor<1x?x1xf32>
}

// -----

// A convolution whose kernel is the whole map.

// CHECK-LABEL: func.func @window
// CHECK:         %[[D:.*]] = tensor.expand_shape %{{.*}} {{\[}}[0], [1, 2, 3]] output_shape [3, 2, 1, 1]
// CHECK:         linalg.conv_2d_nchw_fchw
// CHECK-SAME:      ins(%[[D]], %{{.*}} : tensor<3x2x1x1xf32>, tensor<1x2x1x1xf32>) outs(%{{.*}} : tensor<3x1x1x1xf32>)
func.func @window(%x: tensor<3x2x2x2xf32>, %b: tensor<3x1x1x1xf32>) -> tensor<3x1x1x1xf32> {
  %w = arith.constant dense<[[[[1.0, 1.0], [1.0, 1.0]], [[2.0, 2.0], [2.0, 2.0]]]]> : tensor<1x2x2x2xf32>
  %y = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<3x2x2x2xf32>, tensor<1x2x2x2xf32>) outs(%b : tensor<3x1x1x1xf32>) -> tensor<3x1x1x1xf32>
  return %y : tensor<3x1x1x1xf32>
}

// -----

// Where the rank is lost between two casts, the map begins behind them, with what the
// second says.

// CHECK-LABEL: func.func @unranked
// CHECK:         %[[R:.*]] = tensor.cast %{{.*}} : tensor<*xf32> to tensor<2x2x2x1xf32>
// CHECK:         linalg.generic {{.*}} ins(%[[R]] : tensor<2x2x2x1xf32>)
// CHECK:         linalg.matmul {{.*}}tensor<2x1xf32>
func.func @unranked(%x: tensor<2x2x2xf32>, %b: tensor<2x1xf32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<1.0> : tensor<4x1xf32>
  %u = tensor.cast %x : tensor<2x2x2xf32> to tensor<*xf32>
  %r = tensor.cast %u : tensor<*xf32> to tensor<2x2x2x1xf32>
  %f = tensor.collapse_shape %r [[0], [1, 2, 3]] : tensor<2x2x2x1xf32> into tensor<2x4xf32>
  %y = linalg.matmul ins(%f, %w : tensor<2x4xf32>, tensor<4x1xf32>) outs(%b : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}

// -----

// linalg.map; a value from outside, which is the same for all elements; and a layer
// in a loop, whose map is an argument of a block.

// CHECK-LABEL: func.func @captured
// CHECK:       ^bb1(%[[X:.*]]: tensor<3x2x2x2xf32>):
// CHECK:         scf.for
// CHECK:           %[[S:.*]] = arith.sitofp
// CHECK:           %[[R:.*]] = linalg.generic {{.*}} ins(%[[X]] : tensor<3x2x2x2xf32>)
// CHECK:             arith.mulf %{{.*}}, %[[S]]
// CHECK:           linalg.generic {{.*}} ins(%[[R]] : tensor<3x2x2x2xf32>)
// CHECK:           linalg.matmul {{.*}}tensor<2x1xf32>
func.func @captured(%x: tensor<3x2x2x2xf32>, %b: tensor<3x1xf32>, %end: index) -> tensor<3x1xf32> {
  cf.br ^next(%x : tensor<3x2x2x2xf32>)
^next(%map: tensor<3x2x2x2xf32>):
  %w = arith.constant dense<[[1.0], [1.0], [1.0], [1.0], [2.0], [2.0], [2.0], [2.0]]> : tensor<8x1xf32>
  %f = tensor.collapse_shape %map [[0], [1, 2, 3]] : tensor<3x2x2x2xf32> into tensor<3x8xf32>
  %e = tensor.empty() : tensor<3x8xf32>
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %y = scf.for %i = %0 to %end step %1 iter_args(%sum = %b) -> tensor<3x1xf32> {
    %n = arith.index_cast %i : index to i32
    %s = arith.sitofp %n : i32 to f32
    %r = linalg.map ins(%f : tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) (%in: f32, %out: f32) {
      %m = arith.mulf %in, %s : f32
      linalg.yield %m : f32
    }
    %z = linalg.matmul ins(%r, %w : tensor<3x8xf32>, tensor<8x1xf32>) outs(%sum : tensor<3x1xf32>) -> tensor<3x1xf32>
    scf.yield %z : tensor<3x1xf32>
  }
  return %y : tensor<3x1xf32>
}
