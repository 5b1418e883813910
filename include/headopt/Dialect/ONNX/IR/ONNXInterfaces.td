//===- ONNXInterfaces.td - What every ONNX node has -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_DIALECT_ONNX_IR_ONNXINTERFACES_TD
#define HEADOPT_DIALECT_ONNX_IR_ONNXINTERFACES_TD

include "mlir/IR/OpBase.td"

def ONNX_NodeOpInterface : OpInterface<"NodeOpInterface"> {
  let cppNamespace = "::headopt::onnx";
  let description = [{
    One NodeProto. Typed operations and the generic `onnx.node` differ only in
    where they keep the operator's name and its attributes; importer, exporter
    and analyses see them through this interface.

    Every node has the inherent attributes `node_name`, `domain`, `outs` (names
    of the results), `attr_order` (only when the file does not list the
    attributes by name) and `rest` (other fields, protobuf text). An absent
    attribute means that the field is absent in the file.
  }];
  let methods = [
    InterfaceMethod<"The operator's name, as in `NodeProto.op_type`.",
      "::llvm::StringRef", "getOperatorName">,
    InterfaceMethod<"The operator's attributes in the order of the file, "
                    "without subgraphs.",
      "::llvm::SmallVector<::mlir::NamedAttribute>", "getNodeAttributes">,
    InterfaceMethod<"The attribute `name` of the node, null when absent.",
      "::mlir::Attribute", "getNodeAttribute",
      (ins "::llvm::StringRef":$name)>,
  ];
  let extraSharedClassDeclaration = [{
    /// The operator's domain; "" is ONNX's own, however the file spells it.
    ::llvm::StringRef getOperatorDomain() {
      auto domain = $_op->template getAttrOfType<::mlir::StringAttr>("domain");
      if (!domain || domain.getValue() == "ai.onnx")
        return "";
      return domain.getValue();
    }
    /// The node's name; empty when it has none.
    ::llvm::StringRef getNodeName() {
      auto name = $_op->template getAttrOfType<::mlir::StringAttr>("node_name");
      return name ? name.getValue() : "";
    }
    /// The name of result `i`; empty when it has none.
    ::llvm::StringRef getOutputName(unsigned i) {
      auto names = $_op->template getAttrOfType<::mlir::ArrayAttr>("outs");
      if (!names || i >= names.size())
        return "";
      return ::llvm::cast<::mlir::StringAttr>(names[i]).getValue();
    }
    /// What messages and reports call the node: its name, else that of its
    /// first named result, else the operator.
    ::llvm::StringRef getDisplayName() {
      if (!getNodeName().empty())
        return getNodeName();
      for (unsigned i = 0, e = $_op->getNumResults(); i != e; ++i)
        if (!getOutputName(i).empty())
          return getOutputName(i);
      return $_op.getOperatorName();
    }
  }];
  let verify = [{
    return ::headopt::onnx::detail::verifyNode($_op);
  }];
  let verifyWithRegions = 0;
}

def ONNX_ReductionOpInterface : OpInterface<"ReductionOpInterface"> {
  let cppNamespace = "::headopt::onnx";
  let description = [{
    ReduceMean, ReduceSum and the like, which differ only in how they combine
    the elements that they reduce to one.
  }];
  let methods = [
    InterfaceMethod<"The reduced tensor.", "::mlir::Value", "getData">,
    InterfaceMethod<"The axes, when they are an attribute.",
      "::std::optional<::llvm::ArrayRef<int64_t>>", "getAxes">,
    InterfaceMethod<"The axes, when they are an input; may be null or none.",
      "::mlir::Value", "getAxesInput">,
    InterfaceMethod<"0 when reduced axes go, else they keep extent 1.",
      "::std::optional<uint64_t>", "getKeepdims">,
    InterfaceMethod<"Whether no axes mean that nothing is reduced.",
      "::std::optional<uint64_t>", "getNoopWithEmptyAxes">,
  ];
}

/// Each element of the first result depends on one element of each operand:
/// the one at the same place once all are broadcast as numpy does it.
def ONNX_PerElement : NativeOpTrait<"PerElement"> {
  let cppNamespace = "::headopt::onnx";
}

#endif // HEADOPT_DIALECT_ONNX_IR_ONNXINTERFACES_TD
