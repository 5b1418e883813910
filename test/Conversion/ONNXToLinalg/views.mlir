// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Views: collapse_shape and expand_shape that carry the batch through, never
// tensor.reshape.
//
// RUN: head-opt %s --convert-onnx-to-linalg --split-input-file \
// RUN:   --verify-diagnostics | FileCheck %s --implicit-check-not=tensor.reshape

// CHECK-LABEL: func.func @flatten(
// CHECK-NEXT:    %[[Y:.*]] = tensor.collapse_shape %{{.*}} {{\[}}[0], [1, 2, 3]] : tensor<?x8x2x3xf32> into tensor<?x48xf32>
// CHECK-NEXT:    return %[[Y]]
func.func @flatten(%x: tensor<?x8x2x3xf32>) -> tensor<?x48xf32> {
  %y = onnx.Flatten(%x) : (tensor<?x8x2x3xf32>) -> tensor<?x48xf32>
  return %y : tensor<?x48xf32>
}

// -----

// [0, -1], [-1, 48] and a target that the model computes are the same.
// CHECK-LABEL: func.func @targets(
// CHECK-COUNT-3: tensor.collapse_shape %{{.*}} {{\[}}[0], [1, 2, 3]] : tensor<?x8x2x3xf32> into tensor<?x48xf32>
func.func @targets(%x: tensor<?x8x2x3xf32>) -> (tensor<?x48xf32>, tensor<?x48xf32>, tensor<?x48xf32>) {
  %copy = onnx.initializer "copy" dense<[0, -1]> : tensor<2xi64> -> tensor<2xi64>
  %rest = onnx.initializer "rest" dense<[-1, 48]> : tensor<2xi64> -> tensor<2xi64>
  %zero = onnx.initializer "zero" dense<[0]> : tensor<1xi64> -> tensor<1xi64>
  %minus = onnx.initializer "minus" dense<[-1]> : tensor<1xi64> -> tensor<1xi64>
  %s = onnx.Shape(%x) : (tensor<?x8x2x3xf32>) -> tensor<4xi64>
  %n = onnx.Gather(%s, %zero) : (tensor<4xi64>, tensor<1xi64>) -> tensor<1xi64>
  %t = onnx.Concat(%n, %minus) {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  %a = onnx.Reshape(%x, %copy) : (tensor<?x8x2x3xf32>, tensor<2xi64>) -> tensor<?x48xf32>
  %b = onnx.Reshape(%x, %rest) : (tensor<?x8x2x3xf32>, tensor<2xi64>) -> tensor<?x48xf32>
  %c = onnx.Reshape(%x, %t) : (tensor<?x8x2x3xf32>, tensor<2xi64>) -> tensor<?x48xf32>
  return %a, %b, %c : tensor<?x48xf32>, tensor<?x48xf32>, tensor<?x48xf32>
}

// -----

// Types say all that follows from operators, the function's included.
// CHECK-LABEL: func.func @known_types(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x1x1xf32>) -> tensor<?x8xf32>
// CHECK-NEXT:    tensor.collapse_shape %[[X]] {{\[}}[0], [1, 2, 3]]
func.func @known_types(%x: tensor<?x8x1x1xf32>) -> tensor<?x?xf32> {
  %rest = onnx.initializer "rest" dense<[0, -1]> : tensor<2xi64> -> tensor<2xi64>
  %y = onnx.Reshape(%x, %rest) : (tensor<?x8x1x1xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// CHECK-LABEL: func.func @splits(
// CHECK-SAME:    %[[X:.*]]: tensor<?x12xf32>
// CHECK:         %[[N:.*]] = tensor.dim %[[X]]
// CHECK:         tensor.expand_shape %[[X]] {{\[}}[0], [1, 2]] output_shape [%[[N]], 3, 4]
func.func @splits(%x: tensor<?x12xf32>) -> tensor<?x3x4xf32> {
  %t = onnx.initializer "t" dense<[0, 3, -1]> : tensor<3xi64> -> tensor<3xi64>
  %y = onnx.Reshape(%x, %t) : (tensor<?x12xf32>, tensor<3xi64>) -> tensor<?x3x4xf32>
  return %y : tensor<?x3x4xf32>
}

// -----

// Samples may come to lie in one row: by way of all elements.
// CHECK-LABEL: func.func @mixes(
// CHECK:         %[[ALL:.*]] = tensor.collapse_shape %{{.*}} {{\[}}[0, 1, 2, 3]] : tensor<?x2x?x?xf32> into tensor<?xf32>
// CHECK:         tensor.expand_shape %[[ALL]] {{\[}}[0, 1]] output_shape [%{{.*}}, 8]
func.func @mixes(%x: tensor<?x2x?x?xf32>) -> tensor<?x8xf32> {
  %t = onnx.initializer "t" dense<[-1, 8]> : tensor<2xi64> -> tensor<2xi64>
  %y = onnx.Reshape(%x, %t) : (tensor<?x2x?x?xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Axes of extent 1 may go anywhere without a copy.
// CHECK-LABEL: func.func @transposes(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8x1x1xf32>, %[[Y:.*]]: tensor<?x8x2x3xf32>
// CHECK:         linalg.transpose ins(%[[Y]] : tensor<?x8x2x3xf32>) {{.*}} permutation = [0, 2, 3, 1]
// CHECK-NOT:     linalg.transpose
func.func @transposes(%x: tensor<?x8x1x1xf32>, %y: tensor<?x8x2x3xf32>) -> (tensor<?x1x1x8xf32>, tensor<?x2x3x8xf32>) {
  %b = onnx.Transpose(%y) {perm = array<i64: 0, 2, 3, 1>} : (tensor<?x8x2x3xf32>) -> tensor<?x2x3x8xf32>
  %a = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (tensor<?x8x1x1xf32>) -> tensor<?x1x1x8xf32>
  return %a, %b : tensor<?x1x1x8xf32>, tensor<?x2x3x8xf32>
}

// -----

// CHECK-LABEL: func.func @axes(
// CHECK:         tensor.collapse_shape %{{.*}} {{\[}}[0], [1, 2, 3]]
// CHECK:         tensor.expand_shape %{{.*}} {{\[}}[0], [1, 2, 3]] output_shape [%{{.*}}, 1, 8, 1]
func.func @axes(%x: tensor<?x8x1x1xf32>) -> tensor<?x1x8x1xf32> {
  %two = onnx.initializer "two" dense<[2, -1]> : tensor<2xi64> -> tensor<2xi64>
  %more = onnx.initializer "more" dense<[1, 3]> : tensor<2xi64> -> tensor<2xi64>
  %s = onnx.Squeeze(%x, %two) : (tensor<?x8x1x1xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %y = onnx.Unsqueeze(%s, %more) : (tensor<?x8xf32>, tensor<2xi64>) -> tensor<?x1x8x1xf32>
  return %y : tensor<?x1x8x1xf32>
}

// -----

// CHECK-LABEL: func.func @passes_on(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8xf32>
// CHECK-NEXT:    return %[[X]]
func.func @passes_on(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %i = onnx.Identity(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = onnx.Dropout(%i) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @trains(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %r = onnx.initializer "r" dense<0.5> : tensor<f32> -> tensor<f32>
  %t = onnx.initializer "t" dense<true> : tensor<i1> -> tensor<i1>
  // expected-error@+1 {{node 'Dropout' (Dropout) is not lowered: it is in training mode; export the model for inference}}
  %y = onnx.Dropout(%x, %r, %t) : (tensor<?x8xf32>, tensor<f32>, tensor<i1>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @mask(%x: tensor<?x8xf32>) -> tensor<?x8xi1> {
  // expected-error@+1 {{its output 'mask' is used, and only the first one is lowered}}
  %y, %mask = onnx.Dropout(%x) {outs = ["y", "mask"]} : (tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xi1>)
  return %mask : tensor<?x8xi1>
}

// -----

func.func @target_given_at_run_time(%x: tensor<?x8xf32>, %t: tensor<3xi64>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{node 'Reshape' (Reshape) is not lowered: its target is only known at run time}}
  %y = onnx.Reshape(%x, %t) : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

func.func @squeezes_what_may_be_one(%x: tensor<?x1xf32>) -> tensor<?xf32> {
  // expected-error@+1 {{without axes it drops those that have extent 1, which for axis 0 only a run knows; give the node its axes}}
  %y = onnx.Squeeze(%x) : (tensor<?x1xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
