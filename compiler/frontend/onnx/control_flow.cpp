// Control flow. A branch that is known is taken; of an unknown one both sides are computed, and the condition chooses.
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

/// Values of the same types, chosen at run time. Both sides are pure, so that computing one in vain changes nothing.
absl::StatusOr<ValueId> choose(NodeContext &node, size_t position, ValueId whenTrue, ValueId whenFalse) {
  Builder &build = node.build;
  const graph::TensorType &a = build.type(whenTrue), &b = build.type(whenFalse);
  if (a != b) {
    return unsupported("output ", position, " is ", graph::typeText(a), " in one branch and ", graph::typeText(b),
                       " in the other, and which one is taken depends on the contents of the network's inputs");
  }
  Result condition = build.reshape(node.input(0), {});
  return build.apply(ScalarOp::Select, {condition, whenTrue, whenFalse});
}

}  // namespace

Result importIf(NodeContext &node) {
  Builder &build = node.build;
  if (node.dtype(0) != DType::Bool || build.type(node.input(0)).elements() != 1) {
    return invalid("the condition is ", graph::typeText(build.type(node.input(0))), ", not one bool");
  }
  std::vector<ValueId> results;
  if (const graph::ConstantData *condition = build.constant(node.input(0))) {
    bool isTrue = graph::elementAsInteger(*condition, 0) != 0;
    HONE_ASSIGN_OR_RETURN(results, node.subgraph(isTrue ? "then_branch" : "else_branch"));
  } else {
    HONE_ASSIGN_OR_RETURN(results, node.subgraph("then_branch"));
    HONE_ASSIGN_OR_RETURN(std::vector<ValueId> others, node.subgraph("else_branch"));
    if (results.size() != others.size()) return invalid("its branches differ in the number of their outputs");
    for (size_t i = 0; i < results.size(); ++i) {
      HONE_ASSIGN_OR_RETURN(results[i], choose(node, i, results[i], others[i]));
    }
  }
  if (results.empty()) return invalid("its branches have no outputs");
  for (size_t i = 1; i < results.size(); ++i) node.addOutput(results[i]);
  return results[0];
}

}  // namespace hone::frontend
