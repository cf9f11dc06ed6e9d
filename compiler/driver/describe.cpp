#include "compiler/driver/describe.h"

#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/driver/flops.h"
#include "compiler/estimate/estimate.h"

namespace hone::driver {

namespace {

artifact::BufferKind kindOf(plan::Place place) {
  switch (place) {
    case plan::Place::Input:
      return artifact::BufferKind::Input;
    case plan::Place::Output:
      return artifact::BufferKind::Output;
    case plan::Place::Arena:
      return artifact::BufferKind::Arena;
    case plan::Place::Parameter:
      return artifact::BufferKind::Parameter;
  }
  return artifact::BufferKind::Arena;
}

artifact::BufferDescription describeBuffer(const plan::PlanBuffer &buffer) {
  artifact::BufferDescription description;
  description.kind = kindOf(buffer.place);
  description.offset = buffer.place == plan::Place::Arena ? buffer.offset : 0;
  description.bytes = buffer.bytes;
  description.dtype = buffer.dtype;
  description.shape = buffer.shape;
  description.layout = buffer.layout.text();
  description.name = buffer.name;
  return description;
}

// Three digits, which is more than the model knows: what two compilers of hone round differently in the last place must
// not show in the artifact.
int64_t rounded(double cycles) {
  const double unit = cycles < 1000 ? 1 : std::pow(10, std::floor(std::log10(cycles)) - 2);
  return std::llround(cycles / unit) * std::llround(unit);
}

artifact::KernelEstimate estimateOf(const KernelState &state, const TargetDescription &target) {
  const estimate::Cycles cycles = estimate::estimate(state.loops, state.packed, target);
  return {rounded(cycles.total), std::string(cycles.limit()), target.cores};
}

class Describer {
 public:
  Describer(const plan::Plan &plan, artifact::ArtifactDescription &out) : plan_(plan), out_(out) {}

  /// Inputs and outputs: each has a buffer whether a kernel uses it or not.
  void addInterface(const graph::Graph &graph) {
    addPorts(graph.inputs, plan_.inputs, out_.inputs);
    addPorts(graph.outputs, plan_.outputs, out_.outputs);
    if (!graph.indexChecks) return;
    out_.indexChecks.emplace();
    for (const graph::IndexCheck &check : *graph.indexChecks)
      out_.indexChecks->push_back({check.node, check.op, check.axis, check.count, check.example, check.extent});
  }

  absl::Status addCall(const KernelState &state) {
    artifact::CallDescription call;
    call.kernel = state.unit;
    call.name = state.planned->kernel.name;
    call.nodes = state.planned->nodes;
    call.flops = countFlops(state.planned->kernel);
    size_t argument = 0;
    for (const tensor::Buffer &buffer : state.packed.buffers) {
      if (buffer.role == tensor::BufferRole::Temporary) continue;
      HONE_ASSIGN_OR_RETURN(int position, bufferFor(state.arguments.at(argument++), buffer));
      call.arguments.push_back(position);
    }
    call.conditions = describeConditions(state.planned->conditions);
    out_.calls.push_back(std::move(call));
    return absl::OkStatus();
  }

  void addLoop(const plan::PlanLoop &loop) {
    out_.loops.push_back({static_cast<int64_t>(loop.first), static_cast<int64_t>(loop.count), bufferOf(loop.condition),
                          describeConditions(loop.conditions)});
  }

  ParameterFile takeParameters() { return std::move(parameters_); }

 private:
  int bufferOf(int planned) {
    return add({planned, ""}, describeBuffer(plan_.buffers.at(static_cast<size_t>(planned))));
  }

  std::vector<artifact::CallCondition> describeConditions(const std::vector<plan::PlanCondition> &conditions) {
    std::vector<artifact::CallCondition> described;
    for (const plan::PlanCondition &condition : conditions)
      described.push_back({bufferOf(condition.buffer), condition.isTrue});
    return described;
  }

  void addPorts(const std::vector<graph::Port> &ports, const std::vector<int> &buffers,
                std::vector<artifact::TensorDescription> &tensors) {
    for (size_t i = 0; i < buffers.size(); ++i) {
      const plan::PlanBuffer &buffer = plan_.buffers[static_cast<size_t>(buffers[i])];
      tensors.push_back({ports[i].name, buffer.dtype, buffer.shape, ports[i].extents, ports[i].isExtent});
      artifact::BufferDescription description = describeBuffer(buffer);
      description.index = static_cast<int64_t>(i);
      add({buffers[i], ""}, std::move(description));
    }
  }

  int add(std::pair<int, std::string> key, artifact::BufferDescription description) {
    const auto [entry, isNew] = known_.try_emplace(std::move(key), static_cast<int>(out_.buffers.size()));
    if (isNew) out_.buffers.push_back(std::move(description));
    return entry->second;
  }

  // A parameter lies in memory as the kernel that reads it wants; two kernels may want it differently.
  absl::StatusOr<int> bufferFor(int planned, const tensor::Buffer &view) {
    const plan::PlanBuffer &buffer = plan_.buffers[static_cast<size_t>(planned)];
    if (buffer.place != plan::Place::Parameter) return add({planned, ""}, describeBuffer(buffer));
    // The text leaves out the extent of the outermost axes: with the shape, it is complete.
    std::string layout = view.layout.text();
    const std::pair<int, std::string> key{planned, absl::StrCat(layout, " of ", absl::StrJoin(view.shape, ","))};
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
    int64_t elements = 1;
    for (int64_t extent : view.shape) elements *= extent;
    if (buffer.constant == nullptr || elements != buffer.constant->type.elements())
      return absl::InternalError(absl::StrCat("parameter '", buffer.name, "' has no data of ", elements, " elements"));
    artifact::BufferDescription description = describeBuffer(buffer);
    std::tie(description.offset, description.bytes) =
        parameters_.place({buffer.constant, view.dtype, view.shape, view.layout});
    description.shape = view.shape;
    description.layout = std::move(layout);
    return add(key, std::move(description));
  }

  const plan::Plan &plan_;
  artifact::ArtifactDescription &out_;
  ParameterFile parameters_;
  std::map<std::pair<int, std::string>, int> known_;  // by plan buffer and layout (parameters)
};

}  // namespace

absl::StatusOr<PackedModel> describe(const graph::Graph &graph, const plan::Plan &plan,
                                     const std::vector<KernelState> &kernels, const std::vector<int> &units,
                                     const CompileOptions &options) {
  PackedModel model;
  artifact::ArtifactDescription &description = model.description;
  description.name = options.moduleName;
  description.compilerVersion = std::string(kVersion);
  description.target = options.target;
  description.requiredFeatures = artifact::requiredFeatures(options.target);
  description.arenaBytes = plan.arenaBytes;
  for (int first : units) {
    const KernelState &state = kernels[static_cast<size_t>(first)];
    description.kernels.push_back({state.planned->kernel.name, state.scheduleText, state.taskHash,
                                   state.taskScheduleText, estimateOf(state, options.target)});
  }
  Describer describer(plan, description);
  describer.addInterface(graph);
  for (const KernelState &state : kernels) HONE_RETURN_IF_ERROR(describer.addCall(state));
  for (const plan::PlanLoop &loop : plan.loops) describer.addLoop(loop);
  model.parameters = describer.takeParameters();
  return model;
}

std::vector<codegen::ModuleKernel> moduleTable(const std::vector<KernelState> &kernels, const std::vector<int> &units) {
  std::vector<codegen::ModuleKernel> table;
  for (size_t unit = 0; unit < units.size(); ++unit) {
    const KernelState &state = kernels[static_cast<size_t>(units[unit])];
    codegen::ModuleKernel kernel;
    kernel.name = state.planned->kernel.name;
    kernel.symbol = unitSymbol(static_cast<int>(unit));
    kernel.bufferCount = static_cast<int>(state.arguments.size());
    kernel.sharedScratchBytes = state.loops.sharedScratchBytes;
    for (const loop::Phase &phase : state.loops.phases) kernel.phases.push_back({phase.extent, phase.scratchBytes});
    table.push_back(std::move(kernel));
  }
  return table;
}

}  // namespace hone::driver
