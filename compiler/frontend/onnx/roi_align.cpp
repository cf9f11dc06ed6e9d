// RoiAlign: the mean (or maximum) of a picture at a grid of points within each cell of each region.
#include <array>

#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using tensor::Index;
using tensor::KernelBuilder;
using tensor::Scalar;

constexpr int64_t kMostSamples = 1 << 10;

struct RoiAlign {
  Shape image;                   ///< [N, C, H, W]
  int64_t regions, samples;      ///< points per cell and direction
  std::array<int64_t, 2> cells;  ///< rows, columns
  double scale;
  bool isShifted;  ///< by half a pixel
  bool isMaximum;
};

/// Points of one direction: where they lie, the pixel before them, and whether they are in the picture.
struct Points {
  int place, pixel, isInside;
};

Points addPoints(KernelBuilder &b, const RoiAlign &roi, int regions, DType computed, int64_t direction) {
  const char *name = direction == 0 ? "y" : "x";
  const auto number = [&](double value) { return tensor::number(value, computed); };
  const int64_t cells = roi.cells[static_cast<size_t>(direction)],
                extent = roi.image[static_cast<size_t>(direction) + 2];
  const Shape shape = {roi.regions, cells, roi.samples};
  const Points points{b.temporary(absl::StrCat(name, "_place"), shape, computed),
                      b.temporary(absl::StrCat(name, "_pixel"), shape, DType::I32),
                      b.temporary(absl::StrCat(name, "_inside"), shape, DType::Bool)};
  const StageDims all = dimsOver(shape, name);
  const Scalar cell = tensor::cast(computed, tensor::indexValue(all.at[1]));
  const Scalar sample = tensor::cast(computed, tensor::indexValue(all.at[2])) + number(0.5);
  const auto edge = [&](int64_t which) {
    const Index column = tensor::constant((1 - direction) + 2 * which);
    const Scalar scaled = tensor::cast(computed, b.get(regions, {all.at[0], column})) * number(roi.scale);
    return roi.isShifted ? scaled - number(0.5) : scaled;
  };
  // Clipped into the picture; outside of it by more than a pixel the value is 0.
  const auto at = [&] {
    const Scalar begin = edge(0);
    Scalar length = edge(1) - begin;
    if (!roi.isShifted) length = tensor::maximum(length, number(1));
    const Scalar size = length / number(static_cast<double>(cells));
    return begin + cell * size + sample * size / number(static_cast<double>(roi.samples));
  };
  b.begin(absl::StrCat(name, "_inside"), all.dims);
  const Scalar place = at(), low = number(-1), high = number(static_cast<double>(extent));
  b.put(
      tensor::both(tensor::apply(ScalarOp::LessEqual, {low, place}), tensor::apply(ScalarOp::LessEqual, {place, high})),
      points.isInside, all.at);
  b.begin(absl::StrCat(name, "_place"), all.dims);
  const Scalar last = number(static_cast<double>(extent - 1));
  b.put(tensor::minimum(tensor::maximum(at(), number(0)), last), points.place, all.at);
  b.begin(absl::StrCat(name, "_pixel"), all.dims);
  b.put(tensor::cast(DType::I32, b.get(points.place, all.at)), points.pixel, all.at);
  return points;
}

tensor::Kernel roiAlign(const RoiAlign &roi, DType dtype, DType batchType) {
  const DType computed = accumulatorOf(dtype);
  const auto number = [&](double value) { return tensor::number(value, computed); };
  KernelBuilder b("roi_align");
  const int x = b.input("image", roi.image, dtype), regions = b.input("regions", {roi.regions, 4}, dtype);
  const int batches = b.input("batches", {roi.regions}, batchType);
  const Points rows = addPoints(b, roi, regions, computed, 0);
  const Points columns = addPoints(b, roi, regions, computed, 1);
  const Shape shape = {roi.regions, roi.image[1], roi.cells[0], roi.cells[1]};
  const int y = b.output("result", shape, dtype);
  b.begin("sample",
          {tensor::parallel("r", shape[0]), tensor::parallel("c", shape[1]), tensor::parallel("h", shape[2]),
           tensor::parallel("w", shape[3]), tensor::reduce("v", roi.samples), tensor::reduce("u", roi.samples)});
  b.fold(roi.isMaximum ? tensor::CombinerKind::Max : tensor::CombinerKind::Sum);
  const Indices row = {tensor::dim(0), tensor::dim(2), tensor::dim(4)};
  const Indices column = {tensor::dim(0), tensor::dim(3), tensor::dim(5)};
  const Index batch = placeFrom(batches, {tensor::dim(0)}, roi.image[0]);
  const auto shareOf = [&](const Points &points, const Indices &at) {
    return b.get(points.place, at) - tensor::cast(computed, b.get(points.pixel, at));
  };
  const Scalar down = shareOf(rows, row), right = shareOf(columns, column);
  const auto weighted = [&](int64_t dy, int64_t dx) {
    const auto pixel = [&](const Points &points, const Indices &at, int64_t step, int64_t extent) {
      return tensor::clamp(tensor::load(points.pixel, at) + step, 0, extent - 1);
    };
    const Scalar value = tensor::cast(computed, b.get(x, {batch, tensor::dim(1), pixel(rows, row, dy, roi.image[2]),
                                                          pixel(columns, column, dx, roi.image[3])}));
    const Scalar vertical = dy == 0 ? number(1) - down : down, horizontal = dx == 0 ? number(1) - right : right;
    return vertical * horizontal * value;
  };
  Scalar value = weighted(0, 0);
  for (const auto &[dy, dx] : {std::pair<int64_t, int64_t>{0, 1}, {1, 0}, {1, 1}}) {
    value = roi.isMaximum ? tensor::maximum(value, weighted(dy, dx)) : value + weighted(dy, dx);
  }
  const Scalar isInside = tensor::both(b.get(rows.isInside, row), b.get(columns.isInside, column));
  value = tensor::select(isInside, value, number(0));
  if (!roi.isMaximum) value = value * number(1.0 / static_cast<double>(roi.samples * roi.samples));
  b.put(value, y, {tensor::dim(0), tensor::dim(1), tensor::dim(2), tensor::dim(3)});
  return b.finish();
}

}  // namespace

Result importRoiAlign(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::string mode, node.text("mode", "avg"));
  if (mode != "avg" && mode != "max") return invalid("attribute 'mode' is '", mode, "', not avg or max");
  const char *usual = node.version() < 16 ? "output_half_pixel" : "half_pixel";
  HONE_ASSIGN_OR_RETURN(std::string transformation, node.text("coordinate_transformation_mode", usual));
  HONE_ASSIGN_OR_RETURN(int64_t height, node.integer("output_height", 1));
  HONE_ASSIGN_OR_RETURN(int64_t width, node.integer("output_width", 1));
  HONE_ASSIGN_OR_RETURN(int64_t samples, node.integer("sampling_ratio", 0));
  HONE_ASSIGN_OR_RETURN(double scale, node.real("spatial_scale", 1.0));
  const Shape &image = node.shape(0), &regions = node.shape(1);
  if (image.size() != 4 || regions.size() != 2 || regions[1] != 4 || node.shape(2) != Shape{regions[0]}) {
    return invalid("the image ", graph::shapeText(image), ", the regions ", graph::shapeText(regions),
                   " and the batch indices ", graph::shapeText(node.shape(2)), " are not [N,C,H,W], [R,4] and [R]");
  }
  if (!isFloat(node.dtype(0)) || node.dtype(1) != node.dtype(0) || !isInteger(node.dtype(2))) {
    return invalid("takes a picture and regions of one type of floats, and integers");
  }
  if (samples == 0) {
    return unsupported(
        "sampling_ratio 0 takes a number of points that depends on the data; export the model with a "
        "sampling_ratio of 1 or more");
  }
  if (height < 1 || width < 1 || samples < 0 || samples > kMostSamples) {
    return invalid("output_height ", height, ", output_width ", width, " and sampling_ratio ", samples,
                   " make no grid of points");
  }
  HONE_RETURN_IF_ERROR(node.build.checkSize({node.dtype(0), {regions[0], image[1], height, width}}));
  const RoiAlign roi{image, regions[0], samples, {height, width}, scale, transformation == "half_pixel", mode == "max"};
  return node.build.compute(roiAlign(roi, node.dtype(0), node.dtype(2)), {node.input(0), node.input(1), node.input(2)});
}

}  // namespace hone::frontend
