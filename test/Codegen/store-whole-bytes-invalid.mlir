// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --split-input-file --verify-diagnostics --store-whole-bytes

func.func @compare(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xi1> {
  // expected-error @+1 {{store-whole-bytes: cannot store what arith.cmpf computes with as bytes; write it as linalg.generic}}
  %c = arith.cmpf olt, %x, %y : tensor<4xf32>
  return %c : tensor<4xi1>
}

// -----

func.func @select(%c: tensor<4xi1>, %x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{store-whole-bytes: cannot store what arith.select computes with as bytes; write it as linalg.generic}}
  %z = arith.select %c, %x, %y : tensor<4xi1>, tensor<4xf32>
  return %z : tensor<4xf32>
}

// -----

// As many bits as there are elements, which are not as many bytes.
func.func @packed() -> tensor<9xi1> {
  // expected-error @+1 {{store-whole-bytes: the data of a constant of type 'tensor<9xi1>' is not there, or not whole bytes for each element}}
  %m = arith.constant dense_resource<packed> : tensor<9xi1>
  return %m : tensor<9xi1>
}

{-#
  dialect_resources: {
    builtin: {
      packed: "0x01000000FF01"
    }
  }
#-}

// -----

func.func @elided() -> tensor<9xi1> {
  // expected-error @+1 {{is not there, or not whole bytes for each element}}
  %m = arith.constant dense_resource<__elided__> : tensor<9xi1>
  return %m : tensor<9xi1>
}
