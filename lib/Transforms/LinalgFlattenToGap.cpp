//===- LinalgFlattenToGap.cpp - Pool heads that are written in linalg -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All judgement is in LinalgHeadAnalysis; this writes down what it found.
//
//===----------------------------------------------------------------------===//

#include "HeadRewrite.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace headopt;

namespace headopt {
#define GEN_PASS_DEF_LINALGFLATTENTOGAP
#include "headopt/Transforms/Passes.h.inc"
} // namespace headopt

static RankedTensorType getTensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// An empty tensor of `element` with the extents of `like`, without `dropped`.
static Value createEmpty(ImplicitLocOpBuilder &b, Value like, Type element,
                         ArrayRef<int64_t> dropped = {}) {
  SmallVector<OpFoldResult> sizes;
  for (int64_t axis = 0; axis != getTensorType(like).getRank(); ++axis)
    if (!llvm::is_contained(dropped, axis))
      sizes.push_back(tensor::getMixedSize(b, b.getLoc(), like, axis));
  return tensor::EmptyOp::create(b, sizes, element);
}

/// Repeats `op`, which maps each element of `operand` alone, on `map`.
static Value repeatStep(OpOperand &operand, Value map) {
  auto op = cast<linalg::LinalgOp>(operand.getOwner());
  ImplicitLocOpBuilder b(op.getLoc(), op);
  int64_t rank = getTensorType(map).getRank();
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (input == &operand) {
      inputs.push_back(map);
      maps.push_back(b.getMultiDimIdentityMap(rank));
      continue;
    }
    // The same element for all, so that it is named by constants.
    AffineMap scalar = op.getMatchingIndexingMap(input);
    inputs.push_back(input->get());
    maps.push_back(
        AffineMap::get(rank, 0, scalar.getResults(), b.getContext()));
  }
  Type element = getElementTypeOrSelf(op->getResult(0));
  Value init = createEmpty(b, map, element);
  maps.push_back(b.getMultiDimIdentityMap(rank));
  auto repeated = linalg::GenericOp::create(
      b, TypeRange{init.getType()}, inputs, init, maps,
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel));
  IRMapping mapping;
  op->getRegion(0).cloneInto(&repeated.getRegion(), mapping);
  return repeated.getResult(0);
}

/// The mean of `map` over the pooled axes of `head`, which the result lacks.
/// Halves are summed and divided in f32 and rounded once. This is the form that
/// convert-onnx-to-linalg gives a GlobalAveragePool.
static Value createMean(const Head &head, ImplicitLocOpBuilder &b, Value map) {
  Type element = getTensorType(map).getElementType();
  Type type = element.getIntOrFloatBitWidth() < 32 ? b.getF32Type() : element;
  int64_t rank = getTensorType(map).getRank();
  SmallVector<utils::IteratorType> iterators;
  SmallVector<AffineExpr> kept;
  for (int64_t axis = 0; axis != rank; ++axis) {
    bool pooled = llvm::is_contained(head.pooledAxes, axis);
    iterators.push_back(pooled ? utils::IteratorType::reduction
                               : utils::IteratorType::parallel);
    if (!pooled)
      kept.push_back(b.getAffineDimExpr(axis));
  }
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
  Value start = linalg::FillOp::create(
                    b, zero, createEmpty(b, map, type, head.pooledAxes))
                    .getResult(0);
  auto sum = linalg::GenericOp::create(
      b, TypeRange{start.getType()}, map, start,
      {b.getMultiDimIdentityMap(rank),
       AffineMap::get(rank, 0, kept, b.getContext())},
      iterators, [&](OpBuilder &nested, Location loc, ValueRange elements) {
        ImplicitLocOpBuilder body(loc, nested);
        Value number = elements[0];
        if (type != element)
          number = arith::ExtFOp::create(body, type, number);
        Value total = arith::AddFOp::create(body, elements[1], number);
        linalg::YieldOp::create(body, total);
      });

  Value total = sum.getResult(0);
  Value init = createEmpty(b, total, element);
  AffineMap identity = b.getMultiDimIdentityMap(kept.size());
  auto mean = linalg::GenericOp::create(
      b, TypeRange{init.getType()}, total, init, {identity, identity},
      SmallVector<utils::IteratorType>(kept.size(),
                                       utils::IteratorType::parallel),
      [&](OpBuilder &nested, Location loc, ValueRange elements) {
        ImplicitLocOpBuilder body(loc, nested);
        Value count = arith::ConstantOp::create(
            body, body.getFloatAttr(type, static_cast<double>(head.positions)));
        Value number = arith::DivFOp::create(body, elements[0], count);
        if (type != element)
          number = arith::TruncFOp::create(body, element, number);
        linalg::YieldOp::create(body, number);
      });
  return mean.getResult(0);
}

/// `mean` in the shape in which the dense layer reads its data: [N, C'], as the
/// last axes, or the map's own with extent 1 for the pooled axes.
static Value createData(const Head &head, ImplicitLocOpBuilder &b, Value mean) {
  const DenseLayer &layer = head.layer;
  SmallVector<int64_t> ones;
  Value data = mean;
  if (layer.isMatrixProduct()) {
    int64_t rank = getTensorType(mean).getRank();
    SmallVector<ReassociationIndices> groups = {{0}, {}};
    llvm::append_range(groups.back(), llvm::seq<int64_t>(1, rank));
    if (rank > 2)
      data = tensor::CollapseShapeOp::create(b, mean, groups);
    llvm::append_range(ones, llvm::seq<int64_t>(0, layer.sampleAxis));
  } else {
    ones = head.pooledAxes;
  }
  RankedTensorType type = getTensorType(data);
  RankedTensorType old = getTensorType(layer.data->get());
  if (!ones.empty()) {
    SmallVector<ReassociationIndices> groups(type.getRank());
    SmallVector<int64_t> shape;
    SmallVector<OpFoldResult> sizes;
    int64_t next = 0;
    for (int64_t axis = 0; axis != layer.dataRank; ++axis) {
      bool isOne = llvm::is_contained(ones, axis);
      // An axis of extent 1 belongs to the one before it, or else after it.
      groups[isOne ? std::max<int64_t>(next - 1, 0) : next].push_back(axis);
      shape.push_back(isOne ? 1 : type.getDimSize(next));
      sizes.push_back(isOne ? OpFoldResult(b.getIndexAttr(1))
                            : tensor::getMixedSize(b, b.getLoc(), data, next));
      next += !isOne;
    }
    type = type.clone(shape);
    data = tensor::ExpandShapeOp::create(b, type, data, groups, sizes);
  }
  // Casts on the way may have known more, or less, of the samples.
  SmallVector<int64_t> shape(type.getShape());
  shape[layer.sampleAxis] = old.getDimSize(layer.sampleAxis);
  return type == type.clone(shape)
             ? data
             : tensor::CastOp::create(b, type.clone(shape), data).getResult();
}

/// Erases what defines `values` where nothing uses it any more, and what only
/// that used.
static void eraseIfDead(ValueRange values) {
  llvm::SetVector<Operation *> worklist;
  auto add = [&](ValueRange values) {
    for (Value value : values)
      if (Operation *op = value.getDefiningOp())
        worklist.insert(op);
  };
  add(values);
  while (!worklist.empty()) {
    Operation *op = worklist.pop_back_val();
    if (!isOpTriviallyDead(op))
      continue;
    add(op->getOperands());
    op->erase();
  }
}

static void rewriteHead(Head &head) {
  Operation *layer = head.layer.op;
  ImplicitLocOpBuilder b(layer->getLoc(), layer);
  Value oldData = head.layer.data->get();
  Value oldWeight = head.layer.weight->get();
  Value map = head.featureMap;
  for (OpOperand *step : head.repeats)
    map = repeatStep(*step, map);
  Value data = createData(head, b, createMean(head, b, map));
  Value weight = arith::ConstantOp::create(
      b, takeElements(*head.pooledWeight, "pooled_weight"));
  head.layer.data->set(data);
  head.layer.weight->set(weight);
  eraseIfDead({oldData, oldWeight});
}

namespace {
struct LinalgFlattenToGapPass
    : headopt::impl::LinalgFlattenToGapBase<LinalgFlattenToGapPass> {
  using Base::Base;

  void runOnOperation() override {
    HeadAnalysisOptions options;
    options.residual = residual;
    bool changed = false;
    for (Head &head : LinalgHeadAnalysis(getOperation(), options).takeHeads()) {
      emitRemark(head, "linalg-flatten-to-gap",
                 head.layer.op->getName().getStringRef());
      if (head.verdict != Verdict::Rewritable)
        continue;
      rewriteHead(head);
      changed = true;
    }
    if (!changed)
      markAllAnalysesPreserved();
  }
};
} // namespace
