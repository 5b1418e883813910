//===- DenseLayer.h - Nodes read as dense layers ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_DENSELAYER_H
#define HEADOPT_ANALYSIS_DENSELAYER_H

#include "headopt/Analysis/ModelFacts.h"
#include <string>

namespace headopt {

/// y[n, o] = alpha * sum_k f[n, k] * W[k, o] + beta * b[o], as one node (and
/// for MatMul the Add behind it) writes it. The features k may be one axis of
/// the data and of the weight (Gemm, MatMul) or several (a convolution whose
/// kernel is the whole map, an Einsum), and so may the outputs o.
struct DenseLayer {
  mlir::Operation *op;
  /// f.
  mlir::OpOperand *data;
  /// The axis of the data that has the samples. Those before it have extent 1.
  int64_t sampleAxis = 0;
  /// W.
  mlir::OpOperand *weight;
  int64_t dataRank = 2, weightRank = 2;
  /// Axes of the data that the layer sums over, ascending, and for each of them
  /// the axis of the weight.
  llvm::SmallVector<int64_t> dataAxes, featureAxes;
  /// The other axes of the weight.
  llvm::SmallVector<int64_t> outputAxes;
  /// alpha.
  double alpha = 1.0;
  /// b; null when there is none.
  mlir::Value bias;
  /// Empty when the theorem holds for this form; otherwise what is in the way.
  std::string unsupported;

  /// True for a node that takes its features as one axis, so that a head needs
  /// operators that flatten the map.
  bool isMatrixProduct() const { return dataRank == sampleAxis + 2; }
  /// True when the products are sums of integers.
  bool isInteger() const { return mlir::isa<onnx::MatMulIntegerOp>(op); }
};

/// Reads `op` as a dense layer; nullopt when it is none.
std::optional<DenseLayer> matchDenseLayer(mlir::Operation *op,
                                          const ModelFacts &facts);

} // namespace headopt

#endif // HEADOPT_ANALYSIS_DENSELAYER_H
