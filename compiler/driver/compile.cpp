#include "compiler/driver/compile.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/artifact/artifact.h"
#include "compiler/artifact/digest.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/driver/describe.h"
#include "compiler/driver/kernels.h"
#include "compiler/driver/parallel.h"
#include "compiler/driver/schedules_file.h"
#include "compiler/estimate/estimate.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/pipeline.h"
#include "compiler/plan/plan.h"

namespace hone::driver {

namespace {

struct PhaseName {
  Phase phase;
  std::string_view name;
};
constexpr PhaseName kPhaseNames[] = {
    {Phase::Import, "import"},     {Phase::Graph, "graph"}, {Phase::Plan, "plan"},
    {Phase::Schedule, "schedule"}, {Phase::Loops, "loops"}, {Phase::Codegen, "codegen"},
    {Phase::Artifact, "artifact"},
};

struct DumpName {
  Dump dump;
  std::string_view name;
};
constexpr DumpName kDumpNames[] = {{Dump::Graph, "graph"}, {Dump::Plan, "plan"},         {Dump::Tasks, "tasks"},
                                   {Dump::Loops, "loops"}, {Dump::Estimate, "estimate"}, {Dump::LlvmIr, "ll"},
                                   {Dump::Assembly, "asm"}};

// The lowest optimisation level at which a graph pass runs; passes that are not listed always run, as do
// the plan's own transformations.
struct PassLevel {
  std::string_view pass;
  int level;
};
constexpr PassLevel kPassLevels[] = {
    {"simplify", 1},          {"common-subexpressions", 1}, {"fold-scales", 2},
    {"recognize-softmax", 3}, {"recognize-layer-norm", 3},
};

absl::Status checkPasses(const std::vector<std::string> &names, bool allowAll) {
  const std::vector<std::string> known = graph::passNames();
  for (const std::string &name : names) {
    if ((allowAll && name == "all") || std::find(known.begin(), known.end(), name) != known.end()) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("unknown pass '", name, "'; passes are ", absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

absl::Status checkAlgorithms(const std::vector<std::string> &names) {
  for (const std::string &name : names)
    if (name != "winograd")
      return absl::FailedPreconditionError(
          absl::StrCat("unknown algorithm '", name, "'; winograd is the one that can be left out"));
  return absl::OkStatus();
}

// One compilation: what the phases hand on, and the funnel through which each of them goes.
class Compilation {
 public:
  Compilation(std::string_view model, const CompileOptions &options) : model_(model), options_(options) {
    threads_ = options.threads > 0 ? options.threads : availableCpus();
  }

  absl::StatusOr<CompileResult> run() {
    const std::pair<Phase, absl::Status (Compilation::*)()> steps[] = {
        {Phase::Import, &Compilation::import},     {Phase::Graph, &Compilation::passes},
        {Phase::Plan, &Compilation::plan},         {Phase::Schedule, &Compilation::schedule},
        {Phase::Loops, &Compilation::loops},       {Phase::Codegen, &Compilation::codegen},
        {Phase::Artifact, &Compilation::artifact},
    };
    for (const auto &[phase, step] : steps) {
      report(phase, 0, 0);
      const auto start = std::chrono::steady_clock::now();
      const size_t place = result_.timings.size();
      HONE_RETURN_IF_ERROR((this->*step)());
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      result_.timings.insert(result_.timings.begin() + static_cast<std::ptrdiff_t>(place),
                             Timing{std::string(name(phase)), false, taken.count()});
      if (options_.stopAfter != phase) continue;
      result_.printed += textAfter(phase);
      break;
    }
    return std::move(result_);
  }

 private:
  absl::Status import() {
    HONE_RETURN_IF_ERROR(checkPasses(options_.disabledPasses, false));
    HONE_RETURN_IF_ERROR(checkPasses(options_.printAfter, true));
    HONE_RETURN_IF_ERROR(checkAlgorithms(options_.disabledAlgorithms));
    HONE_ASSIGN_OR_RETURN(given_, parseSchedulesFile(options_.schedules));
    frontend::ImportOptions options;
    options.inputShapes = options_.inputShapes;
    options.boundInputs = options_.boundInputs;
    options.dataFiles = options_.dataFiles;
    options.checkIndices = options_.checkIndices;
    HONE_ASSIGN_OR_RETURN(graph_, frontend::importModel(model_, options));
    return absl::OkStatus();
  }

  absl::Status passes() {
    graph::PassOptions options;
    options.disabled = {options_.disabledPasses.begin(), options_.disabledPasses.end()};
    for (const PassLevel &entry : kPassLevels)
      if (options_.optLevel < entry.level) options.disabled.emplace(entry.pass);
    options.printAfter = {options_.printAfter.begin(), options_.printAfter.end()};
    options.print = [this](const std::string &pass, const std::string &text) {
      absl::StrAppend(&result_.printed, "# after ", pass, "\n", text);
    };
    HONE_ASSIGN_OR_RETURN(const std::vector<graph::PassTiming> timings, graph::runPasses(graph_, options));
    for (const graph::PassTiming &timing : timings) result_.timings.push_back({timing.name, true, timing.seconds});
    if (wants(Dump::Graph)) result_.dumps[Dump::Graph] = graph::print(graph_);
    return absl::OkStatus();
  }

  absl::Status plan() {
    HONE_ASSIGN_OR_RETURN(plan_, plan::makePlan(graph_, options_.target));
    nameBuffersByRole(plan_);
    if (wants(Dump::Plan)) result_.dumps[Dump::Plan] = plan::print(plan_);
    return absl::OkStatus();
  }

  absl::Status schedule() {
    const std::set<std::string> disabled(options_.disabledAlgorithms.begin(), options_.disabledAlgorithms.end());
    HONE_ASSIGN_OR_RETURN(kernels_, scheduleKernels(plan_, options_.target, given_, disabled, crew(Phase::Schedule)));
    deriveParameters(kernels_, plan_);
    for (const std::string &task : unusedTasks(kernels_, given_))
      result_.notes.push_back(absl::StrCat("no kernel of the model is task ", task, " of the schedules file"));
    if (wants(Dump::Tasks)) result_.dumps[Dump::Tasks] = tasksText();
    return absl::OkStatus();
  }

  absl::Status loops() {
    HONE_RETURN_IF_ERROR(lowerKernels(kernels_, crew(Phase::Loops)));
    dumpLoops();
    return absl::OkStatus();
  }

  absl::Status codegen() {
    units_ = uniteEqual(kernels_);
    codegen::Options options;
    options.keepIr = wants(Dump::LlvmIr);
    options.keepAssembly = wants(Dump::Assembly) || options_.stopAfter == Phase::Codegen;
    HONE_ASSIGN_OR_RETURN(compiled_, compileUnits(kernels_, units_, options_.target, options, crew(Phase::Codegen)));
    // Again: schedules that spilled have been given up.
    dumpLoops();
    if (wants(Dump::LlvmIr)) result_.dumps[Dump::LlvmIr] = codeText(&codegen::CompiledKernel::llvmIr, ';');
    if (wants(Dump::Assembly)) result_.dumps[Dump::Assembly] = codeText(&codegen::CompiledKernel::assembly, '#');
    return absl::OkStatus();
  }

  absl::Status artifact() {
    std::vector<std::string> objects;
    for (codegen::CompiledKernel &unit : compiled_) objects.push_back(std::move(unit.object));
    HONE_ASSIGN_OR_RETURN(std::string module,
                          codegen::linkModule(objects, moduleTable(kernels_, units_), options_.target));
    HONE_ASSIGN_OR_RETURN(PackedModel packed, describe(graph_, plan_, kernels_, units_, options_));
    packed.description.provenance["model_sha256"] = artifact::sha256(model_);
    const artifact::ByteSink inMemory = [this](std::string_view piece) {
      result_.artifact.append(piece);
      return absl::OkStatus();
    };
    return artifact::writeArtifact(packed.description, module, packed.parameters.content(),
                                   options_.artifact ? options_.artifact : inMemory);
  }

  void dumpLoops() {
    if (wants(Dump::Loops)) result_.dumps[Dump::Loops] = loopsText();
    if (wants(Dump::Estimate)) result_.dumps[Dump::Estimate] = estimateText();
  }

  bool wants(Dump dump) const {
    return std::find(options_.dumps.begin(), options_.dumps.end(), dump) != options_.dumps.end();
  }

  void report(Phase phase, int done, int total) const {
    if (options_.progress) options_.progress({phase, done, total});
  }

  Crew crew(Phase phase) const {
    return {threads_, [this, phase](int done, int total) { report(phase, done, total); }};
  }

  std::string schedulesText() const {
    std::string text;
    for (const KernelState &kernel : kernels_)
      absl::StrAppend(&text, text.empty() ? "" : "\n",
                      schedulesFileSection(kernel.planned->kernel.name, kernel.scheduleText));
    return text;
  }

  // Each task once, with the kernels that are it.
  std::string tasksText() const {
    std::map<std::string, std::vector<std::string>> names;
    for (const KernelState &kernel : kernels_) names[kernel.taskHash].push_back(kernel.planned->kernel.name);
    std::string text;
    for (const KernelState &kernel : kernels_) {
      const auto found = names.find(kernel.taskHash);
      if (found == names.end()) continue;
      absl::StrAppend(&text, text.empty() ? "" : "\n", "# task ", kernel.taskHash, "\n# of ",
                      absl::StrJoin(found->second, ", "), "\n", kernel.task.text());
      names.erase(found);
    }
    return text;
  }

  std::string estimateText() const {
    std::string text = estimate::printHead();
    for (const KernelState &kernel : kernels_)
      text += estimate::print(kernel.loops.name, estimate::estimate(kernel.loops, kernel.packed, options_.target));
    return text;
  }

  std::string loopsText() const {
    return absl::StrJoin(kernels_, "\n",
                         [](std::string *out, const KernelState &kernel) { out->append(loop::print(kernel.loops)); });
  }

  // \p comment starts a line that tells which kernel follows.
  std::string codeText(std::string codegen::CompiledKernel::*member, char comment) const {
    std::string text;
    for (size_t unit = 0; unit < units_.size(); ++unit) {
      const KernelState &kernel = kernels_[static_cast<size_t>(units_[unit])];
      absl::StrAppend(&text, std::string(1, comment), " kernel ", kernel.planned->kernel.name, "\n",
                      compiled_[unit].*member, "\n");
    }
    return text;
  }

  std::string textAfter(Phase phase) const {
    switch (phase) {
      case Phase::Import:
      case Phase::Graph:
        return graph::print(graph_);
      case Phase::Plan:
        return plan::print(plan_);
      case Phase::Schedule:
        return schedulesText();
      case Phase::Loops:
        return loopsText();
      case Phase::Codegen:
        return codeText(&codegen::CompiledKernel::assembly, '#');
      case Phase::Artifact:
        return "";
    }
    return "";
  }

  const std::string_view model_;
  const CompileOptions &options_;
  int threads_ = 1;
  CompileResult result_;
  SchedulesFile given_;
  graph::Graph graph_;
  plan::Plan plan_;
  std::vector<KernelState> kernels_;
  std::vector<int> units_;
  std::vector<codegen::CompiledKernel> compiled_;
};

}  // namespace

std::string_view name(Phase phase) {
  for (const PhaseName &entry : kPhaseNames)
    if (entry.phase == phase) return entry.name;
  return "";
}

std::optional<Phase> parsePhase(std::string_view name) {
  for (const PhaseName &entry : kPhaseNames)
    if (entry.name == name) return entry.phase;
  return std::nullopt;
}

std::string_view name(Dump dump) {
  for (const DumpName &entry : kDumpNames)
    if (entry.dump == dump) return entry.name;
  return "";
}

std::optional<Dump> parseDump(std::string_view name) {
  for (const DumpName &entry : kDumpNames)
    if (entry.name == name) return entry.dump;
  return std::nullopt;
}

absl::StatusOr<CompileResult> compileModel(std::string_view model, const CompileOptions &options) {
  return Compilation(model, options).run();
}

}  // namespace hone::driver
