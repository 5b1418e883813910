//===- RaiseToGap.cpp - One form for maps that are averaged already -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is a global average is for GlobalAverage.h to say; this writes it as
// GlobalAveragePool and brings the result into the shape of the old value.
//
//===----------------------------------------------------------------------===//

#include "GraphEditor.h"
#include "Pooling.h"
#include "headopt/Analysis/GlobalAverage.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace headopt;

namespace headopt {
#define GEN_PASS_DEF_RAISETOGAP
#include "headopt/Transforms/Passes.h.inc"
} // namespace headopt

namespace {

/// A global average, and how it will be written.
struct Raise {
  onnx::NodeOpInterface node;
  Value map;
  SmallVector<int64_t> mapShape;
  /// The axes of the map in the order in which GlobalAveragePool takes them:
  /// the two that are kept, then all others.
  SmallVector<int64_t> mapPerm;
  Type element;
  /// How the pooled map [N, C, 1, ...] becomes the value: as a matrix,
  /// flattened from `flattenAxis` on; or its axes permuted, the last ones
  /// dropped.
  std::optional<int64_t> flattenAxis;
  SmallVector<int64_t> perm;
  int64_t numAdded = 0, numDropped = 0;
};

/// Writes down one raise after the other.
class Writer {
public:
  Writer(const Raise &raise, GraphEditor &editor)
      : raise(raise), node(raise.node), editor(editor), shape(raise.mapShape) {}

  /// Returns what takes the place of the node's result. The node stays, without
  /// a use.
  Value run();

private:
  template <typename OpTy>
  Value create(StringRef suffix, ValueRange operands,
               ArrayRef<NamedAttribute> attributes = {});
  Value permute(Value value, StringRef suffix, ArrayRef<int64_t> perm);
  template <typename OpTy>
  Value changeAxes(Value value, StringRef suffix, int64_t begin, int64_t end);

  const Raise &raise;
  onnx::NodeOpInterface node;
  GraphEditor &editor;
  /// Of the last value.
  SmallVector<int64_t> shape;
  /// How many nodes are still to come.
  unsigned numLeft = 0;
};

} // namespace

/// The next node. The last one takes over the old node's name, and its value's.
template <typename OpTy>
Value Writer::create(StringRef suffix, ValueRange operands,
                     ArrayRef<NamedAttribute> attributes) {
  if (--numLeft != 0)
    return editor.createNode<OpTy>(node, suffix,
                                   RankedTensorType::get(shape, raise.element),
                                   operands, attributes);
  SmallVector<NamedAttribute> all(attributes);
  for (StringRef name : {"node_name", "domain", "outs", "rest"})
    if (Attribute attr = node->getAttr(name))
      all.emplace_back(StringAttr::get(node->getContext(), name), attr);
  OpBuilder b(node);
  return OpTy::create(b, node.getLoc(), TypeRange{node->getResult(0).getType()},
                      operands, all)
      ->getResult(0);
}

Value Writer::permute(Value value, StringRef suffix, ArrayRef<int64_t> perm) {
  SmallVector<int64_t> permuted;
  for (int64_t axis : perm)
    permuted.push_back(shape[axis]);
  shape = permuted;
  Builder b(node->getContext());
  return create<onnx::TransposeOp>(
      suffix, value, b.getNamedAttr("perm", b.getDenseI64ArrayAttr(perm)));
}

/// A Squeeze or Unsqueeze of the axes [begin, end).
template <typename OpTy>
Value Writer::changeAxes(Value value, StringRef suffix, int64_t begin,
                         int64_t end) {
  shape.resize(std::is_same_v<OpTy, onnx::SqueezeOp> ? begin : end, 1);
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq(begin, end));
  Builder b(node->getContext());
  std::optional<int64_t> opset = onnx::getOpsetVersion(node);
  if (opset && *opset < 13)
    return create<OpTy>(suffix, value,
                        b.getNamedAttr("axes", b.getDenseI64ArrayAttr(axes)));
  auto type = RankedTensorType::get({end - begin}, b.getI64Type());
  Value axesInput = editor.createConstant(
      node, DenseElementsAttr::get(type, ArrayRef<int64_t>(axes)),
      node.getDisplayName() + "/" + suffix + "_axes");
  return create<OpTy>(suffix, {value, axesInput});
}

Value Writer::run() {
  bool isMapPermuted = !llvm::is_sorted(raise.mapPerm);
  bool isPermuted = !llvm::is_sorted(raise.perm);
  numLeft = 1 + isMapPermuted + raise.flattenAxis.has_value() + isPermuted +
            (raise.numAdded != 0) + (raise.numDropped != 0);
  Value value = raise.map;
  if (isMapPermuted)
    value = permute(value, "channels_first", raise.mapPerm);
  std::fill(shape.begin() + 2, shape.end(), 1);
  value = create<onnx::GlobalAveragePoolOp>("pool", value);
  if (raise.flattenAxis) {
    Builder b(node->getContext());
    value = create<onnx::FlattenOp>(
        "flatten", value,
        b.getNamedAttr("axis", b.getI64IntegerAttr(*raise.flattenAxis)));
  }
  int64_t rank = shape.size();
  if (raise.numAdded != 0)
    value = changeAxes<onnx::UnsqueezeOp>(value, "unsqueeze", rank,
                                          rank + raise.numAdded);
  if (isPermuted)
    value = permute(value, "transpose", raise.perm);
  if (raise.numDropped != 0)
    value = changeAxes<onnx::SqueezeOp>(value, "squeeze",
                                        rank - raise.numDropped, rank);
  Value old = node->getResult(0);
  old.replaceAllUsesWith(value);
  // The name lives on, and so does what the graph says of it.
  node->removeAttr("outs");
  return value;
}

/// Decides in which order the axes of the map are pooled; false, and the reason
/// in `whyNot`, when there is none. Axes of extent 1 may be averaged or not.
static bool planMap(Raise &raise, const GlobalAverage &average,
                    std::string &whyNot) {
  SmallVector<int64_t> kept, ones;
  for (auto [axis, extent] : llvm::enumerate(raise.mapShape))
    if (!llvm::is_contained(average.axes, axis))
      (extent == 1 ? ones : kept).push_back(axis);
  for (int64_t axis : ones)
    if (kept.size() < 2)
      kept.push_back(axis);
  if (kept.size() != 2) {
    whyNot = kept.size() < 2
                 ? "the map has its samples and channels in one axis"
                 : "more than two axes of the map are kept";
    return false;
  }
  llvm::sort(kept);
  raise.mapPerm = kept;
  for (int64_t axis : llvm::seq<int64_t>(0, raise.mapShape.size()))
    if (!llvm::is_contained(kept, axis))
      raise.mapPerm.push_back(axis);
  return true;
}

/// Decides how `average`, which is the result of `node`, is written; false, and
/// the reason in `whyNot`, when it cannot be.
static bool plan(Raise &raise, const GlobalAverage &average,
                 std::string &whyNot) {
  int64_t rank = raise.mapShape.size();
  if (!planMap(raise, average, whyNot))
    return false;
  SmallVector<int64_t> pooled = llvm::to_vector(llvm::seq<int64_t>(2, rank));
  if (!isGlobalAveragePool(pooled, rank, raise.element,
                           onnx::getOpsetVersion(raise.node))) {
    whyNot = llvm::formatv("there is no GlobalAveragePool of rank {0} for {1} "
                           "in the model's opset, or none in runtimes",
                           rank, raise.element);
    return false;
  }
  if (!average.resultAxes) {
    whyNot = "its result splits the axes of the map";
    return false;
  }
  // From here on axes of the map are counted as they are pooled.
  SmallVector<SmallVector<int64_t, 2>> axes = *average.resultAxes;
  SmallVector<int64_t> rest;
  for (SmallVectorImpl<int64_t> &each : axes)
    for (int64_t &axis : each) {
      axis = llvm::find(raise.mapPerm, axis) - raise.mapPerm.begin();
      rest.push_back(axis);
    }
  if (axes.size() == 2 && llvm::is_sorted(rest)) {
    raise.flattenAxis = axes[1].empty() ? 2 : axes[1].front();
    return true;
  }
  if (llvm::any_of(axes,
                   [](ArrayRef<int64_t> each) { return each.size() > 1; })) {
    whyNot = "its result joins axes of the map";
    return false;
  }
  // Axes of extent 1 are any that are left.
  raise.numAdded = std::max<int64_t>(axes.size() - rank, 0);
  SmallVector<int64_t> ones;
  for (int64_t axis : llvm::seq<int64_t>(0, rank + raise.numAdded))
    if (!llvm::is_contained(rest, axis))
      ones.push_back(axis);
  int64_t *next = ones.begin();
  for (ArrayRef<int64_t> each : axes)
    raise.perm.push_back(each.empty() ? *next++ : each.front());
  raise.numDropped = ones.end() - next;
  raise.perm.append(next, ones.end());
  return true;
}

namespace {
struct RaiseToGapPass : headopt::impl::RaiseToGapBase<RaiseToGapPass> {
  void runOnOperation() override {
    // All of them are found before the first is rewritten: facts are of values
    // as they were.
    const auto &facts = getAnalysis<ModelFacts>();
    SmallVector<Raise> raises;
    getOperation().walk([&](onnx::NodeOpInterface node) {
      if (node->getNumResults() != 1)
        return;
      Value value = node->getResult(0);
      std::optional<GlobalAverage> average = matchGlobalAverage(value, facts);
      bool isRaised = average && isa<onnx::GlobalAveragePoolOp>(node) &&
                      average->map == node->getOperand(0);
      if (average && !isRaised)
        consider(node, *average, facts, raises);
    });
    if (raises.empty())
      return markAllAnalysesPreserved();
    GraphEditor editor(getOperation());
    // The map of one may be the result of another, so that nothing goes before
    // all are written.
    llvm::SmallDenseMap<Value, Value> replaced;
    for (Raise &raise : raises) {
      if (Value other = replaced.lookup(raise.map))
        raise.map = other;
      Value value = Writer(raise, editor).run();
      replaced[raise.node->getResult(0)] = value;
    }
    // In program order what goes with a node has been visited before it.
    for (Raise &raise : raises)
      editor.eraseIfDead(raise.node->getResult(0));
  }

  void consider(onnx::NodeOpInterface node, const GlobalAverage &average,
                const ModelFacts &facts, SmallVectorImpl<Raise> &raises) {
    auto options = remark::RemarkOpts::name("GlobalAverage")
                       .category("raise-to-gap")
                       .function(node.getDisplayName());
    Raise raise{node, average.map, {}, {}, {}, {}, {}};
    for (const Extent &extent : *facts.get(average.map).shape)
      raise.mapShape.push_back(extent.getNumber());
    for (Value value : {Value(node->getResult(0)), average.map})
      if (auto type = dyn_cast<TensorType>(value.getType()))
        raise.element = type.getElementType();
    std::string whyNot = "its element type is not known";
    if (!raise.element || !plan(raise, average, whyNot)) {
      remark::missed(node.getLoc(), options) << remark::reason("{0}", whyNot);
      return;
    }
    remark::passed(node.getLoc(), options)
        << "wrote a mean over all positions as GlobalAveragePool";
    raises.push_back(std::move(raise));
  }
};
} // namespace
