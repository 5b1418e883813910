//===- PoolingReduction.cpp - Sums and means over axes of a tensor --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PoolingReduction.h"
#include "ElementwiseBody.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace headopt;

FloatType PoolingReduction::getAccumulatorType() {
  return cast<FloatType>(
      cast<RankedTensorType>(sum->getResult(0).getType()).getElementType());
}

/// What `op` adds to its accumulator; null when it does something else.
static Value getAddend(linalg::GenericOp op) {
  Block *body = op.getBody();
  auto add =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add || add->getBlock() != body)
    return nullptr;
  BlockArgument accumulator = body->getArgument(1);
  if (!accumulator.hasOneUse())
    return nullptr;
  if (add.getLhs() == accumulator)
    return add.getRhs();
  return add.getRhs() == accumulator ? add.getLhs() : Value();
}

/// The element-wise operation that alone reads the result of `sum`.
static linalg::GenericOp getEpilogue(linalg::GenericOp sum) {
  if (!sum.getResult(0).hasOneUse())
    return nullptr;
  auto user = dyn_cast<linalg::GenericOp>(*sum.getResult(0).user_begin());
  if (!user || user->getBlock() != sum->getBlock() ||
      user.getNumDpsInputs() != 1 || user.getNumDpsInits() != 1 ||
      user.getNumReductionLoops() != 0 ||
      user.getDpsInputOperand(0)->get() != sum.getResult(0) ||
      !user.getBody()->getArgument(1).use_empty() ||
      !isElementwiseBody(*user.getBody()))
    return nullptr;
  for (AffineMap map : user.getIndexingMapsArray())
    if (!map.isIdentity())
      return nullptr;
  return user;
}

FailureOr<PoolingReduction> headopt::matchPooling(linalg::GenericOp op,
                                                  StringRef &whyNot) {
  auto refuse = [&](StringRef reason) {
    whyNot = reason;
    return failure();
  };
  if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 1 ||
      op.getNumDpsInits() != 1)
    return refuse("it has not one input tensor and one result");
  if (op.getNumReductionLoops() == 0)
    return refuse("it reduces nothing");
  PoolingReduction pooling;
  pooling.sum = op;
  pooling.input = op.getDpsInputOperand(0)->get();
  auto resultType = cast<RankedTensorType>(op.getResult(0).getType());
  if (!isScheduledElement(pooling.getInputType().getElementType()))
    return refuse("its elements are none of f16, bf16, f32 and f64");
  if (!isScheduledSum(resultType.getElementType()))
    return refuse("its sums are neither f32 nor f64");
  pooling.addend = getAddend(op);
  if (!pooling.addend || !isElementwiseBody(*op.getBody()))
    return refuse("it does not add up its input");
  auto fill = op.getDpsInitOperand(0)->get().getDefiningOp<linalg::FillOp>();
  if (!fill || !matchPattern(fill.value(), m_AnyZeroFloat()))
    return refuse("it does not start from zero");

  AffineMap inputMap = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  AffineMap outputMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!inputMap.isPermutation() || !outputMap.isProjectedPermutation())
    return refuse("its input is not read element by element");
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  SmallVector<unsigned> kept;
  for (unsigned axis = 0, e = inputMap.getNumResults(); axis != e; ++axis) {
    unsigned loop = inputMap.getDimPosition(axis);
    bool reduced = kinds[loop] == utils::IteratorType::reduction;
    if (!reduced)
      kept.push_back(loop);
    if (pooling.groups.empty() || pooling.groups.back().reduced != reduced)
      pooling.groups.push_back({{}, reduced});
    pooling.groups.back().axes.push_back(axis);
  }
  if (kept.size() != outputMap.getNumResults())
    return refuse("its result has other axes than the ones it keeps");
  for (auto [axis, loop] : llvm::enumerate(kept))
    if (outputMap.getDimPosition(axis) != loop)
      return refuse("it reorders the axes that it keeps");
  pooling.epilogue = getEpilogue(op);
  return pooling;
}
