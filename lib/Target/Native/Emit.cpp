//===- Emit.cpp - Text and objects from LLVM IR ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emit.h"
#include "headopt/Target/LLVM/Backend.h"
#include "llvm/IR/Constants.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace headopt;

static Error writeError(StringRef path, std::error_code ec) {
  return createStringError(ec, "cannot write '%s': %s", path.str().c_str(),
                           ec.message().c_str());
}

/// Opens `path`, has `emit` write to it, and says what went wrong.
static Error writeTo(StringRef path,
                     function_ref<Error(raw_fd_ostream &)> emit) {
  std::error_code ec;
  raw_fd_ostream os(path, ec);
  if (ec)
    return writeError(path, ec);
  Error error = emit(os);
  os.close();
  ec = os.error();
  os.clear_error();
  if (!error && ec)
    return writeError(path, ec);
  return error;
}

/// Calls `write` with the bytes of `weight`, in pieces.
static Error forEachPiece(const DeferredWeight &weight,
                          function_ref<Error(uint64_t, StringRef)> write) {
  StringRef pattern(weight.pattern.data(), weight.pattern.size());
  // One element for a whole tensor is first made longer.
  std::string repeated;
  if (pattern.size() < weight.size) {
    constexpr uint64_t kBuffer = 1 << 20;
    repeated.reserve(kBuffer + pattern.size());
    while (repeated.size() < std::min(kBuffer, weight.size))
      repeated += pattern;
    pattern = repeated;
  }
  for (uint64_t offset = 0; offset < weight.size; offset += pattern.size())
    if (Error error = write(offset, pattern.take_front(weight.size - offset)))
      return error;
  return Error::success();
}

/// Turns the declarations of weights into definitions with `makeInitializer`.
static void defineWeights(
    Module &module, ArrayRef<DeferredWeight> weights,
    function_ref<Constant *(const DeferredWeight &, Type *)> makeInitializer) {
  for (const DeferredWeight &weight : weights) {
    GlobalVariable *global = module.getNamedGlobal(weight.symbol);
    if (!global)
      continue;
    global->setInitializer(makeInitializer(weight, global->getValueType()));
    global->setVisibility(GlobalValue::DefaultVisibility);
    global->setLinkage(GlobalValue::InternalLinkage);
    global->setDSOLocal(true);
  }
}

static void defineWithBytes(Module &module, ArrayRef<DeferredWeight> weights) {
  defineWeights(module, weights, [](const DeferredWeight &weight, Type *type) {
    std::string repeated;
    StringRef bytes(weight.pattern.data(), weight.pattern.size());
    if (bytes.size() < weight.size) {
      repeated.reserve(weight.size);
      consumeError(
          forEachPiece(weight, [&](uint64_t, StringRef piece) -> Error {
            repeated += piece;
            return Error::success();
          }));
      bytes = repeated;
    }
    return ConstantDataArray::getRaw(bytes, weight.size,
                                     type->getArrayElementType());
  });
}

static Error generate(Module &module, TargetMachine &machine,
                      CodeGenFileType type, StringRef path) {
  return writeTo(path, [&](raw_fd_ostream &os) -> Error {
    return generateCode(module, machine, type, os);
  });
}

Error headopt::emitLLVM(Module &module, ArrayRef<DeferredWeight> weights,
                        StringRef path) {
  defineWithBytes(module, weights);
  return writeTo(path, [&](raw_fd_ostream &os) -> Error {
    module.print(os, nullptr);
    return Error::success();
  });
}

Error headopt::emitAssembly(Module &module, TargetMachine &machine,
                            ArrayRef<DeferredWeight> weights, StringRef path) {
  defineWithBytes(module, weights);
  return generate(module, machine, CodeGenFileType::AssemblyFile, path);
}

/// Puts the bytes of weights where the object at `path` has zeros for them.
static Error fillWeights(StringRef path,
                         const StringMap<const DeferredWeight *> &named) {
  if (named.empty())
    return Error::success();
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(
      path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return writeError(path, buffer.getError());
  Expected<std::unique_ptr<object::ObjectFile>> object =
      object::ObjectFile::createObjectFile(**buffer);
  if (!object)
    return object.takeError();

  std::error_code ec;
  raw_fd_ostream os(path, ec, sys::fs::CD_OpenExisting, sys::fs::FA_Write,
                    sys::fs::OF_None);
  if (ec)
    return writeError(path, ec);
  size_t filled = 0;
  for (const object::ELFSymbolRef symbol :
       cast<object::ELFObjectFileBase>(**object).symbols()) {
    Expected<StringRef> name = symbol.getName();
    if (!name)
      return name.takeError();
    auto it = named.find(*name);
    if (it == named.end())
      continue;
    Expected<object::section_iterator> section = symbol.getSection();
    if (!section)
      return section.takeError();
    Expected<uint64_t> address = symbol.getAddress();
    if (!address)
      return address.takeError();
    // In an object, addresses start with each section.
    uint64_t start = object::ELFSectionRef(**section).getOffset() + *address;
    if (Error error = forEachPiece(
            *it->second, [&](uint64_t offset, StringRef piece) -> Error {
              os.seek(start + offset);
              os << piece;
              return Error::success();
            }))
      return error;
    ++filled;
  }
  os.close();
  ec = os.error();
  os.clear_error();
  if (ec)
    return writeError(path, ec);
  if (filled != named.size())
    return createStringError(std::errc::io_error,
                             "a weight is not in the object that LLVM made");
  return Error::success();
}

Error headopt::emitObject(Module &module, TargetMachine &machine,
                          ArrayRef<DeferredWeight> weights, StringRef path) {
  // Relocations are of 32 bits.
  constexpr uint64_t kMaxBytes = (2ull << 30) - (64 << 20);
  uint64_t bytes = 0;
  StringMap<const DeferredWeight *> named;
  for (const DeferredWeight &weight : weights) {
    if (!module.getNamedGlobal(weight.symbol))
      continue;
    named[weight.symbol] = &weight;
    bytes += weight.size;
  }
  if (bytes > kMaxBytes)
    return createStringError(
        std::errc::file_too_large,
        "the head has %llu bytes of weights, and code reaches 2 GiB; keep them "
        "out of the head, or use a smaller element type",
        static_cast<unsigned long long>(bytes));
  defineWeights(module, weights, [](const DeferredWeight &, Type *type) {
    return Constant::getNullValue(type);
  });
  if (Error error =
          generate(module, machine, CodeGenFileType::ObjectFile, path))
    return error;
  return fillWeights(path, named);
}
