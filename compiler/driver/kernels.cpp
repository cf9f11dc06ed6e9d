#include "compiler/driver/kernels.h"

#include <mutex>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
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

absl::Status scheduleKernel(KernelState &state, const TargetDescription &target, const std::string *given) {
  const tensor::Kernel &kernel = state.planned->kernel;
  if (given == nullptr) state.scheduleText = schedule::print(schedule::defaultSchedule(kernel, target));
  auto parsed = schedule::parse(given != nullptr ? *given : state.scheduleText);
  if (!parsed.ok()) return given != nullptr ? parsed.status() : asDefect(parsed.status());
  if (absl::Status legal = schedule::legal(kernel, *parsed, target); !legal.ok())
    return given != nullptr ? legal : asDefect(legal);
  state.schedule = *std::move(parsed);
  state.scheduleText = schedule::print(state.schedule);
  state.packed = schedule::applyPacks(kernel, state.schedule);
  return absl::OkStatus();
}

absl::Status checkNames(const plan::Plan &plan, const std::map<std::string, std::string> &given) {
  for (const auto &[name, text] : given) {
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

// The text of the program alone: names of kernel and buffers, which no instruction depends on, are replaced.
std::string programText(const loop::Kernel &kernel) {
  loop::Kernel anonymous = kernel;
  anonymous.name = "kernel";
  for (size_t i = 0; i < anonymous.buffers.size(); ++i) anonymous.buffers[i].name = absl::StrCat("b", i);
  return loop::print(anonymous);
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
                                                         const std::map<std::string, std::string> &given,
                                                         const Crew &crew) {
  HONE_RETURN_IF_ERROR(checkNames(plan, given));
  std::vector<KernelState> kernels(plan.kernels.size());
  HONE_RETURN_IF_ERROR(forEachKernel(static_cast<int>(kernels.size()), crew, [&](int i) {
    KernelState &state = kernels[static_cast<size_t>(i)];
    state.planned = &plan.kernels[static_cast<size_t>(i)];
    const std::string &name = state.planned->kernel.name;
    const auto found = given.find(name);
    const absl::Status status = scheduleKernel(state, target, found == given.end() ? nullptr : &found->second);
    return status.ok() ? status : withKernelName(status, name);
  }));
  return kernels;
}

absl::Status lowerKernels(std::vector<KernelState> &kernels, const Crew &crew) {
  return forEachKernel(static_cast<int>(kernels.size()), crew, [&](int i) {
    KernelState &state = kernels[static_cast<size_t>(i)];
    auto lowered = loop::lower(state.packed, state.schedule);
    if (!lowered.ok()) return withKernelName(lowered.status(), state.planned->kernel.name);
    state.loops = *std::move(lowered);
    return absl::OkStatus();
  });
}

std::vector<int> uniteEqual(std::vector<KernelState> &kernels) {
  std::map<std::pair<std::string, std::string>, int> known;
  std::vector<int> units;
  for (size_t i = 0; i < kernels.size(); ++i) {
    const auto [entry, isNew] =
        known.try_emplace({kernels[i].scheduleText, programText(kernels[i].loops)}, static_cast<int>(units.size()));
    if (isNew) units.push_back(static_cast<int>(i));
    kernels[i].unit = entry->second;
  }
  return units;
}

absl::StatusOr<std::vector<codegen::CompiledKernel>> compileUnits(const std::vector<KernelState> &kernels,
                                                                  const std::vector<int> &units,
                                                                  const TargetDescription &target,
                                                                  const codegen::Options &options, const Crew &crew) {
  std::vector<codegen::CompiledKernel> compiled(units.size());
  HONE_RETURN_IF_ERROR(forEachKernel(static_cast<int>(units.size()), crew, [&](int unit) {
    const KernelState &state = kernels[static_cast<size_t>(units[static_cast<size_t>(unit)])];
    auto code = codegen::compileKernel(state.loops, unitSymbol(unit), target, options);
    if (!code.ok()) return withKernelName(code.status(), state.planned->kernel.name);
    compiled[static_cast<size_t>(unit)] = *std::move(code);
    return absl::OkStatus();
  }));
  return compiled;
}

std::string unitSymbol(int unit) { return absl::StrCat("hone_kernel_", unit); }

}  // namespace hone::driver
