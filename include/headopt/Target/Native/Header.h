//===- Header.h - The C header of a compiled head ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_NATIVE_HEADER_H
#define HEADOPT_TARGET_NATIVE_HEADER_H

#include "headopt/Target/Native/Compile.h"

namespace headopt {

/// Whether C and C++ take `name` for a function, and the libraries that a head
/// may need have none of that name.
bool isFunctionName(llvm::StringRef name);

/// A name for which isFunctionName holds, made from the stem of a file's name.
std::string makeFunctionName(llvm::StringRef stem);

/// The C header that declares `code`, in C99 and C++. Fails when the code has
/// no signature, or its name is none in C.
llvm::Expected<std::string> makeHeader(const NativeCode &code);

/// Fails when a header cannot declare a function called `name`.
llvm::Error checkHeaderName(llvm::StringRef name);
/// The same for `code`, which needs a signature, too.
llvm::Error checkHeader(const NativeCode &code);

/// What headers of heads for other devices say as well.
///
/// Lines of a comment about the arguments of a head.
std::string describeArguments(const HeadSignature &signature);
/// Its parameters in C.
std::string spellParameters(const HeadSignature &signature);
/// A header around `declarations` of the head `name`.
std::string makeHeaderFile(llvm::StringRef name, llvm::StringRef declarations);

} // namespace headopt

#endif // HEADOPT_TARGET_NATIVE_HEADER_H
