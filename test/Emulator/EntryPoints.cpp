//===- EntryPoints.cpp - What kernels call --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The intrinsics of the two back ends in terms of what Execution offers. The
// encodings are those of the PTX ISA and of the AMD ISA documents.
//
//===----------------------------------------------------------------------===//

#include "EntryPoints.h"
#include "Execution.h"

using namespace headopt::emulator;

static void load(uintptr_t address, uint64_t size, uint32_t align,
                 uint32_t line) {
  Execution::get().access(address, size, align, /*store=*/false, line);
}

static void store(uintptr_t address, uint64_t size, uint32_t align,
                  uint32_t line) {
  Execution::get().access(address, size, align, /*store=*/true, line);
}

static uint32_t getSpecial(uint32_t which) {
  return Execution::get().getSpecial(which);
}

static void barrier(uint32_t line) { Execution::get().barrier(line); }
static void signalBarrier(uint32_t line) { Execution::get().signal(line); }
static void waitBarrier(uint32_t line) { Execution::get().wait(line); }

static uint64_t shuffle(uint32_t mode, uint32_t mask, uint64_t value,
                        uint32_t b, uint32_t c, uint32_t line) {
  return Execution::get().shuffle(mode, mask, value, b, c, line);
}

static uint32_t wasInRange() { return Execution::get().wasInRange(); }

static uint64_t redux(uint32_t operation, uint32_t mask, uint64_t value,
                      uint32_t line) {
  Exchange request;
  request.kind = Exchange::Kind::Reduce;
  request.mask = mask;
  request.values[0] = value;
  request.operation = operation;
  request.line = line;
  return Execution::get().exchange(request);
}

/// The value of `lane`, all lanes taking part.
static uint64_t read(uint64_t value, int lane, uint32_t line) {
  Exchange request;
  request.values[0] = value;
  request.source = lane < 0 ? -1 : 2 * lane;
  request.line = line;
  return Execution::get().exchange(request);
}

/// Where a DPP control takes its value from; negative where from nowhere.
static int getDPPSource(int lane, uint32_t control, int warp, uint32_t line) {
  int row = lane & ~15, in = lane & 15;
  int by = static_cast<int>(control & 15);
  bool shift = by != 0;
  if (control <= 0xff)
    return (lane & ~3) + static_cast<int>(control >> (2 * (lane & 3)) & 3);
  switch (control & ~15U) {
  case 0x100: // row_shl
    if (shift)
      return in + by <= 15 ? lane + by : -1;
    break;
  case 0x110: // row_shr
    if (shift)
      return in >= by ? lane - by : -1;
    break;
  case 0x120: // row_ror
    if (shift)
      return row + ((in - by) & 15);
    break;
  case 0x150: // row_share
    return row + by;
  case 0x160: // row_xmask
    return lane ^ by;
  default:
    break;
  }
  switch (control) {
  case 0x130: // wave_shl
    return lane + 1 < warp ? lane + 1 : -1;
  case 0x134: // wave_rol
    return (lane + 1) % warp;
  case 0x138: // wave_shr
    return lane - 1;
  case 0x13c: // wave_ror
    return (lane + warp - 1) % warp;
  case 0x140: // row_mirror
    return row + 15 - in;
  case 0x141: // row_half_mirror
    return (lane & ~7) + 7 - (lane & 7);
  case 0x142: // row_bcast15
    return row - 1;
  case 0x143: // row_bcast31
    return lane >= 32 ? 31 : -1;
  default:
    Execution::get().fail(line, "DPP control " + std::to_string(control) +
                                    " is none that the emulator knows");
  }
}

static uint64_t dpp(uint64_t old, uint64_t value, uint32_t control,
                    uint32_t rowMask, uint32_t bankMask, uint32_t boundControl,
                    uint32_t line) {
  Execution &execution = Execution::get();
  int lane = static_cast<int>(execution.getLane());
  int source =
      getDPPSource(lane, control, static_cast<int>(execution.getWarp()), line);
  bool enabled = rowMask >> (lane / 16) & bankMask >> (lane % 16 / 4) & 1;
  uint64_t received = read(value, enabled ? source : -1, line);
  if (!enabled)
    return old;
  if (source < 0)
    return boundControl ? 0 : old;
  return received;
}

static uint64_t permute(uint64_t value, uint32_t low, uint32_t high,
                        uint32_t cross, uint32_t line) {
  int lane = static_cast<int>(Execution::get().getLane());
  int row = (lane & ~15) ^ (cross ? 16 : 0);
  int in = lane & 15;
  uint32_t select = (in < 8 ? low : high) >> (4 * (in & 7)) & 15;
  return read(value, row + static_cast<int>(select), line);
}

static uint64_t swap(uint32_t first, uint32_t second, uint32_t rows,
                     uint32_t line) {
  // The odd rows of the first operand change places with the even rows of the
  // second one.
  int lane = static_cast<int>(Execution::get().getLane());
  int size = static_cast<int>(rows);
  bool odd = lane / size % 2;
  Exchange request;
  request.values[0] = first;
  request.values[1] = second;
  request.source = odd ? 2 * (lane - size) + 1 : 2 * (lane + size);
  request.line = line;
  uint64_t received = Execution::get().exchange(request);
  uint64_t results[2] = {first, second};
  results[odd ? 0 : 1] = received;
  return results[0] | results[1] << 32;
}

static uint64_t readLane(uint64_t value, uint32_t lane, uint32_t line) {
  if (lane >= Execution::get().getWarp())
    Execution::get().fail(line, "reads lane " + std::to_string(lane) +
                                    ", which its sub-group has not");
  return read(value, static_cast<int>(lane), line);
}

static uint64_t readFirstLane(uint64_t value, uint32_t line) {
  Exchange request;
  request.kind = Exchange::Kind::ReadFirst;
  request.values[0] = value;
  request.line = line;
  return Execution::get().exchange(request);
}

static uint64_t bpermute(uint32_t byte, uint64_t value, uint32_t line) {
  return read(value, static_cast<int>(byte / 4 % Execution::get().getWarp()),
              line);
}

static uint64_t swizzle(uint64_t value, uint32_t pattern, uint32_t line) {
  uint32_t lane = Execution::get().getLane(), in = lane & 31, source = 0;
  if (pattern >= 0xc000)
    Execution::get().fail(line, "ds_swizzle pattern " +
                                    std::to_string(pattern) +
                                    " is none that the emulator knows");
  if (pattern & 0x8000)
    source = (in & ~3U) | (pattern >> (2 * (in & 3)) & 3);
  else
    source = ((in & pattern) | (pattern >> 5 & 31)) ^ (pattern >> 10 & 31);
  return read(value, static_cast<int>((lane & ~31U) | (source & 31)), line);
}

static uint32_t countBelow(uint32_t mask, uint32_t base, uint32_t high) {
  uint64_t below = (uint64_t(1) << Execution::get().getLane()) - 1;
  auto half = static_cast<uint32_t>(high ? below >> 32 : below);
  return base + static_cast<uint32_t>(__builtin_popcount(half & mask));
}

static void assume(uint32_t holds, uint32_t line) {
  if (!holds)
    Execution::get().fail(line, "what the IR assumes does not hold");
}

static void assumeAligned(uintptr_t address, uint64_t align, uint32_t line) {
  if (align && address % align != 0)
    Execution::get().fail(line, "an address that the IR assumes to be " +
                                    std::to_string(align) +
                                    "-byte aligned is not");
}

static const void *getPacket() { return Execution::get().getPacket(); }

EntryPoints headopt::emulator::getEntryPoints() {
  return {load,        store,      getSpecial, barrier,       signalBarrier,
          waitBarrier, shuffle,    wasInRange, redux,         dpp,
          permute,     swap,       readLane,   readFirstLane, bpermute,
          swizzle,     countBelow, assume,     assumeAligned, getPacket};
}
