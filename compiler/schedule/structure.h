// What schedules ask of a stage's structure: strides of accesses, contractions, which stages can share loops. Free
// functions over TensorOps; nothing here knows an operator's name.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/tensor/dims.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::schedule {

using tensor::dimPosition;
using tensor::dimsOfKind;
using tensor::mentions;
using tensor::reduces;
using tensor::scans;

/// The step in elements between neighbours of the dim at \p position, as a vector of \p lanes elements that starts
/// at a multiple of \p lanes sees it; nothing when they are not evenly spaced.
std::optional<int64_t> laneStride(const tensor::Kernel &kernel, const tensor::Access &access, int position,
                                  int64_t lanes);

/// laneStride() of what \p op finally writes: for a temporary, that of the stage that takes it over element by element
/// (its dims have the same names).
std::optional<int64_t> outputStride(const tensor::Kernel &kernel, const tensor::TensorOp &op, int position,
                                    int64_t lanes);

/// Elements of the block that the layout of \p access's buffer makes of the dim at \p position (divisor of the outer
/// axis), or 1.
int64_t layoutBlock(const tensor::Kernel &kernel, const tensor::Access &access, int position);

/// Whether \p index is a multiple of \p step wherever the dim at \p position is.
bool keepsMultiples(const tensor::Index &index, int position, int64_t step);

/// The most lanes, a power of two of at most \p lanes, whose vectors along the dim at \p position never reach over two
/// blocks of what \p op finally writes: 8 where groups of 24 channels lie in blocks of 16.
int64_t lanesWithinBlocks(const tensor::Kernel &kernel, const tensor::TensorOp &op, int position, int64_t lanes);

/// As many of \p lanes as \p extent elements fill, but at least four: fewer make instructions no cheaper.
inline int64_t lanesThatFill(int64_t extent, int64_t lanes) {
  constexpr int64_t kFewest = 4;
  while (lanes > kFewest && extent <= lanes / 2) lanes /= 2;
  return lanes;
}

/// A sum of products of two reads.
struct Contraction {
  int vectorOperand = 0;  ///< position in reads of the operand that varies along the vector dim
  int rowOperand = 1;     ///< the other one, invariant along the vector dim
  int vectorDim = -1;
  std::vector<int> rowDims;  ///< parallel dims of the row operand only, outermost first
};

/// The stage as a contraction with its best vector dim, if it is one.
std::optional<Contraction> findContraction(const tensor::Kernel &kernel, const tensor::TensorOp &op, int64_t lanes);

/// Whether the steps of the kernel's scan keep the values of the parallel dim \p name apart: all its stages have the
/// dim, and find whatever they write at a place that is the dim itself. Then each value is a scan of its own.
bool isApartInScan(const tensor::Kernel &kernel, const std::string &name);

/// Stages that are computed in the registers of another, their host: for each, the host's dim of each of its dims.
using Followers = std::map<int, std::vector<int>>;

/// The dim of stage \p host for each dim of stage \p reader, if the reader can be computed in the host's registers: of
/// the stages from the host on it reads only the host and its \p followers, those element by element, and every dim of
/// one is a dim of the other.
std::optional<std::vector<int>> followedDims(const tensor::Kernel &kernel, int reader, int host,
                                             const Followers &followers);

inline int64_t extent(const tensor::TensorOp &op, int dim) { return op.dims[static_cast<size_t>(dim)].extent; }
inline const std::string &nameOf(const tensor::TensorOp &op, int dim) { return op.dims[static_cast<size_t>(dim)].name; }

/// Registers of \p vectorBytes bytes that \p lanes values of the stage's first result take: two where the values are
/// twice as wide as the lanes are counted for.
inline int64_t registersPerVector(const tensor::TensorOp &op, int64_t lanes, int64_t vectorBytes) {
  return std::max<int64_t>(1, lanes * sizeOf(op.body[0]->dtype) / vectorBytes);
}

/// Iterations of all dims together.
inline int64_t pointsOf(const tensor::TensorOp &op) {
  int64_t points = 1;
  for (const tensor::Dim &dim : op.dims) points *= dim.extent;
  return points;
}

/// Iterations of all reduction dims together.
inline int64_t reductionPoints(const tensor::TensorOp &op) {
  int64_t points = 1;
  for (int dim : dimsOfKind(op, tensor::DimKind::Reduction)) points *= extent(op, dim);
  return points;
}

}  // namespace hone::schedule
