// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SPIR-V by compileDevice; test/Unit/Runtime runs kernels that come out of it.
//
// RUN: headopt-compile-device %S/../../Codegen/GPU/lower-kernels-to-spirv.mlir vulkan:32 asm | FileCheck %s
// RUN: headopt-compile-device %S/../../Codegen/GPU/lower-kernels-to-spirv.mlir vulkan:32 bin > %t.spv
// RUN: mlir-translate --no-implicit-module --deserialize-spirv %t.spv | FileCheck %s
// RUN: not headopt-compile-device %S/../../Codegen/GPU/lower-kernels-to-spirv.mlir vulkan:32 llvm 2>&1 | FileCheck %s --check-prefix=LLVM
// RUN: not headopt-compile-device %s vulkan asm 2>&1 | FileCheck %s --check-prefix=BAD

// CHECK:     spirv.module
// CHECK:     spirv.EntryPoint "GLCompute"
// CHECK:     spirv.ExecutionMode
// LLVM:      error: no LLVM IR is made for Vulkan; ask for SPIR-V, as text or binary
// LLVM-NOT:  {{.}}
// BAD:       error: cannot make SPIR-V of the kernels: 'gpu.func' op argument 0 is of type 'i64'; {{.*}}
// BAD-NOT:   {{.}}
module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @bad(%n: i64) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
      gpu.return
    }
  }
}
