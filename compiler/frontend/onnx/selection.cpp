// Operators that select elements. How many, depends on data: results have room for all, and extents that say how many
// there are.
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
Result importCompress(NodeContext &node) {
  Builder &build = node.build;
  if (node.dtype(1) != DType::Bool || node.rank(1) != 1) {
    return invalid("operand 1 (condition) is ", graph::typeText(build.type(node.input(1))), ", not a list of bools");
  }
  HONE_ASSIGN_OR_RETURN(ValueId places, chosenPlaces(build, node.input(1)));
  if (!node.hasAttribute("axis")) return build.gather(flattened(build, node.input(0)), places, 0);
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis"));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  return build.gather(node.input(0), places, axis);
}

// One row per dim, one column per element that is not 0.
Result importNonZero(NodeContext &node) {
  Builder &build = node.build;
  const ValueId data = node.input(0);
  // numpy sees a scalar as a list of one.
  const Shape shape = node.rank(0) == 0 ? Shape{1} : node.shape(0);
  const int64_t all = build.type(data).elements();
  std::vector<int64_t> axes(static_cast<size_t>(node.rank(0)));
  std::iota(axes.begin(), axes.end(), 0);
  Result isChosen = build.cast(data, DType::Bool);
  if (isChosen.ok()) isChosen = build.withoutPadding(*isChosen, axes, build.number(DType::Bool, 0));
  HONE_ASSIGN_OR_RETURN(ValueId flat, build.asBounds(isChosen, {all}));
  HONE_ASSIGN_OR_RETURN(ValueId places, chosenPlaces(build, flat));
  std::vector<Result> rows;
  int64_t behind = all;
  for (int64_t extent : shape) {
    if (extent != 0) behind /= extent;
    Result index = build.apply(ScalarOp::Div, {places, build.integer(DType::I64, behind)});
    index = build.apply(ScalarOp::FloorMod, {index, build.integer(DType::I64, extent)});
    if (!index.ok()) return index;
    rows.push_back(build.reshape(index, {1, build.shape(*index)[0]}));
  }
  return build.concat(rows, 0);
}

}  // namespace hone::frontend
