//===- HeadPooledWeight.cpp - The new weight of a head --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadJudge.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;
using namespace headopt;

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
  double rounded = decodeFloat(pooledType, out);
  if (std::fabs(rounded - sum) > getUnitRoundoff(pooledType) * std::fabs(sum))
    losesDigits = true;
}

/// What an integer layer subtracts from the element `index` of its weight.
int64_t Judge::getZeroPoint(uint64_t index) const {
  if (zeroPoints.size() <= 1)
    return zeroPoints.empty() ? 0 : zeroPoints.front();
  return zeroPoints[weight->getCoordinate(weight->getOutputs(), index)];
}

/// Integers are exact: the layer itself computes modulo 2^32.
void Judge::addInteger(uint64_t place, uint64_t index, const char *bytes) {
  Type type = weight->constant.type.getElementType();
  char *at = head.pooledWeight->bytes.data() + place * sizeof(uint32_t);
  uint32_t sum;
  memcpy(&sum, at, sizeof(sum));
  sum += static_cast<uint32_t>(static_cast<int64_t>(decodeNumber(type, bytes)) -
                               getZeroPoint(index));
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
