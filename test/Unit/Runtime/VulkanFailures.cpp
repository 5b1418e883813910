//===- VulkanFailures.cpp - Other answers than Vulkan's, for tests --------===//
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

namespace {
using GetProperties = void (*)(VkPhysicalDevice, VkPhysicalDeviceProperties2 *);
using CreatePipelines = VkResult (*)(VkDevice, VkPipelineCache, uint32_t,
                                     const VkComputePipelineCreateInfo *,
                                     const void *, VkPipeline *);
} // namespace

static unsigned largestSubgroup = 0, mostSubgroups = 0;
static bool askedForSize = false;
static GetProperties getProperties = nullptr;
static CreatePipelines createPipelines = nullptr;

static void describeDevice(VkPhysicalDevice gpu,
                           VkPhysicalDeviceProperties2 *properties) {
  getProperties(gpu, properties);
  // All structures begin alike.
  for (void *next = properties->pNext; next;
       next = static_cast<VkPhysicalDeviceProperties2 *>(next)->pNext) {
    auto *sizes =
        static_cast<VkPhysicalDeviceSubgroupSizeControlProperties *>(next);
    if (sizes->sType !=
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES)
      continue;
    sizes->maxSubgroupSize = largestSubgroup;
    sizes->maxComputeWorkgroupSubgroups = mostSubgroups;
    sizes->requiredSubgroupSizeStages = VK_SHADER_STAGE_COMPUTE_BIT;
  }
}

/// Makes pipelines that ask for nothing: the device has other sizes than it
/// says.
static VkResult notePipeline(VkDevice device, VkPipelineCache cache,
                             uint32_t count,
                             const VkComputePipelineCreateInfo *infos,
                             const void *allocator, VkPipeline *pipelines) {
  VkComputePipelineCreateInfo info = infos[0];
  askedForSize |= info.stage.pNext != nullptr;
  info.stage.pNext = nullptr;
  return createPipelines(device, cache, count, &info, allocator, pipelines);
}

static PFN_vkVoidFunction getDeviceFunction(VkDevice device, const char *name) {
  if (failing == name)
    return reinterpret_cast<PFN_vkVoidFunction>(fail);
  PFN_vkVoidFunction function = getDeviceProcAddr(device, name);
  if (mostSubgroups == 0 || std::strcmp(name, "vkCreateComputePipelines") != 0)
    return function;
  createPipelines = reinterpret_cast<CreatePipelines>(function);
  return reinterpret_cast<PFN_vkVoidFunction>(notePipeline);
}

static PFN_vkVoidFunction getFunction(VkInstance instance, const char *name) {
  if (failing == name)
    return reinterpret_cast<PFN_vkVoidFunction>(fail);
  PFN_vkVoidFunction function = getProcAddr(instance, name);
  if (mostSubgroups != 0 &&
      std::strcmp(name, "vkGetPhysicalDeviceProperties2") == 0) {
    getProperties = reinterpret_cast<GetProperties>(function);
    return reinterpret_cast<PFN_vkVoidFunction>(describeDevice);
  }
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

void headopt::test::describeSubgroups(unsigned largest, unsigned most) {
  largestSubgroup = largest;
  mostSubgroups = most;
}

bool headopt::test::hasAskedForSize() { return askedForSize; }
