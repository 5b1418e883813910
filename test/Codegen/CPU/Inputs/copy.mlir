// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The smallest head.

func.func @head(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}
