// Normalisations, softmax, and what only training needed.
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
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

// Inference: y = x * (scale / sqrt(variance + epsilon)) + (bias - mean * the same), whose factors are constants.
Result importBatchNormalization(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double epsilon, node.real("epsilon", 1e-5F));
  HONE_ASSIGN_OR_RETURN(int64_t training, node.integer("training_mode", 0));
  HONE_ASSIGN_OR_RETURN(int64_t spatial, node.version() < 9 ? node.integer("spatial", 1) : int64_t{1});
  if (training != 0) return unsupported("training_mode 1; export the model for inference");
  if (node.rank(0) < 1) return invalid("takes 1 dim or more");
  if (spatial != 0) HONE_RETURN_IF_ERROR(checkChannels(node));
  Result scale = inverseDeviation(build, node.input(1), node.input(4), epsilon);
  Result shift = build.apply(Op::Sub, {node.input(2), build.apply(Op::Mul, {node.input(3), scale})});
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
  if (node.rank(0) < 3) return invalid("takes 3 dims or more, not shape ", graph::shapeText(node.shape(0)));
  HONE_RETURN_IF_ERROR(checkChannels(node));
  std::vector<int64_t> axes(static_cast<size_t>(node.rank(0) - 2));
  std::iota(axes.begin(), axes.end(), 2);
  Result mean = build.reduce(graph::ReduceKind::Mean, node.input(0), axes, true);
  Result centred = build.apply(Op::Sub, {node.input(0), mean});
  HONE_ASSIGN_OR_RETURN(ValueId variance,
                        build.reduce(graph::ReduceKind::Mean, build.apply(Op::Mul, {centred, centred}), axes, true));
  Result factor = inverseDeviation(build, alongChannels(build, node.input(1), node.rank(0)), variance, epsilon);
  Result scaled = build.apply(Op::Mul, {centred, factor});
  return build.apply(Op::Add, {scaled, alongChannels(build, node.input(2), node.rank(0))});
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

Result importSoftmax(NodeContext &node) { return normaliseExponentials(node, graph::Op::Softmax); }
Result importLogSoftmax(NodeContext &node) { return normaliseExponentials(node, graph::Op::LogSoftmax); }

// In inference nothing is dropped, and the mask says so.
Result importDropout(NodeContext &node) {
  Builder &build = node.build;
  if (node.version() >= 12 && node.has(2)) {
    HONE_ASSIGN_OR_RETURN(double training, node.constantNumber(2, "training_mode"));
    if (training != 0) return unsupported("training_mode 1; export the model for inference");
  }
  if (node.isOutputUsed(1)) {
    DType dtype = node.version() < 10 ? node.dtype(0) : DType::Bool;
    HONE_ASSIGN_OR_RETURN(ValueId mask, build.broadcast(build.number(dtype, 1), node.shape(0)));
    node.addOutput(mask);
  }
  return node.input(0);
}

}  // namespace hone::frontend
