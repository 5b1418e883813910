//===- Diagnostics.h - MLIR's diagnostics as errors -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_SUPPORT_DIAGNOSTICS_H
#define HEADOPT_SUPPORT_DIAGNOSTICS_H

#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace headopt {

/// Runs `work`, which says by diagnostics what is wrong. When it fails, the
/// first error is the one that is returned; remarks and warnings go their way.
llvm::Error collectError(mlir::MLIRContext *context,
                         llvm::function_ref<llvm::LogicalResult()> work);

} // namespace headopt

#endif // HEADOPT_SUPPORT_DIAGNOSTICS_H
