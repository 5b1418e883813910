//===- vulkan_layout.c - Sizes, offsets and values of Vulkan's types ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled twice: with runtime/vulkan_api.h, and, with VULKAN_HEADERS defined,
// with the real headers. VulkanApiTest.cpp compares the two lists.
//
//===----------------------------------------------------------------------===//

#include "vulkan_layout.h"

#ifdef VULKAN_HEADERS
#include <vulkan/vulkan_core.h>
#define LIST real_layout
#else
#include "vulkan_api.h"
#define LIST own_layout
#endif

#define SIZE(type) {"sizeof " #type, (int64_t)sizeof(type)},
#define FIELD(type, field)                                                     \
  {#type "." #field, (int64_t)offsetof(type, field)},                          \
      {"sizeof " #type "." #field, (int64_t)sizeof(((type *)0)->field)},
#define VALUE(name) {#name, (int64_t)(name)},

const struct layout_entry LIST[] = {
#include "vulkan_layout.inc"
    {0, 0}};
