// Batches of candidates in one library: what fails fails alone, and equal batches are equal bytes.
#include "compiler/driver/library.h"

#include <gtest/gtest.h>

#include "compiler/codegen/codegen.h"
#include "compiler/estimate/least.h"
#include "compiler/loop/lower.h"
#include "tests/measure/tasks.h"

namespace hone::measure {
namespace {

using driver::buildLibrary;
using schedule::Schedule;

const TargetDescription &host() {
  static const TargetDescription target = codegen::hostTarget();
  return target;
}

const std::string kRows = "s0   registers d0 4   order d0/4 | - | d2\ns1\n";
const std::string kVectors = "s0   vector d1 8   registers d0 2, d1 2   order d0/2, d1/16 | - | d2\ns1\n";
const std::string kIllegal = "s0   vector d7 8\ns1\n";

TEST(CandidateLibrary, AnIllegalScheduleFailsAloneInTheWordsOfLegal) {
  const schedule::Task task = productTask();
  const Schedule illegal = scheduleOf(kIllegal);
  const auto library = buildLibrary(task, {scheduleOf(kRows), illegal, scheduleOf(kVectors)}, host());
  ASSERT_TRUE(library.ok()) << library.status();
  ASSERT_EQ(library->candidates.size(), 3U);
  ASSERT_TRUE(library->candidates[0].ok() && library->candidates[2].ok());
  EXPECT_EQ(library->candidates[0]->kernel, 0);
  EXPECT_EQ(library->candidates[2]->kernel, 1);
  EXPECT_EQ(library->candidates[1].status(), schedule::legal(task.kernel(), illegal, host()));
  EXPECT_EQ(library->candidates[1].status().message(),
            "schedule of stage 's0': vector dim 'd7' is not a dim of the stage");
}

TEST(CandidateLibrary, AnAlgorithmThatDoesNotFitFailsAlone) {
  const auto library = buildLibrary(productTask(), {scheduleOf("s0\ns1\n", "winograd 4 3"), scheduleOf(kRows)}, host());
  ASSERT_TRUE(library.ok()) << library.status();
  EXPECT_EQ(library->candidates[0].status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(library->candidates[1].ok());
}

TEST(CandidateLibrary, OfIllegalSchedulesAloneHasNoBytes) {
  const auto library = buildLibrary(productTask(), {scheduleOf(kIllegal), scheduleOf(kIllegal)}, host());
  ASSERT_TRUE(library.ok()) << library.status();
  EXPECT_TRUE(library->bytes.empty());
  EXPECT_FALSE(library->candidates[0].ok() || library->candidates[1].ok());
}

TEST(CandidateLibrary, OfNothingHasNoBytes) {
  const auto library = buildLibrary(productTask(), {}, host());
  ASSERT_TRUE(library.ok()) << library.status();
  EXPECT_TRUE(library->bytes.empty() && library->candidates.empty());
}

TEST(CandidateLibrary, SaysWhichCandidatesSpill) {
  const auto target = codegen::parseTarget("llvm -mcpu=x86-64 -mtriple=x86_64-linux-gnu");
  ASSERT_TRUE(target.ok()) << target.status();
  const std::string fits = "s0   vector d1 4   registers d0 2, d1 3   order d0/2, d1/12 | - | d2\ns1\n";
  const std::string spills = "s0   vector d1 4   registers d0 5, d1 3   order d0/5, d1/12 | - | d2\ns1\n";
  const auto library = buildLibrary(productTask(), {scheduleOf(fits), scheduleOf(spills)}, *target);
  ASSERT_TRUE(library.ok() && library->candidates[0].ok() && library->candidates[1].ok()) << library.status();
  EXPECT_EQ(library->candidates[0]->stackReferences.throughMemory, 0);
  // 15 sums leave one of 16 registers.
  EXPECT_GE(library->candidates[1]->stackReferences.throughMemory, 1);
  EXPECT_GE(library->candidates[1]->stackReferences.all, 2);
}

TEST(CandidateLibrary, EqualBatchesAreEqualBytesWhateverTheThreads) {
  const schedule::Task task = productTask();
  const std::vector<Schedule> schedules = {scheduleOf(kRows), scheduleOf(kIllegal), scheduleOf(kVectors),
                                           estimate::leastSchedule(task.kernel(), host())};
  const auto first = buildLibrary(task, schedules, host());
  ASSERT_TRUE(first.ok()) << first.status();
  for (const int threads : {1, 2, 5}) {
    const auto again = buildLibrary(task, schedules, host(), threads);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(first->bytes == again->bytes) << threads;
  }
}

// What LLVM keeps of one kernel must not show in the next.
TEST(CandidateLibrary, CodeDoesNotDependOnWhatWasCompiledBefore) {
  const schedule::Task task = productTask();
  const auto lowered = [&](const std::string &lines) {
    const Schedule schedule = scheduleOf(lines);
    return *loop::lower(schedule::applyPacks(task.kernel(), schedule), schedule);
  };
  auto compiler = codegen::KernelCompiler::make(host(), {});
  ASSERT_TRUE(compiler.ok()) << compiler.status();
  const auto alone = codegen::compileKernel(lowered(kVectors), "k", host(), {});
  ASSERT_TRUE(alone.ok() && compiler->compile(lowered(kRows), "k").ok());
  for (int i = 0; i < 2; ++i) {
    const auto after = compiler->compile(lowered(kVectors), "k");
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_TRUE(alone->object == after->object);
  }
}

TEST(CandidateLibrary, TakesTwoAlgorithmsOfOneTask) {
  const auto library = buildLibrary(convolutionTask(),
                                    {scheduleOf("s0\n"), scheduleOf("s0_v\ns0_m\ns0\n", "winograd 4 3"),
                                     scheduleOf("s0_partial\ns0\n", "split s0 d3 2")},
                                    host());
  ASSERT_TRUE(library.ok()) << library.status();
  for (const auto &candidate : library->candidates) ASSERT_TRUE(candidate.ok()) << candidate.status();
  EXPECT_TRUE(library->candidates[0]->rewrite.derived.empty());
  EXPECT_EQ(library->candidates[1]->rewrite.derived.size(), 1U);
  EXPECT_EQ(library->candidates[1]->packed.stages.size(), 3U);
  EXPECT_EQ(library->candidates[2]->packed.stages.size(), 2U);
}

TEST(CandidateLibrary, LeavesNoFiles) {
  const TemporaryPlace place;
  const long before = TemporaryPlace::openFiles();
  ASSERT_TRUE(buildLibrary(productTask(), {scheduleOf(kRows), scheduleOf(kVectors)}, host(), 2).ok());
  EXPECT_TRUE(place.isEmpty());
  EXPECT_EQ(TemporaryPlace::openFiles(), before);
}

}  // namespace
}  // namespace hone::measure
