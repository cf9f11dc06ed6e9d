// Runs a plan's kernels one by one in the interpreter, on real bytes: an arena shared as the plan says, values laid out
// as the plan says, garbage wherever nothing has been written. What a wrong memory plan or layout would damage, is
// damaged.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"
#include "compiler/plan/plan.h"
#include "compiler/tensor/host_tensor.h"

namespace hone::plan {

/// The outputs in the order of the graph's ports.
absl::StatusOr<std::vector<tensor::HostTensor>> runPlan(const Plan &plan,
                                                        const std::vector<tensor::HostTensor> &inputs);

/// The same by evaluating node after node, without a plan.
absl::StatusOr<std::vector<tensor::HostTensor>> runGraph(const graph::Graph &graph,
                                                         const std::vector<tensor::HostTensor> &inputs);

}  // namespace hone::plan
