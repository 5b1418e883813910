// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(prepare-spirv-vectors)))' | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --pass-pipeline='builtin.module(gpu.module(gpu.func(prepare-spirv-vectors)))' | FileCheck %s

gpu.module @kernels {
// CHECK-LABEL: gpu.func @halves(
// CHECK-SAME:    %[[X:[^:]*]]: memref<?xvector<4xi32>>
// CHECK-DAG:     %[[C16:.*]] = arith.constant 16 : i32
// CHECK-DAG:     %[[V:.*]] = memref.load %[[X]]
// CHECK-NOT:     vector.bitcast
// CHECK:         %[[W1:.*]] = vector.extract %[[V]][1] : i32 from vector<4xi32>
// CHECK:         %[[T2:.*]] = arith.trunci %[[W1]] : i32 to i16
// CHECK:         %[[H2:.*]] = arith.bitcast %[[T2]] : i16 to f16
// CHECK:         %[[W3:.*]] = vector.extract %[[V]][3] : i32 from vector<4xi32>
// CHECK:         %[[S:.*]] = arith.shrui %[[W3]], %[[C16]] : i32
// CHECK:         %[[T7:.*]] = arith.trunci %[[S]] : i32 to i16
// CHECK:         %[[H7:.*]] = arith.bitcast %[[T7]] : i16 to f16
// CHECK:         arith.addf %[[H2]], %[[H7]] : f16
  gpu.func @halves(%x: memref<?xvector<4xi32>>, %y: memref<?xf16>) kernel {
    %c0 = arith.constant 0 : index
    %v = memref.load %x[%c0] : memref<?xvector<4xi32>>
    %h = vector.bitcast %v : vector<4xi32> to vector<8xf16>
    %h2 = vector.extract %h[2] : f16 from vector<8xf16>
    %h7 = vector.extract %h[7] : f16 from vector<8xf16>
    %s = arith.addf %h2, %h7 : f16
    memref.store %s, %y[%c0] : memref<?xf16>
    gpu.return
  }

// Of bytes of floats; bits of i16 need no other type.
// CHECK-LABEL: gpu.func @bytes(
// CHECK:         %[[E:.*]] = vector.extract %{{.*}}[2] : f32 from vector<4xf32>
// CHECK:         %[[I:.*]] = arith.bitcast %[[E]] : f32 to i32
// CHECK:         %[[S:.*]] = arith.shrui %[[I]], %c24_i32 : i32
// CHECK:         %[[B:.*]] = arith.trunci %[[S]] : i32 to i8
// CHECK:         memref.store %[[B]]
  gpu.func @bytes(%x: memref<?xvector<4xf32>>, %y: memref<?xi8>) kernel {
    %c0 = arith.constant 0 : index
    %v = memref.load %x[%c0] : memref<?xvector<4xf32>>
    %h = vector.bitcast %v : vector<4xf32> to vector<16xi8>
    %b = vector.extract %h[11] : i8 from vector<16xi8>
    memref.store %b, %y[%c0] : memref<?xi8>
    gpu.return
  }

// CHECK-LABEL: gpu.func @select(
// CHECK-SAME:    %[[P:[^:]*]]: i1
// CHECK:         %[[Q:.*]] = vector.broadcast %[[P]] : i1 to vector<4xi1>
// CHECK:         arith.select %[[Q]], %{{.*}}, %{{.*}} : vector<4xi1>, vector<4xf32>
  gpu.func @select(%p: i1, %x: memref<?xvector<4xf32>>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %a = memref.load %x[%c0] : memref<?xvector<4xf32>>
    %b = memref.load %x[%c1] : memref<?xvector<4xf32>>
    %s = arith.select %p, %a, %b : vector<4xf32>
    memref.store %s, %x[%c0] : memref<?xvector<4xf32>>
    gpu.return
  }

// Vectors that SPIR-V has stay.
// CHECK-LABEL: gpu.func @small(
// CHECK:         vector.bitcast %{{.*}} : vector<4xi32> to vector<4xf32>
// CHECK:         vector.bitcast %{{.*}} : vector<4xi32> to vector<2xf64>
  gpu.func @small(%x: memref<?xvector<4xi32>>, %y: memref<?xf32>, %z: memref<?xf64>) kernel {
    %c0 = arith.constant 0 : index
    %v = memref.load %x[%c0] : memref<?xvector<4xi32>>
    %f = vector.bitcast %v : vector<4xi32> to vector<4xf32>
    %e = vector.extract %f[3] : f32 from vector<4xf32>
    memref.store %e, %y[%c0] : memref<?xf32>
    %d = vector.bitcast %v : vector<4xi32> to vector<2xf64>
    %g = vector.extract %d[1] : f64 from vector<2xf64>
    memref.store %g, %z[%c0] : memref<?xf64>
    gpu.return
  }
}
