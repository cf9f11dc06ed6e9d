// Every example kernel, compiled by its default schedule for every kind of target, against the interpreter; and blocks
// of a feeder's results that its readers go through backwards.
#include "tests/support/execute.h"

#include <gtest/gtest.h>

#include <iostream>

#include "compiler/codegen/codegen.h"
#include "compiler/estimate/least.h"
#include "tests/support/effort.h"
#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"

namespace hone::testing {
namespace {

class DefaultSchedule : public ::testing::TestWithParam<const char *> {};

TEST_P(DefaultSchedule, AgreesWithInterpreter) {
  absl::StatusOr<TargetDescription> target = codegen::parseTarget(GetParam());
  ASSERT_TRUE(target.ok()) << target.status();
  if (!canRun(*target)) GTEST_SKIP() << "this machine cannot run code for " << GetParam();
  const uint64_t seed = testSeed();
  for (const tensor::Kernel &kernel : tensor::testing::exampleKernels()) {
    schedule::Schedule schedule = estimate::leastSchedule(kernel, *target);
    EXPECT_EQ(checkAgainstInterpreter(kernel, schedule, *target, seed), "") << kernel.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, DefaultSchedule,
                         ::testing::Values("llvm", "llvm -mcpu=skylake-avx512", "llvm -mcpu=haswell",
                                           "llvm -mcpu=x86-64"));

/// What a stage reads of the twice [14] that the stage before it makes of x [14]: the element of (i, k).
struct BackwardRead {
  const char *what;
  tensor::Index (*element)(const tensor::Index &i, const tensor::Index &k);
  int64_t (*place)(int64_t i, int64_t k);
};

constexpr int64_t kPlaces = 14, kResults = 10, kTaps = 3;

tensor::Kernel backwards(const BackwardRead &read) {
  using namespace tensor::testing;
  using tensor::dim;
  KernelBuilder b("backwards");
  const int x = b.input("x", {kPlaces}), twice = b.temporary("twice", {kPlaces}), y = b.output("y", {kResults});
  b.begin("twice", {parallel("t", kPlaces)});
  b.put(b.get(x, {dim(0)}) * f32(2), twice, {dim(0)});
  b.begin("y", {parallel("i", kResults), reduce("k", kTaps)});
  b.fold(tensor::CombinerKind::Sum);
  b.put(b.get(twice, {read.element(dim(0), dim(1))}, 0), y, {dim(0)});
  return b.finish();
}

// The block of `twice` that each piece of y computes begins below its first element by as much as the taps reach back.
TEST(AttachedStages, AreReadBackwards) {
  using tensor::Index;
  const BackwardRead reads[] = {{"taps go back", [](const Index &i, const Index &k) { return i + k * -1 + 2; },
                                 [](int64_t i, int64_t k) { return i - k + 2; }},
                                {"beyond the first element", [](const Index &i, const Index &k) { return i + k * -1; },
                                 [](int64_t i, int64_t k) { return i - k; }},
                                {"taps far apart", [](const Index &i, const Index &k) { return i + k * -4 + 7; },
                                 [](int64_t i, int64_t k) { return i - 4 * k + 7; }},
                                {"results go back", [](const Index &i, const Index &k) { return i * -1 + k + 9; },
                                 [](int64_t i, int64_t k) { return 9 - i + k; }},
                                {"both", [](const Index &i, const Index &k) { return i * -1 + k * -1 + 12; },
                                 [](int64_t i, int64_t k) { return 12 - i - k; }},
                                {"both, beyond the last element and the first",
                                 [](const Index &i, const Index &k) { return i * -2 + k * -1 + 15; },
                                 [](int64_t i, int64_t k) { return 15 - 2 * i - k; }}};
  const TargetDescription target = codegen::hostTarget();
  std::vector<float> numbers;
  for (int64_t t = 0; t < kPlaces; ++t) numbers.push_back(static_cast<float>(t * t + 1));
  const tensor::HostTensor x = tensor::hostTensor<float>({kPlaces}, numbers);
  for (const BackwardRead &read : reads) {
    const tensor::Kernel kernel = backwards(read);
    std::vector<float> expected;
    for (int64_t i = 0; i < kResults; ++i) {
      float sum = 0;
      for (int64_t k = 0; k < kTaps; ++k) {
        const int64_t place = read.place(i, k);
        if (place >= 0 && place < kPlaces) sum += 2 * numbers[static_cast<size_t>(place)];
      }
      expected.push_back(sum);
    }
    for (const char *lines :
         {"twice at y i\ny order i | - | k\n", "twice at y i/2\ny order i/2 | i | k\n",
          "twice at y i/4 vector t 4\ny vector i 4 order - | i/4 | k\n",
          "twice at y i/3\ny registers i 3 order i/3 | - | k unroll k\n", "twice at y i/8\ny order - | i/8 | -\n"}) {
      SCOPED_TRACE(std::string(read.what) + "\n" + lines);
      const auto schedule = schedule::parse(std::string("algorithm direct\n") + lines);
      ASSERT_TRUE(schedule.ok()) << schedule.status();
      const auto got = execute(kernel, *schedule, target, {x}, 2);
      ASSERT_TRUE(got.ok()) << got.status();
      for (int64_t i = 0; i < kResults; ++i) {
        EXPECT_EQ((*got)[0].real(i), expected[static_cast<size_t>(i)]) << "element " << i;
      }
    }
  }
}

}  // namespace
}  // namespace hone::testing
