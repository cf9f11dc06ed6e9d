#include "compiler/frontend/build/roi_align_kernel.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/tensor/kernel_builder.h"

namespace hone::frontend {
namespace {

using tensor::Index;
using tensor::KernelBuilder;
using tensor::Scalar;

/// One direction of a cell in pixels.
struct Span {
  Scalar begin, size;
};

/// Direction 0 is down, 1 is right.
Span cellSpan(KernelBuilder &b, const RoiAlign &roi, int regions, DType computed, int64_t direction,
              const Index &region, const Index &cell) {
  const auto number = [&](double value) { return tensor::number(value, computed); };
  const auto edge = [&](int64_t which) {
    const Index column = tensor::constant((1 - direction) + 2 * which);
    const Scalar scaled = tensor::cast(computed, b.get(regions, {region, column})) * number(roi.scale);
    return roi.isShifted ? scaled - number(0.5) : scaled;
  };
  const Scalar begin = edge(0);
  Scalar length = edge(1) - begin;
  if (!roi.isShifted) length = tensor::maximum(length, number(1));
  const Scalar size = length / number(static_cast<double>(roi.cells[static_cast<size_t>(direction)]));
  return {begin + tensor::cast(computed, tensor::indexValue(cell)) * size, size};
}

int64_t extentOf(const RoiAlign &roi, int64_t direction) { return roi.image[static_cast<size_t>(direction) + 2]; }

/// Outside of the picture by more than a pixel the value is 0.
Scalar isInside(const Scalar &place, int64_t extent) {
  const Scalar low = tensor::number(-1, place->dtype), high = tensor::number(static_cast<double>(extent), place->dtype);
  return tensor::both(tensor::apply(ScalarOp::LessEqual, {low, place}),
                      tensor::apply(ScalarOp::LessEqual, {place, high}));
}

/// Elsewhere a place is clipped into the picture.
Scalar clipped(const Scalar &place, int64_t extent) {
  const Scalar last = tensor::number(static_cast<double>(extent - 1), place->dtype);
  return tensor::minimum(tensor::maximum(place, tensor::number(0, place->dtype)), last);
}

/// Points of one direction: where they lie, the pixel before them, and whether they are in the picture.
struct Points {
  int place, pixel, isInside;
};

Points addPoints(KernelBuilder &b, const RoiAlign &roi, int regions, DType computed, int64_t direction) {
  const char *name = direction == 0 ? "y" : "x";
  const int64_t extent = extentOf(roi, direction);
  const Shape shape = {roi.regions, roi.cells[static_cast<size_t>(direction)], roi.samples};
  const Points points{b.temporary(absl::StrCat(name, "_place"), shape, computed),
                      b.temporary(absl::StrCat(name, "_pixel"), shape, DType::I32),
                      b.temporary(absl::StrCat(name, "_inside"), shape, DType::Bool)};
  const StageDims all = dimsOver(shape, name);
  const auto at = [&] {
    const Span cell = cellSpan(b, roi, regions, computed, direction, all.at[0], all.at[1]);
    const Scalar sample = tensor::cast(computed, tensor::indexValue(all.at[2])) + tensor::number(0.5, computed);
    return cell.begin + sample * cell.size / tensor::number(static_cast<double>(roi.samples), computed);
  };
  b.begin(absl::StrCat(name, "_inside"), all.dims);
  b.put(isInside(at(), extent), points.isInside, all.at);
  b.begin(absl::StrCat(name, "_place"), all.dims);
  b.put(clipped(at(), extent), points.place, all.at);
  b.begin(absl::StrCat(name, "_pixel"), all.dims);
  b.put(tensor::cast(DType::I32, b.get(points.place, all.at)), points.pixel, all.at);
  return points;
}

tensor::Kernel fixedRoiAlign(const RoiAlign &roi, DType dtype, DType batchType) {
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
  const Scalar inPicture = tensor::both(b.get(rows.isInside, row), b.get(columns.isInside, column));
  value = tensor::select(inPicture, value, number(0));
  if (!roi.isMaximum) value = value * number(1.0 / static_cast<double>(roi.samples * roi.samples));
  b.put(value, y, {tensor::dim(0), tensor::dim(1), tensor::dim(2), tensor::dim(3)});
  return b.finish();
}

// Points of a cell whose number depends on the data are a pixel apart, or down to half of one. So those that reach a
// pixel, less than a pixel away on either side, are at most five; one more is for the rounding of the first.
constexpr int64_t kPointsAtPixel = 6;

/// What each pixel of a direction counts in the mean of each cell: [R, cells, extent].
int addShares(KernelBuilder &b, const RoiAlign &roi, int regions, DType computed, int64_t direction) {
  const std::string name = direction == 0 ? "y" : "x";
  const auto number = [&](double value) { return tensor::number(value, computed); };
  const int64_t extent = extentOf(roi, direction), cells = roi.cells[static_cast<size_t>(direction)];
  const int shares = b.temporary(absl::StrCat(name, "_shares"), {roi.regions, cells, extent}, computed);
  const Index region = tensor::dim(0), cell = tensor::dim(1), pixel = tensor::dim(2), candidate = tensor::dim(3);
  b.begin(absl::StrCat(name, "_shares"),
          {tensor::parallel("r", roi.regions), tensor::parallel(direction == 0 ? "h" : "w", cells),
           tensor::parallel(name, extent), tensor::reduce("k", kPointsAtPixel)});
  b.fold(tensor::CombinerKind::Sum);
  const Span span = cellSpan(b, roi, regions, computed, direction, region, cell);
  const Scalar count = tensor::apply(ScalarOp::Ceil, {span.size});
  const Scalar divisor = tensor::maximum(count, number(1)), spacing = span.size / divisor;
  const Scalar here = tensor::cast(computed, tensor::indexValue(pixel));
  const Scalar first = tensor::apply(ScalarOp::Floor, {(here - number(1) - span.begin) / spacing - number(0.5)});
  const Scalar sample = tensor::maximum(first, number(0)) + tensor::cast(computed, tensor::indexValue(candidate));
  const Scalar place = span.begin + (sample + number(0.5)) * spacing;
  const Scalar distance = tensor::apply(ScalarOp::Abs, {clipped(place, extent) - here});
  const Scalar share = tensor::maximum(number(1) - distance, number(0)) / divisor;
  const Scalar counts = tensor::both(tensor::less(sample, count), isInside(place, extent));
  b.put(tensor::select(counts, share, number(0)), shares, {region, cell, pixel});
  return shares;
}

/// The mean over a grid of points is a sum over rows of sums over columns, with the shares of rows and of columns as
/// weights: how many points there are does not show in it.
tensor::Kernel adaptiveRoiAlign(const RoiAlign &roi, DType dtype, DType batchType) {
  const DType computed = accumulatorOf(dtype);
  KernelBuilder b("roi_align");
  const int x = b.input("image", roi.image, dtype), regions = b.input("regions", {roi.regions, 4}, dtype);
  const int batches = b.input("batches", {roi.regions}, batchType);
  const int down = addShares(b, roi, regions, computed, 0), right = addShares(b, roi, regions, computed, 1);
  const int64_t channels = roi.image[1], height = roi.image[2], width = roi.image[3];
  const int rows = b.temporary("rows", {roi.regions, channels, roi.cells[0], width}, computed);
  const int y = b.output("result", {roi.regions, channels, roi.cells[0], roi.cells[1]}, dtype);
  const Index region = tensor::dim(0), channel = tensor::dim(1), cell = tensor::dim(2), column = tensor::dim(3),
              folded = tensor::dim(4);
  const std::vector<tensor::Dim> shared = {tensor::parallel("r", roi.regions), tensor::parallel("c", channels),
                                           tensor::parallel("h", roi.cells[0])};
  std::vector<tensor::Dim> dims = shared;
  dims.insert(dims.end(), {tensor::parallel("x", width), tensor::reduce("y", height)});
  b.begin("rows", dims);
  b.fold(tensor::CombinerKind::Sum);
  const Index batch = placeFrom(batches, {region}, roi.image[0]);
  b.put(b.get(down, {region, cell, folded}) * tensor::cast(computed, b.get(x, {batch, channel, folded, column})), rows,
        {region, channel, cell, column});
  dims = shared;
  dims.insert(dims.end(), {tensor::parallel("w", roi.cells[1]), tensor::reduce("x", width)});
  b.begin("result", dims);
  b.fold(tensor::CombinerKind::Sum);
  b.put(b.get(right, {region, column, folded}) * b.get(rows, {region, channel, cell, folded}), y,
        {region, channel, cell, column});
  return b.finish();
}

/// Whether each pixel of a direction belongs to each cell: [R, cells, extent]. Both ends of a region belong to it.
int addMembers(KernelBuilder &b, const MaxRoiPool &pool, int regions, DType computed, size_t direction) {
  const std::string name = direction == 0 ? "y" : "x";
  const auto number = [&](double value) { return tensor::number(value, computed); };
  const auto floorOf = [](const Scalar &a) { return tensor::apply(ScalarOp::Floor, {a}); };
  const int64_t extent = pool.image[direction + 2], cells = pool.cells[direction];
  const int members = b.temporary(absl::StrCat(name, "_members"), {pool.regions, cells, extent}, DType::Bool);
  const StageDims all = dimsOver({pool.regions, cells, extent}, name);
  b.begin(absl::StrCat(name, "_members"), all.dims);
  const auto edge = [&](int64_t which) {
    const Index column = tensor::constant(2 - static_cast<int64_t>(direction) + 2 * which);
    const Scalar place = tensor::cast(computed, b.get(regions, {all.at[0], column})) * number(pool.scale);
    return floorOf(place + number(0.5));
  };
  const Scalar begin = edge(0), length = tensor::maximum(edge(1) - begin + number(1), number(1));
  const Scalar size = length / number(static_cast<double>(cells));
  const auto cell = [&](int64_t next) { return tensor::cast(computed, tensor::indexValue(all.at[1] + next)); };
  const Scalar first = begin + floorOf(cell(0) * size);
  const Scalar end = begin + tensor::apply(ScalarOp::Ceil, {cell(1) * size});
  const Scalar pixel = tensor::cast(computed, tensor::indexValue(all.at[2]));
  b.put(tensor::both(tensor::apply(ScalarOp::LessEqual, {first, pixel}), tensor::less(pixel, end)), members, all.at);
  return members;
}

}  // namespace

tensor::Kernel maxRoiPoolKernel(const MaxRoiPool &pool, DType dtype) {
  const DType computed = accumulatorOf(dtype);
  KernelBuilder b("max_roi_pool");
  const int x = b.input("image", pool.image, dtype), regions = b.input("regions", {pool.regions, 5}, dtype);
  const int batches = b.temporary("batches", {pool.regions}, DType::I32);
  b.begin("batches", {tensor::parallel("r", pool.regions)});
  b.put(tensor::cast(DType::I32, b.get(regions, {tensor::dim(0), tensor::constant(0)})), batches, {tensor::dim(0)});
  const int down = addMembers(b, pool, regions, computed, 0), right = addMembers(b, pool, regions, computed, 1);
  const int64_t channels = pool.image[1], height = pool.image[2], width = pool.image[3];
  const Shape result = {pool.regions, channels, pool.cells[0], pool.cells[1]};
  const int rows = b.temporary("rows", {pool.regions, channels, pool.cells[0], width}, computed);
  const int best = b.temporary("best", result, computed), y = b.output("result", result, dtype);
  const Index region = tensor::dim(0), channel = tensor::dim(1), cell = tensor::dim(2), column = tensor::dim(3),
              folded = tensor::dim(4);
  const Scalar none = tensor::identity(tensor::CombinerKind::Max, computed);
  const std::vector<tensor::Dim> shared = {tensor::parallel("r", pool.regions), tensor::parallel("c", channels),
                                           tensor::parallel("h", pool.cells[0])};
  std::vector<tensor::Dim> dims = shared;
  dims.insert(dims.end(), {tensor::parallel("x", width), tensor::reduce("y", height)});
  b.begin("rows", dims);
  b.fold(tensor::CombinerKind::Max);
  const Index batch = placeFrom(batches, {region}, pool.image[0]);
  const Scalar pixel = tensor::cast(computed, b.get(x, {batch, channel, folded, column}));
  b.put(tensor::select(b.get(down, {region, cell, folded}), pixel, none), rows, {region, channel, cell, column});
  dims = shared;
  dims.insert(dims.end(), {tensor::parallel("w", pool.cells[1]), tensor::reduce("x", width)});
  b.begin("best", dims);
  b.fold(tensor::CombinerKind::Max);
  const Scalar row = b.get(rows, {region, channel, cell, folded});
  b.put(tensor::select(b.get(right, {region, column, folded}), row, none), best, {region, channel, cell, column});
  const StageDims all = dimsOver(result, "i");
  b.begin("result", all.dims);
  const Scalar value = b.get(best, all.at);
  b.put(tensor::select(tensor::equal(value, none), tensor::number(0, computed), value), y, all.at);
  return b.finish();
}

tensor::Kernel roiAlignKernel(const RoiAlign &roi, DType dtype, DType batchType) {
  return roi.samples == 0 ? adaptiveRoiAlign(roi, dtype, batchType) : fixedRoiAlign(roi, dtype, batchType);
}

}  // namespace hone::frontend
