//===- StoreWholeBytes.cpp - Booleans in tensors as bytes -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tensor of booleans has a byte for each of them, since every element has an
// address. A vector of eight has one byte for all. Nothing that reads and
// writes tensors as vectors, or computes their sizes from their widths, is
// right for both, so tensors get elements that are the same in either.
//
//===----------------------------------------------------------------------===//

#include "ElementwiseBody.h"
#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace headopt {
#define GEN_PASS_DEF_STOREWHOLEBYTES
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;
using namespace headopt;

/// What a tensor has in place of elements of `type`; null when they may stay.
static Type getStored(Type type) {
  if (!type.isSignlessInteger() || fillsItsBytes(type))
    return nullptr;
  unsigned width = std::max(8U, llvm::bit_ceil(type.getIntOrFloatBitWidth()));
  return IntegerType::get(type.getContext(), width);
}

/// Whether `type` is a tensor whose elements change.
static bool isNarrow(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && getStored(tensor.getElementType());
}

/// `attr`, whose elements change, with other elements; null when they are not
/// there, or not as many as the type says.
static TypedAttr widenConstant(ElementsAttr attr) {
  ShapedType type = attr.getShapedType();
  Type stored = getStored(type.getElementType());
  unsigned width = stored.getIntOrFloatBitWidth();
  if (auto dense = dyn_cast<DenseIntElementsAttr>(attr))
    return dense.mapValues(
        stored, [=](const APInt &number) { return number.zext(width); });
  auto resource = dyn_cast<DenseResourceElementsAttr>(attr);
  if (!resource)
    return nullptr;
  // In a resource each element has its own bytes already.
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  size_t bytes = size_t(type.getNumElements()) * (width / 8);
  if (!blob || blob->getData().size() != bytes)
    return nullptr;
  return DenseResourceElementsAttr::get(type.clone(stored),
                                        resource.getRawHandle());
}

/// Whether `op` hands elements on as they are, whatever they are.
static bool movesElements(Operation *op) {
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return !isa<ShapedType>(select.getCondition().getType());
  return isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ConcatOp,
             tensor::DimOp, tensor::EmptyOp, tensor::ExpandShapeOp,
             tensor::ExtractSliceOp, tensor::InsertSliceOp>(op) ||
         isa_and_present<func::FuncDialect, scf::SCFDialect>(op->getDialect());
}

/// Widens the numbers that `op` puts into tensors.
static void widenOperands(OpBuilder &b, Operation *op) {
  b.setInsertionPoint(op);
  for (OpOperand &operand : op->getOpOperands())
    if (Type stored = getStored(operand.get().getType()))
      operand.set(
          arith::ExtUIOp::create(b, op->getLoc(), stored, operand.get()));
}

/// Narrows `number`, which was read from a tensor, for all but those users that
/// put it into one again.
static void narrow(OpBuilder &b, Value number) {
  Type type = number.getType();
  number.setType(getStored(type));
  auto isComputedWith = [](OpOperand &use) {
    return !isa<linalg::YieldOp>(use.getOwner());
  };
  if (llvm::none_of(number.getUses(), isComputedWith))
    return;
  Value narrowed = arith::TruncIOp::create(b, number.getLoc(), type, number);
  number.replaceUsesWithIf(narrowed, [&](OpOperand &use) {
    return isComputedWith(use) && use.getOwner() != narrowed.getDefiningOp();
  });
}

namespace {

struct StoreWholeBytes final
    : headopt::impl::StoreWholeBytesBase<StoreWholeBytes> {
  using StoreWholeBytesBase::StoreWholeBytesBase;

  void runOnOperation() override;
};

} // namespace

/// What the body reads and writes; the types of the tensors change later.
static void convertBody(OpBuilder &b, linalg::GenericOp op) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isNarrow(operand.get().getType()))
      continue;
    b.setInsertionPointToStart(op.getBody());
    narrow(b, op.getMatchingBlockArgument(&operand));
  }
  widenOperands(b, op.getBody()->getTerminator());
}

/// What `op`, which has a tensor whose elements change, does with them.
static LogicalResult convert(IRRewriter &rewriter, Operation *op) {
  if (movesElements(op))
    return success();
  if (isa<tensor::FromElementsOp, tensor::InsertOp, tensor::SplatOp>(op)) {
    widenOperands(rewriter, op);
    return success();
  }
  if (isa<tensor::GenerateOp, tensor::PadOp>(op)) {
    widenOperands(rewriter, op->getRegion(0).front().getTerminator());
    return success();
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    rewriter.setInsertionPointAfter(op);
    narrow(rewriter, extract.getResult());
    return success();
  }
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    TypedAttr wide = widenConstant(cast<ElementsAttr>(constant.getValue()));
    if (!wide)
      return op->emitError("store-whole-bytes: the data of a constant of type ")
             << constant.getType()
             << " is not there, or not whole bytes for each element";
    constant.setValueAttr(wide);
    return success();
  }
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  if (!structured)
    return op->emitError("store-whole-bytes: cannot store what ")
           << op->getName()
           << " computes with as bytes; write it as linalg.generic";
  auto fill = dyn_cast<linalg::FillOp>(op);
  if (fill &&
      fill.value().getType() == getElementTypeOrSelf(fill.output().getType())) {
    widenOperands(rewriter, op);
    for (BlockArgument argument : structured.getBlock()->getArguments())
      argument.setType(getStored(argument.getType()));
    return success();
  }
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic) {
    rewriter.setInsertionPoint(op);
    FailureOr<linalg::GenericOp> written =
        linalg::generalizeNamedOp(rewriter, structured);
    if (failed(written))
      return op->emitError(
          "store-whole-bytes: it cannot be written as linalg.generic");
    generic = *written;
  }
  convertBody(rewriter, generic);
  return success();
}

void StoreWholeBytes::runOnOperation() {
  SmallVector<Operation *> ops;
  getOperation().walk([&](Operation *op) {
    if (llvm::any_of(op->getOperandTypes(), isNarrow) ||
        llvm::any_of(op->getResultTypes(), isNarrow))
      ops.push_back(op);
  });
  IRRewriter rewriter(&getContext());
  for (Operation *op : ops)
    if (failed(convert(rewriter, op)))
      return signalPassFailure();

  AttrTypeReplacer replacer;
  replacer.addReplacement([](RankedTensorType type) -> std::optional<Type> {
    if (!isNarrow(type))
      return std::nullopt;
    return type.clone(getStored(type.getElementType()));
  });
  getOperation().walk([&](Operation *op) {
    // Of attributes, the types of functions alone: constants have theirs.
    if (auto function = dyn_cast<FunctionOpInterface>(op))
      function.setType(replacer.replace(function.getFunctionType()));
    replacer.replaceElementsIn(op, /*replaceAttrs=*/false,
                               /*replaceLocs=*/false, /*replaceTypes=*/true);
  });
}
