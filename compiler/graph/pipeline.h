// The order of the passes, and the funnel that runs them: each is timed and followed by the verifier. One thread.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace hone::graph {

struct PassOptions {
  std::set<std::string> disabled;    ///< names of passes that do not run
  std::set<std::string> printAfter;  ///< names of passes after which `print` is called; "all" for every one
  std::function<void(const std::string &pass, const std::string &text)> print;
};

struct PassTiming {
  std::string name;
  double seconds = 0;
};

/// The names of all passes, in their order, each once.
std::vector<std::string> passNames();

/// Brings \p graph, which a frontend made, into the form that the plan expects. Returns how long each pass took, in
/// the order in which they ran. A name in \p options that is no pass is an error, before anything runs.
absl::StatusOr<std::vector<PassTiming>> runPasses(Graph &graph, const PassOptions &options = {});

}  // namespace hone::graph
