#include "tests/frontend/refused_model.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace hone::test {

void expectError(const std::string &bytes, absl::StatusCode code, const std::vector<std::string> &parts,
                 const frontend::ImportOptions &options) {
  auto graph = frontend::importModel(bytes, options);
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.status().code(), code) << graph.status();
  for (const std::string &part : parts) {
    EXPECT_TRUE(absl::StrContains(graph.status().message(), part)) << "no <" << part << "> in: " << graph.status();
  }
}

frontend::ImportOptions withShapes(const std::map<std::string, graph::Shape> &shapes) {
  frontend::ImportOptions options;
  options.inputShapes = shapes;
  return options;
}

ModelBuilder simpleModel() {
  ModelBuilder model(13);
  model.input("x", DType::F32, {2, 3});
  model.node("Abs", {"x"}, {"y"});
  model.output("y");
  return model;
}

ModelBuilder modelWithList(const std::string &op, const std::vector<int64_t> &list, int64_t opset) {
  ModelBuilder model(opset);
  model.input("x", DType::F32, {2, 3});
  model.integers("list", list);
  model.node(op, {"x", "list"}, {"y"});
  model.output("y");
  return model;
}

}  // namespace hone::test
