//===- Codegen.h - What the tool does about machine code --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TOOLS_CODEGEN_H
#define HEADOPT_TOOLS_CODEGEN_H

#include "headopt/Support/OutputFile.h"
#include "headopt/Target/GPU/DeviceTarget.h"
#include "headopt/Target/Native/Compile.h"
#include "headopt/Target/Native/Npy.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/CommandLine.h"
#include <optional>
#include <string>
#include <vector>

namespace headopt {

enum class Threads { None, OpenMP };

/// The options that say how a head is compiled and run.
struct CodegenOptions {
  explicit CodegenOptions(llvm::cl::OptionCategory &category);

  llvm::cl::opt<std::string> header;
  llvm::cl::opt<std::string> name;
  llvm::cl::opt<std::string> cpu;
  llvm::cl::opt<std::string> target;
  llvm::cl::opt<Threads> threads;
  llvm::cl::opt<bool> run;
  llvm::cl::opt<std::string> runInput;
  llvm::cl::opt<int64_t> batch;
};

/// What is to be made of a module.
enum class CodegenKind {
  Linalg,
  LLVM,
  Assembly,
  PTX,
  Cubin,
  HSACO,
  SPIRV,
  Object,
  Shared,
  Run
};

/// Compiles the head of a module, or runs it.
class Codegen {
public:
  /// Fails for options that contradict each other or name what is not there.
  /// `input` is what errors speak of; `output` is "-" for standard output.
  static llvm::Expected<Codegen> create(const CodegenOptions &options,
                                        CodegenKind kind, llvm::StringRef input,
                                        llvm::StringRef output);

  /// Fails, naming it, when an option asks for code and none is to be made.
  static llvm::Error checkUnused(const CodegenOptions &options);

  /// Where the C header goes; empty where none is to be written.
  std::string getHeaderPath() const;

  /// Takes a module in the onnx dialect, the head as linalg on tensors, or a
  /// module in the LLVM dialect, and changes it. What is written is added to
  /// `files`.
  /// `constantInitializers`: no caller overrides initializers.
  llvm::Error run(mlir::ModuleOp module, bool constantInitializers,
                  OutputFiles &files);

private:
  Codegen(const CodegenOptions &options, CodegenKind kind,
          llvm::StringRef input, llvm::StringRef output)
      : options(options), kind(kind), input(input.str()), output(output.str()) {
  }

  llvm::Error runOnONNX(mlir::ModuleOp module, bool constantInitializers);
  llvm::Error runOnLinalg(mlir::ModuleOp module);
  llvm::Error runOnLLVM(mlir::ModuleOp module);
  llvm::Error compileLinalg(mlir::ModuleOp module);
  llvm::Error runOnDevice(mlir::ModuleOp module);
  llvm::Error lowerForHost(mlir::ModuleOp module,
                           llvm::SmallVectorImpl<NativeVariant> &variants);
  llvm::Error checkDevice();
  /// Writes code with these options to a file, or fails.
  using Compile = llvm::function_ref<llvm::Expected<NativeCode>(
      const NativeOptions &options, llvm::StringRef path)>;
  llvm::Error compile(Compile compiler);
  llvm::Error writeText(llvm::StringRef text);
  llvm::Error writeFiles(Compile compiler);
  llvm::Error runHead(Compile compiler);
  llvm::Error compareWithHost(const NpyArray &features, const NpyArray &result);
  llvm::Error writeTensor(const NpyArray &tensor);
  /// Says which input the error is about.
  llvm::Error ofInput(llvm::Error error) const;

  const CodegenOptions &options;
  CodegenKind kind;
  std::string input, output;
  /// Where run() adds what it writes.
  OutputFiles *files = nullptr;
  /// There when kernels run the head; otherwise the triple's processor does.
  std::optional<DeviceTarget> device;
  llvm::Triple triple;
  std::vector<std::string> cpus;
  /// The head in the LLVM dialect, for each processor.
  llvm::SmallVector<mlir::OwningOpRef<mlir::ModuleOp>> lowered;
  /// For a head on a device: the same for this machine, as linalg.
  mlir::OwningOpRef<mlir::ModuleOp> reference;
};

} // namespace headopt

#endif // HEADOPT_TOOLS_CODEGEN_H
