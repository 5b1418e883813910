//===- MapDense.cpp - Products with a constant matrix as kernels ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// y[m, o] = sum_k x[m, k] * w[k, o], and what is done to each y behind it.
//
// The constant is stored with the numbers of one column next to each other. The
// lanes of a sub-group share the inner extent out, so that the constant is read
// as one stream, 16 bytes a lane. That is what small batches need, where the
// constant is nearly all there is to read. A sub-group computes one result, or
// eight rows of one column, so that the constant is read once for all eight,
// or, for larger batches, of four columns, two of halves, so that rows are read
// less often as well.
//
// The additions that make one result are the same in all three, so that it has
// the same bits in every batch.
//
//===----------------------------------------------------------------------===//

#include "../ElementwiseBody.h"
#include "Mapping.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace headopt;

static constexpr int64_t kBlockThreads = 128;
/// Rows that one sub-group computes when there are several, and columns when
/// there are more than that.
static constexpr int64_t kRowsTogether = 8;
static constexpr int64_t kColumnsTogether = 4;
/// Accesses to the constant in flight, for one result.
static constexpr int64_t kUnroll = 4;

namespace {

using Values = KernelBuilder::Values;

/// An operand of what follows the product, and where its elements are.
struct EpilogueOperand {
  DeviceBuffer buffer;
  AffineMap map;
};

class DenseMapper {
public:
  DenseMapper(KernelBuilder &b, DenseProduct product)
      : b(b), dense(product), type(dense.getAccumulatorType()) {}

  Value map();

private:
  Value getColumns();
  void mapRows(const DeviceBuffer &x, const DeviceBuffer &w,
               const DeviceBuffer &to, int64_t together,
               int64_t columnsTogether);
  Value widen(Value number);
  Value finish(Value number, Value row, Value column);

  KernelBuilder &b;
  DenseProduct dense;
  FloatType type;
  Index numRows;
  /// One for each input of the epilogue; the product's own has no buffer.
  SmallVector<EpilogueOperand> operands;
};

} // namespace

/// The constant as [columns, inner].
Value DenseMapper::getColumns() {
  if (dense.transposed)
    return dense.weight;
  auto weightType = cast<RankedTensorType>(dense.weight.getType());
  auto columnsType = RankedTensorType::get({dense.columns, dense.inner},
                                           weightType.getElementType());
  std::optional<WeightData> data = dense.getWeightData();
  assert(data && "checked before the constant is asked for");
  size_t bytes = weightType.getElementTypeBitWidth() / 8;
  AsmResourceBlob columns = HeapAsmResourceBlob::allocate(
      size_t(dense.columns) * dense.inner * bytes, /*align=*/64);
  char *to = columns.getMutableData().data();
  // A square piece at a time, which stays in the nearest cache.
  constexpr int64_t kPiece = 32;
  for (int64_t firstK = 0; firstK < dense.inner; firstK += kPiece)
    for (int64_t firstO = 0; firstO < dense.columns; firstO += kPiece)
      for (int64_t o = firstO; o < std::min(dense.columns, firstO + kPiece);
           ++o)
        for (int64_t k = firstK; k < std::min(dense.inner, firstK + kPiece);
             ++k)
          memcpy(to + (o * dense.inner + k) * bytes,
                 data->raw.data() +
                     (data->splat ? 0 : (k * dense.columns + o) * bytes),
                 bytes);
  return arith::ConstantOp::create(
      b, DenseResourceElementsAttr::get(columnsType, "columns",
                                        std::move(columns)));
}

Value DenseMapper::widen(Value number) {
  if (number.getType() == type)
    return number;
  return arith::ExtFOp::create(b, type, number);
}

/// What is written for the product `number` of `row` and `column`.
Value DenseMapper::finish(Value number, Value row, Value column) {
  if (!dense.epilogue)
    return number;
  Values arguments;
  for (EpilogueOperand &operand : operands) {
    if (!operand.buffer.memref) {
      arguments.push_back(number);
      continue;
    }
    Index place = b.getIndexAttr(0);
    if (operand.map.getNumResults() == 1)
      place = column;
    else if (operand.map.getNumResults() == 2)
      place = b.add(b.mul(row, b.getIndexAttr(dense.columns)), column);
    arguments.push_back(b.read(operand.buffer, b.materialize(place))[0]);
  }
  // The init, which is not used: matchDenseProduct says so.
  arguments.push_back(number);
  return b.inlineBody(*dense.epilogue.getBody(), arguments);
}

/// `together` rows of x by `columnsTogether` columns of w, for each sub-group.
void DenseMapper::mapRows(const DeviceBuffer &x, const DeviceBuffer &w,
                          const DeviceBuffer &to, int64_t together,
                          int64_t columnsTogether) {
  int64_t lanes = b.getSubgroupSize();
  int64_t threads = std::max(kBlockThreads, lanes);
  int64_t columnsOfBlock = threads / lanes * columnsTogether;
  int64_t inner = dense.inner / x.lanes;
  Index tiles = b.getIndexAttr(
      llvm::divideCeil(uint64_t(dense.columns), uint64_t(columnsOfBlock)));
  Index rowTiles = b.ceilDiv(numRows, b.getIndexAttr(together));
  b.launch(
      "dense", b.mul(rowTiles, tiles), threads, [&](Value task, Value thread) {
        Value lane = b.materialize(b.remainder(thread, b.getIndexAttr(lanes)));
        Index firstColumn = b.add(
            b.mul(b.remainder(task, tiles), b.getIndexAttr(columnsOfBlock)),
            b.mul(b.floorDiv(thread, lanes), b.getIndexAttr(columnsTogether)));
        Index firstRow =
            b.mul(b.floorDiv(task, tiles), b.getIndexAttr(together));
        // What has no column or row of its own is computed of the last one: all
        // lanes have to be there to exchange sums.
        auto getStarts = [&](Index first, int64_t count, Index extent) {
          SmallVector<Index> starts;
          for (int64_t i = 0; i != count; ++i) {
            Index place = b.min(b.add(first, b.getIndexAttr(i)),
                                b.sub(extent, b.getIndexAttr(1)));
            starts.push_back(b.mul(place, b.getIndexAttr(inner)));
          }
          return starts;
        };
        SmallVector<Index> rows = getStarts(firstRow, together, numRows);
        SmallVector<Index> columns = getStarts(firstColumn, columnsTogether,
                                               b.getIndexAttr(dense.columns));
        // Adds the products of access i to all sums, those of a row together.
        auto foldOne = [&](Index i, Values sums) {
          auto readAll = [&](const DeviceBuffer &from, ArrayRef<Index> starts) {
            SmallVector<Values> all;
            for (Index start : starts) {
              all.push_back(b.read(from, b.materialize(b.add(start, i))));
              for (Value &number : all.back())
                number = widen(number);
            }
            return all;
          };
          SmallVector<Values> ws = readAll(w, columns), xs = readAll(x, rows);
          for (int64_t r = 0; r != together; ++r)
            for (int64_t c = 0; c != columnsTogether; ++c)
              for (auto [a, weight] : llvm::zip_equal(xs[r], ws[c])) {
                Value &sum = sums[r * columnsTogether + c];
                sum = math::FmaOp::create(b, a, weight, sum);
              }
          return sums;
        };
        int64_t count = together * columnsTogether;
        Values sums(count, b.getNeutral(Combiner::Sum, type));
        // As many accesses in flight as there are registers for; eight halves
        // in each take more.
        int64_t unroll = count > kRowsTogether            ? 1
                         : count > 1 && x.lanes > kUnroll ? kUnroll / 2
                                                          : kUnroll;
        int64_t step = lanes * unroll;
        int64_t main = inner / step * step;
        auto at = [&](Index start, int64_t u) {
          return b.add(b.add(start, lane), b.getIndexAttr(u * lanes));
        };
        sums = b.loop(b.getIndexAttr(0), b.getIndexAttr(main),
                      b.getIndexAttr(step), sums,
                      [&](Value start, Values carried) {
                        for (int64_t u = 0; u != unroll; ++u)
                          carried = foldOne(at(start, u), carried);
                        return carried;
                      });
        for (int64_t u = 0; main + u * lanes < inner; ++u) {
          Index i = at(b.getIndexAttr(main), u);
          if (main + (u + 1) * lanes <= inner)
            sums = foldOne(i, sums);
          else {
            // Who has nothing left reads the last access once more, and forgets
            // it, so that no branch comes between the reads.
            Value has = b.isBelow(i, b.getIndexAttr(inner));
            Values after = foldOne(b.min(i, b.getIndexAttr(inner - 1)), sums);
            sums = b.select(has, after, sums);
          }
        }
        for (Value &sum : sums)
          sum = b.joinLanes(Combiner::Sum, sum, lanes);
        // All lanes have all sums; each finishes and writes some of them.
        for (int64_t first = 0; first < count; first += lanes) {
          Value number = sums[first];
          for (int64_t i = 1; i < std::min(lanes, count - first); ++i)
            number = arith::SelectOp::create(
                b, b.isBelow(lane, b.getIndexAttr(i)), number, sums[first + i]);
          Index place = b.add(lane, b.getIndexAttr(first));
          Value row = b.materialize(
              b.add(firstRow, b.floorDiv(place, columnsTogether)));
          Value column = b.materialize(
              b.add(firstColumn,
                    b.remainder(place, b.getIndexAttr(columnsTogether))));
          Value writes = arith::AndIOp::create(
              b, b.isBelow(column, b.getIndexAttr(dense.columns)),
              b.isBelow(row, numRows));
          if (first + lanes > count)
            writes = arith::AndIOp::create(
                b, writes, b.isBelow(place, b.getIndexAttr(count)));
          b.when(writes, [&] {
            Index result =
                b.add(b.mul(row, b.getIndexAttr(dense.columns)), column);
            b.write(to, b.materialize(result), finish(number, row, column));
          });
        }
      });
}

Value DenseMapper::map() {
  numRows = b.getExtents(dense.rows).front();
  DeviceBuffer x = b.getBuffer(dense.rows);
  DeviceBuffer w = b.getBuffer(getColumns());
  if (dense.epilogue)
    for (OpOperand *operand : dense.epilogue.getDpsInputOperands()) {
      AffineMap map = dense.epilogue.getMatchingIndexingMap(operand);
      bool isProduct = operand->get() == dense.product->getResult(0);
      operands.push_back(
          {isProduct ? DeviceBuffer() : b.getBuffer(operand->get()), map});
    }
  auto resultType =
      cast<RankedTensorType>(dense.getRoot()->getResult(0).getType());
  SmallVector<Index> extents{numRows, b.getIndexAttr(dense.columns)};
  DeviceBuffer to =
      b.allocate(resultType.getElementType(), b.getCount(extents));

  auto mapBatch = [&](const DeviceBuffer &x, const DeviceBuffer &w) {
    auto isAtMost = [&](int64_t limit) -> Index {
      if (std::optional<int64_t> known = getConstantIntValue(numRows))
        return b.getBoolAttr(*known <= limit);
      return b.isBelow(numRows, b.getIndexAttr(limit + 1));
    };
    b.branch(
        isAtMost(1), [&] { mapRows(x, w, to, 1, 1); },
        [&] {
          b.branch(
              isAtMost(kRowsTogether),
              [&] { mapRows(x, w, to, kRowsTogether, 1); },
              [&] {
                // Eight halves in each access need registers, too.
                mapRows(x, w, to, kRowsTogether,
                        x.lanes > kColumnsTogether ? kColumnsTogether / 2
                                                   : kColumnsTogether);
              });
        });
  };
  DeviceBuffer wideX = b.asVectors(x), wideW = b.asVectors(w);
  bool fits = wideX.lanes == wideW.lanes && dense.inner % wideX.lanes == 0;
  if (fits)
    b.branch(
        b.isAligned(x), [&] { mapBatch(wideX, wideW); },
        [&] { mapBatch(b.asSplitVectors(x), wideW); });
  else
    mapBatch(x, w);
  return b.getTensor(to, resultType, extents);
}

Value headopt::mapDense(KernelBuilder &b, DenseProduct dense) {
  return DenseMapper(b, dense).map();
}
