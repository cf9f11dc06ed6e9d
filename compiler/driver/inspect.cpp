#include "compiler/driver/inspect.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "compiler/driver/schedules_file.h"
#include "text/printable.h"

namespace hone::driver {

namespace {

using absl::StrAppend;
using absl::StrCat;
using text::printable;

std::string bytesText(int64_t bytes) {
  if (bytes >= 1 << 20) return absl::StrFormat("%.2f MiB", static_cast<double>(bytes) / (1 << 20));
  if (bytes >= 1 << 10) return absl::StrFormat("%.2f KiB", static_cast<double>(bytes) / (1 << 10));
  return StrCat(bytes, " B");
}

std::string namesText(const std::vector<std::string> &names) { return printable(absl::StrJoin(names, ", ")); }

std::string tensorText(const artifact::TensorDescription &tensor) {
  if (tensor.isExtent) return "";
  std::vector<std::string> dims;
  for (size_t dim = 0; dim < tensor.shape.size(); ++dim) {
    const bool isBound = dim < tensor.extents.size() && tensor.extents[dim] >= 0;
    dims.push_back(StrCat(isBound ? "<=" : "", tensor.shape[dim]));
  }
  return StrCat("  ", printable(tensor.name), "  ", std::string(name(tensor.dtype)), "[", absl::StrJoin(dims, ","),
                "]\n");
}

std::string targetText(const TargetDescription &target) {
  return StrCat("target    ", target.triple, "  cpu ", target.cpu, "  ", target.lanes(), " lanes of float32, ",
                target.vectorRegisters, " vector registers, ", target.cores, target.cores == 1 ? " core" : " cores",
                "\n          caches ", bytesText(target.l1Bytes), ", ", bytesText(target.l2Bytes), ", ",
                bytesText(target.l3Bytes), "\n");
}

std::string bufferName(const artifact::ArtifactDescription &description, int buffer) {
  return printable(description.buffers[static_cast<size_t>(buffer)].name);
}

std::string callsText(const artifact::ArtifactDescription &description) {
  std::string text = StrCat("calls     ", description.calls.size(), ", of ", description.kernels.size(), " kernels\n");
  size_t width = 0;
  for (const auto &call : description.calls) width = std::max(width, call.name.size());
  const auto appendConditions = [&](const std::vector<artifact::CallCondition> &conditions) {
    for (const artifact::CallCondition &condition : conditions)
      StrAppend(&text, condition.isTrue ? "  if " : "  unless ", bufferName(description, condition.buffer));
    text += '\n';
  };
  for (size_t i = 0; i < description.calls.size(); ++i) {
    const artifact::CallDescription &call = description.calls[i];
    for (const artifact::LoopDescription &loop : description.loops) {
      if (loop.first != static_cast<int64_t>(i)) continue;
      StrAppend(&text, "  the next ", loop.count, loop.count == 1 ? " call" : " calls", " again while ",
                bufferName(description, loop.condition));
      appendConditions(loop.conditions);
    }
    text += absl::StrFormat("  %-*s  kernel %3d  %9.3f MFLOP  %s", static_cast<int>(width), call.name, call.kernel,
                            static_cast<double>(call.flops) * 1e-6, namesText(call.nodes));
    appendConditions(call.conditions);
  }
  return text;
}

std::string kernelsText(const artifact::ArtifactDescription &description) {
  std::string text = "kernels\n";
  for (size_t i = 0; i < description.kernels.size(); ++i) {
    const artifact::KernelDescription &kernel = description.kernels[i];
    StrAppend(&text, "  ", i, "  ", kernel.name, kernel.task.empty() ? "" : StrCat("  task ", kernel.task), "\n");
    if (kernel.estimate)
      StrAppend(&text, "       estimate ", kernel.estimate->cycles, " cycles with ", kernel.estimate->threads,
                kernel.estimate->threads == 1 ? " thread" : " threads", ", limit ", printable(kernel.estimate->limit),
                "\n");
    std::string_view rest = kernel.schedule;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      StrAppend(&text, "       ", std::string(rest.substr(0, end)), "\n");
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return text;
}

}  // namespace

std::string inspectText(const artifact::Artifact &artifact) {
  const artifact::ArtifactDescription &description = artifact.description;
  std::string text = StrCat("module    ", printable(description.name), "  (hone ", description.compilerVersion,
                            ", ABI ", artifact.abiVersion, ")\n", targetText(description.target), "needs     ",
                            absl::StrJoin(description.requiredFeatures, " "), "\ninputs\n");
  for (const auto &tensor : description.inputs) text += tensorText(tensor);
  text += "outputs\n";
  for (const auto &tensor : description.outputs) text += tensorText(tensor);
  StrAppend(&text, "memory    arena ", bytesText(description.arenaBytes), ", parameters ",
            bytesText(static_cast<int64_t>(artifact.parameterBytes.size())), ", code ",
            bytesText(static_cast<int64_t>(artifact.moduleBytes.size())), "\n");
  StrAppend(&text, "identity  ", artifact.identity, "\n  mod.so      sha256 ", artifact.moduleSha256,
            "\n  mod.params  sha256 ", artifact.parameterSha256, "\n");
  for (const auto &[key, value] : description.provenance) StrAppend(&text, "  ", key, " ", printable(value), "\n");
  return text + callsText(description) + kernelsText(description);
}

std::string inspectJson(const artifact::Artifact &artifact) {
  nlohmann::ordered_json json;
  json["identity"] = artifact.identity;
  json["members"]["mod.so"] = {{"bytes", artifact.moduleBytes.size()}, {"sha256", artifact.moduleSha256}};
  json["members"]["mod.json"] = {{"bytes", artifact.json.size()}, {"sha256", artifact.identity}};
  json["members"]["mod.params"] = {{"bytes", artifact.parameterBytes.size()}, {"sha256", artifact.parameterSha256}};
  // readArtifact has parsed it: it is well-formed.
  json["mod"] = nlohmann::ordered_json::parse(artifact.json);
  return json.dump(2) + "\n";
}

std::string inspectSchedules(const artifact::Artifact &artifact) {
  const artifact::ArtifactDescription &description = artifact.description;
  std::string text;
  for (const artifact::CallDescription &call : description.calls) {
    if (!text.empty()) text += '\n';
    if (!call.nodes.empty()) StrAppend(&text, "# ", namesText(call.nodes), "\n");
    text += schedulesFileSection(call.name, description.kernels[static_cast<size_t>(call.kernel)].schedule);
  }
  return text;
}

std::string inspectTaskSchedules(const artifact::Artifact &artifact) {
  std::string text;
  std::set<std::string> seen;
  for (const artifact::KernelDescription &kernel : artifact.description.kernels) {
    // One task may have several schedules, where a person gave them by name.
    if (kernel.task.empty() || !seen.insert(kernel.task).second) continue;
    StrAppend(&text, text.empty() ? "" : "\n", "# ", kernel.name, "\n", taskSection(kernel.task, kernel.taskSchedule));
  }
  return text;
}

}  // namespace hone::driver
