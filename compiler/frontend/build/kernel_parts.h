// What the functions that write kernels (Builder::compute) share: the dims of a stage over a tensor, and indices that
// are loaded from one. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "compiler/frontend/build/builder.h"
#include "compiler/tensor/kernel_builder.h"

namespace hone::frontend {

using Indices = std::vector<tensor::Index>;

/// The dims of a stage over the points of a tensor: scan dims come first, so the place of a dim is not its axis.
struct StageDims {
  std::vector<tensor::Dim> dims;
  Indices at;  ///< the index along each axis
};

/// Dims called \p name and their axis. Those of \p scans are serial; those of \p folded are reduced.
StageDims dimsOver(const Shape &shape, const std::string &name = "i", const std::set<size_t> &scans = {},
                   const std::set<size_t> &folded = {});

/// Element \p at of the integers \p buffer as a place to read among \p extent elements (tensor::elementAt).
tensor::Index placeFrom(int buffer, Indices at, int64_t extent);
/// The same as a place to write (tensor::targetAt).
tensor::Index targetFrom(int buffer, Indices at, int64_t extent);

/// \p shape without the axis.
Shape withoutAxis(const Shape &shape, size_t axis);
/// The same for indices.
Indices withoutAxis(const Indices &indices, size_t axis);
/// \p indices with the one of \p axis replaced.
Indices withIndex(Indices indices, size_t axis, tensor::Index index);

/// What sums of \p dtype are accumulated in.
DType accumulatorOf(DType dtype);

/// The integers from 0 to \p extent - 1 along the axis that has \p behind axes after it: as [extent, 1, …].
Result positions(Builder &build, DType dtype, int64_t extent, int64_t behind);

}  // namespace hone::frontend
