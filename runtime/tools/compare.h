// Whether an output is what was expected: numpy's rule for floats, exact equality for everything else. Functions
// without state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/status.h"
#include "runtime/tools/npz.h"

namespace hone::runtime {

/// A float agrees when |actual - expected| <= absolute + relative * |expected|; infinities of one sign are equal, and
/// so are NaNs.
struct Tolerance {
  double relative = 1e-3, absolute = 1e-7;  ///< those of ONNX's own test runner
};

struct Difference {
  bool agrees = true;
  std::string sentence;        ///< what differs: dtype, shape, or how many elements and the first of them
  int64_t elements = 0;        ///< that differ by more than the tolerance
  double largestAbsolute = 0;  ///< of the elements that are finite in both
  double largestRelative = 0;  ///< the same; where something else than 0 was expected
};

/// \p data is the output's, dense and row-major, with \p dtype and \p shape.
Difference compareArrays(hone_dtype dtype, const std::vector<int64_t> &shape, const void *data, const Array &expected,
                         const Tolerance &tolerance);

}  // namespace hone::runtime
