//===- VectorLoops.h - Small builders that the CPU schedules share -*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_CODEGEN_CPU_VECTORLOOPS_H
#define HEADOPT_LIB_CODEGEN_CPU_VECTORLOOPS_H

#include "../ExtentBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace headopt {

/// Builds the loops of a schedule.
struct VectorLoops : ExtentBuilder {
  using ExtentBuilder::ExtentBuilder;

  /// `lanes` elements of `tensor` from `indices` on, all of them inside it.
  mlir::Value load(mlir::Value tensor, llvm::ArrayRef<mlir::Value> indices,
                   int64_t lanes);
  /// `tensor` with `vector` written from `indices` on.
  mlir::Value store(mlir::Value vector, mlir::Value tensor,
                    llvm::ArrayRef<mlir::Value> indices);
  /// A vector of equal numbers.
  mlir::Value splat(mlir::Type elementType, int64_t lanes, double value);

  using Carried = llvm::SmallVector<mlir::Value>;
  /// for i = from, from + step ... below to: `body` gives the next `carried`.
  /// No loop is made where the extents say that it runs once or never.
  Carried
  loop(Index from, Index to, int64_t step, Carried carried,
       llvm::function_ref<Carried(mlir::Value i, Carried carried)> body);
};

} // namespace headopt

#endif // HEADOPT_LIB_CODEGEN_CPU_VECTORLOOPS_H
