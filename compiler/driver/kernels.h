// The way of the kernels from plan to objects: schedule -> loop nest -> object code. Each function does one phase for
// all kernels of a plan, in threads; the result does not depend on how many. Values only.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/base/target.h"
#include "compiler/codegen/codegen.h"
#include "compiler/driver/schedules_file.h"
#include "compiler/loop/loop_nest.h"
#include "compiler/plan/plan.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/task.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::driver {

/// What the phases know of one kernel of the plan. `planned` refers to the plan.
struct KernelState {
  const plan::PlanKernel *planned = nullptr;
  schedule::Task task;
  std::string taskHash;  ///< SHA-256 of the task's text
  schedule::Schedule schedule;
  std::string scheduleText;      ///< canonical
  std::string taskScheduleText;  ///< the same in the names of the task
  /// Of a default schedule, in the names of the task: what is taken instead if its code spills too much, in order.
  std::vector<schedule::Schedule> alternatives;
  /// What the schedule's algorithm makes of the kernel.
  tensor::Rewrite rewrite;
  std::vector<int> arguments;  ///< per buffer of it that is not Temporary, in order: position in Plan::buffers
  tensor::Kernel packed;       ///< that with the layouts of the schedule's packs
  loop::Kernel loops;
  int unit = 0;  ///< position among the units (see uniteEqual)
};

/// How the phases run: threads, and whom to tell that \p done of \p total kernels are through.
struct Crew {
  int threads = 1;
  std::function<void(int done, int total)> progress;
};

/// Renames the buffers of every kernel to in0, in1, param0, temp0, out0 …: a schedule then reads the same whatever the
/// model calls the weights. Provenance is in PlanKernel::nodes.
void nameBuffersByRole(plan::Plan &plan);

/// Schedules from \p given, for a kernel's name before those for its task, else the default ones. All are printed,
/// parsed and checked. INVALID_ARGUMENT for a given schedule that cannot be used or names no kernel.
absl::StatusOr<std::vector<KernelState>> scheduleKernels(const plan::Plan &plan, const TargetDescription &target,
                                                         const SchedulesFile &given,
                                                         const std::set<std::string> &disabledAlgorithms,
                                                         const Crew &crew);

/// The tasks of \p given that none of \p kernels has.
std::vector<std::string> unusedTasks(const std::vector<KernelState> &kernels, const SchedulesFile &given);

/// Computes the parameters that algorithms derive from others, and gives them buffers of \p plan. Sets
/// KernelState::arguments.
void deriveParameters(std::vector<KernelState> &kernels, plan::Plan &plan);

absl::Status lowerKernels(std::vector<KernelState> &kernels, const Crew &crew);

/// Kernels of one task with one schedule, in equal names, become one unit: their code is generated once. Sets
/// KernelState::unit; returns for each unit its first kernel.
std::vector<int> uniteEqual(std::vector<KernelState> &kernels);

/// Object code of the units, in their order. A default schedule whose code spills too much is given up for an
/// alternative: then the kernels of the unit have that, and its loops.
absl::StatusOr<std::vector<codegen::CompiledKernel>> compileUnits(std::vector<KernelState> &kernels,
                                                                  const std::vector<int> &units,
                                                                  const TargetDescription &target,
                                                                  const codegen::Options &options, const Crew &crew);

/// Prefix of the symbols of unit \p unit.
std::string unitSymbol(int unit);

}  // namespace hone::driver
