// One shared library for a batch of candidate schedules of one task: what a search builds, and a device measures. The
// candidates share the helpers, the link and what LLVM sets up for a target. Thread-safe except that one process links
// one module at a time (lld); LLVM may abort the process on its own defects.
//
//   HONE_ASSIGN_OR_RETURN(schedule::Task task, schedule::Task::of(*tensor::parse(text)));
//   HONE_ASSIGN_OR_RETURN(Library library, buildLibrary(task, {first, second}, codegen::hostTarget(), {}));
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/target.h"
#include "compiler/codegen/codegen.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/task.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::driver {

/// What became of one schedule.
struct Candidate {
  int kernel = 0;  ///< position in the table of the library
  /// What the schedule's algorithm made of the task's kernel: where its arguments come from.
  tensor::Rewrite rewrite;
  /// That with the layouts of the schedule's packs; buffers that are not Temporary are the arguments, in order.
  tensor::Kernel packed;
  codegen::StackReferences stackReferences;  ///< of the emitted code, for a search that rejects what spills
};

struct Library {
  std::string bytes;  ///< an ELF file for hone_module_query(); empty when no candidate could be built
  /// By schedule, in order: the candidate, or why there is none. INVALID_ARGUMENT: the schedule is not legal, in the
  /// words of schedule::legal(). INTERNAL: a defect.
  std::vector<absl::StatusOr<Candidate>> candidates;
};

/// \p schedules are in the names of the task. The bytes depend on the task, the schedules and the target alone, not on
/// \p threads. An error only where the batch as a whole fails.
absl::StatusOr<Library> buildLibrary(const schedule::Task &task, const std::vector<schedule::Schedule> &schedules,
                                     const TargetDescription &target, int threads = 1);

}  // namespace hone::driver
