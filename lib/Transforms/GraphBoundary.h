//===- GraphBoundary.h - Values that become inputs or outputs ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TRANSFORMS_GRAPHBOUNDARY_H
#define HEADOPT_LIB_TRANSFORMS_GRAPHBOUNDARY_H

#include "headopt/Analysis/ModelFacts.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace headopt {

/// What an argument or a result of a graph says of `value`, a value of `graph`
/// that has the type `type`: its name, the names of its extents, and what else
/// the file says of it as an input, an output or a value_info. Extents that are
/// those of a graph input have their names.
mlir::DictionaryAttr describeValue(mlir::Value value,
                                   mlir::RankedTensorType type,
                                   mlir::func::FuncOp graph,
                                   const ModelFacts &facts);

} // namespace headopt

#endif // HEADOPT_LIB_TRANSFORMS_GRAPHBOUNDARY_H
