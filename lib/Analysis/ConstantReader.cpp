//===- ConstantReader.cpp - What constants of a model hold ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/ConstantReader.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace headopt;

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static std::optional<Constant> fromTensor(Attribute attr, Operation *op,
                                          std::string &whyNot) {
  TypedAttr elements = onnx::getElements(attr);
  auto type = elements ? dyn_cast<RankedTensorType>(elements.getType())
                       : RankedTensorType();
  if (!type || !type.hasStaticShape()) {
    whyNot = "its tensor has a form that cannot be read";
    return std::nullopt;
  }
  return Constant{type, elements, op};
}

std::optional<Constant> headopt::getConstant(Value value, std::string &whyNot) {
  Operation *op = value.getDefiningOp();
  if (!op) {
    whyNot = "it is the input '" + onnx::getValueName(value).str() +
             "', which callers give";
    return std::nullopt;
  }
  if (auto init = dyn_cast<onnx::InitializerOp>(op)) {
    if (init.getInput() && !onnx::areInputsOfInitializersFixed(op)) {
      whyNot = "the initializer '" + init.getName().str() +
               "' is also a graph input, so callers may override it, unless "
               "you say that none does (constant-initializers)";
      return std::nullopt;
    }
    return fromTensor(init.getValue(), op, whyNot);
  }
  if (auto constant = dyn_cast<onnx::ConstantOp>(op)) {
    Builder b(op->getContext());
    if (auto tensor = constant.getValueAttr())
      return fromTensor(tensor, op, whyNot);
    auto scalarOrList = [&](Type element, int64_t count, bool list,
                            auto values) {
      auto type = list ? RankedTensorType::get({count}, element)
                       : RankedTensorType::get({}, element);
      return Constant{type, DenseElementsAttr::get(type, values), op};
    };
    if (auto number = constant.getValueFloatAttr())
      return scalarOrList(b.getF32Type(), 1, false,
                          ArrayRef<APFloat>(number.getValue()));
    if (auto number = constant.getValueIntAttr())
      return scalarOrList(b.getI64Type(), 1, false,
                          ArrayRef<APInt>(number.getValue()));
    if (auto floats = constant.getValueFloatsAttr())
      return scalarOrList(b.getF32Type(), floats.size(), true,
                          floats.asArrayRef());
    if (auto ints = constant.getValueIntsAttr())
      return scalarOrList(b.getI64Type(), ints.size(), true, ints.asArrayRef());
    whyNot = "its Constant node has no value that can be read";
    return std::nullopt;
  }
  if (auto filled = dyn_cast<onnx::ConstantOfShapeOp>(op)) {
    std::optional<SmallVector<int64_t>> shape =
        getConstantInts(filled.getInput());
    if (!shape || llvm::any_of(*shape, [](int64_t d) { return d < 0; })) {
      whyNot = "the shape of its ConstantOfShape node is not constant";
      return std::nullopt;
    }
    int64_t count = 1;
    for (int64_t extent : *shape)
      if (llvm::MulOverflow(count, std::max<int64_t>(extent, 1), count)) {
        whyNot =
            "its ConstantOfShape node has more elements than can be counted";
        return std::nullopt;
      }
    Attribute fill;
    Type element = Float32Type::get(op->getContext());
    if (auto attr = filled.getValueAttr()) {
      auto dense = dyn_cast_or_null<DenseElementsAttr>(onnx::getElements(attr));
      if (!dense || dense.getNumElements() != 1) {
        whyNot = "the value of its ConstantOfShape node is not one number";
        return std::nullopt;
      }
      element = dense.getElementType();
      fill = *dense.value_begin<Attribute>();
    } else {
      fill = FloatAttr::get(element, 0.0);
    }
    auto type = RankedTensorType::get(*shape, element);
    if (isa<StringAttr>(fill)) {
      whyNot = "it holds strings";
      return std::nullopt;
    }
    return Constant{type, DenseElementsAttr::get(type, fill), op};
  }
  if (auto node = dyn_cast<onnx::NodeOpInterface>(op))
    whyNot = "it is computed by '" + node.getDisplayName().str() + "' (" +
             node.getOperatorName().str() + ")";
  else
    whyNot = "it is computed by " + op->getName().getStringRef().str();
  return std::nullopt;
}

std::optional<SmallVector<int64_t>> headopt::getConstantInts(Value value) {
  std::string ignored;
  std::optional<Constant> constant = getConstant(value, ignored);
  if (!constant || !constant->type.getElementType().isInteger() ||
      constant->type.getRank() > 1)
    return std::nullopt;
  auto dense = dyn_cast<DenseElementsAttr>(constant->elements);
  if (!dense)
    return std::nullopt;
  SmallVector<int64_t> result;
  bool isUnsigned = dense.getElementType().isUnsignedInteger();
  for (APInt number : dense.getValues<APInt>()) {
    if (isUnsigned && number.getActiveBits() > 63)
      return std::nullopt;
    result.push_back(isUnsigned ? static_cast<int64_t>(number.getZExtValue())
                                : number.getSExtValue());
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

llvm::Expected<ConstantReader> ConstantReader::open(const Constant &constant) {
  ConstantReader reader;
  Type element = constant.type.getElementType();
  if (!element.isIntOrFloat() || element.getIntOrFloatBitWidth() % 8)
    return llvm::createStringError("its elements are not whole bytes");
  reader.elementBytes = element.getIntOrFloatBitWidth() / 8;
  reader.numElements = constant.type.getNumElements();
  if (constant.folded) {
    reader.folded = constant.folded;
    reader.memory = ArrayRef(constant.folded->getBufferStart(),
                             constant.folded->getBufferSize());
  } else if (auto dense = dyn_cast<DenseElementsAttr>(constant.elements)) {
    reader.memory = dense.getRawData();
    reader.splat = dense.isSplat();
  } else if (auto data = dyn_cast<onnx::FileDataAttr>(constant.elements)) {
    reader.path = data.getFile().str();
    llvm::Expected<llvm::sys::fs::file_t> file =
        llvm::sys::fs::openNativeFileForRead(reader.path);
    if (!file)
      return llvm::createStringError("cannot read '" + reader.path +
                                     "': " + llvm::toString(file.takeError()));
    reader.file = *file;
    reader.fileOffset = data.getOffset();
  } else {
    auto resource = cast<DenseResourceElementsAttr>(constant.elements);
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return llvm::createStringError(
          "the resource '" + resource.getRawHandle().getKey() +
          "' has no data; it was elided when the file was printed");
    reader.memory = blob->getData();
  }
  if (!reader.file && !reader.splat &&
      reader.memory.size() != reader.numElements * reader.elementBytes)
    return llvm::createStringError("its data does not fit its extents");
  return reader;
}

ConstantReader::ConstantReader(ConstantReader &&other) noexcept
    : memory(other.memory), folded(std::move(other.folded)),
      path(std::move(other.path)), file(other.file),
      fileOffset(other.fileOffset), splat(other.splat),
      elementBytes(other.elementBytes), numElements(other.numElements) {
  other.file.reset();
}

ConstantReader::~ConstantReader() {
  if (file)
    (void)llvm::sys::fs::closeFile(*file);
}

llvm::Error ConstantReader::read(uint64_t first, uint64_t count,
                                 char *into) const {
  uint64_t bytes = count * elementBytes;
  // An empty tensor may have no memory at all.
  if (bytes == 0)
    return llvm::Error::success();
  if (splat) {
    for (uint64_t i = 0; i != count; ++i)
      memcpy(into + i * elementBytes, memory.data(), elementBytes);
    return llvm::Error::success();
  }
  if (!file) {
    memcpy(into, memory.data() + first * elementBytes, bytes);
    return llvm::Error::success();
  }
  uint64_t offset = fileOffset + first * elementBytes;
  while (bytes) {
    llvm::Expected<size_t> got = llvm::sys::fs::readNativeFileSlice(
        *file, MutableArrayRef(into, bytes), offset);
    if (!got)
      return llvm::createStringError("cannot read '" + path +
                                     "': " + llvm::toString(got.takeError()));
    if (*got == 0)
      return llvm::createStringError("'" + path +
                                     "' ends inside the weight: it was cut "
                                     "short");
    into += *got;
    offset += *got;
    bytes -= *got;
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

template <typename T> static T load(const char *bytes) {
  T value;
  memcpy(&value, bytes, sizeof(T));
  return value;
}

bool headopt::isDecodedFloat(Type type) {
  return type.isF16() || type.isBF16() || type.isF32() || type.isF64();
}

double headopt::getUnitRoundoff(Type type) {
  return std::ldexp(1.0, -static_cast<int>(APFloat::semanticsPrecision(
                             cast<FloatType>(type).getFloatSemantics())));
}

double headopt::decodeFloat(Type type, const char *bytes) {
  if (type.isF32())
    return load<float>(bytes);
  if (type.isF64())
    return load<double>(bytes);
  if (type.isBF16())
    return llvm::bit_cast<float>(uint32_t(load<uint16_t>(bytes)) << 16);
  assert(type.isF16() && "no other type is decoded");
  // IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction.
  uint16_t bits = load<uint16_t>(bytes);
  int exponent = bits >> 10 & 31;
  int fraction = bits & 1023;
  double value;
  if (exponent == 31)
    value = fraction ? std::numeric_limits<double>::quiet_NaN()
                     : std::numeric_limits<double>::infinity();
  else if (exponent == 0)
    value = std::ldexp(fraction, -24);
  else
    value = std::ldexp(fraction + 1024, exponent - 25);
  return bits >> 15 ? -value : value;
}

double headopt::decodeNumber(Type type, const char *bytes) {
  if (isDecodedFloat(type))
    return decodeFloat(type, bytes);
  unsigned width = type.getIntOrFloatBitWidth();
  uint64_t bits = 0;
  memcpy(&bits, bytes, width / 8);
  if (auto floating = dyn_cast<FloatType>(type))
    return APFloat(floating.getFloatSemantics(), APInt(width, bits))
        .convertToDouble();
  if (type.isUnsignedInteger())
    return static_cast<double>(bits);
  return static_cast<double>(llvm::SignExtend64(bits, width));
}

void headopt::encodeFloat(Type type, double value, char *bytes) {
  if (type.isF32()) {
    float rounded = static_cast<float>(value);
    memcpy(bytes, &rounded, sizeof(rounded));
    return;
  }
  if (type.isF64()) {
    memcpy(bytes, &value, sizeof(value));
    return;
  }
  APFloat number(value);
  bool losesInfo;
  number.convert(cast<FloatType>(type).getFloatSemantics(),
                 APFloat::rmNearestTiesToEven, &losesInfo);
  uint16_t bits = number.bitcastToAPInt().getZExtValue();
  memcpy(bytes, &bits, sizeof(bits));
}
