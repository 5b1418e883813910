//===- Stages.h - The stages between LLVM dialect and object ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files of this folder tell each other. In the order in which a head
// passes through: translate, combineVersions, optimize, emit.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_TARGET_NATIVE_STAGES_H
#define HEADOPT_LIB_TARGET_NATIVE_STAGES_H

#include "headopt/Target/Native/Target.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/IR/Module.h"

namespace headopt {

/// A constant whose bytes LLVM gets to see only when it writes them, so that
/// hundreds of megabytes are neither hashed, split into elements, nor copied.
/// Until then it is a declaration, [size x i8].
struct DeferredWeight {
  std::string symbol;
  /// Repeated until `size` is filled; belongs to the MLIR context.
  llvm::ArrayRef<char> pattern;
  uint64_t size;
  uint64_t alignment;
};

/// The weights of all versions of a head, equal ones once.
class WeightTable {
public:
  /// `prefix` starts the weights' symbols, which are numbered.
  explicit WeightTable(std::string prefix) : prefix(std::move(prefix)) {}

  /// The weight with these bytes, aligned at least so.
  const DeferredWeight &get(llvm::ArrayRef<char> pattern, uint64_t size,
                            uint64_t alignment);

  llvm::ArrayRef<DeferredWeight> getWeights() const { return weights; }

private:
  std::string prefix;
  std::vector<DeferredWeight> weights;
  /// From the hash of pattern and size.
  std::unordered_multimap<uint64_t, size_t> byHash;
  /// From pattern and size: the same constant is not read twice.
  llvm::DenseMap<std::pair<const char *, uint64_t>, size_t> byPlace;
};

/// The one function with a body that is neither private nor internal. Fails
/// when there is not exactly one, and when an operation of `module` is not of
/// the LLVM or OpenMP dialect.
llvm::Expected<mlir::LLVM::LLVMFuncOp> findEntry(mlir::ModuleOp module);

/// Makes LLVM IR for `machine` from `module`, whose entry is `entry`, and
/// leaves `module` changed: everything but the entry is internal, every mutable
/// global thread-local, and constants of 64 bytes and more are declarations of
/// what is put into `weights`.
llvm::Expected<std::unique_ptr<llvm::Module>>
translate(mlir::ModuleOp module, mlir::LLVM::LLVMFuncOp entry,
          const llvm::TargetMachine &machine, WeightTable &weights,
          llvm::LLVMContext &context);

/// One compiled body of the entry, for the levels of x86-64.
struct Version {
  std::unique_ptr<llvm::Module> module;
  llvm::StringRef cpu;
};

/// One module from versions of `entry` for x86-64-v2, -v3, -v4 and
/// -v4+avx512bf16, each at most once. The entry becomes a dispatcher; its
/// bodies are internal and named ENTRY.v2 and so on. The lowest version is
/// taken to run everywhere. Scratch memory (thread-local, without a value at
/// first) is shared by the versions.
llvm::Expected<std::unique_ptr<llvm::Module>>
combineVersions(std::vector<Version> versions, llvm::StringRef entry);

/// Whether combineVersions knows how to tell that `cpu` is there.
bool isVersionCpu(llvm::StringRef cpu);

} // namespace headopt

#endif // HEADOPT_LIB_TARGET_NATIVE_STAGES_H
