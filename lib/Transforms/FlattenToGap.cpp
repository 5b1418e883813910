//===- FlattenToGap.cpp - Pool heads before their dense layer -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All judgement is in HeadAnalysis; this writes down what it found.
//
//===----------------------------------------------------------------------===//

#include "GraphEditor.h"
#include "headopt/Analysis/AxisMap.h"
#include "headopt/Analysis/HeadAnalysis.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace headopt;

namespace headopt {
#define GEN_PASS_DEF_FLATTENTOGAP
#include "headopt/Transforms/Passes.h.inc"
} // namespace headopt

/// True when GlobalAveragePool may pool `axes` of a map of this rank and
/// element type.
static bool isGlobalAveragePool(ArrayRef<int64_t> axes, int64_t rank,
                                Type element, std::optional<int64_t> opset) {
  // Runtimes have kernels for up to three spatial axes.
  if (rank < 3 || rank > 5 || static_cast<int64_t>(axes.size()) != rank - 2 ||
      axes.front() != 2)
    return false;
  // It takes bfloat16 from opset 22 on; runtimes have no kernel for double.
  return element.isF32() || element.isF16() ||
         (element.isBF16() && (!opset || *opset >= 22));
}

/// Creates the pooled map, [N, C'], before the dense node of `head`.
static Value createPooledMap(const Head &head, GraphEditor &editor) {
  auto dense = cast<onnx::NodeOpInterface>(head.layer.op);
  OpBuilder b(dense);
  Value map = head.featureMap;
  // Operators that act on each element alone come before the mean.
  for (Operation *step : ArrayRef(head.path).drop_front(head.pathBegin)) {
    if (isViewOp(step) || isa<onnx::IdentityOp, onnx::DropoutOp>(step))
      continue;
    Type element =
        cast<TensorType>(step->getResult(0).getType()).getElementType();
    auto type = cast<RankedTensorType>(map.getType()).clone(element);
    IRMapping mapping;
    mapping.map(step->getOperand(0), map);
    Operation *repeated = b.clone(*step, mapping);
    repeated->getResult(0).setType(type);
    auto node = cast<onnx::NodeOpInterface>(repeated);
    if (!node.getNodeName().empty())
      repeated->setAttr("node_name",
                        editor.getUniqueName(node.getNodeName() + "/repeated"));
    repeated->setAttr("outs", b.getArrayAttr(Attribute(editor.getUniqueName(
                                  dense.getDisplayName() + "/repeated_out"))));
    map = repeated->getResult(0);
  }

  auto type = cast<RankedTensorType>(map.getType());
  Type element = type.getElementType();
  std::optional<int64_t> opset = onnx::getOpsetVersion(dense);
  ArrayRef<int64_t> axes = head.pooledAxes;
  SmallVector<int64_t> kept, ones(type.getShape());
  for (int64_t axis = 0; axis != type.getRank(); ++axis) {
    if (llvm::is_contained(axes, axis))
      ones[axis] = 1;
    else
      kept.push_back(type.getDimSize(axis));
  }

  Value pooled;
  if (isGlobalAveragePool(axes, type.getRank(), element, opset)) {
    pooled = editor.createNode<onnx::GlobalAveragePoolOp>(
        dense, "pool", RankedTensorType::get(ones, element), map);
  } else {
    SmallVector<Value> operands{map};
    SmallVector<NamedAttribute> attributes{
        b.getNamedAttr("keepdims", b.getI64IntegerAttr(0))};
    if (opset && *opset < 18)
      attributes.push_back(
          b.getNamedAttr("axes", b.getDenseI64ArrayAttr(axes)));
    else
      operands.push_back(editor.createConstant(
          dense,
          DenseElementsAttr::get(
              RankedTensorType::get({static_cast<int64_t>(axes.size())},
                                    b.getI64Type()),
              axes),
          dense.getDisplayName() + "/pool_axes"));
    pooled = editor.createNode<onnx::ReduceMeanOp>(
        dense, "pool", RankedTensorType::get(kept, element), operands,
        attributes);
  }
  auto pooledType = cast<RankedTensorType>(pooled.getType());
  if (pooledType.getRank() == 2)
    return pooled;
  int64_t features =
      head.pooledWeight->type.getDimSize(head.layer.transposed ? 1 : 0);
  return editor.createNode<onnx::FlattenOp>(
      dense, "flatten",
      RankedTensorType::get({type.getDimSize(0), features}, element), pooled,
      b.getNamedAttr("axis", b.getI64IntegerAttr(1)));
}

/// Elements of a new weight. Attributes live as long as the context and are
/// compared and hashed whole, so that a large weight becomes a resource, which
/// takes the bytes over.
static TypedAttr createElements(RankedTensorType type, std::vector<char> bytes,
                                StringRef name) {
  static constexpr size_t kLarge = 1 << 16;
  if (bytes.size() < kLarge)
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  auto owned = std::make_unique<std::vector<char>>(std::move(bytes));
  ArrayRef<char> data(*owned);
  AsmResourceBlob blob(
      data, alignof(std::max_align_t),
      [owned = std::move(owned)](void *, size_t, size_t) {},
      /*dataIsMutable=*/false);
  return DenseResourceElementsAttr::get(type, name, std::move(blob));
}

/// Creates the pooled weight, written the way the old one is.
static Value createPooledWeight(Head &head, GraphEditor &editor) {
  PooledWeight &pooled = *head.pooledWeight;
  Operation *source = pooled.source;
  auto dense = cast<onnx::NodeOpInterface>(head.layer.op);
  std::string hint = (dense.getDisplayName() + "/pooled_weight").str();
  if (!isa<onnx::ConstantOfShapeOp>(source))
    return editor.createConstantLike(
        source, createElements(pooled.type, std::move(pooled.bytes), hint),
        hint);

  OpBuilder b(source->getContext());
  Value shape = editor.createConstantLike(
      source,
      DenseElementsAttr::get(RankedTensorType::get({2}, b.getI64Type()),
                             pooled.type.getShape()),
      hint + "_shape");
  b.setInsertionPoint(source);
  auto value = DenseElementsAttr::getFromRawBuffer(
      RankedTensorType::get({1}, pooled.type.getElementType()), pooled.bytes);
  return onnx::ConstantOfShapeOp::create(
      b, source->getLoc(), TypeRange{pooled.type}, shape,
      ArrayRef{b.getNamedAttr("value", value),
               b.getNamedAttr("outs", b.getArrayAttr(Attribute(
                                          editor.getUniqueName(hint))))});
}

static void rewriteHead(Head &head, GraphEditor &editor) {
  Value oldData = head.layer.data->get();
  Value oldWeight = head.layer.weight->get();
  head.layer.data->set(createPooledMap(head, editor));
  head.layer.weight->set(createPooledWeight(head, editor));
  editor.eraseIfDead(oldData);
  editor.eraseIfDead(oldWeight);
}

//===----------------------------------------------------------------------===//
// Remarks
//===----------------------------------------------------------------------===//

static void emitRemark(const Head &head) {
  auto dense = cast<onnx::NodeOpInterface>(head.layer.op);
  Location loc = dense.getLoc();
  auto options = remark::RemarkOpts::name("FlattenHead")
                     .category("flatten-to-gap")
                     .function(dense.getDisplayName());
  switch (head.verdict) {
  case Verdict::Rewritable:
    remark::passed(loc, options)
        << "pooled the feature map before the dense layer"
        << remark::metric("Positions", head.positions)
        << remark::metric("ParametersBefore", head.parametersBefore)
        << remark::metric("ParametersAfter", head.parametersAfter);
    return;
  case Verdict::Unit:
    remark::missed(loc, options)
        << remark::reason("{0}", std::string("the map has one position: "
                                             "nothing to gain"));
    return;
  case Verdict::Pooled:
    remark::missed(loc, options) << remark::reason(
        "{0}", std::string("the map is a global average already"));
    return;
  case Verdict::Refused:
    break;
  }
  std::string label;
  for (unsigned i = 0; i != kNumRules && label.empty(); ++i)
    if (head.rules[i].outcome == Outcome::Fail)
      label = getLabel(static_cast<Rule>(i)).str();
  remark::missed(loc, options)
      << remark::reason("{0}: {1}", label, head.reason)
      << remark::metric("ParametersBefore", head.parametersBefore)
      << remark::metric("ParametersIfPooled", head.parametersIfPooled);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct FlattenToGapPass : headopt::impl::FlattenToGapBase<FlattenToGapPass> {
  using Base::Base;
  FlattenToGapPass(FlattenToGapOptions options,
                   std::function<void(const HeadAnalysis &)> onHeads)
      : Base(options), onHeads(std::move(onHeads)) {}

  void runOnOperation() override {
    HeadAnalysisOptions options;
    options.residual = residual;
    HeadAnalysis analysis(getOperation(), options);
    if (onHeads)
      onHeads(analysis);
    std::optional<GraphEditor> editor;
    for (Head &head : std::move(analysis).takeHeads()) {
      emitRemark(head);
      if (head.verdict != Verdict::Rewritable)
        continue;
      if (!editor)
        editor.emplace(getOperation());
      rewriteHead(head, *editor);
    }
    if (!editor)
      markAllAnalysesPreserved();
  }

  std::function<void(const HeadAnalysis &)> onHeads;
};
} // namespace

std::unique_ptr<Pass>
headopt::createFlattenToGap(FlattenToGapOptions options,
                            std::function<void(const HeadAnalysis &)> onHeads) {
  return std::make_unique<FlattenToGapPass>(options, std::move(onHeads));
}
