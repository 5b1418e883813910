//===- Runtime.cpp - What is linked into heads for devices ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/GPU/Runtime.h"
#include <cstddef>

using namespace headopt;

// The bytes, one array for each runtime, and kRuntimes, which lists them as
// {kind, bytes, size}. Written by cmake/modules/EmbedRuntimes.cmake.
namespace {
struct RuntimeBytes {
  DeviceKind kind;
  const unsigned char *bytes;
  size_t size;
};
} // namespace
#include "Runtimes.inc"

llvm::StringRef headopt::getRuntimeObject(DeviceKind kind) {
  for (const RuntimeBytes &runtime : kRuntimes)
    if (runtime.kind == kind)
      return {reinterpret_cast<const char *>(runtime.bytes), runtime.size};
  return {};
}
