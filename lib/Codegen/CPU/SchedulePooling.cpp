//===- SchedulePooling.cpp - Pooling reductions as loops of vectors -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The input is seen with one axis for each group of adjacent axes that are all
// kept or all summed. Loops run over all of these but the last, along which the
// vectors lie.
//
//===----------------------------------------------------------------------===//

#include "../ElementwiseBody.h"
#include "../PoolingReduction.h"
#include "VectorLoops.h"
#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

namespace headopt {
#define GEN_PASS_DEF_SCHEDULEPOOLING
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;
using namespace headopt;

namespace {

/// Rows of up to this many vectors are read without a loop.
constexpr int64_t kShortRowVectors = 8;
/// Accumulators of a long row: enough to hide the latency of an addition.
constexpr int64_t kRowAccumulators = 4;
/// The end of a short row is read in up to this many narrower vectors; a wide
/// one that crosses a cache line costs more than two that do not.
constexpr int kMaxPieces = 2;
/// Neighbouring vectors of columns that are accumulated together.
constexpr int64_t kColumnVectors = 8;
/// Lanes that shuffles of two vectors move at no cost to one another: x86 and
/// AArch64 have fast shuffles inside 128 bits.
constexpr int64_t kLaneBits = 128;

/// Writes the loops of one reduction.
class Scheduler {
public:
  Scheduler(VectorLoops &b, PoolingReduction reduction, int64_t vectorBits)
      : b(b), pooling(std::move(reduction)),
        accumulatorType(pooling.getAccumulatorType()),
        maxLanes(vectorBits / accumulatorType.getWidth()) {}

  /// The value that replaces the reduction's result.
  Value schedule();

private:
  using Carried = VectorLoops::Carried;
  /// Called in the innermost of loops, with one index for each group that has
  /// a loop.
  using Body = function_ref<Carried(Carried carried)>;

  Carried loopOver(bool reduced, Carried carried, Body body);
  Carried loopOver(ArrayRef<unsigned> groups, Carried carried, Body body);
  Value getAddend(Value read);
  Value finish(Value sums);
  SmallVector<Value> getInputIndices(Value last);
  SmallVector<Value> getOutputIndices();

  Value scheduleRows(Value dest);
  Value sumRow(Value row);
  Value sumShortRow(int64_t length);
  Carried sumLongRow(Carried sums);
  Value sumAcross(int64_t first, int64_t count,
                  function_ref<Value(int64_t)> getRow);
  Value halve(Value a, Value b, int64_t level);
  Value getPiece(int64_t from, int64_t count);
  Value getLastLanes(Index length, Index rest);
  Value scheduleColumns(Value dest);
  Value sumColumns(Value first, ArrayRef<int64_t> offsets, Value dest);

  VectorLoops &b;
  PoolingReduction pooling;
  FloatType accumulatorType;
  int64_t maxLanes;
  /// Of the vectors in use; not more than a row or all columns have elements.
  int64_t lanes = 1;
  /// The input, with one axis for each group, and their extents.
  Value input;
  SmallVector<Index> extents;
  /// Where the loops stand; null for groups without one.
  SmallVector<Value> indices;
};

} // namespace

/// Loops over all kept or all summed groups but the last group.
VectorLoops::Carried Scheduler::loopOver(bool reduced, Carried carried,
                                         Body body) {
  SmallVector<unsigned> groups;
  for (unsigned i = 0, e = extents.size() - 1; i < e; ++i)
    if (pooling.groups[i].reduced == reduced)
      groups.push_back(i);
  return loopOver(groups, carried, body);
}

VectorLoops::Carried Scheduler::loopOver(ArrayRef<unsigned> groups,
                                         Carried carried, Body body) {
  if (groups.empty())
    return body(carried);
  return b.loop(b.getIndexAttr(0), extents[groups[0]], 1, carried,
                [&](Value i, Carried inner) {
                  indices[groups[0]] = i;
                  return loopOver(groups.drop_front(), inner, body);
                });
}

/// What is added for the elements `read`.
Value Scheduler::getAddend(Value read) {
  Block &body = *pooling.sum.getBody();
  IRMapping map;
  map.map(body.getArgument(0), read);
  int64_t count = cast<VectorType>(read.getType()).getNumElements();
  return cloneOnVectors(b, body, pooling.addend, count, map);
}

/// What the reduction gives for the sums in a vector.
Value Scheduler::finish(Value sums) {
  linalg::GenericOp epilogue = pooling.epilogue;
  if (!epilogue)
    return sums;
  Block &body = *epilogue.getBody();
  IRMapping map;
  map.map(body.getArgument(0), sums);
  int64_t count = cast<VectorType>(sums.getType()).getNumElements();
  return cloneOnVectors(b, body, body.getTerminator()->getOperand(0), count,
                        map);
}

SmallVector<Value> Scheduler::getInputIndices(Value last) {
  auto result = llvm::to_vector(llvm::drop_end(indices));
  result.push_back(last);
  return result;
}

/// The indices of the kept groups that have loops.
SmallVector<Value> Scheduler::getOutputIndices() {
  SmallVector<Value> result;
  for (unsigned i = 0, e = extents.size() - 1; i < e; ++i)
    if (!pooling.groups[i].reduced)
      result.push_back(indices[i]);
  return result;
}

//===----------------------------------------------------------------------===//
// Rows: the last group is summed
//===----------------------------------------------------------------------===//

/// One level of a tree that sums each of several vectors: a vector with the
/// sums of neighbours in `x`, then those in `y`. On the lower levels neighbours
/// are elements of the same 128 bits, above whole 128 bits.
Value Scheduler::halve(Value x, Value y, int64_t level) {
  int64_t laneElements =
      std::min<int64_t>(kLaneBits / accumulatorType.getWidth(), lanes);
  bool within = (int64_t(1) << level) < laneElements;
  int64_t unit = within ? 1 : laneElements;
  int64_t segment = within ? laneElements : lanes;
  SmallVector<int64_t> even, odd;
  for (int64_t start = 0; start < lanes; start += segment)
    for (int64_t from : {int64_t(0), lanes})
      for (int64_t i = 0; i < segment; i += 2 * unit)
        for (int64_t j = 0; j < unit; ++j) {
          even.push_back(from + start + i + j);
          odd.push_back(from + start + i + j + unit);
        }
  return arith::AddFOp::create(b, vector::ShuffleOp::create(b, x, y, even),
                               vector::ShuffleOp::create(b, x, y, odd));
}

/// A vector that holds, for a vector from `getRow`, the sum of its lanes in the
/// lane of that row. A tree, so that each sum takes the same additions
/// whichever lane it ends in.
Value Scheduler::sumAcross(int64_t first, int64_t count,
                           function_ref<Value(int64_t)> getRow) {
  if (count == 1)
    return getRow(first);
  Value x = sumAcross(first, count / 2, getRow);
  Value y = sumAcross(first + count / 2, count / 2, getRow);
  return halve(x, y, llvm::Log2_64(count) - 1);
}

/// The last `rest` elements of the current row of `length` elements, as the
/// last lanes of a vector that is zero elsewhere. The row is no shorter than a
/// vector, so nothing outside it is read.
Value Scheduler::getLastLanes(Index length, Index rest) {
  Value from = b.materialize(b.sub(length, b.getIndexAttr(lanes)));
  Value addend = getAddend(b.load(input, getInputIndices(from), lanes));
  Value counted = b.materialize(b.sub(b.getIndexAttr(lanes), rest));
  Value mask = vector::CreateMaskOp::create(
      b, VectorType::get({lanes}, b.getI1Type()), counted);
  return arith::SelectOp::create(b, mask, b.splat(accumulatorType, lanes, 0),
                                 addend);
}

/// `count` elements of the current row from `from` on, as the first lanes of a
/// vector that is zero elsewhere.
Value Scheduler::getPiece(int64_t from, int64_t count) {
  Value addend =
      getAddend(b.load(input, getInputIndices(b.constant(from)), count));
  return vector::InsertStridedSliceOp::create(
      b, addend, b.splat(accumulatorType, lanes, 0), int64_t(0), int64_t(1));
}

Value Scheduler::sumShortRow(int64_t length) {
  SmallVector<Value> parts;
  for (int64_t i = 0; i + lanes <= length; i += lanes)
    parts.push_back(
        getAddend(b.load(input, getInputIndices(b.constant(i)), lanes)));
  int64_t rest = length % lanes;
  if (llvm::popcount(uint64_t(rest)) <= kMaxPieces)
    for (; rest; rest -= llvm::bit_floor(uint64_t(rest)))
      parts.push_back(getPiece(length - rest, llvm::bit_floor(uint64_t(rest))));
  else
    parts.push_back(getLastLanes(b.getIndexAttr(length), b.getIndexAttr(rest)));
  while (parts.size() > 1) {
    SmallVector<Value> sums;
    for (size_t i = 0; i + 1 < parts.size(); i += 2)
      sums.push_back(arith::AddFOp::create(b, parts[i], parts[i + 1]));
    if (parts.size() % 2)
      sums.push_back(parts.back());
    parts = sums;
  }
  return parts.front();
}

/// Adds the current row to the accumulators `sums`.
VectorLoops::Carried Scheduler::sumLongRow(Carried sums) {
  Index zero = b.getIndexAttr(0), length = extents.back();
  auto addVectors = [&](Value from, Carried carried) {
    for (auto [k, sum] : llvm::enumerate(carried)) {
      Value at = b.materialize(b.add(from, b.getIndexAttr(k * lanes)));
      Value addend = getAddend(b.load(input, getInputIndices(at), lanes));
      sum = arith::AddFOp::create(b, sum, addend);
    }
    return carried;
  };
  int64_t step = lanes * kRowAccumulators;
  Index mainEnd = b.mul(b.floorDiv(length, step), b.getIndexAttr(step));
  sums = b.loop(zero, mainEnd, step, sums, addVectors);
  Index vectorEnd = b.mul(b.floorDiv(length, lanes), b.getIndexAttr(lanes));
  sums[0] = b.loop(mainEnd, vectorEnd, lanes, {sums[0]}, addVectors)[0];

  Index rest = b.sub(length, vectorEnd);
  if (std::optional<int64_t> known = getConstantIntValue(length)) {
    if (*known % lanes)
      sums[1] = arith::AddFOp::create(b, sums[1], getLastLanes(length, rest));
    return sums;
  }
  // A row of unknown length may be shorter than a vector: then its elements go
  // one by one to the first lane.
  Value lengthValue = b.materialize(length);
  Value isShort = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                        lengthValue, b.constant(lanes));
  auto branch = scf::IfOp::create(b, TypeRange(sums[1].getType()), isShort,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Carried one = b.loop(
      zero, length, 1, {sums[1]}, [&](Value i, Carried carried) -> Carried {
        Value addend = getAddend(b.load(input, getInputIndices(i), 1));
        Value scalar = vector::ExtractOp::create(b, addend, int64_t(0));
        Value lane = vector::ExtractOp::create(b, carried[0], int64_t(0));
        Value sum = arith::AddFOp::create(b, lane, scalar);
        return {vector::InsertOp::create(b, sum, carried[0], int64_t(0))};
      });
  scf::YieldOp::create(b, one);
  b.setInsertionPointToStart(branch.elseBlock());
  Value last = arith::AddFOp::create(b, sums[1], getLastLanes(length, rest));
  scf::YieldOp::create(b, last);
  sums[1] = branch.getResult(0);
  return sums;
}

/// A vector whose lanes add up to the sum of row `row` of the group before the
/// last, or of the only row when there is none.
Value Scheduler::sumRow(Value row) {
  if (row)
    indices[extents.size() - 2] = row;
  std::optional<int64_t> length = getConstantIntValue(extents.back());
  bool isShort = length && *length <= kShortRowVectors * lanes;
  Carried start(isShort ? 1 : kRowAccumulators,
                b.splat(accumulatorType, lanes, 0));
  bool outer =
      llvm::any_of(llvm::drop_end(pooling.groups),
                   [](const AxisGroup &group) { return group.reduced; });
  if (isShort && !outer)
    return sumShortRow(*length);
  Carried sums = loopOver(/*reduced=*/true, start, [&](Carried carried) {
    if (!isShort)
      return sumLongRow(carried);
    return Carried{arith::AddFOp::create(b, carried[0], sumShortRow(*length))};
  });
  if (isShort)
    return sums[0];
  return arith::AddFOp::create(b, arith::AddFOp::create(b, sums[0], sums[1]),
                               arith::AddFOp::create(b, sums[2], sums[3]));
}

Value Scheduler::scheduleRows(Value dest) {
  std::optional<int64_t> length = getConstantIntValue(extents.back());
  // What a row has; a power of two.
  lanes = length
              ? std::min<int64_t>(maxLanes, llvm::bit_floor(uint64_t(*length)))
              : maxLanes;
  bool isShort = length && *length <= kShortRowVectors * lanes;

  // The rows lie along the group before the last when that is kept.
  unsigned rowGroup = extents.size() - 2;
  if (extents.size() == 1) {
    Value row = sumRow(nullptr);
    Value sums = finish(sumAcross(0, lanes, [&](int64_t) { return row; }));
    Value sum = vector::ExtractOp::create(b, sums, int64_t(0));
    return tensor::InsertOp::create(b, sum, dest, ValueRange());
  }
  SmallVector<unsigned> outer;
  for (unsigned i = 0; i != rowGroup; ++i)
    if (!pooling.groups[i].reduced)
      outer.push_back(i);
  return loopOver(outer, {dest}, [&](Carried carried) {
    Index rows = extents[rowGroup];
    Index grouped = isShort
                        ? b.mul(b.floorDiv(rows, lanes), b.getIndexAttr(lanes))
                        : Index(b.getIndexAttr(0));
    carried = b.loop(
        b.getIndexAttr(0), grouped, lanes, carried,
        [&](Value first, Carried inner) -> Carried {
          Value sums = sumAcross(0, lanes, [&](int64_t i) {
            return sumRow(b.materialize(b.add(first, b.getIndexAttr(i))));
          });
          indices[rowGroup] = first;
          return {b.store(finish(sums), inner[0], getOutputIndices())};
        });
    return b.loop(
        grouped, rows, 1, carried, [&](Value first, Carried inner) -> Carried {
          Value row = sumRow(first);
          Value sums =
              finish(sumAcross(0, lanes, [&](int64_t) { return row; }));
          Value sum = vector::ExtractOp::create(b, sums, int64_t(0));
          return {
              tensor::InsertOp::create(b, sum, inner[0], getOutputIndices())};
        });
  })[0];
}

//===----------------------------------------------------------------------===//
// Columns: the last group is kept
//===----------------------------------------------------------------------===//

/// Sums vectors of columns at `first` plus each of `offsets`, and writes the
/// results.
Value Scheduler::sumColumns(Value first, ArrayRef<int64_t> offsets,
                            Value dest) {
  SmallVector<Value> columns;
  for (int64_t offset : offsets)
    columns.push_back(b.materialize(b.add(first, b.getIndexAttr(offset))));
  Carried sums(columns.size(), b.splat(accumulatorType, lanes, 0));
  sums = loopOver(/*reduced=*/true, sums, [&](Carried carried) {
    for (auto [column, sum] : llvm::zip_equal(columns, carried)) {
      Value addend = getAddend(b.load(input, getInputIndices(column), lanes));
      sum = arith::AddFOp::create(b, sum, addend);
    }
    return carried;
  });
  for (auto [column, sum] : llvm::zip_equal(columns, sums)) {
    SmallVector<Value> at = getOutputIndices();
    at.push_back(column);
    dest = b.store(finish(sum), dest, at);
  }
  return dest;
}

Value Scheduler::scheduleColumns(Value dest) {
  Index columns = extents.back();
  std::optional<int64_t> known = getConstantIntValue(columns);
  lanes = known ? std::min<int64_t>(maxLanes, llvm::bit_floor(uint64_t(*known)))
                : maxLanes;
  Index zero = b.getIndexAttr(0);
  return loopOver(/*reduced=*/false, {dest}, [&](Carried carried) -> Carried {
    SmallVector<int64_t> offsets;
    for (int64_t k = 0; k < kColumnVectors; ++k)
      offsets.push_back(k * lanes);
    int64_t step = kColumnVectors * lanes;
    Index mainEnd = b.mul(b.floorDiv(columns, step), b.getIndexAttr(step));
    carried = b.loop(zero, mainEnd, step, carried,
                     [&](Value first, Carried inner) -> Carried {
                       return {sumColumns(first, offsets, inner[0])};
                     });
    if (known) {
      // The last vector ends with the columns; those that it shares with the
      // one before it are computed twice, alike.
      offsets.clear();
      int64_t start = *getConstantIntValue(mainEnd);
      for (int64_t at = start; at < *known; at += lanes)
        offsets.push_back(std::min(at, *known - lanes) - start);
      if (offsets.empty())
        return carried;
      return {sumColumns(b.constant(start), offsets, carried[0])};
    }
    Index vectorEnd = b.mul(b.floorDiv(columns, lanes), b.getIndexAttr(lanes));
    carried = b.loop(mainEnd, vectorEnd, lanes, carried,
                     [&](Value first, Carried inner) -> Carried {
                       return {sumColumns(first, {0}, inner[0])};
                     });
    int64_t wide = lanes;
    lanes = 1;
    carried = b.loop(vectorEnd, columns, 1, carried,
                     [&](Value first, Carried inner) -> Carried {
                       return {sumColumns(first, {0}, inner[0])};
                     });
    lanes = wide;
    return carried;
  })[0];
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

Value Scheduler::schedule() {
  SmallVector<ReassociationIndices> inputGroups, outputGroups;
  SmallVector<Index> outputExtents;
  int64_t outputAxis = 0;
  for (const AxisGroup &group : pooling.groups) {
    inputGroups.emplace_back(group.axes.begin(), group.axes.end());
    Index extent = b.getIndexAttr(1);
    for (int64_t axis : group.axes)
      extent = b.mul(extent,
                     tensor::getMixedSize(b, b.getLoc(), pooling.input, axis));
    extents.push_back(extent);
    if (group.reduced)
      continue;
    outputExtents.push_back(extent);
    outputGroups.emplace_back();
    for (size_t i = 0; i != group.axes.size(); ++i)
      outputGroups.back().push_back(outputAxis++);
  }
  indices.resize(extents.size());
  input = pooling.input;
  if (extents.size() != inputGroups.size() ||
      static_cast<int64_t>(extents.size()) != pooling.getInputType().getRank())
    input = tensor::CollapseShapeOp::create(b, input, inputGroups);

  linalg::GenericOp root = pooling.getRoot();
  auto resultType = cast<RankedTensorType>(root.getResult(0).getType());
  Value dest =
      tensor::EmptyOp::create(b, outputExtents, resultType.getElementType());
  Value result = pooling.groups.back().reduced ? scheduleRows(dest)
                                               : scheduleColumns(dest);
  if (cast<RankedTensorType>(result.getType()).getRank() !=
      resultType.getRank()) {
    Value like = root.getDpsInitOperand(0)->get();
    result = tensor::ExpandShapeOp::create(
        b, resultType, result, outputGroups,
        tensor::getMixedSizes(b, b.getLoc(), like));
  }
  if (result.getType() != resultType)
    result = tensor::CastOp::create(b, resultType, result);
  return result;
}

/// Has the result of an expand_shape written to a buffer without it: the buffer
/// is seen in the other shape, so that the loops write to it and nothing has to
/// be copied.
static void writeUnexpanded(RewriterBase &rewriter,
                            bufferization::MaterializeInDestinationOp write) {
  auto expand = write.getSource().getDefiningOp<tensor::ExpandShapeOp>();
  if (!expand || !isa<MemRefType>(write.getDest().getType()))
    return;
  rewriter.setInsertionPoint(write);
  Value dest =
      memref::CollapseShapeOp::create(rewriter, write.getLoc(), write.getDest(),
                                      expand.getReassociationIndices());
  rewriter.modifyOpInPlace(write, [&] {
    write.getSourceMutable().assign(expand.getSrc());
    write.getDestMutable().assign(dest);
  });
}

namespace {

struct SchedulePooling final
    : headopt::impl::SchedulePoolingBase<SchedulePooling> {
  using SchedulePoolingBase::SchedulePoolingBase;

  void runOnOperation() override {
    if (vectorBits != 128 && vectorBits != 256 && vectorBits != 512) {
      getOperation().emitError("schedule-pooling: vector-bits is ")
          << vectorBits << "; give 128, 256 or 512";
      return signalPassFailure();
    }
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    llvm::SmallPtrSet<Operation *, 8> epilogues;
    for (linalg::GenericOp op : ops) {
      if (epilogues.contains(op))
        continue;
      StringRef whyNot;
      FailureOr<PoolingReduction> pooling = matchPooling(op, whyNot);
      if (failed(pooling))
        continue;
      // Nothing to read, or a copy: left to what lowers the rest.
      ArrayRef<int64_t> shape = pooling->getInputType().getShape();
      if (llvm::is_contained(shape, 0) ||
          llvm::all_of(pooling->groups, [&](const AxisGroup &group) {
            return !group.reduced ||
                   llvm::all_of(group.axes,
                                [&](int64_t axis) { return shape[axis] == 1; });
          }))
        continue;
      linalg::GenericOp root = pooling->getRoot();
      VectorLoops builder(root.getLoc(), rewriter);
      builder.setInsertionPoint(root);
      Value result = Scheduler(builder, *pooling, vectorBits).schedule();
      rewriter.replaceOp(root, result);
      if (root != pooling->sum) {
        epilogues.insert(root);
        rewriter.eraseOp(pooling->sum);
      }
    }
    getOperation().walk([&](bufferization::MaterializeInDestinationOp write) {
      writeUnexpanded(rewriter, write);
    });
  }
};

} // namespace
