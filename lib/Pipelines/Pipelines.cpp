//===- Pipelines.cpp - Passes in the order that lowers a head -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Pipelines/Pipelines.h"
#include "headopt/Conversion/Passes.h"
#include "headopt/Pipelines/GPU.h"
#include "headopt/Pipelines/Kernels.h"
#include "headopt/Target/Native/Signature.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Index/IR/IndexDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/AllInterfaces.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Vector/Transforms/SubsetOpInterfaceImpl.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace headopt;

void headopt::buildBatchPipeline(OpPassManager &pm,
                                 const SpecializeBatchOptions &options) {
  pm.addPass(createStoreWholeBytes());
  pm.addPass(createSpecializeBatch(options));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(createFuseElementwise());
  pm.addPass(createCanonicalizerPass());
}

void headopt::buildCPUPipeline(OpPassManager &pm,
                               const CPUPipelineOptions &options,
                               std::shared_ptr<PackedWeights> packed) {
  ScheduleDenseOptions dense;
  dense.vectorBits = options.vectorBits;
  dense.fma = options.fma;
  dense.bf16Dot = options.bf16Dot;
  pm.addPass(createScheduleDense(dense, std::move(packed)));
  SchedulePoolingOptions pooling;
  pooling.vectorBits = options.vectorBits;
  ShareLoopsOptions share;
  if (options.openmp)
    pooling.cutBytes = share.parallelBytes;
  pm.addPass(createSchedulePooling(pooling));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());

  pm.addPass(bufferization::createEmptyTensorEliminationPass());
  pm.addPass(bufferization::createOneShotBufferizePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.openmp)
    pm.addPass(createShareLoops(share));
  pm.addPass(createPlaceScratch());
  pm.addPass(createLowerStridedCopies());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  // Vectors of a slice whose elements are not neighbours: one by one.
  pm.addPass(createConvertVectorToSCFPass());

  // No target has arithmetic in bf16 and functions of halves.
  pm.addPass(math::createMathExtendToSupportedTypes());
  arith::ArithEmulateUnsupportedFloatsOptions emulated;
  emulated.sourceTypeStrs = {"bf16"};
  if (!options.convertsF16)
    emulated.sourceTypeStrs.push_back("f16");
  emulated.targetTypeStr = "f32";
  pm.addPass(arith::createArithEmulateUnsupportedFloats(emulated));
  ApproximateMathOptions math;
  math.fma = options.fma;
  pm.addNestedPass<func::FuncOp>(createApproximateMath(math));
  ExpandHalfOptions half;
  half.f16 = !options.convertsF16;
  pm.addNestedPass<func::FuncOp>(createExpandHalf(half));

  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createConvertSCFToOpenMPPass());
  // Takes away the scopes that the conversion leaves, which the next one does
  // not take.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertMathToLLVMPass());
  // What LLVM has no intrinsic for, such as erf of f64.
  pm.addPass(createConvertMathToLibmPass());
  ConvertVectorToLLVMPassOptions vector;
  vector.reassociateFPReductions = false;
  vector.x86Vector = options.bf16Dot;
  pm.addPass(createConvertVectorToLLVMPass(vector));
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createConvertOpenMPToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createMoveBF16());
  pm.addPass(createCanonicalizerPass());
}

void headopt::registerLoweringDialects(DialectRegistry &registry) {
  registry
      .insert<affine::AffineDialect, arith::ArithDialect,
              bufferization::BufferizationDialect, cf::ControlFlowDialect,
              func::FuncDialect, gpu::GPUDialect, index::IndexDialect,
              linalg::LinalgDialect, LLVM::LLVMDialect, math::MathDialect,
              memref::MemRefDialect, scf::SCFDialect, spirv::SPIRVDialect,
              tensor::TensorDialect, ub::UBDialect, vector::VectorDialect>();
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  bufferization::func_ext::registerBufferizableOpInterfaceExternalModels(
      registry);
  linalg::registerAllDialectInterfaceImplementations(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerSubsetOpInterfaceExternalModels(registry);
  vector::registerBufferizableOpInterfaceExternalModels(registry);
  vector::registerSubsetOpInterfaceExternalModels(registry);
}

void headopt::buildHeadToLinalgPipeline(OpPassManager &pm,
                                        const HeadToLinalgOptions &options) {
  OutlineHeadOptions outline;
  outline.name = options.name;
  outline.constantInitializers = options.constantInitializers;
  pm.addPass(createOutlineHead(outline));
  pm.addPass(createConvertONNXToLinalg());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

/// What callers in C need to know of `head`, as an attribute that stays with
/// the function. Null when Target/Native has no such type.
static Attribute getSignature(func::FuncOp head) {
  auto features = dyn_cast<RankedTensorType>(head.getArgumentTypes().front());
  auto output = dyn_cast<RankedTensorType>(head.getResultTypes().front());
  if (!features || !output)
    return nullptr;
  std::optional<Element> element = getElement(features.getElementType());
  std::optional<Element> outputElement = getElement(output.getElementType());
  if (!element || !outputElement)
    return nullptr;
  HeadSignature signature;
  signature.element = *element;
  signature.outputElement = *outputElement;
  auto append = [](SmallVector<int64_t> &extents, RankedTensorType type) {
    for (int64_t extent : type.getShape())
      extents.push_back(ShapedType::isDynamic(extent) ? HeadSignature::kDynamic
                                                      : extent);
  };
  append(signature.features, features);
  append(signature.output, output);
  return signature.toAttribute(head.getContext());
}

LogicalResult headopt::checkExtents(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>())
    for (TypeRange types :
         {function.getArgumentTypes(), function.getResultTypes()})
      for (Type type : types)
        if (auto tensor = dyn_cast<RankedTensorType>(type);
            tensor && llvm::is_contained(tensor.getShape(), 0))
          return function.emitError("an extent of ")
                 << tensor
                 << " is 0, so there is nothing to compute; give the head 1 or "
                    "more there";
  return success();
}

LogicalResult headopt::attachSignature(ModuleOp module) {
  auto functions = llvm::to_vector(module.getOps<func::FuncOp>());
  if (functions.size() != 1 || functions[0].getNumArguments() != 1 ||
      functions[0].getNumResults() != 1)
    return module.emitError("there is no single function from one tensor to "
                            "another in the module");
  // Before passes make nothing of nothing.
  if (failed(checkExtents(module)))
    return failure();
  Attribute signature = getSignature(functions[0]);
  if (!signature)
    return functions[0].emitError(
               "the feature map and the head's result must be of float16, "
               "bfloat16, float or double; their types are ")
           << functions[0].getArgumentTypes().front() << " and "
           << functions[0].getResultTypes().front();
  functions[0]->setAttr(kSignatureAttr, signature);
  return success();
}

SmallVector<OwningOpRef<ModuleOp>> headopt::lowerHeadToLLVM(
    ModuleOp module, ArrayRef<VectorUnit> units,
    const SpecializeBatchOptions &batch,
    llvm::function_ref<LogicalResult(PassManager &)> configure) {
  if (failed(attachSignature(module)))
    return {};
  PassManager shared(module.getContext());
  if (configure && failed(configure(shared)))
    return {};
  buildBatchPipeline(shared, batch);
  if (failed(shared.run(module)))
    return {};
  auto packed = std::make_shared<PackedWeights>();
  SmallVector<OwningOpRef<ModuleOp>> lowered;
  for (const VectorUnit &unit : units) {
    lowered.push_back(module.clone());
    CPUPipelineOptions options;
    options.vectorBits = unit.bits;
    options.fma = unit.fma;
    options.convertsF16 = unit.convertsF16;
    options.bf16Dot = unit.multipliesBF16;
    options.openmp = batch.openmp;
    PassManager pm(module.getContext());
    if (configure && failed(configure(pm)))
      return {};
    buildCPUPipeline(pm, options, packed);
    if (failed(pm.run(*lowered.back())))
      return {};
  }
  return lowered;
}

void headopt::registerHeadOptPipelines() {
  registerKernelPipelines();
  PassPipelineRegistration<HeadToLinalgOptions>(
      "lower-head-to-linalg",
      "Lower the last head of an ONNX model to one function on tensors",
      buildHeadToLinalgPipeline);
  PassPipelineRegistration<CPUPipelineOptions>(
      "lower-head-to-llvm-cpu",
      "Lower one function on tensors (linalg) to the LLVM dialect for a CPU",
      [](OpPassManager &pm, const CPUPipelineOptions &options) {
        SpecializeBatchOptions batch;
        batch.openmp = options.openmp;
        buildBatchPipeline(pm, batch);
        buildCPUPipeline(pm, options);
      });
  registerDevicePipelines();
  registerSPIRVPipeline();
}
