//===- Npy.cpp - Tensors in numpy's files ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/Native/Npy.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <optional>

using namespace llvm;
using namespace headopt;

static constexpr StringLiteral kMagic = "\x93NUMPY";

static Error error(const Twine &what) {
  return createStringError(std::errc::invalid_argument, "%s",
                           what.str().c_str());
}

//===----------------------------------------------------------------------===//
// Tensor
//===----------------------------------------------------------------------===//

/// Product of the extents and `size`, if it is a size that memory can have.
static std::optional<uint64_t> getBytes(ArrayRef<int64_t> shape,
                                        uint64_t size) {
  constexpr uint64_t kMax = uint64_t(1) << 62;
  // A zero anywhere makes nothing of the rest, however large.
  if (is_contained(shape, 0))
    return 0;
  uint64_t bytes = size;
  for (int64_t extent : shape) {
    bool overflow = false;
    bytes = SaturatingMultiply(bytes, static_cast<uint64_t>(extent), &overflow);
    if (overflow || bytes > kMax)
      return std::nullopt;
  }
  return bytes;
}

Expected<NpyArray> NpyArray::create(Element element, ArrayRef<int64_t> shape) {
  NpyArray tensor;
  tensor.element = element;
  tensor.shape.assign(shape.begin(), shape.end());
  std::optional<uint64_t> bytes = getBytes(shape, getSize(element));
  if (bytes)
    tensor.data = WritableMemoryBuffer::getNewUninitMemBuffer(
        std::max<uint64_t>(*bytes, 1), "", Align(64));
  if (!tensor.data)
    return createStringError(std::errc::not_enough_memory,
                             "there is not enough memory for the tensor");
  return tensor;
}

uint64_t NpyArray::getNumElements() const { return *getBytes(shape, 1); }

static const fltSemantics &getSemantics(Element element) {
  return element == Element::F16 ? APFloat::IEEEhalf() : APFloat::BFloat();
}

double NpyArray::get(uint64_t index) const {
  const char *at = data->getBufferStart() + index * getSize(element);
  switch (element) {
  case Element::F16:
  case Element::BF16:
    return APFloat(getSemantics(element),
                   APInt(16, support::endian::read16le(at)))
        .convertToDouble();
  case Element::F32:
    return bit_cast<float>(support::endian::read32le(at));
  case Element::F64:
    return bit_cast<double>(support::endian::read64le(at));
  }
  llvm_unreachable("unknown element type");
}

void NpyArray::set(uint64_t index, double value) {
  char *at = data->getBufferStart() + index * getSize(element);
  switch (element) {
  case Element::F16:
  case Element::BF16: {
    APFloat rounded(value);
    bool inexact;
    rounded.convert(getSemantics(element), APFloat::rmNearestTiesToEven,
                    &inexact);
    support::endian::write16le(at, rounded.bitcastToAPInt().getZExtValue());
    return;
  }
  case Element::F32:
    support::endian::write32le(at,
                               bit_cast<uint32_t>(static_cast<float>(value)));
    return;
  case Element::F64:
    support::endian::write64le(at, bit_cast<uint64_t>(value));
    return;
  }
}

//===----------------------------------------------------------------------===//
// The header: a Python dictionary
//===----------------------------------------------------------------------===//

namespace {

/// Reads {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
public:
  explicit HeaderParser(StringRef text) : rest(text) {}

  std::optional<StringRef> descr;
  std::optional<bool> fortranOrder;
  std::optional<SmallVector<int64_t>> shape;

  /// False when the text is no such dictionary.
  bool parse() {
    if (!consume("{"))
      return false;
    while (!consume("}")) {
      std::optional<StringRef> key = parseString();
      if (!key || !consume(":") || !parseValue(*key))
        return false;
      if (!consume(",")) {
        if (!consume("}"))
          return false;
        break;
      }
    }
    return rest.trim(" \n").empty() && descr && fortranOrder && shape;
  }

private:
  bool consume(StringRef token) {
    rest = rest.ltrim(' ');
    return rest.consume_front(token);
  }

  std::optional<StringRef> parseString() {
    char quote = consume("'") ? '\'' : consume("\"") ? '"' : '\0';
    size_t end = quote ? rest.find(quote) : StringRef::npos;
    if (end == StringRef::npos)
      return std::nullopt;
    StringRef text = rest.take_front(end);
    rest = rest.drop_front(end + 1);
    return text;
  }

  bool parseShape() {
    if (!consume("("))
      return false;
    shape.emplace();
    while (!consume(")")) {
      uint64_t extent;
      rest = rest.ltrim(' ');
      if (rest.consumeInteger(10, extent) || extent > INT64_MAX)
        return false;
      shape->push_back(static_cast<int64_t>(extent));
      if (!consume(","))
        return consume(")");
    }
    return true;
  }

  bool parseValue(StringRef key) {
    if (key == "descr" && !descr) {
      descr = parseString();
      return descr.has_value();
    }
    if (key == "fortran_order" && !fortranOrder) {
      bool isTrue = consume("True");
      fortranOrder = isTrue;
      return isTrue || consume("False");
    }
    return key == "shape" && !shape && parseShape();
  }

  StringRef rest;
};

} // namespace

static StringRef getDescr(Element element) {
  switch (element) {
  case Element::F16:
    return "<f2";
  case Element::BF16:
    return "<u2";
  case Element::F32:
    return "<f4";
  case Element::F64:
    return "<f8";
  }
  llvm_unreachable("unknown element type");
}

Expected<NpyArray> headopt::readNpy(StringRef bytes, Element element) {
  if (!bytes.consume_front(kMagic))
    return error("is no .npy file; write it with numpy.save");
  if (bytes.size() < 2)
    return error("is cut short in its header; write it with numpy.save");
  unsigned version = static_cast<unsigned char>(bytes[0]);
  if (version < 1 || version > 3 || bytes[1] != 0)
    return error(
        "is of a version of .npy that is not known (1 to 3 are); write it "
        "with numpy.save");
  bytes = bytes.drop_front(2);
  size_t lengthBytes = version == 1 ? 2 : 4;
  if (bytes.size() < lengthBytes)
    return error("is cut short in its header; write it with numpy.save");
  uint64_t length = version == 1 ? support::endian::read16le(bytes.data())
                                 : support::endian::read32le(bytes.data());
  bytes = bytes.drop_front(lengthBytes);
  if (bytes.size() < length)
    return error("is cut short in its header; write it with numpy.save");

  HeaderParser header(bytes.take_front(length));
  bytes = bytes.drop_front(length);
  if (!header.parse())
    return error(
        "has a header that names no type, order and shape; write an array "
        "of numbers with numpy.save");
  StringRef wanted = getDescr(element);
  StringRef descr = *header.descr;
  // '=' is the order of the machine that wrote it; this one is little-endian.
  bool known = descr.size() == 3 && (descr[0] == '<' || descr[0] == '=') &&
               descr.drop_front() == wanted.drop_front();
  // What ml_dtypes makes of bfloat16.
  if (element == Element::BF16 && (descr == "<V2" || descr == "|V2"))
    known = true;
  if (!known)
    return error("has elements '" + descr + "', the head takes " +
                 getName(element) + " ('" + wanted +
                 "'); convert it with "
                 "numpy's astype");
  if (*header.fortranOrder && header.shape->size() > 1)
    return error("is in Fortran order; write it after "
                 "numpy.ascontiguousarray");

  std::optional<uint64_t> size = getBytes(*header.shape, getSize(element));
  if (!size || *size > bytes.size())
    return error("is cut short: its header promises more elements than it has; "
                 "write it with numpy.save");
  if (*size < bytes.size())
    return error(
        "has more bytes than its header says; write it with numpy.save, "
        "one array to a file");
  Expected<NpyArray> tensor = NpyArray::create(element, *header.shape);
  if (!tensor)
    return tensor.takeError();
  if (*size)
    memcpy(tensor->data->getBufferStart(), bytes.data(), *size);
  return tensor;
}

std::string headopt::makeNpyHeader(const NpyArray &tensor) {
  std::string dict;
  raw_string_ostream os(dict);
  os << "{'descr': '" << getDescr(tensor.element)
     << "', 'fortran_order': False, 'shape': (";
  for (int64_t extent : tensor.shape)
    os << extent << (tensor.shape.size() == 1 ? "," : ", ");
  StringRef trimmed = StringRef(dict).rtrim(' ');
  if (tensor.shape.size() > 1)
    trimmed = trimmed.drop_back();
  std::string text = trimmed.str() + "), }";
  // The elements start at a multiple of 64 bytes.
  size_t before = kMagic.size() + 4;
  text.append(offsetToAlignment(before + text.size() + 1, Align(64)), ' ');
  text += '\n';
  std::string header = (kMagic + StringRef("\1\0", 2)).str();
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}
