//===- ModelText.h - Models in ONNX's text format ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ONNX's own printer leaves out what its text has no form for, without a word.
// What is printed here has been read back and compared.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_ONNX_MODELTEXT_H
#define HEADOPT_LIB_TARGET_ONNX_MODELTEXT_H

#include "ONNXLibrary.h"
#include "mlir/Support/LLVM.h"
#include <string>

namespace headopt::onnx {

/// The model that `text` says. Throws std::runtime_error with the place of the
/// first error.
::onnx::ModelProto parseModelText(llvm::StringRef text);

/// `model`, which has all its bytes in the message, as text. Throws
/// std::runtime_error that names the first thing that the text cannot say. Only
/// doc strings and metadata of parts of the model are left out, and `complete`
/// is then false.
std::string printModelText(::onnx::ModelProto model, bool &complete);

} // namespace headopt::onnx

#endif // HEADOPT_LIB_TARGET_ONNX_MODELTEXT_H
