//===- Attributes.h - What one stage tells a later one ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of discardable attributes that Codegen puts on functions and globals,
// and Target/Native reads.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_SUPPORT_ATTRIBUTES_H
#define HEADOPT_SUPPORT_ATTRIBUTES_H

#include "llvm/ADT/StringRef.h"

namespace headopt {

/// On functions that stay visible beside the one that is compiled, such as
/// those that say what went wrong in it.
inline constexpr llvm::StringLiteral kExportedAttr = "headopt.exported";

/// On globals that all threads share. Others that can be written to are one for
/// each thread.
inline constexpr llvm::StringLiteral kSharedAttr = "headopt.shared";

} // namespace headopt

#endif // HEADOPT_SUPPORT_ATTRIBUTES_H
