//===- Nodes.h - NodeProto and the operations of a graph --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_ONNX_NODES_H
#define HEADOPT_LIB_TARGET_ONNX_NODES_H

#include "ONNXLibrary.h"
#include "mlir/IR/Operation.h"

namespace headopt::onnx {

/// A NodeProto with what a schema looks at: operator, number and presence of
/// inputs and outputs, names and kinds of attributes. Names of values are made
/// up and subgraphs are empty.
::onnx::NodeProto exportNodeForSchema(mlir::Operation *op);

} // namespace headopt::onnx

#endif // HEADOPT_LIB_TARGET_ONNX_NODES_H
