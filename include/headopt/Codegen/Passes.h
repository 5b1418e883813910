//===- Passes.h - Passes that schedule pooling and dense layers -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_CODEGEN_PASSES_H
#define HEADOPT_CODEGEN_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/DenseMap.h"
#include <memory>

namespace headopt {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "headopt/Codegen/Passes.h.inc"

/// As many blocks as CUDA launches at most. As `max-blocks` of the passes that
/// make kernels: no block has more than one task.
inline constexpr unsigned kAnyBlocks = 0x7fffffff;

/// Constants of dense layers, and whether they are [columns, inner], in the
/// order in which kernels read them.
using PackedWeights =
    llvm::DenseMap<std::pair<mlir::Attribute, int>, mlir::TypedAttr>;

/// The pass schedule-dense, which looks for packed constants in `packed` and
/// adds its own, so that modules for several targets share them.
std::unique_ptr<mlir::Pass>
createScheduleDense(ScheduleDenseOptions options,
                    std::shared_ptr<PackedWeights> packed);

/// Whether `root` has a product that schedule-dense writes with instructions
/// for pairs of bf16 where there are some.
bool multipliesBF16(mlir::Operation *root);

} // namespace headopt

#endif // HEADOPT_CODEGEN_PASSES_H
