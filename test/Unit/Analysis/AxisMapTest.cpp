//===- AxisMapTest.cpp - Where the axes of a tensor go --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each map is checked against the definition: every element of the last tensor
// is the element of the first one that the digits say.
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/AxisMap.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace headopt;

namespace {

class AxisMapTest : public testing::Test {
protected:
  AxisMapTest() { context.loadDialect<onnx::ONNXDialect, func::FuncDialect>(); }

  /// The map of the view operators in a function body, in order; null when one
  /// cannot be followed.
  std::optional<AxisMap> follow(StringRef body, ArrayRef<int64_t> shape,
                                int64_t lastExtent = ShapedType::kDynamic) {
    module = parseSourceString<ModuleOp>(body, &context);
    if (!module) {
      ADD_FAILURE() << "the test's module does not parse";
      return std::nullopt;
    }
    ModelFacts facts(*module);
    // Symbols of its own for what is unknown: no operator may rely on more.
    unsigned symbol = 1000;
    SmallVector<Extent> extents;
    for (int64_t extent : shape)
      extents.push_back(ShapedType::isDynamic(extent)
                            ? Extent::getSymbol(symbol++)
                            : Extent(extent));
    AxisMap map(extents);
    bool followed = true;
    module->walk([&](Operation *op) {
      if (isViewOp(op, facts))
        followed = followed && map.apply(op, facts, lastExtent, whyNot);
    });
    if (!followed)
      return std::nullopt;
    return map;
  }

  /// Axis and stride of each digit of the last view.
  static std::vector<std::vector<std::pair<unsigned, int64_t>>>
  describe(const AxisMap &map) {
    std::vector<std::vector<std::pair<unsigned, int64_t>>> result;
    for (const AxisMap::Axis &axis : map.getViews().back()) {
      result.emplace_back();
      for (unsigned digit : axis)
        result.back().emplace_back(map.getDigit(digit).axis,
                                   map.getStride(digit));
    }
    return result;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::string whyNot;
};

constexpr int64_t kDyn = ShapedType::kDynamic;
using Digits = std::vector<std::vector<std::pair<unsigned, int64_t>>>;

TEST_F(AxisMapTest, TransposeAndFlatten) {
  auto map = follow(R"mlir(
    func.func @f(%x: tensor<?x8x7x5xf32>) {
      %0 = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (tensor<?x8x7x5xf32>) -> tensor<?x7x5x8xf32>
      %1 = onnx.Flatten(%0) : (tensor<?x7x5x8xf32>) -> tensor<?x280xf32>
      return
    })mlir",
                    {kDyn, 8, 7, 5});
  ASSERT_TRUE(map) << whyNot;
  EXPECT_EQ(describe(*map), (Digits{{{0, 1}}, {{2, 1}, {3, 1}, {1, 1}}}));
}

TEST_F(AxisMapTest, ReshapeSplitsAnAxis) {
  auto map = follow(R"mlir(
    func.func @f(%x: tensor<2x12xf32>, %s: tensor<3xi64>) {
      %c = onnx.Constant() {value_ints = array<i64: 2, 3, -1>} : () -> tensor<3xi64>
      %0 = onnx.Reshape(%x, %c) : (tensor<2x12xf32>, tensor<3xi64>) -> tensor<2x3x4xf32>
      return
    })mlir",
                    {2, 12});
  ASSERT_TRUE(map) << whyNot;
  EXPECT_EQ(describe(*map), (Digits{{{0, 1}}, {{1, 4}}, {{1, 1}}}));
}

TEST_F(AxisMapTest, ReshapeAcrossAxesIsRefused) {
  EXPECT_FALSE(follow(R"mlir(
    func.func @f(%x: tensor<4x3xf32>) {
      %c = onnx.Constant() {value_ints = array<i64: 6, 2>} : () -> tensor<2xi64>
      %0 = onnx.Reshape(%x, %c) : (tensor<4x3xf32>, tensor<2xi64>) -> tensor<6x2xf32>
      return
    })mlir",
                      {4, 3}));
}

static const char *const kReshapeAnyBatch = R"mlir(
    func.func @f(%x: tensor<?x8x?x?xf32>) {
      %c = onnx.Constant() {value_ints = array<i64: -1, 392>} : () -> tensor<2xi64>
      %0 = onnx.Reshape(%x, %c) : (tensor<?x8x?x?xf32>, tensor<2xi64>) -> tensor<?x392xf32>
      return
    })mlir";

TEST_F(AxisMapTest, MinusOneCouldSwallowSamplesOfUnknownSize) {
  EXPECT_FALSE(follow(kReshapeAnyBatch, {kDyn, 8, kDyn, kDyn}, 392));
  // With known extents it cannot.
  EXPECT_TRUE(follow(kReshapeAnyBatch, {kDyn, 8, 7, 7}, 392)) << whyNot;
}

TEST_F(AxisMapTest, FlattenKeepsSamplesApartWhateverTheirSize) {
  auto map = follow(R"mlir(
    func.func @f(%x: tensor<?x8x?x?xf32>) {
      %0 = onnx.Flatten(%x) {axis = -3 : i64} : (tensor<?x8x?x?xf32>) -> tensor<?x?xf32>
      return
    })mlir",
                    {kDyn, 8, kDyn, kDyn});
  ASSERT_TRUE(map) << whyNot;
  EXPECT_EQ(map->getViews().back()[1].size(), 3u);
}

TEST_F(AxisMapTest, FixedBatchPinsTheUnknownOne) {
  auto map = follow(R"mlir(
    func.func @f(%x: tensor<?x2x3xf32>) {
      %c = onnx.Constant() {value_ints = array<i64: 4, 6>} : () -> tensor<2xi64>
      %0 = onnx.Reshape(%x, %c) : (tensor<?x2x3xf32>, tensor<2xi64>) -> tensor<4x6xf32>
      return
    })mlir",
                    {kDyn, 2, 3});
  ASSERT_TRUE(map) << whyNot;
  EXPECT_EQ(map->getNumber(map->getViews().front()[0]), 4);
}

TEST_F(AxisMapTest, AllowZeroMakesZeroAnExtent) {
  StringRef text = R"mlir(
    func.func @f(%x: tensor<?x8x7xf32>) {
      %c = onnx.Constant() {value_ints = array<i64: 0, -1>} : () -> tensor<2xi64>
      %0 = onnx.Reshape(%x, %c) {allowzero = 0 : i64} : (tensor<?x8x7xf32>, tensor<2xi64>) -> tensor<?x56xf32>
      return
    })mlir";
  EXPECT_TRUE(follow(text, {kDyn, 8, 7})) << whyNot;
  std::string one = text.str();
  one.replace(one.find("allowzero = 0"), 13, "allowzero = 1");
  EXPECT_FALSE(follow(one, {kDyn, 8, 7}));
}

TEST_F(AxisMapTest, SqueezeAndUnsqueeze) {
  auto map = follow(R"mlir(
    func.func @f(%x: tensor<?x8x1x7xf32>) {
      %0 = onnx.Squeeze(%x) {axes = array<i64: -2>} : (tensor<?x8x1x7xf32>) -> tensor<?x8x7xf32>
      %1 = onnx.Unsqueeze(%0) {axes = array<i64: 1, -1>} : (tensor<?x8x7xf32>) -> tensor<?x1x8x7x1xf32>
      return
    })mlir",
                    {kDyn, 8, 1, 7});
  ASSERT_TRUE(map) << whyNot;
  EXPECT_EQ(describe(*map), (Digits{{{0, 1}}, {}, {{1, 1}}, {{3, 1}}, {}}));
}

TEST_F(AxisMapTest, SqueezeWithoutAxesNeedsAllExtents) {
  StringRef text = R"mlir(
    func.func @f(%x: tensor<?x8x1x1xf32>) {
      %0 = onnx.Squeeze(%x) : (tensor<?x8x1x1xf32>) -> tensor<?x8xf32>
      return
    })mlir";
  EXPECT_FALSE(follow(text, {kDyn, 8, 1, 1}));
  EXPECT_TRUE(follow(text, {2, 8, 1, 1})) << whyNot;
}

} // namespace
