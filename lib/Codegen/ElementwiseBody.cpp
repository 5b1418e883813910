//===- ElementwiseBody.cpp - Scalar bodies on whole vectors ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ElementwiseBody.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/OpDefinition.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

bool headopt::isScheduledElement(Type type) {
  return type.isF16() || type.isBF16() || isScheduledSum(type);
}

bool headopt::isScheduledSum(Type type) { return type.isF32() || type.isF64(); }

bool headopt::fillsItsBytes(Type type) {
  return type.isIntOrFloat() && type.getIntOrFloatBitWidth() >= 8 &&
         llvm::isPowerOf2_32(type.getIntOrFloatBitWidth());
}

bool headopt::isOfWholeBytes(linalg::LinalgOp op) {
  return llvm::all_of(op->getOperandTypes(), [](Type type) {
    return fillsItsBytes(getElementTypeOrSelf(type));
  });
}

bool headopt::isElementwiseBody(Block &body) {
  return llvm::all_of(body.without_terminator(), [](Operation &op) {
    return op.getNumResults() == 1 && op.getNumRegions() == 0 &&
           (op.hasTrait<OpTrait::ConstantLike>() ||
            OpTrait::hasElementwiseMappableTraits(&op));
  });
}

Value headopt::cloneOnVectors(OpBuilder &builder, Block &body, Value scalar,
                              int64_t lanes, IRMapping &map) {
  if (Value known = map.lookupOrNull(scalar))
    return known;
  auto type = VectorType::get({lanes}, scalar.getType());
  Operation *op = scalar.getDefiningOp();
  bool inside = op && op->getBlock() == &body;
  Value result;
  if (!inside || op->hasTrait<OpTrait::ConstantLike>()) {
    if (inside)
      scalar = builder.clone(*op)->getResult(0);
    result =
        vector::BroadcastOp::create(builder, scalar.getLoc(), type, scalar);
  } else {
    OperationState state(op->getLoc(), op->getName());
    for (Value operand : op->getOperands())
      state.addOperands(cloneOnVectors(builder, body, operand, lanes, map));
    state.addTypes(type);
    state.addAttributes(op->getAttrs());
    result = builder.create(state)->getResult(0);
  }
  map.map(inside ? op->getResult(0) : scalar, result);
  return result;
}
