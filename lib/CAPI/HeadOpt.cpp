//===- HeadOpt.cpp - Pooling the heads of ONNX models, from C -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model has a context of its own, so that models share nothing.
//
//===----------------------------------------------------------------------===//

#include "headopt-c/HeadOpt.h"
#include "headopt/Analysis/HeadReport.h"
#include "headopt/Analysis/HeadVerifier.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "headopt/Support/Diagnostics.h"
#include "headopt/Support/OutputFile.h"
#include "headopt/Target/ONNX/Export.h"
#include "headopt/Target/ONNX/Import.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemAlloc.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

using namespace mlir;
using namespace headopt;

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

static DialectRegistry getRegistry() {
  DialectRegistry registry;
  registry.insert<onnx::ONNXDialect>();
  registerONNXSchemas(registry);
  return registry;
}

struct HeadOptModel {
  HeadOptModel(std::unique_ptr<llvm::MemoryBuffer> buffer, ONNXFormat format)
      : buffer(std::move(buffer)), format(format),
        context(getRegistry(), MLIRContext::Threading::DISABLED) {
    context.printOpOnDiagnostic(false);
  }

  StringRef getPath() const { return buffer->getBufferIdentifier(); }

  enum class State { Imported, Optimized, Spoilt };

  /// What the model was imported from, for one that stays as it is. The
  /// identifier is its path.
  std::unique_ptr<llvm::MemoryBuffer> buffer;
  ONNXFormat format;
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  HeadReport report;
  State state = State::Imported;
  bool changed = false;
};

//===----------------------------------------------------------------------===//
// Texts and errors
//===----------------------------------------------------------------------===//

static llvm::Error makeError(const llvm::Twine &what) {
  return llvm::createStringError(std::errc::invalid_argument, "%s",
                                 what.str().c_str());
}

static char *copyText(StringRef text) {
  auto *copy = static_cast<char *>(llvm::safe_malloc(text.size() + 1));
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return copy;
}

/// Tells the caller of `failure`, if there is one; false when there is.
static bool succeed(llvm::Error failure, char **error) {
  if (error)
    *error = nullptr;
  if (!failure)
    return true;
  std::string text = llvm::toString(std::move(failure));
  // Messages quote files and models, which may hold anything.
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = ' ';
  if (error)
    *error = copyText(text);
  return false;
}

/// Puts the model's name before what is wrong with it.
static llvm::Error ofModel(StringRef path, llvm::Error failure) {
  if (!failure)
    return failure;
  return makeError(path + ": " + llvm::toString(std::move(failure)));
}

static llvm::Error checkUsable(const HeadOptModel *model) {
  if (!model)
    return makeError("there is no model; import one first");
  if (model->state == HeadOptModel::State::Spoilt)
    return makeError(model->getPath() +
                     ": an error left this model unfinished; import it again");
  return llvm::Error::success();
}

static llvm::Expected<ONNXFormat> getFormat(int format) {
  if (format == HEADOPT_FORMAT_BINARY)
    return ONNXFormat::Binary;
  if (format == HEADOPT_FORMAT_TEXT)
    return ONNXFormat::Text;
  return makeError("there is no format " + llvm::Twine(format) +
                   "; give a HeadOptFormat");
}

const char *headoptVersion(void) noexcept { return HEADOPT_VERSION; }

void headoptFree(void *memory) noexcept { std::free(memory); }

//===----------------------------------------------------------------------===//
// Import
//===----------------------------------------------------------------------===//

static llvm::Expected<HeadOptModel *>
import(std::unique_ptr<llvm::MemoryBuffer> buffer, ONNXFormat format,
       bool inFile) {
  auto model = std::make_unique<HeadOptModel>(std::move(buffer), format);
  llvm::Error failure = collectError(&model->context, [&] {
    model->module = importONNX(model->buffer->getMemBufferRef(), format, inFile,
                               &model->context);
    return success(static_cast<bool>(model->module));
  });
  if (failure)
    return ofModel(model->getPath(), std::move(failure));
  model->report.input = model->getPath().str();
  model->report.bytesBefore = model->buffer->getBufferSize();
  model->report.parametersBefore = model->report.parametersAfter =
      countParameters(*model->module);
  return model.release();
}

static llvm::Expected<HeadOptModel *> importFile(const char *path) {
  if (!path)
    return makeError("no path was given");
  llvm::sys::fs::file_status status;
  if (std::error_code ec = llvm::sys::fs::status(path, status))
    return makeError(llvm::Twine(path) + ": " + ec.message());
  if (status.type() == llvm::sys::fs::file_type::directory_file)
    return makeError(llvm::Twine(path) +
                     ": is a directory; name the model in it");
  // Large files are mapped, not read.
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                  /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError(llvm::Twine(path) +
                     ": cannot be read: " + buffer.getError().message());
  bool inFile = status.type() == llvm::sys::fs::file_type::regular_file;
  ONNXFormat format = llvm::sys::path::extension(path) == ".onnxtxt"
                          ? ONNXFormat::Text
                          : ONNXFormat::Binary;
  return import(std::move(*buffer), format, inFile);
}

/// What a caller gets of an import.
static HeadOptModel *give(llvm::Expected<HeadOptModel *> model, char **error) {
  return succeed(model ? llvm::Error::success() : model.takeError(), error)
             ? *model
             : nullptr;
}

HeadOptModel *headoptModelImportFile(const char *path, char **error) noexcept {
  return give(importFile(path), error);
}

HeadOptModel *headoptModelImportMemory(const void *bytes, size_t size,
                                       int format, const char *path,
                                       char **error) noexcept {
  auto run = [&]() -> llvm::Expected<HeadOptModel *> {
    llvm::Expected<ONNXFormat> known = getFormat(format);
    if (!known)
      return known.takeError();
    StringRef name = path ? path : "<memory>";
    if (!bytes)
      return makeError(name + ": no bytes were given");
    return import(llvm::MemoryBuffer::getMemBufferCopy(
                      StringRef(static_cast<const char *>(bytes), size), name),
                  *known, /*inFile=*/false);
  };
  return give(run(), error);
}

void headoptModelDestroy(HeadOptModel *model) noexcept { delete model; }

//===----------------------------------------------------------------------===//
// The rewrite
//===----------------------------------------------------------------------===//

static llvm::Error optimize(HeadOptModel &model, unsigned flags) {
  // By the names of their nodes.
  std::vector<std::pair<std::string, HeadVerifier>> verifiers;
  llvm::Error notVerified = llvm::Error::success();
  auto onHeads = [&](const HeadAnalysis &analysis) {
    model.report.heads = describeHeads(analysis);
    if (!(flags & HEADOPT_VERIFY))
      return;
    for (const Head &head : analysis.getHeads()) {
      if (head.verdict != Verdict::Rewritable)
        continue;
      std::string node =
          cast<onnx::NodeOpInterface>(head.layer.op).getDisplayName().str();
      llvm::Expected<HeadVerifier> verifier =
          HeadVerifier::create(head, analysis.getFacts());
      if (verifier)
        verifiers.emplace_back(std::move(node), std::move(*verifier));
      else
        notVerified = llvm::joinErrors(std::move(notVerified),
                                       ofModel(node, verifier.takeError()));
    }
  };

  OperationFingerPrint before(*model.module);
  llvm::Error failure = collectError(&model.context, [&] {
    FlattenToGapOptions options;
    options.residual = !(flags & HEADOPT_NO_RESIDUAL);
    options.constantInitializers = flags & HEADOPT_CONSTANT_INITIALIZERS;
    PassManager pm(&model.context);
    pm.addPass(createFlattenToGap(options, onHeads));
    return pm.run(*model.module);
  });
  failure = llvm::joinErrors(std::move(failure), std::move(notVerified));
  if (failure)
    return failure;
  for (auto &[node, verifier] : verifiers) {
    llvm::Expected<HeadVerifier::Result> result = verifier.compare();
    if (!result)
      return ofModel(node, result.takeError());
    if (!result->withinBound)
      return makeError("node '" + node +
                       "': the rewritten head differs by more than rounding; "
                       "please report this");
  }
  model.changed = OperationFingerPrint(*model.module) != before;
  model.report.parametersAfter = countParameters(*model.module);
  return llvm::Error::success();
}

int headoptModelOptimize(HeadOptModel *model, unsigned flags,
                         char **error) noexcept {
  constexpr unsigned kAllFlags =
      HEADOPT_NO_RESIDUAL | HEADOPT_CONSTANT_INITIALIZERS | HEADOPT_VERIFY;
  auto run = [&]() -> llvm::Error {
    if (llvm::Error failure = checkUsable(model))
      return failure;
    if (flags & ~kAllFlags)
      return makeError("there are no flags " +
                       llvm::Twine::utohexstr(flags & ~kAllFlags) +
                       "; give HeadOptFlags");
    if (model->state != HeadOptModel::State::Imported)
      return makeError(model->getPath() +
                       ": is optimised already; import it again");
    llvm::Error failure = ofModel(model->getPath(), optimize(*model, flags));
    model->state =
        failure ? HeadOptModel::State::Spoilt : HeadOptModel::State::Optimized;
    return failure;
  };
  return succeed(run(), error) ? 0 : 1;
}

size_t headoptModelGetNumRewritten(const HeadOptModel *model) noexcept {
  return model && model->state == HeadOptModel::State::Optimized
             ? model->report.count(Verdict::Rewritable)
             : 0;
}

char *headoptModelGetReport(const HeadOptModel *model, char **error) noexcept {
  auto run = [&]() -> llvm::Error {
    if (llvm::Error failure = checkUsable(model))
      return failure;
    if (model->state != HeadOptModel::State::Optimized)
      return makeError(model->getPath() +
                       ": nothing is known of it yet; optimise it first");
    return llvm::Error::success();
  };
  if (!succeed(run(), error))
    return nullptr;
  return copyText(llvm::formatv("{0:2}\n", model->report.toJSON()).str());
}

//===----------------------------------------------------------------------===//
// Export
//===----------------------------------------------------------------------===//

/// Whether the model's bytes in `folder` may be those that it came as.
static bool staysAsItIs(HeadOptModel &model, ONNXFormat format,
                        std::optional<StringRef> folder) {
  if (model.changed || format != model.format)
    return false;
  auto sourceDir =
      (*model.module)->getAttrOfType<StringAttr>(onnx::kSourceDirAttr);
  if (!sourceDir || !folder)
    return true;
  bool same = false;
  return !llvm::sys::fs::equivalent(sourceDir.getValue(),
                                    folder->empty() ? "." : *folder, same) &&
         same;
}

static llvm::Error exportFile(HeadOptModel &model, StringRef path) {
  StringRef ending = llvm::sys::path::extension(path);
  if (ending != ".onnx" && ending != ".onnxtxt")
    return makeError("cannot tell the format from '" + path +
                     "'; end it in .onnx or .onnxtxt");
  ONNXFormat format = ending == ".onnx" ? ONNXFormat::Binary : ONNXFormat::Text;
  if (staysAsItIs(model, format, llvm::sys::path::parent_path(path))) {
    llvm::Expected<OutputFile> file = OutputFile::create(path);
    if (!file)
      return file.takeError();
    if (llvm::Error failure = file->write(model.buffer->getBuffer()))
      return failure;
    if (llvm::Error failure = file->commit())
      return failure;
  } else if (llvm::Error failure = collectError(&model.context, [&] {
               return exportONNX(*model.module, path, format);
             })) {
    return failure;
  }
  model.report.output = path.str();
  uint64_t size;
  model.report.bytesAfter.reset();
  if (!llvm::sys::fs::file_size(path, size))
    model.report.bytesAfter = size;
  return llvm::Error::success();
}

int headoptModelExportFile(HeadOptModel *model, const char *path,
                           char **error) noexcept {
  auto run = [&]() -> llvm::Error {
    if (llvm::Error failure = checkUsable(model))
      return failure;
    if (!path)
      return makeError("no path was given");
    return ofModel(model->getPath(), exportFile(*model, path));
  };
  return succeed(run(), error) ? 0 : 1;
}

int headoptModelExportMemory(HeadOptModel *model, int format, void **bytes,
                             size_t *size, char **error) noexcept {
  if (bytes)
    *bytes = nullptr;
  if (size)
    *size = 0;
  auto run = [&]() -> llvm::Error {
    if (llvm::Error failure = checkUsable(model))
      return failure;
    if (!bytes || !size)
      return makeError("there is no place for the bytes and their number");
    llvm::Expected<ONNXFormat> known = getFormat(format);
    if (!known)
      return known.takeError();
    std::string made;
    StringRef result = model->buffer->getBuffer();
    if (!staysAsItIs(*model, *known, std::nullopt)) {
      llvm::Error failure = collectError(&model->context, [&] {
        return exportONNXToMemory(*model->module, made, *known);
      });
      if (failure)
        return ofModel(model->getPath(), std::move(failure));
      result = made;
    }
    *bytes = copyText(result);
    *size = result.size();
    return llvm::Error::success();
  };
  return succeed(run(), error) ? 0 : 1;
}
