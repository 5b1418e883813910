//===- ProtoText.cpp - Messages as text in attributes ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProtoText.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Base64.h"
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <memory>
#include <stdexcept>

using namespace headopt;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

namespace {
/// Parses without writing to standard error, as protobuf would by default.
class QuietParser {
public:
  QuietParser() {
    parser.SetRecursionLimit(1 << 16);
    parser.RecordErrorsTo(&collector);
  }
  bool parse(const std::string &text, Message &message) {
    return parser.ParseFromString(text, &message);
  }

private:
  struct Collector : google::protobuf::io::ErrorCollector {
    void AddError(int, int, const std::string &) override {}
  };
  Collector collector;
  TextFormat::Parser parser;
};
} // namespace

static constexpr llvm::StringLiteral kBase64 = "base64:";

std::string headopt::onnx::toText(const Message &message) {
  TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  std::string text;
  bool printed = printer.PrintToString(message, &text);
  std::string bytes = message.SerializeAsString();
  std::unique_ptr<Message> back(message.New());
  if (printed && QuietParser().parse(text, *back) &&
      back->SerializeAsString() == bytes) {
    if (!text.empty() && text.back() == ' ')
      text.pop_back();
    return text;
  }
  return (kBase64 + llvm::encodeBase64(bytes)).str();
}

/// What ONNX calls `message`, whatever namespace the library was built in.
static std::string getName(const Message &message) {
  return "onnx." + std::string(message.GetDescriptor()->name());
}

void headopt::onnx::mergeText(llvm::StringRef text, Message &message) {
  if (text.consume_front(kBase64)) {
    std::vector<char> bytes;
    if (llvm::Error err = llvm::decodeBase64(text, bytes)) {
      llvm::consumeError(std::move(err));
      throw std::runtime_error("an attribute holds bad base64");
    }
    std::unique_ptr<Message> part(message.New());
    if (!part->ParseFromArray(bytes.data(), bytes.size()))
      throw std::runtime_error("an attribute holds a broken " +
                               getName(message));
    message.MergeFrom(*part);
    return;
  }
  std::unique_ptr<Message> part(message.New());
  if (!QuietParser().parse(text.str(), *part))
    throw std::runtime_error("an attribute does not hold the text of a " +
                             getName(message));
  message.MergeFrom(*part);
}

/// True for the fields that the importer takes out of a message before the rest
/// of it becomes text. The name of a tensor is only taken from initializers.
static bool isModelled(const FieldDescriptor *field) {
  auto isOneOf = [&](std::initializer_list<llvm::StringRef> names) {
    return llvm::is_contained(names, llvm::StringRef(field->name()));
  };
  llvm::StringRef message = field->containing_type()->name();
  if (message == "ModelProto")
    return isOneOf({"ir_version", "opset_import", "graph", "functions"});
  if (message == "OperatorSetIdProto")
    return isOneOf({"domain", "version"});
  if (message == "GraphProto")
    return isOneOf({"node", "name", "initializer", "sparse_initializer",
                    "input", "output", "value_info"});
  if (message == "FunctionProto")
    return isOneOf({"name", "domain", "input", "output", "node", "opset_import",
                    "value_info"});
  if (message == "NodeProto")
    return isOneOf(
        {"name", "domain", "op_type", "input", "output", "attribute"});
  if (message == "TensorProto")
    return isOneOf({"dims", "data_type", "raw_data", "float_data",
                    "double_data", "int32_data", "int64_data", "uint64_data",
                    "string_data"});
  return false;
}

mlir::StringAttr headopt::onnx::getRest(const Message &message,
                                        mlir::MLIRContext *context) {
  if (message.ByteSizeLong() == 0)
    return nullptr;
  return mlir::StringAttr::get(context, toText(message));
}

void headopt::onnx::mergeRest(mlir::StringAttr rest, Message &message) {
  if (!rest)
    return;
  std::unique_ptr<Message> part(message.New());
  mergeText(rest.getValue(), *part);
  std::vector<const FieldDescriptor *> fields;
  part->GetReflection()->ListFields(*part, &fields);
  for (const FieldDescriptor *field : fields)
    if (isModelled(field))
      throw std::runtime_error("'rest' of a " + getName(message) + " sets '" +
                               std::string(field->name()) +
                               "', which the IR has a place of its own for");
  message.MergeFrom(*part);
}

bool headopt::onnx::equal(const Message &a, const Message &b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

void headopt::onnx::forEachTensor(
    Message &message, llvm::function_ref<void(::onnx::TensorProto &)> visit) {
  if (auto *tensor = dynamic_cast<::onnx::TensorProto *>(&message)) {
    visit(*tensor);
    return;
  }
  const google::protobuf::Reflection *reflection = message.GetReflection();
  std::vector<const FieldDescriptor *> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor *field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
      continue;
    if (!field->is_repeated()) {
      forEachTensor(*reflection->MutableMessage(&message, field), visit);
      continue;
    }
    for (int i = 0, e = reflection->FieldSize(message, field); i < e; ++i)
      forEachTensor(*reflection->MutableRepeatedMessage(&message, field, i),
                    visit);
  }
}
