// Writing JSON. Functions without state.
#pragma once

#include <string>

namespace hone::runtime {

/// \p text as a string of JSON.
std::string jsonString(const std::string &text);

/// A number as JSON knows them: NaN and infinities become null.
std::string jsonNumber(double value);

/// "[a, b]"; \p print makes the text of each.
template <typename Values, typename Print>
std::string jsonList(const Values &values, Print print) {
  std::string list = "[";
  for (const auto &value : values) list += (list.size() > 1 ? ", " : "") + print(value);
  return list + "]";
}

}  // namespace hone::runtime
