//===- PoolingLoops.h - What the CPU schedules of pools share --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The input of a reduction is seen with one axis for each group of adjacent
// axes that are all kept or all summed. Loops run over all of these but the
// last, along which the vectors lie.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_CODEGEN_CPU_POOLINGLOOPS_H
#define HEADOPT_LIB_CODEGEN_CPU_POOLINGLOOPS_H

#include "../PoolingReduction.h"
#include "VectorLoops.h"

namespace headopt {

/// How far ahead memory is fetched: what brings it from the last cache level or
/// from further away, and costs little where it is closer.
inline constexpr int64_t kPrefetchBytes = 8192;
inline constexpr int64_t kLineBytes = 64;

/// Builds the loops of one reduction.
struct PoolingLoops {
  using Carried = VectorLoops::Carried;
  /// Called in the innermost of loops, with one index for each group that has
  /// a loop.
  using Body = llvm::function_ref<Carried(Carried carried)>;

  PoolingLoops(VectorLoops &b, PoolingReduction reduction, int64_t vectorBits);

  /// Loops over all kept or all summed groups but the last group.
  Carried loopOver(bool reduced, Carried carried, Body body) {
    return loopOver(reduced, extents.size() - 1, carried, body);
  }
  /// The same but for the group along which rows lie, too.
  Carried loopOverOuter(bool reduced, Carried carried, Body body) {
    return loopOver(reduced, getRowGroup(), carried, body);
  }
  /// The group before the last, which there has to be.
  unsigned getRowGroup() const { return extents.size() - 2; }
  /// The index of the current row in it.
  mlir::Value &getRow() { return indices[getRowGroup()]; }
  /// The indices of the current row and of element `last` of it.
  llvm::SmallVector<mlir::Value> getInputIndices(mlir::Value last);
  /// The indices of the kept groups that have loops.
  llvm::SmallVector<mlir::Value> getOutputIndices();

  /// Takes vectors of at most `most` elements, and no longer than the processor
  /// has.
  void setVectors(int64_t most);
  int64_t vectorElements() const { return lanes * perLane; }
  /// What is added for the elements in the vector `read`.
  mlir::Value getAddend(mlir::Value read);
  /// What is added for a vector of elements of the current row from `last` on;
  /// where lanes read two elements, first for the even ones, then for the odd
  /// ones.
  Carried getAddends(mlir::Value last);
  void addTo(llvm::MutableArrayRef<mlir::Value> sums,
             llvm::ArrayRef<mlir::Value> addends);
  /// What the reduction gives for the sums in a vector.
  mlir::Value finish(mlir::Value sums);

  /// Asks for `bytes` bytes that will be read a little later than what is at
  /// `last` of the current row. What follows in memory, whatever its row:
  /// indices beyond an extent only say how far away it is.
  void prefetch(Index last, int64_t bytes);
  /// Memory for `count` sums.
  mlir::Value makeScratch(int64_t count);

  VectorLoops &b;
  PoolingReduction pooling;
  mlir::FloatType accumulatorType;
  int64_t elementBytes;
  int64_t maxLanes;
  /// The accumulators are wider than what is read.
  bool isWidened;
  /// bf16 that are summed in f32 are read in words, two to a lane: a shift
  /// widens one of them and a mask the other, and nothing has to be moved to
  /// another lane.
  bool inWords;
  /// How many elements ahead memory is fetched.
  int64_t ahead;
  /// Of the vectors in use, and how many elements each lane reads.
  int64_t lanes = 1, perLane = 1;
  /// The input, with one axis for each group, and their extents.
  mlir::Value input;
  llvm::SmallVector<Index> extents;
  /// Where the loops stand; null for groups without one.
  llvm::SmallVector<mlir::Value> indices;

private:
  Carried loopOver(bool reduced, unsigned end, Carried carried, Body body,
                   unsigned begin = 0);
};

/// Sums rows of memory: the last group is summed. Returns `dest`, which has the
/// extents of the kept groups, with the results.
mlir::Value scheduleRows(const PoolingLoops &loops, mlir::Value dest);

/// Sums columns: the last group is kept. Those of a single image of `cutBytes`
/// bytes or more are cut into pieces that threads may share; 0: never.
mlir::Value scheduleColumns(const PoolingLoops &loops, mlir::Value dest,
                            int64_t cutBytes);

} // namespace headopt

#endif // HEADOPT_LIB_CODEGEN_CPU_POOLINGLOOPS_H
