//===- ONNXAttributes.cpp - Questions about tensors and models ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace headopt;

bool onnx::isTensorAttribute(Attribute attr) {
  // Builtin attributes may hold vectors too, which ONNX does not have.
  if (isa_and_nonnull<DenseElementsAttr, DenseResourceElementsAttr>(attr)) {
    auto type = dyn_cast<RankedTensorType>(cast<TypedAttr>(attr).getType());
    return type && type.hasStaticShape();
  }
  return isa_and_nonnull<FileDataAttr, TensorAttr, ProtoAttr>(attr);
}

TypedAttr onnx::getElements(Attribute attr) {
  if (auto tensor = dyn_cast_or_null<TensorAttr>(attr))
    return tensor.getElements();
  if (isa_and_nonnull<DenseElementsAttr, DenseResourceElementsAttr,
                      FileDataAttr>(attr))
    return cast<TypedAttr>(attr);
  return nullptr;
}

static DictionaryAttr getModel(Operation *op) {
  for (; op; op = op->getParentOp())
    if (auto model = op->getAttrOfType<DictionaryAttr>(onnx::kModelAttr))
      return model;
  return nullptr;
}

int64_t onnx::getIRVersion(Operation *op) {
  if (DictionaryAttr model = getModel(op))
    if (auto version = model.getAs<IntegerAttr>("ir_version"))
      return version.getInt();
  return 0;
}

bool onnx::areInputsOfInitializersFixed(Operation *op) {
  int64_t version = getIRVersion(op);
  if (version != 0 && version < 4)
    return true;
  auto module = dyn_cast<ModuleOp>(op);
  if (!module)
    module = op->getParentOfType<ModuleOp>();
  return module && module->hasAttr(kConstantInitializersAttr);
}

std::optional<int64_t> onnx::getOpsetVersion(Operation *op, StringRef domain) {
  DictionaryAttr holder;
  // A model-local function has imports of its own; they hide the model's.
  for (Operation *parent = op; parent && !holder;
       parent = parent->getParentOp())
    holder = parent->getAttrOfType<DictionaryAttr>(kFunctionAttr);
  if (!holder)
    holder = getModel(op);
  if (!holder)
    return std::nullopt;
  auto imports = holder.getAs<ArrayAttr>("opset_imports");
  if (!imports)
    return std::nullopt;
  for (auto entry : imports.getAsRange<DictionaryAttr>()) {
    auto name = entry.getAs<StringAttr>("domain");
    StringRef spelled = name ? name.getValue() : "";
    if (spelled == "ai.onnx")
      spelled = "";
    if (spelled == domain)
      if (auto version = entry.getAs<IntegerAttr>("version"))
        return version.getInt();
  }
  return std::nullopt;
}

StringRef onnx::getValueName(Value value) {
  if (auto result = dyn_cast<OpResult>(value)) {
    Operation *op = result.getOwner();
    if (auto node = dyn_cast<NodeOpInterface>(op))
      return node.getOutputName(result.getResultNumber());
    if (auto init = dyn_cast<InitializerOp>(op))
      return init.getName();
    if (auto init = dyn_cast<SparseInitializerOp>(op))
      return init.getName();
    return "";
  }
  auto argument = cast<BlockArgument>(value);
  Operation *owner = argument.getOwner()->getParentOp();
  if (auto function = dyn_cast<FunctionOpInterface>(owner)) {
    if (auto name = function.getArgAttrOfType<StringAttr>(
            argument.getArgNumber(), kNameAttr))
      return name.getValue();
    return "";
  }
  if (auto node = dyn_cast<NodeOp>(owner)) {
    unsigned region = argument.getParentRegion()->getRegionNumber();
    if (!node.getGraphs() || region >= node.getGraphs()->size())
      return "";
    auto graph = dyn_cast<DictionaryAttr>((*node.getGraphs())[region]);
    auto inputs = graph ? graph.getAs<ArrayAttr>("inputs") : nullptr;
    if (!inputs || argument.getArgNumber() >= inputs.size())
      return "";
    auto input = dyn_cast<DictionaryAttr>(inputs[argument.getArgNumber()]);
    auto name = input ? input.getAs<StringAttr>("name") : nullptr;
    return name ? name.getValue() : "";
  }
  return "";
}
