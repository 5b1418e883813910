//===- PoolingRows.cpp - Sums of rows of memory by vectors ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A vector holds neighbours in a row, so lanes are added at its end. Short rows
// are read whole, several in each pass of a loop, long ones by a loop of their
// own.
//
//===----------------------------------------------------------------------===//

#include "PoolingLoops.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace headopt;

namespace {

/// Rows of up to this many vectors are read without a loop.
constexpr int64_t kShortRowVectors = 8;
/// Short rows in one pass of the loop. More would need fewer shuffles, but the
/// hardware follows a stream best when few instructions read it. What is
/// widened takes longer than reading, so of that as many rows as lanes are
/// taken, whose sums are a vector.
constexpr int64_t kRowsTogether = 2;
/// Rows in one pass are summed by code of their own where that is no more than
/// so many operations on vectors, and by a loop otherwise: the processor has to
/// fetch and to decode the code anew in each pass when it is longer.
constexpr int64_t kPassOperations = 512;
/// What a function of math counts for among them.
constexpr int64_t kFunctionOperations = 16;
/// Accumulators of a long row: enough to hide the latency of an addition.
constexpr int64_t kRowAccumulators = 4;
/// The end of a short row is read in up to this many narrower vectors; a wide
/// one that crosses a cache line costs more than two that do not.
constexpr int kMaxPieces = 2;
/// Shuffles within 128 bits are the fast ones, on x86 and on AArch64.
constexpr int64_t kLaneBits = 128;

/// Writes the loops where rows are summed.
class RowSchedule : PoolingLoops {
public:
  explicit RowSchedule(const PoolingLoops &loops) : PoolingLoops(loops) {}

  Value schedule(Value dest);

private:
  Value sumRow(Value row);
  bool isShortRow();
  bool isShortPass(int64_t count);
  bool areRowsInOrder();
  Value sumShortRow();
  Carried sumLongRow(Carried sums);
  Value sumShortRows(Value first, int64_t count);
  std::pair<Value, Value> sumRowsInLoop(Value first, int64_t count,
                                        Value scratch);
  Value sumAcross(Carried rows);
  Value addNeighbours(Value x, Value y, int64_t unit, int64_t span);
  Value getPiece(int64_t from, int64_t count);
  Carried getLastAddends(Index length, Index rest);
};

} // namespace

/// The sums of neighbours in `x`, then of those in `y`, in each `span` lanes.
/// Neighbours are `unit` lanes each.
Value RowSchedule::addNeighbours(Value x, Value y, int64_t unit, int64_t span) {
  int64_t width = cast<VectorType>(x.getType()).getNumElements();
  SmallVector<int64_t> even, odd;
  for (int64_t start = 0; start < width; start += span)
    for (int64_t from : {start, width + start})
      for (int64_t pair = from; pair < from + span; pair += 2 * unit)
        for (int64_t lane = pair; lane != pair + unit; ++lane) {
          even.push_back(lane);
          odd.push_back(lane + unit);
        }
  Value left = vector::ShuffleOp::create(b, x, y, even);
  Value right = vector::ShuffleOp::create(b, x, y, odd);
  return arith::AddFOp::create(b, left, right);
}

/// The sums of the lanes of each of `rows`, each by the same additions. There
/// are two of them or as many as lanes.
Value RowSchedule::sumAcross(Carried rows) {
  assert(lanes > 1 && "one lane is a sum");
  assert((rows.size() == 2 || static_cast<int64_t>(rows.size()) == lanes) &&
         "lanes would be left over");
  auto joinPairs = [&](int64_t unit, int64_t span) {
    Carried joined;
    for (size_t i = 0; i != rows.size(); i += 2)
      joined.push_back(addNeighbours(rows[i], rows[i + 1], unit, span));
    rows = joined;
  };
  int64_t segment =
      std::min<int64_t>(kLaneBits / accumulatorType.getWidth(), lanes);
  // Of how many rows a segment has a sum.
  int64_t inSegment = 1;
  for (; rows.size() > 1 && inSegment < segment; inSegment *= 2)
    joinPairs(1, segment);
  if (rows.size() > 1) {
    // Each vector has the sums of its rows in all segments.
    while (rows.size() > 1)
      joinPairs(segment, lanes);
    return rows[0];
  }
  Value sums = rows[0];
  for (int64_t width = lanes / 2; width >= segment; width /= 2) {
    Value lower = vector::ExtractStridedSliceOp::create(b, sums, int64_t(0),
                                                        width, int64_t(1));
    Value upper = vector::ExtractStridedSliceOp::create(b, sums, width, width,
                                                        int64_t(1));
    sums = arith::AddFOp::create(b, lower, upper);
  }
  for (int64_t width = segment; width > inSegment; width /= 2) {
    SmallVector<int64_t> even, odd;
    for (int64_t i = 0; i < width; i += 2) {
      even.push_back(i);
      odd.push_back(i + 1);
    }
    Value left = vector::ShuffleOp::create(b, sums, sums, even);
    Value right = vector::ShuffleOp::create(b, sums, sums, odd);
    sums = arith::AddFOp::create(b, left, right);
  }
  return sums;
}

/// What is added for the last `rest` elements of the current row of `length`
/// elements. They come in a vector that ends with the row, in which those
/// before them become zero. The row is no shorter than a vector, so nothing
/// outside it is read.
VectorLoops::Carried RowSchedule::getLastAddends(Index length, Index rest) {
  Index count = b.getIndexAttr(vectorElements());
  Carried addends = getAddends(b.materialize(b.sub(length, count)));
  Index before = b.sub(count, rest);
  Value zero = b.splat(accumulatorType, lanes, 0);
  for (auto [first, addend] : llvm::enumerate(addends)) {
    // Of a lane's elements this is the one with the number `first`.
    Index dropped =
        b.floorDiv(b.add(before, b.getIndexAttr(perLane - 1 - first)), perLane);
    Value mask = vector::CreateMaskOp::create(
        b, VectorType::get({lanes}, b.getI1Type()), b.materialize(dropped));
    addend = arith::SelectOp::create(b, mask, zero, addend);
  }
  return addends;
}

/// `count` elements of the current row from `from` on, as the first lanes of a
/// vector that is zero elsewhere.
Value RowSchedule::getPiece(int64_t from, int64_t count) {
  Value addend =
      getAddend(b.load(input, getInputIndices(b.constant(from)), count));
  return vector::InsertStridedSliceOp::create(
      b, addend, b.splat(accumulatorType, lanes, 0), int64_t(0), int64_t(1));
}

/// Whether rows are read without a loop.
bool RowSchedule::isShortRow() {
  std::optional<int64_t> length = getConstantIntValue(extents.back());
  return length && *length <= kShortRowVectors * vectorElements();
}

/// Whether `count` rows are summed by code of their own.
bool RowSchedule::isShortPass(int64_t count) {
  if (!isShortRow())
    return false;
  int64_t operations = 0;
  for (Operation &op : pooling.sum.getBody()->without_terminator())
    if (isa<math::MathDialect>(op.getDialect()))
      operations += kFunctionOperations;
    else if (!op.hasTrait<OpTrait::ConstantLike>())
      ++operations;
  int64_t vectors =
      llvm::divideCeil(*getConstantIntValue(extents.back()), lanes);
  return count * vectors * operations <= kPassOperations;
}

/// Whether rows follow one another in memory.
bool RowSchedule::areRowsInOrder() {
  return llvm::count_if(pooling.groups, [](const AxisGroup &group) {
           return group.reduced;
         }) == 1;
}

Value RowSchedule::sumShortRow() {
  Carried parts;
  int64_t length = *getConstantIntValue(extents.back());
  int64_t count = vectorElements();
  for (int64_t i = 0; i + count <= length; i += count)
    llvm::append_range(parts, getAddends(b.constant(i)));
  int64_t rest = length % count;
  if (perLane == 1 && llvm::popcount(uint64_t(rest)) <= kMaxPieces)
    for (; rest; rest -= llvm::bit_floor(uint64_t(rest)))
      parts.push_back(getPiece(length - rest, llvm::bit_floor(uint64_t(rest))));
  else if (rest)
    llvm::append_range(
        parts, getLastAddends(b.getIndexAttr(length), b.getIndexAttr(rest)));
  while (parts.size() > 1) {
    Carried sums;
    for (size_t i = 0; i + 1 < parts.size(); i += 2)
      sums.push_back(arith::AddFOp::create(b, parts[i], parts[i + 1]));
    if (parts.size() % 2)
      sums.push_back(parts.back());
    parts = sums;
  }
  return parts.front();
}

/// Adds the current row to the accumulators `sums`.
VectorLoops::Carried RowSchedule::sumLongRow(Carried sums) {
  Index zero = b.getIndexAttr(0), length = extents.back();
  int64_t count = vectorElements(), step = lanes * kRowAccumulators;
  auto addVectors = [&](Value from, Carried carried) {
    if (carried.size() == kRowAccumulators)
      prefetch(from, step * elementBytes);
    for (size_t k = 0; k != carried.size(); k += perLane) {
      Index at = b.add(from, b.getIndexAttr(k * lanes));
      addTo(MutableArrayRef(carried).slice(k, perLane),
            getAddends(b.materialize(at)));
    }
    return carried;
  };
  Index mainEnd = b.mul(b.floorDiv(length, step), b.getIndexAttr(step));
  sums = b.loop(zero, mainEnd, step, sums, addVectors);
  Index vectorEnd = b.mul(b.floorDiv(length, count), b.getIndexAttr(count));
  MutableArrayRef<Value> first = MutableArrayRef(sums).take_front(perLane);
  llvm::copy(b.loop(mainEnd, vectorEnd, count, Carried(first), addVectors),
             first.begin());

  // The rest goes to others.
  MutableArrayRef<Value> second = MutableArrayRef(sums).slice(perLane, perLane);
  Index rest = b.sub(length, vectorEnd);
  if (std::optional<int64_t> known = getConstantIntValue(length)) {
    if (*known % count)
      addTo(second, getLastAddends(length, rest));
    return sums;
  }
  // A row of unknown length may be shorter than a vector: then its elements go
  // one by one to the first lane.
  Value lengthValue = b.materialize(length);
  Value isShort = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                        lengthValue, b.constant(count));
  auto branch = scf::IfOp::create(b, ValueRange(second).getTypes(), isShort,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Carried one(second);
  one[0] = b.loop(
      zero, length, 1, {one[0]}, [&](Value i, Carried carried) -> Carried {
        Value addend = getAddend(b.load(input, getInputIndices(i), 1));
        Value scalar = vector::ExtractOp::create(b, addend, int64_t(0));
        Value lane = vector::ExtractOp::create(b, carried[0], int64_t(0));
        Value sum = arith::AddFOp::create(b, lane, scalar);
        return {vector::InsertOp::create(b, sum, carried[0], int64_t(0))};
      })[0];
  scf::YieldOp::create(b, one);
  b.setInsertionPointToStart(branch.elseBlock());
  Carried all(second);
  addTo(all, getLastAddends(length, rest));
  scf::YieldOp::create(b, all);
  llvm::copy(branch.getResults(), second.begin());
  return sums;
}

/// A vector whose lanes add up to the sum of row `row` of the group before the
/// last, or of the only row when there is none.
Value RowSchedule::sumRow(Value row) {
  if (row)
    getRow() = row;
  bool isShort = isShortRow();
  Carried start(isShort ? 1 : kRowAccumulators,
                b.splat(accumulatorType, lanes, 0));
  if (isShort && areRowsInOrder())
    return sumShortRow();
  Carried sums = loopOver(/*reduced=*/true, start, [&](Carried carried) {
    if (!isShort)
      return sumLongRow(carried);
    return Carried{arith::AddFOp::create(b, carried[0], sumShortRow())};
  });
  if (isShort)
    return sums[0];
  return arith::AddFOp::create(b, arith::AddFOp::create(b, sums[0], sums[1]),
                               arith::AddFOp::create(b, sums[2], sums[3]));
}

/// The sums across `count` rows from `first` on, whose vectors are kept in
/// `scratch` meanwhile.
std::pair<Value, Value> RowSchedule::sumRowsInLoop(Value first, int64_t count,
                                                   Value scratch) {
  scratch =
      b.loop(b.getIndexAttr(0), b.getIndexAttr(count), 1, {scratch},
             [&](Value k, Carried carried) -> Carried {
               Value row = b.materialize(b.add(first, k));
               if (isShortRow() && areRowsInOrder()) {
                 getRow() = row;
                 prefetch(b.getIndexAttr(0),
                          *getConstantIntValue(extents.back()) * elementBytes);
               }
               Value sums = sumRow(row);
               Value at = b.materialize(b.mul(k, b.getIndexAttr(lanes)));
               return {b.store(sums, carried[0], {at})};
             })[0];
  Carried sums;
  for (int64_t k = 0; k != count; ++k)
    sums.push_back(b.load(scratch, {b.constant(k * lanes)}, lanes));
  return {sumAcross(sums), scratch};
}

/// The sums across `count` short rows from `first` on.
Value RowSchedule::sumShortRows(Value first, int64_t count) {
  int64_t bytes = *getConstantIntValue(extents.back()) * elementBytes;
  bool inOrder = areRowsInOrder();
  Carried sums;
  for (int64_t k = 0; k != count; ++k) {
    if (inOrder) {
      // The lines that start in this row.
      getRow() = first;
      int64_t from = llvm::alignTo(k * bytes, kLineBytes);
      int64_t to = llvm::alignTo((k + 1) * bytes, kLineBytes);
      prefetch(b.getIndexAttr(from / elementBytes), to - from);
    }
    sums.push_back(sumRow(b.materialize(b.add(first, b.getIndexAttr(k)))));
  }
  return sumAcross(sums);
}

Value RowSchedule::schedule(Value dest) {
  std::optional<int64_t> length = getConstantIntValue(extents.back());
  setVectors(length.value_or(maxLanes * 2));
  int64_t rowsTogether = isWidened ? lanes : kRowsTogether;
  auto insertOne = [&](Value row, Value into, ValueRange at) -> Value {
    Value sums =
        finish(lanes == 1 ? row : sumAcross(Carried(rowsTogether, row)));
    Value sum = vector::ExtractOp::create(b, sums, int64_t(0));
    return tensor::InsertOp::create(b, sum, into, at);
  };
  if (extents.size() == 1)
    return insertOne(sumRow(nullptr), dest, {});

  // The rows lie along the group before the last, which is kept.
  bool together = lanes > 1 && (isShortRow() || isWidened);
  bool inLoop = together && !isShortPass(rowsTogether);
  Carried start = {dest};
  if (inLoop)
    start.push_back(makeScratch(rowsTogether * lanes));
  return loopOverOuter(/*reduced=*/false, start, [&](Carried carried) {
    Index zero = b.getIndexAttr(0), rows = extents[getRowGroup()];
    Index grouped = zero;
    if (together) {
      grouped =
          b.mul(b.floorDiv(rows, rowsTogether), b.getIndexAttr(rowsTogether));
      carried = b.independentLoop(
          zero, grouped, rowsTogether, carried,
          [&](Value first, Carried inner) {
            Value sums;
            if (inLoop)
              std::tie(sums, inner[1]) =
                  sumRowsInLoop(first, rowsTogether, inner[1]);
            else
              sums = sumShortRows(first, rowsTogether);
            getRow() = first;
            inner[0] = b.store(finish(sums), inner[0], getOutputIndices());
            return inner;
          });
    }
    carried[0] = b.independentLoop(
        grouped, rows, 1, {carried[0]},
        [&](Value row, Carried inner) -> Carried {
          Value sums = sumRow(row);
          return {insertOne(sums, inner[0], getOutputIndices())};
        })[0];
    return carried;
  })[0];
}

Value headopt::scheduleRows(const PoolingLoops &loops, Value dest) {
  return RowSchedule(loops).schedule(dest);
}
