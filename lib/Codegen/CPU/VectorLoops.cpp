//===- VectorLoops.cpp - Small builders that the CPU schedules share ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VectorLoops.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
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

VectorLoops::Carried VectorLoops::makeLoop(Index from, Index to, int64_t step,
                                           Carried carried, LoopBody body,
                                           NamedAttrList attributes) {
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
  attributes.set("loop_annotation",
                 LLVM::LoopAnnotationAttr::get(getContext(), {}, {}, {}, unroll,
                                               {}, {}, {}, {}, {}, {}, {}, {},
                                               {}, {}, {}));
  loop->setDiscardableAttrs(attributes);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  Carried next = body(loop.getInductionVar(),
                      llvm::to_vector_of<Value>(loop.getRegionIterArgs()));
  // A loop that carries nothing has its terminator already.
  if (!carried.empty())
    scf::YieldOp::create(*this, next);
  return llvm::to_vector_of<Value>(loop.getResults());
}

VectorLoops::Carried VectorLoops::loop(Index from, Index to, int64_t step,
                                       Carried carried, LoopBody body) {
  return makeLoop(from, to, step, carried, body, {});
}

VectorLoops::Carried VectorLoops::independentLoop(Index from, Index to,
                                                  int64_t step, Carried carried,
                                                  LoopBody body, int64_t work) {
  NamedAttrList attributes;
  attributes.set(kIndependentAttr, getI64IntegerAttr(work));
  return makeLoop(from, to, step, carried, body, attributes);
}

VectorLoops::Carried VectorLoops::ifLess(Index a, Index b, TypeRange types,
                                         function_ref<Carried()> less,
                                         function_ref<Carried()> notLess) {
  std::optional<int64_t> knownA = getConstantIntValue(a),
                         knownB = getConstantIntValue(b);
  if (knownA && knownB)
    return *knownA < *knownB ? less() : notLess();
  Value isLess = arith::CmpIOp::create(*this, arith::CmpIPredicate::ult,
                                       materialize(a), materialize(b));
  auto branch =
      scf::IfOp::create(*this, types, isLess, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(*this, less());
  setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(*this, notLess());
  return llvm::to_vector_of<Value>(branch.getResults());
}

Value VectorLoops::askOpenMP(StringRef name) {
  auto answer = func::CallOp::create(*this, name, getI32Type(), ValueRange());
  return arith::IndexCastOp::create(*this, getIndexType(), answer.getResult(0));
}
