// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bf16 in the LLVM dialect is i16; attributes that are for others stay, and what
// intrinsics take.
//
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(move-bf16)' | FileCheck %s --implicit-check-not="xbf16>" --implicit-check-not=": bf16"
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(move-bf16)' | FileCheck %s --implicit-check-not="xbf16>" --implicit-check-not=": bf16"

// CHECK:       llvm.mlir.global private constant @w(dense<[16256, 16384]> : tensor<2xi16>)
// CHECK:       llvm.mlir.global private constant @r(dense_resource<b> : tensor<2xi16>)
// CHECK-LABEL: llvm.func @f(
// CHECK-SAME:    attributes {signature = bf16}
// CHECK:         llvm.mlir.constant(-16256 : i16) : i16
// CHECK:         llvm.mlir.constant(dense<16256> : vector<2xi16>) : vector<2xi16>
// CHECK:         llvm.load %{{.*}} : !llvm.ptr -> i16
// CHECK:         llvm.getelementptr %{{.*}} : (!llvm.ptr, i64) -> !llvm.ptr, i16
// CHECK:       ^bb1(%{{.*}}: i16):
// CHECK:         llvm.store %{{.*}} : i16, !llvm.ptr
llvm.mlir.global private constant @w(dense<[1.0, 2.0]> : tensor<2xbf16>) : !llvm.array<2 x bf16>
llvm.mlir.global private constant @r(dense_resource<b> : tensor<2xbf16>) : !llvm.array<2 x bf16>
llvm.func @f(%p: !llvm.ptr, %i: i64, %c: i1) attributes {signature = bf16} {
  %k = llvm.mlir.constant(-4.0 : bf16) : bf16
  %v = llvm.mlir.constant(dense<1.0> : vector<2xbf16>) : vector<2xbf16>
  %x = llvm.load %p : !llvm.ptr -> bf16
  %q = llvm.getelementptr %p[%i] : (!llvm.ptr, i64) -> !llvm.ptr, bf16
  llvm.store %v, %q : vector<2xbf16>, !llvm.ptr
  llvm.cond_br %c, ^store(%k : bf16), ^store(%x : bf16)
^store(%y: bf16):
  llvm.store %y, %p : bf16, !llvm.ptr
  llvm.return
}

// CHECK-LABEL: llvm.func @intrinsic(
// CHECK:         %[[X:.*]] = llvm.load %{{.*}} : !llvm.ptr -> vector<8xi16>
// CHECK:         %[[A:.*]] = llvm.bitcast %[[X]] : vector<8xi16> to vector<8xbf16>
// CHECK:         %[[B:.*]] = llvm.bitcast %[[X]] : vector<8xi16> to vector<8xbf16>
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.128"(%{{.*}}, %[[A]], %[[B]]) : (vector<4xf32>, vector<8xbf16>, vector<8xbf16>) -> vector<4xf32>
// CHECK:         llvm.store %[[X]], %{{.*}} : vector<8xi16>, !llvm.ptr
llvm.func @intrinsic(%p: !llvm.ptr, %s: vector<4xf32>) -> vector<4xf32> {
  %x = llvm.load %p : !llvm.ptr -> vector<8xbf16>
  %d = llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.128"(%s, %x, %x) : (vector<4xf32>, vector<8xbf16>, vector<8xbf16>) -> vector<4xf32>
  llvm.store %x, %p : vector<8xbf16>, !llvm.ptr
  llvm.return %d : vector<4xf32>
}

{-#
  dialect_resources: {
    builtin: {
      b: "0x02000000803F0040"
    }
  }
#-}
