//===- StandIn.h - A driver that only keeps account -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What runtime/device.c finds in place of CUDA's driver or HIP (with
// HEADOPT_TEST_HIP): it runs no kernels, but notes what was asked for, fails
// where it is told to, and knows what was not freed.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TEST_UNIT_RUNTIME_STANDIN_H
#define HEADOPT_TEST_UNIT_RUNTIME_STANDIN_H

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

/// Functions have the names of the slots in runtime/device.h, and those that
/// only one driver has their own.
struct StandIn {
  struct Launch {
    std::string kernel;
    std::vector<unsigned> grid, block;
    void *stream;
    std::vector<uint64_t> args;
  };
  struct Memory {
    size_t bytes;
    bool pooled;
  };

  //===--------------------------------------------------------------------===//
  // What tests set
  //===--------------------------------------------------------------------===//

  bool present = true;
  /// The device can free memory in the order of a stream.
  bool pool = true;
  /// Loading takes its time.
  bool slow = false;
  /// Functions that the library lacks.
  std::set<std::string> missing;
  /// Has call `failAt` of `failFunction` give `failStatus`, or call `failAt` of
  /// any function when that is empty; counted from 1, and 0 for none.
  std::string failFunction;
  int failAt = 0;
  int failStatus = 0;
  /// What the compiler in the driver says when loading fails.
  std::string log;
  /// Letters of each kernel's arguments.
  std::map<std::string, std::string> kernels;

  //===--------------------------------------------------------------------===//
  // What tests look at
  //===--------------------------------------------------------------------===//

  std::vector<std::string> calls;
  std::vector<Launch> launches;
  /// By address. It is memory of this process, with bytes that were copied.
  std::map<uint64_t, Memory> memory;
  std::set<void *> modules;
  std::set<void *> streams;
  /// Streams with work that nothing has waited for.
  std::set<void *> busy;
  /// What no real driver would bear.
  std::vector<std::string> misuses;
  std::string image;

  unsigned count(const std::string &function);

  //===--------------------------------------------------------------------===//
  // Contexts: devices in HIP
  //===--------------------------------------------------------------------===//

  /// Of this thread; -1 for none, which HIP has not.
  static int getContext();
  static void setContext(int context);
  /// Puts another context at the handle of `context`.
  void recreateContext(int context);
  std::map<int, unsigned long long> contextIds;
  /// To which context a stream belongs.
  std::map<void *, int> streamContexts;

  std::mutex mutex;
  int calledSince = 0;

  /// As new. What is still allocated is freed.
  void reset();
};

extern StandIn standIn;

#endif // HEADOPT_TEST_UNIT_RUNTIME_STANDIN_H
