//===- head-opt-lsp-server.cpp - MLIR files in editors --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MLIR's language server for the onnx dialect and the dialects that heads are
// lowered to: diagnostics, hover, definitions and completion of .mlir files.
//
//===----------------------------------------------------------------------===//

#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "headopt/Pipelines/GPU.h"
#include "headopt/Pipelines/Pipelines.h"
#include "headopt/Target/ONNX/Import.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<headopt::onnx::ONNXDialect>();
  headopt::registerONNXSchemas(registry);
  headopt::registerLoweringDialects(registry);
  headopt::registerDeviceDialects(registry);
  return failed(mlir::MlirLspServerMain(argc, argv, registry));
}
