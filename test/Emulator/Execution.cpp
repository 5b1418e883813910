//===- Execution.cpp - Runs one launch of a kernel ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Execution.h"
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <unistd.h>

using namespace headopt::emulator;

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

Execution *&Execution::current() {
  static Execution *execution;
  return execution;
}

std::string Execution::describeThread(uint32_t index) const {
  if (block.y == 1 && block.z == 1)
    return std::to_string(index);
  return std::to_string(index % block.x) + "," +
         std::to_string(index / block.x % block.y) + "," +
         std::to_string(index / block.x / block.y);
}

void Execution::fail(uint32_t line, const std::string &what) {
  std::string where = std::to_string(blockIndex.x);
  if (grid.y != 1 || grid.z != 1)
    where +=
        "," + std::to_string(blockIndex.y) + "," + std::to_string(blockIndex.z);
  // The thread may be on a small stack and in a signal handler, but the process
  // ends here.
  fprintf(stderr, "emulator: kernel '%s', block %s, thread %s%s%s: %s\n",
          kernel->name, where.c_str(),
          thread ? describeThread(thread->index).c_str() : "none",
          line ? ", line " : "", line ? std::to_string(line).c_str() : "",
          what.c_str());
  fflush(stderr);
  _exit(failureStatus);
}

static void handleSignal(int number, siginfo_t *info, void *) {
  const char *what = "crashed";
  if (number == SIGSEGV || number == SIGBUS)
    what = "touched memory that is not the device's, unseen by the checks";
  else if (number == SIGFPE)
    what = "divided an integer by zero, or overflowed";
  else if (number == SIGILL)
    what = "reached what the IR calls unreachable";
  char text[160];
  snprintf(text, sizeof(text), "%s (address 0x%llx)", what,
           static_cast<unsigned long long>(
               reinterpret_cast<uintptr_t>(info->si_addr)));
  Execution::get().fail(0, text);
}

namespace {
/// Has signals that kernels cause reported, for as long as it lives.
class SignalHandlers {
public:
  SignalHandlers() {
    stack_t own = {};
    own.ss_sp = alternate;
    own.ss_size = sizeof(alternate);
    sigaltstack(&own, &oldStack);
    struct sigaction action = {};
    action.sa_sigaction = handleSignal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (size_t i = 0; i < count; ++i)
      sigaction(numbers[i], &action, &old[i]);
  }
  ~SignalHandlers() {
    for (size_t i = 0; i < count; ++i)
      sigaction(numbers[i], &old[i], nullptr);
    sigaltstack(&oldStack, nullptr);
  }
  SignalHandlers(const SignalHandlers &) = delete;
  SignalHandlers &operator=(const SignalHandlers &) = delete;

private:
  static constexpr size_t count = 4;
  static constexpr int numbers[count] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  struct sigaction old[count];
  stack_t oldStack;
  char alternate[64 * 1024];
};
} // namespace

//===----------------------------------------------------------------------===//
// Scheduling
//===----------------------------------------------------------------------===//

/// In an order that depends on the seed: 0 as they come, 1 backwards, otherwise
/// at random.
template <typename T>
static void arrange(std::vector<T> &items, unsigned seed,
                    std::mt19937 &random) {
  if (seed == 1)
    std::reverse(items.begin(), items.end());
  else if (seed > 1)
    std::shuffle(items.begin(), items.end(), random);
}

Execution::Execution(Memory &memory, unsigned seed)
    : memory(memory), random(seed), seed(seed) {
  static_assert(sizeof(DispatchPacket) == 64, "the hardware's layout");
  memory.addVariable({reinterpret_cast<char *>(&packet), sizeof(packet),
                      RegionKind::Constant, 0});
}

void Execution::run(const KernelLibrary &library, const Kernel &kernel,
                    unsigned warp, Dim3 grid, Dim3 block, void **params) {
  this->library = &library;
  this->kernel = &kernel;
  this->params = params;
  this->warp = warp;
  this->grid = grid;
  this->block = block;
  numThreads = static_cast<unsigned>(block.count());
  while (threads.size() < numThreads)
    threads.push_back(std::make_unique<Thread>());

  // What is not for kernels is not what they expect.
  memset(&packet, 0xff, sizeof(packet));
  packet.blockX = static_cast<uint16_t>(block.x);
  packet.blockY = static_cast<uint16_t>(block.y);
  packet.blockZ = static_cast<uint16_t>(block.z);
  packet.gridX = grid.x * block.x;
  packet.gridY = grid.y * block.y;
  packet.gridZ = grid.z * block.z;

  Memory::Access access(memory);
  SignalHandlers handlers;
  current() = this;
  ++interval;
  firstOfLaunch = interval;
  std::vector<uint64_t> blocks(grid.count());
  std::iota(blocks.begin(), blocks.end(), uint64_t(0));
  arrange(blocks, seed, random);
  for (uint64_t index : blocks) {
    blockIndex.x = static_cast<uint32_t>(index % grid.x);
    blockIndex.y = static_cast<uint32_t>(index / grid.x % grid.y);
    blockIndex.z = static_cast<uint32_t>(index / grid.x / grid.y);
    runBlock();
  }
  current() = nullptr;
}

void Execution::enterThread() {
  Execution &execution = get();
  Thread &self = *execution.thread;
  execution.kernel->thunk(execution.params);
  if (self.signalled)
    execution.fail(0, "ends between the halves of a split barrier");
  self.state = State::Ended;
  self.fiber.leave();
  abort();
}

void Execution::runBlock() {
  ++interval;
  firstOfBlock = interval;
  for (uint32_t i = 0; i < kernel->numRegions; ++i) {
    const KernelRegion &region = library->regions[kernel->regions[i]];
    if (region.kind == RegionKind::Shared)
      memset(region.address, 0xff, region.size);
  }
  warps.assign((numThreads + warp - 1) / warp, Warp());
  std::vector<Thread *> ready;
  ready.reserve(numThreads);
  for (unsigned i = 0; i < numThreads; ++i) {
    Thread &next = *threads[i];
    next.state = State::Ready;
    next.index = i;
    next.x = i % block.x;
    next.y = i / block.x % block.y;
    next.z = i / block.x / block.y;
    next.signalled = false;
    if (!next.fiber.prepare(enterThread))
      fail(0, "the host has no memory for the stacks of its threads");
    ++warps[i / warp].alive;
    ready.push_back(&next);
  }
  while (true) {
    arrange(ready, seed, random);
    for (Thread *next : ready)
      runThread(*next);
    ready.clear();
    bool left = false;
    for (unsigned i = 0; i < numThreads; ++i) {
      if (threads[i]->state == State::Ready)
        ready.push_back(threads[i].get());
      left |= threads[i]->state != State::Ended;
    }
    if (!left)
      break;
    if (ready.empty()) {
      checkProgress();
      ++interval;
      for (unsigned i = 0; i < numThreads; ++i) {
        threads[i]->state = State::Ready;
        ready.push_back(threads[i].get());
      }
    }
  }
  thread = nullptr;
}

void Execution::runThread(Thread &next) {
  thread = &next;
  next.fiber.enter();
  Warp &own = warps[next.index / warp];
  if (next.state == State::AtExchange) {
    ++own.waiting;
    tryExchange(next);
  } else if (next.state == State::Ended) {
    --own.alive;
    // The others may have waited for it alone.
    size_t begin = next.index / warp * warp;
    size_t end = std::min<size_t>(begin + warp, numThreads);
    for (size_t i = begin; i < end; ++i)
      if (threads[i]->state == State::AtExchange)
        tryExchange(*threads[i]);
  }
}

void Execution::suspend(State state, uint32_t line) {
  thread->state = state;
  thread->line = line;
  // This function returns on the same fiber, whose thread is then running.
  thread->fiber.leave();
}

/// No thread can go on: that is right only when all are at one barrier.
void Execution::checkProgress() {
  for (unsigned i = 0; i < numThreads; ++i)
    if (threads[i]->state == State::AtExchange) {
      thread = threads[i].get();
      fail(thread->line, "waits at an operation across lanes that not all "
                         "lanes of its sub-group come to");
    }
  Thread *first = nullptr;
  for (unsigned i = 0; i < numThreads && !first; ++i)
    if (threads[i]->state == State::AtBarrier)
      first = threads[i].get();
  for (unsigned i = 0; i < numThreads; ++i) {
    const Thread &other = *threads[i];
    if (other.state == State::AtBarrier && other.line == first->line)
      continue;
    thread = first;
    fail(first->line,
         "divergent barrier: thread " + describeThread(other.index) +
             (other.state == State::Ended
                  ? std::string(" has ended")
                  : " waits at the one in line " + std::to_string(other.line)));
  }
}

void Execution::barrier(uint32_t line) { suspend(State::AtBarrier, line); }

void Execution::signal(uint32_t line) {
  if (thread->signalled)
    fail(line, "signals a barrier twice");
  thread->signalled = true;
}

void Execution::wait(uint32_t line) {
  if (!thread->signalled)
    fail(line, "waits at a barrier that it has not signalled");
  thread->signalled = false;
  barrier(line);
}

//===----------------------------------------------------------------------===//
// Operations across lanes
//===----------------------------------------------------------------------===//

uint64_t Execution::exchange(const Exchange &request) {
  if (!(request.mask >> getLane() & 1))
    fail(request.line, "takes part in an operation across lanes whose mask "
                       "does not name it");
  thread->request = request;
  suspend(State::AtExchange, request.line);
  return thread->received;
}

uint64_t Execution::reduce(const Exchange &request, size_t begin,
                           size_t end) const {
  bool any = false;
  uint32_t result = 0;
  for (size_t i = begin; i < end; ++i) {
    if (!(request.mask >> (i - begin) & 1) ||
        threads[i]->state != State::AtExchange)
      continue;
    auto value = static_cast<uint32_t>(threads[i]->request.values[0]);
    auto less = static_cast<int32_t>(value) < static_cast<int32_t>(result);
    if (!any)
      result = value;
    else
      switch (request.operation) {
      case 0:
        result += value;
        break;
      case 1:
        result = std::min(result, value);
        break;
      case 2:
        result = std::max(result, value);
        break;
      case 3:
        result = less ? value : result;
        break;
      case 4:
        result = less ? result : value;
        break;
      case 5:
        result &= value;
        break;
      case 6:
        result |= value;
        break;
      default:
        result ^= value;
        break;
      }
    any = true;
  }
  return result;
}

void Execution::tryExchange(Thread &last) {
  const Exchange &request = last.request;
  Warp &own = warps[last.index / warp];
  size_t begin = last.index / warp * warp;
  size_t end = std::min<size_t>(begin + warp, numThreads);
  uint64_t everybody =
      end - begin == 64 ? ~uint64_t(0) : (uint64_t(1) << (end - begin)) - 1;
  bool all = (request.mask & everybody) == everybody;
  if (all && own.waiting != own.alive)
    return;
  size_t first = end;
  for (size_t i = begin; i < end; ++i) {
    const Thread &lane = *threads[i];
    if (!(request.mask >> (i - begin) & 1) || lane.state == State::Ended)
      continue;
    if (lane.state == State::AtExchange && lane.line == last.line &&
        lane.request.mask == request.mask) {
      first = std::min(first, i);
      continue;
    }
    if (own.waiting != own.alive)
      return;
    thread = &last;
    fail(last.line, "is at an operation across lanes, and lane " +
                        std::to_string(i - begin) +
                        " of its sub-group is at another one in line " +
                        std::to_string(lane.line));
  }
  uint64_t folded = 0;
  if (request.kind == Exchange::Kind::Reduce)
    folded = reduce(request, begin, end);
  for (size_t i = begin; i < end; ++i) {
    Thread &lane = *threads[i];
    if (!(request.mask >> (i - begin) & 1) || lane.state == State::Ended)
      continue;
    if (request.kind == Exchange::Kind::Reduce) {
      lane.received = folded;
    } else if (request.kind == Exchange::Kind::ReadFirst) {
      lane.received = threads[first]->request.values[0];
    } else if (lane.request.source >= 0) {
      auto wanted = static_cast<size_t>(lane.request.source) / 2;
      size_t source = begin + wanted;
      if (source >= end || !(request.mask >> wanted & 1) ||
          threads[source]->state != State::AtExchange) {
        thread = &lane;
        fail(lane.line, "reads lane " + std::to_string(wanted) +
                            ", which takes no part in the operation");
      }
      lane.received = threads[source]->request.values[lane.request.source % 2];
    }
  }
  // Not before all have received: a lane that goes on may write a new value.
  for (size_t i = begin; i < end; ++i)
    if ((request.mask >> (i - begin) & 1) &&
        threads[i]->state == State::AtExchange) {
      threads[i]->state = State::Ready;
      --own.waiting;
    }
}

uint64_t Execution::shuffle(uint32_t mode, uint32_t mask, uint64_t value,
                            uint32_t b, uint32_t c, uint32_t line) {
  // As PTX writes it.
  uint32_t lane = getLane(), by = b & 31;
  uint32_t clamp = c & 31, segment = c >> 8 & 31;
  uint32_t maxLane = (lane & segment) | (clamp & ~segment);
  uint32_t minLane = lane & segment;
  int32_t source = 0;
  bool inRange = false;
  switch (mode) {
  case 0:
    source = static_cast<int32_t>(lane) - static_cast<int32_t>(by);
    inRange = source >= static_cast<int32_t>(maxLane);
    break;
  case 1:
    source = static_cast<int32_t>(lane + by);
    inRange = source <= static_cast<int32_t>(maxLane);
    break;
  case 2:
    source = static_cast<int32_t>(lane ^ by);
    inRange = source <= static_cast<int32_t>(maxLane);
    break;
  default:
    source = static_cast<int32_t>(minLane | (by & ~segment));
    inRange = source <= static_cast<int32_t>(maxLane);
    break;
  }
  if (!inRange)
    source = static_cast<int32_t>(lane);
  Exchange request;
  request.mask = mask;
  request.values[0] = value;
  request.source = 2 * source;
  request.line = line;
  uint64_t received = exchange(request);
  thread->inRange = inRange;
  return received;
}

uint32_t Execution::getSpecial(uint32_t which) const {
  const Thread &t = *thread;
  const uint32_t values[] = {t.x,          t.y,          t.z,     blockIndex.x,
                             blockIndex.y, blockIndex.z, block.x, block.y,
                             block.z,      grid.x,       grid.y,  grid.z,
                             getLane(),    warp};
  return values[which];
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

void Execution::access(uintptr_t address, uint64_t size, uint32_t align,
                       bool store, uint32_t line) {
  const char *what = store ? "store" : "load";
  if (align && address % align != 0)
    fail(line, "misaligned " + std::string(what) + " of " +
                   std::to_string(size) + " bytes at " +
                   memory.describe(address) + ", which the IR says is " +
                   std::to_string(align) + "-byte aligned");
  if (thread->fiber.owns(address) || size == 0)
    return;
  Region *region = memory.find(address);
  if (!region || size > region->end - address) {
    // Say how far it is from where it was probably meant.
    std::string near;
    for (const std::unique_ptr<Region> &other : memory.getRegions()) {
      constexpr uintptr_t far = uintptr_t(1) << 20;
      bool behind = address >= other->begin && address < other->end + far;
      if (behind)
        near = ", " + std::to_string(address - other->begin) + " bytes from " +
               "the start of " + memory.describe(other->begin) + " of " +
               std::to_string(other->size()) + " bytes";
      else if (near.empty() && address < other->begin &&
               other->begin - address < far)
        near = ", " + std::to_string(other->begin - address) +
               " bytes before " + memory.describe(other->begin);
    }
    if (near.empty())
      near = ", at " + memory.describe(address);
    fail(line, "out-of-bounds " + std::string(what) + " of " +
                   std::to_string(size) + " bytes" + near);
  }
  if (region->kind == RegionKind::Constant) {
    if (store)
      fail(line, "store to a constant");
    return;
  }
  checkRace(*region, address, size, store, line);
}

void Execution::failRace(bool store, uint32_t line, Region &region,
                         uintptr_t address, const std::string &other) {
  fail(line, std::string("race: ") + (store ? "store to " : "load of ") +
                 (region.kind == RegionKind::Shared ? "shared memory"
                                                    : "global memory") +
                 " at " + memory.describe(address) + ", which " + other);
}

void Execution::checkRace(Region &region, uintptr_t address, uint64_t size,
                          bool store, uint32_t line) {
  size_t count;
  ShadowCell *cells = memory.getCells(region, address, size, count);
  if (!cells)
    fail(line, "the host has no memory for the record of accesses");
  bool shared = region.kind == RegionKind::Shared;
  // Every block has shared memory of its own.
  uint32_t begin = shared ? firstOfBlock : firstOfLaunch;
  auto self = static_cast<uint16_t>(thread->index);
  for (ShadowCell *cell = cells, *end = cells + count; cell != end; ++cell) {
    if (cell->writeInterval >= begin) {
      if (cell->writeInterval < firstOfBlock)
        failRace(store, line, region, address,
                 "another block of the launch wrote");
      if (cell->writeInterval == interval && cell->writeThread != self)
        failRace(store, line, region, address,
                 "thread " + describeThread(cell->writeThread) +
                     " wrote, with no barrier between them");
    }
    bool readBefore = cell->readInterval >= begin;
    bool foreign =
        readBefore && (cell->foreignRead || cell->readInterval < firstOfBlock);
    bool sameInterval = cell->readInterval == interval;
    if (store) {
      if (foreign)
        failRace(store, line, region, address,
                 "another block of the launch read");
      if (sameInterval && (cell->manyRead || cell->readThread != self))
        failRace(store, line, region, address,
                 "thread " + describeThread(cell->readThread) +
                     " read, with no barrier between them");
      cell->writeInterval = interval;
      cell->writeThread = self;
    } else {
      cell->manyRead =
          sameInterval && (cell->manyRead || cell->readThread != self);
      cell->foreignRead = foreign;
      // Of several readers the one is named that a writer is not.
      if (!sameInterval || cell->readThread == self)
        cell->readThread = self;
      cell->readInterval = interval;
    }
  }
}
