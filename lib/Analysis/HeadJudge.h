//===- HeadJudge.h - The judgement of one head ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One dense layer is judged in steps, each in a file of its own:
//
// - HeadReader.h: what the dialect of the head says
// - HeadPath.cpp: the way back to the map, and where its axes go
// - HeadWeight.cpp: the weight's numbers, in step with the map's axes
// - HeadEvenness.cpp: along which axes weight or map do not vary; what to pool
// - HeadPooledWeight.cpp: the new weight
// - HeadAnalysis.cpp: the rules in order, and the verdict
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_ANALYSIS_HEADJUDGE_H
#define HEADOPT_LIB_ANALYSIS_HEADJUDGE_H

#include "HeadReader.h"
#include "headopt/Analysis/HeadAnalysis.h"
#include "headopt/Analysis/WeightScan.h"
#include "llvm/ADT/MapVector.h"
#include <atomic>

namespace headopt {

/// What messages call a node: "'fc' (Gemm)".
std::string describe(mlir::Operation *op);

/// "[?, 512, 7, 7]"
std::string formatShape(llvm::ArrayRef<int64_t> shape);

/// "axis 2", "axes 2, 3"
std::string formatAxes(llvm::ArrayRef<int64_t> axes);

/// A weight, traced back to the constant that it is a view of.
struct Weight {
  Constant constant;
  AxisMap map;
  const DenseLayer *layer;

  /// Digits of the features that the layer sums over, and of its outputs.
  AxisMap::Axis getFeatures() const { return concat(layer->featureAxes); }
  AxisMap::Axis getOutputs() const { return concat(layer->outputAxes); }

  Direction getDirection(unsigned digit) const {
    uint64_t stride = map.getStride(digit);
    llvm::ArrayRef<int64_t> shape = constant.type.getShape();
    for (int64_t extent : shape.drop_front(map.getDigit(digit).axis + 1))
      stride *= extent;
    return {stride, getExtent(digit)};
  }
  /// Where the element `index` of the constant lies along `digits` together.
  uint64_t getCoordinate(llvm::ArrayRef<unsigned> digits,
                         uint64_t index) const {
    uint64_t coordinate = 0;
    for (unsigned digit : digits) {
      Direction direction = getDirection(digit);
      coordinate = coordinate * direction.extent +
                   index / direction.stride % direction.extent;
    }
    return coordinate;
  }
  /// Extents of weights are numbers.
  uint64_t getExtent(unsigned digit) const {
    return map.getDigit(digit).extent.getNumber();
  }

private:
  AxisMap::Axis concat(llvm::ArrayRef<int64_t> axes) const {
    AxisMap::Axis digits;
    for (int64_t axis : axes)
      llvm::append_range(digits, map.getViews().back()[axis]);
    return digits;
  }
};

/// Reads the weight of `layer`; nullopt, and the reason in `whyNot`, when it is
/// not constant.
std::optional<Weight> readWeight(const DenseLayer &layer,
                                 const HeadReader &reader, std::string &whyNot);

/// What a look for a difference found.
using Found = llvm::Expected<std::optional<Difference>>;

/// A way to pool: which value, over which axes.
struct Plan {
  size_t view = 0;
  llvm::SmallVector<int64_t> axes;
  /// The digits of `axes`: those along which the map does not vary, and the
  /// others, along which the weight must not.
  llvm::SmallVector<unsigned> evenMapDigits, evenWeightDigits;
  /// Those of `evenWeightDigits` along which parts of the map do not vary, so
  /// that of their weights nothing is asked.
  llvm::SmallVector<unsigned> partlyEvenDigits;
  /// Axes along which the map does not vary at all.
  llvm::SmallVector<int64_t> evenMapAxes;
  int64_t positions = 1;
};

class Judge {
public:
  Judge(Head &head, const HeadReader &reader,
        const HeadAnalysisOptions &options)
      : head(head), reader(reader), options(options) {}

  /// False when the dense layer turns out not to be a head.
  bool run();

private:
  bool judge();
  bool walkPath();
  bool isPooled() const;
  bool followPath();
  bool checkSamples();
  void refuse(Rule rule, const llvm::Twine &text) {
    set(rule, Outcome::Fail, text);
  }
  void set(Rule rule, Outcome outcome, const llvm::Twine &text) {
    head.rules[static_cast<unsigned>(rule)] = {outcome, text.str()};
  }
  bool passes(Rule rule) const {
    return head.get(rule).outcome == Outcome::Pass;
  }
  void describeMap(size_t view);
  void countParameters();
  bool alignWeight();
  void pinOnes();
  void findEvenMapDigits();
  void findEvenParts(size_t view);
  bool isPartlyEven(unsigned digit, size_t view) const;
  bool isExempt(unsigned digit, uint64_t index) const;
  Found findDifferenceAlong(const ConstantReader &reader, unsigned digit,
                            Direction direction, uint64_t limit) const;
  void testInvariance();
  void explainRefusal();
  std::optional<Plan> choosePlan(const llvm::SmallDenseSet<unsigned> &even);
  Found scanFully(const ConstantReader &reader, const Plan &plan,
                  llvm::SmallDenseSet<unsigned> &even);
  void noteEvenParts(const Plan &plan);
  void startPooledWeight(const Plan &plan, bool splat);
  void addToPooledWeight(uint64_t first, uint64_t count, const char *bytes);
  void addSplat(const char *bytes);
  void encodePooled(double sum, char *out);
  int64_t getZeroPoint(uint64_t index) const;
  void addInteger(uint64_t place, uint64_t index, const char *bytes);
  void finishPooledWeight();
  bool foldTail();
  const Constant &getTested() const;
  bool isTailEven(unsigned digit) const;
  void checkType();
  bool readZeroPoints();
  void checkExpression();
  void checkFinite();
  void conclude();
  int64_t getFeatureExtent(unsigned digit) const;
  void recordDifference(const ConstantReader &reader, unsigned digit,
                        Difference difference);
  llvm::SmallVector<Direction>
  getDirections(llvm::ArrayRef<unsigned> digits) const;
  llvm::SmallVector<mlir::OpOperand *> getRepeats(size_t view) const;
  /// Digits that the layer sums over, in the order in which it does.
  AxisMap::Axis getFeatures() const {
    AxisMap::Axis digits;
    for (int64_t axis : head.layer.dataAxes)
      llvm::append_range(digits, map->getViews().back()[axis]);
    return digits;
  }
  /// The value that view `i` describes.
  mlir::Value getValue(size_t view) const {
    size_t step = begin + view;
    return step == 0 ? source : head.path[step - 1]->getOwner()->getResult(0);
  }

  Head &head;
  const HeadReader &reader;
  const HeadAnalysisOptions &options;

  /// Where the path starts, and why it does not start earlier.
  mlir::Value source;
  std::string stopped;
  /// The axis map covers `head.path` from `begin` on.
  std::optional<AxisMap> map;
  size_t begin = 0;
  /// Views of `map` whose axis 0 is the samples and that have other axes apart.
  llvm::SmallVector<size_t> candidates;
  std::optional<Weight> weight;
  std::string weightError;
  int64_t numFeatures = mlir::ShapedType::kDynamic;
  int64_t numOutputs = mlir::ShapedType::kDynamic;
  /// For each digit of the map that is among the features, the weight's digits
  /// that run in step with it. Digits of unknown extent form one group, under
  /// the first of them.
  llvm::MapVector<unsigned, llvm::SmallVector<unsigned>> aligned;
  llvm::SmallVector<unsigned> unknownDigits;
  /// Symbols that can only be 1.
  llvm::SmallVector<unsigned> ones;
  /// How much Head::difference says: its index, and whether its axis is
  /// spatial.
  std::pair<uint64_t, bool> differenceRank;

  /// Where elements of the weight go in the pooled one.
  struct Target {
    Direction from;
    uint64_t stride;
  };
  llvm::SmallVector<Target> targets;
  /// Elements of the pooled weight while they are sums of several.
  std::vector<double> sums;
  /// Whether an element of the pooled weight is too small for its type.
  std::atomic<bool> losesDigits = false;
  /// How many equal summands each element that is added stands for.
  int64_t repetitions = 1;
  /// Of an integer layer: what its weight is less, one number or one for each
  /// output.
  std::vector<int64_t> zeroPoints;

  /// What scales and shifts features before the layer sees them.
  std::optional<AffineTail> tail;
  /// The weight times the scales, in double.
  std::optional<Constant> scaled;
  /// The element type of the new weight.
  mlir::Type pooledType;

  /// Digits along which the map does not vary, from which view on.
  llvm::SmallDenseMap<unsigned, size_t> evenMapFrom;
  /// A stretch of the coordinates of `partDigit`, and the digits along which
  /// the map does not vary there, from view `partsFrom` on.
  struct Part {
    uint64_t begin, end;
    llvm::SmallDenseSet<unsigned> even;
  };
  std::optional<unsigned> partDigit;
  size_t partsFrom = 0;
  llvm::SmallVector<Part> parts;
};

} // namespace headopt

#endif // HEADOPT_LIB_ANALYSIS_HEADJUDGE_H
