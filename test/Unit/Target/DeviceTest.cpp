//===- DeviceTest.cpp - Tests of device targets and their code ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Pipelines/GPU.h"
#include "headopt/Pipelines/Pipelines.h"
#include "headopt/Support/TemporaryFolder.h"
#include "headopt/Target/GPU/Compile.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace headopt;

namespace {

std::string errorOf(llvm::StringRef text) {
  llvm::Expected<DeviceTarget> target = parseDeviceTarget(text);
  return target ? "no error" : llvm::toString(target.takeError());
}

bool holds(llvm::StringRef text, llvm::StringRef part) {
  return text.contains(part);
}

TEST(DeviceTargetTest, readsNames) {
  struct {
    const char *text;
    DeviceKind kind;
    const char *chip;
    unsigned subgroupSize;
  } const cases[] = {
      {"cuda", DeviceKind::CUDA, "sm_80", 32},
      {"cuda:sm_60", DeviceKind::CUDA, "sm_60", 32},
      {"cuda:sm_90a", DeviceKind::CUDA, "sm_90a", 32},
      {"cuda:sm_100", DeviceKind::CUDA, "sm_100", 32},
      {"rocm:gfx900", DeviceKind::ROCm, "gfx900", 64},
      {"rocm:gfx90a", DeviceKind::ROCm, "gfx90a", 64},
      {"rocm:gfx942", DeviceKind::ROCm, "gfx942", 64},
      {"rocm:gfx1030", DeviceKind::ROCm, "gfx1030", 32},
      {"rocm:gfx1100", DeviceKind::ROCm, "gfx1100", 32},
      {"rocm:gfx1201", DeviceKind::ROCm, "gfx1201", 32},
      {"vulkan", DeviceKind::Vulkan, "", 32},
      {"vulkan:4", DeviceKind::Vulkan, "", 4},
      {"vulkan:64", DeviceKind::Vulkan, "", 64},
  };
  for (const auto &expected : cases) {
    llvm::Expected<DeviceTarget> target = parseDeviceTarget(expected.text);
    ASSERT_TRUE(bool(target)) << llvm::toString(target.takeError());
    EXPECT_EQ(target->kind, expected.kind) << expected.text;
    EXPECT_EQ(target->chip, expected.chip);
    EXPECT_EQ(target->subgroupSize, expected.subgroupSize) << expected.text;
  }
}

TEST(DeviceTargetTest, saysWhatIsKnown) {
  std::string cuda = errorOf("cuda:sm_1");
  EXPECT_TRUE(holds(cuda, "chip 'sm_1' is not known; name one of sm_60, "))
      << cuda;
  EXPECT_TRUE(holds(cuda, ", sm_90, sm_90a, sm_100")) << cuda;
  EXPECT_FALSE(holds(cuda, "\n"));
  // Known to LLVM, and too old for us.
  EXPECT_TRUE(holds(errorOf("cuda:sm_35"), "'sm_35' is not known"));
  EXPECT_TRUE(holds(errorOf("cuda:"), "'' is not known"));
  EXPECT_TRUE(holds(errorOf("cuda:gfx90a"), "'gfx90a' is not known"));

  std::string rocm = errorOf("rocm:gfx1");
  EXPECT_TRUE(holds(rocm, "name one of gfx90")) << rocm;
  EXPECT_TRUE(holds(rocm, "gfx900") && holds(rocm, "gfx90a") &&
              holds(rocm, "gfx1100"))
      << rocm;
  EXPECT_FALSE(holds(rocm, "gfx803") || holds(rocm, "generic")) << rocm;
  EXPECT_TRUE(holds(errorOf("rocm:gfx803"), "'gfx803' is not known"));
  EXPECT_TRUE(holds(errorOf("rocm"), "such as rocm:gfx90a"));

  for (const char *size : {"vulkan:", "vulkan:5", "vulkan:128", "vulkan:a"})
    EXPECT_TRUE(holds(errorOf(size), "give 4, 8, 16, 32 or 64")) << size;
  for (const char *name : {"", "opencl", "CUDA", "sm_80"})
    EXPECT_TRUE(holds(errorOf(name), "give cuda, cuda:sm_80")) << name;
}

/// The compiler on text.
class DeviceCompileTest : public testing::Test {
protected:
  DeviceCompileTest() {
    DialectRegistry registry;
    registerLoweringDialects(registry);
    registerDeviceDialects(registry);
    context.appendDialectRegistry(registry);
    context.disableMultithreading();
  }

  OwningOpRef<ModuleOp> parseKernels() {
    return parseSourceFile<ModuleOp>(
        HEADOPT_TEST_FOLDER "/Target/GPU/Inputs/kernels.mlir", &context);
  }

  llvm::Expected<std::string> compile(ModuleOp module, llvm::StringRef device,
                                      DeviceFormat format) {
    llvm::Expected<DeviceTarget> target = parseDeviceTarget(device);
    if (!target)
      return target.takeError();
    return compileDevice(module, *target, format);
  }

  /// The error for a module that holds `text`.
  std::string errorFor(llvm::StringRef text, llvm::StringRef device) {
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    if (!module)
      return "no module";
    llvm::Expected<std::string> code =
        compile(*module, device, DeviceFormat::Assembly);
    return code ? "no error" : llvm::toString(code.takeError());
  }

  MLIRContext context;
};

TEST_F(DeviceCompileTest, wantsOneModuleOfKernels) {
  for (const char *device : {"cuda", "rocm:gfx90a", "vulkan"}) {
    EXPECT_TRUE(holds(errorFor("", device), "there are 0 gpu.module"));
    EXPECT_TRUE(holds(errorFor("gpu.module @a {}\ngpu.module @b {}", device),
                      "there are 2 gpu.module"));
  }
}

/// A kernel on one buffer with `body`.
std::string makeKernel(llvm::StringRef buffer, llvm::StringRef body) {
  return ("gpu.module @kernels { gpu.func @kernel(%x: " + buffer +
          ", %i: index, %f: f32) kernel attributes "
          "{known_block_size = array<i32: 64, 1, 1>} {\n" +
          body + "\ngpu.return } }")
      .str();
}

TEST_F(DeviceCompileTest, namesFunctionsThatNobodyDefines) {
  std::string kernel = makeKernel("memref<?xf32>", R"mlir(
    %e = arith.remf %f, %f : f32
    memref.store %e, %x[%i] : memref<?xf32>)mlir");
  EXPECT_EQ(errorFor(kernel, "cuda"),
            "the kernels call '__nv_fmodf', which nothing defines; write it as "
            "arithmetic");
  kernel = makeKernel("memref<?xf32>", R"mlir(
    %d = gpu.block_dim x
    memref.store %f, %x[%d] : memref<?xf32>)mlir");
  EXPECT_EQ(errorFor(kernel, "rocm:gfx942"),
            "the kernels call '__ockl_get_local_size', which nothing defines; "
            "write it as arithmetic");
}

TEST_F(DeviceCompileTest, compilesForEveryChip) {
  // LLVM ends the process where a chip and its features do not go together.
  std::string kernel = makeKernel("memref<?xf32>", R"mlir(
    %s = gpu.subgroup_reduce add %f : (f32) -> f32
    %m = gpu.subgroup_reduce maximumf %s cluster(size = 16) : (f32) -> f32
    %g = gpu.grid_dim x
    memref.store %m, %x[%g] : memref<?xf32>
    gpu.barrier
    %r = math.sqrt %m : f32
    memref.store %r, %x[%i] : memref<?xf32>)mlir");
  for (llvm::StringRef kind : {"cuda:", "rocm:"}) {
    std::string known = errorOf((kind + "x").str());
    llvm::SmallVector<llvm::StringRef> chips;
    llvm::StringRef(known).split("one of ").second.split(chips, ", ");
    EXPECT_GT(chips.size(), 20u) << known;
    for (llvm::StringRef chip : chips)
      EXPECT_EQ(errorFor(kernel, (kind + chip).str()), "no error")
          << chip.str();
  }
}

TEST_F(DeviceCompileTest, passesOnWhatPassesReport) {
  EXPECT_EQ(errorFor(makeKernel("memref<?x4xf32>", ""), "cuda"),
            "the kernels cannot be lowered: argument 0 is of "
            "'memref<?x4xf32>'; kernels take buffers of one axis, without a "
            "layout, in the device's memory");
  std::string kernel = makeKernel("memref<?xf32>", R"mlir(
    %e = math.exp %f : f32
    memref.store %e, %x[%i] : memref<?xf32>)mlir");
  for (const char *device : {"cuda", "rocm:gfx90a"})
    EXPECT_EQ(errorFor(kernel, device),
              "the kernels cannot be lowered: 'math.exp' op is no instruction "
              "of devices; write it as arithmetic, as approximate-math does "
              "for f32");
  kernel = makeKernel("memref<?xf32>", R"mlir(
    %s = gpu.subgroup_reduce add %f cluster(size = 64) : (f32) -> f32
    memref.store %s, %x[%i] : memref<?xf32>)mlir");
  for (const char *device : {"cuda", "rocm:gfx1100"})
    EXPECT_TRUE(holds(errorFor(kernel, device),
                      "cannot be lowered for sub-groups of 32 lanes"))
        << errorFor(kernel, device);
  EXPECT_EQ(errorFor(kernel, "rocm:gfx90a"), "no error");
}

TEST_F(DeviceCompileTest, reportsTooMuchSharedMemory) {
  std::string error = errorFor(R"mlir(
    gpu.module @kernels {
      gpu.func @kernel(%x: memref<?xf32>, %i: index)
          workgroup(%s : memref<20000xf32, #gpu.address_space<workgroup>>) kernel
          attributes {known_block_size = array<i32: 64, 1, 1>} {
        %t = gpu.thread_id x
        %v = memref.load %x[%t] : memref<?xf32>
        memref.store %v, %s[%t] : memref<20000xf32, #gpu.address_space<workgroup>>
        gpu.barrier
        %w = memref.load %s[%i] : memref<20000xf32, #gpu.address_space<workgroup>>
        memref.store %w, %x[%t] : memref<?xf32>
        gpu.return
      }
    })mlir",
                               "rocm:gfx90a");
  EXPECT_TRUE(
      holds(error, "LLVM makes no code of the kernels: local memory (") &&
      holds(error, "65536"))
      << error;
}

TEST_F(DeviceCompileTest, leavesTheHostAlone) {
  for (const char *device : {"cuda:sm_80", "rocm:gfx90a"}) {
    OwningOpRef<ModuleOp> module = parseKernels();
    ASSERT_TRUE(module);
    auto print = [&] {
      std::string text;
      llvm::raw_string_ostream os(text);
      module->lookupSymbol("head")->print(os);
      return text;
    };
    std::string before = print();
    llvm::Expected<std::string> code =
        compile(*module, device, DeviceFormat::LLVM);
    ASSERT_TRUE(bool(code)) << llvm::toString(code.takeError());
    EXPECT_TRUE(holds(before, "gpu.launch_func"));
    EXPECT_EQ(print(), before);
    EXPECT_TRUE(succeeded(module->verify()));
  }
}

TEST_F(DeviceCompileTest, sameTextEachTime) {
  for (const char *device : {"cuda:sm_80", "rocm:gfx1100"})
    for (DeviceFormat format : {DeviceFormat::LLVM, DeviceFormat::Assembly}) {
      std::string texts[2];
      for (std::string &text : texts) {
        OwningOpRef<ModuleOp> module = parseKernels();
        ASSERT_TRUE(module);
        llvm::Expected<std::string> code = compile(*module, device, format);
        ASSERT_TRUE(bool(code)) << llvm::toString(code.takeError());
        text = *code;
      }
      EXPECT_EQ(texts[0], texts[1]);
      // No paths of files.
      EXPECT_FALSE(holds(texts[0], HEADOPT_TEST_FOLDER));
      // What libraries of the vendors would be called through.
      for (const char *name : {"__nv", "__ocml", "__ockl", "vprintf"})
        EXPECT_FALSE(holds(texts[0], name)) << name;
    }
}

TEST_F(DeviceCompileTest, ptxasTakesAllWithoutSpills) {
  llvm::ErrorOr<std::string> ptxas = llvm::sys::findProgramByName("ptxas");
  if (!ptxas)
    ptxas = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"});
  if (!ptxas)
    GTEST_SKIP() << "there is no ptxas here";
  for (const char *chip : {"sm_80", "sm_90", "sm_100"}) {
    OwningOpRef<ModuleOp> module = parseKernels();
    ASSERT_TRUE(module);
    size_t kernels = llvm::range_size(
        (*module->getOps<gpu::GPUModuleOp>().begin()).getOps<gpu::GPUFuncOp>());
    llvm::Expected<std::string> ptx =
        compile(*module, std::string("cuda:") + chip, DeviceFormat::Assembly);
    ASSERT_TRUE(bool(ptx)) << llvm::toString(ptx.takeError());
    llvm::Expected<TemporaryFolder> folder = TemporaryFolder::create();
    ASSERT_TRUE(bool(folder)) << llvm::toString(folder.takeError());
    std::string input = folder->getFile("k.ptx"), log = folder->getFile("log"),
                cubin = folder->getFile("k.cubin");
    {
      std::error_code ec;
      llvm::raw_fd_ostream os(input, ec);
      os << *ptx;
    }
    std::string arch = std::string("-arch=") + chip;
    int status = llvm::sys::ExecuteAndWait(
        *ptxas, {*ptxas, "-v", "-O3", arch, "-o", cubin, input}, std::nullopt,
        {llvm::StringRef(), llvm::StringRef(log), llvm::StringRef(log)});
    auto buffer = llvm::MemoryBuffer::getFile(log);
    ASSERT_TRUE(bool(buffer));
    llvm::StringRef said = (*buffer)->getBuffer();
    if (status && holds(said, "is not defined for option")) {
      llvm::outs() << "this ptxas does not know " << chip << '\n';
      continue;
    }
    ASSERT_EQ(status, 0) << said.str();
    EXPECT_EQ(said.count("0 bytes spill stores, 0 bytes spill loads"), kernels)
        << said.str();
    // How many registers each takes.
    llvm::StringRef name;
    for (llvm::StringRef line : llvm::split(said, '\n')) {
      if (holds(line, "Compiling entry function"))
        name = line.split('\'').second.split('\'').first;
      if (holds(line, "Used "))
        llvm::outs() << chip << ' ' << name << ": "
                     << line.split("Used ").second << '\n';
    }

    OwningOpRef<ModuleOp> again = parseKernels();
    llvm::Expected<std::string> binary =
        compile(*again, std::string("cuda:") + chip, DeviceFormat::Binary);
    ASSERT_TRUE(bool(binary)) << llvm::toString(binary.takeError());
    EXPECT_TRUE(holds(*binary, llvm::StringRef(llvm::ELF::ElfMagic, 4)));
  }
}

TEST_F(DeviceCompileTest, lldLinksCodeObjects) {
  if (!llvm::sys::findProgramByName("ld.lld") &&
      !llvm::sys::findProgramByName("ld.lld-22"))
    GTEST_SKIP() << "there is no ld.lld here";
  for (const char *device : {"rocm:gfx90a", "rocm:gfx942", "rocm:gfx1100"}) {
    OwningOpRef<ModuleOp> module = parseKernels();
    ASSERT_TRUE(module);
    llvm::Expected<std::string> binary =
        compile(*module, device, DeviceFormat::Binary);
    ASSERT_TRUE(bool(binary)) << llvm::toString(binary.takeError());
    ASSERT_GT(binary->size(), sizeof(llvm::ELF::Elf64_Ehdr));
    llvm::ELF::Elf64_Ehdr header;
    memcpy(&header, binary->data(), sizeof(header));
    EXPECT_TRUE(header.checkMagic());
    EXPECT_EQ(header.e_machine, llvm::ELF::EM_AMDGPU);
    EXPECT_EQ(header.e_type, llvm::ELF::ET_DYN);
    EXPECT_EQ(header.e_ident[llvm::ELF::EI_ABIVERSION],
              llvm::ELF::ELFABIVERSION_AMDGPU_HSA_V4);
  }
}

} // namespace
