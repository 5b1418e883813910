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

LogicalResult NodeOp::verify() {
  size_t described = getGraphs() ? getGraphs()->size() : 0;
  if (described != getBodies().size())
    return emitOpError("has ") << getBodies().size() << " regions but "
                               << described << " entries in 'graphs'";
  for (Region &body : getBodies())
    if (!isa<YieldOp>(body.front().back()))
      return emitOpError("a subgraph must end in onnx.yield");
  return success();
}
