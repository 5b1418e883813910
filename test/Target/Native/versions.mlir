// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Without --mcpu, an x86-64 head is compiled for three levels, and a dispatcher
// picks one.

// RUN: split-file %s %t
// RUN: head-opt %S/Inputs/dense.mlir -o %t/k.o
// RUN: llvm-nm %t/k.o | FileCheck %s --check-prefix=SYMBOLS
// One copy of the weight, one of the scratch memory.
// SYMBOLS:      T dense
// SYMBOLS-NEXT: t dense.detect
// SYMBOLS-NEXT: b dense.scratch.0
// SYMBOLS-NEXT: t dense.v2
// SYMBOLS-NEXT: t dense.v3
// SYMBOLS-NEXT: t dense.v4
// SYMBOLS-NEXT: b dense.version
// SYMBOLS-NEXT: r dense.weights.0
// SYMBOLS-NOT:  {{.}}

// RUN: head-opt %S/Inputs/dense.mlir --emit=llvm | FileCheck %s --check-prefix=LLVM
// LLVM: @dense.version = internal unnamed_addr global i32 0
// LLVM: define internal {{.*}}@dense.v2({{.*}} #[[A2:[0-9]+]] {
// LLVM: define internal {{.*}}@dense.v3({{.*}} #[[A3:[0-9]+]] {
// LLVM: define internal {{.*}}@dense.v4({{.*}} #[[A4:[0-9]+]] {
// LLVM: define internal {{.*}}i32 @dense.detect()
// LLVM: asm sideeffect "cpuid"
// LLVM: asm sideeffect "xgetbv"
// LLVM: define {{.*}}i32 @dense(
// LLVM: load atomic i32, ptr @dense.version monotonic
// LLVM: call {{.*}}i32 @dense.detect()
// LLVM: store atomic i32 {{.*}}, ptr @dense.version monotonic
// LLVM: tail call {{.*}}i32 @dense.v2(
// LLVM: tail call {{.*}}i32 @dense.v3(
// LLVM: tail call {{.*}}i32 @dense.v4(
// LLVM: attributes #[[A2]] = {{.*}}"target-cpu"="x86-64-v2"
// LLVM: attributes #[[A3]] = {{.*}}"target-cpu"="x86-64-v3"
// LLVM: attributes #[[A4]] = {{.*}}"target-cpu"="x86-64-v4"

// Each body has the instructions of its level and no others.
// RUN: llvm-objdump -d --no-show-raw-insn --disassemble-symbols=dense.v2 %t/k.o | FileCheck %s --check-prefix=V2 --implicit-check-not={{[yz]mm}}
// V2: mulps
// RUN: llvm-objdump -d --no-show-raw-insn --disassemble-symbols=dense.v3 %t/k.o | FileCheck %s --check-prefix=V3 --implicit-check-not=zmm
// V3: vfmadd
// RUN: llvm-objdump -d --no-show-raw-insn --disassemble-symbols=dense.v4 %t/k.o | FileCheck %s --check-prefix=V4
// V4: vfmadd
// RUN: llvm-objdump -d --no-show-raw-insn --disassemble-symbols=dense %t/k.o | FileCheck %s --check-prefix=DISPATCH --implicit-check-not={{[xyz]mm}}
// DISPATCH: <dense>:

// Private functions and globals of the same name stay apart.
// RUN: head-opt %t/private.mlir -o %t/private.o
// RUN: llvm-nm %t/private.o | FileCheck %s --check-prefix=PRIVATE
// PRIVATE-COUNT-3: t helper
// PRIVATE-NOT: helper

//--- private.mlir
llvm.func private @helper(%x: f32) -> f32 attributes {no_inline} {
  %0 = llvm.fmul %x, %x : f32
  llvm.return %0 : f32
}
llvm.func @head(%x: f32) -> f32 {
  %0 = llvm.call @helper(%x) : (f32) -> f32
  llvm.return %0 : f32
}
