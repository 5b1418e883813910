//===- VectorLoops.h - Small builders that the CPU schedules share -*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_CODEGEN_CPU_VECTORLOOPS_H
#define HEADOPT_LIB_CODEGEN_CPU_VECTORLOOPS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace headopt {

/// An extent or an index, known at compile time where possible.
using Index = mlir::OpFoldResult;

/// Builds the loops of a schedule.
struct VectorLoops : mlir::ImplicitLocOpBuilder {
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  /// `index` as a value.
  mlir::Value materialize(Index index);
  mlir::Value constant(int64_t index);
  /// Sums, products, quotients (rounded down) and remainders of extents.
  Index add(Index a, Index b);
  Index sub(Index a, Index b);
  Index mul(Index a, Index b);
  Index floorDiv(Index a, int64_t b);

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
