//===- HostRun.h - Running a compiled head here -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_NATIVE_HOSTRUN_H
#define HEADOPT_TARGET_NATIVE_HOSTRUN_H

#include "headopt/Target/Native/Compile.h"
#include "headopt/Target/Native/Npy.h"

namespace headopt {

/// A feature map for `signature` with numbers in [-1, 1) that are the same each
/// time. Fails when an extent but the batch is dynamic, and when the batch is
/// fixed to another one; without `batch` it is that one, or 1.
llvm::Expected<NpyArray> makeRandomFeatures(const HeadSignature &signature,
                                            std::optional<int64_t> batch);

/// Loads the shared library `path`, which `code` describes, and calls the head
/// with `features`. Fails when their type or shape is another than the head's.
/// The library stays loaded: threads that it started may still be in it.
llvm::Expected<NpyArray> runOnHost(llvm::StringRef path, const NativeCode &code,
                                   const NpyArray &features);

} // namespace headopt

#endif // HEADOPT_TARGET_NATIVE_HOSTRUN_H
