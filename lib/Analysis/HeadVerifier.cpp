//===- HeadVerifier.cpp - A head before and after, in numbers -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/HeadVerifier.h"
#include "headopt/Analysis/ConstantReader.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <map>
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
  /// With `absolute`, every element is replaced by its magnitude, so that a
  /// dense layer gives sum |W| |f|.
  Evaluator(Value map, Tensor input, bool absolute) : absolute(absolute) {
    if (absolute)
      for (double &x : input.data)
        x = std::fabs(x);
    known[map.getAsOpaquePointer()] = std::move(input);
  }

  const Tensor *evaluate(Value value);
  std::string error;

private:
  std::optional<Tensor> apply(Operation *op);
  std::optional<Tensor> readConstant(Value value);
  const Tensor *fail(const llvm::Twine &message) {
    error = message.str();
    return nullptr;
  }

  bool absolute;
  /// Node-based: evaluate() hands out pointers while it adds.
  std::map<void *, Tensor> known;
};

} // namespace

std::optional<Tensor> Evaluator::readConstant(Value value) {
  std::string whyNot;
  std::optional<Constant> constant = getConstant(value, whyNot);
  if (!constant || !isa<FloatType>(constant->type.getElementType()))
    return std::nullopt;
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
    for (uint64_t i = 0; i != count; ++i) {
      double x = decodeFloat(type, piece.data() + i * width);
      tensor.data.push_back(absolute ? std::fabs(x) : x);
    }
  }
  return tensor;
}

/// The mean over `axes`, which keep extent 1 or go.
static Tensor reduceMean(const Tensor &in, ArrayRef<int64_t> axes, bool keep) {
  Tensor out;
  SmallVector<bool> reduced(in.shape.size(), false);
  int64_t positions = 1;
  for (int64_t axis : axes) {
    if (axis < 0)
      axis += in.shape.size();
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
  out.data.assign(out.size(), 0.0);
  for (int64_t i = 0; i != in.size(); ++i) {
    int64_t rest = i, place = 0, stride = 1;
    for (int64_t axis = in.shape.size(); axis-- > 0;) {
      int64_t coordinate = rest % in.shape[axis];
      rest /= in.shape[axis];
      if (!reduced[axis])
        place += coordinate * stride;
      stride *= kept[axis];
    }
    out.data[place] += in.data[i];
  }
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

/// A * B with the given transposition of B, times alpha.
static std::optional<Tensor> multiply(const Tensor &a, const Tensor &b,
                                      bool transposed, double alpha) {
  if (a.shape.size() != 2 || b.shape.size() != 2)
    return std::nullopt;
  int64_t n = a.shape[0], k = a.shape[1];
  int64_t o = b.shape[transposed ? 0 : 1];
  if (b.shape[transposed ? 1 : 0] != k)
    return std::nullopt;
  Tensor out;
  out.shape = {n, o};
  out.data.assign(n * o, 0.0);
  for (int64_t i = 0; i != n; ++i)
    for (int64_t j = 0; j != o; ++j) {
      double sum = 0;
      for (int64_t l = 0; l != k; ++l)
        sum += a.data[i * k + l] * b.data[transposed ? j * k + l : l * o + j];
      out.data[i * o + j] = alpha * sum;
    }
  return out;
}

std::optional<Tensor> Evaluator::apply(Operation *op) {
  const Tensor *in = evaluate(op->getOperand(0));
  if (!in)
    return std::nullopt;
  Tensor out = *in;
  int64_t rank = out.shape.size();
  auto constantAxes = [](std::optional<ArrayRef<int64_t>> attr,
                         Value input) -> std::optional<SmallVector<int64_t>> {
    if (attr)
      return SmallVector<int64_t>(*attr);
    if (input && !isa<NoneType>(input.getType()))
      return getConstantInts(input);
    return std::nullopt;
  };
  return llvm::TypeSwitch<Operation *, std::optional<Tensor>>(op)
      .Case<onnx::IdentityOp, onnx::DropoutOp, onnx::CastOp>(
          [&](Operation *) { return out; })
      .Case([&](onnx::ReluOp) {
        for (double &x : out.data)
          x = std::max(x, 0.0);
        return out;
      })
      .Case([&](onnx::FlattenOp flatten) {
        int64_t axis = flatten.getAxis().value_or(1);
        axis += axis < 0 ? rank : 0;
        int64_t rows = 1;
        for (int64_t i = 0; i != axis; ++i)
          rows *= in->shape[i];
        out.shape = {rows, in->size() / rows};
        return out;
      })
      .Case([&](onnx::TransposeOp op) {
        SmallVector<int64_t> perm;
        for (int64_t i = rank; i-- > 0;)
          perm.push_back(i);
        if (op.getPerm())
          perm.assign(op.getPerm()->begin(), op.getPerm()->end());
        return transpose(*in, perm);
      })
      .Case([&](onnx::SqueezeOp op) {
        std::optional<SmallVector<int64_t>> axes =
            constantAxes(op.getAxes(), op.getAxesInput());
        out.shape.clear();
        for (int64_t i = 0; i != rank; ++i)
          if (axes ? !llvm::is_contained(*axes, i) &&
                         !llvm::is_contained(*axes, i - rank)
                   : in->shape[i] != 1)
            out.shape.push_back(in->shape[i]);
        return out;
      })
      .Case([&](onnx::UnsqueezeOp op) -> std::optional<Tensor> {
        std::optional<SmallVector<int64_t>> axes =
            constantAxes(op.getAxes(), op.getAxesInput());
        if (!axes)
          return std::nullopt;
        int64_t result = rank + axes->size();
        out.shape.clear();
        for (int64_t i = 0, next = 0; i != result; ++i)
          out.shape.push_back(llvm::is_contained(*axes, i) ||
                                      llvm::is_contained(*axes, i - result)
                                  ? 1
                                  : in->shape[next++]);
        return out;
      })
      .Case([&](onnx::ReshapeOp op) -> std::optional<Tensor> {
        std::optional<SmallVector<int64_t>> target =
            getConstantInts(op.getShape());
        auto type = dyn_cast<RankedTensorType>(op.getReshaped().getType());
        bool copyZero = op.getAllowzero().value_or(0) == 0;
        if (!target) {
          // A computed target: what is known of the result, one extent open.
          if (!type)
            return std::nullopt;
          target.emplace(type.getShape());
          for (int64_t &extent : *target)
            extent = ShapedType::isDynamic(extent) ? -1 : extent;
          copyZero = false;
        }
        int64_t product = 1, open = -1;
        for (auto [i, extent] : llvm::enumerate(*target)) {
          if (extent == 0 && copyZero)
            extent = in->shape[i];
          if (extent != -1)
            product *= extent;
          else if (open >= 0)
            return std::nullopt;
          else
            open = i;
        }
        if (open >= 0 && product)
          (*target)[open] = in->size() / product;
        out.shape.assign(target->begin(), target->end());
        if (out.size() != in->size())
          return std::nullopt;
        return out;
      })
      .Case([&](onnx::GlobalAveragePoolOp) {
        SmallVector<int64_t> axes;
        for (int64_t axis = 2; axis < rank; ++axis)
          axes.push_back(axis);
        return reduceMean(*in, axes, /*keep=*/true);
      })
      .Case([&](onnx::ReduceMeanOp op) -> std::optional<Tensor> {
        std::optional<SmallVector<int64_t>> axes =
            constantAxes(op.getAxes(), op.getAxesInput());
        if (!axes)
          return std::nullopt;
        return reduceMean(*in, *axes, op.getKeepdims().value_or(1) != 0);
      })
      .Case([&](onnx::GemmOp op) -> std::optional<Tensor> {
        Tensor data = *in;
        const Tensor *weight = evaluate(op.getB());
        double alpha = op.getAlpha() ? op.getAlpha()->convertToFloat() : 1.0;
        if (!weight)
          return std::nullopt;
        return multiply(data, *weight, op.getTransB().value_or(0) != 0,
                        absolute ? std::fabs(alpha) : alpha);
      })
      .Case([&](onnx::MatMulOp op) -> std::optional<Tensor> {
        Tensor data = *in;
        const Tensor *weight = evaluate(op.getB());
        if (!weight)
          return std::nullopt;
        return multiply(data, *weight, false, 1.0);
      })
      .Default([](Operation *) { return std::nullopt; });
}

const Tensor *Evaluator::evaluate(Value value) {
  if (auto it = known.find(value.getAsOpaquePointer()); it != known.end())
    return &it->second;
  std::optional<Tensor> tensor = readConstant(value);
  Operation *op = value.getDefiningOp();
  if (!tensor && op && op->getNumOperands())
    tensor = apply(op);
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

llvm::Expected<HeadVerifier> HeadVerifier::create(const Head &head) {
  HeadVerifier verifier;
  verifier.dense = head.layer.op;
  verifier.map = head.featureMap;
  Type type = head.pooledWeight->type.getElementType();
  const llvm::fltSemantics &semantics =
      cast<FloatType>(type).getFloatSemantics();
  verifier.unitRoundoff = std::ldexp(
      1.0, -static_cast<int>(APFloat::semanticsPrecision(semantics)));

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
    verifier.maps.push_back(std::move(data));
  };
  add([&](int64_t) { return normal(random); });
  add([&](int64_t) { return 1.0; });
  add([&](int64_t i) { return i == size / 2 ? 1.0 : 0.0; });
  add([&](int64_t i) { return (i % 2 ? -1e6 : 1e6) + normal(random); });

  for (const std::vector<double> &data : verifier.maps)
    for (bool absolute : {false, true}) {
      Tensor input{verifier.shape, data};
      Evaluator evaluator(verifier.map, input, absolute);
      const Tensor *answer = evaluator.evaluate(verifier.dense->getResult(0));
      if (!answer)
        return llvm::createStringError(evaluator.error);
      (absolute ? verifier.magnitudes : verifier.answers)
          .push_back(answer->data);
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
    Evaluator evaluator(map, Tensor{shape, maps[i]}, /*absolute=*/false);
    const Tensor *answer = evaluator.evaluate(dense->getResult(0));
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
