//===- ONNXVerifiers.cpp - Form and place of attributes -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The importer writes dictionaries, and exporter, analyses and passes read them
// without asking again: what has passed here has the declared form.
//
//===----------------------------------------------------------------------===//

#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace headopt::onnx;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// Dictionaries
//===----------------------------------------------------------------------===//

namespace {
enum class Kind { String, Strings, Int, Unit, Type, Entries };

/// An entry that a dictionary may have.
struct Field {
  StringRef name;
  Kind kind;
  bool required = false;
  /// Of Kind::Entries: what each of the dictionaries in the list may have.
  ArrayRef<Field> entries = {};
};
} // namespace

static bool isStrings(Attribute attr) {
  auto list = dyn_cast<ArrayAttr>(attr);
  return list && llvm::all_of(list, llvm::IsaPred<StringAttr>);
}

static bool fits(Attribute attr, Kind kind) {
  switch (kind) {
  case Kind::String:
    return isa<StringAttr>(attr);
  case Kind::Strings:
    return isStrings(attr);
  case Kind::Int: {
    auto number = dyn_cast<IntegerAttr>(attr);
    return number && number.getType().isSignlessInteger(64);
  }
  case Kind::Unit:
    return isa<UnitAttr>(attr);
  case Kind::Type:
    return isa<TypeAttr>(attr);
  case Kind::Entries: {
    auto list = dyn_cast<ArrayAttr>(attr);
    return list && llvm::all_of(list, llvm::IsaPred<DictionaryAttr>);
  }
  }
  llvm_unreachable("unknown kind");
}

static StringRef describe(Kind kind) {
  switch (kind) {
  case Kind::String:
    return "a string";
  case Kind::Strings:
    return "an array of strings";
  case Kind::Int:
    return "an integer of type i64";
  case Kind::Unit:
    return "a unit attribute";
  case Kind::Type:
    return "a type";
  case Kind::Entries:
    return "an array of dictionaries";
  }
  llvm_unreachable("unknown kind");
}

static constexpr Field kOpsetFields[] = {
    {"domain", Kind::String}, {"version", Kind::Int}, {"rest", Kind::String}};

/// Of values whose type the IR has.
static constexpr Field kTypedValueFields[] = {{"name", Kind::String},
                                              {"dim_params", Kind::Strings},
                                              {"info", Kind::String}};

static constexpr Field kValueInfoFields[] = {{"name", Kind::String, true},
                                             {"type", Kind::Type},
                                             {"dim_params", Kind::Strings},
                                             {"info", Kind::String}};

static constexpr Field kModelFields[] = {
    {"ir_version", Kind::Int},
    {"opset_imports", Kind::Entries, false, kOpsetFields},
    {"rest", Kind::String}};

static constexpr Field kGraphFields[] = {
    {"name", Kind::String},
    {"value_info", Kind::Entries, false, kValueInfoFields},
    {"rest", Kind::String}};

static constexpr Field kFunctionFields[] = {
    {"name", Kind::String},
    {"domain", Kind::String},
    {"opset_imports", Kind::Entries, false, kOpsetFields},
    {"value_info", Kind::Entries, false, kValueInfoFields},
    {"rest", Kind::String}};

static constexpr Field kSubgraphFields[] = {
    {"attr", Kind::String, true},
    {"list", Kind::Unit},
    {"name", Kind::String},
    {"inputs", Kind::Entries, false, kTypedValueFields},
    {"value_info", Kind::Entries, false, kValueInfoFields},
    {"rest", Kind::String}};

static LogicalResult verifyEntries(Attribute attr, StringRef name,
                                   ArrayRef<Field> fields, EmitError emitError);

/// Checks that `dict`, which messages call `what`, has the entries `fields`.
/// An entry with another name is refused: the exporter would drop it.
static LogicalResult verifyDictionary(DictionaryAttr dict, const Twine &what,
                                      ArrayRef<Field> fields,
                                      EmitError emitError) {
  for (NamedAttribute entry : dict) {
    StringRef name = entry.getName();
    const Field *field = llvm::find_if(
        fields, [&](const Field &field) { return field.name == name; });
    if (field == fields.end())
      return emitError() << what << " has the unknown entry '" << name << "'";
    if (!fits(entry.getValue(), field->kind))
      return emitError() << "'" << name << "' of " << what << " must be "
                         << describe(field->kind);
    if (field->kind == Kind::Entries &&
        failed(
            verifyEntries(entry.getValue(), name, field->entries, emitError)))
      return failure();
  }
  for (const Field &field : fields)
    if (field.required && !dict.contains(field.name))
      return emitError() << what << " does not say its '" << field.name << "'";
  return success();
}

/// Checks the dictionaries in the list `attr`, which is called `name`.
static LogicalResult verifyEntries(Attribute attr, StringRef name,
                                   ArrayRef<Field> fields,
                                   EmitError emitError) {
  for (auto dict : cast<ArrayAttr>(attr).getAsRange<DictionaryAttr>())
    if (failed(verifyDictionary(dict, "an entry of '" + name + "'", fields,
                                emitError)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Attributes on builtin and func operations
//===----------------------------------------------------------------------===//

/// Checks the attribute `attr` of a graph's or function's `function`.
static LogicalResult verifyGraph(Operation *function, NamedAttribute attr,
                                 EmitError emitError) {
  StringRef name = attr.getName();
  if (name == kFunctionAttr && function->hasAttr(kGraphAttr))
    return emitError() << "has both '" << kGraphAttr << "' and '"
                       << kFunctionAttr << "'";
  if (failed(verifyDictionary(
          cast<DictionaryAttr>(attr.getValue()), "'" + name + "'",
          name == kGraphAttr ? ArrayRef<Field>(kGraphFields) : kFunctionFields,
          emitError)))
    return failure();
  if (!function->getRegion(0).hasOneBlock())
    return emitError() << "with '" << name << "' must have a body of one block";
  return success();
}

LogicalResult ONNXDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attr) {
  StringRef name = attr.getName();
  auto emitError = [&] { return op->emitOpError(); };
  if (name == kSourceDirAttr || name == kModelAttr) {
    bool isModel = name == kModelAttr;
    if (isModel ? !isa<DictionaryAttr>(attr.getValue())
                : !isa<StringAttr>(attr.getValue()))
      return op->emitOpError("attribute '")
             << name << "' must be a " << (isModel ? "dictionary" : "string");
    if (!isa<ModuleOp>(op))
      return op->emitOpError("attribute '") << name << "' belongs on a module";
    return isModel ? verifyDictionary(cast<DictionaryAttr>(attr.getValue()),
                                      "'" + name + "'", kModelFields, emitError)
                   : success();
  }
  if (name == kConstantInitializersAttr) {
    if (isa<ModuleOp>(op) && isa<UnitAttr>(attr.getValue()))
      return success();
    return op->emitOpError("attribute '")
           << name << "' must be a unit attribute of a module";
  }
  if (name == kGraphAttr || name == kFunctionAttr) {
    if (!isa<DictionaryAttr>(attr.getValue()))
      return op->emitOpError("attribute '") << name << "' must be a dictionary";
    if (!isa<FunctionOpInterface>(op))
      return op->emitOpError("attribute '")
             << name << "' belongs on a function";
    return verifyGraph(op, attr, emitError);
  }
  return op->emitOpError("unknown attribute '") << name << "'";
}

/// Checks an attribute of an argument or result of `op`, which messages call
/// `what`.
static LogicalResult verifyValueAttribute(Operation *op, const Twine &what,
                                          NamedAttribute attr) {
  StringRef name = attr.getName();
  if (name != kNameAttr && name != kDimParamsAttr && name != kInfoAttr)
    return op->emitOpError(what)
           << " has the unknown attribute '" << name << "'";
  Kind kind = name == kDimParamsAttr ? Kind::Strings : Kind::String;
  if (!fits(attr.getValue(), kind))
    return op->emitOpError("'")
           << name << "' of " << what << " must be " << describe(kind);
  // A FunctionProto lists no more than names.
  if (name != kNameAttr && op->hasAttr(kFunctionAttr))
    return op->emitOpError("'") << name << "' of " << what
                                << " has no place in a model-local function";
  return success();
}

LogicalResult ONNXDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                    unsigned index,
                                                    NamedAttribute attr) {
  return verifyValueAttribute(op, "argument " + Twine(index), attr);
}

LogicalResult ONNXDialect::verifyRegionResultAttribute(Operation *op, unsigned,
                                                       unsigned index,
                                                       NamedAttribute attr) {
  return verifyValueAttribute(op, "result " + Twine(index), attr);
}

//===----------------------------------------------------------------------===//
// Tensor attributes
//===----------------------------------------------------------------------===//

LogicalResult FileDataAttr::verify(EmitError emitError, ShapedType type,
                                   StringAttr, int64_t offset, int64_t length) {
  if (!isa<RankedTensorType>(type) || !type.hasStaticShape())
    return emitError() << "data in a file must have a tensor type of static "
                          "shape, but has "
                       << type;
  if (offset < 0 || length < 0)
    return emitError() << "data in a file has the "
                       << (offset < 0 ? "offset " : "length ")
                       << (offset < 0 ? offset : length)
                       << ", which must not be negative";
  return success();
}

LogicalResult TensorAttr::verify(EmitError emitError, TypedAttr elements, bool,
                                 StringAttr) {
  if (isa<TensorAttr>(elements) || !isTensorAttribute(elements))
    return emitError() << "'elements' must be a dense, dense_resource or "
                          "#onnx.file_data attribute of tensor type";
  return success();
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

LogicalResult InitializerOp::verify() {
  TypedAttr elements = getElements(getValue());
  // The type of a message is the exporter's business.
  if (elements && elements.getType() != getResult().getType())
    return emitOpError("has a value of type ")
           << elements.getType() << " but a result of type "
           << getResult().getType();
  return success();
}

/// Checks `infos`, the attribute `name` of `op`, which describes `count`
/// values.
static LogicalResult verifyValues(Operation *op, StringRef name,
                                  ArrayAttr infos, size_t count) {
  if (!fits(infos, Kind::Entries))
    return op->emitOpError("'") << name << "' must be an array of dictionaries";
  if (infos.size() != count)
    return op->emitOpError("has ") << infos.size() << " entries in '" << name
                                   << "' for " << count << " values";
  return verifyEntries(infos, name, kTypedValueFields,
                       [&] { return op->emitOpError(); });
}

LogicalResult YieldOp::verify() {
  if (!getOutputs())
    return success();
  return verifyValues(*this, "outputs", *getOutputs(), getOperands().size());
}

/// What other checks of a node build upon: runs before NodeOp::verify().
static LogicalResult verifyGraphs(NodeOp node) {
  if (!node.getGraphs())
    return success();
  if (!fits(*node.getGraphs(), Kind::Entries))
    return node.emitOpError("'graphs' must be an array of dictionaries");
  if (failed(verifyEntries(*node.getGraphs(), "graphs", kSubgraphFields,
                           [&] { return node.emitOpError(); })))
    return failure();
  llvm::StringSet<> seen;
  DictionaryAttr previous;
  for (auto graph : node.getGraphs()->getAsRange<DictionaryAttr>()) {
    StringRef name = graph.getAs<StringAttr>("attr").getValue();
    if (node.getNodeAttribute(name))
      return node.emitOpError("has '")
             << name << "' both in 'graphs' and in 'node_attrs'";
    bool again = !seen.insert(name).second;
    bool goesOn = again && previous.get("attr") == graph.get("attr") &&
                  previous.contains("list") && graph.contains("list");
    if (again && !goesOn)
      return node.emitOpError("entries of 'graphs' for the same attribute '")
             << name << "' must be side by side and all have 'list'";
    previous = graph;
  }
  return success();
}

/// Checks that `attr_order`, where it is there, lists every attribute once.
static LogicalResult verifyOrder(NodeOpInterface node) {
  auto order = node->getAttrOfType<ArrayAttr>("attr_order");
  if (!order)
    return success();
  SmallVector<StringRef> names;
  for (NamedAttribute attr : node.getNodeAttributes())
    names.push_back(attr.getName());
  if (auto generic = dyn_cast<NodeOp>(*node); generic && generic.getGraphs())
    for (auto graph : generic.getGraphs()->getAsRange<DictionaryAttr>())
      names.push_back(graph.getAs<StringAttr>("attr"));
  llvm::StringSet<> listed;
  for (auto name : order.getAsRange<StringAttr>())
    if (!listed.insert(name).second || !llvm::is_contained(names, name))
      return node->emitOpError("'attr_order' lists '")
             << name.getValue() << "', which is not one more of its attributes";
  for (StringRef name : names)
    if (!listed.contains(name))
      return node->emitOpError("'attr_order' does not list the attribute '")
             << name << "'";
  return success();
}

LogicalResult headopt::onnx::detail::verifyNode(Operation *op) {
  if (auto names = op->getAttrOfType<ArrayAttr>("outs"))
    if (names.size() != op->getNumResults())
      return op->emitOpError("has ") << op->getNumResults() << " results but "
                                     << names.size() << " names in 'outs'";
  if (auto generic = dyn_cast<NodeOp>(op))
    if (failed(verifyGraphs(generic)))
      return failure();
  if (failed(verifyOrder(cast<NodeOpInterface>(op))))
    return failure();
  if (auto *schemas =
          op->getDialect()->getRegisteredInterface<SchemaInterface>())
    return schemas->verifyNode(op);
  return success();
}

LogicalResult NodeOp::verify() {
  size_t described = getGraphs() ? getGraphs()->size() : 0;
  if (described != getBodies().size())
    return emitOpError("has ") << getBodies().size() << " regions but "
                               << described << " entries in 'graphs'";
  for (auto [i, body] : llvm::enumerate(getBodies())) {
    Block &block = body.front();
    if (block.empty() || !isa<YieldOp>(block.back()))
      return emitOpError("a subgraph must end in onnx.yield");
    auto graph = cast<DictionaryAttr>((*getGraphs())[i]);
    if (auto inputs = graph.getAs<ArrayAttr>("inputs"))
      if (failed(
              verifyValues(*this, "inputs", inputs, block.getNumArguments())))
        return failure();
  }
  return success();
}
