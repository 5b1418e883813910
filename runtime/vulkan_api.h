//===- vulkan_api.h - The part of Vulkan that vulkan.c uses -------*- C -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Declared by hand from the Vulkan 1.3 specification, with its names, so that
// no Vulkan headers are needed to build. test/Unit/Runtime compares them with
// the real headers where those are installed. 64-bit hosts only.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_VULKAN_API_H
#define HEADOPT_VULKAN_API_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t VkBool32;
typedef uint32_t VkFlags;
typedef uint64_t VkDeviceSize;

typedef struct VkInstance_T *VkInstance;
typedef struct VkPhysicalDevice_T *VkPhysicalDevice;
typedef struct VkDevice_T *VkDevice;
typedef struct VkQueue_T *VkQueue;
typedef struct VkCommandBuffer_T *VkCommandBuffer;
typedef struct VkBuffer_T *VkBuffer;
typedef struct VkDeviceMemory_T *VkDeviceMemory;
typedef struct VkFence_T *VkFence;
typedef struct VkCommandPool_T *VkCommandPool;
typedef struct VkShaderModule_T *VkShaderModule;
typedef struct VkPipeline_T *VkPipeline;
typedef struct VkPipelineLayout_T *VkPipelineLayout;
typedef struct VkPipelineCache_T *VkPipelineCache;
typedef struct VkDescriptorSetLayout_T *VkDescriptorSetLayout;
typedef struct VkDescriptorPool_T *VkDescriptorPool;
typedef struct VkDescriptorSet_T *VkDescriptorSet;

#define VK_API_VERSION_1_1 ((1u << 22) | (1u << 12))
#define VK_API_VERSION_1_2 ((1u << 22) | (2u << 12))
#define VK_API_VERSION_1_3 ((1u << 22) | (3u << 12))
#define VK_WHOLE_SIZE (~0ull)
#define VK_MAX_PHYSICAL_DEVICE_NAME_SIZE 256u

typedef enum VkResult {
  VK_SUCCESS = 0,
  VK_NOT_READY = 1,
  VK_TIMEOUT = 2,
  VK_INCOMPLETE = 5,
  VK_ERROR_OUT_OF_HOST_MEMORY = -1,
  VK_ERROR_OUT_OF_DEVICE_MEMORY = -2,
  VK_ERROR_INITIALIZATION_FAILED = -3,
  VK_ERROR_DEVICE_LOST = -4,
  VK_ERROR_MEMORY_MAP_FAILED = -5,
  VK_ERROR_LAYER_NOT_PRESENT = -6,
  VK_ERROR_EXTENSION_NOT_PRESENT = -7,
  VK_ERROR_FEATURE_NOT_PRESENT = -8,
  VK_ERROR_INCOMPATIBLE_DRIVER = -9,
  VK_ERROR_TOO_MANY_OBJECTS = -10,
  VK_ERROR_FRAGMENTED_POOL = -12,
  VK_ERROR_UNKNOWN = -13,
  VK_ERROR_OUT_OF_POOL_MEMORY = -1000069000,
  VK_ERROR_FRAGMENTATION = -1000161000
} VkResult;

typedef enum VkStructureType {
  VK_STRUCTURE_TYPE_APPLICATION_INFO = 0,
  VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO = 1,
  VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO = 2,
  VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO = 3,
  VK_STRUCTURE_TYPE_SUBMIT_INFO = 4,
  VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO = 5,
  VK_STRUCTURE_TYPE_FENCE_CREATE_INFO = 8,
  VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO = 12,
  VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO = 16,
  VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO = 18,
  VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO = 29,
  VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO = 30,
  VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO = 32,
  VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO = 33,
  VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO = 34,
  VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET = 35,
  VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO = 39,
  VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO = 40,
  VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO = 42,
  VK_STRUCTURE_TYPE_MEMORY_BARRIER = 46,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2 = 1000059000,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2 = 1000059001,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES = 1000082000,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES = 1000083000,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES = 1000094000,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES = 1000177000,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES =
      1000225000,
  VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO =
      1000225001,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES = 1000225002
} VkStructureType;

typedef enum VkPhysicalDeviceType {
  VK_PHYSICAL_DEVICE_TYPE_OTHER = 0,
  VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU = 1,
  VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU = 2,
  VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU = 3,
  VK_PHYSICAL_DEVICE_TYPE_CPU = 4
} VkPhysicalDeviceType;

enum {
  VK_QUEUE_COMPUTE_BIT = 0x2,
  VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT = 0x1,
  VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT = 0x2,
  VK_MEMORY_PROPERTY_HOST_COHERENT_BIT = 0x4,
  VK_MEMORY_PROPERTY_HOST_CACHED_BIT = 0x8,
  VK_BUFFER_USAGE_TRANSFER_SRC_BIT = 0x1,
  VK_BUFFER_USAGE_TRANSFER_DST_BIT = 0x2,
  VK_BUFFER_USAGE_STORAGE_BUFFER_BIT = 0x20,
  VK_SHARING_MODE_EXCLUSIVE = 0,
  VK_SHADER_STAGE_COMPUTE_BIT = 0x20,
  VK_DESCRIPTOR_TYPE_STORAGE_BUFFER = 7,
  VK_PIPELINE_BIND_POINT_COMPUTE = 1,
  VK_COMMAND_BUFFER_LEVEL_PRIMARY = 0,
  VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT = 0x1,
  VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT = 0x800,
  VK_PIPELINE_STAGE_TRANSFER_BIT = 0x1000,
  VK_PIPELINE_STAGE_HOST_BIT = 0x4000,
  VK_ACCESS_SHADER_READ_BIT = 0x20,
  VK_ACCESS_SHADER_WRITE_BIT = 0x40,
  VK_ACCESS_TRANSFER_READ_BIT = 0x800,
  VK_ACCESS_TRANSFER_WRITE_BIT = 0x1000,
  VK_ACCESS_HOST_READ_BIT = 0x2000,
  VK_SUBGROUP_FEATURE_BASIC_BIT = 0x1,
  VK_SUBGROUP_FEATURE_SHUFFLE_BIT = 0x10,
  VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT = 0x2
};

typedef struct VkApplicationInfo {
  VkStructureType sType;
  const void *pNext;
  const char *pApplicationName;
  uint32_t applicationVersion;
  const char *pEngineName;
  uint32_t engineVersion;
  uint32_t apiVersion;
} VkApplicationInfo;

typedef struct VkInstanceCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  const VkApplicationInfo *pApplicationInfo;
  uint32_t enabledLayerCount;
  const char *const *ppEnabledLayerNames;
  uint32_t enabledExtensionCount;
  const char *const *ppEnabledExtensionNames;
} VkInstanceCreateInfo;

typedef struct VkExtensionProperties {
  char extensionName[256];
  uint32_t specVersion;
} VkExtensionProperties;

typedef struct VkPhysicalDeviceFeatures {
  VkBool32 robustBufferAccess;
  VkBool32 unusedFeatures1[38];
  VkBool32 shaderFloat64;
  VkBool32 shaderInt64;
  VkBool32 shaderInt16;
  VkBool32 unusedFeatures2[13];
} VkPhysicalDeviceFeatures;

typedef struct VkPhysicalDeviceFeatures2 {
  VkStructureType sType;
  void *pNext;
  VkPhysicalDeviceFeatures features;
} VkPhysicalDeviceFeatures2;

typedef struct VkPhysicalDevice16BitStorageFeatures {
  VkStructureType sType;
  void *pNext;
  VkBool32 storageBuffer16BitAccess;
  VkBool32 uniformAndStorageBuffer16BitAccess;
  VkBool32 storagePushConstant16;
  VkBool32 storageInputOutput16;
} VkPhysicalDevice16BitStorageFeatures;

typedef struct VkPhysicalDevice8BitStorageFeatures {
  VkStructureType sType;
  void *pNext;
  VkBool32 storageBuffer8BitAccess;
  VkBool32 uniformAndStorageBuffer8BitAccess;
  VkBool32 storagePushConstant8;
} VkPhysicalDevice8BitStorageFeatures;

typedef struct VkPhysicalDeviceShaderFloat16Int8Features {
  VkStructureType sType;
  void *pNext;
  VkBool32 shaderFloat16;
  VkBool32 shaderInt8;
} VkPhysicalDeviceShaderFloat16Int8Features;

typedef struct VkPhysicalDeviceSubgroupSizeControlFeatures {
  VkStructureType sType;
  void *pNext;
  VkBool32 subgroupSizeControl;
  VkBool32 computeFullSubgroups;
} VkPhysicalDeviceSubgroupSizeControlFeatures;

typedef struct VkPhysicalDeviceLimits {
  uint32_t unusedLimits1[7];
  uint32_t maxStorageBufferRange;
  uint32_t maxPushConstantsSize;
  uint32_t maxMemoryAllocationCount;
  uint32_t unusedLimits2[2];
  VkDeviceSize unusedLimits3[2];
  uint32_t maxBoundDescriptorSets;
  uint32_t unusedLimits4[2];
  uint32_t maxPerStageDescriptorStorageBuffers;
  uint32_t unusedLimits5[34];
  uint32_t maxComputeSharedMemorySize;
  uint32_t maxComputeWorkGroupCount[3];
  uint32_t maxComputeWorkGroupInvocations;
  uint32_t maxComputeWorkGroupSize[3];
  uint32_t unusedLimits6[13];
  size_t minMemoryMapAlignment;
  VkDeviceSize minTexelBufferOffsetAlignment;
  VkDeviceSize minUniformBufferOffsetAlignment;
  VkDeviceSize minStorageBufferOffsetAlignment;
  uint32_t unusedLimits7[36];
  VkDeviceSize unusedLimits8[3];
} VkPhysicalDeviceLimits;

typedef struct VkPhysicalDeviceProperties {
  uint32_t apiVersion;
  uint32_t driverVersion;
  uint32_t vendorID;
  uint32_t deviceID;
  VkPhysicalDeviceType deviceType;
  char deviceName[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
  uint8_t pipelineCacheUUID[16];
  VkPhysicalDeviceLimits limits;
  VkBool32 unusedSparse[5];
} VkPhysicalDeviceProperties;

typedef struct VkPhysicalDeviceProperties2 {
  VkStructureType sType;
  void *pNext;
  VkPhysicalDeviceProperties properties;
} VkPhysicalDeviceProperties2;

typedef struct VkPhysicalDeviceSubgroupProperties {
  VkStructureType sType;
  void *pNext;
  uint32_t subgroupSize;
  VkFlags supportedStages;
  VkFlags supportedOperations;
  VkBool32 quadOperationsInAllStages;
} VkPhysicalDeviceSubgroupProperties;

typedef struct VkPhysicalDeviceSubgroupSizeControlProperties {
  VkStructureType sType;
  void *pNext;
  uint32_t minSubgroupSize;
  uint32_t maxSubgroupSize;
  uint32_t maxComputeWorkgroupSubgroups;
  VkFlags requiredSubgroupSizeStages;
} VkPhysicalDeviceSubgroupSizeControlProperties;

typedef struct VkQueueFamilyProperties {
  VkFlags queueFlags;
  uint32_t queueCount;
  uint32_t timestampValidBits;
  uint32_t minImageTransferGranularity[3];
} VkQueueFamilyProperties;

typedef struct VkMemoryType {
  VkFlags propertyFlags;
  uint32_t heapIndex;
} VkMemoryType;

typedef struct VkMemoryHeap {
  VkDeviceSize size;
  VkFlags flags;
} VkMemoryHeap;

typedef struct VkPhysicalDeviceMemoryProperties {
  uint32_t memoryTypeCount;
  VkMemoryType memoryTypes[32];
  uint32_t memoryHeapCount;
  VkMemoryHeap memoryHeaps[16];
} VkPhysicalDeviceMemoryProperties;

typedef struct VkDeviceQueueCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  uint32_t queueFamilyIndex;
  uint32_t queueCount;
  const float *pQueuePriorities;
} VkDeviceQueueCreateInfo;

typedef struct VkDeviceCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  uint32_t queueCreateInfoCount;
  const VkDeviceQueueCreateInfo *pQueueCreateInfos;
  uint32_t enabledLayerCount;
  const char *const *ppEnabledLayerNames;
  uint32_t enabledExtensionCount;
  const char *const *ppEnabledExtensionNames;
  const VkPhysicalDeviceFeatures *pEnabledFeatures;
} VkDeviceCreateInfo;

typedef struct VkSubmitInfo {
  VkStructureType sType;
  const void *pNext;
  uint32_t waitSemaphoreCount;
  const void *pWaitSemaphores;
  const VkFlags *pWaitDstStageMask;
  uint32_t commandBufferCount;
  const VkCommandBuffer *pCommandBuffers;
  uint32_t signalSemaphoreCount;
  const void *pSignalSemaphores;
} VkSubmitInfo;

typedef struct VkMemoryAllocateInfo {
  VkStructureType sType;
  const void *pNext;
  VkDeviceSize allocationSize;
  uint32_t memoryTypeIndex;
} VkMemoryAllocateInfo;

typedef struct VkMemoryRequirements {
  VkDeviceSize size;
  VkDeviceSize alignment;
  uint32_t memoryTypeBits;
} VkMemoryRequirements;

typedef struct VkFenceCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
} VkFenceCreateInfo;

typedef struct VkBufferCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  VkDeviceSize size;
  VkFlags usage;
  uint32_t sharingMode;
  uint32_t queueFamilyIndexCount;
  const uint32_t *pQueueFamilyIndices;
} VkBufferCreateInfo;

typedef struct VkBufferCopy {
  VkDeviceSize srcOffset;
  VkDeviceSize dstOffset;
  VkDeviceSize size;
} VkBufferCopy;

typedef struct VkShaderModuleCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  size_t codeSize;
  const uint32_t *pCode;
} VkShaderModuleCreateInfo;

typedef struct VkPipelineShaderStageRequiredSubgroupSizeCreateInfo {
  VkStructureType sType;
  void *pNext;
  uint32_t requiredSubgroupSize;
} VkPipelineShaderStageRequiredSubgroupSizeCreateInfo;

typedef struct VkPipelineShaderStageCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  VkFlags stage;
  VkShaderModule module;
  const char *pName;
  const void *pSpecializationInfo;
} VkPipelineShaderStageCreateInfo;

typedef struct VkComputePipelineCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  VkPipelineShaderStageCreateInfo stage;
  VkPipelineLayout layout;
  VkPipeline basePipelineHandle;
  int32_t basePipelineIndex;
} VkComputePipelineCreateInfo;

typedef struct VkPipelineLayoutCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  uint32_t setLayoutCount;
  const VkDescriptorSetLayout *pSetLayouts;
  uint32_t pushConstantRangeCount;
  const void *pPushConstantRanges;
} VkPipelineLayoutCreateInfo;

typedef struct VkDescriptorSetLayoutBinding {
  uint32_t binding;
  uint32_t descriptorType;
  uint32_t descriptorCount;
  VkFlags stageFlags;
  const void *pImmutableSamplers;
} VkDescriptorSetLayoutBinding;

typedef struct VkDescriptorSetLayoutCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  uint32_t bindingCount;
  const VkDescriptorSetLayoutBinding *pBindings;
} VkDescriptorSetLayoutCreateInfo;

typedef struct VkDescriptorPoolSize {
  uint32_t type;
  uint32_t descriptorCount;
} VkDescriptorPoolSize;

typedef struct VkDescriptorPoolCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  uint32_t maxSets;
  uint32_t poolSizeCount;
  const VkDescriptorPoolSize *pPoolSizes;
} VkDescriptorPoolCreateInfo;

typedef struct VkDescriptorSetAllocateInfo {
  VkStructureType sType;
  const void *pNext;
  VkDescriptorPool descriptorPool;
  uint32_t descriptorSetCount;
  const VkDescriptorSetLayout *pSetLayouts;
} VkDescriptorSetAllocateInfo;

typedef struct VkDescriptorBufferInfo {
  VkBuffer buffer;
  VkDeviceSize offset;
  VkDeviceSize range;
} VkDescriptorBufferInfo;

typedef struct VkWriteDescriptorSet {
  VkStructureType sType;
  const void *pNext;
  VkDescriptorSet dstSet;
  uint32_t dstBinding;
  uint32_t dstArrayElement;
  uint32_t descriptorCount;
  uint32_t descriptorType;
  const void *pImageInfo;
  const VkDescriptorBufferInfo *pBufferInfo;
  const void *pTexelBufferView;
} VkWriteDescriptorSet;

typedef struct VkCommandPoolCreateInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  uint32_t queueFamilyIndex;
} VkCommandPoolCreateInfo;

typedef struct VkCommandBufferAllocateInfo {
  VkStructureType sType;
  const void *pNext;
  VkCommandPool commandPool;
  uint32_t level;
  uint32_t commandBufferCount;
} VkCommandBufferAllocateInfo;

typedef struct VkCommandBufferBeginInfo {
  VkStructureType sType;
  const void *pNext;
  VkFlags flags;
  const void *pInheritanceInfo;
} VkCommandBufferBeginInfo;

typedef struct VkMemoryBarrier {
  VkStructureType sType;
  const void *pNext;
  VkFlags srcAccessMask;
  VkFlags dstAccessMask;
} VkMemoryBarrier;

typedef void (*PFN_vkVoidFunction)(void);

// F(result, name, parameters): the functions, without their prefix vk.
#define HEADOPT_VULKAN_INSTANCE_FUNCTIONS(F)                                   \
  F(void, DestroyInstance, (VkInstance, const void *))                         \
  F(VkResult, EnumeratePhysicalDevices,                                        \
    (VkInstance, uint32_t *, VkPhysicalDevice *))                              \
  F(void, GetPhysicalDeviceProperties,                                         \
    (VkPhysicalDevice, VkPhysicalDeviceProperties *))                          \
  F(void, GetPhysicalDeviceProperties2,                                        \
    (VkPhysicalDevice, VkPhysicalDeviceProperties2 *))                         \
  F(void, GetPhysicalDeviceFeatures2,                                          \
    (VkPhysicalDevice, VkPhysicalDeviceFeatures2 *))                           \
  F(void, GetPhysicalDeviceMemoryProperties,                                   \
    (VkPhysicalDevice, VkPhysicalDeviceMemoryProperties *))                    \
  F(void, GetPhysicalDeviceQueueFamilyProperties,                              \
    (VkPhysicalDevice, uint32_t *, VkQueueFamilyProperties *))                 \
  F(VkResult, EnumerateDeviceExtensionProperties,                              \
    (VkPhysicalDevice, const char *, uint32_t *, VkExtensionProperties *))     \
  F(VkResult, CreateDevice,                                                    \
    (VkPhysicalDevice, const VkDeviceCreateInfo *, const void *, VkDevice *))  \
  F(PFN_vkVoidFunction, GetDeviceProcAddr, (VkDevice, const char *))

#define HEADOPT_VULKAN_DEVICE_FUNCTIONS(F)                                     \
  F(void, DestroyDevice, (VkDevice, const void *))                             \
  F(void, GetDeviceQueue, (VkDevice, uint32_t, uint32_t, VkQueue *))           \
  F(VkResult, QueueSubmit, (VkQueue, uint32_t, const VkSubmitInfo *, VkFence)) \
  F(VkResult, QueueWaitIdle, (VkQueue))                                        \
  F(VkResult, AllocateMemory,                                                  \
    (VkDevice, const VkMemoryAllocateInfo *, const void *, VkDeviceMemory *))  \
  F(void, FreeMemory, (VkDevice, VkDeviceMemory, const void *))                \
  F(VkResult, MapMemory,                                                       \
    (VkDevice, VkDeviceMemory, VkDeviceSize, VkDeviceSize, VkFlags, void **))  \
  F(VkResult, CreateBuffer,                                                    \
    (VkDevice, const VkBufferCreateInfo *, const void *, VkBuffer *))          \
  F(void, DestroyBuffer, (VkDevice, VkBuffer, const void *))                   \
  F(void, GetBufferMemoryRequirements,                                         \
    (VkDevice, VkBuffer, VkMemoryRequirements *))                              \
  F(VkResult, BindBufferMemory,                                                \
    (VkDevice, VkBuffer, VkDeviceMemory, VkDeviceSize))                        \
  F(VkResult, CreateFence,                                                     \
    (VkDevice, const VkFenceCreateInfo *, const void *, VkFence *))            \
  F(void, DestroyFence, (VkDevice, VkFence, const void *))                     \
  F(VkResult, WaitForFences,                                                   \
    (VkDevice, uint32_t, const VkFence *, VkBool32, uint64_t))                 \
  F(VkResult, CreateShaderModule,                                              \
    (VkDevice, const VkShaderModuleCreateInfo *, const void *,                 \
     VkShaderModule *))                                                        \
  F(void, DestroyShaderModule, (VkDevice, VkShaderModule, const void *))       \
  F(VkResult, CreateDescriptorSetLayout,                                       \
    (VkDevice, const VkDescriptorSetLayoutCreateInfo *, const void *,          \
     VkDescriptorSetLayout *))                                                 \
  F(void, DestroyDescriptorSetLayout,                                          \
    (VkDevice, VkDescriptorSetLayout, const void *))                           \
  F(VkResult, CreatePipelineLayout,                                            \
    (VkDevice, const VkPipelineLayoutCreateInfo *, const void *,               \
     VkPipelineLayout *))                                                      \
  F(void, DestroyPipelineLayout, (VkDevice, VkPipelineLayout, const void *))   \
  F(VkResult, CreateComputePipelines,                                          \
    (VkDevice, VkPipelineCache, uint32_t, const VkComputePipelineCreateInfo *, \
     const void *, VkPipeline *))                                              \
  F(void, DestroyPipeline, (VkDevice, VkPipeline, const void *))               \
  F(VkResult, CreateDescriptorPool,                                            \
    (VkDevice, const VkDescriptorPoolCreateInfo *, const void *,               \
     VkDescriptorPool *))                                                      \
  F(void, DestroyDescriptorPool, (VkDevice, VkDescriptorPool, const void *))   \
  F(VkResult, AllocateDescriptorSets,                                          \
    (VkDevice, const VkDescriptorSetAllocateInfo *, VkDescriptorSet *))        \
  F(void, UpdateDescriptorSets,                                                \
    (VkDevice, uint32_t, const VkWriteDescriptorSet *, uint32_t,               \
     const void *))                                                            \
  F(VkResult, CreateCommandPool,                                               \
    (VkDevice, const VkCommandPoolCreateInfo *, const void *,                  \
     VkCommandPool *))                                                         \
  F(void, DestroyCommandPool, (VkDevice, VkCommandPool, const void *))         \
  F(VkResult, AllocateCommandBuffers,                                          \
    (VkDevice, const VkCommandBufferAllocateInfo *, VkCommandBuffer *))        \
  F(VkResult, BeginCommandBuffer,                                              \
    (VkCommandBuffer, const VkCommandBufferBeginInfo *))                       \
  F(VkResult, EndCommandBuffer, (VkCommandBuffer))                             \
  F(void, CmdBindPipeline, (VkCommandBuffer, uint32_t, VkPipeline))            \
  F(void, CmdBindDescriptorSets,                                               \
    (VkCommandBuffer, uint32_t, VkPipelineLayout, uint32_t, uint32_t,          \
     const VkDescriptorSet *, uint32_t, const uint32_t *))                     \
  F(void, CmdDispatch, (VkCommandBuffer, uint32_t, uint32_t, uint32_t))        \
  F(void, CmdCopyBuffer,                                                       \
    (VkCommandBuffer, VkBuffer, VkBuffer, uint32_t, const VkBufferCopy *))     \
  F(void, CmdPipelineBarrier,                                                  \
    (VkCommandBuffer, VkFlags, VkFlags, VkFlags, uint32_t,                     \
     const VkMemoryBarrier *, uint32_t, const void *, uint32_t, const void *))

#endif
