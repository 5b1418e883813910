//===- Schema.cpp - Nodes against the schemas of the ONNX library ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "onnx/defs/schema.h"
#include "Nodes.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "headopt/Target/ONNX/Import.h"
#include <exception>

using namespace mlir;
using namespace headopt;

/// True when the model has a function of its own for the operator.
static bool isModelLocal(Operation *op, StringRef domain, StringRef name) {
  Operation *module = op;
  while (module && !isa<ModuleOp>(module))
    module = module->getParentOp();
  if (!module)
    return false;
  for (Operation &function : cast<ModuleOp>(module).getOps()) {
    auto info =
        function.getAttrOfType<DictionaryAttr>(headopt::onnx::kFunctionAttr);
    if (!info)
      continue;
    auto is = [&](StringRef key, StringRef value) {
      auto attr = info.getAs<StringAttr>(key);
      return (attr ? attr.getValue() : "") == value;
    };
    if (is("domain", domain) && is("name", name))
      return true;
  }
  return false;
}

namespace {
class ONNXSchemas : public headopt::onnx::SchemaInterface {
public:
  using SchemaInterface::SchemaInterface;

  LogicalResult verifyNode(Operation *op) const override {
    auto node = cast<headopt::onnx::NodeOpInterface>(op);
    StringRef domain = node.getOperatorDomain();
    std::optional<int64_t> version = headopt::onnx::getOpsetVersion(op, domain);
    // Attributes had no type before IR version 2.
    if (!version || headopt::onnx::getIRVersion(op) < 2)
      return success();
    const auto &known =
        ::onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
    auto range = known.find(domain.str());
    if (range == known.end() || *version > range->second.second)
      return success();
    const ::onnx::OpSchema *schema = ::onnx::OpSchemaRegistry::Schema(
        node.getOperatorName().str(), static_cast<int>(*version), domain.str());
    auto report = [&](const Twine &message) {
      return op->emitError() << "node '" << node.getDisplayName() << "' ("
                             << node.getOperatorName() << "): " << message;
    };
    if (!schema || schema->Deprecated()) {
      if (isModelLocal(op, domain, node.getOperatorName()))
        return success();
      return report("opset " + Twine(*version) + " of domain '" + domain +
                    "' has no such operator; raise the opset or name the "
                    "domain that defines it");
    }
    try {
      schema->Verify(headopt::onnx::exportNodeForSchema(op));
    } catch (const std::exception &e) {
      // The library's message has a line for each step; the first says it.
      StringRef message = StringRef(e.what()).split('\n').first;
      return report(message);
    }
    // Schemas say this only in words: Flatten counts from the end since
    // opset 11.
    if (domain.empty() && node.getOperatorName() == "Flatten" && *version < 11)
      if (auto axis =
              dyn_cast_or_null<IntegerAttr>(node.getNodeAttribute("axis"));
          axis && axis.getInt() < 0)
        return report("the axis " + Twine(axis.getInt()) +
                      " is negative, which opset " + Twine(*version) +
                      " does not allow; count from the front");
    return success();
  }
};
} // namespace

void headopt::registerONNXSchemas(DialectRegistry &registry) {
  registry.addExtension(
      +[](MLIRContext *, headopt::onnx::ONNXDialect *dialect) {
        dialect->addInterfaces<ONNXSchemas>();
      });
}
