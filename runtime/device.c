//===- device.c - The runtime for CUDA and HIP ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "device.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct headopt_device_call device_call;
typedef struct headopt_device_module device_module;

_Static_assert(sizeof(device_call) <= sizeof(struct headopt_gpu_call),
               "a call does not fit into what its caller keeps for it");
_Static_assert(sizeof(void *) == sizeof(uint64_t),
               "a device address in HIP is a pointer");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the low half of an argument is not its first one");

static const struct headopt_device_api *const api = &headopt_device_api;
static const struct headopt_device_names *const names =
    &headopt_device_api.names;

/// Set once, under the lock, before anything else is done.
static struct headopt_device_functions driver;

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

HEADOPT_RUNTIME bool headopt_device_fail(device_call *call,
                                         enum headopt_gpu_code code,
                                         const char *format, ...) {
  if (call->code)
    return false;
  call->code = (int32_t)code;
  char text[1536];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  headopt_runtime_say("%s: %s", call->program->name, text);
  return false;
}

HEADOPT_RUNTIME bool headopt_device_check(device_call *call, int status,
                                          const char *function,
                                          const char *more) {
  if (status == 0)
    return true;
  enum headopt_gpu_code code = HEADOPT_GPU_DRIVER_ERROR;
  if (status == HEADOPT_DEVICE_OUT_OF_MEMORY)
    code = HEADOPT_GPU_OUT_OF_MEMORY;
  else if (status == HEADOPT_DEVICE_NO_DEVICE)
    code = HEADOPT_GPU_NO_DEVICE;
  const char *name = NULL, *text = NULL;
  api->describe(status, &name, &text);
  return headopt_device_fail(call, code, "%s: %s (%s, %d)%s", function,
                             text ? text : "unknown error",
                             name ? name : "no name", status, more);
}

//===----------------------------------------------------------------------===//
// The driver
//===----------------------------------------------------------------------===//

/// Has the functions of the driver, or `call` fail.
static bool find_driver(device_call *call) {
  static void *library;
  if (!library) {
    void *found = headopt_runtime_open(api->libraries);
    if (!found)
      return headopt_device_fail(
          call, HEADOPT_GPU_NO_DEVICE,
          "there is no driver for %s: %s cannot be loaded", api->name,
          api->libraries[0]);
    const char *missing = headopt_runtime_bind(
        found, api->common_symbols, api->num_common_symbols, &driver);
    if (!missing)
      missing = headopt_runtime_bind(found, api->own_symbols,
                                     api->num_own_symbols, api->own_functions);
    if (missing)
      return headopt_device_fail(call, HEADOPT_GPU_NO_DEVICE,
                                 "the driver for %s has no function '%s'; "
                                 "install a newer one",
                                 api->name, missing);
    library = found;
  }
  return true;
}

/// Has the driver ready, or `call` fail. Tries again the next time.
static bool start_driver(device_call *call) {
  static bool ready;
  headopt_runtime_lock();
  if (!ready && find_driver(call)) {
    ready = headopt_device_check(call, driver.init(0), names->init, "");
    // Whatever its reason is, no device can be used.
    if (!ready)
      call->code = HEADOPT_GPU_NO_DEVICE;
  }
  headopt_runtime_unlock();
  return call->code == 0;
}

//===----------------------------------------------------------------------===//
// Memory of a call
//===----------------------------------------------------------------------===//

/// Memory for as long as the call takes. Gives 0 when `call` has failed, and
/// only then.
static uint64_t allocate(device_call *call, uint64_t bytes) {
  if (call->code)
    return 0;
  // Not all drivers allocate nothing.
  if (bytes == 0)
    bytes = 1;
  int status = HEADOPT_DEVICE_NOT_SUPPORTED;
  const char *function = names->allocate_async;
  uint64_t address = 0;
  if (driver.allocate_async && driver.release_async && !call->no_pool)
    status = driver.allocate_async(&address, bytes, call->stream);
  if (status == HEADOPT_DEVICE_NOT_SUPPORTED) {
    if (!call->no_pool && api->forget)
      api->forget();
    call->no_pool = true;
    function = names->allocate;
    status = driver.allocate(&address, bytes);
  }
  if (status == 0)
    return address;
  char more[48];
  snprintf(more, sizeof(more), " for %" PRIu64 " bytes", bytes);
  headopt_device_check(call, status, function, more);
  return 0;
}

/// Frees what `allocate` gave, when the stream has come so far.
static void release(device_call *call, uint64_t *address) {
  if (!*address)
    return;
  if (call->no_pool) {
    headopt_device_check(call, driver.synchronize(call->stream),
                         names->synchronize, "");
    headopt_device_check(call, driver.release(*address), names->release, "");
  } else {
    headopt_device_check(call, driver.release_async(*address, call->stream),
                         names->release_async, "");
  }
  *address = 0;
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

struct headopt_device_module {
  device_module *next;
  /// As in the call.
  void *context;
  uint64_t context_id;
  void *module;
  /// One allocation for all constants, or 0.
  uint64_t constants;
  void *functions[];
};

static uint64_t align(uint64_t bytes) { return (bytes + 255) & ~UINT64_C(255); }

/// Where constant `index` starts in the allocation for all of them; the size of
/// that allocation, where `index` is their number.
static uint64_t get_offset(const struct headopt_gpu_program *program,
                           uint32_t index) {
  uint64_t offset = 0;
  for (uint32_t i = 0; i < index; ++i)
    offset += align(program->constants[i].bytes);
  return offset;
}

static bool find_functions(device_call *call, device_module *loaded) {
  const struct headopt_gpu_program *program = call->program;
  for (uint32_t i = 0; i < program->num_kernels; ++i)
    if (!headopt_device_check(call,
                              driver.get_function(&loaded->functions[i],
                                                  loaded->module,
                                                  program->kernels[i].name),
                              names->get_function, ""))
      return false;
  return true;
}

/// They are there for every stream when this returns.
static bool copy_constants(device_call *call, device_module *loaded) {
  const struct headopt_gpu_program *program = call->program;
  uint64_t bytes = get_offset(program, program->num_constants);
  if (!bytes)
    return true;
  char more[48];
  snprintf(more, sizeof(more), " for %" PRIu64 " bytes of constants", bytes);
  if (!headopt_device_check(call, driver.allocate(&loaded->constants, bytes),
                            names->allocate, more)) {
    loaded->constants = 0;
    return false;
  }
  for (uint32_t i = 0; i < program->num_constants; ++i) {
    const struct headopt_gpu_constant *constant = &program->constants[i];
    if (constant->bytes &&
        !headopt_device_check(
            call,
            driver.copy_in(loaded->constants + get_offset(program, i),
                           constant->data, constant->bytes, call->stream),
            names->copy_in, ""))
      return false;
  }
  return headopt_device_check(call, driver.synchronize(call->stream),
                              names->synchronize, "");
}

/// Loads the program into the call's context, all of it or nothing.
static device_module *load_program(device_call *call) {
  device_module *loaded = calloc(
      1, sizeof(device_module) + call->program->num_kernels * sizeof(void *));
  if (!loaded) {
    headopt_device_fail(call, HEADOPT_GPU_OUT_OF_MEMORY,
                        "the host is out of memory");
    return NULL;
  }
  loaded->context = call->context;
  loaded->context_id = call->context_id;
  if (api->load(call, &loaded->module)) {
    if (find_functions(call, loaded) && copy_constants(call, loaded))
      return loaded;
    if (loaded->constants)
      driver.release(loaded->constants);
    driver.unload(loaded->module);
  }
  free(loaded);
  return NULL;
}

/// Finds the program in the call's context, where it is loaded once.
static void find_module(device_call *call) {
  headopt_runtime_lock();
  device_module **slot = (device_module **)call->program->state;
  while (*slot && (*slot)->context != call->context)
    slot = &(*slot)->next;
  if (*slot && (*slot)->context_id != call->context_id) {
    // The handle of a context that is no more, and what was in it neither.
    device_module *gone = *slot;
    *slot = gone->next;
    free(gone);
    // Only one can have the handle, so the list's end is as good a place.
    while (*slot)
      slot = &(*slot)->next;
  }
  if (!*slot)
    *slot = load_program(call);
  call->module = *slot;
  headopt_runtime_unlock();
}

//===----------------------------------------------------------------------===//
// Calls on device memory
//===----------------------------------------------------------------------===//

static device_call *get(struct headopt_gpu_call *call) {
  return (device_call *)call;
}

/// What both kinds of call start with.
static device_call *start(struct headopt_gpu_call *opaque,
                          const struct headopt_gpu_program *program,
                          void *stream) {
  device_call *call = get(opaque);
  memset(call, 0, sizeof(*call));
  call->program = program;
  call->stream = stream;
  if (program->version != HEADOPT_GPU_VERSION)
    headopt_device_fail(call, HEADOPT_GPU_BAD_ARGUMENT,
                        "the head and its runtime for %s are of different "
                        "versions of head-opt",
                        api->name);
  else if (start_driver(call))
    api->enter(call);
  return call;
}

HEADOPT_RUNTIME void
headopt_gpu_begin(struct headopt_gpu_call *opaque,
                  const struct headopt_gpu_program *program, void *stream,
                  uint64_t scratch_bytes) {
  device_call *call = start(opaque, program, stream);
  if (!call->code)
    find_module(call);
  if (scratch_bytes)
    call->scratch = allocate(call, scratch_bytes);
}

HEADOPT_RUNTIME uint64_t headopt_gpu_scratch(struct headopt_gpu_call *opaque) {
  return get(opaque)->scratch;
}

HEADOPT_RUNTIME uint64_t headopt_gpu_constant(struct headopt_gpu_call *opaque,
                                              uint32_t index) {
  const device_call *call = get(opaque);
  if (call->code || index >= call->program->num_constants)
    return 0;
  return call->module->constants + get_offset(call->program, index);
}

HEADOPT_RUNTIME void headopt_gpu_launch(struct headopt_gpu_call *opaque,
                                        uint32_t kernel, uint64_t blocks,
                                        const uint64_t *args) {
  device_call *call = get(opaque);
  if (call->code || blocks == 0)
    return;
  const struct headopt_gpu_program *program = call->program;
  // The driver reads as many bytes of each as the kernel's parameter has, and
  // the low half comes first.
  void *params[128];
  const size_t max_params = sizeof(params) / sizeof(*params);
  size_t count = kernel < program->num_kernels
                     ? strlen(program->kernels[kernel].args)
                     : max_params + 1;
  if (count > max_params) {
    headopt_device_fail(call, HEADOPT_GPU_BAD_ARGUMENT,
                        "there is no kernel %" PRIu32 " of up to %zu arguments",
                        kernel, max_params);
    return;
  }
  for (size_t i = 0; i < count; ++i)
    params[i] = (void *)(uintptr_t)&args[i];

  const struct headopt_gpu_kernel *info = &program->kernels[kernel];
  if (blocks > INT32_MAX || blocks * info->threads > api->max_threads) {
    headopt_device_fail(call, HEADOPT_GPU_BAD_ARGUMENT,
                        "kernel '%s' would take %" PRIu64 " blocks of %" PRIu32
                        " threads, more than a launch may have; use a smaller "
                        "batch",
                        info->name, blocks, info->threads);
    return;
  }
  char more[96];
  int status = driver.launch(call->module->functions[kernel], (unsigned)blocks,
                             1, 1, info->threads, 1, 1, /*shared_bytes=*/0,
                             call->stream, params, /*extra=*/NULL);
  snprintf(more, sizeof(more), " in kernel '%.64s'", info->name);
  headopt_device_check(call, status, names->launch, more);
}

HEADOPT_RUNTIME int32_t headopt_gpu_end(struct headopt_gpu_call *opaque) {
  device_call *call = get(opaque);
  release(call, &call->scratch);
  api->leave(call);
  return call->code;
}

//===----------------------------------------------------------------------===//
// Calls on host memory
//===----------------------------------------------------------------------===//

HEADOPT_RUNTIME void
headopt_gpu_stage(struct headopt_gpu_call *opaque,
                  const struct headopt_gpu_program *program, const void *input,
                  uint64_t input_bytes, uint64_t output_bytes) {
  device_call *call = start(opaque, program, NULL);
  if (call->code)
    return;
  // One that waits for no other.
  const unsigned non_blocking = 1;
  if (!headopt_device_check(call,
                            driver.create_stream(&call->stream, non_blocking),
                            names->create_stream, "")) {
    call->stream = NULL;
    return;
  }
  call->input = allocate(call, input_bytes);
  call->output = allocate(call, output_bytes);
  if (!call->code && input_bytes)
    headopt_device_check(
        call, driver.copy_in(call->input, input, input_bytes, call->stream),
        names->copy_in, "");
}

HEADOPT_RUNTIME uint64_t
headopt_gpu_staged_input(struct headopt_gpu_call *opaque) {
  return get(opaque)->code ? 0 : get(opaque)->input;
}

HEADOPT_RUNTIME uint64_t
headopt_gpu_staged_output(struct headopt_gpu_call *opaque) {
  return get(opaque)->code ? 0 : get(opaque)->output;
}

HEADOPT_RUNTIME void *
headopt_gpu_staged_stream(struct headopt_gpu_call *opaque) {
  return get(opaque)->stream;
}

HEADOPT_RUNTIME int32_t headopt_gpu_unstage(struct headopt_gpu_call *opaque,
                                            void *output, uint64_t output_bytes,
                                            int32_t code) {
  device_call *call = get(opaque);
  // The head's own error has its text already.
  if (!call->code)
    call->code = code;
  if (!call->code && output_bytes)
    headopt_device_check(
        call, driver.copy_out(output, call->output, output_bytes, call->stream),
        names->copy_out, "");
  // Also after an error: the device may still read the caller's input.
  if (call->stream)
    headopt_device_check(call, driver.synchronize(call->stream),
                         names->synchronize, "");
  release(call, &call->output);
  release(call, &call->input);
  if (call->stream)
    headopt_device_check(call, driver.destroy_stream(call->stream),
                         names->destroy_stream, "");
  call->stream = NULL;
  api->leave(call);
  return call->code;
}
