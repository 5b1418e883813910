//===- Pooling.h - Which pooling nodes may be written -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What passes that write pooling nodes have in common.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TRANSFORMS_POOLING_H
#define HEADOPT_LIB_TRANSFORMS_POOLING_H

#include "headopt/Dialect/ONNX/IR/ONNX.h"

namespace headopt {

/// True when GlobalAveragePool may pool `axes` (ascending) of a map of this
/// rank and element type in a model of this opset, and runtimes have it.
bool isGlobalAveragePool(llvm::ArrayRef<int64_t> axes, int64_t rank,
                         mlir::Type element, std::optional<int64_t> opset);

} // namespace headopt

#endif // HEADOPT_LIB_TRANSFORMS_POOLING_H
