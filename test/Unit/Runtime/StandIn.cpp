//===- StandIn.cpp - A driver that only keeps account ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StandIn.h"
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

StandIn standIn;

#ifdef HEADOPT_TEST_HIP
static thread_local int currentContext = 0;
#else
static thread_local int currentContext = -1;
#endif

static std::map<void *, std::string> functionNames;

unsigned StandIn::count(const std::string &function) {
  std::lock_guard<std::mutex> lock(mutex);
  unsigned result = 0;
  for (const std::string &call : calls)
    result += call == function;
  return result;
}

int StandIn::getContext() { return currentContext; }
void StandIn::setContext(int context) { currentContext = context; }

void StandIn::recreateContext(int context) {
  contextIds[context] += 100;
  modules.clear();
}

void StandIn::reset() {
  for (auto &[address, block] : memory)
    std::free(reinterpret_cast<void *>(address));
  present = pool = true;
  slow = false;
  missing.clear();
  failFunction.clear();
  failAt = failStatus = calledSince = 0;
  log.clear();
  kernels.clear();
  calls.clear();
  launches.clear();
  memory.clear();
  modules.clear();
  streams.clear();
  busy.clear();
  misuses.clear();
  image.clear();
  contextIds.clear();
  streamContexts.clear();
  functionNames.clear();
#ifdef HEADOPT_TEST_HIP
  currentContext = 0;
#else
  currentContext = -1;
#endif
}

namespace {
/// One call of the driver: notes it, and whether it is to fail.
struct Call {
  explicit Call(const char *name) : lock(standIn.mutex) {
    standIn.calls.emplace_back(name);
    if (standIn.failAt &&
        (standIn.failFunction.empty() || standIn.failFunction == name))
      if (++standIn.calledSince == standIn.failAt)
        status = standIn.failStatus;
  }
  void expect(bool holds, const char *what) {
    if (!holds)
      standIn.misuses.push_back(standIn.calls.back() + ": " + what);
  }
  void expectStream(void *stream) {
    expect(reinterpret_cast<uintptr_t>(stream) < 3 ||
               standIn.streams.count(stream) ||
               standIn.streamContexts.count(stream),
           "no such stream");
  }
  void expectContext() { expect(currentContext >= 0, "no current context"); }
  /// Whether `bytes` from `address` on are allocated.
  void expectMemory(uint64_t address, size_t bytes) {
    auto it = standIn.memory.upper_bound(address);
    bool found = it != standIn.memory.begin();
    if (found) {
      --it;
      found = address + bytes <= it->first + it->second.bytes;
    }
    expect(found, "not allocated");
  }
  std::lock_guard<std::mutex> lock;
  int status = 0;
};
} // namespace

/// What drivers may leave where a result was to be.
static constexpr uint64_t kGarbage = 0xbad00;

static int init(unsigned) { return Call("init").status; }

static int loadImage(void **module, const void *image, char *log,
                     size_t logBytes) {
  // Long enough for other threads to come while it lasts.
  if (standIn.slow)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  Call call("load");
  call.expectContext();
  if (call.status) {
    if (log)
      std::strncpy(log, standIn.log.c_str(), logBytes);
    return call.status;
  }
  standIn.image = static_cast<const char *>(image);
  static char handles[1024];
  static size_t next;
  *module = &handles[next++ % sizeof(handles)];
  standIn.modules.insert(*module);
  return 0;
}

static int getFunction(void **function, void *module, const char *name) {
  Call call("get_function");
  call.expect(standIn.modules.count(module), "no such module");
  if (call.status)
    return call.status;
  auto it = standIn.kernels.find(name);
  if (it == standIn.kernels.end())
    return 500;
  *function = const_cast<char *>(it->first.data());
  functionNames[*function] = name;
  return 0;
}

static int unload(void *module) {
  Call call("unload");
  call.expect(standIn.modules.erase(module), "no such module");
  return call.status;
}

static int allocateMemory(Call &call, uint64_t *address, size_t bytes,
                          bool pooled) {
  call.expectContext();
  call.expect(bytes != 0, "nothing asked for");
  *address = kGarbage;
  if (call.status)
    return call.status;
  // AddressSanitizer sees who goes beyond the bytes.
  void *memory = nullptr;
  if (posix_memalign(&memory, 256, bytes))
    return 2;
  std::memset(memory, 0xff, bytes);
  *address = reinterpret_cast<uint64_t>(memory);
  standIn.memory[*address] = {bytes, pooled};
  return 0;
}

static int allocate(uint64_t *address, size_t bytes) {
  Call call("allocate");
  return allocateMemory(call, address, bytes, false);
}

static int allocateAsync(uint64_t *address, size_t bytes, void *stream) {
  Call call("allocate_async");
  call.expectStream(stream);
  if (!standIn.pool && !call.status)
    call.status = 801;
  return allocateMemory(call, address, bytes, true);
}

/// Frees also when it is to fail: what drivers then report is mostly an earlier
/// error.
static void releaseMemory(Call &call, uint64_t address) {
  call.expectContext();
  call.expect(standIn.memory.erase(address), "not allocated");
  std::free(reinterpret_cast<void *>(address));
}

static int release(uint64_t address) {
  Call call("release");
  releaseMemory(call, address);
  return call.status;
}

static int releaseAsync(uint64_t address, void *stream) {
  Call call("release_async");
  call.expectStream(stream);
  call.expect(standIn.memory.count(address) && standIn.memory[address].pooled,
              "not of the pool");
  releaseMemory(call, address);
  return call.status;
}

static int copyIn(uint64_t to, const void *from, size_t bytes, void *stream) {
  Call call("copy_in");
  call.expectStream(stream);
  call.expectMemory(to, bytes);
  if (call.status)
    return call.status;
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  standIn.busy.insert(stream);
  return 0;
}

static int copyOut(void *to, uint64_t from, size_t bytes, void *stream) {
  Call call("copy_out");
  call.expectStream(stream);
  call.expectMemory(from, bytes);
  if (call.status)
    return call.status;
  std::memcpy(to, reinterpret_cast<void *>(from), bytes);
  standIn.busy.insert(stream);
  return 0;
}

static int createStream(void **stream, unsigned flags) {
  Call call("create_stream");
  call.expectContext();
  call.expect(flags == 1, "waits for other streams");
  *stream = reinterpret_cast<void *>(kGarbage);
  if (call.status)
    return call.status;
  *stream = std::malloc(16);
  standIn.streams.insert(*stream);
  return 0;
}

static int destroyStream(void *stream) {
  Call call("destroy_stream");
  call.expectStream(stream);
  call.expect(!standIn.busy.count(stream), "still at work");
  standIn.streams.erase(stream);
  std::free(stream);
  return call.status;
}

static int synchronize(void *stream) {
  Call call("synchronize");
  call.expectStream(stream);
  standIn.busy.erase(stream);
  return call.status;
}

static int launch(void *function, unsigned gridX, unsigned gridY,
                  unsigned gridZ, unsigned blockX, unsigned blockY,
                  unsigned blockZ, unsigned sharedBytes, void *stream,
                  void **params, void **extra) {
  Call call("launch");
  call.expectContext();
  call.expectStream(stream);
  call.expect(sharedBytes == 0 && !extra, "not as the kernels are");
  if (call.status)
    return call.status;
  const std::string &name = functionNames[function];
  StandIn::Launch noted{
      name, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, stream, {}};
  for (char letter : standIn.kernels[name]) {
    uint64_t value = 0;
    std::memcpy(&value, *params++, letter == 'p' || letter == 'i' ? 8 : 4);
    noted.args.push_back(value);
  }
  standIn.launches.push_back(noted);
  standIn.busy.insert(stream);
  return 0;
}

static const char *getErrorName(int status) {
  return status == 2 ? "ERROR_OUT_OF_MEMORY" : "ERROR_OTHER";
}

static const char *getErrorText(int status) {
  return status == 2 ? "out of memory" : "other trouble";
}

#ifdef HEADOPT_TEST_HIP

static int getLastError() { return Call("hipGetLastError").status; }

static int getDevice(int *device) {
  Call call("hipGetDevice");
  *device = currentContext;
  return call.status;
}

static int loadData(void **module, const void *image) {
  return loadImage(module, image, nullptr, 0);
}

#else

/// Handles are addresses of these.
static char contexts[8];

static int getName(int status, const char **name) {
  *name = getErrorName(status);
  return 0;
}

static int getText(int status, const char **text) {
  *text = getErrorText(status);
  return 0;
}

static int deviceGet(int *device, int ordinal) {
  Call call("cuDeviceGet");
  *device = ordinal;
  return call.status;
}

static int primaryRetain(void **context, int device) {
  Call call("cuDevicePrimaryCtxRetain");
  call.expect(device == 0, "not the first device");
  // The last one, so that no other is mistaken for it.
  *context = call.status ? nullptr : &contexts[7];
  return call.status;
}

static int getCurrent(void **context) {
  Call call("cuCtxGetCurrent");
  *context = currentContext < 0 ? nullptr : &contexts[currentContext];
  return call.status;
}

/// One context each thread is enough of a stack here.
static int pushCurrent(void *context) {
  Call call("cuCtxPushCurrent_v2");
  call.expect(currentContext < 0, "a context is current");
  if (!call.status)
    currentContext = static_cast<int>(static_cast<char *>(context) - contexts);
  return call.status;
}

static int popCurrent(void **context) {
  Call call("cuCtxPopCurrent_v2");
  call.expectContext();
  *context = nullptr;
  currentContext = -1;
  return call.status;
}

static int getId(void *context, unsigned long long *id) {
  Call call("cuCtxGetId");
  int index = static_cast<int>(static_cast<char *>(context) - contexts);
  *id = standIn.contextIds[index] + index;
  return call.status;
}

static int streamGetContext(void *stream, void **context) {
  Call call("cuStreamGetCtx");
  call.expectStream(stream);
  *context = &contexts[standIn.streamContexts[stream]];
  return call.status;
}

static int loadDataEx(void **module, const void *image, unsigned numOptions,
                      int *options, void **values) {
  char *log = nullptr;
  size_t bytes = 0;
  for (unsigned i = 0; i < numOptions; ++i) {
    if (options[i] == 5)
      log = static_cast<char *>(values[i]);
    if (options[i] == 6)
      bytes = reinterpret_cast<size_t>(values[i]);
  }
  return loadImage(module, image, log, bytes);
}

#endif

namespace {
struct Symbol {
  const char *cuda, *hip;
  /// As tests call it.
  const char *name;
  void *address;
};
} // namespace

template <typename T> static void *toAddress(T *function) {
  return reinterpret_cast<void *>(function);
}

static const Symbol symbols[] = {
    {"cuInit", "hipInit", "init", toAddress(init)},
    {"cuModuleGetFunction", "hipModuleGetFunction", "get_function",
     toAddress(getFunction)},
    {"cuModuleUnload", "hipModuleUnload", "unload", toAddress(unload)},
    {"cuMemAlloc_v2", "hipMalloc", "allocate", toAddress(allocate)},
    {"cuMemFree_v2", "hipFree", "release", toAddress(release)},
    {"cuMemAllocAsync", "hipMallocAsync", "allocate_async",
     toAddress(allocateAsync)},
    {"cuMemFreeAsync", "hipFreeAsync", "release_async",
     toAddress(releaseAsync)},
    {"cuMemcpyHtoDAsync_v2", "hipMemcpyHtoDAsync", "copy_in",
     toAddress(copyIn)},
    {"cuMemcpyDtoHAsync_v2", "hipMemcpyDtoHAsync", "copy_out",
     toAddress(copyOut)},
    {"cuStreamCreate", "hipStreamCreateWithFlags", "create_stream",
     toAddress(createStream)},
    {"cuStreamDestroy_v2", "hipStreamDestroy", "destroy_stream",
     toAddress(destroyStream)},
    {"cuStreamSynchronize", "hipStreamSynchronize", "synchronize",
     toAddress(synchronize)},
    {"cuLaunchKernel", "hipModuleLaunchKernel", "launch", toAddress(launch)},
#ifdef HEADOPT_TEST_HIP
    {"", "hipGetErrorName", "hipGetErrorName", toAddress(getErrorName)},
    {"", "hipGetErrorString", "hipGetErrorString", toAddress(getErrorText)},
    {"", "hipGetLastError", "hipGetLastError", toAddress(getLastError)},
    {"", "hipGetDevice", "hipGetDevice", toAddress(getDevice)},
    {"", "hipModuleLoadData", "load", toAddress(loadData)},
#else
    {"cuGetErrorName", "", "cuGetErrorName", toAddress(getName)},
    {"cuGetErrorString", "", "cuGetErrorString", toAddress(getText)},
    {"cuDeviceGet", "", "cuDeviceGet", toAddress(deviceGet)},
    {"cuDevicePrimaryCtxRetain", "", "cuDevicePrimaryCtxRetain",
     toAddress(primaryRetain)},
    {"cuCtxGetCurrent", "", "cuCtxGetCurrent", toAddress(getCurrent)},
    {"cuCtxPushCurrent_v2", "", "cuCtxPushCurrent_v2", toAddress(pushCurrent)},
    {"cuCtxPopCurrent_v2", "", "cuCtxPopCurrent_v2", toAddress(popCurrent)},
    {"cuCtxGetId", "", "cuCtxGetId", toAddress(getId)},
    {"cuStreamGetCtx", "", "cuStreamGetCtx", toAddress(streamGetContext)},
    {"cuModuleLoadDataEx", "", "load", toAddress(loadDataEx)},
#endif
};

// The runtime is compiled to call these for dlopen and dlsym.
extern "C" void *headopt_test_dlopen(const char *name, int);
extern "C" void *headopt_test_dlsym(void *library, const char *name);

void *headopt_test_dlopen(const char *name, int) {
#ifdef HEADOPT_TEST_HIP
  bool known = std::strcmp(name, "libamdhip64.so.6") == 0;
#else
  bool known = std::strcmp(name, "libcuda.so.1") == 0;
#endif
  return known && standIn.present ? &standIn : nullptr;
}

void *headopt_test_dlsym(void *library, const char *name) {
  if (library != &standIn || standIn.missing.count(name))
    return nullptr;
  for (const Symbol &symbol : symbols)
    if (std::strcmp(symbol.cuda, name) == 0 ||
        std::strcmp(symbol.hip, name) == 0)
      return symbol.address;
  return nullptr;
}
