#include "compiler/frontend/onnx/tree_attributes.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/ml_scores.h"
#include "compiler/graph/constants.h"

namespace hone::frontend {
namespace {

using Comparison = TreeEnsemble::Comparison;
using Node = TreeEnsemble::Node;

/// By the number that TreeEnsemble has for it.
constexpr std::pair<const char *, Comparison> kComparisons[] = {
    {"BRANCH_LEQ", Comparison::LessEqual}, {"BRANCH_LT", Comparison::Less},  {"BRANCH_GTE", Comparison::GreaterEqual},
    {"BRANCH_GT", Comparison::Greater},    {"BRANCH_EQ", Comparison::Equal}, {"BRANCH_NEQ", Comparison::NotEqual}};
constexpr size_t kMember = std::size(kComparisons);

absl::StatusOr<Comparison> comparisonOf(const std::string &mode) {
  for (const auto &[name, comparison] : kComparisons) {
    if (mode == name) return comparison;
  }
  return invalid("a node of a tree has the unknown mode '", mode, "'");
}

template <typename T>
absl::Status checkLength(const char *name, const std::vector<T> &list, size_t wanted, bool mayBeMissing = false) {
  if (list.size() == wanted || (mayBeMissing && list.empty())) return absl::OkStatus();
  return invalid("attribute '", name, "' has ", list.size(), " entries instead of ", wanted);
}

// ---------------------------------------------------------------------------- lists of nodes, leaves among them

/// A node by the numbers of its tree and its own within it.
using NodeName = std::pair<int64_t, int64_t>;

struct NodeLists {
  std::vector<int64_t> trees, numbers, features, whenTrue, whenFalse, missing;
  std::vector<double> thresholds;
  std::vector<std::string> modes;
  size_t size() const { return trees.size(); }
};

absl::StatusOr<NodeLists> readNodes(const NodeContext &node) {
  NodeLists lists;
  HONE_ASSIGN_OR_RETURN(lists.trees, node.integers("nodes_treeids"));
  HONE_ASSIGN_OR_RETURN(lists.numbers, node.integers("nodes_nodeids"));
  HONE_ASSIGN_OR_RETURN(lists.features, node.integers("nodes_featureids"));
  HONE_ASSIGN_OR_RETURN(lists.whenTrue, node.integers("nodes_truenodeids"));
  HONE_ASSIGN_OR_RETURN(lists.whenFalse, node.integers("nodes_falsenodeids"));
  HONE_ASSIGN_OR_RETURN(lists.missing, integersOrNone(node, "nodes_missing_value_tracks_true"));
  HONE_ASSIGN_OR_RETURN(lists.thresholds, realsOrTensor(node, "nodes_values"));
  HONE_ASSIGN_OR_RETURN(lists.modes, node.texts("nodes_modes"));
  const size_t size = lists.size();
  HONE_RETURN_IF_ERROR(checkLength("nodes_nodeids", lists.numbers, size));
  HONE_RETURN_IF_ERROR(checkLength("nodes_featureids", lists.features, size));
  HONE_RETURN_IF_ERROR(checkLength("nodes_truenodeids", lists.whenTrue, size));
  HONE_RETURN_IF_ERROR(checkLength("nodes_falsenodeids", lists.whenFalse, size));
  HONE_RETURN_IF_ERROR(checkLength("nodes_missing_value_tracks_true", lists.missing, size, true));
  HONE_RETURN_IF_ERROR(checkLength("nodes_values", lists.thresholds, size));
  HONE_RETURN_IF_ERROR(checkLength("nodes_modes", lists.modes, size));
  return lists;
}

/// The place of each node; leaves come first. \p ensemble gets its number of leaves and its roots: a tree begins with
/// the first of its nodes.
absl::StatusOr<std::map<NodeName, int64_t>> placeNodes(const NodeLists &lists, TreeEnsemble &ensemble) {
  const auto isLeaf = [](const std::string &mode) { return mode == "LEAF"; };
  ensemble.leaves = std::count_if(lists.modes.begin(), lists.modes.end(), isLeaf);
  std::map<NodeName, int64_t> places;
  std::set<int64_t> trees;
  int64_t nextLeaf = 0, nextNode = ensemble.leaves;
  for (size_t i = 0; i < lists.size(); ++i) {
    const int64_t place = isLeaf(lists.modes[i]) ? nextLeaf++ : nextNode++;
    if (!places.emplace(NodeName(lists.trees[i], lists.numbers[i]), place).second) {
      return invalid("node ", lists.numbers[i], " of tree ", lists.trees[i], " is there twice");
    }
    if (trees.insert(lists.trees[i]).second) ensemble.roots.push_back(place);
  }
  return places;
}

absl::StatusOr<int64_t> placeOf(const std::map<NodeName, int64_t> &places, int64_t tree, int64_t number) {
  const auto found = places.find({tree, number});
  if (found != places.end()) return found->second;
  return invalid("node ", number, " of tree ", tree, " is named, but not there");
}

absl::Status readWeights(const NodeContext &node, const std::string &prefix, const std::map<NodeName, int64_t> &places,
                         TreeEnsemble &ensemble) {
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> trees, node.integers(prefix + "_treeids"));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> numbers, node.integers(prefix + "_nodeids"));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> targets, node.integers(prefix + "_ids"));
  HONE_ASSIGN_OR_RETURN(std::vector<double> values, realsOrTensor(node, prefix + "_weights"));
  HONE_RETURN_IF_ERROR(checkLength((prefix + "_nodeids").c_str(), numbers, trees.size()));
  HONE_RETURN_IF_ERROR(checkLength((prefix + "_ids").c_str(), targets, trees.size()));
  HONE_RETURN_IF_ERROR(checkLength((prefix + "_weights").c_str(), values, trees.size()));
  for (size_t i = 0; i < trees.size(); ++i) {
    HONE_ASSIGN_OR_RETURN(int64_t place, placeOf(places, trees[i], numbers[i]));
    if (targets[i] < 0 || targets[i] >= ensemble.targets) {
      return invalid("attribute '", prefix, "_ids' has ", targets[i], ", but there are ", ensemble.targets);
    }
    // Old converters gave weights to inner nodes, too; they have no meaning.
    if (place < ensemble.leaves) ensemble.weights.push_back({place, targets[i], values[i]});
  }
  return absl::OkStatus();
}

// ----------------------------------------------------------------------------- lists of inner nodes and of leaves

/// The elements of a tensor attribute; none where it is not given.
absl::StatusOr<std::vector<double>> tensorOrNone(const NodeContext &node, std::string_view name) {
  if (!node.hasAttribute(name)) return std::vector<double>();
  HONE_ASSIGN_OR_RETURN(graph::Constant tensor, node.tensor(name));
  std::vector<double> result(static_cast<size_t>(tensor->type.elements()));
  graph::readElements(*tensor, 0, 1, tensor->type.elements(), result.data());
  return result;
}

/// The place of a child.
absl::StatusOr<int64_t> childPlace(int64_t position, bool isLeaf, int64_t leaves, size_t nodes) {
  const int64_t count = isLeaf ? leaves : static_cast<int64_t>(nodes);
  if (position >= 0 && position < count) return isLeaf ? position : position + leaves;
  return invalid("a branch leads to ", isLeaf ? "leaf " : "node ", position, " of ", count);
}

/// Makes the node at \p position ask whether its feature is one of \p members, which are sorted: halves of them, and at
/// last single ones. NaN is none of them.
void askForMembers(TreeEnsemble &ensemble, size_t position, const double *members, size_t count) {
  Node node = ensemble.nodes[position];
  if (count <= 1) {
    node.comparison = Comparison::Equal;
    if (count == 0) node.whenTrue = node.whenFalse;
    node.threshold = count == 0 ? 0 : *members;
    ensemble.nodes[position] = node;
    return;
  }
  const size_t half = count / 2, first = ensemble.nodes.size();
  ensemble.nodes.insert(ensemble.nodes.end(), 2, node);
  node.comparison = Comparison::LessEqual;
  node.threshold = members[half - 1];
  node.whenTrue = ensemble.leaves + static_cast<int64_t>(first);
  node.whenFalse = node.whenTrue + 1;
  ensemble.nodes[position] = node;
  askForMembers(ensemble, first, members, half);
  askForMembers(ensemble, first + 1, members + half, count - half);
}

/// The sets of the nodes of mode BRANCH_MEMBER, in order; each ends with NaN.
absl::Status readMembers(const NodeContext &node, const std::vector<size_t> &askers, TreeEnsemble &ensemble) {
  HONE_ASSIGN_OR_RETURN(std::vector<double> members, tensorOrNone(node, "membership_values"));
  auto begin = members.begin();
  for (const size_t position : askers) {
    const auto end = std::find_if(begin, members.end(), [](double member) { return std::isnan(member); });
    std::sort(begin, end);
    askForMembers(ensemble, position, members.data() + (begin - members.begin()), static_cast<size_t>(end - begin));
    begin = end == members.end() ? end : end + 1;
  }
  return absl::OkStatus();
}

absl::Status readLeaves(const NodeContext &node, TreeEnsemble &ensemble) {
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> targets, node.integers("leaf_targetids"));
  HONE_ASSIGN_OR_RETURN(std::vector<double> weights, tensorOrNone(node, "leaf_weights"));
  HONE_RETURN_IF_ERROR(checkLength("leaf_weights", weights, targets.size()));
  HONE_ASSIGN_OR_RETURN(ensemble.targets, node.integer("n_targets"));
  ensemble.leaves = static_cast<int64_t>(targets.size());
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] < 0 || targets[i] >= ensemble.targets) {
      return invalid("attribute 'leaf_targetids' has ", targets[i], ", but there are ", ensemble.targets);
    }
    ensemble.weights.push_back({static_cast<int64_t>(i), targets[i], weights[i]});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TreeEnsemble> readNodeLists(const NodeContext &node, const std::string &prefix, int64_t targets) {
  TreeEnsemble ensemble;
  ensemble.targets = targets;
  HONE_ASSIGN_OR_RETURN(NodeLists lists, readNodes(node));
  HONE_ASSIGN_OR_RETURN(auto places, placeNodes(lists, ensemble));
  for (size_t i = 0; i < lists.size(); ++i) {
    if (lists.modes[i] == "LEAF") continue;
    Node inner;
    inner.feature = lists.features[i];
    inner.threshold = lists.thresholds[i];
    HONE_ASSIGN_OR_RETURN(inner.comparison, comparisonOf(lists.modes[i]));
    inner.missingIsTrue = !lists.missing.empty() && lists.missing[i] != 0;
    HONE_ASSIGN_OR_RETURN(inner.whenTrue, placeOf(places, lists.trees[i], lists.whenTrue[i]));
    HONE_ASSIGN_OR_RETURN(inner.whenFalse, placeOf(places, lists.trees[i], lists.whenFalse[i]));
    ensemble.nodes.push_back(inner);
  }
  HONE_RETURN_IF_ERROR(readWeights(node, prefix, places, ensemble));
  return ensemble;
}

absl::StatusOr<TreeEnsemble> readLeafLists(const NodeContext &node) {
  TreeEnsemble ensemble;
  HONE_RETURN_IF_ERROR(readLeaves(node, ensemble));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> roots, node.integers("tree_roots"));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> features, node.integers("nodes_featureids"));
  HONE_ASSIGN_OR_RETURN(std::vector<double> modes, tensorOrNone(node, "nodes_modes"));
  HONE_ASSIGN_OR_RETURN(std::vector<double> splits, tensorOrNone(node, "nodes_splits"));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> whenTrue, node.integers("nodes_truenodeids"));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> whenFalse, node.integers("nodes_falsenodeids"));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> trueIsLeaf, node.integers("nodes_trueleafs"));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> falseIsLeaf, node.integers("nodes_falseleafs"));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> missing, integersOrNone(node, "nodes_missing_value_tracks_true"));
  const size_t size = features.size();
  HONE_RETURN_IF_ERROR(checkLength("nodes_modes", modes, size));
  HONE_RETURN_IF_ERROR(checkLength("nodes_splits", splits, size));
  HONE_RETURN_IF_ERROR(checkLength("nodes_truenodeids", whenTrue, size));
  HONE_RETURN_IF_ERROR(checkLength("nodes_falsenodeids", whenFalse, size));
  HONE_RETURN_IF_ERROR(checkLength("nodes_trueleafs", trueIsLeaf, size));
  HONE_RETURN_IF_ERROR(checkLength("nodes_falseleafs", falseIsLeaf, size));
  HONE_RETURN_IF_ERROR(checkLength("nodes_missing_value_tracks_true", missing, size, true));
  std::vector<size_t> askers;
  for (size_t i = 0; i < size; ++i) {
    Node inner;
    inner.feature = features[i];
    inner.threshold = splits[i];
    inner.missingIsTrue = !missing.empty() && missing[i] != 0;
    HONE_ASSIGN_OR_RETURN(inner.whenTrue, childPlace(whenTrue[i], trueIsLeaf[i] != 0, ensemble.leaves, size));
    HONE_ASSIGN_OR_RETURN(inner.whenFalse, childPlace(whenFalse[i], falseIsLeaf[i] != 0, ensemble.leaves, size));
    if (!(modes[i] >= 0 && modes[i] <= static_cast<double>(kMember))) {
      return invalid("attribute 'nodes_modes' has ", modes[i], "; 0 to ", kMember, " are known");
    }
    const auto mode = static_cast<size_t>(modes[i]);
    if (mode == kMember) {
      askers.push_back(i);
    } else {
      inner.comparison = kComparisons[mode].second;
    }
    ensemble.nodes.push_back(inner);
  }
  for (const int64_t root : roots) {
    HONE_ASSIGN_OR_RETURN(int64_t place, childPlace(root, false, ensemble.leaves, size));
    ensemble.roots.push_back(place);
  }
  HONE_RETURN_IF_ERROR(readMembers(node, askers, ensemble));
  return ensemble;
}

}  // namespace hone::frontend
