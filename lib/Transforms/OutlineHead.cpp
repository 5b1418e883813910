//===- OutlineHead.cpp - A model's head as a function ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the head is, HeadRange says; this copies it into a function of its own
// and lets go of the rest.
//
//===----------------------------------------------------------------------===//

#include "ConstantInitializersScope.h"
#include "GraphBoundary.h"
#include "headopt/Analysis/HeadRange.h"
#include "headopt/Analysis/Lowerable.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace headopt;

namespace headopt {
#define GEN_PASS_DEF_OUTLINEHEAD
#include "headopt/Transforms/Passes.h.inc"
} // namespace headopt

namespace {

/// Copies one head.
class Outliner {
public:
  Outliner(const HeadRange &range, const ModelFacts &facts)
      : range(range), facts(facts), b(range.result.getContext()) {}

  /// The head as a function called `name`, in no module yet.
  func::FuncOp run(StringRef name);

private:
  Value copyConstant(Value value);
  Value createNumbers(Value value);
  void copy(Operation *op);
  bool copyAsReshape(Operation *op);

  const HeadRange &range;
  const ModelFacts &facts;
  OpBuilder b;
  IRMapping mapping;
};

} // namespace

/// The constant `value`, with all that it is computed from.
Value Outliner::copyConstant(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (auto initializer = dyn_cast<onnx::InitializerOp>(op)) {
    // Old models list initializers as inputs, and the function has but one.
    Value copied;
    if (initializer.getInput())
      copied = onnx::ConstantOp::create(
          b, op->getLoc(), TypeRange{value.getType()}, ValueRange{},
          ArrayRef{b.getNamedAttr("value", initializer.getValueAttr()),
                   b.getNamedAttr("outs",
                                  b.getStrArrayAttr(initializer.getName()))});
    else
      copied = b.clone(*op)->getResult(0);
    mapping.map(value, copied);
    return copied;
  }
  // Only as deep as the folder goes.
  for (Value operand : op->getOperands())
    copyConstant(operand);
  b.clone(*op, mapping);
  return mapping.lookup(value);
}

/// A constant with the elements that `value` is known to have.
Value Outliner::createNumbers(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  RankedTensorType type = getKnownType(value, facts);
  SmallVector<Attribute> elements;
  SmallVector<int64_t> numbers = *facts.getNumbers(value);
  for (int64_t number : numbers)
    elements.push_back(
        isa<FloatType>(type.getElementType())
            ? TypedAttr(b.getFloatAttr(type.getElementType(), number))
            : b.getIntegerAttr(type.getElementType(), number));
  SmallVector<NamedAttribute> attrs{
      b.getNamedAttr("value", DenseElementsAttr::get(type, elements))};
  if (StringRef name = onnx::getValueName(value); !name.empty())
    attrs.push_back(b.getNamedAttr("outs", b.getStrArrayAttr(name)));
  Value constant = onnx::ConstantOp::create(b, value.getLoc(), TypeRange{type},
                                            ValueRange{}, attrs);
  mapping.map(value, constant);
  return constant;
}

/// Copies a view whose target is computed from extents, as a Flatten where it
/// is one and else with a constant target. False when `op` is none.
bool Outliner::copyAsReshape(Operation *op) {
  if (!isa<onnx::GatherOp>(op) &&
      !(isa<onnx::ReshapeOp>(op) &&
        classifyOperand(op->getOperand(1), facts) != OperandKind::Constant))
    return false;
  std::optional<SmallVector<int64_t>> target = getReshapeTarget(op, facts);
  if (!target)
    return false;
  SmallVector<NamedAttribute> attrs;
  for (StringRef name : {"node_name", "domain", "outs", "rest"})
    if (Attribute attr = op->getAttr(name))
      attrs.push_back(b.getNamedAttr(name, attr));
  Value data = mapping.lookup(op->getOperand(0));
  Type type = getKnownType(op->getResult(0), facts);
  const ValueFacts::Shape &from = *facts.get(op->getOperand(0)).shape;
  const ValueFacts::Shape &to = *facts.get(op->getResult(0)).shape;
  Value result;
  if (to.size() == 2 && from.size() >= 2 && to.front() == from.front()) {
    attrs.push_back(b.getNamedAttr("axis", b.getI64IntegerAttr(1)));
    result = onnx::FlattenOp::create(b, op->getLoc(), TypeRange{type},
                                     ValueRange{data}, attrs);
  } else {
    Value shape = onnx::ConstantOp::create(
        b, op->getLoc(),
        TypeRange{RankedTensorType::get({static_cast<int64_t>(target->size())},
                                        b.getI64Type())},
        ValueRange{}, b.getNamedAttr("value", b.getI64TensorAttr(*target)));
    result = onnx::ReshapeOp::create(b, op->getLoc(), TypeRange{type},
                                     ValueRange{data, shape}, attrs);
  }
  mapping.map(op->getResult(0), result);
  return true;
}

void Outliner::copy(Operation *op) {
  if (copyAsReshape(op))
    return;
  for (Value operand : op->getOperands()) {
    if (mapping.contains(operand))
      continue;
    if (classifyOperand(operand, facts) == OperandKind::Constant)
      copyConstant(operand);
    else
      createNumbers(operand);
  }
  Operation *copied = b.clone(*op, mapping);
  if (RankedTensorType type = getKnownType(op->getResult(0), facts))
    copied->getResult(0).setType(type);
}

func::FuncOp Outliner::run(StringRef name) {
  RankedTensorType mapType = getKnownType(range.map, facts);
  RankedTensorType resultType = getKnownType(range.result, facts);
  func::FuncOp graph = range.graph;
  auto function = func::FuncOp::create(
      graph.getLoc(), name, b.getFunctionType({mapType}, {resultType}));
  if (graph->hasAttr(onnx::kGraphAttr))
    function->setAttr(onnx::kGraphAttr, b.getDictionaryAttr(b.getNamedAttr(
                                            "name", b.getStringAttr(name))));
  function.setArgAttrs(0, describeValue(range.map, mapType, graph, facts));
  function.setResultAttrs(
      0, describeValue(range.result, resultType, graph, facts));
  Block *body = function.addEntryBlock();
  b.setInsertionPointToStart(body);
  mapping.map(range.map, body->getArgument(0));
  for (Operation *op : range.ops)
    copy(op);
  func::ReturnOp::create(b, graph.getLoc(), mapping.lookup(range.result));
  return function;
}

//===----------------------------------------------------------------------===//
// Remarks
//===----------------------------------------------------------------------===//

static void emitRemarks(const HeadRange &range) {
  auto last = cast<onnx::NodeOpInterface>(range.result.getDefiningOp());
  auto options = [&](StringRef name) {
    return remark::RemarkOpts::name(name)
        .category("outline-head")
        .function(last.getDisplayName());
  };
  remark::passed(last.getLoc(), options("OutlineHead"))
      << "outlined the head" << remark::metric("Nodes", range.ops.size());
  if (!range.stopped.empty())
    remark::missed(last.getLoc(), options("HeadEnds"))
        << remark::reason("the head ends here: {0}", range.stopped);
  for (Value value : range.neededOutside)
    remark::analysis(last.getLoc(), options("NeededOutside"))
        << remark::add("the inner value '{0}' is needed outside the head",
                       onnx::getValueName(value));
  if (range.numOthers != 0)
    remark::analysis(last.getLoc(), options("OtherHeads"))
        << remark::add("the model has {0} other head(s)", range.numOthers);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct OutlineHeadPass : headopt::impl::OutlineHeadBase<OutlineHeadPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    ConstantInitializersScope scope(getOperation(), constantInitializers);
    HeadAnalysisOptions options;
    options.residual = false;
    HeadAnalysis analysis(module, options);
    std::string whyNot;
    std::optional<HeadRange> range = findLastHead(module, analysis, whyNot);
    if (!range) {
      module.emitError(whyNot);
      return signalPassFailure();
    }
    emitRemarks(*range);
    func::FuncOp head = Outliner(*range, analysis.getFacts()).run(name);
    // Functions do not refer to each other by symbols.
    for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
      op.erase();
    module.push_back(head);
    // What else the model says is not said of the head.
    if (auto model = module->getAttrOfType<DictionaryAttr>(onnx::kModelAttr)) {
      NamedAttrList fields(model);
      fields.erase("rest");
      module->setAttr(onnx::kModelAttr, fields.getDictionary(&getContext()));
    }
  }
};
} // namespace
