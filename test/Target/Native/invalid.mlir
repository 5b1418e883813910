// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Everything that is refused is one line that says what to do, and leaves no
// output behind.

// RUN: split-file %s %t
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --mcpu=pentium9 2>&1 | FileCheck %s --check-prefix=CPU
// CPU: {{^}}head-opt: error: processor 'pentium9' of x86_64-{{.*}} is not known to LLVM; name one that 'llc {{.*}} -mcpu=help' lists{{$}}
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --target=aarch64-linux-gnu --mcpu=x86-64-v3 2>&1 | FileCheck %s --check-prefix=ARM-CPU
// ARM-CPU: {{^}}head-opt: error: processor 'x86-64-v3' of aarch64-{{.*}} is not known to LLVM
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --target=pdp11 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: {{^}}head-opt: error: target 'pdp11' is not known; name one such as x86_64-linux-gnu or aarch64-linux-gnu{{$}}
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --target=i686-linux-gnu 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --target=x86_64-apple-macosx 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --target=s390x-linux-gnu 2>&1 | FileCheck %s --check-prefix=BITS
// BITS: {{^}}head-opt: error: target '{{.*}}' has no 64-bit little-endian ELF code; name one
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --target=aarch64-linux-gnu --mcpu=native 2>&1 | FileCheck %s --check-prefix=CROSS-NATIVE
// CROSS-NATIVE: {{^}}head-opt: error: --mcpu=native is this machine's processor, and the target is aarch64
// RUN: not head-opt %S/Inputs/dense.mlir --run --target=aarch64-linux-gnu 2>&1 | FileCheck %s --check-prefix=CROSS-CALL
// CROSS-CALL: {{^}}head-opt: error: --run runs on this machine, not on aarch64
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --name=int 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --name=a-b 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --name=expf 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: {{^}}head-opt: error: --name='{{.*}}' is no name for a C function, or is one that C's libraries have{{$}}
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --name=scratch 2>&1 | FileCheck %s --check-prefix=TAKEN
// TAKEN: {{^}}head-opt: error: {{.*}}dense.mlir: there is another 'scratch' already; give another --name{{$}}

// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.mlir --mcpu=native 2>&1 | FileCheck %s --check-prefix=UNUSED
// UNUSED: {{^}}head-opt: error: --mcpu is about compiled heads; give --run, --emit=shared
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --batch=3 2>&1 | FileCheck %s --check-prefix=ONLY
// ONLY: {{^}}head-opt: error: --input and --batch are for --run{{$}}
// RUN: not head-opt %S/Inputs/dense.mlir --run --emit=obj 2>&1 | FileCheck %s --check-prefix=BOTH
// BOTH: {{^}}head-opt: error: --run writes no model or code; leave --emit away{{$}}
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --emit-header=%t/k.o 2>&1 | FileCheck %s --check-prefix=SAME
// SAME: {{^}}head-opt: error: -o and --emit-header both name {{.*}}; give them different files{{$}}
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --emit-header=%t/../%basename_t.tmp/k.o 2>&1 | FileCheck %s --check-prefix=SAME
// RUN: not head-opt %S/Inputs/dense.mlir --emit=shared -o %t/k.h 2>&1 | FileCheck %s --check-prefix=BESIDE
// BESIDE: {{^}}head-opt: error: -o and the C header both name {{.*}}; give them different files{{$}}
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.so --report=%t/k.h 2>&1 | FileCheck %s --check-prefix=REPORT
// REPORT: {{^}}head-opt: error: the C header and --report both name {{.*}}; give them different files{{$}}
// RUN: head-opt %S/Inputs/dense.mlir -o /dev/null --emit=obj --report=/dev/null
// RUN: not head-opt %S/Inputs/dense.mlir --emit=linalg 2>&1 | FileCheck %s --check-prefix=LINALG
// LINALG: {{^}}head-opt: error: {{.*}}dense.mlir: --emit=linalg is for ONNX models{{$}}
// RUN: not head-opt %S/Inputs/dense.mlir -o %t/k.o --threads=openmp 2>&1 | FileCheck %s --check-prefix=THREADS
// THREADS: {{^}}head-opt: error: {{.*}}dense.mlir: --threads is for ONNX models; a module in the LLVM dialect says itself what runs in parallel{{$}}

// RUN: not head-opt %t/two.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=TWO
// TWO: {{^}}head-opt: error: {{.*}}two.mlir: both @one and @two are public; make all functions but the head private{{$}}
// RUN: not head-opt %t/none.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: {{^}}head-opt: error: {{.*}}none.mlir: there is no public llvm.func with a body to compile{{$}}
// RUN: not head-opt %t/func.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=FUNC
// FUNC: {{^}}head-opt: error: {{.*}}func.mlir: 'func.func' is not of the LLVM dialect; lower it first{{$}}
// RUN: not head-opt %t/type.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: {{^}}head-opt: error: {{.*}}type.mlir: @head is not of the type that its headopt.signature asks for: (ptr, i64 batch, i64 for each dynamic extent, ptr) -> i32{{$}}
// RUN: not head-opt %t/element.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=ELEMENT
// ELEMENT: {{^}}head-opt: error: {{.*}}element.mlir: headopt.signature has no 'element' f16, bf16, f32 or f64{{$}}
// RUN: not head-opt %t/features.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=FEATURES
// FEATURES: headopt.signature has no 'features', a list of extents, -1 where dynamic{{$}}
// RUN: not head-opt %t/none-in.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=NONE-IN
// NONE-IN: {{^}}head-opt: error: {{.*}}none-in.mlir: headopt.signature has an extent of 0 in 'features', so there is nothing to compute; give the head 1 or more there{{$}}
// RUN: not head-opt %t/none-out.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=NONE-OUT
// NONE-OUT: headopt.signature has an extent of 0 in 'output', so there is nothing to compute
// RUN: not head-opt %t/linalg.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=NONE-LINALG
// RUN: not head-opt %t/linalg.mlir -o %t/k.o --target=cuda:sm_80 2>&1 | FileCheck %s --check-prefix=NONE-LINALG
// NONE-LINALG: {{^}}head-opt: error: {{.*}}linalg.mlir: an extent of 'tensor<?x0xf32>' is 0, so there is nothing to compute; give the head 1 or more there{{$}}
// RUN: not head-opt %t/output.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=OUTPUT
// OUTPUT: headopt.signature has no 'output', a list of extents, -1 - k for extent k of the features{{$}}
// RUN: not head-opt %t/entry.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=ENTRY
// ENTRY: headopt.signature has the unknown entry 'batch'{{$}}

// No signature: no header beside the object, and an error for one that is asked for.
// RUN: head-opt %t/plain.mlir -o %t/plain.o
// RUN: not test -e %t/plain.h
// RUN: not head-opt %t/plain.mlir -o %t/k.o --emit-header=%t/plain.h 2>&1 | FileCheck %s --check-prefix=PLAIN
// PLAIN: {{^}}head-opt: error: {{.*}}plain.mlir: no header for 'head': its function has no headopt.signature{{$}}
// RUN: not head-opt %t/plain.mlir --run 2>&1 | FileCheck %s --check-prefix=PLAIN-CALL
// PLAIN-CALL: {{^}}head-opt: error: {{.*}}plain.mlir: 'head' has no headopt.signature to call it by{{$}}

// Functions of the compiler's runtime library are not there on other machines.
// RUN: not head-opt %t/half.mlir -o %t/k.o --mcpu=x86-64-v2 2>&1 | FileCheck %s --check-prefix=HALF
// HALF: {{^}}head-opt: error: {{.*}}half.mlir: the code calls '__{{trunc|extend}}{{.*}}', which neither libc, libm nor OpenMP's runtime has; choose a processor that does this by itself (--mcpu), or lower it otherwise{{$}}
// RUN: not head-opt %t/half.mlir -o %t/k.so --mcpu=x86-64-v2 2>&1 | FileCheck %s --check-prefix=HALF
// RUN: head-opt %t/half.mlir -o %t/half.o --mcpu=x86-64-v3
// RUN: not head-opt %t/malloc.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=MALLOC
// MALLOC: {{^}}head-opt: error: {{.*}}malloc.mlir: the code calls 'malloc', which neither

// What LLVM itself refuses.
// RUN: not head-opt %t/asm.mlir -o %t/k.o --mcpu=x86-64-v3 2>&1 | FileCheck %s --check-prefix=ASM
// ASM: {{^}}head-opt: error: {{.*}}asm.mlir: {{.*}}instruction{{.*$}}
// RUN: not head-opt %t/select.mlir -o %t/k.o --mcpu=x86-64-v2 2>&1 | FileCheck %s --check-prefix=SELECT
// SELECT: {{^}}head-opt: error: LLVM: {{.+$}}
// RUN: not head-opt %t/translate.mlir -o %t/k.o 2>&1 | FileCheck %s --check-prefix=TRANSLATE
// TRANSLATE: {{^}}head-opt: error: {{.*}}translate.mlir: cannot be translated to LLVM IR: {{.*}}

// Linkers: none, only lld, one that fails.
// RUN: not env PATH=%t/nothing %headopt %S/Inputs/dense.mlir -o %t/k.so 2>&1 | FileCheck %s --check-prefix=LINKER
// LINKER: {{^}}head-opt: error: {{.*}}dense.mlir: there is neither cc nor ld.lld on PATH to link a shared library; install one (Debian: apt-get install gcc), or use --emit=obj{{$}}
// RUN: not env PATH=%t/nothing %headopt %S/Inputs/dense.mlir -o %t/k.so --target=aarch64-linux-gnu 2>&1 | FileCheck %s --check-prefix=CROSS-LINKER
// CROSS-LINKER: there is neither aarch64-linux-gnu-gcc nor ld.lld on PATH to link a shared library; install one (Debian: apt-get install gcc-aarch64-linux-gnu), or use --emit=obj{{$}}
// RUN: chmod +x %t/bin/cc
// RUN: not env PATH=%t/bin %headopt %S/Inputs/dense.mlir -o %t/k.so 2>&1 | FileCheck %s --check-prefix=FAILING
// FAILING: {{^}}head-opt: error: {{.*}}dense.mlir: {{.*}}cc could not link the head: ld: first line; --emit=obj needs no linker{{$}}

// RUN: not test -e %t/k.o
// RUN: not test -e %t/k.h
// RUN: not test -e %t/k.so

//--- two.mlir
llvm.func @one() { llvm.return }
llvm.func @two() { llvm.return }
//--- none.mlir
llvm.func @head()
//--- func.mlir
func.func @head() { return }
//--- type.mlir
llvm.func @head(%f: !llvm.ptr, %b: i64, %o: !llvm.ptr) attributes {headopt.signature = {element = f32, features = [-1, 2], output = [-1]}} { llvm.return }
//--- element.mlir
llvm.func @head() attributes {headopt.signature = {element = i32, features = [-1, 2], output = [-1]}} { llvm.return }
//--- features.mlir
llvm.func @head() attributes {headopt.signature = {element = f32, features = [-2, 2], output = [-1]}} { llvm.return }
//--- none-in.mlir
llvm.func @head() attributes {headopt.signature = {element = f32, features = [-1, 0], output = [-1]}} { llvm.return }
//--- none-out.mlir
llvm.func @head() attributes {headopt.signature = {element = f32, features = [-1, 2], output = [-1, 0]}} { llvm.return }
//--- linalg.mlir
func.func @head(%x: tensor<?x0xf32>) -> tensor<?x0xf32> { return %x : tensor<?x0xf32> }
//--- output.mlir
llvm.func @head() attributes {headopt.signature = {element = f32, features = [-1, 2], output = [-3]}} { llvm.return }
//--- entry.mlir
llvm.func @head() attributes {headopt.signature = {element = f32, features = [-1, 2], output = [-1], batch = 1}} { llvm.return }
//--- plain.mlir
llvm.func @head() { llvm.return }
//--- half.mlir
llvm.func @head(%f: !llvm.ptr) {
  %0 = llvm.load %f : !llvm.ptr -> f16
  %1 = llvm.fpext %0 : f16 to f32
  %2 = llvm.fadd %1, %1 : f32
  %3 = llvm.fptrunc %2 : f32 to f16
  llvm.store %3, %f : f16, !llvm.ptr
  llvm.return
}
//--- malloc.mlir
llvm.func @malloc(i64) -> !llvm.ptr
llvm.func @head(%n: i64) -> !llvm.ptr {
  %0 = llvm.call @malloc(%n) : (i64) -> !llvm.ptr
  llvm.return %0 : !llvm.ptr
}
//--- asm.mlir
llvm.func @head() {
  llvm.inline_asm has_side_effects "nosuchinstruction", "" : () -> ()
  llvm.return
}
//--- select.mlir
llvm.func @head(%f: !llvm.ptr) {
  %0 = llvm.load %f : !llvm.ptr -> vector<16xf32>
  %m = llvm.mlir.constant(-1 : i16) : i16
  %1 = llvm.call_intrinsic "llvm.x86.avx512.rsqrt14.ps.512"(%0, %0, %m) : (vector<16xf32>, vector<16xf32>, i16) -> vector<16xf32>
  llvm.store %1, %f : vector<16xf32>, !llvm.ptr
  llvm.return
}
//--- translate.mlir
llvm.func @head() {
  llvm.call_intrinsic "llvm.no.such.thing"() : () -> ()
  llvm.return
}
//--- nothing/empty
//--- bin/cc
#!/bin/sh
echo "ld: first line" >&2
echo "cc: second line" >&2
exit 1
