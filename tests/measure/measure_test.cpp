// Candidates that are wrong are found, the others are timed: with a clock of the test's own, so that a slow machine
// fails nothing.
#include "measure/measure.h"

#include <gtest/gtest.h>
#include <sched.h>

#include "absl/strings/match.h"
#include "compiler/codegen/codegen.h"
#include "compiler/estimate/least.h"
#include "tests/measure/tasks.h"
#include "tests/support/random_kernel.h"
#include "tests/support/random_schedule.h"
#include "tests/support/rounds.h"

namespace hone::measure {
namespace {

using driver::buildLibrary;
using driver::Library;
using schedule::Schedule;

const TargetDescription &host() {
  static const TargetDescription target = codegen::hostTarget();
  return target;
}

/// Each look at it is \p step later.
std::function<double()> steadily(double step) {
  return [now = 0.0, step]() mutable { return now += step; };
}

/// A clock that shows the sum of \p times so far at every second look: each run or turn takes the next of them.
std::function<double()> taking(std::vector<double> times) {
  return [times = std::move(times), now = 0.0, look = size_t{0}]() mutable {
    if (look++ % 2 == 1) now += times.at(look / 2 - 1);
    return now;
  };
}

MeasureOptions quick() {
  MeasureOptions options;
  options.clock = steadily(1e-3);
  options.rounds = 3;
  options.cacheBytes = 1 << 16;
  return options;
}

const std::string kPlain = "s0\ns1\n";
const std::string kPacked =
    "s0   vector d1 16   registers d0 2   order d0/2, d1/16 | - | d2   pack b1 [0/16][1][0%16]\ns1\n";

TEST(Measure, AWrongCandidateIsNoticedAndOthersAreTimed) {
  const schedule::Task task = productTask();
  auto measurement = Measurement::make(task, host());
  ASSERT_TRUE(measurement.ok()) << measurement.status();
  auto library = buildLibrary(task, {scheduleOf(kPlain), scheduleOf(kPacked)}, host());
  ASSERT_TRUE(library.ok()) << library.status();
  // The second one's code reads packed weights, and now gets others.
  library->candidates[1]->packed = library->candidates[0]->packed;
  const auto timings = measurement->run(*library, quick());
  ASSERT_TRUE(timings.ok()) << timings.status();
  EXPECT_TRUE((*timings)[0].ok()) << (*timings)[0].status();
  EXPECT_EQ((*timings)[1].status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(absl::StartsWith((*timings)[1].status().message(), "computes something else: output 'b2' is "))
      << (*timings)[1].status();
}

// Code of another task with the same buffers: what a defect of code generation would look like.
TEST(Measure, CodeThatComputesSomethingElseIsNoticed) {
  auto measurement = Measurement::make(productTask("2"), host());
  ASSERT_TRUE(measurement.ok()) << measurement.status();
  for (const auto &[scale, isRight] : {std::pair{"2", true}, {"2.01", false}, {"-2", false}}) {
    const auto library = buildLibrary(productTask(scale), {scheduleOf(kPlain), scheduleOf(kPacked)}, host());
    ASSERT_TRUE(library.ok()) << library.status();
    for (const int threads : {1, 2}) {
      MeasureOptions options = quick();
      options.threads = threads;
      const auto timings = measurement->run(*library, options);
      ASSERT_TRUE(timings.ok()) << timings.status();
      for (const auto &timing : *timings) EXPECT_EQ(timing.ok(), isRight) << scale << ": " << timing.status();
    }
  }
}

TEST(Measure, ALibraryOfAnotherTaskIsRefused) {
  auto measurement = Measurement::make(productTask(), host());
  ASSERT_TRUE(measurement.ok()) << measurement.status();
  const auto library = buildLibrary(convolutionTask(), {scheduleOf("s0\n")}, host());
  ASSERT_TRUE(library.ok()) << library.status();
  const auto timings = measurement->run(*library, quick());
  ASSERT_TRUE(timings.ok()) << timings.status();
  EXPECT_EQ((*timings)[0].status().code(), absl::StatusCode::kFailedPrecondition) << (*timings)[0].status();
  Library broken = *library;
  broken.bytes = "no library";
  EXPECT_EQ(measurement->run(broken, quick()).status().code(), absl::StatusCode::kFailedPrecondition);
  broken = *library;
  broken.candidates[0]->kernel = 1;
  EXPECT_EQ(measurement->run(broken, quick()).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Measure, IllegalSchedulesKeepTheirSentences) {
  const auto timings =
      measure(productTask(), {scheduleOf("s0   vector d7 8\ns1\n"), scheduleOf(kPlain)}, host(), quick());
  ASSERT_TRUE(timings.ok()) << timings.status();
  EXPECT_EQ((*timings)[0].status().message(), "schedule of stage 's0': vector dim 'd7' is not a dim of the stage");
  EXPECT_TRUE((*timings)[1].ok()) << (*timings)[1].status();
  const auto none = measure(productTask(), {scheduleOf("s0   vector d7 8\ns1\n")}, host(), quick());
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE((*none)[0].ok());
}

TEST(Measure, TwoAlgorithmsOfOneTaskColdAndHotInThreads) {
  const std::vector<Schedule> schedules = {scheduleOf("s0\n"), scheduleOf("s0_v\ns0_m\ns0\n", "winograd 4 3"),
                                           scheduleOf("s0_v\ns0_m\ns0\n", "winograd 2 3"),
                                           scheduleOf("s0_partial\ns0\n", "split s0 d3 2"),
                                           estimate::leastSchedule(convolutionTask().kernel(), host())};
  for (const int threads : {1, 2, 3}) {
    for (const bool cold : {false, true}) {
      MeasureOptions options = quick();
      options.threads = threads;
      options.cold = cold;
      const auto timings = measure(convolutionTask(), schedules, host(), options);
      ASSERT_TRUE(timings.ok()) << timings.status();
      for (const auto &timing : *timings) EXPECT_TRUE(timing.ok()) << timing.status();
    }
  }
}

// Turns of one run where a run takes longer than a turn, and as many runs as fit where it does not.
TEST(Measure, TimesAreTheClocks) {
  MeasureOptions options = quick();
  options.cold = false;
  options.rounds = 5;
  options.turnSeconds = 1e-4;
  const auto slow = measure(productTask(), {scheduleOf(kPlain)}, host(), options);
  ASSERT_TRUE(slow.ok() && (*slow)[0].ok());
  EXPECT_NEAR((*slow)[0]->minimum, 1e-3, 1e-9);
  EXPECT_NEAR((*slow)[0]->median, 1e-3, 1e-9);
  EXPECT_EQ((*slow)[0]->turns.size(), 5U);
  EXPECT_EQ((*slow)[0]->copies, 1);
  options.clock = steadily(1e-5);
  const auto fast = measure(productTask(), {scheduleOf(kPlain)}, host(), options);
  ASSERT_TRUE(fast.ok() && (*fast)[0].ok());
  EXPECT_NEAR((*fast)[0]->minimum, 1e-6, 1e-9);  // ten runs between two looks at the clock
}

TEST(Measure, TheLeastAndTheMedianAreOfTheTurns) {
  MeasureOptions options = quick();
  options.cold = false;
  options.rounds = 3;
  options.clock = taking({9, 5, 1, 3});  // the first is the warm-up's
  const auto timings = measure(productTask(), {scheduleOf(kPlain)}, host(), options);
  ASSERT_TRUE(timings.ok() && (*timings)[0].ok());
  EXPECT_EQ((*timings)[0]->minimum, 1);
  EXPECT_EQ((*timings)[0]->median, 3);
  EXPECT_EQ((*timings)[0]->turns, (std::vector<double>{5, 1, 3}));
}

TEST(Measure, WhoHasUsedItsTimeHasNoMoreThanThreeTurns) {
  MeasureOptions options = quick();
  options.rounds = 50;
  options.clock = steadily(1);
  const auto timings = measure(productTask(), {scheduleOf(kPlain), scheduleOf(kPacked)}, host(), options);
  ASSERT_TRUE(timings.ok());
  for (const auto &timing : *timings) EXPECT_EQ(timing->turns.size(), 3U);
}

TEST(Measure, WhoIsHopelesslySlowHasNoTurns) {
  MeasureOptions options = quick();
  options.rounds = 2;
  const std::vector<Schedule> schedules = {scheduleOf(kPlain), scheduleOf(kPacked)};
  // A first run of each, two more of the slow one, and two turns of the other.
  options.clock = taking({11, 2, 12, 10.5, 2, 3});
  const auto timings = measure(productTask(), schedules, host(), options);
  ASSERT_TRUE(timings.ok() && (*timings)[0].ok() && (*timings)[1].ok());
  EXPECT_EQ((*timings)[0]->turns, (std::vector<double>{10.5}));
  EXPECT_EQ((*timings)[1]->turns, (std::vector<double>{2, 3}));
}

TEST(Measure, WhoWasInterruptedOnceIsNotHopeless) {
  MeasureOptions options = quick();
  options.rounds = 1;
  options.clock = taking({11, 2, 4, 2, 2});
  const auto timings = measure(productTask(), {scheduleOf(kPlain), scheduleOf(kPacked)}, host(), options);
  ASSERT_TRUE(timings.ok() && (*timings)[0].ok() && (*timings)[1].ok());
  EXPECT_EQ((*timings)[0]->turns, (std::vector<double>{2}));
  EXPECT_EQ((*timings)[1]->turns, (std::vector<double>{2}));
}

TEST(Measure, ColdParametersAreMoreThanTheCacheAndNeverTwiceInATurn) {
  MeasureOptions options = quick();
  options.cacheBytes = 100 << 10;
  // A page of weights each: 13 copies of two are more than 100 KiB.
  options.clock = steadily(1e-9);
  const auto timings = measure(productTask(), {scheduleOf(kPlain), scheduleOf(kPacked)}, host(), options);
  ASSERT_TRUE(timings.ok()) << timings.status();
  for (const auto &timing : *timings) {
    ASSERT_TRUE(timing.ok()) << timing.status();
    EXPECT_EQ(timing->copies, 13);
    EXPECT_NEAR(timing->minimum, 1e-9 / 13, 1e-12);
  }
}

TEST(Measure, CandidatesWithTooManyParametersTakeTurnsInGroups) {
  MeasureOptions options = quick();
  options.memoryBytes = 1;
  const auto timings = measure(productTask(), {scheduleOf(kPlain), scheduleOf(kPacked)}, host(), options);
  ASSERT_TRUE(timings.ok()) << timings.status();
  for (const auto &timing : *timings) {
    ASSERT_TRUE(timing.ok()) << timing.status();
    EXPECT_EQ(timing->copies, 16);  // of one: 64 KiB of cache
  }
}

TEST(Measure, LeavesNoFilesAndTheCallersThreadUnpinned) {
  const TemporaryPlace place;
  cpu_set_t before, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  const long open = TemporaryPlace::openFiles();
  ASSERT_TRUE(measure(productTask(), {scheduleOf(kPlain)}, host(), quick()).ok());
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  EXPECT_TRUE(place.isEmpty());
  EXPECT_EQ(TemporaryPlace::openFiles(), open);
}

// Right candidates of any kernel must pass: the tolerances hold.
TEST(Measure, RandomSchedulesOfRandomKernelsComputeTheSame) {
  testing::inRounds(12, 400, [](testing::Random &random) {
    const tensor::Kernel kernel = tensor::testing::randomKernel(random.next());
    const auto task = schedule::Task::of(kernel);
    ASSERT_TRUE(task.ok()) << task.status();
    std::vector<Schedule> schedules;
    for (int i = 0; i < 4; ++i) schedules.push_back(testing::randomSchedule(task->kernel(), host(), random.next()));
    MeasureOptions options = quick();
    options.threads = static_cast<int>(random.between(1, 3));
    options.cold = random.chance(50);
    const auto timings = measure(*task, schedules, host(), options, random.next());
    ASSERT_TRUE(timings.ok()) << timings.status() << "\n" << task->text();
    for (size_t i = 0; i < timings->size(); ++i)
      EXPECT_TRUE((*timings)[i].ok()) << (*timings)[i].status() << "\n"
                                      << task->text() << schedule::print(schedules[i]);
  });
}

}  // namespace
}  // namespace hone::measure
