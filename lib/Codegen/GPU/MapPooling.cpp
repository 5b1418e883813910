//===- MapPooling.cpp - Reductions over axes as kernels -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The input is seen with one axis for each group of adjacent axes that are all
// kept or all reduced, and is read in one of two ways:
//
// * rows, when the last group is reduced (NCHW): short rows by some lanes of a
//   sub-group each, so that a sub-group reads several rows that follow each
//   other in memory; longer ones by a block; the longest in pieces, by a block
//   each, whose results a second kernel joins.
// * columns, when the last group is kept (NHWC): a thread has some columns that
//   follow each other, and the threads of a block share out what is reduced.
//   When that is much, it is done in pieces, too.
//
// Which way is taken depends on the reduced extents alone, never on how many
// results there are, and nothing is added up in an order that is left open. So
// a sample's result is the same bits in every batch and in every run.
//
//===----------------------------------------------------------------------===//

#include "../ElementwiseBody.h"
#include "KernelBuilder.h"
#include "Mapping.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace headopt;

/// Threads of a block that reads short rows: few, so that small maps reach many
/// processors.
static constexpr int64_t kRowThreads = 128;
/// Accesses that one lane makes of a short row.
static constexpr int64_t kAccessesOfLane = 8;
/// Accesses in flight in one pass of a loop.
static constexpr int64_t kUnroll = 4;
/// Elements of the longest row that a sub-group, or a part of one, reads.
static constexpr int64_t kShortRow = 1024;
/// Elements of the longest row that one block reads, and of a piece of a longer
/// one: enough for a block to be worth its start.
static constexpr int64_t kBlockRow = 16384;
static constexpr int64_t kRowPiece = 8192;
/// What one block reduces of columns, and a piece of more.
static constexpr int64_t kBlockColumn = 4096;
static constexpr int64_t kColumnPiece = 1024;

namespace {

using Values = KernelBuilder::Values;

/// One kernel's worth: memory that is read with `extents` in units of
/// `from.lanes` elements, and reduced over the groups that `reduced` names.
struct Stage {
  DeviceBuffer from, to;
  SmallVector<Index> extents;
  SmallVector<bool> reduced;
  /// The elements are those of the input, or else what an earlier stage left.
  bool isFirst = true;
  /// What is written is the result.
  bool isLast = true;
};

/// Writes the kernels of one reduction.
class PoolingMapper {
public:
  PoolingMapper(KernelBuilder &b, PoolingReduction reduction)
      : b(b), pooling(std::move(reduction)), combiner(pooling.combiner) {}

  /// The value that replaces the reduction's result.
  Value map();

private:
  void mapStage(const Stage &stage);
  void mapRows(const Stage &stage);
  void mapShortRows(const Stage &stage);
  void mapLongRows(Stage stage, Index pieces);
  void mapColumns(Stage stage, Index pieces);

  Index count(const Stage &stage, bool reduced, bool withLast);
  Value getOffset(const Stage &stage, bool reduced, Value index);
  Values fold(const Stage &stage, Index count, Value lane, int64_t width,
              function_ref<Value(Value)> address, Values sums);
  Values foldAll(const Stage &stage, Index outer, Index count, Value lane,
                 int64_t width, function_ref<Value(Value, Value)> address);
  Value finish(const Stage &stage, Value number);

  KernelBuilder &b;
  PoolingReduction pooling;
  Combiner combiner;
};

} // namespace

/// The extents of all kept or all reduced groups, multiplied; the last group
/// only `withLast`.
Index PoolingMapper::count(const Stage &stage, bool reduced, bool withLast) {
  Index product = b.getIndexAttr(1);
  for (unsigned i = 0, e = stage.extents.size() - !withLast; i < e; ++i)
    if (stage.reduced[i] == reduced)
      product = b.mul(product, stage.extents[i]);
  return product;
}

/// Where element `index` of all kept or all reduced groups but the last one
/// starts, in accesses.
Value PoolingMapper::getOffset(const Stage &stage, bool reduced, Value index) {
  Index offset = b.getIndexAttr(0), rest = index;
  SmallVector<unsigned> groups;
  for (unsigned i = 0, e = stage.extents.size() - 1; i < e; ++i)
    if (stage.reduced[i] == reduced)
      groups.push_back(i);
  while (!groups.empty()) {
    unsigned group = groups.pop_back_val();
    Index stride = b.getIndexAttr(1);
    for (Index extent : ArrayRef(stage.extents).drop_front(group + 1))
      stride = b.mul(stride, extent);
    Index position =
        groups.empty() ? rest : b.remainder(rest, stage.extents[group]);
    offset = b.add(offset, b.mul(position, stride));
    if (!groups.empty())
      rest = b.floorDiv(rest, stage.extents[group]);
  }
  return b.materialize(offset);
}

/// Joins accesses lane, lane + width ... below `count` to `sums`, which are
/// kUnroll for each element of an access; `address` says where access i is.
/// Nothing is read beyond `count`.
Values PoolingMapper::fold(const Stage &stage, Index count, Value lane,
                           int64_t width, function_ref<Value(Value)> address,
                           Values sums) {
  int64_t lanes = stage.from.lanes;
  auto foldOne = [&](Value i, int64_t unrolled, Values sums) {
    Values elements = b.read(stage.from, address(i));
    for (auto [k, element] : llvm::enumerate(elements)) {
      Value &sum = sums[unrolled * lanes + k];
      sum = stage.isFirst ? b.inlineBody(*pooling.sum.getBody(), {element, sum})
                          : b.join(combiner, sum, element);
    }
    return sums;
  };
  auto at = [&](Index start, int64_t unrolled) {
    return b.materialize(
        b.add(b.add(start, lane), b.getIndexAttr(unrolled * width)));
  };
  int64_t step = width * kUnroll;
  Index main = b.mul(b.floorDiv(count, step), b.getIndexAttr(step));
  sums = b.loop(b.getIndexAttr(0), main, b.getIndexAttr(step), sums,
                [&](Value start, Values carried) {
                  for (int64_t u = 0; u != kUnroll; ++u)
                    carried = foldOne(at(start, u), u, carried);
                  return carried;
                });
  std::optional<int64_t> known = getConstantIntValue(count);
  for (int64_t u = 0; u != kUnroll; ++u) {
    if (known && *known % step <= u * width)
      break;
    Value i = at(main, u);
    if (known && *known % step >= (u + 1) * width) {
      sums = foldOne(i, u, sums);
      continue;
    }
    auto slice = MutableArrayRef(sums).slice(u * lanes, lanes);
    Values joined = b.when(b.isBelow(i, count), Values(slice), [&] {
      Values after = foldOne(i, u, sums);
      return Values(ArrayRef(after).slice(u * lanes, lanes));
    });
    llvm::copy(joined, slice.begin());
  }
  return sums;
}

/// What one thread joins of `outer` times `count` accesses: one number for each
/// element of an access.
Values PoolingMapper::foldAll(const Stage &stage, Index outer, Index count,
                              Value lane, int64_t width,
                              function_ref<Value(Value, Value)> address) {
  int64_t lanes = stage.from.lanes;
  Value neutral = b.getNeutral(combiner, pooling.getAccumulatorType());
  Values sums =
      b.loop(b.getIndexAttr(0), outer, b.getIndexAttr(1),
             Values(kUnroll * lanes, neutral), [&](Value r, Values carried) {
               return fold(
                   stage, count, lane, width,
                   [&](Value i) { return address(r, i); }, carried);
             });
  Values joined;
  for (int64_t k = 0; k != lanes; ++k) {
    Values unrolled;
    for (int64_t u = 0; u != kUnroll; ++u)
      // What was never joined to is no part of the sum.
      if (Value sum = sums[u * lanes + k]; sum != neutral || u == 0)
        unrolled.push_back(sum);
    joined.push_back(b.joinAll(combiner, unrolled));
  }
  return joined;
}

/// What is written for what `stage` reduced to.
Value PoolingMapper::finish(const Stage &stage, Value number) {
  if (!stage.isLast || !pooling.epilogue)
    return number;
  Block &body = *pooling.epilogue.getBody();
  // The second argument is not used: matchReduction says so.
  return b.inlineBody(body, {number, number});
}

//===----------------------------------------------------------------------===//
// Rows: the last group is reduced
//===----------------------------------------------------------------------===//

/// Some lanes of a sub-group for each row.
void PoolingMapper::mapShortRows(const Stage &stage) {
  Index length = stage.extents.back();
  int64_t lanes = b.getSubgroupSize();
  if (std::optional<int64_t> known = getConstantIntValue(length))
    lanes = std::min<int64_t>(
        lanes,
        llvm::bit_ceil(uint64_t(llvm::divideCeil(*known, kAccessesOfLane))));
  int64_t threads = std::max(kRowThreads, b.getSubgroupSize());
  int64_t rowsOfBlock = threads / lanes;
  Index numRows = count(stage, /*reduced=*/false, /*withLast=*/false);
  Index outer = count(stage, /*reduced=*/true, /*withLast=*/false);
  Index tasks = b.ceilDiv(numRows, b.getIndexAttr(rowsOfBlock));
  b.launch("rows", tasks, threads, [&](Value task, Value thread) {
    Index row = b.add(b.mul(task, b.getIndexAttr(rowsOfBlock)),
                      b.floorDiv(thread, lanes));
    Value lane = b.materialize(b.remainder(thread, b.getIndexAttr(lanes)));
    // Lanes without a row of their own read the last one: all lanes have to be
    // there to exchange sums.
    Index last = b.sub(numRows, b.getIndexAttr(1));
    Value kept =
        getOffset(stage, /*reduced=*/false, b.materialize(b.min(row, last)));
    Values sums =
        foldAll(stage, outer, length, lane, lanes, [&](Value r, Value i) {
          Value reduced = getOffset(stage, /*reduced=*/true, r);
          return b.materialize(b.add(b.add(kept, reduced), i));
        });
    Value sum = b.joinLanes(combiner, b.joinAll(combiner, sums), lanes);
    Value writes =
        arith::AndIOp::create(b, b.isZero(lane), b.isBelow(row, numRows));
    b.when(writes,
           [&] { b.write(stage.to, b.materialize(row), finish(stage, sum)); });
  });
}

/// A block for each of the `pieces` of each row.
void PoolingMapper::mapLongRows(Stage stage, Index pieces) {
  Index length = stage.extents.back();
  Index numRows = count(stage, /*reduced=*/false, /*withLast=*/false);
  Index outer = count(stage, /*reduced=*/true, /*withLast=*/false);
  bool whole = getConstantIntValue(pieces) == 1;
  Index piece =
      whole ? length : Index(b.getIndexAttr(kRowPiece / stage.from.lanes));
  DeviceBuffer result = stage.to;
  if (!whole) {
    stage.isLast = false;
    stage.to = b.allocate(pooling.getAccumulatorType(), b.mul(numRows, pieces));
  }
  int64_t threads = b.getBlockThreads();
  b.launch(
      "blocks", b.mul(numRows, pieces), threads, [&](Value task, Value thread) {
        Value row = b.materialize(b.floorDiv(task, pieces));
        Index start = b.mul(b.remainder(task, pieces), piece);
        Index count = whole ? piece : b.min(piece, b.sub(length, start));
        Index kept = b.add(getOffset(stage, /*reduced=*/false, row), start);
        Values sums = foldAll(
            stage, outer, count, thread, threads, [&](Value r, Value i) {
              Value reduced = getOffset(stage, /*reduced=*/true, r);
              return b.materialize(b.add(b.add(kept, reduced), i));
            });
        Value sum = b.joinLanes(combiner, b.joinAll(combiner, sums),
                                b.getSubgroupSize());
        Value subgroup = b.materialize(b.floorDiv(thread, b.getSubgroupSize()));
        Value lane = b.materialize(
            b.remainder(thread, b.getIndexAttr(b.getSubgroupSize())));
        int64_t numSubgroups = threads / b.getSubgroupSize();
        DeviceBuffer shared{b.getShared(sum.getType(), numSubgroups),
                            sum.getType()};
        b.when(b.isZero(lane), [&] { b.write(shared, subgroup, sum); });
        b.barrier();
        b.when(b.isZero(thread), [&] {
          Value zero = b.constant(0);
          Values total = b.loop(
              b.getIndexAttr(1), b.getIndexAttr(numSubgroups),
              b.getIndexAttr(1), b.read(shared, zero),
              [&](Value i, Values carried) -> Values {
                return {b.join(combiner, carried[0], b.read(shared, i)[0])};
              });
          b.write(stage.to, task, finish(stage, total[0]));
        });
      });
  if (whole)
    return;
  Stage rest{stage.to,          result,
             {numRows, pieces}, {false, true},
             /*isFirst=*/false, /*isLast=*/true};
  mapShortRows(rest);
}

void PoolingMapper::mapRows(const Stage &stage) {
  Index length = stage.extents.back();
  int64_t lanes = stage.from.lanes;
  auto isAtMost = [&](int64_t elements) -> Index {
    Index limit = b.getIndexAttr(elements / lanes);
    std::optional<int64_t> known = getConstantIntValue(length);
    if (known)
      return b.getBoolAttr(*known <= elements / lanes);
    return b.isBelow(length, b.add(limit, b.getIndexAttr(1)));
  };
  b.branch(
      isAtMost(kShortRow), [&] { mapShortRows(stage); },
      [&] {
        b.branch(
            isAtMost(kBlockRow), [&] { mapLongRows(stage, b.getIndexAttr(1)); },
            [&] {
              mapLongRows(stage,
                          b.ceilDiv(length, b.getIndexAttr(kRowPiece / lanes)));
            });
      });
}

//===----------------------------------------------------------------------===//
// Columns: the last group is kept
//===----------------------------------------------------------------------===//

/// A block for some columns of each of the `pieces` of what is reduced.
void PoolingMapper::mapColumns(Stage stage, Index pieces) {
  Index numColumns = stage.extents.back();
  Index outer = count(stage, /*reduced=*/false, /*withLast=*/false);
  Index height = count(stage, /*reduced=*/true, /*withLast=*/true);
  bool whole = getConstantIntValue(pieces) == 1;
  Index piece = whole ? height : Index(b.getIndexAttr(kColumnPiece));
  DeviceBuffer result = stage.to;
  int64_t lanes = stage.from.lanes;
  if (!whole) {
    stage.isLast = false;
    stage.to = b.allocate(
        pooling.getAccumulatorType(),
        b.mul(b.mul(b.mul(outer, pieces), numColumns), b.getIndexAttr(lanes)));
  }
  int64_t width = kMaxColumnThreads, threads = b.getBlockThreads();
  if (std::optional<int64_t> known = getConstantIntValue(numColumns))
    width = std::min<int64_t>(width, llvm::bit_ceil(uint64_t(*known)));
  int64_t together = threads / width;
  Index tiles = b.ceilDiv(numColumns, b.getIndexAttr(width));
  Index tasks = b.mul(b.mul(outer, pieces), tiles);
  b.launch("columns", tasks, threads, [&](Value task, Value thread) {
    Value x = b.materialize(b.remainder(thread, b.getIndexAttr(width)));
    Value y = b.materialize(b.floorDiv(thread, width));
    Index line = b.floorDiv(task, tiles);
    Index column =
        b.add(b.mul(b.remainder(task, tiles), b.getIndexAttr(width)), x);
    // Threads without columns of their own read the last ones, since all have
    // to reach the barrier.
    Index read = b.min(column, b.sub(numColumns, b.getIndexAttr(1)));
    Index start = b.mul(b.remainder(line, pieces), piece);
    Index count = whole ? piece : b.min(piece, b.sub(height, start));
    Value kept = getOffset(stage, /*reduced=*/false,
                           b.materialize(b.floorDiv(line, pieces)));
    Index base = b.add(kept, read);
    Values sums = foldAll(
        stage, b.getIndexAttr(1), count, y, together, [&](Value, Value i) {
          Value reduced = getOffset(stage, /*reduced=*/true,
                                    b.materialize(b.add(start, i)));
          return b.materialize(b.add(base, reduced));
        });
    Type type = sums.front().getType();
    // One plane of all threads for each element of an access.
    DeviceBuffer shared{b.getShared(type, threads * lanes), type};
    auto getPlace = [&](Index thread, int64_t k) {
      return b.materialize(b.add(thread, b.getIndexAttr(k * threads)));
    };
    for (auto [k, sum] : llvm::enumerate(sums))
      b.write(shared, getPlace(thread, k), sum);
    b.barrier();
    Value writes =
        arith::AndIOp::create(b, b.isZero(y), b.isBelow(column, numColumns));
    b.when(writes, [&] {
      Values first;
      for (int64_t k = 0; k != lanes; ++k)
        first.push_back(b.read(shared, getPlace(x, k))[0]);
      Values total =
          b.loop(b.getIndexAttr(1), b.getIndexAttr(together), b.getIndexAttr(1),
                 first, [&](Value i, Values carried) {
                   Index other = b.add(b.mul(i, b.getIndexAttr(width)), x);
                   for (auto [k, sum] : llvm::enumerate(carried))
                     sum = b.join(combiner, sum,
                                  b.read(shared, getPlace(other, k))[0]);
                   return carried;
                 });
      Index place =
          b.mul(b.add(b.mul(line, numColumns), column), b.getIndexAttr(lanes));
      for (auto [k, sum] : llvm::enumerate(total))
        b.write(stage.to, b.materialize(b.add(place, b.getIndexAttr(k))),
                finish(stage, sum));
    });
  });
  if (whole)
    return;
  Stage rest{stage.to,
             result,
             {outer, pieces, b.mul(numColumns, b.getIndexAttr(lanes))},
             {false, true, false},
             /*isFirst=*/false,
             /*isLast=*/true};
  mapColumns(rest, b.getIndexAttr(1));
}

//===----------------------------------------------------------------------===//
// Both
//===----------------------------------------------------------------------===//

void PoolingMapper::mapStage(const Stage &stage) {
  if (stage.reduced.back())
    return mapRows(stage);
  Index height = count(stage, /*reduced=*/true, /*withLast=*/true);
  std::optional<int64_t> known = getConstantIntValue(height);
  Index isLow =
      known ? Index(b.getBoolAttr(*known <= kBlockColumn))
            : Index(b.isBelow(height, b.getIndexAttr(kBlockColumn + 1)));
  b.branch(
      isLow, [&] { mapColumns(stage, b.getIndexAttr(1)); },
      [&] {
        mapColumns(stage, b.ceilDiv(height, b.getIndexAttr(kColumnPiece)));
      });
}

Value PoolingMapper::map() {
  SmallVector<Index> shape = b.getExtents(pooling.input), kept;
  Stage stage;
  for (const AxisGroup &group : pooling.groups) {
    Index extent = b.getIndexAttr(1);
    for (int64_t axis : group.axes) {
      extent = b.mul(extent, shape[axis]);
      if (!group.reduced)
        kept.push_back(shape[axis]);
    }
    stage.extents.push_back(extent);
    stage.reduced.push_back(group.reduced);
  }
  linalg::GenericOp root = pooling.getRoot();
  auto type = cast<RankedTensorType>(root->getResult(0).getType());
  stage.from = b.getBuffer(pooling.input);
  stage.to = b.allocate(type.getElementType(), b.getCount(kept));

  // As many elements at a time as are 16 bytes, where rows are whole numbers of
  // them. Where the memory starts only decides how they are read, so that it
  // does not change the order of additions.
  DeviceBuffer vectors = b.asVectors(stage.from);
  Index length = stage.extents.back();
  auto mapWide = [&](const DeviceBuffer &from) {
    Stage wide = stage;
    wide.from = from;
    wide.extents.back() = b.floorDiv(length, from.lanes);
    mapStage(wide);
  };
  Index rest = b.remainder(length, b.getIndexAttr(vectors.lanes));
  std::optional<int64_t> known = getConstantIntValue(rest);
  b.branch(
      known ? Index(b.getBoolAttr(*known == 0)) : Index(b.isZero(rest)),
      [&] {
        b.branch(
            b.isAligned(stage.from), [&] { mapWide(vectors); },
            [&] { mapWide(b.asSplitVectors(stage.from)); });
      },
      [&] { mapStage(stage); });
  return b.getTensor(stage.to, type, kept);
}

Value headopt::mapPooling(KernelBuilder &b, PoolingReduction pooling) {
  return PoolingMapper(b, std::move(pooling)).map();
}
