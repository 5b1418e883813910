// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --pass-pipeline='builtin.module(gpu.module(prepare-kernels))' | FileCheck %s
// RUN: head-opt %s --pass-pipeline='builtin.module(gpu.module(prepare-kernels{rocm}))' | FileCheck %s --check-prefix=ROCM

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @kernel(
  // CHECK-SAME:    %[[X:[a-z0-9]*]]: memref<1099511627776xf32, #gpu.address_space<global>>, %[[I:[a-z0-9]*]]: index,
  // CHECK-SAME:    %[[Y:[a-z0-9]*]]: memref<8xvector<4xf32>, #gpu.address_space<global>> {llvm.noalias})
  gpu.func @kernel(%x: memref<?xf32>, %i: index, %y: memref<8xvector<4xf32>> {llvm.noalias})
      kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    // CHECK: %[[A:.*]] = memref.load %[[X]][%[[I]]] : memref<1099511627776xf32, #gpu.address_space<global>>
    %a = memref.load %x[%i] : memref<?xf32>
    // CHECK: %[[B:.*]] = llvm.call_intrinsic "llvm.sqrt"(%[[A]]) : (f32) -> f32
    %b = math.sqrt %a : f32
    // CHECK: %[[C:.*]] = llvm.call_intrinsic "llvm.fma"(%[[A]], %[[B]], %[[B]]) {{.*}}contract
    %c = math.fma %a, %b, %b fastmath<contract> : f32
    // CHECK: llvm.call_intrinsic "llvm.roundeven"(%[[C]]) : (f32) -> f32
    %d = math.roundeven %c : f32
    // CHECK: llvm.call_intrinsic "llvm.floor"
    %e = math.floor %d : f32
    // CHECK: llvm.call_intrinsic "llvm.fabs"
    %f = math.absf %e : f32
    // CHECK: llvm.call_intrinsic "llvm.ceil"
    %g = math.ceil %f : f32
    // CHECK: llvm.call_intrinsic "llvm.copysign"(%{{.*}}, %[[A]]) : (f32, f32) -> f32
    %g2 = math.copysign %g, %a : f32
    // Integers are nobody's library.
    // CHECK: math.absi
    %i32 = arith.fptosi %g2 : f32 to i32
    %n = math.absi %i32 : i32
    // CHECK: %[[T:.*]] = llvm.call_intrinsic "llvm.trunc"
    %h = math.trunc %g : f32
    // CHECK: memref.store %[[T]], %[[X]][%[[I]]] : memref<1099511627776xf32, #gpu.address_space<global>>
    memref.store %h, %x[%i] : memref<?xf32>
    // CHECK: llvm.call_intrinsic "llvm.sqrt"({{.*}}) : (vector<4xf32>) -> vector<4xf32>
    %v = memref.load %y[%i] : memref<8xvector<4xf32>>
    %w = math.sqrt %v : vector<4xf32>
    memref.store %w, %y[%i] : memref<8xvector<4xf32>>
    gpu.return
  }

  // What is not a kernel keeps its types.
  // CHECK-LABEL: gpu.func @helper(%{{.*}}: memref<?xf32>)
  gpu.func @helper(%x: memref<?xf32>) {
    gpu.return
  }

  // Other users than loads and stores see the buffer as before.
  // CHECK-LABEL: gpu.func @other(
  // CHECK-SAME:    %[[X:[a-z0-9]*]]: memref<1099511627776xf32, #gpu.address_space<global>>
  // CHECK:         %[[P:.*]] = memref.memory_space_cast %[[X]] : {{.*}} to memref<1099511627776xf32>
  // CHECK:         %[[U:.*]] = memref.cast %[[P]] : {{.*}} to memref<?xf32>
  // CHECK:         arith.select %{{.*}}, %[[U]],
  gpu.func @other(%x: memref<?xf32>, %y: memref<?xf32>, %b: i1, %i: index) kernel {
    %z = arith.select %b, %x, %y : memref<?xf32>
    %v = memref.load %z[%i] : memref<?xf32>
    memref.store %v, %x[%i] : memref<?xf32>
    gpu.return
  }

  // What the type says is known.
  // CHECK-LABEL: gpu.func @extent(
  // CHECK:         memref.dim
  gpu.func @extent(%x: memref<8xf32>, %y: memref<?xindex>) kernel {
    %c0 = arith.constant 0 : index
    %n = memref.dim %x, %c0 : memref<8xf32>
    memref.store %n, %y[%c0] : memref<?xindex>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @grid(
  // CHECK:         gpu.grid_dim x
  // ROCM-LABEL:  gpu.func @grid(
  // ROCM:          %[[PACKET:.*]] = llvm.call_intrinsic "llvm.amdgcn.dispatch.ptr"() : () -> !llvm.ptr<4>
  // ROCM:          %[[PLACE:.*]] = llvm.getelementptr %[[PACKET]][3] : (!llvm.ptr<4>) -> !llvm.ptr<4>, i32
  // ROCM:          %[[THREADS:.*]] = llvm.load %[[PLACE]] invariant {{.*}} : !llvm.ptr<4> -> i32
  // ROCM:          %[[BLOCKS:.*]] = arith.divui %[[THREADS]], %c128_i32 : i32
  // ROCM:          arith.index_castui %[[BLOCKS]] : i32 to index
  // ROCM-NOT:      gpu.grid_dim
  gpu.func @grid(%x: memref<?xindex>) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %n = gpu.grid_dim x
    memref.store %n, %x[%n] : memref<?xindex>
    gpu.return
  }
}
