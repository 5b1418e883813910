//===- Program.h - Running other programs -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_SUPPORT_PROGRAM_H
#define HEADOPT_SUPPORT_PROGRAM_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace headopt {

/// Runs `command`, the path of a program and its arguments, without input and
/// with nothing of its own on our output. When it fails, the error is one line:
/// the program, `task` ("link the head"), the first error that it printed, and
/// `advice`, if any.
llvm::Error runProgram(llvm::ArrayRef<std::string> command,
                       llvm::StringRef task, llvm::StringRef advice);

} // namespace headopt

#endif // HEADOPT_SUPPORT_PROGRAM_H
