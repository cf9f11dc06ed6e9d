// What somebody may have meant by a word that does not exist. A function without state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone::client {

/// "; the nearest is list" for the word of \p known that is least away from \p given; empty when none is near.
std::string nearestOf(std::string_view given, const std::vector<std::string> &known);

}  // namespace hone::client
