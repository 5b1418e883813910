// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What IREE 3.13.0rc20261016 makes of models: what these print,
//
//   iree-import-onnx MODEL.onnx -o imported.mlir
//   iree-compile --compile-to=input --mlir-print-op-generic imported.mlir
//
// Written by test/Integration/IREE/make_inputs.py.

"builtin.module"() ({
  "util.func"() <{function_type = (!hal.buffer_view, !hal.fence, !hal.fence) -> !hal.buffer_view, inlining_policy = #util.inline.never, sym_name = "whole$async"}> ({
  ^bb0(%arg1: !hal.buffer_view, %arg2: !hal.fence, %arg3: !hal.fence):
    %7 = "arith.constant"() <{value = 0 : index}> : () -> index
    %8 = "arith.constant"() <{value = 0.000000e+00 : f32}> : () -> f32
    %9 = "arith.constant"() <{value = dense<[[[[1.375000e+00]], [[-8.750000e-01]], [[-1.625000e+00]]], [[[-8.750000e-01]], [[-3.750000e-01]], [[1.375000e+00]]], [[[-1.250000e-01]], [[-1.625000e+00]], [[-6.250000e-01]]], [[[3.750000e-01]], [[1.375000e+00]], [[8.750000e-01]]]]> : tensor<4x3x1x1xf32>}> : () -> tensor<4x3x1x1xf32>
    %10 = "arith.constant"() <{value = dense<[1.125000e+00, -1.625000e+00, -1.375000e+00, -1.125000e+00]> : tensor<4xf32>}> : () -> tensor<4xf32>
    %11 = "arith.constant"() <{value = dense<[[-1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01]]> : tensor<3x24xf32>}> : () -> tensor<3x24xf32>
    %12 = "arith.constant"() <{value = dense<[8.750000e-01, 1.875000e+00, 1.625000e+00]> : tensor<3xf32>}> : () -> tensor<3xf32>
    %13 = "hal.buffer_view.dim"(%arg1) <{index = 0 : index}> : (!hal.buffer_view) -> index
    %14 = "hal.tensor.import"(%arg1, %13, %arg2) <{operandSegmentSizes = array<i32: 1, 1, 1, 0>, target_encoding = tensor<?x3x2x3xf32>}> : (!hal.buffer_view, index, !hal.fence) -> tensor<?x3x2x3xf32>
    %15 = "tensor.dim"(%14, %7) : (tensor<?x3x2x3xf32>, index) -> index
    %16 = "tensor.empty"(%15) : (index) -> tensor<?x4x2x3xf32>
    %17 = "linalg.broadcast"(%10, %16) <{dimensions = array<i64: 0, 2, 3>}> ({
    ^bb0(%arg19: f32, %arg20: f32):
      "linalg.yield"(%arg19) : (f32) -> ()
    }) : (tensor<4xf32>, tensor<?x4x2x3xf32>) -> tensor<?x4x2x3xf32>
    %18 = "linalg.conv_2d_nchw_fchw"(%14, %9, %17) <{dilations = dense<1> : vector<2xi64>, operandSegmentSizes = array<i32: 2, 1>, strides = dense<1> : vector<2xi64>}> ({
    ^bb0(%arg16: f32, %arg17: f32, %arg18: f32):
      %35 = "arith.mulf"(%arg16, %arg17) <{fastmath = #arith.fastmath<none>}> : (f32, f32) -> f32
      %36 = "arith.addf"(%arg18, %35) <{fastmath = #arith.fastmath<none>}> : (f32, f32) -> f32
      "linalg.yield"(%36) : (f32) -> ()
    }) {linalg.memoized_indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, d2 + d5, d3 + d6)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d1, d4, d5, d6)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3)>]} : (tensor<?x3x2x3xf32>, tensor<4x3x1x1xf32>, tensor<?x4x2x3xf32>) -> tensor<?x4x2x3xf32>
    %19 = "linalg.generic"(%18, %16) <{indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
    ^bb0(%arg14: f32, %arg15: f32):
      %33 = "arith.cmpf"(%arg14, %8) <{fastmath = #arith.fastmath<none>, predicate = 9 : i64}> : (f32, f32) -> i1
      %34 = "arith.select"(%33, %arg14, %8) : (i1, f32, f32) -> f32
      "linalg.yield"(%34) : (f32) -> ()
    }) : (tensor<?x4x2x3xf32>, tensor<?x4x2x3xf32>) -> tensor<?x4x2x3xf32>
    %20 = "tensor.collapse_shape"(%19) <{reassociation = [[0], [1, 2, 3]]}> : (tensor<?x4x2x3xf32>) -> tensor<?x24xf32>
    %21 = "tensor.empty"() : () -> tensor<24x3xf32>
    %22 = "linalg.transpose"(%11, %21) <{permutation = array<i64: 1, 0>}> ({
    ^bb0(%arg12: f32, %arg13: f32):
      "linalg.yield"(%arg12) : (f32) -> ()
    }) : (tensor<3x24xf32>, tensor<24x3xf32>) -> tensor<24x3xf32>
    %23 = "tensor.empty"(%15) : (index) -> tensor<?x3xf32>
    %24 = "linalg.fill"(%8, %23) <{operandSegmentSizes = array<i32: 1, 1>}> ({
    ^bb0(%arg10: f32, %arg11: f32):
      "linalg.yield"(%arg10) : (f32) -> ()
    }) : (f32, tensor<?x3xf32>) -> tensor<?x3xf32>
    %25 = "linalg.matmul"(%20, %22, %24) <{indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], operandSegmentSizes = array<i32: 2, 1>}> ({
    ^bb0(%arg7: f32, %arg8: f32, %arg9: f32):
      %31 = "arith.mulf"(%arg7, %arg8) <{fastmath = #arith.fastmath<none>}> : (f32, f32) -> f32
      %32 = "arith.addf"(%arg9, %31) <{fastmath = #arith.fastmath<none>}> : (f32, f32) -> f32
      "linalg.yield"(%32) : (f32) -> ()
    }) : (tensor<?x24xf32>, tensor<24x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
    %26 = "linalg.generic"(%25, %12, %23) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 2, 1>}> ({
    ^bb0(%arg4: f32, %arg5: f32, %arg6: f32):
      %30 = "arith.addf"(%arg4, %arg5) <{fastmath = #arith.fastmath<none>}> : (f32, f32) -> f32
      "linalg.yield"(%30) : (f32) -> ()
    }) : (tensor<?x3xf32>, tensor<3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
    %27 = "hal.tensor.barrier"(%26, %arg3) : (tensor<?x3xf32>, !hal.fence) -> tensor<?x3xf32>
    %28 = "tensor.dim"(%27, %7) : (tensor<?x3xf32>, index) -> index
    %29 = "hal.tensor.export"(%27, %28) <{source_encoding = tensor<?x3xf32>}> : (tensor<?x3xf32>, index) -> !hal.buffer_view
    "util.return"(%29) : (!hal.buffer_view) -> ()
  }) {iree.abi.model = "coarse-fences", iree.abi.stub} : () -> ()
  "util.func"() <{function_type = (!hal.buffer_view) -> !hal.buffer_view, sym_name = "whole"}> ({
  ^bb0(%arg0: !hal.buffer_view):
    %0 = "util.null"() : () -> !hal.fence
    %1 = "arith.constant"() <{value = -1 : i32}> : () -> i32
    %2 = "arith.constant"() <{value = 0 : index}> : () -> index
    %3 = "hal.devices.get"(%2) : (index) -> !hal.device
    %4 = "hal.fence.create"(%3) <{flags = 0 : i64}> : (!hal.device) -> !hal.fence
    %5 = "util.call"(%arg0, %0, %4) <{callee = @whole$async}> : (!hal.buffer_view, !hal.fence, !hal.fence) -> !hal.buffer_view
    %6 = "hal.fence.await"(%1, %4) <{flags = 0 : i64}> : (i32, !hal.fence) -> i32
    "util.return"(%5) : (!hal.buffer_view) -> ()
  }) {iree.abi.stub} : () -> ()
}) : () -> ()