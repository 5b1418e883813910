// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Booleans in tensors are bytes; those that are computed with stay.
// test/Integration/Lowering/test_masks.py and test/Integration/GPU/test_masks.py run
// them.
//
// RUN: head-opt %s --split-input-file --store-whole-bytes | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(store-whole-bytes)' | FileCheck %s

#id = affine_map<(i) -> (i)>

// CHECK-LABEL: func.func @mask(
// CHECK-SAME:    %[[X:[^:]*]]: tensor<9xf32>, %[[INIT:[^:]*]]: tensor<9xf32>)
// CHECK-NOT:     xi1>
// CHECK:         %[[M:.*]] = arith.constant dense<[1, 0, 1, 1, 0, 0, 0, 0, 1]> : tensor<9xi8>
// CHECK:         linalg.generic {{.*}} ins(%[[M]], %[[X]] : tensor<9xi8>, tensor<9xf32>)
// CHECK:         ^bb0(%[[BYTE:.*]]: i8, %[[V:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT:      %[[C:.*]] = arith.trunci %[[BYTE]] : i8 to i1
// CHECK-NEXT:      %[[S:.*]] = arith.select %[[C]], %[[V]], %{{.*}} : f32
// CHECK-NEXT:      linalg.yield %[[S]] : f32
func.func @mask(%x: tensor<9xf32>, %init: tensor<9xf32>) -> tensor<9xf32> {
  %mask = arith.constant dense<[true, false, true, true, false, false, false, false, true]> : tensor<9xi1>
  %zero = arith.constant 0.0 : f32
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%mask, %x : tensor<9xi1>, tensor<9xf32>) outs(%init : tensor<9xf32>) {
  ^bb0(%c: i1, %v: f32, %o: f32):
    %s = arith.select %c, %v, %zero : f32
    linalg.yield %s : f32
  } -> tensor<9xf32>
  return %y : tensor<9xf32>
}

// -----

// What is computed is widened, and what is handed on stays as it is. A boolean
// that is no tensor's is one that is computed.
#id = affine_map<(i) -> (i)>
#none = affine_map<(i) -> ()>

// CHECK-LABEL: func.func @results(
// CHECK-SAME:    %{{.*}}: tensor<?xf32>, %[[B:[^:]*]]: tensor<?xi8>, %[[P:[^:]*]]: i1, %[[INIT:[^:]*]]: tensor<?xi8>) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xi8>)
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %[[B]], %[[P]] : tensor<?xf32>, tensor<?xi8>, i1) outs(%[[INIT]], %[[INIT]], %[[INIT]] : tensor<?xi8>, tensor<?xi8>, tensor<?xi8>)
// CHECK:         ^bb0(%[[V:.*]]: f32, %[[HELD:.*]]: i8, %[[Q:.*]]: i1, %{{.*}}: i8, %{{.*}}: i8, %{{.*}}: i8):
// CHECK-NEXT:      %[[NAN:.*]] = arith.cmpf uno, %[[V]], %[[V]] : f32
// CHECK-NEXT:      %[[WIDE:.*]] = arith.extui %[[NAN]] : i1 to i8
// CHECK-NEXT:      %[[Q8:.*]] = arith.extui %[[Q]] : i1 to i8
// CHECK-NEXT:      linalg.yield %[[WIDE]], %[[HELD]], %[[Q8]] : i8, i8, i8
func.func @results(%x: tensor<?xf32>, %b: tensor<?xi1>, %p: i1, %init: tensor<?xi1>) -> (tensor<?xi1>, tensor<?xi1>, tensor<?xi1>) {
  %y:3 = linalg.generic {indexing_maps = [#id, #id, #none, #id, #id, #id], iterator_types = ["parallel"]} ins(%x, %b, %p : tensor<?xf32>, tensor<?xi1>, i1) outs(%init, %init, %init : tensor<?xi1>, tensor<?xi1>, tensor<?xi1>) {
  ^bb0(%v: f32, %h: i1, %q: i1, %o0: i1, %o1: i1, %o2: i1):
    %n = arith.cmpf uno, %v, %v : f32
    linalg.yield %n, %h, %q : i1, i1, i1
  } -> (tensor<?xi1>, tensor<?xi1>, tensor<?xi1>)
  return %y#0, %y#1, %y#2 : tensor<?xi1>, tensor<?xi1>, tensor<?xi1>
}

// -----

// A reduction reads what it writes.
// CHECK-LABEL: func.func @any(
// CHECK:         %[[FALSE:.*]] = arith.constant false
// CHECK:         %[[ZERO:.*]] = arith.extui %[[FALSE]] : i1 to i8
// CHECK:         %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : i8) outs(%{{.*}} : tensor<4xi8>) -> tensor<4xi8>
// CHECK:         linalg.generic {{.*}} ins(%{{.*}} : tensor<4x8xi8>) outs(%[[FILL]] : tensor<4xi8>)
// CHECK:         ^bb0(%[[I:.*]]: i8, %[[O:.*]]: i8):
// CHECK-DAG:       %[[IN:.*]] = arith.trunci %[[I]] : i8 to i1
// CHECK-DAG:       %[[OUT:.*]] = arith.trunci %[[O]] : i8 to i1
// CHECK:           %[[OR:.*]] = arith.ori %[[IN]], %[[OUT]] : i1
// CHECK:           %[[WIDE:.*]] = arith.extui %[[OR]] : i1 to i8
// CHECK:           linalg.yield %[[WIDE]] : i8
func.func @any(%b: tensor<4x8xi1>) -> tensor<4xi1> {
  %false = arith.constant false
  %empty = tensor.empty() : tensor<4xi1>
  %fill = linalg.fill ins(%false : i1) outs(%empty : tensor<4xi1>) -> tensor<4xi1>
  %y = linalg.reduce ins(%b : tensor<4x8xi1>) outs(%fill : tensor<4xi1>) dimensions = [1]
    (%i: i1, %o: i1) {
      %or = arith.ori %i, %o : i1
      linalg.yield %or : i1
    }
  return %y : tensor<4xi1>
}

// -----

// Constants: all the same, packed, none, and with the bytes of a file.
// CHECK-LABEL: func.func @constants(
// CHECK-SAME:    -> (tensor<3x5xi8>, tensor<3x5xi8>, tensor<i8>, tensor<0xi8>, tensor<3xi8>, tensor<4xi8>, tensor<2xi16>, tensor<2xi32>, tensor<2xi8>)
// CHECK-NEXT:    arith.constant dense<1> : tensor<3x5xi8>
// CHECK-NEXT:    arith.constant dense<0> : tensor<3x5xi8>
// CHECK-NEXT:    arith.constant dense<1> : tensor<i8>
// CHECK-NEXT:    arith.constant dense<> : tensor<0xi8>
// CHECK-NEXT:    arith.constant dense_resource<mask> : tensor<3xi8>
// CHECK-NEXT:    arith.constant dense<[0, 7, 8, 15]> : tensor<4xi8>
// CHECK-NEXT:    arith.constant dense<[1, 4095]> : tensor<2xi16>
// CHECK-NEXT:    arith.constant dense<[1, 16777215]> : tensor<2xi32>
// CHECK-NEXT:    arith.constant dense<[-1, 2]> : tensor<2xi8>
func.func @constants() -> (tensor<3x5xi1>, tensor<3x5xi1>, tensor<i1>, tensor<0xi1>, tensor<3xi1>, tensor<4xi4>, tensor<2xi12>, tensor<2xi24>, tensor<2xi8>) {
  %0 = arith.constant dense<true> : tensor<3x5xi1>
  %1 = arith.constant dense<false> : tensor<3x5xi1>
  %2 = arith.constant dense<true> : tensor<i1>
  %3 = arith.constant dense<> : tensor<0xi1>
  %4 = arith.constant dense_resource<mask> : tensor<3xi1>
  %5 = arith.constant dense<[0, 7, -8, -1]> : tensor<4xi4>
  %6 = arith.constant dense<[1, -1]> : tensor<2xi12>
  %7 = arith.constant dense<[1, -1]> : tensor<2xi24>
  %8 = arith.constant dense<[-1, 2]> : tensor<2xi8>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8 : tensor<3x5xi1>, tensor<3x5xi1>, tensor<i1>, tensor<0xi1>, tensor<3xi1>, tensor<4xi4>, tensor<2xi12>, tensor<2xi24>, tensor<2xi8>
}

{-#
  dialect_resources: {
    builtin: {
      mask: "0x01000000010001"
    }
  }
#-}

// -----

// Operations that only move elements, and those that move one.
// CHECK-LABEL: func.func @moved(
// CHECK-SAME:    %[[B:[^:]*]]: tensor<?x4xi8>, %[[P:[^:]*]]: i1, %[[I:[^:]*]]: index)
// CHECK:         tensor.cast %[[B]] : tensor<?x4xi8> to tensor<2x4xi8>
// CHECK:         tensor.collapse_shape %{{.*}} : tensor<2x4xi8> into tensor<8xi8>
// CHECK:         tensor.expand_shape %{{.*}} : tensor<8xi8> into tensor<4x2xi8>
// CHECK:         linalg.generic {{.*}} ins(%{{.*}} : tensor<4x2xi8>) outs(%{{.*}} : tensor<2x4xi8>)
// CHECK:         ^bb0(%[[IN:.*]]: i8, %{{.*}}: i8):
// CHECK-NEXT:      linalg.yield %[[IN]] : i8
// CHECK:         %[[P8:.*]] = arith.extui %[[P]] : i1 to i8
// CHECK:         tensor.splat %[[P8]] : tensor<2x4xi8>
// CHECK:         tensor.pad
// CHECK:           %[[PAD:.*]] = arith.extui %[[P]] : i1 to i8
// CHECK:           tensor.yield %[[PAD]] : i8
// CHECK:         tensor<2x4xi8> to tensor<2x6xi8>
// CHECK:         tensor.extract_slice %{{.*}} : tensor<2x6xi8> to tensor<2x4xi8>
// CHECK:         tensor.concat dim(0) %{{.*}} : (tensor<2x4xi8>, tensor<2x4xi8>) -> tensor<4x4xi8>
// CHECK:         %[[BYTE:.*]] = tensor.extract %{{.*}}[%[[I]], %[[I]]] : tensor<4x4xi8>
// CHECK-NEXT:    %[[E:.*]] = arith.trunci %[[BYTE]] : i8 to i1
// CHECK:         %[[E8:.*]] = arith.extui %[[E]] : i1 to i8
// CHECK:         tensor.insert %[[E8]] into %{{.*}} : tensor<4x4xi8>
// CHECK:         arith.select %[[E]], %{{.*}}, %{{.*}} : tensor<4x4xi8>
// CHECK:         scf.if %[[E]] -> (tensor<4x4xi8>)
// CHECK:         call @moved(%{{.*}}, %[[E]], %[[I]]) : (tensor<?x4xi8>, i1, index) -> tensor<4x4xi8>
func.func @moved(%b: tensor<?x4xi1>, %p: i1, %i: index) -> tensor<4x4xi1> {
  %cast = tensor.cast %b : tensor<?x4xi1> to tensor<2x4xi1>
  %row = tensor.collapse_shape %cast [[0, 1]] : tensor<2x4xi1> into tensor<8xi1>
  %tall = tensor.expand_shape %row [[0, 1]] output_shape [4, 2] : tensor<8xi1> into tensor<4x2xi1>
  %empty = tensor.empty() : tensor<2x4xi1>
  %wide = linalg.transpose ins(%tall : tensor<4x2xi1>) outs(%empty : tensor<2x4xi1>) permutation = [1, 0]
  %all = tensor.splat %p : tensor<2x4xi1>
  %padded = tensor.pad %wide low[0, 1] high[0, 1] {
  ^bb0(%r: index, %c: index):
    tensor.yield %p : i1
  } : tensor<2x4xi1> to tensor<2x6xi1>
  %slice = tensor.extract_slice %padded[0, 1] [2, 4] [1, 1] : tensor<2x6xi1> to tensor<2x4xi1>
  %both = tensor.concat dim(0) %slice, %all : (tensor<2x4xi1>, tensor<2x4xi1>) -> tensor<4x4xi1>
  %e = tensor.extract %both[%i, %i] : tensor<4x4xi1>
  %set = tensor.insert %e into %both[%i, %i] : tensor<4x4xi1>
  %one = arith.select %e, %set, %both : tensor<4x4xi1>
  %y = scf.if %e -> (tensor<4x4xi1>) {
    %dynamic = tensor.cast %one : tensor<4x4xi1> to tensor<?x4xi1>
    %called = func.call @moved(%dynamic, %e, %i) : (tensor<?x4xi1>, i1, index) -> tensor<4x4xi1>
    scf.yield %called : tensor<4x4xi1>
  } else {
    scf.yield %both : tensor<4x4xi1>
  }
  return %y : tensor<4x4xi1>
}

// -----

// A body that reads a tensor by itself.
#id = affine_map<(i) -> (i)>

// CHECK-LABEL: func.func @gather(
// CHECK:         linalg.generic
// CHECK:           %[[BYTE:.*]] = tensor.extract %{{.*}} : tensor<4xi8>
// CHECK-NEXT:      %[[C:.*]] = arith.trunci %[[BYTE]] : i8 to i1
// CHECK:           arith.uitofp %[[C]] : i1 to f32
func.func @gather(%m: tensor<4xi1>, %init: tensor<4xf32>) -> tensor<4xf32> {
  %y = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%init : tensor<4xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %b = tensor.extract %m[%i] : tensor<4xi1>
    %f = arith.uitofp %b : i1 to f32
    linalg.yield %f : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// The bits of an i4 are read as they were, whatever their sign.
#id = affine_map<(i) -> (i)>

// CHECK-LABEL: func.func @int4(
// CHECK:         ^bb0(%[[BYTE:.*]]: i8, %{{.*}}: f32):
// CHECK-NEXT:      %[[N:.*]] = arith.trunci %[[BYTE]] : i8 to i4
// CHECK-NEXT:      arith.sitofp %[[N]] : i4 to f32
func.func @int4(%x: tensor<8xi4>, %init: tensor<8xf32>) -> tensor<8xf32> {
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<8xi4>) outs(%init : tensor<8xf32>) {
  ^bb0(%n: i4, %o: f32):
    %f = arith.sitofp %n : i4 to f32
    linalg.yield %f : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

// What is no tensor stays: masks of vectors, conditions, and other attributes.
// CHECK-LABEL: func.func @stay(
// CHECK-SAME:    %[[V:.*]]: vector<4xf32>, %[[C:.*]]: i1) -> vector<4xf32> attributes {mask = dense<true> : tensor<4xi1>}
// CHECK-NEXT:    %[[M:.*]] = arith.constant dense<[true, false, true, false]> : vector<4xi1>
// CHECK-NEXT:    %[[S:.*]] = arith.select %[[M]], %[[V]], %[[V]] : vector<4xi1>, vector<4xf32>
// CHECK-NEXT:    arith.select %[[C]], %[[S]], %[[V]] : vector<4xf32>
func.func @stay(%v: vector<4xf32>, %c: i1) -> vector<4xf32> attributes {mask = dense<true> : tensor<4xi1>} {
  %m = arith.constant dense<[true, false, true, false]> : vector<4xi1>
  %s = arith.select %m, %v, %v : vector<4xi1>, vector<4xf32>
  %r = arith.select %c, %s, %v : vector<4xf32>
  return %r : vector<4xf32>
}
