//===- VulkanProgram.cpp - Kernels compiled and run in tests --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VulkanProgram.h"
#include "headopt/Pipelines/Pipelines.h"
#include "headopt/Support/TemporaryFolder.h"
#include "headopt/Target/GPU/SPIRV.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdlib>
#include <gtest/gtest.h>

using namespace mlir;
using namespace headopt;
using namespace headopt::test;

unsigned headopt::test::getSubgroupSize() {
  const char *bits = std::getenv("LP_NATIVE_VECTOR_WIDTH");
  return bits ? static_cast<unsigned>(std::atoi(bits)) / 32 : 8;
}

/// Runs spirv-val where it is installed; setup.sh does that.
static void validate(llvm::StringRef binary) {
  auto validator = llvm::sys::findProgramByName("spirv-val");
  if (!validator)
    return;
  llvm::SmallString<128> module, messages;
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("headopt", "spv", module));
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("headopt", "txt", messages));
  {
    std::error_code ec;
    llvm::raw_fd_ostream os(module, ec);
    ASSERT_FALSE(ec);
    os << binary;
  }
  int rc = llvm::sys::ExecuteAndWait(
      *validator, {*validator, "--target-env", "vulkan1.1", module},
      std::nullopt, {std::nullopt, messages.str(), messages.str()});
  if (rc != 0) {
    auto text = llvm::MemoryBuffer::getFile(messages);
    ADD_FAILURE() << "spirv-val: "
                  << (text ? (*text)->getBuffer().str() : std::string());
  }
  llvm::sys::fs::remove(module);
  llvm::sys::fs::remove(messages);
}

static char getLetter(Type type) {
  if (type.isIndex())
    return 'i';
  if (type.isInteger(32))
    return 'w';
  return type.isF32() ? 'f' : 'p';
}

VulkanProgram::VulkanProgram(std::string text, unsigned subgroupSize) {
  for (size_t at; (at = text.find("$S")) != std::string::npos;)
    text.replace(at, 2, std::to_string(subgroupSize));
  DialectRegistry registry;
  registerLoweringDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  auto module = parseSourceString<ModuleOp>(
      "module attributes {gpu.container_module} { gpu.module @kernels {" +
          text + "} }",
      &context);
  if (!module) {
    ADD_FAILURE() << "the kernels cannot be read";
    return;
  }
  module->walk([&](gpu::GPUFuncOp func) {
    Kernel kernel;
    kernel.name = func.getName().str();
    for (Type type : func.getArgumentTypes())
      kernel.args += getLetter(type);
    kernel.threads = static_cast<uint32_t>(func.getKnownBlockSize()->front());
    kernels.push_back(kernel);
  });
  llvm::Expected<std::string> code = compileSPIRV(
      *module, {DeviceKind::Vulkan, "", subgroupSize}, DeviceFormat::Binary);
  if (!code) {
    ADD_FAILURE() << llvm::toString(code.takeError());
    return;
  }
  binary = *code;
  validate(binary);
  program.subgroup_size = subgroupSize;
}

VulkanProgram::~VulkanProgram() {
  // What a program has loaded stays for the whole process; where it is must not
  // be forgotten, or it would be a leak.
  static auto *loaded = new std::vector<void *>;
  loaded->push_back(state);
}

void VulkanProgram::addConstant(const void *data, size_t bytes) {
  const char *begin = static_cast<const char *>(data);
  constants.emplace_back(begin, begin + bytes);
}

headopt_gpu_program &VulkanProgram::get() {
  kernelTable.clear();
  for (const Kernel &kernel : kernels)
    kernelTable.push_back(
        {kernel.name.c_str(), kernel.args.c_str(), kernel.threads, 0});
  constantTable.clear();
  for (const std::vector<char> &constant : constants)
    constantTable.push_back({constant.data(), constant.size()});
  program.version = 1;
  program.num_kernels = static_cast<uint32_t>(kernelTable.size());
  program.num_constants = static_cast<uint32_t>(constantTable.size());
  program.name = "test";
  program.chip = "";
  program.binary = binary.data();
  program.binary_bytes = binary.size();
  program.kernels = kernelTable.data();
  program.constants = constantTable.data();
  program.state = &state;
  return program;
}

int32_t VulkanProgram::run(const void *input, size_t inputBytes, void *output,
                           size_t outputBytes, size_t scratchBytes,
                           const Body &body) {
  if (!program.state)
    get();
  headopt_gpu_call staged, call;
  headopt_gpu_stage(&staged, &program, input, inputBytes, outputBytes);
  int32_t code = 0;
  if (void *stream = headopt_gpu_staged_stream(&staged)) {
    headopt_gpu_begin(&call, &program, stream, scratchBytes);
    body(call, headopt_gpu_staged_input(&staged),
         headopt_gpu_staged_output(&staged));
    code = headopt_gpu_end(&call);
  }
  return headopt_gpu_unstage(&staged, output, outputBytes, code);
}
