//===- Codegen.cpp - What the tool does about machine code ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Codegen.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "headopt/Pipelines/Pipelines.h"
#include "headopt/Support/Diagnostics.h"
#include "headopt/Support/OutputFile.h"
#include "headopt/Support/TemporaryFolder.h"
#include "headopt/Target/GPU/Head.h"
#include "headopt/Target/Native/Header.h"
#include "headopt/Target/Native/HostRun.h"
#include "headopt/Target/Native/Target.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace mlir;
using namespace headopt;
namespace cl = llvm::cl;

CodegenOptions::CodegenOptions(cl::OptionCategory &category)
    : header("emit-header",
             cl::desc("Write the C header of the compiled head; beside objects "
                      "and shared libraries it is written anyway"),
             cl::value_desc("file.h"), cl::cat(category)),
      name("name",
           cl::desc("Name of the compiled function; by default made from the "
                    "output's name"),
           cl::value_desc("function"), cl::cat(category)),
      cpu("mcpu",
          cl::desc("Processor to compile for, as LLVM calls it, or native; by "
                   "default x86-64-v2, -v3 and -v4, chosen at run time; more "
                   "that it has follows after a +"),
          cl::value_desc("cpu"), cl::cat(category)),
      target("target",
             cl::desc("Machine to compile for; by default this one. A triple, "
                      "or a GPU: cuda:sm_80, rocm:gfx90a, vulkan:32 (threads "
                      "of a sub-group)"),
             cl::value_desc("machine"), cl::cat(category)),
      threads("threads", cl::desc("How the compiled head uses several cores"),
              cl::init(Threads::None),
              cl::values(clEnumValN(Threads::None, "none", "not at all"),
                         clEnumValN(Threads::OpenMP, "openmp",
                                    "OpenMP, for large maps and layers")),
              cl::cat(category)),
      run("run",
          cl::desc("Compile the head for this machine, run it, and print its "
                   "output, or write it with -o file.npy"),
          cl::cat(category)),
      runInput("input", cl::desc("Feature map for --run"),
               cl::value_desc("file.npy"), cl::cat(category)),
      batch("batch",
            cl::desc("Number of feature maps for --run without --input; their "
                     "numbers are random, and the same each time"),
            cl::value_desc("n"), cl::cat(category)) {}

static llvm::Error error(const llvm::Twine &what) {
  return llvm::createStringError(std::errc::invalid_argument, "%s",
                                 what.str().c_str());
}

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

llvm::Error Codegen::checkUnused(const CodegenOptions &options) {
  for (const cl::Option *option :
       {static_cast<const cl::Option *>(&options.header),
        static_cast<const cl::Option *>(&options.name),
        static_cast<const cl::Option *>(&options.cpu),
        static_cast<const cl::Option *>(&options.target),
        static_cast<const cl::Option *>(&options.threads),
        static_cast<const cl::Option *>(&options.runInput),
        static_cast<const cl::Option *>(&options.batch)})
    if (option->getNumOccurrences())
      return error("--" + option->ArgStr +
                   " is about compiled heads; give --run, --emit=shared, obj, "
                   "asm or llvm, or an output that ends in .so, .o, .s or .ll");
  return llvm::Error::success();
}

llvm::Expected<Codegen> Codegen::create(const CodegenOptions &options,
                                        CodegenKind kind, StringRef input,
                                        StringRef output) {
  Codegen codegen(options, kind, input, output);
  bool isRun = kind == CodegenKind::Run;
  if (!isRun && (options.runInput.getNumOccurrences() ||
                 options.batch.getNumOccurrences()))
    return error("--input and --batch are for --run");
  if (options.runInput.getNumOccurrences() && options.batch.getNumOccurrences())
    return error("the batch is that of --input; leave --batch away");
  if (options.batch < 0)
    return error("--batch is a number of feature maps, 0 or more");
  if (isRun && output != "-" && llvm::sys::path::extension(output) != ".npy")
    return error("--run writes .npy files; end '" + output + "' in .npy");
  if (options.header.getNumOccurrences() &&
      (isRun || kind == CodegenKind::Linalg))
    return error("--emit-header goes with code; give --emit=shared, obj, asm "
                 "or llvm");
  if (options.header.getNumOccurrences() && options.header.empty())
    return error("--emit-header needs a file");
  if (options.name.getNumOccurrences() && !isFunctionName(options.name))
    return error("--name='" + options.name +
                 "' is no name for a C function, or is one that C's libraries "
                 "have");

  StringRef interface = StringRef(options.target).split(':').first;
  if (llvm::is_contained({"cuda", "rocm", "vulkan"}, interface)) {
    llvm::Expected<DeviceTarget> device = parseDeviceTarget(options.target);
    if (!device)
      return device.takeError();
    codegen.device = std::move(*device);
    if (llvm::Error failed = codegen.checkDevice())
      return std::move(failed);
    return codegen;
  }
  if (llvm::is_contained({CodegenKind::PTX, CodegenKind::Cubin,
                          CodegenKind::HSACO, CodegenKind::SPIRV},
                         kind))
    return error("that output is for GPUs; say which with --target=cuda:sm_80, "
                 "rocm:gfx90a or vulkan");
  llvm::Expected<llvm::Triple> triple = parseTriple(options.target);
  if (!triple)
    return triple.takeError();
  codegen.triple = std::move(*triple);
  if (isRun && !isHost(codegen.triple))
    return error("--run runs on this machine, not on " + codegen.triple.str());
  if (options.cpu.getNumOccurrences())
    codegen.cpus = {options.cpu};
  else
    for (StringRef cpu : getDefaultCpus(codegen.triple))
      codegen.cpus.push_back(cpu.str());
  for (StringRef cpu : codegen.cpus) {
    llvm::Expected<NativeTarget> known = getNativeTarget(codegen.triple, cpu);
    if (!known)
      return known.takeError();
    // Among several, the head itself picks what runs.
    if (isRun && codegen.cpus.size() == 1)
      if (llvm::Error lacking = checkRunsHere(*known))
        return lacking;
  }
  return codegen;
}

/// Whether the options go with the device.
llvm::Error Codegen::checkDevice() {
  for (const cl::Option *option :
       {static_cast<const cl::Option *>(&options.cpu),
        static_cast<const cl::Option *>(&options.threads)})
    if (option->getNumOccurrences())
      return error("--" + option->ArgStr +
                   " is for processors; --target names the GPU");
  bool isLinked = kind == CodegenKind::Object || kind == CodegenKind::Shared;
  if (!isLinked && options.header.getNumOccurrences())
    return error("--emit-header goes with objects and shared libraries for "
                 "GPUs; give --emit=obj or shared");
  DeviceKind needed = device->kind;
  if (kind == CodegenKind::PTX || kind == CodegenKind::Cubin)
    needed = DeviceKind::CUDA;
  else if (kind == CodegenKind::HSACO)
    needed = DeviceKind::ROCm;
  else if (kind == CodegenKind::SPIRV)
    needed = DeviceKind::Vulkan;
  if (needed == device->kind)
    return llvm::Error::success();
  StringRef others;
  switch (device->kind) {
  case DeviceKind::CUDA:
    others = "ptx, cubin, llvm";
    break;
  case DeviceKind::ROCm:
    others = "asm, hsaco, llvm";
    break;
  case DeviceKind::Vulkan:
    others = "asm, spirv";
    break;
  }
  return error("that output is not for --target=" + options.target +
               "; give --emit=" + others + ", obj or shared");
}

std::string Codegen::getHeaderPath() const {
  if (options.header.getNumOccurrences())
    return options.header;
  if (output == "-" ||
      (kind != CodegenKind::Object && kind != CodegenKind::Shared))
    return "";
  // Not beside a device.
  llvm::sys::fs::file_status status;
  if (!llvm::sys::fs::status(output, status) &&
      status.type() != llvm::sys::fs::file_type::regular_file)
    return "";
  SmallString<256> path(output);
  llvm::sys::path::replace_extension(path, ".h");
  return path.str().str();
}

llvm::Error Codegen::ofInput(llvm::Error error) const {
  if (!error)
    return error;
  return ::error(input + ": " + llvm::toString(std::move(error)));
}

//===----------------------------------------------------------------------===//
// From ONNX
//===----------------------------------------------------------------------===//

/// Leaves the last head of `module`, as linalg on tensors, called `name`.
static llvm::Error lowerToLinalg(ModuleOp module, StringRef name,
                                 bool constantInitializers) {
  return collectError(module.getContext(), [&] {
    PassManager pm(module.getContext());
    if (failed(applyPassManagerCLOptions(pm)))
      return failure();
    HeadToLinalgOptions pipeline;
    pipeline.name = name.str();
    pipeline.constantInitializers = constantInitializers;
    buildHeadToLinalgPipeline(pm, pipeline);
    return pm.run(module);
  });
}

llvm::Error Codegen::runOnONNX(ModuleOp module, bool constantInitializers) {
  std::string name = options.name;
  if (name.empty())
    name = output == "-" || kind == CodegenKind::Run
               ? "head"
               : makeFunctionName(llvm::sys::path::stem(output));
  if (llvm::Error failed = lowerToLinalg(module, name, constantInitializers))
    return ofInput(std::move(failed));
  if (kind == CodegenKind::Linalg) {
    std::string text;
    llvm::raw_string_ostream os(text);
    if (llvm::sys::path::extension(output) == ".mlirbc") {
      if (failed(writeBytecodeToFile(module, os)))
        return ofInput(error("cannot be written as bytecode"));
      return writeText(text);
    }
    // Not `os << module`, which prints for one scope alone: without the bytes
    // of dense_resource.
    module->print(os);
    os << '\n';
    return writeText(text);
  }
  return compileLinalg(module);
}

/// Compiles a head that is one function on tensors.
llvm::Error Codegen::compileLinalg(ModuleOp module) {
  // Before there is much work.
  if (!getHeaderPath().empty())
    for (auto func : module.getOps<func::FuncOp>())
      if (func.isPublic() && !func.isExternal())
        if (llvm::Error failed = checkHeaderName(func.getName()))
          return ofInput(std::move(failed));
  if (device)
    return runOnDevice(module);
  SmallVector<NativeVariant> variants;
  if (llvm::Error failed = lowerForHost(module, variants))
    return failed;
  return compile([&](const NativeOptions &native, StringRef path) {
    return compileNative(variants, native, path);
  });
}

/// Lowers a head in linalg for each of the processors.
llvm::Error
Codegen::lowerForHost(ModuleOp module,
                      llvm::SmallVectorImpl<NativeVariant> &variants) {
  if (!options.cpu.getNumOccurrences()) {
    cpus.clear();
    for (StringRef cpu : getDefaultCpus(triple, multipliesBF16(module)))
      cpus.push_back(cpu.str());
  }
  SmallVector<VectorUnit> units;
  for (StringRef cpu : cpus) {
    llvm::Expected<NativeTarget> known = getNativeTarget(triple, cpu);
    if (!known)
      return known.takeError();
    llvm::Expected<VectorUnit> unit = getVectorUnit(*known);
    if (!unit)
      return unit.takeError();
    units.push_back(*unit);
  }
  if (llvm::Error failed = collectError(module.getContext(), [&] {
        SpecializeBatchOptions batch;
        batch.openmp = options.threads == Threads::OpenMP;
        lowered =
            lowerHeadToLLVM(module, units, batch, applyPassManagerCLOptions);
        return success(!lowered.empty());
      }))
    return ofInput(std::move(failed));
  for (auto [head, cpu] : llvm::zip_equal(lowered, cpus))
    variants.push_back({*head, cpu});
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// For devices
//===----------------------------------------------------------------------===//

llvm::Error Codegen::runOnDevice(ModuleOp module) {
  std::optional<DeviceFormat> format;
  switch (kind) {
  case CodegenKind::LLVM:
    format = DeviceFormat::LLVM;
    break;
  case CodegenKind::Assembly:
  case CodegenKind::PTX:
    format = DeviceFormat::Assembly;
    break;
  case CodegenKind::Cubin:
  case CodegenKind::HSACO:
  case CodegenKind::SPIRV:
    format = DeviceFormat::Binary;
    break;
  case CodegenKind::Run:
    reference = module.clone();
    break;
  case CodegenKind::Linalg:
  case CodegenKind::Object:
  case CodegenKind::Shared:
    break;
  }
  if (!format)
    return compile([&](const NativeOptions &native, StringRef path) {
      return compileDeviceHead(module, *device, native, path);
    });
  llvm::Expected<std::string> code = compileKernels(module, *device, *format);
  if (!code)
    return ofInput(code.takeError());
  return writeText(*code);
}

//===----------------------------------------------------------------------===//
// From MLIR
//===----------------------------------------------------------------------===//

/// Gives the one public function with a body the name `name`.
static llvm::Error renameEntry(ModuleOp module, StringRef name) {
  for (auto func : module.getOps<FunctionOpInterface>()) {
    auto inLLVM = dyn_cast<LLVM::LLVMFuncOp>(func.getOperation());
    if (func.isExternal() ||
        (inLLVM && inLLVM.getLinkage() != LLVM::Linkage::External) ||
        !func.isPublic())
      continue;
    if (func.getName() == name)
      return llvm::Error::success();
    SymbolTable symbols(module);
    if (symbols.lookup(name))
      return error("there is another '" + name +
                   "' already; give another --name");
    if (failed(symbols.rename(func, name)))
      return error("@" + func.getName() + " cannot be renamed");
    return llvm::Error::success();
  }
  return llvm::Error::success();
}

llvm::Error Codegen::runOnLinalg(ModuleOp module) {
  if (kind == CodegenKind::Linalg)
    return ofInput(error("--emit=linalg is for ONNX models"));
  if (!options.name.empty())
    if (llvm::Error failed = renameEntry(module, options.name))
      return ofInput(std::move(failed));
  return compileLinalg(module);
}

llvm::Error Codegen::runOnLLVM(ModuleOp module) {
  if (kind == CodegenKind::Linalg || device)
    return ofInput(error(kind == CodegenKind::Linalg
                             ? "--emit=linalg is for ONNX models"
                             : "heads for GPUs are made of ONNX models"));
  if (options.threads != Threads::None)
    return ofInput(error("--threads is for ONNX models; a module in the LLVM "
                         "dialect says itself what runs in parallel"));
  if (!options.name.empty())
    if (llvm::Error failed = renameEntry(module, options.name))
      return ofInput(std::move(failed));
  SmallVector<OwningOpRef<ModuleOp>> copies;
  SmallVector<NativeVariant> variants{{module, cpus.front()}};
  for (StringRef cpu : ArrayRef(cpus).drop_front()) {
    copies.push_back(module.clone());
    variants.push_back({*copies.back(), cpu.str()});
  }
  return compile([&](const NativeOptions &native, StringRef path) {
    return compileNative(variants, native, path);
  });
}

llvm::Error Codegen::run(ModuleOp module, bool constantInitializers,
                         OutputFiles &outputs) {
  files = &outputs;
  // The modules' context does not live as long as this.
  llvm::scope_exit forget([&] {
    reference = nullptr;
    lowered.clear();
  });
  WalkResult walked = module.walk([](Operation *op) {
    return isa_and_present<onnx::ONNXDialect>(op->getDialect())
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  if (walked.wasInterrupted())
    return runOnONNX(module, constantInitializers);
  // What --emit=linalg writes: a function on tensors.
  bool isLinalg = llvm::any_of(module.getOps<func::FuncOp>(), [](auto func) {
    return llvm::any_of(func.getArgumentTypes(), llvm::IsaPred<TensorType>);
  });
  return isLinalg ? runOnLinalg(module) : runOnLLVM(module);
}

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

static NativeFormat getFormat(CodegenKind kind) {
  switch (kind) {
  case CodegenKind::LLVM:
    return NativeFormat::LLVM;
  case CodegenKind::Assembly:
    return NativeFormat::Assembly;
  case CodegenKind::Object:
    return NativeFormat::Object;
  case CodegenKind::Shared:
  case CodegenKind::Run:
    return NativeFormat::Shared;
  case CodegenKind::Linalg:
  case CodegenKind::PTX:
  case CodegenKind::Cubin:
  case CodegenKind::HSACO:
  case CodegenKind::SPIRV:
    break;
  }
  llvm_unreachable("not a kind of code for this machine");
}

llvm::Error Codegen::compile(Compile compiler) {
  return kind == CodegenKind::Run ? runHead(compiler) : writeFiles(compiler);
}

llvm::Error Codegen::writeText(StringRef text) {
  llvm::Expected<OutputFile> file = OutputFile::create(output);
  if (!file)
    return file.takeError();
  if (llvm::Error failed = file->write(text))
    return failed;
  files->add(std::move(*file));
  return llvm::Error::success();
}

/// Copies the file `path` to `output`.
static llvm::Error copyTo(OutputFile &output, StringRef path) {
  llvm::Expected<llvm::sys::fs::file_t> file =
      llvm::sys::fs::openNativeFileForRead(path);
  if (!file)
    return file.takeError();
  llvm::sys::fs::file_status status;
  llvm::Error error =
      llvm::errorCodeToError(llvm::sys::fs::status(*file, status));
  if (!error)
    error = output.copyFrom(*file, 0, status.getSize(), path);
  (void)llvm::sys::fs::closeFile(*file);
  return error;
}

llvm::Error Codegen::writeFiles(Compile compiler) {
  // Known to be writable before there is much work.
  llvm::Expected<OutputFile> file = OutputFile::create(output);
  if (!file)
    return file.takeError();
  llvm::Expected<TemporaryFolder> folder = TemporaryFolder::create();
  if (!folder)
    return folder.takeError();
  std::string path = folder->getFile("code");
  NativeOptions native;
  native.triple = triple;
  native.format = getFormat(kind);
  if (output != "-")
    native.soname = llvm::sys::path::filename(output).str();
  llvm::Expected<NativeCode> code = compiler(native, path);
  if (!code)
    return ofInput(code.takeError());

  std::optional<OutputFile> headerFile;
  std::string headerPath = getHeaderPath();
  // A function of somebody's own, without a signature, has no header unless it
  // is asked for.
  if (!headerPath.empty() &&
      (code->signature || options.header.getNumOccurrences())) {
    llvm::Expected<std::string> header =
        device ? makeDeviceHeader(*code, *device) : makeHeader(*code);
    if (!header)
      return ofInput(header.takeError());
    llvm::Expected<OutputFile> created = OutputFile::create(headerPath);
    if (!created)
      return created.takeError();
    if (llvm::Error failed = created->write(*header))
      return failed;
    headerFile.emplace(std::move(*created));
  }
  if (llvm::Error failed = copyTo(*file, path))
    return failed;
  files->add(std::move(*file));
  if (headerFile)
    files->add(std::move(*headerFile));
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

static llvm::Expected<NpyArray> readTensor(StringRef path, Element element) {
  // A pipe or a device has no size to map.
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                  /*RequiresNullTerminator=*/false);
  if (!buffer)
    return error(path + ": cannot be read: " + buffer.getError().message());
  llvm::Expected<NpyArray> tensor = readNpy((*buffer)->getBuffer(), element);
  if (!tensor)
    return error(path + ": " + llvm::toString(tensor.takeError()));
  return tensor;
}

/// One line for each sample.
static std::string print(const NpyArray &tensor) {
  std::string text;
  llvm::raw_string_ostream os(text);
  uint64_t count = tensor.getNumElements();
  uint64_t columns =
      tensor.shape.empty() || !count ? 1 : count / tensor.shape.front();
  int digits = tensor.element == Element::F64   ? 17
               : tensor.element == Element::F32 ? 9
                                                : 5;
  for (uint64_t i = 0; i < count; ++i)
    os << llvm::format("%.*g", digits, tensor.get(i))
       << ((i + 1) % columns ? ' ' : '\n');
  return text;
}

llvm::Error Codegen::writeTensor(const NpyArray &tensor) {
  llvm::Expected<OutputFile> file = OutputFile::create(output);
  if (!file)
    return file.takeError();
  llvm::Error failed = llvm::Error::success();
  if (output == "-") {
    failed = file->write(print(tensor));
  } else {
    failed = file->write(makeNpyHeader(tensor));
    if (!failed)
      failed = file->write({tensor.data->getBufferStart(),
                            tensor.getNumElements() * getSize(tensor.element)});
  }
  if (!failed)
    files->add(std::move(*file));
  return failed;
}

/// Says on standard error how far `result` of a device is from what this
/// machine's processor computes of the same features.
llvm::Error Codegen::compareWithHost(const NpyArray &features,
                                     const NpyArray &result) {
  triple = llvm::cantFail(parseTriple(""));
  cpus = {"native"};
  SmallVector<NativeVariant> variants;
  if (llvm::Error failed = lowerForHost(*reference, variants))
    return failed;
  llvm::Expected<TemporaryFolder> folder = TemporaryFolder::create();
  if (!folder)
    return folder.takeError();
  std::string path = folder->getFile("head.so");
  NativeOptions native;
  native.triple = triple;
  native.format = NativeFormat::Shared;
  llvm::Expected<NativeCode> code = compileNative(variants, native, path);
  if (!code)
    return ofInput(code.takeError());
  llvm::Expected<NpyArray> expected = runOnHost(path, *code, features);
  if (!expected)
    return ofInput(expected.takeError());
  double largest = 0, difference = 0;
  for (uint64_t i = 0, e = result.getNumElements(); i != e; ++i) {
    double a = result.get(i), b = expected->get(i);
    if (std::isnan(a) && std::isnan(b))
      continue;
    if (std::isnan(a) || std::isnan(b) || (std::isinf(b) && a != b))
      return ofInput(error("the device computes " + std::to_string(a) +
                           " where this processor computes " +
                           std::to_string(b) + ", element " + llvm::Twine(i) +
                           " of the output"));
    largest = std::max(largest, std::abs(b));
    difference = std::max(difference, a == b ? 0 : std::abs(a - b));
  }
  llvm::errs() << llvm::format(
      "largest difference from this processor's output: %.2g (largest "
      "output: %.3g)\n",
      difference, largest);
  return llvm::Error::success();
}

llvm::Error Codegen::runHead(Compile compiler) {
  llvm::Expected<TemporaryFolder> folder = TemporaryFolder::create();
  if (!folder)
    return folder.takeError();
  std::string path = folder->getFile("head.so");
  NativeOptions native;
  native.triple = triple;
  native.format = NativeFormat::Shared;
  llvm::Expected<NativeCode> code = compiler(native, path);
  if (!code)
    return ofInput(code.takeError());
  if (!code->signature)
    return ofInput(
        error("'" + code->name + "' has no headopt.signature to call it by"));

  bool isGiven = options.runInput.getNumOccurrences();
  std::optional<int64_t> batch;
  if (options.batch.getNumOccurrences())
    batch = options.batch;
  llvm::Expected<NpyArray> features =
      isGiven ? readTensor(options.runInput, code->signature->element)
              : makeRandomFeatures(*code->signature, batch);
  if (!features)
    return isGiven ? features.takeError() : ofInput(features.takeError());
  llvm::Expected<NpyArray> result = runOnHost(path, *code, *features);
  if (!result)
    return isGiven ? error(options.runInput + ": " +
                           llvm::toString(result.takeError()))
                   : ofInput(result.takeError());
  if (device)
    if (llvm::Error failed = compareWithHost(*features, *result))
      return failed;
  return writeTensor(*result);
}
