//===- GPU.cpp - Passes in the order that lowers kernels ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Pipelines/GPU.h"
#include "headopt/Codegen/Passes.h"
#include "mlir/Conversion/AMDGPUToROCDL/AMDGPUToROCDL.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/AMDGPU/IR/AMDGPUDialect.h"
#include "mlir/Dialect/AMDGPU/Utils/Chipset.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/ROCDL/ROCDLToLLVMIRTranslation.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace headopt;

std::optional<unsigned> headopt::getROCmSubgroupSize(StringRef chip) {
  FailureOr<amdgpu::Chipset> chipset = amdgpu::Chipset::parse(chip);
  if (failed(chipset) || chipset->majorVersion < 9)
    return std::nullopt;
  return chipset->majorVersion == 9 ? 64 : 32;
}

/// What comes before the conversions that know the vendor.
static void addShared(OpPassManager &pm,
                      const LowerSubgroupReduceOptions &reduce, bool rocm) {
  pm.addPass(createLowerSubgroupReduce(reduce));
  PrepareKernelsOptions prepare;
  prepare.rocm = rocm;
  pm.addPass(createPrepareKernels(prepare));
  pm.addPass(createLowerAffinePass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

static void addCleanup(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}

void headopt::buildNVVMPipeline(OpPassManager &pm) {
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  LowerSubgroupReduceOptions reduce;
  reduce.subgroupSize = 32;
  addShared(kernels, reduce, /*rocm=*/false);
  ConvertGpuOpsToNVVMOpsOptions convert;
  convert.useBarePtrCallConv = true;
  kernels.addPass(createConvertGpuOpsToNVVMOps(convert));
  addCleanup(kernels);
}

void headopt::buildROCDLPipeline(OpPassManager &pm,
                                 const ROCDLPipelineOptions &options) {
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  LowerSubgroupReduceOptions reduce;
  reduce.chip = options.chip;
  // What is no chip is reported by the pass.
  reduce.subgroupSize = getROCmSubgroupSize(options.chip).value_or(64);
  addShared(kernels, reduce, /*rocm=*/true);
  ConvertGpuOpsToROCDLOpsOptions convert;
  convert.chipset = options.chip;
  convert.useBarePtrCallConv = true;
  convert.runtime = gpu::amd::Runtime::HIP;
  kernels.addPass(createConvertGpuOpsToROCDLOps(convert));
  addCleanup(kernels);
}

void headopt::registerDevicePipelines() {
  PassPipelineRegistration<>(
      "lower-kernels-to-nvvm",
      "Lower the kernels of gpu.module to the LLVM and NVVM dialects",
      buildNVVMPipeline);
  PassPipelineRegistration<ROCDLPipelineOptions>(
      "lower-kernels-to-rocdl",
      "Lower the kernels of gpu.module to the LLVM and ROCDL dialects",
      buildROCDLPipeline);
}

void headopt::registerDeviceDialects(DialectRegistry &registry) {
  registry.insert<amdgpu::AMDGPUDialect, gpu::GPUDialect, NVVM::NVVMDialect,
                  ROCDL::ROCDLDialect>();
  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  index::registerConvertIndexToLLVMInterface(registry);
  registerConvertFuncToLLVMInterface(registry);
  registerConvertMathToLLVMInterface(registry);
  registerConvertMemRefToLLVMInterface(registry);
  registerConvertNVVMToLLVMInterface(registry);
  NVVM::registerConvertGpuToNVVMInterface(registry);
  ub::registerConvertUBToLLVMInterface(registry);
  vector::registerConvertVectorToLLVMInterface(registry);
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
  registerROCDLDialectTranslation(registry);
}
