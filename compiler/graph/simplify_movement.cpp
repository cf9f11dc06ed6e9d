#include <algorithm>
#include <cmath>

#include "compiler/graph/simplify_rules.h"

namespace hone::graph {
namespace {

/// Whether every value of \p from is one of \p to.
bool isWider(DType from, DType to) {
  if (from == DType::Bool || from == to) return true;
  if (isFloat(from)) return to == DType::F64 || (to == DType::F32 && sizeOf(from) == 2);
  if (isFloat(to)) return sizeOf(from) < (to == DType::F64 ? 8 : to == DType::F32 ? 3 : to == DType::F16 ? 2 : 0);
  if (to == DType::Bool) return false;
  if (isSigned(from) == isSigned(to)) return sizeOf(from) <= sizeOf(to);
  return isSigned(to) && sizeOf(from) < sizeOf(to);
}

bool isSequence(const std::vector<int64_t> &list) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

bool isAll(const Shape &list, int64_t value) {
  return std::all_of(list.begin(), list.end(), [value](int64_t entry) { return entry == value; });
}

}  // namespace

// ------------------------------------------------------------------------------------------------- identities

Result dropIdentity(Rewriter &rewriter, const Node &node) {
  if (node.inputs.empty() || rewriter.type(node.inputs[0]) != rewriter.type(node.output)) return std::nullopt;
  bool identity = false;
  switch (node.op) {
    case Op::Cast:
    case Op::Reshape:
    case Op::Broadcast:
    case Op::Pad:  // pads are not negative: the same type means that there are none
      identity = true;
      break;
    case Op::Transpose:
      identity = isSequence(std::get<TransposeAttributes>(node.attributes).permutation);
      break;
    case Op::Slice:
      identity = isAll(std::get<SliceAttributes>(node.attributes).starts, 0) &&
                 isAll(std::get<SliceAttributes>(node.attributes).steps, 1);
      break;
    case Op::Concat:
      identity = node.inputs.size() == 1;
      break;
    case Op::Reduce:
      identity = std::get<ReduceAttributes>(node.attributes).axes.empty();
      break;
    case Op::Pool: {
      const auto &pool = std::get<PoolAttributes>(node.attributes);
      identity = isAll(pool.kernel, 1) && isAll(pool.strides, 1) && isAll(pool.pads, 0);
      break;
    }
    default:
      break;
  }
  if (!identity) return std::nullopt;
  return node.inputs[0];
}

// ------------------------------------------------------------------------------------------- movement, in pairs

Result mergeReshapes(Rewriter &rewriter, const Node &node) {
  if (node.op != Op::Reshape) return std::nullopt;
  const Node *inner = rewriter.producer(node.inputs[0], Op::Reshape);
  if (inner == nullptr) return std::nullopt;
  return rewriter.add(Op::Reshape, {inner->inputs[0]}, {}, rewriter.type(node.output));
}

Result mergeTransposes(Rewriter &rewriter, const Node &node) {
  if (node.op != Op::Transpose) return std::nullopt;
  const Node *inner = rewriter.producer(node.inputs[0], Op::Transpose);
  if (inner == nullptr) return std::nullopt;
  TransposeAttributes merged;
  for (int64_t from : std::get<TransposeAttributes>(node.attributes).permutation) {
    merged.permutation.push_back(
        std::get<TransposeAttributes>(inner->attributes).permutation[static_cast<size_t>(from)]);
  }
  return rewriter.add(Op::Transpose, {inner->inputs[0]}, merged);
}

Result mergeBroadcasts(Rewriter &rewriter, const Node &node) {
  if (node.op != Op::Broadcast) return std::nullopt;
  const Node *inner = rewriter.producer(node.inputs[0], Op::Broadcast);
  if (inner == nullptr) return std::nullopt;
  return rewriter.add(Op::Broadcast, {inner->inputs[0]}, {}, rewriter.type(node.output));
}

Result transposeAsReshape(Rewriter &rewriter, const Node &node) {
  if (node.op != Op::Transpose) return std::nullopt;
  const Shape &shape = rewriter.type(node.inputs[0]).shape;
  std::vector<int64_t> moved;
  for (int64_t from : std::get<TransposeAttributes>(node.attributes).permutation) {
    if (shape[static_cast<size_t>(from)] != 1) moved.push_back(from);
  }
  if (!std::is_sorted(moved.begin(), moved.end())) return std::nullopt;
  return rewriter.add(Op::Reshape, {node.inputs[0]}, {}, rewriter.type(node.output));
}

Result mergeCasts(Rewriter &rewriter, const Node &node) {
  if (node.op != Op::Cast) return std::nullopt;
  const Node *inner = rewriter.producer(node.inputs[0], Op::Cast);
  if (inner == nullptr) return std::nullopt;
  ValueId source = inner->inputs[0];
  DType from = rewriter.type(source).dtype, middle = rewriter.type(node.inputs[0]).dtype;
  DType to = rewriter.type(node.output).dtype;
  if (!isWider(from, middle)) return std::nullopt;
  // An integer that comes from a float saturates, one that comes from an integer wraps.
  if (isInteger(from) && isFloat(middle) && isInteger(to) && !isWider(from, to)) return std::nullopt;
  return rewriter.add(Op::Cast, {source}, {}, rewriter.type(node.output));
}

Result mergePadIntoConv(Rewriter &rewriter, const Node &node) {
  if (node.op != Op::Conv) return std::nullopt;
  const Node *inner = rewriter.producer(node.inputs[0], Op::Pad);
  if (inner == nullptr) return std::nullopt;
  const auto &pad = std::get<PadAttributes>(inner->attributes);
  size_t rank = pad.pads.size() / 2, spatial = rank - 2;
  bool fits = pad.mode == PadMode::Constant && pad.value == 0;
  for (size_t d : {size_t{0}, size_t{1}}) fits = fits && pad.pads[d] == 0 && pad.pads[rank + d] == 0;
  if (!fits) return std::nullopt;
  auto conv = std::get<ConvAttributes>(node.attributes);
  for (size_t d = 0; d < spatial; ++d) {
    conv.pads[d] += pad.pads[d + 2];
    conv.pads[spatial + d] += pad.pads[rank + d + 2];
  }
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = inner->inputs[0];
  return rewriter.add(Op::Conv, inputs, conv, std::nullopt, {inner});
}

// ------------------------------------------------------------------------------------------------- reductions

Result reduceOfOnes(Rewriter &rewriter, const Node &node) {
  if (node.op != Op::Reduce) return std::nullopt;
  const Shape &shape = rewriter.type(node.inputs[0]).shape;
  for (int64_t axis : std::get<ReduceAttributes>(node.attributes).axes) {
    if (shape[static_cast<size_t>(axis)] != 1) return std::nullopt;
  }
  return rewriter.add(Op::Reshape, {node.inputs[0]}, {}, rewriter.type(node.output));
}

Result keepReducedDims(Rewriter &rewriter, const Node &node) {
  if (node.op != Op::Reshape) return std::nullopt;
  const Node *inner = rewriter.producer(node.inputs[0], Op::Reduce);
  if (inner == nullptr || rewriter.uses(node.inputs[0]) > 1) return std::nullopt;
  auto reduce = std::get<ReduceAttributes>(inner->attributes);
  if (reduce.keepDims) return std::nullopt;
  Shape kept = rewriter.type(inner->inputs[0]).shape;
  for (int64_t axis : reduce.axes) kept[static_cast<size_t>(axis)] = 1;
  if (kept != rewriter.type(node.output).shape) return std::nullopt;
  reduce.keepDims = true;
  return rewriter.add(Op::Reduce, {inner->inputs[0]}, reduce, std::nullopt, {inner});
}

Result sumAsMean(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Mul)) return std::nullopt;
  const Node *inner = rewriter.producer(node.inputs[0], Op::Reduce);
  std::optional<double> factor = rewriter.number(node.inputs[1]);
  if (inner == nullptr || !factor || rewriter.type(node.inputs[0]) != rewriter.type(node.output)) return std::nullopt;
  auto reduce = std::get<ReduceAttributes>(inner->attributes);
  double count = 1;
  for (int64_t axis : reduce.axes) {
    count *= static_cast<double>(rewriter.type(inner->inputs[0]).shape[static_cast<size_t>(axis)]);
  }
  // The factor is 1 / count as rounded to the dtype: half a unit in the last place of a float.
  bool inverse = std::fabs(*factor * count - 1) <= 0x1p-23 && rewriter.type(node.output).dtype == DType::F32;
  if (reduce.kind != ReduceKind::Sum || !inverse || rewriter.uses(node.inputs[0]) > 1) return std::nullopt;
  reduce.kind = ReduceKind::Mean;
  return rewriter.add(Op::Reduce, {inner->inputs[0]}, reduce, std::nullopt, {inner});
}

}  // namespace hone::graph
