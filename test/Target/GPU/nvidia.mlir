// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX, for which nothing of CUDA is needed.
//
// RUN: headopt-compile-device %S/Inputs/kernels.mlir cuda:sm_80 asm > %t.ptx
// RUN: FileCheck %s --input-file=%t.ptx
// RUN: FileCheck %s --input-file=%t.ptx --check-prefix=NONE
// RUN: headopt-compile-device %S/Inputs/kernels.mlir cuda:sm_60 asm | FileCheck %s --check-prefix=SM60
// RUN: headopt-compile-device %S/Inputs/kernels.mlir cuda:sm_90a asm | FileCheck %s --check-prefix=SM90
// RUN: headopt-compile-device %S/Inputs/kernels.mlir cuda:sm_100 asm | FileCheck %s --check-prefix=SM100
// RUN: headopt-compile-device %S/Inputs/kernels.mlir cuda:sm_80 llvm | FileCheck %s --check-prefix=LLVM

// CHECK:     .version 7.0
// CHECK:     .target sm_80
// SM60:      .version 7.0
// SM60:      .target sm_60
// SM90:      .version 8.0
// SM90:      .target sm_90a
// SM100:     .version 8.6
// SM100:     .target sm_100

// CHECK:     .entry rows(
// CHECK:     .param .u64 .ptr .global .align 1 rows_param_0,
// CHECK:     .maxntid 256, 1, 1
// CHECK:     ld.global.v4.b32
// CHECK:     add.rn.f32
// CHECK:     shfl.sync.bfly.b32 {{.*}}, 1, 31, -1;
// CHECK:     shfl.sync.bfly.b32 {{.*}}, 2, 31, -1;
// CHECK:     shfl.sync.bfly.b32 {{.*}}, 4, 31, -1;
// CHECK-NOT: shfl
// CHECK:     st.global.b32

// CHECK:     .entry block(
// Loads of shared memory may be joined, so it is aligned for them.
// CHECK:     .shared .align 16 .b8 [[SHARED:.*]][32];
// CHECK:     shfl.sync.bfly.b32 {{.*}}, 16, 31, -1;
// CHECK:     st.shared.b32
// CHECK:     bar.sync 0;
// CHECK:     ld.shared.v4.b32
// CHECK:     div.rn.f32

// CHECK:     .entry columns(
// CHECK:     .maxntid 128, 1, 1
// CHECK:     %nctaid.x
// CHECK-DAG: sqrt.rn.f32
// CHECK-DAG: abs.f32
// CHECK-DAG: cvt.rni.f32.f32
// CHECK-DAG: max.NaN.f32
// CHECK-DAG: min.NaN.f32
// CHECK:     fma.rn.f32

// CHECK:     .entry halves(
// CHECK:     ld.global.v4.b32
// CHECK:     cvt.f32.f16
// CHECK:     cvt.rn.f16.f32
// CHECK:     st.global.b16

// CHECK:     .entry bfloats(
// CHECK:     ld.global.b16
// CHECK:     st.global.b16

// CHECK:     .entry doubles(
// CHECK:     ld.global.v2.b64
// CHECK:     shfl.sync.bfly.b32
// CHECK:     add.rn.f64

// What does not alias and is only read goes through the other cache.
// CHECK:     .entry dense(
// CHECK:     ld.global.nc.b32
// CHECK:     shfl.sync.bfly.b32

// No function of another's, nothing local.
// NONE-NOT:  .extern
// NONE-NOT:  call
// NONE-NOT:  .local

// The IR that code is generated from: optimised, and self-contained.
// LLVM:      target triple = "nvptx64-nvidia-cuda"
// LLVM:      define ptx_kernel void @rows(ptr addrspace(1) {{.*}}readonly
// LLVM-NOT:  alloca
// LLVM:      attributes #0 = {{.*}}"nvvm.maxntid"="256,1,1" "target-cpu"="sm_80"
