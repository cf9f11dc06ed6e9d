// Ensembles of decision trees: regression, classification, and the form of version 5 that is both.
#include <algorithm>
#include <limits>

#include "compiler/base/status.h"
#include "compiler/frontend/build/tree_ensemble.h"
#include "compiler/frontend/onnx/ml_operators.h"
#include "compiler/frontend/onnx/ml_scores.h"
#include "compiler/frontend/onnx/tree_attributes.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

constexpr Aggregate kAggregates[] = {Aggregate::Average, Aggregate::Sum, Aggregate::Min, Aggregate::Max};

absl::StatusOr<Aggregate> readAggregate(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::string name, node.text("aggregate_function", "SUM"));
  constexpr const char *kNames[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (name == kNames[i]) return kAggregates[i];
  }
  return invalid("attribute 'aggregate_function' is '", name, "', not AVERAGE, SUM, MIN or MAX");
}

/// Doubles are compared and added up as such, everything else as float.
DType dtypeOfScores(const NodeContext &node) { return node.dtype(0) == DType::F64 ? DType::F64 : DType::F32; }

/// \p scores with the base values, which are one for each of \p count columns, or none.
Result withBase(Builder &build, Result scores, const std::vector<double> &base, int64_t count) {
  if (base.empty() || !scores.ok()) return scores;
  if (static_cast<int64_t>(base.size()) != count) {
    return invalid("attribute 'base_values' has ", base.size(), " entries instead of ", count);
  }
  return build.apply(Op::Add, {scores, constantOf(build, build.dtype(*scores), {count}, base)});
}

Result column(Builder &build, const Result &scores, int64_t position) {
  if (!scores.ok()) return scores;
  return build.slice(scores, {0, position}, {1, 1}, {build.shape(*scores)[0], 1});
}

/// What a classifier has found out.
struct Classified {
  ValueId labels, scores;
};

absl::StatusOr<Classified> classified(const Result &labels, const Result &scores) {
  if (!labels.ok()) return labels.status();
  if (!scores.ok()) return scores.status();
  return Classified{*labels, *scores};
}

// The rules of ONNX Runtime, where ONNX leaves them open.
class TreeClassifier {
 public:
  TreeClassifier(NodeContext &node, TreeEnsemble ensemble, ClassLabels labels)
      : build_(node.build), ensemble_(std::move(ensemble)), labels_(std::move(labels)) {}

  absl::StatusOr<Classified> run(Result data, const std::vector<double> &base, PostTransform transform, DType dtype) {
    leaves_ = leavesOf(build_, ensemble_, std::move(data));
    Result sums = aggregated(build_, ensemble_, leaves_, Aggregate::Sum, dtype);
    if (!sums.ok()) return sums.status();
    isPresent_ = alwaysPresent(ensemble_);
    return labels_.count() == 2 ? ofTwo(sums, base, transform) : ofMany(sums, base, transform);
  }

 private:
  bool hasWeightFor(int64_t target) const {
    return std::any_of(ensemble_.weights.begin(), ensemble_.weights.end(),
                       [&](const TreeEnsemble::Weight &weight) { return weight.target == target; });
  }

  Result isAbove(const Result &score, double threshold) {
    if (!score.ok()) return score;
    return build_.apply(Op::Less, {build_.number(build_.dtype(*score), threshold), score});
  }

  /// A class for which none of the leaves has a weight cannot win, whatever the others' scores are.
  absl::StatusOr<Classified> ofMany(Result sums, const std::vector<double> &base, PostTransform transform) {
    Result scores = withBase(build_, sums, base, labels_.count());
    Result candidates = scores;
    const bool isComplete = std::all_of(isPresent_.begin(), isPresent_.end(), [](bool present) { return present; });
    if (base.empty() && !isComplete && scores.ok()) {
      Result none = build_.number(build_.dtype(*scores), -std::numeric_limits<double>::infinity());
      candidates = build_.apply(Op::Select, {presence(build_, ensemble_, leaves_), scores, none});
    }
    return classified(labelsAt(build_, labels_, highestClass(build_, candidates)),
                      transformed(build_, scores, transform));
  }

  absl::StatusOr<Classified> ofTwo(const Result &sums, const std::vector<double> &base, PostTransform transform) {
    if (base.size() > 1) {
      return unsupported(
          "two base values for two classes, of which runtimes take one or the other; add them to the "
          "weights of one of the trees");
    }
    Result first = withBase(build_, column(build_, sums, 0), base, 1), second = column(build_, sums, 1);
    const bool hasFirst = hasWeightFor(0), hasSecond = hasWeightFor(1);
    const bool isPositive = std::all_of(ensemble_.weights.begin(), ensemble_.weights.end(),
                                        [](const TreeEnsemble::Weight &weight) { return weight.value >= 0; });
    const double threshold = isPositive ? 0.5 : 0;
    const int64_t no = labels_.numbers[0], yes = labels_.numbers[1];
    if (!hasSecond) {
      // The one score is the second class's; weights that are all positive are taken for probabilities.
      return classified(labelWhere(build_, isAbove(first, threshold), yes, no),
                        twoClasses(build_, first, transform, isPositive));
    }
    if (!hasFirst) {
      Result none = build_.apply(Op::Mul, {second, build_.number(build_.dtype(*second), 0)});
      return classified(labelWhere(build_, isAbove(second, threshold), yes, no),
                        transformed(build_, build_.concat({none, second}, 1), transform));
    }
    return ofBoth(first, second, !base.empty(), transform);
  }

  /// Both classes have weights: the second wins where its score is positive, and the labels are then 1 and 0. Where the
  /// leaves of a row have none for it, the first's score stands for it.
  absl::StatusOr<Classified> ofBoth(const Result &first, const Result &second, bool hasBase, PostTransform transform) {
    Result deciding = second, scores = transformed(build_, build_.concat({first, second}, 1), transform);
    if (!isPresent_[1]) {
      Result isThere = column(build_, presence(build_, ensemble_, leaves_), 1);
      deciding = build_.apply(Op::Select, {isThere, second, first});
      if (!hasBase) {
        scores = build_.apply(Op::Select, {isThere, scores, twoClasses(build_, first, transform, false)});
      }
    }
    return classified(labelWhere(build_, isAbove(deciding, 0), 1, 0), scores);
  }

  Builder &build_;
  TreeEnsemble ensemble_;
  ClassLabels labels_;
  Result leaves_ = kOmitted;
  std::vector<bool> isPresent_;
};

}  // namespace

Result importTreeEnsembleRegressor(NodeContext &node) {
  Builder &build = node.build;
  const DType dtype = dtypeOfScores(node);
  HONE_ASSIGN_OR_RETURN(int64_t targets, node.integer("n_targets", 1));
  if (targets < 1) return invalid("attribute 'n_targets' is ", targets);
  HONE_ASSIGN_OR_RETURN(TreeEnsemble ensemble, readNodeLists(node, "target", targets));
  HONE_ASSIGN_OR_RETURN(Aggregate aggregate, readAggregate(node));
  HONE_ASSIGN_OR_RETURN(PostTransform transform, readPostTransform(node));
  HONE_ASSIGN_OR_RETURN(std::vector<double> base, realsOrTensor(node, "base_values"));
  Result leaves = leavesOf(build, ensemble, featureRows(node, dtype));
  Result scores = withBase(build, aggregated(build, ensemble, leaves, aggregate, dtype), base, targets);
  return build.cast(transformed(build, scores, transform), DType::F32);
}

Result importTreeEnsembleClassifier(NodeContext &node) {
  Builder &build = node.build;
  const DType dtype = dtypeOfScores(node);
  HONE_ASSIGN_OR_RETURN(ClassLabels labels, readLabels(node, "classlabels_int64s", "classlabels_strings"));
  if (labels.count() < 2) return unsupported(labels.count(), " classes; a classifier has 2 or more");
  HONE_ASSIGN_OR_RETURN(TreeEnsemble ensemble, readNodeLists(node, "class", labels.count()));
  HONE_ASSIGN_OR_RETURN(PostTransform transform, readPostTransform(node));
  HONE_ASSIGN_OR_RETURN(std::vector<double> base, realsOrTensor(node, "base_values"));
  TreeClassifier classifier(node, std::move(ensemble), std::move(labels));
  HONE_ASSIGN_OR_RETURN(Classified result, classifier.run(featureRows(node, dtype), base, transform, dtype));
  HONE_ASSIGN_OR_RETURN(ValueId scores, build.cast(result.scores, DType::F32));
  node.addOutput(scores);
  return result.labels;
}

Result importTreeEnsemble(NodeContext &node) {
  Builder &build = node.build;
  const DType dtype = dtypeOfScores(node);
  // By number, as ONNX has them. (ONNX Runtime 1.32 takes 1 for LOGISTIC and 2 for SOFTMAX.)
  constexpr PostTransform kTransforms[] = {PostTransform::None, PostTransform::Softmax, PostTransform::Logistic,
                                           PostTransform::SoftmaxZero, PostTransform::Probit};
  HONE_ASSIGN_OR_RETURN(int64_t aggregate, node.integer("aggregate_function", 1));
  HONE_ASSIGN_OR_RETURN(int64_t transform, node.integer("post_transform", 0));
  if (aggregate < 0 || aggregate >= static_cast<int64_t>(std::size(kAggregates))) {
    return invalid("attribute 'aggregate_function' is ", aggregate, ", not 0 to 3");
  }
  if (transform < 0 || transform >= static_cast<int64_t>(std::size(kTransforms))) {
    return invalid("attribute 'post_transform' is ", transform, ", not 0 to 4");
  }
  HONE_ASSIGN_OR_RETURN(TreeEnsemble ensemble, readLeafLists(node));
  Result leaves = leavesOf(build, ensemble, featureRows(node, dtype));
  Result scores = aggregated(build, ensemble, leaves, kAggregates[aggregate], dtype);
  return build.cast(transformed(build, scores, kTransforms[transform]), node.dtype(0));
}

}  // namespace hone::frontend
