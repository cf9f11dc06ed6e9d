// The last steps: parameters in the order that the schedules ask for, and the description that mod.json holds.
// Functions without state.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/artifact/artifact.h"
#include "compiler/driver/compile.h"
#include "compiler/driver/kernels.h"
#include "compiler/driver/parameter_file.h"
#include "compiler/graph/graph.h"
#include "compiler/plan/plan.h"

namespace hone::driver {

/// mod.params and what refers into it.
struct PackedModel {
  artifact::ArtifactDescription description;
  ParameterFile parameters;
};

/// Packs the parameters (equal bytes once, offsets 64-aligned) and describes buffers, kernels and calls. \p units as
/// uniteEqual returned them. \p graph gives the names of inputs and outputs.
absl::StatusOr<PackedModel> describe(const graph::Graph &graph, const plan::Plan &plan,
                                     const std::vector<KernelState> &kernels, const std::vector<int> &units,
                                     const CompileOptions &options);

/// The table of mod.so for the units.
std::vector<codegen::ModuleKernel> moduleTable(const std::vector<KernelState> &kernels, const std::vector<int> &units);

}  // namespace hone::driver
