//===- SPIRV.cpp - From kernels to SPIR-V modules -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/GPU/SPIRV.h"
#include "headopt/Pipelines/GPU.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/SPIRV/Serialization.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace headopt;

llvm::Expected<std::string> headopt::compileSPIRV(ModuleOp module,
                                                  const DeviceTarget &target,
                                                  DeviceFormat format) {
  if (format == DeviceFormat::LLVM)
    return llvm::createStringError(
        "no LLVM IR is made for Vulkan; ask for SPIR-V, as text or binary");

  std::string reason;
  ScopedDiagnosticHandler keepFirst(module.getContext(), [&](Diagnostic &d) {
    if (d.getSeverity() != DiagnosticSeverity::Error)
      return failure();
    if (reason.empty())
      reason = d.str();
    return success();
  });
  auto fail = [&](const char *what) {
    return llvm::createStringError(
        "cannot make SPIR-V of the kernels: " +
        (reason.empty() ? std::string(what) : reason));
  };

  PassManager pm(module.getContext());
  buildSPIRVPipeline(pm, target.subgroupSize);
  if (failed(pm.run(module)))
    return fail("a pass failed");
  auto shaders = llvm::to_vector(module.getOps<spirv::ModuleOp>());
  if (shaders.size() != 1)
    return fail("there must be one gpu.module");

  std::string code;
  if (format == DeviceFormat::Assembly) {
    llvm::raw_string_ostream os(code);
    shaders.front()->print(os);
    os << '\n';
    return code;
  }
  SmallVector<uint32_t> words;
  spirv::SerializationOptions options;
  options.emitSymbolName = false;
  if (failed(spirv::serialize(shaders.front(), words, options)))
    return fail("it cannot be serialised");
  code.assign(reinterpret_cast<const char *>(words.data()),
              words.size() * sizeof(uint32_t));
  return code;
}
