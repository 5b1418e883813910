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

/// On loops whose iterations threads may share: none of them reads or writes
/// what another one writes, but for buffers that nobody else uses, which each
/// thread can have one of its own of. The number says what the iterations take
/// together, as bytes that could be read meanwhile, beyond the function's
/// arguments.
inline constexpr llvm::StringLiteral kIndependentAttr = "headopt.independent";

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
  using LoopBody = llvm::function_ref<Carried(mlir::Value i, Carried carried)>;
  /// for i = from, from + step ... below to: `body` gives the next `carried`.
  /// No loop is made where the extents say that it runs once or never.
  Carried loop(Index from, Index to, int64_t step, Carried carried,
               LoopBody body);
  /// The same, with iterations that threads may share (kIndependentAttr).
  Carried independentLoop(Index from, Index to, int64_t step, Carried carried,
                          LoopBody body, int64_t work = 0);
  /// `less` where a < b, which may be known now, else `notLess`.
  Carried ifLess(Index a, Index b, mlir::TypeRange types,
                 llvm::function_ref<Carried()> less,
                 llvm::function_ref<Carried()> notLess);

  /// The number that a function of OpenMP's answers with. The module has to
  /// declare it.
  mlir::Value askOpenMP(llvm::StringRef name);

private:
  Carried makeLoop(Index from, Index to, int64_t step, Carried carried,
                   LoopBody body, mlir::NamedAttrList attributes);
};

} // namespace headopt

#endif // HEADOPT_LIB_CODEGEN_CPU_VECTORLOOPS_H
