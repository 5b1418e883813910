//===- DenseProduct.h - Products with a constant matrix ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the schedules for CPUs and GPUs have in common: which linalg operations
// are dense layers, and what follows them.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_CODEGEN_DENSEPRODUCT_H
#define HEADOPT_LIB_CODEGEN_DENSEPRODUCT_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace headopt {

/// The bytes of a constant: of all its elements, or of one that stands for all.
struct WeightData {
  llvm::ArrayRef<char> raw;
  bool splat;
};

/// y[m, o] = sum_k x[m, k] * w[k, o], and what is done to each y behind it.
struct DenseProduct {
  mlir::linalg::LinalgOp product;
  /// Element-wise, of the product and of values that are broadcast to it; null
  /// when there is none.
  mlir::linalg::GenericOp epilogue;
  mlir::Value rows;
  mlir::arith::ConstantOp weight;
  /// The constant is [columns, inner] rather than [inner, columns].
  bool transposed;
  /// The number of rows may be dynamic; the others are known and not 0.
  int64_t numRows, inner, columns;

  mlir::FloatType getAccumulatorType() {
    return llvm::cast<mlir::FloatType>(
        getElementTypeOrSelf(product->getResult(0).getType()));
  }
  /// Both sides are bf16 and the sums f32: what instructions that multiply
  /// pairs of bf16 compute.
  bool isOfBF16() {
    return getElementTypeOrSelf(rows.getType()).isBF16() &&
           getElementTypeOrSelf(weight.getType()).isBF16() &&
           getAccumulatorType().isF32();
  }
  mlir::Operation *getRoot() {
    return epilogue ? epilogue.getOperation() : product.getOperation();
  }
  /// Nothing when the data is not there, or not as long as the type says.
  std::optional<WeightData> getWeightData();
};

/// Reads `op` as a product with a constant matrix. On failure `whyNot` has the
/// reason.
llvm::FailureOr<DenseProduct> matchDenseProduct(mlir::linalg::LinalgOp op,
                                                llvm::StringRef &whyNot);

} // namespace headopt

#endif // HEADOPT_LIB_CODEGEN_DENSEPRODUCT_H
