#include "common/name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace hone {

namespace {

bool isOf(char c, std::string_view marks) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || marks.find(c) != std::string_view::npos;
}

absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

bool isName(std::string_view text, std::string_view marks) {
  return !text.empty() && text.size() <= kLongestName &&
         std::all_of(text.begin(), text.end(), [&](char c) { return isOf(c, marks); });
}

absl::Status checkName(std::string_view what, std::string_view text) {
  if (isName(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(view(what), " is not 1 to ", kLongestName, " letters, digits and ", view(kNameMarks)));
}

std::string asName(std::string_view text) {
  std::string name(text.substr(0, kLongestName));
  std::replace_if(name.begin(), name.end(), [](char c) { return !isOf(c, kNameMarks); }, '-');
  return name.empty() ? "unnamed" : name;
}

}  // namespace hone
