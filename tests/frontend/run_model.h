// A model of several nodes, compiled to an artifact, loaded and run by the runtime, for tests of what the list of calls
// does. Functions without state.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "tests/frontend/node_model.h"

namespace hone::test {

/// The bytes of the model's artifact, which counts indices outside of their axes where \p checkIndices is set.
absl::StatusOr<std::string> compileToArtifact(const ModelBuilder &model, bool checkIndices = false);

/// The outputs by name, with their true shapes, of the second run: it meets the memory that the first has left.
std::map<std::string, Array> runArtifact(const std::string &artifact, const std::map<std::string, Array> &inputs,
                                         int threads);

/// The compiled model gives \p expected with 1 and 2 threads, and the graph's own evaluation does.
void expectRuns(const ModelBuilder &model, const std::map<std::string, Array> &inputs,
                const std::map<std::string, Array> &expected, double tolerance = 2e-5);

}  // namespace hone::test
