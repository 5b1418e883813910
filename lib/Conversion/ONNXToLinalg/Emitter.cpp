//===- Emitter.cpp - What all lowerings of nodes are written with ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include <array>

using namespace mlir;
using namespace headopt;

//===----------------------------------------------------------------------===//
// LoweringState
//===----------------------------------------------------------------------===//

LoweringState::LoweringState(const ModelFacts &facts, ModuleOp module)
    : facts(facts) {
  for (auto func : module.getOps<func::FuncOp>())
    for (Value argument : func.getArguments())
      if (const std::optional<ValueFacts::Shape> &shape =
              facts.get(argument).shape)
        for (auto [axis, extent] : llvm::enumerate(*shape))
          if (std::optional<unsigned> symbol = extent.getSymbol())
            origins.try_emplace(*symbol, argument, axis);
}

bool headopt::isLoweredElementType(Type type) {
  return isa<IntegerType, Float16Type, BFloat16Type, Float32Type, Float64Type>(
      type);
}

static RankedTensorType getType(ArrayRef<Extent> shape, Type element) {
  SmallVector<int64_t> extents;
  for (const Extent &extent : shape)
    extents.push_back(extent.getNumber());
  return RankedTensorType::get(extents, element);
}

LogicalResult headopt::replaceNode(Operation *op, const Tensor &result,
                                   const TypeConverter &converter,
                                   LoweringState &state,
                                   ConversionPatternRewriter &rewriter) {
  auto refuse = [&](const Twine &why) {
    state.refuse(op, why);
    return rewriter.notifyMatchFailure(op, why);
  };
  if (!result)
    return rewriter.notifyMatchFailure(op, state.getReason());
  for (Value other : op->getResults().drop_front())
    if (!other.use_empty())
      return refuse("its output '" + onnx::getValueName(other) +
                    "' is used, and only the first one is lowered");
  Type type = converter.convertType(op->getResult(0).getType());
  Value value = result.value;
  if (value.getType() != type) {
    if (!type || !tensor::CastOp::areCastCompatible(value.getType(), type))
      return refuse("its result follows from its operands to be another one "
                    "than the file says");
    value = tensor::CastOp::create(rewriter, op->getLoc(), type, value);
  }
  SmallVector<Value> values(op->getNumResults());
  values.front() = value;
  rewriter.replaceOp(op, values);
  return success();
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

Tensor Emitter::getTensor(Value original, Value value) const {
  return {value, *getFacts().get(original).shape};
}

Value Emitter::toValue(OpFoldResult size) {
  if (auto value = dyn_cast<Value>(size))
    return value;
  return arith::ConstantIndexOp::create(
      b, cast<IntegerAttr>(cast<Attribute>(size)).getInt());
}

OpFoldResult Emitter::multiply(OpFoldResult x, OpFoldResult y) {
  std::optional<int64_t> left = getConstantIntValue(x),
                         right = getConstantIntValue(y);
  if (left && right)
    return b.getIndexAttr(*left * *right);
  if (left == 1)
    return y;
  if (right == 1)
    return x;
  return arith::MulIOp::create(b, toValue(x), toValue(y)).getResult();
}

/// The size, where it can be had from the functions' arguments.
std::optional<OpFoldResult> Emitter::getKnownSize(const Extent &extent) {
  if (extent.isNumber())
    return OpFoldResult(b.getIndexAttr(extent.getNumber()));
  // A product that is too large to be written down.
  if (extent.getCoefficient() < 0)
    return std::nullopt;
  for (unsigned symbol : extent.getSymbols())
    if (!state.getOrigin(symbol).first)
      return std::nullopt;
  OpFoldResult size = b.getIndexAttr(extent.getCoefficient());
  for (unsigned symbol : extent.getSymbols()) {
    auto [argument, axis] = state.getOrigin(symbol);
    Value value = rewriter.getRemappedValue(argument);
    size = multiply(size, tensor::DimOp::create(b, value, axis).getResult());
  }
  return size;
}

OpFoldResult Emitter::getSize(const Tensor &tensor, int64_t axis) {
  if (std::optional<OpFoldResult> size = getKnownSize(tensor.shape[axis]))
    return *size;
  return tensor::DimOp::create(b, tensor.value, axis).getResult();
}

SmallVector<OpFoldResult> Emitter::getSizes(const Tensor &tensor) {
  SmallVector<OpFoldResult> sizes;
  for (int64_t axis = 0; axis != tensor.getRank(); ++axis)
    sizes.push_back(getSize(tensor, axis));
  return sizes;
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

TypedAttr Emitter::getSplat(Value value) {
  Attribute attr;
  if (!matchPattern(value, m_Constant(&attr)))
    return nullptr;
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  if (!dense || !dense.isSplat())
    return nullptr;
  auto number = dyn_cast<TypedAttr>(dense.getSplatValue<Attribute>());
  auto floating = dyn_cast_or_null<FloatAttr>(number);
  if (!floating || floating.getType().getIntOrFloatBitWidth() >= 32)
    return number;
  // Exact, and in the type in which it is computed with.
  return FloatAttr::get(Float32Type::get(value.getContext()),
                        floating.getValueAsDouble());
}

Value headopt::convertFloat(ImplicitLocOpBuilder &b, Value number, Type type) {
  unsigned from = number.getType().getIntOrFloatBitWidth(),
           to = type.getIntOrFloatBitWidth();
  if (number.getType() == type)
    return number;
  return from < to ? arith::ExtFOp::create(b, type, number).getResult()
                   : arith::TruncFOp::create(b, type, number).getResult();
}

static Value widen(ImplicitLocOpBuilder &b, Value number) {
  if (number.getType().isF16() || number.getType().isBF16())
    return arith::ExtFOp::create(b, b.getF32Type(), number);
  return number;
}

static Value narrow(ImplicitLocOpBuilder &b, Value number, Type type) {
  if ((type.isF16() || type.isBF16()) && number.getType().isF32())
    return arith::TruncFOp::create(b, type, number);
  return number;
}

Value Emitter::createFilled(ArrayRef<OpFoldResult> sizes, TypedAttr number) {
  Value fill = arith::ConstantOp::create(b, number);
  Value empty = tensor::EmptyOp::create(b, sizes, number.getType());
  return linalg::FillOp::create(b, fill, empty).getResult(0);
}

//===----------------------------------------------------------------------===//
// Per element
//===----------------------------------------------------------------------===//

/// Without these axes, whose extent is 1; a constant stays one.
Tensor Emitter::dropUnitAxes(const Tensor &tensor, ArrayRef<int64_t> axes) {
  if (axes.empty())
    return tensor;
  ValueFacts::Shape shape;
  for (auto [axis, extent] : llvm::enumerate(tensor.shape))
    if (!llvm::is_contained(axes, static_cast<int64_t>(axis)))
      shape.push_back(extent);
  return createReshape(tensor, std::move(shape));
}

Tensor Emitter::createPerElement(ArrayRef<ElementOperand> operands,
                                 Type element, ElementFunction function) {
  int64_t rank = 0;
  for (const ElementOperand &operand : operands) {
    rank = std::max(rank, operand.tensor.getRank());
    if (operand.axes)
      for (int64_t axis : *operand.axes)
        rank = std::max(rank, axis + 1);
  }
  // The axis of the result that an operand's axis belongs to, and back.
  auto getAxis = [&](const ElementOperand &operand, int64_t own) {
    return operand.axes ? (*operand.axes)[own]
                        : own + rank - operand.tensor.getRank();
  };
  auto getOwnAxis = [&](const ElementOperand &operand,
                        int64_t axis) -> std::optional<int64_t> {
    for (int64_t own = 0; own != operand.tensor.getRank(); ++own)
      if (getAxis(operand, own) == axis)
        return own;
    return std::nullopt;
  };
  auto getExtent = [&](const ElementOperand &operand, int64_t axis) {
    std::optional<int64_t> own = getOwnAxis(operand, axis);
    return own ? operand.tensor.shape[*own] : Extent(1);
  };

  // The extents of the result. Of different ones all but one must be 1, which
  // for symbols only a run knows.
  Tensor result;
  SmallVector<OpFoldResult> sizes;
  const std::optional<ValueFacts::Shape> &known =
      getFacts().get(node->getResult(0)).shape;
  for (int64_t axis = 0; axis != rank; ++axis) {
    SmallVector<const ElementOperand *> different;
    const ElementOperand *number = nullptr;
    for (const ElementOperand &operand : operands) {
      Extent extent = getExtent(operand, axis);
      if (extent.isNumber(1))
        continue;
      if (extent.isNumber())
        number = &operand;
      if (llvm::none_of(different, [&](const ElementOperand *other) {
            return getExtent(*other, axis) == extent;
          }))
        different.push_back(&operand);
    }
    if (number)
      different = {number};
    if (different.empty()) {
      result.shape.push_back(1);
      sizes.push_back(b.getIndexAttr(1));
      continue;
    }
    auto getOwnSize = [&](const ElementOperand *operand) {
      return getSize(operand->tensor, *getOwnAxis(*operand, axis));
    };
    OpFoldResult size = getOwnSize(different.front());
    if (different.size() == 1) {
      result.shape.push_back(getExtent(*different.front(), axis));
    } else {
      if (!known || static_cast<int64_t>(known->size()) != rank ||
          (*known)[axis].isNumber())
        return refuse("how its operands are broadcast is not known");
      result.shape.push_back((*known)[axis]);
      Value one = arith::ConstantIndexOp::create(b, 1);
      for (const ElementOperand *operand : ArrayRef(different).drop_front()) {
        Value isOne = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                            toValue(size), one);
        size = arith::SelectOp::create(b, isOne, toValue(getOwnSize(operand)),
                                       toValue(size))
                   .getResult();
      }
    }
    sizes.push_back(size);
  }

  // How each operand is read: as a number, through a map, or at a place that
  // depends on whether an extent is 1.
  struct Source {
    TypedAttr number;
    std::optional<unsigned> input;
    Value extracted;
    /// For each axis of the extracted tensor the axis of the result, and
    /// whether its extent is 1.
    SmallVector<std::pair<int64_t, Value>> axes;
  };
  SmallVector<Source> sources;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (const ElementOperand &operand : operands) {
    Source &source = sources.emplace_back();
    source.number = getSplat(operand.tensor.value);
    if (source.number)
      continue;
    SmallVector<int64_t> unitAxes;
    SmallVector<AffineExpr> exprs;
    bool varies = false;
    for (auto [own, extent] : llvm::enumerate(operand.tensor.shape)) {
      int64_t axis = getAxis(operand, own);
      if (extent.isNumber(1) && !result.shape[axis].isNumber(1)) {
        unitAxes.push_back(own);
        continue;
      }
      varies |= extent != result.shape[axis];
      exprs.push_back(b.getAffineDimExpr(axis));
    }
    if (!varies) {
      Tensor input = dropUnitAxes(operand.tensor, unitAxes);
      if (!input)
        return {};
      source.input = inputs.size();
      inputs.push_back(input.value);
      maps.push_back(AffineMap::get(rank, 0, exprs, b.getContext()));
      continue;
    }
    source.extracted = operand.tensor.value;
    for (auto [own, extent] : llvm::enumerate(operand.tensor.shape)) {
      int64_t axis = getAxis(operand, own);
      Value isOne;
      if (extent != result.shape[axis])
        isOne = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                      toValue(getSize(operand.tensor, own)),
                                      arith::ConstantIndexOp::create(b, 1));
      source.axes.emplace_back(axis, isOne);
    }
  }
  maps.push_back(b.getMultiDimIdentityMap(rank));

  auto type = getType(result.shape, element);
  Value empty = tensor::EmptyOp::create(b, sizes, element);
  if (empty.getType() != type)
    empty = tensor::CastOp::create(b, type, empty);
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      b, TypeRange{type}, inputs, ValueRange{empty}, maps, iterators,
      [&](OpBuilder &nested, Location loc, ValueRange arguments) {
        ImplicitLocOpBuilder body(loc, nested);
        SmallVector<Value> elements;
        for (const Source &source : sources) {
          Value number;
          if (source.number) {
            number = arith::ConstantOp::create(body, source.number);
          } else if (source.input) {
            number = arguments[*source.input];
          } else {
            SmallVector<Value> indices;
            for (auto [axis, isOne] : source.axes) {
              Value index = linalg::IndexOp::create(body, axis);
              if (isOne)
                index = arith::SelectOp::create(
                    body, isOne, arith::ConstantIndexOp::create(body, 0),
                    index);
              indices.push_back(index);
            }
            number = tensor::ExtractOp::create(body, source.extracted, indices);
          }
          elements.push_back(widen(body, number));
        }
        Value value = narrow(body, function(body, elements), element);
        linalg::YieldOp::create(body, value);
      });
  result.value = generic.getResult(0);
  return result;
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

Tensor Emitter::createReduction(const Tensor &tensor, ArrayRef<int64_t> axes,
                                Combine combine) {
  Type type = getComputeType(tensor.getElementType());
  Tensor result;
  SmallVector<OpFoldResult> sizes;
  SmallVector<AffineExpr> kept;
  SmallVector<utils::IteratorType> iterators;
  for (int64_t axis = 0; axis != tensor.getRank(); ++axis) {
    if (llvm::is_contained(axes, axis)) {
      iterators.push_back(utils::IteratorType::reduction);
      continue;
    }
    iterators.push_back(utils::IteratorType::parallel);
    kept.push_back(b.getAffineDimExpr(axis));
    result.shape.push_back(tensor.shape[axis]);
    sizes.push_back(getSize(tensor, axis));
  }
  TypedAttr start = b.getZeroAttr(type);
  if (combine != Combine::Sum) {
    auto floatType = cast<FloatType>(type);
    start = b.getFloatAttr(
        type, APFloat::getInf(floatType.getFloatSemantics(),
                              /*Negative=*/combine == Combine::Max));
  }
  Value init = createFilled(sizes, start);
  SmallVector<AffineMap> maps = {
      b.getMultiDimIdentityMap(tensor.getRank()),
      AffineMap::get(tensor.getRank(), 0, kept, b.getContext())};
  auto generic = linalg::GenericOp::create(
      b, TypeRange{init.getType()}, tensor.value, init, maps, iterators,
      [&](OpBuilder &nested, Location loc, ValueRange arguments) {
        ImplicitLocOpBuilder body(loc, nested);
        Value number = widen(body, arguments[0]), acc = arguments[1];
        Value value;
        if (combine == Combine::Max)
          value = arith::MaximumFOp::create(body, acc, number);
        else if (combine == Combine::Min)
          value = arith::MinimumFOp::create(body, acc, number);
        else if (isa<FloatType>(type))
          value = arith::AddFOp::create(body, acc, number);
        else
          value = arith::AddIOp::create(body, acc, number);
        linalg::YieldOp::create(body, value);
      });
  result.value = generic.getResult(0);
  return result;
}

Tensor Emitter::createQuotient(const Tensor &tensor, OpFoldResult count,
                               Type element) {
  Type type = tensor.getElementType();
  std::optional<int64_t> number = getConstantIntValue(count);
  Value divisor;
  if (!number) {
    Value integer =
        arith::IndexCastOp::create(b, b.getI64Type(), toValue(count));
    divisor = arith::SIToFPOp::create(b, type, integer);
  }
  return createPerElement(
      {tensor}, element, [&](ImplicitLocOpBuilder &b, ValueRange elements) {
        Value by = divisor;
        if (number)
          by = arith::ConstantOp::create(
              b, b.getFloatAttr(type, static_cast<double>(*number)));
        return arith::DivFOp::create(b, elements[0], by);
      });
}

Tensor Emitter::createMean(const Tensor &tensor, ArrayRef<int64_t> axes,
                           Type element) {
  OpFoldResult count = b.getIndexAttr(1);
  for (int64_t axis : axes)
    count = multiply(count, getSize(tensor, axis));
  return createQuotient(createReduction(tensor, axes, Combine::Sum), count,
                        element);
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

/// How many axes of the input and of the result come before a cut.
using Boundary = std::pair<int64_t, int64_t>;

/// Where the axes of two shapes with the same number of elements can be cut
/// into groups of equal products: as many groups as possible, none without an
/// axis on either side. One group need not be seen to be equal: that it is
/// follows from all others. Begins with (0, 0) and ends with the ranks.
static SmallVector<Boundary> findGroups(ArrayRef<Extent> from,
                                        ArrayRef<Extent> to) {
  int64_t n = from.size(), m = to.size();
  // Products that are 0 say nothing of their factors.
  auto isZero = [](const Extent &extent) { return extent.isNumber(0); };
  if (llvm::any_of(from, isZero) || llvm::any_of(to, isZero))
    return {{0, 0}, {n, m}};
  // The most groups from (i, j) to the end, with or without an unlike one among
  // them, and where the first of them ends.
  struct Rest {
    int64_t numGroups = -1;
    Boundary end;
    bool unlikeLater = false;
  };
  std::vector<std::array<Rest, 2>> table((n + 1) * (m + 1));
  auto at = [&](int64_t i, int64_t j) -> std::array<Rest, 2> & {
    return table[i * (m + 1) + j];
  };
  at(n, m)[0].numGroups = at(n, m)[1].numGroups = 0;
  for (int64_t i = n; i-- > 0;)
    for (int64_t j = m; j-- > 0;)
      for (int64_t k = i + 1; k <= n; ++k)
        for (int64_t l = j + 1; l <= m; ++l) {
          bool equal = headopt::multiply(from.slice(i, k - i)) ==
                       headopt::multiply(to.slice(j, l - j));
          for (bool unlike : {false, true}) {
            if (!equal && !unlike)
              continue;
            bool later = equal && unlike;
            const Rest &rest = at(k, l)[later];
            Rest &best = at(i, j)[unlike];
            if (rest.numGroups >= 0 && rest.numGroups >= best.numGroups)
              best = {rest.numGroups + 1, {k, l}, later};
          }
        }
  SmallVector<Boundary> boundaries = {{0, 0}};
  bool unlike = at(0, 0)[0].numGroups < 0;
  while (boundaries.back() != Boundary{n, m}) {
    const Rest &rest =
        at(boundaries.back().first, boundaries.back().second)[unlike];
    boundaries.push_back(rest.end);
    unlike = rest.unlikeLater;
  }
  return boundaries;
}

Tensor Emitter::createReshape(const Tensor &tensor, ValueFacts::Shape shape) {
  Tensor result{tensor.value, shape};
  if (tensor.shape == shape)
    return result;
  Type element = tensor.getElementType();
  RankedTensorType type = getType(shape, element);

  // A constant is only given another type.
  Attribute attr;
  if (type.hasStaticShape() && matchPattern(tensor.value, m_Constant(&attr))) {
    TypedAttr reshaped;
    if (auto dense = dyn_cast<DenseElementsAttr>(attr))
      reshaped = dense.reshape(type);
    else if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr))
      reshaped = DenseResourceElementsAttr::get(type, resource.getRawHandle());
    if (reshaped) {
      result.value = arith::ConstantOp::create(b, reshaped);
      return result;
    }
  }

  if (tensor.shape.empty() || shape.empty()) {
    // From or to a scalar.
    SmallVector<ReassociationIndices> none;
    if (shape.empty()) {
      Value value = tensor.value;
      auto ones = RankedTensorType::get(
          SmallVector<int64_t>(tensor.getRank(), 1), element);
      if (value.getType() != ones)
        value = tensor::CastOp::create(b, ones, value);
      result.value = tensor::CollapseShapeOp::create(b, type, value, none);
      return result;
    }
    auto ones =
        RankedTensorType::get(SmallVector<int64_t>(shape.size(), 1), element);
    result.value = tensor::ExpandShapeOp::create(b, ones, tensor.value, none);
    if (ones != type)
      result.value = tensor::CastOp::create(b, type, result.value);
    return result;
  }

  SmallVector<Boundary> boundaries = findGroups(tensor.shape, shape);
  SmallVector<ReassociationIndices> collapse, expand;
  // Of the tensor between the two, as the collapse gives it and as the
  // expansion wants it.
  SmallVector<int64_t> collapsed, wanted;
  SmallVector<OpFoldResult> sizes(shape.size());
  for (auto [begin, end] : llvm::zip_equal(ArrayRef(boundaries).drop_back(),
                                           ArrayRef(boundaries).drop_front())) {
    collapse.push_back(llvm::to_vector<2>(llvm::seq(begin.first, end.first)));
    expand.push_back(llvm::to_vector<2>(llvm::seq(begin.second, end.second)));
    auto getProduct = [](ArrayRef<Extent> extents) {
      int64_t product = 1;
      for (const Extent &extent : extents) {
        if (!extent.isNumber())
          return ShapedType::kDynamic;
        product *= extent.getNumber();
      }
      return product;
    };
    ArrayRef<Extent> from =
        ArrayRef(tensor.shape).slice(begin.first, collapse.back().size());
    ArrayRef<Extent> to =
        ArrayRef(shape).slice(begin.second, expand.back().size());
    collapsed.push_back(getProduct(from));
    wanted.push_back(getProduct(to));
    if (to.size() == 1)
      continue;
    // The sizes that the expansion needs: one may follow from the others.
    std::optional<int64_t> missing;
    OpFoldResult others = b.getIndexAttr(1);
    for (int64_t axis : expand.back()) {
      const Extent &extent = shape[axis];
      std::optional<OpFoldResult> size = getKnownSize(extent);
      const auto *same = llvm::find(tensor.shape, extent);
      if (!size && same != tensor.shape.end())
        size = getSize(tensor, same - tensor.shape.begin());
      if (size) {
        sizes[axis] = *size;
        others = multiply(others, *size);
        continue;
      }
      if (missing)
        return {};
      missing = axis;
    }
    if (!missing)
      continue;
    OpFoldResult total = b.getIndexAttr(1);
    for (int64_t axis : collapse.back())
      total = multiply(total, getSize(tensor, axis));
    std::optional<int64_t> divisor = getConstantIntValue(others);
    if (divisor == 0)
      return {};
    Value quotient = toValue(others);
    // No elements in any number of rows: any quotient will do.
    if (!divisor)
      quotient = arith::MaxUIOp::create(b, quotient,
                                        arith::ConstantIndexOp::create(b, 1));
    sizes[*missing] =
        divisor == 1
            ? total
            : arith::DivUIOp::create(b, toValue(total), quotient).getResult();
  }
  Value value = tensor.value;
  if (collapse.size() != tensor.shape.size())
    value = tensor::CollapseShapeOp::create(
        b, RankedTensorType::get(collapsed, element), value, collapse);
  if (collapsed != wanted) {
    auto cast = RankedTensorType::get(wanted, element);
    if (!tensor::CastOp::areCastCompatible(value.getType(), cast))
      return {};
    value = tensor::CastOp::create(b, cast, value);
  }
  if (expand.size() != shape.size()) {
    for (auto [group, axes] : llvm::enumerate(expand)) {
      int64_t axis = axes.front();
      // Axes that are groups of their own keep their size.
      if (axes.size() != 1)
        continue;
      std::optional<OpFoldResult> size = getKnownSize(shape[axis]);
      sizes[axis] =
          size ? *size : tensor::DimOp::create(b, value, group).getResult();
    }
    for (auto [size, extent] : llvm::zip_equal(sizes, shape))
      if (!extent.isNumber())
        size = toValue(size);
    value = tensor::ExpandShapeOp::create(b, type, value, expand, sizes);
  }
  result.value = value;
  return result;
}

Tensor Emitter::insertAxes(const Tensor &tensor, ArrayRef<int64_t> axes) {
  ValueFacts::Shape shape = tensor.shape;
  for (int64_t axis : axes)
    shape.insert(shape.begin() + axis, Extent(1));
  return createReshape(tensor, std::move(shape));
}

Tensor Emitter::createTranspose(const Tensor &tensor, ArrayRef<int64_t> perm) {
  Tensor result;
  SmallVector<OpFoldResult> sizes;
  SmallVector<int64_t> order;
  for (int64_t axis : perm) {
    result.shape.push_back(tensor.shape[axis]);
    if (!tensor.shape[axis].isNumber(1))
      order.push_back(axis);
  }
  // Axes of extent 1 may go anywhere.
  if (llvm::is_sorted(order))
    return createReshape(tensor, result.shape);
  for (int64_t axis : perm)
    sizes.push_back(getSize(tensor, axis));
  Value empty = tensor::EmptyOp::create(b, sizes, tensor.getElementType());
  result.value =
      linalg::TransposeOp::create(b, tensor.value, empty, perm)->getResult(0);
  return result;
}
