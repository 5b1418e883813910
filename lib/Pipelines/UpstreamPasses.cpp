//===- UpstreamPasses.cpp - MLIR's passes in the pipelines, by name -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A reproducer names the passes that were to run. A tool that runs it must know
// all of them, those of MLIR too; test/Plugin/pipelines.test sees to it that
// none is missing here.
//
//===----------------------------------------------------------------------===//

#include "headopt/Pipelines/Pipelines.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void headopt::registerUpstreamPasses() {
  using Create = std::unique_ptr<Pass> (*)();
  static constexpr Create kCreate[] = {
      [] { return createCanonicalizerPass(); },
      [] { return createCSEPass(); },
      // From tensors to buffers and loops.
      [] { return bufferization::createEmptyTensorEliminationPass(); },
      [] { return bufferization::createOneShotBufferizePass(); },
      [] { return createConvertLinalgToLoopsPass(); },
      [] { return createConvertVectorToSCFPass(); },
      // Halves.
      [] { return math::createMathExtendToSupportedTypes(); },
      [] { return arith::createArithEmulateUnsupportedFloats(); },
      // Kernels.
      [] { return createGpuLaunchSinkIndexComputationsPass(); },
      [] { return createGpuKernelOutliningPass(); },
      [] { return memref::createResolveShapedTypeResultDimsPass(); },
      [] { return createConvertGpuOpsToNVVMOps(); },
      [] { return createConvertGpuOpsToROCDLOps(); },
      [] { return createConvertMathToSPIRVPass(); },
      []() -> std::unique_ptr<Pass> { return createConvertGPUToSPIRVPass(); },
      [] { return spirv::createSPIRVLowerABIAttributesPass(); },
      [] { return spirv::createSPIRVUpdateVCEPass(); },
      // To the LLVM dialect.
      [] { return memref::createExpandStridedMetadataPass(); },
      [] { return createLowerAffinePass(); },
      [] { return createConvertSCFToOpenMPPass(); },
      [] { return createSCFToControlFlowPass(); },
      [] { return createConvertMathToLLVMPass(); },
      [] { return createConvertMathToLibmPass(); },
      [] { return createConvertVectorToLLVMPass(); },
      [] { return createFinalizeMemRefToLLVMConversionPass(); },
      [] { return createArithToLLVMConversionPass(); },
      [] { return createConvertIndexToLLVMPass(); },
      [] { return createUBToLLVMConversionPass(); },
      [] { return createConvertControlFlowToLLVMPass(); },
      [] { return createConvertFuncToLLVMPass(); },
      [] { return createConvertOpenMPToLLVMPass(); },
      [] { return createReconcileUnrealizedCastsPass(); },
  };
  for (Create create : kCreate)
    registerPass(create);
}
