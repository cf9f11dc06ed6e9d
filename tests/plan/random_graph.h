// Random small graphs of all core ops, from a seed.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/graph/graph.h"
#include "compiler/tensor/host_tensor.h"

namespace hone::plan {

/// A verified graph of about \p nodes nodes, some of whose values are outputs.
graph::Graph randomGraph(uint64_t seed, int nodes);

/// The same with loops, also within each other.
graph::Graph randomLoops(uint64_t seed, int nodes);

/// Values for the inputs of \p graph: floats of either sign, small integers of either sign.
std::vector<tensor::HostTensor> randomInputs(const graph::Graph &graph, uint64_t seed);

}  // namespace hone::plan
