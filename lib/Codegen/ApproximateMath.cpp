//===- ApproximateMath.cpp - exp and tanh without a library ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace headopt {
#define GEN_PASS_DEF_APPROXIMATEMATH
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;

namespace {

/// Rounds twice, as hardware without the instruction does; the alternative is a
/// call of the C library for each element.
struct SplitFMA : OpRewritePattern<math::FmaOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::FmaOp op,
                                PatternRewriter &rewriter) const override {
    Value product =
        arith::MulFOp::create(rewriter, op.getLoc(), op.getA(), op.getB());
    rewriter.replaceOpWithNewOp<arith::AddFOp>(op, product, op.getC());
    return success();
  }
};

struct ApproximateMath final
    : headopt::impl::ApproximateMathBase<ApproximateMath> {
  using ApproximateMathBase::ApproximateMathBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    // Not all that upstream has: these stay within a few units in the last
    // place over the whole range (test/Integration/Lowering/test_math.py).
    auto isOne = [](StringRef name) {
      return name == math::ExpOp::getOperationName() ||
             name == math::TanhOp::getOperationName() ||
             name == math::LogOp::getOperationName() ||
             name == math::ErfOp::getOperationName();
    };
    populateMathPolynomialApproximationPatterns(patterns, isOne);
    if (!fma)
      patterns.add<SplitFMA>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
