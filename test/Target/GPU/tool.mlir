// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tool says of heads in linalg for devices, in one line, and the header.
//
// RUN: rm -rf %t && split-file %s %t
// RUN: head-opt %t/head.mlir --target=cuda:sm_90a -o %t/a.o && FileCheck %t/head.mlir < %t/a.h --check-prefixes=HEADER,ONE
// RUN: head-opt %t/head.mlir --target=cuda:sm_90 -o %t/b.o && FileCheck %t/head.mlir < %t/b.h --check-prefixes=HEADER,LATER

// A name that C does not have is found before anything is compiled.
// RUN: not head-opt %t/name.mlir --target=cuda -o %t/name.o 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not head-opt %t/name.mlir --target=vulkan -o %t/name.so 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not head-opt %t/name.mlir -o %t/name.o 2>&1 | FileCheck %s --check-prefix=NAME
// NAME:     {{^}}head-opt: error: {{.*}}name.mlir: no header for 'my-head.1 x': C has no such function name; give it another with --name{{$}}
// NAME-NOT: {{.}}
// RUN: not ls %t/name.o %t/name.so %t/name.h
// RUN: head-opt %t/name.mlir --name=mine --target=cuda -o %t/mine.o
// RUN: ls %t/mine.h

// RUN: not head-opt %t/nothing.mlir --target=cuda -o %t/nothing.o 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not head-opt %t/nothing.mlir --target=cuda --emit=ptx -o %t/nothing.ptx 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not head-opt %t/nothing.mlir --target=vulkan:8 -o %t/nothing.o 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not head-opt %t/nothing.mlir -o %t/nothing.o 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING:     {{^}}head-opt: error: {{.*}}nothing.mlir: an extent of 'tensor<0x5xf32>' is 0, so there is nothing to compute; give the head 1 or more there{{$}}
// NOTHING-NOT: {{.}}

// A block of small sub-groups has as few threads as all devices take; those of NVIDIA's
// and AMD's take 1024.
// RUN: head-opt %t/long.mlir --target=vulkan:4 --emit=asm -o - | FileCheck %s --check-prefix=SMALL
// RUN: head-opt %t/long.mlir --target=vulkan:8 --emit=asm -o - | FileCheck %s --check-prefix=LARGE
// RUN: head-opt %t/long.mlir --target=cuda --emit=ptx -o - | FileCheck %s --check-prefix=NVIDIA
// RUN: head-opt %t/long.mlir --target=rocm:gfx90a --emit=llvm -o - | FileCheck %s --check-prefix=AMD
// SMALL: spirv.ExecutionMode @head_pool_blocks_0 "LocalSize", 128, 1, 1
// LARGE: spirv.ExecutionMode @head_pool_blocks_0 "LocalSize", 256, 1, 1
// NVIDIA: .maxntid 1024, 1, 1
// AMD: "amdgpu-flat-work-group-size"="1024,1024"

//--- head.mlir
// HEADER:     a GPU of NVIDIA's
// ONE-SAME:   (sm_90a).
// LATER-SAME: (sm_90 or later).
// HEADER:     One line about this thread's last error, with the driver's words; "" when there
// HEADER-NEXT: was none. A later success leaves it alone. Valid until the thread's next error.
// HEADER-NEXT: const char *head_cuda_error(void);
func.func @head(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %y = linalg.add ins(%x, %x : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

//--- name.mlir
func.func @"my-head.1 x"(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %y = linalg.add ins(%x, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

//--- nothing.mlir
func.func @head(%x: tensor<0x5xf32>) -> tensor<0x5xf32> {
  %e = tensor.empty() : tensor<0x5xf32>
  %y = linalg.add ins(%x, %x : tensor<0x5xf32>, tensor<0x5xf32>) outs(%e : tensor<0x5xf32>) -> tensor<0x5xf32>
  return %y : tensor<0x5xf32>
}

//--- long.mlir
func.func @head(%x: tensor<3x8193xf32>) -> tensor<3xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<3x8193xf32>) outs(%i : tensor<3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  return %y : tensor<3xf32>
}
