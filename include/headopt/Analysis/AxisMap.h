//===- AxisMap.h - Where the axes of a tensor go ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A view operator (Flatten, Reshape, Squeeze, Unsqueeze, Transpose, a Gather of
// the only slice, and those that leave shapes alone) only moves elements. What
// it does to indices is written down with digits: each axis of the first tensor
// is one digit, and where a reshape cuts an axis, a digit splits into an outer
// and an inner one. An axis of any later tensor is then an ordered list of
// digits, slowest first.
//
//   x : [N, 512, 7, 7]                     N | c | h | w
//   Transpose(perm = [0, 2, 3, 1])         N | h | w | c
//   Reshape([-1, 25088])                   N | h w c
//
// so column 512 * (7 h + w) + c of the last tensor is x[n, c, h, w].
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_AXISMAP_H
#define HEADOPT_ANALYSIS_AXISMAP_H

#include "headopt/Analysis/ModelFacts.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include <string>

namespace headopt {

/// True for operators that move elements without changing or mixing them, with
/// one tensor in and one out.
bool isViewOp(mlir::Operation *op, const ModelFacts &facts);

class AxisMap {
public:
  /// The digits of one axis, slowest first; empty when its extent is 1.
  using Axis = llvm::SmallVector<unsigned, 4>;
  /// The axes of one tensor.
  using View = llvm::SmallVector<Axis, 4>;

  struct Digit {
    /// Axis of the first tensor.
    unsigned axis;
    /// Number of values; never the number 1.
    Extent extent;
  };

  /// Starts with a tensor of this shape.
  explicit AxisMap(llvm::ArrayRef<Extent> shape);

  /// Follows the last tensor through `op`; `lastExtent`, when not kDynamic, is
  /// what the last axis of the result is known to have. False, and the reason
  /// in `whyNot`, when the digits cannot be followed; the map is then spoilt.
  bool apply(mlir::Operation *op, const ModelFacts &facts, int64_t lastExtent,
             std::string &whyNot);

  /// Follows the last tensor into one that has the same axes.
  void repeat() { views.push_back(View(views.back())); }

  /// Follows the last tensor into one whose axis i is its axis `perm[i]`.
  void transpose(llvm::ArrayRef<int64_t> perm);

  /// Follows the last tensor into one whose axis i is made of its axes
  /// `groups[i]`, slowest first.
  void collapse(llvm::ArrayRef<mlir::ReassociationIndices> groups);

  /// Follows the last tensor into one of `shape` whose axes `groups[i]` are
  /// made of its axis i. False, and the reason in `whyNot`, when the digits
  /// cannot be followed; the map is then spoilt.
  bool expand(llvm::ArrayRef<mlir::ReassociationIndices> groups,
              llvm::ArrayRef<int64_t> shape, std::string &whyNot);

  /// Follows the last tensor into one in which elements along `axes` were
  /// combined into one: these axes keep extent 1 when `keep`, else they go.
  void reduce(llvm::ArrayRef<int64_t> axes, bool keep);

  /// Gives `last`, the facts of the last tensor, its extents and how far it
  /// varies, where `first` has those of the first.
  void describeLast(const ValueFacts &first, ValueFacts &last) const;

  llvm::ArrayRef<View> getViews() const { return views; }
  const Digit &getDigit(unsigned digit) const { return digits[digit]; }

  /// The product of the extents of `axis`.
  Extent getExtent(llvm::ArrayRef<unsigned> axis) const;
  /// The same as a number, kDynamic when one is unknown.
  int64_t getNumber(llvm::ArrayRef<unsigned> axis) const {
    return getExtent(axis).getNumber();
  }

  /// How far apart in the first tensor, counted along its axis, two neighbours
  /// in `digit` are. All faster digits of that axis must be numbers.
  int64_t getStride(unsigned digit) const;

  /// Splits `digit` so that the faster part has `inner` values, which must
  /// divide it.
  void split(unsigned digit, int64_t inner);

  /// Fixes a symbol; digits that become 1 disappear.
  void pin(unsigned symbol, int64_t value);

private:
  void drop(unsigned digit);
  bool reshape(const View &from, llvm::ArrayRef<std::optional<Extent>> target,
               View &to, std::string &whyNot);

  llvm::SmallVector<Digit> digits;
  llvm::SmallVector<View> views;
};

} // namespace headopt

#endif // HEADOPT_ANALYSIS_AXISMAP_H
