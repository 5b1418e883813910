//===- MapLoops.cpp - Any other operation on tensors as a kernel ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A thread for each element of the results, which loops over what is reduced.
// For what is between the large operations of a head: activations, the steps of
// a softmax, transposes.
//
//===----------------------------------------------------------------------===//

#include "Mapping.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace headopt;

static constexpr int64_t kThreads = 128;

namespace {

using Values = KernelBuilder::Values;

/// Memory of a tensor with its extents.
struct View {
  DeviceBuffer buffer;
  SmallVector<Index> extents;
};

class LoopMapper {
public:
  LoopMapper(KernelBuilder &b, linalg::LinalgOp op) : b(b), op(op) {}

  SmallVector<Value> map();

private:
  View getView(Value tensor) {
    return {b.getBuffer(tensor), b.getExtents(tensor)};
  }
  Value getPlace(const View &view, ValueRange indices);
  Values apply(AffineMap map);
  Values runBody(Values sums);
  Values reduce(ArrayRef<unsigned> loops, Values sums);

  KernelBuilder &b;
  linalg::LinalgOp op;
  SmallVector<Index> ranges;
  /// Where each loop stands.
  Values position;
  SmallVector<View> inputs;
  /// Tensors that the body reads by itself.
  llvm::DenseMap<Value, View> captured;
};

} // namespace

/// The number of the element at `indices`.
Value LoopMapper::getPlace(const View &view, ValueRange indices) {
  Index place = b.getIndexAttr(0);
  for (auto [index, extent] : llvm::zip_equal(indices, view.extents))
    place = b.add(b.mul(place, extent), index);
  return b.materialize(place);
}

/// `map` of where the loops stand.
Values LoopMapper::apply(AffineMap map) {
  return *affine::expandAffineMap(b, b.getLoc(), map, position);
}

/// The body for one point; `sums` are what it has so far for the results.
Values LoopMapper::runBody(Values sums) {
  Block &body = *op.getBlock();
  IRMapping map;
  for (auto [view, operand] :
       llvm::zip_equal(inputs, op.getDpsInputOperands())) {
    BlockArgument argument = op.getMatchingBlockArgument(operand);
    if (argument.use_empty())
      continue;
    Value number = operand->get();
    if (isa<RankedTensorType>(number.getType()))
      number =
          b.read(view.buffer,
                 getPlace(view, apply(op.getMatchingIndexingMap(operand))))[0];
    map.map(argument, number);
  }
  for (auto [argument, sum] : llvm::zip_equal(op.getRegionOutputArgs(), sums))
    if (sum)
      map.map(argument, sum);
  for (Operation &inner : body.without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      map.map(index.getResult(), position[index.getDim()]);
    } else if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
      const View &view = captured.find(extract.getTensor())->second;
      Values indices;
      for (Value index : extract.getIndices())
        indices.push_back(map.lookupOrDefault(index));
      map.map(extract.getResult(),
              b.read(view.buffer, getPlace(view, indices))[0]);
    } else {
      b.clone(inner, map);
    }
  }
  Values results;
  for (Value yielded : body.getTerminator()->getOperands())
    results.push_back(map.lookupOrDefault(yielded));
  return results;
}

Values LoopMapper::reduce(ArrayRef<unsigned> loops, Values sums) {
  if (loops.empty())
    return runBody(sums);
  return b.loop(b.getIndexAttr(0), ranges[loops[0]], b.getIndexAttr(1), sums,
                [&](Value i, Values carried) {
                  position[loops[0]] = i;
                  return reduce(loops.drop_front(), carried);
                });
}

SmallVector<Value> LoopMapper::map() {
  for (OpOperand *operand : op.getDpsInputOperands())
    inputs.push_back(isa<RankedTensorType>(operand->get().getType())
                         ? getView(operand->get())
                         : View());
  op.getBlock()->walk([&](tensor::ExtractOp extract) {
    captured.try_emplace(extract.getTensor(), getView(extract.getTensor()));
  });
  // As long as the operands say: what the ranges are, is in their shapes.
  ranges.resize(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    SmallVector<Index> extents = b.getExtents(operand.get());
    for (auto [expr, extent] : llvm::zip_equal(
             op.getMatchingIndexingMap(&operand).getResults(), extents))
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        if (Index &range = ranges[dim.getPosition()];
            !range || getConstantIntValue(extent))
          range = extent;
  }
  SmallVector<unsigned> parallel, reduction;
  op.getParallelDims(parallel);
  op.getReductionDims(reduction);

  SmallVector<View> inits, outputs;
  SmallVector<AffineMap> outputMaps;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    auto type = cast<RankedTensorType>(init.get().getType());
    View output{{}, b.getExtents(init.get())};
    output.buffer =
        b.allocate(type.getElementType(), b.getCount(output.extents));
    outputs.push_back(output);
    outputMaps.push_back(op.getMatchingIndexingMap(&init));
    // Loops of no step leave what was there.
    bool isRead =
        !op.getMatchingBlockArgument(&init).use_empty() ||
        (!reduction.empty() && !init.get().getDefiningOp<tensor::EmptyOp>());
    auto fill = init.get().getDefiningOp<linalg::FillOp>();
    inits.push_back(isRead && !fill ? getView(init.get()) : View());
  }

  Index count = b.getIndexAttr(1);
  for (unsigned loop : parallel)
    count = b.mul(count, ranges[loop]);
  Index tasks = b.ceilDiv(count, b.getIndexAttr(kThreads));
  b.launch("loops", tasks, kThreads, [&](Value task, Value thread) {
    Index point = b.add(b.mul(task, b.getIndexAttr(kThreads)), thread);
    b.when(b.isBelow(point, count), [&] {
      position.assign(op.getNumLoops(), Value());
      Index rest = point;
      for (unsigned loop : llvm::reverse(parallel)) {
        bool outermost = loop == parallel.front();
        position[loop] =
            b.materialize(outermost ? rest : b.remainder(rest, ranges[loop]));
        if (!outermost)
          rest = b.floorDiv(rest, ranges[loop]);
      }
      // Output maps name parallel loops only, so the others may stand anywhere.
      for (Value &index : position)
        if (!index)
          index = b.constant(0);
      Values places, sums;
      for (auto [init, output, map, operand] :
           llvm::zip_equal(inits, outputs, outputMaps, op.getDpsInits())) {
        places.push_back(getPlace(output, apply(map)));
        if (init.buffer.memref)
          sums.push_back(b.read(init.buffer, places.back())[0]);
        else if (auto fill = operand.getDefiningOp<linalg::FillOp>())
          sums.push_back(fill.value());
        else if (!reduction.empty())
          // Loops carry something, if only for the first step.
          sums.push_back(arith::ConstantOp::create(
              b, cast<TypedAttr>(
                     b.getZeroAttr(getElementTypeOrSelf(operand.getType())))));
        else
          sums.push_back(Value());
      }
      sums = reduce(reduction, sums);
      for (auto [output, place, sum] : llvm::zip_equal(outputs, places, sums))
        b.write(output.buffer, place, sum);
    });
  });
  SmallVector<Value> results;
  for (auto [output, result] : llvm::zip_equal(outputs, op->getResults()))
    results.push_back(b.getTensor(output.buffer,
                                  cast<RankedTensorType>(result.getType()),
                                  output.extents));
  return results;
}

SmallVector<Value> headopt::mapLoops(KernelBuilder &b, linalg::LinalgOp op) {
  return LoopMapper(b, op).map();
}

LogicalResult headopt::checkMapsToLoops(linalg::LinalgOp op,
                                        std::string &whyNot) {
  auto refuse = [&](const Twine &reason) {
    whyNot = reason.str();
    return failure();
  };
  if (!op.hasPureTensorSemantics())
    return refuse("it is not on tensors");
  // Its operands, and what its body reads by itself.
  SmallVector<Value> values = llvm::to_vector(op->getOperands());
  op.getBlock()->walk([&](tensor::ExtractOp extract) {
    values.push_back(extract.getTensor());
  });
  for (Value value : values) {
    Type element = getElementTypeOrSelf(value.getType());
    if (isKernelElement(element))
      continue;
    whyNot = "kernels have no numbers of type ";
    llvm::raw_string_ostream(whyNot) << element;
    return failure();
  }
  SmallVector<unsigned> parallel;
  op.getParallelDims(parallel);
  for (OpOperand &init : op.getDpsInitsMutable()) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    if (!map.isProjectedPermutation() || map.getNumResults() != parallel.size())
      return refuse("its results are not written element by element");
    for (unsigned i = 0; i != map.getNumResults(); ++i)
      if (!llvm::is_contained(parallel, map.getDimPosition(i)))
        return refuse("its results are not written element by element");
  }
  WalkResult walked = op.getBlock()->walk([&](Operation *inner) {
    if (inner->getNumRegions() == 0 &&
        (isa<linalg::IndexOp, tensor::ExtractOp>(inner) ||
         (isPure(inner) &&
          llvm::none_of(inner->getOperandTypes(), llvm::IsaPred<ShapedType>)) ||
         inner->hasTrait<OpTrait::IsTerminator>()))
      return WalkResult::advance();
    whyNot = ("its body has " + inner->getName().getStringRef()).str();
    return WalkResult::interrupt();
  });
  return failure(walked.wasInterrupted());
}
