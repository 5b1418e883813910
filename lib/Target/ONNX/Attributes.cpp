//===- Attributes.cpp - AttributeProto as attributes ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Attributes.h"
#include "ProtoText.h"
#include "Tensors.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "mlir/IR/Builders.h"
#include <stdexcept>

using namespace mlir;
using namespace headopt;
using ::onnx::AttributeProto;

/// The value by the kind that the message names; null when the IR has none.
static Attribute importValue(const AttributeProto &proto, StringRef dir,
                             Builder &b) {
  switch (proto.type()) {
  case AttributeProto::FLOAT:
    return b.getF32FloatAttr(proto.f());
  case AttributeProto::INT:
    return b.getI64IntegerAttr(proto.i());
  case AttributeProto::STRING:
    return b.getStringAttr(proto.s());
  case AttributeProto::TENSOR:
    if (!proto.has_t())
      return nullptr;
    return headopt::onnx::importTensor(proto.t(), dir, b.getContext());
  case AttributeProto::FLOATS:
    return b.getDenseF32ArrayAttr(
        ArrayRef(proto.floats().data(), proto.floats_size()));
  case AttributeProto::INTS:
    return b.getDenseI64ArrayAttr(
        ArrayRef(proto.ints().data(), proto.ints_size()));
  case AttributeProto::STRINGS: {
    SmallVector<Attribute> strings;
    for (const std::string &string : proto.strings())
      strings.push_back(b.getStringAttr(string));
    return b.getArrayAttr(strings);
  }
  default:
    return nullptr;
  }
}

Attribute headopt::onnx::importAttribute(const AttributeProto &proto,
                                         StringRef dir, MLIRContext *context) {
  Builder b(context);
  Attribute value = importValue(proto, dir, b);
  // A reference to a function's attribute, a doc string, a missing type, a
  // tensor that only a message can say, ...
  if (!value || isa<ProtoAttr>(value) ||
      !equal(exportAttribute(b.getNamedAttr(proto.name(), value)), proto)) {
    AttributeProto rest = proto;
    rest.clear_name();
    return ProtoAttr::get(context, StringAttr::get(context, toText(rest)));
  }
  return value;
}

AttributeProto headopt::onnx::exportAttribute(NamedAttribute attr,
                                              std::vector<StringRef> *memory) {
  AttributeProto proto;
  Attribute value = attr.getValue();
  // Numbers of another width would come back as other attributes, or changed.
  if (auto number = dyn_cast<FloatAttr>(value);
      number && number.getType().isF32()) {
    proto.set_type(AttributeProto::FLOAT);
    proto.set_f(number.getValue().convertToFloat());
  } else if (auto number = dyn_cast<IntegerAttr>(value);
             number && number.getType().isSignlessInteger(64)) {
    proto.set_type(AttributeProto::INT);
    proto.set_i(number.getInt());
  } else if (auto string = dyn_cast<StringAttr>(value)) {
    proto.set_type(AttributeProto::STRING);
    proto.set_s(string.getValue().str());
  } else if (auto floats = dyn_cast<DenseF32ArrayAttr>(value)) {
    proto.set_type(AttributeProto::FLOATS);
    for (float number : floats.asArrayRef())
      proto.add_floats(number);
  } else if (auto ints = dyn_cast<DenseI64ArrayAttr>(value)) {
    proto.set_type(AttributeProto::INTS);
    for (int64_t number : ints.asArrayRef())
      proto.add_ints(number);
  } else if (auto strings = dyn_cast<ArrayAttr>(value);
             strings && llvm::all_of(strings, llvm::IsaPred<StringAttr>)) {
    proto.set_type(AttributeProto::STRINGS);
    for (auto string : strings.getAsRange<StringAttr>())
      proto.add_strings(string.getValue().str());
  } else if (auto other = dyn_cast<ProtoAttr>(value)) {
    mergeText(other.getText().getValue(), proto);
  } else if (isTensorAttribute(value)) {
    proto.set_type(AttributeProto::TENSOR);
    try {
      *proto.mutable_t() = exportTensor(value, memory);
    } catch (const std::exception &e) {
      throw std::runtime_error("the tensor '" + attr.getName().str() +
                               "': " + e.what());
    }
  } else {
    throw std::runtime_error("the attribute '" + attr.getName().str() +
                             "' has no ONNX counterpart");
  }
  proto.set_name(attr.getName().str());
  return proto;
}
