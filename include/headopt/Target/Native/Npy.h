//===- Npy.h - Tensors in numpy's files -------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_NATIVE_NPY_H
#define HEADOPT_TARGET_NATIVE_NPY_H

#include "headopt/Target/Native/Signature.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>

namespace headopt {

/// A tensor in memory, row-major.
struct NpyArray {
  Element element = Element::F32;
  llvm::SmallVector<int64_t> shape;
  std::unique_ptr<llvm::WritableMemoryBuffer> data;

  /// Fails where there is not that much memory. The elements are not set.
  static llvm::Expected<NpyArray> create(Element element,
                                         llvm::ArrayRef<int64_t> shape);

  uint64_t getNumElements() const;

  /// The element at a position of the row-major order.
  double get(uint64_t index) const;

  /// Rounds `value` to the element type.
  void set(uint64_t index, double value);
};

/// The tensor in the bytes of a .npy file (versions 1 to 3, little-endian, C
/// order) whose elements are `element`: <f2, <f4, <f8, and for bf16 the bits as
/// <u2. The error says what is wrong with the file.
llvm::Expected<NpyArray> readNpy(llvm::StringRef bytes, Element element);

/// What a .npy file of this tensor starts with; its elements follow.
std::string makeNpyHeader(const NpyArray &tensor);

} // namespace headopt

#endif // HEADOPT_TARGET_NATIVE_NPY_H
