//===- SPIRV.h - From kernels to SPIR-V modules -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_GPU_SPIRV_H
#define HEADOPT_TARGET_GPU_SPIRV_H

#include "headopt/Target/GPU/Compile.h"
#include "headopt/Target/GPU/DeviceTarget.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <string>

namespace headopt {

/// compileDevice for Vulkan. Assembly is the text of the spirv dialect, Binary
/// the words of a module in the byte order of this machine; there is no LLVM
/// IR.
llvm::Expected<std::string> compileSPIRV(mlir::ModuleOp module,
                                         const DeviceTarget &target,
                                         DeviceFormat format);

} // namespace headopt

#endif // HEADOPT_TARGET_GPU_SPIRV_H
