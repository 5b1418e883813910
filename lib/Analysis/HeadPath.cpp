//===- HeadPath.cpp - From the dense layer back to the map ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadJudge.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace headopt;

/// Collects the operators between the map and the dense layer.
bool Judge::walkPath() {
  auto isView = [&](OpOperand *step) {
    return reader.isView(step->getOwner());
  };
  Value value = head.layer.data->get();
  if (head.layer.isMatrixProduct()) {
    const std::optional<ValueFacts::Shape> &shape =
        reader.getFacts(head.layer.weight->get()).shape;
    if (shape && shape->size() == 2)
      tail = reader.matchAffineTail(
          value, (*shape)[head.layer.featureAxes.front()].getNumber());
    if (tail)
      value = tail->input;
  }
  // Code that is never reached may go in circles.
  llvm::SmallPtrSet<Operation *, 16> seen;
  while (Operation *def = value.getDefiningOp()) {
    if (!seen.insert(def).second)
      return false;
    OpOperand *followed = value == def->getResult(0)
                              ? reader.getFollowedOperand(def, stopped)
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
    SmallVector<Value> inputs;
    if (def)
      inputs = reader.getInputs(def);
    if (inputs.empty() || reader.matchDenseLayer(def))
      return false;
    Value next = inputs.front();
    for (Value input : llvm::reverse(inputs))
      if (!reader.isMadeFromConstants(input, /*inputs=*/true))
        next = input;
    if (reader.isView(def)) {
      const std::optional<ValueFacts::Shape> &shape =
          reader.getFacts(next).shape;
      if (shape && shape->size() < 3)
        return false;
      if (stopped.empty())
        stopped = describe(inTheWay) +
                  " between map and dense layer is not known to act on each "
                  "element alone";
      return true;
    }
    const std::optional<ValueFacts::Shape> &before =
        reader.getFacts(next).shape;
    const std::optional<ValueFacts::Shape> &after =
        reader.getFacts(value).shape;
    if (before && after && before->size() != after->size())
      return false;
    value = next;
  }
  return false;
}

/// True when some value on the way is a global average: the path may end inside
/// one, between its sum and its division.
bool Judge::isPooled() const {
  return reader.isGlobalAverage(source) ||
         llvm::any_of(head.path, [&](OpOperand *step) {
           return reader.isGlobalAverage(step->getOwner()->getResult(0));
         });
}

/// Follows axes along the path, from as early as that works.
bool Judge::followPath() {
  size_t lastView = 0;
  for (auto [i, step] : llvm::enumerate(head.path))
    if (reader.isView(step->getOwner()))
      lastView = i;
  std::string firstReason;
  for (begin = 0; begin <= head.path.size(); ++begin) {
    const std::optional<ValueFacts::Shape> &shape =
        reader.getFacts(getValue(0)).shape;
    if (!shape)
      continue;
    AxisMap attempt(*shape);
    bool followed = true;
    for (size_t i = begin; i != head.path.size() && followed; ++i) {
      std::string reason;
      bool flattens = i == lastView && head.layer.isMatrixProduct();
      followed = reader.follow(head.path[i]->getOwner(),
                               flattens ? numFeatures : ShapedType::kDynamic,
                               attempt, reason);
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
  const AxisMap::Axis &rows = last[head.layer.sampleAxis];
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

/// Steps after a view that change elements.
SmallVector<OpOperand *> Judge::getRepeats(size_t view) const {
  SmallVector<OpOperand *> steps;
  for (OpOperand *step : ArrayRef(head.path).drop_front(begin + view))
    if (!reader.isView(step->getOwner()) && !reader.isNoOp(step->getOwner()))
      steps.push_back(step);
  return steps;
}
