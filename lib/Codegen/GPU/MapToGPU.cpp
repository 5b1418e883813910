//===- MapToGPU.cpp - From linalg on tensors to launches ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Mapping.h"
#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Remarks.h"

namespace headopt {
#define GEN_PASS_DEF_MAPPOOLINGTOGPU
#define GEN_PASS_DEF_MAPDENSETOGPU
#define GEN_PASS_DEF_MAPLOOPSTOGPU
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;
using namespace headopt;

/// What the launches of `func` share. Kernels are told apart by a word of each
/// pass in their names, and numbered behind those that are there already.
static KernelFamily makeFamily(func::FuncOp func, const KernelShape &shape,
                               StringRef word) {
  std::string name = func.getName().str();
  KernelFamily family{shape, name + "_kernels", name + "_" + word.str()};
  func.walk([&](gpu::LaunchOp) { ++family.numKernels; });
  return family;
}

/// Emits an error when the options of a pass do not fit together.
static LogicalResult checkShape(Operation *op, const KernelShape &shape) {
  if (!llvm::is_contained({4, 8, 16, 32, 64}, shape.subgroupSize))
    return op->emitError("subgroup-size is ")
           << shape.subgroupSize << "; give 4, 8, 16, 32 or 64";
  int64_t unit = std::max<int64_t>(32, shape.subgroupSize);
  if (shape.blockThreads == 0 || shape.blockThreads % unit != 0 ||
      shape.blockThreads > 1024)
    return op->emitError("block-threads is ")
           << shape.blockThreads << "; give a multiple of " << unit
           << ", up to 1024";
  if (shape.maxBlocks == 0 || shape.maxBlocks > int64_t(kAnyBlocks))
    return op->emitError("max-blocks is ")
           << shape.maxBlocks << "; give 1 or more, up to " << kAnyBlocks;
  return success();
}

/// Whether there is nothing to read or to write.
static bool isEmpty(linalg::LinalgOp op) {
  return llvm::any_of(op->getOperandTypes(), [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return shaped && llvm::is_contained(shaped.getShape(), 0);
  });
}

/// Why kernels cannot read `input`, add up in `sum` or write the result of
/// `root`; empty when they can.
static StringRef checkTypes(Type input, Type sum, Operation *root) {
  if (!sum.isF32() || !isKernelElement(getElementTypeOrSelf(input)))
    return "it is of float64";
  if (!isKernelElement(getElementTypeOrSelf(root->getResult(0).getType())))
    return "its result is of a type that kernels do not write";
  return "";
}

static void remarkMissed(Operation *op, StringRef category, StringRef reason) {
  remark::missed(op->getLoc(),
                 remark::RemarkOpts::name("NotMapped").category(category))
      << remark::reason("{0}", reason.str());
}

/// Replaces `root`, which the operations `parts` belong to.
static void replaceRoot(RewriterBase &rewriter, Operation *root, Value value,
                        Operation *part) {
  rewriter.replaceOp(root, value);
  if (part != root)
    rewriter.eraseOp(part);
}

namespace {

struct MapPoolingToGPU final
    : headopt::impl::MapPoolingToGPUBase<MapPoolingToGPU> {
  using MapPoolingToGPUBase::MapPoolingToGPUBase;

  void runOnFunction(func::FuncOp func, const KernelShape &shape) {
    KernelFamily family = makeFamily(func, shape, "pool");
    SmallVector<linalg::GenericOp> ops;
    func.walk([&](linalg::GenericOp op) {
      if (op.getNumReductionLoops() != 0)
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::GenericOp op : ops) {
      StringRef whyNot;
      FailureOr<PoolingReduction> pooling = matchReduction(op, whyNot);
      if (isEmpty(op))
        whyNot = "there is nothing to reduce";
      else if (succeeded(pooling))
        whyNot = checkTypes(pooling->getInputType(),
                            pooling->getAccumulatorType(), pooling->getRoot());
      if (!whyNot.empty()) {
        remarkMissed(op, "map-pooling-to-gpu", whyNot);
        continue;
      }
      Operation *root = pooling->getRoot();
      KernelBuilder builder(root, family);
      Value result = mapPooling(builder, *pooling);
      replaceRoot(rewriter, root, result, op);
    }
  }

  void runOnOperation() override {
    KernelShape shape{subgroupSize, blockThreads, maxBlocks};
    if (failed(checkShape(getOperation(), shape)))
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>())
      runOnFunction(func, shape);
  }
};

struct MapDenseToGPU final : headopt::impl::MapDenseToGPUBase<MapDenseToGPU> {
  using MapDenseToGPUBase::MapDenseToGPUBase;

  void runOnFunction(func::FuncOp func, const KernelShape &shape) {
    KernelFamily family = makeFamily(func, shape, "dense");
    SmallVector<linalg::LinalgOp> ops;
    func.walk([&](linalg::LinalgOp op) {
      if (linalg::isaContractionOpInterface(op))
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : ops) {
      StringRef whyNot;
      FailureOr<DenseProduct> dense = matchDenseProduct(op, whyNot);
      // What is done to the sums is a kernel of its own where its operands are
      // none of this one's.
      if (succeeded(dense) && dense->epilogue &&
          !llvm::all_of(dense->epilogue->getOperandTypes(), [](Type type) {
            return isKernelElement(getElementTypeOrSelf(type));
          }))
        dense->epilogue = nullptr;
      if (succeeded(dense))
        whyNot = dense->getWeightData()
                     ? checkTypes(dense->rows.getType(),
                                  dense->getAccumulatorType(), dense->getRoot())
                     : "the constant's data is not there";
      if (!whyNot.empty()) {
        remarkMissed(op, "map-dense-to-gpu", whyNot);
        continue;
      }
      Operation *root = dense->getRoot();
      KernelBuilder builder(root, family);
      Value result = mapDense(builder, *dense);
      replaceRoot(rewriter, root, result, op);
    }
  }

  void runOnOperation() override {
    KernelShape shape{subgroupSize, blockThreads, maxBlocks};
    if (failed(checkShape(getOperation(), shape)))
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>())
      runOnFunction(func, shape);
  }
};

struct MapLoopsToGPU final : headopt::impl::MapLoopsToGPUBase<MapLoopsToGPU> {
  using MapLoopsToGPUBase::MapLoopsToGPUBase;

  LogicalResult runOnFunction(func::FuncOp func, const KernelShape &shape) {
    KernelFamily family = makeFamily(func, shape, "loops");
    SmallVector<linalg::LinalgOp> ops;
    func.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : ops) {
      // What a kernel starts from is a number in it.
      if (isa<linalg::FillOp>(op) && llvm::all_of(op->getUsers(), [&](auto *u) {
            auto user = dyn_cast<linalg::LinalgOp>(u);
            return user &&
                   llvm::all_of(op->getResult(0).getUses(), [](auto &use) {
                     auto owner = dyn_cast<linalg::LinalgOp>(use.getOwner());
                     return owner && owner.isDpsInit(&use);
                   });
          }))
        continue;
      std::string whyNot;
      if (failed(checkMapsToLoops(op, whyNot)))
        return op.emitError("cannot run on a GPU: ") << whyNot;
      KernelBuilder builder(op, family);
      rewriter.replaceOp(op, mapLoops(builder, op));
    }
    // Not all operations of the dialect are loops with a body.
    WalkResult walked = func.walk([](Operation *op) {
      if (!isa_and_present<linalg::LinalgDialect>(op->getDialect()) ||
          isa<linalg::FillOp, linalg::YieldOp>(op))
        return WalkResult::advance();
      op->emitError("cannot run on a GPU: it is no loop nest; write it "
                    "as linalg.generic");
      return WalkResult::interrupt();
    });
    return failure(walked.wasInterrupted());
  }

  void runOnOperation() override {
    KernelShape shape{subgroupSize, blockThreads, maxBlocks};
    if (failed(checkShape(getOperation(), shape)))
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (failed(runOnFunction(func, shape)))
        return signalPassFailure();
  }
};

} // namespace
