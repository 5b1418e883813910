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

LogicalResult ONNXDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attr) {
  StringRef name = attr.getName();
  if (name == kModelAttr || name == kGraphAttr || name == kFunctionAttr) {
    auto dict = dyn_cast<DictionaryAttr>(attr.getValue());
    if (!dict)
      return op->emitOpError("attribute '") << name << "' must be a dictionary";
    if (name == kModelAttr && !isa<ModuleOp>(op))
      return op->emitOpError("attribute '") << name << "' belongs on a module";
    if (name != kModelAttr && isa<ModuleOp>(op))
      return op->emitOpError("attribute '")
             << name << "' belongs on a function";
    if (Attribute imports = dict.get("opset_imports")) {
      auto list = dyn_cast<ArrayAttr>(imports);
      if (!list || !llvm::all_of(list, llvm::IsaPred<DictionaryAttr>))
        return op->emitOpError("'opset_imports' of '")
               << name << "' must be an array of dictionaries";
    }
    return success();
  }
  if (name == kSourceDirAttr) {
    if (!isa<StringAttr>(attr.getValue()))
      return op->emitOpError("attribute '") << name << "' must be a string";
    return success();
  }
  return op->emitOpError("unknown attribute '") << name << "'";
}
