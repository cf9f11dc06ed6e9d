#include <algorithm>
#include <optional>
#include <vector>

#include "compiler/graph/constants.h"
#include "compiler/graph/infer.h"
#include "compiler/graph/passes.h"
#include "compiler/graph/recognize.h"
#include "compiler/graph/rewriter.h"

namespace hone::graph {
namespace {

using Result = std::optional<ValueId>;

/// One attempt to find a layer norm above a node: walks upwards and remembers the nodes that would go. centered()
/// has to be asked first: it finds x.
class Attempt {
 public:
  Attempt(const Rewriter &rewriter, const Node &node) : rewriter_(rewriter), node_(node) {}

  /// x - mean(x)
  bool centered(ValueId value) {
    const Node *difference = take(value, ScalarOp::Sub);
    return difference != nullptr && mean(difference->inputs[1], difference->inputs[0]);
  }

  /// mean(x), and x is \p data: the first time that decides what x is.
  bool mean(ValueId value, ValueId data) {
    const Node *reduce = takeMean(value);
    if (reduce == nullptr || source(reduce->inputs[0]) != source(data)) return false;
    if (mean_ >= 0) return source(data) == source(data_) && reduce->output == mean_;
    data_ = data;
    mean_ = reduce->output;
    axes_ = axesOf(*reduce);
    return true;
  }

  /// 1 / sqrt(variance + epsilon)
  bool inverseDeviation(ValueId value) {
    const Node *inverse = take(value, ScalarOp::Div);
    return inverse != nullptr && rewriter_.isNumber(inverse->inputs[0], 1) && deviation(inverse->inputs[1]);
  }

  /// sqrt(variance + epsilon)
  bool deviation(ValueId value) {
    const Node *root = take(value, ScalarOp::Sqrt);
    const Node *sum = root == nullptr ? nullptr : take(root->inputs[0], ScalarOp::Add);
    if (sum == nullptr) return false;
    for (size_t i = 0; i < 2; ++i) {
      std::optional<double> number = rewriter_.number(sum->inputs[i]);
      if (!number) continue;
      epsilon_ = *number;
      return variance(sum->inputs[1 - i]);
    }
    return false;
  }

  /// inverseDeviation() times a constant scale, in either order, or without one.
  bool scaledInverse(ValueId value) {
    const Node *product = take(value, ScalarOp::Mul);
    if (product == nullptr) return inverseDeviation(value);
    size_t constant = rewriter_.isConstant(product->inputs[0]) ? 0 : 1;
    scale_ = product->inputs[constant];
    return rewriter_.isConstant(scale_) && inverseDeviation(product->inputs[1 - constant]);
  }

  /// The normalised dims are the last ones, and nothing but this pattern reads what is inside it.
  bool complete() const {
    const TensorType &type = rewriter_.type(data_);
    if (type != rewriter_.type(node_.output) || axes_.empty() || epsilon_ < 0) return false;
    for (size_t i = 0; i < axes_.size(); ++i) {
      if (axes_[axes_.size() - 1 - i] != static_cast<int64_t>(type.shape.size() - 1 - i)) return false;
    }
    Shape row(type.shape.begin() + axes_[0], type.shape.end());
    if (scale_ >= 0 && !broadcastsTo(rewriter_.type(scale_).shape, row)) return false;
    return std::all_of(nodes_.begin(), nodes_.end(), [&](const Node *node) {
      auto reads = std::count(node_.inputs.begin(), node_.inputs.end(), node->output);
      for (const Node *reader : nodes_) reads += std::count(reader->inputs.begin(), reader->inputs.end(), node->output);
      return rewriter_.uses(node->output) == reads;
    });
  }

  ValueId data() const { return data_; }
  ValueId scale() const { return scale_; }
  LayerNormAttributes attributes() const { return {axes_[0], epsilon_}; }

 private:
  /// \p value without the casts between floats on the way to it.
  ValueId source(ValueId value) const {
    for (const Node *cast = floatCast(value); cast != nullptr; cast = floatCast(value)) value = cast->inputs[0];
    return value;
  }
  const Node *floatCast(ValueId value) const {
    const Node *cast = rewriter_.producer(value, Op::Cast);
    bool floats =
        cast != nullptr && isFloat(rewriter_.type(value).dtype) && isFloat(rewriter_.type(cast->inputs[0]).dtype);
    return floats ? cast : nullptr;
  }

  const Node *remember(const Node *node) {
    if (node != nullptr && std::find(nodes_.begin(), nodes_.end(), node) == nodes_.end()) nodes_.push_back(node);
    return node;
  }
  /// source(value), where all that is skipped is part of the pattern.
  ValueId skipCasts(ValueId value) {
    for (const Node *cast = floatCast(value); cast != nullptr; cast = floatCast(value)) {
      remember(cast);
      value = cast->inputs[0];
    }
    return value;
  }
  const Node *take(ValueId value, ScalarOp op) {
    const Node *node = rewriter_.producer(source(value), op);
    if (node == nullptr) return nullptr;
    skipCasts(value);
    return remember(node);
  }
  const Node *takeMean(ValueId value) {
    const Node *node = rewriter_.producer(source(value), Op::Reduce);
    if (node == nullptr || reductionOf(rewriter_, node->output, ReduceKind::Mean, node->inputs[0]) == nullptr) {
      return nullptr;
    }
    skipCasts(value);
    return remember(node);
  }

  /// mean((x - mean(x))^2) or mean(x^2) - mean(x)^2
  bool variance(ValueId value) {
    if (const Node *difference = take(value, ScalarOp::Sub)) {
      ValueId base = square(difference->inputs[1]), squares = takeSquares(difference->inputs[0]);
      return base >= 0 && squares >= 0 && mean(base, squares);
    }
    ValueId squares = takeSquares(value);
    return squares >= 0 && centered(squares);
  }
  /// y of mean(y * y) over the axes of the mean, or -1.
  ValueId takeSquares(ValueId value) {
    const Node *reduce = takeMean(value);
    return reduce == nullptr || axesOf(*reduce) != axes_ ? -1 : square(reduce->inputs[0]);
  }
  ValueId square(ValueId value) {
    const Node *product = take(value, ScalarOp::Mul);
    return product != nullptr && product->inputs[0] == product->inputs[1] ? product->inputs[0] : -1;
  }

  const Rewriter &rewriter_;
  const Node &node_;
  std::vector<const Node *> nodes_;
  ValueId data_ = -1, mean_ = -1, scale_ = -1;
  double epsilon_ = -1;
  std::vector<int64_t> axes_;
};

Result addLayerNorm(Rewriter &rewriter, const Attempt &attempt, ValueId shift) {
  DType dtype = rewriter.type(attempt.data()).dtype;
  ValueId scale = attempt.scale() >= 0 ? attempt.scale() : rewriter.addNumber(dtype, 1);
  if (shift < 0) shift = rewriter.addNumber(dtype, 0);
  return rewriter.add(Op::LayerNorm, {attempt.data(), scale, shift}, attempt.attributes());
}

/// (x - mean) / sqrt(variance + epsilon)
Result recognizeQuotient(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Div)) return std::nullopt;
  Attempt attempt(rewriter, node);
  if (!attempt.centered(node.inputs[0]) || !attempt.deviation(node.inputs[1]) || !attempt.complete()) {
    return std::nullopt;
  }
  return addLayerNorm(rewriter, attempt, -1);
}

/// (x - mean) * (1 / sqrt(variance + epsilon) * scale)
Result recognizeProduct(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Mul)) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    Attempt attempt(rewriter, node);
    if (!attempt.centered(node.inputs[i]) || !attempt.scaledInverse(node.inputs[1 - i])) continue;
    if (attempt.complete()) return addLayerNorm(rewriter, attempt, -1);
  }
  return std::nullopt;
}

// ------------------------------------------------------------------------------------------ scale and shift

/// The constant \p operand of \p node as one of the shape's last dims, when it broadcasts to \p row; or -1.
ValueId asRow(Rewriter &rewriter, ValueId operand, const Shape &row) {
  if (!rewriter.isConstant(operand)) return -1;
  const Constant &constant = rewriter.constant(operand);
  auto begin = constant->type.shape.begin();
  while (constant->type.shape.end() - begin > static_cast<std::ptrdiff_t>(row.size()) && *begin == 1) ++begin;
  Shape shape(begin, constant->type.shape.end());
  if (!broadcastsTo(shape, row)) return -1;
  if (shape == constant->type.shape) return operand;
  auto stripped = std::make_shared<ConstantData>(*constant);
  stripped->type.shape = shape;
  return rewriter.addConstant(operand, stripped);
}

/// layernorm(x) * c and layernorm(x) + c, where c lies along the normalised dims.
Result mergeIntoLayerNorm(Rewriter &rewriter, const Node &node) {
  bool scales = isElementwise(node, ScalarOp::Mul);
  if (!scales && !isElementwise(node, ScalarOp::Add)) return std::nullopt;
  const Node *norm = rewriter.producer(node.inputs[0], Op::LayerNorm);
  if (norm == nullptr || rewriter.uses(norm->output) != 1) return std::nullopt;
  if (rewriter.type(norm->output) != rewriter.type(node.output)) return std::nullopt;
  ValueId data = norm->inputs[0], scale = norm->inputs[1], shift = norm->inputs[2];
  if (!rewriter.isConstant(scale) || !rewriter.isConstant(shift)) return std::nullopt;
  auto attributes = std::get<LayerNormAttributes>(norm->attributes);
  const Shape &shape = rewriter.type(data).shape;
  ValueId operand = asRow(rewriter, node.inputs[1], Shape(shape.begin() + attributes.axis, shape.end()));
  if (operand < 0) return std::nullopt;
  if (scales) {
    scale = rewriter.isNumber(scale, 1) ? operand : rewriter.combine(ScalarOp::Mul, {scale, operand});
    bool zero = rewriter.isNumber(shift, 0);
    if (!zero) shift = rewriter.combine(ScalarOp::Mul, {shift, operand});
  } else {
    shift = rewriter.isNumber(shift, 0) ? operand : rewriter.combine(ScalarOp::Add, {shift, operand});
  }
  return rewriter.add(Op::LayerNorm, {data, scale, shift}, attributes, std::nullopt, {norm});
}

}  // namespace

absl::Status recognizeLayerNorm(Graph &graph) {
  Rewriter(graph).run({recognizeQuotient, recognizeProduct, mergeIntoLayerNorm});
  return absl::OkStatus();
}

}  // namespace hone::graph
