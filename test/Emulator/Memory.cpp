//===- Memory.cpp - The memory of the emulated device ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"
#include <algorithm>
#include <cstring>
#include <sys/mman.h>

using namespace headopt::emulator;

static constexpr size_t pageBytes = 4096;
/// What both drivers promise at least.
static constexpr size_t alignment = 256;
/// As real devices, this one has an end.
static constexpr size_t maxBytes = size_t(1) << 36;

static size_t roundUp(size_t value, size_t to) {
  return (value + to - 1) / to * to;
}

static char *map(size_t bytes, int protection) {
  void *memory = mmap(nullptr, bytes, protection,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<char *>(memory);
}

static void unmap(Region &region) {
  if (region.mapping)
    munmap(region.mapping, region.mappingBytes);
  if (region.shadow)
    munmap(static_cast<void *>(region.shadow), region.shadowBytes);
}

Memory::~Memory() {
  for (const std::unique_ptr<Region> &region : regions)
    unmap(*region);
}

uintptr_t Memory::allocate(size_t bytes) {
  if (bytes == 0 || bytes > maxBytes)
    return 0;
  // Room for moving the start off a multiple of 512.
  size_t inner = roundUp(bytes + alignment, pageBytes);
  auto region = std::make_unique<Region>();
  region->mappingBytes = inner + 2 * pageBytes;
  region->mapping = map(region->mappingBytes, PROT_NONE);
  if (!region->mapping)
    return 0;
  char *first = region->mapping + pageBytes;
  mprotect(first, inner, PROT_READ | PROT_WRITE);
  memset(first, 0xff, inner);
  uintptr_t begin = reinterpret_cast<uintptr_t>(first);
  if (placement == Placement::End)
    begin = (begin + inner - bytes) / alignment * alignment;
  if (begin % (2 * alignment) == 0)
    begin =
        placement == Placement::Start ? begin + alignment : begin - alignment;
  region->begin = begin;
  region->end = begin + bytes;
  region->number = ++allocations;
  if (accesses == 0)
    mprotect(first, inner, PROT_NONE);
  insert(std::move(region));
  return begin;
}

bool Memory::release(uintptr_t address) {
  Region *region = find(address);
  if (!region || region->begin != address || region->number == 0)
    return false;
  last = &nothing;
  unmap(*region);
  regions.erase(std::find_if(
      regions.begin(), regions.end(),
      [&](const std::unique_ptr<Region> &r) { return r.get() == region; }));
  return true;
}

void Memory::addVariable(const KernelRegion &variable) {
  auto region = std::make_unique<Region>();
  region->begin = reinterpret_cast<uintptr_t>(variable.address);
  region->end = region->begin + variable.size;
  region->kind = variable.kind;
  insert(std::move(region));
}

void Memory::insert(std::unique_ptr<Region> region) {
  auto place = std::upper_bound(
      regions.begin(), regions.end(), region->begin,
      [](uintptr_t begin, const std::unique_ptr<Region> &other) {
        return begin < other->begin;
      });
  regions.insert(place, std::move(region));
}

Region *Memory::search(uintptr_t address) {
  auto place = std::upper_bound(
      regions.begin(), regions.end(), address,
      [](uintptr_t address, const std::unique_ptr<Region> &other) {
        return address < other->begin;
      });
  if (place == regions.begin())
    return nullptr;
  Region *region = std::prev(place)->get();
  if (address >= region->end)
    return nullptr;
  last = region;
  return region;
}

bool Memory::holds(uintptr_t address, size_t bytes) {
  Region *region = find(address);
  return region && region->number && bytes <= region->end - address;
}

ShadowCell *Memory::getCells(Region &region, uintptr_t address, size_t bytes,
                             size_t &count) {
  if (!region.shadow) {
    region.shadowBytes =
        (region.size() / region.granule + 1) * sizeof(ShadowCell);
    // Pages that nobody touches cost nothing, and the others start as zeros.
    region.shadow = reinterpret_cast<ShadowCell *>(
        map(region.shadowBytes, PROT_READ | PROT_WRITE));
    if (!region.shadow) {
      count = 0;
      return nullptr;
    }
  }
  size_t offset = address - region.begin;
  if ((offset | bytes) % region.granule != 0) {
    refine(region);
    if (!region.shadow) {
      count = 0;
      return nullptr;
    }
  }
  count = bytes / region.granule;
  return region.shadow + offset / region.granule;
}

void Memory::refine(Region &region) {
  size_t bytes = region.size() * sizeof(ShadowCell);
  auto *fine =
      reinterpret_cast<ShadowCell *>(map(bytes, PROT_READ | PROT_WRITE));
  if (fine)
    for (size_t i = 0; i < region.size(); ++i) {
      const ShadowCell &cell = region.shadow[i / region.granule];
      if (cell.writeInterval | cell.readInterval)
        fine[i] = cell;
    }
  munmap(static_cast<void *>(region.shadow), region.shadowBytes);
  region.shadow = fine;
  region.shadowBytes = bytes;
  region.granule = 1;
}

std::string Memory::describe(uintptr_t address) {
  if (!address)
    return "null";
  Region *region = find(address);
  if (!region)
    return "not-device-memory";
  std::string text =
      region->number ? "buffer" + std::to_string(region->number) : "variable";
  if (address != region->begin)
    text += "+" + std::to_string(address - region->begin);
  return text;
}

void Memory::protect(bool all) {
  for (const std::unique_ptr<Region> &region : regions)
    if (region->number)
      mprotect(region->mapping + pageBytes,
               region->mappingBytes - 2 * pageBytes,
               all ? PROT_NONE : PROT_READ | PROT_WRITE);
}
