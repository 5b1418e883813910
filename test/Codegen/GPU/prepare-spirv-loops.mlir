// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The unit test vulkan runs such loops.
//
// RUN: head-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(prepare-spirv-loops)))' | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --pass-pipeline='builtin.module(gpu.module(gpu.func(prepare-spirv-loops)))' | FileCheck %s

gpu.module @kernels {
// CHECK-LABEL: gpu.func @loop(
// CHECK-SAME:    %[[N:[^:]*]]: index, %[[A:[^:]*]]: f32, %[[B:[^:]*]]: i32,
// CHECK:         %[[T:.*]] = gpu.thread_id x
// CHECK:         %[[R:.*]]:2 = scf.for %{{.*}} = %[[T]] to %[[N]]
// CHECK:         %[[C:.*]] = arith.cmpi slt, %[[T]], %[[N]] : index
// CHECK:         %[[X:.*]] = arith.select %[[C]], %[[R]]#0, %[[A]] : f32
// CHECK-NOT:     arith.select
// CHECK:         memref.store %[[X]]
  gpu.func @loop(%n: index, %a: f32, %b: i32, %y: memref<?xf32>) kernel {
    %c1 = arith.constant 1 : index
    %t = gpu.thread_id x
    // Nothing reads the second one.
    %r:2 = scf.for %i = %t to %n step %c1 iter_args(%x = %a, %z = %b) -> (f32, i32) {
      %s = arith.addf %x, %x : f32
      scf.yield %s, %z : f32, i32
    }
    memref.store %r#0, %y[%t] : memref<?xf32>
    gpu.return
  }

// One in the other; the values of the inner one are those that the outer carries.
// CHECK-LABEL: gpu.func @nested(
// CHECK:         scf.for {{.*}} iter_args(%[[O:.*]] = %{{.*}}) -> (f32)
// CHECK:           %[[I:.*]] = scf.for
// CHECK:           %[[C:.*]] = arith.cmpi ult
// CHECK:           %[[S:.*]] = arith.select %[[C]], %[[I]], %[[O]]
// CHECK:           scf.yield %[[S]]
// CHECK:         arith.cmpi slt
// CHECK:         arith.select
  gpu.func @nested(%n: index, %a: f32, %y: memref<?xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a) -> f32 {
      %q = scf.for unsigned %j = %i to %n step %c1 iter_args(%z = %x) -> f32 {
        %s = arith.addf %z, %z : f32
        scf.yield %s : f32
      }
      scf.yield %q : f32
    }
    memref.store %r, %y[%c0] : memref<?xf32>
    gpu.return
  }

// A loop that is known to make a trip, and one without results.
// CHECK-LABEL: gpu.func @left(
// CHECK-NOT:     arith.select
// CHECK:         gpu.return
  gpu.func @left(%n: index, %a: f32, %y: memref<?xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    %r = scf.for %i = %c0 to %c8 step %c1 iter_args(%x = %a) -> f32 {
      %s = arith.addf %x, %x : f32
      scf.yield %s : f32
    }
    scf.for %i = %c0 to %n step %c1 {
      memref.store %r, %y[%i] : memref<?xf32>
    }
    gpu.return
  }

// CHECK-LABEL: gpu.func @no_trip(
// CHECK:         arith.select
  gpu.func @no_trip(%a: f32, %y: memref<?xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %r = scf.for %i = %c1 to %c1 step %c1 iter_args(%x = %a) -> f32 {
      %s = arith.addf %x, %x : f32
      scf.yield %s : f32
    }
    memref.store %r, %y[%c0] : memref<?xf32>
    gpu.return
  }
}
