// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Softmax, LogSoftmax and BatchNormalization, under the opset that the model
// imports.
//
// RUN: head-opt %s --convert-onnx-to-linalg --split-input-file \
// RUN:   --verify-diagnostics | FileCheck %s

// CHECK-DAG:   #[[ROW:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-LABEL: func.func @softmax(
// CHECK-SAME:    %[[X:.*]]: tensor<?x4xf32>
// CHECK:         arith.constant 0xFF800000 : f32
// CHECK:         %[[MAX:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]
// CHECK:           arith.maximumf
// CHECK:         %[[EXP:.*]] = linalg.generic {indexing_maps = [#{{.*}}, #[[ROW]], #{{.*}}]{{.*}} ins(%[[X]], %[[MAX]] :
// CHECK:           arith.subf
// CHECK-NEXT:      math.exp
// CHECK:         %[[SUM:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]{{.*}} ins(%[[EXP]] :
// CHECK:           arith.addf
// CHECK:         linalg.generic {{.*}} ins(%[[EXP]], %[[SUM]] :
// CHECK:           arith.divf
func.func @softmax(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = onnx.Softmax(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// One axis from opset 13 on, the last by default.
// CHECK-LABEL: func.func @new(
// CHECK:         iterator_types = ["parallel", "parallel", "reduction"]
func.func @new(%x: tensor<?x4x5xf16>) -> tensor<?x4x5xf16> {
  %y = onnx.Softmax(%x) : (tensor<?x4x5xf16>) -> tensor<?x4x5xf16>
  return %y : tensor<?x4x5xf16>
}

// -----

// All axes from 1 on before that.
// CHECK-LABEL: func.func @old(
// CHECK:         iterator_types = ["parallel", "reduction", "reduction"]
// CHECK:         math.log
module attributes {onnx.model = {ir_version = 6 : i64, opset_imports = [{domain = "", version = 11 : i64}]}} {
  func.func @old(%x: tensor<?x4x5xf32>) -> tensor<?x4x5xf32> {
    %y = onnx.LogSoftmax(%x) : (tensor<?x4x5xf32>) -> tensor<?x4x5xf32>
    return %y : tensor<?x4x5xf32>
  }
}

// -----

// The factor once for each channel.
// CHECK-DAG:   #[[CHANNEL:.*]] = affine_map<(d0, d1, d2) -> (d1)>
// CHECK-LABEL: func.func @batch_norm(
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel"]
// CHECK:           math.sqrt
// CHECK:         linalg.generic {indexing_maps = [#{{.*}}, #[[CHANNEL]], #[[CHANNEL]], #[[CHANNEL]], #{{.*}}]
// CHECK:           arith.subf
// CHECK-NEXT:      arith.mulf
// CHECK-NEXT:      arith.addf
func.func @batch_norm(%x: tensor<?x4x5xf32>, %s: tensor<4xf32>, %b: tensor<4xf32>, %m: tensor<4xf32>, %v: tensor<4xf32>) -> tensor<?x4x5xf32> {
  %y = onnx.BatchNormalization(%x, %s, %b, %m, %v) : (tensor<?x4x5xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4x5xf32>
  return %y : tensor<?x4x5xf32>
}

// -----

// Parameters of other types: the factor in the widest, the rest as the data.
// CHECK-LABEL: func.func @parameters_of_other_types(
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<4xf64>, tensor<4xf32>) outs(%{{.*}} : tensor<4xf32>)
// CHECK:           arith.extf %{{.*}} : f32 to f64
// CHECK:           math.sqrt %{{.*}} : f64
// CHECK:           arith.divf %{{.*}} : f64
// CHECK:           arith.truncf %{{.*}} : f64 to f32
// CHECK:         linalg.generic {{.*}} outs(%{{.*}} : tensor<?x4xf16>)
// CHECK:           arith.extf %{{.*}} : f16 to f32
// CHECK:           arith.mulf %{{.*}} : f32
// CHECK:           arith.truncf %{{.*}} : f64 to f32
// CHECK:           arith.addf %{{.*}} : f32
func.func @parameters_of_other_types(%x: tensor<?x4xf16>, %s: tensor<4xf64>, %b: tensor<4xf64>, %m: tensor<4xf32>, %v: tensor<4xf32>) -> tensor<?x4xf16> {
  %y = onnx.BatchNormalization(%x, %s, %b, %m, %v) : (tensor<?x4xf16>, tensor<4xf64>, tensor<4xf64>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// -----

func.func @integers(%x: tensor<?x4xf32>, %s: tensor<4xi32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{it has parameters that are no lists of one floating-point number for each channel}}
  %y = onnx.BatchNormalization(%x, %s, %s, %s, %s) : (tensor<?x4xf32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @other_channels(%x: tensor<?x4xf32>, %s: tensor<1xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{it has parameters that are no lists of one floating-point number for each channel}}
  %y = onnx.BatchNormalization(%x, %s, %s, %s, %s) : (tensor<?x4xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @training(%x: tensor<?x4xf32>, %s: tensor<4xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{node 'BatchNormalization' (BatchNormalization) is not lowered: it is in training mode; export the model for inference}}
  %y:3 = onnx.BatchNormalization(%x, %s, %s, %s, %s) {training_mode = 1 : i64} : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %y#0 : tensor<?x4xf32>
}

// -----

// Before opset 14 outputs say so.
module attributes {onnx.model = {ir_version = 4 : i64, opset_imports = [{domain = "", version = 9 : i64}]}} {
  func.func @training_outputs(%x: tensor<?x4xf32>, %s: tensor<4xf32>) -> tensor<?x4xf32> {
    // expected-error@+1 {{node 'y' (BatchNormalization) is not lowered: it has outputs of training}}
    %y:5 = onnx.BatchNormalization(%x, %s, %s, %s, %s) {outs = ["y", "m", "v", "sm", "sv"]} : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
    return %y#0 : tensor<?x4xf32>
  }
}

// -----

module attributes {onnx.model = {ir_version = 3 : i64, opset_imports = [{domain = "", version = 6 : i64}]}} {
  func.func @training_by_default(%x: tensor<?x4xf32>, %s: tensor<4xf32>) -> tensor<?x4xf32> {
    // expected-error@+1 {{it is in training mode}}
    %y = onnx.BatchNormalization(%x, %s, %s, %s, %s) : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    return %y : tensor<?x4xf32>
  }
}

// -----

func.func @no_axis(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{its axis is none of its input}}
  %y = onnx.Softmax(%x) {axis = 2 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Two means in f32, over all axes from 1 on.
// CHECK-LABEL: func.func @layer_norm(
// CHECK-COUNT-2: iterator_types = ["parallel", "reduction", "reduction"]
// CHECK:         math.sqrt
// CHECK:         arith.truncf
// CHECK-NOT:     arith.truncf
func.func @layer_norm(%x: tensor<?x4x5xf16>, %s: tensor<4x5xf16>) -> tensor<?x4x5xf16> {
  %y = onnx.LayerNormalization(%x, %s) {axis = 1 : i64} : (tensor<?x4x5xf16>, tensor<4x5xf16>) -> tensor<?x4x5xf16>
  return %y : tensor<?x4x5xf16>
}

// -----

func.func @statistics(%x: tensor<?x4xf32>, %s: tensor<4xf32>) -> tensor<?x1xf32> {
  // expected-error@+1 {{its output 'm' is used, and only the first one is lowered}}
  %y, %m = onnx.LayerNormalization(%x, %s) {outs = ["y", "m"]} : (tensor<?x4xf32>, tensor<4xf32>) -> (tensor<?x4xf32>, tensor<?x1xf32>)
  return %m : tensor<?x1xf32>
}
