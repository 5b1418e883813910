//===- PrepareSPIRVSubgroups.cpp - Sub-groups as Vulkan has them ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions become shuffles: fewer devices have the instructions for clusters
// (Mesa's for CPUs does not), these leave open in which order they add and what
// a NaN does, and this way all devices add as those of CUDA and HIP do.
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Utils/GPUUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace headopt {
#define GEN_PASS_DEF_PREPARESPIRVSUBGROUPS
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;

namespace {

struct PrepareSPIRVSubgroups final
    : headopt::impl::PrepareSPIRVSubgroupsBase<PrepareSPIRVSubgroups> {
  using PrepareSPIRVSubgroupsBase::PrepareSPIRVSubgroupsBase;

  /// Adds up pairs, pairs of pairs, and so on, so that every lane has the
  /// result and all have the same.
  LogicalResult prepare(gpu::SubgroupReduceOp op) {
    if (isa<VectorType>(op.getType()))
      return op.emitOpError("reduces vectors; reduce their elements");
    uint32_t size = op.getClusterSize().value_or(subgroupSize);
    if (size > subgroupSize || op.getClusterStride() != 1)
      return op.emitOpError("has clusters of ")
             << size << " lanes, " << op.getClusterStride()
             << " apart; they must be adjacent lanes of a sub-group of "
             << subgroupSize.getValue();
    ImplicitLocOpBuilder b(op.getLoc(), op);
    vector::CombiningKind kind = gpu::convertReductionKind(op.getOp());
    Value all = op.getValue();
    for (uint32_t distance = 1; distance < size; distance *= 2) {
      auto other = gpu::ShuffleOp::create(
          b, all, static_cast<int32_t>(distance),
          static_cast<int32_t>(subgroupSize), gpu::ShuffleMode::XOR);
      all = vector::makeArithReduction(b, op.getLoc(), kind, all,
                                       other.getShuffleResult());
    }
    op.replaceAllUsesWith(all);
    op.erase();
    return success();
  }

  LogicalResult prepare(gpu::ShuffleOp op) {
    if (getConstantIntValue(op.getWidth()) == subgroupSize)
      return success();
    return op.emitOpError("must shuffle among all of a sub-group, which is ")
           << subgroupSize.getValue() << " lanes";
  }

  /// Vulkan does not say which invocations are a sub-group. So kernels in which
  /// lanes work together number their threads by sub-group and lane.
  LogicalResult numberThreads(gpu::GPUFuncOp func) {
    std::optional<ArrayRef<int32_t>> block = func.getKnownBlockSize();
    if (!block || (*block)[0] % subgroupSize != 0)
      return func.emitOpError("uses sub-groups of ")
             << subgroupSize.getValue()
             << " lanes, and its blocks are not known to be whole numbers of "
                "them (known_block_size)";
    SmallVector<gpu::ThreadIdOp> ids;
    SmallVector<gpu::GlobalIdOp> globalIds;
    func.walk([&](Operation *op) {
      if (auto id = dyn_cast<gpu::ThreadIdOp>(op);
          id && id.getDimension() == gpu::Dimension::x)
        ids.push_back(id);
      if (auto id = dyn_cast<gpu::GlobalIdOp>(op);
          id && id.getDimension() == gpu::Dimension::x)
        globalIds.push_back(id);
    });
    if (ids.empty() && globalIds.empty())
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
    for (gpu::GlobalIdOp id : globalIds) {
      b.setInsertionPoint(id);
      Value threads = arith::ConstantIndexOp::create(b, (*block)[0]);
      Value before = arith::MulIOp::create(
          b, gpu::BlockIdOp::create(b, gpu::Dimension::x), threads);
      Value number = arith::AddIOp::create(b, before, thread);
      id.replaceAllUsesWith(number);
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
    if (failed(numberThreads(func)) || llvm::any_of(shuffles, prepareOne) ||
        llvm::any_of(reductions, prepareOne))
      signalPassFailure();
  }
};

} // namespace
