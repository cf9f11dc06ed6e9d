// Reductions, softmax and layer norm (several stages over the rows of the input domain), and concatenation.
#include "compiler/plan/emit.h"

namespace hone::plan {
namespace {

using graph::Node;
using graph::ReduceKind;
using tensor::CombinerKind;
using tensor::Scalar;

CombinerKind combinerOf(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::Sum:
    case ReduceKind::Mean:
      return CombinerKind::Sum;
    case ReduceKind::Max:
      return CombinerKind::Max;
    case ReduceKind::Min:
      return CombinerKind::Min;
    case ReduceKind::Product:
      return CombinerKind::Product;
  }
  return CombinerKind::Sum;
}

int64_t rowElements(const Domains &domains) {
  int64_t count = 1;
  for (size_t i = domains.outer; i < domains.input.dims.size(); ++i) count *= domains.input.dims[i].extent;
  return count;
}

/// Stages over the rows of a norm's data.
class Rows {
 public:
  Rows(GroupEmitter &emitter, const Node &node)
      : emitter_(emitter), node_(node), type_(accumulatorOf(emitter.dtype(node.output))) {}

  Scalar data(Stage &stage) const {
    const Indices &coords = emitter_.domains().input.coords;
    return tensor::cast(type_, emitter_.value(stage, node_.inputs[0], coords));
  }
  Scalar number(double value) const { return tensor::number(value, type_); }
  Scalar perRow(Stage &stage, int buffer) const { return stage.read(buffer, outer()); }
  Scalar element(Stage &stage, int buffer) const { return stage.read(buffer, dimsFrom(0, dims().size())); }

  /// A reduction of each row by \p combiner over what \p body gives; the buffer with the results.
  template <typename Body>
  int reduce(const char *name, CombinerKind combiner, Body body) const {
    Stage stage = emitter_.stage(name, dims());
    stage.reduceFrom(emitter_.domains().outer);
    return finish(std::move(stage), combiner, outer(), body);
  }
  /// One value per row.
  template <typename Body>
  int perRowStage(const char *name, Body body) const {
    std::vector<tensor::Dim> outerDims = dims();
    outerDims.resize(emitter_.domains().outer);
    return finish(emitter_.stage(name, std::move(outerDims)), CombinerKind::None, outer(), body);
  }
  /// One value per element.
  template <typename Body>
  int perElementStage(const char *name, Body body) const {
    return finish(emitter_.stage(name, dims()), CombinerKind::None, dimsFrom(0, dims().size()), body);
  }

 private:
  const std::vector<tensor::Dim> &dims() const { return emitter_.domains().input.dims; }
  Indices outer() const { return dimsFrom(0, emitter_.domains().outer); }

  template <typename Body>
  int finish(Stage stage, CombinerKind combiner, Indices place, Body body) const {
    Scalar result = body(stage);
    const int buffer = emitter_.temporary(stage.name(), result->dtype, dims(), place.size());
    stage.finish(std::move(result), combiner, buffer, std::move(place));
    return buffer;
  }

  GroupEmitter &emitter_;
  const Node &node_;
  DType type_;
};

int rowMaximum(const Rows &rows) {
  return rows.reduce("mx", CombinerKind::Max, [&](Stage &stage) { return rows.data(stage); });
}

Scalar exponential(const Rows &rows, Stage &stage, int maximum) {
  return tensor::apply(ScalarOp::Exp, {difference(rows.data(stage), rows.perRow(stage, maximum))});
}

}  // namespace

Finish emitReduce(GroupEmitter &emitter, const Node &node) {
  const auto &reduce = std::get<graph::ReduceAttributes>(node.attributes);
  const Domains &domains = emitter.domains();
  const DType type = emitter.dtype(node.output);
  DType accumulator = accumulatorOf(type);
  // Only the quotient has to fit the dtype, not the sum. (Of 64-bit elements both are what wraps.)
  if (reduce.kind == ReduceKind::Mean && isInteger(type) && type != DType::U64) accumulator = DType::I64;
  Stage stage = emitter.stage("reduce", domains.input.dims);
  stage.reduceFrom(domains.outer);
  Scalar body = tensor::cast(accumulator, emitter.value(stage, node.inputs[0], domains.input.coords));
  const int64_t count = rowElements(domains);
  const CombinerKind combiner = combinerOf(reduce.kind);
  if (reduce.kind != ReduceKind::Mean || isFloat(accumulator)) {
    // Scaled on the way in, the sum is the value, and needs no second stage.
    if (reduce.kind == ReduceKind::Mean) {
      body = product(body, tensor::number(1.0 / static_cast<double>(count), accumulator));
    }
    return emitter.finishValue(std::move(stage), node, std::move(body), combiner);
  }
  Finish partial = emitter.finishPartial(std::move(stage), std::move(body), combiner);
  return [partial, count, type, accumulator](Stage &reader) {
    const Scalar divisor = tensor::number(static_cast<double>(count), accumulator);
    return tensor::cast(type, quotient(partial(reader), divisor));
  };
}

Finish emitSoftmax(GroupEmitter &emitter, const Node &node) {
  const Rows rows(emitter, node);
  const int maximum = rowMaximum(rows);
  const int e = rows.perElementStage("e", [&](Stage &stage) { return exponential(rows, stage, maximum); });
  const int total = rows.reduce("s", CombinerKind::Sum, [&](Stage &stage) { return rows.element(stage, e); });
  // One division per row: one per element takes as long as the exponential.
  const int inverse =
      rows.perRowStage("inv", [&](Stage &stage) { return quotient(rows.number(1), rows.perRow(stage, total)); });
  const DType type = emitter.dtype(node.output);
  return [rows, e, inverse, type](Stage &reader) {
    return tensor::cast(type, product(rows.element(reader, e), rows.perRow(reader, inverse)));
  };
}

Finish emitLogSoftmax(GroupEmitter &emitter, const Node &node) {
  const Rows rows(emitter, node);
  const int maximum = rowMaximum(rows);
  const int total =
      rows.reduce("s", CombinerKind::Sum, [&](Stage &stage) { return exponential(rows, stage, maximum); });
  const int logarithm =
      rows.perRowStage("l", [&](Stage &stage) { return tensor::apply(ScalarOp::Log, {rows.perRow(stage, total)}); });
  const DType type = emitter.dtype(node.output);
  return [rows, maximum, logarithm, type](Stage &reader) {
    const Scalar shifted = difference(rows.data(reader), rows.perRow(reader, maximum));
    return tensor::cast(type, difference(shifted, rows.perRow(reader, logarithm)));
  };
}

Finish emitLayerNorm(GroupEmitter &emitter, const Node &node) {
  const Rows rows(emitter, node);
  const double epsilon = std::get<graph::LayerNormAttributes>(node.attributes).epsilon;
  const double share = 1.0 / static_cast<double>(rowElements(emitter.domains()));
  const int mean = rows.reduce("mean", CombinerKind::Sum,
                               [&](Stage &stage) { return product(rows.data(stage), rows.number(share)); });
  const int variance = rows.reduce("var", CombinerKind::Sum, [&](Stage &stage) {
    const Scalar centred = difference(rows.data(stage), rows.perRow(stage, mean));
    return product(product(centred, centred), rows.number(share));
  });
  // A stage of its own, so that the root and the division are taken once per row.
  const int inverse = rows.perRowStage("inv", [&](Stage &stage) {
    const Scalar shifted = sum(rows.perRow(stage, variance), rows.number(epsilon));
    return quotient(rows.number(1), tensor::apply(ScalarOp::Sqrt, {shifted}));
  });
  const DType type = emitter.dtype(node.output), accumulator = accumulatorOf(type);
  return [&emitter, &node, rows, mean, inverse, type, accumulator](Stage &reader) {
    const graph::Shape &shape = emitter.shape(node.output);
    const Indices &coords = emitter.domains().output.coords;
    const auto operand = [&](size_t input) {
      const graph::ValueId value = node.inputs[input];
      const Scalar read = emitter.value(reader, value, broadcastIndices(emitter.shape(value), shape, coords));
      return tensor::cast(accumulator, read);
    };
    const Scalar centred = difference(rows.data(reader), rows.perRow(reader, mean));
    const Scalar scaled = product(product(centred, rows.perRow(reader, inverse)), operand(1));
    return tensor::cast(type, sum(scaled, operand(2)));
  };
}

Finish emitConcat(GroupEmitter &emitter, const Node &node) {
  const auto axis = static_cast<size_t>(std::get<graph::AxisAttributes>(node.attributes).axis);
  int64_t offset = 0;
  for (graph::ValueId input : node.inputs) {
    std::vector<tensor::Dim> dims = emitter.domains().output.dims;
    dims[axis].extent = emitter.shape(input)[axis];
    if (emitter.isInPlace(input)) {
      offset += dims[axis].extent;
      continue;
    }
    const int buffer = emitter.storageOf(node);
    Stage stage = emitter.stage("part", dims);
    Scalar body = emitter.value(stage, input, dimsFrom(0, dims.size()));
    Indices place = dimsFrom(0, dims.size());
    place[axis] = place[axis] + offset;
    stage.finish(std::move(body), CombinerKind::None, buffer, std::move(place));
    offset += dims[axis].extent;
  }
  return nullptr;
}

}  // namespace hone::plan
