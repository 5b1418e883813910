// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(prepare-kernels))'

gpu.module @kernels {
  // expected-error @+1 {{argument 1 is of 'memref<?x4xf32>'; kernels take buffers of one axis, without a layout, in the device's memory}}
  gpu.func @rank(%i: index, %x: memref<?x4xf32>) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @+1 {{argument 0 is of 'memref<?xf32, strided<[2]>>'; kernels take buffers of one axis}}
  gpu.func @layout(%x: memref<?xf32, strided<[2]>>) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @+1 {{argument 0 is of 'memref<?xf32, #gpu.address_space<workgroup>>'; kernels take}}
  gpu.func @place(%x: memref<?xf32, #gpu.address_space<workgroup>>) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @+1 {{argument 0 is of 'memref<*xf32>'; kernels take}}
  gpu.func @unranked(%x: memref<*xf32>) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @library(%x: f32) -> f32 {
    // expected-error @+1 {{'math.exp' op is no instruction of devices; write it as arithmetic, as approximate-math does for f32}}
    %y = math.exp %x : f32
    gpu.return %y : f32
  }
}

// -----

gpu.module @kernels {
  gpu.func @length(%x: memref<?xf32>, %y: memref<?xindex>) kernel {
    %c0 = arith.constant 0 : index
    %cast = memref.cast %x : memref<?xf32> to memref<?xf32, strided<[1], offset: ?>>
    // expected-error @+1 {{'memref.dim' op asks for the length of an argument; kernels get addresses alone, so give the length as an argument of its own}}
    %n = memref.dim %cast, %c0 : memref<?xf32, strided<[1], offset: ?>>
    memref.store %n, %y[%c0] : memref<?xindex>
    gpu.return
  }
}
