// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(lower-subgroup-reduce{subgroup-size=32}))'
// RUN: not head-opt %s --split-input-file --pass-pipeline='builtin.module(gpu.module(lower-subgroup-reduce{subgroup-size=32 chip=gfx1100}))' 2>&1 | FileCheck %s --check-prefix=AMD
// RUN: not head-opt %s --split-input-file --pass-pipeline='builtin.module(gpu.module(lower-subgroup-reduce{subgroup-size=12}))' 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not head-opt %s --split-input-file --pass-pipeline='builtin.module(gpu.module(lower-subgroup-reduce{chip=sm_80}))' 2>&1 | FileCheck %s --check-prefix=CHIP

// SIZE: error: subgroup-size is a power of two, not 12
// CHIP: error: 'sm_80' is no chip of AMD's; name one such as gfx90a

gpu.module @kernels {
  gpu.func @large(%x: f32) -> f32 {
    // AMD: error: 'gpu.subgroup_reduce' op cannot be lowered for sub-groups of 32 lanes of gfx1100
    // expected-error @+1 {{'gpu.subgroup_reduce' op cannot be lowered for sub-groups of 32 lanes}}
    %s = gpu.subgroup_reduce add %x cluster(size = 64) : (f32) -> f32
    gpu.return %s : f32
  }
}

// -----

gpu.module @kernels {
  gpu.func @huge(%x: i128) -> i128 {
    // AMD: error: 'gpu.subgroup_reduce' op cannot be lowered
    // expected-error @+1 {{'gpu.subgroup_reduce' op cannot be lowered for sub-groups of 32 lanes}}
    %s = gpu.subgroup_reduce add %x : (i128) -> i128
    gpu.return %s : i128
  }
}

// -----

gpu.module @kernels {
  gpu.func @wide(%x: vector<4xf32>) -> vector<4xf32> {
    // AMD: error: 'gpu.subgroup_reduce' op cannot be lowered
    // expected-error @+1 {{'gpu.subgroup_reduce' op cannot be lowered for sub-groups of 32 lanes}}
    %s = gpu.subgroup_reduce add %x : (vector<4xf32>) -> vector<4xf32>
    gpu.return %s : vector<4xf32>
  }
}
