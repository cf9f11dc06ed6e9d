// Col2Im: columns of windows back into a picture, where windows that overlap add up.
#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/window.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using tensor::Index;
using tensor::Scalar;

/// Windows over a picture [N, C, image…]; \p windows counts them along each spatial dim.
struct Columns {
  int64_t batch, channels;
  Shape image, windows;
  Window window;
};

// Each element of the picture is the sum over the taps that see it: the window of a tap at a place is whole where the
// place less the tap's offset is a multiple of the stride.
tensor::Kernel col2im(const Columns &columns, DType dtype) {
  const size_t spatial = columns.image.size();
  const DType computed = accumulatorOf(dtype);
  Shape from = {columns.batch, columns.channels}, to = from;
  from.insert(from.end(), columns.window.kernel.begin(), columns.window.kernel.end());
  from.insert(from.end(), columns.windows.begin(), columns.windows.end());
  to.insert(to.end(), columns.image.begin(), columns.image.end());
  tensor::KernelBuilder b("col2im");
  const int x = b.input("columns", from, dtype), y = b.output("image", to, dtype);
  StageDims all = dimsOver(to);
  Indices tap, window;
  Scalar isWhole;
  for (size_t i = 0; i < spatial; ++i) {
    tap.push_back(tensor::dim(static_cast<int>(all.dims.size())));
    all.dims.push_back(tensor::reduce(absl::StrCat("k", i), columns.window.kernel[i]));
    const int64_t stride = columns.window.strides[i];
    const Index place = all.at[i + 2] + tap[i] * -columns.window.dilations[i] + columns.window.pads[i];
    window.push_back(tensor::floorDiv(place, stride));
    if (stride == 1) continue;
    const Scalar here = tensor::isIndex(tensor::mod(place, stride), 0);
    isWhole = isWhole == nullptr ? here : tensor::both(isWhole, here);
  }
  Indices source = {all.at[0], all.at[1]};
  source.insert(source.end(), tap.begin(), tap.end());
  source.insert(source.end(), window.begin(), window.end());
  b.begin("add", all.dims);
  b.fold(tensor::CombinerKind::Sum);
  const Scalar value = tensor::cast(computed, b.get(x, source, 0));
  b.put(isWhole == nullptr ? value : tensor::select(isWhole, value, tensor::number(0, computed)), y, all.at);
  return b.finish();
}

}  // namespace

Result importCol2Im(NodeContext &node) {
  const Shape &data = node.shape(0);
  HONE_ASSIGN_OR_RETURN(Shape image, node.constantIntegers(1, "image_shape"));
  HONE_ASSIGN_OR_RETURN(Shape block, node.constantIntegers(2, "block_shape"));
  if (data.size() != 3 || image.empty() || block.size() != image.size()) {
    return invalid("columns ", graph::shapeText(data), ", image_shape ", graph::shapeText(image), " and block_shape ",
                   graph::shapeText(block), " are not [N,C*block,L] and two lists of one length");
  }
  if (node.dtype(0) == DType::Bool) return unsupported("columns of bools");
  Shape whole = {data[0], 1};
  whole.insert(whole.end(), image.begin(), image.end());
  Columns columns{.batch = data[0], .channels = 0, .image = image, .windows = {}, .window = {}};
  HONE_ASSIGN_OR_RETURN(columns.window, readWindow(node, whole, block));
  const Window &window = columns.window;
  int64_t taps = 1, count = 1;
  for (size_t i = 0; i < image.size(); ++i) {
    if (block[i] < 1 || block[i] > kLargestWindow) return invalid("block_shape ", graph::shapeText(block));
    const int64_t padded = image[i] + window.pads[i] + window.pads[image.size() + i];
    const int64_t room = padded - ((block[i] - 1) * window.dilations[i] + 1);
    if (image[i] < 1 || room < 0) {
      return invalid("a block ", graph::shapeText(block), " is larger than the padded image ", graph::shapeText(image));
    }
    columns.windows.push_back(room / window.strides[i] + 1);
    if (__builtin_mul_overflow(taps, block[i], &taps) || __builtin_mul_overflow(count, columns.windows[i], &count)) {
      return invalid("block_shape ", graph::shapeText(block), " and image_shape ", graph::shapeText(image));
    }
  }
  if (data[1] % taps != 0 || data[2] != count) {
    return invalid("columns ", graph::shapeText(data), " are not ", count, " blocks of ", taps,
                   " elements for each channel");
  }
  columns.channels = whole[1] = data[1] / taps;
  HONE_RETURN_IF_ERROR(node.build.checkSize({node.dtype(0), whole}));
  Shape split = {columns.batch, columns.channels};
  split.insert(split.end(), block.begin(), block.end());
  split.insert(split.end(), columns.windows.begin(), columns.windows.end());
  return node.build.compute(col2im(columns, node.dtype(0)), {node.build.reshape(node.input(0), split)});
}

}  // namespace hone::frontend
