// Which data files a model names: found wherever a tensor may be, and nothing else; bounded, whatever the bytes are.
#include "client/data_locations.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/frontend/model_builder.h"

namespace hone::client {
namespace {

using test::ModelBuilder;
using Names = std::vector<std::string>;

absl::StatusOr<Names> scan(const std::string &bytes) {
  // Small blocks: every field is cut somewhere.
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()), 7);
  return dataLocations(stream);
}

Names namesIn(const std::string &bytes) {
  auto names = scan(bytes);
  EXPECT_TRUE(names.ok()) << names.status();
  return names.ok() ? *names : Names{"refused"};
}

void keepIn(const std::string &location, onnx::TensorProto &tensor) {
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto &[key, value] : {std::pair<std::string, std::string>{"offset", "16"}, {"location", location}}) {
    auto &entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
}

void keepSparselyIn(const std::string &location, onnx::SparseTensorProto &tensor) {
  keepIn(absl::StrCat(location, ".values"), *tensor.mutable_values());
  keepIn(absl::StrCat(location, ".indices"), *tensor.mutable_indices());
}

ModelBuilder plain() {
  ModelBuilder model(13);
  model.input("x", DType::F32, {1, 4});
  model.floats("inside", {1, 4}, {1, 2, 3, 4});
  model.node("Add", {"x", "inside"}, {"y"});
  model.output("y");
  return model;
}

std::string modelNaming(const std::string &location) {
  ModelBuilder model = plain();
  keepIn(location, *model.model.mutable_graph()->add_initializer());
  return model.bytes();
}

TEST(DataLocations, AreFoundWhereverATensorIs) {
  EXPECT_EQ(namesIn(plain().bytes()), Names());
  ModelBuilder model = plain();
  onnx::GraphProto &graph = *model.model.mutable_graph();
  keepIn("initializer", *graph.add_initializer());
  keepSparselyIn("sparse", *graph.add_sparse_initializer());
  auto &node = model.node("Anything", {"x"}, {"z"});
  keepIn("t", *node.add_attribute()->mutable_t());
  keepIn("tensors", *node.add_attribute()->add_tensors());
  keepSparselyIn("sparse_tensor", *node.add_attribute()->mutable_sparse_tensor());
  keepSparselyIn("sparse_tensors", *node.add_attribute()->add_sparse_tensors());
  keepIn("branch", *node.add_attribute()->mutable_g()->add_initializer());
  onnx::GraphProto &inner = *node.add_attribute()->add_graphs();
  keepIn("inner", *inner.add_node()->add_attribute()->mutable_g()->add_initializer());
  keepIn("function", *model.model.add_functions()->add_node()->add_attribute()->mutable_t());
  EXPECT_EQ(namesIn(model.bytes()), (Names{"branch", "function", "initializer", "inner", "sparse.indices",
                                           "sparse.values", "sparse_tensor.indices", "sparse_tensor.values",
                                           "sparse_tensors.indices", "sparse_tensors.values", "t", "tensors"}));
}

TEST(DataLocations, AreNamedOnce) {
  ModelBuilder model = plain();
  for (int i = 0; i < 5000; ++i) keepIn(i % 2 == 0 ? "b" : "a/b", *model.model.mutable_graph()->add_initializer());
  EXPECT_EQ(namesIn(model.bytes()), (Names{"a/b", "b"}));
}

TEST(DataLocations, OfTensorsThatKeepTheirDataInsideAreNone) {
  ModelBuilder model = plain();
  onnx::TensorProto &tensor = *model.model.mutable_graph()->add_initializer();
  keepIn("listed", tensor);
  tensor.set_data_location(onnx::TensorProto::DEFAULT);
  keepIn("", *model.model.mutable_graph()->add_initializer());
  // Nor are metadata of the model, or what other keys say.
  auto &property = *model.model.add_metadata_props();
  property.set_key("location");
  property.set_value("metadata");
  auto &entry = *model.model.mutable_graph()->add_initializer()->add_external_data();
  entry.set_key("basepath");
  entry.set_value("base");
  EXPECT_EQ(namesIn(model.bytes()), Names());
}

TEST(DataLocations, ThatAreNoNamesAreRefused) {
  const auto complaint = [](const std::string &location) {
    const absl::Status status = scan(modelNaming(location)).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    return std::string(status.message());
  };
  EXPECT_EQ(complaint(std::string("a\0b", 3)), "the model names a data file with bytes that are no text");
  EXPECT_EQ(complaint("\xff"), "the model names a data file with bytes that are no text");
  EXPECT_EQ(complaint("\xed\xa0\x80"), "the model names a data file with bytes that are no text");
  EXPECT_EQ(complaint(std::string(1025, 'x')), "the model names a data file with more than 1024 bytes");
  EXPECT_EQ(complaint(std::string(1 << 20, 'x')), "the model names a data file with more than 1024 bytes");
  // What is only a strange name is for who opens it.
  for (const std::string &name : {std::string(1024, 'x'), std::string("../x"), std::string("/etc/passwd"),
                                  std::string("\xc3\xa9\n\x1b[31m"), std::string(" ")})
    EXPECT_EQ(namesIn(modelNaming(name)), Names{name});
}

TEST(DataLocations, OfManyFilesAreRefused) {
  ModelBuilder model = plain();
  for (int i = 0; i < 1000; ++i) keepIn(absl::StrCat("file ", i), *model.model.mutable_graph()->add_initializer());
  EXPECT_EQ(namesIn(model.bytes()).size(), 1000u);
  keepIn("one more", *model.model.mutable_graph()->add_initializer());
  const absl::Status status = scan(model.bytes()).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "more than 1000 data files; save it with its data in one file"))
      << status;
}

TEST(DataLocations, OfDamagedModelsAreNone) {
  const std::string whole = modelNaming("file");
  for (size_t length = 1; length < whole.size(); ++length) {
    auto names = scan(whole.substr(0, length));
    ASSERT_TRUE(names.ok());
    // A model may end between two of its fields.
    if (onnx::ModelProto().ParsePartialFromString(whole.substr(0, length))) continue;
    EXPECT_EQ(*names, Names()) << length;
  }
  EXPECT_EQ(namesIn(""), Names());
  EXPECT_EQ(namesIn(std::string(1000, '\xff')), Names());
  // Messages in messages without end.
  std::string deep;
  for (int i = 0; i < 1000; ++i)
    deep = absl::StrCat("\x0a", std::string(1, static_cast<char>(deep.size() & 0x7f)), deep);
  EXPECT_EQ(namesIn(deep), Names());
}

TEST(DataLocations, OfChangedModelsAreThoseThatTheParserSees) {
  const std::string whole = modelNaming("file");
  std::mt19937 random(7);
  int readable = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = whole;
    for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    auto names = scan(bytes);
    onnx::ModelProto model;
    if (!names.ok() || !model.ParsePartialFromString(bytes)) continue;
    ++readable;
    std::set<std::string> seen;
    for (const onnx::TensorProto &tensor : model.graph().initializer())
      for (const auto &entry : tensor.external_data())
        if (tensor.data_location() == onnx::TensorProto::EXTERNAL && entry.key() == "location" &&
            !entry.value().empty())
          seen.insert(entry.value());
    for (const std::string &name : *names) EXPECT_TRUE(seen.contains(name)) << "made up: " << name;
  }
  EXPECT_GT(readable, 1000);
}

}  // namespace
}  // namespace hone::client
