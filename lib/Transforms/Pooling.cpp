//===- Pooling.cpp - Which pooling nodes may be written -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pooling.h"

using namespace mlir;
using namespace headopt;

bool headopt::isGlobalAveragePool(ArrayRef<int64_t> axes, int64_t rank,
                                  Type element, std::optional<int64_t> opset) {
  // Runtimes have kernels for up to three spatial axes.
  if (rank < 3 || rank > 5 || static_cast<int64_t>(axes.size()) != rank - 2 ||
      axes.front() != 2)
    return false;
  // It takes bfloat16 from opset 22 on; runtimes have no kernel for double.
  return element.isF32() || element.isF16() ||
         (element.isBF16() && (!opset || *opset >= 22));
}
