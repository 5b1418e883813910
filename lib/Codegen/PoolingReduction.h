//===- PoolingReduction.h - Reductions over axes of a tensor ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the schedules for CPUs and GPUs have in common: which linalg operations
// are pooling reductions, and how their axes lie in memory.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_CODEGEN_POOLINGREDUCTION_H
#define HEADOPT_LIB_CODEGEN_POOLINGREDUCTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace headopt {

/// Adjacent axes of the input that are all summed over or all kept.
struct AxisGroup {
  llvm::SmallVector<int64_t> axes;
  bool reduced;
};

/// How a reduction joins two numbers. NaN wins in both.
enum class Combiner { Sum, Maximum };

/// A sum or maximum of `input`, element-wise changed, over some of its axes.
struct PoolingReduction {
  mlir::linalg::GenericOp sum;
  Combiner combiner = Combiner::Sum;
  /// What is done to the sums and nothing else uses them: an element-wise
  /// operation of the same shape. Null when there is none.
  mlir::linalg::GenericOp epilogue;
  mlir::Value input;
  /// In the order of the input; kept and summed groups alternate.
  llvm::SmallVector<AxisGroup> groups;
  /// What is joined to the accumulator, in the body of `sum`.
  mlir::Value addend;

  mlir::RankedTensorType getInputType() {
    return llvm::cast<mlir::RankedTensorType>(input.getType());
  }
  /// Of the accumulators.
  mlir::FloatType getAccumulatorType();
  /// The operation whose result the reduction as a whole computes.
  mlir::linalg::GenericOp getRoot() { return epilogue ? epilogue : sum; }
};

/// Reads `op` as a reduction. On failure `whyNot` has the reason. Accepted are
/// operations on tensors of floating point that start from what their combiner
/// leaves as it is (zero, minus infinity), read their input in order and keep
/// the order of the axes that stay.
llvm::FailureOr<PoolingReduction> matchReduction(mlir::linalg::GenericOp op,
                                                 llvm::StringRef &whyNot);

/// The same for sums only.
llvm::FailureOr<PoolingReduction> matchPooling(mlir::linalg::GenericOp op,
                                               llvm::StringRef &whyNot);

} // namespace headopt

#endif // HEADOPT_LIB_CODEGEN_POOLINGREDUCTION_H
