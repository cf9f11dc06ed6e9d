#include "compiler/schedule/task.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "compiler/tensor/algorithms.h"

namespace hone::schedule {
namespace {

/// The name that an algorithm derived from one that has another name on this side: "conv_v" where "conv" is "s0", and
/// "conv_partial_" of the second element of a tuple.
std::string lookUp(const std::map<std::string, std::string> &names, const std::string &name) {
  if (const auto found = names.find(name); found != names.end()) return found->second;
  for (size_t end = name.rfind('_'); end != std::string::npos && end > 0; end = name.rfind('_', end - 1))
    if (const auto base = names.find(name.substr(0, end)); base != names.end()) return base->second + name.substr(end);
  return name;
}

/// By dim of the buffer: the dim that the stage that writes it has there; empty where there is none.
std::vector<std::string> writtenDims(const tensor::Kernel &kernel, const std::string &buffer) {
  std::vector<std::string> dims;
  for (const tensor::TensorOp &op : kernel.stages) {
    for (const tensor::Access &write : op.writes) {
      if (!dims.empty() || kernel.buffers[static_cast<size_t>(write.buffer)].name != buffer) continue;
      for (const tensor::Index &index : write.indices) {
        const bool isDim = index->kind == tensor::IndexKind::Dim;
        dims.push_back(isDim ? op.dims[static_cast<size_t>(index->value)].name : "");
      }
    }
  }
  return dims;
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
  task.toTask_.from = task.fromTask_.to = kernel;
  task.fromTask_.from = task.toTask_.to = task.kernel_;
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
    for (std::vector<Pack> *packs : {&stage.packs, &stage.stores}) {
      for (Pack &pack : *packs) {
        const std::vector<int> there = dimsOf(pack.buffer, schedule.algorithm, naming);
        for (tensor::LayoutAxis &axis : pack.layout.axes)
          if (static_cast<size_t>(axis.dim) < there.size()) axis.dim = there[static_cast<size_t>(axis.dim)];
        pack.buffer = bufferOf(pack.buffer, naming);
      }
    }
    for (Prefetch &prefetch : stage.prefetches) prefetch.buffer = bufferOf(prefetch.buffer, naming);
    stage.stage = lookUp(naming.stages, stage.stage);
  }
  return result;
}

// A buffer that an algorithm adds is called after its stage.
std::string Task::bufferOf(const std::string &buffer, const Naming &naming) {
  return lookUp(naming.buffers.contains(buffer) ? naming.buffers : naming.stages, buffer);
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
  return dimsOfTemporary(buffer, rewrite->kernel, algorithm, naming);
}

// Of a temporary that the algorithm adds: a dim is where the dim of the stage that writes it is, and places that are
// none (the elements of a tuple) keep their order.
std::vector<int> Task::dimsOfTemporary(const std::string &buffer, const tensor::Kernel &kernel,
                                       const std::string &algorithm, const Naming &naming) {
  const absl::StatusOr<tensor::Rewrite> other = tensor::applyAlgorithm(naming.to, renamedAlgorithm(algorithm, naming));
  if (!other.ok()) return {};
  const std::vector<std::string> here = writtenDims(kernel, buffer);
  std::vector<std::string> there = writtenDims(other->kernel, bufferOf(buffer, naming));
  std::vector<int> positions;
  for (const std::string &name : here) {
    const auto found = std::find(there.begin(), there.end(), name.empty() ? name : lookUp(naming.dims, name));
    if (found == there.end()) return {};
    positions.push_back(static_cast<int>(found - there.begin()));
    *found = "?";  // taken
  }
  return positions;
}

}  // namespace hone::schedule
