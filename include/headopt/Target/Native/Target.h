//===- Target.h - The machine that code is made for -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_NATIVE_TARGET_H
#define HEADOPT_TARGET_NATIVE_TARGET_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"
#include <memory>
#include <string>

namespace headopt {

/// A processor as LLVM knows it.
struct NativeTarget {
  llvm::Triple triple;
  std::string cpu;
  /// LLVM's spelling: "+avx2,-avx512f". Empty where the cpu says it all.
  std::string features;
};

/// What matters to kernels that are written with vectors.
struct VectorUnit {
  /// Width of a register: 128, 256 or 512.
  unsigned bits = 128;
  /// There are fused multiply-add instructions.
  bool fma = false;
  /// There are instructions between f16 and f32.
  bool convertsF16 = false;
  /// There are instructions that multiply pairs of bf16: AVX512-BF16.
  bool multipliesBF16 = false;
};

/// The triple that `name` stands for, the host's when it is empty. Fails unless
/// LLVM can make 64-bit little-endian ELF code for it.
llvm::Expected<llvm::Triple> parseTriple(llvm::StringRef name);

/// Whether code for `triple` runs in this process.
bool isHost(const llvm::Triple &triple);

/// The processor `cpu` of `triple`; "native" is this machine's, and
/// "x86-64-v4+avx512bf16" one with something more. Fails for what LLVM does not
/// know, and for "native" of another architecture.
llvm::Expected<NativeTarget> getNativeTarget(const llvm::Triple &triple,
                                             llvm::StringRef cpu);

/// Fails when this machine lacks something that code for `target` may use.
llvm::Error checkRunsHere(const NativeTarget &target);

/// The processors to compile for when none is named: the levels v2, v3 and v4
/// of x86-64, of which the running machine then picks one, and v4 with
/// AVX512-BF16 for a head that `multipliesBF16`; "generic" elsewhere.
llvm::ArrayRef<llvm::StringRef> getDefaultCpus(const llvm::Triple &triple,
                                               bool multipliesBF16 = false);

/// The vectors that code for `target` is best written with.
llvm::Expected<VectorUnit> getVectorUnit(const NativeTarget &target);

/// Position-independent code at -O3.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(const NativeTarget &target);

} // namespace headopt

#endif // HEADOPT_TARGET_NATIVE_TARGET_H
