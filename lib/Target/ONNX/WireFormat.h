//===- WireFormat.h - Large tensors kept away from protobuf -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// protobuf copies every byte of a model, and refuses models beyond 2 GiB. The
// bytes of large tensors are therefore left in their file: split() turns a
// serialized ModelProto into a small one (the skeleton) whose large tensors
// say where their bytes are, and splice() puts the bytes back.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_ONNX_WIREFORMAT_H
#define HEADOPT_LIB_TARGET_ONNX_WIREFORMAT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <string>
#include <vector>

namespace headopt::onnx::wire {

/// `raw_data` of at least this many bytes stays in the file.
inline constexpr uint64_t kLargeTensor = 1024;

/// How deep messages may be nested. protobuf's own default of 100 is below what
/// nested control flow needs; this bounds the stack of every reader.
inline constexpr int kMaxDepth = 2000;

/// The keys of `TensorProto.external_data` that a skeleton uses: the bytes are
/// in file kFileKey at [offset, offset + length), or, when that is empty, are
/// number kOffsetKey of the data in memory that goes with the skeleton (never
/// an address: what a message says must not be able to point anywhere). A model
/// that uses kFileKey itself is refused.
inline constexpr llvm::StringLiteral kFileKey = "headopt.file";
inline constexpr llvm::StringLiteral kOffsetKey = "headopt.offset";
inline constexpr llvm::StringLiteral kLengthKey = "headopt.length";

/// The skeleton of the serialized ModelProto `model`, which is the content of
/// `file`. Throws std::runtime_error when the bytes are not well formed.
std::string split(llvm::StringRef model, llvm::StringRef file);

/// A stretch of output: `length` bytes of `file` from `offset` on when that is
/// set, otherwise `bytes` or `memory` (which others own), one of them empty.
struct Piece {
  std::string bytes;
  llvm::StringRef memory;
  std::string file;
  uint64_t offset = 0;
  uint64_t length = 0;

  uint64_t size() const {
    return file.empty() ? bytes.size() + memory.size() : length;
  }

  /// From the values of kFileKey, kOffsetKey and kLengthKey. Throws
  /// std::runtime_error when they name data that `memory` does not have.
  static Piece fromMarker(llvm::StringRef file, uint64_t offset,
                          uint64_t length,
                          llvm::ArrayRef<llvm::StringRef> memory);
};

/// The pieces that make up the model whose skeleton is `skeleton`; `memory` is
/// its data in memory, which the pieces refer to.
std::vector<Piece> splice(llvm::StringRef skeleton,
                          llvm::ArrayRef<llvm::StringRef> memory);

} // namespace headopt::onnx::wire

#endif // HEADOPT_LIB_TARGET_ONNX_WIREFORMAT_H
