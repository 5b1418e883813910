// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --map-dense-to-gpu | FileCheck %s
// RUN: head-opt %s --map-dense-to-gpu --remark-format=emitRemark --remarks-filter=map-dense-to-gpu -o - 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
//
// Which kernels a product becomes; test/Integration/GPU runs them.

#rows = affine_map<(m, n) -> (m, n)>
#columns = affine_map<(m, n) -> (n)>

// One kernel for a single row, one for up to eight, one for more; the batch decides when
// the code runs, behind whether the rows start at multiples of 16 bytes. The constant is
// transposed: [[1, 2], [3, 4], [5, 6], [7, 8]] has the columns 1 3 5 7 and 2 4 6 8. Bias
// and activation are in the kernels.
// CHECK-LABEL: func.func @layer(
// CHECK:         arith.constant dense_resource<columns{{.*}}> : tensor<2x4xf32>
// CHECK:         memref.extract_aligned_pointer_as_index
// CHECK:         scf.if
// CHECK:           scf.if
// CHECK:             gpu.launch {{.*}} function(@layer_dense_dense_0)
// CHECK:               memref.load {{.*}} : memref<2xvector<4xf32>>
// CHECK:               memref.load {{.*}} : memref<?xvector<4xf32>>
// CHECK-COUNT-4:       math.fma
// CHECK-NOT:           math.fma
// CHECK:               gpu.subgroup_reduce add
// CHECK-NOT:           gpu.subgroup_reduce
// CHECK:               arith.addf
// CHECK:               arith.maximumf
// CHECK:               memref.store
// CHECK:             gpu.launch {{.*}} function(@layer_dense_dense_1)
// CHECK-COUNT-32:      math.fma
// CHECK-COUNT-8:       gpu.subgroup_reduce add
// CHECK-NOT:           gpu.subgroup_reduce
// CHECK:               arith.maximumf
// CHECK:             gpu.launch {{.*}} function(@layer_dense_dense_2)
// CHECK-COUNT-128:     math.fma
// CHECK-COUNT-32:      gpu.subgroup_reduce add
// CHECK:         } else {
// Of other memory, the same numbers are read one by one, so that the order in which they
// are added is the same. The constant is ours.
// CHECK:             gpu.launch {{.*}} function(@layer_dense_dense_3)
// CHECK:               memref.load {{.*}} : memref<2xvector<4xf32>>
// CHECK-COUNT-4:       memref.load {{.*}} : memref<?xf32>
// CHECK-NOT:           memref.load
// CHECK-COUNT-4:       math.fma
// CHECK-NOT:           math.fma
// CHECK:               gpu.subgroup_reduce add
// CHECK-NOT:     linalg.matmul
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @layer(%x: tensor<?x4xf32>) -> tensor<?x2xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]> : tensor<4x2xf32>
  %bias = arith.constant dense<[0.5, -0.5]> : tensor<2xf32>
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %empty = tensor.empty(%n) : tensor<?x2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x2xf32>) -> tensor<?x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x4xf32>, tensor<4x2xf32>) outs(%zeros : tensor<?x2xf32>) -> tensor<?x2xf32>
  %z = linalg.generic {indexing_maps = [#rows, #columns, #rows], iterator_types = ["parallel", "parallel"]}
      ins(%y, %bias : tensor<?x2xf32>, tensor<2xf32>) outs(%empty : tensor<?x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    %r = arith.maximumf %s, %zero : f32
    linalg.yield %r : f32
  } -> tensor<?x2xf32>
  return %z : tensor<?x2xf32>
}

// A constant whose columns are next to each other already is used as it is. Three
// halves are no 16 bytes, and a batch of one needs one kernel.
// CHECK-LABEL: func.func @transposed_half(
// CHECK:         %[[W:.*]] = arith.constant dense<1.000000e+00> : tensor<2x3xf16>
// CHECK:         tensor.collapse_shape %[[W]]
// CHECK-NOT:     scf.if %{{.*}} {{{$}}
// CHECK:         gpu.launch {{.*}} function(@transposed_half_dense_dense_0)
// CHECK:           memref.load {{.*}} : memref<6xf16>
// CHECK:           memref.load {{.*}} : memref<3xf16>
// CHECK:           math.fma {{.*}} : f32
// CHECK:         bufferization.to_tensor
// CHECK-NOT:     gpu.launch
func.func @transposed_half(%x: tensor<1x3xf16>) -> tensor<1x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<2x3xf16>
  %empty = tensor.empty() : tensor<1x2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x2xf32>) -> tensor<1x2xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<1x3xf16>, tensor<2x3xf16>) outs(%zeros : tensor<1x2xf32>) {
  ^bb0(%a: f16, %b: f16, %s: f32):
    %u = arith.extf %a : f16 to f32
    %v = arith.extf %b : f16 to f32
    %p = arith.mulf %u, %v : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  } -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// REMARK: remark: {{\[}}Missed{{\]}} NotMapped | Category:map-dense-to-gpu | Reason="its right side is no constant"
// CHECK-LABEL: func.func @not_constant(
// CHECK-NOT:     gpu.launch
// CHECK:         linalg.matmul
func.func @not_constant(%x: tensor<2x4xf32>, %w: tensor<4x2xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x2xf32>) outs(%zeros : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// REMARK: remark: {{\[}}Missed{{\]}} NotMapped | Category:map-dense-to-gpu | Reason="it is of float64"
// CHECK-LABEL: func.func @double(
// CHECK-NOT:     gpu.launch
// CHECK:         linalg.matmul
func.func @double(%x: tensor<2x4xf64>) -> tensor<2x2xf64> {
  %zero = arith.constant 0.0 : f64
  %w = arith.constant dense<1.0> : tensor<4x2xf64>
  %empty = tensor.empty() : tensor<2x2xf64>
  %zeros = linalg.fill ins(%zero : f64) outs(%empty : tensor<2x2xf64>) -> tensor<2x2xf64>
  %y = linalg.matmul ins(%x, %w : tensor<2x4xf64>, tensor<4x2xf64>) outs(%zeros : tensor<2x2xf64>) -> tensor<2x2xf64>
  return %y : tensor<2x2xf64>
}

// An operand of a type that kernels do not have stays with an operation of its own,
// which map-loops-to-gpu refuses.
// CHECK-LABEL: func.func @double_behind(
// CHECK:         gpu.launch {{.*}} function(@double_behind_dense_dense_0)
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<2x2xf32>, tensor<2xf64>)
func.func @double_behind(%x: tensor<2x4xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<4x2xf32>
  %k = arith.constant dense<[1.0, 2.0]> : tensor<2xf64>
  %empty = tensor.empty() : tensor<2x2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x2xf32>) outs(%zeros : tensor<2x2xf32>) -> tensor<2x2xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y, %k : tensor<2x2xf32>, tensor<2xf64>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%a: f32, %b: f64, %o: f32):
    %t = arith.truncf %b : f64 to f32
    %s = arith.addf %a, %t : f32
    linalg.yield %s : f32
  } -> tensor<2x2xf32>
  return %z : tensor<2x2xf32>
}

// CHECK-LABEL: func.func @boolean_behind(
// CHECK:         gpu.launch {{.*}} function(@boolean_behind_dense_dense_0)
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<2x2xf32>, tensor<2xi1>)
func.func @boolean_behind(%x: tensor<2x4xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<4x2xf32>
  %k = arith.constant dense<[true, false]> : tensor<2xi1>
  %empty = tensor.empty() : tensor<2x2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x2xf32>) outs(%zeros : tensor<2x2xf32>) -> tensor<2x2xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y, %k : tensor<2x2xf32>, tensor<2xi1>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%a: f32, %b: i1, %o: f32):
    %s = arith.select %b, %a, %zero : f32
    linalg.yield %s : f32
  } -> tensor<2x2xf32>
  return %z : tensor<2x2xf32>
}

// Bytes are part of the kernel.
// CHECK-LABEL: func.func @bytes_behind(
// CHECK:         gpu.launch {{.*}} function(@bytes_behind_dense_dense_0)
// CHECK:           memref.load %{{.*}} : memref<2xi8>
// CHECK:           arith.trunci %{{.*}} : i8 to i1
// CHECK-NOT:     linalg.generic
func.func @bytes_behind(%x: tensor<2x4xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<4x2xf32>
  %k = arith.constant dense<[1, 0]> : tensor<2xi8>
  %empty = tensor.empty() : tensor<2x2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x2xf32>) outs(%zeros : tensor<2x2xf32>) -> tensor<2x2xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y, %k : tensor<2x2xf32>, tensor<2xi8>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%a: f32, %b: i8, %o: f32):
    %c = arith.trunci %b : i8 to i1
    %s = arith.select %c, %a, %zero : f32
    linalg.yield %s : f32
  } -> tensor<2x2xf32>
  return %z : tensor<2x2xf32>
}

// The numbers of @layer's constant, behind 4 bytes for their alignment: 1 3 5 7 2 4 6 8.
// CHECK: columns: "0x400000000000803F000040400000A0400000E04000000040000080400000C04000000041"
