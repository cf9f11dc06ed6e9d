#include "compiler/driver/schedules_file.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hone::driver {

namespace {

constexpr std::string_view kKernel = "kernel", kTask = "task";

absl::Status atLine(int line, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("schedules file, line ", line, ": ", std::string(what)));
}

bool isSha256(const std::string &text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string section(std::string_view header, std::string_view name, std::string_view schedule) {
  std::string text = absl::StrCat(std::string(header), " ", std::string(name), "\n", std::string(schedule));
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

}  // namespace

absl::StatusOr<SchedulesFile> parseSchedulesFile(std::string_view text) {
  SchedulesFile file;
  std::string *current = nullptr;
  int number = 0;
  for (absl::string_view whole : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    ++number;
    const absl::string_view line = absl::StripTrailingAsciiWhitespace(whole.substr(0, whole.find('#')));
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (!words.empty() && (words.front() == kKernel || words.front() == kTask)) {
      const bool isTask = words.front() == kTask;
      if (words.size() != 2) return atLine(number, absl::StrCat("expected '", words.front(), "' and one name"));
      if (isTask && !isSha256(words[1]))
        return atLine(number, "expected a task's SHA-256, 64 lower-case digits, as hone inspect --json prints it");
      const auto [entry, isNew] =
          (isTask ? file.tasks : file.kernels).try_emplace(words[1], std::string(static_cast<size_t>(number), '\n'));
      if (!isNew) return atLine(number, absl::StrCat(words.front(), " '", words[1], "' has a schedule already"));
      current = &entry->second;
      continue;
    }
    if (current == nullptr && !words.empty())
      return atLine(number, "expected 'kernel NAME' or 'task SHA256' before the first schedule");
    if (current != nullptr) absl::StrAppend(current, line, "\n");
  }
  return file;
}

std::string schedulesFileSection(std::string_view kernel, std::string_view schedule) {
  return section(kKernel, kernel, schedule);
}

std::string taskSection(std::string_view task, std::string_view schedule) { return section(kTask, task, schedule); }

}  // namespace hone::driver
