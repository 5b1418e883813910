//===- HeadRange.h - From the feature map to the last value -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model is cut in two at a feature map: the backbone, which computes it, and
// the head, which depends on it and on constants alone. HeadAnalysis and
// GlobalAverage say where maps are flattened into a dense layer or pooled; this
// says which of them is the model's head, and where that ends.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_HEADRANGE_H
#define HEADOPT_ANALYSIS_HEADRANGE_H

#include "headopt/Analysis/HeadAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace headopt {

struct HeadRange {
  /// The main graph.
  mlir::func::FuncOp graph;
  /// The map that is pooled, or flattened into the first dense layer. Where
  /// operators that act on each element alone stand before that, it is their
  /// result.
  mlir::Value map;
  /// What computes `result` from `map`, in program order. Constants, and
  /// arithmetic on shapes that is known without a run, are not among it.
  llvm::SmallVector<mlir::Operation *> ops;
  /// The last value of the head; of floating point.
  mlir::Value result;
  /// Results of `ops`, other than `result`, that something else needs.
  llvm::SmallVector<mlir::Value> neededOutside;
  /// Why the head goes no further; empty when only the graph's outputs follow.
  std::string stopped;
  /// How many other heads, by HeadAnalysis, the model has.
  unsigned numOthers = 0;
};

/// The main graph of `module`: the function with `onnx.graph`, or the only one
/// that is no model-local function. Null when there is none.
mlir::func::FuncOp getMainGraph(mlir::ModuleOp module);

/// Finds the last head of `module`, in program order, of which `heads` is the
/// analysis. A map that is averaged only to scale it (squeeze and excitation)
/// is none. Where the head forks, the longest chain is taken, of those that
/// nothing else needs inner values of if there is one. Nullopt, and one line in
/// `whyNot` that says why and what to do, when there is no head, or none in the
/// main graph, or when it cannot be lowered.
std::optional<HeadRange> findLastHead(mlir::ModuleOp module,
                                      const HeadAnalysis &heads,
                                      std::string &whyNot);

} // namespace headopt

#endif // HEADOPT_ANALYSIS_HEADRANGE_H
