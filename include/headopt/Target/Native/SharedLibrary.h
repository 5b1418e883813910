//===- SharedLibrary.h - Linking a compiled head ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_NATIVE_SHAREDLIBRARY_H
#define HEADOPT_TARGET_NATIVE_SHAREDLIBRARY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/TargetParser/Triple.h"
#include <string>
#include <vector>

namespace headopt {

struct LinkOptions {
  llvm::Triple triple;
  std::string soname;
  /// What the object needs; nothing else is linked.
  bool libc = false, libm = false, openMP = false;
  /// Object files that become part of the library as well.
  std::vector<std::string> objects;
};

/// Links the object file `object` to the shared library `output`, with the C
/// compiler of the target as found on PATH, else with ld.lld. Everything is
/// resolved when it is loaded. On failure the error is one line with the
/// linker's first words, or says what to install.
llvm::Error linkSharedLibrary(llvm::StringRef object, llvm::StringRef output,
                              const LinkOptions &options);

/// Makes one object file `output` of `objects`, with the same linker. What is
/// hidden in them cannot be referred to from outside afterwards, as in a shared
/// library: a program may have many such objects, with other versions of what
/// was joined to them. Errors are as for linkSharedLibrary.
llvm::Error joinObjects(llvm::ArrayRef<std::string> objects,
                        llvm::StringRef output, const llvm::Triple &triple);

} // namespace headopt

#endif // HEADOPT_TARGET_NATIVE_SHAREDLIBRARY_H
