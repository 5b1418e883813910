//===- Compile.h - From kernels to code for a device ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_GPU_COMPILE_H
#define HEADOPT_TARGET_GPU_COMPILE_H

#include "headopt/Target/GPU/DeviceTarget.h"
#include "mlir/IR/BuiltinOps.h"

namespace headopt {

/// What compileDevice gives.
enum class DeviceFormat {
  /// Optimised LLVM IR as text: what code generation gets. Not for Vulkan.
  LLVM,
  /// PTX, AMD's assembly, or SPIR-V as text.
  Assembly,
  /// A cubin, which needs ptxas, a code object (.hsaco), which needs ld.lld, or
  /// SPIR-V.
  Binary
};

/// Makes code for `target` from the one gpu.module of `module`, which it lowers
/// in place; what is outside of it stays. The context needs
/// registerLoweringDialects and registerDeviceDialects (headopt/Pipelines).
/// Kernels that call a function that nobody defines are an error.
llvm::Expected<std::string> compileDevice(mlir::ModuleOp module,
                                          const DeviceTarget &target,
                                          DeviceFormat format);

} // namespace headopt

#endif // HEADOPT_TARGET_GPU_COMPILE_H
