#include "compiler/tensor/layout.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/arguments.h"

namespace hone::tensor {
namespace {

TEST(Layout, RowMajor) {
  const Layout layout = Layout::rowMajor({2, 3, 5});
  EXPECT_EQ(layout.elements(), 30);
  EXPECT_EQ(layout.offset({1, 2, 4}), 29);
  EXPECT_EQ(layout.offset({1, 0, 3}), 18);
  EXPECT_EQ(layout.text(), "[0][1][2]");
  EXPECT_EQ(layout.text({"n", "c", "x"}), "[n][c][x]");
  EXPECT_TRUE(layout.isRowMajor({2, 3, 5}));
  EXPECT_FALSE(layout.isRowMajor({2, 3, 6}));
}

TEST(Layout, Scalar) {
  const Layout layout = Layout::rowMajor({});
  EXPECT_EQ(layout.elements(), 1);
  EXPECT_EQ(layout.offset({}), 0);
  EXPECT_EQ(layout.text(), "");
}

TEST(Layout, BlockedWithPadding) {
  // 20 channels in blocks of 16 take 32.
  const Layout layout = Layout::blocked({2, 20, 3, 4}, 1, 16);
  EXPECT_EQ(layout.text(), "[0][1/16][2][3][1%16]");
  EXPECT_EQ(layout.elements(), 2 * 32 * 3 * 4);
  EXPECT_EQ(layout.allocated(1), 32);
  EXPECT_EQ(layout.allocated(3), 4);
  EXPECT_FALSE(layout.isRowMajor({2, 20, 3, 4}));
  // [1][1][2][3][2]: (((1 * 2 + 1) * 3 + 2) * 4 + 3) * 16 + 2
  EXPECT_EQ(layout.offset({1, 18, 2, 3}), 47 * 16 + 2);
  EXPECT_EQ(layout.offset({0, 17, 0, 0}), 3 * 4 * 16 + 1);
  EXPECT_EQ(layout.offset({0, 15, 0, 1}), 31);
}

TEST(Layout, BlockOfOneIsRowMajor) { EXPECT_EQ(Layout::blocked({3, 4}, 0, 1), Layout::rowMajor({3, 4})); }

TEST(Layout, PackedWeights) {
  // [oc/32][ic][oc/16%2][oc%16]
  Layout layout;
  layout.axes = {{0, 32, 2}, {1, 1, 3}, {0, 16, 2}, {0, 1, 16}};
  EXPECT_EQ(layout.text({"oc", "ic"}), "[oc/32][ic][oc/16%2][oc%16]");
  EXPECT_EQ(layout.offset({50, 2}), ((1 * 3 + 2) * 2 + 1) * 16 + 2);
}

TEST(Layout, ElementsHaveTheirOwnPlaces) {
  const std::vector<int64_t> shape = {5, 7, 3};
  for (int d = 0; d < 3; ++d) {
    for (int64_t block : {1, 2, 4, 8}) {
      const Layout layout = Layout::blocked(shape, d, block);
      std::set<int64_t> offsets;
      for (int64_t i = 0; i < 105; ++i) offsets.insert(layout.offset({i / 21, i / 3 % 7, i % 3}));
      EXPECT_EQ(offsets.size(), 105u);
      EXPECT_GE(*offsets.begin(), 0);
      EXPECT_LT(*offsets.rbegin(), layout.elements());
    }
  }
}

TEST(Layout, TensorsComeBackFromBytes) {
  std::vector<int32_t> values(35);
  for (int i = 0; i < 35; ++i) values[i] = i + 1;
  const HostTensor tensor = hostTensor<int32_t>({5, 7}, values);
  const Layout layout = Layout::blocked({5, 7}, 0, 4);
  const std::vector<char> bytes = testing::toLayout(tensor, layout);
  ASSERT_EQ(bytes.size(), 8u * 7u * 4u);
  int32_t second = 0;
  std::memcpy(&second, bytes.data() + sizeof second, sizeof second);
  EXPECT_EQ(second, 8);  // element [1, 0]
  EXPECT_EQ(testing::fromLayout(bytes, DType::I32, {5, 7}, layout), tensor);
}

}  // namespace
}  // namespace hone::tensor
