//===- Tensors.h - TensorProto as attributes --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_ONNX_TENSORS_H
#define HEADOPT_LIB_TARGET_ONNX_TENSORS_H

#include "ONNXLibrary.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include <string>
#include <vector>

namespace headopt::onnx {

/// Where the `external_data` entries of `tensor` point, as a path relative to
/// the model's folder `dir`. Throws std::runtime_error when the location is
/// empty, absolute, climbs out of the folder (with `..` or a link), or the file
/// is missing or too short.
struct ExternalRange {
  std::string path;
  uint64_t offset = 0;
  uint64_t length = 0;
};
ExternalRange getExternalRange(const ::onnx::TensorProto &tensor,
                               llvm::StringRef dir);

/// True when the bytes of `tensor` are ONNX external data (and not merely left
/// in the model file by wire::split()).
bool isExternal(const ::onnx::TensorProto &tensor);

/// The type of `tensor`. Throws std::runtime_error when its element type is
/// unknown or its extents are negative or too many to count.
mlir::RankedTensorType getTensorType(const ::onnx::TensorProto &tensor,
                                     mlir::MLIRContext *context);

/// `tensor` as a tensor attribute (see isTensorAttribute). External data is
/// looked for in `dir`. Throws std::runtime_error when the amount of data does
/// not fit the extents, or external data is not there.
mlir::Attribute importTensor(const ::onnx::TensorProto &tensor,
                             llvm::StringRef dir, mlir::MLIRContext *context);

/// The inverse of importTensor(), as part of a skeleton (see WireFormat.h):
/// bytes in files stay there, and those of large resources are added to
/// `memory` instead of the message when it is given. Throws std::runtime_error
/// for an element type that ONNX does not have, and for a resource or a stretch
/// of a file that is missing or of another size.
::onnx::TensorProto
exportTensor(mlir::Attribute attr,
             std::vector<llvm::StringRef> *memory = nullptr);

/// Moves the numbers in `raw_data`, which are as many as the extents need, to
/// the typed field for them.
void rawToTyped(::onnx::TensorProto &tensor);

} // namespace headopt::onnx

#endif // HEADOPT_LIB_TARGET_ONNX_TENSORS_H
