//===- ConstantFolder.h - Values computed from constants --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_CONSTANTFOLDER_H
#define HEADOPT_ANALYSIS_CONSTANTFOLDER_H

#include "headopt/Analysis/ConstantReader.h"
#include "headopt/Analysis/ModelFacts.h"

namespace headopt {

/// Reads `value` as a constant, computing it where it is made from constants by
/// operators that weights stand behind: views, Identity, Cast, Expand, Tile,
/// Add, Sub, Mul, Div and DequantizeLinear. Each operator rounds its result
/// once, to its own type, as the operator is defined. Nullopt, and the reason
/// in `whyNot`, when it is no such constant.
std::optional<Constant> foldConstant(mlir::Value value, const ModelFacts &facts,
                                     std::string &whyNot);

/// True when `value` depends on constants alone, however they are combined.
/// With `inputs`, graph inputs of a fixed size count as constants: weights that
/// callers give. Expressions of very many operators do not count.
bool isMadeFromConstants(mlir::Value value, bool inputs);

/// What an operation computes its results from: nothing where it is a constant,
/// nullopt where that is not known.
using SourcesFunction =
    llvm::function_ref<std::optional<llvm::SmallVector<mlir::Value>>(
        mlir::Operation *op)>;

/// The same for operations of which `getSources` knows.
bool isMadeFromConstants(mlir::Value value, bool inputs,
                         SourcesFunction getSources);

} // namespace headopt

#endif // HEADOPT_ANALYSIS_CONSTANTFOLDER_H
