//===- LinalgHeadReader.cpp - Heads written in linalg ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What front ends make of a Flatten head: `tensor.collapse_shape` of a map, a
// contraction with a constant, and between them transposes, expand_shape and
// operations per element. Named operations and generic ones are read alike, by
// their indexing maps and their bodies.
//
//===----------------------------------------------------------------------===//

#include "HeadReader.h"
#include "headopt/Analysis/ConstantFolder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace headopt;
using linalg::LinalgOp;

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

/// True when what `op` computes for an element depends on nothing but its
/// operands' elements, and on what is the same for all elements.
static bool isFunctionOfElements(LinalgOp op) {
  Block *body = op.getBlock();
  return !body->walk([](Operation *inner) {
                bool pure = isMemoryEffectFree(inner) ||
                            inner->hasTrait<OpTrait::IsTerminator>();
                return isa<linalg::IndexOp>(inner) || !pure
                           ? WalkResult::interrupt()
                           : WalkResult::advance();
              })
              .wasInterrupted();
}

/// True when the body of `op` reads the elements of `operand`. Some operations
/// answer this themselves and forget their init.
static bool readsElements(LinalgOp op, OpOperand *operand) {
  return !op.getMatchingBlockArgument(operand).use_empty();
}

/// `value` without a conversion that keeps every number.
static Value skipExtension(Value value) {
  Operation *op = value.getDefiningOp();
  return isa_and_nonnull<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp>(op)
             ? op->getOperand(0)
             : value;
}

/// What the body adds to its only output at each step; null when it does
/// something else.
static Value getAddend(LinalgOp op) {
  Block *body = op.getBlock();
  Operation *yield = body->getTerminator();
  if (op.getNumDpsInits() != 1 || yield->getNumOperands() != 1)
    return nullptr;
  Operation *add = yield->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::AddFOp, arith::AddIOp>(add))
    return nullptr;
  BlockArgument out = op.getMatchingBlockArgument(op.getDpsInitOperand(0));
  for (unsigned i : {0u, 1u})
    if (add->getOperand(i) == out && add->getOperand(1 - i) != out)
      return add->getOperand(1 - i);
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Operations per element
//===----------------------------------------------------------------------===//

/// The loop that `expr` is, or nullopt.
static std::optional<unsigned> getLoop(AffineExpr expr) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dim.getPosition();
  return std::nullopt;
}

/// The operand whose elements the result of `op`, a loop nest without
/// reductions, is computed from one by one, all other operands being scalars.
/// Null when there is none.
static OpOperand *getMappedOperand(LinalgOp op) {
  if (!op.hasPureTensorSemantics() || op->getNumResults() != 1 ||
      op.getNumLoops() != op.getNumParallelLoops() ||
      readsElements(op, op.getDpsInitOperand(0)) || !isFunctionOfElements(op))
    return nullptr;
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!out.isPermutation())
    return nullptr;
  OpOperand *mapped = nullptr;
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    if (map.isConstant())
      continue;
    if (mapped || !map.isPermutation())
      return nullptr;
    mapped = input;
  }
  return mapped;
}

/// For each axis of the result of `op` the axis of `operand` that it is.
static SmallVector<int64_t> getPermutation(LinalgOp op, OpOperand *operand) {
  AffineMap in = op.getMatchingIndexingMap(operand);
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  SmallVector<int64_t> perm;
  for (AffineExpr expr : out.getResults())
    perm.push_back(*in.getResultPosition(expr));
  return perm;
}

static bool isIdentity(ArrayRef<int64_t> perm) {
  return llvm::equal(perm, llvm::seq<int64_t>(0, perm.size()));
}

/// Where `op`, loops that hand on the elements of one operand as they are,
/// takes each axis of its result from; nullopt for others.
static std::optional<SmallVector<int64_t>> getCopiedAxes(Operation *op) {
  auto loops = dyn_cast<LinalgOp>(op);
  OpOperand *mapped = loops ? getMappedOperand(loops) : nullptr;
  if (!mapped || loops.getBlock()->getTerminator()->getOperand(0) !=
                     loops.getMatchingBlockArgument(mapped))
    return std::nullopt;
  return getPermutation(loops, mapped);
}

static bool isReshape(Operation *op) {
  return isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op);
}

/// True for a cast between tensors of which the rank is known, and so the same.
static bool isRankedCast(Operation *op) {
  auto cast = dyn_cast<tensor::CastOp>(op);
  return cast && isa<RankedTensorType>(cast.getSource().getType()) &&
         isa<RankedTensorType>(cast.getType());
}

//===----------------------------------------------------------------------===//
// The reader
//===----------------------------------------------------------------------===//

namespace {
class LinalgHeadReader : public HeadReader {
public:
  explicit LinalgHeadReader(Operation *root);

  std::optional<DenseLayer> matchDenseLayer(Operation *op) const override;
  const ValueFacts &getFacts(Value value) const override;
  OpOperand *getFollowedOperand(Operation *op,
                                std::string &whyNot) const override;
  bool isView(Operation *op) const override;
  bool isNoOp(Operation *op) const override;
  bool follow(Operation *op, int64_t lastExtent, AxisMap &map,
              std::string &whyNot) const override;
  SmallVector<Value> getInputs(Operation *op) const override;
  std::optional<Constant> readConstant(Value value,
                                       std::string &whyNot) const override;
  bool isMadeFromConstants(Value value, bool inputs) const override;
  bool isGlobalAverage(Value value) const override;
  int64_t getChannelAxis(Value map) const override;
  std::string whyNotWritable(const DenseLayer &layer, Type type,
                             bool addsShift) const override {
    return "";
  }

private:
  void record(Value value, ValueFacts found);
  void visit(Operation *op);
  ValueFacts inferView(Operation *op);
  ValueFacts inferLoops(LinalgOp op, OpResult result);
  Extent getSize(OpFoldResult size);
  Value findBias(LinalgOp op, int64_t numOutputs) const;

  llvm::DenseMap<Value, ValueFacts> facts;
  unsigned numSymbols = 0;
};
} // namespace

//===----------------------------------------------------------------------===//
// Facts
//===----------------------------------------------------------------------===//

LinalgHeadReader::LinalgHeadReader(Operation *root) {
  root->walk<WalkOrder::PreOrder>([&](Operation *op) {
    visit(op);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          record(argument, {});
  });
}

const ValueFacts &LinalgHeadReader::getFacts(Value value) const {
  static const ValueFacts nothing;
  auto it = facts.find(value);
  return it == facts.end() ? nothing : it->second;
}

/// Adds what the type says.
void LinalgHeadReader::record(Value value, ValueFacts found) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return;
  found.elementType = type.getElementType();
  if (!found.shape) {
    found.shape.emplace();
    for (int64_t extent : type.getShape())
      found.shape->push_back(ShapedType::isDynamic(extent)
                                 ? Extent::getSymbol(numSymbols++)
                                 : Extent(extent));
  }
  if (found.varying.size() != found.shape->size())
    found.varying = *found.shape;
  for (auto [varying, known, extent] :
       llvm::zip_equal(found.varying, *found.shape, type.getShape())) {
    if (!ShapedType::isDynamic(extent)) {
      if (!varying.isNumber(1))
        varying = extent;
      known = extent;
    }
    if (known.isNumber(1))
      varying = 1;
  }
  facts.try_emplace(value, std::move(found));
}

void LinalgHeadReader::visit(Operation *op) {
  if (auto loops = dyn_cast<LinalgOp>(op)) {
    for (OpResult result : op->getResults())
      record(result, inferLoops(loops, result));
    return;
  }
  for (OpResult result : op->getResults())
    record(result,
           llvm::TypeSwitch<Operation *, ValueFacts>(op)
               .Case<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
                   [&](Operation *op) { return inferView(op); })
               .Case([&](tensor::CastOp cast) {
                 return getFacts(cast.getSource());
               })
               .Case([&](tensor::EmptyOp empty) {
                 ValueFacts result;
                 result.shape.emplace();
                 for (OpFoldResult size : empty.getMixedSizes())
                   result.shape->push_back(getSize(size));
                 return result;
               })
               .Case([&](arith::ConstantOp constant) {
                 ValueFacts result;
                 auto type = dyn_cast<RankedTensorType>(constant.getType());
                 if (type && isa<SplatElementsAttr>(constant.getValue()))
                   result.varying.assign(type.getRank(), Extent(1));
                 if (type)
                   result.shape.emplace(type.getShape().begin(),
                                        type.getShape().end());
                 return result;
               })
               .Default([](Operation *) { return ValueFacts(); }));
}

/// The extent that `size` is.
Extent LinalgHeadReader::getSize(OpFoldResult size) {
  if (std::optional<int64_t> number = getConstantIntValue(size))
    return *number;
  if (auto dim = cast<Value>(size).getDefiningOp<tensor::DimOp>())
    if (std::optional<int64_t> axis = dim.getConstantIndex()) {
      const std::optional<ValueFacts::Shape> &shape =
          getFacts(dim.getSource()).shape;
      if (shape && *axis >= 0 && *axis < static_cast<int64_t>(shape->size()))
        return (*shape)[*axis];
    }
  return Extent::getSymbol(numSymbols++);
}

ValueFacts LinalgHeadReader::inferView(Operation *op) {
  const ValueFacts &input = getFacts(op->getOperand(0));
  ValueFacts result;
  if (!input.shape)
    return result;
  AxisMap map(*input.shape);
  std::string ignored;
  if (!follow(op, ShapedType::kDynamic, map, ignored))
    return result;
  map.describeLast(input, result);
  return result;
}

/// A result does not vary along a loop when nothing that is read varies along
/// it: an axis that is indexed with the loop, alone or with others, must be
/// even, and the loop's own index must not be asked for.
ValueFacts LinalgHeadReader::inferLoops(LinalgOp op, OpResult result) {
  ValueFacts found;
  if (!op.hasPureTensorSemantics())
    return found;
  OpOperand *init = op.getDpsInitOperand(result.getResultNumber());
  AffineMap out = op.getMatchingIndexingMap(init);
  found.shape = getFacts(init->get()).shape;
  if (!found.shape || !out.isProjectedPermutation())
    return found;
  bool plain = isFunctionOfElements(op);
  // Loops that only inputs have may take no step.
  bool staysInit = op.getNumLoops() != out.getNumResults();
  for (auto [axis, expr] : llvm::enumerate(out.getResults())) {
    unsigned loop = *getLoop(expr);
    Extent &extent = (*found.shape)[axis];
    bool even = plain;
    for (OpOperand &operand : op->getOpOperands()) {
      const ValueFacts &read = getFacts(operand.get());
      AffineMap map = op.getMatchingIndexingMap(&operand);
      for (auto [i, index] : llvm::enumerate(map.getResults())) {
        if (!index.isFunctionOfDim(loop))
          continue;
        // An operand that is indexed with the loop alone is as long.
        if (index == expr && read.shape && extent.getSymbol())
          extent = (*read.shape)[i];
        if (readsElements(op, &operand) || (&operand == init && staysInit))
          even &= read.shape && read.isEven(i);
      }
    }
    found.varying.push_back(even ? Extent(1) : extent);
  }
  return found;
}

//===----------------------------------------------------------------------===//
// From the map to the layer
//===----------------------------------------------------------------------===//

OpOperand *LinalgHeadReader::getFollowedOperand(Operation *op,
                                                std::string &whyNot) const {
  if (isReshape(op) || isRankedCast(op))
    return &op->getOpOperand(0);
  auto loops = dyn_cast<LinalgOp>(op);
  if (!loops || loops.getNumReductionLoops() != 0)
    return nullptr;
  OpOperand *mapped = getMappedOperand(loops);
  if (mapped &&
      (getCopiedAxes(op) || isIdentity(getPermutation(loops, mapped))))
    return mapped;
  whyNot = op->getName().getStringRef().str() +
           " between map and dense layer is not known to act on each element "
           "alone and in the same way";
  return nullptr;
}

bool LinalgHeadReader::isView(Operation *op) const {
  std::optional<SmallVector<int64_t>> axes = getCopiedAxes(op);
  return isReshape(op) || (axes && !isIdentity(*axes));
}

bool LinalgHeadReader::isNoOp(Operation *op) const {
  std::optional<SmallVector<int64_t>> axes = getCopiedAxes(op);
  return isRankedCast(op) || (axes && isIdentity(*axes));
}

bool LinalgHeadReader::follow(Operation *op, int64_t lastExtent, AxisMap &map,
                              std::string &whyNot) const {
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(op->getResult(0).getType()).getShape();
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    map.collapse(collapse.getReassociationIndices());
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    if (!map.expand(expand.getReassociationIndices(), shape, whyNot))
      return false;
  } else if (auto loops = dyn_cast<LinalgOp>(op)) {
    map.transpose(getPermutation(loops, getMappedOperand(loops)));
  } else {
    map.repeat();
  }
  // Types may contradict each other where extents of one in between are left
  // open. Such code fails when it runs.
  for (auto [axis, extent] : llvm::zip_equal(map.getViews().back(), shape)) {
    int64_t known = map.getNumber(axis);
    if (!ShapedType::isDynamic(known) && !ShapedType::isDynamic(extent) &&
        known != extent) {
      whyNot = "its result has other extents than its operand";
      return false;
    }
  }
  return true;
}

SmallVector<Value> LinalgHeadReader::getInputs(Operation *op) const {
  if (auto loops = dyn_cast<LinalgOp>(op))
    return loops.hasPureTensorSemantics() ? loops.getDpsInputs()
                                          : SmallVector<Value>();
  if (isReshape(op) || isa<tensor::CastOp>(op))
    return {op->getOperand(0)};
  return {};
}

//===----------------------------------------------------------------------===//
// The dense layer
//===----------------------------------------------------------------------===//

/// The constant that is added to each output, as the start of the sums or
/// behind them; null when there is none. It is counted, not changed.
Value LinalgHeadReader::findBias(LinalgOp op, int64_t numOutputs) const {
  auto findIn = [&](Operation *user) -> Value {
    auto loops = dyn_cast_or_null<LinalgOp>(user);
    if (!loops || loops.getNumReductionLoops() != 0)
      return nullptr;
    for (Value input : loops.getDpsInputs()) {
      auto type = dyn_cast<RankedTensorType>(input.getType());
      std::string ignored;
      if (type && type.hasStaticShape() &&
          type.getNumElements() == numOutputs && readConstant(input, ignored))
        return input;
    }
    return nullptr;
  };
  if (Value start = findIn(op.getDpsInits().front().getDefiningOp()))
    return start;
  Value result = op->getResult(0);
  return result.hasOneUse() ? findIn(*result.user_begin()) : nullptr;
}

/// The loop that runs along each axis of the operands of `op`; nullopt for an
/// axis of extent 1 along which none runs. A loop of one step is left out
/// where it is added to another (the windows of a convolution of which there is
/// one), or is one of all operands (a batch of one product). Nullopt when an
/// axis is indexed in any other way.
static std::optional<SmallVector<SmallVector<std::optional<unsigned>>>>
getLoops(LinalgOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  SmallVector<AffineExpr> loops;
  MLIRContext *context = op.getContext();
  for (unsigned loop = 0; loop != ranges.size(); ++loop) {
    bool added = llvm::any_of(maps, [&](AffineMap map) {
      return llvm::any_of(map.getResults(), [&](AffineExpr expr) {
        return expr.isFunctionOfDim(loop) && !getLoop(expr);
      });
    });
    bool everywhere = llvm::all_of(
        maps, [&](AffineMap map) { return map.isFunctionOfDim(loop); });
    loops.push_back(ranges[loop] == 1 && (added || everywhere)
                        ? getAffineConstantExpr(0, context)
                        : getAffineDimExpr(loop, context));
  }
  SmallVector<SmallVector<std::optional<unsigned>>> result;
  for (auto [map, operand] : llvm::zip_equal(maps, op->getOpOperands())) {
    result.emplace_back();
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
      AffineExpr index =
          simplifyAffineExpr(expr.replaceDims(loops), loops.size(), 0);
      std::optional<unsigned> loop = getLoop(index);
      auto first = dyn_cast<AffineConstantExpr>(index);
      if (!loop && !(first && first.getValue() == 0))
        return std::nullopt;
      // All of an axis is read.
      int64_t range = loop ? ranges[*loop] : 1;
      if (!type ||
          ((!loop || index != expr) &&
           (ShapedType::isDynamic(range) || type.getDimSize(axis) != range)))
        return std::nullopt;
      if (loop && llvm::is_contained(result.back(), loop))
        return std::nullopt;
      result.back().push_back(loop);
    }
  }
  return result;
}

/// True when the body of `op` adds the products of its two inputs up.
static bool addsProducts(LinalgOp op) {
  Value addend = getAddend(op);
  Operation *product = addend ? addend.getDefiningOp() : nullptr;
  if (!isa_and_nonnull<arith::MulFOp, arith::MulIOp>(product))
    return false;
  Value first = op.getMatchingBlockArgument(op.getDpsInputOperand(0));
  Value second = op.getMatchingBlockArgument(op.getDpsInputOperand(1));
  Value x = skipExtension(product->getOperand(0));
  Value y = skipExtension(product->getOperand(1));
  return (x == first && y == second) || (x == second && y == first);
}

std::optional<DenseLayer>
LinalgHeadReader::matchDenseLayer(Operation *op) const {
  auto loops = dyn_cast<LinalgOp>(op);
  if (!loops || !loops.hasPureTensorSemantics() ||
      loops.getNumReductionLoops() == 0 || loops.getNumDpsInputs() != 2 ||
      loops->getNumResults() != 1 || !addsProducts(loops) ||
      !isFunctionOfElements(loops))
    return std::nullopt;
  auto indices = getLoops(loops);
  if (!indices)
    return std::nullopt;

  // Which of the two is fixed, or at least could be.
  std::optional<unsigned> weightIndex;
  for (bool inputs : {false, true})
    for (unsigned i : {1u, 0u})
      if (!weightIndex && isMadeFromConstants(op->getOperand(i), inputs))
        weightIndex = i;
  if (!weightIndex)
    return std::nullopt;

  DenseLayer layer;
  layer.op = op;
  layer.weight = &op->getOpOperand(*weightIndex);
  layer.data = &op->getOpOperand(1 - *weightIndex);
  const auto &data = (*indices)[1 - *weightIndex];
  const auto &weight = (*indices)[*weightIndex];
  const auto &out = (*indices)[2];
  layer.dataRank = data.size();
  layer.weightRank = weight.size();
  SmallVector<utils::IteratorType> iterators = loops.getIteratorTypesArray();
  std::optional<int64_t> samples;
  for (auto [axis, loop] : llvm::enumerate(data)) {
    if (!loop)
      continue;
    bool summed = iterators[*loop] == utils::IteratorType::reduction;
    const auto *place = llvm::find(weight, loop);
    if (place != weight.end() && summed) {
      layer.dataAxes.push_back(axis);
      layer.featureAxes.push_back(place - weight.begin());
      continue;
    }
    // A second axis of samples, or one that the weight has as well: a layer for
    // each position.
    if (place != weight.end() || samples || summed ||
        !llvm::is_contained(out, loop))
      return std::nullopt;
    samples = axis;
  }
  if (!samples || layer.dataAxes.empty())
    return std::nullopt;
  int64_t numOutputs = 1;
  auto dataType = cast<RankedTensorType>(layer.data->get().getType());
  auto weightType = cast<RankedTensorType>(layer.weight->get().getType());
  if (!weightType.hasStaticShape())
    layer.unsupported = "the type of the weight leaves extents open";
  for (auto [axis, loop] : llvm::enumerate(weight)) {
    if (!loop ||
        llvm::is_contained(layer.featureAxes, static_cast<int64_t>(axis)))
      continue;
    if (!llvm::is_contained(out, loop))
      return std::nullopt;
    layer.outputAxes.push_back(axis);
    numOutputs *= weightType.getDimSize(axis);
  }
  // Nothing else makes results different.
  size_t numLoops = llvm::count_if(
      out, [](std::optional<unsigned> loop) { return loop.has_value(); });
  if (layer.outputAxes.empty() || numLoops != 1 + layer.outputAxes.size())
    return std::nullopt;
  Type element = dataType.getElementType();
  layer.sampleAxis = *samples;
  // Axes of extent 1 in front are written for a matrix product alone.
  if (*samples != 0 &&
      (!layer.isMatrixProduct() ||
       llvm::any_of(ArrayRef(data).take_front(*samples),
                    [](std::optional<unsigned> loop) { return loop; }))) {
    layer.sampleAxis = 0;
    layer.unsupported = "samples are not the first axis of the data";
  } else if (dataType.getEncoding() || weightType.getEncoding()) {
    layer.unsupported = "its tensors have encodings";
  } else if (isa<FloatType>(element) && !isDecodedFloat(element)) {
    layer.unsupported = "means in the data's element type are not computed";
  }
  if (weightType.hasStaticShape())
    layer.bias = findBias(loops, numOutputs);
  return layer;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

std::optional<Constant>
LinalgHeadReader::readConstant(Value value, std::string &whyNot) const {
  Operation *op = value.getDefiningOp();
  if (!op) {
    whyNot = "it is an argument, which callers give";
    return std::nullopt;
  }
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape()) {
    whyNot = "its shape is not fixed";
    return std::nullopt;
  }
  auto constant = dyn_cast<arith::ConstantOp>(op);
  if (constant &&
      isa<DenseElementsAttr, DenseResourceElementsAttr>(constant.getValue()))
    return Constant{type, constant.getValue(), op};
  if (auto fill = dyn_cast<linalg::FillOp>(op)) {
    Attribute number;
    if (matchPattern(fill.getInputs().front(), m_Constant(&number)) &&
        isa<FloatAttr, IntegerAttr>(number) &&
        cast<TypedAttr>(number).getType() == type.getElementType())
      return Constant{type, DenseElementsAttr::get(type, number), op};
  }
  whyNot = "it is computed by " + op->getName().getStringRef().str();
  return std::nullopt;
}

bool LinalgHeadReader::isMadeFromConstants(Value value, bool inputs) const {
  auto getSources = [this](Operation *op) -> std::optional<SmallVector<Value>> {
    if (matchPattern(op, m_Constant()) || isa<tensor::EmptyOp>(op))
      return SmallVector<Value>();
    SmallVector<Value> sources = getInputs(op);
    if (sources.empty())
      return std::nullopt;
    return sources;
  };
  return headopt::isMadeFromConstants(value, inputs, getSources);
}

//===----------------------------------------------------------------------===//
// Maps
//===----------------------------------------------------------------------===//

/// A sum over all axes but the samples and one other, by the number of its
/// summands.
bool LinalgHeadReader::isGlobalAverage(Value value) const {
  auto scale = value.getDefiningOp<LinalgOp>();
  OpOperand *mapped = scale ? getMappedOperand(scale) : nullptr;
  auto sum = mapped ? mapped->get().getDefiningOp<LinalgOp>() : LinalgOp();
  if (!sum || !sum.hasPureTensorSemantics() || sum.getNumDpsInputs() != 1)
    return false;
  OpOperand *input = sum.getDpsInputOperand(0);
  AffineMap in = sum.getMatchingIndexingMap(input);
  AffineMap out = sum.getMatchingIndexingMap(sum.getDpsInitOperand(0));
  Value addend = getAddend(sum);
  if (!addend || skipExtension(addend) != sum.getMatchingBlockArgument(input) ||
      in.getNumResults() < 3 || !in.isIdentity() ||
      !out.isProjectedPermutation() || out.getNumResults() != 2 ||
      !out.isFunctionOfDim(0))
    return false;
  auto type = cast<RankedTensorType>(input->get().getType());
  int64_t positions = 1;
  for (int64_t axis = 1; axis != type.getRank(); ++axis) {
    if (out.isFunctionOfDim(axis))
      continue;
    if (type.isDynamicDim(axis))
      return false;
    positions *= type.getDimSize(axis);
  }
  Value result = scale.getBlock()->getTerminator()->getOperand(0);
  if (auto narrow = result.getDefiningOp<arith::TruncFOp>())
    result = narrow.getIn();
  Operation *op = result.getDefiningOp();
  if (!isa_and_nonnull<arith::DivFOp, arith::MulFOp>(op) ||
      op->getOperand(0) != scale.getMatchingBlockArgument(mapped))
    return false;
  FloatAttr number;
  if (!matchPattern(op->getOperand(1), m_Constant(&number)))
    return false;
  double factor = number.getValueAsDouble();
  return isa<arith::DivFOp>(op)
             ? factor == static_cast<double>(positions)
             : std::fabs(factor * static_cast<double>(positions) - 1) <=
                   getUnitRoundoff(number.getType());
}

/// Channels are what convolutions call so, followed to the map.
int64_t LinalgHeadReader::getChannelAxis(Value map) const {
  static constexpr unsigned kMaxSteps = 32;
  SmallVector<std::pair<LinalgOp, OpOperand *>> chain;
  for (unsigned i = 0; i != kMaxSteps; ++i) {
    auto op = map.getDefiningOp<LinalgOp>();
    if (!op || !op.hasPureTensorSemantics())
      return 1;
    std::optional<unsigned> loop;
    FailureOr<linalg::ConvolutionDimensions> dims =
        linalg::inferConvolutionDims(op);
    if (succeeded(dims) && dims->outputChannel.size() == 1)
      loop = dims->outputChannel.front();
    OpOperand *next = nullptr;
    for (OpOperand *input : op.getDpsInputOperands())
      if (!next && !isMadeFromConstants(input->get(), /*inputs=*/true))
        next = input;
    if (!loop && next) {
      chain.push_back({op, next});
      map = next->get();
      continue;
    }
    if (!loop)
      return 1;
    auto getAxis = [](LinalgOp op, unsigned loop) {
      AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
      return out.getResultPosition(getAffineDimExpr(loop, op.getContext()));
    };
    std::optional<unsigned> axis = getAxis(op, *loop);
    for (auto [step, operand] : llvm::reverse(chain)) {
      if (!axis)
        return 1;
      AffineMap in = step.getMatchingIndexingMap(operand);
      std::optional<unsigned> loop = *axis < in.getNumResults()
                                         ? getLoop(in.getResult(*axis))
                                         : std::nullopt;
      axis = loop ? getAxis(step, *loop) : std::nullopt;
    }
    return axis && *axis != 0 ? *axis : 1;
  }
  return 1;
}

std::unique_ptr<HeadReader> headopt::createLinalgHeadReader(Operation *root) {
  return std::make_unique<LinalgHeadReader>(root);
}
