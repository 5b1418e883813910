//===- Export.h - The onnx dialect into ONNX files --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_ONNX_EXPORT_H
#define HEADOPT_TARGET_ONNX_EXPORT_H

#include "headopt/Support/OutputFile.h"
#include "headopt/Target/ONNX/Import.h"

namespace headopt {

/// Writes `module` as an ONNX model to `path` ("-": standard output). The file
/// appears whole or not at all; it may be the one that the module came from.
/// Data of tensors that the module only refers to is copied from its file.
/// External data stays where it is when `path` is in the folder of the model it
/// came from, and is copied to `<path>.data` otherwise, as is everything large
/// when the model would exceed the 2 GiB that a message may have. Text that
/// would not say all of the model is not written; doc strings and metadata are
/// left out of it with a warning. On failure one error is emitted at the
/// module.
llvm::LogicalResult exportONNX(mlir::ModuleOp module, llvm::StringRef path,
                               ONNXFormat format);

/// The same, but adds what is written to `files`, whose commit() then gives it
/// its name.
llvm::LogicalResult exportONNX(mlir::ModuleOp module, llvm::StringRef path,
                               ONNXFormat format, OutputFiles &files);

/// Gives `module` as the bytes of an ONNX model, as exportONNX() would write
/// them into the folder that external data is in, which stays where it is. A
/// model that needs a data file is an error.
llvm::LogicalResult exportONNXToMemory(mlir::ModuleOp module,
                                       std::string &bytes, ONNXFormat format);

} // namespace headopt

#endif // HEADOPT_TARGET_ONNX_EXPORT_H
