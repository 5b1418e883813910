// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(gpu.func(prepare-spirv-subgroups{subgroup-size=8})))'

gpu.module @kernels {
  // expected-error @below {{uses sub-groups of 8 lanes, and its blocks are not known to be whole numbers of them (known_block_size)}}
  gpu.func @odd(%v: f32) kernel attributes {known_block_size = array<i32: 60, 1, 1>} {
    %sum = gpu.subgroup_reduce add %v : (f32) -> f32
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{uses sub-groups of 8 lanes, and its blocks are not known}}
  gpu.func @unknown(%v: f32) kernel {
    %sum = gpu.subgroup_reduce add %v : (f32) -> f32
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @large(%v: f32) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    // expected-error @below {{has clusters of 16 lanes, 1 apart; they must be adjacent lanes of a sub-group of 8}}
    %sum = gpu.subgroup_reduce add %v cluster(size = 16) : (f32) -> f32
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @stride(%v: f32) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    // expected-error @below {{has clusters of 4 lanes, 2 apart}}
    %sum = gpu.subgroup_reduce add %v cluster(size = 4, stride = 2) : (f32) -> f32
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @vector(%v: memref<?xvector<4xf32>>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %c0 = arith.constant 0 : index
    %x = memref.load %v[%c0] : memref<?xvector<4xf32>>
    // expected-error @below {{reduces vectors; reduce their elements}}
    %sum = gpu.subgroup_reduce add %x : (vector<4xf32>) -> vector<4xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @width(%v: f32) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %one = arith.constant 1 : i32
    %width = arith.constant 32 : i32
    // expected-error @below {{must shuffle among all of a sub-group, which is 8 lanes}}
    %w, %valid = gpu.shuffle xor %v, %one, %width : f32
    gpu.return
  }
}
