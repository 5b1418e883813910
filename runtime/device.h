//===- device.h - The runtime for CUDA and HIP, and its drivers --*- C -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The two drivers are the same but for names and contexts. device.c is the
// runtime; cuda.c and hip.c each define headopt_device_api, which says what is
// special. No toolkit's header is needed: handles are void *, device addresses
// uint64_t, and a status is an int that is 0 for success.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_RUNTIME_DEVICE_H
#define HEADOPT_RUNTIME_DEVICE_H

#include "common.h"
#include "headopt_gpu.h"

/// Functions that take the same arguments in both drivers:
/// FUNCTION(slot, name in CUDA, name in HIP, optional, arguments).
#define HEADOPT_DEVICE_FUNCTIONS(FUNCTION)                                     \
  FUNCTION(init, cuInit, hipInit, false, (unsigned flags))                     \
  FUNCTION(get_function, cuModuleGetFunction, hipModuleGetFunction, false,     \
           (void **function, void *module, const char *name))                  \
  FUNCTION(unload, cuModuleUnload, hipModuleUnload, false, (void *module))     \
  FUNCTION(allocate, cuMemAlloc_v2, hipMalloc, false,                          \
           (uint64_t *address, size_t bytes))                                  \
  FUNCTION(release, cuMemFree_v2, hipFree, false, (uint64_t address))          \
  FUNCTION(allocate_async, cuMemAllocAsync, hipMallocAsync, true,              \
           (uint64_t *address, size_t bytes, void *stream))                    \
  FUNCTION(release_async, cuMemFreeAsync, hipFreeAsync, true,                  \
           (uint64_t address, void *stream))                                   \
  FUNCTION(copy_in, cuMemcpyHtoDAsync_v2, hipMemcpyHtoDAsync, false,           \
           (uint64_t to, const void *from, size_t bytes, void *stream))        \
  FUNCTION(copy_out, cuMemcpyDtoHAsync_v2, hipMemcpyDtoHAsync, false,          \
           (void *to, uint64_t from, size_t bytes, void *stream))              \
  FUNCTION(create_stream, cuStreamCreate, hipStreamCreateWithFlags, false,     \
           (void **stream, unsigned flags))                                    \
  FUNCTION(destroy_stream, cuStreamDestroy_v2, hipStreamDestroy, false,        \
           (void *stream))                                                     \
  FUNCTION(synchronize, cuStreamSynchronize, hipStreamSynchronize, false,      \
           (void *stream))                                                     \
  FUNCTION(launch, cuLaunchKernel, hipModuleLaunchKernel, false,               \
           (void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, \
            unsigned block_x, unsigned block_y, unsigned block_z,              \
            unsigned shared_bytes, void *stream, void **params, void **extra))

struct headopt_device_functions {
#define FUNCTION(SLOT, CUDA, HIP, OPTIONAL, ARGUMENTS) int(*SLOT) ARGUMENTS;
  HEADOPT_DEVICE_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

/// The functions' names in one driver, for messages.
struct headopt_device_names {
#define FUNCTION(SLOT, CUDA, HIP, OPTIONAL, ARGUMENTS) const char *SLOT;
  HEADOPT_DEVICE_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

/// Statuses that are the same in both drivers.
enum {
  HEADOPT_DEVICE_OUT_OF_MEMORY = 2,
  HEADOPT_DEVICE_NO_DEVICE = 100,
  HEADOPT_DEVICE_NOT_SUPPORTED = 801,
};

/// A program as it is loaded in one context.
struct headopt_device_module;

/// What headopt_gpu_call holds. Both kinds of call use the first part.
struct headopt_device_call {
  int32_t code;
  /// `context` was made current for this call.
  bool entered;
  /// This device has no memory that is freed in the order of a stream.
  bool no_pool;
  const struct headopt_gpu_program *program;
  void *stream;
  /// Where modules live: a handle, and a number that no other context has.
  void *context;
  uint64_t context_id;

  const struct headopt_device_module *module;
  uint64_t scratch;

  uint64_t input, output;
};

/// What one driver does in its own way.
struct headopt_device_api {
  /// As in "there is no driver for NAME".
  const char *name;
  /// For headopt_runtime_open.
  const char *const *libraries;
  struct headopt_device_names names;
  /// The functions in headopt_device_functions, and those of the driver alone.
  const struct headopt_runtime_symbol *common_symbols;
  const struct headopt_runtime_symbol *own_symbols;
  size_t num_common_symbols, num_own_symbols;
  void *own_functions;
  /// Threads of one launch.
  uint64_t max_threads;

  /// What a status is called, and what it means.
  void (*describe)(int status, const char **name, const char **text);
  /// Finds the context of a call and makes it current where none is.
  bool (*enter)(struct headopt_device_call *call);
  /// Leaves the thread with the context that it had before.
  void (*leave)(struct headopt_device_call *call);
  /// Loads the program's binary into the current context.
  bool (*load)(struct headopt_device_call *call, void **module);
  /// Has the driver forget an error that the call did not fail for; or NULL.
  void (*forget)(void);
};

extern const struct headopt_device_api headopt_device_api;

/// Makes this the error of `call`, unless it has one. Gives false.
bool headopt_device_fail(struct headopt_device_call *call,
                         enum headopt_gpu_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/// Whether a driver's `status` is success; otherwise has `call` fail in
/// `function`, with `more` behind the driver's words.
bool headopt_device_check(struct headopt_device_call *call, int status,
                          const char *function, const char *more);

#endif // HEADOPT_RUNTIME_DEVICE_H
