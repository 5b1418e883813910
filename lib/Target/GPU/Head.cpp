//===- Head.cpp - A head as kernels and host code -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/GPU/Head.h"
#include "headopt/Pipelines/Kernels.h"
#include "headopt/Pipelines/Pipelines.h"
#include "headopt/Support/Diagnostics.h"
#include "headopt/Target/GPU/Runtime.h"
#include "headopt/Target/Native/Header.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;
using namespace headopt;

template <typename... Args>
static llvm::Error error(const char *format, const Args &...args) {
  return llvm::createStringError(std::errc::invalid_argument, format, args...);
}

/// The runtime's name for what drives the device, which ends functions' names.
static StringRef getInterface(DeviceKind kind) {
  switch (kind) {
  case DeviceKind::CUDA:
    return "cuda";
  case DeviceKind::ROCm:
    return "hip";
  case DeviceKind::Vulkan:
    return "vulkan";
  }
  llvm_unreachable("unknown kind of device");
}

/// Sub-groups of a block, at most: what Vulkan's devices take of small ones.
static constexpr unsigned kMaxSubgroups = 32;
/// Threads of a block, at most: what all chips of NVIDIA's and AMD's take.
static constexpr unsigned kMaxThreads = 1024;

/// Has the function's work done by kernels.
static llvm::Error mapToKernels(ModuleOp module, const DeviceTarget &target) {
  return collectError(module.getContext(), [&] {
    PassManager pm(module.getContext());
    KernelPipelineOptions options;
    options.subgroupSize = target.subgroupSize;
    if (target.kind == DeviceKind::Vulkan)
      options.blockThreads = std::min<unsigned>(
          options.blockThreads, kMaxSubgroups * target.subgroupSize);
    else
      options.blockThreads = kMaxThreads;
    if (target.kind == DeviceKind::CUDA)
      options.maxBlocks = kAnyBlocks;
    buildKernelPipeline(pm, options);
    return pm.run(module);
  });
}

llvm::Expected<std::string> headopt::compileKernels(ModuleOp module,
                                                    const DeviceTarget &target,
                                                    DeviceFormat format) {
  if (llvm::Error failed = collectError(module.getContext(),
                                        [&] { return checkExtents(module); }))
    return std::move(failed);
  if (llvm::Error failed = mapToKernels(module, target))
    return std::move(failed);
  return compileDevice(module, target, format);
}

/// Replaces the gpu.module by its code.
static llvm::Error embedKernels(ModuleOp module, const DeviceTarget &target) {
  auto modules = llvm::to_vector(module.getOps<gpu::GPUModuleOp>());
  if (modules.size() != 1)
    return error("there is nothing for a device to do in the head");
  // Drivers translate PTX themselves, for whatever they find.
  bool isText = target.kind == DeviceKind::CUDA;
  OwningOpRef<ModuleOp> copy = module.clone();
  llvm::Expected<std::string> code = compileDevice(
      *copy, target, isText ? DeviceFormat::Assembly : DeviceFormat::Binary);
  if (!code)
    return code.takeError();

  MLIRContext *context = module.getContext();
  Attribute chip;
  switch (target.kind) {
  case DeviceKind::CUDA:
    chip = NVVM::NVVMTargetAttr::get(context, /*optLevel=*/3,
                                     "nvptx64-nvidia-cuda", target.chip);
    break;
  case DeviceKind::ROCm:
    chip = ROCDL::ROCDLTargetAttr::get(context, /*optLevel=*/3,
                                       "amdgcn-amd-amdhsa", target.chip);
    break;
  case DeviceKind::Vulkan:
    chip = spirv::getDefaultTargetEnv(context);
    break;
  }
  OpBuilder b(modules.front());
  Attribute object = gpu::ObjectAttr::get(
      context, chip,
      isText ? gpu::CompilationTarget::Assembly
             : gpu::CompilationTarget::Binary,
      b.getStringAttr(*code), /*properties=*/nullptr, /*kernels=*/nullptr);
  auto binary = gpu::BinaryOp::create(
      b, module.getLoc(), modules.front().getName(),
      /*offloadingHandler=*/nullptr, b.getArrayAttr(object));
  binary->setAttr("chip", b.getStringAttr(target.chip));
  binary->setAttr("subgroup_size", b.getI32IntegerAttr(target.subgroupSize));
  modules.front().erase();
  return llvm::Error::success();
}

llvm::Expected<NativeCode>
headopt::compileDeviceHead(ModuleOp module, const DeviceTarget &target,
                           const NativeOptions &options, StringRef path) {
  if (llvm::Error failed = collectError(
          module.getContext(), [&] { return attachSignature(module); }))
    return std::move(failed);
  if (llvm::Error failed = mapToKernels(module, target))
    return std::move(failed);
  if (llvm::Error failed = embedKernels(module, target))
    return std::move(failed);
  if (llvm::Error failed = collectError(module.getContext(), [&] {
        PassManager pm(module.getContext());
        LaunchPipelineOptions launches;
        launches.interface = getInterface(target.kind).str();
        buildLaunchPipeline(pm, launches);
        return pm.run(module);
      }))
    return std::move(failed);

  StringRef runtime = getRuntimeObject(target.kind);
  if (runtime.empty())
    return error("this build of head-opt has no runtime for %s",
                 getInterface(target.kind).str().c_str());
  NativeOptions native = options;
  native.triple = llvm::Triple(llvm::sys::getProcessTriple());
  native.objects.push_back(runtime);
  // Host code does nothing that newer processors would do faster.
  std::string cpu =
      native.triple.getArch() == llvm::Triple::x86_64 ? "x86-64" : "generic";
  llvm::Expected<NativeCode> code =
      compileNative({{module, cpu}}, native, path);
  if (code) {
    StringRef name = code->name;
    name.consume_back("_host");
    code->errorFunction = (name + "_error").str();
  }
  return code;
}

llvm::Expected<std::string>
headopt::makeDeviceHeader(const NativeCode &code, const DeviceTarget &target) {
  if (llvm::Error failed = checkHeader(code))
    return std::move(failed);
  const HeadSignature &signature = *code.signature;
  StringRef name = code.name;
  bool hasDeviceForm = name.consume_back("_host");
  std::string body;
  llvm::raw_string_ostream os(body);
  auto describeMemory = [&](StringRef where) {
    os << "/**\n * Computes the head's output for `batch` feature maps on a ";
    switch (target.kind) {
    case DeviceKind::CUDA:
      os << "GPU of NVIDIA's (" << target.chip;
      // PTX for sm_90a and its like is for one chip.
      if (llvm::isDigit(target.chip.back()))
        os << " or later";
      break;
    case DeviceKind::ROCm:
      os << "GPU of AMD's (" << target.chip;
      break;
    case DeviceKind::Vulkan:
      os << "device with Vulkan (sub-groups of " << target.subgroupSize;
      break;
    }
    os << ").\n *\n" << describeArguments(signature);
    os << " *\n * Both arrays are in " << where
       << " memory, row-major without gaps, need the\n * alignment of one "
          "element, and must not overlap. Threads may call it at the\n * same "
          "time.\n *\n"
          " * Returns 0; 1 for arguments that are not as said above; 2 when "
          "there is no driver\n * or no device; 3 when the driver reports an "
          "error; 4 when the device has not\n * enough memory. "
       << code.errorFunction << "() says more.\n */\n";
  };
  describeMemory("host");
  os << "int " << code.name << '(' << spellParameters(signature) << ");\n\n";
  if (hasDeviceForm) {
    describeMemory("device");
    os << "int " << name << '(' << spellParameters(signature)
       << ", void *stream);\n/* Kernels run in `stream`, of the current "
          "context (NULL: the default one); the\n * function does not wait for "
          "them. */\n\n";
  }
  os << "/** One line about this thread's last error, with the driver's words; "
        "\"\" when there\n * was none. A later success leaves it alone. Valid "
        "until the thread's next error. */\n"
     << "const char *" << code.errorFunction << "(void);\n";
  return makeHeaderFile(name, body);
}
