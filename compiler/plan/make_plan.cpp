// makePlan(): the steps of planning, in order.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/plan/group_emitter.h"
#include "compiler/plan/layout.h"
#include "compiler/plan/memory.h"
#include "compiler/plan/program.h"
#include "compiler/tensor/algorithms.h"

namespace hone::plan {
namespace {

/// Tensors without elements may be inputs, outputs and constants, but nothing is computed from them.
absl::Status checkExtents(const graph::Graph &graph) {
  const auto isEmpty = [&](graph::ValueId id) { return graph.values[static_cast<size_t>(id)].type.elements() == 0; };
  for (const graph::Node &node : graph.nodes) {
    if (!isEmpty(node.output) && std::none_of(node.inputs.begin(), node.inputs.end(), isEmpty)) continue;
    return absl::InternalError(absl::StrCat("node '", node.name, "' reads or gives a tensor without elements"));
  }
  return absl::OkStatus();
}

std::vector<PlanCondition> conditionsOf(const Program &program, const Guard &guard) {
  std::vector<PlanCondition> conditions;
  for (const Condition &condition : guard) {
    conditions.push_back({program.planned(condition.value).buffer, condition.isTrue});
  }
  return conditions;
}

/// \p loopOf: per kernel the loop in which it runs.
std::vector<PlanLoop> loopsOf(const Program &program, const std::vector<int> &loopOf) {
  std::multimap<size_t, PlanLoop> loops;  // by the first kernel; of those that begin together the outermost first
  // The loops are sorted by their ends: those around others come first on the way back.
  for (size_t i = program.loops.loops.size(); i-- > 0;) {
    const auto isWithin = [&](int loop) { return program.loops.isWithin(loop, static_cast<int>(i)); };
    const auto first = std::find_if(loopOf.begin(), loopOf.end(), isWithin);
    const int end = program.loops.loops[i].end;
    const graph::ValueId condition = program.graph.nodes[static_cast<size_t>(end)].inputs[0];
    const auto position = static_cast<size_t>(first - loopOf.begin());
    loops.emplace(
        position,
        PlanLoop{position, static_cast<size_t>(std::count_if(loopOf.begin(), loopOf.end(), isWithin)),
                 program.planned(condition).buffer, conditionsOf(program, program.guards[static_cast<size_t>(end)])});
  }
  std::vector<PlanLoop> sorted;
  for (auto &[position, loop] : loops) sorted.push_back(std::move(loop));
  return sorted;
}

}  // namespace

absl::StatusOr<Plan> makePlan(const graph::Graph &graph, const TargetDescription &target) {
  HONE_RETURN_IF_ERROR(checkExtents(graph));
  Program program = fuse(prepare(graph));
  chooseStorage(program);
  Plan plan;
  createBuffers(program, target.lanes(), plan);
  ParameterTable parameters;
  std::vector<int> loopOf;
  for (size_t g = 0; g < program.groups.size(); ++g) {
    GroupEmitter emitter(program, static_cast<int>(g), plan, parameters);
    std::optional<PlanKernel> kernel = emitter.run();
    if (!kernel) continue;
    if (std::string error = tensor::verify(kernel->kernel); !error.empty()) {
      return absl::InternalError(absl::StrCat("the plan made a bad kernel: ", error));
    }
    kernel->kernel = tensor::collapseDims(kernel->kernel);
    kernel->conditions = conditionsOf(program, program.groups[g].guard);
    plan.kernels.push_back(std::move(*kernel));
    loopOf.push_back(program.groups[g].loop);
  }
  plan.loops = loopsOf(program, loopOf);
  planMemory(plan);
  return plan;
}

}  // namespace hone::plan
