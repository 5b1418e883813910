//===- hip.c - What is special about HIP ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "device.h"
#include <stdio.h>

#define SYMBOL(NAME) {#NAME, offsetof(struct hip_functions, NAME), false}

/// Functions that CUDA's driver has not, or not so.
struct hip_functions {
  const char *(*hipGetErrorName)(int status);
  const char *(*hipGetErrorString)(int status);
  int (*hipGetLastError)(void);
  int (*hipGetDevice)(int *device);
  int (*hipModuleLoadData)(void **module, const void *image);
};

static struct hip_functions hip;

static const struct headopt_runtime_symbol own_symbols[] = {
    SYMBOL(hipGetErrorName), SYMBOL(hipGetErrorString), SYMBOL(hipGetLastError),
    SYMBOL(hipGetDevice),    SYMBOL(hipModuleLoadData),
};

static const struct headopt_runtime_symbol common_symbols[] = {
#define FUNCTION(SLOT, CUDA, HIP, OPTIONAL, ARGUMENTS)                         \
  {#HIP, offsetof(struct headopt_device_functions, SLOT), OPTIONAL},
    HEADOPT_DEVICE_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static const char *const libraries[] = {"libamdhip64.so.7", "libamdhip64.so.6",
                                        "libamdhip64.so.5", NULL};

static void describe(int status, const char **name, const char **text) {
  *name = hip.hipGetErrorName(status);
  *text = hip.hipGetErrorString(status);
}

/// A thread always has a device, and a device one context.
static bool enter(struct headopt_device_call *call) {
  int device = 0;
  if (!headopt_device_check(call, hip.hipGetDevice(&device), "hipGetDevice",
                            ""))
    return false;
  call->context = (void *)((uintptr_t)device + 1);
  return true;
}

static void leave(struct headopt_device_call *call) { (void)call; }

static bool load_binary(struct headopt_device_call *call, void **module) {
  char more[128];
  snprintf(more, sizeof(more), "; the kernels are made for %.64s",
           call->program->chip);
  return headopt_device_check(
      call, hip.hipModuleLoadData(module, call->program->binary),
      "hipModuleLoadData", more);
}

/// The program would find it with hipGetLastError and take it for its own.
static void forget(void) { hip.hipGetLastError(); }

HEADOPT_RUNTIME const struct headopt_device_api headopt_device_api = {
    .name = "HIP",
    .libraries = libraries,
    .names =
        {
#define FUNCTION(SLOT, CUDA, HIP, OPTIONAL, ARGUMENTS) .SLOT = #HIP,
            HEADOPT_DEVICE_FUNCTIONS(FUNCTION)
#undef FUNCTION
        },
    .common_symbols = common_symbols,
    .num_common_symbols = sizeof(common_symbols) / sizeof(*common_symbols),
    .own_symbols = own_symbols,
    .num_own_symbols = sizeof(own_symbols) / sizeof(*own_symbols),
    .own_functions = &hip,
    // A launch counts threads in 32 bits.
    .max_threads = UINT32_MAX,
    .describe = describe,
    .enter = enter,
    .leave = leave,
    .load = load_binary,
    .forget = forget,
};
