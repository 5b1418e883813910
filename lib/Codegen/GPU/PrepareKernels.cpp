//===- PrepareKernels.cpp - Kernels that upstream's conversions take ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Conversion/ArithCommon/AttrToLLVMConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace headopt {
#define GEN_PASS_DEF_PREPAREKERNELS
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;

namespace {

/// What stands for the length of a buffer: more than any has.
constexpr int64_t kAnyLength = int64_t(1) << 40;

/// An operation of the math dialect by LLVM's function for it.
template <typename Op> struct ToIntrinsic : OpRewritePattern<Op> {
  ToIntrinsic(MLIRContext *context, StringRef intrinsic)
      : OpRewritePattern<Op>(context), intrinsic(intrinsic) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    auto fast = LLVM::FastmathFlagsAttr::get(
        op.getContext(),
        arith::convertArithFastMathFlagsToLLVM(op.getFastmath()));
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
        op, op.getType(), rewriter.getStringAttr(intrinsic), op->getOperands(),
        fast);
    return success();
  }

  StringRef intrinsic;
};

/// The number of blocks, from what the hardware was asked to do
/// (hsa_kernel_dispatch_packet_t), which counts threads.
struct GridFromPacket : OpRewritePattern<gpu::GridDimOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(gpu::GridDimOp op,
                                PatternRewriter &rewriter) const override {
    auto dimension = static_cast<int32_t>(op.getDimension());
    auto func = op->getParentOfType<gpu::GPUFuncOp>();
    std::optional<ArrayRef<int32_t>> block =
        func ? func.getKnownBlockSize() : std::nullopt;
    if (!block)
      return rewriter.notifyMatchFailure(op, "the size of blocks is not known");
    // Where grid_size_x is, in words.
    constexpr int32_t kGridSize = 3;
    Location loc = op.getLoc();
    // Constant memory, in AMD's numbering.
    auto pointer = LLVM::LLVMPointerType::get(op.getContext(), 4);
    Type i32 = rewriter.getI32Type();
    Value packet =
        LLVM::CallIntrinsicOp::create(
            rewriter, loc, pointer,
            rewriter.getStringAttr("llvm.amdgcn.dispatch.ptr"), ValueRange())
            .getResult(0);
    Value place =
        LLVM::GEPOp::create(rewriter, loc, pointer, i32, packet,
                            ArrayRef<LLVM::GEPArg>(kGridSize + dimension));
    Value threads = LLVM::LoadOp::create(
        rewriter, loc, i32, place, /*alignment=*/4, /*isVolatile=*/false,
        /*isNonTemporal=*/false, /*isInvariant=*/true);
    Value size = arith::ConstantOp::create(
        rewriter, loc, rewriter.getI32IntegerAttr((*block)[dimension]));
    Value blocks = arith::DivUIOp::create(rewriter, loc, threads, size);
    rewriter.replaceOpWithNewOp<arith::IndexCastUIOp>(op, op.getType(), blocks);
    return success();
  }
};

struct PrepareKernels final
    : headopt::impl::PrepareKernelsBase<PrepareKernels> {
  using PrepareKernelsBase::PrepareKernelsBase;

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<ToIntrinsic<math::AbsFOp>>(context, "llvm.fabs");
    patterns.add<ToIntrinsic<math::CeilOp>>(context, "llvm.ceil");
    patterns.add<ToIntrinsic<math::CopySignOp>>(context, "llvm.copysign");
    patterns.add<ToIntrinsic<math::FloorOp>>(context, "llvm.floor");
    patterns.add<ToIntrinsic<math::FmaOp>>(context, "llvm.fma");
    patterns.add<ToIntrinsic<math::RoundEvenOp>>(context, "llvm.roundeven");
    patterns.add<ToIntrinsic<math::SqrtOp>>(context, "llvm.sqrt");
    patterns.add<ToIntrinsic<math::TruncOp>>(context, "llvm.trunc");
    if (rocm)
      patterns.add<GridFromPacket>(context);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
    if (failed(checkFunctions()))
      return signalPassFailure();

    for (auto func : getOperation().getOps<gpu::GPUFuncOp>())
      if (func.isKernel() &&
          (failed(checkBuffers(func)) || failed(placeArguments(func))))
        return signalPassFailure();
  }

private:
  LogicalResult checkFunctions();
  static LogicalResult checkBuffers(gpu::GPUFuncOp func);
  static LogicalResult placeArguments(gpu::GPUFuncOp func);
  static void replaceUses(Value argument, MemRefType from, OpBuilder &builder);
};

} // namespace

/// Fails for functions of numbers that would become calls of a library, or, as
/// the case may be, less exact instructions.
LogicalResult PrepareKernels::checkFunctions() {
  WalkResult result = getOperation().walk([](Operation *op) {
    if (!isa_and_present<math::MathDialect>(op->getDialect()) ||
        !llvm::any_of(op->getOperandTypes(), [](Type type) {
          return isa<FloatType>(getElementTypeOrSelf(type));
        }))
      return WalkResult::advance();
    op->emitOpError("is no instruction of devices; write it as arithmetic, as "
                    "approximate-math does for f32");
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

/// Fails where `func` asks a buffer for what a pointer does not say.
LogicalResult PrepareKernels::checkBuffers(gpu::GPUFuncOp func) {
  WalkResult result = func.walk([](Operation *op) {
    auto isView = [](Type type) {
      auto buffer = dyn_cast<MemRefType>(type);
      return buffer && !buffer.getLayout().isIdentity();
    };
    auto isDynamic = [](memref::DimOp dim) {
      auto buffer = dyn_cast<MemRefType>(dim.getSource().getType());
      return !buffer || !buffer.hasStaticShape();
    };
    auto dim = dyn_cast<memref::DimOp>(op);
    if ((dim && isDynamic(dim)) || isa<memref::ExtractStridedMetadataOp>(op))
      op->emitOpError(
          "asks for the shape of a buffer, which kernels get no "
          "more of than the address; pass the extent as an argument "
          "of its own");
    else if (llvm::any_of(op->getResultTypes(), isView))
      op->emitOpError("makes a view with a layout; kernels have buffers of one "
                      "axis, so compute the indices into these");
    else
      return WalkResult::advance();
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

/// Has what used `argument` as of the type `from` use it as it is now.
void PrepareKernels::replaceUses(Value argument, MemRefType from,
                                 OpBuilder &builder) {
  auto to = cast<MemRefType>(argument.getType());
  Value asBefore;
  for (OpOperand &use : llvm::make_early_inc_range(argument.getUses())) {
    // These take buffers of all lengths and places.
    Operation *user = use.getOwner();
    if (isa<memref::LoadOp>(user) ||
        (isa<memref::StoreOp>(user) && use.getOperandNumber() == 1))
      continue;
    if (!asBefore) {
      auto unplaced = MemRefType::get(to.getShape(), to.getElementType());
      asBefore = memref::MemorySpaceCastOp::create(builder, argument.getLoc(),
                                                   unplaced, argument);
      if (unplaced != from)
        asBefore =
            memref::CastOp::create(builder, argument.getLoc(), from, asBefore);
    }
    use.set(asBefore);
  }
}

/// Gives the buffers among the kernel's arguments a length and a place.
LogicalResult PrepareKernels::placeArguments(gpu::GPUFuncOp func) {
  auto global =
      gpu::AddressSpaceAttr::get(func.getContext(), gpu::AddressSpace::Global);
  auto builder = OpBuilder::atBlockBegin(&func.getBody().front());
  SmallVector<Type> types(func.getArgumentTypes());
  for (auto [index, type] : llvm::enumerate(types)) {
    auto buffer = dyn_cast<MemRefType>(type);
    if (!buffer && !isa<BaseMemRefType>(type))
      continue;
    if (!buffer || buffer.getRank() != 1 || !buffer.getLayout().isIdentity() ||
        (buffer.getMemorySpace() && buffer.getMemorySpace() != global))
      return func.emitError("argument ")
             << index << " is of " << type
             << "; kernels take buffers of one axis, without a layout, in the "
                "device's memory";
    int64_t length = buffer.isDynamicDim(0) ? kAnyLength : buffer.getDimSize(0);
    auto placed = MemRefType::get({length}, buffer.getElementType(),
                                  MemRefLayoutAttrInterface(), global);
    types[index] = placed;
    BlockArgument argument = func.getArgument(index);
    argument.setType(placed);
    replaceUses(argument, buffer, builder);
  }
  func.setFunctionType(
      FunctionType::get(func.getContext(), types, func.getResultTypes()));
  return success();
}
