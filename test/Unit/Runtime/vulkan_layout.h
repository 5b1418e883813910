//===- vulkan_layout.h - Sizes, offsets and values of Vulkan's types ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VULKAN_LAYOUT_H
#define VULKAN_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct layout_entry {
  const char *name;
  int64_t value;
};

// Each ends with an entry without a name.
extern const struct layout_entry own_layout[];
extern const struct layout_entry real_layout[];

#ifdef __cplusplus
}
#endif

#endif
