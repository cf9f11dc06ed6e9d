#include "compiler/driver/kernels.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/artifact/digest.h"
#include "compiler/base/status.h"
#include "compiler/driver/defaults.h"
#include "compiler/driver/parallel.h"
#include "compiler/loop/lower.h"

namespace hone::driver {

namespace {

// Runs \p body for each of \p count kernels and returns the error of the first one, by number, that failed: which error
// a person sees must not depend on the threads.
absl::Status forEachKernel(int count, const Crew &crew, const std::function<absl::Status(int)> &body) {
  std::vector<absl::Status> results(static_cast<size_t>(count));
  std::mutex mutex;
  int done = 0;
  parallelFor(count, crew.threads, [&](int i) {
    try {
      results[static_cast<size_t>(i)] = body(i);
    } catch (const std::bad_alloc &) {
      results[static_cast<size_t>(i)] = absl::ResourceExhaustedError("out of memory while compiling a kernel");
    }
    const std::lock_guard lock(mutex);
    if (crew.progress) crew.progress(++done, count);
  });
  for (absl::Status &result : results)
    if (!result.ok()) return result;
  return absl::OkStatus();
}

absl::Status withKernelName(const absl::Status &status, const std::string &name) {
  return absl::Status(status.code(), absl::StrCat("kernel '", name, "': ", status.message()));
}

// A schedule of our own making that does not hold is our defect, one that a person wrote is theirs.
absl::Status asDefect(const absl::Status &status) {
  return status.ok() ? status : absl::InternalError(absl::StrCat("default schedule: ", status.message()));
}

// What a person wrote for this kernel, by name or by task, if anything.
absl::StatusOr<std::optional<schedule::Schedule>> givenSchedule(const KernelState &state, const SchedulesFile &given) {
  const auto byName = given.kernels.find(state.planned->kernel.name);
  const auto byTask = given.tasks.find(state.taskHash);
  if (byName == given.kernels.end() && byTask == given.tasks.end()) return std::nullopt;
  const bool isNamed = byName != given.kernels.end();
  HONE_ASSIGN_OR_RETURN(const schedule::Schedule parsed, schedule::parse(isNamed ? byName->second : byTask->second));
  return isNamed ? parsed : state.task.fromTask(parsed);
}

int64_t parameterBytesOf(const plan::Plan &plan) {
  int64_t bytes = 0;
  for (const plan::PlanBuffer &buffer : plan.buffers)
    if (buffer.place == plan::Place::Parameter) bytes += buffer.bytes;
  return bytes;
}

// Gives the kernel a schedule, in its own names; \p isGiven: by a person.
absl::Status take(KernelState &state, const TargetDescription &target, const schedule::Schedule &chosen, bool isGiven) {
  const tensor::Kernel &kernel = state.planned->kernel;
  state.scheduleText = schedule::print(chosen);
  // Lowering takes only what went through the text.
  auto parsed = schedule::parse(state.scheduleText);
  if (!parsed.ok()) return asDefect(parsed.status());
  if (absl::Status legal = schedule::legal(kernel, *parsed, target); !legal.ok())
    return isGiven ? legal : asDefect(legal);
  state.schedule = *std::move(parsed);
  state.taskScheduleText = schedule::print(state.task.toTask(state.schedule));
  HONE_ASSIGN_OR_RETURN(state.rewrite, tensor::applyAlgorithm(kernel, state.schedule.algorithm));
  state.packed = schedule::applyPacks(state.rewrite.kernel, state.schedule);
  return absl::OkStatus();
}

absl::Status scheduleKernel(KernelState &state, const TargetDescription &target, const SchedulesFile &given,
                            const Default &byDefault) {
  HONE_ASSIGN_OR_RETURN(const std::optional<schedule::Schedule> chosen, givenSchedule(state, given));
  if (chosen) return take(state, target, *chosen, true);
  state.alternatives = byDefault.alternatives;
  return take(state, target, state.task.fromTask(byDefault.schedule), false);
}

absl::Status checkNames(const plan::Plan &plan, const SchedulesFile &given) {
  for (const auto &[name, text] : given.kernels) {
    bool known = false;
    for (const plan::PlanKernel &kernel : plan.kernels) known = known || kernel.kernel.name == name;
    if (known) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "schedules file: the model has no kernel '", name, "'; it has ",
        absl::StrJoin(plan.kernels, ", ",
                      [](std::string *out, const plan::PlanKernel &kernel) { out->append(kernel.kernel.name); })));
  }
  return absl::OkStatus();
}

const char *roleName(tensor::BufferRole role) {
  switch (role) {
    case tensor::BufferRole::Input:
      return "in";
    case tensor::BufferRole::Output:
      return "out";
    case tensor::BufferRole::Parameter:
      return "param";
    case tensor::BufferRole::Temporary:
      return "temp";
  }
  return "";
}

}  // namespace

void nameBuffersByRole(plan::Plan &plan) {
  for (plan::PlanKernel &planned : plan.kernels) {
    std::map<tensor::BufferRole, int> counts;
    for (tensor::Buffer &buffer : planned.kernel.buffers)
      buffer.name = absl::StrCat(roleName(buffer.role), counts[buffer.role]++);
  }
}

absl::StatusOr<std::vector<KernelState>> scheduleKernels(const plan::Plan &plan, const TargetDescription &target,
                                                         const SchedulesFile &given,
                                                         const std::set<std::string> &disabledAlgorithms,
                                                         const Crew &crew) {
  HONE_RETURN_IF_ERROR(checkNames(plan, given));
  std::vector<KernelState> kernels(plan.kernels.size());
  HONE_RETURN_IF_ERROR(forEachKernel(static_cast<int>(kernels.size()), crew, [&](int i) {
    KernelState &state = kernels[static_cast<size_t>(i)];
    state.planned = &plan.kernels[static_cast<size_t>(i)];
    HONE_ASSIGN_OR_RETURN(state.task, schedule::Task::of(state.planned->kernel));
    state.taskHash = artifact::sha256(state.task.text());
    return absl::OkStatus();
  }));
  std::vector<const schedule::Task *> tasks;
  for (const KernelState &kernel : kernels) tasks.push_back(&kernel.task);
  const std::vector<Default> defaults =
      chooseDefaults(tasks, parameterBytesOf(plan), target, disabledAlgorithms, crew.threads);
  HONE_RETURN_IF_ERROR(forEachKernel(static_cast<int>(kernels.size()), crew, [&](int i) {
    KernelState &state = kernels[static_cast<size_t>(i)];
    const absl::Status status = scheduleKernel(state, target, given, defaults[static_cast<size_t>(i)]);
    return status.ok() ? status : withKernelName(status, state.planned->kernel.name);
  }));
  return kernels;
}

std::vector<std::string> unusedTasks(const std::vector<KernelState> &kernels, const SchedulesFile &given) {
  std::vector<std::string> unused;
  for (const auto &[task, text] : given.tasks) {
    const bool isUsed =
        std::any_of(kernels.begin(), kernels.end(), [&](const KernelState &kernel) { return kernel.taskHash == task; });
    if (!isUsed) unused.push_back(task);
  }
  return unused;
}

namespace {

// Parameters that algorithms derive from others, each once: layers may share their weights.
class DerivedParameters {
 public:
  explicit DerivedParameters(plan::Plan &plan) : plan_(plan) {}

  /// The plan's buffer of \p derived, from the weights in the plan's buffer \p source, which the kernel sees as \p
  /// shape.
  int bufferFor(int source, const tensor::WeightTransform &transform, const std::vector<int64_t> &shape,
                const tensor::Buffer &derived) {
    const auto [entry, isNew] = known_.try_emplace({source, transform.tile, transform.y, transform.x, shape},
                                                   static_cast<int>(plan_.buffers.size()));
    if (!isNew) return entry->second;
    const plan::PlanBuffer &weights = plan_.buffers[static_cast<size_t>(source)];
    std::vector<char> bytes =
        tensor::transformed(transform, {weights.constant->bytes.data(), weights.constant->bytes.size()}, shape);
    plan::PlanBuffer added;
    added.name = absl::StrCat(weights.name, "_winograd_", transform.tile);
    added.place = plan::Place::Parameter;
    added.shape = derived.shape;
    added.layout = tensor::Layout::rowMajor(derived.shape);
    added.bytes = static_cast<int64_t>(bytes.size());
    added.constant = std::make_shared<const graph::ConstantData>(
        graph::ConstantData{{derived.dtype, derived.shape}, std::move(bytes)});
    plan_.buffers.push_back(std::move(added));
    return entry->second;
  }

 private:
  plan::Plan &plan_;
  std::map<std::tuple<int, int64_t, size_t, size_t, std::vector<int64_t>>, int> known_;
};

}  // namespace

void deriveParameters(std::vector<KernelState> &kernels, plan::Plan &plan) {
  DerivedParameters parameters(plan);
  for (KernelState &state : kernels) {
    const tensor::Kernel &before = state.planned->kernel, &after = state.rewrite.kernel;
    std::vector<int> planned(before.buffers.size(), -1);
    size_t next = 0;
    for (size_t b = 0; b < before.buffers.size(); ++b)
      if (before.buffers[b].role != tensor::BufferRole::Temporary) planned[b] = state.planned->arguments.at(next++);
    for (size_t b = 0; b < after.buffers.size(); ++b) {
      if (after.buffers[b].role == tensor::BufferRole::Temporary) continue;
      if (const int origin = state.rewrite.origins[b]; origin >= 0) {
        state.arguments.push_back(planned[static_cast<size_t>(origin)]);
        continue;
      }
      for (const tensor::DerivedParameter &derived : state.rewrite.derived) {
        if (derived.buffer != static_cast<int>(b)) continue;
        const auto source = static_cast<size_t>(derived.source);
        state.arguments.push_back(
            parameters.bufferFor(planned[source], derived.transform, before.buffers[source].shape, after.buffers[b]));
      }
    }
  }
}

namespace {

absl::Status lower(KernelState &state) {
  auto lowered = loop::lower(state.packed, state.schedule);
  if (!lowered.ok()) return withKernelName(lowered.status(), state.planned->kernel.name);
  state.loops = *std::move(lowered);
  return absl::OkStatus();
}

}  // namespace

absl::Status lowerKernels(std::vector<KernelState> &kernels, const Crew &crew) {
  return forEachKernel(static_cast<int>(kernels.size()), crew,
                       [&](int i) { return lower(kernels[static_cast<size_t>(i)]); });
}

std::vector<int> uniteEqual(std::vector<KernelState> &kernels) {
  // With equal names, too: the artifact states a unit's schedule for all of its kernels.
  std::map<std::tuple<std::string, std::string, std::string>, int> known;
  std::vector<int> units;
  for (size_t i = 0; i < kernels.size(); ++i) {
    KernelState &kernel = kernels[i];
    const auto [entry, isNew] = known.try_emplace({kernel.taskHash, kernel.taskScheduleText, kernel.scheduleText},
                                                  static_cast<int>(units.size()));
    if (isNew) units.push_back(static_cast<int>(i));
    kernel.unit = entry->second;
  }
  return units;
}

namespace {

bool spills(const codegen::CompiledKernel &code) { return code.stackReferences.throughMemory > 0; }

// Generates the code of units, and gives up default schedules whose code spills. Units may be compiled by several
// threads: each looks at its own kernels.
class UnitCompiler {
 public:
  UnitCompiler(std::vector<KernelState> &kernels, const TargetDescription &target, const codegen::Options &options)
      : kernels_(kernels), target_(target), options_(options) {}

  absl::StatusOr<codegen::CompiledKernel> compile(int unit, int firstKernel) {
    const KernelState &first = kernels_[static_cast<size_t>(firstKernel)];
    HONE_ASSIGN_OR_RETURN(codegen::CompiledKernel code, generate(first, unit));
    if (!spills(code)) return code;
    for (const schedule::Schedule &alternative : std::vector<schedule::Schedule>(first.alternatives)) {
      KernelState other = first;
      HONE_RETURN_IF_ERROR(reschedule(other, alternative));
      HONE_ASSIGN_OR_RETURN(codegen::CompiledKernel otherCode, generate(other, unit));
      if (spills(otherCode)) continue;
      for (KernelState &kernel : kernels_)
        if (kernel.unit == unit) HONE_RETURN_IF_ERROR(reschedule(kernel, alternative));
      return otherCode;
    }
    return code;
  }

 private:
  absl::StatusOr<codegen::CompiledKernel> generate(const KernelState &kernel, int unit) const {
    auto code = codegen::compileKernel(kernel.loops, unitSymbol(unit), target_, options_);
    return code.ok() ? std::move(code) : withKernelName(code.status(), kernel.planned->kernel.name);
  }

  absl::Status reschedule(KernelState &kernel, const schedule::Schedule &ofTask) const {
    HONE_RETURN_IF_ERROR(take(kernel, target_, kernel.task.fromTask(ofTask), false));
    return lower(kernel);
  }

  std::vector<KernelState> &kernels_;
  const TargetDescription &target_;
  const codegen::Options &options_;
};

}  // namespace

absl::StatusOr<std::vector<codegen::CompiledKernel>> compileUnits(std::vector<KernelState> &kernels,
                                                                  const std::vector<int> &units,
                                                                  const TargetDescription &target,
                                                                  const codegen::Options &options, const Crew &crew) {
  std::vector<codegen::CompiledKernel> compiled(units.size());
  UnitCompiler compiler(kernels, target, options);
  HONE_RETURN_IF_ERROR(forEachKernel(static_cast<int>(units.size()), crew, [&](int unit) {
    const auto position = static_cast<size_t>(unit);
    HONE_ASSIGN_OR_RETURN(compiled[position], compiler.compile(unit, units[position]));
    return absl::OkStatus();
  }));
  return compiled;
}

std::string unitSymbol(int unit) { return absl::StrCat("hone_kernel_", unit); }

}  // namespace hone::driver
