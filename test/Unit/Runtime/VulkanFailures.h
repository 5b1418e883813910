//===- VulkanFailures.h - Other answers than Vulkan's -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TEST_UNIT_RUNTIME_VULKANFAILURES_H
#define HEADOPT_TEST_UNIT_RUNTIME_VULKANFAILURES_H

#include <string>
#include <vector>

namespace headopt::test {

/// The functions of runtime/vulkan_api.h that give a VkResult.
std::vector<std::string> getFallibleFunctions();

/// From when the device is opened, the function of this name gives `result` and
/// does nothing else.
void failVulkan(const std::string &function, int result);

/// From when the device is opened, it says that pipelines may ask for
/// sub-groups of up to `largest` lanes, and have up to `most` of them in a
/// block then. Its own size stays.
void describeSubgroups(unsigned largest, unsigned most);

/// Whether a pipeline has asked for a size since then.
bool hasAskedForSize();

} // namespace headopt::test

#endif // HEADOPT_TEST_UNIT_RUNTIME_VULKANFAILURES_H
