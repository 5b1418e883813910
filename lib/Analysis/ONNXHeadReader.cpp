//===- ONNXHeadReader.cpp - Heads of the onnx dialect ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadJudge.h"
#include "headopt/Analysis/ConstantFolder.h"
#include "headopt/Analysis/GlobalAverage.h"

using namespace mlir;
using namespace headopt;

namespace {
class ONNXHeadReader : public HeadReader {
public:
  explicit ONNXHeadReader(const ModelFacts &facts) : facts(facts) {}

  std::optional<DenseLayer> matchDenseLayer(Operation *op) const override {
    return headopt::matchDenseLayer(op, facts);
  }
  const ValueFacts &getFacts(Value value) const override {
    return facts.get(value);
  }
  OpOperand *getFollowedOperand(Operation *op,
                                std::string &whyNot) const override;
  bool isView(Operation *op) const override { return isViewOp(op, facts); }
  bool isNoOp(Operation *op) const override;
  bool follow(Operation *op, int64_t lastExtent, AxisMap &map,
              std::string &whyNot) const override {
    return map.apply(op, facts, lastExtent, whyNot);
  }
  SmallVector<Value> getInputs(Operation *op) const override {
    if (op->getNumRegions() != 0 || !isa<onnx::NodeOpInterface>(op))
      return {};
    return op->getOperands();
  }
  std::optional<Constant> readConstant(Value value,
                                       std::string &whyNot) const override {
    return foldConstant(value, facts, whyNot);
  }
  bool isMadeFromConstants(Value value, bool inputs) const override {
    return headopt::isMadeFromConstants(value, inputs);
  }
  bool isGlobalAverage(Value value) const override {
    return matchGlobalAverage(value, facts).has_value();
  }
  std::optional<AffineTail>
  matchAffineTail(Value data, int64_t numFeatures) const override {
    return headopt::matchAffineTail(data, numFeatures, facts);
  }
  int64_t getChannelAxis(Value map) const override;
  std::string whyNotWritable(const DenseLayer &layer, Type type,
                             bool addsShift) const override;

private:
  const ModelFacts &facts;
};
} // namespace

OpOperand *ONNXHeadReader::getFollowedOperand(Operation *op,
                                              std::string &whyNot) const {
  if (isViewOp(op, facts) || isa<onnx::IdentityOp>(op))
    return &op->getOpOperand(0);
  if (auto dropout = dyn_cast<onnx::DropoutOp>(op)) {
    std::string why;
    if (isInference(dropout, why))
      return &op->getOpOperand(0);
    whyNot = describe(op) + " " + why;
    return nullptr;
  }
  // A scalar that could have more axes than the map would change its rank.
  auto isParameter = [&](Value value) {
    return isa<NoneType>(value.getType()) ||
           (facts.isScalar(value) && facts.get(value).shape->size() <= 2);
  };
  // Its scale is that of the whole tensor, in whatever order elements lie.
  if (isa<onnx::DynamicQuantizeLinearOp>(op))
    return &op->getOpOperand(0);
  if (isa<onnx::QuantizeLinearOp, onnx::DequantizeLinearOp>(op)) {
    if (facts.isScalar(op->getOperand(1)))
      return &op->getOpOperand(0);
    whyNot = describe(op) + " has a scale for each feature";
    return nullptr;
  }
  if (!op->hasTrait<onnx::PerElement>())
    return nullptr;
  OpOperand *followed = nullptr;
  for (OpOperand &operand : op->getOpOperands()) {
    if (isParameter(operand.get()))
      continue;
    if (followed) {
      whyNot = describe(op) + " has a parameter for each feature, or combines "
                              "two maps";
      return nullptr;
    }
    followed = &operand;
  }
  return followed;
}

bool ONNXHeadReader::isNoOp(Operation *op) const {
  std::string ignored;
  if (auto dropout = dyn_cast<onnx::DropoutOp>(op))
    return isInference(dropout, ignored);
  if (isa<onnx::IdentityOp>(op))
    return true;
  auto element = [](Value value) -> Type {
    auto type = dyn_cast<TensorType>(value.getType());
    return type ? type.getElementType() : Type();
  };
  return isa<onnx::CastOp>(op) && element(op->getOperand(0)) &&
         element(op->getOperand(0)) == element(op->getResult(0));
}

int64_t ONNXHeadReader::getChannelAxis(Value map) const {
  static constexpr unsigned kMaxSteps = 32;
  SmallVector<ArrayRef<int64_t>> perms;
  for (unsigned i = 0; i != kMaxSteps; ++i) {
    Operation *op = map.getDefiningOp();
    if (isa_and_nonnull<onnx::ConvOp, onnx::BatchNormalizationOp,
                        onnx::MaxPoolOp, onnx::AveragePoolOp,
                        onnx::GlobalAveragePoolOp>(op)) {
      int64_t axis = 1;
      for (ArrayRef<int64_t> perm : llvm::reverse(perms))
        axis = llvm::find(perm, axis) - perm.begin();
      return axis;
    }
    if (auto transpose = dyn_cast_or_null<onnx::TransposeOp>(op)) {
      if (!transpose.getPerm())
        break;
      perms.push_back(*transpose.getPerm());
      map = transpose.getData();
      continue;
    }
    if (!op || op->getNumOperands() == 0 ||
        !(op->hasTrait<onnx::PerElement>() ||
          isa<onnx::IdentityOp, onnx::DropoutOp, onnx::QuantizeLinearOp,
              onnx::DequantizeLinearOp>(op)))
      break;
    // The operand that is no constant.
    std::string ignored;
    Value next;
    for (Value operand : op->getOperands())
      if (!next && !isa<NoneType>(operand.getType()) &&
          !getConstant(operand, ignored))
        next = operand;
    if (!next)
      break;
    map = next;
  }
  return 1;
}

std::string ONNXHeadReader::whyNotWritable(const DenseLayer &layer, Type type,
                                           bool addsShift) const {
  std::optional<int64_t> opset = onnx::getOpsetVersion(layer.op);
  if (!opset)
    return "";
  auto name = [&](StringRef what) {
    return ("opset " + llvm::Twine(*opset) + what).str();
  };
  if (*opset < 6)
    return name(" is older than 6, the first that is supported");
  if (addsShift && *opset < 7)
    return name(" has no Add that broadcasts; opset 7 has");
  if (*opset < 13 && type.isBF16())
    return name(" has no bfloat16 ReduceMean; opset 13 has");
  return "";
}

std::unique_ptr<HeadReader>
headopt::createONNXHeadReader(const ModelFacts &facts) {
  return std::make_unique<ONNXHeadReader>(facts);
}
