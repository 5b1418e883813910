// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A head that multiplies bf16 gets a fourth version, with AVX512-BF16's
// instruction. Others do not.

// RUN: split-file %s %t
// RUN: head-opt %t/bf16.mlir -o %t/head.o
// RUN: llvm-nm %t/head.o | FileCheck %s --check-prefix=SYMBOLS
// One copy of the weight.
// SYMBOLS:     T head
// SYMBOLS-DAG: t head.v2
// SYMBOLS-DAG: t head.v3
// SYMBOLS-DAG: t head.v4
// SYMBOLS-DAG: t head.v4_bf16
// SYMBOLS:     r head.weights.0
// SYMBOLS-NOT: head.weights.1
// RUN: llvm-objdump -d --no-show-raw-insn %t/head.o | FileCheck %s --check-prefix=CODE
// CODE-NOT:    vdpbf16ps
// CODE:        <head.v4_bf16>:
// CODE-NOT:    >:
// CODE:        vdpbf16ps

// It runs where what all of v4 and sub-leaf 1 of leaf 7 say is there.
// RUN: head-opt %t/bf16.mlir --emit=llvm | FileCheck %s --check-prefix=LLVM
// LLVM:        define internal {{.*}}@head.v4({{.*}} #[[A4:[0-9]+]] {
// LLVM:        define internal {{.*}}@head.v4_bf16({{.*}} #[[AB:[0-9]+]] {
// LLVM:        define internal {{.*}}i32 @head.detect()
// LLVM:        %[[R:.*]] = tail call { i32, i32, i32, i32 } asm sideeffect "cpuid"{{.*}}(i32 7, i32 1)
// LLVM:        %[[EAX:.*]] = extractvalue { i32, i32, i32, i32 } %[[R]], 0
// LLVM:        and i32 %[[EAX]], 32
// LLVM:        tail call {{.*}}i32 @head.v4_bf16(
// LLVM-DAG:    attributes #[[A4]] = {{.*}}"target-cpu"="x86-64-v4"{{ *}}{{[^+]*$}}
// LLVM-DAG:    attributes #[[AB]] = {{.*}}"target-cpu"="x86-64-v4" "target-features"="{{.*}}+avx512bf16

// RUN: head-opt %t/bf16.mlir -o %t/header.o
// RUN: FileCheck %s --check-prefix=HEADER < %t/header.h
// HEADER:      Compiled for x86-64-v2, x86-64-v3, x86-64-v4, x86-64-v4+avx512bf16 (chosen when it first runs)

// One that has it, by name or by what is added to a name.
// RUN: head-opt %t/bf16.mlir --emit=asm --mcpu=x86-64-v4+avx512bf16 | FileCheck %s --check-prefix=ALONE
// RUN: head-opt %t/bf16.mlir --emit=asm --mcpu=znver4 | FileCheck %s --check-prefix=ALONE
// RUN: head-opt %t/bf16.mlir --emit=asm --mcpu=cooperlake | FileCheck %s --check-prefix=ALONE
// RUN: head-opt %t/bf16.mlir --emit=asm --mcpu=sapphirerapids | FileCheck %s --check-prefix=ALONE
// ALONE:       vdpbf16ps
// RUN: head-opt %t/bf16.mlir --emit=asm --mcpu=x86-64-v4 | FileCheck %s --check-prefix=NONE
// RUN: head-opt %t/bf16.mlir --emit=asm --mcpu=icelake-server | FileCheck %s --check-prefix=NONE
// RUN: head-opt %t/bf16.mlir --emit=asm --target=aarch64-linux-gnu | FileCheck %s --check-prefix=NONE
// NONE:        {{^}}head:
// NONE-NOT:    vdpbf16ps

// Nothing to gain: bf16 that no layer multiplies.
// RUN: head-opt %t/pool.mlir -o %t/pool.o
// RUN: llvm-nm %t/pool.o | FileCheck %s --check-prefix=THREE
// RUN: head-opt %t/f32.mlir -o %t/f32.o
// RUN: llvm-nm %t/f32.o | FileCheck %s --check-prefix=THREE
// THREE:       t head.v4
// THREE-NOT:   head.v4_bf16

// RUN: not head-opt %t/bf16.mlir -o %t/none.o --mcpu=x86-64-v4+bf17 2>&1 | FileCheck %s --check-prefix=FEATURE
// RUN: not head-opt %t/bf16.mlir -o %t/none.o --mcpu=x86-64-v4+avx512bf16+bf17 2>&1 | FileCheck %s --check-prefix=FEATURE
// FEATURE:     {{^}}head-opt: error: feature 'bf17' of x86_64-{{.*}} is not known to LLVM; name one that 'llc {{.*}} -mattr=help' lists{{$}}
// RUN: not head-opt %t/bf16.mlir -o %t/none.o --mcpu=x86-64-v4+ 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY:       {{^}}head-opt: error: feature '' of x86_64-
// RUN: not ls %t/none.o

//--- bf16.mlir
func.func @head(%x: tensor<?x33xbf16>) -> tensor<?x16xf32> {
  %w = arith.constant dense<1.0> : tensor<33x16xbf16>
  %zero = arith.constant 0.0 : f32
  %axis = arith.constant 0 : index
  %n = tensor.dim %x, %axis : tensor<?x33xbf16>
  %e = tensor.empty(%n) : tensor<?x16xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x33xbf16>, tensor<33x16xbf16>) outs(%fill : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
//--- f32.mlir
func.func @head(%x: tensor<?x33xf32>) -> tensor<?x16xf32> {
  %w = arith.constant dense<1.0> : tensor<33x16xf32>
  %zero = arith.constant 0.0 : f32
  %axis = arith.constant 0 : index
  %n = tensor.dim %x, %axis : tensor<?x33xf32>
  %e = tensor.empty(%n) : tensor<?x16xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x33xf32>, tensor<33x16xf32>) outs(%fill : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
//--- pool.mlir
func.func @head(%x: tensor<?x5x49xbf16>) -> tensor<?x5xf32> {
  %zero = arith.constant 0.0 : f32
  %axis = arith.constant 0 : index
  %n = tensor.dim %x, %axis : tensor<?x5x49xbf16>
  %e = tensor.empty(%n) : tensor<?x5xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<?x5xf32>) -> tensor<?x5xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<?x5x49xbf16>) outs(%fill : tensor<?x5xf32>) {
  ^bb0(%a: bf16, %o: f32):
    %b = arith.extf %a : bf16 to f32
    %c = arith.addf %o, %b : f32
    linalg.yield %c : f32
  } -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}
