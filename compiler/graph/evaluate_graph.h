// Evaluation of a whole graph on given inputs, loops included: what compiled networks are compared with. Pure
// functions; thread-safe.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace hone::graph {

/// The values of all outputs of \p graph, which is verified, in the order of its ports, when its inputs have the values
/// \p inputs. RESOURCE_EXHAUSTED after \p mostIterations of loops, all of them together.
absl::StatusOr<std::vector<Constant>> evaluateOutputs(const Graph &graph, const std::vector<Constant> &inputs,
                                                      int64_t mostIterations = 1'000'000);

}  // namespace hone::graph
