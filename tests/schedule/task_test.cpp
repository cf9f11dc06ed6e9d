// Tasks: names and the order of dims do not matter, and schedules go to the task and come back.
#include "compiler/schedule/task.h"

#include <gtest/gtest.h>

#include <utility>

#include "compiler/estimate/least.h"
#include "compiler/tensor/algorithms.h"
#include "tests/support/example_kernels.h"
#include "tests/support/random_kernel.h"
#include "tests/support/random_schedule.h"
#include "tests/support/rounds.h"

namespace hone::schedule {
namespace {

using namespace tensor::testing;

TargetDescription wideTarget() {
  TargetDescription target;
  target.triple = "x86_64-pc-linux-gnu";
  target.vectorBytes = 64;
  target.vectorRegisters = 32;
  target.cores = 2;
  return target;
}

Task taskOf(const tensor::Kernel &kernel) {
  absl::StatusOr<Task> task = Task::of(kernel);
  EXPECT_TRUE(task.ok()) << task.status().message() << tensor::print(kernel);
  return *std::move(task);
}

void expectTravels(const tensor::Kernel &kernel, const Task &task, const Schedule &schedule) {
  SCOPED_TRACE(tensor::print(kernel) + print(schedule) + task.text());
  ASSERT_EQ(legal(kernel, schedule, wideTarget()).message(), "");
  const Schedule there = task.toTask(schedule);
  EXPECT_EQ(legal(task.kernel(), there, wideTarget()).message(), "") << print(there);
  EXPECT_EQ(print(task.fromTask(there)), print(schedule));
}

TEST(Task, TakesSchedulesAndGivesThemBack) {
  hone::testing::Random random(hone::testing::testSeed());
  for (const tensor::Kernel &example : exampleKernels()) {
    for (const tensor::Kernel &kernel : {example, tensor::collapseDims(example)}) {
      const Task task = taskOf(kernel);
      expectTravels(kernel, task, estimate::leastSchedule(kernel, wideTarget()));
      for (int i = 0; i < 20; ++i)
        expectTravels(kernel, task, hone::testing::randomSchedule(kernel, wideTarget(), random.next()));
    }
  }
}

TEST(Task, TakesRandomSchedulesOfRandomKernels) {
  hone::testing::inRounds(300, 10000, [](hone::testing::Random &random) {
    const tensor::Kernel kernel = randomKernel(random.next());
    const Task task = taskOf(kernel);
    expectTravels(kernel, task, estimate::leastSchedule(kernel, wideTarget()));
    expectTravels(kernel, task, hone::testing::randomSchedule(kernel, wideTarget(), random.next()));
  });
}

TEST(Task, HasNoNamesOfTheModel) {
  const tensor::Kernel kernel = convolutionWithEpilogue({});
  tensor::Kernel renamed = kernel;
  renamed.name = "other";
  for (tensor::Buffer &buffer : renamed.buffers) buffer.name += "_2";
  for (tensor::TensorOp &op : renamed.stages) {
    op.name += "_2";
    for (tensor::Dim &dim : op.dims) dim.name += "_2";
  }
  EXPECT_EQ(taskOf(renamed).text(), taskOf(kernel).text());
  // A schedule of one is a schedule of the other.
  const Schedule moved = taskOf(renamed).fromTask(taskOf(kernel).toTask(estimate::leastSchedule(kernel, wideTarget())));
  EXPECT_EQ(print(moved), print(estimate::leastSchedule(renamed, wideTarget())));
  EXPECT_NE(taskOf(convolutionWithEpilogue({.ic = 5})).text(), taskOf(kernel).text());
}

// On images whose channels lie innermost, pixels are rows; weights lie as a matrix does.
TEST(Task, APointwiseConvolutionIsTheEqualMatmul) {
  ConvolutionSize size;
  size.kernel = 1, size.padding = 0, size.ic = 32, size.oc = 48, size.y = 5, size.x = 4;
  tensor::Kernel convolved = convolution(size);
  for (tensor::Buffer &buffer : convolved.buffers) {
    std::vector<tensor::LayoutAxis> &axes = buffer.layout.axes;
    if (buffer.role == tensor::BufferRole::Parameter)
      std::swap(axes[0], axes[1]);
    else
      std::rotate(axes.begin() + 1, axes.begin() + 2, axes.end());
  }
  const Task one = taskOf(tensor::collapseDims(convolved));
  tensor::Kernel product = tensor::collapseDims(matmul(1, 20, 48, 32));
  const Task other = taskOf(product);
  EXPECT_EQ(one.text(), other.text());
  const Schedule schedule = estimate::leastSchedule(product, wideTarget());
  EXPECT_EQ(legal(tensor::collapseDims(convolved), one.fromTask(other.toTask(schedule)), wideTarget()).message(), "");
  // Channels in front are other places in memory.
  EXPECT_NE(taskOf(tensor::collapseDims(convolution(size))).text(), other.text());
}

TEST(Task, LeavesNamesThatThereAreNotToWhoJudges) {
  const tensor::Kernel kernel = matmul(1, 4, 48, 8);
  const Task task = taskOf(kernel);
  const absl::StatusOr<Schedule> schedule =
      parse("algorithm direct\nnobody   at nowhere x/7   vector q 16   registers r 2   unroll u   pack w [7][0]\n");
  ASSERT_TRUE(schedule.ok());
  EXPECT_EQ(print(task.toTask(*schedule)), print(*schedule));
  EXPECT_FALSE(legal(task.kernel(), *schedule, wideTarget()).ok());
}

}  // namespace
}  // namespace hone::schedule
