//===- ModelText.cpp - Models in ONNX's text format -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModelText.h"
#include "Tensors.h"
#include "onnx/defs/parser.h"
#include "onnx/defs/printer.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/Twine.h"
#include <cmath>
#include <google/protobuf/message.h>
#include <optional>
#include <sstream>
#include <stdexcept>

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using llvm::StringRef;
using llvm::Twine;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

[[noreturn]] static void fail(const Twine &message) {
  throw std::runtime_error(message.str());
}

//===----------------------------------------------------------------------===//
// Text -> ModelProto
//===----------------------------------------------------------------------===//

ModelProto headopt::onnx::parseModelText(StringRef text) {
  ModelProto model;
  ::onnx::Common::Status status;
  try {
    status = ::onnx::OnnxParser::Parse(
        model, std::string_view(text.data(), text.size()));
  } catch (const std::out_of_range &) {
    fail("is not ONNX text: a number in it is too large");
  }
  if (!status.IsOK()) {
    // "[ParseError at position (line: 3 column: 5)]\nError context: ...\n..."
    llvm::SmallVector<StringRef> lines;
    StringRef(status.ErrorMessage()).split(lines, '\n', -1, false);
    std::string message;
    for (StringRef line : lines)
      message += (message.empty() ? "" : " ") + line.trim().str();
    fail("is not ONNX text: " + message);
  }
  return model;
}

//===----------------------------------------------------------------------===//
// Messages that differ
//===----------------------------------------------------------------------===//

/// What tells `message` from others of its kind: its name, for a node without
/// one that of its first output. Empty when there is neither.
static std::string getKey(const Message &message) {
  if (const auto *node = dynamic_cast<const NodeProto *>(&message))
    if (node->name().empty())
      return node->output_size() ? node->output(0) : "";
  const FieldDescriptor *name =
      message.GetDescriptor()->FindFieldByName("name");
  if (!name || name->cpp_type() != FieldDescriptor::CPPTYPE_STRING ||
      name->is_repeated())
    return "";
  return message.GetReflection()->GetString(message, name);
}

/// How messages of the tool call number `i` of `field`, which is `message`.
static std::string getPath(const std::string &parent,
                           const FieldDescriptor *field, const Message &message,
                           int i) {
  std::string path = parent.empty() ? "" : parent + ".";
  path += field->name();
  if (!field->is_repeated())
    return path;
  std::string key = getKey(message);
  return path + "[" + (key.empty() ? std::to_string(i) : "'" + key + "'") + "]";
}

/// Calls `visit` for every message in `message`, however deep, and its path.
template <typename Fn>
static void forEachMessage(Message &message, const std::string &path,
                           Fn visit) {
  visit(message, path);
  const Reflection *reflection = message.GetReflection();
  std::vector<const FieldDescriptor *> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor *field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
      continue;
    int size = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i != size; ++i) {
      Message &part =
          field->is_repeated()
              ? *reflection->MutableRepeatedMessage(&message, field, i)
              : *reflection->MutableMessage(&message, field);
      forEachMessage(part, getPath(path, field, part, i), visit);
    }
  }
}

/// True for a scalar that says the same as its absence. Members of a oneof
/// (`dim_value: 0`) say something by being there.
static bool isEmptyScalar(const Message &message,
                          const FieldDescriptor *field) {
  if (field->is_repeated() || field->real_containing_oneof())
    return false;
  const Reflection *reflection = message.GetReflection();
  switch (field->cpp_type()) {
  case FieldDescriptor::CPPTYPE_STRING:
    return reflection->GetString(message, field).empty();
  case FieldDescriptor::CPPTYPE_INT64:
    return reflection->GetInt64(message, field) == 0;
  case FieldDescriptor::CPPTYPE_INT32:
    return reflection->GetInt32(message, field) == 0;
  case FieldDescriptor::CPPTYPE_ENUM:
    return reflection->GetEnumValue(message, field) == 0;
  case FieldDescriptor::CPPTYPE_FLOAT: {
    float value = reflection->GetFloat(message, field);
    return value == 0 && !std::signbit(value);
  }
  default:
    return false;
  }
}

/// Makes the same of what means the same: bytes and numbers of tensors, fields
/// that are empty and fields that are absent. Removes doc strings and metadata
/// but for those of the model itself, and tells whether there were any.
static bool normalize(ModelProto &model) {
  bool removed = false;
  forEachMessage(model, "", [&](Message &message, const std::string &) {
    if (auto *tensor = dynamic_cast<TensorProto *>(&message))
      headopt::onnx::rawToTyped(*tensor);
    const Reflection *reflection = message.GetReflection();
    std::vector<const FieldDescriptor *> fields;
    reflection->ListFields(message, &fields);
    for (const FieldDescriptor *field : fields) {
      bool empty = isEmptyScalar(message, field);
      bool note = &message != &model && (field->name() == "doc_string" ||
                                         field->name() == "metadata_props");
      removed |= note && !empty;
      if (note || empty)
        reflection->ClearField(&message, field);
    }
  });
  return removed;
}

/// The path of the first field in which `a` and `b`, which are at `path`,
/// differ. Empties both on the way, so that no bytes are held twice.
static std::optional<std::string> findDifference(Message &a, Message &b,
                                                 const std::string &path) {
  const Reflection *reflection = a.GetReflection();
  std::vector<const FieldDescriptor *> leaves;
  for (int i = 0; i != a.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor *field = a.GetDescriptor()->field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      leaves.push_back(field);
      continue;
    }
    auto count = [&](const Message &message) {
      return field->is_repeated() ? reflection->FieldSize(message, field)
                                  : int(reflection->HasField(message, field));
    };
    int size = count(a);
    if (size != count(b))
      return (path.empty() ? "" : path + ".") + std::string(field->name());
    for (int j = 0; j != size; ++j) {
      auto get = [&](Message &message) -> Message & {
        return field->is_repeated()
                   ? *reflection->MutableRepeatedMessage(&message, field, j)
                   : *reflection->MutableMessage(&message, field);
      };
      if (auto difference =
              findDifference(get(a), get(b), getPath(path, field, get(a), j)))
        return difference;
    }
    reflection->ClearField(&a, field);
    reflection->ClearField(&b, field);
  }
  // Unknown fields are among the bytes.
  auto same = [&] { return a.SerializeAsString() == b.SerializeAsString(); };
  if (same())
    return std::nullopt;
  for (const FieldDescriptor *field : leaves) {
    reflection->ClearField(&a, field);
    reflection->ClearField(&b, field);
    if (same())
      return (path.empty() ? "" : path + ".") + std::string(field->name());
  }
  return path + " (fields that ONNX does not know)";
}

//===----------------------------------------------------------------------===//
// ModelProto -> text
//===----------------------------------------------------------------------===//

/// True for tensors whose numbers ONNX's printer replaces by dots.
static bool isPrintedAsDots(const TensorProto &tensor) {
  if (headopt::onnx::isExternal(tensor))
    return false;
  switch (tensor.data_type()) {
  case TensorProto::UNDEFINED:
  case TensorProto::COMPLEX64:
  case TensorProto::COMPLEX128:
  case TensorProto::INT2:
  case TensorProto::UINT2:
  case TensorProto::INT4:
  case TensorProto::UINT4:
  case TensorProto::FLOAT4E2M1:
  case TensorProto::FLOAT6E2M3:
  case TensorProto::FLOAT6E3M2:
    return true;
  default:
    return false;
  }
}

std::string headopt::onnx::printModelText(ModelProto model, bool &complete) {
  static constexpr llvm::StringLiteral kInstead = "; write .onnx instead";
  forEachMessage(model, "", [](Message &message, const std::string &path) {
    auto *tensor = dynamic_cast<TensorProto *>(&message);
    if (tensor && isPrintedAsDots(*tensor))
      fail("ONNX text has no form for the numbers of " + path + ", which are " +
           TensorProto::DataType_Name(tensor->data_type()) + kInstead);
  });

  std::ostringstream os;
  os << model << '\n';
  std::string text = os.str();

  ModelProto back;
  try {
    back = parseModelText(text);
  } catch (const std::exception &e) {
    fail("ONNX text cannot say all of this model; what is printed " +
         Twine(e.what()) + kInstead);
  }
  complete = !normalize(model);
  normalize(back);
  if (auto difference = findDifference(model, back, ""))
    fail("ONNX text cannot say " + *difference + kInstead);
  return text;
}
