//===- Types.cpp - TypeProto and ValueInfoProto as MLIR types -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Types.h"
#include "ProtoText.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "mlir/IR/Builders.h"
#include <stdexcept>

using namespace mlir;
using namespace headopt;
using ::onnx::TensorProto;
using ::onnx::TypeProto;
using ::onnx::ValueInfoProto;

Type headopt::onnx::getElementType(int32_t dataType, MLIRContext *context) {
  Builder b(context);
  auto unsignedType = [&](unsigned width) {
    return IntegerType::get(context, width, IntegerType::Unsigned);
  };
  switch (dataType) {
  case TensorProto::FLOAT:
    return b.getF32Type();
  case TensorProto::UINT8:
    return unsignedType(8);
  case TensorProto::INT8:
    return b.getIntegerType(8);
  case TensorProto::UINT16:
    return unsignedType(16);
  case TensorProto::INT16:
    return b.getIntegerType(16);
  case TensorProto::INT32:
    return b.getIntegerType(32);
  case TensorProto::INT64:
    return b.getIntegerType(64);
  case TensorProto::STRING:
    return StringType::get(context);
  case TensorProto::BOOL:
    return b.getI1Type();
  case TensorProto::FLOAT16:
    return b.getF16Type();
  case TensorProto::DOUBLE:
    return b.getF64Type();
  case TensorProto::UINT32:
    return unsignedType(32);
  case TensorProto::UINT64:
    return unsignedType(64);
  case TensorProto::COMPLEX64:
    return ComplexType::get(b.getF32Type());
  case TensorProto::COMPLEX128:
    return ComplexType::get(b.getF64Type());
  case TensorProto::BFLOAT16:
    return b.getBF16Type();
  case TensorProto::FLOAT8E4M3FN:
    return b.getType<Float8E4M3FNType>();
  case TensorProto::FLOAT8E4M3FNUZ:
    return b.getType<Float8E4M3FNUZType>();
  case TensorProto::FLOAT8E5M2:
    return b.getType<Float8E5M2Type>();
  case TensorProto::FLOAT8E5M2FNUZ:
    return b.getType<Float8E5M2FNUZType>();
  case TensorProto::UINT4:
    return unsignedType(4);
  case TensorProto::INT4:
    return b.getIntegerType(4);
  case TensorProto::FLOAT4E2M1:
    return b.getType<Float4E2M1FNType>();
  case TensorProto::FLOAT8E8M0:
    return b.getType<Float8E8M0FNUType>();
  case TensorProto::UINT2:
    return unsignedType(2);
  case TensorProto::INT2:
    return b.getIntegerType(2);
  case TensorProto::FLOAT6E2M3:
    return b.getType<Float6E2M3FNType>();
  case TensorProto::FLOAT6E3M2:
    return b.getType<Float6E3M2FNType>();
  default:
    return nullptr;
  }
}

int32_t headopt::onnx::getDataType(Type elementType) {
  for (int32_t number = 1; number <= ::onnx::TensorProto_DataType_DataType_MAX;
       ++number)
    if (getElementType(number, elementType.getContext()) == elementType)
      return number;
  return TensorProto::UNDEFINED;
}

static Type importTensorType(int32_t dataType, bool hasShape,
                             const ::onnx::TensorShapeProto &shape,
                             MLIRContext *context) {
  Type element = headopt::onnx::getElementType(dataType, context);
  if (!element && dataType != TensorProto::UNDEFINED)
    throw std::runtime_error("a value has the unknown element type " +
                             std::to_string(dataType));
  if (!element)
    return headopt::onnx::UnknownType::get(context);
  if (!hasShape)
    return UnrankedTensorType::get(element);
  SmallVector<int64_t> dims;
  for (const auto &dim : shape.dim())
    dims.push_back(dim.has_dim_value() && dim.dim_value() >= 0
                       ? dim.dim_value()
                       : ShapedType::kDynamic);
  return RankedTensorType::get(dims, element);
}

Type headopt::onnx::importType(const TypeProto &type, MLIRContext *context) {
  switch (type.value_case()) {
  case TypeProto::kTensorType:
    return importTensorType(type.tensor_type().elem_type(),
                            type.tensor_type().has_shape(),
                            type.tensor_type().shape(), context);
  case TypeProto::kSequenceType:
    return SequenceType::get(
        context, importType(type.sequence_type().elem_type(), context));
  case TypeProto::kOptionalType:
    return OptionalType::get(
        context, importType(type.optional_type().elem_type(), context));
  default:
    return UnknownType::get(context);
  }
}

/// The inverse of importType(), nothing for !onnx.unknown. False when ONNX does
/// not have such a type.
static bool exportType(Type type, TypeProto &proto) {
  if (isa<headopt::onnx::UnknownType>(type))
    return true;
  if (auto tensor = dyn_cast<TensorType>(type)) {
    int32_t dataType = headopt::onnx::getDataType(tensor.getElementType());
    if (dataType == TensorProto::UNDEFINED)
      return false;
    auto *tensorType = proto.mutable_tensor_type();
    tensorType->set_elem_type(dataType);
    if (!tensor.hasRank())
      return true;
    auto *shape = tensorType->mutable_shape();
    for (int64_t extent : tensor.getShape()) {
      auto *dim = shape->add_dim();
      if (!ShapedType::isDynamic(extent))
        dim->set_dim_value(extent);
    }
    return true;
  }
  if (auto sequence = dyn_cast<headopt::onnx::SequenceType>(type))
    return exportType(sequence.getElementType(),
                      *proto.mutable_sequence_type()->mutable_elem_type());
  if (auto optional = dyn_cast<headopt::onnx::OptionalType>(type))
    return exportType(optional.getElementType(),
                      *proto.mutable_optional_type()->mutable_elem_type());
  return false;
}

/// exportValueInfo() into `result`. Returns what is wrong, nothing when all is
/// well.
static std::string buildValueInfo(StringRef name, Type type,
                                  ArrayAttr dimParams, StringAttr info,
                                  ValueInfoProto &result) {
  if (info) {
    headopt::onnx::mergeText(info.getValue(), result);
  } else if (!isa<headopt::onnx::UnknownType>(type) &&
             !exportType(type, *result.mutable_type())) {
    std::string message;
    llvm::raw_string_ostream os(message);
    os << "has the type '" << type << "', which ONNX does not have";
    return message;
  }
  if (dimParams && !dimParams.empty()) {
    const auto &tensor = result.type().tensor_type();
    if (static_cast<size_t>(tensor.shape().dim_size()) != dimParams.size())
      return "has symbols for " + std::to_string(dimParams.size()) +
             " axes, but its type has " +
             std::to_string(tensor.shape().dim_size());
    auto *shape = result.mutable_type()->mutable_tensor_type()->mutable_shape();
    for (auto [i, param] : llvm::enumerate(dimParams.getAsRange<StringAttr>()))
      if (!param.empty())
        shape->mutable_dim(i)->set_dim_param(param.str());
  }
  result.set_name(name.str());
  return "";
}

ValueInfoProto headopt::onnx::exportValueInfo(StringRef name, Type type,
                                              ArrayAttr dimParams,
                                              StringAttr info) {
  ValueInfoProto result;
  std::string error = buildValueInfo(name, type, dimParams, info, result);
  if (!error.empty())
    throw std::runtime_error("the value '" + name.str() + "' " + error);
  return result;
}

DictionaryAttr headopt::onnx::importValueInfo(const ValueInfoProto &proto,
                                              Type type) {
  Builder b(type.getContext());
  SmallVector<NamedAttribute> fields;
  fields.push_back(b.getNamedAttr("name", b.getStringAttr(proto.name())));

  SmallVector<Attribute> dimParams;
  bool anyParam = false;
  for (const auto &dim : proto.type().tensor_type().shape().dim()) {
    dimParams.push_back(b.getStringAttr(dim.dim_param()));
    anyParam |= !dim.dim_param().empty();
  }
  ArrayAttr params = anyParam ? b.getArrayAttr(dimParams) : nullptr;
  ValueInfoProto back;
  if (proto.has_name() &&
      buildValueInfo(proto.name(), type, params, nullptr, back).empty() &&
      equal(back, proto)) {
    if (params)
      fields.push_back(b.getNamedAttr("dim_params", params));
    return b.getDictionaryAttr(fields);
  }
  ValueInfoProto rest = proto;
  rest.clear_name();
  fields.push_back(b.getNamedAttr("info", b.getStringAttr(toText(rest))));
  return b.getDictionaryAttr(fields);
}
