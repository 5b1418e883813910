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

/// What the launches of `func` share. Kernels that earlier passes made keep
/// their names, since every pass has a word of its own in them.
static KernelFamily makeFamily(func::FuncOp func, int64_t subgroupSize,
                               StringRef pass) {
  std::string name = func.getName().str();
  return {subgroupSize, name + "_kernels", name + "_" + pass.str()};
}

static LogicalResult checkSubgroupSize(Operation *op, unsigned size) {
  if (llvm::is_contained({4u, 8u, 16u, 32u, 64u}, size))
    return success();
  return op->emitError("subgroup-size is ")
         << size << "; give 4, 8, 16, 32 or 64";
}

/// Whether there is nothing to read or to write.
static bool isEmpty(linalg::LinalgOp op) {
  return llvm::any_of(op->getOperandTypes(), [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return shaped && llvm::is_contained(shaped.getShape(), 0);
  });
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

  void runOnFunction(func::FuncOp func) {
    KernelFamily family = makeFamily(func, subgroupSize, "pool");
    SmallVector<linalg::GenericOp> ops;
    func.walk([&](linalg::GenericOp op) {
      if (op.getNumReductionLoops() != 0)
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::GenericOp op : ops) {
      StringRef whyNot = "it is of float64";
      FailureOr<PoolingReduction> pooling = matchReduction(op, whyNot);
      if (failed(pooling) || isEmpty(op) ||
          !isKernelElement(pooling->getInputType().getElementType()) ||
          !pooling->getAccumulatorType().isF32()) {
        remarkMissed(op, "map-pooling-to-gpu",
                     isEmpty(op) ? "there is nothing to reduce" : whyNot);
        continue;
      }
      Operation *root = pooling->getRoot();
      KernelBuilder builder(root, family);
      Value result = mapPooling(builder, *pooling);
      replaceRoot(rewriter, root, result, op);
    }
  }

  void runOnOperation() override {
    if (failed(checkSubgroupSize(getOperation(), subgroupSize)))
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>())
      runOnFunction(func);
  }
};

struct MapDenseToGPU final : headopt::impl::MapDenseToGPUBase<MapDenseToGPU> {
  using MapDenseToGPUBase::MapDenseToGPUBase;

  void runOnFunction(func::FuncOp func) {
    KernelFamily family = makeFamily(func, subgroupSize, "dense");
    SmallVector<linalg::LinalgOp> ops;
    func.walk([&](linalg::LinalgOp op) {
      if (linalg::isaContractionOpInterface(op))
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : ops) {
      StringRef whyNot = "it is of float64";
      FailureOr<DenseProduct> dense = matchDenseProduct(op, whyNot);
      if (succeeded(dense) && !dense->getWeightData()) {
        whyNot = "the constant's data is not there";
        dense = failure();
      }
      if (failed(dense) || !dense->getAccumulatorType().isF32() ||
          !isKernelElement(getElementTypeOrSelf(dense->rows.getType()))) {
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
    if (failed(checkSubgroupSize(getOperation(), subgroupSize)))
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>())
      runOnFunction(func);
  }
};

struct MapLoopsToGPU final : headopt::impl::MapLoopsToGPUBase<MapLoopsToGPU> {
  using MapLoopsToGPUBase::MapLoopsToGPUBase;

  LogicalResult runOnFunction(func::FuncOp func) {
    // The kernels do not care how many lanes exchange numbers.
    KernelFamily family = makeFamily(func, /*subgroupSize=*/1, "loops");
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
    return success();
  }

  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (failed(runOnFunction(func)))
        return signalPassFailure();
  }
};

} // namespace
