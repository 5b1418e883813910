//===- Driver.h - What the stand-in drivers have in common ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The state behind Cuda.cpp and Hip.cpp: kernel libraries, contexts, streams,
// events, modules, the log, and failures to order. Work in streams is done as
// late as the driver's rules allow, so that a program that does not wait finds
// that nothing has happened.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TEST_EMULATOR_DRIVER_H
#define HEADOPT_TEST_EMULATOR_DRIVER_H

#include "Execution.h"
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace headopt::emulator {

/// Status codes, which are the same in both drivers.
enum Status {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NotInitialized = 3,
  NoDevice = 100,
  InvalidDevice = 101,
  InvalidImage = 200,
  InvalidContext = 201,
  InvalidKernelFile = 218,
  InvalidHandle = 400,
  NotFound = 500,
  NotReady = 600,
  LaunchOutOfResources = 701,
  NotSupported = 801,
  Unknown = 999,
};

enum class DriverKind { CUDA, HIP };

struct Context {
  unsigned long long id = 0;
  bool primary = false;
  unsigned references = 0;
};

struct Stream {
  unsigned number = 0;
  unsigned flags = 0;
  Context *context = nullptr;
  std::deque<std::function<void()>> work;
};

struct Event {
  unsigned number = 0;
  /// What has to be done before it, or null.
  Stream *stream = nullptr;
  bool recorded = false;
};

struct Module {
  const KernelLibrary *library = nullptr;
  Context *context = nullptr;
};

struct Function {
  const KernelLibrary *library = nullptr;
  const Kernel *kernel = nullptr;
  Module *module = nullptr;
};

class Driver {
public:
  /// The one of this process, made on first use.
  static Driver &get(DriverKind kind);

  /// The entry `name` of the driver, from here on until it returns: holds the
  /// lock, writes the log.
  class Call {
  public:
    Call(Driver &driver, const char *name);
    Call &add(const char *key, const std::string &value);
    Call &add(const char *key, unsigned long long value) {
      return add(key, std::to_string(value));
    }
    /// Whether the user wants this call to fail, with `status`.
    bool isToFail(int &status, int usual = Unknown);
    /// Writes the line. Gives `status`.
    int done(int status, const std::string &result = "");

  private:
    Driver &driver;
    std::lock_guard<std::recursive_mutex> lock;
    const char *name;
    std::string line;
  };

  Memory &getMemory() { return memory; }
  bool isReady() const { return ready; }
  int initialize();

  // Contexts. Only CUDA's driver shows them.
  Context *getPrimary() { return &primary; }
  Context *createContext();
  bool destroyContext(Context *context);
  bool isContext(const Context *context) const;

  // Streams. Null, and the small numbers that the drivers use, are the default.
  int createStream(Stream **stream, unsigned flags, Context *context);
  int destroyStream(Stream *stream);
  /// Null when `handle` is none.
  Stream *getStream(void *handle);
  void enqueue(Stream &stream, std::function<void()> work);
  void finish(Stream &stream);
  void finishAll();
  bool isIdle(const Stream &stream) const { return stream.work.empty(); }

  int createEvent(Event **event);
  int destroyEvent(Event *event);
  Event *getEvent(void *handle);

  // Memory.
  int allocate(uintptr_t *address, size_t bytes);
  int release(uintptr_t address);
  /// Checks the device's side of a copy; the copy is then work for a stream.
  int copyIn(Stream &stream, uintptr_t to, const void *from, size_t bytes);
  int copyOut(Stream &stream, void *to, uintptr_t from, size_t bytes);
  int fill(Stream &stream, uintptr_t to, unsigned char value, size_t bytes);

  // Modules. `log` gets why an image is not taken.
  int loadModule(Module **module, const void *image, Context *context,
                 std::string &log);
  int unloadModule(Module *module);
  int getFunction(Function **function, void *module, const char *name);
  int launch(void *function, Dim3 grid, Dim3 block, unsigned sharedBytes,
             Stream &stream, void **params, void **extra, Call &call);

  std::string describe(const Stream &stream) const;

private:
  explicit Driver(DriverKind kind);
  void write(const std::string &line);
  void reportLeaks();
  int loadLibraries(std::string &log);

  DriverKind kind;
  std::recursive_mutex mutex;
  Memory memory;
  Execution execution;
  bool ready = false;
  std::string logFile;
  unsigned long long contexts = 0;
  unsigned streamCount = 0, eventCount = 0;
  unsigned warpOverride = 0;
  Context primary;
  std::vector<std::unique_ptr<Context>> otherContexts;
  Stream defaultStream;
  std::vector<std::unique_ptr<Stream>> streams;
  std::vector<std::unique_ptr<Event>> events;
  std::vector<std::unique_ptr<Module>> modules;
  std::map<std::pair<Module *, std::string>, std::unique_ptr<Function>>
      functions;
  std::vector<const KernelLibrary *> libraries;
  bool librariesLoaded = false;

  /// Calls that are to fail: which one of a function, 0 for all, and how, or -1
  /// for what is usual.
  struct Failure {
    unsigned number;
    int status;
  };
  std::multimap<std::string, Failure> failures;
  std::map<std::string, unsigned> callCounts;
};

} // namespace headopt::emulator

#endif // HEADOPT_TEST_EMULATOR_DRIVER_H
