// Elements of tensors of any dtype as numbers, and what such tensors are called. Functions without state.
#pragma once

#include <hone_runtime.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hone::runtime {

/// Element \p index of row-major data as a double; 64-bit integers are rounded.
double elementAsDouble(hone_dtype dtype, const void *data, size_t index);

/// "float32[1,3,224,224]".
std::string typeText(hone_dtype dtype, const std::vector<int64_t> &shape);

}  // namespace hone::runtime
