// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// linalg-flatten-to-gap on heads as IREE's importer prints them. In the weights of
// @uneven one number is off by one unit in the last place.
//
// Constants are where canonicalize puts them.
//
// DEFINE: %{form} =
// DEFINE: %{run} = head-opt %S/Inputs/IREE/%{form}.mlir \
// DEFINE:   --linalg-flatten-to-gap --canonicalize -o -

// REDEFINE: %{form} = nchw
// RUN: %{run} | FileCheck %s --check-prefixes=POOL,KEEP
// REDEFINE: %{form} = batch
// RUN: %{run} | FileCheck %s --check-prefixes=POOL,KEEP
// REDEFINE: %{form} = extents
// RUN: %{run} | FileCheck %s --check-prefixes=POOL,KEEP
// REDEFINE: %{form} = nhwc
// RUN: %{run} | FileCheck %s --check-prefixes=POOL,KEEP
// REDEFINE: %{form} = computed-shape
// RUN: %{run} | FileCheck %s --check-prefixes=POOL,KEEP

// POOL-LABEL: func.func @even
// POOL-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// POOL-DAG:     %[[SIX:.*]] = arith.constant 6.000000e+00 : f32
// POOL-DAG:     %[[W:.*]] = arith.constant dense<{{\[\[}}-7.500000e-01, -1.125000e+01, -6.750000e+00], [7.500000e-01, -8.250000e+00, -5.250000e+00], [6.750000e+00, 8.250000e+00, 8.250000e+00], [1.125000e+01, 1.125000e+01, -2.250000e+00]]> : tensor<4x3xf32>
// POOL-NOT:     {{24x|x24}}
// POOL:         %[[START:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.*}} : tensor<{{2|\?}}x4xf32>)
// POOL:         %[[SUM:.*]] = linalg.generic {{.*}}["parallel", "parallel", "reduction", "reduction"]}
// POOL-SAME:      ins(%{{.*}} : tensor<{{2|\?}}x4x{{2x3|\?x\?}}xf32>) outs(%[[START]]
// POOL-NEXT:    ^bb0(%[[IN:.*]]: f32, %[[OUT:.*]]: f32):
// POOL-NEXT:      arith.addf %[[OUT]], %[[IN]]
// POOL:         %[[MEAN:.*]] = linalg.generic {{.*}} ins(%[[SUM]] : tensor<[[N:2|\?]]x4xf32>)
// POOL-NEXT:    ^bb0(%[[IN:.*]]: f32,
// POOL-NEXT:      arith.divf %[[IN]], %[[SIX]]
// POOL-NOT:     {{24x|x24}}
// POOL:         %[[Y:.*]] = linalg.matmul ins(%[[MEAN]], %[[W]] : tensor<[[N]]x4xf32>, tensor<4x3xf32>)
// POOL:         linalg.generic {{.*}} ins(%[[Y]], %{{.*}} : tensor<[[N]]x3xf32>, tensor<3xf32>)
// POOL-NEXT:    ^bb0
// POOL-NEXT:      arith.addf

// KEEP-LABEL: func.func @uneven
// KEEP-NOT:     "reduction"
// KEEP:         linalg.matmul ins(%{{.*}}, %{{.*}} : tensor<{{2|\?}}x24xf32>, tensor<24x3xf32>)

// The activation goes to the map.
// REDEFINE: %{form} = relu-behind
// RUN: %{run} | FileCheck %s --check-prefixes=POOL,KEEP
// RUN: %{run} | FileCheck %s --check-prefix=RELU
// RELU-LABEL: func.func @even
// RELU:         %[[MAP:.*]] = linalg.conv_2d_nchw_fchw
// RELU:         %[[RELU:.*]] = linalg.generic {{.*}}["parallel", "parallel", "parallel", "parallel"]} ins(%[[MAP]] :
// RELU:           arith.cmpf ugt
// RELU:           arith.select
// RELU:         linalg.generic {{.*}}"reduction"{{.*}} ins(%[[RELU]] :

// A map that does not vary may have any weight. A column of @uneven sums up to
// another number.
// REDEFINE: %{form} = broadcast
// RUN: %{run} | FileCheck %s --check-prefixes=POOL,ANY
// ANY-LABEL: func.func @uneven
// ANY:         %[[W:.*]] = arith.constant dense<{{.*}}> : tensor<4x3xf32>
// ANY:         linalg.generic {{.*}}["parallel", "parallel", "reduction", "reduction"]}
// ANY:         arith.divf
// ANY:         linalg.matmul ins(%{{.*}}, %[[W]] : tensor<2x4xf32>, tensor<4x3xf32>)

// Halves are summed in f32 and rounded once.
// REDEFINE: %{form} = f16
// RUN: %{run} | FileCheck %s --check-prefix=HALF
// HALF-LABEL: func.func @even
// HALF-DAG:     %[[SIX:.*]] = arith.constant 6.000000e+00 : f32
// HALF-DAG:     %[[W:.*]] = arith.constant dense<{{\[\[}}-7.500000e-01, -1.125000e+01, -6.750000e+00], {{.*}}> : tensor<4x3xf16>
// HALF:         %[[SUM:.*]] = linalg.generic {{.*}}"reduction", "reduction"]} ins(%{{.*}} : tensor<?x4x2x3xf16>) outs(%{{.*}} : tensor<?x4xf32>)
// HALF-NEXT:    ^bb0(%[[IN:.*]]: f16, %[[OUT:.*]]: f32):
// HALF-NEXT:      %[[X:.*]] = arith.extf %[[IN]]
// HALF-NEXT:      arith.addf %[[OUT]], %[[X]]
// HALF:         %[[MEAN:.*]] = linalg.generic {{.*}} ins(%[[SUM]] : tensor<?x4xf32>) outs(%{{.*}} : tensor<?x4xf16>)
// HALF-NEXT:    ^bb0(%[[IN:.*]]: f32,
// HALF-NEXT:      %[[X:.*]] = arith.divf %[[IN]], %[[SIX]]
// HALF-NEXT:      arith.truncf %[[X]] : f32 to f16
// HALF:         linalg.matmul ins(%[[MEAN]], %[[W]] : tensor<?x4xf16>, tensor<4x3xf16>) outs(%{{.*}} : tensor<?x3xf32>)
// HALF-LABEL: func.func @uneven
// HALF-NOT:     "reduction"
// HALF:         linalg.matmul ins(%{{.*}}, %{{.*}} : tensor<?x24xf16>, tensor<24x3xf16>)

// A product of one matrix.
// REDEFINE: %{form} = einsum
// RUN: %{run} | FileCheck %s --check-prefix=BATCH
// BATCH-LABEL: func.func @even
// BATCH-DAG:     %[[W:.*]] = arith.constant dense<{{\[\[\[}}-7.500000e-01, -1.125000e+01, -6.750000e+00], {{.*}}> : tensor<1x4x3xf32>
// BATCH:         linalg.generic {{.*}}"reduction", "reduction"]} ins(%{{.*}} : tensor<?x4x2x3xf32>)
// BATCH:         %[[MEAN:.*]] = linalg.generic
// BATCH:           arith.divf
// BATCH:         %[[DATA:.*]] = tensor.expand_shape %[[MEAN]] {{.*}} into tensor<1x?x4xf32>
// BATCH:         linalg.batch_matmul ins(%[[DATA]], %[[W]] : tensor<1x?x4xf32>, tensor<1x4x3xf32>)
// BATCH-LABEL: func.func @uneven
// BATCH-NOT:     "reduction"
// BATCH:         linalg.batch_matmul ins(%{{.*}}, %{{.*}} : tensor<1x?x24xf32>, tensor<1x24x3xf32>)

// A convolution of one window becomes one of one position.
// REDEFINE: %{form} = kernel
// RUN: %{run} | FileCheck %s --check-prefix=CONV
// CONV-LABEL: func.func @even
// CONV-DAG:     %[[W:.*]] = arith.constant dense<{{\[\[\[\[}}-7.500000e-01]], {{\[\[}}7.500000e-01]], {{\[\[}}6.750000e+00]], {{\[\[}}1.125000e+01]]], {{.*}}> : tensor<3x4x1x1xf32>
// CONV:         linalg.generic {{.*}}"reduction", "reduction"]} ins(%{{.*}} : tensor<?x4x2x3xf32>)
// CONV:         %[[MEAN:.*]] = linalg.generic
// CONV:           arith.divf
// CONV:         %[[DATA:.*]] = tensor.expand_shape %[[MEAN]] {{.*}} into tensor<?x4x1x1xf32>
// CONV:         linalg.conv_2d_nchw_fchw {{.*}} ins(%[[DATA]], %[[W]] : tensor<?x4x1x1xf32>, tensor<3x4x1x1xf32>)
// CONV-LABEL: func.func @uneven
// CONV-NOT:     "reduction"
// CONV:         linalg.conv_2d_nchw_fchw {{.*}} tensor<3x4x2x3xf32>)

// Pooled already.
// REDEFINE: %{form} = pooled
// RUN: %{run} | FileCheck %s --check-prefix=POOLED
// POOLED-LABEL: func.func @pooled
// POOLED:         linalg.pooling_nchw_sum
// POOLED-NOT:     "reduction"
// POOLED:         linalg.matmul ins(%{{.*}}, %{{.*}} : tensor<?x4xf32>, tensor<4x3xf32>)

// A factor for each position and channel, of which one is off.
// REDEFINE: %{form} = factors-behind
// RUN: %{run} | FileCheck %s --check-prefix=KEEP

// Not read: factors for each channel, LeakyRelu's two branches, a weight that is
// broadcast over the samples.
// RUN: %{run} | FileCheck %s --check-prefix=MISSED
// REDEFINE: %{form} = branches-behind
// RUN: %{run} | FileCheck %s --check-prefix=MISSED
// RUN: %{run} | FileCheck %s --check-prefix=KEEP
// REDEFINE: %{form} = rank3
// RUN: %{run} | FileCheck %s --check-prefix=MISSED
// MISSED-LABEL: func.func @even
// MISSED-NOT:     "reduction"
// MISSED:         linalg.{{matmul|batch_matmul}} ins(%{{.*}}, %{{.*}} : tensor<?x{{(1x)?}}24xf32>,

// In the middle of IREE, whose own operations MLIR does not know.
// RUN: mlir-opt %S/Inputs/IREE/whole-module.mlir --allow-unregistered-dialect \
// RUN:   --load-dialect-plugin=%plugin \
// RUN:   --pass-pipeline='builtin.module(linalg-flatten-to-gap)' \
// RUN:   | FileCheck %s --check-prefix=WHOLE
// WHOLE:     "util.func"() <{{.*}}sym_name = "whole$async"
// WHOLE:       "hal.tensor.import"
// WHOLE:       linalg.generic {{.*}}["parallel", "parallel", "reduction", "reduction"]}
// WHOLE:       arith.divf
// WHOLE:       linalg.matmul ins(%{{.*}}, %{{.*}} : tensor<?x4xf32>, tensor<4x3xf32>)
// WHOLE:       "hal.tensor.export"
