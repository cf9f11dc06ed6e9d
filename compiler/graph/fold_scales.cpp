// Scales and shifts by constants move into the weights and biases of the convolution or matrix product beside them.
// Weights are constants of up to hundreds of megabytes: they are multiplied in plain loops, each fold one pass.
#include <cmath>
#include <utility>
#include <vector>

#include "compiler/graph/constants.h"
#include "compiler/graph/passes.h"
#include "compiler/graph/rewriter.h"

namespace hone::graph {
namespace {

using Factors = std::vector<double>;
using Result = std::optional<ValueId>;

/// The elements of the constant \p operand along dim \p dim of a tensor of \p type to which it broadcasts, when it
/// is the same along all other dims; one per index.
std::optional<Factors> elementsAlong(const Rewriter &rewriter, ValueId operand, const TensorType &type, size_t dim) {
  if (!rewriter.isConstant(operand)) return std::nullopt;
  const ConstantData &constant = *rewriter.constant(operand);
  size_t rank = type.shape.size(), own = constant.type.shape.size();
  if (own > rank) return std::nullopt;
  for (size_t d = 0; d < own; ++d) {
    if (rank - own + d != dim && constant.type.shape[d] != 1) return std::nullopt;
  }
  Factors factors(static_cast<size_t>(type.shape[dim]));
  int64_t stride = constant.type.elements() == 1 ? 0 : 1;
  readElements(constant, 0, stride, static_cast<int64_t>(factors.size()), factors.data());
  return factors;
}

/// \p weight as [outer][middle][inner], multiplied by factor(outer index, middle index).
template <typename Factor>
Constant scaled(const ConstantData &weight, int64_t outer, int64_t middle, int64_t inner, const Factor &factor) {
  auto result = std::make_shared<ConstantData>();
  result->type = weight.type;
  result->bytes.resize(weight.bytes.size());
  bool single = weight.type.dtype == DType::F32;
  std::vector<double> row(single ? 0 : static_cast<size_t>(inner));
  // Bytes of constants are aligned for their elements.
  const float *from = reinterpret_cast<const float *>(weight.bytes.data());
  float *to = reinterpret_cast<float *>(result->bytes.data());
  int64_t position = 0;
  for (int64_t i = 0; i < outer; ++i) {
    for (int64_t j = 0; j < middle; ++j, position += inner) {
      double by = factor(i, j);
      if (single) {
        for (int64_t k = position; k < position + inner; ++k) to[k] = static_cast<float>(from[k] * by);
        continue;
      }
      readElements(weight, position, 1, inner, row.data());
      for (double &element : row) element *= by;
      writeElements(result->bytes, weight.type.dtype, position, inner, row.data());
    }
  }
  weight.bytes.letGo();
  return result;
}

/// Whether these are integers in float32, whose products with integers are exact as long as no scale is in them. All
/// other weights show by the first few of them that they are not.
bool areWhole(const ConstantData &weight) {
  if (weight.type.dtype != DType::F32) return false;
  const int64_t count = weight.type.elements();
  double element = 0;
  for (int64_t i = 0; i < count; ++i) {
    readElements(weight, i, 1, 1, &element);
    if (element != std::trunc(element)) return false;
  }
  weight.bytes.letGo();
  return true;
}

// ------------------------------------------------------------------------------------- after a convolution

/// Convolution with constant weights whose result only \p node reads.
const Node *convolutionBefore(const Rewriter &rewriter, const Node &node) {
  const Node *conv = rewriter.producer(node.inputs[0], Op::Conv);
  if (conv == nullptr || rewriter.uses(conv->output) > 1 || !rewriter.isConstant(conv->inputs[1])) return nullptr;
  if (!isFloat(rewriter.type(conv->output).dtype)) return nullptr;
  if (conv->inputs.size() == 3 && !rewriter.isConstant(conv->inputs[2])) return nullptr;
  if (rewriter.type(conv->inputs[1]).elements() == 0) return nullptr;
  return rewriter.type(conv->output) == rewriter.type(node.output) ? conv : nullptr;
}

Factors biasOf(const Rewriter &rewriter, const Node &conv) {
  Factors bias(static_cast<size_t>(rewriter.type(conv.output).shape[1]), 0);
  if (conv.inputs.size() == 3) {
    readElements(*rewriter.constant(conv.inputs[2]), 0, 1, static_cast<int64_t>(bias.size()), bias.data());
  }
  return bias;
}

/// A copy of \p conv with other operands in place of data, weight and bias.
ValueId addConv(Rewriter &rewriter, const Node &conv, ValueId data, ValueId weight, const Factors *bias,
                std::initializer_list<const Node *> consumed) {
  std::vector<ValueId> inputs = {data, weight};
  if (bias != nullptr) {
    auto count = static_cast<int64_t>(bias->size());
    Constant constant = makeConstant({rewriter.type(data).dtype, {count}}, *bias);
    bool before = conv.inputs.size() == 3;
    inputs.push_back(before ? rewriter.addConstant(conv.inputs[2], constant) : rewriter.addConstant(constant));
  } else if (conv.inputs.size() == 3) {
    inputs.push_back(conv.inputs[2]);
  }
  return rewriter.add(Op::Conv, inputs, conv.attributes, std::nullopt, consumed);
}

Result foldScaleAfterConv(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Mul)) return std::nullopt;
  const Node *found = convolutionBefore(rewriter, node);
  if (found == nullptr) return std::nullopt;
  std::optional<Factors> factors = elementsAlong(rewriter, node.inputs[1], rewriter.type(node.output), 1);
  if (!factors) return std::nullopt;
  const ConstantData &weight = *rewriter.constant(found->inputs[1]);
  if (areWhole(weight)) return std::nullopt;
  auto outputs = static_cast<int64_t>(factors->size());
  Constant product = scaled(weight, 1, outputs, weight.type.elements() / outputs,
                            [&](int64_t, int64_t channel) { return (*factors)[static_cast<size_t>(channel)]; });
  Factors bias = biasOf(rewriter, *found);
  for (size_t i = 0; i < bias.size(); ++i) bias[i] *= (*factors)[i];
  ValueId newWeight = rewriter.addConstant(found->inputs[1], product);
  return addConv(rewriter, *found, found->inputs[0], newWeight, found->inputs.size() == 3 ? &bias : nullptr, {found});
}

Result foldShiftAfterConv(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Add)) return std::nullopt;
  const Node *found = convolutionBefore(rewriter, node);
  if (found == nullptr) return std::nullopt;
  std::optional<Factors> shifts = elementsAlong(rewriter, node.inputs[1], rewriter.type(node.output), 1);
  if (!shifts) return std::nullopt;
  Factors bias = biasOf(rewriter, *found);
  for (size_t i = 0; i < bias.size(); ++i) bias[i] += (*shifts)[i];
  return addConv(rewriter, *found, found->inputs[0], found->inputs[1], &bias, {found});
}

// ------------------------------------------------------------------------------------ before a convolution

/// Scale or shift per channel of the data that the convolution \p node reads, and that nothing else reads.
const Node *channelwiseBefore(const Rewriter &rewriter, const Node &node, ScalarOp op) {
  if (node.op != Op::Conv || !rewriter.isConstant(node.inputs[1])) return nullptr;
  if (rewriter.type(node.inputs[1]).elements() == 0 || !isFloat(rewriter.type(node.output).dtype)) return nullptr;
  const Node *before = rewriter.producer(node.inputs[0], op);
  if (before == nullptr || rewriter.uses(before->output) > 1) return nullptr;
  return rewriter.type(before->inputs[0]) == rewriter.type(before->output) ? before : nullptr;
}

Result foldScaleBeforeConv(Rewriter &rewriter, const Node &node) {
  const Node *scale = channelwiseBefore(rewriter, node, ScalarOp::Mul);
  if (scale == nullptr) return std::nullopt;
  std::optional<Factors> factors = elementsAlong(rewriter, scale->inputs[1], rewriter.type(scale->output), 1);
  if (!factors) return std::nullopt;
  const ConstantData &weight = *rewriter.constant(node.inputs[1]);
  int64_t outputs = weight.type.shape[0], channels = weight.type.shape[1];
  int64_t perGroup = outputs / std::get<ConvAttributes>(node.attributes).groups;
  Constant product = scaled(weight, outputs, channels, weight.type.elements() / (outputs * channels),
                            [&](int64_t output, int64_t channel) {
                              return (*factors)[static_cast<size_t>(output / perGroup * channels + channel)];
                            });
  ValueId newWeight = rewriter.addConstant(node.inputs[1], product);
  return addConv(rewriter, node, scale->inputs[0], newWeight, nullptr, {scale});
}

/// Only without padding: what is padded with zeros is not shifted.
Result foldShiftBeforeConv(Rewriter &rewriter, const Node &node) {
  const Node *shift = channelwiseBefore(rewriter, node, ScalarOp::Add);
  if (shift == nullptr || (node.inputs.size() == 3 && !rewriter.isConstant(node.inputs[2]))) return std::nullopt;
  const auto &conv = std::get<ConvAttributes>(node.attributes);
  for (int64_t pad : conv.pads) {
    if (pad != 0) return std::nullopt;
  }
  std::optional<Factors> shifts = elementsAlong(rewriter, shift->inputs[1], rewriter.type(shift->output), 1);
  const ConstantData &weight = *rewriter.constant(node.inputs[1]);
  if (!shifts) return std::nullopt;
  int64_t outputs = weight.type.shape[0], channels = weight.type.shape[1], perGroup = outputs / conv.groups;
  int64_t taps = weight.type.elements() / (outputs * channels);
  Factors bias = biasOf(rewriter, node), row(static_cast<size_t>(taps));
  for (int64_t i = 0; i < outputs * channels; ++i) {
    int64_t output = i / channels, channel = output / perGroup * channels + i % channels;
    readElements(weight, i * taps, 1, taps, row.data());
    for (double tap : row) bias[static_cast<size_t>(output)] += tap * (*shifts)[static_cast<size_t>(channel)];
  }
  return addConv(rewriter, node, shift->inputs[0], node.inputs[1], &bias, {shift});
}

// --------------------------------------------------------------------------------------- around a matmul

/// Matrix product by constant weights, \p factor for each of their rows (by the inner extent) or columns.
ValueId addScaledMatMul(Rewriter &rewriter, const Node &matmul, ValueId data, const Factors &factors, bool perColumn,
                        std::initializer_list<const Node *> consumed) {
  const ConstantData &weight = *rewriter.constant(matmul.inputs[1]);
  size_t rank = weight.type.shape.size();
  int64_t rows = weight.type.shape[rank - 2], columns = weight.type.shape[rank - 1];
  int64_t batch = rows * columns == 0 ? 0 : weight.type.elements() / (rows * columns);
  // Stored transposed, the columns are the rows.
  bool alongLast = perColumn != std::get<MatMulAttributes>(matmul.attributes).transposeB;
  Constant product;
  if (alongLast) {
    product = scaled(weight, batch * rows, columns, 1,
                     [&](int64_t, int64_t column) { return factors[static_cast<size_t>(column)]; });
  } else {
    product =
        scaled(weight, batch, rows, columns, [&](int64_t, int64_t row) { return factors[static_cast<size_t>(row)]; });
  }
  Attributes attributes = matmul.attributes;
  ValueId newWeight = rewriter.addConstant(matmul.inputs[1], product);
  return rewriter.add(Op::MatMul, {data, newWeight}, attributes, std::nullopt, consumed);
}

/// Matrix product by constant weights whose result only its reader reads.
const Node *matmulBefore(const Rewriter &rewriter, ValueId value) {
  const Node *matmul = rewriter.producer(value, Op::MatMul);
  bool fits = matmul != nullptr && rewriter.uses(value) == 1 && rewriter.isConstant(matmul->inputs[1]) &&
              isFloat(rewriter.type(value).dtype);
  return fits ? matmul : nullptr;
}

std::optional<Factors> elementsOfColumns(const Rewriter &rewriter, ValueId operand, const Node &node) {
  const TensorType &type = rewriter.type(node.output);
  if (rewriter.type(node.inputs[0]) != type) return std::nullopt;
  return elementsAlong(rewriter, operand, type, type.shape.size() - 1);
}

Result foldScaleAfterMatMul(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Mul)) return std::nullopt;
  const Node *matmul = matmulBefore(rewriter, node.inputs[0]);
  if (matmul == nullptr) return std::nullopt;
  std::optional<Factors> factors = elementsOfColumns(rewriter, node.inputs[1], node);
  if (!factors || areWhole(*rewriter.constant(matmul->inputs[1]))) return std::nullopt;
  return addScaledMatMul(rewriter, *matmul, matmul->inputs[0], *factors, true, {matmul});
}

/// (x w + b) * c -> x (w c) + b c
Result foldScaleAfterBias(Rewriter &rewriter, const Node &node) {
  if (!isElementwise(node, ScalarOp::Mul)) return std::nullopt;
  const Node *sum = rewriter.producer(node.inputs[0], ScalarOp::Add);
  if (sum == nullptr || rewriter.uses(sum->output) > 1 || !rewriter.isConstant(sum->inputs[1])) return std::nullopt;
  const Node *matmul = matmulBefore(rewriter, sum->inputs[0]);
  if (matmul == nullptr || rewriter.type(sum->inputs[0]) != rewriter.type(sum->output)) return std::nullopt;
  std::optional<Factors> factors = elementsOfColumns(rewriter, node.inputs[1], node);
  if (!factors || !elementsOfColumns(rewriter, sum->inputs[1], *sum)) return std::nullopt;
  if (areWhole(*rewriter.constant(matmul->inputs[1]))) return std::nullopt;
  ValueId bias = rewriter.combine(ScalarOp::Mul, {sum->inputs[1], node.inputs[1]});
  return rewriter.add(ScalarOp::Add,
                      {addScaledMatMul(rewriter, *matmul, matmul->inputs[0], *factors, true, {matmul, sum}), bias});
}

Result foldScaleBeforeMatMul(Rewriter &rewriter, const Node &node) {
  if (node.op != Op::MatMul || !rewriter.isConstant(node.inputs[1])) return std::nullopt;
  if (std::get<MatMulAttributes>(node.attributes).transposeA) return std::nullopt;
  const Node *scale = rewriter.producer(node.inputs[0], ScalarOp::Mul);
  if (scale == nullptr || rewriter.uses(scale->output) > 1) return std::nullopt;
  if (!isFloat(rewriter.type(node.output).dtype)) return std::nullopt;
  std::optional<Factors> factors = elementsOfColumns(rewriter, scale->inputs[1], *scale);
  if (!factors) return std::nullopt;
  return addScaledMatMul(rewriter, node, scale->inputs[0], *factors, false, {scale});
}

}  // namespace

absl::Status foldScales(Graph &graph) {
  Rewriter(graph).run({
      foldScaleAfterConv,
      foldShiftAfterConv,
      foldScaleBeforeConv,
      foldShiftBeforeConv,
      foldScaleAfterMatMul,
      foldScaleAfterBias,
      foldScaleBeforeMatMul,
  });
  return absl::OkStatus();
}

}  // namespace hone::graph
