//===- cuda.c - What is special about CUDA's driver -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "device.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL(NAME, OPTIONAL)                                                 \
  {#NAME, offsetof(struct cuda_functions, NAME), OPTIONAL}

/// Functions that HIP has not, or not so.
struct cuda_functions {
  int (*cuGetErrorName)(int status, const char **name);
  int (*cuGetErrorString)(int status, const char **text);
  int (*cuDeviceGet)(int *device, int ordinal);
  int (*cuDevicePrimaryCtxRetain)(void **context, int device);
  int (*cuCtxGetCurrent)(void **context);
  int (*cuCtxPushCurrent_v2)(void *context);
  int (*cuCtxPopCurrent_v2)(void **context);
  int (*cuCtxGetId)(void *context, unsigned long long *id);
  int (*cuStreamGetCtx)(void *stream, void **context);
  int (*cuModuleLoadDataEx)(void **module, const void *image,
                            unsigned num_options, int *options, void **values);
};

static struct cuda_functions cuda;

static const struct headopt_runtime_symbol own_symbols[] = {
    SYMBOL(cuGetErrorName, false),
    SYMBOL(cuGetErrorString, false),
    SYMBOL(cuDeviceGet, false),
    SYMBOL(cuDevicePrimaryCtxRetain, false),
    SYMBOL(cuCtxGetCurrent, false),
    SYMBOL(cuCtxPushCurrent_v2, false),
    SYMBOL(cuCtxPopCurrent_v2, false),
    // Since CUDA 12. Without it, a context that got the handle of one that was
    // destroyed is taken for that one.
    SYMBOL(cuCtxGetId, true),
    SYMBOL(cuStreamGetCtx, false),
    SYMBOL(cuModuleLoadDataEx, false),
};

static const struct headopt_runtime_symbol common_symbols[] = {
#define FUNCTION(SLOT, CUDA, HIP, OPTIONAL, ARGUMENTS)                         \
  {#CUDA, offsetof(struct headopt_device_functions, SLOT), OPTIONAL},
    HEADOPT_DEVICE_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static const char *const libraries[] = {"libcuda.so.1", NULL};

static void describe(int status, const char **name, const char **text) {
  cuda.cuGetErrorName(status, name);
  cuda.cuGetErrorString(status, text);
}

/// The first device's context, which CUDA's own runtime would take as well. It
/// stays, so that what is loaded into it does.
static bool get_primary(struct headopt_device_call *call, void **context) {
  static void *primary;
  headopt_runtime_lock();
  if (!primary) {
    int device = 0;
    int status = cuda.cuDeviceGet(&device, 0);
    if (!headopt_device_check(call, status, "cuDeviceGet", "")) {
      call->code = HEADOPT_GPU_NO_DEVICE;
    } else {
      void *retained = NULL;
      status = cuda.cuDevicePrimaryCtxRetain(&retained, device);
      if (headopt_device_check(call, status, "cuDevicePrimaryCtxRetain", ""))
        primary = retained;
    }
  }
  *context = primary;
  headopt_runtime_unlock();
  return primary != NULL;
}

/// CU_STREAM_LEGACY and CU_STREAM_PER_THREAD are small numbers; they, and the
/// default stream, belong to whatever context is current.
static bool has_context(void *stream) { return (uintptr_t)stream > 2; }

static bool enter(struct headopt_device_call *call) {
  if (!headopt_device_check(call, cuda.cuCtxGetCurrent(&call->context),
                            "cuCtxGetCurrent", ""))
    return false;
  if (!call->context) {
    if (has_context(call->stream)) {
      if (!headopt_device_check(
              call, cuda.cuStreamGetCtx(call->stream, &call->context),
              "cuStreamGetCtx", ""))
        return false;
    } else if (!get_primary(call, &call->context)) {
      return false;
    }
    if (!headopt_device_check(call, cuda.cuCtxPushCurrent_v2(call->context),
                              "cuCtxPushCurrent", ""))
      return false;
    call->entered = true;
  }
  unsigned long long id = 0;
  if (cuda.cuCtxGetId &&
      !headopt_device_check(call, cuda.cuCtxGetId(call->context, &id),
                            "cuCtxGetId", ""))
    return false;
  call->context_id = id;
  return true;
}

static void leave(struct headopt_device_call *call) {
  if (!call->entered)
    return;
  void *context;
  headopt_device_check(call, cuda.cuCtxPopCurrent_v2(&context),
                       "cuCtxPopCurrent", "");
  call->entered = false;
}

/// With what the compiler in the driver says, for PTX.
static bool load_binary(struct headopt_device_call *call, void **module) {
  enum { error_log_buffer = 5, error_log_buffer_size_bytes = 6 };
  const struct headopt_gpu_program *program = call->program;
  // PTX ends with a zero, whether or not the bytes do.
  char *image = malloc(program->binary_bytes + 1);
  if (!image)
    return headopt_device_fail(call, HEADOPT_GPU_OUT_OF_MEMORY,
                               "the host is out of memory");
  memcpy(image, program->binary, program->binary_bytes);
  image[program->binary_bytes] = '\0';
  char log[1024] = "";
  int options[] = {error_log_buffer, error_log_buffer_size_bytes};
  void *values[] = {log, (void *)(uintptr_t)(sizeof(log) - 1)};
  int status = cuda.cuModuleLoadDataEx(module, image, 2, options, values);
  free(image);
  char more[1152];
  snprintf(more, sizeof(more), "; the kernels are made for %.64s%s%s",
           program->chip, *log ? ": " : "", log);
  return headopt_device_check(call, status, "cuModuleLoadDataEx", more);
}

HEADOPT_RUNTIME const struct headopt_device_api headopt_device_api = {
    .name = "CUDA",
    .libraries = libraries,
    .names =
        {
#define FUNCTION(SLOT, CUDA, HIP, OPTIONAL, ARGUMENTS) .SLOT = #CUDA,
            HEADOPT_DEVICE_FUNCTIONS(FUNCTION)
#undef FUNCTION
        },
    .common_symbols = common_symbols,
    .num_common_symbols = sizeof(common_symbols) / sizeof(*common_symbols),
    .own_symbols = own_symbols,
    .num_own_symbols = sizeof(own_symbols) / sizeof(*own_symbols),
    .own_functions = &cuda,
    .max_threads = UINT64_MAX,
    .describe = describe,
    .enter = enter,
    .leave = leave,
    .load = load_binary,
};
