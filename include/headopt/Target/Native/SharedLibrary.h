//===- SharedLibrary.h - Linking a compiled head ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_NATIVE_SHAREDLIBRARY_H
#define HEADOPT_TARGET_NATIVE_SHAREDLIBRARY_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/TargetParser/Triple.h"
#include <string>

namespace headopt {

struct LinkOptions {
  llvm::Triple triple;
  std::string soname;
  /// What the object needs; nothing else is linked.
  bool libc = false, libm = false, openMP = false;
};

/// Links the object file `object` to the shared library `output`, with the C
/// compiler of the target as found on PATH, else with ld.lld. Everything is
/// resolved when it is loaded. On failure the error is one line with the
/// linker's first words, or says what to install.
llvm::Error linkSharedLibrary(llvm::StringRef object, llvm::StringRef output,
                              const LinkOptions &options);

} // namespace headopt

#endif // HEADOPT_TARGET_NATIVE_SHAREDLIBRARY_H
