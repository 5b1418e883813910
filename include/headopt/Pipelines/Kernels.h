//===- Kernels.h - From a head in linalg to kernels -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_PIPELINES_KERNELS_H
#define HEADOPT_PIPELINES_KERNELS_H

#include "headopt/Codegen/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace headopt {

struct KernelPipelineOptions
    : mlir::PassPipelineOptions<KernelPipelineOptions> {
  Option<unsigned> subgroupSize{
      *this, "subgroup-size",
      llvm::cl::desc("Threads that exchange numbers without shared memory: 4, "
                     "8, 16, 32 or 64"),
      llvm::cl::init(32)};
  Option<unsigned> blockThreads{*this, "block-threads",
                                llvm::cl::desc("Threads of the largest block"),
                                llvm::cl::init(256)};
  Option<unsigned> maxBlocks{*this, "max-blocks",
                             llvm::cl::desc("Blocks of a launch; 2147483647: "
                                            "one for each task"),
                             llvm::cl::init(65535)};
};

/// From functions on tensors, in linalg, to the same functions with
/// `gpu.launch_func` in them, and one gpu.module for the kernels of each. The
/// kernels are the same for all back ends but for the sub-group size.
void buildKernelPipeline(mlir::OpPassManager &pm,
                         const KernelPipelineOptions &options);

struct LaunchPipelineOptions
    : mlir::PassPipelineOptions<LaunchPipelineOptions> {
  Option<std::string> interface{
      *this, "interface",
      llvm::cl::desc("Whose driver runs the kernels: cuda, hip or vulkan"),
      llvm::cl::init("cuda")};
};

/// From what buildKernelPipeline gives, with a gpu.binary in place of the
/// kernels, to host code in the LLVM dialect.
void buildLaunchPipeline(mlir::OpPassManager &pm,
                         const LaunchPipelineOptions &options);

/// Registers `map-head-to-gpu` and `lower-launches-to-llvm`.
void registerKernelPipelines();

} // namespace headopt

#endif // HEADOPT_PIPELINES_KERNELS_H
