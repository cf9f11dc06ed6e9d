// What counts as the same output.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compiler/tensor/host_tensor.h"
#include "measure/compare_outputs.h"
#include "measure/seeded_arguments.h"
#include "tests/measure/tasks.h"

namespace hone::measure {
namespace {

using tensor::Buffer;
using tensor::BufferRole;
using tensor::Layout;

template <typename T>
std::vector<char> bytesOf(const std::vector<T> &values) {
  return tensor::hostTensor<T>({static_cast<int64_t>(values.size())}, values).bytes;
}

template <typename T>
std::string differenceOf(const std::vector<T> &expected, const std::vector<T> &got, double tolerance = kTolerance) {
  const std::vector<int64_t> shape = {static_cast<int64_t>(expected.size())};
  const Buffer buffer{"out", tensor::dtypeOf<T>(), shape, Layout::rowMajor(shape), BufferRole::Output};
  const std::vector<char> bytes = bytesOf(got);
  return ExpectedOutput(buffer, bytesOf(expected)).difference({bytes.data(), bytes.size()}, tolerance);
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Compare, TellsWhatDiffersAndWhatWasAllowed) {
  EXPECT_EQ(differenceOf<float>({1, -8, 3}, {1, -8, 3.5}),
            "output 'out' is 3.5 instead of 3 at element 2 of its memory; the largest is 8 and 0.0008 is allowed");
}

TEST(Compare, FloatsMayDifferByAPartOfTheLargest) {
  EXPECT_NE(differenceOf<float>({100, 0}, {100, 0.011F}), "");
  EXPECT_EQ(differenceOf<float>({100, 0}, {100, 0.009F}), "");
  EXPECT_EQ(differenceOf<float>({100, 0}, {100, 0.029F}, kAlgorithmTolerance), "");
  EXPECT_NE(differenceOf<float>({100, 0}, {100, 0.031F}, kAlgorithmTolerance), "");
  EXPECT_NE(differenceOf<float>({0, 0}, {0, 1e-30F}), "");
}

TEST(Compare, NansAndInfinitiesKeepTheirPlaces) {
  EXPECT_NE(differenceOf<float>({1, kNan}, {1, 1}), "");
  EXPECT_NE(differenceOf<float>({1, 1}, {1, kNan}), "");
  EXPECT_NE(differenceOf<float>({1, kInfinity}, {1, -kInfinity}), "");
  EXPECT_NE(differenceOf<float>({1, kInfinity}, {1, 1e38F}), "");
  EXPECT_EQ(differenceOf<float>({1, kInfinity, kNan}, {1.00001F, kInfinity, kNan}), "");
  // An infinity is no measure of what is large.
  EXPECT_NE(differenceOf<float>({kInfinity, 1}, {kInfinity, 2}), "");
}

TEST(Compare, IntegersMayDifferByOne) {
  EXPECT_NE(differenceOf<int64_t>({1000000, 5}, {1000000, 7}), "");
  EXPECT_EQ(differenceOf<int64_t>({1000000, 5}, {1000000, 4}), "");
}

TEST(Compare, PaddingIsNotLookedAt) {
  const std::vector<int64_t> shape = {3};
  const Buffer buffer{"out", DType::F32, shape, Layout::blocked(shape, 0, 4), BufferRole::Output};
  const ExpectedOutput expected(buffer, bytesOf<float>({1, 2, 3, 0}));
  const std::vector<char> padding = bytesOf<float>({1, 2, 3, 9}), wrong = bytesOf<float>({1, 2, 9, 0});
  EXPECT_EQ(expected.difference({padding.data(), padding.size()}, kTolerance), "");
  EXPECT_NE(expected.difference({wrong.data(), wrong.size()}, kTolerance), "");
  EXPECT_EQ(expected.difference({wrong.data(), 12}, kTolerance), "output 'out' has 12 bytes instead of 16");
}

TEST(Compare, HalvesMayDifferByTwoSteps) {
  const std::vector<int64_t> shape = {2};
  const Buffer buffer{"out", DType::F16, shape, Layout::rowMajor(shape), BufferRole::Output};
  const auto halves = [&](double first, double second) {
    tensor::HostTensor tensor = tensor::HostTensor::zeros(DType::F16, shape);
    tensor.setReal(0, first);
    tensor.setReal(1, second);
    return tensor.bytes;
  };
  const ExpectedOutput expected(buffer, halves(1, 0));
  const std::vector<char> near = halves(1 + 0x1p-9, 0), far = halves(1 + 0x1p-8, 0);
  EXPECT_EQ(expected.difference({near.data(), near.size()}, kTolerance), "");
  EXPECT_NE(expected.difference({far.data(), far.size()}, kTolerance), "");
}

TEST(SeededArguments, IndicesLieInsideAndSeedsDiffer) {
  const schedule::Task task = taskOf(
      "kernel k\n"
      "input b0 f32[9,4]\n"
      "input b1 i64[50]\n"
      "output b2 f32[50,4]\n"
      "s0(d0 50, d1 4) : f32\n"
      "    = b0[clamp(b1[d0], 0, 8), d1]\n"
      "    -> b2[d0, d1]\n");
  const auto first = seededArguments(task.kernel(), 1), again = seededArguments(task.kernel(), 1),
             other = seededArguments(task.kernel(), 2);
  EXPECT_TRUE(first == again);
  size_t differing = 0;
  for (size_t b = 0; b < first.size(); ++b) {
    differing += first[b].bytes != other[b].bytes ? 1 : 0;
    if (task.kernel().buffers[b].role == BufferRole::Output) {
      EXPECT_TRUE(first[b].bytes.empty());
      continue;
    }
    bool varies = false;
    for (int64_t i = 0; i < first[b].elements(); ++i) {
      varies = varies || first[b].real(i) != first[b].real(0);
      if (first[b].dtype != DType::I64) {
        EXPECT_LE(std::abs(first[b].real(i)), 1);
        continue;
      }
      EXPECT_GE(first[b].integer(i), 0);
      EXPECT_LT(first[b].integer(i), 9);
    }
    EXPECT_TRUE(varies);
  }
  EXPECT_EQ(differing, 2U);
}

}  // namespace
}  // namespace hone::measure
