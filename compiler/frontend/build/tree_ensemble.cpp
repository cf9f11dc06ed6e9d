#include "compiler/frontend/build/tree_ensemble.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <type_traits>

#include "compiler/base/status.h"
#include "compiler/graph/constants.h"
#include "compiler/tensor/kernel_builder.h"

namespace hone::frontend {
namespace {

using Comparison = TreeEnsemble::Comparison;
using Node = TreeEnsemble::Node;
using tensor::Index;
using tensor::Scalar;

// Every level is a step for all trees: a chain of nodes is not a tree that somebody has trained.
constexpr int64_t kDeepest = 4096;
// Weights are a table of leaves and targets, most of which a small model could leave empty.
constexpr int64_t kMostWeights = int64_t{1} << 26;

int64_t placesOf(const TreeEnsemble &ensemble) { return ensemble.leaves + static_cast<int64_t>(ensemble.nodes.size()); }

absl::Status checkPlaces(const TreeEnsemble &ensemble, int64_t features) {
  const int64_t places = placesOf(ensemble);
  if (ensemble.leaves == 0 || ensemble.roots.empty()) return invalid("the trees have no leaves");
  if (places > std::numeric_limits<int32_t>::max()) return unsupported(places, " nodes of trees");
  const auto isPlace = [&](int64_t place) { return place >= 0 && place < places; };
  for (const int64_t root : ensemble.roots) {
    if (!isPlace(root)) return invalid("a tree begins at a node that is not there");
  }
  for (const Node &node : ensemble.nodes) {
    if (node.feature < 0 || node.feature >= features) {
      return invalid("a tree asks for feature ", node.feature, " of rows of ", features);
    }
    if (!isPlace(node.whenTrue) || !isPlace(node.whenFalse))
      return invalid("a branch leads to a node that is not there");
  }
  return absl::OkStatus();
}

/// The number of comparisons on the longest way to a leaf. Places are valid.
absl::StatusOr<int64_t> depthOf(const TreeEnsemble &ensemble) {
  constexpr int64_t kUnseen = -1, kOpen = -2;
  std::vector<int64_t> depths(ensemble.nodes.size(), kUnseen);
  std::vector<size_t> stack;  // no recursion: a chain may be as long as the file
  const auto position = [&](int64_t place) { return static_cast<size_t>(place - ensemble.leaves); };
  int64_t deepest = 0;
  for (const int64_t root : ensemble.roots) {
    if (root < ensemble.leaves) continue;
    stack.push_back(position(root));
    while (!stack.empty()) {
      const size_t current = stack.back();
      if (depths[current] >= 0) {
        stack.pop_back();
        continue;
      }
      depths[current] = kOpen;
      int64_t below = 0;
      bool isReady = true;
      for (const int64_t child : {ensemble.nodes[current].whenTrue, ensemble.nodes[current].whenFalse}) {
        if (child < ensemble.leaves) continue;
        const int64_t depth = depths[position(child)];
        if (depth == kOpen) return invalid("the branches of a tree lead back to where they came from");
        if (depth == kUnseen) {
          stack.push_back(position(child));
          isReady = false;
        }
        below = std::max(below, depth);
      }
      if (isReady) depths[current] = below + 1;
    }
    deepest = std::max(deepest, depths[position(root)]);
  }
  if (deepest > kDeepest) return unsupported("a tree of ", deepest, " levels; at most ", kDeepest);
  return deepest;
}

Scalar compared(Comparison comparison, const Scalar &value, const Scalar &threshold) {
  const auto lessEqual = [](const Scalar &a, const Scalar &b) { return tensor::apply(ScalarOp::LessEqual, {a, b}); };
  switch (comparison) {
    case Comparison::LessEqual:
      return lessEqual(value, threshold);
    case Comparison::Less:
      return tensor::less(value, threshold);
    case Comparison::GreaterEqual:
      return lessEqual(threshold, value);
    case Comparison::Greater:
      return tensor::less(threshold, value);
    case Comparison::Equal:
      return tensor::equal(value, threshold);
    case Comparison::NotEqual:
      return tensor::negation(tensor::equal(value, threshold));
  }
  return value;
}

/// The kernel that walks, and the tables that are its operands behind the data.
class Walk {
 public:
  Walk(Builder &build, const TreeEnsemble &ensemble, const graph::TensorType &data, int64_t depth)
      : build_(build), ensemble_(ensemble), dtype_(data.dtype), depth_(depth), b_("walk_trees") {
    data_ = b_.input("data", data.shape, dtype_);
    rows_ = data.shape[0];
    features_ = data.shape[1];
  }

  Result run(Result data) {
    const auto trees = static_cast<int64_t>(ensemble_.roots.size());
    operands_.push_back(std::move(data));
    const int roots = operand("roots", DType::I32, ensemble_.roots);
    const int feature = table("feature", DType::I32, 0, [](const Node &node) { return node.feature; });
    const int threshold = table("threshold", dtype_, 0.0, [](const Node &node) { return node.threshold; });
    const int whenTrue = children("when_true", [](const Node &node) { return node.whenTrue; });
    const int whenFalse = children("when_false", [](const Node &node) { return node.whenFalse; });
    const int place = b_.output("place", {rows_, trees}, DType::I32);

    b_.begin("start", {tensor::parallel("row", rows_), tensor::parallel("tree", trees)});
    b_.put(b_.get(roots, {tensor::dim(1)}), place, {tensor::dim(0), tensor::dim(1)});
    b_.begin("level", {tensor::scan("level", depth_), tensor::parallel("row", rows_), tensor::parallel("tree", trees)});
    const Index row = tensor::dim(1), tree = tensor::dim(2);
    node_ = tensor::clamp(tensor::load(place, {row, tree}), 0, placesOf(ensemble_) - 1);
    const Index column = tensor::clamp(tensor::load(feature, {node_}), 0, features_ - 1);
    const Scalar value = b_.get(data_, {row, column});
    const Scalar isTrue = decision(value, b_.get(threshold, {node_}));
    b_.put(tensor::select(isTrue, b_.get(whenTrue, {node_}), b_.get(whenFalse, {node_})), place, {row, tree});
    return build_.compute(b_.finish(), operands_);
  }

 private:
  /// Whether the way of true is taken, whatever the comparisons of the nodes are.
  Scalar decision(const Scalar &value, const Scalar &threshold) {
    std::set<Comparison> used;
    bool hasMissing = false;
    for (const Node &node : ensemble_.nodes) {
      used.insert(node.comparison);
      hasMissing = hasMissing || node.missingIsTrue;
    }
    Scalar result = compared(*used.begin(), value, threshold);
    if (used.size() > 1) {
      const auto number = [](Comparison comparison) { return static_cast<int64_t>(comparison); };
      const int kinds = table("comparison", DType::I32, 0, [&](const Node &node) { return number(node.comparison); });
      const Scalar kind = b_.get(kinds, {node_});
      for (const Comparison comparison : used) {
        const Scalar isThis = tensor::equal(kind, tensor::number(static_cast<double>(number(comparison)), DType::I32));
        result = tensor::select(isThis, compared(comparison, value, threshold), result);
      }
    }
    if (hasMissing) {
      const int missing = table("missing", DType::I32, 0, [](const Node &node) { return node.missingIsTrue ? 1 : 0; });
      const Scalar isTaken = tensor::equal(b_.get(missing, {node_}), tensor::number(1, DType::I32));
      result = tensor::either(result, tensor::both(isTaken, tensor::apply(ScalarOp::IsNan, {value})));
    }
    return result;
  }

  template <typename T>
  int operand(const char *name, DType dtype, const std::vector<T> &values) {
    const Shape shape = {static_cast<int64_t>(values.size())};
    operands_.push_back(build_.constant(graph::makeConstant({dtype, shape}, values)));
    return b_.input(name, shape, dtype);
  }

  /// An element for each place; leaves have \p ofLeaf.
  template <typename T, typename Element>
  int table(const char *name, DType dtype, T ofLeaf, const Element &element) {
    using Stored = std::conditional_t<std::is_floating_point_v<T>, double, int64_t>;
    std::vector<Stored> values(static_cast<size_t>(ensemble_.leaves), ofLeaf);
    for (const Node &node : ensemble_.nodes) values.push_back(element(node));
    return operand(name, dtype, values);
  }

  /// The same for the next places; a leaf is its own.
  template <typename Element>
  int children(const char *name, const Element &element) {
    std::vector<int64_t> values;
    for (int64_t leaf = 0; leaf < ensemble_.leaves; ++leaf) values.push_back(leaf);
    for (const Node &node : ensemble_.nodes) values.push_back(element(node));
    return operand(name, DType::I32, values);
  }

  Builder &build_;
  const TreeEnsemble &ensemble_;
  DType dtype_;
  int64_t depth_, rows_ = 0, features_ = 0;
  tensor::KernelBuilder b_;
  int data_ = -1;
  Index node_;
  std::vector<Result> operands_;
};

/// \p table [leaves, targets], gathered for each of \p leaves [rows, trees] and combined by \p kind.
Result combined(Builder &build, const TreeEnsemble &ensemble, Result leaves, const std::vector<double> &table,
                DType dtype, tensor::CombinerKind kind) {
  if (!leaves.ok()) return leaves;
  const graph::TensorType places = build.type(*leaves);
  const int64_t rows = places.shape[0], trees = places.shape[1];
  const Shape shape = {ensemble.leaves, ensemble.targets};
  tensor::KernelBuilder b("leaf_weights");
  const int place = b.input("place", places.shape, places.dtype), weights = b.input("weights", shape, dtype);
  const int result = b.output("result", {rows, ensemble.targets}, dtype);
  b.begin("combine",
          {tensor::parallel("row", rows), tensor::parallel("target", ensemble.targets), tensor::reduce("tree", trees)});
  b.fold(kind);
  const Index row = tensor::dim(0), target = tensor::dim(1), tree = tensor::dim(2);
  const Index leaf = tensor::clamp(tensor::load(place, {row, tree}), 0, ensemble.leaves - 1);
  b.put(b.get(weights, {leaf, target}), result, {row, target});
  return build.compute(b.finish(), {leaves, build.constant(graph::makeConstant({dtype, shape}, table))});
}

/// The size of a table of all leaves and targets.
absl::StatusOr<size_t> tableSize(const Builder &build, const TreeEnsemble &ensemble) {
  HONE_RETURN_IF_ERROR(build.checkSize({DType::F32, {ensemble.leaves, ensemble.targets}}));
  const int64_t size = ensemble.leaves * ensemble.targets;
  if (size <= kMostWeights) return static_cast<size_t>(size);
  return unsupported("trees of ", ensemble.leaves, " leaves and ", ensemble.targets, " targets; their product may be ",
                     kMostWeights, " at most");
}

}  // namespace

Result leavesOf(Builder &build, const TreeEnsemble &ensemble, Result data) {
  if (!data.ok()) return data;
  const graph::TensorType type = build.type(*data);
  HONE_RETURN_IF_ERROR(checkPlaces(ensemble, type.shape[1]));
  HONE_ASSIGN_OR_RETURN(int64_t depth, depthOf(ensemble));
  const auto trees = static_cast<int64_t>(ensemble.roots.size());
  if (depth == 0) {
    Result roots = build.constant(graph::makeConstant({DType::I32, {1, trees}}, ensemble.roots));
    return build.broadcast(roots, {type.shape[0], trees});
  }
  return Walk(build, ensemble, type, depth).run(data);
}

Result aggregated(Builder &build, const TreeEnsemble &ensemble, Result leaves, Aggregate aggregate, DType dtype) {
  const bool isSum = aggregate == Aggregate::Sum || aggregate == Aggregate::Average;
  const double infinity = std::numeric_limits<double>::infinity();
  const double none = isSum ? 0 : aggregate == Aggregate::Min ? infinity : -infinity;
  HONE_ASSIGN_OR_RETURN(size_t size, tableSize(build, ensemble));
  std::vector<double> table(size, none);
  for (const TreeEnsemble::Weight &weight : ensemble.weights) {
    double &cell = table[static_cast<size_t>(weight.leaf * ensemble.targets + weight.target)];
    if (isSum) cell += weight.value;
    if (aggregate == Aggregate::Min) cell = std::min(cell, weight.value);
    if (aggregate == Aggregate::Max) cell = std::max(cell, weight.value);
  }
  const tensor::CombinerKind kind = isSum                         ? tensor::CombinerKind::Sum
                                    : aggregate == Aggregate::Min ? tensor::CombinerKind::Min
                                                                  : tensor::CombinerKind::Max;
  Result result = combined(build, ensemble, leaves, table, dtype, kind);
  if (aggregate == Aggregate::Average) {
    return build.apply(ScalarOp::Div, {result, build.number(dtype, static_cast<double>(ensemble.roots.size()))});
  }
  if (isSum) return result;
  Result isNone = build.apply(ScalarOp::Equal, {result, build.number(dtype, none)});
  return build.apply(ScalarOp::Select, {isNone, build.number(dtype, 0), result});
}

Result presence(Builder &build, const TreeEnsemble &ensemble, Result leaves) {
  HONE_ASSIGN_OR_RETURN(size_t size, tableSize(build, ensemble));
  std::vector<double> table(size, 0);
  for (const TreeEnsemble::Weight &weight : ensemble.weights) {
    table[static_cast<size_t>(weight.leaf * ensemble.targets + weight.target)] = 1;
  }
  return build.cast(combined(build, ensemble, leaves, table, DType::F32, tensor::CombinerKind::Max), DType::Bool);
}

std::vector<bool> alwaysPresent(const TreeEnsemble &ensemble) {
  std::vector<std::vector<int64_t>> targetsOf(static_cast<size_t>(ensemble.leaves));
  for (const TreeEnsemble::Weight &weight : ensemble.weights) {
    targetsOf[static_cast<size_t>(weight.leaf)].push_back(weight.target);
  }
  std::vector<bool> result(static_cast<size_t>(ensemble.targets), false);
  std::vector<bool> seen(static_cast<size_t>(placesOf(ensemble)), false);
  for (const int64_t root : ensemble.roots) {
    std::map<int64_t, int64_t> counts;  // by target: the leaves of this tree that have a weight for it
    int64_t leaves = 0;
    bool isShared = false;  // with another tree, or between branches: then it proves nothing
    std::vector<int64_t> ways = {root};
    while (!ways.empty()) {
      const auto place = static_cast<size_t>(ways.back());
      ways.pop_back();
      isShared = isShared || seen[place];
      if (seen[place]) continue;
      seen[place] = true;
      if (place >= targetsOf.size()) {
        const Node &node = ensemble.nodes[place - targetsOf.size()];
        ways.insert(ways.end(), {node.whenTrue, node.whenFalse});
        continue;
      }
      ++leaves;
      const std::set<int64_t> targets(targetsOf[place].begin(), targetsOf[place].end());
      for (const int64_t target : targets) ++counts[target];
    }
    for (const auto &[target, count] : counts) {
      if (!isShared && count == leaves) result[static_cast<size_t>(target)] = true;
    }
  }
  return result;
}

}  // namespace hone::frontend
