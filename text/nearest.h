// What somebody may have meant by a word that does not exist. A function without state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone::text {

/// "; the nearest is list" for the word of \p known that is least away from \p given, or "; the nearest are znver3,
/// znver4" for \p most of them; empty when none is near.
std::string nearestOf(std::string_view given, const std::vector<std::string> &known, size_t most = 1);

}  // namespace hone::text
