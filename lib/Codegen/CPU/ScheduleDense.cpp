//===- ScheduleDense.cpp - Products with a constant matrix as vectors -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// y[m, o] = sum_k x[m, k] * w[k, o], and what is done to each y behind it.
//
// The constant is stored in panels of 48 columns, each with its rows one after
// the other, so that it is read as one stream; columns beyond the last are
// zero. 48 columns are three vectors of AVX-512: with eight rows of x they are
// the 24 accumulators that hide the latency of a multiply-add and leave
// registers for the operands. Narrower registers split a panel.
//
// A constant of bf16 is stored in pairs: a word of 32 bits for each column has
// two rows, the first in its low half. AVX512-BF16 multiplies such pairs as
// they are; elsewhere a shift or a mask makes a number of f32 of each half. So
// one copy does for all processors.
//
// Written out here rather than made of upstream tiling and vectorisation: those
// do not reach a packed constant with a ragged last panel, a fused epilogue and
// an order of additions that is the same for every number of rows at once.
//
//===----------------------------------------------------------------------===//

#include "../DenseProduct.h"
#include "../ElementwiseBody.h"
#include "VectorLoops.h"
#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

namespace headopt {
#define GEN_PASS_DEF_SCHEDULEDENSE
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;
using namespace headopt;

namespace {

constexpr int64_t kPanelColumns = 48;
/// Columns of the last panel are a multiple of this: the widest vector of f32.
constexpr int64_t kPanelUnit = 16;
/// Bytes that can be read in the time of one multiplication and addition.
constexpr int64_t kBytesPerProduct = 2;

} // namespace

/// Reads `op` as a product that this schedule is for.
static FailureOr<DenseProduct> matchDense(linalg::LinalgOp op,
                                          StringRef &whyNot) {
  FailureOr<DenseProduct> dense = matchDenseProduct(op, whyNot);
  if (succeeded(dense) && ShapedType::isDynamic(dense->numRows)) {
    whyNot = "its extents are not all known, or one is 0";
    return failure();
  }
  return dense;
}

/// Columns of the panel that starts at `column`, with those that pad it.
static int64_t getPanelWidth(int64_t column, int64_t columns) {
  return std::min<int64_t>(kPanelColumns,
                           llvm::alignTo(columns - column, kPanelUnit));
}

/// How many rows of the constant lie next to each other, column by column.
static int64_t getRowsPerWord(DenseProduct dense) {
  return getElementTypeOrSelf(dense.weight.getType()).isBF16() ? 2 : 1;
}

/// Words of a column of a panel. A last row that is alone is paired with zeros.
static int64_t getWordsPerColumn(DenseProduct dense) {
  return llvm::divideCeil(dense.inner, getRowsPerWord(dense));
}

/// The constant in panels, as a flat tensor of words; null when its data is not
/// there. All panels but the last are of full width, so panel p starts at p *
/// 48 times the words of a column.
static TypedAttr packWeight(DenseProduct dense) {
  auto type = cast<RankedTensorType>(dense.weight.getType());
  size_t bytes = type.getElementTypeBitWidth() / 8;
  int64_t group = getRowsPerWord(dense), words = getWordsPerColumn(dense);
  std::optional<WeightData> data = dense.getWeightData();
  if (!data)
    return nullptr;
  int64_t columns = dense.columns, inner = dense.inner;
  int64_t size = 0;
  for (int64_t from = 0; from < columns; from += kPanelColumns)
    size += getPanelWidth(from, columns) * words;
  AsmResourceBlob packed =
      HeapAsmResourceBlob::allocate(size * group * bytes, /*align=*/64);
  char *to = packed.getMutableData().data();
  std::fill_n(to, size * group * bytes, 0);
  // A piece of `inner` at a time, so that a transposed constant is not read
  // with one far jump for each element.
  constexpr int64_t kPiece = 64;
  for (int64_t from = 0; from < columns; from += kPanelColumns) {
    int64_t width = getPanelWidth(from, columns);
    int64_t used = std::min(width, columns - from);
    for (int64_t piece = 0; piece < inner; piece += kPiece)
      for (int64_t k = piece; k < std::min(inner, piece + kPiece); ++k)
        for (int64_t j = 0; j != used; ++j) {
          int64_t source = dense.transposed ? (from + j) * inner + k
                                            : k * columns + from + j;
          int64_t word = k / group * width + j;
          memcpy(to + (word * group + k % group) * bytes,
                 data->raw.data() + (data->splat ? 0 : source * bytes), bytes);
        }
    to += width * words * group * bytes;
  }
  Type word = group == 1 ? type.getElementType()
                         : IntegerType::get(type.getContext(), 32);
  auto packedType = RankedTensorType::get({size}, word);
  return DenseResourceElementsAttr::get(packedType, "packed_weight",
                                        std::move(packed));
}

namespace {

/// Writes the loops of one product.
class Scheduler {
public:
  Scheduler(VectorLoops &b, DenseProduct product, int64_t vectorBits, bool fma,
            bool bf16Dot)
      : b(b), dense(product), accumulatorType(dense.getAccumulatorType()),
        lanes(vectorBits / accumulatorType.getWidth()), fma(fma),
        dot(bf16Dot && dense.isOfBF16()), perWord(getRowsPerWord(dense)),
        // AVX-512 has 32 registers; of 16, some must hold operands, and twice
        // as many where the words of the constant are taken apart.
        tallest(vectorBits == 512 ? 8 : 4),
        registers(vectorBits == 512      ? 24
                  : perWord == 2 && !dot ? 8
                                         : 12) {}

  Value schedule(TypedAttr packed);

private:
  Value scheduleTile(Value firstRow, int64_t numRows, Value panel,
                     Value firstColumn, int64_t width, Index inPanel,
                     int64_t tileColumns, int64_t valid, Value dest);
  int64_t getTileHeight();
  Value schedulePanel(Value row, Value panel, Value firstColumn, int64_t width,
                      int64_t valid, Value dest);
  void accumulate(Value k, int64_t count, ArrayRef<Value> rowIndices,
                  Index words, SmallVectorImpl<Value> &sums);
  Value addProduct(Value x, Value w, Value sum);
  Value getPair(Value row, Value k, int64_t count);
  Value unpack(Value words, int64_t place);
  Value widenRows();
  Value widen(Value value);
  Value finish(Value sums, Value row, Value column);

  VectorLoops &b;
  DenseProduct dense;
  FloatType accumulatorType;
  int64_t lanes;
  bool fma;
  /// Products of pairs are added by one instruction.
  bool dot;
  /// Indices of the inner extent that a word of the constant is for.
  int64_t perWord;
  /// Rows and accumulators of a tile, at most.
  int64_t tallest, registers;
  /// The left side, and the packed constant.
  Value rows, weight;
};

} // namespace

Value Scheduler::widen(Value value) {
  Type type = accumulatorType;
  if (auto vectorType = dyn_cast<VectorType>(value.getType()))
    type = VectorType::get(vectorType.getShape(), accumulatorType);
  if (value.getType() == type)
    return value;
  return arith::ExtFOp::create(b, type, value);
}

/// sum + x * w.
Value Scheduler::addProduct(Value x, Value w, Value sum) {
  if (fma)
    return vector::FMAOp::create(b, x, w, sum);
  return arith::AddFOp::create(b, arith::MulFOp::create(b, x, w), sum);
}

/// In all lanes the elements k and k + 1 of `row`, or, where `count` is 1, k
/// and a zero.
Value Scheduler::getPair(Value row, Value k, int64_t count) {
  Type i32 = b.getI32Type();
  Value pair;
  if (count == 2) {
    Value words = vector::BitCastOp::create(b, VectorType::get({1}, i32),
                                            b.load(rows, {row, k}, 2));
    pair = vector::ExtractOp::create(b, words, int64_t(0));
  } else {
    Value x = tensor::ExtractOp::create(b, rows, ValueRange{row, k});
    pair = arith::ExtUIOp::create(
        b, i32, arith::BitcastOp::create(b, b.getI16Type(), x));
  }
  return vector::BitCastOp::create(
      b, VectorType::get({2 * lanes}, b.getBF16Type()),
      vector::BroadcastOp::create(b, VectorType::get({lanes}, i32), pair));
}

/// The numbers at `place` in words of the constant, in the type of the
/// accumulators.
Value Scheduler::unpack(Value words, int64_t place) {
  if (perWord == 1)
    return widen(words);
  // The bits of bf16 are the high half of those of the same number in f32.
  auto constant = [&](uint32_t bits) -> Value {
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(cast<ShapedType>(words.getType()),
                                  APInt(32, bits)));
  };
  Value bits =
      place == 0
          ? arith::ShLIOp::create(b, words, constant(16)).getResult()
          : arith::AndIOp::create(b, words, constant(0xffff0000)).getResult();
  return widen(arith::BitcastOp::create(
      b, VectorType::get({lanes}, b.getF32Type()), bits));
}

/// Adds the products of the elements k to k + `count` - 1, all in one word of
/// the constant, to `sums`. The words of the tile's columns start at `words`.
void Scheduler::accumulate(Value k, int64_t count, ArrayRef<Value> rowIndices,
                           Index words, SmallVectorImpl<Value> &sums) {
  int64_t numRows = rowIndices.size(), vectors = sums.size() / numRows;
  SmallVector<Value> packed;
  for (int64_t v = 0; v != vectors; ++v)
    packed.push_back(
        b.load(weight, {b.materialize(b.add(words, b.getIndexAttr(v * lanes)))},
               lanes));
  if (dot) {
    for (Value &w : packed)
      w = vector::BitCastOp::create(
          b, VectorType::get({2 * lanes}, b.getBF16Type()), w);
    for (auto [r, row] : llvm::enumerate(rowIndices)) {
      Value x = getPair(row, k, count);
      for (int64_t v = 0; v != vectors; ++v) {
        Value &sum = sums[r * vectors + v];
        sum = x86vector::DotBF16Op::create(b, sum, packed[v], x);
      }
    }
    return;
  }
  SmallVector<Value> read(count * numRows);
  auto add = [&](int64_t r, int64_t v, int64_t place, Value w) {
    Value &x = read[place * numRows + r];
    if (!x) {
      Value at = b.materialize(b.add(k, b.getIndexAttr(place)));
      x = vector::BroadcastOp::create(
          b, w.getType(),
          tensor::ExtractOp::create(b, rows, ValueRange{rowIndices[r], at}));
    }
    Value &sum = sums[r * vectors + v];
    sum = addProduct(x, w, sum);
  };
  // Either words wait in registers for their second half, or elements of the
  // rows for the next word: whichever are fewer.
  if (count > 1 && numRows < vectors) {
    for (int64_t v = 0; v != vectors; ++v)
      for (int64_t place = 0; place != count; ++place) {
        Value w = unpack(packed[v], place);
        for (int64_t r = 0; r != numRows; ++r)
          add(r, v, place, w);
      }
    return;
  }
  for (int64_t place = 0; place != count; ++place) {
    SmallVector<Value> w;
    for (Value word : packed)
      w.push_back(unpack(word, place));
    for (int64_t r = 0; r != numRows; ++r)
      for (int64_t v = 0; v != vectors; ++v)
        add(r, v, place, w[v]);
  }
}

/// What follows the product, for the elements of `row` from `column` on.
Value Scheduler::finish(Value sums, Value row, Value column) {
  linalg::GenericOp epilogue = dense.epilogue;
  if (!epilogue)
    return sums;
  int64_t count = cast<VectorType>(sums.getType()).getNumElements();
  Block &body = *epilogue.getBody();
  IRMapping map;
  for (OpOperand *operand : epilogue.getDpsInputOperands()) {
    BlockArgument argument = body.getArgument(operand->getOperandNumber());
    if (operand->get() == dense.product->getResult(0)) {
      map.map(argument, sums);
      continue;
    }
    if (argument.use_empty())
      continue;
    switch (epilogue.getMatchingIndexingMap(operand).getNumResults()) {
    case 0: {
      Value scalar = tensor::ExtractOp::create(b, operand->get(), ValueRange());
      map.map(argument,
              vector::BroadcastOp::create(
                  b, VectorType::get({count}, scalar.getType()), scalar));
      break;
    }
    case 1:
      map.map(argument, b.load(operand->get(), {column}, count));
      break;
    default:
      map.map(argument, b.load(operand->get(), {row, column}, count));
    }
  }
  return cloneOnVectors(b, body, body.getTerminator()->getOperand(0), count,
                        map);
}

/// `numRows` rows by `tileColumns` columns, which start at `inPanel` in a panel
/// of `width`; the first `valid` of them exist.
Value Scheduler::scheduleTile(Value firstRow, int64_t numRows, Value panel,
                              Value firstColumn, int64_t width, Index inPanel,
                              int64_t tileColumns, int64_t valid, Value dest) {
  int64_t vectors = tileColumns / lanes;
  SmallVector<Value> rowIndices;
  for (int64_t r = 0; r != numRows; ++r)
    rowIndices.push_back(b.materialize(b.add(firstRow, b.getIndexAttr(r))));
  Value start = b.materialize(b.add(panel, inPanel));
  Index inResult = b.add(firstColumn, inPanel);
  VectorLoops::Carried sums(numRows * vectors,
                            b.splat(accumulatorType, lanes, 0));
  auto add = [&](Value k, int64_t count, VectorLoops::Carried carried) {
    // k is a multiple of `perWord`, and so is the width.
    Index words = b.add(start, b.mul(k, b.getIndexAttr(width / perWord)));
    accumulate(k, count, rowIndices, words, carried);
    return carried;
  };
  int64_t paired = dense.inner / perWord * perWord;
  sums = b.loop(b.getIndexAttr(0), b.getIndexAttr(paired), perWord, sums,
                [&](Value k, VectorLoops::Carried carried) {
                  return add(k, perWord, carried);
                });
  if (paired != dense.inner)
    sums = add(b.constant(paired), 1, sums);
  for (int64_t r = 0; r != numRows; ++r)
    for (int64_t v = 0; v != vectors; ++v) {
      int64_t offset = v * lanes;
      int64_t count = std::min(lanes, valid - offset);
      if (count <= 0)
        continue;
      Value sum = sums[r * vectors + v];
      if (count < lanes)
        sum = vector::ExtractStridedSliceOp::create(b, sum, int64_t(0), count,
                                                    int64_t(1));
      Value column = b.materialize(b.add(inResult, b.getIndexAttr(offset)));
      dest = b.store(finish(sum, rowIndices[r], column), dest,
                     {rowIndices[r], column});
    }
  return dest;
}

/// Rows of a tile: as many as the registers are for, and without a rest.
int64_t Scheduler::getTileHeight() {
  int64_t height = std::min(dense.numRows, tallest);
  while (dense.numRows % height)
    --height;
  return height;
}

/// The rows of one tile, `row` and those behind it, by one panel.
Value Scheduler::schedulePanel(Value row, Value panel, Value firstColumn,
                               int64_t width, int64_t valid, Value dest) {
  int64_t height = getTileHeight();
  // The widest that its accumulators then allow.
  int64_t tile = width;
  while (tile % lanes || width % tile || height * (tile / lanes) > registers)
    --tile;
  // Tiles that lie in the result as a whole, and one that may not.
  int64_t whole = std::min(width, valid / tile * tile);
  dest =
      b.loop(b.getIndexAttr(0), b.getIndexAttr(whole), tile, {dest},
             [&](Value at, VectorLoops::Carried tiles) -> VectorLoops::Carried {
               return {scheduleTile(row, height, panel, firstColumn, width, at,
                                    tile, tile, tiles[0])};
             })[0];
  if (whole < std::min(width, valid))
    dest = scheduleTile(row, height, panel, firstColumn, width,
                        b.getIndexAttr(whole), tile, valid - whole, dest);
  return dest;
}

/// The rows in the type of the accumulators, so that an element is widened once
/// and not for each panel; as they are where pairs of them are multiplied.
Value Scheduler::widenRows() {
  if (dot || getElementTypeOrSelf(dense.rows.getType()) == accumulatorType)
    return dense.rows;
  Value wide = tensor::EmptyOp::create(
      b, ArrayRef<int64_t>{dense.numRows, dense.inner}, accumulatorType);
  int64_t whole = dense.inner / lanes * lanes;
  auto convert = [&](int64_t from, int64_t to, int64_t count, Value row,
                     VectorLoops::Carried inner) {
    return b.loop(
        b.getIndexAttr(from), b.getIndexAttr(to), count, inner,
        [&](Value k, VectorLoops::Carried into) -> VectorLoops::Carried {
          Value read = b.load(dense.rows, {row, k}, count);
          return {b.store(widen(read), into[0], {row, k})};
        });
  };
  return b.independentLoop(b.getIndexAttr(0), b.getIndexAttr(dense.numRows), 1,
                           {wide}, [&](Value row, VectorLoops::Carried inner) {
                             inner = convert(0, whole, lanes, row, inner);
                             return convert(whole, dense.inner, 1, row, inner);
                           })[0];
}

Value Scheduler::schedule(TypedAttr packed) {
  weight = arith::ConstantOp::create(b, packed);
  rows = widenRows();
  auto type = cast<RankedTensorType>(dense.getRoot()->getResult(0).getType());
  Value dest =
      tensor::EmptyOp::create(b, type.getShape(), type.getElementType());
  int64_t full = dense.columns / kPanelColumns;
  int64_t panels = llvm::divideCeil(dense.columns, kPanelColumns);
  int64_t tiles = dense.numRows / getTileHeight();
  // What reading the constant takes, and multiplying with all rows.
  int64_t numbers = dense.columns * dense.inner;
  int64_t work =
      numbers *
      (getElementTypeOrSelf(dense.weight.getType()).getIntOrFloatBitWidth() /
           8 +
       kBytesPerProduct * dense.numRows);
  // One loop over all tiles, those of a panel one after the other, so that the
  // tiles are what threads share.
  return b.independentLoop(
      b.getIndexAttr(0), b.getIndexAttr(panels * tiles), 1, {dest},
      [&](Value i, VectorLoops::Carried carried) {
        Index number = b.floorDiv(i, tiles);
        Value row = b.materialize(b.mul(b.remainder(i, b.getIndexAttr(tiles)),
                                        b.getIndexAttr(getTileHeight())));
        Index column = b.mul(number, b.getIndexAttr(kPanelColumns));
        Value panel = b.materialize(
            b.mul(column, b.getIndexAttr(getWordsPerColumn(dense))));
        Value first = b.materialize(column);
        auto schedulePanelOf = [&](int64_t width,
                                   int64_t valid) -> VectorLoops::Carried {
          return {schedulePanel(row, panel, first, width, valid, carried[0])};
        };
        if (full == panels)
          return schedulePanelOf(kPanelColumns, kPanelColumns);
        int64_t last = full * kPanelColumns;
        return b.ifLess(
            full ? number : b.getIndexAttr(0), b.getIndexAttr(full),
            dest.getType(),
            [&] { return schedulePanelOf(kPanelColumns, kPanelColumns); },
            [&] {
              return schedulePanelOf(getPanelWidth(last, dense.columns),
                                     dense.columns - last);
            });
      },
      work)[0];
}

namespace {

struct ScheduleDense final : headopt::impl::ScheduleDenseBase<ScheduleDense> {
  using ScheduleDenseBase::ScheduleDenseBase;

  ScheduleDense(ScheduleDenseOptions options,
                std::shared_ptr<PackedWeights> packed)
      : ScheduleDenseBase(std::move(options)), packed(std::move(packed)) {}

  void runOnOperation() override {
    if (vectorBits != 128 && vectorBits != 256 && vectorBits != 512) {
      getOperation().emitError("schedule-dense: vector-bits is ")
          << vectorBits.getValue() << "; give 128, 256 or 512";
      return signalPassFailure();
    }
    if (!packed)
      packed = std::make_shared<PackedWeights>();
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    llvm::SmallPtrSet<Operation *, 8> epilogues;
    for (linalg::LinalgOp op : ops) {
      if (epilogues.contains(op))
        continue;
      StringRef whyNot;
      FailureOr<DenseProduct> dense = matchDense(op, whyNot);
      if (failed(dense)) {
        if (linalg::isaContractionOpInterface(op))
          remark::missed(
              op->getLoc(),
              remark::RemarkOpts::name("Dense").category("schedule-dense"))
              << remark::reason("{0}", whyNot.str());
        continue;
      }
      TypedAttr &weight =
          (*packed)[{dense->weight.getValue(), dense->transposed}];
      if (!weight)
        weight = packWeight(*dense);
      if (!weight) {
        op.emitError("schedule-dense: the weight's data is missing or of "
                     "another size than its type");
        return signalPassFailure();
      }
      Operation *root = dense->getRoot();
      VectorLoops builder(root->getLoc(), rewriter);
      builder.setInsertionPoint(root);
      Value result =
          Scheduler(builder, *dense, vectorBits, fma, bf16Dot).schedule(weight);
      rewriter.replaceOp(root, result);
      if (root != dense->product) {
        epilogues.insert(root);
        rewriter.eraseOp(dense->product);
      }
    }
  }

private:
  std::shared_ptr<PackedWeights> packed;
};

} // namespace

bool headopt::multipliesBF16(Operation *root) {
  return root
      ->walk([](linalg::LinalgOp op) {
        StringRef whyNot;
        FailureOr<DenseProduct> dense = matchDenseProduct(op, whyNot);
        return succeeded(dense) && dense->isOfBF16() ? WalkResult::interrupt()
                                                     : WalkResult::advance();
      })
      .wasInterrupted();
}

std::unique_ptr<Pass>
headopt::createScheduleDense(ScheduleDenseOptions options,
                             std::shared_ptr<PackedWeights> packed) {
  return std::make_unique<ScheduleDense>(std::move(options), std::move(packed));
}
