// Operators that select elements: how many depends on data, which therefore has to be constant.
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

/// The operand, or the reason why it cannot be one that is computed at run time.
absl::StatusOr<const graph::ConstantData *> selector(const NodeContext &node, int position, std::string_view what) {
  absl::StatusOr<const graph::ConstantData *> constant = node.constantInput(position, what);
  if (constant.ok()) return constant;
  return unsupported(constant.status().message(), "; ", std::string(kSizeDependsOnData));
}

}  // namespace

Result importCompress(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(const graph::ConstantData *condition, selector(node, 1, "condition"));
  if (condition->type.dtype != DType::Bool || condition->type.shape.size() != 1) {
    return invalid("operand 1 (condition) is ", graph::typeText(condition->type), ", not a list of bools");
  }
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < condition->type.elements(); ++i) {
    if (graph::elementAsInteger(*condition, i) != 0) chosen.push_back(i);
  }
  if (!node.hasAttribute("axis")) {
    Result flat = build.reshape(node.input(0), {build.type(node.input(0)).elements()});
    return build.gather(flat, build.integers(chosen), 0);
  }
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis"));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  return build.gather(node.input(0), build.integers(chosen), axis);
}

// One row per dim, one column per element that is not 0.
Result importNonZero(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(const graph::ConstantData *data, selector(node, 0, "data"));
  const Shape &shape = data->type.shape;
  // numpy sees a scalar as a list of one.
  const Shape extents = shape.empty() ? Shape{1} : shape;
  std::vector<int64_t> found;
  for (int64_t i = 0; i < data->type.elements(); ++i) {
    if (graph::elementAsDouble(*data, i) != 0) found.push_back(i);
  }
  std::vector<int64_t> positions;
  int64_t behind = data->type.elements();
  for (int64_t extent : extents) {
    if (extent == 0) break;
    behind /= extent;
    for (int64_t i : found) positions.push_back(i / behind % extent);
  }
  const auto rows = static_cast<int64_t>(extents.size()), columns = static_cast<int64_t>(found.size());
  return node.build.constant(graph::makeConstant({DType::I64, {rows, columns}}, positions));
}

}  // namespace hone::frontend
