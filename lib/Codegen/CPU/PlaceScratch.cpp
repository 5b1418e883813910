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
  int64_t bits = type.getElementType().isIndex()
                     ? IndexType::kInternalStorageBitWidth
                     : type.getElementTypeBitWidth();
  return llvm::alignTo(type.getNumElements() * llvm::divideCeil(bits, 8),
                       kAlignment);
}

/// Whether bytes of the scratch memory can stand for what `op` allocates.
static bool isPlain(memref::AllocOp op) {
  MemRefType type = op.getType();
  return type.getElementType().isIntOrIndexOrFloat() &&
         type.getLayout().isIdentity() && !type.getMemorySpace() &&
         op.getAlignment().value_or(1) <= uint64_t(kAlignment);
}

namespace {

struct PlaceScratch final : headopt::impl::PlaceScratchBase<PlaceScratch> {
  using PlaceScratchBase::PlaceScratchBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::MapVector<func::FuncOp, SmallVector<memref::AllocOp>> buffers;
    WalkResult result = module.walk([&](memref::AllocOp op) {
      auto function = dyn_cast<func::FuncOp>(op->getParentOp());
      if (!function || !op.getType().hasStaticShape()) {
        op.emitError("place-scratch: the size of an intermediate result is not "
                     "known, or it is made in a loop; give the model static "
                     "shapes");
        return WalkResult::interrupt();
      }
      if (!isPlain(op)) {
        op.emitError("place-scratch: needs buffers of numbers, contiguous, "
                     "aligned to ")
            << kAlignment << " at most, and in the default memory space";
        return WalkResult::interrupt();
      }
      buffers[function].push_back(op);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();

    if (buffers.empty())
      return;
    int64_t size = kAlignment;
    for (auto &[function, ops] : buffers) {
      int64_t total = 0;
      for (memref::AllocOp op : ops)
        total += getBytes(op.getType());
      size = std::max(size, total);
    }
    bool onStack = size <= stackBytes;
    OpBuilder builder(module.getBodyRegion());
    auto alignment = builder.getI64IntegerAttr(kAlignment);
    auto type = MemRefType::get({size}, builder.getI8Type());
    memref::GlobalOp global;
    if (!onStack) {
      // Before there is a second symbol of that name.
      SymbolTable symbols(module);
      global = memref::GlobalOp::create(builder, module.getLoc(), "scratch",
                                        builder.getStringAttr("private"), type,
                                        builder.getUnitAttr(),
                                        /*constant=*/false, alignment);
      symbols.insert(global);
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
        // The memory stays for the whole call.
        for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
          if (isa<memref::DeallocOp>(user))
            user->erase();
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
