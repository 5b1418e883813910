//===- HeadReport.h - What the analysis found, for people -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The report as a table and as JSON; the JSON is described in docs/Report.md.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_HEADREPORT_H
#define HEADOPT_ANALYSIS_HEADREPORT_H

#include "headopt/Analysis/HeadAnalysis.h"
#include "llvm/Support/JSON.h"

namespace headopt {

/// What a report says of one head; outlives the module.
struct HeadReportEntry {
  std::string node;
  std::string op;
  Verdict verdict;
  llvm::SmallVector<int64_t> mapShape, axesOrder, pooledAxes;
  int64_t numFeatures = 0, numOutputs = 0;
  std::array<RuleResult, kNumRules> rules;
  std::string reason;
  std::optional<WeightDifference> difference;
  std::optional<double> residual;
  llvm::SmallVector<Head::AxisResidual> residualByAxis;
  /// Of a head that L6 refuses: what the layer is exactly, and what to change
  /// in order to train a pooled head, a line each.
  std::vector<std::string> alternatives;
  int64_t parametersBefore = 0, parametersAfter = 0, parametersIfPooled = 0;
  std::string condition;
};

struct HeadReport {
  std::string input, output;
  std::vector<HeadReportEntry> heads;
  int64_t parametersBefore = 0, parametersAfter = 0;
  std::optional<uint64_t> bytesBefore, bytesAfter;

  unsigned count(Verdict verdict) const;
  llvm::json::Value toJSON() const;
  /// A row for each head, and a line with the sums.
  void print(llvm::raw_ostream &os) const;
};

/// The heads of `analysis` as report entries.
std::vector<HeadReportEntry> describeHeads(const HeadAnalysis &analysis);

/// How many floating-point numbers the model fixes: elements of initializers,
/// Constant nodes and ConstantOfShape nodes of a constant shape.
int64_t countParameters(mlir::Operation *module);

} // namespace headopt

#endif // HEADOPT_ANALYSIS_HEADREPORT_H
