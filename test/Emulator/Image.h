//===- Image.h - What a device binary says of itself ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TEST_EMULATOR_IMAGE_H
#define HEADOPT_TEST_EMULATOR_IMAGE_H

#include "Kernels.h"
#include <cstddef>
#include <set>
#include <string>

namespace headopt::emulator {

/// The image that a program hands to a driver: PTX, or an ELF file for a GPU.
struct Image {
  enum class Format { Unknown, PTX, CUDA, AMDGPU };
  Format format = Format::Unknown;
  size_t bytes = 0;
  std::set<std::string> kernels;

  static Image parse(const void *data);
  /// FNV-1a of its bytes, as retarget.py computes it.
  static uint64_t hash(const void *data, size_t bytes);
};

} // namespace headopt::emulator

#endif // HEADOPT_TEST_EMULATOR_IMAGE_H
