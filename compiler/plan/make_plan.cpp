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

absl::Status checkExtents(const graph::Graph &graph) {
  const auto isOutput = [&](const graph::Value &value) {
    return std::any_of(graph.outputs.begin(), graph.outputs.end(), [&](const graph::Port &port) {
      return &graph.values[static_cast<size_t>(port.value)] == &value;
    });
  };
  for (const graph::Value &value : graph.values) {
    for (int64_t extent : value.type.shape) {
      // Constants without elements are read by nothing; results would have to be there.
      if (extent > 0 || (value.constant != nullptr && !isOutput(value))) continue;
      return absl::UnimplementedError(
          absl::StrCat("value '", value.name, "' has an extent of 0; give input shapes for which no tensor is empty"));
    }
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
    plan.kernels.push_back(std::move(*kernel));
  }
  planMemory(plan);
  return plan;
}

}  // namespace hone::plan
