// Kernels that read a picture between its elements, at places that another tensor holds. Pictures have any number of
// spatial dims, behind a batch and channels. Pure functions; thread-safe.
#pragma once

#include <cstdint>

#include "compiler/frontend/build/builder.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::frontend {

/// What lies around a picture: zeros, its outermost elements, or its mirror image.
enum class SamplePadding : uint8_t { Zeros, Border, Reflection };
enum class SampleMethod : uint8_t { Nearest, Linear, Cubic };

/// Places are from -1 to 1 over the picture, the last dim of the picture first.
struct GridSampling {
  Shape image;                ///< [N, C, D1, …, Dr]
  Shape grid;                 ///< [N, E1, …, Er, r]
  bool alignCorners = false;  ///< -1 and 1 are the centres of the outermost elements, not their edges
  SamplePadding padding = SamplePadding::Zeros;
  SampleMethod method = SampleMethod::Linear;
};

/// How many elements one place is made of.
int64_t tapsOf(SampleMethod method, size_t spatialDims);

/// Inputs: the picture and the grid. Output: [N, C, E1, …, Er].
tensor::Kernel gridSampleKernel(const GridSampling &sampling, DType image, DType grid);

/// Windows of a convolution each of whose taps is moved by an offset of its own.
struct DeformedWindows {
  Shape image;                       ///< [N, G, C, D1, …, Dr]: the channels of a group have their offsets in common
  Shape output;                      ///< E1, …, Er
  Shape kernel, strides, dilations;  ///< one per spatial dim
  Shape begins;                      ///< the pads in front
  bool hasMask = false;              ///< a factor for each tap
};

/// Inputs: the picture, offsets [N, G, K1, …, Kr, r, E1, …, Er] and the mask [N, G, K1, …, Kr, E1, …, Er]. Output: what
/// the taps see, interpolated linearly with zeros around: [N, G, C, K1, …, Kr, E1, …, Er] in \p computed.
tensor::Kernel deformedWindowsKernel(const DeformedWindows &windows, DType dtype, DType computed);

}  // namespace hone::frontend
