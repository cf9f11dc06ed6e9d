// Plan: which values become one kernel, in which layout every buffer lives, and where. Decides which kernels exist.
// Plain values, made by makePlan() from a graph; lowering and the artifact read it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/target.h"
#include "compiler/graph/graph.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::plan {

enum class Place : uint8_t { Input, Output, Arena, Parameter };

/// Storage at run time. Inputs, outputs: row-major, the caller's. Arena: `offset` bytes into the session's arena;
/// two buffers share bytes only when their lifetimes do not meet. Parameter: the data of `constant`; its
/// place in mod.params is decided when the schedules (which pack parameters) are known.
struct PlanBuffer {
  std::string name;
  Place place = Place::Arena;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  tensor::Layout layout;     ///< of the value as the network knows it; a kernel may see another view of the bytes
  int64_t offset = 0;        ///< Arena: bytes, 64-aligned
  int64_t bytes = 0;         ///< padding of the layout included
  graph::Constant constant;  ///< Parameter
};

/// That the only element of a buffer of bools is `isTrue`.
struct PlanCondition {
  int buffer = -1;
  bool isTrue = true;
  bool operator==(const PlanCondition &) const = default;
};

struct PlanKernel {
  tensor::Kernel kernel;
  std::vector<int> arguments;  ///< per buffer of the kernel that is not Temporary, in order: position in Plan::buffers
  std::vector<std::string> nodes;  ///< names of the graph's nodes that it computes
  /// What has to hold, asked in this order: where something does not, nobody looks at what the kernel would compute.
  std::vector<PlanCondition> conditions;
};

/// Kernels that are repeated while the only element of a buffer of bools, which is in the arena, is true.
struct PlanLoop {
  size_t first = 0, count = 0;            ///< positions in Plan::kernels
  int condition = -1;                     ///< position in Plan::buffers; asked in front of each iteration
  std::vector<PlanCondition> conditions;  ///< what has to hold for the loop to begin at all, asked in this order
};

struct Plan {
  std::vector<PlanBuffer> buffers;
  std::vector<PlanKernel> kernels;   ///< in the order of execution
  std::vector<PlanLoop> loops;       ///< by their first kernel; one around others comes before those
  std::vector<int> inputs, outputs;  ///< positions in buffers, in the order of the graph's ports
  int64_t arenaBytes = 0;
};

/// Fusion, layouts, memory. \p graph must be verified and passed through the graph passes.
absl::StatusOr<Plan> makePlan(const graph::Graph &graph, const TargetDescription &target);

/// Text for --dump-code plan and golden tests.
std::string print(const Plan &plan);

}  // namespace hone::plan
