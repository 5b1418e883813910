//===- HeadVerifier.h - A head before and after, in numbers -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a head on feature maps with a reference evaluator in double precision,
// which follows the operators one by one. It shows that the rewrite did what
// the analysis decided; that a map does not vary, and which constants a weight
// is computed from, it takes from the analysis.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_HEADVERIFIER_H
#define HEADOPT_ANALYSIS_HEADVERIFIER_H

#include "headopt/Analysis/HeadAnalysis.h"
#include "llvm/Support/Error.h"

namespace headopt {

/// Holds what a head answered before it was rewritten.
class HeadVerifier {
public:
  /// Evaluates the dense layer of `head`, which is to be rewritten, on random
  /// and adversarial feature maps (all equal, one-hot, alternating signs with
  /// large values), which do not vary where the map is known not to. Unknown
  /// extents become small numbers that the weight allows.
  static llvm::Expected<HeadVerifier> create(const Head &head,
                                             const ModelFacts &facts);

  struct Result {
    /// The largest |new - old| over all maps and outputs.
    double difference = 0;
    /// What rounding allows there: sum_k |W| |f| * (u + (K + 8) 2^-52) with u
    /// the unit roundoff of the weight's type. The pooled weight is rounded
    /// once (a relative error of u each, and sum |W'| |mean| is at most
    /// sum |W| |f|); all sums are of at most K + 8 terms in double.
    double bound = 0;
    bool withinBound = true;
  };

  /// Evaluates the same dense layer again, now rewritten, on the same maps.
  llvm::Expected<Result> compare() const;

private:
  /// The result of the dense layer, also when its node is replaced.
  mlir::Value getResult() const {
    return use ? use->get() : dense->getResult(0);
  }

  mlir::Operation *dense = nullptr;
  /// For a node that is going to be replaced or followed by another one: where
  /// its result goes.
  mlir::OpOperand *use = nullptr;
  mlir::Value map;
  double unitRoundoff = 0;
  llvm::SmallVector<int64_t> shape;
  std::vector<std::vector<double>> maps, answers, magnitudes;
};

} // namespace headopt

#endif // HEADOPT_ANALYSIS_HEADVERIFIER_H
