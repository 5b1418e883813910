//===- Kernels.h - What a retargeted kernel library holds -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The interface between the shared objects that retarget.py makes and the
// stand-in drivers that load them. retarget.py writes these structures as LLVM
// IR; a change here is a change there, and a new version number.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TEST_EMULATOR_KERNELS_H
#define HEADOPT_TEST_EMULATOR_KERNELS_H

#include <cstdint>

namespace headopt::emulator {

/// Of the structures below and of the order of `EntryPoints`.
constexpr uint32_t kernelsVersion = 2;

/// The symbols of a kernel library.
constexpr const char *kernelsSymbol = "headopt_emulator_kernels";
constexpr const char *entryPointsSymbol = "headopt_emulator_entry_points";

enum class RegionKind : uint32_t { Shared, Constant, Global };

/// A global variable of the device code.
struct KernelRegion {
  char *address;
  uint64_t size;
  RegionKind kind;
  uint32_t reserved;
};

struct Kernel {
  const char *name;
  /// Calls the kernel; params[i] points at argument i.
  void (*thunk)(void **params);
  /// One letter an argument: 'p' pointer, 'i' i64, 'w' i32, 's' i16, 'b' i8,
  /// 'f' float, 'd' double, 'h' half.
  const char *params;
  /// Indices into the library's regions of what the kernel refers to.
  const uint32_t *regions;
  uint32_t numRegions;
  /// The block size that the IR states, or zeros.
  uint32_t blockSize[3];
};

struct KernelLibrary {
  uint32_t version;
  /// Threads of a sub-group.
  uint32_t warp;
  /// 1 for AMDGPU, 0 for NVIDIA.
  uint32_t isAMD;
  uint32_t numKernels, numRegions;
  uint32_t reserved;
  const Kernel *kernels;
  const KernelRegion *regions;
  /// FNV-1a of the device binary that belongs to these kernels, and its size;
  /// zeros where retarget.py was not told.
  uint64_t imageHash, imageBytes;
};

/// What the kernels call, in the order in which retarget.py knows them. `line`
/// is the line of the device IR, for messages, and tells one call from another.
struct EntryPoints {
  void (*load)(uintptr_t address, uint64_t size, uint32_t align, uint32_t line);
  void (*store)(uintptr_t address, uint64_t size, uint32_t align,
                uint32_t line);
  /// 0-2 thread, 3-5 block, 6-8 block size, 9-11 grid size, 12 lane, 13 warp.
  uint32_t (*special)(uint32_t which);
  void (*barrier)(uint32_t line);
  /// The first half of a split barrier; `barrier` is then the second one.
  void (*signal)(uint32_t line);
  void (*wait)(uint32_t line);
  /// shfl.sync: mode 0 up, 1 down, 2 bfly, 3 idx, as PTX defines them.
  uint64_t (*shuffle)(uint32_t mode, uint32_t mask, uint64_t value, uint32_t b,
                      uint32_t c, uint32_t line);
  /// The predicate of this thread's last `shuffle`.
  uint32_t (*inRange)();
  /// redux.sync: 0 add, 1 umin, 2 umax, 3 min, 4 max, 5 and, 6 or, 7 xor.
  uint64_t (*redux)(uint32_t operation, uint32_t mask, uint64_t value,
                    uint32_t line);
  uint64_t (*dpp)(uint64_t old, uint64_t value, uint32_t control,
                  uint32_t rowMask, uint32_t bankMask, uint32_t boundControl,
                  uint32_t line);
  /// v_permlane16, or v_permlanex16 with `cross`.
  uint64_t (*permute)(uint64_t value, uint32_t low, uint32_t high,
                      uint32_t cross, uint32_t line);
  /// v_permlane16_swap or v_permlane32_swap; the results in the two halves.
  uint64_t (*swap)(uint32_t first, uint32_t second, uint32_t rows,
                   uint32_t line);
  uint64_t (*readLane)(uint64_t value, uint32_t lane, uint32_t line);
  uint64_t (*readFirstLane)(uint64_t value, uint32_t line);
  uint64_t (*bpermute)(uint32_t byte, uint64_t value, uint32_t line);
  uint64_t (*swizzle)(uint64_t value, uint32_t pattern, uint32_t line);
  uint32_t (*countBelow)(uint32_t mask, uint32_t base, uint32_t high);
  void (*assume)(uint32_t holds, uint32_t line);
  void (*assumeAligned)(uintptr_t address, uint64_t align, uint32_t line);
  /// The launch as AMD's queues describe it, read-only.
  const void *(*packet)();
};

} // namespace headopt::emulator

#endif // HEADOPT_TEST_EMULATOR_KERNELS_H
