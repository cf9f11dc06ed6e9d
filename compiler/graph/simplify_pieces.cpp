// Elementwise operations behind a concatenation move in front of it, where they join the kernels that compute the
// pieces. (Between the two there may be reshapes and transposes: outputs that are computed by phase are woven so.)
#include <algorithm>

#include "compiler/graph/constants.h"
#include "compiler/graph/simplify_rules.h"

namespace hone::graph {
namespace {

// The operation is repeated for every piece.
constexpr size_t kMostPieces = 64;
constexpr int kLongestChain = 16;

bool isBijectiveView(const Node &node) { return node.op == Op::Reshape || node.op == Op::Transpose; }

/// The node that computes what reshapes and transposes, each of them with one use, make \p value of.
const Node *computedBehindViews(const Rewriter &rewriter, ValueId value) {
  const Node *node = rewriter.producer(value);
  while (node != nullptr && rewriter.uses(value) == 1 && isBijectiveView(*node)) {
    value = node->inputs[0];
    node = rewriter.producer(value);
  }
  return node != nullptr && rewriter.uses(value) == 1 ? node : nullptr;
}

/// The one dim of \p shape (aligned with the last dims of \p rank) along which \p constant varies; -1: along none.
std::optional<int> dimOf(const Shape &shape, size_t rank) {
  int found = -1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) continue;
    if (found >= 0) return std::nullopt;
    found = static_cast<int>(rank - shape.size() + d);
  }
  return found;
}

/// The dim of \p inner that dim \p d of \p outer, a reshape of it, is; -1 when it is part of one or several together.
int sameDim(const Shape &outer, const Shape &inner, int d) {
  int64_t before = 1;
  for (int i = 0; i < d; ++i) before *= outer[static_cast<size_t>(i)];
  int64_t count = 1;
  for (size_t i = 0; i < inner.size(); count *= inner[i++]) {
    if (count == before && inner[i] == outer[static_cast<size_t>(d)]) return static_cast<int>(i);
  }
  return -1;
}

/// An elementwise node whose operands are one value that is computed, of the result's shape, and constants that vary
/// along one dim at most.
struct Pointwise {
  size_t operand = 0;
  std::vector<std::optional<int>> dims;  ///< per operand; nothing for the one that is computed

  static std::optional<Pointwise> of(const Rewriter &rewriter, const Node &node) {
    if (node.op != Op::Elementwise && node.op != Op::Cast) return std::nullopt;
    Pointwise result;
    const Shape &shape = rewriter.type(node.output).shape;
    size_t computed = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      result.dims.emplace_back();
      if (!rewriter.isConstant(node.inputs[i])) {
        ++computed;
        result.operand = i;
        continue;
      }
      result.dims[i] = dimOf(rewriter.type(node.inputs[i]).shape, shape.size());
      if (!result.dims[i]) return std::nullopt;
    }
    if (computed != 1 || rewriter.type(node.inputs[result.operand]).shape != shape) return std::nullopt;
    return result;
  }
};

/// Whether \p value is, through views and pointwise nodes that nobody else reads, the result of a node of which \p is
/// says so.
template <typename Predicate>
bool comesFrom(const Rewriter &rewriter, ValueId value, const Predicate &is) {
  for (int depth = 0; depth < kLongestChain; ++depth) {
    const Node *node = computedBehindViews(rewriter, value);
    if (node == nullptr || is(node->op)) return node != nullptr;
    const std::optional<Pointwise> pointwise = Pointwise::of(rewriter, *node);
    if (!pointwise) return false;
    value = node->inputs[pointwise->operand];
  }
  return false;
}

/// \p node on \p data instead of its computed operand; constants that vary along dim d get elements [begin, begin +
/// extent) and vary along dim `to(d)` of \p data.
template <typename MapDim>
ValueId applied(Rewriter &rewriter, const Node &node, const Pointwise &pointwise, ValueId data, const MapDim &to,
                int64_t begin, int axis) {
  const Shape shape = rewriter.type(data).shape;
  std::vector<ValueId> inputs = node.inputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i == pointwise.operand) {
      inputs[i] = data;
      continue;
    }
    const ConstantData &constant = *rewriter.constant(inputs[i]);
    Shape wanted;
    size_t first = 0, count = 1;
    if (const int d = *pointwise.dims[i]; d >= 0) {
      const auto place = static_cast<size_t>(to(d));
      wanted.assign(shape.size() - place, 1);
      wanted[0] = shape[place];
      count = static_cast<size_t>(shape[place]);
      first = d == axis ? static_cast<size_t>(begin) : 0;
    }
    auto part = std::make_shared<ConstantData>();
    part->type = {constant.type.dtype, wanted};
    const auto size = static_cast<size_t>(sizeOf(constant.type.dtype));
    const char *from = constant.bytes.begin() + first * size;
    part->bytes.assign(from, from + count * size);
    inputs[i] = rewriter.addConstant(std::move(part));
  }
  std::optional<TensorType> type;
  if (node.op == Op::Cast) type = TensorType{rewriter.type(node.output).dtype, shape};
  return rewriter.add(node.op, std::move(inputs), node.attributes, type);
}

}  // namespace

Result moveBeforeWeaving(Rewriter &rewriter, const Node &node) {
  const std::optional<Pointwise> pointwise = Pointwise::of(rewriter, node);
  if (!pointwise) return std::nullopt;
  const ValueId data = node.inputs[pointwise->operand];
  const Node *found = rewriter.producer(data);
  if (found == nullptr || !isBijectiveView(*found) || rewriter.uses(data) > 1) return std::nullopt;
  if (!comesFrom(rewriter, data, [](Op op) { return op == Op::Concat || op == Op::Conv; })) return std::nullopt;
  const Node view = *found;
  const Shape outer = rewriter.type(view.output).shape, inner = rewriter.type(view.inputs[0]).shape;
  const auto below = [&](int d) {
    if (view.op == Op::Reshape) return sameDim(outer, inner, d);
    return static_cast<int>(std::get<TransposeAttributes>(view.attributes).permutation[static_cast<size_t>(d)]);
  };
  for (const std::optional<int> &dim : pointwise->dims) {
    if (dim && *dim >= 0 && below(*dim) < 0) return std::nullopt;
  }
  const ValueId moved = applied(rewriter, node, *pointwise, view.inputs[0], below, 0, -1);
  const TensorType type{rewriter.type(node.output).dtype, outer};
  if (view.op == Op::Reshape) return rewriter.add(Op::Reshape, {moved}, {}, type, {&view});
  return rewriter.add(Op::Transpose, {moved}, view.attributes, std::nullopt, {&view});
}

Result moveBeforeConcat(Rewriter &rewriter, const Node &node) {
  const std::optional<Pointwise> pointwise = Pointwise::of(rewriter, node);
  if (!pointwise) return std::nullopt;
  const ValueId data = node.inputs[pointwise->operand];
  const Node *found = rewriter.producer(data, Op::Concat);
  if (found == nullptr || rewriter.uses(data) > 1 || found->inputs.size() > kMostPieces) return std::nullopt;
  const auto isProduct = [](Op op) { return op == Op::Conv || op == Op::MatMul; };
  for (const ValueId piece : found->inputs) {
    if (!comesFrom(rewriter, piece, isProduct)) return std::nullopt;
  }
  const Node concat = *found;
  const int64_t axis = std::get<AxisAttributes>(concat.attributes).axis;
  int64_t begin = 0;
  std::vector<ValueId> pieces;
  for (const ValueId piece : concat.inputs) {
    const int64_t extent = rewriter.type(piece).shape[static_cast<size_t>(axis)];
    pieces.push_back(
        applied(rewriter, node, *pointwise, piece, [](int d) { return d; }, begin, static_cast<int>(axis)));
    begin += extent;
  }
  return rewriter.add(Op::Concat, std::move(pieces), concat.attributes, std::nullopt, {&concat});
}

}  // namespace hone::graph
