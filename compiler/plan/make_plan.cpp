// makePlan(): the steps of planning, in order.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/plan/group_emitter.h"
#include "compiler/plan/layout.h"
#include "compiler/plan/long_sums.h"
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

}  // namespace

absl::StatusOr<Plan> makePlan(const graph::Graph &graph, const TargetDescription &target) {
  HONE_RETURN_IF_ERROR(checkExtents(graph));
  Program program = fuse(prepare(graph));
  chooseStorage(program);
  Plan plan;
  createBuffers(program, target.lanes(), plan);
  ParameterTable parameters;
  for (size_t g = 0; g < program.groups.size(); ++g) {
    GroupEmitter emitter(program, static_cast<int>(g), target.lanes(), plan, parameters);
    std::optional<PlanKernel> kernel = emitter.run();
    if (!kernel) continue;
    if (std::string error = tensor::verify(kernel->kernel); !error.empty()) {
      return absl::InternalError(absl::StrCat("the plan made a bad kernel: ", error));
    }
    kernel->kernel = cutLongSum(tensor::collapseDims(kernel->kernel));
    for (const Condition &condition : program.groups[g].guard) {
      kernel->conditions.push_back({program.bufferOf[static_cast<size_t>(condition.value)], condition.isTrue});
    }
    plan.kernels.push_back(std::move(*kernel));
  }
  planMemory(plan);
  return plan;
}

}  // namespace hone::plan
