//===- Emitter.h - What all lowerings of nodes are written with -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_CONVERSION_ONNXTOLINALG_EMITTER_H
#define HEADOPT_CONVERSION_ONNXTOLINALG_EMITTER_H

#include "headopt/Analysis/ModelFacts.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/DialectConversion.h"

namespace headopt {

/// A lowered value and its extents. The type of the value has a number where
/// the extent is one.
struct Tensor {
  mlir::Value value;
  ValueFacts::Shape shape;

  explicit operator bool() const { return value != nullptr; }
  int64_t getRank() const { return shape.size(); }
  mlir::Type getElementType() const {
    return mlir::cast<mlir::RankedTensorType>(value.getType()).getElementType();
  }
};

/// True for f16, bf16, f32, f64 and integers: what arith computes with.
bool isLoweredElementType(mlir::Type type);

/// The floating-point number `number` in `type`, rounded once if need be.
mlir::Value convertFloat(mlir::ImplicitLocOpBuilder &b, mlir::Value number,
                         mlir::Type type);

/// An operand of a function per element.
struct ElementOperand {
  ElementOperand(Tensor tensor) : tensor(std::move(tensor)) {}
  ElementOperand(Tensor tensor, llvm::ArrayRef<int64_t> axes)
      : tensor(std::move(tensor)), axes(llvm::SmallVector<int64_t>(axes)) {}

  Tensor tensor;
  /// For each axis the axis of the result; by default the last axes are
  /// aligned, as numpy does it.
  std::optional<llvm::SmallVector<int64_t>> axes;
};

/// What the lowerings of one module share.
class LoweringState {
public:
  LoweringState(const ModelFacts &facts, mlir::ModuleOp module);

  const ModelFacts &getFacts() const { return facts; }

  /// The axis of a function's argument whose extent is `symbol`; a null value
  /// when there is none.
  std::pair<mlir::Value, int64_t> getOrigin(unsigned symbol) const {
    return origins.lookup(symbol);
  }

  /// Remembers why `op` is not lowered; the conversion ends with it.
  void refuse(mlir::Operation *op, const llvm::Twine &why) {
    refused = op;
    reason = why.str();
  }
  mlir::Operation *getRefused() const { return refused; }
  llvm::StringRef getReason() const { return reason; }

private:
  const ModelFacts &facts;
  llvm::DenseMap<unsigned, std::pair<mlir::Value, int64_t>> origins;
  mlir::Operation *refused = nullptr;
  std::string reason;
};

/// Computes an element of a result from one element of each operand. Elements
/// of f16 and bf16 come as f32.
using ElementFunction = llvm::function_ref<mlir::Value(
    mlir::ImplicitLocOpBuilder &b, mlir::ValueRange elements)>;

/// Writes the operations that take the place of one node.
class Emitter {
public:
  Emitter(mlir::ConversionPatternRewriter &rewriter, LoweringState &state,
          mlir::Operation *node)
      : b(node->getLoc(), rewriter), rewriter(rewriter), state(state),
        node(node) {}

  /// Says why the node is not lowered and returns nothing.
  Tensor refuse(const llvm::Twine &why) {
    state.refuse(node, why);
    return {};
  }
  const ModelFacts &getFacts() const { return state.getFacts(); }
  mlir::Operation *getNode() const { return node; }

  /// The lowered form `value` of a value of the model.
  Tensor getTensor(mlir::Value original, mlir::Value value) const;

  //===--------------------------------------------------------------------===//
  // Extents
  //===--------------------------------------------------------------------===//

  /// The extent of an axis, as an attribute or a value of type index.
  mlir::OpFoldResult getSize(const Tensor &tensor, int64_t axis);
  llvm::SmallVector<mlir::OpFoldResult> getSizes(const Tensor &tensor);
  mlir::Value toValue(mlir::OpFoldResult size);
  /// The product of two sizes.
  mlir::OpFoldResult multiply(mlir::OpFoldResult x, mlir::OpFoldResult y);

  //===--------------------------------------------------------------------===//
  // Numbers
  //===--------------------------------------------------------------------===//

  /// The type in which elements of `element` are computed: f32 for f16 and
  /// bf16, else the type itself.
  mlir::Type getComputeType(mlir::Type element) const {
    return element.isF16() || element.isBF16()
               ? mlir::Float32Type::get(element.getContext())
               : element;
  }
  /// The number of a constant with one element, or whose elements are all the
  /// same, in its compute type; null when it is none.
  static mlir::TypedAttr getSplat(mlir::Value value);

  //===--------------------------------------------------------------------===//
  // Operations
  //===--------------------------------------------------------------------===//

  /// `function` of the elements of `operands`, which are broadcast as numpy
  /// does it. Where the result's extents do not follow from those of the
  /// operands, they are those of the node's result. A result of f32 is narrowed
  /// when `element` is f16 or bf16.
  Tensor createPerElement(llvm::ArrayRef<ElementOperand> operands,
                          mlir::Type element, ElementFunction function);

  /// How a reduction combines elements.
  enum class Combine { Sum, Max, Min };
  /// The elements along `axes` combined, in the compute type. The other axes
  /// remain, in order.
  Tensor createReduction(const Tensor &tensor, llvm::ArrayRef<int64_t> axes,
                         Combine combine);

  /// The elements of `tensor` by a number of elements, in the type `element`.
  Tensor createQuotient(const Tensor &tensor, mlir::OpFoldResult count,
                        mlir::Type element);
  /// The mean over `axes`, which the result lacks: a sum and a quotient.
  Tensor createMean(const Tensor &tensor, llvm::ArrayRef<int64_t> axes,
                    mlir::Type element);

  /// The same elements in another shape; null when it is not known how large an
  /// axis of it is.
  Tensor createReshape(const Tensor &tensor, ValueFacts::Shape shape);
  /// `tensor` with an axis of extent 1 at each of `axes`, ascending, of the
  /// result.
  Tensor insertAxes(const Tensor &tensor, llvm::ArrayRef<int64_t> axes);
  Tensor createTranspose(const Tensor &tensor, llvm::ArrayRef<int64_t> perm);

  /// A tensor of `shape`, whose sizes are given, filled with `number`.
  mlir::Value createFilled(llvm::ArrayRef<mlir::OpFoldResult> sizes,
                           mlir::TypedAttr number);

  mlir::ImplicitLocOpBuilder b;

private:
  std::optional<mlir::OpFoldResult> getKnownSize(const Extent &extent);
  Tensor dropUnitAxes(const Tensor &tensor, llvm::ArrayRef<int64_t> axes);

  mlir::ConversionPatternRewriter &rewriter;
  LoweringState &state;
  mlir::Operation *node;
};

/// Lowers nodes of one kind.
template <typename OpTy>
class LowerNode : public mlir::OpConversionPattern<OpTy> {
public:
  using Adaptor = typename OpTy::Adaptor;

  LowerNode(const mlir::TypeConverter &converter, mlir::MLIRContext *context,
            LoweringState &state)
      : mlir::OpConversionPattern<OpTy>(converter, context), state(state) {}

  llvm::LogicalResult
  matchAndRewrite(OpTy op, Adaptor operands,
                  mlir::ConversionPatternRewriter &rewriter) const final;

private:
  /// What takes the place of the node's first result, or Emitter::refuse.
  virtual Tensor lower(OpTy op, Adaptor operands, Emitter &e) const = 0;

  LoweringState &state;
};

/// Puts `result` in the place of the first result of `op`; the others must not
/// be used.
llvm::LogicalResult replaceNode(mlir::Operation *op, const Tensor &result,
                                const mlir::TypeConverter &converter,
                                LoweringState &state,
                                mlir::ConversionPatternRewriter &rewriter);

template <typename OpTy>
llvm::LogicalResult LowerNode<OpTy>::matchAndRewrite(
    OpTy op, Adaptor operands,
    mlir::ConversionPatternRewriter &rewriter) const {
  Emitter emitter(rewriter, state, op);
  return replaceNode(op, lower(op, operands, emitter), *this->typeConverter,
                     state, rewriter);
}

/// Brings the functions of `module` into a form that is lowered node by node:
/// what is computed from constants is a constant, targets of Reshape are
/// constants, what nothing uses is gone, and types say all that is known.
/// Emits an error where an extent's axis or a type is unknown.
llvm::LogicalResult prepareForLowering(mlir::ModuleOp module);

void populateConstantPatterns(mlir::RewritePatternSet &patterns,
                              const mlir::TypeConverter &converter,
                              LoweringState &state);
void populateDensePatterns(mlir::RewritePatternSet &patterns,
                           const mlir::TypeConverter &converter,
                           LoweringState &state);
void populateElementwisePatterns(mlir::RewritePatternSet &patterns,
                                 const mlir::TypeConverter &converter,
                                 LoweringState &state);
void populateNormalizationPatterns(mlir::RewritePatternSet &patterns,
                                   const mlir::TypeConverter &converter,
                                   LoweringState &state);
void populatePoolingPatterns(mlir::RewritePatternSet &patterns,
                             const mlir::TypeConverter &converter,
                             LoweringState &state);
void populateQuantizationPatterns(mlir::RewritePatternSet &patterns,
                                  const mlir::TypeConverter &converter,
                                  LoweringState &state);
void populateViewPatterns(mlir::RewritePatternSet &patterns,
                          const mlir::TypeConverter &converter,
                          LoweringState &state);

} // namespace headopt

#endif // HEADOPT_CONVERSION_ONNXTOLINALG_EMITTER_H
