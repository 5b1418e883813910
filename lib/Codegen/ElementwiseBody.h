//===- ElementwiseBody.h - Scalar bodies on whole vectors -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The body of an element-wise linalg operation says what is done to one
// element. Schedules repeat it on vectors.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_CODEGEN_ELEMENTWISEBODY_H
#define HEADOPT_LIB_CODEGEN_ELEMENTWISEBODY_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace headopt {

/// Whether schedules have vectors of numbers of this type in memory: f16, bf16,
/// f32, f64.
bool isScheduledElement(mlir::Type type);

/// Whether schedules add up numbers of this type: f32, f64.
bool isScheduledSum(mlir::Type type);

/// Whether numbers of this type take as much memory one by one as in a vector:
/// a boolean takes a byte, and so does a vector of eight of them.
bool fillsItsBytes(mlir::Type type);

/// Whether all tensors that `op` reads and writes have elements that fill their
/// bytes, so that they can be read and written as vectors. (store-whole-bytes
/// sees to that.)
bool isOfWholeBytes(mlir::linalg::LinalgOp op);

/// True when every operation of `body` but its terminator treats elements one
/// by one, so that cloneOnVectors can repeat it.
bool isElementwiseBody(mlir::Block &body);

/// Computes `scalar`, a value inside an element-wise `body` or one that it
/// captures, for `lanes` elements at once: a vector of that many of its type.
/// `map` has the vectors for the arguments of the body, and is given those of
/// all that is computed on the way; captured values are broadcast.
mlir::Value cloneOnVectors(mlir::OpBuilder &builder, mlir::Block &body,
                           mlir::Value scalar, int64_t lanes,
                           mlir::IRMapping &map);

} // namespace headopt

#endif // HEADOPT_LIB_CODEGEN_ELEMENTWISEBODY_H
