// Operators of ai.onnx.ml against values worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "compiler/frontend/onnx/import.h"
#include "tests/frontend/evaluated_node.h"

namespace hone {
namespace {

using test::Array;
using test::EvaluatedNode;
using Values = std::vector<double>;
using Floats = std::vector<float>;
using Integers = std::vector<int64_t>;
using Texts = std::vector<std::string>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Array floats(const graph::Shape &shape, const Values &values) { return {shape, values, DType::F32}; }
Array integers(const graph::Shape &shape, const Values &values) { return {shape, values, DType::I64}; }

EvaluatedNode ml(const std::string &op, const std::vector<Array> &operands, int outputs = 1, int64_t version = 3) {
  EvaluatedNode node(15, op, operands, outputs);
  node.ofDomain("ai.onnx.ml", version);
  return node;
}

void setTensor(onnx::NodeProto &node, const std::string &name, const Values &values, DType dtype = DType::F32) {
  onnx::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::TENSOR);
  onnx::TensorProto &tensor = *attribute.mutable_t();
  tensor.set_data_type(test::elementType(dtype));
  tensor.add_dims(static_cast<int64_t>(values.size()));
  for (const double value : values) {
    if (dtype == DType::F32) tensor.add_float_data(static_cast<float>(value));
    if (dtype == DType::U8) tensor.add_int32_data(static_cast<int32_t>(value));
  }
}

/// A tree of one comparison of feature 0 with 2: \p whenTrue or \p whenFalse.
EvaluatedNode stump(const Values &data, const std::string &mode) {
  EvaluatedNode node = ml("TreeEnsembleRegressor", {floats({static_cast<int64_t>(data.size()), 1}, data)});
  node.with("n_targets", 1)
      .with("nodes_treeids", Integers{0, 0, 0})
      .with("nodes_nodeids", Integers{0, 1, 2})
      .with("nodes_featureids", Integers{0, 0, 0})
      .with("nodes_values", Floats{2, 0, 0})
      .with("nodes_modes", Texts{mode, "LEAF", "LEAF"})
      .with("nodes_truenodeids", Integers{1, 0, 0})
      .with("nodes_falsenodeids", Integers{2, 0, 0})
      .with("target_treeids", Integers{0, 0})
      .with("target_nodeids", Integers{1, 2})
      .with("target_ids", Integers{0, 0})
      .with("target_weights", Floats{10, 20});
  return node;
}

TEST(Trees, CompareInEveryMode) {
  const Values data = {1, 2, 3, kNan};
  const std::vector<std::pair<std::string, Values>> modes = {
      {"BRANCH_LEQ", {10, 10, 20, 20}}, {"BRANCH_LT", {10, 20, 20, 20}}, {"BRANCH_GTE", {20, 10, 10, 20}},
      {"BRANCH_GT", {20, 20, 10, 20}},  {"BRANCH_EQ", {20, 10, 20, 20}}, {"BRANCH_NEQ", {10, 20, 10, 10}}};
  for (const auto &[mode, expected] : modes) {
    SCOPED_TRACE(mode);
    stump(data, mode).gives({floats({4, 1}, expected)});
    Values missing = expected;
    missing[3] = 10;
    stump(data, mode).with("nodes_missing_value_tracks_true", Integers{1, 0, 0}).gives({floats({4, 1}, missing)});
  }
}

/// Two trees of two levels over two features, with all modes that differ and leaves for two targets.
EvaluatedNode forest(const std::string &aggregate) {
  EvaluatedNode node = ml("TreeEnsembleRegressor", {floats({3, 2}, {0, 0, 1, 5, 2, 7})});
  node.with("n_targets", 2)
      .with("aggregate_function", aggregate.c_str())
      .with("nodes_treeids", Integers{4, 4, 4, 4, 4, 9, 9, 9})
      .with("nodes_nodeids", Integers{0, 1, 2, 3, 4, 0, 1, 2})
      .with("nodes_featureids", Integers{0, 0, 1, 0, 0, 1, 0, 0})
      .with("nodes_values", Floats{0.5, 0, 6, 0, 0, 5, 0, 0})
      .with("nodes_modes", Texts{"BRANCH_LEQ", "LEAF", "BRANCH_GT", "LEAF", "LEAF", "BRANCH_EQ", "LEAF", "LEAF"})
      .with("nodes_truenodeids", Integers{1, 0, 3, 0, 0, 1, 0, 0})
      .with("nodes_falsenodeids", Integers{2, 0, 4, 0, 0, 2, 0, 0})
      .with("target_treeids", Integers{4, 4, 4, 4, 9, 9, 9})
      .with("target_nodeids", Integers{1, 3, 4, 4, 1, 2, 2})
      .with("target_ids", Integers{0, 1, 0, 1, 0, 0, 1})
      .with("target_weights", Floats{1, 2, 4, -3, 8, 16, 32});
  return node;
}

// Rows come to leaves 1, 4 and 3 of the first tree, and 2, 1 and 2 of the second.
TEST(Trees, AreAddedUpOrCompared) {
  forest("SUM").gives({floats({3, 2}, {17, 32, 12, -3, 16, 34})});
  forest("AVERAGE").gives({floats({3, 2}, {8.5, 16, 6, -1.5, 8, 17})});
  forest("MIN").gives({floats({3, 2}, {1, 32, 4, -3, 16, 2})});
  forest("MAX").gives({floats({3, 2}, {16, 32, 8, -3, 16, 32})});
  forest("SUM").with("base_values", Floats{0.5, -1}).gives({floats({3, 2}, {17.5, 31, 12.5, -4, 16.5, 33})});
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  forest("SUM")
      .with("base_values", Floats{-12, 3})
      .with("post_transform", "LOGISTIC")
      .gives({floats({3, 2}, {sigmoid(5), sigmoid(35), 0.5, 0.5, sigmoid(4), sigmoid(37)})});
}

/// The trees of \p node with entry \p position of the list \p name replaced.
EvaluatedNode damaged(EvaluatedNode node, const std::string &name, int position, int64_t value) {
  for (onnx::AttributeProto &attribute : *node.node().mutable_attribute()) {
    if (attribute.name() == name) attribute.set_ints(position, value);
  }
  return node;
}

TEST(Trees, ThatCannotBeWalkedAreRefused) {
  const EvaluatedNode good = forest("SUM");
  damaged(good, "nodes_truenodeids", 0, 5).isRefused("node 5 of tree 4 is named, but not there");
  damaged(good, "nodes_falsenodeids", 2, -1).isRefused("node -1 of tree 4");
  damaged(good, "nodes_falsenodeids", 2, 0).isRefused("lead back to where they came from");
  damaged(good, "nodes_truenodeids", 5, 0).isRefused("lead back to where they came from");
  damaged(good, "nodes_nodeids", 1, 0).isRefused("node 0 of tree 4 is there twice");
  damaged(good, "nodes_featureids", 5, 2).isRefused("feature 2 of rows of 2");
  damaged(good, "nodes_featureids", 0, -1).isRefused("feature -1 of rows of 2");
  damaged(good, "target_ids", 0, 2).isRefused("'target_ids' has 2, but there are 2");
  damaged(good, "target_nodeids", 0, 7).isRefused("node 7 of tree 4");
  EvaluatedNode shortened = good;
  shortened.node().mutable_attribute(2)->mutable_ints()->RemoveLast();
  shortened.isRefused("'nodes_nodeids' has 8 entries instead of 7");
  stump({1}, "BRANCH_MAYBE").isRefused("unknown mode 'BRANCH_MAYBE'");
  stump({1}, "BRANCH_LT").with("nodes_values_as_tensor", 1).isRefused("has type INT instead of TENSOR");
  EvaluatedNode wide = stump({1}, "BRANCH_LT");
  wide.node().mutable_attribute(0)->set_i(int64_t{1} << 40);
  wide.isRefused("elements");
}

TEST(Trees, ThatAreChainsAreRefused) {
  constexpr int64_t kNodes = 5000;
  Integers trees(kNodes + 1, 0), numbers, features(kNodes + 1, 0), next, leaf(kNodes + 1, kNodes);
  for (int64_t i = 0; i <= kNodes; ++i) {
    numbers.push_back(i);
    next.push_back(i + 1);
  }
  Texts modes(kNodes, "BRANCH_LT");
  modes.emplace_back("LEAF");
  ml("TreeEnsembleRegressor", {floats({1, 1}, {1})})
      .with("n_targets", 1)
      .with("nodes_treeids", trees)
      .with("nodes_nodeids", numbers)
      .with("nodes_featureids", features)
      .with("nodes_values", Floats(kNodes + 1, 0))
      .with("nodes_modes", modes)
      .with("nodes_truenodeids", next)
      .with("nodes_falsenodeids", leaf)
      .with("target_treeids", Integers{0})
      .with("target_nodeids", Integers{kNodes})
      .with("target_ids", Integers{0})
      .with("target_weights", Floats{1})
      .isRefused("a tree of 5000 levels; at most 4096");
}

/// Version 5: 0 is one of 2, 3, 5, 7; 1 is 9 or none. Leaves weigh 1, 10 and 100.
EvaluatedNode members(const Values &data) {
  EvaluatedNode node = ml("TreeEnsemble", {floats({static_cast<int64_t>(data.size()), 1}, data)}, 1, 5);
  node.with("n_targets", 1)
      .with("tree_roots", Integers{0})
      .with("nodes_featureids", Integers{0, 0})
      .with("nodes_truenodeids", Integers{0, 1})
      .with("nodes_trueleafs", Integers{1, 1})
      .with("nodes_falsenodeids", Integers{1, 2})
      .with("nodes_falseleafs", Integers{0, 1})
      .with("leaf_targetids", Integers{0, 0, 0});
  setTensor(node.node(), "nodes_modes", {6, 6}, DType::U8);
  setTensor(node.node(), "nodes_splits", {0, 0});
  setTensor(node.node(), "leaf_weights", {1, 10, 100});
  setTensor(node.node(), "membership_values", {7, 2, 5, 3, kNan, 9, kNan});
  return node;
}

TEST(Trees, AskForMembersOfSets) {
  members({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, kNan})
      .gives({floats({11, 1}, {100, 1, 1, 100, 1, 100, 1, 100, 10, 100, 100})});
  members({5, kNan, 6}).with("nodes_missing_value_tracks_true", Integers{0, 1}).gives({floats({3, 1}, {1, 10, 100})});
  damaged(members({1}), "nodes_falsenodeids", 1, 3).isRefused("leaf 3 of 3");
  damaged(members({1}), "nodes_falsenodeids", 0, 2).isRefused("node 2 of 2");
  damaged(members({1}), "nodes_falsenodeids", 0, 0).isRefused("lead back");
  damaged(members({1}), "tree_roots", 0, 2).isRefused("node 2 of 2");
  damaged(members({1}), "leaf_targetids", 0, 1).isRefused("'leaf_targetids' has 1, but there are 1");
}

/// One comparison, x <= 2, whose leaves have \p weights for the classes \p ids.
EvaluatedNode classifier(const Integers &labels, const Integers &ids, const Floats &weights) {
  EvaluatedNode node = ml("TreeEnsembleClassifier", {floats({2, 1}, {1, 3})}, 2);
  Integers nodes, trees(2 * ids.size(), 0), all = ids;
  all.insert(all.end(), ids.begin(), ids.end());
  for (size_t i = 0; i < all.size(); ++i) nodes.push_back(i < ids.size() ? 1 : 2);
  node.with("classlabels_int64s", labels)
      .with("nodes_treeids", Integers{0, 0, 0})
      .with("nodes_nodeids", Integers{0, 1, 2})
      .with("nodes_featureids", Integers{0, 0, 0})
      .with("nodes_values", Floats{2, 0, 0})
      .with("nodes_modes", Texts{"BRANCH_LEQ", "LEAF", "LEAF"})
      .with("nodes_truenodeids", Integers{1, 0, 0})
      .with("nodes_falsenodeids", Integers{2, 0, 0})
      .with("class_treeids", trees)
      .with("class_nodeids", nodes)
      .with("class_ids", all)
      .with("class_weights", weights);
  return node;
}

TEST(Trees, Classify) {
  classifier({7, 8, 9}, {0, 1, 2}, {1, 3, 2, 4, 0, 4})
      .gives({integers({2}, {8, 7}), floats({2, 3}, {1, 3, 2, 4, 0, 4})});
  // A class without weights has the score 0, but cannot win.
  classifier({7, 8, 9}, {0, 2}, {-1, -2, -4, -3})
      .gives({integers({2}, {7, 9}), floats({2, 3}, {-1, 0, -2, -4, 0, -3})});
  // With one score for two classes it is the second's; positive ones are probabilities.
  classifier({7, 8}, {0}, {0.25, 0.75}).gives({integers({2}, {7, 8}), floats({2, 2}, {0.75, 0.25, 0.25, 0.75})});
  classifier({7, 8}, {0}, {-1, 2}).gives({integers({2}, {7, 8}), floats({2, 2}, {1, -1, -2, 2})});
  const double low = 1 / (1 + std::exp(1.0)), high = 1 / (1 + std::exp(-2.0));
  classifier({7, 8}, {0}, {-1, 2})
      .with("post_transform", "LOGISTIC")
      .gives({integers({2}, {7, 8}), floats({2, 2}, {1 - low, low, 1 - high, high})});
  classifier({7, 8}, {0}, {-1, 2}).with("base_values", Floats{1, 2}).isRefused("two base values");
  classifier({7}, {0}, {1, 2}).isRefused("1 classes");
}

TEST(Classifiers, OfTextAreRefusedWhereTheLabelIsRead) {
  EvaluatedNode node = ml("LinearClassifier", {floats({1, 1}, {2})}, 2, 1);
  node.with("coefficients", Floats{1, 2}).with("intercepts", Floats{0, 0}).with("classlabels_strings", Texts{"a", "b"});
  EvaluatedNode scoresOnly = node;
  node.isRefused("the labels (attribute 'classlabels_strings') are text");
  scoresOnly.model.model.mutable_graph()->mutable_output()->DeleteSubrange(0, 1);
  scoresOnly.node().set_output(0, "");
  const auto graph = frontend::importModel(scoresOnly.model.bytes(), {});
  EXPECT_TRUE(graph.ok()) << graph.status();
}

TEST(LinearModels, MultiplyAndTransform) {
  const Array rows = floats({2, 2}, {1, 2, 3, -1});
  ml("LinearRegressor", {rows}, 1, 1).with("coefficients", Floats{2, 1}).gives({floats({2, 1}, {4, 5})});
  ml("LinearRegressor", {rows}, 1, 1)
      .with("targets", 2)
      .with("coefficients", Floats{2, 1, 0, -1})
      .with("intercepts", Floats{1, 10})
      .gives({floats({2, 2}, {5, 8, 6, 11})});
  const double e = std::exp(1.0);
  EvaluatedNode three = ml("LinearClassifier", {rows}, 2, 1);
  three.with("coefficients", Floats{1, 0, 0, 1, 0, 0}).with("classlabels_ints", Integers{5, 6, 7});
  EvaluatedNode zero = three;
  three.gives({integers({2}, {6, 5}), floats({2, 3}, {1, 2, 0, 3, -1, 0})});
  // Scores 1, 2, 0 and 3, -1, 0: those that are 0 take no part.
  zero.with("post_transform", "SOFTMAX_ZERO")
      .gives({integers({2}, {6, 5}), floats({2, 3}, {1 / (1 + e), e / (1 + e), 0, 1 / (1 + std::exp(-4.0)),
                                                     std::exp(-4.0) / (1 + std::exp(-4.0)), 0})});
  ml("LinearClassifier", {rows}, 2, 1)
      .with("coefficients", Floats{1, -1})
      .with("classlabels_ints", Integers{5, 6})
      .gives({integers({2}, {5, 6}), floats({2, 2}, {2, -1, -3, 4})});
  ml("LinearRegressor", {rows}, 1, 1).with("coefficients", Floats{2}).isRefused("'coefficients' has 1 entries");
  ml("LinearRegressor", {rows}, 1, 1)
      .with("coefficients", Floats{2, 1})
      .with("post_transform", "TWICE")
      .isRefused("'post_transform' is 'TWICE'");
}

TEST(SupportVectors, AreComparedByTheirKernels) {
  const auto machine = [](const char *kernel) {
    EvaluatedNode node = ml("SVMRegressor", {floats({1, 2}, {1, 2})}, 1, 1);
    node.with("n_supports", 2)
        .with("support_vectors", Floats{1, 0, 0, 1})
        .with("coefficients", Floats{3, -1})
        .with("rho", Floats{0.5})
        .with("kernel_type", kernel)
        .with("kernel_params", Floats{0.5, 1, 2});
    return node;
  };
  machine("LINEAR").gives({floats({1, 1}, {1.5})});
  machine("POLY").gives({floats({1, 1}, {3 * 2.25 - 4 + 0.5})});
  machine("RBF").gives({floats({1, 1}, {3 * std::exp(-2.0) - std::exp(-1.0) + 0.5})});
  machine("SIGMOID").gives({floats({1, 1}, {3 * std::tanh(1.5) - std::tanh(2.0) + 0.5})});
  machine("LINEAR").with("one_class", 1).gives({floats({1, 1}, {1})});
  machine("LAPLACE").isRefused("'kernel_type' is 'LAPLACE'");
  EvaluatedNode lying = machine("LINEAR");
  lying.node().mutable_attribute(0)->set_i(3);
  lying.isRefused("'support_vectors' has 4 entries, which are not 3 vectors");
}

// Three classes with one vector each; K is the product with x. Decisions: 0 against 1, 0 against 2, 1 against 2.
TEST(SupportVectors, VoteForClasses) {
  const auto machine = [](double x) {
    EvaluatedNode node = ml("SVMClassifier", {floats({1, 1}, {x})}, 2, 1);
    node.with("classlabels_ints", Integers{5, 6, 7})
        .with("vectors_per_class", Integers{1, 1, 1})
        .with("support_vectors", Floats{1, 2, 3})
        .with("coefficients", Floats{1, -1, 1, 2, 0, -1})
        .with("rho", Floats{0, 0, 1})
        .with("kernel_params", Floats{0, 0, 0});
    return node;
  };
  // K = x, 2x, 3x. Against class 1: 1 * x - 1 * 2x; 0 against 2: 2 * x + 1 * 3x; 1 against 2: 0 * 2x - 1 * 3x + 1.
  machine(1).gives({integers({1}, {5}), floats({1, 3}, {-1, 5, -2})});
  machine(-1).gives({integers({1}, {5}), floats({1, 3}, {1, -5, 4})});
  machine(0.25).gives({integers({1}, {6}), floats({1, 3}, {-0.25, 1.25, 0.25})});
  EvaluatedNode shortened = machine(1);
  shortened.node().mutable_attribute(3)->mutable_floats()->RemoveLast();
  shortened.isRefused("'coefficients' has 5 entries instead of 6");
  damaged(machine(1), "vectors_per_class", 0, int64_t{1} << 62).isRefused("'vectors_per_class' has");
  damaged(machine(1), "vectors_per_class", 0, -1).isRefused("'vectors_per_class' has -1");
}

TEST(Features, AreScaledAndFilledIn) {
  const Array rows = floats({2, 2}, {1, 2, 0, kNan});
  ml("Scaler", {floats({2, 2}, {1, 2, 3, 4})}, 1, 1)
      .with("offset", Floats{1, 2})
      .with("scale", Floats{2, 3})
      .gives({floats({2, 2}, {0, 0, 4, 6})});
  ml("Scaler", {integers({2}, {1, 2})}, 1, 1)
      .with("offset", Floats{0.5})
      .with("scale", Floats{2})
      .gives({floats({2}, {1, 3})});
  ml("Scaler", {rows}, 1, 1)
      .with("offset", Floats{1, 2, 3})
      .with("scale", Floats{2})
      .isRefused("'offset' has 3 entries");
  ml("Imputer", {rows}, 1, 1)
      .with("imputed_value_floats", Floats{7, 8})
      .with("replaced_value_float", static_cast<float>(kNan))
      .gives({floats({2, 2}, {1, 2, 0, 8})});
  ml("Imputer", {integers({3}, {1, 0, 2})}, 1, 1)
      .with("imputed_value_int64s", Integers{9})
      .gives({integers({3}, {1, 9, 2})});
  ml("Binarizer", {floats({3}, {0.5, 1, 1.5})}, 1, 1).with("threshold", 1.F).gives({floats({3}, {0, 0, 1})});
}

TEST(Features, AreNormalised) {
  const Array rows = floats({3, 2}, {3, -4, 0, 0, -2, -6});
  ml("Normalizer", {rows}, 1, 1).with("norm", "L1").gives({floats({3, 2}, {3 / 7., -4 / 7., 0, 0, -0.25, -0.75})});
  ml("Normalizer", {floats({2, 2}, {3, -4, 0, 0})}, 1, 1).with("norm", "L2").gives({floats({2, 2}, {0.6, -0.8, 0, 0})});
  ml("Normalizer", {rows}, 1, 1).gives({floats({3, 2}, {1, -4 / 3., 0, 0, 1, 3})});
  ml("Normalizer", {rows}, 1, 1).with("norm", "L3").isRefused("'norm' is 'L3'");
}

TEST(Features, AreEncodedAndChosen) {
  ml("OneHotEncoder", {floats({1, 2}, {2.7, 9})}, 1, 1)
      .with("cats_int64s", Integers{1, 2, 3})
      .gives({floats({1, 2, 3}, {0, 1, 0, 0, 0, 0})});
  ml("OneHotEncoder", {floats({1}, {1})}, 1, 1).with("cats_strings", Texts{"a"}).isRefused("text");
  ml("ArrayFeatureExtractor", {floats({2, 3}, {1, 2, 3, 4, 5, 6}), integers({2}, {2, 0})}, 1, 1)
      .gives({floats({2, 2}, {3, 1, 6, 4})});
  ml("ArrayFeatureExtractor", {floats({3}, {1, 2, 3}), integers({1, 1}, {1})}, 1, 1).gives({floats({1, 1}, {2})});
  // Cut to 1, filled up to 3.
  ml("FeatureVectorizer", {floats({2, 2}, {1, 2, 3, 4}), integers({2, 1}, {5, 6})}, 1, 1)
      .with("inputdimensions", Integers{1, 3})
      .gives({floats({2, 4}, {1, 5, 0, 0, 3, 6, 0, 0})});
}

TEST(Features, HaveNumbersForLabels) {
  ml("LabelEncoder", {integers({4}, {5, 1, 7, 5})}, 1, 2)
      .with("keys_int64s", Integers{1, 5, 1})
      .with("values_floats", Floats{10, 50, 11})
      .with("default_float", 0.5F)
      .gives({floats({4}, {50, 11, 0.5, 50})});
  ml("LabelEncoder", {floats({3}, {kNan, 1.5, 2})}, 1, 4)
      .with("keys_floats", Floats{1.5, static_cast<float>(kNan)})
      .with("values_int64s", Integers{3, 4})
      .gives({integers({3}, {4, 3, -1})});
  ml("LabelEncoder", {integers({1}, {5})}, 1, 2)
      .with("keys_int64s", Integers{1})
      .with("values_strings", Texts{"a"})
      .isRefused("the values are text");
  ml("LabelEncoder", {integers({1}, {5})}, 1, 2)
      .with("keys_int64s", Integers{1, 2})
      .with("values_int64s", Integers{1})
      .isRefused("1 values for 2 keys");
}

}  // namespace
}  // namespace hone
