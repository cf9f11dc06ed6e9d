#include <optional>

#include "compiler/graph/passes.h"
#include "compiler/graph/recognize.h"
#include "compiler/graph/rewriter.h"

namespace hone::graph {
namespace {

using Result = std::optional<ValueId>;

/// x where \p value is x minus its maximum along \p axis and nothing else reads that; \p value itself otherwise:
/// the maximum is only there against overflow, which Softmax sees to anyway.
ValueId withoutMaximum(const Rewriter &rewriter, ValueId value, int64_t axis, int uses) {
  const Node *difference = rewriter.producer(value, ScalarOp::Sub);
  if (difference == nullptr || rewriter.uses(value) != uses) return value;
  const Node *maximum = reductionOf(rewriter, difference->inputs[1], ReduceKind::Max, difference->inputs[0]);
  bool fits = maximum != nullptr && rewriter.uses(maximum->output) == 1 && axesOf(*maximum) == std::vector{axis};
  return fits ? difference->inputs[0] : value;
}

/// exp(x) / sum(exp(x)), also as exp(x) * (1 / sum(exp(x))).
Result recognizeQuotient(Rewriter &rewriter, const Node &node) {
  std::optional<Quotient> quotient = matchQuotient(rewriter, node);
  if (!quotient) return std::nullopt;
  const Node *exponential = rewriter.producer(quotient->dividend, ScalarOp::Exp);
  const Node *sum = reductionOf(rewriter, quotient->divisor, ReduceKind::Sum, quotient->dividend);
  if (exponential == nullptr || sum == nullptr || axesOf(*sum).size() != 1) return std::nullopt;
  if (rewriter.uses(exponential->output) != 2 || rewriter.uses(sum->output) != 1) return std::nullopt;
  int64_t axis = axesOf(*sum)[0];
  ValueId data = withoutMaximum(rewriter, exponential->inputs[0], axis, 1);
  return rewriter.add(Op::Softmax, {data}, AxisAttributes{axis}, std::nullopt, {exponential, sum});
}

/// log(softmax(x))
Result recognizeLogarithm(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Log)) return std::nullopt;
  const Node *softmax = rewriter.producer(node.inputs[0], Op::Softmax);
  if (softmax == nullptr || rewriter.uses(softmax->output) != 1) return std::nullopt;
  return rewriter.add(Op::LogSoftmax, softmax->inputs, softmax->attributes, std::nullopt, {softmax});
}

/// x - log(sum(exp(x)))
Result recognizeLogarithmOfSum(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Sub)) return std::nullopt;
  const Node *logarithm = rewriter.producer(node.inputs[1], ScalarOp::Log);
  if (logarithm == nullptr || rewriter.uses(logarithm->output) != 1) return std::nullopt;
  const Node *sum = rewriter.producer(logarithm->inputs[0], Op::Reduce);
  const Node *exponential = sum == nullptr ? nullptr : rewriter.producer(sum->inputs[0], ScalarOp::Exp);
  if (exponential == nullptr || exponential->inputs[0] != node.inputs[0]) return std::nullopt;
  bool fits = reductionOf(rewriter, sum->output, ReduceKind::Sum, exponential->output) != nullptr &&
              axesOf(*sum).size() == 1 && rewriter.uses(sum->output) == 1 && rewriter.uses(exponential->output) == 1;
  if (!fits) return std::nullopt;
  int64_t axis = axesOf(*sum)[0];
  ValueId data = withoutMaximum(rewriter, node.inputs[0], axis, 2);
  return rewriter.add(Op::LogSoftmax, {data}, AxisAttributes{axis}, std::nullopt, {exponential, sum, logarithm});
}

}  // namespace

absl::Status recognizeSoftmax(Graph &graph) {
  Rewriter(graph).run({recognizeQuotient, recognizeLogarithm, recognizeLogarithmOfSum});
  return absl::OkStatus();
}

}  // namespace hone::graph
