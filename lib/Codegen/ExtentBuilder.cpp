//===- ExtentBuilder.cpp - Arithmetic on extents and indices --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExtentBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace headopt;

Value ExtentBuilder::materialize(Index index) {
  return getValueOrCreateConstantIndexOp(*this, getLoc(), index);
}

Value ExtentBuilder::constant(int64_t index) {
  return arith::ConstantIndexOp::create(*this, index);
}

Index ExtentBuilder::add(Index a, Index b) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(b);
  if (x && y)
    return getIndexAttr(*x + *y);
  if (x == 0)
    return b;
  if (y == 0)
    return a;
  return Value(arith::AddIOp::create(*this, materialize(a), materialize(b)));
}

Index ExtentBuilder::sub(Index a, Index b) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(b);
  if (x && y)
    return getIndexAttr(*x - *y);
  if (y == 0)
    return a;
  return Value(arith::SubIOp::create(*this, materialize(a), materialize(b)));
}

Index ExtentBuilder::mul(Index a, Index b) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(b);
  if (x && y)
    return getIndexAttr(*x * *y);
  if (x == 1)
    return b;
  if (y == 1)
    return a;
  if (x == 0 || y == 0)
    return getIndexAttr(0);
  return Value(arith::MulIOp::create(*this, materialize(a), materialize(b)));
}

Index ExtentBuilder::floorDiv(Index a, Index b) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(b);
  if (x && y)
    return getIndexAttr(*x / *y);
  if (y == 1)
    return a;
  return Value(arith::DivUIOp::create(*this, materialize(a), materialize(b)));
}

Index ExtentBuilder::ceilDiv(Index a, Index b) {
  return floorDiv(sub(add(a, b), getIndexAttr(1)), b);
}

Index ExtentBuilder::remainder(Index a, Index b) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(b);
  if (x && y)
    return getIndexAttr(*x % *y);
  if (y == 1)
    return getIndexAttr(0);
  return Value(arith::RemUIOp::create(*this, materialize(a), materialize(b)));
}

Index ExtentBuilder::min(Index a, Index b) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(b);
  if (x && y)
    return getIndexAttr(std::min(*x, *y));
  return Value(arith::MinUIOp::create(*this, materialize(a), materialize(b)));
}
