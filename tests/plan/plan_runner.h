// Runs a plan's kernels one by one, in the interpreter or as compiled code, on real bytes: an arena shared as the plan
// says, values laid out as the plan says, garbage wherever nothing has been written. What a wrong memory plan or layout
// would damage, is damaged.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"
#include "compiler/plan/plan.h"
#include "compiler/tensor/host_tensor.h"

namespace hone::plan {

/// The Output buffers of a kernel for its Input and Parameter buffers, in order.
using KernelRunner = std::function<absl::StatusOr<std::vector<tensor::HostTensor>>(
    const tensor::Kernel &kernel, const std::vector<tensor::HostTensor> &arguments)>;

/// The outputs in the order of the graph's ports; \p run stands for the interpreter where it is given.
absl::StatusOr<std::vector<tensor::HostTensor>> runPlan(const Plan &plan, const std::vector<tensor::HostTensor> &inputs,
                                                        const KernelRunner &run = nullptr);

/// The same by evaluating node after node, without a plan.
absl::StatusOr<std::vector<tensor::HostTensor>> runGraph(const graph::Graph &graph,
                                                         const std::vector<tensor::HostTensor> &inputs);

}  // namespace hone::plan
