//===- SchedulePooling.cpp - Pooling reductions as loops of vectors -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which operations are scheduled, and the shapes of what they read and write.
// PoolingRows.cpp and PoolingColumns.cpp have the schedules.
//
//===----------------------------------------------------------------------===//

#include "PoolingLoops.h"
#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/MathExtras.h"

namespace headopt {
#define GEN_PASS_DEF_SCHEDULEPOOLING
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;
using namespace headopt;

/// The value that replaces the result of `reduction`.
static Value schedule(VectorLoops &b, const PoolingReduction &reduction,
                      int64_t vectorBits, int64_t cutBytes) {
  PoolingLoops loops(b, reduction, vectorBits);
  SmallVector<ReassociationIndices> outputGroups;
  SmallVector<Index> outputExtents;
  int64_t outputAxis = 0;
  for (auto [group, extent] :
       llvm::zip_equal(reduction.groups, loops.extents)) {
    if (group.reduced)
      continue;
    outputExtents.push_back(extent);
    outputGroups.emplace_back();
    for (size_t i = 0; i != group.axes.size(); ++i)
      outputGroups.back().push_back(outputAxis++);
  }
  linalg::GenericOp root = loops.pooling.getRoot();
  auto resultType = cast<RankedTensorType>(root.getResult(0).getType());
  Value dest =
      tensor::EmptyOp::create(b, outputExtents, resultType.getElementType());
  Value result = reduction.groups.back().reduced
                     ? scheduleRows(loops, dest)
                     : scheduleColumns(loops, dest, cutBytes);
  // The result's type may say more than the input's.
  RankedTensorType flatType =
      tensor::CollapseShapeOp::inferCollapsedType(resultType, outputGroups);
  if (result.getType() != flatType)
    result = tensor::CastOp::create(b, flatType, result);
  if (flatType != resultType) {
    Value like = root.getDpsInitOperand(0)->get();
    result = tensor::ExpandShapeOp::create(
        b, resultType, result, outputGroups,
        tensor::getMixedSizes(b, b.getLoc(), like));
  }
  return result;
}

/// Has the result of expand_shapes written to a buffer without them: the buffer
/// is seen in the other shape, so that the loops write to it and nothing has to
/// be copied. A buffer that is not known to have such a shape stays as it is:
/// one with gaps between axes that are to be one, or with unknown axes for a
/// number.
static void writeUnexpanded(RewriterBase &rewriter,
                            bufferization::MaterializeInDestinationOp write) {
  if (!isa<MemRefType>(write.getDest().getType()))
    return;
  rewriter.setInsertionPoint(write);
  while (auto expand =
             write.getSource().getDefiningOp<tensor::ExpandShapeOp>()) {
    auto type = cast<MemRefType>(write.getDest().getType());
    if (!memref::CollapseShapeOp::isGuaranteedCollapsible(
            type, expand.getReassociationIndices()) ||
        (expand.getSrcType().getRank() == 0 && !type.hasStaticShape()))
      return;
    Value dest = memref::CollapseShapeOp::create(
        rewriter, write.getLoc(), write.getDest(),
        expand.getReassociationIndices());
    rewriter.modifyOpInPlace(write, [&] {
      write.getSourceMutable().assign(expand.getSrc());
      write.getDestMutable().assign(dest);
    });
  }
}

namespace {

struct SchedulePooling final
    : headopt::impl::SchedulePoolingBase<SchedulePooling> {
  using SchedulePoolingBase::SchedulePoolingBase;

  void runOnOperation() override {
    if (vectorBits != 128 && vectorBits != 256 && vectorBits != 512) {
      getOperation().emitError("schedule-pooling: vector-bits is ")
          << vectorBits.getValue() << "; give 128, 256 or 512";
      return signalPassFailure();
    }
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    llvm::SmallPtrSet<Operation *, 8> epilogues;
    for (linalg::GenericOp op : ops) {
      if (epilogues.contains(op))
        continue;
      StringRef whyNot;
      FailureOr<PoolingReduction> pooling = matchPooling(op, whyNot);
      if (failed(pooling)) {
        if (op.getNumReductionLoops() != 0)
          remark::missed(
              op.getLoc(),
              remark::RemarkOpts::name("Pooling").category("schedule-pooling"))
              << remark::reason("{0}", whyNot.str());
        continue;
      }
      // Nothing to read, or a copy: left to what lowers the rest.
      ArrayRef<int64_t> shape = pooling->getInputType().getShape();
      if (llvm::is_contained(shape, 0) ||
          llvm::all_of(pooling->groups, [&](const AxisGroup &group) {
            return !group.reduced ||
                   llvm::all_of(group.axes,
                                [&](int64_t axis) { return shape[axis] == 1; });
          }))
        continue;
      linalg::GenericOp root = pooling->getRoot();
      VectorLoops builder(root.getLoc(), rewriter);
      builder.setInsertionPoint(root);
      Value result = schedule(builder, *pooling, vectorBits, cutBytes);
      rewriter.replaceOp(root, result);
      if (root != pooling->sum) {
        epilogues.insert(root);
        rewriter.eraseOp(pooling->sum);
      }
    }
    getOperation().walk([&](bufferization::MaterializeInDestinationOp write) {
      writeUnexpanded(rewriter, write);
    });
  }
};

} // namespace
