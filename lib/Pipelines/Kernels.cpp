//===- Kernels.cpp - From a head in linalg to kernels and launches --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Pipelines/Kernels.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace headopt;

void headopt::buildKernelPipeline(OpPassManager &pm,
                                  const KernelPipelineOptions &options) {
  pm.addPass(createStoreWholeBytes());
  pm.addNestedPass<func::FuncOp>(createFuseElementwise());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  auto fill = [&](auto passOptions) {
    passOptions.subgroupSize = options.subgroupSize;
    passOptions.blockThreads = options.blockThreads;
    passOptions.maxBlocks = options.maxBlocks;
    return passOptions;
  };
  pm.addPass(createMapPoolingToGPU(fill(MapPoolingToGPUOptions())));
  pm.addPass(createMapDenseToGPU(fill(MapDenseToGPUOptions())));
  pm.addPass(createMapLoopsToGPU(fill(MapLoopsToGPUOptions())));

  // Arithmetic and functions of halves are done in f32, as on CPUs.
  pm.addPass(math::createMathExtendToSupportedTypes());
  arith::ArithEmulateUnsupportedFloatsOptions emulated;
  emulated.sourceTypeStrs = {"bf16", "f16"};
  emulated.targetTypeStr = "f32";
  pm.addPass(arith::createArithEmulateUnsupportedFloats(emulated));
  ApproximateMathOptions math;
  math.fma = true;
  pm.addNestedPass<func::FuncOp>(createApproximateMath(math));
  ExpandHalfOptions half;
  half.f16 = false;
  pm.addNestedPass<func::FuncOp>(createExpandHalf(half));
  // Outlined before they are canonicalised: a load of a tensor's buffer would
  // become an access to the tensor again.
  pm.addPass(createLowerAffinePass());
  pm.addPass(createGpuLaunchSinkIndexComputationsPass());
  pm.addPass(createGpuKernelOutliningPass());
  pm.addPass(memref::createResolveShapedTypeResultDimsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void headopt::buildLaunchPipeline(OpPassManager &pm,
                                  const LaunchPipelineOptions &options) {
  LowerLaunchesOptions lower;
  lower.interface = options.interface;
  pm.addPass(createLowerLaunches(lower));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
}

void headopt::registerKernelPipelines() {
  PassPipelineRegistration<KernelPipelineOptions>(
      "map-head-to-gpu",
      "Make GPU kernels of one function on tensors (linalg), and launch them",
      buildKernelPipeline);
  PassPipelineRegistration<LaunchPipelineOptions>(
      "lower-launches-to-llvm",
      "Lower the function that launches the kernels of a gpu.binary to C "
      "functions in the LLVM dialect",
      buildLaunchPipeline);
}
