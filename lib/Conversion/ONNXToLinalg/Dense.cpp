//===- Dense.cpp - Lowering of dense layers -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of matrices are `linalg.matmul` in f32 and f64 and a widening
// `linalg.generic` in f16 and bf16. Constants are read as they lie: a
// transposed operand is a matter of indexing maps.
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"
#include "headopt/Analysis/Lowerable.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace headopt;

/// One extent for an axis that two operands share: a number where either is.
static Extent unify(const Extent &x, const Extent &y) {
  return x.isNumber() ? x : y;
}

static bool differ(const Extent &x, const Extent &y) {
  return x.isNumber() && y.isNumber() && x != y;
}

/// Sums of products over the last loop, in the compute type. Operands are read
/// through maps of loops to axes; the result has all loops but the last, whose
/// extents are `shape` and whose sizes are `sizes`.
static Tensor createContraction(Emitter &e, const Tensor &a,
                                ArrayRef<int64_t> aLoops, const Tensor &b,
                                ArrayRef<int64_t> bLoops,
                                ValueFacts::Shape shape,
                                ArrayRef<OpFoldResult> sizes) {
  Type element = a.getElementType();
  Type type = e.getComputeType(element);
  Value init = e.createFilled(sizes, e.b.getZeroAttr(type));
  int64_t numLoops = shape.size() + 1;
  auto getMap = [&](ArrayRef<int64_t> loops) {
    return AffineMap::getMultiDimMapWithTargets(
        numLoops, SmallVector<unsigned>(loops), e.b.getContext());
  };
  SmallVector<AffineMap> maps = {
      getMap(aLoops), getMap(bLoops),
      e.b.getMultiDimIdentityMap(numLoops).dropResult(numLoops - 1)};
  Tensor result{nullptr, std::move(shape)};
  SmallVector<Value> operands = {a.value, b.value};
  if (numLoops == 3 && aLoops.size() == 2 && bLoops.size() == 2 &&
      type == element) {
    ImplicitLocOpBuilder &builder = e.b;
    bool isDefault = aLoops.front() == 0 && bLoops.front() == 2;
    auto matmul =
        isDefault
            ? linalg::MatmulOp::create(builder, init.getType(), operands, init)
            : linalg::MatmulOp::create(
                  builder, init.getType(), operands, init,
                  builder.getNamedAttr("indexing_maps",
                                       builder.getAffineMapArrayAttr(maps)));
    result.value = matmul.getResult(0);
    return result;
  }
  SmallVector<utils::IteratorType> iterators(numLoops,
                                             utils::IteratorType::parallel);
  iterators.back() = utils::IteratorType::reduction;
  auto generic = linalg::GenericOp::create(
      e.b, TypeRange{init.getType()}, operands, init, maps, iterators,
      [&](OpBuilder &nested, Location loc, ValueRange arguments) {
        ImplicitLocOpBuilder body(loc, nested);
        Value x = arguments[0], y = arguments[1], value;
        if (type != element) {
          x = arith::ExtFOp::create(body, type, x);
          y = arith::ExtFOp::create(body, type, y);
        }
        if (isa<FloatType>(type))
          value = arith::AddFOp::create(body, arguments[2],
                                        arith::MulFOp::create(body, x, y));
        else
          value = arith::AddIOp::create(body, arguments[2],
                                        arith::MulIOp::create(body, x, y));
        linalg::YieldOp::create(body, value);
      });
  result.value = generic.getResult(0);
  return result;
}

/// The product of two matrices, [M, K] and [K, N] or transposed, in the compute
/// type.
static Tensor createProduct(Emitter &e, const Tensor &a, bool transA,
                            const Tensor &b, bool transB) {
  if (differ(a.shape[transA ? 0 : 1], b.shape[transB ? 1 : 0]))
    return e.refuse("its operands do not fit each other");
  int64_t row = transA ? 1 : 0, column = transB ? 0 : 1;
  SmallVector<int64_t> aLoops = {0, 2}, bLoops = {2, 1};
  if (transA)
    std::swap(aLoops[0], aLoops[1]);
  if (transB)
    std::swap(bLoops[0], bLoops[1]);
  return createContraction(e, a, aLoops, b, bLoops,
                           {a.shape[row], b.shape[column]},
                           {e.getSize(a, row), e.getSize(b, column)});
}

/// alpha * product + beta * bias, narrowed to `element`.
static Tensor finishProduct(Emitter &e, const Tensor &product, Type element,
                            double alpha, double beta,
                            std::optional<ElementOperand> bias) {
  if (beta == 0)
    bias.reset();
  if (alpha == 1 && !bias && product.getElementType() == element)
    return product;
  SmallVector<ElementOperand> operands = {product};
  if (bias)
    operands.push_back(*bias);
  return e.createPerElement(
      operands, element, [&](ImplicitLocOpBuilder &b, ValueRange elements) {
        auto scale = [&](Value value, double factor) -> Value {
          if (factor == 1)
            return value;
          Value number = arith::ConstantOp::create(
              b, b.getFloatAttr(value.getType(), factor));
          return arith::MulFOp::create(b, value, number);
        };
        Value value = scale(elements[0], alpha);
        if (!bias)
          return value;
        Value other = scale(elements[1], beta);
        if (isa<FloatType>(value.getType()))
          value = arith::AddFOp::create(b, value, other);
        else
          value = arith::AddIOp::create(b, value, other);
        return value;
      });
}

namespace {

class LowerGemm : public LowerNode<onnx::GemmOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::GemmOp op, Adaptor operands, Emitter &e) const override {
    Tensor a = e.getTensor(op.getA(), operands.getA());
    Tensor b = e.getTensor(op.getB(), operands.getB());
    if (a.getRank() != 2 || b.getRank() != 2 ||
        a.getElementType() != b.getElementType())
      return e.refuse("its operands are no two matrices of one type");
    double alpha = op.getAlpha() ? op.getAlpha()->convertToDouble() : 1;
    double beta = op.getBeta() ? op.getBeta()->convertToDouble() : 1;
    std::optional<ElementOperand> bias;
    if (Value c = onnx::presentOrNull(op.getC()))
      bias = e.getTensor(c, operands.getC());
    Type element = a.getElementType();
    if (!isa<FloatType>(element) && (alpha != 1 || (bias && beta != 1)))
      return e.refuse("it scales integers by numbers that are none");
    Tensor product = createProduct(e, a, op.getTransA().value_or(0) != 0, b,
                                   op.getTransB().value_or(0) != 0);
    if (!product)
      return {};
    if (bias) {
      // The bias may be broadcast, the product may not.
      ArrayRef<Extent> shape = bias->tensor.shape;
      if (shape.size() > 2)
        return e.refuse("its bias has more than two axes");
      for (auto [own, axis] :
           llvm::zip(llvm::reverse(shape), llvm::reverse(product.shape)))
        if (!own.isNumber(1) && differ(own, axis))
          return e.refuse("its bias does not fit its result");
    }
    return finishProduct(e, product, element, alpha, beta, bias);
  }
};

/// numpy's matmul: an operand with one axis is a row or a column, axes before
/// the last two are broadcast.
class LowerMatMul : public LowerNode<onnx::MatMulOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::MatMulOp op, Adaptor operands, Emitter &e) const override {
    Tensor a = e.getTensor(op.getA(), operands.getA());
    Tensor b = e.getTensor(op.getB(), operands.getB());
    Type element = a.getElementType();
    if (a.getRank() == 0 || b.getRank() == 0 || element != b.getElementType())
      return e.refuse("its operands are no matrices of one type");
    bool isRow = a.getRank() == 1, isColumn = b.getRank() == 1;
    if (isRow)
      a = e.insertAxes(a, 0);
    if (isColumn)
      b = e.insertAxes(b, 1);

    Tensor result;
    if (b.getRank() == 2) {
      // One product for all rows.
      ValueFacts::Shape shape = a.shape;
      shape.back() = b.shape.back();
      Tensor rows = e.createReshape(
          a, {multiply(ArrayRef(a.shape).drop_back()), a.shape.back()});
      if (!rows)
        return e.refuse("its rows cannot be counted");
      result = createProduct(e, rows, /*transA=*/false, b, /*transB=*/false);
      if (!result)
        return {};
      result = finishProduct(e, result, element, 1, 1, std::nullopt);
      result = e.createReshape(result, shape);
    } else {
      result = createBatched(e, a, b);
      if (!result)
        return {};
      result = finishProduct(e, result, element, 1, 1, std::nullopt);
    }
    if (!result || (!isRow && !isColumn))
      return result ? result : e.refuse("its rows cannot be told apart");
    ValueFacts::Shape shape = result.shape;
    if (isColumn)
      shape.pop_back();
    if (isRow)
      shape.erase(shape.end() - (isColumn ? 1 : 2));
    return e.createReshape(result, shape);
  }

  static Tensor createBatched(Emitter &e, const Tensor &a, const Tensor &b) {
    int64_t rank = std::max(a.getRank(), b.getRank());
    if (differ(a.shape.back(), b.shape[b.getRank() - 2]))
      return e.refuse("its operands do not fit each other");
    ValueFacts::Shape shape;
    SmallVector<OpFoldResult> sizes;
    SmallVector<int64_t> aLoops, bLoops;
    // Axes of extent 1 that are broadcast are read without a loop.
    auto dropAxes = [&](const Tensor &tensor, SmallVector<int64_t> &loops) {
      ValueFacts::Shape kept;
      SmallVector<int64_t> keptLoops;
      for (auto [extent, loop] : llvm::zip(tensor.shape, loops))
        if (loop >= 0) {
          kept.push_back(extent);
          keptLoops.push_back(loop);
        }
      loops = keptLoops;
      return e.createReshape(tensor, kept);
    };
    for (int64_t axis = 0; axis != rank - 2; ++axis) {
      int64_t ofA = axis - (rank - a.getRank()),
              ofB = axis - (rank - b.getRank());
      Extent x = ofA >= 0 ? a.shape[ofA] : Extent(1);
      Extent y = ofB >= 0 ? b.shape[ofB] : Extent(1);
      if (x != y && !x.isNumber(1) && !y.isNumber(1))
        return e.refuse("whether its operands are broadcast along axis " +
                        Twine(axis) + " is only known at run time");
      bool fromA = !x.isNumber(1) || y.isNumber(1);
      if (ofA >= 0)
        aLoops.push_back(x == y || fromA ? axis : -1);
      if (ofB >= 0)
        bLoops.push_back(x == y || !fromA ? axis : -1);
      bool useA = fromA && ofA >= 0;
      shape.push_back(useA ? x : y);
      sizes.push_back(useA ? e.getSize(a, ofA) : e.getSize(b, ofB));
    }
    // Rows, columns, and what is summed.
    llvm::append_range(aLoops, ArrayRef<int64_t>{rank - 2, rank});
    llvm::append_range(bLoops, ArrayRef<int64_t>{rank, rank - 1});
    shape.push_back(a.shape[a.getRank() - 2]);
    sizes.push_back(e.getSize(a, a.getRank() - 2));
    shape.push_back(b.shape.back());
    sizes.push_back(e.getSize(b, b.getRank() - 1));
    Tensor left = dropAxes(a, aLoops), right = dropAxes(b, bLoops);
    if (!left || !right)
      return e.refuse("its operands cannot be broadcast");
    return createContraction(e, left, aLoops, right, bLoops, shape, sizes);
  }
};

/// A convolution with one window: its kernel is as large as the map.
class LowerConv : public LowerNode<onnx::ConvOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::ConvOp op, Adaptor operands, Emitter &e) const override {
    Tensor x = e.getTensor(op.getX(), operands.getX());
    Tensor w = e.getTensor(op.getW(), operands.getW());
    static constexpr llvm::StringLiteral kNotDense =
        "only a convolution with one window is lowered, a dense layer: its "
        "kernel must be as large as the map, without padding, dilation or "
        "groups";
    if (!isDenseConv(op, e.getFacts()))
      return e.refuse(kNotDense);
    if (differ(x.shape[1], w.shape[1]))
      return e.refuse("its kernel has not as many channels as its input");
    // The window's elements are in order in both.
    Extent channels = unify(x.shape[1], w.shape[1]);
    Extent window = multiply(ArrayRef(x.shape).drop_front(2)) * channels;
    Tensor rows = e.createReshape(x, {x.shape[0], window});
    Tensor weight = e.createReshape(w, {w.shape[0], window});
    if (!rows || !weight)
      return e.refuse(kNotDense);
    Tensor product =
        createProduct(e, rows, /*transA=*/false, weight, /*transB=*/true);
    if (!product)
      return {};
    std::optional<ElementOperand> bias;
    if (Value given = onnx::presentOrNull(op.getB()))
      bias = e.getTensor(given, operands.getB());
    product = finishProduct(e, product, x.getElementType(), 1, 1, bias);
    if (!product)
      return {};
    return e.insertAxes(product,
                        llvm::to_vector(llvm::seq<int64_t>(2, x.getRank())));
  }
};

} // namespace

void headopt::populateDensePatterns(RewritePatternSet &patterns,
                                    const TypeConverter &converter,
                                    LoweringState &state) {
  patterns.add<LowerGemm, LowerMatMul, LowerConv>(converter,
                                                  patterns.getContext(), state);
}
