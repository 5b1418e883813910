//===- HeadVerifier.cpp - A head before and after, in numbers -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/HeadVerifier.h"
#include "headopt/Analysis/ConstantFolder.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <random>

using namespace mlir;
using namespace headopt;

namespace {

struct Tensor {
  SmallVector<int64_t> shape;
  std::vector<double> data;

  int64_t size() const {
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    return count;
  }
};

/// Evaluates values from a feature map on, each operator by its definition.
class Evaluator {
public:
  /// `facts` may be null, once the model has changed. With `magnitudes` a
  /// product of data and constant weight gives sum |W| |f|.
  Evaluator(Value map, Tensor input, const ModelFacts *facts, bool magnitudes)
      : mapSource(map.getDefiningOp()), facts(facts), magnitudes(magnitudes) {
    // What the extents chosen for the map say of symbols.
    if (facts && facts->get(map).shape)
      for (auto [extent, number] :
           llvm::zip(*facts->get(map).shape, input.shape))
        if (extent.getSymbols().size() == 1 && extent.getCoefficient() > 0)
          symbols[extent.getSymbols().front()] =
              number / extent.getCoefficient();
    known[map.getAsOpaquePointer()] = std::move(input);
  }

  const Tensor *evaluate(Value value);
  std::string error;

private:
  using Result = std::optional<Tensor>;

  Result apply(Operation *op, unsigned result);
  Result applyView(Operation *op, const Tensor &in);
  Result applyReshape(onnx::ReshapeOp op, const Tensor &in);
  Result applyPerElement(Operation *op);
  Result applyReduction(onnx::ReductionOpInterface op, const Tensor &in);
  Result normalize(onnx::BatchNormalizationOp op);
  Result quantize(Operation *op);
  Result quantizeDynamically(const Tensor &in, unsigned result);
  Result contract(Value data, Value weight, StringRef equation,
                  double factor = 1);
  Result multiplyIntegers(onnx::MatMulIntegerOp op);
  Result convolve(onnx::ConvOp op);
  Result readConstant(Value value);
  std::optional<SmallVector<int64_t>> getNumbers(Value value) const {
    return facts ? facts->getNumbers(value) : getConstantInts(value);
  }
  std::optional<SmallVector<int64_t>>
  getAxes(std::optional<ArrayRef<int64_t>> attr, Value input) const {
    if (attr)
      return SmallVector<int64_t>(*attr);
    if (input && !isa<NoneType>(input.getType()))
      return getNumbers(input);
    return std::nullopt;
  }
  const Tensor *fail(const llvm::Twine &message) {
    error = message.str();
    return nullptr;
  }

  Operation *mapSource;
  const ModelFacts *facts;
  llvm::DenseMap<unsigned, int64_t> symbols;
  bool magnitudes;
  /// Node-based: evaluate() hands out pointers while it adds.
  std::map<void *, Tensor> known;
};

} // namespace

std::optional<Tensor> Evaluator::readConstant(Value value) {
  std::string whyNot;
  std::optional<Constant> constant =
      facts ? foldConstant(value, *facts, whyNot) : getConstant(value, whyNot);
  if (!constant || !constant->type.getElementType().isIntOrFloat())
    return std::nullopt;
  if (auto flags = dyn_cast_or_null<DenseElementsAttr>(constant->elements);
      flags && flags.getElementType().isInteger(1)) {
    Tensor tensor{SmallVector<int64_t>(constant->type.getShape()), {}};
    for (bool flag : flags.getValues<bool>())
      tensor.data.push_back(flag);
    return tensor;
  }
  llvm::Expected<ConstantReader> reader = ConstantReader::open(*constant);
  if (!reader) {
    llvm::consumeError(reader.takeError());
    return std::nullopt;
  }
  Tensor tensor;
  tensor.shape.assign(constant->type.getShape().begin(),
                      constant->type.getShape().end());
  tensor.data.reserve(reader->getNumElements());
  Type type = constant->type.getElementType();
  const uint64_t width = reader->getElementBytes();
  static constexpr uint64_t kStep = 1 << 18;
  std::vector<char> piece;
  for (uint64_t first = 0; first < reader->getNumElements(); first += kStep) {
    uint64_t count = std::min(kStep, reader->getNumElements() - first);
    piece.resize(count * width);
    if (llvm::Error err = reader->read(first, count, piece.data())) {
      llvm::consumeError(std::move(err));
      return std::nullopt;
    }
    for (uint64_t i = 0; i != count; ++i)
      tensor.data.push_back(decodeNumber(type, piece.data() + i * width));
  }
  return tensor;
}

/// What a reduction does to two elements, and to the last of them.
enum class Reduction { Mean, Sum, Max };

/// A reduction over `axes`, which keep extent 1 or go.
static Tensor reduce(const Tensor &in, ArrayRef<int64_t> axes, bool keep,
                     Reduction kind) {
  Tensor out;
  SmallVector<bool> reduced(in.shape.size(), false);
  int64_t positions = 1;
  for (int64_t axis : axes) {
    axis = normalizeAxis(axis, in.shape.size());
    reduced[axis] = true;
    positions *= in.shape[axis];
  }
  SmallVector<int64_t> kept;
  for (auto [axis, extent] : llvm::enumerate(in.shape)) {
    if (!reduced[axis])
      out.shape.push_back(extent);
    else if (keep)
      out.shape.push_back(1);
    kept.push_back(reduced[axis] ? 1 : extent);
  }
  bool max = kind == Reduction::Max;
  out.data.assign(out.size(),
                  max ? -std::numeric_limits<double>::infinity() : 0.0);
  for (int64_t i = 0; i != in.size(); ++i) {
    int64_t rest = i, place = 0, stride = 1;
    for (int64_t axis = in.shape.size(); axis-- > 0;) {
      int64_t coordinate = rest % in.shape[axis];
      rest /= in.shape[axis];
      if (!reduced[axis])
        place += coordinate * stride;
      stride *= kept[axis];
    }
    double &x = out.data[place];
    x = max ? std::max(x, in.data[i]) : x + in.data[i];
  }
  if (kind == Reduction::Mean)
    for (double &x : out.data)
      x /= positions;
  return out;
}

static Tensor transpose(const Tensor &in, ArrayRef<int64_t> perm) {
  Tensor out;
  for (int64_t axis : perm)
    out.shape.push_back(in.shape[axis]);
  out.data.resize(in.data.size());
  SmallVector<int64_t> strides(in.shape.size(), 1);
  for (int64_t axis = in.shape.size() - 1; axis-- > 0;)
    strides[axis] = strides[axis + 1] * in.shape[axis + 1];
  for (int64_t i = 0; i != in.size(); ++i) {
    int64_t rest = i, from = 0;
    for (int64_t axis = perm.size(); axis-- > 0;) {
      from += rest % out.shape[axis] * strides[perm[axis]];
      rest /= out.shape[axis];
    }
    out.data[i] = in.data[from];
  }
  return out;
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

std::optional<Tensor> Evaluator::applyReshape(onnx::ReshapeOp op,
                                              const Tensor &in) {
  Tensor out = in;
  std::optional<SmallVector<int64_t>> target = getNumbers(op.getShape());
  bool copyZero = op.getAllowzero().value_or(0) == 0;
  if (!target) {
    // A computed target: what is known of the result. Where two extents are
    // open, the first is the batch.
    const std::optional<ValueFacts::Shape> none;
    const std::optional<ValueFacts::Shape> &shape =
        facts ? facts->get(op.getReshaped()).shape : none;
    if (!shape)
      return std::nullopt;
    target.emplace();
    for (Extent extent : *shape) {
      for (auto [symbol, number] : symbols)
        extent = extent.substitute(symbol, number);
      target->push_back(extent.isNumber() ? extent.getNumber() : -1);
    }
    if (llvm::count(*target, -1) == 2 && target->front() == -1)
      target->front() = in.shape.front();
    copyZero = false;
  }
  int64_t product = 1, open = -1;
  for (auto [i, extent] : llvm::enumerate(*target)) {
    if (extent == 0 && copyZero)
      extent = i < in.shape.size() ? in.shape[i] : 0;
    if (extent != -1)
      product *= extent;
    else if (open >= 0)
      return std::nullopt;
    else
      open = i;
  }
  if (open >= 0 && product)
    (*target)[open] = in.size() / product;
  out.shape.assign(target->begin(), target->end());
  if (out.size() != in.size())
    return std::nullopt;
  return out;
}

std::optional<Tensor> Evaluator::applyView(Operation *op, const Tensor &in) {
  Tensor out = in;
  int64_t rank = in.shape.size();
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](onnx::FlattenOp flatten) {
        int64_t axis = normalizeAxis(flatten.getAxis().value_or(1), rank);
        int64_t rows = 1;
        for (int64_t i = 0; i != axis; ++i)
          rows *= in.shape[i];
        out.shape = {rows, in.size() / rows};
        return out;
      })
      .Case([&](onnx::TransposeOp op) {
        return transpose(in, op.getPermutation(rank));
      })
      .Case([&](onnx::SqueezeOp op) {
        std::optional<SmallVector<int64_t>> axes =
            getAxes(op.getAxes(), op.getAxesInput());
        out.shape.clear();
        for (int64_t i = 0; i != rank; ++i)
          if (axes ? !llvm::is_contained(*axes, i) &&
                         !llvm::is_contained(*axes, i - rank)
                   : in.shape[i] != 1)
            out.shape.push_back(in.shape[i]);
        return out;
      })
      .Case([&](onnx::UnsqueezeOp op) -> Result {
        std::optional<SmallVector<int64_t>> axes =
            getAxes(op.getAxes(), op.getAxesInput());
        if (!axes)
          return std::nullopt;
        int64_t result = rank + axes->size();
        out.shape.clear();
        for (int64_t i = 0, next = 0; i != result; ++i)
          out.shape.push_back(llvm::is_contained(*axes, i) ||
                                      llvm::is_contained(*axes, i - result)
                                  ? 1
                                  : in.shape[next++]);
        return out;
      })
      .Case([&](onnx::GatherOp op) -> Result {
        // Only that of the one slice of an axis is on the way.
        int64_t axis = normalizeAxis(op.getAxis().value_or(0), rank);
        if (axis < 0 || axis >= rank || in.shape[axis] != 1 || !facts ||
            !facts->isScalar(op.getIndices()))
          return std::nullopt;
        if (facts->get(op.getIndices()).shape->empty())
          out.shape.erase(out.shape.begin() + axis);
        return out;
      })
      .Case([&](onnx::ReshapeOp op) { return applyReshape(op, in); })
      .Default([](Operation *) { return std::nullopt; });
}

//===----------------------------------------------------------------------===//
// Per-element operators
//===----------------------------------------------------------------------===//

/// The function that `op` is, of one element of each of its operands; NaN, and
/// false in `known`, when it is not known here.
static double computeElement(Operation *op, ArrayRef<double> x, bool &known) {
  auto attr = [op](StringRef name, double otherwise) {
    auto value = op->getAttrOfType<FloatAttr>(name);
    return value ? value.getValueAsDouble() : otherwise;
  };
  auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  auto softplus = [](double x) { return std::log1p(std::exp(x)); };
  assert(!x.empty() && "a function of nothing");
  const double a = x[0], b = x.size() > 1 ? x[1] : 0;
  return llvm::TypeSwitch<Operation *, double>(op)
      .Case([&](onnx::AbsOp) { return std::fabs(a); })
      .Case([&](onnx::AcosOp) { return std::acos(a); })
      .Case([&](onnx::AsinOp) { return std::asin(a); })
      .Case([&](onnx::AtanOp) { return std::atan(a); })
      .Case([&](onnx::CeilOp) { return std::ceil(a); })
      .Case([&](onnx::CeluOp) {
        double alpha = attr("alpha", 1);
        return std::max(a, 0.0) + std::min(alpha * std::expm1(a / alpha), 0.0);
      })
      .Case([&](onnx::CosOp) { return std::cos(a); })
      .Case([&](onnx::EluOp) {
        return a < 0 ? attr("alpha", 1) * std::expm1(a) : a;
      })
      .Case([&](onnx::ErfOp) { return std::erf(a); })
      .Case([&](onnx::ExpOp) { return std::exp(a); })
      .Case([&](onnx::FloorOp) { return std::floor(a); })
      .Case([&](onnx::GeluOp gelu) {
        if (gelu.getApproximate().value_or("none") == "tanh")
          return a / 2 *
                 (1 +
                  std::tanh(0.7978845608028654 * (a + 0.044715 * a * a * a)));
        return a / 2 * (1 + std::erf(a / std::sqrt(2.0)));
      })
      .Case([&](onnx::HardSigmoidOp) {
        return std::clamp(attr("alpha", 0.2) * a + attr("beta", 0.5), 0.0, 1.0);
      })
      .Case([&](onnx::HardSwishOp) {
        return a * std::clamp(a / 6 + 0.5, 0.0, 1.0);
      })
      .Case([&](onnx::LeakyReluOp) {
        return a < 0 ? attr("alpha", 0.01) * a : a;
      })
      .Case([&](onnx::LogOp) { return std::log(a); })
      .Case([&](onnx::MishOp) { return a * std::tanh(softplus(a)); })
      .Case([&](onnx::NegOp) { return -a; })
      .Case([&](onnx::ReciprocalOp) { return 1 / a; })
      .Case([&](onnx::ReluOp) { return std::max(a, 0.0); })
      .Case([&](onnx::RoundOp) { return std::nearbyint(a); })
      .Case([&](onnx::SeluOp) {
        double gamma = attr("gamma", 1.0507009873554805);
        return gamma *
               (a < 0 ? attr("alpha", 1.6732632423543772) * std::expm1(a) : a);
      })
      .Case([&](onnx::SigmoidOp) { return sigmoid(a); })
      .Case([&](onnx::SignOp) { return double(a > 0) - double(a < 0); })
      .Case([&](onnx::SinOp) { return std::sin(a); })
      .Case([&](onnx::SoftplusOp) { return softplus(a); })
      .Case([&](onnx::SoftsignOp) { return a / (1 + std::fabs(a)); })
      .Case([&](onnx::SqrtOp) { return std::sqrt(a); })
      .Case([&](onnx::SwishOp) { return a * sigmoid(attr("alpha", 1) * a); })
      .Case([&](onnx::TanhOp) { return std::tanh(a); })
      .Case([&](onnx::ThresholdedReluOp) {
        return a > attr("alpha", 1) ? a : 0.0;
      })
      .Case([&](onnx::AddOp) { return a + b; })
      .Case([&](onnx::SubOp) { return a - b; })
      .Case([&](onnx::MulOp) { return a * b; })
      .Case([&](onnx::DivOp) { return a / b; })
      .Case([&](onnx::PowOp) { return std::pow(a, b); })
      .Case([&](onnx::PReluOp) { return a < 0 ? b * a : a; })
      .Case([&](onnx::MaxOp) { return *llvm::max_element(x); })
      .Case([&](onnx::MinOp) { return *llvm::min_element(x); })
      .Case([&](onnx::EqualOp) { return double(a == b); })
      .Case([&](onnx::GreaterOp) { return double(a > b); })
      .Case([&](onnx::LessOp) { return double(a < b); })
      .Case([&](onnx::WhereOp) { return a != 0 ? x[1] : x[2]; })
      .Case([&](onnx::MeanOp) {
        return std::accumulate(x.begin(), x.end(), 0.0) /
               static_cast<double>(x.size());
      })
      .Case(
          [&](onnx::SumOp) { return std::accumulate(x.begin(), x.end(), 0.0); })
      .Case([&](onnx::CastOp cast) {
        auto type = dyn_cast<TensorType>(cast.getOutput().getType());
        bool whole = type && type.getElementType().isInteger();
        return whole ? std::trunc(a) : a;
      })
      .Default([&](Operation *) {
        known = false;
        return std::numeric_limits<double>::quiet_NaN();
      });
}

std::optional<Tensor> Evaluator::applyPerElement(Operation *op) {
  SmallVector<const Tensor *> operands;
  Tensor out;
  if (op->getNumOperands() == 0)
    return std::nullopt;
  for (Value operand : op->getOperands()) {
    if (isa<NoneType>(operand.getType())) {
      operands.push_back(nullptr);
      continue;
    }
    const Tensor *tensor = evaluate(operand);
    if (!tensor)
      return std::nullopt;
    operands.push_back(tensor);
    if (tensor->size() >= out.size() &&
        tensor->shape.size() >= out.shape.size())
      out.shape = tensor->shape;
  }
  out.data.resize(out.size());
  bool known = true, perFeature = false;
  auto clip = dyn_cast<onnx::ClipOp>(op);
  for (int64_t i = 0; i != out.size(); ++i) {
    // Operands are as large as the result, one number, or one for each feature.
    std::vector<double> x;
    for (const Tensor *operand : operands) {
      if (!operand) {
        x.push_back(std::numeric_limits<double>::quiet_NaN());
        continue;
      }
      if (operand->size() != out.size() && operand->size() != 1 &&
          (out.shape.empty() || operand->size() != out.shape.back()))
        return std::nullopt;
      perFeature |= operand->size() != 1 && operand->size() != out.size();
      x.push_back(operand->data[i % operand->size()]);
    }
    // Rounding is bounded by what is added up, which may cancel.
    if (magnitudes && perFeature && isa<onnx::AddOp, onnx::SubOp>(op)) {
      out.data[i] = std::fabs(x[0]) + std::fabs(x[1]);
      continue;
    }
    if (!clip) {
      out.data[i] = computeElement(op, x, known);
      continue;
    }
    // A bound that is left out is none, as comparisons with NaN are false.
    double low = x.size() > 1        ? x[1]
                 : clip.getMinAttr() ? clip.getMinAttr().getValueAsDouble()
                                     : -HUGE_VAL;
    double high = x.size() > 2        ? x[2]
                  : clip.getMaxAttr() ? clip.getMaxAttr().getValueAsDouble()
                                      : HUGE_VAL;
    double value = x.front() < low ? low : x.front();
    out.data[i] = value > high ? high : value;
  }
  if (!known)
    return std::nullopt;
  return out;
}

/// Of features, [N, K]: a scale and a shift for each.
std::optional<Tensor> Evaluator::normalize(onnx::BatchNormalizationOp op) {
  SmallVector<const Tensor *> operands;
  for (Value operand : op->getOperands()) {
    operands.push_back(evaluate(operand));
    if (!operands.back())
      return std::nullopt;
  }
  Tensor out = *operands[0];
  if (out.shape.size() != 2 || operands[1]->size() != out.shape[1])
    return std::nullopt;
  double epsilon =
      op.getEpsilonAttr() ? op.getEpsilonAttr().getValueAsDouble() : 1e-5;
  for (int64_t i = 0; i != out.size(); ++i) {
    int64_t k = i % out.shape[1];
    double scale =
        operands[1]->data[k] / std::sqrt(operands[4]->data[k] + epsilon);
    double bias = operands[2]->data[k], mean = operands[3]->data[k];
    // Rounding is bounded by what is added up, which may cancel.
    out.data[i] = magnitudes ? std::fabs(scale * out.data[i]) +
                                   std::fabs(scale * mean) + std::fabs(bias)
                             : scale * (out.data[i] - mean) + bias;
  }
  return out;
}

/// The range of quantised numbers of `value`.
static std::pair<double, double> getRange(Value value) {
  auto type = dyn_cast<TensorType>(value.getType());
  auto integer =
      type ? dyn_cast<IntegerType>(type.getElementType()) : IntegerType();
  if (!integer)
    return {-HUGE_VAL, HUGE_VAL};
  double values = std::ldexp(1.0, integer.getWidth());
  if (integer.isUnsigned())
    return {0, values - 1};
  return {-values / 2, values / 2 - 1};
}

std::optional<Tensor> Evaluator::quantize(Operation *op) {
  const Tensor *in = evaluate(op->getOperand(0));
  const Tensor *scale = evaluate(op->getOperand(1));
  const Tensor *zero = nullptr;
  if (op->getNumOperands() > 2 && !isa<NoneType>(op->getOperand(2).getType())) {
    zero = evaluate(op->getOperand(2));
    if (!zero)
      return std::nullopt;
  }
  if (!in || !scale || scale->size() != 1)
    return std::nullopt;
  Tensor out = *in;
  double s = scale->data.front(), z = zero ? zero->data.front() : 0;
  auto [low, high] = getRange(op->getResult(0));
  for (double &x : out.data)
    x = isa<onnx::DequantizeLinearOp>(op)
            ? (x - z) * s
            : std::clamp(std::nearbyint(x / s) + z, low, high);
  return out;
}

std::optional<Tensor> Evaluator::quantizeDynamically(const Tensor &in,
                                                     unsigned result) {
  double low = 0, high = 0;
  for (double x : in.data) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
  double scale = (high - low) / 255;
  double zero =
      scale ? std::clamp(std::nearbyint(-low / scale), 0.0, 255.0) : 0;
  if (result)
    return Tensor{{}, {result == 1 ? scale : zero}};
  Tensor out = in;
  for (double &x : out.data)
    x = scale ? std::clamp(std::nearbyint(x / scale) + zero, 0.0, 255.0) : zero;
  return out;
}

std::optional<Tensor> Evaluator::applyReduction(onnx::ReductionOpInterface op,
                                                const Tensor &in) {
  std::optional<SmallVector<int64_t>> axes =
      getAxes(op.getAxes(), op.getAxesInput());
  if (!axes || axes->empty())
    return std::nullopt;
  std::optional<Reduction> kind;
  if (isa<onnx::ReduceMeanOp>(op))
    kind = Reduction::Mean;
  else if (isa<onnx::ReduceSumOp>(op))
    kind = Reduction::Sum;
  else if (isa<onnx::ReduceMaxOp>(op))
    kind = Reduction::Max;
  if (!kind)
    return std::nullopt;
  return reduce(in, *axes, op.getKeepdims().value_or(1) != 0, *kind);
}

//===----------------------------------------------------------------------===//
// Dense layers
//===----------------------------------------------------------------------===//

/// Sums over all labels of `equation` that its output does not have.
std::optional<Tensor> Evaluator::contract(Value dataValue, Value weightValue,
                                          StringRef equation, double factor) {
  const Tensor *data = evaluate(dataValue);
  const Tensor *weight = evaluate(weightValue);
  if (!data || !weight)
    return std::nullopt;
  auto [left, output] = equation.split("->");
  auto [dataLabels, weightLabels] = left.split(',');
  if (dataLabels.size() != data->shape.size() ||
      weightLabels.size() != weight->shape.size())
    return std::nullopt;
  // For each label its extent and its strides in both operands and the result.
  struct Loop {
    int64_t extent = 1, data = 0, weight = 0, output = 0;
  };
  std::map<char, Loop> labels;
  auto addOperand = [&](StringRef names, const Tensor &tensor,
                        int64_t Loop::*stride) {
    int64_t step = 1;
    for (size_t axis = names.size(); axis-- > 0;) {
      Loop &loop = labels[names[axis]];
      if (loop.extent != 1 && loop.extent != tensor.shape[axis])
        return false;
      loop.extent = tensor.shape[axis];
      loop.*stride = step;
      step *= tensor.shape[axis];
    }
    return true;
  };
  if (!addOperand(dataLabels, *data, &Loop::data) ||
      !addOperand(weightLabels, *weight, &Loop::weight))
    return std::nullopt;
  Tensor out;
  for (char label : output)
    out.shape.push_back(labels[label].extent);
  int64_t step = 1;
  for (char label : llvm::reverse(output)) {
    labels[label].output = step;
    step *= labels[label].extent;
  }
  out.data.assign(out.size(), 0.0);
  // Labels that are summed over innermost, in the order of the data.
  SmallVector<Loop> loops;
  for (char label : output)
    loops.push_back(labels[label]);
  for (char label : dataLabels)
    if (!output.contains(label))
      loops.push_back(labels[label]);
  std::function<void(size_t, int64_t, int64_t, int64_t)> visit =
      [&](size_t depth, int64_t d, int64_t w, int64_t o) {
        const Loop &loop = loops[depth];
        if (depth + 1 != loops.size()) {
          for (int64_t i = 0; i != loop.extent; ++i)
            visit(depth + 1, d + i * loop.data, w + i * loop.weight,
                  o + i * loop.output);
          return;
        }
        double sum = 0;
        for (int64_t i = 0; i != loop.extent; ++i) {
          double product =
              data->data[d + i * loop.data] * weight->data[w + i * loop.weight];
          sum += magnitudes ? std::fabs(product) : product;
        }
        out.data[o] += sum;
      };
  visit(0, 0, 0, 0);
  for (double &x : out.data)
    x *= magnitudes ? std::fabs(factor) : factor;
  return out;
}

/// A convolution with one window: as a product, in groups of channels.
std::optional<Tensor> Evaluator::convolve(onnx::ConvOp op) {
  const Tensor *data = evaluate(op.getX());
  const Tensor *weight = evaluate(op.getW());
  if (!data || !weight || data->shape.size() != weight->shape.size())
    return std::nullopt;
  int64_t groups = static_cast<int64_t>(op.getGroup().value_or(1));
  int64_t samples = data->shape[0], channels = data->shape[1];
  int64_t outputs = weight->shape[0], own = weight->shape[1];
  int64_t positions = 1;
  for (size_t axis = 2; axis != data->shape.size(); ++axis) {
    if (data->shape[axis] != weight->shape[axis])
      return std::nullopt;
    positions *= data->shape[axis];
  }
  if (groups < 1 || outputs % groups || own * groups != channels)
    return std::nullopt;
  Tensor out;
  out.shape.assign(data->shape.size(), 1);
  out.shape[0] = samples;
  out.shape[1] = outputs;
  for (int64_t n = 0; n != samples; ++n)
    for (int64_t o = 0; o != outputs; ++o) {
      int64_t first = o / (outputs / groups) * own;
      const double *x = &data->data[(n * channels + first) * positions];
      const double *w = &weight->data[o * own * positions];
      double sum = 0;
      for (int64_t i = 0; i != own * positions; ++i)
        sum += magnitudes ? std::fabs(x[i] * w[i]) : x[i] * w[i];
      out.data.push_back(sum);
    }
  return out;
}

std::optional<Tensor> Evaluator::multiplyIntegers(onnx::MatMulIntegerOp op) {
  const Tensor *data = evaluate(op.getA());
  const Tensor *weight = evaluate(op.getB());
  if (!data || !weight || data->shape.size() != 2 ||
      weight->shape.size() != 2 || data->shape[1] != weight->shape[0])
    return std::nullopt;
  double zero = 0;
  std::vector<double> zeros(weight->shape[1], 0.0);
  for (auto [i, operand] : llvm::enumerate(op.getZeroPoints())) {
    if (isa<NoneType>(operand.getType()))
      continue;
    const Tensor *tensor = evaluate(operand);
    if (!tensor || tensor->data.empty())
      return std::nullopt;
    if (i == 0)
      zero = tensor->data.front();
    else
      for (size_t o = 0; o != zeros.size(); ++o)
        zeros[o] = tensor->data[tensor->size() == 1 ? 0 : o];
  }
  int64_t samples = data->shape[0], features = data->shape[1];
  int64_t outputs = weight->shape[1];
  Tensor out{{samples, outputs}, {}};
  for (int64_t n = 0; n != samples; ++n)
    for (int64_t o = 0; o != outputs; ++o) {
      double sum = 0;
      for (int64_t k = 0; k != features; ++k) {
        double product = (data->data[n * features + k] - zero) *
                         (weight->data[k * outputs + o] - zeros[o]);
        sum += magnitudes ? std::fabs(product) : product;
      }
      out.data.push_back(sum);
    }
  return out;
}

std::optional<Tensor> Evaluator::apply(Operation *op, unsigned result) {
  if (auto einsum = dyn_cast<onnx::EinsumOp>(op)) {
    if (einsum.getInputs().size() != 2)
      return std::nullopt;
    std::string equation = einsum.getEquation().str();
    llvm::erase(equation, ' ');
    return contract(einsum.getInputs()[0], einsum.getInputs()[1], equation);
  }
  const Tensor *in = evaluate(op->getOperand(0));
  if (!in)
    return std::nullopt;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case<onnx::IdentityOp, onnx::DropoutOp>([&](Operation *) { return *in; })
      .Case([&](onnx::GlobalAveragePoolOp) {
        SmallVector<int64_t> axes;
        for (int64_t axis = 2; axis < static_cast<int64_t>(in->shape.size());
             ++axis)
          axes.push_back(axis);
        return reduce(*in, axes, /*keep=*/true, Reduction::Mean);
      })
      .Case([&](onnx::ReductionOpInterface op) {
        return applyReduction(op, *in);
      })
      .Case<onnx::QuantizeLinearOp, onnx::DequantizeLinearOp>(
          [&](Operation *op) { return quantize(op); })
      .Case([&](onnx::DynamicQuantizeLinearOp) {
        return quantizeDynamically(*in, result);
      })
      .Case([&](onnx::GemmOp op) {
        bool transposed = op.getTransB().value_or(0) != 0;
        return contract(op.getA(), op.getB(),
                        transposed ? "nk,ok->no" : "nk,ko->no",
                        op.getAlpha() ? op.getAlpha()->convertToDouble() : 1);
      })
      .Case([&](onnx::MatMulOp op) {
        return contract(op.getA(), op.getB(), "nk,ko->no");
      })
      .Case([&](onnx::BatchNormalizationOp op) { return normalize(op); })
      .Case([&](onnx::ConvOp op) { return convolve(op); })
      .Case([&](onnx::MatMulIntegerOp op) { return multiplyIntegers(op); })
      .Default([&](Operation *op) {
        return op->hasTrait<onnx::PerElement>() ? applyPerElement(op)
                                                : applyView(op, *in);
      });
}

const Tensor *Evaluator::evaluate(Value value) {
  if (auto it = known.find(value.getAsOpaquePointer()); it != known.end())
    return &it->second;
  Operation *op = value.getDefiningOp();
  std::optional<Tensor> tensor = readConstant(value);
  if (!tensor && op && op != mapSource && op->getNumOperands())
    tensor = apply(op, cast<OpResult>(value).getResultNumber());
  // A parameter that callers give, or that comes with the map, may be any
  // number.
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if ((!op || op == mapSource) && type && type.hasStaticShape() &&
      type.getNumElements() == 1)
    tensor = Tensor{SmallVector<int64_t>(type.getShape()),
                    {type.getElementType().isInteger() ? 3.0 : 0.75}};
  if (!tensor) {
    if (!error.empty())
      return nullptr;
    auto node = dyn_cast_or_null<onnx::NodeOpInterface>(op);
    return fail("the reference evaluator cannot run '" +
                (node ? node.getDisplayName() : onnx::getValueName(value)) +
                "'");
  }
  return &(known[value.getAsOpaquePointer()] = std::move(*tensor));
}

//===----------------------------------------------------------------------===//
// HeadVerifier
//===----------------------------------------------------------------------===//

llvm::Expected<HeadVerifier> HeadVerifier::create(const Head &head,
                                                  const ModelFacts &facts) {
  HeadVerifier verifier;
  verifier.dense = head.layer.op;
  if ((head.layer.isInteger() || head.shift) && !verifier.dense->use_empty())
    verifier.use = &*verifier.dense->use_begin();
  verifier.map = head.featureMap;
  Type type = head.pooledWeight->type.getElementType();
  if (isa<FloatType>(type))
    verifier.unitRoundoff = getUnitRoundoff(type);

  // Two samples; axes of unknown extent have what the weight leaves.
  int64_t rest = head.numFeatures;
  for (int64_t extent : ArrayRef(head.mapShape).drop_front())
    if (!ShapedType::isDynamic(extent))
      rest /= extent;
  for (auto [axis, extent] : llvm::enumerate(head.mapShape)) {
    if (!ShapedType::isDynamic(extent)) {
      verifier.shape.push_back(extent);
    } else if (axis == 0) {
      verifier.shape.push_back(2);
    } else {
      verifier.shape.push_back(rest);
      rest = 1;
    }
  }

  Tensor blank;
  blank.shape = verifier.shape;
  const int64_t size = blank.size();
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  auto add = [&](llvm::function_ref<double(int64_t)> element) {
    std::vector<double> data(size);
    for (int64_t i = 0; i != size; ++i)
      data[i] = element(i);
    // Where the map is even, all elements are the first.
    SmallVector<int64_t> index(blank.shape.size());
    for (int64_t i = 0; i != size; ++i) {
      int64_t rest = i;
      for (size_t axis = index.size(); axis-- > 0;) {
        index[axis] = rest % blank.shape[axis];
        rest /= blank.shape[axis];
      }
      SmallVector<int64_t> from = index;
      for (int64_t axis : head.evenMapAxes)
        from[axis] = 0;
      for (const Head::EvenPart &part : head.evenMapParts)
        if (index[part.axis] >= part.begin && index[part.axis] < part.end)
          for (int64_t axis : part.axes)
            from[axis] = 0;
      int64_t source = 0;
      for (auto [coordinate, extent] : llvm::zip_equal(from, blank.shape))
        source = source * extent + coordinate;
      data[i] = data[source];
    }
    verifier.maps.push_back(std::move(data));
  };
  auto [low, high] = getRange(head.featureMap);
  if (std::isfinite(low)) {
    // A map of integers has only these.
    std::uniform_int_distribution<int64_t> any(std::max(low, -1e6),
                                               std::min(high, 1e6));
    add([&](int64_t) { return static_cast<double>(any(random)); });
    add([&](int64_t) { return 1.0; });
    add([&](int64_t i) { return i == size / 2 ? 1.0 : 0.0; });
    add([&, low = low, high = high](int64_t i) { return i % 2 ? low : high; });
  } else {
    add([&](int64_t) { return normal(random); });
    add([&](int64_t) { return 1.0; });
    add([&](int64_t i) { return i == size / 2 ? 1.0 : 0.0; });
    add([&](int64_t i) { return (i % 2 ? -1e6 : 1e6) + normal(random); });
  }

  for (std::vector<double> &data : verifier.maps) {
    // Not every function has a finite value everywhere; all have between 1/4
    // and 3/4.
    Evaluator attempt(verifier.map, Tensor{verifier.shape, data}, &facts,
                      false);
    const Tensor *first = attempt.evaluate(verifier.dense->getResult(0));
    if (first &&
        !llvm::all_of(first->data, [](double y) { return std::isfinite(y); })) {
      double largest = 1e-300;
      for (double x : data)
        largest = std::max(largest, std::fabs(x));
      for (double &x : data)
        x = 0.25 + std::fabs(x) / largest / 2;
    }
    for (bool magnitudes : {false, true}) {
      Tensor input{verifier.shape, data};
      Evaluator evaluator(verifier.map, input, &facts, magnitudes);
      const Tensor *answer = evaluator.evaluate(verifier.dense->getResult(0));
      if (!answer)
        return llvm::createStringError(evaluator.error);
      (magnitudes ? verifier.magnitudes : verifier.answers)
          .push_back(answer->data);
    }
  }
  return verifier;
}

llvm::Expected<HeadVerifier::Result> HeadVerifier::compare() const {
  Result result;
  int64_t features = 1;
  for (int64_t extent : ArrayRef(shape).drop_front())
    features *= extent;
  double relative = unitRoundoff + (features + 8) * std::ldexp(1.0, -52);
  for (size_t i = 0; i != maps.size(); ++i) {
    Evaluator evaluator(map, Tensor{shape, maps[i]}, /*facts=*/nullptr,
                        /*magnitudes=*/false);
    const Tensor *answer = evaluator.evaluate(getResult());
    if (!answer)
      return llvm::createStringError(evaluator.error);
    if (answer->data.size() != answers[i].size())
      return llvm::createStringError("the output has another size");
    for (size_t j = 0; j != answers[i].size(); ++j) {
      double difference = std::fabs(answer->data[j] - answers[i][j]);
      double bound = magnitudes[i][j] * relative;
      // Written so that a NaN counts as beyond the bound.
      result.withinBound &= difference <= bound;
      if (!(difference <= result.difference)) {
        result.difference = difference;
        result.bound = bound;
      }
      if (result.difference == 0)
        result.bound = std::max(result.bound, bound);
    }
  }
  return result;
}
