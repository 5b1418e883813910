//===- GPU.h - Passes in the order that lowers kernels ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From kernels in gpu.module to what the back ends of devices take. The
// functions that launch them, outside, stay as they are.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_PIPELINES_GPU_H
#define HEADOPT_PIPELINES_GPU_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include <optional>

namespace headopt {

/// Lanes of a sub-group on a chip of AMD's: 64 on gfx9, 32 later. Nothing for
/// what is no chip, and for chips before gfx9.
std::optional<unsigned> getROCmSubgroupSize(llvm::StringRef chip);

/// Kernels to the LLVM and NVVM dialects, the same for all chips of NVIDIA's.
void buildNVVMPipeline(mlir::OpPassManager &pm);

/// Which chip of AMD's kernels are for.
struct ROCDLPipelineOptions : mlir::PassPipelineOptions<ROCDLPipelineOptions> {
  Option<std::string> chip{*this, "chip", llvm::cl::desc("The chip"),
                           llvm::cl::init("gfx90a")};
};

/// Kernels to the LLVM and ROCDL dialects.
void buildROCDLPipeline(mlir::OpPassManager &pm,
                        const ROCDLPipelineOptions &options);

/// Kernels to a spirv.module for Vulkan beside theirs, with all of them as
/// entry points. Every argument is a storage buffer, in set 0, whose binding is
/// the argument's number; scalars are buffers of one number, and index is 32
/// bits.
void buildSPIRVPipeline(mlir::OpPassManager &pm, unsigned subgroupSize);

/// Registers `lower-kernels-to-spirv`.
void registerSPIRVPipeline();

/// Registers `lower-kernels-to-nvvm` and `lower-kernels-to-rocdl`.
void registerDevicePipelines();

/// Adds the dialects that these pipelines read or write, with what conversions
/// to the LLVM dialect and LLVM IR need to know of them.
void registerDeviceDialects(mlir::DialectRegistry &registry);

} // namespace headopt

#endif // HEADOPT_PIPELINES_GPU_H
