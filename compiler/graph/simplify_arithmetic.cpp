#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/graph/constants.h"
#include "compiler/graph/infer.h"
#include "compiler/graph/simplify_rules.h"

namespace hone::graph {
namespace {

std::optional<ScalarOp> scalarOp(const Node &node) {
  if (node.op != Op::Elementwise) return std::nullopt;
  return std::get<ElementwiseAttributes>(node.attributes).op;
}

bool isFloatNode(const Rewriter &rewriter, const Node &node) { return isFloat(rewriter.type(node.output).dtype); }

/// \p value where it has the node's type: an operand may be smaller than the result.
Result standIn(const Rewriter &rewriter, const Node &node, ValueId value) {
  if (rewriter.type(value) != rewriter.type(node.output)) return std::nullopt;
  return value;
}

/// Whether the operands of \p node give a result of the same type when \p operand is replaced by one of \p shape.
bool keepsType(const Rewriter &rewriter, const Node &node, size_t operand, const Shape &shape) {
  std::vector<TensorType> types;
  for (ValueId input : node.inputs) types.push_back(rewriter.type(input));
  types[operand].shape = shape;
  absl::StatusOr<TensorType> type = inferType(node.op, node.attributes, types);
  return type.ok() && *type == rewriter.type(node.output);
}

ValueId withOperand(Rewriter &rewriter, const Node &node, size_t operand, ValueId value) {
  std::vector<ValueId> inputs = node.inputs;
  inputs[operand] = value;
  return rewriter.add(node.op, inputs, node.attributes);
}

}  // namespace

// ------------------------------------------------------------------------------------------ order of operands

Result moveConstantRight(Rewriter &rewriter, const Node &node) {
  std::optional<ScalarOp> op = scalarOp(node);
  if (!op || !isCommutative(*op)) return std::nullopt;
  if (!rewriter.isConstant(node.inputs[0]) || rewriter.isConstant(node.inputs[1])) return std::nullopt;
  return rewriter.add(*op, {node.inputs[1], node.inputs[0]});
}

Result shrinkUniformOperand(Rewriter &rewriter, const Node &node) {
  if (node.op != Op::Elementwise) return std::nullopt;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    ValueId operand = node.inputs[i];
    if (!rewriter.isConstant(operand) || rewriter.type(operand).shape.empty()) continue;
    if (!keepsType(rewriter, node, i, {}) || !rewriter.number(operand)) continue;
    auto scalar = std::make_shared<ConstantData>();
    scalar->type = {rewriter.type(operand).dtype, {}};
    const char *first = rewriter.constant(operand)->bytes.begin();
    scalar->bytes.assign(first, first + sizeOf(scalar->type.dtype));
    return withOperand(rewriter, node, i, rewriter.addConstant(operand, scalar));
  }
  return std::nullopt;
}

Result dropBroadcastOperand(Rewriter &rewriter, const Node &node) {
  if (node.op != Op::Elementwise) return std::nullopt;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Node *broadcast = rewriter.producer(node.inputs[i], Op::Broadcast);
    if (broadcast == nullptr) continue;
    ValueId source = broadcast->inputs[0];
    if (keepsType(rewriter, node, i, rewriter.type(source).shape)) return withOperand(rewriter, node, i, source);
  }
  return std::nullopt;
}

// ------------------------------------------------------------------------------------------- neutral operands

Result dropNeutralOperand(Rewriter &rewriter, const Node &node) {
  std::optional<ScalarOp> op = scalarOp(node);
  if (!op || node.inputs.size() != 2) return std::nullopt;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double neutral = 0;
  switch (*op) {
    case ScalarOp::Add:
    case ScalarOp::Sub:
    case ScalarOp::Or:
    case ScalarOp::Xor:
    case ScalarOp::BitOr:
    case ScalarOp::BitXor:
    case ScalarOp::ShiftLeft:
    case ScalarOp::ShiftRight:
      break;
    case ScalarOp::Mul:
    case ScalarOp::Div:
    case ScalarOp::Pow:
    case ScalarOp::And:
      neutral = 1;
      break;
    case ScalarOp::Max:
      neutral = -kInfinity;
      break;
    case ScalarOp::Min:
      neutral = kInfinity;
      break;
    default:
      return std::nullopt;
  }
  if (!rewriter.isNumber(node.inputs[1], neutral)) return std::nullopt;
  return standIn(rewriter, node, node.inputs[0]);
}

Result chooseBranch(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Select)) return std::nullopt;
  std::optional<double> condition = rewriter.number(node.inputs[0]);
  if (!condition) return std::nullopt;
  return standIn(rewriter, node, *condition != 0 ? node.inputs[1] : node.inputs[2]);
}

Result negateFromZero(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Sub) || !rewriter.isNumber(node.inputs[0], 0)) return std::nullopt;
  if (!standIn(rewriter, node, node.inputs[1])) return std::nullopt;
  return rewriter.add(ScalarOp::Neg, {node.inputs[1]});
}

// ------------------------------------------------------------------------------------------------------ signs

Result dropDoubleNegation(Rewriter &rewriter, const Node &node) {
  std::optional<ScalarOp> op = scalarOp(node);
  if (op != ScalarOp::Neg && op != ScalarOp::Not && op != ScalarOp::BitNot) return std::nullopt;
  const Node *inner = rewriter.producer(node.inputs[0], *op);
  if (inner == nullptr) return std::nullopt;
  return inner->inputs[0];
}

Result mergeNegation(Rewriter &rewriter, const Node &node) {
  bool add = isElementwise(node, ScalarOp::Add);
  if (!add && !isElementwise(node, ScalarOp::Sub)) return std::nullopt;
  if (const Node *negated = rewriter.producer(node.inputs[1], ScalarOp::Neg)) {
    return rewriter.add(add ? ScalarOp::Sub : ScalarOp::Add, {node.inputs[0], negated->inputs[0]});
  }
  const Node *negated = rewriter.producer(node.inputs[0], ScalarOp::Neg);
  if (!add || negated == nullptr || rewriter.isConstant(node.inputs[1])) return std::nullopt;
  return rewriter.add(ScalarOp::Sub, {node.inputs[1], negated->inputs[0]});
}

// -------------------------------------------------------------------------------------------------- constants

Result subtractAsAdd(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Sub) || !rewriter.isConstant(node.inputs[1])) return std::nullopt;
  if (rewriter.isConstant(node.inputs[0])) return std::nullopt;
  return rewriter.add(ScalarOp::Add, {node.inputs[0], rewriter.combine(ScalarOp::Neg, {node.inputs[1]})});
}

Result divideAsMultiply(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Div) || !isFloatNode(rewriter, node)) return std::nullopt;
  ValueId divisor = node.inputs[1];
  if (!rewriter.isConstant(divisor) || rewriter.isConstant(node.inputs[0])) return std::nullopt;
  // 49 / 49 rounds down to 1, but 49 × (1 / 49) to 0.
  if (rewriter.isStepped(node.output)) return std::nullopt;
  // A single division costs nothing; its result may be the scale that many numbers are divided by before they are
  // rounded.
  if (rewriter.type(node.output).elements() == 1) return std::nullopt;
  // The reciprocals must be numbers of the dtype, at its full precision: neither infinite nor denormal.
  DType dtype = rewriter.type(divisor).dtype;
  double low = dtype == DType::F16 ? 0x1p-14 : dtype == DType::F64 ? 0x1p-1022 : 0x1p-126;
  std::vector<double> elements(static_cast<size_t>(rewriter.type(divisor).elements()));
  readElements(*rewriter.constant(divisor), 0, 1, static_cast<int64_t>(elements.size()), elements.data());
  bool exact = std::all_of(elements.begin(), elements.end(), [low](double element) {
    return std::fabs(element) >= low && std::fabs(1 / element) >= low && std::isfinite(element);
  });
  if (!exact) return std::nullopt;
  ValueId reciprocal = rewriter.combine(ScalarOp::Div, {rewriter.addNumber(dtype, 1), divisor});
  return rewriter.add(ScalarOp::Mul, {node.inputs[0], reciprocal});
}

Result mergeConstants(Rewriter &rewriter, const Node &node) {
  std::optional<ScalarOp> op = scalarOp(node);
  if (op != ScalarOp::Add && op != ScalarOp::Mul && op != ScalarOp::Min && op != ScalarOp::Max) return std::nullopt;
  const Node *inner = rewriter.producer(node.inputs[0], *op);
  if (inner == nullptr || !rewriter.isConstant(node.inputs[1]) || !rewriter.isConstant(inner->inputs[1])) {
    return std::nullopt;
  }
  ValueId data = inner->inputs[0], a = inner->inputs[1], b = node.inputs[1];
  // [C,1] and [1,D] would make one big constant of two small ones.
  std::optional<Shape> shape = broadcastShapes(rewriter.type(a).shape, rewriter.type(b).shape);
  int64_t bigger = std::max(rewriter.type(a).elements(), rewriter.type(b).elements());
  if (!shape || TensorType{DType::F32, *shape}.elements() > bigger) return std::nullopt;
  // A sum that others read stays; adding to it costs no more than adding to its operand.
  if (rewriter.uses(node.inputs[0]) > 1) return std::nullopt;
  return rewriter.add(*op, {data, rewriter.combine(*op, {a, b})});
}

// ----------------------------------------------------------------------------------------------------- powers

Result expandPower(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Pow) || !isFloatNode(rewriter, node)) return std::nullopt;
  std::optional<double> exponent = rewriter.number(node.inputs[1]);
  ValueId base = node.inputs[0];
  if (!exponent || rewriter.isConstant(base) || !standIn(rewriter, node, base)) return std::nullopt;
  DType dtype = rewriter.type(base).dtype;
  if (*exponent == 2) return rewriter.add(ScalarOp::Mul, {base, base});
  if (*exponent == 3) return rewriter.add(ScalarOp::Mul, {rewriter.add(ScalarOp::Mul, {base, base}), base});
  if (*exponent == 0.5) return rewriter.add(ScalarOp::Sqrt, {base});
  if (*exponent == -1) return rewriter.add(ScalarOp::Div, {rewriter.addNumber(dtype, 1), base});
  if (*exponent == -0.5) {
    ValueId root = rewriter.add(ScalarOp::Sqrt, {base});
    return rewriter.add(ScalarOp::Div, {rewriter.addNumber(dtype, 1), root});
  }
  return std::nullopt;
}

// ------------------------------------------------------------------------------------------------------- clip

Result orderClip(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Max)) return std::nullopt;
  const Node *inner = rewriter.producer(node.inputs[0], ScalarOp::Min);
  if (inner == nullptr || rewriter.uses(node.inputs[0]) > 1) return std::nullopt;
  ValueId data = inner->inputs[0], high = inner->inputs[1], low = node.inputs[1];
  std::optional<double> lowest = rewriter.number(low), highest = rewriter.number(high);
  if (!lowest || !highest || *lowest > *highest) return std::nullopt;
  return rewriter.add(ScalarOp::Min, {rewriter.add(ScalarOp::Max, {data, low}), high});
}

}  // namespace hone::graph
