//===- Cuda.cpp - A stand-in for libcuda.so.1 -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of CUDA's driver API that launching kernels from a program takes.
// Declared here by hand: no toolkit is needed, and none is looked at.
//
//===----------------------------------------------------------------------===//

#include "Driver.h"
#include <algorithm>
#include <cstring>
#include <dlfcn.h>

using namespace headopt::emulator;

#define API extern "C" __attribute__((visibility("default"))) int

using DevicePointer = unsigned long long;

static Driver &get() { return Driver::get(DriverKind::CUDA); }

/// The contexts that this host thread has pushed.
static std::vector<Context *> &getContexts() {
  static thread_local std::vector<Context *> contexts;
  return contexts;
}

static Context *getCurrent() {
  std::vector<Context *> &contexts = getContexts();
  return contexts.empty() ? nullptr : contexts.back();
}

/// Whether something that needs a context can be done.
static int checkContext() {
  if (!get().isReady())
    return NotInitialized;
  Context *context = getCurrent();
  if (!context || !get().isContext(context) ||
      (context->primary && context->references == 0))
    return InvalidContext;
  return Success;
}

/// The status to leave a call with at once: as the user wants it to fail, or
/// because there is no driver or, where one is needed, no context.
static int getStatus(Driver::Call &call, int usual, bool inContext) {
  int status = Success;
  if (call.isToFail(status, usual))
    return status;
  if (inContext)
    return checkContext();
  return get().isReady() ? Success : NotInitialized;
}

/// The beginning of functions that only need the driver.
#define BEGIN(CALL, USUAL)                                                     \
  do {                                                                         \
    if (int status = getStatus(CALL, USUAL, false))                            \
      return (CALL).done(status);                                              \
  } while (false)

/// Likewise, of functions that need a context.
#define BEGIN_IN_CONTEXT(CALL, USUAL)                                          \
  do {                                                                         \
    if (int status = getStatus(CALL, USUAL, true))                             \
      return (CALL).done(status);                                              \
  } while (false)

//===----------------------------------------------------------------------===//
// The driver, devices, errors
//===----------------------------------------------------------------------===//

API cuInit(unsigned flags) {
  Driver::Call call(get(), "cuInit");
  int status = 0;
  if (call.isToFail(status, NoDevice))
    return call.done(status);
  return call.done(flags ? int(InvalidValue) : get().initialize());
}

API cuDriverGetVersion(int *version) {
  *version = 12040;
  return Success;
}

namespace {
struct ErrorText {
  int status;
  const char *name, *text;
};
} // namespace

static const ErrorText *findError(int status) {
  static const ErrorText texts[] = {
      {Success, "CUDA_SUCCESS", "no error"},
      {InvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
      {OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
      {NotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
      {NoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
      {InvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
      {InvalidImage, "CUDA_ERROR_INVALID_IMAGE",
       "device kernel image is invalid"},
      {InvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
      {InvalidKernelFile, "CUDA_ERROR_INVALID_PTX",
       "a PTX JIT compilation failed"},
      {InvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
      {NotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
      {NotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
      {LaunchOutOfResources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
       "too many resources requested for launch"},
      {NotSupported, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
      {Unknown, "CUDA_ERROR_UNKNOWN", "unknown error"}};
  for (const ErrorText &text : texts)
    if (text.status == status)
      return &text;
  return nullptr;
}

API cuGetErrorName(int status, const char **name) {
  const ErrorText *text = findError(status);
  *name = text ? text->name : nullptr;
  return text ? Success : InvalidValue;
}

API cuGetErrorString(int status, const char **string) {
  const ErrorText *text = findError(status);
  *string = text ? text->text : nullptr;
  return text ? Success : InvalidValue;
}

API cuDeviceGetCount(int *count) {
  Driver::Call call(get(), "cuDeviceGetCount");
  BEGIN(call, Unknown);
  *count = 1;
  return call.done(Success);
}

API cuDeviceGet(int *device, int ordinal) {
  Driver::Call call(get(), "cuDeviceGet");
  BEGIN(call, InvalidDevice);
  if (ordinal != 0)
    return call.done(InvalidDevice);
  *device = 0;
  return call.done(Success);
}

API cuDeviceGetName(char *name, int length, int device) {
  if (device != 0 || length <= 0)
    return InvalidValue;
  strncpy(name, "head-opt emulator", static_cast<size_t>(length - 1));
  name[length - 1] = '\0';
  return Success;
}

API cuDeviceTotalMem_v2(size_t *bytes, int device) {
  *bytes = size_t(1) << 36;
  return device == 0 ? Success : InvalidDevice;
}

API cuDeviceGetAttribute(int *value, int attribute, int device) {
  if (device != 0)
    return InvalidDevice;
  switch (attribute) {
  case 1: // MAX_THREADS_PER_BLOCK
  case 2: // MAX_BLOCK_DIM_X
  case 3: // MAX_BLOCK_DIM_Y
    *value = 1024;
    return Success;
  case 4: // MAX_BLOCK_DIM_Z
    *value = 64;
    return Success;
  case 5: // MAX_GRID_DIM_X
    *value = INT32_MAX;
    return Success;
  case 6: // MAX_GRID_DIM_Y
  case 7: // MAX_GRID_DIM_Z
    *value = 65535;
    return Success;
  case 8: // MAX_SHARED_MEMORY_PER_BLOCK
    *value = 48 * 1024;
    return Success;
  case 10: // WARP_SIZE
    *value = 32;
    return Success;
  case 16: // MULTIPROCESSOR_COUNT
    *value = 108;
    return Success;
  case 75: // COMPUTE_CAPABILITY_MAJOR
    *value = 9;
    return Success;
  case 76: // COMPUTE_CAPABILITY_MINOR
    *value = 0;
    return Success;
  case 115: // MEMORY_POOLS_SUPPORTED
    *value = 1;
    return Success;
  default:
    return InvalidValue;
  }
}

//===----------------------------------------------------------------------===//
// Contexts
//===----------------------------------------------------------------------===//

API cuDevicePrimaryCtxRetain(Context **context, int device) {
  Driver::Call call(get(), "cuDevicePrimaryCtxRetain");
  BEGIN(call, OutOfMemory);
  if (device != 0)
    return call.done(InvalidDevice);
  *context = get().getPrimary();
  ++(*context)->references;
  return call.done(Success);
}

API cuDevicePrimaryCtxRelease_v2(int device) {
  Driver::Call call(get(), "cuDevicePrimaryCtxRelease");
  BEGIN(call, Unknown);
  Context *context = get().getPrimary();
  if (device != 0 || context->references == 0)
    return call.done(InvalidContext);
  --context->references;
  return call.done(Success);
}

API cuDevicePrimaryCtxRelease(int device) {
  return cuDevicePrimaryCtxRelease_v2(device);
}

API cuCtxCreate_v2(Context **context, unsigned flags, int device) {
  Driver::Call call(get(), "cuCtxCreate");
  BEGIN(call, OutOfMemory);
  (void)flags;
  if (device != 0)
    return call.done(InvalidDevice);
  *context = get().createContext();
  getContexts().push_back(*context);
  return call.done(Success);
}

API cuCtxDestroy_v2(Context *context) {
  Driver::Call call(get(), "cuCtxDestroy");
  BEGIN(call, Unknown);
  if (!get().destroyContext(context))
    return call.done(InvalidContext);
  std::vector<Context *> &contexts = getContexts();
  if (!contexts.empty() && contexts.back() == context)
    contexts.pop_back();
  return call.done(Success);
}

API cuCtxGetCurrent(Context **context) {
  Driver::Call call(get(), "cuCtxGetCurrent");
  BEGIN(call, Unknown);
  *context = getCurrent();
  return call.done(Success);
}

API cuCtxSetCurrent(Context *context) {
  Driver::Call call(get(), "cuCtxSetCurrent");
  BEGIN(call, InvalidContext);
  std::vector<Context *> &contexts = getContexts();
  if (context && !get().isContext(context))
    return call.done(InvalidContext);
  if (!contexts.empty())
    contexts.pop_back();
  if (context)
    contexts.push_back(context);
  return call.done(Success);
}

API cuCtxPushCurrent_v2(Context *context) {
  Driver::Call call(get(), "cuCtxPushCurrent");
  BEGIN(call, InvalidContext);
  if (!context || !get().isContext(context))
    return call.done(InvalidContext);
  getContexts().push_back(context);
  return call.done(Success);
}

API cuCtxPopCurrent_v2(Context **context) {
  Driver::Call call(get(), "cuCtxPopCurrent");
  BEGIN(call, InvalidContext);
  std::vector<Context *> &contexts = getContexts();
  if (contexts.empty())
    return call.done(InvalidContext);
  if (context)
    *context = contexts.back();
  contexts.pop_back();
  return call.done(Success);
}

API cuCtxGetDevice(int *device) {
  Driver::Call call(get(), "cuCtxGetDevice");
  BEGIN_IN_CONTEXT(call, Unknown);
  *device = 0;
  return call.done(Success);
}

API cuCtxGetId(Context *context, unsigned long long *id) {
  Driver::Call call(get(), "cuCtxGetId");
  BEGIN(call, Unknown);
  if (!context)
    context = getCurrent();
  if (!get().isContext(context))
    return call.done(InvalidContext);
  *id = context->id;
  return call.done(Success);
}

API cuCtxSynchronize() {
  Driver::Call call(get(), "cuCtxSynchronize");
  BEGIN_IN_CONTEXT(call, Unknown);
  get().finishAll();
  return call.done(Success);
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

API cuModuleLoadDataEx(Module **module, const void *image, unsigned numOptions,
                       int *options, void **values) {
  Driver::Call call(get(), "cuModuleLoadDataEx");
  BEGIN_IN_CONTEXT(call, InvalidImage);
  std::string log;
  int status = get().loadModule(module, image, getCurrent(), log);
  constexpr int errorLogBuffer = 5, errorLogBufferBytes = 6;
  char *buffer = nullptr;
  size_t bytes = 0;
  for (unsigned i = 0; i < numOptions; ++i) {
    if (options[i] == errorLogBuffer)
      buffer = static_cast<char *>(values[i]);
    else if (options[i] == errorLogBufferBytes)
      bytes = static_cast<unsigned>(reinterpret_cast<uintptr_t>(values[i]));
  }
  if (buffer && bytes) {
    size_t length = std::min(log.size(), bytes - 1);
    memcpy(buffer, log.data(), length);
    buffer[length] = '\0';
  }
  if (!log.empty())
    call.add("log", log);
  return call.done(status);
}

API cuModuleLoadData(Module **module, const void *image) {
  return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr);
}

API cuModuleUnload(Module *module) {
  Driver::Call call(get(), "cuModuleUnload");
  BEGIN_IN_CONTEXT(call, Unknown);
  return call.done(get().unloadModule(module));
}

API cuModuleGetFunction(Function **function, Module *module, const char *name) {
  Driver::Call call(get(), "cuModuleGetFunction");
  call.add("name", name);
  BEGIN_IN_CONTEXT(call, NotFound);
  return call.done(get().getFunction(function, module, name));
}

API cuModuleGetGlobal_v2(DevicePointer *, size_t *, Module *,
                         const char *name) {
  Driver::Call call(get(), "cuModuleGetGlobal");
  call.add("name", name);
  return call.done(NotFound);
}

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

API cuStreamCreate(Stream **stream, unsigned flags) {
  Driver::Call call(get(), "cuStreamCreate");
  call.add("flags", flags);
  BEGIN_IN_CONTEXT(call, OutOfMemory);
  int status = get().createStream(stream, flags, getCurrent());
  return call.done(status, status ? "" : get().describe(**stream));
}

/// The stream behind a handle, or the end of the call.
#define GET_STREAM(CALL, STREAM, HANDLE)                                       \
  Stream *STREAM = get().getStream(HANDLE);                                    \
  if (!(STREAM))                                                               \
    return (CALL).done(InvalidHandle);                                         \
  (CALL).add("stream", get().describe(*(STREAM)))

API cuStreamDestroy_v2(Stream *handle) {
  Driver::Call call(get(), "cuStreamDestroy");
  BEGIN_IN_CONTEXT(call, Unknown);
  GET_STREAM(call, stream, handle);
  return call.done(get().destroyStream(stream));
}

API cuStreamSynchronize(void *handle) {
  Driver::Call call(get(), "cuStreamSynchronize");
  BEGIN_IN_CONTEXT(call, Unknown);
  GET_STREAM(call, stream, handle);
  get().finish(*stream);
  return call.done(Success);
}

API cuStreamQuery(void *handle) {
  Driver::Call call(get(), "cuStreamQuery");
  BEGIN_IN_CONTEXT(call, Unknown);
  GET_STREAM(call, stream, handle);
  // Whoever asks often enough gets there.
  if (get().isIdle(*stream))
    return call.done(Success);
  get().finish(*stream);
  return call.done(NotReady);
}

API cuStreamGetCtx(void *handle, Context **context) {
  Driver::Call call(get(), "cuStreamGetCtx");
  BEGIN(call, Unknown);
  GET_STREAM(call, stream, handle);
  *context = stream->context ? stream->context : getCurrent();
  return call.done(*context ? Success : InvalidContext);
}

API cuEventCreate(Event **event, unsigned flags) {
  Driver::Call call(get(), "cuEventCreate");
  call.add("flags", flags);
  BEGIN_IN_CONTEXT(call, OutOfMemory);
  return call.done(get().createEvent(event));
}

API cuEventDestroy_v2(Event *event) {
  Driver::Call call(get(), "cuEventDestroy");
  BEGIN_IN_CONTEXT(call, Unknown);
  return call.done(get().destroyEvent(event));
}

API cuEventRecord(void *handle, void *streamHandle) {
  Driver::Call call(get(), "cuEventRecord");
  BEGIN_IN_CONTEXT(call, Unknown);
  GET_STREAM(call, stream, streamHandle);
  Event *event = get().getEvent(handle);
  if (!event)
    return call.done(InvalidHandle);
  event->recorded = true;
  event->stream = stream;
  return call.done(Success);
}

API cuEventSynchronize(void *handle) {
  Driver::Call call(get(), "cuEventSynchronize");
  BEGIN_IN_CONTEXT(call, Unknown);
  Event *event = get().getEvent(handle);
  if (!event)
    return call.done(InvalidHandle);
  if (event->stream)
    get().finish(*event->stream);
  return call.done(Success);
}

API cuStreamWaitEvent(void *streamHandle, void *handle, unsigned flags) {
  Driver::Call call(get(), "cuStreamWaitEvent");
  (void)flags;
  BEGIN_IN_CONTEXT(call, Unknown);
  GET_STREAM(call, stream, streamHandle);
  Event *event = get().getEvent(handle);
  if (!event)
    return call.done(InvalidHandle);
  if (event->stream && event->stream != stream)
    get().finish(*event->stream);
  return call.done(Success);
}

API cuEventElapsedTime(float *milliseconds, void *, void *) {
  *milliseconds = 0;
  return Success;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

API cuMemAlloc_v2(DevicePointer *address, size_t bytes) {
  Driver::Call call(get(), "cuMemAlloc");
  call.add("bytes", bytes);
  BEGIN_IN_CONTEXT(call, OutOfMemory);
  uintptr_t result = 0;
  int status = address ? get().allocate(&result, bytes) : int(InvalidValue);
  if (status == Success)
    *address = result;
  return call.done(status, get().getMemory().describe(result));
}

API cuMemFree_v2(DevicePointer address) {
  Driver::Call call(get(), "cuMemFree");
  call.add("address", get().getMemory().describe(address));
  BEGIN_IN_CONTEXT(call, Unknown);
  get().finishAll();
  return call.done(address ? get().release(address) : int(Success));
}

API cuMemAllocAsync(DevicePointer *address, size_t bytes, void *handle) {
  Driver::Call call(get(), "cuMemAllocAsync");
  call.add("bytes", bytes);
  BEGIN_IN_CONTEXT(call, OutOfMemory);
  GET_STREAM(call, stream, handle);
  uintptr_t result = 0;
  int status = address ? get().allocate(&result, bytes) : int(InvalidValue);
  if (status == Success)
    *address = result;
  return call.done(status, get().getMemory().describe(result));
}

API cuMemFreeAsync(DevicePointer address, void *handle) {
  Driver::Call call(get(), "cuMemFreeAsync");
  call.add("address", get().getMemory().describe(address));
  BEGIN_IN_CONTEXT(call, Unknown);
  GET_STREAM(call, stream, handle);
  if (!get().getMemory().holds(address, 1))
    return call.done(InvalidValue);
  get().enqueue(*stream, [address] { get().release(address); });
  return call.done(Success);
}

API cuMemcpyHtoDAsync_v2(DevicePointer to, const void *from, size_t bytes,
                         void *handle) {
  Driver::Call call(get(), "cuMemcpyHtoDAsync");
  call.add("to", get().getMemory().describe(to)).add("bytes", bytes);
  BEGIN_IN_CONTEXT(call, Unknown);
  GET_STREAM(call, stream, handle);
  return call.done(get().copyIn(*stream, to, from, bytes));
}

API cuMemcpyDtoHAsync_v2(void *to, DevicePointer from, size_t bytes,
                         void *handle) {
  Driver::Call call(get(), "cuMemcpyDtoHAsync");
  call.add("from", get().getMemory().describe(from)).add("bytes", bytes);
  BEGIN_IN_CONTEXT(call, Unknown);
  GET_STREAM(call, stream, handle);
  return call.done(get().copyOut(*stream, to, from, bytes));
}

API cuMemcpyHtoD_v2(DevicePointer to, const void *from, size_t bytes) {
  Driver::Call call(get(), "cuMemcpyHtoD");
  call.add("to", get().getMemory().describe(to)).add("bytes", bytes);
  BEGIN_IN_CONTEXT(call, Unknown);
  Stream *stream = get().getStream(nullptr);
  int status = get().copyIn(*stream, to, from, bytes);
  get().finish(*stream);
  return call.done(status);
}

API cuMemcpyDtoH_v2(void *to, DevicePointer from, size_t bytes) {
  Driver::Call call(get(), "cuMemcpyDtoH");
  call.add("from", get().getMemory().describe(from)).add("bytes", bytes);
  BEGIN_IN_CONTEXT(call, Unknown);
  Stream *stream = get().getStream(nullptr);
  int status = get().copyOut(*stream, to, from, bytes);
  get().finish(*stream);
  return call.done(status);
}

API cuMemsetD8_v2(DevicePointer to, unsigned char value, size_t bytes) {
  Driver::Call call(get(), "cuMemsetD8");
  call.add("to", get().getMemory().describe(to)).add("bytes", bytes);
  BEGIN_IN_CONTEXT(call, Unknown);
  return call.done(get().fill(*get().getStream(nullptr), to, value, bytes));
}

API cuMemsetD8Async(DevicePointer to, unsigned char value, size_t bytes,
                    void *handle) {
  Driver::Call call(get(), "cuMemsetD8Async");
  call.add("to", get().getMemory().describe(to)).add("bytes", bytes);
  BEGIN_IN_CONTEXT(call, Unknown);
  GET_STREAM(call, stream, handle);
  return call.done(get().fill(*stream, to, value, bytes));
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

API cuLaunchKernel(Function *function, unsigned gridX, unsigned gridY,
                   unsigned gridZ, unsigned blockX, unsigned blockY,
                   unsigned blockZ, unsigned sharedBytes, void *handle,
                   void **params, void **extra) {
  Driver::Call call(get(), "cuLaunchKernel");
  BEGIN_IN_CONTEXT(call, Unknown);
  Stream *stream = get().getStream(handle);
  if (!stream)
    return call.done(InvalidHandle);
  int status =
      get().launch(function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ},
                   sharedBytes, *stream, params, extra, call);
  return call.done(status);
}

/// Programs may look functions up by their name without the version.
API cuGetProcAddress_v2(const char *name, void **function, int, uint64_t,
                        int *found) {
  Dl_info self;
  *function = nullptr;
  if (dladdr(reinterpret_cast<void *>(&cuInit), &self)) {
    void *library = dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    *function = dlsym(library, (std::string(name) + "_v2").c_str());
    if (!*function)
      *function = dlsym(library, name);
    dlclose(library);
  }
  if (found)
    *found = *function ? 0 : 1;
  return *function ? Success : NotFound;
}
