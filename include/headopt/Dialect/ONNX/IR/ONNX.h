//===- ONNX.h - The onnx dialect --------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dialect, types, attributes and operations that hold an ONNX model, and the
// few questions about a model that need more than one operation to answer.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_DIALECT_ONNX_IR_ONNX_H
#define HEADOPT_DIALECT_ONNX_IR_ONNX_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectInterface.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "headopt/Dialect/ONNX/IR/ONNXDialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "headopt/Dialect/ONNX/IR/ONNXTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "headopt/Dialect/ONNX/IR/ONNXAttributes.h.inc"

namespace headopt::onnx {

//===----------------------------------------------------------------------===//
// Names of attributes on builtin and func operations
//===----------------------------------------------------------------------===//

inline constexpr llvm::StringLiteral kModelAttr = "onnx.model";
inline constexpr llvm::StringLiteral kSourceDirAttr = "onnx.source_dir";
/// On a module: the user's word that no caller overrides an initializer.
inline constexpr llvm::StringLiteral kConstantInitializersAttr =
    "onnx.constant_initializers";
inline constexpr llvm::StringLiteral kGraphAttr = "onnx.graph";
inline constexpr llvm::StringLiteral kFunctionAttr = "onnx.function";
inline constexpr llvm::StringLiteral kNameAttr = "onnx.name";
inline constexpr llvm::StringLiteral kDimParamsAttr = "onnx.dim_params";
inline constexpr llvm::StringLiteral kInfoAttr = "onnx.info";

//===----------------------------------------------------------------------===//
// Tensor attributes
//===----------------------------------------------------------------------===//

/// True for the attributes that may hold a tensor: `dense` (numbers or
/// strings), `dense_resource`, #onnx.file_data, #onnx.tensor and #onnx.proto.
bool isTensorAttribute(mlir::Attribute attr);

/// The elements of a tensor attribute: a `dense`, `dense_resource` or
/// #onnx.file_data attribute. Null for an #onnx.proto and for null.
mlir::TypedAttr getElements(mlir::Attribute attr);

//===----------------------------------------------------------------------===//
// Questions about the model around an operation
//===----------------------------------------------------------------------===//

/// `value`, or null when it is null or stands for an input that is left out.
inline mlir::Value presentOrNull(mlir::Value value) {
  return value && !mlir::isa<mlir::NoneType>(value.getType()) ? value
                                                              : mlir::Value();
}

/// The IR version of the model that `op` is in; 0 when the module has no
/// `onnx.model`.
int64_t getIRVersion(mlir::Operation *op);

/// True when initializers of the model around `op` are constants although they
/// are listed as graph inputs: before IR version 4, which demanded that, and
/// where the module has `onnx.constant_initializers`.
bool areInputsOfInitializersFixed(mlir::Operation *op);

/// The version of `domain` ("" is ONNX's own) that the model or model-local
/// function around `op` imports; nullopt when it imports none.
std::optional<int64_t> getOpsetVersion(mlir::Operation *op,
                                       llvm::StringRef domain = "");

/// The name of `value`: of a graph input, an initializer, or a node's output.
/// Empty when it has none.
llvm::StringRef getValueName(mlir::Value value);

//===----------------------------------------------------------------------===//
// Schema checks
//===----------------------------------------------------------------------===//

/// What the dialect asks about operator schemas. Target/ONNX answers it from
/// the ONNX library; without it nodes are not checked against schemas.
class SchemaInterface : public mlir::DialectInterface::Base<SchemaInterface> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SchemaInterface)

  explicit SchemaInterface(mlir::Dialect *dialect) : Base(dialect) {}

  /// Checks number of inputs and outputs and the attributes of `node` (which
  /// has NodeOpInterface) against the schema of the opset that its model
  /// imports. Nodes without a known schema pass.
  virtual llvm::LogicalResult verifyNode(mlir::Operation *node) const = 0;
};

namespace detail {
llvm::LogicalResult verifyNode(mlir::Operation *op);
llvm::SmallVector<mlir::NamedAttribute>
getTypedNodeAttributes(mlir::Operation *op);
mlir::Attribute getTypedNodeAttribute(mlir::Operation *op,
                                      llvm::StringRef name);
/// True for the attributes that every node has (`node_name`, `outs`, ...).
bool isNodeBookkeeping(llvm::StringRef name);
} // namespace detail

} // namespace headopt::onnx

#include "headopt/Dialect/ONNX/IR/ONNXInterfaces.h.inc"

namespace headopt::onnx {
/// See ONNX_PerElement in ONNXInterfaces.td.
template <typename ConcreteType>
class PerElement : public mlir::OpTrait::TraitBase<ConcreteType, PerElement> {};
} // namespace headopt::onnx

#define GET_OP_CLASSES
#include "headopt/Dialect/ONNX/IR/ONNXOps.h.inc"

#endif // HEADOPT_DIALECT_ONNX_IR_ONNX_H
