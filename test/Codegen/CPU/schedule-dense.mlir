// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products with a constant: the constant in panels of 48 columns, what follows the
// product on its vectors.
//
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(schedule-dense{vector-bits=256})' | FileCheck %s --implicit-check-not=linalg.matmul --implicit-check-not=linalg.generic
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(schedule-dense{vector-bits=256})' | FileCheck %s --implicit-check-not=linalg.matmul --implicit-check-not=linalg.generic
// RUN: head-opt %s --split-input-file --schedule-dense="vector-bits=128 fma=false" | FileCheck %s --check-prefix=SPLIT --implicit-check-not=vector.fma
// RUN: head-opt %s --split-input-file --schedule-dense=vector-bits=512 | FileCheck %s --check-prefix=V512
// RUN: not head-opt %s --split-input-file --schedule-dense=vector-bits=96 2>&1 | FileCheck %s --check-prefix=BAD
// BAD: error: schedule-dense: vector-bits is 96; give 128, 256 or 512

// Two rows of 16 columns, of which three exist. The other columns are zero, and
// not written.
// CHECK-LABEL: func.func @ragged(
// CHECK:         %[[P:.*]] = arith.constant dense_resource<packed_weight> : tensor<32xf32>
// CHECK:         scf.for
// CHECK:           %[[A:.*]] = vector.transfer_read %[[P]]{{.*}} vector<8xf32>
// CHECK:           %[[X:.*]] = tensor.extract %{{.*}}[%{{.*}}, %{{.*}}] : tensor<2x2xf32>
// CHECK:           %[[B:.*]] = vector.broadcast %[[X]]
// CHECK:           vector.fma %[[B]], %[[A]], %{{.*}} : vector<8xf32>
// CHECK:         } {loop_annotation = #{{.*}}}
// CHECK:         vector.extract_strided_slice {{.*}} : vector<8xf32> to vector<3xf32>
// CHECK:         vector.transfer_write {{.*}} : vector<3xf32>, tensor<2x3xf32>
// CHECK:         packed_weight: "0x400000000000803F000000400000404000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000080400000A0400000C04000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
// SPLIT-LABEL:   func.func @ragged(
// SPLIT:         %[[P:.*]] = arith.mulf {{.*}} : vector<4xf32>
// SPLIT:         arith.addf %[[P]], %{{.*}} : vector<4xf32>
// V512-LABEL:    func.func @ragged(
// V512:          vector.fma {{.*}} : vector<16xf32>
func.func @ragged(%x: tensor<2x2xf32>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// The same panel from the other layout.
// CHECK-LABEL: func.func @transposed(
// CHECK:         packed_weight: "0x400000000000803F000000400000404000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000080400000A0400000C04000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
func.func @transposed(%x: tensor<2x2xf32>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]> : tensor<3x2xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<2x2xf32>, tensor<3x2xf32>) outs(%fill : tensor<2x3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %p = arith.mulf %i, %j : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// One number for all.
// CHECK-LABEL: func.func @splat(
// CHECK:         packed_weight: "0x4000000000000040000000400000004000000000
func.func @splat(%x: tensor<2x2xf32>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<2.0> : tensor<2x3xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// Data in a resource.
// CHECK-LABEL: func.func @resource(
// CHECK:         packed_weight: "0x400000000000803F000000400000404000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000080400000A0400000C04000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
func.func @resource(%x: tensor<2x2xf32>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense_resource<w> : tensor<2x3xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

{-#
  dialect_resources: {
    builtin: {
      w: "0x040000000000803F0000004000004040000080400000A0400000C040"
    }
  }
#-}

// -----

// Whole panels, in a loop.
// CHECK-LABEL: func.func @panels(
// CHECK:         arith.constant dense_resource<packed_weight> : tensor<192xf32>
// CHECK:         arith.constant 48 : index
// CHECK:         scf.for
// CHECK:         vector.transfer_write {{.*}} : vector<8xf32>, tensor<4x96xf32>
func.func @panels(%x: tensor<4x2xf32>, %init: tensor<4x96xf32>) -> tensor<4x96xf32> {
  %w = arith.constant dense<1.0> : tensor<2x96xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<4x96xf32>) -> tensor<4x96xf32>
  %y = linalg.matmul ins(%x, %w : tensor<4x2xf32>, tensor<2x96xf32>) outs(%fill : tensor<4x96xf32>) -> tensor<4x96xf32>
  return %y : tensor<4x96xf32>
}

// -----

// One number for each column, one for all, and one for each element.
// CHECK-LABEL: func.func @bias(
// CHECK:         %[[S:.*]] = vector.extract_strided_slice
// CHECK:         %[[B:.*]] = vector.transfer_read %{{.*}} : tensor<3xf32>, vector<3xf32>
// CHECK:         %[[N:.*]] = tensor.extract %{{.*}}[] : tensor<f32>
// CHECK:         %[[V:.*]] = vector.broadcast %[[N]] : f32 to vector<3xf32>
// CHECK:         %[[R:.*]] = vector.transfer_read %{{.*}} : tensor<2x3xf32>, vector<3xf32>
// CHECK:         arith.addf %[[S]], %[[B]] : vector<3xf32>
// CHECK:         arith.mulf %{{.*}}, %[[V]]
// CHECK:         arith.maximumf %{{.*}}, %[[R]]
func.func @bias(%x: tensor<2x2xf32>, %init: tensor<2x3xf32>, %b: tensor<3xf32>, %n: tensor<f32>, %like: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> ()>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%y, %b, %n, %like : tensor<2x3xf32>, tensor<3xf32>, tensor<f32>, tensor<2x3xf32>) outs(%init : tensor<2x3xf32>) {
  ^bb0(%i: f32, %b0: f32, %n0: f32, %l0: f32, %o: f32):
    %t = arith.addf %i, %b0 : f32
    %u = arith.mulf %t, %n0 : f32
    %r = arith.maximumf %u, %l0 : f32
    linalg.yield %r : f32
  } -> tensor<2x3xf32>
  return %z : tensor<2x3xf32>
}

// -----

// Halves of the constant are widened as they are read, those of the rows once.
// CHECK-LABEL: func.func @f16(
// CHECK:         arith.constant dense_resource<packed_weight> : tensor<32xf16>
// CHECK:         %[[WIDE:.*]] = scf.for
// CHECK:           arith.extf {{.*}} : vector<1xf16> to vector<1xf32>
// CHECK:         scf.for
// CHECK:           arith.extf {{.*}} : vector<8xf16> to vector<8xf32>
// CHECK:           tensor.extract %[[WIDE]]
// CHECK:           vector.fma {{.*}} vector<8xf32>
func.func @f16(%x: tensor<2x2xf16>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf16>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<2x2xf16>, tensor<2x3xf16>) outs(%fill : tensor<2x3xf32>) {
  ^bb0(%i: f16, %j: f16, %o: f32):
    %a = arith.extf %i : f16 to f32
    %b = arith.extf %j : f16 to f32
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @f64(
// CHECK:         vector.fma {{.*}} : vector<4xf64>
func.func @f64(%x: tensor<2x2xf64>, %init: tensor<2x3xf64>) -> tensor<2x3xf64> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf64>
  %zero = arith.constant 0.0 : f64
  %fill = linalg.fill ins(%zero : f64) outs(%init : tensor<2x3xf64>) -> tensor<2x3xf64>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf64>, tensor<2x3xf64>) outs(%fill : tensor<2x3xf64>) -> tensor<2x3xf64>
  return %y : tensor<2x3xf64>
}

// -----

// What reads booleans is no part of the schedule: a vector of eight takes one byte.
// CHECK-LABEL: func.func @mask(
// CHECK:         vector.
// CHECK:         linalg.generic
// CHECK-SAME:      tensor<3xi1>
func.func @mask(%x: tensor<2x2xf32>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %mask = arith.constant dense<[true, false, true]> : tensor<3xi1>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%mask, %y : tensor<3xi1>, tensor<2x3xf32>) outs(%init : tensor<2x3xf32>) {
  ^bb0(%c: i1, %v: f32, %o: f32):
    %s = arith.select %c, %v, %zero : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  return %z : tensor<2x3xf32>
}

// -----

// Bytes are read in vectors: store-whole-bytes makes them of booleans.
// CHECK-LABEL: func.func @bytes(
// CHECK:         %[[BYTES:.*]] = vector.transfer_read %{{.*}} : tensor<3xi8>, vector<3xi8>
// CHECK:         %[[MASK:.*]] = arith.trunci %[[BYTES]] : vector<3xi8> to vector<3xi1>
// CHECK:         arith.select %[[MASK]], %{{.*}}, %{{.*}} : vector<3xi1>, vector<3xf32>
// CHECK-NOT:     linalg.generic
func.func @bytes(%x: tensor<2x2xf32>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %mask = arith.constant dense<[1, 0, 1]> : tensor<3xi8>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x3xf32>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%mask, %y : tensor<3xi8>, tensor<2x3xf32>) outs(%init : tensor<2x3xf32>) {
  ^bb0(%byte: i8, %v: f32, %o: f32):
    %c = arith.trunci %byte : i8 to i1
    %s = arith.select %c, %v, %zero : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  return %z : tensor<2x3xf32>
}
