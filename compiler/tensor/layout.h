// Layout: how the elements of a buffer lie in memory. A plain value.
//
// A layout is a list of axes from outermost to innermost; axis {dim, divisor, extent} contributes the digit
// (index[dim] / divisor) % extent to the offset. Row-major [n, c, h, w] and its blocked form NCHW16c are
//   [n][c][h][w]                    {0,1,N} {1,1,C} {2,1,H} {3,1,W}
//   [n][c/16][h][w][c%16]           {0,1,N} {1,16,C/16 rounded up} {2,1,H} {3,1,W} {1,1,16}
// The axes of one dim must be nested: the divisors are products of the extents further in. Where a
// product of extents exceeds the shape, the rest is padding: it is allocated, and holds zeros in constants and
// unspecified values elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone::tensor {

struct LayoutAxis {
  int dim = 0;
  int64_t divisor = 1;
  int64_t extent = 1;

  bool operator==(const LayoutAxis &) const = default;
};

struct Layout {
  std::vector<LayoutAxis> axes;

  bool operator==(const Layout &) const = default;

  static Layout rowMajor(const std::vector<int64_t> &shape);
  /// Row-major, with dim \p dim split into blocks of \p block that become the innermost axis.
  static Layout blocked(const std::vector<int64_t> &shape, int dim, int64_t block);

  /// Elements allocated, padding included.
  int64_t elements() const;
  /// Indices of \p dim that are allocated: the shape's extent rounded up to whole blocks.
  int64_t allocated(int dim) const;
  /// Offset in elements of \p index (one entry per dim), by the definition above.
  int64_t offset(const std::vector<int64_t> &index) const;
  bool isRowMajor(const std::vector<int64_t> &shape) const;
  /// Canonical text: one bracket per axis, "[0][1/16][2][3][1%16]"; \p names replace the dim numbers.
  std::string text(const std::vector<std::string> &names = {}) const;
};

}  // namespace hone::tensor
