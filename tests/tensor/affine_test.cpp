// Indices as sums, and which dims accesses share. What is expected is worked out by hand.
#include "compiler/tensor/affine.h"

#include <gtest/gtest.h>

#include "compiler/tensor/dims.h"

namespace hone::tensor {
namespace {

Index product(const Index &a, const Index &b) {
  return std::make_shared<const IndexNode>(IndexNode{.kind = IndexKind::Mul, .args = {a, b}});
}

TEST(Affine, NamesNoCoefficientsOfWhatIsNoSum) {
  const Index x = dim(0), y = dim(1);
  for (const Index &index : {floorDiv(x, 2) + y, mod(x + y, 4), clamp(x, 0, 3) * 2, load(0, {x}) + y}) {
    EXPECT_FALSE(isAffine(index));
    EXPECT_FALSE(affineForm(index).has_value());
    EXPECT_FALSE(coefficientOf(index, 0).has_value());
    EXPECT_FALSE(isAffine(std::vector<Index>{x, index}));
  }
  EXPECT_EQ(coefficientOf(floorDiv(x, 2) + y * 3, 1), 3);
  EXPECT_EQ(coefficientOf(load(0, {x}) + y, 1), 1);
  EXPECT_EQ(coefficientOf(mod(x, 4), 2), 0);
}

TEST(Affine, AddsUpTermsThroughFactors) {
  const Index x = dim(0), y = dim(1);
  // 3 (2 x + y + 5) - y + x = 7 x + 2 y + 15, factors on either side
  const Index index = product(constant(3), x * 2 + y + 5) + y * -1 + x;
  const std::optional<Affine> form = affineForm(index);
  ASSERT_TRUE(form.has_value());
  EXPECT_EQ(form->constant, 15);
  EXPECT_EQ(form->coefficients, (std::map<int, int64_t>{{0, 7}, {1, 2}}));
  EXPECT_EQ(coefficientOf(index, 0), 7);
  EXPECT_EQ(coefficientOf(index, 1), 2);
  EXPECT_EQ(coefficientOf(index, 2), 0);
}

TEST(Affine, LeavesOutWhatCancels) {
  const std::optional<Affine> form = affineForm(dim(0) + dim(1) + dim(0) * -1);
  ASSERT_TRUE(form.has_value());
  EXPECT_EQ(form->coefficients, (std::map<int, int64_t>{{1, 1}}));
}

TEST(Dims, AreMentionedInsideLoadsOnlyWhereLoadsAre) {
  const Index plain = dim(0) + dim(1), loaded = load(3, {dim(0)}) + dim(1);
  EXPECT_TRUE(mentions(loaded, 0));
  EXPECT_FALSE(mentions(loaded, 2));
  EXPECT_FALSE(mentionsInsideLoad(plain, 0));
  EXPECT_TRUE(mentionsInsideLoad(loaded, 0));
  EXPECT_FALSE(mentionsInsideLoad(loaded, 1));
  TensorOp op;
  op.reads = {{0, {plain}, {}}};
  op.body = {indexValue(dim(0))};
  EXPECT_FALSE(mentionsInsideLoad(op, 0));
  op.body = {apply(ScalarOp::Neg, {indexValue(loaded)})};
  EXPECT_TRUE(mentionsInsideLoad(op, 0));
  EXPECT_FALSE(mentionsInsideLoad(op, 1));
  op.body.clear();
  op.writes = {{0, {loaded}, {}}};
  EXPECT_TRUE(mentionsInsideLoad(op, 0));
}

TEST(Dims, MatchOnlyWherePlacesAreTheSame) {
  const Access write{0, {dim(1), constant(2), dim(0)}, {}};
  const auto match = [&](std::vector<Index> read) { return matchedDims(write, {0, std::move(read), {}}, 3); };
  EXPECT_EQ(match({dim(0), constant(1), dim(1)}), std::nullopt) << "another constant";
  EXPECT_EQ(match({dim(0), dim(2), dim(1)}), std::nullopt) << "a dim for a constant";
  EXPECT_EQ(match({constant(0), constant(2), dim(1)}), std::nullopt) << "a constant for a dim";
  EXPECT_EQ(match({dim(0) + 1, constant(2), dim(1)}), std::nullopt) << "the element beside";
  EXPECT_EQ(match({dim(0), constant(2), dim(0)}), std::nullopt) << "one dim for two";
  EXPECT_EQ(match({dim(2), constant(2), dim(0)}), (std::vector<int>{0, -1, 1}));
}

}  // namespace
}  // namespace hone::tensor
