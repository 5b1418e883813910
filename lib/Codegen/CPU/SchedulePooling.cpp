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
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Remarks.h"
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
/// Short rows in one pass of the loop. More would need fewer shuffles, but the
/// hardware follows a stream best when few instructions read it. What is
/// widened takes longer than reading, so of that as many rows as lanes are
/// taken, whose sums are a vector.
constexpr int64_t kRowsTogether = 2;
/// How far ahead short rows are fetched: what brings them from the last cache
/// level or from memory, and costs little where they are closer.
constexpr int64_t kPrefetchBytes = 8192;
constexpr int64_t kLineBytes = 64;
/// Accumulators of a long row: enough to hide the latency of an addition.
constexpr int64_t kRowAccumulators = 4;
/// The end of a short row is read in up to this many narrower vectors; a wide
/// one that crosses a cache line costs more than two that do not.
constexpr int kMaxPieces = 2;
/// Columns of up to this many vectors are accumulated in registers.
constexpr int64_t kColumnVectors = 8;
/// More columns are accumulated in memory, this many bytes at a time, so that
/// they stay in the nearest cache.
constexpr int64_t kColumnBytes = 16384;
/// The columns of a single image are cut into up to so many pieces for threads,
/// none of which is shorter than this: what is read then lies in several
/// places.
constexpr int64_t kMaxColumnPieces = 8;
constexpr int64_t kPieceBytes = 1024;
/// Vectors of columns in one pass of a loop.
constexpr int64_t kColumnsTogether = 4;
/// The rows that are added to accumulators in memory in one pass, where they
/// are widened: one would take as long for the accumulators, which are larger,
/// as for itself.
constexpr int64_t kWidenedRowsTogether = 2;
/// Shuffles within 128 bits are the fast ones, on x86 and on AArch64.
constexpr int64_t kLaneBits = 128;

/// Writes the loops of one reduction.
class Scheduler {
public:
  Scheduler(VectorLoops &b, PoolingReduction reduction, int64_t vectorBits,
            int64_t cutBytes)
      : b(b), pooling(std::move(reduction)),
        accumulatorType(pooling.getAccumulatorType()),
        elementBytes(pooling.getInputType().getElementTypeBitWidth() / 8),
        maxLanes(vectorBits / accumulatorType.getWidth()), cutBytes(cutBytes),
        isWidened(elementBytes * 8 < accumulatorType.getWidth()),
        inWords(pooling.getInputType().getElementType().isBF16() &&
                accumulatorType.isF32()),
        ahead(kPrefetchBytes / elementBytes) {}

  /// The value that replaces the reduction's result.
  Value schedule();

private:
  using Carried = VectorLoops::Carried;
  /// Called in the innermost of loops, with one index for each group that has
  /// a loop.
  using Body = function_ref<Carried(Carried carried)>;

  Carried loopOver(bool reduced, Carried carried, Body body);
  Carried loopOver(ArrayRef<unsigned> groups, Carried carried, Body body);
  Carried loopOverSummedRows(int64_t together, Carried carried,
                             function_ref<Carried(int64_t, Carried)> body);
  Value makeScratch(int64_t count);
  void setVectors(int64_t most);
  int64_t vectorElements() const { return lanes * perLane; }
  Value getAddend(Value read);
  Carried getAddends(Value last);
  void addTo(MutableArrayRef<Value> sums, ArrayRef<Value> addends);
  Value finish(Value sums);
  SmallVector<Value> getInputIndices(Value last);
  SmallVector<Value> getOutputIndices();

  Value scheduleRows(Value dest);
  Value sumRow(Value row);
  bool isShortRow();
  Value sumShortRow();
  Carried sumLongRow(Carried sums);
  Value sumShortRows(Value first, int64_t count);
  std::pair<Value, Value> sumLongRows(Value first, int64_t count,
                                      Value scratch);
  Value sumAcross(Carried rows);
  Value addNeighbours(Value x, Value y, int64_t unit, int64_t span);
  void prefetch(Index last, int64_t bytes);
  Value getPiece(int64_t from, int64_t count);
  Carried getLastAddends(Index length, Index rest);
  int64_t getColumnPiece(int64_t columns);
  Value scheduleColumns(Value dest);
  Value sumColumnsInRegisters(int64_t columns, Value dest);
  Value finishColumns(ArrayRef<Value> sums);
  Carried sumColumnsInMemory(Index first, Index count, int64_t together,
                             Carried carried);
  Carried forVectors(
      Index count, Carried carried,
      function_ref<Carried(Value at, Carried)> body,
      function_ref<void(Value at, int64_t elements)> before = [](Value,
                                                                 int64_t) {});

  VectorLoops &b;
  PoolingReduction pooling;
  FloatType accumulatorType;
  int64_t elementBytes;
  int64_t maxLanes;
  int64_t cutBytes;
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
  auto inner = [&](Value i, Carried inner) {
    indices[groups[0]] = i;
    return loopOver(groups.drop_front(), inner, body);
  };
  Index zero = b.getIndexAttr(0), extent = extents[groups[0]];
  if (pooling.groups[groups[0]].reduced)
    return b.loop(zero, extent, 1, carried, inner);
  return b.independentLoop(zero, extent, 1, carried, inner);
}

/// Loops over all summed groups but the last group. In the innermost one `body`
/// is called for as many rows at a time as it is told: `together`, then the
/// rest one by one. The first of them is the current one.
VectorLoops::Carried
Scheduler::loopOverSummedRows(int64_t together, Carried carried,
                              function_ref<Carried(int64_t, Carried)> body) {
  unsigned rowGroup = extents.size() - 2;
  SmallVector<unsigned> outer;
  for (unsigned i = 0; i != rowGroup; ++i)
    if (pooling.groups[i].reduced)
      outer.push_back(i);
  return loopOver(outer, carried, [&](Carried inner) {
    Index rows = extents[rowGroup];
    Index whole = b.mul(b.floorDiv(rows, together), b.getIndexAttr(together));
    auto run = [&](Index from, Index to, int64_t step) {
      inner = b.loop(from, to, step, inner, [&](Value row, Carried sums) {
        indices[rowGroup] = row;
        return body(step, sums);
      });
    };
    run(b.getIndexAttr(0), whole, together);
    run(whole, rows, 1);
    return inner;
  });
}

/// Memory for `count` sums.
Value Scheduler::makeScratch(int64_t count) {
  // Not tensor.empty: CSE makes one of two of a size, and each loop that
  // threads share needs one of its own.
  return bufferization::AllocTensorOp::create(
      b, RankedTensorType::get(count, accumulatorType), ValueRange());
}

/// Takes vectors of at most `most` elements, and no longer than the processor
/// has.
void Scheduler::setVectors(int64_t most) {
  perLane = inWords && most > 1 ? 2 : 1;
  lanes =
      std::min<int64_t>(maxLanes, llvm::bit_floor(uint64_t(most)) / perLane);
}

/// What is added for the elements `read`.
Value Scheduler::getAddend(Value read) {
  Block &body = *pooling.sum.getBody();
  IRMapping map;
  map.map(body.getArgument(0), read);
  int64_t count = cast<VectorType>(read.getType()).getNumElements();
  return cloneOnVectors(b, body, pooling.addend, count, map);
}

/// What is added for a vector of elements of the current row from `last` on;
/// where lanes read two elements, first for the even ones, then for the odd
/// ones.
VectorLoops::Carried Scheduler::getAddends(Value last) {
  Value read = b.load(input, getInputIndices(last), vectorElements());
  if (perLane == 1)
    return {getAddend(read)};
  auto halves = vector::DeinterleaveOp::create(b, read);
  return {getAddend(halves.getRes1()), getAddend(halves.getRes2())};
}

void Scheduler::addTo(MutableArrayRef<Value> sums, ArrayRef<Value> addends) {
  for (auto [sum, addend] : llvm::zip_equal(sums, addends))
    sum = arith::AddFOp::create(b, sum, addend);
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

/// The sums of neighbours in `x`, then of those in `y`, in each `span` lanes.
/// Neighbours are `unit` lanes each.
Value Scheduler::addNeighbours(Value x, Value y, int64_t unit, int64_t span) {
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
Value Scheduler::sumAcross(Carried rows) {
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
  for (int64_t width = lanes / 2; width >= segment; width /= 2)
    sums = arith::AddFOp::create(b,
                                 vector::ExtractStridedSliceOp::create(
                                     b, sums, int64_t(0), width, int64_t(1)),
                                 vector::ExtractStridedSliceOp::create(
                                     b, sums, width, width, int64_t(1)));
  for (int64_t width = segment; width > inSegment; width /= 2) {
    SmallVector<int64_t> even, odd;
    for (int64_t i = 0; i < width; i += 2) {
      even.push_back(i);
      odd.push_back(i + 1);
    }
    sums =
        arith::AddFOp::create(b, vector::ShuffleOp::create(b, sums, sums, even),
                              vector::ShuffleOp::create(b, sums, sums, odd));
  }
  return sums;
}

/// Asks for `bytes` bytes that will be read a little later than what is at
/// `last` of the current row. What follows in memory, whatever its row: indices
/// beyond an extent only say how far away it is.
void Scheduler::prefetch(Index last, int64_t bytes) {
  auto type = cast<RankedTensorType>(input.getType());
  auto layout = StridedLayoutAttr::get(
      b.getContext(), ShapedType::kDynamic,
      SmallVector<int64_t>(type.getRank(), ShapedType::kDynamic));
  Value buffer = bufferization::ToBufferOp::create(
      b, MemRefType::get(type.getShape(), type.getElementType(), layout), input,
      /*read_only=*/true);
  for (int64_t byte = 0; byte < bytes; byte += kLineBytes) {
    Index at = b.add(last, b.getIndexAttr(ahead + byte / elementBytes));
    memref::PrefetchOp::create(b, buffer, getInputIndices(b.materialize(at)),
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
  }
}

/// What is added for the last `rest` elements of the current row of `length`
/// elements. They come in a vector that ends with the row, in which those
/// before them become zero. The row is no shorter than a vector, so nothing
/// outside it is read.
VectorLoops::Carried Scheduler::getLastAddends(Index length, Index rest) {
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
Value Scheduler::getPiece(int64_t from, int64_t count) {
  Value addend =
      getAddend(b.load(input, getInputIndices(b.constant(from)), count));
  return vector::InsertStridedSliceOp::create(
      b, addend, b.splat(accumulatorType, lanes, 0), int64_t(0), int64_t(1));
}

/// Whether rows are read without a loop.
bool Scheduler::isShortRow() {
  std::optional<int64_t> length = getConstantIntValue(extents.back());
  return length && *length <= kShortRowVectors * vectorElements();
}

Value Scheduler::sumShortRow() {
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
VectorLoops::Carried Scheduler::sumLongRow(Carried sums) {
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
Value Scheduler::sumRow(Value row) {
  if (row)
    indices[extents.size() - 2] = row;
  bool isShort = isShortRow();
  Carried start(isShort ? 1 : kRowAccumulators,
                b.splat(accumulatorType, lanes, 0));
  bool outer =
      llvm::any_of(llvm::drop_end(pooling.groups),
                   [](const AxisGroup &group) { return group.reduced; });
  if (isShort && !outer)
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
std::pair<Value, Value> Scheduler::sumLongRows(Value first, int64_t count,
                                               Value scratch) {
  scratch = b.loop(b.getIndexAttr(0), b.getIndexAttr(count), 1, {scratch},
                   [&](Value k, Carried carried) -> Carried {
                     Value sums = sumRow(b.materialize(b.add(first, k)));
                     Value at = b.materialize(b.mul(k, b.getIndexAttr(lanes)));
                     return {b.store(sums, carried[0], {at})};
                   })[0];
  Carried sums;
  for (int64_t k = 0; k != count; ++k)
    sums.push_back(b.load(scratch, {b.constant(k * lanes)}, lanes));
  return {sumAcross(sums), scratch};
}

/// The sums across `count` short rows from `first` on.
Value Scheduler::sumShortRows(Value first, int64_t count) {
  int64_t bytes = *getConstantIntValue(extents.back()) * elementBytes;
  // Only where rows follow one another in memory.
  bool inOrder = llvm::count_if(pooling.groups, [](const AxisGroup &group) {
                   return group.reduced;
                 }) == 1;
  Carried sums;
  for (int64_t k = 0; k != count; ++k) {
    if (inOrder) {
      // The lines that start in this row.
      indices[extents.size() - 2] = first;
      int64_t from = llvm::alignTo(k * bytes, kLineBytes);
      int64_t to = llvm::alignTo((k + 1) * bytes, kLineBytes);
      prefetch(b.getIndexAttr(from / elementBytes), to - from);
    }
    sums.push_back(sumRow(b.materialize(b.add(first, b.getIndexAttr(k)))));
  }
  return sumAcross(sums);
}

Value Scheduler::scheduleRows(Value dest) {
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
  unsigned rowGroup = extents.size() - 2;
  bool together = lanes > 1 && (isShortRow() || isWidened);
  Carried start = {dest};
  if (together && !isShortRow())
    start.push_back(makeScratch(rowsTogether * lanes));
  SmallVector<unsigned> outer;
  for (unsigned i = 0; i != rowGroup; ++i)
    if (!pooling.groups[i].reduced)
      outer.push_back(i);
  return loopOver(outer, start, [&](Carried carried) {
    Index zero = b.getIndexAttr(0), rows = extents[rowGroup], grouped = zero;
    if (together) {
      grouped =
          b.mul(b.floorDiv(rows, rowsTogether), b.getIndexAttr(rowsTogether));
      carried = b.independentLoop(
          zero, grouped, rowsTogether, carried,
          [&](Value first, Carried inner) {
            Value sums;
            if (isShortRow())
              sums = sumShortRows(first, rowsTogether);
            else
              std::tie(sums, inner[1]) =
                  sumLongRows(first, rowsTogether, inner[1]);
            indices[rowGroup] = first;
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

//===----------------------------------------------------------------------===//
// Columns: the last group is kept
//===----------------------------------------------------------------------===//

/// All columns at once, in registers.
Value Scheduler::sumColumnsInRegisters(int64_t columns, Value dest) {
  // The last vector ends with the columns; those that it shares with the one
  // before it are computed twice, alike.
  SmallVector<Value> at;
  for (int64_t column = 0; column < columns; column += vectorElements())
    at.push_back(b.constant(std::min(column, columns - vectorElements())));
  // Several rows at a time have accumulators of their own, where there would be
  // too few of them to hide the latency of an addition.
  int64_t perRow = at.size() * perLane;
  int64_t together = std::max<int64_t>(1, kColumnVectors / perRow);
  if (std::optional<int64_t> rows =
          getConstantIntValue(extents[extents.size() - 2]))
    together = std::min(together, *rows);
  Carried sums(together * perRow, b.splat(accumulatorType, lanes, 0));
  sums = loopOverSummedRows(together, sums, [&](int64_t rows, Carried carried) {
    Value first = indices[indices.size() - 2];
    prefetch(b.getIndexAttr(0), rows * columns * elementBytes);
    MutableArrayRef<Value> left = carried;
    for (int64_t row = 0; row != rows; ++row) {
      indices[indices.size() - 2] =
          b.materialize(b.add(first, b.getIndexAttr(row)));
      for (Value column : at) {
        addTo(left.take_front(perLane), getAddends(column));
        left = left.drop_front(perLane);
      }
    }
    return carried;
  });
  MutableArrayRef<Value> all = sums;
  for (int64_t row = 1; row != together; ++row)
    addTo(all.take_front(perRow), all.slice(row * perRow, perRow));
  for (auto [i, column] : llvm::enumerate(at)) {
    SmallVector<Value> to = getOutputIndices();
    to.push_back(column);
    dest = b.store(finishColumns(all.slice(i * perLane, perLane)), dest, to);
  }
  return dest;
}

/// The results for the sums in vectors of columns.
Value Scheduler::finishColumns(ArrayRef<Value> sums) {
  Value even = finish(sums[0]);
  if (sums.size() == 1)
    return even;
  Value odd = finish(sums[1]);
  return vector::InterleaveOp::create(b, even, odd);
}

/// Calls `body` for each vector of `count` elements; `lanes` and `perLane` say
/// how wide it is. `before` is called once for those of one pass.
VectorLoops::Carried
Scheduler::forVectors(Index count, Carried carried,
                      function_ref<Carried(Value, Carried)> body,
                      function_ref<void(Value, int64_t)> before) {
  int64_t wideLanes = lanes, widePerLane = perLane;
  Index done = b.getIndexAttr(0);
  auto run = [&](int64_t together) {
    int64_t step = vectorElements() * together;
    Index end = b.add(done, b.mul(b.floorDiv(b.sub(count, done), step),
                                  b.getIndexAttr(step)));
    carried = b.loop(done, end, step, carried, [&](Value at, Carried inner) {
      before(at, step);
      for (int64_t i = 0; i != together; ++i)
        inner =
            body(b.materialize(b.add(at, b.getIndexAttr(i * vectorElements()))),
                 inner);
      return inner;
    });
    done = end;
  };
  run(kColumnsTogether);
  // Narrower and narrower vectors where that needs no loop, else one by one.
  std::optional<int64_t> known = getConstantIntValue(count);
  for (; lanes > 1; lanes = known ? lanes / 2 : 1)
    run(1);
  for (; perLane >= 1; --perLane)
    run(1);
  lanes = wideLanes;
  perLane = widePerLane;
  return carried;
}

/// `count` columns from `first` on: row after row is added to an accumulator in
/// memory, so that the input is read in order. With several rows at a time the
/// columns are whole rows. Carried are the result and the accumulator, in which
/// each vector of columns has its lanes' first elements before the second ones.
VectorLoops::Carried Scheduler::sumColumnsInMemory(Index first, Index count,
                                                   int64_t together,
                                                   Carried carried) {
  auto getPart = [&](Value at, int64_t part) {
    return b.materialize(b.add(at, b.getIndexAttr(part * lanes)));
  };
  auto loadSums = [&](Value accumulator, Value at) {
    Carried sums;
    for (int64_t part = 0; part != perLane; ++part)
      sums.push_back(b.load(accumulator, {getPart(at, part)}, lanes));
    return sums;
  };
  auto storeSums = [&](ArrayRef<Value> sums, Value accumulator, Value at) {
    for (auto [part, sum] : llvm::enumerate(sums))
      accumulator = b.store(sum, accumulator, {getPart(at, part)});
    return accumulator;
  };

  carried[1] = forVectors(count, {carried[1]}, [&](Value at, Carried inner) {
    Carried zeros(perLane, b.splat(accumulatorType, lanes, 0));
    return Carried{storeSums(zeros, inner[0], at)};
  })[0];
  auto addRows = [&](int64_t rows, Carried inner) {
    unsigned rowGroup = indices.size() - 2;
    Value firstRow = indices[rowGroup];
    auto fetch = [&](Value at, int64_t elements) {
      // What comes in one pass over the rows is asked for in the order in
      // which it lies in memory.
      indices[rowGroup] = firstRow;
      if (elements * elementBytes >= kLineBytes)
        prefetch(b.add(first, b.mul(at, b.getIndexAttr(rows))),
                 rows * elements * elementBytes);
    };
    return forVectors(
        count, inner,
        [&](Value at, Carried accumulator) {
          Value column = b.materialize(b.add(first, at));
          Carried sums = loadSums(accumulator[0], at);
          for (int64_t row = 0; row != rows; ++row) {
            indices[rowGroup] =
                b.materialize(b.add(firstRow, b.getIndexAttr(row)));
            addTo(sums, getAddends(column));
          }
          return Carried{storeSums(sums, accumulator[0], at)};
        },
        fetch);
  };
  carried[1] = loopOverSummedRows(together, {carried[1]}, addRows)[0];
  Value accumulator = carried[1];
  carried[0] = forVectors(count, {carried[0]}, [&](Value at, Carried inner) {
    SmallVector<Value> to = getOutputIndices();
    to.push_back(b.materialize(b.add(first, at)));
    return Carried{
        b.store(finishColumns(loadSums(accumulator, at)), inner[0], to)};
  })[0];
  return carried;
}

/// How many of `columns` columns, that make a chunk of the rows, are taken at a
/// time: fewer where threads have nothing else to share.
int64_t Scheduler::getColumnPiece(int64_t columns) {
  RankedTensorType type = pooling.getInputType();
  bool single =
      llvm::all_of(llvm::zip_equal(pooling.groups, extents), [&](auto pair) {
        auto &[group, extent] = pair;
        return group.reduced || &extent == &extents.back() ||
               isOneInteger(extent);
      });
  if (cutBytes == 0 || !single || !type.hasStaticShape() ||
      type.getNumElements() * elementBytes < cutBytes)
    return columns;
  int64_t pieces = kMaxColumnPieces;
  while (pieces > 1 && columns * elementBytes < pieces * kPieceBytes)
    pieces /= 2;
  if (pieces == 1)
    return columns;
  int64_t piece = llvm::alignTo(llvm::divideCeil(columns, pieces),
                                lanes * kColumnsTogether);
  // As many bytes of the piece ahead: whole rows.
  ahead = llvm::divideCeil(kPrefetchBytes, piece * elementBytes) *
          *getConstantIntValue(extents.back());
  return piece;
}

Value Scheduler::scheduleColumns(Value dest) {
  Index columns = extents.back();
  std::optional<int64_t> known = getConstantIntValue(columns);
  if (known && *known <= kColumnVectors * maxLanes) {
    setVectors(*known);
    return loopOver(/*reduced=*/false, {dest}, [&](Carried carried) {
      return Carried{sumColumnsInRegisters(*known, carried[0])};
    })[0];
  }
  setVectors(maxLanes * 2);
  int64_t chunk = kColumnBytes * 8 / accumulatorType.getWidth();
  if (known)
    chunk = getColumnPiece(std::min(chunk, *known));
  int64_t together = 1;
  if (known && chunk == *known && isWidened) {
    together = kWidenedRowsTogether;
    // Not what the pass reads itself.
    ahead = std::max(ahead, together * chunk);
  }
  Value accumulator = makeScratch(chunk);
  return loopOver(/*reduced=*/false, {dest, accumulator}, [&](Carried carried) {
    Index whole = b.mul(b.floorDiv(columns, chunk), b.getIndexAttr(chunk));
    Index rest = b.sub(columns, whole);
    return b.independentLoop(b.getIndexAttr(0), columns, chunk, carried,
                             [&](Value first, Carried inner) {
                               auto sum = [&](Index count) {
                                 return sumColumnsInMemory(first, count,
                                                           together, inner);
                               };
                               if (isZeroInteger(rest))
                                 return sum(b.getIndexAttr(chunk));
                               return b.ifLess(
                                   first, whole, ValueRange(inner).getTypes(),
                                   [&] { return sum(b.getIndexAttr(chunk)); },
                                   [&] { return sum(rest); });
                             });
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
  // The result's type may say more than the input's.
  RankedTensorType flatType =
      tensor::CollapseShapeOp::inferCollapsedType(resultType, outputGroups);
  if (result.getType() != flatType)
    result = tensor::CastOp::create(b, flatType, result);
  if (flatType != resultType) {
    Value like = root.getDpsInitOperand(0)->get();
    result = tensor::ExpandShapeOp::create(
        b, resultType, result, outputGroups,
        tensor::getMixedSizes(b, b.getLoc(), like));
  }
  return result;
}

/// Has the result of expand_shapes written to a buffer without them: the buffer
/// is seen in the other shape, so that the loops write to it and nothing has to
/// be copied.
static void writeUnexpanded(RewriterBase &rewriter,
                            bufferization::MaterializeInDestinationOp write) {
  if (!isa<MemRefType>(write.getDest().getType()))
    return;
  rewriter.setInsertionPoint(write);
  while (auto expand =
             write.getSource().getDefiningOp<tensor::ExpandShapeOp>()) {
    Value dest = memref::CollapseShapeOp::create(
        rewriter, write.getLoc(), write.getDest(),
        expand.getReassociationIndices());
    rewriter.modifyOpInPlace(write, [&] {
      write.getSourceMutable().assign(expand.getSrc());
      write.getDestMutable().assign(dest);
    });
  }
}

namespace {

struct SchedulePooling final
    : headopt::impl::SchedulePoolingBase<SchedulePooling> {
  using SchedulePoolingBase::SchedulePoolingBase;

  void runOnOperation() override {
    if (vectorBits != 128 && vectorBits != 256 && vectorBits != 512) {
      getOperation().emitError("schedule-pooling: vector-bits is ")
          << vectorBits.getValue() << "; give 128, 256 or 512";
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
      if (failed(pooling)) {
        if (op.getNumReductionLoops() != 0)
          remark::missed(
              op.getLoc(),
              remark::RemarkOpts::name("Pooling").category("schedule-pooling"))
              << remark::reason("{0}", whyNot.str());
        continue;
      }
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
      Value result =
          Scheduler(builder, *pooling, vectorBits, cutBytes).schedule();
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
