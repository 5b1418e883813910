//===- head-opt-roundtrip.cpp - Many models through MLIR text and back ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   head-opt-roundtrip OUTPUT_FOLDER MODEL.onnx...
//
// Imports each model, prints it, parses the text in a fresh context and exports
// that to OUTPUT_FOLDER under the model's file name. One process for thousands
// of models; whether the results are equal is for the caller to judge, with
// another implementation of ONNX.
//
//===----------------------------------------------------------------------===//

#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "headopt/Target/ONNX/Export.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace headopt;

static LogicalResult roundTrip(const DialectRegistry &registry, StringRef path,
                               StringRef folder) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer) {
    llvm::errs() << path << ": " << buffer.getError().message() << '\n';
    return failure();
  }
  std::string text;
  {
    MLIRContext context(registry, MLIRContext::Threading::DISABLED);
    OwningOpRef<ModuleOp> module =
        importONNX((*buffer)->getMemBufferRef(), ONNXFormat::Binary,
                   /*inFile=*/true, &context);
    if (!module)
      return failure();
    llvm::raw_string_ostream os(text);
    module->print(os);
  }
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(text, &context, path);
  if (!module)
    return failure();
  SmallString<256> output(folder);
  llvm::sys::path::append(output, llvm::sys::path::filename(path));
  return exportONNX(*module, output, ONNXFormat::Binary);
}

int main(int argc, char **argv) {
  if (argc < 3) {
    llvm::errs() << "usage: head-opt-roundtrip OUTPUT_FOLDER MODEL.onnx...\n";
    return 2;
  }
  DialectRegistry registry;
  registry.insert<onnx::ONNXDialect, func::FuncDialect>();
  registerONNXSchemas(registry);
  unsigned failed = 0;
  for (int i = 2; i < argc; ++i) {
    if (succeeded(roundTrip(registry, argv[i], argv[1])))
      continue;
    llvm::errs() << "failed: " << argv[i] << '\n';
    ++failed;
  }
  llvm::outs() << argc - 2 - failed << " passed, " << failed << " failed\n";
  return failed != 0;
}
