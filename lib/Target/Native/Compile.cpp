//===- Compile.cpp - From the LLVM dialect to machine code ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/Native/Compile.h"
#include "Emit.h"
#include "Stages.h"
#include "Symbols.h"
#include "headopt/Support/TemporaryFolder.h"
#include "headopt/Target/LLVM/Backend.h"
#include "headopt/Target/Native/SharedLibrary.h"
#include "headopt/Target/Native/Target.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"
#include "llvm/Object/ObjectFile.h"

using namespace mlir;
using namespace headopt;

void headopt::registerNativeTranslations(DialectRegistry &registry) {
  registry.insert<LLVM::LLVMDialect, omp::OpenMPDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerOpenMPDialectTranslation(registry);
}

namespace {

/// What one call of compileNative has in hand.
class Compiler {
public:
  Compiler(llvm::ArrayRef<NativeVariant> variants, const NativeOptions &options)
      : variants(variants), options(options) {
    context.setDiagnosticHandler(std::make_unique<KeepFirstError>(reason));
  }

  llvm::Expected<NativeCode> run(StringRef path);

private:
  llvm::Error translateVariants();
  llvm::Error emit(StringRef path);
  llvm::Error emitObjectFile(StringRef path);
  llvm::Error emitShared(StringRef path);
  llvm::Expected<Requirements> checkObject(StringRef path);
  llvm::Error writeObjects(const TemporaryFolder &folder,
                           std::vector<std::string> &paths);
  void measure();

  llvm::ArrayRef<NativeVariant> variants;
  const NativeOptions &options;
  /// Outlives the context, which writes to it.
  std::string reason;
  llvm::LLVMContext context;
  std::optional<WeightTable> weights;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::Module> module;
  NativeCode code;
};

} // namespace

template <typename... Args>
static llvm::Error error(const char *format, const Args &...args) {
  return llvm::createStringError(std::errc::invalid_argument, format, args...);
}

/// The head's signature, and that its function is as the signature says.
static llvm::Expected<std::optional<HeadSignature>>
readSignature(LLVM::LLVMFuncOp entry) {
  Attribute attr = entry->getAttr(kSignatureAttr);
  if (!attr)
    return std::nullopt;
  llvm::Expected<HeadSignature> signature = HeadSignature::fromAttribute(attr);
  if (!signature)
    return signature.takeError();
  Builder builder(entry.getContext());
  auto pointer = LLVM::LLVMPointerType::get(entry.getContext());
  SmallVector<Type> arguments{pointer};
  arguments.append(1 + signature->getDynamicAxes().size(),
                   builder.getI64Type());
  arguments.push_back(pointer);
  LLVM::LLVMFunctionType type = entry.getFunctionType();
  if (type.isVarArg() || type.getParams() != ArrayRef(arguments) ||
      type.getReturnType() != builder.getI32Type())
    return error("@%s is not of the type that its %s asks for: "
                 "(ptr, i64 batch, i64 for each dynamic extent, ptr) -> i32",
                 entry.getSymName().str().c_str(), kSignatureAttr.data());
  return std::optional(std::move(*signature));
}

llvm::Error Compiler::translateVariants() {
  std::vector<Version> versions;
  for (const NativeVariant &variant : variants) {
    llvm::Expected<NativeTarget> target =
        getNativeTarget(options.triple, variant.cpu);
    if (!target)
      return target.takeError();
    llvm::Expected<std::unique_ptr<llvm::TargetMachine>> created =
        createTargetMachine(*target);
    if (!created)
      return created.takeError();
    llvm::Expected<LLVM::LLVMFuncOp> entry = findEntry(variant.module);
    if (!entry)
      return entry.takeError();
    if (!weights) {
      code.name = entry->getSymName().str();
      llvm::Expected<std::optional<HeadSignature>> signature =
          readSignature(*entry);
      if (!signature)
        return signature.takeError();
      code.signature = std::move(*signature);
      weights.emplace(code.name + ".weights.");
    } else if (entry->getSymName() != code.name) {
      return error("the versions are of different functions, @%s and @%s",
                   code.name.c_str(), entry->getSymName().str().c_str());
    }
    llvm::Expected<std::unique_ptr<llvm::Module>> translated =
        translate(variant.module, *entry, **created, *weights, context);
    if (!translated)
      return translated.takeError();
    code.cpus.push_back(variant.cpu == "native" ? target->cpu : variant.cpu);
    // Functions say themselves what they are for; the machine stands for the
    // lowest.
    if (!machine)
      machine = std::move(*created);
    versions.push_back({std::move(*translated), variant.cpu});
  }
  if (versions.size() == 1) {
    module = std::move(versions.front().module);
    return llvm::Error::success();
  }
  llvm::Expected<std::unique_ptr<llvm::Module>> combined =
      combineVersions(std::move(versions), code.name);
  if (!combined)
    return combined.takeError();
  module = std::move(*combined);
  return llvm::Error::success();
}

/// Fills in what can be read from the finished module.
void Compiler::measure() {
  const llvm::DataLayout &layout = module->getDataLayout();
  for (const llvm::GlobalVariable &global : module->globals())
    if (global.isThreadLocal())
      code.scratchBytes += layout.getTypeAllocSize(global.getValueType());
  for (const DeferredWeight &weight : weights->getWeights())
    if (module->getNamedGlobal(weight.symbol))
      code.weightBytes += weight.size;
  code.usesOpenMP = llvm::any_of(*module, [](const llvm::Function &function) {
    return function.isDeclaration() &&
           function.getName().starts_with("__kmpc_fork");
  });
}

llvm::Expected<Requirements> Compiler::checkObject(StringRef path) {
  llvm::StringSet<> provided;
  for (llvm::StringRef bytes : options.objects) {
    auto other = llvm::object::ObjectFile::createObjectFile(
        llvm::MemoryBufferRef(bytes, "runtime"));
    if (!other)
      return other.takeError();
    if (llvm::Error failed = addDefinitions(**other, provided))
      return failed;
  }
  auto object = llvm::object::ObjectFile::createObjectFile(path);
  if (!object)
    return object.takeError();
  llvm::Expected<Requirements> requirements =
      findRequirements(*object->getBinary(), provided);
  if (!requirements)
    return requirements.takeError();
  code.usesLibm = requirements->libm;
  requirements->libc |= !options.objects.empty();
  return requirements;
}

/// Writes the options' objects to files for the linker and adds their `paths`.
llvm::Error Compiler::writeObjects(const TemporaryFolder &folder,
                                   std::vector<std::string> &paths) {
  for (llvm::StringRef bytes : options.objects) {
    paths.push_back(
        folder.getFile("runtime" + std::to_string(paths.size()) + ".o"));
    if (llvm::Error failed = llvm::writeToOutput(
            paths.back(), [&](llvm::raw_ostream &os) -> llvm::Error {
              os << bytes;
              return llvm::Error::success();
            }))
      return failed;
  }
  return llvm::Error::success();
}

llvm::Error Compiler::emitObjectFile(StringRef path) {
  if (options.objects.empty()) {
    if (llvm::Error error =
            emitObject(*module, *machine, weights->getWeights(), path))
      return error;
    return reason.empty() ? checkObject(path).takeError()
                          : llvm::Error::success();
  }
  llvm::Expected<TemporaryFolder> folder = TemporaryFolder::create();
  if (!folder)
    return folder.takeError();
  std::vector<std::string> parts{folder->getFile(code.name + ".o")};
  if (llvm::Error error =
          emitObject(*module, *machine, weights->getWeights(), parts.front()))
    return error;
  if (!reason.empty())
    return llvm::Error::success();
  if (llvm::Error error = checkObject(parts.front()).takeError())
    return error;
  if (llvm::Error error = writeObjects(*folder, parts))
    return error;
  return joinObjects(parts, path, options.triple);
}

llvm::Error Compiler::emitShared(StringRef path) {
  llvm::Expected<TemporaryFolder> folder = TemporaryFolder::create();
  if (!folder)
    return folder.takeError();
  // A name of its own: functions may be called longer than files can be.
  std::string object = folder->getFile("head.o");
  if (llvm::Error error =
          emitObject(*module, *machine, weights->getWeights(), object))
    return error;
  if (!reason.empty())
    return llvm::Error::success();
  llvm::Expected<Requirements> needs = checkObject(object);
  if (!needs)
    return needs.takeError();
  LinkOptions link;
  link.triple = options.triple;
  link.soname = options.soname;
  link.libc = needs->libc;
  link.libm = needs->libm;
  link.openMP = needs->openMP;
  if (llvm::Error error = writeObjects(*folder, link.objects))
    return error;
  return linkSharedLibrary(object, path, link);
}

llvm::Error Compiler::emit(StringRef path) {
  switch (options.format) {
  case NativeFormat::LLVM:
    return emitLLVM(*module, weights->getWeights(), path);
  case NativeFormat::Assembly:
    return emitAssembly(*module, *machine, weights->getWeights(), path);
  case NativeFormat::Object:
    return emitObjectFile(path);
  case NativeFormat::Shared:
    return emitShared(path);
  }
  llvm_unreachable("unknown format");
}

llvm::Expected<NativeCode> Compiler::run(StringRef path) {
  if (variants.empty())
    return error("there is nothing to compile");
  if (variants.size() > 1)
    for (const NativeVariant &variant : variants)
      if (options.triple.getArch() != llvm::Triple::x86_64 ||
          !isVersionCpu(variant.cpu))
        return error(
            "a choice between processors is made among x86-64-v2, -v3, "
            "-v4 and -v4+avx512bf16 only, not for '%s'",
            variant.cpu.c_str());
  if (!options.objects.empty() && !isHost(options.triple))
    return error("what the head brings along to run on a device is for this "
                 "machine, not for %s; leave out the triple",
                 options.triple.str().c_str());
  auto finish = [&](llvm::Error result) -> llvm::Error {
    if (reason.empty())
      return result;
    llvm::consumeError(std::move(result));
    return error("%s", reason.c_str());
  };
  if (llvm::Error failed = finish(translateVariants()))
    return failed;
  // Alignments may have grown with later versions.
  for (const DeferredWeight &weight : weights->getWeights())
    if (llvm::GlobalVariable *global = module->getNamedGlobal(weight.symbol))
      global->setAlignment(llvm::Align(weight.alignment));
  optimize(*module, *machine);
  measure();
  if (llvm::Error failed = finish(emit(path)))
    return failed;
  return std::move(code);
}

llvm::Expected<NativeCode>
headopt::compileNative(llvm::ArrayRef<NativeVariant> variants,
                       const NativeOptions &options, llvm::StringRef path) {
  return Compiler(variants, options).run(path);
}
