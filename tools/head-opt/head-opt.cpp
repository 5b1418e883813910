//===- head-opt.cpp - The command line tool -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// On ONNX files: import, run a pipeline (flatten-to-gap unless passes are
// named), report, export or compile (Codegen.h). On MLIR files: an ordinary
// mlir-opt, which can also compile heads as linalg and what is in the LLVM
// dialect.
//
//===----------------------------------------------------------------------===//

#include "Codegen.h"
#include "headopt/Analysis/HeadReport.h"
#include "headopt/Analysis/HeadVerifier.h"
#include "headopt/Conversion/Passes.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "headopt/Pipelines/GPU.h"
#include "headopt/Pipelines/Pipelines.h"
#include "headopt/Support/OutputFile.h"
#include "headopt/Target/ONNX/Export.h"
#include "headopt/Target/ONNX/Import.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Support/Timing.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/SourceMgr.h"
#include <csignal>
#include <unistd.h>

using namespace mlir;
using namespace headopt;
namespace cl = llvm::cl;

namespace {

enum ExitCode { Done = 0, BadInput = 1, BadUsage = 2, NothingRewritten = 3 };

enum class Kind {
  Auto,
  ONNX,
  ONNXText,
  MLIR,
  MLIRBytecode,
  Linalg,
  LLVM,
  Assembly,
  PTX,
  Cubin,
  HSACO,
  SPIRV,
  Object,
  Shared
};

struct Options {
  cl::OptionCategory category{"ONNX options"};
  /// LLVM lists categories in the order of their names, capitals first.
  cl::OptionCategory codegenCategory{
      "compile options", "How the head is compiled, for --emit=linalg, llvm, "
                         "asm, obj, shared and kernels, and for --run."};
  cl::OptionCategory generalCategory{
      "general options", "MLIR's own. LLVM's are in --help-hidden."};
  cl::OptionCategory passCategory{
      "pass options", "Without a pass, ONNX models go through flatten-to-gap."};
  cl::opt<std::string> input{cl::Positional, cl::desc("<input file>"),
                             cl::cat(category)};
  cl::opt<std::string> output{
      "o",
      cl::desc("Output file; its ending says its kind. Without it, ONNX "
               "input is only reported on"),
      cl::value_desc("file"), cl::cat(category)};
  cl::opt<Kind> emit{
      "emit", cl::desc("Kind of output"), cl::init(Kind::Auto),
      cl::values(
          clEnumValN(Kind::ONNX, "onnx", "ONNX model"),
          clEnumValN(Kind::ONNXText, "onnxtxt", "ONNX text format"),
          clEnumValN(Kind::MLIR, "mlir", "MLIR text"),
          clEnumValN(Kind::MLIRBytecode, "mlirbc", "MLIR bytecode"),
          clEnumValN(Kind::Linalg, "linalg",
                     "the head as linalg on tensors; text has two digits for "
                     "each byte of weights (-o file.mlirbc: one byte)"),
          clEnumValN(Kind::LLVM, "llvm", "the head as LLVM IR"),
          clEnumValN(Kind::Assembly, "asm", "the head as assembly"),
          clEnumValN(Kind::PTX, "ptx", "the head's kernels for --target=cuda"),
          clEnumValN(Kind::Cubin, "cubin", "the same, assembled by ptxas"),
          clEnumValN(Kind::HSACO, "hsaco",
                     "the head's kernels for --target=rocm"),
          clEnumValN(Kind::SPIRV, "spirv",
                     "the head's kernels for --target=vulkan"),
          clEnumValN(Kind::Object, "obj", "the head as an object file"),
          clEnumValN(Kind::Shared, "shared", "the head as a shared library")),
      cl::cat(category)};
  cl::opt<std::string> backbone{
      "emit-backbone",
      cl::desc("Write the model cut at the feature map of its last head, "
               "which becomes its output (.onnx or .onnxtxt)"),
      cl::value_desc("file"), cl::cat(category)};
  cl::opt<std::string> report{
      "report", cl::desc("Write the report as JSON (docs/Report.md)"),
      cl::value_desc("file.json"), cl::cat(category)};
  cl::opt<bool> quiet{"quiet", cl::desc("No table on standard error"),
                      cl::cat(category)};
  cl::opt<bool> noRewrite{"no-rewrite",
                          cl::desc("Import and write, without any pass"),
                          cl::cat(category)};
  cl::opt<bool> noResidual{
      "no-residual",
      cl::desc("Do not compute how far refused weights are from even"),
      cl::cat(category)};
  cl::opt<bool> constantInitializers{
      "constant-initializers",
      cl::desc("Take initializers that are also graph inputs for constants: "
               "no caller overrides them"),
      cl::cat(category)};
  cl::opt<bool> verify{
      "verify",
      cl::desc("Run rewritten heads before and after on random and "
               "adversarial maps with a reference evaluator in "
               "double, and print difference and bound"),
      cl::cat(category)};
  cl::opt<bool> requireRewrite{
      "require-rewrite", cl::desc("Exit with 3 when no head was rewritten"),
      cl::cat(category)};
  CodegenOptions codegen{codegenCategory};
};

/// Messages quote files and models, which may hold anything.
static std::string onOneLine(std::string text) {
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = ' ';
  return text;
}

/// What tells the file at `path`, which need not exist, from others, whatever
/// links lead there; empty for none and for devices.
static std::string getIdentity(StringRef path) {
  if (path.empty() || path == "-")
    return path.str();
  llvm::sys::fs::file_status status;
  if (!llvm::sys::fs::status(path, status)) {
    if (status.type() != llvm::sys::fs::file_type::regular_file)
      return "";
    llvm::sys::fs::UniqueID id = status.getUniqueID();
    return llvm::formatv("{0}:{1}", id.getDevice(), id.getFile());
  }
  SmallString<256> real;
  StringRef folder = llvm::sys::path::parent_path(path);
  if (llvm::sys::fs::real_path(folder.empty() ? "." : folder, real))
    return "";
  llvm::sys::path::append(real, llvm::sys::path::filename(path));
  return real.str().str();
}

using OnHeads = std::function<void(const HeadAnalysis &)>;

/// One run of the tool.
class Tool {
public:
  Tool(const Options &options, const MlirOptMainConfig &config,
       DialectRegistry &registry, OnHeads &onHeads)
      : options(options), config(config), registry(registry), onHeads(onHeads) {
  }

  int run();

private:
  int runOnMLIR(std::unique_ptr<llvm::MemoryBuffer> buffer, Kind outputKind);
  LogicalResult compile(ModuleOp module);
  int runOnONNX(std::unique_ptr<llvm::MemoryBuffer> buffer, Kind inputKind,
                Kind outputKind, bool inFile);
  std::vector<std::pair<StringRef, std::string>>
  getOutputs(Kind outputKind) const;
  /// Not `Done`, after an error, when two outputs are the same file.
  int checkOutputs(Kind outputKind);
  /// The same when an output is the file `input`, `what` in the message;
  /// `mayReplace`: that of -o may be.
  int checkInputIsKept(StringRef input, StringRef what, Kind outputKind,
                       bool mayReplace);
  /// The same for the files that hold the bytes of the module's tensors.
  int checkDataIsKept(ModuleOp module, Kind outputKind, bool isONNX);
  void reportOnOneLine(MLIRContext &context);
  LogicalResult runPasses(ModuleOp module, bool isONNX);
  void collectHeads(const HeadAnalysis &analysis);
  LogicalResult writeModule(ModuleOp module, Kind kind);
  LogicalResult writeBackbone(ModuleOp module);
  LogicalResult copyInput(StringRef bytes);
  LogicalResult writeFile(StringRef path, StringRef bytes);
  LogicalResult commitOutputs();
  int fail(ExitCode code, const llvm::Twine &message) {
    llvm::errs() << "head-opt: error: " << onOneLine(message.str()) << '\n';
    return code;
  }
  std::optional<uint64_t> getOutputSize() const;
  std::string getOutputPath() const {
    return options.output.empty() ? "-" : options.output.getValue();
  }

  const Options &options;
  const MlirOptMainConfig &config;
  DialectRegistry &registry;
  /// What flatten-to-gap calls, however it came into the pipeline.
  OnHeads &onHeads;
  LogicalResult verifyHeads();

  HeadReport report;
  /// Heads to be compared after the rewrite, by their nodes' names.
  std::vector<std::pair<std::string, HeadVerifier>> verifiers;
  std::string verifyError;
  bool analysed = false;
  /// What has been written, and has no name before all is.
  OutputFiles outputs;
  /// There when the head is to be compiled.
  std::optional<Codegen> codegen;
};

} // namespace

static Kind getKindOfName(StringRef path) {
  StringRef ending = llvm::sys::path::extension(path);
  if (ending == ".onnx")
    return Kind::ONNX;
  if (ending == ".onnxtxt")
    return Kind::ONNXText;
  if (ending == ".mlir")
    return Kind::MLIR;
  if (ending == ".mlirbc")
    return Kind::MLIRBytecode;
  if (ending == ".ll")
    return Kind::LLVM;
  if (ending == ".s")
    return Kind::Assembly;
  if (ending == ".ptx")
    return Kind::PTX;
  if (ending == ".cubin")
    return Kind::Cubin;
  if (ending == ".hsaco")
    return Kind::HSACO;
  if (ending == ".spv")
    return Kind::SPIRV;
  if (ending == ".o")
    return Kind::Object;
  if (ending == ".so")
    return Kind::Shared;
  return Kind::Auto;
}

static bool isONNXKind(Kind kind) {
  return kind == Kind::ONNX || kind == Kind::ONNXText;
}

/// What there is to do about code for this kind of output.
static std::optional<CodegenKind> getCodegenKind(Kind kind) {
  switch (kind) {
  case Kind::Linalg:
    return CodegenKind::Linalg;
  case Kind::LLVM:
    return CodegenKind::LLVM;
  case Kind::Assembly:
    return CodegenKind::Assembly;
  case Kind::PTX:
    return CodegenKind::PTX;
  case Kind::Cubin:
    return CodegenKind::Cubin;
  case Kind::HSACO:
    return CodegenKind::HSACO;
  case Kind::SPIRV:
    return CodegenKind::SPIRV;
  case Kind::Object:
    return CodegenKind::Object;
  case Kind::Shared:
    return CodegenKind::Shared;
  default:
    return std::nullopt;
  }
}

/// For standard input and unusual names. A ModelProto starts with its IR
/// version, ONNX text with '<' after any comments, bytecode with "ML\xefR".
static Kind getKindOfContent(StringRef bytes) {
  if (bytes.starts_with("ML\xefR"))
    return Kind::MLIRBytecode;
  if (bytes.starts_with("\x08"))
    return Kind::ONNX;
  // MLIR's aliases start with '#' as well, but no '<' follows them.
  StringRef text = bytes.ltrim();
  while (text.starts_with("#"))
    text = text.split('\n').second.ltrim();
  return text.starts_with("<") ? Kind::ONNXText : Kind::MLIR;
}

LogicalResult Tool::writeFile(StringRef path, StringRef bytes) {
  llvm::Error error = [&]() -> llvm::Error {
    llvm::Expected<OutputFile> file = OutputFile::create(path);
    if (!file)
      return file.takeError();
    if (llvm::Error err = file->write(bytes))
      return err;
    outputs.add(std::move(*file));
    return llvm::Error::success();
  }();
  if (!error)
    return success();
  fail(BadInput, llvm::toString(std::move(error)));
  return failure();
}

LogicalResult Tool::commitOutputs() {
  llvm::Error error = outputs.commit();
  if (!error)
    return success();
  fail(BadInput, llvm::toString(std::move(error)));
  return failure();
}

LogicalResult Tool::runPasses(ModuleOp module, bool isONNX) {
  PassManager pm(module.getContext());
  pm.enableVerifier(config.shouldVerifyPasses());
  if (failed(applyPassManagerCLOptions(pm)))
    return failure();
  DefaultTimingManager timing;
  applyDefaultTimingManagerCLOptions(timing);
  TimingScope scope = timing.getRootScope();
  pm.enableTiming(scope);
  if (failed(config.setupPassPipeline(pm)))
    return failure();
  if (isONNX && !options.noRewrite) {
    if (pm.empty() && failed(parsePassPipeline("flatten-to-gap", pm)))
      return failure();
    onHeads = [this](const HeadAnalysis &analysis) { collectHeads(analysis); };
  }
  return pm.run(module);
}

/// Keeps what the report and --verify need of heads that are about to be
/// rewritten.
void Tool::collectHeads(const HeadAnalysis &analysis) {
  // A second flatten-to-gap would only find what the first one left.
  if (analysed)
    return;
  analysed = true;
  report.heads = describeHeads(analysis);
  if (!options.verify)
    return;
  for (const Head &head : analysis.getHeads()) {
    if (head.verdict != Verdict::Rewritable)
      continue;
    auto node = cast<onnx::NodeOpInterface>(head.layer.op);
    llvm::Expected<HeadVerifier> verifier =
        HeadVerifier::create(head, analysis.getFacts());
    if (verifier)
      verifiers.emplace_back(node.getDisplayName().str(), std::move(*verifier));
    else
      verifyError = llvm::toString(verifier.takeError());
  }
}

LogicalResult Tool::writeModule(ModuleOp module, Kind kind) {
  if (isONNXKind(kind))
    return exportONNX(
        module, getOutputPath(),
        kind == Kind::ONNX ? ONNXFormat::Binary : ONNXFormat::Text, outputs);
  std::string bytes;
  llvm::raw_string_ostream os(bytes);
  if (kind == Kind::MLIRBytecode) {
    if (failed(writeBytecodeToFile(module, os)))
      return failure();
  } else {
    module->print(os);
    os << '\n';
  }
  return writeFile(getOutputPath(), bytes);
}

/// Writes what of `module` comes before its last head.
LogicalResult Tool::writeBackbone(ModuleOp module) {
  OwningOpRef<ModuleOp> backbone = module.clone();
  PassManager pm(module.getContext());
  CutAtFeatureMapOptions passOptions;
  passOptions.constantInitializers = options.constantInitializers;
  pm.addPass(createCutAtFeatureMap(passOptions));
  if (failed(pm.run(*backbone)))
    return failure();
  return exportONNX(*backbone, options.backbone,
                    getKindOfName(options.backbone) == Kind::ONNX
                        ? ONNXFormat::Binary
                        : ONNXFormat::Text,
                    outputs);
}

LogicalResult Tool::compile(ModuleOp module) {
  llvm::Error error =
      codegen->run(module, options.constantInitializers, outputs);
  if (!error)
    return success();
  fail(BadInput, llvm::toString(std::move(error)));
  return failure();
}

/// Compares rewritten heads with what they answered before.
LogicalResult Tool::verifyHeads() {
  if (!verifyError.empty()) {
    fail(BadInput, options.input + ": --verify: " + verifyError);
    return failure();
  }
  for (auto &[node, verifier] : verifiers) {
    llvm::Expected<HeadVerifier::Result> result = verifier.compare();
    if (!result) {
      fail(BadInput, options.input + ": --verify: " + node + ": " +
                         llvm::toString(result.takeError()));
      return failure();
    }
    llvm::errs() << llvm::formatv(
        "{0}: largest difference {1:e3}, bound {2:e3}\n", onOneLine(node),
        result->difference, result->bound);
    if (!result->withinBound) {
      fail(BadInput, options.input + ": node '" + node +
                         "': the rewritten head differs by more than rounding; "
                         "nothing was written; please report this");
      return failure();
    }
  }
  return success();
}

/// Writes the input as it is.
LogicalResult Tool::copyInput(StringRef bytes) {
  bool same = false;
  if (options.output != "-" &&
      !llvm::sys::fs::equivalent(options.input, options.output, same) && same)
    return success();
  if (options.input == "-")
    return writeFile(getOutputPath(), bytes);
  llvm::Error error = [&]() -> llvm::Error {
    llvm::Expected<llvm::sys::fs::file_t> source =
        llvm::sys::fs::openNativeFileForRead(options.input);
    if (!source)
      return source.takeError();
    llvm::Error result = [&]() -> llvm::Error {
      llvm::Expected<OutputFile> file = OutputFile::create(getOutputPath());
      if (!file)
        return file.takeError();
      if (llvm::Error err =
              file->copyFrom(*source, 0, bytes.size(), options.input))
        return err;
      outputs.add(std::move(*file));
      return llvm::Error::success();
    }();
    (void)llvm::sys::fs::closeFile(*source);
    return result;
  }();
  if (!error)
    return success();
  fail(BadInput, llvm::toString(std::move(error)));
  return failure();
}

/// Size of the output file that is, or will be, there.
std::optional<uint64_t> Tool::getOutputSize() const {
  if (std::optional<uint64_t> size = outputs.getSize(options.output))
    return size;
  uint64_t size;
  if (options.output == "-" || llvm::sys::fs::file_size(options.output, size))
    return std::nullopt;
  return size;
}

/// Makes every diagnostic one line that names the input.
void Tool::reportOnOneLine(MLIRContext &context) {
  context.getDiagEngine().registerHandler([&](Diagnostic &diagnostic) {
    StringRef severity =
        diagnostic.getSeverity() == DiagnosticSeverity::Error     ? "error"
        : diagnostic.getSeverity() == DiagnosticSeverity::Warning ? "warning"
                                                                  : "remark";
    std::string text;
    // ONNX files have no lines; MLIR text does.
    if (auto loc = diagnostic.getLocation()->findInstanceOf<FileLineColLoc>();
        loc && loc.getLine())
      text = llvm::formatv("{0}:{1}: ", loc.getLine(), loc.getColumn());
    llvm::errs() << "head-opt: " << severity << ": "
                 << onOneLine(options.input + ": " + text + diagnostic.str())
                 << '\n';
    return success();
  });
}

int Tool::runOnONNX(std::unique_ptr<llvm::MemoryBuffer> buffer, Kind inputKind,
                    Kind outputKind, bool inFile) {
  MLIRContext context(registry);
  context.printOpOnDiagnostic(false);
  context.allowUnregisteredDialects(config.shouldAllowUnregisteredDialects());
  reportOnOneLine(context);
  if (config.shouldEmitRemarks()) {
    auto filter = [](const std::string &text) -> std::optional<std::string> {
      if (text.empty())
        return std::nullopt;
      return text;
    };
    std::string all = config.getRemarksAllFilter();
    auto either = [&](const std::string &own) {
      return filter(own.empty() ? all : own);
    };
    remark::RemarkCategories categories{
        filter(all), either(config.getRemarksPassedFilter()),
        either(config.getRemarksMissedFilter()),
        either(config.getRemarksAnalyseFilter()),
        either(config.getRemarksFailedFilter())};
    if (failed(remark::enableOptimizationRemarks(
            context, nullptr,
            std::make_unique<remark::RemarkEmittingPolicyAll>(), categories,
            /*printAsEmitRemarks=*/true)))
      return BadInput;
  }

  OwningOpRef<ModuleOp> module = importONNX(
      buffer->getMemBufferRef(),
      inputKind == Kind::ONNX ? ONNXFormat::Binary : ONNXFormat::Text, inFile,
      &context);
  if (!module)
    return BadInput;
  if (int failed = checkDataIsKept(*module, outputKind, /*isONNX=*/true))
    return failed;
  report.input = options.input;
  report.output = options.output;
  report.bytesBefore = buffer->getBufferSize();
  report.parametersBefore = countParameters(*module);
  OperationFingerPrint before(*module);
  if (failed(runPasses(*module, /*isONNX=*/true)))
    return BadInput;
  if (failed(verifyHeads()))
    return BadInput;
  bool changed = OperationFingerPrint(*module) != before;
  report.parametersAfter = countParameters(*module);

  // Known to be writable before anything else is written.
  std::optional<OutputFile> reportFile;
  if (!options.report.empty()) {
    llvm::Expected<OutputFile> created = OutputFile::create(options.report);
    if (!created)
      return fail(BadInput, llvm::toString(created.takeError()));
    reportFile.emplace(std::move(*created));
  }

  if (!options.backbone.empty() && failed(writeBackbone(*module)))
    return BadInput;
  if (codegen) {
    if (failed(compile(*module)))
      return BadInput;
    report.bytesAfter = getOutputSize();
  } else if (outputKind != Kind::Auto) {
    auto sourceDir = (*module)->getAttrOfType<StringAttr>(onnx::kSourceDirAttr);
    bool sameFolder = true;
    if (sourceDir && options.output != "-") {
      auto orDot = [](StringRef path) { return path.empty() ? "." : path; };
      sameFolder = false;
      if (llvm::sys::fs::equivalent(
              orDot(sourceDir.getValue()),
              orDot(llvm::sys::path::parent_path(options.output)), sameFolder))
        sameFolder = false;
    }
    LogicalResult written = !changed && inputKind == outputKind && sameFolder
                                ? copyInput(buffer->getBuffer())
                                : writeModule(*module, outputKind);
    if (failed(written))
      return BadInput;
    report.bytesAfter = getOutputSize();
  }

  if (reportFile) {
    std::string json;
    llvm::raw_string_ostream os(json);
    os << llvm::formatv("{0:2}", report.toJSON()) << '\n';
    llvm::Error error = reportFile->write(json);
    if (error)
      return fail(BadInput, llvm::toString(std::move(error)));
    outputs.add(std::move(*reportFile));
  }
  if (failed(commitOutputs()))
    return BadInput;
  if (!options.quiet && analysed)
    report.print(llvm::errs());
  if (options.requireRewrite && report.count(Verdict::Rewritable) == 0)
    return NothingRewritten;
  return Done;
}

int Tool::runOnMLIR(std::unique_ptr<llvm::MemoryBuffer> buffer,
                    Kind outputKind) {
  if (!codegen && !isONNXKind(outputKind)) {
    MlirOptMainConfig mlirConfig = config;
    if (outputKind == Kind::MLIRBytecode)
      mlirConfig.emitBytecode(true);
    std::string bytes;
    llvm::raw_string_ostream os(bytes);
    if (failed(MlirOptMain(os, std::move(buffer), registry, mlirConfig)))
      return BadInput;
    return failed(writeFile(getOutputPath(), bytes)) || failed(commitOutputs())
               ? BadInput
               : Done;
  }
  MLIRContext context(registry);
  context.allowUnregisteredDialects(config.shouldAllowUnregisteredDialects());
  reportOnOneLine(context);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return BadInput;
  if (int failed = checkDataIsKept(*module, outputKind, /*isONNX=*/false))
    return failed;
  if (failed(runPasses(*module, /*isONNX=*/false)) ||
      failed(codegen ? compile(*module) : writeModule(*module, outputKind)) ||
      failed(commitOutputs()))
    return BadInput;
  return Done;
}

/// Where files go, and by which option. Standard output counts where something
/// is written there.
std::vector<std::pair<StringRef, std::string>>
Tool::getOutputs(Kind outputKind) const {
  bool writes = outputKind != Kind::Auto || codegen;
  return {{"--emit-backbone", options.backbone},
          {"-o", writes ? getOutputPath() : options.output.getValue()},
          {options.codegen.header.empty() ? "the C header" : "--emit-header",
           codegen ? codegen->getHeaderPath() : ""},
          {"--report", options.report}};
}

int Tool::checkOutputs(Kind outputKind) {
  llvm::StringMap<StringRef> taken;
  for (const auto &[option, path] : getOutputs(outputKind)) {
    std::string identity = getIdentity(path);
    if (identity.empty())
      continue;
    auto [other, isNew] = taken.try_emplace(identity, option);
    if (isNew)
      continue;
    if (path == "-")
      return fail(BadUsage, other->second + " and " + option +
                                " both go to standard output; name a file for "
                                "one of them");
    return fail(BadUsage, other->second + " and " + option + " both name '" +
                              path + "'; give them different files");
  }
  return Done;
}

int Tool::checkInputIsKept(StringRef input, StringRef what, Kind outputKind,
                           bool mayReplace) {
  if (input == "-")
    return Done;
  std::string identity = getIdentity(input);
  if (identity.empty())
    return Done;
  for (const auto &[option, path] : getOutputs(outputKind))
    if (getIdentity(path) == identity && !(option == "-o" && mayReplace))
      return fail(BadUsage, option + " would replace " + what + " '" + input +
                                "'; give it another file");
  return Done;
}

int Tool::checkDataIsKept(ModuleOp module, Kind outputKind, bool isONNX) {
  llvm::SetVector<StringRef> files;
  module.walk([&](Operation *op) {
    op->getAttrDictionary().walk([&](onnx::FileDataAttr data) {
      files.insert(data.getFile().getValue());
    });
  });
  bool isModel = !codegen;
  for (StringRef file : files) {
    // What is left of the model itself was looked at before.
    bool isInput = isONNX && getIdentity(file) == getIdentity(options.input);
    // An MLIR file may be written back over the model that it came from.
    if (!isInput)
      if (int failed = checkInputIsKept(file, "the model's data", outputKind,
                                        /*mayReplace=*/isModel && !isONNX))
        return failed;
  }
  return Done;
}

int Tool::run() {
  if (options.input.empty())
    return fail(BadUsage, "there is no input file; name one, or - for standard "
                          "input (--help lists the options)");
  Kind outputKind = options.emit;
  bool isRun = options.codegen.run;
  if (isRun && outputKind != Kind::Auto)
    return fail(BadUsage, "--run writes no model or code; leave --emit away");
  if (!isRun && outputKind == Kind::Auto && !options.output.empty() &&
      options.output != "-") {
    outputKind = getKindOfName(options.output);
    if (outputKind == Kind::Auto)
      return fail(BadUsage,
                  "cannot tell the kind of output from '" + options.output +
                      "'; end it in .onnx, .onnxtxt, .mlir, .mlirbc, .so, .o, "
                      ".s, .ll, .ptx, .cubin, .hsaco or .spv, or give --emit");
  }
  std::optional<CodegenKind> codegenKind =
      isRun ? CodegenKind::Run : getCodegenKind(outputKind);
  if (!codegenKind) {
    if (llvm::Error error = Codegen::checkUnused(options.codegen))
      return fail(BadUsage, llvm::toString(std::move(error)));
  } else {
    llvm::Expected<Codegen> created = Codegen::create(
        options.codegen, *codegenKind, options.input, getOutputPath());
    if (!created)
      return fail(BadUsage, llvm::toString(created.takeError()));
    codegen.emplace(std::move(*created));
  }

  if (options.backbone == "-")
    return fail(BadUsage, "--emit-backbone does not go to standard output; "
                          "name a file that ends in .onnx or .onnxtxt");
  if (!options.backbone.empty()) {
    if (!isONNXKind(getKindOfName(options.backbone)))
      return fail(BadUsage, "--emit-backbone: cannot tell the kind of output "
                            "from '" +
                                options.backbone +
                                "'; end it in .onnx or .onnxtxt");
  }
  if (int failed = checkOutputs(outputKind))
    return failed;

  bool isFile = options.input != "-";
  if (isFile) {
    llvm::sys::fs::file_status status;
    if (std::error_code ec = llvm::sys::fs::status(options.input, status))
      return fail(BadInput, options.input + ": " + ec.message());
    if (status.type() == llvm::sys::fs::file_type::directory_file)
      return fail(BadInput,
                  options.input + ": is a directory; name the model in it");
    isFile = status.type() == llvm::sys::fs::file_type::regular_file;
  }
  // Large files are mapped, not read.
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      options.input == "-"
          ? llvm::MemoryBuffer::getSTDIN()
          : llvm::MemoryBuffer::getFile(options.input, /*IsText=*/false,
                                        /*RequiresNullTerminator=*/false);
  if (!buffer)
    return fail(BadInput, options.input + ": cannot be read: " +
                              buffer.getError().message());

  Kind inputKind = isFile ? getKindOfName(options.input) : Kind::Auto;
  if (inputKind == Kind::Auto || getCodegenKind(inputKind))
    inputKind = getKindOfContent((*buffer)->getBuffer());
  bool isONNX = isONNXKind(inputKind);
  // A model may be rewritten in its place, in its own language.
  if (int failed = checkInputIsKept(options.input, "the input", outputKind,
                                    /*mayReplace=*/!codegen &&
                                        isONNX == isONNXKind(outputKind)))
    return failed;
  if (codegen)
    if (int failed = checkInputIsKept(options.codegen.runInput,
                                      "the feature map", outputKind,
                                      /*mayReplace=*/false))
      return failed;
  if (isONNX)
    return runOnONNX(std::move(*buffer), inputKind, outputKind, isFile);
  if (!options.backbone.empty())
    return fail(BadUsage, options.input +
                              ": --emit-backbone takes ONNX models; "
                              "make one with -o FILE.onnx first");
  if ((*buffer)->getBufferSize() == 0 &&
      (options.input == "-" || inputKind == Kind::MLIRBytecode))
    return fail(BadInput, options.input + ": is empty; give it a model");
  // The MLIR lexer looks for the terminator. Bytecode has data that is aligned,
  // by up to a page where it comes from mapped files.
  std::unique_ptr<llvm::WritableMemoryBuffer> copy =
      llvm::WritableMemoryBuffer::getNewUninitMemBuffer(
          (*buffer)->getBufferSize(), options.input.getValue(),
          llvm::Align(4096));
  if (!copy)
    return fail(BadInput, options.input + ": there is not enough memory");
  llvm::copy((*buffer)->getBuffer(), copy->getBufferStart());
  return runOnMLIR(std::move(copy), outputKind);
}

/// Leaves in --help what this tool and MLIR bring, each in one of our
/// categories; `foreign` are the options that LLVM's library brought before.
/// --help-hidden lists all.
static void arrangeHelp(Options &options,
                        const llvm::DenseSet<const cl::Option *> &foreign) {
  for (auto [name, option] : cl::getRegisteredOptions()) {
    bool isHelp = name == "help" || name == "help-list" || name == "version";
    if (!isHelp && foreign.contains(option)) {
      if (option->getOptionHiddenFlag() == cl::NotHidden)
        option->setHiddenFlag(cl::Hidden);
      continue;
    }
    if (llvm::is_contained(option->Categories, &options.category) ||
        llvm::is_contained(option->Categories, &options.codegenCategory))
      continue;
    // The list of passes has no name of its own.
    StringRef text = option->ArgStr;
    bool isOfPasses = text.empty() || text.starts_with("mlir-print-ir") ||
                      text.contains("reproducer") ||
                      (text.contains("pass") && !text.starts_with("remark"));
    option->Categories.assign(1, isOfPasses ? &options.passCategory
                                            : &options.generalCategory);
  }
}

/// What LLVM's code generation cannot do, it says here and never comes back.
static void failInLLVM(void *, const char *reason, bool) {
  llvm::errs() << "head-opt: error: LLVM: " << onOneLine(reason) << '\n';
  llvm::sys::RunInterruptHandlers();
  ::_exit(BadInput);
}

int main(int argc, char **argv) {
  llvm::DenseSet<const cl::Option *> foreign;
  for (const auto &entry : cl::getRegisteredOptions())
    foreign.insert(entry.second);
  llvm::InitLLVM init(argc, argv);
  llvm::install_fatal_error_handler(failInLLVM);
  // A file that may not grow further is an error of write(), not a crash.
  std::signal(SIGXFSZ, SIG_IGN);
  DialectRegistry registry;
  registry.insert<onnx::ONNXDialect>();
  registerONNXSchemas(registry);
  registerLoweringDialects(registry);
  registerDeviceDialects(registry);
  registerNativeTranslations(registry);
  registerUpstreamPasses();
  registerHeadOptCodegenPasses();
  registerHeadOptPipelines();

  // LLVM's library brings options of its own passes; one is called as ours is.
  if (cl::Option *taken = cl::getRegisteredOptions().lookup("threads"))
    taken->removeArgument();
  Options options;
  // The pass reports to the tool whether it is named or the default.
  OnHeads onHeads;
  registerPass([&]() -> std::unique_ptr<Pass> {
    FlattenToGapOptions passOptions;
    passOptions.residual = !options.noResidual;
    passOptions.constantInitializers = options.constantInitializers;
    return createFlattenToGap(passOptions, [&](const HeadAnalysis &analysis) {
      if (onHeads)
        onHeads(analysis);
    });
  });
  registerCutAtFeatureMap();
  registerLinalgFlattenToGap();
  registerOutlineHead();
  registerRaiseToGap();
  registerHeadOptConversionPasses();
  // What it returns names all dialects; --show-dialects does.
  (void)registerCLIOptions("head-opt", registry);
  arrangeHelp(options, foreign);
  StringRef header =
      "head-opt: pools Flatten -> Dense heads of ONNX models where that is "
      "provably the same function\n";
  std::string errors;
  llvm::raw_string_ostream errorStream(errors);
  if (!cl::ParseCommandLineOptions(argc, argv, header, &errorStream)) {
    // One line; the rest is in --help.
    llvm::errs() << StringRef(errors).ltrim().split('\n').first << '\n';
    return BadUsage;
  }
  MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects()) {
    llvm::outs() << "Available Dialects: ";
    llvm::interleave(registry.getDialectNames(), llvm::outs(), ", ");
    llvm::outs() << '\n';
    return Done;
  }
  if (config.shouldListPasses()) {
    printRegisteredPasses();
    return Done;
  }
  return Tool(options, config, registry, onHeads).run();
}
