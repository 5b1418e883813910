//===- LowerStridedCopies.cpp - Copies between buffers with gaps ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Utils/MemRefUtils.h"

namespace headopt {
#define GEN_PASS_DEF_LOWERSTRIDEDCOPIES
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;

/// Whether upstream's lowering of memref.copy takes `type` for one block of
/// memory.
static bool isContiguous(MemRefType type) {
  if (type.getLayout().isIdentity())
    return true;
  return type.hasStaticShape() && type.getNumElements() > 0 &&
         memref::isStaticShapeAndContiguousRowMajor(type);
}

namespace {

struct LowerStridedCopies final
    : headopt::impl::LowerStridedCopiesBase<LowerStridedCopies> {
  using LowerStridedCopiesBase::LowerStridedCopiesBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    getOperation()->walk([&](memref::CopyOp op) {
      auto source = dyn_cast<MemRefType>(op.getSource().getType());
      auto target = dyn_cast<MemRefType>(op.getTarget().getType());
      // Unranked ones have no axes to loop over.
      if (!source || !target || (isContiguous(source) && isContiguous(target)))
        return;
      rewriter.setInsertionPoint(op);
      rewriter.replaceOpWithNewOp<linalg::CopyOp>(op, op.getSource(),
                                                  op.getTarget());
    });
  }
};

} // namespace
