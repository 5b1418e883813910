//===- pool-heads.cpp - head-opt as a library -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   pool-heads model.onnx pooled.onnx
//
// Imports an ONNX model, prints the verdict on each of its heads, rewrites
// those for which the rewrite is proved, and writes the model.
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/HeadAnalysis.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "headopt/Target/ONNX/Export.h"
#include "headopt/Target/ONNX/Import.h"
#include "headopt/Transforms/Passes.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace headopt;

/// What becomes of `head`, in words.
static std::string describe(const Head &head) {
  switch (head.verdict) {
  case Verdict::Rewritable:
    return std::to_string(head.parametersBefore) + " -> " +
           std::to_string(head.parametersAfter) + " parameters";
  case Verdict::Unit:
    return "the map has one position";
  case Verdict::Pooled:
    return "pooled already";
  case Verdict::Refused:
    return "refused: " + head.reason;
  }
  llvm_unreachable("unknown verdict");
}

int main(int argc, char **argv) {
  if (argc != 3) {
    llvm::errs() << "usage: pool-heads model.onnx pooled.onnx\n";
    return 2;
  }
  auto buffer = llvm::MemoryBuffer::getFile(argv[1], /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer) {
    llvm::errs() << argv[1] << ": " << buffer.getError().message() << '\n';
    return 1;
  }

  // The dialect alone would do; with the schemas nodes are checked against
  // them.
  mlir::DialectRegistry registry;
  registry.insert<onnx::ONNXDialect>();
  registerONNXSchemas(registry);
  mlir::MLIRContext context(registry);

  // Large tensors stay in the file. Errors are MLIR's diagnostics.
  mlir::OwningOpRef<mlir::ModuleOp> module =
      importONNX((*buffer)->getMemBufferRef(), ONNXFormat::Binary,
                 /*inFile=*/true, &context);
  if (!module)
    return 1;

  HeadAnalysis analysis(*module);
  for (const Head &head : analysis.getHeads())
    llvm::outs()
        << mlir::cast<onnx::NodeOpInterface>(head.layer.op).getDisplayName()
        << ": " << describe(head) << '\n';

  mlir::PassManager passes(&context);
  passes.addPass(createRaiseToGap());
  passes.addPass(createFlattenToGap());
  if (mlir::failed(passes.run(*module)) ||
      mlir::failed(exportONNX(*module, argv[2], ONNXFormat::Binary)))
    return 1;
  return 0;
}
