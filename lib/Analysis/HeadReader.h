//===- HeadReader.h - How a dialect writes heads ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The theorem of docs/Legality.md speaks of a map, of a way from its axes to
// the features of a dense layer, and of a constant weight. How these are
// written differs from dialect to dialect, and is all that differs:
// HeadAnalysis asks a reader, and judges what it hears.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_ANALYSIS_HEADREADER_H
#define HEADOPT_LIB_ANALYSIS_HEADREADER_H

#include "AffineTail.h"
#include "headopt/Analysis/AxisMap.h"
#include "headopt/Analysis/ConstantReader.h"
#include "headopt/Analysis/DenseLayer.h"
#include <memory>

namespace headopt {

/// Answers questions about one module, which does not change meanwhile.
class HeadReader {
public:
  virtual ~HeadReader() = default;

  /// Reads `op` as a dense layer; nullopt when it is none, or is one for each
  /// position and so no head.
  virtual std::optional<DenseLayer>
  matchDenseLayer(mlir::Operation *op) const = 0;

  /// Extents, element type and even axes of `value`.
  virtual const ValueFacts &getFacts(mlir::Value value) const = 0;

  /// The operand of `op` that its first result is, moved or with each element
  /// mapped alone and the same way everywhere, so that the map may be pooled
  /// after it; null when there is none. `whyNot` says what is in the way, if
  /// there is more to say than that the operator is another one.
  virtual mlir::OpOperand *getFollowedOperand(mlir::Operation *op,
                                              std::string &whyNot) const = 0;

  /// True for followed operators that move elements and do not change them.
  virtual bool isView(mlir::Operation *op) const = 0;

  /// True for followed operators whose result is their operand.
  virtual bool isNoOp(mlir::Operation *op) const = 0;

  /// Follows the last tensor of `map` through `op`, a view or a followed
  /// operator; see AxisMap::apply.
  virtual bool follow(mlir::Operation *op, int64_t lastExtent, AxisMap &map,
                      std::string &whyNot) const = 0;

  /// What the result of `op` is computed from, where that is all that `op`
  /// does; empty for operators of other dialects and for control flow.
  virtual llvm::SmallVector<mlir::Value>
  getInputs(mlir::Operation *op) const = 0;

  /// Reads `value` as a constant; nullopt, and the reason in `whyNot`, when it
  /// is none.
  virtual std::optional<Constant> readConstant(mlir::Value value,
                                               std::string &whyNot) const = 0;

  /// True when `value` depends on constants alone, and with `inputs` on what
  /// callers give in a fixed size.
  virtual bool isMadeFromConstants(mlir::Value value, bool inputs) const = 0;

  /// True when `value` is a map averaged over all its positions.
  virtual bool isGlobalAverage(mlir::Value value) const = 0;

  /// Scales and shifts of the features directly before `data`, the [N, K]
  /// operand of a layer.
  virtual std::optional<AffineTail> matchAffineTail(mlir::Value data,
                                                    int64_t numFeatures) const {
    return std::nullopt;
  }

  /// The axis of `map` that has the channels; 1 where that is not known.
  virtual int64_t getChannelAxis(mlir::Value map) const = 0;

  /// L9: why the pooled form of `layer`, with a weight of `type` and an
  /// addition behind it when `addsShift`, cannot be written; empty when it can.
  virtual std::string whyNotWritable(const DenseLayer &layer, mlir::Type type,
                                     bool addsShift) const = 0;
};

/// Reads operations of the onnx dialect. `facts` must outlive the reader.
std::unique_ptr<HeadReader> createONNXHeadReader(const ModelFacts &facts);

/// Reads linalg, tensor and arith operations on tensors in `root`.
std::unique_ptr<HeadReader> createLinalgHeadReader(mlir::Operation *root);

} // namespace headopt

#endif // HEADOPT_LIB_ANALYSIS_HEADREADER_H
