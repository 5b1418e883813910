//===- Runtime.h - What is linked into heads for devices --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_GPU_RUNTIME_H
#define HEADOPT_TARGET_GPU_RUNTIME_H

#include "headopt/Target/GPU/DeviceTarget.h"
#include "llvm/ADT/StringRef.h"

namespace headopt {

/// The bytes of an object file with the functions of runtime/headopt_gpu.h, for
/// the machine that this library runs on. It needs the C library only, and
/// finds the driver when a head is first called. NativeOptions::objects takes
/// it. Empty where this library was built without a runtime for `kind`.
llvm::StringRef getRuntimeObject(DeviceKind kind);

} // namespace headopt

#endif // HEADOPT_TARGET_GPU_RUNTIME_H
