// Sentences from parts: absl::StrCat does not take std::string_view where abseil has a type of its own for it.
#pragma once

#include <sstream>
#include <string>
#include <string_view>

namespace hone::artifact {

template <typename... Parts>
std::string concat(const Parts &...parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

}  // namespace hone::artifact
