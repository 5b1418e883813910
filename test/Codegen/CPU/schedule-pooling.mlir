// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How sums over axes become loops of vectors: rows and columns, short and long.
// test/Integration/Lowering/test_random_reductions.py runs them.
//
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(schedule-pooling{vector-bits=256})' \
// RUN:   | FileCheck %s --implicit-check-not=linalg.generic
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(schedule-pooling{vector-bits=256})' \
// RUN:   | FileCheck %s --implicit-check-not=linalg.generic
// RUN: head-opt %s --split-input-file --schedule-pooling=vector-bits=128 | FileCheck %s --check-prefix=V128
// RUN: head-opt %s --split-input-file --schedule-pooling=vector-bits=512 | FileCheck %s --check-prefix=V512
// RUN: not head-opt %s --split-input-file --schedule-pooling=vector-bits=64 2>&1 | FileCheck %s --check-prefix=BAD
// BAD: error: schedule-pooling: vector-bits is 64; give 128, 256 or 512

// Rows of 49: six vectors, two rows in each pass, and the last element by itself.
// The number of rows is even, so that none is left.
// CHECK-LABEL: func.func @rows(
// CHECK:         %[[ROWS:.*]] = tensor.collapse_shape %{{.*}} {{\[}}[0, 1], [2]] : tensor<4x16x49xf32> into tensor<64x49xf32>
// CHECK-DAG:     %[[LAST:.*]] = arith.constant 64 : index
// CHECK-DAG:     %[[STEP:.*]] = arith.constant 2 : index
// CHECK:         scf.for %{{.*}} = %{{.*}} to %[[LAST]] step %[[STEP]]
// CHECK:           memref.prefetch %{{.*}}, read, locality<3>, data
// CHECK-COUNT-6:   vector.transfer_read {{.*}} {in_bounds = [true]} : tensor<64x49xf32>, vector<8xf32>
// CHECK:           vector.transfer_read {{.*}} vector<1xf32>
// CHECK:           vector.insert_strided_slice {{.*}} : vector<1xf32> into vector<8xf32>
// CHECK-COUNT-6:   vector.transfer_read {{.*}} vector<8xf32>
// CHECK:           vector.shuffle
// CHECK:           vector.transfer_write {{.*}} : vector<2xf32>, tensor<64xf32>
// CHECK:         tensor.expand_shape {{.*}} : tensor<64xf32> into tensor<4x16xf32>
// V128-LABEL:    func.func @rows(
// V128:          arith.constant dense<0.000000e+00> : vector<4xf32>
// V512-LABEL:    func.func @rows(
// V512-COUNT-3:  vector.transfer_read {{.*}} vector<16xf32>
// V512:          vector.transfer_read {{.*}} vector<1xf32>
func.func @rows(%x: tensor<4x16x49xf32>, %init: tensor<4x16xf32>, %like: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<4x16xf32>) -> tensor<4x16xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<4x16x49xf32>) outs(%fill : tensor<4x16xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<4x16xf32>
  return %sum : tensor<4x16xf32>
}

// -----

// An odd number of rows: the last one alone, by the same additions.
// CHECK-LABEL: func.func @odd_rows(
// CHECK:           vector.transfer_write {{.*}} : vector<2xf32>, tensor<3xf32>
// CHECK:           %[[SUM:.*]] = vector.extract %{{.*}}[0] : f32 from vector<2xf32>
// CHECK:           tensor.insert %[[SUM]] into
func.func @odd_rows(%x: tensor<3x16xf32>, %init: tensor<3xf32>, %like: tensor<3xf32>) -> tensor<3xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<3xf32>) -> tensor<3xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<3x16xf32>) outs(%fill : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<3xf32>
  return %sum : tensor<3xf32>
}

// -----

// A rest of 7 would be three pieces: the last vector of the row instead, with
// what was added before as zero.
// CHECK-LABEL: func.func @last_lanes(
// CHECK-NOT:     vector.insert_strided_slice
// CHECK:         vector.transfer_read {{.*}} vector<8xf32>
// CHECK:         %[[FROM:.*]] = arith.constant 7 : index
// CHECK:         %[[END:.*]] = vector.transfer_read %{{.*}}[%{{.*}}, %[[FROM]]]
// CHECK:         %[[MASK:.*]] = vector.create_mask %{{.*}} : vector<8xi1>
// CHECK:         arith.select %[[MASK]], %{{.*}}, %[[END]]
// CHECK-NOT:     vector.insert_strided_slice
func.func @last_lanes(%x: tensor<2x15xf32>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x15xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// More than eight vectors: four accumulators.
// CHECK-LABEL: func.func @long_rows(
// CHECK:         arith.constant 992 : index
// CHECK:         scf.for {{.*}} iter_args(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} = 
// CHECK-COUNT-4: vector.transfer_read {{.*}} vector<8xf32>
// CHECK:         scf.yield
// CHECK:         vector.transfer_read {{.*}} vector<8xf32>
func.func @long_rows(%x: tensor<2x1000xf32>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x1000xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// A length that is not known: possibly shorter than a vector.
// CHECK-LABEL: func.func @dynamic_rows(
// CHECK:         scf.for {{.*}} iter_args(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} = 
// CHECK:         %[[SHORT:.*]] = arith.cmpi ult
// CHECK:         scf.if %[[SHORT]] -> (vector<8xf32>)
// CHECK:           vector.transfer_read {{.*}} vector<1xf32>
// CHECK:         } else {
// CHECK:           vector.create_mask
func.func @dynamic_rows(%x: tensor<?x?xf32>, %init: tensor<?xf32>, %like: tensor<?xf32>) -> tensor<?xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x?xf32>) outs(%fill : tensor<?xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  return %sum : tensor<?xf32>
}

// -----

// No vector is wider than a row.
// CHECK-LABEL: func.func @tiny_rows(
// CHECK-NOT:     vector<8xf32>
// CHECK:         vector.transfer_read {{.*}} vector<2xf32>
// CHECK-NOT:     vector<8xf32>
func.func @tiny_rows(%x: tensor<2x3xf32>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x3xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// Columns in registers: the last vector ends with them. Two rows have three
// accumulators each, and the 49th is added to the first three.
// CHECK-LABEL: func.func @columns(
// CHECK:         %[[LAST:.*]] = arith.constant 12 : index
// CHECK:         %[[ROWS:.*]] = arith.constant 48 : index
// CHECK:         %[[SUMS:.*]]:6 = scf.for {{.*}} to %[[ROWS]] step
// CHECK:           memref.prefetch
// CHECK-COUNT-6:   vector.transfer_read {{.*}} : tensor<49x20xf32>, vector<8xf32>
// CHECK:         scf.yield
// CHECK-COUNT-3: vector.transfer_read {{.*}} : tensor<49x20xf32>, vector<8xf32>
// CHECK-COUNT-3: arith.addf %{{.*}}, %[[SUMS]]#{{[345]}}
// CHECK-COUNT-3: vector.transfer_write {{.*}} : vector<8xf32>, tensor<20xf32>
// V512-LABEL:    func.func @columns(
// V512:          scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
func.func @columns(%x: tensor<49x20xf32>, %init: tensor<20xf32>, %like: tensor<20xf32>) -> tensor<20xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<20xf32>) -> tensor<20xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (b)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<49x20xf32>) outs(%fill : tensor<20xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<20xf32>
  return %sum : tensor<20xf32>
}

// -----

// More columns than registers hold: an accumulator in memory, and what is no
// whole vector by narrower ones.
// CHECK-LABEL: func.func @columns_in_memory(
// CHECK:         tensor.empty() : tensor<1027xf32>
// CHECK:         bufferization.alloc_tensor() : tensor<1027xf32>
// CHECK:         scf.for
// CHECK:         vector.transfer_write {{.*}} vector<2xf32>
// CHECK:         vector.transfer_write {{.*}} vector<1xf32>
func.func @columns_in_memory(%x: tensor<49x1027xf32>, %init: tensor<1027xf32>, %like: tensor<1027xf32>) -> tensor<1027xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<1027xf32>) -> tensor<1027xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (b)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<49x1027xf32>) outs(%fill : tensor<1027xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<1027xf32>
  return %sum : tensor<1027xf32>
}

// -----

// At most 16 KiB of accumulators.
// CHECK-LABEL: func.func @blocks_of_columns(
// CHECK:         bufferization.alloc_tensor() : tensor<4096xf32>
// CHECK:         arith.constant 8192 : index
// CHECK:         arith.constant 4096 : index
// CHECK:         scf.for
func.func @blocks_of_columns(%x: tensor<7x10000xf32>, %init: tensor<10000xf32>, %like: tensor<10000xf32>) -> tensor<10000xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<10000xf32>) -> tensor<10000xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (b)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<7x10000xf32>) outs(%fill : tensor<10000xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<10000xf32>
  return %sum : tensor<10000xf32>
}

// -----

// CHECK-LABEL: func.func @dynamic_columns(
// CHECK:         bufferization.alloc_tensor() : tensor<4096xf32>
// CHECK:         arith.divui
// CHECK:         scf.for
func.func @dynamic_columns(%x: tensor<7x?xf32>, %init: tensor<?xf32>, %like: tensor<?xf32>) -> tensor<?xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (b)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<7x?xf32>) outs(%fill : tensor<?xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  return %sum : tensor<?xf32>
}

// -----

// Between kept axes.
// CHECK-LABEL: func.func @middle(
// CHECK:         scf.for
// CHECK-COUNT-10:  vector.transfer_read {{.*}} : tensor<3x5x16xf32>, vector<8xf32>
// CHECK:           vector.transfer_write {{.*}} : vector<8xf32>, tensor<3x16xf32>
func.func @middle(%x: tensor<3x5x16xf32>, %init: tensor<3x16xf32>, %like: tensor<3x16xf32>) -> tensor<3x16xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<3x16xf32>) -> tensor<3x16xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, c)>], iterator_types = ["parallel", "reduction", "parallel"]} ins(%x : tensor<3x5x16xf32>) outs(%fill : tensor<3x16xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<3x16xf32>
  return %sum : tensor<3x16xf32>
}

// -----

// Two groups of summed axes: rows of memory are added to one vector.
// CHECK-LABEL: func.func @two_groups(
// CHECK:         scf.for
// CHECK:           scf.for {{.*}} -> (vector<8xf32>)
// CHECK-NOT:     memref.prefetch
func.func @two_groups(%x: tensor<5x4x8xf32>, %init: tensor<4xf32>, %like: tensor<4xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (b)>], iterator_types = ["reduction", "parallel", "reduction"]} ins(%x : tensor<5x4x8xf32>) outs(%fill : tensor<4xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %sum : tensor<4xf32>
}

// -----

// Everything: no axis is left.
// CHECK-LABEL: func.func @all(
// CHECK:         tensor.collapse_shape %{{.*}} {{\[}}[0, 1]] : tensor<3x4xf32> into tensor<12xf32>
// CHECK:         tensor.insert %{{.*}} into %{{.*}}[] : tensor<f32>
func.func @all(%x: tensor<3x4xf32>, %init: tensor<f32>, %like: tensor<f32>) -> tensor<f32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> ()>], iterator_types = ["reduction", "reduction"]} ins(%x : tensor<3x4xf32>) outs(%fill : tensor<f32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  return %sum : tensor<f32>
}

// -----

// Half as many numbers in a vector.
// CHECK-LABEL: func.func @f64(
// CHECK-COUNT-4: vector.transfer_read {{.*}} vector<4xf64>
// V128-LABEL:    func.func @f64(
// V128:          vector.transfer_read {{.*}} vector<2xf64>
func.func @f64(%x: tensor<2x16xf64>, %init: tensor<2xf64>, %like: tensor<2xf64>) -> tensor<2xf64> {
  %zero = arith.constant 0.0 : f64
  %fill = linalg.fill ins(%zero : f64) outs(%init : tensor<2xf64>) -> tensor<2xf64>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x16xf64>) outs(%fill : tensor<2xf64>) {
  ^bb0(%i: f64, %o: f64):
    %s = arith.addf %o, %i : f64
    linalg.yield %s : f64
  } -> tensor<2xf64>
  return %sum : tensor<2xf64>
}

// -----

// Halves are added up in f32 and narrowed once, behind the mean. There are as
// many rows in a pass as lanes, and a vector has the sums of all.
// CHECK-LABEL: func.func @f16(
// CHECK:         %[[STEP:.*]] = arith.constant 8 : index
// CHECK:         scf.for {{.*}} step %[[STEP]]
// CHECK:           %[[READ:.*]] = vector.transfer_read {{.*}} : tensor<20x17xf16>, vector<8xf16>
// CHECK:           arith.extf %[[READ]] : vector<8xf16> to vector<8xf32>
// CHECK-COUNT-23:  vector.transfer_read {{.*}}f16>
// CHECK-NOT:       vector.transfer_read {{.*}}f16>
// CHECK-COUNT-14:  vector.shuffle
// CHECK-NOT:       vector.shuffle
// CHECK:           arith.divf {{.*}} : vector<8xf32>
// CHECK:           arith.truncf {{.*}} : vector<8xf32> to vector<8xf16>
// CHECK:           vector.transfer_write {{.*}} : vector<8xf16>, tensor<20xf16>
// The four that are left.
// CHECK:         scf.for
// CHECK:           tensor.insert {{.*}} : tensor<20xf16>
func.func @f16(%x: tensor<20x17xf16>, %init: tensor<20xf32>, %like: tensor<20xf16>) -> tensor<20xf16> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<20xf32>) -> tensor<20xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<20x17xf16>) outs(%fill : tensor<20xf32>) {
  ^bb0(%i: f16, %o: f32):
    %w = arith.extf %i : f16 to f32
    %s = arith.addf %o, %w : f32
    linalg.yield %s : f32
  } -> tensor<20xf32>
  %mean = linalg.generic {indexing_maps = [affine_map<(a) -> (a)>, affine_map<(a) -> (a)>], iterator_types = ["parallel"]} ins(%sum : tensor<20xf32>) outs(%like : tensor<20xf16>) {
  ^bb0(%i: f32, %o: f16):
    %c = arith.constant 17.0 : f32
    %q = arith.divf %i, %c : f32
    %d = arith.truncf %q : f32 to f16
    linalg.yield %d : f16
  } -> tensor<20xf16>
  return %mean : tensor<20xf16>
}

// -----

// Long rows of halves: as many in a pass too, by a loop that keeps their
// vectors in memory.
// CHECK-LABEL: func.func @long_rows_of_f16(
// CHECK:         %[[SCRATCH:.*]] = bufferization.alloc_tensor() : tensor<64xf32>
// CHECK:         scf.for
// CHECK:           scf.for
// CHECK:             scf.for {{.*}} -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK:             vector.transfer_write {{.*}} : vector<8xf32>, tensor<64xf32>
// CHECK-COUNT-8:   vector.transfer_read {{.*}} : tensor<64xf32>, vector<8xf32>
// CHECK-COUNT-14:  vector.shuffle
// CHECK-NOT:       vector.shuffle
// CHECK:           vector.transfer_write {{.*}} : vector<8xf32>, tensor<16xf32>
func.func @long_rows_of_f16(%x: tensor<16x361xf16>, %init: tensor<16xf32>) -> tensor<16xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<16xf32>) -> tensor<16xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<16x361xf16>) outs(%fill : tensor<16xf32>) {
  ^bb0(%i: f16, %o: f32):
    %w = arith.extf %i : f16 to f32
    %s = arith.addf %o, %w : f32
    linalg.yield %s : f32
  } -> tensor<16xf32>
  return %sum : tensor<16xf32>
}

// -----

// Short rows whose code would be long, because of a function before the sum, too.
// CHECK-LABEL: func.func @functions_of_f16(
// CHECK:         %[[SCRATCH:.*]] = bufferization.alloc_tensor() : tensor<64xf32>
// CHECK:         scf.for
// CHECK:           scf.for
// CHECK:             memref.prefetch
// CHECK-COUNT-7:     math.exp {{.*}} : vector<8xf32>
// CHECK:             math.exp {{.*}} : vector<1xf32>
// CHECK-NOT:         math.exp
// CHECK:             vector.transfer_write {{.*}} : vector<8xf32>, tensor<64xf32>
// CHECK-COUNT-8:   vector.transfer_read {{.*}} : tensor<64xf32>, vector<8xf32>
// CHECK:           vector.transfer_write {{.*}} : vector<8xf32>, tensor<16xf32>
func.func @functions_of_f16(%x: tensor<16x57xf16>, %init: tensor<16xf32>) -> tensor<16xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<16xf32>) -> tensor<16xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<16x57xf16>) outs(%fill : tensor<16xf32>) {
  ^bb0(%i: f16, %o: f32):
    %w = arith.extf %i : f16 to f32
    %e = math.exp %w : f32
    %s = arith.addf %o, %e : f32
    linalg.yield %s : f32
  } -> tensor<16xf32>
  return %sum : tensor<16xf32>
}

// -----

// bf16 are read in words, and the two of a word are added by themselves. The
// last 9 of 25 come in a vector that ends with the row, of which 7 elements, 4
// of them even, were added before.
// CHECK-LABEL: func.func @bf16_rows(
// CHECK:         %[[ALL:.*]] = vector.transfer_read {{.*}} : tensor<8x25xbf16>, vector<16xbf16>
// CHECK:         %[[EVEN:.*]], %[[ODD:.*]] = vector.deinterleave %[[ALL]] : vector<16xbf16> -> vector<8xbf16>
// CHECK:         arith.extf %[[EVEN]] : vector<8xbf16> to vector<8xf32>
// CHECK:         arith.extf %[[ODD]] : vector<8xbf16> to vector<8xf32>
// CHECK:         %[[FROM:.*]] = arith.constant 9 : index
// CHECK:         %[[LAST:.*]] = vector.transfer_read %{{.*}}[%{{.*}}, %[[FROM]]], {{.*}} : tensor<8x25xbf16>, vector<16xbf16>
// CHECK:         %[[EVEN:.*]], %[[ODD:.*]] = vector.deinterleave %[[LAST]]
// CHECK:         %[[WIDE_EVEN:.*]] = arith.extf %[[EVEN]]
// CHECK:         %[[WIDE_ODD:.*]] = arith.extf %[[ODD]]
// CHECK:         %[[FOUR:.*]] = arith.constant 4 : index
// CHECK:         %[[MASK:.*]] = vector.create_mask %[[FOUR]] : vector<8xi1>
// CHECK:         arith.select %[[MASK]], %{{.*}}, %[[WIDE_EVEN]]
// CHECK:         %[[THREE:.*]] = arith.constant 3 : index
// CHECK:         %[[MASK:.*]] = vector.create_mask %[[THREE]] : vector<8xi1>
// CHECK:         arith.select %[[MASK]], %{{.*}}, %[[WIDE_ODD]]
func.func @bf16_rows(%x: tensor<8x25xbf16>, %init: tensor<8xf32>) -> tensor<8xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<8xf32>) -> tensor<8xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<8x25xbf16>) outs(%fill : tensor<8xf32>) {
  ^bb0(%i: bf16, %o: f32):
    %w = arith.extf %i : bf16 to f32
    %s = arith.addf %o, %w : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %sum : tensor<8xf32>
}

// -----

// Sums in f64 have lanes for one bf16 each.
// CHECK-LABEL: func.func @bf16_in_f64(
// CHECK-NOT:     vector.deinterleave
// CHECK:         vector.transfer_read {{.*}} : tensor<8x16xbf16>, vector<4xbf16>
// CHECK-NOT:     vector.deinterleave
func.func @bf16_in_f64(%x: tensor<8x16xbf16>, %init: tensor<8xf64>) -> tensor<8xf64> {
  %zero = arith.constant 0.0 : f64
  %fill = linalg.fill ins(%zero : f64) outs(%init : tensor<8xf64>) -> tensor<8xf64>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<8x16xbf16>) outs(%fill : tensor<8xf64>) {
  ^bb0(%i: bf16, %o: f64):
    %w = arith.extf %i : bf16 to f64
    %s = arith.addf %o, %w : f64
    linalg.yield %s : f64
  } -> tensor<8xf64>
  return %sum : tensor<8xf64>
}

// -----

// CHECK-LABEL: func.func @bf16_columns(
// CHECK:         %[[READ:.*]] = vector.transfer_read {{.*}} : tensor<16x16xbf16>, vector<16xbf16>
// CHECK:         %[[EVEN:.*]], %[[ODD:.*]] = vector.deinterleave %[[READ]] : vector<16xbf16> -> vector<8xbf16>
// CHECK:         arith.extf %[[EVEN]] : vector<8xbf16> to vector<8xf32>
// CHECK:         arith.extf %[[ODD]] : vector<8xbf16> to vector<8xf32>
// CHECK:         %[[EVEN:.*]] = arith.truncf {{.*}} : vector<8xf32> to vector<8xbf16>
// CHECK:         %[[ODD:.*]] = arith.truncf {{.*}} : vector<8xf32> to vector<8xbf16>
// CHECK:         vector.interleave %[[EVEN]], %[[ODD]] : vector<8xbf16> -> vector<16xbf16>
func.func @bf16_columns(%x: tensor<16x16xbf16>, %init: tensor<16xf32>, %like: tensor<16xbf16>) -> tensor<16xbf16> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<16xf32>) -> tensor<16xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (b)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<16x16xbf16>) outs(%fill : tensor<16xf32>) {
  ^bb0(%i: bf16, %o: f32):
    %w = arith.extf %i : bf16 to f32
    %s = arith.addf %o, %w : f32
    linalg.yield %s : f32
  } -> tensor<16xf32>
  %mean = linalg.generic {indexing_maps = [affine_map<(a) -> (a)>, affine_map<(a) -> (a)>], iterator_types = ["parallel"]} ins(%sum : tensor<16xf32>) outs(%like : tensor<16xbf16>) {
  ^bb0(%i: f32, %o: bf16):
    %d = arith.truncf %i : f32 to bf16
    linalg.yield %d : bf16
  } -> tensor<16xbf16>
  return %mean : tensor<16xbf16>
}

// -----

// Two rows of halves in a pass over the accumulators, four vectors at a time,
// and what comes two rows later is asked for in the order of memory: each
// vector asks for as much as it reads. An odd last row and an odd last column
// are by themselves.
// CHECK-LABEL: func.func @bf16_columns_in_memory(
// CHECK-COUNT-3: vector.transfer_write {{.*}} vector<1xf32>
// CHECK:         %[[ROWS:.*]] = arith.constant 48 : index
// CHECK:         scf.for %[[ROW:.*]] = %{{.*}} to %[[ROWS]] step
// CHECK:           scf.for %[[AT:.*]] = 
// CHECK-COUNT-4:     memref.prefetch %{{.*}}[%[[ROW]], %{{.*}}]
// CHECK-COUNT-2:     vector.transfer_read {{.*}} : tensor<1027xf32>, vector<8xf32>
// CHECK-COUNT-2:     vector.transfer_read {{.*}} : tensor<49x1027xbf16>, vector<16xbf16>
// CHECK-COUNT-2:     vector.transfer_write {{.*}} : vector<8xf32>, tensor<1027xf32>
// CHECK:           scf.yield
// CHECK:           vector.transfer_read {{.*}} : tensor<49x1027xbf16>, vector<2xbf16>
// CHECK:           vector.transfer_read {{.*}} : tensor<49x1027xbf16>, vector<1xbf16>
func.func @bf16_columns_in_memory(%x: tensor<49x1027xbf16>, %init: tensor<1027xf32>) -> tensor<1027xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<1027xf32>) -> tensor<1027xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (b)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<49x1027xbf16>) outs(%fill : tensor<1027xf32>) {
  ^bb0(%i: bf16, %o: f32):
    %w = arith.extf %i : bf16 to f32
    %s = arith.addf %o, %w : f32
    linalg.yield %s : f32
  } -> tensor<1027xf32>
  return %sum : tensor<1027xf32>
}

// -----

// What is done to the elements is done to no other lane: zeros come behind it.
// CHECK-LABEL: func.func @prologue(
// CHECK:         %[[ONE:.*]] = vector.transfer_read {{.*}} vector<1xf32>
// CHECK:         %[[EXP:.*]] = math.exp %[[ONE]] : vector<1xf32>
// CHECK:         vector.insert_strided_slice %[[EXP]]
func.func @prologue(%x: tensor<2x9xf32>, %init: tensor<2xf32>, %like: tensor<2xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x9xf32>) outs(%fill : tensor<2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %e = math.exp %i : f32
    %s = arith.addf %e, %o : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// -----

// The result's type says more than the input's.
// CHECK-LABEL: func.func @known_result(
// CHECK:         tensor.cast %{{.*}} : tensor<?xf32> to tensor<6xf32>
// CHECK:         tensor.expand_shape {{.*}} : tensor<6xf32> into tensor<2x3xf32>
func.func @known_result(%x: tensor<?x3x8xf32>, %init: tensor<2x3xf32>, %like: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<?x3x8xf32>) outs(%fill : tensor<2x3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  return %sum : tensor<2x3xf32>
}

// -----

// What is written through expand_shapes is written to the buffer in the other shape.
// CHECK-LABEL: func.func @written_unexpanded(
// CHECK-SAME:    %[[Y:[a-z0-9]+]]: memref<2x2x3xf32>
// CHECK:         %[[ROWS:.*]] = memref.collapse_shape %[[Y]] {{\[}}[0], [1, 2]] : memref<2x2x3xf32> into memref<2x6xf32>
// CHECK:         %[[ALL:.*]] = memref.collapse_shape %[[ROWS]] {{\[}}[0, 1]] : memref<2x6xf32> into memref<12xf32>
// CHECK:         bufferization.materialize_in_destination %{{.*}} in restrict writable %[[ALL]] : (tensor<12xf32>, memref<12xf32>)
func.func @written_unexpanded(%x: tensor<2x6x8xf32>, %init: tensor<2x6xf32>, %y: memref<2x2x3xf32>) {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x6xf32>) -> tensor<2x6xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<2x6x8xf32>) outs(%fill : tensor<2x6xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<2x6xf32>
  %map = tensor.expand_shape %sum [[0], [1, 2]] output_shape [2, 2, 3] : tensor<2x6xf32> into tensor<2x2x3xf32>
  bufferization.materialize_in_destination %map in restrict writable %y : (tensor<2x2x3xf32>, memref<2x2x3xf32>) -> ()
  return
}

// -----

// A buffer with a gap behind each row of 3 has no such shape.
// CHECK-LABEL: func.func @written_with_gaps(
// CHECK-SAME:    %[[Y:[a-z0-9]+]]: memref<2x3xf32, strided<[4, 1]>>
// CHECK-NOT:     memref.collapse_shape
// CHECK:         bufferization.materialize_in_destination %{{.*}} in restrict writable %[[Y]]
func.func @written_with_gaps(%x: tensor<6x8xf32>, %init: tensor<6xf32>, %y: memref<2x3xf32, strided<[4, 1]>>) {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<6xf32>) -> tensor<6xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<6x8xf32>) outs(%fill : tensor<6xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<6xf32>
  %map = tensor.expand_shape %sum [[0, 1]] output_shape [2, 3] : tensor<6xf32> into tensor<2x3xf32>
  bufferization.materialize_in_destination %map in restrict writable %y : (tensor<2x3xf32>, memref<2x3xf32, strided<[4, 1]>>) -> ()
  return
}

// -----

// Nor is a buffer known to be of one number.
// CHECK-LABEL: func.func @written_number(
// CHECK-SAME:    %[[Y:[a-z0-9]+]]: memref<?xf32>
// CHECK-NOT:     memref.collapse_shape
// CHECK:         bufferization.materialize_in_destination %{{.*}} in restrict writable %[[Y]]
func.func @written_number(%x: tensor<8xf32>, %init: tensor<f32>, %y: memref<?xf32>) {
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a) -> (a)>, affine_map<(a) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<8xf32>) outs(%fill : tensor<f32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %o, %i : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  %one = tensor.expand_shape %sum [] output_shape [1] : tensor<f32> into tensor<1xf32>
  bufferization.materialize_in_destination %one in restrict writable %y : (tensor<1xf32>, memref<?xf32>) -> ()
  return
}
