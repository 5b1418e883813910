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
//   each, whose results a second kernel joins. Short rows that do not start at
//   multiples of 16 bytes are brought into shared memory first, many at a time.
// * columns, when the last group is kept (NHWC): a thread has some columns that
//   follow each other, and the threads of a block share out what is reduced.
//   When that is much, it is done in pieces, too.
//
// The constants below were tried out on an H200; docs/GPU.md has the figures.
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
#include <numeric>

using namespace mlir;
using namespace headopt;

/// Threads of a block that reads short rows: few, so that small maps reach many
/// processors.
static constexpr int64_t kRowThreads = 128;
/// Accesses that one lane makes of a row, where that can be chosen.
static constexpr int64_t kAccessesOfLane = 8;
/// Accesses in flight in one pass of a loop.
static constexpr int64_t kUnroll = 4;
/// Elements of the longest row that a sub-group, or a part of one, reads.
static constexpr int64_t kShortRow = 1024;
/// Elements of the longest row that one block reads, and of a piece of a longer
/// one: enough for a block to be worth its start.
static constexpr int64_t kBlockRow = 65536;
static constexpr int64_t kRowPiece = 16384;
/// Threads of a block for a row of which nothing is known.
static constexpr int64_t kAnyRowThreads = 256;
/// Bytes of a row for each lane that joins it from shared memory, and of the
/// shared memory that every device has for a block.
static constexpr int64_t kStagedBytesOfLane = 48;
static constexpr int64_t kSharedBytes = 16384;
/// What a processor fetches from memory at once.
static constexpr int64_t kLineBytes = 128;
/// Columns of a block, in accesses, and threads that share a column's elements.
static constexpr int64_t kColumnsOfBlock = 16;
static constexpr int64_t kMostThreadsOfColumn = 64;
/// Accesses that one of these threads makes, where that can be chosen.
static constexpr int64_t kAccessesOfColumn = 4;
/// Rows of what one block reduces of columns, and of a piece of more.
static constexpr int64_t kBlockColumn = 1024;
static constexpr int64_t kColumnPiece = 256;
/// Banks of shared memory, of 32 bits each.
static constexpr int64_t kBanks = 32;

namespace {

using Values = KernelBuilder::Values;
/// Gives the elements of access i + lane.
using Reader = function_ref<Values(Index i, Index lane)>;

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
  /// `from` is a block's own memory.
  bool isShared = false;

  bool isColumns() const { return !reduced.back(); }
  /// A thread joins the elements of columns to one number each, those of a row
  /// to as many as there are accesses in flight.
  int64_t getNumSums() const { return isColumns() ? from.lanes : kUnroll; }
  /// Which of them is for element `k` of access `unrolled`.
  int64_t getSum(int64_t unrolled, int64_t k) const {
    return isColumns() ? k : unrolled;
  }
};

/// How short rows that do not start at multiples of 16 bytes are read: `rows`
/// of them at a time are brought into shared memory, as `vectors` accesses of
/// 16 bytes, and each is joined from there by `lanes` lanes.
struct RowTile {
  int64_t lanes, rows, vectors;
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
  std::optional<RowTile> getTile(const Stage &stage);
  int64_t getRowLanes(const Stage &stage);
  Values joinStaged(const Stage &stage, const RowTile &tile,
                    const DeviceBuffer &vectors, Value task, Value thread);
  void mapShortRows(const Stage &stage, const std::optional<RowTile> &tile,
                    bool isStaged);
  void mapShortRows(const Stage &stage);
  void mapLongRows(Stage stage, Index pieces);
  void mapColumns(Stage stage, Index pieces, int64_t rowsInOne);
  void mapHighColumns(Stage stage);

  Index count(const Stage &stage, bool reduced, bool withLast);
  Value getOffset(const Stage &stage, bool reduced, Value index);
  Values fold(const Stage &stage, Index count, Value lane, int64_t width,
              Reader read, Values sums);
  Values foldAll(const Stage &stage, Index outer, Index count, Value lane,
                 int64_t width, function_ref<Values(Value, Index, Index)> read);
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

/// Whether nothing may be there to reduce.
static bool mayBeEmpty(const Stage &stage) {
  for (auto [extent, reduced] : llvm::zip_equal(stage.extents, stage.reduced))
    if (reduced && !getConstantIntValue(extent))
      return true;
  return false;
}

/// Joins accesses lane, lane + width ... below `count` to `sums`. Nothing is
/// read beyond `count`.
Values PoolingMapper::fold(const Stage &stage, Index count, Value lane,
                           int64_t width, Reader read, Values sums) {
  auto foldOne = [&](Index i, Index lane, int64_t unrolled, Values sums) {
    for (auto [k, element] : llvm::enumerate(read(i, lane))) {
      Value &sum = sums[stage.getSum(unrolled, k)];
      sum = stage.isFirst ? b.inlineBody(*pooling.sum.getBody(), {element, sum})
                          : b.join(combiner, sum, element);
    }
    return sums;
  };
  int64_t step = width * kUnroll;
  Index main =
      b.mul(b.floorDiv(count, b.getIndexAttr(step)), b.getIndexAttr(step));
  sums = b.loop(b.getIndexAttr(0), main, b.getIndexAttr(step), sums,
                [&](Value start, Values carried) {
                  for (int64_t u = 0; u != kUnroll; ++u)
                    carried = foldOne(b.add(start, b.getIndexAttr(u * width)),
                                      lane, u, carried);
                  return carried;
                });
  std::optional<int64_t> known = getConstantIntValue(count);
  for (int64_t u = 0; u != kUnroll; ++u) {
    if (known && *known % step <= u * width)
      break;
    Index i = b.add(main, b.getIndexAttr(u * width));
    if (known && *known % step >= (u + 1) * width) {
      sums = foldOne(i, lane, u, sums);
      continue;
    }
    Index place = b.add(i, lane);
    Value has = b.isBelow(place, count);
    if (stage.isShared || mayBeEmpty(stage)) {
      sums = b.when(has, sums, [&] { return foldOne(i, lane, u, sums); });
      continue;
    }
    // Who has nothing left reads the last access once more, and forgets it, so
    // that no branch comes between the reads.
    Index last = b.sub(count, b.getIndexAttr(1));
    Values after = foldOne(b.min(place, last), b.getIndexAttr(0), u, sums);
    sums = b.select(has, after, sums);
  }
  return sums;
}

/// What one thread joins of `outer` times `count` accesses: for rows one
/// number, for columns one for each element of an access.
Values PoolingMapper::foldAll(const Stage &stage, Index outer, Index count,
                              Value lane, int64_t width,
                              function_ref<Values(Value, Index, Index)> read) {
  Value neutral = b.getNeutral(combiner, pooling.getAccumulatorType());
  Values sums = b.loop(
      b.getIndexAttr(0), outer, b.getIndexAttr(1),
      Values(stage.getNumSums(), neutral), [&](Value r, Values carried) {
        return fold(
            stage, count, lane, width,
            [&](Index i, Index lane) { return read(r, i, lane); }, carried);
      });
  int64_t results = stage.isColumns() ? stage.from.lanes : 1;
  Values joined;
  for (int64_t k = 0; k != results; ++k) {
    Values parts;
    for (int64_t i = k; i < stage.getNumSums(); i += results)
      // What was never joined to is no part of the sum.
      if (i == k || sums[i] != neutral)
        parts.push_back(sums[i]);
    joined.push_back(b.joinAll(combiner, parts));
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

/// How the rows of `stage` are brought into shared memory, where that helps:
/// where the lanes of a row read less than a line together, many of the lines
/// that they ask for have been asked for before.
std::optional<RowTile> PoolingMapper::getTile(const Stage &stage) {
  std::optional<int64_t> length = getConstantIntValue(stage.extents.back());
  int64_t bytes = pooling.getInputType().getElementTypeBitWidth() / 8;
  // Rows follow each other in memory when there are but rows.
  if (!stage.isFirst || !length || stage.extents.size() > 2 ||
      stage.from.lanes != 1 || getRowLanes(stage) * bytes >= kLineBytes)
    return std::nullopt;
  int64_t rowBytes = *length * bytes;
  // The power of 2 that is nearest, by ratio. Halves lie two in a word, and a
  // lane always reads the same one of them.
  int64_t lanes = 4 / bytes;
  auto square = [](int64_t x) { return x * x; };
  while (lanes < b.getSubgroupSize() &&
         2 * square(lanes * kStagedBytesOfLane) <= square(rowBytes))
    lanes *= 2;
  // Each tile starts at a multiple of 16 bytes, and has work for a sub-group.
  int64_t least = std::max(16 / std::gcd(rowBytes, int64_t(16)),
                           b.getSubgroupSize() / lanes);
  int64_t rows = std::max(least, kRowThreads / lanes);
  while (rows > least && rows * rowBytes > kSharedBytes)
    rows /= 2;
  if (rows * rowBytes > kSharedBytes || rows * lanes > b.getBlockThreads())
    return std::nullopt;
  return RowTile{lanes, rows, rows * rowBytes / 16};
}

/// Lanes that share a row when it is read where it is.
int64_t PoolingMapper::getRowLanes(const Stage &stage) {
  int64_t lanes = b.getSubgroupSize();
  if (std::optional<int64_t> known = getConstantIntValue(stage.extents.back()))
    lanes = std::min<int64_t>(
        lanes,
        llvm::bit_ceil(uint64_t(llvm::divideCeil(*known, kAccessesOfLane))));
  return lanes;
}

/// Brings a tile of rows into shared memory and joins them from there: each
/// lane's part of its row.
Values PoolingMapper::joinStaged(const Stage &stage, const RowTile &tile,
                                 const DeviceBuffer &vectors, Value task,
                                 Value thread) {
  int64_t threads = tile.rows * tile.lanes;
  Stage staged = stage;
  staged.isShared = true;
  staged.from = b.getSharedTile(vectors, tile.vectors);
  // All is read before anything is written, without a branch in between: who
  // has nothing left reads the last access once more.
  Index start = b.mul(task, b.getIndexAttr(tile.vectors));
  Values accesses;
  auto getPlace = [&](int64_t first) {
    return b.add(thread, b.getIndexAttr(first));
  };
  for (int64_t first = 0; first < tile.vectors; first += threads) {
    Index place = getPlace(first);
    if (first + threads > tile.vectors)
      place = b.min(place, b.getIndexAttr(tile.vectors - 1));
    accesses.push_back(
        b.readWords(vectors, b.materialize(b.add(start, place))));
  }
  for (auto [i, words] : llvm::enumerate(accesses)) {
    int64_t first = int64_t(i) * threads;
    Value place = b.materialize(getPlace(first));
    if (first + threads <= tile.vectors)
      b.writeWords(staged.from, place, words);
    else
      b.when(b.isBelow(place, b.getIndexAttr(tile.vectors)),
             [&, words = words] { b.writeWords(staged.from, place, words); });
  }
  b.barrier();
  Index length = stage.extents.back(), lanes = b.getIndexAttr(tile.lanes);
  Value lane = b.materialize(b.remainder(thread, lanes));
  Index own = b.add(b.mul(b.floorDiv(thread, lanes), length), lane);
  return foldAll(staged, b.getIndexAttr(1), length, lane, tile.lanes,
                 [&](Value, Index i, Index) -> Values {
                   return {b.readFromTile(staged.from, own, i)};
                 });
}

/// Some lanes of a sub-group for each row: as `tile` has it, if there is one,
/// by way of shared memory where it `isStaged`.
void PoolingMapper::mapShortRows(const Stage &stage,
                                 const std::optional<RowTile> &tile,
                                 bool isStaged) {
  Index length = stage.extents.back();
  int64_t lanes = tile ? tile->lanes : getRowLanes(stage);
  int64_t threads =
      tile ? tile->rows * lanes : std::max(kRowThreads, b.getSubgroupSize());
  int64_t rowsOfBlock = threads / lanes;
  Index numRows = count(stage, /*reduced=*/false, /*withLast=*/false);
  Index outer = count(stage, /*reduced=*/true, /*withLast=*/false);
  Index tasks = b.ceilDiv(numRows, b.getIndexAttr(rowsOfBlock));
  DeviceBuffer vectors = isStaged ? b.asVectors(stage.from) : DeviceBuffer();
  b.launch("rows", tasks, threads, [&](Value task, Value thread) {
    Index first = b.mul(task, b.getIndexAttr(rowsOfBlock));
    Index row = b.add(first, b.floorDiv(thread, b.getIndexAttr(lanes)));
    Value lane = b.materialize(b.remainder(thread, b.getIndexAttr(lanes)));
    auto joinInPlace = [&] {
      // Lanes without a row of their own read the last one: all lanes have to
      // be there to exchange sums.
      Index last = b.sub(numRows, b.getIndexAttr(1));
      Value kept =
          getOffset(stage, /*reduced=*/false, b.materialize(b.min(row, last)));
      return foldAll(stage, outer, length, lane, lanes,
                     [&](Value r, Index i, Index lane) {
                       Value reduced = getOffset(stage, /*reduced=*/true, r);
                       Index row = b.add(kept, reduced);
                       return b.read(stage.from,
                                     b.materialize(b.add(b.add(row, i), lane)));
                     });
    };
    Values sums;
    std::optional<int64_t> known = getConstantIntValue(numRows);
    if (!isStaged) {
      sums = joinInPlace();
    } else if (known && *known % rowsOfBlock == 0) {
      sums = joinStaged(stage, *tile, vectors, task, thread);
    } else {
      Index lastOfTile = b.add(first, b.getIndexAttr(rowsOfBlock - 1));
      sums = b.choose(
          pooling.getAccumulatorType(), b.isBelow(lastOfTile, numRows),
          [&] { return joinStaged(stage, *tile, vectors, task, thread); },
          joinInPlace);
    }
    Value sum = b.joinLanes(combiner, sums[0], lanes);
    Value writes =
        arith::AndIOp::create(b, b.isZero(lane), b.isBelow(row, numRows));
    b.when(writes,
           [&] { b.write(stage.to, b.materialize(row), finish(stage, sum)); });
  });
}

void PoolingMapper::mapShortRows(const Stage &stage) {
  std::optional<RowTile> tile = getTile(stage);
  if (!tile)
    return mapShortRows(stage, tile, /*isStaged=*/false);
  b.branch(
      b.isAligned(stage.from),
      [&] { mapShortRows(stage, tile, /*isStaged=*/true); },
      [&] { mapShortRows(stage, tile, /*isStaged=*/false); });
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
  int64_t most = llvm::bit_floor(uint64_t(b.getBlockThreads()));
  int64_t threads = std::min(kAnyRowThreads, most);
  if (std::optional<int64_t> known = getConstantIntValue(piece))
    threads = std::clamp<int64_t>(
        llvm::bit_ceil(uint64_t(llvm::divideCeil(*known, kAccessesOfLane))),
        b.getSubgroupSize(), most);
  b.launch(
      "blocks", b.mul(numRows, pieces), threads, [&](Value task, Value thread) {
        Value row = b.materialize(b.floorDiv(task, pieces));
        Index start = b.mul(b.remainder(task, pieces), piece);
        Index count = whole ? piece : b.min(piece, b.sub(length, start));
        Index kept = b.add(getOffset(stage, /*reduced=*/false, row), start);
        Values sums =
            foldAll(stage, outer, count, thread, threads,
                    [&](Value r, Index i, Index lane) {
                      Value reduced = getOffset(stage, /*reduced=*/true, r);
                      Index row = b.add(kept, reduced);
                      return b.read(stage.from,
                                    b.materialize(b.add(b.add(row, i), lane)));
                    });
        Value sum = b.joinLanes(combiner, sums[0], b.getSubgroupSize());
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

/// A block for some columns of each of the `pieces` of what is reduced. In what
/// is written, `rowsInOne` results that follow each other are of one column.
void PoolingMapper::mapColumns(Stage stage, Index pieces, int64_t rowsInOne) {
  Index numColumns = stage.extents.back();
  Index outer = count(stage, /*reduced=*/false, /*withLast=*/false);
  Index height = count(stage, /*reduced=*/true, /*withLast=*/true);
  // One piece of rows that were put together leaves several results, too.
  bool whole = getConstantIntValue(pieces) == 1 && rowsInOne == 1;
  Index piece = whole ? height : Index(b.getIndexAttr(kColumnPiece));
  DeviceBuffer result = stage.to;
  int64_t lanes = stage.from.lanes;
  Index inRow = b.mul(numColumns, b.getIndexAttr(lanes));
  if (!whole) {
    stage.isLast = false;
    stage.to = b.allocate(pooling.getAccumulatorType(),
                          b.mul(b.mul(outer, pieces), inRow));
  }
  int64_t width = kColumnsOfBlock;
  if (std::optional<int64_t> known = getConstantIntValue(numColumns))
    width = std::min<int64_t>(width, llvm::bit_ceil(uint64_t(*known)));
  // Threads for each column: not more than have something to do, unless there
  // were too few for a sub-group.
  int64_t depth = kMostThreadsOfColumn;
  if (std::optional<int64_t> known = getConstantIntValue(piece))
    depth = std::min<int64_t>(
        depth,
        llvm::bit_ceil(uint64_t(llvm::divideCeil(*known, kAccessesOfColumn))));
  int64_t most = llvm::bit_floor(uint64_t(b.getBlockThreads()));
  depth = std::clamp<int64_t>(
      depth, llvm::divideCeil(b.getSubgroupSize(), width), most / width);
  int64_t threads = width * depth;
  Index tiles = b.ceilDiv(numColumns, b.getIndexAttr(width));
  Index tasks = b.mul(b.mul(outer, pieces), tiles);
  b.launch("columns", tasks, threads, [&](Value task, Value thread) {
    Value x = b.materialize(b.remainder(thread, b.getIndexAttr(width)));
    Value y = b.materialize(b.floorDiv(thread, b.getIndexAttr(width)));
    Index line = b.floorDiv(task, tiles);
    Index firstColumn = b.mul(b.remainder(task, tiles), b.getIndexAttr(width));
    // Threads without columns of their own read the last ones, since all have
    // to reach the barrier.
    Index read =
        b.min(b.add(firstColumn, x), b.sub(numColumns, b.getIndexAttr(1)));
    Index start = b.mul(b.remainder(line, pieces), piece);
    Index count = whole ? piece : b.min(piece, b.sub(height, start));
    Value kept = getOffset(stage, /*reduced=*/false,
                           b.materialize(b.floorDiv(line, pieces)));
    Index base = b.add(kept, read);
    Values sums = foldAll(
        stage, b.getIndexAttr(1), count, y, depth,
        [&](Value, Index i, Index y) {
          Value reduced = getOffset(stage, /*reduced=*/true,
                                    b.materialize(b.add(b.add(start, i), y)));
          return b.read(stage.from, b.materialize(b.add(base, reduced)));
        });
    Type type = sums.front().getType();
    // One plane of all threads for each element of an access, so far apart that
    // neither the threads that write nor those that read are in each other's
    // way.
    int64_t plane = threads + (lanes > 1 ? kBanks / lanes : 0);
    DeviceBuffer shared{b.getShared(type, plane * lanes), type};
    auto getPlace = [&](Index k, Index y, Index x) {
      return b.materialize(b.add(b.mul(k, b.getIndexAttr(plane)),
                                 b.add(b.mul(y, b.getIndexAttr(width)), x)));
    };
    for (auto [k, sum] : llvm::enumerate(sums))
      b.write(shared, getPlace(b.getIndexAttr(k), y, x), sum);
    b.barrier();
    for (int64_t first = 0; first < width * lanes; first += threads) {
      Index number = b.add(thread, b.getIndexAttr(first));
      Index k = b.remainder(number, b.getIndexAttr(lanes));
      Index column = b.floorDiv(number, b.getIndexAttr(lanes));
      Index place = b.add(b.mul(firstColumn, b.getIndexAttr(lanes)), number);
      Value writes = b.isBelow(place, inRow);
      if (first + threads > width * lanes)
        writes = arith::AndIOp::create(
            b, writes, b.isBelow(number, b.getIndexAttr(width * lanes)));
      b.when(writes, [&] {
        Values total =
            b.loop(b.getIndexAttr(1), b.getIndexAttr(depth), b.getIndexAttr(1),
                   {b.read(shared, getPlace(k, b.getIndexAttr(0), column))[0]},
                   [&](Value i, Values carried) -> Values {
                     return {b.join(combiner, carried[0],
                                    b.read(shared, getPlace(k, i, column))[0])};
                   });
        b.write(stage.to, b.materialize(b.add(b.mul(line, inRow), place)),
                finish(stage, total[0]));
      });
    }
  });
  if (whole)
    return;
  Stage rest{stage.to,
             result,
             {outer, b.mul(pieces, b.getIndexAttr(rowsInOne)),
              b.floorDiv(inRow, b.getIndexAttr(rowsInOne))},
             {false, true, false},
             /*isFirst=*/false,
             /*isLast=*/true};
  mapColumns(rest, b.getIndexAttr(1), 1);
}

/// Columns of which much is reduced, in pieces.
void PoolingMapper::mapHighColumns(Stage stage) {
  Index &height = stage.extents[stage.extents.size() - 2];
  Index &columns = stage.extents.back();
  std::optional<int64_t> knownHeight = getConstantIntValue(height),
                         knownColumns = getConstantIntValue(columns);
  DeviceBuffer vectors = b.asVectors(stage.from);
  auto map = [&](const DeviceBuffer &from, int64_t rowsInOne) {
    stage.from = from;
    Index all = count(stage, /*reduced=*/true, /*withLast=*/true);
    mapColumns(stage, b.ceilDiv(all, b.getIndexAttr(kColumnPiece)), rowsInOne);
  };
  if (stage.from.lanes != 1 || !knownHeight || !knownColumns)
    return map(stage.from, 1);
  // Rows that are no multiple of 16 bytes are read as if some of them, which
  // together are, were one.
  int64_t together = vectors.lanes / std::gcd(*knownColumns, vectors.lanes);
  if (*knownHeight % together != 0)
    return map(stage.from, 1);
  height = b.getIndexAttr(*knownHeight / together);
  columns = b.getIndexAttr(*knownColumns * together / vectors.lanes);
  DeviceBuffer split = b.asSplitVectors(stage.from);
  b.branch(
      b.isAligned(stage.from), [&] { map(vectors, together); },
      [&] { map(split, together); });
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
      isLow, [&] { mapColumns(stage, b.getIndexAttr(1), 1); },
      [&] { mapHighColumns(stage); });
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
