//===- ConstantFolder.cpp - Values computed from constants ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/ConstantFolder.h"
#include "mlir/Dialect/Traits.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace headopt;

/// A weight of more bytes than this is not computed: the largest that a file
/// without external data can hold.
static constexpr int64_t kMaxBytes = int64_t(1) << 31;

/// Nullopt when a tensor of this shape has more than kMaxBytes.
static std::optional<int64_t> countBytes(ArrayRef<int64_t> shape,
                                         Type element) {
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  for (int64_t extent : shape)
    if (llvm::MulOverflow(bytes, std::max<int64_t>(extent, 1), bytes) ||
        bytes > kMaxBytes)
      return std::nullopt;
  return llvm::is_contained(shape, 0) ? 0 : bytes;
}

namespace {

/// For each axis of a result, where in the elements of an operand each of its
/// coordinates begins: element (i, j, ...) of the result is the operand's
/// element offsets[0][i] + offsets[1][j] + ...
using Offsets = SmallVector<std::vector<uint64_t>>;

/// The elements of a constant in memory.
struct Buffer {
  Type element;
  unsigned width;
  std::unique_ptr<llvm::WritableMemoryBuffer> bytes;

  const char *at(uint64_t index) const {
    return bytes->getBufferStart() + index * width;
  }
  double get(uint64_t index) const { return decodeNumber(element, at(index)); }
};

class Folder {
public:
  explicit Folder(const ModelFacts &facts) : facts(facts) {}

  std::optional<Constant> fold(Value value, unsigned depth);
  std::string whyNot;

private:
  std::nullopt_t fail(const llvm::Twine &message) {
    whyNot = message.str();
    return std::nullopt;
  }
  /// A constant made from `source`, whose elements `fill` writes.
  std::optional<Constant> create(const Constant &source,
                                 ArrayRef<int64_t> shape, Type element,
                                 llvm::function_ref<void(char *)> fill);
  std::optional<Buffer> load(const Constant &constant);
  std::optional<SmallVector<int64_t>> getShape(Value value);
  std::optional<Constant> foldView(Operation *op, const Constant &input);
  std::optional<Constant> foldCopy(const Constant &input,
                                   ArrayRef<int64_t> shape,
                                   const Offsets &offsets);
  std::optional<Constant> foldCast(onnx::CastOp op, const Constant &input);
  std::optional<Constant> foldBinary(Operation *op, const Constant &a,
                                     const Constant &b);
  std::optional<Constant> foldDequantize(onnx::DequantizeLinearOp op,
                                         const Constant &input, unsigned depth);

  std::optional<Constant> compute(Operation *op, const Constant &input,
                                  unsigned depth);

  const ModelFacts &facts;
  /// What was folded: expressions may use a value more than once.
  llvm::DenseMap<Value, std::optional<Constant>> known;
};

} // namespace

static constexpr llvm::StringLiteral kNoMemory =
    "it is computed, and there is not enough memory for that";

/// What the elements of `constant` take where they are held.
static uint64_t getStoredBytes(const Constant &constant) {
  if (constant.folded)
    return constant.foldedFrom;
  uint64_t width = constant.type.getElementType().getIntOrFloatBitWidth() / 8;
  auto dense = dyn_cast<DenseElementsAttr>(constant.elements);
  bool single = isa<onnx::ConstantOfShapeOp>(constant.op) ||
                (dense && dense.getNumElements() == 1);
  return single ? width : constant.type.getNumElements() * width;
}

/// Distances between neighbours along each axis of a row-major tensor.
static SmallVector<uint64_t> getStrides(ArrayRef<int64_t> shape) {
  SmallVector<uint64_t> strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;)
    strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

/// Coordinates of a result of `shape` taken modulo those of `source`, aligned
/// at the last axis: what broadcasting and tiling have in common.
static Offsets getRepeatingOffsets(ArrayRef<int64_t> shape,
                                   ArrayRef<int64_t> source) {
  Offsets offsets(shape.size());
  SmallVector<uint64_t> strides = getStrides(source);
  size_t missing = shape.size() - source.size();
  for (size_t axis = 0; axis != shape.size(); ++axis) {
    offsets[axis].assign(shape[axis], 0);
    if (axis < missing)
      continue;
    for (int64_t i = 0; i != shape[axis]; ++i)
      offsets[axis][i] = i % source[axis - missing] * strides[axis - missing];
  }
  return offsets;
}

/// Calls `visit(i, offset, other)` for the elements of a result in order, with
/// the places in two operands.
static void
forEachElement(ArrayRef<int64_t> shape, const Offsets &offsets,
               const Offsets &others,
               llvm::function_ref<void(uint64_t, uint64_t, uint64_t)> visit) {
  uint64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  if (count == 0)
    return;
  SmallVector<int64_t> index(shape.size(), 0);
  uint64_t offset = 0, other = 0;
  for (size_t axis = 0; axis != shape.size(); ++axis) {
    offset += offsets[axis][0];
    other += others[axis][0];
  }
  for (uint64_t i = 0; i != count; ++i) {
    visit(i, offset, other);
    for (size_t axis = shape.size(); axis-- > 0;) {
      int64_t last = index[axis];
      int64_t next = last + 1 == shape[axis] ? 0 : last + 1;
      offset += offsets[axis][next] - offsets[axis][last];
      other += others[axis][next] - others[axis][last];
      index[axis] = next;
      if (next != 0)
        break;
    }
  }
}

std::optional<SmallVector<int64_t>> Folder::getShape(Value value) {
  const std::optional<ValueFacts::Shape> &shape = facts.get(value).shape;
  if (!shape)
    return fail("its shape is not known");
  SmallVector<int64_t> numbers;
  for (const Extent &extent : *shape) {
    if (!extent.isNumber() || extent.getNumber() < 0)
      return fail("its shape is not known");
    numbers.push_back(extent.getNumber());
  }
  return numbers;
}

std::optional<Constant> Folder::create(const Constant &source,
                                       ArrayRef<int64_t> shape, Type element,
                                       llvm::function_ref<void(char *)> fill) {
  if (!element.isIntOrFloat() || element.getIntOrFloatBitWidth() % 8)
    return fail("its elements are not whole bytes");
  std::optional<int64_t> bytes = countBytes(shape, element);
  if (!bytes)
    return fail("it is computed and has more than 2 GiB");
  std::unique_ptr<llvm::WritableMemoryBuffer> buffer =
      llvm::WritableMemoryBuffer::getNewUninitMemBuffer(*bytes);
  if (!buffer)
    return fail(kNoMemory);
  fill(buffer->getBufferStart());
  Constant result{RankedTensorType::get(shape, element), nullptr, source.op};
  result.folded = std::move(buffer);
  result.foldedFrom = getStoredBytes(source);
  return result;
}

std::optional<Buffer> Folder::load(const Constant &constant) {
  llvm::Expected<ConstantReader> reader = ConstantReader::open(constant);
  if (!reader)
    return fail(llvm::toString(reader.takeError()));
  Buffer buffer{constant.type.getElementType(), reader->getElementBytes(),
                nullptr};
  uint64_t count = reader->getNumElements();
  if (count > static_cast<uint64_t>(kMaxBytes) / buffer.width)
    return fail("it is computed from more than 2 GiB");
  buffer.bytes =
      llvm::WritableMemoryBuffer::getNewUninitMemBuffer(count * buffer.width);
  if (!buffer.bytes)
    return fail(kNoMemory);
  if (llvm::Error err = reader->read(0, count, buffer.bytes->getBufferStart()))
    return fail(llvm::toString(std::move(err)));
  return buffer;
}

std::optional<Constant> Folder::foldCopy(const Constant &input,
                                         ArrayRef<int64_t> shape,
                                         const Offsets &offsets) {
  std::optional<Buffer> buffer = load(input);
  if (!buffer)
    return std::nullopt;
  return create(input, shape, input.type.getElementType(), [&](char *out) {
    forEachElement(
        shape, offsets, offsets, [&](uint64_t i, uint64_t from, uint64_t) {
          memcpy(out + i * buffer->width, buffer->at(from), buffer->width);
        });
  });
}

std::optional<Constant> Folder::foldView(Operation *op, const Constant &input) {
  std::optional<SmallVector<int64_t>> shape = getShape(op->getResult(0));
  if (!shape)
    return std::nullopt;
  auto transpose = dyn_cast<onnx::TransposeOp>(op);
  if (!transpose) {
    auto type = RankedTensorType::get(*shape, input.type.getElementType());
    if (type.getNumElements() != input.type.getNumElements())
      return fail("its shape has another number of elements than its input");
    Constant result = input;
    result.type = type;
    if (!result.folded) {
      std::optional<Buffer> buffer = load(input);
      if (!buffer)
        return std::nullopt;
      result.foldedFrom = getStoredBytes(input);
      result.elements = nullptr;
      result.folded = std::move(buffer->bytes);
    }
    return result;
  }
  int64_t rank = input.type.getRank();
  SmallVector<int64_t> perm = transpose.getPermutation(rank);
  if (static_cast<int64_t>(perm.size()) != rank ||
      !llvm::all_of(llvm::seq<int64_t>(0, rank), [&](int64_t axis) {
        return llvm::is_contained(perm, axis);
      }))
    return fail("its perm is no permutation");
  SmallVector<uint64_t> strides = getStrides(input.type.getShape());
  Offsets offsets;
  SmallVector<int64_t> extents;
  for (int64_t axis : perm) {
    extents.push_back(input.type.getDimSize(axis));
    offsets.emplace_back();
    for (int64_t i = 0; i != extents.back(); ++i)
      offsets.back().push_back(i * strides[axis]);
  }
  return foldCopy(input, extents, offsets);
}

std::optional<Constant> Folder::foldCast(onnx::CastOp op,
                                         const Constant &input) {
  auto type = dyn_cast<TensorType>(op.getOutput().getType());
  Type from = input.type.getElementType();
  if (!type || !isDecodedFloat(type.getElementType()) ||
      (!isDecodedFloat(from) && !from.isInteger()))
    return fail("it is cast to a type that is not read");
  Type element = type.getElementType();
  if (element == from)
    return input;
  std::optional<Buffer> buffer = load(input);
  if (!buffer)
    return std::nullopt;
  unsigned width = element.getIntOrFloatBitWidth() / 8;
  return create(input, input.type.getShape(), element, [&](char *out) {
    for (int64_t i = 0, e = input.type.getNumElements(); i != e; ++i)
      encodeFloat(element, buffer->get(i), out + i * width);
  });
}

std::optional<Constant> Folder::foldBinary(Operation *op, const Constant &a,
                                           const Constant &b) {
  Type element = a.type.getElementType();
  if (!isDecodedFloat(element) || element != b.type.getElementType())
    return fail("it is computed in a type that is not read");
  // Before opset 7 the second operand is laid out by attributes.
  if (op->hasAttr("broadcast") || op->hasAttr("axis"))
    return fail("it is computed with the broadcasting of old opsets");
  SmallVector<int64_t> shape;
  if (!OpTrait::util::getBroadcastedShape(a.type.getShape(), b.type.getShape(),
                                          shape))
    return fail("its operands do not broadcast");
  std::optional<Buffer> left = load(a), right = load(b);
  if (!left || !right)
    return std::nullopt;
  auto compute = [op](double x, double y) {
    if (isa<onnx::AddOp>(op))
      return x + y;
    if (isa<onnx::SubOp>(op))
      return x - y;
    return isa<onnx::MulOp>(op) ? x * y : x / y;
  };
  // In double and then rounded to the type: with at least 2 p + 2 bits for the
  // p of f32 and f16 that is as if rounded once (S. Figueroa, "When is double
  // rounding innocuous?", 1995).
  unsigned width = element.getIntOrFloatBitWidth() / 8;
  std::optional<Constant> result = create(a, shape, element, [&](char *out) {
    forEachElement(shape, getRepeatingOffsets(shape, a.type.getShape()),
                   getRepeatingOffsets(shape, b.type.getShape()),
                   [&](uint64_t i, uint64_t x, uint64_t y) {
                     encodeFloat(element, compute(left->get(x), right->get(y)),
                                 out + i * width);
                   });
  });
  if (result)
    result->foldedFrom += getStoredBytes(b);
  return result;
}

std::optional<Constant> Folder::foldDequantize(onnx::DequantizeLinearOp op,
                                               const Constant &input,
                                               unsigned depth) {
  if (op.getBlockSize().value_or(0) != 0)
    return fail("it is dequantised in blocks");
  std::optional<Constant> scale = fold(op.getXScale(), depth);
  if (!scale)
    return std::nullopt;
  std::optional<Constant> zero;
  Value zeroValue = op.getXZeroPoint();
  if (zeroValue && !isa<NoneType>(zeroValue.getType())) {
    zero = fold(zeroValue, depth);
    if (!zero)
      return std::nullopt;
  }
  auto type = dyn_cast<TensorType>(op.getY().getType());
  Type element = type ? type.getElementType() : scale->type.getElementType();
  if (!isDecodedFloat(element) || !isDecodedFloat(scale->type.getElementType()))
    return fail("it is dequantised to a type that is not read");
  std::optional<Buffer> data = load(input), scales = load(*scale);
  std::optional<Buffer> zeros;
  if (zero)
    zeros = load(*zero);
  if (!data || !scales || (zero && !zeros))
    return std::nullopt;

  ArrayRef<int64_t> shape = input.type.getShape();
  int64_t count = scale->type.getNumElements();
  int64_t extent = 1, stride = 1;
  if (count != 1) {
    int64_t axis = normalizeAxis(op.getAxis().value_or(1), shape.size());
    if (axis < 0 || axis >= static_cast<int64_t>(shape.size()) ||
        shape[axis] != count)
      return fail("its scales do not fit its axis");
    extent = count;
    stride = getStrides(shape)[axis];
  }
  if (zero && zero->type.getNumElements() != count)
    return fail("it has not as many zero points as scales");
  unsigned width = element.getIntOrFloatBitWidth() / 8;
  return create(input, shape, element, [&](char *out) {
    for (int64_t i = 0, e = input.type.getNumElements(); i != e; ++i) {
      int64_t which = i / stride % extent;
      double difference = data->get(i) - (zeros ? zeros->get(which) : 0.0);
      encodeFloat(element, difference * scales->get(which), out + i * width);
    }
  });
}

std::optional<Constant> Folder::fold(Value value, unsigned depth) {
  if (auto it = known.find(value); it != known.end())
    return it->second;
  std::string why;
  if (std::optional<Constant> constant = getConstant(value, why))
    return constant;
  Operation *op = value.getDefiningOp();
  if (depth == 0 || !op || op->getNumOperands() == 0)
    return fail(why);
  if (!isa<onnx::IdentityOp, onnx::FlattenOp, onnx::ReshapeOp, onnx::SqueezeOp,
           onnx::UnsqueezeOp, onnx::TransposeOp, onnx::CastOp, onnx::ExpandOp,
           onnx::TileOp, onnx::AddOp, onnx::SubOp, onnx::MulOp, onnx::DivOp,
           onnx::DequantizeLinearOp>(op))
    return fail(why);
  std::optional<Constant> input = fold(op->getOperand(0), depth - 1);
  std::optional<Constant> result =
      input ? compute(op, *input, depth) : std::nullopt;
  known[value] = result;
  return result;
}

std::optional<Constant> Folder::compute(Operation *op, const Constant &constant,
                                        unsigned depth) {
  const Constant *input = &constant;
  using Folded = std::optional<Constant>;
  return llvm::TypeSwitch<Operation *, Folded>(op)
      .Case([&](onnx::IdentityOp) -> Folded { return *input; })
      .Case([&](onnx::CastOp cast) { return foldCast(cast, *input); })
      .Case<onnx::ExpandOp, onnx::TileOp>([&](Operation *op) -> Folded {
        std::optional<SmallVector<int64_t>> shape = getShape(op->getResult(0));
        if (!shape)
          return std::nullopt;
        if (!countBytes(*shape, input->type.getElementType()))
          return fail("it is computed and has more than 2 GiB");
        if (shape->size() < static_cast<size_t>(input->type.getRank()) ||
            llvm::is_contained(input->type.getShape(), 0))
          return fail("its shape does not fit its input");
        return foldCopy(*input, *shape,
                        getRepeatingOffsets(*shape, input->type.getShape()));
      })
      .Case<onnx::AddOp, onnx::SubOp, onnx::MulOp, onnx::DivOp>(
          [&](Operation *op) -> Folded {
            Folded other = fold(op->getOperand(1), depth - 1);
            if (!other)
              return std::nullopt;
            return foldBinary(op, *input, *other);
          })
      .Case([&](onnx::DequantizeLinearOp dequantize) {
        return foldDequantize(dequantize, *input, depth - 1);
      })
      .Default([&](Operation *op) { return foldView(op, *input); });
}

std::optional<Constant> headopt::foldConstant(Value value,
                                              const ModelFacts &facts,
                                              std::string &whyNot) {
  // Deeper than any exporter writes; hostile files could recurse without end.
  static constexpr unsigned kMaxDepth = 8;
  Folder folder(facts);
  std::optional<Constant> constant = folder.fold(value, kMaxDepth);
  if (!constant)
    whyNot = folder.whyNot;
  return constant;
}

bool headopt::isMadeFromConstants(Value value, bool inputs,
                                  SourcesFunction getSources) {
  static constexpr size_t kMaxValues = 64;
  llvm::SetVector<Value> values;
  values.insert(value);
  for (size_t i = 0; i != values.size(); ++i) {
    if (values.size() > kMaxValues)
      return false;
    Operation *op = values[i].getDefiningOp();
    if (!op) {
      // A weight that callers give has a fixed size; data has a batch.
      auto type = dyn_cast<RankedTensorType>(values[i].getType());
      if (!inputs || !type || !type.hasStaticShape() ||
          !isa<FunctionOpInterface>(
              cast<BlockArgument>(values[i]).getOwner()->getParentOp()))
        return false;
      continue;
    }
    std::optional<SmallVector<Value>> sources = getSources(op);
    if (!sources)
      return false;
    values.insert(sources->begin(), sources->end());
  }
  return true;
}

bool headopt::isMadeFromConstants(Value value, bool inputs) {
  auto getSources = [](Operation *op) -> std::optional<SmallVector<Value>> {
    if (isa<onnx::InitializerOp, onnx::ConstantOp, onnx::NoneOp>(op))
      return SmallVector<Value>();
    if (op->getNumOperands() == 0 || op->getNumRegions() != 0)
      return std::nullopt;
    return SmallVector<Value>(op->getOperands());
  };
  return isMadeFromConstants(value, inputs, getSources);
}
