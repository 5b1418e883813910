//===- MapDense.cpp - Products with a constant matrix as kernels ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// y[m, o] = sum_k x[m, k] * w[k, o], and what is done to each y behind it.
//
// The constant is stored with the numbers of one column next to each other. A
// sub-group has one column and up to eight rows: its lanes share the inner
// extent out, so that the constant is read as one stream, 16 bytes a lane,
// and once for eight rows. That is what small batches need, where the constant
// is nearly all there is to read; rows come from a near cache.
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
/// Rows that one sub-group computes when there are several.
static constexpr int64_t kRowsTogether = 8;
/// Accesses to the constant in flight.
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
               const DeviceBuffer &to, int64_t together);
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

/// `together` rows of x by a column of w, for each sub-group.
void DenseMapper::mapRows(const DeviceBuffer &x, const DeviceBuffer &w,
                          const DeviceBuffer &to, int64_t together) {
  int64_t lanes = b.getSubgroupSize();
  int64_t threads = std::max(kBlockThreads, lanes);
  int64_t columnsOfBlock = threads / lanes;
  int64_t inner = dense.inner / x.lanes;
  Index tiles = b.getIndexAttr(
      llvm::divideCeil(uint64_t(dense.columns), uint64_t(columnsOfBlock)));
  Index rowTiles = b.ceilDiv(numRows, b.getIndexAttr(together));
  b.launch(
      "dense", b.mul(rowTiles, tiles), threads, [&](Value task, Value thread) {
        Value lane = b.materialize(b.remainder(thread, b.getIndexAttr(lanes)));
        Index column = b.add(
            b.mul(b.remainder(task, tiles), b.getIndexAttr(columnsOfBlock)),
            b.floorDiv(thread, lanes));
        Index firstRow =
            b.mul(b.floorDiv(task, tiles), b.getIndexAttr(together));
        // Who has no column or row of its own computes the last one: all lanes
        // have to be there to exchange sums.
        Index readColumn = b.min(column, b.getIndexAttr(dense.columns - 1));
        Index weights = b.mul(readColumn, b.getIndexAttr(inner));
        SmallVector<Index> rows;
        for (int64_t r = 0; r != together; ++r) {
          Index row = b.min(b.add(firstRow, b.getIndexAttr(r)),
                            b.sub(numRows, b.getIndexAttr(1)));
          rows.push_back(b.mul(row, b.getIndexAttr(inner)));
        }
        // Adds the products of access i to the sums of all rows. The sum of a
        // row is made in the same order however many rows there are.
        auto foldOne = [&](Index i, Values sums) {
          Values ws = b.read(w, b.materialize(b.add(weights, i)));
          for (auto [r, row] : llvm::enumerate(rows)) {
            Values xs = b.read(x, b.materialize(b.add(row, i)));
            for (auto [a, c] : llvm::zip_equal(xs, ws))
              sums[r] = math::FmaOp::create(b, widen(a), widen(c), sums[r]);
          }
          return sums;
        };
        Values sums(together, b.getNeutral(Combiner::Sum, type));
        int64_t step = lanes * kUnroll;
        int64_t main = inner / step * step;
        auto at = [&](Index start, int64_t u) {
          return b.add(b.add(start, lane), b.getIndexAttr(u * lanes));
        };
        sums = b.loop(b.getIndexAttr(0), b.getIndexAttr(main),
                      b.getIndexAttr(step), sums,
                      [&](Value start, Values carried) {
                        for (int64_t u = 0; u != kUnroll; ++u)
                          carried = foldOne(at(start, u), carried);
                        return carried;
                      });
        for (int64_t u = 0; main + u * lanes < inner; ++u) {
          Index i = at(b.getIndexAttr(main), u);
          if (main + (u + 1) * lanes <= inner)
            sums = foldOne(i, sums);
          else
            sums = b.when(b.isBelow(i, b.getIndexAttr(inner)), sums,
                          [&] { return foldOne(i, sums); });
        }
        for (Value &sum : sums)
          sum = b.joinLanes(Combiner::Sum, sum, lanes);
        Value writes = arith::AndIOp::create(
            b, b.isZero(lane),
            b.isBelow(column, b.getIndexAttr(dense.columns)));
        b.when(writes, [&] {
          for (int64_t r = 0; r != together; ++r) {
            Value row = b.materialize(b.add(firstRow, b.getIndexAttr(r)));
            auto store = [&] {
              Index place =
                  b.add(b.mul(row, b.getIndexAttr(dense.columns)), column);
              b.write(to, b.materialize(place),
                      finish(sums[r], row, b.materialize(column)));
            };
            // The first row of a task exists.
            if (r == 0)
              store();
            else
              b.when(b.isBelow(row, numRows), store);
          }
        });
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
    std::optional<int64_t> known = getConstantIntValue(numRows);
    Index isOne = known ? Index(b.getBoolAttr(*known == 1))
                        : Index(b.isBelow(numRows, b.getIndexAttr(2)));
    b.branch(
        isOne, [&] { mapRows(x, w, to, 1); },
        [&] { mapRows(x, w, to, kRowsTogether); });
  };
  DeviceBuffer wideX = b.asVectors(x), wideW = b.asVectors(w);
  bool fits = wideX.lanes == wideW.lanes && dense.inner % wideX.lanes == 0;
  b.branch(
      fits ? b.isAligned(x) : Index(b.getBoolAttr(false)),
      [&] { mapBatch(wideX, wideW); }, [&] { mapBatch(x, w); });
  return b.getTensor(to, resultType, extents);
}

Value headopt::mapDense(KernelBuilder &b, DenseProduct dense) {
  return DenseMapper(b, dense).map();
}
