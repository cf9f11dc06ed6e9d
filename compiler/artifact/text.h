// Texts for people: sentences from parts (absl::StrCat does not take std::string_view where abseil has a type of its
// own for it), names as a terminal may see them.
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

/// \p text in one line, with '?' for each control character: names come from models and may hold anything.
inline std::string printable(std::string_view text) {
  std::string line(text);
  for (char &byte : line)
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F) byte = '?';
  return line;
}

}  // namespace hone::artifact
