// Schedule: in which order a kernel is computed. Plain data with one canonical text (docs/schedules.md has the
// grammar); lowering takes only what went through parse(print(schedule)).
//
//   algorithm direct
//   conv   vector oc 16   registers x 7, oc 2   order n, oc/32, y | x/7 | ic, ky, kx   pack weight
//   [0/32][1][2][3][0%32] out    at conv x/7
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/base/target.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::schedule {

/// One loop over a dim: steps of `step` through what the dim's previous (outer) loop left: the whole extent for the
/// first. "x/7" steps by 7, "x" by 1.
struct Loop {
  std::string dim;
  int64_t step = 1;
  bool operator==(const Loop &) const = default;
};

/// What one iteration of all loops computes, kept in registers: `count` elements of the dim; for the vector
/// dim, `count` vectors.
struct RegisterTile {
  std::string dim;
  int64_t count = 1;
  bool operator==(const RegisterTile &) const = default;
};

/// The stage is computed inside loop `loop` (an entry of the host's order) of stage `stage`: before the rest of that
/// loop's body when it feeds the host, after it when it reads the host.
struct Attachment {
  std::string stage;
  Loop loop;
  bool operator==(const Attachment &) const = default;
};

/// The memory order of a buffer, in the notation of tensor::Layout::text: of a parameter that the stage reads, or of a
/// temporary that it writes.
struct Pack {
  std::string buffer;
  tensor::Layout layout;
  bool operator==(const Pack &) const = default;
};

/// Each cache line of a parameter that a step of the reduction reads asks for the one that lies `distance` elements
/// further on in memory.
struct Prefetch {
  std::string buffer;
  int64_t distance = 1;
  bool operator==(const Prefetch &) const = default;
};

struct StageSchedule {
  std::string stage;
  std::optional<Attachment> at;
  std::string vectorDim;  ///< empty: scalar
  int64_t lanes = 1;
  std::vector<RegisterTile> registers;  ///< outermost first
  std::vector<Loop> parallel;           ///< outermost first; only for stages that are not attached
  std::vector<Loop> tile;
  std::vector<Loop> reduction;      ///< over reduction dims
  std::vector<std::string> unroll;  ///< reduction dims whose loop of step 1 is expanded
  std::vector<Pack> packs;          ///< parameters
  std::vector<Prefetch> prefetches;
  std::vector<Pack> stores;  ///< temporaries
  bool operator==(const StageSchedule &) const = default;
};

struct Schedule {
  std::string algorithm =
      "direct";  ///< as tensor::applyAlgorithm reads it: "direct", "winograd 4 3", "split STAGE DIM PARTS"
  std::vector<StageSchedule> stages;  ///< in the order of the stages that the algorithm leaves
  bool operator==(const Schedule &) const = default;
};

std::string print(const Schedule &schedule);
/// INVALID_ARGUMENT with line, column and what was expected.
absl::StatusOr<Schedule> parse(std::string_view text);

/// Whether \p schedule can be lowered for what its algorithm makes of \p kernel; the error says which rule it breaks,
/// with the numbers.
absl::Status legal(const tensor::Kernel &kernel, const Schedule &schedule, const TargetDescription &target);

/// \p kernel, which the schedule's algorithm has rewritten, with the layouts of the schedule's packs and stores.
tensor::Kernel applyPacks(const tensor::Kernel &kernel, const Schedule &schedule);

}  // namespace hone::schedule
