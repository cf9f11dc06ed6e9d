// Normalisations, softmax, and what only training needed.
#include "compiler/frontend/onnx/normalisation.h"

#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/wide_unary.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

/// \p parameter, one entry per channel, in a shape that broadcasts along dim 1 of data of rank \p rank.
Result alongChannels(Builder &build, ValueId parameter, int64_t rank) {
  Shape shape(static_cast<size_t>(std::max<int64_t>(rank - 1, 1)), 1);
  shape[0] = build.shape(parameter)[0];
  return build.reshape(parameter, shape);
}

/// scale / sqrt(variance + epsilon)
Result inverseDeviation(Builder &build, Result scale, ValueId variance, double epsilon) {
  Result shifted = build.apply(Op::Add, {variance, build.number(build.dtype(variance), epsilon)});
  return build.apply(Op::Div, {scale, build.apply(Op::Sqrt, {shifted})});
}

absl::Status checkChannels(NodeContext &node) {
  int64_t channels = node.rank(0) > 1 ? node.shape(0)[1] : 1;
  for (int i = 1; i < node.inputCount(); ++i) {
    if (node.has(i) && node.shape(i) != Shape{channels}) {
      return invalid("operand ", i, " has shape ", graph::shapeText(node.shape(i)),
                     " instead of one entry for each of ", channels, " channels");
    }
  }
  return absl::OkStatus();
}

/// The further outputs of LayerNormalization, mean and 1 / sqrt(variance + epsilon), where somebody reads them.
absl::Status addRowStatistics(NodeContext &node, int64_t axis, double epsilon) {
  if (!node.isOutputUsed(1) && !node.isOutputUsed(2)) return absl::OkStatus();
  Builder &build = node.build;
  std::vector<int64_t> axes(static_cast<size_t>(node.rank(0) - axis));
  std::iota(axes.begin(), axes.end(), axis);
  HONE_ASSIGN_OR_RETURN(ValueId mean, build.reduce(graph::ReduceKind::Mean, node.input(0), axes, true));
  Result centred = build.apply(Op::Sub, {node.input(0), mean});
  HONE_ASSIGN_OR_RETURN(ValueId variance,
                        build.reduce(graph::ReduceKind::Mean, build.apply(Op::Mul, {centred, centred}), axes, true));
  HONE_ASSIGN_OR_RETURN(ValueId inverse, inverseDeviation(build, build.number(node.dtype(0), 1), variance, epsilon));
  node.addOutput(mean);
  node.addOutput(inverse);
  return absl::OkStatus();
}

/// Before version 13 the dims from `axis` on count as one; from then on there is one axis.
Result normaliseExponentials(NodeContext &node, graph::Op op) {
  Builder &build = node.build;
  bool isFlattening = node.version() < 13;
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", isFlattening ? 1 : -1));
  const Shape shape = node.shape(0);
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  auto multiply = std::multiplies<int64_t>();
  int64_t behind = std::accumulate(shape.begin() + axis + 1, shape.end(), int64_t{1}, multiply);
  if (!isFlattening || behind == 1) return build.softmax(op, node.input(0), axis);
  int64_t before = std::accumulate(shape.begin(), shape.begin() + axis, int64_t{1}, multiply);
  Result flat = build.reshape(node.input(0), {before, shape[static_cast<size_t>(axis)] * behind});
  return build.reshape(build.softmax(op, flat, 1), shape);
}

}  // namespace

namespace {

/// Mean and variance of every channel of the first operand.
struct Statistics {
  Result mean, variance;
};

Statistics channelStatistics(NodeContext &node) {
  Builder &build = node.build;
  std::vector<int64_t> axes;
  for (int64_t axis = 0; axis < node.rank(0); ++axis) {
    if (axis != 1) axes.push_back(axis);
  }
  Result mean = build.reduce(graph::ReduceKind::Mean, node.input(0), axes, true);
  Result centred = build.apply(Op::Sub, {node.input(0), mean});
  Result variance = build.reduce(graph::ReduceKind::Mean, build.apply(Op::Mul, {centred, centred}), axes, false);
  return {build.reshape(mean, {node.shape(0)[1]}), variance};
}

/// Running statistics are an output of training mode: old * momentum + new * (1 - momentum).
absl::Status addRunning(NodeContext &node, int position, Result current) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double momentum, node.real("momentum", 0.9F));
  DType dtype = node.dtype(position);
  Result kept = build.apply(Op::Mul, {node.input(position), build.number(dtype, momentum)});
  Result added = build.apply(Op::Mul, {build.cast(std::move(current), dtype), build.number(dtype, 1 - momentum)});
  HONE_ASSIGN_OR_RETURN(ValueId running, build.apply(Op::Add, {kept, added}));
  node.addOutput(running);
  return absl::OkStatus();
}

/// Rows that are normalised by themselves: \p data as [rows, elements], as mean 0 and variance 1.
Result normaliseRows(Builder &build, Result data, int64_t rows, int64_t elements, double epsilon) {
  if (!data.ok()) return data;
  DType dtype = build.dtype(*data);
  return build.layerNorm(build.reshape(data, {rows, elements}), build.number(dtype, 1), build.number(dtype, 0), 1,
                         epsilon);
}

}  // namespace

absl::StatusOr<RmsNorm> rmsNorm(Builder &build, ValueId data, ValueId scale, int64_t axis, double epsilon) {
  const DType dtype = build.dtype(data), wide = widened(dtype);
  std::vector<int64_t> axes(static_cast<size_t>(build.rank(data) - axis));
  std::iota(axes.begin(), axes.end(), axis);
  Result x = build.cast(data, wide);
  Result squares = build.reduce(graph::ReduceKind::Mean, build.apply(Op::Mul, {x, x}), axes, true);
  Result root = build.apply(Op::Sqrt, {build.apply(Op::Add, {squares, build.number(wide, epsilon)})});
  HONE_ASSIGN_OR_RETURN(ValueId inverse, build.apply(Op::Div, {build.number(wide, 1), root}));
  Result normalised = build.cast(build.apply(Op::Mul, {x, inverse}), build.dtype(scale));
  HONE_ASSIGN_OR_RETURN(ValueId result, build.apply(Op::Mul, {normalised, scale}));
  return RmsNorm{result, inverse};
}

// Inference: y = x * (scale / sqrt(variance + epsilon)) + (bias - mean * the same), whose factors are constants.
Result importBatchNormalization(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double epsilon, node.real("epsilon", 1e-5F));
  HONE_ASSIGN_OR_RETURN(int64_t training, node.integer("training_mode", 0));
  HONE_ASSIGN_OR_RETURN(int64_t spatial, node.version() < 9 ? node.integer("spatial", 1) : int64_t{1});
  if (node.rank(0) < (training != 0 ? 2 : 1)) return invalid("takes more dims than ", node.rank(0));
  if (spatial != 0) HONE_RETURN_IF_ERROR(checkChannels(node));
  Statistics statistics{node.input(3), node.input(4)};
  if (training != 0) {
    statistics = channelStatistics(node);
    if (!statistics.mean.ok()) return statistics.mean;
    if (!statistics.variance.ok()) return statistics.variance;
    HONE_RETURN_IF_ERROR(addRunning(node, 3, statistics.mean));
    HONE_RETURN_IF_ERROR(addRunning(node, 4, statistics.variance));
  }
  Result scale = inverseDeviation(build, node.input(1), *statistics.variance, epsilon);
  Result shift = build.apply(Op::Sub, {node.input(2), build.apply(Op::Mul, {statistics.mean, scale})});
  if (!scale.ok()) return scale;
  if (!shift.ok()) return shift;
  // Without `spatial` there is a parameter for every element, not only for every channel.
  Result factor = spatial != 0 ? alongChannels(build, *scale, node.rank(0)) : scale;
  Result addend = spatial != 0 ? alongChannels(build, *shift, node.rank(0)) : shift;
  DType dtype = node.dtype(0);
  Result scaled = build.apply(Op::Mul, {node.input(0), build.cast(factor, dtype)});
  return build.apply(Op::Add, {scaled, build.cast(addend, dtype)});
}

Result importInstanceNormalization(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double epsilon, node.real("epsilon", 1e-5F));
  const Shape shape = node.shape(0);
  if (shape.size() < 3) return invalid("takes 3 dims or more, not shape ", graph::shapeText(shape));
  HONE_RETURN_IF_ERROR(checkChannels(node));
  int64_t plane = std::accumulate(shape.begin() + 2, shape.end(), int64_t{1}, std::multiplies<int64_t>());
  Result rows = normaliseRows(build, node.input(0), shape[0] * shape[1], plane, epsilon);
  Result scaled = build.apply(Op::Mul, {build.reshape(rows, shape), alongChannels(build, node.input(1), node.rank(0))});
  return build.apply(Op::Add, {scaled, alongChannels(build, node.input(2), node.rank(0))});
}

// Scale and bias are per group before version 21, and per channel from then on.
Result importGroupNormalization(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double epsilon, node.real("epsilon", 1e-5F));
  HONE_ASSIGN_OR_RETURN(int64_t groups, node.integer("num_groups"));
  const Shape shape = node.shape(0);
  if (shape.size() < 2 || groups < 1 || shape[1] % groups != 0) {
    return invalid("shape ", graph::shapeText(shape), " does not divide into ", groups, " groups of channels");
  }
  const int64_t factors = node.version() < 21 ? groups : shape[1];
  for (int i = 1; i < 3; ++i) {
    if (node.shape(i) != Shape{factors}) {
      return invalid("operand ", i, " has shape ", graph::shapeText(node.shape(i)),
                     " instead of one entry for each of ", factors, node.version() < 21 ? " groups" : " channels");
    }
  }
  int64_t plane = std::accumulate(shape.begin() + 2, shape.end(), shape[1] / groups, std::multiplies<int64_t>());
  Result rows = normaliseRows(build, node.input(0), shape[0] * groups, plane, epsilon);
  Result grouped = build.reshape(rows, {shape[0], factors, plane / (factors / groups)});
  Result scaled = build.apply(Op::Mul, {grouped, build.reshape(node.input(1), {factors, 1})});
  return build.reshape(build.apply(Op::Add, {scaled, build.reshape(node.input(2), {factors, 1})}), shape);
}

// (x - mean) / (deviation + a little), over the given axes.
Result importMeanVarianceNormalization(NodeContext &node) {
  Builder &build = node.build;
  std::vector<int64_t> axes = {0, 2, 3};
  if (node.hasAttribute("axes")) {
    HONE_ASSIGN_OR_RETURN(axes, node.integers("axes"));
  }
  HONE_ASSIGN_OR_RETURN(axes, normalizeAxes(axes, node.rank(0)));
  Result mean = build.reduce(graph::ReduceKind::Mean, node.input(0), axes, true);
  Result centred = build.apply(Op::Sub, {node.input(0), mean});
  Result variance = build.reduce(graph::ReduceKind::Mean, build.apply(Op::Mul, {centred, centred}), axes, true);
  Result deviation = build.apply(Op::Add, {build.apply(Op::Sqrt, {variance}), build.number(node.dtype(0), 1e-9)});
  return build.apply(Op::Div, {centred, deviation});
}

Result importLayerNormalization(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", -1));
  HONE_ASSIGN_OR_RETURN(double epsilon, node.real("epsilon", 1e-5F));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  HONE_RETURN_IF_ERROR(addRowStatistics(node, axis, epsilon));
  Result shift = node.has(2) ? Result(node.input(2)) : build.number(node.dtype(0), 0);
  return build.layerNorm(node.input(0), node.input(1), shift, axis, epsilon);
}

// x / sqrt(mean(x^2) + epsilon) in the precision of `stash_type`, then times the scale.
Result importRmsNormalization(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", -1));
  HONE_ASSIGN_OR_RETURN(double epsilon, node.real("epsilon", 1e-5F));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  HONE_ASSIGN_OR_RETURN(RmsNorm norm, rmsNorm(node.build, node.input(0), node.input(1), axis, epsilon));
  node.addOutput(norm.inverse);
  return norm.result;
}

Result importSoftmax(NodeContext &node) { return normaliseExponentials(node, graph::Op::Softmax); }
Result importLogSoftmax(NodeContext &node) { return normaliseExponentials(node, graph::Op::LogSoftmax); }

namespace {

/// Whether the operand is a constant that says that every element stays.
bool dropsNothing(const NodeContext &node, int ratio) {
  const graph::ConstantData *constant = node.has(ratio) ? node.build.constant(node.input(ratio)) : nullptr;
  return constant != nullptr && constant->type.elements() == 1 && graph::elementAsDouble(*constant, 0) == 0;
}

}  // namespace

// In inference nothing is dropped, nor is with ratio 0, and the mask says so.
Result importDropout(NodeContext &node) {
  Builder &build = node.build;
  if (node.version() >= 12 && node.has(2) && !dropsNothing(node, 1)) {
    HONE_ASSIGN_OR_RETURN(double training, node.constantNumber(2, "training_mode"));
    if (training != 0) {
      return unsupported("training_mode 1 with a ratio that is not known to be 0; export the model for inference");
    }
  }
  if (node.isOutputUsed(1)) {
    DType dtype = node.version() < 10 ? node.dtype(0) : DType::Bool;
    HONE_ASSIGN_OR_RETURN(ValueId mask, build.broadcast(build.number(dtype, 1), node.shape(0)));
    node.addOutput(mask);
  }
  return node.input(0);
}

}  // namespace hone::frontend
