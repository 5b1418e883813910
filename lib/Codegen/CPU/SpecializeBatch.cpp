//===- SpecializeBatch.cpp - A C function by blocks of the batch ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VectorLoops.h"
#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/SymbolTable.h"

namespace headopt {
#define GEN_PASS_DEF_SPECIALIZEBATCH
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;
using namespace headopt;

namespace {

struct SpecializeBatch final
    : headopt::impl::SpecializeBatchBase<SpecializeBatch> {
  using SpecializeBatchBase::SpecializeBatchBase;

  void runOnOperation() override;

private:
  func::FuncOp createRange(func::FuncOp head, ArrayRef<int64_t> blocks);
  void createEntry(func::FuncOp head, func::FuncOp range);
  void callRange(VectorLoops &b, func::FuncOp range, func::FuncOp entry,
                 ValueRange extents, Value count);

  /// Of the largest kernel.
  int64_t largestBlock = 1;
  RankedTensorType inputType, outputType;
  /// Of the input, behind the batch.
  SmallVector<unsigned> dynamicAxes;
};

} // namespace

static MemRefType getBufferType(RankedTensorType type, int64_t batch) {
  SmallVector<int64_t> shape(type.getShape());
  shape[0] = batch;
  return MemRefType::get(shape, type.getElementType());
}

/// A function that does what `head` does for `batch` samples, from one buffer
/// to another.
static func::FuncOp createBlock(func::FuncOp head, RankedTensorType inputType,
                                RankedTensorType outputType, int64_t batch) {
  OpBuilder builder(head);
  Location loc = head.getLoc();
  MemRefType from = getBufferType(inputType, batch);
  MemRefType to = getBufferType(outputType, batch);
  auto block = func::FuncOp::create(
      builder, loc, (head.getName() + ".block" + Twine(batch)).str(),
      builder.getFunctionType({from, to}, {}));
  block.setPrivate();
  // The caller's buffers do not overlap: the C interface says so.
  for (unsigned i : {0u, 1u})
    block.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                     builder.getUnitAttr());
  block.setArgAttr(0, LLVM::LLVMDialect::getReadonlyAttrName(),
                   builder.getUnitAttr());
  builder.setInsertionPointToStart(block.addEntryBlock());
  auto tensorType =
      RankedTensorType::get(from.getShape(), from.getElementType());
  Value features = bufferization::ToTensorOp::create(
      builder, loc, tensorType, block.getArgument(0), /*restrict=*/true,
      /*writable=*/false);
  if (tensorType != inputType)
    features = tensor::CastOp::create(builder, loc, inputType, features);
  IRMapping map;
  map.map(head.getArgument(0), features);
  for (Operation &op : head.getBody().front().without_terminator())
    builder.clone(op, map);
  Value result =
      map.lookup(head.getBody().front().getTerminator()->getOperand(0));
  auto resultType = RankedTensorType::get(to.getShape(), to.getElementType());
  if (result.getType() != resultType)
    result = tensor::CastOp::create(builder, loc, resultType, result);
  auto write = bufferization::MaterializeInDestinationOp::create(
      builder, loc, /*result=*/Type(), result, block.getArgument(1));
  write.setRestrict(true);
  write.setWritable(true);
  func::ReturnOp::create(builder, loc);
  return block;
}

/// The bytes of one sample; `extents` are those that are not known.
static Index getSampleBytes(VectorLoops &b, RankedTensorType type,
                            ValueRange extents) {
  Index bytes = b.getIndexAttr(type.getElementTypeBitWidth() / 8);
  for (int64_t extent : type.getShape().drop_front())
    if (!ShapedType::isDynamic(extent))
      bytes = b.mul(bytes, b.getIndexAttr(extent));
  for (Value extent : extents)
    bytes = b.mul(bytes, extent);
  return bytes;
}

/// Memory whose extent the caller knows: one byte stands for all.
static MemRefType getPointerType(MLIRContext *context) {
  return MemRefType::get({1}, IntegerType::get(context, 8));
}

/// A function of both buffers, the first sample, the one behind the last, and
/// the extents that are not known, that calls kernels for all of the samples.
func::FuncOp SpecializeBatch::createRange(func::FuncOp head,
                                          ArrayRef<int64_t> blocks) {
  VectorLoops b(head.getLoc(), &getContext());
  b.setInsertionPoint(head);
  Type pointer = getPointerType(&getContext()), index = b.getIndexType();
  SmallVector<func::FuncOp> kernels;
  for (int64_t size : blocks)
    kernels.push_back(createBlock(head, inputType, outputType, size));
  SmallVector<Type> types{pointer, pointer, index, index};
  types.append(dynamicAxes.size(), index);
  auto range = func::FuncOp::create(b, (head.getName() + ".range").str(),
                                    b.getFunctionType(types, {}));
  range.setPrivate();
  b.setInsertionPointToStart(range.addEntryBlock());
  Value features = range.getArgument(0), output = range.getArgument(1);
  Index done = range.getArgument(2), last = range.getArgument(3);
  ValueRange extents = range.getArguments().drop_front(4);
  Index featureBytes = getSampleBytes(b, inputType, extents);
  Index outputBytes = getSampleBytes(b, outputType, {});
  for (auto [size, kernel] : llvm::zip_equal(blocks, kernels)) {
    Index end = b.add(
        done, b.mul(b.floorDiv(b.sub(last, done), size), b.getIndexAttr(size)));
    func::FuncOp callee = kernel;
    // The bounds are not constants, so this is always a loop.
    b.loop(done, end, size, {}, [&](Value first, VectorLoops::Carried) {
      auto view = [&](Value memory, Type type, Index bytes, ValueRange dims) {
        return Value(memref::ViewOp::create(b, cast<MemRefType>(type), memory,
                                            b.materialize(b.mul(first, bytes)),
                                            dims));
      };
      FunctionType type = callee.getFunctionType();
      func::CallOp::create(
          b, callee,
          ValueRange{view(features, type.getInput(0), featureBytes, extents),
                     view(output, type.getInput(1), outputBytes, {})});
      return VectorLoops::Carried();
    });
    done = end;
  }
  func::ReturnOp::create(b);
  return range;
}

/// Has all `count` samples computed: by several threads when there is enough to
/// read and each has a block of the largest size, which takes as many samples
/// in a row. (With fewer, share-loops has the threads work on one block
/// together.)
void SpecializeBatch::callRange(VectorLoops &b, func::FuncOp range,
                                func::FuncOp entry, ValueRange extents,
                                Value count) {
  auto call = [&](Value first, Value last) {
    SmallVector<Value> arguments{entry.getArgument(0),
                                 entry.getArguments().back(), first, last};
    llvm::append_range(arguments, extents);
    func::CallOp::create(b, range, arguments);
  };
  Value zero = b.constant(0);
  // A fixed batch has one kernel, for all of it.
  if (!openmp || !inputType.isDynamicDim(0))
    return call(zero, count);

  Value threads = b.askOpenMP("omp_get_max_threads");
  Value bytes =
      b.materialize(b.mul(count, getSampleBytes(b, inputType, extents)));
  auto isAtLeast = [&](Value value, Value least) {
    return Value(
        arith::CmpIOp::create(b, arith::CmpIPredicate::uge, value, least));
  };
  Value isLarge = isAtLeast(bytes, b.constant(parallelBytes));
  Value least = b.materialize(b.mul(threads, b.getIndexAttr(largestBlock)));
  Value haveEach = isAtLeast(count, least);
  isLarge = arith::AndIOp::create(b, isLarge, haveEach);
  Value areSeveral = isAtLeast(threads, b.constant(2));
  isLarge = arith::AndIOp::create(b, isLarge, areSeveral);
  // A caller with threads of its own has shared out what there is.
  Value isAlone = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                        b.askOpenMP("omp_in_parallel"), zero);
  isLarge = arith::AndIOp::create(b, isLarge, isAlone);
  auto branch = scf::IfOp::create(b, isLarge, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.elseBlock());
  call(zero, count);
  b.setInsertionPointToStart(branch.thenBlock());
  auto loop = scf::ParallelOp::create(b, ValueRange(zero), ValueRange(threads),
                                      ValueRange(b.constant(1)));
  b.setInsertionPointToStart(loop.getBody());
  auto getFirst = [&](Index thread) {
    return Value(arith::DivUIOp::create(b, b.materialize(b.mul(count, thread)),
                                        threads));
  };
  Value thread = loop.getInductionVars().front();
  call(getFirst(thread), getFirst(b.add(thread, b.getIndexAttr(1))));
}

/// The function with the C interface, in place of `head`.
void SpecializeBatch::createEntry(func::FuncOp head, func::FuncOp range) {
  VectorLoops b(head.getLoc(), &getContext());
  b.setInsertionPoint(head);
  Type pointer = getPointerType(&getContext());
  Type i64 = b.getI64Type(), i32 = b.getI32Type();
  if (openmp && inputType.isDynamicDim(0))
    for (StringRef name : {"omp_get_max_threads", "omp_in_parallel"})
      func::FuncOp::create(b, name, b.getFunctionType({}, {i32})).setPrivate();
  SmallVector<Type> types{pointer, i64};
  types.append(dynamicAxes.size(), i64);
  types.push_back(pointer);
  auto entry =
      func::FuncOp::create(b, head.getName(), b.getFunctionType(types, {i32}),
                           llvm::to_vector(head->getDiscardableAttrs()));
  entry->setAttr("llvm.bareptr", b.getUnitAttr());

  b.setInsertionPointToStart(entry.addEntryBlock());
  Value batch = entry.getArgument(1);
  auto compare = [&](arith::CmpIPredicate predicate, Value a, int64_t value) {
    Value constant =
        arith::ConstantOp::create(b, b.getIntegerAttr(a.getType(), value));
    return Value(arith::CmpIOp::create(b, predicate, a, constant));
  };
  auto isNull = [&](Value memory) {
    return compare(arith::CmpIPredicate::eq,
                   memref::ExtractAlignedPointerAsIndexOp::create(b, memory),
                   0);
  };
  int64_t fixed = inputType.getDimSize(0);
  Value isBad = ShapedType::isDynamic(fixed)
                    ? compare(arith::CmpIPredicate::slt, batch, 0)
                    : compare(arith::CmpIPredicate::ne, batch, fixed);
  for (unsigned i = 0; i != dynamicAxes.size(); ++i)
    isBad = arith::OrIOp::create(
        b, isBad,
        compare(arith::CmpIPredicate::slt, entry.getArgument(2 + i), 1));
  Value lacksMemory = arith::OrIOp::create(b, isNull(entry.getArgument(0)),
                                           isNull(entry.getArguments().back()));
  isBad = arith::OrIOp::create(
      b, isBad,
      arith::AndIOp::create(b, compare(arith::CmpIPredicate::ne, batch, 0),
                            lacksMemory));

  auto branch = scf::IfOp::create(b, TypeRange(i32), isBad,
                                  /*withElseRegion=*/true);
  func::ReturnOp::create(b, branch.getResults());
  auto yieldCode = [&](int64_t code) {
    Value value = arith::ConstantOp::create(b, b.getI32IntegerAttr(code));
    scf::YieldOp::create(b, value);
  };
  b.setInsertionPointToStart(branch.thenBlock());
  yieldCode(1);
  b.setInsertionPointToStart(branch.elseBlock());
  auto getIndex = [&](Value value) -> Value {
    return arith::IndexCastOp::create(b, b.getIndexType(), value);
  };
  SmallVector<Value> extents;
  for (unsigned i = 0; i != dynamicAxes.size(); ++i)
    extents.push_back(getIndex(entry.getArgument(2 + i)));
  callRange(b, range, entry, extents, getIndex(batch));
  yieldCode(0);
}

void SpecializeBatch::runOnOperation() {
  ModuleOp module = getOperation();
  auto fail = [&](Operation *op, const Twine &message) {
    op->emitError(message);
    signalPassFailure();
  };
  auto functions = llvm::to_vector(module.getOps<func::FuncOp>());
  if (functions.size() != 1)
    return fail(module, "specialize-batch: needs a module of one function");
  func::FuncOp head = functions.front();
  FunctionType type = head.getFunctionType();
  if (head.isExternal() || !head.getBody().hasOneBlock() ||
      type.getNumInputs() != 1 || type.getNumResults() != 1)
    return fail(head, "specialize-batch: needs a function of one block from "
                      "one tensor to another");
  inputType = dyn_cast<RankedTensorType>(type.getInput(0));
  outputType = dyn_cast<RankedTensorType>(type.getResult(0));
  if (!inputType || !outputType || inputType.getRank() == 0 ||
      outputType.getRank() == 0)
    return fail(head, "specialize-batch: needs a function from one tensor with "
                      "a batch to another");
  int64_t fixed = inputType.getDimSize(0);
  if (fixed != outputType.getDimSize(0))
    return fail(head, "specialize-batch: the first extent of the result is not "
                      "that of the argument");
  if (ShapedType::isDynamicShape(outputType.getShape().drop_front()))
    return fail(head, "specialize-batch: the result has an extent besides the "
                      "batch that is not known; give the model static shapes");
  dynamicAxes.clear();
  for (int64_t axis = 1; axis < inputType.getRank(); ++axis)
    if (inputType.isDynamicDim(axis))
      dynamicAxes.push_back(axis);

  SmallVector<int64_t> blocks(sizes.begin(), sizes.end());
  if (blocks.empty())
    blocks = {32, 8, 4, 2, 1};
  if (fixed == 0)
    blocks.clear();
  else if (!ShapedType::isDynamic(fixed))
    blocks = {fixed};
  else if (blocks.back() != 1 ||
           !llvm::is_sorted(blocks, std::greater_equal<>()))
    return fail(head, "specialize-batch: sizes must fall and end with 1");

  if (!blocks.empty())
    largestBlock = blocks.front();

  // Nobody would check what such a cast claims.
  WalkResult claims = head.walk([&](tensor::CastOp cast) {
    return tensor::preservesStaticInformation(cast.getType(),
                                              cast.getSource().getType())
               ? WalkResult::advance()
               : WalkResult::interrupt();
  });
  if (claims.wasInterrupted())
    return fail(head,
                "specialize-batch: the extents of the feature map are not "
                "known, but a dense layer takes only certain ones; give "
                "the model static shapes");

  createEntry(head, createRange(head, blocks));
  head.erase();
}
