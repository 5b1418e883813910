//===- DenseLayer.cpp - Nodes read as dense layers ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/DenseLayer.h"
#include "headopt/Analysis/ConstantFolder.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace headopt;

static constexpr llvm::StringLiteral kRequantised =
    "its result is rounded to a quantised number, and a pooled form cannot be "
    "shown to round the same way";

/// The other operand of the Add that is the only use of `product`; null when
/// there is no such Add.
static Value getAddedValue(Value product) {
  if (!product.hasOneUse())
    return nullptr;
  OpOperand &use = *product.use_begin();
  auto add = dyn_cast<onnx::AddOp>(use.getOwner());
  if (!add)
    return nullptr;
  return add->getOperand(1 - use.getOperandNumber());
}

/// Data [N, K] times weight [K, O], or [O, K] when `transposed`.
static DenseLayer createMatrixProduct(Operation *op, unsigned data,
                                      unsigned weight, bool transposed) {
  DenseLayer layer;
  layer.op = op;
  layer.data = &op->getOpOperand(data);
  layer.weight = &op->getOpOperand(weight);
  layer.dataAxes = {1};
  layer.featureAxes = {transposed ? 1 : 0};
  layer.outputAxes = {transposed ? 0 : 1};
  return layer;
}

/// True when a product of these operands is one for each position, not a head.
static bool isBatched(Operation *op, ArrayRef<unsigned> operands,
                      const ModelFacts &facts) {
  return llvm::any_of(operands, [&](unsigned i) {
    const std::optional<ValueFacts::Shape> &shape =
        facts.get(op->getOperand(i)).shape;
    return shape && shape->size() != 2;
  });
}

static std::optional<DenseLayer> matchGemm(onnx::GemmOp gemm) {
  DenseLayer layer =
      createMatrixProduct(gemm, 0, 1, gemm.getTransB().value_or(0) != 0);
  if (gemm.getC() && !isa<NoneType>(gemm.getC().getType()))
    layer.bias = gemm.getC();
  if (gemm.getAlphaAttr())
    layer.alpha = gemm.getAlphaAttr().getValueAsDouble();
  if (gemm.getTransA().value_or(0) != 0)
    layer.unsupported = "transA is set, so samples are columns";
  return layer;
}

/// A convolution whose kernel is the whole map: one window, which covers all.
static std::optional<DenseLayer> matchConv(onnx::ConvOp conv,
                                           const ModelFacts &facts) {
  const std::optional<ValueFacts::Shape> &data = facts.get(conv.getX()).shape;
  const std::optional<ValueFacts::Shape> &kernel = facts.get(conv.getW()).shape;
  if (!data || !kernel || data->size() < 3 || data->size() != kernel->size())
    return std::nullopt;
  int64_t rank = data->size();
  auto isNot = [](int64_t value) {
    return [value](int64_t other) { return other != value; };
  };
  bool several = false;
  for (int64_t axis = 2; axis != rank; ++axis) {
    const Extent &extent = (*kernel)[axis];
    if (!extent.isNumber() || extent != (*data)[axis])
      return std::nullopt;
    several |= !extent.isNumber(1);
  }
  StringRef mode = conv.getAutoPad().value_or("NOTSET");
  if (!several || (mode != "NOTSET" && mode != "VALID" && mode != "") ||
      llvm::any_of(conv.getPads().value_or(ArrayRef<int64_t>()), isNot(0)) ||
      llvm::any_of(conv.getDilations().value_or(ArrayRef<int64_t>()), isNot(1)))
    return std::nullopt;

  DenseLayer layer;
  layer.op = conv;
  layer.data = &conv->getOpOperand(0);
  layer.weight = &conv->getOpOperand(1);
  layer.dataRank = layer.weightRank = rank;
  layer.outputAxes = {0};
  // In groups each output sees some of the channels: these are then no axis
  // that all outputs sum over, and count among the outputs.
  if (conv.getGroup().value_or(1) != 1) {
    layer.outputAxes.push_back(1);
  } else {
    layer.dataAxes.push_back(1);
    layer.featureAxes.push_back(1);
  }
  for (int64_t axis = 2; axis != rank; ++axis) {
    layer.dataAxes.push_back(axis);
    layer.featureAxes.push_back(axis);
  }
  if (conv.getB() && !isa<NoneType>(conv.getB().getType()))
    layer.bias = conv.getB();
  return layer;
}

/// An Einsum that contracts every axis of the data but the first with the
/// weight, such as "nchw,kchw->nk".
static std::optional<DenseLayer> matchEinsum(onnx::EinsumOp einsum,
                                             const ModelFacts &facts) {
  if (einsum.getInputs().size() != 2)
    return std::nullopt;
  std::string equation = einsum.getEquation().str();
  llvm::erase(equation, ' ');
  auto [left, output] = StringRef(equation).split("->");
  auto [first, second] = left.split(',');
  if (output.empty() || second.contains(',') ||
      StringRef(equation).contains('.'))
    return std::nullopt;
  for (unsigned weight : {1u, 0u}) {
    StringRef data = weight == 1 ? first : second;
    StringRef other = weight == 1 ? second : first;
    auto repeats = [](StringRef labels) {
      return llvm::any_of(labels, [&](char c) { return labels.count(c) != 1; });
    };
    if (data.size() < 2 || repeats(data) || repeats(other) || repeats(output) ||
        !isMadeFromConstants(einsum.getInputs()[weight], /*inputs=*/false))
      continue;
    DenseLayer layer;
    layer.op = einsum;
    layer.data = &einsum->getOpOperand(1 - weight);
    layer.weight = &einsum->getOpOperand(weight);
    layer.dataRank = data.size();
    layer.weightRank = other.size();
    bool fits = output.contains(data.front()) && !other.contains(data.front());
    for (size_t axis = 1; axis != data.size(); ++axis) {
      fits &= other.contains(data[axis]) && !output.contains(data[axis]);
      layer.dataAxes.push_back(axis);
      layer.featureAxes.push_back(other.find(data[axis]));
    }
    for (auto [axis, label] : llvm::enumerate(other)) {
      if (data.contains(label))
        continue;
      fits &= output.contains(label);
      layer.outputAxes.push_back(axis);
    }
    if (!fits || layer.outputAxes.empty())
      continue;
    layer.bias = getAddedValue(einsum.getOutput());
    return layer;
  }
  return std::nullopt;
}

std::optional<DenseLayer> headopt::matchDenseLayer(Operation *op,
                                                   const ModelFacts &facts) {
  using Match = std::optional<DenseLayer>;
  return llvm::TypeSwitch<Operation *, Match>(op)
      .Case([&](onnx::GemmOp gemm) { return matchGemm(gemm); })
      .Case([&](onnx::MatMulOp matmul) -> Match {
        // A product of higher rank is a layer for each position, not a head.
        if (isBatched(op, {0, 1}, facts))
          return std::nullopt;
        DenseLayer layer = createMatrixProduct(op, 0, 1, false);
        layer.bias = getAddedValue(matmul.getY());
        return layer;
      })
      .Case([&](onnx::ConvOp conv) { return matchConv(conv, facts); })
      .Case([&](onnx::EinsumOp einsum) { return matchEinsum(einsum, facts); })
      .Case([&](onnx::MatMulIntegerOp) -> Match {
        if (isBatched(op, {0, 1}, facts))
          return std::nullopt;
        return createMatrixProduct(op, 0, 1, false);
      })
      .Case([&](onnx::QLinearMatMulOp) -> Match {
        if (isBatched(op, {0, 3}, facts))
          return std::nullopt;
        DenseLayer layer = createMatrixProduct(op, 0, 3, false);
        layer.unsupported = kRequantised;
        return layer;
      })
      .Case([&](onnx::NodeOp node) -> Match {
        // ONNX Runtime's quantised Gemm, which has no operation of its own.
        if (node.getOperatorDomain() != "com.microsoft" ||
            node.getOpType() != "QGemm" || op->getNumOperands() < 4)
          return std::nullopt;
        auto number = [&](StringRef name) {
          auto attr =
              dyn_cast_or_null<IntegerAttr>(node.getNodeAttribute(name));
          return attr ? attr.getInt() : 0;
        };
        DenseLayer layer = createMatrixProduct(op, 0, 3, number("transB") != 0);
        layer.unsupported = kRequantised;
        return layer;
      })
      .Default([](Operation *) { return std::nullopt; });
}
