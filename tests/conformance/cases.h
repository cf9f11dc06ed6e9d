// The cases of ONNX's backend tests as folders on disk: model.onnx and test_data_set_0, 1, … with one file per input
// and output. Functions without state.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tools/onnx_tensor.h"

namespace hone::conformance {

struct Case {
  std::string name;  ///< "node/test_abs": the suite and the folder
  std::filesystem::path folder;
};

/// All cases below \p root, sorted by name. The folder "real" holds models without their data and is left out.
std::vector<Case> findCases(const std::filesystem::path &root);

/// Names as the model has them; inputs that an initializer gives are not counted.
struct Interface {
  std::vector<std::string> inputs, outputs;
};
absl::StatusOr<Interface> readInterface(const std::string &model);

struct DataSet {
  std::vector<runtime::NamedArray> inputs, outputs;
};
/// The data sets of a case in their order. An error names the file that could not be read.
absl::StatusOr<std::vector<DataSet>> readDataSets(const std::filesystem::path &folder);

absl::StatusOr<std::string> readFile(const std::filesystem::path &path);

}  // namespace hone::conformance
