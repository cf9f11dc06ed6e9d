// Poolings: maxima, averages and norms of windows, and of whole images.
#include <algorithm>
#include <cmath>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/window.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

absl::Status checkImage(const NodeContext &node) {
  if (node.rank(0) >= 3) return absl::OkStatus();
  return invalid("takes 3 dims or more, not shape ", graph::shapeText(node.shape(0)));
}

Result globalPool(NodeContext &node, graph::ReduceKind kind) {
  HONE_RETURN_IF_ERROR(checkImage(node));
  return node.build.reduce(kind, node.input(0), spatialAxes(node.rank(0)), true);
}

/// |x|^power of every element.
Result raise(Builder &build, Result data, double power) {
  if (!data.ok()) return data;
  Result size = build.apply(Op::Abs, {data});
  if (power == 1) return size;
  if (power == 2) return build.apply(Op::Mul, {data, data});
  return build.apply(Op::Pow, {size, build.number(build.dtype(*data), power)});
}

/// The inverse of raise() for what is not negative.
Result root(Builder &build, Result data, double power) {
  if (!data.ok() || power == 1) return data;
  if (power == 2) return build.apply(Op::Sqrt, {data});
  return build.apply(Op::Pow, {data, build.number(build.dtype(*data), 1 / power)});
}

/// The attribute 'p', a float in version 1.
absl::StatusOr<double> readPower(const NodeContext &node) {
  double power = 2;
  if (node.version() < 2) {
    HONE_ASSIGN_OR_RETURN(power, node.real("p", 2.0));
  } else {
    HONE_ASSIGN_OR_RETURN(int64_t whole, node.integer("p", 2));
    power = static_cast<double>(whole);
  }
  if (power > 0 && std::isfinite(power)) return power;
  return invalid("attribute 'p' is ", power, "; it has to be positive");
}

}  // namespace

Result importMaxPool(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Window window, readPoolWindow(node));
  HONE_ASSIGN_OR_RETURN(int64_t order, node.integer("storage_order", 0));
  HONE_ASSIGN_OR_RETURN(ValueId maxima,
                        node.build.pool(node.input(0), {graph::PoolKind::Max, window.kernel, window.strides,
                                                        window.dilations, padsWithOverhang(window), false}));
  if (node.isOutputUsed(1)) {
    const Shape shape = node.build.shape(maxima);
    HONE_ASSIGN_OR_RETURN(ValueId positions, maximumPositions(node.build, node.input(0), window, shape, order != 0));
    node.addOutput(positions);
  }
  return maxima;
}

// The overhang of ceil_mode never counts as padding. Where the other padding does count, it is therefore made explicit.
Result importAveragePool(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Window window, readPoolWindow(node));
  HONE_ASSIGN_OR_RETURN(int64_t countPadding, node.integer("count_include_pad", 0));
  Result data = node.input(0);
  bool hasOverhang = std::any_of(window.overhang.begin(), window.overhang.end(), [](int64_t n) { return n != 0; });
  if (countPadding != 0 && hasOverhang) {
    size_t spatial = window.spatial();
    Shape pads(2 * (spatial + 2), 0);
    std::copy_n(window.pads.begin(), spatial, pads.begin() + 2);
    std::copy_n(window.pads.begin() + static_cast<std::ptrdiff_t>(spatial), spatial,
                pads.begin() + static_cast<std::ptrdiff_t>(spatial) + 4);
    data = node.build.pad(data, {pads, graph::PadMode::Constant, 0});
    window.pads.assign(2 * spatial, 0);
    countPadding = 0;
  }
  return node.build.pool(data, {graph::PoolKind::Average, window.kernel, window.strides, window.dilations,
                                padsWithOverhang(window), countPadding != 0});
}

// (sum |x|^p)^(1/p), where the sum is an average times the number of taps.
Result importLpPool(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(Window window, readPoolWindow(node));
  HONE_ASSIGN_OR_RETURN(double power, readPower(node));
  double taps = 1;
  for (int64_t extent : window.kernel) taps *= static_cast<double>(extent);
  Result average = build.pool(
      raise(build, node.input(0), power),
      {graph::PoolKind::Average, window.kernel, window.strides, window.dilations, padsWithOverhang(window), true});
  return root(build, build.apply(Op::Mul, {average, build.number(node.dtype(0), taps)}), power);
}

Result importGlobalAveragePool(NodeContext &node) { return globalPool(node, graph::ReduceKind::Mean); }
Result importGlobalMaxPool(NodeContext &node) { return globalPool(node, graph::ReduceKind::Max); }

Result importGlobalLpPool(NodeContext &node) {
  HONE_RETURN_IF_ERROR(checkImage(node));
  HONE_ASSIGN_OR_RETURN(double power, readPower(node));
  Result sum = node.build.reduce(graph::ReduceKind::Sum, raise(node.build, node.input(0), power),
                                 spatialAxes(node.rank(0)), true);
  return root(node.build, sum, power);
}

// x / norm of the vector along one axis. Of a vector of zeros that is 0 / 0, and from version 22 on 0.
Result importLpNormalization(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", -1));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  HONE_ASSIGN_OR_RETURN(int64_t power, node.integer("p", 2));
  if (power != 1 && power != 2) return invalid("attribute 'p' is ", power, ", not 1 or 2");
  auto p = static_cast<double>(power);
  Result sum = build.reduce(graph::ReduceKind::Sum, raise(build, node.input(0), p), {axis}, true);
  HONE_ASSIGN_OR_RETURN(ValueId norm, root(build, sum, p));
  Result quotient = build.apply(Op::Div, {node.input(0), norm});
  if (node.version() < 22) return quotient;
  Result zero = build.number(build.dtype(norm), 0);
  return build.apply(Op::Select, {build.apply(Op::Equal, {norm, zero}), zero, quotient});
}

// x / (bias + alpha / size * sum of squares in `size` channels around)^beta: the mean of the squares is an average
// pooling along the channels, whose padding counts.
Result importLrn(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1e-4F));
  HONE_ASSIGN_OR_RETURN(double beta, node.real("beta", 0.75F));
  HONE_ASSIGN_OR_RETURN(double bias, node.real("bias", 1.0));
  HONE_ASSIGN_OR_RETURN(int64_t size, node.integer("size"));
  const Shape shape = node.shape(0);
  if (shape.size() < 3) return invalid("takes 3 dims or more, not shape ", graph::shapeText(shape));
  if (size < 1 || size > kLargestWindow) return invalid("attribute 'size' is ", size, "; it has to be positive");
  // One channel, rows of channels, columns of all else.
  int64_t behind = 1;
  for (size_t i = 2; i < shape.size(); ++i) behind *= shape[i];
  int64_t before = (size - 1) / 2;
  Result squares = build.apply(Op::Mul, {node.input(0), node.input(0)});
  Result mean =
      build.pool(build.reshape(squares, {shape[0], 1, shape[1], behind}),
                 {graph::PoolKind::Average, {size, 1}, {1, 1}, {1, 1}, {before, 0, size - 1 - before, 0}, true});
  DType dtype = node.dtype(0);
  Result scaled = build.apply(Op::Mul, {build.reshape(mean, shape), build.number(dtype, alpha)});
  Result base = build.apply(Op::Add, {scaled, build.number(dtype, bias)});
  return build.apply(Op::Div, {node.input(0), build.apply(Op::Pow, {base, build.number(dtype, beta)})});
}

}  // namespace hone::frontend
