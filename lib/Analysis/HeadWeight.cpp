//===- HeadWeight.cpp - The weight of a head ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadJudge.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;
using namespace headopt;

std::optional<Weight> headopt::readWeight(const DenseLayer &layer,
                                          const HeadReader &reader,
                                          std::string &whyNot) {
  llvm::SetVector<Operation *> path;
  Value source = layer.weight->get();
  while (Operation *def = source.getDefiningOp()) {
    if (source != def->getResult(0) ||
        (!reader.isView(def) && !reader.isNoOp(def)))
      break;
    if (!path.insert(def)) {
      whyNot = "it is computed from itself";
      return std::nullopt;
    }
    std::string ignored;
    source = reader.getFollowedOperand(def, ignored)->get();
  }
  std::optional<Constant> constant = reader.readConstant(source, whyNot);
  if (!constant)
    return std::nullopt;
  AxisMap map(SmallVector<Extent>(constant->type.getShape().begin(),
                                  constant->type.getShape().end()));
  for (Operation *step : llvm::reverse(path)) {
    if (!reader.follow(step, ShapedType::kDynamic, map, whyNot)) {
      whyNot.insert(0, describe(step) + " in front of it: ");
      return std::nullopt;
    }
  }
  if (static_cast<int64_t>(map.getViews().back().size()) != layer.weightRank) {
    whyNot = "it does not have " + std::to_string(layer.weightRank) + " axes";
    return std::nullopt;
  }
  return Weight{*constant, std::move(map), &layer};
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

/// L5: sums of the elements mean what they mean over the numbers.
void Judge::checkType() {
  Type type = weight->constant.type.getElementType();
  if (head.layer.isInteger())
    return set(Rule::Type, Outcome::Pass,
               "sums of integers are exact, modulo 2^32 as the layer's own");
  if (isDecodedFloat(type))
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
  if (isPresent(0) && !reader.getFacts(zeros[0]).isScalar()) {
    refuse(Rule::Form, "the data has a zero point for each sample");
    return false;
  }
  if (!isPresent(1))
    return true;
  std::string whyNot;
  std::optional<Constant> constant = reader.readConstant(zeros[1], whyNot);
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
  PooledWeight shift;
  shift.type = RankedTensorType::get({numOutputs}, type);
  shift.source = weight->constant.op;
  shift.bytes.resize(numOutputs * width);
  for (int64_t o = 0; o != numOutputs; ++o) {
    encodeFloat(type, head.layer.alpha * shifts[o],
                shift.bytes.data() + o * width);
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
      if (llvm::bit_cast<uint64_t>(parameters[k]) !=
          llvm::bit_cast<uint64_t>(parameters[first]))
        return false;
    }
  return true;
}
