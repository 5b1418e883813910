//===- DenseLayer.cpp - Nodes read as dense layers ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/DenseLayer.h"

using namespace mlir;
using namespace headopt;

/// The other operand of the Add that is the only use of `product`; null when
/// there is no such Add.
static Value getAddedValue(Value product) {
  if (!product.hasOneUse())
    return nullptr;
  OpOperand &use = *product.use_begin();
  auto add = dyn_cast<onnx::AddOp>(use.getOwner());
  if (!add)
    return nullptr;
  return add->getOperand(1 - use.getOperandNumber());
}

static bool hasOtherRank(Value value, int64_t rank) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() != rank;
}

std::optional<DenseLayer> headopt::matchDenseLayer(Operation *op) {
  DenseLayer layer;
  layer.op = op;
  if (auto gemm = dyn_cast<onnx::GemmOp>(op)) {
    layer.data = &op->getOpOperand(0);
    layer.weight = &op->getOpOperand(1);
    layer.transposed = gemm.getTransB().value_or(0) != 0;
    if (gemm.getC() && !isa<NoneType>(gemm.getC().getType()))
      layer.bias = gemm.getC();
    if (gemm.getTransA().value_or(0) != 0)
      layer.unsupported = "transA is set, so samples are columns";
    return layer;
  }
  if (auto matmul = dyn_cast<onnx::MatMulOp>(op)) {
    layer.data = &op->getOpOperand(0);
    layer.weight = &op->getOpOperand(1);
    layer.transposed = false;
    // A product of higher rank is a layer for each position, not a head.
    if (hasOtherRank(matmul.getA(), 2) || hasOtherRank(matmul.getB(), 2))
      return std::nullopt;
    layer.bias = getAddedValue(matmul.getY());
    return layer;
  }
  return std::nullopt;
}
