//===- Pooling.cpp - Lowering of sums and means over axes -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A mean is one `linalg.generic` that sums, in f32 for f16 and bf16, and one
// that divides and narrows.
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace headopt;

/// Narrows what a reduction gives in the compute type.
static Tensor narrowTo(Emitter &e, const Tensor &tensor, Type element) {
  if (tensor.getElementType() == element)
    return tensor;
  return e.createPerElement(
      {tensor}, element,
      [](ImplicitLocOpBuilder &, ValueRange elements) { return elements[0]; });
}

static SmallVector<int64_t> getSpatialAxes(int64_t rank) {
  return llvm::to_vector(llvm::seq<int64_t>(2, rank));
}

namespace {

class LowerGlobalAveragePool : public LowerNode<onnx::GlobalAveragePoolOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::GlobalAveragePoolOp op, Adaptor operands,
               Emitter &e) const override {
    Tensor x = e.getTensor(op.getX(), operands.getX());
    if (x.getRank() < 3 || !isa<FloatType>(x.getElementType()))
      return e.refuse("its input is no map of floating-point numbers");
    SmallVector<int64_t> axes = getSpatialAxes(x.getRank());
    Tensor mean = e.createMean(x, axes, x.getElementType());
    return mean ? e.insertAxes(mean, axes) : mean;
  }
};

class LowerGlobalMaxPool : public LowerNode<onnx::GlobalMaxPoolOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::GlobalMaxPoolOp op, Adaptor operands,
               Emitter &e) const override {
    Tensor x = e.getTensor(op.getX(), operands.getX());
    if (x.getRank() < 3 || !isa<FloatType>(x.getElementType()))
      return e.refuse("its input is no map of floating-point numbers");
    SmallVector<int64_t> axes = getSpatialAxes(x.getRank());
    Tensor max = narrowTo(e, e.createReduction(x, axes, Emitter::Combine::Max),
                          x.getElementType());
    return max ? e.insertAxes(max, axes) : max;
  }
};

template <typename OpTy> class LowerReduction : public LowerNode<OpTy> {
  using LowerNode<OpTy>::LowerNode;
  Tensor lower(OpTy op, typename OpTy::Adaptor operands,
               Emitter &e) const override {
    Tensor x = e.getTensor(op.getData(), operands.getData());
    Type element = x.getElementType();
    constexpr bool isSum = std::is_same_v<OpTy, onnx::ReduceSumOp>;
    if (!isa<FloatType>(element) && !isSum)
      return e.refuse("it is of integers");
    std::optional<SmallVector<int64_t>> axes = e.getFacts().getReducedAxes(op);
    if (!axes)
      return e.refuse("its axes are not known, or none of its input");
    llvm::sort(*axes);
    if (axes->empty())
      return x;
    Tensor result;
    if constexpr (std::is_same_v<OpTy, onnx::ReduceMeanOp>) {
      result = e.createMean(x, *axes, element);
    } else {
      constexpr Emitter::Combine combine =
          isSum                                     ? Emitter::Combine::Sum
          : std::is_same_v<OpTy, onnx::ReduceMaxOp> ? Emitter::Combine::Max
                                                    : Emitter::Combine::Min;
      result = narrowTo(e, e.createReduction(x, *axes, combine), element);
    }
    if (!result || op.getKeepdims().value_or(1) == 0)
      return result;
    return e.insertAxes(result, *axes);
  }
};

/// The windows of an AveragePool along one axis.
struct Window {
  int64_t kernel, stride, dilation, begin, end;
  int64_t getReach() const { return (kernel - 1) * dilation + 1; }
};

class LowerAveragePool : public LowerNode<onnx::AveragePoolOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::AveragePoolOp op, Adaptor operands,
               Emitter &e) const override;

  static std::optional<SmallVector<Window>>
  readWindows(onnx::AveragePoolOp op, const Tensor &x, std::string &whyNot);
  static Tensor slide(Emitter &e, const Tensor &x, ArrayRef<Window> windows,
                      bool countsPadding);
};

} // namespace

std::optional<SmallVector<Window>>
LowerAveragePool::readWindows(onnx::AveragePoolOp op, const Tensor &x,
                              std::string &whyNot) {
  auto fail = [&](const Twine &why) {
    whyNot = why.str();
    return std::nullopt;
  };
  size_t count = x.getRank() - 2;
  auto get = [](std::optional<ArrayRef<int64_t>> list, size_t i,
                int64_t otherwise) {
    return list && !list->empty() ? (*list)[i] : otherwise;
  };
  auto fits = [](std::optional<ArrayRef<int64_t>> list, size_t size) {
    return !list || list->empty() || list->size() == size;
  };
  if (!op.getKernelShape() || op.getKernelShape()->size() != count ||
      !fits(op.getStrides(), count) || !fits(op.getDilations(), count) ||
      !fits(op.getPads(), 2 * count))
    return fail("its attributes do not fit its input");
  StringRef mode = op.getAutoPad().value_or("NOTSET");
  bool same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  if (!same && mode != "NOTSET" && mode != "VALID" && mode != "")
    return fail("its auto_pad is none that is known");
  SmallVector<Window> windows;
  for (size_t i = 0; i != count; ++i) {
    Window window{get(op.getKernelShape(), i, 1), get(op.getStrides(), i, 1),
                  get(op.getDilations(), i, 1), 0, 0};
    const Extent &extent = x.shape[i + 2];
    if (window.kernel < 1 || window.stride < 1 || window.dilation < 1)
      return fail("its windows have no size");
    if (same) {
      if (!extent.isNumber())
        return fail("its auto_pad depends on extents that only a run knows; "
                    "give the map its extents");
      if (window.dilation != 1)
        return fail("auto_pad and dilations do not go together");
      int64_t numWindows =
          (extent.getNumber() + window.stride - 1) / window.stride;
      int64_t padding = std::max<int64_t>(
          (numWindows - 1) * window.stride + window.kernel - extent.getNumber(),
          0);
      window.begin = mode == "SAME_UPPER" ? padding / 2 : padding - padding / 2;
      window.end = padding - window.begin;
    } else if (mode != "VALID") {
      window.begin = get(op.getPads(), i, 0);
      window.end = get(op.getPads(), i + count, 0);
    }
    if (window.begin < 0 || window.end < 0 || window.begin >= window.kernel ||
        window.end >= window.kernel)
      return fail("its padding is negative or as large as its windows");
    if (op.getCeilMode().value_or(0) != 0 && !same) {
      // Where the last window ends at the edge the mode makes no difference.
      if (!extent.isNumber() ||
          (extent.getNumber() + window.begin + window.end - window.getReach()) %
                  window.stride !=
              0)
        return fail("its windows may hang over the edge (ceil_mode is 1), "
                    "which versions of the operator treat differently");
    }
    if (extent.isNumber() &&
        extent.getNumber() + window.begin + window.end < window.getReach())
      return fail("its windows are larger than its input");
    windows.push_back(window);
  }
  return windows;
}

/// One sum for each window, then a division by the number of its elements.
Tensor LowerAveragePool::slide(Emitter &e, const Tensor &x,
                               ArrayRef<Window> windows, bool countsPadding) {
  ImplicitLocOpBuilder &b = e.b;
  Type element = x.getElementType(), type = e.getComputeType(element);
  int64_t count = windows.size();
  SmallVector<OpFoldResult> sizes = {e.getSize(x, 0), e.getSize(x, 1)};
  Tensor sum{nullptr, {x.shape[0], x.shape[1]}};
  SmallVector<OpFoldResult> low(2, b.getIndexAttr(0)), high = low, kernel;
  SmallVector<int64_t> padded = {x.shape[0].getNumber(),
                                 x.shape[1].getNumber()};
  SmallVector<AffineExpr> in = {b.getAffineDimExpr(0), b.getAffineDimExpr(1)};
  SmallVector<AffineExpr> inKernel, out = in;
  bool pads = false;
  int64_t divisor = 1;
  for (auto [i, window] : llvm::enumerate(windows)) {
    const Extent &extent = x.shape[i + 2];
    int64_t room = window.begin + window.end - window.getReach();
    if (extent.isNumber()) {
      int64_t numWindows = (extent.getNumber() + room) / window.stride + 1;
      sum.shape.push_back(numWindows);
      sizes.push_back(b.getIndexAttr(numWindows));
      padded.push_back(extent.getNumber() + window.begin + window.end);
    } else {
      // Of the node's result, which is what it is.
      const ValueFacts::Shape &known =
          *e.getFacts().get(e.getNode()->getResult(0)).shape;
      sum.shape.push_back(known[i + 2]);
      Value value =
          arith::AddIOp::create(b, e.toValue(e.getSize(x, i + 2)),
                                arith::ConstantIndexOp::create(b, room));
      value = arith::DivUIOp::create(
          b, value, arith::ConstantIndexOp::create(b, window.stride));
      value =
          arith::AddIOp::create(b, value, arith::ConstantIndexOp::create(b, 1));
      sizes.push_back(value);
      padded.push_back(ShapedType::kDynamic);
    }
    AffineExpr position = b.getAffineDimExpr(i + 2);
    AffineExpr place = b.getAffineDimExpr(count + i + 2);
    in.push_back(position * window.stride + place * window.dilation);
    inKernel.push_back(place);
    out.push_back(position);
    kernel.push_back(b.getIndexAttr(window.kernel));
    low.push_back(b.getIndexAttr(window.begin));
    high.push_back(b.getIndexAttr(window.end));
    pads |= window.begin != 0 || window.end != 0;
    divisor *= window.kernel;
  }
  Value input = x.value;
  if (pads) {
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(element));
    input = tensor::PadOp::create(b, RankedTensorType::get(padded, element),
                                  input, low, high, zero);
  }
  Value init = e.createFilled(sizes, b.getZeroAttr(type));
  // Only its extents are read, as those of the loops over a window.
  Value shape = tensor::EmptyOp::create(b, kernel, type);
  int64_t numLoops = 2 + 2 * count;
  SmallVector<utils::IteratorType> iterators(numLoops,
                                             utils::IteratorType::parallel);
  std::fill(iterators.begin() + 2 + count, iterators.end(),
            utils::IteratorType::reduction);
  auto getMap = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(numLoops, 0, exprs, b.getContext());
  };
  sum.value =
      linalg::GenericOp::create(
          b, TypeRange{init.getType()}, ValueRange{input, shape}, init,
          ArrayRef<AffineMap>{getMap(in), getMap(inKernel), getMap(out)},
          iterators,
          [&](OpBuilder &nested, Location loc, ValueRange arguments) {
            ImplicitLocOpBuilder body(loc, nested);
            Value number = arguments[0];
            if (type != element)
              number = arith::ExtFOp::create(body, type, number);
            linalg::YieldOp::create(body, ValueRange{arith::AddFOp::create(
                                              body, arguments[2], number)});
          })
          .getResult(0);
  if (!pads || countsPadding)
    return e.createQuotient(sum, b.getIndexAttr(divisor), element);

  SmallVector<Value> extents;
  for (int64_t i = 0; i != count; ++i)
    extents.push_back(e.toValue(e.getSize(x, i + 2)));
  return e.createPerElement(
      {sum}, element, [&](ImplicitLocOpBuilder &b, ValueRange elements) {
        auto number = [&](int64_t value) -> Value {
          return arith::ConstantIndexOp::create(b, value);
        };
        Value inside;
        for (auto [i, window] : llvm::enumerate(windows)) {
          Value position = linalg::IndexOp::create(b, i + 2);
          Value begin = arith::SubIOp::create(
              b, arith::MulIOp::create(b, position, number(window.stride)),
              number(window.begin));
          Value end = arith::AddIOp::create(b, begin, number(window.kernel));
          begin = arith::MaxSIOp::create(b, begin, number(0));
          end = arith::MinSIOp::create(b, end, extents[i]);
          Value length = arith::SubIOp::create(b, end, begin);
          inside = inside ? arith::MulIOp::create(b, inside, length) : length;
        }
        inside = arith::IndexCastOp::create(b, b.getI64Type(), inside);
        return arith::DivFOp::create(b, elements[0],
                                     arith::SIToFPOp::create(b, type, inside));
      });
}

Tensor LowerAveragePool::lower(onnx::AveragePoolOp op, Adaptor operands,
                               Emitter &e) const {
  Tensor x = e.getTensor(op.getX(), operands.getX());
  if (x.getRank() < 3 || !isa<FloatType>(x.getElementType()))
    return e.refuse("its input is no map of floating-point numbers");
  std::string whyNot;
  std::optional<SmallVector<Window>> windows = readWindows(op, x, whyNot);
  if (!windows)
    return e.refuse(whyNot);
  // Before opset 7 padding never counted.
  bool countsPadding = op.getCountIncludePad().value_or(0) != 0;
  bool dilated = false, padded = false;
  // Whether there is one window, and the whole map is in it.
  bool single = true;
  int64_t size = 1;
  for (auto [i, window] : llvm::enumerate(*windows)) {
    const Extent &extent = x.shape[i + 2];
    dilated |= window.dilation != 1 && window.kernel != 1;
    padded |= window.begin != 0 || window.end != 0;
    size *= window.kernel;
    if (!extent.isNumber()) {
      single = false;
      continue;
    }
    int64_t room =
        extent.getNumber() + window.begin + window.end - window.getReach();
    single &= room / window.stride == 0 &&
              window.kernel - window.begin >= extent.getNumber();
  }
  if (dilated && padded && !countsPadding)
    return e.refuse("of its dilated windows some may lie in the padding alone");
  if (!single || dilated)
    return slide(e, x, *windows, countsPadding);
  SmallVector<int64_t> axes = getSpatialAxes(x.getRank());
  Tensor mean =
      padded && countsPadding
          ? e.createQuotient(e.createReduction(x, axes, Emitter::Combine::Sum),
                             e.b.getIndexAttr(size), x.getElementType())
          : e.createMean(x, axes, x.getElementType());
  return mean ? e.insertAxes(mean, axes) : mean;
}

void headopt::populatePoolingPatterns(RewritePatternSet &patterns,
                                      const TypeConverter &converter,
                                      LoweringState &state) {
  patterns.add<
      LowerGlobalAveragePool, LowerGlobalMaxPool, LowerAveragePool,
      LowerReduction<onnx::ReduceMeanOp>, LowerReduction<onnx::ReduceSumOp>,
      LowerReduction<onnx::ReduceMaxOp>, LowerReduction<onnx::ReduceMinOp>>(
      converter, patterns.getContext(), state);
}
