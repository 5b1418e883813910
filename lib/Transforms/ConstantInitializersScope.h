//===- ConstantInitializersScope.h - The user's word on a module *- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TRANSFORMS_CONSTANTINITIALIZERSSCOPE_H
#define HEADOPT_LIB_TRANSFORMS_CONSTANTINITIALIZERSSCOPE_H

#include "headopt/Dialect/ONNX/IR/ONNX.h"

namespace headopt {

/// While it lives, analyses take initializers that are also graph inputs for
/// constants, if `set` or if they did before. They find the user's word on the
/// module; it is not the model's, so that it does not stay there.
class ConstantInitializersScope {
public:
  ConstantInitializersScope(mlir::ModuleOp module, bool set)
      : module(module),
        added(set && !module->hasAttr(onnx::kConstantInitializersAttr)) {
    if (added)
      module->setAttr(onnx::kConstantInitializersAttr,
                      mlir::UnitAttr::get(module.getContext()));
  }
  ConstantInitializersScope(const ConstantInitializersScope &) = delete;
  ConstantInitializersScope &
  operator=(const ConstantInitializersScope &) = delete;
  ~ConstantInitializersScope() {
    if (added)
      module->removeAttr(onnx::kConstantInitializersAttr);
  }

private:
  mlir::ModuleOp module;
  bool added;
};

} // namespace headopt

#endif // HEADOPT_LIB_TRANSFORMS_CONSTANTINITIALIZERSSCOPE_H
