//===- Compile.h - From kernels to device code ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_GPU_COMPILE_H
#define HEADOPT_TARGET_GPU_COMPILE_H

namespace headopt {

enum class DeviceFormat { LLVM, Assembly, Binary };

} // namespace headopt

#endif // HEADOPT_TARGET_GPU_COMPILE_H
