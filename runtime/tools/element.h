// Elements of tensors of any dtype as numbers. Function without state.
#pragma once

#include <hone_runtime.h>

#include <cstddef>

namespace hone::runtime {

/// Element \p index of row-major data as a double; 64-bit integers are rounded.
double elementAsDouble(hone_dtype dtype, const void *data, size_t index);

}  // namespace hone::runtime
