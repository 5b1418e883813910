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
  auto inputType = dyn_cast<RankedTensorType>(type.getInput(0));
  auto outputType = dyn_cast<RankedTensorType>(type.getResult(0));
  if (!inputType || !outputType || inputType.getRank() == 0 ||
      outputType.getRank() == 0)
    return fail(head, "specialize-batch: needs a function from one tensor with "
                      "a batch to another");
  if (inputType.getDimSize(0) != outputType.getDimSize(0))
    return fail(head, "specialize-batch: the first extent of the result is not "
                      "that of the argument");
  if (ShapedType::isDynamicShape(outputType.getShape().drop_front()))
    return fail(head, "specialize-batch: the result has an extent besides the "
                      "batch that is not known; give the model static shapes");

  int64_t fixed = inputType.getDimSize(0);
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

  MLIRContext *context = &getContext();
  OpBuilder builder(head);
  Location loc = head.getLoc();
  SmallVector<func::FuncOp> kernels;
  for (int64_t size : blocks)
    kernels.push_back(createBlock(head, inputType, outputType, size));

  // The entry point.
  SmallVector<unsigned> dynamicAxes;
  for (int64_t axis = 1; axis < inputType.getRank(); ++axis)
    if (inputType.isDynamicDim(axis))
      dynamicAxes.push_back(axis);
  Type i64 = builder.getI64Type(), i32 = builder.getI32Type();
  // Bare pointers: one byte stands for all.
  Type pointer = MemRefType::get({1}, builder.getI8Type());
  SmallVector<Type> argumentTypes{pointer, i64};
  argumentTypes.append(dynamicAxes.size(), i64);
  argumentTypes.push_back(pointer);
  SmallVector<NamedAttribute> kept;
  for (NamedAttribute attribute : head->getDiscardableAttrs())
    kept.push_back(attribute);
  auto entry =
      func::FuncOp::create(builder, loc, head.getName(),
                           builder.getFunctionType(argumentTypes, {i32}), kept);
  entry->setAttr("llvm.bareptr", builder.getUnitAttr());
  head.erase();

  VectorLoops b(loc, context);
  b.setInsertionPointToStart(entry.addEntryBlock());
  Value features = entry.getArgument(0), output = entry.getArguments().back();
  Value batch = entry.getArgument(1);
  auto isTrue = [&](arith::CmpIPredicate predicate, Value a, int64_t value) {
    Value constant =
        arith::ConstantOp::create(b, b.getIntegerAttr(a.getType(), value));
    return Value(arith::CmpIOp::create(b, predicate, a, constant));
  };
  auto either = [&](Value x, Value y) {
    return Value(arith::OrIOp::create(b, x, y));
  };
  Value bad = ShapedType::isDynamic(fixed)
                  ? isTrue(arith::CmpIPredicate::slt, batch, 0)
                  : isTrue(arith::CmpIPredicate::ne, batch, fixed);
  for (unsigned i = 0; i != dynamicAxes.size(); ++i)
    bad = either(
        bad, isTrue(arith::CmpIPredicate::slt, entry.getArgument(2 + i), 1));
  Value noFeatures =
      isTrue(arith::CmpIPredicate::eq,
             memref::ExtractAlignedPointerAsIndexOp::create(b, features), 0);
  Value noOutput =
      isTrue(arith::CmpIPredicate::eq,
             memref::ExtractAlignedPointerAsIndexOp::create(b, output), 0);
  Value needed = isTrue(arith::CmpIPredicate::ne, batch, 0);
  bad = either(bad,
               arith::AndIOp::create(b, needed, either(noFeatures, noOutput)));
  auto branch = scf::IfOp::create(b, TypeRange(i32), bad,
                                  /*withElseRegion=*/true);
  auto yieldCode = [&](int64_t code) {
    Value value = arith::ConstantOp::create(b, b.getI32IntegerAttr(code));
    scf::YieldOp::create(b, value);
  };
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    yieldCode(1);
    b.setInsertionPointToStart(branch.elseBlock());
    Value count = arith::IndexCastOp::create(b, b.getIndexType(), batch);
    SmallVector<Value> dynamicExtents;
    for (unsigned i = 0; i != dynamicAxes.size(); ++i)
      dynamicExtents.push_back(arith::IndexCastOp::create(
          b, b.getIndexType(), entry.getArgument(2 + i)));
    auto getSampleBytes = [&](RankedTensorType tensor, ValueRange extents) {
      Index bytes = b.getIndexAttr(tensor.getElementTypeBitWidth() / 8);
      for (int64_t extent : tensor.getShape().drop_front())
        if (!ShapedType::isDynamic(extent))
          bytes = b.mul(bytes, b.getIndexAttr(extent));
      for (Value extent : extents)
        bytes = b.mul(bytes, extent);
      return bytes;
    };
    Index featureBytes = getSampleBytes(inputType, dynamicExtents);
    Index outputBytes = getSampleBytes(outputType, {});
    Index done = b.getIndexAttr(0);
    for (auto [size, kernel] : llvm::zip_equal(blocks, kernels)) {
      Index left = b.sub(count, done);
      Index end =
          b.add(done, b.mul(b.floorDiv(left, size), b.getIndexAttr(size)));
      func::FuncOp callee = kernel;
      // The bounds are not constants, so this is always a loop.
      b.loop(done, end, size, {}, [&](Value first, VectorLoops::Carried) {
        auto view = [&](Value memory, Type type, Index bytes,
                        ValueRange extents) {
          return Value(memref::ViewOp::create(
              b, cast<MemRefType>(type), memory,
              b.materialize(b.mul(first, bytes)), extents));
        };
        FunctionType kernelType = callee.getFunctionType();
        func::CallOp::create(
            b, callee,
            {view(features, kernelType.getInput(0), featureBytes,
                  dynamicExtents),
             view(output, kernelType.getInput(1), outputBytes, {})});
        return VectorLoops::Carried();
      });
      done = end;
    }
    yieldCode(0);
  }
  func::ReturnOp::create(b, branch.getResults());
}
