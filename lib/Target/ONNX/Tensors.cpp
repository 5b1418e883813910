//===- Tensors.cpp - TensorProto as attributes ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensors.h"
#include "ProtoText.h"
#include "Types.h"
#include "WireFormat.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <stdexcept>

using namespace mlir;
using namespace headopt;
using ::onnx::TensorProto;

[[noreturn]] static void fail(const Twine &message) {
  throw std::runtime_error(message.str());
}

static std::string toString(Type type) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '\'' << type << '\'';
  return text;
}

//===----------------------------------------------------------------------===//
// External data
//===----------------------------------------------------------------------===//

bool headopt::onnx::isExternal(const TensorProto &tensor) {
  return tensor.data_location() == TensorProto::EXTERNAL;
}

headopt::onnx::ExternalRange
headopt::onnx::getExternalRange(const TensorProto &tensor, StringRef dir) {
  std::string location;
  ExternalRange range;
  bool hasLength = false;
  auto number = [&](const ::onnx::StringStringEntryProto &entry,
                    uint64_t &into) {
    int64_t value;
    if (StringRef(entry.value()).getAsInteger(10, value) || value < 0)
      fail("external data has the " + entry.key() + " '" + entry.value() +
           "', which is no byte count");
    into = value;
  };
  for (const auto &entry : tensor.external_data()) {
    if (entry.key() == "location")
      location = entry.value();
    else if (entry.key() == "offset")
      number(entry, range.offset);
    else if (entry.key() == "length") {
      number(entry, range.length);
      hasLength = true;
    }
  }
  if (location.empty())
    fail("external data names no file; give it a 'location'");
  if (StringRef(location).contains('\0') ||
      llvm::sys::path::is_absolute(location) ||
      llvm::is_contained(llvm::make_range(llvm::sys::path::begin(location),
                                          llvm::sys::path::end(location)),
                         StringRef("..")))
    fail("external data is at '" + location +
         "', outside the model's folder; move it beside the model");

  SmallString<256> path(dir);
  llvm::sys::path::append(path, location);
  llvm::sys::fs::file_status status;
  if (llvm::sys::fs::status(path, status))
    fail("the external data file '" + path +
         "' is missing; put it beside the model");
  if (status.type() != llvm::sys::fs::file_type::regular_file)
    fail("the external data file '" + path + "' is not a regular file");
  // A link may lead out of the folder just as `..` does.
  SmallString<256> realDir, realPath;
  if (!llvm::sys::fs::real_path(dir.empty() ? "." : dir, realDir) &&
      !llvm::sys::fs::real_path(path, realPath) &&
      !StringRef(realPath).starts_with(
          (realDir == "/" ? Twine("/") : realDir + Twine("/")).str()))
    fail(
        "external data is at '" + location +
        "', a link that leads outside the model's folder; copy the file there");

  uint64_t size = status.getSize();
  if (range.offset > size || (hasLength && range.length > size - range.offset))
    fail("the external data file '" + path + "' has " + Twine(size) +
         " bytes, but the tensor's end at " +
         Twine(range.offset + range.length));
  if (!hasLength)
    range.length = size - range.offset;
  range.path = path.str().str();
  return range;
}

//===----------------------------------------------------------------------===//
// Types and sizes
//===----------------------------------------------------------------------===//

/// Throws when the elements of a tensor are too many for what is computed from
/// their number.
static void checkExtents(ArrayRef<int64_t> extents) {
  int64_t count = 1;
  for (int64_t extent : extents) {
    // Room for 16 bytes an element, in bits.
    if (extent && count > (INT64_MAX >> 7) / extent)
      fail("has more elements than can be counted");
    count *= std::max<int64_t>(extent, 1);
  }
}

RankedTensorType headopt::onnx::getTensorType(const TensorProto &tensor,
                                              MLIRContext *context) {
  Type element = getElementType(tensor.data_type(), context);
  if (!element)
    fail("has the unknown element type " + Twine(tensor.data_type()));
  ArrayRef<int64_t> extents(tensor.dims().data(), tensor.dims_size());
  for (int64_t extent : extents)
    if (extent < 0)
      fail("has the negative extent " + Twine(extent));
  checkExtents(extents);
  return RankedTensorType::get(extents, element);
}

/// Bits that ONNX uses for one element in raw_data; less than 8 are packed,
/// lower bits first.
static unsigned getStorageBits(Type element) {
  if (auto complex = dyn_cast<ComplexType>(element))
    return 2 * complex.getElementType().getIntOrFloatBitWidth();
  if (element.isInteger(1))
    return 8;
  return element.getIntOrFloatBitWidth();
}

static uint64_t getByteSize(ShapedType type) {
  return (uint64_t(type.getNumElements()) *
              getStorageBits(type.getElementType()) +
          7) /
         8;
}

//===----------------------------------------------------------------------===//
// Typed fields <-> bytes
//===----------------------------------------------------------------------===//

template <typename Field>
static void appendBytes(const Field &field, std::string &bytes) {
  bytes.append(reinterpret_cast<const char *>(field.data()),
               field.size() * sizeof(*field.data()));
}

/// The bytes that raw_data would have.
static std::string typedToBytes(const TensorProto &tensor, Type element) {
  std::string bytes;
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
  case TensorProto::COMPLEX64:
    appendBytes(tensor.float_data(), bytes);
    return bytes;
  case TensorProto::DOUBLE:
  case TensorProto::COMPLEX128:
    appendBytes(tensor.double_data(), bytes);
    return bytes;
  case TensorProto::INT64:
    appendBytes(tensor.int64_data(), bytes);
    return bytes;
  case TensorProto::UINT64:
    appendBytes(tensor.uint64_data(), bytes);
    return bytes;
  case TensorProto::UINT32:
    for (uint64_t value : tensor.uint64_data())
      for (int i = 0; i != 4; ++i)
        bytes.push_back(char(value >> (8 * i)));
    return bytes;
  case TensorProto::FLOAT6E2M3:
  case TensorProto::FLOAT6E3M2:
    // One int32 for an element, although raw_data packs four into three bytes.
    bytes.assign((tensor.int32_data_size() * 6 + 7) / 8, '\0');
    for (int i = 0; i != tensor.int32_data_size(); ++i) {
      unsigned bits = unsigned(tensor.int32_data(i) & 63) << (i * 6 % 8);
      bytes[i * 6 / 8] |= char(bits);
      if (bits >> 8)
        bytes[i * 6 / 8 + 1] |= char(bits >> 8);
    }
    return bytes;
  default: {
    // Narrow types use one int32 for an element, packed ones one for a byte.
    unsigned width = std::max(getStorageBits(element) / 8, 1u);
    for (int32_t value : tensor.int32_data())
      for (unsigned i = 0; i != width; ++i)
        bytes.push_back(char(value >> (8 * i)));
    return bytes;
  }
  }
}

template <typename T, typename Field>
static void assignBytes(StringRef bytes, Field *field) {
  for (size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    T value;
    memcpy(&value, bytes.data() + i, sizeof(T));
    field->Add(value);
  }
}

static void bytesToTyped(StringRef bytes, TensorProto &tensor) {
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
  case TensorProto::COMPLEX64:
    return assignBytes<float>(bytes, tensor.mutable_float_data());
  case TensorProto::DOUBLE:
  case TensorProto::COMPLEX128:
    return assignBytes<double>(bytes, tensor.mutable_double_data());
  case TensorProto::INT64:
    return assignBytes<int64_t>(bytes, tensor.mutable_int64_data());
  case TensorProto::UINT64:
    return assignBytes<uint64_t>(bytes, tensor.mutable_uint64_data());
  case TensorProto::UINT32:
    return assignBytes<uint32_t>(bytes, tensor.mutable_uint64_data());
  case TensorProto::INT32:
    return assignBytes<int32_t>(bytes, tensor.mutable_int32_data());
  case TensorProto::INT16:
    return assignBytes<int16_t>(bytes, tensor.mutable_int32_data());
  case TensorProto::INT8:
    return assignBytes<int8_t>(bytes, tensor.mutable_int32_data());
  case TensorProto::UINT16:
  case TensorProto::FLOAT16:
  case TensorProto::BFLOAT16:
    return assignBytes<uint16_t>(bytes, tensor.mutable_int32_data());
  case TensorProto::FLOAT6E2M3:
  case TensorProto::FLOAT6E3M2: {
    int64_t count = 1;
    for (int64_t extent : tensor.dims())
      count *= extent;
    for (int64_t i = 0; i != count; ++i) {
      unsigned bits = static_cast<uint8_t>(bytes[i * 6 / 8]);
      if (i * 6 % 8 > 2)
        bits |= unsigned(static_cast<uint8_t>(bytes[i * 6 / 8 + 1])) << 8;
      tensor.add_int32_data(bits >> (i * 6 % 8) & 63);
    }
    return;
  }
  default:
    return assignBytes<uint8_t>(bytes, tensor.mutable_int32_data());
  }
}

//===----------------------------------------------------------------------===//
// Bytes <-> dense
//===----------------------------------------------------------------------===//

/// The bits that `dense` uses for an element when they are not whole bytes in
/// ONNX too.
static bool isPackedOrBool(Type element) {
  return !isa<ComplexType>(element) && element.getIntOrFloatBitWidth() < 8;
}

static DenseElementsAttr bytesToDense(StringRef bytes, RankedTensorType type) {
  Type element = type.getElementType();
  if (!isPackedOrBool(element))
    return DenseElementsAttr::getFromRawBuffer(
        type, ArrayRef(bytes.data(), bytes.size()));

  unsigned width = element.getIntOrFloatBitWidth();
  unsigned stored = getStorageBits(element);
  SmallVector<APInt> values;
  values.reserve(type.getNumElements());
  for (int64_t i = 0, e = type.getNumElements(); i != e; ++i) {
    // Elements of 6 bits reach into the next byte.
    uint64_t bit = i * stored;
    unsigned bits = static_cast<uint8_t>(bytes[bit / 8]);
    if (bit % 8 + stored > 8)
      bits |= unsigned(static_cast<uint8_t>(bytes[bit / 8 + 1])) << 8;
    values.push_back(APInt(width, (bits >> (bit % 8)) & ((1u << width) - 1)));
  }
  if (auto floatType = dyn_cast<FloatType>(element)) {
    SmallVector<APFloat> floats;
    for (const APInt &value : values)
      floats.emplace_back(floatType.getFloatSemantics(), value);
    return DenseElementsAttr::get(type, floats);
  }
  return DenseElementsAttr::get(type, values);
}

static std::string denseToBytes(DenseElementsAttr dense) {
  ShapedType type = dense.getType();
  Type element = type.getElementType();
  std::string bytes;
  if (!isPackedOrBool(element)) {
    ArrayRef<char> raw = dense.getRawData();
    int64_t copies = dense.isSplat() ? type.getNumElements() : 1;
    bytes.reserve(raw.size() * copies);
    for (int64_t i = 0; i != copies; ++i)
      bytes.append(raw.data(), raw.size());
    return bytes;
  }
  unsigned stored = getStorageBits(element);
  bytes.assign(getByteSize(type), '\0');
  uint64_t bit = 0;
  auto put = [&](const APInt &value) {
    unsigned bits = unsigned(value.getZExtValue()) << (bit % 8);
    bytes[bit / 8] |= char(bits);
    if (bit % 8 + stored > 8)
      bytes[bit / 8 + 1] |= char(bits >> 8);
    bit += stored;
  };
  if (isa<FloatType>(element))
    for (APFloat value : dense.getValues<APFloat>())
      put(value.bitcastToAPInt());
  else
    for (APInt value : dense.getValues<APInt>())
      put(value);
  return bytes;
}

//===----------------------------------------------------------------------===//
// Import and export
//===----------------------------------------------------------------------===//

/// Fields that hold the tensor's elements.
static void clearData(TensorProto &tensor) {
  tensor.clear_raw_data();
  tensor.clear_float_data();
  tensor.clear_double_data();
  tensor.clear_int32_data();
  tensor.clear_int64_data();
  tensor.clear_uint64_data();
  tensor.clear_string_data();
}

static const std::string *findEntry(const TensorProto &tensor, StringRef key) {
  for (const auto &entry : tensor.external_data())
    if (StringRef(entry.key()) == key)
      return &entry.value();
  return nullptr;
}

/// Removes the entries by which wire::split() points into the model file.
static void clearMarker(TensorProto &tensor) {
  auto *entries = tensor.mutable_external_data();
  for (int i = entries->size(); i-- > 0;)
    if (StringRef(entries->Get(i).key()).starts_with("headopt."))
      entries->DeleteSubrange(i, 1);
}

static void checkSize(uint64_t have, ShapedType type) {
  uint64_t want = getByteSize(type);
  if (have != want)
    fail("has " + Twine(have) + " bytes of data, but its extents need " +
         Twine(want));
}

/// Says what is wrong where one entry of int32_data holds several elements and
/// the file, or ONNX's text parser, gave each an entry of its own.
static void checkPacked(const TensorProto &tensor, ShapedType type) {
  unsigned bits = getStorageBits(type.getElementType());
  if (bits >= 8 || 8 % bits)
    return;
  uint64_t want = getByteSize(type);
  if (static_cast<uint64_t>(tensor.int32_data_size()) != want)
    fail("has " + Twine(tensor.int32_data_size()) +
         " entries of int32_data, but its extents need " + Twine(want) +
         "; each holds " + Twine(8 / bits) +
         " elements of this type, the first in the lowest bits");
}

Attribute headopt::onnx::importTensor(const TensorProto &tensor, StringRef dir,
                                      MLIRContext *context) {
  RankedTensorType type = getTensorType(tensor, context);
  TensorProto rest = tensor;
  clearData(rest);
  rest.clear_dims();
  rest.clear_data_type();

  TypedAttr elements;
  bool typed = false;
  int numFields =
      tensor.has_raw_data() + (tensor.float_data_size() > 0) +
      (tensor.double_data_size() > 0) + (tensor.int32_data_size() > 0) +
      (tensor.int64_data_size() > 0) + (tensor.uint64_data_size() > 0) +
      (tensor.string_data_size() > 0);
  const std::string *file = findEntry(tensor, wire::kFileKey);
  if (numFields + (file != nullptr) + isExternal(tensor) > 1)
    fail("keeps its data in more than one field");

  if (file) {
    uint64_t offset = std::stoull(*findEntry(tensor, wire::kOffsetKey));
    uint64_t length = std::stoull(*findEntry(tensor, wire::kLengthKey));
    if (tensor.data_type() == TensorProto::STRING)
      fail("holds strings in raw_data, which ONNX does not allow");
    checkSize(length, type);
    elements = FileDataAttr::get(type, *file, offset, length);
    clearMarker(rest);
  } else if (isExternal(tensor)) {
    if (tensor.data_type() == TensorProto::STRING)
      fail("holds strings in external data, which ONNX does not allow");
    ExternalRange range = getExternalRange(tensor, dir);
    checkSize(range.length, type);
    elements = FileDataAttr::get(type, range.path, range.offset, range.length);
  } else if (tensor.data_type() == TensorProto::STRING) {
    if (numFields && !tensor.string_data_size())
      fail("holds strings outside string_data");
    if (tensor.string_data_size() != type.getNumElements())
      fail("has " + Twine(tensor.string_data_size()) +
           " strings, but its extents need " + Twine(type.getNumElements()));
    SmallVector<StringRef> strings(tensor.string_data().begin(),
                                   tensor.string_data().end());
    elements = DenseStringElementsAttr::get(type, strings);
    typed = true;
  } else {
    std::string bytes = tensor.has_raw_data()
                            ? tensor.raw_data()
                            : typedToBytes(tensor, type.getElementType());
    typed = !tensor.has_raw_data();
    if (typed)
      checkPacked(tensor, type);
    checkSize(bytes.size(), type);
    elements = bytesToDense(bytes, type);
  }

  Attribute result = elements;
  StringAttr restText = getRest(rest, context);
  if (typed || restText)
    result = TensorAttr::get(context, elements, typed, restText);
  // The safety net for all that the attribute cannot say (bits set beyond a
  // bool's lowest, numbers beyond the element type, ...): keep the message.
  if (!equal(exportTensor(result), tensor))
    return ProtoAttr::get(context, StringAttr::get(context, toText(tensor)));
  return result;
}

/// Says where the bytes of `tensor` are, in the way of wire::split().
static void addMarker(TensorProto &tensor, StringRef file, uint64_t offset,
                      uint64_t length) {
  auto add = [&](StringRef key, const Twine &value) {
    auto *entry = tensor.add_external_data();
    entry->set_key(key.str());
    entry->set_value(value.str());
  };
  add(headopt::onnx::wire::kFileKey, file);
  add(headopt::onnx::wire::kOffsetKey, Twine(offset));
  add(headopt::onnx::wire::kLengthKey, Twine(length));
}

TensorProto headopt::onnx::exportTensor(Attribute attr,
                                        std::vector<StringRef> *memory) {
  TensorProto tensor;
  if (auto proto = dyn_cast<ProtoAttr>(attr)) {
    mergeText(proto.getText().getValue(), tensor);
    return tensor;
  }
  bool typed = false;
  if (auto wrapped = dyn_cast<TensorAttr>(attr)) {
    typed = wrapped.getTyped();
    mergeRest(wrapped.getRest(), tensor);
  }
  TypedAttr elements = getElements(attr);
  auto type = cast<ShapedType>(elements.getType());
  checkExtents(type.getShape());
  for (int64_t extent : type.getShape())
    tensor.add_dims(extent);
  int32_t dataType = getDataType(type.getElementType());
  if (dataType == TensorProto::UNDEFINED)
    fail("has elements of type " + toString(type.getElementType()) +
         ", which ONNX does not have");
  if (isa<DenseStringElementsAttr>(elements) !=
      (dataType == TensorProto::STRING))
    fail("has elements of type " + toString(type.getElementType()) +
         ", but strings, and nothing else, are written as text in 'dense'");
  tensor.set_data_type(dataType);

  if (auto data = dyn_cast<FileDataAttr>(elements)) {
    checkSize(data.getLength(), type);
    if (isExternal(tensor))
      return tensor;
    addMarker(tensor, data.getFile().getValue(), data.getOffset(),
              data.getLength());
  } else if (auto strings = dyn_cast<DenseStringElementsAttr>(elements)) {
    ArrayRef<StringRef> values = strings.getRawStringData();
    int64_t count = type.getNumElements();
    for (int64_t i = 0; i != count; ++i)
      tensor.add_string_data(values[strings.isSplat() ? 0 : i].str());
  } else if (auto dense = dyn_cast<DenseElementsAttr>(elements)) {
    std::string bytes = denseToBytes(dense);
    if (typed)
      bytesToTyped(bytes, tensor);
    else
      tensor.set_raw_data(std::move(bytes));
  } else {
    auto resource = cast<DenseResourceElementsAttr>(elements);
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      fail("the resource '" + resource.getRawHandle().getKey() +
           "' has no data; it was elided when the file was printed");
    ArrayRef<char> bytes = blob->getData();
    checkSize(bytes.size(), type);
    // protobuf would copy them, more than once.
    if (memory && bytes.size() >= wire::kLargeTensor) {
      addMarker(tensor, "", memory->size(), bytes.size());
      memory->emplace_back(bytes.data(), bytes.size());
    } else {
      tensor.set_raw_data(bytes.data(), bytes.size());
    }
  }
  return tensor;
}

void headopt::onnx::rawToTyped(TensorProto &tensor) {
  if (!tensor.has_raw_data())
    return;
  std::string bytes = std::move(*tensor.mutable_raw_data());
  tensor.clear_raw_data();
  bytesToTyped(bytes, tensor);
}
