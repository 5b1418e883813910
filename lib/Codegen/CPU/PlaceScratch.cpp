//===- PlaceScratch.cpp - Buffers in one global or on the stack -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/Support/MathExtras.h"

namespace headopt {
#define GEN_PASS_DEF_PLACESCRATCH
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;
using namespace headopt;

/// Of each buffer: a cache line, and the widest vector.
constexpr int64_t kAlignment = 64;

static int64_t getBytes(MemRefType type) {
  return llvm::alignTo(type.getNumElements() *
                           llvm::divideCeil(type.getElementTypeBitWidth(), 8),
                       kAlignment);
}

namespace {

struct PlaceScratch final : headopt::impl::PlaceScratchBase<PlaceScratch> {
  using PlaceScratchBase::PlaceScratchBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::MapVector<func::FuncOp, SmallVector<memref::AllocOp>> buffers;
    WalkResult result = module.walk([&](memref::AllocOp op) {
      auto function = dyn_cast<func::FuncOp>(op->getParentOp());
      if (!function || !op.getType().hasStaticShape() ||
          !op.getType().getLayout().isIdentity()) {
        op.emitError("place-scratch: needs buffers of static size outside of "
                     "loops");
        return WalkResult::interrupt();
      }
      buffers[function].push_back(op);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();

    int64_t size = 0;
    for (auto &[function, ops] : buffers) {
      int64_t total = 0;
      for (memref::AllocOp op : ops)
        total += getBytes(op.getType());
      size = std::max(size, total);
    }
    if (size == 0)
      return;
    bool onStack = size <= stackBytes;
    OpBuilder builder(module.getBodyRegion());
    auto alignment = builder.getI64IntegerAttr(kAlignment);
    auto type = MemRefType::get({size}, builder.getI8Type());
    memref::GlobalOp global;
    if (!onStack) {
      global = memref::GlobalOp::create(builder, module.getLoc(), "scratch",
                                        builder.getStringAttr("private"), type,
                                        builder.getUnitAttr(),
                                        /*constant=*/false, alignment);
      SymbolTable(module).insert(global);
    }
    for (auto &[function, ops] : buffers) {
      Location loc = function.getLoc();
      builder.setInsertionPointToStart(&function.getBody().front());
      Value memory = onStack ? Value(memref::AllocaOp::create(
                                   builder, loc, type, ValueRange(), alignment))
                             : Value(memref::GetGlobalOp::create(
                                   builder, loc, type, global.getName()));
      int64_t offset = 0;
      for (memref::AllocOp op : ops) {
        builder.setInsertionPoint(op);
        Value at = arith::ConstantIndexOp::create(builder, loc, offset);
        op.replaceAllUsesWith(memref::ViewOp::create(builder, loc, op.getType(),
                                                     memory, at, ValueRange())
                                  .getResult());
        offset += getBytes(op.getType());
        op.erase();
      }
    }
  }
};

} // namespace
