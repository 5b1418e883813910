//===- Emit.h - Text and objects from LLVM IR -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_NATIVE_EMIT_H
#define HEADOPT_LIB_TARGET_NATIVE_EMIT_H

#include "Stages.h"
#include "headopt/Target/Native/Compile.h"

namespace headopt {

/// Writes the LLVM IR of `module` with the bytes of its weights to `path`.
llvm::Error emitLLVM(llvm::Module &module,
                     llvm::ArrayRef<DeferredWeight> weights,
                     llvm::StringRef path);

/// Writes assembly. Code generation changes `module`.
llvm::Error emitAssembly(llvm::Module &module, llvm::TargetMachine &machine,
                         llvm::ArrayRef<DeferredWeight> weights,
                         llvm::StringRef path);

/// Writes an object. Code generation changes `module`. LLVM sees zeros for the
/// weights; their bytes are put into the finished file, so that they are never
/// in memory.
llvm::Error emitObject(llvm::Module &module, llvm::TargetMachine &machine,
                       llvm::ArrayRef<DeferredWeight> weights,
                       llvm::StringRef path);

} // namespace headopt

#endif // HEADOPT_LIB_TARGET_NATIVE_EMIT_H
