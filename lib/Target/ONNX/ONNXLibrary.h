//===- ONNXLibrary.h - The ONNX library under its usual name ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// utils/setup.sh builds the ONNX library in a namespace of our own. Protobuf
// knows messages by their names, once for a process, and would end one in which
// some other library has brought onnx.ModelProto.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_ONNX_ONNXLIBRARY_H
#define HEADOPT_LIB_TARGET_ONNX_ONNXLIBRARY_H

#include "onnx/onnx_pb.h"

namespace onnx = ONNX_NAMESPACE;

#endif // HEADOPT_LIB_TARGET_ONNX_ONNXLIBRARY_H
