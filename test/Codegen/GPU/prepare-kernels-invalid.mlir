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

// A kernel gets an address; nothing says how long the buffer is.
gpu.module @kernels {
  gpu.func @extent(%x: memref<?xf32>, %y: memref<?xf32>, %b: i1) kernel {
    %c0 = arith.constant 0 : index
    %z = arith.select %b, %x, %y : memref<?xf32>
    // expected-error @+1 {{'memref.dim' op asks for the shape of a buffer, which kernels get no more of than the address; pass the extent as an argument of its own}}
    %n = memref.dim %z, %c0 : memref<?xf32>
    %i = arith.index_cast %n : index to i32
    %f = arith.sitofp %i : i32 to f32
    memref.store %f, %x[%c0] : memref<?xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @metadata(%x: memref<?xf32>) kernel {
    // expected-error @+1 {{'memref.extract_strided_metadata' op asks for the shape of a buffer}}
    %b, %o, %n, %s = memref.extract_strided_metadata %x : memref<?xf32> -> memref<f32>, index, index, index
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @view(%x: memref<?xf32>, %i: index) kernel {
    %c0 = arith.constant 0 : index
    // expected-error @+1 {{'memref.subview' op makes a view with a layout; kernels have buffers of one axis, so compute the indices into these}}
    %s = memref.subview %x[%i] [4] [1] : memref<?xf32> to memref<4xf32, strided<[1], offset: ?>>
    %v = memref.load %s[%c0] : memref<4xf32, strided<[1], offset: ?>>
    memref.store %v, %x[%c0] : memref<?xf32>
    gpu.return
  }
}
