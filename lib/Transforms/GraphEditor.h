//===- GraphEditor.h - Adding to and removing from ONNX graphs --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every rewrite of an ONNX graph has to keep right: names are unique, a
// constant is written where and how the model's version allows it, and what
// became dead goes, with all that is said of it elsewhere.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TRANSFORMS_GRAPHEDITOR_H
#define HEADOPT_LIB_TRANSFORMS_GRAPHEDITOR_H

#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

namespace headopt {

class GraphEditor {
public:
  explicit GraphEditor(mlir::ModuleOp module);

  /// A name that nothing in the model has, made from `hint`.
  mlir::StringAttr getUniqueName(const llvm::Twine &hint);

  /// A node before `anchor` with one result. The result, and the node when
  /// `anchor` has a name, are named after `anchor` and `suffix`.
  template <typename OpTy>
  mlir::Value createNode(onnx::NodeOpInterface anchor, llvm::StringRef suffix,
                         mlir::Type type, mlir::ValueRange operands,
                         llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
    mlir::OpBuilder b(anchor);
    return OpTy::create(b, anchor.getLoc(), mlir::TypeRange{type}, operands,
                        getNames(anchor, suffix, attributes))
        ->getResult(0);
  }

  /// A constant with the elements `value`, next to `source` (an initializer,
  /// Constant or ConstantOfShape): an initializer where `source` is one or has
  /// one as its shape, else a Constant node.
  mlir::Value createConstantLike(mlir::Operation *source, mlir::TypedAttr value,
                                 const llvm::Twine &hint);

  /// A constant just before `anchor`: an initializer where its graph may have
  /// one, else a Constant node.
  mlir::Value createConstant(mlir::Operation *anchor, mlir::TypedAttr value,
                             const llvm::Twine &hint);

  /// Erases the operation that defines `value` if nothing uses it any more, and
  /// then what only it used. Graph inputs stay, except those that merely list
  /// an initializer (as IR versions before 4 demand).
  void eraseIfDead(mlir::Value value);

  /// Removes what the graph that `graph` is the body of says of the value
  /// `name` in its value_info.
  void forgetValueInfo(mlir::Block *graph, llvm::StringRef name);

private:
  llvm::SmallVector<mlir::NamedAttribute>
  getNames(onnx::NodeOpInterface anchor, llvm::StringRef suffix,
           llvm::ArrayRef<mlir::NamedAttribute> attributes);
  mlir::Value createInitializer(mlir::OpBuilder &b, mlir::Location loc,
                                mlir::TypedAttr value, mlir::StringAttr name);
  mlir::Value createConstantNode(mlir::OpBuilder &b, mlir::Location loc,
                                 mlir::TypedAttr value, mlir::StringAttr name);

  mlir::MLIRContext *context;
  llvm::StringSet<> names;
};

} // namespace headopt

#endif // HEADOPT_LIB_TRANSFORMS_GRAPHEDITOR_H
