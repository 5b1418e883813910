//===- Head.h - A head as kernels and host code -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The whole way from a head in linalg to code for a device: kernels, what
// launches them, and the runtime.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_GPU_HEAD_H
#define HEADOPT_TARGET_GPU_HEAD_H

#include "headopt/Target/GPU/Compile.h"
#include "headopt/Target/Native/Compile.h"

namespace headopt {

/// The kernels alone of the one function of `module`, which is in linalg on
/// tensors. Changes `module`.
llvm::Expected<std::string> compileKernels(mlir::ModuleOp module,
                                           const DeviceTarget &target,
                                           DeviceFormat format);

/// Writes an object or a shared library for this machine with the kernels of
/// the one function NAME of `module`, the functions that launch them, and the
/// runtime:
///
///   int NAME_cuda_host(...), NAME_hip_host(...), NAME_vulkan(...)
///       on host memory, of the type of a head for CPUs (docs/Native.md);
///   int NAME_cuda(...), NAME_hip(...)
///       on device memory, with a stream behind the other arguments;
///   const char *NAME_cuda_error(void), NAME_hip_error, NAME_vulkan_error
///       what was wrong in the last call of this thread's that failed.
///
/// The result is about the first. Changes `module`.
llvm::Expected<NativeCode> compileDeviceHead(mlir::ModuleOp module,
                                             const DeviceTarget &target,
                                             const NativeOptions &options,
                                             llvm::StringRef path);

/// The C header for what compileDeviceHead wrote.
llvm::Expected<std::string> makeDeviceHeader(const NativeCode &code,
                                             const DeviceTarget &target);

} // namespace headopt

#endif // HEADOPT_TARGET_GPU_HEAD_H
