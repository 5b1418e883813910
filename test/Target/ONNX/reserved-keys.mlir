// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What MLIR text says of where bytes are must not be able to point at memory
// that is no tensor of the model.
//
// RUN: split-file %s %t
// RUN: not head-opt %t/no-such-data.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=DATA
// RUN: not head-opt %t/no-such-data.mlir -o %t/out.onnxtxt 2>&1 | FileCheck %s --check-prefix=DATA
// RUN: not head-opt %t/no-offset.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=OFFSET
// RUN: not ls %t/out.onnx %t/out.onnxtxt
// DATA: error: {{.*}}: a tensor refers to data that is not there
// OFFSET: error: {{.*}}: a tensor has no number for 'headopt.offset'

//--- no-such-data.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<4xf32> {onnx.name = "x"}) -> (tensor<4xf32> {onnx.name = "y"}) attributes {onnx.graph = {name = "g"}} {
    %w = onnx.initializer "w" #onnx.tensor<elements = dense<1.0> : tensor<4xf32>, rest = "external_data { key: 'headopt.file' value: '' } external_data { key: 'headopt.offset' value: '4096' } external_data { key: 'headopt.length' value: '16' }"> -> tensor<4xf32>
    %y = onnx.Add(%x, %w) {outs = ["y"]} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    return %y : tensor<4xf32>
  }
}
//--- no-offset.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<4xf32> {onnx.name = "x"}) -> (tensor<4xf32> {onnx.name = "y"}) attributes {onnx.graph = {name = "g"}} {
    %w = onnx.initializer "w" #onnx.tensor<elements = dense<1.0> : tensor<4xf32>, rest = "external_data { key: 'headopt.file' value: '' } external_data { key: 'headopt.length' value: '16' }"> -> tensor<4xf32>
    %y = onnx.Add(%x, %w) {outs = ["y"]} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    return %y : tensor<4xf32>
  }
}
