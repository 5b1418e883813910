// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(prepare-spirv-kernels))'
// RUN: not head-opt %S/prepare-spirv-kernels.mlir --pass-pipeline='builtin.module(gpu.module(prepare-spirv-kernels{subgroup-size=12}))' 2>&1 | FileCheck %s
// CHECK: cannot be prepared for sub-groups of 12; their size is a power of 2 from 4 to 128

gpu.module @kernels {
  // expected-error @below {{is no kernel; inline it into those that call it}}
  gpu.func @helper(%x: memref<?xf32>) attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{must know that its blocks have one dimension, by an attribute known_block_size = array<i32: N, 1, 1>}}
  gpu.func @unknown(%x: memref<?xf32>) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{must know that its blocks have one dimension}}
  gpu.func @flat(%x: memref<?xf32>) kernel attributes {known_block_size = array<i32: 8, 8, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{argument 1 is of type 'memref<?xbf16>'; buffers must be one-dimensional memrefs of numbers, or of vectors of 2 or 4}}
  gpu.func @bf16(%x: memref<?xf32>, %y: memref<?xbf16>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{argument 0 is of type 'memref<4x?xf32>'}}
  gpu.func @rank(%x: memref<4x?xf32>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{argument 0 is of type 'memref<?xf32, strided<[2]>>'}}
  gpu.func @strided(%x: memref<?xf32, strided<[2]>>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{argument 0 is of type 'memref<?xvector<3xf32>>'}}
  gpu.func @three(%x: memref<?xvector<3xf32>>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{argument 0 is of type 'i64'}}
  gpu.func @long(%x: i64) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{has private buffers; keep them in registers}}
  gpu.func @private(%x: memref<?xf32>) private(%p: memref<4xf32, #gpu.address_space<private>>)
      kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{shares 16640 bytes in a block; Vulkan promises 16384}}
  gpu.func @much(%x: memref<?xf32>)
      workgroup(%a: memref<1x5xi8, #gpu.address_space<workgroup>>,
                %b: memref<4156xf32, #gpu.address_space<workgroup>>)
      kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @viewed(%x: memref<?xf32>)
      workgroup(%a: memref<64xf32, #gpu.address_space<workgroup>>)
      kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    // expected-error @below {{uses a shared buffer; only memref.load and memref.store can}}
    %v = memref.cast %a : memref<64xf32, #gpu.address_space<workgroup>> to memref<?xf32, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @nibbles(%x: memref<?xi8>, %y: memref<?xf32>, %i: index)
      kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %byte = memref.load %x[%i] : memref<?xi8>
    // expected-error @below {{cannot run with Vulkan: SPIR-V has no numbers of type 'i4'}}
    %n = arith.trunci %byte : i8 to i4
    %f = arith.sitofp %n : i4 to f32
    memref.store %f, %y[%i] : memref<?xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @vector(%x: memref<?xvector<4xi32>>, %i: index)
      kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %v = memref.load %x[%i] : memref<?xvector<4xi32>>
    // expected-error @below {{cannot run with Vulkan: SPIR-V has no numbers of type 'i12'}}
    %n = arith.trunci %v : vector<4xi32> to vector<4xi12>
    gpu.return
  }
}
