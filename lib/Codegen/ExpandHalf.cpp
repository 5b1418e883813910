//===- ExpandHalf.cpp - f16 and bf16 by integers --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Upstream's arith-expand has bf16 only, and selects between numbers of that
// type, which LLVM turns into calls of the compiler's library again.
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace headopt {
#define GEN_PASS_DEF_EXPANDHALF
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;

namespace {

/// Builds integer arithmetic of the shape of a number or of a vector of them.
struct Bits : ImplicitLocOpBuilder {
  Bits(PatternRewriter &rewriter, Operation *op)
      : ImplicitLocOpBuilder(op->getLoc(), rewriter),
        shape(op->getResult(0).getType()) {}

  Type like(Type element) {
    if (auto shaped = dyn_cast<ShapedType>(shape))
      return shaped.clone(element);
    return element;
  }
  Type i16() { return like(getI16Type()); }
  Type i32() { return like(getI32Type()); }
  Type f32() { return like(getF32Type()); }
  Value constant(Type type, Attribute element) {
    if (auto shaped = dyn_cast<ShapedType>(type))
      return arith::ConstantOp::create(*this,
                                       DenseElementsAttr::get(shaped, element));
    return arith::ConstantOp::create(*this, cast<TypedAttr>(element));
  }
  Value integer(uint32_t value) {
    return constant(i32(), IntegerAttr::get(getI32Type(), APInt(32, value)));
  }
  Value number(float value) { return constant(f32(), getF32FloatAttr(value)); }
  template <typename Op> Value bin(Value a, uint32_t b) {
    return Op::create(*this, a, integer(b));
  }
  Value below(Value a, uint32_t b) {
    return arith::CmpIOp::create(*this, arith::CmpIPredicate::ult, a,
                                 integer(b));
  }
  Value select(Value condition, Value yes, Value no) {
    return arith::SelectOp::create(*this, condition, yes, no);
  }
  Value toF32(Value bits) {
    return arith::BitcastOp::create(*this, f32(), bits);
  }
  Value fromF32(Value number) {
    return arith::BitcastOp::create(*this, i32(), number);
  }
  /// The bits of a half in the low half of an i32.
  Value read(Value half) {
    return arith::ExtUIOp::create(*this, i32(),
                                  arith::BitcastOp::create(*this, i16(), half));
  }
  Value write(Value bits, Type type) {
    return arith::BitcastOp::create(
        *this, type, arith::TruncIOp::create(*this, i16(), bits));
  }

  Type shape;
};

struct WidenBF16 : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getIn().getType()).isBF16() ||
        !getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "it does not widen bf16 to f32");
    Bits b(rewriter, op);
    // Every other element of a vector is a half of each of its words: the
    // first the lower one, on the little-endian processors that there is code
    // for. It stays in its word.
    if (auto halves = op.getIn().getDefiningOp<vector::DeinterleaveOp>()) {
      Value words = vector::BitCastOp::create(b, cast<VectorType>(b.i32()),
                                              halves.getSource());
      bool isLower = op.getIn() == halves.getRes1();
      rewriter.replaceOp(
          op, b.toF32(isLower ? b.bin<arith::ShLIOp>(words, 16)
                              : b.bin<arith::AndIOp>(words, 0xffff0000)));
      return success();
    }
    // All but the lower half of a word is shifted out, so a number that was cut
    // out of one needs no cutting.
    Value bits;
    if (auto cast = op.getIn().getDefiningOp<arith::BitcastOp>())
      if (auto half = cast.getIn().getDefiningOp<arith::TruncIOp>();
          half && getElementTypeOrSelf(half.getIn().getType()).isInteger(32))
        bits = half.getIn();
    if (!bits)
      bits = b.read(op.getIn());
    rewriter.replaceOp(op, b.toF32(b.bin<arith::ShLIOp>(bits, 16)));
    return success();
  }
};

struct NarrowBF16 : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getIn().getType()).isF32() ||
        !getElementTypeOrSelf(op.getType()).isBF16())
      return rewriter.notifyMatchFailure(op, "it does not narrow f32 to bf16");
    Bits b(rewriter, op);
    Value bits = b.fromF32(op.getIn());
    Value high = b.bin<arith::ShRUIOp>(bits, 16);
    // To nearest, ties to even: one less than a half, and one more when the
    // last bit that stays is set. A carry goes into the exponent, as it should.
    Value odd = b.bin<arith::AndIOp>(high, 1);
    Value sum =
        arith::AddIOp::create(b, b.bin<arith::AddIOp>(bits, 0x7fff), odd);
    Value rounded = b.bin<arith::ShRUIOp>(sum, 16);
    Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO,
                                        op.getIn(), op.getIn());
    // Quiet, so that a payload in the low bits alone does not become infinity.
    Value nan = b.bin<arith::OrIOp>(high, 0x40);
    rewriter.replaceOp(op,
                       b.write(b.select(isNaN, nan, rounded), op.getType()));
    return success();
  }
};

struct WidenF16 : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getIn().getType()).isF16() ||
        !getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "it does not widen f16 to f32");
    Bits b(rewriter, op);
    Value half = b.read(op.getIn());
    Value sign = b.bin<arith::ShLIOp>(b.bin<arith::AndIOp>(half, 0x8000), 16);
    Value magnitude = b.bin<arith::AndIOp>(half, 0x7fff);
    Value moved = b.bin<arith::ShLIOp>(magnitude, 13);
    // The exponents' biases are 15 and 127; all ones stays all ones.
    Value normal = b.bin<arith::AddIOp>(moved, 112u << 23);
    Value special = b.bin<arith::AddIOp>(moved, 224u << 23);
    // Without an exponent: a whole number of 2^-24, exactly.
    Value whole = arith::UIToFPOp::create(b, b.f32(), magnitude);
    Value small =
        b.fromF32(arith::MulFOp::create(b, whole, b.number(0x1p-24f)));
    Value bits =
        b.select(b.below(magnitude, 0x400), small,
                 b.select(b.below(magnitude, 0x7c00), normal, special));
    rewriter.replaceOp(op, b.toF32(arith::OrIOp::create(b, bits, sign)));
    return success();
  }
};

struct NarrowF16 : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getIn().getType()).isF32() ||
        !getElementTypeOrSelf(op.getType()).isF16())
      return rewriter.notifyMatchFailure(op, "it does not narrow f32 to f16");
    Bits b(rewriter, op);
    Value bits = b.fromF32(op.getIn());
    Value sign = b.bin<arith::AndIOp>(b.bin<arith::ShRUIOp>(bits, 16), 0x8000);
    Value magnitude = b.bin<arith::AndIOp>(bits, 0x7fffffff);
    // As for bf16, with 13 bits less and another bias.
    Value odd = b.bin<arith::AndIOp>(b.bin<arith::ShRUIOp>(magnitude, 13), 1);
    Value sum = arith::AddIOp::create(
        b, b.bin<arith::AddIOp>(magnitude, 0xfffu - (112u << 23)), odd);
    Value normal = b.bin<arith::ShRUIOp>(sum, 13);
    // Below 2^-14: half's numbers are multiples of 2^-24, as are f32's from 1/2
    // to 1, so that the addition rounds.
    Value shifted =
        arith::AddFOp::create(b, b.toF32(magnitude), b.number(0.5f));
    Value small = b.bin<arith::SubIOp>(b.fromF32(shifted), 0x3f000000);
    Value nan = b.bin<arith::OrIOp>(
        b.bin<arith::AndIOp>(b.bin<arith::ShRUIOp>(magnitude, 13), 0x3ff),
        0x7e00);
    // From 65520 on half's largest number is further away than what would be
    // the next one.
    Value large =
        b.select(b.below(magnitude, 0x7f800001), b.integer(0x7c00), nan);
    Value result =
        b.select(b.below(magnitude, 0x38800000), small,
                 b.select(b.below(magnitude, 0x477ff000), normal, large));
    rewriter.replaceOp(
        op, b.write(arith::OrIOp::create(b, result, sign), op.getType()));
    return success();
  }
};

/// To f64 by way of f32, which is exact.
struct WidenToF64 : OpRewritePattern<arith::ExtFOp> {
  WidenToF64(MLIRContext *context, bool f16)
      : OpRewritePattern(context), f16(f16) {}

  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    Type from = getElementTypeOrSelf(op.getIn().getType());
    if (!(from.isBF16() || (f16 && from.isF16())) ||
        !getElementTypeOrSelf(op.getType()).isF64())
      return rewriter.notifyMatchFailure(op, "it does not widen a half to f64");
    Bits b(rewriter, op);
    Value single = arith::ExtFOp::create(b, b.f32(), op.getIn());
    rewriter.replaceOpWithNewOp<arith::ExtFOp>(op, op.getType(), single);
    return success();
  }

  bool f16;
};

/// From f64 by way of f32. Rounding twice to nearest would be wrong next to
/// ties, so the first rounding is to odd: of the two numbers around one that
/// f32 does not have, the one whose last bit is set. That is never a tie of the
/// second rounding, and on the same side of all of them.
struct NarrowFromF64 : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    Type to = getElementTypeOrSelf(op.getType());
    if (!getElementTypeOrSelf(op.getIn().getType()).isF64() ||
        !(to.isF16() || to.isBF16()))
      return rewriter.notifyMatchFailure(op,
                                         "it does not narrow f64 to a half");
    Bits b(rewriter, op);
    Value x = op.getIn();
    Value nearest = arith::TruncFOp::create(b, b.f32(), x);
    Value back = arith::ExtFOp::create(b, x.getType(), nearest);
    Value bits = b.fromF32(nearest);
    // The other of the two: nearer to zero where the nearest one is too far
    // from it.
    Value zero = b.constant(x.getType(), b.getF64FloatAttr(0));
    using Predicate = arith::CmpFPredicate;
    auto compare = [&](Predicate predicate, Value y, Value z) {
      return arith::CmpFOp::create(b, predicate, y, z).getResult();
    };
    Value above = compare(Predicate::OGT, back, x);
    Value isTooFar = b.select(compare(Predicate::OGT, x, zero), above,
                              compare(Predicate::OLT, back, x));
    Value other = b.select(isTooFar, b.bin<arith::SubIOp>(bits, 1),
                           b.bin<arith::AddIOp>(bits, 1));
    Value isOdd =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                              b.bin<arith::AndIOp>(bits, 1), b.integer(0));
    Value stays =
        arith::OrIOp::create(b, isOdd, compare(Predicate::UEQ, back, x));
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(
        op, op.getType(), b.toF32(b.select(stays, bits, other)));
    return success();
  }
};

struct ExpandHalf final : headopt::impl::ExpandHalfBase<ExpandHalf> {
  using ExpandHalfBase::ExpandHalfBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<WidenBF16, NarrowBF16, NarrowFromF64>(&getContext());
    patterns.add<WidenToF64>(&getContext(), f16);
    if (f16)
      patterns.add<WidenF16>(&getContext());
    if (f16 || narrowF16)
      patterns.add<NarrowF16>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
