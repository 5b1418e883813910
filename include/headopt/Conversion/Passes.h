//===- Passes.h - Conversions from the onnx dialect -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_CONVERSION_PASSES_H
#define HEADOPT_CONVERSION_PASSES_H

#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace headopt {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "headopt/Conversion/Passes.h.inc"

} // namespace headopt

#endif // HEADOPT_CONVERSION_PASSES_H
