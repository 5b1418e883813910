//===- ONNXInterfaces.cpp - What every ONNX node has ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace headopt::onnx;

#include "headopt/Dialect/ONNX/IR/ONNXInterfaces.cpp.inc"

bool headopt::onnx::detail::isNodeBookkeeping(StringRef name) {
  return llvm::StringSwitch<bool>(name)
      .Cases({"node_name", "domain", "outs", "attr_order", "rest"}, true)
      .Case("operandSegmentSizes", true)
      .Default(false);
}

Attribute headopt::onnx::detail::getTypedNodeAttribute(Operation *op,
                                                       StringRef name) {
  if (isNodeBookkeeping(name))
    return nullptr;
  return op->getInherentAttr(name).value_or(nullptr);
}

/// Sorts `attrs` into the order that `attr_order` gives, when there is one.
static void sortAsInFile(Operation *op,
                         SmallVectorImpl<NamedAttribute> &attrs) {
  auto order = op->getAttrOfType<ArrayAttr>("attr_order");
  if (!order) {
    llvm::sort(attrs, [](NamedAttribute a, NamedAttribute b) {
      return a.getName().getValue() < b.getName().getValue();
    });
    return;
  }
  auto rank = [&](NamedAttribute attr) {
    return llvm::find(order, Attribute(attr.getName())) - order.begin();
  };
  llvm::stable_sort(attrs, [&](NamedAttribute a, NamedAttribute b) {
    return rank(a) < rank(b);
  });
}

SmallVector<NamedAttribute>
headopt::onnx::detail::getTypedNodeAttributes(Operation *op) {
  SmallVector<NamedAttribute> attrs;
  for (StringAttr name : op->getRegisteredInfo()->getAttributeNames())
    if (Attribute value = getTypedNodeAttribute(op, name))
      attrs.emplace_back(name, value);
  sortAsInFile(op, attrs);
  return attrs;
}

SmallVector<NamedAttribute> NodeOp::getNodeAttributes() {
  SmallVector<NamedAttribute> attrs;
  if (getNodeAttrs())
    llvm::append_range(attrs, *getNodeAttrs());
  sortAsInFile(*this, attrs);
  return attrs;
}
