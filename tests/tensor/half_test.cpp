#include "compiler/base/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace hone {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Half, KnownNumbers) {
  EXPECT_EQ(doubleToHalf(0), 0x0000);
  EXPECT_EQ(doubleToHalf(-0.0), 0x8000);
  EXPECT_EQ(doubleToHalf(1), 0x3c00);
  EXPECT_EQ(doubleToHalf(-2), 0xc000);
  EXPECT_EQ(doubleToHalf(65504), 0x7bff);
  EXPECT_EQ(doubleToHalf(65519.99), 0x7bff);
  EXPECT_EQ(doubleToHalf(65520), 0x7c00);
  EXPECT_EQ(doubleToHalf(1e300), 0x7c00);
  EXPECT_EQ(doubleToHalf(-kInfinity), 0xfc00);
  EXPECT_EQ(doubleToHalf(0x1p-24), 0x0001);
  EXPECT_EQ(doubleToHalf(0x1p-25), 0x0000);                // half way: to even
  EXPECT_EQ(doubleToHalf(0x1.8p-24), 0x0002);              // half way: to even
  EXPECT_EQ(doubleToHalf(0x1.ffcp-15 + 0x1p-25), 0x0400);  // the largest subnormal and a half: the smallest normal
  EXPECT_EQ(doubleToHalf(1 + 0x1p-11), 0x3c00);            // half way: to even
  EXPECT_EQ(doubleToHalf(1 + 0x1p-11 + 0x1p-40), 0x3c01);  // just above: rounded once, not by way of float
  EXPECT_TRUE(std::isnan(halfToDouble(doubleToHalf(std::nan("")))));
}

TEST(Half, EveryCodeComesBack) {
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const auto bits = static_cast<uint16_t>(code);
    if (!std::isnan(halfToDouble(bits))) {
      EXPECT_EQ(doubleToHalf(halfToDouble(bits)), bits);
    }
    if (!std::isnan(bfloatToDouble(bits))) {
      EXPECT_EQ(doubleToBFloat(bfloatToDouble(bits)), bits);
    }
  }
}

TEST(Half, BetweenCodesTheNearerIsTaken) {
  for (uint16_t bits = 0; bits < 0x7bff; ++bits) {
    const double low = halfToDouble(bits), high = halfToDouble(bits + 1);
    ASSERT_LT(low, high);
    EXPECT_EQ(doubleToHalf(low + (high - low) * 0.49), bits);
    EXPECT_EQ(doubleToHalf(low + (high - low) * 0.51), bits + 1);
    EXPECT_EQ(doubleToHalf(low + (high - low) / 2), bits % 2 == 0 ? bits : bits + 1);
  }
}

TEST(BFloat, IsTheUpperHalfOfAFloat) {
  for (uint32_t upper = 0; upper < 0x7f80; ++upper) {
    EXPECT_EQ(bfloatToDouble(static_cast<uint16_t>(upper)), std::bit_cast<float>(upper << 16));
  }
  EXPECT_EQ(doubleToBFloat(1), 0x3f80);
  EXPECT_EQ(doubleToBFloat(kInfinity), 0x7f80);
  EXPECT_EQ(doubleToBFloat(3.4e38), 0x7f80);
  EXPECT_TRUE(std::isnan(bfloatToDouble(doubleToBFloat(std::nan("")))));
}

}  // namespace
}  // namespace hone
