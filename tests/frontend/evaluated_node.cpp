#include "tests/frontend/evaluated_node.h"

#include <gtest/gtest.h>

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/frontend/onnx/import.h"
#include "tests/frontend/evaluate_graph.h"

namespace hone::test {

void EvaluatedNode::gives(const std::vector<Array> &expected) const {
  const auto graph = frontend::importModel(model.bytes(), options_);
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
  std::map<std::string, graph::Constant> inputs;
  for (size_t i = 0; i < inputs_.size(); ++i) inputs[names_[i]] = inputs_[i].constant();
  const auto outputs = evaluateGraph(*graph, inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE(absl::StrCat("output ", i));
    const graph::ConstantData &output = *outputs->at(absl::StrCat("y", i));
    Array actual(output.type.shape, output.type.dtype);
    for (size_t k = 0; k < actual.values.size(); ++k)
      actual.values[k] = graph::elementAsDouble(output, static_cast<int64_t>(k));
    expectArray(actual, expected[i], 2e-7);
  }
}

void EvaluatedNode::isRefused(const std::string &part) const {
  const auto graph = frontend::importModel(model.bytes(), options_);
  ASSERT_FALSE(graph.ok());
  EXPECT_TRUE(absl::StrContains(graph.status().message(), part)) << graph.status();
}

}  // namespace hone::test
