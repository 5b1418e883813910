//===- ConstantReader.h - What constants of a model hold --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_CONSTANTREADER_H
#define HEADOPT_ANALYSIS_CONSTANTREADER_H

#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <optional>

namespace headopt {

/// A value that the model fixes: an initializer, a Constant node, or
/// ConstantOfShape of a constant shape.
struct Constant {
  /// Static.
  mlir::RankedTensorType type;
  /// `dense`, `dense_resource` or #onnx.file_data; for ConstantOfShape a splat
  /// `dense` of `type`. Null when `folded` has the elements.
  mlir::TypedAttr elements;
  /// The operation whose result the constant is; for a folded one the first
  /// that it is computed from.
  mlir::Operation *op;
  /// Elements that were computed (ConstantFolder.h), as ConstantReader gives
  /// them.
  std::shared_ptr<llvm::MemoryBuffer> folded = nullptr;
  /// How many bytes the elements that they were computed from take.
  uint64_t foldedFrom = 0;
};

/// Reads `value` as a constant. Nullopt, and the reason in `whyNot`, when it is
/// computed, a graph input, an initializer that callers may override, or held
/// in a form that cannot be read.
std::optional<Constant> getConstant(mlir::Value value, std::string &whyNot);

/// The elements of a small integer constant (a shape, a list of axes), or
/// nullopt when `value` is none.
std::optional<llvm::SmallVector<int64_t>> getConstantInts(mlir::Value value);

/// Random access to the bytes of a constant, little-endian and row-major, read
/// in pieces so that a large weight never has to be in memory.
class ConstantReader {
public:
  /// Opens `constant`; an error names the file and the system's reason.
  static llvm::Expected<ConstantReader> open(const Constant &constant);

  ConstantReader(ConstantReader &&other) noexcept;
  ConstantReader &operator=(ConstantReader &&) = delete;
  ~ConstantReader();

  /// True when all elements are known to be the same without looking; readers
  /// may then look at element 0 alone.
  bool isSplat() const { return splat; }

  unsigned getElementBytes() const { return elementBytes; }
  uint64_t getNumElements() const { return numElements; }

  /// Copies elements [first, first + count) to `into`.
  llvm::Error read(uint64_t first, uint64_t count, char *into) const;

private:
  ConstantReader() = default;

  llvm::ArrayRef<char> memory;
  std::shared_ptr<llvm::MemoryBuffer> folded;
  std::string path;
  std::optional<llvm::sys::fs::file_t> file;
  uint64_t fileOffset = 0;
  bool splat = false;
  unsigned elementBytes = 0;
  uint64_t numElements = 0;
};

/// The number of an element of an integer type of whole bytes, or of f16, bf16,
/// f32, f64 or an 8-bit float. Exact up to 2^53.
double decodeNumber(mlir::Type type, const char *bytes);

/// True for f16, bf16, f32 and f64: the types that decodeFloat and encodeFloat
/// take.
bool isDecodedFloat(mlir::Type type);

/// The largest relative error of rounding to such a type: 2^-24 for f32.
double getUnitRoundoff(mlir::Type type);

/// The number of an element of type f16, bf16, f32 or f64 with the bytes at
/// `bytes`. Exact.
double decodeFloat(mlir::Type type, const char *bytes);

/// Rounds `value` to `type` (f16, bf16, f32 or f64; to nearest, ties to even)
/// and writes its bytes to `bytes`.
void encodeFloat(mlir::Type type, double value, char *bytes);

} // namespace headopt

#endif // HEADOPT_ANALYSIS_CONSTANTREADER_H
