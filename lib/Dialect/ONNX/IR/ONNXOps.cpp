//===- ONNXOps.cpp - Operations of the onnx dialect -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Dialect/ONNX/IR/ONNX.h"

using namespace mlir;
using namespace headopt::onnx;

#define GET_OP_CLASSES
#include "headopt/Dialect/ONNX/IR/ONNXOps.cpp.inc"
