#include "compiler/graph/recognize.h"

namespace hone::graph {

const Node *reductionOf(const Rewriter &rewriter, ValueId value, ReduceKind kind, ValueId data) {
  const Node *node = rewriter.producer(value, Op::Reduce);
  if (node == nullptr || node->inputs[0] != data) return nullptr;
  const auto &reduce = std::get<ReduceAttributes>(node->attributes);
  return reduce.kind == kind && reduce.keepDims ? node : nullptr;
}

const std::vector<int64_t> &axesOf(const Node &reduce) { return std::get<ReduceAttributes>(reduce.attributes).axes; }

std::optional<Quotient> matchQuotient(const Rewriter &rewriter, const Node &node) {
  auto typed = [&](ValueId dividend, ValueId divisor) -> std::optional<Quotient> {
    if (rewriter.type(dividend) != rewriter.type(node.output)) return std::nullopt;
    return Quotient{dividend, divisor};
  };
  if (isElementwise(node, ScalarOp::Div)) return typed(node.inputs[0], node.inputs[1]);
  if (!isElementwise(node, ScalarOp::Mul)) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    const Node *inverse = rewriter.producer(node.inputs[i], ScalarOp::Div);
    if (inverse == nullptr || rewriter.uses(inverse->output) != 1 || !rewriter.isNumber(inverse->inputs[0], 1))
      continue;
    if (auto quotient = typed(node.inputs[1 - i], inverse->inputs[1])) return quotient;
  }
  return std::nullopt;
}

}  // namespace hone::graph
