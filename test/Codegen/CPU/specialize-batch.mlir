// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A function on tensors becomes kernels for blocks of the batch and an entry point
// with the C interface.
//
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(specialize-batch{sizes=4,1})' | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(specialize-batch{sizes=4,1})' | FileCheck %s
// RUN: head-opt %s --split-input-file --specialize-batch | FileCheck %s --check-prefix=DEFAULT
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(specialize-batch{sizes=4,1 openmp=true parallel-bytes=60})' | FileCheck %s --check-prefix=THREADS

// CHECK-LABEL: func.func private @head.block4(
// CHECK-SAME:    %[[X:.*]]: memref<4x5xf32> {llvm.noalias, llvm.readonly}, %[[Y:.*]]: memref<4x5xf32> {llvm.noalias})
// CHECK:         %[[T:.*]] = bufferization.to_tensor %[[X]] restrict : memref<4x5xf32> to tensor<4x5xf32>
// CHECK:         tensor.cast %[[T]] : tensor<4x5xf32> to tensor<?x5xf32>
// CHECK:         bufferization.materialize_in_destination %{{.*}} in restrict writable %[[Y]]
// CHECK-LABEL: func.func private @head.block1(
// CHECK-LABEL: func.func private @head.range(
// CHECK-SAME:    %[[F:.*]]: memref<1xi8>, %{{.*}}: memref<1xi8>, %{{.*}}: index, %{{.*}}: index)
// CHECK:         scf.for %[[I:.*]] =
// CHECK:           %[[AT:.*]] = arith.muli %[[I]], %c20
// CHECK:           %[[V:.*]] = memref.view %[[F]][%[[AT]]][] : memref<1xi8> to memref<4x5xf32>
// CHECK:           call @head.block4(%[[V]], %{{.*}})
// CHECK:         scf.for
// CHECK:           call @head.block1
// CHECK-LABEL: func.func @head(
// CHECK-SAME:    %{{.*}}: memref<1xi8>, %[[N:.*]]: i64, %{{.*}}: memref<1xi8>) -> i32 attributes {a = "kept", llvm.bareptr}
// CHECK:         arith.cmpi slt, %[[N]]
// CHECK:         scf.if
// CHECK:         } else {
// CHECK:           call @head.range(
// Threads that have four samples each, in parts of neighbours, from 60 bytes on.
// THREADS-LABEL: func.func @head(
// THREADS:         %[[N:.*]] = arith.index_cast %{{.*}} : i64 to index
// THREADS:         %[[MAX:.*]] = func.call @omp_get_max_threads()
// THREADS:         %[[T:.*]] = arith.index_cast %[[MAX]]
// THREADS:         %[[BYTES:.*]] = arith.muli %[[N]], %c20
// THREADS:         arith.cmpi uge, %[[BYTES]], %c60
// THREADS:         %[[EACH:.*]] = arith.muli %[[T]], %c4
// THREADS:         arith.cmpi uge, %[[N]], %[[EACH]]
// THREADS:         arith.cmpi uge, %[[T]], %c2
// THREADS:         %[[IN:.*]] = func.call @omp_in_parallel()
// THREADS:         %[[I:.*]] = arith.index_cast %[[IN]]
// THREADS:         arith.cmpi eq, %[[I]], %c0
// THREADS:         scf.if
// THREADS:           scf.parallel (%{{.*}}) = (%c0{{.*}}) to (%[[T]])
// THREADS:             arith.divui
// THREADS:             func.call @head.range(
// THREADS:         } else {
// THREADS:           func.call @head.range(%{{.*}}, %{{.*}}, %c0{{.*}}, %[[N]])
// DEFAULT:       @head.block32(
// DEFAULT:       @head.block8(
// DEFAULT:       @head.block4(
// DEFAULT:       @head.block2(
// DEFAULT:       @head.block1(
func.func @head(%x: tensor<?x5xf32>) -> tensor<?x5xf32> attributes {a = "kept"} {
  return %x : tensor<?x5xf32>
}

// -----

// A fixed batch: one kernel, and no other batch.
// CHECK-LABEL: func.func private @fixed.block3(
// CHECK-NOT:   .block{{[0-9]+}}(%arg
// CHECK-LABEL: func.func @fixed(
// CHECK-SAME:    %{{.*}}: memref<1xi8>, %[[N:.*]]: i64,
// CHECK:         arith.cmpi ne, %[[N]], %c3
// THREADS-LABEL: func.func @fixed(
// THREADS-NOT:     call @omp_get_max_threads
// THREADS:         func.call @fixed.range(
func.func @fixed(%x: tensor<3x5xf32>) -> tensor<3x5xf32> {
  return %x : tensor<3x5xf32>
}

// -----

// A batch of nothing needs no kernel.
// CHECK-NOT:   @nothing.block
// CHECK-LABEL: func.func @nothing(
// CHECK:         return
func.func @nothing(%x: tensor<0x5xf32>) -> tensor<0x5xf32> {
  return %x : tensor<0x5xf32>
}

// -----

// Other extents that are not known are arguments, and the bytes of a sample follow.
// CHECK-LABEL: func.func private @dynamic.range(
// CHECK:         memref.view %{{.*}}[%{{.*}}][%{{.*}}, %{{.*}}] : memref<1xi8> to memref<4x3x?x?xf64>
// CHECK-LABEL: func.func @dynamic(
// CHECK-SAME:    %{{.*}}: memref<1xi8>, %{{.*}}: i64, %[[H:.*]]: i64, %[[W:.*]]: i64, %{{.*}}: memref<1xi8>) -> i32
// CHECK:         arith.cmpi slt, %[[H]]
// CHECK:         arith.cmpi slt, %[[W]]
func.func @dynamic(%x: tensor<?x3x?x?xf64>) -> tensor<?x3xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x3x?x?xf64>
  %e = tensor.empty(%n) : tensor<?x3xf64>
  return %e : tensor<?x3xf64>
}
