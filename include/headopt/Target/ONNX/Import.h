//===- Import.h - ONNX files into the onnx dialect --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_ONNX_IMPORT_H
#define HEADOPT_TARGET_ONNX_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/MemoryBufferRef.h"

namespace headopt {

/// How the bytes of a model are written.
enum class ONNXFormat {
  /// A serialized ModelProto (.onnx).
  Binary,
  /// ONNX's text format (.onnxtxt).
  Text,
};

/// Imports the ONNX model `buffer` as a module with one `func.func` for the
/// main graph and one for each model-local function. The buffer's identifier is
/// the model's path: external data is looked for beside it, and when it names a
/// file with these bytes, large tensors stay there (`inFile`). Nodes that are
/// out of order are sorted. Values get the types that ONNX shape inference
/// gives them. On failure one error is emitted at the path, and null returned.
mlir::OwningOpRef<mlir::ModuleOp> importONNX(llvm::MemoryBufferRef buffer,
                                             ONNXFormat format, bool inFile,
                                             mlir::MLIRContext *context);

/// Makes the onnx dialect check nodes against the schemas of the ONNX library
/// in every context made from `registry`.
void registerONNXSchemas(mlir::DialectRegistry &registry);

} // namespace headopt

#endif // HEADOPT_TARGET_ONNX_IMPORT_H
