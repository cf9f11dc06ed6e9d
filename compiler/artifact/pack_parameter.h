// Parameters in the memory order that a schedule asks for. A function without state; threads may call it at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/dtype.h"
#include "compiler/tensor/layout.h"

namespace hone::artifact {

/// The bytes of \p layout for the row-major \p data of \p shape: padding is zero. \p data must have the size that
/// \p dtype and \p shape say, and \p layout must be one of that shape (assertions).
std::string packParameter(std::string_view data, DType dtype, const std::vector<int64_t> &shape,
                          const tensor::Layout &layout);

}  // namespace hone::artifact
