//===- AffineTail.h - Scales and shifts before a dense layer ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// BatchNormalization, Mul, Add and the like between the flattened map and the
// dense layer, with a constant for each feature, are a part of the weight:
//
//   sum_k W[k, o] (s[k] f[n, k] + t[k])
//     = sum_k (s[k] W[k, o]) f[n, k] + sum_k t[k] W[k, o].
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_ANALYSIS_AFFINETAIL_H
#define HEADOPT_LIB_ANALYSIS_AFFINETAIL_H

#include "headopt/Analysis/ModelFacts.h"
#include <vector>

namespace headopt {

struct AffineTail {
  /// f, [N, K].
  mlir::Value input;
  /// s and t, one for each feature, computed in double.
  std::vector<double> scales, shifts;
  /// The parameters that the scales were computed from, one list of K numbers
  /// each. Features with the same parameters have the same scale.
  std::vector<std::vector<double>> scaleParameters;
  /// True when every scale is exactly what the operators define.
  bool scalesAreExact = true;
  bool hasShifts = false;
};

/// Reads what stands directly before `data`, [N, K] with `numFeatures` = K, as
/// an affine tail; nullopt when nothing there has a parameter for each feature.
std::optional<AffineTail> matchAffineTail(mlir::Value data, int64_t numFeatures,
                                          const ModelFacts &facts);

/// True when the product of `a` and `b` is a number of type double.
bool isExactProduct(double a, double b);

} // namespace headopt

#endif // HEADOPT_LIB_ANALYSIS_AFFINETAIL_H
