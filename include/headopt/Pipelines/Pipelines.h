//===- Pipelines.h - Passes in the order that lowers a head -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_PIPELINES_PIPELINES_H
#define HEADOPT_PIPELINES_PIPELINES_H

#include "headopt/Codegen/Passes.h"
#include "headopt/Target/Native/Target.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace headopt {

/// What the kernels of a CPU are written for.
struct CPUPipelineOptions : mlir::PassPipelineOptions<CPUPipelineOptions> {
  Option<unsigned> vectorBits{
      *this, "vector-bits",
      llvm::cl::desc("Width of the vector registers: 128, 256 or 512"),
      llvm::cl::init(256)};
  Option<bool> fma{*this, "fma",
                   llvm::cl::desc("There are fused multiply-add instructions"),
                   llvm::cl::init(true)};
  Option<bool> openmp{
      *this, "openmp",
      llvm::cl::desc("Share the work out among OpenMP's threads"),
      llvm::cl::init(false)};
  Option<bool> convertsF16{
      *this, "converts-f16",
      llvm::cl::desc("There are instructions between f16 and f32"),
      llvm::cl::init(true)};
  Option<bool> bf16Dot{*this, "bf16-dot",
                       llvm::cl::desc("There are AVX512-BF16's instructions"),
                       llvm::cl::init(false)};
};

/// From one function on tensors, in linalg, to one in linalg with the C
/// interface, and kernels for blocks of the batch. Independent of the target.
void buildBatchPipeline(mlir::OpPassManager &pm,
                        const SpecializeBatchOptions &options);

/// From linalg on tensors to the LLVM dialect. `packed` is shared between the
/// targets of one head (createScheduleDense).
void buildCPUPipeline(mlir::OpPassManager &pm,
                      const CPUPipelineOptions &options,
                      std::shared_ptr<PackedWeights> packed = nullptr);

/// From a model in the onnx dialect to its last head as one function on
/// tensors, in linalg.
struct HeadToLinalgOptions : mlir::PassPipelineOptions<HeadToLinalgOptions> {
  Option<std::string> name{*this, "name",
                           llvm::cl::desc("The symbol name of the function"),
                           llvm::cl::init("head")};
  Option<bool> constantInitializers{
      *this, "constant-initializers",
      llvm::cl::desc("Take initializers that are also graph inputs for "
                     "constants"),
      llvm::cl::init(false)};
};
void buildHeadToLinalgPipeline(mlir::OpPassManager &pm,
                               const HeadToLinalgOptions &options);

/// Emits an error for a function in which a tensor that is given or returned is
/// sure to have no elements.
llvm::LogicalResult checkExtents(mlir::ModuleOp module);

/// Gives the one function of `module` its signature in C (Target/Native), which
/// stays with it on its way to code. Emits an error when it can have none.
llvm::LogicalResult attachSignature(mlir::ModuleOp module);

/// Lowers the head that buildHeadToLinalgPipeline left in `module` to the LLVM
/// dialect, once for each of `units`; the functions carry their signature
/// (Target/Native). Empty after an error, which was emitted. `configure` is
/// called with each pass manager before it gets passes.
llvm::SmallVector<mlir::OwningOpRef<mlir::ModuleOp>> lowerHeadToLLVM(
    mlir::ModuleOp module, llvm::ArrayRef<VectorUnit> units,
    const SpecializeBatchOptions &batch,
    llvm::function_ref<llvm::LogicalResult(mlir::PassManager &)> configure =
        nullptr);

/// Registers `lower-head-to-linalg` and `lower-head-to-llvm-cpu`, which is the
/// batch pipeline and then the CPU pipeline, and those of GPU.h.
void registerHeadOptPipelines();

/// Registers those of MLIR's passes that the pipelines consist of. MLIR's own
/// tools, and hence those that load the plugin, have them already.
void registerUpstreamPasses();

/// Adds the dialects that the passes read or write, with what bufferization
/// needs to know of them.
void registerLoweringDialects(mlir::DialectRegistry &registry);

} // namespace headopt

#endif // HEADOPT_PIPELINES_PIPELINES_H
