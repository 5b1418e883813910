// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// --run compiles the head, calls it on this machine, and prints one line for
// each sample.

// RUN: split-file %s %t
// RUN: head-opt %S/Inputs/dense.mlir --run --batch=2 | FileCheck %s --match-full-lines
// CHECK:      -10.08{{[0-9]+}} 11.00{{[0-9]+}} 19.14{{[0-9]+}} 28.5{{[0-9]+}}
// CHECK-NEXT: -6.91{{[0-9]+}} 9.87{{[0-9]+}} 19.4{{[0-9]+}} 29.5{{[0-9]+}}
// CHECK-NOT:  {{.}}
// RUN: head-opt %S/Inputs/dense.mlir --run --batch=0 | count 0
// RUN: head-opt %S/Inputs/dense.mlir --run --mcpu=native | count 1

// RUN: head-opt %t/status.mlir --run --batch=3 | count 3
// RUN: not head-opt %t/status.mlir --run --batch=5 2>&1 | FileCheck %s --check-prefix=STATUS
// STATUS: {{^}}head-opt: error: {{.*}}status.mlir: the head returned 1{{$}}
// RUN: not head-opt %t/fixed.mlir --run --batch=2 2>&1 | FileCheck %s --check-prefix=FIXED
// FIXED: {{^}}head-opt: error: {{.*}}fixed.mlir: the head takes a batch of 3, not of 2{{$}}
// RUN: head-opt %t/fixed.mlir --run | count 3
// RUN: not head-opt %t/dynamic.mlir --run 2>&1 | FileCheck %s --check-prefix=DYNAMIC
// DYNAMIC: {{^}}head-opt: error: {{.*}}dynamic.mlir: the head takes ?x2x?; say with an input (--input) how large it is{{$}}

//--- status.mlir
llvm.func @head(%f: !llvm.ptr, %batch: i64, %o: !llvm.ptr) -> i32
    attributes {headopt.signature = {element = f64, features = [-1, 1], output = [-1]}} {
  %five = llvm.mlir.constant(5 : i64) : i64
  %0 = llvm.icmp "eq" %batch, %five : i64
  %1 = llvm.zext %0 : i1 to i32
  llvm.return %1 : i32
}
//--- fixed.mlir
llvm.func @head(%f: !llvm.ptr, %batch: i64, %o: !llvm.ptr) -> i32
    attributes {headopt.signature = {element = f16, features = [3, 1], output = [3, 1]}} {
  %0 = llvm.mlir.constant(0 : i32) : i32
  llvm.return %0 : i32
}
//--- dynamic.mlir
llvm.func @head(%f: !llvm.ptr, %batch: i64, %w: i64, %o: !llvm.ptr) -> i32
    attributes {headopt.signature = {element = f32, features = [-1, 2, -1], output = [-1, 1]}} {
  %0 = llvm.mlir.constant(0 : i32) : i32
  llvm.return %0 : i32
}
