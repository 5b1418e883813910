// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants, what is computed from them, and what is left behind.
//
// RUN: head-opt %s --convert-onnx-to-linalg --split-input-file \
// RUN:   --verify-diagnostics | FileCheck %s --implicit-check-not=onnx.

// All that the onnx dialect wrote is gone.
// CHECK:       module {
// CHECK-LABEL: func.func @attributes(
// CHECK-SAME:    %[[X:.*]]: tensor<?x2xf32>) -> tensor<?x2xf32> {
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @attributes(%x: tensor<?x2xf32> {onnx.dim_params = ["N", ""], onnx.name = "x"}) -> (tensor<?x2xf32> {onnx.dim_params = ["N", ""], onnx.name = "y"}) attributes {onnx.graph = {name = "g"}} {
    %none = onnx.none
    %low = onnx.initializer "low" dense<0.0> : tensor<f32> -> tensor<f32>
    %y = onnx.Clip(%x, %none, %low) {outs = ["y"]} : (tensor<?x2xf32>, none, tensor<f32>) -> tensor<?x2xf32>
    return %y : tensor<?x2xf32>
  }
}

// -----

// CHECK-LABEL: func.func @kinds(
// CHECK-DAG:     arith.constant dense<2.500000e+00> : tensor<f32>
// CHECK-DAG:     arith.constant dense<[1, 2]> : tensor<2xi64>
// CHECK-DAG:     arith.constant dense<0.000000e+00> : tensor<2x3xf32>
// CHECK-DAG:     arith.constant dense<[1, -1]> : tensor<2xi8>
// CHECK-DAG:     arith.constant dense<[true, false]> : tensor<2xi1>
func.func @kinds() -> (tensor<f32>, tensor<2xi64>, tensor<2x3xf32>, tensor<2xui8>, tensor<2xi1>) {
  %a = onnx.Constant() {value_float = 2.5 : f32} : () -> tensor<f32>
  %b = onnx.Constant() {value_ints = array<i64: 1, 2>} : () -> tensor<2xi64>
  %s = onnx.initializer "s" dense<[2, 3]> : tensor<2xi64> -> tensor<2xi64>
  %c = onnx.ConstantOfShape(%s) : (tensor<2xi64>) -> tensor<2x3xf32>
  %d = onnx.initializer "d" dense<[1, 255]> : tensor<2xui8> -> tensor<2xui8>
  %e = onnx.initializer "e" dense<[true, false]> : tensor<2xi1> -> tensor<2xi1>
  return %a, %b, %c, %d, %e : tensor<f32>, tensor<2xi64>, tensor<2x3xf32>, tensor<2xui8>, tensor<2xi1>
}

// -----

// A weight behind a Transpose and a Cast is a constant; the first forms of it
// are gone.
// CHECK-LABEL: func.func @computed(
// CHECK:         %[[W:.*]] = arith.constant dense<{{\[}}[1.000000e+00, 3.000000e+00], [2.000000e+00, 4.000000e+00]]> : tensor<2x2xf32>
// CHECK-NOT:     f16
// CHECK:         linalg.matmul ins(%{{.*}}, %[[W]] :
func.func @computed(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %h = onnx.initializer "h" dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf16> -> tensor<2x2xf16>
  %c = onnx.Cast(%h) {to = 1 : i64} : (tensor<2x2xf16>) -> tensor<2x2xf32>
  %t = onnx.Transpose(%c) : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = onnx.MatMul(%x, %t) : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// A number that shapes give where all extents are known.
// CHECK-LABEL: func.func @of_shapes(
// CHECK-NEXT:    %[[C:.*]] = arith.constant dense<[2, 3]> : tensor<2xi64>
// CHECK-NEXT:    return %[[C]]
func.func @of_shapes(%x: tensor<2x3xf32>) -> tensor<2xi64> {
  %s = onnx.Shape(%x) : (tensor<2x3xf32>) -> tensor<2xi64>
  return %s : tensor<2xi64>
}

// -----

// CHECK-LABEL: func.func @resource(
// CHECK:         arith.constant dense_resource<blob> : tensor<2xf32>
// CHECK:         blob: "0x040000000000803F00000040"
func.func @resource() -> tensor<2xf32> {
  %w = onnx.initializer "w" dense_resource<blob> : tensor<2xf32> -> tensor<2xf32>
  return %w : tensor<2xf32>
}

{-#
  dialect_resources: {
    builtin: {
      blob: "0x040000000000803F00000040"
    }
  }
#-}

// -----

func.func @elided() -> tensor<2xf32> {
  // expected-error@+1 {{has no data; it was elided when the file was printed}}
  %w = onnx.initializer "w" dense_resource<gone> : tensor<2xf32> -> tensor<2xf32>
  return %w : tensor<2xf32>
}

// -----

module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @overridable(%x: tensor<?x2xf32>, %in: tensor<2xf32> {onnx.name = "w"}) -> tensor<?x2xf32> {
    // expected-error@+1 {{the initializer 'w' is also a graph input, so callers may override it}}
    %w = onnx.initializer "w" dense<[1.0, 2.0]> : tensor<2xf32> default_of %in : tensor<2xf32> -> tensor<2xf32>
    %y = onnx.Mul(%x, %w) : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
    return %y : tensor<?x2xf32>
  }
}

// -----

func.func @unknown_type(%x: tensor<?x2xf32>) -> !onnx.unknown {
  // expected-error@+1 {{node 'y' (Custom): the type of 'y' is not known; state it in the model's value_info}}
  %y = onnx.node "Custom"(%x) attributes {domain = "other", outs = ["y"]} : (tensor<?x2xf32>) -> !onnx.unknown
  return %y : !onnx.unknown
}

// -----

// expected-error@+1 {{how many axes 'x' has is not known; give the model's inputs shapes}}
func.func @unknown_rank(%x: tensor<*xf32> {onnx.name = "x"}) -> tensor<*xf32> {
  %y = onnx.Relu(%x) : (tensor<*xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

// expected-error@+1 {{axis 1 of 'x', 'tensor<?x0x7xf32>', has the extent 0, so there is nothing to compute; give the model 1 or more there}}
func.func @no_positions(%x: tensor<?x0x7xf32> {onnx.name = "x"}) -> tensor<?x0x7xf32> {
  %y = onnx.Relu(%x) {outs = ["y"]} : (tensor<?x0x7xf32>) -> tensor<?x0x7xf32>
  return %y : tensor<?x0x7xf32>
}

// -----

// expected-error@+1 {{axis 1 of 'y', 'tensor<?x0xf32>', has the extent 0}}
func.func @no_outputs(%x: tensor<?x2xf32>) -> tensor<?x0xf32> {
  %w = onnx.initializer "w" dense<> : tensor<2x0xf32> -> tensor<2x0xf32>
  %y = onnx.MatMul(%x, %w) {outs = ["y"]} : (tensor<?x2xf32>, tensor<2x0xf32>) -> tensor<?x0xf32>
  return %y : tensor<?x0xf32>
}

// -----

// expected-error@+1 {{'x' has elements of type '!onnx.string', which are not lowered}}
func.func @strings(%x: tensor<?x!onnx.string> {onnx.name = "x"}) -> tensor<?x!onnx.string> {
  %y = onnx.Identity(%x) : (tensor<?x!onnx.string>) -> tensor<?x!onnx.string>
  return %y : tensor<?x!onnx.string>
}
