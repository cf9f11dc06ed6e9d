// Parameters in the memory order that a schedule asks for, made piece by piece: weights may be larger than what there
// is memory for twice. One thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/dtype.h"
#include "compiler/tensor/layout.h"

namespace hone::artifact {

class PackedParameter {
 public:
  /// The bytes of \p layout for the row-major \p data of \p shape: padding is zero. \p data, which must outlive it,
  /// must have the size that \p dtype and \p shape say, and \p layout must be one of that shape (assertions).
  PackedParameter(std::string_view data, DType dtype, const std::vector<int64_t> &shape, const tensor::Layout &layout);

  int64_t bytes() const { return bytes_; }
  /// How many pieces the bytes come in.
  int64_t pieces() const { return pieces_; }
  /// The piece at \p position, valid until the next one is asked for. Of a few megabytes, unless the data has the
  /// layout already: then it is the data.
  std::string_view piece(int64_t position);

 private:
  /// One axis of the layout, outermost first. The source offset of an element is the sum of digit * source over the
  /// axes, which is what makes any layout a nest of strided copies.
  struct Axis {
    int dim;
    int64_t divisor, extent;
    int64_t source, destination;  ///< strides in elements
  };

  static std::vector<Axis> stridedAxes(const std::vector<int64_t> &shape, const tensor::Layout &layout);
  void cutIntoPieces();
  int64_t valid(const Axis &axis) const;
  template <typename Element>
  void copy(int64_t source);
  template <typename Element>
  void copyNest(size_t level, const Element *source, Element *destination);

  std::string_view data_;
  int64_t size_;  ///< of an element
  std::vector<int64_t> shape_;
  std::vector<Axis> axes_;      ///< empty: the data has the layout already
  std::vector<int64_t> index_;  ///< per dim, what the outer axes have contributed so far
  int64_t bytes_ = 0, pieces_ = 0;
  size_t level_ = 0;  ///< the axis whose digits are grouped into pieces; the outer ones are counted through
  int64_t group_ = 1, groups_ = 1;  ///< digits in a piece, and pieces for one round of that axis
  std::string buffer_;
};

}  // namespace hone::artifact
