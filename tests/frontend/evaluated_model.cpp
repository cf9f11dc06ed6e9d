#include "tests/frontend/evaluated_model.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "compiler/frontend/onnx/import.h"
#include "tests/frontend/evaluate_graph.h"

namespace hone::test {

std::map<std::string, Array> evaluateModel(const ModelBuilder &model, const std::map<std::string, Array> &inputs) {
  const auto graph = frontend::importModel(model.bytes(), {});
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  EXPECT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
  std::map<std::string, graph::Constant> constants;
  for (const auto &[name, array] : inputs) constants[name] = array.constant();
  const auto outputs = evaluateGraph(*graph, constants);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok()) return {};
  std::map<std::string, Array> arrays;
  for (const auto &[name, constant] : *outputs) {
    Array array(constant->type.shape, constant->type.dtype);
    for (size_t i = 0; i < array.values.size(); ++i) {
      array.values[i] = graph::elementAsDouble(*constant, static_cast<int64_t>(i));
    }
    arrays[name] = array;
  }
  return arrays;
}

std::string importError(const ModelBuilder &model) {
  const auto graph = frontend::importModel(model.bytes(), {});
  EXPECT_FALSE(graph.ok());
  return graph.ok() ? "" : std::string(graph.status().message());
}

void expectContains(const std::string &text, const std::string &part) {
  EXPECT_TRUE(absl::StrContains(text, part)) << text;
}

}  // namespace hone::test
