//===- HeadEvenness.cpp - Along which axes a head is even -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadJudge.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;
using namespace headopt;

/// Finds digits of the map along which it does not vary.
void Judge::findEvenMapDigits() {
  for (auto [i, view] : llvm::enumerate(map->getViews())) {
    const ValueFacts &value = reader.getFacts(getValue(i));
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
  const ValueFacts &value = reader.getFacts(getValue(i));
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
  uint64_t coordinate =
      weight->getCoordinate(aligned.find(*partDigit)->second, index);
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
    Found found = findDifference(
        reader, direction, 0,
        single ? RepresentativeSink(collect) : RepresentativeSink(), context);
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
    return static_cast<int64_t>(
        weight->getCoordinate(weightDigits, difference.second));
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

static std::string formatNumber(double value) {
  return llvm::formatv("{0:e9}", value).str();
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
    llvm::Expected<double> residual =
        zeroPoints.empty()
            ? getResidual(*reader, tested.type.getElementType(),
                          getDirections(digits))
            : getResidual(*reader, tested.type.getElementType(),
                          getDirections(digits), [&](uint64_t index) {
                            return static_cast<double>(getZeroPoint(index));
                          });
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
