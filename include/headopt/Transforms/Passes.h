//===- Passes.h - Passes on the onnx dialect --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TRANSFORMS_PASSES_H
#define HEADOPT_TRANSFORMS_PASSES_H

#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include <functional>

namespace headopt {

class HeadAnalysis;

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "headopt/Transforms/Passes.h.inc"

/// The pass flatten-to-gap, which shows `onHeads` its analysis before it
/// changes anything, so that a report need not analyse the module again.
std::unique_ptr<mlir::Pass>
createFlattenToGap(FlattenToGapOptions options,
                   std::function<void(const HeadAnalysis &)> onHeads);

} // namespace headopt

#endif // HEADOPT_TRANSFORMS_PASSES_H
