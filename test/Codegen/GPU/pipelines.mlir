// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels become functions of the LLVM dialect; what launches them stays.
//
// RUN: head-opt %S/../../Target/GPU/Inputs/kernels.mlir --lower-kernels-to-nvvm | FileCheck %s --check-prefixes=BOTH,NVVM
// RUN: head-opt %S/../../Target/GPU/Inputs/kernels.mlir --lower-kernels-to-rocdl=chip=gfx90a | FileCheck %s --check-prefixes=BOTH,ROCDL
// RUN: head-opt %S/../../Target/GPU/Inputs/kernels.mlir --lower-kernels-to-rocdl=chip=gfx1100 | FileCheck %s --check-prefix=GFX11
// RUN: mlir-opt --load-dialect-plugin=%plugin %S/../../Target/GPU/Inputs/kernels.mlir --pass-pipeline='builtin.module(lower-kernels-to-nvvm)' | FileCheck %s --check-prefixes=BOTH,NVVM
// RUN: not head-opt %S/../../Target/GPU/Inputs/kernels.mlir --lower-kernels-to-rocdl=chip=sm_80 2>&1 | FileCheck %s --check-prefix=CHIP

// BOTH:        func.func @head(%{{.*}}: memref<?xvector<4xf32>>, %{{.*}}: memref<?xf32>, %{{.*}}: index)
// BOTH:          gpu.launch_func @kernels::@rows
// BOTH:        gpu.module @kernels
// NVVM:          llvm.func @rows(%{{.*}}: !llvm.ptr<1>, %{{.*}}: i64, %{{.*}}: !llvm.ptr<1>) attributes {{.*}}gpu.kernel{{.*}}nvvm.kernel, nvvm.maxntid = array<i32: 256, 1, 1>
// NVVM-COUNT-3:  nvvm.shfl.sync bfly
// NVVM:          llvm.func @block
// NVVM:          nvvm.barrier
// ROCDL:         llvm.func @rows(%{{.*}}: !llvm.ptr<1>, %{{.*}}: i64, %{{.*}}: !llvm.ptr<1>) attributes {{.*}}gpu.kernel{{.*}}rocdl.kernel, rocdl.reqd_work_group_size = array<i32: 256, 1, 1>
// ROCDL-COUNT-3: rocdl.update.dpp
// ROCDL:         llvm.func @block
// ROCDL:         rocdl.ds_swizzle
// ROCDL:         rocdl.barrier
// BOTH-NOT:      unrealized_conversion_cast
// BOTH-NOT:      gpu.func
// GFX11:         llvm.func @block
// GFX11-COUNT-4: rocdl.update.dpp
// GFX11:         rocdl.permlanex16
// CHIP:        'sm_80' is no chip of AMD's
