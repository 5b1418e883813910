//===- FuseElementwise.cpp - Join element-wise operations -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace headopt {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;
/// Whether what computes `operand` may become part of its user.
static bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer || !producer->hasOneUse() ||
      producer.getNumReductionLoops() != 0)
    return false;
  // What is broadcast would be computed again for each element that it goes to.
  if (consumer.getMatchingIndexingMap(operand).getNumResults() !=
      consumer.getNumLoops())
    return false;
  // A reduction of one input stays one.
  return consumer.getNumReductionLoops() == 0 ||
         (producer.getNumDpsInputs() == 1 && consumer.getNumDpsInputs() == 1);
}

namespace {

struct FuseElementwise final
    : headopt::impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
