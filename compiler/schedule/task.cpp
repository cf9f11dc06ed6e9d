#include "compiler/schedule/task.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/tensor/algorithms.h"

namespace hone::schedule {
namespace {

std::string lookUp(const std::map<std::string, std::string> &names, const std::string &name) {
  const auto found = names.find(name);
  return found == names.end() ? name : found->second;
}

}  // namespace

absl::StatusOr<Task> Task::of(const tensor::Kernel &kernel) {
  const tensor::OrderedKernel ordered = tensor::orderDims(kernel);
  const tensor::Kernel canonical = tensor::canonical(ordered.kernel);
  Task task;
  task.text_ = tensor::print(canonical);
  absl::StatusOr<tensor::Kernel> parsed = tensor::parse(task.text_);
  if (!parsed.ok() || tensor::print(*parsed) != task.text_) {
    return absl::InternalError(absl::StrCat("the text of a task does not read back: ",
                                            parsed.ok() ? "it becomes another one" : parsed.status().message()));
  }
  task.kernel_ = *std::move(parsed);
  const auto add = [&task](auto Naming::*names, const std::string &before, const std::string &after) {
    (task.toTask_.*names)[before] = after;
    (task.fromTask_.*names)[after] = before;
  };
  for (size_t s = 0; s < kernel.stages.size(); ++s) {
    const tensor::TensorOp &before = ordered.kernel.stages[s], &after = canonical.stages[s];
    add(&Naming::stages, before.name, after.name);
    for (size_t d = 0; d < before.dims.size(); ++d) {
      task.toTask_.dims[before.name][before.dims[d].name] = after.dims[d].name;
      task.fromTask_.dims[after.name][after.dims[d].name] = before.dims[d].name;
    }
  }
  for (size_t b = 0; b < kernel.buffers.size(); ++b) {
    const std::string &before = kernel.buffers[b].name, &after = canonical.buffers[b].name;
    add(&Naming::buffers, before, after);
    const std::vector<int> &old = ordered.bufferDims[b];
    std::vector<int> inverse(old.size());
    for (size_t i = 0; i < old.size(); ++i) inverse[static_cast<size_t>(old[i])] = static_cast<int>(i);
    task.toTask_.bufferDims[before] = std::move(inverse);
    task.fromTask_.bufferDims[after] = old;
  }
  return task;
}

Schedule Task::toTask(const Schedule &schedule) const { return renamed(schedule, toTask_); }
Schedule Task::fromTask(const Schedule &schedule) const { return renamed(schedule, fromTask_); }

Schedule Task::renamed(const Schedule &schedule, const Naming &naming) {
  static const std::map<std::string, std::string> kNone;
  const auto dimsOf = [&naming](const std::string &stage) -> const std::map<std::string, std::string> & {
    const auto found = naming.dims.find(stage);
    return found == naming.dims.end() ? kNone : found->second;
  };
  Schedule result = schedule;
  for (StageSchedule &stage : result.stages) {
    const std::map<std::string, std::string> &dims = dimsOf(stage.stage);
    if (stage.at) {
      stage.at->loop.dim = lookUp(dimsOf(stage.at->stage), stage.at->loop.dim);
      stage.at->stage = lookUp(naming.stages, stage.at->stage);
    }
    if (!stage.vectorDim.empty()) stage.vectorDim = lookUp(dims, stage.vectorDim);
    for (RegisterTile &tile : stage.registers) tile.dim = lookUp(dims, tile.dim);
    for (std::vector<Loop> *loops : {&stage.parallel, &stage.tile, &stage.reduction})
      for (Loop &loop : *loops) loop.dim = lookUp(dims, loop.dim);
    for (std::string &dim : stage.unroll) dim = lookUp(dims, dim);
    for (Pack &pack : stage.packs) {
      const auto order = naming.bufferDims.find(pack.buffer);
      for (tensor::LayoutAxis &axis : pack.layout.axes) {
        if (order == naming.bufferDims.end() || static_cast<size_t>(axis.dim) >= order->second.size()) continue;
        axis.dim = order->second[static_cast<size_t>(axis.dim)];
      }
      pack.buffer = lookUp(naming.buffers, pack.buffer);
    }
    stage.stage = lookUp(naming.stages, stage.stage);
  }
  return result;
}

}  // namespace hone::schedule
