// The names that people give to workers, devices, users and contexts: one alphabet and one length, since each of them
// is sooner or later a folder, a metadata value or a column. Functions without state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace hone {

inline constexpr size_t kLongestName = 64;
/// What a name may have beside letters and digits.
inline constexpr std::string_view kNameMarks = "-_.@+";

/// 1 to kLongestName letters (of ASCII), digits and \p marks.
bool isName(std::string_view text, std::string_view marks = kNameMarks);

/// INVALID_ARGUMENT unless isName(): "WHAT is not 1 to 64 letters, digits and -_.@+".
absl::Status checkName(std::string_view what, std::string_view text);

/// \p text with a dash for each character that names do not have, cut to what fits; "unnamed" for nothing.
std::string asName(std::string_view text);

}  // namespace hone
