//===- Plugin.cpp - Entry points for mlir-opt -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   mlir-opt --load-dialect-plugin=libHeadOpt.so
//            --pass-pipeline='builtin.module(flatten-to-gap)' model.mlir
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "headopt/Conversion/Passes.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "headopt/Pipelines/GPU.h"
#include "headopt/Pipelines/Pipelines.h"
#include "headopt/Target/ONNX/Import.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/Config/llvm-config.h"

using namespace mlir;

static void registerPasses() {
  headopt::registerHeadOptPasses();
  headopt::registerHeadOptConversionPasses();
  headopt::registerHeadOptCodegenPasses();
  headopt::registerHeadOptPipelines();
}

extern "C" LLVM_ATTRIBUTE_WEAK DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "HeadOpt", LLVM_VERSION_STRING,
          [](DialectRegistry *registry) {
            registry->insert<headopt::onnx::ONNXDialect>();
            headopt::registerONNXSchemas(*registry);
            headopt::registerLoweringDialects(*registry);
            headopt::registerDeviceDialects(*registry);
            registerPasses();
          }};
}

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "HeadOpt", LLVM_VERSION_STRING,
          registerPasses};
}
