// ONNX's own backend test data: every case whose operators are supported is imported, evaluated with the graph's
// evaluator, and compared with the expected outputs. What is expected not to import is listed here, and the list may
// only shrink.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/frontend/onnx/tensor_proto.h"
#include "compiler/graph/constants.h"
#include "onnx/onnx_pb.h"
#include "tests/frontend/evaluate_graph.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

const fs::path kData = "/usr/share/libonnx-testdata/data";

// Cases of supported operators that are beyond what the graph can say.
const std::set<std::string> kRefused = {
    // Training.
    "test_training_dropout",
    "test_training_dropout_default",
    "test_training_dropout_default_mask",
    "test_training_dropout_mask",
};

/// The data of these cases was written with another type, or shape, than their models declare, or with the product of
/// extent and scale where the standard says the length of the result (PyTorch and ONNX Runtime take the length).
bool isDamaged(const std::string &name) {
  return absl::StrContains(name, "BFLOAT16") || name == "test_resize_downsample_scales_cubic_align_corners" ||
         name == "test_resize_downsample_scales_linear_align_corners";
}

std::string readFile(const fs::path &path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << stream.rdbuf();
  return bytes.str();
}

using Constants = std::map<std::string, graph::Constant>;

/// The tensors of test_data_set_0, by the names that the model gives them; empty when one is no plain tensor.
std::optional<Constants> readTensors(const fs::path &folder, const std::string &kind,
                                     const std::vector<std::string> &names) {
  Constants result;
  for (size_t i = 0; i < names.size(); ++i) {
    fs::path path = folder / "test_data_set_0" / (kind + "_" + std::to_string(i) + ".pb");
    onnx::TensorProto tensor;
    if (!fs::exists(path) || !tensor.ParseFromString(readFile(path))) return std::nullopt;
    auto constant = frontend::readTensor(tensor, {});
    if (!constant.ok()) return std::nullopt;
    result[names[i]] = *constant;
  }
  return result;
}

/// Operands that have to be known at compile time are inputs in these models: they become initializers.
void fixIntegerInputs(onnx::ModelProto &model, const Constants &inputs, const fs::path &folder) {
  for (int i = 0; i < model.graph().input_size(); ++i) {
    const std::string &name = model.graph().input(i).name();
    if (i == 0 && model.graph().input_size() > 1 && inputs.at(name)->type.elements() > 1) continue;
    const bool isList = name == "scales" || name == "roi";
    if (isFloat(inputs.at(name)->type.dtype) && inputs.at(name)->type.elements() != 1 && !isList) continue;
    onnx::TensorProto tensor;
    tensor.ParseFromString(readFile(folder / "test_data_set_0" / ("input_" + std::to_string(i) + ".pb")));
    tensor.set_name(name);
    *model.mutable_graph()->add_initializer() = tensor;
  }
}

bool isNear(double actual, double expected, DType dtype) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (actual == expected) return true;
  double relative = dtype == DType::BF16 ? 2e-2 : dtype == DType::F16 ? 2e-3 : 1e-3;  // as ONNX itself compares
  return std::fabs(actual - expected) <= 1e-6 + relative * std::fabs(expected);
}

std::string compare(const graph::ConstantData &actual, const graph::ConstantData &expected) {
  if (actual.type.dtype != expected.type.dtype) return "another dtype";
  if (actual.type.shape != expected.type.shape) return "another shape";
  for (int64_t i = 0; i < expected.type.elements(); ++i) {
    double a = graph::elementAsDouble(actual, i), e = graph::elementAsDouble(expected, i);
    if (!isNear(a, e, expected.type.dtype)) {
      return "element " + std::to_string(i) + " is " + std::to_string(a) + " instead of " + std::to_string(e);
    }
  }
  return "";
}

enum class Outcome { Passed, Skipped, Refused, Failed };

/// Imports and compares one case; \p why tells what happened.
Outcome runCase(const fs::path &folder, std::string &why) {
  onnx::ModelProto model;
  if (!model.ParseFromString(readFile(folder / "model.onnx"))) return Outcome::Skipped;
  std::vector<std::string> inputNames, outputNames;
  std::set<std::string> initializers;
  for (const auto &tensor : model.graph().initializer()) initializers.insert(tensor.name());
  for (const auto &input : model.graph().input()) {
    if (initializers.count(input.name()) == 0) inputNames.push_back(input.name());
  }
  for (const auto &output : model.graph().output()) outputNames.push_back(output.name());
  auto inputs = readTensors(folder, "input", inputNames);
  auto outputs = readTensors(folder, "output", outputNames);
  frontend::ImportOptions options;
  for (const auto &[name, constant] : inputs.value_or(Constants())) options.inputShapes[name] = constant->type.shape;
  auto graph = frontend::importModel(model.SerializeAsString(), options);
  if (!graph.ok() && absl::StrContains(graph.status().message(), "cannot be compiled")) return Outcome::Skipped;
  if (!inputs || !outputs) return Outcome::Skipped;
  if (!graph.ok() && (absl::StrContains(graph.status().message(), "has to be known at compile time") ||
                      absl::StrContains(graph.status().message(), "are not bound"))) {
    fixIntegerInputs(model, *inputs, folder);
    for (const auto &tensor : model.graph().initializer()) options.inputShapes.erase(tensor.name());
    graph = frontend::importModel(model.SerializeAsString(), options);
  }
  why = graph.ok() ? "" : std::string(graph.status().message());
  if (!graph.ok()) return Outcome::Refused;
  if (absl::Status status = graph::verify(*graph); !status.ok()) {
    why = std::string(status.message());
    return Outcome::Failed;
  }
  auto actual = test::evaluateGraph(*graph, *inputs);
  if (!actual.ok()) {
    why = std::string(actual.status().message());
    return Outcome::Failed;
  }
  for (const std::string &name : outputNames) {
    why = compare(*actual->at(name), *outputs->at(name));
    if (!why.empty()) return Outcome::Failed;
  }
  return Outcome::Passed;
}

struct Suite {
  std::string folder;
  int least;  ///< cases that pass; may only grow
};

class StandardData : public testing::TestWithParam<Suite> {};

TEST_P(StandardData, AgreesWithTheExpectedOutputs) {
  if (!fs::exists(kData)) GTEST_SKIP() << "needs Debian's libonnx-testdata";
  std::map<Outcome, int> counts;
  std::vector<fs::path> folders;
  for (const auto &entry : fs::directory_iterator(kData / GetParam().folder)) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  for (const fs::path &folder : folders) {
    std::string why, name = folder.filename();
    if (isDamaged(name)) continue;
    Outcome outcome = runCase(folder, why);
    ++counts[outcome];
    bool mayBeRefused = kRefused.count(name) != 0;
    EXPECT_NE(outcome, Outcome::Failed) << name << ": " << why;
    EXPECT_EQ(outcome == Outcome::Refused, mayBeRefused) << name << ": " << (why.empty() ? "is imported now" : why);
  }
  std::cout << "passed " << counts[Outcome::Passed] << ", of unsupported operators " << counts[Outcome::Skipped]
            << ", refused " << counts[Outcome::Refused] << "\n";
  EXPECT_GE(counts[Outcome::Passed], GetParam().least);
}

INSTANTIATE_TEST_SUITE_P(All, StandardData,
                         testing::Values(Suite{"node", 820}, Suite{"simple", 7}, Suite{"pytorch-operator", 35},
                                         Suite{"pytorch-converted", 82}),
                         [](const auto &info) {
                           std::string name = info.param.folder;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace hone
