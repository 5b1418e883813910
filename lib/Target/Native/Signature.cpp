//===- Signature.cpp - What a compiled head takes and gives ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/Native/Signature.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include <optional>

using namespace mlir;
using namespace headopt;

unsigned headopt::getSize(Element element) {
  switch (element) {
  case Element::F16:
  case Element::BF16:
    return 2;
  case Element::F32:
    return 4;
  case Element::F64:
    return 8;
  }
  llvm_unreachable("unknown element type");
}

StringRef headopt::getName(Element element) {
  switch (element) {
  case Element::F16:
    return "f16";
  case Element::BF16:
    return "bf16";
  case Element::F32:
    return "f32";
  case Element::F64:
    return "f64";
  }
  llvm_unreachable("unknown element type");
}

std::optional<Element> headopt::getElement(Type type) {
  if (type.isF16())
    return Element::F16;
  if (type.isBF16())
    return Element::BF16;
  if (type.isF32())
    return Element::F32;
  if (type.isF64())
    return Element::F64;
  return std::nullopt;
}

static std::optional<SmallVector<int64_t>> getExtents(Attribute attr) {
  auto array = dyn_cast_or_null<ArrayAttr>(attr);
  if (!array)
    return std::nullopt;
  SmallVector<int64_t> extents;
  for (Attribute entry : array) {
    auto extent = dyn_cast<IntegerAttr>(entry);
    if (!extent || !extent.getType().isSignlessInteger(64))
      return std::nullopt;
    extents.push_back(extent.getInt());
  }
  return extents;
}

llvm::Expected<HeadSignature> HeadSignature::fromAttribute(Attribute attr) {
  auto error = [](const llvm::Twine &what) {
    return llvm::createStringError(std::errc::invalid_argument, "%s %s",
                                   kSignatureAttr.data(), what.str().c_str());
  };
  auto dict = dyn_cast_or_null<DictionaryAttr>(attr);
  if (!dict)
    return error("is not a dictionary {element, features, output}");
  for (NamedAttribute entry : dict)
    if (!llvm::is_contained({"element", "features", "output", "output_element"},
                            entry.getName().getValue()))
      return error("has the unknown entry '" + entry.getName().getValue() +
                   "'");

  HeadSignature signature;
  auto type = dict.getAs<TypeAttr>("element");
  std::optional<Element> element =
      type ? getElement(type.getValue()) : std::nullopt;
  if (!element)
    return error("has no 'element' f16, bf16, f32 or f64");
  signature.element = signature.outputElement = *element;
  if (Attribute other = dict.get("output_element")) {
    auto otherType = dyn_cast<TypeAttr>(other);
    element = otherType ? getElement(otherType.getValue()) : std::nullopt;
    if (!element)
      return error("has an 'output_element' other than f16, bf16, f32 and f64");
    signature.outputElement = *element;
  }

  auto noElements = [&](StringRef entry) {
    return error("has an extent of 0 in '" + entry +
                 "', so there is nothing to compute; give the head 1 or more "
                 "there");
  };
  std::optional<SmallVector<int64_t>> features =
      getExtents(dict.get("features"));
  if (features && llvm::is_contained(*features, 0))
    return noElements("features");
  if (!features || features->empty() ||
      llvm::any_of(*features, [](int64_t e) { return e < 1 && e != kDynamic; }))
    return error("has no 'features', a list of extents, -1 where dynamic");
  signature.features = std::move(*features);

  std::optional<SmallVector<int64_t>> output = getExtents(dict.get("output"));
  if (output && llvm::is_contained(*output, 0))
    return noElements("output");
  int64_t rank = signature.features.size();
  if (!output || llvm::any_of(*output, [&](int64_t e) { return e < -rank; }))
    return error("has no 'output', a list of extents, -1 - k for extent k of "
                 "the features");
  signature.output = std::move(*output);
  return signature;
}

static Attribute getType(Builder &builder, Element element) {
  switch (element) {
  case Element::F16:
    return TypeAttr::get(builder.getF16Type());
  case Element::BF16:
    return TypeAttr::get(builder.getBF16Type());
  case Element::F32:
    return TypeAttr::get(builder.getF32Type());
  case Element::F64:
    return TypeAttr::get(builder.getF64Type());
  }
  llvm_unreachable("unknown element type");
}

Attribute HeadSignature::toAttribute(MLIRContext *context) const {
  Builder builder(context);
  SmallVector<NamedAttribute> entries{
      builder.getNamedAttr("element", getType(builder, element)),
      builder.getNamedAttr("features", builder.getI64ArrayAttr(features)),
      builder.getNamedAttr("output", builder.getI64ArrayAttr(output))};
  if (outputElement != element)
    entries.push_back(builder.getNamedAttr("output_element",
                                           getType(builder, outputElement)));
  return builder.getDictionaryAttr(entries);
}

SmallVector<unsigned> HeadSignature::getDynamicAxes() const {
  SmallVector<unsigned> axes;
  for (auto [axis, extent] : llvm::enumerate(features))
    if (axis && extent == kDynamic)
      axes.push_back(axis);
  return axes;
}

SmallVector<int64_t>
HeadSignature::getOutputExtents(ArrayRef<int64_t> extents) const {
  SmallVector<int64_t> result;
  for (int64_t extent : output)
    result.push_back(extent < 0 ? extents[-1 - extent] : extent);
  return result;
}
