//===- HeadAnalysis.cpp - Heads of a model and their verdicts -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/HeadAnalysis.h"
#include "AffineTail.h"
#include "headopt/Analysis/AxisMap.h"
#include "headopt/Analysis/ConstantFolder.h"
#include "headopt/Analysis/GlobalAverage.h"
#include "headopt/Analysis/WeightScan.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <atomic>
#include <cmath>

using namespace mlir;
using namespace headopt;

StringRef headopt::getLabel(Rule rule) {
  static constexpr StringLiteral labels[kNumRules] = {
      "L1", "L2", "L3", "L4", "L5", "L6", "L7", "L8", "L9"};
  return labels[static_cast<unsigned>(rule)];
}

static std::string describe(Operation *op) {
  auto node = dyn_cast<onnx::NodeOpInterface>(op);
  if (!node)
    return op->getName().getStringRef().str();
  return llvm::formatv("'{0}' ({1})", node.getDisplayName(),
                       node.getOperatorName());
}

/// "[?, 512, 7, 7]"
static std::string formatShape(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (auto [i, extent] : llvm::enumerate(shape))
    text += (i ? ", " : "") +
            (ShapedType::isDynamic(extent) ? "?" : std::to_string(extent));
  return text + "]";
}

//===----------------------------------------------------------------------===//
// The path from map to dense layer
//===----------------------------------------------------------------------===//

/// The operand of `op` that its result is, moved or with each element mapped
/// alone and the same way everywhere, so that the map may be pooled after it;
/// null when there is none. `whyNot` says what is in the way, if there is more
/// to say than that the operator is another one.
static OpOperand *getFollowedOperand(Operation *op, const ModelFacts &facts,
                                     std::string &whyNot) {
  if (isViewOp(op, facts) || isa<onnx::IdentityOp>(op))
    return &op->getOpOperand(0);
  if (auto dropout = dyn_cast<onnx::DropoutOp>(op)) {
    std::string why;
    if (isInference(dropout, why))
      return &op->getOpOperand(0);
    whyNot = describe(op) + " " + why;
    return nullptr;
  }
  // A scalar that could have more axes than the map would change its rank.
  auto isParameter = [&](Value value) {
    return isa<NoneType>(value.getType()) ||
           (facts.isScalar(value) && facts.get(value).shape->size() <= 2);
  };
  // Its scale is that of the whole tensor, in whatever order elements lie.
  if (isa<onnx::DynamicQuantizeLinearOp>(op))
    return &op->getOpOperand(0);
  if (isa<onnx::QuantizeLinearOp, onnx::DequantizeLinearOp>(op)) {
    if (facts.isScalar(op->getOperand(1)))
      return &op->getOpOperand(0);
    whyNot = describe(op) + " has a scale for each feature";
    return nullptr;
  }
  if (!op->hasTrait<onnx::PerElement>())
    return nullptr;
  OpOperand *followed = nullptr;
  for (OpOperand &operand : op->getOpOperands()) {
    if (isParameter(operand.get()))
      continue;
    if (followed) {
      whyNot = describe(op) + " has a parameter for each feature, or combines "
                              "two maps";
      return nullptr;
    }
    followed = &operand;
  }
  return followed;
}

/// True when a per-element operator leaves elements as they are.
static bool isNoOp(Operation *op) {
  if (isa<onnx::IdentityOp, onnx::DropoutOp>(op))
    return true;
  auto element = [](Value value) -> Type {
    auto type = dyn_cast<TensorType>(value.getType());
    return type ? type.getElementType() : Type();
  };
  return isa<onnx::CastOp>(op) && element(op->getOperand(0)) &&
         element(op->getOperand(0)) == element(op->getResult(0));
}

//===----------------------------------------------------------------------===//
// The weight
//===----------------------------------------------------------------------===//

namespace {

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
    ArrayRef<int64_t> shape = constant.type.getShape();
    for (int64_t extent : shape.drop_front(map.getDigit(digit).axis + 1))
      stride *= extent;
    return {stride, getExtent(digit)};
  }
  /// Extents of weights are numbers.
  uint64_t getExtent(unsigned digit) const {
    return map.getDigit(digit).extent.getNumber();
  }

private:
  AxisMap::Axis concat(ArrayRef<int64_t> axes) const {
    AxisMap::Axis digits;
    for (int64_t axis : axes)
      llvm::append_range(digits, map.getViews().back()[axis]);
    return digits;
  }
};

} // namespace

static std::optional<Weight> readWeight(const DenseLayer &layer,
                                        const ModelFacts &facts,
                                        std::string &whyNot) {
  SmallVector<Operation *> path;
  Value source = layer.weight->get();
  while (Operation *def = source.getDefiningOp()) {
    if (!isViewOp(def, facts) && !isa<onnx::IdentityOp>(def))
      break;
    path.insert(path.begin(), def);
    source = def->getOperand(0);
  }
  std::optional<Constant> constant = foldConstant(source, facts, whyNot);
  if (!constant)
    return std::nullopt;
  AxisMap map(SmallVector<Extent>(constant->type.getShape().begin(),
                                  constant->type.getShape().end()));
  for (Operation *step : path) {
    if (!map.apply(step, facts, ShapedType::kDynamic, whyNot)) {
      whyNot = describe(step) + " in front of it: " + whyNot;
      return std::nullopt;
    }
  }
  if (static_cast<int64_t>(map.getViews().back().size()) != layer.weightRank) {
    whyNot = "it does not have " + std::to_string(layer.weightRank) + " axes";
    return std::nullopt;
  }
  return Weight{*constant, std::move(map), &layer};
}

//===----------------------------------------------------------------------===//
// Judging one head
//===----------------------------------------------------------------------===//

namespace {

/// A way to pool: which value, over which axes.
struct Plan {
  size_t view = 0;
  SmallVector<int64_t> axes;
  /// The digits of `axes`: those along which the map does not vary, and the
  /// others, along which the weight must not.
  SmallVector<unsigned> evenMapDigits, evenWeightDigits;
  /// Those of `evenWeightDigits` along which parts of the map do not vary, so
  /// that of their weights nothing is asked.
  SmallVector<unsigned> partlyEvenDigits;
  /// Axes along which the map does not vary at all.
  SmallVector<int64_t> evenMapAxes;
  int64_t positions = 1;
};

using Found = llvm::Expected<std::optional<Difference>>;

class Judge {
public:
  Judge(Head &head, const ModelFacts &facts, const HeadAnalysisOptions &options)
      : head(head), facts(facts), options(options) {}

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
  int64_t findChannelAxis(Value map) const;
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
  SmallVector<Direction> getDirections(ArrayRef<unsigned> digits) const;
  SmallVector<OpOperand *> getRepeats(size_t view) const;
  /// Digits that the layer sums over, in the order in which it does.
  AxisMap::Axis getFeatures() const {
    AxisMap::Axis digits;
    for (int64_t axis : head.layer.dataAxes)
      llvm::append_range(digits, map->getViews().back()[axis]);
    return digits;
  }
  /// The value that view `i` describes.
  Value getValue(size_t view) const {
    size_t step = begin + view;
    return step == 0 ? source : head.path[step - 1]->getOwner()->getResult(0);
  }

  Head &head;
  const ModelFacts &facts;
  const HeadAnalysisOptions &options;

  /// Where the path starts, and why it does not start earlier.
  Value source;
  std::string stopped;
  /// The axis map covers `head.path` from `begin` on.
  std::optional<AxisMap> map;
  size_t begin = 0;
  /// Views of `map` whose axis 0 is the samples and that have other axes apart.
  SmallVector<size_t> candidates;
  std::optional<Weight> weight;
  std::string weightError;
  int64_t numFeatures = ShapedType::kDynamic;
  int64_t numOutputs = ShapedType::kDynamic;
  /// For each digit of the map that is among the features, the weight's digits
  /// that run in step with it. Digits of unknown extent form one group, under
  /// the first of them.
  llvm::MapVector<unsigned, SmallVector<unsigned>> aligned;
  SmallVector<unsigned> unknownDigits;
  /// Symbols that can only be 1.
  SmallVector<unsigned> ones;
  /// How much Head::difference says: its index, and whether its axis is
  /// spatial.
  std::pair<uint64_t, bool> differenceRank;

  /// Where elements of the weight go in the pooled one.
  struct Target {
    Direction from;
    uint64_t stride;
  };
  SmallVector<Target> targets;
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
  Type pooledType;

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
  SmallVector<Part> parts;
};

} // namespace

/// Collects the operators between the map and the dense layer.
bool Judge::walkPath() {
  auto isView = [&](OpOperand *step) {
    return isViewOp(step->getOwner(), facts);
  };
  Value value = head.layer.data->get();
  if (head.layer.isMatrixProduct()) {
    const std::optional<ValueFacts::Shape> &shape =
        facts.get(head.layer.weight->get()).shape;
    if (shape && shape->size() == 2)
      tail = matchAffineTail(
          value, (*shape)[head.layer.featureAxes.front()].getNumber(), facts);
    if (tail)
      value = tail->input;
  }
  while (Operation *def = value.getDefiningOp()) {
    OpOperand *followed = value == def->getResult(0)
                              ? getFollowedOperand(def, facts, stopped)
                              : nullptr;
    if (!followed)
      break;
    head.path.push_back(followed);
    value = followed->get();
  }
  std::reverse(head.path.begin(), head.path.end());
  source = value;
  if (!head.layer.isMatrixProduct() || llvm::any_of(head.path, isView) ||
      isPooled())
    return true;
  // An operator that cannot be followed may hide the collapse of a map. What
  // keeps the shape of its first operand is looked through, to say so.
  static constexpr unsigned kMaxSteps = 8;
  Operation *inTheWay = value.getDefiningOp();
  for (unsigned i = 0; i != kMaxSteps; ++i) {
    Operation *def = value.getDefiningOp();
    if (!def || def->getNumOperands() == 0 || def->getNumRegions() ||
        !isa<onnx::NodeOpInterface>(def) || matchDenseLayer(def, facts))
      return false;
    Value next = def->getOperand(0);
    for (Value operand : llvm::reverse(def->getOperands()))
      if (!isMadeFromConstants(operand, /*inputs=*/true))
        next = operand;
    if (isViewOp(def, facts)) {
      const std::optional<ValueFacts::Shape> &shape = facts.get(next).shape;
      if (shape && shape->size() < 3)
        return false;
      if (stopped.empty())
        stopped = describe(inTheWay) +
                  " between map and dense layer is not known to act on each "
                  "element alone";
      return true;
    }
    const std::optional<ValueFacts::Shape> &before = facts.get(next).shape;
    const std::optional<ValueFacts::Shape> &after = facts.get(value).shape;
    if (before && after && before->size() != after->size())
      return false;
    value = next;
  }
  return false;
}

/// True when some value on the way is a global average: the path may end inside
/// one, between its sum and its division.
bool Judge::isPooled() const {
  return matchGlobalAverage(source, facts) ||
         llvm::any_of(head.path, [&](OpOperand *step) {
           return matchGlobalAverage(step->getOwner()->getResult(0), facts);
         });
}

/// Follows axes along the path, from as early as that works.
bool Judge::followPath() {
  size_t lastView = 0;
  for (auto [i, step] : llvm::enumerate(head.path))
    if (isViewOp(step->getOwner(), facts))
      lastView = i;
  std::string firstReason;
  for (begin = 0; begin <= head.path.size(); ++begin) {
    const std::optional<ValueFacts::Shape> &shape =
        facts.get(getValue(0)).shape;
    if (!shape)
      continue;
    AxisMap attempt(*shape);
    bool followed = true;
    for (size_t i = begin; i != head.path.size() && followed; ++i) {
      std::string reason;
      bool flattens = i == lastView && head.layer.isMatrixProduct();
      followed =
          attempt.apply(head.path[i]->getOwner(), facts,
                        flattens ? numFeatures : ShapedType::kDynamic, reason);
      if (!followed && firstReason.empty())
        firstReason = describe(head.path[i]->getOwner()) + ": " + reason;
    }
    if (!followed || static_cast<int64_t>(attempt.getViews().back().size()) !=
                         head.layer.dataRank)
      continue;
    // Only the dense layer's own input: nothing is apart any more.
    if (llvm::none_of(attempt.getViews(), [](const AxisMap::View &view) {
          return view.size() > 2;
        }))
      continue;
    map = std::move(attempt);
    return true;
  }
  if (!stopped.empty())
    firstReason = stopped;
  if (firstReason.empty())
    firstReason = "the shape of the map is not known";
  refuse(Rule::View, firstReason);
  return false;
}

int64_t Judge::getFeatureExtent(unsigned digit) const {
  const Extent &extent = map->getDigit(digit).extent;
  if (extent.isNumber())
    return extent.getNumber();
  // The group of unknown digits has what the known ones leave.
  Extent known;
  for (unsigned other : getFeatures())
    if (map->getDigit(other).extent.isNumber())
      known *= map->getDigit(other).extent;
  std::optional<Extent> quotient = Extent(numFeatures).divideBy(known);
  return quotient ? quotient->getNumber() : ShapedType::kDynamic;
}

/// Checks that rows of the dense input are samples of the map. False when the
/// layer acts on each position by itself and so is no head.
bool Judge::checkSamples() {
  const AxisMap::View &last = map->getViews().back();
  const AxisMap::Axis &rows = last[0];
  const AxisMap::Axis features = getFeatures();
  std::optional<size_t> apart;
  for (auto [i, view] : llvm::enumerate(map->getViews())) {
    if (view.size() < 3)
      continue;
    apart = i;
    if (view[0] == rows)
      candidates.push_back(i);
  }
  // Axis 0 of the earliest map is the batch, wherever it went since.
  bool mixed = llvm::any_of(
      features, [&](unsigned digit) { return map->getDigit(digit).axis == 0; });
  if (!candidates.empty() && !mixed) {
    set(Rule::Samples, Outcome::Pass, "each row is one sample");
    return true;
  }
  candidates.clear();
  const AxisMap::View &view = map->getViews()[*apart];
  for (size_t axis = 1; axis != view.size(); ++axis)
    if (!mixed && view[axis] == features)
      return false;
  describeMap(*apart);
  refuse(Rule::Samples,
         mixed ? "axis 0 of the map " + formatShape(head.mapShape) +
                     " is part of the " + llvm::Twine(numFeatures).str() +
                     " features: a row mixes samples"
               : "a row is only a part of a sample of the map " +
                     formatShape(head.mapShape));
  return true;
}

/// Fills in what the report says of the map.
void Judge::describeMap(size_t index) {
  const AxisMap::View &view = map->getViews()[index];
  head.featureMap = getValue(index);
  head.repeats = getRepeats(index);
  head.mapShape.clear();
  for (const AxisMap::Axis &axis : view)
    head.mapShape.push_back(map->getNumber(axis));
  llvm::SetVector<int64_t> order;
  for (unsigned digit : getFeatures())
    for (auto [axis, digits] : llvm::enumerate(view))
      if (llvm::is_contained(digits, digit))
        order.insert(axis);
  // Axes of extent 1 can be anywhere.
  for (size_t axis = 1; axis < view.size(); ++axis)
    order.insert(axis);
  order.remove(0);
  head.axesOrder.assign(order.begin(), order.end());
}

/// The axis of `map` that has the channels of the convolution, normalisation or
/// pool that it comes from: axis 1 of their result, followed through transposes
/// and operators that keep all axes. 1 where there is none.
int64_t Judge::findChannelAxis(Value map) const {
  static constexpr unsigned kMaxSteps = 32;
  SmallVector<ArrayRef<int64_t>> perms;
  for (unsigned i = 0; i != kMaxSteps; ++i) {
    Operation *op = map.getDefiningOp();
    if (isa_and_nonnull<onnx::ConvOp, onnx::BatchNormalizationOp,
                        onnx::MaxPoolOp, onnx::AveragePoolOp,
                        onnx::GlobalAveragePoolOp>(op)) {
      int64_t axis = 1;
      for (ArrayRef<int64_t> perm : llvm::reverse(perms))
        axis = llvm::find(perm, axis) - perm.begin();
      return axis;
    }
    if (auto transpose = dyn_cast_or_null<onnx::TransposeOp>(op)) {
      if (!transpose.getPerm())
        break;
      perms.push_back(*transpose.getPerm());
      map = transpose.getData();
      continue;
    }
    if (!op || op->getNumOperands() == 0 ||
        !(op->hasTrait<onnx::PerElement>() ||
          isa<onnx::IdentityOp, onnx::DropoutOp, onnx::QuantizeLinearOp,
              onnx::DequantizeLinearOp>(op)))
      break;
    // The operand that is no constant.
    std::string ignored;
    Value next;
    for (Value operand : op->getOperands())
      if (!next && !isa<NoneType>(operand.getType()) &&
          !getConstant(operand, ignored))
        next = operand;
    if (!next)
      break;
    map = next;
  }
  return 1;
}

/// Parameters of the layer as it is, and if all axes of the earliest map but
/// the channels were pooled.
void Judge::countParameters() {
  if (ShapedType::isDynamic(numFeatures) || ShapedType::isDynamic(numOutputs))
    return;
  std::string ignored;
  std::optional<Constant> added =
      head.layer.bias ? foldConstant(head.layer.bias, facts, ignored)
                      : std::nullopt;
  int64_t bias = added ? added->type.getNumElements() : 0;
  head.parametersBefore = numFeatures * numOutputs + bias;
  head.parametersAfter = head.parametersBefore;
  head.parametersIfPooled = head.parametersBefore;
  if (candidates.empty())
    return;
  const AxisMap::View &view = map->getViews()[candidates.front()];
  head.channelAxis = findChannelAxis(getValue(candidates.front()));
  if (head.channelAxis >= static_cast<int64_t>(view.size()))
    head.channelAxis = 1;
  int64_t channels = map->getNumber(view[head.channelAxis]);
  // In a grouped convolution the channels count among the outputs.
  if (!head.layer.isMatrixProduct() &&
      !llvm::is_contained(head.layer.dataAxes, 1))
    channels = 1;
  if (!ShapedType::isDynamic(channels))
    head.parametersIfPooled = channels * numOutputs + bias;
}

/// Brings the weight's digits in step with the map's.
bool Judge::alignWeight() {
  const AxisMap::Axis features = getFeatures();
  // Unknown digits must follow each other to count as one.
  std::optional<size_t> firstUnknown, lastUnknown;
  for (auto [i, digit] : llvm::enumerate(features)) {
    if (map->getDigit(digit).extent.isNumber())
      continue;
    if (!firstUnknown)
      firstUnknown = i;
    else if (*lastUnknown + 1 != i) {
      refuse(Rule::View,
             "two axes of unknown extent lie apart in the features");
      return false;
    }
    lastUnknown = i;
    unknownDigits.push_back(digit);
  }

  if (firstUnknown &&
      ShapedType::isDynamic(getFeatureExtent(unknownDigits.front()))) {
    refuse(Rule::Extents, "the weight's " + llvm::Twine(numFeatures) +
                              " rows are no multiple of the known extents of "
                              "the map " +
                              formatShape(head.mapShape));
    return false;
  }

  size_t next = 0;
  for (auto [i, digit] : llvm::enumerate(features)) {
    if (firstUnknown && i > *firstUnknown && i <= *lastUnknown)
      continue;
    int64_t need = getFeatureExtent(digit);
    if (ShapedType::isDynamic(need) || need == 0) {
      refuse(Rule::Extents, "the weight's " + llvm::Twine(numFeatures) +
                                " rows do not fit the map " +
                                formatShape(head.mapShape));
      return false;
    }
    SmallVector<unsigned> &digits = aligned[digit];
    while (need != 1) {
      AxisMap::Axis available = weight->getFeatures();
      if (next == available.size()) {
        refuse(Rule::Extents, "the weight has fewer rows than the map "
                              "has features");
        return false;
      }
      unsigned candidate = available[next];
      int64_t extent = weight->getExtent(candidate);
      if (need % extent != 0) {
        if (extent % need != 0) {
          refuse(Rule::View, "the weight is reshaped across the map's axes");
          return false;
        }
        weight->map.split(candidate, extent / need);
        extent = need;
      }
      digits.push_back(candidate);
      need /= extent;
      ++next;
    }
  }
  if (next != weight->getFeatures().size()) {
    refuse(Rule::Extents, "the weight has more rows than the map has features");
    return false;
  }
  return true;
}

SmallVector<Direction> Judge::getDirections(ArrayRef<unsigned> digits) const {
  SmallVector<Direction> directions;
  for (unsigned digit : digits)
    if (const auto *it = aligned.find(digit); it != aligned.end())
      for (unsigned weightDigit : it->second)
        directions.push_back(weight->getDirection(weightDigit));
  return directions;
}

/// Steps after a view that change elements.
SmallVector<OpOperand *> Judge::getRepeats(size_t view) const {
  SmallVector<OpOperand *> steps;
  for (OpOperand *step : ArrayRef(head.path).drop_front(begin + view))
    if (!isViewOp(step->getOwner(), facts) && !isNoOp(step->getOwner()))
      steps.push_back(step);
  return steps;
}

/// Where the weight has no more rows than the numbers among the extents of the
/// features make, all symbols among them are 1.
void Judge::pinOnes() {
  Extent product = map->getExtent(getFeatures());
  if (product.isNumber() || product.getCoefficient() != numFeatures)
    return;
  ones.assign(product.getSymbols().begin(), product.getSymbols().end());
  for (unsigned symbol : ones)
    map->pin(symbol, 1);
}

/// Finds digits of the map along which it does not vary.
void Judge::findEvenMapDigits() {
  for (auto [i, view] : llvm::enumerate(map->getViews())) {
    const ValueFacts &value = facts.get(getValue(i));
    if (value.varying.size() != view.size())
      continue;
    for (auto [axis, digits] : llvm::enumerate(view))
      // Symbols that the weight's rows show to be 1 leave a number.
      if (value.varying[axis].getCoefficient() == 1 &&
          llvm::all_of(value.varying[axis].getSymbols(), [&](unsigned symbol) {
            return llvm::is_contained(ones, symbol);
          }))
        for (unsigned digit : digits)
          evenMapFrom.try_emplace(digit, i);
  }
  for (size_t i = 0; i != map->getViews().size(); ++i)
    findEvenParts(i);
  // Unknown extents are known only together.
  if (!llvm::all_of(unknownDigits, [&](unsigned digit) {
        return evenMapFrom.contains(digit);
      }))
    for (unsigned digit : unknownDigits)
      evenMapFrom.erase(digit);
}

/// Takes over what is known of parts of the value that view `i` describes.
void Judge::findEvenParts(size_t i) {
  const ValueFacts &value = facts.get(getValue(i));
  const AxisMap::View &view = map->getViews()[i];
  if (partDigit || !value.partAxis || value.varying.size() != view.size())
    return;
  const AxisMap::Axis &axis = view[*value.partAxis];
  if (axis.size() != 1 || !aligned.contains(axis.front()))
    return;
  partDigit = axis.front();
  partsFrom = i;
  for (const ValueFacts::Part &part : value.parts) {
    parts.push_back({static_cast<uint64_t>(part.begin),
                     static_cast<uint64_t>(part.end),
                     {}});
    for (auto [other, digits] : llvm::enumerate(view))
      if (part.varying[other].isNumber(1))
        parts.back().even.insert(digits.begin(), digits.end());
  }
}

/// True when a part of the map is even along `digit` in `view`.
bool Judge::isPartlyEven(unsigned digit, size_t view) const {
  // Sums of integers are not means: each part would need a factor of its own.
  return partDigit && !head.layer.isInteger() && partsFrom <= view &&
         digit != *partDigit && llvm::any_of(parts, [&](const Part &part) {
           return part.even.contains(digit);
         });
}

/// True for an element of the weight that may vary along `digit`, since the
/// part of the map that it is multiplied with does not.
bool Judge::isExempt(unsigned digit, uint64_t index) const {
  uint64_t coordinate = 0;
  for (unsigned weightDigit : aligned.find(*partDigit)->second) {
    Direction direction = weight->getDirection(weightDigit);
    coordinate = coordinate * direction.extent +
                 index / direction.stride % direction.extent;
  }
  return llvm::any_of(parts, [&](const Part &part) {
    return coordinate >= part.begin && coordinate < part.end &&
           part.even.contains(digit);
  });
}

/// Looks for weights that differ along `digit`, where that matters.
Found Judge::findDifferenceAlong(const ConstantReader &reader, unsigned digit,
                                 Direction direction, uint64_t limit) const {
  MLIRContext *context = limit ? nullptr : head.layer.op->getContext();
  if (!isPartlyEven(digit, map->getViews().size()))
    return findDifference(reader, direction, limit, nullptr, context);
  return findDifference(reader, direction, limit, nullptr, context,
                        [&](uint64_t index) { return isExempt(digit, index); });
}

/// The best way to pool when the weight is even along the digits in `even`: the
/// most positions, then the fewest operators to repeat, then the earliest value
/// (which leaves the most views dead).
std::optional<Plan>
Judge::choosePlan(const llvm::SmallDenseSet<unsigned> &even) {
  std::optional<Plan> best;
  // A weight of equal numbers could be pooled in many ways; the earliest map,
  // as convolutions lay it out, keeps its channels.
  bool equal = llvm::all_of(
      getFeatures(), [&](unsigned digit) { return even.contains(digit); });
  ArrayRef<size_t> views = candidates;
  // A layer that takes several axes sees no other map than its own operand.
  if (!head.layer.isMatrixProduct())
    views = views.take_back();
  else if (equal)
    views = views.take_front();
  const AxisMap::Axis features = getFeatures();
  for (size_t i : views) {
    const AxisMap::View &view = map->getViews()[i];
    auto isEvenMap = [&](unsigned digit) {
      auto it = evenMapFrom.find(digit);
      return it != evenMapFrom.end() && it->second <= i;
    };
    auto mayPool = [&](unsigned digit) {
      return llvm::is_contained(features, digit) &&
             (even.contains(digit) || isEvenMap(digit));
    };
    SmallVector<bool> pool(view.size(), false);
    for (size_t axis = 1; axis != view.size(); ++axis)
      pool[axis] = llvm::all_of(view[axis], mayPool);
    // Where outputs see only some of the channels, these stay.
    if (!head.layer.isMatrixProduct() &&
        !llvm::is_contained(head.layer.dataAxes, 1))
      pool[1] = false;
    if (llvm::all_of(ArrayRef(pool).drop_front(), [](bool b) { return b; }))
      pool[1] = false;
    // Unknown extents are known only together.
    bool unknownKept = false;
    for (size_t axis = 1; axis != view.size(); ++axis)
      unknownKept |=
          !pool[axis] && ShapedType::isDynamic(map->getNumber(view[axis]));
    if (unknownKept)
      for (size_t axis = 1; axis != view.size(); ++axis)
        if (ShapedType::isDynamic(map->getNumber(view[axis])))
          pool[axis] = false;

    Plan plan;
    plan.view = i;
    plan.positions = numFeatures;
    bool gains = false;
    // Of a part nothing is known in views before the one that shows it.
    if (partDigit && i < partsFrom)
      for (size_t axis = 1; axis != view.size(); ++axis)
        if (llvm::any_of(view[axis], [&](unsigned digit) {
              return isPartlyEven(digit, partsFrom);
            }))
          pool[axis] = false;
    for (size_t axis = 1; axis != view.size(); ++axis) {
      if (pool[axis]) {
        plan.axes.push_back(axis);
        gains |= !view[axis].empty();
        for (unsigned digit : view[axis]) {
          (isEvenMap(digit) ? plan.evenMapDigits : plan.evenWeightDigits)
              .push_back(digit);
          if (!isEvenMap(digit) && isPartlyEven(digit, i))
            plan.partlyEvenDigits.push_back(digit);
        }
        if (!view[axis].empty() && llvm::all_of(view[axis], isEvenMap))
          plan.evenMapAxes.push_back(axis);
      } else {
        for (unsigned digit : view[axis])
          if (aligned.contains(digit))
            plan.positions /= getFeatureExtent(digit);
      }
    }
    if (!gains)
      continue;
    if (!best || plan.positions > best->positions ||
        (plan.positions == best->positions &&
         getRepeats(plan.view).size() < getRepeats(best->view).size()))
      best = std::move(plan);
  }
  return best;
}

/// Lays out the pooled weight of `plan`.
void Judge::startPooledWeight(const Plan &plan, bool splat) {
  const AxisMap::View &view = map->getViews()[plan.view];
  const DenseLayer &layer = head.layer;
  // For each axis of the new weight the digits of the old one that it keeps.
  SmallVector<SmallVector<unsigned>> axes(layer.weightRank);
  const AxisMap::View &weightView = weight->map.getViews().back();
  for (int64_t axis : layer.outputAxes)
    axes[axis].assign(weightView[axis].begin(), weightView[axis].end());
  for (size_t axis = 1; axis != view.size(); ++axis) {
    if (llvm::is_contained(plan.axes, static_cast<int64_t>(axis)))
      continue;
    const auto *place = llvm::find(layer.dataAxes, static_cast<int64_t>(axis));
    int64_t target = layer.isMatrixProduct() ? layer.featureAxes.front()
                     : place == layer.dataAxes.end()
                         ? -1
                         : layer.featureAxes[place - layer.dataAxes.begin()];
    if (target < 0)
      continue;
    for (unsigned digit : view[axis])
      if (const auto *it = aligned.find(digit); it != aligned.end())
        llvm::append_range(axes[target], it->second);
  }

  SmallVector<int64_t> shape;
  for (ArrayRef<unsigned> digits : axes) {
    shape.push_back(1);
    for (unsigned digit : digits)
      shape.back() *= static_cast<int64_t>(weight->getExtent(digit));
  }
  PooledWeight pooled;
  Type element = pooledType;
  pooled.type = RankedTensorType::get(shape, element);
  pooled.source = weight->constant.op;
  targets.clear();
  uint64_t stride = 1;
  for (ArrayRef<unsigned> digits : llvm::reverse(axes))
    for (unsigned digit : llvm::reverse(digits)) {
      targets.push_back({weight->getDirection(digit), stride});
      stride *= weight->getExtent(digit);
    }
  // Zero points could differ from output to output.
  pooled.splat = splat && zeroPoints.size() <= 1;
  pooled.bytes.resize((pooled.splat ? 1 : pooled.type.getNumElements()) *
                      element.getIntOrFloatBitWidth() / 8);
  // Where the map is even, elements that differ are summed.
  bool differ = !plan.evenMapDigits.empty() || !plan.partlyEvenDigits.empty();
  sums.assign(differ && !pooled.splat ? pooled.type.getNumElements() : 0, 0.0);
  losesDigits = false;
  head.pooledWeight = std::move(pooled);
  head.positions = plan.positions;
  repetitions = 1;
  for (unsigned digit : plan.evenWeightDigits)
    if (aligned.contains(digit) &&
        !llvm::is_contained(plan.partlyEvenDigits, digit))
      repetitions *= getFeatureExtent(digit);
}

/// Makes the scales before the layer a part of its weight, in double, and the
/// shifts a constant for each output. False when a rule fails.
bool Judge::foldTail() {
  Type type = weight->constant.type.getElementType();
  pooledType =
      head.layer.isInteger() ? IntegerType::get(type.getContext(), 32) : type;
  if (!tail)
    return true;
  if (head.layer.isInteger() ||
      static_cast<int64_t>(tail->scales.size()) != numFeatures) {
    refuse(Rule::View, "the features are scaled before an integer layer");
    return false;
  }
  llvm::Expected<ConstantReader> reader =
      ConstantReader::open(weight->constant);
  if (!reader) {
    refuse(Rule::Constant, llvm::toString(reader.takeError()));
    return false;
  }
  static constexpr uint64_t kMaxElements = uint64_t(1) << 28;
  uint64_t count = reader->getNumElements();
  if (count > kMaxElements) {
    refuse(Rule::Constant, "the weight is scaled and has more than 2^28 "
                           "elements");
    return false;
  }
  std::unique_ptr<llvm::WritableMemoryBuffer> folded =
      llvm::WritableMemoryBuffer::getNewUninitMemBuffer(count * sizeof(double));
  if (!folded) {
    refuse(Rule::Constant, "the weight is scaled, and there is not enough "
                           "memory for that");
    return false;
  }
  auto *products = reinterpret_cast<double *>(folded->getBufferStart());
  std::vector<double> shifts(numOutputs, 0.0);
  SmallVector<Direction> features, outputs;
  for (unsigned digit : weight->getFeatures())
    features.push_back(weight->getDirection(digit));
  for (unsigned digit : weight->getOutputs())
    outputs.push_back(weight->getDirection(digit));
  auto coordinate = [](ArrayRef<Direction> directions, uint64_t index) {
    uint64_t value = 0;
    for (Direction d : directions)
      value = value * d.extent + index / d.stride % d.extent;
    return value;
  };
  const unsigned width = reader->getElementBytes();
  static constexpr uint64_t kStep = 1 << 18;
  std::vector<char> piece;
  for (uint64_t first = 0; first < count; first += kStep) {
    uint64_t size = std::min(kStep, count - first);
    piece.resize(size * width);
    if (llvm::Error err = reader->read(first, size, piece.data())) {
      refuse(Rule::Constant, llvm::toString(std::move(err)));
      return false;
    }
    for (uint64_t i = 0; i != size; ++i) {
      uint64_t k = coordinate(features, first + i);
      double w = decodeFloat(type, piece.data() + i * width);
      tail->scalesAreExact &= isExactProduct(w, tail->scales[k]);
      products[first + i] = w * tail->scales[k];
      shifts[coordinate(outputs, first + i)] += w * tail->shifts[k];
    }
  }
  scaled = {RankedTensorType::get(weight->constant.type.getShape(),
                                  Float64Type::get(type.getContext())),
            nullptr, weight->constant.op, std::move(folded)};
  if (!tail->hasShifts)
    return true;
  if (std::optional<int64_t> opset = onnx::getOpsetVersion(head.layer.op);
      opset && *opset < 7) {
    refuse(Rule::Expression, "opset " + llvm::Twine(*opset) +
                                 " has no Add that broadcasts; opset 7 has");
    return false;
  }
  auto gemm = dyn_cast<onnx::GemmOp>(head.layer.op);
  double alpha = gemm && gemm.getAlphaAttr()
                     ? gemm.getAlphaAttr().getValueAsDouble()
                     : 1.0;
  PooledWeight shift;
  shift.type = RankedTensorType::get({numOutputs}, type);
  shift.source = weight->constant.op;
  shift.bytes.resize(numOutputs * width);
  for (int64_t o = 0; o != numOutputs; ++o) {
    encodeFloat(type, alpha * shifts[o], shift.bytes.data() + o * width);
    if (!std::isfinite(decodeFloat(type, shift.bytes.data() + o * width))) {
      refuse(Rule::Finite, "what is added to the features comes to no finite "
                           "number for output " +
                               llvm::Twine(o));
      return false;
    }
  }
  head.shift = std::move(shift);
  return true;
}

/// What L6 is asked of: the scaled weight where it is exact, else the weight,
/// and the scales by themselves (isTailEven), as rounded products could be
/// equal by chance.
const Constant &Judge::getTested() const {
  return scaled && tail->scalesAreExact ? *scaled : weight->constant;
}

/// True when the scales are part of the tested weight, or the numbers that they
/// come from are the same along `digit`.
bool Judge::isTailEven(unsigned digit) const {
  if (!tail || tail->scalesAreExact)
    return true;
  int64_t stride = 1;
  for (auto &[other, ignored] : llvm::reverse(aligned)) {
    if (other == digit)
      break;
    stride *= getFeatureExtent(other);
  }
  int64_t extent = getFeatureExtent(digit);
  for (const std::vector<double> &parameters : tail->scaleParameters)
    for (int64_t k = 0; k != numFeatures; ++k) {
      int64_t first = k - k / stride % extent * stride;
      if (memcmp(&parameters[k], &parameters[first], sizeof(double)) != 0)
        return false;
    }
  return true;
}

void Judge::addToPooledWeight(uint64_t first, uint64_t count,
                              const char *bytes) {
  Type type = weight->constant.type.getElementType();
  unsigned width = type.getIntOrFloatBitWidth() / 8;
  char *out = head.pooledWeight->bytes.data();
  unsigned pooledWidth = pooledType.getIntOrFloatBitWidth() / 8;
  for (uint64_t i = 0; i != count; ++i) {
    uint64_t index = first + i;
    uint64_t place = 0;
    for (const Target &target : targets)
      place += index / target.from.stride % target.from.extent * target.stride;
    // Summands that are equal give a product.
    if (head.layer.isInteger()) {
      addInteger(place, index, bytes + i * width);
      continue;
    }
    double w = scaled ? decodeNumber(scaled->type.getElementType(),
                                     scaled->folded->getBufferStart() +
                                         index * sizeof(double))
                      : decodeFloat(type, bytes + i * width);
    double sum = w * static_cast<double>(repetitions);
    if (!sums.empty())
      sums[place] += sum;
    else
      encodePooled(sum, out + place * pooledWidth);
  }
}

/// The one element of a pooled weight whose old one is the same everywhere.
void Judge::addSplat(const char *bytes) {
  Type type = weight->constant.type.getElementType();
  char *out = head.pooledWeight->bytes.data();
  if (!head.layer.isInteger())
    return encodePooled(
        decodeFloat(type, bytes) * static_cast<double>(head.positions), out);
  // The data are summed where the map varies, the weights where it does not.
  int64_t zero = zeroPoints.empty() ? 0 : zeroPoints.front();
  auto sum = static_cast<uint32_t>(
      (static_cast<int64_t>(decodeNumber(type, bytes)) - zero) *
      (head.positions / repetitions));
  memcpy(out, &sum, sizeof(sum));
}

/// Rounds an element of the pooled weight, once.
void Judge::encodePooled(double sum, char *out) {
  encodeFloat(pooledType, sum, out);
  // Below the normal numbers of a type digits are lost. A multiple of one of
  // its numbers loses none; scales may come to that.
  if (!scaled)
    return;
  double unit =
      std::ldexp(1.0, -static_cast<int>(APFloat::semanticsPrecision(
                          cast<FloatType>(pooledType).getFloatSemantics())));
  double rounded = decodeFloat(pooledType, out);
  if (std::fabs(rounded - sum) > unit * std::fabs(sum))
    losesDigits = true;
}

/// Integers are exact: the layer itself computes modulo 2^32.
void Judge::addInteger(uint64_t place, uint64_t index, const char *bytes) {
  Type type = weight->constant.type.getElementType();
  uint64_t output = 0;
  for (unsigned digit : weight->getOutputs()) {
    Direction direction = weight->getDirection(digit);
    output =
        output * direction.extent + index / direction.stride % direction.extent;
  }
  int64_t zero = zeroPoints.empty()       ? 0
                 : zeroPoints.size() == 1 ? zeroPoints.front()
                                          : zeroPoints[output];
  char *at = head.pooledWeight->bytes.data() + place * sizeof(uint32_t);
  uint32_t sum;
  memcpy(&sum, at, sizeof(sum));
  sum += static_cast<uint32_t>(static_cast<int64_t>(decodeNumber(type, bytes)) -
                               zero);
  memcpy(at, &sum, sizeof(sum));
}

/// Rounds what was summed in double, once.
void Judge::finishPooledWeight() {
  if (head.layer.isInteger())
    return;
  unsigned width = pooledType.getIntOrFloatBitWidth() / 8;
  for (auto [i, sum] : llvm::enumerate(sums))
    encodePooled(sum, head.pooledWeight->bytes.data() + i * width);
}

/// Tests all that `plan` relies on, and makes the pooled weight on the way. On
/// a difference the digits that are not even are taken out of `even`.
Found Judge::scanFully(const ConstantReader &reader, const Plan &plan,
                       llvm::SmallDenseSet<unsigned> &even) {
  ArrayRef<unsigned> digits = plan.evenWeightDigits;
  SmallVector<unsigned> whole;
  for (unsigned digit : digits)
    if (!llvm::is_contained(plan.partlyEvenDigits, digit))
      whole.push_back(digit);
  // Neighbouring directions make one, which takes one pass.
  SmallVector<Direction> merged = mergeDirections(getDirections(whole));

  startPooledWeight(plan, reader.isSplat() && !scaled);
  if (head.pooledWeight->splat) {
    char bytes[8];
    if (llvm::Error err = reader.read(0, 1, bytes))
      return std::move(err);
    addSplat(bytes);
    return std::nullopt;
  }
  MLIRContext *context = head.layer.op->getContext();
  auto collect = [&](uint64_t first, uint64_t count, const char *bytes) {
    addToPooledWeight(first, count, bytes);
  };
  // Sums are of several elements, which threads would add at the same time.
  bool single = merged.size() == 1 && sums.empty() && !head.layer.isInteger();
  bool failed = false;
  for (Direction direction : merged) {
    Found found = single
                      ? findDifference(reader, direction, 0, collect, context)
                      : findDifference(reader, direction, 0, nullptr, context);
    if (!found)
      return found.takeError();
    failed |= found->has_value();
  }
  for (unsigned digit : plan.partlyEvenDigits)
    for (Direction direction : getDirections(digit)) {
      Found found = findDifferenceAlong(reader, digit, direction, 0);
      if (!found)
        return found.takeError();
      failed |= found->has_value();
    }
  if (!failed) {
    if (!single)
      if (llvm::Error err = forEachRepresentative(reader, merged, collect))
        return std::move(err);
    finishPooledWeight();
    return std::nullopt;
  }
  // Which of them was it?
  std::optional<Difference> first;
  for (unsigned digit : digits)
    for (Direction direction : getDirections(digit)) {
      Found found = findDifferenceAlong(reader, digit, direction, 0);
      if (!found)
        return found.takeError();
      if (!*found || !even.contains(digit))
        continue;
      even.erase(digit);
      for (unsigned unknown : unknownDigits)
        if (llvm::is_contained(unknownDigits, digit))
          even.erase(unknown);
      if (!first)
        first = **found;
      recordDifference(reader, digit, **found);
    }
  return first;
}

/// Notes where the weight varies, unless what is known already says more.
void Judge::recordDifference(const ConstantReader &reader, unsigned digit,
                             Difference difference) {
  const AxisMap::View &view = map->getViews()[candidates.front()];
  unsigned axis = 0;
  for (auto [i, digits] : llvm::enumerate(view))
    if (llvm::is_contained(digits, digit))
      axis = i;
  // The axis that is even the longest is the one to name: it came nearest. A
  // spatial axis says more than the channels.
  auto rank = std::make_pair(difference.second, axis != head.channelAxis);
  if (head.difference && rank <= differenceRank)
    return;
  differenceRank = rank;

  WeightDifference found;
  found.axis = axis;
  auto coordinate = [&](ArrayRef<unsigned> weightDigits) {
    int64_t value = 0;
    for (unsigned weightDigit : weightDigits) {
      Direction d = weight->getDirection(weightDigit);
      value = value * d.extent + difference.second / d.stride % d.extent;
    }
    return value;
  };
  found.output = coordinate(weight->getOutputs());
  for (size_t i = 1; i != view.size(); ++i) {
    int64_t value = 0;
    for (unsigned mapDigit : view[i])
      if (const auto *it = aligned.find(mapDigit); it != aligned.end())
        value = value * getFeatureExtent(mapDigit) + coordinate(it->second);
    found.position.push_back(value);
  }
  Type type = getTested().type.getElementType();
  uint64_t indices[] = {difference.first, difference.second};
  for (auto [index, value] : llvm::zip_equal(indices, found.values)) {
    char bytes[8];
    if (llvm::Error err = reader.read(index, 1, bytes)) {
      llvm::consumeError(std::move(err));
      return;
    }
    value = decodeNumber(type, bytes);
  }
  // Scaled numbers are what the layer works with; rounding could make two of
  // them equal.
  if (scaled) {
    const auto *products =
        reinterpret_cast<const double *>(scaled->folded->getBufferStart());
    double first = products[difference.first];
    double second = products[difference.second];
    if (first != second) {
      found.values[0] = first;
      found.values[1] = second;
    }
  }
  head.difference = std::move(found);
}

static std::string formatNumber(double value) {
  return llvm::formatv("{0:e9}", value).str();
}

/// "axis 2", "axes 2, 3"
static std::string formatAxes(ArrayRef<int64_t> axes) {
  std::string text = axes.size() == 1 ? "axis " : "axes ";
  for (auto [i, axis] : llvm::enumerate(axes))
    text += (i ? ", " : "") + std::to_string(axis);
  return text;
}

/// Notes the parts of the map that `plan` relies on.
void Judge::noteEvenParts(const Plan &plan) {
  head.evenMapParts.clear();
  if (plan.partlyEvenDigits.empty())
    return;
  const AxisMap::View &view = map->getViews()[plan.view];
  const auto *partAxis = llvm::find_if(view, [&](const AxisMap::Axis &axis) {
    return llvm::is_contained(axis, *partDigit);
  });
  for (const Part &part : parts) {
    Head::EvenPart noted{partAxis - view.begin(),
                         static_cast<int64_t>(part.begin),
                         static_cast<int64_t>(part.end),
                         {}};
    for (int64_t axis : plan.axes)
      if (!view[axis].empty() && llvm::all_of(view[axis], [&](unsigned digit) {
            return part.even.contains(digit);
          }))
        noted.axes.push_back(axis);
    if (!noted.axes.empty())
      head.evenMapParts.push_back(std::move(noted));
  }
}

void Judge::testInvariance() {
  llvm::Expected<ConstantReader> reader = ConstantReader::open(getTested());
  if (!reader)
    return refuse(Rule::Constant, llvm::toString(reader.takeError()));

  // A look at the beginning finds nearly every axis that varies.
  static constexpr uint64_t kLook = 1 << 16;
  llvm::SmallDenseSet<unsigned> even;
  findEvenMapDigits();
  for (auto &[digit, weightDigits] : aligned) {
    // Where the map is even nothing is asked of the weight.
    if (evenMapFrom.contains(digit))
      continue;
    std::optional<Difference> difference;
    for (unsigned weightDigit : weightDigits) {
      Found found = findDifferenceAlong(
          *reader, digit, weight->getDirection(weightDigit), kLook);
      if (!found)
        return refuse(Rule::Constant, llvm::toString(found.takeError()));
      if (*found && !difference)
        difference = **found;
    }
    if (difference)
      recordDifference(*reader, digit, *difference);
    if (difference || !isTailEven(digit))
      continue;
    even.insert(digit);
    if (llvm::is_contained(unknownDigits, digit))
      even.insert(unknownDigits.begin(), unknownDigits.end());
  }

  while (std::optional<Plan> plan = choosePlan(even)) {
    Found difference = scanFully(*reader, *plan, even);
    if (!difference)
      return refuse(Rule::Constant, llvm::toString(difference.takeError()));
    if (*difference)
      continue;
    describeMap(plan->view);
    head.pooledAxes = plan->axes;
    head.evenMapAxes = plan->evenMapAxes;
    noteEvenParts(*plan);
    SmallVector<int64_t> ofWeight;
    for (int64_t axis : head.pooledAxes)
      if (!llvm::is_contained(head.evenMapAxes, axis))
        ofWeight.push_back(axis);
    std::string text;
    if (!head.evenMapAxes.empty())
      text = "the map does not vary along " + formatAxes(head.evenMapAxes);
    if (!ofWeight.empty())
      text += (text.empty() ? "" : ", and ") +
              ("the weight does not vary along " + formatAxes(ofWeight));
    for (const Head::EvenPart &part : head.evenMapParts)
      text += llvm::formatv(
          "{0} within {1} to {2} of axis {3}, where the map "
          "does not vary along {4}",
          &part == &head.evenMapParts.front() ? ", except" : " and", part.begin,
          part.end - 1, part.axis, formatAxes(part.axes));
    set(Rule::Invariance, Outcome::Pass, text);
    checkFinite();
    return;
  }
  head.pooledWeight.reset();
  head.positions = 1;
  explainRefusal();
}

/// L6 has failed: says where, and how far from even the weight is.
void Judge::explainRefusal() {
  const AxisMap::View &view = map->getViews()[candidates.front()];
  std::string text =
      tail ? "the weight, times the scales of the features, varies along every "
             "axis"
           : "the weight varies along every axis";
  if (head.difference) {
    const WeightDifference &d = *head.difference;
    text += llvm::formatv(
        "; first along axis {0}, for output {1} at {2}: {3}, then {4}", d.axis,
        d.output, formatShape(d.position), formatNumber(d.values[0]),
        formatNumber(d.values[1]));
  }
  refuse(Rule::Invariance, text);
  if (!options.residual)
    return;
  const Constant &tested = scaled ? *scaled : weight->constant;
  llvm::Expected<ConstantReader> reader = ConstantReader::open(tested);
  if (!reader) {
    llvm::consumeError(reader.takeError());
    return;
  }
  auto compute = [&](ArrayRef<unsigned> digits) -> std::optional<double> {
    llvm::Expected<double> residual = getResidual(
        *reader, tested.type.getElementType(), getDirections(digits));
    if (residual && std::isfinite(*residual))
      return *residual;
    if (!residual)
      llvm::consumeError(residual.takeError());
    return std::nullopt;
  };
  SmallVector<unsigned> spatial;
  for (size_t axis = 1; axis < view.size(); ++axis) {
    if (static_cast<int64_t>(axis) != head.channelAxis)
      llvm::append_range(spatial, view[axis]);
    if (getDirections(view[axis]).empty())
      continue;
    if (std::optional<double> residual = compute(view[axis]))
      head.residualByAxis.push_back({static_cast<int64_t>(axis), *residual});
  }
  head.residual = compute(spatial);
}

/// L4: every element of the pooled weight is a number of its type.
void Judge::checkFinite() {
  const PooledWeight &pooled = *head.pooledWeight;
  Type type = pooled.type.getElementType();
  if (type.isInteger())
    return set(Rule::Finite, Outcome::Pass, "integers are finite");
  unsigned width = type.getIntOrFloatBitWidth() / 8;
  for (size_t i = 0; i < pooled.bytes.size(); i += width) {
    double value = decodeFloat(type, pooled.bytes.data() + i);
    if (std::isfinite(value))
      continue;
    int64_t index = i / width;
    SmallVector<int64_t> place;
    for (int64_t extent : llvm::reverse(pooled.type.getShape())) {
      place.insert(place.begin(), index % extent);
      index /= extent;
    }
    refuse(Rule::Finite,
           llvm::formatv("the sum of the weight over {0} positions is {1} at "
                         "{2} of the pooled weight: the weight is not finite "
                         "there, or its sum exceeds its type",
                         head.positions, std::isnan(value) ? "nan" : "infinite",
                         formatShape(place))
               .str());
    return;
  }
  if (losesDigits)
    return refuse(Rule::Finite, "an element of the scaled and pooled weight is "
                                "too small for its type");
  set(Rule::Finite, Outcome::Pass,
      "every element of the pooled weight is finite");
}

/// L9: the new nodes exist in the model's opset.
void Judge::checkExpression() {
  std::optional<int64_t> opset = onnx::getOpsetVersion(head.layer.op);
  if (opset && *opset < 6)
    return refuse(Rule::Expression,
                  "opset " + llvm::Twine(*opset) +
                      " is older than 6, the first that is supported");
  if (opset && *opset < 13 && pooledType.isBF16())
    return refuse(Rule::Expression, "opset " + llvm::Twine(*opset) +
                                        " has no bfloat16 ReduceMean; opset 13 "
                                        "has");
  set(Rule::Expression, Outcome::Pass, "the model's opset has the new nodes");
}

/// L5: sums of the elements mean what they mean over the numbers.
void Judge::checkType() {
  Type type = weight->constant.type.getElementType();
  if (head.layer.isInteger())
    return set(Rule::Type, Outcome::Pass,
               "sums of integers are exact, modulo 2^32 as the layer's own");
  if (type.isF16() || type.isBF16() || type.isF32() || type.isF64())
    return set(Rule::Type, Outcome::Pass, "floating-point elements");
  refuse(Rule::Type,
         llvm::formatv("the elements are {0}; sums and means of them are not "
                       "exact",
                       type)
             .str());
}

/// What an integer layer subtracts; false when a rule fails.
bool Judge::readZeroPoints() {
  auto layer = dyn_cast<onnx::MatMulIntegerOp>(head.layer.op);
  if (!layer)
    return true;
  Operation::operand_range zeros = layer.getZeroPoints();
  auto isPresent = [&](unsigned i) {
    return i < zeros.size() && !isa<NoneType>(zeros[i].getType());
  };
  if (isPresent(0) && !facts.isScalar(zeros[0])) {
    refuse(Rule::Form, "the data has a zero point for each sample");
    return false;
  }
  if (!isPresent(1))
    return true;
  std::string whyNot;
  std::optional<Constant> constant = foldConstant(zeros[1], facts, whyNot);
  if (!constant) {
    refuse(Rule::Constant,
           "the weight's zero point is not constant: " + whyNot);
    return false;
  }
  llvm::Expected<ConstantReader> reader = ConstantReader::open(*constant);
  if (!reader) {
    refuse(Rule::Constant, llvm::toString(reader.takeError()));
    return false;
  }
  int64_t count = constant->type.getNumElements();
  if (count != 1 && count != numOutputs) {
    refuse(Rule::Form,
           "the weight has a zero point neither for all outputs nor "
           "for each");
    return false;
  }
  for (int64_t i = 0; i != count; ++i) {
    char bytes[8];
    if (llvm::Error err = reader->read(i, 1, bytes)) {
      refuse(Rule::Constant, llvm::toString(std::move(err)));
      return false;
    }
    zeroPoints.push_back(static_cast<int64_t>(
        decodeNumber(constant->type.getElementType(), bytes)));
  }
  return true;
}

/// The verdict that the rules give.
void Judge::conclude() {
  const PooledWeight *written = head.pooledWeight && !head.pooledWeight->splat
                                    ? &*head.pooledWeight
                                    : nullptr;
  static constexpr uint64_t kSlack = 256;
  if (written && weight->constant.folded &&
      written->bytes.size() > weight->constant.foldedFrom + kSlack)
    refuse(Rule::Expression,
           "the pooled weight would take " +
               llvm::Twine(written->bytes.size()) +
               " bytes, and what the old one is computed from takes " +
               llvm::Twine(weight->constant.foldedFrom));
  // A weight of 8 bits becomes one of 32.
  if (head.pooledWeight && head.layer.isInteger() && head.positions < 4)
    refuse(Rule::Expression,
           "the pooled weight needs 32-bit integers, which take more room than "
           "its " +
               llvm::Twine(head.positions) + " positions save");
  for (const RuleResult &result : head.rules) {
    if (result.outcome != Outcome::Fail)
      continue;
    head.verdict = Verdict::Refused;
    if (head.reason.empty())
      head.reason = result.text;
  }
  if (!head.reason.empty()) {
    head.pooledAxes.clear();
    head.evenMapAxes.clear();
    head.evenMapParts.clear();
    head.pooledWeight.reset();
    head.shift.reset();
    head.positions = 1;
    return;
  }
  const PooledWeight &pooled = *head.pooledWeight;
  Type type = pooled.type.getElementType();
  head.verdict = Verdict::Rewritable;
  head.difference.reset();
  head.parametersAfter = head.parametersBefore - numFeatures * numOutputs +
                         pooled.type.getNumElements();
  head.parametersIfPooled = head.parametersAfter;
  if (type.isInteger()) {
    head.condition = "equal in every bit";
    return;
  }
  head.condition = llvm::formatv(
      "equal over the real numbers; in {0} while the sum of the {1} averaged "
      "values stays finite, which it does for |x| <= {2:e3}",
      type, head.positions,
      APFloat::getLargest(cast<FloatType>(type).getFloatSemantics())
              .convertToDouble() /
          head.positions);
}

bool Judge::run() {
  bool isHead = judge();
  head.numFeatures = numFeatures;
  head.numOutputs = numOutputs;
  return isHead;
}

bool Judge::judge() {
  if (!walkPath())
    return false;
  Value weightValue = head.layer.weight->get();
  weight = readWeight(head.layer, facts, weightError);
  if (!weight) {
    // The product of two computed values is no layer; a weight that callers
    // give or may replace is one.
    if (!isa<onnx::GemmOp>(head.layer.op) &&
        !isMadeFromConstants(weightValue, /*inputs=*/true))
      return false;
    refuse(Rule::Constant, "the weight is not constant: " + weightError);
    const std::optional<ValueFacts::Shape> &shape =
        facts.get(weightValue).shape;
    if (shape && static_cast<int64_t>(shape->size()) == head.layer.weightRank) {
      auto count = [&](ArrayRef<int64_t> axes) {
        Extent product;
        for (int64_t axis : axes)
          product *= (*shape)[axis];
        return product.getNumber();
      };
      numFeatures = count(head.layer.featureAxes);
      numOutputs = count(head.layer.outputAxes);
    }
  } else {
    set(Rule::Constant, Outcome::Pass, "the weight is fixed by the file");
    numFeatures = weight->map.getNumber(weight->getFeatures());
    numOutputs = weight->map.getNumber(weight->getOutputs());
    if (head.layer.unsupported.empty())
      checkType();
  }

  if (head.layer.unsupported.empty())
    set(Rule::Form, Outcome::Pass, "data times weight");
  else
    refuse(Rule::Form, head.layer.unsupported);

  bool pooled = isPooled();
  if (!followPath()) {
    countParameters();
    if (pooled) {
      head.verdict = Verdict::Pooled;
      return true;
    }
    // MatMul also multiplies matrices of higher rank; without a shape only a
    // Flatten tells that this is none of them.
    if (!isa<onnx::GemmOp>(head.layer.op) &&
        !facts.get(head.layer.data->get()).shape &&
        llvm::none_of(head.path, [](OpOperand *step) {
          return isa<onnx::FlattenOp, onnx::ReshapeOp>(step->getOwner());
        }))
      return false;
    conclude();
    return true;
  }
  set(Rule::View, Outcome::Pass, "every feature is one element of the map");
  if (!checkSamples())
    return false;
  if (candidates.empty()) {
    countParameters();
    conclude();
    return true;
  }
  pinOnes();
  describeMap(candidates.front());
  countParameters();
  if (pooled) {
    head.verdict = Verdict::Pooled;
    return true;
  }

  const AxisMap::Axis features = getFeatures();
  const AxisMap::View &view = map->getViews()[candidates.front()];
  if (!ShapedType::isDynamic(numFeatures) &&
      llvm::none_of(features, [&](unsigned digit) {
        return !map->getDigit(digit).extent.isNumber();
      })) {
    int64_t extent = map->getNumber(features);
    if (extent == 0 || extent != numFeatures || numOutputs == 0)
      refuse(Rule::Extents, "the map has " + llvm::Twine(extent) +
                                " features and the weight " +
                                llvm::Twine(numFeatures) + " rows");
  }
  if (head.get(Rule::Extents).outcome != Outcome::Fail &&
      features.size() <= 1 && (features.empty() || view[1] == features)) {
    head.verdict = Verdict::Unit;
    return true;
  }
  if (weight && head.get(Rule::Extents).outcome != Outcome::Fail &&
      passes(Rule::Type) && passes(Rule::Form) && readZeroPoints() &&
      alignWeight() && foldTail()) {
    set(Rule::Extents, Outcome::Pass, "map and weight fit");
    checkExpression();
    testInvariance();
    // One axis that carries everything, and it varies: it is the channel.
    if (features.size() == 1 && !passes(Rule::Invariance)) {
      head.verdict = Verdict::Unit;
      head.difference.reset();
      head.residual.reset();
      head.residualByAxis.clear();
      set(Rule::Invariance, Outcome::NotTested, "");
      return true;
    }
  }
  conclude();
  return true;
}

//===----------------------------------------------------------------------===//
// HeadAnalysis
//===----------------------------------------------------------------------===//

HeadAnalysis::HeadAnalysis(Operation *module, HeadAnalysisOptions options)
    : facts(module) {
  module->walk<WalkOrder::PreOrder>([&](Operation *op) {
    std::optional<DenseLayer> layer = matchDenseLayer(op, facts);
    // A convolution that is a mean pools for the layer behind it.
    if (!layer ||
        (isa<onnx::ConvOp>(op) && matchGlobalAverage(op->getResult(0), facts)))
      return;
    Head head;
    head.layer = *layer;
    if (Judge(head, facts, options).run())
      heads.push_back(std::move(head));
  });
}
