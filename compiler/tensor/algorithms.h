// Algorithms: named rewrites of a kernel into another that computes the same. They look at structure only, never at
// names. Every function leaves its argument alone and gives a kernel that passes verify(), given one that does.
// Functions without state; thread-safe.
//
//   HONE_ASSIGN_OR_RETURN(Rewrite rewrite, applyAlgorithm(collapseDims(kernel), "winograd 4 3"));
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {

/// The kernel with as few dims as it can be said with: dims of extent 1 go, and neighbouring dims merge where
/// every access of every stage takes them together, whole and in memory order: [n][c/16][h][w][c%16] becomes
/// [c/16][hw][c%16] for a pointwise kernel on one image. Reads that never fall outside lose their value for it. Buffers
/// keep their positions and bytes; their shapes and layouts may be other views. Every stage and buffer keeps at least
/// one dim.
Kernel collapseDims(const Kernel &kernel);

struct OrderedKernel {
  Kernel kernel;
  std::vector<std::vector<int>> bufferDims;  ///< by buffer: at each new position of a dim, its old one
};

/// The kernel in an order that depends on what its parts do: reads by their use in the body, dims of stages by their
/// first use in reads, those of buffers by the stage dims that index them (the memory order moves into the layouts).
/// After it a pointwise convolution and the equal matmul differ in layouts alone. Bytes and positions of buffers stay,
/// and so do all names.
OrderedKernel orderDims(const Kernel &kernel);

/// Weights of 3 x 3 taps as F(tile, 3) x F(tile, 3) takes them: G g G^T of each, in double, rounded to float32 once.
/// The result has the dims [tile + 2, tile + 2, the others in their order].
struct WeightTransform {
  int64_t tile = 4;     ///< 2 or 4
  size_t y = 0, x = 0;  ///< the dims of the taps
};
/// \p weights: row-major float32 of \p shape; so is what is returned.
std::vector<char> transformed(const WeightTransform &transform, std::string_view weights,
                              const std::vector<int64_t> &shape);

/// A parameter of a rewritten kernel that is computed from one of the kernel before, when the model is compiled.
struct DerivedParameter {
  int buffer = 0;  ///< of the new kernel
  int source = 0;  ///< of the kernel before
  WeightTransform transform;
};

struct Rewrite {
  Kernel kernel;
  std::vector<int> origins;  ///< per buffer: its position in the kernel before; -1: it is new
  std::vector<DerivedParameter> derived;

  /// The stage that reads the first derived parameter; there must be one.
  int derivedReader() const;
};

/// Winograd's F(tile, 3) x F(tile, 3) for a two-dimensional convolution of stride and dilation 1 with 3 x 3 weights
/// in stage \p stage: data to points, products of points, points to results. Stages after it that are maps of its
/// result become part of the last one. \p tile is 2 or 4. INVALID_ARGUMENT says what does not fit.
absl::StatusOr<Rewrite> winograd(const Kernel &kernel, int stage, int64_t tile);

/// Two-phase reduction: dim \p dim of stage \p stage is cut into \p parts parts, whose results a second stage
/// combines. INVALID_ARGUMENT says what does not fit.
absl::StatusOr<Kernel> splitReduction(const Kernel &kernel, int stage, int dim, int64_t parts);

/// The rewrite that a schedule's algorithm names:
///   direct                  the kernel as it is
///   winograd TILE 3         winograd() for the first stage that it fits
///   split STAGE DIM PARTS   splitReduction() of the named stage and dim
absl::StatusOr<Rewrite> applyAlgorithm(const Kernel &kernel, std::string_view algorithm);

}  // namespace hone::tensor
