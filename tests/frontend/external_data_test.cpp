// External data: values come from the files that are given, as views; everything else about their places is refused
// with a sentence. No test touches a file: the frontend opens none.
#include <gtest/gtest.h>

#include <cstring>

#include "absl/strings/match.h"
#include "compiler/frontend/onnx/import.h"
#include "tests/frontend/evaluate_graph.h"
#include "tests/frontend/model_builder.h"

namespace hone::test {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

struct Memory : graph::SharedMemory {
  explicit Memory(std::string content) : bytes(std::move(content)) {}
  void letGo(std::string_view) const override {}
  const std::string bytes;
};

frontend::DataFile fileOf(const std::string &bytes) {
  auto memory = std::make_shared<const Memory>(bytes);
  return {memory->bytes, memory};
}

std::string bytesOf(const std::vector<float> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)};
}

void setExternal(onnx::TensorProto &tensor, const Entries &entries) {
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto &[key, value] : entries) {
    auto &entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
}

onnx::TensorProto externalTensor(DType dtype, const std::vector<int64_t> &shape, const Entries &entries) {
  onnx::TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(elementType(dtype));
  for (const int64_t extent : shape) tensor.add_dims(extent);
  setExternal(tensor, entries);
  return tensor;
}

/// y = w, of two floats unless another tensor is given.
std::string modelOf(const onnx::TensorProto &tensor) {
  ModelBuilder model(13);
  *model.model.mutable_graph()->add_initializer() = tensor;
  model.node("Identity", {"w"}, {"y"});
  model.output("y");
  return model.bytes();
}
std::string modelOf(const Entries &entries) { return modelOf(externalTensor(DType::F32, {2}, entries)); }

frontend::ImportOptions withFile(const std::string &bytes) {
  frontend::ImportOptions options;
  options.dataFiles["f"] = fileOf(bytes);
  return options;
}

std::vector<float> valuesOf(const std::string &model, const frontend::ImportOptions &options) {
  auto graph = frontend::importModel(model, options);
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  auto outputs = evaluateGraph(*graph, {});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  const auto &bytes = outputs->at("y")->bytes;
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

void expectRefused(const std::string &model, const frontend::ImportOptions &options, const std::string &sentence) {
  const auto graph = frontend::importModel(model, options);
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument) << graph.status();
  EXPECT_TRUE(absl::StrContains(graph.status().message(), sentence)) << graph.status() << "\nwanted: " << sentence;
}

TEST(ExternalData, IsTakenFromItsPlaceInTheFile) {
  const frontend::ImportOptions options = withFile(bytesOf({1, 2, 3, 4}));
  EXPECT_EQ(valuesOf(modelOf({{"location", "f"}}), options), (std::vector<float>{1, 2}));
  EXPECT_EQ(valuesOf(modelOf({{"offset", "8"}, {"location", "f"}}), options), (std::vector<float>{3, 4}));
  EXPECT_EQ(valuesOf(modelOf({{"location", "f"}, {"offset", "4"}, {"length", "8"}}), options),
            (std::vector<float>{2, 3}));
  EXPECT_EQ(valuesOf(modelOf({{"location", "f"}, {"checksum", "not one"}, {"basepath", "/etc"}}), options),
            (std::vector<float>{1, 2}));
  EXPECT_EQ(valuesOf(modelOf(externalTensor(DType::F32, {0}, {{"location", "f"}, {"offset", "16"}})), options),
            std::vector<float>());
}

TEST(ExternalData, IsNoCopyWhereItIsAligned) {
  const frontend::ImportOptions options = withFile(bytesOf({1, 2, 3, 4}));
  const auto constantAt = [&](const std::string &offset) {
    auto graph = frontend::importModel(modelOf({{"location", "f"}, {"offset", offset}}), options);
    return graph->values.at(static_cast<size_t>(graph->outputs[0].value)).constant;
  };
  EXPECT_EQ(std::as_const(constantAt("4")->bytes).data(), options.dataFiles.at("f").bytes.data() + 4);
  // Between two elements of the file: the value is that of its bytes, in memory of its own.
  const auto odd = constantAt("3");
  EXPECT_NE(odd->bytes.data(), options.dataFiles.at("f").bytes.data() + 3);
  EXPECT_EQ(odd->bytes.text(), options.dataFiles.at("f").bytes.substr(3, 8));
}

TEST(ExternalData, MayOverlap) {
  ModelBuilder model(13);
  onnx::TensorProto tensor = externalTensor(DType::F32, {2}, {{"location", "f"}});
  *model.model.mutable_graph()->add_initializer() = tensor;
  tensor = externalTensor(DType::F32, {2}, {{"location", "f"}, {"offset", "4"}});
  tensor.set_name("v");
  *model.model.mutable_graph()->add_initializer() = tensor;
  model.node("Add", {"w", "v"}, {"y"});
  model.output("y");
  EXPECT_EQ(valuesOf(model.bytes(), withFile(bytesOf({1, 2, 4}))), (std::vector<float>{3, 6}));
}

TEST(ExternalData, OfBoolsIsMadeOneAndZero) {
  const std::string model = modelOf(externalTensor(DType::Bool, {4}, {{"location", "f"}}));
  auto graph = frontend::importModel(model, withFile(std::string("\x00\x01\x07\xff", 4)));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(evaluateGraph(*graph, {})->at("y")->bytes.text(), std::string_view("\x00\x01\x01\x01", 4));
}

TEST(ExternalData, OfNarrowTypesIsUnpacked) {
  // INT4, two in a byte, the first in the lower half.
  onnx::TensorProto tensor = externalTensor(DType::I8, {3}, {{"location", "f"}, {"offset", "1"}, {"length", "2"}});
  constexpr int kInt4 = 22;
  tensor.set_data_type(kInt4);
  auto graph = frontend::importModel(modelOf(tensor), withFile(std::string("\x00\xf7\x08", 3)));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(evaluateGraph(*graph, {})->at("y")->bytes.text(), std::string_view("\x07\xff\xf8", 3));
  tensor.mutable_external_data(2)->set_value("3");
  expectRefused(modelOf(tensor), withFile(std::string(4, '\0')), "keeps 3 bytes in 'f', its shape asks for 2");
}

TEST(ExternalData, IsWhereverATensorIs) {
  const frontend::ImportOptions options = withFile(bytesOf({1, 2, 3, 4}));
  const onnx::TensorProto tensor = externalTensor(DType::F32, {2}, {{"location", "f"}, {"offset", "8"}});
  ModelBuilder attribute(13);
  auto &value = *attribute.node("Constant", {}, {"y"}).add_attribute();
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  *value.mutable_t() = tensor;
  attribute.output("y");
  EXPECT_EQ(valuesOf(attribute.bytes(), options), (std::vector<float>{3, 4}));

  ModelBuilder sparse(13);
  auto &list = *sparse.model.mutable_graph()->add_sparse_initializer();
  *list.mutable_values() = tensor;
  list.mutable_indices()->set_data_type(onnx::TensorProto::INT64);
  list.mutable_indices()->add_dims(2);
  list.mutable_indices()->add_int64_data(0);
  list.mutable_indices()->add_int64_data(2);
  list.add_dims(3);
  sparse.node("Identity", {"w"}, {"y"});
  sparse.output("y");
  EXPECT_EQ(valuesOf(sparse.bytes(), options), (std::vector<float>{3, 0, 4}));
}

TEST(ExternalData, ThatIsOnlyListedIsNotLookedAt) {
  onnx::TensorProto tensor = externalTensor(DType::F32, {2}, {{"location", "nowhere"}});
  tensor.set_data_location(onnx::TensorProto::DEFAULT);
  tensor.set_raw_data(bytesOf({5, 6}));
  EXPECT_EQ(valuesOf(modelOf(tensor), {}), (std::vector<float>{5, 6}));
}

TEST(ExternalData, WithoutItsFileSaysWhichAndWhatToDo) {
  expectRefused(
      modelOf({{"location", "a/b.bin"}}), withFile(""),
      "tensor 'w': keeps its data in the file 'a/b.bin', which did not come with the model; compile the model "
      "by its path");
  expectRefused(modelOf({{"location", "/etc/passwd"}}), {}, "'/etc/passwd', which did not come with the model");
  expectRefused(modelOf(Entries{}), withFile(""), "keeps its data in another file and does not say in which");
  expectRefused(modelOf({{"location", ""}}), withFile(""), "does not say in which");
}

TEST(ExternalData, OutsideOfItsFileIsRefused) {
  const frontend::ImportOptions options = withFile(bytesOf({1, 2, 3}));
  expectRefused(modelOf({{"location", "f"}, {"offset", "8"}}), options,
                "keeps 8 bytes at offset 8 of 'f', which has 12 bytes");
  expectRefused(modelOf({{"location", "f"}, {"offset", "9223372036854775807"}}), options,
                "8 bytes at offset 9223372036854775807 of 'f'");
  expectRefused(modelOf({{"location", "f"}}), withFile(""), "8 bytes at offset 0 of 'f', which has 0 bytes");
  expectRefused(modelOf(externalTensor(DType::F32, {int64_t{1} << 34}, {{"location", "f"}})), options,
                "keeps 68719476736 bytes at offset 0 of 'f', which has 12 bytes");
}

TEST(ExternalData, OfAnotherSizeThanItsShapeIsRefused) {
  const frontend::ImportOptions options = withFile(bytesOf({1, 2, 3}));
  for (const char *length : {"0", "4", "12", "9223372036854775807"})
    expectRefused(modelOf({{"location", "f"}, {"length", length}}), options,
                  absl::StrCat("keeps ", length, " bytes in 'f', its shape asks for 8"));
}

TEST(ExternalData, WithNumbersThatAreNoneIsRefused) {
  const frontend::ImportOptions options = withFile(bytesOf({1, 2, 3}));
  for (const char *text : {"", "-1", "+1", " 1", "1 ", "0x8", "1e3", "8.0", "eight", "9223372036854775808",
                           "99999999999999999999999999"}) {
    expectRefused(modelOf({{"location", "f"}, {"offset", text}}), options,
                  absl::StrCat("with the offset '", text, "', which is no number of bytes"));
    expectRefused(modelOf({{"location", "f"}, {"length", text}}), options,
                  absl::StrCat("with the length '", text, "', which is no number of bytes"));
  }
}

TEST(ExternalData, ThatContradictsItselfIsRefused) {
  const frontend::ImportOptions options = withFile(bytesOf({1, 2, 3}));
  for (const char *key : {"location", "offset", "length"})
    expectRefused(modelOf({{key, "f"}, {key, "f"}}), options, absl::StrCat("says twice which ", key));
  onnx::TensorProto both = externalTensor(DType::F32, {2}, {{"location", "f"}});
  both.set_raw_data(bytesOf({5, 6}));
  expectRefused(modelOf(both), options, "keeps data both in the model and in 'f'");
}

TEST(ExternalData, CountsAsConstants) {
  frontend::ImportOptions options = withFile(bytesOf({1, 2, 3}));
  options.limits.constantBytes = 7;
  expectRefused(modelOf({{"location", "f"}}), options, "the constants take more than 7 bytes");
}

}  // namespace
}  // namespace hone::test
