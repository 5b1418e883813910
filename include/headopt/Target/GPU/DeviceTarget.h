//===- DeviceTarget.h - The device that kernels are made for ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_GPU_DEVICETARGET_H
#define HEADOPT_TARGET_GPU_DEVICETARGET_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace headopt {

/// Whose driver loads the kernels.
enum class DeviceKind { CUDA, ROCm, Vulkan };

/// A device as the user names it.
struct DeviceTarget {
  DeviceKind kind = DeviceKind::CUDA;
  /// As LLVM calls it: sm_80, gfx90a. Empty for Vulkan.
  std::string chip;
  /// Threads that shuffle among each other.
  unsigned subgroupSize = 32;
};

/// Reads "cuda", which is sm_80, "cuda:sm_90a", "rocm:gfx90a", "vulkan", whose
/// sub-groups are of 32, or "vulkan:8". The error for a chip that LLVM does not
/// know, or that is too old, names those that can be given.
llvm::Expected<DeviceTarget> parseDeviceTarget(llvm::StringRef text);

} // namespace headopt

#endif // HEADOPT_TARGET_GPU_DEVICETARGET_H
