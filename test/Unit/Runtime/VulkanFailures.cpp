//===- VulkanFailures.cpp - Functions of Vulkan that fail in tests --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// vulkan.c is compiled with dlsym renamed to the one here.
//
//===----------------------------------------------------------------------===//

#include "VulkanFailures.h"
#include "vulkan_api.h"
#include <cstring>
#include <dlfcn.h>

using namespace headopt::test;

namespace {
using GetProcAddr = PFN_vkVoidFunction (*)(VkInstance, const char *);
using GetDeviceProcAddr = PFN_vkVoidFunction (*)(VkDevice, const char *);
} // namespace

static std::string failing;
static VkResult failure = VK_SUCCESS;
static GetProcAddr getProcAddr = nullptr;
static GetDeviceProcAddr getDeviceProcAddr = nullptr;

/// In place of any function; what it is called with does not matter.
static VkResult fail() { return failure; }

static PFN_vkVoidFunction getDeviceFunction(VkDevice device, const char *name) {
  if (failing == name)
    return reinterpret_cast<PFN_vkVoidFunction>(fail);
  return getDeviceProcAddr(device, name);
}

static PFN_vkVoidFunction getFunction(VkInstance instance, const char *name) {
  if (failing == name)
    return reinterpret_cast<PFN_vkVoidFunction>(fail);
  PFN_vkVoidFunction function = getProcAddr(instance, name);
  if (std::strcmp(name, "vkGetDeviceProcAddr") != 0)
    return function;
  getDeviceProcAddr = reinterpret_cast<GetDeviceProcAddr>(function);
  return reinterpret_cast<PFN_vkVoidFunction>(getDeviceFunction);
}

extern "C" void *headopt_test_dlsym(void *library, const char *name) {
  getProcAddr = reinterpret_cast<GetProcAddr>(dlsym(library, name));
  return getProcAddr ? reinterpret_cast<void *>(getFunction) : nullptr;
}

std::vector<std::string> headopt::test::getFallibleFunctions() {
  struct Function {
    const char *result, *name;
  };
#define FUNCTION(result, name, parameters) {#result, "vk" #name},
  const Function functions[] = {{"VkResult", "vkCreateInstance"},
                                HEADOPT_VULKAN_INSTANCE_FUNCTIONS(FUNCTION)
                                    HEADOPT_VULKAN_DEVICE_FUNCTIONS(FUNCTION)};
#undef FUNCTION
  std::vector<std::string> names;
  for (const Function &function : functions)
    // This one is called only after another has failed.
    if (std::strcmp(function.result, "VkResult") == 0 &&
        std::strcmp(function.name, "vkQueueWaitIdle") != 0)
      names.push_back(function.name);
  return names;
}

void headopt::test::failVulkan(const std::string &function, int result) {
  failing = function;
  failure = static_cast<VkResult>(result);
}
