//===- Prepare.cpp - Models that are lowered node by node -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"
#include "headopt/Analysis/ConstantFolder.h"
#include "headopt/Analysis/Lowerable.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace headopt;

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static void replaceByConstant(Value value, TypedAttr elements) {
  Operation *op = value.getDefiningOp();
  OpBuilder b(op);
  auto constant = onnx::InitializerOp::create(
      b, op->getLoc(), elements.getType(), onnx::getValueName(value), elements,
      /*input=*/Value());
  value.replaceAllUsesWith(constant);
}

/// Puts a constant in the place of `value` where it is computed from constants.
static void foldToConstant(Value value, const ModelFacts &facts) {
  Type element = facts.get(value).elementType;
  std::optional<SmallVector<int64_t>> numbers = facts.getNumbers(value);
  if (numbers && element && element.isInteger() &&
      facts.get(value).shape->size() <= 1) {
    SmallVector<int64_t, 1> shape;
    if (!facts.get(value).shape->empty())
      shape.push_back(numbers->size());
    SmallVector<APInt> elements;
    unsigned width = element.getIntOrFloatBitWidth();
    for (int64_t number : *numbers)
      elements.emplace_back(width, number, /*isSigned=*/true,
                            /*implicitTrunc=*/true);
    replaceByConstant(
        value, DenseElementsAttr::get(RankedTensorType::get(shape, element),
                                      elements));
    return;
  }
  std::string ignored;
  std::optional<Constant> constant = foldConstant(value, facts, ignored);
  if (!constant || !constant->folded)
    return;
  ArrayRef<char> bytes(constant->folded->getBufferStart(),
                       constant->folded->getBufferSize());
  // Small ones are small enough to be copied.
  static constexpr size_t kSmall = 1024;
  if (bytes.size() < kSmall) {
    replaceByConstant(
        value, DenseElementsAttr::getFromRawBuffer(constant->type, bytes));
    return;
  }
  AsmResourceBlob blob =
      HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, /*align=*/64);
  StringRef label = onnx::getValueName(value);
  replaceByConstant(
      value, DenseResourceElementsAttr::get(constant->type,
                                            label.empty() ? "constant" : label,
                                            std::move(blob)));
}

/// Replaces the target of a Reshape by a constant where its result's extents
/// say the same, so that what computes it need not be lowered.
static void fixTarget(onnx::ReshapeOp reshape, const ModelFacts &facts) {
  if (getConstantInts(reshape.getShape()))
    return;
  std::optional<SmallVector<int64_t>> target = getReshapeTarget(reshape, facts);
  if (!target)
    return;
  OpBuilder b(reshape);
  auto type = RankedTensorType::get({static_cast<int64_t>(target->size())},
                                    b.getI64Type());
  auto constant = onnx::InitializerOp::create(
      b, reshape.getLoc(), type, onnx::getValueName(reshape.getShape()),
      DenseElementsAttr::get(type, ArrayRef<int64_t>(*target)),
      /*input=*/Value());
  reshape.getShapeMutable().assign(constant);
  reshape.removeAllowzeroAttr();
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// The name that `value` goes by in messages.
static std::string describe(Value value) {
  StringRef name = onnx::getValueName(value);
  return name.empty() ? "a value without a name" : ("'" + name + "'").str();
}

static LogicalResult checkType(Value value, Operation *op) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (isa<NoneType>(value.getType()) ||
      (type && isLoweredElementType(type.getElementType())))
    return success();
  auto error = op->emitError();
  if (auto node = dyn_cast<onnx::NodeOpInterface>(op))
    error << "node '" << node.getDisplayName() << "' ("
          << node.getOperatorName() << "): ";
  if (type)
    return error << describe(value) << " has elements of type "
                 << type.getElementType() << ", which are not lowered";
  if (isa<TensorType>(value.getType()))
    return error << "how many axes " << describe(value)
                 << " has is not known; give the model's inputs shapes (a "
                    "dynamic extent may stay one)";
  return error << "the type of " << describe(value)
               << " is not known; state it in the model's value_info, or "
                  "export the model for an opset that ONNX shape inference "
                  "knows";
}

/// What goes into and out of functions must have elements: code for none would
/// have nothing to read, and a mean of none no value.
static LogicalResult checkExtents(Value value, func::FuncOp func) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !llvm::is_contained(type.getShape(), 0))
    return success();
  const auto *zero = llvm::find(type.getShape(), 0);
  return func.emitError() << "axis " << zero - type.getShape().begin() << " of "
                          << describe(value) << ", " << type
                          << ", has the extent 0, so there is nothing to "
                             "compute; give the model 1 or more there";
}

LogicalResult headopt::prepareForLowering(ModuleOp module) {
  ModelFacts facts(module);
  for (auto func : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
    // Functions of the model are called by nodes, which are not lowered.
    if (func->hasAttr(onnx::kFunctionAttr)) {
      func.erase();
      continue;
    }
    if (func.isDeclaration())
      continue;
    Block &body = func.getBody().front();
    // Users come before what they use, so that what only made constants or
    // shapes is without a use once it is reached.
    SmallVector<Operation *> ops;
    for (Operation &op : body.without_terminator())
      if (isa<onnx::ONNXDialect>(op.getDialect()))
        ops.push_back(&op);
    for (Operation *op : llvm::reverse(ops)) {
      if (auto reshape = dyn_cast<onnx::ReshapeOp>(op))
        fixTarget(reshape, facts);
      std::string ignored;
      if (!op->use_empty() && op->getNumResults() == 1 &&
          op->getNumOperands() != 0 && !getConstant(op->getResult(0), ignored))
        foldToConstant(op->getResult(0), facts);
      if (op->use_empty() && op->getNumRegions() == 0)
        op->erase();
    }
    for (Operation &op : body)
      for (Value result : op.getResults())
        if (isa<onnx::ONNXDialect>(op.getDialect()) &&
            !isa<onnx::InitializerOp, onnx::NoneOp>(op))
          if (RankedTensorType type = getKnownType(result, facts))
            result.setType(type);
    SmallVector<Type> results =
        llvm::to_vector(body.getTerminator()->getOperandTypes());
    func.setType(
        FunctionType::get(func.getContext(), body.getArgumentTypes(), results));

    for (Value argument : body.getArguments())
      if (failed(checkType(argument, func)) ||
          failed(checkExtents(argument, func)))
        return failure();
    for (Operation &op : body) {
      for (Value result : op.getResults())
        if (!result.use_empty() && failed(checkType(result, &op)))
          return failure();
    }
    for (Value result : body.getTerminator()->getOperands())
      if (failed(checkExtents(result, func)))
        return failure();
  }
  return success();
}
