//===- Vulkan.cpp - Passes that lower kernels to SPIR-V -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "headopt/Pipelines/GPU.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace headopt;

void headopt::buildSPIRVPipeline(OpPassManager &pm, unsigned subgroupSize) {
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  PrepareSPIRVKernelsOptions prepare;
  prepare.subgroupSize = subgroupSize;
  kernels.addPass(createPrepareSPIRVKernels(prepare));
  PrepareSPIRVSubgroupsOptions subgroups;
  subgroups.subgroupSize = subgroupSize;
  kernels.addNestedPass<gpu::GPUFuncOp>(createPrepareSPIRVSubgroups(subgroups));
  kernels.addNestedPass<gpu::GPUFuncOp>(createPrepareSPIRVLoops());
  // Vulkan leaves open how a conversion to f16 rounds.
  ExpandHalfOptions half;
  half.narrowF16 = true;
  kernels.addPass(createExpandHalf(half));
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addNestedPass<gpu::GPUFuncOp>(createPrepareSPIRVVectors());
  // Where the environment is known, which allows f64.
  kernels.addPass(createConvertMathToSPIRVPass());

  pm.addPass(createConvertGPUToSPIRVPass());
  OpPassManager &shaders = pm.nest<spirv::ModuleOp>();
  shaders.addPass(spirv::createSPIRVLowerABIAttributesPass());
  shaders.addPass(spirv::createSPIRVUpdateVCEPass());
}

namespace {
struct SPIRVPipelineOptions : PassPipelineOptions<SPIRVPipelineOptions> {
  Option<unsigned> subgroupSize{
      *this, "subgroup-size",
      llvm::cl::desc("Lanes of a sub-group, a power of 2 from 4 to 128"),
      llvm::cl::init(32)};
};
} // namespace

void headopt::registerSPIRVPipeline() {
  PassPipelineRegistration<SPIRVPipelineOptions>(
      "lower-kernels-to-spirv",
      "Lower kernels (gpu.module) to SPIR-V for Vulkan",
      [](OpPassManager &pm, const SPIRVPipelineOptions &options) {
        buildSPIRVPipeline(pm, options.subgroupSize);
      });
}
