//===- Signature.h - What a compiled head takes and gives -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_NATIVE_SIGNATURE_H
#define HEADOPT_TARGET_NATIVE_SIGNATURE_H

#include "mlir/IR/Attributes.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Types.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>
#include <string>

namespace headopt {

/// The discardable attribute by which the head's `llvm.func` says its
/// signature: a dictionary of
///
///   element  = f32              f16, bf16, f32 or f64
///   features = [-1, 512, 7, 7]  extents of the feature map, batch first; -1 is
///                               an extent that the caller gives
///   output   = [-1, 10]         extents of the output; -1 - k is extent k of
///                               the feature map, so -1 is the batch
///   output_element = f32        where it is another than `element`
inline constexpr llvm::StringLiteral kSignatureAttr = "headopt.signature";

/// Element type of features or output.
enum class Element { F16, BF16, F32, F64 };

/// The same as an element of tensors; none where heads have no such elements.
std::optional<Element> getElement(mlir::Type type);

/// Bytes of one element.
unsigned getSize(Element element);

/// As in MLIR: f16, bf16, f32 or f64.
llvm::StringRef getName(Element element);

/// What a compiled head takes and gives.
struct HeadSignature {
  static constexpr int64_t kDynamic = -1;

  /// Of the features, and of the output.
  Element element = Element::F32;
  Element outputElement = Element::F32;
  /// Batch first; kDynamic where the caller gives the extent.
  llvm::SmallVector<int64_t> features;
  /// An entry -1 - k stands for extent k of the features.
  llvm::SmallVector<int64_t> output;

  /// Reads `kSignatureAttr`; the error says what is wrong with it.
  static llvm::Expected<HeadSignature> fromAttribute(mlir::Attribute attr);
  mlir::Attribute toAttribute(mlir::MLIRContext *context) const;

  /// Which extents behind the batch the caller gives, in order.
  llvm::SmallVector<unsigned> getDynamicAxes() const;

  /// The output's extents for the features' `extents`, which must be as many as
  /// `features`.
  llvm::SmallVector<int64_t>
  getOutputExtents(llvm::ArrayRef<int64_t> extents) const;
};

} // namespace headopt

#endif // HEADOPT_TARGET_NATIVE_SIGNATURE_H
