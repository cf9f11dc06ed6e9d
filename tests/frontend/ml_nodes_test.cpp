// Models of ai.onnx.ml, compiled: loops that the graph's evaluator does otherwise.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/frontend/compiled_node.h"
#include "tests/support/effort.h"

namespace hone {
namespace {

using test::Array;
using test::CompiledNode;
using Floats = std::vector<float>;
using Integers = std::vector<int64_t>;

// Random trees of random depth, walked by a loop with branches.
TEST(MlNodes, WalkTreesAsAPersonWould) {
  testing::Random random(testing::testSeed());
  constexpr int64_t kRows = 17, kFeatures = 4, kTrees = 9;
  const Array data = Array::random({kRows, kFeatures}, random);
  Integers trees, numbers, features, whenTrue, whenFalse, targetTrees, targetNodes, targetIds;
  Floats thresholds, weights;
  std::vector<std::string> modes;
  Array expected({kRows, 1});
  for (int64_t tree = 0; tree < kTrees; ++tree) {
    const size_t first = trees.size();
    const auto inner = random.between(0, 19);
    // Inner nodes 0 to inner - 1, each a child of an earlier one; what is left over are leaves.
    Integers open = {-1};  // 2 * parent + side
    for (int64_t node = 0; node < 2 * inner + 1; ++node) {
      const auto chosen = random.between(0, static_cast<int64_t>(open.size()) - 1);
      const int64_t parent = open[static_cast<size_t>(chosen)];
      open.erase(open.begin() + chosen);
      const bool isLeaf = node >= inner;
      trees.push_back(tree);
      numbers.push_back(node);
      features.push_back(random.between(0, kFeatures - 1));
      thresholds.push_back(
          static_cast<float>(data.values[static_cast<size_t>(random.between(0, kRows * kFeatures - 1))]));
      modes.emplace_back(isLeaf ? "LEAF" : node % 2 == 0 ? "BRANCH_LEQ" : "BRANCH_GT");
      whenTrue.push_back(0);
      whenFalse.push_back(0);
      if (parent >= 0) (parent % 2 == 0 ? whenTrue : whenFalse)[first + static_cast<size_t>(parent / 2)] = node;
      if (!isLeaf) open.insert(open.end(), {2 * node, 2 * node + 1});
      if (isLeaf) {
        targetTrees.push_back(tree);
        targetNodes.push_back(node);
        targetIds.push_back(0);
        weights.push_back(static_cast<float>(trees.size()) / 8);
      }
    }
    for (int64_t row = 0; row < kRows; ++row) {
      size_t at = first;
      while (modes[at] != "LEAF") {
        const bool isAbove = data.at({row, features[at]}) > static_cast<double>(thresholds[at]);
        const bool isTrue = isAbove == (modes[at] == "BRANCH_GT");
        at = first + static_cast<size_t>(isTrue ? whenTrue[at] : whenFalse[at]);
      }
      expected.at({row, 0}) += static_cast<double>(at + 1) / 8;
    }
  }
  CompiledNode node(15, "TreeEnsembleRegressor", {data});
  node.ofDomain("ai.onnx.ml", 3)
      .with("n_targets", 1)
      .with("nodes_treeids", trees)
      .with("nodes_nodeids", numbers)
      .with("nodes_featureids", features)
      .with("nodes_values", thresholds)
      .with("nodes_modes", modes)
      .with("nodes_truenodeids", whenTrue)
      .with("nodes_falsenodeids", whenFalse)
      .with("target_treeids", targetTrees)
      .with("target_nodeids", targetNodes)
      .with("target_ids", targetIds)
      .with("target_weights", weights)
      .gives({expected});
}

// Pairs that agree with each other, r(i, j) = p(i) / (p(i) + p(j)), give p: here a softmax of 1, 0, -2 and 0.5. The
// method stops within 0.005 / 4 of the best fit.
TEST(MlNodes, CoupleProbabilitiesOfPairs) {
  const std::vector<double> scores = {1, 0, -2, 0.5};
  Floats offsets;
  double sum = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    sum += std::exp(scores[i]);
    for (size_t j = i + 1; j < scores.size(); ++j) offsets.push_back(static_cast<float>(scores[i] - scores[j]));
  }
  Array probabilities({2, 4});
  for (size_t i = 0; i < 8; ++i) probabilities.values[i] = std::exp(scores[i % 4]) / sum;
  CompiledNode node(15, "SVMClassifier", {Array({2, 1}, {3, -5})}, 2);
  node.ofDomain("ai.onnx.ml", 1)
      .with("classlabels_ints", Integers{4, 5, 6, 7})
      .with("vectors_per_class", Integers{1, 1, 1, 1})
      .with("support_vectors", Floats{1, 2, 3, 4})
      .with("coefficients", Floats(12, 0))
      .with("rho", offsets)
      .with("prob_a", Floats(6, -1))
      .with("prob_b", Floats(6, 0))
      .gives({Array({2}, {4, 4}, DType::I64), probabilities}, 5e-3);
}

// PROBIT is the inverse of the normal distribution: percentiles that tables of it have. The approximation is good to
// 0.2 %.
TEST(MlNodes, TransformByTheNormalDistribution) {
  CompiledNode node(15, "LinearRegressor", {Array({4, 1}, {0.975, 0.025, 0.8413447, 0.9986501})});
  node.ofDomain("ai.onnx.ml", 1)
      .with("coefficients", Floats{1})
      .with("post_transform", "PROBIT")
      .gives({Array({4, 1}, {1.959964, -1.959964, 1, 3})}, 2e-3);
}

}  // namespace
}  // namespace hone
