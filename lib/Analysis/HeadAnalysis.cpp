//===- HeadAnalysis.cpp - Heads of a model and their verdicts -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/HeadAnalysis.h"
#include "HeadJudge.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace headopt;

StringRef headopt::getLabel(Rule rule) {
  static constexpr StringLiteral labels[kNumRules] = {
      "L1", "L2", "L3", "L4", "L5", "L6", "L7", "L8", "L9"};
  return labels[static_cast<unsigned>(rule)];
}

std::string headopt::describe(Operation *op) {
  auto node = dyn_cast<onnx::NodeOpInterface>(op);
  if (!node)
    return op->getName().getStringRef().str();
  return llvm::formatv("'{0}' ({1})", node.getDisplayName(),
                       node.getOperatorName());
}

std::string headopt::formatShape(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (auto [i, extent] : llvm::enumerate(shape))
    text += (i ? ", " : "") +
            (ShapedType::isDynamic(extent) ? "?" : std::to_string(extent));
  return text + "]";
}

std::string headopt::formatAxes(ArrayRef<int64_t> axes) {
  std::string text = axes.size() == 1 ? "axis " : "axes ";
  for (auto [i, axis] : llvm::enumerate(axes))
    text += (i ? ", " : "") + std::to_string(axis);
  return text;
}

/// Parameters of the layer as it is, and if all axes of the earliest map but
/// the channels were pooled.
void Judge::countParameters() {
  if (ShapedType::isDynamic(numFeatures) || ShapedType::isDynamic(numOutputs))
    return;
  std::string ignored;
  std::optional<Constant> added =
      head.layer.bias ? reader.readConstant(head.layer.bias, ignored)
                      : std::nullopt;
  int64_t bias = added ? added->type.getNumElements() : 0;
  head.parametersBefore = numFeatures * numOutputs + bias;
  head.parametersAfter = head.parametersBefore;
  head.parametersIfPooled = head.parametersBefore;
  if (candidates.empty())
    return;
  const AxisMap::View &view = map->getViews()[candidates.front()];
  head.channelAxis = reader.getChannelAxis(getValue(candidates.front()));
  if (head.channelAxis >= static_cast<int64_t>(view.size()))
    head.channelAxis = 1;
  int64_t channels = map->getNumber(view[head.channelAxis]);
  // In a grouped convolution the channels count among the outputs.
  if (!head.layer.isMatrixProduct() &&
      !llvm::is_contained(head.layer.dataAxes, 1))
    channels = 1;
  if (!ShapedType::isDynamic(channels))
    head.parametersIfPooled = channels * numOutputs + bias;
}

/// L9: the pooled head can be written.
void Judge::checkExpression() {
  std::string whyNot =
      reader.whyNotWritable(head.layer, pooledType,
                            /*addsShift=*/head.shift.has_value());
  if (!whyNot.empty())
    return refuse(Rule::Expression, whyNot);
  set(Rule::Expression, Outcome::Pass, "the model's opset has the new nodes");
}

/// The verdict that the rules give.
void Judge::conclude() {
  const PooledWeight *written = head.pooledWeight && !head.pooledWeight->splat
                                    ? &*head.pooledWeight
                                    : nullptr;
  static constexpr uint64_t kSlack = 256;
  if (written && weight->constant.folded &&
      written->bytes.size() > weight->constant.foldedFrom + kSlack)
    refuse(Rule::Expression,
           "the pooled weight would take " +
               llvm::Twine(written->bytes.size()) +
               " bytes, and what the old one is computed from takes " +
               llvm::Twine(weight->constant.foldedFrom));
  // A weight of 8 bits becomes one of 32.
  if (head.pooledWeight && head.layer.isInteger() && head.positions < 4)
    refuse(Rule::Expression,
           "the pooled weight needs 32-bit integers, which take more room than "
           "its " +
               llvm::Twine(head.positions) + " positions save");
  for (const RuleResult &result : head.rules) {
    if (result.outcome != Outcome::Fail)
      continue;
    head.verdict = Verdict::Refused;
    if (head.reason.empty())
      head.reason = result.text;
  }
  if (!head.reason.empty()) {
    head.pooledAxes.clear();
    head.evenMapAxes.clear();
    head.evenMapParts.clear();
    head.pooledWeight.reset();
    head.shift.reset();
    head.positions = 1;
    return;
  }
  const PooledWeight &pooled = *head.pooledWeight;
  Type type = pooled.type.getElementType();
  head.verdict = Verdict::Rewritable;
  head.difference.reset();
  head.parametersAfter = head.parametersBefore - numFeatures * numOutputs +
                         pooled.type.getNumElements();
  head.parametersIfPooled = head.parametersAfter;
  if (type.isInteger()) {
    head.condition = "equal in every bit";
    return;
  }
  head.condition = llvm::formatv(
      "equal over the real numbers; in {0} while the sum of the {1} averaged "
      "values stays finite, which it does for |x| <= {2:e3}",
      type, head.positions,
      APFloat::getLargest(cast<FloatType>(type).getFloatSemantics())
              .convertToDouble() /
          head.positions);
}

bool Judge::run() {
  bool isHead = judge();
  head.numFeatures = numFeatures;
  head.numOutputs = numOutputs;
  return isHead;
}

bool Judge::judge() {
  if (!walkPath())
    return false;
  Value weightValue = head.layer.weight->get();
  weight = readWeight(head.layer, reader, weightError);
  if (!weight) {
    // The product of two computed values is no layer; a weight that callers
    // give or may replace is one.
    if (!isa<onnx::GemmOp>(head.layer.op) &&
        !reader.isMadeFromConstants(weightValue, /*inputs=*/true))
      return false;
    refuse(Rule::Constant, "the weight is not constant: " + weightError);
    const std::optional<ValueFacts::Shape> &shape =
        reader.getFacts(weightValue).shape;
    if (shape && static_cast<int64_t>(shape->size()) == head.layer.weightRank) {
      auto count = [&](ArrayRef<int64_t> axes) {
        Extent product;
        for (int64_t axis : axes)
          product *= (*shape)[axis];
        return product.getNumber();
      };
      numFeatures = count(head.layer.featureAxes);
      numOutputs = count(head.layer.outputAxes);
    }
  } else {
    set(Rule::Constant, Outcome::Pass, "the weight is fixed by the file");
    numFeatures = weight->map.getNumber(weight->getFeatures());
    numOutputs = weight->map.getNumber(weight->getOutputs());
    if (head.layer.unsupported.empty())
      checkType();
  }

  if (head.layer.unsupported.empty())
    set(Rule::Form, Outcome::Pass, "data times weight");
  else
    refuse(Rule::Form, head.layer.unsupported);

  bool pooled = isPooled();
  if (!followPath()) {
    countParameters();
    if (pooled) {
      head.verdict = Verdict::Pooled;
      return true;
    }
    // MatMul also multiplies matrices of higher rank; without a shape only a
    // Flatten tells that this is none of them.
    if (!isa<onnx::GemmOp>(head.layer.op) &&
        !reader.getFacts(head.layer.data->get()).shape &&
        llvm::none_of(head.path, [](OpOperand *step) {
          return isa<onnx::FlattenOp, onnx::ReshapeOp>(step->getOwner());
        }))
      return false;
    conclude();
    return true;
  }
  set(Rule::View, Outcome::Pass, "every feature is one element of the map");
  if (!checkSamples())
    return false;
  if (candidates.empty()) {
    countParameters();
    conclude();
    return true;
  }
  pinOnes();
  describeMap(candidates.front());
  countParameters();
  if (pooled) {
    head.verdict = Verdict::Pooled;
    return true;
  }

  const AxisMap::Axis features = getFeatures();
  const AxisMap::View &view = map->getViews()[candidates.front()];
  if (!ShapedType::isDynamic(numFeatures) &&
      llvm::none_of(features, [&](unsigned digit) {
        return !map->getDigit(digit).extent.isNumber();
      })) {
    int64_t extent = map->getNumber(features);
    if (extent == 0 || extent != numFeatures)
      refuse(Rule::Extents, "the map has " + llvm::Twine(extent) +
                                " features and the weight " +
                                llvm::Twine(numFeatures) + " rows");
  }
  if (numFeatures == 0 || numOutputs == 0)
    refuse(Rule::Extents, "the weight has no elements: it is for " +
                              llvm::Twine(numFeatures) + " features and " +
                              llvm::Twine(numOutputs) + " outputs");
  else if (weight && (ShapedType::isDynamic(numFeatures) ||
                      ShapedType::isDynamic(numOutputs)))
    refuse(Rule::Extents, "the weight has more elements than can be counted");
  if (head.get(Rule::Extents).outcome != Outcome::Fail &&
      features.size() <= 1 && (features.empty() || view[1] == features)) {
    head.verdict = Verdict::Unit;
    return true;
  }
  if (weight && head.get(Rule::Extents).outcome != Outcome::Fail &&
      passes(Rule::Type) && passes(Rule::Form) && readZeroPoints() &&
      alignWeight() && foldTail()) {
    set(Rule::Extents, Outcome::Pass, "map and weight fit");
    checkExpression();
    testInvariance();
    // One axis that carries everything, and it varies: it is the channel.
    if (features.size() == 1 && !passes(Rule::Invariance)) {
      head.verdict = Verdict::Unit;
      head.difference.reset();
      head.residual.reset();
      head.residualByAxis.clear();
      set(Rule::Invariance, Outcome::NotTested, "");
      return true;
    }
  }
  conclude();
  return true;
}

static std::vector<Head> findHeads(Operation *root, const HeadReader &reader,
                                   const HeadAnalysisOptions &options) {
  std::vector<Head> heads;
  root->walk<WalkOrder::PreOrder>([&](Operation *op) {
    std::optional<DenseLayer> layer = reader.matchDenseLayer(op);
    // A convolution that is a mean pools for the layer behind it.
    if (!layer ||
        (isa<onnx::ConvOp>(op) && reader.isGlobalAverage(op->getResult(0))))
      return;
    Head head;
    head.layer = *layer;
    if (Judge(head, reader, options).run())
      heads.push_back(std::move(head));
  });
  return heads;
}

HeadAnalysis::HeadAnalysis(Operation *module, HeadAnalysisOptions options)
    : facts(module),
      heads(findHeads(module, *createONNXHeadReader(facts), options)) {}

LinalgHeadAnalysis::LinalgHeadAnalysis(Operation *root,
                                       HeadAnalysisOptions options)
    : heads(findHeads(root, *createLinalgHeadReader(root), options)) {}
