//===- PoolingLoops.cpp - What the CPU schedules of pools share -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PoolingLoops.h"
#include "../ElementwiseBody.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace headopt;

PoolingLoops::PoolingLoops(VectorLoops &b, PoolingReduction reduction,
                           int64_t vectorBits)
    : b(b), pooling(std::move(reduction)),
      accumulatorType(pooling.getAccumulatorType()),
      elementBytes(pooling.getInputType().getElementTypeBitWidth() / 8),
      maxLanes(vectorBits / accumulatorType.getWidth()),
      isWidened(elementBytes * 8 < accumulatorType.getWidth()),
      inWords(pooling.getInputType().getElementType().isBF16() &&
              accumulatorType.isF32()),
      ahead(kPrefetchBytes / elementBytes), input(pooling.input) {
  SmallVector<ReassociationIndices> inputGroups;
  for (const AxisGroup &group : pooling.groups) {
    inputGroups.emplace_back(group.axes.begin(), group.axes.end());
    Index extent = b.getIndexAttr(1);
    for (int64_t axis : group.axes)
      extent = b.mul(extent,
                     tensor::getMixedSize(b, b.getLoc(), pooling.input, axis));
    extents.push_back(extent);
  }
  indices.resize(extents.size());
  if (static_cast<int64_t>(extents.size()) != pooling.getInputType().getRank())
    input = tensor::CollapseShapeOp::create(b, input, inputGroups);
}

/// Over those of the groups from `begin` to `end` that are kept, or summed.
VectorLoops::Carried PoolingLoops::loopOver(bool reduced, unsigned end,
                                            Carried carried, Body body,
                                            unsigned begin) {
  while (begin != end && pooling.groups[begin].reduced != reduced)
    ++begin;
  if (begin == end)
    return body(carried);
  auto inner = [&](Value i, Carried inner) {
    indices[begin] = i;
    return loopOver(reduced, end, inner, body, begin + 1);
  };
  Index zero = b.getIndexAttr(0), extent = extents[begin];
  if (reduced)
    return b.loop(zero, extent, 1, carried, inner);
  return b.independentLoop(zero, extent, 1, carried, inner);
}

Value PoolingLoops::makeScratch(int64_t count) {
  // Not tensor.empty: CSE makes one of two of a size, and each loop that
  // threads share needs one of its own.
  return bufferization::AllocTensorOp::create(
      b, RankedTensorType::get(count, accumulatorType), ValueRange());
}

void PoolingLoops::setVectors(int64_t most) {
  perLane = inWords && most > 1 ? 2 : 1;
  lanes =
      std::min<int64_t>(maxLanes, llvm::bit_floor(uint64_t(most)) / perLane);
}

Value PoolingLoops::getAddend(Value read) {
  Block &body = *pooling.sum.getBody();
  IRMapping map;
  map.map(body.getArgument(0), read);
  int64_t count = cast<VectorType>(read.getType()).getNumElements();
  return cloneOnVectors(b, body, pooling.addend, count, map);
}

VectorLoops::Carried PoolingLoops::getAddends(Value last) {
  Value read = b.load(input, getInputIndices(last), vectorElements());
  if (perLane == 1)
    return {getAddend(read)};
  auto halves = vector::DeinterleaveOp::create(b, read);
  return {getAddend(halves.getRes1()), getAddend(halves.getRes2())};
}

void PoolingLoops::addTo(MutableArrayRef<Value> sums, ArrayRef<Value> addends) {
  for (auto [sum, addend] : llvm::zip_equal(sums, addends))
    sum = arith::AddFOp::create(b, sum, addend);
}

Value PoolingLoops::finish(Value sums) {
  linalg::GenericOp epilogue = pooling.epilogue;
  if (!epilogue)
    return sums;
  Block &body = *epilogue.getBody();
  IRMapping map;
  map.map(body.getArgument(0), sums);
  int64_t count = cast<VectorType>(sums.getType()).getNumElements();
  return cloneOnVectors(b, body, body.getTerminator()->getOperand(0), count,
                        map);
}

SmallVector<Value> PoolingLoops::getInputIndices(Value last) {
  auto result = llvm::to_vector(llvm::drop_end(indices));
  result.push_back(last);
  return result;
}

SmallVector<Value> PoolingLoops::getOutputIndices() {
  SmallVector<Value> result;
  for (unsigned i = 0, e = extents.size() - 1; i < e; ++i)
    if (!pooling.groups[i].reduced)
      result.push_back(indices[i]);
  return result;
}

void PoolingLoops::prefetch(Index last, int64_t bytes) {
  auto type = cast<RankedTensorType>(input.getType());
  auto layout = StridedLayoutAttr::get(
      b.getContext(), ShapedType::kDynamic,
      SmallVector<int64_t>(type.getRank(), ShapedType::kDynamic));
  Value buffer = bufferization::ToBufferOp::create(
      b, MemRefType::get(type.getShape(), type.getElementType(), layout), input,
      /*read_only=*/true);
  for (int64_t byte = 0; byte < bytes; byte += kLineBytes) {
    Index at = b.add(last, b.getIndexAttr(ahead + byte / elementBytes));
    memref::PrefetchOp::create(b, buffer, getInputIndices(b.materialize(at)),
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
  }
}
