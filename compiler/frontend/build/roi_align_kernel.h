// The kernels of RoiAlign: means (or maxima) of a picture over the cells of regions, from values between its elements.
// Pure functions; thread-safe.
#pragma once

#include <array>
#include <cstdint>

#include "compiler/frontend/build/builder.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::frontend {

struct RoiAlign {
  Shape image;  ///< [N, C, H, W]
  int64_t regions;
  int64_t samples;  ///< points per cell and direction; 0: one for each pixel that a cell is long, rounded up
  std::array<int64_t, 2> cells;  ///< rows, columns
  double scale;
  bool isShifted;  ///< by half a pixel
  bool isMaximum;  ///< not with samples 0
};

/// Inputs: the picture, regions [R, 4] as x, y, x, y, and the picture of the batch of each [R]. Output: [R, C, cells].
tensor::Kernel roiAlignKernel(const RoiAlign &roi, DType dtype, DType batchType);

}  // namespace hone::frontend
