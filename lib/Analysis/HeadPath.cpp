//===- HeadPath.cpp - From the dense layer back to the map ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadJudge.h"
#include "headopt/Analysis/ConstantFolder.h"
#include "headopt/Analysis/GlobalAverage.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace headopt;

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

/// Steps after a view that change elements.
SmallVector<OpOperand *> Judge::getRepeats(size_t view) const {
  SmallVector<OpOperand *> steps;
  for (OpOperand *step : ArrayRef(head.path).drop_front(begin + view))
    if (!isViewOp(step->getOwner(), facts) && !isNoOp(step->getOwner()))
      steps.push_back(step);
  return steps;
}
