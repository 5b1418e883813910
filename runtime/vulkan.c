//===- vulkan.c - Compiled heads on Vulkan devices ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Vulkan has no device pointers here: an address is a number in a range that
// belongs to one buffer, and launches turn it back into buffer and offset. Work
// is recorded, and runs when a call ends; a stream of this file is what has
// been recorded, with the buffers that live as long. One device and one queue
// serve the process; they and loaded programs stay until it ends.
//
//===----------------------------------------------------------------------===//

#include "common.h"
#include "headopt_gpu.h"
#include "vulkan_api.h"
#include <ctype.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  MAX_ARGUMENTS = 64,
  // The largest alignment of storage buffers that a device may ask for.
  ALIGNMENT = 256,
  SCALARS_PER_BUFFER = 64,
  SETS_PER_POOL = 16
};

//===- Errors -------------------------------------------------------------===//

// Keeps the first error of a call.
__attribute__((format(printf, 3, 4))) static void
fail(int32_t *code, int32_t value, const char *format, ...) {
  if (*code != 0)
    return;
  *code = value;
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  headopt_runtime_say("%s", text);
}

static const char *result_name(VkResult result) {
  switch (result) {
#define NAME(result)                                                           \
  case result:                                                                 \
    return #result;
    NAME(VK_SUCCESS)
    NAME(VK_NOT_READY)
    NAME(VK_TIMEOUT)
    NAME(VK_INCOMPLETE)
    NAME(VK_ERROR_OUT_OF_HOST_MEMORY)
    NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY)
    NAME(VK_ERROR_INITIALIZATION_FAILED)
    NAME(VK_ERROR_DEVICE_LOST)
    NAME(VK_ERROR_MEMORY_MAP_FAILED)
    NAME(VK_ERROR_LAYER_NOT_PRESENT)
    NAME(VK_ERROR_EXTENSION_NOT_PRESENT)
    NAME(VK_ERROR_FEATURE_NOT_PRESENT)
    NAME(VK_ERROR_INCOMPATIBLE_DRIVER)
    NAME(VK_ERROR_TOO_MANY_OBJECTS)
    NAME(VK_ERROR_FRAGMENTED_POOL)
    NAME(VK_ERROR_UNKNOWN)
    NAME(VK_ERROR_OUT_OF_POOL_MEMORY)
    NAME(VK_ERROR_FRAGMENTATION)
#undef NAME
  }
  return "an unknown VkResult";
}

// Whether `result`, which `function` gave, is a success.
static bool check(int32_t *code, VkResult result, const char *function) {
  if (result == VK_SUCCESS)
    return true;
  bool memory = result == VK_ERROR_OUT_OF_HOST_MEMORY ||
                result == VK_ERROR_OUT_OF_DEVICE_MEMORY;
  fail(code, memory ? HEADOPT_GPU_OUT_OF_MEMORY : HEADOPT_GPU_DRIVER_ERROR,
       "%s: %s (%d)", function, result_name(result), (int)result);
  return false;
}

static void *allocate_host(int32_t *code, size_t count, size_t size) {
  void *memory = calloc(count ? count : 1, size);
  if (!memory)
    fail(code, HEADOPT_GPU_OUT_OF_MEMORY, "out of host memory");
  return memory;
}

//===- The device ---------------------------------------------------------===//

// What a program may need; bits of `supports`.
enum {
  INT8 = 1u << 0,
  INT16 = 1u << 1,
  INT64 = 1u << 2,
  FLOAT16 = 1u << 3,
  FLOAT64 = 1u << 4,
  STORAGE8 = 1u << 5,
  STORAGE16 = 1u << 6,
  SUBGROUP_BASIC = 1u << 7,
  SUBGROUP_SHUFFLE = 1u << 8,
  SUBGROUP_SIZE = 1u << 9,
  FULL_SUBGROUPS = 1u << 10
};

struct device {
  bool ready;
  VkInstance instance;
  VkPhysicalDevice gpu;
  VkDevice handle;
  VkQueue queue;
  uint32_t queue_family;
  VkPhysicalDeviceProperties properties;
  VkPhysicalDeviceMemoryProperties memory;
  uint32_t supports;
  uint32_t subgroup_size, min_subgroup_size, max_subgroup_size;
  // Of a block, where a size is asked for.
  uint32_t max_subgroups;
  // The host may read and write the device's memory at full speed.
  bool direct;
#define MEMBER(result, name, parameters) result(*name) parameters;
  HEADOPT_VULKAN_INSTANCE_FUNCTIONS(MEMBER)
  HEADOPT_VULKAN_DEVICE_FUNCTIONS(MEMBER)
#undef MEMBER
};

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
// Guarded by headopt_runtime_lock until it is ready, as are the states of
// programs.
static struct device device;
static _Atomic uint64_t next_address = (uint64_t)1 << 32;

static bool equals_ignoring_case(const char *a, const char *b, size_t length) {
  for (size_t i = 0; i < length; ++i)
    if (tolower((unsigned char)a[i]) != tolower((unsigned char)b[i]))
      return false;
  return true;
}

static bool has_part(const char *text, const char *part) {
  size_t length = strlen(part), whole = strlen(text);
  for (size_t i = 0; i + length <= whole; ++i)
    if (equals_ignoring_case(text + i, part, length))
      return true;
  return false;
}

// The order in which devices are preferred.
static int rank_of(VkPhysicalDeviceType type) {
  switch (type) {
  case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
    return 0;
  case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
    return 1;
  case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
    return 2;
  case VK_PHYSICAL_DEVICE_TYPE_OTHER:
    return 3;
  case VK_PHYSICAL_DEVICE_TYPE_CPU:
    break;
  }
  return 4;
}

static bool find_queue_family(struct device *d, VkPhysicalDevice gpu,
                              uint32_t *family) {
  VkQueueFamilyProperties families[16];
  uint32_t count = sizeof families / sizeof *families;
  d->GetPhysicalDeviceQueueFamilyProperties(gpu, &count, families);
  for (uint32_t i = 0; i < count; ++i)
    if (families[i].queueCount > 0 &&
        (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) {
      *family = i;
      return true;
    }
  return false;
}

static void choose_gpu(struct device *d, int32_t *code) {
  VkPhysicalDevice gpus[16];
  uint32_t count = sizeof gpus / sizeof *gpus;
  VkResult result = d->EnumeratePhysicalDevices(d->instance, &count, gpus);
  if (result != VK_INCOMPLETE &&
      !check(code, result, "vkEnumeratePhysicalDevices"))
    return;

  const char *wanted = getenv("HEADOPT_VULKAN_DEVICE");
  if (wanted && !*wanted)
    wanted = NULL;
  // Names have numbers in them, too. What is too large for the type gives its
  // largest number.
  unsigned long long index = count;
  if (wanted && strspn(wanted, "0123456789") == strlen(wanted))
    index = strtoull(wanted, NULL, 10);
  bool by_index = index < count;
  int best = 5;
  char names[256] = "";
  size_t length = 0;
  for (uint32_t i = 0; i < count; ++i) {
    VkPhysicalDeviceProperties properties;
    d->GetPhysicalDeviceProperties(gpus[i], &properties);
    if (length < sizeof names)
      length +=
          (size_t)snprintf(names + length, sizeof names - length, "%s%u %s",
                           i ? ", " : "", i, properties.deviceName);
    uint32_t family;
    if (properties.apiVersion < VK_API_VERSION_1_1 ||
        !find_queue_family(d, gpus[i], &family) ||
        rank_of(properties.deviceType) >= best)
      continue;
    if (by_index ? i != index
                 : wanted && !has_part(properties.deviceName, wanted))
      continue;
    best = rank_of(properties.deviceType);
    d->gpu = gpus[i];
    d->queue_family = family;
    d->properties = properties;
  }
  if (d->gpu)
    return;
  if (count == 0)
    fail(code, HEADOPT_GPU_NO_DEVICE,
         "no Vulkan device; install a driver (Mesa's for CPUs will do)");
  else if (wanted)
    fail(code, HEADOPT_GPU_NO_DEVICE,
         "HEADOPT_VULKAN_DEVICE=%s is none of the Vulkan 1.1 devices: %s",
         wanted, names);
  else
    fail(code, HEADOPT_GPU_NO_DEVICE,
         "no device has Vulkan 1.1 and a queue for computing: %s", names);
}

static bool has_extension(const VkExtensionProperties *extensions,
                          uint32_t count, const char *name) {
  for (uint32_t i = 0; i < count; ++i)
    if (strcmp(extensions[i].extensionName, name) == 0)
      return true;
  return false;
}

// The structures that say what a device can do, to ask and to enable.
struct features {
  VkPhysicalDeviceFeatures2 core;
  VkPhysicalDevice16BitStorageFeatures storage16;
  VkPhysicalDevice8BitStorageFeatures storage8;
  VkPhysicalDeviceShaderFloat16Int8Features float16_int8;
  VkPhysicalDeviceSubgroupSizeControlFeatures subgroup_size;
  const char *extensions[3];
  uint32_t num_extensions;
};

// Asks for `feature`, whose pNext is `next`, with its extension where it is not
// part of the device's version.
static void chain(struct features *f, void *feature, void **next,
                  uint32_t version, uint32_t core_version,
                  const char *extension,
                  const VkExtensionProperties *extensions, uint32_t count) {
  if (version < core_version) {
    if (!has_extension(extensions, count, extension))
      return;
    f->extensions[f->num_extensions++] = extension;
  }
  *next = f->core.pNext;
  f->core.pNext = feature;
}

static void ask_features(struct device *d, struct features *f, int32_t *code) {
  uint32_t count = 0;
  if (!check(code,
             d->EnumerateDeviceExtensionProperties(d->gpu, NULL, &count, NULL),
             "vkEnumerateDeviceExtensionProperties"))
    return;
  VkExtensionProperties *extensions =
      allocate_host(code, count, sizeof *extensions);
  if (!extensions)
    return;
  VkResult result =
      d->EnumerateDeviceExtensionProperties(d->gpu, NULL, &count, extensions);
  if (result != VK_INCOMPLETE)
    check(code, result, "vkEnumerateDeviceExtensionProperties");

  uint32_t version = d->properties.apiVersion;
  f->core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  f->storage16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
  f->storage8.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES;
  f->float16_int8.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES;
  f->subgroup_size.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
  f->storage16.pNext = NULL;
  f->core.pNext = &f->storage16;
  chain(f, &f->storage8, &f->storage8.pNext, version, VK_API_VERSION_1_2,
        "VK_KHR_8bit_storage", extensions, count);
  chain(f, &f->float16_int8, &f->float16_int8.pNext, version,
        VK_API_VERSION_1_2, "VK_KHR_shader_float16_int8", extensions, count);
  chain(f, &f->subgroup_size, &f->subgroup_size.pNext, version,
        VK_API_VERSION_1_3, "VK_EXT_subgroup_size_control", extensions, count);
  free(extensions);
  d->GetPhysicalDeviceFeatures2(d->gpu, &f->core);
}

// Leaves in `f` what is used, and notes it in the device.
static void note_features(struct device *d, struct features *f) {
  VkPhysicalDeviceSubgroupProperties subgroup = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
  VkPhysicalDeviceSubgroupSizeControlProperties sizes = {
      .sType =
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
  VkPhysicalDeviceProperties2 properties = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
      .pNext = &subgroup};
  if (f->subgroup_size.subgroupSizeControl)
    subgroup.pNext = &sizes;
  d->GetPhysicalDeviceProperties2(d->gpu, &properties);
  d->subgroup_size = subgroup.subgroupSize;
  d->min_subgroup_size = sizes.minSubgroupSize;
  d->max_subgroup_size = sizes.maxSubgroupSize;
  d->max_subgroups = sizes.maxComputeWorkgroupSubgroups;

  VkPhysicalDeviceFeatures used = {.shaderFloat64 =
                                       f->core.features.shaderFloat64,
                                   .shaderInt64 = f->core.features.shaderInt64,
                                   .shaderInt16 = f->core.features.shaderInt16};
  f->core.features = used;
  f->storage16.uniformAndStorageBuffer16BitAccess = 0;
  f->storage16.storagePushConstant16 = 0;
  f->storage16.storageInputOutput16 = 0;
  f->storage8.uniformAndStorageBuffer8BitAccess = 0;
  f->storage8.storagePushConstant8 = 0;

  VkFlags operations = subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT
                           ? subgroup.supportedOperations
                           : 0;
  const struct {
    VkFlags has;
    uint32_t bit;
  } table[] = {
      {f->float16_int8.shaderInt8, INT8},
      {used.shaderInt16, INT16},
      {used.shaderInt64, INT64},
      {f->float16_int8.shaderFloat16, FLOAT16},
      {used.shaderFloat64, FLOAT64},
      {f->storage8.storageBuffer8BitAccess, STORAGE8},
      {f->storage16.storageBuffer16BitAccess, STORAGE16},
      {operations & VK_SUBGROUP_FEATURE_BASIC_BIT, SUBGROUP_BASIC},
      {operations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT, SUBGROUP_SHUFFLE},
      {f->subgroup_size.subgroupSizeControl &&
           (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT),
       SUBGROUP_SIZE},
      {f->subgroup_size.computeFullSubgroups, FULL_SUBGROUPS}};
  for (size_t i = 0; i < sizeof table / sizeof *table; ++i)
    if (table[i].has)
      d->supports |= table[i].bit;
}

typedef PFN_vkVoidFunction (*get_instance_proc_addr)(VkInstance, const char *);

static void create_instance(struct device *d, get_instance_proc_addr get,
                            int32_t *code) {
  VkResult (*create)(const VkInstanceCreateInfo *, const void *, VkInstance *) =
      (VkResult (*)(const VkInstanceCreateInfo *, const void *,
                    VkInstance *))get(NULL, "vkCreateInstance");
  if (!create || !get(NULL, "vkEnumerateInstanceVersion")) {
    fail(code, HEADOPT_GPU_NO_DEVICE,
         "libvulkan.so.1 is older than Vulkan 1.1");
    return;
  }
  VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                   .pApplicationName = "head-opt",
                                   .apiVersion = VK_API_VERSION_1_3};
  VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                               .pApplicationInfo = &application};
  VkResult result = create(&info, NULL, &d->instance);
  if (result == VK_ERROR_INCOMPATIBLE_DRIVER) {
    fail(code, HEADOPT_GPU_NO_DEVICE, "no Vulkan driver is installed");
    return;
  }
  if (!check(code, result, "vkCreateInstance"))
    return;
#define LOAD(result, name, parameters)                                         \
  d->name = (result(*) parameters)get(d->instance, "vk" #name);                \
  if (!d->name)                                                                \
    fail(code, HEADOPT_GPU_NO_DEVICE, "the Vulkan driver has no vk" #name);
  HEADOPT_VULKAN_INSTANCE_FUNCTIONS(LOAD)
#undef LOAD
}

static void create_device(struct device *d, int32_t *code) {
  struct features features = {.num_extensions = 0};
  ask_features(d, &features, code);
  if (*code != 0)
    return;
  note_features(d, &features);
  d->GetPhysicalDeviceMemoryProperties(d->gpu, &d->memory);
  d->direct =
      d->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU ||
      d->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
  const char *staging = getenv("HEADOPT_VULKAN_STAGING");
  if (staging && *staging)
    d->direct = strcmp(staging, "0") == 0;

  const float priority = 1;
  VkDeviceQueueCreateInfo queue = {
      .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
      .queueFamilyIndex = d->queue_family,
      .queueCount = 1,
      .pQueuePriorities = &priority};
  VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                             .pNext = &features.core,
                             .queueCreateInfoCount = 1,
                             .pQueueCreateInfos = &queue,
                             .enabledExtensionCount = features.num_extensions,
                             .ppEnabledExtensionNames = features.extensions};
  if (!check(code, d->CreateDevice(d->gpu, &info, NULL, &d->handle),
             "vkCreateDevice"))
    return;
#define LOAD(result, name, parameters)                                         \
  d->name = (result(*) parameters)d->GetDeviceProcAddr(d->handle, "vk" #name); \
  if (!d->name)                                                                \
    fail(code, HEADOPT_GPU_NO_DEVICE, "the Vulkan driver has no vk" #name);
  HEADOPT_VULKAN_DEVICE_FUNCTIONS(LOAD)
#undef LOAD
  if (*code == 0)
    d->GetDeviceQueue(d->handle, d->queue_family, 0, &d->queue);
}

// Opens the device if it is not open. The lock is held.
static void open_device(int32_t *code) {
  if (device.ready)
    return;
  const char *const libraries[] = {"libvulkan.so.1", NULL};
  void *library = headopt_runtime_open(libraries);
  if (!library) {
    fail(code, HEADOPT_GPU_NO_DEVICE,
         "no Vulkan: libvulkan.so.1 cannot be loaded (Debian: libvulkan1)");
    return;
  }
  // POSIX has it so; ISO C knows no conversion.
  get_instance_proc_addr get;
  *(void **)&get = dlsym(library, "vkGetInstanceProcAddr");
  struct device d;
  memset(&d, 0, sizeof d);
  if (!get)
    fail(code, HEADOPT_GPU_NO_DEVICE,
         "libvulkan.so.1 has no vkGetInstanceProcAddr");
  if (*code == 0)
    create_instance(&d, get, code);
  if (*code == 0)
    choose_gpu(&d, code);
  if (*code == 0)
    create_device(&d, code);
  if (*code == 0) {
    device = d;
    device.ready = true;
    return;
  }
  if (d.handle && d.DestroyDevice)
    d.DestroyDevice(d.handle, NULL);
  if (d.instance && d.DestroyInstance)
    d.DestroyInstance(d.instance, NULL);
}

//===- Buffers ------------------------------------------------------------===//

struct buffer {
  struct buffer *next;
  uint64_t address, bytes;
  // Of the Vulkan buffer. It goes on behind `bytes`, so that there is something
  // to bind where a part of no bytes ends it.
  uint64_t size;
  VkBuffer handle;
  VkDeviceMemory memory;
  void *host; // where it is mapped, or NULL
};

enum place {
  // Only kernels and copies use it.
  PLACE_DEVICE,
  // Mapped if that costs nothing.
  PLACE_DIRECT,
  PLACE_UPLOAD,
  PLACE_DOWNLOAD
};

enum {
  LOCAL = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
  MAPPED = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
           VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
  CACHED = VK_MEMORY_PROPERTY_HOST_CACHED_BIT
};

// The kind of memory among `allowed` that serves `place` best.
static uint32_t choose_memory(uint32_t allowed, enum place place) {
  // Vulkan promises a LOCAL and a MAPPED kind for every buffer.
  static const VkFlags choices[][4] = {
      [PLACE_DEVICE] = {LOCAL, 0, 0, 0},
      [PLACE_DIRECT] = {LOCAL | MAPPED | CACHED, LOCAL | MAPPED,
                        MAPPED | CACHED, MAPPED},
      [PLACE_UPLOAD] = {MAPPED, MAPPED, MAPPED, MAPPED},
      [PLACE_DOWNLOAD] = {MAPPED | CACHED, MAPPED, MAPPED, MAPPED}};
  for (size_t choice = 0; choice < 4; ++choice) {
    VkFlags flags = choices[place][choice];
    for (uint32_t i = 0; i < device.memory.memoryTypeCount; ++i)
      if ((allowed >> i & 1) &&
          (device.memory.memoryTypes[i].propertyFlags & flags) == flags)
        return i;
  }
  return 0;
}

static void free_buffers(struct buffer *list) {
  while (list) {
    struct buffer *buffer = list;
    list = buffer->next;
    device.DestroyBuffer(device.handle, buffer->handle, NULL);
    device.FreeMemory(device.handle, buffer->memory, NULL);
    free(buffer);
  }
}

// What buffers are for, as errors say it.
static const char of_input[] = "the feature maps";
static const char of_output[] = "the output";
static const char of_scratch[] = "intermediate results";
static const char of_constants[] = "a layer's weights";
static const char of_copies[] = "a copy";

// A buffer that is added to `list`; NULL after an error.
static struct buffer *make_buffer(struct buffer **list, enum place place,
                                  const char *purpose, uint64_t bytes,
                                  int32_t *code) {
  if (*code != 0)
    return NULL;
  uint64_t limit = device.properties.limits.maxStorageBufferRange;
  if (bytes > limit) {
    fail(code, HEADOPT_GPU_OUT_OF_MEMORY,
         "%s: a buffer of %llu bytes is more than the %llu that %s binds; %s",
         purpose, (unsigned long long)bytes, (unsigned long long)limit,
         device.properties.deviceName,
         purpose == of_constants ? "the head needs another device"
                                 : "call the head with a smaller batch");
    return NULL;
  }
  if (place == PLACE_DIRECT && !device.direct)
    place = PLACE_DEVICE;
  struct buffer *buffer = allocate_host(code, 1, sizeof *buffer);
  if (!buffer)
    return NULL;
  buffer->bytes = bytes;
  buffer->size = (bytes / ALIGNMENT + 2) * ALIGNMENT;
  VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                             .size = buffer->size,
                             .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                      VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                      VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                             .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
  if (!check(code,
             device.CreateBuffer(device.handle, &info, NULL, &buffer->handle),
             "vkCreateBuffer")) {
    free(buffer);
    return NULL;
  }
  VkMemoryRequirements needs;
  device.GetBufferMemoryRequirements(device.handle, buffer->handle, &needs);
  VkMemoryAllocateInfo memory = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
      .allocationSize = needs.size,
      .memoryTypeIndex = choose_memory(needs.memoryTypeBits, place)};
  if (check(
          code,
          device.AllocateMemory(device.handle, &memory, NULL, &buffer->memory),
          "vkAllocateMemory") &&
      check(code,
            device.BindBufferMemory(device.handle, buffer->handle,
                                    buffer->memory, 0),
            "vkBindBufferMemory") &&
      place != PLACE_DEVICE)
    check(code,
          device.MapMemory(device.handle, buffer->memory, 0, VK_WHOLE_SIZE, 0,
                           &buffer->host),
          "vkMapMemory");
  if (*code != 0) {
    free_buffers(buffer);
    return NULL;
  }
  buffer->address =
      atomic_fetch_add(&next_address, (buffer->size / 4096 + 2) * 4096);
  buffer->next = *list;
  *list = buffer;
  return buffer;
}

static struct buffer *find_buffer(struct buffer *list, uint64_t address) {
  for (; list; list = list->next)
    if (address >= list->address && address - list->address <= list->bytes)
      return list;
  return NULL;
}

//===- Streams ------------------------------------------------------------===//

struct stream {
  VkCommandPool pool;
  VkCommandBuffer commands;
  VkFence fence;
  struct buffer *buffers;
  VkDescriptorPool *descriptor_pools;
  uint32_t num_descriptor_pools;
  uint32_t sets_left, descriptors_left;
  struct buffer *scalars;
  uint32_t scalars_left;
};

static void free_stream(struct stream *stream) {
  if (!stream)
    return;
  for (uint32_t i = 0; i < stream->num_descriptor_pools; ++i)
    device.DestroyDescriptorPool(device.handle, stream->descriptor_pools[i],
                                 NULL);
  free(stream->descriptor_pools);
  if (stream->fence)
    device.DestroyFence(device.handle, stream->fence, NULL);
  if (stream->pool)
    device.DestroyCommandPool(device.handle, stream->pool, NULL);
  free_buffers(stream->buffers);
  free(stream);
}

static struct stream *make_stream(int32_t *code) {
  if (*code != 0)
    return NULL;
  struct stream *stream = allocate_host(code, 1, sizeof *stream);
  if (!stream)
    return NULL;
  VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
  VkCommandPoolCreateInfo pool = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
      .queueFamilyIndex = device.queue_family};
  VkCommandBufferAllocateInfo commands = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
      .commandBufferCount = 1};
  VkCommandBufferBeginInfo begin = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
  if (check(code,
            device.CreateFence(device.handle, &fence, NULL, &stream->fence),
            "vkCreateFence") &&
      check(code,
            device.CreateCommandPool(device.handle, &pool, NULL, &stream->pool),
            "vkCreateCommandPool")) {
    commands.commandPool = stream->pool;
    if (check(code,
              device.AllocateCommandBuffers(device.handle, &commands,
                                            &stream->commands),
              "vkAllocateCommandBuffers"))
      check(code, device.BeginCommandBuffer(stream->commands, &begin),
            "vkBeginCommandBuffer");
  }
  if (*code == 0)
    return stream;
  free_stream(stream);
  return NULL;
}

// Has what comes next see all that was written before.
static void add_barrier(struct stream *stream) {
  VkMemoryBarrier barrier = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
      .srcAccessMask =
          VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
      .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                       VK_ACCESS_TRANSFER_READ_BIT |
                       VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_READ_BIT};
  VkFlags stages =
      VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
  device.CmdPipelineBarrier(stream->commands, stages,
                            stages | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier,
                            0, NULL, 0, NULL);
}

static void add_copy(struct stream *stream, const struct buffer *from,
                     const struct buffer *to, uint64_t bytes) {
  VkBufferCopy region = {.size = bytes};
  device.CmdCopyBuffer(stream->commands, from->handle, to->handle, 1, &region);
  add_barrier(stream);
}

// Writes host memory to a buffer, at once or when the stream runs.
static void write_buffer(struct stream *stream, struct buffer *to,
                         const void *data, uint64_t bytes, int32_t *code) {
  if (*code != 0 || bytes == 0)
    return;
  if (to->host) {
    memcpy(to->host, data, bytes);
    return;
  }
  struct buffer *from =
      make_buffer(&stream->buffers, PLACE_UPLOAD, of_copies, bytes, code);
  if (!from)
    return;
  memcpy(from->host, data, bytes);
  add_copy(stream, from, to, bytes);
}

// Runs what was recorded, and waits.
static void run(struct stream *stream, int32_t *code) {
  if (*code != 0 || !check(code, device.EndCommandBuffer(stream->commands),
                           "vkEndCommandBuffer"))
    return;
  VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                       .commandBufferCount = 1,
                       .pCommandBuffers = &stream->commands};
  pthread_mutex_lock(&queue_lock);
  VkResult result = device.QueueSubmit(device.queue, 1, &info, stream->fence);
  pthread_mutex_unlock(&queue_lock);
  if (!check(code, result, "vkQueueSubmit") ||
      check(
          code,
          device.WaitForFences(device.handle, 1, &stream->fence, 1, UINT64_MAX),
          "vkWaitForFences"))
    return;
  // The device may still be at work on what is about to be freed. If it is
  // lost, this returns at once.
  pthread_mutex_lock(&queue_lock);
  device.QueueWaitIdle(device.queue);
  pthread_mutex_unlock(&queue_lock);
}

// A buffer of one number, for a scalar argument.
static VkDescriptorBufferInfo add_scalar(struct stream *stream, uint32_t bits,
                                         int32_t *code) {
  VkDescriptorBufferInfo info = {.range = sizeof bits};
  if (stream->scalars_left == 0) {
    struct buffer *buffer =
        make_buffer(&stream->buffers, PLACE_UPLOAD, of_copies,
                    (uint64_t)SCALARS_PER_BUFFER * ALIGNMENT, code);
    if (!buffer)
      return info;
    stream->scalars = buffer;
    stream->scalars_left = SCALARS_PER_BUFFER;
  }
  info.buffer = stream->scalars->handle;
  info.offset = (uint64_t)--stream->scalars_left * ALIGNMENT;
  memcpy((char *)stream->scalars->host + info.offset, &bits, sizeof bits);
  return info;
}

static VkDescriptorSet add_set(struct stream *stream,
                               VkDescriptorSetLayout layout,
                               uint32_t descriptors, int32_t *code) {
  if (stream->sets_left == 0 || stream->descriptors_left < descriptors) {
    VkDescriptorPool *pools =
        realloc(stream->descriptor_pools, (stream->num_descriptor_pools + 1) *
                                              sizeof *stream->descriptor_pools);
    if (!pools) {
      fail(code, HEADOPT_GPU_OUT_OF_MEMORY, "out of host memory");
      return NULL;
    }
    stream->descriptor_pools = pools;
    VkDescriptorPoolSize size = {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                 .descriptorCount =
                                     SETS_PER_POOL * 8 + descriptors};
    VkDescriptorPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = SETS_PER_POOL,
        .poolSizeCount = 1,
        .pPoolSizes = &size};
    if (!check(
            code,
            device.CreateDescriptorPool(device.handle, &info, NULL,
                                        &pools[stream->num_descriptor_pools]),
            "vkCreateDescriptorPool"))
      return NULL;
    ++stream->num_descriptor_pools;
    stream->sets_left = SETS_PER_POOL;
    stream->descriptors_left = size.descriptorCount;
  }
  VkDescriptorSetAllocateInfo info = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
      .descriptorPool =
          stream->descriptor_pools[stream->num_descriptor_pools - 1],
      .descriptorSetCount = 1,
      .pSetLayouts = &layout};
  VkDescriptorSet set = NULL;
  check(code, device.AllocateDescriptorSets(device.handle, &info, &set),
        "vkAllocateDescriptorSets");
  --stream->sets_left;
  stream->descriptors_left -= descriptors;
  return set;
}

//===- Programs -----------------------------------------------------------===//

struct kernel {
  VkDescriptorSetLayout set_layout;
  VkPipelineLayout layout;
  VkPipeline pipeline;
  uint32_t num_args;
};

// What `state` of a program points to.
struct state {
  struct kernel *kernels;
  uint32_t num_kernels;
  struct buffer *buffers;
  struct buffer **constants; // by index
};

static void free_state(struct state *state) {
  for (uint32_t i = 0; state->kernels && i < state->num_kernels; ++i) {
    struct kernel *kernel = &state->kernels[i];
    if (kernel->pipeline)
      device.DestroyPipeline(device.handle, kernel->pipeline, NULL);
    if (kernel->layout)
      device.DestroyPipelineLayout(device.handle, kernel->layout, NULL);
    if (kernel->set_layout)
      device.DestroyDescriptorSetLayout(device.handle, kernel->set_layout,
                                        NULL);
  }
  free_buffers(state->buffers);
  free(state->kernels);
  free(state->constants);
  free(state);
}

// What the capabilities at the head of a SPIR-V module ask of the device; bits
// as in `supports`.
static uint32_t check_capabilities(const struct headopt_gpu_program *program,
                                   const uint32_t *words, size_t count,
                                   int32_t *code) {
  static const struct {
    uint32_t capability, bit;
    const char *what;
  } table[] = {{9, FLOAT16, "16-bit floating-point numbers (shaderFloat16)"},
               {10, FLOAT64, "64-bit floating-point numbers (shaderFloat64)"},
               {11, INT64, "64-bit integers (shaderInt64)"},
               {22, INT16, "16-bit integers (shaderInt16)"},
               {39, INT8, "8-bit integers (shaderInt8)"},
               {61, SUBGROUP_BASIC, "sub-groups"},
               {65, SUBGROUP_SHUFFLE, "shuffles in sub-groups"},
               {4433, STORAGE16, "16-bit buffers (storageBuffer16BitAccess)"},
               {4448, STORAGE8, "8-bit buffers (storageBuffer8BitAccess)"}};
  enum { MAGIC = 0x07230203, HEADER_WORDS = 5, OP_CAPABILITY = 17 };
  uint32_t needs = 0;
  if (count < HEADER_WORDS || words[0] != MAGIC) {
    fail(code, HEADOPT_GPU_DRIVER_ERROR, "%s: its program is no SPIR-V",
         program->name);
    return needs;
  }
  for (size_t i = HEADER_WORDS;
       i + 1 < count && words[i] == ((2u << 16) | OP_CAPABILITY); i += 2)
    for (size_t k = 0; k < sizeof table / sizeof *table; ++k)
      if (words[i + 1] == table[k].capability) {
        needs |= table[k].bit;
        if (!(device.supports & table[k].bit))
          fail(code, HEADOPT_GPU_NO_DEVICE,
               "%s needs %s, which %s does not have", program->name,
               table[k].what, device.properties.deviceName);
      }
  return needs;
}

// Whether pipelines must ask for the program's size of sub-groups.
static bool check_subgroups(const struct headopt_gpu_program *program,
                            uint32_t needs, int32_t *code) {
  if (!(needs & SUBGROUP_BASIC))
    return false;
  uint32_t size = program->subgroup_size;
  if ((device.supports & SUBGROUP_SIZE) && size >= device.min_subgroup_size &&
      size <= device.max_subgroup_size)
    return true;
  if (size != device.subgroup_size)
    fail(code, HEADOPT_GPU_NO_DEVICE,
         "%s is compiled for sub-groups of %u lanes, and those of %s have %u; "
         "compile it with --target=vulkan:%u",
         program->name, size, device.properties.deviceName,
         device.subgroup_size, device.subgroup_size);
  return false;
}

// Whether the pipeline of a kernel whose lanes work together asks for the
// program's size of sub-groups, where pipelines may.
static bool check_block(const struct headopt_gpu_program *program,
                        const struct headopt_gpu_kernel *source,
                        int32_t *code) {
  uint32_t size = program->subgroup_size;
  if (source->threads / size <= device.max_subgroups)
    return true;
  // Sub-groups have the device's own size anyway.
  if (size != device.subgroup_size)
    fail(code, HEADOPT_GPU_NO_DEVICE,
         "%s: kernel %s has blocks of %u sub-groups of %u lanes, and %s takes "
         "%u; compile it with --target=vulkan:%u",
         program->name, source->name, source->threads / size, size,
         device.properties.deviceName, device.max_subgroups,
         device.subgroup_size);
  return false;
}

static void load_kernel(const struct headopt_gpu_program *program,
                        const struct headopt_gpu_kernel *source,
                        VkShaderModule module, uint32_t needs, bool ask_size,
                        struct kernel *kernel, int32_t *code) {
  const VkPhysicalDeviceLimits *limits = &device.properties.limits;
  size_t num_args = strlen(source->args);
  if (source->threads > limits->maxComputeWorkGroupInvocations ||
      source->threads > limits->maxComputeWorkGroupSize[0]) {
    fail(code, HEADOPT_GPU_NO_DEVICE,
         "%s: kernel %s has blocks of %u threads, more than %s takes",
         program->name, source->name, source->threads,
         device.properties.deviceName);
    return;
  }
  if (num_args > MAX_ARGUMENTS ||
      num_args > limits->maxPerStageDescriptorStorageBuffers) {
    fail(code, HEADOPT_GPU_NO_DEVICE,
         "%s: kernel %s has %zu arguments, more than %s takes", program->name,
         source->name, num_args, device.properties.deviceName);
    return;
  }
  kernel->num_args = (uint32_t)num_args;
  VkDescriptorSetLayoutBinding bindings[MAX_ARGUMENTS];
  for (uint32_t i = 0; i < kernel->num_args; ++i)
    bindings[i] = (VkDescriptorSetLayoutBinding){
        .binding = i,
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .descriptorCount = 1,
        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
  VkDescriptorSetLayoutCreateInfo set_layout = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
      .bindingCount = kernel->num_args,
      .pBindings = bindings};
  if (!check(code,
             device.CreateDescriptorSetLayout(device.handle, &set_layout, NULL,
                                              &kernel->set_layout),
             "vkCreateDescriptorSetLayout"))
    return;
  VkPipelineLayoutCreateInfo layout = {
      .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
      .setLayoutCount = 1,
      .pSetLayouts = &kernel->set_layout};
  if (!check(code,
             device.CreatePipelineLayout(device.handle, &layout, NULL,
                                         &kernel->layout),
             "vkCreatePipelineLayout"))
    return;
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
      .sType =
          VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
      .requiredSubgroupSize = program->subgroup_size};
  VkComputePipelineCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
      .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = source->name},
      .layout = kernel->layout};
  // A kernel whose lanes work together has blocks of whole sub-groups.
  if ((needs & SUBGROUP_BASIC) &&
      source->threads % program->subgroup_size == 0) {
    if (ask_size && check_block(program, source, code))
      info.stage.pNext = &size;
    if (device.supports & FULL_SUBGROUPS)
      info.stage.flags =
          VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
  }
  if (*code == 0)
    check(code,
          device.CreateComputePipelines(device.handle, NULL, 1, &info, NULL,
                                        &kernel->pipeline),
          "vkCreateComputePipelines");
}

static void load_kernels(const struct headopt_gpu_program *program,
                         struct state *state, int32_t *code) {
  // The driver wants aligned words.
  size_t count = program->binary_bytes / sizeof(uint32_t);
  uint32_t *words = allocate_host(code, count, sizeof *words);
  state->kernels =
      allocate_host(code, program->num_kernels, sizeof *state->kernels);
  state->num_kernels = program->num_kernels;
  if (*code == 0) {
    memcpy(words, program->binary, count * sizeof *words);
    uint32_t needs = check_capabilities(program, words, count, code);
    bool ask_size = check_subgroups(program, needs, code);
    VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = count * sizeof *words,
        .pCode = words};
    VkShaderModule module = NULL;
    if (*code == 0 &&
        check(code,
              device.CreateShaderModule(device.handle, &info, NULL, &module),
              "vkCreateShaderModule")) {
      for (uint32_t i = 0; i < program->num_kernels && *code == 0; ++i)
        load_kernel(program, &program->kernels[i], module, needs, ask_size,
                    &state->kernels[i], code);
      device.DestroyShaderModule(device.handle, module, NULL);
    }
  }
  free(words);
}

static void load_constants(const struct headopt_gpu_program *program,
                           struct state *state, int32_t *code) {
  state->constants =
      allocate_host(code, program->num_constants, sizeof *state->constants);
  struct stream *stream = make_stream(code);
  for (uint32_t i = 0; i < program->num_constants && *code == 0; ++i) {
    const struct headopt_gpu_constant *constant = &program->constants[i];
    state->constants[i] = make_buffer(&state->buffers, PLACE_DIRECT,
                                      of_constants, constant->bytes, code);
    if (*code == 0)
      write_buffer(stream, state->constants[i], constant->data, constant->bytes,
                   code);
  }
  if (*code == 0)
    run(stream, code);
  free_stream(stream);
}

// The program's state, loaded if this is its first call.
static struct state *load(const struct headopt_gpu_program *program,
                          int32_t *code) {
  if (program->version != HEADOPT_GPU_VERSION) {
    fail(code, HEADOPT_GPU_DRIVER_ERROR,
         "%s wants version %u of the runtime, this is 1", program->name,
         program->version);
    return NULL;
  }
  headopt_runtime_lock();
  open_device(code);
  struct state *state = *code == 0 ? *program->state : NULL;
  if (*code == 0 && !state) {
    state = allocate_host(code, 1, sizeof *state);
    if (state) {
      load_kernels(program, state, code);
      if (*code == 0)
        load_constants(program, state, code);
      if (*code != 0) {
        free_state(state);
        state = NULL;
      }
      *program->state = state;
    }
  }
  headopt_runtime_unlock();
  return state;
}

//===- Calls --------------------------------------------------------------===//

// What a headopt_gpu_call holds, of begin or of stage.
struct call {
  const struct headopt_gpu_program *program;
  struct state *state;
  struct stream *stream;
  struct buffer *scratch, *input, *output;
  int32_t code;
  bool owns_stream;
};

_Static_assert(sizeof(struct call) <= sizeof(struct headopt_gpu_call),
               "a call has room for what this runtime keeps");

static struct call *get(struct headopt_gpu_call *call) {
  return (struct call *)call->opaque;
}

HEADOPT_RUNTIME void
headopt_gpu_begin(struct headopt_gpu_call *call,
                  const struct headopt_gpu_program *program, void *stream,
                  uint64_t scratch_bytes) {
  struct call *c = get(call);
  memset(c, 0, sizeof *c);
  c->program = program;
  c->state = load(program, &c->code);
  if (c->code == 0) {
    c->owns_stream = !stream;
    c->stream = stream ? stream : make_stream(&c->code);
  }
  if (c->code == 0 && scratch_bytes != 0)
    c->scratch = make_buffer(&c->stream->buffers, PLACE_DEVICE, of_scratch,
                             scratch_bytes, &c->code);
}

HEADOPT_RUNTIME uint64_t headopt_gpu_scratch(struct headopt_gpu_call *call) {
  struct call *c = get(call);
  return c->code == 0 && c->scratch ? c->scratch->address : 0;
}

HEADOPT_RUNTIME uint64_t headopt_gpu_constant(struct headopt_gpu_call *call,
                                              uint32_t index) {
  struct call *c = get(call);
  if (c->code != 0)
    return 0;
  if (index >= c->program->num_constants) {
    fail(&c->code, HEADOPT_GPU_DRIVER_ERROR, "%s has no constant %u",
         c->program->name, index);
    return 0;
  }
  return c->state->constants[index]->address;
}

// What binds argument `index` of a kernel.
static VkDescriptorBufferInfo
find_argument(struct call *c, const struct headopt_gpu_kernel *kernel,
              uint32_t index, uint64_t value) {
  VkDescriptorBufferInfo info = {.buffer = NULL};
  const VkPhysicalDeviceLimits *limits = &device.properties.limits;
  if (kernel->args[index] != 'p') {
    if (kernel->args[index] == 'i' && value > INT32_MAX)
      fail(&c->code, HEADOPT_GPU_DRIVER_ERROR,
           "%s: argument %u of kernel %s is %llu, and indices have 32 bits; "
           "call the head with a smaller batch",
           c->program->name, index, kernel->name, (unsigned long long)value);
    return add_scalar(c->stream, (uint32_t)value, &c->code);
  }
  struct buffer *buffer = find_buffer(c->stream->buffers, value);
  if (!buffer)
    buffer = find_buffer(c->state->buffers, value);
  if (!buffer) {
    fail(&c->code, HEADOPT_GPU_DRIVER_ERROR,
         "%s: argument %u of kernel %s is no address of this call",
         c->program->name, index, kernel->name);
    return info;
  }
  info.buffer = buffer->handle;
  info.offset = value - buffer->address;
  info.range = buffer->size - info.offset;
  if (info.range > limits->maxStorageBufferRange)
    info.range = limits->maxStorageBufferRange;
  if (info.offset % limits->minStorageBufferOffsetAlignment != 0)
    fail(&c->code, HEADOPT_GPU_DRIVER_ERROR,
         "%s: argument %u of kernel %s must be aligned to %llu bytes",
         c->program->name, index, kernel->name,
         (unsigned long long)limits->minStorageBufferOffsetAlignment);
  return info;
}

HEADOPT_RUNTIME void headopt_gpu_launch(struct headopt_gpu_call *call,
                                        uint32_t kernel, uint64_t blocks,
                                        const uint64_t *args) {
  struct call *c = get(call);
  if (c->code != 0 || blocks == 0)
    return;
  if (kernel >= c->program->num_kernels) {
    fail(&c->code, HEADOPT_GPU_DRIVER_ERROR, "%s has no kernel %u",
         c->program->name, kernel);
    return;
  }
  const struct headopt_gpu_kernel *source = &c->program->kernels[kernel];
  const struct kernel *k = &c->state->kernels[kernel];
  uint32_t limit = device.properties.limits.maxComputeWorkGroupCount[0];
  if (blocks > limit) {
    fail(&c->code, HEADOPT_GPU_DRIVER_ERROR,
         "%s: kernel %s wants %llu blocks, and %s runs at most %u; call the "
         "head with a smaller batch",
         c->program->name, source->name, (unsigned long long)blocks,
         device.properties.deviceName, limit);
    return;
  }
  VkDescriptorSet set =
      add_set(c->stream, k->set_layout, k->num_args, &c->code);
  VkDescriptorBufferInfo buffers[MAX_ARGUMENTS];
  VkWriteDescriptorSet writes[MAX_ARGUMENTS];
  for (uint32_t i = 0; i < k->num_args && c->code == 0; ++i) {
    buffers[i] = find_argument(c, source, i, args[i]);
    writes[i] = (VkWriteDescriptorSet){
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .dstSet = set,
        .dstBinding = i,
        .descriptorCount = 1,
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .pBufferInfo = &buffers[i]};
  }
  if (c->code != 0)
    return;
  device.UpdateDescriptorSets(device.handle, k->num_args, writes, 0, NULL);
  VkCommandBuffer commands = c->stream->commands;
  device.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, k->pipeline);
  device.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                               k->layout, 0, 1, &set, 0, NULL);
  device.CmdDispatch(commands, (uint32_t)blocks, 1, 1);
  add_barrier(c->stream);
}

HEADOPT_RUNTIME int32_t headopt_gpu_end(struct headopt_gpu_call *call) {
  struct call *c = get(call);
  if (c->owns_stream) {
    run(c->stream, &c->code);
    free_stream(c->stream);
    c->owns_stream = false;
  }
  c->stream = NULL;
  return c->code;
}

HEADOPT_RUNTIME void
headopt_gpu_stage(struct headopt_gpu_call *call,
                  const struct headopt_gpu_program *program, const void *input,
                  uint64_t input_bytes, uint64_t output_bytes) {
  struct call *c = get(call);
  memset(c, 0, sizeof *c);
  c->program = program;
  c->state = load(program, &c->code);
  c->stream = make_stream(&c->code);
  c->owns_stream = c->stream != NULL;
  if (c->code != 0)
    return;
  c->input = make_buffer(&c->stream->buffers, PLACE_DIRECT, of_input,
                         input_bytes, &c->code);
  c->output = make_buffer(&c->stream->buffers, PLACE_DIRECT, of_output,
                          output_bytes, &c->code);
  if (c->code == 0)
    write_buffer(c->stream, c->input, input, input_bytes, &c->code);
}

HEADOPT_RUNTIME uint64_t
headopt_gpu_staged_input(struct headopt_gpu_call *call) {
  struct call *c = get(call);
  return c->code == 0 ? c->input->address : 0;
}

HEADOPT_RUNTIME uint64_t
headopt_gpu_staged_output(struct headopt_gpu_call *call) {
  struct call *c = get(call);
  return c->code == 0 ? c->output->address : 0;
}

HEADOPT_RUNTIME void *headopt_gpu_staged_stream(struct headopt_gpu_call *call) {
  struct call *c = get(call);
  return c->code == 0 ? c->stream : NULL;
}

HEADOPT_RUNTIME int32_t headopt_gpu_unstage(struct headopt_gpu_call *call,
                                            void *output, uint64_t output_bytes,
                                            int32_t code) {
  struct call *c = get(call);
  if (code == 0 && c->code == 0) {
    struct buffer *from = c->output;
    if (output_bytes > from->bytes)
      fail(&c->code, HEADOPT_GPU_DRIVER_ERROR,
           "%s: more output is read than was staged", c->program->name);
    if (!from->host && output_bytes != 0) {
      from = make_buffer(&c->stream->buffers, PLACE_DOWNLOAD, of_copies,
                         output_bytes, &c->code);
      if (from)
        add_copy(c->stream, c->output, from, output_bytes);
    }
    run(c->stream, &c->code);
    if (c->code == 0 && output_bytes != 0)
      memcpy(output, from->host, output_bytes);
  }
  if (c->owns_stream)
    free_stream(c->stream);
  c->stream = NULL;
  c->owns_stream = false;
  return code != 0 ? code : c->code;
}
