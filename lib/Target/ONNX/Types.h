//===- Types.h - TypeProto and ValueInfoProto as MLIR types -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_ONNX_TYPES_H
#define HEADOPT_LIB_TARGET_ONNX_TYPES_H

#include "ONNXLibrary.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Types.h"

namespace headopt::onnx {

/// The MLIR type of elements of the type number `dataType`
/// (TensorProto.DataType); null when the number is unknown.
mlir::Type getElementType(int32_t dataType, mlir::MLIRContext *context);

/// The type number of an element type; UNDEFINED when ONNX has none.
int32_t getDataType(mlir::Type elementType);

/// The type of a value. What MLIR types cannot say (dim_params, denotations,
/// maps, ...) is not in it: !onnx.unknown stands for what has no counterpart.
mlir::Type importType(const ::onnx::TypeProto &type,
                      mlir::MLIRContext *context);

/// A graph input, output or value_info entry: its name, and as much of the rest
/// as `type` does not say, in the keys "dim_params" (array of strings, one for
/// each axis, "" for none) or "info" (protobuf text).
mlir::DictionaryAttr importValueInfo(const ::onnx::ValueInfoProto &info,
                                     mlir::Type type);

/// The ValueInfoProto for a value called `name` of type `type`; `dimParams` and
/// `info` as importValueInfo() made them, each may be null. Throws
/// std::runtime_error when ONNX does not have the type, or its axes are not as
/// many as `dimParams`.
::onnx::ValueInfoProto exportValueInfo(llvm::StringRef name, mlir::Type type,
                                       mlir::ArrayAttr dimParams,
                                       mlir::StringAttr info);

} // namespace headopt::onnx

#endif // HEADOPT_LIB_TARGET_ONNX_TYPES_H
