// Every example kernel, compiled by its default schedule for every kind of target, against the interpreter.
#include "tests/support/execute.h"

#include <gtest/gtest.h>

#include <iostream>

#include "compiler/estimate/least.h"
#include "compiler/codegen/codegen.h"
#include "tests/support/example_kernels.h"

namespace hone::testing {
namespace {

class DefaultSchedule : public ::testing::TestWithParam<const char *> {};

TEST_P(DefaultSchedule, AgreesWithInterpreter) {
  absl::StatusOr<TargetDescription> target = codegen::parseTarget(GetParam());
  ASSERT_TRUE(target.ok()) << target.status();
  if (!canRun(*target)) GTEST_SKIP() << "this machine cannot run code for " << GetParam();
  for (const tensor::Kernel &kernel : tensor::testing::exampleKernels()) {
    schedule::Schedule schedule = estimate::leastSchedule(kernel, *target);
    EXPECT_EQ(checkAgainstInterpreter(kernel, schedule, *target, 1), "") << kernel.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, DefaultSchedule,
                         ::testing::Values("llvm", "llvm -mcpu=skylake-avx512", "llvm -mcpu=haswell",
                                           "llvm -mcpu=x86-64"));

}  // namespace
}  // namespace hone::testing
