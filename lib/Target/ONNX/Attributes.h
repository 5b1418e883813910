//===- Attributes.h - AttributeProto as attributes --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_ONNX_ATTRIBUTES_H
#define HEADOPT_LIB_TARGET_ONNX_ATTRIBUTES_H

#include "ONNXLibrary.h"
#include "mlir/IR/BuiltinAttributes.h"
#include <vector>

namespace headopt::onnx {

/// The value of `proto`: f32, i64, string, tensor, or an array of one of the
/// first three; #onnx.proto for everything else. Graphs are not for this
/// function. `dir` is where external data is looked for. Throws
/// std::runtime_error for a broken tensor.
mlir::Attribute importAttribute(const ::onnx::AttributeProto &proto,
                                llvm::StringRef dir,
                                mlir::MLIRContext *context);

/// The inverse of importAttribute(); `memory` as for exportTensor(). Throws
/// std::runtime_error for an attribute without a counterpart.
::onnx::AttributeProto
exportAttribute(mlir::NamedAttribute attr,
                std::vector<llvm::StringRef> *memory = nullptr);

} // namespace headopt::onnx

#endif // HEADOPT_LIB_TARGET_ONNX_ATTRIBUTES_H
