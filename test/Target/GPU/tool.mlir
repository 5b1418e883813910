// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tool says of heads in linalg for devices, in one line, and the header.
//
// RUN: rm -rf %t && split-file %s %t
// A block of small sub-groups has as few threads as all devices take.
// RUN: head-opt %t/long.mlir --target=vulkan:4 --emit=asm -o - | FileCheck %s --check-prefix=SMALL
// RUN: head-opt %t/long.mlir --target=vulkan:8 --emit=asm -o - | FileCheck %s --check-prefix=LARGE
// SMALL: spirv.ExecutionMode @head_pool_blocks_0 "LocalSize", 128, 1, 1
// LARGE: spirv.ExecutionMode @head_pool_blocks_0 "LocalSize", 256, 1, 1

//--- long.mlir
func.func @head(%x: tensor<3x1101xf32>) -> tensor<3xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<3x1101xf32>) outs(%i : tensor<3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  return %y : tensor<3xf32>
}
