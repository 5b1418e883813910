//===- ONNXToLinalg.cpp - The conversion of classification heads ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"
#include "headopt/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace headopt;

namespace headopt {
#define GEN_PASS_DEF_CONVERTONNXTOLINALG
#include "headopt/Conversion/Passes.h.inc"
} // namespace headopt

namespace {

/// Whatever has no lowering of its own.
class RefuseOther : public ConversionPattern {
public:
  RefuseOther(const TypeConverter &converter, MLIRContext *context,
              LoweringState &state)
      : ConversionPattern(converter, MatchAnyOpTypeTag(), /*benefit=*/0,
                          context),
        state(state) {}

  LogicalResult
  matchAndRewrite(Operation *op, ArrayRef<Value>,
                  ConversionPatternRewriter &rewriter) const override {
    // A lowering that looked at the operator knows more.
    if (state.getRefused() != op)
      state.refuse(op, "this operator has no lowering; end the head before it");
    return rewriter.notifyMatchFailure(op, state.getReason());
  }

private:
  LoweringState &state;
};

class ConvertONNXToLinalgPass
    : public headopt::impl::ConvertONNXToLinalgBase<ConvertONNXToLinalgPass> {
protected:
  void runOnOperation() override;
};

} // namespace

/// Integers lose their sign; element types that nothing computes with are not
/// converted at all.
static std::optional<Type> convertTensorType(RankedTensorType type) {
  Type element = type.getElementType();
  if (auto integer = dyn_cast<IntegerType>(element))
    return type.clone(IntegerType::get(type.getContext(), integer.getWidth()));
  return isLoweredElementType(element) ? type : Type();
}

/// Whatever the onnx dialect wrote on an operation that is not its own.
static void dropAttributes(Operation *op) {
  for (NamedAttribute attr : llvm::to_vector(op->getDiscardableAttrs()))
    if (isa_and_nonnull<onnx::ONNXDialect>(attr.getNameDialect()))
      op->removeDiscardableAttr(attr.getName());
  auto func = dyn_cast<func::FuncOp>(op);
  if (!func)
    return;
  auto isOurs = [](NamedAttribute attr) {
    return isa_and_nonnull<onnx::ONNXDialect>(attr.getNameDialect());
  };
  for (unsigned i = 0; i != func.getNumArguments(); ++i)
    for (NamedAttribute attr :
         llvm::to_vector(function_interface_impl::getArgAttrs(func, i)))
      if (isOurs(attr))
        func.removeArgAttr(i, attr.getName());
  for (unsigned i = 0; i != func.getNumResults(); ++i)
    for (NamedAttribute attr :
         llvm::to_vector(function_interface_impl::getResultAttrs(func, i)))
      if (isOurs(attr))
        func.removeResultAttr(i, attr.getName());
}

void ConvertONNXToLinalgPass::runOnOperation() {
  ModuleOp module = getOperation();
  MLIRContext *context = &getContext();
  if (failed(prepareForLowering(module)))
    return signalPassFailure();

  TypeConverter converter;
  converter.addConversion([](NoneType type) { return type; });
  converter.addConversion(convertTensorType);

  ModelFacts facts(module);
  LoweringState state(facts, module);
  RewritePatternSet patterns(context);
  populateConstantPatterns(patterns, converter, state);
  populateDensePatterns(patterns, converter, state);
  populateElementwisePatterns(patterns, converter, state);
  populateNormalizationPatterns(patterns, converter, state);
  populatePoolingPatterns(patterns, converter, state);
  populateQuantizationPatterns(patterns, converter, state);
  populateViewPatterns(patterns, converter, state);
  patterns.add<RefuseOther>(converter, context, state);
  populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                 converter);
  populateReturnOpTypeConversionPattern(patterns, converter);

  ConversionTarget target(*context);
  target.addLegalDialect<arith::ArithDialect, linalg::LinalgDialect,
                         math::MathDialect, tensor::TensorDialect>();
  target.addLegalOp<ModuleOp>();
  target.addIllegalDialect<onnx::ONNXDialect>();
  // Nothing that is lowered reads it.
  target.addLegalOp<onnx::NoneOp>();
  target.addDynamicallyLegalOp<func::FuncOp>([&](func::FuncOp func) {
    return converter.isSignatureLegal(func.getFunctionType()) &&
           converter.isLegal(&func.getBody());
  });
  target.addDynamicallyLegalOp<func::ReturnOp>(
      [&](func::ReturnOp op) { return converter.isLegal(op); });

  // The framework names an operation that is left over, but neither its node
  // nor the reason.
  std::string message;
  LogicalResult converted = [&] {
    ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
        return failure();
      if (message.empty())
        message = diagnostic.str();
      return success();
    });
    return applyFullConversion(module, target, std::move(patterns));
  }();
  if (failed(converted)) {
    Operation *op = state.getRefused() ? state.getRefused() : module;
    InFlightDiagnostic error = op->emitError();
    if (!state.getRefused()) {
      error << message;
    } else if (auto node = dyn_cast<onnx::NodeOpInterface>(op)) {
      error << "node '" << node.getDisplayName() << "' ("
            << node.getOperatorName()
            << ") is not lowered: " << state.getReason();
    } else {
      error << op->getName() << " is not lowered: " << state.getReason();
    }
    error.report();
    return signalPassFailure();
  }

  for (auto func : module.getOps<func::FuncOp>()) {
    // Axes, targets and the like are in the operations now.
    SmallVector<Operation *> unused;
    for (Block &block : func.getBody())
      for (Operation &op : llvm::reverse(block))
        if (isa<arith::ConstantOp, onnx::NoneOp>(op) && op.use_empty())
          unused.push_back(&op);
    for (Operation *op : unused)
      op->erase();
    dropAttributes(func);
  }
  dropAttributes(module);
}
