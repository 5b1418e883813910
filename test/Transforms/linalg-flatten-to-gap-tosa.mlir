// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// TOSA needs no reader of its own: upstream's conversion to linalg in front makes
// heads of it that linalg-flatten-to-gap reads.
//
// RUN: mlir-opt %s --load-pass-plugin=%plugin --pass-pipeline='builtin.module(func.func(tosa-to-linalg-named,canonicalize,tosa-to-linalg,tosa-to-tensor,tosa-to-arith),canonicalize,linalg-flatten-to-gap)' | FileCheck %s

// CHECK-LABEL: func.func @matmul
// CHECK:           arith.divf
// CHECK:         linalg.batch_matmul {{.*}}tensor<1x3x2xf32>, tensor<1x2x1xf32>
func.func @matmul(%x: tensor<3x2x2x2xf32>) -> tensor<3x1xf32> {
  %w = "tosa.const"() {values = dense<[[[1.0], [2.0], [1.0], [2.0], [1.0], [2.0], [1.0], [2.0]]]> : tensor<1x8x1xf32>} : () -> tensor<1x8x1xf32>
  %b = "tosa.const"() {values = dense<[[3.0]]> : tensor<1x1xf32>} : () -> tensor<1x1xf32>
  %zp = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %s = tosa.const_shape {values = dense<[1, 3, 8]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %f = tosa.reshape %x, %s : (tensor<3x2x2x2xf32>, !tosa.shape<3>) -> tensor<1x3x8xf32>
  %y = tosa.matmul %f, %w, %zp, %zp : (tensor<1x3x8xf32>, tensor<1x8x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x1xf32>
  %t = tosa.const_shape {values = dense<[3, 1]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %z = tosa.reshape %y, %t : (tensor<1x3x1xf32>, !tosa.shape<2>) -> tensor<3x1xf32>
  %r = tosa.add %z, %b : (tensor<3x1xf32>, tensor<1x1xf32>) -> tensor<3x1xf32>
  return %r : tensor<3x1xf32>

// CHECK-LABEL: func.func @conv
// CHECK:           arith.divf
// CHECK:         linalg.conv_2d_nhwc_fhwc {{.*}}tensor<3x1x1x2xf32>, tensor<1x1x1x2xf32>
}
func.func @conv(%x: tensor<3x2x2x2xf32>) -> tensor<3x1x1x1xf32> {
  %w = "tosa.const"() {values = dense<[[[[1.0, 2.0], [1.0, 2.0]], [[1.0, 2.0], [1.0, 2.0]]]]> : tensor<1x2x2x2xf32>} : () -> tensor<1x2x2x2xf32>
  %b = "tosa.const"() {values = dense<[3.0]> : tensor<1xf32>} : () -> tensor<1xf32>
  %zp = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %y = tosa.conv2d %x, %w, %b, %zp, %zp {acc_type = f32, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<3x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<3x1x1x1xf32>
  return %y : tensor<3x1x1x1xf32>
}

// CHECK-LABEL: func.func @uneven
// CHECK-NOT:       arith.divf
// CHECK:         linalg.batch_matmul {{.*}}tensor<1x3x8xf32>, tensor<1x8x1xf32>
func.func @uneven(%x: tensor<3x2x2x2xf32>) -> tensor<1x3x1xf32> {
  %w = "tosa.const"() {values = dense<[[[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]]]> : tensor<1x8x1xf32>} : () -> tensor<1x8x1xf32>
  %zp = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %s = tosa.const_shape {values = dense<[1, 3, 8]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %f = tosa.reshape %x, %s : (tensor<3x2x2x2xf32>, !tosa.shape<3>) -> tensor<1x3x8xf32>
  %y = tosa.matmul %f, %w, %zp, %zp : (tensor<1x3x8xf32>, tensor<1x8x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x1xf32>
  return %y : tensor<1x3x1xf32>
}
