// Means or maxima of a picture over the cells of regions: RoiAlign from values between its elements, MaxRoiPool from
// its elements. Pure functions; thread-safe.
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

/// The largest pixel of each cell of regions whose corners are rounded to pixels.
struct MaxRoiPool {
  Shape image;  ///< [N, C, H, W]
  int64_t regions;
  std::array<int64_t, 2> cells;  ///< rows, columns
  double scale;
};

/// Inputs: the picture, and regions [R, 5] as the picture of the batch, x, y, x, y. Output: [R, C, cells]; 0 for cells
/// outside of the picture.
tensor::Kernel maxRoiPoolKernel(const MaxRoiPool &pool, DType dtype);

/// Inputs: the picture, regions [R, 4] as x, y, x, y, and the picture of the batch of each [R]. Output: [R, C, cells].
tensor::Kernel roiAlignKernel(const RoiAlign &roi, DType dtype, DType batchType);

}  // namespace hone::frontend
