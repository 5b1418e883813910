//===- ApproximateMath.cpp - exp and others without a library
//---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
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

} // namespace

/// Upstream takes what is below the smallest normal number for that. Such an
/// `x` is multiplied by 2^24, which the logarithm's result shows as a
/// difference.
static void scaleSubnormal(math::LogOp op) {
  Type type = op.getType();
  if (!getElementTypeOrSelf(type).isF32())
    return;
  ImplicitLocOpBuilder b(op.getLoc(), op);
  auto number = [&](float value) -> Value {
    TypedAttr attr = b.getF32FloatAttr(value);
    if (auto shaped = dyn_cast<ShapedType>(type))
      attr = DenseElementsAttr::get(shaped, Attribute(attr));
    return arith::ConstantOp::create(b, attr);
  };
  Value x = op.getOperand();
  Value isSmall =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, number(0x1p-126f));
  Value scaled = arith::MulFOp::create(b, x, number(0x1p24f));
  op.getOperandMutable().assign(arith::SelectOp::create(b, isSmall, scaled, x));
  b.setInsertionPointAfter(op);
  // 24 ln 2.
  Value shifted = arith::SubFOp::create(b, op, number(16.6355323f));
  Value result = arith::SelectOp::create(b, isSmall, shifted, op);
  op.getResult().replaceUsesWithIf(result, [&](OpOperand &use) {
    return use.getOwner() != shifted.getDefiningOp() &&
           use.getOwner() != result.getDefiningOp();
  });
}

namespace {

struct ApproximateMath final
    : headopt::impl::ApproximateMathBase<ApproximateMath> {
  using ApproximateMathBase::ApproximateMathBase;

  void runOnOperation() override {
    getOperation().walk(scaleSubnormal);
    RewritePatternSet patterns(&getContext());
    // Not all that upstream has: these stay within a few units in the last
    // place over the whole range, and exp is 0 where its value is subnormal
    // (test/Integration/Lowering/test_math.py).
    auto isOne = [](StringRef name) {
      return name == math::ExpOp::getOperationName() ||
             name == math::TanhOp::getOperationName() ||
             name == math::LogOp::getOperationName() ||
             name == math::ExpM1Op::getOperationName() ||
             name == math::Log1pOp::getOperationName() ||
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
