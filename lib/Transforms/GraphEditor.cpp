//===- GraphEditor.cpp - Adding to and removing from ONNX graphs ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphEditor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace headopt;

GraphEditor::GraphEditor(ModuleOp module) : context(module.getContext()) {
  module.walk([&](Operation *op) {
    if (auto node = dyn_cast<onnx::NodeOpInterface>(op))
      names.insert(node.getNodeName());
    for (Value result : op->getResults())
      names.insert(onnx::getValueName(result));
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Value argument : block.getArguments())
          names.insert(onnx::getValueName(argument));
  });
  // A function may use value_info, and graphs annotations, for names that no
  // value has; a new value must not pick one of them up.
  auto insertInfos = [&](DictionaryAttr graph) {
    auto infos = graph ? graph.getAs<ArrayAttr>("value_info") : nullptr;
    if (!infos)
      return;
    for (auto info : infos.getAsRange<DictionaryAttr>())
      if (auto name = info.getAs<StringAttr>("name"))
        names.insert(name.getValue());
  };
  module.walk([&](Operation *op) {
    insertInfos(op->getAttrOfType<DictionaryAttr>(onnx::kGraphAttr));
    insertInfos(op->getAttrOfType<DictionaryAttr>(onnx::kFunctionAttr));
    if (auto node = dyn_cast<onnx::NodeOp>(op); node && node.getGraphs())
      for (auto graph : node.getGraphs()->getAsRange<DictionaryAttr>())
        insertInfos(graph);
  });
}

StringAttr GraphEditor::getUniqueName(const Twine &hint) {
  std::string base = hint.str();
  std::string name = base;
  for (unsigned i = 1; !names.insert(name).second; ++i)
    name = base + "_" + std::to_string(i);
  return StringAttr::get(context, name);
}

SmallVector<NamedAttribute>
GraphEditor::getNames(onnx::NodeOpInterface anchor, StringRef suffix,
                      ArrayRef<NamedAttribute> attributes) {
  Builder b(anchor->getContext());
  SmallVector<NamedAttribute> result(attributes);
  StringRef base = anchor.getDisplayName();
  if (!anchor.getNodeName().empty())
    result.push_back(
        b.getNamedAttr("node_name", getUniqueName(base + "/" + suffix)));
  result.push_back(b.getNamedAttr(
      "outs",
      b.getArrayAttr(Attribute(getUniqueName(base + "/" + suffix + "_out")))));
  return result;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// True when the graph that `block` is the body of may be given another
/// initializer: functions have none, and before IR version 4 each needs an
/// input, which subgraphs cannot be given.
static bool mayHaveInitializers(Block *block) {
  Operation *owner = block->getParentOp();
  if (owner->hasAttr(onnx::kFunctionAttr))
    return false;
  return isa<func::FuncOp>(owner) || onnx::getIRVersion(owner) >= 4;
}

Value GraphEditor::createInitializer(OpBuilder &b, Location loc,
                                     TypedAttr value, StringAttr name) {
  auto function = dyn_cast<func::FuncOp>(b.getInsertionBlock()->getParentOp());
  int64_t version = onnx::getIRVersion(b.getInsertionBlock()->getParentOp());
  Value input;
  if (function && version != 0 && version < 4) {
    unsigned index = function.getNumArguments();
    DictionaryAttr attrs =
        b.getDictionaryAttr(b.getNamedAttr(onnx::kNameAttr, name));
    if (succeeded(function.insertArgument(index, value.getType(), attrs, loc)))
      input = function.getArgument(index);
  }
  return onnx::InitializerOp::create(b, loc, value.getType(), name, value,
                                     input);
}

Value GraphEditor::createConstantNode(OpBuilder &b, Location loc,
                                      TypedAttr value, StringAttr name) {
  return onnx::ConstantOp::create(
      b, loc, TypeRange{value.getType()}, ValueRange{},
      ArrayRef{b.getNamedAttr("value", value),
               b.getNamedAttr("outs", b.getArrayAttr(Attribute(name)))});
}

Value GraphEditor::createConstant(Operation *anchor, TypedAttr value,
                                  const Twine &hint) {
  OpBuilder b(anchor);
  StringAttr name = getUniqueName(hint);
  if (mayHaveInitializers(anchor->getBlock()))
    return createInitializer(b, anchor->getLoc(), value, name);
  return createConstantNode(b, anchor->getLoc(), value, name);
}

Value GraphEditor::createConstantLike(Operation *source, TypedAttr value,
                                      const Twine &hint) {
  OpBuilder b(source->getContext());
  b.setInsertionPointAfter(source);
  Operation *kind = source;
  if (isa<onnx::ConstantOfShapeOp>(source))
    kind = source->getOperand(0).getDefiningOp();
  if (isa<onnx::InitializerOp>(kind) &&
      mayHaveInitializers(source->getBlock())) {
    if (kind != source)
      b.setInsertionPoint(source);
    return createInitializer(b, source->getLoc(), value, getUniqueName(hint));
  }
  if (kind != source)
    b.setInsertionPoint(source);
  return createConstantNode(b, source->getLoc(), value, getUniqueName(hint));
}

//===----------------------------------------------------------------------===//
// Removal
//===----------------------------------------------------------------------===//

/// `graph` without the value_info entry for `name`.
static DictionaryAttr withoutValueInfo(DictionaryAttr graph, StringRef name) {
  auto infos = graph.getAs<ArrayAttr>("value_info");
  if (!infos)
    return graph;
  SmallVector<Attribute> kept;
  for (auto info : infos.getAsRange<DictionaryAttr>())
    if (auto entry = info.getAs<StringAttr>("name");
        !entry || entry.getValue() != name)
      kept.push_back(info);
  if (kept.size() == infos.size())
    return graph;
  NamedAttrList fields(graph);
  if (kept.empty())
    fields.erase("value_info");
  else
    fields.set("value_info", ArrayAttr::get(graph.getContext(), kept));
  return fields.getDictionary(graph.getContext());
}

void GraphEditor::forgetValueInfo(Block *graph, StringRef name) {
  if (name.empty())
    return;
  Operation *owner = graph->getParentOp();
  for (StringRef key : {onnx::kGraphAttr, onnx::kFunctionAttr})
    if (auto fields = owner->getAttrOfType<DictionaryAttr>(key))
      owner->setAttr(key, withoutValueInfo(fields, name));
  if (auto node = dyn_cast<onnx::NodeOp>(owner); node && node.getGraphs()) {
    SmallVector<Attribute> graphs(node.getGraphs()->getValue());
    Attribute &fields = graphs[graph->getParent()->getRegionNumber()];
    fields = withoutValueInfo(cast<DictionaryAttr>(fields), name);
    node.setGraphsAttr(ArrayAttr::get(node.getContext(), graphs));
  }
}

void GraphEditor::eraseIfDead(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op) {
    auto argument = cast<BlockArgument>(value);
    auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    if (function && argument.use_empty() &&
        onnx::areInputsOfInitializersFixed(function))
      (void)function.eraseArgument(argument.getArgNumber());
    return;
  }
  if (!op->use_empty() || op->getNumRegions())
    return;
  bool ownsInput = isa<onnx::InitializerOp>(op);
  for (Value result : op->getResults())
    forgetValueInfo(op->getBlock(), onnx::getValueName(result));
  llvm::SetVector<Value> operands(op->operand_begin(), op->operand_end());
  op->erase();
  for (Value operand : operands)
    if (operand.getDefiningOp() || ownsInput)
      eraseIfDead(operand);
}
