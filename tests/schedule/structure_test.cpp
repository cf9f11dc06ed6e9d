// Which stages can be computed in the registers of another, and which dims they share. What is expected is worked out
// by hand.
#include "compiler/schedule/structure.h"

#include <gtest/gtest.h>

#include "compiler/tensor/kernel_builder.h"

namespace hone::schedule {
namespace {

using tensor::constant;
using tensor::dim;
using tensor::Kernel;
using tensor::KernelBuilder;
using tensor::parallel;

/// host: t[a, b] = x[a, b] + 1, 3 x 5 elements; \p follow adds stages behind it.
template <typename Follow>
Kernel behindMap(const Follow &follow) {
  KernelBuilder build("k");
  const int x = build.input("x", {3, 5}), t = build.temporary("t", {3, 5});
  build.begin("host", {parallel("a", 3), parallel("b", 5)});
  build.put(build.get(x, {dim(0), dim(1)}) + tensor::f32(1), t, {dim(0), dim(1)});
  follow(build, t);
  return build.finish();
}

TEST(Followers, ReadNothingButTheElementItself) {
  const auto dimsWhere = [](int64_t rows, const tensor::Index &row, const tensor::Index &column) {
    const Kernel kernel = behindMap([&](KernelBuilder &build, int t) {
      const int y = build.output("y", {rows, 5});
      build.begin("reader", {parallel("a", rows), parallel("b", 5)});
      build.put(build.get(t, {row, column}, 0), y, {dim(0), dim(1)});
    });
    return followedDims(kernel, 1, 0, {});
  };
  EXPECT_EQ(dimsWhere(3, dim(0), dim(1)), (std::vector<int>{0, 1}));
  EXPECT_EQ(dimsWhere(3, dim(0) + 1, dim(1)), std::nullopt) << "the row below";
  EXPECT_EQ(dimsWhere(3, constant(0), dim(1)), std::nullopt) << "the first row, three times";
  EXPECT_EQ(dimsWhere(2, dim(0), dim(1)), std::nullopt) << "two rows of three";
}

TEST(Followers, ReadNothingThatOthersWriteMeanwhile) {
  const Kernel kernel = behindMap([](KernelBuilder &build, int t) {
    const int u = build.temporary("u", {3, 5}), y = build.output("y", {3, 5});
    build.begin("between", {parallel("a", 3), parallel("b", 5)});
    build.put(build.get(t, {dim(0), dim(1)}), u, {dim(0), dim(1)});
    build.begin("reader", {parallel("a", 3), parallel("b", 5)});
    build.put(build.get(t, {dim(0), dim(1)}) + build.get(u, {dim(0), dim(1)}), y, {dim(0), dim(1)});
  });
  EXPECT_EQ(followedDims(kernel, 2, 0, {}), std::nullopt);
  EXPECT_EQ(followedDims(kernel, 2, 0, {{1, {0, 1}}}), (std::vector<int>{0, 1}));
  // What reads the second only is no reader of the first.
  EXPECT_EQ(followedDims(kernel, 1, 0, {}), (std::vector<int>{0, 1}));
}

TEST(Followers, LoadNoIndicesFromIt) {
  KernelBuilder build("k");
  const int x = build.input("x", {3}, DType::I32), t = build.temporary("t", {3}, DType::I32);
  const int y = build.output("y", {3}, DType::I32);
  build.begin("host", {parallel("a", 3)});
  build.put(build.get(x, {dim(0)}), t, {dim(0)});
  build.begin("reader", {parallel("a", 3)});
  const tensor::Index loaded = tensor::clamp(tensor::load(t, {dim(0)}), 0, 2);
  build.put(tensor::apply(ScalarOp::Add, {build.get(t, {dim(0)}), build.get(x, {loaded})}), y, {dim(0)});
  EXPECT_EQ(followedDims(build.finish(), 1, 0, {}), std::nullopt);
}

TEST(Followers, ComputeElementsOnce) {
  KernelBuilder build("k");
  const int x = build.input("x", {3, 5}), t = build.temporary("t", {3}), y = build.output("y", {3});
  build.begin("host", {parallel("a", 3), tensor::reduce("b", 5)});
  build.fold(tensor::CombinerKind::Sum);
  build.put(build.get(x, {dim(0), dim(1)}), t, {dim(0)});
  build.begin("reader", {parallel("c", 3)});
  build.put(build.get(t, {dim(0)}) * tensor::f32(2), y, {dim(0)});
  const Kernel sum = build.finish();
  EXPECT_EQ(followedDims(sum, 1, 0, {}), (std::vector<int>{0})) << "reduction dims are done with";
  const Kernel repeated = behindMap([](KernelBuilder &more, int u) {
    const int z = more.output("z", {3, 5, 2});
    more.begin("reader", {parallel("a", 3), parallel("b", 5), parallel("c", 2)});
    more.put(more.get(u, {dim(0), dim(1)}), z, {dim(0), dim(1), dim(2)});
  });
  EXPECT_EQ(followedDims(repeated, 1, 0, {}), std::nullopt) << "a dim that the host has not";
}

TEST(Followers, AreFoundWhateverTheirDimsAreCalled) {
  // The first follower has the host's dims the other way round under each other's names; the second has names of its
  // own.
  const Kernel kernel = behindMap([](KernelBuilder &build, int t) {
    const int u = build.temporary("u", {5, 3}), y = build.output("y", {5, 3});
    build.begin("first", {parallel("a", 5), parallel("b", 3)});
    build.put(build.get(t, {dim(1), dim(0)}), u, {dim(0), dim(1)});
    build.begin("second", {parallel("i", 5), parallel("j", 3)});
    build.put(build.get(t, {dim(1), dim(0)}) + build.get(u, {dim(0), dim(1)}), y, {dim(0), dim(1)});
  });
  const auto first = followedDims(kernel, 1, 0, {});
  EXPECT_EQ(first, (std::vector<int>{1, 0}));
  EXPECT_EQ(followedDims(kernel, 2, 0, {{1, *first}}), (std::vector<int>{1, 0}));
}

TEST(Followers, AgreeOnTheElement) {
  // Of square data, one reads an element and the one across the diagonal.
  KernelBuilder build("k");
  const int x = build.input("x", {4, 4}), t = build.temporary("t", {4, 4}), y = build.output("y", {4, 4});
  build.begin("host", {parallel("a", 4), parallel("b", 4)});
  build.put(build.get(x, {dim(0), dim(1)}), t, {dim(0), dim(1)});
  build.begin("reader", {parallel("a", 4), parallel("b", 4)});
  build.put(build.get(t, {dim(0), dim(1)}) + build.get(t, {dim(1), dim(0)}), y, {dim(0), dim(1)});
  EXPECT_EQ(followedDims(build.finish(), 1, 0, {}), std::nullopt);
}

}  // namespace
}  // namespace hone::schedule
