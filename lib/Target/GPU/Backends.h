//===- Backends.h - What the files of Target/GPU tell each other *- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_GPU_BACKENDS_H
#define HEADOPT_LIB_TARGET_GPU_BACKENDS_H

#include "headopt/Target/GPU/Compile.h"
#include "llvm/TargetParser/Triple.h"

namespace headopt {

/// LLVM's name for devices of a kind: CUDA or ROCm.
llvm::Triple getDeviceTriple(DeviceKind kind);

/// Whether each version of PTX that knows `chip` is 7.0 or later.
bool hasModernPTX(llvm::StringRef chip);

/// A cubin for `chip` from PTX, by ptxas.
llvm::Expected<std::string> assemblePTX(llvm::StringRef ptx,
                                        llvm::StringRef chip);

/// What HIP loads, from an object that LLVM wrote, by ld.lld.
llvm::Expected<std::string> linkCodeObject(llvm::StringRef object);

} // namespace headopt

#endif // HEADOPT_LIB_TARGET_GPU_BACKENDS_H
