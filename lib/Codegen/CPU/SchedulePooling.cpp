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
/// hardware follows a stream best when few instructions read it.
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
constexpr int64_t kColumnsTogether = 2;
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
  Value getAddend(Value read);
  Value finish(Value sums);
  SmallVector<Value> getInputIndices(Value last);
  SmallVector<Value> getOutputIndices();

  Value scheduleRows(Value dest);
  Value sumRow(Value row);
  Value sumShortRow(int64_t length);
  Carried sumLongRow(Carried sums);
  Value sumAcross(Value x, Value y);
  Value addNeighbours(Value x, Value y, int64_t segment);
  void prefetch(Value last, int64_t bytes);
  Value getPiece(int64_t from, int64_t count);
  Value getLastLanes(Index length, Index rest);
  int64_t getColumnPiece(int64_t columns);
  Value scheduleColumns(Value dest);
  Value sumColumnsInRegisters(int64_t columns, Value dest);
  Carried sumColumnsInMemory(Index first, Index count, Carried carried);
  Carried forVectors(Index count, Carried carried,
                     function_ref<Carried(Value at, Carried)> body);

  VectorLoops &b;
  PoolingReduction pooling;
  FloatType accumulatorType;
  int64_t elementBytes;
  int64_t maxLanes;
  int64_t cutBytes;
  /// How many elements ahead memory is fetched.
  int64_t ahead;
  /// Of the vectors in use.
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
  auto inner = [&](Value i, Carried inner) {
    indices[groups[0]] = i;
    return loopOver(groups.drop_front(), inner, body);
  };
  Index zero = b.getIndexAttr(0), extent = extents[groups[0]];
  if (pooling.groups[groups[0]].reduced)
    return b.loop(zero, extent, 1, carried, inner);
  return b.independentLoop(zero, extent, 1, carried, inner);
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

/// The sums of neighbouring lanes of `x`, then of `y`, in each `segment` lanes.
Value Scheduler::addNeighbours(Value x, Value y, int64_t segment) {
  int64_t width = cast<VectorType>(x.getType()).getNumElements();
  SmallVector<int64_t> even, odd;
  for (int64_t start = 0; start < width; start += segment)
    for (int64_t from : {int64_t(0), width})
      for (int64_t i = 0; i < segment; i += 2) {
        even.push_back(from + start + i);
        odd.push_back(from + start + i + 1);
      }
  return arith::AddFOp::create(b, vector::ShuffleOp::create(b, x, y, even),
                               vector::ShuffleOp::create(b, x, y, odd));
}

/// The sum of the lanes of `x` and that of the lanes of `y`, each by the same
/// additions. Vectors of one lane are sums already.
Value Scheduler::sumAcross(Value x, Value y) {
  assert(lanes > 1 && "one lane is a sum");
  int64_t segment =
      std::min<int64_t>(kLaneBits / accumulatorType.getWidth(), lanes);
  Value sums = addNeighbours(x, y, segment);
  for (int64_t width = lanes / 2; width >= segment; width /= 2)
    sums = arith::AddFOp::create(b,
                                 vector::ExtractStridedSliceOp::create(
                                     b, sums, int64_t(0), width, int64_t(1)),
                                 vector::ExtractStridedSliceOp::create(
                                     b, sums, width, width, int64_t(1)));
  // What is left: half a segment of each.
  for (int64_t width = segment; width > 2; width /= 2) {
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
void Scheduler::prefetch(Value last, int64_t bytes) {
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
    if (carried.size() == kRowAccumulators)
      prefetch(from, kRowAccumulators * lanes * elementBytes);
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
  // No more than a row has; a power of two.
  lanes = length
              ? std::min<int64_t>(maxLanes, llvm::bit_floor(uint64_t(*length)))
              : maxLanes;
  auto insertOne = [&](Value row, Value into, ValueRange at) -> Value {
    Value sum = finish(lanes == 1 ? row : sumAcross(row, row));
    sum = vector::ExtractOp::create(b, sum, int64_t(0));
    return tensor::InsertOp::create(b, sum, into, at);
  };
  if (extents.size() == 1)
    return insertOne(sumRow(nullptr), dest, {});

  // The rows lie along the group before the last, which is kept.
  unsigned rowGroup = extents.size() - 2;
  bool together = length && *length <= kShortRowVectors * lanes && lanes > 1;
  // Only where rows follow one another in memory.
  bool inOrder = together && llvm::count_if(pooling.groups, [](auto &group) {
                               return group.reduced;
                             }) == 1;
  SmallVector<unsigned> outer;
  for (unsigned i = 0; i != rowGroup; ++i)
    if (!pooling.groups[i].reduced)
      outer.push_back(i);
  return loopOver(outer, {dest}, [&](Carried carried) {
    Index zero = b.getIndexAttr(0), rows = extents[rowGroup], grouped = zero;
    if (together) {
      grouped =
          b.mul(b.floorDiv(rows, kRowsTogether), b.getIndexAttr(kRowsTogether));
      carried = b.independentLoop(
          zero, grouped, kRowsTogether, carried,
          [&](Value first, Carried inner) -> Carried {
            indices[rowGroup] = first;
            if (inOrder)
              prefetch(b.constant(0), kRowsTogether * *length * elementBytes);
            Value x = sumRow(first);
            Value y = sumRow(b.materialize(b.add(first, b.getIndexAttr(1))));
            indices[rowGroup] = first;
            return {
                b.store(finish(sumAcross(x, y)), inner[0], getOutputIndices())};
          });
    }
    return b.independentLoop(
        grouped, rows, 1, carried, [&](Value row, Carried inner) -> Carried {
          Value sums = sumRow(row);
          return {insertOne(sums, inner[0], getOutputIndices())};
        });
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
  for (int64_t column = 0; column < columns; column += lanes)
    at.push_back(b.constant(std::min(column, columns - lanes)));
  Carried sums(at.size(), b.splat(accumulatorType, lanes, 0));
  sums = loopOver(/*reduced=*/true, sums, [&](Carried carried) {
    for (auto [column, sum] : llvm::zip_equal(at, carried)) {
      Value addend = getAddend(b.load(input, getInputIndices(column), lanes));
      sum = arith::AddFOp::create(b, sum, addend);
    }
    return carried;
  });
  for (auto [column, sum] : llvm::zip_equal(at, sums)) {
    SmallVector<Value> to = getOutputIndices();
    to.push_back(column);
    dest = b.store(finish(sum), dest, to);
  }
  return dest;
}

/// Calls `body` for each vector of `count` elements; `lanes` says how wide it
/// is.
VectorLoops::Carried
Scheduler::forVectors(Index count, Carried carried,
                      function_ref<Carried(Value, Carried)> body) {
  int64_t wide = lanes;
  Index done = b.getIndexAttr(0);
  auto run = [&](int64_t together) {
    int64_t step = lanes * together;
    Index end = b.add(done, b.mul(b.floorDiv(b.sub(count, done), step),
                                  b.getIndexAttr(step)));
    carried = b.loop(done, end, step, carried, [&](Value at, Carried inner) {
      for (int64_t i = 0; i != together; ++i)
        inner =
            body(b.materialize(b.add(at, b.getIndexAttr(i * lanes))), inner);
      return inner;
    });
    done = end;
  };
  run(kColumnsTogether);
  // Narrower and narrower vectors where that needs no loop, else one by one.
  std::optional<int64_t> known = getConstantIntValue(count);
  for (; lanes > 1; lanes = known ? lanes / 2 : 1)
    run(1);
  run(1);
  lanes = wide;
  return carried;
}

/// `count` columns from `first` on: row after row is added to an accumulator in
/// memory, so that the input is read in order. Carried are the result and the
/// accumulator.
VectorLoops::Carried Scheduler::sumColumnsInMemory(Index first, Index count,
                                                   Carried carried) {
  carried[1] = forVectors(count, {carried[1]}, [&](Value at, Carried inner) {
    Value zero = b.splat(accumulatorType, lanes, 0);
    return Carried{b.store(zero, inner[0], {at})};
  })[0];
  carried[1] = loopOver(/*reduced=*/true, {carried[1]}, [&](Carried rows) {
    return forVectors(count, rows, [&](Value at, Carried inner) {
      Value column = b.materialize(b.add(first, at));
      if (lanes * elementBytes >= kLineBytes)
        prefetch(column, lanes * elementBytes);
      Value addend = getAddend(b.load(input, getInputIndices(column), lanes));
      Value sum = b.load(inner[0], {at}, lanes);
      sum = arith::AddFOp::create(b, sum, addend);
      return Carried{b.store(sum, inner[0], {at})};
    });
  })[0];
  Value accumulator = carried[1];
  carried[0] = forVectors(count, {carried[0]}, [&](Value at, Carried inner) {
    SmallVector<Value> to = getOutputIndices();
    to.push_back(b.materialize(b.add(first, at)));
    Value sum = b.load(accumulator, {at}, lanes);
    return Carried{b.store(finish(sum), inner[0], to)};
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
    lanes = std::min<int64_t>(maxLanes, llvm::bit_floor(uint64_t(*known)));
    return loopOver(/*reduced=*/false, {dest}, [&](Carried carried) {
      return Carried{sumColumnsInRegisters(*known, carried[0])};
    })[0];
  }
  lanes = maxLanes;
  int64_t chunk = kColumnBytes * 8 / accumulatorType.getWidth();
  if (known)
    chunk = getColumnPiece(std::min(chunk, *known));
  // Not tensor.empty: CSE makes one of two of a size, and each loop that
  // threads share needs an accumulator of its own.
  Value accumulator = bufferization::AllocTensorOp::create(
      b, RankedTensorType::get(chunk, accumulatorType), ValueRange());
  return loopOver(/*reduced=*/false, {dest, accumulator}, [&](Carried carried) {
    Index whole = b.mul(b.floorDiv(columns, chunk), b.getIndexAttr(chunk));
    Index rest = b.sub(columns, whole);
    return b.independentLoop(b.getIndexAttr(0), columns, chunk, carried,
                             [&](Value first, Carried inner) {
                               auto sum = [&](Index count) {
                                 return sumColumnsInMemory(first, count, inner);
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
