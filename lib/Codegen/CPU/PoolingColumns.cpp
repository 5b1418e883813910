//===- PoolingColumns.cpp - Sums of columns by vectors --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A vector holds neighbouring columns, and rows are added one after another to
// accumulators of all columns: in registers where they fit, else in memory.
//
//===----------------------------------------------------------------------===//

#include "PoolingLoops.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace headopt;

namespace {

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

/// Writes the loops where columns are summed.
class ColumnSchedule : PoolingLoops {
public:
  ColumnSchedule(const PoolingLoops &loops, int64_t cutBytes)
      : PoolingLoops(loops), cutBytes(cutBytes) {}

  Value schedule(Value dest);

private:
  Carried loopOverSummedRows(int64_t together, Carried carried,
                             function_ref<Carried(int64_t, Carried)> body);
  Value sumInRegisters(int64_t columns, Value dest);
  Carried sumInMemory(Index first, Index count, int64_t together,
                      Carried carried);
  Value finishColumns(ArrayRef<Value> sums);
  int64_t getPiece(int64_t columns);
  Carried forVectors(
      Index count, Carried carried,
      function_ref<Carried(Value at, Carried)> body,
      function_ref<void(Value at, int64_t elements)> before = [](Value,
                                                                 int64_t) {});

  int64_t cutBytes;
};

} // namespace

/// Loops over all summed groups but the last group. In the innermost one `body`
/// is called for as many rows at a time as it is told: `together`, then the
/// rest one by one. The first of them is the current one.
VectorLoops::Carried ColumnSchedule::loopOverSummedRows(
    int64_t together, Carried carried,
    function_ref<Carried(int64_t, Carried)> body) {
  return loopOverOuter(/*reduced=*/true, carried, [&](Carried inner) {
    Index rows = extents[getRowGroup()];
    Index whole = b.mul(b.floorDiv(rows, together), b.getIndexAttr(together));
    auto run = [&](Index from, Index to, int64_t step) {
      inner = b.loop(from, to, step, inner, [&](Value row, Carried sums) {
        getRow() = row;
        return body(step, sums);
      });
    };
    run(b.getIndexAttr(0), whole, together);
    run(whole, rows, 1);
    return inner;
  });
}

/// All columns at once, in registers.
Value ColumnSchedule::sumInRegisters(int64_t columns, Value dest) {
  // The last vector ends with the columns; those that it shares with the one
  // before it are computed twice, alike.
  SmallVector<Value> at;
  for (int64_t column = 0; column < columns; column += vectorElements())
    at.push_back(b.constant(std::min(column, columns - vectorElements())));
  // Several rows at a time have accumulators of their own, where there would be
  // too few of them to hide the latency of an addition.
  int64_t perRow = at.size() * perLane;
  int64_t together = std::max<int64_t>(1, kColumnVectors / perRow);
  if (std::optional<int64_t> rows = getConstantIntValue(extents[getRowGroup()]))
    together = std::min(together, *rows);
  Carried sums(together * perRow, b.splat(accumulatorType, lanes, 0));
  sums = loopOverSummedRows(together, sums, [&](int64_t rows, Carried carried) {
    Value first = getRow();
    prefetch(b.getIndexAttr(0), rows * columns * elementBytes);
    MutableArrayRef<Value> left = carried;
    for (int64_t row = 0; row != rows; ++row) {
      getRow() = b.materialize(b.add(first, b.getIndexAttr(row)));
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
Value ColumnSchedule::finishColumns(ArrayRef<Value> sums) {
  Value even = finish(sums[0]);
  if (sums.size() == 1)
    return even;
  Value odd = finish(sums[1]);
  return vector::InterleaveOp::create(b, even, odd);
}

/// Calls `body` for each vector of `count` elements; `lanes` and `perLane` say
/// how wide it is. `before` is called once for those of one pass.
VectorLoops::Carried
ColumnSchedule::forVectors(Index count, Carried carried,
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
VectorLoops::Carried ColumnSchedule::sumInMemory(Index first, Index count,
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
    Value firstRow = getRow();
    auto fetch = [&](Value at, int64_t elements) {
      // What comes in one pass over the rows is asked for in the order in
      // which it lies in memory.
      getRow() = firstRow;
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
            getRow() = b.materialize(b.add(firstRow, b.getIndexAttr(row)));
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
int64_t ColumnSchedule::getPiece(int64_t columns) {
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
                                vectorElements() * kColumnsTogether);
  // As many bytes of the piece ahead: whole rows.
  ahead = llvm::divideCeil(kPrefetchBytes, piece * elementBytes) *
          *getConstantIntValue(extents.back());
  return piece;
}

Value ColumnSchedule::schedule(Value dest) {
  Index columns = extents.back();
  std::optional<int64_t> known = getConstantIntValue(columns);
  if (known && *known <= kColumnVectors * maxLanes) {
    setVectors(*known);
    return loopOver(/*reduced=*/false, {dest}, [&](Carried carried) {
      return Carried{sumInRegisters(*known, carried[0])};
    })[0];
  }
  setVectors(maxLanes * 2);
  int64_t chunk = kColumnBytes * 8 / accumulatorType.getWidth();
  if (known)
    chunk = getPiece(std::min(chunk, *known));
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
                                 return sumInMemory(first, count, together,
                                                    inner);
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

Value headopt::scheduleColumns(const PoolingLoops &loops, Value dest,
                               int64_t cutBytes) {
  return ColumnSchedule(loops, cutBytes).schedule(dest);
}
