#include "tests/conformance/cases.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "onnx/onnx_pb.h"

namespace hone::conformance {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sortedFolders(const fs::path &parent) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (const auto &entry : fs::directory_iterator(parent, error)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

/// input_0.pb, input_1.pb, … as long as there are files.
absl::StatusOr<std::vector<runtime::NamedArray>> readTensors(const fs::path &folder, const std::string &kind) {
  std::vector<runtime::NamedArray> tensors;
  while (true) {
    const fs::path path = folder / absl::StrCat(kind, "_", tensors.size(), ".pb");
    if (!fs::exists(path)) return tensors;
    HONE_ASSIGN_OR_RETURN(const std::string bytes, readFile(path));
    auto tensor = runtime::parseOnnxTensor(bytes, path.filename().string());
    if (!tensor.ok()) return absl::InvalidArgumentError(tensor.status().message);
    tensors.push_back(std::move(*tensor));
  }
}

}  // namespace

std::vector<Case> findCases(const fs::path &root) {
  std::vector<Case> cases;
  for (const fs::path &suite : sortedFolders(root)) {
    for (const fs::path &folder : sortedFolders(suite)) {
      if (suite.filename() == "real" || !fs::exists(folder / "model.onnx")) continue;
      cases.push_back({absl::StrCat(suite.filename().string(), "/", folder.filename().string()), folder});
    }
  }
  return cases;
}

absl::StatusOr<Interface> readInterface(const std::string &model) {
  onnx::ModelProto proto;
  if (!proto.ParseFromString(model)) return absl::InvalidArgumentError("model.onnx cannot be parsed");
  std::set<std::string> given;
  for (const auto &tensor : proto.graph().initializer()) given.insert(tensor.name());
  Interface result;
  for (const auto &input : proto.graph().input()) {
    if (given.count(input.name()) == 0) result.inputs.push_back(input.name());
  }
  for (const auto &output : proto.graph().output()) result.outputs.push_back(output.name());
  return result;
}

absl::StatusOr<std::vector<DataSet>> readDataSets(const fs::path &folder) {
  std::vector<DataSet> sets;
  while (true) {
    const fs::path path = folder / absl::StrCat("test_data_set_", sets.size());
    if (!fs::exists(path)) return sets;
    DataSet set;
    HONE_ASSIGN_OR_RETURN(set.inputs, readTensors(path, "input"));
    HONE_ASSIGN_OR_RETURN(set.outputs, readTensors(path, "output"));
    sets.push_back(std::move(set));
  }
}

absl::StatusOr<std::string> readFile(const fs::path &path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << stream.rdbuf();
  if (!stream) return absl::NotFoundError(absl::StrCat("cannot read '", path.string(), "'"));
  return bytes.str();
}

}  // namespace hone::conformance
