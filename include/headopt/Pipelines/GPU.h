//===- GPU.h - Passes that lower kernels to device code ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_PIPELINES_GPU_H
#define HEADOPT_PIPELINES_GPU_H

#include "mlir/Pass/PassManager.h"

namespace headopt {

/// From the kernels of gpu.modules (docs/GPU.md) to a spirv.module beside each,
/// for Vulkan, with all its kernels as entry points. Every argument is a
/// storage buffer, in set 0, whose binding is the argument's number; scalars
/// are buffers of one number, and index is 32 bits.
void buildSPIRVPipeline(mlir::OpPassManager &pm, unsigned subgroupSize);

/// Registers `lower-kernels-to-spirv`.
void registerSPIRVPipeline();

} // namespace headopt

#endif // HEADOPT_PIPELINES_GPU_H
