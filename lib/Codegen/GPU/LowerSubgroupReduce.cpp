//===- LowerSubgroupReduce.cpp - Sums over the lanes of a sub-group -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The patterns are upstream's, which has no pass for them but that of its
// tests.
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/AMDGPU/IR/AMDGPUDialect.h"
#include "mlir/Dialect/AMDGPU/Utils/Chipset.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace headopt {
#define GEN_PASS_DEF_LOWERSUBGROUPREDUCE
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;

namespace {

struct LowerSubgroupReduce final
    : headopt::impl::LowerSubgroupReduceBase<LowerSubgroupReduce> {
  using LowerSubgroupReduceBase::LowerSubgroupReduceBase;

  void runOnOperation() override {
    if (!llvm::isPowerOf2_32(subgroupSize)) {
      getOperation().emitError("subgroup-size is a power of two, not ")
          << subgroupSize;
      return signalPassFailure();
    }
    RewritePatternSet patterns(&getContext());
    if (failed(populate(patterns)) ||
        failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    RewritePatternSet split(&getContext());
    populateGpuShufflePatterns(split);
    if (failed(applyPatternsGreedily(getOperation(), std::move(split))))
      return signalPassFailure();

    WalkResult leftover = getOperation().walk([&](gpu::SubgroupReduceOp op) {
      op.emitError("cannot be lowered for sub-groups of ")
          << subgroupSize << (chip.empty() ? "" : " of " + chip);
      return WalkResult::interrupt();
    });
    if (leftover.wasInterrupted())
      signalPassFailure();
  }

private:
  LogicalResult populate(RewritePatternSet &patterns) {
    if (!chip.empty()) {
      FailureOr<amdgpu::Chipset> chipset = amdgpu::Chipset::parse(chip);
      if (failed(chipset))
        return getOperation().emitError("'")
               << chip << "' is no chip of AMD's; name one such as gfx90a";
      populateGpuLowerSubgroupReduceToDPPPatterns(patterns, subgroupSize,
                                                  *chipset, /*benefit=*/3);
      populateGpuLowerClusteredSubgroupReduceToDPPPatterns(
          patterns, subgroupSize, *chipset, /*benefit=*/3);
    }
    populateGpuBreakDownSubgroupReducePatterns(
        patterns, /*maxShuffleBitwidth=*/32, /*benefit=*/4);
    // Those of 64 bits would widen what has 32, so they come last.
    for (unsigned bits : {32, 64}) {
      PatternBenefit benefit = bits == 32 ? 2 : 1;
      populateGpuLowerSubgroupReduceToShufflePatterns(patterns, subgroupSize,
                                                      bits, benefit);
      populateGpuLowerClusteredSubgroupReduceToShufflePatterns(
          patterns, subgroupSize, bits, benefit);
    }
    return success();
  }
};

} // namespace
