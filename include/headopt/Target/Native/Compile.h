//===- Compile.h - From the LLVM dialect to machine code --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TARGET_NATIVE_COMPILE_H
#define HEADOPT_TARGET_NATIVE_COMPILE_H

#include "headopt/Target/Native/Signature.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "llvm/TargetParser/Triple.h"
#include <optional>
#include <string>
#include <vector>

namespace headopt {

/// What compileNative writes.
enum class NativeFormat {
  /// LLVM IR as text, optimised.
  LLVM,
  Assembly,
  Object,
  Shared,
};

/// The head as lowered for one processor: a module in the LLVM dialect (with
/// OpenMP), whose one public function is the head. docs/Native.md says what
/// else is asked of it.
struct NativeVariant {
  mlir::ModuleOp module;
  /// A name that getNativeTarget takes.
  std::string cpu;
};

struct NativeOptions {
  llvm::Triple triple;
  NativeFormat format = NativeFormat::Object;
  /// Name of a shared library by which programs that link it ask for it.
  std::string soname;
  /// Bytes of object files that become part of the object or shared library,
  /// and whose functions the head calls. They are for this machine, and need
  /// the C library.
  std::vector<llvm::StringRef> objects;
};

/// What a user of the code has to know.
struct NativeCode {
  /// The function's symbol.
  std::string name;
  std::optional<HeadSignature> signature;
  std::vector<std::string> cpus;
  /// Bytes of scratch memory for each thread that calls the head.
  uint64_t scratchBytes = 0;
  /// Bytes of constants in the code, equal ones once.
  uint64_t weightBytes = 0;
  bool usesOpenMP = false;
  /// Known for objects and shared libraries.
  bool usesLibm = false;
};

/// Has MLIR's contexts know how to translate the dialects that compileNative
/// takes.
void registerNativeTranslations(mlir::DialectRegistry &registry);

/// Compiles one variant, or variants for levels of x86-64 of which the running
/// machine picks one, and writes the file `path`. Changes the variants'
/// modules; their context must know registerNativeTranslations. What is left at
/// `path` on failure is of no use.
///
/// Fails when the code would need a function of another library than libc, libm
/// and OpenMP's runtime, and of no object among the options.
llvm::Expected<NativeCode> compileNative(llvm::ArrayRef<NativeVariant> variants,
                                         const NativeOptions &options,
                                         llvm::StringRef path);

} // namespace headopt

#endif // HEADOPT_TARGET_NATIVE_COMPILE_H
