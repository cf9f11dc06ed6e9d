// The agent's log on standard error: one line per event, as text or as one JSON object, with the names of what it is
// about beside the sentence; the same form as the coordinator's. Thread-safe.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace spdlog {
class logger;
}

namespace hone::worker {

class Log {
 public:
  enum class Format { Text, Json };
  /// Names and values: {"task", "7"}.
  using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;

  explicit Log(Format format);

  void info(std::string_view sentence, Fields fields = {}) const { write(Level::Info, sentence, fields); }
  void warn(std::string_view sentence, Fields fields = {}) const { write(Level::Warning, sentence, fields); }
  void error(std::string_view sentence, Fields fields = {}) const { write(Level::Error, sentence, fields); }

 private:
  enum class Level { Info, Warning, Error };
  void write(Level level, std::string_view sentence, Fields fields) const;

  Format format_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace hone::worker
