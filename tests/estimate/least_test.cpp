// The default schedule: legal, right, its own text, and hardly ever beaten by chance.
#include "compiler/estimate/least.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <random>

#include "compiler/codegen/codegen.h"
#include "compiler/loop/lower.h"
#include "compiler/tensor/algorithms.h"
#include "tests/support/example_kernels.h"
#include "tests/support/execute.h"
#include "tests/support/random_kernel.h"
#include "tests/support/rounds.h"

namespace hone::estimate {
namespace {

using namespace tensor::testing;

TEST(Least, IsNotBeatenByChance) {
  const absl::StatusOr<TargetDescription> target = codegen::parseTarget("llvm -mcpu=znver4 -num-cores=2");
  ASSERT_TRUE(target.ok()) << target.status();
  std::mt19937_64 rng(hone::testing::testSeed());
  for (const tensor::Kernel &kernel : exampleKernels()) {
    const schedule::Space space(kernel, *target, {"direct"});
    const Least least = leastOf(space, *target);
    for (int i = 0; i < 100; ++i) {
      const schedule::Point point = space.random(rng);
      const absl::StatusOr<schedule::Schedule> other = space.expand(point);
      if (!other.ok()) continue;
      const auto nest = loop::lower(schedule::applyPacks(space.rewritten(point), *other), *other);
      if (!nest.ok()) continue;
      // Going along one knob after the other may end beside the least.
      EXPECT_LE(least.cycles.total, 1.1 * estimate(*nest, kernel, *target).total)
          << tensor::print(kernel) << schedule::print(least.schedule) << schedule::print(*other);
    }
  }
}

TEST(Least, IsTheSameForTheSameKernel) {
  const absl::StatusOr<TargetDescription> target = codegen::parseTarget("llvm -mcpu=haswell");
  ASSERT_TRUE(target.ok()) << target.status();
  for (const tensor::Kernel &kernel : exampleKernels())
    EXPECT_EQ(leastSchedule(kernel, *target), leastSchedule(kernel, *target));
}

TEST(Least, LeavesWhatNoEstimateSees) {
  const absl::StatusOr<TargetDescription> target = codegen::parseTarget("llvm -mcpu=znver4");
  ASSERT_TRUE(target.ok()) << target.status();
  const auto least = [&](int64_t n, int64_t k) { return schedule::print(leastSchedule(matmul(1, 64, n, k), *target)); };
  EXPECT_NE(least(1024, 512).find("prefetch b 512"), std::string::npos) << least(1024, 512);
  EXPECT_EQ(least(1024, 256).find("prefetch"), std::string::npos) << least(1024, 256);
  const tensor::Kernel kernel = convolution({.ic = 32, .oc = 32, .y = 64, .x = 64});
  const std::string transformed = schedule::print(leastSchedule(kernel, *target, "winograd 4 3"));
  EXPECT_NE(transformed.find("store conv_v"), std::string::npos) << transformed;
  EXPECT_NE(transformed.find("store conv_m"), std::string::npos) << transformed;
}

TEST(Least, HasOtherTilesBehindItInOrder) {
  const absl::StatusOr<TargetDescription> target = codegen::parseTarget("llvm -mcpu=haswell");
  ASSERT_TRUE(target.ok()) << target.status();
  const auto tilesOf = [](const schedule::Schedule &schedule) {
    std::vector<std::vector<schedule::RegisterTile>> tiles;
    for (const schedule::StageSchedule &stage : schedule.stages) tiles.push_back(stage.registers);
    return tiles;
  };
  size_t most = 0;
  for (const tensor::Kernel &kernel : exampleKernels()) {
    const schedule::Space space(kernel, *target, {"direct"});
    const std::vector<Least> least = leastOfTiles(space, *target, 4);
    ASSERT_FALSE(least.empty());
    EXPECT_LE(least.size(), 4U);
    EXPECT_EQ(least[0].schedule, leastOf(space, *target).schedule);
    for (size_t i = 1; i < least.size(); ++i) {
      EXPECT_LE(least[i - 1].cycles.total, least[i].cycles.total);
      EXPECT_EQ(schedule::legal(kernel, least[i].schedule, *target).message(), "");
      for (size_t before = 0; before < i; ++before)
        EXPECT_NE(tilesOf(least[i].schedule), tilesOf(least[before].schedule)) << schedule::print(least[i].schedule);
    }
    most = std::max(most, least.size());
  }
  EXPECT_EQ(most, 4U);
}

TEST(Least, IsLegalForRandomKernels) {
  hone::testing::inRounds(150, 5000, [](hone::testing::Random &random) {
    const tensor::Kernel kernel = randomKernel(random.next());
    for (const char *text :
         {"llvm -mcpu=znver4", "llvm -mcpu=x86-64", "llvm -mtriple=aarch64-linux-gnu -mcpu=cortex-a72"}) {
      const absl::StatusOr<TargetDescription> target = codegen::parseTarget(text);
      ASSERT_TRUE(target.ok()) << target.status();
      EXPECT_EQ(schedule::legal(kernel, leastSchedule(kernel, *target), *target).message(), "")
          << tensor::print(kernel);
    }
  });
}

// Every point computes what the kernel says, whatever a search may do with it.
TEST(Space, ComputesTheSameEverywhere) {
  hone::testing::inRounds(60, 3000, [](hone::testing::Random &random) {
    const std::vector<tensor::Kernel> examples = exampleKernels();
    const tensor::Kernel &kernel = examples[random.next() % examples.size()];
    const char *const targets[] = {"llvm", "llvm -mcpu=haswell", "llvm -mcpu=x86-64"};
    const absl::StatusOr<TargetDescription> target = codegen::parseTarget(targets[random.next() % 3]);
    ASSERT_TRUE(target.ok()) << target.status();
    if (!hone::testing::canRun(*target)) {
      std::cout << "skipped: this machine cannot run " << target->cpu << "\n";
      return;
    }
    const schedule::Space space(kernel, *target, {"direct"});
    std::mt19937_64 rng(random.next());
    const schedule::Point point = space.random(rng);
    const absl::StatusOr<schedule::Schedule> schedule = space.expand(point);
    if (!schedule.ok()) return;
    EXPECT_EQ(hone::testing::checkAgainstInterpreter(kernel, *schedule, *target, random.next()), "")
        << space.text(point);
  });
}

}  // namespace
}  // namespace hone::estimate
