//===- HeadAnalysis.h - Heads of a model and their verdicts -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A head is a dense layer that reads a feature map, as a rule through operators
// that bring it into rank 2. The theorem (docs/Legality.md): along every axis
// on which the weight or the map does not vary, the map may be averaged first;
// the new weight is the old one summed over these axes.
//
//     y[n, o] = sum_{c,p} W[o, c, p] x[n, c, p]
//             = sum_c W'[o, c] mean_p x[n, c, p],   W'[o, c] = sum_p W[o, c, p]
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_HEADANALYSIS_H
#define HEADOPT_ANALYSIS_HEADANALYSIS_H

#include "headopt/Analysis/DenseLayer.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/AnalysisManager.h"
#include <array>

namespace headopt {

enum class Verdict {
  /// The head may be pooled, and gains by it.
  Rewritable,
  /// No axis but the channel has more than one position: nothing to gain.
  Unit,
  /// The map is a global average already.
  Pooled,
  /// A rule fails.
  Refused,
};

/// The conditions of the theorem, by their labels in docs/Legality.md.
enum class Rule {
  View,       // L1
  Samples,    // L2
  Constant,   // L3
  Finite,     // L4
  Type,       // L5
  Invariance, // L6
  Extents,    // L7
  Form,       // L8
  Expression, // L9
};
inline constexpr unsigned kNumRules = 9;

enum class Outcome { Pass, Fail, NotTested };

struct RuleResult {
  Outcome outcome = Outcome::NotTested;
  std::string text;
};

/// "L1" ... "L9".
llvm::StringRef getLabel(Rule rule);

/// Where along an axis the weight varies.
struct WeightDifference {
  /// Axis of the feature map.
  unsigned axis;
  /// Output feature.
  int64_t output;
  /// Coordinates in the feature map, without the batch, of the weight that
  /// differs from its neighbour before it along `axis`.
  llvm::SmallVector<int64_t> position;
  /// The neighbour's value, and the weight's at `position`.
  double values[2];
};

/// What the rewrite needs to know about the pooled weight.
struct PooledWeight {
  /// As the dense node wants it: [O, C'] or [C', O] where features are one
  /// axis, C' running over the kept axes of the feature map in their order;
  /// else the old shape with extent 1 for the pooled axes.
  mlir::RankedTensorType type;
  /// Row-major elements; a single one when all are equal because the old weight
  /// was written as one number.
  std::vector<char> bytes;
  bool splat = false;
  /// The operation that gives the old weight its numbers: an initializer, a
  /// Constant node or ConstantOfShape. The new weight is written the same way.
  mlir::Operation *source = nullptr;
};

struct Head {
  DenseLayer layer;
  /// From the map to the dense layer, in order of execution: view operators and
  /// those that act on each element alone, as the operands through which the
  /// map goes.
  llvm::SmallVector<mlir::OpOperand *> path;

  Verdict verdict = Verdict::Refused;
  std::array<RuleResult, kNumRules> rules;
  /// The first failed rule's text; empty unless refused.
  std::string reason;

  /// The value that is, or would be, pooled. Its shape has kDynamic for unknown
  /// extents; not known at all (`featureMap` null) when L1 fails.
  mlir::Value featureMap;
  llvm::SmallVector<int64_t> mapShape;
  /// Axes of the map in the order in which columns of the dense layer run
  /// through them, slowest first, without the batch.
  llvm::SmallVector<int64_t> axesOrder;
  llvm::SmallVector<int64_t> pooledAxes;
  /// Those of them along which the map does not vary, and the weight may.
  llvm::SmallVector<int64_t> evenMapAxes;
  /// A stretch of one axis of the map within which the map does not vary along
  /// `axes`, which are pooled, and the weight may.
  struct EvenPart {
    int64_t axis, begin, end;
    llvm::SmallVector<int64_t> axes;
  };
  llvm::SmallVector<EvenPart> evenMapParts;
  /// How many values are averaged into one; kDynamic when unknown.
  int64_t positions = 1;
  /// Steps of `path` behind the map that change elements: they must be repeated
  /// on the map before it is pooled.
  llvm::SmallVector<mlir::OpOperand *> repeats;

  std::optional<PooledWeight> pooledWeight;
  /// Where operators before the dense layer add a constant to each feature: the
  /// constant that they come to for each output, [O], to be added to the result
  /// of the dense node.
  std::optional<PooledWeight> shift;
  std::optional<WeightDifference> difference;
  /// How far a refused weight is from even along all axes but the channels, and
  /// along each axis alone: ||W - mean W|| / ||W||.
  std::optional<double> residual;
  struct AxisResidual {
    int64_t axis;
    double residual;
  };
  llvm::SmallVector<AxisResidual> residualByAxis;
  /// The axis of the map that has the channels of the convolution it comes
  /// from; 1 where that is not known.
  int64_t channelAxis = 1;
  /// K and O of the dense layer; kDynamic when unknown.
  int64_t numFeatures = mlir::ShapedType::kDynamic;
  int64_t numOutputs = mlir::ShapedType::kDynamic;
  /// Elements of weight and bias: now, after the rewrite (same as now unless
  /// rewritten), and with a pooled head of the same map.
  int64_t parametersBefore = 0, parametersAfter = 0, parametersIfPooled = 0;
  /// When the pooled head gives the same result, in words.
  std::string condition;

  const RuleResult &get(Rule rule) const {
    return rules[static_cast<unsigned>(rule)];
  }
};

struct HeadAnalysisOptions {
  /// Compute Head::residual for refused heads, which reads their whole weight.
  bool residual = true;
};

/// Finds and judges every head in a module, subgraphs and functions included,
/// in the order of their dense nodes. Changes nothing. Usable as an MLIR
/// analysis (`getAnalysis<HeadAnalysis>()`).
class HeadAnalysis {
public:
  explicit HeadAnalysis(mlir::Operation *module,
                        HeadAnalysisOptions options = {});

  const ModelFacts &getFacts() const { return facts; }

  llvm::ArrayRef<Head> getHeads() const { return heads; }

  /// The heads, for a caller that wants to take their weights along.
  std::vector<Head> takeHeads() && { return std::move(heads); }

private:
  ModelFacts facts;
  std::vector<Head> heads;
};

/// The same for heads that are written with linalg and tensor operations on
/// tensors, as other front ends produce them (docs/Legality.md, "On linalg").
class LinalgHeadAnalysis {
public:
  explicit LinalgHeadAnalysis(mlir::Operation *root,
                              HeadAnalysisOptions options = {});

  llvm::ArrayRef<Head> getHeads() const { return heads; }
  std::vector<Head> takeHeads() && { return std::move(heads); }

private:
  std::vector<Head> heads;
};

} // namespace headopt

#endif // HEADOPT_ANALYSIS_HEADANALYSIS_H
