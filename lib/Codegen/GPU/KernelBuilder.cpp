//===- KernelBuilder.cpp - Launches and what is in them -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

using namespace mlir;
using namespace headopt;

/// The widest access of one thread.
static constexpr int64_t kVectorBytes = 16;

bool headopt::isKernelElement(Type type) {
  return type.isF16() || type.isBF16() || type.isF32() || type.isInteger(8) ||
         type.isInteger(16) || type.isInteger(32) || type.isInteger(64);
}

static int64_t getBytes(Type element) {
  return element.getIntOrFloatBitWidth() / 8;
}

/// What is in memory for `element`.
static Type getStoredType(Type element) {
  if (element.isBF16())
    return IntegerType::get(element.getContext(), 16);
  return element;
}

/// `memref` with elements of another type.
static Value reinterpret(OpBuilder &b, Location loc, Value memref, Type element,
                         int64_t elementsInOne) {
  auto type = cast<MemRefType>(memref.getType());
  int64_t extent = type.getDimSize(0);
  if (!ShapedType::isDynamic(extent))
    extent /= elementsInOne;
  auto result = MemRefType::get({extent}, element);
  if (result == type)
    return memref;
  return UnrealizedConversionCastOp::create(b, loc, result, memref)
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// On the host
//===----------------------------------------------------------------------===//

SmallVector<Index> KernelBuilder::getExtents(Value tensor) {
  return tensor::getMixedSizes(*this, getLoc(), tensor);
}

Index KernelBuilder::getCount(ArrayRef<Index> extents) {
  Index count = getIndexAttr(1);
  for (Index extent : extents)
    count = mul(count, extent);
  return count;
}

DeviceBuffer KernelBuilder::getBuffer(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.getRank() == 0) {
    auto one = RankedTensorType::get({1}, type.getElementType());
    tensor = tensor::ExpandShapeOp::create(*this, one, tensor,
                                           ArrayRef<ReassociationIndices>());
  } else if (type.getRank() > 1) {
    ReassociationIndices all;
    for (int64_t axis = 0; axis != type.getRank(); ++axis)
      all.push_back(axis);
    tensor = tensor::CollapseShapeOp::create(
        *this, tensor, ArrayRef<ReassociationIndices>(all));
  }
  type = cast<RankedTensorType>(tensor.getType());
  Value memref = bufferization::ToBufferOp::create(
      *this, MemRefType::get(type.getShape(), type.getElementType()), tensor,
      /*read_only=*/true);
  return {reinterpret(*this, getLoc(), memref,
                      getStoredType(type.getElementType()), 1),
          type.getElementType()};
}

DeviceBuffer KernelBuilder::asSplitVectors(const DeviceBuffer &buffer) {
  return {buffer.memref, buffer.element,
          kVectorBytes / getBytes(buffer.element), /*isSplit=*/true};
}

DeviceBuffer KernelBuilder::asVectors(const DeviceBuffer &buffer) {
  // Halves travel in pairs, since no back end has vectors of eight everywhere.
  Type number = buffer.element.isF32() ? Type(getF32Type()) : getI32Type();
  int64_t lanes = kVectorBytes / getBytes(buffer.element);
  Type vector = VectorType::get({kVectorBytes / 4}, number);
  return {reinterpret(*this, getLoc(), buffer.memref, vector, lanes),
          buffer.element, lanes};
}

/// Whether `memory`, a tensor or a buffer, is sure to start at a multiple of
/// kVectorBytes.
static bool isSurelyAligned(Value memory) {
  while (Operation *op = memory.getDefiningOp()) {
    if (auto alloc = dyn_cast<memref::AllocOp>(op))
      return alloc.getAlignment().value_or(1) % kVectorBytes == 0;
    // Tensors that get memory later get it aligned to more than that.
    if (isa<arith::ConstantOp, tensor::EmptyOp>(op))
      return isa<TensorType>(memory.getType());
    if (auto inPlace = dyn_cast<DestinationStyleOpInterface>(op))
      memory = inPlace.getTiedOpOperand(cast<OpResult>(memory))->get();
    else if (isa<bufferization::ToBufferOp, bufferization::ToTensorOp,
                 memref::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
                 tensor::CastOp, UnrealizedConversionCastOp>(op))
      memory = op->getOperand(0);
    else
      return false;
  }
  return false;
}

Index KernelBuilder::isAligned(const DeviceBuffer &buffer) {
  if (isSurelyAligned(buffer.memref))
    return getBoolAttr(true);
  Value address =
      memref::ExtractAlignedPointerAsIndexOp::create(*this, buffer.memref);
  return isZero(remainder(address, getIndexAttr(kVectorBytes)));
}

DeviceBuffer KernelBuilder::allocate(Type element, Index count) {
  SmallVector<int64_t> shape;
  SmallVector<Value> dynamic;
  dispatchIndexOpFoldResults({count}, dynamic, shape);
  Value memref =
      memref::AllocOp::create(*this, MemRefType::get(shape, element), dynamic,
                              getI64IntegerAttr(kVectorBytes));
  return {reinterpret(*this, getLoc(), memref, getStoredType(element), 1),
          element};
}

Value KernelBuilder::getTensor(const DeviceBuffer &buffer,
                               RankedTensorType type, ArrayRef<Index> extents) {
  Value memref = buffer.memref;
  if (auto cast = memref.getDefiningOp<UnrealizedConversionCastOp>())
    memref = cast.getOperand(0);
  auto flat = RankedTensorType::get(
      cast<MemRefType>(memref.getType()).getShape(), buffer.element);
  Value tensor = bufferization::ToTensorOp::create(*this, flat, memref,
                                                   /*restrict=*/true);
  if (type.getRank() == 0)
    return tensor::CollapseShapeOp::create(*this, type, tensor,
                                           ArrayRef<ReassociationIndices>());
  if (type.getRank() > 1) {
    ReassociationIndices all;
    for (int64_t axis = 0; axis != type.getRank(); ++axis)
      all.push_back(axis);
    return tensor::ExpandShapeOp::create(
        *this, type, tensor, ArrayRef<ReassociationIndices>(all), extents);
  }
  if (flat != type)
    return tensor::CastOp::create(*this, type, tensor);
  return tensor;
}

void KernelBuilder::branch(Index condition, function_ref<void()> whenTrue,
                           function_ref<void()> whenFalse) {
  if (std::optional<int64_t> known = getConstantIntValue(condition))
    return *known ? whenTrue() : whenFalse();
  auto branch = scf::IfOp::create(*this, cast<Value>(condition),
                                  /*withElseRegion=*/true);
  InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  whenTrue();
  setInsertionPointToStart(branch.elseBlock());
  whenFalse();
}

void KernelBuilder::launch(StringRef kind, Index tasks, int64_t threads,
                           function_ref<void(Value, Value)> body) {
  std::optional<int64_t> known = getConstantIntValue(tasks);
  int64_t most = family.shape.maxBlocks;
  bool oneEach = most == int64_t(kAnyBlocks) || (known && *known <= most);
  Value blocks = materialize(oneEach ? tasks : min(tasks, getIndexAttr(most)));
  Value one = constant(1);
  current = gpu::LaunchOp::create(*this, blocks, one, one, constant(threads),
                                  one, one);
  usesShared = false;
  auto getSymbol = [&](const Twine &name) {
    return FlatSymbolRefAttr::get(getContext(), name.str());
  };
  current.setModuleAttr(getSymbol(family.module));
  current.setFunctionAttr(
      getSymbol(family.prefix + "_" + kind + "_" + Twine(family.numKernels++)));
  InsertionGuard guard(*this);
  setInsertionPointToStart(&current.getBody().front());
  Value block = current.getBlockIds().x, thread = current.getThreadIds().x;
  if (oneEach) {
    body(block, thread);
  } else {
    // `blocks` is an argument of the kernel: not every back end can ask.
    loop(block, tasks, blocks, {}, [&](Value task, Values) {
      body(task, thread);
      // Before the next task writes to shared memory, all have read it.
      if (usesShared)
        barrier();
      return Values();
    });
  }
  gpu::TerminatorOp::create(*this);
  current = nullptr;
}

//===----------------------------------------------------------------------===//
// In a kernel
//===----------------------------------------------------------------------===//

Value KernelBuilder::getShared(Type element, int64_t count) {
  usesShared = true;
  auto space =
      gpu::AddressSpaceAttr::get(getContext(), gpu::AddressSpace::Workgroup);
  return current.addWorkgroupAttribution(
      MemRefType::get({count}, element, AffineMap(), space), getLoc());
}

DeviceBuffer KernelBuilder::getSharedTile(const DeviceBuffer &vectors,
                                          int64_t count) {
  Type word = cast<VectorType>(
                  cast<MemRefType>(vectors.memref.getType()).getElementType())
                  .getElementType();
  return {getShared(word, count * (kVectorBytes / 4)), vectors.element};
}

Value KernelBuilder::readWords(const DeviceBuffer &vectors, Value index) {
  return memref::LoadOp::create(*this, vectors.memref, index);
}

void KernelBuilder::writeWords(const DeviceBuffer &tile, Value index,
                               Value words) {
  int64_t count = kVectorBytes / 4;
  Index first = mul(index, getIndexAttr(count));
  for (int64_t i = 0; i != count; ++i)
    memref::StoreOp::create(*this, vector::ExtractOp::create(*this, words, i),
                            tile.memref,
                            materialize(add(first, getIndexAttr(i))));
}

Value KernelBuilder::readFromTile(const DeviceBuffer &tile, Index first,
                                  Index step) {
  auto type = cast<MemRefType>(tile.memref.getType());
  if (type.getElementType() == tile.element)
    return read(tile, materialize(add(first, step)))[0];
  Index two = getIndexAttr(2);
  Value word = memref::LoadOp::create(
      *this, tile.memref,
      materialize(add(floorDiv(first, two), floorDiv(step, two))));
  Value bits = materialize(mul(remainder(first, two), getIndexAttr(16)));
  Value half = arith::ShRUIOp::create(
      *this, word, arith::IndexCastOp::create(*this, getI32Type(), bits));
  Value number = arith::TruncIOp::create(*this, getI16Type(), half);
  return arith::BitcastOp::create(*this, tile.element, number);
}

void KernelBuilder::barrier() { gpu::BarrierOp::create(*this); }

KernelBuilder::Values KernelBuilder::read(const DeviceBuffer &buffer,
                                          Value index) {
  auto asElement = [&](Value number) -> Value {
    if (number.getType() == buffer.element)
      return number;
    return arith::BitcastOp::create(*this, buffer.element, number);
  };
  if (buffer.isSplit) {
    Index first = mul(index, getIndexAttr(buffer.lanes));
    Values elements;
    for (int64_t i = 0; i != buffer.lanes; ++i) {
      Value place = materialize(add(first, getIndexAttr(i)));
      elements.push_back(
          asElement(memref::LoadOp::create(*this, buffer.memref, place)));
    }
    return elements;
  }
  Value stored = memref::LoadOp::create(*this, buffer.memref, index);
  if (buffer.lanes == 1)
    return {asElement(stored)};
  Values elements;
  for (int64_t i = 0; i != kVectorBytes / 4; ++i) {
    Value number = vector::ExtractOp::create(*this, stored, i);
    if (number.getType() == buffer.element) {
      elements.push_back(number);
      continue;
    }
    // Two halves, the lower first.
    Value high = arith::ShRUIOp::create(
        *this, number, arith::ConstantIntOp::create(*this, 16, 32));
    for (Value half : {number, high})
      elements.push_back(
          asElement(arith::TruncIOp::create(*this, getI16Type(), half)));
  }
  return elements;
}

void KernelBuilder::write(const DeviceBuffer &buffer, Value index,
                          Value number) {
  Type stored = getStoredType(number.getType());
  if (number.getType() != stored)
    number = arith::BitcastOp::create(*this, stored, number);
  memref::StoreOp::create(*this, number, buffer.memref, index);
}

KernelBuilder::Values
KernelBuilder::loop(Index from, Index to, Index step, Values carried,
                    function_ref<Values(Value, Values)> body) {
  std::optional<int64_t> first = getConstantIntValue(from),
                         last = getConstantIntValue(to),
                         each = getConstantIntValue(step);
  if (first && last && *first >= *last)
    return carried;
  if (first && last && each && *first + *each >= *last)
    return body(constant(*first), carried);
  auto loop = scf::ForOp::create(*this, materialize(from), materialize(to),
                                 materialize(step), carried);
  InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  Values next = body(loop.getInductionVar(),
                     llvm::to_vector_of<Value>(loop.getRegionIterArgs()));
  // A loop that carries nothing has its terminator already.
  if (!carried.empty())
    scf::YieldOp::create(*this, next);
  return llvm::to_vector_of<Value>(loop.getResults());
}

KernelBuilder::Values KernelBuilder::choose(TypeRange types, Value condition,
                                            function_ref<Values()> whenTrue,
                                            function_ref<Values()> whenFalse) {
  auto branch =
      scf::IfOp::create(*this, types, condition, /*withElseRegion=*/true);
  InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(*this, whenTrue());
  setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(*this, whenFalse());
  return llvm::to_vector_of<Value>(branch.getResults());
}

KernelBuilder::Values KernelBuilder::when(Value condition, Values otherwise,
                                          function_ref<Values()> body) {
  return choose(llvm::to_vector(TypeRange(ValueRange(otherwise))), condition,
                body, [&] { return otherwise; });
}

void KernelBuilder::when(Value condition, function_ref<void()> body) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  body();
}

KernelBuilder::Values KernelBuilder::select(Value condition, Values whenTrue,
                                            Values whenFalse) {
  for (auto [yes, no] : llvm::zip_equal(whenTrue, whenFalse))
    if (yes != no)
      yes = arith::SelectOp::create(*this, condition, yes, no);
  return whenTrue;
}

Value KernelBuilder::isBelow(Index a, Index b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::ult, materialize(a),
                               materialize(b));
}

Value KernelBuilder::isZero(Index a) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, materialize(a),
                               constant(0));
}

Value KernelBuilder::inlineBody(Block &body, ValueRange arguments) {
  IRMapping map;
  map.map(body.getArguments(), arguments);
  for (Operation &op : body.without_terminator())
    clone(op, map);
  return map.lookupOrDefault(body.getTerminator()->getOperand(0));
}

Value KernelBuilder::getNeutral(Combiner combiner, Type type) {
  auto number = cast<FloatType>(type);
  APFloat value =
      combiner == Combiner::Sum
          ? APFloat::getZero(number.getFloatSemantics())
          : APFloat::getInf(number.getFloatSemantics(), /*Negative=*/true);
  return arith::ConstantFloatOp::create(*this, number, value);
}

Value KernelBuilder::join(Combiner combiner, Value a, Value b) {
  if (combiner == Combiner::Sum)
    return arith::AddFOp::create(*this, a, b);
  return arith::MaximumFOp::create(*this, a, b);
}

Value KernelBuilder::joinAll(Combiner combiner, Values numbers) {
  while (numbers.size() > 1) {
    Values joined;
    for (size_t i = 0; i + 1 < numbers.size(); i += 2)
      joined.push_back(join(combiner, numbers[i], numbers[i + 1]));
    if (numbers.size() % 2)
      joined.push_back(numbers.back());
    numbers = joined;
  }
  return numbers.front();
}

Value KernelBuilder::joinLanes(Combiner combiner, Value number, int64_t lanes) {
  if (lanes == 1)
    return number;
  auto operation = combiner == Combiner::Sum
                       ? gpu::AllReduceOperation::ADD
                       : gpu::AllReduceOperation::MAXIMUMF;
  std::optional<uint32_t> cluster;
  if (lanes != family.shape.subgroupSize)
    cluster = lanes;
  return gpu::SubgroupReduceOp::create(*this, number, operation,
                                       /*uniform=*/false, cluster);
}
