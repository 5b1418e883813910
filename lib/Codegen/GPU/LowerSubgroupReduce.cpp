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
    unsigned lanes = subgroupSize;
    if (!llvm::isPowerOf2_32(lanes)) {
      getOperation().emitError("subgroup-size is a power of two, not ")
          << lanes;
      return signalPassFailure();
    }
    // Upstream's patterns would complain of large clusters each time that they
    // try, and make invalid operations of large numbers.
    if (failed(check([&](gpu::SubgroupReduceOp op) {
          return op.getClusterSize().value_or(1) <= lanes &&
                 getElementTypeOrSelf(op.getType()).getIntOrFloatBitWidth() <=
                     64;
        })))
      return signalPassFailure();

    RewritePatternSet patterns(&getContext());
    if (failed(populate(patterns)) ||
        failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    RewritePatternSet split(&getContext());
    populateGpuShufflePatterns(split);
    if (failed(applyPatternsGreedily(getOperation(), std::move(split))) ||
        failed(check([](gpu::SubgroupReduceOp) { return false; })))
      return signalPassFailure();
  }

private:
  /// Emits an error for the first reduction that is not `lowerable`.
  LogicalResult check(function_ref<bool(gpu::SubgroupReduceOp)> lowerable) {
    WalkResult result = getOperation().walk([&](gpu::SubgroupReduceOp op) {
      if (lowerable(op))
        return WalkResult::advance();
      InFlightDiagnostic error =
          op.emitOpError("cannot be lowered for sub-groups of ");
      error << static_cast<unsigned>(subgroupSize) << " lanes";
      if (!chip.empty())
        error << " of " << chip;
      return WalkResult::interrupt();
    });
    return failure(result.wasInterrupted());
  }

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
