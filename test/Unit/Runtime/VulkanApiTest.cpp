//===- VulkanApiTest.cpp - Vulkan's types as declared by hand -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vulkan_layout.h"
#include <gtest/gtest.h>

namespace {

TEST(VulkanApiTest, EqualsRealHeaders) {
#ifdef HEADOPT_VULKAN_HEADERS
  size_t i = 0;
  for (; own_layout[i].name && real_layout[i].name; ++i) {
    EXPECT_STREQ(own_layout[i].name, real_layout[i].name);
    EXPECT_EQ(own_layout[i].value, real_layout[i].value) << own_layout[i].name;
  }
  EXPECT_EQ(own_layout[i].name, nullptr);
  EXPECT_EQ(real_layout[i].name, nullptr);
  EXPECT_GT(i, 500u);
#else
  GTEST_SKIP() << "vulkan/vulkan_core.h was not there when this was configured "
                  "(Debian: libvulkan-dev)";
#endif
}

} // namespace
