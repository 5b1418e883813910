//===- WeightScanTest.cpp - Passes over the bytes of a weight -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Differences, representatives and residuals of small weights that are worked
// out here, and of weights that are larger than the pieces they are read in.
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/WeightScan.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"
#include <atomic>
#include <cmath>
#include <map>

using namespace mlir;
using namespace headopt;

namespace {

class WeightScanTest : public testing::Test {
protected:
  /// A reader over `values` as a flat f32 tensor.
  ConstantReader read(ArrayRef<float> values) {
    auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                      Float32Type::get(&context));
    Constant constant{type, DenseElementsAttr::get(type, values), nullptr};
    llvm::Expected<ConstantReader> reader = ConstantReader::open(constant);
    EXPECT_TRUE(static_cast<bool>(reader));
    return std::move(*reader);
  }

  std::optional<Difference> find(const ConstantReader &reader, Direction d) {
    llvm::Expected<std::optional<Difference>> found = findDifference(reader, d);
    EXPECT_TRUE(static_cast<bool>(found));
    return *found;
  }

  MLIRContext context;
};

/// 3 x 4 x 5, constant along the middle axis.
std::vector<float> makeEven() {
  std::vector<float> values;
  for (int a = 0; a != 3; ++a)
    for (int b = 0; b != 4; ++b)
      for (int c = 0; c != 5; ++c)
        values.push_back(10 * a + c + 1);
  return values;
}

TEST_F(WeightScanTest, FindsNoDifferenceAlongAnEvenAxis) {
  EXPECT_FALSE(find(read(makeEven()), {5, 4}));
  EXPECT_TRUE(find(read(makeEven()), {1, 5}));
  EXPECT_TRUE(find(read(makeEven()), {20, 3}));
}

TEST_F(WeightScanTest, FindsEverySingleUlp) {
  for (size_t i = 0; i != 60; ++i) {
    std::vector<float> values = makeEven();
    values[i] = std::nextafter(values[i], 1e9f);
    std::optional<Difference> found = find(read(values), {5, 4});
    ASSERT_TRUE(found) << i;
    // Both have the coordinates of the changed element but for the middle one.
    EXPECT_EQ(found->first % 5, i % 5);
    EXPECT_EQ(found->first / 20, i / 20);
    EXPECT_NE(values[found->first], values[found->second]);
  }
}

TEST_F(WeightScanTest, ComparesBits) {
  float nan = std::nanf("");
  EXPECT_FALSE(find(read({nan, nan}), {1, 2}));
  EXPECT_TRUE(find(read({0.0f, -0.0f}), {1, 2}));
}

TEST_F(WeightScanTest, HandlesGroupsLargerThanAPiece) {
  // 2 x 3 slices of 400,000 floats: a group has 4.8 MB.
  const size_t slice = 400000;
  std::vector<float> values(6 * slice);
  for (size_t i = 0; i != values.size(); ++i)
    values[i] = float(i % slice + i / (3 * slice));
  EXPECT_FALSE(find(read(values), {slice, 3}));
  uint64_t seen = 0;
  llvm::Expected<std::optional<Difference>> found =
      findDifference(read(values), {slice, 3}, 0,
                     [&](uint64_t first, uint64_t count, const char *bytes) {
                       for (uint64_t i = 0; i != count; ++i) {
                         float value;
                         memcpy(&value, bytes + i * 4, 4);
                         ASSERT_EQ(value, values[first + i]);
                       }
                       seen += count;
                     });
  ASSERT_TRUE(static_cast<bool>(found));
  EXPECT_FALSE(*found);
  EXPECT_EQ(seen, 2 * slice);
  values[5 * slice + 399999] += 1;
  std::optional<Difference> difference = find(read(values), {slice, 3});
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->second, 5 * slice + 399999);
}

TEST_F(WeightScanTest, ThreadsFindTheFirstDifference) {
  // 32 MB, which are 32 units of work in groups of four floats.
  std::vector<float> values(8 << 20, 1.0f);
  // Early, late, and in the last group, so that threads race for the first.
  for (size_t at : {7000002, 7000102, 8388607})
    values[at] = 2.0f;
  ConstantReader reader = read(values);
  for (int i = 0; i != 10; ++i) {
    llvm::Expected<std::optional<Difference>> found =
        findDifference(reader, {1, 4}, 0, nullptr, &context);
    ASSERT_TRUE(static_cast<bool>(found));
    ASSERT_TRUE(*found);
    EXPECT_EQ((*found)->second, 7000002u);
  }
}

TEST_F(WeightScanTest, ThreadsSeeEveryRepresentativeOnce) {
  std::vector<float> values(8 << 20);
  for (size_t i = 0; i != values.size(); ++i)
    values[i] = static_cast<float>(i / 4);
  std::vector<std::atomic<int>> seen(values.size() / 4);
  llvm::Expected<std::optional<Difference>> found = findDifference(
      read(values), {1, 4}, 0,
      [&](uint64_t first, uint64_t count, const char *) {
        for (uint64_t i = 0; i != count; ++i)
          ++seen[(first + i) / 4];
      },
      &context);
  ASSERT_TRUE(static_cast<bool>(found));
  EXPECT_FALSE(*found);
  EXPECT_TRUE(llvm::all_of(seen, [](const auto &n) { return n == 1; }));
}

TEST_F(WeightScanTest, RepresentativesHaveCoordinateZero) {
  std::vector<uint64_t> indices;
  llvm::Error error =
      forEachRepresentative(read(makeEven()), {{20, 3}, {1, 5}},
                            [&](uint64_t first, uint64_t count, const char *) {
                              for (uint64_t i = 0; i != count; ++i)
                                indices.push_back(first + i);
                            });
  EXPECT_FALSE(static_cast<bool>(error));
  EXPECT_EQ(indices, (std::vector<uint64_t>{0, 5, 10, 15}));
}

TEST_F(WeightScanTest, ResidualMatchesItsDefinition) {
  Type f32 = Float32Type::get(&context);
  // 2 x 3: groups along the last axis {1, 2, 3} and {4, 4, 4}; deviations from
  // the means 2 and 4 are -1, 0, 1, 0, 0, 0; squares sum to 14 + 48.
  ConstantReader reader = read({1, 2, 3, 4, 4, 4});
  llvm::Expected<double> residual = getResidual(reader, f32, Direction{1, 3});
  ASSERT_TRUE(static_cast<bool>(residual));
  EXPECT_NEAR(*residual, std::sqrt(2.0 / 62.0), 1e-15);
  residual = getResidual(read(makeEven()), f32, Direction{5, 4});
  ASSERT_TRUE(static_cast<bool>(residual));
  EXPECT_EQ(*residual, 0);
}

//===----------------------------------------------------------------------===//
// Exemptions
//===----------------------------------------------------------------------===//

class ExemptionTest : public WeightScanTest {
protected:
  std::optional<Difference> find(const ConstantReader &reader, Direction d,
                                 Exemption isExempt,
                                 MLIRContext *threads = nullptr) {
    llvm::Expected<std::optional<Difference>> found =
        findDifference(reader, d, 0, nullptr, threads, isExempt);
    EXPECT_TRUE(static_cast<bool>(found));
    return *found;
  }
};

TEST_F(ExemptionTest, SmallGroups) {
  // Every element differs from its neighbour in the middle axis of 3 x 4 x 5.
  std::vector<float> values(60);
  for (size_t i = 0; i != values.size(); ++i)
    values[i] = i;
  ConstantReader reader = read(values);
  EXPECT_FALSE(find(reader, {5, 4}, [](uint64_t) { return true; }));
  EXPECT_TRUE(find(reader, {5, 4}, [](uint64_t) { return false; }));
  // All but one coordinate of the last and of the first axis.
  for (uint64_t asked = 0; asked != 5; ++asked) {
    std::optional<Difference> found = find(
        reader, {5, 4}, [&](uint64_t index) { return index % 5 != asked; });
    ASSERT_TRUE(found);
    EXPECT_EQ(found->first, asked);
    EXPECT_EQ(found->second, asked + 5);
  }
  for (uint64_t asked = 0; asked != 3; ++asked) {
    std::optional<Difference> found = find(
        reader, {5, 4}, [&](uint64_t index) { return index / 20 != asked; });
    ASSERT_TRUE(found);
    EXPECT_EQ(found->first, 20 * asked);
  }
}

TEST_F(ExemptionTest, SmallGroupsFindTheOneThatIsNotExempt) {
  // Coordinates 1 and 3 of the last axis are exempt and differ; one other
  // element differs, at every place in turn.
  auto isExempt = [](uint64_t index) { return index % 5 % 2 == 1; };
  for (size_t at = 0; at != 60; ++at) {
    std::vector<float> values = makeEven();
    for (size_t i = 0; i != values.size(); ++i)
      if (isExempt(i))
        values[i] = -float(i);
    EXPECT_FALSE(find(read(values), {5, 4}, isExempt));
    values[at] = 1000;
    std::optional<Difference> found = find(read(values), {5, 4}, isExempt);
    ASSERT_EQ(found.has_value(), !isExempt(at)) << at;
    if (found) {
      EXPECT_TRUE(found->first == at || found->second == at);
      EXPECT_EQ(found->second, found->first + 5);
    }
  }
}

TEST_F(ExemptionTest, ManySmallGroupsInSeveralThreads) {
  // 32 MB in groups of four floats; elements of every second group are exempt.
  std::vector<float> values(8 << 20, 1.0f);
  auto isExempt = [](uint64_t index) { return index / 4 % 2 == 0; };
  for (size_t i = 0; i < values.size(); i += 8)
    values[i + 1] = 2.0f;
  EXPECT_FALSE(find(read(values), {1, 4}, isExempt, &context));
  for (size_t at : {5000005, 5000006, 8388607})
    values[at] = 3.0f;
  ConstantReader reader = read(values);
  for (MLIRContext *threads : {static_cast<MLIRContext *>(nullptr), &context}) {
    std::optional<Difference> found = find(reader, {1, 4}, isExempt, threads);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->second, 5000005u);
  }
}

TEST_F(ExemptionTest, GroupsLargerThanAPiece) {
  // 2 x 3 slices of 400,000 floats; most of each slice is exempt and differs.
  const size_t slice = 400000;
  auto isExempt = [](uint64_t index) {
    uint64_t inner = index % slice;
    return inner != 0 && inner != 262144 && inner != 399999;
  };
  std::vector<float> values(6 * slice, 1.0f);
  for (size_t i = 0; i < values.size(); ++i)
    if (isExempt(i) && i % 3 != 0)
      values[i] = i;
  EXPECT_FALSE(find(read(values), {slice, 3}, isExempt));
  EXPECT_FALSE(find(read(values), {slice, 3}, isExempt, &context));
  // The first and the last element, and the first of the second piece.
  for (size_t inner : {0, 262144, 399999})
    for (size_t outer : {1, 2, 4, 5}) {
      size_t at = outer * slice + inner;
      values[at] = 2.0f;
      std::optional<Difference> found =
          find(read(values), {slice, 3}, isExempt, &context);
      ASSERT_TRUE(found) << at;
      EXPECT_EQ(found->second, at);
      EXPECT_EQ(found->first, outer / 3 * 3 * slice + inner);
      values[at] = 1.0f;
    }
}

TEST_F(ExemptionTest, ExemptElementsAreRepresentativesAllTheSame) {
  std::vector<float> values(60, 1.0f);
  values[7] = 2;
  uint64_t seen = 0;
  llvm::Expected<std::optional<Difference>> found = findDifference(
      read(values), {5, 4}, 0,
      [&](uint64_t, uint64_t count, const char *) { seen += count; }, nullptr,
      [](uint64_t index) { return index % 5 == 2; });
  ASSERT_TRUE(static_cast<bool>(found));
  EXPECT_FALSE(*found);
  EXPECT_EQ(seen, 15u);
}

//===----------------------------------------------------------------------===//
// Directions
//===----------------------------------------------------------------------===//

TEST(MergeDirectionsTest, JoinsNeighbours) {
  using Directions = SmallVector<Direction>;
  EXPECT_EQ(mergeDirections({}), Directions());
  EXPECT_EQ(mergeDirections({{7, 5}}), (Directions{{7, 5}}));
  // Height and width of [C, 7, 7], in either order.
  EXPECT_EQ(mergeDirections({{7, 7}, {1, 7}}), (Directions{{1, 49}}));
  EXPECT_EQ(mergeDirections({{1, 7}, {7, 7}}), (Directions{{1, 49}}));
  // Three, and with a gap below.
  EXPECT_EQ(mergeDirections({{3, 4}, {60, 2}, {12, 5}}), (Directions{{3, 40}}));
  // Not neighbours: an axis lies between.
  EXPECT_EQ(mergeDirections({{1, 7}, {49, 8}}), (Directions{{49, 8}, {1, 7}}));
  EXPECT_EQ(mergeDirections({{1, 7}, {70, 8}, {7, 2}}),
            (Directions{{70, 8}, {1, 14}}));
  // One of extent 1 lies nowhere.
  EXPECT_EQ(mergeDirections({{7, 1}, {1, 7}}), (Directions{{1, 7}}));
}

//===----------------------------------------------------------------------===//
// Residuals
//===----------------------------------------------------------------------===//

/// By definition: the mean of each group first, then the distances from it.
double getNaiveResidual(ArrayRef<float> values,
                        ArrayRef<Direction> directions) {
  std::map<std::vector<uint64_t>, std::pair<double, uint64_t>> means;
  // An element's group: its index with the coordinates taken out.
  auto getGroup = [&](uint64_t index) {
    uint64_t rest = index;
    for (Direction d : directions)
      rest -= index / d.stride % d.extent * d.stride;
    return std::vector<uint64_t>{rest};
  };
  for (auto [i, value] : llvm::enumerate(values)) {
    auto &[sum, count] = means[getGroup(i)];
    sum += value;
    ++count;
  }
  double squares = 0, deviations = 0;
  for (auto [i, value] : llvm::enumerate(values)) {
    auto [sum, count] = means[getGroup(i)];
    double d = value - sum / count;
    deviations += d * d;
    squares += double(value) * value;
  }
  return squares == 0 ? 0 : std::sqrt(deviations / squares);
}

class ResidualTest : public WeightScanTest {
protected:
  void expectNaive(ArrayRef<float> values, ArrayRef<Direction> directions) {
    llvm::Expected<double> residual =
        getResidual(read(values), Float32Type::get(&context), directions);
    ASSERT_TRUE(static_cast<bool>(residual));
    EXPECT_NEAR(*residual, getNaiveResidual(values, directions), 1e-12);
  }

  static std::vector<float> makeUneven(size_t count) {
    std::vector<float> values;
    uint32_t state = 1;
    for (size_t i = 0; i != count; ++i) {
      state = state * 1664525 + 1013904223;
      values.push_back(float(state >> 16) / 65536 - 0.25f);
    }
    return values;
  }
};

TEST_F(ResidualTest, AlongEverySetOfAxes) {
  // 3 x 4 x 5 x 2.
  const Direction axes[] = {{40, 3}, {10, 4}, {2, 5}, {1, 2}};
  std::vector<float> values = makeUneven(120);
  for (unsigned set = 0; set != 16; ++set) {
    SmallVector<Direction> directions;
    for (unsigned axis = 0; axis != 4; ++axis)
      if (set >> axis & 1)
        directions.push_back(axes[axis]);
    expectNaive(values, directions);
    std::reverse(directions.begin(), directions.end());
    expectNaive(values, directions);
  }
}

TEST_F(ResidualTest, AlongPartsOfAnAxis) {
  // An axis of 24 cut into 2 x 3 x 4.
  std::vector<float> values = makeUneven(240);
  expectNaive(values, {{10 * 12, 2}});
  expectNaive(values, {{10 * 4, 3}});
  expectNaive(values, {{10, 4}, {10 * 12, 2}});
  expectNaive(values, {{10, 4}, {10 * 4, 3}});
}

TEST_F(ResidualTest, AcrossPieces) {
  // 600,000 floats are more than two pieces.
  std::vector<float> values = makeUneven(600000);
  // A stride of 1, also with groups as large as all of it.
  expectNaive(values, {{1, 6}});
  expectNaive(values, {{1, 600000}});
  // Strides in the middle: groups shorter and longer than a piece, which they
  // do not divide.
  expectNaive(values, {{8, 3}, {24, 5000}});
  expectNaive(values, {{1000, 6}});
  expectNaive(values, {{1000, 600}});
  expectNaive(values, {{150000, 2}});
  // A stride longer than a piece.
  expectNaive(values, {{300000, 2}});
  // Not neighbours.
  expectNaive(values, {{1, 6}, {300000, 2}});
  expectNaive(values, {{1000, 6}, {1, 10}});
  expectNaive(values, {{100000, 6}, {10, 100}});
}

TEST_F(ResidualTest, OfNearlyEvenWeights) {
  // Large numbers that differ a little: plain sums of squares would cancel.
  std::vector<float> values;
  for (int i = 0; i != 1000; ++i)
    values.push_back(1e6f + float(i % 7) / 8);
  expectNaive(values, {{1, 10}});
  expectNaive(values, {{10, 10}});
  llvm::Expected<double> residual =
      getResidual(read(values), Float32Type::get(&context), Direction{1, 1000});
  ASSERT_TRUE(static_cast<bool>(residual));
  EXPECT_GT(*residual, 1e-8);
  EXPECT_NEAR(*residual, getNaiveResidual(values, Direction{1, 1000}), 1e-15);
}

TEST_F(ResidualTest, Bounds) {
  // No more than 1, which means of 0 have; of zeros 0.
  Type f32 = Float32Type::get(&context);
  EXPECT_EQ(
      llvm::cantFail(getResidual(read({1, -1, 2, -2}), f32, Direction{1, 2})),
      1);
  EXPECT_EQ(
      llvm::cantFail(getResidual(read({0, 0, 0, 0}), f32, Direction{1, 2})), 0);
  EXPECT_EQ(llvm::cantFail(getResidual(read({1, 2, 3, 4}), f32, {})), 0);
}

TEST_F(ResidualTest, OfOtherTypes) {
  auto expect = [&](Type type, DenseElementsAttr elements) {
    Constant constant{cast<RankedTensorType>(elements.getType()), elements,
                      nullptr};
    llvm::Expected<ConstantReader> reader = ConstantReader::open(constant);
    ASSERT_TRUE(static_cast<bool>(reader));
    llvm::Expected<double> residual =
        getResidual(*reader, type, Direction{1, 3});
    ASSERT_TRUE(static_cast<bool>(residual));
    // As {1, 2, 3} and {4, 4, 4} above.
    EXPECT_NEAR(*residual, std::sqrt(2.0 / 62.0), 1e-15);
  };
  Builder b(&context);
  for (Type type :
       SmallVector<Type>{b.getF16Type(), b.getBF16Type(), b.getF64Type()}) {
    SmallVector<Attribute> numbers;
    for (double number : {1, 2, 3, 4, 4, 4})
      numbers.push_back(b.getFloatAttr(type, number));
    expect(type,
           DenseElementsAttr::get(RankedTensorType::get({6}, type), numbers));
  }
  for (Type type : SmallVector<Type>{b.getI8Type(), b.getIntegerType(8, false),
                                     b.getI32Type()}) {
    SmallVector<Attribute> numbers;
    for (int64_t number : {1, 2, 3, 4, 4, 4})
      numbers.push_back(b.getIntegerAttr(type, number));
    expect(type,
           DenseElementsAttr::get(RankedTensorType::get({6}, type), numbers));
  }
}

TEST(ConstantReaderTest, NarrowFloatsRoundTrip) {
  MLIRContext context;
  for (Type type :
       {Type(Float16Type::get(&context)), Type(BFloat16Type::get(&context))})
    for (unsigned bits = 0; bits != 1u << 16; ++bits) {
      uint16_t in = bits, out;
      double value = decodeFloat(type, reinterpret_cast<char *>(&in));
      if (std::isnan(value))
        continue;
      encodeFloat(type, value, reinterpret_cast<char *>(&out));
      ASSERT_EQ(in, out);
    }
}

} // namespace
