//===- PrepareSPIRVLoops.cpp - Loops that may make no trip ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Upstream's conversion keeps what a loop carries in variables that only the
// loop's body writes (llvm/llvm-project#211981), so that a loop without a trip
// gives what was there before.
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace headopt {
#define GEN_PASS_DEF_PREPARESPIRVLOOPS
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;

static bool makesTrip(scf::ForOp loop) {
  std::optional<int64_t> lower = getConstantIntValue(loop.getLowerBound());
  std::optional<int64_t> upper = getConstantIntValue(loop.getUpperBound());
  return lower && upper && *lower >= 0 && *lower < *upper;
}

static void guardResults(scf::ForOp loop) {
  OpBuilder builder(loop->getContext());
  builder.setInsertionPointAfter(loop);
  Location loc = loop.getLoc();
  Value runs =
      arith::CmpIOp::create(builder, loc,
                            loop.getUnsignedCmp() ? arith::CmpIPredicate::ult
                                                  : arith::CmpIPredicate::slt,
                            loop.getLowerBound(), loop.getUpperBound());
  for (auto [result, init] : llvm::zip(loop.getResults(), loop.getInitArgs())) {
    if (result.use_empty())
      continue;
    auto select = arith::SelectOp::create(builder, loc, runs, result, init);
    result.replaceAllUsesExcept(select, select);
  }
}

namespace {

struct PrepareSPIRVLoops final
    : headopt::impl::PrepareSPIRVLoopsBase<PrepareSPIRVLoops> {
  using PrepareSPIRVLoopsBase::PrepareSPIRVLoopsBase;

  void runOnOperation() override {
    getOperation().walk([](scf::ForOp loop) {
      if (loop.getNumResults() != 0 && !makesTrip(loop))
        guardResults(loop);
    });
  }
};

} // namespace
