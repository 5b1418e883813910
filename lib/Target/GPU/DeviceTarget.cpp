//===- DeviceTarget.cpp - The device that kernels are made for ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/GPU/DeviceTarget.h"
#include "Backends.h"
#include "headopt/Pipelines/GPU.h"
#include "headopt/Target/LLVM/Backend.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"

using namespace llvm;
using namespace headopt;

/// The oldest that is offered, of Pascal; LLVM knows some from before.
static constexpr unsigned kOldestSM = 60;

template <typename... Args>
static Error error(const char *format, const Args &...args) {
  return createStringError(std::errc::invalid_argument, format, args...);
}

/// The number in sm_90a.
static unsigned getSM(StringRef chip) {
  unsigned number = 0;
  if (!chip.consume_front("sm_") || chip.consumeInteger(10, number))
    return 0;
  return number;
}

bool headopt::hasModernPTX(StringRef chip) { return getSM(chip) >= 80; }

static bool isSupported(DeviceKind kind, StringRef chip) {
  return kind == DeviceKind::CUDA ? getSM(chip) >= kOldestSM
                                  : getROCmSubgroupSize(chip).has_value();
}

/// Checks that LLVM knows `target.chip`, and that we do.
static Error checkChip(const DeviceTarget &target) {
  Triple triple = getDeviceTriple(target.kind);
  const Target *backend = lookupTarget(triple);
  std::unique_ptr<MCSubtargetInfo> subtarget(
      backend ? backend->createMCSubtargetInfo(triple, "", "") : nullptr);
  if (!subtarget)
    return error("this LLVM has no code generation for %s",
                 triple.str().c_str());
  SmallVector<StringRef> known;
  for (const SubtargetSubTypeKV &processor :
       subtarget->getAllProcessorDescriptions())
    if (isSupported(target.kind, processor.Key))
      known.push_back(processor.Key);
  if (is_contained(known, target.chip))
    return Error::success();
  llvm::sort(known,
             [](StringRef a, StringRef b) { return a.compare_numeric(b) < 0; });
  return error("chip '%s' is not known; name one of %s", target.chip.c_str(),
               join(known, ", ").c_str());
}

Expected<DeviceTarget> headopt::parseDeviceTarget(StringRef text) {
  auto [name, detail] = text.split(':');
  bool hasDetail = name.size() != text.size();
  DeviceTarget target;
  target.chip = detail.str();
  if (name == "cuda") {
    target.kind = DeviceKind::CUDA;
    if (!hasDetail)
      target.chip = "sm_80";
    if (Error unknown = checkChip(target))
      return std::move(unknown);
    return target;
  }
  if (name == "rocm") {
    target.kind = DeviceKind::ROCm;
    if (!hasDetail)
      return error("AMD's code is for one chip; name it, such as rocm:gfx90a");
    if (Error unknown = checkChip(target))
      return std::move(unknown);
    target.subgroupSize = *getROCmSubgroupSize(target.chip);
    return target;
  }
  if (name == "vulkan") {
    target.kind = DeviceKind::Vulkan;
    target.chip.clear();
    if (hasDetail &&
        (detail.getAsInteger(10, target.subgroupSize) ||
         !is_contained({4u, 8u, 16u, 32u, 64u}, target.subgroupSize)))
      return error("'%s' is no size of sub-groups; give 4, 8, 16, 32 or 64, "
                   "such as vulkan:32",
                   detail.str().c_str());
    return target;
  }
  return error("device '%s' is not known; give cuda, cuda:sm_80, rocm:gfx90a "
               "or vulkan",
               text.str().c_str());
}
