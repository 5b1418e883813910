//===- Lowerable.h - What can be lowered of a head --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which nodes convert-onnx-to-linalg takes is said here and nowhere else:
// outline-head cuts the head where the first one comes that it does not take.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_LOWERABLE_H
#define HEADOPT_ANALYSIS_LOWERABLE_H

#include "headopt/Analysis/ModelFacts.h"
#include <string>

namespace headopt {

/// How an operand is known without a run.
enum class OperandKind {
  /// Left out (`none`), or a constant that ConstantFolder.h reads.
  Constant,
  /// Computed, from shapes for instance, but all its elements are known numbers
  /// (ModelFacts::getNumbers).
  Numbers,
  /// Neither.
  Computed,
};

/// Says how `value` is known.
OperandKind classifyOperand(mlir::Value value, const ModelFacts &facts);

/// The target, as a Reshape takes it, by which `op`, a view, brings its data
/// into its result's shape: numbers, 0 for an extent that is that of the data
/// at the same axis, and at most one -1. Nullopt when there is none; of
/// operators that reorder elements (Transpose) nothing is asked.
std::optional<llvm::SmallVector<int64_t>>
getReshapeTarget(mlir::Operation *op, const ModelFacts &facts);

/// True when `conv` is a dense layer: it has one window, which is the whole
/// map, and no groups.
bool isDenseConv(onnx::ConvOp conv, const ModelFacts &facts);

/// What keeps `op` from being lowered, whatever its parameters are computed
/// from, as what follows the node's name; empty when nothing does. Parameters
/// may have other floating-point types than the data (opset 15).
std::string checkBatchNormalization(onnx::BatchNormalizationOp op,
                                    const ModelFacts &facts);

/// True when `pow` is of floating-point numbers, and its exponents are, as
/// numbers of the type that it is computed in, what they are: from opset 12 on
/// they may have another type.
bool hasLowerableExponent(onnx::PowOp pow, const ModelFacts &facts);

/// True when `op` can be lowered as it is, or, for a Reshape or a Gather of the
/// only slice, as a Reshape to getReshapeTarget(). That operands which must be
/// constant are, is checked; others may be anything. False, and the reason in
/// `whyNot` as a sentence that names the node, when it cannot.
bool isLowerable(mlir::Operation *op, const ModelFacts &facts,
                 std::string &whyNot);

/// The type that `facts` know of `value`: ranked, with numbers where they are
/// known. Null when its rank or its element type is not known.
mlir::RankedTensorType getKnownType(mlir::Value value, const ModelFacts &facts);

} // namespace headopt

#endif // HEADOPT_ANALYSIS_LOWERABLE_H
