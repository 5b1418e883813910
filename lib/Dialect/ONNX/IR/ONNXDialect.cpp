//===- ONNXDialect.cpp - Registration of the onnx dialect -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace headopt::onnx;

#include "headopt/Dialect/ONNX/IR/ONNXDialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "headopt/Dialect/ONNX/IR/ONNXTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "headopt/Dialect/ONNX/IR/ONNXAttributes.cpp.inc"

void ONNXDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "headopt/Dialect/ONNX/IR/ONNXTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "headopt/Dialect/ONNX/IR/ONNXAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "headopt/Dialect/ONNX/IR/ONNXOps.cpp.inc"
      >();
}
