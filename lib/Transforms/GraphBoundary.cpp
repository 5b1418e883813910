//===- GraphBoundary.cpp - Values that become inputs or outputs -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphBoundary.h"

using namespace mlir;
using namespace headopt;

/// What the file says of `value`, a result or an argument of `graph` or one
/// that value_info names: "dim_params" and "info".
static std::pair<ArrayAttr, StringAttr> findInfo(Value value,
                                                 func::FuncOp graph) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    unsigned i = argument.getArgNumber();
    return {graph.getArgAttrOfType<ArrayAttr>(i, onnx::kDimParamsAttr),
            graph.getArgAttrOfType<StringAttr>(i, onnx::kInfoAttr)};
  }
  for (OpOperand &use : value.getUses())
    if (use.getOwner() == graph.getBody().front().getTerminator()) {
      unsigned i = use.getOperandNumber();
      return {graph.getResultAttrOfType<ArrayAttr>(i, onnx::kDimParamsAttr),
              graph.getResultAttrOfType<StringAttr>(i, onnx::kInfoAttr)};
    }
  auto fields = graph->getAttrOfType<DictionaryAttr>(onnx::kGraphAttr);
  auto infos = fields ? fields.getAs<ArrayAttr>("value_info") : nullptr;
  StringRef name = onnx::getValueName(value);
  if (!infos || name.empty())
    return {};
  for (auto info : infos.getAsRange<DictionaryAttr>())
    if (info.getAs<StringAttr>("name").getValue() == name)
      return {info.getAs<ArrayAttr>("dim_params"),
              info.getAs<StringAttr>("info")};
  return {};
}

/// The name that a graph input gives `extent`; empty when none does.
static StringRef findExtentName(const Extent &extent, func::FuncOp graph,
                                const ModelFacts &facts) {
  for (BlockArgument argument : graph.getArguments()) {
    auto names = graph.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                   onnx::kDimParamsAttr);
    const std::optional<ValueFacts::Shape> &shape = facts.get(argument).shape;
    if (!names || !shape || names.size() != shape->size())
      continue;
    for (auto [name, other] :
         llvm::zip_equal(names.getAsRange<StringAttr>(), *shape))
      if (other == extent && !name.empty())
        return name.getValue();
  }
  return "";
}

DictionaryAttr headopt::describeValue(Value value, RankedTensorType type,
                                      func::FuncOp graph,
                                      const ModelFacts &facts) {
  auto [given, info] = findInfo(value, graph);
  Builder b(value.getContext());
  SmallVector<NamedAttribute> attrs;
  if (StringRef name = onnx::getValueName(value); !name.empty())
    attrs.push_back(b.getNamedAttr(onnx::kNameAttr, b.getStringAttr(name)));
  SmallVector<StringRef> names;
  for (int64_t axis = 0; axis != type.getRank(); ++axis) {
    StringRef name;
    if (type.isDynamicDim(axis)) {
      if (given && static_cast<int64_t>(given.size()) == type.getRank())
        name = cast<StringAttr>(given[axis]).getValue();
      if (name.empty())
        name = findExtentName((*facts.get(value).shape)[axis], graph, facts);
    }
    names.push_back(name);
  }
  if (llvm::any_of(names, [](StringRef name) { return !name.empty(); }))
    attrs.push_back(
        b.getNamedAttr(onnx::kDimParamsAttr, b.getStrArrayAttr(names)));
  if (info)
    attrs.push_back(b.getNamedAttr(onnx::kInfoAttr, info));
  return b.getDictionaryAttr(attrs);
}
