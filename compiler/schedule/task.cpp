#include "compiler/schedule/task.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "compiler/tensor/algorithms.h"

namespace hone::schedule {
namespace {

/// The name that an algorithm derived from one that has another name on this side: "conv_v" where "conv" is "s0".
std::string lookUp(const std::map<std::string, std::string> &names, const std::string &name) {
  if (const auto found = names.find(name); found != names.end()) return found->second;
  const size_t end = name.rfind('_');
  const auto base = end == std::string::npos ? names.end() : names.find(name.substr(0, end));
  return base == names.end() ? name : base->second + name.substr(end);
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
  task.toTask_.from = kernel;
  task.fromTask_.from = task.kernel_;
  const auto add = [&task](auto Naming::*names, const std::string &before, const std::string &after) {
    (task.toTask_.*names)[before] = after;
    (task.fromTask_.*names)[after] = before;
  };
  for (size_t s = 0; s < kernel.stages.size(); ++s) {
    const tensor::TensorOp &before = ordered.kernel.stages[s], &after = canonical.stages[s];
    add(&Naming::stages, before.name, after.name);
    for (size_t d = 0; d < before.dims.size(); ++d) add(&Naming::dims, before.dims[d].name, after.dims[d].name);
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
  Schedule result = schedule;
  result.algorithm = renamedAlgorithm(schedule.algorithm, naming);
  for (StageSchedule &stage : result.stages) {
    if (stage.at) {
      stage.at->loop.dim = lookUp(naming.dims, stage.at->loop.dim);
      stage.at->stage = lookUp(naming.stages, stage.at->stage);
    }
    if (!stage.vectorDim.empty()) stage.vectorDim = lookUp(naming.dims, stage.vectorDim);
    for (RegisterTile &tile : stage.registers) tile.dim = lookUp(naming.dims, tile.dim);
    for (std::vector<Loop> *loops : {&stage.parallel, &stage.tile, &stage.reduction})
      for (Loop &loop : *loops) loop.dim = lookUp(naming.dims, loop.dim);
    for (std::string &dim : stage.unroll) dim = lookUp(naming.dims, dim);
    for (Pack &pack : stage.packs) {
      const std::vector<int> there = dimsOf(pack.buffer, schedule.algorithm, naming);
      for (tensor::LayoutAxis &axis : pack.layout.axes)
        if (static_cast<size_t>(axis.dim) < there.size()) axis.dim = there[static_cast<size_t>(axis.dim)];
      // A buffer that an algorithm adds is called after its stage.
      const bool isOld = naming.buffers.contains(pack.buffer);
      pack.buffer = lookUp(isOld ? naming.buffers : naming.stages, pack.buffer);
    }
    stage.stage = lookUp(naming.stages, stage.stage);
  }
  return result;
}

// Names in "split STAGE DIM PARTS".
std::string Task::renamedAlgorithm(const std::string &algorithm, const Naming &naming) {
  std::vector<std::string> words = absl::StrSplit(algorithm, ' ');
  if (words.size() < 3 || words[0] != "split") return algorithm;
  words[1] = lookUp(naming.stages, words[1]);
  words[2] = lookUp(naming.dims, words[2]);
  return absl::StrJoin(words, " ");
}

// Where the dims of a buffer are on the other side; empty for a buffer that there is not.
std::vector<int> Task::dimsOf(const std::string &buffer, const std::string &algorithm, const Naming &naming) {
  if (const auto known = naming.bufferDims.find(buffer); known != naming.bufferDims.end()) return known->second;
  const absl::StatusOr<tensor::Rewrite> rewrite = tensor::applyAlgorithm(naming.from, algorithm);
  if (!rewrite.ok()) return {};
  for (const tensor::DerivedParameter &derived : rewrite->derived) {
    if (rewrite->kernel.buffers[static_cast<size_t>(derived.buffer)].name != buffer) continue;
    const std::vector<int> &source =
        naming.bufferDims.at(naming.from.buffers[static_cast<size_t>(derived.source)].name);
    // Two dims of points, then those of the weights but the taps, in the weights' order on either side.
    std::vector<int> kept;
    for (size_t k = 0; k < source.size(); ++k)
      if (k != derived.transform.y && k != derived.transform.x) kept.push_back(source[k]);
    std::vector<int> there = {0, 1};
    for (const int dim : kept) {
      const auto before = std::count_if(kept.begin(), kept.end(), [dim](int other) { return other < dim; });
      there.push_back(2 + static_cast<int>(before));
    }
    return there;
  }
  return {};
}

}  // namespace hone::schedule
