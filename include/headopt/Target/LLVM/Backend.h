//===- Backend.h - LLVM as a library, for any target ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What code for processors (Target/Native) and for devices (Target/GPU) is made
// with alike: translation from MLIR, optimisation, code generation.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_LLVM_BACKEND_H
#define HEADOPT_TARGET_LLVM_BACKEND_H

#include "mlir/IR/Operation.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"
#include <memory>
#include <string>

namespace headopt {

/// LLVM's entry for `triple`, null when it has none.
const llvm::Target *lookupTarget(const llvm::Triple &triple);

/// Keeps LLVM's first error in `text`; by itself LLVM would print it and exit.
class KeepFirstError : public llvm::DiagnosticHandler {
public:
  explicit KeepFirstError(std::string &text) : text(text) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override;

private:
  std::string &text;
};

/// Makes LLVM IR from `module`, a module of any kind in the LLVM dialect. Names
/// it `name`, which appears in objects, and so is no path of any file.
llvm::Expected<std::unique_ptr<llvm::Module>>
translateToLLVM(mlir::Operation *module, llvm::LLVMContext &context,
                llvm::StringRef name);

/// Has each function of `module` say for which processor it is, and that
/// nothing is thrown through it: there is no language whose exceptions could.
void describeFunctions(llvm::Module &module,
                       const llvm::TargetMachine &machine);

/// LLVM's pipeline at -O3. Each function is optimised for the processor that
/// its attributes name.
void optimize(llvm::Module &module, llvm::TargetMachine &machine);

/// Writes assembly or an object to `os`. Changes `module`.
llvm::Error generateCode(llvm::Module &module, llvm::TargetMachine &machine,
                         llvm::CodeGenFileType type,
                         llvm::raw_pwrite_stream &os);

} // namespace headopt

#endif // HEADOPT_TARGET_LLVM_BACKEND_H
