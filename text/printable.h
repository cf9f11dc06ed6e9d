// Texts from outside: names in models, archives and artifacts may hold anything. Messages between processes and JSON
// take UTF-8 only, and what a terminal obeys must not reach it. Functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hone::text {

/// How many bytes the character at the beginning of \p text has; 0 when there is none in UTF-8.
inline size_t utf8Length(std::string_view text) {
  struct Form {
    uint8_t mask, lead;
    size_t length;
    uint32_t least;  // what fits into fewer bytes is not to be written in so many
  };
  constexpr Form kForms[] = {{0x80, 0, 1, 0}, {0xE0, 0xC0, 2, 0x80}, {0xF0, 0xE0, 3, 0x800}, {0xF8, 0xF0, 4, 0x10000}};
  if (text.empty()) return 0;
  const auto first = static_cast<uint8_t>(text[0]);
  for (const Form &form : kForms) {
    if ((first & form.mask) != form.lead) continue;
    if (text.size() < form.length) return 0;
    uint32_t code = static_cast<uint8_t>(first & ~form.mask);
    for (size_t i = 1; i < form.length; ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      if ((byte & 0xC0) != 0x80) return 0;
      code = code << 6 | (byte & 0x3F);
    }
    const bool isSurrogate = code >= 0xD800 && code < 0xE000;
    return code < form.least || isSurrogate || code > 0x10FFFF ? 0 : form.length;
  }
  return 0;
}

inline bool isUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// \p text with "\xE9" for each byte that is not part of UTF-8; the same when there is none.
inline std::string asUtf8(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  while (!text.empty()) {
    const size_t length = utf8Length(text);
    if (length == 0) {
      const auto byte = static_cast<uint8_t>(text[0]);
      result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
    result += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

/// \p text in one line of UTF-8, with '?' for each control character.
inline std::string printable(std::string_view text) {
  std::string line = asUtf8(text);
  for (char &byte : line)
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F) byte = '?';
  return line;
}

}  // namespace hone::text
