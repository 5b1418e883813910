//===- Normalization.cpp - Lowering of Softmax and normalisations ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"
#include "headopt/Analysis/Lowerable.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace headopt;

namespace {

/// exp(x - max) / sum, or x - max - log(sum); the maximum keeps exp in range.
template <typename OpTy> class LowerSoftmax : public LowerNode<OpTy> {
  using LowerNode<OpTy>::LowerNode;
  Tensor lower(OpTy op, typename OpTy::Adaptor operands,
               Emitter &e) const override {
    Tensor x = e.getTensor(op.getInput(), operands.getInput());
    Type element = x.getElementType();
    if (!isa<FloatType>(element))
      return e.refuse("it is of integers");
    std::optional<int64_t> opset = onnx::getOpsetVersion(op);
    bool old = opset && *opset < 13;
    int64_t rank = x.getRank();
    int64_t axis = op.getAxisAttr() ? op.getAxisAttr().getInt() : old ? 1 : -1;
    axis += axis < 0 ? rank : 0;
    // Before opset 13 all axes from `axis` on are one, and there may be none.
    if (axis < 0 || axis > rank || (axis == rank && !old))
      return e.refuse("its axis is none of its input");
    SmallVector<int64_t> axes =
        llvm::to_vector(llvm::seq(axis, old ? rank : axis + 1));
    // Reduced values are broadcast along the axes that they lack.
    SmallVector<int64_t> kept;
    for (int64_t i = 0; i != rank; ++i)
      if (!llvm::is_contained(axes, i))
        kept.push_back(i);
    auto keep = [&](const Tensor &reduced) {
      return ElementOperand(reduced, kept);
    };
    auto subtract = [](ImplicitLocOpBuilder &b, Value number,
                       Value max) -> Value {
      return arith::SubFOp::create(b, number, max);
    };
    Type type = e.getComputeType(element);
    ElementOperand max =
        keep(e.createReduction(x, axes, Emitter::Combine::Max));
    Tensor exps = e.createPerElement(
        {x, max}, type, [&](ImplicitLocOpBuilder &b, ValueRange elements) {
          return math::ExpOp::create(b, subtract(b, elements[0], elements[1]));
        });
    if (!exps)
      return {};
    Tensor sum = e.createReduction(exps, axes, Emitter::Combine::Sum);
    if (isa<onnx::SoftmaxOp>(op))
      return e.createPerElement(
          {exps, keep(sum)}, element,
          [&](ImplicitLocOpBuilder &b, ValueRange elements) {
            return arith::DivFOp::create(b, elements[0], elements[1]);
          });
    Tensor log = e.createPerElement(
        {sum}, type, [](ImplicitLocOpBuilder &b, ValueRange elements) {
          return math::LogOp::create(b, elements[0]);
        });
    return e.createPerElement(
        {x, max, keep(log)}, element,
        [&](ImplicitLocOpBuilder &b, ValueRange elements) {
          return subtract(b, subtract(b, elements[0], elements[1]),
                          elements[2]);
        });
  }
};

/// Over the axes from `axis` on; computed in f32 for 16-bit types, as
/// `stash_type` asks for by default.
class LowerLayerNormalization : public LowerNode<onnx::LayerNormalizationOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::LayerNormalizationOp op, Adaptor operands,
               Emitter &e) const override {
    Tensor x = e.getTensor(op.getX(), operands.getX());
    Type element = x.getElementType(), type = e.getComputeType(element);
    int64_t rank = x.getRank();
    int64_t axis = op.getAxisAttr() ? op.getAxisAttr().getInt() : -1;
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank || !isa<FloatType>(element))
      return e.refuse("its axis is none of its input");
    if (op.getStashType().value_or(1) != 1)
      return e.refuse("its statistics have another type than f32");
    SmallVector<int64_t> axes = llvm::to_vector(llvm::seq(axis, rank));
    SmallVector<int64_t> kept = llvm::to_vector(llvm::seq<int64_t>(0, axis));
    Tensor mean = e.createMean(x, axes, type);
    if (!mean)
      return {};
    auto centre = [](ImplicitLocOpBuilder &b, ValueRange elements) -> Value {
      return arith::SubFOp::create(b, elements[0], elements[1]);
    };
    Tensor squares =
        e.createPerElement({x, ElementOperand(mean, kept)}, type,
                           [&](ImplicitLocOpBuilder &b, ValueRange elements) {
                             Value centred = centre(b, elements);
                             return arith::MulFOp::create(b, centred, centred);
                           });
    if (!squares)
      return {};
    double epsilon = op.getEpsilon() ? op.getEpsilon()->convertToDouble()
                                     : static_cast<double>(1e-5F);
    Tensor deviation = e.createPerElement(
        {e.createMean(squares, axes, type)}, type,
        [&](ImplicitLocOpBuilder &b, ValueRange elements) {
          Value small =
              arith::ConstantOp::create(b, b.getFloatAttr(type, epsilon));
          return math::SqrtOp::create(
              b, arith::AddFOp::create(b, elements[0], small));
        });
    if (!deviation)
      return {};
    SmallVector<ElementOperand> parts = {
        x, ElementOperand(mean, kept), ElementOperand(deviation, kept),
        e.getTensor(op.getScale(), operands.getScale())};
    if (Value bias = onnx::presentOrNull(op.getB()))
      parts.push_back(e.getTensor(bias, operands.getB()));
    for (const ElementOperand &part : ArrayRef(parts).drop_front(3))
      if (part.tensor.getRank() > rank ||
          e.getComputeType(part.tensor.getElementType()) != type)
        return e.refuse("its parameters do not fit its input");
    return e.createPerElement(
        parts, element, [&](ImplicitLocOpBuilder &b, ValueRange elements) {
          Value value =
              arith::DivFOp::create(b, centre(b, elements), elements[2]);
          value = arith::MulFOp::create(b, value, elements[3]);
          if (elements.size() == 5)
            value = arith::AddFOp::create(b, value, elements[4]);
          return value;
        });
  }
};

class LowerBatchNormalization : public LowerNode<onnx::BatchNormalizationOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::BatchNormalizationOp op, Adaptor operands,
               Emitter &e) const override {
    std::string whyNot = checkBatchNormalization(op, e.getFacts());
    if (!whyNot.empty())
      return e.refuse("it " + whyNot);
    Tensor x = e.getTensor(op.getX(), operands.getX());
    Type element = x.getElementType(), type = e.getComputeType(element);
    Tensor scale = e.getTensor(op.getScale(), operands.getScale());
    Tensor bias = e.getTensor(op.getB(), operands.getB());
    Tensor mean = e.getTensor(op.getMean(), operands.getMean());
    Tensor var = e.getTensor(op.getVar(), operands.getVar());
    double epsilon = op.getEpsilon() ? op.getEpsilon()->convertToDouble()
                                     : static_cast<double>(1e-5F);
    // Once for each channel, and in the widest type that is there: a quotient
    // of numbers that are none of `type` can be one.
    Type wide = type;
    for (const Tensor &tensor : {scale, var})
      if (tensor.getElementType().isF64())
        wide = tensor.getElementType();
    Tensor factor = e.createPerElement(
        {scale, var}, type, [&](ImplicitLocOpBuilder &b, ValueRange elements) {
          Value small =
              arith::ConstantOp::create(b, b.getFloatAttr(wide, epsilon));
          Value variance = convertFloat(b, elements[1], wide);
          Value root = math::SqrtOp::create(
              b, arith::AddFOp::create(b, variance, small));
          Value quotient = arith::DivFOp::create(
              b, convertFloat(b, elements[0], wide), root);
          return convertFloat(b, quotient, type);
        });
    if (!factor)
      return {};
    auto ofChannel = [](Tensor tensor) {
      return ElementOperand(std::move(tensor), /*axes=*/1);
    };
    return e.createPerElement(
        {x, ofChannel(mean), ofChannel(factor), ofChannel(bias)}, element,
        [&](ImplicitLocOpBuilder &b, ValueRange elements) {
          Value centred = arith::SubFOp::create(
              b, elements[0], convertFloat(b, elements[1], type));
          Value scaled = arith::MulFOp::create(b, centred, elements[2]);
          return arith::AddFOp::create(b, scaled,
                                       convertFloat(b, elements[3], type));
        });
  }
};

} // namespace

void headopt::populateNormalizationPatterns(RewritePatternSet &patterns,
                                            const TypeConverter &converter,
                                            LoweringState &state) {
  patterns.add<LowerSoftmax<onnx::SoftmaxOp>, LowerSoftmax<onnx::LogSoftmaxOp>,
               LowerBatchNormalization, LowerLayerNormalization>(
      converter, patterns.getContext(), state);
}
