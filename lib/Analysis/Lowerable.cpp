//===- Lowerable.cpp - What can be lowered of a head ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/Lowerable.h"
#include "HeadJudge.h"
#include "headopt/Analysis/AxisMap.h"
#include "headopt/Analysis/ConstantFolder.h"
#include "headopt/Analysis/DenseLayer.h"
#include "headopt/Analysis/GlobalAverage.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace headopt;

RankedTensorType headopt::getKnownType(Value value, const ModelFacts &facts) {
  const ValueFacts &known = facts.get(value);
  if (!known.shape || !known.elementType)
    return {};
  SmallVector<int64_t> shape;
  for (const Extent &extent : *known.shape)
    shape.push_back(extent.getNumber());
  return RankedTensorType::get(shape, known.elementType);
}

OperandKind headopt::classifyOperand(Value value, const ModelFacts &facts) {
  if (isa<NoneType>(value.getType()))
    return OperandKind::Constant;
  std::string ignored;
  if (foldConstant(value, facts, ignored))
    return OperandKind::Constant;
  // What is known in every run is of no type but these.
  Type element = facts.get(value).elementType;
  if (element &&
      (element.isInteger(64) || element.isInteger(32) ||
       isDecodedFloat(element)) &&
      facts.getNumbers(value))
    return OperandKind::Numbers;
  return OperandKind::Computed;
}

std::optional<SmallVector<int64_t>>
headopt::getReshapeTarget(Operation *op, const ModelFacts &facts) {
  const std::optional<ValueFacts::Shape> &from =
      facts.get(op->getOperand(0)).shape;
  const std::optional<ValueFacts::Shape> &to =
      facts.get(op->getResult(0)).shape;
  if (!from || !to)
    return std::nullopt;
  SmallVector<int64_t> target;
  bool infers = false;
  for (auto [axis, extent] : llvm::enumerate(*to)) {
    if (extent.isNumber()) {
      // 0 has another meaning there, and beside it -1 has none.
      if (extent.getNumber() <= 0)
        return std::nullopt;
      target.push_back(extent.getNumber());
    } else if (axis < from->size() && extent == (*from)[axis]) {
      target.push_back(0);
    } else {
      if (infers)
        return std::nullopt;
      infers = true;
      target.push_back(-1);
    }
  }
  return target;
}

std::string headopt::checkBatchNormalization(onnx::BatchNormalizationOp op,
                                             const ModelFacts &facts) {
  std::optional<int64_t> opset = onnx::getOpsetVersion(op);
  if (op.getTrainingMode().value_or(0) != 0 ||
      (opset && *opset < 7 && op.getIsTest().value_or(0) == 0))
    return "is in training mode; export the model for inference";
  // Before opset 14 outputs tell training from inference.
  if (opset && *opset < 14)
    for (unsigned i = 1; i != op->getNumResults(); ++i)
      if (!op.getOutputName(i).empty())
        return "has outputs of training; export the model for inference";
  if (op.getSpatial().value_or(1) == 0)
    return "normalises each position by itself (spatial is 0)";
  RankedTensorType data = getKnownType(op.getX(), facts);
  if (!data)
    return "";
  if (data.getRank() < 2 || !isDecodedFloat(data.getElementType()))
    return "has an input without channels of floating-point numbers";
  for (Value parameter : op->getOperands().drop_front()) {
    RankedTensorType type = getKnownType(parameter, facts);
    if (!type)
      continue;
    if (type.getRank() != 1 || !isDecodedFloat(type.getElementType()) ||
        failed(verifyCompatibleShape(type.getShape(),
                                     data.getShape().slice(1, 1))))
      return "has parameters that are no lists of one floating-point number "
             "for each channel";
  }
  return "";
}

bool headopt::isDenseConv(onnx::ConvOp conv, const ModelFacts &facts) {
  const std::optional<ValueFacts::Shape> &data = facts.get(conv.getX()).shape;
  const std::optional<ValueFacts::Shape> &kernel = facts.get(conv.getW()).shape;
  if (conv.getGroup().value_or(1) != 1 || !data || !kernel ||
      data->size() != kernel->size() || data->size() < 3 ||
      llvm::any_of(conv.getPads().value_or(ArrayRef<int64_t>()),
                   [](int64_t pad) { return pad != 0; }))
    return false;
  // Kernels of one element are padded by nothing, and have no gaps.
  bool single = true;
  for (size_t axis = 2; axis != data->size(); ++axis) {
    if (!(*kernel)[axis].isNumber() || (*kernel)[axis] != (*data)[axis])
      return false;
    single &= (*kernel)[axis].isNumber(1);
  }
  return single || matchDenseLayer(conv, facts);
}

bool headopt::hasLowerableExponent(onnx::PowOp pow, const ModelFacts &facts) {
  Type base = facts.get(pow.getA()).elementType;
  Type exponent = facts.get(pow.getB()).elementType;
  if (!isa_and_present<FloatType>(base) || !exponent)
    return false;
  if (isa<FloatType>(exponent))
    return exponent.getIntOrFloatBitWidth() <=
           std::max(32U, base.getIntOrFloatBitWidth());
  std::optional<SmallVector<int64_t>> numbers = facts.getNumbers(pow.getB());
  return numbers && llvm::all_of(*numbers, [](int64_t number) {
           return std::abs(number) <= 1 << 24;
         });
}

namespace {

/// Judges one node.
class Check {
public:
  Check(Operation *op, const ModelFacts &facts) : op(op), facts(facts) {}

  /// What is in the way, as what follows the node's name; empty when nothing
  /// is.
  std::string run() const;

private:
  static constexpr llvm::StringLiteral kOther =
      "is not among the operators that are lowered";

  std::string checkTypes() const;
  std::string checkConstants(ValueRange operands, StringRef what) const;
  std::string checkDense(Value weight) const;
  std::string checkReshape() const;
  std::string checkQuantization() const;
  std::string checkPerElement() const;

  Operation *op;
  const ModelFacts &facts;
};

} // namespace

std::string Check::checkTypes() const {
  auto check = [&](Value value) {
    RankedTensorType type = getKnownType(value, facts);
    if (!type)
      return false;
    Type element = type.getElementType();
    return isDecodedFloat(element) ||
           (element.isInteger() && element.getIntOrFloatBitWidth() <= 64);
  };
  if (!check(op->getResult(0)))
    return "has a result whose rank or element type is not known, or is no "
           "number";
  for (Value operand : op->getOperands())
    if (!isa<NoneType>(operand.getType()) && !check(operand))
      return "reads a value whose rank or element type is not known, or is no "
             "number";
  return "";
}

std::string Check::checkConstants(ValueRange operands, StringRef what) const {
  for (Value operand : operands)
    if (classifyOperand(operand, facts) == OperandKind::Computed)
      return "has " + what.str() + " that are not constant";
  return "";
}

std::string Check::checkDense(Value weight) const {
  // Where the type is not known, that is what is said.
  Type element = facts.get(op->getResult(0)).elementType;
  if (element && !isDecodedFloat(element))
    return "is no product of floating point numbers";
  std::string whyNot;
  if (!foldConstant(weight, facts, whyNot))
    return "has a weight that is not constant: " + whyNot;
  return "";
}

std::string Check::checkReshape() const {
  if (classifyOperand(op->getOperand(1), facts) == OperandKind::Computed &&
      !getReshapeTarget(op, facts))
    return "has a target that is computed, and is not known";
  return "";
}

std::string Check::checkQuantization() const {
  ValueRange operands = op->getOperands();
  Type from = facts.get(operands[0]).elementType;
  Type scale = facts.get(operands[1]).elementType;
  Type to = facts.get(op->getResult(0)).elementType;
  if (!from || !scale || !to)
    return "";
  if (auto quantize = dyn_cast<onnx::QuantizeLinearOp>(op)) {
    // Opsets differ in how they round quotients of 16-bit numbers.
    if (!from.isF32() || !scale.isF32() ||
        quantize.getPrecision().value_or(0) != 0 || !to.isInteger() ||
        to.getIntOrFloatBitWidth() < 8 || to.getIntOrFloatBitWidth() > 16)
      return "quantises other than from f32 to integers of 8 or 16 bits";
  } else if (!from.isInteger() || !isDecodedFloat(scale)) {
    return "dequantises numbers that are no integers";
  }
  auto block = op->getAttrOfType<IntegerAttr>("block_size");
  if (block && block.getInt() != 0)
    return "has a scale for each block";
  return checkConstants(operands.drop_front(), "scales");
}

std::string Check::checkPerElement() const {
  if (!op->hasTrait<onnx::PerElement>())
    return kOther.str();
  // Before opset 7 it says where the second operand goes.
  if (op->hasAttr("axis"))
    return "broadcasts as old opsets did";
  return "";
}

std::string Check::run() const {
  auto node = dyn_cast<onnx::NodeOpInterface>(op);
  if (!node || !node.getOperatorDomain().empty() || isa<onnx::NodeOp>(op) ||
      op->getNumResults() == 0)
    return kOther.str();
  std::string types = checkTypes();
  ValueRange operands = op->getOperands();
  std::string found =
      llvm::TypeSwitch<Operation *, std::string>(op)
          .Case<onnx::FlattenOp, onnx::TransposeOp, onnx::IdentityOp,
                onnx::SoftmaxOp, onnx::LogSoftmaxOp>(
              [](Operation *) { return ""; })
          .Case([&](onnx::SqueezeOp squeeze) -> std::string {
            const std::optional<ValueFacts::Shape> &shape =
                facts.get(squeeze.getData()).shape;
            auto isNumber = [](const Extent &e) { return e.isNumber(); };
            if (!squeeze.getAxes() &&
                !onnx::presentOrNull(squeeze.getAxesInput()) && shape &&
                !llvm::all_of(*shape, isNumber))
              return "has no axes, and which extents are 1 only a run knows";
            return checkConstants(operands.drop_front(), "axes");
          })
          .Case([&](onnx::UnsqueezeOp) {
            return checkConstants(operands.drop_front(), "axes");
          })
          .Case([&](onnx::ReshapeOp) { return checkReshape(); })
          .Case([&](onnx::GatherOp) {
            return isViewOp(op, facts) && getReshapeTarget(op, facts)
                       ? ""
                       : kOther.str();
          })
          .Case([](onnx::DropoutOp dropout) -> std::string {
            std::string whyNot;
            return isInference(dropout, whyNot) ? "" : whyNot;
          })
          .Case([&](onnx::BatchNormalizationOp norm) -> std::string {
            std::string whyNot = checkBatchNormalization(norm, facts);
            return whyNot.empty()
                       ? checkConstants(operands.drop_front(), "parameters")
                       : whyNot;
          })
          .Case([&](onnx::GlobalAveragePoolOp pool) -> std::string {
            const std::optional<ValueFacts::Shape> &shape =
                facts.get(pool.getX()).shape;
            return shape && shape->size() < 3 ? "pools no positions" : "";
          })
          .Case<onnx::ReduceMeanOp, onnx::ReduceSumOp>(
              [&](onnx::ReductionOpInterface reduction) -> std::string {
                Type element = facts.get(operands[0]).elementType;
                if (isa<onnx::ReduceMeanOp>(op) && element &&
                    !isDecodedFloat(element))
                  return "is a mean of integers";
                return facts.getReducedAxes(reduction) ? ""
                                                       : "has no known axes";
              })
          .Case([&](onnx::AveragePoolOp pool) -> std::string {
            return matchGlobalAverage(pool.getY(), facts)
                       ? ""
                       : "pools windows that are not the whole map";
          })
          .Case([&](onnx::ConvOp conv) -> std::string {
            if (!isDenseConv(conv, facts))
              return "is a convolution whose kernel is not the whole map";
            return checkDense(conv.getW());
          })
          .Case<onnx::GemmOp, onnx::MatMulOp>([&](Operation *) -> std::string {
            std::optional<DenseLayer> layer = matchDenseLayer(op, facts);
            if (!layer)
              return "is a product of another rank than 2";
            if (!layer->unsupported.empty())
              return "cannot be lowered: " + layer->unsupported;
            return checkDense(layer->weight->get());
          })
          .Case([&](onnx::LayerNormalizationOp norm) -> std::string {
            if (norm.getStashType().value_or(1) != 1)
              return "has statistics of another type than f32";
            return checkConstants(operands.drop_front(), "parameters");
          })
          .Case([&](onnx::ClipOp clip) -> std::string {
            for (Value bound : clip.getBounds())
              if (!isa<NoneType>(bound.getType()) &&
                  (!facts.isScalar(bound) ||
                   facts.get(bound).elementType !=
                       facts.get(clip.getInput()).elementType))
                return "has bounds that are no single numbers of its type";
            return "";
          })
          .Case([&](onnx::PowOp pow) -> std::string {
            return hasLowerableExponent(pow, facts)
                       ? checkPerElement()
                       : "is a power of integers, or has exponents of another "
                         "type";
          })
          .Case([&](onnx::PReluOp) -> std::string {
            std::optional<int64_t> opset = onnx::getOpsetVersion(op);
            return opset && *opset < 7 ? "broadcasts as old opsets did" : "";
          })
          .Case<onnx::QuantizeLinearOp, onnx::DequantizeLinearOp>(
              [&](Operation *) { return checkQuantization(); })
          .Default([&](Operation *) { return checkPerElement(); });
  return found.empty() ? types : found;
}

bool headopt::isLowerable(Operation *op, const ModelFacts &facts,
                          std::string &whyNot) {
  std::string found = Check(op, facts).run();
  if (found.empty())
    return true;
  whyNot = describe(op) + " " + found;
  return false;
}
