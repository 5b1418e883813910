//===- Constants.cpp - Lowering of constants ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"
#include "headopt/Analysis/ConstantReader.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace headopt;

/// From this size on constants are resources.
static constexpr uint64_t kLarge = 1024;

/// What code generators want of a constant.
static constexpr size_t kAlignment = 64;

/// The elements of `constant` as an attribute of `type`, which differs in the
/// sign of integers alone. An error when they cannot be read.
static llvm::Expected<TypedAttr>
getElements(const Constant &constant, RankedTensorType type, StringRef name) {
  if (auto dense = dyn_cast_or_null<DenseElementsAttr>(constant.elements)) {
    uint64_t bytes = dense.getRawData().size();
    // Elements below a byte are packed, which no reader of bytes knows.
    if (dense.isSplat() || bytes < kLarge || type.getElementType().isInteger(1))
      return TypedAttr(dense.getType() == type
                           ? dense
                           : dense.bitcast(type.getElementType()));
  }
  if (auto resource =
          dyn_cast_or_null<DenseResourceElementsAttr>(constant.elements)) {
    if (resource.getRawHandle().getBlob())
      return TypedAttr(
          DenseResourceElementsAttr::get(type, resource.getRawHandle()));
  }
  // In files a boolean is a byte.
  bool isBool = type.getElementType().isInteger(1);
  Constant stored = constant;
  if (isBool)
    stored.type = type.clone(IntegerType::get(type.getContext(), 8));
  llvm::Expected<ConstantReader> reader = ConstantReader::open(stored);
  if (!reader)
    return reader.takeError();
  uint64_t bytes = reader->getNumElements() * reader->getElementBytes();
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(bytes, kAlignment);
  char *memory = blob.getMutableData().data();
  if (llvm::Error err = reader->read(0, reader->getNumElements(), memory))
    return std::move(err);
  if (isBool) {
    auto isSet = [](char byte) { return byte != 0; };
    return TypedAttr(
        DenseElementsAttr::get(type, llvm::to_vector_of<bool>(llvm::map_range(
                                         ArrayRef(memory, bytes), isSet))));
  }
  if (bytes < kLarge)
    return TypedAttr(
        DenseElementsAttr::getFromRawBuffer(type, ArrayRef(memory, bytes)));
  return TypedAttr(DenseResourceElementsAttr::get(
      type, name.empty() ? "constant" : name, std::move(blob)));
}

namespace {

template <typename OpTy>
class LowerConstant : public OpConversionPattern<OpTy> {
public:
  LowerConstant(const TypeConverter &converter, MLIRContext *context,
                LoweringState &state)
      : OpConversionPattern<OpTy>(converter, context), state(state) {}

  LogicalResult
  matchAndRewrite(OpTy op, typename OpTy::Adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto refuse = [&](const Twine &why) {
      state.refuse(op, why);
      return rewriter.notifyMatchFailure(op, why);
    };
    Value result = op->getResult(0);
    std::string whyNot;
    std::optional<Constant> constant = getConstant(result, whyNot);
    if (!constant)
      return refuse(whyNot);
    auto type = this->typeConverter->template convertType<RankedTensorType>(
        constant->type);
    if (!type)
      return refuse("its elements have a type that is not lowered");
    llvm::Expected<TypedAttr> elements =
        getElements(*constant, type, onnx::getValueName(result));
    if (!elements)
      return refuse(llvm::toString(elements.takeError()));
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(op, *elements);
    return success();
  }

private:
  LoweringState &state;
};

} // namespace

void headopt::populateConstantPatterns(RewritePatternSet &patterns,
                                       const TypeConverter &converter,
                                       LoweringState &state) {
  patterns
      .add<LowerConstant<onnx::InitializerOp>, LowerConstant<onnx::ConstantOp>,
           LowerConstant<onnx::ConstantOfShapeOp>>(
          converter, patterns.getContext(), state);
}
