//===- Diagnostics.cpp - MLIR's diagnostics as errors ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Support/Diagnostics.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;

llvm::Error headopt::collectError(MLIRContext *context,
                                  function_ref<LogicalResult()> work) {
  std::string first;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
      return failure();
    if (first.empty())
      first = diagnostic.str();
    return success();
  });
  if (succeeded(work()))
    return llvm::Error::success();
  return llvm::createStringError(std::errc::invalid_argument, "%s",
                                 first.empty() ? "the head cannot be lowered"
                                               : first.c_str());
}
