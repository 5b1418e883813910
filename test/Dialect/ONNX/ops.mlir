// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every operation, type and attribute of the onnx dialect, printed as it is
// written, in pretty and in generic form and through bytecode, by head-opt and
// by stock mlir-opt with the plugin.
//
// RUN: head-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: head-opt %s --split-input-file | head-opt --split-input-file - | FileCheck %s
// RUN: head-opt %s --split-input-file --mlir-print-op-generic | head-opt --split-input-file - | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --split-input-file --mlir-print-op-generic \
// RUN:   | mlir-opt --load-dialect-plugin=%plugin --split-input-file | FileCheck %s

// CHECK-LABEL: func.func private @types(
// CHECK-SAME:    %{{[^:]*}}: tensor<2x!onnx.string>,
// CHECK-SAME:    %{{[^:]*}}: !onnx.unknown,
// CHECK-SAME:    %{{[^:]*}}: !onnx.sequence<tensor<?xf32>>,
// CHECK-SAME:    %{{[^:]*}}: !onnx.optional<!onnx.sequence<tensor<*x!onnx.string>>>,
// CHECK-SAME:    %{{[^:]*}}: none,
// CHECK-SAME:    %{{[^:]*}}: tensor<i1>, %{{[^:]*}}: tensor<ui8>, %{{[^:]*}}: tensor<complex<f64>>)
func.func private @types(%a: tensor<2x!onnx.string>, %b: !onnx.unknown,
                         %c: !onnx.sequence<tensor<?xf32>>,
                         %d: !onnx.optional<!onnx.sequence<tensor<*x!onnx.string>>>,
                         %e: none, %f: tensor<i1>, %g: tensor<ui8>,
                         %h: tensor<complex<f64>>) {
  return
}

// -----

// Narrow and packed element types, all of which have a literal.
// CHECK-LABEL: func.func @elements
// CHECK:         onnx.initializer "e4m3fn" dense<[1.000000e+00, -2.000000e+00]> : tensor<2xf8E4M3FN> -> tensor<2xf8E4M3FN>
// CHECK:         onnx.initializer "e4m3fnuz" dense<5.000000e-01> : tensor<2xf8E4M3FNUZ> -> tensor<2xf8E4M3FNUZ>
// CHECK:         onnx.initializer "e5m2" dense<1.500000e+00> : tensor<f8E5M2> -> tensor<f8E5M2>
// CHECK:         onnx.initializer "e5m2fnuz" dense<3.000000e+00> : tensor<f8E5M2FNUZ> -> tensor<f8E5M2FNUZ>
// CHECK:         onnx.initializer "e8m0" dense<4.000000e+00> : tensor<1xf8E8M0FNU> -> tensor<1xf8E8M0FNU>
// CHECK:         onnx.initializer "e2m1" dense<[5.000000e-01, -6.000000e+00]> : tensor<2xf4E2M1FN> -> tensor<2xf4E2M1FN>
// CHECK:         onnx.initializer "e2m3" dense<[1.250000e-01, 7.500000e+00]> : tensor<2xf6E2M3FN> -> tensor<2xf6E2M3FN>
// CHECK:         onnx.initializer "e3m2" dense<[6.250000e-02, 2.800000e+01]> : tensor<2xf6E3M2FN> -> tensor<2xf6E3M2FN>
// CHECK:         onnx.initializer "i4" dense<[-8, 7]> : tensor<2xi4> -> tensor<2xi4>
// CHECK:         onnx.initializer "ui4" dense<[0, 15]> : tensor<2xui4> -> tensor<2xui4>
// CHECK:         onnx.initializer "i2" dense<[-2, 1]> : tensor<2xi2> -> tensor<2xi2>
// CHECK:         onnx.initializer "ui2" dense<[0, 3]> : tensor<2xui2> -> tensor<2xui2>
// CHECK:         onnx.initializer "bool" dense<[true, false]> : tensor<2xi1> -> tensor<2xi1>
// CHECK:         onnx.initializer "i64" dense<-1> : tensor<1xi64> -> tensor<1xi64>
// CHECK:         onnx.initializer "ui64" dense<18446744073709551615> : tensor<1xui64> -> tensor<1xui64>
// CHECK:         onnx.initializer "f16" dense<1.000000e+00> : tensor<1xf16> -> tensor<1xf16>
// CHECK:         onnx.initializer "bf16" dense<1.000000e+00> : tensor<1xbf16> -> tensor<1xbf16>
// CHECK:         onnx.initializer "nan" dense<0x7FC00001> : tensor<1xf32> -> tensor<1xf32>
// CHECK:         onnx.initializer "complex" dense<(1.000000e+00,-2.000000e+00)> : tensor<1xcomplex<f32>> -> tensor<1xcomplex<f32>>
// CHECK:         onnx.initializer "string" dense<["a", "\0A\22"]> : tensor<2x!onnx.string> -> tensor<2x!onnx.string>
// CHECK:         onnx.initializer "empty" dense<> : tensor<0x3xf32> -> tensor<0x3xf32>
func.func @elements() {
  %0 = onnx.initializer "e4m3fn" dense<[1.0, -2.0]> : tensor<2xf8E4M3FN> -> tensor<2xf8E4M3FN>
  %1 = onnx.initializer "e4m3fnuz" dense<0.5> : tensor<2xf8E4M3FNUZ> -> tensor<2xf8E4M3FNUZ>
  %2 = onnx.initializer "e5m2" dense<1.5> : tensor<f8E5M2> -> tensor<f8E5M2>
  %3 = onnx.initializer "e5m2fnuz" dense<3.0> : tensor<f8E5M2FNUZ> -> tensor<f8E5M2FNUZ>
  %4 = onnx.initializer "e8m0" dense<4.0> : tensor<1xf8E8M0FNU> -> tensor<1xf8E8M0FNU>
  %5 = onnx.initializer "e2m1" dense<[0.5, -6.0]> : tensor<2xf4E2M1FN> -> tensor<2xf4E2M1FN>
  %6 = onnx.initializer "e2m3" dense<[0.125, 7.5]> : tensor<2xf6E2M3FN> -> tensor<2xf6E2M3FN>
  %7 = onnx.initializer "e3m2" dense<[0.0625, 28.0]> : tensor<2xf6E3M2FN> -> tensor<2xf6E3M2FN>
  %8 = onnx.initializer "i4" dense<[-8, 7]> : tensor<2xi4> -> tensor<2xi4>
  %9 = onnx.initializer "ui4" dense<[0, 15]> : tensor<2xui4> -> tensor<2xui4>
  %10 = onnx.initializer "i2" dense<[-2, 1]> : tensor<2xi2> -> tensor<2xi2>
  %11 = onnx.initializer "ui2" dense<[0, 3]> : tensor<2xui2> -> tensor<2xui2>
  %12 = onnx.initializer "bool" dense<[true, false]> : tensor<2xi1> -> tensor<2xi1>
  %13 = onnx.initializer "i64" dense<-1> : tensor<1xi64> -> tensor<1xi64>
  %14 = onnx.initializer "ui64" dense<18446744073709551615> : tensor<1xui64> -> tensor<1xui64>
  %15 = onnx.initializer "f16" dense<1.0> : tensor<1xf16> -> tensor<1xf16>
  %16 = onnx.initializer "bf16" dense<1.0> : tensor<1xbf16> -> tensor<1xbf16>
  %17 = onnx.initializer "nan" dense<0x7FC00001> : tensor<1xf32> -> tensor<1xf32>
  %18 = onnx.initializer "complex" dense<(1.0, -2.0)> : tensor<1xcomplex<f32>> -> tensor<1xcomplex<f32>>
  %19 = onnx.initializer "string" dense<["a", "\0A\22"]> : tensor<2x!onnx.string> -> tensor<2x!onnx.string>
  %20 = onnx.initializer "empty" dense<> : tensor<0x3xf32> -> tensor<0x3xf32>
  return
}

// -----

// CHECK-LABEL: func.func @initializers
// CHECK-SAME:    %[[W:.*]]: tensor<2xf32>, %[[S:.*]]: tensor<3xf32>
// CHECK:         %[[D:.*]] = onnx.initializer "w" dense<1.000000e+00> : tensor<2xf32> default_of %[[W]] : tensor<2xf32> -> tensor<2xf32>
// CHECK:         onnx.initializer "file" #onnx.file_data<"/m/vgg \22x\22.onnx", 58860949, 32> : tensor<4x2xf32> -> tensor<4x2xf32>
// CHECK:         onnx.initializer "typed" #onnx.tensor<elements = dense<2> : tensor<1xi32>, typed = true> : tensor<1xi32> -> tensor<1xi32>
// `typed = false` is what absence says. The type after `>` is printed for every
// typed attribute, and may be left out.
// CHECK:         onnx.initializer "rest" #onnx.tensor<elements = dense<2> : tensor<1xi32>, rest = "doc_string: \22d\22"> : tensor<1xi32> -> tensor<1xi32>
// CHECK:         onnx.initializer "both" #onnx.tensor<elements = #onnx.file_data<"f", 0, 4> : tensor<1xf32>, typed = true, rest = "doc_string: \22d\22"> : tensor<1xf32> -> tensor<1xf32>
// CHECK:         onnx.initializer "proto" #onnx.proto<"dims: 1 data_type: 9 int32_data: 2"> -> tensor<1xi1>
// CHECK:         onnx.initializer "resource" dense_resource<blob> : tensor<2xi32> -> tensor<2xi32>
// CHECK:         onnx.sparse_initializer "s" <"values { dims: 1 }"> -> tensor<3xf32>
// CHECK:         onnx.sparse_initializer "s2" <"dims: 3"> default_of %[[S]] : tensor<3xf32> {note = "n"} -> tensor<3xf32>
// CHECK:         return %[[D]]
func.func @initializers(%w: tensor<2xf32>, %s: tensor<3xf32>) -> tensor<2xf32> {
  %0 = onnx.initializer "w" dense<1.0> : tensor<2xf32> default_of %w : tensor<2xf32> -> tensor<2xf32>
  %1 = onnx.initializer "file" #onnx.file_data<"/m/vgg \22x\22.onnx", 58860949, 32> : tensor<4x2xf32> -> tensor<4x2xf32>
  %2 = onnx.initializer "typed" #onnx.tensor<elements = dense<2> : tensor<1xi32>, typed = true> -> tensor<1xi32>
  %3 = onnx.initializer "rest" #onnx.tensor<elements = dense<2> : tensor<1xi32>, typed = false, rest = "doc_string: \22d\22"> -> tensor<1xi32>
  %4 = onnx.initializer "both" #onnx.tensor<elements = #onnx.file_data<"f", 0, 4> : tensor<1xf32>, typed = true, rest = "doc_string: \22d\22"> -> tensor<1xf32>
  %5 = onnx.initializer "proto" #onnx.proto<"dims: 1 data_type: 9 int32_data: 2"> -> tensor<1xi1>
  %6 = onnx.initializer "resource" dense_resource<blob> : tensor<2xi32> -> tensor<2xi32>
  %7 = onnx.sparse_initializer "s" #onnx.proto<"values { dims: 1 }"> -> tensor<3xf32>
  %8 = onnx.sparse_initializer "s2" #onnx.proto<"dims: 3"> default_of %s : tensor<3xf32> {note = "n"} -> tensor<3xf32>
  return %0 : tensor<2xf32>
}

// CHECK: blob: "0x040000000100000002000000"
{-#
  dialect_resources: {
    builtin: {
      blob: "0x040000000100000002000000"
    }
  }
#-}

// -----

// CHECK-LABEL: func.func @bookkeeping
// CHECK:         onnx.Relu(%{{.*}}) {attr_order = [], domain = "ai.onnx", node_name = "r", outs = ["y"], rest = "doc_string: \22d\22"} : (tensor<2xf32>) -> tensor<2xf32>
// CHECK:         onnx.Relu(%{{.*}}) : (!onnx.unknown) -> !onnx.unknown
func.func @bookkeeping(%x: tensor<2xf32>, %u: !onnx.unknown) {
  %0 = onnx.Relu(%x) {attr_order = [], domain = "ai.onnx", node_name = "r", outs = ["y"], rest = "doc_string: \22d\22"} : (tensor<2xf32>) -> tensor<2xf32>
  %1 = onnx.Relu(%u) : (!onnx.unknown) -> !onnx.unknown
  return
}

// -----

// CHECK-LABEL: func.func @constants
// CHECK:         onnx.Constant() {value = dense<1> : tensor<2xi64>} : () -> tensor<2xi64>
// CHECK:         onnx.Constant() {value = #onnx.proto<"t { data_type: 1 } type: TENSOR doc_string: \22d\22">} : () -> tensor<f32>
// CHECK:         onnx.Constant() {value_float = 1.500000e+00 : f32} : () -> tensor<f32>
// CHECK:         onnx.Constant() {value_floats = array<f32: 1.000000e+00, 2.000000e+00>} : () -> tensor<2xf32>
// CHECK:         onnx.Constant() {value_int = -3 : i64} : () -> tensor<i64>
// CHECK:         onnx.Constant() {value_ints = array<i64: 1, 2, 3>} : () -> tensor<3xi64>
// CHECK:         onnx.ConstantOfShape(%{{.*}}) : (tensor<2xi64>) -> tensor<?x?xf32>
// CHECK:         onnx.ConstantOfShape(%{{.*}}) {value = #onnx.tensor<elements = dense<7> : tensor<1xi64>, typed = true> : tensor<1xi64>} : (tensor<2xi64>) -> tensor<*xi64>
func.func @constants() {
  %0 = onnx.Constant() {value = dense<1> : tensor<2xi64>} : () -> tensor<2xi64>
  %1 = onnx.Constant() {value = #onnx.proto<"t { data_type: 1 } type: TENSOR doc_string: \22d\22">} : () -> tensor<f32>
  %2 = onnx.Constant() {value_float = 1.5 : f32} : () -> tensor<f32>
  %3 = onnx.Constant() {value_floats = array<f32: 1.0, 2.0>} : () -> tensor<2xf32>
  %4 = onnx.Constant() {value_int = -3 : i64} : () -> tensor<i64>
  %5 = onnx.Constant() {value_ints = array<i64: 1, 2, 3>} : () -> tensor<3xi64>
  %6 = onnx.ConstantOfShape(%0) : (tensor<2xi64>) -> tensor<?x?xf32>
  %7 = onnx.ConstantOfShape(%0) {value = #onnx.tensor<elements = dense<7> : tensor<1xi64>, typed = true>} : (tensor<2xi64>) -> tensor<*xi64>
  return
}

// -----

// CHECK-LABEL: func.func @views
// CHECK-SAME:    %[[X:[^:]*]]: tensor<1x2x1xf32>, %[[I:[^:]*]]: tensor<?xi64>
// CHECK:         %[[N:.*]] = onnx.none
// CHECK:         onnx.Flatten(%[[X]]) {axis = -1 : i64} : (tensor<1x2x1xf32>) -> tensor<2x1xf32>
// CHECK:         onnx.Reshape(%[[X]], %[[I]]) {allowzero = 1 : i64} : (tensor<1x2x1xf32>, tensor<?xi64>) -> tensor<?x?xf32>
// CHECK:         onnx.Squeeze(%[[X]]) {axes = array<i64: 0, 2>} : (tensor<1x2x1xf32>) -> tensor<2xf32>
// CHECK:         onnx.Squeeze(%[[X]], %[[I]]) : (tensor<1x2x1xf32>, tensor<?xi64>) -> tensor<*xf32>
// CHECK:         onnx.Squeeze(%[[X]], %[[N]]) : (tensor<1x2x1xf32>, none) -> tensor<2xf32>
// CHECK:         onnx.Unsqueeze(%[[X]]) {axes = array<i64: 0>} : (tensor<1x2x1xf32>) -> tensor<1x1x2x1xf32>
// CHECK:         onnx.Unsqueeze(%[[X]], %[[I]]) : (tensor<1x2x1xf32>, tensor<?xi64>) -> tensor<?x?x?x?xf32>
// CHECK:         onnx.Transpose(%[[X]]) {perm = array<i64: 2, 0, 1>} : (tensor<1x2x1xf32>) -> tensor<1x1x2xf32>
// CHECK:         onnx.Transpose(%[[X]]) : (tensor<1x2x1xf32>) -> tensor<1x2x1xf32>
// CHECK:         onnx.Identity(%[[X]]) : (tensor<1x2x1xf32>) -> tensor<1x2x1xf32>
func.func @views(%x: tensor<1x2x1xf32>, %i: tensor<?xi64>) {
  %n = onnx.none
  %0 = onnx.Flatten(%x) {axis = -1 : i64} : (tensor<1x2x1xf32>) -> tensor<2x1xf32>
  %1 = onnx.Reshape(%x, %i) {allowzero = 1 : i64} : (tensor<1x2x1xf32>, tensor<?xi64>) -> tensor<?x?xf32>
  %2 = onnx.Squeeze(%x) {axes = array<i64: 0, 2>} : (tensor<1x2x1xf32>) -> tensor<2xf32>
  %3 = onnx.Squeeze(%x, %i) : (tensor<1x2x1xf32>, tensor<?xi64>) -> tensor<*xf32>
  %4 = onnx.Squeeze(%x, %n) : (tensor<1x2x1xf32>, none) -> tensor<2xf32>
  %5 = onnx.Unsqueeze(%x) {axes = array<i64: 0>} : (tensor<1x2x1xf32>) -> tensor<1x1x2x1xf32>
  %6 = onnx.Unsqueeze(%x, %i) : (tensor<1x2x1xf32>, tensor<?xi64>) -> tensor<?x?x?x?xf32>
  %7 = onnx.Transpose(%x) {perm = array<i64: 2, 0, 1>} : (tensor<1x2x1xf32>) -> tensor<1x1x2xf32>
  %8 = onnx.Transpose(%x) : (tensor<1x2x1xf32>) -> tensor<1x2x1xf32>
  %9 = onnx.Identity(%x) : (tensor<1x2x1xf32>) -> tensor<1x2x1xf32>
  return
}

// -----

// CHECK-LABEL: func.func @elementwise
// CHECK-SAME:    %[[X:[^:]*]]: tensor<2xf32>, %[[R:[^:]*]]: tensor<f32>, %[[T:[^:]*]]: tensor<i1>
// CHECK:         %[[N:.*]] = onnx.none
// CHECK:         onnx.Dropout(%[[X]]) {is_test = 1 : i64, ratio = 5.000000e-01 : f32} : (tensor<2xf32>) -> tensor<2xf32>
// CHECK:         onnx.Dropout(%[[X]], %[[N]], %[[T]]) {seed = 3 : i64} : (tensor<2xf32>, none, tensor<i1>) -> (tensor<2xf32>, tensor<2xi1>)
// CHECK:         onnx.Dropout(%[[X]], %[[R]]) {outs = ["y", ""]} : (tensor<2xf32>, tensor<f32>) -> (tensor<2xf32>, none)
// CHECK:         onnx.Cast(%[[X]]) {round_mode = "up", saturate = 0 : i64, to = 17 : i64} : (tensor<2xf32>) -> tensor<2xf8E4M3FN>
// CHECK:         onnx.Relu(%[[X]]) : (tensor<2xf32>) -> tensor<2xf32>
// CHECK:         onnx.Add(%[[X]], %[[R]]) {axis = 0 : i64, broadcast = 1 : i64} : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
func.func @elementwise(%x: tensor<2xf32>, %r: tensor<f32>, %t: tensor<i1>) {
  %n = onnx.none
  %0 = onnx.Dropout(%x) {is_test = 1 : i64, ratio = 0.5 : f32} : (tensor<2xf32>) -> tensor<2xf32>
  %1:2 = onnx.Dropout(%x, %n, %t) {seed = 3 : i64} : (tensor<2xf32>, none, tensor<i1>) -> (tensor<2xf32>, tensor<2xi1>)
  %2:2 = onnx.Dropout(%x, %r) {outs = ["y", ""]} : (tensor<2xf32>, tensor<f32>) -> (tensor<2xf32>, none)
  %3 = onnx.Cast(%x) {round_mode = "up", saturate = 0 : i64, to = 17 : i64} : (tensor<2xf32>) -> tensor<2xf8E4M3FN>
  %4 = onnx.Relu(%x) : (tensor<2xf32>) -> tensor<2xf32>
  %5 = onnx.Add(%x, %r) {axis = 0 : i64, broadcast = 1 : i64} : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  return
}

// -----

// CHECK-LABEL: func.func @dense
// CHECK-SAME:    %[[X:[^:]*]]: tensor<?x2xf32>, %[[W:[^:]*]]: tensor<2x3xf32>, %[[B:[^:]*]]: tensor<3xf32>
// CHECK:         %[[N:.*]] = onnx.none
// CHECK:         onnx.Gemm(%[[X]], %[[W]]) : (tensor<?x2xf32>, tensor<2x3xf32>) -> tensor<?x3xf32>
// CHECK:         onnx.Gemm(%[[X]], %[[W]], %[[N]]) : (tensor<?x2xf32>, tensor<2x3xf32>, none) -> tensor<?x3xf32>
// CHECK:         onnx.Gemm(%[[X]], %[[W]], %[[B]]) {alpha = 2.000000e+00 : f32, beta = 5.000000e-01 : f32, broadcast = 1 : i64, transA = 0 : i64, transB = 0 : i64} : (tensor<?x2xf32>, tensor<2x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
// CHECK:         onnx.MatMul(%[[X]], %[[W]]) : (tensor<?x2xf32>, tensor<2x3xf32>) -> tensor<?x3xf32>
func.func @dense(%x: tensor<?x2xf32>, %w: tensor<2x3xf32>, %b: tensor<3xf32>) {
  %n = onnx.none
  %0 = onnx.Gemm(%x, %w) : (tensor<?x2xf32>, tensor<2x3xf32>) -> tensor<?x3xf32>
  %1 = onnx.Gemm(%x, %w, %n) : (tensor<?x2xf32>, tensor<2x3xf32>, none) -> tensor<?x3xf32>
  %2 = onnx.Gemm(%x, %w, %b) {alpha = 2.0 : f32, beta = 0.5 : f32, broadcast = 1 : i64, transA = 0 : i64, transB = 0 : i64} : (tensor<?x2xf32>, tensor<2x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  %3 = onnx.MatMul(%x, %w) : (tensor<?x2xf32>, tensor<2x3xf32>) -> tensor<?x3xf32>
  return
}

// -----

// CHECK-LABEL: func.func @pools
// CHECK-SAME:    %[[X:[^:]*]]: tensor<?x3x4x4xf32>, %[[A:[^:]*]]: tensor<2xi64>
// CHECK:         %[[N:.*]] = onnx.none
// CHECK:         onnx.GlobalAveragePool(%[[X]]) : (tensor<?x3x4x4xf32>) -> tensor<?x3x1x1xf32>
// CHECK:         onnx.AveragePool(%[[X]]) {auto_pad = "NOTSET", ceil_mode = 0 : i64, count_include_pad = 1 : i64, dilations = array<i64: 1, 1>, kernel_shape = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<?x3x4x4xf32>) -> tensor<?x3x2x2xf32>
// CHECK:         onnx.ReduceMean(%[[X]]) {axes = array<i64: 2, 3>, keepdims = 0 : i64} : (tensor<?x3x4x4xf32>) -> tensor<?x3xf32>
// CHECK:         onnx.ReduceMean(%[[X]], %[[A]]) : (tensor<?x3x4x4xf32>, tensor<2xi64>) -> tensor<*xf32>
// CHECK:         onnx.ReduceMean(%[[X]], %[[N]]) {noop_with_empty_axes = 1 : i64} : (tensor<?x3x4x4xf32>, none) -> tensor<?x3x4x4xf32>
func.func @pools(%x: tensor<?x3x4x4xf32>, %a: tensor<2xi64>) {
  %n = onnx.none
  %0 = onnx.GlobalAveragePool(%x) : (tensor<?x3x4x4xf32>) -> tensor<?x3x1x1xf32>
  %1 = onnx.AveragePool(%x) {auto_pad = "NOTSET", ceil_mode = 0 : i64, count_include_pad = 1 : i64, dilations = array<i64: 1, 1>, kernel_shape = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<?x3x4x4xf32>) -> tensor<?x3x2x2xf32>
  %2 = onnx.ReduceMean(%x) {axes = array<i64: 2, 3>, keepdims = 0 : i64} : (tensor<?x3x4x4xf32>) -> tensor<?x3xf32>
  %3 = onnx.ReduceMean(%x, %a) : (tensor<?x3x4x4xf32>, tensor<2xi64>) -> tensor<*xf32>
  %4 = onnx.ReduceMean(%x, %n) {noop_with_empty_axes = 1 : i64} : (tensor<?x3x4x4xf32>, none) -> tensor<?x3x4x4xf32>
  return
}

// -----

// CHECK-LABEL: func.func @generic
// CHECK-SAME:    %[[X:[^:]*]]: tensor<1x3x8x8xf32>, %[[W:[^:]*]]: tensor<8x3x3x3xf32>
// CHECK:         %[[N:.*]] = onnx.none
// CHECK:         onnx.node "Conv"(%[[X]], %[[W]]) attributes {node_attrs = {group = 1 : i64, pads = array<i64: 1, 1, 1, 1>}} : (tensor<1x3x8x8xf32>, tensor<8x3x3x3xf32>) -> tensor<1x8x8x8xf32>
// CHECK:         onnx.node "Hold"(%[[N]], %[[X]]) attributes {attr_order = ["s", "a", "t"], domain = "com.example", node_attrs = {a = ["p", "q"], s = "text", t = #onnx.proto<"ref_attr_name: \22alpha\22 type: FLOAT">}, node_name = "hold", outs = ["p", "", "q"], rest = "overload: \22o\22"} : (none, tensor<1x3x8x8xf32>) -> (tensor<*xf32>, none, !onnx.sequence<tensor<*xf32>>)
// CHECK:         onnx.node "Nothing"() : () -> ()
func.func @generic(%x: tensor<1x3x8x8xf32>, %w: tensor<8x3x3x3xf32>) {
  %n = onnx.none
  %0 = onnx.node "Conv"(%x, %w) attributes {node_attrs = {group = 1 : i64, pads = array<i64: 1, 1, 1, 1>}} : (tensor<1x3x8x8xf32>, tensor<8x3x3x3xf32>) -> tensor<1x8x8x8xf32>
  %1:3 = onnx.node "Hold"(%n, %x) attributes {attr_order = ["s", "a", "t"], domain = "com.example", node_attrs = {a = ["p", "q"], s = "text", t = #onnx.proto<"ref_attr_name: \22alpha\22 type: FLOAT">}, node_name = "hold", outs = ["p", "", "q"], rest = "overload: \22o\22"} : (none, tensor<1x3x8x8xf32>) -> (tensor<*xf32>, none, !onnx.sequence<tensor<*xf32>>)
  onnx.node "Nothing"() : () -> ()
  return
}

// -----

// Two subgraphs that read a value of the graph around them, one inside the
// other, and one with inputs.
// CHECK-LABEL: func.func @subgraphs
// CHECK-SAME:    %[[C:[^:]*]]: tensor<i1>, %[[X:[^:]*]]: tensor<?x3xf32>, %[[S:[^:]*]]: !onnx.sequence<tensor<?x3xf32>>
// CHECK:         %[[Y:.*]] = onnx.node "If"(%[[C]]) {
// CHECK-NEXT:      %[[R:.*]] = onnx.Relu(%[[X]]) {outs = ["a"]}
// CHECK-NEXT:      onnx.yield %[[R]] : tensor<?x3xf32> {outputs = [{name = "a"}]}
// CHECK-NEXT:    }, {
// CHECK-NEXT:      %[[M:.*]] = onnx.node "SequenceMap"(%[[S]]) {
// CHECK-NEXT:      ^bb0(%[[E:.*]]: tensor<?x3xf32>):
// CHECK-NEXT:        %[[A:.*]] = onnx.Add(%[[E]], %[[X]])
// CHECK-NEXT:        onnx.yield %[[A]], %[[E]] : tensor<?x3xf32>, tensor<?x3xf32>{{$}}
// CHECK-NEXT:      } attributes {graphs = [{attr = "body", inputs = [{dim_params = ["N", ""], name = "e"}], name = "map", value_info = [{name = "e2", type = tensor<?x3xf32>}]}]} : (!onnx.sequence<tensor<?x3xf32>>) -> !onnx.sequence<tensor<?x3xf32>>
// CHECK-NEXT:      onnx.yield %[[X]] : tensor<?x3xf32>
// CHECK-NEXT:    } attributes {graphs = [{attr = "then_branch", name = "then"}, {attr = "else_branch", name = "else", rest = "doc_string: \22d\22"}], node_name = "choose", outs = ["y"]} : (tensor<i1>) -> tensor<?x3xf32>
// CHECK:         onnx.node "Hold"() {
// CHECK-NEXT:      onnx.yield{{$}}
// CHECK-NEXT:    } attributes {domain = "com.example", graphs = [{attr = "bodies", list}]} : () -> ()
// CHECK:         return %[[Y]]
func.func @subgraphs(%c: tensor<i1>, %x: tensor<?x3xf32>, %s: !onnx.sequence<tensor<?x3xf32>>) -> tensor<?x3xf32> {
  %y = onnx.node "If"(%c) {
    %a = onnx.Relu(%x) {outs = ["a"]} : (tensor<?x3xf32>) -> tensor<?x3xf32>
    onnx.yield %a : tensor<?x3xf32> {outputs = [{name = "a"}]}
  }, {
    %m = onnx.node "SequenceMap"(%s) {
    ^bb0(%e: tensor<?x3xf32>):
      %a = onnx.Add(%e, %x) : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
      onnx.yield %a, %e : tensor<?x3xf32>, tensor<?x3xf32>
    } attributes {graphs = [{attr = "body", inputs = [{dim_params = ["N", ""], name = "e"}], name = "map", value_info = [{name = "e2", type = tensor<?x3xf32>}]}]} : (!onnx.sequence<tensor<?x3xf32>>) -> !onnx.sequence<tensor<?x3xf32>>
    onnx.yield %x : tensor<?x3xf32>
  } attributes {graphs = [{attr = "then_branch", name = "then"}, {attr = "else_branch", name = "else", rest = "doc_string: \22d\22"}], node_name = "choose", outs = ["y"]} : (tensor<i1>) -> tensor<?x3xf32>
  onnx.node "Hold"() {
    onnx.yield
  } attributes {domain = "com.example", graphs = [{attr = "bodies", list}]} : () -> ()
  return %y : tensor<?x3xf32>
}

// -----

// The attributes on builtin and func operations, with nodes that their schemas
// accept.
// CHECK:      module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}, {domain = "local", version = 1 : i64}], rest = "producer_name: \22p\22"}, onnx.source_dir = "/models"}
// CHECK:        func.func @main_graph(%[[X:.*]]: tensor<?x3xf32> {onnx.dim_params = ["N", ""], onnx.name = "x"}, %{{.*}}: !onnx.unknown {onnx.info = "type { map_type { key_type: 7 } }", onnx.name = "m"})
// CHECK-SAME:     -> (tensor<?x3xf32> {onnx.dim_params = ["N", ""], onnx.name = "y"})
// CHECK-SAME:     attributes {onnx.graph = {name = "g", rest = "doc_string: \22d\22", value_info = [{dim_params = ["N", ""], name = "y", type = tensor<?x3xf32>}]}}
// CHECK:        func.func private @"local::twice"(%{{.*}}: !onnx.unknown {onnx.name = "a"}) -> (!onnx.unknown {onnx.name = "b"})
// CHECK-SAME:     attributes {onnx.function = {domain = "local", name = "twice", opset_imports = [{domain = "", version = 18 : i64}], rest = "doc_string: \22f\22"}}
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}, {domain = "local", version = 1 : i64}], rest = "producer_name: \22p\22"}, onnx.source_dir = "/models"} {
  func.func @main_graph(%x: tensor<?x3xf32> {onnx.dim_params = ["N", ""], onnx.name = "x"}, %m: !onnx.unknown {onnx.info = "type { map_type { key_type: 7 } }", onnx.name = "m"})
      -> (tensor<?x3xf32> {onnx.dim_params = ["N", ""], onnx.name = "y"})
      attributes {onnx.graph = {name = "g", rest = "doc_string: \22d\22", value_info = [{dim_params = ["N", ""], name = "y", type = tensor<?x3xf32>}]}} {
    %y = onnx.node "twice"(%x) attributes {domain = "local", outs = ["y"]} : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @"local::twice"(%a: !onnx.unknown {onnx.name = "a"}) -> (!onnx.unknown {onnx.name = "b"})
      attributes {onnx.function = {domain = "local", name = "twice", opset_imports = [{domain = "", version = 18 : i64}], rest = "doc_string: \22f\22"}} {
    %b = onnx.Add(%a, %a) {outs = ["b"]} : (!onnx.unknown, !onnx.unknown) -> !onnx.unknown
    return %b : !onnx.unknown
  }
}
