//===- Symbols.h - Whose functions an object calls --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_NATIVE_SYMBOLS_H
#define HEADOPT_LIB_TARGET_NATIVE_SYMBOLS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/Error.h"

namespace headopt {

/// Libraries that a head may need.
struct Requirements {
  /// memcpy and the like, and where thread-local memory is.
  bool libc = false;
  bool libm = false;
  bool openMP = false;
};

/// Adds what `object` defines for others to `names`.
llvm::Error addDefinitions(const llvm::object::ObjectFile &object,
                           llvm::StringSet<> &names);

/// The libraries that have what `object` leaves undefined and is not `provided`
/// otherwise. Fails for a symbol that is in none of them.
llvm::Expected<Requirements>
findRequirements(const llvm::object::ObjectFile &object,
                 const llvm::StringSet<> &provided);

/// Whether one of these libraries has a function called `name`.
bool isLibraryFunction(llvm::StringRef name);

} // namespace headopt

#endif // HEADOPT_LIB_TARGET_NATIVE_SYMBOLS_H
