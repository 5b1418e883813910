//===- WeightScanTest.cpp - Passes over the bytes of a weight -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/WeightScan.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"
#include <atomic>
#include <cmath>

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
