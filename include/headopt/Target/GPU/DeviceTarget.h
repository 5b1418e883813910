//===- DeviceTarget.h - Devices that kernels are compiled for ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_GPU_DEVICETARGET_H
#define HEADOPT_TARGET_GPU_DEVICETARGET_H

#include <string>

namespace headopt {

enum class DeviceKind { CUDA, ROCm, Vulkan };

struct DeviceTarget {
  DeviceKind kind;
  std::string chip;
  unsigned subgroupSize;
};

} // namespace headopt

#endif // HEADOPT_TARGET_GPU_DEVICETARGET_H
