//===- MoveBF16.cpp - bf16 in the LLVM dialect as integers ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace headopt {
#define GEN_PASS_DEF_MOVEBF16
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;

namespace {

struct MoveBF16 final : headopt::impl::MoveBF16Base<MoveBF16> {
  using MoveBF16Base::MoveBF16Base;

  void runOnOperation() override {
    Type i16 = IntegerType::get(&getContext(), 16);
    AttrTypeReplacer replacer;
    using Replaced = std::optional<std::pair<Attribute, WalkResult>>;
    replacer.addReplacement([&](BFloat16Type) -> Type { return i16; });
    replacer.addReplacement([&](FloatAttr attr) -> Replaced {
      if (!attr.getType().isBF16())
        return std::nullopt;
      return std::pair<Attribute, WalkResult>(
          IntegerAttr::get(i16, attr.getValue().bitcastToAPInt()),
          WalkResult::skip());
    });
    replacer.addReplacement([&](DenseElementsAttr attr) -> Replaced {
      if (!attr.getElementType().isBF16())
        return std::nullopt;
      return std::pair<Attribute, WalkResult>(attr.bitcast(i16),
                                              WalkResult::skip());
    });
    replacer.addReplacement([&](DenseResourceElementsAttr attr) -> Replaced {
      ShapedType type = attr.getType();
      if (!type.getElementType().isBF16())
        return std::nullopt;
      return std::pair<Attribute, WalkResult>(
          DenseResourceElementsAttr::get(type.clone(i16), attr.getRawHandle()),
          WalkResult::skip());
    });
    // Of the intrinsics' operands, with the types that these have to keep.
    SmallVector<std::pair<OpOperand *, Type>> kept;
    getOperation().walk([&](LLVM::CallIntrinsicOp call) {
      for (OpOperand &operand : call->getOpOperands())
        if (getElementTypeOrSelf(operand.get().getType()).isBF16())
          kept.emplace_back(&operand, operand.get().getType());
    });
    getOperation().walk([&](Operation *op) {
      // What others say about the function stays: it is about the caller.
      DictionaryAttr discardable = op->getDiscardableAttrDictionary();
      replacer.replaceElementsIn(op, /*replaceAttrs=*/true,
                                 /*replaceLocs=*/false, /*replaceTypes=*/true);
      op->setDiscardableAttrs(discardable);
    });
    for (auto [operand, type] : kept) {
      OpBuilder builder(operand->getOwner());
      operand->set(LLVM::BitcastOp::create(
          builder, operand->getOwner()->getLoc(), type, operand->get()));
    }
  }
};

} // namespace
