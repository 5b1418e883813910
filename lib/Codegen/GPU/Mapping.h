//===- Mapping.h - The steps of the mapping to GPUs -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_CODEGEN_GPU_MAPPING_H
#define HEADOPT_LIB_CODEGEN_GPU_MAPPING_H

#include "../DenseProduct.h"
#include "../PoolingReduction.h"
#include "KernelBuilder.h"

namespace headopt {

/// Each writes kernels for one operation, and gives the value that replaces the
/// result of its root.
mlir::Value mapPooling(KernelBuilder &b, PoolingReduction pooling);
mlir::Value mapDense(KernelBuilder &b, DenseProduct dense);

/// Whether mapLoops takes `op`; if not, `whyNot` has the reason.
llvm::LogicalResult checkMapsToLoops(mlir::linalg::LinalgOp op,
                                     std::string &whyNot);
/// A kernel for all results of `op`; gives what replaces them.
llvm::SmallVector<mlir::Value> mapLoops(KernelBuilder &b,
                                        mlir::linalg::LinalgOp op);

} // namespace headopt

#endif // HEADOPT_LIB_CODEGEN_GPU_MAPPING_H
