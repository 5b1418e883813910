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

/// What `op` joins to its accumulator, and how; null when it does something
/// else.
static std::pair<Value, Combiner> getAddend(linalg::GenericOp op) {
  Block *body = op.getBody();
  Operation *join = body->getTerminator()->getOperand(0).getDefiningOp();
  if (!join || join->getBlock() != body ||
      !isa<arith::AddFOp, arith::MaximumFOp>(join))
    return {};
  Combiner combiner =
      isa<arith::AddFOp>(join) ? Combiner::Sum : Combiner::Maximum;
  BlockArgument accumulator = body->getArgument(1);
  if (!accumulator.hasOneUse())
    return {};
  Value left = join->getOperand(0), right = join->getOperand(1);
  if (left == accumulator)
    return {right, combiner};
  return {right == accumulator ? left : Value(), combiner};
}

/// Whether joining `value` to a number leaves the number as it is. Negative
/// zero becomes positive, which is what the schedules do as well.
static bool isNeutral(Value value, Combiner combiner) {
  if (combiner == Combiner::Sum)
    return matchPattern(value, m_AnyZeroFloat());
  return matchPattern(value, m_NegInfFloat());
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
      !isElementwiseBody(*user.getBody()) || !isOfWholeBytes(user))
    return nullptr;
  for (AffineMap map : user.getIndexingMapsArray())
    if (!map.isIdentity())
      return nullptr;
  return user;
}

FailureOr<PoolingReduction> headopt::matchReduction(linalg::GenericOp op,
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
  std::tie(pooling.addend, pooling.combiner) = getAddend(op);
  if (!pooling.addend || !isElementwiseBody(*op.getBody()))
    return refuse("it does not add up its input");
  auto fill = op.getDpsInitOperand(0)->get().getDefiningOp<linalg::FillOp>();
  if (!fill || !isNeutral(fill.value(), pooling.combiner))
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

FailureOr<PoolingReduction> headopt::matchPooling(linalg::GenericOp op,
                                                  StringRef &whyNot) {
  FailureOr<PoolingReduction> pooling = matchReduction(op, whyNot);
  if (succeeded(pooling) && pooling->combiner != Combiner::Sum) {
    whyNot = "it does not add up its input";
    return failure();
  }
  return pooling;
}
