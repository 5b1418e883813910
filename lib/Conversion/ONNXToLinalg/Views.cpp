//===- Views.cpp - Lowering of views --------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"
#include "headopt/Analysis/ConstantReader.h"

using namespace mlir;
using namespace headopt;

static constexpr llvm::StringLiteral kUnknownSize =
    "how large the axes of its result are is not known; export the model with "
    "the head's shapes, the batch aside, as numbers";

namespace {

class LowerFlatten : public LowerNode<onnx::FlattenOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::FlattenOp op, Adaptor operands,
               Emitter &e) const override {
    Tensor input = e.getTensor(op.getInput(), operands.getInput());
    int64_t axis = op.getAxisAttr() ? op.getAxisAttr().getInt() : 1;
    axis += axis < 0 ? input.getRank() : 0;
    if (axis < 0 || axis > input.getRank())
      return e.refuse("its axis is none of its input");
    ArrayRef<Extent> shape(input.shape);
    return e.createReshape(input, {multiply(shape.take_front(axis)),
                                   multiply(shape.drop_front(axis))});
  }
};

class LowerReshape : public LowerNode<onnx::ReshapeOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::ReshapeOp op, Adaptor operands,
               Emitter &e) const override {
    Tensor input = e.getTensor(op.getData(), operands.getData());
    if (!getConstantInts(op.getShape()))
      return e.refuse("its target is only known at run time");
    Tensor result =
        e.createReshape(input, *e.getFacts().get(op.getReshaped()).shape);
    return result ? result : e.refuse(kUnknownSize);
  }
};

class LowerSqueeze : public LowerNode<onnx::SqueezeOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::SqueezeOp op, Adaptor operands,
               Emitter &e) const override {
    Tensor input = e.getTensor(op.getData(), operands.getData());
    SmallVector<int64_t> axes;
    if (op.getAxes() || onnx::presentOrNull(op.getAxesInput())) {
      std::optional<SmallVector<int64_t>> given = e.getFacts().getAxes(
          op.getAxes(), op.getAxesInput(), input.getRank());
      if (!given)
        return e.refuse("its axes are not known, or none of its input");
      axes = *given;
    } else {
      for (auto [axis, extent] : llvm::enumerate(input.shape)) {
        if (!extent.isNumber())
          return e.refuse("without axes it drops those that have extent 1, "
                          "which for axis " +
                          Twine(axis) +
                          " only a run knows; give the node its axes");
        if (extent.isNumber(1))
          axes.push_back(axis);
      }
    }
    ValueFacts::Shape shape;
    for (auto [axis, extent] : llvm::enumerate(input.shape)) {
      if (!llvm::is_contained(axes, static_cast<int64_t>(axis)))
        shape.push_back(extent);
      else if (extent.isNumber() && !extent.isNumber(1))
        return e.refuse("it drops an axis whose extent is not 1");
    }
    Tensor result = e.createReshape(input, shape);
    return result ? result : e.refuse(kUnknownSize);
  }
};

class LowerUnsqueeze : public LowerNode<onnx::UnsqueezeOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::UnsqueezeOp op, Adaptor operands,
               Emitter &e) const override {
    Tensor input = e.getTensor(op.getData(), operands.getData());
    std::optional<SmallVector<int64_t>> axes;
    size_t count = 0;
    if (std::optional<ArrayRef<int64_t>> attr = op.getAxes())
      count = attr->size();
    else if (Value given = onnx::presentOrNull(op.getAxesInput()))
      count = e.getFacts()
                  .getNumbers(given)
                  .value_or(SmallVector<int64_t>())
                  .size();
    axes = e.getFacts().getAxes(op.getAxes(), op.getAxesInput(),
                                input.getRank() + count);
    if (!axes)
      return e.refuse("its axes are not known, or none of its result");
    llvm::sort(*axes);
    return e.insertAxes(input, *axes);
  }
};

class LowerTranspose : public LowerNode<onnx::TransposeOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::TransposeOp op, Adaptor operands,
               Emitter &e) const override {
    Tensor input = e.getTensor(op.getData(), operands.getData());
    SmallVector<int64_t> perm = op.getPermutation(input.getRank());
    SmallVector<int64_t> sorted = perm;
    llvm::sort(sorted);
    if (!llvm::equal(sorted, llvm::seq<int64_t>(0, input.getRank())))
      return e.refuse("its perm is no permutation of its input's axes");
    return e.createTranspose(input, perm);
  }
};

class LowerIdentity : public LowerNode<onnx::IdentityOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::IdentityOp op, Adaptor operands,
               Emitter &e) const override {
    return e.getTensor(op.getInput(), operands.getInput());
  }
};

class LowerDropout : public LowerNode<onnx::DropoutOp> {
  using LowerNode::LowerNode;
  Tensor lower(onnx::DropoutOp op, Adaptor operands,
               Emitter &e) const override {
    std::string whyNot;
    if (!isInference(op, whyNot))
      return e.refuse("it " + whyNot + "; export the model for inference");
    return e.getTensor(op.getData(), operands.getData());
  }
};

} // namespace

void headopt::populateViewPatterns(RewritePatternSet &patterns,
                                   const TypeConverter &converter,
                                   LoweringState &state) {
  patterns.add<LowerFlatten, LowerReshape, LowerSqueeze, LowerUnsqueeze,
               LowerTranspose, LowerIdentity, LowerDropout>(
      converter, patterns.getContext(), state);
}
