//===- DenseProduct.cpp - Products with a constant matrix -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DenseProduct.h"
#include "ElementwiseBody.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace headopt;

std::optional<WeightData> DenseProduct::getWeightData() {
  Attribute value = weight.getValue();
  WeightData data{{}, false};
  if (auto elements = dyn_cast<DenseElementsAttr>(value)) {
    data = {elements.getRawData(), elements.isSplat()};
  } else {
    AsmResourceBlob *blob =
        cast<DenseResourceElementsAttr>(value).getRawHandle().getBlob();
    if (!blob)
      return std::nullopt;
    data.raw = blob->getData();
  }
  size_t bytes =
      getElementTypeOrSelf(weight.getType()).getIntOrFloatBitWidth() / 8;
  size_t count = data.splat ? 1 : size_t(columns) * inner;
  if (data.raw.size() != count * bytes)
    return std::nullopt;
  return data;
}

/// `value` is `argument`, or that widened.
static bool isWidened(Value value, BlockArgument argument) {
  if (auto widening = value.getDefiningOp<arith::ExtFOp>())
    value = widening.getIn();
  return value == argument;
}

/// The body multiplies its two inputs and adds the product to the accumulator.
static bool isMultiplyAdd(Block &body) {
  auto sum = body.getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum)
    return false;
  for (auto [accumulator, product] : {std::pair(sum.getLhs(), sum.getRhs()),
                                      std::pair(sum.getRhs(), sum.getLhs())}) {
    auto mul = product.getDefiningOp<arith::MulFOp>();
    if (!mul || accumulator != body.getArgument(2))
      continue;
    for (auto [x, w] : {std::pair(mul.getLhs(), mul.getRhs()),
                        std::pair(mul.getRhs(), mul.getLhs())})
      if (isWidened(x, body.getArgument(0)) &&
          isWidened(w, body.getArgument(1)))
        return true;
  }
  return false;
}

/// The element-wise operation that alone reads `product`, of operands that are
/// of its shape, one for each column, or one for all.
static linalg::GenericOp getEpilogue(Value product) {
  if (!product.hasOneUse())
    return nullptr;
  auto user = dyn_cast<linalg::GenericOp>(*product.user_begin());
  if (!user || user->getBlock() != product.getDefiningOp()->getBlock() ||
      user.getNumDpsInits() != 1 || user.getNumLoops() != 2 ||
      user.getNumReductionLoops() != 0 ||
      user.getDpsInitOperand(0)->get() == product ||
      !user.getBody()->getArguments().back().use_empty() ||
      !isElementwiseBody(*user.getBody()) || !isOfWholeBytes(user))
    return nullptr;
  AffineExpr column = getAffineDimExpr(1, user.getContext());
  for (OpOperand &operand : user->getOpOperands()) {
    AffineMap map = user.getMatchingIndexingMap(&operand);
    bool whole = map.isIdentity();
    bool broadcast = user.isDpsInput(&operand) &&
                     (map.getNumResults() == 0 ||
                      (map.getNumResults() == 1 && map.getResult(0) == column));
    bool isTensor = isa<RankedTensorType>(operand.get().getType());
    if (!(whole || (broadcast && operand.get() != product)) || !isTensor)
      return nullptr;
  }
  return user;
}

FailureOr<DenseProduct> headopt::matchDenseProduct(linalg::LinalgOp op,
                                                   StringRef &whyNot) {
  auto refuse = [&](StringRef reason) {
    whyNot = reason;
    return failure();
  };
  if (!op.hasPureTensorSemantics() || !linalg::isaContractionOpInterface(op))
    return refuse("it is no contraction of tensors");
  FailureOr<linalg::ContractionDimensions> dims =
      linalg::inferContractionDims(op);
  if (failed(dims) || !dims->batch.empty() || dims->m.size() != 1 ||
      dims->n.size() != 1 || dims->k.size() != 1 || op.getNumLoops() != 3)
    return refuse("it is no product of two matrices");
  AffineExpr m = getAffineDimExpr(dims->m[0], op.getContext());
  AffineExpr n = getAffineDimExpr(dims->n[0], op.getContext());
  AffineExpr k = getAffineDimExpr(dims->k[0], op.getContext());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (maps[0].getResults() != ArrayRef({m, k}) ||
      maps[2].getResults() != ArrayRef({m, n}))
    return refuse("its rows or its result are transposed");
  DenseProduct dense;
  dense.product = op;
  dense.transposed = maps[1].getResults() == ArrayRef({n, k});
  dense.rows = op.getDpsInputOperand(0)->get();
  dense.weight =
      op.getDpsInputOperand(1)->get().getDefiningOp<arith::ConstantOp>();
  if (!dense.weight)
    return refuse("its right side is no constant");
  if (!isa<DenseElementsAttr, DenseResourceElementsAttr>(
          dense.weight.getValue()))
    return refuse("its constant is of an unknown kind");
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  auto rowsType = cast<RankedTensorType>(dense.rows.getType());
  if (!isScheduledElement(rowsType.getElementType()) ||
      !isScheduledElement(getElementTypeOrSelf(dense.weight.getType())))
    return refuse("its elements are none of f16, bf16, f32 and f64");
  if (!isScheduledSum(type.getElementType()))
    return refuse("its sums are neither f32 nor f64");
  if (ShapedType::isDynamic(type.getDimSize(1)) ||
      ShapedType::isDynamic(rowsType.getDimSize(1)) ||
      llvm::is_contained(type.getShape(), 0) ||
      llvm::is_contained(rowsType.getShape(), 0))
    return refuse("its extents are not all known, or one is 0");
  if (!isMultiplyAdd(*op.getBlock()))
    return refuse("it does more than multiply and add");
  auto fill = op.getDpsInitOperand(0)->get().getDefiningOp<linalg::FillOp>();
  if (!fill || !matchPattern(fill.value(), m_AnyZeroFloat()))
    return refuse("it does not start from zero");
  dense.numRows = type.getDimSize(0);
  dense.columns = type.getDimSize(1);
  dense.inner = rowsType.getDimSize(1);
  dense.epilogue = getEpilogue(op->getResult(0));
  return dense;
}
