// Every core op, with random shapes and dtypes, planned, compiled by its default and by a random legal schedule,
// against the interpreter.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <set>
#include <string>

#include "compiler/codegen/codegen.h"
#include "compiler/estimate/least.h"
#include "compiler/plan/plan.h"
#include "compiler/schedule/schedule.h"
#include "compiler/tensor/interpreter.h"
#include "tests/plan/random_graph.h"
#include "tests/support/arguments.h"
#include "tests/support/effort.h"
#include "tests/support/execute.h"
#include "tests/support/random_schedule.h"

namespace hone::plan {
namespace {

constexpr int kNodes = 6;
constexpr int kMostFailures = 4;
// Ops that random graphs must have held, so that a generator that forgets one shows; more graphs are made until they
// do.
constexpr size_t kCoreOps = 17;

// Whether the interpreter bounds at least one element of every output; a test without a bound could not fail.
bool isTelling(const tensor::Kernel &kernel, uint64_t seed) {
  auto result = tensor::interpretWithTolerance(kernel, tensor::testing::randomArguments(kernel, seed));
  return result.ok() && std::all_of(result->tolerances.begin(), result->tolerances.end(), [](const auto &tolerance) {
           return std::any_of(tolerance.begin(), tolerance.end(), [](double t) { return t < 1e300; });
         });
}

TEST(CompiledPlans, AgreeWithInterpreterForEveryCoreOp) {
  absl::StatusOr<TargetDescription> target = codegen::parseTarget("llvm");
  ASSERT_TRUE(target.ok()) << target.status();
  const uint64_t seed = testing::testSeed() * 1000;
  const auto graphs = static_cast<uint64_t>(testing::effort(40, 200));
  std::set<graph::Op> ops;
  int64_t compiled = 0;
  int failures = 0;
  auto isEnough = [&](uint64_t i) { return i >= graphs && (ops.size() == kCoreOps || i >= 4 * graphs); };
  for (uint64_t i = 0; !isEnough(i) && failures < kMostFailures; ++i) {
    const graph::Graph graph = randomGraph(seed + i, kNodes);
    for (const graph::Node &node : graph.nodes) ops.insert(node.op);
    absl::StatusOr<Plan> plan = makePlan(graph, *target);
    ASSERT_TRUE(plan.ok()) << plan.status() << "\n" << graph::print(graph);
    for (const PlanKernel &planned : plan->kernels) {
      if (!isTelling(planned.kernel, seed + i)) continue;
      for (const schedule::Schedule &schedule :
           {estimate::leastSchedule(planned.kernel, *target), testing::randomSchedule(planned.kernel, *target, i)}) {
        const std::string difference = testing::checkAgainstInterpreter(planned.kernel, schedule, *target, seed + i);
        EXPECT_EQ(difference, "") << "graph " << seed + i << ", kernel " << planned.kernel.name;
        failures += difference.empty() ? 0 : 1;
        ++compiled;
      }
    }
  }
  std::cout << compiled << " kernels of " << graphs << " graphs, " << ops.size() << " core ops\n";
  if (HasFailure()) return;
  EXPECT_EQ(ops.size(), kCoreOps);
}

// (1 + 2^-12)^2 is 1 + 2^-11 as a float and a bit more in a fused multiply-add: 0.5 is left, or the next number.
TEST(CompiledPlans, RoundEachOperationBeforeAStep) {
  absl::StatusOr<TargetDescription> target = codegen::parseTarget("llvm");
  ASSERT_TRUE(target.ok()) << target.status();
  for (const ScalarOp op : {ScalarOp::Add, ScalarOp::Sub}) {
    graph::Graph graph;
    const auto apply = [&](ScalarOp scalar, std::vector<graph::ValueId> inputs) {
      return graph.add(graph::Op::Elementwise, std::move(inputs), graph::ElementwiseAttributes{scalar}, "");
    };
    std::vector<graph::ValueId> inputs;
    for (const char *name : {"a", "b"}) {
      inputs.push_back(graph.addValue(name, {DType::F32, {40}}));
      graph.inputs.push_back({name, inputs.back()});
    }
    const graph::ValueId sum = apply(op, {apply(ScalarOp::Mul, {inputs[0], inputs[0]}), inputs[1]});
    graph.outputs.push_back({"y", apply(ScalarOp::Round, {apply(ScalarOp::Abs, {sum})})});
    absl::StatusOr<Plan> plan = makePlan(graph, *target);
    ASSERT_TRUE(plan.ok()) << plan.status();
    ASSERT_EQ(plan->kernels.size(), 1);
    const tensor::Kernel &kernel = plan->kernels[0].kernel;
    tensor::HostTensor a = tensor::HostTensor::zeros(DType::F32, {40}), b = a;
    const double other = -(1 + 0x1p-11) + 0.5;
    for (int64_t i = 0; i < 40; ++i) {
      a.setReal(i, 1 + 0x1p-12);
      b.setReal(i, op == ScalarOp::Add ? other : -other);
    }
    auto outputs = testing::execute(kernel, estimate::leastSchedule(kernel, *target), *target, {a, b}, 1);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    for (int64_t i = 0; i < 40; ++i) EXPECT_EQ((*outputs)[0].real(i), 0) << i;
  }
}

}  // namespace
}  // namespace hone::plan
