// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What becomes of globals: constants of 64 bytes and more are read-only bytes,
// equal ones once; mutable ones are thread-local; small constants stay as they
// are.

// RUN: head-opt %s --mcpu=x86-64-v3 --emit=llvm | FileCheck %s
// RUN: head-opt %s --mcpu=x86-64-v3 --emit=obj | llvm-objdump -s -j .rodata - | FileCheck %s --check-prefix=BYTES

// CHECK-DAG: @odd = internal {{.*}}constant [5 x <3 x float>]
// CHECK-DAG: @table = internal {{.*}}constant [4 x i8]
// CHECK-DAG: @counter = internal thread_local {{.*}}global i64 7
// The two equal weights are one, with the larger of their alignments.
// CHECK-DAG: @head.weights.0 = internal {{.*}}constant [64 x i8] c"\01\00\02\00{{.*}}", align 128
// CHECK-DAG: @head.weights.1 = internal {{.*}}constant [4096 x i8] c"\00\00\C0?\00\00\C0?{{.*}}", align 64
// CHECK-DAG: @head.weights.2 = internal {{.*}}constant [64 x i8] {{.*}}, align 64
// CHECK-NOT: @head.weights.3
// CHECK-NOT: @unused

// BYTES: 01000200
// A splat is written out.
// BYTES: 0000c03f 0000c03f 0000c03f 0000c03f

llvm.mlir.global private constant @i16(dense<[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32]> : tensor<32xi16>) : !llvm.array<32 x i16>
llvm.mlir.global private constant @same(dense_resource<same> : tensor<8x4xi16>) {alignment = 128 : i64} : !llvm.array<8 x array<4 x i16>>
llvm.mlir.global private constant @splat(dense<1.5> : tensor<32x32xf32>) : !llvm.array<32 x array<32 x f32>>
llvm.mlir.global private constant @vectors(dense<1.5> : tensor<16xf32>) : !llvm.array<2 x vector<8xf32>>
llvm.mlir.global private constant @unused(dense<2.5> : tensor<32x32xf32>) : !llvm.array<32 x array<32 x f32>>
llvm.mlir.global private constant @odd(dense<1.5> : vector<5x3xf32>) : !llvm.array<5 x vector<3xf32>>
llvm.mlir.global private constant @table(dense<[1, 0, 2, 5]> : tensor<4xi8>) : !llvm.array<4 x i8>
llvm.mlir.global private @counter(7 : i64) : i64

llvm.func @head(%i: i64, %out: !llvm.ptr) -> i64 {
  %0 = llvm.mlir.addressof @i16 : !llvm.ptr
  %1 = llvm.mlir.addressof @same : !llvm.ptr
  %2 = llvm.mlir.addressof @splat : !llvm.ptr
  %3 = llvm.mlir.addressof @vectors : !llvm.ptr
  %4 = llvm.mlir.addressof @odd : !llvm.ptr
  %5 = llvm.mlir.addressof @table : !llvm.ptr
  %6 = llvm.mlir.addressof @counter : !llvm.ptr
  llvm.store volatile %0, %out : !llvm.ptr, !llvm.ptr
  llvm.store volatile %1, %out : !llvm.ptr, !llvm.ptr
  llvm.store volatile %2, %out : !llvm.ptr, !llvm.ptr
  llvm.store volatile %3, %out : !llvm.ptr, !llvm.ptr
  llvm.store volatile %4, %out : !llvm.ptr, !llvm.ptr
  llvm.store volatile %5, %out : !llvm.ptr, !llvm.ptr
  %7 = llvm.load %6 : !llvm.ptr -> i64
  llvm.store %i, %6 : i64, !llvm.ptr
  llvm.return %7 : i64
}

{-#
  dialect_resources: {
    builtin: {
      same: "0x020000000100020003000400050006000700080009000A000B000C000D000E000F0010001100120013001400150016001700180019001A001B001C001D001E001F002000"
    }
  }
#-}
