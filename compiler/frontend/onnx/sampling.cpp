// GridSample, which reads a picture at places that another operand holds, and AffineGrid, which makes such places.
#include "compiler/base/status.h"
#include "compiler/frontend/build/sampling_kernel.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

// Cubic interpolation in four dims would be 256 taps in one expression.
constexpr int64_t kMostTaps = 64;

absl::StatusOr<SamplePadding> readPadding(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::string padding, node.text("padding_mode", "zeros"));
  if (padding == "zeros") return SamplePadding::Zeros;
  if (padding == "border") return SamplePadding::Border;
  if (padding == "reflection") return SamplePadding::Reflection;
  return invalid("attribute 'padding_mode' is '", padding, "', not zeros, border or reflection");
}

// Version 16 calls two of the methods by their names for pictures.
absl::StatusOr<SampleMethod> readMethod(const NodeContext &node) {
  const bool isNamedForPictures = node.version() < 20;
  const char *linear = isNamedForPictures ? "bilinear" : "linear", *cubic = isNamedForPictures ? "bicubic" : "cubic";
  HONE_ASSIGN_OR_RETURN(std::string mode, node.text("mode", linear));
  if (mode == linear) return SampleMethod::Linear;
  if (mode == "nearest") return SampleMethod::Nearest;
  if (mode == cubic) return SampleMethod::Cubic;
  return invalid("attribute 'mode' is '", mode, "', not ", linear, ", nearest or ", cubic);
}

/// The centres of \p extent elements between -1 and 1, which are the outermost centres or the outer edges.
std::vector<double> centres(int64_t extent, bool alignCorners) {
  std::vector<double> result;
  const auto count = static_cast<double>(extent);
  for (int64_t i = 0; i < extent; ++i) {
    const auto at = static_cast<double>(i);
    if (alignCorners) {
      result.push_back(extent == 1 ? 0 : 2 * at / (count - 1) - 1);
    } else {
      result.push_back((2 * at + 1) / count - 1);
    }
  }
  return result;
}

}  // namespace

Result importGridSample(NodeContext &node) {
  GridSampling sampling;
  HONE_ASSIGN_OR_RETURN(sampling.padding, readPadding(node));
  HONE_ASSIGN_OR_RETURN(sampling.method, readMethod(node));
  HONE_ASSIGN_OR_RETURN(int64_t alignCorners, node.integer("align_corners", 0));
  sampling.alignCorners = alignCorners != 0;
  const Shape &image = sampling.image = node.shape(0), &grid = sampling.grid = node.shape(1);
  const bool hasRank = node.version() < 20 ? image.size() == 4 : image.size() >= 3;
  if (!hasRank || grid.size() != image.size() || grid[0] != image[0] || grid.back() != node.rank(0) - 2) {
    return invalid("the image ", graph::shapeText(image), " and the grid ", graph::shapeText(grid), " are not ",
                   node.version() < 20 ? "[N,C,H,W] and [N,H',W',2]" : "[N,C,D1,...,Dr] and [N,E1,...,Er,r]");
  }
  if (!isFloat(node.dtype(0)) || !isFloat(node.dtype(1))) return invalid("takes floats");
  const int64_t taps = image.size() > 8 ? kMostTaps + 1 : tapsOf(sampling.method, image.size() - 2);
  if (taps > kMostTaps) {
    return unsupported("interpolation in ", image.size() - 2, " dims; at most ", kMostTaps, " elements for each place");
  }
  const tensor::Kernel kernel = gridSampleKernel(sampling, node.dtype(0), node.dtype(1));
  return node.build.compute(kernel, {node.input(0), node.input(1)});
}

// A sum of as many products as there are spatial dims, each of a column of the matrix and the centres along one dim.
Result importAffineGrid(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t alignCorners, node.integer("align_corners", 0));
  HONE_ASSIGN_OR_RETURN(Shape size, node.constantIntegers(1, "size"));
  const Shape theta = node.shape(0);
  const int64_t spatial = static_cast<int64_t>(size.size()) - 2;
  const bool fits = (spatial == 2 || spatial == 3) && theta == Shape{size[0], spatial, spatial + 1};
  if (!fits || !isFloat(node.dtype(0))) {
    return invalid("the matrices ", graph::typeText(build.type(node.input(0))), " and the size ",
                   graph::shapeText(size), " are not floats [N,2,3] with [N,C,H,W], or [N,3,4] with [N,C,D,H,W]");
  }
  for (const int64_t extent : size) {
    if (extent < 1) return invalid("the size ", graph::shapeText(size), " has no elements");
  }
  Shape grid = {size[0]}, column = {size[0]};
  grid.insert(grid.end(), size.begin() + 2, size.end());
  column.resize(grid.size(), 1);
  grid.push_back(spatial);
  column.push_back(spatial);
  HONE_RETURN_IF_ERROR(build.checkSize({node.dtype(0), grid}));
  const auto columnOf = [&](int64_t position) {
    return build.reshape(build.slice(node.input(0), {0, 0, position}, {1, 1, 1}, {size[0], spatial, 1}), column);
  };
  Result sum = build.broadcast(columnOf(spatial), grid);
  for (int64_t i = 0; i < spatial; ++i) {
    // The columns belong to x, y and z; the grid's dims are z, y and x.
    const int64_t dim = spatial - i;
    Shape along(grid.size() - static_cast<size_t>(dim), 1);
    along[0] = grid[static_cast<size_t>(dim)];
    Result places = build.constant(graph::makeConstant({node.dtype(0), along}, centres(along[0], alignCorners != 0)));
    sum = build.apply(Op::Add, {build.apply(Op::Mul, {columnOf(i), places}), sum});
  }
  return sum;
}

}  // namespace hone::frontend
