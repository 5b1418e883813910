//===- Export.cpp - The onnx dialect into ONNX files ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// IR -> ModelProto -> serialized skeleton -> bytes spliced in (WireFormat).
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/ONNX/Export.h"
#include "Attributes.h"
#include "ModelText.h"
#include "Nodes.h"
#include "ProtoText.h"
#include "Tensors.h"
#include "Types.h"
#include "WireFormat.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "headopt/Support/OutputFile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <fcntl.h>
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

[[noreturn]] static void fail(const Twine &message) {
  throw std::runtime_error(message.str());
}

//===----------------------------------------------------------------------===//
// IR -> ModelProto
//===----------------------------------------------------------------------===//

namespace {

class Exporter {
public:
  explicit Exporter(ModuleOp module) : module(module) {}

  ModelProto exportModel();

  /// Data of the model's tensors that was left out of it.
  ArrayRef<StringRef> getMemory() const { return memory; }

private:
  void collectNames();
  std::string getName(Value value);
  void define(Value value, const Twine &what);
  void checkName(Value value, StringAttr declared, const Twine &what);
  func::ReturnOp enterFunction(func::FuncOp function);
  void defineInitializers(Block &block);
  void exportBlock(Block &block, GraphProto *graph,
                   google::protobuf::RepeatedPtrField<NodeProto> &nodes);
  void exportNode(NodeOpInterface node, NodeProto &proto);
  void exportMainGraph(func::FuncOp function, GraphProto &graph);
  void exportFunction(func::FuncOp function, FunctionProto &proto);
  template <typename Proto>
  void exportOpsets(DictionaryAttr fields, Proto &proto);
  template <typename Proto>
  void exportValueInfos(DictionaryAttr fields, Proto &proto);

  ModuleOp module;
  llvm::StringSet<> usedNames;
  llvm::DenseMap<Value, std::string> madeUpNames;
  unsigned nextName = 0;
  /// Names that are taken where the export has got to: those of the graph, in
  /// order, after those of the graphs around it.
  std::vector<std::string> definedNames;
  llvm::StringSet<> isDefined;
  std::vector<StringRef> memory;
};

} // namespace

void Exporter::collectNames() {
  module.walk([&](Operation *op) {
    for (Value result : op->getResults())
      usedNames.insert(getValueName(result));
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Value argument : block.getArguments())
          usedNames.insert(getValueName(argument));
  });
}

std::string Exporter::getName(Value value) {
  if (isa<NoneType>(value.getType()))
    return "";
  StringRef name = getValueName(value);
  if (!name.empty())
    return name.str();
  std::string &made = madeUpNames[value];
  while (made.empty()) {
    std::string candidate = "value_" + std::to_string(nextName++);
    if (usedNames.insert(candidate).second)
      made = candidate;
  }
  return made;
}

/// Takes the name of `value`, which messages call `what`. ONNX knows values by
/// nothing else.
void Exporter::define(Value value, const Twine &what) {
  std::string name = getName(value);
  if (name.empty())
    return;
  if (!isDefined.insert(name).second)
    fail(what + " defines '" + name +
         "', which is defined already; names must be unique, rename one");
  definedNames.push_back(std::move(name));
}

/// The name that an output is declared with has to be that of its value.
void Exporter::checkName(Value value, StringAttr declared, const Twine &what) {
  if (declared && declared.getValue() != getName(value))
    fail(what + " is declared as '" + declared.getValue() +
         "', but its value is called '" + getName(value) +
         "'; an output has the name of its value");
}

/// Starts on the body of `function`: its arguments are defined, and results
/// that say how their values are called have named them.
func::ReturnOp Exporter::enterFunction(func::FuncOp function) {
  Block &body = function.getBody().front();
  auto results = dyn_cast<func::ReturnOp>(body.back());
  if (!results)
    fail("the function '" + function.getSymName() +
         "' does not end in func.return");
  for (auto [i, value] : llvm::enumerate(results.getOperands())) {
    auto name = function.getResultAttrOfType<StringAttr>(i, kNameAttr);
    if (name && !name.empty() && !isa<NoneType>(value.getType()) &&
        getValueName(value).empty() && !madeUpNames.contains(value) &&
        usedNames.insert(name.getValue()).second)
      madeUpNames[value] = name.getValue().str();
  }
  isDefined.clear();
  definedNames.clear();
  for (BlockArgument argument : function.getArguments())
    define(argument, "an argument of '" + function.getSymName() + "'");
  return results;
}

/// Initializers come before all nodes. One that is the default of a graph input
/// shares its name, which is what ties the two in ONNX.
void Exporter::defineInitializers(Block &block) {
  llvm::SmallPtrSet<Value, 4> hasDefault;
  for (Operation &op : block) {
    if (!isa<InitializerOp, SparseInitializerOp>(op))
      continue;
    std::string name = getName(op.getResult(0));
    std::string what = "initializer '" + name + "'";
    if (op.getNumOperands() == 0) {
      define(op.getResult(0), what);
      continue;
    }
    auto input = dyn_cast<BlockArgument>(op.getOperand(0));
    if (!input || input.getOwner() != &block)
      fail(what + " is the default of a value that is no input of its graph");
    if (getName(input) != name)
      fail(what + " is the default of the input '" + getName(input) +
           "'; the two must have the same name");
    if (!hasDefault.insert(input).second)
      fail(what + " is a second default of that input");
  }
}

static void exportNodeHeader(NodeOpInterface node, NodeProto &proto) {
  Operation *op = node;
  if (auto rest = op->getAttrOfType<StringAttr>("rest"))
    mergeRest(rest, proto);
  proto.set_op_type(node.getOperatorName().str());
  if (auto name = op->getAttrOfType<StringAttr>("node_name"))
    proto.set_name(name.getValue().str());
  if (auto domain = op->getAttrOfType<StringAttr>("domain"))
    proto.set_domain(domain.getValue().str());
}

/// Appends the attributes of `node`; `addGraphs` appends those that hold the
/// given name's subgraphs. `memory` is as for exportTensor(). `what` goes
/// before what is wrong with an attribute.
static void
exportNodeAttributes(NodeOpInterface node, NodeProto &proto, const Twine &what,
                     std::vector<StringRef> *memory,
                     llvm::function_ref<void(StringRef)> addGraphs) {
  SmallVector<NamedAttribute> attributes = node.getNodeAttributes();
  SmallVector<StringRef> graphNames;
  if (auto generic = dyn_cast<NodeOp>(*node); generic && generic.getGraphs())
    for (auto graph : generic.getGraphs()->getAsRange<DictionaryAttr>()) {
      auto name = graph.getAs<StringAttr>("attr");
      if (graphNames.empty() || graphNames.back() != name.getValue())
        graphNames.push_back(name.getValue());
    }
  auto put = [&](StringRef name) {
    if (llvm::is_contained(graphNames, name))
      return addGraphs(name);
    for (NamedAttribute attr : attributes) {
      if (attr.getName() != name)
        continue;
      try {
        *proto.add_attribute() = exportAttribute(attr, memory);
      } catch (const std::exception &e) {
        fail(what + e.what());
      }
    }
  };
  if (auto order = node->getAttrOfType<ArrayAttr>("attr_order")) {
    for (auto name : order.getAsRange<StringAttr>())
      put(name.getValue());
    return;
  }
  SmallVector<StringRef> names(graphNames);
  for (NamedAttribute attr : attributes)
    names.push_back(attr.getName());
  llvm::sort(names);
  for (StringRef name : names)
    put(name);
}

NodeProto headopt::onnx::exportNodeForSchema(Operation *op) {
  auto node = cast<NodeOpInterface>(op);
  NodeProto proto;
  proto.set_op_type(node.getOperatorName().str());
  proto.set_domain(node.getOperatorDomain().str());
  for (Value operand : op->getOperands())
    proto.add_input(isa<NoneType>(operand.getType()) ? "" : "x");
  for (Value result : op->getResults())
    proto.add_output(isa<NoneType>(result.getType()) ? "" : "y");
  exportNodeAttributes(node, proto, "", nullptr, [&](StringRef name) {
    AttributeProto *attr = proto.add_attribute();
    attr->set_name(name.str());
    attr->set_type(AttributeProto::GRAPH);
    attr->mutable_g();
  });
  return proto;
}

void Exporter::exportNode(NodeOpInterface node, NodeProto &proto) {
  exportNodeHeader(node, proto);
  std::string what =
      ("node '" + node.getDisplayName() + "' (" + node.getOperatorName() + ")")
          .str();
  for (Value operand : node->getOperands())
    proto.add_input(getName(operand));
  for (Value result : node->getResults())
    proto.add_output(getName(result));
  exportNodeAttributes(node, proto, what + ": ", &memory, [&](StringRef name) {
    auto generic = cast<NodeOp>(*node);
    AttributeProto *attr = proto.add_attribute();
    attr->set_name(name.str());
    for (auto [i, entry] : llvm::enumerate(*generic.getGraphs())) {
      auto fields = cast<DictionaryAttr>(entry);
      if (fields.getAs<StringAttr>("attr").getValue() != name)
        continue;
      bool list = fields.contains("list");
      attr->set_type(list ? AttributeProto::GRAPHS : AttributeProto::GRAPH);
      GraphProto &graph = list ? *attr->add_graphs() : *attr->mutable_g();
      mergeRest(fields.getAs<StringAttr>("rest"), graph);
      if (auto graphName = fields.getAs<StringAttr>("name"))
        graph.set_name(graphName.getValue().str());
      Block &block = generic.getBodies()[i].front();
      auto inputs = fields.getAs<ArrayAttr>("inputs");
      for (BlockArgument argument : block.getArguments()) {
        auto info = inputs && argument.getArgNumber() < inputs.size()
                        ? cast<DictionaryAttr>(inputs[argument.getArgNumber()])
                        : nullptr;
        *graph.add_input() = exportValueInfo(
            getName(argument), argument.getType(),
            info ? info.getAs<ArrayAttr>("dim_params") : nullptr,
            info ? info.getAs<StringAttr>("info") : nullptr);
      }
      exportValueInfos(fields, graph);
      size_t numOuter = definedNames.size();
      for (BlockArgument argument : block.getArguments())
        define(argument, what + ": a subgraph");
      exportBlock(block, &graph, *graph.mutable_node());
      // Graphs beside this one may use its names again.
      for (; definedNames.size() > numOuter; definedNames.pop_back())
        isDefined.erase(definedNames.back());
      auto yield = cast<YieldOp>(block.back());
      for (auto [j, value] : llvm::enumerate(yield.getOperands())) {
        auto info = yield.getOutputs() && j < yield.getOutputs()->size()
                        ? cast<DictionaryAttr>((*yield.getOutputs())[j])
                        : nullptr;
        if (info)
          checkName(value, info.getAs<StringAttr>("name"),
                    what + ": an output of a subgraph");
        *graph.add_output() = exportValueInfo(
            getName(value), value.getType(),
            info ? info.getAs<ArrayAttr>("dim_params") : nullptr,
            info ? info.getAs<StringAttr>("info") : nullptr);
      }
    }
  });
  // After the subgraphs, which do not see them.
  for (Value result : node->getResults())
    define(result, what);
}

void Exporter::exportBlock(
    Block &block, GraphProto *graph,
    google::protobuf::RepeatedPtrField<NodeProto> &nodes) {
  defineInitializers(block);
  for (Operation &op : block) {
    // Such as a misspelt attribute of a typed node.
    for (NamedAttribute attr : op.getDiscardableAttrs())
      if (!attr.getName().getValue().contains('.'))
        fail("'" + op.getName().getStringRef() + "' has the attribute '" +
             attr.getName().getValue() +
             "', which is none of its own and which ONNX has no place for");
    if (auto node = dyn_cast<NodeOpInterface>(op)) {
      exportNode(node, *nodes.Add());
    } else if (auto init = dyn_cast<InitializerOp>(op)) {
      if (!graph)
        fail("a model-local function holds the initializer '" + init.getName() +
             "'; write it as a Constant node");
      TensorProto &tensor = *graph->add_initializer();
      std::string name = getName(init.getResult());
      try {
        tensor = exportTensor(init.getValue(), &memory);
      } catch (const std::exception &e) {
        fail("initializer '" + name + "': " + e.what());
      }
      tensor.set_name(name);
    } else if (auto sparse = dyn_cast<SparseInitializerOp>(op)) {
      if (!graph)
        fail("a model-local function holds a sparse initializer");
      auto &tensor = *graph->add_sparse_initializer();
      mergeText(sparse.getValue().getText().getValue(), tensor);
      tensor.mutable_values()->set_name(getName(sparse.getResult()));
    } else if (!isa<NoneOp, YieldOp, func::ReturnOp>(op)) {
      fail("'" + op.getName().getStringRef() +
           "' is no ONNX operation; only modules of the onnx dialect can be "
           "written as ONNX");
    }
  }
}

template <typename Proto>
void Exporter::exportOpsets(DictionaryAttr fields, Proto &proto) {
  auto imports = fields.getAs<ArrayAttr>("opset_imports");
  if (!imports)
    return;
  for (auto entry : imports.getAsRange<DictionaryAttr>()) {
    auto *import = proto.add_opset_import();
    mergeRest(entry.getAs<StringAttr>("rest"), *import);
    if (auto domain = entry.getAs<StringAttr>("domain"))
      import->set_domain(domain.getValue().str());
    if (auto version = entry.getAs<IntegerAttr>("version"))
      import->set_version(version.getInt());
  }
}

template <typename Proto>
void Exporter::exportValueInfos(DictionaryAttr fields, Proto &proto) {
  auto infos = fields.getAs<ArrayAttr>("value_info");
  if (!infos)
    return;
  for (auto entry : infos.getAsRange<DictionaryAttr>()) {
    auto type = entry.getAs<TypeAttr>("type");
    *proto.add_value_info() = exportValueInfo(
        entry.getAs<StringAttr>("name").getValue(),
        type ? type.getValue() : UnknownType::get(module.getContext()),
        entry.getAs<ArrayAttr>("dim_params"), entry.getAs<StringAttr>("info"));
  }
}

void Exporter::exportMainGraph(func::FuncOp function, GraphProto &graph) {
  auto fields = function->getAttrOfType<DictionaryAttr>(kGraphAttr);
  func::ReturnOp results = enterFunction(function);
  mergeRest(fields.getAs<StringAttr>("rest"), graph);
  if (auto name = fields.getAs<StringAttr>("name"))
    graph.set_name(name.getValue().str());
  for (BlockArgument argument : function.getArguments()) {
    unsigned i = argument.getArgNumber();
    *graph.add_input() =
        exportValueInfo(getName(argument), argument.getType(),
                        function.getArgAttrOfType<ArrayAttr>(i, kDimParamsAttr),
                        function.getArgAttrOfType<StringAttr>(i, kInfoAttr));
  }
  exportValueInfos(fields, graph);
  exportBlock(function.getBody().front(), &graph, *graph.mutable_node());
  for (auto [i, value] : llvm::enumerate(results.getOperands())) {
    checkName(value, function.getResultAttrOfType<StringAttr>(i, kNameAttr),
              "a graph output");
    *graph.add_output() = exportValueInfo(
        getName(value), value.getType(),
        function.getResultAttrOfType<ArrayAttr>(i, kDimParamsAttr),
        function.getResultAttrOfType<StringAttr>(i, kInfoAttr));
  }
}

void Exporter::exportFunction(func::FuncOp function, FunctionProto &proto) {
  auto fields = function->getAttrOfType<DictionaryAttr>(kFunctionAttr);
  func::ReturnOp results = enterFunction(function);
  mergeRest(fields.getAs<StringAttr>("rest"), proto);
  if (auto name = fields.getAs<StringAttr>("name"))
    proto.set_name(name.getValue().str());
  if (auto domain = fields.getAs<StringAttr>("domain"))
    proto.set_domain(domain.getValue().str());
  exportOpsets(fields, proto);
  exportValueInfos(fields, proto);
  for (BlockArgument argument : function.getArguments())
    proto.add_input(getName(argument));
  exportBlock(function.getBody().front(), nullptr, *proto.mutable_node());
  for (auto [i, value] : llvm::enumerate(results.getOperands())) {
    checkName(value, function.getResultAttrOfType<StringAttr>(i, kNameAttr),
              "an output of '" + function.getSymName() + "'");
    proto.add_output(getName(value));
  }
}

ModelProto Exporter::exportModel() {
  auto fields = module->getAttrOfType<DictionaryAttr>(kModelAttr);
  if (!fields)
    fail("the module has no 'onnx.model' attribute, which gives the IR version "
         "and the opsets");
  collectNames();
  ModelProto model;
  mergeRest(fields.getAs<StringAttr>("rest"), model);
  if (auto version = fields.getAs<IntegerAttr>("ir_version"))
    model.set_ir_version(version.getInt());
  exportOpsets(fields, model);
  for (Operation &op : *module.getBody()) {
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function)
      fail("'" + op.getName().getStringRef() +
           "' beside the functions is no part of an ONNX model");
    if (function->hasAttr(kGraphAttr)) {
      if (model.has_graph())
        fail("the module has more than one main graph ('onnx.graph')");
      exportMainGraph(function, *model.mutable_graph());
    } else if (function->hasAttr(kFunctionAttr)) {
      exportFunction(function, *model.add_functions());
    } else {
      fail("the function '" + function.getSymName() +
           "' is no ONNX graph; it has neither 'onnx.graph' nor "
           "'onnx.function'");
    }
  }
  if (!model.has_graph())
    fail("the module has no main graph (a function with 'onnx.graph')");
  return model;
}

//===----------------------------------------------------------------------===//
// Where tensor bytes go
//===----------------------------------------------------------------------===//

/// A message must stay below this many bytes, or no reader takes it.
static constexpr uint64_t kMessageLimit = (uint64_t(1) << 31) - 1;

static std::string *findEntry(TensorProto &tensor, StringRef key) {
  for (auto &entry : *tensor.mutable_external_data())
    if (StringRef(entry.key()) == key)
      return entry.mutable_value();
  return nullptr;
}

/// Where the bytes of `tensor` are when they were left out of it.
static std::optional<wire::Piece> findMarker(TensorProto &tensor,
                                             ArrayRef<StringRef> memory) {
  std::string *file = findEntry(tensor, wire::kFileKey);
  if (!file)
    return std::nullopt;
  // MLIR text may say anything.
  auto number = [&](StringRef key) {
    std::string *text = findEntry(tensor, key);
    uint64_t value;
    if (!text || StringRef(*text).getAsInteger(10, value))
      fail("a tensor has no number for '" + key + "'");
    return value;
  };
  return wire::Piece::fromMarker(*file, number(wire::kOffsetKey),
                                 number(wire::kLengthKey), memory);
}

static bool sameFolder(StringRef a, StringRef b) {
  auto orDot = [](StringRef path) { return path.empty() ? "." : path; };
  bool same = false;
  return !llvm::sys::fs::equivalent(orDot(a), orDot(b), same) && same;
}

namespace {
/// The data file that goes with an output: pieces in the order they are needed.
struct DataFile {
  std::string location;
  std::vector<wire::Piece> pieces;
  uint64_t size = 0;

  /// Adds `piece` and makes `tensor` point at it. Offsets are multiples of the
  /// page size, so that runtimes can map the data.
  void add(TensorProto &tensor, wire::Piece piece) {
    static constexpr uint64_t kAlignment = 4096;
    uint64_t padding = (kAlignment - size % kAlignment) % kAlignment;
    if (padding) {
      wire::Piece zeros;
      zeros.bytes.assign(padding, '\0');
      pieces.push_back(std::move(zeros));
      size += padding;
    }
    auto set = [&](StringRef key, const Twine &value) {
      if (std::string *old = findEntry(tensor, key)) {
        *old = value.str();
        return;
      }
      auto *entry = tensor.add_external_data();
      entry->set_key(key.str());
      entry->set_value(value.str());
    };
    // A checksum would be of the old file.
    auto *entries = tensor.mutable_external_data();
    for (int i = entries->size(); i-- > 0;)
      if (entries->Get(i).key() == "checksum")
        entries->DeleteSubrange(i, 1);
    set("location", location);
    set("offset", Twine(size));
    set("length", Twine(piece.size()));
    tensor.set_data_location(TensorProto::EXTERNAL);
    size += piece.size();
    pieces.push_back(std::move(piece));
  }
};
} // namespace

/// Moves external data into `data` when it would not be found from the output's
/// folder, and everything large when the message would be too long.
static void placeTensors(ModelProto &model, ArrayRef<StringRef> memory,
                         StringRef sourceDir, StringRef outputDir,
                         ONNXFormat format, DataFile &data) {
  if (!sameFolder(sourceDir, outputDir))
    forEachTensor(model, [&](TensorProto &tensor) {
      if (!isExternal(tensor))
        return;
      ExternalRange range = getExternalRange(tensor, sourceDir);
      wire::Piece piece;
      piece.file = range.path;
      piece.offset = range.offset;
      piece.length = range.length;
      data.add(tensor, std::move(piece));
    });

  // Text has no limit.
  if (format == ONNXFormat::Text)
    return;
  uint64_t size = model.ByteSizeLong();
  forEachTensor(model, [&](TensorProto &tensor) {
    if (std::optional<wire::Piece> marked = findMarker(tensor, memory))
      size += marked->size();
  });
  if (size <= kMessageLimit)
    return;
  forEachTensor(model, [&](TensorProto &tensor) {
    wire::Piece piece;
    if (std::optional<wire::Piece> marked = findMarker(tensor, memory)) {
      piece = std::move(*marked);
      tensor.clear_external_data();
    } else if (tensor.raw_data().size() >= wire::kLargeTensor) {
      piece.bytes = std::move(*tensor.mutable_raw_data());
      tensor.clear_raw_data();
    } else {
      return;
    }
    data.add(tensor, std::move(piece));
  });
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static void check(llvm::Error error) {
  if (error)
    fail(llvm::toString(std::move(error)));
}

static void writePieces(OutputFile &file,
                        const std::vector<wire::Piece> &pieces) {
  std::string openPath;
  std::optional<llvm::sys::fs::file_t> source;
  auto closeSource = [&] {
    if (source)
      (void)llvm::sys::fs::closeFile(*source);
    source.reset();
  };
  llvm::scope_exit close(closeSource);
  for (const wire::Piece &piece : pieces) {
    if (piece.file.empty()) {
      check(file.write(piece.bytes));
      check(file.write(piece.memory));
      continue;
    }
    if (!source || openPath != piece.file) {
      closeSource();
      llvm::Expected<llvm::sys::fs::file_t> opened =
          llvm::sys::fs::openNativeFileForRead(piece.file);
      if (!opened)
        fail("cannot read tensor data from '" + piece.file +
             "': " + llvm::toString(opened.takeError()));
      source = *opened;
      openPath = piece.file;
    }
    check(file.copyFrom(*source, piece.offset, piece.length, piece.file));
  }
}

/// Replaces references to bytes by the bytes, for formats that hold everything
/// in the message.
static void inlineTensors(ModelProto &model, ArrayRef<StringRef> memory) {
  forEachTensor(model, [&](TensorProto &tensor) {
    std::optional<wire::Piece> piece = findMarker(tensor, memory);
    if (!piece)
      return;
    tensor.clear_external_data();
    if (piece->file.empty()) {
      tensor.set_raw_data(piece->memory.data(), piece->memory.size());
      return;
    }
    auto buffer = llvm::MemoryBuffer::getFileSlice(piece->file, piece->length,
                                                   piece->offset);
    if (!buffer)
      fail("cannot read tensor data from '" + piece->file +
           "': " + buffer.getError().message());
    tensor.set_raw_data((*buffer)->getBufferStart(),
                        (*buffer)->getBufferSize());
  });
}

/// The model without what goes into its data file.
static std::vector<wire::Piece> makePieces(ModelProto &&model,
                                           ArrayRef<StringRef> memory,
                                           ONNXFormat format, bool &complete) {
  if (format == ONNXFormat::Binary)
    return wire::splice(model.SerializeAsString(), memory);
  inlineTensors(model, memory);
  std::vector<wire::Piece> pieces(1);
  pieces.front().bytes = printModelText(std::move(model), complete);
  return pieces;
}

static void warnIfIncomplete(ModuleOp module, bool complete) {
  if (!complete)
    emitWarning(module.getLoc())
        << "ONNX text has no doc strings and metadata of graphs, nodes, "
           "values, tensors and functions; those of this model are left out; "
           "write .onnx to keep them";
}

static StringRef getSourceDir(ModuleOp module) {
  auto dir = module->getAttrOfType<StringAttr>(kSourceDirAttr);
  return dir ? dir.getValue() : "";
}

LogicalResult headopt::exportONNX(ModuleOp module, StringRef path,
                                  ONNXFormat format) {
  OutputFiles files;
  if (failed(exportONNX(module, path, format, files)))
    return failure();
  if (llvm::Error error = files.commit())
    return emitError(module.getLoc()) << llvm::toString(std::move(error));
  return success();
}

LogicalResult headopt::exportONNX(ModuleOp module, StringRef path,
                                  ONNXFormat format, OutputFiles &files) {
  try {
    Exporter exporter(module);
    ModelProto model = exporter.exportModel();

    DataFile data;
    std::string dataPath = (path + ".data").str();
    data.location = llvm::sys::path::filename(dataPath).str();
    placeTensors(model, exporter.getMemory(), getSourceDir(module),
                 llvm::sys::path::parent_path(path), format, data);

    bool complete = true;
    std::vector<wire::Piece> pieces =
        makePieces(std::move(model), exporter.getMemory(), format, complete);

    llvm::Expected<OutputFile> file = OutputFile::create(path);
    check(file ? llvm::Error::success() : file.takeError());
    std::optional<OutputFile> dataFile;
    if (!data.pieces.empty()) {
      if (path == "-")
        fail("the model needs a data file beside it, which standard output "
             "cannot have; name an output file");
      llvm::Expected<OutputFile> created = OutputFile::create(dataPath);
      check(created ? llvm::Error::success() : created.takeError());
      dataFile.emplace(std::move(*created));
      writePieces(*dataFile, data.pieces);
    }
    writePieces(*file, pieces);
    // Data first: a model must never name a data file that is not there.
    if (dataFile)
      files.add(std::move(*dataFile));
    files.add(std::move(*file));
    warnIfIncomplete(module, complete);
  } catch (const std::exception &e) {
    return emitError(module.getLoc()) << e.what();
  }
  return success();
}

LogicalResult headopt::exportONNXToMemory(ModuleOp module, std::string &bytes,
                                          ONNXFormat format) {
  bytes.clear();
  try {
    Exporter exporter(module);
    ModelProto model = exporter.exportModel();
    DataFile data;
    StringRef sourceDir = getSourceDir(module);
    placeTensors(model, exporter.getMemory(), sourceDir, sourceDir, format,
                 data);
    if (!data.pieces.empty())
      fail("the model needs a data file beside it; write it to a file");
    bool complete = true;
    for (const wire::Piece &piece :
         makePieces(std::move(model), exporter.getMemory(), format, complete)) {
      if (piece.file.empty()) {
        bytes += piece.bytes;
        bytes += piece.memory;
        continue;
      }
      auto buffer = llvm::MemoryBuffer::getFileSlice(piece.file, piece.length,
                                                     piece.offset);
      if (!buffer)
        fail("cannot read tensor data from '" + piece.file +
             "': " + buffer.getError().message());
      bytes += (*buffer)->getBuffer();
    }
    warnIfIncomplete(module, complete);
  } catch (const std::exception &e) {
    bytes.clear();
    return emitError(module.getLoc()) << e.what();
  }
  return success();
}
