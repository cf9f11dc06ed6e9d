// Models made to break what reads them: shapes beyond all measure, nonsense, damage. Each is refused with a sentence or
// gives a sound graph, and nothing crashes, whatever the bytes are.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/frontend/refused_model.h"

namespace hone {
namespace {

using test::expectError;
using test::ModelBuilder;
using test::modelWithList;
using test::setAttribute;
using test::simpleModel;
using test::withShapes;
using Code = absl::StatusCode;

TEST(Hostile, ShapesBeyondAllMeasure) {
  constexpr int64_t kHuge = int64_t{1} << 60;
  constexpr int64_t kSome = int64_t{1} << 33;
  ModelBuilder input(13);
  input.input("x", DType::F32, {kHuge, kHuge});
  input.node("Abs", {"x"}, {"y"});
  input.output("y");
  expectError(input.bytes(), Code::kInvalidArgument, {"input 'x'", "elements"});
  expectError(modelWithList("Expand", {kHuge, 2, 3}).bytes(), Code::kInvalidArgument, {"elements"});
  expectError(modelWithList("Expand", {kSome, kSome, 2, 3}).bytes(), Code::kInvalidArgument, {"elements"});
  expectError(modelWithList("Tile", {kHuge, kHuge}).bytes(), Code::kInvalidArgument, {"repeated"});
  expectError(modelWithList("Tile", {kSome, kSome}).bytes(), Code::kInvalidArgument, {"elements"});
  expectError(modelWithList("Reshape", {kHuge, kHuge, 16}).bytes(), Code::kInvalidArgument, {"elements"});
  expectError(modelWithList("Pad", {kHuge, kHuge, kHuge, kHuge}).bytes(), Code::kInvalidArgument, {"pads"});
  expectError(modelWithList("Pad", {INT64_MIN, 0, 0, 0}).bytes(), Code::kInvalidArgument, {"pads"});
  ModelBuilder filled(13);
  filled.integers("shape", {kHuge, kHuge});
  filled.node("ConstantOfShape", {"shape"}, {"y"});
  filled.output("y");
  expectError(filled.bytes(), Code::kInvalidArgument, {"elements"});
  ModelBuilder tensor = simpleModel();
  tensor.node("Add", {"y", "w"}, {"z"});
  tensor.output("z");
  tensor.floats("w", {int64_t{1} << 32, int64_t{1} << 32}, {});
  expectError(tensor.bytes(), Code::kInvalidArgument, {"tensor 'w'"});
}

TEST(Hostile, WindowsBeyondAllMeasure) {
  for (int64_t value : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{1} << 40, INT64_MAX}) {
    for (const char *attribute : {"kernel_shape", "strides", "dilations", "pads"}) {
      for (const char *autoPad : {"NOTSET", "SAME_UPPER"}) {
        ModelBuilder model(11);
        model.input("x", DType::F32, {1, 1, 8});
        onnx::NodeProto &node = model.node("MaxPool", {"x"}, {"y"});
        for (const char *name : {"kernel_shape", "strides", "dilations", "pads"}) {
          std::vector<int64_t> list(std::string(name) == "pads" ? 2 : 1, 1);
          if (std::string(name) == attribute) list.assign(list.size(), value);
          setAttribute(node, name, list);
        }
        setAttribute(node, "auto_pad", autoPad);
        model.output("y");
        auto graph = frontend::importModel(model.bytes(), {});
        // Pads are not read where they are computed, and zero pads with a kernel of one are sound.
        bool isSound = std::string(attribute) == "pads" && (value == 0 || std::string(autoPad) != "NOTSET");
        EXPECT_EQ(graph.ok(), isSound) << attribute << " " << value << " " << graph.status();
      }
    }
  }
}

TEST(Hostile, ListsOfEveryKindOfNonsense) {
  const std::vector<std::vector<int64_t>> lists = {{},
                                                   {0},
                                                   {-1},
                                                   {INT64_MIN},
                                                   {7},
                                                   {INT64_MAX},
                                                   {0, 0},
                                                   {-1, -1},
                                                   {1, 1, 1},
                                                   {-2, 5},
                                                   {INT64_MIN, INT64_MAX},
                                                   std::vector<int64_t>(100, 1)};
  for (const char *op : {"Reshape", "Expand", "Tile", "Pad", "Squeeze", "Unsqueeze", "ReduceSum", "Split", "Gather"}) {
    for (const auto &list : lists) {
      auto graph = frontend::importModel(modelWithList(op, list).bytes(), {});
      if (graph.ok()) {
        EXPECT_TRUE(graph::verify(*graph).ok()) << op << " " << graph::verify(*graph);
      } else {
        EXPECT_TRUE(absl::StrContains(graph.status().message(), "node 'node_y'")) << op << " " << graph.status();
      }
    }
  }
  for (const auto &starts : lists) {
    for (const auto &ends : lists) {
      ModelBuilder model(10);
      model.input("x", DType::F32, {2, 3});
      model.integers("starts", starts);
      model.integers("ends", ends);
      model.integers("steps", starts);
      model.node("Slice", {"x", "starts", "ends", "", "steps"}, {"y"});
      model.output("y");
      auto graph = frontend::importModel(model.bytes(), {});
      if (!graph.ok()) continue;
      EXPECT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
    }
  }
}

TEST(Hostile, ConstantsThatGrow) {
  // Each node doubles a constant: without a limit on folding this would be 2^60 elements.
  ModelBuilder model(13);
  model.floats("v0", {1}, {1});
  for (int i = 0; i < 60; ++i) {
    std::string from = absl::StrCat("v", i);
    setAttribute(model.node("Concat", {from, from}, {absl::StrCat("v", i + 1)}), "axis", 0);
  }
  model.output("v60");
  expectError(model.bytes(), Code::kInvalidArgument, {"elements"});
}

TEST(Hostile, LimitsAreKept) {
  std::string bytes = simpleModel().bytes();
  frontend::ImportOptions options;
  options.limits.fileBytes = static_cast<int64_t>(bytes.size()) - 1;
  expectError(bytes, Code::kInvalidArgument, {"the limit is"}, options);
  options = {};
  options.limits.nodes = 0;
  expectError(bytes, Code::kInvalidArgument, {"1 nodes; the limit is 0"}, options);
  options = {};
  options.limits.tensorElements = 5;
  expectError(bytes, Code::kInvalidArgument, {"more than 5 elements"}, options);
  options = {};
  options.limits.constantBytes = 10;
  expectError(modelWithList("Reshape", {3, 2}).bytes(), Code::kInvalidArgument, {"more than 10 bytes"}, options);
}

TEST(Hostile, NestingIsLimited) {
  ModelBuilder model = simpleModel();
  onnx::GraphProto nested;
  for (int i = 0; i < 40; ++i) {
    onnx::GraphProto outer;
    onnx::AttributeProto &attribute = *outer.add_node()->add_attribute();
    attribute.set_type(onnx::AttributeProto::GRAPH);
    attribute.mutable_g()->Swap(&nested);
    nested.Swap(&outer);
  }
  *model.model.mutable_graph()->add_node() = nested.node(0);
  expectError(model.bytes(), Code::kInvalidArgument, {"nest deeper than"});
}

/// A model with most of what a model may hold.
std::string richModel() {
  ModelBuilder model(11);
  model.namedInput("x", DType::F32, {"N", "2", "8", "8"});
  model.floats("w", {2, 2, 3, 3}, std::vector<float>(36, 0.5F));
  model.integers("shape", {0, -1});
  model.integers("starts", {1});
  model.integers("ends", {100});
  onnx::NodeProto &conv = model.node("Conv", {"x", "w"}, {"c"});
  setAttribute(conv, "pads", std::vector<int64_t>{1, 1, 1, 1});
  setAttribute(conv, "auto_pad", "NOTSET");
  setAttribute(model.node("AveragePool", {"c"}, {"p"}), "kernel_shape", std::vector<int64_t>{2, 2});
  model.node("Reshape", {"p", "shape"}, {"r"});
  model.node("Slice", {"r", "starts", "ends"}, {"s"});
  setAttribute(model.node("Softmax", {"s"}, {"y"}), "axis", 1);
  model.output("y");
  return model.bytes();
}

const frontend::ImportOptions kRichOptions = withShapes({{"x", {4, 2, 8, 8}}});

TEST(Hostile, TruncatedModels) {
  std::string bytes = richModel();
  ASSERT_TRUE(frontend::importModel(bytes, kRichOptions).ok()) << frontend::importModel(bytes, kRichOptions).status();
  for (size_t length = 0; length < bytes.size(); ++length) {
    auto graph = frontend::importModel(bytes.substr(0, length), kRichOptions);
    // Cut at a field's end, what is left may be a model; then the graph must be sound.
    if (!graph.ok()) continue;
    EXPECT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
  }
  expectError(bytes.substr(0, bytes.size() / 2), Code::kInvalidArgument, {"no ONNX model"}, kRichOptions);
}

TEST(Hostile, DamagedModels) {
  std::mt19937_64 random(7);
  std::string bytes = richModel();
  int survived = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = bytes;
    uint64_t changes = 1 + random() % 4;
    for (uint64_t i = 0; i < changes; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    auto graph = frontend::importModel(damaged, kRichOptions);
    if (!graph.ok()) continue;
    ++survived;
    ASSERT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
  }
  EXPECT_GT(survived, 100);
}

TEST(Hostile, RandomBytes) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 200, '\0');
    for (char &byte : bytes) byte = static_cast<char>(random());
    EXPECT_FALSE(frontend::importModel(bytes, {}).ok());
  }
  expectError("", Code::kInvalidArgument, {"empty"});
}

}  // namespace
}  // namespace hone
