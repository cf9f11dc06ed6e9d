// The sample networks: what they are made of, how much they compute, and that a seed always gives the same bytes.
#include "compiler/samples/samples.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "compiler/frontend/onnx/import.h"
#include "onnx/onnx_pb.h"

namespace hone {
namespace {

using graph::Shape;

std::string bytesOf(const std::string &name, uint64_t seed) {
  absl::StatusOr<std::string> bytes = samples::sampleModel(name, seed);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

onnx::ModelProto parse(const std::string &name) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytesOf(name, 0)));
  return model;
}

std::map<std::string, int> countOperators(const onnx::ModelProto &model) {
  std::map<std::string, int> counts;
  for (const auto &node : model.graph().node()) ++counts[node.op_type()];
  return counts;
}

graph::Graph import(const std::string &name) {
  auto graph = frontend::importModel(bytesOf(name, 0), {});
  EXPECT_TRUE(graph.ok()) << graph.status();
  EXPECT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
  return *std::move(graph);
}

/// Multiplications and additions of convolutions and products, each counted, padding included.
double countGigaFlops(const graph::Graph &graph) {
  double total = 0;
  for (const graph::Node &node : graph.nodes) {
    auto shape = [&](graph::ValueId value) { return graph.values[static_cast<size_t>(value)].type.shape; };
    double results = 1, perResult = 0;
    for (int64_t extent : shape(node.output)) results *= static_cast<double>(extent);
    if (node.op == graph::Op::Conv) {
      perResult = 1;
      Shape weight = shape(node.inputs[1]);
      for (size_t i = 1; i < weight.size(); ++i) perResult *= static_cast<double>(weight[i]);
    } else if (node.op == graph::Op::MatMul) {
      perResult = static_cast<double>(shape(node.inputs[0]).back());
    }
    total += 2 * results * perResult;
  }
  return total / 1e9;
}

Shape outputShape(const graph::Graph &graph) {
  return graph.values[static_cast<size_t>(graph.outputs.at(0).value)].type.shape;
}

TEST(Samples, ResnetIsTheModelZoos) {
  onnx::ModelProto model = parse("resnet50-v2");
  EXPECT_EQ(model.opset_import(0).version(), 7);
  auto counts = countOperators(model);
  EXPECT_EQ(counts, (std::map<std::string, int>{{"Add", 16},
                                                {"BatchNormalization", 51},
                                                {"Conv", 53},
                                                {"Gemm", 1},
                                                {"GlobalAveragePool", 1},
                                                {"MaxPool", 1},
                                                {"Relu", 50},
                                                {"Reshape", 1}}));
  graph::Graph graph = import("resnet50-v2");
  ASSERT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(graph.inputs[0].name, "data");
  EXPECT_EQ(graph.outputs[0].name, "resnetv24_dense0_fwd");
  EXPECT_EQ(outputShape(graph), (Shape{1, 1000}));
  EXPECT_NEAR(countGigaFlops(graph), 8.2, 0.05);
  // Stride 2 is on 3x3 convolutions and on the shortcuts, never on a branch's 1x1 ones.
  int wide = 0, pointwise = 0;
  for (const auto &node : model.graph().node()) {
    std::map<std::string, std::vector<int64_t>> lists;
    for (const auto &attribute : node.attribute()) {
      lists[attribute.name()].assign(attribute.ints().begin(), attribute.ints().end());
    }
    if (node.op_type() != "Conv" || lists["strides"] != std::vector<int64_t>{2, 2}) continue;
    (lists["kernel_shape"] == std::vector<int64_t>{1, 1} ? pointwise : wide) += 1;
  }
  EXPECT_EQ(wide, 4);
  EXPECT_EQ(pointwise, 3);
}

TEST(Samples, ResnetNormalisesItsInputWithoutScale) {
  onnx::ModelProto model = parse("resnet50-v2");
  for (const auto &tensor : model.graph().initializer()) {
    if (tensor.name() != "resnetv24_batchnorm0_gamma") continue;
    std::vector<float> gamma(3);
    std::memcpy(gamma.data(), tensor.raw_data().data(), 12);
    EXPECT_EQ(gamma, (std::vector<float>{1, 1, 1}));
    return;
  }
  FAIL() << "no gamma";
}

TEST(Samples, MobilenetIsTorchvisions) {
  auto counts = countOperators(parse("mobilenet-v2"));
  EXPECT_EQ(counts["Conv"], 52);
  EXPECT_EQ(counts["BatchNormalization"], 52);
  EXPECT_EQ(counts["Clip"], 35);
  EXPECT_EQ(counts["Add"], 10);
  graph::Graph graph = import("mobilenet-v2");
  EXPECT_EQ(outputShape(graph), (Shape{1, 1000}));
  EXPECT_NEAR(countGigaFlops(graph), 0.6, 0.02);
}

TEST(Samples, TransformersAreBert) {
  struct Case {
    const char *name;
    int layers;
    int64_t hidden;
    double gigaFlops;
  };
  // Per layer: four hidden x hidden products, two of hidden x ffn, and two of the attention's scores.
  for (const Case &c : {Case{"minilm-l6", 6, 384, 2.87}, Case{"bert-base", 12, 768, 22.35}}) {
    auto counts = countOperators(parse(c.name));
    EXPECT_EQ(counts["Softmax"], c.layers);
    EXPECT_EQ(counts["Erf"], c.layers);
    EXPECT_EQ(counts["MatMul"], 8 * c.layers);
    EXPECT_EQ(counts["Sqrt"], 2 * c.layers + 1);
    graph::Graph graph = import(c.name);
    EXPECT_EQ(outputShape(graph), (Shape{1, 128, c.hidden}));
    EXPECT_EQ(graph.outputs[0].name, "last_hidden_state");
    EXPECT_NEAR(countGigaFlops(graph), c.gigaFlops, 0.01 * c.gigaFlops);
    ASSERT_EQ(graph.inputs.size(), 3U);
    EXPECT_EQ(graph.inputs[0].name, "input_ids");
    // All shape arithmetic is gone: what is left works on floats, but for the mask and the indices.
    for (const graph::Node &node : graph.nodes) {
      const graph::TensorType &type = graph.values[static_cast<size_t>(node.output)].type;
      EXPECT_TRUE(type.dtype == DType::F32 || node.op == graph::Op::Reshape) << node.name;
    }
  }
}

// What is published of these networks: operators, and multiplications and additions (two for each product).
TEST(Samples, ClassifiersAreTheModelZoos) {
  struct Case {
    const char *name, *input;
    Shape output;
    std::map<std::string, int> counts;
    double gigaFlops;
  };
  const Case cases[] = {
      {"squeezenet1.1", "data", {1, 1000}, {{"Conv", 26}, {"Relu", 26}, {"Concat", 8}, {"MaxPool", 3}}, 0.70},
      {"vgg16", "data", {1, 1000}, {{"Conv", 13}, {"Gemm", 3}, {"Dropout", 2}, {"MaxPool", 5}}, 30.95},
      {"densenet121",
       "data_0",
       {1, 1000, 1, 1},
       {{"Conv", 121}, {"BatchNormalization", 121}, {"Concat", 58}, {"Unsqueeze", 242}, {"AveragePool", 3}},
       5.67},
      {"inception-v1", "data_0", {1, 1000}, {{"Conv", 57}, {"LRN", 2}, {"MaxPool", 13}, {"Concat", 9}}, 3.17},
  };
  for (const Case &c : cases) {
    auto counts = countOperators(parse(c.name));
    for (const auto &[op, count] : c.counts) EXPECT_EQ(counts[op], count) << c.name << ' ' << op;
    graph::Graph graph = import(c.name);
    EXPECT_EQ(graph.inputs.at(0).name, c.input);
    EXPECT_EQ(outputShape(graph), c.output);
    EXPECT_NEAR(countGigaFlops(graph), c.gigaFlops, 0.02 * c.gigaFlops) << c.name;
  }
}

int64_t countWeights(const onnx::ModelProto &model) {
  int64_t total = 0;
  for (const auto &tensor : model.graph().initializer()) {
    if (tensor.data_type() != onnx::TensorProto::FLOAT) continue;
    int64_t elements = 1;
    for (int64_t extent : tensor.dims()) elements *= extent;
    total += elements;
  }
  return total;
}

// What torch.onnx.export(dynamo=True) of PyTorch 2.15 writes of torchvision 0.29's networks, with batch norms that do
// something: operators, opset, and weights in batch norms' folded form.
TEST(Samples, DynamoNetworksAreTorchvisions) {
  struct Case {
    const char *name;
    std::map<std::string, int> counts;
    int64_t weights;
    Shape output;
    double gigaFlops;
  };
  const Case cases[] = {
      {"resnet3d-18",
       {{"Add", 8}, {"Conv", 20}, {"Gemm", 1}, {"ReduceMean", 1}, {"Relu", 17}, {"Reshape", 1}},
       33366672,
       {1, 400},
       81.4},
      {"regnet-y-400mf",
       {{"Add", 16},
        {"Conv", 85},
        {"Gemm", 1},
        {"Mul", 16},
        {"ReduceMean", 17},
        {"Relu", 65},
        {"Reshape", 1},
        {"Sigmoid", 16}},
       4330568,
       {1, 1000},
       0.80},
  };
  for (const Case &c : cases) {
    onnx::ModelProto model = parse(c.name);
    EXPECT_EQ(model.ir_version(), 10);
    EXPECT_EQ(model.opset_import(0).version(), 20);
    EXPECT_EQ(countOperators(model), c.counts) << c.name;
    EXPECT_EQ(countWeights(model), c.weights) << c.name;
    EXPECT_EQ(model.graph().node(1).name(), "node_relu");
    EXPECT_EQ(model.graph().initializer(1).name(), "stem.0.weight_bias");
    graph::Graph graph = import(c.name);
    EXPECT_EQ(graph.inputs.at(0).name, "x");
    EXPECT_EQ(outputShape(graph), c.output);
    EXPECT_NEAR(countGigaFlops(graph), c.gigaFlops, 0.02 * c.gigaFlops) << c.name;
  }
}

TEST(Samples, DecoderIsCausalAndItsShapesFold) {
  auto counts = countOperators(parse("gpt2-block"));
  EXPECT_EQ(counts["Gemm"], 4);
  EXPECT_EQ(counts["Where"], 1);
  EXPECT_EQ(counts["Tanh"], 1);
  graph::Graph graph = import("gpt2-block");
  EXPECT_EQ(outputShape(graph), (Shape{1, 128, 768}));
  // 24 * hidden^2 per token in products with weights, 4 * hidden * sequence in attention.
  EXPECT_NEAR(countGigaFlops(graph), 128 * (24.0 * 768 * 768 + 4.0 * 768 * 128) / 1e9, 0.01);
}

TEST(Samples, DetectorHasItsOperatorsAndSize) {
  auto counts = countOperators(parse("yolo-like"));
  EXPECT_EQ(counts["Conv"], 64);
  EXPECT_EQ(counts["Resize"], 2);
  EXPECT_EQ(counts["MaxPool"], 3);
  EXPECT_EQ(counts["Split"], 9);
  graph::Graph graph = import("yolo-like");
  EXPECT_EQ(outputShape(graph), (Shape{1, 84, 2100}));
  // The original is published with 8.7 at 640 x 640: a quarter of it.
  EXPECT_NEAR(countGigaFlops(graph), 8.7 / 4, 0.05);
}

TEST(Samples, TaggerHasTwoLayersInBothDirections) {
  auto counts = countOperators(parse("lstm-tagger"));
  EXPECT_EQ(counts["LSTM"], 2);
  EXPECT_EQ(outputShape(import("lstm-tagger")), (Shape{1, 96, 32}));
}

// All of the padding's shape arithmetic is gone, and the padding, which is zero, with it.
TEST(Samples, UnetPadsNothing) {
  auto counts = countOperators(parse("unet"));
  EXPECT_EQ(counts["ConvTranspose"], 4);
  EXPECT_EQ(counts["Pad"], 4);
  graph::Graph graph = import("unet");
  EXPECT_EQ(outputShape(graph), (Shape{1, 2, 256, 256}));
  for (const graph::Node &node : graph.nodes) {
    const graph::TensorType &type = graph.values[static_cast<size_t>(node.output)].type;
    EXPECT_EQ(type.dtype, DType::F32) << node.name;
  }
}

TEST(Samples, AreAFunctionOfTheSeed) {
  for (const char *name :
       {"mobilenet-v2", "minilm-l6", "inception-v1", "lstm-tagger", "regnet-y-400mf", "unet", "yolo-like"}) {
    std::string first = bytesOf(name, 1);
    EXPECT_TRUE(first == bytesOf(name, 1)) << name;
    EXPECT_FALSE(first == bytesOf(name, 2)) << name;
  }
  // The same on every machine: a checksum of the bytes, by the simplest rule.
  uint64_t hash = 0;
  for (char byte : bytesOf("mobilenet-v2", 0)) hash = hash * 31 + static_cast<unsigned char>(byte);
  EXPECT_EQ(hash, 2182925104733916418U);
}

TEST(Samples, HaveWeightsOfTheRightSpread) {
  onnx::ModelProto model = parse("mobilenet-v2");
  for (const auto &tensor : model.graph().initializer()) {
    if (tensor.name() != "features.18.conv.0.weight") continue;
    std::vector<float> values(tensor.raw_data().size() / sizeof(float));
    std::memcpy(values.data(), tensor.raw_data().data(), tensor.raw_data().size());
    double sum = 0, squares = 0;
    for (float value : values) {
      sum += value;
      squares += static_cast<double>(value) * value;
    }
    EXPECT_NEAR(sum / static_cast<double>(values.size()), 0, 1e-4);
    EXPECT_NEAR(squares / static_cast<double>(values.size()), 1.0 / 320, 1e-4);
    return;
  }
  FAIL() << "no such weight";
}

TEST(Samples, AreListed) {
  EXPECT_EQ(samples::sampleNames(),
            (std::vector<std::string>{"bert-base", "densenet121", "gpt2-block", "inception-v1", "lstm-tagger",
                                      "minilm-l6", "mobilenet-v2", "regnet-y-400mf", "resnet3d-18", "resnet50-v2",
                                      "squeezenet1.1", "unet", "vgg16", "yolo-like"}));
  auto unknown = samples::sampleModel("resnet", 0);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(unknown.status().message().find("resnet50-v2"), std::string::npos);
}

}  // namespace
}  // namespace hone
