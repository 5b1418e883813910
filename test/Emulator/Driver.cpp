//===- Driver.cpp - What the stand-in drivers have in common --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"
#include "EntryPoints.h"
#include "Image.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

using namespace headopt::emulator;

//===----------------------------------------------------------------------===//
// The driver and its environment
//===----------------------------------------------------------------------===//

static std::string getVariable(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

/// `HEADOPT_EMULATOR_SEED`, which is also which end of its mapping an
/// allocation is put at.
static unsigned getSeed() {
  return static_cast<unsigned>(
      strtoul(getVariable("HEADOPT_EMULATOR_SEED").c_str(), nullptr, 10));
}

static Memory::Placement getPlacement() {
  std::string value = getVariable("HEADOPT_EMULATOR_GUARD");
  if (value.empty())
    return getSeed() % 2 ? Memory::Placement::Start : Memory::Placement::End;
  return value == "start" ? Memory::Placement::Start : Memory::Placement::End;
}

Driver &Driver::get(DriverKind kind) {
  // Never destroyed: programs call drivers from their own destructors.
  static Driver *driver = [&] {
    auto *made = new Driver(kind);
    atexit([] { Driver::get(DriverKind::CUDA).reportLeaks(); });
    return made;
  }();
  return *driver;
}

Driver::Driver(DriverKind kind)
    : kind(kind), memory(getPlacement()), execution(memory, getSeed()),
      logFile(getVariable("HEADOPT_EMULATOR_LOG")) {
  primary.primary = true;
  primary.id = ++contexts;
  warpOverride = static_cast<unsigned>(
      strtoul(getVariable("HEADOPT_EMULATOR_WARP").c_str(), nullptr, 10));
  // function:number[=status][,...]
  std::string fail = getVariable("HEADOPT_EMULATOR_FAIL");
  while (!fail.empty()) {
    size_t comma = std::min(fail.find(','), fail.size());
    std::string item = fail.substr(0, comma);
    fail.erase(0, comma + 1);
    size_t colon = item.find(':'), equals = item.find('=');
    Failure failure = {1, -1};
    if (colon != std::string::npos)
      failure.number =
          static_cast<unsigned>(strtoul(item.c_str() + colon + 1, nullptr, 10));
    if (equals != std::string::npos)
      failure.status =
          static_cast<int>(strtol(item.c_str() + equals + 1, nullptr, 10));
    std::string name = item.substr(0, std::min(colon, equals));
    // As the log has it, without the version.
    constexpr size_t suffix = 3;
    if (name.size() > suffix && name.substr(name.size() - suffix) == "_v2")
      name.erase(name.size() - suffix);
    failures.emplace(name, failure);
  }
}

void Driver::write(const std::string &line) {
  if (logFile.empty())
    return;
  int file =
      open(logFile.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0)
    return;
  std::string text = line + "\n";
  if (::write(file, text.data(), text.size()) < 0)
    perror("emulator: cannot write the log");
  close(file);
}

void Driver::reportLeaks() {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  for (const std::unique_ptr<Region> &region : memory.getRegions())
    if (region->number)
      write("leak: buffer" + std::to_string(region->number) + " of " +
            std::to_string(region->size()) + " bytes");
  for (const std::unique_ptr<Stream> &stream : streams)
    write("leak: " + describe(*stream));
  for (const std::unique_ptr<Event> &event : events)
    write("leak: event" + std::to_string(event->number));
  size_t undone = defaultStream.work.size();
  for (const std::unique_ptr<Stream> &stream : streams)
    undone += stream->work.size();
  if (undone)
    write("undone: " + std::to_string(undone) +
          " operations that nobody waited for");
}

Driver::Call::Call(Driver &driver, const char *name)
    : driver(driver), lock(driver.mutex), name(name), line(name) {
  ++driver.callCounts[name];
}

Driver::Call &Driver::Call::add(const char *key, const std::string &value) {
  line += std::string(" ") + key + "=" + value;
  return *this;
}

bool Driver::Call::isToFail(int &status, int usual) {
  auto range = driver.failures.equal_range(name);
  for (auto it = range.first; it != range.second; ++it) {
    const Failure &failure = it->second;
    if (failure.number && failure.number != driver.callCounts[name])
      continue;
    status = failure.status < 0 ? usual : failure.status;
    return true;
  }
  return false;
}

int Driver::Call::done(int status, const std::string &result) {
  std::string text = line + " -> " + std::to_string(status);
  if (status == Success && !result.empty())
    text += " " + result;
  driver.write(text);
  return status;
}

int Driver::initialize() {
  ready = true;
  return Success;
}

//===----------------------------------------------------------------------===//
// Contexts, streams, events
//===----------------------------------------------------------------------===//

Context *Driver::createContext() {
  otherContexts.push_back(std::make_unique<Context>());
  otherContexts.back()->id = ++contexts;
  return otherContexts.back().get();
}

template <typename T>
static auto findOwned(std::vector<std::unique_ptr<T>> &items,
                      const void *item) {
  return std::find_if(
      items.begin(), items.end(),
      [&](const std::unique_ptr<T> &own) { return own.get() == item; });
}

bool Driver::destroyContext(Context *context) {
  auto place = findOwned(otherContexts, context);
  if (place == otherContexts.end())
    return false;
  finishAll();
  for (auto it = functions.begin(); it != functions.end();)
    it = it->first.first->context == context ? functions.erase(it)
                                             : std::next(it);
  auto inContext = [&](const auto &item) { return item->context == context; };
  modules.erase(std::remove_if(modules.begin(), modules.end(), inContext),
                modules.end());
  streams.erase(std::remove_if(streams.begin(), streams.end(), inContext),
                streams.end());
  otherContexts.erase(place);
  return true;
}

bool Driver::isContext(const Context *context) const {
  if (context == &primary)
    return true;
  for (const std::unique_ptr<Context> &other : otherContexts)
    if (other.get() == context)
      return true;
  return false;
}

int Driver::createStream(Stream **stream, unsigned flags, Context *context) {
  if (!stream || flags > 1)
    return InvalidValue;
  streams.push_back(std::make_unique<Stream>());
  *stream = streams.back().get();
  (*stream)->number = ++streamCount;
  (*stream)->flags = flags;
  (*stream)->context = context;
  return Success;
}

int Driver::destroyStream(Stream *stream) {
  auto place = findOwned(streams, stream);
  if (place == streams.end())
    return InvalidHandle;
  finish(*stream);
  for (const std::unique_ptr<Event> &event : events)
    if (event->stream == stream)
      event->stream = nullptr;
  streams.erase(place);
  return Success;
}

Stream *Driver::getStream(void *handle) {
  if (reinterpret_cast<uintptr_t>(handle) <= 2)
    return &defaultStream;
  auto place = findOwned(streams, handle);
  return place == streams.end() ? nullptr : place->get();
}

std::string Driver::describe(const Stream &stream) const {
  return &stream == &defaultStream ? "default"
                                   : "stream" + std::to_string(stream.number);
}

void Driver::enqueue(Stream &stream, std::function<void()> work) {
  // The default stream and those that are not created to be apart from it wait
  // for each other.
  if (&stream == &defaultStream) {
    for (const std::unique_ptr<Stream> &other : streams)
      if (other->flags == 0)
        finish(*other);
  } else if (stream.flags == 0) {
    finish(defaultStream);
  }
  stream.work.push_back(std::move(work));
}

void Driver::finish(Stream &stream) {
  while (!stream.work.empty()) {
    std::function<void()> next = std::move(stream.work.front());
    stream.work.pop_front();
    next();
  }
}

void Driver::finishAll() {
  finish(defaultStream);
  for (const std::unique_ptr<Stream> &stream : streams)
    finish(*stream);
}

int Driver::createEvent(Event **event) {
  if (!event)
    return InvalidValue;
  events.push_back(std::make_unique<Event>());
  events.back()->number = ++eventCount;
  *event = events.back().get();
  return Success;
}

int Driver::destroyEvent(Event *event) {
  auto place = findOwned(events, event);
  if (place == events.end())
    return InvalidHandle;
  events.erase(place);
  return Success;
}

Event *Driver::getEvent(void *handle) {
  auto place = findOwned(events, handle);
  return place == events.end() ? nullptr : place->get();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

int Driver::allocate(uintptr_t *address, size_t bytes) {
  if (!address || bytes == 0)
    return InvalidValue;
  *address = memory.allocate(bytes);
  return *address ? Success : OutOfMemory;
}

int Driver::release(uintptr_t address) {
  return memory.release(address) ? Success : InvalidValue;
}

int Driver::copyIn(Stream &stream, uintptr_t to, const void *from,
                   size_t bytes) {
  if (bytes == 0)
    return Success;
  if (!from || !memory.holds(to, bytes) ||
      memory.find(reinterpret_cast<uintptr_t>(from)))
    return InvalidValue;
  // Memory that the driver does not know is copied before the call returns.
  std::vector<char> staged(bytes);
  memcpy(staged.data(), from, bytes);
  enqueue(stream, [this, to, staged = std::move(staged)] {
    Memory::Access access(memory);
    if (memory.holds(to, staged.size()))
      memcpy(reinterpret_cast<void *>(to), staged.data(), staged.size());
  });
  return Success;
}

int Driver::copyOut(Stream &stream, void *to, uintptr_t from, size_t bytes) {
  if (bytes == 0)
    return Success;
  if (!to || !memory.holds(from, bytes) ||
      memory.find(reinterpret_cast<uintptr_t>(to)))
    return InvalidValue;
  enqueue(stream, [this, to, from, bytes] {
    Memory::Access access(memory);
    if (memory.holds(from, bytes))
      memcpy(to, reinterpret_cast<const void *>(from), bytes);
  });
  return Success;
}

int Driver::fill(Stream &stream, uintptr_t to, unsigned char value,
                 size_t bytes) {
  if (bytes == 0)
    return Success;
  if (!memory.holds(to, bytes))
    return InvalidValue;
  enqueue(stream, [this, to, value, bytes] {
    Memory::Access access(memory);
    if (memory.holds(to, bytes))
      memset(reinterpret_cast<void *>(to), value, bytes);
  });
  return Success;
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

/// The kernel libraries that HEADOPT_EMULATOR_KERNELS names, separated by
/// colons.
int Driver::loadLibraries(std::string &log) {
  if (librariesLoaded)
    return Success;
  std::string names = getVariable("HEADOPT_EMULATOR_KERNELS");
  if (names.empty()) {
    log = "HEADOPT_EMULATOR_KERNELS names no kernels";
    return InvalidImage;
  }
  while (!names.empty()) {
    size_t colon = std::min(names.find(':'), names.size());
    std::string name = names.substr(0, colon);
    names.erase(0, colon + 1);
    void *handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    auto *library =
        handle
            ? static_cast<const KernelLibrary *>(dlsym(handle, kernelsSymbol))
            : nullptr;
    auto *entries =
        handle ? static_cast<EntryPoints *>(dlsym(handle, entryPointsSymbol))
               : nullptr;
    if (!library || !entries || library->version != kernelsVersion) {
      log = name + " is not a library of this version's retarget.py";
      return InvalidImage;
    }
    *entries = getEntryPoints();
    for (uint32_t i = 0; i < library->numRegions; ++i)
      memory.addVariable(library->regions[i]);
    libraries.push_back(library);
  }
  librariesLoaded = true;
  return Success;
}

int Driver::loadModule(Module **module, const void *image, Context *context,
                       std::string &log) {
  if (!module || !image)
    return InvalidValue;
  if (int status = loadLibraries(log))
    return status;
  Image parsed = Image::parse(image);
  bool fits = kind == DriverKind::HIP
                  ? parsed.format == Image::Format::AMDGPU
                  : parsed.format == Image::Format::PTX ||
                        parsed.format == Image::Format::CUDA;
  if (!fits) {
    log = kind == DriverKind::HIP ? "the image is no code object for AMDGPU"
                                  : "the image is neither PTX nor a cubin";
    return kind == DriverKind::HIP ? InvalidKernelFile : InvalidImage;
  }
  const KernelLibrary *found = nullptr;
  uint64_t hash = Image::hash(image, parsed.bytes);
  for (const KernelLibrary *library : libraries) {
    if (library->isAMD != (kind == DriverKind::HIP))
      continue;
    if (library->imageBytes) {
      if (library->imageBytes != parsed.bytes || library->imageHash != hash)
        continue;
    } else {
      std::set<std::string> names;
      for (uint32_t i = 0; i < library->numKernels; ++i)
        names.insert(library->kernels[i].name);
      if (names != parsed.kernels)
        continue;
    }
    found = library;
    break;
  }
  if (!found) {
    log = "the image is none of those whose kernels are emulated; it has";
    for (const std::string &name : parsed.kernels)
      log += " " + name;
    return InvalidImage;
  }
  modules.push_back(std::make_unique<Module>());
  modules.back()->library = found;
  modules.back()->context = context;
  *module = modules.back().get();
  return Success;
}

int Driver::unloadModule(Module *module) {
  auto place = findOwned(modules, module);
  if (place == modules.end())
    return InvalidHandle;
  finishAll();
  for (auto it = functions.begin(); it != functions.end();)
    it = it->first.first == module ? functions.erase(it) : std::next(it);
  modules.erase(place);
  return Success;
}

int Driver::getFunction(Function **function, void *module, const char *name) {
  auto place = findOwned(modules, module);
  if (place == modules.end())
    return InvalidHandle;
  if (!function || !name)
    return InvalidValue;
  const KernelLibrary *library = (*place)->library;
  for (uint32_t i = 0; i < library->numKernels; ++i) {
    const Kernel &kernel = library->kernels[i];
    if (strcmp(kernel.name, name) != 0)
      continue;
    std::unique_ptr<Function> &known = functions[{place->get(), name}];
    if (!known)
      known = std::make_unique<Function>();
    *known = {library, &kernel, place->get()};
    *function = known.get();
    return Success;
  }
  return NotFound;
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

template <typename T> static T readAs(const void *from) {
  T value;
  memcpy(&value, from, sizeof(value));
  return value;
}

static std::string print(double value) {
  char text[32];
  snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

/// A kernel's argument as the log has it, and its bytes.
static std::string readArgument(Memory &memory, char kind, const void *from,
                                uint64_t &bytes) {
  bytes = 0;
  switch (kind) {
  case 'p':
    memcpy(&bytes, from, 8);
    return memory.describe(bytes);
  case 'i':
    memcpy(&bytes, from, 8);
    return std::to_string(static_cast<int64_t>(bytes));
  case 'd':
    memcpy(&bytes, from, 8);
    return print(readAs<double>(from));
  case 'w':
    memcpy(&bytes, from, 4);
    return std::to_string(readAs<int32_t>(from));
  case 'f':
    memcpy(&bytes, from, 4);
    return print(static_cast<double>(readAs<float>(from)));
  case 'b':
    memcpy(&bytes, from, 1);
    return std::to_string(bytes);
  default:
    memcpy(&bytes, from, 2);
    return std::to_string(bytes);
  }
}

int Driver::launch(void *handle, Dim3 grid, Dim3 block, unsigned sharedBytes,
                   Stream &stream, void **params, void **extra, Call &call) {
  const Function *function = nullptr;
  for (const auto &known : functions)
    if (known.second.get() == handle)
      function = known.second.get();
  if (!function)
    return InvalidHandle;
  const Kernel &kernel = *function->kernel;
  auto print = [](Dim3 dim) {
    return std::to_string(dim.x) + "," + std::to_string(dim.y) + "," +
           std::to_string(dim.z);
  };
  call.add("kernel", kernel.name);
  call.add("grid", print(grid)).add("block", print(block));
  call.add("stream", describe(stream));
  size_t count = strlen(kernel.params);
  if (extra || (count && !params))
    return InvalidValue;
  std::vector<uint64_t> values(count);
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    if (!params[i])
      return InvalidValue;
    text += (i ? "," : "") +
            readArgument(memory, kernel.params[i], params[i], values[i]);
  }
  call.add("args", text);

  constexpr uint64_t maxThreads = 1024, maxGridX = INT32_MAX, maxGridYZ = 65535;
  if (!grid.count() || !block.count() || grid.x > maxGridX ||
      grid.y > maxGridYZ || grid.z > maxGridYZ || block.count() > maxThreads ||
      block.z > 64 || sharedBytes)
    return InvalidValue;
  if (kind == DriverKind::HIP && (uint64_t(grid.x) * block.x > UINT32_MAX ||
                                  uint64_t(grid.y) * block.y > UINT32_MAX))
    return InvalidValue;
  const uint32_t *stated = kernel.blockSize;
  if (stated[0] &&
      (stated[0] != block.x || stated[1] != block.y || stated[2] != block.z))
    return InvalidValue;

  enqueue(stream, [this, library = function->library, &kernel, grid, block,
                   values = std::move(values)]() mutable {
    std::vector<void *> pointers;
    pointers.reserve(values.size());
    for (uint64_t &value : values)
      pointers.push_back(&value);
    execution.run(*library, kernel, warpOverride ? warpOverride : library->warp,
                  grid, block, pointers.data());
  });
  return Success;
}
