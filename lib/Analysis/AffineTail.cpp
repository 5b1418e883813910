//===- AffineTail.cpp - Scales and shifts before a dense layer ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AffineTail.h"
#include "headopt/Analysis/ConstantFolder.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace headopt;

namespace {

/// One operator: h -> scale h + shift.
struct Step {
  Value input;
  std::vector<double> scale, shift;
  std::vector<std::vector<double>> scaleParameters;
  bool scaleIsExact = true;
  /// Whether a parameter has a number for each feature.
  bool perFeature = false;
};

class Matcher {
public:
  Matcher(int64_t numFeatures, const ModelFacts &facts)
      : numFeatures(numFeatures), facts(facts) {}

  std::optional<Step> match(Operation *op) const;

private:
  std::optional<std::vector<double>> read(Value value, bool &perFeature) const;
  std::optional<Step> matchBinary(Operation *op) const;
  std::optional<Step>
  matchBatchNormalization(onnx::BatchNormalizationOp op) const;
  Step createStep(Value input) const {
    Step step;
    step.input = input;
    step.scale.assign(numFeatures, 1.0);
    step.shift.assign(numFeatures, 0.0);
    return step;
  }

  int64_t numFeatures;
  const ModelFacts &facts;
};

} // namespace

/// A constant as one number for each feature: [K], [1, K] or one number.
std::optional<std::vector<double>> Matcher::read(Value value,
                                                 bool &perFeature) const {
  std::string ignored;
  std::optional<Constant> constant = foldConstant(value, facts, ignored);
  if (!constant || constant->type.getRank() > 2 ||
      !isa<FloatType>(constant->type.getElementType()))
    return std::nullopt;
  int64_t count = constant->type.getNumElements();
  bool features = count == numFeatures && constant->type.getRank() > 0 &&
                  constant->type.getShape().back() == numFeatures;
  if (count != 1 && !features)
    return std::nullopt;
  llvm::Expected<ConstantReader> reader = ConstantReader::open(*constant);
  if (!reader) {
    llvm::consumeError(reader.takeError());
    return std::nullopt;
  }
  std::vector<char> bytes(count * reader->getElementBytes());
  if (llvm::Error err = reader->read(0, count, bytes.data())) {
    llvm::consumeError(std::move(err));
    return std::nullopt;
  }
  std::vector<double> numbers(numFeatures);
  for (int64_t k = 0; k != numFeatures; ++k)
    numbers[k] = decodeNumber(constant->type.getElementType(),
                              bytes.data() + (count == 1 ? 0 : k) *
                                                 reader->getElementBytes());
  perFeature |= count != 1;
  return numbers;
}

std::optional<Step> Matcher::matchBinary(Operation *op) const {
  if (op->hasAttr("broadcast") || op->hasAttr("axis"))
    return std::nullopt;
  for (unsigned i : {1u, 0u}) {
    bool perFeature = false;
    std::optional<std::vector<double>> numbers =
        read(op->getOperand(i), perFeature);
    if (!numbers)
      continue;
    // constant / h is no affine map.
    if (isa<onnx::DivOp>(op) && i == 0)
      return std::nullopt;
    Step step = createStep(op->getOperand(1 - i));
    step.perFeature = perFeature;
    if (isa<onnx::MulOp, onnx::DivOp>(op)) {
      bool divides = isa<onnx::DivOp>(op);
      step.scaleParameters.push_back(*numbers);
      for (auto [scale, x] : llvm::zip_equal(step.scale, *numbers)) {
        scale = divides ? 1 / x : x;
        int exponent;
        // Only the reciprocal of a power of two is one in binary.
        step.scaleIsExact &=
            !divides || std::fabs(std::frexp(x, &exponent)) == 0.5;
      }
      return step;
    }
    step.shift = *numbers;
    if (isa<onnx::SubOp>(op))
      for (double &x : i == 1 ? step.shift : step.scale)
        x = -x;
    return step;
  }
  return std::nullopt;
}

std::optional<Step>
Matcher::matchBatchNormalization(onnx::BatchNormalizationOp op) const {
  const std::optional<ValueFacts::Shape> &shape = facts.get(op.getX()).shape;
  std::optional<int64_t> opset = onnx::getOpsetVersion(op);
  if (!shape || shape->size() != 2 || op.getTrainingMode().value_or(0) != 0 ||
      (opset && *opset < 7 && op.getIsTest().value_or(0) == 0))
    return std::nullopt;
  Step step = createStep(op.getX());
  std::optional<std::vector<double>> scale =
      read(op.getScale(), step.perFeature);
  std::optional<std::vector<double>> bias = read(op.getB(), step.perFeature);
  std::optional<std::vector<double>> mean = read(op.getMean(), step.perFeature);
  std::optional<std::vector<double>> var = read(op.getVar(), step.perFeature);
  if (!scale || !bias || !mean || !var)
    return std::nullopt;
  double epsilon =
      op.getEpsilonAttr() ? op.getEpsilonAttr().getValueAsDouble() : 1e-5;
  for (int64_t k = 0; k != numFeatures; ++k) {
    step.scale[k] = (*scale)[k] / std::sqrt((*var)[k] + epsilon);
    step.shift[k] = (*bias)[k] - step.scale[k] * (*mean)[k];
  }
  step.scaleParameters = {std::move(*scale), std::move(*var)};
  step.scaleIsExact = false;
  return step;
}

std::optional<Step> Matcher::match(Operation *op) const {
  if (auto normalization = dyn_cast<onnx::BatchNormalizationOp>(op))
    return matchBatchNormalization(normalization);
  if (isa<onnx::MulOp, onnx::DivOp, onnx::AddOp, onnx::SubOp>(op))
    return matchBinary(op);
  return std::nullopt;
}

bool headopt::isExactProduct(double a, double b) {
  double product = a * b;
  // Far enough from the smallest numbers, so that what was rounded away is a
  // number, too.
  if (std::fabs(product) < 0x1p-900)
    return a == 0 || b == 0;
  return std::isfinite(product) && std::fma(a, b, -product) == 0;
}

std::optional<AffineTail> headopt::matchAffineTail(Value data,
                                                   int64_t numFeatures,
                                                   const ModelFacts &facts) {
  if (ShapedType::isDynamic(numFeatures) || numFeatures <= 0)
    return std::nullopt;
  Matcher matcher(numFeatures, facts);
  AffineTail tail;
  // What was read up to the last operator with a parameter for each feature;
  // single numbers before it are no obstacle to anybody.
  std::optional<AffineTail> found;
  Value value = data;
  while (Operation *op = value.getDefiningOp()) {
    if (value != op->getResult(0))
      break;
    std::string ignored;
    auto dropout = dyn_cast<onnx::DropoutOp>(op);
    if (isa<onnx::IdentityOp>(op) ||
        (dropout && isInference(dropout, ignored)) ||
        (isa<onnx::CastOp>(op) &&
         op->getOperand(0).getType() == value.getType())) {
      value = op->getOperand(0);
      continue;
    }
    std::optional<Step> step = matcher.match(op);
    if (!step)
      break;
    // Most layers have nothing of the kind before them.
    if (tail.scales.empty()) {
      tail.scales.assign(numFeatures, 1.0);
      tail.shifts.assign(numFeatures, 0.0);
    }
    for (int64_t k = 0; k != numFeatures; ++k) {
      // s (s' h + t') + t
      tail.shifts[k] += tail.scales[k] * step->shift[k];
      tail.scalesAreExact &= isExactProduct(tail.scales[k], step->scale[k]);
      tail.scales[k] *= step->scale[k];
    }
    tail.scalesAreExact &= step->scaleIsExact;
    tail.hasShifts |=
        llvm::any_of(step->shift, [](double x) { return x != 0; });
    llvm::append_range(tail.scaleParameters, step->scaleParameters);
    value = tail.input = step->input;
    if (step->perFeature)
      found = tail;
  }
  return found;
}
