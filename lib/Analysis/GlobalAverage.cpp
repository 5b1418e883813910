//===- GlobalAverage.cpp - Maps that are averaged already -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Goes back from the value operator by operator, then follows axes forward from
// each value on the way that could be the map. Which operator sums over what,
// and by which factor, is said in one place for each (readStep); everything
// else is the same for all spellings.
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/GlobalAverage.h"
#include "headopt/Analysis/AxisMap.h"
#include "headopt/Analysis/ConstantFolder.h"
#include "llvm/ADT/SmallSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace headopt;

namespace {

/// A number that elements are multiplied by, as an element of `type`.
struct Factor {
  double value;
  Type type;
};

/// One operator between the map and the value.
struct Step {
  enum Kind {
    /// Moves elements, or leaves them as they are.
    View,
    /// Multiplies all elements by the same number.
    Scale,
    /// Sums over axes, or takes their mean.
    Sum,
    /// Changes elements, but leaves each where it is: the map is behind it, and
    /// how the map is laid out may be said before it.
    Layout,
  };

  Kind kind;
  Operation *op;
  /// The operand that is followed.
  Value input;
  /// Of a Sum: over which axes of the input, and whether they keep extent 1.
  SmallVector<int64_t> axes = {};
  bool keepsAxes = true;
  /// Of a Sum: the sum is divided by the number of its positions.
  bool isMean = false;
  /// Of a Sum: by its definition axis 1 of the input has the channels, and the
  /// axes from 2 on the positions.
  bool saysLayout = false;
  /// Scale and Sum: the result is multiplied by all of `factors` and divided by
  /// `divisor`.
  SmallVector<Factor, 2> factors = {};
  Extent divisor = {};
};

} // namespace

/// Null when not known.
static Type getElementType(Value value) {
  auto type = dyn_cast<TensorType>(value.getType());
  return type ? type.getElementType() : Type();
}

/// What all elements of the constant `value` are, if they are the same in every
/// bit.
static std::optional<Factor> readUniform(Value value, const ModelFacts &facts) {
  std::string ignored;
  std::optional<Constant> constant = foldConstant(value, facts, ignored);
  if (!constant || !isDecodedFloat(constant->type.getElementType()) ||
      constant->type.getNumElements() == 0)
    return std::nullopt;
  llvm::Expected<ConstantReader> reader = ConstantReader::open(*constant);
  if (!reader) {
    llvm::consumeError(reader.takeError());
    return std::nullopt;
  }
  static constexpr uint64_t kPiece = 1 << 12;
  unsigned width = reader->getElementBytes();
  uint64_t count = reader->isSplat() ? 1 : reader->getNumElements();
  std::vector<char> bytes(std::min(count, kPiece) * width), first(width);
  for (uint64_t i = 0; i < count; i += kPiece) {
    uint64_t length = std::min(count - i, kPiece);
    if (llvm::Error err = reader->read(i, length, bytes.data())) {
      llvm::consumeError(std::move(err));
      return std::nullopt;
    }
    if (i == 0)
      first.assign(bytes.begin(), bytes.begin() + width);
    for (uint64_t j = 0; j != length; ++j)
      if (memcmp(bytes.data() + j * width, first.data(), width) != 0)
        return std::nullopt;
  }
  Type type = constant->type.getElementType();
  return Factor{decodeFloat(type, first.data()), type};
}

/// True when `number` is one of `type`.
static bool isRepresentable(int64_t number, Type type) {
  char bytes[8];
  encodeFloat(type, static_cast<double>(number), bytes);
  return decodeFloat(type, bytes) == static_cast<double>(number);
}

/// True when `factor` is the number of its type that is nearest to 1 / count.
/// That is all that a file can say of 1 / count: the factor is (1 + d) / count
/// with d at most the unit roundoff, so that the product is the mean up to one
/// rounding. Subnormal numbers are further apart than that.
static bool isReciprocal(const Factor &factor, int64_t count) {
  if (count <= 0)
    return false;
  char bytes[8];
  encodeFloat(factor.type, 1.0 / static_cast<double>(count), bytes);
  const llvm::fltSemantics &semantics =
      cast<FloatType>(factor.type).getFloatSemantics();
  return decodeFloat(factor.type, bytes) == factor.value &&
         factor.value >=
             APFloat::getSmallestNormalized(semantics).convertToDouble();
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// The axes along which the windows of `op` (a pool or a convolution with this
/// kernel) are one, which covers each position of the input once; along the
/// others there is one window of extent 1 for each position. Nullopt when an
/// axis is neither. `overhangs` is set when a window reaches beyond the input.
static std::optional<SmallVector<int64_t>>
getCoveredAxes(Operation *op, const ValueFacts::Shape &input,
               ArrayRef<int64_t> kernel, bool &overhangs) {
  size_t count = kernel.size();
  if (count == 0 || input.size() != count + 2)
    return std::nullopt;
  auto list = [&](StringRef name, size_t size,
                  int64_t otherwise) -> std::optional<SmallVector<int64_t>> {
    auto attr = op->getAttrOfType<DenseI64ArrayAttr>(name);
    if (!attr)
      return SmallVector<int64_t>(size, otherwise);
    if (static_cast<size_t>(attr.size()) != size)
      return std::nullopt;
    return SmallVector<int64_t>(attr.asArrayRef());
  };
  std::optional<SmallVector<int64_t>> strides = list("strides", count, 1);
  std::optional<SmallVector<int64_t>> dilations = list("dilations", count, 1);
  std::optional<SmallVector<int64_t>> pads = list("pads", 2 * count, 0);
  auto mode = op->getAttrOfType<StringAttr>("auto_pad");
  bool same = mode && mode.getValue().starts_with("SAME_");
  bool hasPads =
      pads && llvm::any_of(*pads, [](int64_t pad) { return pad != 0; });
  if (!strides || !dilations || !pads ||
      // No two of these go together.
      (hasPads && mode && mode.getValue() != "NOTSET" &&
       !mode.getValue().empty()))
    return std::nullopt;
  auto ceil = op->getAttrOfType<IntegerAttr>("ceil_mode");
  bool roundsUp = ceil && ceil.getInt() != 0;

  overhangs = false;
  SmallVector<int64_t> axes;
  for (size_t i = 0; i != count; ++i) {
    int64_t window = kernel[i], stride = (*strides)[i];
    int64_t dilation = (*dilations)[i];
    int64_t before = (*pads)[i], after = (*pads)[i + count];
    // No product below overflows.
    auto isOutside = [](int64_t value, int64_t least) {
      return value < least || value > INT32_MAX;
    };
    if (isOutside(window, 1) || isOutside(stride, 1) || isOutside(dilation, 1))
      return std::nullopt;
    if (isOutside(before, 0) || isOutside(after, 0))
      return std::nullopt;
    if (window == 1 && stride == 1 && before == 0 && after == 0)
      continue;
    int64_t extent = input[i + 2].getNumber();
    if (!input[i + 2].isNumber() || isOutside(extent, 1))
      return std::nullopt;
    int64_t reach = (window - 1) * dilation + 1;
    if (same) {
      // As many windows as strides, padded by what they lack.
      if (extent > stride)
        return std::nullopt;
      int64_t lacking = std::max<int64_t>(reach - extent, 0);
      before =
          mode.getValue() == "SAME_UPPER" ? lacking / 2 : lacking - lacking / 2;
    } else {
      // One window, whichever way the number of windows is rounded. With
      // ceil_mode a window that lies in the padding as a whole is dropped by
      // some runtimes and kept by others, so there must be none.
      int64_t room = extent + before + after - reach;
      if (roundsUp ? room > 0 || room <= -stride : room < 0 || room >= stride)
        return std::nullopt;
    }
    // Two neighbours are both seen only without a dilation.
    bool covers = extent == 1
                      ? before % dilation == 0 && before / dilation < window
                      : dilation == 1 && window - before >= extent;
    if (!covers)
      return std::nullopt;
    overhangs |= window != extent;
    axes.push_back(i + 2);
  }
  return axes;
}

static std::optional<Step> readAveragePool(onnx::AveragePoolOp op,
                                           const ModelFacts &facts) {
  const std::optional<ValueFacts::Shape> &shape = facts.get(op.getX()).shape;
  if (!shape || !op.getKernelShape())
    return std::nullopt;
  bool overhangs;
  std::optional<SmallVector<int64_t>> axes =
      getCoveredAxes(op, *shape, *op.getKernelShape(), overhangs);
  if (!axes)
    return std::nullopt;
  // What lies outside must not count. Before opset 7 nothing says whether it
  // does.
  std::optional<int64_t> opset = onnx::getOpsetVersion(op);
  if (overhangs &&
      (op.getCountIncludePad().value_or(0) != 0 || (opset && *opset < 7)))
    return std::nullopt;
  Step step{Step::Sum, op, op.getX(), *axes};
  step.isMean = step.saysLayout = true;
  return step;
}

static std::optional<Step> readDepthwiseConv(onnx::ConvOp op,
                                             const ModelFacts &facts) {
  const std::optional<ValueFacts::Shape> &shape = facts.get(op.getX()).shape;
  const std::optional<ValueFacts::Shape> &kernel = facts.get(op.getW()).shape;
  // One output of each channel.
  if (!shape || !kernel || kernel->size() != shape->size() ||
      kernel->size() < 3 || !(*kernel)[1].isNumber(1) ||
      !(*kernel)[0].isNumber(op.getGroup().value_or(1)))
    return std::nullopt;
  SmallVector<int64_t> window;
  for (const Extent &extent : llvm::drop_begin(*kernel, 2))
    window.push_back(extent.getNumber());
  bool overhangs;
  std::optional<SmallVector<int64_t>> axes =
      getCoveredAxes(op, *shape, window, overhangs);
  if (!axes)
    return std::nullopt;
  Value bias = op.getB();
  if (bias && !isa<NoneType>(bias.getType())) {
    std::optional<Factor> zero = readUniform(bias, facts);
    if (!zero || zero->value != 0)
      return std::nullopt;
  }
  // What lies outside is 0 and adds nothing.
  std::optional<Factor> weight = readUniform(op.getW(), facts);
  if (!weight)
    return std::nullopt;
  Step step{Step::Sum, op, op.getX(), *axes};
  step.saysLayout = true;
  step.factors.push_back(*weight);
  return step;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// True when all but the last `count` extents of `shape` are 1.
static bool isOneBefore(const ValueFacts::Shape &shape, size_t count) {
  return llvm::all_of(ArrayRef(shape).drop_back(count),
                      [](const Extent &extent) { return extent.isNumber(1); });
}

/// A matrix product with a row or a column of equal numbers.
static std::optional<Step> readMatMul(onnx::MatMulOp op,
                                      const ModelFacts &facts) {
  for (bool column : {true, false}) {
    Value data = column ? op.getA() : op.getB();
    Value weight = column ? op.getB() : op.getA();
    const std::optional<ValueFacts::Shape> &shape = facts.get(data).shape;
    const std::optional<ValueFacts::Shape> &line = facts.get(weight).shape;
    if (!shape || !line || shape->size() < 2 || line->empty() ||
        line->size() > shape->size())
      continue;
    // [K], or [1, ..., K, 1] and [1, ..., 1, K].
    bool isVector = line->size() == 1;
    if (!isVector && (!isOneBefore(*line, column ? 2 : 1) ||
                      (column && !line->back().isNumber(1))))
      continue;
    std::optional<Factor> factor = readUniform(weight, facts);
    if (!factor)
      continue;
    int64_t axis = static_cast<int64_t>(shape->size()) - (column ? 1 : 2);
    Step step{Step::Sum, op, data, {axis}};
    step.keepsAxes = !isVector;
    step.factors.push_back(*factor);
    return step;
  }
  return std::nullopt;
}

static std::optional<Step> readGemm(onnx::GemmOp op, const ModelFacts &facts) {
  bool transposed = op.getTransB().value_or(0) != 0;
  const std::optional<ValueFacts::Shape> &line = facts.get(op.getB()).shape;
  if (op.getTransA().value_or(0) != 0 || !line || line->size() != 2 ||
      !(*line)[transposed ? 0 : 1].isNumber(1))
    return std::nullopt;
  if (op.getC() && !isa<NoneType>(op.getC().getType())) {
    std::optional<Factor> zero = readUniform(op.getC(), facts);
    if (!zero || zero->value != 0)
      return std::nullopt;
  }
  std::optional<Factor> factor = readUniform(op.getB(), facts);
  if (!factor)
    return std::nullopt;
  Step step{Step::Sum, op, op.getA(), {1}};
  step.factors.push_back(*factor);
  if (op.getAlpha())
    step.factors.push_back(
        {op.getAlpha()->convertToDouble(), Float32Type::get(op.getContext())});
  return step;
}

/// A product with, or a quotient by, one number.
static std::optional<Step> readScale(Operation *op, const ModelFacts &facts) {
  bool divides = isa<onnx::DivOp>(op);
  for (unsigned i : {1u, 0u}) {
    if (i == 0 && divides)
      break;
    Value number = op->getOperand(i), data = op->getOperand(1 - i);
    const std::optional<ValueFacts::Shape> &shape = facts.get(data).shape;
    // It must not add axes. Quotients of integers are rounded.
    Type type = getElementType(number);
    if (!shape || !facts.isScalar(number) || !type || !isDecodedFloat(type) ||
        facts.get(number).shape->size() > shape->size())
      continue;
    Step step{Step::Scale, op, data};
    std::optional<Factor> factor = readUniform(number, facts);
    if (!divides) {
      if (!factor)
        continue;
      step.factors.push_back(*factor);
      return step;
    }
    const std::optional<ValueFacts::Elements> &elements =
        facts.get(number).elements;
    if (factor && factor->value >= 1 && factor->value <= 1 << 24 &&
        factor->value == std::floor(factor->value))
      step.divisor = static_cast<int64_t>(factor->value);
    else if (!factor && elements && elements->size() == 1 && elements->front())
      step.divisor = *elements->front();
    else
      return std::nullopt;
    // Exporters cast products of extents to the map's type. Of one that only a
    // run knows f16 and bf16 may hold quite another number, or infinity.
    if (step.divisor.isNumber()
            ? !isRepresentable(step.divisor.getNumber(), type)
            : !type.isF32() && !type.isF64())
      return std::nullopt;
    return step;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// One operator
//===----------------------------------------------------------------------===//

/// The operand of `op` whose elements lie as those of the result do; null when
/// there is none.
static Value getAlignedOperand(Operation *op, const ModelFacts &facts) {
  if (!op->hasTrait<onnx::PerElement>() &&
      !isa<onnx::BatchNormalizationOp, onnx::QuantizeLinearOp,
           onnx::DequantizeLinearOp, onnx::DropoutOp>(op))
    return nullptr;
  const std::optional<ValueFacts::Shape> &shape =
      facts.get(op->getResult(0)).shape;
  if (!shape)
    return nullptr;
  for (Value operand : op->getOperands())
    if (!isa_and_nonnull<onnx::InitializerOp, onnx::ConstantOp>(
            operand.getDefiningOp()) &&
        facts.get(operand).shape == shape)
      return operand;
  return nullptr;
}

/// Reads the operator that computes `value`; nullopt when it is none that can
/// be followed.
static std::optional<Step> readStep(Value value, const ModelFacts &facts) {
  Operation *op = value.getDefiningOp();
  if (!op || value != op->getResult(0) || op->getNumOperands() == 0)
    return std::nullopt;
  Type type = getElementType(value);
  bool mayBeFloat = !type || isDecodedFloat(type);
  auto step =
      llvm::TypeSwitch<Operation *, std::optional<Step>>(op)
          .Case<onnx::ReduceMeanOp, onnx::ReduceSumOp>(
              [&](onnx::ReductionOpInterface op) -> std::optional<Step> {
                std::optional<SmallVector<int64_t>> axes =
                    facts.getReducedAxes(op);
                if (!axes || !mayBeFloat)
                  return std::nullopt;
                Step step{Step::Sum, op, op.getData(), *axes};
                step.keepsAxes = op.getKeepdims().value_or(1) != 0;
                step.isMean = isa<onnx::ReduceMeanOp>(op);
                return step;
              })
          .Case([&](onnx::GlobalAveragePoolOp op) -> std::optional<Step> {
            const std::optional<ValueFacts::Shape> &shape =
                facts.get(op.getX()).shape;
            if (!shape || shape->size() < 3)
              return std::nullopt;
            Step step{Step::Sum, op, op.getX(),
                      llvm::to_vector(llvm::seq<int64_t>(2, shape->size()))};
            step.isMean = step.saysLayout = true;
            return step;
          })
          .Case([&](onnx::AveragePoolOp op) {
            return readAveragePool(op, facts);
          })
          .Case([&](onnx::ConvOp op) { return readDepthwiseConv(op, facts); })
          .Case([&](onnx::MatMulOp op) { return readMatMul(op, facts); })
          .Case([&](onnx::GemmOp op) { return readGemm(op, facts); })
          .Case<onnx::MulOp, onnx::DivOp>(
              [&](Operation *op) { return readScale(op, facts); })
          .Case([&](onnx::CastOp op) -> std::optional<Step> {
            if (!type || type != getElementType(op.getInput()))
              return std::nullopt;
            return Step{Step::View, op, op.getInput()};
          })
          .Case([&](onnx::DropoutOp op) -> std::optional<Step> {
            std::string ignored;
            if (!isInference(op, ignored))
              return std::nullopt;
            return Step{Step::View, op, op.getData()};
          })
          .Default([&](Operation *op) -> std::optional<Step> {
            if (!isViewOp(op, facts) && !isa<onnx::IdentityOp>(op))
              return std::nullopt;
            return Step{Step::View, op, op->getOperand(0)};
          });
  if (step)
    return step;
  if (Value operand = getAlignedOperand(op, facts))
    return Step{Step::Layout, op, operand};
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// All of them
//===----------------------------------------------------------------------===//

namespace {

enum class Outcome {
  /// The axes cannot be followed.
  Unknown,
  /// It is not the mean over axes of this map.
  NoMean,
  /// It is, but not over the spatial axes.
  OtherAxes,
  Match,
};

/// Operators from the earliest value that was reached to the last.
class Matcher {
public:
  Matcher(Value value, const ModelFacts &facts) : facts(facts) {
    // Longer than any spelling; hostile files could have chains without end.
    static constexpr unsigned kMaxSteps = 24;
    while (steps.size() != kMaxSteps) {
      std::optional<Step> step = readStep(value, facts);
      // A value is a mean by what computes it.
      if (!step || (steps.empty() && step->kind != Step::Sum &&
                    step->kind != Step::Scale))
        break;
      value = step->input;
      steps.insert(steps.begin(), std::move(*step));
    }
  }

  std::optional<GlobalAverage> run() const;

private:
  static bool sums(const Step &step) {
    return step.kind == Step::Sum && !step.axes.empty();
  }
  static bool saysLayout(const Step &step) { return step.saysLayout; }
  ArrayRef<Step> from(size_t begin) const {
    return ArrayRef(steps).drop_front(begin);
  }
  bool isMean(size_t begin, const AxisMap &map,
              ArrayRef<unsigned> sumDigits) const;
  Outcome match(size_t origin, size_t begin, GlobalAverage &result) const;

  const ModelFacts &facts;
  SmallVector<Step, 8> steps;
};

} // namespace

/// True when the factors from `begin` on are one over the number of positions
/// that were summed without being divided by it.
bool Matcher::isMean(size_t begin, const AxisMap &map,
                     ArrayRef<unsigned> sumDigits) const {
  Extent divisor;
  SmallVector<Factor> factors;
  for (const Step &step : from(begin)) {
    divisor *= step.divisor;
    for (const Factor &factor : step.factors)
      if (factor.value != 1)
        factors.push_back(factor);
  }
  std::optional<Extent> count = map.getExtent(sumDigits).divideBy(divisor);
  if (!count || factors.empty())
    return count && count->isNumber(1);
  if (!count->isNumber())
    return false;
  if (factors.size() == 1)
    return isReciprocal(factors.front(), count->getNumber());
  // Each is one over a number of its own.
  Extent product;
  for (const Factor &factor : factors) {
    double number = std::round(1 / factor.value);
    if (!(number >= 1 && number <= 1 << 24) ||
        !isReciprocal(factor, static_cast<int64_t>(number)))
      return false;
    product *= static_cast<int64_t>(number);
  }
  return product == *count;
}

/// Reads the value as the mean of the map that step `begin` takes. What step
/// `origin` takes says which axes of it are spatial.
Outcome Matcher::match(size_t origin, size_t begin,
                       GlobalAverage &result) const {
  const std::optional<ValueFacts::Shape> &shape =
      facts.get(steps[origin].input).shape;
  if (!shape || shape->size() < 3)
    return Outcome::Unknown;
  AxisMap map(*shape);
  llvm::SmallSet<unsigned, 8> averaged;
  SmallVector<unsigned> sumDigits;
  std::optional<size_t> reference;
  for (const Step &step : from(origin)) {
    if (step.kind != Step::Sum) {
      std::string ignored;
      if (!map.apply(step.op, facts, ShapedType::kDynamic, ignored))
        return Outcome::Unknown;
      continue;
    }
    if (step.saysLayout && !reference)
      reference = map.getViews().size() - 1;
    const AxisMap::View &view = map.getViews().back();
    for (int64_t axis : step.axes) {
      if (axis >= static_cast<int64_t>(view.size()))
        return Outcome::Unknown;
      averaged.insert(view[axis].begin(), view[axis].end());
      if (!step.isMean)
        llvm::append_range(sumDigits, view[axis]);
    }
    map.reduce(step.axes, step.keepsAxes);
  }

  // Digits whose extent turned out to be 1 are in no view any more.
  auto count = [&](const AxisMap::Axis &axis) {
    return llvm::count_if(
        axis, [&](unsigned digit) { return averaged.contains(digit); });
  };
  auto isAll = [&](const AxisMap::Axis &axis) {
    return count(axis) == static_cast<int64_t>(axis.size());
  };
  for (unsigned digit : averaged)
    if (map.getDigit(digit).extent.isNumber(0))
      return Outcome::NoMean;
  const AxisMap::View &mapView = map.getViews()[begin - origin];
  for (const AxisMap::Axis &axis : mapView)
    if (count(axis) != 0 && !isAll(axis))
      return Outcome::NoMean;
  if (!isMean(begin, map, sumDigits))
    return Outcome::NoMean;

  const AxisMap::View &layout = map.getViews()[reference.value_or(0)];
  int64_t inLayout = 0, inMap = 0;
  for (auto [axis, digits] : llvm::enumerate(layout)) {
    if (axis >= 2 ? !isAll(digits) : count(digits) != 0)
      return Outcome::OtherAxes;
    inLayout += count(digits);
  }
  // Nothing may have been averaged before the layout was said.
  for (const AxisMap::Axis &digits : mapView)
    inMap += count(digits);
  if (inMap != inLayout)
    return Outcome::OtherAxes;

  result.map = steps[begin].input;
  result.axes.clear();
  bool channelsFirst = mapView.size() > 2;
  for (auto [axis, digits] : llvm::enumerate(mapView))
    channelsFirst &= digits.empty() || isAll(digits) == (axis >= 2);
  for (auto [axis, digits] : llvm::enumerate(mapView))
    if (channelsFirst ? axis >= 2 : !digits.empty() && isAll(digits))
      result.axes.push_back(axis);

  result.resultAxes.emplace();
  for (ArrayRef<unsigned> rest : map.getViews().back()) {
    auto &axes = result.resultAxes->emplace_back();
    while (!rest.empty()) {
      const auto *source =
          llvm::find_if(mapView, [&](const AxisMap::Axis &digits) {
            return !digits.empty() &&
                   rest.take_front(digits.size()) == ArrayRef<unsigned>(digits);
          });
      if (source == mapView.end()) {
        result.resultAxes.reset();
        return Outcome::Match;
      }
      axes.push_back(source - mapView.begin());
      rest = rest.drop_front(source->size());
    }
  }
  return Outcome::Match;
}

std::optional<GlobalAverage> Matcher::run() const {
  std::optional<GlobalAverage> best;
  for (size_t begin = 0; begin != steps.size(); ++begin) {
    // The map is what the operators that average it see.
    if (llvm::any_of(from(begin), [](const Step &step) {
          return step.kind == Step::Layout;
        }))
      continue;
    if (llvm::none_of(from(begin), sums))
      break;
    // How it is laid out is said as far back as its axes can be followed.
    size_t origin = begin;
    while (origin != 0 && !sums(steps[origin - 1]))
      --origin;
    GlobalAverage result;
    Outcome outcome = Outcome::Unknown;
    for (; outcome == Outcome::Unknown && origin <= begin; ++origin)
      outcome = match(origin, begin, result);
    if (outcome == Outcome::OtherAxes && llvm::none_of(from(begin), saysLayout))
      break;
    if (outcome != Outcome::Match)
      continue;
    if (result.isChannelsFirst(facts.get(result.map).shape->size()))
      return result;
    if (!best)
      best = std::move(result);
  }
  return best;
}

std::optional<GlobalAverage>
headopt::matchGlobalAverage(Value value, const ModelFacts &facts) {
  Operation *op = value.getDefiningOp();
  // Without its rank no axis can be followed, and none need be.
  if (auto pool = dyn_cast_or_null<onnx::GlobalAveragePoolOp>(op);
      pool && !facts.get(pool.getX()).shape)
    return GlobalAverage{pool.getX(), {}, std::nullopt};
  return Matcher(value, facts).run();
}
