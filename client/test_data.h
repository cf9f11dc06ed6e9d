// A folder of test data as ONNX keeps it: model.onnx, test_data_set_0, 1, … with input_0.pb, output_0.pb, … each; and
// the run of an artifact on one such set. The artifact's code is loaded into this process. Functions without state.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/tools/compare.h"
#include "runtime/tools/onnx_tensor.h"

namespace hone::client {

struct TestSet {
  std::string name;  ///< of its folder
  std::vector<runtime::NamedArray> inputs, outputs;

  /// Whether every input has a name and no two have the same: then they are found by name, else by position.
  bool isNamed() const;
};

/// The sets of \p folder in the order of their numbers. NOT_FOUND when there is none or a file cannot be read;
/// DATA_LOSS for files that hold no tensors.
absl::StatusOr<std::vector<TestSet>> readTestSets(const std::filesystem::path &folder);

struct TestedOutput {
  std::string name, type;  ///< "float32[1,1000]"
  runtime::Difference difference;
};

/// Runs \p artifact on \p set, whose inputs in \p bound the artifact does not have. DATA_LOSS when inputs or outputs
/// are not those of the artifact, or the artifact is refused; ABORTED when it checks indices and one is outside.
absl::StatusOr<std::vector<TestedOutput>> runTestSet(const std::filesystem::path &artifact, const TestSet &set,
                                                     const std::set<std::string> &bound, int threads,
                                                     const runtime::Tolerance &tolerance);

}  // namespace hone::client
