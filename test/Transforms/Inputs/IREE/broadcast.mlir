// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What IREE 3.13.0rc20261016 makes of models: the functions on tensors of
//
//   iree-import-onnx MODEL.onnx -o imported.mlir
//   iree-compile --compile-to=input imported.mlir
//
// without the HAL and util operations round them. The models are
// 'broadcast' in iree_models.py.
//
// Written by test/Integration/IREE/make_inputs.py.

func.func @even(%arg0: tensor<2x3x1x1xf32>) -> tensor<2x3xf32> {
  %cst = arith.constant 0.000000e+00 : f32
  %cst_0 = arith.constant dense<[[[[1.375000e+00]], [[-8.750000e-01]], [[-1.625000e+00]]], [[[-8.750000e-01]], [[-3.750000e-01]], [[1.375000e+00]]], [[[-1.250000e-01]], [[-1.625000e+00]], [[-6.250000e-01]]], [[[3.750000e-01]], [[1.375000e+00]], [[8.750000e-01]]]]> : tensor<4x3x1x1xf32>
  %cst_1 = arith.constant dense<[1.125000e+00, -1.625000e+00, -1.375000e+00, -1.125000e+00]> : tensor<4xf32>
  %cst_2 = arith.constant dense<[[-1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01]]> : tensor<3x24xf32>
  %cst_3 = arith.constant dense<[8.750000e-01, 1.875000e+00, 1.625000e+00]> : tensor<3xf32>
  %1 = tensor.empty() : tensor<2x4x1x1xf32>
  %broadcasted = linalg.broadcast ins(%cst_1 : tensor<4xf32>) outs(%1 : tensor<2x4x1x1xf32>) dimensions = [0, 2, 3]
  %2 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%arg0, %cst_0 : tensor<2x3x1x1xf32>, tensor<4x3x1x1xf32>) outs(%broadcasted : tensor<2x4x1x1xf32>) -> tensor<2x4x1x1xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%2 : tensor<2x4x1x1xf32>) outs(%1 : tensor<2x4x1x1xf32>) {
  ^bb0(%in: f32, %out: f32):
    %13 = arith.cmpf ugt, %in, %cst : f32
    %14 = arith.select %13, %in, %cst : f32
    linalg.yield %14 : f32
  } -> tensor<2x4x1x1xf32>
  %4 = tensor.empty() : tensor<2x4x2x3xf32>
  %collapsed = tensor.collapse_shape %3 [[0], [1, 2, 3]] : tensor<2x4x1x1xf32> into tensor<2x4xf32>
  %5 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<2x4xf32>) outs(%4 : tensor<2x4x2x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<2x4x2x3xf32>
  %collapsed_4 = tensor.collapse_shape %5 [[0], [1, 2, 3]] : tensor<2x4x2x3xf32> into tensor<2x24xf32>
  %6 = tensor.empty() : tensor<24x3xf32>
  %transposed = linalg.transpose ins(%cst_2 : tensor<3x24xf32>) outs(%6 : tensor<24x3xf32>) permutation = [1, 0]
  %7 = tensor.empty() : tensor<2x3xf32>
  %8 = linalg.fill ins(%cst : f32) outs(%7 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %9 = linalg.matmul ins(%collapsed_4, %transposed : tensor<2x24xf32>, tensor<24x3xf32>) outs(%8 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %10 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%9, %cst_3 : tensor<2x3xf32>, tensor<3xf32>) outs(%7 : tensor<2x3xf32>) {
  ^bb0(%in: f32, %in_5: f32, %out: f32):
    %13 = arith.addf %in, %in_5 : f32
    linalg.yield %13 : f32
  } -> tensor<2x3xf32>
  return %10 : tensor<2x3xf32>
}

func.func @uneven(%arg0: tensor<2x3x1x1xf32>) -> tensor<2x3xf32> {
  %cst = arith.constant 0.000000e+00 : f32
  %cst_0 = arith.constant dense<[[[[1.375000e+00]], [[-8.750000e-01]], [[-1.625000e+00]]], [[[-8.750000e-01]], [[-3.750000e-01]], [[1.375000e+00]]], [[[-1.250000e-01]], [[-1.625000e+00]], [[-6.250000e-01]]], [[[3.750000e-01]], [[1.375000e+00]], [[8.750000e-01]]]]> : tensor<4x3x1x1xf32>
  %cst_1 = arith.constant dense<[1.125000e+00, -1.625000e+00, -1.375000e+00, -1.125000e+00]> : tensor<4xf32>
  %cst_2 = arith.constant dense<[[-1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.37500012, 1.375000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01]]> : tensor<3x24xf32>
  %cst_3 = arith.constant dense<[8.750000e-01, 1.875000e+00, 1.625000e+00]> : tensor<3xf32>
  %1 = tensor.empty() : tensor<2x4x1x1xf32>
  %broadcasted = linalg.broadcast ins(%cst_1 : tensor<4xf32>) outs(%1 : tensor<2x4x1x1xf32>) dimensions = [0, 2, 3]
  %2 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%arg0, %cst_0 : tensor<2x3x1x1xf32>, tensor<4x3x1x1xf32>) outs(%broadcasted : tensor<2x4x1x1xf32>) -> tensor<2x4x1x1xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%2 : tensor<2x4x1x1xf32>) outs(%1 : tensor<2x4x1x1xf32>) {
  ^bb0(%in: f32, %out: f32):
    %13 = arith.cmpf ugt, %in, %cst : f32
    %14 = arith.select %13, %in, %cst : f32
    linalg.yield %14 : f32
  } -> tensor<2x4x1x1xf32>
  %4 = tensor.empty() : tensor<2x4x2x3xf32>
  %collapsed = tensor.collapse_shape %3 [[0], [1, 2, 3]] : tensor<2x4x1x1xf32> into tensor<2x4xf32>
  %5 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<2x4xf32>) outs(%4 : tensor<2x4x2x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<2x4x2x3xf32>
  %collapsed_4 = tensor.collapse_shape %5 [[0], [1, 2, 3]] : tensor<2x4x2x3xf32> into tensor<2x24xf32>
  %6 = tensor.empty() : tensor<24x3xf32>
  %transposed = linalg.transpose ins(%cst_2 : tensor<3x24xf32>) outs(%6 : tensor<24x3xf32>) permutation = [1, 0]
  %7 = tensor.empty() : tensor<2x3xf32>
  %8 = linalg.fill ins(%cst : f32) outs(%7 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %9 = linalg.matmul ins(%collapsed_4, %transposed : tensor<2x24xf32>, tensor<24x3xf32>) outs(%8 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %10 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%9, %cst_3 : tensor<2x3xf32>, tensor<3xf32>) outs(%7 : tensor<2x3xf32>) {
  ^bb0(%in: f32, %in_5: f32, %out: f32):
    %13 = arith.addf %in, %in_5 : f32
    linalg.yield %13 : f32
  } -> tensor<2x3xf32>
  return %10 : tensor<2x3xf32>
}
