#include "bench/task_file.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hone::bench {

namespace {

constexpr std::string_view kTaskComment = "# task ", kNamesComment = "# of ";

}  // namespace

bool isTaskText(std::string_view text) { return text.starts_with(kTaskComment) || text.starts_with("kernel "); }

std::vector<TaskText> splitTasks(std::string_view text) {
  std::vector<TaskText> tasks;
  for (absl::string_view whole : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    const std::string_view line(whole.data(), whole.size());
    if (line.starts_with(kTaskComment) || tasks.empty()) tasks.emplace_back();
    if (line.starts_with(kNamesComment)) tasks.back().names = line.substr(kNamesComment.size());
    if (!line.starts_with('#')) absl::StrAppend(&tasks.back().text, whole, "\n");
  }
  return tasks;
}

}  // namespace hone::bench
