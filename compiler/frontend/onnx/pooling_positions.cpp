// Where the maxima of a pooling were, and the way back.
#include <algorithm>
#include <limits>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/window.h"
#include "compiler/graph/print.h"
#include "compiler/tensor/kernel_builder.h"

namespace hone::frontend {
namespace {

using tensor::Index;
using tensor::Scalar;

Scalar integer(int64_t value) { return tensor::number(static_cast<double>(value), DType::I64); }

/// The positions that \p indices have in a tensor of \p shape. Column-major: the first spatial dim is the fastest.
Index positionIn(const Shape &shape, const std::vector<Index> &indices, bool isColumnMajor) {
  Index position = indices[0] * shape[1] + indices[1];
  for (size_t i = 2; i < shape.size(); ++i) {
    const size_t d = isColumnMajor ? shape.size() + 1 - i : i;
    position = position * shape[d] + indices[d];
  }
  return position;
}

}  // namespace

// Of equal elements the first one counts; padding never does, for its position is beyond all others.
Result maximumPositions(Builder &build, ValueId data, const Window &window, const Shape &output, bool isColumnMajor) {
  const Shape shape = build.shape(data);
  const DType dtype = build.dtype(data);
  const size_t rank = shape.size();
  tensor::KernelBuilder b("maxpool_positions");
  const int x = b.input("data", shape, dtype), best = b.temporary("best", output, dtype);
  const int positions = b.output("positions", output, DType::I64);
  std::vector<tensor::Dim> dims;
  std::vector<Index> target, from, clamped;
  for (size_t d = 0; d < rank; ++d) {
    dims.push_back(tensor::parallel(absl::StrCat("o", d), output[d]));
    target.push_back(tensor::dim(static_cast<int>(d)));
    from.push_back(target.back());
    clamped.push_back(target.back());
  }
  Scalar isOutside;
  for (size_t i = 0; i < window.spatial(); ++i) {
    const Index tap = tensor::dim(static_cast<int>(dims.size()));
    dims.push_back(tensor::reduce(absl::StrCat("k", i), window.kernel[i]));
    const Index place = target[i + 2] * window.strides[i] + tap * window.dilations[i] - window.pads[i];
    from[i + 2] = place;
    clamped[i + 2] = tensor::clamp(place, 0, shape[i + 2] - 1);
    const Scalar at = tensor::indexValue(place);
    const Scalar here = tensor::either(tensor::less(at, integer(0)), tensor::less(integer(shape[i + 2] - 1), at));
    isOutside = isOutside == nullptr ? here : tensor::either(isOutside, here);
  }
  b.begin("maximum", dims);
  const Scalar none = tensor::identity(tensor::CombinerKind::Max, dtype);
  const Scalar nowhere = integer(int64_t{1} << 60);
  const Scalar oldValue = tensor::accumulator(0, dtype), newValue = tensor::element(0, dtype);
  const Scalar oldPlace = tensor::accumulator(1, DType::I64), newPlace = tensor::element(1, DType::I64);
  const Scalar wins = tensor::either(tensor::less(oldValue, newValue),
                                     tensor::both(tensor::equal(oldValue, newValue), tensor::less(newPlace, oldPlace)));
  b.fold({tensor::select(wins, newValue, oldValue), tensor::select(wins, newPlace, oldPlace)}, {none, nowhere});
  const double lowest = isFloat(dtype) ? none->number : static_cast<double>(none->integer);
  b.put(b.get(x, from, lowest), best, target);
  const Scalar position = tensor::indexValue(positionIn(shape, clamped, isColumnMajor));
  b.put(tensor::select(isOutside, nowhere, position), positions, target);
  return build.compute(b.finish(), {data});
}

// The elements go to their positions, one after the other: of two at one position the later stays.
Result importMaxUnpool(NodeContext &node) {
  Builder &build = node.build;
  const Shape shape = node.shape(0);
  if (node.shape(1) != shape || node.dtype(1) != DType::I64) {
    return invalid("positions ", graph::typeText(build.type(node.input(1))), " do not go with data of shape ",
                   graph::shapeText(shape));
  }
  HONE_ASSIGN_OR_RETURN(Window window, readWindowShape(node, shape, std::nullopt));
  HONE_ASSIGN_OR_RETURN(Shape pads, spatialList(node, "pads", 2 * window.spatial(), 0, 0));
  Shape whole = {shape[0], shape[1]};
  for (size_t i = 0; i < window.spatial(); ++i) {
    const int64_t extent =
        (shape[i + 2] - 1) * window.strides[i] + window.kernel[i] - pads[i] - pads[window.spatial() + i];
    if (extent < 1) return invalid("pads ", graph::shapeText(pads), " leave nothing of dim ", i + 2);
    whole.push_back(extent);
  }
  const DType dtype = node.dtype(0);
  const graph::TensorType type{dtype, whole};
  HONE_RETURN_IF_ERROR(build.checkSize(type));
  const int64_t elements = build.type(node.input(0)).elements();

  tensor::KernelBuilder b("max_unpool");
  const int x = b.input("data", {elements}, dtype), place = b.input("positions", {elements}, DType::I64);
  const int y = b.output("result", {type.elements()}, dtype);
  b.begin("clear", {tensor::parallel("i", type.elements())});
  b.put(tensor::number(0, dtype), y, {tensor::dim(0)});
  b.begin("put", {tensor::scan("i", elements)});
  b.put(b.get(x, {tensor::dim(0)}), y, {tensor::load(place, {tensor::dim(0)})});
  Result flat =
      build.compute(b.finish(), {build.reshape(node.input(0), {elements}), build.reshape(node.input(1), {elements})});
  Result result = build.reshape(flat, whole);
  if (!node.has(2)) return result;
  // A larger result has the same elements in its first corner.
  HONE_ASSIGN_OR_RETURN(Shape wanted, node.constantIntegers(2, "output_shape"));
  if (wanted.size() != whole.size()) return invalid("output_shape ", graph::shapeText(wanted), " has another rank");
  Shape behind(2 * whole.size(), 0);
  for (size_t d = 0; d < whole.size(); ++d) {
    behind[whole.size() + d] = wanted[d] - whole[d];
    if (wanted[d] >= whole[d] && wanted[d] <= kLargestWindow) continue;
    return invalid("output_shape ", graph::shapeText(wanted), " has no room for ", graph::shapeText(whole));
  }
  return build.pad(result, {behind, graph::PadMode::Constant, 0});
}

}  // namespace hone::frontend
