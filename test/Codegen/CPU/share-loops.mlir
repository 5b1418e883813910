// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Independent loops of a function become parts for threads. test_threads.py and
// test_random_reductions.py run them.
//
// RUN: head-opt %s --split-input-file --pass-pipeline='builtin.module(share-loops{parallel-bytes=1000 stack-bytes=64})' | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --split-input-file \
// RUN:   --pass-pipeline='builtin.module(share-loops{parallel-bytes=1000 stack-bytes=64})' | FileCheck %s
//
// More than there is to do: 256 rows of 4 bytes, and what the loops say.
// RUN: head-opt %s --split-input-file --share-loops=parallel-bytes=3000 | FileCheck %s \
// RUN:   --check-prefix=LITTLE --implicit-check-not=two.part --implicit-check-not=alone.part --implicit-check-not=own.part

// Two loops, with a buffer between them: the threads meet before the second one reads
// it. Memory that nobody writes keeps what is known of it, the other does not.
// CHECK-LABEL: func.func private @two.part(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: memref<256xf32> {llvm.noalias, llvm.readonly}, %[[Y:[a-z0-9]*]]: memref<7xf32>, %[[B:[a-z0-9]*]]: memref<256xf32>, %[[T:[a-z0-9]*]]: index, %[[N:[a-z0-9]*]]: index)
// CHECK-SAME:    passthrough = ["noinline"]
// CHECK-NOT:     memref.alloc
// CHECK:         %[[M:.*]] = arith.muli %c256{{.*}}, %[[T]]
// CHECK:         %[[FROM:.*]] = arith.divui %[[M]], %[[N]]
// CHECK:         arith.addi %[[T]], %c1{{.*}}
// CHECK:         %[[TO:.*]] = arith.divui
// CHECK-NOT:     omp.barrier
// CHECK:         scf.for %{{.*}} = %[[FROM]] to %[[TO]] step %c1
// CHECK:           memref.store %{{.*}}, %[[B]]
// CHECK-NEXT:    }{{$}}
// CHECK:         %[[SEVERAL:.*]] = arith.cmpi ne, %[[N]], %c1{{.*}}
// CHECK-NEXT:    scf.if %[[SEVERAL]] {
// CHECK-NEXT:      omp.barrier
// CHECK-NEXT:    }
// From 1 to 7 in steps of 3: two iterations, from 1 + 3 * (2 * thread / threads) on.
// CHECK:         %[[FROM:.*]] = arith.addi %c1{{.*}}, %{{.*}}
// CHECK:         %[[TO:.*]] = arith.addi %c1{{.*}}, %{{.*}}
// CHECK:         scf.for %{{.*}} = %[[FROM]] to %[[TO]] step %c3
// CHECK:           memref.load %[[B]]
// CHECK:           memref.store %{{.*}}, %[[Y]]
// CHECK-NOT:     omp.barrier
// CHECK:         return
// The arguments have 1024 + 28 bytes, the loops say 1000: with 1000 for two, four threads
// have enough.
// CHECK-LABEL: func.func private @two(
// CHECK-SAME:    %[[Y:[a-z0-9]*]]: memref<7xf32> {llvm.noalias})
// CHECK:         %[[B:.*]] = memref.alloc() : memref<256xf32>
// CHECK-NOT:     scf.for
// CHECK:         %[[MAX:.*]] = call @omp_get_max_threads()
// CHECK:         %[[I:.*]] = arith.index_cast %[[MAX]]
// CHECK:         %[[THREADS:.*]] = arith.minui %[[I]], %c4
// CHECK:         call @omp_in_parallel()
// CHECK:         scf.if
// CHECK:           %[[N:.*]] = arith.index_cast %[[THREADS]] : index to i32
// CHECK:           omp.parallel num_threads(%[[N]] : i32) {
// CHECK:             call @omp_get_thread_num()
// CHECK:             call @omp_get_num_threads()
// CHECK:             func.call @two.part(%{{.*}}, %[[Y]], %[[B]], %{{.*}}, %{{.*}})
// CHECK:             omp.terminator
// CHECK:         } else {
// CHECK-NEXT:      func.call @two.part(%{{.*}}, %[[Y]], %[[B]], %c0{{.*}}, %c1{{.*}})
// LITTLE-LABEL: func.func private @two(
// LITTLE:         headopt.independent = 400
func.func private @two(%x: memref<256xf32> {llvm.noalias, llvm.readonly}, %y: memref<7xf32> {llvm.noalias}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c7 = arith.constant 7 : index
  %c256 = arith.constant 256 : index
  %b = memref.alloc() : memref<256xf32>
  scf.for %i = %c0 to %c256 step %c1 {
    %v = memref.load %x[%i] : memref<256xf32>
    memref.store %v, %b[%i] : memref<256xf32>
  } {headopt.independent = 400 : i64}
  scf.for %i = %c1 to %c7 step %c3 {
    %v = memref.load %b[%i] : memref<256xf32>
    memref.store %v, %y[%i] : memref<7xf32>
  } {headopt.independent = 600 : i64}
  memref.dealloc %b : memref<256xf32>
  return
}

// -----

// What is no such loop, the first thread does, with what it alone reads for it. The
// others wait before it, for what they wrote, and behind it.
// CHECK-LABEL: func.func private @alone.part(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: memref<256xf32>, %[[Y:[a-z0-9]*]]: memref<256xf32>, %[[T:[a-z0-9]*]]: index, %{{.*}}: index)
// CHECK:         scf.for
// CHECK:         omp.barrier
// CHECK:         %[[FIRST:.*]] = arith.cmpi eq, %[[T]], %c0{{.*}}
// CHECK-NEXT:    scf.if %[[FIRST]] {
// CHECK-NEXT:      memref.load
// CHECK-NEXT:      math.exp
// CHECK-NEXT:      memref.store
// CHECK-NEXT:      memref.store
// CHECK-NEXT:    }
// CHECK:         omp.barrier
// All threads need this number; the loop writes where it was read.
// CHECK:         %[[V:.*]] = memref.load %[[Y]]
// CHECK:         omp.barrier
// CHECK:         scf.for
// CHECK:           memref.store %[[V]], %[[Y]]
// LITTLE-LABEL: func.func private @alone(
func.func private @alone(%x: memref<256xf32>, %y: memref<256xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  scf.for %i = %c0 to %c256 step %c1 {
    %v = memref.load %x[%i] : memref<256xf32>
    memref.store %v, %y[%i] : memref<256xf32>
  } {headopt.independent = 0 : i64}
  %a = memref.load %y[%c1] : memref<256xf32>
  %e = math.exp %a : f32
  memref.store %e, %y[%c0] : memref<256xf32>
  memref.store %e, %y[%c1] : memref<256xf32>
  %v = memref.load %y[%c0] : memref<256xf32>
  scf.for %i = %c0 to %c256 step %c1 {
    memref.store %v, %y[%i] : memref<256xf32>
  } {headopt.independent = 0 : i64}
  return
}

// -----

// A buffer that one loop alone uses, also through a view, is each thread's own.
// CHECK-LABEL: func.func private @own.part(
// CHECK-SAME:    %{{[a-z0-9]*}}: memref<256xf32>, %{{[a-z0-9]*}}: memref<256xf32>, %{{[a-z0-9]*}}: index, %{{[a-z0-9]*}}: index)
// CHECK-NEXT:    %[[A:.*]] = memref.alloca() {alignment = 64 : i64} : memref<16xf32>
// CHECK:         memref.expand_shape %[[A]]
// CHECK:         scf.for
// CHECK-LABEL: func.func private @own(
// CHECK-NOT:     memref.alloc
// LITTLE-LABEL: func.func private @own(
func.func private @own(%x: memref<256xf32>, %y: memref<256xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  %b = memref.alloc() : memref<16xf32>
  %e = memref.expand_shape %b [[0, 1]] output_shape [4, 4] : memref<16xf32> into memref<4x4xf32>
  scf.for %i = %c0 to %c256 step %c1 {
    %v = memref.load %x[%i] : memref<256xf32>
    memref.store %v, %e[%c0, %c1] : memref<4x4xf32>
    %w = memref.load %e[%c0, %c1] : memref<4x4xf32>
    memref.store %w, %y[%i] : memref<256xf32>
  } {headopt.independent = 0 : i64}
  return
}

// -----

// Extents that are not known: whether there is enough is computed.
// CHECK-LABEL: func.func private @dynamic.part(
// CHECK-LABEL: func.func private @dynamic(
// CHECK:         memref.dim
// CHECK:         arith.addi
// CHECK:         %[[TWICE:.*]] = arith.muli
// CHECK:         arith.divui %[[TWICE]], %c1000
// CHECK:         arith.minui
// LITTLE-LABEL: func.func private @dynamic.part(
func.func private @dynamic(%x: memref<?xf32>, %y: memref<256xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  scf.for %i = %c0 to %c256 step %c1 {
    %v = memref.load %x[%i] : memref<?xf32>
    memref.store %v, %y[%i] : memref<256xf32>
  } {headopt.independent = 0 : i64}
  return
}
