//===- Import.cpp - ONNX files into the onnx dialect ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bytes -> skeleton (WireFormat) -> ModelProto -> shape inference -> IR. Errors
// inside are exceptions, as those of protobuf and the ONNX library are; the
// public function turns them into one diagnostic.
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/ONNX/Import.h"
#include "Attributes.h"
#include "ModelText.h"
#include "ProtoText.h"
#include "Tensors.h"
#include "Types.h"
#include "WireFormat.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/Verifier.h"
#include "onnx/shape_inference/implementation.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <queue>
#include <stdexcept>

using namespace mlir;
using namespace headopt;
using namespace headopt::onnx;
using ::onnx::AttributeProto;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::TypeProto;
using ::onnx::ValueInfoProto;

[[noreturn]] static void fail(const Twine &message) {
  throw std::runtime_error(message.str());
}

/// What messages call a node.
static std::string describe(const NodeProto &node) {
  std::string name = node.name();
  for (int i = 0; name.empty() && i < node.output_size(); ++i)
    name = node.output(i);
  return "node '" + name + "' (" + node.op_type() + ")";
}

[[noreturn]] static void failTwice(const Twine &what, StringRef name) {
  fail(what + " defines '" + name +
       "', which is defined already; names must be unique, rename one");
}

//===----------------------------------------------------------------------===//
// Order of nodes
//===----------------------------------------------------------------------===//

using NodeList = google::protobuf::RepeatedPtrField<NodeProto>;

template <typename Fn>
static void forEachGraph(const NodeProto &node, Fn visit) {
  for (const AttributeProto &attr : node.attribute()) {
    if (attr.type() == AttributeProto::GRAPH && attr.has_g())
      visit(attr.g());
    for (const GraphProto &graph : attr.graphs())
      visit(graph);
  }
}

/// Calls `visit` for the names that `node` reads, subgraphs included. Names
/// that subgraphs define themselves are among them; no outer value shares them.
template <typename Fn>
static void forEachRead(const NodeProto &node, Fn visit) {
  for (const std::string &name : node.input())
    visit(name);
  forEachGraph(node, [&](const GraphProto &graph) {
    for (const NodeProto &inner : graph.node())
      forEachRead(inner, visit);
    for (const ValueInfoProto &output : graph.output())
      visit(output.name());
  });
}

/// The order in which to take `nodes` so that each comes after those it reads
/// from: the file's own where it can be kept, else the topological order that
/// takes the earliest ready node first. `isDefined` tells of names that are
/// taken already.
static std::vector<int>
getOrder(const NodeList &nodes, llvm::function_ref<bool(StringRef)> isDefined) {
  llvm::StringMap<int> producer;
  for (int i = 0; i < nodes.size(); ++i)
    for (const std::string &name : nodes[i].output())
      if (!name.empty() &&
          (isDefined(name) || !producer.try_emplace(name, i).second))
        failTwice(describe(nodes[i]), name);

  std::vector<int> order(nodes.size());
  std::vector<int> waits(nodes.size(), 0);
  std::vector<SmallVector<int, 2>> readers(nodes.size());
  bool sorted = true;
  for (int i = 0; i < nodes.size(); ++i) {
    order[i] = i;
    llvm::SmallDenseSet<int> sources;
    forEachRead(nodes[i], [&](const std::string &name) {
      auto it = producer.find(name);
      if (it == producer.end() || !sources.insert(it->second).second)
        return;
      sorted &= it->second < i;
      readers[it->second].push_back(i);
      ++waits[i];
    });
  }
  if (sorted)
    return order;

  std::priority_queue<int, std::vector<int>, std::greater<int>> ready;
  for (int i = 0; i < nodes.size(); ++i)
    if (!waits[i])
      ready.push(i);
  order.clear();
  while (!ready.empty()) {
    int i = ready.top();
    ready.pop();
    order.push_back(i);
    for (int reader : readers[i])
      if (--waits[reader] == 0)
        ready.push(reader);
  }
  for (int i = 0; i < nodes.size(); ++i)
    if (waits[i])
      fail(describe(nodes[i]) +
           " is part of a cycle; a graph must not feed back into itself");
  return order;
}

//===----------------------------------------------------------------------===//
// Importer
//===----------------------------------------------------------------------===//

namespace {

/// Names of one graph; those of graphs around it are visible through `parent`.
struct Scope {
  const Scope *parent = nullptr;
  llvm::StringMap<Value> values;
  /// What shape inference says of the values defined here.
  llvm::StringMap<const TypeProto *> types;
  /// Stands for inputs that are left out; made on first use.
  Value none;

  Value lookup(StringRef name) const {
    for (const Scope *scope = this; scope; scope = scope->parent) {
      auto it = scope->values.find(name);
      if (it != scope->values.end())
        return it->second;
    }
    return nullptr;
  }
};

class Importer {
public:
  Importer(MLIRContext *context, Location loc, StringRef dir)
      : b(context), loc(loc), dir(dir) {}

  OwningOpRef<ModuleOp> importModel(const ModelProto &model);

private:
  void importMainGraph(const GraphProto &graph, const GraphProto &inferred);
  void importFunction(const FunctionProto &function, SymbolTable &symbols);
  DictionaryAttr importSubgraph(const GraphProto &graph,
                                const GraphProto *inferred,
                                const AttributeProto &attr, Region &region,
                                const Scope &outer);
  void importInitializers(const GraphProto &graph, Scope &scope);
  void importNodes(const NodeList &nodes, const NodeList *inferred,
                   Scope &scope);
  void importNode(const NodeProto &node, const NodeProto *inferred,
                  Scope &scope);
  bool importTypedNode(const NodeProto &node, OperationState &state);
  void define(Scope &scope, StringRef name, Value value, const Twine &what);
  Value read(Scope &scope, const std::string &name, const Twine &reader);
  Type getType(const Scope &scope, StringRef name);
  ArrayAttr importValueInfos(
      const google::protobuf::RepeatedPtrField<ValueInfoProto> &infos);
  ArrayAttr importOpsets(
      const google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto>
          &imports);
  ArrayAttr
  strings(const google::protobuf::RepeatedPtrField<std::string> &list);
  void collectTypes(const GraphProto *graph, Scope &scope);

  void setRest(SmallVectorImpl<NamedAttribute> &fields,
               const google::protobuf::Message &rest) {
    if (StringAttr text = getRest(rest, b.getContext()))
      fields.push_back(b.getNamedAttr("rest", text));
  }
  /// The same for a graph, without what becomes operations, values and
  /// attributes of their own.
  void setRestOfGraph(SmallVectorImpl<NamedAttribute> &fields,
                      const GraphProto &graph) {
    GraphProto rest = graph;
    rest.clear_node();
    rest.clear_name();
    rest.clear_initializer();
    rest.clear_sparse_initializer();
    rest.clear_input();
    rest.clear_output();
    rest.clear_value_info();
    setRest(fields, rest);
  }

  OpBuilder b;
  Location loc;
  std::string dir;
};

} // namespace

ArrayAttr
Importer::strings(const google::protobuf::RepeatedPtrField<std::string> &list) {
  SmallVector<Attribute> result;
  for (const std::string &string : list)
    result.push_back(b.getStringAttr(string));
  return b.getArrayAttr(result);
}

ArrayAttr Importer::importOpsets(
    const google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto>
        &imports) {
  SmallVector<Attribute> result;
  for (const auto &import : imports) {
    SmallVector<NamedAttribute> fields;
    if (import.has_domain())
      fields.push_back(
          b.getNamedAttr("domain", b.getStringAttr(import.domain())));
    if (import.has_version())
      fields.push_back(
          b.getNamedAttr("version", b.getI64IntegerAttr(import.version())));
    ::onnx::OperatorSetIdProto rest = import;
    rest.clear_domain();
    rest.clear_version();
    setRest(fields, rest);
    result.push_back(b.getDictionaryAttr(fields));
  }
  return b.getArrayAttr(result);
}

ArrayAttr Importer::importValueInfos(
    const google::protobuf::RepeatedPtrField<ValueInfoProto> &infos) {
  SmallVector<Attribute> result;
  for (const ValueInfoProto &info : infos) {
    Type type = importType(info.type(), b.getContext());
    NamedAttrList fields(importValueInfo(info, type));
    if (!fields.get("info"))
      fields.set("type", TypeAttr::get(type));
    result.push_back(fields.getDictionary(b.getContext()));
  }
  return b.getArrayAttr(result);
}

void Importer::define(Scope &scope, StringRef name, Value value,
                      const Twine &what) {
  if (name.empty())
    fail(what + " has no name");
  if (scope.lookup(name))
    failTwice(what, name);
  scope.values[name] = value;
}

Value Importer::read(Scope &scope, const std::string &name,
                     const Twine &reader) {
  if (name.empty()) {
    if (!scope.none) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(b.getInsertionBlock());
      scope.none = NoneOp::create(b, loc, b.getNoneType());
    }
    return scope.none;
  }
  if (Value value = scope.lookup(name))
    return value;
  fail(reader + " reads '" + name +
       "', which nothing defines; add a node, an input or an initializer of "
       "that name");
}

void Importer::collectTypes(const GraphProto *graph, Scope &scope) {
  if (!graph)
    return;
  for (const auto *infos : {&graph->value_info(), &graph->output()})
    for (const ValueInfoProto &info : *infos)
      if (info.has_type())
        scope.types[info.name()] = &info.type();
}

Type Importer::getType(const Scope &scope, StringRef name) {
  auto it = scope.types.find(name);
  if (it == scope.types.end())
    return UnknownType::get(b.getContext());
  return importType(*it->second, b.getContext());
}

void Importer::importInitializers(const GraphProto &graph, Scope &scope) {
  // An initializer may give a default to a graph input of the same name; what
  // reads the name then sees the initializer.
  auto takeInput = [&](const std::string &name) -> Value {
    auto it = scope.values.find(name);
    if (it == scope.values.end() || !isa<BlockArgument>(it->second))
      return nullptr;
    Value input = it->second;
    scope.values.erase(it);
    return input;
  };
  for (const TensorProto &tensor : graph.initializer()) {
    std::string what = "initializer '" + tensor.name() + "'";
    Attribute value;
    Type type;
    try {
      TensorProto unnamed = tensor;
      unnamed.clear_name();
      type = getTensorType(unnamed, b.getContext());
      value = importTensor(unnamed, dir, b.getContext());
    } catch (const std::exception &e) {
      fail(what + " " + e.what());
    }
    Value input = takeInput(tensor.name());
    auto op = InitializerOp::create(b, loc, type, tensor.name(), value, input);
    define(scope, tensor.name(), op.getResult(), what);
  }
  for (const ::onnx::SparseTensorProto &tensor : graph.sparse_initializer()) {
    const std::string &name = tensor.values().name();
    Type element = getElementType(tensor.values().data_type(), b.getContext());
    if (!element)
      fail("sparse initializer '" + name + "' has the unknown element type " +
           Twine(tensor.values().data_type()));
    for (int64_t extent : tensor.dims())
      if (extent < 0)
        fail("sparse initializer '" + name + "' has the negative extent " +
             Twine(extent));
    Type type = RankedTensorType::get(
        ArrayRef(tensor.dims().data(), tensor.dims_size()), element);
    Value input = takeInput(name);
    auto op = SparseInitializerOp::create(
        b, loc, type, name,
        ProtoAttr::get(b.getContext(), b.getStringAttr(toText(tensor))), input);
    define(scope, name, op.getResult(), "sparse initializer '" + name + "'");
  }
}

/// True when an operation may be typed: the onnx dialect has one for the
/// operator, with attributes of these names and kinds.
bool Importer::importTypedNode(const NodeProto &node, OperationState &state) {
  if (!node.domain().empty() && node.domain() != "ai.onnx")
    return false;
  std::optional<RegisteredOperationName> typed =
      RegisteredOperationName::lookup("onnx." + node.op_type(), b.getContext());
  if (!typed || !typed->hasInterface<NodeOpInterface>() ||
      *typed == OperationName(NodeOp::getOperationName(), b.getContext()))
    return false;
  auto isTensorLike = [](Type type) {
    return isa<TensorType, UnknownType, NoneType>(type);
  };
  if (!llvm::all_of(TypeRange(state.operands), isTensorLike) ||
      !llvm::all_of(state.types, isTensorLike))
    return false;
  return true;
}

void Importer::importNode(const NodeProto &node, const NodeProto *inferred,
                          Scope &scope) {
  if (node.op_type().empty())
    fail(describe(node) + " names no operator");
  std::string what = describe(node);
  OperationState state(loc, NodeOp::getOperationName());
  for (const std::string &name : node.input())
    state.operands.push_back(read(scope, name, what));
  for (const std::string &name : node.output())
    state.types.push_back(name.empty() ? Type(b.getNoneType())
                                       : getType(scope, name));

  // The operator's attributes; graphs become regions.
  NamedAttrList attributes;
  SmallVector<Attribute> order, graphs;
  SmallVector<std::pair<const AttributeProto *, int>> graphAttrs;
  bool sorted = true;
  llvm::StringSet<> names;
  for (int i = 0; i < node.attribute_size(); ++i) {
    const AttributeProto &attr = node.attribute(i);
    if (!names.insert(attr.name()).second)
      fail(what + " has the attribute '" + attr.name() + "' twice");
    sorted &= i == 0 || node.attribute(i - 1).name() < attr.name();
    order.push_back(b.getStringAttr(attr.name()));
    AttributeProto plain = attr;
    plain.clear_name();
    plain.clear_type();
    plain.clear_g();
    plain.clear_graphs();
    bool onlyGraphs = plain.ByteSizeLong() == 0 &&
                      ((attr.type() == AttributeProto::GRAPH && attr.has_g() &&
                        attr.graphs().empty()) ||
                       (attr.type() == AttributeProto::GRAPHS &&
                        !attr.has_g() && !attr.graphs().empty()));
    if (onlyGraphs) {
      graphAttrs.emplace_back(&attr, i);
      continue;
    }
    try {
      attributes.set(attr.name(), importAttribute(attr, dir, b.getContext()));
    } catch (const std::exception &e) {
      fail(what + ": the tensor '" + attr.name() + "' " + e.what());
    }
  }

  NamedAttrList common;
  if (node.has_name())
    common.set("node_name", b.getStringAttr(node.name()));
  if (node.has_domain())
    common.set("domain", b.getStringAttr(node.domain()));
  if (!node.output().empty())
    common.set("outs", strings(node.output()));
  if (!sorted)
    common.set("attr_order", b.getArrayAttr(order));
  NodeProto rest = node;
  rest.clear_name();
  rest.clear_domain();
  rest.clear_op_type();
  rest.clear_input();
  rest.clear_output();
  rest.clear_attribute();
  if (StringAttr text = getRest(rest, b.getContext()))
    common.set("rest", text);

  Operation *op = nullptr;
  if (graphAttrs.empty() && importTypedNode(node, state)) {
    RegisteredOperationName typed = *RegisteredOperationName::lookup(
        "onnx." + node.op_type(), b.getContext());
    NamedAttrList all = common;
    bool known = llvm::all_of(attributes, [&](NamedAttribute attr) {
      return !headopt::onnx::detail::isNodeBookkeeping(attr.getName()) &&
             llvm::is_contained(typed.getAttributeNames(), attr.getName());
    });
    all.append(attributes.begin(), attributes.end());
    // Checked without a word: what does not fit is simply not typed.
    ScopedDiagnosticHandler silent(b.getContext(),
                                   [](Diagnostic &) { return success(); });
    // The diagnostic has to be a real one: an inactive one counts as success.
    if (known && succeeded(typed.verifyInherentAttrs(
                     all, [&] { return mlir::emitError(loc); }))) {
      OperationState typedState(loc, typed);
      typedState.operands = state.operands;
      typedState.types = state.types;
      typedState.attributes = all;
      op = b.create(typedState);
      // Numbers of operands and results are the schema's business; where there
      // is none, the generic operation takes any.
      if (failed(typed.verifyInvariants(op))) {
        op->erase();
        op = nullptr;
      }
    }
  }
  if (!op) {
    state.addAttribute("op_type", b.getStringAttr(node.op_type()));
    if (!attributes.empty())
      state.addAttribute("node_attrs",
                         attributes.getDictionary(b.getContext()));
    state.addAttributes(common);
    SmallVector<Region *> regions;
    for (auto [attr, index] : graphAttrs)
      for (int i = 0; i < std::max(attr->graphs_size(), 1); ++i)
        regions.push_back(state.addRegion());
    unsigned next = 0;
    for (auto [attr, index] : graphAttrs) {
      const AttributeProto *typed =
          inferred && index < inferred->attribute_size()
              ? &inferred->attribute(index)
              : nullptr;
      if (attr->has_g())
        graphs.push_back(importSubgraph(attr->g(),
                                        typed ? &typed->g() : nullptr, *attr,
                                        *regions[next++], scope));
      for (int i = 0; i < attr->graphs_size(); ++i)
        graphs.push_back(importSubgraph(
            attr->graphs(i),
            typed && i < typed->graphs_size() ? &typed->graphs(i) : nullptr,
            *attr, *regions[next++], scope));
    }
    if (!graphs.empty())
      state.addAttribute("graphs", b.getArrayAttr(graphs));
    op = b.create(state);
  }
  for (int i = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty())
      define(scope, node.output(i), op->getResult(i), what);
}

void Importer::importNodes(const NodeList &nodes, const NodeList *inferred,
                           Scope &scope) {
  auto isDefined = [&](StringRef name) {
    return static_cast<bool>(scope.lookup(name));
  };
  for (int i : getOrder(nodes, isDefined))
    importNode(nodes[i],
               inferred && i < inferred->size() ? &(*inferred)[i] : nullptr,
               scope);
}

DictionaryAttr Importer::importSubgraph(const GraphProto &graph,
                                        const GraphProto *inferred,
                                        const AttributeProto &attr,
                                        Region &region, const Scope &outer) {
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&region);
  Scope scope;
  scope.parent = &outer;
  collectTypes(&graph, scope);
  collectTypes(inferred, scope);

  SmallVector<Attribute> inputs;
  for (int i = 0; i < graph.input_size(); ++i) {
    const ValueInfoProto &input = graph.input(i);
    const ValueInfoProto &typed =
        inferred && i < inferred->input_size() ? inferred->input(i) : input;
    Type type = importType(typed.type(), b.getContext());
    define(scope, input.name(), block->addArgument(type, loc),
           "subgraph input '" + input.name() + "'");
    inputs.push_back(importValueInfo(input, type));
  }
  importInitializers(graph, scope);
  importNodes(graph.node(), inferred ? &inferred->node() : nullptr, scope);
  SmallVector<Value> results;
  SmallVector<Attribute> outputs;
  for (const ValueInfoProto &output : graph.output()) {
    results.push_back(read(scope, output.name(), "a subgraph's output"));
    outputs.push_back(importValueInfo(output, results.back().getType()));
  }
  YieldOp::create(b, loc, results,
                  outputs.empty() ? nullptr : b.getArrayAttr(outputs));

  SmallVector<NamedAttribute> fields;
  fields.push_back(b.getNamedAttr("attr", b.getStringAttr(attr.name())));
  if (attr.type() == AttributeProto::GRAPHS)
    fields.push_back(b.getNamedAttr("list", b.getUnitAttr()));
  if (graph.has_name())
    fields.push_back(b.getNamedAttr("name", b.getStringAttr(graph.name())));
  if (!inputs.empty())
    fields.push_back(b.getNamedAttr("inputs", b.getArrayAttr(inputs)));
  if (graph.value_info_size())
    fields.push_back(
        b.getNamedAttr("value_info", importValueInfos(graph.value_info())));
  setRestOfGraph(fields, graph);
  return b.getDictionaryAttr(fields);
}

/// Moves what importValueInfo() made to the attributes of an argument or
/// result.
static DictionaryAttr asArgAttrs(DictionaryAttr info) {
  NamedAttrList attrs;
  attrs.set(kNameAttr, info.get("name"));
  if (Attribute params = info.get("dim_params"))
    attrs.set(kDimParamsAttr, params);
  if (Attribute text = info.get("info"))
    attrs.set(kInfoAttr, text);
  return attrs.getDictionary(info.getContext());
}

void Importer::importMainGraph(const GraphProto &graph,
                               const GraphProto &inferred) {
  Scope scope;
  collectTypes(&graph, scope);
  collectTypes(&inferred, scope);

  auto function =
      func::FuncOp::create(b, loc, "main_graph", b.getFunctionType({}, {}));
  OpBuilder::InsertionGuard guard(b);
  Block *block = function.addEntryBlock();
  b.setInsertionPointToStart(block);
  SmallVector<Type> inputTypes, outputTypes;
  SmallVector<Attribute> inputAttrs, outputAttrs;
  for (const ValueInfoProto &input : graph.input()) {
    Type type;
    try {
      type = importType(input.type(), b.getContext());
    } catch (const std::exception &e) {
      fail("graph input '" + input.name() + "': " + e.what());
    }
    define(scope, input.name(), block->addArgument(type, loc),
           "graph input '" + input.name() + "'");
    inputTypes.push_back(type);
    inputAttrs.push_back(asArgAttrs(importValueInfo(input, type)));
  }
  importInitializers(graph, scope);
  importNodes(graph.node(), &inferred.node(), scope);
  SmallVector<Value> results;
  for (const ValueInfoProto &output : graph.output()) {
    if (output.name().empty())
      fail("a graph output has no name");
    results.push_back(
        read(scope, output.name(), "graph output '" + output.name() + "'"));
    outputTypes.push_back(results.back().getType());
    outputAttrs.push_back(
        asArgAttrs(importValueInfo(output, outputTypes.back())));
  }
  func::ReturnOp::create(b, loc, results);
  function.setFunctionType(b.getFunctionType(inputTypes, outputTypes));
  if (!inputAttrs.empty())
    function.setArgAttrsAttr(b.getArrayAttr(inputAttrs));
  if (!outputAttrs.empty())
    function.setResAttrsAttr(b.getArrayAttr(outputAttrs));

  SmallVector<NamedAttribute> fields;
  if (graph.has_name())
    fields.push_back(b.getNamedAttr("name", b.getStringAttr(graph.name())));
  if (graph.value_info_size())
    fields.push_back(
        b.getNamedAttr("value_info", importValueInfos(graph.value_info())));
  setRestOfGraph(fields, graph);
  function->setAttr(kGraphAttr, b.getDictionaryAttr(fields));
}

void Importer::importFunction(const FunctionProto &proto,
                              SymbolTable &symbols) {
  Scope scope;
  for (const ValueInfoProto &info : proto.value_info())
    if (info.has_type())
      scope.types[info.name()] = &info.type();

  std::string symbol = proto.domain() + "::" + proto.name();
  if (!proto.overload().empty())
    symbol += "::" + proto.overload();
  auto function =
      func::FuncOp::create(b, loc, symbol, b.getFunctionType({}, {}));
  function.setPrivate();
  symbols.insert(function);

  FunctionProto rest = proto;
  rest.clear_name();
  rest.clear_domain();
  rest.clear_input();
  rest.clear_output();
  rest.clear_node();
  rest.clear_opset_import();
  rest.clear_value_info();
  SmallVector<NamedAttribute> fields;
  if (proto.has_name())
    fields.push_back(b.getNamedAttr("name", b.getStringAttr(proto.name())));
  if (proto.has_domain())
    fields.push_back(b.getNamedAttr("domain", b.getStringAttr(proto.domain())));
  if (proto.opset_import_size())
    fields.push_back(
        b.getNamedAttr("opset_imports", importOpsets(proto.opset_import())));
  if (proto.value_info_size())
    fields.push_back(
        b.getNamedAttr("value_info", importValueInfos(proto.value_info())));
  setRest(fields, rest);
  function->setAttr(kFunctionAttr, b.getDictionaryAttr(fields));

  OpBuilder::InsertionGuard guard(b);
  Block *block = function.addEntryBlock();
  b.setInsertionPointToStart(block);
  SmallVector<Type> inputTypes, outputTypes;
  SmallVector<Attribute> inputAttrs, outputAttrs;
  auto named = [&](const std::string &name) {
    return b.getDictionaryAttr(
        b.getNamedAttr(kNameAttr, b.getStringAttr(name)));
  };
  for (const std::string &name : proto.input()) {
    inputTypes.push_back(getType(scope, name));
    define(scope, name, block->addArgument(inputTypes.back(), loc),
           "function input '" + name + "'");
    inputAttrs.push_back(named(name));
  }
  importNodes(proto.node(), nullptr, scope);
  SmallVector<Value> results;
  for (const std::string &name : proto.output()) {
    results.push_back(read(
        scope, name, "output '" + name + "' of function '" + symbol + "'"));
    outputTypes.push_back(results.back().getType());
    outputAttrs.push_back(named(name));
  }
  func::ReturnOp::create(b, loc, results);
  function.setFunctionType(b.getFunctionType(inputTypes, outputTypes));
  if (!inputAttrs.empty())
    function.setArgAttrsAttr(b.getArrayAttr(inputAttrs));
  if (!outputAttrs.empty())
    function.setResAttrsAttr(b.getArrayAttr(outputAttrs));
}

/// Takes initializers that callers may override out of `model`, so that no type
/// is inferred from what is only a default.
static void forgetOverridable(ModelProto &model) {
  if (model.ir_version() < 4)
    return;
  llvm::StringSet<> inputs;
  for (const ValueInfoProto &input : model.graph().input())
    inputs.insert(input.name());
  auto *initializers = model.mutable_graph()->mutable_initializer();
  initializers->erase(std::remove_if(initializers->begin(), initializers->end(),
                                     [&](const TensorProto &tensor) {
                                       return inputs.contains(tensor.name());
                                     }),
                      initializers->end());
}

OwningOpRef<ModuleOp> Importer::importModel(const ModelProto &model) {
  if (!model.has_graph())
    fail("holds no graph; it is not an ONNX model");

  // Inference writes what it finds into the message, so it works on a copy; a
  // failure only means that fewer types are known.
  ModelProto inferred = model;
  forgetOverridable(inferred);
  try {
    // Without data propagation: the library's takes a Cast for the same number
    // whatever its type. ModelFacts follows the elements of shapes.
    ::onnx::shape_inference::InferShapes(inferred,
                                         ::onnx::OpSchemaRegistry::Instance());
  } catch (const std::exception &) {
    // `inferred` has what was found until then.
  }

  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  ModelProto rest = model;
  rest.clear_ir_version();
  rest.clear_opset_import();
  rest.clear_graph();
  rest.clear_functions();
  SmallVector<NamedAttribute> fields;
  if (model.has_ir_version())
    fields.push_back(
        b.getNamedAttr("ir_version", b.getI64IntegerAttr(model.ir_version())));
  if (model.opset_import_size())
    fields.push_back(
        b.getNamedAttr("opset_imports", importOpsets(model.opset_import())));
  setRest(fields, rest);
  (*module)->setAttr(kModelAttr, b.getDictionaryAttr(fields));

  bool external = false;
  forEachTensor(inferred,
                [&](TensorProto &tensor) { external |= isExternal(tensor); });
  if (external)
    (*module)->setAttr(kSourceDirAttr, b.getStringAttr(dir));

  b.setInsertionPointToEnd(module->getBody());
  importMainGraph(model.graph(), inferred.graph());
  SymbolTable symbols(*module);
  for (const FunctionProto &function : model.functions())
    importFunction(function, symbols);
  return module;
}

//===----------------------------------------------------------------------===//
// Entry point
//===----------------------------------------------------------------------===//

static ModelProto parseBinary(StringRef bytes) {
  ModelProto model;
  google::protobuf::io::ArrayInputStream stream(bytes.data(), bytes.size());
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetRecursionLimit(wire::kMaxDepth);
  if (!model.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage())
    fail("is not an ONNX model; a field holds a value of the wrong kind");
  return model;
}

/// Does for models that are not split what wire::split() does on the way: where
/// data was left is for it to say, not for a model.
static void refuseMarkers(ModelProto &model) {
  forEachTensor(model, [](TensorProto &tensor) {
    for (const auto &entry : tensor.external_data())
      if (StringRef(entry.key()) == wire::kFileKey)
        fail("a tensor uses the reserved external_data key '" + wire::kFileKey +
             "'");
  });
}

OwningOpRef<ModuleOp> headopt::importONNX(llvm::MemoryBufferRef buffer,
                                          ONNXFormat format, bool inFile,
                                          MLIRContext *context) {
  StringRef path = buffer.getBufferIdentifier();
  Location loc = FileLineColLoc::get(context, path, 0, 0);
  context->loadDialect<ONNXDialect, func::FuncDialect>();
  // References to tensor data must hold wherever the IR is read again.
  SmallString<256> file(path);
  if (llvm::sys::fs::make_absolute(file))
    file = path;
  OwningOpRef<ModuleOp> module;
  try {
    StringRef bytes = buffer.getBuffer();
    if (bytes.empty())
      fail("is empty");
    ModelProto model = format == ONNXFormat::Text ? parseModelText(bytes)
                       : inFile ? parseBinary(wire::split(bytes, file))
                                : parseBinary(bytes);
    if (format == ONNXFormat::Text || !inFile)
      refuseMarkers(model);
    Importer importer(context, loc, llvm::sys::path::parent_path(file));
    module = importer.importModel(model);
  } catch (const std::exception &e) {
    emitError(loc) << e.what();
    return nullptr;
  }
  if (failed(verify(*module)))
    return nullptr;
  return module;
}
