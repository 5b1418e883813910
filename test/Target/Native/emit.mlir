// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Each kind of output, for one processor. The head stands in Inputs/dense.mlir.

// RUN: head-opt %S/Inputs/dense.mlir --emit=llvm --mcpu=x86-64-v3 | FileCheck %s --check-prefix=LLVM
// LLVM: source_filename = "dense"
// LLVM: target triple = "x86_64-
// The weight: bytes, aligned to a cache line, and in the text as they are.
// LLVM: @dense.weights.0 = internal {{.*}}constant [128 x i8] c"\00\00\80?\00\00\00@{{.*}}", align 64
// LLVM: @scratch = internal thread_local {{.*}}global [8 x float] undef
// LLVM: define {{.*}}i32 @dense(ptr {{.*}}, i64 {{.*}}, ptr {{.*}}) {{.*}}#[[A:[0-9]+]] {
// LLVM: call {{.*}}ptr @llvm.threadlocal.address.p0(ptr @scratch)
// Small constants are the optimiser's: the bias is no memory any more.
// LLVM: float 1.000000e+01
// LLVM: attributes #[[A]] = {{.*}}nounwind{{.*}}"target-cpu"="x86-64-v3"

// RUN: head-opt %S/Inputs/dense.mlir --emit=asm --mcpu=x86-64-v3 | FileCheck %s --check-prefix=ASM
// ASM: .globl dense
// ASM: vmovaps dense.weights.0{{.*}}(%rip), %ymm
// ASM: .section .rodata
// ASM: .p2align 6
// ASM: dense.weights.0:
// ASM: .ascii "\000\000\200?
// ASM: .section ".note.GNU-stack","",@progbits

// The processor reaches code generation as well: these have no ymm registers.
// RUN: head-opt %S/Inputs/dense.mlir --emit=asm --mcpu=x86-64-v2 | FileCheck %s --check-prefix=V2 --implicit-check-not=ymm
// V2: movaps

// RUN: rm -rf %t && mkdir %t
// RUN: head-opt %S/Inputs/dense.mlir -o %t/k.o --mcpu=x86-64-v3
// RUN: llvm-nm --format=just-symbols --extern-only %t/k.o | FileCheck %s --check-prefix=EXTERN --match-full-lines
// EXTERN:      __tls_get_addr
// EXTERN-NEXT: dense
// EXTERN-NOT:  {{.}}
// RUN: llvm-readelf -S -s %t/k.o | FileCheck %s --check-prefix=OBJ
// Read-only data is neither written nor run, and thread-local memory is not in the file.
// OBJ-DAG: .rodata PROGBITS {{.*}} A 0 0 64
// OBJ-DAG: .tbss NOBITS {{.*}} WAT
// OBJ-DAG: .note.GNU-stack PROGBITS
// OBJ-DAG: 128 OBJECT LOCAL DEFAULT [[#]] dense.weights.0
// OBJ-DAG: 32 TLS LOCAL DEFAULT [[#]] scratch
// The bytes of the weight are where LLVM wrote zeros.
// RUN: llvm-objdump -s -j .rodata %t/k.o | FileCheck %s --check-prefix=BYTES
// BYTES: 0000 0000803f 00000040 00004040 00008040
// BYTES: 0070 0000003f 0000003f 0000003f 0000003f
// RUN: test -f %t/k.h

// RUN: head-opt %S/Inputs/dense.mlir -o %t/k.so --mcpu=x86-64-v3
// RUN: llvm-readelf -d -l --dyn-symbols %t/k.so | FileCheck %s --check-prefix=SHARED
// SHARED: LOAD {{.*}} R E 0x
// SHARED-NOT: RWE
// SHARED: GNU_STACK {{.*}} RW 0
// SHARED: (NEEDED) {{.*}}[ld-linux-x86-64.so.2]
// SHARED-NOT: NEEDED
// SHARED: (SONAME) {{.*}}[k.so]
// SHARED: (FLAGS) BIND_NOW
// SHARED: 1: {{.*}} FUNC GLOBAL DEFAULT UND __tls_get_addr
// SHARED: 2: {{.*}} FUNC GLOBAL DEFAULT [[#]] dense

// A name of 300 letters, which no file can have.
// RUN: python3 -c "print('--name=' + 'n' * 300)" > %t/long
// RUN: head-opt %S/Inputs/dense.mlir -o %t/long.so @%t/long

// The same input gives the same bytes.
// RUN: head-opt %S/Inputs/dense.mlir -o %t/again.o --mcpu=x86-64-v3
// RUN: cmp %t/k.o %t/again.o

// --name renames the function, in the header too.
// RUN: head-opt %S/Inputs/dense.mlir -o %t/named.o --name=my_head --mcpu=x86-64-v3
// RUN: llvm-nm %t/named.o | FileCheck %s --check-prefix=NAME
// NAME: T my_head
// RUN: FileCheck %s --check-prefix=NAME-HEADER < %t/named.h
// NAME-HEADER: int my_head(const float *features, int64_t batch, float *output);

// A header is written when asked for, and the one beside the output is not then.
// RUN: head-opt %S/Inputs/dense.mlir -o %t/k.ll --emit-header=%t/asked.h
// RUN: test -f %t/asked.h
// RUN: head-opt %S/Inputs/dense.mlir -o %t/other.o --emit-header=%t/asked.h
// RUN: not test -e %t/other.h

// Other passes can run first, as in mlir-opt.
// RUN: head-opt %S/Inputs/dense.mlir --canonicalize --cse --emit=llvm | FileCheck %s --check-prefix=PASSES
// PASSES: define {{.*}}@dense(

// AArch64.
// RUN: head-opt %S/Inputs/dense.mlir --target=aarch64-linux-gnu -o %t/arm.o
// RUN: llvm-readelf -h -s %t/arm.o | FileCheck %s --check-prefix=ARM
// ARM: Machine: AArch64
// ARM: GLOBAL DEFAULT [[#]] dense
// RUN: head-opt %S/Inputs/dense.mlir --target=aarch64-linux-gnu --mcpu=neoverse-n1 --emit=asm | FileCheck %s --check-prefix=ARM-ASM
// ARM-ASM: fmla v{{[0-9]+}}.4s
// RUN: head-opt %S/Inputs/dense.mlir --mcpu=native --emit=llvm | FileCheck %s --check-prefix=NATIVE
// NATIVE: "target-features"="{{[+-]}}
