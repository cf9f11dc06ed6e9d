#include "compiler/driver/schedules_file.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hone::driver {

namespace {

constexpr std::string_view kHeader = "kernel";

absl::Status atLine(int line, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("schedules file, line ", line, ": ", std::string(what)));
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> parseSchedulesFile(std::string_view text) {
  std::map<std::string, std::string> schedules;
  std::string *current = nullptr;
  int number = 0;
  for (absl::string_view whole : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    ++number;
    const absl::string_view line = absl::StripTrailingAsciiWhitespace(whole.substr(0, whole.find('#')));
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (!words.empty() && words.front() == kHeader) {
      if (words.size() != 2) return atLine(number, "expected 'kernel' and one name");
      const auto [entry, isNew] = schedules.try_emplace(words[1], std::string(static_cast<size_t>(number), '\n'));
      if (!isNew) return atLine(number, absl::StrCat("kernel '", words[1], "' has a schedule already"));
      current = &entry->second;
      continue;
    }
    if (current == nullptr && !words.empty()) return atLine(number, "expected 'kernel NAME' before the first schedule");
    if (current != nullptr) absl::StrAppend(current, line, "\n");
  }
  return schedules;
}

std::string schedulesFileSection(std::string_view kernel, std::string_view schedule) {
  std::string text = absl::StrCat(std::string(kHeader), " ", std::string(kernel), "\n", std::string(schedule));
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

}  // namespace hone::driver
