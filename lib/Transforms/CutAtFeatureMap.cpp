//===- CutAtFeatureMap.cpp - A model without its head ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the head is, HeadRange says; this takes it off, and what only it needed.
//
//===----------------------------------------------------------------------===//

#include "ConstantInitializersScope.h"
#include "GraphBoundary.h"
#include "GraphEditor.h"
#include "headopt/Analysis/HeadRange.h"
#include "headopt/Analysis/Lowerable.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace headopt;

namespace headopt {
#define GEN_PASS_DEF_CUTATFEATUREMAP
#include "headopt/Transforms/Passes.h.inc"
} // namespace headopt

/// What model-local functions are told apart by, as far as calls say.
static std::string getKey(func::FuncOp function) {
  auto fields = function->getAttrOfType<DictionaryAttr>(onnx::kFunctionAttr);
  if (!fields)
    return "";
  auto get = [&](StringRef name) {
    auto text = fields.getAs<StringAttr>(name);
    return text ? text.getValue() : "";
  };
  return (get("domain") + "::" + get("name")).str();
}

namespace {

/// Makes one model a backbone.
class Cutter {
public:
  Cutter(const HeadRange &range, const ModelFacts &facts, ModuleOp module)
      : range(range), facts(facts), module(module), graph(range.graph),
        block(graph.getBody().front()), editor(module) {}

  void run();

private:
  void findHeadOps();
  void setOutputs();
  void eraseHead();
  llvm::StringSet<> getCalled();
  bool isHeads(Value value) const {
    return value.getDefiningOp() && headOps.contains(value.getDefiningOp());
  }

  const HeadRange &range;
  const ModelFacts &facts;
  ModuleOp module;
  func::FuncOp graph;
  Block &block;
  GraphEditor editor;
  /// The head and all that depends on it.
  llvm::SetVector<Operation *> headOps;
};

} // namespace

void Cutter::findHeadOps() {
  headOps.insert(range.ops.begin(), range.ops.end());
  for (size_t i = 0; i != headOps.size(); ++i)
    for (Operation *user : headOps[i]->getUsers())
      if (Operation *outer = block.findAncestorOpInBlock(*user);
          outer != block.getTerminator())
        headOps.insert(outer);
}

/// Makes the map an output in place of the first that is the head's, and drops
/// the others that are.
void Cutter::setOutputs() {
  Operation *terminator = block.getTerminator();
  bool isOutput = llvm::is_contained(terminator->getOperands(), range.map);
  RankedTensorType mapType = getKnownType(range.map, facts);
  NamedAttrList info = describeValue(range.map, mapType, graph, facts);
  if (!isOutput) {
    if (range.map.getDefiningOp())
      Value(range.map).setType(mapType);
    if (!info.get(onnx::kNameAttr))
      info.set(onnx::kNameAttr, editor.getUniqueName("feature_map"));
    editor.forgetValueInfo(&block, onnx::getValueName(range.map));
  }
  Builder b(module.getContext());
  SmallVector<Value> outputs;
  SmallVector<Attribute> attrs;
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    if (!isHeads(value)) {
      outputs.push_back(value);
      DictionaryAttr given = graph.getResultAttrDict(i);
      attrs.push_back(given ? given : b.getDictionaryAttr({}));
      continue;
    }
    if (value != range.result)
      module.emitWarning("the output '")
          << onnx::getValueName(value)
          << "' depends on the head but is not its result, '"
          << onnx::getValueName(range.result)
          << "'; neither the backbone nor the head gives it";
    if (!isOutput) {
      outputs.push_back(range.map);
      attrs.push_back(info.getDictionary(module.getContext()));
      isOutput = true;
    }
  }
  terminator->setOperands(outputs);
  graph.setFunctionType(b.getFunctionType(graph.getArgumentTypes(),
                                          ValueRange(outputs).getTypes()));
  graph.setResAttrsAttr(b.getArrayAttr(attrs));
}

/// Erases the head, and of what it read all that nothing else reads.
void Cutter::eraseHead() {
  llvm::SetVector<Operation *> above;
  auto addRead = [&](Operation *op) {
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (Operation *def = operand.getDefiningOp();
            def && def->getBlock() == &block && !headOps.contains(def))
          above.insert(def);
    });
  };
  for (Operation *op : headOps)
    addRead(op);
  for (size_t i = 0; i != above.size(); ++i)
    addRead(above[i]);
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (!headOps.contains(&op) && !above.contains(&op))
      continue;
    if (!op.use_empty())
      continue;
    for (Value result : op.getResults())
      editor.forgetValueInfo(&block, onnx::getValueName(result));
    op.erase();
  }
}

/// The model-local functions that the main graph calls, by domain and name, and
/// those that these call.
llvm::StringSet<> Cutter::getCalled() {
  llvm::StringMap<SmallVector<func::FuncOp, 1>> functions;
  for (auto function : module.getOps<func::FuncOp>())
    functions[getKey(function)].push_back(function);
  llvm::StringSet<> called;
  SmallVector<func::FuncOp> pending{graph};
  while (!pending.empty())
    pending.pop_back_val().walk([&](onnx::NodeOpInterface node) {
      std::string key =
          (node.getOperatorDomain() + "::" + node.getOperatorName()).str();
      auto it = functions.find(key);
      if (it != functions.end() && called.insert(key).second)
        llvm::append_range(pending, it->second);
    });
  return called;
}

void Cutter::run() {
  llvm::StringSet<> calledBefore = getCalled();
  SmallVector<bool> wasRead;
  for (BlockArgument argument : block.getArguments())
    wasRead.push_back(!argument.use_empty());
  findHeadOps();
  setOutputs();
  eraseHead();
  // Inputs that nothing read in the first place are the model's own.
  for (unsigned i = block.getNumArguments(); i-- != 0;)
    if (wasRead[i] && block.getArgument(i).use_empty())
      (void)graph.eraseArgument(i);
  llvm::StringSet<> calledNow = getCalled();
  for (auto function :
       llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
    std::string key = getKey(function);
    if (calledBefore.contains(key) && !calledNow.contains(key))
      function.erase();
  }
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct CutAtFeatureMapPass
    : headopt::impl::CutAtFeatureMapBase<CutAtFeatureMapPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    ConstantInitializersScope scope(module, constantInitializers);
    HeadAnalysisOptions analysisOptions;
    analysisOptions.residual = false;
    HeadAnalysis analysis(module, analysisOptions);
    std::string whyNot;
    std::optional<HeadRange> range = findLastHead(module, analysis, whyNot);
    if (!range) {
      module.emitError(whyNot);
      return signalPassFailure();
    }
    if (!getKnownType(range->map, analysis.getFacts())) {
      module.emitError("the rank or the element type of the feature map '")
          << onnx::getValueName(range->map)
          << "' is not known; run ONNX shape inference on the model";
      return signalPassFailure();
    }
    auto last = cast<onnx::NodeOpInterface>(range->result.getDefiningOp());
    remark::passed(last.getLoc(), remark::RemarkOpts::name("CutAtFeatureMap")
                                      .category("cut-at-feature-map")
                                      .function(last.getDisplayName()))
        << remark::add("cut the model at '{0}'",
                       onnx::getValueName(range->map));
    Cutter(*range, analysis.getFacts(), module).run();
  }
};
} // namespace
