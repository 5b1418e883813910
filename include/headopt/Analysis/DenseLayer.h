//===- DenseLayer.h - Nodes read as dense layers ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_DENSELAYER_H
#define HEADOPT_ANALYSIS_DENSELAYER_H

#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include <optional>
#include <string>

namespace headopt {

/// y[n, o] = alpha * sum_k f[n, k] * W[k, o] + beta * b[o], as one node (and
/// for MatMul the Add behind it) writes it.
struct DenseLayer {
  /// Gemm or MatMul.
  mlir::Operation *op;
  /// f, [N, K].
  mlir::OpOperand *data;
  /// W, [K, O], or [O, K] when `transposed`.
  mlir::OpOperand *weight;
  bool transposed;
  /// b; null when there is none.
  mlir::Value bias;
  /// Empty when the theorem holds for this form; otherwise what is in the way.
  std::string unsupported;
};

/// Reads `op` as a dense layer; nullopt when it is none.
std::optional<DenseLayer> matchDenseLayer(mlir::Operation *op);

} // namespace headopt

#endif // HEADOPT_ANALYSIS_DENSELAYER_H
