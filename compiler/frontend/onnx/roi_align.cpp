// RoiAlign: the mean (or maximum) of a picture at a grid of points within each cell of each region. MaxRoiPool: its
// largest pixel there.
#include "compiler/base/status.h"
#include "compiler/frontend/build/roi_align_kernel.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

constexpr int64_t kMostSamples = 1 << 10;

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
  const Shape image = node.shape(0), regions = node.shape(1);
  if (image.size() != 4 || regions.size() != 2 || regions[1] != 4 || node.shape(2) != Shape{regions[0]}) {
    return invalid("the image ", graph::shapeText(image), ", the regions ", graph::shapeText(regions),
                   " and the batch indices ", graph::shapeText(node.shape(2)), " are not [N,C,H,W], [R,4] and [R]");
  }
  if (!isFloat(node.dtype(0)) || node.dtype(1) != node.dtype(0) || !isInteger(node.dtype(2))) {
    return invalid("takes a picture and regions of one type of floats, and integers");
  }
  if (samples == 0 && mode == "max") {
    return unsupported(
        "sampling_ratio 0 takes the maximum of a number of points that depends on the data; export the model with a "
        "sampling_ratio of 1 or more, or with mode avg");
  }
  if (height < 1 || width < 1 || samples < 0 || samples > kMostSamples) {
    return invalid("output_height ", height, ", output_width ", width, " and sampling_ratio ", samples,
                   " make no grid of points");
  }
  HONE_RETURN_IF_ERROR(node.build.checkSize({node.dtype(0), {regions[0], image[1], height, width}}));
  const RoiAlign roi{image, regions[0], samples, {height, width}, scale, transformation == "half_pixel", mode == "max"};
  return node.build.compute(roiAlignKernel(roi, node.dtype(0), node.dtype(2)),
                            {node.input(0), node.input(1), node.input(2)});
}

Result importMaxRoiPool(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> cells, node.integers("pooled_shape"));
  HONE_ASSIGN_OR_RETURN(double scale, node.real("spatial_scale", 1.0));
  const Shape &image = node.shape(0), &regions = node.shape(1);
  if (image.size() != 4 || regions.size() != 2 || regions[1] != 5) {
    return invalid("the image ", graph::shapeText(image), " and the regions ", graph::shapeText(regions),
                   " are not [N,C,H,W] and [R,5]");
  }
  if (!isFloat(node.dtype(0)) || node.dtype(1) != node.dtype(0)) return invalid("takes floats of one type");
  if (cells.size() != 2 || cells[0] < 1 || cells[1] < 1) {
    return invalid("attribute 'pooled_shape' is ", graph::shapeText(cells), ", not rows and columns");
  }
  HONE_RETURN_IF_ERROR(node.build.checkSize({node.dtype(0), {regions[0], image[1], cells[0], cells[1]}}));
  const MaxRoiPool pool{image, regions[0], {cells[0], cells[1]}, scale};
  return node.build.compute(maxRoiPoolKernel(pool, node.dtype(0)), {node.input(0), node.input(1)});
}

}  // namespace hone::frontend
