//===- Memory.h - The memory of the emulated device -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Allocations between guard pages, filled with NaNs, and a shadow of each that
// knows which thread of a launch touched what. Nobody can touch an allocation
// but through `Access`, so host code that takes a device address for its own
// faults.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TEST_EMULATOR_MEMORY_H
#define HEADOPT_TEST_EMULATOR_MEMORY_H

#include "Kernels.h"
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace headopt::emulator {

/// The last accesses to a few bytes. Intervals are the stretches between
/// barriers, numbered through all launches.
struct ShadowCell {
  uint32_t writeInterval, readInterval;
  uint16_t writeThread, readThread;
  /// More than one thread read in `readInterval`.
  bool manyRead;
  /// Another block of the launch read too.
  bool foreignRead;
};

/// Some bytes that kernels may touch: an allocation, or a global variable of
/// theirs.
struct Region {
  uintptr_t begin = 0, end = 0;
  RegionKind kind = RegionKind::Global;
  /// Allocations are numbered from 1; variables have 0.
  unsigned number = 0;
  /// Bytes of a cell; 1 as soon as an access is smaller than, or astride, more.
  unsigned granule = 4;
  ShadowCell *shadow = nullptr;
  size_t shadowBytes = 0;
  /// The mapping, with its guards.
  char *mapping = nullptr;
  size_t mappingBytes = 0;

  uintptr_t size() const { return end - begin; }
};

class Memory {
public:
  /// Where an allocation lies between its guards.
  enum class Placement { Start, End };

  explicit Memory(Placement placement) : placement(placement) {}
  ~Memory();
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  /// Gives 0 when there is no memory. Addresses are multiples of 256 and of no
  /// more, as far as that can be had.
  uintptr_t allocate(size_t bytes);
  /// False when `address` is not the start of an allocation.
  bool release(uintptr_t address);

  /// Makes a variable of the kernels known.
  void addVariable(const KernelRegion &variable);

  /// The region that holds `address`.
  Region *find(uintptr_t address) {
    if (address - last->begin < last->size())
      return last;
    return search(address);
  }
  /// Whether all these bytes are in one allocation.
  bool holds(uintptr_t address, size_t bytes);

  /// The cells of some bytes of `region`.
  ShadowCell *getCells(Region &region, uintptr_t address, size_t bytes,
                       size_t &count);

  /// "buffer3+256", or what the address is instead.
  std::string describe(uintptr_t address);

  const std::vector<std::unique_ptr<Region>> &getRegions() const {
    return regions;
  }

  /// Lets the process touch allocations for as long as it lives.
  class Access {
  public:
    explicit Access(Memory &memory) : memory(memory) {
      if (memory.accesses++ == 0)
        memory.protect(false);
    }
    ~Access() {
      if (--memory.accesses == 0)
        memory.protect(true);
    }
    Access(const Access &) = delete;
    Access &operator=(const Access &) = delete;

  private:
    Memory &memory;
  };

private:
  Region *search(uintptr_t address);
  void insert(std::unique_ptr<Region> region);
  void protect(bool all);
  void refine(Region &region);

  Placement placement;
  unsigned allocations = 0, accesses = 0;
  Region nothing;
  Region *last = &nothing;
  /// By address.
  std::vector<std::unique_ptr<Region>> regions;
};

} // namespace headopt::emulator

#endif // HEADOPT_TEST_EMULATOR_MEMORY_H
