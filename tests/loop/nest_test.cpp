// Loop nests as text, and what schedules must do to them. HONE_UPDATE_GOLDEN=1 rewrites the files in golden/: read the
// difference before committing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "compiler/codegen/codegen.h"
#include "compiler/estimate/least.h"
#include "compiler/loop/lower.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/interpreter.h"
#include "tests/support/arguments.h"
#include "tests/support/example_kernels.h"
#include "tests/support/execute.h"
#include "tests/support/kernel_builder.h"

namespace hone::loop {
namespace {

using schedule::Schedule;
using tensor::HostTensor;
using namespace tensor::testing;

TargetDescription host() { return codegen::hostTarget(); }

Schedule parsed(const std::string &lines) {
  absl::StatusOr<Schedule> schedule = schedule::parse("algorithm direct\n" + lines);
  EXPECT_TRUE(schedule.ok()) << schedule.status();
  return schedule.ok() ? *schedule : Schedule{};
}

std::string nestOf(const tensor::Kernel &kernel, const std::string &lines) {
  const Schedule schedule = parsed(lines);
  const absl::Status legal = schedule::legal(kernel, schedule, host());
  EXPECT_TRUE(legal.ok()) << legal;
  if (!legal.ok()) return "";
  absl::StatusOr<Kernel> nest = lower(schedule::applyPacks(kernel, schedule), schedule);
  EXPECT_TRUE(nest.ok()) << nest.status();
  EXPECT_EQ(hone::testing::checkAgainstInterpreter(kernel, schedule, host(), 1), "");
  return nest.ok() ? print(*nest) : "";
}

void expectGolden(const std::string &name, const std::string &text) {
  const std::string path = absl::StrCat(HONE_GOLDEN_FOLDER, "/", name, ".txt");
  if (std::getenv("HONE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::stringstream expected;
  expected << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, expected.str()) << name << "; HONE_UPDATE_GOLDEN=1 rewrites it";
}

size_t occurrences(const std::string &text, const std::string &part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

ConvolutionSize small() {
  ConvolutionSize size;
  size.ic = 4;
  size.oc = 16;
  size.y = 6;
  size.x = 8;
  return size;
}

constexpr const char *kConvolution =
    "conv vector oc 8 registers x 4, oc 2 order n, oc/16, y | x/4 | ic, ky, kx pack weight [0/16][1][2][3][0%16]\n";

// The schedules are given, so that these files change with lowering alone.
TEST(Nests, AreAsRead) {
  expectGolden("convolution",
               nestOf(convolutionWithEpilogue(small()), absl::StrCat(kConvolution, "out at conv x/4\n")));
  expectGolden("matmul", nestOf(matmul(1, 12, 20, 6), "out vector n 8 registers m 4, n 1 order g, n/8 | m/4 | k\n"));
  expectGolden("softmax",
               nestOf(softmax(3, 20),
                      "mx at out r vector c 8 order - | r | c/8\ne at out r vector c 8 order - | r, c/8 | -\n"
                      "s at out r vector c 8 registers c 2 order - | r | c/16\n"
                      "out vector c 8 order r | c/8 | -\n"));
  ConvolutionSize depth = small();
  depth.ic = 8;
  expectGolden("depthwise", nestOf(depthwise(depth),
                                   "conv vector c 8 registers x 2 order n, c/8, y | x/2 | ky, kx "
                                   "unroll kx pack weight [0/8][1][2][0%8]\n"));
}

// Blocks of 8 columns outermost: of all rows where the buffer is shared, of those that a piece asks for in the scratch
// of a thread.
TEST(Nests, TemporariesLieAsTheyAreStored) {
  const std::string stored = nestOf(softmax(3, 20),
                                    "mx order r | - | -\n"
                                    "e vector c 8 order r | c/8 | - store e [1/8][0][1%8]\n"
                                    "s order r | - | -\n"
                                    "out vector c 8 order r | c/8 | -\n");
  EXPECT_NE(stored.find("buffer e : f32[72] shared"), std::string::npos) << stored;
  expectGolden("stored", nestOf(softmax(4, 20),
                                "mx at out r/2 order - | r | c\n"
                                "e at out r/2 vector c 8 order - | r, c/8 | - store e [1/8][0][1%8]\n"
                                "s at out r/2 order - | r | c\n"
                                "out vector c 8 order r/2 | r, c/8 | -\n"));
}

// One for each line of 16 floats, whatever the vectors are, and none for the rows that share it.
TEST(Nests, LinesArePrefetchedOncePerStep) {
  const auto prefetching = [](const char *clauses) {
    return nestOf(convolution(small()), absl::StrCat("conv ", clauses, " prefetch weight 256\n"));
  };
  expectGolden("prefetch",
               prefetching("vector oc 8 registers x 4, oc 2 order n, oc/16, y | x/4 | ic, ky, kx pack weight "
                           "[0/16][1][2][3][0%16]"));
  const std::string wide = prefetching(
      "vector oc 4 registers x 4, oc 4 order n, y | x/4 | ic, ky, kx pack weight "
      "[1][2][3][0]");
  EXPECT_EQ(occurrences(wide, "prefetch"), 2) << wide;  // in each of the two tiles of a row
  // Lines of their own for what lies apart.
  const std::string apart = prefetching("vector oc 4 registers oc 4 order n, y | x | ic, ky, kx");
  EXPECT_NE(apart.find("in 0..16 {"), std::string::npos) << apart;
  EXPECT_NE(apart.find(" + 36*line"), std::string::npos) << apart;
}

TEST(Nests, AnEditedTileChangesTheNestAndNotTheResult) {
  const tensor::Kernel kernel = convolution(small());
  const std::string before = nestOf(kernel, kConvolution);
  std::set<std::string> texts = {before};
  for (const char *edit : {"x 2", "x 3", "x 8"}) {
    const std::string count = std::string(edit).substr(2);
    const std::string lines = absl::StrCat("conv vector oc 8 registers ", edit, ", oc 1 order n, oc/16, y | x/", count,
                                           " | ic, ky, kx pack weight [0/16][1][2][3][0%16]\n");
    EXPECT_TRUE(texts.insert(nestOf(kernel, lines)).second) << lines;
  }
}

TEST(Nests, PaddingRowsAreSkippedByLoopBounds) {
  // One y per iteration: the loop over ky runs over the rows that exist, and the reads need no guard for them.
  ConvolutionSize size = small();
  const std::string nest =
      nestOf(convolution(size), "conv vector oc 8 registers x 4 order n, oc/8, y | x/4 | ic, ky, kx\n");
  EXPECT_NE(nest.find("in max(0, "), std::string::npos) << nest;
  EXPECT_NE(nest.find("min(3, "), std::string::npos) << nest;
}

TEST(Nests, BordersArePeeledSoThatTheMiddleHasNoGuards) {
  ConvolutionSize size = small();
  size.x = 16;
  const std::string nest =
      nestOf(convolution(size), "conv vector oc 8 registers x 4 order n, oc/8, y | x/4 | ic, ky, kx\n");
  const std::string middle = "for x";
  ASSERT_EQ(occurrences(nest, middle), 1U) << nest;
  EXPECT_NE(nest.find(" in 1..3"), std::string::npos) << "tiles 0 and 3 touch the border\n" << nest;
}

TEST(Nests, TailsArePeeled) {
  // 7 = 2 * 3 + 1: a loop over whole tiles, and one shorter tile after it.
  const tensor::Kernel kernel = matmul(1, 7, 8, 5);
  const std::string even = nestOf(kernel, "out vector n 8 registers m 7 order g, n/8 | m/7 | k\n");
  const std::string uneven = nestOf(kernel, "out vector n 8 registers m 3 order g, n/8 | m/3 | k\n");
  EXPECT_EQ(occurrences(even, "for k"), 1U) << even;
  EXPECT_EQ(occurrences(uneven, "for k"), 2U) << uneven;
  EXPECT_NE(uneven.find(" in 0..2"), std::string::npos) << uneven;
  EXPECT_EQ(occurrences(uneven, " if "), 0U) << uneven;
}

TEST(Nests, PartialVectorsLoadAndStoreTheirLanesOnly) {
  const std::string nest = nestOf(matmul(1, 2, 13, 5), "out vector n 8 order g, m | n/8 | k\n");
  EXPECT_NE(nest.find("lanes 5"), std::string::npos) << nest;
}

// What random schedules found once.
TEST(Nests, ALoopThatMayBeSkippedInsideAnExpandedOne) {
  nestOf(convolution({.ic = 17, .oc = 6, .y = 7, .x = 6, .padding = 2, .dilation = 2}),
         "conv order y/2, oc/6, n, oc/2, x | y, oc | kx/3, ky/3, kx unroll ic\n");
}

TEST(Nests, AVectorisedReductionWithoutARegisterTile) {
  const std::string nest = nestOf(matmul(1, 3, 4, 21), "out vector k 8\n");
  EXPECT_NE(nest.find("horizontal add"), std::string::npos) << nest;
}

// ------------------------------------------------------------------------------------- rewrites by the generic path

/// Runs \p kernel as \p algorithm rewrites it, scheduled by default and as any other kernel, and compares with what the
/// interpreter says of it.
void expectSame(const tensor::Kernel &kernel, const std::string &algorithm, double allowance) {
  SCOPED_TRACE(tensor::print(kernel) + algorithm);
  const absl::StatusOr<tensor::Rewrite> rewrite = tensor::applyAlgorithm(kernel, algorithm);
  ASSERT_TRUE(rewrite.ok()) << rewrite.status();
  const tensor::Kernel &rewritten = rewrite->kernel;
  const std::vector<HostTensor> given = randomArguments(kernel, 5);
  const auto expected = tensor::interpretWithTolerance(kernel, given);
  ASSERT_TRUE(expected.ok()) << expected.status();
  const std::vector<HostTensor> arguments = argumentsOf(kernel, *rewrite, given);
  for (const char *text : {"llvm", "llvm -mcpu=haswell", "llvm -mcpu=x86-64"}) {
    const absl::StatusOr<TargetDescription> target = codegen::parseTarget(text);
    ASSERT_TRUE(target.ok());
    if (!hone::testing::canRun(*target)) continue;
    const Schedule composed = estimate::leastSchedule(kernel, *target, algorithm);
    ASSERT_EQ(schedule::legal(kernel, composed, *target).message(), "") << schedule::print(composed);
    const Schedule generic = estimate::leastSchedule(rewritten, *target);
    for (const bool isComposed : {true, false}) {
      SCOPED_TRACE(schedule::print(isComposed ? composed : generic));
      const auto got = isComposed ? hone::testing::execute(kernel, composed, *target, given, 2)
                                  : hone::testing::execute(rewritten, generic, *target, arguments, 2);
      ASSERT_TRUE(got.ok()) << got.status();
      for (size_t o = 0; o < got->size(); ++o) {
        tensor::Tolerance tolerance = expected->tolerances[o];
        for (double &t : tolerance) t = t * 4 + allowance;
        EXPECT_EQ(tensor::compare(expected->outputs[o], (*got)[o], tolerance), "") << text;
      }
    }
  }
}

// The part that the host asks for ends inside the dim; what lies behind it is the next part, not padding.
TEST(Nests, AnAttachedStageWritesNoMoreThanItsPart) {
  KernelBuilder b("attached");
  const int x = b.input("x", {240});
  const int y = b.output("y", {240});
  const int z = b.output("z", {240});
  b.begin("first", {parallel("i", 240)});
  b.put(exponential(b.get(x, {tensor::dim(0)})), y, {tensor::dim(0)});
  b.begin("second", {parallel("i", 240)});
  b.put(tensor::apply(ScalarOp::Sub, {b.get(y, {tensor::dim(0)}), b.get(x, {tensor::dim(0)})}), z, {tensor::dim(0)});
  nestOf(b.finish(), "first   at second i/2   vector i 4\nsecond   vector i 2   registers i 1   order i/2 | - | -\n");
}

// A dim of extent 1 that no index mentions: the store has room for one lane.
TEST(Nests, VectorsOverADimThatIsNotWrittenStoreOneLane) {
  KernelBuilder b("single");
  const int x = b.input("x", {1});
  const int y = b.output("y", {1});
  b.begin("out", {parallel("i", 1)});
  const tensor::Scalar divisor = tensor::cast(DType::F32, tensor::indexValue(tensor::dim(0) * -1 + 1));
  b.put(tensor::apply(ScalarOp::Div, {b.get(x, {tensor::constant(0)}), divisor}), y, {tensor::constant(0)});
  nestOf(b.finish(), "out   vector i 8   order i/8 | - | -\n");
}

// Loops over reduction dims among the tile loops: partial results wait in memory of the thread.
TEST(Nests, ReductionsAreCutIntoBlocks) {
  expectGolden("blocks", nestOf(matmul(1, 8, 16, 24), "out vector n 8 registers m 4 order g | k/8, n/8, m/4 | k\n"));
  const ConvolutionSize size = {.ic = 17, .oc = 6, .y = 7, .x = 6, .padding = 1};
  for (const char *lines : {
           "order - | ky, x, y | ic, kx",                    // several dims, scalars
           "order - | ic/4, y, x | ic, ky, kx",              // a short last block
           "order - | oc/4, y/2, ic/8, x, oc | ic, ky, kx",  // in several parts of the results
           "order - | y, ic/8, x, ic/4 | ky, kx, ic",        // blocks of blocks, within a row
           "vector oc 8 registers x 4 order oc/8 | ic/8, kx, y, x/4 | ky, ic",
           "vector ic 8 order oc | ky, y, x | kx, ic/8",  // partial results of folded lanes
           "vector ic 4 registers ic 2 order oc | ic/8, y, x | ky, kx",
           "vector kx 8 order - | ky, x, y, ic/2, kx/24 | - unroll kx, ky",
       })
    nestOf(convolution(size), absl::StrCat("conv ", lines, "\n"));
}

TEST(Nests, ABlockOfAllStepsIsNone) {
  const std::string nest = nestOf(matmul(1, 8, 16, 24), "out vector n 8 order - | k/24, g, m, n/8 | k\n");
  EXPECT_EQ(nest.find("partial"), std::string::npos) << nest;
}

// Padding is no reason to write blocks of a window out one by one: all rows lie inside them.
TEST(Nests, BlocksOfAWindowAreNotPeeled) {
  const ConvolutionSize size = {.ic = 3, .oc = 2, .y = 9, .x = 6, .kernel = 5, .padding = 2};
  const std::string nest = nestOf(convolution(size), "conv order - | ky/2, y, x | ic, ky, kx\n");
  EXPECT_NE(nest.find("for ky"), std::string::npos) << nest;
  EXPECT_EQ(nest.find("unrolled ky"), std::string::npos) << nest;
}

// What follows is computed once, from the whole sum.
TEST(Nests, WhatFollowsWaitsForTheLastBlock) {
  const std::string nest = nestOf(convolutionWithEpilogue(small()),
                                  "conv vector oc 8 registers x 4 order n, oc/8 | ic/4, y, x/4 | ic, ky, kx\n"
                                  "out at conv x/4\n");
  EXPECT_NE(nest.find("if"), std::string::npos) << nest;
}

TEST(Rewrites, WinogradComputesTheConvolution) {
  ConvolutionSize wide;  // blocks of tiles, and channels that fill vectors and end with a part of one
  wide.ic = 20, wide.oc = 40, wide.y = 29, wide.x = 37;
  ConvolutionSize flat;  // one row of tiles; two images; no padding
  flat.n = 2, flat.ic = 16, flat.oc = 17, flat.y = 5, flat.x = 150, flat.padding = 0;
  for (const int64_t tile : {2, 4}) {
    for (const ConvolutionSize &size : {small(), wide, flat}) {
      // Its transforms add rounding of their own: a few of float's last digits, times F(4, 3)'s factors of up to 64.
      const double allowance = 36 * 1.2e-7 * (tile == 4 ? 64 : 8);
      const std::string algorithm = absl::StrCat("winograd ", tile, " 3");
      expectSame(convolution(size), algorithm, allowance);
      tensor::Kernel kernel = convolutionWithEpilogue(size);
      expectSame(kernel, algorithm, allowance);
      for (tensor::Buffer &buffer : kernel.buffers)
        if (buffer.shape.size() == 4 && buffer.role != tensor::BufferRole::Parameter)
          buffer.layout = tensor::Layout::blocked(buffer.shape, 1, 16);
      expectSame(tensor::collapseDims(kernel), algorithm, allowance);
    }
  }
}

// The table of docs/performance.md: the largest error of layers with that many input channels, as a part of the largest
// output, against sums in double.
// A host that walks through the points asks for one of them at a time; the transform of the data computes them all.
TEST(Rewrites, ATupleIsWholeInTheScratchOfWhoeverAsksForAPart) {
  const absl::StatusOr<Schedule> schedule = schedule::parse(
      "algorithm winograd 2 3\nconv_v   at conv_m a\nconv_m   order a, n | b, oc, y_tile, x_tile | ic\nconv\n");
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  EXPECT_EQ(hone::testing::checkAgainstInterpreter(convolution({}), *schedule, codegen::hostTarget(), 3), "");
}

TEST(Rewrites, WinogradsErrorStaysSmall) {
  const absl::StatusOr<TargetDescription> target = codegen::parseTarget("llvm");
  ASSERT_TRUE(target.ok());
  for (const int64_t channels : {64, 128, 256, 512}) {
    ConvolutionSize size;
    size.ic = channels, size.oc = 16, size.y = size.x = 14;
    const tensor::Kernel kernel = convolution(size);
    const std::vector<HostTensor> arguments = randomArguments(kernel, static_cast<uint64_t>(channels));
    const auto exact = tensor::interpret(kernel, arguments);
    ASSERT_TRUE(exact.ok()) << exact.status();
    double largest = 0;
    for (int64_t i = 0; i < exact->front().elements(); ++i)
      largest = std::max(largest, std::fabs(exact->front().real(i)));
    std::cout << channels << " channels:";
    for (const auto &[algorithm, bound] : {std::pair{"direct", 3e-6}, {"winograd 2 3", 1e-5}, {"winograd 4 3", 1e-4}}) {
      const auto got =
          hone::testing::execute(kernel, estimate::leastSchedule(kernel, *target, algorithm), *target, arguments, 1);
      ASSERT_TRUE(got.ok()) << got.status();
      double error = 0;
      for (int64_t i = 0; i < exact->front().elements(); ++i)
        error = std::max(error, std::fabs(got->front().real(i) - exact->front().real(i)));
      std::cout << "  " << algorithm << " " << error / largest;
      EXPECT_LE(error, bound * largest) << algorithm;
    }
    std::cout << "\n";
  }
}

TEST(Rewrites, SplitReductionsGiveTheSameSums) {
  for (const int64_t parts : {2, 4, 8}) expectSame(matmul(1, 5, 9, 64), absl::StrCat("split out k ", parts), 0);
}

}  // namespace
}  // namespace hone::loop
