//===- FlattenToGap.cpp - Pool heads before their dense layer -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All judgement is in HeadAnalysis; this writes down what it found.
//
//===----------------------------------------------------------------------===//

#include "ConstantInitializersScope.h"
#include "GraphEditor.h"
#include "HeadRewrite.h"
#include "Pooling.h"
#include "headopt/Analysis/HeadAnalysis.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace headopt;

namespace headopt {
#define GEN_PASS_DEF_FLATTENTOGAP
#include "headopt/Transforms/Passes.h.inc"
} // namespace headopt

/// Repeats what stands between the map of `head` and its dense layer on the map
/// itself, and returns the result.
static Value repeatSteps(const Head &head, GraphEditor &editor) {
  auto dense = cast<onnx::NodeOpInterface>(head.layer.op);
  Value map = head.featureMap;
  for (OpOperand *operand : head.repeats) {
    Operation *step = operand->getOwner();
    OpBuilder b(step);
    IRMapping mapping;
    mapping.map(operand->get(), map);
    Operation *repeated = b.clone(*step, mapping);
    // Not every file says of what type a value is.
    auto known = dyn_cast<TensorType>(step->getResult(0).getType());
    Type element = known ? known.getElementType()
                         : head.pooledWeight->type.getElementType();
    repeated->getResult(0).setType(
        RankedTensorType::get(head.mapShape, element));
    auto node = cast<onnx::NodeOpInterface>(repeated);
    if (!node.getNodeName().empty())
      repeated->setAttr("node_name",
                        editor.getUniqueName(node.getNodeName() + "/repeated"));
    SmallVector<Attribute> names;
    for (size_t i = 0; i != repeated->getNumResults(); ++i)
      names.push_back(
          editor.getUniqueName(dense.getDisplayName() + "/repeated_out"));
    repeated->setAttr("outs", b.getArrayAttr(names));
    // Scale and zero point of DynamicQuantizeLinear are those of all elements,
    // and they are the same elements.
    for (auto [old, other] : llvm::drop_begin(
             llvm::zip_equal(step->getResults(), repeated->getResults())))
      old.replaceUsesWithIf(other, [](OpOperand &use) {
        // An output of the graph keeps its name.
        return !use.getOwner()->hasTrait<OpTrait::IsTerminator>();
      });
    map = repeated->getResult(0);
  }
  return map;
}

/// A reduction of `data`, which has `type`, over `axes`, which keep extent 1
/// when `keep`. The axes are an input from opset `inputSince` on.
template <typename OpTy>
static Value createReduction(const Head &head, GraphEditor &editor,
                             StringRef suffix, Value data,
                             RankedTensorType type, ArrayRef<int64_t> axes,
                             bool keep, int64_t inputSince) {
  auto dense = cast<onnx::NodeOpInterface>(head.layer.op);
  OpBuilder b(dense);
  std::optional<int64_t> opset = onnx::getOpsetVersion(dense);
  SmallVector<int64_t> shape;
  for (int64_t axis = 0; axis != type.getRank(); ++axis)
    if (!llvm::is_contained(axes, axis))
      shape.push_back(type.getDimSize(axis));
    else if (keep)
      shape.push_back(1);
  SmallVector<Value> operands{data};
  SmallVector<NamedAttribute> attributes{
      b.getNamedAttr("keepdims", b.getI64IntegerAttr(keep))};
  if (opset && *opset < inputSince)
    attributes.push_back(b.getNamedAttr("axes", b.getDenseI64ArrayAttr(axes)));
  else
    operands.push_back(editor.createConstant(
        dense,
        DenseElementsAttr::get(
            RankedTensorType::get({static_cast<int64_t>(axes.size())},
                                  b.getI64Type()),
            axes),
        dense.getDisplayName() + "/" + suffix + "_axes"));
  return editor.createNode<OpTy>(
      dense, suffix, RankedTensorType::get(shape, type.getElementType()),
      operands, attributes);
}

/// The mean of `map` over the pooled axes.
static Value createMean(const Head &head, GraphEditor &editor, Value map) {
  auto dense = cast<onnx::NodeOpInterface>(head.layer.op);
  auto type = RankedTensorType::get(head.mapShape,
                                    head.pooledWeight->type.getElementType());
  ArrayRef<int64_t> axes = head.pooledAxes;
  if (isGlobalAveragePool(axes, type.getRank(), type.getElementType(),
                          onnx::getOpsetVersion(dense))) {
    SmallVector<int64_t> shape(type.getShape());
    for (int64_t axis : axes)
      shape[axis] = 1;
    return editor.createNode<onnx::GlobalAveragePoolOp>(
        dense, "pool", RankedTensorType::get(shape, type.getElementType()),
        map);
  }
  return createReduction<onnx::ReduceMeanOp>(
      head, editor, "pool", map, type, axes,
      /*keep=*/!head.layer.isMatrixProduct(), /*inputSince=*/18);
}

/// For an integer layer: the sum of `map`, less its zero point, over the pooled
/// axes along which the map varies; along the others all values are the same.
static Value createSum(const Head &head, GraphEditor &editor, Value map) {
  auto layer = cast<onnx::MatMulIntegerOp>(head.layer.op);
  auto dense = cast<onnx::NodeOpInterface>(head.layer.op);
  OpBuilder b(dense);
  static constexpr int64_t kInt32 = 6; // TensorProto.DataType
  auto widen = [&](Value value, RankedTensorType type, StringRef suffix) {
    return editor.createNode<onnx::CastOp>(
        dense, suffix, type, value,
        b.getNamedAttr("to", b.getI64IntegerAttr(kInt32)));
  };
  auto type = RankedTensorType::get(head.mapShape, b.getI32Type());
  Value sum = widen(map, type, "widened");
  Operation::operand_range zeros = layer.getZeroPoints();
  // One number, with or without an axis.
  auto zeroType = RankedTensorType::get({}, b.getI32Type());
  if (!zeros.empty())
    if (auto known = dyn_cast<RankedTensorType>(zeros.front().getType()))
      zeroType = known.clone(b.getI32Type());
  if (!zeros.empty() && !isa<NoneType>(zeros.front().getType()))
    sum = editor.createNode<onnx::SubOp>(
        dense, "centred", type,
        {sum, widen(zeros.front(), zeroType, "zero_point")});
  SmallVector<int64_t> varying;
  for (int64_t axis : head.pooledAxes)
    if (!llvm::is_contained(head.evenMapAxes, axis))
      varying.push_back(axis);
  if (!varying.empty())
    sum = createReduction<onnx::ReduceSumOp>(head, editor, "pool", sum, type,
                                             varying, /*keep=*/true,
                                             /*inputSince=*/13);
  if (!head.evenMapAxes.empty())
    sum = createReduction<onnx::ReduceMaxOp>(
        head, editor, "pool_even", sum, cast<RankedTensorType>(sum.getType()),
        head.evenMapAxes, /*keep=*/true, /*inputSince=*/18);
  return sum;
}

/// Creates what the dense layer of `head` is to read instead.
static Value createPooledData(const Head &head, GraphEditor &editor) {
  Value map = repeatSteps(head, editor);
  Value pooled = head.layer.isInteger() ? createSum(head, editor, map)
                                        : createMean(head, editor, map);
  auto type = cast<RankedTensorType>(pooled.getType());
  if (!head.layer.isMatrixProduct() || type.getRank() == 2)
    return pooled;
  auto dense = cast<onnx::NodeOpInterface>(head.layer.op);
  OpBuilder b(dense);
  int64_t features =
      head.pooledWeight->type.getDimSize(head.layer.featureAxes.front());
  return editor.createNode<onnx::FlattenOp>(
      dense, "flatten",
      RankedTensorType::get({type.getDimSize(0), features},
                            type.getElementType()),
      pooled, b.getNamedAttr("axis", b.getI64IntegerAttr(1)));
}

/// Creates the pooled weight, written the way the old one is.
static Value createPooledWeight(Head &head, GraphEditor &editor) {
  PooledWeight &pooled = *head.pooledWeight;
  Operation *source = pooled.source;
  auto dense = cast<onnx::NodeOpInterface>(head.layer.op);
  std::string hint = (dense.getDisplayName() + "/pooled_weight").str();
  if (!isa<onnx::ConstantOfShapeOp>(source) || !pooled.splat)
    return editor.createConstantLike(source, takeElements(pooled, hint), hint);

  OpBuilder b(source->getContext());
  Value shape = editor.createConstantLike(
      source,
      DenseElementsAttr::get(
          RankedTensorType::get({pooled.type.getRank()}, b.getI64Type()),
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

/// Adds `shift` to the result of `dense`, under the result's own name.
static void addShift(PooledWeight &shift, Operation *dense,
                     GraphEditor &editor) {
  auto node = cast<onnx::NodeOpInterface>(dense);
  std::string name = node.getDisplayName().str();
  Value result = dense->getResult(0);
  Value constant = editor.createConstantLike(
      shift.source, takeElements(shift, name), name + "/shift");
  OpBuilder b(dense->getContext());
  b.setInsertionPointAfter(dense);
  NamedAttrList names;
  if (!node.getNodeName().empty())
    names.set("node_name", editor.getUniqueName(name + "/add_shift"));
  if (Attribute outs = dense->getAttr("outs"))
    names.set("outs", outs);
  auto add =
      onnx::AddOp::create(b, dense->getLoc(), TypeRange{result.getType()},
                          ValueRange{result, constant}, names);
  result.replaceAllUsesExcept(add.getResult(), add);
  dense->setAttr("outs", b.getArrayAttr(Attribute(
                             editor.getUniqueName(name + "/before_shift"))));
}

static void rewriteHead(Head &head, GraphEditor &editor) {
  Value oldData = head.layer.data->get();
  Value oldWeight = head.layer.weight->get();
  Value data = createPooledData(head, editor);
  Value weight = createPooledWeight(head, editor);
  SmallVector<Value> others;
  if (head.layer.isInteger()) {
    // Sums of 8-bit integers need 32 bits, which MatMulInteger does not take.
    Operation *old = head.layer.op;
    OpBuilder b(old);
    llvm::append_range(others, old->getOperands().drop_front(2));
    SmallVector<NamedAttribute> names;
    for (NamedAttribute attr : old->getAttrs())
      if (onnx::detail::isNodeBookkeeping(attr.getName()))
        names.push_back(attr);
    auto product =
        onnx::MatMulOp::create(b, old->getLoc(), old->getResultTypes(),
                               ValueRange{data, weight}, names);
    old->replaceAllUsesWith(product->getResults());
    old->erase();
    head.layer.op = product;
  } else {
    head.layer.data->set(data);
    head.layer.weight->set(weight);
  }
  if (auto conv = dyn_cast<onnx::ConvOp>(head.layer.op);
      conv && conv.getKernelShape())
    conv.setKernelShape(head.pooledWeight->type.getShape().drop_front(2));
  if (head.shift)
    addShift(*head.shift, head.layer.op, editor);
  editor.eraseIfDead(oldData);
  editor.eraseIfDead(oldWeight);
  for (Value other : others)
    editor.eraseIfDead(other);
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
    ConstantInitializersScope scope(getOperation(), constantInitializers);
    HeadAnalysisOptions options;
    options.residual = residual;
    HeadAnalysis analysis(getOperation(), options);
    if (onHeads)
      onHeads(analysis);
    std::optional<GraphEditor> editor;
    for (Head &head : std::move(analysis).takeHeads()) {
      emitRemark(head, "flatten-to-gap",
                 cast<onnx::NodeOpInterface>(head.layer.op).getDisplayName());
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
