//===- VectorLoops.cpp - Small builders that the CPU schedules share ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VectorLoops.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace headopt;

Value VectorLoops::load(Value tensor, ArrayRef<Value> indices, int64_t lanes) {
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  bool inBounds = true;
  return vector::TransferReadOp::create(
      *this, VectorType::get({lanes}, element), tensor, indices,
      /*padding=*/std::nullopt, ArrayRef<bool>(inBounds));
}

Value VectorLoops::store(Value vector, Value tensor, ArrayRef<Value> indices) {
  bool inBounds = true;
  return vector::TransferWriteOp::create(*this, vector, tensor, indices,
                                         ArrayRef<bool>(inBounds))
      .getResult();
}

Value VectorLoops::splat(Type elementType, int64_t lanes, double value) {
  auto type = VectorType::get({lanes}, elementType);
  return arith::ConstantOp::create(
      *this, DenseElementsAttr::get(type, getFloatAttr(elementType, value)));
}

VectorLoops::Carried
VectorLoops::loop(Index from, Index to, int64_t step, Carried carried,
                  function_ref<Carried(Value, Carried)> body) {
  std::optional<int64_t> first = getConstantIntValue(from),
                         last = getConstantIntValue(to);
  if (first && last && *first >= *last)
    return carried;
  if (first && last && *first + step >= *last)
    return body(constant(*first), carried);
  auto loop = scf::ForOp::create(*this, materialize(from), materialize(to),
                                 constant(step), carried);
  // The schedules choose how much one pass does; more instructions that read
  // one stream would hide it from the hardware.
  auto unroll = LLVM::LoopUnrollAttr::get(getContext(), getBoolAttr(true), {},
                                          {}, {}, {}, {}, {});
  loop->setAttr("loop_annotation", LLVM::LoopAnnotationAttr::get(
                                       getContext(), {}, {}, {}, unroll, {}, {},
                                       {}, {}, {}, {}, {}, {}, {}, {}, {}));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  Carried next = body(loop.getInductionVar(),
                      llvm::to_vector_of<Value>(loop.getRegionIterArgs()));
  // A loop that carries nothing has its terminator already.
  if (!carried.empty())
    scf::YieldOp::create(*this, next);
  return llvm::to_vector_of<Value>(loop.getResults());
}
