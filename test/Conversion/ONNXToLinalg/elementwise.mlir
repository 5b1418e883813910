// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions per element, and how their operands are broadcast.
//
// RUN: head-opt %s --convert-onnx-to-linalg --split-input-file \
// RUN:   --verify-diagnostics | FileCheck %s

// Not max, which a NaN or a zero's sign makes several instructions.
// CHECK-LABEL: func.func @relu(
// CHECK:         ^bb0(%[[X:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT:      %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT:      %[[BELOW:.*]] = arith.cmpf ogt, %[[ZERO]], %[[X]] : f32
// CHECK-NEXT:      arith.select %[[BELOW]], %[[ZERO]], %[[X]] : f32
func.func @relu(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = onnx.Relu(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// CHECK-LABEL: func.func @sigmoid_half(
// CHECK:         ^bb0(%[[X:.*]]: f16, %{{.*}}: f16):
// CHECK-NEXT:      %[[WIDE:.*]] = arith.extf %[[X]] : f16 to f32
// CHECK:           arith.negf %[[WIDE]]
// CHECK-NEXT:      math.exp
// CHECK:           arith.addf
// CHECK:           %[[Y:.*]] = arith.divf
// CHECK-NEXT:      arith.truncf %[[Y]] : f32 to f16
func.func @sigmoid_half(%x: tensor<?x4xf16>) -> tensor<?x4xf16> {
  %y = onnx.Sigmoid(%x) : (tensor<?x4xf16>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// -----

// A constant that is one number everywhere is no operand.
// CHECK-LABEL: func.func @number(
// CHECK:         linalg.generic {{.*}} ins(%{{[a-z0-9]+}} : tensor<?x4xf32>)
// CHECK:           %[[N:.*]] = arith.constant 2.500000e-01 : f32
// CHECK-NEXT:      arith.mulf %{{.*}}, %[[N]] : f32
func.func @number(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %n = onnx.initializer "n" dense<0.25> : tensor<1x1xf32> -> tensor<1x1xf32>
  %y = onnx.Mul(%x, %n) : (tensor<?x4xf32>, tensor<1x1xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// The same batch twice: nothing is asked at run time.
// CHECK-LABEL: func.func @same_batch(
// CHECK-NOT:     arith.cmpi
// CHECK-NOT:     tensor.extract
func.func @same_batch(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = onnx.initializer "w" dense<1.0> : tensor<4x4xf32> -> tensor<4x4xf32>
  %g = onnx.Gemm(%x, %w) : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %y = onnx.Add(%x, %g) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Two extents that may be 1 each.
// CHECK-LABEL: func.func @two_batches(
// CHECK-SAME:    %[[A:.*]]: tensor<?x4xf32>, %[[B:.*]]: tensor<?x4xf32>
// CHECK:         %[[IS_ONE:.*]] = arith.cmpi eq
// CHECK:         %[[SIZE:.*]] = arith.select %[[IS_ONE]]
// CHECK:         tensor.empty(%[[SIZE]])
// CHECK:         linalg.generic
// CHECK:           linalg.index 0
// CHECK:           tensor.extract %[[A]]
// CHECK:           tensor.extract %[[B]]
func.func @two_batches(%a: tensor<?x4xf32>, %b: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = onnx.Add(%a, %b) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Bounds from opset 11 on are inputs; a bound that is left out is the type's.
// CHECK-LABEL: func.func @clip(
// CHECK:           %[[LOW:.*]] = arith.constant 0.000000e+00 : f32
// CHECK:           %[[X:.*]] = arith.select %{{.*}}, %[[LOW]],
// CHECK:           %[[HIGH:.*]] = arith.constant 3.40282347E+38 : f32
// CHECK:           arith.cmpf ogt, %[[X]], %[[HIGH]]
func.func @clip(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %l = onnx.initializer "l" dense<0.0> : tensor<f32> -> tensor<f32>
  %y = onnx.Clip(%x, %l) : (tensor<?x4xf32>, tensor<f32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Unsigned integers are compared as such, and lose their sign.
// CHECK-LABEL: func.func @unsigned(
// CHECK-SAME:    %{{.*}}: tensor<?xi8>, %{{.*}}: tensor<?xi8>) -> tensor<?xi1>
// CHECK:         arith.cmpi ugt
func.func @unsigned(%a: tensor<?xui8>, %b: tensor<?xui8>) -> tensor<?xi1> {
  %y = onnx.Greater(%a, %b) : (tensor<?xui8>, tensor<?xui8>) -> tensor<?xi1>
  return %y : tensor<?xi1>
}

// -----

// CHECK-LABEL: func.func @cast(
// CHECK:         arith.truncf %{{.*}} : f64 to f16
// CHECK:         arith.uitofp %{{.*}} : i8 to f32
// CHECK:         arith.cmpf une
func.func @cast(%a: tensor<?xf64>, %b: tensor<?xui8>, %c: tensor<?xf16>) -> (tensor<?xf16>, tensor<?xf32>, tensor<?xi1>) {
  %x = onnx.Cast(%a) {to = 10 : i64} : (tensor<?xf64>) -> tensor<?xf16>
  %y = onnx.Cast(%b) {to = 1 : i64} : (tensor<?xui8>) -> tensor<?xf32>
  %z = onnx.Cast(%c) {to = 9 : i64} : (tensor<?xf16>) -> tensor<?xi1>
  return %x, %y, %z : tensor<?xf16>, tensor<?xf32>, tensor<?xi1>
}

// -----

// Opset 6: the second operand belongs to the axes from `axis` on.
// CHECK-DAG:   #[[CHANNEL:.*]] = affine_map<(d0, d1, d2) -> (d1)>
// CHECK-LABEL: func.func @old_broadcast(
// CHECK:         linalg.generic {indexing_maps = [#{{.*}}, #[[CHANNEL]], #{{.*}}]
module attributes {onnx.model = {ir_version = 3 : i64, opset_imports = [{domain = "", version = 6 : i64}]}} {
  func.func @old_broadcast(%a: tensor<?x3x3xf32>, %b: tensor<3xf32>) -> tensor<?x3x3xf32> {
    %y = onnx.Add(%a, %b) {axis = 1 : i64, broadcast = 1 : i64} : (tensor<?x3x3xf32>, tensor<3xf32>) -> tensor<?x3x3xf32>
    return %y : tensor<?x3x3xf32>
  }
}

// -----

// Opset 1 had fewer digits.
// CHECK-LABEL: func.func @old_selu(
// CHECK-DAG:     arith.constant 1.673200e+00 : f32
// CHECK-DAG:     arith.constant 1.050700e+00 : f32
module attributes {onnx.model = {ir_version = 3 : i64, opset_imports = [{domain = "", version = 5 : i64}]}} {
  func.func @old_selu(%a: tensor<?x3xf32>) -> tensor<?x3xf32> {
    %y = onnx.Selu(%a) : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// Without `broadcast` the shapes have to be the same.
module attributes {onnx.model = {ir_version = 3 : i64, opset_imports = [{domain = "", version = 6 : i64}]}} {
  func.func @old_without_broadcast(%a: tensor<?x3xf32>, %b: tensor<3xf32>) -> tensor<?x3xf32> {
    // expected-error@+1 {{its operands do not fit each other}}
    %y = onnx.Add(%a, %b) : (tensor<?x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// A square is a product, whatever type the exponent has.
// CHECK-LABEL: func.func @square(
// CHECK-NOT:     math.powf
// CHECK:         arith.mulf
func.func @square(%x: tensor<?x3xf16>) -> tensor<?x3xf16> {
  %b = onnx.initializer "b" dense<2> : tensor<i64> -> tensor<i64>
  %y = onnx.Pow(%x, %b) : (tensor<?x3xf16>, tensor<i64>) -> tensor<?x3xf16>
  return %y : tensor<?x3xf16>
}

// -----

func.func @unlike_pow(%a: tensor<?x3xf32>, %b: tensor<3xi32>) -> tensor<?x3xf32> {
  // expected-error@+1 {{node 'Pow' (Pow) is not lowered: its exponents have another type than its input; cast them}}
  %y = onnx.Pow(%a, %b) : (tensor<?x3xf32>, tensor<3xi32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// -----

func.func @no_lowering(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %a = onnx.Relu(%x) : (tensor<?x3xf32>) -> tensor<?x3xf32>
  // expected-error@+1 {{node 'large' (GlobalMaxPool) is not lowered: its input is no map of floating-point numbers}}
  %y = onnx.GlobalMaxPool(%a) {node_name = "large"} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// -----

func.func @generic(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  // expected-error@+1 {{node 'sorted' (TopK) is not lowered: this operator has no lowering}}
  %y = onnx.node "TopK"(%x) attributes {outs = ["sorted"]} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
