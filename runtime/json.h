// A small strict JSON reader (RFC 8259, no extensions) for mod.json. Values; functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/status.h"

namespace hone::runtime {

struct JsonValue {
  enum class Kind : uint8_t { Null, Bool, Integer, Number, String, Array, Object };

  Kind kind = Kind::Null;
  bool boolean = false;
  int64_t integer = 0;  ///< Integer: written without fraction and exponent, and fits
  double number = 0;    ///< Number: everything else
  std::string string;
  std::vector<JsonValue> elements;  ///< Array; Object: the values, in the order of the text
  std::vector<std::string> keys;    ///< Object: of the elements

  /// The member \p key of an object; null when there is none.
  const JsonValue *find(std::string_view key) const;
};

/// Refuses anything that is not exactly one JSON value: also invalid UTF-8, duplicate keys, and nesting deeper than 32.
Result<JsonValue> parseJson(std::string_view text);

}  // namespace hone::runtime
