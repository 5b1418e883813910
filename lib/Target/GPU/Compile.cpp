//===- Compile.cpp - From kernels to code for a device --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/GPU/Compile.h"
#include "Backends.h"
#include "headopt/Pipelines/GPU.h"
#include "headopt/Target/GPU/SPIRV.h"
#include "headopt/Target/LLVM/Backend.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/MC/TargetRegistry.h"

using namespace mlir;
using namespace headopt;

template <typename... Args>
static llvm::Error error(const char *format, const Args &...args) {
  return llvm::createStringError(std::errc::invalid_argument, format, args...);
}

llvm::Triple headopt::getDeviceTriple(DeviceKind kind) {
  return llvm::Triple(kind == DeviceKind::ROCm ? "amdgcn-amd-amdhsa"
                                               : "nvptx64-nvidia-cuda");
}

namespace {

/// What compileDevice has in hand for a device that LLVM makes code for.
class Compiler {
public:
  explicit Compiler(const DeviceTarget &target) : target(target) {
    context.setDiagnosticHandler(std::make_unique<KeepFirstError>(reason));
  }

  llvm::Expected<std::string> run(ModuleOp module, gpu::GPUModuleOp kernels,
                                  DeviceFormat format);

private:
  llvm::Error lower(ModuleOp module);
  llvm::Error createMachine();
  llvm::Error translate(gpu::GPUModuleOp kernels);
  llvm::Error checkReported();
  llvm::Error checkDefined();
  llvm::Expected<std::string> generate(llvm::CodeGenFileType type);
  llvm::Expected<std::string> emit(DeviceFormat format);

  const DeviceTarget &target;
  /// Outlives the context, which writes to it.
  std::string reason;
  llvm::LLVMContext context;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::Module> code;
};

} // namespace

llvm::Error Compiler::lower(ModuleOp module) {
  PassManager pm(module.getContext());
  if (target.kind == DeviceKind::CUDA) {
    buildNVVMPipeline(pm);
  } else {
    ROCDLPipelineOptions options;
    options.chip = target.chip;
    buildROCDLPipeline(pm, options);
  }
  std::string failure;
  ScopedDiagnosticHandler handler(
      module.getContext(), [&](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return llvm::failure();
        if (failure.empty())
          failure = diagnostic.str();
        return success();
      });
  if (succeeded(pm.run(module)))
    return llvm::Error::success();
  return error("the kernels cannot be lowered: %s", failure.c_str());
}

llvm::Error Compiler::createMachine() {
  llvm::Triple triple = getDeviceTriple(target.kind);
  const llvm::Target *backend = lookupTarget(triple);
  // LLVM by itself writes the oldest version of PTX that has the chip, which
  // most drivers take; that of old chips has not all that kernels use. (A
  // version that does not have the chip would end the process.)
  const char *features =
      target.kind == DeviceKind::CUDA && !hasModernPTX(target.chip) ? "+ptx70"
                                                                    : "";
  machine.reset(backend ? backend->createTargetMachine(
                              triple, target.chip, features,
                              llvm::TargetOptions(), llvm::Reloc::PIC_,
                              std::nullopt, llvm::CodeGenOptLevel::Aggressive)
                        : nullptr);
  if (!machine)
    return error("this LLVM has no code generation for %s",
                 triple.str().c_str());
  return llvm::Error::success();
}

llvm::Error Compiler::translate(gpu::GPUModuleOp kernels) {
  llvm::Expected<std::unique_ptr<llvm::Module>> translated =
      translateToLLVM(kernels, context, kernels.getName());
  if (!translated)
    return translated.takeError();
  code = std::move(*translated);
  code->setTargetTriple(machine->getTargetTriple());
  code->setDataLayout(machine->createDataLayout());
  describeFunctions(*code, *machine);
  // Passes count on the alignment that LLVM prefers for shared memory, 16 for
  // arrays, while NVPTX would write that of an element and load four at once.
  for (llvm::GlobalVariable &global : code->globals())
    if (!global.getAlign())
      global.setAlignment(code->getDataLayout().getPreferredAlign(&global));
  // Version 4 is what ROCm from 4.1 on loads, and lld from 13 on links (that of
  // Debian 12, 14, does not know version 5). Kernels use nothing that differs.
  if (target.kind == DeviceKind::ROCm)
    code->addModuleFlag(llvm::Module::Error, "amdhsa_code_object_version", 400);
  return llvm::Error::success();
}

/// Fails when LLVM has reported an error.
llvm::Error Compiler::checkReported() {
  if (reason.empty())
    return llvm::Error::success();
  StringRef text(reason);
  // Kernels have no places in a source file.
  text.consume_front("<unknown>:0:0: ");
  return error("LLVM makes no code of the kernels: %s", text.str().c_str());
}

/// Drivers link nothing, and no library of a vendor's is linked here.
llvm::Error Compiler::checkDefined() {
  for (const llvm::Function &function : *code)
    if (function.isDeclaration() && !function.isIntrinsic() &&
        !function.use_empty())
      return error("the kernels call '%s', which nothing defines; write it as "
                   "arithmetic",
                   function.getName().str().c_str());
  return llvm::Error::success();
}

llvm::Expected<std::string> Compiler::generate(llvm::CodeGenFileType type) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream os(bytes);
  if (llvm::Error failed = generateCode(*code, *machine, type, os))
    return std::move(failed);
  if (llvm::Error failed = checkReported())
    return std::move(failed);
  return std::string(bytes.begin(), bytes.end());
}

llvm::Expected<std::string> Compiler::emit(DeviceFormat format) {
  if (format == DeviceFormat::LLVM) {
    std::string text;
    llvm::raw_string_ostream os(text);
    code->print(os, nullptr);
    return text;
  }
  bool objectIsFirst =
      target.kind == DeviceKind::ROCm && format == DeviceFormat::Binary;
  llvm::Expected<std::string> generated =
      generate(objectIsFirst ? llvm::CodeGenFileType::ObjectFile
                             : llvm::CodeGenFileType::AssemblyFile);
  if (!generated || format == DeviceFormat::Assembly)
    return generated;
  return target.kind == DeviceKind::ROCm ? linkCodeObject(*generated)
                                         : assemblePTX(*generated, target.chip);
}

llvm::Expected<std::string>
Compiler::run(ModuleOp module, gpu::GPUModuleOp kernels, DeviceFormat format) {
  if (llvm::Error failed = lower(module))
    return std::move(failed);
  if (llvm::Error failed = createMachine())
    return std::move(failed);
  if (llvm::Error failed = translate(kernels))
    return std::move(failed);
  optimize(*code, *machine);
  if (llvm::Error failed = checkReported())
    return std::move(failed);
  if (llvm::Error failed = checkDefined())
    return std::move(failed);
  return emit(format);
}

llvm::Expected<std::string> headopt::compileDevice(ModuleOp module,
                                                   const DeviceTarget &target,
                                                   DeviceFormat format) {
  auto modules = llvm::to_vector(module.getOps<gpu::GPUModuleOp>());
  if (modules.size() != 1)
    return error("there are %zu gpu.module to compile, and not one",
                 modules.size());
  switch (target.kind) {
  case DeviceKind::CUDA:
  case DeviceKind::ROCm:
    return Compiler(target).run(module, modules.front(), format);
  case DeviceKind::Vulkan:
    return compileSPIRV(module, target, format);
  }
  llvm_unreachable("unknown kind of device");
}
