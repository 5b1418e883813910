// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What IREE 3.13.0rc20261016 makes of models: the functions on tensors of
//
//   iree-import-onnx MODEL.onnx -o imported.mlir
//   iree-compile --compile-to=input imported.mlir
//
// without the HAL and util operations round them. The models are
// 'branches-behind' in iree_models.py.
//
// Written by test/Integration/IREE/make_inputs.py.

func.func @even(%arg0: tensor<?x3x2x3xf32>) -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %cst = arith.constant 0.000000e+00 : f32
  %cst_0 = arith.constant dense<0.000000e+00> : tensor<f32>
  %cst_1 = arith.constant dense<[[[[1.375000e+00]], [[-8.750000e-01]], [[-1.625000e+00]]], [[[-8.750000e-01]], [[-3.750000e-01]], [[1.375000e+00]]], [[[-1.250000e-01]], [[-1.625000e+00]], [[-6.250000e-01]]], [[[3.750000e-01]], [[1.375000e+00]], [[8.750000e-01]]]]> : tensor<4x3x1x1xf32>
  %cst_2 = arith.constant dense<[1.125000e+00, -1.625000e+00, -1.375000e+00, -1.125000e+00]> : tensor<4xf32>
  %cst_3 = arith.constant dense<-4.000000e+00> : tensor<f32>
  %cst_4 = arith.constant dense<2.400000e+01> : tensor<f32>
  %cst_5 = arith.constant dense<[[-1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01]]> : tensor<3x24xf32>
  %cst_6 = arith.constant dense<[8.750000e-01, 1.875000e+00, 1.625000e+00]> : tensor<3xf32>
  %cst_7 = arith.constant 1.250000e-01 : f32
  %dim = tensor.dim %arg0, %c0 : tensor<?x3x2x3xf32>
  %2 = tensor.empty(%dim) : tensor<?x4x2x3xf32>
  %broadcasted = linalg.broadcast ins(%cst_2 : tensor<4xf32>) outs(%2 : tensor<?x4x2x3xf32>) dimensions = [0, 2, 3]
  %3 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%arg0, %cst_1 : tensor<?x3x2x3xf32>, tensor<4x3x1x1xf32>) outs(%broadcasted : tensor<?x4x2x3xf32>) -> tensor<?x4x2x3xf32>
  %collapsed = tensor.collapse_shape %3 [[0], [1, 2, 3]] : tensor<?x4x2x3xf32> into tensor<?x24xf32>
  %4 = tensor.empty(%dim) : tensor<?x24xf32>
  %5 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%cst_0, %collapsed : tensor<f32>, tensor<?x24xf32>) outs(%4 : tensor<?x24xf32>) {
  ^bb0(%in: f32, %in_9: f32, %out: f32):
    %17 = arith.cmpf ogt, %in, %in_9 : f32
    %18 = arith.select %17, %in, %in_9 : f32
    linalg.yield %18 : f32
  } -> tensor<?x24xf32>
  %6 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%cst_0, %collapsed : tensor<f32>, tensor<?x24xf32>) outs(%4 : tensor<?x24xf32>) {
  ^bb0(%in: f32, %in_9: f32, %out: f32):
    %17 = arith.cmpf olt, %in, %in_9 : f32
    %18 = arith.select %17, %in, %in_9 : f32
    linalg.yield %18 : f32
  } -> tensor<?x24xf32>
  %7 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%6 : tensor<?x24xf32>) outs(%4 : tensor<?x24xf32>) {
  ^bb0(%in: f32, %out: f32):
    %17 = arith.mulf %in, %cst_7 : f32
    linalg.yield %17 : f32
  } -> tensor<?x24xf32>
  %8 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%5, %7 : tensor<?x24xf32>, tensor<?x24xf32>) outs(%4 : tensor<?x24xf32>) {
  ^bb0(%in: f32, %in_9: f32, %out: f32):
    %17 = arith.addf %in, %in_9 : f32
    linalg.yield %17 : f32
  } -> tensor<?x24xf32>
  %9 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%8, %cst_3, %cst_4 : tensor<?x24xf32>, tensor<f32>, tensor<f32>) outs(%4 : tensor<?x24xf32>) {
  ^bb0(%in: f32, %in_9: f32, %in_10: f32, %out: f32):
    %17 = arith.cmpf ult, %in, %in_9 : f32
    %18 = arith.select %17, %in_9, %in : f32
    %19 = arith.cmpf ugt, %18, %in_10 : f32
    %20 = arith.select %19, %in_10, %18 : f32
    linalg.yield %20 : f32
  } -> tensor<?x24xf32>
  %10 = tensor.empty() : tensor<24x3xf32>
  %transposed = linalg.transpose ins(%cst_5 : tensor<3x24xf32>) outs(%10 : tensor<24x3xf32>) permutation = [1, 0]
  %11 = tensor.empty(%dim) : tensor<?x3xf32>
  %12 = linalg.fill ins(%cst : f32) outs(%11 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %13 = linalg.matmul ins(%9, %transposed : tensor<?x24xf32>, tensor<24x3xf32>) outs(%12 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %14 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%13, %cst_6 : tensor<?x3xf32>, tensor<3xf32>) outs(%11 : tensor<?x3xf32>) {
  ^bb0(%in: f32, %in_9: f32, %out: f32):
    %17 = arith.addf %in, %in_9 : f32
    linalg.yield %17 : f32
  } -> tensor<?x3xf32>
  return %14 : tensor<?x3xf32>
}

func.func @uneven(%arg0: tensor<?x3x2x3xf32>) -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %cst = arith.constant 0.000000e+00 : f32
  %cst_0 = arith.constant dense<0.000000e+00> : tensor<f32>
  %cst_1 = arith.constant dense<[[[[1.375000e+00]], [[-8.750000e-01]], [[-1.625000e+00]]], [[[-8.750000e-01]], [[-3.750000e-01]], [[1.375000e+00]]], [[[-1.250000e-01]], [[-1.625000e+00]], [[-6.250000e-01]]], [[[3.750000e-01]], [[1.375000e+00]], [[8.750000e-01]]]]> : tensor<4x3x1x1xf32>
  %cst_2 = arith.constant dense<[1.125000e+00, -1.625000e+00, -1.375000e+00, -1.125000e+00]> : tensor<4xf32>
  %cst_3 = arith.constant dense<-4.000000e+00> : tensor<f32>
  %cst_4 = arith.constant dense<2.400000e+01> : tensor<f32>
  %cst_5 = arith.constant dense<[[-1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, -1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.250000e-01, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.125000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.875000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, -1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.37500012, 1.375000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00, 1.875000e+00], [-1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -1.125000e+00, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, -8.750000e-01, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, 1.375000e+00, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01, -3.750000e-01]]> : tensor<3x24xf32>
  %cst_6 = arith.constant dense<[8.750000e-01, 1.875000e+00, 1.625000e+00]> : tensor<3xf32>
  %cst_7 = arith.constant 1.250000e-01 : f32
  %dim = tensor.dim %arg0, %c0 : tensor<?x3x2x3xf32>
  %2 = tensor.empty(%dim) : tensor<?x4x2x3xf32>
  %broadcasted = linalg.broadcast ins(%cst_2 : tensor<4xf32>) outs(%2 : tensor<?x4x2x3xf32>) dimensions = [0, 2, 3]
  %3 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%arg0, %cst_1 : tensor<?x3x2x3xf32>, tensor<4x3x1x1xf32>) outs(%broadcasted : tensor<?x4x2x3xf32>) -> tensor<?x4x2x3xf32>
  %collapsed = tensor.collapse_shape %3 [[0], [1, 2, 3]] : tensor<?x4x2x3xf32> into tensor<?x24xf32>
  %4 = tensor.empty(%dim) : tensor<?x24xf32>
  %5 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%cst_0, %collapsed : tensor<f32>, tensor<?x24xf32>) outs(%4 : tensor<?x24xf32>) {
  ^bb0(%in: f32, %in_9: f32, %out: f32):
    %17 = arith.cmpf ogt, %in, %in_9 : f32
    %18 = arith.select %17, %in, %in_9 : f32
    linalg.yield %18 : f32
  } -> tensor<?x24xf32>
  %6 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%cst_0, %collapsed : tensor<f32>, tensor<?x24xf32>) outs(%4 : tensor<?x24xf32>) {
  ^bb0(%in: f32, %in_9: f32, %out: f32):
    %17 = arith.cmpf olt, %in, %in_9 : f32
    %18 = arith.select %17, %in, %in_9 : f32
    linalg.yield %18 : f32
  } -> tensor<?x24xf32>
  %7 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%6 : tensor<?x24xf32>) outs(%4 : tensor<?x24xf32>) {
  ^bb0(%in: f32, %out: f32):
    %17 = arith.mulf %in, %cst_7 : f32
    linalg.yield %17 : f32
  } -> tensor<?x24xf32>
  %8 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%5, %7 : tensor<?x24xf32>, tensor<?x24xf32>) outs(%4 : tensor<?x24xf32>) {
  ^bb0(%in: f32, %in_9: f32, %out: f32):
    %17 = arith.addf %in, %in_9 : f32
    linalg.yield %17 : f32
  } -> tensor<?x24xf32>
  %9 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%8, %cst_3, %cst_4 : tensor<?x24xf32>, tensor<f32>, tensor<f32>) outs(%4 : tensor<?x24xf32>) {
  ^bb0(%in: f32, %in_9: f32, %in_10: f32, %out: f32):
    %17 = arith.cmpf ult, %in, %in_9 : f32
    %18 = arith.select %17, %in_9, %in : f32
    %19 = arith.cmpf ugt, %18, %in_10 : f32
    %20 = arith.select %19, %in_10, %18 : f32
    linalg.yield %20 : f32
  } -> tensor<?x24xf32>
  %10 = tensor.empty() : tensor<24x3xf32>
  %transposed = linalg.transpose ins(%cst_5 : tensor<3x24xf32>) outs(%10 : tensor<24x3xf32>) permutation = [1, 0]
  %11 = tensor.empty(%dim) : tensor<?x3xf32>
  %12 = linalg.fill ins(%cst : f32) outs(%11 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %13 = linalg.matmul ins(%9, %transposed : tensor<?x24xf32>, tensor<24x3xf32>) outs(%12 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %14 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%13, %cst_6 : tensor<?x3xf32>, tensor<3xf32>) outs(%11 : tensor<?x3xf32>) {
  ^bb0(%in: f32, %in_9: f32, %out: f32):
    %17 = arith.addf %in, %in_9 : f32
    linalg.yield %17 : f32
  } -> tensor<?x3xf32>
  return %14 : tensor<?x3xf32>
}
