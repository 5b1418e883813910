//===- Backend.cpp - LLVM as a library, for any target --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/LLVM/Backend.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;
using namespace headopt;

const Target *headopt::lookupTarget(const Triple &triple) {
  // LLVM ignores what is registered already.
  InitializeAllTargetInfos();
  InitializeAllTargets();
  InitializeAllTargetMCs();
  InitializeAllAsmPrinters();
  InitializeAllAsmParsers();
  std::string ignored;
  return TargetRegistry::lookupTarget(triple, ignored);
}

bool KeepFirstError::handleDiagnostics(const DiagnosticInfo &info) {
  if (info.getSeverity() != DS_Error || !text.empty())
    return true;
  raw_string_ostream os(text);
  DiagnosticPrinterRawOStream printer(os);
  info.print(printer);
  return true;
}

Expected<std::unique_ptr<Module>>
headopt::translateToLLVM(mlir::Operation *module, LLVMContext &context,
                         StringRef name) {
  std::string reason;
  std::unique_ptr<Module> result;
  {
    mlir::ScopedDiagnosticHandler handler(
        module->getContext(), [&](mlir::Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error)
            return failure();
          if (reason.empty())
            reason = diagnostic.str();
          return success();
        });
    result = mlir::translateModuleToLLVMIR(module, context, name);
  }
  if (!result)
    return createStringError(std::errc::invalid_argument,
                             "cannot be translated to LLVM IR: %s",
                             reason.c_str());
  result->setSourceFileName(name);
  return result;
}

void headopt::describeFunctions(Module &module, const TargetMachine &machine) {
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    if (!machine.getTargetFeatureString().empty())
      function.addFnAttr("target-features", machine.getTargetFeatureString());
    function.setDoesNotThrow();
  }
}

void headopt::optimize(Module &module, TargetMachine &machine) {
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  PipelineTuningOptions tuning;
  tuning.LoopVectorization = true;
  tuning.SLPVectorization = true;
  PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(OptimizationLevel::O3)
      .run(module, modules);
}

Error headopt::generateCode(Module &module, TargetMachine &machine,
                            CodeGenFileType type, raw_pwrite_stream &os) {
  legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, os, nullptr, type))
    return createStringError(std::errc::not_supported,
                             "LLVM cannot write this kind of file for %s",
                             machine.getTargetTriple().str().c_str());
  passes.run(module);
  return Error::success();
}
