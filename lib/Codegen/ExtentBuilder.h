//===- ExtentBuilder.h - Arithmetic on extents and indices ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the schedules for CPUs and GPUs count with: numbers that are computed
// now when they are known now, and by the code otherwise.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_CODEGEN_EXTENTBUILDER_H
#define HEADOPT_LIB_CODEGEN_EXTENTBUILDER_H

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpDefinition.h"

namespace headopt {

/// An extent or an index, known at compile time where possible. Never negative.
using Index = mlir::OpFoldResult;

struct ExtentBuilder : mlir::ImplicitLocOpBuilder {
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  /// `index` as a value.
  mlir::Value materialize(Index index);
  mlir::Value constant(int64_t index);
  Index add(Index a, Index b);
  Index sub(Index a, Index b);
  Index mul(Index a, Index b);
  /// Rounded down, and up.
  Index floorDiv(Index a, Index b);
  Index floorDiv(Index a, int64_t b) { return floorDiv(a, getIndexAttr(b)); }
  Index ceilDiv(Index a, Index b);
  Index remainder(Index a, Index b);
  Index min(Index a, Index b);
};

} // namespace headopt

#endif // HEADOPT_LIB_CODEGEN_EXTENTBUILDER_H
