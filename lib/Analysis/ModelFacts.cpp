//===- ModelFacts.cpp - What is known of values without a run -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/ModelFacts.h"
#include "headopt/Analysis/AxisMap.h"
#include "headopt/Analysis/ConstantReader.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace headopt;

/// Tensors of shape arithmetic are short; longer ones are data.
static constexpr int64_t kMaxElements = 64;

/// More parts than any model joins; a hostile one may double them again and
/// again.
static constexpr size_t kMaxParts = 4096;

static Value operandOrNull(Operation::operand_range operands, unsigned i) {
  return i < operands.size() ? onnx::presentOrNull(operands[i]) : Value();
}

/// `element` as a number of type `inner` (may be null: unknown); nullopt where
/// it would be another number. Symbols are extents of tensors in memory, taken
/// to be exact in types of 32 bits and more.
static std::optional<Extent> store(std::optional<Extent> element, Type inner) {
  if (!element || !inner)
    return std::nullopt;
  unsigned width = inner.isIntOrFloat() ? inner.getIntOrFloatBitWidth() : 0;
  if (!element->isNumber())
    return width >= 32 ? element : std::nullopt;
  int64_t number = element->getNumber();
  if (inner.isInteger(1))
    return Extent(number != 0);
  if (isa<FloatType>(inner))
    return width >= 32 && std::abs(number) <= 1 << 24 ? element : std::nullopt;
  if (!inner.isInteger())
    return std::nullopt;
  bool fits = inner.isUnsignedInteger()
                  ? number >= 0 && (width == 64 || llvm::isUIntN(width, number))
                  : width == 64 || llvm::isIntN(width, number);
  return fits ? element : std::nullopt;
}

/// The element type with the number `to` in ONNX; null for those in which no
/// shape arithmetic is done.
static Type getElementType(uint64_t to, MLIRContext *context) {
  Builder b(context);
  switch (to) {
  case 1: // FLOAT
    return b.getF32Type();
  case 2: // UINT8
    return b.getIntegerType(8, /*isSigned=*/false);
  case 3: // INT8
    return b.getI8Type();
  case 4: // UINT16
    return b.getIntegerType(16, /*isSigned=*/false);
  case 5: // INT16
    return b.getI16Type();
  case 6: // INT32
    return b.getI32Type();
  case 7: // INT64
    return b.getI64Type();
  case 9: // BOOL
    return b.getI1Type();
  case 11: // DOUBLE
    return b.getF64Type();
  case 12: // UINT32
    return b.getIntegerType(32, /*isSigned=*/false);
  case 13: // UINT64
    return b.getIntegerType(64, /*isSigned=*/false);
  default:
    return nullptr;
  }
}

/// The type of elements of the first result of `op`, which ONNX defines by
/// those of its operands.
static Type inferElementType(Operation *op, const ModelFacts &facts) {
  MLIRContext *context = op->getContext();
  if (auto cast = dyn_cast<onnx::CastOp>(op))
    return getElementType(cast.getTo(), context);
  if (isa<onnx::ShapeOp, onnx::SizeOp>(op))
    return IntegerType::get(context, 64);
  if (isa<onnx::EqualOp, onnx::GreaterOp, onnx::LessOp>(op))
    return IntegerType::get(context, 1);
  if (isa<onnx::WhereOp>(op))
    return facts.get(op->getOperand(1)).elementType;
  if (op->getNumOperands() != 0 &&
      (op->hasTrait<onnx::PerElement>() ||
       isa<onnx::IdentityOp, onnx::FlattenOp, onnx::ReshapeOp, onnx::SqueezeOp,
           onnx::UnsqueezeOp, onnx::TransposeOp, onnx::GatherOp,
           onnx::GatherNDOp, onnx::SliceOp, onnx::ConcatOp, onnx::ExpandOp,
           onnx::TileOp, onnx::ReductionOpInterface>(op)))
    return facts.get(op->getOperand(0)).elementType;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Questions
//===----------------------------------------------------------------------===//

const ValueFacts &ModelFacts::get(Value value) const {
  static const ValueFacts nothing;
  auto it = facts.find(value);
  return it == facts.end() ? nothing : it->second;
}

std::optional<SmallVector<int64_t>> ModelFacts::getNumbers(Value value) const {
  const std::optional<ValueFacts::Elements> &elements = get(value).elements;
  if (!elements)
    return std::nullopt;
  SmallVector<int64_t> numbers;
  for (const std::optional<Extent> &element : *elements) {
    if (!element || !element->isNumber())
      return std::nullopt;
    numbers.push_back(element->getNumber());
  }
  return numbers;
}

std::optional<SmallVector<int64_t>>
ModelFacts::getAxes(std::optional<ArrayRef<int64_t>> attr, Value input,
                    int64_t rank) const {
  SmallVector<int64_t> axes;
  if (attr)
    axes.assign(attr->begin(), attr->end());
  else if (!onnx::presentOrNull(input))
    return std::nullopt;
  else if (std::optional<SmallVector<int64_t>> numbers = getNumbers(input))
    axes = *numbers;
  else
    return std::nullopt;
  llvm::SmallBitVector seen(rank);
  for (int64_t &axis : axes) {
    axis = normalizeAxis(axis, rank);
    if (axis < 0 || axis >= rank || seen.test(axis))
      return std::nullopt;
    seen.set(axis);
  }
  return axes;
}

std::optional<SmallVector<int64_t>>
ModelFacts::getReducedAxes(onnx::ReductionOpInterface op) const {
  const ValueFacts &data = get(op.getData());
  if (!data.shape)
    return std::nullopt;
  int64_t rank = data.shape->size();
  std::optional<SmallVector<int64_t>> axes = SmallVector<int64_t>();
  if (op.getAxes() || onnx::presentOrNull(op.getAxesInput()))
    axes = getAxes(op.getAxes(), op.getAxesInput(), rank);
  if (axes && axes->empty() && op.getNoopWithEmptyAxes().value_or(0) == 0)
    axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  return axes;
}

bool ModelFacts::isScalar(Value value) const { return get(value).isScalar(); }

bool headopt::isInference(onnx::DropoutOp dropout, std::string &whyNot) {
  // Opset 1 and 6 have is_test, by default 0 (training).
  std::optional<int64_t> opset = onnx::getOpsetVersion(dropout);
  if (opset && *opset < 7) {
    if (dropout.getIsTest().value_or(0) != 0)
      return true;
    whyNot = "is in training mode (is_test is 0)";
    return false;
  }
  Value mode = dropout.getTrainingMode();
  if (!mode)
    return true;
  std::string ignored;
  std::optional<Constant> constant = getConstant(mode, ignored);
  auto dense =
      constant ? dyn_cast<DenseElementsAttr>(constant->elements) : nullptr;
  if (dense && dense.getElementType().isInteger(1) &&
      llvm::none_of(dense.getValues<bool>(), [](bool on) { return on; }))
    return true;
  whyNot = dense ? "is in training mode"
                 : "may be in training mode: its training_mode is not "
                   "constant";
  return false;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

ModelFacts::ModelFacts(Operation *module) {
  module->walk<WalkOrder::PreOrder>([&](Operation *op) {
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          record(argument, {});
    visit(op);
  });
}

/// The element type of the first result of `op`: what the file says, or what
/// follows from the operands.
Type ModelFacts::getKnownElementType(Operation *op) const {
  if (auto type = dyn_cast<TensorType>(op->getResult(0).getType()))
    return type.getElementType();
  return inferElementType(op, *this);
}

/// Adds what the type says and makes the parts fit each other.
void ModelFacts::record(Value value, ValueFacts found) {
  if (auto type = dyn_cast<TensorType>(value.getType()))
    found.elementType = type.getElementType();
  if (auto type = dyn_cast<RankedTensorType>(value.getType())) {
    if (found.shape &&
        static_cast<int64_t>(found.shape->size()) != type.getRank())
      found = ValueFacts();
    if (!found.shape) {
      found.shape.emplace();
      for (int64_t extent : type.getShape())
        found.shape->push_back(ShapedType::isDynamic(extent) ? getNewSymbol()
                                                             : Extent(extent));
    }
    for (auto [known, extent] :
         llvm::zip_equal(*found.shape, type.getShape())) {
      if (ShapedType::isDynamic(extent))
        continue;
      // Where the file and the operators disagree nothing is known.
      if (known.isNumber() && !known.isNumber(extent))
        known = getNewSymbol();
      else
        known = extent;
    }
  }
  if (!found.shape) {
    found.elements.reset();
    found.varying.clear();
  } else {
    if (found.varying.size() != found.shape->size())
      found.varying = *found.shape;
    for (auto [varying, extent] : llvm::zip_equal(found.varying, *found.shape))
      if (extent.isNumber(1))
        varying = 1;
    // The parts are no parts of anything else.
    if (found.partAxis &&
        (*found.partAxis >= found.shape->size() ||
         !(*found.shape)[*found.partAxis].isNumber(found.parts.back().end)))
      found.partAxis.reset();
    if (!found.partAxis)
      found.parts.clear();
    if (found.elements &&
        !multiply(*found.shape).isNumber(found.elements->size()))
      found.elements.reset();
  }
  facts.try_emplace(value, std::move(found));
}

void ModelFacts::visit(Operation *op) {
  if (op->getNumResults() == 0)
    return;
  Value result = op->getResult(0);
  auto inferred =
      llvm::TypeSwitch<Operation *, ValueFacts>(op)
          .Case<onnx::InitializerOp, onnx::ConstantOp>(
              [&](Operation *) { return inferConstant(result); })
          .Case([&](onnx::ConstantOfShapeOp op) {
            return inferConstantOfShape(op);
          })
          .Case<onnx::FlattenOp, onnx::ReshapeOp, onnx::SqueezeOp,
                onnx::UnsqueezeOp, onnx::TransposeOp>(
              [&](Operation *op) { return inferView(op); })
          .Case([&](onnx::IdentityOp op) { return get(op.getInput()); })
          .Case([&](onnx::DropoutOp op) {
            std::string ignored;
            if (isInference(op, ignored))
              return get(op.getData());
            ValueFacts output;
            output.shape = get(op.getData()).shape;
            return output;
          })
          .Case(
              [&](onnx::ReductionOpInterface op) { return inferReduction(op); })
          .Case<onnx::QuantizeLinearOp, onnx::DequantizeLinearOp,
                onnx::DynamicQuantizeLinearOp>(
              [&](Operation *op) { return inferQuantisation(op); })
          .Case([&](onnx::BatchNormalizationOp op) {
            return inferBatchNormalization(op);
          })
          .Case<onnx::LayerNormalizationOp, onnx::InstanceNormalizationOp,
                onnx::SoftmaxOp, onnx::LogSoftmaxOp>(
              [&](Operation *op) { return inferNormalization(op); })
          .Case([&](onnx::GemmOp op) { return inferGemm(op); })
          .Case([&](onnx::MatMulOp op) { return inferMatMul(op); })
          .Case([&](onnx::ShapeOp op) { return inferShape(op); })
          .Case([&](onnx::SizeOp op) {
            ValueFacts size;
            size.shape.emplace();
            if (const auto &shape = get(op.getData()).shape)
              size.elements = ValueFacts::Elements{multiply(*shape)};
            return size;
          })
          .Case([&](onnx::GatherOp op) { return inferGather(op); })
          .Case([&](onnx::GatherNDOp op) { return inferGatherND(op); })
          .Case([&](onnx::SliceOp op) { return inferSlice(op); })
          .Case([&](onnx::ConcatOp op) { return inferConcat(op); })
          .Case([&](onnx::ExpandOp op) { return inferExpand(op); })
          .Case([&](onnx::TileOp op) { return inferTile(op); })
          .Case([&](onnx::ResizeOp op) {
            // Opset 10 has scales alone.
            Operation::operand_range sizing = op.getSizing();
            bool old = sizing.size() == 1;
            StringRef transform =
                op.getCoordinateTransformationMode().value_or("");
            return inferResize(op, op.getX(),
                               operandOrNull(sizing, old ? 0 : 1),
                               operandOrNull(sizing, 2), std::nullopt,
                               transform == "tf_crop_and_resize");
          })
          .Case([&](onnx::UpsampleOp op) {
            return inferResize(op, op.getX(),
                               onnx::presentOrNull(op.getScalesInput()),
                               Value(), op.getScales(), /*crops=*/false);
          })
          .Case<onnx::ConvOp, onnx::MaxPoolOp, onnx::AveragePoolOp>(
              [&](Operation *op) { return inferWindow(op); })
          .Case<onnx::GlobalAveragePoolOp, onnx::GlobalMaxPoolOp>(
              [&](Operation *op) {
                ValueFacts pooled = get(op->getOperand(0));
                pooled.elements.reset();
                pooled.partAxis.reset();
                if (pooled.shape)
                  for (size_t i = 2; i < pooled.shape->size(); ++i)
                    (*pooled.shape)[i] = pooled.varying[i] = 1;
                return pooled;
              })
          .Default([&](Operation *op) {
            if (op->hasTrait<onnx::PerElement>())
              return inferPerElement(op);
            return ValueFacts();
          });
  if (!inferred.elementType)
    inferred.elementType = getKnownElementType(op);
  record(result, std::move(inferred));
  for (Value other : op->getResults().drop_front())
    record(other, {});
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// An element of an integer type; nullopt when it does not fit 64 bits.
static std::optional<Extent> getWholeNumber(Type type, const APInt &number) {
  if (!type.isUnsignedInteger())
    return Extent(number.getSExtValue());
  if (number.getActiveBits() > 63)
    return std::nullopt;
  return Extent(static_cast<int64_t>(number.getZExtValue()));
}

ValueFacts ModelFacts::inferConstant(Value value) {
  ValueFacts result;
  std::string ignored;
  std::optional<Constant> constant = getConstant(value, ignored);
  if (!constant)
    return result;
  result.elementType = constant->type.getElementType();
  result.shape.emplace(constant->type.getShape().begin(),
                       constant->type.getShape().end());
  auto dense = dyn_cast<DenseElementsAttr>(constant->elements);
  if (!dense)
    return result;
  if (dense.isSplat())
    result.varying.assign(result.shape->size(), Extent(1));
  Type type = constant->type.getElementType();
  if (constant->type.getNumElements() > kMaxElements || type.isInteger(1))
    return result;
  if (type.isInteger()) {
    result.elements.emplace();
    for (const APInt &number : dense.getValues<APInt>())
      result.elements->push_back(getWholeNumber(type, number));
  } else if (isa<FloatType>(type)) {
    // Exporters do arithmetic on shapes in floating point, too.
    result.elements.emplace();
    for (const APFloat &number : dense.getValues<APFloat>()) {
      double x = number.convertToDouble();
      if (std::abs(x) <= 1 << 24 && x == std::floor(x))
        result.elements->push_back(Extent(static_cast<int64_t>(x)));
      else
        result.elements->push_back(std::nullopt);
    }
  }
  return result;
}

ValueFacts ModelFacts::inferConstantOfShape(onnx::ConstantOfShapeOp op) {
  ValueFacts result;
  const std::optional<ValueFacts::Elements> &target =
      get(op.getInput()).elements;
  if (!target)
    return result;
  result.shape.emplace();
  for (const std::optional<Extent> &extent : *target)
    result.shape->push_back(extent ? *extent : getNewSymbol());
  result.varying.assign(result.shape->size(), Extent(1));
  auto fill = op.getValueAttr() ? dyn_cast_or_null<DenseElementsAttr>(
                                      onnx::getElements(op.getValueAttr()))
                                : nullptr;
  // Without a value it is filled with zeros in f32.
  result.elementType =
      fill ? fill.getElementType() : Float32Type::get(op->getContext());
  Extent count = multiply(*result.shape);
  if (fill && fill.getNumElements() == 1 && count.isNumber() &&
      count.getNumber() >= 0 && count.getNumber() <= kMaxElements &&
      fill.getElementType().isInteger() && !fill.getElementType().isInteger(1))
    result.elements.emplace(
        count.getNumber(),
        getWholeNumber(fill.getElementType(), *fill.value_begin<APInt>()));
  return result;
}

//===----------------------------------------------------------------------===//
// Views and reductions
//===----------------------------------------------------------------------===//

ValueFacts ModelFacts::inferView(Operation *op) {
  const ValueFacts &input = get(op->getOperand(0));
  ValueFacts result;
  if (!isa<onnx::TransposeOp>(op))
    result.elements = input.elements;
  if (!input.shape)
    return result;
  AxisMap map(*input.shape);
  std::string ignored;
  if (map.apply(op, *this, ShapedType::kDynamic, ignored)) {
    map.describeLast(input, result);
    if (auto transpose = dyn_cast<onnx::TransposeOp>(op);
        transpose && input.partAxis) {
      SmallVector<int64_t> perm = transpose.getPermutation(input.shape->size());
      result.partAxis =
          llvm::find(perm, static_cast<int64_t>(*input.partAxis)) -
          perm.begin();
      for (const ValueFacts::Part &part : input.parts) {
        result.parts.push_back({part.begin, part.end, {}});
        for (int64_t axis : perm)
          result.parts.back().varying.push_back(part.varying[axis]);
      }
    }
    return result;
  }
  // Where axes cannot be followed, a target still gives extents.
  auto reshape = dyn_cast<onnx::ReshapeOp>(op);
  if (!reshape || !get(reshape.getShape()).elements)
    return result;
  result.shape.emplace();
  for (const std::optional<Extent> &extent : *get(reshape.getShape()).elements)
    result.shape->push_back(
        extent && !(extent->isNumber() && extent->getNumber() <= 0)
            ? *extent
            : getNewSymbol());
  if (llvm::all_of(input.varying,
                   [](const Extent &varying) { return varying.isNumber(1); }))
    result.varying.assign(result.shape->size(), Extent(1));
  return result;
}

ValueFacts ModelFacts::inferReduction(onnx::ReductionOpInterface op) {
  ValueFacts result;
  const ValueFacts &data = get(op.getData());
  std::optional<SmallVector<int64_t>> axes = getReducedAxes(op);
  if (!axes)
    return result;
  bool keep = op.getKeepdims().value_or(1) != 0;
  result.shape.emplace();
  for (auto [axis, extent] : llvm::enumerate(*data.shape)) {
    bool reduced = llvm::is_contained(*axes, static_cast<int64_t>(axis));
    if (reduced && !keep)
      continue;
    result.shape->push_back(reduced ? Extent(1) : extent);
    result.varying.push_back(reduced ? Extent(1) : data.varying[axis]);
  }
  if (isa<onnx::ReduceProdOp>(op) && data.elements &&
      axes->size() == data.shape->size()) {
    std::optional<Extent> product = Extent(1);
    for (const std::optional<Extent> &element : *data.elements)
      product = product && element ? std::optional(*product * *element)
                                   : std::nullopt;
    result.elements =
        ValueFacts::Elements{store(product, getKnownElementType(op))};
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Per-element operators
//===----------------------------------------------------------------------===//

/// One element of the result of `op` from one element of each operand; nullopt
/// when it is not known. Elements are whole numbers.
static std::optional<Extent> combine(Operation *op,
                                     ArrayRef<std::optional<Extent>> operands) {
  if (auto where = dyn_cast<onnx::WhereOp>(op)) {
    if (operands[1] && operands[2] && *operands[1] == *operands[2])
      return operands[1];
    if (!operands[0] || !operands[0]->isNumber())
      return std::nullopt;
    return operands[operands[0]->getNumber() != 0 ? 1 : 2];
  }
  if (llvm::any_of(operands, [](const auto &x) { return !x.has_value(); }))
    return std::nullopt;
  const Extent &a = *operands.front();
  if (isa<onnx::CastOp>(op))
    return a;
  if (operands.size() != 2)
    return operands.size() == 1 && isa<onnx::MaxOp, onnx::MinOp>(op)
               ? std::optional(a)
               : std::nullopt;
  const Extent &b = *operands.back();
  bool numbers = a.isNumber() && b.isNumber();
  int64_t x = a.getNumber(), y = b.getNumber(), z;
  return llvm::TypeSwitch<Operation *, std::optional<Extent>>(op)
      .Case([&](onnx::MulOp) { return a * b; })
      .Case([&](onnx::DivOp) { return a.divideBy(b); })
      .Case([&](onnx::AddOp) -> std::optional<Extent> {
        if (b.isNumber(0))
          return a;
        if (a.isNumber(0))
          return b;
        if (!numbers || llvm::AddOverflow(x, y, z))
          return std::nullopt;
        return Extent(z);
      })
      .Case([&](onnx::SubOp) -> std::optional<Extent> {
        if (b.isNumber(0))
          return a;
        if (!numbers || llvm::SubOverflow(x, y, z))
          return std::nullopt;
        return Extent(z);
      })
      .Case<onnx::MaxOp, onnx::MinOp>(
          [&](Operation *op) -> std::optional<Extent> {
            bool max = isa<onnx::MaxOp>(op);
            if (a == b)
              return a;
            if (numbers)
              return Extent(max ? std::max(x, y) : std::min(x, y));
            // Extents are at least 0.
            const Extent &number = a.isNumber() ? a : b;
            const Extent &other = a.isNumber() ? b : a;
            if (!number.isNumber() || number.getNumber() > 0 ||
                !other.getSymbol())
              return std::nullopt;
            return max ? other : number;
          })
      .Case([&](onnx::EqualOp) -> std::optional<Extent> {
        if (numbers)
          return Extent(x == y);
        if (a == b)
          return Extent(1);
        // Extents are at least 0.
        const Extent &number = a.isNumber() ? a : b;
        const Extent &other = a.isNumber() ? b : a;
        if (number.isNumber() && number.getNumber() < 0 && other.getSymbol())
          return Extent(0);
        return std::nullopt;
      })
      .Default([](Operation *) { return std::nullopt; });
}

ValueFacts ModelFacts::inferPerElement(Operation *op) {
  ValueFacts result;
  // Before opset 7 the second operand is laid out by attributes, and slopes are
  // of channels.
  if (op->hasAttr("broadcast") || op->hasAttr("axis"))
    return result;
  if (auto prelu = dyn_cast<onnx::PReluOp>(op);
      prelu && onnx::getOpsetVersion(op).value_or(7) < 7 &&
      !isScalar(prelu.getB()))
    return result;
  SmallVector<const ValueFacts *> operands;
  size_t rank = 0;
  for (Value operand : op->getOperands()) {
    if (isa<NoneType>(operand.getType()))
      continue;
    operands.push_back(&get(operand));
    if (!operands.back()->shape)
      return result;
    rank = std::max(rank, operands.back()->shape->size());
  }
  if (operands.empty())
    return result;

  result.shape.emplace();
  for (size_t axis = 0; axis != rank; ++axis) {
    // Extents other than 1 must all be the same, so any is the result's; a
    // symbol may still be 1, a number is not.
    std::optional<Extent> extent;
    bool differ = false;
    SmallVector<Extent> varying;
    for (const ValueFacts *operand : operands) {
      size_t missing = rank - operand->shape->size();
      if (axis < missing)
        continue;
      const Extent &own = (*operand->shape)[axis - missing];
      if (!operand->isEven(axis - missing))
        varying.push_back(operand->varying[axis - missing]);
      if (own.isNumber(1))
        continue;
      if (!extent || (own.isNumber() && !extent->isNumber())) {
        extent = own;
        differ = false;
      } else if (!extent->isNumber() && *extent != own) {
        differ = true;
      }
    }
    result.shape->push_back(!extent  ? Extent(1)
                            : differ ? getNewSymbol()
                                     : *extent);
    // Two that vary may do so in different places.
    result.varying.push_back(varying.empty()       ? Extent(1)
                             : varying.size() == 1 ? varying.front()
                                                   : result.shape->back());
  }

  // A part of one operand varies no more unless another operand does.
  const ValueFacts *parted = nullptr;
  for (const ValueFacts *operand : operands)
    if (operand->partAxis && operand->shape->size() == rank)
      parted = operand;
  if (parted) {
    result.partAxis = parted->partAxis;
    result.parts = parted->parts;
    for (ValueFacts::Part &part : result.parts)
      for (size_t axis = 0; axis != rank; ++axis)
        for (const ValueFacts *operand : operands) {
          size_t missing = rank - operand->shape->size();
          if (operand != parted && axis >= missing &&
              !operand->isEven(axis - missing))
            part.varying[axis] = result.varying[axis];
        }
  }

  // Arithmetic on shapes: scalars and lists.
  if (rank > 1 || llvm::any_of(operands, [](const ValueFacts *operand) {
        return !operand->elements;
      }))
    return result;
  Extent count = multiply(*result.shape);
  if (!count.isNumber() || count.getNumber() > kMaxElements)
    return result;
  result.elements.emplace();
  for (int64_t i = 0; i != count.getNumber(); ++i) {
    SmallVector<std::optional<Extent>> each;
    for (const ValueFacts *operand : operands) {
      size_t size = operand->elements->size();
      if (size != 1 && static_cast<int64_t>(size) != count.getNumber()) {
        result.elements.reset();
        return result;
      }
      each.push_back((*operand->elements)[size == 1 ? 0 : i]);
    }
    result.elements->push_back(
        store(combine(op, each), getKnownElementType(op)));
  }
  return result;
}

ValueFacts ModelFacts::inferQuantisation(Operation *op) {
  const ValueFacts &input = get(op->getOperand(0));
  ValueFacts result;
  result.shape = input.shape;
  // Scales for the whole tensor keep it even; others vary along their axis, or
  // along several where they come in blocks.
  if (isa<onnx::DynamicQuantizeLinearOp>(op) || isScalar(op->getOperand(1))) {
    result.varying = input.varying;
    result.partAxis = input.partAxis;
    result.parts = input.parts;
    return result;
  }
  // Blocks have as many scales axes as the data.
  const std::optional<ValueFacts::Shape> &scales = get(op->getOperand(1)).shape;
  auto attr = op->getAttrOfType<IntegerAttr>("axis");
  if (!result.shape || !scales || scales->size() != 1)
    return result;
  int64_t axis = normalizeAxis(attr ? attr.getInt() : 1, result.shape->size());
  if (axis < 0 || axis >= static_cast<int64_t>(result.shape->size()))
    return result;
  result.varying = input.varying;
  result.varying[axis] = (*result.shape)[axis];
  return result;
}

ValueFacts ModelFacts::inferBatchNormalization(onnx::BatchNormalizationOp op) {
  const ValueFacts &input = get(op.getX());
  ValueFacts result;
  result.shape = input.shape;
  if (!result.shape || op.getTrainingMode().value_or(0) != 0 ||
      op.getSpatial().value_or(1) == 0)
    return result;
  // Opsets below 7 may train.
  std::optional<int64_t> opset = onnx::getOpsetVersion(op);
  if (opset && *opset < 7 && op.getIsTest().value_or(0) == 0)
    return result;
  result.varying = input.varying;
  if (result.varying.size() < 2)
    return result;
  result.varying[1] = (*result.shape)[1];
  if (input.partAxis == 1) {
    result.partAxis = input.partAxis;
    result.parts = input.parts;
    for (ValueFacts::Part &part : result.parts)
      part.varying[1] = result.varying[1];
  }
  return result;
}

/// Statistics over `axes` of a sample: along the others the result varies only
/// as the input does, and along these too unless parameters differ.
static ValueFacts normalize(const ValueFacts &input,
                            llvm::function_ref<bool(size_t)> hasParameters) {
  ValueFacts result;
  result.shape = input.shape;
  if (!result.shape)
    return result;
  result.varying = input.varying;
  for (size_t axis = 0; axis != result.shape->size(); ++axis)
    if (hasParameters(axis))
      result.varying[axis] = (*result.shape)[axis];
  return result;
}

ValueFacts ModelFacts::inferNormalization(Operation *op) {
  const ValueFacts &input = get(op->getOperand(0));
  int64_t rank = input.shape ? input.shape->size() : 0;
  auto attr = op->getAttrOfType<IntegerAttr>("axis");
  auto getAxis = [&](int64_t otherwise) {
    return static_cast<size_t>(
        normalizeAxis(attr ? attr.getInt() : otherwise, rank));
  };
  return llvm::TypeSwitch<Operation *, ValueFacts>(op)
      .Case([&](onnx::LayerNormalizationOp) {
        size_t first = getAxis(-1);
        return normalize(input, [=](size_t axis) { return axis >= first; });
      })
      .Case([&](onnx::InstanceNormalizationOp) {
        return normalize(input, [](size_t axis) { return axis == 1; });
      })
      .Default([&](Operation *op) {
        // Softmax of opsets before 13 takes all axes from one on together.
        std::optional<int64_t> opset = onnx::getOpsetVersion(op);
        size_t first = getAxis(1);
        bool flattens = !opset || *opset < 13;
        return normalize(
            input, [=](size_t axis) { return flattens && axis >= first; });
      });
}

/// A product of matrices: rows of the result depend on rows of the first one.
ValueFacts ModelFacts::inferGemm(onnx::GemmOp op) {
  ValueFacts result;
  const std::optional<ValueFacts::Shape> &a = get(op.getA()).shape;
  const std::optional<ValueFacts::Shape> &b = get(op.getB()).shape;
  if (!a || !b || a->size() != 2 || b->size() != 2)
    return result;
  bool transA = op.getTransA().value_or(0) != 0;
  bool transB = op.getTransB().value_or(0) != 0;
  result.shape = {(*a)[transA ? 1 : 0], (*b)[transB ? 0 : 1]};
  return result;
}

ValueFacts ModelFacts::inferMatMul(onnx::MatMulOp op) {
  ValueFacts result;
  const ValueFacts &a = get(op.getA());
  const ValueFacts &b = get(op.getB());
  if (!a.shape || !b.shape || a.shape->size() < 2 || b.shape->size() != 2)
    return result;
  result.shape = a.shape;
  result.shape->back() = b.shape->back();
  result.varying = a.varying;
  result.varying.back() = result.shape->back();
  return result;
}

//===----------------------------------------------------------------------===//
// Shapes and indices
//===----------------------------------------------------------------------===//

/// Brings a bound of a slice into [0, size].
static int64_t clampBound(int64_t bound, int64_t size) {
  if (bound < 0)
    bound += size;
  return std::clamp<int64_t>(bound, 0, size);
}

ValueFacts ModelFacts::inferShape(onnx::ShapeOp op) {
  ValueFacts result;
  const std::optional<ValueFacts::Shape> &shape = get(op.getData()).shape;
  if (!shape)
    return result;
  auto bound = [&](std::optional<uint64_t> attr, int64_t otherwise) {
    return clampBound(attr ? static_cast<int64_t>(*attr) : otherwise,
                      shape->size());
  };
  int64_t begin = bound(op.getStart(), 0);
  int64_t end = std::max(begin, bound(op.getEnd(), shape->size()));
  result.elements.emplace(shape->begin() + begin, shape->begin() + end);
  result.shape = ValueFacts::Shape{Extent(end - begin)};
  return result;
}

ValueFacts ModelFacts::inferGather(onnx::GatherOp op) {
  ValueFacts result;
  const ValueFacts &data = get(op.getData());
  const ValueFacts &indices = get(op.getIndices());
  if (!data.shape || !indices.shape)
    return result;
  int64_t rank = data.shape->size();
  int64_t axis = normalizeAxis(op.getAxis().value_or(0), rank);
  if (axis < 0 || axis >= rank)
    return result;
  result.shape.emplace(data.shape->begin(), data.shape->begin() + axis);
  llvm::append_range(*result.shape, *indices.shape);
  result.shape->append(data.shape->begin() + axis + 1, data.shape->end());
  // Along the indices the result varies no more than the data along the axis.
  int64_t added = indices.shape->size();
  for (int64_t i = 0, e = result.shape->size(); i != e; ++i)
    result.varying.push_back(i < axis            ? data.varying[i]
                             : i >= axis + added ? data.varying[i - added + 1]
                             : data.isEven(axis) ? Extent(1)
                                                 : indices.varying[i - axis]);
  std::optional<SmallVector<int64_t>> numbers = getNumbers(op.getIndices());
  if (rank == 1 && data.elements && numbers) {
    result.elements.emplace();
    for (int64_t index : *numbers) {
      int64_t size = data.elements->size();
      index += index < 0 ? size : 0;
      result.elements->push_back(
          index >= 0 && index < size ? (*data.elements)[index] : std::nullopt);
    }
  }
  return result;
}

ValueFacts ModelFacts::inferGatherND(onnx::GatherNDOp op) {
  ValueFacts result;
  const ValueFacts &data = get(op.getData());
  const ValueFacts &indices = get(op.getIndices());
  if (!data.shape || !indices.shape || indices.shape->empty() ||
      op.getBatchDims().value_or(0) != 0 || !indices.shape->back().isNumber())
    return result;
  int64_t indexed = indices.shape->back().getNumber();
  if (indexed < 0 || indexed > static_cast<int64_t>(data.shape->size()))
    return result;
  result.shape.emplace(indices.shape->begin(), indices.shape->end() - 1);
  int64_t added = result.shape->size();
  result.shape->append(data.shape->begin() + indexed, data.shape->end());
  // Tuples of indices into axes that are all even name equal slices.
  bool even = true;
  for (int64_t axis = 0; axis != indexed; ++axis)
    even &= data.isEven(axis);
  for (int64_t i = 0, e = result.shape->size(); i != e; ++i)
    result.varying.push_back(i >= added ? data.varying[i - added + indexed]
                             : even     ? Extent(1)
                                        : indices.varying[i]);
  return result;
}

ValueFacts ModelFacts::inferSlice(onnx::SliceOp op) {
  ValueFacts result;
  const ValueFacts &data = get(op.getData());
  if (!data.shape)
    return result;
  int64_t rank = data.shape->size();
  Operation::operand_range ranges = op.getRanges();
  auto read = [&](std::optional<ArrayRef<int64_t>> attr,
                  unsigned operand) -> std::optional<SmallVector<int64_t>> {
    if (attr)
      return SmallVector<int64_t>(*attr);
    if (Value input = operandOrNull(ranges, operand))
      return getNumbers(input);
    return std::nullopt;
  };
  std::optional<SmallVector<int64_t>> starts = read(op.getStarts(), 0);
  std::optional<SmallVector<int64_t>> ends = read(op.getEnds(), 1);
  std::optional<SmallVector<int64_t>> steps = read(std::nullopt, 3);
  std::optional<SmallVector<int64_t>> axes;
  if (op.getAxes() || operandOrNull(ranges, 2))
    axes = getAxes(op.getAxes(), operandOrNull(ranges, 2), rank);
  else if (starts && static_cast<int64_t>(starts->size()) <= rank)
    axes = llvm::to_vector(llvm::seq<int64_t>(0, starts->size()));
  result.shape.emplace();
  for (auto [axis, extent] : llvm::enumerate(*data.shape)) {
    bool cut = !axes || llvm::is_contained(*axes, static_cast<int64_t>(axis));
    result.shape->push_back(cut ? getNewSymbol() : extent);
    // A part of an even axis is even whichever part it is.
    result.varying.push_back(cut && !data.isEven(axis) ? result.shape->back()
                                                       : data.varying[axis]);
  }
  if (!axes || !starts || !ends || starts->size() != axes->size() ||
      ends->size() != axes->size() ||
      (operandOrNull(ranges, 3) && (!steps || steps->size() != axes->size())))
    return result;
  for (auto [i, axis] : llvm::enumerate(*axes)) {
    const Extent &extent = (*data.shape)[axis];
    int64_t step = steps ? (*steps)[i] : 1;
    // All of an axis, whatever its extent.
    if (step == 1 && (*starts)[i] == 0 && (*ends)[i] >= INT32_MAX)
      (*result.shape)[axis] = extent;
    if (!extent.isNumber() || step != 1)
      continue;
    int64_t begin = clampBound((*starts)[i], extent.getNumber());
    int64_t end = clampBound((*ends)[i], extent.getNumber());
    (*result.shape)[axis] = std::max<int64_t>(0, end - begin);
    if (rank == 1 && data.elements && begin <= end)
      result.elements.emplace(data.elements->begin() + begin,
                              data.elements->begin() + end);
  }
  return result;
}

ValueFacts ModelFacts::inferConcat(onnx::ConcatOp op) {
  ValueFacts result;
  if (op.getInputs().empty())
    return result;
  const ValueFacts &first = get(op.getInputs().front());
  if (!first.shape)
    return result;
  int64_t rank = first.shape->size();
  // Opsets below 4 may leave the axis out: 1.
  int64_t axis = normalizeAxis(op.getAxis().value_or(1), rank);
  if (axis < 0 || axis >= rank)
    return result;
  result = first;
  result.partAxis.reset();
  result.parts.clear();
  int64_t sum = 0;
  bool known = true;
  for (auto [index, input] : llvm::enumerate(op.getInputs())) {
    const ValueFacts &part = get(input);
    if (!part.shape || static_cast<int64_t>(part.shape->size()) != rank)
      return ValueFacts();
    for (int64_t i = 0; i != rank; ++i)
      if (i != axis && !(*result.shape)[i].isNumber())
        (*result.shape)[i] = (*part.shape)[i];
    const Extent &own = (*part.shape)[axis];
    int64_t begin = sum;
    known = known && own.isNumber() &&
            !llvm::AddOverflow(sum, own.getNumber(), sum);
    if (known && part.partAxis == static_cast<size_t>(axis)) {
      for (ValueFacts::Part inner : part.parts) {
        inner.begin += begin;
        inner.end += begin;
        result.parts.push_back(std::move(inner));
      }
    } else if (known) {
      result.parts.push_back({begin, sum, part.varying});
    }
    for (int64_t i = 0; i != rank; ++i)
      if (!part.isEven(i) && index != 0)
        result.varying[i] = (*result.shape)[i];
    if (index == 0)
      continue;
    if (result.elements && part.elements)
      llvm::append_range(*result.elements, *part.elements);
    else
      result.elements.reset();
  }
  if (op.getInputs().size() > 1) {
    (*result.shape)[axis] = known ? Extent(sum) : getNewSymbol();
    result.varying[axis] = (*result.shape)[axis];
  }
  if (rank != 1 ||
      (result.elements &&
       static_cast<int64_t>(result.elements->size()) > kMaxElements))
    result.elements.reset();
  bool differ = false;
  for (const ValueFacts::Part &part : result.parts)
    for (int64_t i = 0; i != rank; ++i)
      differ |= i != axis && part.varying[i].isNumber(1) && !result.isEven(i);
  if (known && differ && result.parts.size() <= kMaxParts)
    result.partAxis = axis;
  return result;
}

//===----------------------------------------------------------------------===//
// Copies along axes
//===----------------------------------------------------------------------===//

ValueFacts ModelFacts::inferExpand(onnx::ExpandOp op) {
  ValueFacts result;
  const ValueFacts &input = get(op.getInput());
  const ValueFacts &target = get(op.getShape());
  if (!input.shape || !target.shape || target.shape->size() != 1 ||
      !target.shape->front().isNumber() ||
      target.shape->front().getNumber() < 0 ||
      target.shape->front().getNumber() > kMaxElements)
    return result;
  size_t length = target.shape->front().getNumber();
  size_t rank = std::max(input.shape->size(), length);
  result.shape.emplace();
  for (size_t axis = 0; axis != rank; ++axis) {
    size_t before = rank - input.shape->size();
    Extent own = axis < before ? Extent(1) : (*input.shape)[axis - before];
    std::optional<Extent> asked = Extent(1);
    if (axis >= rank - length)
      asked = target.elements ? (*target.elements)[axis - (rank - length)]
                              : std::nullopt;
    // What is copied along an axis is even along it.
    result.varying.push_back(axis < before ? Extent(1)
                                           : input.varying[axis - before]);
    if (own.isNumber(1))
      result.shape->push_back(asked ? *asked : getNewSymbol());
    else if (own.isNumber() || (asked && asked->isNumber(1)) ||
             (asked && *asked == own))
      result.shape->push_back(own);
    else
      // A symbol that may be 1: the result has the other extent, or this one.
      result.shape->push_back(asked && asked->isNumber() ? *asked
                                                         : getNewSymbol());
  }
  result.elements =
      input.shape->empty() && input.elements && rank == 1 &&
              result.shape->front().isNumber() &&
              result.shape->front().getNumber() >= 0 &&
              result.shape->front().getNumber() <= kMaxElements
          ? std::optional(ValueFacts::Elements(
                result.shape->front().getNumber(), input.elements->front()))
          : std::nullopt;
  return result;
}

ValueFacts ModelFacts::inferTile(onnx::TileOp op) {
  ValueFacts result;
  const ValueFacts &input = get(op.getInput());
  // Opset 1 has two inputs, the number of tiles and the axis.
  if (!input.shape || op.getRepeats().size() != 1)
    return result;
  const std::optional<ValueFacts::Elements> &repeats =
      get(op.getRepeats().front()).elements;
  result.varying = input.varying;
  result.shape.emplace();
  for (auto [axis, extent] : llvm::enumerate(*input.shape))
    result.shape->push_back(repeats && axis < repeats->size() &&
                                    (*repeats)[axis]
                                ? extent * *(*repeats)[axis]
                                : getNewSymbol());
  return result;
}

ValueFacts ModelFacts::inferResize(Operation *op, Value input, Value scales,
                                   Value sizes,
                                   std::optional<ArrayRef<float>> scaleList,
                                   bool crops) {
  ValueFacts result;
  const ValueFacts &in = get(input);
  if (!in.shape)
    return result;
  size_t rank = in.shape->size();
  result.shape.emplace();
  SmallVector<float> factors;
  std::string ignored;
  if (scaleList) {
    factors.assign(scaleList->begin(), scaleList->end());
  } else if (std::optional<Constant> constant =
                 scales ? getConstant(scales, ignored) : std::nullopt) {
    if (auto dense = dyn_cast<DenseElementsAttr>(constant->elements);
        dense && dense.getElementType().isF32())
      factors.assign(dense.value_begin<float>(), dense.value_end<float>());
  }
  const std::optional<ValueFacts::Elements> none;
  const std::optional<ValueFacts::Elements> &target =
      sizes ? get(sizes).elements : none;
  // `axes` says which axes scales and sizes are of; by default all.
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (auto given = op->getAttrOfType<DenseI64ArrayAttr>("axes")) {
    std::optional<SmallVector<int64_t>> valid =
        getAxes(given.asArrayRef(), Value(), rank);
    if (!valid)
      return ValueFacts();
    axes = *valid;
  }
  // Sizes are upper bounds where the aspect ratio is kept.
  auto policy = op->getAttrOfType<StringAttr>("keep_aspect_ratio_policy");
  bool exact = !policy || policy.getValue() == "stretch";
  for (auto [axis, extent] : llvm::enumerate(*in.shape)) {
    size_t i = llvm::find(axes, static_cast<int64_t>(axis)) - axes.begin();
    bool isScaled = factors.size() == axes.size() && i < factors.size();
    // In f32, as ONNX and runtimes have it: 10 times the f32 next to 0.7 is 7.
    float scaled = NAN;
    if (isScaled && extent.isNumber())
      scaled = std::floor(static_cast<float>(extent.getNumber()) *
                          static_cast<float>(factors[i]));
    if (i == axes.size() || (isScaled && factors[i] == 1))
      result.shape->push_back(extent);
    else if (target && exact && i < target->size() && (*target)[i])
      result.shape->push_back(*(*target)[i]);
    else if (scaled >= 0 && scaled <= 1 << 24)
      result.shape->push_back(static_cast<int64_t>(scaled));
    else
      result.shape->push_back(getNewSymbol());
    // Any interpolation of equal numbers is that number; each axis is worked on
    // by itself. Outside of a crop another number may stand.
    result.varying.push_back(!crops && in.isEven(axis) ? Extent(1)
                                                       : result.shape->back());
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// Convolutions and pools see the same numbers in each window along an even
/// axis, unless a window hangs over the edge and what it finds there counts.
ValueFacts ModelFacts::inferWindow(Operation *op) {
  ValueFacts result;
  const ValueFacts &in = get(op->getOperand(0));
  if (!in.shape || in.shape->size() < 3)
    return result;
  int64_t rank = in.shape->size();
  auto ints = [&](StringRef name) {
    auto attr = op->getAttrOfType<DenseI64ArrayAttr>(name);
    return attr ? attr.asArrayRef() : ArrayRef<int64_t>();
  };
  auto number = [&](StringRef name) {
    auto attr = op->getAttrOfType<IntegerAttr>(name);
    return attr ? attr.getInt() : 0;
  };
  ArrayRef<int64_t> pads = ints("pads");
  auto mode = op->getAttrOfType<StringAttr>("auto_pad");
  bool same = mode && mode.getValue().starts_with("SAME");
  auto isNot = [](int64_t value) {
    return [value](int64_t other) { return other != value; };
  };
  bool dilated = llvm::any_of(ints("dilations"), isNot(1));
  bool ceil = number("ceil_mode") != 0;
  // The edge does not count: a maximum, or a mean of what lies inside. A
  // dilated window could lie outside as a whole.
  bool edgeIsIgnored =
      !dilated &&
      (isa<onnx::MaxPoolOp>(op) ||
       (isa<onnx::AveragePoolOp>(op) && number("count_include_pad") == 0));

  result.shape.emplace(rank, Extent());
  (*result.shape)[0] = in.shape->front();
  if (isa<onnx::ConvOp>(op)) {
    const std::optional<ValueFacts::Shape> &kernel =
        get(op->getOperand(1)).shape;
    (*result.shape)[1] =
        kernel && !kernel->empty() ? kernel->front() : getNewSymbol();
  } else {
    (*result.shape)[1] = (*in.shape)[1];
  }
  result.varying = *result.shape;
  result.varying[0] = in.varying[0];
  if (!isa<onnx::ConvOp>(op))
    result.varying[1] = in.varying[1];
  if (!isa<onnx::ConvOp>(op) && in.partAxis == 1) {
    result.partAxis = 1;
    result.parts = in.parts;
  }
  ArrayRef<int64_t> kernel = ints("kernel_shape");
  ArrayRef<int64_t> strides = ints("strides"), dilations = ints("dilations");
  auto at = [](ArrayRef<int64_t> list, size_t i, int64_t otherwise) {
    return i < list.size() ? list[i] : otherwise;
  };
  for (int64_t i = 0; i != rank - 2; ++i) {
    (*result.shape)[i + 2] = getNewSymbol();
    // How many windows there are; where padding follows from the extents or
    // windows may hang over, ONNX's own inference knows.
    const Extent &extent = (*in.shape)[i + 2];
    if (extent.isNumber() && !same && !ceil &&
        static_cast<int64_t>(kernel.size()) == rank - 2) {
      int64_t window = at(dilations, i, 1) * (kernel[i] - 1) + 1;
      int64_t room = extent.getNumber() + at(pads, i, 0) +
                     at(pads, i + rank - 2, 0) - window;
      int64_t stride = at(strides, i, 1);
      if (stride > 0 && room >= 0 && kernel[i] > 0)
        (*result.shape)[i + 2] = room / stride + 1;
    }
    bool overhang = same || ceil;
    if (static_cast<int64_t>(pads.size()) == 2 * (rank - 2))
      overhang |= pads[i] != 0 || pads[i + rank - 2] != 0;
    else
      overhang |= !pads.empty();
    result.varying[i + 2] = in.isEven(i + 2) && (!overhang || edgeIsIgnored)
                                ? Extent(1)
                                : (*result.shape)[i + 2];
    for (ValueFacts::Part &part : result.parts)
      if (!part.varying[i + 2].isNumber(1) || (overhang && !edgeIsIgnored))
        part.varying[i + 2] = (*result.shape)[i + 2];
  }
  return result;
}
