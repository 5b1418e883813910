//===- PrepareSPIRVSubgroups.cpp - Sub-groups as Vulkan has them ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace headopt {
#define GEN_PASS_DEF_PREPARESPIRVSUBGROUPS
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;

namespace {

using Reduction = gpu::AllReduceOperation;

/// Upstream makes of maximumf what leaves the result open where a lane has a
/// NaN. So the NaNs are counted out: a reduction of numbers, and one that tells
/// whether there is a NaN.
void propagateNaN(gpu::SubgroupReduceOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  b.setInsertionPointAfter(op);
  auto type = cast<FloatType>(op.getType());
  op.setOp(op.getOp() == Reduction::MAXIMUMF ? Reduction::MAXNUMF
                                             : Reduction::MINNUMF);
  Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO,
                                      op.getValue(), op.getValue());
  Value flag = arith::ExtUIOp::create(b, b.getI32Type(), isNaN);
  auto flags =
      gpu::SubgroupReduceOp::create(b, flag, Reduction::OR,
                                    /*uniform=*/false, op.getClusterSize());
  Value zero = arith::ConstantOp::create(b, b.getI32IntegerAttr(0));
  Value hasNaN =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne, flags, zero);
  Value nan = arith::ConstantOp::create(
      b, b.getFloatAttr(type, APFloat::getQNaN(type.getFloatSemantics())));
  auto select = arith::SelectOp::create(b, hasNaN, nan, op.getResult());
  op.getResult().replaceAllUsesExcept(select, select);
}

struct PrepareSPIRVSubgroups final
    : headopt::impl::PrepareSPIRVSubgroupsBase<PrepareSPIRVSubgroups> {
  using PrepareSPIRVSubgroupsBase::PrepareSPIRVSubgroupsBase;

  LogicalResult prepare(gpu::SubgroupReduceOp op) {
    if (isa<VectorType>(op.getType()))
      return op.emitOpError("reduces vectors; reduce their elements");
    std::optional<uint32_t> size = op.getClusterSize();
    if (size && (*size > subgroupSize || op.getClusterStride() != 1))
      return op.emitOpError("has clusters of ")
             << *size << " lanes, " << op.getClusterStride()
             << " apart; they must be adjacent lanes of a sub-group of "
             << subgroupSize;
    if (size && *size == 1) {
      op.replaceAllUsesWith(op.getValue());
      op.erase();
      return success();
    }
    // All of a sub-group is no cluster, and asks for less of the device.
    if (size && *size == subgroupSize)
      op.removeClusterSizeAttr();
    // There is no uniform variant in shaders.
    op.setUniform(false);
    if (op.getOp() == Reduction::MAXIMUMF || op.getOp() == Reduction::MINIMUMF)
      propagateNaN(op);
    return success();
  }

  LogicalResult prepare(gpu::ShuffleOp op) {
    if (getConstantIntValue(op.getWidth()) == subgroupSize)
      return success();
    return op.emitOpError("must shuffle among all of a sub-group, which is ")
           << subgroupSize << " lanes";
  }

  /// Vulkan does not say which invocations are a sub-group. So kernels in which
  /// lanes work together number their threads by sub-group and lane.
  LogicalResult numberThreads(gpu::GPUFuncOp func) {
    std::optional<ArrayRef<int32_t>> block = func.getKnownBlockSize();
    if (!block || (*block)[0] % subgroupSize != 0)
      return func.emitOpError("uses sub-groups of ")
             << subgroupSize
             << " lanes, and its blocks are not known to be whole numbers of "
                "them (known_block_size)";
    SmallVector<gpu::ThreadIdOp> ids;
    func.walk([&](gpu::ThreadIdOp id) {
      if (id.getDimension() == gpu::Dimension::x)
        ids.push_back(id);
    });
    if (ids.empty())
      return success();
    ImplicitLocOpBuilder b(func.getLoc(), func);
    b.setInsertionPointToStart(&func.getBody().front());
    Value size = arith::ConstantIndexOp::create(b, subgroupSize);
    Value subgroup = gpu::SubgroupIdOp::create(b, b.getIndexType(), nullptr);
    Value lane = gpu::LaneIdOp::create(b, b.getIndexType(), nullptr);
    Value first = arith::MulIOp::create(b, subgroup, size);
    Value thread = arith::AddIOp::create(b, first, lane);
    for (gpu::ThreadIdOp id : ids) {
      id.replaceAllUsesWith(thread);
      id.erase();
    }
    return success();
  }

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    SmallVector<gpu::SubgroupReduceOp> reductions;
    SmallVector<gpu::ShuffleOp> shuffles;
    func.walk([&](Operation *op) {
      if (auto reduction = dyn_cast<gpu::SubgroupReduceOp>(op))
        reductions.push_back(reduction);
      else if (auto shuffle = dyn_cast<gpu::ShuffleOp>(op))
        shuffles.push_back(shuffle);
    });
    if (reductions.empty() && shuffles.empty())
      return;
    auto prepareOne = [&](auto op) { return failed(prepare(op)); };
    if (failed(numberThreads(func)) || llvm::any_of(reductions, prepareOne) ||
        llvm::any_of(shuffles, prepareOne))
      signalPassFailure();
  }
};

} // namespace
