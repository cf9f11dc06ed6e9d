// Estimates of small nests against cycles that were counted by hand.
#include "compiler/estimate/estimate.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "compiler/estimate/machine.h"
#include "compiler/loop/lower.h"
#include "compiler/schedule/schedule.h"
#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"

namespace hone::estimate {
namespace {

using namespace tensor::testing;

// In this table multiply-adds of 64 bytes take a cycle, other arithmetic 2/3, loads a cycle, stores two.
TargetDescription zen4() {
  TargetDescription target;
  target.triple = "x86_64-pc-linux-gnu";
  target.cpu = "znver4";
  target.vectorBytes = 64;
  target.vectorRegisters = 32;
  target.l1Bytes = 32 << 10;
  target.l2Bytes = 1 << 20;
  target.l3Bytes = 16 << 20;
  target.cores = 1;
  return target;
}

Cycles estimateOf(const tensor::Kernel &kernel, const char *text, const TargetDescription &target = zen4()) {
  const absl::StatusOr<schedule::Schedule> schedule = schedule::parse(text);
  EXPECT_TRUE(schedule.ok()) << schedule.status();
  EXPECT_EQ(schedule::legal(kernel, *schedule, target).message(), "") << tensor::print(kernel);
  const absl::StatusOr<loop::Kernel> nest = loop::lower(schedule::applyPacks(kernel, *schedule), *schedule);
  EXPECT_TRUE(nest.ok()) << nest.status();
  return estimate(*nest, kernel, target);
}

tensor::Kernel kernelOf(const char *text) {
  absl::StatusOr<tensor::Kernel> kernel = tensor::parse(text);
  EXPECT_TRUE(kernel.ok()) << kernel.status();
  return *std::move(kernel);
}

constexpr const char *kProduct = R"(kernel product
input a f32[64,64]
parameter b f32[64,64]
output out f32[64,64]
s(m 64, n 64; reduce k 64) : f32
    = sum a[m, k] * b[k, n]
    -> out[m, n]
)";

TEST(Estimate, CountsMultiplyAdds) {
  const Cycles cycles = estimateOf(
      kernelOf(kProduct), "algorithm direct\ns   vector n 16   registers m 4, n 4   order - | m/4, n/64 | k\n");
  EXPECT_EQ(cycles.arithmetic, 64.0 * 64 * 64 / 16);
  // Of each step of a tile: four vectors, and four elements in all lanes.
  EXPECT_EQ(cycles.loads, 64.0 / 4 * 64 * (4 * 1 + 4 * 0.5));
  EXPECT_EQ(cycles.stores, 64.0 * 4 * 2);
  EXPECT_EQ(cycles.spills, 0);
  EXPECT_EQ(cycles.limit(), "arithmetic");
  EXPECT_GE(cycles.total, cycles.arithmetic);
  EXPECT_LE(cycles.total, 1.4 * cycles.arithmetic);
}

TEST(Estimate, CountsPrefetchesAsLoads) {
  const char *text = "algorithm direct\ns   vector n 16   registers m 4, n 4   order - | m/4, n/64 | k";
  const tensor::Kernel kernel = kernelOf(kProduct);
  const Cycles without = estimateOf(kernel, absl::StrCat(text, "\n").c_str());
  const Cycles with = estimateOf(kernel, absl::StrCat(text, "   prefetch b 512\n").c_str());
  // Four lines in each step.
  EXPECT_EQ(with.loads, without.loads + 64.0 / 4 * 64 * 4 * 0.5);
  EXPECT_EQ(with.fromMemory, without.fromMemory + 4) << "four instructions of 8 bytes, and none of b's";
}

TEST(Estimate, WaitsForSumsThatAreTooFew) {
  const Cycles one = estimateOf(kernelOf(kProduct), "algorithm direct\ns   vector n 16   order - | m, n/16 | k\n");
  const Cycles four =
      estimateOf(kernelOf(kProduct), "algorithm direct\ns   vector n 16   registers n 4   order - | m, n/64 | k\n");
  // A step loads for a cycle and a half, and is waited for for four.
  EXPECT_EQ(one.latency, 64.0 * 4 * 64 * (4 - 1.5));
  EXPECT_EQ(four.latency, 0);
  EXPECT_GT(one.total, 2 * four.total);
}

TEST(Estimate, KnowsThatSumsDoNotFit) {
  const Cycles cycles = estimateOf(
      kernelOf(kProduct), "algorithm direct\ns   vector n 16   registers m 8, n 4   order - | m/8, n/64 | k\n");
  EXPECT_GT(cycles.spills, 0);
}

TEST(Estimate, BringsParametersFromMemoryOnce) {
  const Cycles cycles = estimateOf(
      kernelOf(kProduct), "algorithm direct\ns   vector n 16   registers m 4, n 4   order - | m/4, n/64 | k\n");
  const Machine &machine = machineOf(zen4());
  EXPECT_GE(cycles.fromMemory, 64 * 64 * 4 / machine.fromMemory);
  EXPECT_LE(cycles.fromMemory, 1.5 * 64 * 64 * 4 / machine.fromMemory);
  // All of it fits into the second-level cache, where the kernel before left its result.
  EXPECT_LE(cycles.fromL3, 2 * 64 * 64 * 4 / machine.fromL3);
}

TEST(Estimate, StreamsWhatNoCacheHolds) {
  const tensor::Kernel kernel = kernelOf(R"(kernel sum
input a f32[16777216]
input b f32[16777216]
output out f32[16777216]
s(i 16777216) : f32
    = a[i] + b[i]
    -> out[i]
)");
  const Cycles cycles =
      estimateOf(kernel, "algorithm direct\ns   vector i 16   registers i 4   order i/65536 | i/64 | -\n");
  EXPECT_EQ(cycles.limit(), "memory");
  EXPECT_GE(cycles.fromMemory, 3 * 64e6 / machineOf(zen4()).fromMemory);
  EXPECT_GE(cycles.total, cycles.fromMemory);
}

TEST(Estimate, SeesThatRowsDriveEachOtherOut) {
  const auto transposition = [](int columns) {
    return kernelOf(absl::StrCat("kernel t\ninput x f32[256,", columns, "]\noutput out f32[", columns, ",256]\ns(c ",
                                 columns, ", r 256) : f32\n    = x[r, c]\n    -> out[c, r]\n")
                        .c_str());
  };
  // 256 rows of which each step takes an element: their lines fit into the first-level cache, but only where they are
  // not a multiple of its period apart.
  constexpr const char *kColumns = "algorithm direct\ns   vector r 16   order c | r/16 | -\n";
  const Cycles apart = estimateOf(transposition(16 * 17), kColumns),
               together = estimateOf(transposition(1024), kColumns);
  EXPECT_GT(together.fromL2 / 1024, 1.5 * apart.fromL2 / (16.0 * 17));
}

// A row of 1024 elements is as long as the sets of the first-level cache: 9 rows meet in one, which holds 8 lines.
TEST(Estimate, SeesThatATileOfRowsDrivesItselfOut) {
  const auto fromL2 = [](int64_t length, int64_t rows) {
    const std::string kernel = absl::StrCat("kernel product\ninput a f32[72,", length, "]\nparameter b f32[", length,
                                            ",32]\noutput out f32[72,32]\ns(m 72, n 32; reduce k ", length,
                                            ") : f32\n    = sum a[m, k] * b[k, n]\n    -> out[m, n]\n");
    const std::string schedule = absl::StrCat("algorithm direct\ns   vector n 16   registers m ", rows,
                                              ", n 2   order - | n/32, m/", rows, " | k\n");
    return estimateOf(kernelOf(kernel.c_str()), schedule.c_str()).fromL2;
  };
  EXPECT_GT(fromL2(1024, 9), 2 * fromL2(1040, 9));
  EXPECT_LT(fromL2(1024, 8), 1.2 * fromL2(1040, 8));
}

TEST(Estimate, KnowsBlocksThatReuseWhatTheyFetched) {
  const tensor::Kernel kernel = kernelOf(R"(kernel product
input a f32[512,512]
input b f32[512,512]
output out f32[512,512]
s(m 512, n 512; reduce k 512) : f32
    = sum a[m, k] * b[k, n]
    -> out[m, n]
)");
  // A panel of b is walked for all rows, or all of b for every few rows.
  const Cycles panel =
      estimateOf(kernel, "algorithm direct\ns   vector n 16   registers m 4, n 2   order n/32 | m/4 | k\n");
  const Cycles whole =
      estimateOf(kernel, "algorithm direct\ns   vector n 16   registers m 4, n 2   order m/4 | n/32 | k\n");
  EXPECT_LT(2 * panel.fromL3, whole.fromL3 + 1);
}

TEST(Estimate, TakesThePieceThatIsLeftOver) {
  TargetDescription two = zen4();
  two.cores = 2;
  const char *text = "algorithm direct\ns   vector n 16   registers m 4, n 4   order m/24 | m/4, n/64 | k\n";
  const Cycles alone = estimateOf(kernelOf(kProduct), text), shared = estimateOf(kernelOf(kProduct), text, two);
  const double work = shared.total - machineOf(two).fork;
  // Two of three pieces, and a part of one by which a thread may be late.
  EXPECT_NEAR(work / alone.total, 2.3 / 3, 0.01);
}

TEST(Estimate, DoesNothingBeforeItIsKnownToBeNeeded) {
  // The loads of border rows depend on the channel alone, and are done for border rows only.
  const tensor::Kernel kernel = kernelOf(R"(kernel pool
input x f32[64,7,7] layout [0/16][1][2][0%16]
output out f32[64,7,7] layout [0/16][1][2][0%16]
s(c 64, y 7, x 7; reduce ky 3, kx 3) : f32
    = max x[c, y + ky - 1, x + kx - 1] (-inf outside)
    -> out[c, y, x]
)");
  const Cycles cycles = estimateOf(
      kernel,
      "algorithm direct\ns   vector c 16   registers x 7, c 1   order c/16, y | x/7 | ky, kx   unroll ky, kx\n");
  EXPECT_LE(cycles.loads, 64.0 / 16 * 7 * 9 * 3 * 1.1);
}

TEST(Estimate, SeesAllPointsOfATransform) {
  ConvolutionSize size;
  size.ic = size.oc = 64;
  size.y = size.x = 64;
  size.padding = 1;
  const tensor::Kernel kernel = convolution(size);
  const auto rewrite = tensor::applyAlgorithm(kernel, "winograd 4 3");
  ASSERT_TRUE(rewrite.ok()) << rewrite.status();
  const auto schedule = schedule::parse(
      "algorithm winograd 4 3\nconv_v   vector ic 16   order ic/16, y_tile | x_tile | -\n"
      "conv_m   vector oc 16   registers x_tile 4, oc 2   order a, b, oc/32, y_tile | x_tile/4 | ic\n"
      "conv   vector oc 16   order oc/16, y_tile | x_tile | -\n");
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  ASSERT_EQ(schedule::legal(kernel, *schedule, zen4()).message(), "") << tensor::print(rewrite->kernel);
  const auto nest = loop::lower(schedule::applyPacks(rewrite->kernel, *schedule), *schedule);
  ASSERT_TRUE(nest.ok()) << nest.status();
  const Cycles cycles = estimate(*nest, rewrite->kernel, zen4());
  // 36 points of 16 x 16 tiles of 64 channels are written and read, twice.
  EXPECT_GE(cycles.fromL2 * machineOf(zen4()).fromL2, 4 * 36 * 16 * 16 * 64 * 4);
}

TEST(Machine, IsKnownByTheBeginningOfItsName) {
  TargetDescription target;
  target.triple = "x86_64-pc-linux-gnu";
  const auto family = [&](const char *cpu) {
    target.cpu = cpu;
    return std::string(machineOf(target).family);
  };
  EXPECT_EQ(family("znver5"), "zen5");
  EXPECT_EQ(family("znver4"), "zen4");
  EXPECT_EQ(family("znver2"), "haswell, skylake, zen");
  EXPECT_EQ(family("skylake-avx512"), "skylake server");
  EXPECT_EQ(family("skylake"), "haswell, skylake, zen");
  EXPECT_EQ(family("x86-64-v4"), "skylake server");
  EXPECT_EQ(family("x86-64"), "x86-64");
  EXPECT_EQ(family("nothing that is known"), "x86-64");
  target.triple = "aarch64-linux-gnu";
  EXPECT_EQ(family("cortex-a76"), "cortex-a76, neoverse");
  EXPECT_EQ(family("cortex-a72"), "cortex-a72");
  EXPECT_EQ(family(""), "cortex-a72");
  target.triple = "riscv64-linux-gnu";
  EXPECT_EQ(family("generic"), "other");
}

}  // namespace
}  // namespace hone::estimate
