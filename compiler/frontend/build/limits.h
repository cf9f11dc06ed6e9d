// What a model may ask for, whatever its format: bounds that keep a hostile one from taking the machine down. Plain
// data and pure functions; thread-safe.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace hone::frontend {

struct ImportLimits {
  int64_t fileBytes = (int64_t{1} << 31) - 1;  ///< of the serialised model; protobuf allows no more
  int64_t nodes = 200'000;                     ///< of the model, and again of the graph made from it
  int64_t unrolledNodes = 20'000;              ///< of the graph, that the iterations of one loop become
  int64_t constantBytes = int64_t{8} << 30;    ///< initializers and what is folded from them, together
  int64_t tensorElements = int64_t{1} << 36;   ///< of any single value
  int64_t rank = 32;                           ///< of any single value
  int nestingDepth = 64;                       ///< of messages within messages
};

/// The number of elements of \p shape, or an error when an extent is negative or the product is beyond the limits.
absl::StatusOr<int64_t> checkedElements(const graph::Shape &shape, const ImportLimits &limits);

}  // namespace hone::frontend
