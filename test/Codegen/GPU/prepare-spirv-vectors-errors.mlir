// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(gpu.func(prepare-spirv-vectors)))'

gpu.module @kernels {
  gpu.func @widened(%x: memref<?xvector<4xi32>>, %y: memref<?xf32>) kernel {
    %c0 = arith.constant 0 : index
    %v = memref.load %x[%c0] : memref<?xvector<4xi32>>
    // expected-error @below {{makes a 'vector<8xf16>'; SPIR-V has vectors of 2 to 4 elements, and only those of vector.bitcast are taken apart, by vector.extract}}
    %h = vector.bitcast %v : vector<4xi32> to vector<8xf16>
    %w = arith.extf %h : vector<8xf16> to vector<8xf32>
    %e = vector.extract %w[0] : f32 from vector<8xf32>
    memref.store %e, %y[%c0] : memref<?xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @carried(%x: memref<?xvector<4xf32>>, %n: index) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zeros = arith.constant dense<0.0> : vector<4xf32>
    // expected-error @below {{gives a 'vector<4xf32>'; loops and branches give elements only}}
    %r = scf.for %i = %c0 to %n step %c1 iter_args(%s = %zeros) -> vector<4xf32> {
      %v = memref.load %x[%i] : memref<?xvector<4xf32>>
      %a = arith.addf %s, %v : vector<4xf32>
      scf.yield %a : vector<4xf32>
    }
    memref.store %r, %x[%c0] : memref<?xvector<4xf32>>
    gpu.return
  }
}
