//===- headopt-compile-device.cpp - Kernels to device code, for tests -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   headopt-compile-device KERNELS.mlir DEVICE llvm|asm|bin|mlir
//
// Gives the one gpu.module of a file to compileDevice and prints the result;
// mlir prints the module that it leaves instead.
//
//===----------------------------------------------------------------------===//

#include "headopt/Pipelines/GPU.h"
#include "headopt/Pipelines/Pipelines.h"
#include "headopt/Target/GPU/Compile.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/raw_ostream.h"
#include <optional>

using namespace mlir;
using namespace headopt;

static int fail(llvm::Error error) {
  llvm::errs() << "error: " << llvm::toString(std::move(error)) << '\n';
  return 1;
}

int main(int argc, char **argv) {
  StringRef emit = argc == 4 ? argv[3] : "";
  auto format = llvm::StringSwitch<std::optional<DeviceFormat>>(emit)
                    .Cases({"llvm", "mlir"}, DeviceFormat::LLVM)
                    .Case("asm", DeviceFormat::Assembly)
                    .Case("bin", DeviceFormat::Binary)
                    .Default(std::nullopt);
  if (!format) {
    llvm::errs() << "usage: headopt-compile-device KERNELS.mlir DEVICE "
                    "llvm|asm|bin|mlir\n";
    return 2;
  }
  llvm::Expected<DeviceTarget> target = parseDeviceTarget(argv[2]);
  if (!target)
    return fail(target.takeError());
  DialectRegistry registry;
  registerLoweringDialects(registry);
  registerDeviceDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(argv[1], &context);
  if (!module)
    return 1;
  llvm::Expected<std::string> code = compileDevice(*module, *target, *format);
  if (!code)
    return fail(code.takeError());
  if (emit == "mlir")
    module->print(llvm::outs());
  else
    llvm::outs() << *code;
  return 0;
}
