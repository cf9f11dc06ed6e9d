// The Builder's ops of loops that are run as such.
#include "compiler/base/status.h"
#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

using graph::Op;

Result Builder::loopState(int64_t loop, int64_t state, Result initial, Shape shape) {
  if (!initial.ok()) return initial;
  HONE_RETURN_IF_ERROR(refuseBounded({initial}, "a state of a loop has sizes that depend on data"));
  const graph::TensorType type{dtype(*initial), std::move(shape)};
  Result result = emitNode(Op::LoopState, {initial}, graph::LoopAttributes{loop, state}, type);
  if (result.ok()) setElementType(*result, elementType(*initial));
  return result;
}

Result Builder::loopCollect(Result rows, Result row, Result index) {
  if (!row.ok()) return row;
  HONE_RETURN_IF_ERROR(refuseBounded({row}, "what each iteration of a loop leaves has sizes that depend on data"));
  return emitNode(Op::LoopCollect, {rows, row, index}, std::monostate(), std::nullopt);
}

Result Builder::loopEnd(int64_t loop, const std::vector<ValueId> &states, const std::vector<ValueId> &next) {
  std::vector<Result> operands(states.begin(), states.end());
  operands.insert(operands.end(), next.begin(), next.end());
  return emitNode(Op::LoopEnd, operands, graph::LoopAttributes{loop, -1}, std::nullopt);
}

Result Builder::loopResult(Result end, ValueId state) {
  Result result = emitNode(Op::LoopResult, {end, state}, std::monostate(), std::nullopt);
  if (result.ok()) setElementType(*result, elementType(state));
  return result;
}

}  // namespace hone::frontend
