//===- WireFormat.cpp - Large tensors kept away from protobuf -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Encoding: https://protobuf.dev/programming-guides/encoding. Field numbers:
// onnx.proto of the ONNX project.
//
//===----------------------------------------------------------------------===//

#include "WireFormat.h"
#include "llvm/Support/ErrorHandling.h"
#include <optional>
#include <stdexcept>

using namespace llvm;
using namespace headopt::onnx;

namespace {

/// The messages on the way from a model to its tensors.
enum class Kind {
  Model,
  Training,
  Graph,
  Function,
  Node,
  Attribute,
  Sparse,
  Tensor,
  Leaf
};

/// Numbers of the fields of TensorProto that matter here.
enum TensorField : uint32_t { RawData = 9, ExternalData = 13 };

/// A reader over one message.
class Reader {
public:
  explicit Reader(StringRef bytes) : bytes(bytes) {}

  struct Field {
    uint32_t number;
    uint32_t wireType;
    /// Tag and value.
    StringRef whole;
    /// The content of a length-delimited field.
    StringRef content;
  };

  bool done() const { return position == bytes.size(); }

  Field next() {
    size_t start = position;
    uint64_t tag = varint();
    Field field;
    field.number = tag >> 3;
    field.wireType = tag & 7;
    if (tag >> 32 || field.number == 0)
      throw std::runtime_error("a field has an impossible number");
    switch (field.wireType) {
    case 0:
      varint();
      break;
    case 1:
      skip(8);
      break;
    case 2: {
      uint64_t length = varint();
      size_t begin = position;
      skip(length);
      field.content = bytes.substr(begin, length);
      break;
    }
    case 5:
      skip(4);
      break;
    default:
      throw std::runtime_error("a field has the unknown wire type " +
                               std::to_string(field.wireType));
    }
    field.whole = bytes.substr(start, position - start);
    return field;
  }

private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (position == bytes.size())
        throw std::runtime_error("the data ends inside a number");
      uint8_t byte = bytes[position++];
      value |= uint64_t(byte & 127) << shift;
      if (!(byte & 128))
        return value;
    }
    throw std::runtime_error("a number has more than ten bytes");
  }
  void skip(uint64_t count) {
    if (count > bytes.size() - position)
      throw std::runtime_error(
          "a field says it has " + std::to_string(count) + " bytes, but only " +
          std::to_string(bytes.size() - position) + " are left");
    position += count;
  }

  StringRef bytes;
  size_t position = 0;
};

} // namespace

static Kind getChildKind(Kind parent, uint32_t field) {
  switch (parent) {
  case Kind::Model:
    return field == 7    ? Kind::Graph
           : field == 20 ? Kind::Training
           : field == 25 ? Kind::Function
                         : Kind::Leaf;
  case Kind::Training:
    return field == 1 || field == 2 ? Kind::Graph : Kind::Leaf;
  case Kind::Graph:
    return field == 1    ? Kind::Node
           : field == 5  ? Kind::Tensor
           : field == 15 ? Kind::Sparse
                         : Kind::Leaf;
  case Kind::Function:
    return field == 7 ? Kind::Node : field == 11 ? Kind::Attribute : Kind::Leaf;
  case Kind::Node:
    return field == 5 ? Kind::Attribute : Kind::Leaf;
  case Kind::Attribute:
    switch (field) {
    case 5:
    case 10:
      return Kind::Tensor;
    case 6:
    case 11:
      return Kind::Graph;
    case 22:
    case 23:
      return Kind::Sparse;
    default:
      return Kind::Leaf;
    }
  case Kind::Sparse:
    return field == 1 || field == 2 ? Kind::Tensor : Kind::Leaf;
  case Kind::Tensor:
  case Kind::Leaf:
    return Kind::Leaf;
  }
  llvm_unreachable("unknown message kind");
}

static void writeVarint(std::string &out, uint64_t value) {
  for (; value >= 128; value >>= 7)
    out.push_back(char(value | 128));
  out.push_back(char(value));
}

static void writeHeader(std::string &out, uint32_t field, uint64_t length) {
  writeVarint(out, field << 3 | 2);
  writeVarint(out, length);
}

/// A StringStringEntryProto as element of `external_data`.
static void writeEntry(std::string &out, StringRef key, StringRef value) {
  std::string entry;
  writeHeader(entry, 1, key.size());
  entry += key;
  writeHeader(entry, 2, value.size());
  entry += value;
  writeHeader(out, ExternalData, entry.size());
  out += entry;
}

static std::pair<StringRef, StringRef> readEntry(StringRef entry) {
  StringRef key, value;
  for (Reader reader(entry); !reader.done();) {
    Reader::Field field = reader.next();
    if (field.wireType == 2 && field.number == 1)
      key = field.content;
    if (field.wireType == 2 && field.number == 2)
      value = field.content;
  }
  return {key, value};
}

//===----------------------------------------------------------------------===//
// Split
//===----------------------------------------------------------------------===//

static void splitTensor(StringRef tensor, StringRef model, StringRef file,
                        std::string &out) {
  StringRef raw;
  unsigned numRaw = 0;
  bool external = false;
  for (Reader reader(tensor); !reader.done();) {
    Reader::Field field = reader.next();
    if (field.wireType != 2)
      continue;
    if (field.number == RawData) {
      ++numRaw;
      raw = field.content;
    }
    if (field.number == ExternalData) {
      external = true;
      if (readEntry(field.content).first == wire::kFileKey)
        throw std::runtime_error("a tensor uses the reserved external_data key "
                                 "'headopt.file'");
    }
  }
  if (numRaw != 1 || external || raw.size() < wire::kLargeTensor) {
    out += tensor;
    return;
  }
  for (Reader reader(tensor); !reader.done();) {
    Reader::Field field = reader.next();
    if (field.number != RawData)
      out += field.whole;
  }
  writeEntry(out, wire::kFileKey, file);
  writeEntry(out, wire::kOffsetKey, std::to_string(raw.data() - model.data()));
  writeEntry(out, wire::kLengthKey, std::to_string(raw.size()));
}

static void splitMessage(Kind kind, StringRef message, StringRef model,
                         StringRef file, int depth, std::string &out) {
  if (depth > wire::kMaxDepth)
    throw std::runtime_error("messages are nested more than " +
                             std::to_string(wire::kMaxDepth) + " deep");
  for (Reader reader(message); !reader.done();) {
    Reader::Field field = reader.next();
    Kind child =
        field.wireType == 2 ? getChildKind(kind, field.number) : Kind::Leaf;
    // Below this size no tensor inside can be large; it may be one to refuse.
    if (child == Kind::Leaf || (field.content.size() < wire::kLargeTensor &&
                                !field.content.contains(wire::kFileKey))) {
      out += field.whole;
      continue;
    }
    std::string inner;
    if (child == Kind::Tensor)
      splitTensor(field.content, model, file, inner);
    else
      splitMessage(child, field.content, model, file, depth + 1, inner);
    writeHeader(out, field.number, inner.size());
    out += inner;
  }
}

std::string wire::split(StringRef model, StringRef file) {
  std::string skeleton;
  splitMessage(Kind::Model, model, model, file, 0, skeleton);
  return skeleton;
}

//===----------------------------------------------------------------------===//
// Splice
//===----------------------------------------------------------------------===//

using Pieces = std::vector<wire::Piece>;

wire::Piece wire::Piece::fromMarker(StringRef file, uint64_t offset,
                                    uint64_t length,
                                    ArrayRef<StringRef> memory) {
  Piece piece;
  if (file.empty()) {
    if (offset >= memory.size() || memory[offset].size() != length)
      throw std::runtime_error("a tensor refers to data that is not there");
    piece.memory = memory[offset];
    return piece;
  }
  piece.file = file.str();
  piece.offset = offset;
  piece.length = length;
  return piece;
}

static bool isReference(const wire::Piece &piece) {
  return !piece.file.empty() || !piece.memory.empty();
}

static void append(Pieces &pieces, StringRef bytes) {
  if (pieces.empty() || isReference(pieces.back()))
    pieces.emplace_back();
  pieces.back().bytes += bytes;
}

static void append(Pieces &pieces, Pieces &&more) {
  for (wire::Piece &piece : more) {
    if (isReference(piece))
      pieces.push_back(std::move(piece));
    else
      append(pieces, piece.bytes);
  }
}

static Pieces spliceTensor(StringRef tensor, ArrayRef<StringRef> memory) {
  std::optional<StringRef> file;
  uint64_t offset = 0, length = 0;
  for (Reader reader(tensor); !reader.done();) {
    Reader::Field field = reader.next();
    if (field.wireType != 2 || field.number != ExternalData)
      continue;
    auto [key, value] = readEntry(field.content);
    if (key == wire::kFileKey)
      file = value;
    else if (key == wire::kOffsetKey)
      value.getAsInteger(10, offset);
    else if (key == wire::kLengthKey)
      value.getAsInteger(10, length);
  }
  Pieces pieces;
  if (!file) {
    append(pieces, tensor);
    return pieces;
  }
  // protobuf writes fields by number; the bytes go where it would put them.
  auto insertData = [&] {
    if (!file)
      return;
    std::string header;
    writeHeader(header, RawData, length);
    append(pieces, header);
    pieces.push_back(wire::Piece::fromMarker(*file, offset, length, memory));
    file.reset();
  };
  for (Reader reader(tensor); !reader.done();) {
    Reader::Field field = reader.next();
    if (field.number > RawData)
      insertData();
    if (field.number == ExternalData) {
      StringRef key = readEntry(field.content).first;
      if (key == wire::kFileKey || key == wire::kOffsetKey ||
          key == wire::kLengthKey)
        continue;
    }
    append(pieces, field.whole);
  }
  insertData();
  return pieces;
}

static Pieces spliceMessage(Kind kind, StringRef message,
                            ArrayRef<StringRef> memory) {
  Pieces pieces;
  for (Reader reader(message); !reader.done();) {
    Reader::Field field = reader.next();
    Kind child =
        field.wireType == 2 ? getChildKind(kind, field.number) : Kind::Leaf;
    // Most of a model holds no marker: pass it on as it is.
    if (child == Kind::Leaf || !field.content.contains(wire::kFileKey)) {
      append(pieces, field.whole);
      continue;
    }
    Pieces inner = child == Kind::Tensor
                       ? spliceTensor(field.content, memory)
                       : spliceMessage(child, field.content, memory);
    uint64_t size = 0;
    for (const wire::Piece &piece : inner)
      size += piece.size();
    std::string header;
    writeHeader(header, field.number, size);
    append(pieces, header);
    append(pieces, std::move(inner));
  }
  return pieces;
}

Pieces wire::splice(StringRef skeleton, ArrayRef<StringRef> memory) {
  return spliceMessage(Kind::Model, skeleton, memory);
}
