//===- head-opt-reduce.cpp - Makes MLIR files that fail small -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MLIR's reducer for the onnx dialect and the dialects that heads are lowered
// to, with all passes of this project for opt-reduction-pass.
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "headopt/Conversion/Passes.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "headopt/Pipelines/GPU.h"
#include "headopt/Pipelines/Pipelines.h"
#include "headopt/Target/ONNX/Import.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<headopt::onnx::ONNXDialect>();
  headopt::registerONNXSchemas(registry);
  headopt::registerLoweringDialects(registry);
  headopt::registerDeviceDialects(registry);
  mlir::registerTransformsPasses();
  headopt::registerUpstreamPasses();
  headopt::registerHeadOptPasses();
  headopt::registerHeadOptConversionPasses();
  headopt::registerHeadOptCodegenPasses();
  headopt::registerHeadOptPipelines();
  mlir::MLIRContext context(registry);
  return failed(mlir::mlirReduceMain(argc, argv, context));
}
