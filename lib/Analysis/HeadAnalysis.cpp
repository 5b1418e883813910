//===- HeadAnalysis.cpp - Heads of a model and their verdicts -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/HeadAnalysis.h"
#include "headopt/Analysis/AxisMap.h"
#include "headopt/Analysis/ConstantReader.h"
#include "headopt/Analysis/WeightScan.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
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

/// True when `dropout` is known to pass its input on. `whyNot` says what else
/// it may do.
static bool isInference(onnx::DropoutOp dropout, std::string &whyNot) {
  // Opset 1 and 6 have is_test, by default 0 (training).
  std::optional<int64_t> opset = onnx::getOpsetVersion(dropout);
  if (opset && *opset < 7) {
    if (dropout.getIsTest().value_or(0) != 0)
      return true;
    whyNot = describe(dropout) + " is in training mode (is_test is 0)";
    return false;
  }
  Value mode = dropout.getTrainingMode();
  if (!mode)
    return true;
  std::string ignored;
  std::optional<Constant> constant = getConstant(mode, ignored);
  auto dense =
      constant ? dyn_cast<DenseElementsAttr>(constant->elements) : nullptr;
  if (dense && dense.getElementType().isInteger(1) &&
      llvm::none_of(dense.getValues<bool>(), [](bool on) { return on; }))
    return true;
  whyNot = describe(dropout) + (dense ? " is in training mode"
                                      : " may be in training mode: its "
                                        "training_mode is not constant");
  return false;
}

/// True when the result of `op` is its first operand with each element mapped
/// alone, the same way everywhere, so that the map may be pooled after it.
static bool isPerElement(Operation *op, std::string &whyNot) {
  if (auto dropout = dyn_cast<onnx::DropoutOp>(op))
    return isInference(dropout, whyNot);
  return isa<onnx::IdentityOp, onnx::CastOp, onnx::ReluOp>(op);
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

/// True when `value` is the mean of a feature map over all its spatial axes:
/// axes from 2 on, as convolutions lay them out, followed through views.
static bool isGlobalAverage(Value value) {
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<onnx::GlobalAveragePoolOp>(op))
    return true;
  auto mean = dyn_cast_or_null<onnx::ReduceMeanOp>(op);
  if (!mean)
    return false;
  std::optional<SmallVector<int64_t>> axes;
  if (std::optional<ArrayRef<int64_t>> attr = mean.getAxes())
    axes.emplace(attr->begin(), attr->end());
  else if (Value input = mean.getAxesInput();
           input && !isa<NoneType>(input.getType()))
    axes = getConstantInts(input);
  if (!axes || axes->empty())
    return false;

  SmallVector<Operation *> path;
  Value source = mean.getData();
  while (Operation *def = source.getDefiningOp()) {
    if (!isa<onnx::TransposeOp, onnx::IdentityOp, onnx::ReluOp>(def))
      break;
    path.insert(path.begin(), def);
    source = def->getOperand(0);
  }
  auto type = dyn_cast<RankedTensorType>(source.getType());
  if (!type || type.getRank() < 3)
    return false;
  AxisMap map(type.getShape());
  std::string ignored;
  for (Operation *step : path)
    if (!map.apply(step, ShapedType::kDynamic, ignored))
      return false;
  AxisMap::View view = map.getViews().back();
  llvm::SmallDenseSet<unsigned> averaged;
  for (int64_t axis : *axes) {
    if (axis < 0)
      axis += view.size();
    if (axis < 0 || axis >= static_cast<int64_t>(view.size()))
      return false;
    for (unsigned digit : view[axis])
      averaged.insert(map.getDigit(digit).axis);
  }
  for (int64_t axis = 0; axis != type.getRank(); ++axis)
    if (!map.getViews().front()[axis].empty() &&
        averaged.contains(axis) != (axis >= 2))
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// The weight
//===----------------------------------------------------------------------===//

namespace {

/// A weight, traced back to the constant that it is a view of.
struct Weight {
  Constant constant;
  AxisMap map;
  /// Digits of the features that the layer sums over, and of its outputs.
  AxisMap::Axis features() const { return map.getViews().back()[featureAxis]; }
  AxisMap::Axis outputs() const {
    return map.getViews().back()[1 - featureAxis];
  }
  unsigned featureAxis;

  Direction getDirection(unsigned digit) const {
    uint64_t stride = map.getStride(digit);
    ArrayRef<int64_t> shape = constant.type.getShape();
    for (int64_t extent : shape.drop_front(map.getDigit(digit).axis + 1))
      stride *= extent;
    return {stride, static_cast<uint64_t>(map.getDigit(digit).extent)};
  }
};

} // namespace

static std::optional<Weight> readWeight(const DenseLayer &layer,
                                        std::string &whyNot) {
  SmallVector<Operation *> path;
  Value source = layer.weight->get();
  while (Operation *def = source.getDefiningOp()) {
    if (!isViewOp(def) && !isa<onnx::IdentityOp>(def))
      break;
    path.insert(path.begin(), def);
    source = def->getOperand(0);
  }
  std::optional<Constant> constant = getConstant(source, whyNot);
  if (!constant)
    return std::nullopt;
  AxisMap map(constant->type.getShape());
  for (Operation *step : path) {
    if (!map.apply(step, ShapedType::kDynamic, whyNot)) {
      whyNot = describe(step) + " in front of it: " + whyNot;
      return std::nullopt;
    }
  }
  if (map.getViews().back().size() != 2) {
    whyNot = "it does not have two axes";
    return std::nullopt;
  }
  return Weight{*constant, std::move(map), layer.transposed ? 1u : 0u};
}

//===----------------------------------------------------------------------===//
// Judging one head
//===----------------------------------------------------------------------===//

namespace {

/// A way to pool: which value, over which axes.
struct Plan {
  size_t view = 0;
  SmallVector<int64_t> axes;
  int64_t positions = 1;
};

class Judge {
public:
  Judge(Head &head, const HeadAnalysisOptions &options)
      : head(head), options(options) {}

  /// False when the dense layer turns out not to be a head.
  bool run();

private:
  bool judge();
  bool walkPath();
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
  void testInvariance();
  void explainRefusal();
  std::optional<Plan> choosePlan(const llvm::SmallDenseSet<unsigned> &even);
  llvm::Expected<std::optional<Difference>>
  scanFully(const ConstantReader &reader, const Plan &plan,
            llvm::SmallDenseSet<unsigned> &even);
  void startPooledWeight(const Plan &plan);
  void addToPooledWeight(uint64_t first, uint64_t count, const char *bytes);
  void checkExpression();
  void checkFinite();
  void conclude();
  int64_t getFeatureExtent(unsigned digit) const;
  void recordDifference(const ConstantReader &reader, unsigned digit,
                        Difference difference);
  SmallVector<Direction> getDirections(ArrayRef<unsigned> digits) const;
  size_t countRepeats(size_t view) const;
  /// The value that view `i` describes.
  Value getValue(size_t view) const {
    size_t step = begin + view;
    return step == 0 ? source : head.path[step - 1]->getResult(0);
  }

  Head &head;
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
  /// How much Head::difference says: its index, and whether its axis is
  /// spatial.
  std::pair<uint64_t, bool> differenceRank;

  /// Where elements of the weight go in the pooled one.
  struct Target {
    Direction from;
    uint64_t stride;
  };
  SmallVector<Target> targets;
};

} // namespace

/// Collects the operators between the map and the dense layer.
bool Judge::walkPath() {
  Value value = head.layer.data->get();
  while (Operation *def = value.getDefiningOp()) {
    if (!isViewOp(def) && !isPerElement(def, stopped))
      break;
    head.path.push_back(def);
    value = def->getOperand(0);
  }
  std::reverse(head.path.begin(), head.path.end());
  source = value;
  if (llvm::any_of(head.path, isViewOp) || isGlobalAverage(source))
    return true;
  // An operator that cannot be followed may hide the collapse of a map. What
  // keeps the shape of its first operand is looked through, to say so.
  static constexpr unsigned kMaxSteps = 8;
  Operation *inTheWay = value.getDefiningOp();
  for (unsigned i = 0; i != kMaxSteps; ++i) {
    Operation *def = value.getDefiningOp();
    if (!def || def->getNumOperands() == 0 || def->getNumRegions() ||
        !isa<onnx::NodeOpInterface>(def) || matchDenseLayer(def))
      return false;
    Value next = def->getOperand(0);
    if (isViewOp(def)) {
      auto type = dyn_cast<RankedTensorType>(next.getType());
      if (type && type.getRank() < 3)
        return false;
      if (stopped.empty())
        stopped = describe(inTheWay) +
                  " between map and dense layer is not known to act on each "
                  "element alone";
      return true;
    }
    auto before = dyn_cast<RankedTensorType>(next.getType());
    auto after = dyn_cast<RankedTensorType>(value.getType());
    if (before && after && before.getRank() != after.getRank())
      return false;
    value = next;
  }
  return false;
}

/// True when `value` depends on constants alone, however they are combined.
static bool isComputedFromConstants(Value value, unsigned depth = 4) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return isa<func::FuncOp>(
        cast<BlockArgument>(value).getOwner()->getParentOp());
  if (isa<onnx::InitializerOp, onnx::ConstantOp, onnx::NoneOp>(op))
    return true;
  return depth != 0 && op->getNumOperands() != 0 &&
         llvm::all_of(op->getOperands(), [&](Value operand) {
           return isComputedFromConstants(operand, depth - 1);
         });
}

/// Follows axes along the path, from as early as that works.
bool Judge::followPath() {
  size_t lastView = 0;
  for (auto [i, op] : llvm::enumerate(head.path))
    if (isViewOp(op))
      lastView = i;
  std::string firstReason;
  for (begin = 0; begin <= head.path.size(); ++begin) {
    Value value = begin == 0 ? source : head.path[begin - 1]->getResult(0);
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      continue;
    AxisMap attempt(type.getShape());
    bool followed = true;
    for (size_t i = begin; i != head.path.size() && followed; ++i) {
      std::string reason;
      followed = attempt.apply(
          head.path[i], i == lastView ? numFeatures : ShapedType::kDynamic,
          reason);
      if (!followed && firstReason.empty())
        firstReason = describe(head.path[i]) + ": " + reason;
    }
    if (!followed || attempt.getViews().back().size() != 2)
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
  int64_t extent = map->getDigit(digit).extent;
  if (!ShapedType::isDynamic(extent))
    return extent;
  // The group of unknown digits has what the known ones leave.
  int64_t known = 1;
  for (unsigned other : map->getViews().back()[1])
    if (!ShapedType::isDynamic(map->getDigit(other).extent))
      known *= map->getDigit(other).extent;
  return known && numFeatures % known == 0 ? numFeatures / known
                                           : ShapedType::kDynamic;
}

/// Checks that rows of the dense input are samples of the map. False when the
/// layer acts on each position by itself and so is no head.
bool Judge::checkSamples() {
  const AxisMap::View &last = map->getViews().back();
  const AxisMap::Axis &rows = last[0];
  const AxisMap::Axis &features = last[1];
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
  head.pathBegin = begin + index;
  head.mapShape.clear();
  for (const AxisMap::Axis &axis : view)
    head.mapShape.push_back(map->getExtent(axis));
  llvm::SetVector<int64_t> order;
  for (unsigned digit : map->getViews().back()[1])
    for (auto [axis, digits] : llvm::enumerate(view))
      if (llvm::is_contained(digits, digit))
        order.insert(axis);
  // Axes of extent 1 can be anywhere.
  for (size_t axis = 1; axis < view.size(); ++axis)
    order.insert(axis);
  order.remove(0);
  head.axesOrder.assign(order.begin(), order.end());
}

static int64_t countElements(Value value) {
  auto type =
      value ? dyn_cast<RankedTensorType>(value.getType()) : RankedTensorType();
  return type && type.hasStaticShape() ? type.getNumElements() : 0;
}

/// Parameters of the layer as it is, and if the spatial axes were pooled: those
/// that are not axis 1 of the earliest map, where convolutions have channels.
void Judge::countParameters() {
  if (ShapedType::isDynamic(numFeatures) || ShapedType::isDynamic(numOutputs))
    return;
  std::string ignored;
  int64_t bias = head.layer.bias && getConstant(head.layer.bias, ignored)
                     ? countElements(head.layer.bias)
                     : 0;
  head.parametersBefore = numFeatures * numOutputs + bias;
  head.parametersAfter = head.parametersBefore;
  head.parametersIfPooled = head.parametersBefore;
  if (candidates.empty())
    return;
  const AxisMap::View &view = map->getViews()[candidates.front()];
  int64_t channels = map->getExtent(view[1]);
  if (!ShapedType::isDynamic(channels))
    head.parametersIfPooled = channels * numOutputs + bias;
}

/// Brings the weight's digits in step with the map's.
bool Judge::alignWeight() {
  const AxisMap::Axis features = map->getViews().back()[1];
  // Unknown digits must follow each other to count as one.
  std::optional<size_t> firstUnknown, lastUnknown;
  for (auto [i, digit] : llvm::enumerate(features)) {
    if (!ShapedType::isDynamic(map->getDigit(digit).extent))
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
      AxisMap::Axis available = weight->features();
      if (next == available.size()) {
        refuse(Rule::Extents, "the weight has fewer rows than the map "
                              "has features");
        return false;
      }
      unsigned candidate = available[next];
      int64_t extent = weight->map.getDigit(candidate).extent;
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
  if (next != weight->features().size()) {
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

/// Steps after view `i` that change elements.
size_t Judge::countRepeats(size_t view) const {
  return llvm::count_if(
      ArrayRef(head.path).drop_front(begin + view),
      [](Operation *op) { return !isViewOp(op) && !isNoOp(op); });
}

/// The best way to pool when the weight is even along the digits in `even`: the
/// most positions, then the fewest operators to repeat, then the earliest value
/// (which leaves the most views dead).
std::optional<Plan>
Judge::choosePlan(const llvm::SmallDenseSet<unsigned> &even) {
  std::optional<Plan> best;
  // A weight of equal numbers could be pooled in many ways; the earliest map,
  // as convolutions lay it out, keeps its channels.
  bool equal = llvm::all_of(map->getViews().back()[1], [&](unsigned digit) {
    return even.contains(digit);
  });
  for (size_t i :
       equal ? ArrayRef(candidates).take_front() : ArrayRef(candidates)) {
    const AxisMap::View &view = map->getViews()[i];
    SmallVector<bool> pool(view.size(), false);
    for (size_t axis = 1; axis != view.size(); ++axis)
      pool[axis] = llvm::all_of(
          view[axis], [&](unsigned digit) { return even.contains(digit); });
    if (llvm::all_of(ArrayRef(pool).drop_front(), [](bool b) { return b; }))
      pool[1] = false;
    // Unknown extents are known only together.
    bool unknownKept = false;
    for (size_t axis = 1; axis != view.size(); ++axis)
      unknownKept |=
          !pool[axis] && ShapedType::isDynamic(map->getExtent(view[axis]));
    if (unknownKept)
      for (size_t axis = 1; axis != view.size(); ++axis)
        if (ShapedType::isDynamic(map->getExtent(view[axis])))
          pool[axis] = false;

    Plan plan;
    plan.view = i;
    plan.positions = numFeatures;
    bool gains = false;
    for (size_t axis = 1; axis != view.size(); ++axis) {
      if (pool[axis]) {
        plan.axes.push_back(axis);
        gains |= !view[axis].empty();
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
         countRepeats(plan.view) < countRepeats(best->view)))
      best = std::move(plan);
  }
  return best;
}

/// Lays out the pooled weight of `plan`: outputs, and the map's kept axes in
/// their order.
void Judge::startPooledWeight(const Plan &plan) {
  const AxisMap::View &view = map->getViews()[plan.view];
  SmallVector<unsigned> kept;
  for (size_t axis = 1; axis != view.size(); ++axis)
    if (!llvm::is_contained(plan.axes, static_cast<int64_t>(axis)))
      for (unsigned digit : view[axis])
        if (const auto *it = aligned.find(digit); it != aligned.end())
          llvm::append_range(kept, it->second);
  AxisMap::Axis outputs = weight->outputs();

  int64_t numKept = numFeatures / plan.positions;
  PooledWeight pooled;
  Type element = weight->constant.type.getElementType();
  pooled.type = head.layer.transposed
                    ? RankedTensorType::get({numOutputs, numKept}, element)
                    : RankedTensorType::get({numKept, numOutputs}, element);
  pooled.source = weight->constant.op;
  targets.clear();
  auto place = [&](ArrayRef<unsigned> digits, uint64_t stride) {
    for (unsigned digit : llvm::reverse(digits)) {
      targets.push_back({weight->getDirection(digit), stride});
      stride *= weight->map.getDigit(digit).extent;
    }
  };
  place(kept, head.layer.transposed ? 1 : numOutputs);
  place(outputs, head.layer.transposed ? numKept : 1);
  pooled.bytes.resize(pooled.type.getNumElements() *
                      element.getIntOrFloatBitWidth() / 8);
  head.pooledWeight = std::move(pooled);
  head.positions = plan.positions;
}

void Judge::addToPooledWeight(uint64_t first, uint64_t count,
                              const char *bytes) {
  Type type = weight->constant.type.getElementType();
  unsigned width = type.getIntOrFloatBitWidth() / 8;
  char *out = head.pooledWeight->bytes.data();
  for (uint64_t i = 0; i != count; ++i) {
    uint64_t index = first + i;
    uint64_t place = 0;
    for (const Target &target : targets)
      place += index / target.from.stride % target.from.extent * target.stride;
    // All summands are equal, so their sum is a product: one rounding.
    double sum = decodeFloat(type, bytes + i * width) *
                 static_cast<double>(head.positions);
    encodeFloat(type, sum, out + place * width);
  }
}

/// Tests all that `plan` relies on, and makes the pooled weight on the way. On
/// a difference the digits that are not even are taken out of `even`.
llvm::Expected<std::optional<Difference>>
Judge::scanFully(const ConstantReader &reader, const Plan &plan,
                 llvm::SmallDenseSet<unsigned> &even) {
  const AxisMap::View &view = map->getViews()[plan.view];
  SmallVector<unsigned> digits;
  for (int64_t axis : plan.axes)
    llvm::append_range(digits, view[axis]);
  // Neighbouring directions make one, which takes one pass.
  SmallVector<Direction> directions = getDirections(digits);
  llvm::sort(directions,
             [](Direction a, Direction b) { return a.stride > b.stride; });
  SmallVector<Direction> merged;
  for (Direction direction : directions) {
    if (!merged.empty() &&
        merged.back().stride == direction.stride * direction.extent)
      merged.back() = {direction.stride,
                       merged.back().extent * direction.extent};
    else
      merged.push_back(direction);
  }

  startPooledWeight(plan);
  MLIRContext *context = head.layer.op->getContext();
  auto collect = [&](uint64_t first, uint64_t count, const char *bytes) {
    addToPooledWeight(first, count, bytes);
  };
  bool single = merged.size() == 1;
  bool failed = false;
  for (Direction direction : merged) {
    llvm::Expected<std::optional<Difference>> found =
        single ? findDifference(reader, direction, 0, collect, context)
               : findDifference(reader, direction, 0, nullptr, context);
    if (!found)
      return found.takeError();
    failed |= found->has_value();
  }
  if (!failed) {
    if (!single)
      if (llvm::Error err = forEachRepresentative(reader, merged, collect))
        return std::move(err);
    return std::nullopt;
  }
  // Which of them was it?
  std::optional<Difference> first;
  for (unsigned digit : digits)
    for (Direction direction : getDirections(digit)) {
      llvm::Expected<std::optional<Difference>> found =
          findDifference(reader, direction, 0, nullptr, context);
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
  auto rank = std::make_pair(difference.second, axis != 1);
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
  found.output = coordinate(weight->outputs());
  for (size_t i = 1; i != view.size(); ++i) {
    int64_t value = 0;
    for (unsigned mapDigit : view[i])
      if (const auto *it = aligned.find(mapDigit); it != aligned.end())
        value = value * getFeatureExtent(mapDigit) + coordinate(it->second);
    found.position.push_back(value);
  }
  Type type = weight->constant.type.getElementType();
  uint64_t indices[] = {difference.first, difference.second};
  for (auto [index, value] : llvm::zip_equal(indices, found.values)) {
    char bytes[8];
    if (llvm::Error err = reader.read(index, 1, bytes)) {
      llvm::consumeError(std::move(err));
      return;
    }
    value = decodeFloat(type, bytes);
  }
  head.difference = std::move(found);
}

static std::string formatNumber(double value) {
  return llvm::formatv("{0:e9}", value).str();
}

void Judge::testInvariance() {
  llvm::Expected<ConstantReader> reader =
      ConstantReader::open(weight->constant);
  if (!reader)
    return refuse(Rule::Constant, llvm::toString(reader.takeError()));

  // A look at the beginning finds nearly every axis that varies.
  static constexpr uint64_t kLook = 1 << 16;
  llvm::SmallDenseSet<unsigned> even;
  for (auto &[digit, weightDigits] : aligned) {
    std::optional<Difference> difference;
    for (unsigned weightDigit : weightDigits) {
      llvm::Expected<std::optional<Difference>> found =
          findDifference(*reader, weight->getDirection(weightDigit), kLook);
      if (!found)
        return refuse(Rule::Constant, llvm::toString(found.takeError()));
      if (*found && !difference)
        difference = **found;
    }
    if (difference) {
      recordDifference(*reader, digit, *difference);
      continue;
    }
    even.insert(digit);
    if (llvm::is_contained(unknownDigits, digit))
      even.insert(unknownDigits.begin(), unknownDigits.end());
  }

  while (std::optional<Plan> plan = choosePlan(even)) {
    llvm::Expected<std::optional<Difference>> difference =
        scanFully(*reader, *plan, even);
    if (!difference)
      return refuse(Rule::Constant, llvm::toString(difference.takeError()));
    if (*difference)
      continue;
    describeMap(plan->view);
    head.pooledAxes = plan->axes;
    if (reader->isSplat()) {
      head.pooledWeight->splat = true;
      head.pooledWeight->bytes.resize(reader->getElementBytes());
    }
    set(Rule::Invariance, Outcome::Pass,
        "the weight does not vary along " +
            llvm::Twine(head.pooledAxes.size() == 1 ? "axis " : "axes ") +
            llvm::join(llvm::map_range(
                           head.pooledAxes,
                           [](int64_t axis) { return std::to_string(axis); }),
                       ", "));
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
  std::string text = "the weight varies along every axis";
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
  SmallVector<unsigned> spatial;
  for (size_t axis = 2; axis < view.size(); ++axis)
    llvm::append_range(spatial, view[axis]);
  llvm::Expected<ConstantReader> reader =
      ConstantReader::open(weight->constant);
  if (!reader) {
    llvm::consumeError(reader.takeError());
    return;
  }
  llvm::Expected<double> residual = getResidual(
      *reader, weight->constant.type.getElementType(), getDirections(spatial));
  if (!residual)
    llvm::consumeError(residual.takeError());
  else if (std::isfinite(*residual))
    head.residual = *residual;
}

/// L4: every element of the pooled weight is a number of its type.
void Judge::checkFinite() {
  const PooledWeight &pooled = *head.pooledWeight;
  Type type = pooled.type.getElementType();
  unsigned width = type.getIntOrFloatBitWidth() / 8;
  for (size_t i = 0; i < pooled.bytes.size(); i += width) {
    double value = decodeFloat(type, pooled.bytes.data() + i);
    if (std::isfinite(value))
      continue;
    int64_t index = i / width;
    int64_t inner = pooled.type.getDimSize(1);
    refuse(Rule::Finite,
           llvm::formatv("the sum of the weight over {0} positions is {1} at "
                         "[{2}, {3}] of the pooled weight: the weight is not "
                         "finite there, or its sum exceeds its type",
                         head.positions, std::isnan(value) ? "nan" : "infinite",
                         index / inner, index % inner)
               .str());
    return;
  }
  set(Rule::Finite, Outcome::Pass,
      "every element of the pooled weight is finite");
}

/// L9: the new nodes exist in the model's opset.
void Judge::checkExpression() {
  std::optional<int64_t> opset = onnx::getOpsetVersion(head.layer.op);
  Type type = weight->constant.type.getElementType();
  if (opset && *opset < 6)
    return refuse(Rule::Expression,
                  "opset " + llvm::Twine(*opset) +
                      " is older than 6, the first that is supported");
  if (opset && *opset < 13 && type.isBF16())
    return refuse(Rule::Expression, "opset " + llvm::Twine(*opset) +
                                        " has no bfloat16 ReduceMean; opset 13 "
                                        "has");
  set(Rule::Expression, Outcome::Pass, "the model's opset has the new nodes");
}

/// The verdict that the rules give.
void Judge::conclude() {
  for (const RuleResult &result : head.rules) {
    if (result.outcome != Outcome::Fail)
      continue;
    head.verdict = Verdict::Refused;
    if (head.reason.empty())
      head.reason = result.text;
  }
  if (!head.reason.empty()) {
    head.pooledAxes.clear();
    head.pooledWeight.reset();
    head.positions = 1;
    return;
  }
  head.verdict = Verdict::Rewritable;
  head.difference.reset();
  const PooledWeight &pooled = *head.pooledWeight;
  head.parametersAfter = head.parametersBefore - numFeatures * numOutputs +
                         pooled.type.getNumElements();
  head.parametersIfPooled = head.parametersAfter;
  head.condition = llvm::formatv(
      "equal over the real numbers; in {0} while the sum of the {1} averaged "
      "values stays finite, which it does for |x| <= {2:e3}",
      pooled.type.getElementType(), head.positions,
      APFloat::getLargest(
          cast<FloatType>(pooled.type.getElementType()).getFloatSemantics())
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
  weight = readWeight(head.layer, weightError);
  if (!weight) {
    // The product of two computed values is no layer; a weight that callers
    // give or may replace is one.
    if (isa<onnx::MatMulOp>(head.layer.op) &&
        !isComputedFromConstants(weightValue))
      return false;
    refuse(Rule::Constant, "the weight is not constant: " + weightError);
    if (auto type = dyn_cast<RankedTensorType>(weightValue.getType());
        type && type.getRank() == 2) {
      numFeatures = type.getDimSize(head.layer.transposed ? 1 : 0);
      numOutputs = type.getDimSize(head.layer.transposed ? 0 : 1);
    }
  } else {
    set(Rule::Constant, Outcome::Pass, "the weight is fixed by the file");
    numFeatures = weight->map.getExtent(weight->features());
    numOutputs = weight->map.getExtent(weight->outputs());
    Type type = weight->constant.type.getElementType();
    bool floating =
        type.isF16() || type.isBF16() || type.isF32() || type.isF64();
    if (floating)
      set(Rule::Type, Outcome::Pass, "floating-point elements");
    else
      refuse(Rule::Type,
             llvm::formatv("the elements are {0}; sums and means of them are "
                           "not exact",
                           type)
                 .str());
  }

  if (head.layer.unsupported.empty())
    set(Rule::Form, Outcome::Pass, "data times weight");
  else
    refuse(Rule::Form, head.layer.unsupported);

  bool pooled = isGlobalAverage(source);
  if (!followPath()) {
    countParameters();
    if (pooled) {
      head.verdict = Verdict::Pooled;
      return true;
    }
    // MatMul also multiplies matrices of higher rank; without a shape only a
    // Flatten tells that this is none of them.
    auto type = dyn_cast<RankedTensorType>(head.layer.data->get().getType());
    if (isa<onnx::MatMulOp>(head.layer.op) && !type &&
        llvm::none_of(head.path,
                      llvm::IsaPred<onnx::FlattenOp, onnx::ReshapeOp>))
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
  describeMap(candidates.front());
  countParameters();
  if (pooled) {
    head.verdict = Verdict::Pooled;
    return true;
  }

  const AxisMap::Axis &features = map->getViews().back()[1];
  const AxisMap::View &view = map->getViews()[candidates.front()];
  if (!ShapedType::isDynamic(numFeatures) &&
      llvm::none_of(features, [&](unsigned digit) {
        return ShapedType::isDynamic(map->getDigit(digit).extent);
      })) {
    int64_t extent = map->getExtent(features);
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
      passes(Rule::Type) && passes(Rule::Form) && alignWeight()) {
    set(Rule::Extents, Outcome::Pass, "map and weight fit");
    checkExpression();
    testInvariance();
    // One axis that carries everything, and it varies: it is the channel.
    if (features.size() == 1 && !passes(Rule::Invariance)) {
      head.verdict = Verdict::Unit;
      head.difference.reset();
      head.residual.reset();
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

HeadAnalysis::HeadAnalysis(Operation *module, HeadAnalysisOptions options) {
  module->walk<WalkOrder::PreOrder>([&](Operation *op) {
    std::optional<DenseLayer> layer = matchDenseLayer(op);
    if (!layer)
      return;
    Head head;
    head.layer = *layer;
    if (Judge(head, options).run())
      heads.push_back(std::move(head));
  });
}
