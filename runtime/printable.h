// Texts from outside, for a terminal: names in models, archives and artifacts may hold anything, and what a terminal
// obeys must not reach it. A function without state.
#pragma once

#include <string>
#include <string_view>

namespace hone::runtime {

/// \p text in one line, with '?' for each control character.
inline std::string printable(std::string_view text) {
  std::string line(text);
  for (char &byte : line)
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F) byte = '?';
  return line;
}

}  // namespace hone::runtime
