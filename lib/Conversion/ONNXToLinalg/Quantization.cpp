//===- Quantization.cpp - Lowering of Quantize- and DequantizeLinear ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace headopt;

static Type getElementType(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

/// Adds the scale or zero point `tensor` to `operands`, of which the first is
/// the data of `op`: one number, or one for each slice along its axis. When it
/// is neither, false, and the reason in `whyNot`.
static bool addParameter(Emitter &e, Operation *op, Tensor tensor,
                         SmallVectorImpl<ElementOperand> &operands,
                         std::string &whyNot) {
  const Tensor &data = operands.front().tensor;
  auto number = [&](StringRef name, int64_t otherwise) {
    auto attr = op->getAttrOfType<IntegerAttr>(name);
    return attr ? attr.getInt() : otherwise;
  };
  if (number("block_size", 0) != 0) {
    whyNot = "it quantises in blocks";
    return false;
  }
  if (llvm::all_of(tensor.shape,
                   [](const Extent &extent) { return extent.isNumber(1); })) {
    operands.push_back(e.createReshape(tensor, {}));
    return true;
  }
  int64_t axis = number("axis", 1);
  axis += axis < 0 ? data.getRank() : 0;
  if (tensor.getRank() != 1 || axis < 0 || axis >= data.getRank() ||
      data.shape[axis] != tensor.shape[0]) {
    whyNot = "its scales or zero points do not fit its axis";
    return false;
  }
  operands.push_back({std::move(tensor), axis});
  return true;
}

/// Integers of at most 16 bits as i32, of more as i64.
static Value widenInteger(ImplicitLocOpBuilder &b, Value value,
                          bool isUnsigned) {
  unsigned width = value.getType().getIntOrFloatBitWidth();
  Type wide = b.getIntegerType(width <= 16 ? 32 : 64);
  if (value.getType() == wide)
    return value;
  if (isUnsigned)
    return arith::ExtUIOp::create(b, wide, value);
  return arith::ExtSIOp::create(b, wide, value);
}

namespace {

class LowerDequantizeLinear : public LowerNode<onnx::DequantizeLinearOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::DequantizeLinearOp op, Adaptor operands,
               Emitter &e) const override {
    Tensor x = e.getTensor(op.getX(), operands.getX());
    Type from = getElementType(op.getX());
    Type element = getElementType(op.getY());
    Tensor scale = e.getTensor(op.getXScale(), operands.getXScale());
    if (!isa<IntegerType>(from) || !isa<FloatType>(element) ||
        !isa<FloatType>(scale.getElementType()))
      return e.refuse("its types are not lowered");
    Value zero = onnx::presentOrNull(op.getXZeroPoint());
    if (zero && getElementType(zero) != from)
      return e.refuse("its zero point has another type than its input");
    std::string whyNot;
    SmallVector<ElementOperand> tensors = {x};
    if (!addParameter(e, op, scale, tensors, whyNot) ||
        (zero &&
         !addParameter(e, op, e.getTensor(zero, operands.getXZeroPoint()),
                       tensors, whyNot)))
      return e.refuse(whyNot);
    bool isUnsigned = from.isUnsignedInteger();
    Type type = e.getComputeType(element);
    return e.createPerElement(
        tensors, element, [&](ImplicitLocOpBuilder &b, ValueRange elements) {
          Value number = widenInteger(b, elements[0], isUnsigned);
          if (elements.size() == 3)
            number = arith::SubIOp::create(
                b, number, widenInteger(b, elements[2], isUnsigned));
          Value value = arith::SIToFPOp::create(b, type, number);
          Value factor = elements[1];
          if (factor.getType() != type)
            factor = arith::ExtFOp::create(b, type, factor);
          return arith::MulFOp::create(b, value, factor);
        });
  }
};

/// round(x / scale) + zero point, to nearest with ties to even, held in the
/// type's range.
class LowerQuantizeLinear : public LowerNode<onnx::QuantizeLinearOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::QuantizeLinearOp op, Adaptor operands,
               Emitter &e) const override {
    Tensor x = e.getTensor(op.getX(), operands.getX());
    auto to = dyn_cast<IntegerType>(getElementType(op.getY()));
    Tensor scale = e.getTensor(op.getYScale(), operands.getYScale());
    if (!to || to.getWidth() > 16 || to.getWidth() < 8)
      return e.refuse("it quantises to a type that is not lowered");
    // Whether a quotient of halves is rounded to 16 bits differs between
    // opsets.
    Type type = x.getElementType();
    if (!type.isF32() || scale.getElementType() != type ||
        op.getPrecision().value_or(0) != 0)
      return e.refuse("its types are not lowered");
    Value zero = onnx::presentOrNull(op.getYZeroPoint());
    if (zero && getElementType(zero) != to)
      return e.refuse("its zero point has another type than its result");
    std::string whyNot;
    SmallVector<ElementOperand> tensors = {x};
    if (!addParameter(e, op, scale, tensors, whyNot) ||
        (zero &&
         !addParameter(e, op, e.getTensor(zero, operands.getYZeroPoint()),
                       tensors, whyNot)))
      return e.refuse(whyNot);
    bool isUnsigned = to.isUnsigned();
    unsigned width = to.getWidth();
    double low = isUnsigned ? 0 : -std::ldexp(1.0, width - 1);
    double high = std::ldexp(1.0, isUnsigned ? width : width - 1) - 1;
    return e.createPerElement(
        tensors, IntegerType::get(op.getContext(), width),
        [&](ImplicitLocOpBuilder &b, ValueRange elements) {
          Value value = arith::DivFOp::create(b, elements[0], elements[1]);
          value = math::RoundEvenOp::create(b, value);
          // Whole numbers that are exact in f32 as long as they are in range.
          if (elements.size() == 3) {
            Value zero = widenInteger(b, elements[2], isUnsigned);
            value = arith::AddFOp::create(
                b, value, arith::SIToFPOp::create(b, type, zero));
          }
          auto number = [&](double bound) -> Value {
            return arith::ConstantOp::create(b, b.getFloatAttr(type, bound));
          };
          auto hold = [&](arith::CmpFPredicate predicate, double bound) {
            Value inside =
                arith::CmpFOp::create(b, predicate, value, number(bound));
            value = arith::SelectOp::create(b, inside, value, number(bound));
          };
          // What a NaN becomes is not defined, but it must become something.
          hold(arith::CmpFPredicate::OGT, low);
          hold(arith::CmpFPredicate::OLT, high);
          Value whole = arith::FPToSIOp::create(b, b.getI32Type(), value);
          return arith::TruncIOp::create(b, b.getIntegerType(width), whole);
        });
  }
};

} // namespace

void headopt::populateQuantizationPatterns(RewritePatternSet &patterns,
                                           const TypeConverter &converter,
                                           LoweringState &state) {
  patterns.add<LowerDequantizeLinear, LowerQuantizeLinear>(
      converter, patterns.getContext(), state);
}
