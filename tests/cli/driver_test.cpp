// The driver's own parts: schedules files, counting of operations, threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/codegen/codegen.h"
#include "compiler/driver/compile.h"
#include "compiler/driver/defaults.h"
#include "compiler/driver/flops.h"
#include "compiler/driver/kernels.h"
#include "compiler/driver/parallel.h"
#include "compiler/driver/schedules_file.h"
#include "compiler/estimate/least.h"
#include "compiler/loop/lower.h"
#include "compiler/schedule/schedule.h"
#include "tests/support/example_kernels.h"

namespace hone::driver {
namespace {

TEST(SchedulesFile, SectionsAreFoundAndKeepTheirLineNumbers) {
  const auto file = parseSchedulesFile(
      "# a comment\n\nkernel a  # another\nalgorithm direct\nkernel b\nalgorithm direct\nx   ofen\n");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->kernels.size(), 2U);
  EXPECT_TRUE(schedule::parse(file->kernels.at("a")).ok());
  const auto bad = schedule::parse(file->kernels.at("b"));
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.status().message().find("line 7"), absl::string_view::npos) << bad.status();
}

TEST(SchedulesFile, WhatIsPrintedIsReadBack) {
  const std::string schedule = "algorithm direct\ns   order a | b | -\n";
  const auto file =
      parseSchedulesFile(schedulesFileSection("first", schedule) + "\n" + schedulesFileSection("second", schedule));
  ASSERT_TRUE(file.ok()) << file.status();
  for (const char *name : {"first", "second"}) {
    const auto parsed = schedule::parse(file->kernels.at(name));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(schedule::print(*parsed), schedule);
  }
}

TEST(SchedulesFile, RefusesWhatBelongsToNoKernelOrToTwo) {
  for (const auto &[text, word] :
       std::vector<std::pair<std::string, std::string>>{{"algorithm direct\n", "line 1"},
                                                        {"kernel\n", "line 1"},
                                                        {"\nkernel a b\n", "line 2"},
                                                        {"kernel a\nkernel a\n", "already"},
                                                        {"task a\n", "line 1: expected a task's SHA-256"},
                                                        {"task " + std::string(64, 'A') + "\n", "lower-case"},
                                                        {"task\n", "expected 'task' and one name"}}) {
    const auto file = parseSchedulesFile(text);
    ASSERT_FALSE(file.ok()) << text;
    EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(file.status().message().find(word), absl::string_view::npos) << file.status();
  }
}

TEST(SchedulesFile, TasksAreApartFromKernels) {
  const std::string task(64, 'a'), schedule = "algorithm direct\ns   order a | b | -\n";
  const auto file = parseSchedulesFile(taskSection(task, schedule) + "\n" + schedulesFileSection(task, schedule));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->tasks.at(task), "\n" + schedule + "\n");
  EXPECT_EQ(file->kernels.count(task), 1U);
}

TEST(SchedulesFile, EmptyTextHasNoSections) {
  EXPECT_TRUE(parseSchedulesFile("")->kernels.empty());
  EXPECT_TRUE(parseSchedulesFile("")->tasks.empty());
}

// The algorithms that kernels get by default, of a model that has their weights and nothing else.
std::vector<std::string> chooseAlgorithms(const std::vector<tensor::Kernel> &kernels,
                                          const std::set<std::string> &disabled = {}, int64_t otherBytes = 0) {
  const absl::StatusOr<TargetDescription> target = codegen::parseTarget("llvm -mcpu=haswell");
  EXPECT_TRUE(target.ok()) << target.status();
  std::vector<schedule::Task> tasks;
  std::vector<const schedule::Task *> each;
  int64_t bytes = otherBytes;
  for (const tensor::Kernel &kernel : kernels) {
    tasks.push_back(*schedule::Task::of(kernel));
    for (const tensor::Buffer &buffer : kernel.buffers)
      if (buffer.role == tensor::BufferRole::Parameter) bytes += 4 * tensor::Layout::rowMajor(buffer.shape).elements();
  }
  for (const schedule::Task &task : tasks) each.push_back(&task);
  std::vector<std::string> algorithms;
  for (const Default &chosen : chooseDefaults(each, bytes, *target, disabled, 2)) {
    algorithms.push_back(chosen.schedule.algorithm);
    const bool isTransformed = chosen.schedule.algorithm.starts_with("winograd");
    EXPECT_TRUE(!isTransformed || chosen.alternatives.empty()) << "transforms spill whatever their schedule";
  }
  return algorithms;
}

std::vector<tensor::Kernel> convolutions(const std::vector<tensor::testing::ConvolutionSize> &sizes) {
  std::vector<tensor::Kernel> kernels;
  for (const tensor::testing::ConvolutionSize &size : sizes) {
    kernels.push_back(tensor::testing::convolution(size));
    // Channels in blocks, as a plan lays them.
    for (tensor::Buffer &buffer : kernels.back().buffers) {
      const int64_t channels = buffer.shape[1];
      if (buffer.role == tensor::BufferRole::Parameter || channels % 8 != 0) continue;
      buffer.layout.axes = {
          {0, 1, buffer.shape[0]}, {1, 8, channels / 8}, {2, 1, buffer.shape[2]}, {3, 1, buffer.shape[3]}, {1, 1, 8}};
    }
  }
  return kernels;
}

// A wide image with few channels, and two small ones with many, whose weights are nearly all there are.
TEST(Algorithms, LetTheParametersGrowByABoundedPart) {
  const tensor::testing::ConvolutionSize wide{.ic = 64, .oc = 64, .y = 56, .x = 56},
      deep{.ic = 256, .oc = 256, .y = 28, .x = 28};
  const std::vector<tensor::Kernel> kernels = convolutions({wide, deep, deep});
  const auto enlarged = [&](int64_t otherBytes) {
    const std::vector<std::string> chosen = chooseAlgorithms(kernels, {}, otherBytes);
    EXPECT_EQ(chosen[0], "winograd 4 3");
    return std::count(chosen.begin(), chosen.end(), "winograd 4 3");
  };
  EXPECT_EQ(enlarged(0), 1);
  // Of 20 MB, 11 may be added: 0.4 for the first, and 7 for one of the others.
  EXPECT_EQ(enlarged(15 << 20), 2);
  EXPECT_EQ(enlarged(64 << 20), 3);
  EXPECT_EQ(chooseAlgorithms(kernels, {"winograd"}), (std::vector<std::string>{"direct", "direct", "direct"}));
}

TEST(Algorithms, LeaveAloneWhatGainsNothing) {
  // Strides, windows that are not 3 x 3, and channels that fill no vector.
  const std::vector<std::string> chosen =
      chooseAlgorithms(convolutions({{.ic = 64, .oc = 64, .y = 56, .x = 56, .stride = 2},
                                     {.ic = 64, .oc = 64, .y = 56, .x = 56, .kernel = 5, .padding = 2},
                                     {.ic = 3, .oc = 64, .y = 56, .x = 56}}));
  EXPECT_EQ(chosen, (std::vector<std::string>{"direct", "direct", "direct"}));
}

// Whole numbers in float32 add up exactly, which whoever rounds them back counts on.
TEST(Algorithms, LeaveQuantisedValuesAlone) {
  std::vector<tensor::Kernel> kernels =
      convolutions({{.ic = 64, .oc = 64, .y = 56, .x = 56}, {.ic = 64, .oc = 64, .y = 56, .x = 56}});
  tensor::TensorOp &op = kernels[1].stages[0];
  kernels[1].buffers[0].dtype = DType::U8;
  op.body = {tensor::apply(ScalarOp::Mul,
                           {tensor::cast(DType::F32, tensor::read(0, DType::U8)), tensor::read(1, DType::F32)})};
  ASSERT_EQ(tensor::verify(kernels[1]), "");
  EXPECT_EQ(chooseAlgorithms(kernels, {}, 64 << 20), (std::vector<std::string>{"winograd 4 3", "direct"}));
}

// Sums of elements that lie apart: 3600 of them would be rounded 3600 times, or 60 and 60 times.
TEST(Algorithms, SplitLongSums) {
  const auto algorithmOf = [](int64_t length) {
    const absl::StatusOr<tensor::Kernel> sum =
        tensor::parse(absl::StrCat("kernel mean\ninput x f32[", length, ",48]\noutput y f32[48]\ns(c 48; reduce p ",
                                   length, ") : f32\n    = sum x[p, c]\n    -> y[c]\n"));
    EXPECT_TRUE(sum.ok()) << sum.status();
    return chooseAlgorithms({*sum})[0];
  };
  EXPECT_TRUE(absl::StartsWith(algorithmOf(3600), "split s0 d1 ")) << algorithmOf(3600);
  EXPECT_EQ(algorithmOf(1024), "direct");
  EXPECT_EQ(algorithmOf(1031), "direct") << "a prime number has no parts";
}

// What is tried where a default spills is hardly slower by the estimate.
TEST(Algorithms, HaveAlternativesThatAreHardlySlower) {
  const absl::StatusOr<TargetDescription> target = codegen::parseTarget("llvm -mcpu=haswell");
  ASSERT_TRUE(target.ok()) << target.status();
  size_t kept = 0, met = 0;
  for (const int64_t rows : {3, 16, 50, 64}) {
    const schedule::Task task = *schedule::Task::of(tensor::testing::matmul(1, rows, 96, 256));
    const Default chosen = chooseDefaults({&task}, 0, *target, {}, 1)[0];
    met += estimate::leastOfTiles(schedule::Space(task.kernel(), *target, {"direct"}), *target, 4).size() - 1;
    kept += chosen.alternatives.size();
    for (const schedule::Schedule &alternative : chosen.alternatives) {
      const auto nest = loop::lower(schedule::applyPacks(task.kernel(), alternative), alternative);
      ASSERT_TRUE(nest.ok()) << nest.status();
      EXPECT_LE(estimate::estimate(*nest, task.kernel(), *target).total, 1.05 * chosen.cycles);
    }
  }
  EXPECT_GT(kept, 0U);
  EXPECT_LT(kept, met);
}

// Products of 16 x 32 by 32 x 64 for 16 registers of four: 16 sums leave none for what is multiplied, 8 do.
class Spills : public testing::Test {
 protected:
  static std::string tile(int rows, int vectors) {
    return absl::StrCat("algorithm direct\nout   vector n 4   registers m ", rows, ", n ", vectors, "   order g, n/",
                        4 * vectors, " | m/", rows, " | k\n");
  }

  Spills() {
    plan_.buffers.resize(3);
    for (const char *name : {"first", "second"}) {
      plan::PlanKernel kernel;
      kernel.kernel = tensor::testing::matmul(1, 16, 64, 32);
      kernel.kernel.name = name;
      kernel.arguments = {0, 1, 2};
      plan_.kernels.push_back(std::move(kernel));
    }
  }

  // As the driver goes, with what a person gave for both kernels.
  std::vector<KernelState> lowered(const std::string &given) {
    SchedulesFile file;
    if (!given.empty()) file.kernels = {{"first", given}, {"second", given}};
    absl::StatusOr<std::vector<KernelState>> kernels = scheduleKernels(plan_, target_, file, {}, {});
    EXPECT_TRUE(kernels.ok()) << kernels.status();
    deriveParameters(*kernels, plan_);
    EXPECT_TRUE(lowerKernels(*kernels, {}).ok());
    return *std::move(kernels);
  }

  // What the tile of the first kernel, and of the second, is in the end.
  std::vector<std::string> compiled(std::vector<KernelState> kernels) {
    const std::vector<int> units = uniteEqual(kernels);
    EXPECT_EQ(units.size(), 1U);
    const auto code = compileUnits(kernels, units, target_, {}, {});
    EXPECT_TRUE(code.ok()) << code.status();
    goesThroughMemory_ = code->at(0).stackReferences.throughMemory > 0;
    std::vector<std::string> texts;
    for (const KernelState &kernel : kernels) {
      EXPECT_EQ(loop::print(kernel.loops), loop::print(*loop::lower(kernel.packed, kernel.schedule)));
      EXPECT_EQ(schedule::print(kernel.task.fromTask(*schedule::parse(kernel.taskScheduleText))), kernel.scheduleText);
      texts.push_back(kernel.scheduleText);
    }
    return texts;
  }

  plan::Plan plan_;
  const TargetDescription target_ = *codegen::parseTarget("llvm -mcpu=x86-64 -mtriple=x86_64-linux-gnu");
  bool goesThroughMemory_ = false;
};

TEST_F(Spills, LeaveWhatAPersonGaveAlone) {
  const std::vector<KernelState> kernels = lowered(tile(4, 4));
  EXPECT_TRUE(kernels[0].alternatives.empty());
  EXPECT_EQ(compiled(kernels), std::vector<std::string>(2, kernels[0].scheduleText));
  EXPECT_TRUE(goesThroughMemory_);
}

TEST_F(Spills, LetTheFirstAlternativeThatDoesNotTakeTheirPlace) {
  const std::string fits = lowered(tile(2, 4))[0].taskScheduleText, spills = lowered(tile(8, 2))[0].taskScheduleText;
  std::vector<KernelState> kernels = lowered(tile(4, 4));
  for (KernelState &kernel : kernels) kernel.alternatives = {*schedule::parse(spills), *schedule::parse(fits)};
  EXPECT_EQ(compiled(kernels), std::vector<std::string>(2, lowered(tile(2, 4))[0].scheduleText));
  EXPECT_FALSE(goesThroughMemory_);
}

TEST_F(Spills, StayWhereNothingElseDoesBetter) {
  const std::string spills = lowered(tile(8, 2))[0].taskScheduleText;
  std::vector<KernelState> kernels = lowered(tile(4, 4));
  for (KernelState &kernel : kernels) kernel.alternatives = {*schedule::parse(spills)};
  EXPECT_EQ(compiled(kernels), std::vector<std::string>(2, kernels[0].scheduleText));
  EXPECT_TRUE(goesThroughMemory_);
}

TEST_F(Spills, AreNotOfDefaultSchedules) {
  const std::vector<KernelState> kernels = lowered("");
  EXPECT_LE(kernels[0].alternatives.size(), 3U);
  const std::vector<std::string> once = compiled(kernels);
  EXPECT_FALSE(goesThroughMemory_) << once[0];
  EXPECT_EQ(compiled(kernels), once);
}

// A matrix product of 3x4 by 4x5 and an exponential of it: 2*3*4*5 + 15.
TEST(Flops, CountsProductsTwiceAndElementwiseOnce) {
  tensor::Kernel kernel;
  tensor::TensorOp product;
  product.dims = {{"m", 3}, {"n", 5}, {"k", 4, tensor::DimKind::Reduction}};
  product.body = {tensor::apply(ScalarOp::Mul, {tensor::read(0, DType::F32), tensor::read(1, DType::F32)})};
  product.combiner.kind = tensor::CombinerKind::Sum;
  tensor::TensorOp exponential;
  exponential.dims = {{"m", 3}, {"n", 5}};
  exponential.body = {tensor::apply(ScalarOp::Exp, {tensor::read(0, DType::F32)})};
  tensor::TensorOp integers = exponential;
  integers.body = {tensor::apply(ScalarOp::Add, {tensor::read(0, DType::I64), tensor::read(0, DType::I64)})};
  kernel.stages = {product, exponential, integers};
  EXPECT_EQ(countFlops(kernel), 2 * 3 * 4 * 5 + 15);
}

TEST(ParallelFor, CallsEachNumberOnceWhateverTheThreads) {
  for (const int threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> calls(100);
    parallelFor(100, threads, [&](int i) { ++calls[static_cast<size_t>(i)]; });
    for (const auto &count : calls) EXPECT_EQ(count, 1);
  }
  parallelFor(0, 4, [](int) { FAIL(); });
}

TEST(Names, PhasesAndDumpsAreReadBack) {
  for (const Phase phase : kPhases) EXPECT_EQ(parsePhase(name(phase)), phase);
  for (const Dump dump : kDumps) EXPECT_EQ(parseDump(name(dump)), dump);
  EXPECT_EQ(parsePhase("nothing"), std::nullopt);
  EXPECT_EQ(parseDump(""), std::nullopt);
}

}  // namespace
}  // namespace hone::driver
