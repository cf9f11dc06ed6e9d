// Spaces: every point is a legal schedule or forbidden by a rule, what is asked does not depend on the answers, and the
// ways to get from point to point stay inside.
#include "compiler/schedule/space.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "compiler/schedule/algorithm.h"
#include "compiler/schedule/expand.h"
#include "compiler/tensor/algorithms.h"
#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"
#include "tests/support/random_kernel.h"
#include "tests/support/rounds.h"

namespace hone::schedule {
namespace {

using namespace tensor::testing;

TargetDescription machine(int64_t vectorBytes, int64_t registers) {
  TargetDescription target;
  target.triple = "x86_64-pc-linux-gnu";
  target.vectorBytes = vectorBytes;
  target.vectorRegisters = registers;
  target.cores = 2;
  return target;
}

const std::vector<TargetDescription> kMachines = {machine(64, 32), machine(32, 16), machine(16, 16)};

/// Direct sums, and Winograd where it fits.
std::vector<std::string> algorithmsOf(const tensor::Kernel &kernel) {
  std::vector<std::string> algorithms = {"direct"};
  for (const char *algorithm : {"winograd 2 3", "winograd 4 3"})
    if (tensor::applyAlgorithm(kernel, algorithm).ok()) algorithms.emplace_back(algorithm);
  return algorithms;
}

void expectMostlyLegal(const tensor::Kernel &kernel, const TargetDescription &target, std::mt19937_64 &rng, int most,
                       int &points, int &forbidden) {
  const Space space(kernel, target, algorithmsOf(kernel));
  const bool all = space.size() <= most;
  for (int i = 0; i < (all ? static_cast<int>(space.size()) : most); ++i) {
    const Point point = all ? space.at(i) : space.random(rng);
    const absl::StatusOr<Schedule> schedule = space.expand(point);
    ++points;
    if (schedule.ok()) continue;
    ++forbidden;
    EXPECT_FALSE(schedule.status().message().empty());
    EXPECT_NE(space.text(point), "");
  }
  EXPECT_EQ(legal(kernel, plainSchedule(kernel), target), absl::OkStatus()) << tensor::print(kernel);
  // One of each form at least: a search begins there.
  for (int form = 0; form < static_cast<int>(space.forms().size()); ++form) {
    const Point first{form, std::vector<int>(space.forms()[static_cast<size_t>(form)].knobs.size(), 0)};
    EXPECT_EQ(space.expand(first).status(), absl::OkStatus()) << space.text(first) << "\n" << tensor::print(kernel);
  }
}

TEST(Space, HoldsLegalSchedulesOfExampleKernels) {
  std::mt19937_64 rng(hone::testing::testSeed());
  int points = 0, forbidden = 0;
  for (const TargetDescription &target : kMachines)
    for (const tensor::Kernel &kernel : exampleKernels()) expectMostlyLegal(kernel, target, rng, 60, points, forbidden);
  EXPECT_GT(points, 1000);
  EXPECT_LE(forbidden * 100, points) << forbidden << " of " << points << " points are not legal";
}

TEST(Space, HoldsLegalSchedulesOfRandomKernels) {
  hone::testing::inRounds(300, 10000, [](hone::testing::Random &random) {
    std::mt19937_64 rng(random.next());
    int points = 0, forbidden = 0;
    const tensor::Kernel kernel = randomKernel(random.next());
    expectMostlyLegal(kernel, kMachines[random.next() % kMachines.size()], rng, 10, points, forbidden);
    EXPECT_LE(forbidden * 10, points) << tensor::print(kernel);
  });
}

TEST(Space, AsksTheSameWhateverIsAnswered) {
  std::mt19937_64 rng(hone::testing::testSeed());
  for (const tensor::Kernel &kernel : exampleKernels()) {
    const auto rewrite = tensor::applyAlgorithm(kernel, "direct");
    ASSERT_TRUE(rewrite.ok());
    const Space space(kernel, kMachines[0], {"direct"});
    for (int i = 0; i < 20; ++i) {
      const Point point = space.random(rng);
      if (point.form != 0) continue;
      Choices choices({}, point.knobs);
      expandKernel(*rewrite, kMachines[0], "direct", choices);
      EXPECT_EQ(choices.knobs(), space.forms()[0].knobs) << space.text(point) << "\n" << tensor::print(kernel);
    }
  }
}

TEST(Space, CountsItsPoints) {
  ConvolutionSize size;
  size.oc = 64;
  const Space space(convolution(size), kMachines[0], {"direct"});
  std::set<std::pair<int, std::vector<int>>> points;
  for (int64_t i = 0; i < space.size(); ++i) {
    const Point point = space.at(i);
    points.emplace(point.form, point.knobs);
  }
  EXPECT_EQ(static_cast<int64_t>(points.size()), space.size());
  EXPECT_GT(space.size(), 50);
}

TEST(Space, StaysInsideOnTheWayFromPointToPoint) {
  std::mt19937_64 rng(hone::testing::testSeed());
  ConvolutionSize size;
  size.ic = size.oc = 32;
  size.y = size.x = 40;
  const tensor::Kernel kernel = convolution(size);
  const Space space(kernel, kMachines[0], {"direct"});
  const auto isInside = [&](const Point &point) {
    const std::vector<Knob> &knobs = space.forms()[static_cast<size_t>(point.form)].knobs;
    bool inside = point.knobs.size() == knobs.size();
    for (size_t k = 0; inside && k < knobs.size(); ++k)
      inside = point.knobs[k] >= 0 && point.knobs[k] < static_cast<int>(knobs[k].values.size());
    return inside;
  };
  for (int i = 0; i < 50; ++i) {
    const Point a = space.random(rng), b = space.random(rng);
    ASSERT_TRUE(isInside(a));
    int64_t others = 0;
    for (const Knob &knob : space.forms()[static_cast<size_t>(a.form)].knobs)
      others += static_cast<int64_t>(knob.values.size()) - 1;
    const std::vector<Point> neighbours = space.neighbours(a);
    EXPECT_EQ(static_cast<int64_t>(neighbours.size()), others);
    for (const Point &neighbour : neighbours) {
      ASSERT_TRUE(isInside(neighbour));
      int different = 0;
      for (size_t k = 0; k < a.knobs.size(); ++k) different += neighbour.knobs[k] != a.knobs[k] ? 1 : 0;
      EXPECT_EQ(different, 1);
    }
    const Point child = space.crossover(a, b, rng);
    ASSERT_TRUE(isInside(child));
    for (size_t k = 0; k < child.knobs.size(); ++k)
      EXPECT_TRUE(child.knobs[k] == a.knobs[k] || (a.form == b.form && child.knobs[k] == b.knobs[k]) ||
                  child.form == b.form);
  }
}

TEST(Space, GivesTheSamePointsForTheSameSeed) {
  const Space space(convolution({}), kMachines[0], {"direct"});
  std::mt19937_64 first(7), second(7);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(space.random(first), space.random(second));
}

TEST(Space, LeavesOutTilesThatSpill) {
  const Space space(convolution({}), kMachines[1], {"direct"});
  std::mt19937_64 rng(hone::testing::testSeed());
  for (int i = 0; i < 100; ++i) {
    const absl::StatusOr<Schedule> schedule = space.expand(space.random(rng));
    ASSERT_TRUE(schedule.ok());
    int64_t sums = 1, vectors = 1;
    for (const RegisterTile &tile : schedule->stages[0].registers) {
      sums *= tile.count;
      if (tile.dim == schedule->stages[0].vectorDim) vectors = tile.count;
    }
    EXPECT_LE(sums + vectors + 1, 16) << print(*schedule);
  }
}

/// By the name of a knob of a space: the text of its values' schedules, all else being the first value.
std::vector<std::string> schedulesOf(const Space &space, int form, const std::string &knob) {
  std::vector<std::string> texts;
  const std::vector<Knob> &knobs = space.forms()[static_cast<size_t>(form)].knobs;
  for (size_t k = 0; k < knobs.size(); ++k) {
    for (size_t value = 0; knobs[k].name == knob && value < knobs[k].values.size(); ++value) {
      Point point{form, std::vector<int>(knobs.size(), 0)};
      point.knobs[k] = static_cast<int>(value);
      const absl::StatusOr<Schedule> schedule = space.expand(point);
      EXPECT_TRUE(schedule.ok()) << schedule.status();
      if (schedule.ok()) texts.push_back(print(*schedule));
    }
  }
  return texts;
}

TEST(Space, LongReductionsMayBeCutIntoBlocks) {
  const auto blocks = [](int64_t k) {
    return schedulesOf(Space(matmul(1, 64, 64, k), kMachines[0], {"direct"}), 0, "out.steps");
  };
  EXPECT_TRUE(blocks(255).empty());
  const std::vector<std::string> texts = blocks(1024);
  ASSERT_EQ(texts.size(), 4);
  EXPECT_EQ(texts[0].find("| k/"), std::string::npos) << texts[0];
  for (const auto &[value, block] : {std::pair(1, "| k/128, "), {2, "| k/256, "}, {3, "| k/512, "}})
    EXPECT_NE(texts[static_cast<size_t>(value)].find(block), std::string::npos) << texts[static_cast<size_t>(value)];
}

TEST(Space, LargeWeightsMayBePrefetched) {
  const auto prefetches = [](int64_t n, int64_t k, int64_t m = 32) {
    return schedulesOf(Space(matmul(1, m, n, k), kMachines[0], {"direct"}), 0, "out.prefetch");
  };
  EXPECT_TRUE(prefetches(256, 255).empty());
  const std::vector<std::string> texts = prefetches(256, 256);
  ASSERT_EQ(texts.size(), 4);
  EXPECT_EQ(texts[0].find("prefetch"), std::string::npos) << texts[0];
  EXPECT_NE(texts[1].find("prefetch b 512\n"), std::string::npos) << texts[1];
  EXPECT_NE(texts[2].find("prefetch b 1024\n"), std::string::npos) << texts[2];
  EXPECT_NE(texts[3].find("prefetch b "), std::string::npos) << texts[3];
  // Of still larger ones it is the default, where there are rows enough.
  EXPECT_NE(prefetches(1024, 512)[0].find("prefetch b 512\n"), std::string::npos);
  EXPECT_EQ(prefetches(1024, 512)[1].find("prefetch"), std::string::npos);
  EXPECT_EQ(prefetches(1024, 512, 31)[0].find("prefetch"), std::string::npos);
}

TEST(Space, WinogradsTemporariesLieInSeveralWays) {
  const tensor::Kernel kernel = convolution({.ic = 32, .oc = 32, .y = 64, .x = 64});
  const Space space(kernel, kMachines[0], {"winograd 4 3"});
  for (int form = 0; form < static_cast<int>(space.forms().size()); ++form) {
    const std::vector<std::string> texts = schedulesOf(space, form, "conv.layout");
    ASSERT_EQ(texts.size(), 3);
    EXPECT_NE(texts[0].find("store conv_v ["), std::string::npos) << texts[0];
    EXPECT_NE(texts[0].find("store conv_m ["), std::string::npos) << texts[0];
    EXPECT_EQ(std::set<std::string>(texts.begin(), texts.end()).size(), 3) << texts[0];
    EXPECT_EQ(texts[2].find("store"), std::string::npos) << texts[2];
  }
}

}  // namespace
}  // namespace hone::schedule
