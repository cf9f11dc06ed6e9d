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

// Sizes that depend on data: where the input is above 0, and what it is there.
ModelBuilder chosen() {
  ModelBuilder model(13);
  model.input("data", DType::F32, {3, 4});
  model.floats("zero", {}, {0});
  model.node("Greater", {"data", "zero"}, {"mask"});
  model.node("NonZero", {"mask"}, {"places"});
  model.node("Transpose", {"places"}, {"tuples"});
  model.node("GatherND", {"data", "tuples"}, {"values"});
  model.output("places");
  model.output("values");
  return model;
}

// Rows of a table, by indices in the data.
ModelBuilder lookup() {
  ModelBuilder model(13);
  model.input("table", DType::F32, {5});
  model.input("rows", DType::I64, {3});
  model.node("Gather", {"table", "rows"}, {"values"}).set_name("lookup");
  model.output("values");
  return model;
}

// A shape that whoever runs the model feeds: it has to be bound.
ModelBuilder reshaped() {
  ModelBuilder model(13);
  model.input("data", DType::F32, {2, 3});
  model.input("shape", DType::I64, {-1});
  model.node("Reshape", {"data", "shape"}, {"turned"});
  model.node("Neg", {"turned"}, {"out"});
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

/// Of an If: the input \p from multiplied by weights once for each entry of \p names.
hone::test::BodyBuilder products(ModelBuilder &model, std::string from, const std::vector<std::string> &names) {
  hone::test::BodyBuilder body({}, {names.back()});
  for (const std::string &name : names) {
    model.floats(name + "_w", {128, 128}, pattern(int64_t{128} * 128));
    body.node("MatMul", {from, name + "_w"}, {name});
    from = name;
  }
  return body;
}

// Two networks, of which an input chooses one.
ModelBuilder choice() {
  ModelBuilder model(13);
  model.input("data", DType::F32, {17, 128});
  model.input("other", DType::F32, {17, 128});
  model.input("long", DType::Bool, {});
  onnx::NodeProto &node = model.node("If", {"long"}, {"out"});
  setAttribute(node, "then_branch", products(model, "data", {"first", "second"}).graph);
  setAttribute(node, "else_branch", products(model, "other", {"only"}).graph);
  model.output("out");
  return model;
}

// A loop that adds "step" to "data" until the sum reaches the limit, which it need not.
ModelBuilder counting() {
  ModelBuilder model(16);
  model.input("data", DType::F32, {4});
  model.input("step", DType::F32, {4});
  model.floats("limit", {}, {100});
  model.integers("one", {1});
  setAttribute(model.node("Cast", {"one"}, {"begins"}), "to", hone::test::elementType(DType::Bool));
  hone::test::BodyBuilder body({"i", "runs", "state"}, {"goes_on", "next"});
  body.node("Add", {"state", "step"}, {"next"});
  setAttribute(body.node("ReduceSum", {"next"}, {"sum"}), "keepdims", 0);
  body.node("Less", {"sum", "limit"}, {"goes_on"});
  setAttribute(model.node("Loop", {"", "begins", "data"}, {"out"}), "body", body.graph);
  model.output("out");
  return model;
}

/// Relu after Relu, \p count times.
ModelBuilder chain(int64_t count) {
  ModelBuilder model(13);
  model.input("x", DType::F32, {1, 4});
  for (int64_t i = 0; i < count; ++i) {
    onnx::NodeProto &node = *model.model.mutable_graph()->add_node();
    node.set_op_type("Relu");
    node.add_input(i == 0 ? "x" : "v" + std::to_string(i - 1));
    node.add_output(i == count - 1 ? "out" : "v" + std::to_string(i));
  }
  model.output("out");
  return model;
}

/// Names that mean something to a terminal, a file system, a tar or a zip.
ModelBuilder strangeNames() {
  ModelBuilder model(13);
  model.input("../in\nput", DType::F32, {1, 4});
  model.node("Relu", {"../in\nput"}, {"/etc/\x1b[31mmiddle"});
  model.node("Neg", {"/etc/\x1b[31mmiddle"}, {"out/../../put"});
  model.output("out/../../put");
  return model;
}

/// Names that are not UTF-8, as programs of another encoding write them: "café", "naïve", "Fröb".
ModelBuilder latinNames(const std::string &op) {
  ModelBuilder model(13);
  model.namedInput("caf\xE9", DType::F32, {"taille\xE9", "4"});
  model.node(op, {"caf\xE9"}, {"na\xEFve"});
  model.output("na\xEFve");
  return model;
}

/// Names that are as long as a file's can be, and longer.
ModelBuilder longNames() {
  ModelBuilder model(13);
  const std::string input(1000, 'i'), output(251, 'o');
  model.namedInput(input, DType::F32, {"N", "4"});
  model.node("Relu", {input}, {output});
  model.output(output);
  return model;
}

ModelBuilder elsewhere() {
  ModelBuilder model(13);
  model.input("x", DType::F32, {1, 4});
  model.node("Add", {"x", "w"}, {"out"});
  model.output("out");
  onnx::TensorProto &tensor = *model.model.mutable_graph()->add_initializer();
  tensor.set_name("w");
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(4);
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  auto &entry = *tensor.add_external_data();
  entry.set_key("location");
  entry.set_value("/etc/passwd");
  return model;
}

ModelBuilder circle() {
  ModelBuilder model(13);
  model.input("x", DType::F32, {1, 4});
  model.node("Add", {"x", "b"}, {"a"});
  model.node("Relu", {"a"}, {"b"});
  model.output("b");
  return model;
}

ModelBuilder immense() {
  ModelBuilder model(13);
  model.input("x", DType::F32, {1LL << 30, 1LL << 30});
  model.node("Relu", {"x"}, {"out"});
  model.output("out");
  return model;
}

/// Graphs in graphs. The bytes are written here: protobuf itself would refuse to copy so deep a message.
std::string deep(int depth) {
  const auto field = [](int number, const std::string &content) {
    std::string text(1, static_cast<char>(number << 3 | 2));
    for (size_t rest = content.size();; rest >>= 7) {
      text.push_back(static_cast<char>((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0)));
      if (rest <= 0x7F) break;
    }
    return text + content;
  };
  constexpr int kModelGraph = 7, kGraphNode = 1, kNodeAttribute = 5, kAttributeGraph = 6;
  std::string graph;
  for (int i = 0; i < depth; ++i) graph = field(kGraphNode, field(kNodeAttribute, field(kAttributeGraph, graph)));
  return field(kModelGraph, graph);
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
  write(argv[1], "lookup.onnx", lookup());
  write(argv[1], "reshaped.onnx", reshaped());
  write(argv[1], "choice.onnx", choice());
  write(argv[1], "counting.onnx", counting());
  write(argv[1], "chosen.onnx", chosen());
  write(argv[1], "unknown.onnx", unknownOperators());
  write(argv[1], "million.onnx", chain(1'000'000));
  write(argv[1], "strange.onnx", strangeNames());
  write(argv[1], "latin.onnx", latinNames("Relu"));
  write(argv[1], "latin-unknown.onnx",
        latinNames("Fr\xF6"
                   "b"));
  write(argv[1], "long.onnx", longNames());
  write(argv[1], "elsewhere.onnx", elsewhere());
  write(argv[1], "circle.onnx", circle());
  write(argv[1], "immense.onnx", immense());
  std::ofstream(std::string(argv[1]) + "/deep.onnx", std::ios::binary) << deep(1000);
  return 0;
}
