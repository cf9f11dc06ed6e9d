// Writes the small models that the tests of the command line compile: make_cli_models FOLDER.
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "tests/frontend/model_builder.h"

namespace {

using hone::DType;
using hone::test::ModelBuilder;
using hone::test::setAttribute;

// Weights that are not all alike, so that a wrong order of memory shows in the result.
std::vector<float> pattern(int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>((i * 37 + 11) % 101 - 50) / 256.0F);
  return values;
}

void convolution(ModelBuilder &model, const std::string &input, const std::string &output, int64_t from, int64_t to) {
  model.floats(output + "_w", {to, from, 3, 3}, pattern(to * from * 9));
  model.floats(output + "_b", {to}, pattern(to));
  auto &node = model.node("Conv", {input, output + "_w", output + "_b"}, {output + "_c"});
  setAttribute(node, "pads", std::vector<int64_t>{1, 1, 1, 1});
  model.node("Relu", {output + "_c"}, {output});
}

ModelBuilder classifier() {
  ModelBuilder model(13);
  model.input("data", DType::F32, {1, 16, 14, 14});
  convolution(model, "data", "first", 16, 32);
  convolution(model, "first", "second", 32, 32);
  model.node("GlobalAveragePool", {"second"}, {"pooled"});
  model.node("Flatten", {"pooled"}, {"flat"});
  model.floats("dense_w", {32, 10}, pattern(320));
  model.node("MatMul", {"flat", "dense_w"}, {"scores"});
  model.output("scores");
  return model;
}

ModelBuilder unbound() {
  ModelBuilder model(13);
  model.namedInput("tokens", DType::F32, {"batch", "16"});
  model.node("Relu", {"tokens"}, {"out"});
  model.output("out");
  return model;
}

ModelBuilder unknownOperators() {
  ModelBuilder model(13);
  model.input("x", DType::F32, {1, 4});
  model.node("Frobnicate", {"x"}, {"middle"});
  model.node("Transmogrify", {"middle"}, {"out"});
  model.output("out");
  return model;
}

void write(const std::string &folder, const std::string &name, const ModelBuilder &model) {
  std::ofstream(folder + "/" + name, std::ios::binary) << model.bytes();
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: make_cli_models FOLDER\n");
    return 2;
  }
  write(argv[1], "classifier.onnx", classifier());
  write(argv[1], "unbound.onnx", unbound());
  write(argv[1], "unknown.onnx", unknownOperators());
  return 0;
}
