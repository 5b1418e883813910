//===- Target.cpp - The machine that code is made for ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/Native/Target.h"
#include "headopt/Target/LLVM/Backend.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/TargetParser/Host.h"

using namespace llvm;
using namespace headopt;

Expected<Triple> headopt::parseTriple(StringRef name) {
  Triple triple(name.empty() ? sys::getDefaultTargetTriple()
                             : Triple::normalize(name));
  auto error = [&](const char *what) {
    return createStringError(std::errc::invalid_argument,
                             "target '%s' %s; name one such as "
                             "x86_64-linux-gnu or aarch64-linux-gnu",
                             name.str().c_str(), what);
  };
  const Target *target = lookupTarget(triple);
  if (!target || triple.getArch() == Triple::UnknownArch)
    return error("is not known");
  if (!target->hasTargetMachine() || !target->hasMCAsmBackend() ||
      !triple.isOSBinFormatELF() || !triple.isArch64Bit() ||
      !triple.isLittleEndian())
    return error("has no 64-bit little-endian ELF code");
  return triple;
}

bool headopt::isHost(const Triple &triple) {
  Triple host(sys::getProcessTriple());
  return triple.getArch() == host.getArch() && triple.getOS() == host.getOS();
}

ArrayRef<StringRef> headopt::getDefaultCpus(const Triple &triple,
                                            bool multipliesBF16) {
  static constexpr StringRef levels[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4",
                                         "x86-64-v4+avx512bf16"};
  static constexpr StringRef generic[] = {"generic"};
  if (triple.getArch() == Triple::x86_64)
    return ArrayRef(levels).drop_back(multipliesBF16 ? 0 : 1);
  return generic;
}

Expected<NativeTarget> headopt::getNativeTarget(const Triple &triple,
                                                StringRef cpu) {
  auto [name, more] = cpu.split('+');
  NativeTarget target{triple, name.str(), ""};
  std::vector<std::string> features;
  if (name == "native") {
    if (!isHost(triple))
      return createStringError(std::errc::invalid_argument,
                               "--mcpu=native is this machine's processor, and "
                               "the target is %s; name a processor",
                               triple.str().c_str());
    target.cpu = sys::getHostCPUName().str();
    // Sorted, so that the same machine always gives the same code.
    for (const auto &[feature, present] : sys::getHostCPUFeatures())
      features.push_back((present ? "+" : "-") + feature.str());
    llvm::sort(features);
  }
  const Target *backend = lookupTarget(triple);
  std::unique_ptr<MCSubtargetInfo> subtarget(
      backend ? backend->createMCSubtargetInfo(triple, "", "") : nullptr);
  if (!subtarget || !subtarget->isCPUStringValid(target.cpu))
    return createStringError(std::errc::invalid_argument,
                             "processor '%s' of %s is not known to LLVM; name "
                             "one that 'llc -mtriple=%s -mcpu=help' lists",
                             target.cpu.c_str(), triple.str().c_str(),
                             triple.str().c_str());
  SmallVector<StringRef> added;
  if (name.size() != cpu.size())
    more.split(added, '+');
  for (StringRef feature : added) {
    if (none_of(subtarget->getAllProcessorFeatures(),
                [&](const SubtargetFeatureKV &known) {
                  return known.Key == feature;
                }))
      return createStringError(std::errc::invalid_argument,
                               "feature '%s' of %s is not known to LLVM; name "
                               "one that 'llc -mtriple=%s -mattr=help' lists",
                               feature.str().c_str(), triple.str().c_str(),
                               triple.str().c_str());
    features.push_back("+" + feature.str());
  }
  target.features = join(features, ",");
  return target;
}

Error headopt::checkRunsHere(const NativeTarget &target) {
  const Target *backend = lookupTarget(target.triple);
  std::unique_ptr<MCSubtargetInfo> subtarget(
      backend ? backend->createMCSubtargetInfo(target.triple, target.cpu,
                                               target.features)
              : nullptr);
  if (!subtarget || !isHost(target.triple))
    return createStringError(std::errc::not_supported,
                             "this machine runs no code for %s",
                             target.triple.str().c_str());
  for (const auto &[feature, present] : sys::getHostCPUFeatures())
    if (!present && subtarget->checkFeatures(("+" + feature).str()))
      return createStringError(
          std::errc::not_supported,
          "this machine has no '%s', which %s has; choose --mcpu=native",
          feature.str().c_str(), target.cpu.c_str());
  return Error::success();
}

Expected<std::unique_ptr<TargetMachine>>
headopt::createTargetMachine(const NativeTarget &target) {
  const Target *backend = lookupTarget(target.triple);
  std::unique_ptr<TargetMachine> machine(
      backend ? backend->createTargetMachine(
                    target.triple, target.cpu, target.features, TargetOptions(),
                    Reloc::PIC_, CodeModel::Small, CodeGenOptLevel::Aggressive)
              : nullptr);
  if (!machine)
    return createStringError(std::errc::invalid_argument,
                             "LLVM has no code generation for %s",
                             target.triple.str().c_str());
  return machine;
}

Expected<VectorUnit> headopt::getVectorUnit(const NativeTarget &target) {
  Expected<std::unique_ptr<TargetMachine>> machine =
      createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  const MCSubtargetInfo &subtarget = *(*machine)->getMCSubtargetInfo();
  if (target.triple.getArch() != Triple::x86_64)
    // AArch64; others have what LLVM makes of 128 bits.
    return VectorUnit{128, target.triple.isAArch64(),
                      target.triple.isAArch64()};
  unsigned bits = subtarget.checkFeatures("+avx512f") ? 512
                  : subtarget.checkFeatures("+avx2")  ? 256
                                                      : 128;
  return VectorUnit{bits, subtarget.checkFeatures("+fma"),
                    subtarget.checkFeatures("+f16c"),
                    subtarget.checkFeatures("+avx512bf16")};
}
