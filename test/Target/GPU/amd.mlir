// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: headopt-compile-device %S/Inputs/kernels.mlir rocm:gfx90a asm > %t.s
// RUN: FileCheck %s --input-file=%t.s --check-prefixes=CHECK,GFX9
// RUN: FileCheck %s --input-file=%t.s --check-prefix=NONE
// RUN: headopt-compile-device %S/Inputs/kernels.mlir rocm:gfx1100 asm > %t.s
// RUN: FileCheck %s --input-file=%t.s --check-prefixes=CHECK,GFX11
// RUN: FileCheck %s --input-file=%t.s --check-prefix=NONE
// RUN: headopt-compile-device %S/Inputs/kernels.mlir rocm:gfx942 llvm | FileCheck %s --check-prefix=LLVM

// GFX9:      .amdgcn_target "amdgcn-amd-amdhsa--gfx90a"
// GFX11:     .amdgcn_target "amdgcn-amd-amdhsa--gfx1100"
// CHECK:     .amdhsa_code_object_version 4

// CHECK:     rows:
// GFX9:      global_load_dwordx4
// GFX11:     global_load_b128
// CHECK:     v_add_f32_dpp {{.*}} quad_perm:[1,0,3,2]
// CHECK:     v_add_f32_dpp {{.*}} quad_perm:[2,3,0,1]
// CHECK:     row_half_mirror

// CHECK:     block:
// CHECK:     row_mirror
// GFX9:      ds_swizzle_b32
// GFX11:     v_permlanex16_b32
// CHECK:     s_barrier
// CHECK:     .amdhsa_group_segment_fixed_size 32

// CHECK:     columns:
// CHECK-DAG: v_{{(pk_)?}}fma{{.*}}_f32
// CHECK-DAG: v_rndne_f32

// CHECK:     halves:
// GFX9:      global_load_dwordx4
// GFX11:     global_load_b128
// CHECK:     v_cvt_f32_f16
// CHECK:     v_cvt_f16_f32

// CHECK:     doubles:
// CHECK:     v_add_f64

// CHECK:     .max_flat_workgroup_size: 256
// CHECK:     .reqd_workgroup_size:
// CHECK-NEXT:  - 256
// CHECK-NEXT:  - 1
// CHECK-NEXT:  - 1
// GFX9:      .wavefront_size: 64
// GFX11:     .wavefront_size: 32

// Nothing is spilled or called.
// NONE-NOT:  private_segment_fixed_size{{:?}} {{[1-9]}}
// NONE-NOT:  spill_count: {{[1-9]}}
// NONE-NOT:  s_swappc
// NONE-NOT:  ockl

// LLVM:      target triple = "amdgcn-amd-amdhsa"
// LLVM:      define amdgpu_kernel void @rows(ptr addrspace(1) {{.*}} !reqd_work_group_size
// LLVM:      call {{.*}}@llvm.amdgcn.dispatch.ptr()
// LLVM-DAG:  attributes #0 = {{.*}}"amdgpu-flat-work-group-size"="256,256"{{.*}}"target-cpu"="gfx942"
// LLVM-DAG:  !{i32 1, !"amdhsa_code_object_version", i32 400}
