//===- Execution.h - Runs one launch of a kernel ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Blocks run one after another and the threads of a block as fibers, in an
// order that a seed chooses. A thread runs until it waits for others: at a
// barrier, or at an operation across lanes. Whatever no device has to bear ends
// the process with one line and exit status 99.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TEST_EMULATOR_EXECUTION_H
#define HEADOPT_TEST_EMULATOR_EXECUTION_H

#include "Fiber.h"
#include "Kernels.h"
#include "Memory.h"
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace headopt::emulator {

/// The exit status of a process in which the emulator found something wrong.
constexpr int failureStatus = 99;

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t(x) * y * z; }
};

/// What a lane asks of the lanes of its sub-group.
struct Exchange {
  enum class Kind {
    /// The value of the lane `source`, or none of all if it is negative.
    Read,
    /// The value of the lowest lane that takes part.
    ReadFirst,
    /// `operation`, as in `EntryPoints::redux`, of all values.
    Reduce,
  };
  Kind kind = Kind::Read;
  /// Lanes that have to take part, except those that have ended.
  uint64_t mask = ~uint64_t(0);
  uint64_t values[2] = {0, 0};
  /// Whose value: 2 * lane + which of the two.
  int source = -1;
  uint32_t operation = 0;
  uint32_t line = 0;
};

/// hsa_kernel_dispatch_packet_t: what kernels find out about the launch.
struct DispatchPacket {
  uint16_t header, setup;
  uint16_t blockX, blockY, blockZ, reserved0;
  /// In threads.
  uint32_t gridX, gridY, gridZ;
  uint32_t privateBytes, groupBytes;
  uint64_t kernel, arguments, reserved1, signal;
};

class Execution {
public:
  Execution(Memory &memory, unsigned seed);

  /// The execution that runs now, for the functions that kernels call.
  static Execution &get() { return *current(); }

  void run(const KernelLibrary &library, const Kernel &kernel, unsigned warp,
           Dim3 grid, Dim3 block, void **params);

  // What kernels call, on a thread's fiber.
  void access(uintptr_t address, uint64_t size, uint32_t align, bool store,
              uint32_t line);
  uint32_t getSpecial(uint32_t which) const;
  void barrier(uint32_t line);
  void signal(uint32_t line);
  void wait(uint32_t line);
  uint64_t exchange(const Exchange &request);
  uint64_t shuffle(uint32_t mode, uint32_t mask, uint64_t value, uint32_t b,
                   uint32_t c, uint32_t line);
  bool wasInRange() const { return thread->inRange; }
  unsigned getLane() const { return thread->index % warp; }
  unsigned getWarp() const { return warp; }

  const void *getPacket() const { return &packet; }

  /// Ends the process: what is wrong with the running thread at `line`.
  [[noreturn]] void fail(uint32_t line, const std::string &what);

private:
  enum class State { Ready, AtBarrier, AtExchange, Ended };

  struct Thread {
    Fiber fiber;
    State state = State::Ready;
    uint32_t index = 0, x = 0, y = 0, z = 0;
    /// Where it waits.
    uint32_t line = 0;
    bool signalled = false, inRange = false;
    Exchange request;
    uint64_t received = 0;
  };

  /// The lanes of a sub-group that have not ended, and those that wait for each
  /// other.
  struct Warp {
    unsigned alive = 0, waiting = 0;
  };

  static Execution *&current();
  static void enterThread();

  void runBlock();
  void runThread(Thread &next);
  void suspend(State state, uint32_t line);
  void endInterval();
  /// Gives the lanes of the thread's exchange what they wait for, if all of
  /// them are there.
  void tryExchange(Thread &last);
  uint64_t reduce(const Exchange &request, size_t begin, size_t end) const;
  void checkProgress();
  void checkRace(Region &region, uintptr_t address, uint64_t size, bool store,
                 uint32_t line);
  [[noreturn]] void failRace(bool store, uint32_t line, Region &region,
                             uintptr_t address, const std::string &other);
  std::string describeThread(uint32_t index) const;

  Memory &memory;
  std::mt19937 random;
  unsigned seed;

  const KernelLibrary *library = nullptr;
  const Kernel *kernel = nullptr;
  void **params = nullptr;
  unsigned warp = 32;
  Dim3 grid, block, blockIndex;
  DispatchPacket packet;

  /// Kept, with their stacks, from launch to launch.
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<Warp> warps;
  Thread *thread = nullptr;
  unsigned numThreads = 0;

  /// Stretches between barriers: the first of the launch, the first of the
  /// block, and this one.
  uint32_t firstOfLaunch = 0, firstOfBlock = 0, interval = 0;
};

} // namespace headopt::emulator

#endif // HEADOPT_TEST_EMULATOR_EXECUTION_H
