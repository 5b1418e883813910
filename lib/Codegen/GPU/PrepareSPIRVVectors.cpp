//===- PrepareSPIRVVectors.cpp - Vectors as shaders have them -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SPIR-V for Vulkan has vectors of two to four elements, and until version 1.4
// no selection of vectors by one condition.
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace headopt {
#define GEN_PASS_DEF_PREPARESPIRVVECTORS
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;

static bool isVectorOfSPIRV(Type type) {
  auto vector = dyn_cast<VectorType>(type);
  return !vector || (vector.getRank() == 1 && !vector.isScalable() &&
                     vector.getNumElements() <= 4);
}

namespace {

/// An element of a vector that was made by taking a loaded one apart: a part of
/// one of the loaded elements, the lowest bits first.
struct ExtractPart : OpRewritePattern<vector::ExtractOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(vector::ExtractOp op,
                                PatternRewriter &rewriter) const override {
    auto cast = op.getSource().getDefiningOp<vector::BitCastOp>();
    if (!cast)
      return rewriter.notifyMatchFailure(op, "it reads no vector.bitcast");
    VectorType from = cast.getSourceVectorType();
    VectorType to = cast.getResultVectorType();
    if (to.getRank() != 1 || to.getNumElements() <= 4 ||
        from.getNumElements() > 4 || !to.getElementType().isIntOrFloat() ||
        op.getNumIndices() != 1 || op.hasDynamicPosition())
      return rewriter.notifyMatchFailure(op, "it is not a part of an element");
    int64_t position = op.getStaticPosition().front();
    int64_t parts = to.getNumElements() / from.getNumElements();
    unsigned fromBits = from.getElementTypeBitWidth();
    unsigned toBits = to.getElementTypeBitWidth();

    Location loc = op.getLoc();
    Type whole = rewriter.getIntegerType(fromBits);
    Value bits = vector::ExtractOp::create(rewriter, loc, cast.getSource(),
                                           position / parts);
    if (bits.getType() != whole)
      bits = arith::BitcastOp::create(rewriter, loc, whole, bits);
    if (int64_t shift = position % parts * toBits) {
      Value amount = arith::ConstantOp::create(
          rewriter, loc, rewriter.getIntegerAttr(whole, shift));
      bits = arith::ShRUIOp::create(rewriter, loc, bits, amount);
    }
    bits = arith::TruncIOp::create(rewriter, loc,
                                   rewriter.getIntegerType(toBits), bits);
    if (bits.getType() != op.getType())
      bits = arith::BitcastOp::create(rewriter, loc, op.getType(), bits);
    rewriter.replaceOp(op, bits);
    return success();
  }
};

struct SpreadCondition : OpRewritePattern<arith::SelectOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::SelectOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<VectorType>(op.getType());
    if (!type || !op.getCondition().getType().isInteger(1))
      return rewriter.notifyMatchFailure(op, "it selects no vector by one i1");
    Value spread = vector::BroadcastOp::create(rewriter, op.getLoc(),
                                               type.clone(rewriter.getI1Type()),
                                               op.getCondition());
    rewriter.modifyOpInPlace(op,
                             [&] { op.getConditionMutable().assign(spread); });
    return success();
  }
};

struct PrepareSPIRVVectors final
    : headopt::impl::PrepareSPIRVVectorsBase<PrepareSPIRVVectors> {
  using PrepareSPIRVVectorsBase::PrepareSPIRVVectorsBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExtractPart, SpreadCondition>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    WalkResult walked = getOperation().walk([](Operation *op) {
      for (Type type : op->getResultTypes()) {
        if (isa<VectorType>(type) && op->getNumRegions() != 0) {
          op->emitOpError("gives a ")
              << type << "; loops and branches give elements only";
          return WalkResult::interrupt();
        }
        if (!isVectorOfSPIRV(type)) {
          op->emitOpError("makes a ")
              << type
              << "; SPIR-V has vectors of 2 to 4 elements, and only those of "
                 "vector.bitcast are taken apart, by vector.extract";
          return WalkResult::interrupt();
        }
      }
      return WalkResult::advance();
    });
    if (walked.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
