//===- ModelFacts.h - What is known of values without a run -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One pass over a model in program order gathers, for every value, its extents
// (also those that only a run knows, as symbols, so that it is seen where two
// are the same), the elements of small integer tensors (the arithmetic on
// shapes that exporters write), and the axes along which it does not vary:
//
//   %s = Shape(%x)                  elements [N, 8, 1, 1]
//   %h = Concat(Slice(%s, 0, 2), [7, 7])     elements [N, 8, 7, 7]
//   %y = Resize(%x, sizes = %h)     extents [N, 8, 7, 7], even along axes 2, 3
//
// What a value shows here holds in every run in which the model does not fail.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_MODELFACTS_H
#define HEADOPT_ANALYSIS_MODELFACTS_H

#include "headopt/Analysis/Extent.h"
#include "headopt/Dialect/ONNX/IR/ONNX.h"
#include "llvm/ADT/DenseMap.h"
#include <string>

namespace headopt {

struct ValueFacts {
  using Shape = llvm::SmallVector<Extent, 4>;
  using Elements = llvm::SmallVector<std::optional<Extent>, 4>;

  /// Of the elements, where it follows from operators: not every file says it.
  mlir::Type elementType;
  /// Nullopt when not even the rank is known.
  std::optional<Shape> shape;
  /// Row-major; nullopt when the value is no small tensor of whole numbers, and
  /// for each element that is not known.
  std::optional<Elements> elements;
  /// For each axis, how many different slices there are along it at most: the
  /// extent, or 1 where the value is even. As long as the shape; empty when
  /// that is unknown.
  Shape varying;

  /// A stretch of one axis within which the value varies less: an input of a
  /// Concat.
  struct Part {
    int64_t begin, end;
    /// As ValueFacts::varying, for this part alone.
    Shape varying;
  };
  /// The axis that has parts, and its parts in order; none when they would say
  /// no more than `varying`.
  std::optional<size_t> partAxis;
  llvm::SmallVector<Part, 0> parts;

  /// True when the value has one element.
  bool isScalar() const {
    return shape && llvm::all_of(*shape, [](const Extent &extent) {
             return extent.isNumber(1);
           });
  }
  /// True when the value does not vary along `axis`.
  bool isEven(size_t axis) const { return varying[axis].isNumber(1); }
};

/// `axis` of a tensor of this rank as counted from the front: a negative one is
/// counted from the end. One that is out of range stays so.
inline int64_t normalizeAxis(int64_t axis, int64_t rank) {
  return axis < 0 ? axis + rank : axis;
}

/// True when `dropout` is known to pass its input on. `whyNot` gets what else
/// it may do, as what follows its name in a sentence.
bool isInference(onnx::DropoutOp dropout, std::string &whyNot);

/// Usable as an MLIR analysis (`getAnalysis<ModelFacts>()`) of a module.
class ModelFacts {
public:
  explicit ModelFacts(mlir::Operation *module);

  const ValueFacts &get(mlir::Value value) const;

  /// The elements of `value` when all are known numbers.
  std::optional<llvm::SmallVector<int64_t>> getNumbers(mlir::Value value) const;

  /// Axes given by an attribute or an input, made non-negative for `rank`;
  /// nullopt when they are not known, out of range or not distinct.
  std::optional<llvm::SmallVector<int64_t>>
  getAxes(std::optional<llvm::ArrayRef<int64_t>> attr, mlir::Value input,
          int64_t rank) const;

  /// The reduced axes of `op`, non-negative; nullopt when they are not known.
  std::optional<llvm::SmallVector<int64_t>>
  getReducedAxes(onnx::ReductionOpInterface op) const;

  /// True when `value` has one element: a parameter that is the same for all
  /// elements of what it is combined with.
  bool isScalar(mlir::Value value) const;

private:
  Extent getNewSymbol() { return Extent::getSymbol(numSymbols++); }
  mlir::Type getKnownElementType(mlir::Operation *op) const;
  void record(mlir::Value value, ValueFacts facts);
  void visit(mlir::Operation *op);

  ValueFacts inferConstant(mlir::Value value);
  ValueFacts inferView(mlir::Operation *op);
  ValueFacts inferPerElement(mlir::Operation *op);
  ValueFacts inferReduction(onnx::ReductionOpInterface op);
  ValueFacts inferQuantisation(mlir::Operation *op);
  ValueFacts inferBatchNormalization(onnx::BatchNormalizationOp op);
  ValueFacts inferNormalization(mlir::Operation *op);
  ValueFacts inferGemm(onnx::GemmOp op);
  ValueFacts inferMatMul(onnx::MatMulOp op);
  ValueFacts inferShape(onnx::ShapeOp op);
  ValueFacts inferGather(onnx::GatherOp op);
  ValueFacts inferGatherND(onnx::GatherNDOp op);
  ValueFacts inferSlice(onnx::SliceOp op);
  ValueFacts inferConcat(onnx::ConcatOp op);
  ValueFacts inferExpand(onnx::ExpandOp op);
  ValueFacts inferTile(onnx::TileOp op);
  ValueFacts inferResize(mlir::Operation *op, mlir::Value input,
                         mlir::Value scales, mlir::Value sizes,
                         std::optional<llvm::ArrayRef<float>> scaleList,
                         bool crops);
  ValueFacts inferWindow(mlir::Operation *op);
  ValueFacts inferConstantOfShape(onnx::ConstantOfShapeOp op);

  llvm::DenseMap<mlir::Value, ValueFacts> facts;
  unsigned numSymbols = 0;
};

} // namespace headopt

#endif // HEADOPT_ANALYSIS_MODELFACTS_H
