//===- HeadRewrite.h - What rewrites of heads share -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Heads are rewritten in the dialect that they are written in. The new weight
// and what is said of a head are the same in all.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TRANSFORMS_HEADREWRITE_H
#define HEADOPT_LIB_TRANSFORMS_HEADREWRITE_H

#include "headopt/Analysis/HeadAnalysis.h"

namespace headopt {

/// The elements of `weight`, whose bytes are moved out where they are many.
/// `name` is the name of a resource that holds them.
mlir::TypedAttr takeElements(PooledWeight &weight, llvm::StringRef name);

/// Says in a remark of `category` what became of `head`; `name` is what its
/// dense layer is called.
void emitRemark(const Head &head, llvm::StringRef category,
                llvm::StringRef name);

} // namespace headopt

#endif // HEADOPT_LIB_TRANSFORMS_HEADREWRITE_H
