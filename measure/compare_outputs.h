// Whether a candidate computed what the default schedule computed, within what another order of sums may change. Values
// only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/tensor/tensor_op.h"

namespace hone::measure {

/// Of floats, as a part of the largest value that is expected in the output; for 16-bit floats at least two steps of
/// that value.
inline constexpr double kTolerance = 1e-4;
/// The same where the algorithm derives parameters, as Winograd's does: it sums other products.
inline constexpr double kAlgorithmTolerance = 3e-4;

/// The elements of one output buffer.
class ExpectedOutput {
 public:
  /// \p bytes are in the buffer's layout.
  ExpectedOutput(tensor::Buffer buffer, std::vector<char> bytes);

  /// Empty where \p got, in the same layout, is as expected: floats within \p tolerance of the largest (infinities and
  /// NaNs in the same places), integers within one, as they may come of rounding. Padding is not looked at.
  std::string difference(std::string_view got, double tolerance) const;

 private:
  double at(std::string_view bytes, int64_t position) const;

  tensor::Buffer buffer_;
  std::vector<char> bytes_;
  std::vector<int64_t> places_;  ///< of the elements, by row-major position; empty: there is no padding
  double largest_ = 0;
};

}  // namespace hone::measure
