//===- Elementwise.cpp - Lowering of functions per element ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an operator does to one element of each operand is one function here;
// Emitter::createPerElement does the rest: broadcasting, widening, narrowing.
// Comparisons are written such that a NaN goes through, as in numpy.
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"
#include "headopt/Analysis/Lowerable.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace headopt;

namespace {

/// Writes arithmetic on numbers of one type.
class Arithmetic {
public:
  Arithmetic(ImplicitLocOpBuilder &b, bool isUnsigned)
      : b(b), isUnsigned(isUnsigned) {}

  static bool isFloat(Value x) { return isa<FloatType>(x.getType()); }

  /// `value` in the type of `like`.
  Value number(double value, Value like) {
    Type type = like.getType();
    if (isa<FloatType>(type))
      return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
    return arith::ConstantOp::create(
        b, b.getIntegerAttr(type, static_cast<int64_t>(value)));
  }

  Value add(Value x, Value y) {
    return isFloat(x) ? create<arith::AddFOp>(x, y)
                      : create<arith::AddIOp>(x, y);
  }
  Value sub(Value x, Value y) {
    return isFloat(x) ? create<arith::SubFOp>(x, y)
                      : create<arith::SubIOp>(x, y);
  }
  Value mul(Value x, Value y) {
    return isFloat(x) ? create<arith::MulFOp>(x, y)
                      : create<arith::MulIOp>(x, y);
  }
  Value div(Value x, Value y) {
    if (isFloat(x))
      return create<arith::DivFOp>(x, y);
    // What a quotient is that is no number of the type is not defined, but the
    // instruction must not trap: it does for 0, and for -1 of the least number.
    Value one = number(1, y);
    Value divisor = select(equal(y, number(0, y)), one, y);
    if (isUnsigned)
      return create<arith::DivUIOp>(x, divisor);
    Value isNegated = equal(y, number(-1, y));
    return select(isNegated, neg(x),
                  create<arith::DivSIOp>(x, select(isNegated, one, divisor)));
  }
  Value max(Value x, Value y) {
    if (isFloat(x))
      return create<arith::MaximumFOp>(x, y);
    return isUnsigned ? create<arith::MaxUIOp>(x, y)
                      : create<arith::MaxSIOp>(x, y);
  }
  Value min(Value x, Value y) {
    if (isFloat(x))
      return create<arith::MinimumFOp>(x, y);
    return isUnsigned ? create<arith::MinUIOp>(x, y)
                      : create<arith::MinSIOp>(x, y);
  }
  Value neg(Value x) {
    if (isFloat(x))
      return create<arith::NegFOp>(x);
    return sub(number(0, x), x);
  }
  Value abs(Value x) {
    if (isFloat(x))
      return create<math::AbsFOp>(x);
    return isUnsigned ? x : create<math::AbsIOp>(x);
  }
  Value exp(Value x) { return create<math::ExpOp>(x); }

  /// False where an operand is NaN.
  Value greater(Value x, Value y) {
    if (isFloat(x))
      return arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, y);
    return arith::CmpIOp::create(
        b, isUnsigned ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt,
        x, y);
  }
  Value equal(Value x, Value y) {
    if (isFloat(x))
      return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, y);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y);
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
  /// x, or `low` where that is greater; NaN stays NaN. One instruction, which
  /// max is not.
  Value atLeast(Value x, Value low) { return select(greater(low, x), low, x); }
  Value atMost(Value x, Value high) {
    return select(greater(x, high), high, x);
  }

  template <typename OpTy, typename... Operands>
  Value create(Operands... operands) {
    return OpTy::create(b, operands...);
  }

  /// log(1 + exp(x)), for large x too.
  Value softplus(Value x) {
    Value rest = create<math::Log1pOp>(exp(neg(abs(x))));
    return add(atLeast(x, number(0, x)), rest);
  }
  Value sigmoid(Value x) {
    return div(number(1, x), add(number(1, x), exp(neg(x))));
  }
  /// alpha (exp(x / scale) - 1) where x < 0, else x.
  Value elu(Value x, double alpha, double scale) {
    Value scaled = scale == 1 ? x : div(x, number(scale, x));
    Value below = mul(create<math::ExpM1Op>(scaled), number(alpha, x));
    return select(greater(number(0, x), x), below, x);
  }
  Value hardSigmoid(Value x, double alpha, double beta) {
    Value line = add(mul(x, number(alpha, x)), number(beta, x));
    return atMost(atLeast(line, number(0, x)), number(1, x));
  }
  Value cast(Value x, Type to, bool fromUnsigned, bool toUnsigned);
  Value round(Value x) { return create<math::RoundEvenOp>(x); }

  ImplicitLocOpBuilder &b;
  bool isUnsigned;
};

using Function = std::function<Value(Arithmetic &, ValueRange)>;

/// All per-element operators but Clip, whose operands are not all broadcast.
class LowerPerElement : public ConversionPattern {
public:
  LowerPerElement(const TypeConverter &converter, MLIRContext *context,
                  LoweringState &state)
      : ConversionPattern(converter, MatchAnyOpTypeTag(), /*benefit=*/1,
                          context),
        state(state) {}

  LogicalResult
  matchAndRewrite(Operation *op, ArrayRef<Value> operands,
                  ConversionPatternRewriter &rewriter) const override;

private:
  LoweringState &state;
};

class LowerClip : public LowerNode<onnx::ClipOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::ClipOp op, Adaptor operands, Emitter &e) const override;
};

} // namespace

static Type getElementType(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

Value Arithmetic::cast(Value x, Type to, bool fromUnsigned, bool toUnsigned) {
  Type from = x.getType();
  if (from == to)
    return x;
  bool isBool = from.isInteger(1);
  if (isFloat(x)) {
    if (to.isInteger(1))
      return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, x,
                                   number(0, x));
    if (isa<IntegerType>(to))
      return toUnsigned ? create<arith::FPToUIOp>(to, x)
                        : create<arith::FPToSIOp>(to, x);
    return convertFloat(b, x, to);
  }
  if (auto type = dyn_cast<FloatType>(to)) {
    // Half types by way of f32, which holds all of their whole numbers.
    bool half = type.getWidth() < 32;
    Type wide = half ? b.getF32Type() : to;
    Value number = isBool || fromUnsigned ? create<arith::UIToFPOp>(wide, x)
                                          : create<arith::SIToFPOp>(wide, x);
    return half ? create<arith::TruncFOp>(to, number) : number;
  }
  if (to.isInteger(1))
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, x, number(0, x));
  unsigned fromWidth = from.getIntOrFloatBitWidth(),
           toWidth = to.getIntOrFloatBitWidth();
  if (fromWidth == toWidth)
    return x;
  if (fromWidth > toWidth)
    return create<arith::TruncIOp>(to, x);
  return isBool || fromUnsigned ? create<arith::ExtUIOp>(to, x)
                                : create<arith::ExtSIOp>(to, x);
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

static double get(std::optional<APFloat> attr, double otherwise) {
  return attr ? attr->convertToDouble() : otherwise;
}

/// x x x ... for each operand in turn.
template <typename Combine> static Function fold(Combine combine) {
  return [combine](Arithmetic &a, ValueRange x) {
    Value value = x[0];
    for (Value other : x.drop_front())
      value = combine(a, value, other);
    return value;
  };
}

static bool isTwo(Value value) {
  Attribute attr;
  if (!matchPattern(value, m_Constant(&attr)))
    return false;
  if (auto number = dyn_cast<FloatAttr>(attr))
    return number.getValueAsDouble() == 2;
  auto number = dyn_cast<IntegerAttr>(attr);
  return number && number.getValue() == 2;
}

/// A function of floating-point numbers; null for other operators.
static Function getFloatFunction(Operation *op) {
  using A = Arithmetic;
  auto unary = [](auto function) -> Function {
    return [function](A &a, ValueRange x) { return function(a, x[0]); };
  };
  return llvm::TypeSwitch<Operation *, Function>(op)
      .Case([&](onnx::AcosOp) {
        return unary([](A &a, Value x) { return a.create<math::AcosOp>(x); });
      })
      .Case([&](onnx::AsinOp) {
        return unary([](A &a, Value x) { return a.create<math::AsinOp>(x); });
      })
      .Case([&](onnx::AtanOp) {
        return unary([](A &a, Value x) { return a.create<math::AtanOp>(x); });
      })
      .Case([&](onnx::CeilOp) {
        return unary([](A &a, Value x) { return a.create<math::CeilOp>(x); });
      })
      .Case([&](onnx::FloorOp) {
        return unary([](A &a, Value x) { return a.create<math::FloorOp>(x); });
      })
      .Case([&](onnx::RoundOp) {
        return unary([](A &a, Value x) { return a.round(x); });
      })
      .Case([&](onnx::CosOp) {
        return unary([](A &a, Value x) { return a.create<math::CosOp>(x); });
      })
      .Case([&](onnx::SinOp) {
        return unary([](A &a, Value x) { return a.create<math::SinOp>(x); });
      })
      .Case([&](onnx::ErfOp) {
        return unary([](A &a, Value x) { return a.create<math::ErfOp>(x); });
      })
      .Case([&](onnx::ExpOp) {
        return unary([](A &a, Value x) { return a.exp(x); });
      })
      .Case([&](onnx::LogOp) {
        return unary([](A &a, Value x) { return a.create<math::LogOp>(x); });
      })
      .Case([&](onnx::SqrtOp) {
        return unary([](A &a, Value x) { return a.create<math::SqrtOp>(x); });
      })
      .Case([&](onnx::TanhOp) {
        return unary([](A &a, Value x) { return a.create<math::TanhOp>(x); });
      })
      .Case([&](onnx::ReciprocalOp) {
        return unary([](A &a, Value x) { return a.div(a.number(1, x), x); });
      })
      .Case([&](onnx::SigmoidOp) {
        return unary([](A &a, Value x) { return a.sigmoid(x); });
      })
      .Case([&](onnx::SoftplusOp) {
        return unary([](A &a, Value x) { return a.softplus(x); });
      })
      .Case([&](onnx::MishOp) {
        return unary([](A &a, Value x) {
          return a.mul(x, a.create<math::TanhOp>(a.softplus(x)));
        });
      })
      .Case([&](onnx::SoftsignOp) {
        return unary([](A &a, Value x) {
          return a.div(x, a.add(a.number(1, x), a.abs(x)));
        });
      })
      .Case([&](onnx::SwishOp op) {
        double alpha = get(op.getAlpha(), 1);
        return unary([alpha](A &a, Value x) {
          Value scaled = alpha == 1 ? x : a.mul(x, a.number(alpha, x));
          return a.mul(x, a.sigmoid(scaled));
        });
      })
      .Case([&](onnx::EluOp op) {
        double alpha = get(op.getAlpha(), 1);
        return unary([alpha](A &a, Value x) { return a.elu(x, alpha, 1); });
      })
      .Case([&](onnx::CeluOp op) {
        double alpha = get(op.getAlpha(), 1);
        return unary([alpha](A &a, Value x) { return a.elu(x, alpha, alpha); });
      })
      .Case([&](onnx::SeluOp op) {
        bool old = onnx::getOpsetVersion(op).value_or(6) < 6;
        double alpha = get(op.getAlpha(), old ? static_cast<double>(1.6732F)
                                              : 1.67326319217681884765625);
        double gamma = get(op.getGamma(), old ? static_cast<double>(1.0507F)
                                              : 1.05070102214813232421875);
        return unary([=](A &a, Value x) {
          return a.mul(a.elu(x, alpha, 1), a.number(gamma, x));
        });
      })
      .Case([&](onnx::GeluOp op) -> Function {
        StringRef mode = op.getApproximate().value_or("none");
        if (mode != "none" && mode != "tanh")
          return nullptr;
        bool isTanh = mode == "tanh";
        return unary([isTanh](A &a, Value x) {
          Value inner;
          if (isTanh) {
            Value cube = a.mul(a.mul(x, x), x);
            Value sum = a.add(x, a.mul(cube, a.number(0.044715, x)));
            // sqrt(2 / pi)
            inner = a.create<math::TanhOp>(
                a.mul(sum, a.number(0.79788456080286535588, x)));
          } else {
            // 1 / sqrt(2)
            inner = a.create<math::ErfOp>(
                a.mul(x, a.number(0.70710678118654752440, x)));
          }
          Value half = a.mul(x, a.number(0.5, x));
          return a.mul(half, a.add(a.number(1, x), inner));
        });
      })
      .Case([&](onnx::HardSigmoidOp op) {
        double alpha = get(op.getAlpha(), static_cast<double>(0.2F));
        double beta = get(op.getBeta(), 0.5);
        return unary(
            [=](A &a, Value x) { return a.hardSigmoid(x, alpha, beta); });
      })
      .Case([&](onnx::HardSwishOp) {
        return unary([](A &a, Value x) {
          return a.mul(x, a.hardSigmoid(x, 1.0 / 6, 0.5));
        });
      })
      .Case([&](onnx::LeakyReluOp op) {
        double alpha = get(op.getAlpha(), static_cast<double>(0.01F));
        return unary([alpha](A &a, Value x) {
          return a.select(a.greater(a.number(0, x), x),
                          a.mul(x, a.number(alpha, x)), x);
        });
      })
      .Case([&](onnx::ThresholdedReluOp op) {
        double alpha = get(op.getAlpha(), 1);
        return unary([alpha](A &a, Value x) {
          return a.select(a.greater(x, a.number(alpha, x)), x, a.number(0, x));
        });
      })
      .Case([&](onnx::MeanOp op) -> Function {
        double count = static_cast<double>(op.getInputs().size());
        Function sum = fold([](A &a, Value x, Value y) { return a.add(x, y); });
        return [=](A &a, ValueRange x) {
          Value total = sum(a, x);
          return a.div(total, a.number(count, total));
        };
      })
      .Case([&](onnx::PowOp op) -> Function {
        bool isUnsigned = getElementType(op.getB()).isUnsignedInteger();
        return [isUnsigned](A &a, ValueRange x) -> Value {
          if (isTwo(x[1]))
            return a.mul(x[0], x[0]);
          Value exponent = a.cast(x[1], x[0].getType(), isUnsigned,
                                  /*toUnsigned=*/false);
          return a.create<math::PowFOp>(x[0], exponent);
        };
      })
      .Default([](Operation *) { return nullptr; });
}

/// A function of numbers of any type; null for other operators.
static Function getFunction(Operation *op) {
  using A = Arithmetic;
  return llvm::TypeSwitch<Operation *, Function>(op)
      .Case<onnx::AddOp, onnx::SumOp>([](Operation *) {
        return fold([](A &a, Value x, Value y) { return a.add(x, y); });
      })
      .Case([](onnx::SubOp) {
        return fold([](A &a, Value x, Value y) { return a.sub(x, y); });
      })
      .Case([](onnx::MulOp) {
        return fold([](A &a, Value x, Value y) { return a.mul(x, y); });
      })
      .Case([](onnx::DivOp) {
        return fold([](A &a, Value x, Value y) { return a.div(x, y); });
      })
      .Case([](onnx::MaxOp) {
        return fold([](A &a, Value x, Value y) { return a.max(x, y); });
      })
      .Case([](onnx::MinOp) {
        return fold([](A &a, Value x, Value y) { return a.min(x, y); });
      })
      .Case([](onnx::EqualOp) {
        return fold([](A &a, Value x, Value y) { return a.equal(x, y); });
      })
      .Case([](onnx::GreaterOp) {
        return fold([](A &a, Value x, Value y) { return a.greater(x, y); });
      })
      .Case([](onnx::LessOp) {
        return fold([](A &a, Value x, Value y) { return a.greater(y, x); });
      })
      .Case([](onnx::PReluOp) {
        return fold([](A &a, Value x, Value slope) {
          return a.select(a.greater(a.number(0, x), x), a.mul(x, slope), x);
        });
      })
      .Case([](onnx::WhereOp) -> Function {
        return [](A &a, ValueRange x) { return a.select(x[0], x[1], x[2]); };
      })
      .Case([](onnx::AbsOp) -> Function {
        return [](A &a, ValueRange x) { return a.abs(x[0]); };
      })
      .Case([](onnx::NegOp) -> Function {
        return [](A &a, ValueRange x) { return a.neg(x[0]); };
      })
      .Case([](onnx::ReluOp) -> Function {
        return [](A &a, ValueRange x) {
          return a.isUnsigned ? x[0] : a.atLeast(x[0], a.number(0, x[0]));
        };
      })
      .Case([](onnx::SignOp) -> Function {
        return [](A &a, ValueRange x) {
          Value zero = a.number(0, x[0]), one = a.number(1, x[0]);
          Value sign = a.select(a.greater(x[0], zero), one, x[0]);
          if (a.isUnsigned)
            return sign;
          return a.select(a.greater(zero, x[0]), a.number(-1, x[0]), sign);
        };
      })
      .Default([](Operation *) { return nullptr; });
}

/// The axes of the first operand to which those of the second belong before
/// opset 7; nullopt when the two do not fit.
static std::optional<SmallVector<int64_t>>
getOldAxes(Operation *op, const Tensor &a, const Tensor &b) {
  auto number = [&](StringRef name) {
    return op->getAttrOfType<IntegerAttr>(name);
  };
  bool broadcasts = number("broadcast") && number("broadcast").getInt() != 0;
  int64_t first = a.getRank() - b.getRank();
  if (broadcasts && number("axis")) {
    first = number("axis").getInt();
    first += first < 0 ? a.getRank() : 0;
  }
  if (first < 0 || first + b.getRank() > a.getRank() ||
      (!broadcasts && first != 0))
    return std::nullopt;
  return llvm::to_vector(llvm::seq(first, first + b.getRank()));
}

LogicalResult
LowerPerElement::matchAndRewrite(Operation *op, ArrayRef<Value> operands,
                                 ConversionPatternRewriter &rewriter) const {
  if (!op->hasTrait<onnx::PerElement>() || isa<onnx::ClipOp>(op))
    return failure();
  Emitter e(rewriter, state, op);
  auto refuse = [&](const Twine &why) {
    e.refuse(why);
    return rewriter.notifyMatchFailure(op, why);
  };

  SmallVector<ElementOperand> tensors;
  for (auto [original, value] : llvm::zip_equal(op->getOperands(), operands)) {
    if (!value || isa<NoneType>(value.getType()))
      return refuse("an operand of it is left out");
    tensors.push_back(e.getTensor(original, value));
  }
  std::optional<int64_t> opset = onnx::getOpsetVersion(op);
  bool old = opset && *opset < 7;
  if (isa<onnx::PReluOp>(op) && old)
    return refuse("its slopes are of channels in opsets before 7; convert the "
                  "model to opset 7 or later");
  if (op->hasAttr("axis") || op->hasAttr("broadcast") ||
      (old &&
       isa<onnx::AddOp, onnx::SubOp, onnx::MulOp, onnx::DivOp, onnx::PowOp,
           onnx::EqualOp, onnx::GreaterOp, onnx::LessOp>(op))) {
    std::optional<SmallVector<int64_t>> axes =
        getOldAxes(op, tensors[0].tensor, tensors[1].tensor);
    if (!axes)
      return refuse("its operands do not fit each other");
    tensors[1].axes = std::move(axes);
  }

  Type result = getElementType(op->getResult(0));
  Type number = getElementType(op->getOperand(isa<onnx::WhereOp>(op) ? 1 : 0));
  bool isUnsigned = number.isUnsignedInteger() || number.isInteger(1);
  Function function;
  if (auto cast = dyn_cast<onnx::CastOp>(op)) {
    // Only conversions to 8-bit floats saturate or have a rounding mode.
    Type to =
        typeConverter->convertType<RankedTensorType>(op->getResult(0).getType())
            .getElementType();
    function = [=](Arithmetic &a, ValueRange x) {
      return a.cast(x[0], to, isUnsigned, result.isUnsignedInteger());
    };
  } else {
    function = getFunction(op);
    if (!function) {
      function = getFloatFunction(op);
      if (function && !isa<FloatType>(number))
        return refuse("it is of integers");
    }
    if (!function && isa<onnx::GeluOp>(op))
      return refuse("its approximation has no lowering");
    if (auto pow = dyn_cast<onnx::PowOp>(op);
        pow && !hasLowerableExponent(pow, e.getFacts()))
      return refuse(
          "its exponents have another type than its input; cast them");
  }
  if (!function)
    return failure();
  Type element =
      typeConverter->convertType<RankedTensorType>(op->getResult(0).getType())
          .getElementType();
  Tensor lowered = e.createPerElement(
      tensors, element, [&](ImplicitLocOpBuilder &b, ValueRange elements) {
        Arithmetic arithmetic(b, isUnsigned);
        return function(arithmetic, elements);
      });
  return replaceNode(op, lowered, *typeConverter, state, rewriter);
}

/// min(max(x, low), high). A bound that is left out is the type's own, so that
/// infinities go.
Tensor LowerClip::lower(onnx::ClipOp op, Adaptor operands, Emitter &e) const {
  Tensor x = e.getTensor(op.getInput(), operands.getInput());
  Type element = getElementType(op.getInput());
  bool isUnsigned = element.isUnsignedInteger();
  std::optional<int64_t> opset = onnx::getOpsetVersion(op);
  bool old = opset && *opset < 11;

  SmallVector<ElementOperand> tensors = {x};
  std::array<std::optional<unsigned>, 2> inputs;
  std::array<std::optional<double>, 2> numbers;
  if (op.getMin() || old)
    numbers[0] = get(op.getMin(), std::numeric_limits<float>::lowest());
  if (op.getMax() || old)
    numbers[1] = get(op.getMax(), std::numeric_limits<float>::max());
  for (auto [i, bound] : llvm::enumerate(op.getBounds())) {
    if (i >= 2 || isa<NoneType>(bound.getType()))
      continue;
    Tensor tensor = e.getTensor(bound, operands.getBounds()[i]);
    if (!e.getFacts().isScalar(bound) ||
        tensor.getElementType() != x.getElementType())
      return e.refuse("its bounds are no single numbers of its type");
    inputs[i] = tensors.size();
    tensors.push_back(e.createReshape(tensor, {}));
  }
  if (!isa<FloatType>(element) && (numbers[0] || numbers[1]))
    return e.refuse("it is of integers, with bounds that are none");

  return e.createPerElement(
      tensors, x.getElementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange elements) {
        Arithmetic a(b, isUnsigned);
        Value value = elements[0];
        for (int i : {0, 1}) {
          Value bound;
          if (inputs[i]) {
            bound = elements[*inputs[i]];
          } else if (numbers[i]) {
            bound = a.number(*numbers[i], value);
          } else if (auto type = dyn_cast<FloatType>(element)) {
            APFloat largest = APFloat::getLargest(type.getFloatSemantics(),
                                                  /*Negative=*/i == 0);
            bound = a.number(largest.convertToDouble(), value);
          } else {
            continue;
          }
          value = i == 0 ? a.atLeast(value, bound) : a.atMost(value, bound);
        }
        return value;
      });
}

void headopt::populateElementwisePatterns(RewritePatternSet &patterns,
                                          const TypeConverter &converter,
                                          LoweringState &state) {
  patterns.add<LowerPerElement, LowerClip>(converter, patterns.getContext(),
                                           state);
}
