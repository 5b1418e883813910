//===- ExtentTest.cpp - Extents that only a run knows ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of numbers and symbols: that they are the same exactly when they
// are the same in every run, and that one too large equals nothing.
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/Extent.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace headopt;

namespace {

const Extent N = Extent::getSymbol(3);
const Extent H = Extent::getSymbol(1);
const Extent W = Extent::getSymbol(2);

/// A product that does not fit.
Extent getOverflow() { return Extent(INT64_MAX) * Extent(2); }

TEST(ExtentTest, Numbers) {
  EXPECT_TRUE(Extent().isNumber(1));
  EXPECT_TRUE(Extent(7).isNumber());
  EXPECT_TRUE(Extent(7).isNumber(7));
  EXPECT_FALSE(Extent(7).isNumber(8));
  EXPECT_EQ(Extent(-1).getNumber(), -1);
  EXPECT_EQ(Extent(0).getNumber(), 0);
  EXPECT_FALSE(Extent(7).getSymbol());
  EXPECT_EQ(Extent(3) * Extent(4), Extent(12));
  EXPECT_NE(Extent(3), Extent(4));
}

TEST(ExtentTest, Symbols) {
  EXPECT_FALSE(N.isNumber());
  EXPECT_EQ(N.getNumber(), ShapedType::kDynamic);
  EXPECT_FALSE(N.isNumber(1));
  EXPECT_EQ(N.getSymbol(), 3u);
  EXPECT_EQ(N, Extent::getSymbol(3));
  EXPECT_NE(N, H);
  EXPECT_NE(N, Extent(1));
  EXPECT_TRUE(N.contains(3));
  EXPECT_FALSE(N.contains(1));
  // Neither a multiple nor a power is a symbol alone.
  EXPECT_FALSE((N * 2).getSymbol());
  EXPECT_FALSE((N * N).getSymbol());
  EXPECT_FALSE((N * -1).getSymbol());
}

TEST(ExtentTest, ProductsDoNotDependOnTheOrder) {
  EXPECT_EQ(N * H * W, W * N * H);
  EXPECT_EQ(Extent(2) * N * 3, N * 6);
  EXPECT_EQ((N * H * N * 5).getCoefficient(), 5);
  EXPECT_EQ((N * H * N * 5).getSymbols(), (ArrayRef<unsigned>{1, 3, 3}));
  EXPECT_NE(N * N, N);
  EXPECT_NE(N * 2, N);
  Extent product = 2;
  product *= H;
  EXPECT_EQ(product, H * 2);
  // The factors of a product may be the product itself.
  product *= product;
  EXPECT_EQ(product, H * H * 4);
}

TEST(ExtentTest, ZeroTimesASymbolKeepsTheSymbol) {
  // It is 0 in every run, but nothing relies on that.
  EXPECT_EQ((N * 0).getCoefficient(), 0);
  EXPECT_FALSE((N * 0).isNumber());
}

TEST(ExtentTest, MultiplyManyIsTheProduct) {
  EXPECT_TRUE(multiply({}).isNumber(1));
  EXPECT_EQ(multiply({N, 8, 7, H}), N * H * 56);
}

TEST(ExtentTest, Divides) {
  EXPECT_EQ(Extent(12).divideBy(4), Extent(3));
  EXPECT_EQ((N * H * 12).divideBy(N * 4), H * 3);
  EXPECT_EQ((N * N).divideBy(N), N);
  EXPECT_EQ((N * 6).divideBy(N * 6), Extent(1));
  EXPECT_EQ(Extent(0).divideBy(5), Extent(0));
  EXPECT_EQ(Extent(-6).divideBy(2), Extent(-3));
  EXPECT_EQ(Extent(6).divideBy(-2), Extent(-3));
}

TEST(ExtentTest, DividesOnlyWithoutRemainder) {
  EXPECT_FALSE(Extent(7).divideBy(2));
  EXPECT_FALSE(Extent(-7).divideBy(2));
  EXPECT_FALSE(N.divideBy(2));
  EXPECT_FALSE(N.divideBy(H));
  EXPECT_FALSE(N.divideBy(N * N));
  EXPECT_FALSE(Extent(6).divideBy(N));
  EXPECT_FALSE((N * 6).divideBy(N * 4));
  EXPECT_FALSE(Extent(6).divideBy(0));
  EXPECT_FALSE(Extent(0).divideBy(0));
}

TEST(ExtentTest, QuotientTimesDivisorIsTheDividend) {
  const Extent all[] = {Extent(1), Extent(-2), Extent(6), N,     H * 2,
                        N * H,     N * N * 4,  W * -3,    W * 0, Extent(0)};
  for (const Extent &a : all)
    for (const Extent &b : all) {
      if (std::optional<Extent> quotient = a.divideBy(b)) {
        EXPECT_EQ(*quotient * b, a);
      }
      if (b.getCoefficient() != 0) {
        ASSERT_TRUE((a * b).divideBy(b));
        EXPECT_EQ(*(a * b).divideBy(b), a);
      }
    }
}

TEST(ExtentTest, Substitutes) {
  EXPECT_EQ(N.substitute(3, 5), Extent(5));
  EXPECT_EQ(N.substitute(1, 5), N);
  EXPECT_EQ((N * H * N * 2).substitute(3, 5), H * 50);
  EXPECT_EQ((N * H).substitute(3, 1), H);
  EXPECT_EQ((N * H).substitute(3, 0).getCoefficient(), 0);
  EXPECT_EQ(Extent(9).substitute(3, 5), Extent(9));
}

TEST(ExtentTest, OverflowEqualsNothing) {
  Extent overflow = getOverflow();
  EXPECT_FALSE(overflow.isNumber());
  EXPECT_EQ(overflow.getNumber(), ShapedType::kDynamic);
  EXPECT_FALSE(overflow.isNumber(overflow.getNumber()));
  EXPECT_FALSE(overflow == overflow);
  EXPECT_TRUE(overflow != getOverflow());
  EXPECT_NE(overflow, Extent(-2));
  EXPECT_FALSE(overflow.getSymbol());
}

TEST(ExtentTest, OverflowStays) {
  for (const Extent &other : {Extent(0), Extent(1), N}) {
    EXPECT_FALSE((getOverflow() * other).isNumber());
    EXPECT_FALSE((other * getOverflow()).isNumber());
    EXPECT_FALSE(getOverflow() * other == other * getOverflow());
  }
  EXPECT_FALSE(getOverflow().divideBy(2));
  EXPECT_FALSE(getOverflow().divideBy(getOverflow()));
  EXPECT_FALSE(Extent(2).divideBy(getOverflow()));
  EXPECT_FALSE((N * INT64_MAX * 2).substitute(3, 1).isNumber());
}

TEST(ExtentTest, OverflowIsFoundInEveryDirection) {
  EXPECT_FALSE((Extent(INT64_MIN / 2) * 4).isNumber());
  EXPECT_FALSE((Extent(int64_t(1) << 32) * (int64_t(1) << 31)).isNumber());
  EXPECT_FALSE((N * (int64_t(1) << 32)).substitute(3, INT32_MAX * 4ll) ==
               Extent(0));
  EXPECT_TRUE(
      (Extent(int64_t(1) << 31) * (int64_t(1) << 31)).isNumber(1ll << 62));
  // The smallest number stands for overflow, as kDynamic does for a shape.
  EXPECT_FALSE(Extent(INT64_MIN).isNumber());
  EXPECT_FALSE(Extent(INT64_MIN) == Extent(INT64_MIN));
  // It is reached without overflow, too.
  EXPECT_FALSE((Extent(INT64_MIN / 2) * 2).isNumber());
}

} // namespace
