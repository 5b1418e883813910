// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What IREE 3.13.0rc20261016 makes of models: the functions on tensors of
//
//   iree-import-onnx MODEL.onnx -o imported.mlir
//   iree-compile --compile-to=input imported.mlir
//
// without the HAL and util operations round them. The models are
// 'f16' in iree_models.py.
//
// Written by test/Integration/IREE/make_inputs.py.

func.func @even(%arg0: tensor<?x3x2x3xf16>) -> tensor<?x3xf16> {
  %c0 = arith.constant 0 : index
  %cst = arith.constant 0.000000e+00 : f16
  %cst_0 = arith.constant 0.000000e+00 : f32
  %cst_1 = arith.constant dense<[[[[1.375000e+00]], [[-8.750000e-01]], [[-1.625000e+00]]], [[[-8.750000e-01]], [[-3.750000e-01]], [[1.375000e+00]]], [[[-1.250000e-01]], [[-1.625000e+00]], [[-6.250000e-01]]], [[[3.750000e-01]], [[1.375000e+00]], [[8.750000e-01]]]]> : tensor<4x3x1x1xf16>
  %cst_2 = arith.constant dense<[1.125000e+00, -1.625000e+00, -1.375000e+00, -1.125000e+00]> : tensor<4xf16>
  %cst_3 = arith.constant dense<[[-1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01]]> : tensor<3x24xf16>
  %cst_4 = arith.constant dense<[8.750000e-01, 1.875000e+00, 1.625000e+00]> : tensor<3xf16>
  %dim = tensor.dim %arg0, %c0 : tensor<?x3x2x3xf16>
  %2 = tensor.empty(%dim) : tensor<?x4x2x3xf32>
  %3 = tensor.empty() : tensor<4xf32>
  %4 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%cst_2 : tensor<4xf16>) outs(%3 : tensor<4xf32>) {
  ^bb0(%in: f16, %out: f32):
    %18 = arith.extf %in : f16 to f32
    linalg.yield %18 : f32
  } -> tensor<4xf32>
  %broadcasted = linalg.broadcast ins(%4 : tensor<4xf32>) outs(%2 : tensor<?x4x2x3xf32>) dimensions = [0, 2, 3]
  %5 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%arg0, %cst_1 : tensor<?x3x2x3xf16>, tensor<4x3x1x1xf16>) outs(%broadcasted : tensor<?x4x2x3xf32>) -> tensor<?x4x2x3xf32>
  %6 = tensor.empty(%dim) : tensor<?x4x2x3xf16>
  %7 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%5 : tensor<?x4x2x3xf32>) outs(%6 : tensor<?x4x2x3xf16>) {
  ^bb0(%in: f32, %out: f16):
    %18 = arith.truncf %in : f32 to f16
    linalg.yield %18 : f16
  } -> tensor<?x4x2x3xf16>
  %8 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7 : tensor<?x4x2x3xf16>) outs(%6 : tensor<?x4x2x3xf16>) {
  ^bb0(%in: f16, %out: f16):
    %18 = arith.cmpf ugt, %in, %cst : f16
    %19 = arith.select %18, %in, %cst : f16
    linalg.yield %19 : f16
  } -> tensor<?x4x2x3xf16>
  %collapsed = tensor.collapse_shape %8 [[0], [1, 2, 3]] : tensor<?x4x2x3xf16> into tensor<?x24xf16>
  %9 = tensor.empty() : tensor<24x3xf16>
  %transposed = linalg.transpose ins(%cst_3 : tensor<3x24xf16>) outs(%9 : tensor<24x3xf16>) permutation = [1, 0]
  %10 = tensor.empty(%dim) : tensor<?x3xf32>
  %11 = linalg.fill ins(%cst_0 : f32) outs(%10 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %12 = linalg.matmul ins(%collapsed, %transposed : tensor<?x24xf16>, tensor<24x3xf16>) outs(%11 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %13 = tensor.empty(%dim) : tensor<?x3xf16>
  %14 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%12 : tensor<?x3xf32>) outs(%13 : tensor<?x3xf16>) {
  ^bb0(%in: f32, %out: f16):
    %18 = arith.truncf %in : f32 to f16
    linalg.yield %18 : f16
  } -> tensor<?x3xf16>
  %15 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%14, %cst_4 : tensor<?x3xf16>, tensor<3xf16>) outs(%13 : tensor<?x3xf16>) {
  ^bb0(%in: f16, %in_6: f16, %out: f16):
    %18 = arith.addf %in, %in_6 : f16
    linalg.yield %18 : f16
  } -> tensor<?x3xf16>
  return %15 : tensor<?x3xf16>
}

func.func @uneven(%arg0: tensor<?x3x2x3xf16>) -> tensor<?x3xf16> {
  %c0 = arith.constant 0 : index
  %cst = arith.constant 0.000000e+00 : f16
  %cst_0 = arith.constant 0.000000e+00 : f32
  %cst_1 = arith.constant dense<[[[[1.375000e+00]], [[-8.750000e-01]], [[-1.625000e+00]]], [[[-8.750000e-01]], [[-3.750000e-01]], [[1.375000e+00]]], [[[-1.250000e-01]], [[-1.625000e+00]], [[-6.250000e-01]]], [[[3.750000e-01]], [[1.375000e+00]], [[8.750000e-01]]]]> : tensor<4x3x1x1xf16>
  %cst_2 = arith.constant dense<[1.125000e+00, -1.625000e+00, -1.375000e+00, -1.125000e+00]> : tensor<4xf16>
  %cst_3 = arith.constant dense<[[-1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375980e+00, 1.375000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01]]> : tensor<3x24xf16>
  %cst_4 = arith.constant dense<[8.750000e-01, 1.875000e+00, 1.625000e+00]> : tensor<3xf16>
  %dim = tensor.dim %arg0, %c0 : tensor<?x3x2x3xf16>
  %2 = tensor.empty(%dim) : tensor<?x4x2x3xf32>
  %3 = tensor.empty() : tensor<4xf32>
  %4 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%cst_2 : tensor<4xf16>) outs(%3 : tensor<4xf32>) {
  ^bb0(%in: f16, %out: f32):
    %18 = arith.extf %in : f16 to f32
    linalg.yield %18 : f32
  } -> tensor<4xf32>
  %broadcasted = linalg.broadcast ins(%4 : tensor<4xf32>) outs(%2 : tensor<?x4x2x3xf32>) dimensions = [0, 2, 3]
  %5 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%arg0, %cst_1 : tensor<?x3x2x3xf16>, tensor<4x3x1x1xf16>) outs(%broadcasted : tensor<?x4x2x3xf32>) -> tensor<?x4x2x3xf32>
  %6 = tensor.empty(%dim) : tensor<?x4x2x3xf16>
  %7 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%5 : tensor<?x4x2x3xf32>) outs(%6 : tensor<?x4x2x3xf16>) {
  ^bb0(%in: f32, %out: f16):
    %18 = arith.truncf %in : f32 to f16
    linalg.yield %18 : f16
  } -> tensor<?x4x2x3xf16>
  %8 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7 : tensor<?x4x2x3xf16>) outs(%6 : tensor<?x4x2x3xf16>) {
  ^bb0(%in: f16, %out: f16):
    %18 = arith.cmpf ugt, %in, %cst : f16
    %19 = arith.select %18, %in, %cst : f16
    linalg.yield %19 : f16
  } -> tensor<?x4x2x3xf16>
  %collapsed = tensor.collapse_shape %8 [[0], [1, 2, 3]] : tensor<?x4x2x3xf16> into tensor<?x24xf16>
  %9 = tensor.empty() : tensor<24x3xf16>
  %transposed = linalg.transpose ins(%cst_3 : tensor<3x24xf16>) outs(%9 : tensor<24x3xf16>) permutation = [1, 0]
  %10 = tensor.empty(%dim) : tensor<?x3xf32>
  %11 = linalg.fill ins(%cst_0 : f32) outs(%10 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %12 = linalg.matmul ins(%collapsed, %transposed : tensor<?x24xf16>, tensor<24x3xf16>) outs(%11 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %13 = tensor.empty(%dim) : tensor<?x3xf16>
  %14 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%12 : tensor<?x3xf32>) outs(%13 : tensor<?x3xf16>) {
  ^bb0(%in: f32, %out: f16):
    %18 = arith.truncf %in : f32 to f16
    linalg.yield %18 : f16
  } -> tensor<?x3xf16>
  %15 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%14, %cst_4 : tensor<?x3xf16>, tensor<3xf16>) outs(%13 : tensor<?x3xf16>) {
  ^bb0(%in: f16, %in_6: f16, %out: f16):
    %18 = arith.addf %in, %in_6 : f16
    linalg.yield %18 : f16
  } -> tensor<?x3xf16>
  return %15 : tensor<?x3xf16>
}
