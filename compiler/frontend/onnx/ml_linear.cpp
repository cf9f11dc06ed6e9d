// Linear models: products of rows of features with coefficients.
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/ml_operators.h"
#include "compiler/frontend/onnx/ml_scores.h"

namespace hone::frontend {
namespace {

/// Rows times coefficients, with intercepts: [rows, count]. A \p count of 0 follows from the number of coefficients.
Result linearScores(NodeContext &node, int64_t count) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(ValueId rows, featureRows(node, DType::F32));
  const int64_t features = build.shape(rows)[1];
  HONE_ASSIGN_OR_RETURN(std::vector<double> coefficients, node.reals("coefficients"));
  HONE_ASSIGN_OR_RETURN(std::vector<double> intercepts, realsOrNone(node, "intercepts"));
  const auto given = static_cast<int64_t>(coefficients.size());
  if (count == 0 && features != 0) count = given / features;
  if (count < 1 || given / count != features || given % count != 0) {
    return invalid("attribute 'coefficients' has ", given, " entries, which are not ", count == 0 ? 1 : count,
                   " for each of ", features, " features");
  }
  if (!intercepts.empty() && static_cast<int64_t>(intercepts.size()) != count) {
    return invalid("attribute 'intercepts' has ", intercepts.size(), " entries instead of ", count);
  }
  Result scores = build.matMul(rows, constantOf(build, DType::F32, {count, features}, coefficients), false, true);
  if (intercepts.empty()) return scores;
  return build.apply(ScalarOp::Add, {scores, constantOf(build, DType::F32, {count}, intercepts)});
}

}  // namespace

Result importLinearRegressor(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t targets, node.integer("targets", 1));
  if (targets < 1) return invalid("attribute 'targets' is ", targets);
  HONE_ASSIGN_OR_RETURN(PostTransform transform, readPostTransform(node));
  return transformed(node.build, linearScores(node, targets), transform);
}

// One score for two classes is the second's.
Result importLinearClassifier(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(ClassLabels labels, readLabels(node, "classlabels_ints", "classlabels_strings"));
  HONE_ASSIGN_OR_RETURN(PostTransform transform, readPostTransform(node));
  HONE_ASSIGN_OR_RETURN(ValueId scores, linearScores(node, 0));
  const int64_t count = build.shape(scores)[1];
  if (labels.count() != (count == 1 ? 2 : count)) {
    return invalid(labels.count(), " labels for ", count == 1 ? 2 : count, " classes");
  }
  if (count == 1) {
    HONE_ASSIGN_OR_RETURN(ValueId both, twoClasses(build, scores, transform, true));
    node.addOutput(both);
    Result isSecond = build.apply(ScalarOp::Less, {build.number(DType::F32, 0), scores});
    return labelWhere(build, isSecond, labels.numbers[1], labels.numbers[0]);
  }
  HONE_ASSIGN_OR_RETURN(ValueId result, transformed(build, scores, transform));
  node.addOutput(result);
  return labelsAt(build, labels, highestClass(build, scores));
}

}  // namespace hone::frontend
