//===- ProtoText.h - Messages as text in attributes -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a message says beyond what the IR models is kept as protobuf text.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_ONNX_PROTOTEXT_H
#define HEADOPT_LIB_TARGET_ONNX_PROTOTEXT_H

#include "ONNXLibrary.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <google/protobuf/message.h>

namespace headopt::onnx {

/// The text of `message`: one line of protobuf's text format, or where that
/// would lose something (unknown fields, payloads of NaNs) "base64:" and the
/// serialized bytes.
std::string toText(const google::protobuf::Message &message);

/// Adds what `text`, made by toText(), says to `message`. Throws
/// std::runtime_error when the text does not parse.
void mergeText(llvm::StringRef text, google::protobuf::Message &message);

/// The text of `message` as an attribute; null when the message is empty.
mlir::StringAttr getRest(const google::protobuf::Message &message,
                         mlir::MLIRContext *context);

/// Adds what `rest`, made by getRest(), says to `message`. Throws
/// std::runtime_error when it says a field that the IR models: whatever that
/// says would be added to it.
void mergeRest(mlir::StringAttr rest, google::protobuf::Message &message);

/// True when the two messages have the same fields and values.
bool equal(const google::protobuf::Message &a,
           const google::protobuf::Message &b);

/// Calls `visit` for every tensor inside `message`, however deep.
void forEachTensor(google::protobuf::Message &message,
                   llvm::function_ref<void(::onnx::TensorProto &)> visit);

} // namespace headopt::onnx

#endif // HEADOPT_LIB_TARGET_ONNX_PROTOTEXT_H
