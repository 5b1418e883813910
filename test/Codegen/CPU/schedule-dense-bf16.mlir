// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of bf16: the constant in pairs of rows, multiplied as pairs where the
// target can, and taken apart elsewhere.
//
// RUN: head-opt %s --split-input-file --schedule-dense="vector-bits=512 bf16-dot" | FileCheck %s --check-prefixes=CHECK,DOT
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(schedule-dense{vector-bits=512 bf16-dot})' | FileCheck %s --check-prefixes=CHECK,DOT
// RUN: head-opt %s --split-input-file --schedule-dense="vector-bits=256 bf16-dot" | FileCheck %s --check-prefix=NARROW
// RUN: head-opt %s --split-input-file --schedule-dense=vector-bits=512 | FileCheck %s --check-prefixes=CHECK,WIDE --implicit-check-not=x86vector.
//
// All the way down, in the type that the intrinsic takes.
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(schedule-dense{vector-bits=512 bf16-dot},one-shot-bufferize{bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map},convert-scf-to-cf,expand-strided-metadata,lower-affine,convert-vector-to-llvm{enable-x86vector},finalize-memref-to-llvm,convert-arith-to-llvm,convert-cf-to-llvm,convert-func-to-llvm,reconcile-unrealized-casts,move-bf16)' | FileCheck %s --check-prefix=LLVM

// Three rows: a pair, and one that is paired with zeros.
// CHECK-LABEL: func.func @dense(
// CHECK:         %[[P:.*]] = arith.constant dense_resource<packed_weight> : tensor<32xi32>
// The first two of the inner index.
// DOT:           %[[A:.*]] = vector.transfer_read %[[P]]{{.*}} : tensor<32xi32>, vector<16xi32>
// DOT:           %[[W:.*]] = vector.bitcast %[[A]] : vector<16xi32> to vector<32xbf16>
// DOT:           %[[X:.*]] = vector.transfer_read %{{.*}} : tensor<2x3xbf16>, vector<2xbf16>
// DOT:           %[[I:.*]] = vector.bitcast %[[X]] : vector<2xbf16> to vector<1xi32>
// DOT:           %[[E:.*]] = vector.extract %[[I]][0] : i32 from vector<1xi32>
// DOT:           %[[B:.*]] = vector.broadcast %[[E]] : i32 to vector<16xi32>
// DOT:           %[[F:.*]] = vector.bitcast %[[B]] : vector<16xi32> to vector<32xbf16>
// DOT:           x86vector.avx512.dot %{{.*}}, %[[W]], %[[F]] : vector<32xbf16> -> vector<16xf32>
// The last alone: nothing behind it is read.
// DOT:           vector.transfer_read %[[P]]{{.*}} : tensor<32xi32>, vector<16xi32>
// DOT:           %[[L:.*]] = tensor.extract %{{.*}} : tensor<2x3xbf16>
// DOT:           %[[H:.*]] = arith.bitcast %[[L]] : bf16 to i16
// DOT:           %[[Z:.*]] = arith.extui %[[H]] : i16 to i32
// DOT:           vector.broadcast %[[Z]] : i32 to vector<16xi32>
// DOT:           x86vector.avx512.dot
// DOT:           vector.extract_strided_slice {{.*}} : vector<16xf32> to vector<3xf32>
// NARROW-LABEL:  func.func @dense(
// NARROW:        x86vector.avx512.dot {{.*}} : vector<16xbf16> -> vector<8xf32>
//
// The rows are widened once.
// WIDE:          arith.extf {{.*}} : vector<1xbf16> to vector<1xf32>
// WIDE:          %[[A:.*]] = vector.transfer_read %[[P]]{{.*}} : tensor<32xi32>, vector<16xi32>
// WIDE:          %[[LOW:.*]] = arith.constant dense<16> : vector<16xi32>
// WIDE:          %[[S:.*]] = arith.shli %[[A]], %[[LOW]] : vector<16xi32>
// WIDE:          %[[W0:.*]] = arith.bitcast %[[S]] : vector<16xi32> to vector<16xf32>
// WIDE:          vector.fma %{{.*}}, %[[W0]], %{{.*}} : vector<16xf32>
// WIDE:          %[[HIGH:.*]] = arith.constant dense<-65536> : vector<16xi32>
// WIDE:          %[[M:.*]] = arith.andi %[[A]], %[[HIGH]] : vector<16xi32>
// WIDE:          %[[W1:.*]] = arith.bitcast %[[M]] : vector<16xi32> to vector<16xf32>
// WIDE:          vector.fma %{{.*}}, %[[W1]], %{{.*}} : vector<16xf32>
// WIDE:          vector.transfer_read %[[P]]
// WIDE:          arith.shli
// WIDE:          vector.fma
// WIDE-NOT:      arith.andi
// CHECK:         packed_weight: "0x40000000803F80400040A0404040C04000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000E04000000041000010410000000000
// LLVM-LABEL:    llvm.func @dense(
// LLVM:          llvm.load {{.*}} -> vector<16xi32>
// LLVM:          llvm.load {{.*}} -> vector<2xi16>
// LLVM:          llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"({{.*}}) : (vector<16xf32>, vector<32xbf16>, vector<32xbf16>) -> vector<16xf32>
func.func @dense(%x: tensor<2x3xbf16>, %init: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]> : tensor<3x3xbf16>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x3xbf16>, tensor<3x3xbf16>) outs(%fill : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// Whole panels: the second starts behind the words of the first, 48 times 2.
// CHECK-LABEL: func.func @panels(
// CHECK:         arith.constant dense_resource<packed_weight> : tensor<192xi32>
// CHECK:         arith.constant 2 : index
// DOT-COUNT-3:   x86vector.avx512.dot
func.func @panels(%x: tensor<1x3xbf16>, %init: tensor<1x96xf32>) -> tensor<1x96xf32> {
  %w = arith.constant dense<1.0> : tensor<3x96xbf16>
  %zero = arith.constant 0.0 : f32
  %fill = linalg.fill ins(%zero : f32) outs(%init : tensor<1x96xf32>) -> tensor<1x96xf32>
  %y = linalg.matmul ins(%x, %w : tensor<1x3xbf16>, tensor<3x96xbf16>) outs(%fill : tensor<1x96xf32>) -> tensor<1x96xf32>
  return %y : tensor<1x96xf32>
}
