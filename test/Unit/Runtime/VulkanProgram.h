//===- VulkanProgram.h - Kernels compiled and run in tests ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TEST_UNIT_RUNTIME_VULKANPROGRAM_H
#define HEADOPT_TEST_UNIT_RUNTIME_VULKANPROGRAM_H

#include "headopt_gpu.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace headopt::test {

/// Lanes of a sub-group of lavapipe: it has as many as its vectors have f32.
unsigned getSubgroupSize();

/// Kernels as a program of runtime/vulkan.c.
class VulkanProgram {
public:
  /// `kernels` is the inside of a gpu.module, in which $S stands for the size
  /// of a sub-group. An error is a failure of the test, and so is what
  /// spirv-val says of the module.
  explicit VulkanProgram(std::string kernels,
                         unsigned subgroupSize = getSubgroupSize());
  VulkanProgram(const VulkanProgram &) = delete;
  VulkanProgram &operator=(const VulkanProgram &) = delete;
  ~VulkanProgram();

  bool isValid() const { return !binary.empty(); }

  /// Device memory that is filled once and given to every call.
  void addConstant(const void *data, size_t bytes);
  template <typename T> void addConstant(const std::vector<T> &data) {
    addConstant(data.data(), data.size() * sizeof(T));
  }

  /// What a call launches; it gets the call and the addresses of the input and
  /// the output.
  using Body =
      std::function<void(headopt_gpu_call &, uint64_t input, uint64_t output)>;

  /// A call as generated code makes it, on host memory; its code.
  int32_t run(const void *input, size_t inputBytes, void *output,
              size_t outputBytes, size_t scratchBytes, const Body &body);

  /// One launch of the first kernel. Its arguments are the input, `scalars`,
  /// the constants and the output.
  template <typename In, typename Out>
  int32_t run(const std::vector<In> &input, std::vector<Out> &output,
              uint64_t blocks, llvm::ArrayRef<uint64_t> scalars) {
    return run(input.data(), input.size() * sizeof(In), output.data(),
               output.size() * sizeof(Out), 0,
               [&](headopt_gpu_call &call, uint64_t in, uint64_t out) {
                 std::vector<uint64_t> args = {in};
                 args.insert(args.end(), scalars.begin(), scalars.end());
                 for (uint32_t i = 0; i < constants.size(); ++i)
                   args.push_back(headopt_gpu_constant(&call, i));
                 args.push_back(out);
                 headopt_gpu_launch(&call, 0, blocks, args.data());
               });
  }

  /// What the runtime gets. Valid as long as this.
  headopt_gpu_program &get();

  std::string binary;

private:
  struct Kernel {
    std::string name, args;
    uint32_t threads;
  };

  std::vector<Kernel> kernels;
  std::vector<headopt_gpu_kernel> kernelTable;
  std::vector<std::vector<char>> constants;
  // There is a function of that name, too.
  std::vector<struct headopt_gpu_constant> constantTable;
  headopt_gpu_program program = {};
  void *state = nullptr;
};

} // namespace headopt::test

#endif // HEADOPT_TEST_UNIT_RUNTIME_VULKANPROGRAM_H
