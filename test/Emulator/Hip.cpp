//===- Hip.cpp - A stand-in for libamdhip64.so ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of HIP's runtime API that launching kernels from a program takes,
// declared by hand.
//
//===----------------------------------------------------------------------===//

#include "Driver.h"
#include <cstring>

using namespace headopt::emulator;

#define API extern "C" __attribute__((visibility("default"))) int

static Driver &get() { return Driver::get(DriverKind::HIP); }

/// What hipGetLastError gives.
static int &getLastError() {
  static thread_local int error;
  return error;
}

static int finish(Driver::Call &call, int status,
                  const std::string &result = "") {
  if (status)
    getLastError() = status;
  return call.done(status, result);
}

/// The beginning of every function: leaves it when the call is to fail.
#define BEGIN(CALL, USUAL)                                                     \
  do {                                                                         \
    int status = 0;                                                            \
    if ((CALL).isToFail(status, USUAL))                                        \
      return finish(CALL, status);                                             \
  } while (false)

/// The stream behind a handle, or the end of the call.
#define GET_STREAM(CALL, STREAM, HANDLE)                                       \
  Stream *STREAM = get().getStream(HANDLE);                                    \
  if (!(STREAM))                                                               \
    return finish(CALL, InvalidHandle);                                        \
  (CALL).add("stream", get().describe(*(STREAM)))

static uintptr_t toAddress(const void *pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

//===----------------------------------------------------------------------===//
// The runtime, devices, errors
//===----------------------------------------------------------------------===//

API hipInit(unsigned flags) {
  Driver::Call call(get(), "hipInit");
  BEGIN(call, NoDevice);
  return finish(call, flags ? int(InvalidValue) : get().initialize());
}

API hipDriverGetVersion(int *version) {
  *version = 60000000;
  return Success;
}

API hipRuntimeGetVersion(int *version) { return hipDriverGetVersion(version); }

namespace {
struct ErrorText {
  int status;
  const char *name, *text;
};
} // namespace

static const ErrorText &findError(int status) {
  static const ErrorText texts[] = {
      {Unknown, "hipErrorUnknown", "unknown error"},
      {Success, "hipSuccess", "no error"},
      {InvalidValue, "hipErrorInvalidValue", "invalid argument"},
      {OutOfMemory, "hipErrorOutOfMemory", "out of memory"},
      {NotInitialized, "hipErrorNotInitialized", "initialization error"},
      {NoDevice, "hipErrorNoDevice", "no ROCm-capable device is detected"},
      {InvalidDevice, "hipErrorInvalidDevice", "invalid device ordinal"},
      {InvalidImage, "hipErrorInvalidImage", "device kernel image is invalid"},
      {InvalidContext, "hipErrorInvalidContext", "invalid device context"},
      {InvalidKernelFile, "hipErrorInvalidKernelFile", "invalid kernel file"},
      {InvalidHandle, "hipErrorInvalidHandle", "invalid resource handle"},
      {NotFound, "hipErrorNotFound", "named symbol not found"},
      {NotReady, "hipErrorNotReady", "device not ready"},
      {LaunchOutOfResources, "hipErrorLaunchOutOfResources",
       "too many resources requested for launch"},
      {NotSupported, "hipErrorNotSupported", "operation not supported"}};
  for (const ErrorText &text : texts)
    if (text.status == status)
      return text;
  return texts[0];
}

extern "C" __attribute__((visibility("default"))) const char *
hipGetErrorName(int status) {
  return findError(status).name;
}

extern "C" __attribute__((visibility("default"))) const char *
hipGetErrorString(int status) {
  return findError(status).text;
}

API hipGetLastError() {
  int error = getLastError();
  getLastError() = Success;
  return error;
}

API hipPeekAtLastError() { return getLastError(); }

API hipGetDeviceCount(int *count) {
  Driver::Call call(get(), "hipGetDeviceCount");
  BEGIN(call, NoDevice);
  *count = 1;
  return finish(call, Success);
}

API hipGetDevice(int *device) {
  Driver::Call call(get(), "hipGetDevice");
  BEGIN(call, NoDevice);
  *device = 0;
  return finish(call, Success);
}

API hipSetDevice(int device) {
  Driver::Call call(get(), "hipSetDevice");
  BEGIN(call, NoDevice);
  return finish(call, device ? InvalidDevice : Success);
}

API hipDeviceGet(int *device, int ordinal) {
  Driver::Call call(get(), "hipDeviceGet");
  BEGIN(call, NoDevice);
  *device = ordinal;
  return finish(call, ordinal ? InvalidDevice : Success);
}

API hipDeviceGetName(char *name, int length, int device) {
  if (device != 0 || length <= 0)
    return InvalidValue;
  strncpy(name, "head-opt emulator", static_cast<size_t>(length - 1));
  name[length - 1] = '\0';
  return Success;
}

API hipDeviceSynchronize() {
  Driver::Call call(get(), "hipDeviceSynchronize");
  BEGIN(call, Unknown);
  get().finishAll();
  return finish(call, Success);
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

API hipModuleLoadData(Module **module, const void *image) {
  Driver::Call call(get(), "hipModuleLoadData");
  BEGIN(call, InvalidImage);
  std::string log;
  int status = get().loadModule(module, image, nullptr, log);
  if (!log.empty())
    call.add("log", log);
  return finish(call, status);
}

API hipModuleLoadDataEx(Module **module, const void *image, unsigned, int *,
                        void **) {
  return hipModuleLoadData(module, image);
}

API hipModuleUnload(Module *module) {
  Driver::Call call(get(), "hipModuleUnload");
  BEGIN(call, Unknown);
  return finish(call, get().unloadModule(module));
}

API hipModuleGetFunction(Function **function, Module *module,
                         const char *name) {
  Driver::Call call(get(), "hipModuleGetFunction");
  call.add("name", name);
  BEGIN(call, NotFound);
  return finish(call, get().getFunction(function, module, name));
}

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

API hipStreamCreateWithFlags(Stream **stream, unsigned flags) {
  Driver::Call call(get(), "hipStreamCreateWithFlags");
  call.add("flags", flags);
  BEGIN(call, OutOfMemory);
  int status = get().createStream(stream, flags, nullptr);
  return finish(call, status, status ? "" : get().describe(**stream));
}

API hipStreamCreate(Stream **stream) {
  return hipStreamCreateWithFlags(stream, 0);
}

API hipStreamDestroy(void *handle) {
  Driver::Call call(get(), "hipStreamDestroy");
  BEGIN(call, Unknown);
  GET_STREAM(call, stream, handle);
  return finish(call, get().destroyStream(stream));
}

API hipStreamSynchronize(void *handle) {
  Driver::Call call(get(), "hipStreamSynchronize");
  BEGIN(call, Unknown);
  GET_STREAM(call, stream, handle);
  get().finish(*stream);
  return finish(call, Success);
}

API hipEventCreateWithFlags(Event **event, unsigned flags) {
  Driver::Call call(get(), "hipEventCreateWithFlags");
  call.add("flags", flags);
  BEGIN(call, OutOfMemory);
  return finish(call, get().createEvent(event));
}

API hipEventCreate(Event **event) { return hipEventCreateWithFlags(event, 0); }

API hipEventDestroy(Event *event) {
  Driver::Call call(get(), "hipEventDestroy");
  BEGIN(call, Unknown);
  return finish(call, get().destroyEvent(event));
}

API hipEventRecord(void *handle, void *streamHandle) {
  Driver::Call call(get(), "hipEventRecord");
  BEGIN(call, Unknown);
  GET_STREAM(call, stream, streamHandle);
  Event *event = get().getEvent(handle);
  if (!event)
    return finish(call, InvalidHandle);
  event->recorded = true;
  event->stream = stream;
  return finish(call, Success);
}

API hipEventSynchronize(void *handle) {
  Driver::Call call(get(), "hipEventSynchronize");
  BEGIN(call, Unknown);
  Event *event = get().getEvent(handle);
  if (!event)
    return finish(call, InvalidHandle);
  if (event->stream)
    get().finish(*event->stream);
  return finish(call, Success);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

API hipMalloc(void **address, size_t bytes) {
  Driver::Call call(get(), "hipMalloc");
  call.add("bytes", bytes);
  BEGIN(call, OutOfMemory);
  if (!address)
    return finish(call, InvalidValue);
  *address = nullptr;
  if (bytes == 0)
    return finish(call, Success);
  uintptr_t result = 0;
  int status = get().allocate(&result, bytes);
  if (status == Success)
    *address = reinterpret_cast<void *>(result);
  return finish(call, status, get().getMemory().describe(result));
}

API hipFree(void *address) {
  Driver::Call call(get(), "hipFree");
  call.add("address", get().getMemory().describe(toAddress(address)));
  BEGIN(call, Unknown);
  get().finishAll();
  return finish(call,
                address ? get().release(toAddress(address)) : int(Success));
}

API hipMallocAsync(void **address, size_t bytes, void *handle) {
  Driver::Call call(get(), "hipMallocAsync");
  call.add("bytes", bytes);
  BEGIN(call, OutOfMemory);
  GET_STREAM(call, stream, handle);
  if (!address)
    return finish(call, InvalidValue);
  uintptr_t result = 0;
  int status = get().allocate(&result, bytes);
  if (status == Success)
    *address = reinterpret_cast<void *>(result);
  return finish(call, status, get().getMemory().describe(result));
}

API hipFreeAsync(void *address, void *handle) {
  Driver::Call call(get(), "hipFreeAsync");
  call.add("address", get().getMemory().describe(toAddress(address)));
  BEGIN(call, Unknown);
  GET_STREAM(call, stream, handle);
  if (!get().getMemory().holds(toAddress(address), 1))
    return finish(call, InvalidValue);
  get().enqueue(*stream, [address] { get().release(toAddress(address)); });
  return finish(call, Success);
}

API hipMemcpyHtoDAsync(void *to, const void *from, size_t bytes, void *handle) {
  Driver::Call call(get(), "hipMemcpyHtoDAsync");
  call.add("to", get().getMemory().describe(toAddress(to)));
  call.add("bytes", bytes);
  BEGIN(call, Unknown);
  GET_STREAM(call, stream, handle);
  return finish(call, get().copyIn(*stream, toAddress(to), from, bytes));
}

API hipMemcpyDtoHAsync(void *to, void *from, size_t bytes, void *handle) {
  Driver::Call call(get(), "hipMemcpyDtoHAsync");
  call.add("from", get().getMemory().describe(toAddress(from)));
  call.add("bytes", bytes);
  BEGIN(call, Unknown);
  GET_STREAM(call, stream, handle);
  return finish(call, get().copyOut(*stream, to, toAddress(from), bytes));
}

API hipMemcpyHtoD(void *to, const void *from, size_t bytes) {
  Driver::Call call(get(), "hipMemcpyHtoD");
  call.add("to", get().getMemory().describe(toAddress(to)));
  call.add("bytes", bytes);
  BEGIN(call, Unknown);
  Stream *stream = get().getStream(nullptr);
  int status = get().copyIn(*stream, toAddress(to), from, bytes);
  get().finish(*stream);
  return finish(call, status);
}

API hipMemcpyDtoH(void *to, void *from, size_t bytes) {
  Driver::Call call(get(), "hipMemcpyDtoH");
  call.add("from", get().getMemory().describe(toAddress(from)));
  call.add("bytes", bytes);
  BEGIN(call, Unknown);
  Stream *stream = get().getStream(nullptr);
  int status = get().copyOut(*stream, to, toAddress(from), bytes);
  get().finish(*stream);
  return finish(call, status);
}

API hipMemcpy(void *to, void *from, size_t bytes, int kind) {
  constexpr int hostToDevice = 1, deviceToHost = 2;
  if (kind == hostToDevice)
    return hipMemcpyHtoD(to, from, bytes);
  if (kind == deviceToHost)
    return hipMemcpyDtoH(to, from, bytes);
  return InvalidValue;
}

API hipMemsetAsync(void *to, int value, size_t bytes, void *handle) {
  Driver::Call call(get(), "hipMemsetAsync");
  call.add("to", get().getMemory().describe(toAddress(to)));
  call.add("bytes", bytes);
  BEGIN(call, Unknown);
  GET_STREAM(call, stream, handle);
  return finish(call, get().fill(*stream, toAddress(to),
                                 static_cast<unsigned char>(value), bytes));
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

API hipModuleLaunchKernel(Function *function, unsigned gridX, unsigned gridY,
                          unsigned gridZ, unsigned blockX, unsigned blockY,
                          unsigned blockZ, unsigned sharedBytes, void *handle,
                          void **params, void **extra) {
  Driver::Call call(get(), "hipModuleLaunchKernel");
  BEGIN(call, Unknown);
  Stream *stream = get().getStream(handle);
  if (!stream)
    return finish(call, InvalidHandle);
  int status =
      get().launch(function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ},
                   sharedBytes, *stream, params, extra, call);
  return finish(call, status);
}
