#include "tests/service/history.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace hone::test {

absl::StatusOr<std::unique_ptr<History>> History::open(const std::string &path) {
  std::unique_ptr<History> history(new History());
  history->readBack(path);
  history->file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (history->file_ < 0) return absl::UnavailableError(absl::StrCat("cannot open '", path, "': ", strerror(errno)));
  history->write({{"type", "start"}, {"pid", getpid()}});
  return history;
}

History::~History() {
  if (file_ >= 0) close(file_);
}

void History::readBack(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  bool isCutShort = false;
  while (std::getline(file, line)) {
    isCutShort = file.eof();
    const nlohmann::json entry = nlohmann::json::parse(line, nullptr, false);
    if (entry.is_discarded() || !entry.contains("index")) continue;
    const int64_t index = entry["index"];
    nextIndex_ = std::max(nextIndex_, index + 1);
    if (entry["type"] == "begin") unfinished_.insert(index);
    if (entry["type"] == "done") unfinished_.erase(index);
  }
  file.close();
  if (isCutShort) std::ofstream(path, std::ios::binary | std::ios::app) << '\n';
}

int64_t History::write(nlohmann::json line) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  const std::lock_guard lock(mutex_);
  line["micros"] = micros;
  const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  // A history with holes would accuse the innocent.
  if (::write(file_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) abort();
  return micros;
}

}  // namespace hone::test
